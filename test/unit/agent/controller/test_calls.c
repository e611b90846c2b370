/* Outside calls through the supervisor: each runs once, whoever asks for it again. */
#include "test/unit/agent/controller/world.h"

#include "pkg/broker/service/delay.h"

struct service { /* "slow": answers when the test says so. */
    int starts, cancels;
    bool is_full;
    char instance[32], agent[32], key[SW_SERVICE_KEY_MAX + 1], body[32];
    sw_service_done *done;
    void *done_ctx;
};

static struct world *world;
static struct service slow;
static struct sw_services *services;
static struct sw_delay *delay;

static enum sw_rc slow_start(void *ctx, const struct sw_service_call *call, sw_service_done *done,
                             void *done_ctx, void **ret_ticket, struct sw_err *err)
{
    struct service *service = ctx;

    service->starts++;
    (void)snprintf(service->instance, sizeof service->instance, "%.*s", (int)call->instance.size,
                   (const char *)call->instance.data);
    (void)snprintf(service->agent, sizeof service->agent, "%s/%s", call->name_space, call->agent);
    (void)snprintf(service->key, sizeof service->key, "%.*s", (int)call->key.size,
                   (const char *)call->key.data);
    (void)snprintf(service->body, sizeof service->body, "%.*s", (int)call->body.size,
                   (const char *)call->body.data);
    service->done = done;
    service->done_ctx = done_ctx;
    *ret_ticket = service;
    look(world);
    return service->is_full ? sw_err_set(err, SW_E_EXHAUSTED, "it is full") : SW_OK;
}

static void slow_cancel(void *ctx, void *ticket)
{
    struct service *service = ctx;

    assert_ptr_equal(ticket, service);
    service->cancels++;
    look(world);
}

static void slow_answer(enum sw_rc rc, const char *body)
{
    slow.done(slow.done_ctx, &(struct sw_service_answer){
                                 .rc = rc, .type = {"t", 1}, .body = {body, strlen(body)}});
}

static int begin(uint64_t calls_kept_ms, uint64_t calls_settle_ms)
{
    struct sw_service service = {"slow", &slow, slow_start, slow_cancel};
    struct sw_service waits;

    memset(&slow, 0, sizeof slow);
    world = world_make();
    services = sw_services_new();
    assert_int_equal(sw_delay_new(world->loop, sw_system_real(), &delay, NULL), SW_OK);
    waits = sw_delay_service(delay);
    assert_int_equal(sw_services_add(services, &service, NULL), SW_OK);
    assert_int_equal(sw_services_add(services, &waits, NULL), SW_OK);
    world->services = services;
    world->calls_kept_ms = calls_kept_ms;
    world->calls_settle_ms = calls_settle_ms;
    world_start(world, "mortal");
    pod_open(world);
    until(world, &world->reports, 1);
    return 0;
}

static int set_up(void **state)
{
    (void)state;
    return begin(0, 0);
}

static int set_up_forgetful(void **state)
{
    (void)state;
    return begin(0, 20);
}

static int set_up_brief(void **state)
{
    (void)state;
    return begin(40, 20);
}

static int tear_down(void **state)
{
    (void)state;
    sw_agents_free(world->agents);
    world->agents = NULL;
    sw_delay_free(delay);
    sw_services_free(services);
    sw_timer_free(world->guard);
    sw_loop_free(world->loop);
    free(world);
    return 0;
}

/* Have the host send a frame of a call, and come back when it has. */
static void tell(const char *words)
{
    int replies = world->replies;

    assert_int_equal(say(world, "echo/a", words, WAIT_MS), SW_OK);
    until(world, &world->replies, replies + 1);
}

static uint64_t open_calls(void)
{
    struct sw_agents_view view;

    sw_agents_view(world->agents, &view);
    return view.calls_open;
}

static void kill_host(void)
{
    int reports = world->reports;

    assert_int_equal(say(world, "echo/a", "die", WAIT_MS), SW_OK);
    until(world, &world->reports, reports + 1);
}

static void a_call_reaches_its_service_with_who_makes_it(void **state)
{
    (void)state;
    tell("call 1 slow hello");
    assert_int_equal(slow.starts, 1);
    assert_string_equal(slow.agent, "default/echo");
    assert_string_equal(slow.instance, "a");
    assert_string_equal(slow.body, "hello");
    assert_string_equal(slow.key, "0000000000000007-0000000000000008-0000000000000001");
    assert_int_equal(open_calls(), 1);
    slow_answer(SW_OK, "done");
    until(world, &world->lines, 1);
    assert_string_equal(world->line, "1 0 done");
    assert_int_equal(open_calls(), 1); /* Until it is taken. */
    tell("end 1");
    assert_int_equal(open_calls(), 0);
    assert_int_equal(slow.cancels, 0);
}

