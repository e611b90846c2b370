#include "pkg/agent/controller/state.h"

#include <stdlib.h>
#include <string.h>

/* What namespaces may have in the host: told to each host before its Pods, and when it changes. */

struct kept {
    struct sw_pod_quota quota;
    uint64_t number;
};

static void tell(struct sw_agents *agents, struct sw_bytes name_space, const struct kept *kept)
{
    const struct sw_pod_quota *quota = &kept->quota;
    struct sw_frame frame = {.kind = SW_FRAME_QUOTA,
                             .quota = {.number = kept->number,
                                       .name_space = name_space,
                                       .instances = quota->instances,
                                       .memory_bytes = quota->memory_bytes,
                                       .messages_per_s = (uint32_t)quota->messages_per_s,
                                       .messages_s = (uint32_t)quota->messages_s,
                                       .messages_phase = (uint32_t)quota->messages_phase,
                                       .cpu_ns = quota->cpu_ns,
                                       .storage_bytes = quota->storage_bytes}};

    sw_host_send(agents, &frame);
}

static bool bounds_nothing(const struct sw_pod_quota *quota)
{
    return quota->instances == SW_POD_QUOTA_NONE && quota->memory_bytes == SW_POD_QUOTA_NONE &&
           quota->messages_per_s == 0 && quota->cpu_ns == 0 && quota->storage_bytes == 0;
}

enum sw_rc sw_agents_set_quota(struct sw_agents *agents, const char *name_space,
                               const struct sw_pod_quota *quota, uint64_t number)
{
    const struct sw_bytes name = {name_space, strlen(name_space)};
    struct kept *kept = sw_map_find(agents->quotas, name.data, name.size);

    if (kept == NULL && bounds_nothing(quota))
        return SW_OK;
    if (kept == NULL) {
        kept = calloc(1, sizeof *kept);
        if (kept == NULL || sw_map_put(agents->quotas, name.data, name.size, kept, NULL) != SW_OK) {
            free(kept);
            return SW_E_EXHAUSTED;
        }
    }
    *kept = (struct kept){*quota, number};
    if (agents->state == SW_HOST_UP)
        tell(agents, name, kept);
    if (bounds_nothing(quota)) {
        (void)sw_map_remove(agents->quotas, name.data, name.size);
        free(kept);
    }
    return SW_OK;
}

void sw_quotas_host_up(struct sw_agents *agents)
{
    struct sw_map_entry entry;
    size_t cursor = 0;

    while (sw_map_next(agents->quotas, &cursor, &entry))
        tell(agents, entry.key, entry.value);
}

void sw_quotas_done(struct sw_agents *agents)
{
    struct sw_map_entry entry;
    size_t cursor = 0;

    while (agents->quotas != NULL && sw_map_next(agents->quotas, &cursor, &entry))
        free(entry.value);
    sw_map_free(agents->quotas);
}
