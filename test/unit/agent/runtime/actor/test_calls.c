/* uses: pkg/agent/link */
/* Outside calls: whatever happens to the host meanwhile, a handler gets one result, and the same
 * call has the same name. */
#include "pkg/agent/runtime/actor/slots.h"
#include "test/unit/agent/runtime/actor/asking.h"

#define SECOND 1000000000u
#define CALLS_MAX 4096u

struct seen { /* A CALL frame. */
    struct sw_frame_call_name name;
    uint64_t pod;
    char key[32], service[64], type[32], body[64];
    size_t body_bytes;
    bool has_ended;
};

static struct seen seen[CALLS_MAX];
static uint32_t calls, ends;

static void see(const struct sw_frame *frame)
{
    struct seen *call = &seen[calls];

    for (uint32_t i = 0; frame->kind == SW_FRAME_CALL_END && i < calls; i++)
        if (memcmp(&seen[i].name, &frame->call_end, sizeof frame->call_end) == 0)
            seen[i].has_ended = true;
    ends += frame->kind == SW_FRAME_CALL_END;
    if (frame->kind != SW_FRAME_CALL)
        return;
    assert_true(calls < CALLS_MAX);
    calls++;
    *call = (struct seen){
        .name = frame->call.name, .pod = frame->call.pod, .body_bytes = frame->call.body.size};
    actors_copy(call->key, sizeof call->key, frame->call.key);
    actors_copy(call->service, sizeof call->service, frame->call.service);
    actors_copy(call->type, sizeof call->type, frame->call.type);
    actors_copy(call->body, sizeof call->body, frame->call.body);
}

