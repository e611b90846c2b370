/* JSON Schema (2020-12), as far as models are asked with it: type, enum, const, properties,
 * required, additionalProperties, items, prefixItems, bounds of numbers, lengths and counts,
 * multipleOf, uniqueItems, anyOf, oneOf, allOf, not, and $ref to "#/...". What is not known,
 * `pattern` for one, is not checked. The words are those of the other languages' SDKs. Limits:
 * SWARM_SCHEMA_DEPTH_MAX levels, SWARM_SCHEMA_PROBLEMS_MAX problems. */
#pragma once
#include <swarm/schema_words.h>

#define SWARM_SCHEMA_DEPTH_MAX 16u
#define SWARM_SCHEMA_PATH_BYTES 128u

static inline void swarm_schema_check(struct swarm_check *check, struct swarm_json schema,
                                      struct swarm_json value, uint32_t depth);

/* How many schemas of a list the value fits. */
static inline uint32_t swarm_schema_fits(struct swarm_check *check, struct swarm_json list,
                                         struct swarm_json value, uint32_t depth)
{
    struct swarm_json key, each;
    uint32_t count = 0;

    while (swarm_json_next(&list, &key, &each)) {
        struct swarm_check inner = {check->root, 0, 0, {0, 0, 0, false}};

        swarm_schema_check(&inner, each, value, depth);
        count += inner.count == 0;
    }
    return count;
}

static inline void swarm_schema_combine(struct swarm_check *check, struct swarm_json schema,
                                        struct swarm_json value, uint32_t depth)
{
    struct swarm_json all = swarm_json_find(schema, "allOf"), key, each;
    struct swarm_json any = swarm_json_find(schema, "anyOf");
    struct swarm_json one = swarm_json_find(schema, "oneOf");
    struct swarm_check inner = {check->root, 0, 0, {0, 0, 0, false}};

    while (swarm_json_next(&all, &key, &each))
        swarm_schema_check(check, each, value, depth);
    if (any.size > 0 && swarm_schema_fits(check, any, value, depth) == 0)
        swarm_schema_say(check, " fits none of anyOf", SWARM_JSON_NOTHING);
    if (one.size > 0 && swarm_schema_fits(check, one, value, depth) != 1)
        swarm_schema_say(check, " does not fit exactly one of oneOf", SWARM_JSON_NOTHING);
    each = swarm_json_find(schema, "not");
    if (each.size == 0)
        return;
    swarm_schema_check(&inner, each, value, depth);
    if (inner.count == 0)
        swarm_schema_say(check, " is what it must not be", SWARM_JSON_NOTHING);
}

/* --- Values ---------------------------------------------------------------------------------- */

static inline void swarm_schema_number(struct swarm_check *check, struct swarm_json schema,
                                       double number)
{
    static const struct {
        const char *name, *words;
    } bounds[] = {{"minimum", " is less than "},
                  {"maximum", " is more than "},
                  {"exclusiveMinimum", " is not more than "},
                  {"exclusiveMaximum", " is not less than "},
                  {"multipleOf", " is no multiple of "}};

    for (uint32_t i = 0; i < 5; i++) {
        struct swarm_json bound = swarm_json_find(schema, bounds[i].name);
        double limit;

        if (!swarm_json_number(bound, &limit))
            continue;
        if ((i == 0 && number < limit) || (i == 1 && number > limit) ||
            (i == 2 && number <= limit) || (i == 3 && number >= limit) ||
            (i == 4 && limit > 0 && !swarm_json_is_whole(number / limit)))
            swarm_schema_say(check, bounds[i].words, bound);
    }
}

/* How many characters or items there are, against two bounds: their names, and what to say. */
static inline void swarm_schema_count(struct swarm_check *check, struct swarm_json schema,
                                      const char *const words[4], uint32_t count)
{
    struct swarm_json least = swarm_json_find(schema, words[0]);
    struct swarm_json most = swarm_json_find(schema, words[1]);
    double number;

    if (swarm_json_number(least, &number) && count < number)
        swarm_schema_say(check, words[2], least);
    if (swarm_json_number(most, &number) && count > number)
        swarm_schema_say(check, words[3], most);
}

static inline void swarm_schema_string(struct swarm_check *check, struct swarm_json schema,
                                       struct swarm_json value)
{
    static const char *const words[4] = {"minLength", "maxLength", " is shorter than ",
                                         " is longer than "};
    uint32_t count = 0;
    char bytes[4];

    (void)swarm_json_take(&value, '"');
    while (swarm_json_character(&value, bytes) - 1 < 4)
        count++;
    swarm_schema_count(check, schema, words, count);
}

