/* What a word is, what its endings are worth, and text made clean for people. */
#include "examples/librarian/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static uint32_t hash_of(const char *word)
{
    struct words words = {.text = (const uint8_t *)word, .size = (uint32_t)strlen(word)};
    struct word found;

    assert_true(words_next(&words, &found));
    return found.hash;
}

static void test_words_of_a_text(void **state)
{
    static const char text[] = "  Fix CVE-2014-0160 (a \"bug\") in libssl_3.\n";
    static const char *const expected[] = {"Fix", "CVE", "2014", "0160", "bug", "in", "libssl"};
    struct words words = {.text = (const uint8_t *)text, .size = sizeof text - 1};
    struct word word;

    (void)state;
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        assert_true(words_next(&words, &word));
        assert_int_equal(word.end - word.start, strlen(expected[i]));
        assert_memory_equal(text + word.start, expected[i], strlen(expected[i]));
        assert_true(word.hash != 0);
    }
    assert_false(words_next(&words, &word)); /* "3" is too short. */
    assert_false(words_next(&words, &word));
}

static void test_no_words_at_all(void **state)
{
    struct words words = {.text = (const uint8_t *)" - a - ", .size = 7};
    struct words empty = {0};
    struct word word;

    (void)state;
    assert_false(words_next(&words, &word));
    assert_false(words_next(&empty, &word));
}

static void test_words_that_are_the_same(void **state)
{
    static const char *const pairs[][2] = {
        {"OpenSSL", "openssl"},
        {"package", "packages"},
        {"fixed", "FIX"},
        {"fixes", "fix"},
        {"fixing", "fixes"},
        {"patches", "patched"},
        {"\xc3\xa9t\xc3\xa9", "\xc3\xa9t\xc3\xa9"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++)
        assert_int_equal(hash_of(pairs[i][0]), hash_of(pairs[i][1]));
}

static void test_words_that_differ(void **state)
{
    static const char *const pairs[][2] = {
        {"bus", "bu"}, {"class", "clas"}, {"this", "thi"}, {"red", "r1"},
        {"64s", "64"}, {"king", "kk"},    {"ab", "ba"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++)
        assert_true(hash_of(pairs[i][0]) != hash_of(pairs[i][1]));
}

static void assert_clean(const char *text, uint32_t size, uint32_t size_max, const char *expected)
{
    uint8_t out[64];
    uint32_t used = text_clean((const uint8_t *)text, size, out, size_max);

    assert_int_equal(used, strlen(expected));
    assert_memory_equal(out, expected, used);
}

static void test_text_is_made_clean(void **state)
{
    (void)state;
    assert_clean("  a\n\tb\x01 c \n", 10, 64, "a b c");
    assert_clean("", 0, 64, "");
    assert_clean(" \n ", 3, 64, "");
    assert_clean("a\xff"
                 "b\xc3",
                 4, 64, "a?b?");
    assert_clean("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", 9, 64,
                 "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80");
    /* Overlong forms, surrogates and what is above U+10FFFF are no UTF-8. */
    assert_clean("\xc0\x80\xed\xa0\x80\xf4\x90\x80\x80", 9, 64, "?????????");
}

static void test_clean_text_is_cut_between_characters(void **state)
{
    (void)state;
    assert_clean("abc def", 7, 5, "abc d");
    assert_clean("abc def", 7, 4, "abc");
    assert_clean("ab\xc3\xa9", 4, 3, "ab");
    assert_clean("abc", 3, 0, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words_of_a_text),
        cmocka_unit_test(test_no_words_at_all),
        cmocka_unit_test(test_words_that_are_the_same),
        cmocka_unit_test(test_words_that_differ),
        cmocka_unit_test(test_text_is_made_clean),
        cmocka_unit_test(test_clean_text_is_cut_between_characters),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
