#include "cmd/swarmd/broker.h"

#include <stddef.h>
#include <stdio.h>

/* Of each provider, with the label "provider". */
static const struct {
    const char *name, *help; /* Behind "swarm_model_". */
    enum sw_metric_type type;
    uint64_t divisor;
    size_t at;     /* In struct sw_model_provider_view, */
    bool is_short; /* where it is a uint32_t. */
} of_provider[] = {
    {"requests_total", "Requests to the provider, each try one.", SW_METRIC_COUNTER, 1,
     offsetof(struct sw_model_provider_view, requests), false},
    {"failures_total", "Of these, that failed.", SW_METRIC_COUNTER, 1,
     offsetof(struct sw_model_provider_view, failures), false},
    {"retries_total", "Requests that were made again after a failure.", SW_METRIC_COUNTER, 1,
     offsetof(struct sw_model_provider_view, retries), false},
    {"cached_total", "Calls that were answered by an answer that was kept.", SW_METRIC_COUNTER, 1,
     offsetof(struct sw_model_provider_view, cached), false},
    {"input_tokens_total", "Tokens of requests, as counted.", SW_METRIC_COUNTER, 1,
     offsetof(struct sw_model_provider_view, input_tokens), false},
    {"output_tokens_total", "Tokens of answers, as counted.", SW_METRIC_COUNTER, 1,
     offsetof(struct sw_model_provider_view, output_tokens), false},
    {"cost_dollars_total", "What they cost.", SW_METRIC_COUNTER, 1000000000,
     offsetof(struct sw_model_provider_view, cost_nano), false},
    {"latency_seconds", "Time to the first byte of an answer, smoothed.", SW_METRIC_GAUGE, 1000000,
     offsetof(struct sw_model_provider_view, latency_us), false},
    {"requests", "Requests that are under way.", SW_METRIC_GAUGE, 1,
     offsetof(struct sw_model_provider_view, in_flight), true},
    {"waiting", "Calls that wait for their turn.", SW_METRIC_GAUGE, 1,
     offsetof(struct sw_model_provider_view, waiting), true},
};
#define OF_PROVIDER (sizeof of_provider / sizeof of_provider[0])

/* Of the ledger. */
static const struct {
    const char *name, *help; /* Behind "swarm_ledger_". */
    size_t at;               /* In struct sw_ledger_figures. */
} of_ledger[] = {
    {"reserved_total", "Calls whose worst case was reserved.",
     offsetof(struct sw_ledger_figures, reserved)},
    {"settled_total", "Calls whose cost was settled.", offsetof(struct sw_ledger_figures, settled)},
    {"refused_total", "Calls that a budget had no room for.",
     offsetof(struct sw_ledger_figures, refused)},
    {"abandoned_total", "Calls of the process before, settled at their worst.",
     offsetof(struct sw_ledger_figures, abandoned)},
    {"waits_total", "Reservations that waited for the disk.",
     offsetof(struct sw_ledger_figures, waits)},
};
#define OF_LEDGER (sizeof of_ledger / sizeof of_ledger[0])

static void collect_provider(void *ctx, const struct sw_model_provider_view *view)
{
    struct broker *broker = ctx;
    const char *labels[] = {view->name};

    for (size_t i = 0; i < OF_PROVIDER; i++) {
        const char *at = (const char *)view + of_provider[i].at;
        uint64_t value = of_provider[i].is_short ? *(const uint32_t *)(const void *)at
                                                 : *(const uint64_t *)(const void *)at;
        struct sw_series *series = sw_metric_series(broker->of_providers[i], labels);

        if (of_provider[i].type == SW_METRIC_COUNTER)
            sw_series_raise(series, value);
        else
            sw_series_set(series, (int64_t)value);
    }
}

/* Of loops: each kind, and what was done about them. */
static void collect_loops(const struct broker *broker)
{
    struct sw_guard_figures figures;

    sw_guard_figures(broker->guard, &figures);
    for (unsigned kind = SW_LOOP_REPEAT; kind <= SW_LOOP_RETRY; kind++)
        sw_series_raise(broker->of_loops[kind - SW_LOOP_REPEAT], figures.found[kind]);
    sw_series_raise(broker->of_loops[BROKER_OF_LOOPS_MAX], figures.refused);
    sw_series_raise(broker->of_loops[BROKER_OF_LOOPS_MAX + 1], figures.throttled);
}

