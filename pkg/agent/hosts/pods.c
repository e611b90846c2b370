/* Which host a Pod runs in, and what hosts tell of Pods. */
#include "pkg/agent/hosts/state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MESSAGE_BYTES_DEFAULT (256u << 10)
#define MAILBOX_DEFAULT 1024

static struct sw_host_pod *pod_find(const struct sw_hosts *hosts, const char *uid)
{
    return sw_map_find(hosts->pods, uid, strlen(uid));
}

/* A Pod's host; the names are labels, and the uid is a UUID. */
static enum sw_rc about_of(const struct sw_pod_spec *spec, struct sw_host_about *ret_about,
                           struct sw_err *err)
{
    struct sw_host_about about = {.isolation = spec->isolation, .name = "shared"};

    if (strlen(spec->namespace_name) >= sizeof about.name_space ||
        strlen(spec->agent_name) >= sizeof about.agent ||
        strlen(spec->agent_uid) >= sizeof about.agent_uid ||
        strchr(spec->namespace_name, '/') != NULL || strchr(spec->agent_uid, '/') != NULL ||
        sw_host_is_bridge(spec->uid))
        return sw_err_set(err, SW_E_INVALID, "a name of Pod %.80s cannot be one", spec->name);
    if (spec->isolation == SW_POD_ISOLATION_NAMESPACE) {
        (void)snprintf(about.name_space, sizeof about.name_space, "%s", spec->namespace_name);
        (void)snprintf(about.name, sizeof about.name, "namespace/%s", spec->namespace_name);
    } else if (spec->isolation == SW_POD_ISOLATION_AGENT) {
        (void)snprintf(about.name_space, sizeof about.name_space, "%s", spec->namespace_name);
        (void)snprintf(about.agent, sizeof about.agent, "%s", spec->agent_name);
        (void)snprintf(about.agent_uid, sizeof about.agent_uid, "%s", spec->agent_uid);
        (void)snprintf(about.name, sizeof about.name, "agent/%s/%s", spec->namespace_name,
                       spec->agent_name);
    }
    *ret_about = about;
    return SW_OK;
}

/* --- What hosts tell ------------------------------------------------------------------------- */

static void on_status(void *ctx, const struct sw_pod_report *report)
{
    struct sw_hosts *hosts = ((struct sw_host *)ctx)->hosts;

    if (sw_host_is_bridge(report->uid))
        sw_host_bridge_status(ctx, report);
    else if (hosts->pod_observer.on_status != NULL)
        hosts->pod_observer.on_status(hosts->pod_observer.ctx, report);
}

static void on_event(void *ctx, const struct sw_pod_event *event)
{
    const struct sw_host *host = ctx;
    struct sw_hosts *hosts = host->hosts;

    if (sw_host_is_bridge(event->uid))
        /* One that fails is tried again: the receiver's mailbox may be full. */
        sw_log(hosts->options.host.logger,
               strcmp(event->reason, "Failed") == 0 ? SW_LOG_DEBUG : SW_LOG_WARN, "agents",
               "a bridge of agent host %s, instance %s: %s: %s", host->about.name, event->instance,
               event->reason, event->message);
    else if (hosts->pod_observer.on_event != NULL)
        hosts->pod_observer.on_event(hosts->pod_observer.ctx, event);
}

/* --- Routes ---------------------------------------------------------------------------------- */

static uint64_t or_default(uint64_t value, uint64_t otherwise)
{
    return value == 0 ? otherwise : value;
}

