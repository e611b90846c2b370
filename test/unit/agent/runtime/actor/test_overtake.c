/* labels: threaded */
/* uses: pkg/agent/link pkg/utils/strands */
#include "test/unit/agent/runtime/actor/passing.h"

/* --- Others pass ------------------------------------------------------------------------------ */

static uint64_t second;

static void quick_is_answered(unsigned round)
{
    if (round == 0)
        second = actors_send(&actors, 2, "q", "add 5;get");
    if (round == 0 || has_seen || !actors_reply(&actors, second)->is_there)
        return;
    has_seen = true;
    assert_false(actors_reply(&actors, first)->is_there);
    assert_non_null(strstr(actors_reply(&actors, second)->body, "5"));
}

static void a_long_segment_lets_others_pass(void **state)
{
    (void)state;
    has_seen = false;
    meanwhile = quick_is_answered;
    first = actors_send(&actors, 1, "l", "add 3;send quick/z|add 9~" LONG LONG "add 4;get");
    settle();
    meanwhile = NULL;
    assert_true(has_seen);
    assert_true(actors_reply(&actors, first)->is_there);
    assert_int_equal(field_of(1, "l", "counter"), 7);
    assert_int_equal(field_of(2, "z", "counter"), 9);
    assert_int_equal(field_of(2, "q", "counter"), 5);
    /* Its record is like any other: a new host comes to the same. */
    restart();
    assert_int_equal(field_of(1, "l", "counter"), 7);
    assert_int_equal(actors.events, 0);
}

static void a_short_segment_is_not_passed(void **state)
{
    (void)state;
    (void)ask(1, "l", "pass 1000 1;get");
    assert_int_equal(rounds, 0);
    (void)ask(1, "l", LONG "get");
    assert_true(rounds > 0);
}

static void send_to_the_passed(unsigned round)
{
    if (round == 0) {
        (void)actors_send(&actors, 1, "l", "seq 1 1 0");
        (void)actors_send(&actors, 1, "l", "seq 1 2 0");
        (void)actors_send_at(&actors, 1, "l", "add 1", SWARM_PRIORITY_URGENT);
    }
}

static void what_comes_for_the_passed_waits(void **state)
{
    (void)state;
    meanwhile = send_to_the_passed;
    (void)actors_send(&actors, 1, "l", LONG LONG "add 10");
    settle();
    meanwhile = NULL;
    assert_int_equal(field_of(1, "l", "counter"), 11);
    assert_int_equal(field_of(1, "l", "inorder"), 2);
    assert_int_equal(field_of(1, "l", "disorder"), 0);
}

/* --- Long ones among themselves --------------------------------------------------------------- */

static unsigned order[8], ended;
static uint64_t requests[8];

static void note_ends(unsigned round)
{
    (void)round;
    for (unsigned i = 0; i < 8; i++) {
        bool is_known = requests[i] == 0 || !actors_reply(&actors, requests[i])->is_there;

        for (unsigned k = 0; k < ended; k++)
            is_known = is_known || order[k] == i;
        if (!is_known)
            order[ended++] = i;
    }
}

/* Whoever needs less of the processor ends first, whoever came first. */
static void long_segments_share_the_time(void **state)
{
    (void)state;
    memset(requests, 0, sizeof requests);
    ended = 0;
    (void)ask(1, "l", LONG "get"); /* All of them are known. */
    (void)ask(3, "o", LONG "get");
    meanwhile = note_ends;
    requests[0] = actors_send(&actors, 1, "a", FOREVER FOREVER FOREVER "add 1;get");
    requests[1] = actors_send(&actors, 1, "b", FOREVER FOREVER FOREVER FOREVER "add 2;get");
    requests[2] = actors_send(&actors, 3, "c", LONG LONG "add 3;get");
    requests[3] = actors_send(&actors, 2, "d", LONG LONG LONG "add 4;get");
    settle();
    note_ends(0);
    assert_int_equal(ended, 4);
    assert_in_range(order[0], 2, 3);
    assert_in_range(order[1], 2, 3);
    assert_int_equal(order[2], 0);
    assert_int_equal(order[3], 1);
    for (uint64_t i = 0; i < 4; i++)
        assert_int_equal(actors_reply(&actors, requests[i])->status, 0);
}

