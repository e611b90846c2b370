#include "pkg/agent/runtime/actor/worker.h"

#include "pkg/agent/runtime/actor/capture.h"
#include "pkg/agent/runtime/actor/fetch.h"
#include "pkg/agent/runtime/actor/hibernate.h"
#include "pkg/agent/runtime/actor/retry.h"
#include "pkg/agent/runtime/actor/segment.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define FRAME_BYTES_MAX (6u << 20)
#define IMAGE_BYTES_MAX ((size_t)5 << 30)
/* What a call of sw_worker_run takes, and a segment: who comes meanwhile, and who is to hear, waits
 * so long at most, and long segments of one Agent do not hold up the others. */
#define ROUND_NS 1000000u
/* Where one Agent alone has anything to do, the clock is looked at once in so many segments, as
 * long as they are short: who is charged is known without, and whoever comes meanwhile waits for
 * them. */
#define UNCLOCKED_MAX 7u
#define HAND_ONS_MAX 15u
#define UNCLOCKED_NS 5000u
#define FETCH_AHEAD 4u /* With fewer ready the same ones would come again. */

static void init_buffers(struct sw_worker *worker)
{
    sw_turn_init(&worker->turn);
    sw_buffer_init(&worker->record, SW_JOURNAL_RECORD_MAX);
    sw_buffer_init(&worker->packed, SW_EFFECTS_BYTES_MAX);
    sw_buffer_init(&worker->replay, SW_JOURNAL_RECORD_MAX);
    sw_buffer_init(&worker->body, SW_JOURNAL_RECORD_MAX);
    sw_bodies_init(&worker->bodies);
    sw_buffer_init(&worker->frame, FRAME_BYTES_MAX);
    sw_buffer_init(&worker->targets, SW_TARGETS_BYTES_MAX);
    sw_buffer_init(&worker->image, IMAGE_BYTES_MAX);
    sw_buffer_init(&worker->block, IMAGE_BYTES_MAX);
    sw_buffer_init(&worker->rest.block, IMAGE_BYTES_MAX);
}

/* The quota of its namespace has an Agent wait. */
static void on_held(void *ctx, enum sw_ready_kind kind, struct sw_ready_link *link)
{
    const struct sw_instance *instance = kind == SW_READY_GOING
                                             ? sw_overtake_instance(link)
                                             : SW_LIST_ITEM(link, struct sw_instance, ready);

    const struct sw_worker *worker = ctx;
    const struct sw_quota *quota = sw_pod_quota(instance->pod);

    if (quota == NULL || sw_quota_cpu_free_ns(quota) > worker->ready.now_ns)
        sw_throttle_note(ctx, instance->pod, SW_FRAME_LIMIT_QUOTA_CPU);
    else /* It waits for room on the disk. */
        sw_throttle_note(ctx, instance->pod, SW_FRAME_LIMIT_QUOTA_STORAGE);
}

enum sw_rc sw_worker_new(const struct sw_worker_options *options, struct sw_worker **ret_worker,
                         struct sw_err *err)
{
    SW_CLEANUP(sw_worker_freep) struct sw_worker *worker = calloc(1, sizeof *worker);
    const struct sw_system *system = options->shared->system;
    uint64_t seed;

