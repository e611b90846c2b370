#include "test/sim/work.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TRIES_MAX 14u
#define TIMEOUT_CODE 4u
#define EXHAUSTED_CODE 8u
#define UNAVAILABLE_CODE 14u
#define CANCELLED_CODE 1u
#define SPAM_MAX 1500u /* The logs of those who get it have an end. */
#define CRASHES 2u     /* Each of them ends some lives of the host: most seeds have few of them. */
#define CRASHES_OF_MANY 14u
#define TIMER_MAX_NS (120 * SIM_S)

void sim_peer_name(uint32_t peer, const char **ret_agent, char ret_key[8])
{
    uint32_t first = peer < SIM_TIGHT_FIRST    ? 0
                     : peer < SIM_HUB_FIRST    ? SIM_TIGHT_FIRST
                     : peer < SIM_MIRROR_FIRST ? SIM_HUB_FIRST
                     : peer < SIM_BRIEF_FIRST  ? SIM_MIRROR_FIRST
                     : peer < SIM_FRESH_FIRST  ? SIM_BRIEF_FIRST
                                               : SIM_FRESH_FIRST;

    *ret_agent = first == 0                 ? "account"
                 : first == SIM_TIGHT_FIRST ? "tight"
                 : first == SIM_HUB_FIRST   ? "hub"
                 : first == SIM_BRIEF_FIRST ? "brief"
                 : first == SIM_FRESH_FIRST ? "fresh"
                                            : "mirror";
    snprintf(ret_key, 8, "%" PRIu32, (peer - first) % 1000);
}

uint32_t sim_peer_of(struct sw_bytes name)
{
    for (uint32_t peer = 0; peer < SIM_PEERS; peer++) {
        const char *agent;
        char key[8], whole[24];

        sim_peer_name(peer, &agent, key);
        snprintf(whole, sizeof whole, "%s/%s", agent, key);
        if (name.size == strlen(whole) && memcmp(name.data, whole, name.size) == 0)
            return peer;
    }
    return SIM_CLIENT;
}

const char *sim_op_name(uint32_t op)
{
    static const char *const names[] = {
        "?",      "put",  "transfer", "relay", "gather", "join",    "leave",   "tell",   "set",
        "cancel", "race", "ask",      "sleep", "take",   "call",    "page",    "mirror", "random",
        "spam",   "trap", "poison",   "look",  "visit",  "call on", "compute", "crash",  "dump"};

    return op < sizeof names / sizeof *names ? names[op] : "?";
}

const struct sim_record *sim_work_find(const struct sim_work *work, uint64_t id)
{
    return id == 0 || id > work->records_count ? NULL : &work->records[id - 1];
}

static void breach(struct sim_work *work, const struct sim_record *record, const char *what)
{
    if (work->breach[0] == 0)
        snprintf(work->breach, sizeof work->breach,
                 "op %" PRIu64 " (%s) of instance %" PRIu32 ": %s", record->request.id,
                 sim_op_name(record->request.op), record->peer, what);
}

/* --- What is done ---------------------------------------------------------------------------- */

static uint32_t choose_op(struct sim_client *client)
{
    uint64_t at = sim_random_below(&client->random, client->work->weights_sum);

    for (uint32_t op = 1; op < SIM_OP_KINDS; op++) {
        if (at < client->work->weights[op])
            return op;
        at -= client->work->weights[op];
    }
    return SIM_OP_PUT;
}

/* One that keeps what it is told, often the same one. */
static uint8_t choose_durable(struct sim_client *client)
{
    if (sim_random_permille(&client->random, 120))
        return (uint8_t)client->work->hot_peer;
    return (uint8_t)sim_random_below(&client->random, SIM_MIRROR_FIRST);
}

static uint8_t choose_mirror(struct sim_client *client)
{
    return (uint8_t)(SIM_MIRROR_FIRST + sim_random_below(&client->random, SIM_MIRRORS));
}

static void fill_path(struct sim_client *client, struct sim_request *request, uint32_t hops_max)
{
    request->hops = (uint32_t)sim_random_between(&client->random, 1, hops_max);
    for (uint32_t i = 0; i < request->hops; i++)
        request->path[i] = choose_durable(client);
}

static void fill_look(struct sim_client *client, struct sim_record *record)
{
    struct sim_request *request = &record->request;

    record->peer = choose_mirror(client);
    request->value = choose_durable(client);
    request->delay_ns = sim_random_below(&client->random, 3);
    record->wants_reply = true;
    record->is_named = false;
}

