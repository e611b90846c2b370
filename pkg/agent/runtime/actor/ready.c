#include "pkg/agent/runtime/actor/ready.h"

#include "pkg/agent/runtime/actor/quota.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define KEY_MAX 512u
#define REST_NS_MAX 1000000000u

struct sw_ready_queue {         /* Of one share, of one kind and priority. */
    struct sw_heap_entry entry; /* First: a heap entry is its queue. By time used / weight. */
    struct sw_share *share;
    /* Of an Agent: its ready instances, a ring held by the last one. Of a namespace: their count.
     */
    struct sw_ready_link *last;
    uint64_t count;
    /* Of a namespace: its Agents that have any, and the time of the one that was picked last. */
    struct sw_heap agents;
    uint64_t floor_ns;
};

struct sw_share { /* An Agent, or a namespace, which is the parent of its Agents. */
    struct sw_share *parent;
    uint64_t refs, used_ns;
    uint32_t weight;
    struct sw_quota *quota;    /* Of a namespace; NULL: it has none. */
    struct sw_heap_entry rest; /* In ready->resting, while it rests. */
    bool is_slow;
    uint32_t quick; /* Segments that were not, since. */
    uint32_t going; /* Segments that are set aside. */
    struct sw_ready_queue queues[SW_READY_KINDS][SW_PRIORITIES];
    uint32_t key_size;
    uint8_t key[];
};

/* Walk over all kinds and priorities. */
#define EACH_QUEUE(k, p)                                                                           \
    for (uint32_t k = 0; k < SW_READY_KINDS; k++)                                                  \
        for (uint32_t p = 0; p < SW_PRIORITIES; p++)

enum sw_rc sw_ready_init(struct sw_ready *ready, uint64_t seed)
{
    memset(ready, 0, sizeof *ready);
    EACH_QUEUE(k, p)
    sw_heap_init(&ready->orders[k].spaces[p]);
    sw_heap_init(&ready->resting);
    ready->shares = sw_map_new(seed);
    return ready->shares == NULL ? SW_E_EXHAUSTED : SW_OK;
}

static void share_free(struct sw_share *share)
{
    EACH_QUEUE(k, p)
    sw_heap_done(&share->queues[k][p].agents);
    free(share);
}

void sw_ready_done(struct sw_ready *ready)
{
    struct sw_map_entry entry;
    size_t cursor = 0;

    while (ready->shares != NULL && sw_map_next(ready->shares, &cursor, &entry))
        share_free(entry.value);
    sw_map_free(ready->shares);
    sw_heap_done(&ready->resting);
    EACH_QUEUE(k, p)
    sw_heap_done(&ready->orders[k].spaces[p]);
}

/* --- Shares ---------------------------------------------------------------------------------- */

static struct sw_share *share_get(struct sw_ready *ready, struct sw_share *parent,
                                  struct sw_bytes key)
{
    struct sw_share *share = sw_map_find(ready->shares, key.data, key.size);

    if (share == NULL) {
        share = calloc(1, sizeof *share + key.size);
        if (share == NULL)
            return NULL;
        share->parent = parent;
        share->weight = SW_WEIGHT_STANDARD;
        share->rest.at = SW_HEAP_ABSENT;
        share->key_size = (uint32_t)key.size;
        memcpy(share->key, key.data, key.size);
        EACH_QUEUE(k, p)
        {
            share->queues[k][p].entry.at = SW_HEAP_ABSENT;
            share->queues[k][p].share = share;
            sw_heap_init(&share->queues[k][p].agents);
        }
        if (sw_map_put(ready->shares, key.data, key.size, share, NULL) != SW_OK) {
            share_free(share);
            return NULL;
        }
        if (parent != NULL)
            parent->refs++;
    }
    share->refs++;
    return share;
}

struct sw_share *sw_ready_share_get(struct sw_ready *ready, struct sw_bytes name_space,
                                    struct sw_bytes agent)
{
    char key[KEY_MAX];
    struct sw_share *space, *share;

