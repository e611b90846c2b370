#include "pkg/broker/loops/loops.h"
#include "pkg/broker/loops/read.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define REPEATS 5u

struct fixture {
    struct sw_loops *loops;
    struct sw_loop loop;
    struct sw_loops_reader reader;
    uint64_t call, now_ms;
};

static int setup(void **state)
{
    static const uint8_t key[16] = "a key of a test";
    struct fixture *f = calloc(1, sizeof *f);

    *state = f;
    if (f == NULL)
        return -1;
    f->loops = sw_loops_new(7, 4);
    sw_loops_reader_init(&f->reader, key);
    return f->loops == NULL ? -1 : 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    sw_loops_free(f->loops);
    sw_loops_reader_done(&f->reader);
    free(f);
    return 0;
}

static struct sw_bytes words(const char *text)
{
    return (struct sw_bytes){text, strlen(text)};
}

/* An instance did something, ten seconds after the last one. */
static enum sw_loop_kind did(struct fixture *f, const char *who, uint64_t state, uint64_t action)
{
    struct sw_loops_step step = {
        .state = state, .action = action, .call = ++f->call, .now_ms = f->now_ms += 10000};

    memset(&f->loop, 0, sizeof f->loop);
    return sw_loops_add(f->loops, words(who), &step, REPEATS, &f->loop) ? f->loop.kind
                                                                        : SW_LOOP_NONE;
}

static enum sw_loop_kind failed(struct fixture *f, uint64_t state, uint64_t after_ms)
{
    struct sw_loops_step step = {.state = state,
                                 .action = 14,
                                 .call = ++f->call,
                                 .now_ms = f->now_ms += after_ms,
                                 .is_failed = true};

    memset(&f->loop, 0, sizeof f->loop);
    return sw_loops_add(f->loops, words("s/a/k"), &step, REPEATS, &f->loop) ? f->loop.kind
                                                                            : SW_LOOP_NONE;
}

static void test_the_fifth_of_the_same_is_a_loop(void **state)
{
    struct fixture *f = *state;

    for (unsigned i = 1; i < REPEATS; i++)
        assert_int_equal(did(f, "s/a/k", 1, 1), SW_LOOP_NONE);
    assert_int_equal(did(f, "s/a/k", 1, 1), SW_LOOP_REPEAT);
    assert_int_equal(f->loop.period, 1);
    assert_int_equal(f->loop.repeats, REPEATS);
    assert_true(f->loop.is_told_first);
    assert_int_equal(f->loop.calls_count, SW_LOOPS_CALLS_TOLD);
    assert_int_equal(f->loop.calls[3], 5);
    for (unsigned i = REPEATS + 1; i < 2 * REPEATS; i++) {
        assert_int_equal(did(f, "s/a/k", 1, 1), SW_LOOP_REPEAT);
        assert_false(f->loop.is_told_first);
    }
    assert_int_equal(did(f, "s/a/k", 1, 1), SW_LOOP_REPEAT);
    assert_true(f->loop.is_told_first); /* Twice as often. */
    assert_int_equal(did(f, "s/a/k", 1, 2), SW_LOOP_NONE);
    assert_int_equal(did(f, "s/a/k", 1, 1), SW_LOOP_NONE);
}

static void test_each_period_is_found_when_it_was_there_five_times(void **state)
{
    struct fixture *f = *state;

    for (uint64_t period = 2; period <= SW_LOOPS_PERIOD_MAX; period++) {
        uint64_t steps = period * REPEATS;

        sw_loops_forget(f->loops, words("s/a/k"));
        for (uint64_t i = 0; i + 1 < steps; i++)
            assert_int_equal(did(f, "s/a/k", i % period, 0), SW_LOOP_NONE);
        assert_int_equal(did(f, "s/a/k", period - 1, 0), SW_LOOP_REPEAT);
        assert_int_equal(f->loop.period, period);
        assert_int_equal(f->loop.repeats, REPEATS);
    }
}

static void test_what_is_new_each_time_is_none(void **state)
{
    struct fixture *f = *state;

    for (uint64_t i = 0; i < 500; i++) {
        assert_int_equal(did(f, "s/a/k", i, 1), SW_LOOP_NONE); /* The same tool, other results. */
        assert_int_equal(did(f, "s/b/k", 1, i), SW_LOOP_NONE);
    }
}

static void test_two_in_turn_are_told_as_such(void **state)
{
    struct fixture *f = *state;

    for (unsigned i = 1; i < REPEATS; i++) {
        assert_int_equal(did(f, "s/a/k", 1, 1), SW_LOOP_NONE);
        assert_int_equal(did(f, "s/b/k", 2, 2), SW_LOOP_NONE);
        assert_int_equal(did(f, "other/c/k", 3, 3), SW_LOOP_NONE);
    }
    assert_int_equal(did(f, "s/a/k", 1, 1), SW_LOOP_PING_PONG);
    assert_string_equal(f->loop.other, "s/b/k");
    assert_int_equal(did(f, "s/b/k", 2, 2), SW_LOOP_PING_PONG);
    assert_string_equal(f->loop.other, "s/a/k");
    assert_int_equal(did(f, "other/c/k", 3, 3), SW_LOOP_REPEAT); /* Of another namespace. */
}

