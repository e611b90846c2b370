#include "cmd/swarmd/daemon.h"

#include "cmd/swarmd/agents.h"
#include "cmd/swarmd/backup.h"
#include "cmd/swarmd/broker.h"
#include "cmd/swarmd/builtin.h"
#include "cmd/swarmd/controllers.h"
#include "cmd/swarmd/engines.h"
#include "cmd/swarmd/figures.h"
#include "cmd/swarmd/hosts.h"
#include "cmd/swarmd/identity.h"
#include "cmd/swarmd/keys.h"
#include "cmd/swarmd/modules.h"
#include "cmd/swarmd/process.h"
#include "pkg/backup/lineage.h"
#include "pkg/communication/protocol/server.h"
#include "pkg/metrics/collector/collector.h"
#include "pkg/store/sqlite/sqlite.h"
#include "pkg/utils/base/hash.h"
#include "pkg/utils/base/text.h"
#include "pkg/utils/version/version.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define DRAIN_CHECK_MS 20
#define DRAIN_MS_MAX 5000
#define DRAIN_EVENTS_MS_MAX 1000
#define KEY_FILE "compiler.key"
#define ADDRESS_SIZE 320 /* More than api.listen may have, and a port. */

/* In the order in which they are made; they are freed in the opposite one. */
struct daemon {
    const struct sw_system *system;
    const struct sw_settings *settings;
    const struct sw_logger *logger;
    struct sw_loop *loop;
    struct identity *identity;
    struct sw_store *store;
    struct sw_keyring *ring; /* With which Secrets are sealed. */
    struct sw_objects *objects;
    struct sw_collector *collector;
    struct sw_logs *logs;
    struct modules_adapter modules;
    struct engines engines;
    struct sw_cgroups *cgroups;
    struct agents_adapter agents;
    struct broker broker; /* And the services that agents may call. */
    struct process process;
    struct figures figures;
    struct backup_adapter backup;
    struct keys_adapter keys;
    struct sw_lineage lineage; /* Timeline 1: the folder was never restored. */
    struct sw_gateway *gateway;
    struct sw_http_server *server;
    struct controllers *controllers;
    char address[ADDRESS_SIZE]; /* Where the server listens; the Node tells of it. */
    struct sw_timer *drain;
    uint64_t drain_until_ms;
    bool is_host_up, is_stopping, is_broker_stopped;
    struct sw_err failure; /* Why it ends, when not by a signal. */
};

static uint64_t now_ms(const struct daemon *daemon)
{
    return daemon->system->monotonic_ns(daemon->system->ctx) / 1000000;
}

static char *path_in(const struct daemon *daemon, const char *name, char ret_path[SW_PATH_MAX])
{
    (void)snprintf(ret_path, SW_PATH_MAX, "%s/%s", daemon->settings->data_folder, name);
    return ret_path;
}

/* --- Stopping -------------------------------------------------------------------------------- */

/* What hosts said with their last words is written before the end, if the store takes it. */
static void drain_events(struct daemon *daemon)
{
    if (controllers_flush_events(daemon->controllers) == 0 ||
        now_ms(daemon) >= daemon->drain_until_ms)
        sw_loop_stop(daemon->loop);
    else
        sw_timer_start(daemon->drain, DRAIN_CHECK_MS);
}

static void on_broker_stopped(void *ctx)
{
    struct daemon *daemon = ctx;

    daemon->is_broker_stopped = true;
    daemon->drain_until_ms = now_ms(daemon) + DRAIN_EVENTS_MS_MAX;
    drain_events(daemon);
}

static void on_agents_stopped(void *ctx)
{
    struct daemon *daemon = ctx;

    broker_stop(&daemon->broker, on_broker_stopped, daemon);
}

/* Requests that are under way may finish; then the agent host takes its snapshot. */
static void on_drain(void *ctx)
{
    struct daemon *daemon = ctx;

    if (daemon->is_broker_stopped) {
        drain_events(daemon);
        return;
    }
    if (!sw_http_server_is_drained(daemon->server) && now_ms(daemon) < daemon->drain_until_ms) {
        sw_timer_start(daemon->drain, DRAIN_CHECK_MS);
        return;
    }
    broker_quiesce(&daemon->broker);
    sw_hosts_stop(daemon->agents.hosts, on_agents_stopped, daemon);
}

