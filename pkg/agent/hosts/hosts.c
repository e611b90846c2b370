#include "pkg/agent/hosts/hosts.h"

#include "pkg/agent/hosts/state.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOSTS_DEFAULT 32
#define LINGER_MS_DEFAULT 2000
#define RECHECK_MS_DEFAULT 30000
#define LEAVING_MS_MAX 60000 /* For last messages of Agents that are gone. */
#define NEVER UINT64_MAX

uint64_t sw_hosts_now_ms(const struct sw_hosts *hosts)
{
    const struct sw_system *system = hosts->options.host.system;

    return system->monotonic_ns(system->ctx) / 1000000;
}

/* --- One host -------------------------------------------------------------------------------- */

static void on_log(void *ctx, const struct sw_agent_log *log)
{
    struct sw_hosts *hosts = ((struct sw_host *)ctx)->hosts;

    if (hosts->options.observer.on_log != NULL)
        hosts->options.observer.on_log(hosts->options.observer.ctx, log);
}

static void on_host(void *ctx, bool is_up, const char *words)
{
    struct sw_host *host = ctx;
    struct sw_hosts *hosts = host->hosts;
    struct sw_err err = {0};

    if (is_up && sw_host_usage_begin(host, &err) != SW_OK) {
        sw_agents_end_host(host->agents, err.message); /* Nothing has run in it yet. */
        return;
    }
    host->is_up = is_up;
    (void)snprintf(host->words, sizeof host->words, "%s", is_up ? "" : words);
    if (host->phase == SW_HOST_ENDING && !hosts->is_stopping)
        return; /* As it was told to. */
    if (hosts->options.observer.on_host != NULL)
        hosts->options.observer.on_host(hosts->options.observer.ctx, &host->about, is_up, words);
}

static void on_event(void *ctx, bool is_warning, const char *reason, const char *words)
{
    struct sw_host *host = ctx;
    struct sw_hosts *hosts = host->hosts;

    if (hosts->options.observer.on_event != NULL)
        hosts->options.observer.on_event(hosts->options.observer.ctx, &host->about, is_warning,
                                         reason, words);
}

static enum sw_rc host_start(struct sw_host *host, struct sw_err *err)
{
    struct sw_hosts *hosts = host->hosts;
    struct sw_agents_options options = hosts->options.host;
    const struct sw_pod_observer observer = sw_hosts_pod_observer(host);
    const struct sw_pod_runner *runner;
    enum sw_rc rc = sw_host_place_make(host, err);

    if (rc != SW_OK)
        return rc;
    options.name = host->about.name;
    options.folder = host->journal;
    options.identity_path = host->identity;
    options.calls_budget = hosts->calls_budget;
    host->bridge_service = sw_host_bridge_service(host);
    options.bridge = &host->bridge_service;
    options.is_of_one_agent = host->about.isolation == SW_POD_ISOLATION_AGENT;
    options.cgroup = host->cgroup = sw_host_cgroup_open(host);
    options.observer = (struct sw_agents_observer){.ctx = host,
                                                   .on_log = on_log,
                                                   .on_usage = sw_hosts_on_usage,
                                                   .on_throttled = sw_hosts_on_throttled,
                                                   .on_quota_held = sw_hosts_on_quota_held,
                                                   .on_host = on_host,
                                                   .on_event = on_event};
    rc = sw_agents_new(&options, &host->agents, err);
    if (rc != SW_OK) {
        sw_host_end(host);
        return rc;
    }
    runner = sw_agents_runner(host->agents);
    runner->observe(runner->ctx, &observer);
    host->phase = SW_HOST_RUNNING;
    host->is_unknown = host->is_unreadable = host->is_lost = false;
    host->idle_since_ms = sw_hosts_now_ms(hosts);
    host->words[0] = '\0';
    return SW_OK;
}

static bool is_of(const struct sw_host *host, const struct sw_host_about *about)
{
    if (host->about.isolation != about->isolation)
        return false;
    if (about->isolation == SW_POD_ISOLATION_SHARED)
        return true;
    return about->isolation == SW_POD_ISOLATION_NAMESPACE
               ? strcmp(host->about.name_space, about->name_space) == 0
               : strcmp(host->about.agent_uid, about->agent_uid) == 0;
}

static struct sw_host *find(const struct sw_hosts *hosts, const struct sw_host_about *about,
                            unsigned *ret_running)
{
    struct sw_host *found = NULL;

    *ret_running = 0;
    SW_LIST_EACH(&hosts->all, node)
    {
        struct sw_host *host = SW_LIST_ITEM(node, struct sw_host, node);

        *ret_running += host->agents != NULL;
        if (is_of(host, about))
            found = host;
    }
    return found;
}

