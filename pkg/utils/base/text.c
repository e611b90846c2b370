#include "pkg/utils/base/text.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DISTANCE_SIZE_MAX 64

/* Eight bytes that are ASCII and not NUL, which most texts consist of. */
static bool is_plain(const char *text)
{
    const uint64_t ones = 0x0101010101010101, highs = 0x8080808080808080;
    uint64_t word;

    (void)memcpy(&word, text, sizeof word);
    /* A byte of 0 borrows, which sets its highest bit. */
    return ((word | (word - ones)) & highs) == 0;
}

bool sw_text_is_utf8(const char *text, size_t size_bytes)
{
    for (size_t at = 0; at < size_bytes;) {
        if (size_bytes - at >= sizeof(uint64_t) && is_plain(text + at)) {
            at += sizeof(uint64_t);
            continue;
        }
        size_t length = sw_utf8_sequence(text + at, size_bytes - at);

        if (length == 0)
            return false;
        at += length;
    }
    return true;
}

void sw_text_mend_end(char *text)
{
    size_t size = strlen(text);

    for (size_t back = 1; back <= 3 && back <= size; back++) {
        unsigned char byte = (unsigned char)text[size - back];
        if ((byte & 0xc0) == 0x80)
            continue;
        if (byte >= 0xc0 && sw_utf8_sequence(text + size - back, back) == 0)
            text[size - back] = '\0';
        return;
    }
}

static bool is_label_byte(char byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9');
}

bool sw_text_is_label(const char *text, size_t size_max)
{
    size_t size = strlen(text);

    if (size == 0 || size > size_max || !is_label_byte(text[0]) || !is_label_byte(text[size - 1]))
        return false;
    for (size_t i = 0; i < size; i++)
        if (!is_label_byte(text[i]) && text[i] != '-')
            return false;
    return true;
}

/* Reads digits from *text on and moves it behind them. */
static enum sw_rc digits_take(const char **text, uint64_t *ret_value)
{
    uint64_t value = 0;
    const char *at = *text;

    if (!isdigit((unsigned char)*at))
        return SW_E_INVALID;
    for (; isdigit((unsigned char)*at); at++)
        if (__builtin_mul_overflow(value, 10u, &value) ||
            __builtin_add_overflow(value, (uint64_t)(*at - '0'), &value))
            return SW_E_RANGE;
    *text = at;
    *ret_value = value;
    return SW_OK;
}

enum sw_rc sw_text_to_u64(const char *text, uint64_t *ret_value)
{
    uint64_t value;
    enum sw_rc rc = digits_take(&text, &value);

    if (rc == SW_OK && *text != '\0')
        rc = SW_E_INVALID;
    if (rc == SW_OK)
        *ret_value = value;
    return rc;
}

enum sw_rc sw_text_to_i64(const char *text, int64_t *ret_value)
{
    bool is_negative = *text == '-';
    uint64_t value, limit = (uint64_t)INT64_MAX + (is_negative ? 1 : 0);
    enum sw_rc rc = sw_text_to_u64(text + is_negative, &value);

    if (rc != SW_OK)
        return rc;
    if (value > limit)
        return SW_E_RANGE;
    *ret_value = is_negative ? (int64_t)(0 - value) : (int64_t)value;
    return SW_OK;
}

struct unit {
    const char *name;
    uint64_t factor;
};

static enum sw_rc number_with_unit(const char *text, const struct unit *units, size_t count,
                                   uint64_t *ret_value)
{
    uint64_t value;
    enum sw_rc rc = digits_take(&text, &value);

    if (rc != SW_OK)
        return rc;
    for (size_t i = 0; i < count; i++) {
        if (strcmp(text, units[i].name) != 0)
            continue;
        return __builtin_mul_overflow(value, units[i].factor, ret_value) ? SW_E_RANGE : SW_OK;
    }
    return SW_E_INVALID;
}