static uint8_t choose_brief(struct sim_client *client)
{
    return (uint8_t)(SIM_BRIEF_FIRST + sim_random_below(&client->random, SIM_BRIEFS));
}

static uint8_t choose_fresh(struct sim_client *client)
{
    return (uint8_t)(SIM_FRESH_FIRST + sim_random_below(&client->random, SIM_FRESH));
}

/* What has a name is remembered for an hour: only some are visited by name. */
static void fill_visit(struct sim_client *client, struct sim_record *record)
{
    struct sim_request *request = &record->request;

    record->peer =
        sim_random_permille(&client->random, 300) ? choose_fresh(client) : choose_brief(client);
    record->is_named = record->is_named && sim_is_remembered(record->peer);
    request->value = sim_random_below(&client->random, SIM_VISITS);
    request->delay_ns = 1 + sim_random_around(&client->random, SIM_IDLE_NS);
}

/* Several at once: more than one may bring to life. */
static void fill_call_on(struct sim_client *client, struct sim_request *request)
{
    uint32_t first = choose_brief(client) - SIM_BRIEF_FIRST;

    request->hops = (uint32_t)sim_random_between(&client->random, 1, SIM_HOPS_MAX);
    for (uint32_t i = 0; i < request->hops; i++)
        request->path[i] = sim_random_permille(&client->random, 300)
                               ? (uint8_t)(SIM_FRESH_FIRST + (first + i) % SIM_FRESH)
                               : (uint8_t)(SIM_BRIEF_FIRST + (first + i) % SIM_BRIEFS);
}

static void fill_spam(struct sim_client *client, struct sim_request *request)
{
    request->value = sim_random_between(&client->random, 2, 20);
    if (client->work->spam_left < request->value)
        request->value = client->work->spam_left;
    client->work->spam_left -= (uint32_t)request->value;
    request->path[0] = (uint8_t)(SIM_TIGHT_FIRST + sim_random_below(&client->random, SIM_TIGHT));
}

static void fill_call(struct sim_client *client, struct sim_record *record)
{
    struct sim_request *request = &record->request;

    if (sim_random_permille(&client->random, 300)) {
        record->peer = choose_mirror(client);
        record->is_named = false; /* Whoever is not durable forgets names with a host. */
    }
    request->value = sim_random_between(&client->random, 1, 3);
    if (sim_random_permille(&client->random, 500))
        request->delay_ns = 1 + sim_random_around(&client->random, SIM_S);
}

/* More than others wait for. */
static void fill_compute(struct sim_client *client, struct sim_record *record)
{
    struct sim_request *request = &record->request;

    if (sim_random_permille(&client->random, 200)) {
        record->peer = choose_mirror(client);
        record->is_named = false;
    }
    request->value = sim_random_between(&client->random, 1, SIM_COMPUTE_MS_MAX);
    if (sim_random_permille(&client->random, 400))
        request->delay_ns = 1 + sim_random_around(&client->random, 100 * SIM_MS);
    request->path[1] = choose_mirror(client);
}

static void fill_timer(struct sim_client *client, struct sim_request *request)
{
    request->value = 1 + sim_random_below(&client->random, SIM_TIMERS);
    request->delay_ns = sim_random_permille(&client->random, 600)
                            ? sim_random_around(&client->random, 20 * SIM_MS)
                            : sim_random_below(&client->random, TIMER_MAX_NS);
}

static void fill_race(struct sim_client *client, struct sim_request *request)
{
    request->value = 1 + sim_random_below(&client->random, SIM_TIMERS);
    request->delay_ns =
        sim_random_below(&client->random, 3) * sim_random_around(&client->random, 50 * SIM_US);
}

static void fill_poison(struct sim_client *client, struct sim_request *request)
{
    if (request->op == SIM_OP_POISON)
        request->value = sim_random_below(&client->random, 8);
    else if (client->work->crashes_left == 0)
        request->op = SIM_OP_PUT;
    else
        client->work->crashes_left--;
}

/* Of operations that are not sent to just anybody. */
static void fill_record(struct sim_client *client, struct sim_record *record)
{
    if (record->request.op == SIM_OP_LOOK)
        fill_look(client, record);
    else if (record->request.op == SIM_OP_VISIT)
        fill_visit(client, record);
    else if (record->request.op == SIM_OP_CALL)
        fill_call(client, record);
    else
        fill_compute(client, record);
}

