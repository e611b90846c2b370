/* Which bridges there are: in each host that runs Agents of a namespace, one of each Agent of the
 * namespace that runs in another host, and, beside them, who carries and who hears publications.
 * They are Pods like any other to the host, and nobody else sees them. */
#include "pkg/agent/hosts/envelope.h"
#include "pkg/agent/hosts/state.h"
#include "pkg/utils/base/hash.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BRIDGE_PREFIX "b:" /* Of the uids of such Pods, which have 36 bytes at most. */
#define UID_BYTES_MAX 36
#define MEMORY_BYTES (16u << 20)
#define TURN_MS 5000
#define OUT_MAILBOX 256
/* A host that is down for longer finds marks gone. */
#define IDLE_NS (UINT64_C(24) * 3600 * 1000000000)
#define RETRY_FIRST_NS (UINT64_C(5) * 1000000)
#define RETRY_MAX_NS (UINT64_C(500) * 1000000)
#define FAILED_AGAIN_MS 1000

struct sw_bridge { /* A Pod of ours in a host. */
    char uid[64], agent_key[2 * 64];
    char digest[80];
    uint64_t message_bytes, mailbox;
    uint32_t replicas;
    bool is_wanted, is_running, is_failed;
};

struct presence { /* Of a namespace: which hosts have Agents of it. */
    char name_space[64];
    uint64_t hosts[SW_HOSTS_MAX / 64];
    unsigned count;
};

static bool has_host(const uint64_t *set, const struct sw_host *host)
{
    return (set[host->index / 64] >> host->index % 64 & 1) != 0;
}

/* --- Presence -------------------------------------------------------------------------------- */

static struct presence *presence_get(struct sw_map *spaces, const char *name_space)
{
    struct presence *presence = sw_map_find(spaces, name_space, strlen(name_space));

    if (presence != NULL)
        return presence;
    presence = calloc(1, sizeof *presence);
    if (presence == NULL)
        return NULL;
    (void)snprintf(presence->name_space, sizeof presence->name_space, "%s", name_space);
    if (sw_map_put(spaces, presence->name_space, strlen(presence->name_space), presence, NULL) ==
        SW_OK)
        return presence;
    free(presence);
    return NULL;
}

/* By namespace, of all routes.  NULL: no memory. */
static struct sw_map *presences_make(const struct sw_hosts *hosts)
{
    struct sw_map *spaces = sw_map_new(0);
    struct sw_map_entry found;
    size_t cursor = 0;

    while (spaces != NULL && sw_map_next(hosts->routes, &cursor, &found)) {
        const struct sw_host_route *route = found.value;
        struct presence *presence = presence_get(spaces, route->name_space);

        if (presence == NULL || has_host(presence->hosts, route->host))
            continue; /* Without memory it is looked at again with the next change. */
        presence->hosts[route->host->index / 64] |= UINT64_C(1) << route->host->index % 64;
        presence->count++;
    }
    return spaces;
}

static void presences_free(struct sw_map *spaces)
{
    struct sw_map_entry found;
    size_t cursor = 0;

    while (spaces != NULL && sw_map_next(spaces, &cursor, &found))
        free(found.value);
    sw_map_free(spaces);
}

void sw_hosts_of_space(const struct sw_hosts *hosts, const char *name_space,
                       const struct sw_host *but, uint64_t ret_set[SW_HOSTS_MAX / 64])
{
    SW_LIST_EACH(&hosts->all, node)
    {
        const struct sw_host *host = SW_LIST_ITEM(node, struct sw_host, node);

        if (host != but && sw_host_pods_of(host, name_space) > 0)
            ret_set[host->index / 64] |= UINT64_C(1) << host->index % 64;
    }
}

/* --- One bridge ------------------------------------------------------------------------------ */

struct wanted { /* A bridge that is to be in a host. */
    const char *uid, *name_space, *agent, *agent_uid;
    uint64_t message_bytes, mailbox;
    uint32_t replicas;
    bool is_keyed;
};

static bool is_as_wanted(const struct sw_bridge *bridge, const struct wanted *wanted,
                         const char *digest)
{
    return !bridge->is_failed && bridge->message_bytes == wanted->message_bytes &&
           bridge->mailbox == wanted->mailbox && bridge->replicas == wanted->replicas &&
           strcmp(bridge->digest, digest) == 0;
}

static enum sw_rc open_pod(struct sw_host *host, const struct wanted *wanted, struct sw_err *err)
{
    const struct sw_pod_runner *runner = sw_agents_runner(host->agents);
    char config[24];
    struct sw_pod_spec spec = {
        .uid = wanted->uid,
        .namespace_name = wanted->name_space,
        .name = "bridge",
        .generation = ++host->bridge_generation,
        .agent_name = wanted->agent,
        .agent_uid = wanted->agent_uid,
        .module_digest = host->hosts->options.bridge_digest,
        .runtime = "wasm",
        .slots = {UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX},
        .is_keyed = wanted->is_keyed,
        .is_bridge = true,
        .replicas = wanted->replicas,
        .durability = SW_POD_DURABILITY_LOCAL,
        .limits = {.memory_bytes_max = MEMORY_BYTES,
                   .turn_cpu_ms_max = TURN_MS,
                   .mailbox_messages_max = wanted->mailbox,
                   .message_bytes_max = SW_ENVELOPE_BYTES_MAX},
        .retry = {.attempts = UINT32_MAX, .first_ns = RETRY_FIRST_NS, .max_ns = RETRY_MAX_NS},
        .idle_ns = wanted->is_keyed ? IDLE_NS : 0,
        .priority = 1,
        .config = {config,
                   (size_t)snprintf(config, sizeof config, "%" PRIu64, wanted->message_bytes)}};

