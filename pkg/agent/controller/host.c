/* The agent-host process: its start, its link, its end. */
#include "pkg/agent/controller/state.h"
#include "pkg/agent/link/exit.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINK_BYTES_MAX ((size_t)512 << 20) /* Waiting to be sent; machine code is the largest. */
#define LINK_BYTES_BUSY ((size_t)32 << 20) /* With this much waiting, messages are refused. */
#define SERVED_WAITS 4u /* A host that was up for so many of the first waits may have served. */
#define STANDARD_ERROR 2
#define IDENTITY_BYTES_MAX 32
#define LINK_FILE_COUNT 4 /* 0, 1, 2 and the link. */

static void host_gone(struct sw_agents *agents);

/* --- Frames out ------------------------------------------------------------------------------ */

void sw_host_send(struct sw_agents *agents, const struct sw_frame *frame)
{
    if (agents->link == NULL || agents->is_broken)
        return;
    sw_buffer_reset(&agents->outbound);
    sw_frame_put(frame, &agents->outbound);
    if (sw_buffer_check(&agents->outbound) != SW_OK ||
        sw_stream_write(agents->link, agents->outbound.data, agents->outbound.size) != SW_OK)
        sw_host_kill(agents, "it takes nothing from its link any more");
}

bool sw_host_has_room(const struct sw_agents *agents)
{
    return agents->link != NULL && sw_stream_pending(agents->link) < LINK_BYTES_BUSY;
}

/* --- Frames in ------------------------------------------------------------------------------- */

/* Handle the whole frames at the head of inbound; the rest waits for more bytes. */
static void frames_take(struct sw_agents *agents)
{
    size_t taken = 0;
    struct sw_err err = {0};

    while (!agents->is_broken) {
        struct sw_bytes rest = {agents->inbound.data + taken, agents->inbound.size - taken};
        struct sw_frame frame;
        size_t size;
        enum sw_rc rc = sw_frame_take(rest, SW_FRAME_FROM_HOST, &frame, &size, &err);

        if (rc == SW_OK && size == 0)
            break;
        if (rc == SW_OK)
            rc = sw_host_receive(agents, &frame, &err);
        if (rc != SW_OK) {
            (void)sw_err_context(&err, "it broke the protocol");
            sw_host_kill(agents, err.message);
            break;
        }
        taken += size;
    }
    sw_buffer_consume(&agents->inbound, taken);
}

static void on_data(void *ctx, struct sw_stream *stream, struct sw_bytes bytes)
{
    struct sw_agents *agents = ctx;

    (void)stream;
    if (agents->is_broken)
        return;
    sw_buffer_put(&agents->inbound, bytes.data, bytes.size);
    if (sw_buffer_check(&agents->inbound) != SW_OK) {
        sw_host_kill(agents, "it sent more than a frame may hold");
        return;
    }
    frames_take(agents);
}

static void on_end(void *ctx, struct sw_stream *stream)
{
    struct sw_agents *agents = ctx;

    agents->is_broken = true; /* Whoever sends from now on must hear that it went. */
    sw_stream_close(stream);
}

static void on_drain(void *ctx, struct sw_stream *stream)
{
    (void)stream;
    sw_calls_on_drain(ctx);
}

static void on_link_closed(void *ctx, struct sw_stream *stream, enum sw_rc rc)
{
    struct sw_agents *agents = ctx;

    (void)stream;
    (void)rc;
    agents->link = NULL;
    if (agents->child != NULL && agents->state != SW_HOST_STOPPING)
        sw_child_kill(agents->child, SIGKILL); /* Without a link it is of no use. */
    host_gone(agents);
}

/* --- Life ------------------------------------------------------------------------------------ */

/* Becoming ready is no proof of health: one that dies right after it would die so again. Whether it
 * was up for some of the first waits, and for as long as its start had taken. */
static bool has_served(const struct sw_agents *agents)
{
    uint64_t start_ms = agents->up_since_ms - agents->started_ms;
    uint64_t lived_ms = sw_host_now_ms(agents) - agents->up_since_ms;

    return lived_ms >= SERVED_WAITS * agents->options.backoff_ms && lived_ms >= start_ms;
}

/* One that has served is followed soon, however many had died before it: what each must have lived
 * for does not grow with the waits, or a few deaths in a row would make each later one a long
 * silence. The others are awaited longer each time, so that no node is busy with starts alone. */
