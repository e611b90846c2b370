/* uses: pkg/agent/link */
#include "pkg/agent/runtime/actor/state.h"
#include "test/support/letters.h"
#include "test/unit/agent/runtime/actor/asking.h"

#define SECOND 1000000000ull
#define HOUR (3600 * SECOND)

static int set_up(void **state)
{
    (void)state;
    actors_init(&actors, 2, 1);
    actors_open(&actors, &(struct actors_pod){.number = 1, .agent = "a", .is_keyed = true});
    return 0;
}

static void reopen(void)
{
    restart(true);
    actors_open(&actors, &(struct actors_pod){.number = 1, .agent = "a", .is_keyed = true});
}

static uint64_t instances(void)
{
    uint64_t count = 0;

    for (uint32_t i = 0; i < actors.count; i++) {
        struct sw_worker_view view;

        sw_worker_view(actors.workers[i], &view);
        count += view.instances;
    }
    return count;
}

static uint64_t expired(void)
{
    struct sw_worker_view view;

    sw_worker_view(actors.workers[0], &view);
    return view.expired;
}

/* --- Rates ------------------------------------------------------------------------------------ */

static void open_slow(uint32_t per_s)
{
    actors_open(&actors, &(struct actors_pod){
                             .number = 2, .agent = "b", .is_keyed = true, .messages_per_s = per_s});
    actors_settle(&actors);
}

static void a_client_is_told_when_to_send_again(void **state)
{
    uint64_t request;

    (void)state;
    open_slow(4);
    for (int i = 0; i < 4; i++)
        actors_ask(&actors, 2, "x", "add 1");
    request = actors_send(&actors, 2, "x", "add 1");
    actors_settle(&actors);
    assert_int_equal(actors_reply(&actors, request)->status, SW_E_EXHAUSTED);
    assert_string_equal(
        actors_reply(&actors, request)->body,
        "an instance of this Agent takes 4 messages a second; send again in 251 ms");
    assert_int_equal(field_of(2, "other", "counter"), 0); /* Each instance has its own. */
    actors_pass(&actors, SECOND / 4);
    assert_int_equal(field_of(2, "x", "counter"), 4);
    request = actors_send(&actors, 2, "x", "add 1");
    actors_settle(&actors);
    assert_int_equal(actors_reply(&actors, request)->status, SW_E_EXHAUSTED);
    actors_pass(&actors, SECOND);
    assert_int_equal(field_of(2, "x", "counter"), 4);
}

static void an_instance_that_sends_too_fast_gets_exhausted_also_in_a_replay(void **state)
{
    (void)state;
    open_slow(3);
    actors_ask(&actors, 1, "k", "spam 3 b/x|add 1");
    actors_ask(&actors, 1, "k", "send b/x|add 1");
    assert_int_equal(field_of(1, "k", "code"), SW_E_EXHAUSTED);
    actors_ask(&actors, 1, "k", "send b/x|add 1");
    reopen();
    open_slow(0);
    assert_int_equal(field_of(1, "k", "code"), SW_E_EXHAUSTED);
    assert_int_equal(field_of(2, "x", "counter"), 3);
    actors_ask(&actors, 1, "k", "send b/x|add 1");
    assert_int_equal(field_of(1, "k", "code"), 0);
    assert_int_equal(field_of(2, "x", "counter"), 4);
}

static void the_board_lets_senders_on_when_there_is_room_again(void **state)
{
    (void)state;
    open_slow(2);
    actors_ask(&actors, 1, "k", "spam 2 b/x|add 1");
    assert_int_equal(atomic_load(&actors.shared.board.full), 1);
    actors_pass(&actors, SECOND);
    assert_int_equal(atomic_load(&actors.shared.board.full), 0);
    actors_ask(&actors, 1, "k", "send b/x|add 1");
    assert_int_equal(field_of(1, "k", "code"), 0);
    actors_pass(&actors, SECOND);
    assert_int_equal(field_of(2, "x", "counter"), 3);
}

