/* Texts that are put together in room of the caller's, and JSON (RFC 8259) as one of them.
 *
 * Nothing is allocated, and nothing is written beyond the room: what does not fit is left out
 * whole, and the text is full from then on, which is looked at once, at the end. Texts are UTF-8
 * and not NUL-terminated. A `name` or `words` is NUL-terminated and the program's own. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct swarm_text {
    char *bytes; /* The caller's. */
    uint32_t size, size_max;
    bool is_full;
};

static inline uint32_t swarm_size_of(const char *words)
{
    uint32_t size = 0;

    while (words[size] != '\0')
        size++;
    return size;
}

/* The two may overlap. */
static inline void swarm_copy(void *to, const void *from, uint32_t size)
{
    if (size > 0)
        __builtin_memmove(to, from, size);
}

static inline void swarm_put(struct swarm_text *text, const void *bytes, uint32_t size)
{
    text->is_full = text->is_full || size > text->size_max - text->size;
    if (text->is_full || size == 0)
        return;
    swarm_copy(text->bytes + text->size, bytes, size);
    text->size += size;
}

static inline void swarm_put_words(struct swarm_text *text, const char *words)
{
    swarm_put(text, words, swarm_size_of(words));
}

static inline void swarm_put_integer(struct swarm_text *text, int64_t number)
{
    uint64_t rest = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
    char digits[20];
    uint32_t at = sizeof digits;

    do {
        digits[--at] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (number < 0)
        digits[--at] = '-';
    swarm_put(text, digits + at, (uint32_t)sizeof digits - at);
}

/* Bytes of the character that begins a text of `size` bytes, 1 to 4; 0: it is not UTF-8, as
 * RFC 3629 has it, or there is none. */
static inline uint32_t swarm_utf8_size(const void *text, uint32_t size)
{
    const uint8_t *at = text;
    uint32_t count = 0, least = 0x80;

    if (size == 0 || at[0] < 0x80)
        return size > 0;
    if (at[0] >= 0xc2 && at[0] < 0xe0)
        count = 2;
    else if ((at[0] & 0xf0) == 0xe0)
        count = 3;
    else if (at[0] >= 0xf0 && at[0] < 0xf5)
        count = 4;
    if (count > size)
        return 0;
    for (uint32_t i = 1; i < count; i++)
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    /* Forms that are too long, surrogates, and what is behind the last character. */
    if (at[0] == 0xe0)
        least = 0xa0;
    else if (at[0] == 0xf0)
        least = 0x90;
    if (count == 0 || at[1] < least || (at[0] == 0xed && at[1] > 0x9f) ||
        (at[0] == 0xf4 && at[1] > 0x8f))
        return 0;
    return count;
}

static inline bool swarm_is_utf8(const void *text, uint32_t size)
{
    for (uint32_t at = 0, step; at < size; at += step) {
        step = swarm_utf8_size((const uint8_t *)text + at, size - at);
        if (step == 0)
            return false;
    }
    return true;
}

/* A code point as UTF-8: its bytes, 1 to 4. */
static inline uint32_t swarm_utf8_put(uint32_t point, char ret_bytes[4])
{
    uint32_t count = 1, first = 0;

    if (point >= 0x80) {
        count = 2u + (point >= 0x800) + (point >= 0x10000);
        first = 0xf00 >> count & 0xf0; /* c0, e0 or f0. */
    }
    for (uint32_t i = count; i-- > 1; point >>= 6)
        ret_bytes[i] = (char)(0x80 | (point & 0x3f));
    ret_bytes[0] = (char)(first | point);
    return count;
}

/* --- JSON ------------------------------------------------------------------------------------
 *
 * The text is one document and nothing else: commas are put where its last byte asks for one. A
 * name is that of a member; NULL: an item of an array, or the document itself. */

/* What stands within quotes; bytes that are not UTF-8 become U+FFFD. */
static inline void swarm_put_escaped(struct swarm_text *text, const void *bytes, uint32_t size)
{
    static const char digits[] = "0123456789abcdef";
    const char *from = bytes;

    for (uint32_t at = 0, step; at < size; at += step == 0 ? 1 : step) {
        uint8_t byte = (uint8_t)from[at];

        step = swarm_utf8_size(from + at, size - at);
        if (step == 0) {
            swarm_put(text, "\xef\xbf\xbd", 3);
        } else if (byte < ' ') {
            const char escape[] = {'\\', 'u', '0', '0', digits[byte >> 4], digits[byte & 15]};
            swarm_put(text, escape, sizeof escape);
        } else {
            if (byte == '"' || byte == '\\')
                swarm_put(text, "\\", 1);
            swarm_put(text, from + at, step);
        }
    }
}

static inline void swarm_json_quote(struct swarm_text *text, const void *bytes, uint32_t size)
{
    swarm_put(text, "\"", 1);
    swarm_put_escaped(text, bytes, size);
    swarm_put(text, "\"", 1);
}

/* The comma and the name before a value. */
static inline void swarm_json_name(struct swarm_text *text, const char *name)
{
    char last = text->size > 0 ? text->bytes[text->size - 1] : '[';

    if (last != '{' && last != '[' && last != ':')
        swarm_put(text, ",", 1);
    if (name == 0)
        return;
    swarm_json_quote(text, name, swarm_size_of(name));
    swarm_put(text, ":", 1);
}

/* JSON that is there already. */
static inline void swarm_json_put(struct swarm_text *text, const char *name, const void *json,
                                  uint32_t size)
{
    swarm_json_name(text, name);
    swarm_put(text, json, size);
}

static inline void swarm_json_put_text(struct swarm_text *text, const char *name, const void *bytes,
                                       uint32_t size)
{
    swarm_json_name(text, name);
    swarm_json_quote(text, bytes, size);
}

static inline void swarm_json_put_words(struct swarm_text *text, const char *name,
                                        const char *words)
{
    swarm_json_put_text(text, name, words, swarm_size_of(words));
}

static inline void swarm_json_put_integer(struct swarm_text *text, const char *name, int64_t number)
{
    swarm_json_name(text, name);
    swarm_put_integer(text, number);
}

static inline void swarm_json_put_bool(struct swarm_text *text, const char *name, bool is_true)
{
    swarm_json_name(text, name);
    swarm_put_words(text, is_true ? "true" : "false");
}

/* Begin an object or an array: bracket is '{' or '['. */
static inline void swarm_json_open(struct swarm_text *text, const char *name, char bracket)
{
    swarm_json_name(text, name);
    swarm_put(text, &bracket, 1);
}

/* End it: '}' or ']'. */
static inline void swarm_json_close(struct swarm_text *text, char bracket)
{
    swarm_put(text, &bracket, 1);
}
