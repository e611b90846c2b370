#include "pkg/agent/controller/state.h"

#include <assert.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define REQUESTS_MAX_DEFAULT 65536
#define CALLS_KEPT_MS_DEFAULT 600000
#define CALLS_SETTLE_MS_DEFAULT 10000
#define STOP_MS_DEFAULT 20000
#define PING_MS_DEFAULT 5000
#define BACKOFF_MS_DEFAULT 100
#define BACKOFF_MS_MAX_DEFAULT 10000
#define INBOUND_BYTES_MAX (4 * (size_t)SW_FRAME_BYTES_MAX)
#define STOP_GRACE_MS 5000 /* After the host's own deadline for a clean stop. */
#define PING_UNANSWERED_MAX 3

uint64_t sw_host_now_ms(const struct sw_agents *agents)
{
    const struct sw_system *system = agents->options.system;

    return system->monotonic_ns(system->ctx) / 1000000;
}

static void defaults_fill(struct sw_agents_options *options)
{
    if (options->name == NULL)
        options->name = "shared";
    if (options->requests_max == 0)
        options->requests_max = REQUESTS_MAX_DEFAULT;
    if (options->calls_max == 0)
        options->calls_max = SW_CALLS_MAX;
    if (options->results_bytes_max == 0)
        options->results_bytes_max = SW_CALLS_RESULTS_BYTES_MAX;
    if (options->calls_kept_ms == 0)
        options->calls_kept_ms = CALLS_KEPT_MS_DEFAULT;
    if (options->calls_settle_ms == 0)
        options->calls_settle_ms = CALLS_SETTLE_MS_DEFAULT;
    if (options->stop_deadline_ms == 0)
        options->stop_deadline_ms = STOP_MS_DEFAULT;
    if (options->ping_ms == 0)
        options->ping_ms = PING_MS_DEFAULT;
    if (options->backoff_ms == 0)
        options->backoff_ms = BACKOFF_MS_DEFAULT;
    if (options->backoff_max_ms == 0)
        options->backoff_max_ms = BACKOFF_MS_MAX_DEFAULT;
}

static void on_backoff(void *ctx)
{
    sw_host_start(ctx);
}

/* Ask for a sign of life; while stopping the same timer bounds the stop. */
static void on_ping(void *ctx)
{
    struct sw_agents *agents = ctx;
    struct sw_frame ping = {.kind = SW_FRAME_PING};

    if (agents->state == SW_HOST_STOPPING) {
        sw_host_kill(agents, "it did not stop in time; its journal serves instead of a snapshot");
        return;
    }
    if (agents->state != SW_HOST_UP)
        return;
    if (agents->pings_open >= PING_UNANSWERED_MAX) {
        sw_host_kill(agents, "it gave no sign of life");
        return;
    }
    agents->pings_open++;
    ping.request.request = ++agents->ping_number;
    sw_host_send(agents, &ping);
    sw_timer_start(agents->ping, agents->options.ping_ms);
}

/* Hosts choose the names of calls. */
static uint64_t seed_of(const struct sw_agents *agents)
{
    const struct sw_system *system = agents->options.system;
    uint64_t seed;

    system->random(system->ctx, &seed, sizeof seed);
    return seed;
}

static bool parts_make(struct sw_agents *agents)
{
    struct sw_loop *loop = agents->options.loop;

    agents->backoff = sw_timer_new(loop, on_backoff, agents);
    agents->ping = sw_timer_new(loop, on_ping, agents);
    agents->deadline = sw_timer_new(loop, sw_requests_on_deadline, agents);
    agents->calls_sweep = sw_timer_new(loop, sw_calls_on_sweep, agents);
    agents->calls_by_name = sw_calls_map_new(seed_of(agents));
    agents->calls_by_agent = sw_map_new(0);
    agents->pods = sw_map_new(0);
    agents->modules = sw_map_new(0);
    agents->agents_known = sw_map_new(0);
    agents->quotas = sw_map_new(0);
    if (agents->options.calls_budget == NULL)
        agents->options.calls_budget = agents->calls_own = sw_calls_budget_new();
    return agents->backoff != NULL && agents->ping != NULL && agents->deadline != NULL &&
           agents->calls_sweep != NULL && agents->calls_by_name != NULL &&
           agents->calls_by_agent != NULL && agents->pods != NULL && agents->modules != NULL &&
           agents->agents_known != NULL && agents->quotas != NULL &&
           agents->options.calls_budget != NULL;
}

enum sw_rc sw_agents_new(const struct sw_agents_options *options, struct sw_agents **ret_agents,
                         struct sw_err *err)
{
    SW_CLEANUP(sw_agents_freep) struct sw_agents *made = calloc(1, sizeof *made);

