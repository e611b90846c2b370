#include "pkg/metrics/collector/collector.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_MAX_ 128
#define SERIES_DEFAULT 64
#define DIVISOR_MAX UINT64_C(1000000000)

struct sw_series {
    const struct sw_metric *metric;
    char *values[SW_METRIC_LABELS_MAX];
    _Atomic uint64_t total; /* A gauge's value too, as two's complement. */
    _Atomic uint64_t sum;
    _Atomic uint64_t counts[]; /* bounds_count + 1 of a histogram, otherwise none. */
};

struct sw_metric {
    char *name, *help;
    enum sw_metric_type type;
    char *labels[SW_METRIC_LABELS_MAX];
    size_t label_count;
    uint64_t divisor;
    uint64_t bounds[SW_METRIC_BOUNDS_MAX];
    size_t bounds_count;
    struct sw_series **series; /* series_max and the one for what is beyond, made at the start. */
    struct sw_series *other;
    size_t series_count, series_max;
};

struct collect {
    void (*call)(void *ctx);
    void *ctx;
};

struct sw_collector {
    struct sw_metric *metrics[SW_METRICS_MAX];
    struct collect collects[SW_METRICS_MAX];
    size_t metrics_count, collects_count;
};

struct sw_collector *sw_collector_new(void)
{
    return calloc(1, sizeof(struct sw_collector));
}

static void series_free(struct sw_series *series)
{
    if (series == NULL)
        return;
    for (size_t i = 0; i < SW_METRIC_LABELS_MAX; i++)
        free(series->values[i]);
    free(series);
}

static void metric_free(struct sw_metric *metric)
{
    if (metric == NULL)
        return;
    for (size_t i = 0; i < metric->series_count; i++)
        series_free(metric->series[i]);
    series_free(metric->other);
    for (size_t i = 0; i < SW_METRIC_LABELS_MAX; i++)
        free(metric->labels[i]);
    free(metric->series);
    free(metric->name);
    free(metric->help);
    free(metric);
}
SW_DEFINE_CLEANUP(struct sw_metric, metric_free)

void sw_collector_free(struct sw_collector *collector)
{
    if (collector == NULL)
        return;
    for (size_t i = 0; i < collector->metrics_count; i++)
        metric_free(collector->metrics[i]);
    free(collector);
}

/* --- Registering -------------------------------------------------------------------------------
 */

static bool is_name(const char *name)
{
    size_t size = strnlen(name, NAME_MAX_ + 1);

    return size > 0 && size <= NAME_MAX_ && strchr("0123456789", name[0]) == NULL &&
           strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == size;
}

static bool is_ending(const char *text, const char *end)
{
    size_t size = strlen(text), end_size = strlen(end);

    return size > end_size && strcmp(text + size - end_size, end) == 0;
}

static bool is_power_of_ten(uint64_t number)
{
    while (number > 1 && number % 10 == 0)
        number /= 10;
    return number == 1;
}

static bool are_bounds(const struct sw_metric_options *options)
{
    if ((options->type == SW_METRIC_HISTOGRAM) != (options->bounds_count > 0) ||
        options->bounds_count > SW_METRIC_BOUNDS_MAX)
        return false;
    for (size_t i = 1; i < options->bounds_count; i++)
        if (options->bounds[i - 1] >= options->bounds[i])
            return false;
    return true;
}

static enum sw_rc check(const struct sw_collector *collector,
                        const struct sw_metric_options *options, struct sw_err *err)
{
    const char *name = options->name;

    if (!is_name(name))
        return sw_err_set(err, SW_E_INVALID, "\"%.64s\" cannot be the name of a metric", name);
    if (is_ending(name, "_total") != (options->type == SW_METRIC_COUNTER))
        return sw_err_set(err, SW_E_INVALID, "%s: counters, and only they, end in _total", name);
    if (options->divisor > DIVISOR_MAX ||
        (options->divisor > 0 && !is_power_of_ten(options->divisor)))
        return sw_err_set(err, SW_E_INVALID, "%s: the divisor must be a power of ten", name);
    if (!are_bounds(options))
        return sw_err_set(err, SW_E_INVALID, "%s: bounds must rise, of histograms only", name);
    for (size_t i = 0; options->labels != NULL && options->labels[i] != NULL; i++)
        if (i == SW_METRIC_LABELS_MAX || !is_name(options->labels[i]) ||
            strcmp(options->labels[i], "le") == 0)
            return sw_err_set(err, SW_E_INVALID, "%s: label %zu is one too many or misnamed", name,
                              i);
    for (size_t i = 0; i < collector->metrics_count; i++)
        if (strcmp(collector->metrics[i]->name, name) == 0)
            return sw_err_set(err, SW_E_EXISTS, "metric %s is registered already", name);
    if (collector->metrics_count == SW_METRICS_MAX)
        return sw_err_set(err, SW_E_EXHAUSTED, "more than %d metrics", SW_METRICS_MAX);
    return SW_OK;
}