static void fill_request(struct sim_client *client, struct sim_record *record)
{
    struct sim_request *request = &record->request;

    record->peer = choose_durable(client);
    request->path[0] = choose_durable(client);
    switch ((enum sim_op)request->op) {
    case SIM_OP_TRANSFER:
        request->value = sim_random_between(&client->random, 1, 100);
        return;
    case SIM_OP_RELAY:
    case SIM_OP_GATHER:
        fill_path(client, request, SIM_HOPS_MAX);
        return;
    case SIM_OP_JOIN:
    case SIM_OP_LEAVE:
        request->value = sim_random_below(&client->random, SIM_SUBJECTS);
        return;
    case SIM_OP_TELL:
        request->value = sim_random_below(&client->random, SIM_SUBJECTS);
        if (sim_random_permille(&client->random, 400))
            record->peer = SIM_CLIENT;
        return;
    case SIM_OP_SET:
    case SIM_OP_CANCEL:
        fill_timer(client, request);
        return;
    case SIM_OP_ASK:
        fill_path(client, request, 3);
        return;
    case SIM_OP_SLEEP:
    case SIM_OP_TAKE:
        request->delay_ns = sim_random_around(&client->random, 300 * SIM_MS);
        return;
    case SIM_OP_RACE:
        fill_race(client, request);
        return;
    case SIM_OP_PAGE:
        request->value = sim_random_below(&client->random, SIM_PAGES);
        return;
    case SIM_OP_MIRROR:
        request->path[0] = choose_mirror(client);
        return;
    case SIM_OP_CALL_ON:
        fill_call_on(client, request);
        return;
    case SIM_OP_POISON:
    case SIM_OP_CRASH:
        fill_poison(client, request);
        return;
    case SIM_OP_SPAM:
        fill_spam(client, request);
        return;
    case SIM_OP_TRAP:
        request->value = sim_random_below(&client->random, SIM_TRAPS);
        return;
    case SIM_OP_LOOK:
    case SIM_OP_VISIT:
    case SIM_OP_CALL:
    case SIM_OP_COMPUTE:
        fill_record(client, record);
        return;
    case SIM_OP_PUT:
    case SIM_OP_RANDOM:
    case SIM_OP_DUMP:
        return;
    }
}

static struct sim_record *make_record(struct sim_client *client)
{
    struct sim_work *work = client->work;
    struct sim_record *record;

    if (work->records_count == SIM_OPS_MAX)
        return NULL;
    record = &work->records[work->records_count++];
    *record =
        (struct sim_record){.request = {.op = choose_op(client), .id = work->records_count},
                            .is_named = sim_random_permille(&client->random, work->named_permille),
                            .wants_reply = sim_random_permille(&client->random, 800),
                            .first_ns = work->loop->now_ns,
                            .done_ns = SIM_NEVER};
    fill_request(client, record);
    if (record->request.op == SIM_OP_GATHER)
        record->wants_reply = true;
    return record;
}

/* --- Trying ---------------------------------------------------------------------------------- */

static void finish(struct sim_client *client)
{
    struct sim_record *record = client->record;

    if (record->fate == SIM_FATE_OPEN)
        record->fate = record->has_unknown ? SIM_FATE_UNKNOWN : SIM_FATE_REFUSED;
    sim_trace(client->work->trace, "client %" PRIu32 ": op %" PRIu64 " %s, fate %d, code %" PRIu32,
              client->number, record->request.id, sim_op_name(record->request.op),
              (int)record->fate, record->code);
    client->record = NULL;
    if (--client->left > 0)
        sim_event_at(client->work->loop, &client->act,
                     client->work->loop->now_ns +
                         sim_random_around(&client->random, client->work->think_ns));
}

/* Try again in a while, or leave it at that. */
static void try_again(struct sim_client *client, bool may)
{
    struct sim_record *record = client->record;
    uint64_t wait_ns =
        sim_random_around(&client->random, (20 * SIM_MS) << (record->tries / 2)) + SIM_US;

    client->request = 0;
    if (!may || record->tries >= TRIES_MAX || sim_random_permille(&client->random, 60)) {
        finish(client);
        return;
    }
    sim_event_at(client->work->loop, &client->act, client->work->loop->now_ns + wait_ns);
}

