/* How the entries of map.c and idmap.c stand and move: in one array of slots, each as near to its
 * home as those let it that are further from theirs (robin-hood probing). Seen by these two only.
 *
 * A slot is whatever its map makes of it, but for its size and three functions. The functions
 * are constants, and everything here is inlined: no call is made through a pointer.
 * Threads, I/O: as the map.  Limits: a slot has at most SW_ROBIN_SLOT_MAX bytes. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define SW_ROBIN_SLOT_MAX 64u
#define SW_ROBIN_CAPACITY_MIN 16u
#define SW_ROBIN_INLINE static inline __attribute__((always_inline))

struct sw_robin { /* Of zeroes: empty. The first member of its map. */
    void *slots;
    size_t capacity, count; /* capacity is a power of two. */
};

struct sw_robin_kind {
    size_t slot_bytes;
    size_t full_16ths;                              /* So full it may be. */
    bool (*is_free)(const void *slot);              /* A slot of zeroes is. */
    bool (*has)(const void *slot, const void *key); /* Never asked of a free slot. */
    /* Where a slot stands if nothing is in its way, of which as many bits count as are needed. */
    size_t (*home)(const struct sw_robin *robin, const void *slot);
};

SW_ROBIN_INLINE void *sw_robin_slot(const struct sw_robin *robin, const struct sw_robin_kind *kind,
                                    size_t at)
{
    return (char *)robin->slots + at * kind->slot_bytes;
}

/* How far the slot is from its home. */
SW_ROBIN_INLINE size_t sw_robin_distance(const struct sw_robin *robin,
                                         const struct sw_robin_kind *kind, size_t at)
{
    return (at - kind->home(robin, sw_robin_slot(robin, kind, at))) & (robin->capacity - 1);
}

/* The place of the key, whose home is given, or SIZE_MAX. Probing ends where an entry nearer to its
 * home begins. */
SW_ROBIN_INLINE size_t sw_robin_find(const struct sw_robin *robin, const struct sw_robin_kind *kind,
                                     size_t home, const void *key)
{
    size_t at = home & (robin->capacity - 1);

    if (robin->count == 0)
        return SIZE_MAX;
    for (size_t distance = 0;; distance++, at = (at + 1) & (robin->capacity - 1)) {
        const void *slot = sw_robin_slot(robin, kind, at);

        if (kind->is_free(slot))
            return SIZE_MAX;
        if (kind->has(slot, key))
            return at;
        if (sw_robin_distance(robin, kind, at) < distance)
            return SIZE_MAX;
    }
}

/* Put a slot into an array with room for it; the richer entry gives way to the poorer. */
SW_ROBIN_INLINE void sw_robin_place(const struct sw_robin *robin, const struct sw_robin_kind *kind,
                                    void *entering)
{
    size_t at = kind->home(robin, entering) & (robin->capacity - 1);
    char displaced[SW_ROBIN_SLOT_MAX];

    for (size_t distance = 0;; distance++, at = (at + 1) & (robin->capacity - 1)) {
        void *slot = sw_robin_slot(robin, kind, at);
        size_t other;

        if (kind->is_free(slot)) {
            memcpy(slot, entering, kind->slot_bytes);
            return;
        }
        other = sw_robin_distance(robin, kind, at);
        if (other < distance) {
            distance = other;
            memcpy(displaced, slot, kind->slot_bytes);
            memcpy(slot, entering, kind->slot_bytes);
            memcpy(entering, displaced, kind->slot_bytes);
        }
    }
}

/* Have so many slots, a power of two that holds those there are. False: no memory, nothing changed.
 */
SW_ROBIN_INLINE bool sw_robin_resize(struct sw_robin *robin, const struct sw_robin_kind *kind,
                                     size_t capacity)
{
    const struct sw_robin old = *robin;

    robin->capacity = capacity;
    robin->slots = calloc(robin->capacity, kind->slot_bytes);
    if (robin->slots == NULL) {
        *robin = old;
        return false;
    }
    for (size_t at = 0; at < old.capacity; at++)
        if (!kind->is_free(sw_robin_slot(&old, kind, at)))
            sw_robin_place(robin, kind, sw_robin_slot(&old, kind, at));
    free(old.slots);
    return true;
}

/* Have room for so many more. False: no memory, nothing changed. */
SW_ROBIN_INLINE bool sw_robin_reserve(struct sw_robin *robin, const struct sw_robin_kind *kind,
                                      size_t more)
{
    size_t capacity = robin->capacity == 0 ? SW_ROBIN_CAPACITY_MIN : robin->capacity;

    while (robin->count + more > capacity / 16 * kind->full_16ths)
        capacity *= 2;
    return capacity == robin->capacity || sw_robin_resize(robin, kind, capacity);
}

/* Add a slot whose key is known to be absent; what it holds afterwards means nothing. False: no
 * memory, nothing changed. */
SW_ROBIN_INLINE bool sw_robin_add(struct sw_robin *robin, const struct sw_robin_kind *kind,
                                  void *entering)
{
    if (!sw_robin_reserve(robin, kind, 1))
        return false;
    sw_robin_place(robin, kind, entering);
    robin->count++;
    return true;
}

/* Free the slot. Followers move back until one is at its home, so no tombstones are needed. */
SW_ROBIN_INLINE void sw_robin_remove(struct sw_robin *robin, const struct sw_robin_kind *kind,
                                     size_t at)
{
    for (;;) {
        size_t next = (at + 1) & (robin->capacity - 1);

        if (kind->is_free(sw_robin_slot(robin, kind, next)) ||
            sw_robin_distance(robin, kind, next) == 0)
            break;
        memcpy(sw_robin_slot(robin, kind, at), sw_robin_slot(robin, kind, next), kind->slot_bytes);
        at = next;
    }
    memset(sw_robin_slot(robin, kind, at), 0, kind->slot_bytes);
    robin->count--;
}

/* The next slot that is not free, from *cursor on; NULL: none is left. */
SW_ROBIN_INLINE const void *sw_robin_next(const struct sw_robin *robin,
                                          const struct sw_robin_kind *kind, size_t *cursor)
{
    while (*cursor < robin->capacity) {
        const void *slot = sw_robin_slot(robin, kind, (*cursor)++);

        if (!kind->is_free(slot))
            return slot;
    }
    return NULL;
}
