/* Text into a block of fixed size: what does not fit is left out and `is_full` says so. */
#pragma once
#include "text.h"

struct print {
    uint8_t *text;
    uint32_t size, size_max;
    bool is_full;
};

static inline void print_bytes(struct print *print, const void *bytes, uint32_t size)
{
    if (size > print->size_max - print->size) {
        print->is_full = true;
        return;
    }
    for (uint32_t i = 0; i < size; i++)
        print->text[print->size++] = ((const uint8_t *)bytes)[i];
}

/* A literal, and nothing else: its size is known to the compiler. */
#define PRINT(print, literal) print_bytes((print), "" literal, (uint32_t)(sizeof(literal) - 1))

static inline void print_number(struct print *print, uint64_t number)
{
    char digits[20];
    uint32_t at = sizeof digits;

    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    print_bytes(print, digits + at, (uint32_t)sizeof digits - at);
}

/* A number of at least 0 with so many decimals, rounded. */
static inline void print_decimal(struct print *print, double number, unsigned decimals)
{
    uint64_t factor = 1, scaled;

    for (unsigned i = 0; i < decimals; i++)
        factor *= 10;
    scaled = (uint64_t)(number * (double)factor + 0.5);
    print_number(print, scaled / factor);
    PRINT(print, ".");
    for (uint64_t digit = factor / 10; digit > 0; digit /= 10)
        print_number(print, scaled / digit % 10);
}

/* A JSON string (RFC 8259), with its quotes; text is UTF-8. */
static inline void print_json(struct print *print, const uint8_t *text, uint32_t size)
{
    static const char digits[] = "0123456789abcdef";

    PRINT(print, "\"");
    for (uint32_t i = 0; i < size; i++) {
        if (text[i] == '"' || text[i] == '\\')
            PRINT(print, "\\");
        if (text[i] < ' ') {
            PRINT(print, "\\u00");
            print_bytes(print, &digits[text[i] >> 4], 1);
            print_bytes(print, &digits[text[i] & 15], 1);
        } else {
            print_bytes(print, &text[i], 1);
        }
    }
    PRINT(print, "\"");
}
