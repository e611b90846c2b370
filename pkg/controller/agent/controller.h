/* Agents: makes the Pods that an Agent's spec asks for, keeps them like it, and tells how it
 * stands.
 *
 *     Agent ----plan----> Pods (its slots, split evenly; each with a copy of the spec)
 *     Pods' statuses -----sum----> Agent's status: phase, counts, conditions Ready and Progressing
 *
 * How many Pods an Agent has is decided when they are first made and stays: slots move only with
 * their instances. A deleted Agent waits for its Pods, which wait for their instances.
 * Threads: the loop's.  I/O: the store's.  Limits: SW_AGENT_PODS_MAX Pods of one Agent. */
#pragma once
#include "pkg/store/objects/objects.h"
#include "pkg/utils/logger/logger.h"
#include "pkg/utils/loop/loop.h"

#define SW_AGENT_PODS_MAX 256
#define SW_AGENT_PODS_DEFAULT 4

struct sw_agent_controller; /* Opaque. */

struct sw_agent_controller_options { /* All borrowed. */
    struct sw_loop *loop;
    const struct sw_system *system;
    const struct sw_logger *logger;
    struct sw_objects *objects;
};

/* Begin to reconcile.  SW_E_EXHAUSTED: no memory or no watch left. */
SW_MUST_CHECK enum sw_rc sw_agent_controller_new(const struct sw_agent_controller_options *options,
                                                 struct sw_agent_controller **ret_controller,
                                                 struct sw_err *err);
void sw_agent_controller_free(struct sw_agent_controller *controller);
SW_DEFINE_CLEANUP(struct sw_agent_controller, sw_agent_controller_free)
