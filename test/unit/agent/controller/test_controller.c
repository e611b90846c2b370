/* The supervisor against agent hosts that this program plays itself: started again with "--folder
 * FOLDER", it speaks the link on descriptor 3 in the way that FOLDER's last name says. */
#include "pkg/agent/controller/controller.h"
#include "pkg/agent/link/frame.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define LINK 3
#define WAIT_MS 20000
#define DIGEST "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
#define POD "0190b5a0-0000-7000-8000-000000000001"
#define CODE_SIZE ((2u << 20) + 5) /* Three pieces. */

/* --- The host that is played ----------------------------------------------------------------- */

static void host_put(const struct sw_frame *frame)
{
    struct sw_buffer out;
    size_t at = 0;

    sw_buffer_init(&out, SW_FRAME_BYTES_MAX + 8);
    sw_frame_put(frame, &out);
    while (at < out.size) {
        ssize_t wrote = write(LINK, out.data + at, out.size - at);

        if (wrote <= 0)
            _exit(1);
        at += (size_t)wrote;
    }
    sw_buffer_done(&out);
}

static void host_ready(void)
{
    struct sw_frame ready = {.kind = SW_FRAME_READY};

    ready.ready.version = SW_LINK_VERSION;
    ready.ready.workers = 1;
    host_put(&ready);
}

static void host_open(const struct sw_frame_pod_open *open, uint64_t code_bytes)
{
    struct sw_frame status = {.kind = SW_FRAME_POD_STATUS};

    status.pod_status.uid = open->uid;
    status.pod_status.generation = open->generation;
    status.pod_status.phase = SW_FRAME_POD_RUNNING;
    status.pod_status.instances = code_bytes; /* How the test learns what arrived. */
    status.pod_status.ready = open->replicas;
    host_put(&status);
}

static void host_reply(const struct sw_frame_send *send)
{
    struct sw_frame reply = {.kind = SW_FRAME_REPLY};

    reply.reply.request = send->request;
    reply.reply.type = send->type;
    reply.reply.body = send->body;
    reply.reply.from = send->key;
    if (send->body.size > 5 && memcmp(send->body.data, "code ", 5) == 0)
        reply.reply.code = (uint32_t)strtoul((const char *)send->body.data + 5, NULL, 10);
    host_put(&reply);
}

static bool host_is(const char *folder, const char *role)
{
    return strcmp(strrchr(folder, '/') + 1, role) == 0;
}

/* What a host of this role does about one frame. */
static void host_act(const char *folder, const struct sw_frame *frame, uint64_t *code_bytes)
{
    struct sw_frame answer = {.kind = SW_FRAME_POD_CLOSED};

    if (frame->kind == SW_FRAME_HELLO) {
        if (host_is(folder, "rude") && write(LINK, "\xff\xff\xff\xff nonsense", 13) > 0)
            pause();
        host_ready();
        if (host_is(folder, "fragile"))
            _exit(1);
    } else if (frame->kind == SW_FRAME_MODULE) {
        *code_bytes += frame->module.bytes.size;
    } else if (frame->kind == SW_FRAME_POD_OPEN) {
        host_open(&frame->pod_open, *code_bytes);
    } else if (frame->kind == SW_FRAME_POD_CLOSE) {
        answer.pod_closed.uid = frame->pod_close.uid;
        host_put(&answer);
    } else if (frame->kind == SW_FRAME_SEND) {
        if (host_is(folder, "mortal") && frame->send.body.size == 3)
            abort();
        if (!host_is(folder, "mute"))
            host_reply(&frame->send);
    } else if (frame->kind == SW_FRAME_PING && !host_is(folder, "mute")) {
        answer = (struct sw_frame){.kind = SW_FRAME_PONG, .request = frame->request};
        host_put(&answer);
    } else if (frame->kind == SW_FRAME_STOP) {
        _exit(0);
    }
}

static int host_main(const char *folder)
{
    static uint8_t bytes[4 * SW_FRAME_BYTES_MAX];
    uint64_t code_bytes = 0;
    size_t have = 0;

    for (;;) {
        ssize_t got = read(LINK, bytes + have, sizeof bytes - have);
        size_t taken = 0;

        if (got <= 0)
            return 0;
        have += (size_t)got;
        for (;;) {
            struct sw_frame frame;
            size_t size;

            if (sw_frame_take((struct sw_bytes){bytes + taken, have - taken}, SW_FRAME_TO_HOST,
                              &frame, &size, NULL) != SW_OK)
                return 1;
            if (size == 0)
                break;
            host_act(folder, &frame, &code_bytes);
            taken += size;
        }
        have -= taken;
        (void)memmove(bytes, bytes + taken, have);
    }
}