    if (made == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for the supervisor of agents");
    made->magic = SW_AGENTS_MAGIC;
    made->options = *options;
    defaults_fill(&made->options);
    made->backoff_ms = made->options.backoff_ms;
    made->deadline_armed_ms = UINT64_MAX;
    sw_buffer_init(&made->inbound, INBOUND_BYTES_MAX);
    sw_buffer_init(&made->identity, 64);
    sw_buffer_init(&made->outbound, SW_FRAME_BYTES_MAX + 8);
    sw_heap_init(&made->deadlines);
    sw_list_init(&made->fetches);
    sw_list_init(&made->calls_answers);
    sw_list_init(&made->closings);
    sw_pods_init(made);
    if (!parts_make(made))
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for the supervisor of agents");
    sw_host_start(made);
    *ret_agents = SW_TAKE(made);
    return SW_OK;
}

static void call_stopped(void *ctx)
{
    struct sw_agents *agents = ctx;

    agents->stopped(agents->stopped_ctx);
}

void sw_agents_stop(struct sw_agents *agents, void (*stopped)(void *ctx), void *ctx)
{
    struct sw_frame stop = {.kind = SW_FRAME_STOP};

    assert(agents->stopped == NULL);
    agents->stopped = stopped;
    agents->stopped_ctx = ctx;
    sw_timer_stop(agents->backoff);
    if (agents->state == SW_HOST_DOWN) {
        agents->state = SW_HOST_STOPPED;
        if (sw_loop_post(agents->options.loop, call_stopped, agents) != SW_OK)
            abort(); /* Without memory for one call nothing can end in order. */
        return;
    }
    stop.stop.deadline_ms = (uint32_t)agents->options.stop_deadline_ms;
    sw_host_send(agents, &stop);
    agents->state = SW_HOST_STOPPING;
    sw_timer_start(agents->ping, agents->options.stop_deadline_ms + STOP_GRACE_MS);
}

void sw_agents_start(struct sw_agents *agents)
{
    assert(agents->state == SW_HOST_STOPPED);
    agents->stopped = NULL;
    agents->backoff_ms = agents->options.backoff_ms;
    sw_host_start(agents);
}

void sw_agents_end_host(struct sw_agents *agents, const char *words)
{
    sw_host_kill(agents, words);
}

/* What a link says after its supervisor was freed. */
static void ignore_data(void *ctx, struct sw_stream *stream, struct sw_bytes bytes)
{
    (void)ctx;
    (void)stream;
    (void)bytes;
}

static void ignore_end(void *ctx, struct sw_stream *stream)
{
    (void)ctx;
    (void)stream;
}

static void ignore_close(void *ctx, struct sw_stream *stream, enum sw_rc rc)
{
    (void)ctx;
    (void)stream;
    (void)rc;
}

void sw_agents_free(struct sw_agents *agents)
{
    if (agents == NULL)
        return;
    assert(agents->magic == SW_AGENTS_MAGIC);
    if (agents->child != NULL)
        sw_child_free(agents->child);
    if (agents->link != NULL) {
        static const struct sw_stream_handler nothing = {
            .on_data = ignore_data, .on_end = ignore_end, .on_close = ignore_close};

        sw_stream_start(agents->link, &nothing, 0);
        sw_stream_close(agents->link);
    }
    sw_requests_done(agents);
    sw_calls_done(agents);
    sw_map_free(agents->calls_by_name);
    sw_map_free(agents->calls_by_agent);
    if (agents->pods != NULL && agents->modules != NULL && agents->agents_known != NULL)
        sw_pods_done(agents);
    if (agents->modules != NULL)
        sw_modules_done(agents);
    sw_map_free(agents->pods);
    sw_map_free(agents->modules);
    sw_map_free(agents->agents_known);
    sw_quotas_done(agents);
    for (size_t i = 0; i < 4; i++) {
        struct sw_timer *timers[] = {agents->backoff, agents->ping, agents->deadline,
                                     agents->calls_sweep};

        if (timers[i] != NULL)
            sw_timer_free(timers[i]);
    }
    sw_buffer_done(&agents->inbound);
    sw_buffer_done(&agents->identity);
    sw_buffer_done(&agents->outbound);
    sw_heap_done(&agents->deadlines);
    sw_calls_budget_free(agents->calls_own);
    free(agents);
}

const struct sw_pod_runner *sw_agents_runner(struct sw_agents *agents)
{
    return &agents->runner;
}

void sw_agents_view(const struct sw_agents *agents, struct sw_agents_view *ret_view)
{
    *ret_view = agents->view;
    ret_view->is_up = agents->state == SW_HOST_UP;
    ret_view->has_ended_well = agents->has_ended_well;
    ret_view->is_unreadable = agents->is_unreadable;
    ret_view->host_pid = agents->child == NULL ? 0 : (uint64_t)sw_child_pid(agents->child);
    ret_view->requests = agents->requests_count;
    ret_view->calls_open = sw_map_count(agents->calls_by_name);
}
