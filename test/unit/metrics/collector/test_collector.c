/* Registering, counting and reading of figures. */
/* labels: threaded */
#include "pkg/metrics/collector/collector.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static int begin(void **state)
{
    *state = sw_collector_new();
    return *state == NULL;
}

static int end(void **state)
{
    sw_collector_free(*state);
    return 0;
}

static struct sw_metric *new_metric(struct sw_collector *collector,
                                    const struct sw_metric_options *options)
{
    struct sw_metric *metric = NULL;
    struct sw_err err = {0};

    assert_int_equal(sw_metric_new(collector, options, &metric, &err), SW_OK);
    return metric;
}

struct seen { /* What a reading showed last. */
    size_t count;
    struct sw_series_view view;
    char label[SW_METRIC_LABEL_VALUE_MAX + 64];
    uint64_t counts[4];
};

static void see(void *ctx, const struct sw_series_view *view)
{
    struct seen *seen = ctx;

    seen->count++;
    seen->view = *view;
    if (view->label_count > 0)
        (void)snprintf(seen->label, sizeof seen->label, "%s=%s", view->label_names[0],
                       view->label_values[0]);
    for (size_t i = 0; view->bounds_count > 0 && i <= view->bounds_count && i < 4; i++)
        seen->counts[i] = view->counts[i];
}

static struct seen read_all(struct sw_collector *collector)
{
    struct seen seen = {0};

    sw_collector_read(collector, see, &seen);
    return seen;
}

static void test_counters_count(void **state)
{
    struct sw_metric *metric = new_metric(
        *state, &(struct sw_metric_options){.name = "swarm_things_total", .help = "Things."});
    struct sw_series *series = sw_metric_series(metric, NULL);
    struct seen seen;

    sw_series_add(series, 2);
    sw_series_add(series, 3);
    seen = read_all(*state);
    assert_int_equal(seen.count, 1);
    assert_true(seen.view.total == 5);
    assert_string_equal(seen.view.name, "swarm_things_total");
    assert_true(seen.view.is_first);
    sw_series_raise(series, 4); /* It never goes back. */
    assert_true(read_all(*state).view.total == 5);
    sw_series_raise(series, 9);
    assert_true(read_all(*state).view.total == 9);
}

static void test_gauges_go_both_ways(void **state)
{
    struct sw_metric *metric =
        new_metric(*state, &(struct sw_metric_options){
                               .name = "swarm_depth", .help = "Depth.", .type = SW_METRIC_GAUGE});
    struct sw_series *series = sw_metric_series(metric, NULL);

    sw_series_set(series, 10);
    sw_series_move(series, -25);
    assert_true(read_all(*state).view.value == -15);
}

static void test_histograms_put_values_below_their_bounds(void **state)
{
    static const uint64_t bounds[] = {10, 100};
    struct sw_metric *metric =
        new_metric(*state, &(struct sw_metric_options){.name = "swarm_size_bytes",
                                                       .help = "Size.",
                                                       .type = SW_METRIC_HISTOGRAM,
                                                       .bounds = bounds,
                                                       .bounds_count = 2});
    struct sw_series *series = sw_metric_series(metric, NULL);
    struct seen seen;

    sw_series_observe(series, 0);
    sw_series_observe(series, 10); /* A bound belongs to what is below it. */
    sw_series_observe(series, 11);
    sw_series_observe(series, 101);
    seen = read_all(*state);
    assert_true(seen.counts[0] == 2 && seen.counts[1] == 1 && seen.counts[2] == 1);
    assert_true(seen.view.total == 4 && seen.view.sum == 122);
}

static void test_label_values_find_their_series(void **state)
{
    static const char *const labels[] = {"code", "method", NULL};
    struct sw_metric *metric = new_metric(
        *state, &(struct sw_metric_options){
                    .name = "swarm_requests_total", .help = "Requests.", .labels = labels});
    struct sw_series *ok = sw_metric_series(metric, (const char *const[]){"200", "GET"});

    assert_ptr_equal(ok, sw_metric_series(metric, (const char *const[]){"200", "GET"}));
    assert_ptr_not_equal(ok, sw_metric_series(metric, (const char *const[]){"200", "PUT"}));
    assert_ptr_not_equal(ok, sw_metric_series(metric, (const char *const[]){"404", "GET"}));
    assert_int_equal(read_all(*state).count, 3);
}

