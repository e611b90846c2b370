/* The supervisor: the life of hosts, Pods, messages. */
#include "test/unit/agent/controller/world.h"

#include <signal.h>

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

static void test_what_a_host_says_of_itself_is_told(void **state)
{
    struct world *world = world_new("mortal");

    (void)state;
    pod_open(world);
    until(world, &world->reports, 1);
    assert_int_equal(say(world, "echo/a", "event", WAIT_MS), SW_OK);
    until(world, &world->host_events, 1);
    assert_string_equal(world->host_words, "warning Odd: something is");
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

/* Between the end of a host and the start of the next one nobody can take it. */
static void test_code_that_comes_when_its_host_has_ended_is_got_again(void **state)
{
    struct world *world = world_make();

    (void)state;
    world->backoff_ms = 50;
    world->backoff_max_ms = 50;
    world->is_code_held = true;
    world_start(world, "mortal");
    until(world, &world->ups, 1);
    pod_open(world);
    assert_int_equal(world->gets, 1);
    assert_int_equal(say(world, "echo/a", "die", WAIT_MS), SW_OK);
    until(world, &world->downs, 1);
    code_answer(world);
    world->is_code_held = false;
    until(world, &world->reports, 1);

    assert_int_equal(world->report.phase, SW_POD_RUNNING);
    assert_int_equal(world->report.instances, CODE_SIZE);
    world_free(world);
}

static void test_an_older_module_is_dropped_when_nothing_needs_it(void **state)
{
    struct world *world = world_new("mortal");

    (void)state;
    until(world, &world->ups, 1);
    pod_open(world);
    until(world, &world->reports, 1);
    assert_true(sw_agents_has_module(world->agents, "default", DIGEST));
    assert_false(sw_agents_has_module(world->agents, "other", DIGEST));
    assert_int_equal(sw_agents_ask_module(world->agents, DIGEST, on_done, world, NULL), SW_OK);
    until(world, &world->replies, 1);
    assert_int_equal(world->rc, SW_E_PRECONDITION);
    assert_int_equal(say(world, "echo/a", "want", WAIT_MS), SW_OK);
    until(world, &world->gets, 2);
    assert_false(sw_agents_has_module(world->agents, "default", OLDER)); /* It had it once. */
    assert_int_equal(sw_agents_ask_module(world->agents, OLDER, on_done, world, NULL), SW_OK);
    until(world, &world->replies, 3);
    assert_int_equal(world->rc, SW_OK);
    sw_agents_drop_module(world->agents, DIGEST); /* What the Pod has stays. */
    sw_agents_drop_module(world->agents, OLDER);
    until(world, &world->lines, 1);
    assert_string_equal(world->line, OLDER);
    sw_agents_drop_module(world->agents, OLDER);
    assert_int_equal(say(world, "echo/a", "hello", WAIT_MS), SW_OK);
    until(world, &world->replies, 4);
    assert_int_equal(world->lines, 1);
    world_free(world);
}

#define RUNTIME "sha256:0000000000000000000000000000000000000000000000000000000000000002"
#define PAYLOAD_SIZE ((1u << 20) + 3) /* Two pieces. */

/* What was got has been sent when a message that comes after it is answered. */
static void wait_for_code(struct world *world)
{
    until(world, &world->replies, 1); /* To what had it got. */
    assert_int_equal(say(world, "echo/a", "hello", WAIT_MS), SW_OK);
    until(world, &world->replies, 2);
}

static void test_what_runs_bundles_is_sent_once(void **state)
{
    struct world *world = world_new("mortal");

    (void)state;
    world->runtime = RUNTIME;
    world->payload_size = PAYLOAD_SIZE;
    until(world, &world->ups, 1);
    pod_open(world);
    until(world, &world->reports, 1);
    assert_int_equal(world->report.instances, CODE_SIZE + PAYLOAD_SIZE);
    assert_int_equal(say(world, "echo/a", "want", WAIT_MS), SW_OK); /* Another bundle of it. */
    until(world, &world->gets, 2);
    wait_for_code(world);
    pod_open(world);
    until(world, &world->reports, 2);
    assert_int_equal(world->report.instances, CODE_SIZE + 2 * PAYLOAD_SIZE);
    /* It stays as long as one of them does, and another host has to have it again. */
    sw_agents_drop_module(world->agents, OLDER);
    until(world, &world->lines, 1);
    assert_string_equal(world->line, OLDER);
    assert_int_equal(say(world, "echo/a", "die", WAIT_MS), SW_OK);
    until(world, &world->reports, 3);
    assert_int_equal(world->report.phase, SW_POD_RUNNING);
    assert_int_equal(world->report.instances, CODE_SIZE + PAYLOAD_SIZE);
    assert_int_equal(world->lines, 1);
    world_free(world);
}

static void test_a_bundle_may_be_empty_and_takes_its_runtime_with_it(void **state)
{
    struct world *world = world_new("mortal");

    (void)state;
    until(world, &world->ups, 1);
    pod_open(world);
    until(world, &world->reports, 1);
    world->runtime = RUNTIME;
    assert_int_equal(say(world, "echo/a", "want", WAIT_MS), SW_OK);
    until(world, &world->gets, 2);
    wait_for_code(world);
    pod_open(world);
    until(world, &world->reports, 2);
    assert_int_equal(world->report.instances, 2 * CODE_SIZE);
    sw_agents_drop_module(world->agents, OLDER);
    until(world, &world->lines, 2);
    assert_string_equal(world->line, RUNTIME);
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
    struct world *world = world_make();
    uint64_t began = sw_system_real()->monotonic_ns(NULL);

    (void)state;
    world->backoff_ms = 10;
    world->backoff_max_ms = 1000;
    world_start(world, "fragile");
    until(world, &world->downs, 5);

    assert_int_equal(world->ups, 5);
    assert_true(sw_system_real()->monotonic_ns(NULL) - began >
                (10 + 20 + 40 + 80) * (uint64_t)1000000);
    world_free(world);
}

struct clock {                /* The supervisor's, which the test moves on. */
    uint64_t now_ms, step_ms; /* It goes on by the step once, when it has told the time. */
};

static uint64_t clock_ns(void *ctx)
{
    struct clock *clock = ctx;
    uint64_t now_ms = clock->now_ms;

    clock->now_ms += clock->step_ms;
    clock->step_ms = 0;
    return now_ms * 1000000;
}

/* The wait that the log told of last. */
static int last_wait_ms(int log)
{
    static const char words[] = "the agent host shared is started again in ";
    char text[8192] = "";
    const char *found = NULL;

    assert_true(pread(log, text, sizeof text - 1, 0) > 0);
    for (const char *at = text; (at = strstr(at, words)) != NULL; at++)
        found = at + sizeof words - 1;
    assert_non_null(found);
    return (int)strtol(found, NULL, 10);
}

/* What it must have lived for grows with no wait, or those that die now and then after a few that
 * died in a row would be awaited for the longest time each. */
static void test_a_host_that_has_served_is_started_again_soon(void **state)
{
    static const struct {
        uint64_t start_ms, lived_ms;
        int wait_ms;
    } hosts[] = {
        {0, 0, 10},     {0, 39, 20},   {0, 0, 40}, {0, 0, 80}, /* As long as it gets. */
        {0, 40, 10},                   /* It was up for four of the first waits. */
        {0, 0, 20},     {100, 99, 40}, /* Its start took longer than it lived. */
        {100, 100, 10}, {0, 0, 20},
    };
    struct sw_system system = *sw_system_real();
    struct clock clock = {.now_ms = 1000};
    struct world *world = world_make();
    FILE *log = tmpfile();

    (void)state;
    assert_non_null(log);
    system.ctx = &clock;
    system.monotonic_ns = clock_ns;
    world->system = &system;
    world->logger.file = fileno(log);
    world->backoff_ms = 10;
    world->backoff_max_ms = 80;
    for (int i = 0; i < (int)(sizeof hosts / sizeof hosts[0]); i++) {
        struct sw_agents_view view;

        clock.step_ms = hosts[i].start_ms; /* Asked when it starts, and when it is ready. */
        if (i == 0)
            world_start(world, "kind");
        until(world, &world->ups, i + 1);
        clock.now_ms += hosts[i].lived_ms;
        sw_agents_view(world->agents, &view);
        assert_int_equal(kill((pid_t)view.host_pid, SIGKILL), 0);
        until(world, &world->downs, i + 1);
        assert_int_equal(last_wait_ms(fileno(log)), hosts[i].wait_ms);
    }
    world_free(world);
    (void)fclose(log);
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
    assert_null(strstr(world->host_words, "protocol"));
    assert_int_equal(world->report.phase, SW_POD_RUNNING); /* It did not fail. */
    assert_int_equal(world->report.restarts, 0);
    assert_int_equal(say(world, "echo/a", "hello", WAIT_MS), SW_E_UNAVAILABLE);
    world_free(world);
}

int main(int count, char **words)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_pod_gets_its_module_and_then_its_messages),
        cmocka_unit_test(test_what_a_host_says_of_itself_is_told),
        cmocka_unit_test(test_an_unknown_agent_and_a_bad_name_are_refused_at_once),
        cmocka_unit_test(test_a_host_that_dies_is_started_again_with_its_pods),
        cmocka_unit_test(test_a_host_that_breaks_the_protocol_is_killed_and_replaced),
        cmocka_unit_test(test_a_host_without_a_sign_of_life_is_replaced),
        cmocka_unit_test(test_a_message_without_an_answer_ends_by_its_time),
        cmocka_unit_test(test_a_module_that_was_not_pushed_fails_the_pod),
        cmocka_unit_test(test_a_module_that_does_not_compile_fails_the_pod_until_it_does),
        cmocka_unit_test(test_code_that_comes_when_its_host_has_ended_is_got_again),
        cmocka_unit_test(test_an_older_module_is_dropped_when_nothing_needs_it),
        cmocka_unit_test(test_what_runs_bundles_is_sent_once),
        cmocka_unit_test(test_a_bundle_may_be_empty_and_takes_its_runtime_with_it),
        cmocka_unit_test(test_a_closed_pod_takes_no_more_messages),
        cmocka_unit_test(test_a_pod_may_be_closed_and_opened_faster_than_the_host_answers),
        cmocka_unit_test(test_numbers_that_are_no_code_do_not_reach_clients),
        cmocka_unit_test(test_a_host_that_dies_again_and_again_is_started_less_often),
        cmocka_unit_test(test_a_host_that_has_served_is_started_again_soon),
        cmocka_unit_test(test_a_stop_ends_the_host_and_refuses_what_comes_after),
    };

    if (count == 3 && strcmp(words[1], "--folder") == 0)
        return host_main(words[2]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
