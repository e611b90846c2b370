/* JSON (RFC 8259) read where it stands: a value is the piece of the text that it is written in.
 *
 * swarm_json_read checks a whole document once; what the other functions find in it are pieces of
 * it, valid as long as the text is and stays as it is. Nothing is allocated. What is not there is a
 * value of the type SWARM_JSON_NONE, in which nothing is found either, so that only the last step
 * of a way needs to be looked at. Finding reads the text up to the place, and of members with the
 * same name the last one counts. Limits: values are nested at most SWARM_JSON_DEPTH_MAX deep.
 * JSON is written with swarm/text.h. */
#pragma once
#include <swarm/agent.h>
#include <swarm/json_scan.h>

enum swarm_json_type {
    SWARM_JSON_NONE, /* There is no such value. */
    SWARM_JSON_NULL,
    SWARM_JSON_BOOL,
    SWARM_JSON_NUMBER,
    SWARM_JSON_STRING,
    SWARM_JSON_ARRAY,
    SWARM_JSON_OBJECT
};

/* The value that begins here, which is skipped; none where there is none. */
static inline struct swarm_json swarm_json_cut(struct swarm_json *json)
{
    uint32_t begin;

    (void)swarm_json_peek(json);
    begin = json->at;
    if (!swarm_json_skip(json))
        return SWARM_JSON_NOTHING;
    return (struct swarm_json){json->text + begin, json->at - begin, 0};
}

/* The value that a text of any origin is. It is borrowed.
 * SWARM_E_INVALID  it is not one JSON value, not UTF-8, or nested too deep */
static inline int32_t swarm_json_read(const void *text, uint32_t size, struct swarm_json *ret_value)
{
    struct swarm_json json = {text, size, 0}, value = swarm_json_cut(&json);

    if (value.size == 0 || swarm_json_peek(&json) != 0 || json.at < size)
        return SWARM_E_INVALID;
    *ret_value = value;
    return SWARM_OK;
}

static inline enum swarm_json_type swarm_json_type_of(struct swarm_json value)
{
    switch (value.size == 0 ? 0 : value.text[0]) {
    case 0:
        return SWARM_JSON_NONE;
    case 'n':
        return SWARM_JSON_NULL;
    case 't':
    case 'f':
        return SWARM_JSON_BOOL;
    case '"':
        return SWARM_JSON_STRING;
    case '[':
        return SWARM_JSON_ARRAY;
    case '{':
        return SWARM_JSON_OBJECT;
    default:
        return SWARM_JSON_NUMBER;
    }
}

static inline bool swarm_json_is_true(struct swarm_json value)
{
    return value.size == 4 && value.text[0] == 't';
}

/* The next item of an array or member of an object, which begins with `at` 0; an item has no name.
 * false: that was all. */
static inline bool swarm_json_next(struct swarm_json *container, struct swarm_json *ret_name,
                                   struct swarm_json *ret_value)
{
    enum swarm_json_type type =
        container->size == 0 ? SWARM_JSON_NONE : swarm_json_type_of(*container);

    if (type != SWARM_JSON_ARRAY && type != SWARM_JSON_OBJECT)
        return false;
    container->at += container->at == 0; /* The bracket. */
    if (swarm_json_peek(container) == ',')
        container->at++;
    *ret_name = SWARM_JSON_NOTHING;
    if (swarm_json_peek(container) == (type == SWARM_JSON_ARRAY ? ']' : '}'))
        return false;
    if (type == SWARM_JSON_OBJECT) {
        *ret_name = swarm_json_cut(container);
        if (swarm_json_peek(container) == ':')
            container->at++;
    }
    *ret_value = swarm_json_cut(container);
    return ret_value->size > 0;
}

/* Append what a string says; of another value, the JSON itself; of none, nothing. */
static inline void swarm_json_copy(struct swarm_json value, struct swarm_text *text)
{
    uint32_t step = 1;
    char bytes[4];

    if (!swarm_json_take(&value, '"')) {
        swarm_put(text, value.text, value.size);
        return;
    }
    for (; step > 0 && step < SWARM_JSON_WRONG && !text->is_full; swarm_put(text, bytes, step)) {
        step = swarm_json_character(&value, bytes);
        step = step == SWARM_JSON_WRONG ? 0 : step;
    }
}