    assert(name_space.size + 1 + agent.size <= sizeof key);
    memcpy(key, name_space.data, name_space.size);
    key[name_space.size] = '/'; /* No namespace has one. */
    memcpy(key + name_space.size + 1, agent.data, agent.size);
    space = share_get(ready, NULL, name_space);
    if (space == NULL)
        return NULL;
    share = share_get(ready, space, (struct sw_bytes){key, name_space.size + 1 + agent.size});
    sw_ready_share_put(ready, space); /* The Agent holds it now. */
    return share;
}

/* Out of its heap. */
static void leave(struct sw_ready *ready, enum sw_ready_kind kind, uint32_t priority,
                  struct sw_ready_queue *queue)
{
    struct sw_share *parent = queue->share->parent;

    sw_heap_remove(parent == NULL ? &ready->orders[kind].spaces[priority]
                                  : &parent->queues[kind][priority].agents,
                   &queue->entry);
}

void sw_ready_share_put(struct sw_ready *ready, struct sw_share *share)
{
    struct sw_share *parent;

    if (share == NULL || --share->refs > 0)
        return;
    parent = share->parent;
    ready->slow -= share->is_slow;
    EACH_QUEUE(k, p)
    {
        assert(share->queues[k][p].last == NULL);
        leave(ready, k, p, &share->queues[k][p]);
    }
    sw_heap_remove(&ready->resting, &share->rest);
    ready->alone = NULL;
    if (ready->picked == share || (ready->picked != NULL && ready->picked->parent == share))
        ready->picked = NULL;
    (void)sw_map_remove(ready->shares, share->key, share->key_size);
    share_free(share);
    sw_ready_share_put(ready, parent);
}

void sw_share_set_weight(struct sw_share *share, uint32_t weight)
{
    share->weight = weight == 0 ? SW_WEIGHT_STANDARD : weight;
}

void sw_share_set_quota(struct sw_share *share, struct sw_quota *quota)
{
    share->parent->quota = quota;
}

void sw_share_use_cpu(struct sw_share *share, uint64_t used_ns, uint64_t now_ns)
{
    if (share != NULL && share->parent->quota != NULL)
        sw_quota_use_cpu(share->parent->quota, used_ns, now_ns);
}

/* --- Queues ---------------------------------------------------------------------------------- */

/* Into its heap, not before whoever runs there now. One that ran empty may stand in it still, at
 * the time that it had then: while one queue has all that is ready, nobody looks. */
static enum sw_rc enter(struct sw_heap *heap, struct sw_ready_queue *queue, uint64_t floor_ns)
{
    if (queue->entry.at != SW_HEAP_ABSENT && queue->entry.rank >= floor_ns)
        return SW_OK;
    return sw_heap_put(heap, &queue->entry,
                       queue->entry.rank > floor_ns ? queue->entry.rank : floor_ns);
}

static bool is_resting(const struct sw_share *space)
{
    return space->rest.at != SW_HEAP_ABSENT;
}

/* A namespace among the others, unless it rests. */
static enum sw_rc enter_space(struct sw_ready *ready, struct sw_ready_queue *space,
                              enum sw_ready_kind kind, uint32_t priority)
{
    struct sw_ready_order *order = &ready->orders[kind];

    return is_resting(space->share)
               ? SW_OK
               : enter(&order->spaces[priority], space, order->floor_ns[priority]);
}

/* So many are queued more or, as a negative number, fewer. */
static void count_queued(struct sw_ready *ready, struct sw_share *space, enum sw_ready_kind kind,
                         uint32_t priority, uint64_t count)
{
    if (is_resting(space))
        return;
    ready->orders[kind].queued[priority] += count;
    ready->slow_count += kind != SW_READY_QUICK ? count : 0;
}

static void count(struct sw_ready *ready, struct sw_share *share, enum sw_ready_kind kind,
                  uint32_t priority, uint64_t count)
{
    share->parent->queues[kind][priority].count += count;
    count_queued(ready, share->parent, kind, priority, count);
}

