#include "cmd/swarmd/controllers.h"

#include "pkg/controller/agent/controller.h"
#include "pkg/controller/cluster/controller.h"
#include "pkg/controller/collector/controller.h"
#include "pkg/controller/namespace/controller.h"
#include "pkg/controller/pod/controller.h"
#include "pkg/controller/quota/controller.h"
#include "pkg/controller/records/controller.h"

#include <stdlib.h>

struct controllers {
    struct sw_events *events;
    const char *node_name; /* Borrowed. */
    struct sw_agent_controller *agents;
    struct sw_pod_controller *pods;
    struct sw_namespace_controller *namespaces;
    struct sw_garbage_collector *collector;
    struct sw_quota_controller *quotas;
    struct sw_records_controller *records;
    struct sw_cluster_controller *cluster;
    struct sw_node_controller *node;
};

/* The controllers that need nothing but the store. */
static enum sw_rc hive_start(struct controllers *made, const struct controllers_options *options,
                             struct sw_err *err)
{
    struct sw_agent_controller_options agents = {options->loop, options->system, options->logger,
                                                 options->objects};
    struct sw_pod_controller_options pods = {options->loop, options->system, options->logger,
                                             options->objects};
    struct sw_namespace_controller_options namespaces = {options->loop, options->system,
                                                         options->logger, options->objects};
    struct sw_garbage_collector_options collector = {options->loop, options->system,
                                                     options->logger, options->objects};
    struct sw_cluster_controller_options cluster = {options->loop, options->system, options->logger,
                                                    options->objects};
    struct sw_quota_controller_options quotas = {options->loop, options->system, options->logger,
                                                 options->objects};
    struct sw_records_controller_options records = {options->loop, options->system, options->logger,
                                                    options->objects, SW_RECORDS_GRACE_MS};
    enum sw_rc rc = sw_agent_controller_new(&agents, &made->agents, err);

    if (rc == SW_OK)
        rc = sw_pod_controller_new(&pods, &made->pods, err);
    if (rc == SW_OK)
        rc = sw_namespace_controller_new(&namespaces, &made->namespaces, err);
    if (rc == SW_OK)
        rc = sw_garbage_collector_new(&collector, &made->collector, err);
    if (rc == SW_OK)
        rc = sw_quota_controller_new(&quotas, &made->quotas, err);
    if (rc == SW_OK)
        rc = sw_cluster_controller_new(&cluster, &made->cluster, err);
    if (rc == SW_OK)
        rc = sw_records_controller_new(&records, &made->records, err);
    return rc;
}

static enum sw_rc node_start(struct controllers *made, const struct controllers_options *options,
                             struct sw_err *err)
{
    struct sw_events_options events = {.loop = options->loop,
                                       .system = options->system,
                                       .logger = options->logger,
                                       .objects = options->objects,
                                       .node_name = options->node_name};
    struct sw_node_controller_options node = {.loop = options->loop,
                                              .system = options->system,
                                              .logger = options->logger,
                                              .objects = options->objects,
                                              .runner = options->runner,
                                              .name = options->node_name,
                                              .address = options->address,
                                              .cpus = options->cpus,
                                              .memory_bytes = options->memory_bytes,
                                              .each_host = options->each_host,
                                              .hosts_ctx = options->hosts_ctx};
    enum sw_rc rc = sw_events_new(&events, &made->events, err);

    node.events = made->events;
    return rc == SW_OK ? sw_node_controller_new(&node, &made->node, err) : rc;
}

enum sw_rc controllers_new(const struct controllers_options *options,
                           struct controllers **ret_controllers, struct sw_err *err)
{
    SW_CLEANUP(controllers_freep) struct controllers *made = calloc(1, sizeof *made);
    enum sw_rc rc;

    if (made == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for the controllers");
    made->node_name = options->node_name;
    rc = hive_start(made, options, err);
    if (rc == SW_OK)
        rc = node_start(made, options, err);
    if (rc == SW_OK)
        *ret_controllers = SW_TAKE(made);
    return rc;
}

void controllers_free(struct controllers *controllers)
{
    if (controllers == NULL)
        return;
    sw_node_controller_free(controllers->node);
    sw_cluster_controller_free(controllers->cluster);
    sw_records_controller_free(controllers->records);
    sw_quota_controller_free(controllers->quotas);
    sw_garbage_collector_free(controllers->collector);
    sw_namespace_controller_free(controllers->namespaces);
    sw_pod_controller_free(controllers->pods);
    sw_agent_controller_free(controllers->agents);
    sw_events_free(controllers->events);
    free(controllers);
}

void controllers_tell_host(struct controllers *controllers, bool is_warning, const char *reason,
                           const char *words)
{
    sw_events_record(controllers->events, &(struct sw_occurrence){.kind = sw_kind_find("Node"),
                                                                  .name = controllers->node_name,
                                                                  .is_warning = is_warning,
                                                                  .reason = reason,
                                                                  .component = "agent-host",
                                                                  .message = words});
}

struct sw_events *controllers_events(struct controllers *controllers)
{
    return controllers->events;
}

size_t controllers_flush_events(struct controllers *controllers)
{
    return sw_events_flush(controllers->events);
}

void controllers_set_ready(struct controllers *controllers, bool is_ready, const char *words)
{
    sw_node_controller_set_ready(controllers->node, is_ready, words);
}

void controllers_hosts_changed(struct controllers *controllers)
{
    sw_node_controller_hosts_changed(controllers->node);
}
