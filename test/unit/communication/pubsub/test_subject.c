#include "pkg/communication/pubsub/subject.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <string.h>

static struct sw_bytes text(const char *words)
{
    return (struct sw_bytes){words, strlen(words)};
}

static void a_subject_is_plain_tokens_joined_by_dots(void **state)
{
    (void)state;
    assert_true(sw_subject_is_valid(text("orders")));
    assert_true(sw_subject_is_valid(text("orders.new.eu-1")));
    assert_true(sw_subject_is_valid(text("gr\xc3\xbc\xc3\x9f")));
    assert_true(sw_subject_is_valid(text("a*b.c>d")) == false);
}

static void empty_tokens_wildcards_and_control_bytes_are_refused(void **state)
{
    static const char *const bad[] = {"",    ".",    "a.",     ".a",   "a..b",   "a.*", "a.>",
                                      "a b", "a\tb", "a.\x7f", "\xff", "a.\x01", "*",   ">"};
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(sw_subject_is_valid(text(bad[i])));
    assert_false(sw_subject_is_valid((struct sw_bytes){NULL, 0}));
}

static void patterns_may_have_a_star_anywhere_and_a_tail_at_the_end(void **state)
{
    (void)state;
    assert_true(sw_subject_is_pattern(text("*")));
    assert_true(sw_subject_is_pattern(text(">")));
    assert_true(sw_subject_is_pattern(text("a.*.c.>")));
    assert_false(sw_subject_is_pattern(text("a.>.c")));
    assert_false(sw_subject_is_pattern(text("a.**")));
    assert_false(sw_subject_is_pattern(text("a.b*")));
    assert_false(sw_subject_is_pattern(text("a.>>")));
}

static void sizes_and_tokens_have_a_limit(void **state)
{
    char longest[SW_SUBJECT_BYTES_MAX + 2];
    char many[2 * SW_SUBJECT_TOKENS_MAX + 2];

    (void)state;
    memset(longest, 'a', sizeof longest);
    assert_true(sw_subject_is_valid((struct sw_bytes){longest, SW_SUBJECT_BYTES_MAX}));
    assert_false(sw_subject_is_valid((struct sw_bytes){longest, SW_SUBJECT_BYTES_MAX + 1}));
    for (size_t i = 0; i < sizeof many; i++)
        many[i] = i % 2 == 0 ? 'a' : '.';
    assert_true(sw_subject_is_valid((struct sw_bytes){many, 2 * SW_SUBJECT_TOKENS_MAX - 1}));
    assert_false(sw_subject_is_valid((struct sw_bytes){many, 2 * SW_SUBJECT_TOKENS_MAX + 1}));
}

static void matching_follows_the_grammar(void **state)
{
    static const struct {
        const char *pattern, *subject;
        bool matches;
    } cases[] = {
        {"a.b", "a.b", true},    {"a.b", "a.c", false},   {"a.b", "a", false},
        {"a", "a.b", false},     {"a.*", "a.b", true},    {"a.*", "a", false},
        {"a.*", "a.b.c", false}, {"*.b", "a.b", true},    {"*", "a", true},
        {">", "a", true},        {">", "a.b.c", true},    {"a.>", "a.b.c", true},
        {"a.>", "a", false},     {"a.*.>", "a.b", false}, {"a.*.>", "a.b.c", true},
        {"ab", "a", false},      {"a", "ab", false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(sw_subject_matches(text(cases[i].pattern), text(cases[i].subject)),
                         cases[i].matches);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_subject_is_plain_tokens_joined_by_dots),
        cmocka_unit_test(empty_tokens_wildcards_and_control_bytes_are_refused),
        cmocka_unit_test(patterns_may_have_a_star_anywhere_and_a_tail_at_the_end),
        cmocka_unit_test(sizes_and_tokens_have_a_limit),
        cmocka_unit_test(matching_follows_the_grammar),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
