/* uses: pkg/agent/link */
/* Turns that fail after they have waited: what was finished stands, and the rest is tried again
 * from there; what fails for good leaves a trace, over restarts and snapshots as well. */
#include "pkg/agent/runtime/actor/slots.h"
#include "pkg/agent/runtime/actor/snapshot.h"
#include "pkg/agent/runtime/actor/state.h"
#include "test/support/letters.h"
#include "test/unit/agent/runtime/actor/asking.h"

#define FOREVER "18446744073709551615"

static struct sw_frame_call_name call; /* The last that was seen. */
static uint32_t calls, ends;

static void see(const struct sw_frame *frame)
{
    ends += frame->kind == SW_FRAME_CALL_END;
    calls += frame->kind == SW_FRAME_CALL;
    if (frame->kind == SW_FRAME_CALL)
        call = frame->call.name;
}

static int set_up(void **state)
{
    (void)state;
    actors_init(&actors, 2, 1);
    actors.see = see;
    calls = ends = 0;
    open_three(3);
    return 0;
}

static void reopen(void)
{
    restart(true);
    open_three(3);
}

/* A clean stop, and then another process. */
static void save_and_reopen(void)
{
    actors_settle(&actors);
    save_all();
    reopen();
}

static void a_turn_is_tried_again_from_where_it_waited(void **state)
{
    (void)state;
    actors_ask(&actors, 1, "k", "send b/x|add 1;sleep 10;flaky 2;add 10");
    actors_pass(&actors, 10);
    assert_int_equal(actors.module.flaky, 1);
    actors_pass(&actors, 999);
    assert_int_equal(actors.module.flaky, 1);
    actors_pass(&actors, 1);
    assert_int_equal(actors.module.flaky, 2);
    actors_pass(&actors, 2000);
    assert_int_equal(actors.module.flaky, 3);
    assert_int_equal(field_of(2, "x", "counter"), 11);
    assert_int_equal(actors_letters(&actors, "b", ""), 0);
    reopen();
    assert_int_equal(field_of(2, "x", "counter"), 11);
}

static void after_the_last_try_what_it_handled_is_a_dead_letter(void **state)
{
    (void)state;
    actors_ask(&actors, 1, "k", "send b/x|add 1;sleep 10;flaky 3;add 10");
    actors_pass(&actors, 10);
    actors_pass(&actors, 1000);
    assert_int_equal(actors_letters(&actors, "b", ""), 0);
    actors_pass(&actors, 2000);
    assert_string_equal(actors.last_event, "MessageParked");
    assert_non_null(strstr(actors.last_words, "from a/k: Trapped after 3 tries"));
    assert_int_equal(field_of(2, "x", "counter"), 1); /* What was finished stands. */
    assert_int_equal(actors_letters(&actors, "b", "x"), 1);
    assert_string_equal(actors.letter.from, "a/k");
    assert_string_equal(actors.letter.reason, "Trapped");
    assert_string_equal(actors.letter.words, "it ended badly");
    assert_string_equal(actors.letter.body, "add 1;sleep 10;flaky 3;add 10");
    assert_int_equal(actors.letter.attempts, 3);
    reopen();
    assert_int_equal(actors_letters(&actors, "b", "x"), 1);
    assert_int_equal(actors_change_letters(&actors, "b", 0, false), 1);
    actors_pass(&actors, 10);
    assert_int_equal(field_of(2, "x", "counter"), 12);
}

static void tries_are_counted_over_restarts_and_snapshots(void **state)
{
    (void)state;
    actors_ask(&actors, 1, "k", "send b/x|add 1;sleep 10;flaky 100");
    save_and_reopen();
    actors_pass(&actors, 10);
    reopen();
    actors_pass(&actors, 999);
    assert_int_equal(actors.module.flaky, 1);
    actors_pass(&actors, 1);
    assert_int_equal(actors.module.flaky, 2);
    save_and_reopen();
    actors_pass(&actors, 2000);
    assert_int_equal(actors.module.flaky, 3);
    assert_int_equal(actors_letters(&actors, "b", ""), 1);
    assert_string_equal(actors.letter.body, "add 1;sleep 10;flaky 100");
    reopen();
    assert_int_equal(actors_letters(&actors, "b", ""), 1);
    assert_int_equal(actors.letter.attempts, 3);
    assert_int_equal(field_of(2, "x", "counter"), 1);
}