static void publishes_and_answers_are_not_counted(void **state)
{
    (void)state;
    open_slow(2);
    actors_ask(&actors, 2, "x", "sub news;ask 3 a/k|get");
    for (int i = 0; i < 5; i++)
        actors_ask(&actors, 1, "k", "pub news|x");
    assert_int_equal(field_of(2, "x", "published"), 5);
}

/* --- Timers ----------------------------------------------------------------------------------- */

static void the_limit_of_timers_is_that_of_the_recorded_spec(void **state)
{
    struct actors_pod pod = {.number = 2, .agent = "b", .is_keyed = true, .timers_max = 2};

    (void)state;
    actors_open(&actors, &pod);
    actors_ask(&actors, 2, "x", "timer 1 900000000000;timer 2 900000000000");
    assert_int_equal(field_of(2, "x", "code"), 0);
    actors_ask(&actors, 2, "x", "timer 3 900000000000");
    assert_int_equal(field_of(2, "x", "code"), SW_E_EXHAUSTED);
    actors_ask(&actors, 2, "x", "timer 2 800000000000"); /* It is one of the two. */
    assert_int_equal(field_of(2, "x", "code"), 0);
    actors_ask(&actors, 2, "x", "timer 3 900000000000");
    reopen();
    pod.timers_max =
        10; /* What was refused then is refused in a replay, though it would fit now. */
    actors_open(&actors, &pod);
    assert_int_equal(field_of(2, "x", "code"), SW_E_EXHAUSTED);
    actors_ask(&actors, 2, "x", "timer 3 900000000000");
    assert_int_equal(field_of(2, "x", "code"), 0);
    reopen();
    pod.timers_max = 1;
    actors_open(&actors, &pod);
    actors_ask(&actors, 2, "x", "cancel 3");
    assert_int_equal(field_of(2, "x", "code"), 0);
}

/* --- Children --------------------------------------------------------------------------------- */

static void open_breeders(void)
{
    actors_open(&actors, &(struct actors_pod){
                             .number = 2, .agent = "b", .is_keyed = true, .children_per_s = 2});
    actors_open(&actors, &(struct actors_pod){.number = 3, .agent = "c", .is_keyed = true});
    actors_settle(&actors);
}

static void memory_has_the_limit_of_its_beginning_also_in_a_replay(void **state)
{
    struct actors_pod pod = {.number = 2, .agent = "b", .is_keyed = true, .memory_bytes = 4096};

    (void)state;
    actors_open(&actors, &pod);
    actors_ask(&actors, 2, "x", "grow 4000");
    actors_ask(&actors, 2, "x", "grow 100");
    assert_int_equal(field(actors_ask(&actors, 2, "x", "grow 100;get"), "code"), -1);
    for (int i = 0; i < 2; i++) {
        pod.memory_bytes *= 16;
        reopen(); /* What is refused is an answer, which the replay has to come to again. */
        actors_open(&actors, &pod);
        assert_int_equal(field(actors_ask(&actors, 2, "x", "grow 100;get"), "code"), -1);
        assert_int_equal(
            field(actors_ask(&actors, 2, i == 0 ? "y" : "z", "grow 40000;get"), "code"), 0);
        assert_int_equal(
            sw_snapshot_begin(&actors.shared, actors.workers, actors.count, &actors.failure),
            SW_OK);
        assert_int_equal(actors_snapshot(&actors), SW_OK);
    }
}

static void a_replay_has_all_the_time_that_a_segment_had(void **state)
{
    struct actors_pod pod = {
        .number = 2, .agent = "b", .is_keyed = true, .deadline_ms = 3600 * 1000};

    (void)state;
    actors_open(&actors, &pod);
    actors_ask(&actors, 2, "x", "needs 3599000;add 1");
    pod.deadline_ms = 1; /* Of those from now on. */
    actors_open(&actors, &pod);
    actors_settle(&actors);
    reopen();
    actors_open(&actors, &pod);
    assert_int_equal(field_of(2, "x", "counter"), 1);
}