static void more_than_there_is_room_for(void **state)
{
    char key[16];
    unsigned refused = 0;

    (void)state;
    have_all_strands();
    /* Each of an Agent of its own, and none is known. */
    for (uint64_t pod = 10; pod < 10 + SW_PASS_MAX + 8; pod++) {
        snprintf(key, sizeof key, "agent-%u", (unsigned)pod);
        actors_open(&actors, &(struct actors_pod){.number = pod, .agent = key, .is_keyed = true});
    }
    settle();
    for (uint64_t pod = 10; pod < 10 + SW_PASS_MAX + 8; pod++)
        (void)actors_send(&actors, pod, "x", FOREVER FOREVER FOREVER "add 1;get");
    first = actors.next_request - SW_PASS_MAX - 8;
    settle();
    for (uint64_t request = first; request < actors.next_request; request++) {
        assert_true(actors_reply(&actors, request)->is_there);
        refused += actors_reply(&actors, request)->status != 0;
    }
    assert_int_equal(refused, SW_PASS_MAX + 8 - SW_GOING_SPACE_MAX); /* Of one namespace. */
}

static void an_agent_is_quick_again_after_quick_segments(void **state)
{
    const struct sw_pod *pod;

    (void)state;
    (void)ask(1, "l", LONG "get");
    pod = instance_of(1, "l")->pod;
    for (unsigned i = 0; i < SW_SHARE_QUICK_MIN; i++) {
        assert_true(sw_share_is_slow(pod->share));
        (void)ask(1, "l", "get");
    }
    assert_false(sw_share_is_slow(pod->share));
}

/* --- What happens to its Pod meanwhile -------------------------------------------------------- */

static void discard_the_pod(unsigned round)
{
    if (round == 0)
        actors_close(&actors, 1, true);
}

static void a_pod_that_is_discarded_ends_what_is_passed(void **state)
{
    (void)state;
    meanwhile = discard_the_pod;
    first = actors_send(&actors, 1, "l", FOREVER FOREVER "add 1;get");
    settle();
    meanwhile = NULL;
    assert_int_equal(actors.closed, 1);
    assert_int_equal(actors_reply(&actors, first)->status, SW_E_UNAVAILABLE);
    assert_non_null(strstr(actors_reply(&actors, first)->body, "its Pod closes"));
    assert_true(rounds < 8);
}

static void close_the_pod(unsigned round)
{
    if (round == 0) {
        actors_close(&actors, 1, false);
        second = actors_send(&actors, 1, "m", "add 1;get");
    }
    if (round < 4)
        assert_int_equal(actors.closed, 0);
}

static void a_pod_closes_after_what_is_passed(void **state)
{
    (void)state;
    meanwhile = close_the_pod;
    first = actors_send(&actors, 1, "l", LONG LONG LONG LONG LONG LONG "add 1;get");
    settle();
    meanwhile = NULL;
    assert_int_equal(actors.closed, 1);
    assert_int_equal(actors_reply(&actors, first)->status, 0);
    assert_false(actors_reply(&actors, second)->is_there); /* It began nothing any more. */
    open_pods();
    assert_true(actors_reply(&actors, second)->is_there);
    assert_int_equal(field_of(1, "l", "counter"), 1);
}

/* Other Pods, and the same one with another spec, open and close at once. */
static void change_others(unsigned round)
{
    if (round == 0) {
        actors_close(&actors, 3, true);
        actors_open(&actors, &(struct actors_pod){
                                 .number = 1, .agent = "long", .config = "two", .is_keyed = true});
        (void)actors_send(&actors, 1, "m", "config;add 1");
        actors_open(&actors, &(struct actors_pod){.number = 4, .agent = "new", .is_keyed = true});
        second = actors_send(&actors, 4, "n", "add 5;get");
    }
    if (round == 8) {
        assert_int_equal(actors.closed, 1);
        assert_true(actors_reply(&actors, second)->is_there);
        assert_false(actors_reply(&actors, first)->is_there);
        has_seen = true;
    }
}

static void others_do_not_wait(void **state)
{
    (void)state;
    has_seen = false;
    meanwhile = change_others;
    first = actors_send(&actors, 1, "l", FOREVER FOREVER "send other/x|add 1~config;add 2;get");
    settle();
    meanwhile = NULL;
    assert_true(has_seen);
    assert_int_equal(actors_reply(&actors, first)->status, 0);
    assert_int_equal(field_of(1, "l", "counter"), 2);
    assert_int_equal(field_of(1, "m", "counter"), 1);
}

/* Slots move while all stand still: those of the others at once, its own when it has ended. */
static struct sw_slots_take take;
static uint8_t all_slots[SW_SLOTS / 8];

