#include "test/sim/front.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DIGEST_BYTES 32
#define DEADLINE_MS 20u
#define MEMORY_BYTES (1u << 20)
#define MAILBOX_TIGHT 6u
#define TIGHT_PER_S 10u
#define CHILDREN_PER_S 2u
#define HISTORY_ALL (UINT64_C(1) << 40)
#define HISTORY_TURNS 200u
#define RETRY_ATTEMPTS 5u
#define LETTERS_PER_PAGE 7u
#define ABORTS_MAX 400u /* More than all that may take the host down have lives. */

static struct sw_bytes text(const char *words)
{
    return (struct sw_bytes){words, strlen(words)};
}

/* --- Modules --------------------------------------------------------------------------------- */

/* Each version is a module of its own, though some have the same code. */
static void digest_of(const struct sim_config *config, char ret_digest[DIGEST_BYTES])
{
    snprintf(ret_digest, DIGEST_BYTES, "sha256:%08" PRIx32, config->version);
}

static const struct sim_config *config_now(const struct sim_front *front)
{
    return &front->rollouts[front->rollouts_count - 1].config;
}

static void send_module(struct sim_front *front, struct sw_bytes digest)
{
    struct sw_bytes code = sim_front_code(front, digest);

    for (size_t at = 0; at < code.size;) {
        size_t size = code.size - at;
        struct sw_frame frame = {.kind = SW_FRAME_MODULE};

        if (size > SW_FRAME_CHUNK_MAX)
            size = SW_FRAME_CHUNK_MAX;
        frame.module = (struct sw_frame_module){.digest = digest,
                                                .offset = at,
                                                .total = code.size,
                                                .bytes = {(const uint8_t *)code.data + at, size}};
        sim_host_send(front->host, &frame);
        at += size;
    }
}

struct sw_bytes sim_front_code(const struct sim_front *front, struct sw_bytes digest)
{
    char known[DIGEST_BYTES];

    for (uint32_t i = 0; i < front->rollouts_count; i++) {
        const struct sim_config *config = &front->rollouts[i].config;

        digest_of(config, known);
        if (!front->rollouts[i].is_collected && sw_bytes_is_equal(digest, text(known)))
            return front->codes[config->program % SIM_PROGRAMS];
    }
    return (struct sw_bytes){NULL, 0};
}

/* --- Pods ------------------------------------------------------------------------------------ */

static void make_pod(struct sim_front *front, uint32_t number, const struct sim_pod *pod,
                     uint32_t part, uint32_t parts)
{
    struct sim_pod *made = &front->pods[number];

    *made = *pod;
    made->is_wanted = true;
    snprintf(made->uid, sizeof made->uid, "00000000-0000-7000-8000-%012" PRIu32, number + 1);
    for (uint32_t slot = 0; slot < SW_FRAME_SLOTS_BYTES * 8; slot++)
        if (slot * parts / (SW_FRAME_SLOTS_BYTES * 8) == part)
            made->slots[slot / 8] |= (uint8_t)(1u << slot % 8);
}