static void an_instance_brings_so_many_to_life_in_a_second(void **state)
{
    (void)state;
    open_breeders();
    actors_ask(&actors, 2, "x", "send c/1|add 1~send c/2|add 1~ask 7 c/3|get");
    assert_int_equal(field_of(2, "x", "replies"), 1);
    assert_int_equal(field_of(2, "x", "status"), SW_E_EXHAUSTED);
    assert_int_equal(actors_letters(&actors, "c", ""), 1);
    assert_string_equal(actors.letter.reason, "ChildrenLimit");
    actors_ask(&actors, 2, "x", "send c/1|add 1"); /* It is there already. */
    assert_int_equal(field_of(3, "1", "counter"), 2);
    actors_ask(&actors, 2, "y", "send c/5|add 1"); /* Another parent. */
    assert_int_equal(actors_letters(&actors, "c", ""), 1);
    actors_ask(&actors, 1, "k", "send c/6|add 1~send c/7|add 1~send c/8|add 1"); /* No limit. */
    assert_int_equal(actors_letters(&actors, "c", ""), 1);
    actors_pass(&actors, SECOND);
    actors_ask(&actors, 2, "x", "send c/9|add 1");
    assert_int_equal(actors_letters(&actors, "c", ""), 1);
    assert_int_equal(actors_change_letters(&actors, "c", 0, false), 1);
    assert_int_equal(actors_letters(&actors, "c", ""), 0);
}

static void a_restart_does_not_count_children_twice(void **state)
{
    (void)state;
    open_breeders();
    actors_send(&actors, 2, "x", "send c/1|add 1~send c/2|add 1");
    sw_worker_run(actors.workers[0], 4);
    assert_int_equal(sw_journal_commit(actors.shared.journal, NULL), SW_OK);
    for (int i = 0; i < 3; i++) {
        reopen();
        open_breeders();
    }
    assert_int_equal(field_of(3, "1", "counter"), 1);
    assert_int_equal(field_of(3, "2", "counter"), 1);
    assert_int_equal(actors_letters(&actors, "c", ""), 0);
}

/* --- The whole host --------------------------------------------------------------------------- */

static void overload_refuses_at_the_edge_first(void **state)
{
    uint64_t request, published;
    int64_t held;

    (void)state;
    actors_open(&actors, &(struct actors_pod){.number = 2, .agent = "b", .is_keyed = true});
    actors_ask(&actors, 1, "k", "add 1");
    held = atomic_fetch_add(&actors.shared.queued_bytes, SW_QUEUED_BYTES_EDGE_MAX + 1);
    request = actors_send(&actors, 1, "k", "add 1");
    published = actors_publish(&actors, "news", "x");
    actors_settle(&actors);
    assert_int_equal(actors_reply(&actors, request)->status, SW_E_EXHAUSTED);
    assert_int_equal(actors_reply(&actors, published)->status, SW_E_EXHAUSTED);
    /* What is inside goes on: a timer that sends. */
    atomic_store(&actors.shared.queued_bytes, held);
    actors.module.on_timer = "send b/x|add 1";
    actors_ask(&actors, 1, "k", "timer 1 1000");
    actors_ask(&actors, 1, "k", "timer 2 2000");
    atomic_fetch_add(&actors.shared.queued_bytes, SW_QUEUED_BYTES_EDGE_MAX + 1);
    actors_pass(&actors, 1000);
    atomic_fetch_add(&actors.shared.queued_bytes, SW_QUEUED_BYTES_EDGE_MAX);
    actors_pass(&actors, 1000);
    atomic_fetch_sub(&actors.shared.queued_bytes, 2 * SW_QUEUED_BYTES_EDGE_MAX + 1);
    assert_int_equal(field_of(2, "x", "counter"), 1);
    assert_int_equal(field_of(1, "k", "code"), SW_E_EXHAUSTED); /* At the whole of it. */
}

/* --- Idle instances --------------------------------------------------------------------------- */

static void open_idle(void)
{
    actors_open(&actors,
                &(struct actors_pod){.number = 2, .agent = "b", .is_keyed = true, .idle_ns = HOUR});
    actors_settle(&actors);
}