/* --- The test's side ------------------------------------------------------------------------- */

struct world {
    struct sw_loop *loop;
    struct sw_agents *agents;
    struct sw_timer *guard;
    struct sw_logger logger;
    struct sw_pod_report report;
    char reason[64];
    int ups, downs, replies, closes, reports, stops, gets;
    bool is_unpushed, is_broken_code, is_late;
    enum sw_rc rc;
    char body[64];
    const int *waited;
    int wanted;
    void (*code_done)(void *ctx, enum sw_rc rc, struct sw_bytes bytes, const struct sw_err *err);
    void *code_ctx;
};

static void look(struct world *world)
{
    if (world->waited != NULL && *world->waited >= world->wanted)
        sw_loop_stop(world->loop);
}

static void on_late(void *ctx)
{
    struct world *world = ctx;

    world->is_late = true;
    sw_loop_stop(world->loop);
}

/* Run the loop until *count is at least wanted. */
static void until(struct world *world, const int *count, int wanted)
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

static void on_host(void *ctx, bool is_up, const char *words)
{
    struct world *world = ctx;

    (void)words;
    if (is_up)
        world->ups++;
    else
        world->downs++;
    look(world);
}

static void on_status(void *ctx, const struct sw_pod_report *report)
{
    struct world *world = ctx;

    world->report = *report;
    (void)snprintf(world->reason, sizeof world->reason, "%s", report->reason);
    world->reports += report->phase != SW_POD_STARTING;
    look(world);
}

static void on_closed(void *ctx, const char *uid)
{
    struct world *world = ctx;

    assert_string_equal(uid, POD);
    world->closes++;
    look(world);
}

static void on_pod_event(void *ctx, const struct sw_pod_event *event)
{
    (void)ctx;
    (void)event;
}

static void on_stopped(void *ctx)
{
    struct world *world = ctx;

    world->stops++;
    look(world);
}

static bool code_has(void *ctx, const char *name_space, const char *digest)
{
    const struct world *world = ctx;

    assert_string_equal(name_space, "default");
    assert_string_equal(digest, DIGEST);
    return !world->is_unpushed;
}

static void code_answer(void *ctx)
{
    struct world *world = ctx;
    struct sw_err err = {.rc = SW_E_INVALID, .message = "it is ill-typed"};
    void *code = calloc(1, CODE_SIZE);
    struct sw_bytes bytes = {code, CODE_SIZE};

    world->code_done(world->code_ctx, world->is_broken_code ? SW_E_INVALID : SW_OK, bytes, &err);
    free(code);
}

