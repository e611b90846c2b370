#include "pkg/agent/runtime/actor/resting.h"

#include <stdlib.h>

#define AGES_PER_REST 16u /* At least. */
#define SHIFT_MIN 20u     /* A millisecond: less is told apart by nobody. */
#define PLACED_SHIFT 20u  /* Of instance->placed. */

static uint32_t shift_of(uint64_t rest_ns)
{
    uint32_t shift = SHIFT_MIN;

    while (shift < 63 && (rest_ns >> (shift + 1)) >= AGES_PER_REST)
        shift++;
    return shift;
}

static uint16_t placed_of(uint64_t at_ns)
{
    return (uint16_t)(at_ns >> PLACED_SHIFT);
}

/* NULL: no memory. */
static struct sw_resting *get(struct sw_pod *pod)
{
    struct sw_resting *resting = pod->resting;

    if (resting != NULL)
        return resting;
    resting = calloc(1, sizeof *resting);
    if (resting == NULL)
        return NULL;
    resting->pod = pod;
    resting->due.at = resting->oldest.at = SW_HEAP_ABSENT;
    resting->shift = shift_of(pod->config.rest_ns);
    for (uint32_t i = 0; i < SW_RESTING_AGES; i++)
        sw_list_init(&resting->ages[i]);
    pod->resting = resting;
    return resting;
}

static struct sw_list *list_of(struct sw_resting *resting, uint64_t age)
{
    return &resting->ages[age % SW_RESTING_AGES];
}

struct sw_instance *sw_resting_first(struct sw_resting *resting)
{
    struct sw_list *node;

    while ((node = sw_list_first(list_of(resting, resting->first))) == NULL)
        if (resting->first++ == resting->last) {
            resting->first = resting->last;
            return NULL;
        }
    return SW_LIST_ITEM(node, struct sw_instance, capture);
}

uint64_t sw_resting_due(const struct sw_pod *pod, uint64_t at_ns)
{
    uint64_t rest_ns = pod->config.rest_ns;

    return at_ns > UINT64_MAX - 1 - rest_ns ? UINT64_MAX - 1 : at_ns + rest_ns;
}

static void put_into_heap(struct sw_worker *worker, struct sw_heap *heap,
                          struct sw_heap_entry *entry, uint64_t rank)
{
    if (sw_heap_put(heap, entry, rank) != SW_OK)
        sw_worker_fail(worker, SW_E_EXHAUSTED, "no memory for a Pod's instances that rest");
}

void sw_resting_note(struct sw_worker *worker, struct sw_resting *resting, uint64_t due_ns,
                     uint64_t since_ns)
{
    put_into_heap(worker, &worker->rest.due, &resting->due, due_ns);
    put_into_heap(worker, &worker->rest.oldest, &resting->oldest, since_ns);
}

/* Have the ages reach so far. Those between the first and the last are never more than there are
 * lists: what is older than that counts as the first, what is newer as the last. */
static uint64_t make_age(struct sw_resting *resting, uint64_t age)
{
    if (sw_resting_first(resting) == NULL)
        resting->first = resting->last = age;
    if (age < resting->first && resting->last - age < SW_RESTING_AGES)
        resting->first = age;
    if (age < resting->first)
        age = resting->first;
    if (age - resting->first >= SW_RESTING_AGES)
        age = resting->first + SW_RESTING_AGES - 1;
    if (age > resting->last)
        resting->last = age;
    return age;
}

void sw_resting_put(struct sw_worker *worker, struct sw_instance *instance, uint64_t at_ns)
{
    struct sw_pod *pod = instance->pod;
    struct sw_resting *resting;
    uint64_t due_ns, least_ns;

    instance->is_resting = pod->config.rest_ns != UINT64_MAX;
    if (!instance->is_resting)
        return;
    if (instance->captured != worker->generation)
        return; /* When it was. */
    resting = get(pod);
    if (resting == NULL) {
        sw_worker_fail(worker, SW_E_EXHAUSTED, "no memory for a Pod's instances that rest");
        return;
    }
    least_ns = worker->now_ns > pod->config.rest_ns ? worker->now_ns - pod->config.rest_ns : 0;
    at_ns = at_ns < least_ns ? least_ns : at_ns; /* Due is due. */
    sw_list_remove(&instance->capture);
    sw_list_add(list_of(resting, make_age(resting, at_ns >> resting->shift)), &instance->capture);
    instance->placed = placed_of(at_ns);
    due_ns = sw_resting_due(pod, at_ns);
    if (resting->due.at == SW_HEAP_ABSENT || resting->due.rank > due_ns)
        put_into_heap(worker, &worker->rest.due, &resting->due, due_ns);
    if (resting->oldest.at == SW_HEAP_ABSENT || resting->oldest.rank > at_ns)
        put_into_heap(worker, &worker->rest.oldest, &resting->oldest, at_ns);
}

void sw_resting_take(struct sw_worker *worker, struct sw_instance *instance)
{
    instance->is_resting = false;
    if (instance->captured != worker->generation)
        return;
    sw_list_remove(&instance->capture);
    sw_list_add(&worker->captured, &instance->capture);
}

void sw_resting_captured(struct sw_worker *worker, struct sw_instance *instance)
{
    if (instance->is_resting && instance->pod->config.rest_ns != UINT64_MAX)
        sw_resting_put(worker, instance, instance->actor.last_ns);
    else
        sw_resting_take(worker, instance);
}

struct sw_resting *sw_resting_oldest(const struct sw_worker *worker)
{
    struct sw_heap_entry *entry = sw_heap_first(&worker->rest.oldest);

    return entry == NULL ? NULL : SW_LIST_ITEM(entry, struct sw_resting, oldest);
}

uint64_t sw_resting_since(const struct sw_resting *resting, const struct sw_instance *instance)
{
    uint64_t begin_ns = resting->first << resting->shift;

    return instance->actor.last_ns < begin_ns ? begin_ns : instance->actor.last_ns;
}

bool sw_resting_has_moved(const struct sw_resting *resting, const struct sw_instance *instance)
{
    return instance->actor.last_ns >> resting->shift >= resting->first &&
           placed_of(instance->actor.last_ns) != instance->placed;
}

void sw_resting_empty(struct sw_worker *worker, struct sw_pod *pod, struct sw_list *list)
{
    struct sw_resting *resting = pod->resting;

    if (resting == NULL)
        return;
    while (sw_resting_first(resting) != NULL)
        sw_list_join(list, list_of(resting, resting->first));
    sw_heap_remove(&worker->rest.due, &resting->due);
    sw_heap_remove(&worker->rest.oldest, &resting->oldest);
    resting->shift = shift_of(pod->config.rest_ns);
}

void sw_resting_end(struct sw_worker *worker, struct sw_pod *pod)
{
    struct sw_resting *resting = pod->resting;

    if (resting == NULL)
        return;
    sw_heap_remove(&worker->rest.due, &resting->due);
    sw_heap_remove(&worker->rest.oldest, &resting->oldest);
    free(resting);
    pod->resting = NULL;
}
