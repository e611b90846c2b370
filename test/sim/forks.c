#include "test/sim/forks.h"

#include "pkg/agent/abi/abi.h"
#include "pkg/agent/runtime/actor/past.h"
#include "pkg/agent/runtime/host/guest_wasm.h"
#include "pkg/agent/runtime/wasm/wasm.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GAP_NS (60 * SIM_S)
#define LATE_NS (20 * SIM_S)
#define OPS_MAX 250u
#define NUMBERS_MAX 1024u
#define RECORDS_BYTES_MAX (64u << 20)
#define DEADLINE_MS 60000u
#define NOT_FOUND_CODE 5u
#define EXISTS_CODE 6u
#define PRECONDITION_CODE 9u

static void breach(struct sim_forks *forks, const char *what, uint64_t number)
{
    if (forks->breach[0] == 0)
        snprintf(forks->breach, sizeof forks->breach, "branch/%" PRIu32 ": %.150s (%" PRIu64 ")",
                 forks->at, what, number);
}

/* --- A look at the past ----------------------------------------------------------------------- */

struct look {
    struct sim_forks *forks;
    struct sw_guest_engine engine;
    struct sw_guest_module *modules[SIM_PROGRAMS];
    struct sw_shared shared;
    struct sw_wasm_worker *wasm;
    struct sw_worker *worker;
    struct sw_past *past;
};

static enum sw_rc get_program(void *ctx, struct sw_worker *worker, struct sw_bytes pod,
                              struct sw_bytes digest, struct sw_err *err)
{
    struct look *look = ctx;
    const struct sim_front *front = look->forks->front;
    const struct sw_bytes code = sim_front_code(front, digest);
    uint32_t program = 0;
    enum sw_rc rc = SW_OK;

    (void)pod;
    if (code.size == 0)
        return sw_err_set(err, SW_E_NOT_FOUND, "a module that nobody needs any more");
    while (front->codes[program].data != code.data)
        program++;
    if (look->modules[program] == NULL)
        rc = sw_guest_wasm_open(front->host->options.wasm, SW_ABI_COMPACT, code,
                                &look->modules[program], err);
    if (rc == SW_OK)
        sw_worker_put(worker,
                      sw_item_program_new(digest, look->engine.module_ref(look->engine.ctx,
                                                                          look->modules[program])));
    return rc;
}

/* As it was before one of its turns, or is now, as the FORK record of another one. */
static enum sw_rc make_record(struct look *look, struct sw_bytes key, struct sw_buffer *out,
                              char ret_digest[80], struct sw_err *err)
{
    struct sim_random *random = &look->forks->random;
    const struct sim_request request = {.op = SIM_OP_PUT};
    const struct sw_past_input input = {.has_body = true, .body = {&request, sizeof request}};
    struct sw_past_view view;
    struct sw_past_state state;
    uint64_t number;
    enum sw_rc rc;

    sw_past_view(look->past, &view);
    if (view.last < view.replayable || view.last == 0)
        return SW_E_RANGE;
    number = 1 + sim_random_between(random, view.replayable, view.last);
    rc = sw_past_go(look->past, number - 1, err);
    if (rc == SW_OK)
        rc = sw_past_fork(look->past, number, &input, key, out, err);
    if (rc == SW_OK)
        rc = sw_past_state(look->past, &state, err);
    if (rc == SW_OK)
        snprintf(ret_digest, 80, "%.*s", (int)state.module.size, (const char *)state.module.data);
    return rc;
}

static enum sw_rc look_at(struct sim_forks *forks, struct sw_bytes key, struct sw_buffer *out,
                          char ret_digest[80], struct sw_err *err)
{
    const struct sim_front *front = forks->front;
    const struct sim_pod *pod = &front->pods[SIM_POD_BRANCH];
    const struct sw_system *system = &front->host->options.disk->system;
    struct sw_journal_options journal = {
        .system = system, .folder = SIM_HOST_FOLDER, .is_read_only = true};
    struct look look = {.forks = forks};
    struct sw_worker_options worker = {.shared = &look.shared, .count = 1};
    struct sw_past_options options = {.journal = &journal,
                                      .shared = &look.shared,
                                      .name_space = {"default", 7},
                                      .agent = {pod->agent, strlen(pod->agent)},
                                      .agent_uid = {pod->agent_uid, strlen(pod->agent_uid)},
                                      .key = {"0", 1},
                                      .bytes_max = RECORDS_BYTES_MAX,
                                      .ctx = &look,
                                      .program = get_program};
    enum sw_rc rc;

    if (sw_shared_init(&look.shared, system, SW_ABI_FINGERPRINT) != SW_OK ||
        sw_wasm_worker_new(front->host->options.wasm, &look.wasm, err) != SW_OK)
        abort();
    look.engine = worker.engine = sw_guest_wasm_worker(look.wasm);
    if (sw_worker_new(&worker, &look.worker, err) != SW_OK)
        abort();
    options.worker = look.worker;
    rc = sw_past_open(&options, &look.past, err);
    if (rc == SW_OK)
        rc = make_record(&look, key, out, ret_digest, err);
    if (look.past != NULL)
        sw_past_close(look.past);
    sw_worker_free(look.worker);
    for (uint32_t i = 0; i < SIM_PROGRAMS; i++)
        if (look.modules[i] != NULL)
            look.engine.module_unref(look.engine.ctx, look.modules[i]);
    sw_wasm_worker_free(look.wasm);
    if (look.shared.journal != NULL)
        sw_journal_close(look.shared.journal);
    sw_shared_done(&look.shared);
    return rc;
}