static void who_asks_again_joins_what_runs(void **state)
{
    (void)state;
    tell("call 1 slow hello");
    tell("call 1 slow hello");
    kill_host();
    tell("call 1 slow hello");
    assert_int_equal(slow.starts, 1);
    slow_answer(SW_OK, "done");
    until(world, &world->lines, 1);
    assert_string_equal(world->line, "1 0 done");
}

static void a_result_that_nobody_took_is_told_again(void **state)
{
    (void)state;
    tell("call 1 slow hello");
    slow_answer(SW_E_UNAVAILABLE, "no");
    until(world, &world->lines, 1);
    kill_host(); /* It took nothing. */
    tell("call 1 slow hello");
    until(world, &world->lines, 2);
    assert_string_equal(world->line, "1 14 no");
    assert_int_equal(slow.starts, 1);
    tell("end 1");
    tell("call 1 slow hello"); /* Nobody who took it asks again; a host that lies starts anew. */
    assert_int_equal(slow.starts, 2);
}

static void a_result_that_comes_while_no_host_runs_waits_for_the_next(void **state)
{
    int downs = world->downs;

    (void)state;
    tell("call 1 slow hello");
    assert_int_equal(say(world, "echo/a", "die", WAIT_MS), SW_OK);
    until(world, &world->downs, downs + 1);
    slow_answer(SW_OK, "done");
    until(world, &world->reports, 2);
    assert_int_equal(world->lines, 0);
    tell("call 1 slow hello");
    until(world, &world->lines, 1);
    assert_string_equal(world->line, "1 0 done");
}

static void what_nobody_waits_for_any_more_is_cancelled(void **state)
{
    (void)state;
    tell("call 1 slow hello");
    tell("end 1");
    assert_int_equal(slow.cancels, 1);
    assert_int_equal(open_calls(), 0);
    tell("end 1"); /* Of nothing. */
    tell("call 2 slow hello");
    sw_agents_free(world->agents);
    world->agents = NULL;
    assert_int_equal(slow.cancels, 2);
}

static void an_unknown_service_is_answered_with_those_that_there_are(void **state)
{
    (void)state;
    tell("call 1 nothing hello");
    until(world, &world->lines, 1);
    assert_string_equal(world->line,
                        "1 5 there is no service nothing on this node; there is: slow, "
                        "swarm.delay");
    assert_int_equal(open_calls(), 0);
}

static void a_service_that_refuses_is_heard(void **state)
{
    (void)state;
    slow.is_full = true;
    tell("call 1 slow hello");
    until(world, &world->lines, 1);
    assert_string_equal(world->line, "1 8 it is full");
    assert_int_equal(open_calls(), 0);
}

static void a_namespace_leaves_room_to_others(void **state)
{
    char words[64];

    (void)state;
    for (int i = 1; i <= 4; i++) {
        (void)snprintf(words, sizeof words, "call %d slow hello", i);
        tell(words);
    }
    tell("call 5 slow hello"); /* Of five that there may be, four are its own. */
    until(world, &world->lines, 1);
    assert_string_equal(world->line, "5 8 4 calls of the namespace default are under way on this "
                                     "node; call again later");
    assert_int_equal(slow.starts, 4);
    tell("end 2");
    tell("call 5 slow hello");
    assert_int_equal(slow.starts, 5);
    assert_int_equal(open_calls(), 4);
}

/* The instance that called has gone with a host that could not say so. */
static void what_no_host_asks_for_any_more_is_cancelled(void **state)
{
    (void)state;
    tell("call 1 slow hello");
    kill_host();
    until(world, &slow.cancels, 1);
    assert_int_equal(open_calls(), 0);
}

static void a_result_is_kept_until_the_host_says_that_it_is_over(void **state)
{
    (void)state;
    tell("call 1 slow hello");
    slow_answer(SW_OK, "done");
    until(world, &world->lines, 1);
    tell("call 2 slow hello");
    kill_host();
    tell("call 1 slow hello"); /* Of the second, nobody knows any more. */
    until(world, &world->lines, 2);
    until(world, &slow.cancels, 1);
    assert_int_equal(open_calls(), 1);
    tell("call 1 slow hello");
    until(world, &world->lines, 3);
    assert_string_equal(world->line, "1 0 done");
    assert_int_equal(slow.starts, 2);
}

