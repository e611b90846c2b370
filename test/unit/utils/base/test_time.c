/* Times and ids as text. */
#include "pkg/utils/base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#define NS_PER_S 1000000000ull

static void assert_prints(uint64_t ns, const char *expected)
{
    char text[SW_TIME_TEXT_SIZE];
    uint64_t back = ~ns;

    sw_time_print(ns, text);
    assert_string_equal(text, expected);
    assert_int_equal(sw_time_parse(text, &back), SW_OK);
    assert_true(back == ns);
}

static void times_go_both_ways(void **state)
{
    (void)state;
    assert_prints(0, "1970-01-01T00:00:00Z");
    assert_prints(1, "1970-01-01T00:00:00.000000001Z");
    assert_prints(1700000000ull * NS_PER_S + 120000000, "2023-11-14T22:13:20.120Z");
    assert_prints(1700000000ull * NS_PER_S + 120034000, "2023-11-14T22:13:20.120034Z");
    assert_prints(951782400ull * NS_PER_S, "2000-02-29T00:00:00Z");
    assert_prints(4107542399ull * NS_PER_S, "2100-02-28T23:59:59Z");
    assert_prints(4107542400ull * NS_PER_S, "2100-03-01T00:00:00Z");
}

/* Every day of 400 years, against the C library. */
static void days_agree_with_the_c_library(void **state)
{
    (void)state;
    for (uint64_t day = 0; day < 146097; day++) {
        time_t seconds = (time_t)(day * 86400);
        char expected[32], text[SW_TIME_TEXT_SIZE];
        struct tm parts;

        (void)gmtime_r(&seconds, &parts);
        (void)strftime(expected, sizeof expected, "%Y-%m-%dT%H:%M:%SZ", &parts);
        sw_time_print(day * 86400 * NS_PER_S, text);
        assert_string_equal(text, expected);
    }
}

static void other_forms_are_refused(void **state)
{
    static const char *const cases[] = {"",
                                        "2023-11-14",
                                        "2023-11-14 22:13:20Z",
                                        "2023-11-14T22:13:20",
                                        "2023-11-14T22:13:20+01:00",
                                        "2023-11-14T22:13:20.Z",
                                        "2023-11-14T22:13:20Z ",
                                        "2023-13-14T22:13:20Z",
                                        "2023-00-14T22:13:20Z",
                                        "2023-11-31T22:13:20Z",
                                        "2023-11-00T22:13:20Z",
                                        "2023-02-29T22:13:20Z",
                                        "1900-02-29T22:13:20Z",
                                        "1969-12-31T23:59:59Z",
                                        "2023-11-14T24:00:00Z",
                                        "2023-11-14T22:60:00Z",
                                        "2023-11-14T22:13:60Z",
                                        "9999-11-14T22:13:20Z",
                                        "2023-11-14T22:13:2xZ"};
    uint64_t ns = 7;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(sw_time_parse(cases[i], &ns), SW_E_INVALID);
    assert_true(ns == 7);
}

static void fractions_of_any_length_are_read(void **state)
{
    uint64_t ns;

    (void)state;
    assert_int_equal(sw_time_parse("1970-01-01T00:00:00.5Z", &ns), SW_OK);
    assert_true(ns == 500000000);
    assert_int_equal(sw_time_parse("1970-01-01T00:00:00.1234567899Z", &ns), SW_OK);
    assert_true(ns == 123456789);
}

/* RFC 9562, appendix A.6. */
static void uuid_matches_the_rfc(void **state)
{
    static const uint8_t random[10] = {0x0c, 0xc3, 0x18, 0xc4, 0xdc, 0x0c, 0x0c, 0x07, 0x39, 0x8f};
    char text[SW_UUID_TEXT_SIZE];

    (void)state;
    sw_uuid_print(1645557742000ull * 1000000, random, text);
    assert_string_equal(text, "017f22e2-79b0-7cc3-98c4-dc0c0c07398f");
}

static void uuids_sort_by_time(void **state)
{
    static const uint8_t high[10] = {255, 255, 255, 255, 255, 255, 255, 255, 255, 255};
    static const uint8_t low[10] = {0};
    char before[SW_UUID_TEXT_SIZE], after[SW_UUID_TEXT_SIZE];

    (void)state;
    sw_uuid_print(1000 * NS_PER_S, high, before);
    sw_uuid_print(1000 * NS_PER_S + 1000000, low, after);
    assert_true(strcmp(before, after) < 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_go_both_ways),
        cmocka_unit_test(days_agree_with_the_c_library),
        cmocka_unit_test(other_forms_are_refused),
        cmocka_unit_test(fractions_of_any_length_are_read),
        cmocka_unit_test(uuid_matches_the_rfc),
        cmocka_unit_test(uuids_sort_by_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
