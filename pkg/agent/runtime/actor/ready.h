/* Who runs next on a worker: the quick before the slow, then by priority, then fair by processor
 * time between namespaces, then between the Agents of a namespace, then in order.
 *
 *     quick | slow | going          (four fifths and one fifth of the time, where both have any)
 *        '- priority                (8 : 4 : 2 : 1 of the picks)
 *              '- namespace with the least time ---- Agent of it with the least time / weight
 *                                                       '- its ready instances, first come first,
 *                                                          but for sw_ready_add_next
 *
 * An Agent is slow once one of its segments ran for long. Slow are those that are to begin, going
 * those that have begun and were set aside (overtake.h): these two take turns.
 * Start-time fair queueing: whoever comes back after a rest begins at the time of who runs now, so
 * nobody saves up, and nobody starves: an Agent with a hundred thousand ready instances gets as
 * much as its neighbour with one.
 * A namespace that has used all the processor time that its quota allows (quota.h) rests: it is in
 * no queue that is picked from until the time that it may run again, and nobody looks at it before.
 * Threads: one at a time.  I/O: none; whoever runs what was picked says how long it took.
 * Limits: SW_GOING_AGENT_MAX and SW_GOING_SPACE_MAX segments of an Agent, of a namespace, are begun
 * while they are slow; others of theirs wait. Where room is scarce, SW_GOING_SPACE_MIN of a
 * namespace may begin.
 * Cost: O(log n) in the namespaces and Agents that have anything ready; with one of them, O(1). */
#pragma once
#include "pkg/utils/base/buffer.h"
#include "pkg/utils/base/heap.h"
#include "pkg/utils/base/map.h"

#define SW_PRIORITIES 4
#define SW_WEIGHT_STANDARD 100u
#define SW_READY_COST_NS                                                                           \
    1000u                      /* A pick costs this beside its time, so that picks alternate even  \
                                  where a clock stands still. */
#define SW_READY_QUICK_PART 4u /* The quick have so many times what the slow had, */
#define SW_READY_DEBT_NS_MAX 20000000u /* up to this at once. */
#define SW_SHARE_QUICK_MIN 64u /* Segments until a slow Agent is taken for a quick one again. */
#define SW_GOING_AGENT_MAX 8u
#define SW_GOING_SPACE_MAX 64u
#define SW_GOING_SPACE_MIN 2u /* So many a namespace may begin whatever others have. */

struct sw_ready_link { /* In each instance; zeroed: nowhere. */
    struct sw_ready_link *next[SW_PRIORITIES];
    uint8_t queued; /* Bit p: it stands in the queue of priority p. */
};

struct sw_quota; /* quota.h */
struct sw_share; /* Opaque: an Agent in a worker, with its part of the processor. */

enum sw_ready_room { /* For slow ones to begin: */
                     SW_READY_ROOM,
                     SW_READY_SCARCE, /* only those of namespaces with fewer than
                                         SW_GOING_SPACE_MIN, */
                     SW_READY_FULL    /* none. */
};
enum sw_ready_kind { SW_READY_QUICK, SW_READY_SLOW, SW_READY_GOING, SW_READY_KINDS };

struct sw_ready_order {                   /* Of one kind. */
    struct sw_heap spaces[SW_PRIORITIES]; /* Namespaces with ready Agents, by their time. */
    uint64_t floor_ns[SW_PRIORITIES];     /* Time of the namespace that was picked last. */
    uint32_t credits[SW_PRIORITIES];      /* Picks left of this round. */
    uint64_t queued[SW_PRIORITIES];       /* Instances. */
};

struct sw_ready_queue; /* Opaque: of a share, a kind and a priority. */

struct sw_ready {
    /* In which all stands that is ready, of this priority; NULL: not known, or not in one. */
    struct sw_ready_queue *alone;
    uint32_t alone_priority;
    struct sw_map *shares; /* struct sw_share by namespace, and by Agent. */
    struct sw_ready_order orders[SW_READY_KINDS];
    uint64_t slow_count;     /* Queued in the last two of them. */
    uint32_t slow;           /* Agents that are. */
    uint64_t debt_ns;        /* That the quick have before one of those is picked again. */
    struct sw_share *picked; /* Whose time is not charged yet; NULL: nobody's. */
    uint32_t picked_priority;
    enum sw_ready_kind picked_kind;
    bool turn_of_slow; /* And not of going. */
    enum sw_ready_room room;
    uint64_t now_ns;        /* By the monotonic clock; the caller's to set. */
    struct sw_heap resting; /* Namespaces, by when they may run again. */
    bool is_unbounded;      /* None rests any more. */
    bool is_broken;         /* There was no memory for one to come back. */
    /* One rests from now on, and the first of each of its Agents that has something ready. */
    void (*on_held)(void *ctx, enum sw_ready_kind kind, struct sw_ready_link *link);
    void *held_ctx;
    bool rests; /* Neither a slow nor a going one is picked. */
};

