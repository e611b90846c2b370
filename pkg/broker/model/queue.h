/* Who is next: calls that wait for a provider, by priority, and within one by agent.
 *
 * Of 15 turns the four priorities have 8, 4, 2 and 1 while all of them wait; what one does not use
 * the others have. Agents of one priority take turns, so that nobody waits for all calls of
 * another. Threads: one at a time.  I/O: none.  Limits: the caller bounds how many wait. */
#pragma once
#include "pkg/broker/model/model.h"
#include "pkg/utils/base/list.h"
#include "pkg/utils/base/map.h"

struct model_queue {
    struct sw_map *flows; /* struct model_flow, by priority and agent. */
    struct sw_list ready[SW_MODEL_PRIORITIES];
    unsigned credits[SW_MODEL_PRIORITIES];
    uint32_t count;
};

struct model_waiter { /* Embedded in who waits. */
    struct sw_list node;
    struct model_flow *flow; /* NULL: it does not wait. */
};

/* SW_E_EXHAUSTED: no memory. */
SW_MUST_CHECK enum sw_rc sw_model_queue_init(struct model_queue *queue, uint64_t seed);
void sw_model_queue_done(struct model_queue *queue); /* Who waits is not touched. */
/* Wait, as agent `name` of that priority, behind those of the same that wait already.
 * SW_E_EXHAUSTED: no memory. */
SW_MUST_CHECK enum sw_rc sw_model_queue_add(struct model_queue *queue, unsigned priority,
                                            struct sw_bytes name, struct model_waiter *waiter);
/* Wait no more; who does not wait is left alone. */
void sw_model_queue_remove(struct model_queue *queue, struct model_waiter *waiter);
/* Take the next one out; NULL: nobody waits. */
struct model_waiter *sw_model_queue_take(struct model_queue *queue);