static void move_slots(unsigned round)
{
    if (round % 4 != 0 || (round > 0 && !take.ret_is_partial))
        return;
    if (round == 0)
        actors_open(&actors, &(struct actors_pod){.number = 5,
                                                  .agent = "long",
                                                  .is_keyed = true,
                                                  .slots = (uint8_t[SW_SLOTS / 8]){0}});
    (void)sw_worker_run(actors.workers[0], 0);
    memset(all_slots, 0xff, sizeof all_slots);
    take = (struct sw_slots_take){.shared = &actors.shared,
                                  .workers = actors.workers,
                                  .count = 1,
                                  .pod = 5,
                                  .slots = all_slots};
    sw_slots_take(&take);
    if (round == 0) {
        assert_true(take.ret_is_partial);
        assert_int_equal(instance_of(1, "l")->is_leaving, true);
        assert_null(instance_of(1, "m"));
        assert_non_null(instance_of(5, "m"));
        (void)actors_send(&actors, 1, "l", "add 100");
    }
}

static void slots_move_around_what_is_passed(void **state)
{
    (void)state;
    (void)ask(1, "m", "add 1;get");
    meanwhile = move_slots;
    first = actors_send(&actors, 1, "l", FOREVER "add 1;get");
    settle();
    meanwhile = NULL;
    assert_int_equal(actors_reply(&actors, first)->status, 0);
    assert_true(take.ret_is_partial);
    rounds = 0;
    move_slots(4);
    assert_false(take.ret_is_partial);
    settle();
    assert_non_null(instance_of(5, "l"));
    assert_int_equal(field_of(5, "l", "counter"), 101);
    assert_int_equal(field_of(5, "m", "counter"), 1);
}

/* --- Snapshots -------------------------------------------------------------------------------- */

static void take_snapshot(unsigned round)
{
    if (round == 0) {
        struct sw_err err = {0};

        (void)sw_worker_run(actors.workers[0], 0);
        if (sw_snapshot_begin(&actors.shared, actors.workers, 1, &err) != SW_OK)
            fail_msg("%s", err.message);
    }
    assert_int_equal(sw_snapshot_advance(&actors.shared, NULL), SW_OK);
    if (round == 10) {
        assert_int_equal(sw_snapshot_phase(&actors.shared), SW_SNAPSHOT_NONE);
        has_seen = true;
    }
}

/* It counts while the segment runs; a host that dies then, or afterwards, comes back from it. */
static void a_snapshot_does_not_wait_for_what_is_passed(void **state)
{
    (void)state;
    has_seen = false;
    (void)ask(1, "l", "add 5;timer 7 90000000000;get");
    (void)ask(2, "q", "send long/l|add 1~get");
    meanwhile = take_snapshot;
    (void)actors_send(&actors, 2, "q", "send long/l|" LONG LONG LONG FOREVER "add 3");
    settle();
    meanwhile = NULL;
    assert_true(has_seen);
    restart();
    assert_int_equal(field_of(1, "l", "counter"), 9);
}

static void snapshot_and_die(unsigned round)
{
    take_snapshot(round);
    if (round == 10)
        disk_copy(&actors.disk, &kept);
}

static void what_is_handled_is_in_the_snapshot(void **state)
{
    (void)state;
    (void)ask(1, "l", "add 5;get");
    meanwhile = snapshot_and_die;
    (void)actors_send(&actors, 2, "q", "send long/l|" LONG LONG LONG FOREVER "add 3");
    settle();
    meanwhile = NULL;
    assert_true(has_seen);
    die_as_kept();
    assert_int_equal(field_of(1, "l", "counter"), 8);
}

static void a_clean_stop_keeps_what_is_passed_for_later(void **state)
{
    (void)state;
    has_seen = false;
    (void)ask(1, "l", "add 5;get");
    meanwhile = stop_cleanly;
    (void)actors_send(&actors, 2, "q", "send long/l|" FOREVER "add 3");
    settle();
    meanwhile = NULL;
    assert_true(has_seen);
    die_as_kept();
    assert_int_equal(field_of(1, "l", "counter"), 8);
    assert_int_equal(field_of(1, "l", "messages"), 4);
}

/* --- Waits ------------------------------------------------------------------------------------ */

static void answer_late(unsigned round)
{
    if (round == 0)
        (void)actors_send(&actors, 2, "q", "release");
}

static void a_late_answer_is_not_taken_for_the_next(void **state)
{
    (void)state;
    (void)ask(2, "q", "get");
    /* It waits for an answer of quick/q, which holds it; the time is over first. */
    (void)actors_send(&actors, 1, "l", "await 1000 quick/q|hold~" LONG "add 1");
    settle();
    meanwhile = answer_late;
    rounds = 0;
    actors.disk.now_ns += 1000000;
    settle();
    meanwhile = NULL;
    assert_int_equal(field_of(1, "l", "counter"), 1);
    assert_null(instance_of(1, "l")->answer);
}

