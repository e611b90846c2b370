/* uses: pkg/agent/link */
/* Handlers that wait in the middle: whatever happens to the host meanwhile, the turn goes on where
 * it was, once. */
#include "test/unit/agent/runtime/actor/asking.h"

#define SECOND 1000000000u
#define AWAKE_MAX 64u /* As SW_WAITERS_AWAKE. */
#define FOREVER "18446744073709551615"

static int set_up(void **state)
{
    (void)state;
    actors_init(&actors, 2, 1);
    open_three(0);
    return 0;
}

static void reopen(void)
{
    actors.events = 0;
    restart(true);
    open_three(0);
}

static void pass(uint64_t seconds)
{
    actors.disk.now_ns += seconds * SECOND;
    actors_settle(&actors);
}

/* --- Asking ---------------------------------------------------------------------------------- */

static void an_ask_gives_the_answer_in_the_middle_of_a_handler(void **state)
{
    const char *words = actors_ask(&actors, 1, "k", "add 1;await 0 b/x|add 3;get~add 10;get");

    (void)state;
    assert_int_equal(field(words, "counter"), 11);
    assert_int_equal(field(words, "code"), 0);
    assert_non_null(strstr(words, "last=counter=3 "));
    assert_int_equal(field_of(1, "k", "messages"), 2);
    assert_int_equal(field_of(1, "k", "replies"), 0);
    assert_int_equal(field_of(2, "x", "messages"), 2);
}

static void what_comes_meanwhile_is_handled_afterwards(void **state)
{
    uint64_t waits = send(1, "k", "await 0 b/x|hold~add 10;get"), other = send(1, "k", "get");

    (void)state;
    assert_waits(waits);
    assert_waits(other);
    send(2, "x", "release");
    assert_int_equal(field(reply_to(waits), "counter"), 10);
    assert_non_null(strstr(reply_to(waits), "last=released"));
    assert_int_equal(field(reply_to(other), "counter"), 10);
    assert_int_equal(field(reply_to(other), "messages"), 2);
}

static void one_turn_may_wait_again_and_again(void **state)
{
    const char *words =
        actors_ask(&actors, 1, "k",
                   "await 0 b/x|add 1;get~await 0 b/x|add 1;get~await 0 b/y|add 7;get~add 2;get");

    (void)state;
    assert_int_equal(field(words, "counter"), 2);
    assert_non_null(strstr(words, "last=counter=7 "));
    assert_int_equal(field_of(2, "x", "counter"), 2);
}

static void an_ask_that_fails_gives_its_code_and_words(void **state)
{
    const char *words = actors_ask(&actors, 1, "k", "await 0 b/x|trap~get");

    (void)state;
    assert_int_equal(field(words, "code"), SW_E_INTERNAL);
    assert_non_null(strstr(words, "last=it ended badly"));
    words = actors_ask(&actors, 1, "k", "await 0 nobody/x|get~get");
    assert_int_equal(field(words, "code"), SW_E_UNAVAILABLE);
    assert_non_null(strstr(words, "last=no such Agent"));
    words = actors_ask(&actors, 1, "k", "await 0 v/x|add 2;get~get");
    assert_non_null(strstr(words, "last=counter=2 "));
}

static void an_answer_that_comes_too_late_is_dropped(void **state)
{
    uint64_t waits = send(1, "k", "await 1000000000 b/x|hold~get");

    (void)state;
    assert_waits(waits);
    pass(2);
    assert_int_equal(field(reply_to(waits), "code"), SW_E_TIMEOUT);
    waits = send(1, "k", "await 0 b/y|hold~get");
    send(2, "x", "release"); /* The answer to the ask that timed out must not end this one. */
    assert_waits(waits);
    send(2, "y", "add 1;release");
    assert_non_null(strstr(reply_to(waits), "last=released"));
    assert_int_equal(field_of(1, "k", "replies"), 0);
    reopen();
    assert_int_equal(field_of(1, "k", "messages"), 4);
    assert_int_equal(actors.events, 0);
}

/* --- Sleeping and receiving ------------------------------------------------------------------ */

