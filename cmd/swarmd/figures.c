#include "cmd/swarmd/figures.h"

#include <stddef.h>
#include <stdio.h>

/* Gauges, since all but the first count from the start of the present agent host. */
static const struct {
    const char *name, *help;
    size_t at; /* In struct sw_agents_view. */
} known[] = {
    {"starts", "Agent hosts started since this daemon was.",
     offsetof(struct sw_agents_view, host_starts)},
    {"instances", "Instances of the agent host.", offsetof(struct sw_agents_view, instances)},
    {"waiting_messages", "Messages that wait in mailboxes.",
     offsetof(struct sw_agents_view, waiting)},
    {"memory_bytes", "Memory of the guests.", offsetof(struct sw_agents_view, memory_bytes)},
    {"packed_bytes", "What instances are that sleep while they wait, packed.",
     offsetof(struct sw_agents_view, packed_bytes)},
    {"segments", "Segments run since the agent host's start.",
     offsetof(struct sw_agents_view, segments)},
    {"failed_segments", "Segments that failed, since the agent host's start.",
     offsetof(struct sw_agents_view, failures)},
    {"replayed_segments", "Recorded segments run again to rebuild memories, since its start.",
     offsetof(struct sw_agents_view, replayed)},
    {"refused_messages", "Messages refused, since the agent host's start.",
     offsetof(struct sw_agents_view, refused)},
    {"retried_messages", "Failed messages that were tried again, since the agent host's start.",
     offsetof(struct sw_agents_view, retried)},
    {"parked_messages", "Messages that became dead letters, since the agent host's start.",
     offsetof(struct sw_agents_view, parked)},
    {"expired_instances", "Idle instances that were deleted, since the agent host's start.",
     offsetof(struct sw_agents_view, expired)},
    {"service_calls", "Calls of services by instances, since the agent host's start.",
     offsetof(struct sw_agents_view, calls)},
    {"open_service_calls", "Calls of services whose results were not taken yet.",
     offsetof(struct sw_agents_view, calls_open)},
    {"epochs", "Epochs made durable.", offsetof(struct sw_agents_view, epochs)},
    {"journal_bytes", "Where the journal ends, counted from its beginning.",
     offsetof(struct sw_agents_view, journal_bytes)},
};
#define FIGURES (sizeof known / sizeof known[0])

static void collect(void *ctx)
{
    struct figures *figures = ctx;
    struct sw_agents_view view;

    sw_agents_view(figures->agents, &view);
    for (size_t i = 0; i < FIGURES; i++) {
        const void *at = (const char *)&view + known[i].at;

        sw_series_set(figures->series[i], (int64_t)*(const uint64_t *)at);
    }
}

enum sw_rc figures_add(struct figures *figures, const struct sw_agents *agents,
                       struct sw_collector *collector, struct sw_err *err)
{
    _Static_assert(FIGURES <= FIGURES_MAX, "each figure has its series");
    figures->agents = agents;
    for (size_t i = 0; i < FIGURES; i++) {
        char name[64];
        struct sw_metric_options options = {
            .name = name, .help = known[i].help, .type = SW_METRIC_GAUGE};
        struct sw_metric *metric;
        enum sw_rc rc;

        (void)snprintf(name, sizeof name, "swarm_agent_host_%s", known[i].name);
        rc = sw_metric_new(collector, &options, &metric, err);
        if (rc != SW_OK)
            return rc;
        figures->series[i] = sw_metric_series(metric, NULL);
    }
    return sw_collector_before_read(collector, collect, figures);
}
