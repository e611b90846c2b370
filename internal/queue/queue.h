/* A work queue of names: each is there once, is worked on by one at a time, and comes back later
 * and later while its work fails.
 *
 *     add ---> waiting (due time) ---> ready ---> take ---> in work ---> done --> gone
 *                  ^                                           |  added meanwhile: ready again
 *                  +---------- retry: initial, x2 ... max -----+
 *
 * Time is handed in, so tests and simulations choose it.
 * Threads: one at a time.  I/O: none.  Limits: items_max names of SW_QUEUE_NAME_MAX bytes. */
#pragma once
#include "pkg/utils/errors/errors.h"

#include <stdbool.h>
#include <stdint.h>

#define SW_QUEUE_NAME_MAX 384
#define SW_QUEUE_NEVER UINT64_MAX

struct sw_queue; /* Opaque. */

struct sw_queue_options {
    size_t items_max;                    /* Names waiting, ready, in work or with failures. */
    uint64_t backoff_ns, backoff_max_ns; /* The first wait after a failure, and the longest. */
};

struct sw_queue *sw_queue_new(const struct sw_queue_options *options); /* NULL: no memory. */
void sw_queue_free(struct sw_queue *queue);
SW_DEFINE_CLEANUP(struct sw_queue, sw_queue_free)

/* Make a name ready at due_ns (now or earlier: at once). A name that waits keeps the earlier of
 * both times; one in work comes back after it is done. SW_E_EXHAUSTED: full or no memory.
 * SW_E_INVALID: the name is too long. */
SW_MUST_CHECK enum sw_rc sw_queue_add(struct sw_queue *queue, const char *name, uint64_t due_ns);
/* Begin work on the name that is due first; NULL when none is due. Borrowed until done or retry. */
const char *sw_queue_take(struct sw_queue *queue, uint64_t now_ns);
/* The work on a taken name succeeded: its failures are forgotten. */
void sw_queue_done(struct sw_queue *queue, const char *name);
/* The work failed: the name is due again after a wait that doubles with each failure in a row. */
void sw_queue_retry(struct sw_queue *queue, const char *name, uint64_t now_ns);
/* Failures in a row of this name. */
unsigned sw_queue_failures(const struct sw_queue *queue, const char *name);
/* When the next name is due; SW_QUEUE_NEVER when none waits. */
uint64_t sw_queue_next_due(const struct sw_queue *queue);
size_t sw_queue_count(const struct sw_queue *queue); /* Waiting, ready or in work. */
