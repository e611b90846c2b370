#include "pkg/agent/runtime/actor/overtake.h"

#include "include/swarm/agent.h"
#include "pkg/agent/runtime/actor/capture.h"
#include "pkg/agent/runtime/actor/slots.h"
#include "pkg/agent/runtime/actor/state.h"
#include "pkg/utils/strands/strands.h"

#include <stdlib.h>
#include <string.h>

#define SPARES_MAX 8u

struct aside { /* What a segment on its way has in its worker, or those that run meanwhile. */
    struct sw_turn turn;
    struct sw_buffer targets, replay, body;
    struct sw_bodies bodies;
    struct sw_instance *running;
    const struct sw_origin *origin;
    const struct sw_message *message;
    struct sw_ask answered;
    uint64_t fanout;
    uint64_t storage_given;
    uint32_t reserved;
    bool has_ask;
    struct sw_guest_outcome outcome; /* That its guest is to fill. */
    struct sw_note note;
};

struct sw_passed {
    struct sw_ready_link link; /* Where it waits to go on. */
    struct sw_passed *next;    /* In passing->all, or spares. */
    struct sw_instance *instance;
    struct sw_share *share;
    struct sw_strand *strand;
    struct aside aside; /* Its own while it waits, otherwise what is to be reused. */
    uint32_t priority;
    enum sw_pass_kind kind;
    bool is_hurried;            /* It is to end now, */
    bool is_for_later;          /* and to be handled again. */
    uint64_t waiting_bytes;     /* Of what it is about to send, counted among what waits. */
    uint64_t slices_ns;         /* Of its Agent's usage, that is its. */
    uint64_t since_ns, used_ns; /* When it went on, and the processor time that it had by then. */
    uint64_t end_ns;            /* It is to end then; UINT64_MAX: by itself. */
    const char *end_words;
};

/* --- Setting aside, and taking up again ------------------------------------------------------- */

/* The note of what runs; NULL: none are kept. */
static struct sw_note *note_of(const struct sw_worker *worker)
{
    struct sw_notes *notes = worker->shared->suspects.notes;

    return notes == NULL ? NULL : &notes->running[worker->options.index];
}

static void exchange(struct sw_worker *worker, struct aside *aside)
{
    struct sw_note *note = note_of(worker);
    struct aside own = {.turn = worker->turn,
                        .targets = worker->targets,
                        .replay = worker->replay,
                        .body = worker->body,
                        .bodies = worker->bodies,
                        .running = worker->running,
                        .origin = worker->running_origin,
                        .message = worker->running_message,
                        .answered = worker->answered,
                        .fanout = worker->fanout,
                        .storage_given = worker->storage_given,
                        .reserved = worker->reserved,
                        .has_ask = worker->has_ask,
                        .outcome = worker->outcome};

    worker->turn = aside->turn;
    worker->targets = aside->targets;
    worker->replay = aside->replay;
    worker->body = aside->body;
    worker->bodies = aside->bodies;
    worker->running = aside->running;
    worker->running_origin = aside->origin;
    worker->running_message = aside->message;
    worker->answered = aside->answered;
    worker->fanout = aside->fanout;
    worker->storage_given = aside->storage_given;
    worker->reserved = aside->reserved;
    worker->has_ask = aside->has_ask;
    worker->outcome = aside->outcome;
    if (note != NULL) {
        own.note = *note;
        *note = aside->note;
    }
    *aside = own;
}

static void passed_free(struct sw_passed *passed)
{
    sw_turn_done(&passed->aside.turn);
    sw_buffer_done(&passed->aside.targets);
    sw_buffer_done(&passed->aside.replay);
    sw_buffer_done(&passed->aside.body);
    sw_bodies_done(&passed->aside.bodies);
    free(passed);
}

/* How many more may begin. */
static void settle_room(struct sw_worker *worker)
{
    uint32_t count = worker->passing.count;
    enum sw_ready_room room = count >= SW_PASS_MAX        ? SW_READY_FULL
                              : count >= SW_PASS_SLOW_MAX ? SW_READY_SCARCE
                                                          : SW_READY_ROOM;

    if (room != worker->ready.room && sw_ready_set_room(&worker->ready, room) != SW_OK)
        sw_worker_fail(worker, SW_E_EXHAUSTED, "no memory for a ready instance");
}

