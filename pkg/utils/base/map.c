#include "pkg/utils/base/map.h"

#include "pkg/utils/base/hash.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define MAP_CAPACITY_MIN 16
#define EMPTY 0 /* A hash of 0 marks a free place; real hashes have their lowest bit set. */

#define KEY_INLINE_MAX 24 /* Short keys, which most are, stand in the slot itself. */

struct slot {
    uint32_t hash, key_size;
    void *value;
    uint8_t key[KEY_INLINE_MAX]; /* Of a longer key the pointer to its copy, which is owned. */
};

struct sw_map {
    struct slot *slots;
    size_t capacity, count; /* capacity is a power of two. */
    uint8_t seed[16];
};

static uint8_t *long_key(const struct slot *slot)
{
    uint8_t *key;

    (void)memcpy(&key, slot->key, sizeof key);
    return key;
}

static const uint8_t *key_of(const struct slot *slot)
{
    return slot->key_size <= KEY_INLINE_MAX ? slot->key : long_key(slot);
}

static bool key_copy(struct slot *slot, const void *key)
{
    uint8_t *copy;

    if (slot->key_size <= KEY_INLINE_MAX) {
        if (slot->key_size > 0)
            (void)memcpy(slot->key, key, slot->key_size);
        return true;
    }
    copy = malloc(slot->key_size);
    if (copy == NULL)
        return false;
    (void)memcpy(copy, key, slot->key_size);
    (void)memcpy(slot->key, &copy, sizeof copy);
    return true;
}

static void key_free(const struct slot *slot)
{
    if (slot->key_size > KEY_INLINE_MAX)
        free(long_key(slot));
}

struct sw_map *sw_map_new(uint64_t seed)
{
    struct sw_map *map = calloc(1, sizeof *map);

    if (map != NULL)
        (void)memcpy(map->seed, &seed, sizeof seed);
    return map;
}

void sw_map_free(struct sw_map *map)
{
    if (map == NULL)
        return;
    for (size_t i = 0; i < map->capacity; i++)
        key_free(&map->slots[i]);
    free(map->slots);
    free(map);
}

size_t sw_map_count(const struct sw_map *map)
{
    return map->count;
}

static uint32_t key_hash(const struct sw_map *map, const void *key, size_t key_size)
{
    return (uint32_t)sw_siphash(map->seed, key, key_size) | 1;
}

static size_t home_of(const struct sw_map *map, uint32_t hash)
{
    return (size_t)(hash >> 1) & (map->capacity - 1);
}

static size_t distance_of(const struct sw_map *map, size_t at)
{
    return (at - home_of(map, map->slots[at].hash)) & (map->capacity - 1);
}

/* The place of the key, or SIZE_MAX. Probing ends where an entry nearer to its home begins. */
static size_t slot_find(const struct sw_map *map, uint32_t hash, const void *key, size_t key_size)
{
    size_t at;

    if (map->count == 0)
        return SIZE_MAX;
    at = home_of(map, hash);
    for (size_t distance = 0;; distance++, at = (at + 1) & (map->capacity - 1)) {
        const struct slot *slot = &map->slots[at];

        if (slot->hash == EMPTY || distance_of(map, at) < distance)
            return SIZE_MAX;
        if (slot->hash == hash && slot->key_size == key_size &&
            (key_size == 0 || memcmp(key_of(slot), key, key_size) == 0))
            return at;
    }
}

void *sw_map_find(const struct sw_map *map, const void *key, size_t key_size)
{
    size_t at =
        map->count == 0 ? SIZE_MAX : slot_find(map, key_hash(map, key, key_size), key, key_size);

    return at == SIZE_MAX ? NULL : map->slots[at].value;
}

/* Put a slot whose key is known to be absent; the richer entry gives way to the poorer. */
static void slot_insert(struct sw_map *map, struct slot entering)
{
    size_t at = home_of(map, entering.hash);

    for (size_t distance = 0;; distance++, at = (at + 1) & (map->capacity - 1)) {
        struct slot *slot = &map->slots[at];

        if (slot->hash == EMPTY) {
            *slot = entering;
            return;
        }
        if (distance_of(map, at) < distance) {
            struct slot displaced = *slot;

            distance = distance_of(map, at);
            *slot = entering;
            entering = displaced;
        }
    }
}

static bool map_resize(struct sw_map *map, size_t capacity)
{
    struct slot *old = map->slots;
    size_t old_capacity = map->capacity;
    struct slot *slots = calloc(capacity, sizeof *slots);

    if (slots == NULL)
        return false;
    map->slots = slots;
    map->capacity = capacity;
    for (size_t i = 0; i < old_capacity; i++)
        if (old[i].hash != EMPTY)
            slot_insert(map, old[i]);
    free(old);
    return true;
}

enum sw_rc sw_map_put(struct sw_map *map, const void *key, size_t key_size, void *value,
                      void **ret_old)
{
    uint32_t hash = key_hash(map, key, key_size);
    size_t at = slot_find(map, hash, key, key_size);
    struct slot slot = {.hash = hash, .value = value, .key_size = (uint32_t)key_size};

    assert(key_size <= UINT32_MAX);
    if (ret_old != NULL)
        *ret_old = at == SIZE_MAX ? NULL : map->slots[at].value;
    if (at != SIZE_MAX) {
        map->slots[at].value = value;
        return SW_OK;
    }
    /* At most seven eighths full. */
    if (map->count + 1 > map->capacity - map->capacity / 8 &&
        !map_resize(map, map->capacity == 0 ? MAP_CAPACITY_MIN : map->capacity * 2))
        return SW_E_EXHAUSTED;
    if (!key_copy(&slot, key))
        return SW_E_EXHAUSTED;
    slot_insert(map, slot);
    map->count++;
    return SW_OK;
}

void *sw_map_remove(struct sw_map *map, const void *key, size_t key_size)
{
    size_t at = slot_find(map, key_hash(map, key, key_size), key, key_size);
    size_t next;
    void *value;

    if (at == SIZE_MAX)
        return NULL;
    value = map->slots[at].value;
    key_free(&map->slots[at]);
    /* Shift followers back until one is at its home, so no tombstones are needed. */
    for (;;) {
        next = (at + 1) & (map->capacity - 1);
        if (map->slots[next].hash == EMPTY || distance_of(map, next) == 0)
            break;
        map->slots[at] = map->slots[next];
        at = next;
    }
    map->slots[at] = (struct slot){0};
    map->count--;
    return value;
}

bool sw_map_next(const struct sw_map *map, size_t *cursor, struct sw_map_entry *ret_entry)
{
    for (; *cursor < map->capacity; (*cursor)++) {
        const struct slot *slot = &map->slots[*cursor];

        if (slot->hash == EMPTY)
            continue;
        *ret_entry =
            (struct sw_map_entry){.key = {key_of(slot), slot->key_size}, .value = slot->value};
        (*cursor)++;
        return true;
    }
    return false;
}