/* Whom a segment writes to first runs right after it, while what both need is in the processor's
 * caches; so many times in a row, and as long as segments are short (worker.c). */
struct sw_hand_on {
    struct sw_ready_link *link; /* That it was done for; NULL: for none. */
    uint32_t count;             /* In a row. */
    bool is_open;               /* The segment that runs now has not yet. */
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

/* The quota of its namespace, which is to outlive the share; NULL: none. */
void sw_share_set_quota(struct sw_share *share, struct sw_quota *quota);
/* It ran for so long; NULL: nobody did. */
void sw_share_use_cpu(struct sw_share *share, uint64_t used_ns, uint64_t now_ns);
/* When the first namespace that rests may run again; UINT64_MAX: none rests. */
uint64_t sw_ready_rest_ns(const struct sw_ready *ready);

/* Queue it at a priority; once.  SW_E_EXHAUSTED: no memory. */
SW_MUST_CHECK enum sw_rc sw_ready_add(struct sw_ready *ready, struct sw_share *share,
                                      struct sw_ready_link *link, uint32_t priority);
/* The same; it is picked next if all that is ready stands in the queue where it belongs. Returns
 * through *ret_is_next whether it is. */
SW_MUST_CHECK enum sw_rc sw_ready_add_next(struct sw_ready *ready, struct sw_share *share,
                                           struct sw_ready_link *link, uint32_t priority,
                                           bool *ret_is_next);
/* Take it out of all queues. O(n) in the queue. */
void sw_ready_remove(struct sw_ready *ready, struct sw_share *share, struct sw_ready_link *link);
/* The next one, out of its queue, and its kind in ready->picked_kind; NULL: none. */
struct sw_ready_link *sw_ready_next(struct sw_ready *ready, uint32_t *ret_priority);
/* Whether nothing else is ready than what belongs to the share and the priority that were picked
 * last: the next pick is the same, whatever that is charged. False, too, if it is not known. */
static inline bool sw_ready_is_alone(const struct sw_ready *ready)
{
    return ready->alone != NULL;
}
/* How long what was picked last ran. */
void sw_ready_charge(struct sw_ready *ready, uint64_t ns);
/* Beside its part: a sum of what an Agent used, and all of that, which is 0 again then. share NULL:
 * nothing. */
void sw_share_add_used(struct sw_share *share, uint64_t ns);
uint64_t sw_share_take_used(struct sw_share *share);
/* Whether there is nothing to pick, as far as is known without looking; who rests aside. */
bool sw_ready_is_empty(const struct sw_ready *ready);

/* --- Slow Agents ------------------------------------------------------------------------------ */

/* A segment of the Agent ran for long: it is slow until so many of its segments did not.
 * SW_E_EXHAUSTED: no memory. */
SW_MUST_CHECK enum sw_rc sw_share_set_slow(struct sw_ready *ready, struct sw_share *share);
SW_MUST_CHECK enum sw_rc sw_share_note_quick(struct sw_ready *ready, struct sw_share *share);
bool sw_share_is_slow(const struct sw_share *share);
/* A segment of the Agent was set aside for the first time, and has ended. */
void sw_share_begin_going(struct sw_share *share);
SW_MUST_CHECK enum sw_rc sw_share_end_going(struct sw_ready *ready, struct sw_share *share);
/* Those of its namespace that are. */
uint32_t sw_share_space_going(const struct sw_share *share);
SW_MUST_CHECK enum sw_rc sw_ready_set_room(struct sw_ready *ready, enum sw_ready_room room);
/* Queue one that is set aside. */
SW_MUST_CHECK enum sw_rc sw_ready_add_going(struct sw_ready *ready, struct sw_share *share,
                                            struct sw_ready_link *link, uint32_t priority);
/* Take it out again. O(n) in the queue. */
void sw_ready_remove_going(struct sw_ready *ready, struct sw_share *share,
                           struct sw_ready_link *link);
/* One of those that are set aside, whoever's turn it is and whatever quotas say from here on, out
 * of its queue; NULL: none. */
struct sw_ready_link *sw_ready_next_going(struct sw_ready *ready);
