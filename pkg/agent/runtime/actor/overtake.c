#include "pkg/agent/runtime/actor/overtake.h"

#include "include/swarm/agent.h"
#include "pkg/agent/runtime/actor/state.h"

#include <semaphore.h>
#include <string.h>

#define SEGMENTS_PER_ROUND 64u

/* --- Setting aside, and taking up again ------------------------------------------------------- */

struct aside { /* What a segment on its way has in its worker, or those that run meanwhile. */
    struct sw_turn turn;
    struct sw_buffer targets;
    struct sw_instance *running;
    const struct sw_origin *origin;
    struct sw_ask answered;
    uint64_t fanout;
    bool has_ask;
};

static void exchange(struct sw_worker *worker, struct aside *aside)
{
    struct aside own = {.turn = worker->turn,
                        .targets = worker->targets,
                        .running = worker->running,
                        .origin = worker->running_origin,
                        .answered = worker->answered,
                        .fanout = worker->fanout,
                        .has_ask = worker->has_ask};

    worker->turn = aside->turn;
    worker->targets = aside->targets;
    worker->running = aside->running;
    worker->running_origin = aside->origin;
    worker->answered = aside->answered;
    worker->fanout = aside->fanout;
    worker->has_ask = aside->has_ask;
    *aside = own;
}

struct held { /* The segment, as the one that is passed. */
    struct aside aside;
    struct sw_share *share;
    uint32_t priority;
};

/* From here on others may run. False: no memory, and nothing has changed. */
static bool set_aside(struct sw_worker *worker, struct held *held)
{
    struct sw_passing *passing = &worker->passing;
    struct sw_passed *spare = &passing->spares[passing->depth];
    struct sw_instance *instance = worker->running;

    *held = (struct held){.aside = {.turn = spare->turn, .targets = spare->targets},
                          .share = worker->ready.picked,
                          .priority = worker->ready.picked_priority};
    sw_worker_charge(worker);
    if (sw_ready_hold_slow(&worker->ready, true) != SW_OK)
        return false;
    exchange(worker, &held->aside);
    passing->depth++;
    passing->is_passable = false;
    if (instance->is_passed)
        return true;
    instance->is_passed = true;
    instance->pod->passed++;
    if (passing->passed++ == 0)
        atomic_fetch_add(&worker->shared->passing, 1);
    return true;
}

static void take_up(struct sw_worker *worker, struct held *held)
{
    struct sw_passing *passing = &worker->passing;
    struct sw_passed *spare = &passing->spares[--passing->depth];

    exchange(worker, &held->aside);
    spare->turn = held->aside.turn;
    spare->targets = held->aside.targets;
    passing->is_passable = true;
    sw_worker_look_at_clock(worker); /* What ran meanwhile was charged. */
    sw_ready_pick_again(&worker->ready, held->share, held->priority);
}

/* Run some of the others. False: there is nothing for now. */
static bool run_others(struct sw_worker *worker)
{
    const struct sw_worker_options *options = &worker->options;

    return options->passing->carry(options->passing_ctx) && worker->failure.rc == SW_OK &&
           !atomic_load_explicit(&worker->shared->wants_still, memory_order_relaxed) &&
           sw_worker_run(worker, SEGMENTS_PER_ROUND) > 0;
}

/* --- Passed on its own thread ----------------------------------------------------------------- */

void sw_overtake_tick(void *ctx, uint64_t used_ns)
{
    struct sw_worker *worker = ctx;
    struct sw_passing *passing = &worker->passing;
    struct sw_share *share = worker->ready.picked;
    uint64_t since_ns = worker->monotonic_ns, budget_ns;
    struct held held;

    if (worker->options.passing == NULL || !passing->is_passable || share == NULL ||
        passing->depth == SW_PASS_DEPTH_MAX)
        return;
    if (used_ns >= SW_PASS_QUANTUM_NS)
        sw_share_set_slow(share);
    if (!sw_share_is_slow(share) || !set_aside(worker, &held))
        return;
    budget_ns = (worker->monotonic_ns - since_ns) * SW_PASS_SHARE;
    if (budget_ns > SW_PASS_NS_MAX)
        budget_ns = SW_PASS_NS_MAX;
    since_ns = worker->monotonic_ns;
    while (worker->monotonic_ns - since_ns < budget_ns && run_others(worker))
        continue;
    take_up(worker, &held);
}

