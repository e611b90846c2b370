/* Pods that have no Node get one: the pass builds the view for pkg/resource/scheduler and writes
 * its decisions, many Pods in one transaction.
 *
 * A bound Pod carries the finalizer swarm/node, which its Node removes once nothing of it runs; one
 * that was never bound goes at once when it is deleted.
 * Threads: the loop's.  I/O: the store's.  Limits: SW_POD_BINDINGS_MAX bindings in one pass. */
#pragma once
#include "pkg/controller/reconciler/reconciler.h"

#define SW_POD_FINALIZER_NODE "swarm/node"
#define SW_POD_BINDINGS_MAX 200

/* One pass over all Pods; its name does not matter. */
SW_MUST_CHECK enum sw_rc sw_pod_reconcile(void *ctx, struct sw_pass *pass, struct sw_err *err);