/* Messages for the Pod's Agent go to its host from now on. */
static enum sw_rc route_put(struct sw_hosts *hosts, const struct sw_host_pod *pod,
                            const struct sw_pod_spec *spec, struct sw_err *err)
{
    struct sw_host_route *route =
        sw_map_find(hosts->routes, pod->agent_key, strlen(pod->agent_key));
    struct sw_host_route made = {
        .host = pod->host,
        .message_bytes = or_default(spec->limits.message_bytes_max, MESSAGE_BYTES_DEFAULT),
        .mailbox = or_default(spec->limits.mailbox_messages_max, MAILBOX_DEFAULT),
        .replicas = spec->is_keyed ? 0 : (uint32_t)spec->replicas};

    (void)snprintf(made.key, sizeof made.key, "%s", pod->agent_key);
    (void)snprintf(made.name_space, sizeof made.name_space, "%s", spec->namespace_name);
    (void)snprintf(made.agent, sizeof made.agent, "%s", spec->agent_name);
    (void)snprintf(made.agent_uid, sizeof made.agent_uid, "%s", spec->agent_uid);
    (void)snprintf(made.pod, sizeof made.pod, "%s", pod->uid);
    if (route == NULL) {
        route = calloc(1, sizeof *route);
        if (route == NULL ||
            sw_map_put(hosts->routes, made.key, strlen(made.key), route, NULL) != SW_OK) {
            free(route);
            return sw_err_set(err, SW_E_EXHAUSTED, "no memory for the way to a Pod");
        }
    }
    *route = made;
    sw_hosts_bridge_soon(hosts);
    return SW_OK;
}

/* Messages for its Agent go there no more, if that was the last Pod of it. */
static void route_end(struct sw_host *host, const char *agent_key)
{
    struct sw_hosts *hosts = host->hosts;
    struct sw_host_route *route = sw_map_find(hosts->routes, agent_key, strlen(agent_key));

    if (route == NULL || route->host != host ||
        (host->agents != NULL &&
         sw_agents_knows(host->agents, route->name_space,
                         (struct sw_bytes){route->agent, strlen(route->agent)})))
        return;
    (void)sw_map_remove(hosts->routes, agent_key, strlen(agent_key));
    free(route);
    sw_hosts_bridge_soon(hosts);
}

size_t sw_host_pods_of(const struct sw_host *host, const char *name_space)
{
    return (size_t)(uintptr_t)sw_map_find(host->spaces, name_space, strlen(name_space));
}

/* It came to its host (1) or left it (-1).  SW_E_EXHAUSTED: no memory, when it came. */
static enum sw_rc pod_count(const struct sw_host_pod *pod, int change)
{
    struct sw_host *host = pod->host;
    uintptr_t count;
    char name[64];

    (void)snprintf(name, sizeof name, "%.*s", (int)strcspn(pod->agent_key, "/"), pod->agent_key);
    count = sw_host_pods_of(host, name) + (uintptr_t)change;
    if (count == 0)
        (void)sw_map_remove(host->spaces, name, strlen(name));
    else if (sw_map_put(host->spaces, name, strlen(name), (void *)count, NULL) != SW_OK)
        return SW_E_EXHAUSTED;
    host->pods += (size_t)change;
    if (count == 0 || (count == 1 && change > 0))
        sw_hosts_share_quota_of(host->hosts, name);
    return SW_OK;
}

static void pod_free(struct sw_host_pod *pod)
{
    struct sw_host *host = pod->host;

    (void)sw_map_remove(host->hosts->pods, pod->uid, strlen(pod->uid));
    if (pod_count(pod, -1) != SW_OK)
        abort(); /* It only shrinks. */
    route_end(host, pod->agent_key);
    if (host->pods == 0) {
        host->idle_since_ms = sw_hosts_now_ms(host->hosts);
        sw_hosts_sweep_soon(host->hosts);
    }
    free(pod);
}

static void on_closed(void *ctx, const char *uid)
{
    struct sw_host *host = ctx;
    struct sw_hosts *hosts = host->hosts;
    struct sw_host_pod *pod = pod_find(hosts, uid);
    char name[64];

    (void)snprintf(name, sizeof name, "%s", uid);
    if (sw_host_is_bridge(uid) || (pod != NULL && pod->host != host))
        return; /* Ours; or it runs elsewhere by now. */
    if (pod != NULL)
        pod_free(pod);
    else if (!hosts->is_stopping)
        /* Its host was not started; once the Pod is gone from the store, its folder may go. */
        sw_timer_start(hosts->sweep, hosts->options.linger_ms);
    if (hosts->pod_observer.on_closed != NULL)
        hosts->pod_observer.on_closed(hosts->pod_observer.ctx, name);
}

