/* Several agent hosts that are played, in a loop with a guard, and what was heard of them. */
#pragma once
#include "test/unit/agent/hosts/played_hosts.h"

#include <fcntl.h>
#include <sys/stat.h>

#define SHARED "0190b5a0-0000-7000-8000-0000000000a0"
#define SHOP "0190b5a0-0000-7000-8000-0000000000a1"
#define CART "0190b5a0-0000-7000-8000-0000000000a2"
#define LATE "0190b5a0-0000-7000-8000-0000000000a3"

/* --- The world ------------------------------------------------------------------------------- */

struct world {
    struct sw_loop *loop;
    struct sw_hosts *hosts;
    struct sw_timer *guard, *look;
    struct sw_logger logger;
    char folder[64];
    char downs[512];  /* Names of hosts that went down, each with a space. */
    char lines[1024]; /* What hosts told, each in a line. */
    const char *awaited;
    int runs, fails, closes, replies, stops, ups;
    enum sw_rc rc;
    uint64_t subscribers;
    bool is_needed, is_late, has_bridges, is_patient; /* With a host that died. */
    unsigned hosts_max;
    uint64_t recheck_ms; /* 0: 5. */
    bool (*until)(const struct world *world);
};

static inline void on_look(void *ctx)
{
    struct world *world = ctx;

    if (world->until(world))
        sw_loop_stop(world->loop);
    else
        sw_timer_start(world->look, 1);
}

static inline void on_late(void *ctx)
{
    struct world *world = ctx;

    world->is_late = true;
    sw_loop_stop(world->loop);
}

static inline void until(struct world *world, bool (*holds)(const struct world *world))
{
    world->until = holds;
    sw_timer_start(world->guard, WAIT_MS);
    sw_timer_start(world->look, 0);
    sw_loop_run(world->loop);
    sw_timer_stop(world->guard);
    sw_timer_stop(world->look);
    assert_false(world->is_late);
}

static inline void on_host(void *ctx, const struct sw_host_about *about, bool is_up,
                           const char *words)
{
    struct world *world = ctx;
    size_t used = strlen(world->downs);

    (void)words;
    world->ups += is_up;
    if (!is_up)
        (void)snprintf(world->downs + used, sizeof world->downs - used, "%s ", about->name);
}

static inline void on_log(void *ctx, const struct sw_agent_log *log)
{
    struct world *world = ctx;
    size_t used = strlen(world->lines);

    (void)snprintf(world->lines + used, sizeof world->lines - used, "%s: %.*s\n", log->agent,
                   (int)log->text.size, (const char *)log->text.data);
}

static inline void on_status(void *ctx, const struct sw_pod_report *report)
{
    struct world *world = ctx;

    world->runs += report->phase == SW_POD_RUNNING;
    world->fails += report->phase == SW_POD_FAILED;
}

static inline void on_closed(void *ctx, const char *uid)
{
    (void)uid;
    ((struct world *)ctx)->closes++;
}

static inline void on_done(void *ctx, const struct sw_agent_result *result)
{
    struct world *world = ctx;

    world->replies++;
    world->rc = result->rc;
    world->subscribers = result->subscribers;
}

static inline void on_stopped(void *ctx)
{
    ((struct world *)ctx)->stops++;
}

static inline bool code_has(void *ctx, const char *name_space, const char *digest)
{
    (void)ctx;
    (void)name_space;
    (void)digest;
    return true;
}

struct got {
    void (*done)(void *ctx, enum sw_rc rc, const struct sw_abi_code *code,
                 const struct sw_err *err);
    void *ctx;
};

static inline void code_answer(void *ctx)
{
    const struct sw_abi_code code = {.machine = {"code", 4}};
    struct got got = *(struct got *)ctx;

    free(ctx);
    got.done(got.ctx, SW_OK, &code, NULL);
}

static inline enum sw_rc code_get(void *ctx, const char *name_space, const char *digest,
                                  void (*done)(void *done_ctx, enum sw_rc rc,
                                               const struct sw_abi_code *code,
                                               const struct sw_err *err),
                                  void *done_ctx, struct sw_err *err)
{
    struct got *got = malloc(sizeof *got);

    (void)name_space;
    (void)digest;
    (void)err;
    *got = (struct got){done, done_ctx};
    return sw_loop_post(((struct world *)ctx)->loop, code_answer, got);
}

static inline bool is_needed(void *ctx, const struct sw_host_about *about)
{
    (void)about;
    return ((struct world *)ctx)->is_needed;
}

static inline uint64_t utc_ns(void *ctx)
{
    return sw_system_real()->utc_ns(ctx);
}

