#include "cmd/swarmd/figures.h"

#include <stddef.h>
#include <stdio.h>

struct views {
    struct sw_agents_view agents;
    struct sw_module_controller_view modules;
    struct sw_process_service_view processes;
};

/* Gauges, since nearly all count from the start of the present agent hosts. Those of agent hosts
 * are sums of all hosts. */
static const struct {
    const char *name, *help; /* Behind "swarm_". */
    size_t at;               /* In struct views. */
} known[] = {
    {"agent_host_starts", "Agent hosts started since this daemon was.",
     offsetof(struct views, agents.host_starts)},
    {"agent_host_instances", "Instances of the agent host.",
     offsetof(struct views, agents.instances)},
    {"agent_host_waiting_messages", "Messages that wait in mailboxes.",
     offsetof(struct views, agents.waiting)},
    {"agent_host_memory_bytes", "Memory of the guests.",
     offsetof(struct views, agents.memory_bytes)},
    {"agent_host_packed_bytes", "What instances are that sleep while they wait, packed.",
     offsetof(struct views, agents.packed_bytes)},
    {"agent_host_sleeping_instances", "Instances that sleep: they are on the disk.",
     offsetof(struct views, agents.asleep)},
    {"agent_host_shelf_bytes", "What sleeping instances take on the disk.",
     offsetof(struct views, agents.shelf_bytes)},
    {"agent_host_hibernations", "How often an instance went to sleep, since its start.",
     offsetof(struct views, agents.hibernated)},
    {"agent_host_wakes", "How often one came back, since its start.",
     offsetof(struct views, agents.woken)},
    {"agent_host_segments", "Segments run since the agent host's start.",
     offsetof(struct views, agents.segments)},
    {"agent_host_failed_segments", "Segments that failed, since the agent host's start.",
     offsetof(struct views, agents.failures)},
    {"agent_host_replayed_segments",
     "Recorded segments run again to rebuild memories, since its start.",
     offsetof(struct views, agents.replayed)},
    {"agent_host_refused_messages", "Messages refused, since the agent host's start.",
     offsetof(struct views, agents.refused)},
    {"agent_host_retried_messages",
     "Failed messages that were tried again, since the agent host's start.",
     offsetof(struct views, agents.retried)},
    {"agent_host_parked_messages",
     "Messages that became dead letters, since the agent host's start.",
     offsetof(struct views, agents.parked)},
    {"agent_host_expired_instances",
     "Idle instances that were deleted, since the agent host's start.",
     offsetof(struct views, agents.expired)},
    {"agent_host_rebalanced_pods",
     "Pods that went to a worker with less to do, since the agent host's start.",
     offsetof(struct views, agents.rebalanced)},
    {"agent_host_service_calls", "Calls of services by instances, since the agent host's start.",
     offsetof(struct views, agents.calls)},
    {"agent_host_open_service_calls", "Calls of services whose results were not taken yet.",
     offsetof(struct views, agents.calls_open)},
    {"agent_host_epochs", "Epochs made durable.", offsetof(struct views, agents.epochs)},
    {"agent_host_journal_bytes", "Where the journal ends, counted from its beginning.",
     offsetof(struct views, agents.journal_bytes)},
    {"modules", "Modules that are stored.", offsetof(struct views, modules.modules)},
    {"modules_unnamed", "Of those, that no object and no Pod names any more.",
     offsetof(struct views, modules.unnamed)},
    {"modules_held", "Of those, that the agent host still needs.",
     offsetof(struct views, modules.held)},
    {"modules_removed", "Modules removed since nothing needed them, since this daemon's start.",
     offsetof(struct views, modules.removed)},
    {"processes", "Programs in sandboxes that run, with those that end.",
     offsetof(struct views, processes.running)},
    {"processes_idle", "Of those, that stay and have nothing to do.",
     offsetof(struct views, processes.idle)},
    {"processes_waiting_messages", "Messages that wait for room for a process.",
     offsetof(struct views, processes.waiting)},
    {"processes_started", "Programs started since this daemon was.",
     offsetof(struct views, processes.started)},
    {"processes_evicted", "Of those, that made way for others.",
     offsetof(struct views, processes.evicted)},
    {"processes_answered_messages", "Messages that programs answered, since this daemon's start.",
     offsetof(struct views, processes.done)},
    {"processes_failed_messages",
     "Messages that programs refused or did not answer, since this daemon's start.",
     offsetof(struct views, processes.failed)},
    {"processes_repeated_messages",
     "Messages that began again in another process, since this daemon's start.",
     offsetof(struct views, processes.repeated)},
};
#define FIGURES (sizeof known / sizeof known[0])