    return runner->open(runner->ctx, &spec, err);
}

static struct sw_bridge *bridge_get(struct sw_host *host, const struct wanted *wanted)
{
    struct sw_bridge *bridge = sw_map_find(host->bridges, wanted->uid, strlen(wanted->uid));

    if (bridge != NULL)
        return bridge;
    bridge = calloc(1, sizeof *bridge);
    if (bridge == NULL)
        return NULL;
    bridge->is_failed = true; /* It is not open. */
    (void)snprintf(bridge->uid, sizeof bridge->uid, "%s", wanted->uid);
    (void)snprintf(bridge->agent_key, sizeof bridge->agent_key, "%s/%s", wanted->name_space,
                   wanted->agent);
    if (sw_map_put(host->bridges, bridge->uid, strlen(bridge->uid), bridge, NULL) == SW_OK)
        return bridge;
    free(bridge);
    return NULL;
}

/* It did not go well: look again in a while. What is due sooner stays so, whoever fails. */
static void look_later(struct sw_hosts *hosts)
{
    if (!hosts->is_bridging_due)
        sw_timer_start(hosts->bridging, FAILED_AGAIN_MS);
}

static void want(struct sw_host *host, const struct wanted *wanted)
{
    struct sw_hosts *hosts = host->hosts;
    struct sw_bridge *bridge = bridge_get(host, wanted);
    struct sw_err err = {0};
    enum sw_rc rc = SW_E_EXHAUSTED;

    if (bridge != NULL) {
        bridge->is_wanted = true;
        if (is_as_wanted(bridge, wanted, hosts->options.bridge_digest))
            return;
        rc = open_pod(host, wanted, &err);
    }
    if (rc != SW_OK) {
        sw_log(hosts->options.host.logger, SW_LOG_WARN, "agents",
               "agent host %s has no bridge to %s/%s yet: %s", host->about.name, wanted->name_space,
               wanted->agent, err.message);
        look_later(hosts);
        return;
    }
    bridge->is_failed = false;
    bridge->message_bytes = wanted->message_bytes;
    bridge->mailbox = wanted->mailbox;
    bridge->replicas = wanted->replicas;
    (void)snprintf(bridge->digest, sizeof bridge->digest, "%s", hosts->options.bridge_digest);
}

static void bridge_close(struct sw_host *host, struct sw_bridge *bridge)
{
    const struct sw_pod_runner *runner = sw_agents_runner(host->agents);

    runner->close(runner->ctx, bridge->uid, true);
    (void)sw_map_remove(host->bridges, bridge->uid, strlen(bridge->uid));
    free(bridge);
}

/* --- All of them ----------------------------------------------------------------------------- */

static void want_agent(struct sw_host *host, const struct sw_host_route *route)
{
    size_t used = strlen(BRIDGE_PREFIX);
    char uid[64];
    struct wanted wanted = {.uid = uid,
                            .name_space = route->name_space,
                            .agent = route->agent,
                            .agent_uid = route->agent_uid,
                            .message_bytes = route->message_bytes,
                            .mailbox = route->mailbox,
                            .replicas = route->replicas,
                            .is_keyed = true};

    (void)snprintf(uid, sizeof uid, BRIDGE_PREFIX);
    for (const char *at = route->agent_uid; *at != '\0' && used < UID_BYTES_MAX; at++)
        if (*at != '-')
            uid[used++] = *at;
    uid[used] = '\0';
    want(host, &wanted);
}

/* Of the bridge of that name that a host has once for a namespace. */
static void own_uid(const char *name_space, const char *agent, char ret_uid[64])
{
    static const uint8_t key[16] = "bridge";

    (void)snprintf(ret_uid, 64, BRIDGE_PREFIX "%s-%016" PRIx64, agent + 1,
                   sw_siphash(key, name_space, strlen(name_space)));
}

static void want_own(struct sw_host *host, const char *name_space, const char *agent, bool is_keyed)
{
    char uid[64];
    struct wanted wanted = {.uid = uid,
                            .name_space = name_space,
                            .agent = agent,
                            .agent_uid = uid,
                            .mailbox = is_keyed ? OUT_MAILBOX : 0,
                            .replicas = is_keyed ? 0 : 1,
                            .is_keyed = is_keyed};

    own_uid(name_space, agent, uid);
    want(host, &wanted);
}

