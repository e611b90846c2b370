/* Several agent hosts as one, each of them played by this program. A host is mortal: a message of
 * three bytes ends it. */
#include "pkg/agent/hosts/hosts.h"
#include "pkg/agent/hosts/envelope.h"
#include "test/unit/agent/controller/played.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>

#define WAIT_MS 20000
#define SHARED "0190b5a0-0000-7000-8000-0000000000a0"
#define SHOP "0190b5a0-0000-7000-8000-0000000000a1"
#define CART "0190b5a0-0000-7000-8000-0000000000a2"
#define LATE "0190b5a0-0000-7000-8000-0000000000a3"

/* In the process of a host: it does not stop while the first is there, and fails in that while the
 * second is. */
static char gate[SW_PATH_MAX], fault[SW_PATH_MAX];

static void await_gate(void)
{
    while (access(gate, F_OK) == 0)
        (void)usleep(1000);
    if (access(fault, F_OK) == 0)
        _exit(1);
}

/* --- A host with bridges ---------------------------------------------------------------------- */

static char out_uid[64]; /* In the process of a host: its Pod _out, and that of its own Agent. */
static char own_uid[64];

static void host_tells(const char *words)
{
    struct sw_frame line = {.kind = SW_FRAME_LOG};

    if (own_uid[0] == '\0')
        return; /* It has no Agent any more. */
    line.log.uid = (struct sw_bytes){own_uid, strlen(own_uid)};
    line.log.text = (struct sw_bytes){words, strlen(words)};
    host_put(&line);
}

/* "carry N UID-LETTER NAME TO": call the service of bridges as _out ('o'), or as no bridge.
 * "carry_to_all N UID-LETTER NAME": the same with what is published. */
static void host_carries(const char *words)
{
    struct sw_frame frame = {.kind = SW_FRAME_CALL};
    struct sw_envelope head = {.kind = SW_ENVELOPE_SEND, .stream = 7, .body_size = 4};
    char name[64], to[64] = "", letter;
    unsigned number;
    uint8_t body[512];

    if (sscanf(words, "%*s %u %c %63s %63s", &number, &letter, name, to) < 3)
        _exit(1);
    if (strncmp(words, "carry_to_all ", 13) == 0)
        head.kind = SW_ENVELOPE_PUBLISH;
    head.number = number;
    head.name_size = (uint16_t)strlen(name);
    head.to_size = (uint16_t)strlen(to);
    memcpy(body, &head, sizeof head);
    memcpy(body + sizeof head, name, head.name_size);
    memcpy(body + sizeof head + head.name_size, to, head.to_size);
    memcpy(body + sizeof head + head.name_size + head.to_size, "word", 4);
    frame.call = (struct sw_frame_call){
        .name = {7, 8, number},
        .pod = 5,
        .uid = {letter == 'o' ? out_uid : own_uid, strlen(letter == 'o' ? out_uid : own_uid)},
        .key = {"x", 1},
        .service = {SW_BRIDGE_SERVICE, strlen(SW_BRIDGE_SERVICE)},
        .body = {body, sizeof head + head.name_size + head.to_size + 4}};
    host_put(&frame);
}

static bool has_failed; /* In the process of a host: its Pod _out has. */

/* "fail": that Pod has failed, and it says so again and again until it is told something. */
static void host_fails(void)
{
    const struct sw_frame status = {
        .kind = SW_FRAME_POD_STATUS,
        .pod_status = {.uid = {out_uid, strlen(out_uid)}, .phase = SW_FRAME_POD_FAILED}};
    struct pollfd link = {.fd = LINK, .events = POLLIN};

    has_failed = true;
    do {
        host_put(&status);
    } while (poll(&link, 1, 50) == 0);
}

/* --- A host with a quota ---------------------------------------------------------------------- */

static uint64_t has_instances, may_instances, quota_number; /* In the process of a host. */

static void host_says_what_it_has(const char *name_space, uint64_t number)
{
    struct sw_frame held = {.kind = SW_FRAME_QUOTA_HELD};

    held.quota_held.number = number;
    held.quota_held.name_space = (struct sw_bytes){name_space, strlen(name_space)};
    held.quota_held.instances = has_instances;
    held.quota_held.memory_bytes = held.quota_held.storage_bytes = UINT64_MAX; /* As nobody can. */
    host_put(&held);
}

/* Also when its Agent comes, in whose name it speaks. */
static void host_tells_what_it_may(void)
{
    char words[64];

    (void)snprintf(words, sizeof words, "may %llu", (unsigned long long)may_instances);
    if (quota_number != 0)
        host_tells(words);
}

static void host_takes_quota(const struct sw_frame_quota *quota)
{
    if (quota->number <= quota_number || quota->name_space.size != 4)
        _exit(1);
    quota_number = quota->number;
    may_instances = quota->instances;
    host_tells_what_it_may();
    host_says_what_it_has("shop", quota_number);
}