static void a_sleep_ends_at_its_time(void **state)
{
    uint64_t waits = send(1, "k", "add 1;sleep 10000000000;add 1;get");

    (void)state;
    pass(9);
    assert_waits(waits);
    reopen();
    pass(0);
    assert_int_equal(actors.engines[1].entered, 0);
    pass(2);
    assert_int_equal(field_of(1, "k", "counter"), 2);
}

static void a_timer_that_comes_due_in_a_turn_fires_after_it(void **state)
{
    uint64_t waits = send(1, "k", "timer 1 1000000000;sleep 5000000000;get");

    (void)state;
    pass(3);
    assert_waits(waits);
    reopen();
    pass(3);
    assert_int_equal(field_of(1, "k", "timers"), 1);
    waits = send(1, "k", "timer 1 0;sleep 5000000000;get");
    pass(6);
    assert_int_equal(field(reply_to(waits), "timers"), 1);
    assert_int_equal(field_of(1, "k", "timers"), 2);
}

static void a_handler_receives_the_next_message_by_priority(void **state)
{
    uint64_t waits = send(1, "k", "sleep 1000000000;recv " FOREVER ";recv " FOREVER ";get");
    uint64_t low = actors_send_at(&actors, 1, "k", "one", SWARM_PRIORITY_LOW);
    uint64_t high = actors_send_at(&actors, 1, "k", "two", SWARM_PRIORITY_HIGH);

    (void)state;
    actors_settle(&actors);
    assert_waits(low);
    pass(2);
    assert_non_null(strstr(reply_to(waits), "last=one"));
    assert_int_equal(field(reply_to(waits), "messages"), 1);
    assert_true(actors_reply(&actors, low)->is_there);
    assert_true(actors_reply(&actors, high)->is_there);
    reopen();
    assert_int_equal(field_of(1, "k", "messages"), 2);
    assert_int_equal(actors.events, 0);
}

static void a_received_message_can_be_answered(void **state)
{
    uint64_t waits = send(1, "k", "recv " FOREVER ";ack;get");
    uint64_t received = send(1, "k", "hold");

    (void)state;
    assert_string_equal(reply_to(received), "received");
    assert_non_null(strstr(reply_to(waits), "last=hold"));
    reopen();
    assert_int_equal(field_of(1, "k", "messages"), 2);
}

static void receiving_ends_at_its_time(void **state)
{
    uint64_t waits = send(1, "k", "recv 1000000000;get");

    (void)state;
    assert_waits(waits);
    pass(2);
    assert_int_equal(field(reply_to(waits), "code"), SW_E_TIMEOUT);
    assert_int_equal(field(actors_ask(&actors, 1, "k", "recv 0;get"), "code"), SW_E_TIMEOUT);
    /* With something there, time 0 is enough. */
    actors_send(&actors, 1, "k", "recv 0;get");
    waits = actors.next_request - 1;
    send(1, "k", "there");
    assert_non_null(strstr(reply_to(waits), "last=there"));
}

/* A timer that stood in the mailbox already is no message, and is not lost. */
static void a_timer_is_not_received(void **state)
{
    uint64_t waits;

    (void)state;
    send(1, "k", "timer 1 1000000000");
    actors_send(&actors, 1, "k", "recv 1000000000;get");
    waits = actors.next_request - 1;
    actors.disk.now_ns += 2u * SECOND;
    actors_settle(&actors);
    pass(2);
    assert_int_equal(field(reply_to(waits), "code"), SW_E_TIMEOUT);
    assert_int_equal(field_of(1, "k", "timers"), 1);
}

/* --- Failing --------------------------------------------------------------------------------- */

static void a_trap_after_a_wait_undoes_no_finished_segment(void **state)
{
    uint64_t waits = send(1, "k", "add 5;await 0 b/x|hold~add 7;send b/y|add 1~trap;get");

    (void)state;
    send(2, "x", "release");
    assert_int_equal(actors_reply(&actors, waits)->status, SW_E_INTERNAL);
    assert_string_equal(reply_to(waits), "it ended badly");
    assert_string_equal(actors.last_event, "Trapped");
    assert_int_equal(field_of(1, "k", "counter"), 5);
    assert_int_equal(field_of(2, "y", "counter"), 0);
    reopen();
    assert_int_equal(field_of(1, "k", "counter"), 5);
    assert_int_equal(field_of(1, "k", "held"), 0);
    assert_int_equal(actors.events, 0);
}

