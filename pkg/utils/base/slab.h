/* Objects of a few sizes side by side in large chunks: hundreds of thousands of them lie in few
 * pages, and the pages of all chunks but the first of a size may be huge, so that one that is
 * looked at after a while costs no long walk through the page tables.
 *
 * Threads: one at a time.  I/O: none but memory from the kernel.
 * Limits: objects up to SW_SLAB_BYTES_MAX; how many is the caller's. A chunk (2 MiB) goes back to
 * the kernel when it is empty and another one of its size has room.
 * After: Bonwick, The Slab Allocator, USENIX 1994. Under AddressSanitizer each object is an
 * allocation of its own, so that what is used after its end is found. */
#pragma once
#include "pkg/utils/base/list.h"

#include <stdint.h>

#define SW_SLAB_ALIGN 64u /* A line of the processor's cache, at which each object begins. */
#define SW_SLAB_BYTES_MAX 1024u

struct sw_slabs {
    struct sw_list chunks[SW_SLAB_BYTES_MAX / SW_SLAB_ALIGN]; /* That have room, by size. */
    uint32_t counts[SW_SLAB_BYTES_MAX / SW_SLAB_ALIGN];       /* All chunks of a size. */
};

void sw_slabs_init(struct sw_slabs *slabs);
/* Each object must have been put back. */
void sw_slabs_done(struct sw_slabs *slabs);
/* Room for so many bytes, 1 to SW_SLAB_BYTES_MAX, zeroed. NULL: no memory. */
void *sw_slabs_take(struct sw_slabs *slabs, size_t size);
/* It was taken with that size. */
void sw_slabs_put(struct sw_slabs *slabs, void *object, size_t size);
