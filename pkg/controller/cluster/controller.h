/* The one Cluster object: its status sums up Nodes, Agents and Pods; and a Node that has not told
 * of itself for spec.nodeTimeout becomes NotReady, and what it ran Failed.
 *
 * Sums follow changes within SW_CLUSTER_DELAY_MS, so that a busy swarm does not rewrite them with
 * every change. Threads: the loop's.  I/O: the store's.
 * Limits: SW_CLUSTER_BATCH_MAX Pods of a lost Node a commit. */
#pragma once
#include "pkg/store/objects/objects.h"
#include "pkg/utils/logger/logger.h"
#include "pkg/utils/loop/loop.h"

#define SW_CLUSTER_DELAY_MS 500
#define SW_CLUSTER_BATCH_MAX 200

struct sw_cluster_controller; /* Opaque. */

struct sw_cluster_controller_options { /* All borrowed. */
    struct sw_loop *loop;
    const struct sw_system *system;
    const struct sw_logger *logger;
    struct sw_objects *objects;
};

/* Begin to reconcile.  SW_E_EXHAUSTED: no memory or no watch left. */
SW_MUST_CHECK enum sw_rc
sw_cluster_controller_new(const struct sw_cluster_controller_options *options,
                          struct sw_cluster_controller **ret_controller, struct sw_err *err);
void sw_cluster_controller_free(struct sw_cluster_controller *controller);
SW_DEFINE_CLEANUP(struct sw_cluster_controller, sw_cluster_controller_free)