/* Why what runs cannot be set aside; NULL: it can. Each namespace has some places of its own. */
static const char *refuse(const struct sw_worker *worker)
{
    uint32_t going = sw_share_space_going(worker->running->pod->share);

    if (going >= SW_GOING_SPACE_MAX)
        return "its namespace has too many long segments on their way here already";
    if (worker->passing.count >= SW_PASS_MAX ||
        (worker->passing.count >= SW_PASS_SHARED_MAX && going >= SW_GOING_SPACE_MIN))
        return "too many long segments are on their way here already";
    return NULL;
}

/* The segment that runs, as one that is passed from here on. NULL: no memory. */
static struct sw_passed *passed_new(struct sw_worker *worker)
{
    struct sw_passing *passing = &worker->passing;
    struct sw_passed *passed = passing->spares;
    struct sw_instance *instance = worker->running;

    if (passed != NULL) {
        passing->spares = passed->next;
        passing->spares_count--;
    } else {
        passed = calloc(1, sizeof *passed);
        if (passed == NULL)
            return NULL;
        sw_turn_init(&passed->aside.turn);
        sw_buffer_init(&passed->aside.targets, SW_TARGETS_BYTES_MAX);
        sw_buffer_init(&passed->aside.replay, SW_JOURNAL_RECORD_MAX);
        sw_buffer_init(&passed->aside.body, SW_JOURNAL_RECORD_MAX);
        sw_bodies_init(&passed->aside.bodies);
    }
    passed->kind = passing->kind;
    passed->instance = instance;
    passed->share = instance->pod->share;
    passed->priority = worker->ready.picked_priority;
    passed->strand = sw_strands_self(worker->options.strands);
    passed->end_ns = UINT64_MAX;
    passed->used_ns = passed->since_ns = passed->waiting_bytes = passed->slices_ns = 0;
    passed->is_hurried = passed->is_for_later = false;
    passed->next = passing->all;
    passing->all = passed;
    passing->count++;
    sw_share_begin_going(passed->share);
    settle_room(worker);
    instance->passed = passed;
    instance->pod->passed++;
    return passed;
}

/* What it is about to send takes as much memory as if it had been sent. */
static void count_bytes(struct sw_worker *worker, struct sw_passed *passed, uint64_t bytes)
{
    sw_worker_count_bytes(worker, (int64_t)(bytes - passed->waiting_bytes));
    passed->waiting_bytes = bytes;
}

/* It has ended, or was not passed after all. */
static void passed_end(struct sw_worker *worker, struct sw_passed *passed)
{
    struct sw_passing *passing = &worker->passing;
    struct sw_passed **at = &passing->all;

    count_bytes(worker, passed, 0);
    worker->slices_ns += passed->slices_ns;
    while (*at != passed)
        at = &(*at)->next;
    *at = passed->next;
    passing->count--;
    passed->instance->passed = NULL;
    passed->instance->pod->passed--;
    if (sw_share_end_going(&worker->ready, passed->share) != SW_OK)
        sw_worker_fail(worker, SW_E_EXHAUSTED, "no memory for a ready instance");
    settle_room(worker);
    if (passing->spares_count == SPARES_MAX) {
        passed_free(passed);
        return;
    }
    passed->next = passing->spares;
    passing->spares = passed;
    passing->spares_count++;
}

/* Where it had less of the processor than time went by, others wanted it, which stand in no queue
 * here: they are to have theirs. */
static void rest_if_wanted(struct sw_worker *worker, const struct sw_passed *passed,
                           uint64_t used_ns)
{
    uint64_t slice_ns = worker->monotonic_ns - passed->since_ns;
    uint64_t rest_ns = slice_ns * SW_PASS_REST;

    if (passed->since_ns == 0 || used_ns - passed->used_ns >= slice_ns - slice_ns / 4)
        return;
    worker->passing.rest_ns =
        worker->monotonic_ns + (rest_ns < SW_PASS_REST_NS_MAX ? rest_ns : SW_PASS_REST_NS_MAX);
    worker->ready.rests = true;
}

static bool leave(struct sw_worker *worker, struct sw_strands *strands)
{
    worker->passing.asides++;
    return sw_strands_leave(strands);
}

/* Others run until it is picked again. False: they cannot. */
static bool set_aside(struct sw_worker *worker, struct sw_passed *passed)
{
    struct sw_strands *strands = worker->options.strands;
    enum sw_pass_kind kind = worker->passing.kind;
    bool has_left = true;

    if (sw_ready_add_going(&worker->ready, passed->share, &passed->link, passed->priority) != SW_OK)
        return false;
    exchange(worker, &passed->aside);
    worker->passing.is_passable = false;
    if (sw_strands_is_replaced(strands))
        sw_strands_yield(strands);
    else
        has_left = leave(worker, strands);
    exchange(worker, &passed->aside);
    worker->passing.is_passable = true;
    worker->passing.kind = kind;
    if (!has_left) /* Nothing has happened. */
        sw_ready_remove_going(&worker->ready, passed->share, &passed->link);
    return has_left;
}

