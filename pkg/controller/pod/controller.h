/* Pods without a Node: binds them where pkg/resource/scheduler says, and says why when it cannot.
 *
 *     Pending, no node --schedule--> node chosen --> Bound --> (the Node's own controller)
 *     deleted before it was bound: let go at once, since nothing ever ran
 *
 * All waiting Pods are decided together, from one view of the Nodes, in one commit. A pass reads
 * the Nodes and the Pods that wait, however many others there are: how many each Node has is
 * counted as changes are told.
 * Threads: the loop's.  I/O: the store's.  Limits: SW_POD_BATCH_MAX Pods a commit. */
#pragma once
#include "pkg/store/objects/objects.h"
#include "pkg/utils/logger/logger.h"
#include "pkg/utils/loop/loop.h"

#define SW_POD_BATCH_MAX 256
#define SW_NODE_PODS_MAX 16384 /* Pods that one Node may hold: as many as its controller takes. */

struct sw_pod_controller; /* Opaque. */

struct sw_pod_controller_options { /* All borrowed. */
    struct sw_loop *loop;
    const struct sw_system *system;
    const struct sw_logger *logger;
    struct sw_objects *objects;
};

/* Begin to bind.  SW_E_EXHAUSTED: no memory or no watch left. */
SW_MUST_CHECK enum sw_rc sw_pod_controller_new(const struct sw_pod_controller_options *options,
                                               struct sw_pod_controller **ret_controller,
                                               struct sw_err *err);
void sw_pod_controller_free(struct sw_pod_controller *controller);
SW_DEFINE_CLEANUP(struct sw_pod_controller, sw_pod_controller_free)