static void on_signal(void *ctx, int number)
{
    struct daemon *daemon = ctx;

    if (number == SIGHUP)
        return; /* A terminal that went away stops nothing. */
    if (daemon->is_stopping) {
        sw_log(daemon->logger, SW_LOG_WARN, "daemon", "stopping at once; the journal is kept");
        sw_loop_stop(daemon->loop);
        return;
    }
    daemon->is_stopping = true;
    sw_log(daemon->logger, SW_LOG_INFO, "daemon", "stopping; all data is kept");
    controllers_set_ready(daemon->controllers, false, "the node is stopping");
    sw_gateway_drain(daemon->gateway);
    sw_http_server_drain(daemon->server);
    daemon->drain_until_ms = now_ms(daemon) + DRAIN_MS_MAX;
    on_drain(daemon);
}

/* Durability is in doubt: end before anything more is promised. */
static void on_fatal(void *ctx, const struct sw_err *err)
{
    struct daemon *daemon = ctx;

    daemon->failure = *err;
    daemon->failure.rc = SW_E_INTERNAL;
    sw_log(daemon->logger, SW_LOG_ERROR, "store", "%s; stopping", err->message);
    sw_loop_stop(daemon->loop);
}

/* --- Starting -------------------------------------------------------------------------------- */

static enum sw_rc post(void *ctx, void (*call)(void *argument), void *argument)
{
    return sw_loop_post(ctx, call, argument);
}

static void on_bootstrapped(void *ctx, const struct sw_object_result *result)
{
    struct daemon *daemon = ctx;

    if (result->rc != SW_OK)
        daemon->failure = *result->err;
    sw_loop_stop(daemon->loop);
}

static bool is_no_journal(void *ctx, const char *name)
{
    bool *ret_has_journal = ctx;

    *ret_has_journal = strncmp(name, "journal-", 8) == 0;
    return !*ret_has_journal;
}

struct journal_search {
    const struct sw_system *system;
    bool has_journal;
    char folder[SW_PATH_MAX + 96]; /* Where it is. */
};

static bool has_no_journal(void *ctx, const char *folder)
{
    struct journal_search *search = ctx;

    (void)snprintf(search->folder, sizeof search->folder, "%s", folder);
    return search->system->folder_list(search->system->ctx, folder, is_no_journal,
                                       &search->has_journal, NULL) != SW_OK ||
           !search->has_journal;
}

static bool is_empty(const struct daemon *daemon, const char *name)
{
    struct sw_file_view view;
    char path[SW_PATH_MAX];

    return daemon->system->path_view(daemon->system->ctx, path_in(daemon, name, path), &view,
                                     NULL) != SW_OK ||
           view.size_bytes == 0;
}

/* A store that is gone would be made anew, empty, and every Agent would be gone with it, while
 * their memory still lies in the journal. */
static enum sw_rc store_check(const struct daemon *daemon, struct sw_err *err)
{
    const struct sw_system *system = daemon->system;
    const char *folder = daemon->settings->data_folder;
    struct journal_search search = {.system = system};

    if (!is_empty(daemon, "store.db") || !is_empty(daemon, "store.db-wal") ||
        sw_hosts_folders(system, folder, has_no_journal, &search, NULL) != SW_OK ||
        !search.has_journal)
        return SW_OK;
    (void)sw_err_set(err, SW_E_CORRUPT,
                     "%.150s/store.db is missing or empty, but %.200s holds the memory of agents",
                     folder, search.folder);
    sw_err_hint(err, "put a backup in its place with: swarmctl store restore FILE; to begin anew, "
                     "move the folders agents and hosts away");
    return SW_E_CORRUPT;
}

/* What was restored goes on under the names that it had: Pods are of a Node, identities of a
 * cluster. */