static enum sw_rc add_loops(struct broker *broker, struct sw_collector *collector,
                            struct sw_err *err)
{
    static const char *const labels[] = {"kind", NULL};
    static const struct sw_metric_options found = {
        .name = "swarm_loops_found_total",
        .help = "Loops of instances that were found, or went round twice as often.",
        .type = SW_METRIC_COUNTER,
        .labels = labels,
        .series_max = BROKER_OF_LOOPS_MAX};
    static const struct sw_metric_options done[] = {
        {.name = "swarm_loops_refused_total",
         .help = "Calls of instances that were refused since those are stopped.",
         .type = SW_METRIC_COUNTER},
        {.name = "swarm_loops_throttled_total",
         .help = "Calls of instances that waited since those go in circles.",
         .type = SW_METRIC_COUNTER}};
    struct sw_metric *metric;
    enum sw_rc rc = sw_metric_new(collector, &found, &metric, err);

    for (unsigned kind = SW_LOOP_REPEAT; rc == SW_OK && kind <= SW_LOOP_RETRY; kind++) {
        const char *values[] = {sw_loop_kind_name((enum sw_loop_kind)kind)};

        broker->of_loops[kind - SW_LOOP_REPEAT] = sw_metric_series(metric, values);
    }
    for (size_t i = 0; rc == SW_OK && i < 2; i++) {
        rc = sw_metric_new(collector, &done[i], &metric, err);
        if (rc == SW_OK)
            broker->of_loops[BROKER_OF_LOOPS_MAX + i] = sw_metric_series(metric, NULL);
    }
    return rc;
}

static void collect(void *ctx)
{
    struct broker *broker = ctx;
    struct sw_ledger_figures figures;

    for (size_t i = 0; i < OF_PROVIDER; i++)
        sw_metric_clear(broker->of_providers[i]); /* Some are gone. */
    sw_models_each(broker->models, collect_provider, broker);
    sw_ledger_figures(broker->ledger, &figures);
    for (size_t i = 0; i < OF_LEDGER; i++) {
        const void *at = (const char *)&figures + of_ledger[i].at;

        sw_series_raise(broker->of_ledger[i], *(const uint64_t *)at);
    }
    collect_loops(broker);
}

enum sw_rc broker_figures_add(struct broker *broker, struct sw_collector *collector,
                              struct sw_err *err)
{
    static const char *const labels[] = {"provider", NULL};
    struct sw_metric *metric;
    enum sw_rc rc = SW_OK;
    char name[64];

    _Static_assert(OF_PROVIDER <= BROKER_OF_PROVIDER_MAX, "each has its place");
    _Static_assert(OF_LEDGER <= BROKER_OF_LEDGER_MAX, "each has its place");
    for (size_t i = 0; rc == SW_OK && i < OF_PROVIDER; i++) {
        const struct sw_metric_options options = {.name = name,
                                                  .help = of_provider[i].help,
                                                  .type = of_provider[i].type,
                                                  .divisor = of_provider[i].divisor,
                                                  .labels = labels,
                                                  .series_max = SW_MODEL_PROVIDERS_MAX};

        (void)snprintf(name, sizeof name, "swarm_model_%s", of_provider[i].name);
        rc = sw_metric_new(collector, &options, &broker->of_providers[i], err);
    }
    for (size_t i = 0; rc == SW_OK && i < OF_LEDGER; i++) {
        const struct sw_metric_options options = {
            .name = name, .help = of_ledger[i].help, .type = SW_METRIC_COUNTER};

        (void)snprintf(name, sizeof name, "swarm_ledger_%s", of_ledger[i].name);
        rc = sw_metric_new(collector, &options, &metric, err);
        if (rc == SW_OK)
            broker->of_ledger[i] = sw_metric_series(metric, NULL);
    }
    if (rc == SW_OK)
        rc = add_loops(broker, collector, err);
    return rc == SW_OK ? sw_collector_before_read(collector, collect, broker) : rc;
}