    assert(options->index < options->count && options->count <= SW_WORKERS_MAX);
    if (worker == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for a worker");
    system->random(system->ctx, &seed, sizeof seed);
    worker->options = *options;
    worker->shared = options->shared;
    worker->engine = options->engine;
    worker->turn_host = (struct sw_turn_host){worker, sw_dispatch_admit, sw_dispatch_take};
    worker->turn_watch = (struct sw_turn_watch){worker, sw_overtake_tick};
    init_buffers(worker);
    sw_heap_init(&worker->timers);
    sw_heap_init(&worker->rest.due);
    sw_heap_init(&worker->rest.oldest);
    worker->spares.depot = &worker->shared->depot;
    if (sw_ready_init(&worker->ready, seed) != SW_OK)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for a worker");
    worker->ready.on_held = on_held;
    worker->ready.held_ctx = worker;
    sw_list_init(&worker->dirty);
    sw_list_init(&worker->metered);
    sw_list_init(&worker->captured);
    sw_list_init(&worker->uncaptured);
    sw_list_init(&worker->uncaptured_pods);
    sw_list_init(&worker->rest.asleep);
    sw_list_init(&worker->rest.uncaptured);
    worker->routes = sw_routes_new(seed);
    worker->ways = sw_ways_new();
    worker->found = calloc((size_t)1 << SW_FOUND_BITS, sizeof *worker->found);
    worker->removals = 1;
    worker->pods = sw_map_new(seed);
    worker->programs = sw_map_new(seed);
    worker->instances = sw_idmap_new(seed, 8); /* An id ends with its slot. */
    worker->rest.loadings = sw_idmap_new(seed, 0);
    worker->sent = calloc(options->count, sizeof *worker->sent);
    if (worker->routes == NULL || worker->ways == NULL || worker->found == NULL ||
        worker->pods == NULL || worker->programs == NULL || worker->instances == NULL ||
        worker->rest.loadings == NULL || worker->sent == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for a worker");
    *ret_worker = SW_TAKE(worker);
    return SW_OK;
}

static void free_queue(struct sw_worker *worker, struct sw_item **queue)
{
    struct sw_item *item;

    while ((item = sw_item_get(queue)) != NULL)
        sw_item_free(item, &worker->engine);
}

static void free_instances(struct sw_worker *worker)
{
    size_t cursor = 0;
    void *value;

    while (worker->instances != NULL && sw_idmap_next(worker->instances, &cursor, NULL, &value)) {
        struct sw_instance *instance = value;
        struct sw_item *held = sw_held_release(&instance->held, UINT64_MAX);

        sw_instance_sleep(worker, instance);
        sw_instance_set_image(worker, instance, NULL);
        free_queue(worker, &held);
        sw_message_free(instance->answer);
        sw_message_free(instance->handled);
        for (uint32_t p = 0; p < SW_PRIORITIES; p++)
            free_queue(worker, &instance->mailbox[p]);
        sw_actor_done(&instance->actor);
        sw_instance_free(worker, instance);
    }
    sw_idmap_free(worker->instances);
}

void sw_worker_free(struct sw_worker *worker)
{
    struct sw_map_entry entry;
    struct sw_output *output;
    size_t cursor = 0;

    if (worker == NULL)
        return;
    sw_capture_end_sleeper(worker);
    free_instances(worker);
    while (worker->pods != NULL && sw_map_next(worker->pods, &cursor, &entry)) {
        ((struct sw_pod *)entry.value)->share = NULL; /* They all go below. */
        sw_pod_free(worker, entry.value);
    }
    sw_map_free(worker->pods);
    sw_programs_done(worker);
    sw_idmap_free(worker->rest.loadings);
    free_queue(worker, &worker->rest.reads);
    free_queue(worker, &worker->inbox);
    for (uint32_t i = 0; worker->sent != NULL && i < worker->options.count; i++)
        free_queue(worker, &worker->sent[i]);
    free(worker->sent);
    while ((output = sw_worker_output(worker)) != NULL)
        free(output);
    sw_ready_done(&worker->ready);
    sw_routes_free(worker->routes);
    sw_ways_free(worker->ways);
    free(worker->found);
    sw_heap_done(&worker->timers);
    sw_heap_done(&worker->rest.due);
    sw_heap_done(&worker->rest.oldest);
    sw_trials_done(&worker->rest.trials);
    sw_turn_done(&worker->turn);
    sw_passing_done(&worker->passing);
    sw_spares_done(&worker->spares);
    sw_buffer_done(&worker->record);
    sw_buffer_done(&worker->packed);
    sw_buffer_done(&worker->replay);
    sw_buffer_done(&worker->body);
    sw_bodies_done(&worker->bodies);
    sw_buffer_done(&worker->frame);
    sw_buffer_done(&worker->targets);
    sw_buffer_done(&worker->image);
    sw_buffer_done(&worker->block);
    sw_buffer_done(&worker->rest.block);
    free(worker);
}

void sw_worker_fail(struct sw_worker *worker, enum sw_rc rc, const char *words)
{
    if (worker->failure.rc == SW_OK)
        sw_err_set(&worker->failure, rc, "%s", words);
}

enum sw_rc sw_worker_failure(const struct sw_worker *worker, struct sw_err *err)
{
    if (worker->failure.rc != SW_OK && err != NULL)
        *err = worker->failure;
    return worker->failure.rc;
}

void sw_worker_put(struct sw_worker *worker, struct sw_item *item)
{
    sw_item_put(&worker->inbox, item);
}

/* Returns how long ago it was looked at last. */
static uint64_t look_at_monotonic_clock(struct sw_worker *worker)
{
    const struct sw_system *system = worker->shared->system;
    uint64_t monotonic = system->monotonic_ns(system->ctx);
    uint64_t passed_ns = worker->monotonic_ns == 0 ? 0 : monotonic - worker->monotonic_ns;

    worker->monotonic_ns = worker->timed_ns = worker->ready.now_ns = monotonic;
    worker->now_ns += passed_ns;
    return passed_ns;
}

/* The clock of records never goes back: when the machine's is set back, it goes on from where it
 * was at the pace of the monotonic clock, so that timers need not wait until the day is made up
 * for. */
void sw_worker_look_at_clock(struct sw_worker *worker)
{
    const struct sw_system *system = worker->shared->system;
    uint64_t now;

    (void)look_at_monotonic_clock(worker);
    now = system->utc_ns(system->ctx);
    if (now > worker->now_ns)
        worker->now_ns = now;
}

void sw_worker_charge(struct sw_worker *worker)
{
    uint64_t timed_ns = worker->timed_ns, passed_ns = look_at_monotonic_clock(worker);
    uint64_t costs_ns = (uint64_t)worker->unclocked * SW_READY_COST_NS;

    worker->unclocked_max = passed_ns / (worker->unclocked + 1) < UNCLOCKED_NS ? UNCLOCKED_MAX : 0;
    worker->unclocked = 0;
    sw_share_add_used(worker->ready.picked, worker->monotonic_ns - timed_ns + worker->slices_ns);
    worker->slices_ns = 0;
    sw_share_use_cpu(worker->ready.picked, passed_ns, worker->monotonic_ns);
    sw_ready_charge(&worker->ready, passed_ns + costs_ns);
}

uint32_t sw_worker_take_time(struct sw_worker *worker, const struct sw_instance *instance)
{
    const struct sw_system *system = worker->shared->system;
    struct sw_share *share = instance->pod->share;
    uint64_t now_ns = system->monotonic_ns(system->ctx);
    uint64_t used_ns = now_ns - worker->timed_ns + worker->slices_ns + sw_share_take_used(share);
    uint32_t taken_ns = used_ns > UINT32_MAX ? UINT32_MAX : (uint32_t)used_ns;

    worker->timed_ns = now_ns;
    worker->slices_ns = 0;
    sw_share_add_used(share, used_ns - taken_ns);
    return taken_ns;
}

/* After a segment: charge it now, or with those that follow. */
static void charge_soon(struct sw_worker *worker)
{
    if (worker->unclocked < worker->unclocked_max && sw_ready_is_alone(&worker->ready))
        worker->unclocked++;
    else
        sw_worker_charge(worker);
}

static void fetch_part(const struct sw_worker *worker, const struct sw_instance *instance,
                       enum sw_guest_part part)
{
    if (worker->engine.fetch != NULL && instance->guest != NULL)
        worker->engine.fetch(worker->engine.ctx, instance->guest, part);
}

/* Where many instances are ready, none of them is in the processor's caches: have those that run
 * soon come there while others run, the fourth first, and of each a part only, since all of it at
 * once waits for itself. Each part is where the one before had said. A byte of each page comes
 * first: several walks through the page tables at once take as long as one. */
static void fetch_next(const struct sw_worker *worker, struct sw_ready_link *link,
                       uint32_t priority)
{
    const struct sw_instance *ahead[FETCH_AHEAD];

    if (worker->ready.orders[worker->ready.picked_kind].queued[priority] < FETCH_AHEAD ||
        !sw_worker_is_crowded(worker))
        return;
    for (uint32_t i = 0; i < FETCH_AHEAD; i++) {
        link = link->next[priority];
        ahead[i] = SW_LIST_ITEM(link, struct sw_instance, ready);
    }
    sw_fetch((const uint8_t *)ahead[3] + SW_INSTANCE_USED_AT, 1);
    sw_fetch(ahead[2]->guest, 1);
    fetch_part(worker, ahead[0], SW_GUEST_MESSAGE_PAGE);
    sw_instance_fetch_all(ahead[3]);
    if (ahead[2]->mailbox[priority] != NULL)
        sw_fetch(ahead[2]->mailbox[priority], sizeof(struct sw_item));
    fetch_part(worker, ahead[2], SW_GUEST_ITSELF);
    fetch_part(worker, ahead[1], SW_GUEST_CODE);
    fetch_part(worker, ahead[0], SW_GUEST_MESSAGES);
    if (ahead[0]->mailbox[priority] != NULL)
        sw_fetch(ahead[0]->mailbox[priority]->next, SW_MESSAGE_FETCH_BYTES);
}

/* Whether what runs now may hand on (ready.h): others of its Agent wait for HAND_ONS_MAX short
 * segments more, no longer. */
static void begin_hand_on(struct sw_worker *worker, const struct sw_ready_link *next)
{
    struct sw_hand_on *hand_on = &worker->hand_on;

    hand_on->count = next == hand_on->link ? hand_on->count + 1 : 0;
    hand_on->link = NULL;
    hand_on->is_open = hand_on->count < HAND_ONS_MAX && worker->unclocked_max > 0;
}

/* Whether the instance whose segment is over, and that has handed on to nobody, may run once more
 * as if it had handed on to itself: then it need not be queued and picked for that. */
static bool may_run_again(const struct sw_worker *worker, uint64_t asides)
{
    return worker->hand_on.is_open && worker->hand_on.count + 1 < HAND_ONS_MAX &&
           worker->unclocked < worker->unclocked_max && worker->ready.picked != NULL &&
           sw_ready_is_alone(&worker->ready) && asides == worker->passing.asides &&
           worker->passing.rest_ns == 0 && worker->failure.rc == SW_OK &&
           !atomic_load_explicit(&worker->shared->wants_still, memory_order_relaxed) &&
           sw_journal_has_room(worker->shared->journal);
}

/* Run what was picked, and again until *count, of the segments that ran, is segments_max; or have
 * it go on. False: the worker's loop is another strand's by now. */
static bool run_next(struct sw_worker *worker, struct sw_ready_link *next, uint32_t priority,
                     uint32_t segments_max, uint32_t *count)
{
    uint64_t asides = worker->passing.asides;
    struct sw_instance *instance;
    bool has_more;

    ++*count;
    if (worker->ready.picked_kind == SW_READY_GOING) {
        sw_overtake_go_on(worker, next);
        return !sw_overtake_is_replaced(worker);
    }
    instance = SW_LIST_ITEM(next, struct sw_instance, ready);
    if (instance->passed != NULL) /* When its segment ends it is looked at again. */
        return true;
    if (next != worker->hand_on.link) /* Else what is behind it was fetched before. */
        fetch_next(worker, next, priority);
    begin_hand_on(worker, next);
    while ((has_more = sw_segment_run(worker, instance, priority)) && *count < segments_max &&
           may_run_again(worker, asides)) {
        worker->hand_on.count++;
        worker->unclocked++;
        ++*count;
    }
    if (has_more)
        sw_instance_wake_up(worker, instance, priority);
    worker->hand_on.is_open = false;
    return asides == worker->passing.asides || !sw_overtake_is_replaced(worker);
}

bool sw_worker_finish(struct sw_worker *worker)
{
    struct sw_ready_link *next = sw_ready_next_going(&worker->ready);

    sw_overtake_give_up_replays(worker);
    if (next != NULL)
        sw_overtake_go_on(worker, next);
    return next != NULL;
}

/* A full disk has it wait. */
static bool is_meter_due(const struct sw_worker *worker)
{
    return !sw_list_is_empty(&worker->metered) && worker->meter_ns <= worker->now_ns &&
           sw_journal_has_room(worker->shared->journal);
}

void sw_worker_settle(struct sw_worker *worker)
{
    if (!sw_journal_is_full(worker->shared->journal) && worker->failure.rc == SW_OK)
        sw_meter_settle(worker);
}

uint32_t sw_worker_run(struct sw_worker *worker, uint32_t segments_max)
{
    uint32_t count = 0;
    uint64_t begun_ns;

    sw_worker_look_at_clock(worker);
    sw_deliver_inbox(worker);
    sw_worker_fire(worker);
    (void)look_at_monotonic_clock(worker); /* Nobody is charged for what came in. */
    begun_ns = worker->monotonic_ns;
    while (count < segments_max && worker->monotonic_ns - begun_ns < ROUND_NS &&
           worker->failure.rc == SW_OK &&
           !atomic_load_explicit(&worker->shared->wants_still, memory_order_relaxed) &&
           sw_journal_has_room(worker->shared->journal)) {
        uint32_t priority;
        struct sw_ready_link *next;

        if (worker->passing.rest_ns != 0)
            sw_overtake_settle(worker);
        next = sw_ready_next(&worker->ready, &priority);
        if (worker->ready.is_broken)
            sw_worker_fail(worker, SW_E_EXHAUSTED, "no memory for a namespace that is ready");
        if (next == NULL)
            break;
        if (!run_next(worker, next, priority, segments_max, &count))
            return count;
        if (worker->rest.made != worker->rest.room_made)
            sw_hibernate_make_room(worker);
        charge_soon(worker);
    }
    if (worker->unclocked > 0)
        sw_worker_charge(worker);
    if (worker->failure.rc == SW_OK)
        sw_output_statuses(worker);
    if (segments_max > 0 && worker->failure.rc == SW_OK && is_meter_due(worker))
        sw_meter_settle(worker);
    if (sw_ready_is_empty(&worker->ready))
        sw_worker_settle_bytes(worker);
    if (worker->rest.walked > 0)
        sw_hibernate_step(worker);
    if (segments_max > 0)
        sw_hibernate_sweep(worker);
    if (segments_max > 0)
        (void)sw_capture_sweep(worker, worker->shared->snapshots->sweep_bytes);
    return count;
}

bool sw_worker_has_work(const struct sw_worker *worker)
{
    if (worker->inbox != NULL || sw_capture_is_wanted(worker))
        return true;
    return !sw_ready_is_empty(&worker->ready);
}

static uint64_t least(uint64_t one, uint64_t other)
{
    return one < other ? one : other;
}

uint64_t sw_worker_wait_ns(struct sw_worker *worker)
{
    const struct sw_heap_entry *first = sw_heap_first(&worker->timers);
    uint64_t due = first == NULL ? UINT64_MAX : first->rank;
    uint64_t rest_ns = sw_hibernate_wait_ns(worker), held_ns = UINT64_MAX;
    bool has_room = sw_journal_has_room(worker->shared->journal);

    if (has_room) /* Nobody runs otherwise, whoever's rest is over. */
        held_ns = sw_ready_rest_ns(&worker->ready);
    SW_LIST_EACH(&worker->dirty, node)
    {
        const struct sw_pod *pod = SW_LIST_ITEM(node, struct sw_pod, dirty);
        if (pod->status_ns + SW_STATUS_INTERVAL_NS < due)
            due = pod->status_ns + SW_STATUS_INTERVAL_NS;
    }
    if (!sw_list_is_empty(&worker->metered) && worker->meter_ns < due && has_room)
        due = worker->meter_ns;
    if (due == UINT64_MAX && worker->passing.rest_ns == 0 && held_ns == UINT64_MAX)
        return rest_ns;
    sw_worker_look_at_clock(worker);
    sw_overtake_settle(worker);
    if (due != UINT64_MAX)
        due = due > worker->now_ns ? due - worker->now_ns : 0;
    if (worker->passing.rest_ns != 0 && worker->passing.rest_ns - worker->monotonic_ns < due)
        due = worker->passing.rest_ns - worker->monotonic_ns;
    if (held_ns != UINT64_MAX)
        due = least(due, held_ns > worker->monotonic_ns ? held_ns - worker->monotonic_ns : 0);
    return least(rest_ns, due);
}

struct sw_item_read *sw_worker_read(struct sw_worker *worker)
{
    return (struct sw_item_read *)(void *)sw_item_get(&worker->rest.reads);
}

struct sw_item *sw_worker_sent(struct sw_worker *worker, uint32_t target)
{
    return sw_item_get(&worker->sent[target]);
}

void sw_worker_view(const struct sw_worker *worker, struct sw_worker_view *ret_view)
{
    *ret_view = worker->counts;
    ret_view->pods = sw_map_count(worker->pods);
    ret_view->instances = sw_idmap_count(worker->instances);
    ret_view->asleep = worker->rest.count;
    ret_view->instances += ret_view->asleep;
    ret_view->memory_bytes = worker->engine.total_bytes(worker->engine.ctx);
    ret_view->packed_bytes = worker->packed_bytes;
}

uint64_t sw_worker_hibernated(const struct sw_worker *worker)
{
    return worker->counts.hibernated;
}
