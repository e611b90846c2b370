/* labels: threaded */
#include "pkg/utils/strands/strands.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>

static struct sw_strands *strands;
static char trace[128]; /* What ran, in order. Nothing locks it. */

static void note(const char *what)
{
    strncat(trace, what, sizeof trace - strlen(trace) - 1);
}

/* Loops are numbered in the order in which they begin; a set aside strand is told by its letter. */
static struct sw_strand *aside[4];
static unsigned loops, steps;

static void set_aside(unsigned which, const char *before, const char *after)
{
    note(before);
    aside[which] = sw_strands_self(strands);
    assert_true(sw_strands_leave(strands));
    note(after);
}

static int set_up(void **state)
{
    (void)state;
    trace[0] = 0;
    loops = steps = 0;
    return 0;
}

static void run_and_return(void *ctx)
{
    (void)ctx;
    note("x");
}

static void a_loop_that_returns_is_the_end(void **state)
{
    (void)state;
    strands = sw_strands_new(run_and_return, NULL, 4);
    assert_int_equal(sw_strands_start(strands, NULL), SW_OK);
    assert_true(sw_strands_join(strands));
    sw_strands_free(strands);
    assert_string_equal(trace, "x");
}

/* The first is set aside; the second resumes it until it yields, is set aside itself; the third
 * resumes both, each of which ends, and is idle then; the fourth time there is no new thread. */
static void run_in_turn(void *ctx)
{
    unsigned loop = loops++;

    (void)ctx;
    switch (loop) {
    case 0:
        set_aside(0, "a", "b");
        sw_strands_yield(strands);
        note("c");
        assert_true(sw_strands_is_replaced(strands));
        return;
    case 1:
        sw_strands_resume(strands, aside[0]);
        set_aside(1, "d", "e");
        assert_true(sw_strands_is_replaced(strands));
        return;
    case 2:
        assert_false(sw_strands_is_replaced(strands));
        sw_strands_resume(strands, aside[1]);
        sw_strands_resume(strands, aside[0]);
        set_aside(2, "f", "h");
        return;
    default: /* On a thread that was idle. */
        note("g");
        sw_strands_resume(strands, aside[2]);
        note("i");
    }
}

static void strands_go_on_in_any_order(void **state)
{
    (void)state;
    strands = sw_strands_new(run_in_turn, NULL, 3);
    assert_int_equal(sw_strands_start(strands, NULL), SW_OK);
    assert_true(sw_strands_join(strands));
    sw_strands_free(strands);
    assert_string_equal(trace, "abdecfghi");
}

static void run_to_the_limit(void *ctx)
{
    unsigned loop = loops++;

    (void)ctx;
    aside[loop] = sw_strands_self(strands);
    if (loop < 2) {
        assert_true(sw_strands_leave(strands));
        return;
    }
    assert_false(sw_strands_leave(strands)); /* Nothing has happened. */
    assert_ptr_equal(sw_strands_self(strands), aside[2]);
    sw_strands_resume(strands, aside[1]);
    sw_strands_resume(strands, aside[0]);
    note("x");
}

static void there_is_a_limit(void **state)
{
    (void)state;
    strands = sw_strands_new(run_to_the_limit, NULL, 3);
    assert_int_equal(sw_strands_start(strands, NULL), SW_OK);
    assert_true(sw_strands_join(strands));
    sw_strands_free(strands);
    assert_int_equal(loops, 3);
    assert_string_equal(trace, "x");
}

static void run_until_replaced(void *ctx)
{
    (void)ctx;
    while (!sw_strands_is_replaced(strands)) {
        steps++;
        sw_strands_resume(strands, aside[0]);
    }
    note("r");
}

static void who_was_adopted_takes_the_loop_back(void **state)
{
    (void)state;
    strands = sw_strands_new(run_until_replaced, NULL, 4);
    sw_strands_adopt(strands);
    for (unsigned i = 0; i < 3; i++) {
        set_aside(0, "a", "b");
        sw_strands_yield(strands);
        sw_strands_reclaim(strands);
        assert_false(sw_strands_is_replaced(strands));
    }
    assert_true(sw_strands_join(strands));
    sw_strands_free(strands);
    assert_int_equal(steps, 6);
    assert_string_equal(trace, "abrabrabr");
}

static void run_and_leave_behind(void *ctx)
{
    (void)ctx;
    if (loops++ == 0)
        set_aside(0, "a", "never");
    note("x");
}

static void who_is_set_aside_at_the_end_stays_there(void **state)
{
    (void)state;
    strands = sw_strands_new(run_and_leave_behind, NULL, 4);
    assert_int_equal(sw_strands_start(strands, NULL), SW_OK);
    assert_false(sw_strands_join(strands)); /* It is there until the process ends. */
    assert_string_equal(trace, "ax");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_loop_that_returns_is_the_end, set_up),
        cmocka_unit_test_setup(strands_go_on_in_any_order, set_up),
        cmocka_unit_test_setup(there_is_a_limit, set_up),
        cmocka_unit_test_setup(who_was_adopted_takes_the_loop_back, set_up),
        cmocka_unit_test_setup(who_is_set_aside_at_the_end_stays_there, set_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