static enum sw_rc code_get(void *ctx, const char *name_space, const char *digest,
                           void (*done)(void *done_ctx, enum sw_rc rc, struct sw_bytes bytes,
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
    return sw_loop_post(world->loop, code_answer, world);
}

static uint64_t utc_ns(void *ctx)
{
    return sw_system_real()->utc_ns(ctx);
}

/* Start a supervisor whose host plays this role. */
static struct world *world_new(const char *role)
{
    struct world *world = calloc(1, sizeof *world);
    static char self[SW_PATH_MAX], folder[128];
    ssize_t size = readlink("/proc/self/exe", self, sizeof self - 1);
    struct sw_agents_options options = {.system = sw_system_real(),
                                        .logger = &world->logger,
                                        .host_path = self,
                                        .folder = folder,
                                        .machine_code = {world, code_has, code_get},
                                        .observer = {.ctx = world, .on_host = on_host},
                                        .ping_ms = 50,
                                        .backoff_ms = 1,
                                        .backoff_max_ms = 10};
    struct sw_pod_observer observer = {
        .ctx = world, .on_status = on_status, .on_event = on_pod_event, .on_closed = on_closed};

    assert_true(size > 0);
    self[size] = '\0';
    (void)snprintf(folder, sizeof folder, "/nowhere/%s", role);
    world->logger = (struct sw_logger){.file = -1, .utc_ns = utc_ns};
    assert_int_equal(sw_loop_new(&world->loop, NULL), SW_OK);
    options.loop = world->loop;
    if (strcmp(role, "fragile") == 0)
        options.backoff_ms = 10, options.backoff_max_ms = 1000;
    world->guard = sw_timer_new(world->loop, on_late, world);
    assert_int_equal(sw_agents_new(&options, &world->agents, NULL), SW_OK);
    sw_agents_runner(world->agents)->observe(sw_agents_runner(world->agents)->ctx, &observer);
    return world;
}

static void world_free(struct world *world)
{
    sw_agents_free(world->agents);
    sw_timer_free(world->guard);
    sw_loop_free(world->loop);
    free(world);
}

static void pod_open(struct world *world)
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

static void on_done(void *ctx, const struct sw_agent_result *result)
{
    struct world *world = ctx;

    world->replies++;
    world->rc = result->rc;
    (void)snprintf(world->body, sizeof world->body, "%.*s", (int)result->body.size,
                   (const char *)result->body.data);
    look(world);
}

static enum sw_rc say(struct world *world, const char *to, const char *body, uint64_t timeout_ms)
{
    struct sw_agent_send send = {.name_space = "default",
                                 .to = {to, strlen(to)},
                                 .body = {body, strlen(body)},
                                 .priority = -1,
                                 .want_reply = true,
                                 .timeout_ms = timeout_ms};

    return sw_agents_send(world->agents, &send, on_done, world, NULL, NULL);
}

static void test_a_pod_gets_its_module_and_then_its_messages(void **state)
{
    struct world *world = world_new("kind");

    (void)state;
    pod_open(world);
    until(world, &world->reports, 1);
    assert_int_equal(world->report.phase, SW_POD_RUNNING);
    assert_int_equal(world->report.instances, CODE_SIZE);
    assert_int_equal(world->report.ready, 7);
    assert_int_equal(say(world, "echo/a", "hello", WAIT_MS), SW_OK);
    until(world, &world->replies, 1);

    assert_int_equal(world->rc, SW_OK);
    assert_string_equal(world->body, "hello");
    world_free(world);
}

static void test_an_unknown_agent_and_a_bad_name_are_refused_at_once(void **state)
{
    struct world *world = world_new("kind");

    (void)state;
    pod_open(world);
    until(world, &world->reports, 1);

    assert_int_equal(say(world, "nobody/a", "hello", WAIT_MS), SW_E_NOT_FOUND);
    assert_int_equal(say(world, "/a", "hello", WAIT_MS), SW_E_INVALID);
    assert_int_equal(say(world, "", "hello", WAIT_MS), SW_E_INVALID);
    world_free(world);
}

static void test_a_host_that_dies_is_started_again_with_its_pods(void **state)
{
    struct world *world = world_new("mortal");

    (void)state;
    pod_open(world);
    until(world, &world->reports, 1);
    assert_int_equal(say(world, "echo/a", "die", WAIT_MS), SW_OK);
    until(world, &world->replies, 1);
    assert_int_equal(world->rc, SW_E_UNAVAILABLE);
    until(world, &world->reports, 2);
    assert_int_equal(world->report.restarts, 1);
    assert_int_equal(say(world, "echo/a", "again", WAIT_MS), SW_OK);
    until(world, &world->replies, 2);

    assert_int_equal(world->rc, SW_OK);
    assert_int_equal(world->gets, 2);
    world_free(world);
}

static void test_a_host_that_breaks_the_protocol_is_killed_and_replaced(void **state)
{
    struct world *world = world_new("rude");

    (void)state;
    until(world, &world->downs, 3);

    assert_int_equal(world->ups, 0);
    world_free(world);
}

static void test_a_host_without_a_sign_of_life_is_replaced(void **state)
{
    struct world *world = world_new("mute");

    (void)state;
    until(world, &world->downs, 1);
    until(world, &world->ups, 2);
    world_free(world);
}

static void test_a_message_without_an_answer_ends_by_its_time(void **state)
{
    struct world *world = world_new("mute");

    (void)state;
    pod_open(world);
    until(world, &world->reports, 1);
    assert_int_equal(say(world, "echo/a", "hello", 5), SW_OK);
    until(world, &world->replies, 1);

    assert_int_equal(world->rc, SW_E_TIMEOUT);
    world_free(world);
}

static void test_a_module_that_was_not_pushed_fails_the_pod(void **state)
{
    struct world *world = world_new("kind");

    (void)state;
    world->is_unpushed = true;
    pod_open(world);
    until(world, &world->reports, 1);

    assert_int_equal(world->report.phase, SW_POD_FAILED);
    assert_string_equal(world->reason, "ModuleNotFound");
    assert_int_equal(world->gets, 0);
    world_free(world);
}

static void test_a_module_that_does_not_compile_fails_the_pod_until_it_does(void **state)
{
    struct world *world = world_new("kind");

    (void)state;
    world->is_broken_code = true;
    pod_open(world);
    until(world, &world->reports, 1);
    assert_string_equal(world->reason, "ModuleInvalid");
    world->is_broken_code = false;
    pod_open(world);
    until(world, &world->reports, 2);

    assert_int_equal(world->report.phase, SW_POD_RUNNING);
    world_free(world);
}

static void test_a_closed_pod_takes_no_more_messages(void **state)
{
    struct world *world = world_new("kind");
    const struct sw_pod_runner *runner = sw_agents_runner(world->agents);

    (void)state;
    pod_open(world);
    until(world, &world->reports, 1);
    runner->close(runner->ctx, POD, true);
    until(world, &world->closes, 1);

    assert_int_equal(say(world, "echo/a", "hello", WAIT_MS), SW_E_NOT_FOUND);
    runner->close(runner->ctx, POD, false);
    until(world, &world->closes, 2);
    world_free(world);
}

static void test_a_pod_may_be_closed_and_opened_faster_than_the_host_answers(void **state)
{
    struct world *world = world_new("kind");
    const struct sw_pod_runner *runner = sw_agents_runner(world->agents);

    (void)state;
    pod_open(world);
    until(world, &world->reports, 1);
    runner->close(runner->ctx, POD, false);
    pod_open(world);
    runner->close(runner->ctx, POD, false);
    runner->close(runner->ctx, POD, false);
    until(world, &world->closes, 1);
    pod_open(world);
    until(world, &world->reports, 2);

    assert_int_equal(world->downs, 0);
    assert_int_equal(world->closes, 1);
    world_free(world);
}

static void test_numbers_that_are_no_code_do_not_reach_clients(void **state)
{
    static const struct {
        const char *body;
        enum sw_rc rc;
    } cases[] = {{"code 16 ", SW_E_UNAUTHENTICATED},
                 {"code 17 ", SW_E_UNKNOWN},
                 {"code 2147483648 ", SW_E_UNKNOWN},
                 {"code 4294967295 ", SW_E_UNKNOWN}};
    struct world *world = world_new("kind");

    (void)state;
    pod_open(world);
    until(world, &world->reports, 1);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(say(world, "echo/a", cases[i].body, WAIT_MS), SW_OK);
        until(world, &world->replies, i + 1);
        assert_int_equal(world->rc, cases[i].rc);
    }
    world_free(world);
}