/* How much of a value is kept: SW_METRIC_LABEL_VALUE_MAX bytes, never a part of a character. */
static size_t value_size(const char *value)
{
    size_t size = strnlen(value, SW_METRIC_LABEL_VALUE_MAX + 1);

    if (size <= SW_METRIC_LABEL_VALUE_MAX)
        return size;
    size = SW_METRIC_LABEL_VALUE_MAX;
    while (size > 0 && ((unsigned char)value[size] & 0xc0) == 0x80)
        size--;
    return size;
}

static struct sw_series *series_new(const struct sw_metric *metric, const char *const *values)
{
    size_t counts = metric->bounds_count > 0 ? metric->bounds_count + 1 : 0;
    struct sw_series *series = calloc(1, sizeof *series + counts * sizeof series->counts[0]);

    if (series == NULL)
        return NULL;
    series->metric = metric;
    for (size_t i = 0; i < metric->label_count; i++) {
        series->values[i] = strndup(values[i], value_size(values[i]));
        if (series->values[i] == NULL) {
            series_free(series);
            return NULL;
        }
    }
    return series;
}

static bool fill(struct sw_metric *metric, const struct sw_metric_options *options)
{
    static const char *const other[SW_METRIC_LABELS_MAX] = {"other", "other", "other", "other"};

    metric->type = options->type;
    metric->divisor = options->divisor > 0 ? options->divisor : 1;
    metric->bounds_count = options->bounds_count;
    for (size_t i = 0; i < options->bounds_count; i++)
        metric->bounds[i] = options->bounds[i];
    metric->name = strdup(options->name);
    metric->help = strdup(options->help);
    for (; options->labels != NULL && options->labels[metric->label_count] != NULL;
         metric->label_count++) {
        metric->labels[metric->label_count] = strdup(options->labels[metric->label_count]);
        if (metric->labels[metric->label_count] == NULL)
            return false;
    }
    metric->series_max = options->series_max > 0 ? options->series_max : SERIES_DEFAULT;
    if (metric->label_count == 0)
        metric->series_max = 0; /* The one series is `other`, which then has no labels. */
    metric->series = calloc(metric->series_max + 1, sizeof(struct sw_series *));
    metric->other = series_new(metric, other);
    return metric->name != NULL && metric->help != NULL && metric->series != NULL &&
           metric->other != NULL;
}

enum sw_rc sw_metric_new(struct sw_collector *collector, const struct sw_metric_options *options,
                         struct sw_metric **ret_metric, struct sw_err *err)
{
    SW_CLEANUP(metric_freep) struct sw_metric *metric = NULL;
    enum sw_rc rc = check(collector, options, err);

    if (rc != SW_OK)
        return rc;
    metric = calloc(1, sizeof *metric);
    if (metric == NULL || !fill(metric, options))
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for metric %s", options->name);
    *ret_metric = metric;
    collector->metrics[collector->metrics_count++] = SW_TAKE(metric);
    return SW_OK;
}

enum sw_rc sw_collector_before_read(struct sw_collector *collector, void (*collect)(void *ctx),
                                    void *ctx)
{
    if (collector->collects_count == SW_METRICS_MAX)
        return SW_E_EXHAUSTED;
    collector->collects[collector->collects_count++] = (struct collect){collect, ctx};
    return SW_OK;
}

/* --- Counting ----------------------------------------------------------------------------------
 */

static bool has_values(const struct sw_series *series, const char *const *values)
{
    for (size_t i = 0; i < series->metric->label_count; i++) {
        size_t size = value_size(values[i]);

        if (strlen(series->values[i]) != size || memcmp(series->values[i], values[i], size) != 0)
            return false;
    }
    return true;
}

