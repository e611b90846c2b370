/* The encodings declared in text.h: hex and base64. */
#include "pkg/utils/base/text.h"

#include <string.h>

void sw_hex_encode(const void *bytes, size_t size_bytes, struct sw_buffer *out)
{
    static const char digits[] = "0123456789abcdef";
    const uint8_t *data = bytes;
    uint8_t *room = sw_buffer_reserve(out, size_bytes * 2);

    if (room == NULL)
        return;
    for (size_t i = 0; i < size_bytes; i++) {
        room[2 * i] = (uint8_t)digits[data[i] >> 4];
        room[2 * i + 1] = (uint8_t)digits[data[i] & 15];
    }
    out->size += size_bytes * 2;
}

static int hex_value(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

enum sw_rc sw_hex_decode(const char *text, size_t size, struct sw_buffer *out)
{
    size_t start = out->size;

    if (size % 2 != 0)
        return SW_E_INVALID;
    for (size_t i = 0; i < size; i += 2) {
        int high = hex_value(text[i]), low = hex_value(text[i + 1]);

        if (high < 0 || low < 0) {
            out->size = start;
            return SW_E_INVALID;
        }
        sw_buffer_put_u8(out, (uint8_t)(high << 4 | low));
    }
    return sw_buffer_check(out);
}

static const char base64_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void sw_base64_encode(const void *bytes, size_t size_bytes, struct sw_buffer *out)
{
    const uint8_t *data = bytes;
    uint8_t *room;

    if (size_bytes > SIZE_MAX / 2) {
        out->failed = true;
        return;
    }
    room = sw_buffer_reserve(out, (size_bytes + 2) / 3 * 4);
    if (room == NULL)
        return;
    for (size_t i = 0; i < size_bytes; i += 3) {
        size_t left = size_bytes - i;
        uint32_t word = (uint32_t)data[i] << 16 | (left > 1 ? (uint32_t)data[i + 1] << 8 : 0) |
                        (left > 2 ? data[i + 2] : 0u);

        *room++ = (uint8_t)base64_digits[word >> 18];
        *room++ = (uint8_t)base64_digits[(word >> 12) & 63];
        *room++ = left > 1 ? (uint8_t)base64_digits[(word >> 6) & 63] : (uint8_t)'=';
        *room++ = left > 2 ? (uint8_t)base64_digits[word & 63] : (uint8_t)'=';
    }
    out->size += (size_bytes + 2) / 3 * 4;
}

static int base64_value(char digit)
{
    if (digit >= 'A' && digit <= 'Z')
        return digit - 'A';
    if (digit >= 'a' && digit <= 'z')
        return digit - 'a' + 26;
    if (digit >= '0' && digit <= '9')
        return digit - '0' + 52;
    return digit == '+' ? 62 : digit == '/' ? 63 : -1;
}

/* One group of four digits, of which `padding` at the end are '='. Bits that the padding leaves
 * over must be zero, so that each text stands for one value and each value for one text. */
static enum sw_rc base64_group(const char *text, size_t padding, struct sw_buffer *out)
{
    uint32_t word = 0;

    for (size_t i = 0; i < 4; i++) {
        int value = i < 4 - padding ? base64_value(text[i]) : 0;

        if (value < 0)
            return SW_E_INVALID;
        word = word << 6 | (uint32_t)value;
    }
    if ((padding == 1 && (word & 0xff) != 0) || (padding == 2 && (word & 0xffff) != 0))
        return SW_E_INVALID;
    for (size_t i = 0; i < 3 - padding; i++)
        sw_buffer_put_u8(out, (uint8_t)(word >> (16 - 8 * i)));
    return SW_OK;
}

enum sw_rc sw_base64_decode(const char *text, size_t size, struct sw_buffer *out)
{
    size_t start = out->size;

    if (size % 4 != 0)
        return SW_E_INVALID;
    for (size_t i = 0; i < size; i += 4) {
        bool is_last = i + 4 == size;
        size_t padding = is_last && text[i + 3] == '=' ? (text[i + 2] == '=' ? 2 : 1) : 0;

        if (base64_group(text + i, padding, out) != SW_OK) {
            out->size = start;
            return SW_E_INVALID;
        }
    }
    return sw_buffer_check(out);
}
