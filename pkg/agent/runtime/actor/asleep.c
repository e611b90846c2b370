#include "pkg/agent/runtime/actor/asleep.h"

#include "pkg/utils/base/robin.h"

#include <assert.h>
#include <stdlib.h>

#define SPEC_SHIFT SW_SHELF_PLACE_BITS
#define PLACE_MASK ((UINT64_C(1) << SW_SHELF_PLACE_BITS) - 1)

struct entry {
    uint64_t place; /* With the index of the spec above it; 0: a free place. */
    uint32_t hash, number;
};

struct sw_asleep_slots {
    struct sw_robin robin;
};

/* --- For robin.h ----------------------------------------------------------------------------- */

static bool entry_is_free(const void *slot)
{
    return ((const struct entry *)slot)->place == 0;
}

static bool entry_has(const void *slot, const void *hash)
{
    return ((const struct entry *)slot)->hash == *(const uint32_t *)hash;
}

static size_t entry_home(const struct sw_robin *robin, const void *slot)
{
    (void)robin;
    return ((const struct entry *)slot)->hash;
}

static const struct sw_robin_kind kind = {.slot_bytes = sizeof(struct entry),
                                          .full_16ths = 14,
                                          .is_free = entry_is_free,
                                          .has = entry_has,
                                          .home = entry_home};

static size_t find(const struct sw_asleep *asleep, uint32_t hash)
{
    return sw_robin_find(&asleep->slots->robin, &kind, hash, &hash);
}

static const struct entry *entry_at(const struct sw_asleep *asleep, size_t at)
{
    return sw_robin_slot(&asleep->slots->robin, &kind, at);
}

static struct sw_asleep_entry view(const struct sw_asleep *asleep, const struct entry *entry)
{
    uint32_t index = (uint32_t)(entry->place >> SPEC_SHIFT);

    return (struct sw_asleep_entry){.place = entry->place & PLACE_MASK,
                                    .hash = entry->hash,
                                    .number = entry->number,
                                    .spec = asleep->specs[index].number,
                                    .index = index};
}

/* --- Life ------------------------------------------------------------------------------------ */

struct sw_asleep *sw_asleep_new(uint64_t pod, uint32_t slot)
{
    struct sw_asleep *asleep = calloc(1, sizeof *asleep);
    struct sw_asleep_slots *slots = calloc(1, sizeof *slots);

    if (asleep == NULL || slots == NULL) {
        free(asleep);
        free(slots);
        return NULL;
    }
    asleep->slots = slots;
    asleep->pod = pod;
    asleep->slot = slot;
    sw_list_init(&asleep->capture);
    return asleep;
}

void sw_asleep_free(struct sw_asleep *asleep)
{
    if (asleep == NULL)
        return;
    sw_list_remove(&asleep->capture);
    sw_idmap_free(asleep->by_number);
    free(asleep->slots->robin.slots);
    free(asleep->slots);
    free(asleep->specs);
    free(asleep);
}

uint64_t sw_asleep_count(const struct sw_asleep *asleep)
{
    return asleep->slots->robin.count;
}

/* --- Looking --------------------------------------------------------------------------------- */

bool sw_asleep_find(const struct sw_asleep *asleep, uint32_t hash, struct sw_asleep_entry *ret)
{
    size_t at = find(asleep, hash);

    if (at == SIZE_MAX)
        return false;
    *ret = view(asleep, entry_at(asleep, at));
    return true;
}

/* A hash as a value of the map, which is never NULL. */
static void *value_of(uint32_t hash)
{
    return (void *)((uintptr_t)hash | (uintptr_t)1 << 32);
}

static bool make_numbers(struct sw_asleep *asleep)
{
    struct sw_robin *robin = &asleep->slots->robin;
    const struct entry *entry;
    size_t cursor = 0;

    if (asleep->by_number != NULL)
        return true;
    asleep->by_number = sw_idmap_new(0, 0);
    if (asleep->by_number == NULL)
        return false;
    while ((entry = sw_robin_next(robin, &kind, &cursor)) != NULL)
        if (sw_idmap_put(asleep->by_number, entry->number, value_of(entry->hash), NULL) != SW_OK) {
            sw_asleep_settle(asleep);
            return false;
        }
    return true;
}

