/* What swarm/schema.h says of values that do not fit, and where in a schema things are.
 * Limits: SWARM_SCHEMA_PROBLEMS_MAX problems, in the words of the other languages' SDKs. */
#pragma once
#include <swarm/json_same.h>

#define SWARM_SCHEMA_PROBLEMS_MAX 8u
/* Functions that stand apart from those that call them: schemas are gone through by recursion, on a
 * stack of 14 KiB. */
#define SWARM_APART static __attribute__((noinline, unused))

struct swarm_check { /* A value that is being checked. */
    struct swarm_json root;
    struct swarm_text *problems; /* NULL: they are counted. */
    uint32_t count;
    struct swarm_text path; /* To where we are; cut where there is no more room. */
};

struct swarm_schema { /* A value against a schema, so many levels down. */
    struct swarm_json rules, value;
    uint32_t depth;
};

static inline struct swarm_json swarm_schema_rule(const struct swarm_schema *at, const char *name)
{
    return swarm_json_member(at->rules, name, swarm_size_of(name));
}

/* Begin a problem: false, if nobody wants to hear of it. */
static inline bool swarm_schema_begin(struct swarm_check *check)
{
    if (check->count++ >= SWARM_SCHEMA_PROBLEMS_MAX || check->problems == 0)
        return false;
    swarm_put_words(check->problems, check->count > 1 ? "; " : "");
    if (check->path.size > 0)
        swarm_put(check->problems, check->path.bytes, check->path.size);
    else
        swarm_put_words(check->problems, "the value");
    return true;
}

/* A problem: "PATH WORDS JSON". */
SWARM_APART void swarm_schema_say(struct swarm_check *check, const char *words,
                                  const struct swarm_json *json)
{
    if (!swarm_schema_begin(check))
        return;
    swarm_put_words(check->problems, words);
    swarm_put(check->problems, json->text, json->size);
}

/* A problem: "PATH WORDS COUNT END". */
static inline void swarm_schema_say_count(struct swarm_check *check, const char *words,
                                          uint32_t count, const char *end)
{
    if (!swarm_schema_begin(check))
        return;
    swarm_put_words(check->problems, words);
    swarm_put_integer(check->problems, count);
    swarm_put_words(check->problems, end);
}

static inline const char *swarm_schema_type_name(struct swarm_json value)
{
    static const char *const names[] = {"nothing", "null",  "boolean", "number",
                                        "string",  "array", "object"};

    return names[swarm_json_type_of(value)];
}

static inline bool swarm_schema_is_of(struct swarm_json value, struct swarm_json type)
{
    double number;

    if (swarm_json_is(type, "integer"))
        return swarm_json_number(value, &number) && swarm_json_is_whole(number);
    return swarm_json_is(type, swarm_schema_type_name(value));
}

/* Whether the value is of the type, or of one of a list of them. */
SWARM_APART bool swarm_schema_type(struct swarm_check *check, struct swarm_json type,
                                   struct swarm_json value)
{
    struct swarm_json list = type, key, each;
    bool is_first = true;

    if (type.size == 0 || swarm_schema_is_of(value, type))
        return true;
    while (swarm_json_next(&list, &key, &each))
        if (swarm_schema_is_of(value, each))
            return true;
    if (!swarm_schema_begin(check))
        return false;
    swarm_put_words(check->problems, " is ");
    swarm_put_words(check->problems, swarm_schema_type_name(value));
    swarm_put_words(check->problems, ", not ");
    if (swarm_json_type_of(type) == SWARM_JSON_STRING)
        swarm_json_copy(type, check->problems);
    for (; swarm_json_next(&type, &key, &each); is_first = false) {
        swarm_put_words(check->problems, is_first ? "" : " or ");
        swarm_json_copy(each, check->problems);
    }
    return false;
}

/* Where "#/a/b" leads. */
SWARM_APART struct swarm_json swarm_schema_resolve(struct swarm_json root, struct swarm_json ref)
{
    char bytes[256];
    struct swarm_text way = {bytes, 0, sizeof bytes, false};
    uint32_t at = 1;

    swarm_json_copy(ref, &way);
    if (way.is_full || way.size == 0 || bytes[0] != '#')
        return SWARM_JSON_NOTHING;
    while (at < way.size) {
        uint32_t begin = ++at, end = begin; /* Behind the slash. */

        for (; at < way.size && bytes[at] != '/'; at++) {
            bool is_escape = bytes[at] == '~' && at + 1 < way.size;

            at += is_escape;
            bytes[end++] = !is_escape ? bytes[at] : (char)(bytes[at] == '1' ? '/' : '~');
        }
        root = swarm_json_member(root, bytes + begin, end - begin);
    }
    return root;
}
