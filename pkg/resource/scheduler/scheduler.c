#include "pkg/resource/scheduler/scheduler.h"

#include <string.h>

static bool fits(const struct sw_schedule_node *node)
{
    return node->is_ready && !node->is_unschedulable && node->pods < node->pods_max;
}

/* Whether `one` would carry less per processor than `other` with one Pod more, or, at equal loads,
 * comes first by name. Cross-multiplied, so that nothing is rounded. */
static bool is_better(const struct sw_schedule_node *one, const struct sw_schedule_node *other)
{
    uint64_t one_load = ((uint64_t)one->pods + 1) * (other->cpus > 0 ? other->cpus : 1);
    uint64_t other_load = ((uint64_t)other->pods + 1) * (one->cpus > 0 ? one->cpus : 1);

    return one_load != other_load ? one_load < other_load : strcmp(one->name, other->name) < 0;
}

/* Why nothing fits, as the person would mend it: the first obstacle that all nodes share. */
static const char *reason_of(const struct sw_schedule_node *nodes, size_t count)
{
    bool is_any_ready = false, is_any_open = false;

    for (size_t i = 0; i < count; i++) {
        is_any_ready = is_any_ready || nodes[i].is_ready;
        is_any_open = is_any_open || (nodes[i].is_ready && !nodes[i].is_unschedulable);
    }
    if (count == 0)
        return "no node has joined";
    if (!is_any_ready)
        return "no node is ready";
    return is_any_open ? "every ready node has as many Pods as it may"
                       : "every ready node is marked unschedulable";
}

void sw_schedule(struct sw_schedule_node *nodes, size_t nodes_count, struct sw_schedule_pod *pods,
                 size_t pods_count)
{
    for (size_t i = 0; i < pods_count; i++) {
        size_t best = SW_SCHEDULE_NOWHERE;

        for (size_t j = 0; j < nodes_count; j++) {
            if (!fits(&nodes[j]))
                continue;
            if (best == SW_SCHEDULE_NOWHERE || is_better(&nodes[j], &nodes[best]))
                best = j;
        }
        pods[i].ret_node = best;
        pods[i].ret_reason = best == SW_SCHEDULE_NOWHERE ? reason_of(nodes, nodes_count) : "";
        if (best != SW_SCHEDULE_NOWHERE)
            nodes[best].pods++;
    }
}
