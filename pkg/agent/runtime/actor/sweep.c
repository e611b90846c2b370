#include "pkg/agent/runtime/actor/capture.h"
#include "pkg/agent/runtime/actor/compact.h"
#include "pkg/agent/runtime/actor/hibernate.h"
#include "pkg/agent/runtime/actor/image.h"
#include "pkg/agent/runtime/actor/resting.h"
#include "pkg/agent/runtime/actor/segment.h"

#include <string.h>

/* Who is to sleep: the first of each Pod when its time has come; and while memory is short who has
 * come in vain, and the first of all Pods. */

#define SLICE_NS 500000u    /* So long messages wait for this. */
#define SLICE_LOOKS 4096u   /* And with a clock that stands still so many. */
#define SLICE_CHECK 16u     /* So often in it the clock is looked at. */
#define AGAIN_NS 100000000u /* Of one that could not sleep, though it should have. */
#define REBUILDS_MAX 64u    /* With so many ready at the lowest priority nobody is rebuilt. */
#define RETRY_NS 1000000u   /* When so many are, or the shelf has no room. */
#define COMPACT_STEP_NS 20000000u
#define COMPACT_LOOK_NS 1000000000u
#define WAIT_MIN_NS 1000000u /* A worker that is kept from looking does not spin. */
#define USED_NS 20000000u    /* Memory is looked at so often, */
#define MADE_MAX 256u        /* or when so many guests were made, */
#define SURPLUS_BYTES 16384u /* and one is to go for so much that it is too much. */
#define NEAR_PART 16u        /* With less than that left of what there should be who comes is on */
#define CLOSE_PART 64u       /* trial, and with less than that who was goes. */
#define ROOM_AGE_NS 1000000u /* Nobody goes who has done nothing for less. */
#define ROOM_LOOKS 8u        /* For one who is to go so many are looked at. */

/* --- One of them ----------------------------------------------------------------------------- */

/* It has something to wait for, and stays; its memory need not. */
static bool pack(struct sw_worker *worker, struct sw_instance *instance)
{
    struct sw_image *image;
    struct sw_err err = {0};

    if (instance->guest == NULL || instance->passed != NULL || instance->ready.queued != 0 ||
        instance->waiting > 0 || instance->waiter != 0 || !instance->is_started ||
        instance->is_parked || instance->pod->state != SW_POD_OPEN)
        return false;
    image = sw_image_new(worker, instance, &err);
    if (image == NULL)
        return false;
    sw_instance_set_image(worker, instance, NULL);
    instance->is_hibernated = true;
    sw_instance_set_image(worker, instance, image);
    sw_instance_sleep(worker, instance);
    return true;
}

/* One that was recovered and has not been needed since: it is known by its records, of which ever
 * more would have to be kept. It is rebuilt when others have nothing to do. */
static bool is_recovered(const struct sw_worker *worker, const struct sw_instance *instance)
{
    return instance->guest == NULL && instance->image == NULL && instance->passed == NULL &&
           instance->is_started && !instance->is_parked && instance->pod->config.is_durable &&
           instance->pod->state == SW_POD_OPEN && instance->ready.queued == 0 &&
           sw_hibernate_waits_for_nothing(instance) && instance->spec != NULL &&
           sw_shared_replays(worker->shared, instance->spec) &&
           sw_program_find(worker, instance->spec->program) != NULL;
}

/* Whether one more may be: others of the lowest priority are to have their turns as well. */
static bool may_rebuild(const struct sw_worker *worker)
{
    uint64_t queued = 0;

    for (uint32_t kind = 0; kind < SW_READY_KINDS; kind++)
        queued += worker->ready.orders[kind].queued[SWARM_PRIORITY_LOW];
    return queued < REBUILDS_MAX;
}