enum sw_rc sw_text_to_duration_ns(const char *text, uint64_t *ret_ns)
{
    static const struct unit units[] = {
        {"ns", 1},
        {"us", 1000},
        {"ms", 1000000},
        {"s", 1000000000},
        {"m", 60ull * 1000000000},
        {"h", 3600ull * 1000000000},
        {"d", 86400ull * 1000000000},
    };

    return number_with_unit(text, units, sizeof units / sizeof units[0], ret_ns);
}

enum sw_rc sw_text_to_size_bytes(const char *text, uint64_t *ret_bytes)
{
    static const struct unit units[] = {
        {"", 1},
        {"B", 1},
        {"KiB", 1ull << 10},
        {"MiB", 1ull << 20},
        {"GiB", 1ull << 30},
        {"TiB", 1ull << 40},
    };

    return number_with_unit(text, units, sizeof units / sizeof units[0], ret_bytes);
}

#define MONEY_DIGITS_MAX 9u

enum sw_rc sw_text_to_money(const char *text, uint64_t *ret_billionths)
{
    size_t whole = strspn(text, "0123456789"), part = 0;
    uint64_t value = 0;

    if (whole == 0 || whole > MONEY_DIGITS_MAX)
        return SW_E_INVALID;
    if (text[whole] == '.') {
        part = strspn(text + whole + 1, "0123456789");
        if (part == 0 || part > MONEY_DIGITS_MAX)
            return SW_E_INVALID;
    }
    if (text[whole + (part > 0 ? 1 + part : 0)] != '\0')
        return SW_E_INVALID;
    for (size_t i = 0; i < whole; i++)
        value = value * 10 + (uint64_t)(text[i] - '0');
    for (size_t i = 0; i < MONEY_DIGITS_MAX; i++)
        value = value * 10 + (i < part ? (uint64_t)(text[whole + 1 + i] - '0') : 0);
    *ret_billionths = value;
    return SW_OK;
}

void sw_money_print(uint64_t billionths, char ret_text[SW_MONEY_TEXT_SIZE])
{
    int size = snprintf(ret_text, SW_MONEY_TEXT_SIZE, "%" PRIu64 ".%09" PRIu64,
                        billionths / SW_MONEY_BILLIONTHS, billionths % SW_MONEY_BILLIONTHS);

    for (int zeros = 0; zeros < 7 && ret_text[size - 1] == '0'; zeros++)
        ret_text[--size] = '\0';
}

static unsigned least(unsigned one, unsigned other)
{
    return one < other ? one : other;
}

unsigned sw_text_distance(const char *one, const char *other)
{
    size_t one_size = strnlen(one, DISTANCE_SIZE_MAX),
           other_size = strnlen(other, DISTANCE_SIZE_MAX);
    unsigned rows[3][DISTANCE_SIZE_MAX + 1]; /* Rows i - 2, i - 1 and i of the table, in turn. */

    for (size_t j = 0; j <= other_size; j++)
        rows[0][j] = (unsigned)j;
    for (size_t i = 1; i <= one_size; i++) {
        unsigned *row = rows[i % 3], *above = rows[(i + 2) % 3], *above2 = rows[(i + 1) % 3];

        row[0] = (unsigned)i;
        for (size_t j = 1; j <= other_size; j++) {
            unsigned change = one[i - 1] == other[j - 1] ? 0 : 1;

            row[j] = least(above[j - 1] + change, least(above[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && one[i - 1] == other[j - 2] && one[i - 2] == other[j - 1])
                row[j] = least(row[j], above2[j - 2] + 1);
        }
    }
    return rows[one_size % 3][other_size];
}

const char *sw_text_nearest(const char *text, const char *const *candidates, size_t count)
{
    const char *nearest = NULL;
    /* A third of the letters may be wrong: more than that is another word. */
    unsigned best = (unsigned)strnlen(text, DISTANCE_SIZE_MAX) / 3 + 1;

    for (size_t i = 0; i < count; i++) {
        unsigned distance = sw_text_distance(text, candidates[i]);

        if (distance > best || (distance == best && nearest != NULL))
            continue;
        best = distance;
        nearest = candidates[i];
    }
    return nearest;
}
