/* JSON Schema (2020-12), as far as models are asked with it: type, enum, const, properties,
 * required, additionalProperties, items, prefixItems, bounds of numbers, lengths and counts,
 * multipleOf, uniqueItems, anyOf, oneOf, allOf, not, and $ref to "#/...". What is not known,
 * `pattern` for one, is not checked. The words are those of the other languages' SDKs. Limits:
 * SWARM_SCHEMA_DEPTH_MAX levels, SWARM_SCHEMA_PROBLEMS_MAX problems. */
#pragma once
#include <swarm/schema_words.h>

#define SWARM_SCHEMA_DEPTH_MAX 16u
#define SWARM_SCHEMA_PATH_BYTES 128u

SWARM_APART void swarm_schema_check(struct swarm_check *check, const struct swarm_schema *at);

/* --- Other schemas for the same value -------------------------------------------------------- */

/* Check for a rule that is a schema, if there is such a rule. */
SWARM_APART void swarm_schema_under(struct swarm_check *check, const struct swarm_schema *at,
                                    struct swarm_json rules)
{
    struct swarm_schema under = {rules, at->value, at->depth + 1};

    swarm_schema_check(check, &under);
}

/* How many schemas of a list the value fits. */
SWARM_APART uint32_t swarm_schema_fits(const struct swarm_check *check,
                                       const struct swarm_schema *at, struct swarm_json list)
{
    struct swarm_json key, each;
    uint32_t count = 0;

    while (swarm_json_next(&list, &key, &each)) {
        struct swarm_check inner = {check->root, 0, 0, {0, 0, 0, false}};

        swarm_schema_under(&inner, at, each);
        count += inner.count == 0;
    }
    return count;
}

SWARM_APART void swarm_schema_combine(struct swarm_check *check, const struct swarm_schema *at)
{
    struct swarm_json rule = swarm_schema_rule(at, "allOf"), key, each;
    struct swarm_check inner = {check->root, 0, 0, {0, 0, 0, false}};
    uint32_t count;

    while (swarm_json_next(&rule, &key, &each))
        swarm_schema_under(check, at, each);
    rule = swarm_schema_rule(at, "anyOf");
    if (rule.size > 0 && swarm_schema_fits(check, at, rule) == 0)
        swarm_schema_say(check, " fits none of anyOf", &SWARM_JSON_NOTHING);
    rule = swarm_schema_rule(at, "oneOf");
    count = rule.size > 0 ? swarm_schema_fits(check, at, rule) : 1;
    if (count != 1)
        swarm_schema_say_count(check, " fits ", count, " of oneOf");
    rule = swarm_schema_rule(at, "not");
    if (rule.size == 0)
        return;
    swarm_schema_under(&inner, at, rule);
    if (inner.count == 0)
        swarm_schema_say(check, " is what it must not be", &SWARM_JSON_NOTHING);
}

SWARM_APART void swarm_schema_refer(struct swarm_check *check, const struct swarm_schema *at)
{
    struct swarm_json ref = swarm_schema_rule(at, "$ref"), to;

    if (ref.size == 0)
        return;
    to = swarm_schema_resolve(check->root, ref);
    if (to.size == 0)
        swarm_schema_say(check, " has a schema that is not there: ", &ref);
    else
        swarm_schema_under(check, at, to);
}

/* --- Values ---------------------------------------------------------------------------------- */

SWARM_APART void swarm_schema_same(struct swarm_check *check, const struct swarm_schema *at)
{
    struct swarm_json list = swarm_schema_rule(at, "enum"), same = swarm_schema_rule(at, "const");

    if (list.size > 0 && !swarm_json_is_among(list, at->value))
        swarm_schema_say(check, " is none of ", &list);
    if (same.size > 0 && !swarm_json_is_same(same, at->value, 0))
        swarm_schema_say(check, " is not ", &same);
}

SWARM_APART void swarm_schema_number(struct swarm_check *check, const struct swarm_schema *at)
{
    static const struct {
        const char *name, *words;
    } bounds[] = {{"minimum", " is less than "},
                  {"maximum", " is more than "},
                  {"exclusiveMinimum", " is not more than "},
                  {"exclusiveMaximum", " is not less than "},
                  {"multipleOf", " is no multiple of "}};
    double number = 0;

    (void)swarm_json_number(at->value, &number);
    for (uint32_t i = 0; i < 5; i++) {
        struct swarm_json bound = swarm_schema_rule(at, bounds[i].name);
        double limit;

        if (!swarm_json_number(bound, &limit))
            continue;
        if ((i == 0 && number < limit) || (i == 1 && number > limit) ||
            (i == 2 && number <= limit) || (i == 3 && number >= limit) ||
            (i == 4 && limit > 0 && !swarm_json_is_whole(number / limit)))
            swarm_schema_say(check, bounds[i].words, &bound);
    }
}

static inline uint32_t swarm_schema_small(double number)
{
    return number < 4294967295.0 ? (uint32_t)number : UINT32_MAX;
}

