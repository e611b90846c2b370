/* labels: threaded */
#include "pkg/utils/loop/loop.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct fixture {
    struct sw_loop *loop;
    struct sw_timer *timer;
    char trace[256];
    int count;
    pthread_t loop_thread;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    assert_int_equal(sw_loop_new(&f->loop, NULL), SW_OK);
    f->loop_thread = pthread_self();
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    sw_loop_free(f->loop);
    free(f);
    return 0;
}

static void trace(struct fixture *f, const char *word)
{
    (void)strcat(f->trace, word);
}

static void stop(void *ctx)
{
    struct fixture *f = ctx;

    trace(f, "stop;");
    sw_loop_stop(f->loop);
}

static void on_first(void *ctx)
{
    trace(ctx, "first;");
}

static void on_second(void *ctx)
{
    trace(ctx, "second;");
}

static void timers_fire_in_the_order_of_their_delays(void **state)
{
    struct fixture *f = *state;
    struct sw_timer *late = sw_timer_new(f->loop, stop, f);
    struct sw_timer *early = sw_timer_new(f->loop, on_first, f);

    sw_timer_start(late, 10);
    sw_timer_start(early, 1);
    sw_loop_run(f->loop);
    assert_string_equal(f->trace, "first;stop;");
    sw_timer_free(late);
    sw_timer_free(early);
}

static void a_stopped_timer_does_not_fire(void **state)
{
    struct fixture *f = *state;
    struct sw_timer *end = sw_timer_new(f->loop, stop, f);
    struct sw_timer *never = sw_timer_new(f->loop, on_first, f);

    sw_timer_start(never, 1);
    sw_timer_stop(never);
    sw_timer_start(end, 5);
    sw_loop_run(f->loop);
    assert_string_equal(f->trace, "stop;");
    sw_timer_free(end);
    sw_timer_free(never);
}

static void free_itself_and_stop(void *ctx)
{
    struct fixture *f = ctx;

    sw_timer_free(f->timer);
    stop(f);
}

static void a_timer_may_free_itself_while_it_fires(void **state)
{
    struct fixture *f = *state;

    f->timer = sw_timer_new(f->loop, free_itself_and_stop, f);
    sw_timer_start(f->timer, 0);
    sw_loop_run(f->loop);
    assert_string_equal(f->trace, "stop;");
}

static void timers_left_over_end_with_the_loop(void **state)
{
    struct fixture *f = *state;

    sw_timer_start(sw_timer_new(f->loop, stop, f), 1000000);
    /* tear_down must return at once and leak nothing. */
}

static void posts_run_in_order_and_not_at_once(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(sw_loop_post(f->loop, on_first, f), SW_OK);
    assert_int_equal(sw_loop_post(f->loop, on_second, f), SW_OK);
    assert_int_equal(sw_loop_post(f->loop, stop, f), SW_OK);
    assert_string_equal(f->trace, "");
    sw_loop_run(f->loop);
    assert_string_equal(f->trace, "first;second;stop;");
}

static void post_stop(void *ctx)
{
    struct fixture *f = ctx;

    trace(f, "outer;");
    assert_int_equal(sw_loop_post(f->loop, stop, f), SW_OK);
    trace(f, "posted;");
}

static void a_post_from_a_post_runs_after_it(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(sw_loop_post(f->loop, post_stop, f), SW_OK);
    sw_loop_run(f->loop);
    assert_string_equal(f->trace, "outer;posted;stop;");
}

static void defer_two(void *ctx)
{
    struct fixture *f = ctx;

    assert_int_equal(sw_loop_post(f->loop, stop, f), SW_OK);
    assert_int_equal(sw_loop_defer(f->loop, on_first, f), SW_OK);
    assert_int_equal(sw_loop_defer(f->loop, on_second, f), SW_OK);
    trace(f, "deferred;");
}

static void deferred_calls_run_in_the_same_round(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(sw_loop_post(f->loop, defer_two, f), SW_OK);
    sw_loop_run(f->loop);
    assert_string_equal(f->trace, "deferred;first;second;stop;");
}

static void defer_again(void *ctx)
{
    struct fixture *f = ctx;

    if (++f->count == 1000)
        sw_loop_stop(f->loop);
    else
        assert_int_equal(sw_loop_defer(f->loop, defer_again, f), SW_OK);
}