/* --- Lent to another thread ------------------------------------------------------------------- */

enum loan_state {
    RUNS, /* The helper has the guest, its turn, and `effect` and what follows. */
    ASKS, /* The worker has them, and posts `told`. */
    ENDED /* The worker has all of it. */
};

struct loan { /* A guest that another thread runs. */
    struct sw_worker *worker;
    struct sw_guest *guest;
    const struct sw_guest_input *input;
    struct held held;
    struct sw_turn_host host;
    _Atomic int state;
    sem_t told;
    const struct sw_effect *effect;
    struct sw_turn_route *route;
    int32_t code;
    uint64_t tick_ns, used_ns; /* The time, and the guest's processor time, at its last tick. */
    uint64_t cpu_ns;           /* All of it, when it has ended. */
    struct sw_guest_outcome outcome;
};

static void loan_tell(struct loan *loan, enum loan_state state)
{
    const struct sw_worker_options *options = &loan->worker->options;

    atomic_store(&loan->state, state); /* After ENDED the loan may be gone. */
    options->passing->notify(options->passing_ctx);
}

/* On the helper: what only the worker can say. */
static int32_t loan_admit(void *ctx, const struct sw_effect *effect,
                          struct sw_turn_route *ret_route)
{
    struct loan *loan = ctx;

    loan->effect = effect;
    loan->route = ret_route;
    loan_tell(loan, ASKS);
    while (sem_wait(&loan->told) != 0)
        continue;
    return loan->code;
}

/* On the helper. Where it had less of the processor than time went by, others wanted it, which
 * stand in no queue here. Its priority holds within a group of processes only, so it rests. */
static void loan_tick(void *ctx, uint64_t used_ns)
{
    struct loan *loan = ctx;
    const struct sw_worker_options *options = &loan->worker->options;
    const struct sw_system *system = loan->worker->shared->system;
    uint64_t now_ns = system->monotonic_ns(system->ctx), slice_ns = now_ns - loan->tick_ns;
    uint64_t rest_ns = slice_ns * SW_PASS_SHARE;

    if (loan->tick_ns != 0 && used_ns - loan->used_ns < slice_ns - slice_ns / 4)
        options->passing->rest(options->passing_ctx,
                               rest_ns < SW_PASS_NS_MAX ? rest_ns : SW_PASS_NS_MAX);
    loan->tick_ns = system->monotonic_ns(system->ctx);
    loan->used_ns = used_ns;
}

/* On the helper. */
static void loan_work(void *ctx)
{
    struct loan *loan = ctx;
    const struct sw_guest_engine *engine = &loan->worker->engine;
    const struct sw_worker_options *options = &loan->worker->options;
    uint64_t begun_ns = options->passing->cpu_ns(options->passing_ctx);

    engine->enter(engine->ctx, loan->guest, loan->input, &loan->outcome);
    loan->cpu_ns = options->passing->cpu_ns(options->passing_ctx) - begun_ns;
    loan_tell(loan, ENDED);
}

/* On the worker again, as if its own segment had called. */
static void loan_answer(struct loan *loan)
{
    struct sw_worker *worker = loan->worker;

    exchange(worker, &loan->held.aside);
    loan->code = sw_dispatch_admit(worker, loan->effect, loan->route);
    exchange(worker, &loan->held.aside);
    atomic_store(&loan->state, RUNS);
    (void)sem_post(&loan->told);
}

