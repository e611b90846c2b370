#include "pkg/agent/hosts/parts.h"
#include "pkg/agent/hosts/state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Quotas of namespaces, in parts for the hosts that they are in (parts.h). What there may be of
 * something at once is moved from host to host without ever being in two; rates are equal parts of
 * the hosts that have Pods, of the processor a nanosecond in a second at least. */

struct holder { /* A host that has, had or may have Pods of the namespace. */
    struct sw_list node;
    struct sw_host *host;
    struct sw_part part;
    struct sw_pod_quota told; /* In its words, */
    uint64_t number;          /* the last of which was this one; 0: it was told nothing. */
};

struct space {
    struct sw_hosts *hosts;
    struct sw_pod_quota quota;
    struct sw_list holders; /* Of struct holder, owned: SW_HOSTS_MAX at most. */
    char name[64];
};

static struct space *space_find(const struct sw_hosts *hosts, const char *name)
{
    return hosts->quotas == NULL ? NULL : sw_map_find(hosts->quotas, name, strlen(name));
}

static struct holder *holder_of(struct sw_list *node)
{
    return SW_LIST_ITEM(node, struct holder, node);
}

static struct holder *holder_find(const struct space *space, const struct sw_host *host)
{
    SW_LIST_EACH(&space->holders, node)
    {
        if (holder_of(node)->host == host)
            return holder_of(node);
    }
    return NULL;
}

/* is_empty: nothing of the namespace was ever in it. */
static void holder_add(struct space *space, struct sw_host *host, bool is_empty)
{
    struct holder *holder = calloc(1, sizeof *holder);

    if (holder == NULL)
        abort(); /* Without memory for so little nothing can be bounded. */
    holder->host = host;
    for (unsigned k = 0; k < SW_PART_KINDS && !is_empty; k++)
        holder->part.most[k] = SW_PART_ANY;
    sw_list_add(&space->holders, &holder->node);
}

static void holder_free(struct holder *holder)
{
    sw_list_remove(&holder->node);
    free(holder);
}

static void space_free(struct space *space)
{
    while (!sw_list_is_empty(&space->holders))
        holder_free(holder_of(space->holders.next));
    free(space);
}

/* --- Telling --------------------------------------------------------------------------------- */

static uint64_t rate_of(uint64_t limit, uint64_t number, uint64_t count)
{
    uint64_t part = sw_part_of(limit, number, count);

    return limit != 0 && part == 0 ? 1 : part; /* 0 would be any number. */
}

/* Of too few for all, hosts have one each in seconds of their own: in none there are more than the
 * limit of them. */
static void put_messages(struct sw_pod_quota *words, uint64_t limit, uint64_t number,
                         uint64_t count)
{
    bool is_short = limit != 0 && limit < count;

    words->messages_per_s = is_short ? 1 : sw_part_of(limit, number, count);
    words->messages_s = is_short ? (count + limit - 1) / limit : 1;
    words->messages_phase = number % words->messages_s;
}

/* In the words of a host, for which no storage is any: no record is as small as a byte. */
static struct sw_pod_quota words_of(const struct holder *holder)
{
    const uint64_t *told = holder->part.told;
    uint64_t storage = told[SW_PART_STORAGE];
    struct sw_pod_quota words = holder->told;

    words.instances = told[SW_PART_INSTANCES];
    words.memory_bytes = told[SW_PART_MEMORY];
    words.storage_bytes = storage == SW_PART_ANY ? 0 : storage == 0 ? 1 : storage;
    return words;
}

static void tell(struct space *space, struct holder *holder, const struct sw_pod_quota *words)
{
    if (holder->number != 0 && memcmp(words, &holder->told, sizeof *words) == 0)
        return;
    holder->told = *words;
    holder->number = ++space->hosts->quota_number;
    if (sw_agents_set_quota(holder->host->agents, space->name, words, holder->number) != SW_OK)
        abort(); /* As above. */
}

/* With the parts of rates, by which hosts have Pods. */
static void tell_all(struct space *space)
{
    const struct sw_pod_quota *quota = &space->quota;
    uint64_t number = 0, count = 0;

    SW_LIST_EACH(&space->holders, node)
    {
        count += holder_of(node)->part.takes_part;
    }
    SW_LIST_EACH(&space->holders, node)
    {
        struct holder *holder = holder_of(node);
        struct sw_pod_quota words = words_of(holder);

        if (holder->part.takes_part) {
            put_messages(&words, quota->messages_per_s, number, count);
            words.cpu_ns = rate_of(quota->cpu_ns, number++, count);
        } else if (holder->number == 0) {
            put_messages(&words, quota->messages_per_s, 0, SW_HOSTS_MAX);
            words.cpu_ns = rate_of(quota->cpu_ns, 0, SW_HOSTS_MAX);
        }
        if (holder->host->agents != NULL)
            tell(space, holder, &words);
    }
}

static void divide(struct space *space)
{
    const struct sw_pod_quota *quota = &space->quota;
    const uint64_t limits[SW_PART_KINDS] = {
        [SW_PART_INSTANCES] = quota->instances,
        [SW_PART_MEMORY] = quota->memory_bytes,
        [SW_PART_STORAGE] = quota->storage_bytes == 0 ? SW_PART_ANY : quota->storage_bytes};
    struct sw_part *parts[SW_HOSTS_MAX];
    size_t count = 0;

    SW_LIST_EACH(&space->holders, node)
    {
        if (count < SW_HOSTS_MAX) /* As many hosts as there can be. */
            parts[count++] = &holder_of(node)->part;
    }
    sw_parts_share(parts, count, limits);
    tell_all(space);
}