static void make_pods(struct sim_front *front)
{
    struct sim_pod account = {.agent = "account",
                              .agent_uid = "10000000-0000-7000-8000-000000000001",
                              .is_keyed = true,
                              .is_durable = true,
                              .timers = SIM_ACCOUNT_TIMERS,
                              .children_per_s = CHILDREN_PER_S,
                              .history_bytes = HISTORY_ALL,
                              .mailbox = 1024};
    struct sim_pod tight = {.agent = "tight",
                            .agent_uid = "10000000-0000-7000-8000-000000000002",
                            .is_keyed = true,
                            .is_durable = true,
                            .messages_per_s = TIGHT_PER_S,
                            .history_bytes = HISTORY_ALL,
                            .history_turns = HISTORY_TURNS,
                            .mailbox = MAILBOX_TIGHT};
    struct sim_pod hub = {.agent = "hub",
                          .agent_uid = "10000000-0000-7000-8000-000000000003",
                          .is_durable = true,
                          .replicas = SIM_HUBS,
                          .history_bytes = HISTORY_ALL,
                          .mailbox = 256};
    struct sim_pod mirror = {.agent = "mirror",
                             .agent_uid = "10000000-0000-7000-8000-000000000004",
                             .is_keyed = true,
                             .mailbox = 256};

    struct sim_pod brief = {.agent = "brief",
                            .agent_uid = "10000000-0000-7000-8000-000000000005",
                            .is_keyed = true,
                            .is_durable = true,
                            .idle_ns = SIM_IDLE_NS,
                            .history_bytes = HISTORY_ALL,
                            .mailbox = 256};

    struct sim_pod fresh = {.agent = "fresh",
                            .agent_uid = "10000000-0000-7000-8000-000000000006",
                            .is_keyed = true,
                            .is_durable = true,
                            .resets = true,
                            .mailbox = 256};

    struct sim_pod branch = {.agent = "branch",
                             .agent_uid = "10000000-0000-7000-8000-000000000007",
                             .is_keyed = true,
                             .is_durable = true,
                             .mailbox = 256};

    make_pod(front, 0, &account, 0, 2);
    make_pod(front, 1, &account, 1, 2);
    make_pod(front, 2, &tight, 0, 1);
    make_pod(front, 3, &hub, 0, 1);
    make_pod(front, 4, &mirror, 0, 1);
    make_pod(front, SIM_POD_BRIEF, &brief, 0, 1);
    make_pod(front, 6, &fresh, 0, 1);
    make_pod(front, SIM_POD_BRANCH, &branch, 0, 1);
    front->pods[SIM_POD_BRANCH].is_wanted = false;
}

/* In some seeds the namespace has a part of the processor, or of the disk only. */
static void send_quota(struct sim_front *front)
{
    const struct sw_frame frame = {.kind = SW_FRAME_QUOTA,
                                   .quota = {.number = 1,
                                             .name_space = text("default"),
                                             .instances = UINT64_MAX,
                                             .memory_bytes = UINT64_MAX,
                                             .cpu_ns = front->cpu_ns,
                                             .storage_bytes = front->storage_bytes}};

    if (front->cpu_ns != 0 || front->has_quota)
        sim_host_send(front->host, &frame);
}

void sim_front_set_storage(struct sim_front *front, uint64_t bytes)
{
    front->storage_bytes = bytes;
    front->has_quota = true;
    if (front->is_ready)
        send_quota(front);
}

static void open_pod(struct sim_front *front, struct sim_pod *pod)
{
    const struct sim_config *config = config_now(front);
    char digest[DIGEST_BYTES], letters[SIM_CONFIG_LETTERS];
    struct sw_frame frame = {
        .kind = SW_FRAME_POD_OPEN,
        .pod_open = {.uid = text(pod->uid),
                     .name_space = text("default"),
                     .agent = text(pod->agent),
                     .agent_uid = text(pod->agent_uid),
                     .digest = {digest, sizeof "sha256:00000000" - 1},
                     .config = {letters, sizeof letters},
                     .slots = {pod->slots, sizeof pod->slots},
                     .is_keyed = pod->is_keyed,
                     .replicas = pod->replicas,
                     .is_durable = pod->is_durable,
                     .resets = pod->resets,
                     .priority = 1,
                     .memory_bytes = MEMORY_BYTES,
                     .body_bytes = 4096,
                     .deadline_ms = DEADLINE_MS,
                     .mailbox = pod->mailbox,
                     .retry_attempts = RETRY_ATTEMPTS,
                     .retry_first_ns = 30 * SIM_MS,
                     .retry_max_ns = SIM_S,
                     .rest_ns = front->rest_ns,
                     .idle_ns = pod->idle_ns,
                     .history_bytes = front->keeps_history ? pod->history_bytes : 0,
                     .history_turns = front->keeps_history ? pod->history_turns : 0,
                     .timers_max = pod->timers,
                     .messages_per_s = pod->messages_per_s,
                     .children_per_s = pod->children_per_s,
                     .instances_max = 1000}};

    digest_of(config, digest);
    sim_config_write(config, letters);
    pod->generation = frame.pod_open.generation = ++front->next_generation;
    pod->is_running = false;
    sim_host_send(front->host, &frame);
}

static void close_pod(struct sim_front *front, struct sim_pod *pod)
{
    struct sw_frame frame = {.kind = SW_FRAME_POD_CLOSE, .pod_close = {.uid = text(pod->uid)}};

    pod->is_running = false;
    sim_host_send(front->host, &frame);
}