static bool loan_begin(struct loan *loan)
{
    struct sw_worker *worker = loan->worker;
    const struct sw_worker_options *options = &worker->options;
    struct sw_turn *turn = &loan->held.aside.turn;

    if (!set_aside(worker, &loan->held))
        return false;
    turn->host = &loan->host;
    worker->engine.bind(worker->engine.ctx, loan->guest, turn, true);
    if (options->passing->lend(options->passing_ctx, loan_work, loan))
        return true;
    worker->engine.bind(worker->engine.ctx, loan->guest, &worker->turn, false);
    turn->host = &worker->turn_host;
    take_up(worker, &loan->held);
    return false;
}

static void loan_end(struct loan *loan)
{
    struct sw_worker *worker = loan->worker;
    struct sw_guest_outcome *outcome = &worker->outcome;

    worker->engine.bind(worker->engine.ctx, loan->guest, &worker->turn, false);
    loan->held.aside.turn.host = &worker->turn_host;
    take_up(worker, &loan->held);
    sw_ready_charge(&worker->ready, loan->cpu_ns);
    sw_ready_pick_again(&worker->ready, loan->held.share, loan->held.priority);
    if (loan->cpu_ns >= SW_PASS_QUANTUM_NS)
        sw_share_set_slow(loan->held.share);
    else
        sw_share_note_quick(loan->held.share);
    outcome->end = loan->outcome.end;
    outcome->code = loan->outcome.code;
    memcpy(outcome->report, loan->outcome.report, strlen(loan->outcome.report) + 1);
}

static bool lend(struct sw_worker *worker, struct sw_guest *guest,
                 const struct sw_guest_input *input)
{
    const struct sw_worker_options *options = &worker->options;
    struct loan loan = {.worker = worker, .guest = guest, .input = input, .state = RUNS};
    int state;

    loan.host = (struct sw_turn_host){&loan, loan_admit, loan_tick};
    if (sem_init(&loan.told, 0, 0) != 0)
        return false;
    if (!loan_begin(&loan)) {
        (void)sem_destroy(&loan.told);
        return false;
    }
    while ((state = atomic_load(&loan.state)) != ENDED) {
        if (state == ASKS)
            loan_answer(&loan);
        else if (!run_others(worker))
            options->passing->wait(options->passing_ctx);
    }
    loan_end(&loan);
    (void)sem_destroy(&loan.told);
    return true;
}

bool sw_overtake_lends(const struct sw_worker *worker)
{
    const struct sw_passing *passing = &worker->passing;

    return worker->options.passing != NULL && worker->options.passing->lend != NULL &&
           worker->engine.bind != NULL && passing->is_passable && passing->passed == 0 &&
           worker->ready.picked != NULL && sw_share_is_slow(worker->ready.picked);
}

void sw_overtake_enter(struct sw_worker *worker, struct sw_instance *instance,
                       const struct sw_guest_input *input)
{
    if (!sw_overtake_lends(worker) || !lend(worker, instance->guest, input))
        worker->engine.enter(worker->engine.ctx, instance->guest, input, &worker->outcome);
}

/* --- The segment ------------------------------------------------------------------------------ */

bool sw_overtake_begin(struct sw_worker *worker)
{
    bool was_passable = worker->passing.is_passable;

    worker->passing.is_passable = true;
    return was_passable;
}

void sw_overtake_settle(struct sw_worker *worker)
{
    bool holds = worker->passing.passed > 0 ||
                 atomic_load_explicit(&worker->shared->wants_calm, memory_order_relaxed) > 0;

    if (holds != worker->ready.holds_slow && sw_ready_hold_slow(&worker->ready, holds) != SW_OK)
        sw_worker_fail(worker, SW_E_EXHAUSTED, "no memory for a ready instance");
}

bool sw_overtake_may_settle(const struct sw_worker *worker)
{
    return worker->ready.held != NULL && worker->passing.passed == 0 &&
           atomic_load(&worker->shared->wants_calm) == 0;
}