/* Have one sleep, or give up its memory. False: it cannot now, and stands where it stood. */
static bool let_go(struct sw_worker *worker, struct sw_instance *instance)
{
    if (sw_hibernate(worker, instance))
        return true;
    if (instance->pod->state == SW_POD_OPEN &&
        (instance->guest != NULL || sw_hibernate_is_new(instance)) &&
        (sw_hibernate_waits_for_nothing(instance) || !pack(worker, instance)))
        return false;
    sw_resting_take(worker, instance);
    return true;
}

/* The first of a Pod, which should have slept and could not, is looked at again: after others of
 * its age. */
static void put_off(struct sw_worker *worker, const struct sw_resting *resting,
                    struct sw_instance *instance)
{
    uint64_t rest_ns = resting->pod->config.rest_ns, again_ns = worker->now_ns + AGAIN_NS;
    uint64_t next_ns = (resting->first + 1) << resting->shift;

    again_ns = again_ns > rest_ns ? again_ns - rest_ns : 0;
    sw_resting_put(worker, instance, again_ns < next_ns ? next_ns : again_ns);
}

/* Whether nobody can sleep before more of the shelf is written. */
static bool is_full(const struct sw_worker *worker)
{
    return worker->shared->shelf == NULL || !sw_shelf_has_room(worker->shared->shelf);
}

/* --- By their time --------------------------------------------------------------------------- */

/* The time of the Pod's first may have come. */
static void look_at_first(struct sw_worker *worker, struct sw_resting *resting)
{
    struct sw_instance *instance = sw_resting_first(resting);
    struct sw_pod *pod = resting->pod;
    uint64_t due_ns, since_ns;

    if (instance == NULL) {
        sw_resting_empty(worker, pod, &worker->captured);
        return;
    }
    since_ns = sw_resting_since(resting, instance);
    due_ns = sw_resting_due(pod, since_ns);
    if (since_ns >> resting->shift > resting->first) {
        sw_resting_put(worker, instance, since_ns);
    } else if (due_ns > worker->now_ns) {
        sw_resting_note(worker, resting, due_ns, since_ns);
    } else if (is_full(worker)) {
        sw_resting_note(worker, resting, worker->now_ns + RETRY_NS, since_ns);
    } else if (sw_hibernate_is_new(instance) || !is_recovered(worker, instance)) {
        if (!let_go(worker, instance))
            put_off(worker, resting, instance);
    } else if (may_rebuild(worker)) {
        sw_resting_take(worker, instance);
        instance->wants_rest = true;
        sw_instance_wake_up(worker, instance, SWARM_PRIORITY_LOW);
    } else {
        sw_resting_note(worker, resting, worker->now_ns + RETRY_NS, since_ns);
    }
}

/* --- While memory is short ------------------------------------------------------------------- */

static uint64_t used_bytes(const struct sw_worker *worker)
{
    const struct sw_shared *shared = worker->shared;

    return shared->used_bytes != NULL ? shared->used_bytes(shared->used_ctx)
                                      : worker->engine.total_bytes(worker->engine.ctx);
}

/* Look whether there is more memory than there should be, if it is time, and how many are to sleep
 * for that: of each worker's its part. Between two looks one goes for each that is made. */
static void look_at_memory(struct sw_worker *worker)
{
    uint64_t max = atomic_load_explicit(&worker->shared->awake_bytes, memory_order_relaxed), used;
    struct sw_rest *rest = &worker->rest;

    if (rest->room >= SW_ROOM_CLOSE)
        rest->surplus += rest->made - rest->room_made;
    rest->room_made = rest->made;
    if (max == 0)
        rest->room = SW_ROOM_ENOUGH;
    if (max == 0 || (worker->now_ns < rest->used_ns + USED_NS && rest->made < MADE_MAX))
        return;
    if (worker->shared->used_bytes == NULL)
        max /= worker->options.count;
    used = used_bytes(worker);
    rest->used_ns = worker->now_ns;
    rest->made = rest->room_made = 0;
    rest->room = used > max                      ? SW_ROOM_SHORT
                 : used > max - max / CLOSE_PART ? SW_ROOM_CLOSE
                 : used > max - max / NEAR_PART  ? SW_ROOM_NEAR
                                                 : SW_ROOM_ENOUGH;
    rest->surplus =
        rest->room == SW_ROOM_SHORT ? (used - max) / SURPLUS_BYTES / worker->options.count + 1 : 0;
}