/* Sent by one that keeps nothing, so that only the record of the first segment knows of it. */
static void what_nobody_durable_had_sent_is_kept_as_well(void **state)
{
    (void)state;
    actors_ask(&actors, 3, "k", "send b/x|sleep 10;trap");
    reopen();
    actors_pass(&actors, 10);
    actors_pass(&actors, 1000);
    save_and_reopen();
    actors_pass(&actors, 2000);
    assert_int_equal(actors_letters(&actors, "b", ""), 1);
    assert_string_equal(actors.letter.body, "sleep 10;trap");
    assert_string_equal(actors.letter.from, "v/k");
}

static void the_answer_to_an_ask_is_kept_for_the_next_try(void **state)
{
    (void)state;
    actors_ask(&actors, 1, "k", "send b/x|await 0 b/y|add 5;get^flaky 2;add 1");
    assert_int_equal(actors.module.flaky, 1);
    reopen();
    actors_pass(&actors, 1000);
    assert_int_equal(actors.module.flaky, 2);
    save_and_reopen();
    actors_pass(&actors, 1999);
    assert_int_equal(actors.module.flaky, 2);
    actors_pass(&actors, 1);
    assert_non_null(strstr(actors_ask(&actors, 2, "x", "get"), "last=counter=5 "));
    assert_int_equal(field_of(2, "x", "counter"), 1);
    assert_int_equal(field_of(2, "y", "messages"), 2); /* That is "get" and one ask. */
    assert_int_equal(actors_letters(&actors, "b", ""), 0);
}

/* It is told that the call is over when that is true for good. */
static void the_result_of_a_call_is_kept_for_the_next_try(void **state)
{
    struct sw_message result = {.pod = 2,
                                .head = {.flags = SWARM_MESSAGE_IS_REPLY | SW_MESSAGE_ENDS_WAIT,
                                         .priority = SWARM_PRIORITY_NORMAL,
                                         .from = script_text("out"),
                                         .type = script_text("text/plain")},
                                .body = script_text("result")};

    (void)state;
    actors_ask(&actors, 1, "k", "send b/x|call 0 out|hello^flaky 2;add 1");
    assert_int_equal(calls, 1);
    result.instance = call.instance;
    result.head.tag = call.number;
    sw_worker_put(actors.workers[0], &sw_message_new(&result)->item);
    actors_settle(&actors);
    assert_int_equal(actors.module.flaky, 1);
    assert_int_equal(ends, 0);
    reopen();
    assert_int_equal(calls, 1); /* Its result is here. */
    actors_pass(&actors, 1000);
    save_and_reopen();
    assert_int_equal(calls, 1);
    assert_int_equal(ends, 0);
    actors_pass(&actors, 2000);
    assert_int_equal(actors.module.flaky, 3);
    assert_int_equal(ends, 1);
    assert_non_null(strstr(actors_ask(&actors, 2, "x", "get"), "last=result"));
}

static void who_asked_hears_after_the_last_try(void **state)
{
    (void)state;
    actors_ask(&actors, 1, "k", "ask 1 b/x|sleep 10;fail");
    actors_pass(&actors, 10);
    actors_pass(&actors, 1000);
    assert_int_equal(field_of(1, "k", "replies"), 0);
    reopen();
    actors_pass(&actors, 2000);
    assert_int_equal(field_of(1, "k", "replies"), 1);
    assert_int_equal(field_of(1, "k", "status"), SW_E_PRECONDITION);
    assert_int_equal(actors_letters(&actors, "b", ""), 0);
}

static void a_client_hears_at_once(void **state)
{
    uint64_t request = actors_send(&actors, 2, "x", "add 1;sleep 10;flaky 1");

    (void)state;
    actors_settle(&actors);
    actors_pass(&actors, 10);
    assert_int_equal(actors_reply(&actors, request)->status, SW_E_INTERNAL);
    actors_pass(&actors, 9000);
    assert_int_equal(actors.module.flaky, 1);
    assert_int_equal(field_of(2, "x", "counter"), 1);
}

