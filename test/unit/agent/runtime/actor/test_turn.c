/* uses: pkg/agent/link */
/* What one segment may ask for, at its limits: whatever a guest does, only its own segment suffers
 * and the host goes on. */
#include "test/unit/agent/runtime/actor/asking.h"

static int set_up(void **state)
{
    (void)state;
    actors_init(&actors, 2, 1);
    open_three(0);
    return 0;
}

/* And the same after a restart: what was recorded can be replayed. */
static void assert_replay(uint64_t pod, const char *key, long long counter)
{
    restart(true);
    open_three(0);
    assert_int_equal(field_of(pod, key, "counter"), counter);
    assert_int_equal(actors.events, 0);
}

static void push_back_without_end_ends_in_push_back(void **state)
{
    (void)state;
    actors_open(&actors, &(struct actors_pod){
                             .number = 4, .agent = "small", .is_keyed = true, .mailbox = 1});
    actors_settle(&actors);
    actors_send(&actors, 4, "k", "add 1");
    sw_worker_run(actors.workers[0], 0);
    actors_send(&actors, 1, "k", "add 3;spam 200000 small/k|add 10");
    sw_worker_run(actors.workers[1], 4);
    assert_no_worker_failed();
    actors_settle(&actors);
    assert_int_equal(field_of(1, "k", "code"), SW_E_EXHAUSTED);
    assert_int_equal(field_of(4, "k", "counter"), 1);
    assert_replay(1, "k", 3);
}

static void a_timer_may_start_and_cancel_timers_to_the_limit_of_effects(void **state)
{
    (void)state;
    actors.module.on_timer = "add 1;churn 70001";
    actors_ask(&actors, 1, "k", "timer 1 1000");
    actors.disk.now_ns += 1000;
    actors_settle(&actors);
    assert_no_worker_failed();
    assert_int_equal(field_of(1, "k", "code"), SW_E_EXHAUSTED);
    assert_replay(1, "k", 1);
}

static void subscriptions_may_come_and_go_to_the_limit_of_effects(void **state)
{
    (void)state;
    actors_ask(&actors, 1, "k", "add 2;flip 70002");
    assert_no_worker_failed();
    assert_int_equal(field_of(1, "k", "code"), SW_E_EXHAUSTED);
    assert_replay(1, "k", 2);
}

static void the_host_s_limit_of_subscriptions_is_push_back_and_is_recorded(void **state)
{
    (void)state;
    actors.shared.bus.subscriptions_max = 2;
    actors_ask(&actors, 2, "x", "sub one;sub two;trap"); /* It has none of them. */
    actors.events = 0;
    actors_ask(&actors, 1, "k", "add 4;flip 100;sub one;sub two;sub three");
    assert_int_equal(field_of(1, "k", "code"), SW_E_EXHAUSTED);
    actors_ask(&actors, 2, "x", "sub four");
    assert_no_worker_failed();
    assert_int_equal(field_of(2, "x", "code"), SW_E_EXHAUSTED);
    actors_ask(&actors, 1, "k", "unsub one");
    actors_ask(&actors, 2, "x", "sub four");
    assert_int_equal(field_of(2, "x", "code"), 0);
    assert_replay(1, "k", 4);
    actors_publish(&actors, "four", "rain");
    actors_settle(&actors);
    assert_int_equal(field_of(2, "x", "published"), 1);
}

static void one_turn_s_publishes_reach_so_many_and_no_more(void **state)
{
    char key[16];

    (void)state;
    for (int i = 0; i < 40; i++) {
        snprintf(key, sizeof key, "s%d", i);
        actors_ask(&actors, 2, key, "sub news");
    }
    actors_ask(&actors, 1, "k", "add 5;pubs 20000 news|rain");
    assert_no_worker_failed();
    assert_int_equal(field_of(1, "k", "code"), SW_E_EXHAUSTED);
    assert_int_equal(field_of(2, "s1", "published"), SW_FANOUT_MAX / 40);
    assert_replay(1, "k", 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(push_back_without_end_ends_in_push_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_timer_may_start_and_cancel_timers_to_the_limit_of_effects,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(subscriptions_may_come_and_go_to_the_limit_of_effects,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            the_host_s_limit_of_subscriptions_is_push_back_and_is_recorded, set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_turn_s_publishes_reach_so_many_and_no_more, set_up,
                                        tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
