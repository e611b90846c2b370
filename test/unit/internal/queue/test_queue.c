#include "internal/queue/queue.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void assert_taken(struct sw_queue *queue, uint64_t now_ms, const char *expected)
{
    char key[SW_QUEUE_KEY_MAX];

    assert_true(sw_queue_take(queue, now_ms, key));
    assert_string_equal(key, expected);
}

static void assert_nothing(struct sw_queue *queue, uint64_t now_ms)
{
    char key[SW_QUEUE_KEY_MAX];

    assert_false(sw_queue_take(queue, now_ms, key));
}

static void test_names_leave_in_the_order_they_are_due(void **state)
{
    SW_CLEANUP(sw_queue_freep) struct sw_queue *queue = sw_queue_new(NULL);

    (void)state;
    assert_int_equal(sw_queue_add(queue, "late", 0, 50), SW_OK);
    assert_int_equal(sw_queue_add(queue, "first", 0, 0), SW_OK);
    assert_int_equal(sw_queue_add(queue, "second", 0, 0), SW_OK);

    assert_taken(queue, 0, "first");
    assert_taken(queue, 0, "second");
    assert_nothing(queue, 49);
    assert_taken(queue, 50, "late");
}

static void test_a_name_added_twice_is_taken_once_and_at_its_earliest(void **state)
{
    SW_CLEANUP(sw_queue_freep) struct sw_queue *queue = sw_queue_new(NULL);

    (void)state;
    assert_int_equal(sw_queue_add(queue, "agent", 0, 100), SW_OK);
    assert_int_equal(sw_queue_add(queue, "agent", 0, 10), SW_OK);
    assert_int_equal(sw_queue_add(queue, "agent", 0, 500), SW_OK);

    assert_nothing(queue, 9);
    assert_taken(queue, 10, "agent");
    sw_queue_done(queue, "agent", 10, false);
    assert_nothing(queue, 1000);
    assert_int_equal(sw_queue_count(queue), 0);
}

static void test_a_name_added_while_taken_comes_again_only_after_it_is_done(void **state)
{
    SW_CLEANUP(sw_queue_freep) struct sw_queue *queue = sw_queue_new(NULL);

    (void)state;
    assert_int_equal(sw_queue_add(queue, "agent", 0, 0), SW_OK);
    assert_taken(queue, 0, "agent");
    assert_int_equal(sw_queue_add(queue, "agent", 1, 0), SW_OK);

    assert_nothing(queue, 1);
    sw_queue_done(queue, "agent", 2, false);
    assert_taken(queue, 2, "agent");
}

static void test_back_off_doubles_up_to_its_maximum_and_starts_anew(void **state)
{
    struct sw_queue_options options = {.backoff_ms = 10, .backoff_max_ms = 35};
    SW_CLEANUP(sw_queue_freep) struct sw_queue *queue = sw_queue_new(&options);
    const uint64_t delays[] = {10, 20, 35, 35};
    uint64_t now_ms = 0, due_ms;

    (void)state;
    assert_int_equal(sw_queue_add(queue, "agent", now_ms, 0), SW_OK);
    for (size_t i = 0; i < sizeof delays / sizeof delays[0]; i++) {
        assert_taken(queue, now_ms, "agent");
        sw_queue_done(queue, "agent", now_ms, true);
        assert_true(sw_queue_due(queue, &due_ms));
        assert_int_equal(due_ms, now_ms + delays[i]);
        now_ms = due_ms;
    }
    assert_taken(queue, now_ms, "agent");
    sw_queue_done(queue, "agent", now_ms, false);
    assert_int_equal(sw_queue_add(queue, "agent", now_ms, 0), SW_OK);
    assert_taken(queue, now_ms, "agent");
    sw_queue_done(queue, "agent", now_ms, true);
    assert_true(sw_queue_due(queue, &due_ms));
    assert_int_equal(due_ms, now_ms + 10);
}

static void test_a_new_reason_shortens_the_back_off(void **state)
{
    struct sw_queue_options options = {.backoff_ms = 1000};
    SW_CLEANUP(sw_queue_freep) struct sw_queue *queue = sw_queue_new(&options);

    (void)state;
    assert_int_equal(sw_queue_add(queue, "agent", 0, 0), SW_OK);
    assert_taken(queue, 0, "agent");
    sw_queue_done(queue, "agent", 0, true);
    assert_nothing(queue, 5);
    assert_int_equal(sw_queue_add(queue, "agent", 5, 0), SW_OK);

    assert_taken(queue, 5, "agent");
}

static void test_bad_names_and_a_full_queue_are_refused(void **state)
{
    struct sw_queue_options options = {.items_max = 1};
    SW_CLEANUP(sw_queue_freep) struct sw_queue *queue = sw_queue_new(&options);
    char long_name[SW_QUEUE_KEY_MAX + 1];

    (void)state;
    (void)memset(long_name, 'x', sizeof long_name - 1);
    long_name[sizeof long_name - 1] = '\0';

    assert_int_equal(sw_queue_add(queue, "", 0, 0), SW_E_INVALID);
    assert_int_equal(sw_queue_add(queue, long_name, 0, 0), SW_E_INVALID);
    assert_int_equal(sw_queue_add(queue, "one", 0, 0), SW_OK);
    assert_int_equal(sw_queue_add(queue, "two", 0, 0), SW_E_EXHAUSTED);
    assert_int_equal(sw_queue_add(queue, "one", 0, 0), SW_OK);
}

static void test_a_delay_beyond_time_is_never_due(void **state)
{
    SW_CLEANUP(sw_queue_freep) struct sw_queue *queue = sw_queue_new(NULL);

    (void)state;
    assert_int_equal(sw_queue_add(queue, "never", 100, UINT64_MAX), SW_OK);

    assert_nothing(queue, UINT64_MAX - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_leave_in_the_order_they_are_due),
        cmocka_unit_test(test_a_name_added_twice_is_taken_once_and_at_its_earliest),
        cmocka_unit_test(test_a_name_added_while_taken_comes_again_only_after_it_is_done),
        cmocka_unit_test(test_back_off_doubles_up_to_its_maximum_and_starts_anew),
        cmocka_unit_test(test_a_new_reason_shortens_the_back_off),
        cmocka_unit_test(test_bad_names_and_a_full_queue_are_refused),
        cmocka_unit_test(test_a_delay_beyond_time_is_never_due),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
