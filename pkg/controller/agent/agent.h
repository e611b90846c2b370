/* Agents: from what a spec wants to Pods, and from Pods back to the Agent's status.
 *
 *     spec.pods sets of the slots --> one Pod each (owner: the Agent; a copy of its spec)
 *     Pods' status --> phase, counts, conditions Ready and Progressing, observedGeneration
 *     deletion     --> Pods deleted; when the last is gone, finalizer swarm/pods is removed
 *
 * However many replicas an Agent has, it has spec.pods Pods: instances are no objects.
 * Threads: the loop's.  I/O: the store's.  Limits: one Pod per slot at most. */
#pragma once
#include "pkg/controller/reconciler/reconciler.h"

/* One pass over the Agent "namespace/name". */
SW_MUST_CHECK enum sw_rc sw_agent_reconcile(void *ctx, struct sw_pass *pass, struct sw_err *err);

/* Names: the Pod of an Agent that holds the slots from `first` on, and what all of them begin with.
 */
#define SW_AGENT_POD_NAME_SIZE 64
void sw_agent_pod_prefix(const char *agent_name, char ret_prefix[SW_AGENT_POD_NAME_SIZE]);
void sw_agent_pod_name(const char *agent_name, unsigned first,
                       char ret_name[SW_AGENT_POD_NAME_SIZE]);