static void an_idle_instance_is_deleted_and_begins_anew(void **state)
{
    (void)state;
    actors.module.has_on_stop = true;
    actors_open(&actors, &(struct actors_pod){.number = 4, .agent = "watcher", .is_keyed = true});
    open_idle();
    actors_ask(&actors, 2, "x", "add 5");
    actors_pass(&actors, HOUR - SECOND);
    assert_int_equal(field_of(2, "x", "counter"), 5); /* It is asked, and so begins to idle anew. */
    actors_pass(&actors, HOUR - SECOND);
    assert_int_equal(expired(), 0);
    actors_pass(&actors, SECOND);
    assert_int_equal(expired(), 1);
    assert_int_equal(field_of(4, "1", "counter"), 1); /* on_stop said goodbye. */
    assert_int_equal(field_of(2, "x", "counter"), 0);
    actors_pass(&actors, 10 * HOUR);
    assert_int_equal(expired(), 2);
    reopen();
    open_idle();
    assert_int_equal(instances(), 1); /* The watcher. */
}

/* Who asked was told, so that nothing is left for it to handle when it has started at last. */
static void one_that_started_for_nobody_idles_like_any_other(void **state)
{
    uint64_t request;

    (void)state;
    actors.module.on_start = "flaky 1";
    open_idle();
    request = actors_send(&actors, 2, "x", "get");
    actors_settle(&actors);
    assert_int_equal(actors_reply(&actors, request)->status, SW_E_UNAVAILABLE);
    actors_pass(&actors, SECOND);
    assert_int_equal(instances(), 1);
    actors_pass(&actors, HOUR);
    assert_int_equal(expired(), 1);
    assert_int_equal(instances(), 0);
}

static void an_instance_that_waits_for_something_is_not_idle(void **state)
{
    static const char *const reasons[] = {"timer 1 360000000000000", "sub news", "hold"};

    (void)state;
    open_idle();
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++) {
        char key[8];

        snprintf(key, sizeof key, "k%zu", i);
        actors_send(&actors, 2, key, reasons[i]);
    }
    actors_send(&actors, 2, "k3", "recv 360000000000000;get");
    actors_settle(&actors);
    actors_pass(&actors, 3 * HOUR);
    assert_int_equal(expired(), 0);
    assert_int_equal(instances(), 4);
    actors_ask(&actors, 2, "k0", "cancel 1");
    actors_ask(&actors, 2, "k1", "unsub news");
    actors_ask(&actors, 2, "k2", "release");
    actors_ask(&actors, 2, "k3", "add 1");
    actors_pass(&actors, 3 * HOUR);
    assert_int_equal(expired(), 4);
    assert_int_equal(instances(), 0);
}

/* A new life would handle it once more. */
static void a_named_request_is_known_for_its_time_though_all_is_idle(void **state)
{
    uint64_t request;

    (void)state;
    actors_open(&actors, &(struct actors_pod){
                             .number = 2, .agent = "b", .is_keyed = true, .idle_ns = SECOND});
    actors_send_named(&actors, "once", 2, "x", "add 5;get");
    actors_settle(&actors);
    actors_pass(&actors, HOUR - SECOND);
    assert_int_equal(expired(), 0);
    request = actors_send_named(&actors, "once", 2, "x", "add 5;get");
    actors_settle(&actors);
    assert_non_null(strstr(actors_reply(&actors, request)->body, "counter=5 "));
    actors_pass(&actors, 2 * SECOND);
    assert_int_equal(expired(), 1);
}

static void idle_time_goes_on_over_restarts_and_with_a_new_policy(void **state)
{
    (void)state;
    actors_open(&actors, &(struct actors_pod){.number = 2, .agent = "b", .is_keyed = true});
    actors_ask(&actors, 2, "x", "add 5");
    actors_pass(&actors, HOUR / 2);
    reopen();
    open_idle(); /* It was for ever before. */
    assert_int_equal(instances(), 1);
    actors_pass(&actors, HOUR / 2);
    assert_int_equal(instances(), 0);
}