static inline void hosts_start(struct world *world)
{
    static char self[SW_PATH_MAX];
    ssize_t size = readlink("/proc/self/exe", self, sizeof self - 1);
    struct sw_hosts_options options = {
        .host = {.loop = world->loop,
                 .system = sw_system_real(),
                 .logger = &world->logger,
                 .host_path = self,
                 .machine_code = {world, code_has, code_get},
                 .ping_ms = 10 * WAIT_MS, /* Nothing but what the tests do is told to hosts. */
                 .backoff_ms = world->is_patient ? 10 * WAIT_MS : 1,
                 .backoff_max_ms = world->is_patient ? 10 * WAIT_MS : 10},
        .data_folder = world->folder,
        .bridge_digest = world->has_bridges ? DIGEST : NULL,
        .observer = {.ctx = world, .on_log = on_log, .on_host = on_host},
        .hosts_max = world->hosts_max,
        .linger_ms = 1,
        .recheck_ms = world->recheck_ms == 0 ? 5 : world->recheck_ms,
        .is_needed = is_needed,
        .ctx = world};
    struct sw_pod_observer observer = {
        .ctx = world, .on_status = on_status, .on_closed = on_closed};

    assert_true(size > 0);
    self[size] = '\0';
    assert_int_equal(sw_hosts_new(&options, &world->hosts, NULL), SW_OK);
    sw_hosts_runner(world->hosts)->observe(world->hosts, &observer);
}

static inline struct world *world_new(void)
{
    struct world *world = calloc(1, sizeof *world);

    assert_int_equal(sw_loop_new(&world->loop, NULL), SW_OK);
    world->logger = (struct sw_logger){.file = -1, .utc_ns = utc_ns};
    (void)snprintf(world->folder, sizeof world->folder, "/tmp/sw-hosts-XXXXXX");
    assert_non_null(mkdtemp(world->folder));
    world->guard = sw_timer_new(world->loop, on_late, world);
    world->look = sw_timer_new(world->loop, on_look, world);
    return world;
}

static inline void world_free(struct world *world)
{
    char command[128];

    sw_hosts_free(world->hosts);
    sw_timer_free(world->guard);
    sw_timer_free(world->look);
    sw_loop_free(world->loop);
    (void)snprintf(command, sizeof command, "rm -r %s", world->folder);
    assert_int_equal(system(command), 0);
    free(world);
}

static inline enum sw_rc open_pod_in(struct world *world, const char *name_space, const char *uid,
                                     enum sw_pod_isolation isolation, const char *agent,
                                     struct sw_err *err)
{
    const struct sw_pod_runner *runner = sw_hosts_runner(world->hosts);
    struct sw_pod_spec spec = {.uid = uid,
                               .namespace_name = name_space,
                               .name = "pod",
                               .generation = 1,
                               .agent_name = agent,
                               .agent_uid = uid,
                               .module_digest = DIGEST,
                               .runtime = "wasm",
                               .isolation = isolation};

    return runner->open(runner->ctx, &spec, err);
}

static inline enum sw_rc open_pod(struct world *world, const char *uid,
                                  enum sw_pod_isolation isolation, const char *agent,
                                  struct sw_err *err)
{
    return open_pod_in(world, "shop", uid, isolation, agent, err);
}

static inline void close_pod(struct world *world, const char *uid)
{
    const struct sw_pod_runner *runner = sw_hosts_runner(world->hosts);

    runner->close(runner->ctx, uid, true);
}

static inline enum sw_rc say(struct world *world, const char *to, const char *body,
                             struct sw_err *err)
{
    struct sw_agent_send send = {.name_space = "shop",
                                 .to = {to, strlen(to)},
                                 .body = {body, strlen(body)},
                                 .want_reply = true,
                                 .timeout_ms = WAIT_MS};

    return sw_hosts_send(world->hosts, &send, on_done, world, err);
}

static inline bool is_folder(const struct world *world, const char *name)
{
    char path[128];
    struct stat view;

    (void)snprintf(path, sizeof path, "%s/%s", world->folder, name);
    return stat(path, &view) == 0;
}

static inline bool all_run(const struct world *world)
{
    return world->runs >= 3;
}

static inline bool has_reply(const struct world *world)
{
    return world->replies > 0;
}

static inline bool is_stopped(const struct world *world)
{
    return world->stops > 0;
}

static inline bool is_cart_gone(const struct world *world)
{
    return !is_folder(world, "hosts/agent-" CART);
}

struct names {
    char text[512];
};

static inline void note(void *ctx, const struct sw_host_view *view)
{
    struct names *names = ctx;
    size_t used = strlen(names->text);

    (void)snprintf(names->text + used, sizeof names->text - used, "%s=%s %u; ", view->about->name,
                   view->phase, (unsigned)view->agents.pods);
}

static inline struct names names_of(const struct world *world)
{
    struct names names = {""};

    sw_hosts_each(world->hosts, note, &names);
    return names;
}

/* Three Pods, in a host of each class. */
static inline struct world *world_of_three(void)
{
    struct world *world = world_new();

    hosts_start(world);
    assert_int_equal(open_pod(world, SHARED, SW_POD_ISOLATION_SHARED, "all", NULL), SW_OK);
    assert_int_equal(open_pod(world, SHOP, SW_POD_ISOLATION_NAMESPACE, "some", NULL), SW_OK);
    assert_int_equal(open_pod(world, CART, SW_POD_ISOLATION_AGENT, "cart", NULL), SW_OK);
    until(world, all_run);
    return world;
}

static inline void on_pause(void *ctx)
{
    sw_loop_stop(ctx);
}

static inline void let_pass(struct world *world, uint64_t ms)
{
    struct sw_timer *pause = sw_timer_new(world->loop, on_pause, world->loop);

    sw_timer_start(pause, ms);
    sw_loop_run(world->loop);
    sw_timer_free(pause);
}