static enum sw_rc lineage_check(struct daemon *daemon, struct sw_err *err)
{
    const struct sw_settings *settings = daemon->settings;
    struct sw_lineage *lineage = &daemon->lineage;
    char point[SW_TIME_TEXT_SIZE];
    enum sw_rc rc = sw_lineage_load(daemon->system, settings->data_folder, lineage, err);

    if (rc != SW_OK)
        return rc == SW_E_NOT_FOUND ? SW_OK : rc;
    if (strcmp(lineage->node, settings->node) != 0 ||
        strcmp(lineage->cluster, settings->cluster) != 0) {
        rc = sw_err_set(err, SW_E_PRECONDITION,
                        "%.150s was restored from Node %s of cluster %s, and this is %s of %s",
                        settings->data_folder, lineage->node, lineage->cluster, settings->node,
                        settings->cluster);
        sw_err_hint(err, "start it with: --node %s --cluster %s", lineage->node, lineage->cluster);
        return rc;
    }
    sw_time_print(lineage->point_ns, point);
    sw_log(daemon->logger, SW_LOG_INFO, "backup",
           "this is timeline %" PRIu64 ", restored from backup %s of %s", lineage->timeline,
           lineage->backup, point);
    return SW_OK;
}

/* For people: what they see is not all that was. */
static void lineage_tell(struct daemon *daemon)
{
    const struct sw_lineage *lineage = &daemon->lineage;
    char words[SW_ERR_MESSAGE_MAX], point[SW_TIME_TEXT_SIZE];

    if (lineage->timeline == 1)
        return;
    sw_time_print(lineage->point_ns, point);
    (void)snprintf(words, sizeof words,
                   "this is timeline %" PRIu64 ", restored from backup %s of %s; what was "
                   "acknowledged after that is not in it",
                   lineage->timeline, lineage->backup, point);
    controllers_tell_host(daemon->controllers, false, "Restored", words);
}

/* The keys of Secrets. */
static enum sw_rc ring_open(struct daemon *daemon, struct sw_err *err)
{
    const struct sw_keyring_options options = {daemon->system, daemon->settings->data_folder};
    bool is_new = false;
    enum sw_rc rc = sw_keyring_open(&options, &daemon->ring, &is_new, err);

    if (rc == SW_OK && is_new)
        sw_log(daemon->logger, SW_LOG_INFO, "secrets",
               "made the key %s, with which Secrets are sealed, in %s/%s",
               sw_keyring_id(daemon->ring, 0), options.folder, SW_RING_FILE);
    return rc;
}

static enum sw_rc store_start(struct daemon *daemon, struct sw_err *err)
{
    const struct sw_settings *settings = daemon->settings;
    struct sw_store_limits limits = {
        .history_events_max = settings->store.history_events_max,
        .history_bytes_max = settings->store.history_bytes_max,
        .queue_txns_max = settings->store.queue_txns_max,
        .queue_bytes_max = settings->store.queue_bytes_max,
        .watches_max = settings->store.watches_max,
    };
    char path[SW_PATH_MAX];
    struct sw_sqlite_options options = {.system = daemon->system,
                                        .path = path_in(daemon, "store.db", path),
                                        .post = {.ctx = daemon->loop, .post = post},
                                        .limits = &limits,
                                        .on_fatal = on_fatal,
                                        .ctx = daemon};
    enum sw_rc rc = daemon->system->folder_make(daemon->system->ctx, settings->data_folder, err);