/* "has N": so many from now on. */
static void host_has(const char *words)
{
    has_instances = strtoull(words + 4, NULL, 10);
    host_says_what_it_has("shop", quota_number);
    host_says_what_it_has("shop", quota_number + 100); /* These are nobody's words. */
    host_says_what_it_has("other", quota_number);
}

/* --- A host that tells what was used ---------------------------------------------------------- */

static void host_tells_usage(const char *name_space, uint64_t fuel)
{
    const struct sw_bytes name = {name_space, strlen(name_space)};
    struct sw_frame told = {.kind = SW_FRAME_USAGE,
                            .usage = {.name_space = name, .time_ns = 1, .used = {.fuel = fuel}}};
    struct sw_frame pushed = {
        .kind = SW_FRAME_THROTTLED,
        .throttled = {.name_space = name, .agent = {"a", 1}, .agent_uid = {"u", 1}, .count = fuel}};

    host_put(&told);
    host_put(&pushed);
}

/* "uses N": so much in its namespace, and as much in another one. */
static void host_uses(const char *words)
{
    uint64_t fuel = strtoull(words + 5, NULL, 10);

    host_tells_usage("other", fuel);
    host_tells_usage("shop", fuel);
}

static bool act(const struct sw_frame *frame)
{
    char words[256] = "";

    if (frame->kind == SW_FRAME_QUOTA) {
        host_takes_quota(&frame->quota);
        return true;
    }

    if (frame->kind == SW_FRAME_POD_OPEN) {
        bool is_out = frame->pod_open.agent.size == 4 &&
                      memcmp(frame->pod_open.agent.data, SW_BRIDGE_OUT, 4) == 0;
        bool is_own = memcmp(frame->pod_open.uid.data, "b:", 2) != 0;

        if (is_out || is_own)
            (void)snprintf(is_out ? out_uid : own_uid, 64, "%.*s", (int)frame->pod_open.uid.size,
                           (const char *)frame->pod_open.uid.data);
        if (is_own)
            host_tells_what_it_may();
        if (is_out && has_failed)
            host_tells("out again");
        return false;
    }
    if (frame->kind == SW_FRAME_CALL_RESULT) {
        (void)snprintf(words, sizeof words, "result %u of %u", (unsigned)frame->call_result.code,
                       (unsigned)frame->call_result.name.number);
        host_tells(words);
        return true;
    }
    if (frame->kind != SW_FRAME_SEND)
        return false;
    if (frame->send.want_reply == SW_FRAME_INNER) {
        (void)snprintf(words, sizeof words, "took %.*s/%.*s", (int)frame->send.agent.size,
                       (const char *)frame->send.agent.data, (int)frame->send.key.size,
                       (const char *)frame->send.key.data);
        host_tells(words);
        return false;
    }
    if (frame->send.body.size > 4 && memcmp(frame->send.body.data, "has ", 4) == 0) {
        (void)snprintf(words, sizeof words, "%.*s", (int)frame->send.body.size,
                       (const char *)frame->send.body.data);
        host_has(words);
    }
    if (frame->send.body.size == 4 && memcmp(frame->send.body.data, "fail", 4) == 0)
        host_fails();
    if (frame->send.body.size > 5 && memcmp(frame->send.body.data, "uses ", 5) == 0) {
        (void)snprintf(words, sizeof words, "%.*s", (int)frame->send.body.size,
                       (const char *)frame->send.body.data);
        host_uses(words);
    }
    if (frame->send.body.size > 6 && memcmp(frame->send.body.data, "carry", 5) == 0) {
        (void)snprintf(words, sizeof words, "%.*s", (int)frame->send.body.size,
                       (const char *)frame->send.body.data);
        host_carries(words);
    }
    return false;
}

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

static void on_look(void *ctx)
{
    struct world *world = ctx;

    if (world->until(world))
        sw_loop_stop(world->loop);
    else
        sw_timer_start(world->look, 1);
}

static void on_late(void *ctx)
{
    struct world *world = ctx;

    world->is_late = true;
    sw_loop_stop(world->loop);
}

static void until(struct world *world, bool (*holds)(const struct world *world))
{
    world->until = holds;
    sw_timer_start(world->guard, WAIT_MS);
    sw_timer_start(world->look, 0);
    sw_loop_run(world->loop);
    sw_timer_stop(world->guard);
    sw_timer_stop(world->look);
    assert_false(world->is_late);
}

static void on_host(void *ctx, const struct sw_host_about *about, bool is_up, const char *words)
{
    struct world *world = ctx;
    size_t used = strlen(world->downs);

    (void)words;
    world->ups += is_up;
    if (!is_up)
        (void)snprintf(world->downs + used, sizeof world->downs - used, "%s ", about->name);
}

static void on_log(void *ctx, const struct sw_agent_log *log)
{
    struct world *world = ctx;
    size_t used = strlen(world->lines);

    (void)snprintf(world->lines + used, sizeof world->lines - used, "%s: %.*s\n", log->agent,
                   (int)log->text.size, (const char *)log->text.data);
}