static void start_later(struct sw_agents *agents, bool was_up)
{
    if (was_up && has_served(agents))
        agents->backoff_ms = agents->options.backoff_ms;
    sw_log(agents->options.logger, SW_LOG_INFO, "agents",
           "the agent host %s is started again in %" PRIu64 " ms", agents->options.name,
           agents->backoff_ms);
    sw_timer_start(agents->backoff, agents->backoff_ms);
    agents->backoff_ms *= 2;
    if (agents->backoff_ms > agents->options.backoff_max_ms)
        agents->backoff_ms = agents->options.backoff_max_ms;
}

/* The end of a host has two halves, its process and its link, in either order. */
static void host_gone(struct sw_agents *agents)
{
    bool is_stopping = agents->state == SW_HOST_STOPPING;
    bool was_up = agents->state == SW_HOST_UP;

    if (agents->child != NULL || agents->link != NULL)
        return;
    sw_timer_stop(agents->ping);
    agents->state = is_stopping ? SW_HOST_STOPPED : SW_HOST_DOWN;
    sw_buffer_reset(&agents->inbound);
    sw_modules_host_down(agents);
    sw_pods_host_down(agents);
    sw_calls_host_down(agents);
    sw_requests_fail(agents, SW_E_UNAVAILABLE,
                     is_stopping ? "the agent host is stopping"
                                 : "the agent host went away; it is being started again");
    if (agents->options.observer.on_host != NULL)
        agents->options.observer.on_host(agents->options.observer.ctx, false, agents->words);
    if (is_stopping) {
        agents->stopped(agents->stopped_ctx);
        return;
    }
    start_later(agents, was_up);
}

/* What people read in the Node's condition and Events. */
static const char *exit_words(int status)
{
    switch (status) {
    case SW_HOST_EXIT_RESOURCES:
        return "it lacks memory, files or its folder; the log of swarmd says which";
    case SW_HOST_EXIT_BUSY:
        return "another agent host uses its folder: is a second swarmd running on this data, or a "
               "swarmctl journal replay?";
    case SW_HOST_EXIT_JOURNAL:
        return "its journal could not be written: look after the disk, the log of swarmd says "
               "what failed; it is started again and goes on where the disk lets it";
    case SW_HOST_EXIT_UNREADABLE:
        return "its journal cannot be read: swarmctl journal verify tells what is damaged";
    case SW_HOST_EXIT_LOST:
        return "its journal, which agents had written, is gone or another one: restore its folder, "
               "or remove the file agents-journal beside that to begin with empty agents";
    case SW_HOST_EXIT_PROTOCOL:
        return "it and swarmd do not understand each other; are both of one build?";
    default:
        return "it ended";
    }
}

/* Whether it took itself down, as a bug of the engine does; SIGKILL comes from others. */
static bool is_crash(int signal)
{
    return signal == SIGABRT || signal == SIGSEGV || signal == SIGBUS || signal == SIGILL ||
           signal == SIGFPE || signal == SIGTRAP || signal == SIGSYS;
}

static bool was_too_large(const struct sw_agents *agents)
{
    const struct sw_cgroup *cgroup = agents->options.cgroup;

    return cgroup != NULL && sw_cgroup_oom_kills(cgroup) > agents->oom_kills;
}

static void on_host_exit(void *ctx, struct sw_child *child, int status, int signal)
{
    struct sw_agents *agents = ctx;

    sw_child_free(child);
    agents->child = NULL;
    agents->has_crashed = is_crash(signal);
    agents->is_unreadable =
        signal == 0 && (status == SW_HOST_EXIT_UNREADABLE || status == SW_HOST_EXIT_LOST);
    if (agents->words[0] == '\0' && signal == SIGKILL && was_too_large(agents))
        (void)snprintf(agents->words, sizeof agents->words,
                       "it needed more memory than agents.host-memory allows, and the kernel "
                       "ended it");
    else if (agents->words[0] == '\0' && signal != 0)
        (void)snprintf(agents->words, sizeof agents->words, "ended by signal %d (%s)", signal,
                       strsignal(signal));
    else if (agents->words[0] == '\0')
        (void)snprintf(agents->words, sizeof agents->words, "%s (status %d)", exit_words(status),
                       status);
    host_gone(agents);
}

void sw_host_kill(struct sw_agents *agents, const char *words)
{
    if (agents->words[0] == '\0')
        (void)snprintf(agents->words, sizeof agents->words, "%s", words);
    agents->is_broken = true;
    if (agents->child != NULL)
        sw_child_kill(agents->child, SIGKILL);
    if (agents->link != NULL)
        sw_stream_close(agents->link);
}