void sw_asleep_settle(struct sw_asleep *asleep)
{
    sw_idmap_free(asleep->by_number);
    asleep->by_number = NULL;
}

bool sw_asleep_find_number(struct sw_asleep *asleep, uint32_t number, struct sw_asleep_entry *ret)
{
    const void *value;

    if (!make_numbers(asleep))
        return false;
    value = sw_idmap_find(asleep->by_number, number);
    return value != NULL && sw_asleep_find(asleep, (uint32_t)(uintptr_t)value, ret);
}

bool sw_asleep_next(const struct sw_asleep *asleep, size_t *cursor, struct sw_asleep_entry *ret)
{
    const struct entry *entry = sw_robin_next(&asleep->slots->robin, &kind, cursor);

    if (entry != NULL)
        *ret = view(asleep, entry);
    return entry != NULL;
}

/* --- Changing -------------------------------------------------------------------------------- */

/* The index of a spec, which has room for one instance more; SIZE_MAX: there are too many, or no
 * memory. */
static size_t index_of(struct sw_asleep *asleep, uint32_t number)
{
    size_t unused = SIZE_MAX;
    struct sw_asleep_spec *grown;

    for (size_t i = 0; i < asleep->specs_count; i++) {
        if (asleep->specs[i].number == number)
            return i;
        if (asleep->specs[i].count == 0)
            unused = i;
    }
    if (unused != SIZE_MAX) {
        asleep->specs[unused].number = number;
        return unused;
    }
    if (asleep->specs_count == SW_SNAPSHOT_SPECS_MAX)
        return SIZE_MAX;
    grown = realloc(asleep->specs, (asleep->specs_count + 1) * sizeof *grown);
    if (grown == NULL)
        return SIZE_MAX;
    asleep->specs = grown;
    grown[asleep->specs_count] = (struct sw_asleep_spec){.number = number};
    return asleep->specs_count++;
}

enum sw_rc sw_asleep_put(struct sw_asleep *asleep, const struct sw_asleep_entry *entry)
{
    struct entry entering = {.hash = entry->hash, .number = entry->number};
    size_t index;

    assert(entry->place != 0 && (entry->place & ~PLACE_MASK) == 0);
    if (find(asleep, entry->hash) != SIZE_MAX)
        return SW_E_EXISTS;
    index = index_of(asleep, entry->spec);
    if (index == SIZE_MAX)
        return SW_E_EXHAUSTED;
    if (asleep->by_number != NULL &&
        sw_idmap_put(asleep->by_number, entry->number, value_of(entry->hash), NULL) != SW_OK)
        sw_asleep_settle(asleep);
    entering.place = entry->place | (uint64_t)index << SPEC_SHIFT;
    if (!sw_robin_add(&asleep->slots->robin, &kind, &entering)) {
        sw_asleep_settle(asleep);
        return SW_E_EXHAUSTED;
    }
    asleep->specs[index].count++;
    return SW_OK;
}

void sw_asleep_remove(struct sw_asleep *asleep, uint32_t hash)
{
    size_t at = find(asleep, hash);
    const struct entry *entry;

    assert(at != SIZE_MAX);
    entry = entry_at(asleep, at);
    asleep->specs[entry->place >> SPEC_SHIFT].count--;
    if (asleep->by_number != NULL)
        (void)sw_idmap_remove(asleep->by_number, entry->number);
    sw_robin_remove(&asleep->slots->robin, &kind, at);
}

void sw_asleep_move(struct sw_asleep *asleep, uint32_t hash, uint64_t place)
{
    struct entry *entry = sw_robin_slot(&asleep->slots->robin, &kind, find(asleep, hash));

    entry->place = (entry->place & ~PLACE_MASK) | place;
}

enum sw_rc sw_asleep_reserve(struct sw_asleep *asleep, uint32_t more)
{
    return sw_robin_reserve(&asleep->slots->robin, &kind, more) ? SW_OK : SW_E_EXHAUSTED;
}
