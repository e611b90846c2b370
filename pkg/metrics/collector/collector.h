/* Figures about the running system: counters, gauges and histograms with a few labels.
 *
 *   collector --registers--> metric ("swarm_http_requests_total", labels: code)
 *   metric    --per values-> series (code="200"), the thing that is counted in
 *
 * Figures are 64-bit integers in a small unit (ns, bytes); a metric's divisor turns them into the
 * base unit (seconds) when they are shown, so that counting needs no floating point.
 * Threads: the collector, its metrics and finding series belong to one thread; counting in a series
 * that was found is lock-free from any thread.  I/O: none.
 * Limits: SW_METRICS_MAX metrics of SW_METRIC_LABELS_MAX labels; a metric has at most its
 * series_max series, and what comes beyond is counted in one more, whose labels all are "other". */
#pragma once
#include "pkg/utils/errors/errors.h"

#include <stdbool.h>
#include <stdint.h>

#define SW_METRICS_MAX 512
#define SW_METRIC_LABELS_MAX 4
#define SW_METRIC_BOUNDS_MAX 32
#define SW_METRIC_LABEL_VALUE_MAX 128 /* Longer values are cut, at the start of a character. */

struct sw_collector; /* Opaque. */
struct sw_metric;    /* Opaque; owned by its collector. */
struct sw_series;    /* Opaque; owned by its metric. */

enum sw_metric_type { SW_METRIC_COUNTER, SW_METRIC_GAUGE, SW_METRIC_HISTOGRAM };

struct sw_metric_options { /* Copied. */
    const char *name;      /* "swarm_turn_seconds"; a counter's ends in "_total". */
    const char *help;      /* One sentence. */
    enum sw_metric_type type;
    const char *const *labels; /* Names, NULL-terminated; NULL: none, and one series. */
    size_t series_max;         /* 0: 64. */
    uint64_t divisor;          /* A power of ten up to 10^9; 0: 1. */
    const uint64_t *bounds;    /* Of a histogram: rising upper bounds, before the division. */
    size_t bounds_count;
};

/* NULL when memory is out. */
struct sw_collector *sw_collector_new(void);
void sw_collector_free(struct sw_collector *collector);
SW_DEFINE_CLEANUP(struct sw_collector, sw_collector_free)

/* Register a metric; *ret_metric lives as long as the collector.
 * SW_E_INVALID: a name, label, divisor or bound is not as above.  SW_E_EXISTS: the name is taken.
 * SW_E_EXHAUSTED: too many metrics, or no memory. */
SW_MUST_CHECK enum sw_rc sw_metric_new(struct sw_collector *collector,
                                       const struct sw_metric_options *options,
                                       struct sw_metric **ret_metric, struct sw_err *err);
/* The series of these label values, one per label name, in their order; NULL for a metric without
 * labels. Made when it is not there. Never NULL. O(series). */
struct sw_series *sw_metric_series(struct sw_metric *metric, const char *const *values);

/* Forget all series of a metric with labels, whose things are gone: nobody may hold one of them. */
void sw_metric_clear(struct sw_metric *metric);

/* Count up; of counters and gauges. Any thread. */
void sw_series_add(struct sw_series *series, uint64_t amount);
/* Set a gauge, or move it by an amount that may be negative. Any thread. */
void sw_series_set(struct sw_series *series, int64_t value);
void sw_series_move(struct sw_series *series, int64_t amount);
/* Set a counter that its owner counts elsewhere; it never goes back. Any one thread. */
void sw_series_raise(struct sw_series *series, uint64_t total);
/* Put one measurement into a histogram. Any thread. O(bounds). */
void sw_series_observe(struct sw_series *series, uint64_t value);

/* Call collect(ctx) before the figures are read, for those that live elsewhere as a view.
 * SW_E_EXHAUSTED: more than SW_METRICS_MAX. */
SW_MUST_CHECK enum sw_rc sw_collector_before_read(struct sw_collector *collector,
                                                  void (*collect)(void *ctx), void *ctx);

struct sw_series_view {      /* One series as it is now; borrowed for the visit. */
    const char *name, *help; /* Of its metric. */
    enum sw_metric_type type;
    bool is_first; /* The first series of its metric. */
    uint64_t divisor;
    const char *const *label_names; /* label_count of each. */
    const char *const *label_values;
    size_t label_count;
    int64_t value;                   /* Of a gauge. */
    uint64_t total;                  /* Of a counter; of a histogram: how many measurements. */
    uint64_t sum;                    /* Of a histogram, before the division. */
    const uint64_t *bounds, *counts; /* counts[bounds_count] is for what is above all bounds. */
    size_t bounds_count;
};
/* Visit all series, metric by metric in the order of registration. */
void sw_collector_read(struct sw_collector *collector,
                       void (*visit)(void *ctx, const struct sw_series_view *view), void *ctx);