static void test_a_host_that_dies_again_and_again_is_started_less_often(void **state)
{
    struct world *world = world_new("fragile");
    uint64_t began = sw_system_real()->monotonic_ns(NULL);

    (void)state;
    until(world, &world->downs, 5);

    assert_int_equal(world->ups, 5);
    assert_true(sw_system_real()->monotonic_ns(NULL) - began >
                (10 + 20 + 40 + 80) * (uint64_t)1000000);
    world_free(world);
}

static void test_a_stop_ends_the_host_and_refuses_what_comes_after(void **state)
{
    struct world *world = world_new("kind");
    struct sw_agents_view view;

    (void)state;
    pod_open(world);
    until(world, &world->reports, 1);
    sw_agents_stop(world->agents, on_stopped, world);
    until(world, &world->stops, 1);

    sw_agents_view(world->agents, &view);
    assert_false(view.is_up);
    assert_int_equal(say(world, "echo/a", "hello", WAIT_MS), SW_E_UNAVAILABLE);
    world_free(world);
}

int main(int count, char **words)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_pod_gets_its_module_and_then_its_messages),
        cmocka_unit_test(test_an_unknown_agent_and_a_bad_name_are_refused_at_once),
        cmocka_unit_test(test_a_host_that_dies_is_started_again_with_its_pods),
        cmocka_unit_test(test_a_host_that_breaks_the_protocol_is_killed_and_replaced),
        cmocka_unit_test(test_a_host_without_a_sign_of_life_is_replaced),
        cmocka_unit_test(test_a_message_without_an_answer_ends_by_its_time),
        cmocka_unit_test(test_a_module_that_was_not_pushed_fails_the_pod),
        cmocka_unit_test(test_a_module_that_does_not_compile_fails_the_pod_until_it_does),
        cmocka_unit_test(test_a_closed_pod_takes_no_more_messages),
        cmocka_unit_test(test_a_pod_may_be_closed_and_opened_faster_than_the_host_answers),
        cmocka_unit_test(test_numbers_that_are_no_code_do_not_reach_clients),
        cmocka_unit_test(test_a_host_that_dies_again_and_again_is_started_less_often),
        cmocka_unit_test(test_a_stop_ends_the_host_and_refuses_what_comes_after),
    };

    if (count == 3 && strcmp(words[1], "--folder") == 0)
        return host_main(words[2]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
