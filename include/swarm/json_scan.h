/* The grammar of JSON (RFC 8259): going through a text, value by value. swarm/json.h is what agents
 * read JSON with; this is what it is made of. Each function stops where something is wrong and
 * never reads beyond the text. */
#pragma once
#include <swarm/text.h>

#define SWARM_JSON_DEPTH_MAX 64u
#define SWARM_JSON_WRONG 5u

struct swarm_json { /* One value: the piece of text that it is written in. All zero: none. */
    const char *text;
    uint32_t size, at; /* at: how far a reader of it is; 0 for everybody else. */
};
static const struct swarm_json SWARM_JSON_NOTHING = {0, 0, 0};

/* The next byte that is no white space; 0: the end. */
static inline char swarm_json_peek(struct swarm_json *json)
{
    for (; json->at < json->size; json->at++) {
        char byte = json->text[json->at];

        if (byte != ' ' && byte != '\n' && byte != '\t' && byte != '\r')
            return byte;
    }
    return 0;
}

static inline bool swarm_json_take(struct swarm_json *json, char byte)
{
    bool is_there = json->at < json->size && json->text[json->at] == byte;

    json->at += is_there;
    return is_there;
}

/* The value of four hexadecimal digits; UINT32_MAX: they are none. */
static inline uint32_t swarm_json_hex(struct swarm_json *json)
{
    uint32_t value = 0;

    for (int i = 0; i < 4; i++) {
        char byte = json->at < json->size ? json->text[json->at++] : 0;
        char lower = (char)(byte | 0x20);

        if (byte >= '0' && byte <= '9')
            value = value << 4 | (uint32_t)(byte - '0');
        else if (lower >= 'a' && lower <= 'f')
            value = value << 4 | (uint32_t)(lower - 'a' + 10);
        else
            return UINT32_MAX;
    }
    return value;
}

/* Behind "\u": a code point, of two escapes if need be; half of one is U+FFFD. */
static inline uint32_t swarm_json_point(struct swarm_json *json)
{
    uint32_t point = swarm_json_hex(json), low, back = json->at;

    if (point == UINT32_MAX || point < 0xd800 || point > 0xdfff)
        return point;
    if (point > 0xdbff || !swarm_json_take(json, '\\') || !swarm_json_take(json, 'u')) {
        json->at = back;
        return 0xfffd;
    }
    low = swarm_json_hex(json);
    if (low >= 0xdc00 && low <= 0xdfff)
        return 0x10000 + ((point - 0xd800) << 10) + (low - 0xdc00);
    json->at = back; /* Whatever that is, it is read next. */
    return 0xfffd;
}

/* One character of a string, whose quote at the begin is behind us: its bytes, 1 to 4; 0: it was
 * the closing quote; SWARM_JSON_WRONG: it is none. */
static inline uint32_t swarm_json_character(struct swarm_json *json, char ret_bytes[4])
{
    static const char letters[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
    uint32_t size = swarm_utf8_size(json->text + json->at, json->size - json->at), point;
    uint8_t byte = size > 0 ? (uint8_t)json->text[json->at] : 0;

    if (size == 0 || byte < ' ')
        return SWARM_JSON_WRONG;
    if (swarm_json_take(json, '"'))
        return 0;
    if (byte != '\\') {
        swarm_copy(ret_bytes, json->text + json->at, size);
        json->at += size;
        return size;
    }
    json->at++;
    if (swarm_json_take(json, 'u')) {
        point = swarm_json_point(json);
        return point == UINT32_MAX ? SWARM_JSON_WRONG : swarm_utf8_put(point, ret_bytes);
    }
    for (uint32_t i = 0; i < sizeof letters - 1; i++)
        if (swarm_json_take(json, letters[i])) {
            ret_bytes[0] = meant[i];
            return 1;
        }
    return SWARM_JSON_WRONG;
}

static inline bool swarm_json_skip_string(struct swarm_json *json)
{
    uint32_t step = 1;
    char bytes[4];

    if (!swarm_json_take(json, '"'))
        return false;
    while (step > 0 && step < SWARM_JSON_WRONG)
        step = swarm_json_character(json, bytes);
    return step == 0;
}

static inline uint32_t swarm_json_digits(struct swarm_json *json)
{
    uint32_t begin = json->at;

    while (json->at < json->size && json->text[json->at] >= '0' && json->text[json->at] <= '9')
        json->at++;
    return json->at - begin;
}

static inline bool swarm_json_skip_number(struct swarm_json *json)
{
    (void)swarm_json_take(json, '-');
    if (!swarm_json_take(json, '0') && swarm_json_digits(json) == 0)
        return false;
    if (swarm_json_take(json, '.') && swarm_json_digits(json) == 0)
        return false;
    if (!swarm_json_take(json, 'e') && !swarm_json_take(json, 'E'))
        return true;
    if (!swarm_json_take(json, '-'))
        (void)swarm_json_take(json, '+');
    return swarm_json_digits(json) > 0;
}

static inline bool swarm_json_skip_scalar(struct swarm_json *json)
{
    static const char *const words[] = {"true", "false", "null"};
    char first = swarm_json_peek(json);

    if (first == '"')
        return swarm_json_skip_string(json);
    for (uint32_t i = 0, size = 0; i < 3; i++, size = 0) {
        if (words[i][0] != first)
            continue;
        while (words[i][size] != '\0' && swarm_json_take(json, words[i][size]))
            size++;
        return words[i][size] == '\0';
    }
    return swarm_json_skip_number(json);
}

static inline bool swarm_json_skip_name(struct swarm_json *json)
{
    return swarm_json_peek(json) == '"' && swarm_json_skip_string(json) &&
           swarm_json_peek(json) == ':' && swarm_json_take(json, ':');
}

/* Behind a bracket: whether there is a first value to go to. */
static inline bool swarm_json_skip_open(struct swarm_json *json, bool is_object, bool *ret_failed)
{
    if (swarm_json_peek(json) == (is_object ? '}' : ']'))
        return false;
    *ret_failed = is_object && !swarm_json_skip_name(json);
    return true;
}

/* Go past one value, whatever is in it. false: there is none, or it is nested too deep. */
static inline bool swarm_json_skip(struct swarm_json *json)
{
    uint64_t objects = 0; /* A bit for each bracket that is open: whether it is an object's. */
    uint32_t depth = 0;
    bool failed = false;
    char byte;

    for (;;) {
        byte = swarm_json_peek(json);
        if (byte == '{' || byte == '[') {
            if (depth++ == SWARM_JSON_DEPTH_MAX)
                return false;
            objects = objects << 1 | (byte == '{');
            json->at++;
            if (swarm_json_skip_open(json, byte == '{', &failed) && !failed)
                continue;
        } else {
            failed = !swarm_json_skip_scalar(json);
        }
        while (!failed && depth > 0 && swarm_json_peek(json) == (objects & 1 ? '}' : ']')) {
            json->at++;
            objects >>= 1;
            depth--;
        }
        if (failed || depth == 0)
            return !failed;
        if (!swarm_json_take(json, ',') || ((objects & 1) != 0 && !swarm_json_skip_name(json)))
            return false;
    }
}