static void a_timer_s_turn_is_tried_again_and_parked(void **state)
{
    (void)state;
    actors.module.on_timer = "sleep 10;flaky 100";
    actors_ask(&actors, 1, "k", "timer 1 10");
    actors_pass(&actors, 10);
    actors_pass(&actors, 10);
    reopen();
    actors_pass(&actors, 1000);
    save_and_reopen();
    actors_pass(&actors, 2000);
    assert_int_equal(actors.module.flaky, 3);
    assert_int_equal(actors_letters(&actors, "a", "k"), 1);
    assert_int_equal(actors.letter.attempts, 3);
    actors.module.flaky = 100;
    assert_int_equal(actors_change_letters(&actors, "a", 0, false), 1);
    actors_pass(&actors, 10);
    assert_int_equal(actors.module.flaky, 101);
    assert_int_equal(field_of(1, "k", "messages"), 2);
}

/* The turn receives something else meanwhile, and the message is the instance's own afterwards. */
static void a_turn_waits_on_when_it_fails_with_what_it_received(void **state)
{
    (void)state;
    actors_ask(&actors, 1, "k", "send b/x|recv " FOREVER ";flaky 1;add 100");
    actors_ask(&actors, 1, "l", "send b/x|add 1");
    assert_int_equal(actors.module.flaky, 1);
    reopen();
    actors_ask(&actors, 1, "m", "send b/x|add 2");
    assert_int_equal(actors.module.flaky, 2);
    assert_int_equal(field_of(2, "x", "counter"), 100);
    assert_non_null(strstr(actors_ask(&actors, 2, "x", "get"), "last=add 2"));
    actors_pass(&actors, 1000);
    assert_int_equal(field_of(2, "x", "counter"), 101);
    assert_int_equal(actors_letters(&actors, "b", ""), 0);
}

static void what_fails_with_each_message_is_over_after_the_last_try(void **state)
{
    uint64_t request, number;

    (void)state;
    actors_ask(&actors, 1, "k", "send b/x|add 1;recv " FOREVER ";trap");
    for (int i = 0; i < 3; i++) {
        assert_int_equal(actors_letters(&actors, "b", ""), 0);
        request = actors_send(&actors, 2, "x", "add 10");
        actors_settle(&actors);
        assert_int_equal(actors_reply(&actors, request)->status, SW_E_INTERNAL);
        save_and_reopen();
    }
    assert_int_equal(actors_letters(&actors, "b", ""), 1);
    number = actors.last_letter;
    assert_string_equal(actors.letter.reason, "Trapped");
    assert_string_equal(actors.letter.words, "its turn failed with a message that it had received");
    assert_int_equal(actors.letter.attempts, 3);
    assert_int_equal(field_of(2, "x", "counter"), 1);
    reopen();
    assert_int_equal(actors_letters(&actors, "b", ""), 1);
    assert_int_equal(actors.last_letter, number);
}

static void a_message_and_the_turn_that_received_it_may_be_parked_together(void **state)
{
    (void)state;
    actors_ask(&actors, 1, "k", "send b/x|recv " FOREVER ";trap");
    actors_ask(&actors, 1, "l", "send b/x|trap");
    actors_pass(&actors, 1000);
    actors_pass(&actors, 2000);
    assert_int_equal(actors_letters(&actors, "b", ""), 2);
    assert_string_equal(actors.letter.from, "a/k");
    reopen();
    assert_int_equal(actors_letters(&actors, "b", ""), 2);
    assert_int_equal(actors_change_letters(&actors, "b", actors.last_letter, true), 1);
    assert_int_equal(actors_letters(&actors, "b", ""), 1);
    assert_string_equal(actors.letter.from, "a/l");
}

/* The turn is lost with the memory, and what it handled is not kept for that: a volatile instance
 * that waits costs as little as it can. What it received is a message like any other. */
static void a_volatile_turn_that_fails_is_lost(void **state)
{
    (void)state;
    actors_ask(&actors, 1, "k", "send v/x|add 1;sleep 10;trap");
    actors_pass(&actors, 10);
    assert_int_equal(actors_letters(&actors, "v", ""), 0);
    assert_string_equal(actors.last_event, "Trapped");
    actors_ask(&actors, 1, "k", "send v/y|recv " FOREVER ";trap");
    actors_ask(&actors, 1, "l", "send v/y|add 2");
    assert_int_equal(actors_letters(&actors, "v", ""), 0);
    actors_pass(&actors, 1000);
    assert_int_equal(field_of(3, "y", "counter"), 2); /* It began anew. */
}