/* An Agent into its namespace, and that among the others. */
static enum sw_rc enter_both(struct sw_ready *ready, struct sw_share *share,
                             enum sw_ready_kind kind, uint32_t priority)
{
    struct sw_ready_queue *space = &share->parent->queues[kind][priority];
    enum sw_rc rc = enter(&space->agents, &share->queues[kind][priority], space->floor_ns);

    return rc != SW_OK ? rc : enter_space(ready, space, kind, priority);
}

static enum sw_rc add(struct sw_ready *ready, struct sw_share *share, enum sw_ready_kind kind,
                      struct sw_ready_link *link, uint32_t priority)
{
    struct sw_ready_queue *queue = &share->queues[kind][priority];
    enum sw_rc rc = SW_OK;

    if (ready->alone != queue) { /* Which is where it belongs. */
        ready->alone = NULL;
        rc = enter_both(ready, share, kind, priority);
    }
    if (rc != SW_OK)
        return rc;
    link->queued |= (uint8_t)(1u << priority);
    if (queue->last == NULL) {
        link->next[priority] = link;
    } else {
        link->next[priority] = queue->last->next[priority];
        queue->last->next[priority] = link;
    }
    queue->last = link;
    queue->count++;
    count(ready, share, kind, priority, 1);
    return SW_OK;
}

static enum sw_ready_kind kind_of(const struct sw_share *share)
{
    return share->is_slow ? SW_READY_SLOW : SW_READY_QUICK;
}

enum sw_rc sw_ready_add(struct sw_ready *ready, struct sw_share *share, struct sw_ready_link *link,
                        uint32_t priority)
{
    return add(ready, share, kind_of(share), link, priority);
}

enum sw_rc sw_ready_add_next(struct sw_ready *ready, struct sw_share *share,
                             struct sw_ready_link *link, uint32_t priority, bool *ret_is_next)
{
    struct sw_ready_queue *queue = &share->queues[kind_of(share)][priority];
    struct sw_ready_link *last = queue->last;
    enum sw_rc rc = add(ready, share, kind_of(share), link, priority);

    *ret_is_next = rc == SW_OK && ready->alone == queue;
    if (*ret_is_next && last != NULL) /* Behind the one that was last it is the first. */
        queue->last = last;
    return rc;
}

static void leave_ring(struct sw_ready *ready, struct sw_share *share, enum sw_ready_kind kind,
                       struct sw_ready_link *link, uint32_t priority)
{
    struct sw_ready_queue *queue = &share->queues[kind][priority];
    struct sw_ready_link *before = queue->last;

    while (before->next[priority] != link)
        before = before->next[priority];
    if (before == link) {
        queue->last = NULL;
    } else {
        before->next[priority] = link->next[priority];
        if (queue->last == link)
            queue->last = before;
    }
    link->queued &= (uint8_t)~(1u << priority);
    queue->count--;
    count(ready, share, kind, priority, UINT64_MAX);
}

static void remove_all(struct sw_ready *ready, struct sw_share *share, enum sw_ready_kind kind,
                       struct sw_ready_link *link)
{
    for (uint32_t p = 0; p < SW_PRIORITIES; p++)
        if ((link->queued & 1u << p) != 0)
            leave_ring(ready, share, kind, link, p);
}

void sw_ready_remove(struct sw_ready *ready, struct sw_share *share, struct sw_ready_link *link)
{
    remove_all(ready, share, kind_of(share), link);
}

/* --- Namespaces that have used up their quota ------------------------------------------------- */

static void tell_held(struct sw_ready *ready, struct sw_share *space, enum sw_ready_kind kind,
                      uint32_t priority)
{
    struct sw_heap *agents = &space->queues[kind][priority].agents;

    for (size_t i = 0; i < agents->count && ready->on_held != NULL; i++) {
        struct sw_ready_queue *queue = (struct sw_ready_queue *)(void *)agents->entries[i];

        if (queue->last != NULL)
            ready->on_held(ready->held_ctx, kind, queue->last->next[priority]);
    }
}

