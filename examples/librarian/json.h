/* A question in JSON: a string, or an object with "question" and, if wanted, "limit". */
#pragma once
#include "text.h"

struct json { /* What is left to read. A mistake makes it `failed`, and all later reads fail. */
    const uint8_t *text;
    uint32_t size, at;
    bool failed;
};

static inline uint8_t json_peek(struct json *json)
{
    while (json->at < json->size && (json->text[json->at] == ' ' || json->text[json->at] == '\n' ||
                                     json->text[json->at] == '\t' || json->text[json->at] == '\r'))
        json->at++;
    return json->at < json->size && !json->failed ? json->text[json->at] : 0;
}

/* Take this byte, or fail. */
static inline void json_take(struct json *json, uint8_t byte)
{
    json->failed = json_peek(json) != byte;
    json->at++;
}

/* The value of four hex digits. Words are ASCII or whole characters of other scripts, so what is
 * not ASCII may be read as a gap; nobody writes questions in surrogates. */
static inline uint8_t json_escape_u(struct json *json)
{
    uint32_t value = 0;

    for (int i = 0; i < 4; i++) {
        uint8_t byte = json->at < json->size ? byte_lower(json->text[json->at++]) : 0;
        bool is_digit = byte >= '0' && byte <= '9';

        json->failed = json->failed || (!is_digit && (byte < 'a' || byte > 'f'));
        value = value * 16 + ((uint32_t)byte - (is_digit ? '0' : 'a' - 10));
    }
    return value < 0x80 ? (uint8_t)value : ' ';
}

static inline uint8_t json_escape(struct json *json)
{
    uint8_t byte = json->at < json->size ? json->text[json->at++] : 0;

    switch (byte) {
    case '"':
    case '\\':
    case '/':
        return byte;
    case 'b':
    case 'f':
    case 'n':
    case 'r':
    case 't':
        return ' ';
    case 'u':
        return json_escape_u(json);
    default:
        json->failed = true;
        return 0;
    }
}

/* Read a string into ret_text, which has room for all of the JSON; returns its size. */
static inline uint32_t json_string(struct json *json, uint8_t *ret_text)
{
    uint32_t size = 0;

    json_take(json, '"');
    while (!json->failed && json->at < json->size && json->text[json->at] != '"') {
        uint8_t byte = json->text[json->at++];

        json->failed = byte < ' ';
        ret_text[size++] = byte == '\\' ? json_escape(json) : byte;
    }
    json->failed = json->failed || json->at >= json->size;
    json->at++;
    return size;
}

static inline uint32_t json_number(struct json *json)
{
    uint32_t number = 0, start;

    (void)json_peek(json);
    start = json->at;
    while (json->at < json->size && json->text[json->at] >= '0' && json->text[json->at] <= '9' &&
           json->at - start < 6)
        number = number * 10 + json->text[json->at++] - '0';
    json->failed = json->failed || json->at == start;
    return number;
}

static inline bool json_is_name(const uint8_t *name, uint32_t size, const char *expected)
{
    uint32_t i = 0;

    while (i < size && expected[i] != '\0' && name[i] == (uint8_t)expected[i])
        i++;
    return i == size && expected[i] == '\0';
}

/* Read a question of at most size bytes into ret_text, which has room for as many, and its limit if
 * there is one. Returns the size of the question; 0: it is not one. */
static inline uint32_t json_question(const uint8_t *text, uint32_t size, uint8_t *ret_text,
                                     uint32_t *ret_limit)
{
    struct json json = {.text = text, .size = size};
    uint32_t question_size = 0;

    if (json_peek(&json) == '"') {
        question_size = json_string(&json, ret_text);
    } else {
        json_take(&json, '{');
        do { /* What comes after the question may overwrite only what is behind it. */
            uint32_t name_size = json_string(&json, ret_text + question_size);
            const uint8_t *name = ret_text + question_size;

            json_take(&json, ':');
            if (json_is_name(name, name_size, "limit"))
                *ret_limit = json_number(&json);
            else if (json_is_name(name, name_size, "question") && question_size == 0)
                question_size = json_string(&json, ret_text);
            else
                json.failed = true;
        } while (json_peek(&json) == ',' && json.at++ < size);
        json_take(&json, '}');
    }
    return json_peek(&json) == 0 && !json.failed && json.at >= size ? question_size : 0;
}
