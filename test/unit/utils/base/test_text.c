/* Text from outside: what is accepted and what is not. */
#include "pkg/utils/base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#define UTF8(text) sw_text_is_utf8(text, sizeof(text) - 1)

static void well_formed_utf8_is_accepted(void **state)
{
    (void)state;
    assert_true(UTF8(""));
    assert_true(UTF8("plain"));
    assert_true(UTF8("\xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80"));
    assert_true(UTF8("\xed\x9f\xbf\xee\x80\x80")); /* Around the surrogates. */
    assert_true(UTF8("\xf4\x8f\xbf\xbf"));         /* U+10FFFF. */
}

static void ill_formed_utf8_is_refused(void **state)
{
    (void)state;
    assert_false(UTF8("a\0b"));
    assert_false(UTF8("\x80"));
    assert_false(UTF8("\xc0\xaf"));         /* Overlong. */
    assert_false(UTF8("\xe0\x80\xaf"));     /* Overlong. */
    assert_false(UTF8("\xf0\x80\x80\xaf")); /* Overlong. */
    assert_false(UTF8("\xed\xa0\x80"));     /* Surrogate. */
    assert_false(UTF8("\xf4\x90\x80\x80")); /* Beyond U+10FFFF. */
    assert_false(UTF8("\xf5\x80\x80\x80"));
    assert_false(UTF8("\xe2\x82")); /* Cut short. */
    assert_false(UTF8("\xc3 a"));
}

static void labels_follow_rfc_1123(void **state)
{
    (void)state;
    assert_true(sw_text_is_label("a", 63));
    assert_true(sw_text_is_label("0-9a", 63));
    assert_true(sw_text_is_label("abc", 3));
    assert_false(sw_text_is_label("abcd", 3));
    assert_false(sw_text_is_label("", 63));
    assert_false(sw_text_is_label("-a", 63));
    assert_false(sw_text_is_label("a-", 63));
    assert_false(sw_text_is_label("A", 63));
    assert_false(sw_text_is_label("a.b", 63));
    assert_false(sw_text_is_label("a_b", 63));
}

static void unsigned_numbers_are_whole_and_bounded(void **state)
{
    uint64_t value = 5;

    (void)state;
    assert_int_equal(sw_text_to_u64("0", &value), SW_OK);
    assert_true(value == 0);
    assert_int_equal(sw_text_to_u64("18446744073709551615", &value), SW_OK);
    assert_true(value == UINT64_MAX);
    assert_int_equal(sw_text_to_u64("18446744073709551616", &value), SW_E_RANGE);
    assert_int_equal(sw_text_to_u64("99999999999999999999999", &value), SW_E_RANGE);
    assert_int_equal(sw_text_to_u64("", &value), SW_E_INVALID);
    assert_int_equal(sw_text_to_u64("1x", &value), SW_E_INVALID);
    assert_int_equal(sw_text_to_u64(" 1", &value), SW_E_INVALID);
    assert_int_equal(sw_text_to_u64("+1", &value), SW_E_INVALID);
    assert_int_equal(sw_text_to_u64("-1", &value), SW_E_INVALID);
    assert_true(value == UINT64_MAX); /* Unchanged by failures. */
}

static void signed_numbers_reach_both_ends(void **state)
{
    int64_t value;

    (void)state;
    assert_int_equal(sw_text_to_i64("9223372036854775807", &value), SW_OK);
    assert_true(value == INT64_MAX);
    assert_int_equal(sw_text_to_i64("-9223372036854775808", &value), SW_OK);
    assert_true(value == INT64_MIN);
    assert_int_equal(sw_text_to_i64("9223372036854775808", &value), SW_E_RANGE);
    assert_int_equal(sw_text_to_i64("-9223372036854775809", &value), SW_E_RANGE);
    assert_int_equal(sw_text_to_i64("--1", &value), SW_E_INVALID);
    assert_int_equal(sw_text_to_i64("-", &value), SW_E_INVALID);
}

static void durations_need_a_unit(void **state)
{
    static const struct {
        const char *text;
        uint64_t ns;
    } cases[] = {
        {"7ns", 7},           {"3us", 3000},         {"1500ms", 1500000000}, {"2s", 2000000000},
        {"5m", 300000000000}, {"1h", 3600000000000}, {"7d", 604800000000000}};
    uint64_t ns;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(sw_text_to_duration_ns(cases[i].text, &ns), SW_OK);
        assert_true(ns == cases[i].ns);
    }
    assert_int_equal(sw_text_to_duration_ns("5", &ns), SW_E_INVALID);
    assert_int_equal(sw_text_to_duration_ns("s", &ns), SW_E_INVALID);
    assert_int_equal(sw_text_to_duration_ns("5 s", &ns), SW_E_INVALID);
    assert_int_equal(sw_text_to_duration_ns("1000000d", &ns), SW_E_RANGE);
}

