/* The text that Prometheus reads, to the byte. */
#include "pkg/metrics/prometheus/prometheus.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct sw_series *series_of(struct sw_collector *collector,
                                   const struct sw_metric_options *options,
                                   const char *const *values)
{
    struct sw_metric *metric = NULL;
    struct sw_err err = {0};

    assert_int_equal(sw_metric_new(collector, options, &metric, &err), SW_OK);
    return sw_metric_series(metric, values);
}

static void assert_printed(struct sw_collector *collector, const char *expected)
{
    struct sw_buffer text;

    sw_buffer_init(&text, 65536);
    sw_prometheus_print(collector, &text);
    sw_buffer_put_u8(&text, '\0');
    assert_int_equal(sw_buffer_check(&text), SW_OK);
    assert_string_equal((const char *)text.data, expected);
    sw_buffer_done(&text);
}

static void test_nothing_prints_nothing(void **state)
{
    SW_CLEANUP(sw_collector_freep) struct sw_collector *collector = sw_collector_new();

    (void)state;
    assert_printed(collector, "");
}

static void test_counters_and_gauges(void **state)
{
    SW_CLEANUP(sw_collector_freep) struct sw_collector *collector = sw_collector_new();
    const struct sw_metric_options counter = {.name = "swarm_turns_total", .help = "Turns."};
    const struct sw_metric_options gauge = {
        .name = "swarm_lag_seconds", .help = "Lag.", .type = SW_METRIC_GAUGE, .divisor = 1000};

    (void)state;
    sw_series_add(series_of(collector, &counter, NULL), UINT64_MAX);
    sw_series_set(series_of(collector, &gauge, NULL), -1050);
    assert_printed(collector, "# HELP swarm_turns_total Turns.\n"
                              "# TYPE swarm_turns_total counter\n"
                              "swarm_turns_total 18446744073709551615\n"
                              "# HELP swarm_lag_seconds Lag.\n"
                              "# TYPE swarm_lag_seconds gauge\n"
                              "swarm_lag_seconds -1.05\n");
}

static void test_smallest_gauge(void **state)
{
    SW_CLEANUP(sw_collector_freep) struct sw_collector *collector = sw_collector_new();
    const struct sw_metric_options gauge = {
        .name = "swarm_g", .help = "G.", .type = SW_METRIC_GAUGE};

    (void)state;
    sw_series_set(series_of(collector, &gauge, NULL), INT64_MIN);
    assert_printed(collector, "# HELP swarm_g G.\n# TYPE swarm_g gauge\n"
                              "swarm_g -9223372036854775808\n");
}

static void test_histograms_are_cumulative_and_in_seconds(void **state)
{
    static const uint64_t bounds[] = {1000000, 50000000, 2000000000};
    static const char *const labels[] = {"agent", NULL};
    SW_CLEANUP(sw_collector_freep) struct sw_collector *collector = sw_collector_new();
    const struct sw_metric_options options = {.name = "swarm_turn_seconds",
                                              .help = "How long a turn takes.",
                                              .type = SW_METRIC_HISTOGRAM,
                                              .labels = labels,
                                              .divisor = 1000000000,
                                              .bounds = bounds,
                                              .bounds_count = 3};
    struct sw_series *series = series_of(collector, &options, (const char *const[]){"a"});

    (void)state;
    sw_series_observe(series, 5);
    sw_series_observe(series, 3000000);
    sw_series_observe(series, 3000000000);
    assert_printed(collector, "# HELP swarm_turn_seconds How long a turn takes.\n"
                              "# TYPE swarm_turn_seconds histogram\n"
                              "swarm_turn_seconds_bucket{agent=\"a\",le=\"0.001\"} 1\n"
                              "swarm_turn_seconds_bucket{agent=\"a\",le=\"0.05\"} 2\n"
                              "swarm_turn_seconds_bucket{agent=\"a\",le=\"2\"} 2\n"
                              "swarm_turn_seconds_bucket{agent=\"a\",le=\"+Inf\"} 3\n"
                              "swarm_turn_seconds_sum{agent=\"a\"} 3.003000005\n"
                              "swarm_turn_seconds_count{agent=\"a\"} 3\n");
}

static void test_hostile_texts_are_escaped(void **state)
{
    static const char *const labels[] = {"path", "name", NULL};
    SW_CLEANUP(sw_collector_freep) struct sw_collector *collector = sw_collector_new();
    const struct sw_metric_options options = {
        .name = "swarm_x_total", .help = "One \\ \"two\"\nthree.", .labels = labels};

    (void)state;
    sw_series_add(series_of(collector, &options, (const char *const[]){"a\"} 1\nb\\", "\xff\xfe"}),
                  1);
    assert_printed(collector, "# HELP swarm_x_total One \\\\ \"two\"\\nthree.\n"
                              "# TYPE swarm_x_total counter\n"
                              "swarm_x_total{path=\"a\\\"} 1\\nb\\\\\",name=\"invalid\"} 1\n");
}

static void test_a_full_buffer_is_marked(void **state)
{
    SW_CLEANUP(sw_collector_freep) struct sw_collector *collector = sw_collector_new();
    const struct sw_metric_options counter = {.name = "swarm_turns_total", .help = "Turns."};
    struct sw_buffer text;

    (void)state;
    sw_series_add(series_of(collector, &counter, NULL), 1);
    sw_buffer_init(&text, 10);
    sw_prometheus_print(collector, &text);
    assert_int_equal(sw_buffer_check(&text), SW_E_EXHAUSTED);
    sw_buffer_done(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_prints_nothing),
        cmocka_unit_test(test_counters_and_gauges),
        cmocka_unit_test(test_smallest_gauge),
        cmocka_unit_test(test_histograms_are_cumulative_and_in_seconds),
        cmocka_unit_test(test_hostile_texts_are_escaped),
        cmocka_unit_test(test_a_full_buffer_is_marked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
