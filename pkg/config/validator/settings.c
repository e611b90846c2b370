#include "pkg/config/validator/settings.h"

#include "pkg/utils/base/text.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define KIB UINT64_C(1024)
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)
#define MS_NS UINT64_C(1000000)
#define S_NS (1000 * MS_NS)
#define MIN_NS (60 * S_NS)
#define DAY_NS (24 * 60 * MIN_NS)

#define AT(field) offsetof(struct sw_settings, field)

static const char *const log_levels[] = {"debug", "info", "warn", "error", NULL};
static const char *const log_formats[] = {"text", "json", NULL};

/* clang-format off: one row, a few short lines. */
static const struct sw_setting rows[] = {
    {"dev", SW_SETTING_SWITCH, "false", NULL, 0, 0, NULL, AT(is_dev),
     "A developer's swarm: everything in the user's folders, an authority and an admin of its "
     "own."},
    {"cluster", SW_SETTING_LABEL, "swarm", NULL, 1, 63, NULL, AT(cluster),
     "Name of the cluster, the first part of every identity."},
    {"node", SW_SETTING_LABEL, "node-1", NULL, 1, 63, NULL, AT(node),
     "Name of this Node in the cluster."},
    {"data", SW_SETTING_PATH, "/var/lib/swarm", "{data}/swarm", 1, 3000, NULL, AT(data_folder),
     "Folder of the store, the journals, the modules and the authority."},
    {"admin", SW_SETTING_PATH, "/etc/swarm", "{config}/swarm", 1, 3000, NULL, AT(admin_folder),
     "Folder into which the context and the credentials of the admin are written."},
    {"api.listen", SW_SETTING_ADDRESS, "127.0.0.1:7420", NULL, 1, 255, NULL, AT(api.listen),
     "Where the API port listens; port 0 takes any free one."},
    {"api.hosts", SW_SETTING_HOSTS, "", NULL, 0, 1024, NULL, AT(api.hosts),
     "Further names and addresses of the API in its certificate, with commas between."},
    {"api.connections", SW_SETTING_COUNT, "4096", NULL, 1, 65536, NULL, AT(api.connections_max),
     "Most connections to the API at once."},
    {"api.streams", SW_SETTING_COUNT, "256", NULL, 1, 65536, NULL, AT(api.streams_max),
     "Most requests at once on one HTTP/2 connection."},
    {"api.body-size", SW_SETTING_SIZE, "8MiB", NULL, 64 * KIB, GIB, NULL, AT(api.body_bytes_max),
     "Largest body of a request, modules excepted."},
    {"api.bodies-size", SW_SETTING_SIZE, "512MiB", NULL, MIB, 64 * GIB, NULL,
     AT(api.bodies_bytes_max), "Memory for all bodies and answers that are held at once."},
    {"api.header-timeout", SW_SETTING_DURATION, "10s", NULL, 100 * MS_NS, 10 * MIN_NS, NULL,
     AT(api.header_timeout_ns), "From the first byte of a request to its last header."},
    {"api.body-timeout", SW_SETTING_DURATION, "1m", NULL, 100 * MS_NS, 60 * MIN_NS, NULL,
     AT(api.body_timeout_ns), "From the last header of a request to its whole body."},
    {"api.idle-timeout", SW_SETTING_DURATION, "5m", NULL, S_NS, DAY_NS, NULL,
     AT(api.idle_timeout_ns), "After this long without a request a connection is closed."},
    {"api.stall-timeout", SW_SETTING_DURATION, "30s", NULL, S_NS, DAY_NS, NULL,
     AT(api.stall_timeout_ns),
     "A client that takes nothing of what waits for it is dropped after this."},
    {"store.history", SW_SETTING_COUNT, "65536", NULL, 16, 100000000, NULL,
     AT(store.history_events_max), "Changes from which watches and paged lists can go on."},
    {"store.history-size", SW_SETTING_SIZE, "32MiB", NULL, MIB, 64 * GIB, NULL,
     AT(store.history_bytes_max), "Memory for those changes."},
    {"store.queue", SW_SETTING_COUNT, "16384", NULL, 16, 1000000, NULL, AT(store.queue_txns_max),
     "Transactions that may wait for the disk."},
    {"store.queue-size", SW_SETTING_SIZE, "64MiB", NULL, MIB, 64 * GIB, NULL,
     AT(store.queue_bytes_max), "Memory for those transactions."},
    {"store.watches", SW_SETTING_COUNT, "4096", NULL, 64, 1000000, NULL, AT(store.watches_max),
     "Most watches at once."},
    {"agents.workers", SW_SETTING_COUNT, "0", NULL, 0, 256, NULL, AT(agents.workers),
     "Threads of an agent host that run instances; 0: one per processor."},
    {"agents.hosts", SW_SETTING_COUNT, "32", NULL, 1, 256, NULL, AT(agents.hosts_max),
     "Most agent hosts at once: the shared one, and those of Agents and namespaces that are "
     "isolated. A Pod that would need one more waits."},
    {"agents.host-memory", SW_SETTING_SIZE, "0", NULL, 0, 1024 * GIB, NULL,
     AT(agents.host_memory_bytes),
     "Memory that an agent host may use, agents and all, enforced by its control group; 0: no "
     "limit. One that needs more is ended by the kernel, and started again."},
    {"agents.host-cpu-weight", SW_SETTING_COUNT, "0", NULL, 0, 10000, NULL,
     AT(agents.host_cpu_weight),
     "Processor time of an agent host's control group beside other hosts and other groups, while "
     "all have work: everybody's is 100. 0: it has none, and its threads count each for itself."},
    {"agents.host-linger", SW_SETTING_DURATION, "2s", NULL, MS_NS, 60 * MIN_NS, NULL,
     AT(agents.host_linger_ns),
     "An agent host without Pods, other than the shared one, is stopped after so long."},
    {"agents.processes", SW_SETTING_COUNT, "64", NULL, 1, 4096, NULL, AT(agents.processes_max),
     "Most sandboxed programs at once; messages that need one more wait."},
    {"agents.requests", SW_SETTING_COUNT, "65536", NULL, 1, 10000000, NULL, AT(agents.requests_max),
     "Messages from clients to an agent host that may be without an answer."},
    {"agents.snapshot-size", SW_SETTING_SIZE, "64MiB", NULL, MIB, 1024 * GIB, NULL,
     AT(agents.snapshot_bytes),
     "The journal of agents grows by so much, and by the size of the last snapshot, before the "
     "next one is taken."},
    {"agents.memory-size", SW_SETTING_SIZE, "0", NULL, 0, 1024 * 1024 * GIB, NULL,
     AT(agents.awake_bytes),
     "Memory of instances that are awake: with more, those that did nothing for longest go to "
     "sleep sooner than their Agents say. 0: half of the machine's memory, or of the control "
     "group's."},
    {"agents.history-size", SW_SETTING_SIZE, "0", NULL, 0, 1024 * GIB, NULL,
     AT(agents.history_bytes),
     "The journal of agents is kept from its beginning until it is longer than this, though "
     "snapshots stand for it: swarmctl journal replay runs it again."},
    {"agents.module-grace", SW_SETTING_DURATION, "1h", NULL, 1000 * MS_NS, 8760 * 60 * MIN_NS, NULL,
     AT(agents.module_grace_ns),
     "A module that nothing needs any more is kept for so long after its last push or look-up, and "
     "for half of it after anything named it."},
    {"agents.stop-timeout", SW_SETTING_DURATION, "20s", NULL, 100 * MS_NS, 60 * MIN_NS, NULL,
     AT(agents.stop_timeout_ns), "Time for a clean stop of the agent host with its snapshot."},
    {"agents.ping", SW_SETTING_DURATION, "5s", NULL, 100 * MS_NS, 10 * MIN_NS, NULL,
     AT(agents.ping_ns), "An agent host that is silent for three of these is started anew."},
    {"agents.host-program", SW_SETTING_PATH, "", NULL, 0, 3000, NULL, AT(agent_host_program),
     "The program swarm-agent-host; empty: the one that was built or installed with swarmd."},
    {"agents.compiler-program", SW_SETTING_PATH, "", NULL, 0, 3000, NULL, AT(compiler_program),
     "The program swarm-compiler; empty: the one that was built or installed with swarmd."},
    {"agents.log-size", SW_SETTING_SIZE, "8MiB", NULL, 64 * KIB, 16 * GIB, NULL,
     AT(agents.log_bytes_max), "Memory for the last log lines of all Agents."},
    {"agents.log-agent-size", SW_SETTING_SIZE, "1MiB", NULL, 4 * KIB, 16 * GIB, NULL,
     AT(agents.log_agent_bytes_max), "The share of one Agent in that."},
    {"agents.log-followers", SW_SETTING_COUNT, "256", NULL, 1, 100000, NULL,
     AT(agents.log_followers_max), "Most clients that follow logs at once."},
    {"models.requests", SW_SETTING_COUNT, "131072", NULL, 16, 1048576, NULL,
     AT(models.requests_max),
     "Calls of models at once, those that wait for their turn included; a namespace may have four "
     "fifths of them. More are refused."},
    {"models.requests-size", SW_SETTING_SIZE, "1GiB", NULL, 16 * MIB, 1024 * GIB, NULL,
     AT(models.bytes_max),
     "Memory for the requests of those calls, which have three quarters of it, and their answers; "
     "a "
     "namespace may have four fifths of each. What needs more is refused."},
    {"models.concurrency", SW_SETTING_COUNT, "4096", NULL, 2, 65536, NULL, AT(models.concurrency),
     "Of those calls, how many are at providers at once, at one of them at most four fifths; the "
     "others wait for their turn. Each may need a connection, so it is no more than three quarters "
     "of the files that swarmd may open."},
    {"certificates.lifetime", SW_SETTING_DURATION, "1d", NULL, MIN_NS, 90 * DAY_NS, NULL,
     AT(certificate_lifetime_ns),
     "How long an issued certificate is good; it is renewed after two thirds of it."},
    {"log.level", SW_SETTING_CHOICE, "info", NULL, 0, 0, log_levels, AT(log_level),
     "The least important lines that are logged."},
    {"log.format", SW_SETTING_CHOICE, "text", NULL, 0, 0, log_formats, AT(log_format),
     "The form of a log line."},
};
/* clang-format on */
#define ROWS_COUNT (sizeof rows / sizeof rows[0])