    if (rc == SW_OK)
        rc = lineage_check(daemon, err);
    if (rc == SW_OK)
        rc = store_check(daemon, err);
    if (rc == SW_OK)
        rc = sw_sqlite_open(&options, &daemon->store, err);
    if (rc == SW_OK)
        rc = ring_open(daemon, err);
    if (rc != SW_OK)
        return rc;
    daemon->objects = sw_objects_new(daemon->store, daemon->system);
    if (daemon->objects == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for the store");
    sw_objects_set_ring(daemon->objects, daemon->ring);
    rc = sw_objects_bootstrap(daemon->objects, on_bootstrapped, daemon, err);
    if (rc != SW_OK)
        return rc;
    sw_loop_run(daemon->loop);
    if (daemon->failure.rc != SW_OK)
        *err = daemon->failure;
    return daemon->failure.rc;
}

/* The one that the settings give, or the one that was installed with us. */
static enum sw_rc program_find(const char *given, const char *program, char ret_path[SW_PATH_MAX],
                               struct sw_err *err)
{
    if (given[0] == '\0')
        return sw_system_program(program, ret_path, err);
    (void)snprintf(ret_path, SW_PATH_MAX, "%s", given);
    return SW_OK;
}

/* The key under which machine code is sealed: made once, and ours alone. */
static enum sw_rc key_open(struct daemon *daemon, uint8_t ret_key[SW_COMPILER_KEY_SIZE],
                           struct sw_err *err)
{
    const struct sw_system *system = daemon->system;
    struct sw_buffer bytes;
    char path[SW_PATH_MAX];
    enum sw_rc rc;

    path_in(daemon, KEY_FILE, path);
    sw_buffer_init(&bytes, SW_COMPILER_KEY_SIZE);
    rc = sw_file_load(system, path, SW_COMPILER_KEY_SIZE, &bytes, err);
    if (rc == SW_OK && bytes.size == SW_COMPILER_KEY_SIZE) {
        (void)memcpy(ret_key, bytes.data, SW_COMPILER_KEY_SIZE);
    } else if (rc == SW_OK || rc == SW_E_NOT_FOUND || rc == SW_E_RANGE) {
        /* Without the right key the cache is merely made anew. */
        system->random(system->ctx, ret_key, SW_COMPILER_KEY_SIZE);
        rc = sw_file_save(system, path, ret_key, SW_COMPILER_KEY_SIZE, err);
    }
    sw_buffer_done(&bytes);
    return rc;
}

static enum sw_rc modules_start(struct daemon *daemon, struct sw_err *err)
{
    static char program[SW_PATH_MAX]; /* Borrowed for good. */
    char folder[SW_PATH_MAX], cache[SW_PATH_MAX];
    struct sw_compiler_options options = {.loop = daemon->loop,
                                          .system = daemon->system,
                                          .program = program,
                                          .folder = path_in(daemon, "compiled", cache)};
    enum sw_rc rc = sw_modules_open(daemon->system, path_in(daemon, "modules", folder),
                                    &daemon->modules.modules, err);

    if (rc == SW_OK)
        rc = builtins_keep(daemon->modules.modules, err);
    if (rc == SW_OK)
        rc = key_open(daemon, options.key, err);
    if (rc == SW_OK)
        rc = program_find(daemon->settings->compiler_program, "swarm-compiler", program, err);
    daemon->engines.compiler_path = program;
    memcpy(daemon->engines.key, options.key, sizeof options.key);
    if (rc == SW_OK)
        rc = sw_compiler_new(&options, &daemon->modules.compiler, err);
    return rc;
}

/* Of this data folder's daemon, of which one runs at a time. */
static enum sw_rc cgroups_start(struct daemon *daemon, struct sw_err *err)
{
    static const uint8_t key[16] = "control group";
    const struct sw_settings *settings = daemon->settings;
    char name[32];
    struct sw_cgroups_options options = {.system = daemon->system,
                                         .name = name,
                                         .has_tasks = true,
                                         .memory_bytes_max = settings->agents.host_memory_bytes,
                                         .cpu_weight = (unsigned)settings->agents.host_cpu_weight};
    struct sw_cgroups_view view;