/* --- What is done ----------------------------------------------------------------------------- */

static void later(struct sim_forks *forks, uint64_t ns)
{
    sim_event_at(forks->front->loop, &forks->act,
                 forks->front->loop->now_ns + sim_random_around(&forks->random, ns));
}

/* An operation: it counts, tells a hub, and answers with the count. */
static void take_answer(struct sim_forks *forks, const struct sw_frame_reply *reply)
{
    struct sim_branch *branch = &forks->of[forks->at];
    struct sim_answer answer;

    if (reply->code != 0)
        return;
    if (reply->body.size != sizeof answer) {
        breach(forks, "an answer that is none", reply->body.size);
        return;
    }
    memcpy(&answer, reply->body.data, sizeof answer);
    if (answer.value <= branch->told)
        breach(forks, "it counts back", answer.value);
    branch->told = answer.value;
    branch->acked++;
}

/* What the code says of the branch, if it says anything. */
static void take_change(struct sim_forks *forks, uint32_t code)
{
    struct sim_branch *branch = &forks->of[forks->at];

    if (branch->state == SIM_BRANCH_ASKED && (code == 0 || code == EXISTS_CODE)) {
        branch->state = SIM_BRANCH_HELD;
        branch->is_sure = true;
        forks->made++;
    } else if (branch->state == SIM_BRANCH_RELEASED && (code == 0 || code == PRECONDITION_CODE)) {
        if (code != 0 && branch->tries == 1)
            breach(forks, "it was released before that was asked for", code);
        branch->is_sure = true;
        forks->released++;
    } else if (branch->state == SIM_BRANCH_DROPPED && (code == 0 || code == NOT_FOUND_CODE)) {
        branch->is_sure = true;
    }
}

static void answered(void *ctx, const struct sw_frame_reply *reply)
{
    struct sim_forks *forks = ctx;

    forks->request = 0;
    sim_trace(forks->front->trace, "forks: branch/%" PRIu32 " state %d answers %" PRIu32, forks->at,
              (int)forks->of[forks->at].state, reply->code);
    if (forks->of[forks->at].is_sure)
        take_answer(forks, reply);
    else
        take_change(forks, reply->code);
    later(forks, forks->is_ending ? SIM_S : GAP_NS / 4);
}

static void send(struct sim_forks *forks)
{
    struct sim_request request = {.op = SIM_OP_PUT, .id = ++forks->asked};
    char key[4];
    const struct sim_send message = {.agent = "branch",
                                     .key = key,
                                     .name = "",
                                     .body = {&request, sizeof request},
                                     .wants_reply = true,
                                     .answered = answered,
                                     .ctx = forks};

    snprintf(key, sizeof key, "%" PRIu32, forks->at % SIM_BRANCHES);
    forks->request = sim_front_send(forks->front, &message);
}

static void make(struct sim_forks *forks)
{
    struct sw_buffer record;
    struct sw_err err = {0};
    char key[4], digest[80];
    enum sw_rc rc;

    snprintf(key, sizeof key, "%" PRIu32, forks->at % SIM_BRANCHES);
    sw_buffer_init(&record, SW_JOURNAL_RECORD_MAX);
    rc = look_at(forks, (struct sw_bytes){key, 1}, &record, digest, &err);
    sim_trace(forks->front->trace, "forks: branch/%s %d %s", key, (int)rc, err.message);
    if (rc == SW_E_CORRUPT || rc == SW_E_INTERNAL)
        breach(forks, err.message, 0);
    if (rc == SW_OK) {
        const struct sw_frame_fork fork = {.agent = {"branch", 6},
                                           .key = {key, 1},
                                           .digest = {digest, strlen(digest)},
                                           .total = record.size,
                                           .bytes = {record.data, record.size}};

        forks->of[forks->at].state = SIM_BRANCH_ASKED;
        forks->of[forks->at].is_sure = false;
        forks->request = sim_front_fork(forks->front, &fork, answered, forks);
    }
    sw_buffer_done(&record);
}

static void change(struct sim_forks *forks, enum sim_branch_state state)
{
    char key[4];
    const struct sw_frame_fork_change wanted = {
        .agent = {"branch", 6},
        .key = {key, 1},
        .act = state == SIM_BRANCH_RELEASED ? SW_FRAME_FORK_RELEASE : SW_FRAME_FORK_DROP};

    snprintf(key, sizeof key, "%" PRIu32, forks->at % SIM_BRANCHES);
    forks->of[forks->at].is_sure = false;
    forks->of[forks->at].state = state;
    forks->of[forks->at].tries++;
    forks->request = sim_front_fork_change(forks->front, &wanted, answered, forks);
}