static int set_up(void **state)
{
    (void)state;
    actors_init(&actors, 2, 1);
    actors.see = see;
    calls = ends = 0;
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

/* A result of a call, as the host hands it to the worker of the Pod that it left from. */
static void put_result(const struct seen *call, int32_t code, const char *body)
{
    struct sw_message template = {.pod = call->pod,
                                  .instance = call->name.instance,
                                  .head = {.flags = SWARM_MESSAGE_IS_REPLY | SW_MESSAGE_ENDS_WAIT,
                                           .priority = SWARM_PRIORITY_NORMAL,
                                           .status = code,
                                           .tag = call->name.number,
                                           .from = script_text(call->service),
                                           .type = script_text("text/plain")},
                                  .body = script_text(body)};

    sw_worker_put(actors.workers[call->pod % actors.count], &sw_message_new(&template)->item);
}

static void answer(const struct seen *call, int32_t code, const char *body)
{
    put_result(call, code, body);
    actors_settle(&actors);
}

static bool is_same(const struct seen *one, const struct seen *other)
{
    return memcmp(&one->name, &other->name, sizeof one->name) == 0;
}

/* --- Behaviours ------------------------------------------------------------------------------ */

static void a_call_leaves_with_its_name_and_its_result_ends_the_wait(void **state)
{
    uint64_t waits = send(1, "k", "add 1;call 0 swarm.delay|250~add 10;get");

    (void)state;
    assert_int_equal(calls, 1);
    assert_string_equal(seen[0].key, "k");
    assert_string_equal(seen[0].service, "swarm.delay");
    assert_string_equal(seen[0].type, "t");
    assert_string_equal(seen[0].body, "250");
    assert_int_not_equal(seen[0].name.incarnation, 0);
    assert_waits(waits);
    answer(&seen[0], 0, "done");
    assert_int_equal(field(reply_to(waits), "counter"), 11);
    assert_int_equal(field(reply_to(waits), "code"), 0);
    assert_non_null(strstr(reply_to(waits), "last=done"));
    assert_int_equal(ends, 1);
    assert_true(seen[0].has_ended);
    assert_int_equal(atomic_load(&actors.shared.queued_bytes), 0);
}

static void a_call_does_not_leave_before_its_epoch_is_durable(void **state)
{
    (void)state;
    actors_send(&actors, 1, "k", "call 0 s|x~add 1");
    actors_run(&actors);
    assert_int_equal(actors_release(&actors), 1); /* Let out all the same: */
    assert_int_equal(calls, 1);
    assert_int_equal(actors.early, 1); /* too early. */
    actors.early = 0;
}

static void the_end_is_not_told_before_the_result_is_durable(void **state)
{
    (void)state;
    send(1, "k", "call 0 s|x~add 1");
    put_result(&seen[0], 0, "y");
    actors_run(&actors);
    (void)actors_release(&actors);
    assert_int_equal(ends, 1);
    assert_true(actors.early >= 1);
    actors.early = 0;
}

static void a_code_comes_with_its_words(void **state)
{
    uint64_t waits = send(1, "k", "call 0 nothing|x~get");

    (void)state;
    answer(&seen[0], SW_E_NOT_FOUND, "there is no such service");
    assert_int_equal(field(reply_to(waits), "code"), SW_E_NOT_FOUND);
    assert_non_null(strstr(reply_to(waits), "last=there is no such service"));
}

static void only_one_result_is_taken(void **state)
{
    uint64_t waits = send(1, "k", "call 0 s|x~call 0 s|y~get");

    (void)state;
    put_result(&seen[0], 0, "one");
    put_result(&seen[0], 0, "two");
    actors_settle(&actors);
    assert_waits(waits); /* The second one is no result of the second call. */
    assert_int_equal(calls, 2);
    assert_false(is_same(&seen[0], &seen[1]));
    answer(&seen[0], 0, "three");
    assert_waits(waits);
    answer(&seen[1], 0, "four");
    assert_non_null(strstr(reply_to(waits), "last=four"));
    answer(&seen[1], 0, "five");
    assert_int_equal(field_of(1, "k", "messages"), 2);
    assert_int_equal(field_of(1, "k", "replies"), 0);
}

static void a_result_that_comes_too_late_is_dropped(void **state)
{
    uint64_t waits = send(1, "k", "call 1000000000 s|x~get");

    (void)state;
    pass(2);
    assert_int_equal(field(reply_to(waits), "code"), SW_E_TIMEOUT);
    assert_true(seen[0].has_ended); /* So that nobody goes on with it. */
    waits = send(1, "k", "await 0 a/other|hold~get");
    answer(&seen[0], 0, "late");
    assert_waits(waits);
    send(1, "other", "release");
    assert_non_null(strstr(reply_to(waits), "last=released"));
}

static void a_segment_that_fails_makes_no_call(void **state)
{
    (void)state;
    send(1, "k", "call 0 s|x~trap"); /* It ends after its call: a trap of the next segment. */
    assert_int_equal(calls, 1);
    answer(&seen[0], 0, "y");
    assert_string_equal(actors.last_event, "Trapped");
    assert_true(seen[0].has_ended);
    calls = 0;
    send(1, "k", "add 1;trap;call 0 s|x");
    assert_int_equal(calls, 0);
}

static void what_is_no_service_or_too_large_is_invalid(void **state)
{
    char script[200] = "call 0 ";

    (void)state;
    memset(script + 7, 'n', 64);
    strcat(script, "|x~get");
    assert_int_equal(field(actors_ask(&actors, 1, "k", script), "code"), SW_E_INVALID);
    script[7] = '\xff';
    strcpy(script + 8, "|x~get");
    assert_int_equal(field(actors_ask(&actors, 1, "k", script), "code"), SW_E_INVALID);
    assert_int_equal(calls, 0);
}

/* --- Restarts -------------------------------------------------------------------------------- */

static void a_host_that_starts_again_calls_again_under_the_same_name(void **state)
{
    (void)state;
    send(1, "k", "add 1;call 0 s|x~add 10");
    restart(true);
    actors_settle(&actors);
    assert_int_equal(calls, 1); /* Not before its Pod is open. */
    open_three(0);
    assert_int_equal(calls, 2);
    assert_true(is_same(&seen[0], &seen[1]));
    assert_string_equal(seen[1].service, "s");
    assert_string_equal(seen[1].type, "t");
    assert_string_equal(seen[1].body, "x");
    open_three(0); /* A change of the Pod is no reason to ask again. */
    assert_int_equal(calls, 2);
    answer(&seen[1], 0, "y");
    assert_int_equal(field_of(1, "k", "counter"), 11);
    reopen();
    assert_int_equal(calls, 2);
    assert_int_equal(field_of(1, "k", "counter"), 11);
    assert_int_equal(actors.events, 0);
}

/* More than records hold of a call: what it called with is made again. */
static void a_large_call_is_made_again(void **state)
{
    (void)state;
    send(1, "k", "add 1;call 0 s|*5000~add 10");
    assert_int_equal(seen[0].body_bytes, 5000);
    for (uint32_t i = 1; i <= 2; i++) {
        restart(true);
        actors_settle(&actors);
        if (i == 2)
            save_all(); /* Before it was made again. */
        reopen();
        assert_int_equal(calls, i + 1);
        assert_true(is_same(&seen[0], &seen[i]));
        assert_int_equal(seen[i].body_bytes, 5000);
        assert_int_equal(seen[i].body[60], 'x');
    }
    answer(&seen[2], 0, "y");
    assert_int_equal(field_of(1, "k", "counter"), 11);
    reopen();
    assert_int_equal(field_of(1, "k", "counter"), 11);
    assert_int_equal(calls, 3);
    assert_int_equal(actors.events, 0);
    assert_int_equal(atomic_load(&actors.shared.queued_bytes), 0);
}

static void a_result_that_was_lost_is_asked_for_again(void **state)
{
    (void)state;
    send(1, "k", "call 0 s|x~add 1");
    put_result(&seen[0], 0, "y");
    actors_run(&actors); /* It was taken, and the host ends before that is durable. */
    reopen();
    assert_int_equal(calls, 2);
    assert_true(is_same(&seen[0], &seen[1]));
    answer(&seen[1], 0, "y");
    assert_int_equal(field_of(1, "k", "counter"), 1);
    assert_int_equal(actors.events, 0);
}

static void a_time_that_passed_while_nobody_ran_ends_the_call(void **state)
{
    (void)state;
    send(1, "k", "call 5000000000 s|x~add 1");
    restart(true);
    actors.disk.now_ns += 10ull * SECOND;
    open_three(0);
    assert_int_equal(field_of(1, "k", "code"), SW_E_TIMEOUT);
    assert_int_equal(field_of(1, "k", "counter"), 1);
}

static void a_snapshot_holds_calls(void **state)
{
    (void)state;
    send(1, "k", "add 1;call 0 s|x~add 10");
    save_all();
    reopen();
    assert_int_equal(calls, 2);
    assert_true(is_same(&seen[0], &seen[1]));
    assert_string_equal(seen[1].body, "x");
    answer(&seen[1], 0, "y");
    assert_int_equal(field_of(1, "k", "counter"), 11);
    assert_int_equal(actors.events, 0);
}

static void what_keeps_nothing_calls_under_another_name_after_a_restart(void **state)
{
    (void)state;
    send(3, "k", "call 0 s|x~add 1");
    reopen();
    assert_int_equal(calls, 1); /* It is gone, and its call with it. */
    send(3, "k", "call 0 s|x~add 1");
    assert_int_equal(calls, 2);
    assert_int_not_equal(seen[0].name.incarnation, seen[1].name.incarnation);
    answer(&seen[1], 0, "y");
    assert_int_equal(field_of(3, "k", "counter"), 1);
}

static void crash_after(uint32_t steps)
{
    for (uint32_t i = 0; i < steps; i++) {
        for (uint32_t w = 0; w < actors.count; w++) {
            sw_worker_run(actors.workers[w], 1);
            actors_carry(&actors, w);
        }
        assert_int_equal(sw_journal_commit(actors.shared.journal, NULL), SW_OK);
        (void)actors_release(&actors);
        for (uint32_t c = 0; c < calls; c++)
            if (!seen[c].has_ended)
                put_result(&seen[c], 0, "y");
    }
    reopen();
}

static void a_crash_at_any_point_loses_and_doubles_nothing(void **state)
{
    (void)state;
    for (uint32_t steps = 1; steps < 12; steps++) {
        char key[16];

        snprintf(key, sizeof key, "k%u", steps);
        actors_send(&actors, 1, key,
                    "add 1;call 0 s|1~send a/out|add 1~call 0 s|2~add 10;call 0 s|3~add 100");
        crash_after(steps);
        if (calls == 0)
            continue; /* The message itself was not durable: its client was told nothing. */
        for (int i = 0; i < 8; i++) {
            for (uint32_t c = 0; c < calls; c++)
                put_result(&seen[c], 0, "y");
            actors_settle(&actors);
        }
        assert_int_equal(field_of(1, key, "counter"), 111);
        assert_int_equal(field_of(1, "out", "counter"), 1);
        send(1, "out", "add -1");
        assert_int_equal(actors.events, 0);
        for (uint32_t c = 0; c < calls; c++)
            assert_true(seen[c].has_ended);
        calls = 0;
    }
}

/* --- Ends and moves -------------------------------------------------------------------------- */

static void an_instance_that_goes_ends_its_call(void **state)
{
    (void)state;
    send(1, "k", "call 0 s|x~add 1");
    send(3, "v", "call 0 s|x~trap");
    assert_int_equal(calls, 2);
    actors_close(&actors, 1, true);
    actors_close(&actors, 3, false);
    actors_settle(&actors);
    assert_true(seen[0].has_ended);
    assert_true(seen[1].has_ended);
    put_result(&seen[0], 0, "y");
    answer(&seen[1], 0, "y");
    assert_int_equal(atomic_load(&actors.shared.queued_bytes), 0);
}

static void a_pod_that_sleeps_keeps_its_calls(void **state)
{
    (void)state;
    send(1, "k", "add 1;call 0 s|x~add 10");
    actors_close(&actors, 1, false);
    actors_settle(&actors);
    assert_int_equal(ends, 0);
    answer(&seen[0], 0, "y");
    open_three(0);
    assert_int_equal(calls, 1);
    assert_int_equal(field_of(1, "k", "counter"), 11);
}

static void a_result_finds_an_instance_that_moved(void **state)
{
    const uint8_t nothing[SW_SLOTS / 8] = {0};
    uint8_t all[SW_SLOTS / 8];
    struct sw_slots_take take = {
        .shared = &actors.shared, .workers = actors.workers, .count = 2, .pod = 2, .slots = all};

    (void)state;
    send(1, "k", "add 1;call 0 s|x~add 10");
    actors_open(&actors, &(struct actors_pod){
                             .number = 2, .agent = "a", .is_keyed = true, .slots = nothing});
    actors_settle(&actors);
    memset(all, 0xff, sizeof all);
    sw_workers_settle(actors.workers, 2);
    sw_slots_take(&take);
    actors_settle(&actors);
    assert_int_equal(calls, 1);
    answer(&seen[0], 0, "y"); /* It names the Pod that it left from. */
    assert_int_equal(field_of(2, "k", "counter"), 11);
    assert_true(seen[0].has_ended);
}

static void each_of_many_is_answered_once(void **state)
{
    enum { COUNT = 1500 };
    char key[16], script[64];

    (void)state;
    for (uint32_t i = 0; i < COUNT; i++) {
        snprintf(key, sizeof key, "%u", i);
        snprintf(script, sizeof script, "add %u;call 0 s|x~add 1", i);
        actors_send(&actors, 1, key, script);
    }
    actors_settle(&actors);
    reopen();
    assert_int_equal(calls, 2 * COUNT);
    for (uint32_t i = 0; i < COUNT; i++)
        put_result(&seen[(i * 7919) % COUNT], 0, "y");
    actors_settle(&actors);
    assert_int_equal(ends, COUNT);
    for (uint32_t i = 0; i < COUNT; i += 37) {
        snprintf(key, sizeof key, "%u", i);
        assert_int_equal(field_of(1, key, "counter"), i + 1);
    }
    assert_int_equal(actors.events, 0);
    assert_int_equal(atomic_load(&actors.shared.queued_bytes), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down_unbroken)
    const struct CMUnitTest tests[] = {
        TEST(a_call_leaves_with_its_name_and_its_result_ends_the_wait),
        TEST(a_call_does_not_leave_before_its_epoch_is_durable),
        TEST(the_end_is_not_told_before_the_result_is_durable),
        TEST(a_code_comes_with_its_words),
        TEST(only_one_result_is_taken),
        TEST(a_result_that_comes_too_late_is_dropped),
        TEST(a_segment_that_fails_makes_no_call),
        TEST(what_is_no_service_or_too_large_is_invalid),
        TEST(a_host_that_starts_again_calls_again_under_the_same_name),
        TEST(a_large_call_is_made_again),
        TEST(a_result_that_was_lost_is_asked_for_again),
        TEST(a_time_that_passed_while_nobody_ran_ends_the_call),
        TEST(a_snapshot_holds_calls),
        TEST(what_keeps_nothing_calls_under_another_name_after_a_restart),
        TEST(a_crash_at_any_point_loses_and_doubles_nothing),
        TEST(an_instance_that_goes_ends_its_call),
        TEST(a_pod_that_sleeps_keeps_its_calls),
        TEST(a_result_finds_an_instance_that_moved),
        TEST(each_of_many_is_answered_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