/* An answer: the first one is kept, and all others must be the same. */
static void take_answer(struct sim_client *client, const struct sw_frame_reply *reply)
{
    struct sim_record *record = client->record;
    struct sim_answer answer = {0};
    bool is_first = record->fate != SIM_FATE_DONE;

    if (record->request.op == SIM_OP_TRAP)
        breach(client->work, record, "what ended badly was acknowledged");
    if (record->peer != SIM_CLIENT && record->wants_reply) {
        if (reply->body.size != sizeof answer) {
            breach(client->work, record, "it was acknowledged without its answer");
            return;
        }
        memcpy(&answer, reply->body.data, sizeof answer);
    }
    if (!is_first && memcmp(&answer, &record->answer, sizeof answer) != 0)
        breach(client->work, record, "a repeat got another answer than the first");
    if (!is_first && record->subscribers > 0 && record->subscribers != reply->subscribers)
        breach(client->work, record, "a repeated publish reached another number of subscribers");
    if (!is_first)
        return;
    record->answer = answer;
    record->subscribers = reply->subscribers;
    record->fate = SIM_FATE_DONE;
    record->done_ns = client->work->loop->now_ns;
    if (record->request.op == SIM_OP_LOOK && answer.position > 0)
        sim_front_told(client->work->front);
}

/* What is answered in a later segment than the one it began in may have happened even so. */
static bool has_segments(const struct sim_record *record)
{
    uint32_t op = record->request.op;

    return op == SIM_OP_GATHER || op == SIM_OP_ASK || op == SIM_OP_SLEEP || op == SIM_OP_TAKE ||
           op == SIM_OP_CALL || op == SIM_OP_VISIT || op == SIM_OP_COMPUTE;
}

static bool is_expected(const struct sim_record *record, uint32_t code)
{
    return record->request.op == SIM_OP_TRAP || code == EXHAUSTED_CODE ||
           code == UNAVAILABLE_CODE || code == TIMEOUT_CODE;
}

static void answered(void *ctx, const struct sw_frame_reply *reply)
{
    struct sim_client *client = ctx;
    struct sim_record *record = client->record;
    bool is_lost =
        reply->code == SIM_CODE_LOST || reply->code == CANCELLED_CODE ||
        (has_segments(record) && reply->code != 0 && reply->code != SW_FRAME_CODE_NOT_TAKEN &&
         (reply->code != EXHAUSTED_CODE || record->request.op == SIM_OP_TAKE));

    sim_event_stop(client->work->loop, &client->act);
    record->code = reply->code;
    if (reply->code == 0) {
        client->request = 0;
        take_answer(client, reply);
        if (record->is_named && record->repeats == 0 && sim_random_permille(&client->random, 80)) {
            record->repeats++; /* Whoever asks again hears the same. */
            sim_event_at(client->work->loop, &client->act,
                         client->work->loop->now_ns +
                             sim_random_around(&client->random, 2 * SIM_S));
            return;
        }
        finish(client);
        return;
    }
    if (is_lost)
        record->has_unknown = true;
    else if (reply->code != SW_FRAME_CODE_NOT_TAKEN && !is_expected(record, reply->code))
        breach(client->work, record, "it was refused with a code that makes no sense");
    try_again(client, record->is_named || reply->code == SW_FRAME_CODE_NOT_TAKEN);
}

static void send_publish(struct sim_client *client, const char *name)
{
    const struct sim_record *record = client->record;
    struct sim_news news = {.id = record->request.id,
                            .publisher = SIM_CLIENT,
                            .subject = (uint32_t)record->request.value};
    char subject[16];
    struct sim_publish publish = {.subject = subject,
                                  .name = name,
                                  .priority = sim_priority(news.id),
                                  .body = {&news, sizeof news},
                                  .answered = answered,
                                  .ctx = client};

    snprintf(subject, sizeof subject, "news.%" PRIu64, record->request.value % SIM_SUBJECTS);
    client->request = sim_front_publish(client->work->front, &publish);
}

static void send(struct sim_client *client)
{
    struct sim_record *record = client->record;
    char name[24] = "", key[8];
    struct sim_send send = {.name = name,
                            .key = key,
                            .body = {&record->request, sizeof record->request},
                            .wants_reply = record->wants_reply,
                            .has_priority = record->request.id % 3 != 0,
                            .priority = sim_priority(record->request.id),
                            .answered = answered,
                            .ctx = client};

    record->tries++;
    if (!client->work->front->is_ready) {
        try_again(client, true);
        return;
    }
    if (record->is_named)
        snprintf(name, sizeof name, "op-%" PRIu64, record->request.id);
    if (record->peer == SIM_CLIENT) {
        send_publish(client, name);
    } else {
        sim_peer_name(record->peer, &send.agent, key);
        if (sim_random_permille(&client->random, 100))
            send.timeout_ms = (uint32_t)sim_random_between(&client->random, 5, 2000);
        client->request = sim_front_send(client->work->front, &send);
    }
    sim_event_at(client->work->loop, &client->act,
                 client->work->loop->now_ns + 100 * SIM_MS +
                     sim_random_around(&client->random, 5 * SIM_S));
}