    (void)snprintf(name, sizeof name, "swarm-%016" PRIx64,
                   sw_siphash(key, settings->data_folder, strlen(settings->data_folder)));
    daemon->cgroups = sw_cgroups_new(&options);
    if (daemon->cgroups == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for control groups");
    sw_cgroups_view(daemon->cgroups, &view);
    if (view.missing[0] != '\0')
        sw_log(daemon->logger, settings->agents.host_memory_bytes > 0 ? SW_LOG_WARN : SW_LOG_INFO,
               "agents", "agent hosts go on without control groups of their own for %s",
               view.missing);
    return SW_OK;
}

/* Once, for people: what limits of hosts are not enforced. */
static void cgroups_tell(struct daemon *daemon)
{
    struct sw_cgroups_view view;
    char words[SW_ERR_MESSAGE_MAX + sizeof view.missing];

    sw_cgroups_view(daemon->cgroups, &view);
    if (view.missing[0] == '\0')
        return;
    (void)snprintf(words, sizeof words,
                   "agent hosts have no control groups of their own for %s; limits of whole hosts "
                   "are not enforced there",
                   view.missing);
    controllers_tell_host(daemon->controllers, daemon->settings->agents.host_memory_bytes > 0,
                          "NoControlGroups", words);
}

/* Older engines have their say before ours is started. */
static void engines_start(struct daemon *daemon, const char *host_path)
{
    struct engines *engines = &daemon->engines;

    engines->system = daemon->system;
    engines->logger = daemon->logger;
    engines->loop = daemon->loop;
    engines->modules = daemon->modules.modules;
    engines->host_path = host_path;
    engines->data_folder = daemon->settings->data_folder;
    (void)path_in(daemon, "engines", engines->folder);
    (void)path_in(daemon, "compiled", engines->cache);
    engines_pack(engines);
}

/* An Event of the Node about one of its hosts. */
static void host_tell(struct daemon *daemon, const struct sw_host_about *about, bool is_warning,
                      const char *reason, const char *words)
{
    char text[SW_ERR_MESSAGE_MAX + SW_HOST_NAME_SIZE + 16];

    (void)snprintf(text, sizeof text, "agent host %s: %s", about->name, words);
    controllers_tell_host(daemon->controllers, is_warning, reason, text);
}

static void on_host(void *ctx, const struct sw_host_about *about, bool is_up, const char *words)
{
    struct daemon *daemon = ctx;
    bool is_shared = about->isolation == SW_POD_ISOLATION_SHARED;

    if (is_shared)
        daemon->is_host_up = is_up;
    sw_log(daemon->logger, is_up || daemon->is_stopping ? SW_LOG_INFO : SW_LOG_WARN, "agents",
           "the agent host %s is %s: %s", about->name, is_up ? "up" : "down", words);
    if (daemon->controllers == NULL)
        return;
    if (!is_up && !daemon->is_stopping)
        host_tell(daemon, about, true, "HostDown", words);
    if (is_shared)
        controllers_set_ready(daemon->controllers, is_up, words);
    controllers_hosts_changed(daemon->controllers);
}

static void on_host_event(void *ctx, const struct sw_host_about *about, bool is_warning,
                          const char *reason, const char *words)
{
    struct daemon *daemon = ctx;

    if (daemon->controllers != NULL)
        host_tell(daemon, about, is_warning, reason, words);
}

static void on_log(void *ctx, const struct sw_agent_log *log)
{
    struct daemon *daemon = ctx;

    agents_adapter_on_log(&daemon->agents, log);
}

static enum sw_rc services_make(struct daemon *daemon, struct sw_err *err)
{
    daemon->broker.loop = daemon->loop;
    daemon->broker.system = daemon->system;
    daemon->broker.logger = daemon->logger;
    daemon->broker.ring = daemon->ring;
    daemon->broker.timeline = daemon->lineage.timeline;
    daemon->broker.objects = daemon->objects;
    return broker_start(&daemon->broker, daemon->settings, err);
}

static enum sw_rc processes_start(struct daemon *daemon, struct sw_err *err)
{
    daemon->process = (struct process){.loop = daemon->loop,
                                       .system = daemon->system,
                                       .logger = daemon->logger,
                                       .modules = daemon->modules.modules,
                                       .cgroups = daemon->cgroups,
                                       .broker = &daemon->broker};
    return process_start(&daemon->process, daemon->settings->data_folder,
                         (unsigned)daemon->settings->agents.processes_max, err);
}

static enum sw_rc agents_start(struct daemon *daemon, struct sw_err *err)
{
    const struct sw_settings *settings = daemon->settings;
    struct sw_logs_options logs = {.bytes_max = settings->agents.log_bytes_max,
                                   .agent_bytes_max = settings->agents.log_agent_bytes_max,
                                   .followers_max = settings->agents.log_followers_max};
    static char program[SW_PATH_MAX]; /* Borrowed for good. */
    struct sw_hosts_options options = {
        .host = {.loop = daemon->loop,
                 .system = daemon->system,
                 .logger = daemon->logger,
                 .host_path = program,
                 .machine_code = modules_adapter_code(&daemon->modules),
                 .services = daemon->broker.services,
                 .workers = (unsigned)settings->agents.workers,
                 .requests_max = (unsigned)settings->agents.requests_max,
                 .snapshot_bytes = settings->agents.snapshot_bytes,
                 .awake_bytes = settings->agents.awake_bytes,
                 .history_bytes = settings->agents.history_bytes,
                 .stop_deadline_ms = settings->agents.stop_timeout_ns / 1000000,
                 .ping_ms = settings->agents.ping_ns / 1000000},
        .data_folder = settings->data_folder,
        .bridge_digest = builtin_digest("bridge"),
        .observer = {.ctx = daemon,
                     .on_log = on_log,
                     .on_host = on_host,
                     .on_event = on_host_event},
        .cgroups = daemon->cgroups,
        .hosts_max = (unsigned)settings->agents.hosts_max,
        .linger_ms = settings->agents.host_linger_ns / 1000000,
        .is_needed = hosts_is_needed,
        .ctx = daemon->objects,
    };
    enum sw_rc rc = program_find(settings->agent_host_program, "swarm-agent-host", program, err);

