/* Whether two values of JSON are the same, however they are written: for swarm/schema.h.
 * Limits: values that are nested deeper than SWARM_JSON_SAME_DEPTH_MAX are taken for different. */
#pragma once
#include <swarm/json.h>

#define SWARM_JSON_SAME_DEPTH_MAX 16u

/* Whether two strings say the same. */
static inline bool swarm_json_is_same_text(struct swarm_json a, struct swarm_json b)
{
    char left[4], right[4];
    uint32_t step = 1;

    if (!swarm_json_take(&a, '"') || !swarm_json_take(&b, '"'))
        return false;
    while (step > 0) {
        step = swarm_json_character(&a, left);
        if (swarm_json_character(&b, right) != step || step == SWARM_JSON_WRONG)
            return false;
        for (uint32_t i = 0; i < step; i++)
            if (left[i] != right[i])
                return false;
    }
    return true;
}

/* The member whose name is what another string says. */
static inline struct swarm_json swarm_json_named(struct swarm_json object, struct swarm_json name)
{
    struct swarm_json found = SWARM_JSON_NOTHING, key, value;

    object.at = 0;
    while (swarm_json_next(&object, &key, &value))
        if (swarm_json_is_same_text(key, name))
            found = value;
    return found;
}

/* Whether two values are the same; those that are nested too deep are not. */
static inline bool swarm_json_is_same(struct swarm_json a, struct swarm_json b, uint32_t depth)
{
    struct swarm_json key, item, other_key, other;
    double left, right;
    uint32_t count = 0;

    if (swarm_json_type_of(a) != swarm_json_type_of(b) || depth > SWARM_JSON_SAME_DEPTH_MAX)
        return false;
    if (swarm_json_number(a, &left))
        return swarm_json_number(b, &right) && left == right;
    if (swarm_json_type_of(a) == SWARM_JSON_STRING)
        return swarm_json_is_same_text(a, b);
    if (swarm_json_type_of(a) < SWARM_JSON_ARRAY)
        return swarm_json_is_true(a) == swarm_json_is_true(b);
    for (; swarm_json_next(&a, &key, &item); count++) {
        other = key.size > 0 ? swarm_json_named(b, key) : swarm_json_item(b, count);
        if (key.size > 0)
            item = swarm_json_named(a, key); /* Of several, the last one. */
        if (!swarm_json_is_same(item, other, depth + 1))
            return false;
    }
    while (swarm_json_next(&b, &other_key, &other))
        count--;
    return count == 0;
}

static inline bool swarm_json_is_among(struct swarm_json list, struct swarm_json value)
{
    struct swarm_json key, item;

    while (swarm_json_next(&list, &key, &item))
        if (swarm_json_is_same(item, value, 0))
            return true;
    return false;
}

/* Whether an array has an item twice. */
static inline bool swarm_json_has_twins(struct swarm_json array)
{
    struct swarm_json key, item;

    while (swarm_json_next(&array, &key, &item)) {
        struct swarm_json rest = array; /* Which stands behind the item. */

        if (swarm_json_is_among(rest, item))
            return true;
    }
    return false;
}