/* Begin, try again, or give up waiting. */
static void act(void *ctx)
{
    struct sim_client *client = ctx;

    if (client->record == NULL) {
        client->record = make_record(client);
        if (client->record == NULL) {
            client->left = 0;
            return;
        }
    } else if (client->request != 0) {
        sim_front_forget(client->work->front, client->request);
        client->record->has_unknown = true;
        try_again(client, client->record->is_named);
        return;
    }
    send(client);
}

/* --- All of them ----------------------------------------------------------------------------- */

void sim_work_burst(struct sim_work *work, uint32_t count)
{
    for (uint32_t i = 0; i < SIM_CLIENTS; i++) {
        struct sim_client *client = &work->clients[i];
        bool was_idle = client->left == 0 && client->record == NULL;

        client->left += (uint32_t)sim_random_between(&client->random, 1, count * 2);
        if (was_idle)
            sim_event_at(work->loop, &client->act,
                         work->loop->now_ns + sim_random_around(&client->random, 20 * SIM_MS));
    }
}

bool sim_work_is_quiet(const struct sim_work *work)
{
    for (uint32_t i = 0; i < SIM_CLIENTS; i++)
        if (work->clients[i].record != NULL || work->clients[i].left > 0)
            return false;
    return true;
}

void sim_work_init(struct sim_work *work, struct sim_front *front, uint64_t seed)
{
    static const uint32_t base[SIM_OP_KINDS] = {
        [SIM_OP_PUT] = 10,   [SIM_OP_TRANSFER] = 12, [SIM_OP_RELAY] = 10,  [SIM_OP_GATHER] = 8,
        [SIM_OP_JOIN] = 3,   [SIM_OP_LEAVE] = 2,     [SIM_OP_TELL] = 6,    [SIM_OP_SET] = 8,
        [SIM_OP_CANCEL] = 5, [SIM_OP_PAGE] = 6,      [SIM_OP_MIRROR] = 12, [SIM_OP_RANDOM] = 3,
        [SIM_OP_POISON] = 2, [SIM_OP_ASK] = 4,       [SIM_OP_SLEEP] = 2,   [SIM_OP_TAKE] = 3,
        [SIM_OP_CALL] = 4,   [SIM_OP_RACE] = 3,      [SIM_OP_SPAM] = 3,    [SIM_OP_TRAP] = 4,
        [SIM_OP_LOOK] = 12,  [SIM_OP_VISIT] = 8,     [SIM_OP_CALL_ON] = 8, [SIM_OP_COMPUTE] = 4,
        [SIM_OP_CRASH] = 1};

    memset(work, 0, sizeof *work);
    work->front = front;
    work->loop = front->loop;
    work->trace = front->trace;
    work->random.state = seed;
    work->records = calloc(SIM_OPS_MAX, sizeof *work->records);
    assert(work->records != NULL);
    for (uint32_t op = 1; op < SIM_OP_KINDS; op++) {
        work->weights[op] = base[op] * (uint32_t)sim_random_between(&work->random, 1, 6);
        work->weights_sum += work->weights[op];
    }
    work->think_ns = SIM_MS * sim_random_between(&work->random, 1, 60);
    work->named_permille = (uint32_t)sim_random_between(&work->random, 100, 900);
    work->spam_left = SPAM_MAX;
    work->crashes_left = sim_random_permille(&work->random, 250)
                             ? CRASHES_OF_MANY
                             : (uint32_t)sim_random_below(&work->random, CRASHES + 1);
    work->hot_peer = (uint32_t)sim_random_below(&work->random, SIM_MIRROR_FIRST);
    for (uint32_t i = 0; i < SIM_CLIENTS; i++) {
        struct sim_client *client = &work->clients[i];

        client->work = work;
        client->number = i;
        client->random = sim_random_split(&work->random);
        sim_event_init(&client->act, act, client);
    }
}

void sim_work_done(struct sim_work *work)
{
    free(work->records);
}