void sim_front_want(struct sim_front *front, uint32_t pod, bool is_wanted)
{
    if (front->pods[pod].is_wanted == is_wanted)
        return;
    front->pods[pod].is_wanted = is_wanted;
    sim_trace(front->trace, "front: Pod %" PRIu32 " is to be %s", pod + 1,
              is_wanted ? "open" : "closed");
    if (front->is_ready && is_wanted)
        open_pod(front, &front->pods[pod]);
    else if (front->is_ready)
        close_pod(front, &front->pods[pod]);
}

void sim_front_split(struct sim_front *front, uint32_t first)
{
    uint32_t order = (uint32_t)sim_random_below(&front->random, 2);

    sim_trace(front->trace, "front: the accounts are split at slot %" PRIu32, first);
    for (uint32_t slot = 0; slot < SW_FRAME_SLOTS_BYTES * 8; slot++) {
        uint8_t bit = (uint8_t)(1u << slot % 8);

        front->pods[slot >= first].slots[slot / 8] |= bit;
        front->pods[slot < first].slots[slot / 8] &= (uint8_t)~bit;
    }
    for (uint32_t i = 0; i < 2 && front->is_ready; i++)
        if (front->pods[i ^ order].is_wanted)
            open_pod(front, &front->pods[i ^ order]);
}

/* The module before the Pods, as swarmd does; the old one is dropped, or kept for a while. */
void sim_front_rollout(struct sim_front *front, const struct sim_config *config)
{
    uint32_t first = (uint32_t)sim_random_below(&front->random, SIM_PODS);
    bool drops = sim_random_permille(&front->random, 500);
    char old[DIGEST_BYTES], digest[DIGEST_BYTES];
    struct sw_frame drop = {.kind = SW_FRAME_MODULE_DROP, .module_drop = {{old, 0}}};

    if (front->rollouts_count == SIM_ROLLOUTS_MAX)
        return;
    digest_of(config_now(front), old);
    drop.module_drop.digest = text(old);
    front->rollouts[front->rollouts_count++] =
        (struct sim_rollout){.config = *config, .at_ns = front->loop->now_ns};
    sim_trace(front->trace, "front: version %" PRIu32 ", program %" PRIu32 ", handover %" PRIu32,
              config->version, config->program, config->handover);
    digest_of(config, digest);
    if (!front->is_ready)
        return;
    send_module(front, text(digest));
    for (uint32_t i = 0; i < SIM_PODS; i++)
        if (front->pods[(first + i) % SIM_PODS].is_wanted)
            open_pod(front, &front->pods[(first + i) % SIM_PODS]);
    if (front->pods[SIM_POD_BRANCH].is_wanted)
        open_pod(front, &front->pods[SIM_POD_BRANCH]);
    if (drops && strcmp(old, digest) != 0)
        sim_host_send(front->host, &drop);
}

bool sim_front_is_up(const struct sim_front *front)
{
    for (uint32_t i = 0; i <= SIM_PODS; i++)
        if (front->pods[i].is_wanted && !front->pods[i].is_running)
            return false;
    return front->is_ready;
}

/* --- Requests -------------------------------------------------------------------------------- */

static uint64_t keep(struct sim_front *front,
                     void (*answered)(void *ctx, const struct sw_frame_reply *reply), void *ctx)
{
    for (;;) {
        uint64_t number = ++front->next_request;
        struct sim_request_slot *slot = &front->requests[number % SIM_REQUESTS_MAX];

        if (slot->number != 0)
            continue;
        *slot = (struct sim_request_slot){.number = number, .answered = answered, .ctx = ctx};
        return number;
    }
}

static void answer(struct sim_front *front, const struct sw_frame_reply *reply)
{
    struct sim_request_slot *slot = &front->requests[reply->request % SIM_REQUESTS_MAX];
    struct sim_request_slot copy = *slot;

    if (slot->number != reply->request) /* Whoever asked has gone. */
        return;
    slot->number = 0;
    copy.answered(copy.ctx, reply);
}

void sim_front_told(struct sim_front *front)
{
    if (!front->ends_when_told)
        return;
    front->ends_when_told = false;
    sim_host_crash(front->host, SIM_END_POWER, "when a mirror had told");
}