/* Whether it is a string that says this. */
static inline bool swarm_json_says(struct swarm_json value, const void *text, uint32_t size)
{
    const char *expected = text;
    char bytes[4];
    uint32_t step;

    if (!swarm_json_take(&value, '"'))
        return false;
    for (;;) {
        step = swarm_json_character(&value, bytes);
        if (step == 0 || step > size)
            return step == 0 && size == 0;
        for (uint32_t i = 0; i < step; i++)
            if (bytes[i] != expected[i])
                return false;
        expected += step;
        size -= step;
    }
}
static inline bool swarm_json_is(struct swarm_json value, const char *words)
{
    return swarm_json_says(value, words, swarm_size_of(words));
}

/* The member of that name, the last one if there are several. */
static inline struct swarm_json swarm_json_member(struct swarm_json object, const char *name,
                                                  uint32_t name_size)
{
    struct swarm_json found = SWARM_JSON_NOTHING, key, value;

    object.at = 0;
    while (swarm_json_next(&object, &key, &value))
        if (swarm_json_says(key, name, name_size))
            found = value;
    return found;
}

static inline struct swarm_json swarm_json_item(struct swarm_json array, uint32_t index)
{
    struct swarm_json key, value = SWARM_JSON_NOTHING;
    uint32_t i = 0;

    array.at = 0;
    if (swarm_json_type_of(array) != SWARM_JSON_ARRAY)
        return value;
    while (swarm_json_next(&array, &key, &value))
        if (i++ == index)
            return value;
    return SWARM_JSON_NOTHING;
}

/* What a way leads to: names of members with dots between them, and numbers of items in brackets,
 * such as "choices[0].message.content". */
static inline struct swarm_json swarm_json_find(struct swarm_json value, const char *way)
{
    while (*way != '\0') {
        uint32_t size = 0, index = 0;

        if (*way == '[') {
            for (way++; *way >= '0' && *way <= '9' && index < 100000000; way++)
                index = index * 10 + (uint32_t)(*way - '0');
            value = swarm_json_item(value, index);
            way += *way == ']';
        } else {
            way += *way == '.';
            while (way[size] != '\0' && way[size] != '.' && way[size] != '[')
                size++;
            value = swarm_json_member(value, way, size);
            way += size;
        }
    }
    return value;
}

/* --- Numbers --------------------------------------------------------------------------------- */

/* false: it is no number. Exact for what has at most 15 digits and is written without an exponent;
 * of others the last bits may differ from the nearest double. */
static inline bool swarm_json_number(struct swarm_json value, double *ret_number)
{
    int32_t power = 0, given = 0;
    bool is_negative = swarm_json_take(&value, '-'), is_behind = false, is_small;
    double number = 0;

    if (value.at >= value.size || value.text[value.at] < '0' || value.text[value.at] > '9')
        return false;
    for (; value.at < value.size && (value.text[value.at] | 0x20) != 'e'; value.at++) {
        if (value.text[value.at] == '.') {
            is_behind = true;
            continue;
        }
        number = number * 10 + (value.text[value.at] - '0');
        power -= is_behind && power > -100000;
    }
    value.at++; /* The e. */
    is_small = swarm_json_take(&value, '-');
    for (value.at += value.at < value.size && value.text[value.at] == '+';
         value.at < value.size && given < 100000; value.at++)
        given = given * 10 + (value.text[value.at] - '0');
    for (power += is_small ? -given : given; power < 0 && number > 0;) {
        double scale = 1;

        for (int i = 0; i < 15 && power < 0; i++, power++)
            scale *= 10;
        number /= scale;
    }
    for (; power > 0 && number > 0 && number <= __DBL_MAX__; power--)
        number *= 10;
    *ret_number = is_negative ? -number : number;
    return true;
}

static inline bool swarm_json_is_whole(double number)
{
    return !(number < 0x1p53 && number > -0x1p53) || number == (double)(int64_t)number;
}

/* false: it is no whole number, or beyond 2^53, where a number of JSON is not one number for all
 * who read it. 7.0 and 70e-1 are 7. */
static inline bool swarm_json_integer(struct swarm_json value, int64_t *ret_number)
{
    double number;

    if (!swarm_json_number(value, &number) || number > 0x1p53 || number < -0x1p53 ||
        !swarm_json_is_whole(number))
        return false;
    *ret_number = (int64_t)number;
    return true;
}