/* --- Who has Pods ---------------------------------------------------------------------------- */

/* Whether something of the namespace may lie in a host that has no Pods of it: in a folder that
 * waits for them, or in the shared one, which is asked then. */
static bool may_have(const struct space *space, const struct sw_host *host)
{
    const struct sw_hosts_options *options = &space->hosts->options;
    struct sw_host_about about = {.isolation = SW_POD_ISOLATION_SHARED, .name = "shared"};

    if (host->about.isolation != SW_POD_ISOLATION_SHARED)
        return !host->is_unknown && !host->is_lost &&
               strcmp(host->about.name_space, space->name) == 0;
    (void)snprintf(about.name_space, sizeof about.name_space, "%s", space->name);
    return options->is_needed != NULL && options->is_needed(options->ctx, &about);
}

/* is_new: the quota is, so whatever is there already was not counted. */
static void share(struct space *space, bool is_new)
{
    SW_LIST_EACH(&space->hosts->all, node)
    {
        struct sw_host *host = SW_LIST_ITEM(node, struct sw_host, node);
        struct holder *holder = holder_find(space, host);
        bool has_pods = sw_host_pods_of(host, space->name) > 0;

        if (holder == NULL && (has_pods || (is_new && may_have(space, host))))
            holder_add(space, host, !is_new && host->is_fresh && host->pods == 1);
        holder = holder_find(space, host);
        if (holder != NULL)
            holder->part.takes_part = has_pods;
    }
    divide(space);
}

void sw_hosts_share_quota_of(struct sw_hosts *hosts, const char *name_space)
{
    struct space *space = space_find(hosts, name_space);

    if (space != NULL)
        share(space, false);
}

/* --- What hosts have ------------------------------------------------------------------------- */

/* A host has a say in namespaces only that it has or had Pods of, and never more than was known. */
void sw_hosts_on_quota_held(void *ctx, const struct sw_agent_held *told)
{
    struct sw_host *host = ctx;
    struct space *space = space_find(host->hosts, told->name_space);
    struct holder *holder = space == NULL ? NULL : holder_find(space, host);
    const uint64_t held[SW_PART_KINDS] = {[SW_PART_INSTANCES] = told->instances,
                                          [SW_PART_MEMORY] = told->memory_bytes,
                                          [SW_PART_STORAGE] = told->storage_bytes};

    if (holder != NULL && holder->number == told->number && sw_part_answer(&holder->part, held))
        divide(space);
}

void sw_host_quota_end(const struct sw_host *host)
{
    struct sw_hosts *hosts = host->hosts;
    struct sw_map_entry entry;

    for (size_t cursor = 0; hosts->quotas != NULL && sw_map_next(hosts->quotas, &cursor, &entry);) {
        struct holder *holder = holder_find(entry.value, host);

        if (holder != NULL)
            holder->number = 0;
    }
}

void sw_host_quota_forget(const struct sw_host *host)
{
    struct sw_hosts *hosts = host->hosts;
    struct sw_map_entry entry;

    for (size_t cursor = 0; hosts->quotas != NULL && sw_map_next(hosts->quotas, &cursor, &entry);) {
        struct holder *holder = holder_find(entry.value, host);

        if (holder == NULL)
            continue;
        holder_free(holder);
        divide(entry.value);
    }
}

/* --- Quotas ---------------------------------------------------------------------------------- */

static bool bounds_nothing(const struct sw_pod_quota *quota)
{
    return quota->instances == SW_POD_QUOTA_NONE && quota->memory_bytes == SW_POD_QUOTA_NONE &&
           quota->messages_per_s == 0 && quota->cpu_ns == 0 && quota->storage_bytes == 0;
}

static struct space *space_new(struct sw_hosts *hosts, const char *name)
{
    struct space *space = calloc(1, sizeof *space);

    if (space == NULL || sw_map_put(hosts->quotas, name, strlen(name), space, NULL) != SW_OK)
        abort(); /* As above. */
    space->hosts = hosts;
    (void)snprintf(space->name, sizeof space->name, "%s", name);
    sw_list_init(&space->holders);
    return space;
}

static void space_end(struct space *space)
{
    SW_LIST_EACH(&space->holders, node)
    {
        struct holder *holder = holder_of(node);

        if (holder->host->agents != NULL)
            tell(space, holder, &space->quota);
    }
    (void)sw_map_remove(space->hosts->quotas, space->name, strlen(space->name));
    space_free(space);
}

void sw_hosts_set_quota(void *ctx, const char *name_space, const struct sw_pod_quota *quota)
{
    struct sw_hosts *hosts = ctx;
    struct space *space = space_find(hosts, name_space);
    bool is_new = space == NULL;

    if (is_new && bounds_nothing(quota))
        return;
    if (is_new)
        space = space_new(hosts, name_space);
    space->quota = *quota;
    if (bounds_nothing(quota))
        space_end(space);
    else
        share(space, is_new);
}

void sw_hosts_quota_done(struct sw_hosts *hosts)
{
    struct sw_map_entry entry;
    size_t cursor = 0;

    while (hosts->quotas != NULL && sw_map_next(hosts->quotas, &cursor, &entry))
        space_free(entry.value);
    sw_map_free(hosts->quotas);
}