void sim_front_forget(struct sim_front *front, uint64_t request)
{
    struct sim_request_slot *slot = &front->requests[request % SIM_REQUESTS_MAX];

    if (slot->number == request)
        slot->number = 0;
}

uint64_t sim_front_send(struct sim_front *front, const struct sim_send *send)
{
    struct sw_frame frame = {
        .kind = SW_FRAME_SEND,
        .send = {.request = keep(front, send->answered, send->ctx),
                 .name_space = text("default"),
                 .agent = text(send->agent),
                 .key = text(send->key),
                 .request_id = text(send->name),
                 .body = send->body,
                 .priority = send->has_priority ? send->priority : SW_FRAME_PRIORITY_DEFAULT,
                 .want_reply = send->wants_reply,
                 .timeout_ms = send->timeout_ms}};

    assert(front->is_ready);
    sim_host_send(front->host, &frame);
    return frame.send.request;
}

uint64_t sim_front_publish(struct sim_front *front, const struct sim_publish *publish)
{
    struct sw_frame frame = {.kind = SW_FRAME_PUBLISH,
                             .publish = {.request = keep(front, publish->answered, publish->ctx),
                                         .name_space = text("default"),
                                         .subject = text(publish->subject),
                                         .request_id = text(publish->name),
                                         .body = publish->body,
                                         .priority = publish->priority}};

    assert(front->is_ready);
    sim_host_send(front->host, &frame);
    return frame.publish.request;
}

uint64_t sim_front_letters(struct sim_front *front, const struct sim_letters_query *query)
{
    struct sw_frame frame = {.kind = SW_FRAME_LETTERS,
                             .letters = {.request = keep(front, query->answered, query->ctx),
                                         .name_space = text("default"),
                                         .agent = text(query->agent),
                                         .after = query->after,
                                         .limit = LETTERS_PER_PAGE,
                                         .with_body = 1}};

    assert(front->is_ready);
    front->requests[frame.letters.request % SIM_REQUESTS_MAX].paged = query->paged;
    sim_host_send(front->host, &frame);
    return frame.letters.request;
}

uint64_t sim_front_fork(struct sim_front *front, const struct sw_frame_fork *fork,
                        void (*answered)(void *ctx, const struct sw_frame_reply *reply), void *ctx)
{
    struct sw_frame frame = {.kind = SW_FRAME_FORK, .fork = *fork};
    const uint8_t *bytes = fork->bytes.data;
    size_t size;

    frame.fork.request = keep(front, answered, ctx);
    frame.fork.name_space = text("default");
    for (size_t at = 0; at < fork->total; at += size) {
        size = fork->total - at < SW_FRAME_CHUNK_MAX ? fork->total - at : SW_FRAME_CHUNK_MAX;
        frame.fork.offset = at;
        frame.fork.bytes = (struct sw_bytes){bytes + at, size};
        sim_host_send(front->host, &frame);
    }
    return frame.fork.request;
}

uint64_t sim_front_fork_change(struct sim_front *front, const struct sw_frame_fork_change *change,
                               void (*answered)(void *ctx, const struct sw_frame_reply *reply),
                               void *ctx)
{
    struct sw_frame frame = {.kind = SW_FRAME_FORK_CHANGE, .fork_change = *change};

    frame.fork_change.request = keep(front, answered, ctx);
    frame.fork_change.name_space = text("default");
    sim_host_send(front->host, &frame);
    return frame.fork_change.request;
}

static void take_page(struct sim_front *front, const struct sw_frame_instances *page)
{
    struct sim_request_slot *slot = &front->requests[page->request % SIM_REQUESTS_MAX];
    struct sim_request_slot copy = *slot;

    if (slot->number != page->request || copy.paged == NULL)
        return;
    slot->number = 0;
    copy.paged(copy.ctx, page);
}

/* --- Modules that nothing needs --------------------------------------------------------------- */

/* As swarmd does: what nobody needs, and nobody has come for meanwhile, is removed. Who wants it
 * after that will not get it. */
