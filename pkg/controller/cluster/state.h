/* What the files of pkg/controller/cluster share. Threads, I/O, limits: controller.h. */
#pragma once
#include "pkg/client/informers/informer.h"
#include "pkg/controller/cluster/controller.h"
#include "pkg/controller/reconciler/reconciler.h"
#include "pkg/utils/base/map.h"

#define SW_CLUSTER_SUMS                                                                            \
    "sums" /* The name in the queue of the Cluster's status; others are Nodes' keys. */

/* When a Node last told of itself, by our own clock: the time in its heartbeat says only that it is
 * another one. So a clock that jumps, or differs between Nodes, or a Hive that was away, makes no
 * Node look silent. */
struct sw_cluster_heard {
    uint64_t heartbeat_ns; /* As the Node wrote it. */
    uint64_t since_ms;     /* Monotonic. */
};

struct sw_cluster_controller {
    struct sw_cluster_controller_options options;
    struct sw_reconciler *reconciler;
    struct sw_informer *nodes, *agents, *pods, *clusters;
    /* Of all that the informers show: each change is brought in when it is told, so that a pass
     * reads no objects. */
    struct sw_api_cluster_status sums;
    struct sw_map *heard;     /* Store key of a Node -> struct sw_cluster_heard, owned. */
    struct sw_arena *scratch; /* For decoding one object; reset each time. */
};

/* See that a Node tells of itself; when it does not, it is NotReady and what it ran is Failed. */
SW_MUST_CHECK enum sw_rc sw_cluster_reconcile_node(struct sw_cluster_controller *controller,
                                                   struct sw_pass *pass, struct sw_err *err);