static void a_passed_segment_that_fails_leaves_nothing(void **state)
{
    (void)state;
    (void)ask(1, "l", LONG "add 1;get");
    (void)ask(1, "l", "add 5;send quick/q|add 4~" LONG "trap");
    assert_string_equal(actors.last_event, "Trapped");
    assert_int_equal(field_of(1, "l", "counter"), 1);
    assert_int_equal(field_of(2, "q", "counter"), 0);
}

/* --- What else runs guests -------------------------------------------------------------------- */

static void a_start_and_what_follows_are_passed(void **state)
{
    (void)state;
    actors.module.on_start = "pass " LONG_NS " 3;add 10";
    has_seen = false;
    meanwhile = quick_is_answered;
    first = actors_send(&actors, 1, "l", FOREVER "add 1;get");
    settle();
    meanwhile = NULL;
    actors.module.on_start = NULL;
    assert_true(has_seen);
    assert_int_equal(actors_reply(&actors, first)->status, 0);
    assert_int_equal(field_of(1, "l", "counter"), 11);
}

static void others_pass_while_a_memory_is_rebuilt(void **state)
{
    (void)state;
    (void)ask(1, "l", FOREVER "add 1;get");
    (void)ask(1, "l", FOREVER "add 1;send quick/x|add 1~get");
    restart();
    has_seen = false;
    rounds = 0;
    meanwhile = quick_is_answered;
    first = actors_send(&actors, 1, "l", "add 2;get");
    settle();
    meanwhile = NULL;
    assert_true(has_seen);
    assert_true(rounds >= 20);
    assert_int_equal(actors_reply(&actors, first)->status, 0);
    assert_int_equal(field_of(1, "l", "counter"), 4);
    assert_int_equal(actors.events, 0);
}

static void a_snapshot_does_not_wait_for_a_memory_that_is_rebuilt(void **state)
{
    (void)state;
    (void)ask(1, "l", FOREVER "add 1;get");
    restart();
    has_seen = false;
    rounds = 0;
    meanwhile = snapshot_and_die;
    (void)actors_send(&actors, 2, "q", "send long/l|" FOREVER "add 3");
    settle();
    meanwhile = NULL;
    assert_true(has_seen);
    die_as_kept();
    assert_int_equal(field_of(1, "l", "counter"), 4);
}

static void a_rebuilt_memory_does_not_hold_up_the_end_of_its_pod(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 4; i++)
        (void)ask(1, "l", FOREVER "add 1;get");
    restart();
    rounds = 0;
    meanwhile = discard_the_pod;
    first = actors_send(&actors, 1, "l", "add 2;get");
    settle();
    meanwhile = NULL;
    assert_int_equal(actors.closed, 1);
    assert_int_equal(actors_reply(&actors, first)->status, SW_E_UNAVAILABLE);
    assert_true(rounds < 24);
}

static void others_pass_an_upgrade(void **state)
{
    static struct sw_guest_module next;

    next = (struct sw_guest_module){
        .refs = 1, .on_upgrade = "pass " LONG_NS " 10;add 100", .version = 1};

    (void)state;
    actors.module.version = 1;
    (void)ask(1, "l", "add 1;get");
    has_seen = false;
    meanwhile = quick_is_answered;
    actors.next_module = &next;
    actors_open(&actors, &(struct actors_pod){
                             .number = 1, .agent = "long", .digest = "sha256:2", .is_keyed = true});
    first = actors_send(&actors, 1, "l", LONG "get");
    settle();
    meanwhile = NULL;
    assert_true(has_seen);
    assert_int_equal(field_of(1, "l", "counter"), 101);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_long_segment_lets_others_pass),
        TEST(a_short_segment_is_not_passed),
        TEST(what_comes_for_the_passed_waits),
        TEST(long_segments_share_the_time),
        TEST(more_than_there_is_room_for),
        TEST(an_agent_is_quick_again_after_quick_segments),
        TEST(a_pod_that_is_discarded_ends_what_is_passed),
        TEST(a_pod_closes_after_what_is_passed),
        TEST(others_do_not_wait),
        TEST(slots_move_around_what_is_passed),
        TEST(a_snapshot_does_not_wait_for_what_is_passed),
        TEST(what_is_handled_is_in_the_snapshot),
        TEST(a_clean_stop_keeps_what_is_passed_for_later),
        TEST(a_late_answer_is_not_taken_for_the_next),
        TEST(a_passed_segment_that_fails_leaves_nothing),
        TEST(a_start_and_what_follows_are_passed),
        TEST(others_pass_while_a_memory_is_rebuilt),
        TEST(a_snapshot_does_not_wait_for_a_memory_that_is_rebuilt),
        TEST(a_rebuilt_memory_does_not_hold_up_the_end_of_its_pod),
        TEST(others_pass_an_upgrade),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
