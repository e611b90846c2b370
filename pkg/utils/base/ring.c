#include "pkg/utils/base/ring.h"

#include <stdalign.h>
#include <stdatomic.h>
#include <stdlib.h>

#define RING_CAPACITY_MAX ((size_t)1 << 24)
#define CACHE_LINE_BYTES 64

/* Dmitry Vyukov's bounded queue: a cell's turn says whether it awaits a put (turn == position) or a
 * get (turn == position + 1); producers claim a position by compare-and-swap on tail. */
struct cell {
    _Atomic size_t turn;
    void *item;
};

struct sw_ring {
    struct cell *cells;
    size_t mask;
    alignas(CACHE_LINE_BYTES) _Atomic size_t tail;
    alignas(CACHE_LINE_BYTES) _Atomic size_t head; /* Written by the consumer alone. */
};

struct sw_ring *sw_ring_new(size_t capacity)
{
    size_t rounded = 2;
    struct sw_ring *ring;

    while (rounded < capacity && rounded < RING_CAPACITY_MAX)
        rounded *= 2;
    ring = aligned_alloc(CACHE_LINE_BYTES, sizeof *ring);
    if (ring == NULL)
        return NULL;
    ring->cells = calloc(rounded, sizeof *ring->cells);
    if (ring->cells == NULL) {
        free(ring);
        return NULL;
    }
    ring->mask = rounded - 1;
    atomic_init(&ring->tail, 0);
    atomic_init(&ring->head, 0);
    for (size_t i = 0; i < rounded; i++)
        atomic_init(&ring->cells[i].turn, i);
    return ring;
}

void sw_ring_free(struct sw_ring *ring)
{
    if (ring == NULL)
        return;
    free(ring->cells);
    free(ring);
}

bool sw_ring_put(struct sw_ring *ring, void *item)
{
    size_t at = atomic_load_explicit(&ring->tail, memory_order_relaxed);

    for (;;) {
        struct cell *cell = &ring->cells[at & ring->mask];
        size_t turn = atomic_load_explicit(&cell->turn, memory_order_acquire);

        if (turn == at) {
            if (atomic_compare_exchange_weak_explicit(&ring->tail, &at, at + 1,
                                                      memory_order_relaxed, memory_order_relaxed)) {
                cell->item = item;
                atomic_store_explicit(&cell->turn, at + 1, memory_order_release);
                return true;
            }
        } else if ((ptrdiff_t)(turn - at) < 0) {
            return false; /* The consumer has not emptied this cell since the last lap. */
        } else {
            at = atomic_load_explicit(&ring->tail, memory_order_relaxed);
        }
    }
}

void *sw_ring_get(struct sw_ring *ring)
{
    size_t at = atomic_load_explicit(&ring->head, memory_order_relaxed);
    struct cell *cell = &ring->cells[at & ring->mask];
    void *item;

    if (atomic_load_explicit(&cell->turn, memory_order_acquire) != at + 1)
        return NULL;
    item = cell->item;
    atomic_store_explicit(&cell->turn, at + ring->mask + 1, memory_order_release);
    atomic_store_explicit(&ring->head, at + 1, memory_order_relaxed);
    return item;
}

size_t sw_ring_count(const struct sw_ring *ring)
{
    size_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
    size_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);

    return tail - head;
}
