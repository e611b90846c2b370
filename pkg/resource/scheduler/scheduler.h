/* Which node a Pod goes to: a pure function from a view of the nodes to decisions.
 *
 * A Pod goes to the fitting node with the least load per processor after it; equal loads are
 * decided by name, so the same view always gives the same answer. Decisions made in one call count
 * as load for the ones after them. Threads: pure.  I/O: none.  Cost: O(nodes) a Pod.  Limits: the
 * caller's arrays. */
#pragma once
#include "pkg/utils/errors/errors.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SW_SCHEDULE_NOWHERE SIZE_MAX

struct sw_schedule_node {
    const char *name;
    bool is_ready, is_unschedulable;
    uint32_t cpus; /* At least 1 is assumed. */
    uint32_t pods; /* Bound to it already; counted on by sw_schedule. */
    uint32_t pods_max;
};

struct sw_schedule_pod {
    /* Where it is to go: filled by sw_schedule with an index into nodes, or NOWHERE and why. */
    size_t ret_node;
    const char *ret_reason; /* Static words when NOWHERE: "no node is ready" ... */
};

/* Decide for each Pod in turn. nodes' pods counts grow with the decisions. */
void sw_schedule(struct sw_schedule_node *nodes, size_t nodes_count, struct sw_schedule_pod *pods,
                 size_t pods_count);