/* One that traps again and again keeps an image, which is not of the middle of a turn. */
static void turns_that_fail_again_and_again_change_nothing(void **state)
{
    (void)state;
    for (int i = 0; i < 10; i++) {
        uint64_t waits = send(1, "k", "add 1;await 0 b/x|hold~add 100;trap;get");

        send(2, "x", "release");
        assert_int_equal(actors_reply(&actors, waits)->status, SW_E_INTERNAL);
        send(1, "k", "trap");
    }
    assert_int_equal(field_of(1, "k", "counter"), 10);
    reopen();
    assert_int_equal(field_of(1, "k", "counter"), 10);
    assert_int_equal(actors.events, 0);
}

static void an_instance_hears_that_the_turn_it_asked_failed(void **state)
{
    uint64_t waits = send(1, "k", "await 0 b/x|sleep 1000000000;trap;get~get");

    (void)state;
    reopen();
    pass(2);
    (void)waits;
    assert_int_equal(field_of(1, "k", "messages"), 2);
    assert_non_null(strstr(actors_ask(&actors, 1, "k", "get"), "last=it ended badly"));
    reopen();
    assert_non_null(strstr(actors_ask(&actors, 1, "k", "get"), "last=it ended badly"));
    assert_int_equal(actors.events, 0);
}

static void a_received_message_fails_with_its_turn(void **state)
{
    uint64_t waits = send(1, "k", "recv " FOREVER ";trap;get"), received = send(1, "k", "hold");

    (void)state;
    assert_int_equal(actors_reply(&actors, waits)->status, SW_E_INTERNAL);
    assert_int_equal(actors_reply(&actors, received)->status, SW_E_INTERNAL);
    assert_int_equal(field_of(1, "k", "messages"), 2); /* The first and this one. */
}

static void a_volatile_instance_begins_anew_after_a_trap(void **state)
{
    uint64_t waits = send(3, "k", "add 5;await 0 b/x|hold~trap;get");

    (void)state;
    send(2, "x", "release");
    assert_int_equal(actors_reply(&actors, waits)->status, SW_E_INTERNAL);
    waits = send(3, "k", "await 0 b/y|hold~get");
    send(2, "y", "release");
    assert_non_null(strstr(reply_to(waits), "last=released"));
    assert_int_equal(field(reply_to(waits), "counter"), 0);
}

static void a_repeated_request_gets_the_end_of_its_turn(void **state)
{
    uint64_t first, second;

    (void)state;
    first = actors_send_named(&actors, "one", 1, "k", "add 1;sleep 1000000000;get");
    actors_settle(&actors);
    second = actors_send_named(&actors, "one", 1, "k", "add 1;sleep 1000000000;get");
    pass(2);
    assert_int_equal(field(reply_to(first), "counter"), 1);
    assert_string_equal(reply_to(first), reply_to(second));
    actors_send_named(&actors, "two", 1, "k", "add 1;sleep 1000000000;trap;get");
    pass(0);
    pass(2);
    reopen();
    second = actors_send_named(&actors, "two", 1, "k", "add 1;sleep 1000000000;trap;get");
    actors_settle(&actors);
    assert_int_equal(actors_reply(&actors, second)->status, SW_E_INTERNAL);
    assert_int_equal(field_of(1, "k", "counter"), 2);
}

static void who_wants_no_reply_waits_for_the_end_of_the_turn(void **state)
{
    uint64_t request = send(1, "k", "sleep 1000000000;add 1"), failing;

    (void)state;
    assert_waits(request);
    pass(2);
    assert_int_equal(actors_reply(&actors, request)->status, 0);
    assert_true(actors_reply(&actors, request)->is_there);
    failing = send(1, "k", "sleep 1000000000;trap");
    pass(2);
    assert_int_equal(actors_reply(&actors, failing)->status, SW_E_INTERNAL);
}

