#include "pkg/agent/runtime/actor/ready.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define KEY_MAX 512u

struct sw_ready_queue {         /* Of one share at one priority. */
    struct sw_heap_entry entry; /* First: a heap entry is its queue. By time used / weight. */
    struct sw_share *share;
    /* Of an Agent: its ready instances, a ring held by the last one. */
    struct sw_ready_link *last;
    /* Of a namespace: its Agents that have any, and the time of the one that was picked last. */
    struct sw_heap agents;
    uint64_t floor_ns;
    /* Of an Agent: how many those are; whether it is held, and the next one that is. */
    uint64_t count;
    struct sw_ready_queue *held_next;
    bool is_held;
};

struct sw_share { /* An Agent, or a namespace, which is the parent of its Agents. */
    struct sw_share *parent;
    uint64_t refs;
    uint32_t weight;
    bool is_slow;
    uint32_t quick; /* Segments that were not, since. */
    struct sw_ready_queue queues[SW_PRIORITIES];
    uint32_t key_size;
    uint8_t key[];
};

enum sw_rc sw_ready_init(struct sw_ready *ready, uint64_t seed)
{
    memset(ready, 0, sizeof *ready);
    for (uint32_t p = 0; p < SW_PRIORITIES; p++)
        sw_heap_init(&ready->spaces[p]);
    ready->shares = sw_map_new(seed);
    return ready->shares == NULL ? SW_E_EXHAUSTED : SW_OK;
}

static void share_free(struct sw_share *share)
{
    for (uint32_t p = 0; p < SW_PRIORITIES; p++)
        sw_heap_done(&share->queues[p].agents);
    free(share);
}