const struct sw_setting *sw_settings_rows(size_t *ret_count)
{
    *ret_count = ROWS_COUNT;
    return rows;
}

const struct sw_setting *sw_setting_find(const char *name)
{
    for (size_t i = 0; i < ROWS_COUNT; i++)
        if (strcmp(rows[i].name, name) == 0)
            return &rows[i];
    return NULL;
}

const char *sw_setting_nearest(const char *name)
{
    const char *names[ROWS_COUNT];

    for (size_t i = 0; i < ROWS_COUNT; i++)
        names[i] = rows[i].name;
    return sw_text_nearest(name, names, ROWS_COUNT);
}

void sw_setting_environment(const struct sw_setting *row, char ret_name[SW_SETTING_NAME_MAX])
{
    (void)snprintf(ret_name, SW_SETTING_NAME_MAX, "SWARM_%s", row->name);
    for (char *at = ret_name; *at != '\0'; at++)
        *at = *at == '.' || *at == '-' ? '_' : (char)toupper((unsigned char)*at);
}

void sw_setting_flag(const struct sw_setting *row, char ret_name[SW_SETTING_NAME_MAX])
{
    (void)snprintf(ret_name, SW_SETTING_NAME_MAX, "%s", row->name);
    for (char *at = ret_name; *at != '\0'; at++)
        if (*at == '.')
            *at = '-';
}