static void nothing_waits_while_it_starts_or_stops(void **state)
{
    (void)state;
    actors.module.on_start = "sleep 5";
    assert_int_equal(field(actors_ask(&actors, 1, "k", "get"), "code"), SW_E_PRECONDITION);
    actors.module.on_start = NULL;
    /* A guest that says it waits, and does not. */
    assert_int_equal(actors_reply(&actors, send(1, "k", "wait"))->status, SW_E_PRECONDITION);
}

static void stopping_gives_up_the_turn(void **state)
{
    uint64_t waits = send(2, "x", "await 0 a/k|sleep 1000000000000;get~get");
    uint64_t client = send(1, "l", "sleep 1000000000000;get"),
             quiet = send(1, "m", "recv " FOREVER);

    (void)state;
    actors_close(&actors, 1, true);
    actors_settle(&actors);
    assert_int_equal(actors.closed, 1);
    assert_int_equal(field(reply_to(waits), "code"), SW_E_UNAVAILABLE);
    assert_non_null(strstr(reply_to(waits), "last=the instance is gone"));
    assert_int_equal(actors_reply(&actors, client)->status, SW_E_UNAVAILABLE);
    assert_int_equal(actors_reply(&actors, quiet)->status, SW_E_UNAVAILABLE);
}

/* --- Circles --------------------------------------------------------------------------------- */

static void a_circle_of_asks_fails(void **state)
{
    const char *words = actors_ask(&actors, 1, "k", "await 0 a/k|get~get");

    (void)state;
    assert_int_equal(field(words, "code"), SW_E_CONFLICT);
    words = actors_ask(&actors, 1, "k", "await 0 b/x|await 0 a/k|get^get~get");
    assert_non_null(strstr(words, "code=-10"));
    /* Three, on two workers; and it is noticed after a restart as well. */
    send(1, "p", "await 0 b/q|sleep 1000000000;await 0 a/r|await 0 a/p|get`get^get~get");
    reopen();
    pass(2);
    assert_int_equal(field_of(2, "q", "messages"), 2);
    assert_int_equal(field_of(1, "p", "messages"), 2);
    assert_int_equal(field_of(1, "r", "messages"), 2);
}

static void whoever_was_answered_waits_no_more(void **state)
{
    uint64_t waits;

    (void)state;
    send(2, "x", "hold"); /* A handle of a client, which is released too. */
    waits = send(1, "k", "await 0 b/x|hold~get");
    /* In one segment: answer a/k, then ask it. */
    send(2, "x", "release;await 0 a/k|get~add 1");
    assert_non_null(strstr(reply_to(waits), "last=released"));
    assert_int_equal(field_of(2, "x", "counter"), 1);
    assert_non_null(strstr(actors_ask(&actors, 2, "x", "get"), "code=0"));
}

static void a_segment_that_fails_leaves_no_ask(void **state)
{
    (void)state;
    send(1, "k", "await 0 b/x|hold~trap");
    send(2, "x", "release");
    /* If a/k were still thought to wait for b/x, this would be a circle. */
    assert_int_equal(field(actors_ask(&actors, 2, "x", "await 0 a/k|get~get"), "code"), 0);
}

/* --- Crashes --------------------------------------------------------------------------------- */

/* Take `steps` segments, commit each, and lose power; or, with steps 0, let all happen. */
static void crash_after(uint32_t steps)
{
    for (uint32_t i = 0; i < steps; i++) {
        for (uint32_t w = 0; w < actors.count; w++) {
            sw_worker_run(actors.workers[w], 1);
            actors_carry(&actors, w);
        }
        actors.disk.now_ns += SECOND / 2;
        assert_int_equal(sw_journal_commit(actors.shared.journal, NULL), SW_OK);
        (void)actors_release(&actors);
    }
    reopen();
    for (int i = 0; i < 8; i++)
        pass(1);
}