/* Whether the namespace is to rest; it does then. Without memory for that it goes on, and pays for
 * it later. */
static bool has_to_rest(struct sw_ready *ready, struct sw_share *space)
{
    uint64_t free_ns = 0, storage_ns;

    if (space->quota != NULL) {
        free_ns = sw_quota_cpu_free_ns(space->quota);
        storage_ns = sw_quota_storage_free_ns(space->quota);
        free_ns = storage_ns > free_ns ? storage_ns : free_ns;
    }
    if (free_ns <= ready->now_ns || ready->is_unbounded)
        return false;
    EACH_QUEUE(k, p)
    count_queued(ready, space, k, p, 0 - space->queues[k][p].count);
    /* A quota may be raised meanwhile: it is looked at again by then. */
    if (free_ns - ready->now_ns > REST_NS_MAX)
        free_ns = ready->now_ns + REST_NS_MAX;
    if (sw_heap_put(&ready->resting, &space->rest, free_ns) != SW_OK) {
        EACH_QUEUE(k, p)
        count_queued(ready, space, k, p, space->queues[k][p].count);
        return false;
    }
    EACH_QUEUE(k, p)
    {
        leave(ready, k, p, &space->queues[k][p]);
        tell_held(ready, space, k, p);
    }
    ready->alone = NULL;
    return true;
}

/* Those that may run again are among the others again. */
static enum sw_rc end_rests(struct sw_ready *ready)
{
    struct sw_heap_entry *first;
    enum sw_rc rc = SW_OK;

    while (rc == SW_OK && (first = sw_heap_first(&ready->resting)) != NULL &&
           (first->rank <= ready->now_ns || ready->is_unbounded)) {
        struct sw_share *space =
            (struct sw_share *)(void *)((char *)first - offsetof(struct sw_share, rest));

        sw_heap_remove(&ready->resting, first);
        ready->alone = NULL;
        EACH_QUEUE(k, p)
        {
            count_queued(ready, space, k, p, space->queues[k][p].count);
            if (rc == SW_OK && space->queues[k][p].agents.count > 0)
                rc = enter_space(ready, &space->queues[k][p], k, p);
        }
    }
    return rc;
}

uint64_t sw_ready_rest_ns(const struct sw_ready *ready)
{
    const struct sw_heap_entry *first = sw_heap_first(&ready->resting);

    return first == NULL ? UINT64_MAX : first->rank;
}

/* --- Picking --------------------------------------------------------------------------------- */

static struct sw_heap_entry *first_of(const struct sw_heap *heap) /* On the hot path. */
{
    return heap->count == 0 ? NULL : heap->entries[0];
}

/* Whether the share has as many that are set aside as it may begin. */
static bool is_capped(const struct sw_ready *ready, const struct sw_share *share,
                      enum sw_ready_kind kind)
{
    uint32_t space_max = ready->room == SW_READY_ROOM ? SW_GOING_SPACE_MAX : SW_GOING_SPACE_MIN;

    return kind == SW_READY_SLOW &&
           share->going >= (share->parent == NULL ? space_max : SW_GOING_AGENT_MAX);
}

/* The first queue of a heap that has anything ready. Queues that ran empty stay in their heaps
 * until they come first, since most are filled again before that. Those that are capped come back
 * with sw_share_end_going. */
static struct sw_ready_queue *first_agent(const struct sw_ready *ready, struct sw_heap *agents,
                                          enum sw_ready_kind kind)
{
    struct sw_heap_entry *entry;

    while ((entry = first_of(agents)) != NULL) {
        struct sw_ready_queue *queue = (struct sw_ready_queue *)(void *)entry;

        if (queue->last != NULL && !is_capped(ready, queue->share, kind))
            return queue;
        sw_heap_remove(agents, entry);
    }
    return NULL;
}