    daemon->logs = sw_logs_new(&logs);
    if (rc == SW_OK && daemon->logs == NULL)
        rc = sw_err_set(err, SW_E_EXHAUSTED, "no memory for the logs of agents");
    if (rc == SW_OK)
        engines_start(daemon, program);
    if (rc == SW_OK)
        rc = sw_hosts_new(&options, &daemon->agents.hosts, err);
    daemon->agents.logs = daemon->logs;
    daemon->agents.node_name = settings->node;
    return rc;
}

/* api.listen with the port that was bound in place of the one asked for, which may be 0. */
static void address_fill(struct daemon *daemon)
{
    const char *listen = daemon->settings->api.listen;
    const char *colon = strrchr(listen, ':');
    int host_size = (int)(colon == NULL ? strlen(listen) : (size_t)(colon - listen));

    (void)snprintf(daemon->address, sizeof daemon->address, "%.*s:%u", host_size, listen,
                   (unsigned)sw_http_server_port(daemon->server));
}

static enum sw_rc collector_start(struct daemon *daemon, struct sw_err *err)
{
    struct sw_module_controller_options options = {
        .loop = daemon->loop,
        .system = daemon->system,
        .logger = daemon->logger,
        .store = daemon->store,
        .grace_ms = daemon->settings->agents.module_grace_ns / 1000000};

    daemon->modules.hosts = daemon->agents.hosts;
    modules_adapter_collect(&daemon->modules, &options);
    return sw_module_controller_new(&options, &daemon->modules.collector, err);
}

/* After the server has its port, which the Node tells others. */
static enum sw_rc controllers_start(struct daemon *daemon, struct sw_err *err)
{
    long cpus = sysconf(_SC_NPROCESSORS_ONLN), pages = sysconf(_SC_PHYS_PAGES);
    struct controllers_options options = {
        .loop = daemon->loop,
        .system = daemon->system,
        .logger = daemon->logger,
        .objects = daemon->objects,
        .runner = sw_hosts_runner(daemon->agents.hosts),
        .node_name = daemon->settings->node,
        .address = daemon->address,
        .cpus = cpus > 0 ? (uint32_t)cpus : 1,
        .memory_bytes = pages > 0 ? (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE) : 0,
        .each_host = hosts_each,
        .hosts_ctx = daemon->agents.hosts,
    };

    enum sw_rc rc;

    address_fill(daemon);
    rc = controllers_new(&options, &daemon->controllers, err);
    return rc == SW_OK ? broker_controller_start(&daemon->broker, daemon->objects,
                                                 controllers_events(daemon->controllers), err)
                       : rc;
}

static enum sw_rc ready(void *ctx, struct sw_err *err)
{
    const struct daemon *daemon = ctx;