/* Look for the one that has rested for longest. NULL: nobody has for long enough, or that was not
 * found in so many looks, which are counted down. */
static struct sw_instance *find_longest(struct sw_worker *worker, uint64_t *looks)
{
    struct sw_resting *resting;

    while ((resting = sw_resting_oldest(worker)) != NULL && *looks > 0 &&
           resting->oldest.rank + ROOM_AGE_NS <= worker->now_ns) {
        struct sw_instance *instance = sw_resting_first(resting);
        uint64_t since_ns;

        --*looks;
        if (instance == NULL) {
            sw_resting_empty(worker, resting->pod, &worker->captured);
            continue;
        }
        since_ns = sw_resting_since(resting, instance);
        if (sw_resting_has_moved(resting, instance))
            sw_resting_put(worker, instance, since_ns);
        else if (since_ns > resting->oldest.rank)
            sw_resting_note(worker, resting, resting->due.rank, since_ns);
        else
            return instance;
    }
    return NULL;
}

/* The next one whom nothing keeps at the end of his trial; NULL: none. */
static struct sw_instance *find_on_trial(struct sw_worker *worker)
{
    struct sw_instance *instance;
    uint64_t id;

    while (sw_trials_take(&worker->rest.trials, &id)) {
        instance = sw_idmap_find(worker->instances, id);
        if (instance != NULL && instance->is_resting && instance->pod->resting != NULL &&
            instance->guest != NULL && instance->waiting == 0 &&
            instance->captured == worker->generation &&
            instance->pod->config.rest_ns != UINT64_MAX &&
            !sw_resting_has_moved(instance->pod->resting, instance))
            return instance;
    }
    return NULL;
}

/* Have one go who is too many. False: there is nobody, for now. */
static bool make_room_of_one(struct sw_worker *worker, uint64_t *looks)
{
    struct sw_instance *instance = find_on_trial(worker);
    uint64_t id = instance == NULL ? 0 : instance->id;

    if (instance == NULL)
        instance = worker->rest.room == SW_ROOM_SHORT ? find_longest(worker, looks) : NULL;
    if (instance == NULL)
        return false;
    if (!let_go(worker, instance)) {
        sw_resting_put(worker, instance, worker->now_ns);
        return true;
    }
    worker->rest.surplus--;
    if (id != 0)
        sw_trials_note_gone(&worker->rest.trials, id);
    return true;
}

/* Have those sleep who are too many, in so many looks and until then. True: it was the time that
 * ended. */
static bool make_room(struct sw_worker *worker, uint64_t looks, uint64_t until_ns)
{
    const struct sw_system *system = worker->shared->system;
    struct sw_rest *rest = &worker->rest;

    for (uint32_t i = 1; rest->surplus > 0 && worker->failure.rc == SW_OK; i++) {
        if (is_full(worker) || !make_room_of_one(worker, &looks))
            return false;
        if (i % SLICE_CHECK == 0 && system->monotonic_ns(system->ctx) >= until_ns)
            return true;
    }
    return false;
}

void sw_hibernate_note_made(struct sw_worker *worker, struct sw_instance *instance)
{
    worker->rest.made++;
    sw_resting_put(worker, instance, worker->now_ns);
    if (worker->rest.room >= SW_ROOM_NEAR && instance->pod->config.rest_ns != UINT64_MAX)
        sw_trials_add(&worker->rest.trials, instance->id);
}