struct sw_pod_observer sw_hosts_pod_observer(struct sw_host *host)
{
    return (struct sw_pod_observer){
        .ctx = host, .on_status = on_status, .on_event = on_event, .on_closed = on_closed};
}

/* --- The runner ------------------------------------------------------------------------------ */

static void runner_observe(void *ctx, const struct sw_pod_observer *observer)
{
    struct sw_hosts *hosts = ctx;

    hosts->pod_observer = *observer;
}

static enum sw_rc pod_add(struct sw_hosts *hosts, const struct sw_pod_spec *spec,
                          struct sw_host_pod **ret_pod, struct sw_err *err)
{
    struct sw_host_pod *pod = calloc(1, sizeof *pod);
    struct sw_host_about about;
    enum sw_rc rc = about_of(spec, &about, err);

    if (rc == SW_OK && pod == NULL)
        rc = sw_err_set(err, SW_E_EXHAUSTED, "no memory for a Pod");
    if (rc == SW_OK)
        rc = sw_hosts_get(hosts, &about, &pod->host, err);
    if (rc == SW_OK) {
        (void)snprintf(pod->uid, sizeof pod->uid, "%.63s", spec->uid);
        (void)snprintf(pod->agent_key, sizeof pod->agent_key, "%s/%s", spec->namespace_name,
                       spec->agent_name);
        rc = sw_map_put(hosts->pods, pod->uid, strlen(pod->uid), pod, NULL);
    }
    if (rc == SW_OK && pod_count(pod, 1) != SW_OK) {
        (void)sw_map_remove(hosts->pods, pod->uid, strlen(pod->uid));
        rc = sw_err_set(err, SW_E_EXHAUSTED, "no memory for a Pod");
    }
    if (rc != SW_OK) {
        free(pod);
        return rc;
    }
    *ret_pod = pod;
    return SW_OK;
}

static enum sw_rc runner_open(void *ctx, const struct sw_pod_spec *spec, struct sw_err *err)
{
    struct sw_hosts *hosts = ctx;
    struct sw_host_pod *pod = pod_find(hosts, spec->uid);
    const struct sw_pod_runner *runner;
    bool is_new = pod == NULL;
    enum sw_rc rc;

    if (is_new && hosts->is_stopping)
        return SW_OK; /* Nobody would stop its host: it is opened at the next start. */
    rc = is_new ? pod_add(hosts, spec, &pod, err) : SW_OK;
    if (rc != SW_OK)
        return rc;
    runner = sw_agents_runner(pod->host->agents);
    rc = runner->open(runner->ctx, spec, err);
    if (rc == SW_OK)
        rc = route_put(hosts, pod, spec, err);
    if (rc != SW_OK && is_new)
        pod_free(pod);
    else if (pod->host->phase == SW_HOST_ENDED)
        sw_hosts_sweep_soon(hosts);
    return rc;
}

static void runner_close(void *ctx, const char *uid, bool discard)
{
    struct sw_hosts *hosts = ctx;
    const struct sw_host_pod *pod = pod_find(hosts, uid);
    const struct sw_pod_runner *runner;

    /* Of one that is not open the shared host says so in its own time. */
    runner = sw_agents_runner(pod == NULL ? hosts->shared->agents : pod->host->agents);
    runner->close(runner->ctx, uid, discard);
}

const struct sw_pod_runner *sw_hosts_runner(struct sw_hosts *hosts)
{
    return &hosts->runner;
}

void sw_hosts_pods_init(struct sw_hosts *hosts)
{
    hosts->runner = (struct sw_pod_runner){.ctx = hosts,
                                           .observe = runner_observe,
                                           .open = runner_open,
                                           .update = runner_open,
                                           .close = runner_close,
                                           .set_quota = sw_hosts_set_quota};
}

void sw_hosts_pods_done(struct sw_hosts *hosts)
{
    struct sw_map_entry found;
    size_t cursor = 0;

    while (hosts->pods != NULL && sw_map_next(hosts->pods, &cursor, &found))
        free(found.value);
    cursor = 0;
    while (hosts->routes != NULL && sw_map_next(hosts->routes, &cursor, &found))
        free(found.value);
}