void sw_settings_check(const struct sw_settings *settings, sw_settings_complain *complain,
                       void *ctx)
{
    if (settings->api.body_bytes_max > settings->api.bodies_bytes_max)
        complain(ctx, sw_setting_find("api.body-size"), "must not be larger than api.bodies-size");
    if (settings->agents.log_agent_bytes_max > settings->agents.log_bytes_max)
        complain(ctx, sw_setting_find("agents.log-agent-size"),
                 "must not be larger than agents.log-size");
}

void sw_settings_document(struct sw_buffer *out)
{
    char name[SW_SETTING_NAME_MAX];

    sw_buffer_put_text(out, "| Setting | Variable | Flag | Default | Value | What it is |\n"
                            "|---|---|---|---|---|---|\n");
    for (size_t i = 0; i < ROWS_COUNT; i++) {
        sw_buffer_print(out, "| `%s` ", rows[i].name);
        sw_setting_environment(&rows[i], name);
        sw_buffer_print(out, "| `%s` ", name);
        sw_setting_flag(&rows[i], name);
        sw_buffer_print(out, "| `--%s` ", name);
        if (rows[i].default_text[0] == '\0')
            sw_buffer_put_text(out, "| empty");
        else
            sw_buffer_print(out, "| `%s`", rows[i].default_text);
        if (rows[i].dev_text != NULL)
            sw_buffer_print(out, ", with `--dev` `%s`", rows[i].dev_text);
        sw_buffer_put_text(out, " | ");
        sw_setting_expect(&rows[i], out);
        sw_buffer_print(out, " | %s |\n", rows[i].words);
    }
}
