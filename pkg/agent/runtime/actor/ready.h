/* Who runs next on a worker: by priority, then fair by processor time between namespaces, then
 * between the Agents of a namespace, then in order.
 *
 *     priority (8 : 4 : 2 : 1 of the picks)
 *        '- namespace with the least time ---- Agent of it with the least time / weight
 *                                                 '- its ready instances, first come first
 *
 * Start-time fair queueing: whoever comes back after a rest begins at the time of who runs now, so
 * nobody saves up, and nobody starves: an Agent with a hundred thousand ready instances gets as
 * much as its neighbour with one.
 * Threads: one at a time.  I/O: none; whoever runs what was picked says how long it took.
 * Cost: O(log n) in the namespaces and Agents that have anything ready; with one of them, O(1). */
#pragma once
#include "pkg/utils/base/buffer.h"
#include "pkg/utils/base/heap.h"
#include "pkg/utils/base/map.h"

#define SW_PRIORITIES 4
#define SW_WEIGHT_STANDARD 100u
#define SW_READY_COST_NS                                                                           \
    1000u /* A pick costs this beside its time, so that picks alternate even                       \
             where a clock stands still. */

struct sw_ready_link { /* In each instance; zeroed: nowhere. */
    struct sw_ready_link *next[SW_PRIORITIES];
    uint8_t queued; /* Bit p: it stands in the queue of priority p. */
};

struct sw_share; /* Opaque: an Agent in a worker, with its part of the processor. */
struct sw_ready_queue;

#define SW_SHARE_QUICK_MIN 64u /* Segments until a slow Agent is taken for a quick one again. */

struct sw_ready {
    struct sw_map *shares;                /* struct sw_share by namespace, and by Agent. */
    struct sw_heap spaces[SW_PRIORITIES]; /* Namespaces with ready Agents, by their time. */
    uint64_t floor_ns[SW_PRIORITIES];     /* Time of the namespace that was picked last. */
    uint32_t credits[SW_PRIORITIES];      /* Picks left of this round. */
    uint64_t queued[SW_PRIORITIES];       /* Instances, but for those that are held. */
    struct sw_share *picked;              /* Whose time is not charged yet; NULL: nobody's. */
    uint32_t picked_priority;
    bool holds_slow;             /* Nothing of slow Agents is picked. */
    struct sw_ready_queue *held; /* Of theirs, out of their heaps for as long. */
};

/* After a failure sw_ready_done is still to be called. */
SW_MUST_CHECK enum sw_rc sw_ready_init(struct sw_ready *ready, uint64_t seed);
void sw_ready_done(struct sw_ready *ready);

/* The share of an Agent, counted; made if there is none. NULL: no memory. */
struct sw_share *sw_ready_share_get(struct sw_ready *ready, struct sw_bytes name_space,
                                    struct sw_bytes agent);
/* Nothing of the Agent is queued any more when the last one is put back. */
void sw_ready_share_put(struct sw_ready *ready, struct sw_share *share);
/* weight: 1 to 1,000 of SW_WEIGHT_STANDARD. */
void sw_share_set_weight(struct sw_share *share, uint32_t weight);

/* Queue it at a priority; once.  SW_E_EXHAUSTED: no memory. */
SW_MUST_CHECK enum sw_rc sw_ready_add(struct sw_ready *ready, struct sw_share *share,
                                      struct sw_ready_link *link, uint32_t priority);
/* Take it out of all queues. O(n) in the queue. */
void sw_ready_remove(struct sw_ready *ready, struct sw_share *share, struct sw_ready_link *link);
/* The next one, out of its queue; NULL: none. */
struct sw_ready_link *sw_ready_next(struct sw_ready *ready, uint32_t *ret_priority);
/* Whether nothing else is ready than what belongs to the share and the priority that were picked
 * last: the next pick is the same, whatever that is charged. */
bool sw_ready_is_alone(const struct sw_ready *ready);
/* How long what was picked last ran. */
void sw_ready_charge(struct sw_ready *ready, uint64_t ns);
/* Have the next charge be for `share`, as if it had been picked at this priority. */
void sw_ready_pick_again(struct sw_ready *ready, struct sw_share *share, uint32_t priority);
/* Whether slow Agents wait, whatever they have ready, or are picked as others are.
 * SW_E_EXHAUSTED: no memory. */
SW_MUST_CHECK enum sw_rc sw_ready_hold_slow(struct sw_ready *ready, bool holds);
/* A segment of the Agent ran for long: it is slow until so many of its segments did not. */
void sw_share_set_slow(struct sw_share *share);
void sw_share_note_quick(struct sw_share *share);
bool sw_share_is_slow(const struct sw_share *share);
/* Whether there is nothing to pick, as far as is known without looking. */
bool sw_ready_is_empty(const struct sw_ready *ready);