/* The same of each host. */
static const struct {
    const char *name, *help; /* Behind "swarm_host_". */
    size_t at;               /* In struct sw_agents_view. */
} of_host[] = {
    {"starts", "Times that this agent host was started.",
     offsetof(struct sw_agents_view, host_starts)},
    {"pods", "Pods in this agent host.", offsetof(struct sw_agents_view, pods)},
    {"instances", "Instances of this agent host.", offsetof(struct sw_agents_view, instances)},
    {"waiting_messages", "Messages that wait in mailboxes of this agent host.",
     offsetof(struct sw_agents_view, waiting)},
    {"memory_bytes", "Memory of the guests of this agent host.",
     offsetof(struct sw_agents_view, memory_bytes)},
    {"segments", "Segments run since this agent host's start.",
     offsetof(struct sw_agents_view, segments)},
    {"journal_kept_bytes", "Size of the journal of this agent host that is kept.",
     offsetof(struct sw_agents_view, journal_kept_bytes)},
};
#define OF_HOST (sizeof of_host / sizeof of_host[0])

/* What namespaces used. The first so many have a series each, the others one together. */
#define SPACES_MAX 200
static const struct {
    const char *name, *help; /* Behind "swarm_namespace_". */
    enum sw_metric_type type;
    uint64_t divisor;
    size_t at; /* In struct sw_pod_used. */
} of_space[] = {
    {"cpu_seconds_total", "Time of the processor that the namespace used.", SW_METRIC_COUNTER,
     1000000000, offsetof(struct sw_pod_used, cpu_ns)},
    {"messages_total", "Messages that its handlers were given.", SW_METRIC_COUNTER, 1,
     offsetof(struct sw_pod_used, handled)},
    {"message_bytes_total", "Bytes of these.", SW_METRIC_COUNTER, 1,
     offsetof(struct sw_pod_used, bytes_in)},
    {"sent_messages_total", "Messages and calls that its handlers sent.", SW_METRIC_COUNTER, 1,
     offsetof(struct sw_pod_used, sent)},
    {"sent_bytes_total", "Bytes of these.", SW_METRIC_COUNTER, 1,
     offsetof(struct sw_pod_used, bytes_out)},
    {"wakeups_total", "Memories that were made again after a sleep or a failure.",
     SW_METRIC_COUNTER, 1, offsetof(struct sw_pod_used, wakeups)},
    {"memory_byte_seconds_total", "Memory over time.", SW_METRIC_COUNTER, 1,
     offsetof(struct sw_pod_used, memory_byte_s)},
    {"memory_bytes", "Memory that its instances have.", SW_METRIC_GAUGE, 1,
     offsetof(struct sw_pod_used, memory_bytes)},
    {"fuel_total", "Fuel that its handlers used, where it is counted.", SW_METRIC_COUNTER, 1,
     offsetof(struct sw_pod_used, fuel)},
    {"storage_bytes", "What its durable instances take on the disk, as a quota counts it.",
     SW_METRIC_GAUGE, 1, offsetof(struct sw_pod_used, storage_bytes)},
};
#define OF_SPACE (sizeof of_space / sizeof of_space[0])

/* What pushed Agents back, as the label "limit" has it. */
static const char *const limits[SW_POD_LIMITS] = {
    [SW_POD_LIMIT_MESSAGES] = "agent/messagesPerSecond",
    [SW_POD_LIMIT_QUOTA_MESSAGES] = "quota/messagesPerSecond",
    [SW_POD_LIMIT_QUOTA_INSTANCES] = "quota/instances",
    [SW_POD_LIMIT_QUOTA_MEMORY] = "quota/memory",
    [SW_POD_LIMIT_QUOTA_CPU] = "quota/cpu",
    [SW_POD_LIMIT_QUOTA_STORAGE] = "quota/storage",
};

/* A namespace that is in several hosts comes several times. */
static void collect_space(void *ctx, const struct sw_agent_usage *usage)
{
    struct figures *figures = ctx;
    const char *labels[] = {usage->name_space};

    for (size_t i = 0; i < OF_SPACE; i++) {
        const void *at = (const char *)&usage->used + of_space[i].at;

        sw_series_add(sw_metric_series(figures->of_spaces[i], labels), *(const uint64_t *)at);
    }
    for (size_t i = 0; i < SW_POD_LIMITS; i++) {
        const char *both[] = {usage->name_space, limits[i]};

        if (usage->throttled[i] > 0)
            sw_series_add(sw_metric_series(figures->throttled, both), usage->throttled[i]);
    }
}