/* Put a queue before another one. */
static void join(struct sw_item **first, struct sw_item **last)
{
    struct sw_item *item;

    if (*first != NULL && *last != NULL) {
        item = (*first)->next;
        (*first)->next = (*last)->next;
        (*last)->next = item;
    } else if (*first != NULL) {
        *last = *first;
    }
    *first = NULL;
}

/* What came for the instance meanwhile stands in its mailbox, but not in the ready queues where it
 * was picked too early. */
void sw_overtake_end(struct sw_worker *worker, struct sw_instance *instance, bool was_passable)
{
    struct sw_passing *passing = &worker->passing;

    passing->is_passable = was_passable;
    if (!instance->is_passed)
        return;
    instance->is_passed = false;
    instance->pod->passed--;
    join(&passing->items, &worker->inbox);
    if (--passing->passed == 0) {
        atomic_fetch_sub(&worker->shared->passing, 1);
        sw_overtake_settle(worker);
    }
    sw_instance_wake_up(worker, instance, SWARM_PRIORITY_NORMAL);
    for (uint32_t p = 0; p < SW_PRIORITIES; p++)
        if (instance->mailbox[p] != NULL)
            sw_instance_wake_up(worker, instance, p);
}

/* --- Items that have to wait ------------------------------------------------------------------ */

/* The Pod that an item tells of; 0: of none. */
static uint64_t pod_of(const struct sw_item *item)
{
    switch ((unsigned)item->kind) {
    case SW_ITEM_POD_CLOSE:
        return ((const struct sw_item_pod_close *)(const void *)item)->pod;
    case SW_ITEM_ROUTE:
        return ((const struct sw_item_route *)(const void *)item)->change.pod.pod;
    case SW_ITEM_POD_OPEN:
        return ((const struct sw_item_pod_open *)(const void *)item)->config.pod;
    default:
        return 0;
    }
}

static bool has_kept(const struct sw_passing *passing, uint64_t pod)
{
    const struct sw_item *item = passing->items;

    if (item == NULL)
        return false;
    do
        item = item->next;
    while (pod_of(item) != pod && item != passing->items);
    return pod_of(item) == pod;
}

/* Where a segment sent, and its own Pod, are there until it has ended. Items that come behind one
 * that is kept, and tell of the same Pod, stay behind it; what tells of others does not wait. */
static bool is_to_keep(const struct sw_worker *worker, const struct sw_item *item)
{
    uint64_t number = pod_of(item);
    const struct sw_pod *pod;

    if (number == 0)
        return false;
    if (item->kind == SW_ITEM_POD_CLOSE || has_kept(&worker->passing, number))
        return true;
    if (item->kind == SW_ITEM_ROUTE)
        return ((const struct sw_item_route *)(const void *)item)->change.is_gone;
    pod = sw_map_find(worker->pods, &number, sizeof number);
    return pod != NULL && pod->passed > 0;
}

bool sw_overtake_keeps(struct sw_worker *worker, struct sw_item *item)
{
    if (worker->passing.passed == 0 || !is_to_keep(worker, item))
        return false;
    sw_item_put(&worker->passing.items, item);
    return true;
}

/* --- Life ------------------------------------------------------------------------------------- */

void sw_passing_init(struct sw_passing *passing)
{
    for (uint32_t i = 0; i < SW_PASS_DEPTH_MAX; i++) {
        sw_turn_init(&passing->spares[i].turn);
        sw_buffer_init(&passing->spares[i].targets, SW_TARGETS_BYTES_MAX);
    }
}

void sw_passing_done(struct sw_passing *passing)
{
    for (uint32_t i = 0; i < SW_PASS_DEPTH_MAX; i++) {
        sw_turn_done(&passing->spares[i].turn);
        sw_buffer_done(&passing->spares[i].targets);
    }
}