void sw_ready_done(struct sw_ready *ready)
{
    struct sw_map_entry entry;
    size_t cursor = 0;

    while (ready->shares != NULL && sw_map_next(ready->shares, &cursor, &entry))
        share_free(entry.value);
    sw_map_free(ready->shares);
    for (uint32_t p = 0; p < SW_PRIORITIES; p++)
        sw_heap_done(&ready->spaces[p]);
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
        share->key_size = (uint32_t)key.size;
        memcpy(share->key, key.data, key.size);
        for (uint32_t p = 0; p < SW_PRIORITIES; p++) {
            share->queues[p].entry.at = SW_HEAP_ABSENT;
            share->queues[p].share = share;
            sw_heap_init(&share->queues[p].agents);
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
static void leave(struct sw_ready *ready, struct sw_ready_queue *queue, uint32_t priority)
{
    struct sw_share *parent = queue->share->parent;

    sw_heap_remove(parent == NULL ? &ready->spaces[priority] : &parent->queues[priority].agents,
                   &queue->entry);
}

/* Out of what is held. */
static void release(struct sw_ready *ready, struct sw_ready_queue *queue)
{
    struct sw_ready_queue **at = &ready->held;

    if (!queue->is_held)
        return;
    while (*at != queue)
        at = &(*at)->held_next;
    *at = queue->held_next;
    queue->is_held = false;
}

void sw_ready_share_put(struct sw_ready *ready, struct sw_share *share)
{
    struct sw_share *parent;

    if (share == NULL || --share->refs > 0)
        return;
    parent = share->parent;
    for (uint32_t p = 0; p < SW_PRIORITIES; p++) {
        assert(share->queues[p].last == NULL);
        leave(ready, &share->queues[p], p);
        release(ready, &share->queues[p]);
    }
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

/* --- Queues ---------------------------------------------------------------------------------- */

/* Into its heap, not before whoever runs there now. */
static enum sw_rc enter(struct sw_heap *heap, struct sw_ready_queue *queue, uint64_t floor_ns)
{
    if (queue->entry.at != SW_HEAP_ABSENT)
        return SW_OK;
    return sw_heap_put(heap, &queue->entry,
                       queue->entry.rank > floor_ns ? queue->entry.rank : floor_ns);
}

/* An Agent into its namespace, and that among the others, unless it is held. */
static enum sw_rc enter_both(struct sw_ready *ready, struct sw_ready_queue *queue,
                             uint32_t priority)
{
    struct sw_ready_queue *space = &queue->share->parent->queues[priority];
    enum sw_rc rc;

    if (queue->is_held)
        return SW_OK;
    rc = enter(&space->agents, queue, space->floor_ns);
    return rc != SW_OK ? rc : enter(&ready->spaces[priority], space, ready->floor_ns[priority]);
}

enum sw_rc sw_ready_add(struct sw_ready *ready, struct sw_share *share, struct sw_ready_link *link,
                        uint32_t priority)
{
    struct sw_ready_queue *queue = &share->queues[priority];
    enum sw_rc rc = enter_both(ready, queue, priority);

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
    if (!queue->is_held)
        ready->queued[priority]++;
    return SW_OK;
}

static void leave_ring(struct sw_ready *ready, struct sw_ready_queue *queue,
                       struct sw_ready_link *link, uint32_t priority)
{
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
    if (!queue->is_held)
        ready->queued[priority]--;
}

void sw_ready_remove(struct sw_ready *ready, struct sw_share *share, struct sw_ready_link *link)
{
    for (uint32_t p = 0; p < SW_PRIORITIES; p++)
        if ((link->queued & 1u << p) != 0)
            leave_ring(ready, &share->queues[p], link, p);
}

/* --- Picking --------------------------------------------------------------------------------- */

static struct sw_heap_entry *first_of(const struct sw_heap *heap) /* On the hot path. */
{
    return heap->count == 0 ? NULL : heap->entries[0];
}

/* The first queue of a heap that has anything ready. Queues that ran empty stay in their heaps
 * until they come first, since most are filled again before that. */
static struct sw_ready_queue *first_agent(struct sw_ready *ready, struct sw_heap *agents,
                                          uint32_t priority)
{
    struct sw_heap_entry *entry;

    while ((entry = first_of(agents)) != NULL) {
        struct sw_ready_queue *queue = (struct sw_ready_queue *)(void *)entry;
        bool is_held = ready->holds_slow && queue->share->is_slow;

        if (queue->last != NULL && !is_held)
            return queue;
        sw_heap_remove(agents, entry);
        if (queue->last == NULL)
            continue;
        queue->is_held = true;
        ready->queued[priority] -= queue->count;
        queue->held_next = ready->held;
        ready->held = queue;
    }
    return NULL;
}

static struct sw_ready_queue *pick(struct sw_ready *ready, uint32_t priority)
{
    struct sw_heap_entry *entry;

    while ((entry = first_of(&ready->spaces[priority])) != NULL) {
        struct sw_ready_queue *space = (struct sw_ready_queue *)(void *)entry;
        struct sw_ready_queue *queue = first_agent(ready, &space->agents, priority);

        if (queue != NULL) {
            ready->floor_ns[priority] = entry->rank;
            space->floor_ns = queue->entry.rank;
            return queue;
        }
        sw_heap_remove(&ready->spaces[priority], entry);
    }
    return NULL;
}

/* Of 15 picks 8 are urgent, 4 high, 2 normal and 1 low, as far as each has any; so none starves. */
struct sw_ready_link *sw_ready_next(struct sw_ready *ready, uint32_t *ret_priority)
{
    static const uint32_t shares[SW_PRIORITIES] = {1, 2, 4, 8};

    for (int pass = 0; pass < 2; pass++) {
        for (uint32_t p = SW_PRIORITIES; p > 0; p--) {
            uint32_t priority = p - 1;
            struct sw_ready_link *first;
            struct sw_ready_queue *queue;

            if (ready->queued[priority] == 0 || ready->credits[priority] == 0)
                continue;
            queue = pick(ready, priority);
            if (queue == NULL) /* All of it is held. */
                continue;
            ready->credits[priority]--;
            first = queue->last->next[priority];
            leave_ring(ready, queue, first, priority);
            ready->picked = queue->share;
            ready->picked_priority = priority;
            *ret_priority = priority;
            return first;
        }
        for (uint32_t p = 0; p < SW_PRIORITIES; p++)
            ready->credits[p] = shares[p];
    }
    return NULL;
}

bool sw_ready_is_alone(const struct sw_ready *ready)
{
    const struct sw_share *share = ready->picked;
    uint32_t priority = ready->picked_priority;
    uint64_t queued = 0;

    for (uint32_t p = 0; p < SW_PRIORITIES; p++)
        queued += ready->queued[p];
    return share != NULL && queued == ready->queued[priority] &&
           ready->spaces[priority].count == 1 && share->parent->queues[priority].agents.count == 1;
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
    struct sw_ready_queue *space;
    uint64_t weighted;

    if (share == NULL)
        return;
    ready->picked = NULL;
    ns += SW_READY_COST_NS;
    weighted = share->weight == SW_WEIGHT_STANDARD ? ns : ns * SW_WEIGHT_STANDARD / share->weight;
    space = &share->parent->queues[priority];
    add_time(&space->agents, &share->queues[priority], weighted);
    add_time(&ready->spaces[priority], space, ns);
}

void sw_ready_pick_again(struct sw_ready *ready, struct sw_share *share, uint32_t priority)
{
    ready->picked = share;
    ready->picked_priority = priority;
}

/* --- Slow Agents ------------------------------------------------------------------------------ */

enum sw_rc sw_ready_hold_slow(struct sw_ready *ready, bool holds)
{
    struct sw_ready_queue *queue;
    enum sw_rc rc = SW_OK;
    uint32_t priority;

    ready->holds_slow = holds;
    while (!holds && rc == SW_OK && (queue = ready->held) != NULL) {
        ready->held = queue->held_next;
        priority = (uint32_t)(queue - queue->share->queues);
        queue->is_held = false;
        ready->queued[priority] += queue->count;
        rc = enter_both(ready, queue, priority);
    }
    return rc;
}

void sw_share_set_slow(struct sw_share *share)
{
    share->is_slow = true;
    share->quick = 0;
}

void sw_share_note_quick(struct sw_share *share)
{
    if (share->is_slow && ++share->quick >= SW_SHARE_QUICK_MIN)
        share->is_slow = false;
}

bool sw_share_is_slow(const struct sw_share *share)
{
    return share->is_slow;
}

bool sw_ready_is_empty(const struct sw_ready *ready)
{
    for (uint32_t p = 0; p < SW_PRIORITIES; p++)
        if (ready->queued[p] > 0)
            return false;
    return true;
}