static void what_an_agent_without_pods_had_is_kept_for_a_while(void **state)
{
    const struct sw_pod_runner *runner = sw_agents_runner(world->agents);
    uint64_t begun_ms;

    (void)state;
    tell("call 1 slow hello");
    runner->close(runner->ctx, POD, false);
    until(world, &world->closes, 1);
    begun_ms = sw_loop_now_ms(world->loop);
    until(world, &slow.cancels, 1);
    assert_true(sw_loop_now_ms(world->loop) - begun_ms >= 40); /* Three sweeps found none. */
    assert_int_equal(open_calls(), 0);
}

/* It cannot ask again before its Pod runs, however long that takes. */
static void a_result_is_kept_while_the_pod_cannot_run(void **state)
{
    uint64_t begun;

    (void)state;
    tell("call 1 slow hello");
    slow_answer(SW_OK, "done");
    until(world, &world->lines, 1);
    world->is_unpushed = true;
    kill_host();
    assert_string_equal(world->reason, "ModuleNotFound");
    for (begun = sw_loop_now_ms(world->loop); sw_loop_now_ms(world->loop) < begun + 100;)
        tell("nothing");
    assert_int_equal(open_calls(), 1);
    world->is_unpushed = false;
    pod_open(world);
    until(world, &world->reports, 3);
    tell("call 1 slow hello");
    until(world, &world->lines, 2);
    assert_string_equal(world->line, "1 0 done");
    assert_int_equal(slow.starts, 1);
}

/* Of forty bytes half is for results before calls are refused, four fifths of that for one. */
static void with_too_many_results_new_calls_are_refused(void **state)
{
    (void)state;
    tell("call 1 slow hello");
    slow_answer(SW_OK, "0123456789abcde");
    until(world, &world->lines, 1);
    tell("call 2 slow hello");
    until(world, &world->lines, 2);
    assert_string_equal(world->line, "2 8 too many results wait for agents of the namespace to "
                                     "take them; call again later");
    assert_int_equal(slow.starts, 1);
    tell("call 1 slow hello"); /* What there is has not given way. */
    until(world, &world->lines, 3);
    assert_string_equal(world->line, "1 0 0123456789abcde");
    tell("end 1");
    tell("call 2 slow hello");
    assert_int_equal(slow.starts, 2);
    slow_answer(SW_OK, "0123456789abcdef0123456789abcdef01234567");
    until(world, &world->lines, 4);
    assert_string_equal(world->line, "2 8 too many results wait for the agents of this node");
}

static void the_delay_answers_with_its_body_after_its_time(void **state)
{
    uint64_t begun = sw_loop_now_ms(world->loop);

    (void)state;
    tell("call 1 swarm.delay 400");
    tell("call 2 swarm.delay 20");
    tell("call 3 swarm.delay 3600000");
    tell("end 3");
    until(world, &world->lines, 1);
    assert_string_equal(world->line, "2 0 20");
    until(world, &world->lines, 2);
    assert_string_equal(world->line, "1 0 400");
    assert_true(sw_loop_now_ms(world->loop) - begun >= 399);
    assert_int_equal(open_calls(), 2);
    tell("call 4 swarm.delay 3600001");
    until(world, &world->lines, 3);
    assert_string_equal(world->line, "4 3 swarm.delay takes a number of milliseconds from 0 to "
                                     "3600000 as its body");
    tell("call 5 swarm.delay 1.5");
    until(world, &world->lines, 4);
    tell("call 6 swarm.delay");
    until(world, &world->lines, 5);
    assert_int_equal(open_calls(), 2);
}

int main(int count, char **words)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define FORGETFUL(name) cmocka_unit_test_setup_teardown(name, set_up_forgetful, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_call_reaches_its_service_with_who_makes_it),
        TEST(who_asks_again_joins_what_runs),
        TEST(a_result_that_nobody_took_is_told_again),
        TEST(a_result_that_comes_while_no_host_runs_waits_for_the_next),
        TEST(what_nobody_waits_for_any_more_is_cancelled),
        TEST(an_unknown_service_is_answered_with_those_that_there_are),
        TEST(a_service_that_refuses_is_heard),
        TEST(a_namespace_leaves_room_to_others),
        FORGETFUL(what_no_host_asks_for_any_more_is_cancelled),
        FORGETFUL(a_result_is_kept_until_the_host_says_that_it_is_over),
        FORGETFUL(a_result_is_kept_while_the_pod_cannot_run),
        cmocka_unit_test_setup_teardown(what_an_agent_without_pods_had_is_kept_for_a_while,
                                        set_up_brief, tear_down),
        TEST(with_too_many_results_new_calls_are_refused),
        TEST(the_delay_answers_with_its_body_after_its_time),
    };

    if (count == 3 && strcmp(words[1], "--folder") == 0)
        return host_main(words[2]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
