#include "pkg/agent/hosts/state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define USAGES_MAX 262144u /* Of all hosts: what more of them say is not kept. */
#define USAGES_SPARE 1024u
#define KEY_SIZE (4 * 64 + SW_HOST_NAME_SIZE)

struct usage { /* What a host told last of an Agent, or of a namespace in it. */
    const struct sw_host *host;
    char name_space[64], agent[64], agent_uid[64];
    char pod[64]; /* Uid of a Pod of the Agent, which tells it to the store; "": not known. */
    struct sw_pod_used used;
    uint64_t throttled[SW_POD_LIMITS]; /* How often it was pushed back. */
};

void sw_hosts_usage_done(struct sw_hosts *hosts)
{
    struct sw_map_entry entry;
    size_t cursor = 0;

    while (hosts->usages != NULL && sw_map_next(hosts->usages, &cursor, &entry))
        free(entry.value);
    sw_map_free(hosts->usages);
}

/* An Agent that is made again under the same name has another host: it is told by its uid. */
static size_t key_put(const struct sw_host *host, const char *name_space, const char *agent_uid,
                      char ret_key[KEY_SIZE])
{
    return (size_t)snprintf(ret_key, KEY_SIZE, "%s/%s/%s/%s", name_space, agent_uid,
                            host->about.name, host->about.agent_uid);
}

/* Whether an Agent is gone; or all of a host, if it is that one's. */
static bool is_over(const struct sw_hosts *hosts, const struct usage *usage,
                    const struct sw_host *host)
{
    if (host != NULL)
        return usage->host == host;
    return usage->agent_uid[0] != '\0' &&
           sw_map_find(hosts->pods, usage->pod, strlen(usage->pod)) == NULL;
}

/* Those of Agents that are gone, or all of a host; what cannot be listed stays. */
static void sweep(struct sw_hosts *hosts, const struct sw_host *host)
{
    struct usage **over = calloc(sw_map_count(hosts->usages) + 1, sizeof(struct usage *));
    struct sw_map_entry entry;
    size_t cursor = 0, count = 0;
    char key[KEY_SIZE];

    if (over == NULL && host != NULL)
        abort(); /* They would name a host that is freed. */
    if (over == NULL)
        return;
    while (sw_map_next(hosts->usages, &cursor, &entry))
        if (is_over(hosts, entry.value, host))
            over[count++] = entry.value;
    for (size_t i = 0; i < count; i++) {
        size_t size = key_put(over[i]->host, over[i]->name_space, over[i]->agent_uid, key);

        (void)sw_map_remove(hosts->usages, key, size);
        free(over[i]);
    }
    free(over);
}

static struct sw_agent_usage of_space(const char *name_space)
{
    return (struct sw_agent_usage){.name_space = name_space, .agent = "", .agent_uid = ""};
}

static struct usage *usage_get(struct sw_hosts *hosts, const struct sw_host *host,
                               const struct sw_agent_usage *told)
{
    char key[KEY_SIZE];
    size_t size = key_put(host, told->name_space, told->agent_uid, key);
    struct usage *usage = sw_map_find(hosts->usages, key, size);

    if (usage != NULL)
        return usage;
    if (sw_map_count(hosts->usages) >= 2 * sw_map_count(hosts->pods) + USAGES_SPARE)
        sweep(hosts, NULL);
    if (sw_map_count(hosts->usages) >= USAGES_MAX)
        return NULL;
    usage = calloc(1, sizeof *usage);
    if (usage == NULL)
        return NULL;
    (void)snprintf(usage->name_space, sizeof usage->name_space, "%s", told->name_space);
    (void)snprintf(usage->agent, sizeof usage->agent, "%s", told->agent);
    (void)snprintf(usage->agent_uid, sizeof usage->agent_uid, "%s", told->agent_uid);
    usage->host = host;
    if (sw_map_put(hosts->usages, key, size, usage, NULL) == SW_OK)
        return usage;
    free(usage);
    return NULL;
}

/* A Pod of the Agent in that host: the same one as long as it is there. */
static bool find_pod(const struct sw_hosts *hosts, const struct sw_host *host, struct usage *usage)
{
    char agent_key[2 * 64];
    const struct sw_host_route *route;
    struct sw_map_entry entry;
    size_t cursor = 0;

    if (sw_map_find(hosts->pods, usage->pod, strlen(usage->pod)) != NULL)
        return true;
    (void)snprintf(agent_key, sizeof agent_key, "%s/%s", usage->name_space, usage->agent);
    route = sw_map_find(hosts->routes, agent_key, strlen(agent_key));
    if (route == NULL || route->host != host)
        return false; /* It is a bridge to it. */
    if (sw_map_find(hosts->pods, route->pod, strlen(route->pod)) != NULL) {
        (void)snprintf(usage->pod, sizeof usage->pod, "%s", route->pod);
        return true;
    }
    while (sw_map_next(hosts->pods, &cursor, &entry)) {
        const struct sw_host_pod *pod = entry.value;

        if (pod->host != host || strcmp(pod->agent_key, agent_key) != 0)
            continue;
        (void)snprintf(usage->pod, sizeof usage->pod, "%s", pod->uid);
        return true;
    }
    return false;
}