static void take_need(void *ctx, const struct sw_frame_reply *reply)
{
    struct sim_front *front = ctx;
    uint32_t version = front->asked_version;

    front->asked_version = 0;
    if (reply->code != 0 || front->asked_rollouts != front->rollouts_count)
        return;
    sim_trace(front->trace, "front: nothing needs version %" PRIu32, version);
    for (uint32_t i = 0; i < front->rollouts_count; i++)
        front->rollouts[i].is_collected |= front->rollouts[i].config.version == version;
}

/* Now and then, for one that Pods had before. */
static void ask_need(struct sim_front *front)
{
    const struct sim_rollout *rollout =
        &front->rollouts[sim_random_below(&front->asks, front->rollouts_count)];
    char digest[DIGEST_BYTES];
    struct sw_frame frame = {.kind = SW_FRAME_MODULE_ASK};

    if (front->asked_version != 0 || rollout->is_collected ||
        rollout->config.version == config_now(front)->version)
        return;
    front->asked_version = rollout->config.version;
    front->asked_rollouts = front->rollouts_count;
    digest_of(&rollout->config, digest);
    frame.module_ask = (struct sw_frame_module_ask){keep(front, take_need, front), text(digest)};
    sim_host_send(front->host, &frame);
}

/* --- The host -------------------------------------------------------------------------------- */

static void breach(struct sim_front *front, const char *what, struct sw_bytes words)
{
    if (front->breach[0] == 0)
        snprintf(front->breach, sizeof front->breach, "%s: %.*s", what, (int)words.size,
                 words.size == 0 ? "" : (const char *)words.data);
    front->is_broken = true;
}

static void begin(struct sim_front *front)
{
    char digest[DIGEST_BYTES];

    digest_of(config_now(front), digest);
    send_module(front, text(digest));
    front->is_ready = true;
    for (uint32_t i = 0; i <= SIM_PODS; i++)
        if (front->pods[i].is_wanted)
            open_pod(front, &front->pods[i]);
}

static void take_status(struct sim_front *front, const struct sw_frame_pod_status *status)
{
    for (uint32_t i = 0; i <= SIM_PODS; i++)
        if (status->uid.size == strlen(front->pods[i].uid) &&
            memcmp(status->uid.data, front->pods[i].uid, status->uid.size) == 0 &&
            status->generation == front->pods[i].generation)
            front->pods[i].is_running = status->phase == SW_FRAME_POD_RUNNING;
    if (status->phase == SW_FRAME_POD_FAILED)
        breach(front, "a Pod failed", status->words);
    else if (front->is_ready)
        ask_need(front);
}

/* Whether it tells of what its Agent asks for. */
static bool is_reset(const struct sim_front *front, const struct sw_frame_event *event)
{
    for (uint32_t i = 0; i <= SIM_PODS; i++)
        if (front->pods[i].resets && sw_bytes_is_equal(event->uid, text(front->pods[i].uid)))
            return sw_bytes_is_equal(event->reason, text("StateDiscarded"));
    return false;
}

/* Traps and the like are what some operations ask for; these say that state was lost. */
static void take_event(struct sim_front *front, const struct sw_frame_event *event)
{
    static const char *const bad[] = {"ReplayMismatch", "StateUnreadable", "StateDiscarded",
                                      "CreateFailed"};

    sim_trace(front->trace, "front: Event %.*s of %.*s: %.*s", (int)event->reason.size,
              (const char *)event->reason.data, (int)event->key.size,
              event->key.size == 0 ? "" : (const char *)event->key.data,
              (int)(event->words.size < 80 ? event->words.size : 80),
              event->words.size == 0 ? "" : (const char *)event->words.data);
    if (is_reset(front, event))
        return;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (event->reason.size == strlen(bad[i]) &&
            memcmp(event->reason.data, bad[i], event->reason.size) == 0)
            breach(front, bad[i], event->words);
}