static enum sw_rc throttled_add(struct figures *figures, struct sw_collector *collector,
                                struct sw_err *err)
{
    static const char *const labels[] = {"namespace", "limit", NULL};
    const struct sw_metric_options options = {
        .name = "swarm_namespace_throttled_total",
        .help = "How often its Agents were pushed back by a limit.",
        .type = SW_METRIC_COUNTER,
        .labels = labels,
        .series_max = SPACES_MAX * SW_POD_LIMITS};

    return sw_metric_new(collector, &options, &figures->throttled, err);
}

static enum sw_rc of_spaces_add(struct figures *figures, struct sw_collector *collector,
                                struct sw_err *err)
{
    static const char *const labels[] = {"namespace", NULL};
    enum sw_rc rc = SW_OK;

    _Static_assert(OF_SPACE <= FIGURES_OF_SPACE_MAX, "each has its place");
    for (size_t i = 0; rc == SW_OK && i < OF_SPACE; i++) {
        char name[64];
        struct sw_metric_options options = {.name = name,
                                            .help = of_space[i].help,
                                            .type = of_space[i].type,
                                            .divisor = of_space[i].divisor,
                                            .labels = labels,
                                            .series_max = SPACES_MAX};

        (void)snprintf(name, sizeof name, "swarm_namespace_%s", of_space[i].name);
        rc = sw_metric_new(collector, &options, &figures->of_spaces[i], err);
    }
    return rc == SW_OK ? throttled_add(figures, collector, err) : rc;
}

static void collect_host(void *ctx, const struct sw_host_view *view)
{
    struct figures *figures = ctx;
    const char *labels[] = {view->about->name};

    for (size_t i = 0; i < OF_HOST; i++) {
        const void *at = (const char *)&view->agents + of_host[i].at;

        sw_series_set(sw_metric_series(figures->of_hosts[i], labels),
                      (int64_t)*(const uint64_t *)at);
    }
    sw_series_set(sw_metric_series(figures->of_hosts[OF_HOST], labels), view->agents.is_up);
}

static void collect(void *ctx)
{
    struct figures *figures = ctx;
    struct views view;

    sw_hosts_view(figures->hosts, &view.agents);
    sw_module_controller_view(figures->modules, &view.modules);
    sw_process_service_view(figures->processes, &view.processes);
    for (size_t i = 0; i < FIGURES; i++) {
        const void *at = (const char *)&view + known[i].at;

        sw_series_set(figures->series[i], (int64_t)*(const uint64_t *)at);
    }
    for (size_t i = 0; i <= OF_HOST; i++)
        sw_metric_clear(figures->of_hosts[i]); /* Some hosts are gone. */
    sw_hosts_each(figures->hosts, collect_host, figures);
    for (size_t i = 0; i < OF_SPACE; i++)
        sw_metric_clear(figures->of_spaces[i]);
    sw_metric_clear(figures->throttled);
    sw_hosts_each_space_usage(figures->hosts, NULL, collect_space, figures);
}

static enum sw_rc of_hosts_add(struct figures *figures, struct sw_collector *collector,
                               struct sw_err *err)
{
    static const char *const labels[] = {"host", NULL};
    enum sw_rc rc = SW_OK;

    _Static_assert(OF_HOST < FIGURES_OF_HOST_MAX, "and one more: whether it is up");
    for (size_t i = 0; rc == SW_OK && i <= OF_HOST; i++) {
        char name[64];
        struct sw_metric_options options = {.name = name,
                                            .help = i < OF_HOST ? of_host[i].help
                                                                : "Whether this agent host is up.",
                                            .type = SW_METRIC_GAUGE,
                                            .labels = labels,
                                            .series_max = SW_HOSTS_MAX};

        (void)snprintf(name, sizeof name, "swarm_host_%s", i < OF_HOST ? of_host[i].name : "up");
        rc = sw_metric_new(collector, &options, &figures->of_hosts[i], err);
    }
    return rc;
}

enum sw_rc figures_add(struct figures *figures, struct sw_collector *collector, struct sw_err *err)
{
    _Static_assert(FIGURES <= FIGURES_MAX, "each figure has its series");
    for (size_t i = 0; i < FIGURES; i++) {
        char name[64];
        struct sw_metric_options options = {
            .name = name, .help = known[i].help, .type = SW_METRIC_GAUGE};
        struct sw_metric *metric;
        enum sw_rc rc;

        (void)snprintf(name, sizeof name, "swarm_%s", known[i].name);
        rc = sw_metric_new(collector, &options, &metric, err);
        if (rc != SW_OK)
            return rc;
        figures->series[i] = sw_metric_series(metric, NULL);
    }
    if (of_hosts_add(figures, collector, err) != SW_OK ||
        of_spaces_add(figures, collector, err) != SW_OK)
        return err->rc;
    return sw_collector_before_read(collector, collect, figures);
}
