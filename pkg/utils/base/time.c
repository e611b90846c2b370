/* The times and ids declared in text.h. Days are counted with the algorithms of Howard Hinnant
 * ("chrono-compatible low-level date algorithms"), whose year begins in March. */
#include "pkg/utils/base/text.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define NS_PER_S 1000000000ull
#define S_PER_DAY 86400ull

static void date_of_days(uint64_t days, unsigned *ret_year, unsigned *ret_month, unsigned *ret_day)
{
    uint64_t shifted = days + 719468;
    uint64_t era = shifted / 146097, day_of_era = shifted % 146097;
    uint64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    uint64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    uint64_t month = (5 * day_of_year + 2) / 153;

    *ret_day = (unsigned)(day_of_year - (153 * month + 2) / 5 + 1);
    *ret_month = (unsigned)(month < 10 ? month + 3 : month - 9);
    *ret_year = (unsigned)(year_of_era + era * 400 + (*ret_month <= 2));
}

static uint64_t days_of_date(unsigned year, unsigned month, unsigned day)
{
    unsigned shifted = year - (month <= 2), era = shifted / 400, year_of_era = shifted % 400;
    unsigned day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    unsigned day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;

    return (uint64_t)era * 146097 + day_of_era - 719468;
}

void sw_time_print(uint64_t utc_ns, char ret_text[SW_TIME_TEXT_SIZE])
{
    uint64_t seconds = utc_ns / NS_PER_S, second = seconds % S_PER_DAY;
    unsigned fraction = (unsigned)(utc_ns % NS_PER_S), year, month, day;
    char digits[16] = "";

    date_of_days(seconds / S_PER_DAY, &year, &month, &day);
    if (fraction % 1000000 == 0 && fraction != 0)
        (void)snprintf(digits, sizeof digits, ".%03u", fraction / 1000000);
    else if (fraction % 1000 == 0 && fraction != 0)
        (void)snprintf(digits, sizeof digits, ".%06u", fraction / 1000);
    else if (fraction != 0)
        (void)snprintf(digits, sizeof digits, ".%09u", fraction);
    (void)snprintf(ret_text, SW_TIME_TEXT_SIZE, "%04u-%02u-%02uT%02u:%02u:%02u%sZ", year % 10000,
                   month % 100, day % 100, (unsigned)(second / 3600), (unsigned)(second / 60 % 60),
                   (unsigned)(second % 60), digits);
}

/* Exactly `count` digits at text, as a number below limit. */
static bool number_at(const char *text, size_t count, unsigned limit, unsigned *ret_value)
{
    unsigned value = 0;

    for (size_t i = 0; i < count; i++) {
        if (!isdigit((unsigned char)text[i]))
            return false;
        value = value * 10 + (unsigned)(text[i] - '0');
    }
    *ret_value = value;
    return value < limit;
}

static unsigned days_in_month(unsigned year, unsigned month)
{
    static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    return month == 2 && is_leap ? 29 : days[month - 1];
}

enum sw_rc sw_time_parse(const char *text, uint64_t *ret_utc_ns)
{
    unsigned year, month, day, hour, minute, second;
    uint64_t fraction = 0, scale = NS_PER_S / 10, seconds;

    if (strnlen(text, SW_TIME_TEXT_SIZE) < 20 || !number_at(text, 4, 2554, &year) ||
        text[4] != '-' || !number_at(text + 5, 2, 13, &month) || text[7] != '-' ||
        !number_at(text + 8, 2, 32, &day) || text[10] != 'T' ||
        !number_at(text + 11, 2, 24, &hour) || text[13] != ':' ||
        !number_at(text + 14, 2, 60, &minute) || text[16] != ':' ||
        !number_at(text + 17, 2, 60, &second))
        return SW_E_INVALID;
    if (year < 1970 || month == 0 || day == 0 || day > days_in_month(year, month))
        return SW_E_INVALID;
    text += 19;
    if (*text == '.') {
        if (!isdigit((unsigned char)*++text))
            return SW_E_INVALID;
        for (; isdigit((unsigned char)*text); text++, scale /= 10)
            fraction += (uint64_t)(*text - '0') * scale;
    }
    if (strcmp(text, "Z") != 0)
        return SW_E_INVALID;
    seconds = days_of_date(year, month, day) * S_PER_DAY + hour * 3600u + minute * 60u + second;
    *ret_utc_ns = seconds * NS_PER_S + fraction;
    return SW_OK;
}

void sw_uuid_print(uint64_t utc_ns, const uint8_t random[10], char ret_text[SW_UUID_TEXT_SIZE])
{
    static const char digits[] = "0123456789abcdef";
    uint64_t utc_ms = utc_ns / 1000000;
    uint8_t bytes[16];
    char *at = ret_text;

    for (int i = 0; i < 6; i++)
        bytes[i] = (uint8_t)(utc_ms >> (40 - 8 * i));
    (void)memcpy(bytes + 6, random, 10);
    bytes[6] = (uint8_t)((bytes[6] & 0x0f) | 0x70); /* Version 7. */
    bytes[8] = (uint8_t)((bytes[8] & 0x3f) | 0x80); /* The variant of RFC 9562. */
    for (size_t i = 0; i < sizeof bytes; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *at++ = '-';
        *at++ = digits[bytes[i] >> 4];
        *at++ = digits[bytes[i] & 15];
    }
    *at = '\0';
}
