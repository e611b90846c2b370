#include "pkg/utils/base/heap.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>

#define HEAP_CAPACITY_MIN 16

void sw_heap_init(struct sw_heap *heap)
{
    *heap = (struct sw_heap){0};
}

void sw_heap_done(struct sw_heap *heap)
{
    free(heap->entries);
    *heap = (struct sw_heap){0};
}

static bool is_before(const struct sw_heap_entry *one, const struct sw_heap_entry *other)
{
    return one->rank != other->rank ? one->rank < other->rank
                                    : (int32_t)(one->order - other->order) < 0;
}

static void place(struct sw_heap *heap, uint32_t at, struct sw_heap_entry *entry)
{
    heap->entries[at] = entry;
    entry->at = at;
}

static void sift_up(struct sw_heap *heap, uint32_t at)
{
    struct sw_heap_entry *entry = heap->entries[at];

    while (at > 0 && is_before(entry, heap->entries[(at - 1) / 2])) {
        place(heap, at, heap->entries[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    place(heap, at, entry);
}

static void sift_down(struct sw_heap *heap, uint32_t at)
{
    struct sw_heap_entry *entry = heap->entries[at];

    for (;;) {
        uint32_t child = 2 * at + 1;

        if (child >= heap->count)
            break;
        if (child + 1 < heap->count && is_before(heap->entries[child + 1], heap->entries[child]))
            child++;
        if (!is_before(heap->entries[child], entry))
            break;
        place(heap, at, heap->entries[child]);
        at = child;
    }
    place(heap, at, entry);
}

static bool heap_grow(struct sw_heap *heap)
{
    uint32_t capacity = heap->capacity == 0 ? HEAP_CAPACITY_MIN : heap->capacity * 2;
    struct sw_heap_entry **entries;

    if (capacity < heap->capacity) /* No 32 bits count so many. */
        return false;
    entries = reallocarray(heap->entries, capacity, sizeof *entries);
    if (entries == NULL)
        return false;
    heap->entries = entries;
    heap->capacity = capacity;
    return true;
}

enum sw_rc sw_heap_put(struct sw_heap *heap, struct sw_heap_entry *entry, uint64_t rank)
{
    if (entry->at == SW_HEAP_ABSENT && heap->count == heap->capacity && !heap_grow(heap))
        return SW_E_EXHAUSTED;
    sw_heap_remove(heap, entry);
    entry->rank = rank;
    entry->order = heap->next_order++;
    place(heap, heap->count++, entry);
    sift_up(heap, entry->at);
    return SW_OK;
}

void sw_heap_remove(struct sw_heap *heap, struct sw_heap_entry *entry)
{
    uint32_t at = entry->at;
    struct sw_heap_entry *last;

    if (at == SW_HEAP_ABSENT)
        return;
    assert(at < heap->count && heap->entries[at] == entry);
    entry->at = SW_HEAP_ABSENT;
    last = heap->entries[--heap->count];
    if (last == entry)
        return;
    place(heap, at, last);
    sift_down(heap, at);
    sift_up(heap, last->at);
}

struct sw_heap_entry *sw_heap_first(const struct sw_heap *heap)
{
    return heap->count == 0 ? NULL : heap->entries[0];
}
