/* The Cluster: sums over Nodes, Agents and Pods, Nodes that fell silent, Events that are old.
 * Threads: the loop's.  I/O: the store's.  Limits: SW_CLUSTER_EVENTS_MAX Events are kept. */
#pragma once
#include "pkg/controller/reconciler/reconciler.h"

#define SW_CLUSTER_EVENTS_MAX 10000
#define SW_CLUSTER_DELETES_MAX 200 /* Events deleted in one pass. */

/* One pass over the status of the Cluster; its name does not matter. */
SW_MUST_CHECK enum sw_rc sw_cluster_reconcile(void *ctx, struct sw_pass *pass, struct sw_err *err);
/* A Node that has not told of itself for spec.nodeTimeout becomes NotReady, and its Pods Failed.
 * One pass over the Node of this name. */
SW_MUST_CHECK enum sw_rc sw_cluster_node_reconcile(void *ctx, struct sw_pass *pass,
                                                   struct sw_err *err);
/* Delete Events beyond spec.eventRetention and beyond SW_CLUSTER_EVENTS_MAX; name is ignored. */
SW_MUST_CHECK enum sw_rc sw_cluster_event_reconcile(void *ctx, struct sw_pass *pass,
                                                    struct sw_err *err);
