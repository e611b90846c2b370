/* This machine as a Node: registers it, keeps its heartbeat, and runs the Pods that are bound to
 * it.
 *
 *     Pod Bound here --> runner.open --> reports --> Pod's status: Starting, Ready
 *                            ^ back-off, twice as long each time       |
 *                            +------------------- Failed <-------------+
 *     Pod's spec changed --> runner.update
 *     Pod is deleted     --> runner.close(discard) --> on_closed --> finalizer removed, Pod gone
 *
 * Only the runner knows what a Pod is doing; after a restart of the daemon every bound Pod is
 * opened again. Threads: the loop's.  I/O: the store's and the runner's. Limits:
 * SW_NODE_PODS_HERE_MAX Pods. */
#pragma once
#include "pkg/agent/pod/runner.h"
#include "pkg/controller/events/controller.h"

#define SW_NODE_PODS_HERE_MAX 16384
#define SW_NODE_HEARTBEAT_MS 10000u

struct sw_node_controller; /* Opaque. */

struct sw_node_host { /* An agent host; borrowed for the visit. */
    const char *name, *phase, *message, *cgroup;
    uint64_t starts, pods, instances;
};
typedef void sw_node_host_visit(void *ctx, const struct sw_node_host *host);

struct sw_node_controller_options { /* All borrowed. */
    struct sw_loop *loop;
    const struct sw_system *system;
    const struct sw_logger *logger;
    struct sw_objects *objects;
    struct sw_events *events;           /* May be NULL: the runner's events are dropped. */
    const struct sw_pod_runner *runner; /* Gets its observer here. */
    const char *name;                   /* Of the Node: a label. */
    const char *address;                /* Where others reach it, "address:port", or "". */
    uint32_t cpus;
    uint64_t memory_bytes;
    /* Visit the agent hosts, for the Node's status. NULL: it tells of none. */
    void (*each_host)(void *ctx, sw_node_host_visit *visit, void *visit_ctx);
    void *hosts_ctx;
};

/* Register the Node and begin to run its Pods. The Node is Ready only after
 * sw_node_controller_set_ready.  SW_E_EXHAUSTED: no memory or no watch left. */
SW_MUST_CHECK enum sw_rc sw_node_controller_new(const struct sw_node_controller_options *options,
                                                struct sw_node_controller **ret_controller,
                                                struct sw_err *err);
/* The runner must not call its observer any more. */
void sw_node_controller_free(struct sw_node_controller *controller);
SW_DEFINE_CLEANUP(struct sw_node_controller, sw_node_controller_free)
/* The agent host began, or ceased, to take Pods; words say why it does not. */
void sw_node_controller_set_ready(struct sw_node_controller *controller, bool is_ready,
                                  const char *words);
/* An agent host came, went, or changed its phase: the Node's status is to say so. */
void sw_node_controller_hosts_changed(struct sw_node_controller *controller);