/* Sums never become less: several threads of a host tell them, in no order. */
static void raise(struct sw_pod_used *used, const struct sw_pod_used *told)
{
    uint64_t *const sums[] = {&used->cpu_ns,    &used->handled, &used->bytes_in,      &used->sent,
                              &used->bytes_out, &used->wakeups, &used->memory_byte_s, &used->fuel};
    const uint64_t news[] = {told->cpu_ns,    told->handled, told->bytes_in,      told->sent,
                             told->bytes_out, told->wakeups, told->memory_byte_s, told->fuel};

    for (size_t i = 0; i < sizeof news / sizeof *news; i++)
        if (*sums[i] < news[i])
            *sums[i] = news[i];
    if (told->utc_ns < used->utc_ns)
        return;
    used->utc_ns = told->utc_ns;
    used->memory_bytes = told->memory_bytes;
    used->storage_bytes = told->storage_bytes;
    used->reserved_bytes = told->reserved_bytes;
}

/* Whether a host may speak of a namespace: all are in the shared one, and one is in each other. */
static bool is_its(const struct sw_host *host, const char *name_space)
{
    return host->about.isolation == SW_POD_ISOLATION_SHARED ||
           strcmp(host->about.name_space, name_space) == 0;
}

void sw_hosts_on_usage(void *ctx, const struct sw_agent_usage *told)
{
    struct sw_host *host = ctx;
    struct sw_hosts *hosts = host->hosts;
    const struct sw_pod_observer *observer = &hosts->pod_observer;
    struct usage *usage = is_its(host, told->name_space) ? usage_get(hosts, host, told) : NULL;
    struct sw_pod_usage of_pod;

    if (usage == NULL)
        return;
    raise(&usage->used, &told->used);
    if (usage->agent_uid[0] == '\0' || observer->on_usage == NULL || !find_pod(hosts, host, usage))
        return;
    of_pod = (struct sw_pod_usage){.uid = usage->pod, .used = usage->used};
    observer->on_usage(observer->ctx, &of_pod);
}

/* What a hostile host says of counts may wrap, and harms nobody. */
void sw_hosts_on_throttled(void *ctx, const struct sw_agent_throttle *told)
{
    struct sw_host *host = ctx;
    struct sw_hosts *hosts = host->hosts;
    const struct sw_pod_observer *observer = &hosts->pod_observer;
    const struct sw_agent_usage of_agent = {
        .name_space = told->name_space, .agent = told->agent, .agent_uid = told->agent_uid};
    const struct sw_agent_usage its_space = of_space(told->name_space);
    struct sw_pod_throttle of_pod = {.limit = told->limit};
    struct usage *space, *usage;

    if (!is_its(host, told->name_space))
        return;
    space = usage_get(hosts, host, &its_space); /* First: it is never swept. */
    usage = usage_get(hosts, host, &of_agent);
    if (space != NULL)
        space->throttled[told->limit] += told->count;
    if (usage == NULL)
        return;
    usage->throttled[told->limit] += told->count;
    if (observer->on_throttled == NULL || !find_pod(hosts, host, usage))
        return;
    of_pod.uid = usage->pod;
    observer->on_throttled(observer->ctx, &of_pod);
}

/* --- One host -------------------------------------------------------------------------------- */

void sw_hosts_usage_put(struct sw_host *host, const struct sw_host_usage *usage)
{
    const struct sw_agent_usage space = of_space(usage->name_space);
    struct usage *kept = usage_get(host->hosts, host, &space);

    if (kept != NULL)
        raise(&kept->used, &usage->used);
}

void sw_hosts_usage_find(const struct sw_host *host, struct sw_pod_used *ret_used)
{
    const struct usage *usage;
    char key[KEY_SIZE];
    size_t size = key_put(host, host->about.name_space, "", key);

    usage = sw_map_find(host->hosts->usages, key, size);
    *ret_used = usage == NULL ? (struct sw_pod_used){0} : usage->used;
}

void sw_hosts_usage_drop(const struct sw_host *host, uint64_t throttled[SW_POD_LIMITS])
{
    const struct usage *usage;
    char key[KEY_SIZE];
    size_t size = key_put(host, host->about.name_space, "", key);

    usage = sw_map_find(host->hosts->usages, key, size);
    for (size_t i = 0; usage != NULL && throttled != NULL && i < SW_POD_LIMITS; i++)
        throttled[i] += usage->throttled[i];
    sweep(host->hosts, host);
}

/* --- All ------------------------------------------------------------------------------------- */

static void each(const struct sw_hosts *hosts, const char *name_space, bool of_agents,
                 void (*visit)(void *ctx, const struct sw_agent_usage *usage), void *ctx)
{
    struct sw_map_entry entry;
    size_t cursor = 0;

    while (sw_map_next(hosts->usages, &cursor, &entry)) {
        const struct usage *usage = entry.value;
        struct sw_agent_usage view = {.name_space = usage->name_space,
                                      .agent = usage->agent,
                                      .agent_uid = usage->agent_uid,
                                      .used = usage->used};
        bool is_there =
            !of_agents || sw_map_find(hosts->pods, usage->pod, strlen(usage->pod)) != NULL;

        memcpy(view.throttled, usage->throttled, sizeof view.throttled);
        if ((usage->agent_uid[0] != '\0') == of_agents && is_there &&
            (name_space == NULL || strcmp(usage->name_space, name_space) == 0))
            visit(ctx, &view);
    }
}

void sw_hosts_each_usage(const struct sw_hosts *hosts, const char *name_space,
                         void (*visit)(void *ctx, const struct sw_agent_usage *usage), void *ctx)
{
    each(hosts, name_space, true, visit, ctx);
}

void sw_hosts_each_space_usage(const struct sw_hosts *hosts, const char *name_space,
                               void (*visit)(void *ctx, const struct sw_agent_usage *usage),
                               void *ctx)
{
    each(hosts, name_space, false, visit, ctx);
    sw_hosts_each_gone(hosts, name_space, visit, ctx);
}