void sim_front_frame(void *ctx, const struct sw_frame *frame)
{
    struct sim_front *front = ctx;
    const char *wrong;

    switch ((unsigned)frame->kind) {
    case SW_FRAME_READY:
        sim_usages_begin(&front->usages);
        send_quota(front);
        begin(front);
        return;
    case SW_FRAME_USAGE:
        wrong = sim_usages_take(&front->usages, &frame->usage);
        if (wrong != NULL)
            breach(front, wrong, frame->usage.agent);
        return;
    case SW_FRAME_MODULE_RESULT:
        if (frame->result.code != 0)
            breach(front, "the module was refused", frame->result.words);
        return;
    case SW_FRAME_MODULE_WANTED:
        if (sim_front_code(front, frame->module_wanted.digest).size == 0)
            breach(front, "a module was wanted that never was, or that nothing needs",
                   frame->module_wanted.digest);
        else if (front->is_ready)
            send_module(front, frame->module_wanted.digest);
        return;
    case SW_FRAME_POD_STATUS:
        take_status(front, &frame->pod_status);
        return;
    case SW_FRAME_REPLY:
        answer(front, &frame->reply);
        return;
    case SW_FRAME_LETTERS_PAGE:
        take_page(front, &frame->instances);
        return;
    case SW_FRAME_EVENT:
        take_event(front, &frame->event);
        return;
    case SW_FRAME_CALL:
    case SW_FRAME_CALL_END:
        sim_service_take(&front->service, frame);
        if (front->service.breach[0] != 0)
            breach(front, "service", text(front->service.breach));
        return;
    default:
        return;
    }
}

static void run_start(void *ctx)
{
    struct sim_front *front = ctx;

    sim_host_start(front->host);
}

void sim_front_ended(void *ctx, enum sim_end end, const char *words)
{
    struct sim_front *front = ctx;

    front->is_ready = false;
    sim_service_host_ended(&front->service);
    front->ends[end]++;
    for (uint32_t i = 0; i <= SIM_PODS; i++)
        front->pods[i].is_running = false;
    for (uint32_t i = 0; i < SIM_REQUESTS_MAX; i++) {
        struct sw_frame_reply lost = {.request = front->requests[i].number, .code = SIM_CODE_LOST};

        if (lost.request != 0)
            answer(front, &lost);
    }
    if (end == SIM_END_UNREADABLE)
        breach(front, "the host gave up", text(words));
    else if (front->ends[SIM_END_ABORTED] > ABORTS_MAX)
        breach(front, "nothing ends what takes the host down", text(words));
    else
        sim_event_at(front->loop, &front->start,
                     front->loop->now_ns + SIM_MS +
                         sim_random_around(&front->random, front->restart_ns) +
                         (end == SIM_END_JOURNAL ? SIM_S / 2 : 0));
}

void sim_front_stop(struct sim_front *front)
{
    struct sw_frame frame = {.kind = SW_FRAME_STOP, .stop = {.deadline_ms = 30000}};

    if (!front->is_ready)
        return;
    front->is_ready = false;
    sim_trace(front->trace, "front: the host is to stop");
    sim_host_send(front->host, &frame);
}

static void send_result(void *ctx, const struct sw_frame *frame)
{
    struct sim_front *front = ctx;

    if (front->is_ready) /* Otherwise it is asked for again. */
        sim_host_send(front->host, frame);
}

static const char *agent_of(void *ctx, struct sw_bytes uid)
{
    const struct sim_front *front = ctx;

    for (uint32_t i = 0; i <= SIM_PODS; i++)
        if (sw_bytes_is_equal(uid, text(front->pods[i].uid)))
            return front->pods[i].agent;
    return "";
}

void sim_front_done(struct sim_front *front)
{
    sim_service_done(&front->service);
}

void sim_front_init(struct sim_front *front, struct sim_host *host, const struct sw_bytes *codes,
                    uint64_t seed)
{
    memset(front, 0, sizeof *front);
    front->loop = host->options.loop;
    front->trace = host->options.trace;
    front->host = host;
    front->codes = codes;
    front->rollouts[front->rollouts_count++].config = (struct sim_config){.version = 1};
    front->random.state = seed;
    front->asks.state = ~seed;
    front->restart_ns = 100 * SIM_MS;
    sim_service_init(&front->service,
                     &(struct sim_service_options){.loop = front->loop,
                                                   .trace = front->trace,
                                                   .seed = sim_random_next(&front->random),
                                                   .ctx = front,
                                                   .send = send_result,
                                                   .agent_of = agent_of});
    sim_event_init(&front->start, run_start, front);
    make_pods(front);
    sim_event_at(front->loop, &front->start, 0);
}
