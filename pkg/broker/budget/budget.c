#include "pkg/broker/budget/budget.h"

#include <inttypes.h>
#include <stdio.h>

#define S_NS 1000000000u
#define HOUR_NS (3600ull * S_NS)
#define DAY_NS (24 * HOUR_NS)
#define MONTHS_MAX 6000u /* Since 1970; times of u64 end in 2554. */

const struct sw_budget_limits sw_budget_no_limits = {
    .most = {.of = {SW_BUDGET_UNLIMITED, SW_BUDGET_UNLIMITED, SW_BUDGET_UNLIMITED,
                    SW_BUDGET_UNLIMITED}},
    .depth = UINT32_MAX};
const char *const sw_budget_dimension_names[SW_BUDGET_DIMENSIONS] = {"money", "tokens", "calls",
                                                                     "wall time"};
const char *const sw_budget_period_names[] = {"", "hour", "day", "month"};

bool sw_budget_is_bounded(const struct sw_budget_limits *limits)
{
    for (unsigned i = 0; i < SW_BUDGET_DIMENSIONS; i++)
        if (limits->most.of[i] != SW_BUDGET_UNLIMITED)
            return true;
    return limits->depth != UINT32_MAX;
}

bool sw_budget_is_zero(const struct sw_budget_amount *amount)
{
    uint64_t all = 0;

    for (unsigned i = 0; i < SW_BUDGET_DIMENSIONS; i++)
        all |= amount->of[i];
    return all == 0;
}

void sw_budget_add(struct sw_budget_amount *sum, const struct sw_budget_amount *more)
{
    for (unsigned i = 0; i < SW_BUDGET_DIMENSIONS; i++)
        sum->of[i] = sw_budget_plus(sum->of[i], more->of[i]);
}

void sw_budget_subtract(struct sw_budget_amount *rest, const struct sw_budget_amount *less)
{
    for (unsigned i = 0; i < SW_BUDGET_DIMENSIONS; i++)
        rest->of[i] -= rest->of[i] < less->of[i] ? rest->of[i] : less->of[i];
}

/* --- Periods --------------------------------------------------------------------------------- */

/* Days since 1970 of the first of a month, counted from January 1970 (Hinnant's days_from_civil,
 * whose years begin in March). */
static uint64_t days_of_month(uint64_t month)
{
    uint64_t from_march = month + 10, year = 1969 + from_march / 12, in_year = from_march % 12;

    return year * 365 + year / 4 - year / 100 + year / 400 + (153 * in_year + 2) / 5 - 719468;
}

uint64_t sw_budget_period_index(enum sw_budget_period period, uint64_t utc_ns)
{
    uint64_t month;

    switch (period) {
    case SW_BUDGET_HOUR:
        return utc_ns / HOUR_NS;
    case SW_BUDGET_DAY:
        return utc_ns / DAY_NS;
    case SW_BUDGET_MONTH:
        month = utc_ns / DAY_NS / 31; /* Or a later one. */
        while (days_of_month(month + 1) <= utc_ns / DAY_NS)
            month++;
        return month;
    case SW_BUDGET_FOREVER:
    default:
        return 0;
    }
}

static uint64_t times(uint64_t count, uint64_t ns)
{
    return count > UINT64_MAX / ns ? UINT64_MAX : count * ns;
}

uint64_t sw_budget_period_begin(enum sw_budget_period period, uint64_t index)
{
    switch (period) {
    case SW_BUDGET_HOUR:
        return times(index, HOUR_NS);
    case SW_BUDGET_DAY:
        return times(index, DAY_NS);
    case SW_BUDGET_MONTH:
        return index > MONTHS_MAX * 2 ? UINT64_MAX : times(days_of_month(index), DAY_NS);
    case SW_BUDGET_FOREVER:
    default:
        return index == 0 ? 0 : UINT64_MAX;
    }
}

/* --- Words ----------------------------------------------------------------------------------- */

/* Billionths as a decimal number with digits_min digits after the point, or as many as it needs. */
static void print_nano(const char *before, uint64_t nano, unsigned digits_min,
                       char ret_text[SW_BUDGET_WORDS_MAX])
{
    unsigned digits = 9;
    uint64_t rest = nano % S_NS;

    while (digits > digits_min && rest % 10 == 0)
        rest /= 10, digits--;
    if (digits == 0)
        snprintf(ret_text, SW_BUDGET_WORDS_MAX, "%s%" PRIu64, before, nano / S_NS);
    else
        snprintf(ret_text, SW_BUDGET_WORDS_MAX, "%s%" PRIu64 ".%0*" PRIu64, before, nano / S_NS,
                 (int)digits, rest);
}

void sw_budget_print(enum sw_budget_dimension dimension, uint64_t value,
                     char ret_text[SW_BUDGET_WORDS_MAX])
{
    if (dimension == SW_BUDGET_MONEY) {
        print_nano("$", value, 2, ret_text);
    } else if (dimension == SW_BUDGET_WALL) {
        print_nano("", value, 0, ret_text);
        strcat(ret_text, " s");
    } else {
        const char *unit = dimension == SW_BUDGET_TOKENS ? "token" : "call";
        snprintf(ret_text, SW_BUDGET_WORDS_MAX, "%" PRIu64 " %s%s", value, unit,
                 value == 1 ? "" : "s");
    }
}
