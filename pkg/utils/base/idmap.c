#include "pkg/utils/base/idmap.h"

#include "pkg/utils/base/robin.h"

#include <assert.h>

#define GROUP_BITS 2u /* So many ids that follow one another share a cache line. */
#define MIX 0x9e3779b97f4a7c15u

struct slot {
    uint64_t id;
    void *value; /* NULL: a free place. */
};

struct sw_idmap {
    struct sw_robin robin;
    uint64_t seed;
    unsigned skip_bits;
};

static size_t home_of(const struct sw_idmap *map, uint64_t id)
{
    uint64_t number = id >> map->skip_bits;
    uint64_t mixed = ((number >> GROUP_BITS) ^ map->seed) * MIX;

    mixed ^= mixed >> 32;
    return (size_t)((mixed << GROUP_BITS) | (number & ((1u << GROUP_BITS) - 1)));
}

/* --- For robin.h ----------------------------------------------------------------------------- */

static bool slot_is_free(const void *slot)
{
    return ((const struct slot *)slot)->value == NULL;
}

static bool slot_has(const void *slot, const void *id)
{
    return ((const struct slot *)slot)->id == *(const uint64_t *)id;
}

static size_t slot_home(const struct sw_robin *robin, const void *slot)
{
    return home_of((const struct sw_idmap *)(const void *)robin, ((const struct slot *)slot)->id);
}

static const struct sw_robin_kind kind = {.slot_bytes = sizeof(struct slot),
                                          .full_16ths = 13,
                                          .is_free = slot_is_free,
                                          .has = slot_has,
                                          .home = slot_home};

/* NULL: the id is not there. */
static struct slot *slot_find(const struct sw_idmap *map, uint64_t id)
{
    size_t at = sw_robin_find(&map->robin, &kind, home_of(map, id), &id);

    return at == SIZE_MAX ? NULL : sw_robin_slot(&map->robin, &kind, at);
}

/* --- The map --------------------------------------------------------------------------------- */

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
    free(map->robin.slots);
    free(map);
}

size_t sw_idmap_count(const struct sw_idmap *map)
{
    return map->robin.count;
}

void *sw_idmap_find(const struct sw_idmap *map, uint64_t id)
{
    const struct slot *slot = slot_find(map, id);

    return slot == NULL ? NULL : slot->value;
}

void sw_idmap_prefetch(const struct sw_idmap *map, uint64_t id)
{
    if (map->robin.count > 0)
        __builtin_prefetch(
            sw_robin_slot(&map->robin, &kind, home_of(map, id) & (map->robin.capacity - 1)));
}

enum sw_rc sw_idmap_put(struct sw_idmap *map, uint64_t id, void *value, void **ret_old)
{
    struct slot *there = slot_find(map, id);
    struct slot slot = {id, value};

    assert(value != NULL);
    if (ret_old != NULL)
        *ret_old = there == NULL ? NULL : there->value;
    if (there != NULL) {
        there->value = value;
        return SW_OK;
    }
    return sw_robin_add(&map->robin, &kind, &slot) ? SW_OK : SW_E_EXHAUSTED;
}

void *sw_idmap_remove(struct sw_idmap *map, uint64_t id)
{
    size_t at = sw_robin_find(&map->robin, &kind, home_of(map, id), &id);
    void *value;

    if (at == SIZE_MAX)
        return NULL;
    value = ((const struct slot *)sw_robin_slot(&map->robin, &kind, at))->value;
    sw_robin_remove(&map->robin, &kind, at);
    return value;
}

bool sw_idmap_next(const struct sw_idmap *map, size_t *cursor, uint64_t *ret_id, void **ret_value)
{
    const struct slot *slot = sw_robin_next(&map->robin, &kind, cursor);

    if (slot == NULL)
        return false;
    if (ret_id != NULL)
        *ret_id = slot->id;
    *ret_value = slot->value;
    return true;
}
