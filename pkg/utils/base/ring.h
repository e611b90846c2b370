/* A bounded queue of pointers from many producers to one consumer (Vyukov's bounded queue).
 *
 * Threads: any thread puts, one thread gets; both are lock-free.  I/O: none.
 * Limits: the capacity, a power of two, given at birth; a full ring refuses. */
#pragma once
#include "pkg/utils/errors/errors.h"

#include <stdbool.h>
#include <stdint.h>

struct sw_ring; /* Opaque. */

/* capacity is rounded up to a power of two between 2 and 2^24; NULL when memory is out. */
struct sw_ring *sw_ring_new(size_t capacity);
void sw_ring_free(struct sw_ring *ring); /* Items are not touched. */
SW_DEFINE_CLEANUP(struct sw_ring, sw_ring_free)
/* False when the ring is full: push back on whoever sent. item is not NULL. */
SW_MUST_CHECK bool sw_ring_put(struct sw_ring *ring, void *item);
/* The oldest item, or NULL when there is none. */
void *sw_ring_get(struct sw_ring *ring);
/* Items present, exact only when nobody is putting. */
size_t sw_ring_count(const struct sw_ring *ring);