    if (daemon->is_stopping)
        return sw_err_set(err, SW_E_UNAVAILABLE, "the daemon is stopping");
    if (!daemon->is_host_up)
        return sw_err_set(err, SW_E_UNAVAILABLE, "the agent host is not up");
    return SW_OK;
}

static enum sw_rc gateway_start(struct daemon *daemon, struct sw_err *err)
{
    const struct sw_settings *settings = daemon->settings;
    struct sw_gateway_options options = {
        .loop = daemon->loop,
        .system = daemon->system,
        .objects = daemon->objects,
        .cluster = settings->cluster,
        .policy = sw_policy_default(),
        .agents = agents_adapter_gateway(&daemon->agents),
        .modules = modules_adapter_gateway(&daemon->modules),
        .models = broker_gateway(&daemon->broker),
        .ready = ready,
        .ready_ctx = daemon,
    };
    struct sw_http_server_options server = {
        .loop = daemon->loop,
        .system = daemon->system,
        .address = settings->api.listen,
        .tls = identity_tls(daemon->identity),
        .limits = {.connections_max = settings->api.connections_max,
                   .streams_max = settings->api.streams_max,
                   .body_bytes_max = settings->api.body_bytes_max,
                   .bodies_bytes_max = settings->api.bodies_bytes_max,
                   .header_timeout_ms = settings->api.header_timeout_ns / 1000000,
                   .body_timeout_ms = settings->api.body_timeout_ns / 1000000,
                   .idle_timeout_ms = settings->api.idle_timeout_ns / 1000000,
                   .stall_timeout_ms = settings->api.stall_timeout_ns / 1000000},
    };
    enum sw_rc rc;

    daemon->backup = (struct backup_adapter){.loop = daemon->loop,
                                             .system = daemon->system,
                                             .logger = daemon->logger,
                                             .data_folder = settings->data_folder,
                                             .cluster = settings->cluster,
                                             .node = settings->node,
                                             .engine_key = daemon->engines.key,
                                             .modules = &daemon->modules};
    backup_adapter_start(&daemon->backup);
    options.backup = backup_adapter_gateway(&daemon->backup);
    daemon->keys = (struct keys_adapter){
        .objects = daemon->objects, .ring = daemon->ring, .logger = daemon->logger};
    options.keys = keys_adapter_gateway(&daemon->keys);
    daemon->collector = sw_collector_new();
    if (daemon->collector == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for metrics");
    options.collector = daemon->collector;
    daemon->figures.hosts = daemon->agents.hosts;
    daemon->figures.modules = daemon->modules.collector;
    daemon->figures.processes = daemon->process.service;
    rc = figures_add(&daemon->figures, daemon->collector, err);
    if (rc == SW_OK)
        rc = broker_figures_add(&daemon->broker, daemon->collector, err);
    if (rc == SW_OK)
        rc = sw_gateway_new(&options, &daemon->gateway, err);
    if (rc != SW_OK)
        return rc;
    server.handler = sw_gateway_handler(daemon->gateway);
    rc = sw_http_server_new(&server, &daemon->server, err);
    if (rc == SW_OK)
        sw_gateway_set_server(daemon->gateway, daemon->server);
    else
        sw_err_hint(err, "stop what listens there, or choose another place with: "
                         "--api-listen HOST:PORT");
    return rc;
}

static enum sw_rc signals_start(struct daemon *daemon, struct sw_err *err)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};

    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        enum sw_rc rc = sw_loop_on_signal(daemon->loop, numbers[i], on_signal, daemon, err);

        if (rc != SW_OK)
            return rc;
    }
    daemon->drain = sw_timer_new(daemon->loop, on_drain, daemon);
    return daemon->drain == NULL ? sw_err_set(err, SW_E_EXHAUSTED, "no memory for a timer") : SW_OK;
}

