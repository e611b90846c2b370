#include "pkg/broker/budget/budget.h"

#include "pkg/utils/base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static uint64_t at(const char *text)
{
    uint64_t utc_ns = 0;

    assert_int_equal(sw_time_parse(text, &utc_ns), SW_OK);
    return utc_ns;
}

static void expect_period(enum sw_budget_period period, const char *time, const char *begin,
                          const char *end)
{
    uint64_t index = sw_budget_period_index(period, at(time));
    char text[SW_TIME_TEXT_SIZE];

    sw_time_print(sw_budget_period_begin(period, index), text);
    assert_string_equal(text, begin);
    sw_time_print(sw_budget_period_begin(period, index + 1), text);
    assert_string_equal(text, end);
}

static void periods_begin_where_the_calendar_says(void **state)
{
    (void)state;
    expect_period(SW_BUDGET_HOUR, "2026-12-03T00:59:59.999Z", "2026-12-03T00:00:00Z",
                  "2026-12-03T01:00:00Z");
    expect_period(SW_BUDGET_DAY, "2026-12-31T23:59:59Z", "2026-12-31T00:00:00Z",
                  "2027-01-01T00:00:00Z");
    expect_period(SW_BUDGET_MONTH, "1970-01-01T00:00:00Z", "1970-01-01T00:00:00Z",
                  "1970-02-01T00:00:00Z");
    expect_period(SW_BUDGET_MONTH, "2026-12-31T23:59:59Z", "2026-12-01T00:00:00Z",
                  "2027-01-01T00:00:00Z");
    expect_period(SW_BUDGET_MONTH, "2024-02-29T12:00:00Z", "2024-02-01T00:00:00Z",
                  "2024-03-01T00:00:00Z");
    expect_period(SW_BUDGET_MONTH, "2100-02-28T12:00:00Z", "2100-02-01T00:00:00Z",
                  "2100-03-01T00:00:00Z");
    assert_int_equal(sw_budget_period_index(SW_BUDGET_FOREVER, at("2026-12-03T00:00:00Z")), 0);
    assert_int_equal(sw_budget_period_begin(SW_BUDGET_FOREVER, 0), 0);
    assert_true(sw_budget_period_begin(SW_BUDGET_FOREVER, 1) == UINT64_MAX);
}

static void each_moment_is_in_its_month(void **state)
{
    (void)state;
    for (uint64_t day = 0; day < 190000; day++) {
        uint64_t utc_ns = day * 86400u * 1000000000ull;
        uint64_t index = sw_budget_period_index(SW_BUDGET_MONTH, utc_ns);

        assert_true(sw_budget_period_begin(SW_BUDGET_MONTH, index) <= utc_ns);
        assert_true(sw_budget_period_begin(SW_BUDGET_MONTH, index + 1) > utc_ns);
    }
}

/* Numbers from a damaged journal, or the end of time. */
static void numbers_without_a_time_are_never(void **state)
{
    (void)state;
    for (unsigned period = 0; period <= SW_BUDGET_MONTH; period++)
        assert_true(sw_budget_period_begin((enum sw_budget_period)period, UINT64_MAX) ==
                    UINT64_MAX);
    assert_true(sw_budget_period_begin(SW_BUDGET_MONTH,
                                       sw_budget_period_index(SW_BUDGET_MONTH, UINT64_MAX) + 1) ==
                UINT64_MAX);
}

static void sums_stay_within_their_bounds(void **state)
{
    struct sw_budget_amount sum = {.of = {UINT64_MAX - 1, 1, 0, 5}};
    const struct sw_budget_amount more = {.of = {2, 1, 0, 7}};

    (void)state;
    sw_budget_add(&sum, &more);
    assert_true(sum.money_nano == UINT64_MAX && sum.tokens == 2 && sum.wall_ns == 12);
    sum.tokens = 0;
    sw_budget_subtract(&sum, &more);
    assert_true(sum.money_nano == UINT64_MAX - 2 && sum.tokens == 0 && sum.wall_ns == 5);
    assert_false(sw_budget_is_zero(&sum));
    sum = (struct sw_budget_amount){.of = {0}};
    assert_true(sw_budget_is_zero(&sum));
    assert_false(sw_budget_is_bounded(&sw_budget_no_limits));
}

static void expect_words(enum sw_budget_dimension dimension, uint64_t value, const char *words)
{
    char text[SW_BUDGET_WORDS_MAX];

    sw_budget_print(dimension, value, text);
    assert_string_equal(text, words);
}

static void amounts_are_put_into_words(void **state)
{
    (void)state;
    expect_words(SW_BUDGET_MONEY, 0, "$0.00");
    expect_words(SW_BUDGET_MONEY, 980000000, "$0.98");
    expect_words(SW_BUDGET_MONEY, 1000000001, "$1.000000001");
    expect_words(SW_BUDGET_MONEY, 12345000000, "$12.345");
    expect_words(SW_BUDGET_MONEY, UINT64_MAX, "$18446744073.709551615");
    expect_words(SW_BUDGET_TOKENS, 1200, "1200 tokens");
    expect_words(SW_BUDGET_TOKENS, 1, "1 token");
    expect_words(SW_BUDGET_CALLS, 1, "1 call");
    expect_words(SW_BUDGET_CALLS, 0, "0 calls");
    expect_words(SW_BUDGET_WALL, 1500000000, "1.5 s");
    expect_words(SW_BUDGET_WALL, 60000000000, "60 s");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(periods_begin_where_the_calendar_says),
        cmocka_unit_test(each_moment_is_in_its_month),
        cmocka_unit_test(numbers_without_a_time_are_never),
        cmocka_unit_test(sums_stay_within_their_bounds),
        cmocka_unit_test(amounts_are_put_into_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