static void on_status(void *ctx, const struct sw_pod_report *report)
{
    struct world *world = ctx;

    world->runs += report->phase == SW_POD_RUNNING;
    world->fails += report->phase == SW_POD_FAILED;
}

static void on_closed(void *ctx, const char *uid)
{
    (void)uid;
    ((struct world *)ctx)->closes++;
}

static void on_done(void *ctx, const struct sw_agent_result *result)
{
    struct world *world = ctx;

    world->replies++;
    world->rc = result->rc;
    world->subscribers = result->subscribers;
}

static void on_stopped(void *ctx)
{
    ((struct world *)ctx)->stops++;
}

static bool code_has(void *ctx, const char *name_space, const char *digest)
{
    (void)ctx;
    (void)name_space;
    (void)digest;
    return true;
}

struct got {
    void (*done)(void *ctx, enum sw_rc rc, struct sw_bytes bytes, const struct sw_err *err);
    void *ctx;
};

static void code_answer(void *ctx)
{
    struct got got = *(struct got *)ctx;

    free(ctx);
    got.done(got.ctx, SW_OK, (struct sw_bytes){"code", 4}, NULL);
}

static enum sw_rc code_get(void *ctx, const char *name_space, const char *digest,
                           void (*done)(void *done_ctx, enum sw_rc rc, struct sw_bytes bytes,
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

static bool is_needed(void *ctx, const struct sw_host_about *about)
{
    (void)about;
    return ((struct world *)ctx)->is_needed;
}

static uint64_t utc_ns(void *ctx)
{
    return sw_system_real()->utc_ns(ctx);
}

static void hosts_start(struct world *world)
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

static struct world *world_new(void)
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

static void world_free(struct world *world)
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

static enum sw_rc open_pod_in(struct world *world, const char *name_space, const char *uid,
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

static enum sw_rc open_pod(struct world *world, const char *uid, enum sw_pod_isolation isolation,
                           const char *agent, struct sw_err *err)
{
    return open_pod_in(world, "shop", uid, isolation, agent, err);
}

static void close_pod(struct world *world, const char *uid)
{
    const struct sw_pod_runner *runner = sw_hosts_runner(world->hosts);

    runner->close(runner->ctx, uid, true);
}

static enum sw_rc say(struct world *world, const char *to, const char *body, struct sw_err *err)
{
    struct sw_agent_send send = {.name_space = "shop",
                                 .to = {to, strlen(to)},
                                 .body = {body, strlen(body)},
                                 .want_reply = true,
                                 .timeout_ms = WAIT_MS};

    return sw_hosts_send(world->hosts, &send, on_done, world, err);
}

static bool is_folder(const struct world *world, const char *name)
{
    char path[128];
    struct stat view;

    (void)snprintf(path, sizeof path, "%s/%s", world->folder, name);
    return stat(path, &view) == 0;
}

static bool all_run(const struct world *world)
{
    return world->runs >= 3;
}

static bool has_reply(const struct world *world)
{
    return world->replies > 0;
}

static bool is_stopped(const struct world *world)
{
    return world->stops > 0;
}

static bool is_cart_gone(const struct world *world)
{
    return !is_folder(world, "hosts/agent-" CART);
}

struct names {
    char text[512];
};

static void note(void *ctx, const struct sw_host_view *view)
{
    struct names *names = ctx;
    size_t used = strlen(names->text);

    (void)snprintf(names->text + used, sizeof names->text - used, "%s=%s %u; ", view->about->name,
                   view->phase, (unsigned)view->agents.pods);
}

static struct names names_of(const struct world *world)
{
    struct names names = {""};

    sw_hosts_each(world->hosts, note, &names);
    return names;
}

/* Three Pods, in a host of each class. */
static struct world *world_of_three(void)
{
    struct world *world = world_new();

    hosts_start(world);
    assert_int_equal(open_pod(world, SHARED, SW_POD_ISOLATION_SHARED, "all", NULL), SW_OK);
    assert_int_equal(open_pod(world, SHOP, SW_POD_ISOLATION_NAMESPACE, "some", NULL), SW_OK);
    assert_int_equal(open_pod(world, CART, SW_POD_ISOLATION_AGENT, "cart", NULL), SW_OK);
    until(world, all_run);
    return world;
}

static void test_each_class_has_its_host(void **state)
{
    struct world *world = world_of_three();
    char name[SW_HOST_NAME_SIZE], path[128];
    struct sw_agents_view sum;

    (void)state;
    assert_string_equal(names_of(world).text,
                        "shared=Up 1; namespace/shop=Up 1; agent/shop/cart=Up 1; ");
    (void)snprintf(path, sizeof path, "%s/hosts/agent-" CART "/agents", world->folder);
    sw_hosts_name_of(sw_system_real(), path, name);
    assert_string_equal(name, "agent/shop/cart");
    (void)snprintf(path, sizeof path, "%s/agents", world->folder);
    sw_hosts_name_of(sw_system_real(), path, name);
    assert_string_equal(name, "shared");
    sw_hosts_view(world->hosts, &sum);
    assert_int_equal(sum.pods, 3);
    world_free(world);
}

static void test_a_host_that_dies_takes_no_other_along(void **state)
{
    struct world *world = world_of_three();

    (void)state;
    assert_int_equal(say(world, "cart/k", "die", NULL), SW_OK);
    until(world, has_reply);
    assert_int_equal(world->rc, SW_E_UNAVAILABLE);
    assert_string_equal(world->downs, "agent/shop/cart ");
    world->replies = 0;
    assert_int_equal(say(world, "some/k", "hello", NULL), SW_OK);
    until(world, has_reply);
    assert_int_equal(world->rc, SW_OK);
    assert_int_equal(say(world, "nobody/k", "hello", NULL), SW_E_NOT_FOUND);
    world_free(world);
}

static void test_a_publication_asks_all_hosts_of_the_namespace_or_none(void **state)
{
    struct world *world = world_of_three();
    struct sw_agent_publish publish = {.name_space = "shop", .subject = {"a", 1}};

    (void)state;
    publish.timeout_ms = 20; /* Played hosts do not answer: the sum is that of failures. */
    assert_int_equal(sw_hosts_publish(world->hosts, &publish, on_done, world, NULL), SW_OK);
    until(world, has_reply);
    assert_int_equal(world->rc, SW_E_TIMEOUT);
    assert_int_equal(world->replies, 1);
    world_free(world);
}

static void test_a_module_is_needed_if_one_host_needs_it_or_cannot_say(void **state)
{
    struct world *world = world_of_three();

    (void)state;
    assert_int_equal(sw_hosts_ask_module(world->hosts, OLDER, on_done, world, NULL), SW_OK);
    until(world, has_reply);
    assert_int_equal(world->rc, SW_OK);
    world->replies = 0;
    assert_int_equal(sw_hosts_ask_module(world->hosts, DIGEST, on_done, world, NULL), SW_OK);
    until(world, has_reply);
    assert_int_equal(world->rc, SW_E_PRECONDITION);
    assert_true(sw_hosts_has_module(world->hosts, "shop", DIGEST));
    sw_hosts_free(world->hosts);

    world->is_needed = true; /* Folders wait for their Pods. */
    hosts_start(world);
    assert_int_not_equal(sw_hosts_ask_module(world->hosts, OLDER, on_done, world, NULL), SW_OK);
    world_free(world);
}

static void test_a_host_goes_with_its_last_pod(void **state)
{
    struct world *world = world_of_three();

    (void)state;
    assert_true(is_folder(world, "hosts/agent-" CART "/host"));
    close_pod(world, CART);
    until(world, is_cart_gone);
    assert_string_equal(names_of(world).text, "shared=Up 1; namespace/shop=Up 1; ");
    assert_string_equal(world->downs, ""); /* It was told to. */
    assert_true(is_folder(world, "hosts/namespace-shop/host"));
    world_free(world);
}

static bool is_ending(const struct world *world)
{
    return strstr(names_of(world).text, "agent/shop/cart=Stopping") != NULL;
}

static bool runs_again(const struct world *world)
{
    return world->runs >= 4;
}

static void test_a_pod_that_comes_while_its_host_ends_gets_the_next_one(void **state)
{
    struct world *world = world_of_three();
    char path[128];

    (void)state;
    (void)snprintf(path, sizeof path, "%s/hosts/agent-" CART "/agents.gate", world->folder);
    (void)close(open(path, O_CREAT | O_WRONLY, 0600));
    close_pod(world, CART);
    until(world, is_ending);
    assert_int_equal(open_pod(world, CART, SW_POD_ISOLATION_AGENT, "cart", NULL), SW_OK);
    assert_int_equal(unlink(path), 0);
    until(world, runs_again);
    assert_true(is_folder(world, "hosts/agent-" CART));
    world_free(world);
}

static void
test_data_that_is_needed_stays_and_what_nobody_needs_goes_at_the_next_start(void **state)
{
    struct world *world = world_of_three();

    (void)state;
    sw_hosts_stop(world->hosts, on_stopped, world);
    until(world, is_stopped);
    sw_hosts_free(world->hosts);
    world->is_needed = true;
    hosts_start(world);
    assert_int_equal(open_pod(world, SHOP, SW_POD_ISOLATION_NAMESPACE, "some", NULL), SW_OK);
    until(world, runs_again);
    assert_false(is_cart_gone(world));
    world->is_needed = false;
    until(world, is_cart_gone);
    assert_true(is_folder(world, "hosts/namespace-shop")); /* It has a Pod. */
    world_free(world);
}

#define LONGEST                                                                                    \
    ".namespace-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-12345678"

static bool are_leftovers_gone(const struct world *world)
{
    return !is_folder(world, "hosts/.agent-x-1") && !is_folder(world, "hosts/" LONGEST);
}

static void test_what_is_half_removed_goes_and_what_nobody_can_name_stays(void **state)
{
    struct world *world = world_new();
    char command[512];

    (void)state;
    (void)snprintf(command, sizeof command,
                   "cd %s && mkdir -p hosts/.agent-x-1/agents hosts/agent-y other hosts/" LONGEST
                   " && touch hosts/.agent-x-1/agents/journal-1.seg hosts/.agent-x-1/host other/f"
                   " && ln -s ../../other hosts/.agent-x-1/a && ln -s nowhere hosts/.agent-x-1/b",
                   world->folder);
    assert_int_equal(system(command), 0);
    hosts_start(world);
    until(world, are_leftovers_gone);
    assert_true(is_folder(world, "hosts/agent-y"));
    assert_true(is_folder(world, "other/f"));
    world_free(world);
}

/* --- What namespaces used -------------------------------------------------------------------- */

#define ID "00112233445566778899aabbccddeeff"
#define HEAD "swarm-usage 1\n"
#define USED "space shop 1 2 3 4 5 6 7 8\n"

static void put_file(const struct world *world, const char *name, const char *text)
{
    char path[160];
    FILE *file;

    (void)snprintf(path, sizeof path, "%s/%s", world->folder, name);
    file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

/* A folder of the host of an Agent that is no more. */
static struct world *world_of_dead(const char *own, const char *base)
{
    struct world *world = world_new();
    char command[128];

    (void)snprintf(command, sizeof command, "mkdir -p %s/hosts/agent-" CART, world->folder);
    assert_int_equal(system(command), 0);
    put_file(world, "hosts/agent-" CART "/host", "agent/shop/cart\n");
    if (own != NULL)
        put_file(world, "hosts/agent-" CART "/usage", own);
    if (base != NULL)
        put_file(world, "hosts/usage", base);
    return world;
}

static void add_fuel(void *ctx, const struct sw_agent_usage *usage)
{
    if (strcmp(usage->name_space, "shop") == 0)
        *(uint64_t *)ctx += usage->used.fuel;
}

static uint64_t fuel_of_shop(const struct world *world)
{
    uint64_t sum = 0;

    sw_hosts_each_space_usage(world->hosts, NULL, add_fuel, &sum);
    return sum;
}

static void start_again(struct world *world)
{
    sw_hosts_free(world->hosts);
    hosts_start(world);
}

static void test_what_was_used_outlives_its_host(void **state)
{
    struct world *world =
        world_of_dead(HEAD "id " ID "\n" USED, HEAD "space shop 1 1 1 1 1 1 1 2\n");

    (void)state;
    world->is_needed = true;
    hosts_start(world);
    assert_int_equal(fuel_of_shop(world), 10); /* It sleeps, and counts. */
    world->is_needed = false;
    until(world, is_cart_gone);
    assert_int_equal(fuel_of_shop(world), 10);
    start_again(world);
    assert_int_equal(fuel_of_shop(world), 10);
    world_free(world);
}

/* A crash between the two: it was added, and the folder is there yet. */
static void test_what_was_added_is_not_added_again(void **state)
{
    struct world *world = world_of_dead(HEAD "id " ID "\n" USED, HEAD "id " ID "\n" USED);

    (void)state;
    hosts_start(world);
    assert_int_equal(fuel_of_shop(world), 8);
    until(world, is_cart_gone);
    assert_int_equal(fuel_of_shop(world), 8);
    start_again(world);
    assert_int_equal(fuel_of_shop(world), 8);
    world_free(world);
}

static bool runs_too(const struct world *world)
{
    return world->runs >= 1;
}

static void test_what_begins_again_counts_itself(void **state)
{
    struct world *world =
        world_of_dead(HEAD "id " ID "\n" USED, HEAD "id " ID "\nspace shop 9 9 9 9 9 9 9 9\n");

    (void)state;
    world->is_needed = true;
    hosts_start(world);
    assert_int_equal(fuel_of_shop(world), 9);
    assert_int_equal(open_pod(world, CART, SW_POD_ISOLATION_AGENT, "cart", NULL), SW_OK);
    assert_int_equal(fuel_of_shop(world), 1);
    assert_false(is_folder(world, "hosts/agent-" CART "/usage"));
    until(world, runs_too);
    start_again(world);
    assert_int_equal(fuel_of_shop(world), 1);
    world_free(world);
}

/* A host that did not end in order, or of which the disk says something else, begins once more. */
static void test_what_is_not_known_is_asked_for(void **state)
{
    const char *const words[] = {NULL,
                                 "",
                                 HEAD,
                                 HEAD "id " ID "\n",
                                 HEAD "id 12\n" USED,
                                 HEAD "id  0112233445566778899aabbccddeeff\n" USED,
                                 HEAD "id " ID "\nspace shop 1 2 3 4 5 6 7 8",
                                 HEAD "id " ID "\nspace other 1 2 3 4 5 6 7 8\n",
                                 HEAD "id " ID "\nspace shop 1 2 3 4 5 6 7\n",
                                 HEAD "id " ID "\nspace shop 1 2 3 4 5 6 7 99999999999999999999\n"};

    (void)state;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        struct world *world = world_of_dead(words[i], NULL);

        hosts_start(world);
        until(world, is_cart_gone);
        assert_int_equal(fuel_of_shop(world), 0);
        assert_true(is_folder(world, "hosts/usage")); /* That it told. */
        world_free(world);
    }
}

static void on_pause(void *ctx)
{
    sw_loop_stop(ctx);
}

static void let_pass(struct world *world, uint64_t ms)
{
    struct sw_timer *pause = sw_timer_new(world->loop, on_pause, world->loop);

    sw_timer_start(pause, ms);
    sw_loop_run(world->loop);
    sw_timer_free(pause);
}

/* One that cannot end in order is not started again and again for that. */
static void test_what_cannot_be_told_is_asked_for_now_and_then(void **state)
{
    struct world *world = world_of_dead(NULL, NULL);

    (void)state;
    put_file(world, "hosts/agent-" CART "/agents.fault", "");
    world->recheck_ms = 10 * WAIT_MS;
    hosts_start(world);
    let_pass(world, 500);
    assert_in_range(world->ups, 0, 2); /* It, and the shared one. */
    assert_false(is_cart_gone(world));
    world_free(world);
}

static void add_of_other(void *ctx, const struct sw_agent_usage *usage)
{
    if (strcmp(usage->name_space, "other") == 0)
        *(uint64_t *)ctx += usage->used.fuel + usage->throttled[0];
}

static uint64_t of_other(const struct world *world)
{
    uint64_t sum = 0;

    sw_hosts_each_space_usage(world->hosts, NULL, add_of_other, &sum);
    return sum;
}

/* All namespaces are in the shared host; one of another class has nothing to say of others. */
static void test_a_host_tells_of_its_own_namespace_only(void **state)
{
    struct world *world = world_of_three();

    (void)state;
    assert_int_equal(say(world, "cart/k", "uses 7", NULL), SW_OK);
    until(world, has_reply);
    assert_int_equal(fuel_of_shop(world), 7);
    assert_int_equal(of_other(world), 0);
    world->replies = 0;
    assert_int_equal(say(world, "some/k", "uses 8", NULL), SW_OK);
    until(world, has_reply);
    assert_int_equal(fuel_of_shop(world), 15);
    assert_int_equal(of_other(world), 0);
    world->replies = 0;
    assert_int_equal(say(world, "all/k", "uses 9", NULL), SW_OK);
    until(world, has_reply);
    assert_int_equal(of_other(world), 18);
    world_free(world);
}

/* --- Bridges --------------------------------------------------------------------------------- */

static bool has_line(const struct world *world)
{
    return strstr(world->lines, world->awaited) != NULL;
}

static void until_line(struct world *world, const char *line)
{
    world->awaited = line;
    until(world, has_line);
}

static bool are_bridged(const struct world *world)
{
    struct sw_agents_view view;

    sw_hosts_view(world->hosts, &view);
    return view.host_starts == 3 && sw_hosts_are_bridged(world->hosts);
}

static struct world *world_of_patience(bool is_patient)
{
    struct world *world = world_new();

    world->has_bridges = true;
    world->is_patient = is_patient;
    hosts_start(world);
    assert_int_equal(open_pod(world, SHARED, SW_POD_ISOLATION_SHARED, "all", NULL), SW_OK);
    assert_int_equal(open_pod(world, SHOP, SW_POD_ISOLATION_NAMESPACE, "some", NULL), SW_OK);
    assert_int_equal(open_pod(world, CART, SW_POD_ISOLATION_AGENT, "cart", NULL), SW_OK);
    until(world, all_run);
    until(world, are_bridged);
    return world;
}

static struct world *world_with_bridges(void)
{
    return world_of_patience(false);
}

static void test_bridges_are_nobodys_pods(void **state)
{
    struct world *world = world_with_bridges();

    (void)state;
    assert_string_equal(names_of(world).text,
                        "shared=Up 1; namespace/shop=Up 1; agent/shop/cart=Up 1; ");
    assert_int_equal(world->runs, 3);
    world_free(world);
}

static void test_an_envelope_goes_to_the_bridge_of_its_sender(void **state)
{
    struct world *world = world_with_bridges();

    (void)state;
    assert_int_equal(say(world, "cart/k", "carry 1 o cart/a some/b", NULL), SW_OK);
    until_line(world, "cart: result 0 of 1\n");
    assert_non_null(strstr(world->lines, "some: took cart/a\n"));
    world_free(world);
}

static void test_a_host_speaks_for_its_own_agents_only(void **state)
{
    struct world *world = world_with_bridges();

    (void)state;
    assert_int_equal(say(world, "cart/k", "carry 1 o some/a all/b", NULL), SW_OK);
    until_line(world, "cart: result 7 of 1\n"); /* DENIED */
    assert_int_equal(say(world, "cart/k", "carry 2 - cart/a all/b", NULL), SW_OK);
    until_line(world, "cart: result 5 of 2\n"); /* To all but bridges there is no such service. */
    assert_int_equal(say(world, "cart/k", "carry 3 o cart/a nobody/b", NULL), SW_OK);
    until_line(world, "cart: result 5 of 3\n");
    assert_int_equal(say(world, "cart/k", "carry 4 o cart/a cart/b", NULL), SW_OK);
    until_line(world, "cart: result 5 of 4\n"); /* It runs where it is. */
    assert_int_equal(say(world, "cart/k", "carry 5 o cart/a", NULL), SW_OK);
    until_line(world, "cart: result 3 of 5\n"); /* INVALID */
    assert_null(strstr(world->lines, "took"));
    world_free(world);
}

static bool is_some_up(const struct world *world)
{
    return strstr(names_of(world).text, "namespace/shop=Up") != NULL;
}

static void test_what_a_host_cannot_take_now_is_sent_again(void **state)
{
    struct world *world = world_with_bridges();

    (void)state;
    assert_int_equal(say(world, "some/k", "die", NULL), SW_OK);
    until(world, has_reply);
    assert_int_equal(say(world, "cart/k", "carry 1 o cart/a some/b", NULL), SW_OK);
    until_line(world, "cart: result 0 of 1\n");
    until(world, is_some_up);
    world_free(world);
}

static void test_nothing_is_sent_to_an_agent_that_went(void **state)
{
    struct world *world = world_with_bridges();

    (void)state;
    assert_int_equal(say(world, "some/k", "die", NULL), SW_OK);
    until(world, has_reply);
    close_pod(world, SHOP);
    assert_int_equal(say(world, "cart/k", "carry 1 o cart/a some/b", NULL), SW_OK);
    until_line(world, "cart: result ");
    world_free(world);
}

static bool is_shop_gone(const struct world *world)
{
    return !is_folder(world, "hosts/namespace-shop");
}

/* What a host did not take before it went is not for the next one that has its place. */
static void test_what_is_on_its_way_to_a_host_ends_with_it(void **state)
{
    struct world *world = world_of_patience(true);
    const struct sw_pod_runner *runner = sw_hosts_runner(world->hosts);

    (void)state;
    assert_int_equal(say(world, "some/k", "die", NULL), SW_OK);
    until(world, has_reply);
    assert_int_equal(say(world, "cart/k", "carry_to_all 1 o cart/a", NULL), SW_OK);
    until_line(world, "all: took cart/a\n");
    let_pass(world, 1200); /* Tries are half a second apart by then. */
    runner->close(runner->ctx, SHOP, false);
    until(world, is_shop_gone);
    assert_int_equal(open_pod_in(world, "other", LATE, SW_POD_ISOLATION_AGENT, "late", NULL),
                     SW_OK);
    until_line(world, "cart: result 0 of 1\n");
    world_free(world);
}

/* However often a host says that its bridge has failed, that is opened again in time. */
static void test_a_bridge_that_fails_is_opened_again(void **state)
{
    struct world *world = world_with_bridges();

    (void)state;
    assert_int_equal(say(world, "cart/k", "fail", NULL), SW_OK);
    until_line(world, "cart: out again\n");
    until(world, are_bridged);
    world_free(world);
}

static void test_there_are_no_more_hosts_than_allowed(void **state)
{
    struct world *world = world_new();
    struct sw_err err = {0};

    (void)state;
    world->hosts_max = 2;
    hosts_start(world);
    assert_int_equal(open_pod(world, SHOP, SW_POD_ISOLATION_NAMESPACE, "some", NULL), SW_OK);
    assert_int_equal(open_pod(world, CART, SW_POD_ISOLATION_AGENT, "cart", &err), SW_E_EXHAUSTED);
    assert_non_null(strstr(err.message, "runs 2 agent hosts"));
    assert_int_equal(open_pod(world, SHARED, SW_POD_ISOLATION_SHARED, "all", NULL), SW_OK);
    world_free(world);
}

/* --- Quotas ---------------------------------------------------------------------------------- */

static void set_quota(struct world *world, uint64_t instances)
{
    const struct sw_pod_runner *runner = sw_hosts_runner(world->hosts);
    const struct sw_pod_quota quota = {.instances = instances, .memory_bytes = SW_POD_QUOTA_NONE};

    runner->set_quota(runner->ctx, "shop", &quota);
}

static void test_a_host_that_comes_has_what_others_let_go(void **state)
{
    struct world *world = world_new();

    (void)state;
    hosts_start(world);
    set_quota(world, 12);
    assert_int_equal(open_pod(world, SHARED, SW_POD_ISOLATION_SHARED, "all", NULL), SW_OK);
    world->runs = 2;
    until(world, all_run);
    assert_int_equal(say(world, "all", "has 10", NULL), SW_OK);
    until(world, has_reply);
    assert_int_equal(open_pod(world, CART, SW_POD_ISOLATION_AGENT, "cart", NULL), SW_OK);
    until_line(world, "all: may 6\n");
    until_line(world, "cart: may 2\n"); /* Nothing before that. */
    assert_null(strstr(world->lines, "cart: may 6"));
    assert_int_equal(say(world, "cart", "has 18446744073709551615", NULL), SW_OK);
    assert_int_equal(say(world, "all", "has 3", NULL), SW_OK);
    until_line(world, "cart: may 6\n");
    world->lines[0] = '\0';
    close_pod(world, CART);
    until_line(world, "all: may 12\n"); /* Once it is gone, since it says that it has so much. */
    world->lines[0] = '\0';
    set_quota(world, SW_POD_QUOTA_NONE);
    until_line(world, "all: may 18446744073709551615\n");
    world_free(world);
}

/* What lies in a folder that waits for its Pods is not known, and given to nobody. */
static void test_what_a_host_had_before_a_start_is_not_given_away(void **state)
{
    struct world *world = world_of_three();

    (void)state;
    sw_hosts_free(world->hosts);
    world->is_needed = true;
    world->lines[0] = '\0';
    world->runs = 2;
    hosts_start(world);
    set_quota(world, 12);
    assert_int_equal(open_pod(world, SHARED, SW_POD_ISOLATION_SHARED, "all", NULL), SW_OK);
    until(world, all_run);
    assert_int_equal(open_pod(world, CART, SW_POD_ISOLATION_AGENT, "cart", NULL), SW_OK);
    world->runs = 2;
    until(world, all_run);
    until_line(world, "cart: may 0\n"); /* They wait for the host of the namespace. */
    assert_non_null(strstr(world->lines, "all: may 0\n"));
    assert_null(strstr(world->lines, "may 4"));
    assert_int_equal(open_pod(world, SHOP, SW_POD_ISOLATION_NAMESPACE, "some", NULL), SW_OK);
    until_line(world, "all: may 4\n");
    until_line(world, "cart: may 4\n");
    until_line(world, "some: may 4\n");
    world_free(world);
}

int main(int count, char **words)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_class_has_its_host),
        cmocka_unit_test(test_a_host_that_dies_takes_no_other_along),
        cmocka_unit_test(test_a_publication_asks_all_hosts_of_the_namespace_or_none),
        cmocka_unit_test(test_a_module_is_needed_if_one_host_needs_it_or_cannot_say),
        cmocka_unit_test(test_a_host_goes_with_its_last_pod),
        cmocka_unit_test(test_a_pod_that_comes_while_its_host_ends_gets_the_next_one),
        cmocka_unit_test(
            test_data_that_is_needed_stays_and_what_nobody_needs_goes_at_the_next_start),
        cmocka_unit_test(test_what_is_half_removed_goes_and_what_nobody_can_name_stays),
        cmocka_unit_test(test_what_was_used_outlives_its_host),
        cmocka_unit_test(test_what_was_added_is_not_added_again),
        cmocka_unit_test(test_what_begins_again_counts_itself),
        cmocka_unit_test(test_what_is_not_known_is_asked_for),
        cmocka_unit_test(test_what_cannot_be_told_is_asked_for_now_and_then),
        cmocka_unit_test(test_a_host_tells_of_its_own_namespace_only),
        cmocka_unit_test(test_bridges_are_nobodys_pods),
        cmocka_unit_test(test_an_envelope_goes_to_the_bridge_of_its_sender),
        cmocka_unit_test(test_a_host_speaks_for_its_own_agents_only),
        cmocka_unit_test(test_what_a_host_cannot_take_now_is_sent_again),
        cmocka_unit_test(test_nothing_is_sent_to_an_agent_that_went),
        cmocka_unit_test(test_what_is_on_its_way_to_a_host_ends_with_it),
        cmocka_unit_test(test_a_bridge_that_fails_is_opened_again),
        cmocka_unit_test(test_there_are_no_more_hosts_than_allowed),
        cmocka_unit_test(test_a_host_that_comes_has_what_others_let_go),
        cmocka_unit_test(test_what_a_host_had_before_a_start_is_not_given_away),
    };

    if (count == 3 && strcmp(words[1], "--folder") == 0) {
        (void)snprintf(gate, sizeof gate, "%s.gate", words[2]);
        (void)snprintf(fault, sizeof fault, "%s.fault", words[2]);
        host_before_stop = await_gate;
        host_acts = act;
        return host_main("/mortal");
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
