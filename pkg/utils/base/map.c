#include "pkg/utils/base/map.h"

#include "pkg/utils/base/hash.h"
#include "pkg/utils/base/robin.h"

#include <assert.h>

#define EMPTY 0 /* A hash of 0 marks a free place; real hashes have their lowest bit set. */
#define KEY_INLINE_MAX 24 /* Short keys, which most are, stand in the slot itself. */

struct slot {
    uint32_t hash, key_size;
    void *value;
    uint8_t key[KEY_INLINE_MAX]; /* Of a longer key the pointer to its copy, which is owned. */
};

struct sw_map {
    struct sw_robin robin;
    uint8_t seed[16];
};

struct key {
    uint32_t hash;
    struct sw_bytes bytes;
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

static struct key key_make(const struct sw_map *map, const void *key, size_t key_size)
{
    return (struct key){(uint32_t)sw_siphash(map->seed, key, key_size) | 1, {key, key_size}};
}

/* --- For robin.h ----------------------------------------------------------------------------- */

static bool slot_is_free(const void *slot)
{
    return ((const struct slot *)slot)->hash == EMPTY;
}

static bool slot_has(const void *some_slot, const void *some_key)
{
    const struct slot *slot = some_slot;
    const struct key *key = some_key;

    return slot->hash == key->hash && slot->key_size == key->bytes.size &&
           (slot->key_size == 0 || memcmp(key_of(slot), key->bytes.data, slot->key_size) == 0);
}

static size_t home_of(uint32_t hash)
{
    return hash >> 1;
}

static size_t slot_home(const struct sw_robin *robin, const void *slot)
{
    (void)robin;
    return home_of(((const struct slot *)slot)->hash);
}

static const struct sw_robin_kind kind = {.slot_bytes = sizeof(struct slot),
                                          .full_16ths = 14,
                                          .is_free = slot_is_free,
                                          .has = slot_has,
                                          .home = slot_home};

/* NULL: the key is not there. */
static struct slot *slot_find(const struct sw_map *map, const struct key *key)
{
    size_t at = sw_robin_find(&map->robin, &kind, home_of(key->hash), key);

    return at == SIZE_MAX ? NULL : sw_robin_slot(&map->robin, &kind, at);
}

/* --- The map --------------------------------------------------------------------------------- */

struct sw_map *sw_map_new(uint64_t seed)
{
    struct sw_map *map = calloc(1, sizeof *map);

    if (map != NULL)
        (void)memcpy(map->seed, &seed, sizeof seed);
    return map;
}

void sw_map_free(struct sw_map *map)
{
    const struct slot *slot;
    size_t cursor = 0;

    if (map == NULL)
        return;
    while ((slot = sw_robin_next(&map->robin, &kind, &cursor)) != NULL)
        key_free(slot);
    free(map->robin.slots);
    free(map);
}

size_t sw_map_count(const struct sw_map *map)
{
    return map->robin.count;
}

void *sw_map_find(const struct sw_map *map, const void *key, size_t key_size)
{
    const struct slot *slot;
    struct key sought;

    if (map->robin.count == 0) /* Not worth a hash. */
        return NULL;
    sought = key_make(map, key, key_size);
    slot = slot_find(map, &sought);
    return slot == NULL ? NULL : slot->value;
}

enum sw_rc sw_map_put(struct sw_map *map, const void *key, size_t key_size, void *value,
                      void **ret_old)
{
    struct key sought = key_make(map, key, key_size);
    struct slot *there = slot_find(map, &sought);
    struct slot slot = {.hash = sought.hash, .value = value, .key_size = (uint32_t)key_size};

    assert(key_size <= UINT32_MAX);
    if (ret_old != NULL)
        *ret_old = there == NULL ? NULL : there->value;
    if (there != NULL) {
        there->value = value;
        return SW_OK;
    }
    if (!key_copy(&slot, key))
        return SW_E_EXHAUSTED;
    if (!sw_robin_add(&map->robin, &kind, &slot)) {
        key_free(&slot);
        return SW_E_EXHAUSTED;
    }
    return SW_OK;
}

void *sw_map_remove(struct sw_map *map, const void *key, size_t key_size)
{
    struct key sought = key_make(map, key, key_size);
    size_t at = sw_robin_find(&map->robin, &kind, home_of(sought.hash), &sought);
    const struct slot *slot;
    void *value;

    if (at == SIZE_MAX)
        return NULL;
    slot = sw_robin_slot(&map->robin, &kind, at);
    value = slot->value;
    key_free(slot);
    sw_robin_remove(&map->robin, &kind, at);
    return value;
}

bool sw_map_next(const struct sw_map *map, size_t *cursor, struct sw_map_entry *ret_entry)
{
    const struct slot *slot = sw_robin_next(&map->robin, &kind, cursor);

    if (slot == NULL)
        return false;
    *ret_entry = (struct sw_map_entry){.key = {key_of(slot), slot->key_size}, .value = slot->value};
    return true;
}