static void want_all(struct sw_hosts *hosts, const struct sw_map *spaces, struct sw_host *host)
{
    struct sw_map_entry found;
    size_t cursor = 0;

    while (sw_map_next(spaces, &cursor, &found)) {
        const struct presence *presence = found.value;

        if (presence->count < 2 || !has_host(presence->hosts, host))
            continue;
        want_own(host, presence->name_space, SW_BRIDGE_OUT, true);
        want_own(host, presence->name_space, SW_BRIDGE_BUS, false);
    }
    cursor = 0;
    while (sw_map_next(hosts->routes, &cursor, &found)) {
        const struct sw_host_route *route = found.value;
        const struct presence *presence =
            sw_map_find(spaces, route->name_space, strlen(route->name_space));

        if (route->host != host && presence != NULL && has_host(presence->hosts, host))
            want_agent(host, route);
    }
}

/* A bridge that no Agent here uses any more stays as long as the Agent that it leads to: what it
 * has may still be on its way. */
static void close_unwanted(struct sw_hosts *hosts, struct sw_host *host)
{
    struct sw_map_entry found;
    size_t cursor = 0;

    while (sw_map_next(host->bridges, &cursor, &found)) {
        struct sw_bridge *bridge = found.value;
        const char *agent = strchr(bridge->agent_key, '/') + 1;

        if (bridge->is_wanted || agent[0] == SW_BRIDGE_OUT[0] ||
            sw_map_find(hosts->routes, bridge->agent_key, strlen(bridge->agent_key)) != NULL)
            continue;
        bridge_close(host, bridge);
        cursor = 0;
    }
}

/* Where all Agents run in one host there is nothing to bridge, however many they are. */
static bool is_one_host(struct sw_hosts *hosts)
{
    struct sw_list *first = hosts->all.next;

    return first != &hosts->all && first->next == &hosts->all &&
           sw_map_count(SW_LIST_ITEM(first, struct sw_host, node)->bridges) == 0;
}

void sw_hosts_bridge(void *ctx)
{
    struct sw_hosts *hosts = ctx;
    struct sw_map *spaces;

    hosts->is_bridging_due = false;
    if (is_one_host(hosts))
        return;
    spaces = presences_make(hosts);
    SW_LIST_EACH(&hosts->all, node)
    {
        struct sw_host *host = SW_LIST_ITEM(node, struct sw_host, node);
        struct sw_map_entry found;
        size_t cursor = 0;

        if (spaces == NULL || host->agents == NULL)
            continue;
        while (sw_map_next(host->bridges, &cursor, &found))
            ((struct sw_bridge *)found.value)->is_wanted = false;
        want_all(hosts, spaces, host);
        close_unwanted(hosts, host);
    }
    presences_free(spaces);
}

void sw_hosts_bridge_soon(struct sw_hosts *hosts)
{
    if (hosts->is_stopping || hosts->options.bridge_digest == NULL)
        return;
    hosts->is_bridging_due = true;
    sw_timer_start(hosts->bridging, 0);
}

void sw_host_bridges_forget(struct sw_host *host)
{
    struct sw_map_entry found;
    size_t cursor = 0;

    while (host->bridges != NULL && sw_map_next(host->bridges, &cursor, &found)) {
        (void)sw_map_remove(host->bridges, found.key.data, found.key.size);
        free(found.value);
        cursor = 0;
    }
}

bool sw_host_is_bridge(const char *uid)
{
    return strncmp(uid, BRIDGE_PREFIX, strlen(BRIDGE_PREFIX)) == 0;
}

bool sw_host_hears(const struct sw_host *host, const char *name_space)
{
    const struct sw_bridge *bridge;
    char uid[64];

    own_uid(name_space, SW_BRIDGE_BUS, uid);
    bridge = sw_map_find(host->bridges, uid, strlen(uid));
    return bridge != NULL && bridge->is_running;
}

bool sw_hosts_are_bridged(const struct sw_hosts *hosts)
{
    SW_LIST_EACH(&hosts->all, node)
    {
        const struct sw_host *host = SW_LIST_ITEM(node, struct sw_host, node);
        struct sw_map_entry found;
        size_t cursor = 0;

        while (sw_map_next(host->bridges, &cursor, &found))
            if (!((const struct sw_bridge *)found.value)->is_running)
                return false;
    }
    return !hosts->is_bridging_due;
}

void sw_host_bridge_status(struct sw_host *host, const struct sw_pod_report *report)
{
    struct sw_hosts *hosts = host->hosts;
    struct sw_bridge *bridge = sw_map_find(host->bridges, report->uid, strlen(report->uid));

    if (bridge == NULL)
        return;
    bridge->is_running = report->phase == SW_POD_RUNNING;
    if (report->phase != SW_POD_FAILED || bridge->is_failed || hosts->is_stopping)
        return; /* Or that is known, and said again. */
    sw_log(hosts->options.host.logger, SW_LOG_WARN, "agents",
           "the bridge of agent host %s to %s failed: %s", host->about.name, bridge->agent_key,
           report->message);
    bridge->is_failed = true;
    look_later(hosts);
}
