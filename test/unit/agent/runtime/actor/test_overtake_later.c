/* labels: threaded */
/* uses: pkg/agent/link pkg/utils/strands */
/* Long segments that end because they are in the way: what they were for is handled later, as if
 * they had not begun. */
#include "test/support/letters.h"
#include "test/unit/agent/runtime/actor/passing.h"

#define LONGER FOREVER FOREVER

static uint64_t closes; /* Whose Pod. */

static void close_and_wait_long(unsigned round)
{
    if (round == 0)
        actors_close(&actors, closes, false);
    else if (round == 2)
        actors.disk.now_ns += SW_PASS_GRACE_NS;
}

/* Run what was sent, until its Pod has closed. */
static void be_in_the_way(uint64_t pod)
{
    closes = pod;
    meanwhile = close_and_wait_long;
    rounds = 0;
    settle();
    meanwhile = NULL;
    assert_int_equal(actors.closed, 1);
    assert_in_range(rounds, 1, 8);
    assert_int_equal(actors.events, 0);
}

static uint64_t letters(void)
{
    return actors_letters(&actors, "long", "");
}

static void what_a_client_sent_is_handled_when_its_pod_opens(void **state)
{
    (void)state;
    first = actors_send(&actors, 1, "l", LONGER "add 1;get");
    be_in_the_way(1);
    assert_false(actors_reply(&actors, first)->is_there);
    open_pods();
    assert_int_equal(actors_reply(&actors, first)->status, 0);
    assert_int_equal(field_of(1, "l", "counter"), 1);
}

/* Of its one try nothing was used, also over a restart. */
static void what_an_instance_sent_has_its_tries_still(void **state)
{
    (void)state;
    (void)actors_send(&actors, 2, "q", "send long/l|" LONGER "add 1");
    be_in_the_way(1);
    restart();
    assert_int_equal(letters(), 0);
    assert_int_equal(field_of(1, "l", "counter"), 1);
    assert_int_equal(field_of(1, "l", "messages"), 3);
}

static void what_goes_on_after_a_wait_does_so_later(void **state)
{
    (void)state;
    (void)ask(2, "q", "send long/l|add 1;sleep 1000000000;" LONGER "add 2");
    (void)ask(2, "q", "send long/m|add 1;recv 9000000000000000000;" LONGER "add 2");
    (void)ask(2, "q", "send long/n|add 1;await 0 quick/a|add 7;get^" LONGER "add 2");
    actors.disk.now_ns += 1000000000;
    (void)actors_send(&actors, 2, "q", "send long/m|received");
    be_in_the_way(1);
    open_pods();
    assert_int_equal(letters(), 0);
    assert_int_equal(field_of(1, "l", "counter"), 3);
    assert_int_equal(field_of(1, "m", "counter"), 3);
    assert_int_equal(field_of(1, "n", "counter"), 3);
    assert_non_null(strstr(ask(1, "m", "get"), "last=received"));
    assert_non_null(strstr(ask(1, "n", "get"), "last=counter=7 "));
    restart();
    assert_int_equal(field_of(1, "n", "counter"), 3);
}

static void a_timer_fires_later(void **state)
{
    (void)state;
    actors.module.on_timer = LONGER "add 1";
    (void)ask(1, "l", "timer 1 1000000000");
    actors.disk.now_ns += 1000000000;
    be_in_the_way(1);
    open_pods();
    assert_int_equal(letters(), 0);
    assert_int_equal(field_of(1, "l", "counter"), 1);
    assert_int_equal(field_of(1, "l", "timers"), 1);
}

static void one_that_started_does_so_later(void **state)
{
    (void)state;
    actors.module.on_start = LONGER "add 5";
    first = actors_send(&actors, 1, "l", "add 1;get");
    be_in_the_way(1);
    assert_false(actors_reply(&actors, first)->is_there);
    open_pods();
    assert_int_equal(actors_reply(&actors, first)->status, 0);
    assert_int_equal(field_of(1, "l", "counter"), 6);
}

static struct sw_slots_take take;
static uint8_t all_slots[SW_SLOTS / 8];

static void take_slots(void)
{
    memset(all_slots, 0xff, sizeof all_slots);
    take = (struct sw_slots_take){.shared = &actors.shared,
                                  .workers = actors.workers,
                                  .count = 1,
                                  .pod = 5,
                                  .slots = all_slots};
    (void)sw_worker_run(actors.workers[0], 0);
    sw_slots_take(&take);
}

static void want_slots_and_wait_long(unsigned round)
{
    if (round == 0)
        take_slots();
    else if (round == 2)
        actors.disk.now_ns += SW_PASS_GRACE_NS;
}

static void what_ends_for_its_slot_is_handled_where_that_is(void **state)
{
    (void)state;
    actors_open(&actors, &(struct actors_pod){.number = 5,
                                              .agent = "long",
                                              .is_keyed = true,
                                              .slots = (uint8_t[SW_SLOTS / 8]){0}});
    settle();
    (void)ask(1, "l", "add 1");
    meanwhile = want_slots_and_wait_long;
    (void)actors_send(&actors, 2, "q", "send long/l|" LONGER "add 1");
    (void)actors_send(&actors, 2, "q", "send long/l|add 1");
    settle();
    meanwhile = NULL;
    assert_true(take.ret_is_partial);
    take_slots();
    assert_false(take.ret_is_partial);
    settle();
    assert_int_equal(letters(), 0);
    assert_int_equal(actors.events, 0);
    assert_int_equal(field_of(5, "l", "counter"), 3);
}

static struct sw_guest_module empty;

static void begin_anew(unsigned round)
{
    if (round == 2) {
        actors.resets = true;
        actors.next_module = &empty;
        actors_open(&actors,
                    &(struct actors_pod){
                        .number = 1, .agent = "long", .digest = "sha256:2", .is_keyed = true});
        actors.resets = false;
    }
    if (round == 3000)
        fail_msg("what is undone for it runs again before it");
}

static void what_is_undone_does_not_run_again_before_what_it_was_undone_for(void **state)
{
    uint64_t requests[4];
    char key[8];

    (void)state;
    empty = (struct sw_guest_module){.refs = 1, .version = 2};
    for (unsigned i = 0; i < 4; i++) {
        snprintf(key, sizeof key, "l%u", i);
        (void)ask(1, key, "add 100");
    }
    for (unsigned i = 0; i < 4; i++) {
        snprintf(key, sizeof key, "l%u", i);
        requests[i] = actors_send(&actors, 1, key, LONGER "add 1;get");
    }
    meanwhile = begin_anew;
    rounds = 0;
    settle();
    meanwhile = NULL;
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(actors_reply(&actors, requests[i])->status, 0);
        assert_non_null(strstr(actors_reply(&actors, requests[i])->body, "counter=1 "));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_a_client_sent_is_handled_when_its_pod_opens),
        TEST(what_an_instance_sent_has_its_tries_still),
        TEST(what_goes_on_after_a_wait_does_so_later),
        TEST(a_timer_fires_later),
        TEST(one_that_started_does_so_later),
        TEST(what_ends_for_its_slot_is_handled_where_that_is),
        TEST(what_is_undone_does_not_run_again_before_what_it_was_undone_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
