#include "pkg/agent/hosts/state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Quotas of namespaces, in equal parts for the hosts that have Pods of them. The sum of the parts
 * is never more than the quota, but that each host has one message a second at least. */

static bool is_in(const struct sw_host_pod *pod, const char *name_space)
{
    size_t size = strlen(name_space);

    return strncmp(pod->agent_key, name_space, size) == 0 && pod->agent_key[size] == '/';
}

/* How many hosts have Pods of the namespace; they are marked. */
static uint64_t mark_hosts(struct sw_hosts *hosts, const char *name_space)
{
    struct sw_map_entry entry;
    size_t cursor = 0;
    uint64_t count = 0;

    SW_LIST_EACH(&hosts->all, node)
    {
        SW_LIST_ITEM(node, struct sw_host, node)->is_marked = false;
    }
    while (sw_map_next(hosts->pods, &cursor, &entry)) {
        const struct sw_host_pod *pod = entry.value;

        if (pod->host->is_marked || !is_in(pod, name_space))
            continue;
        pod->host->is_marked = true;
        count++;
    }
    return count;
}

/* The number-th of count parts. */
static uint64_t part_of(uint64_t limit, uint64_t number, uint64_t count)
{
    return limit == SW_POD_QUOTA_NONE ? limit : limit / count + (number < limit % count);
}

void sw_hosts_share_quota(struct sw_hosts *hosts, const char *name_space)
{
    const struct sw_pod_quota *quota = sw_map_find(hosts->quotas, name_space, strlen(name_space));
    uint64_t number = 0, count;

    if (quota == NULL)
        return;
    count = mark_hosts(hosts, name_space);
    SW_LIST_EACH(&hosts->all, node)
    {
        struct sw_host *host = SW_LIST_ITEM(node, struct sw_host, node);
        struct sw_pod_quota part;

        if (!host->is_marked || host->agents == NULL)
            continue;
        part =
            (struct sw_pod_quota){.instances = part_of(quota->instances, number, count),
                                  .memory_bytes = part_of(quota->memory_bytes, number, count),
                                  .messages_per_s = part_of(quota->messages_per_s, number, count),
                                  .cpu_ns = part_of(quota->cpu_ns, number, count),
                                  .storage_bytes = part_of(quota->storage_bytes, number, count)};
        if (quota->messages_per_s != 0 && part.messages_per_s == 0)
            part.messages_per_s = 1; /* 0 would be any number. */
        number++;
        if (sw_agents_set_quota(host->agents, name_space, &part) != SW_OK)
            abort(); /* Without memory for so little nothing can be bounded. */
    }
}

void sw_hosts_share_quota_of(struct sw_hosts *hosts, const struct sw_host_pod *pod)
{
    char space[64];

    (void)snprintf(space, sizeof space, "%.*s", (int)strcspn(pod->agent_key, "/"), pod->agent_key);
    sw_hosts_share_quota(hosts, space);
}

void sw_hosts_set_quota(void *ctx, const char *name_space, const struct sw_pod_quota *quota)
{
    struct sw_hosts *hosts = ctx;
    struct sw_pod_quota *kept = sw_map_find(hosts->quotas, name_space, strlen(name_space));

    if (kept == NULL) {
        kept = calloc(1, sizeof *kept);
        if (kept == NULL ||
            sw_map_put(hosts->quotas, name_space, strlen(name_space), kept, NULL) != SW_OK)
            abort(); /* As above. */
    }
    *kept = *quota;
    sw_hosts_share_quota(hosts, name_space);
}

void sw_hosts_quota_done(struct sw_hosts *hosts)
{
    struct sw_map_entry entry;
    size_t cursor = 0;

    while (hosts->quotas != NULL && sw_map_next(hosts->quotas, &cursor, &entry))
        free(entry.value);
    sw_map_free(hosts->quotas);
}