void sw_hibernate_make_room(struct sw_worker *worker)
{
    uint64_t looks = (uint64_t)ROOM_LOOKS * (worker->rest.made - worker->rest.room_made);

    look_at_memory(worker);
    (void)make_room(worker, looks, UINT64_MAX);
}

/* --- Both ------------------------------------------------------------------------------------ */

/* How often somebody went to sleep or woke up: what lay on the shelf is needless then. */
static uint64_t sleeps_of(const struct sw_worker *worker)
{
    return worker->counts.hibernated + worker->counts.woken;
}

static void compact(struct sw_worker *worker)
{
    struct sw_rest *rest = &worker->rest;

    if (worker->now_ns < rest->compact_ns)
        return;
    if (!sw_compact_is_going(worker) && sleeps_of(worker) != rest->compact_sleeps) {
        rest->compact_sleeps = sleeps_of(worker);
        rest->compact_ns = worker->now_ns + COMPACT_LOOK_NS;
        sw_compact_begin(worker);
    }
    if (!sw_compact_is_going(worker))
        return;
    sw_compact_step(worker);
    rest->compact_ns = worker->now_ns + COMPACT_STEP_NS;
}

/* Whether there is anything to look at. */
static bool is_due(const struct sw_worker *worker)
{
    const struct sw_heap_entry *entry = sw_heap_first(&worker->rest.due);

    return entry != NULL && entry->rank <= worker->now_ns && worker->failure.rc == SW_OK;
}

void sw_hibernate_sweep(struct sw_worker *worker)
{
    const struct sw_system *system = worker->shared->system;
    uint64_t until_ns;

    look_at_memory(worker);
    if (is_due(worker) || worker->rest.surplus > 0) {
        until_ns = system->monotonic_ns(system->ctx) + SLICE_NS;
        for (uint32_t looks = 1; is_due(worker); looks++) {
            look_at_first(worker,
                          SW_LIST_ITEM(sw_heap_first(&worker->rest.due), struct sw_resting, due));
            if (looks == SLICE_LOOKS ||
                (looks % SLICE_CHECK == 0 && system->monotonic_ns(system->ctx) >= until_ns))
                break;
        }
        if (!make_room(worker, ROOM_LOOKS * worker->rest.surplus + SLICE_CHECK, until_ns))
            worker->rest.surplus = 0; /* Before memory is looked at again. */
    }
    compact(worker);
}

void sw_hibernate_next(struct sw_worker *worker, size_t count)
{
    struct sw_heap_entry *entry;

    for (; count > 0 && (entry = sw_heap_first(&worker->rest.due)) != NULL; count--) {
        struct sw_resting *resting = SW_LIST_ITEM(entry, struct sw_resting, due);
        struct sw_instance *instance = sw_resting_first(resting);

        if (instance == NULL) {
            sw_resting_empty(worker, resting->pod, &worker->captured);
            continue;
        }
        sw_resting_take(worker, instance);
        if (instance->pod->config.is_durable)
            (void)sw_hibernate(worker, instance);
    }
}

uint64_t sw_hibernate_wait_ns(const struct sw_worker *worker)
{
    const struct sw_rest *rest = &worker->rest;
    const struct sw_heap_entry *entry = sw_heap_first(&rest->due);
    uint64_t due_ns = entry == NULL ? UINT64_MAX : entry->rank;

    if (rest->surplus > 0)
        due_ns = worker->now_ns;
    if (rest->room == SW_ROOM_SHORT && sw_heap_first(&rest->oldest) != NULL &&
        rest->used_ns + USED_NS < due_ns)
        due_ns = rest->used_ns + USED_NS;
    if ((sw_compact_is_going(worker) || sleeps_of(worker) != rest->compact_sleeps) &&
        rest->compact_ns < due_ns)
        due_ns = rest->compact_ns;
    if (due_ns == UINT64_MAX)
        return UINT64_MAX;
    return due_ns > worker->now_ns + WAIT_MIN_NS ? due_ns - worker->now_ns : WAIT_MIN_NS;
}
