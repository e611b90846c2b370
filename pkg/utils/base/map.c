#include "pkg/utils/base/map.h"

#include "pkg/utils/base/hash.h"
#include "pkg/utils/base/robin.h"

#include <assert.h>

#define EMPTY 0 /* A hash of 0 marks a free place; real hashes have their lowest bit set. */
#define KEY_INLINE_MAX 24 /* Short keys, which most are, stand in the slot itself. */
#define SLOT_BYTES_MAX (sizeof(struct slot) + KEY_INLINE_MAX)

struct slot {
    uint32_t hash, key_size;
    void *value;
    uint8_t key[]; /* Of a longer key the pointer to its copy, which is owned. There is no room for
                      any where values hold their keys. */
};

struct sw_map {
    struct sw_robin robin;
    size_t slot_bytes;
    sw_map_key_of *key_of; /* NULL: keys are copied. */
    uint8_t seed[16];
};

struct key {
    const struct sw_map *map;
    uint32_t hash;
    struct sw_bytes bytes;
};

static uint8_t *long_key(const struct slot *slot)
{
    uint8_t *key;

    (void)memcpy(&key, slot->key, sizeof key);
    return key;
}

static const uint8_t *key_in(const struct sw_map *map, const struct slot *slot)
{
    if (map->key_of != NULL)
        return map->key_of(slot->value).data;
    return slot->key_size <= KEY_INLINE_MAX ? slot->key : long_key(slot);
}

static bool key_copy(const struct sw_map *map, struct slot *slot, const void *key)
{
    uint8_t *copy;

    if (map->key_of != NULL)
        return true;
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

static void key_free(const struct sw_map *map, const struct slot *slot)
{
    if (map->key_of == NULL && slot->key_size > KEY_INLINE_MAX)
        free(long_key(slot));
}

static struct key key_make(const struct sw_map *map, const void *key, size_t key_size)
{
    return (struct key){map, (uint32_t)sw_siphash(map->seed, key, key_size) | 1, {key, key_size}};
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
           (slot->key_size == 0 ||
            memcmp(key_in(key->map, slot), key->bytes.data, slot->key_size) == 0);
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

static inline struct sw_robin_kind kind_of(const struct sw_map *map)
{
    return (struct sw_robin_kind){.slot_bytes = map->slot_bytes,
                                  .full_16ths = 14,
                                  .is_free = slot_is_free,
                                  .has = slot_has,
                                  .home = slot_home};
}

/* NULL: the key is not there. */
static struct slot *slot_find(const struct sw_map *map, const struct key *key)
{
    const struct sw_robin_kind kind = kind_of(map);
    size_t at = sw_robin_find(&map->robin, &kind, home_of(key->hash), key);

    return at == SIZE_MAX ? NULL : sw_robin_slot(&map->robin, &kind, at);
}

/* --- The map --------------------------------------------------------------------------------- */

struct sw_map *sw_map_new(uint64_t seed)
{
    struct sw_map *map = calloc(1, sizeof *map);

    if (map == NULL)
        return NULL;
    (void)memcpy(map->seed, &seed, sizeof seed);
    map->slot_bytes = SLOT_BYTES_MAX;
    return map;
}

struct sw_map *sw_map_new_of(uint64_t seed, sw_map_key_of *key_of)
{
    struct sw_map *map = sw_map_new(seed);

    if (map == NULL)
        return NULL;
    map->key_of = key_of;
    map->slot_bytes = sizeof(struct slot);
    return map;
}

void sw_map_free(struct sw_map *map)
{
    struct sw_robin_kind kind;
    const struct slot *slot;
    size_t cursor = 0;

    if (map == NULL)
        return;
    kind = kind_of(map);
    while (map->key_of == NULL && (slot = sw_robin_next(&map->robin, &kind, &cursor)) != NULL)
        key_free(map, slot);
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
    const struct sw_robin_kind kind = kind_of(map);
    struct key sought = key_make(map, key, key_size);
    struct slot *there = slot_find(map, &sought);
    _Alignas(struct slot) uint8_t bytes[SLOT_BYTES_MAX] = {0};
    struct slot *slot = (struct slot *)(void *)bytes;

    assert(key_size <= UINT32_MAX);
    if (ret_old != NULL)
        *ret_old = there == NULL ? NULL : there->value;
    if (there != NULL) {
        there->value = value;
        return SW_OK;
    }
    *slot = (struct slot){.hash = sought.hash, .value = value, .key_size = (uint32_t)key_size};
    if (!key_copy(map, slot, key))
        return SW_E_EXHAUSTED;
    if (!sw_robin_add(&map->robin, &kind, slot)) {
        key_free(map, slot);
        return SW_E_EXHAUSTED;
    }
    return SW_OK;
}

void *sw_map_remove(struct sw_map *map, const void *key, size_t key_size)
{
    const struct sw_robin_kind kind = kind_of(map);
    struct key sought = key_make(map, key, key_size);
    size_t at = sw_robin_find(&map->robin, &kind, home_of(sought.hash), &sought);
    const struct slot *slot;
    void *value;

    if (at == SIZE_MAX)
        return NULL;
    slot = sw_robin_slot(&map->robin, &kind, at);
    value = slot->value;
    key_free(map, slot);
    sw_robin_remove(&map->robin, &kind, at);
    return value;
}

bool sw_map_next(const struct sw_map *map, size_t *cursor, struct sw_map_entry *ret_entry)
{
    const struct sw_robin_kind kind = kind_of(map);
    const struct slot *slot = sw_robin_next(&map->robin, &kind, cursor);

    if (slot == NULL)
        return false;
    *ret_entry =
        (struct sw_map_entry){.key = {key_in(map, slot), slot->key_size}, .value = slot->value};
    return true;
}
