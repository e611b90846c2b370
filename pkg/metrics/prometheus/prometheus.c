#include "pkg/metrics/prometheus/prometheus.h"

#include "pkg/utils/base/text.h"

#include <string.h>

/* value / divisor, exactly: a divisor is a power of ten, so this is only a decimal point. */
static void put_number(struct sw_buffer *out, uint64_t value, uint64_t divisor)
{
    uint64_t fraction = value % divisor;

    sw_buffer_print(out, "%llu", (unsigned long long)(value / divisor));
    if (fraction == 0)
        return;
    sw_buffer_put_u8(out, '.');
    for (uint64_t digit = divisor / 10; fraction > 0; digit /= 10) {
        sw_buffer_put_u8(out, (uint8_t)('0' + fraction / digit));
        fraction %= digit;
    }
}

static void put_gauge(struct sw_buffer *out, int64_t value, uint64_t divisor)
{
    if (value < 0)
        sw_buffer_put_u8(out, '-');
    put_number(out, value < 0 ? 0 - (uint64_t)value : (uint64_t)value, divisor);
}

/* The format escapes backslash and line feed everywhere, and quotes in label values. */
static void put_escaped(struct sw_buffer *out, const char *text, bool is_quoted)
{
    if (!sw_text_is_utf8(text, strlen(text)))
        text = "invalid";
    for (; *text != '\0'; text++) {
        if (*text == '\n') {
            sw_buffer_put_text(out, "\\n");
            continue;
        }
        if (*text == '\\' || (*text == '"' && is_quoted))
            sw_buffer_put_u8(out, '\\');
        sw_buffer_put_u8(out, (uint8_t)*text);
    }
}

struct bound { /* The value of the label "le" of one bucket. */
    bool is_present, is_infinite;
    uint64_t value;
};

static void put_labels(struct sw_buffer *out, const struct sw_series_view *view, struct bound bound)
{
    const char *separator = "{";

    for (size_t i = 0; i < view->label_count; i++) {
        sw_buffer_print(out, "%s%s=\"", separator, view->label_names[i]);
        put_escaped(out, view->label_values[i], true);
        sw_buffer_put_u8(out, '"');
        separator = ",";
    }
    if (bound.is_present) {
        sw_buffer_print(out, "%sle=\"", separator);
        if (bound.is_infinite)
            sw_buffer_put_text(out, "+Inf");
        else
            put_number(out, bound.value, view->divisor);
        sw_buffer_put_u8(out, '"');
        separator = ",";
    }
    if (separator[0] == ',')
        sw_buffer_put_u8(out, '}');
    sw_buffer_put_u8(out, ' ');
}

static void put_histogram(struct sw_buffer *out, const struct sw_series_view *view)
{
    uint64_t below = 0;

    for (size_t i = 0; i <= view->bounds_count; i++) {
        struct bound bound = {.is_present = true, .is_infinite = i == view->bounds_count};

        if (!bound.is_infinite)
            bound.value = view->bounds[i];
        below += view->counts[i]; /* A bucket holds all that is not above its bound. */
        sw_buffer_print(out, "%s_bucket", view->name);
        put_labels(out, view, bound);
        sw_buffer_print(out, "%llu\n", (unsigned long long)below);
    }
    sw_buffer_print(out, "%s_sum", view->name);
    put_labels(out, view, (struct bound){0});
    put_number(out, view->sum, view->divisor);
    sw_buffer_print(out, "\n%s_count", view->name);
    put_labels(out, view, (struct bound){0});
    sw_buffer_print(out, "%llu\n", (unsigned long long)view->total);
}

static void put_series(void *ctx, const struct sw_series_view *view)
{
    static const char *const types[] = {"counter", "gauge", "histogram"};
    struct sw_buffer *out = ctx;

    if (view->is_first) {
        sw_buffer_print(out, "# HELP %s ", view->name);
        put_escaped(out, view->help, false);
        sw_buffer_print(out, "\n# TYPE %s %s\n", view->name, types[view->type]);
    }
    if (view->type == SW_METRIC_HISTOGRAM) {
        put_histogram(out, view);
        return;
    }
    sw_buffer_put_text(out, view->name);
    put_labels(out, view, (struct bound){0});
    if (view->type == SW_METRIC_GAUGE)
        put_gauge(out, view->value, view->divisor);
    else
        put_number(out, view->total, view->divisor);
    sw_buffer_put_u8(out, '\n');
}

void sw_prometheus_print(struct sw_collector *collector, struct sw_buffer *out)
{
    sw_collector_read(collector, put_series, out);
}