enum sw_rc sw_hosts_get(struct sw_hosts *hosts, const struct sw_host_about *about,
                        struct sw_host **ret_host, struct sw_err *err)
{
    unsigned running;
    struct sw_host *host = find(hosts, about, &running);
    bool is_new = host == NULL;
    enum sw_rc rc;

    if (host != NULL && host->agents != NULL) {
        *ret_host = host;
        return SW_OK;
    }
    if (running >= hosts->options.hosts_max) {
        (void)sw_err_set(err, SW_E_EXHAUSTED,
                         "this Node runs %u agent hosts, the most it may, and %s would be one more",
                         running, about->name);
        sw_err_hint(err, "raise agents.hosts, or have fewer Agents with an isolation of their own");
        return SW_E_EXHAUSTED;
    }
    if (is_new)
        host = sw_host_new(hosts, about);
    if (host == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for the agent host %s", about->name);
    host->about = *about;
    host->is_fresh = is_new && about->isolation != SW_POD_ISOLATION_SHARED;
    rc = host_start(host, err);
    if (rc != SW_OK) {
        if (is_new)
            sw_host_free(host);
        return rc;
    }
    *ret_host = host;
    return SW_OK;
}

/* --- Ends ------------------------------------------------------------------------------------ */

static bool all_ended(const struct sw_hosts *hosts)
{
    SW_LIST_EACH(&hosts->all, node)
    {
        const struct sw_host *host = SW_LIST_ITEM(node, struct sw_host, node);

        if (host->phase == SW_HOST_RUNNING || host->phase == SW_HOST_ENDING)
            return false;
    }
    return true;
}

static void on_stopped(void *ctx)
{
    struct sw_host *host = ctx;
    struct sw_hosts *hosts = host->hosts;

    host->phase = SW_HOST_ENDED;
    sw_host_usage_keep(host);
    if (!hosts->is_stopping)
        sw_hosts_sweep_soon(hosts);
    else if (all_ended(hosts))
        hosts->stopped(hosts->stopped_ctx);
}

static void host_stop(struct sw_host *host)
{
    host->phase = SW_HOST_ENDING;
    sw_agents_stop(host->agents, on_stopped, host);
}

void sw_hosts_sweep_soon(struct sw_hosts *hosts)
{
    if (!hosts->is_stopping)
        sw_timer_start(hosts->sweep, 0);
}

/* A host that did not end in order has not told all that was used: it begins once more for that. */
static void have_it_told(struct sw_host *host)
{
    struct sw_hosts *hosts = host->hosts;
    struct sw_host *none;
    struct sw_err err = {0};

    host->asked_ms = sw_hosts_now_ms(hosts);
    if (sw_hosts_get(hosts, &host->about, &none, &err) != SW_OK)
        sw_log(hosts->options.host.logger, SW_LOG_WARN, "agents",
               "what the agent host %s used is not known yet: %s", host->about.name, err.message);
}

static bool is_needed(const struct sw_host *host)
{
    const struct sw_hosts_options *options = &host->hosts->options;

    return options->is_needed != NULL && options->is_needed(options->ctx, &host->about);
}

/* Nobody will run what is in it any more, and nobody can say what was used in it. */
static void give_up(struct sw_host *host)
{
    const struct sw_hosts_options *options = &host->hosts->options;
    char words[SW_PATH_MAX + 256];

    host->is_lost = true;
    sw_host_quota_forget(host);
    (void)snprintf(words, sizeof words,
                   "nobody needs its journal any more, which cannot be read, so what was used in "
                   "it is not known: mend it and start swarmd again, or stop swarmd and remove "
                   "%.4000s",
                   host->folder);
    sw_log(options->host.logger, SW_LOG_WARN, "agents", "the agent host %s: %s", host->about.name,
           words);
    if (options->observer.on_event != NULL)
        options->observer.on_event(options->observer.ctx, &host->about, true, "JournalUnreadable",
                                   words);
}

/* A folder without a host.  The time after which to look again. */
static uint64_t look_at_folder(struct sw_host *host)
{
    const struct sw_hosts_options *options = &host->hosts->options;
    uint64_t recheck_ms = options->recheck_ms;
    uint64_t asked_ago_ms = sw_hosts_now_ms(host->hosts) - host->asked_ms;
    struct sw_err err = {0};

    if (host->is_unknown || host->is_lost)
        return NEVER;
    if (host->is_unreadable && !host->has_usage && !is_needed(host)) {
        give_up(host);
        return NEVER;
    }
    if (!host->has_usage && host->asked_ms != 0 && asked_ago_ms < recheck_ms)
        return recheck_ms - asked_ago_ms; /* It could not, and cannot yet, most likely. */
    if (!host->has_usage)
        have_it_told(host);
    if (!host->has_usage || is_needed(host))
        return host->phase == SW_HOST_RUNNING ? options->linger_ms : recheck_ms;
    if (sw_host_usage_add(host, &err) == SW_OK)
        sw_host_place_remove(host);
    else
        sw_log(options->host.logger, SW_LOG_WARN, "agents",
               "the folder of the agent host %s stays for now, since what was used in it cannot be "
               "kept: %s",
               host->about.name, err.message);
    return recheck_ms;
}

/* What is to be done about a host now, which may be its end. The time after which to look again. */
static uint64_t look_at(struct sw_host *host)
{
    struct sw_hosts *hosts = host->hosts;
    uint64_t idle_ms = sw_hosts_now_ms(hosts) - host->idle_since_ms;
    struct sw_agents_view view;

    if (host == hosts->shared || host->phase == SW_HOST_ENDING)
        return NEVER;
    if (host->phase == SW_HOST_ENDED && host->pods > 0) {
        host->phase = SW_HOST_RUNNING;
        sw_agents_start(host->agents);
        return NEVER;
    }
    if (host->phase == SW_HOST_ENDED) {
        sw_agents_view(host->agents, &view);
        host->is_unreadable = view.is_unreadable;
        sw_host_end(host);
        host->phase = SW_HOST_DORMANT;
    }
    if (host->phase == SW_HOST_DORMANT)
        return look_at_folder(host);
    if (host->pods > 0)
        return NEVER;
    if (idle_ms < hosts->options.linger_ms)
        return hosts->options.linger_ms - idle_ms;
    sw_agents_view(host->agents, &view);
    if (view.calls_open > 0 && idle_ms < LEAVING_MS_MAX)
        return hosts->options.linger_ms;
    sw_log(hosts->options.host.logger, SW_LOG_INFO, "agents",
           "the agent host %s has no Pods any more: it is stopped", host->about.name);
    host_stop(host);
    return NEVER;
}

static void on_sweep(void *ctx)
{
    struct sw_hosts *hosts = ctx;
    uint64_t wait_ms = NEVER;

    SW_LIST_EACH(&hosts->all, node)
    {
        uint64_t this_ms = look_at(SW_LIST_ITEM(node, struct sw_host, node));

        if (this_ms < wait_ms)
            wait_ms = this_ms;
    }
    if (wait_ms != NEVER)
        sw_timer_start(hosts->sweep, wait_ms);
}

/* --- All ------------------------------------------------------------------------------------- */

static void defaults_fill(struct sw_hosts_options *options)
{
    if (options->hosts_max == 0)
        options->hosts_max = HOSTS_DEFAULT;
    if (options->hosts_max > SW_HOSTS_MAX)
        options->hosts_max = SW_HOSTS_MAX;
    if (options->linger_ms == 0)
        options->linger_ms = LINGER_MS_DEFAULT;
    if (options->recheck_ms == 0)
        options->recheck_ms = RECHECK_MS_DEFAULT;
}

enum sw_rc sw_hosts_new(const struct sw_hosts_options *options, struct sw_hosts **ret_hosts,
                        struct sw_err *err)
{
    static const struct sw_host_about shared = {.isolation = SW_POD_ISOLATION_SHARED,
                                                .name = "shared"};
    SW_CLEANUP(sw_hosts_freep) struct sw_hosts *made = calloc(1, sizeof *made);
    enum sw_rc rc;