static struct sw_ready_queue *pick(struct sw_ready *ready, enum sw_ready_kind kind,
                                   uint32_t priority)
{
    struct sw_ready_order *order = &ready->orders[kind];
    struct sw_heap_entry *entry;

    while ((entry = first_of(&order->spaces[priority])) != NULL) {
        struct sw_ready_queue *space = (struct sw_ready_queue *)(void *)entry;
        struct sw_ready_queue *queue;

        if (has_to_rest(ready, space->share))
            continue;
        queue =
            is_capped(ready, space->share, kind) ? NULL : first_agent(ready, &space->agents, kind);

        if (queue != NULL) {
            order->floor_ns[priority] = entry->rank;
            space->floor_ns = queue->entry.rank;
            return queue;
        }
        sw_heap_remove(&order->spaces[priority], entry);
    }
    return NULL;
}

/* The first of a queue that has any, which is picked by that. */
static inline struct sw_ready_link *take_first(struct sw_ready *ready, struct sw_ready_queue *queue,
                                               enum sw_ready_kind kind, uint32_t priority)
{
    struct sw_ready_link *first = queue->last->next[priority];

    leave_ring(ready, queue->share, kind, first, priority);
    ready->picked = queue->share;
    ready->picked_priority = priority;
    ready->picked_kind = kind;
    return first;
}

/* Of 15 picks 8 are urgent, 4 high, 2 normal and 1 low, as far as each has any; so none starves. */
static struct sw_ready_link *next_of(struct sw_ready *ready, enum sw_ready_kind kind,
                                     uint32_t *ret_priority)
{
    static const uint32_t shares[SW_PRIORITIES] = {1, 2, 4, 8};
    struct sw_ready_order *order = &ready->orders[kind];

    for (int pass = 0; pass < 2; pass++) {
        for (uint32_t p = SW_PRIORITIES; p > 0; p--) {
            uint32_t priority = p - 1;
            struct sw_ready_queue *queue;

            if (order->queued[priority] == 0 || order->credits[priority] == 0)
                continue;
            queue = pick(ready, kind, priority);
            if (queue == NULL) /* All of it is capped. */
                continue;
            order->credits[priority]--;
            *ret_priority = priority;
            return take_first(ready, queue, kind, priority);
        }
        for (uint32_t p = 0; p < SW_PRIORITIES; p++)
            order->credits[p] = shares[p];
    }
    return NULL;
}

static bool has_slow(const struct sw_ready *ready)
{
    return ready->slow_count > 0 && !ready->rests;
}

/* One that is to begin, or to go on: in turn. */
static struct sw_ready_link *next_slow(struct sw_ready *ready, uint32_t *ret_priority)
{
    struct sw_ready_link *link = NULL;

    for (int pass = 0; pass < 2 && link == NULL; pass++) {
        ready->turn_of_slow = !ready->turn_of_slow;
        if (!ready->turn_of_slow || ready->room != SW_READY_FULL)
            link =
                next_of(ready, ready->turn_of_slow ? SW_READY_SLOW : SW_READY_GOING, ret_priority);
    }
    return link;
}

/* The first of the queue in which all stands, as `next_of` would pick it. */
static struct sw_ready_link *next_alone(struct sw_ready *ready, uint32_t *ret_priority)
{
    struct sw_ready_queue *queue = ready->alone, *space;
    uint32_t priority = ready->alone_priority;
    struct sw_ready_order *order = &ready->orders[SW_READY_QUICK];

    if (queue->last == NULL || has_to_rest(ready, queue->share->parent))
        return NULL;
    space = &queue->share->parent->queues[SW_READY_QUICK][priority];
    order->floor_ns[priority] = space->entry.rank;
    space->floor_ns = queue->entry.rank;
    *ret_priority = priority;
    return take_first(ready, queue, SW_READY_QUICK, priority);
}