static void a_crash_at_any_point_loses_and_doubles_nothing(void **state)
{
    (void)state;
    for (uint32_t steps = 1; steps < 14; steps++) {
        char key[16], script[400];

        snprintf(key, sizeof key, "k%u", steps);
        snprintf(script, sizeof script,
                 "add 1;await 0 b/%s|add 1;sleep 1000000000;add 1;get~add 1;send b/%s|add 100~"
                 "sleep 1000000000;add 1;await 0 v/%s|get~add 1;await 1000000000 b/%s|hold~add 1",
                 key, key, key, key);
        actors_send(&actors, 1, key, script);
        crash_after(steps);
        assert_int_equal(field_of(1, key, "messages"), 2);
        assert_int_equal(field_of(1, key, "counter"), 5);
        assert_int_equal(field_of(2, key, "counter"), 102);
        assert_int_equal(field_of(2, key, "held"), 1);
        reopen();
        assert_int_equal(field_of(1, key, "counter"), 5);
        assert_int_equal(actors.events, 0);
    }
}

static void a_snapshot_holds_what_waits(void **state)
{
    (void)state;
    send(1, "ask", "add 1;await 0 b/x|hold~add 1");
    send(1, "sleep", "add 1;sleep 5000000000;add 1");
    send(1, "receive", "add 1;recv " FOREVER ";add 1");
    send(2, "x", "add 1");
    actors.module.on_start = NULL;
    save_all();
    reopen();
    send(2, "x", "release");
    send(1, "receive", "add 50");
    pass(6);
    assert_int_equal(field_of(1, "ask", "counter"), 2);
    assert_int_equal(field_of(1, "sleep", "counter"), 2);
    assert_int_equal(field_of(1, "receive", "counter"), 2);
    reopen();
    assert_int_equal(field_of(1, "ask", "counter"), 2);
    assert_int_equal(actors.events, 0);
}

/* Nothing of a turn that failed after it had waited is state, but that it does not wait any more:
 * an instance that sleeps then is in a snapshot with the record of that. */
static void a_snapshot_knows_of_a_turn_that_failed_that_it_waits_no_more(void **state)
{
    struct sw_err err = {0};

    (void)state;
    send(1, "k", "add 1;recv " FOREVER ";add 100;trap");
    send(1, "k", "add 200");
    actors_rest(&actors);
    assert_int_equal(sw_snapshot_begin(&actors.shared, actors.workers, 2, &err), SW_OK);
    assert_int_equal(actors_snapshot(&actors), SW_OK);
    send(1, "k", "add 2");
    reopen();
    assert_int_equal(field_of(1, "k", "counter"), 3);
    assert_int_equal(actors.events, 0);
}

/* Those that wait the longest have no memory of their own, and go on all the same. */
static void of_many_that_wait_few_are_awake(void **state)
{
    char key[16], script[100];

    (void)state;
    for (uint32_t i = 0; i < 1000; i++) {
        snprintf(key, sizeof key, "%u", i);
        snprintf(script, sizeof script, "add %u;random;sleep 1000000000;mix;add %u", i, i);
        actors_send(&actors, 1, key, script);
    }
    actors_settle(&actors);
    assert_true(actors.engines[1].created - actors.engines[1].dropped <= AWAKE_MAX);
    pass(2);
    assert_true(actors.engines[1].loaded >= 1000 - AWAKE_MAX);
    for (uint32_t i = 0; i < 1000; i += 13) {
        snprintf(key, sizeof key, "%u", i);
        assert_int_equal(field_of(1, key, "messages"), 2);
    }
    assert_int_equal(actors.events, 0);
    reopen();
    for (uint32_t i = 0; i < 1000; i += 13) {
        snprintf(key, sizeof key, "%u", i);
        assert_int_equal(field_of(1, key, "messages"), 3);
    }
    assert_int_equal(actors.events, 0);
}

/* Without durability as well: what is packed is all that there is of it. */
static void of_many_without_durability_few_are_awake(void **state)
{
    char key[16], script[100];

    (void)state;
    for (uint32_t i = 0; i < 1000; i++) {
        snprintf(key, sizeof key, "%u", i);
        snprintf(script, sizeof script, "add %u;sleep 1000000000;add %u;sleep %u;add %u", i, i,
                 i % 7 * 100000000u, i);
        actors_send(&actors, 3, key, script);
    }
    actors_settle(&actors);
    assert_true(actors.engines[1].created - actors.engines[1].dropped <= AWAKE_MAX);
    pass(1);
    pass(1);
    assert_true(actors.engines[1].loaded >= 1000 - AWAKE_MAX);
    for (uint32_t i = 0; i < 1000; i += 13) {
        snprintf(key, sizeof key, "%u", i);
        assert_int_equal(field_of(3, key, "counter"), 3 * i);
    }
    assert_int_equal(actors.events, 0);
}