static void what_comes_at_the_last_moment_is_handled(void **state)
{
    (void)state;
    open_idle();
    actors_ask(&actors, 2, "x", "add 5");
    actors.disk.now_ns += 2 * HOUR;
    assert_int_equal(field_of(2, "x", "counter"), 5);
    assert_int_equal(expired(), 0);
    actors_pass(&actors, HOUR);
    assert_int_equal(expired(), 1);
}

static void replicas_and_volatile_ones(void **state)
{
    (void)state;
    actors_open(&actors,
                &(struct actors_pod){.number = 2, .agent = "r", .replicas = 2, .idle_ns = HOUR});
    actors_open(
        &actors,
        &(struct actors_pod){
            .number = 4, .agent = "v", .is_keyed = true, .is_volatile = true, .idle_ns = HOUR});
    actors_ask(&actors, 4, "x", "add 1");
    assert_int_equal(instances(), 3);
    actors_pass(&actors, 2 * HOUR);
    assert_int_equal(instances(), 2);
    assert_int_equal(field_of(4, "x", "counter"), 0);
}

static void enter_without_memory(void *ctx, struct sw_guest *guest,
                                 const struct sw_guest_input *input,
                                 struct sw_guest_outcome *ret_outcome)
{
    guest->turn->effects.failed = guest->turn->effects.lacks_memory = true;
    script_enter(ctx, guest, input, ret_outcome);
}

/* That there was no memory cannot be replayed: a guest that made something of it has failed. */
static void a_call_that_the_host_has_no_memory_for_fails_its_segment(void **state)
{
    struct sw_guest_engine *engine = &actors.workers[1]->engine;

    (void)state;
    open_three(3);
    actors_ask(&actors, 1, "k", "add 1");
    actors_ask(&actors, 2, "x", "add 1");
    engine->enter = enter_without_memory;
    assert_string_equal(actors_ask(&actors, 1, "k", "send b/x|add 1;add 1"),
                        "the agent host had no memory for what it asked for");
    assert_string_equal(actors.last_event, "NoMemory");
    actors_ask(&actors, 2, "x", "send a/k|sub news~add 1");
    engine->enter = script_enter;
    actors_pass(&actors, 2000); /* It is tried again. */
    assert_int_equal(field_of(1, "k", "counter"), 1);
    assert_int_equal(field_of(2, "x", "counter"), 2);
    actors_publish(&actors, "news", "one");
    actors_settle(&actors);
    restart(true);
    open_three(3);
    assert_int_equal(field_of(1, "k", "counter"), 1);
    assert_int_equal(field_of(1, "k", "published"), 1);
    assert_no_worker_failed();
    /* Where nothing is recorded the guest may make of it what it likes. */
    engine = &actors.workers[1]->engine;
    actors_ask(&actors, 3, "k", "add 1");
    engine->enter = enter_without_memory;
    actors_send(&actors, 3, "k", "log one;add 1;sub news");
    actors_settle(&actors);
    engine->enter = script_enter;
    assert_int_equal(field_of(3, "k", "counter"), 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_client_is_told_when_to_send_again),
        TEST(an_instance_that_sends_too_fast_gets_exhausted_also_in_a_replay),
        TEST(the_board_lets_senders_on_when_there_is_room_again),
        TEST(publishes_and_answers_are_not_counted),
        TEST(the_limit_of_timers_is_that_of_the_recorded_spec),
        TEST(memory_has_the_limit_of_its_beginning_also_in_a_replay),
        TEST(a_replay_has_all_the_time_that_a_segment_had),
        TEST(an_instance_brings_so_many_to_life_in_a_second),
        TEST(a_restart_does_not_count_children_twice),
        TEST(overload_refuses_at_the_edge_first),
        TEST(an_idle_instance_is_deleted_and_begins_anew),
        TEST(one_that_started_for_nobody_idles_like_any_other),
        TEST(an_instance_that_waits_for_something_is_not_idle),
        TEST(a_named_request_is_known_for_its_time_though_all_is_idle),
        TEST(idle_time_goes_on_over_restarts_and_with_a_new_policy),
        TEST(what_comes_at_the_last_moment_is_handled),
        TEST(replicas_and_volatile_ones),
        TEST(a_call_that_the_host_has_no_memory_for_fails_its_segment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