/* After a pick: whether all that is left stands in the same queue. */
static void look_for_alone(struct sw_ready *ready)
{
    const struct sw_ready_order *quick = &ready->orders[SW_READY_QUICK];
    struct sw_ready_queue *queue = &ready->picked->queues[SW_READY_QUICK][ready->picked_priority];
    uint64_t queued = ready->slow_count;

    for (uint32_t p = 0; p < SW_PRIORITIES; p++)
        queued += quick->queued[p];
    if (ready->picked_kind == SW_READY_QUICK && queued == queue->count) {
        ready->alone = queue;
        ready->alone_priority = ready->picked_priority;
    }
}

static struct sw_ready_link *next_of_all(struct sw_ready *ready, uint32_t *ret_priority)
{
    struct sw_ready_link *link = NULL;

    if (!has_slow(ready))
        return next_of(ready, SW_READY_QUICK, ret_priority);
    if (ready->debt_ns == 0)
        link = next_slow(ready, ret_priority);
    if (link == NULL)
        link = next_of(ready, SW_READY_QUICK, ret_priority);
    return link != NULL ? link : next_slow(ready, ret_priority);
}

struct sw_ready_link *sw_ready_next(struct sw_ready *ready, uint32_t *ret_priority)
{
    struct sw_ready_link *link = NULL;

    if (sw_ready_rest_ns(ready) <= ready->now_ns && end_rests(ready) != SW_OK)
        ready->is_broken = true;
    if (ready->alone != NULL)
        link = next_alone(ready, ret_priority);
    if (link != NULL)
        return link;
    ready->alone = NULL;
    link = next_of_all(ready, ret_priority);
    if (link != NULL)
        look_for_alone(ready);
    return link;
}

/* Move it back by the time it used. It is in the heap, so no memory is needed; one that left the
 * heap meanwhile keeps its time for when it returns. */
static void add_time(struct sw_heap *heap, struct sw_ready_queue *queue, uint64_t ns)
{
    if (queue->entry.at == SW_HEAP_ABSENT || heap->count == 1)
        queue->entry.rank += ns;
    else
        (void)!sw_heap_put(heap, &queue->entry, queue->entry.rank + ns);
}

void sw_ready_charge(struct sw_ready *ready, uint64_t ns)
{
    struct sw_share *share = ready->picked;
    uint32_t priority = ready->picked_priority;
    enum sw_ready_kind kind = ready->picked_kind;
    struct sw_ready_queue *space;
    uint64_t weighted;

    if (share == NULL)
        return;
    ready->picked = NULL;
    ns += SW_READY_COST_NS;
    weighted = share->weight == SW_WEIGHT_STANDARD ? ns : ns * SW_WEIGHT_STANDARD / share->weight;
    space = &share->parent->queues[kind][priority];
    add_time(&space->agents, &share->queues[kind][priority], weighted);
    add_time(&ready->orders[kind].spaces[priority], space, ns);
    if (kind == SW_READY_QUICK) {
        ready->debt_ns -= ns < ready->debt_ns ? ns : ready->debt_ns;
    } else {
        ready->debt_ns += ns * SW_READY_QUICK_PART;
        if (ready->debt_ns > SW_READY_DEBT_NS_MAX)
            ready->debt_ns = SW_READY_DEBT_NS_MAX;
    }
}

uint64_t sw_share_take_used(struct sw_share *share)
{
    uint64_t used_ns = share == NULL ? 0 : share->used_ns;

    if (share != NULL)
        share->used_ns = 0;
    return used_ns;
}

void sw_share_add_used(struct sw_share *share, uint64_t ns)
{
    if (share != NULL)
        share->used_ns += ns;
}

bool sw_ready_is_empty(const struct sw_ready *ready)
{
    for (uint32_t p = 0; p < SW_PRIORITIES; p++)
        if (ready->orders[SW_READY_QUICK].queued[p] > 0)
            return false;
    return !has_slow(ready);
}

/* --- Slow Agents ------------------------------------------------------------------------------ */