/* Whether the segment that runs is to be set aside: it, or its Agent, has run for long. */
static bool is_slow(struct sw_worker *worker, uint64_t used_ns)
{
    struct sw_share *share = worker->running->pod->share;

    if (share == NULL)
        return false;
    if (used_ns >= SW_PASS_QUANTUM_NS && sw_share_set_slow(&worker->ready, share) != SW_OK)
        sw_worker_fail(worker, SW_E_EXHAUSTED, "no memory for a ready instance");
    return sw_share_is_slow(share);
}

const char *sw_overtake_tick(void *ctx, uint64_t used_ns)
{
    struct sw_worker *worker = ctx;
    struct sw_passing *passing = &worker->passing;
    struct sw_passed *passed;
    const char *words;
    bool is_first;

    worker->unclocked_max = 0; /* It is not short: the clock is looked at when it has ended. */
    if (worker->options.strands == NULL || !passing->is_passable || !is_slow(worker, used_ns))
        return NULL;
    passed = worker->running->passed;
    is_first = passed == NULL;
    if (is_first && (words = refuse(worker)) != NULL)
        return passing->kind == SW_PASS_SEGMENT ? words : NULL;
    if (is_first)
        passed = passed_new(worker);
    if (passed == NULL)
        return NULL;
    count_bytes(worker, passed, worker->turn.effects.size + worker->turn.taken_bytes);
    sw_worker_charge(worker);
    passed->slices_ns += sw_share_take_used(passed->share);
    rest_if_wanted(worker, passed, used_ns);
    if (!set_aside(worker, passed)) {
        if (is_first)
            passed_end(worker, passed);
        return NULL;
    }
    sw_worker_look_at_clock(worker);
    passed->since_ns = worker->monotonic_ns;
    passed->used_ns = used_ns;
    if (passed->end_ns <= worker->monotonic_ns)
        passed->is_hurried = true;
    return passed->is_hurried && passed->kind != SW_PASS_REPLAY ? passed->end_words : NULL;
}

bool sw_overtake_is_hurried(const struct sw_instance *instance)
{
    return instance->passed != NULL && instance->passed->is_hurried;
}

bool sw_overtake_is_for_later(const struct sw_instance *instance)
{
    return sw_overtake_is_hurried(instance) && instance->passed->is_for_later;
}

void sw_overtake_go_on(struct sw_worker *worker, struct sw_ready_link *link)
{
    struct sw_passed *passed = SW_LIST_ITEM(link, struct sw_passed, link);

    sw_strands_resume(worker->options.strands, passed->strand);
}

struct sw_instance *sw_overtake_instance(struct sw_ready_link *link)
{
    return SW_LIST_ITEM(link, struct sw_passed, link)->instance;
}

bool sw_overtake_is_replaced(const struct sw_worker *worker)
{
    return worker->options.strands != NULL && sw_strands_is_replaced(worker->options.strands);
}

void sw_overtake_settle(struct sw_worker *worker)
{
    struct sw_passing *passing = &worker->passing;

    if (passing->rest_ns <= worker->monotonic_ns)
        passing->rest_ns = 0;
    worker->ready.rests = passing->rest_ns != 0;
}

/* --- The segment ------------------------------------------------------------------------------ */

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

void sw_overtake_note_quick(struct sw_worker *worker, const struct sw_instance *instance)
{
    struct sw_share *share = instance->pod->share;

    if (sw_share_note_quick(&worker->ready, share) != SW_OK)
        sw_worker_fail(worker, SW_E_EXHAUSTED, "no memory for a ready instance");
}

/* What came for the instance meanwhile stands in its mailbox, but not in the ready queues where it
 * was picked too early. */
void sw_overtake_end_passed(struct sw_worker *worker, struct sw_instance *instance)
{
    sw_capture_instance_first(worker, instance); /* A snapshot began meanwhile. */
    passed_end(worker, instance->passed);
    join(&worker->passing.items, &worker->inbox);
    sw_instance_wake_up(worker, instance, SWARM_PRIORITY_NORMAL);
    for (uint32_t p = 0; p < SW_PRIORITIES; p++)
        if (instance->mailbox[p] != NULL)
            sw_instance_wake_up(worker, instance, p);
}

