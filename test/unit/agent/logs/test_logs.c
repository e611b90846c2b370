#include "pkg/agent/logs/logs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct seen {
    char text[4096]; /* "key=text;" of each line. */
    unsigned count;
};

static void see(void *ctx, const struct sw_logs_line *line)
{
    struct seen *seen = ctx;
    size_t used = strlen(seen->text);

    seen->count++;
    (void)snprintf(seen->text + used, sizeof seen->text - used, "%.*s=%.*s;", (int)line->key.size,
                   (const char *)line->key.data, (int)line->text.size,
                   (const char *)line->text.data);
}

static void add(struct sw_logs *logs, const char *agent, const char *key, const char *text)
{
    struct sw_logs_line line = {.name_space = "default",
                                .agent = agent,
                                .key = {key, strlen(key)},
                                .text = {text, strlen(text)},
                                .utc_ns = 1};

    sw_logs_add(logs, &line);
}

static struct sw_logs_filter filter_of(const char *agent, const char *key)
{
    return (struct sw_logs_filter){
        .name_space = "default", .agent = agent, .key = {key, strlen(key)}};
}

static void test_tail_shows_the_last_lines_oldest_first(void **state)
{
    SW_CLEANUP(sw_logs_freep) struct sw_logs *logs = sw_logs_new(NULL);
    struct sw_logs_filter filter = filter_of("reader", "");
    struct seen seen = {0};

    (void)state;
    add(logs, "reader", "a", "one");
    add(logs, "other", "x", "noise");
    add(logs, "reader", "b", "two");
    add(logs, "reader", "a", "three");

    sw_logs_tail(logs, &filter, 2, see, &seen);

    assert_string_equal(seen.text, "b=two;a=three;");
}

static void test_tail_of_one_instance_counts_only_its_lines(void **state)
{
    SW_CLEANUP(sw_logs_freep) struct sw_logs *logs = sw_logs_new(NULL);
    struct sw_logs_filter filter = filter_of("reader", "a");
    struct seen seen = {0};

    (void)state;
    add(logs, "reader", "a", "one");
    add(logs, "reader", "a", "two");
    add(logs, "reader", "b", "three");

    sw_logs_tail(logs, &filter, 1, see, &seen);

    assert_string_equal(seen.text, "a=two;");
}

static void test_tail_of_nothing_shows_nothing(void **state)
{
    SW_CLEANUP(sw_logs_freep) struct sw_logs *logs = sw_logs_new(NULL);
    struct sw_logs_filter unknown = filter_of("unknown", ""), known = filter_of("reader", "");
    struct seen seen = {0};

    (void)state;
    add(logs, "reader", "a", "one");

    sw_logs_tail(logs, &unknown, 10, see, &seen);
    sw_logs_tail(logs, &known, 0, see, &seen);

    assert_int_equal(seen.count, 0);
}

static void test_an_agent_cannot_push_out_another(void **state)
{
    struct sw_logs_options options = {.bytes_max = 8192, .agent_bytes_max = 2048};
    SW_CLEANUP(sw_logs_freep) struct sw_logs *logs = sw_logs_new(&options);
    struct sw_logs_filter quiet = filter_of("quiet", "");
    struct seen seen = {0};

    (void)state;
    add(logs, "quiet", "q", "kept");
    for (int i = 0; i < 1000; i++)
        add(logs, "loud", "l", "a line that is said again and again");

    sw_logs_tail(logs, &quiet, 10, see, &seen);

    assert_string_equal(seen.text, "q=kept;");
    assert_true(sw_logs_bytes(logs) <= 2048 + 256);
}

static void test_all_agents_together_stay_below_the_limit(void **state)
{
    struct sw_logs_options options = {.bytes_max = 4096, .agent_bytes_max = 2048};
    SW_CLEANUP(sw_logs_freep) struct sw_logs *logs = sw_logs_new(&options);
    char name[16];

    (void)state;
    for (int i = 0; i < 200; i++) {
        (void)snprintf(name, sizeof name, "agent-%d", i);
        add(logs, name, "k", "some words of which there are too many in the end");
        assert_true(sw_logs_bytes(logs) <= 4096);
    }
}

static void test_a_line_larger_than_the_share_is_cut(void **state)
{
    struct sw_logs_options options = {.agent_bytes_max = 512};
    SW_CLEANUP(sw_logs_freep) struct sw_logs *logs = sw_logs_new(&options);
    char text[2000];

    (void)state;
    (void)memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';

    add(logs, "reader", "a", text);

    assert_true(sw_logs_bytes(logs) > 0);
    assert_true(sw_logs_bytes(logs) <= 512);
}

static void test_a_follower_sees_new_lines_of_its_choice_until_it_leaves(void **state)
{
    SW_CLEANUP(sw_logs_freep) struct sw_logs *logs = sw_logs_new(NULL);
    struct sw_logs_filter filter = filter_of("reader", "a");
    struct sw_logs_follower *follower;
    struct seen seen = {0};

    (void)state;
    add(logs, "reader", "a", "before");
    assert_int_equal(sw_logs_follow(logs, &filter, see, &seen, &follower, NULL), SW_OK);
    add(logs, "reader", "a", "one");
    add(logs, "reader", "b", "not mine");
    add(logs, "other", "a", "not mine");
    sw_logs_unfollow(logs, follower);
    add(logs, "reader", "a", "after");

    assert_string_equal(seen.text, "a=one;");
}

static void test_followers_are_limited(void **state)
{
    struct sw_logs_options options = {.followers_max = 1};
    SW_CLEANUP(sw_logs_freep) struct sw_logs *logs = sw_logs_new(&options);
    struct sw_logs_filter filter = filter_of("reader", "");
    struct sw_logs_follower *follower;
    struct sw_err err = {0};

    (void)state;
    assert_int_equal(sw_logs_follow(logs, &filter, see, NULL, &follower, &err), SW_OK);
    assert_int_equal(sw_logs_follow(logs, &filter, see, NULL, &follower, &err), SW_E_EXHAUSTED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tail_shows_the_last_lines_oldest_first),
        cmocka_unit_test(test_tail_of_one_instance_counts_only_its_lines),
        cmocka_unit_test(test_tail_of_nothing_shows_nothing),
        cmocka_unit_test(test_an_agent_cannot_push_out_another),
        cmocka_unit_test(test_all_agents_together_stay_below_the_limit),
        cmocka_unit_test(test_a_line_larger_than_the_share_is_cut),
        cmocka_unit_test(test_a_follower_sees_new_lines_of_its_choice_until_it_leaves),
        cmocka_unit_test(test_followers_are_limited),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