/* All that is queued of an Agent goes where it belongs by now. */
static enum sw_rc change_kind(struct sw_ready *ready, struct sw_share *share, bool is_slow)
{
    enum sw_ready_kind from = kind_of(share), to;
    enum sw_rc rc = SW_OK;

    ready->alone = NULL;
    share->is_slow = is_slow;
    ready->slow += is_slow ? 1u : -1u;
    to = kind_of(share);
    for (uint32_t p = 0; p < SW_PRIORITIES && rc == SW_OK; p++) {
        struct sw_ready_queue *old = &share->queues[from][p], *new = &share->queues[to][p];

        if (old->last == NULL)
            continue;
        rc = enter_both(ready, share, to, p);
        new->last = old->last;
        new->count = old->count;
        count(ready, share, from, p, 0 - old->count);
        count(ready, share, to, p, new->count);
        old->last = NULL;
        old->count = 0;
    }
    return rc;
}

enum sw_rc sw_share_set_slow(struct sw_ready *ready, struct sw_share *share)
{
    share->quick = 0;
    return share->is_slow ? SW_OK : change_kind(ready, share, true);
}

enum sw_rc sw_share_note_quick(struct sw_ready *ready, struct sw_share *share)
{
    if (!share->is_slow || ++share->quick < SW_SHARE_QUICK_MIN)
        return SW_OK;
    return change_kind(ready, share, false);
}

bool sw_share_is_slow(const struct sw_share *share)
{
    return share->is_slow;
}

void sw_share_begin_going(struct sw_share *share)
{
    share->going++;
    share->parent->going++;
}

enum sw_rc sw_share_end_going(struct sw_ready *ready, struct sw_share *share)
{
    enum sw_rc rc = SW_OK;

    share->going--;
    share->parent->going--;
    for (uint32_t p = 0; p < SW_PRIORITIES && rc == SW_OK; p++) {
        struct sw_ready_queue *space = &share->parent->queues[SW_READY_SLOW][p];

        if (share->queues[SW_READY_SLOW][p].last != NULL)
            rc = enter_both(ready, share, SW_READY_SLOW, p);
        else if (space->agents.count > 0)
            rc = enter_space(ready, space, SW_READY_SLOW, p);
    }
    return rc;
}

uint32_t sw_share_space_going(const struct sw_share *share)
{
    return share->parent->going;
}

/* Namespaces that had been capped may be picked again. */
static enum sw_rc let_in(struct sw_ready *ready)
{
    struct sw_map_entry entry;
    size_t cursor = 0;
    enum sw_rc rc = SW_OK;

    while (rc == SW_OK && sw_map_next(ready->shares, &cursor, &entry)) {
        struct sw_share *share = entry.value;

        for (uint32_t p = 0; share->parent == NULL && p < SW_PRIORITIES && rc == SW_OK; p++)
            if (share->queues[SW_READY_SLOW][p].agents.count > 0)
                rc = enter_space(ready, &share->queues[SW_READY_SLOW][p], SW_READY_SLOW, p);
    }
    return rc;
}

enum sw_rc sw_ready_set_room(struct sw_ready *ready, enum sw_ready_room room)
{
    bool is_more = room < ready->room;

    ready->room = room;
    return is_more ? let_in(ready) : SW_OK;
}

enum sw_rc sw_ready_add_going(struct sw_ready *ready, struct sw_share *share,
                              struct sw_ready_link *link, uint32_t priority)
{
    return add(ready, share, SW_READY_GOING, link, priority);
}

void sw_ready_remove_going(struct sw_ready *ready, struct sw_share *share,
                           struct sw_ready_link *link)
{
    remove_all(ready, share, SW_READY_GOING, link);
}

struct sw_ready_link *sw_ready_next_going(struct sw_ready *ready)
{
    uint32_t priority;

    ready->is_unbounded = true;
    if (end_rests(ready) != SW_OK)
        ready->is_broken = true;
    return next_of(ready, SW_READY_GOING, &priority);
}
