/* All controllers of a Hive and the Node of this machine, wired to informers and timers.
 *
 * Threads: the loop's.  I/O: the store's and the runner's.  Limits: those of the controllers. */
#pragma once
#include "pkg/controller/node/node.h"
#include "pkg/utils/loop/loop.h"

struct sw_controllers; /* Opaque. */

struct sw_controllers_options {
    struct sw_loop *loop; /* Borrowed, as all below. */
    struct sw_objects *objects;
    const struct sw_system *system;
    const struct sw_logger *logger;
    const char *node_name, *node_address; /* A label; "address:port" or "". */
    uint32_t cpus;
    uint64_t memory_bytes;
    const struct sw_pod_runner *runner;
};

/* Start everything. Call after sw_objects_bootstrap is done.  SW_E_EXHAUSTED: memory or watches. */
SW_MUST_CHECK enum sw_rc sw_controllers_start(const struct sw_controllers_options *options,
                                              struct sw_controllers **ret_controllers,
                                              struct sw_err *err);
/* The agent host began or ceased to take Pods. */
void sw_controllers_set_ready(struct sw_controllers *controllers, bool is_ready, const char *words);
/* For others who have something to tell people about an object. */
struct sw_recorder *sw_controllers_recorder(struct sw_controllers *controllers);
/* Begin nothing more. Passes whose commit is under way still end. */
void sw_controllers_stop(struct sw_controllers *controllers);
/* After sw_controllers_stop and sw_store_free. */
void sw_controllers_free(struct sw_controllers *controllers);
