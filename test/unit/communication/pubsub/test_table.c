#include "pkg/communication/pubsub/table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>
#include <string.h>

static struct sw_bytes text(const char *words)
{
    return (struct sw_bytes){words, strlen(words)};
}

static enum sw_rc add(struct sw_pubsub *table, const char *pattern, uint64_t subscriber)
{
    return sw_pubsub_add(table, &(struct sw_pubsub_key){text("ns"), text(pattern), subscriber});
}

static enum sw_rc drop(struct sw_pubsub *table, const char *pattern, uint64_t subscriber)
{
    return sw_pubsub_remove(table, &(struct sw_pubsub_key){text("ns"), text(pattern), subscriber});
}

static size_t match(struct sw_pubsub *table, const char *subject, uint64_t *ret_found)
{
    struct sw_buffer out;
    size_t count;

    sw_buffer_init(&out, 1u << 16);
    sw_pubsub_match(table, text("ns"), text(subject), &out);
    assert_int_equal(sw_buffer_check(&out), SW_OK);
    count = out.size / sizeof *ret_found;
    if (out.size > 0)
        memcpy(ret_found, out.data, out.size);
    sw_buffer_done(&out);
    return count;
}

static void a_publish_finds_each_subscriber_once_in_order(void **state)
{
    SW_CLEANUP(sw_pubsub_freep) struct sw_pubsub *table = sw_pubsub_new(1);
    uint64_t found[8];

    (void)state;
    assert_int_equal(add(table, "a.>", 9), SW_OK);
    assert_int_equal(add(table, "a.b", 7), SW_OK);
    assert_int_equal(add(table, "a.*", 7), SW_OK);
    assert_int_equal(add(table, "x", 5), SW_OK);
    assert_int_equal(add(table, "*.b", 3), SW_OK);
    assert_int_equal(match(table, "a.b", found), 3);
    assert_int_equal(found[0], 3);
    assert_int_equal(found[1], 7);
    assert_int_equal(found[2], 9);
}

static void spaces_do_not_hear_each_other(void **state)
{
    SW_CLEANUP(sw_pubsub_freep) struct sw_pubsub *table = sw_pubsub_new(1);
    uint64_t found[8];

    (void)state;
    assert_int_equal(sw_pubsub_add(table, &(struct sw_pubsub_key){text("other"), text("a"), 1}),
                     SW_OK);
    assert_int_equal(match(table, "a", found), 0);
}

static void a_second_subscription_is_told_and_changes_nothing(void **state)
{
    SW_CLEANUP(sw_pubsub_freep) struct sw_pubsub *table = sw_pubsub_new(1);

    (void)state;
    assert_int_equal(add(table, "a", 1), SW_OK);
    assert_int_equal(add(table, "a", 1), SW_E_EXISTS);
    assert_int_equal(sw_pubsub_count(table), 1);
}

static void after_removal_nothing_is_found_and_nothing_is_left(void **state)
{
    SW_CLEANUP(sw_pubsub_freep) struct sw_pubsub *table = sw_pubsub_new(1);
    uint64_t found[8];

    (void)state;
    assert_int_equal(add(table, "a.b.c", 1), SW_OK);
    assert_int_equal(add(table, "a.b", 2), SW_OK);
    assert_int_equal(drop(table, "a.b.c", 1), SW_OK);
    assert_int_equal(drop(table, "a.b.c", 1), SW_E_NOT_FOUND);
    assert_int_equal(drop(table, "z", 1), SW_E_NOT_FOUND);
    assert_int_equal(match(table, "a.b.c", found), 0);
    assert_int_equal(match(table, "a.b", found), 1);
    assert_int_equal(drop(table, "a.b", 2), SW_OK);
    assert_int_equal(sw_pubsub_count(table), 0);
}

/* The tree agrees with the definition, over random patterns, subjects, additions and removals. */
static void the_tree_agrees_with_the_grammar(void **state)
{
    enum { SUBSCRIBERS = 12, ROUNDS = 4000 };
    static const char *const tokens[] = {"a", "b", "*", ">"};
    SW_CLEANUP(sw_pubsub_freep) struct sw_pubsub *table = sw_pubsub_new(1);
    char patterns[SUBSCRIBERS][16] = {{0}};
    unsigned random = 1;

    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        char subject[16] = "", pattern[16] = "";
        uint64_t found[SUBSCRIBERS];
        size_t count, expected = 0, who;

        random = random * 1664525 + 1013904223;
        who = random >> 8 & 0xff;
        who %= SUBSCRIBERS;
        for (unsigned i = 0, n = (random >> 16) % 3 + 1; i < n; i++) {
            unsigned token = random >> (18 + 2 * i) & 3;
            if (token == 3 && i + 1 < n)
                token = 2;
            snprintf(pattern + strlen(pattern), 8, "%s%s", i > 0 ? "." : "", tokens[token]);
            snprintf(subject + strlen(subject), 8, "%s%s", i > 0 ? "." : "", tokens[token & 1]);
        }
        if (patterns[who][0] != 0)
            assert_int_equal(drop(table, patterns[who], who + 1), SW_OK);
        memcpy(patterns[who], pattern, sizeof pattern);
        assert_int_equal(add(table, pattern, who + 1), SW_OK);
        count = match(table, subject, found);
        for (size_t i = 0; i < SUBSCRIBERS; i++)
            if (patterns[i][0] != 0 && sw_subject_matches(text(patterns[i]), text(subject)))
                assert_int_equal(found[expected++], i + 1);
        assert_int_equal(count, expected);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_publish_finds_each_subscriber_once_in_order),
        cmocka_unit_test(spaces_do_not_hear_each_other),
        cmocka_unit_test(a_second_subscription_is_told_and_changes_nothing),
        cmocka_unit_test(after_removal_nothing_is_found_and_nothing_is_left),
        cmocka_unit_test(the_tree_agrees_with_the_grammar),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
