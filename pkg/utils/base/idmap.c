#include "pkg/utils/base/idmap.h"

#include <assert.h>
#include <stdlib.h>

#define CAPACITY_MIN 16
#define GROUP_BITS 2u /* So many ids that follow one another share a cache line. */
#define MIX 0x9e3779b97f4a7c15u

struct slot {
    uint64_t id;
    void *value; /* NULL: a free place. */
};

struct sw_idmap {
    struct slot *slots;
    size_t capacity, count; /* capacity is a power of two. */
    uint64_t seed;
    unsigned skip_bits;
};

struct sw_idmap *sw_idmap_new(uint64_t seed, unsigned skip_bits)
{
    struct sw_idmap *map = calloc(1, sizeof *map);

    assert(skip_bits < 64);
    if (map == NULL)
        return NULL;
    map->seed = seed;
    map->skip_bits = skip_bits;
    return map;
}

void sw_idmap_free(struct sw_idmap *map)
{
    if (map == NULL)
        return;
    free(map->slots);
    free(map);
}

size_t sw_idmap_count(const struct sw_idmap *map)
{
    return map->count;
}

static size_t home_of(const struct sw_idmap *map, uint64_t id)
{
    uint64_t number = id >> map->skip_bits;
    uint64_t mixed = ((number >> GROUP_BITS) ^ map->seed) * MIX;

    mixed ^= mixed >> 32;
    return (size_t)((mixed << GROUP_BITS) | (number & ((1u << GROUP_BITS) - 1))) &
           (map->capacity - 1);
}

static size_t distance_of(const struct sw_idmap *map, size_t at)
{
    return (at - home_of(map, map->slots[at].id)) & (map->capacity - 1);
}

/* The place of the id, or SIZE_MAX. Probing ends where an entry nearer to its home begins. */
static size_t slot_find(const struct sw_idmap *map, uint64_t id)
{
    size_t at;

    if (map->count == 0)
        return SIZE_MAX;
    at = home_of(map, id);
    for (size_t distance = 0;; distance++, at = (at + 1) & (map->capacity - 1)) {
        const struct slot *slot = &map->slots[at];

        if (slot->value == NULL)
            return SIZE_MAX;
        if (slot->id == id)
            return at;
        if (distance_of(map, at) < distance)
            return SIZE_MAX;
    }
}

void *sw_idmap_find(const struct sw_idmap *map, uint64_t id)
{
    size_t at = slot_find(map, id);

    return at == SIZE_MAX ? NULL : map->slots[at].value;
}

void sw_idmap_prefetch(const struct sw_idmap *map, uint64_t id)
{
    if (map->count > 0)
        __builtin_prefetch(&map->slots[home_of(map, id)]);
}

/* Put a slot whose id is known to be absent; the richer entry gives way to the poorer. */
static void slot_insert(struct sw_idmap *map, struct slot entering)
{
    size_t at = home_of(map, entering.id);

    for (size_t distance = 0;; distance++, at = (at + 1) & (map->capacity - 1)) {
        struct slot *slot = &map->slots[at];
        size_t other;

        if (slot->value == NULL) {
            *slot = entering;
            return;
        }
        other = distance_of(map, at);
        if (other < distance) {
            struct slot displaced = *slot;

            distance = other;
            *slot = entering;
            entering = displaced;
        }
    }
}

static bool resize(struct sw_idmap *map, size_t capacity)
{
    struct slot *old = map->slots;
    size_t old_capacity = map->capacity;
    struct slot *slots = calloc(capacity, sizeof *slots);

    if (slots == NULL)
        return false;
    map->slots = slots;
    map->capacity = capacity;
    for (size_t i = 0; i < old_capacity; i++)
        if (old[i].value != NULL)
            slot_insert(map, old[i]);
    free(old);
    return true;
}

enum sw_rc sw_idmap_put(struct sw_idmap *map, uint64_t id, void *value, void **ret_old)
{
    size_t at = slot_find(map, id);

    assert(value != NULL);
    if (ret_old != NULL)
        *ret_old = at == SIZE_MAX ? NULL : map->slots[at].value;
    if (at != SIZE_MAX) {
        map->slots[at].value = value;
        return SW_OK;
    }
    /* At most thirteen sixteenths full. */
    if (map->count + 1 > map->capacity - map->capacity / 16 * 3 &&
        !resize(map, map->capacity == 0 ? CAPACITY_MIN : map->capacity * 2))
        return SW_E_EXHAUSTED;
    slot_insert(map, (struct slot){id, value});
    map->count++;
    return SW_OK;
}

void *sw_idmap_remove(struct sw_idmap *map, uint64_t id)
{
    size_t at = slot_find(map, id);
    void *value;

    if (at == SIZE_MAX)
        return NULL;
    value = map->slots[at].value;
    /* Shift followers back until one is at its home, so no tombstones are needed. */
    for (;;) {
        size_t next = (at + 1) & (map->capacity - 1);

        if (map->slots[next].value == NULL || distance_of(map, next) == 0)
            break;
        map->slots[at] = map->slots[next];
        at = next;
    }
    map->slots[at] = (struct slot){0};
    map->count--;
    return value;
}

bool sw_idmap_next(const struct sw_idmap *map, size_t *cursor, uint64_t *ret_id, void **ret_value)
{
    for (; *cursor < map->capacity; (*cursor)++) {
        const struct slot *slot = &map->slots[*cursor];

        if (slot->value == NULL)
            continue;
        if (ret_id != NULL)
            *ret_id = slot->id;
        *ret_value = slot->value;
        (*cursor)++;
        return true;
    }
    return false;
}