static void test_a_cleared_metric_has_no_series(void **state)
{
    static const char *const labels[] = {"host", NULL};
    struct sw_metric *metric = new_metric(
        *state,
        &(struct sw_metric_options){
            .name = "swarm_up", .help = "Hosts.", .labels = labels, .type = SW_METRIC_GAUGE});

    sw_series_set(sw_metric_series(metric, (const char *const[]){"a"}), 1);
    sw_series_set(sw_metric_series(metric, (const char *const[]){"b"}), 1);
    sw_metric_clear(metric);
    assert_int_equal(read_all(*state).count, 0);
    sw_series_set(sw_metric_series(metric, (const char *const[]){"b"}), 2);
    assert_int_equal(read_all(*state).count, 1);
    assert_int_equal(read_all(*state).view.value, 2);
}

static void test_series_beyond_the_limit_are_counted_together(void **state)
{
    static const char *const labels[] = {"name", NULL};
    struct sw_metric *metric = new_metric(
        *state,
        &(struct sw_metric_options){
            .name = "swarm_turns_total", .help = "Turns.", .labels = labels, .series_max = 2});
    char name[16];
    struct seen seen;

    for (int i = 0; i < 100; i++) {
        (void)snprintf(name, sizeof name, "agent-%d", i);
        sw_series_add(sw_metric_series(metric, (const char *const[]){name}), 1);
    }
    seen = read_all(*state);
    assert_int_equal(seen.count, 3);
    assert_string_equal(seen.label, "name=other");
    assert_true(seen.view.total == 98);
    /* Whoever is really called so is counted there too: no series is shown twice. */
    sw_series_add(sw_metric_series(metric, (const char *const[]){"other"}), 1);
    seen = read_all(*state);
    assert_true(seen.count == 3 && seen.view.total == 99);
}

static void test_long_label_values_are_cut_between_characters(void **state)
{
    static const char *const labels[] = {"name", NULL};
    struct sw_metric *metric = new_metric(
        *state,
        &(struct sw_metric_options){.name = "swarm_long_total", .help = "Long.", .labels = labels});
    char value[SW_METRIC_LABEL_VALUE_MAX + 8];
    struct sw_series *series;
    struct seen seen;

    (void)memset(value, 'a', sizeof value);
    (void)memcpy(value + SW_METRIC_LABEL_VALUE_MAX - 1, "\xc3\xa9zzz", 6);
    series = sw_metric_series(metric, (const char *const[]){value});
    /* The same long value finds the same series, though less of it is kept. */
    assert_ptr_equal(series, sw_metric_series(metric, (const char *const[]){value}));
    seen = read_all(*state);
    assert_int_equal(seen.count, 1);
    assert_int_equal(strlen(seen.label), strlen("name=") + SW_METRIC_LABEL_VALUE_MAX - 1);
}