struct sw_series *sw_metric_series(struct sw_metric *metric, const char *const *values)
{
    struct sw_series *series;

    assert(values != NULL || metric->label_count == 0);
    if (has_values(metric->other, values)) /* Also whoever is really called "other". */
        return metric->other;
    for (size_t i = 0; i < metric->series_count; i++)
        if (has_values(metric->series[i], values))
            return metric->series[i];
    if (metric->series_count >= metric->series_max)
        return metric->other;
    series = series_new(metric, values);
    if (series == NULL)
        return metric->other;
    metric->series[metric->series_count++] = series;
    return series;
}

void sw_metric_clear(struct sw_metric *metric)
{
    for (size_t i = 0; i < metric->series_count; i++) {
        series_free(metric->series[i]);
        metric->series[i] = NULL;
    }
    metric->series_count = 0;
}

void sw_series_add(struct sw_series *series, uint64_t amount)
{
    atomic_fetch_add_explicit(&series->total, amount, memory_order_relaxed);
}

void sw_series_set(struct sw_series *series, int64_t value)
{
    atomic_store_explicit(&series->total, (uint64_t)value, memory_order_relaxed);
}

void sw_series_move(struct sw_series *series, int64_t amount)
{
    atomic_fetch_add_explicit(&series->total, (uint64_t)amount, memory_order_relaxed);
}

void sw_series_raise(struct sw_series *series, uint64_t total)
{
    if (total > atomic_load_explicit(&series->total, memory_order_relaxed))
        atomic_store_explicit(&series->total, total, memory_order_relaxed);
}

void sw_series_observe(struct sw_series *series, uint64_t value)
{
    const struct sw_metric *metric = series->metric;
    size_t at = 0;

    assert(metric->type == SW_METRIC_HISTOGRAM);
    while (at < metric->bounds_count && value > metric->bounds[at])
        at++;
    atomic_fetch_add_explicit(&series->counts[at], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&series->sum, value, memory_order_relaxed);
}

/* --- Reading -----------------------------------------------------------------------------------
 */

static void view_series(const struct sw_series *series, bool is_first,
                        void (*visit)(void *ctx, const struct sw_series_view *view), void *ctx)
{
    const struct sw_metric *metric = series->metric;
    uint64_t total = atomic_load_explicit(&series->total, memory_order_relaxed);
    uint64_t counts[SW_METRIC_BOUNDS_MAX + 1];
    const char *names[SW_METRIC_LABELS_MAX], *values[SW_METRIC_LABELS_MAX];
    struct sw_series_view view = {
        .name = metric->name,
        .help = metric->help,
        .type = metric->type,
        .is_first = is_first,
        .divisor = metric->divisor,
        .label_names = names,
        .label_values = values,
        .label_count = metric->label_count,
        .value = (int64_t)total,
        .total = total,
        .sum = atomic_load_explicit(&series->sum, memory_order_relaxed),
        .bounds = metric->bounds,
        .counts = counts,
        .bounds_count = metric->bounds_count,
    };

    for (size_t i = 0; i < metric->label_count; i++) {
        names[i] = metric->labels[i];
        values[i] = series->values[i];
    }
    for (size_t i = 0; metric->bounds_count > 0 && i <= metric->bounds_count; i++) {
        counts[i] = atomic_load_explicit(&series->counts[i], memory_order_relaxed);
        view.total += counts[i]; /* The sum of the counts that are shown, whoever counts now. */
    }
    visit(ctx, &view);
}

static bool is_counted(const struct sw_series *series)
{
    return atomic_load_explicit(&series->total, memory_order_relaxed) != 0 ||
           atomic_load_explicit(&series->sum, memory_order_relaxed) != 0;
}

void sw_collector_read(struct sw_collector *collector,
                       void (*visit)(void *ctx, const struct sw_series_view *view), void *ctx)
{
    for (size_t i = 0; i < collector->collects_count; i++)
        collector->collects[i].call(collector->collects[i].ctx);
    for (size_t i = 0; i < collector->metrics_count; i++) {
        const struct sw_metric *metric = collector->metrics[i];

        for (size_t j = 0; j < metric->series_count; j++)
            view_series(metric->series[j], j == 0, visit, ctx);
        if (metric->series_count == metric->series_max || is_counted(metric->other))
            view_series(metric->other, metric->series_count == 0, visit, ctx);
    }
}