    if (made == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for the agent hosts");
    made->options = *options;
    defaults_fill(&made->options);
    sw_list_init(&made->all);
    sw_list_init(&made->carriages);
    sw_pasts_init(&made->pasts);
    sw_hosts_pods_init(made);
    made->calls_budget = sw_calls_budget_new();
    made->pods = sw_map_new(0);
    made->routes = sw_map_new(0);
    made->usages = sw_map_new(0);
    made->quotas = sw_map_new(0);
    made->gone = sw_map_new(0);
    made->gone_ids = sw_map_new(0);
    made->sweep = sw_timer_new(options->host.loop, on_sweep, made);
    made->bridging = sw_timer_new(options->host.loop, sw_hosts_bridge, made);
    if (made->calls_budget == NULL || made->pods == NULL || made->routes == NULL ||
        made->usages == NULL || made->quotas == NULL || made->gone == NULL ||
        made->gone_ids == NULL || made->sweep == NULL || made->bridging == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for the agent hosts");
    rc = sw_hosts_gone_load(made, err);
    if (rc == SW_OK)
        rc = sw_hosts_get(made, &shared, &made->shared, err);
    if (rc == SW_OK)
        rc = sw_hosts_scan(made, err);
    if (rc != SW_OK)
        return rc;
    sw_hosts_sweep_soon(made);
    *ret_hosts = SW_TAKE(made);
    return SW_OK;
}

void sw_hosts_stop(struct sw_hosts *hosts, void (*stopped)(void *ctx), void *ctx)
{
    assert(hosts->stopped == NULL);
    hosts->is_stopping = true;
    hosts->stopped = stopped;
    hosts->stopped_ctx = ctx;
    sw_timer_stop(hosts->sweep);
    sw_timer_stop(hosts->bridging);
    /* The shared one is among them, so that the last of them is heard of. */
    SW_LIST_EACH(&hosts->all, node)
    {
        struct sw_host *host = SW_LIST_ITEM(node, struct sw_host, node);

        if (host->phase == SW_HOST_RUNNING)
            host_stop(host);
    }
}

void sw_hosts_free(struct sw_hosts *hosts)
{
    if (hosts == NULL)
        return;
    sw_pasts_done(&hosts->pasts);
    SW_LIST_EACH(&hosts->all, node)
    sw_host_free(SW_LIST_ITEM(node, struct sw_host, node));
    sw_hosts_carriages_done(hosts);
    sw_hosts_pods_done(hosts);
    sw_map_free(hosts->pods);
    sw_map_free(hosts->routes);
    sw_hosts_usage_done(hosts);
    sw_hosts_gone_done(hosts);
    sw_hosts_quota_done(hosts);
    sw_calls_budget_free(hosts->calls_budget);
    if (hosts->sweep != NULL)
        sw_timer_free(hosts->sweep);
    if (hosts->bridging != NULL)
        sw_timer_free(hosts->bridging);
    free(hosts);
}

/* --- Views ----------------------------------------------------------------------------------- */

void sw_hosts_each(const struct sw_hosts *hosts,
                   void (*visit)(void *ctx, const struct sw_host_view *view), void *ctx)
{
    SW_LIST_EACH(&hosts->all, node)
    {
        const struct sw_host *host = SW_LIST_ITEM(node, struct sw_host, node);
        struct sw_host_view view = {
            .about = &host->about,
            .words = host->words,
            .cgroup = host->cgroup == NULL ? "" : sw_cgroup_memory_path(host->cgroup)};

        if (host->agents == NULL)
            continue;
        sw_agents_view(host->agents, &view.agents);
        view.agents.pods = host->pods;
        view.phase = host->phase != SW_HOST_RUNNING ? "Stopping"
                     : view.agents.is_up            ? "Up"
                     : view.agents.host_pid != 0    ? "Starting"
                                                    : "Down";
        visit(ctx, &view);
    }
}

static void add(void *ctx, const struct sw_host_view *view)
{
    struct sw_agents_view *sum = ctx;
    const struct sw_agents_view *one = &view->agents;

    if (view->about->isolation == SW_POD_ISOLATION_SHARED) {
        sum->is_up = one->is_up;
        sum->host_pid = one->host_pid;
    }
    sum->host_starts += one->host_starts;
    sum->pods += one->pods;
    sum->instances += one->instances;
    sum->waiting += one->waiting;
    sum->memory_bytes += one->memory_bytes;
    sum->packed_bytes += one->packed_bytes;
    sum->asleep += one->asleep;
    sum->shelf_bytes += one->shelf_bytes;
    sum->hibernated += one->hibernated;
    sum->woken += one->woken;
    sum->segments += one->segments;
    sum->failures += one->failures;
    sum->sends += one->sends;
    sum->publishes += one->publishes;
    sum->replies += one->replies;
    sum->refused += one->refused;
    sum->replayed += one->replayed;
    sum->retried += one->retried;
    sum->parked += one->parked;
    sum->expired += one->expired;
    sum->calls += one->calls;
    sum->calls_open += one->calls_open;
    sum->epochs += one->epochs;
    sum->journal_bytes += one->journal_bytes;
    sum->requests += one->requests;
    sum->journal_kept_bytes += one->journal_kept_bytes;
    sum->snapshots += one->snapshots;
    sum->snapshots_failed += one->snapshots_failed;
    sum->snapshot_bytes += one->snapshot_bytes;
    sum->still_ns += one->still_ns;
    sum->rebalanced += one->rebalanced;
}

void sw_hosts_view(const struct sw_hosts *hosts, struct sw_agents_view *ret_view)
{
    *ret_view = (struct sw_agents_view){0};
    sw_hosts_each(hosts, add, ret_view);
}