static enum sw_rc child_start(struct sw_agents *agents, int link, struct sw_err *err)
{
    const char *arguments[] = {agents->options.host_path, "--folder", agents->options.folder, NULL};
    const int files[LINK_FILE_COUNT] = {-1, STANDARD_ERROR, STANDARD_ERROR, link};
    const struct sw_cgroup *cgroup = agents->options.cgroup;
    struct sw_err ignored = {0};
    enum sw_rc rc;
    struct sw_child_options options = {.arguments = arguments,
                                       .files = files,
                                       .files_count = LINK_FILE_COUNT,
                                       .on_exit = on_host_exit,
                                       .ctx = agents};

    rc = sw_child_start(agents->options.loop, &options, &agents->child, err);
    if (rc != SW_OK || cgroup == NULL)
        return rc;
    agents->oom_kills = sw_cgroup_oom_kills(cgroup);
    if (sw_cgroup_join(cgroup, sw_child_pid(agents->child), &ignored) != SW_OK)
        sw_log(agents->options.logger, SW_LOG_DEBUG, "agents",
               "the agent host %s is in no control group of its own: %s", agents->options.name,
               ignored.message); /* What is missing was told once, for all. */
    return SW_OK;
}

enum sw_rc sw_host_keep_identity(struct sw_agents *agents, struct sw_bytes journal,
                                 struct sw_err *err)
{
    const struct sw_agents_options *options = &agents->options;
    struct sw_buffer *known = &agents->identity;

    if (options->identity_path == NULL || journal.size == 0 ||
        (known->size == journal.size && memcmp(known->data, journal.data, journal.size) == 0))
        return SW_OK;
    sw_buffer_reset(known);
    sw_buffer_put(known, journal.data, journal.size);
    return sw_file_save(options->system, options->identity_path, journal.data, journal.size, err);
}

/* Which journal is to be there. One that cannot be read is as good as none: READY says it again. */
static void identity_load(struct sw_agents *agents)
{
    struct sw_buffer *known = &agents->identity;

    sw_buffer_reset(known);
    if (agents->options.identity_path != NULL &&
        sw_file_load(agents->options.system, agents->options.identity_path, IDENTITY_BYTES_MAX,
                     known, NULL) != SW_OK)
        sw_buffer_reset(known);
}

static void hello_send(struct sw_agents *agents)
{
    struct sw_frame hello = {.kind = SW_FRAME_HELLO};

    identity_load(agents);
    hello.hello.journal = (struct sw_bytes){agents->identity.data, agents->identity.size};
    hello.hello.snapshot_bytes = agents->options.snapshot_bytes;
    hello.hello.awake_bytes = agents->options.awake_bytes;
    hello.hello.history_bytes = agents->options.history_bytes;

    hello.hello.version = SW_LINK_VERSION;
    hello.hello.workers = agents->options.workers;
    hello.hello.crashed = agents->has_crashed;
    sw_host_send(agents, &hello);
}

void sw_host_start(struct sw_agents *agents)
{
    struct sw_stream_handler handler = {.ctx = agents,
                                        .on_data = on_data,
                                        .on_end = on_end,
                                        .on_close = on_link_closed,
                                        .on_drain = on_drain};
    int files[2] = {-1, -1};
    struct sw_err err = {0};
    enum sw_rc rc = sw_socket_pair(files, &err);

    agents->started_ms = sw_host_now_ms(agents);
    agents->is_broken = agents->has_ended_well = false;
    agents->pings_open = 0;
    agents->words[0] = '\0';
    agents->view = (struct sw_agents_view){.host_starts = agents->view.host_starts + 1};
    if (rc == SW_OK)
        rc = sw_stream_adopt(agents->options.loop, files[0], &agents->link, &err);
    if (rc == SW_OK) {
        sw_stream_start(agents->link, &handler, LINK_BYTES_MAX);
        rc = child_start(agents, files[1], &err);
    }
    if (files[1] >= 0)
        (void)close(files[1]);
    agents->state = SW_HOST_STARTING;
    if (rc == SW_OK) {
        hello_send(agents);
        return;
    }
    (void)snprintf(agents->words, sizeof agents->words, "cannot be started: %.450s", err.message);
    if (agents->link != NULL)
        sw_stream_close(agents->link);
    else
        host_gone(agents);
}
