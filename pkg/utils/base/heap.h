/* A binary min-heap of intrusive entries ordered by a 64-bit rank, for timers and back-off queues.
 *
 * Entries of equal rank leave in the order of their insertion, unless 2^31 others came between.
 * Threads: one at a time.  I/O: none.  Limits: the caller bounds how many entries it adds. */
#pragma once
#include "pkg/utils/errors/errors.h"

#include <stdint.h>

#define SW_HEAP_ABSENT UINT32_MAX

struct sw_heap_entry { /* Embedded in the caller's struct, which owns it. Start with SW_HEAP_ABSENT.
                        */
    uint64_t rank;
    uint32_t order; /* Set by the heap. */
    uint32_t at;    /* Index in the heap, or SW_HEAP_ABSENT. */
};

struct sw_heap {
    struct sw_heap_entry **entries; /* Owned array of borrowed entries. */
    uint32_t count, capacity;       /* Below SW_HEAP_ABSENT. */
    uint32_t next_order;
};

void sw_heap_init(struct sw_heap *heap);
void sw_heap_done(struct sw_heap *heap); /* Entries are not touched. */
/* Insert, or move if it is in the heap already.  SW_E_EXHAUSTED: no memory, nothing changed. */
SW_MUST_CHECK enum sw_rc sw_heap_put(struct sw_heap *heap, struct sw_heap_entry *entry,
                                     uint64_t rank);
void sw_heap_remove(struct sw_heap *heap, struct sw_heap_entry *entry); /* Absent: does nothing. */
struct sw_heap_entry *sw_heap_first(const struct sw_heap *heap);        /* NULL when empty. */
