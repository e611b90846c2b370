/* A supervisor with everything around it, and hosts that are played. */
#pragma once
#include "test/unit/agent/controller/played.h"

#define WAIT_MS 20000

struct world {
    struct sw_loop *loop;
    struct sw_agents *agents;
    struct sw_timer *guard;
    struct sw_logger logger;
    struct sw_pod_report report;
    char reason[64];
    int ups, downs, host_events, replies, closes, reports, stops, gets, lines;
    char line[128]; /* The last one of the log. */
    char host_words[128];
    const struct sw_services *services;
    const struct sw_system *system; /* NULL: the machine. */
    uint64_t calls_kept_ms, calls_settle_ms;
    uint64_t backoff_ms, backoff_max_ms; /* 0: 1 and 10. */
    bool is_unpushed, is_broken_code, is_late;
    bool is_code_held; /* It comes when the test calls code_answer. */
    enum sw_rc rc;
    char body[64];
    const int *waited;
    int wanted;
    void (*code_done)(void *ctx, enum sw_rc rc, const struct sw_abi_code *code,
                      const struct sw_err *err);
    void *code_ctx;
    const char *runtime; /* What is asked for is a bundle of it; NULL: a module. */
    size_t payload_size;
};

static inline void look(struct world *world)
{
    if (world->waited != NULL && *world->waited >= world->wanted)
        sw_loop_stop(world->loop);
}

static inline void on_late(void *ctx)
{
    struct world *world = ctx;

    world->is_late = true;
    sw_loop_stop(world->loop);
}

/* Run the loop until *count is at least wanted. */
static inline void until(struct world *world, const int *count, int wanted)
{
    if (*count >= wanted)
        return;
    world->waited = count;
    world->wanted = wanted;
    sw_timer_start(world->guard, WAIT_MS);
    sw_loop_run(world->loop);
    sw_timer_stop(world->guard);
    world->waited = NULL;
    assert_false(world->is_late);
}

static inline void on_host(void *ctx, bool is_up, const char *words)
{
    struct world *world = ctx;

    if (is_up)
        world->ups++;
    else
        world->downs++;
    (void)snprintf(world->host_words, sizeof world->host_words, "%s", words);
    look(world);
}

static inline void on_host_event(void *ctx, bool is_warning, const char *reason, const char *words)
{
    struct world *world = ctx;

    world->host_events++;
    (void)snprintf(world->host_words, sizeof world->host_words, "%s %s: %s",
                   is_warning ? "warning" : "note", reason, words);
    look(world);
}

static inline void on_log(void *ctx, const struct sw_agent_log *log)
{
    struct world *world = ctx;

    world->lines++;
    (void)snprintf(world->line, sizeof world->line, "%.*s", (int)log->text.size,
                   (const char *)log->text.data);
    look(world);
}

static inline void on_status(void *ctx, const struct sw_pod_report *report)
{
    struct world *world = ctx;

    world->report = *report;
    (void)snprintf(world->reason, sizeof world->reason, "%s", report->reason);
    world->reports += report->phase != SW_POD_STARTING;
    look(world);
}

static inline void on_closed(void *ctx, const char *uid)
{
    struct world *world = ctx;

    assert_string_equal(uid, POD);
    world->closes++;
    look(world);
}

static inline void on_pod_event(void *ctx, const struct sw_pod_event *event)
{
    (void)ctx;
    (void)event;
}

static inline void on_stopped(void *ctx)
{
    struct world *world = ctx;

    world->stops++;
    look(world);
}

static inline bool code_has(void *ctx, const char *name_space, const char *digest)
{
    const struct world *world = ctx;

    assert_string_equal(name_space, "default");
    assert_true(strcmp(digest, DIGEST) == 0 || strcmp(digest, OLDER) == 0);
    return !world->is_unpushed;
}

static inline void code_answer(void *ctx)
{
    struct world *world = ctx;
    struct sw_err err = {.rc = SW_E_INVALID, .message = "it is ill-typed"};
    void *bytes = calloc(1, CODE_SIZE);
    struct sw_abi_code code = {.machine = {bytes, CODE_SIZE},
                               .runtime = world->runtime,
                               .payload = {bytes, world->payload_size}};

    world->code_done(world->code_ctx, world->is_broken_code ? SW_E_INVALID : SW_OK, &code, &err);
    free(bytes);
}