/* How many characters or items there are, against two bounds: their names, and what to say. */
SWARM_APART void swarm_schema_count(struct swarm_check *check, const struct swarm_schema *at,
                                    const char *const words[5], uint32_t count)
{
    double least, most;

    if (swarm_json_number(swarm_schema_rule(at, words[0]), &least) && count < least)
        swarm_schema_say_count(check, words[2], swarm_schema_small(least), words[4]);
    if (swarm_json_number(swarm_schema_rule(at, words[1]), &most) && count > most && most >= 0)
        swarm_schema_say_count(check, words[3], swarm_schema_small(most), words[4]);
}

SWARM_APART void swarm_schema_string(struct swarm_check *check, const struct swarm_schema *at)
{
    static const char *const words[5] = {"minLength", "maxLength", " is shorter than ",
                                         " is longer than ", ""};
    struct swarm_json value = at->value;
    uint32_t count = 0;
    char bytes[4];

    (void)swarm_json_take(&value, '"');
    while (swarm_json_character(&value, bytes) - 1 < 4)
        count++;
    swarm_schema_count(check, at, words, count);
}

SWARM_APART void swarm_schema_array(struct swarm_check *check, const struct swarm_schema *at)
{
    static const char *const words[5] = {"minItems", "maxItems", " has fewer than ",
                                         " has more than ", " items"};
    struct swarm_json first = swarm_schema_rule(at, "prefixItems"), key, value = at->value;
    struct swarm_schema item = {{0, 0, 0}, {0, 0, 0}, at->depth + 1};
    uint32_t count = 0, path_size = check->path.size;

    if (swarm_json_is_true(swarm_schema_rule(at, "uniqueItems")) && swarm_json_has_twins(value))
        swarm_schema_say(check, " has an item twice", &SWARM_JSON_NOTHING);
    for (; swarm_json_next(&value, &key, &item.value); count++) {
        item.rules = swarm_json_item(first, count);
        if (item.rules.size == 0)
            item.rules = swarm_schema_rule(at, "items");
        swarm_put(&check->path, "[", 1);
        swarm_put_integer(&check->path, count);
        swarm_put(&check->path, "]", 1);
        swarm_schema_check(check, &item);
        check->path.size = path_size;
        check->path.is_full = false;
    }
    swarm_schema_count(check, at, words, count);
}

SWARM_APART void swarm_schema_required(struct swarm_check *check, const struct swarm_schema *at)
{
    struct swarm_json required = swarm_schema_rule(at, "required"), key, name;

    while (swarm_json_next(&required, &key, &name))
        if (swarm_json_named(at->value, name).size == 0)
            swarm_schema_say(check, " lacks ", &name);
}

SWARM_APART void swarm_schema_object(struct swarm_check *check, const struct swarm_schema *at)
{
    struct swarm_json rest = swarm_schema_rule(at, "additionalProperties"), name;
    struct swarm_json value = at->value, known = swarm_schema_rule(at, "properties");
    struct swarm_schema item = {{0, 0, 0}, {0, 0, 0}, at->depth + 1};
    uint32_t path_size = check->path.size;

    while (swarm_json_next(&value, &name, &item.value)) {
        swarm_put(&check->path, ".", path_size > 0);
        swarm_json_copy(name, &check->path);
        item.rules = swarm_json_named(known, name);
        if (item.rules.size == 0 && rest.size == 5) { /* false */
            swarm_schema_say(check, " is not known", &SWARM_JSON_NOTHING);
        } else {
            item.rules = item.rules.size == 0 ? rest : item.rules;
            swarm_schema_check(check, &item);
        }
        check->path.size = path_size;
        check->path.is_full = false;
    }
}

SWARM_APART void swarm_schema_check(struct swarm_check *check, const struct swarm_schema *at)
{
    if (at->depth > SWARM_SCHEMA_DEPTH_MAX) {
        swarm_schema_say(check, " is nested too deep", &SWARM_JSON_NOTHING);
        return;
    }
    if (at->rules.size == 5 && at->rules.text[0] == 'f')
        swarm_schema_say(check, " is not allowed", &SWARM_JSON_NOTHING);
    if (swarm_json_type_of(at->rules) != SWARM_JSON_OBJECT)
        return;
    swarm_schema_refer(check, at);
    if (!swarm_schema_type(check, swarm_schema_rule(at, "type"), at->value))
        return;
    swarm_schema_same(check, at);
    swarm_schema_combine(check, at);
    switch (swarm_json_type_of(at->value)) {
    case SWARM_JSON_NUMBER:
        swarm_schema_number(check, at);
        return;
    case SWARM_JSON_STRING:
        swarm_schema_string(check, at);
        return;
    case SWARM_JSON_ARRAY:
        swarm_schema_array(check, at);
        return;
    case SWARM_JSON_OBJECT:
        swarm_schema_required(check, at);
        swarm_schema_object(check, at);
        return;
    case SWARM_JSON_NONE:
    case SWARM_JSON_NULL:
    case SWARM_JSON_BOOL:
        return;
    }
}

/* Append what is wrong with the value, in words, with "; " between problems. Returns how many there
 * are; 0: it fits the schema. */
static inline uint32_t swarm_schema_problems(struct swarm_json schema, struct swarm_json value,
                                             struct swarm_text *problems)
{
    char path[SWARM_SCHEMA_PATH_BYTES];
    struct swarm_check check = {schema, problems, 0, {path, 0, sizeof path, false}};
    struct swarm_schema at = {schema, value, 0};

    swarm_schema_check(&check, &at);
    return check.count;
}