static void sizes_are_binary(void **state)
{
    uint64_t bytes;

    (void)state;
    assert_int_equal(sw_text_to_size_bytes("64KiB", &bytes), SW_OK);
    assert_true(bytes == 65536);
    assert_int_equal(sw_text_to_size_bytes("2GiB", &bytes), SW_OK);
    assert_true(bytes == 2ull << 30);
    assert_int_equal(sw_text_to_size_bytes("17", &bytes), SW_OK);
    assert_true(bytes == 17);
    assert_int_equal(sw_text_to_size_bytes("1MB", &bytes), SW_E_INVALID);
    assert_int_equal(sw_text_to_size_bytes("17179869184GiB", &bytes), SW_E_RANGE);
}

static void distance_counts_edits_and_swaps(void **state)
{
    (void)state;
    assert_int_equal(sw_text_distance("", ""), 0);
    assert_int_equal(sw_text_distance("abc", "abc"), 0);
    assert_int_equal(sw_text_distance("", "abc"), 3);
    assert_int_equal(sw_text_distance("kitten", "sitting"), 3);
    assert_int_equal(sw_text_distance("replicas", "repilcas"), 1);
    assert_int_equal(sw_text_distance("ab", "ba"), 1);
}

static void nearest_is_what_was_meant(void **state)
{
    static const char *const names[] = {"replicas", "durability", "module", "memory"};

    (void)state;
    assert_string_equal(sw_text_nearest("replica", names, 4), "replicas");
    assert_string_equal(sw_text_nearest("durabilty", names, 4), "durability");
    assert_string_equal(sw_text_nearest("modul", names, 4), "module");
    assert_null(sw_text_nearest("something", names, 4));
    assert_null(sw_text_nearest("x", names, 0));
}

static void a_cut_text_ends_with_a_whole_character(void **state)
{
    static const char *const whole[] = {"", "a", "ab\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x90\x9d"};
    static const char *const cut[] = {"a\xc3", "a\xe2", "a\xe2\x82", "a\xf0\x9f", "a\xf0\x9f\x90"};
    char text[8];

    (void)state;
    for (size_t i = 0; i < sizeof(whole) / sizeof(whole[0]); i++) {
        (void)snprintf(text, sizeof text, "%s", whole[i]);
        sw_text_mend_end(text);
        assert_string_equal(text, whole[i]);
    }
    for (size_t i = 0; i < sizeof(cut) / sizeof(cut[0]); i++) {
        (void)snprintf(text, sizeof text, "%s", cut[i]);
        sw_text_mend_end(text);
        assert_string_equal(text, "a");
    }
}

static void money_is_exact(void **state)
{
    static const struct {
        const char *text;
        uint64_t billionths;
        const char *printed;
    } rows[] = {
        {"0", 0, "0.00"},
        {"1", 1000000000, "1.00"},
        {"1.5", 1500000000, "1.50"},
        {"0.15", 150000000, "0.15"},
        {"0.0015", 1500000, "0.0015"},
        {"0.000000001", 1, "0.000000001"},
        {"999999999.999999999", 999999999999999999, "999999999.999999999"},
        {"007.10", 7100000000, "7.10"},
    };
    static const char *const bad[] = {"",      ".",   "1.", ".1", "-1",           "+1",
                                      "1,5",   "1e3", " 1", "1 ", "1.0000000000", "1000000000",
                                      "1.2.3", "0x1"};
    char printed[SW_MONEY_TEXT_SIZE];
    uint64_t value = 7;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(sw_text_to_money(rows[i].text, &value), SW_OK);
        assert_true(value == rows[i].billionths);
        sw_money_print(value, printed);
        assert_string_equal(printed, rows[i].printed);
    }
    value = 7;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(sw_text_to_money(bad[i], &value), SW_E_INVALID);
    assert_int_equal(value, 7);
    sw_money_print(UINT64_MAX, printed);
    assert_string_equal(printed, "18446744073.709551615");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(well_formed_utf8_is_accepted),
        cmocka_unit_test(ill_formed_utf8_is_refused),
        cmocka_unit_test(a_cut_text_ends_with_a_whole_character),
        cmocka_unit_test(labels_follow_rfc_1123),
        cmocka_unit_test(unsigned_numbers_are_whole_and_bounded),
        cmocka_unit_test(signed_numbers_reach_both_ends),
        cmocka_unit_test(durations_need_a_unit),
        cmocka_unit_test(sizes_are_binary),
        cmocka_unit_test(money_is_exact),
        cmocka_unit_test(distance_counts_edits_and_swaps),
        cmocka_unit_test(nearest_is_what_was_meant),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