static void open_pod(uint64_t number, const uint8_t *slots)
{
    actors_open(
        &actors,
        &(struct actors_pod){
            .number = number, .agent = "b", .is_keyed = true, .attempts = 3, .slots = slots});
}

static void what_a_turn_handles_moves_with_its_slot(void **state)
{
    uint8_t all[SW_SLOTS / 8], none[SW_SLOTS / 8] = {0};
    struct sw_slots_take job = {.shared = &actors.shared,
                                .workers = actors.workers,
                                .count = actors.count,
                                .pod = 5,
                                .slots = all};

    (void)state;
    memset(all, 0xff, sizeof all);
    open_pod(5, none);
    actors_settle(&actors);
    actors_ask(&actors, 1, "k", "send b/x|sleep 10;flaky 3;add 1");
    actors_pass(&actors, 10);
    sw_workers_settle(actors.workers, actors.count);
    sw_slots_take(&job);
    actors_settle(&actors);
    save_all();
    restart(true);
    open_pod(2, none);
    open_pod(5, all);
    actors_pass(&actors, 1000);
    actors_pass(&actors, 2000);
    assert_int_equal(actors_letters(&actors, "b", ""), 1);
    assert_int_equal(actors_change_letters(&actors, "b", 0, false), 1);
    actors_pass(&actors, 10);
    assert_int_equal(field_of(5, "x", "counter"), 1);
}

/* Its time was noticed when the message was there as well, and was not used with it. */
static void a_turn_that_fails_with_what_it_received_keeps_its_time(void **state)
{
    uint64_t request;

    (void)state;
    actors_ask(&actors, 1, "k", "send b/x|add 1;recv 1000;flaky 1;add 10");
    actors.disk.now_ns += 1000;
    request = actors_send(&actors, 2, "x", "hello");
    actors_settle(&actors);
    assert_int_not_equal(actors_reply(&actors, request)->status, 0);
    actors_pass(&actors, 1);
    assert_int_equal(actors.module.flaky, 2);
    assert_int_equal(field_of(2, "x", "counter"), 11);
}

static void fill_with_questions(uint64_t pod, const char *key)
{
    for (uint32_t i = 0; i < SW_HANDLES_MAX; i++) {
        (void)actors_send(&actors, pod, key, "log hold");
        if (i % 512 == 511)
            actors_settle(&actors);
    }
}

static const struct sw_instance *instance_of(uint64_t number, const char *key)
{
    const struct sw_worker *worker = actors.workers[number % actors.count];
    const struct sw_pod *pod = sw_map_find(worker->pods, &number, sizeof number);

    return sw_map_find(pod->instances, key, strlen(key));
}

static void a_turn_that_is_over_without_being_entered_leaves_a_letter(void **state)
{
    (void)state;
    fill_with_questions(2, "x");
    actors_ask(&actors, 1, "k", "send b/x|add 1;recv " FOREVER ";add 10");
    for (int i = 0; i < 3; i++) {
        assert_int_not_equal(instance_of(2, "x")->waiter, 0); /* It can be packed. */
        actors_ask(&actors, 2, "x", "get");
    }
    assert_int_equal(actors_letters(&actors, "b", ""), 1);
    reopen();
    assert_int_equal(actors_letters(&actors, "b", ""), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down_unbroken)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_turn_is_tried_again_from_where_it_waited),
        TEST(after_the_last_try_what_it_handled_is_a_dead_letter),
        TEST(tries_are_counted_over_restarts_and_snapshots),
        TEST(what_nobody_durable_had_sent_is_kept_as_well),
        TEST(the_answer_to_an_ask_is_kept_for_the_next_try),
        TEST(the_result_of_a_call_is_kept_for_the_next_try),
        TEST(who_asked_hears_after_the_last_try),
        TEST(a_client_hears_at_once),
        TEST(a_timer_s_turn_is_tried_again_and_parked),
        TEST(a_turn_waits_on_when_it_fails_with_what_it_received),
        TEST(what_fails_with_each_message_is_over_after_the_last_try),
        TEST(a_message_and_the_turn_that_received_it_may_be_parked_together),
        TEST(a_volatile_turn_that_fails_is_lost),
        TEST(what_a_turn_handles_moves_with_its_slot),
        TEST(a_turn_that_fails_with_what_it_received_keeps_its_time),
        TEST(a_turn_that_is_over_without_being_entered_leaves_a_letter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
