/* This machine as a Node: registers it, keeps its heartbeat, and runs the Pods that are bound to
 * it.
 *
 *     Pod bound here --> runner.open --> reports --> Pod status; FAILED: open again with back-off
 *     Pod's spec changed --> runner.update        Pod being deleted --> runner.close(discard)
 *     on_closed --> finalizer swarm/node removed
 *
 * What a Pod is doing is known from the runner only; after a restart of the daemon every bound Pod
 * is opened again. Threads: the loop's.  I/O: the store's and the runner's. Limits:
 * SW_NODE_PODS_MAX Pods. */
#pragma once
#include "pkg/agent/pod/runner.h"
#include "pkg/controller/reconciler/reconciler.h"

#define SW_NODE_PODS_MAX 16384
#define SW_NODE_HEARTBEAT_NS 10000000000u

struct sw_node_controller; /* Opaque. */

struct sw_node_options {
    const char *name;    /* Of this Node; a label. Borrowed, as all texts. */
    const char *address; /* Where others reach it, or "". */
    uint32_t cpus;
    uint64_t memory_bytes;
    const struct sw_pod_runner *runner;
    struct sw_objects *objects;
    const struct sw_system *system;
    const struct sw_logger *logger; /* May be NULL. */
    struct sw_recorder *recorder;
    struct sw_alarm alarm; /* Calls sw_node_controller_run. */
};

/* Observes the runner. NULL: no memory. */
struct sw_node_controller *sw_node_controller_new(const struct sw_node_options *options);
void sw_node_controller_free(struct sw_node_controller *controller);
void sw_node_controller_run(struct sw_node_controller *controller);
/* Look at this Pod ("namespace/name"), at the Node itself (""). */
void sw_node_controller_add(struct sw_node_controller *controller, const char *name);
/* The agent host began or ceased to take Pods; words say why it does not. */
void sw_node_controller_set_ready(struct sw_node_controller *controller, bool is_ready,
                                  const char *words);