static inline enum sw_rc code_get(void *ctx, const char *name_space, const char *digest,
                                  void (*done)(void *done_ctx, enum sw_rc rc,
                                               const struct sw_abi_code *code,
                                               const struct sw_err *err),
                                  void *done_ctx, struct sw_err *err)
{
    struct world *world = ctx;

    (void)name_space;
    (void)digest;
    (void)err;
    world->gets++;
    world->code_done = done;
    world->code_ctx = done_ctx;
    return world->is_code_held ? SW_OK : sw_loop_post(world->loop, code_answer, world);
}

static inline uint64_t utc_ns(void *ctx)
{
    return sw_system_real()->utc_ns(ctx);
}

/* The next call starts it. */
static inline struct world *world_make(void)
{
    struct world *world = calloc(1, sizeof *world);

    assert_int_equal(sw_loop_new(&world->loop, NULL), SW_OK);
    world->logger = (struct sw_logger){.file = -1, .utc_ns = utc_ns};
    return world;
}

/* Start the supervisor; its host plays this role. */
static inline void world_start(struct world *world, const char *role)
{
    static char self[SW_PATH_MAX], folder[128];
    ssize_t size = readlink("/proc/self/exe", self, sizeof self - 1);
    struct sw_agents_options options = {
        .system = world->system,
        .logger = &world->logger,
        .host_path = self,
        .folder = folder,
        .machine_code = {world, code_has, code_get},
        .services = world->services,
        .calls_max = 5,
        .results_bytes_max = 40,
        .calls_kept_ms = world->calls_kept_ms,
        .calls_settle_ms = world->calls_settle_ms,
        .observer = {.ctx = world, .on_log = on_log, .on_host = on_host, .on_event = on_host_event},
        /* The others are on a busy machine, too. */
        .ping_ms = strcmp(role, "mute") == 0 ? 50 : 0,
        .backoff_ms = world->backoff_ms,
        .backoff_max_ms = world->backoff_max_ms};
    struct sw_pod_observer observer = {
        .ctx = world, .on_status = on_status, .on_event = on_pod_event, .on_closed = on_closed};

    assert_true(size > 0);
    self[size] = '\0';
    (void)snprintf(folder, sizeof folder, "/nowhere/%s", role);
    options.loop = world->loop;
    if (world->system == NULL)
        options.system = sw_system_real();
    if (world->backoff_ms == 0)
        options.backoff_ms = 1, options.backoff_max_ms = 10;
    world->guard = sw_timer_new(world->loop, on_late, world);
    assert_int_equal(sw_agents_new(&options, &world->agents, NULL), SW_OK);
    sw_agents_runner(world->agents)->observe(sw_agents_runner(world->agents)->ctx, &observer);
}

static inline struct world *world_new(const char *role)
{
    struct world *world = world_make();

    world_start(world, role);
    return world;
}

static inline void world_free(struct world *world)
{
    sw_agents_free(world->agents);
    sw_timer_free(world->guard);
    sw_loop_free(world->loop);
    free(world);
}

static inline void pod_open(struct world *world)
{
    const struct sw_pod_runner *runner = sw_agents_runner(world->agents);
    struct sw_pod_spec spec = {.uid = POD,
                               .namespace_name = "default",
                               .name = "echo-0",
                               .generation = 1,
                               .agent_name = "echo",
                               .agent_uid = "0190b5a0-0000-7000-8000-000000000002",
                               .module_digest = DIGEST,
                               .runtime = "wasm",
                               .slots = {UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX},
                               .replicas = 7,
                               .durability = SW_POD_DURABILITY_LOCAL};

    assert_int_equal(runner->open(runner->ctx, &spec, NULL), SW_OK);
}

static inline void on_done(void *ctx, const struct sw_agent_result *result)
{
    struct world *world = ctx;

    world->replies++;
    world->rc = result->rc;
    (void)snprintf(world->body, sizeof world->body, "%.*s", (int)result->body.size,
                   (const char *)result->body.data);
    look(world);
}

static inline enum sw_rc say(struct world *world, const char *to, const char *body,
                             uint64_t timeout_ms)
{
    struct sw_agent_send send = {.name_space = "default",
                                 .to = {to, strlen(to)},
                                 .body = {body, strlen(body)},
                                 .priority = -1,
                                 .want_reply = true,
                                 .timeout_ms = timeout_ms};

    return sw_agents_send(world->agents, &send, on_done, world, NULL);
}