static inline void swarm_schema_array(struct swarm_check *check, struct swarm_json schema,
                                      struct swarm_json value, uint32_t depth)
{
    static const char *const words[4] = {"minItems", "maxItems", " has fewer items than ",
                                         " has more items than "};
    struct swarm_json first = swarm_json_find(schema, "prefixItems"), key, item, each;
    struct swarm_json rest = swarm_json_find(schema, "items");
    uint32_t count = 0, path_size = check->path.size;

    if (swarm_json_is_true(swarm_json_find(schema, "uniqueItems")) && swarm_json_has_twins(value))
        swarm_schema_say(check, " has an item twice", SWARM_JSON_NOTHING);
    for (; swarm_json_next(&value, &key, &item); count++) {
        each = swarm_json_item(first, count);
        swarm_put(&check->path, "[", 1);
        swarm_put_integer(&check->path, count);
        swarm_put(&check->path, "]", 1);
        swarm_schema_check(check, each.size > 0 ? each : rest, item, depth);
        check->path.size = path_size;
    }
    swarm_schema_count(check, schema, words, count);
}

static inline void swarm_schema_object(struct swarm_check *check, struct swarm_json schema,
                                       struct swarm_json value, uint32_t depth)
{
    struct swarm_json known = swarm_json_find(schema, "properties"), name, item, each;
    struct swarm_json required = swarm_json_find(schema, "required");
    struct swarm_json rest = swarm_json_find(schema, "additionalProperties");
    uint32_t path_size = check->path.size;

    while (swarm_json_next(&required, &name, &each))
        if (swarm_json_named(value, each).size == 0)
            swarm_schema_say(check, " lacks ", each);
    while (swarm_json_next(&value, &name, &item)) {
        swarm_put(&check->path, ".", path_size > 0);
        swarm_json_copy(name, &check->path);
        each = swarm_json_named(known, name);
        if (each.size == 0 && rest.size == 5) /* false */
            swarm_schema_say(check, " is not known", SWARM_JSON_NOTHING);
        else
            swarm_schema_check(check, each.size > 0 ? each : rest, item, depth);
        check->path.size = path_size;
    }
}

static inline void swarm_schema_check(struct swarm_check *check, struct swarm_json schema,
                                      struct swarm_json value, uint32_t depth)
{
    struct swarm_json ref = swarm_json_find(schema, "$ref"), list = swarm_json_find(schema, "enum");
    struct swarm_json same = swarm_json_find(schema, "const"), to;
    double number;

    if (depth > SWARM_SCHEMA_DEPTH_MAX) {
        swarm_schema_say(check, " is nested too deep", SWARM_JSON_NOTHING);
        return;
    }
    if (schema.size == 5 && schema.text[0] == 'f')
        swarm_schema_say(check, " is not allowed", SWARM_JSON_NOTHING);
    if (ref.size > 0) {
        to = swarm_schema_resolve(check->root, ref);
        if (to.size == 0)
            swarm_schema_say(check, " has a schema that is not there: ", ref);
        swarm_schema_check(check, to, value, depth + 1);
    }
    if (!swarm_schema_type(check, swarm_json_find(schema, "type"), value))
        return;
    if (list.size > 0 && !swarm_json_is_among(list, value))
        swarm_schema_say(check, " is none of ", list);
    if (same.size > 0 && !swarm_json_is_same(same, value, 0))
        swarm_schema_say(check, " is not ", same);
    swarm_schema_combine(check, schema, value, depth + 1);
    if (swarm_json_number(value, &number))
        swarm_schema_number(check, schema, number);
    else if (swarm_json_type_of(value) == SWARM_JSON_STRING)
        swarm_schema_string(check, schema, value);
    else if (swarm_json_type_of(value) == SWARM_JSON_ARRAY)
        swarm_schema_array(check, schema, value, depth + 1);
    else if (swarm_json_type_of(value) == SWARM_JSON_OBJECT)
        swarm_schema_object(check, schema, value, depth + 1);
}

/* Append what is wrong with the value, in words, with "; " between problems. Returns how many there
 * are; 0: it fits the schema. */
static inline uint32_t swarm_schema_problems(struct swarm_json schema, struct swarm_json value,
                                             struct swarm_text *problems)
{
    char path[SWARM_SCHEMA_PATH_BYTES];
    struct swarm_check check = {schema, problems, 0, {path, 0, sizeof path, false}};

    swarm_schema_check(&check, schema, value, 0);
    return check.count;
}