/* Those in the middle of the waiting go on first, so that gaps wander through the list. */
static void who_goes_on_leaves_the_others_as_they_are(void **state)
{
    char key[16], script[100];

    (void)state;
    for (uint32_t i = 0; i < 3000; i++) {
        snprintf(key, sizeof key, "%u", i);
        snprintf(script, sizeof script,
                 i % 10 == 0 ? "add 1;sleep 9000000000;add 1" : "add 1;sleep 1000;add 1");
        actors_send(&actors, 3, key, script);
        actors_settle(&actors);
        actors.disk.now_ns += 1000;
    }
    pass(1);
    assert_true(actors.engines[1].loaded <= 300);
    pass(10);
    for (uint32_t i = 0; i < 3000; i += 10) {
        snprintf(key, sizeof key, "%u", i);
        assert_int_equal(field_of(3, key, "counter"), 2);
    }
    assert_int_equal(actors.events, 0);
}

static void each_of_many_is_answered_once(void **state)
{
    enum { COUNT = 2000 };

    (void)state;
    for (uint32_t i = 0; i < COUNT; i++) {
        char key[16], script[100];

        snprintf(key, sizeof key, "%u", i);
        snprintf(script, sizeof script, "add %u;await 0 b/%u|hold~add 1", i, i);
        actors_send(&actors, 1, key, script);
    }
    actors_settle(&actors);
    assert_true(actors.engines[1].created - actors.engines[1].dropped <= AWAKE_MAX);
    reopen();
    for (uint32_t i = COUNT; i > 0; i--) {
        char key[16];

        snprintf(key, sizeof key, "%u", (i * 7919) % COUNT);
        actors_send(&actors, 2, key, "release");
    }
    actors_settle(&actors);
    for (uint32_t i = 0; i < COUNT; i += 37) {
        char key[16];

        snprintf(key, sizeof key, "%u", i);
        assert_int_equal(field_of(1, key, "counter"), i + 1);
        assert_int_equal(field_of(2, key, "held"), 0);
    }
    assert_int_equal(actors.events, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down_unbroken)
    const struct CMUnitTest tests[] = {
        TEST(an_ask_gives_the_answer_in_the_middle_of_a_handler),
        TEST(what_comes_meanwhile_is_handled_afterwards),
        TEST(one_turn_may_wait_again_and_again),
        TEST(an_ask_that_fails_gives_its_code_and_words),
        TEST(an_answer_that_comes_too_late_is_dropped),
        TEST(a_sleep_ends_at_its_time),
        TEST(a_timer_that_comes_due_in_a_turn_fires_after_it),
        TEST(a_handler_receives_the_next_message_by_priority),
        TEST(a_received_message_can_be_answered),
        TEST(receiving_ends_at_its_time),
        TEST(a_timer_is_not_received),
        TEST(a_trap_after_a_wait_undoes_no_finished_segment),
        TEST(turns_that_fail_again_and_again_change_nothing),
        TEST(an_instance_hears_that_the_turn_it_asked_failed),
        TEST(a_received_message_fails_with_its_turn),
        TEST(a_volatile_instance_begins_anew_after_a_trap),
        TEST(a_repeated_request_gets_the_end_of_its_turn),
        TEST(who_wants_no_reply_waits_for_the_end_of_the_turn),
        TEST(nothing_waits_while_it_starts_or_stops),
        TEST(stopping_gives_up_the_turn),
        TEST(a_circle_of_asks_fails),
        TEST(whoever_was_answered_waits_no_more),
        TEST(a_segment_that_fails_leaves_no_ask),
        TEST(a_crash_at_any_point_loses_and_doubles_nothing),
        TEST(a_snapshot_holds_what_waits),
        TEST(a_snapshot_knows_of_a_turn_that_failed_that_it_waits_no_more),
        TEST(of_many_that_wait_few_are_awake),
        TEST(of_many_without_durability_few_are_awake),
        TEST(who_goes_on_leaves_the_others_as_they_are),
        TEST(each_of_many_is_answered_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