/* What is not known to be so is asked for again. */
static bool go_on(struct sim_forks *forks)
{
    struct sim_branch *branch = &forks->of[forks->at];

    if (branch->is_sure || branch->state == SIM_BRANCH_NONE)
        return false;
    if (branch->state != SIM_BRANCH_ASKED)
        change(forks, branch->state);
    else
        make(forks);
    if (forks->request == 0 && forks->is_ending) /* It cannot be made again by now. */
        change(forks, SIM_BRANCH_DROPPED);
    return true;
}

static void begin_something(struct sim_forks *forks)
{
    struct sim_branch *branch;

    forks->at = (uint32_t)sim_random_below(&forks->random, SIM_BRANCHES);
    branch = &forks->of[forks->at];
    if (go_on(forks))
        return;
    if (forks->at == 0 || branch->state == SIM_BRANCH_RELEASED ||
        (branch->state == SIM_BRANCH_HELD && sim_random_permille(&forks->random, 850)))
        send(forks);
    else if (branch->state == SIM_BRANCH_HELD)
        change(forks,
               sim_random_permille(&forks->random, 700) ? SIM_BRANCH_RELEASED : SIM_BRANCH_DROPPED);
    else if (branch->state == SIM_BRANCH_NONE)
        make(forks);
}

/* All that is not sure, one after the other. */
static void settle(struct sim_forks *forks)
{
    for (forks->at = 0; forks->at < SIM_BRANCHES; forks->at++)
        if (go_on(forks))
            return;
    forks->at = 0;
    forks->is_quiet = true;
}

static void act(void *ctx)
{
    struct sim_forks *forks = ctx;

    if (forks->request != 0)
        sim_front_forget(forks->front, forks->request);
    forks->request = 0;
    if (forks->front->is_ready && forks->is_ending)
        settle(forks);
    else if (forks->front->is_ready && forks->asked < OPS_MAX)
        begin_something(forks);
    if (!forks->is_quiet)
        later(forks, forks->request != 0 ? LATE_NS : forks->is_ending ? SIM_S : GAP_NS);
}

/* --- All of it -------------------------------------------------------------------------------- */

void sim_forks_init(struct sim_forks *forks, struct sim_front *front, uint64_t seed)
{
    memset(forks, 0, sizeof *forks);
    forks->front = front;
    forks->random.state = seed;
    forks->is_quiet = true;
    forks->of[0].state = SIM_BRANCH_RELEASED; /* The origin. */
    forks->of[0].is_sure = true;
    sim_event_init(&forks->act, act, forks);
}

void sim_forks_begin(struct sim_forks *forks)
{
    forks->is_quiet = false;
    later(forks, GAP_NS);
}

void sim_forks_end(struct sim_forks *forks)
{
    if (!forks->is_quiet)
        forks->is_ending = true;
}

struct heard { /* Of one branch, by the hubs. */
    uint8_t times[NUMBERS_MAX];
    uint64_t first, last, count;
};

static void hear(const struct sim_lives *lives, uint32_t branch, struct heard *heard)
{
    for (uint32_t hub = SIM_HUB_FIRST; hub < SIM_MIRROR_FIRST; hub++) {
        const struct sim_life *life = &lives->of[hub];

        for (uint64_t i = 0; i < life->position; i++) {
            const struct sim_entry *entry = &life->entries[i];

            if (entry->kind != SIM_ENTRY_BRANCHED || entry->peer != branch)
                continue;
            heard->times[entry->number % NUMBERS_MAX]++;
            heard->count++;
            if (heard->first == 0 || entry->number < heard->first)
                heard->first = entry->number;
            if (entry->number > heard->last)
                heard->last = entry->number;
        }
    }
}

static void check_branch(struct sim_forks *forks, const struct sim_lives *lives)
{
    const struct sim_branch *branch = &forks->of[forks->at];
    struct heard heard = {.first = 0};

    hear(lives, forks->at, &heard);
    if (branch->state != SIM_BRANCH_RELEASED && heard.count > 0)
        breach(forks, "it was held, and yet a hub heard of it", heard.first);
    if (branch->state != SIM_BRANCH_RELEASED)
        return;
    for (uint64_t number = heard.first; number <= heard.last && heard.count > 0; number++)
        if (heard.times[number % NUMBERS_MAX] != 1)
            breach(forks,
                   heard.times[number % NUMBERS_MAX] == 0 ? "a hub never heard of number"
                                                          : "a hub heard twice of number",
                   number);
    if (heard.last < branch->told || heard.count < branch->acked)
        breach(forks, "a hub has not heard of its last numbers", branch->told);
    if (forks->at == 0 && heard.count > 0 && heard.first != 1)
        breach(forks, "a hub has not heard of its first numbers", heard.first);
}

const char *sim_forks_check(struct sim_forks *forks, const struct sim_lives *lives)
{
    for (forks->at = 0; forks->at < SIM_BRANCHES; forks->at++)
        check_branch(forks, lives);
    sim_trace(forks->front->trace, "forks: %" PRIu32 " made, %" PRIu32 " released", forks->made,
              forks->released);
    return forks->breach;
}