static void deferred_calls_run_when_the_loop_is_freed(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(sw_loop_defer(f->loop, on_first, f), SW_OK);
    assert_int_equal(sw_loop_post(f->loop, on_second, f), SW_OK);
    sw_loop_free(f->loop);
    assert_string_equal(f->trace, "first;");
    assert_int_equal(sw_loop_new(&f->loop, NULL), SW_OK);
}

static void endless_deferring_goes_on_without_blocking(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(sw_loop_defer(f->loop, defer_again, f), SW_OK);
    sw_loop_run(f->loop);
    assert_int_equal(f->count, 1000);
}

#define THREADS 4
#define POSTS 10000

static void count_post(void *ctx)
{
    struct fixture *f = ctx;

    assert_true(pthread_equal(pthread_self(), f->loop_thread));
    if (++f->count == THREADS * POSTS)
        sw_loop_stop(f->loop);
}

static void *post_many(void *ctx)
{
    struct fixture *f = ctx;

    for (int i = 0; i < POSTS; i++)
        while (sw_loop_post(f->loop, count_post, f) != SW_OK)
            ;
    return NULL;
}

static void posts_of_many_threads_all_run_on_the_loop(void **state)
{
    struct fixture *f = *state;
    pthread_t threads[THREADS];

    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, post_many, f), 0);
    sw_loop_run(f->loop);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(f->count, THREADS * POSTS);
}

static void posts_beyond_the_limit_are_refused(void **state)
{
    struct fixture *f = *state;

    for (unsigned i = 0; i < SW_LOOP_CALLS_MAX; i++)
        assert_int_equal(sw_loop_post(f->loop, on_first, f), SW_OK);
    assert_int_equal(sw_loop_post(f->loop, on_first, f), SW_E_EXHAUSTED);
}

static void do_work(void *ctx)
{
    struct fixture *f = ctx;

    assert_false(pthread_equal(pthread_self(), f->loop_thread));
    f->count++;
}

static void work_runs_elsewhere_and_ends_on_the_loop(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(sw_loop_work(f->loop, do_work, stop, f), SW_OK);
    sw_loop_run(f->loop);
    assert_int_equal(f->count, 1);
    assert_string_equal(f->trace, "stop;");
}

static void on_hangup(void *ctx, int number)
{
    struct fixture *f = ctx;

    f->count = number;
    sw_loop_stop(f->loop);
}

static void raise_hangup(void *ctx)
{
    (void)ctx;
    (void)raise(SIGHUP);
}

static void a_signal_is_a_callback(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(sw_loop_on_signal(f->loop, SIGHUP, on_hangup, f, NULL), SW_OK);
    assert_int_equal(sw_loop_post(f->loop, raise_hangup, f), SW_OK);
    sw_loop_run(f->loop);
    assert_int_equal(f->count, SIGHUP);
}

static void a_signal_that_cannot_be_caught_is_refused(void **state)
{
    struct fixture *f = *state;
    struct sw_err err = {0};

    assert_int_equal(sw_loop_on_signal(f->loop, SIGKILL, on_hangup, f, &err), SW_E_INVALID);
    assert_true(err.message[0] != '\0');
}

static void the_clock_of_rounds_goes_forward(void **state)
{
    struct fixture *f = *state;
    uint64_t before = sw_loop_now_ms(f->loop);
    struct sw_timer *timer = sw_timer_new(f->loop, stop, f);

    sw_timer_start(timer, 3);
    sw_loop_run(f->loop);
    assert_true(sw_loop_now_ms(f->loop) >= before + 3);
    sw_timer_free(timer);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(timers_fire_in_the_order_of_their_delays),
        TEST(a_stopped_timer_does_not_fire),
        TEST(a_timer_may_free_itself_while_it_fires),
        TEST(timers_left_over_end_with_the_loop),
        TEST(posts_run_in_order_and_not_at_once),
        TEST(a_post_from_a_post_runs_after_it),
        TEST(deferred_calls_run_in_the_same_round),
        TEST(deferred_calls_run_when_the_loop_is_freed),
        TEST(endless_deferring_goes_on_without_blocking),
        TEST(posts_of_many_threads_all_run_on_the_loop),
        TEST(posts_beyond_the_limit_are_refused),
        TEST(work_runs_elsewhere_and_ends_on_the_loop),
        TEST(a_signal_is_a_callback),
        TEST(a_signal_that_cannot_be_caught_is_refused),
        TEST(the_clock_of_rounds_goes_forward),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