static enum sw_rc daemon_start(struct daemon *daemon, struct sw_err *err)
{
    struct identity_options identity = {
        .system = daemon->system, .settings = daemon->settings, .logger = daemon->logger};
    enum sw_rc rc = sw_loop_new(&daemon->loop, err);

    identity.loop = daemon->loop;
    if (rc == SW_OK)
        rc = identity_new(&identity, &daemon->identity, err);
    if (rc == SW_OK)
        rc = store_start(daemon, err);
    if (rc == SW_OK)
        rc = modules_start(daemon, err);
    if (rc == SW_OK)
        rc = services_make(daemon, err);
    if (rc == SW_OK)
        rc = cgroups_start(daemon, err);
    if (rc == SW_OK)
        rc = processes_start(daemon, err);
    if (rc == SW_OK)
        rc = agents_start(daemon, err);
    if (rc == SW_OK)
        rc = collector_start(daemon, err);
    if (rc == SW_OK)
        rc = gateway_start(daemon, err);
    if (rc == SW_OK)
        rc = controllers_start(daemon, err);
    if (rc == SW_OK)
        rc = signals_start(daemon, err);
    return rc;
}

static void daemon_free(struct daemon *daemon)
{
    broker_controller_free(&daemon->broker);
    controllers_free(daemon->controllers);
    if (daemon->gateway != NULL)
        sw_gateway_set_server(daemon->gateway, NULL);
    sw_http_server_free(daemon->server);
    backup_adapter_stop(&daemon->backup);
    keys_adapter_stop(&daemon->keys);
    sw_module_controller_free(daemon->modules.collector);
    daemon->modules.collector = NULL;
    sw_hosts_free(daemon->agents.hosts);
    process_free(&daemon->process);
    broker_free(&daemon->broker);
    if (daemon->modules.compiler != NULL)
        sw_compiler_free(daemon->modules.compiler);
    if (daemon->store != NULL)
        sw_store_free(daemon->store);
    sw_gateway_free(daemon->gateway);
    sw_objects_free(daemon->objects);
    sw_keyring_free(daemon->ring);
    if (daemon->modules.modules != NULL)
        sw_modules_close(daemon->modules.modules);
    sw_logs_free(daemon->logs);
    sw_collector_free(daemon->collector);
    identity_free(daemon->identity);
    if (daemon->drain != NULL)
        sw_timer_free(daemon->drain);
    sw_loop_free(daemon->loop);
    sw_cgroups_free(daemon->cgroups); /* What closes with the loop may be in one. */
}

/* One line for whoever waits for readiness by reading. */
static void ready_print(const struct daemon *daemon)
{
    (void)printf("swarmd %s serves https://127.0.0.1:%u (data in %s)\n", sw_version(),
                 (unsigned)sw_http_server_port(daemon->server), daemon->settings->data_folder);
    (void)fflush(stdout);
}

/* Connections, and files that a backup holds open, may be many. */
static void files_raise(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= limit.rlim_max)
        return;
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
}

/* What this process has in memory, Secrets among it, is not left in a file when it crashes. Whoever
 * needs a core dump asks for it: prlimit --core=unlimited --pid. */
static void cores_forbid(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_CORE, &limit) != 0)
        return;
    limit.rlim_cur = 0;
    (void)setrlimit(RLIMIT_CORE, &limit);
}

enum sw_rc daemon_run(const struct sw_system *system, const struct sw_settings *settings,
                      const struct sw_logger *logger, struct sw_err *err)
{
    struct daemon daemon = {.system = system, .settings = settings, .logger = logger};
    enum sw_rc rc;

    cores_forbid();
    files_raise();
    rc = daemon_start(&daemon, err);
    if (rc == SW_OK && settings->is_dev)
        rc = identity_write_admin(daemon.identity, sw_http_server_port(daemon.server), err);
    if (rc == SW_OK) {
        cgroups_tell(&daemon);
        lineage_tell(&daemon);
        ready_print(&daemon);
        engines_keep(&daemon.engines);
        sw_loop_run(daemon.loop);
        rc = daemon.failure.rc;
        if (rc != SW_OK)
            *err = daemon.failure;
    }
    daemon_free(&daemon);
    return rc;
}