const struct sw_message *sw_overtake_message(const struct sw_worker *worker,
                                             const struct sw_instance *instance)
{
    if (instance->passed == NULL)
        return NULL;
    return worker->running == instance ? worker->running_message : instance->passed->aside.message;
}

/* --- Items that have to wait ------------------------------------------------------------------ */

/* The Pod that an item changes; 0: none. */
static uint64_t pod_of(const struct sw_item *item)
{
    switch ((unsigned)item->kind) {
    case SW_ITEM_POD_CLOSE:
        return ((const struct sw_item_pod_close *)(const void *)item)->pod;
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

void sw_overtake_give_up_replays(struct sw_worker *worker)
{
    for (struct sw_passed *passed = worker->passing.all; passed != NULL; passed = passed->next)
        passed->is_hurried = passed->is_hurried || passed->kind == SW_PASS_REPLAY;
}

struct hurry {         /* Of passed segments that are in the way. */
    uint64_t grace_ns; /* They have so long to end. */
    bool is_for_later;
    const char *words;
};

static void hurry_one(const struct sw_worker *worker, struct sw_passed *passed,
                      const struct hurry *hurry)
{
    uint64_t end_ns = worker->monotonic_ns + hurry->grace_ns;

    if (end_ns >= passed->end_ns || (hurry->grace_ns > 0 && passed->kind == SW_PASS_UPGRADE))
        return;
    passed->end_ns = end_ns;
    passed->end_words = hurry->words;
    passed->is_for_later = hurry->is_for_later;
}

static void hurry_pod(struct sw_worker *worker, const struct sw_pod *pod, const struct hurry *hurry)
{
    for (struct sw_passed *passed = worker->passing.all; passed != NULL; passed = passed->next)
        if (passed->instance->pod == pod)
            hurry_one(worker, passed, hurry);
}

static bool is_reset(const struct sw_pod *pod, const struct sw_pod_config *config)
{
    return config->resets && pod->spec != NULL &&
           !sw_bytes_is_equal(pod->spec->digest, config->digest);
}

/* What closes a Pod, or begins its instances anew, comes after what runs of it has ended, and what
 * comes behind that stays behind it. */
bool sw_overtake_keeps(struct sw_worker *worker, struct sw_item *item)
{
    uint64_t number = worker->passing.count == 0 ? 0 : pod_of(item);
    struct sw_pod *pod = number == 0 ? NULL : sw_map_find(worker->pods, &number, sizeof number);

    if (pod == NULL || pod->passed == 0 || pod->state == SW_POD_DISCARDING)
        return false;
    if (item->kind == SW_ITEM_POD_CLOSE) {
        bool is_discarded = ((const struct sw_item_pod_close *)(const void *)item)->discard;

        pod->is_leaving = true;
        hurry_pod(
            worker, pod,
            &(struct hurry){is_discarded ? 0 : SW_PASS_GRACE_NS, !is_discarded, "its Pod closes"});
    } else if (is_reset(pod, &((const struct sw_item_pod_open *)(const void *)item)->config)) {
        pod->is_leaving = true;
        hurry_pod(worker, pod, &(struct hurry){0, true, "its Agent begins with empty state"});
    } else if (!has_kept(&worker->passing, number)) {
        return false;
    }
    sw_item_put(&worker->passing.items, item);
    return true;
}

void sw_overtake_want_slots(struct sw_worker *worker, const struct sw_pod *pod,
                            const uint8_t *wanted, uint8_t *ret_busy)
{
    const struct hurry hurry = {SW_PASS_GRACE_NS, true, "its slot moves to another Pod"};

    memset(ret_busy, 0, SW_SLOTS / 8);
    for (struct sw_passed *passed = worker->passing.all; passed != NULL; passed = passed->next) {
        uint32_t slot = sw_instance_slot(passed->instance->id);
        uint8_t bit = (uint8_t)(1u << slot % 8);

        if (passed->instance->pod != pod || (wanted[slot / 8] & bit) == 0)
            continue;
        ret_busy[slot / 8] |= bit;
        passed->instance->is_leaving = true;
        hurry_one(worker, passed, &hurry);
    }
}

/* --- Life ------------------------------------------------------------------------------------- */

void sw_passing_done(struct sw_passing *passing)
{
    while (passing->spares != NULL) {
        struct sw_passed *passed = passing->spares;

        passing->spares = passed->next;
        passed_free(passed);
    }
}