static void test_what_cannot_be_registered(void **state)
{
    static const char *const five[] = {"a", "b", "c", "d", "e", NULL};
    static const char *const le[] = {"le", NULL};
    static const uint64_t falling[] = {2, 1};
    static const uint64_t rising[] = {1, 2};
    const struct sw_metric_options rows[] = {
        {.name = "", .help = "x"},
        {.name = "9_total", .help = "x"},
        {.name = "Swarm_total", .help = "x"},
        {.name = "swarm_things", .help = "x"},
        {.name = "swarm_things_total", .help = "x", .type = SW_METRIC_GAUGE},
        {.name = "swarm_x_total", .help = "x", .labels = five},
        {.name = "swarm_x_total", .help = "x", .labels = le},
        {.name = "swarm_x_total", .help = "x", .divisor = 7},
        {.name = "swarm_x_total", .help = "x", .divisor = UINT64_C(10000000000)},
        {.name = "swarm_x_total", .help = "x", .bounds = rising, .bounds_count = 2},
        {.name = "swarm_x", .help = "x", .type = SW_METRIC_HISTOGRAM},
        {.name = "swarm_x",
         .help = "x",
         .type = SW_METRIC_HISTOGRAM,
         .bounds = falling,
         .bounds_count = 2},
        {.name = "swarm_x",
         .help = "x",
         .type = SW_METRIC_HISTOGRAM,
         .bounds = rising,
         .bounds_count = SW_METRIC_BOUNDS_MAX + 1},
    };
    struct sw_metric *metric = NULL;
    struct sw_err err = {0};

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_int_equal(sw_metric_new(*state, &rows[i], &metric, &err), SW_E_INVALID);
    assert_null(metric);
    assert_int_equal(read_all(*state).count, 0);
}

static void test_a_name_is_taken_once(void **state)
{
    const struct sw_metric_options options = {.name = "swarm_x_total", .help = "X."};
    struct sw_metric *metric = new_metric(*state, &options);
    struct sw_err err = {0};

    assert_int_equal(sw_metric_new(*state, &options, &metric, &err), SW_E_EXISTS);
}

static void test_number_of_metrics_is_bounded(void **state)
{
    struct sw_metric *metric;
    struct sw_err err = {0};
    char name[32];

    for (int i = 0; i < SW_METRICS_MAX; i++) {
        (void)snprintf(name, sizeof name, "swarm_%d_total", i);
        (void)new_metric(*state, &(struct sw_metric_options){.name = name, .help = "X."});
    }
    assert_int_equal(sw_metric_new(*state,
                                   &(struct sw_metric_options){.name = "swarm_x_total", .help = ""},
                                   &metric, &err),
                     SW_E_EXHAUSTED);
}

static void set_to_seven(void *ctx)
{
    sw_series_set(ctx, 7);
}

static void test_views_are_collected_before_a_reading(void **state)
{
    struct sw_metric *metric =
        new_metric(*state, &(struct sw_metric_options){
                               .name = "swarm_view", .help = "View.", .type = SW_METRIC_GAUGE});

    assert_int_equal(sw_collector_before_read(*state, set_to_seven, sw_metric_series(metric, NULL)),
                     SW_OK);
    assert_true(read_all(*state).view.value == 7);
}

#define THREADS 4
#define ROUNDS 20000

static void *count_up(void *series)
{
    for (int i = 0; i < ROUNDS; i++) {
        sw_series_observe(series, 1);
    }
    return NULL;
}

static void test_threads_lose_no_count(void **state)
{
    static const uint64_t bounds[] = {1};
    struct sw_metric *metric =
        new_metric(*state, &(struct sw_metric_options){.name = "swarm_threads",
                                                       .help = "Threads.",
                                                       .type = SW_METRIC_HISTOGRAM,
                                                       .bounds = bounds,
                                                       .bounds_count = 1});
    struct sw_series *series = sw_metric_series(metric, NULL);
    pthread_t threads[THREADS];
    struct seen seen;

    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, count_up, series), 0);
    for (int i = 0; i < 100; i++) { /* Readings meanwhile agree with themselves. */
        seen = read_all(*state);
        assert_true(seen.view.total == seen.counts[0] + seen.counts[1]);
    }
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_true(read_all(*state).view.total == THREADS * ROUNDS);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(test_counters_count),
        TEST(test_gauges_go_both_ways),
        TEST(test_histograms_put_values_below_their_bounds),
        TEST(test_label_values_find_their_series),
        TEST(test_a_cleared_metric_has_no_series),
        TEST(test_series_beyond_the_limit_are_counted_together),
        TEST(test_long_label_values_are_cut_between_characters),
        TEST(test_what_cannot_be_registered),
        TEST(test_a_name_is_taken_once),
        TEST(test_number_of_metrics_is_bounded),
        TEST(test_views_are_collected_before_a_reading),
        TEST(test_threads_lose_no_count),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
