/* The work queue of a controller: names of objects to look at, each at most once, with back-off.
 *
 *            add                 take                done
 *   absent ------> waiting(due) ------> taken ------------------> absent
 *                     ^   add: sooner     | add: marked again        |
 *                     +-------------------+------ done, if marked ---+
 *
 * A name that is taken is not given out again until it is done, so one object is never worked on
 * twice at a time, and a change that arrives meanwhile is not lost.
 * Threads: one.  I/O: none; now_ms is monotonic and handed in.  Limits: items_max of the queue. */
#pragma once
#include "pkg/utils/base/buffer.h"

#define SW_QUEUE_KEY_MAX 512 /* Bytes of a name with its NUL. */

struct sw_queue; /* Opaque. */

struct sw_queue_options {
    uint64_t backoff_ms;     /* After the first failure of a name; doubles with each. 0: 20. */
    uint64_t backoff_max_ms; /* 0: 60,000. */
    size_t items_max;        /* Waiting and taken; 0: 1,000,000. */
};

/* Options may be NULL. NULL when memory is out. */
struct sw_queue *sw_queue_new(const struct sw_queue_options *options);
void sw_queue_free(struct sw_queue *queue);
SW_DEFINE_CLEANUP(struct sw_queue, sw_queue_free)

/* Have the name looked at once delay_ms have passed, or earlier if it is due earlier already.
 * SW_E_INVALID: the name is empty or too long.  SW_E_EXHAUSTED: the queue is full. */
SW_MUST_CHECK enum sw_rc sw_queue_add(struct sw_queue *queue, const char *key, uint64_t now_ms,
                                      uint64_t delay_ms);
/* Take the name that is due longest into ret_key; false when none is due. */
SW_MUST_CHECK bool sw_queue_take(struct sw_queue *queue, uint64_t now_ms,
                                 char ret_key[SW_QUEUE_KEY_MAX]);
/* The work on a taken name ended. Failed: it is due again after its back-off, which grows.
 * Otherwise its back-off starts anew, and it is due at once if it was added meanwhile. */
void sw_queue_done(struct sw_queue *queue, const char *key, uint64_t now_ms, bool has_failed);
/* When the next name is due, monotonic ms; false when nothing waits. */
SW_MUST_CHECK bool sw_queue_due(const struct sw_queue *queue, uint64_t *ret_due_ms);
/* Names waiting or taken. */
size_t sw_queue_count(const struct sw_queue *queue);