static void test_requests_that_grow_without_anything_new(void **state)
{
    struct fixture *f = *state;
    struct sw_loops_step step = {.action = 1};
    uint32_t most = SW_LOOPS_GROWTH_FACTOR * REPEATS;

    for (uint32_t i = 0; i <= most; i++) {
        step.state = i;
        step.tokens = 100 + i;
        step.call = i + 1;
        assert_int_equal(sw_loops_add(f->loops, words("s/a/k"), &step, REPEATS, &f->loop),
                         i == most);
    }
    assert_int_equal(f->loop.kind, SW_LOOP_GROWTH);
    step.action = 2; /* Something new. */
    step.tokens++;
    assert_false(sw_loops_add(f->loops, words("s/a/k"), &step, REPEATS, &f->loop));
}

static void test_retries_with_a_growing_wait_are_no_storm(void **state)
{
    struct fixture *f = *state;

    for (unsigned i = 0; i < 20; i++)
        assert_int_equal(failed(f, 1, (uint64_t)SW_LOOPS_BACKOFF_MS << (i < 12 ? i : 12)),
                         SW_LOOP_NONE);
    for (unsigned i = 0; i + 1 < REPEATS; i++)
        assert_int_equal(failed(f, 2, 100), SW_LOOP_NONE);
    assert_int_equal(failed(f, 2, 100), SW_LOOP_RETRY);
    assert_int_equal(f->loop.repeats, REPEATS);
}

static void test_who_did_nothing_for_longest_goes(void **state)
{
    struct fixture *f = *state;
    char who[32];

    for (unsigned i = 1; i < REPEATS; i++)
        (void)did(f, "s/a/k", 1, 1);
    for (unsigned i = 0; i < 4; i++) {
        (void)snprintf(who, sizeof who, "s/a/%u", i);
        (void)did(f, who, 1, 1);
    }
    assert_int_equal(sw_loops_count(f->loops), 4);
    assert_int_equal(did(f, "s/a/k", 1, 1), SW_LOOP_NONE); /* It had gone. */
}

static uint64_t state_of(struct fixture *f, const char *body)
{
    return sw_loops_state(&f->reader, SW_WIRE_CHAT, words(body));
}

static uint64_t action_of(struct fixture *f, const char *body)
{
    uint32_t tokens;

    return sw_loops_action(&f->reader, SW_WIRE_CHAT, words(body), &tokens);
}

static void test_ids_and_what_was_before_make_no_difference(void **state)
{
    struct fixture *f = *state;
    uint32_t tokens;
    uint64_t one =
        state_of(f, "{\"messages\":[{\"role\":\"assistant\",\"content\":\"x\"},{\"role\":"
                    "\"tool\",\"tool_call_id\":\"1\",\"content\":\"r\"}]}");

    assert_int_equal(one, state_of(f, "{\"messages\":[{\"role\":\"user\",\"content\":\"q\"},"
                                      "{\"role\":\"assistant\"}, {\"role\":\"tool\","
                                      "\"tool_call_id\":\"2\",\"content\":\"r\"}]}"));
    assert_int_not_equal(one, state_of(f, "{\"messages\":[{\"role\":\"assistant\"},{\"role\":"
                                          "\"tool\",\"tool_call_id\":\"1\",\"content\":\"s\"}]}"));
    one = action_of(f, "{\"id\":\"1\",\"choices\":[{\"message\":{\"tool_calls\":[{\"id\":\"1\","
                       "\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]}}]}");
    assert_int_equal(
        one, action_of(f, "{\"id\":\"2\",\"choices\":[{\"message\":{\"tool_calls\":[{\"id\":"
                          "\"9\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]}}]}"));
    assert_int_not_equal(one,
                         action_of(f, "{\"choices\":[{\"message\":{\"tool_calls\":[{\"id\":\"1\","
                                      "\"function\":{\"name\":\"f\",\"arguments\":\"[]\"}}]}}]}"));
    (void)sw_loops_action(&f->reader, SW_WIRE_MESSAGES,
                          words("{\"content\":[],\"usage\":{\"input_tokens\":3,"
                                "\"cache_read_input_tokens\":4}}"),
                          &tokens);
    assert_int_equal(tokens, 7);
    assert_int_equal(sw_loops_document(&f->reader, words("{\"a\":1,\"headers\":{\"date\":1}}")),
                     sw_loops_document(&f->reader, words("{\"a\":1,\"headers\":{\"date\":2}}")));
    assert_int_not_equal(sw_loops_document(&f->reader, words("not JSON")),
                         sw_loops_document(&f->reader, words("nor this")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_the_fifth_of_the_same_is_a_loop, setup, teardown),
        cmocka_unit_test_setup_teardown(test_each_period_is_found_when_it_was_there_five_times,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_is_new_each_time_is_none, setup, teardown),
        cmocka_unit_test_setup_teardown(test_two_in_turn_are_told_as_such, setup, teardown),
        cmocka_unit_test_setup_teardown(test_requests_that_grow_without_anything_new, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_retries_with_a_growing_wait_are_no_storm, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_who_did_nothing_for_longest_goes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_ids_and_what_was_before_make_no_difference, setup,
                                        teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
