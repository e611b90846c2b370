/* Where Pods go: a pure function from a view of Nodes and Pods to decisions.
 *
 * Each unplaced Pod goes to the Node that takes Pods and has the least of them for its processors;
 * of equal ones, the one that has the fewest Pods of the same Agent, then the first by name. The
 * same view gives the same decisions.
 * Threads: pure functions.  I/O: none.  Limits: the caller's arrays; cost O(pods x nodes). */
#pragma once
#include "pkg/utils/errors/errors.h"

#include <stdbool.h>
#include <stdint.h>

struct sw_schedule_node {
    const char *name;
    bool is_open;      /* Ready, and not unschedulable. */
    uint32_t cpus;     /* 0 counts as 1. */
    uint32_t pods;     /* Placed there; the function counts its own decisions up. */
    uint32_t pods_max; /* 0: no limit. */
};

struct sw_schedule_pod {
    const char *agent_uid;
    uint32_t
        node; /* Index of its Node, or SW_SCHEDULE_NONE. In: where it is; out: where it goes. */
};

#define SW_SCHEDULE_NONE UINT32_MAX

struct sw_schedule_view {
    struct sw_schedule_node *nodes;
    size_t nodes_count;
    struct sw_schedule_pod *pods;
    size_t pods_count;
};

/* Place the Pods that have no Node; returns how many were placed. The rest found no open Node. */
size_t sw_schedule(struct sw_schedule_view *view);
