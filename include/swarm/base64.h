/* Base64 (RFC 4648, section 4): bytes as text, for JSON. */
#pragma once
#include <swarm/text.h>

static inline void swarm_put_base64(struct swarm_text *text, const void *bytes, uint32_t size)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const uint8_t *from = bytes;

    for (uint32_t at = 0; at < size; at += 3) {
        uint32_t left = size - at;
        uint32_t bits = (uint32_t)from[at] << 16 | (left > 1 ? (uint32_t)from[at + 1] << 8 : 0) |
                        (left > 2 ? from[at + 2] : 0);
        const char out[] = {digits[bits >> 18], digits[bits >> 12 & 63],
                            left > 1 ? digits[bits >> 6 & 63] : '=',
                            left > 2 ? digits[bits & 63] : '='};

        swarm_put(text, out, sizeof out);
    }
}

/* What a digit stands for; 64: it is none. */
static inline uint32_t swarm_base64_value(char digit)
{
    if (digit >= 'A' && digit <= 'Z')
        return (uint32_t)(digit - 'A');
    if (digit >= 'a' && digit <= 'z')
        return (uint32_t)(digit - 'a') + 26;
    if (digit >= '0' && digit <= '9')
        return (uint32_t)(digit - '0') + 52;
    if (digit == '+')
        return 62;
    return digit == '/' ? 63 : 64;
}

/* Make the bytes that a text stands for of it, in its place. false: it is not base64. */
static inline bool swarm_base64_decode(struct swarm_text *text)
{
    uint32_t size = text->size, bits = 0, out = 0, digits;

    while (size > 0 && text->size - size < 2 && text->bytes[size - 1] == '=')
        size--;
    digits = size & 3;
    if ((text->size & 3) != 0 || digits == 1)
        return false;
    for (uint32_t at = 0; at < size; at++) {
        uint32_t value = swarm_base64_value(text->bytes[at]);

        if (value == 64)
            return false;
        bits = bits << 6 | value;
        if ((at & 3) != 0)
            text->bytes[out++] = (char)(bits >> (6 - 2 * (at & 3)) & 255);
    }
    text->size = out;
    return true;
}
