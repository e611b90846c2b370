/* uses: pkg/agent/link */
/* timeout: 300 */
#include "pkg/agent/runtime/actor/letters.h"
#include "pkg/agent/runtime/actor/retry.h"
#include "pkg/agent/runtime/actor/snapshot.h"
#include "test/support/letters.h"
#include "test/unit/agent/runtime/actor/asking.h"

#define SECOND 1000000000u

static int set_up(void **state)
{
    (void)state;
    actors_init(&actors, 2, 1);
    open_three(3);
    return 0;
}

static void reopen(bool power_fails)
{
    restart(power_fails);
    open_three(3);
}

/* A clean stop, and then another process. */
static void save_and_reopen(void)
{
    actors_settle(&actors);
    save_all();
    reopen(true);
}

static void what_an_instance_sent_is_tried_again_until_it_succeeds(void **state)
{
    (void)state;
    actors_ask(&actors, 1, "k", "send b/x|flaky 2;add 1");
    assert_string_equal(actors.last_event, "Trapped");
    assert_int_equal(field_of(2, "x", "messages"), 1); /* That is "get" alone. */
    actors_pass(&actors, 999);
    assert_int_equal(field_of(2, "x", "counter"), 0);
    actors_pass(&actors, 1);
    actors_pass(&actors, 2000);
    assert_int_equal(field_of(2, "x", "counter"), 1);
    assert_int_equal(actors_letters(&actors, "b", ""), 0);
}

static void after_the_last_try_it_is_a_dead_letter_and_the_instance_goes_on(void **state)
{
    struct sw_worker_view view;

    (void)state;
    actors_ask(&actors, 1, "k", "send b/x|trap~send b/y|add 1");
    actors_pass(&actors, 1000);
    assert_int_equal(actors_letters(&actors, "b", ""), 0);
    actors_pass(&actors, 2000);
    assert_string_equal(actors.last_event, "MessageParked");
    assert_non_null(strstr(actors.last_words, "from a/k: Trapped after 3 tries"));
    assert_int_equal(actors_letters(&actors, "b", "y"), 0);
    assert_int_equal(actors_letters(&actors, "b", "x"), 1);
    assert_string_equal(actors.letter.from, "a/k");
    assert_string_equal(actors.letter.reason, "Trapped");
    assert_string_equal(actors.letter.words, "it ended badly");
    assert_string_equal(actors.letter.body, "trap");
    assert_int_equal(actors.letter.attempts, 3);
    actors_ask(&actors, 1, "k", "send b/x|add 2");
    assert_int_equal(field_of(2, "x", "counter"), 2);
    sw_worker_view(actors.workers[0], &view);
    assert_int_equal(view.retried, 2);
    assert_int_equal(view.parked, 1);
}

static void a_client_decides_for_itself(void **state)
{
    uint64_t request = actors_send_named(&actors, "n", 2, "x", "flaky 1;add 1");

    (void)state;
    actors_settle(&actors);
    assert_int_equal(actors_reply(&actors, request)->status, SW_E_INTERNAL);
    actors_pass(&actors, SECOND);
    assert_int_equal(field_of(2, "x", "counter"), 0);
    assert_int_equal(actors_letters(&actors, "b", ""), 0);
    request = actors_send_named(&actors, "n", 2, "x", "flaky 1;add 1");
    actors_settle(&actors);
    assert_int_equal(actors_reply(&actors, request)->status, 0);
}

static void who_asked_hears_after_the_last_try(void **state)
{
    (void)state;
    actors_ask(&actors, 1, "k", "ask 1 b/x|fail");
    actors_pass(&actors, 1000);
    assert_int_equal(field_of(1, "k", "replies"), 0);
    actors_pass(&actors, 2000);
    assert_int_equal(field_of(1, "k", "replies"), 1);
    assert_int_equal(field_of(1, "k", "status"), SW_E_PRECONDITION);
    assert_int_equal(actors_letters(&actors, "b", "x"), 1);
    assert_string_equal(actors.letter.reason, "Failed");
}

static void the_same_sender_s_messages_stay_behind_others_do_not(void **state)
{
    (void)state;
    actors_ask(&actors, 1, "k", "send b/x|seq 0 1 1~send b/x|seq 0 2 0~send b/x|seq 0 3 0");
    actors_ask(&actors, 1, "other", "send b/x|seq 1 1 0");
    assert_int_equal(field_of(2, "x", "inorder"), 1);
    actors_pass(&actors, 1000);
    assert_int_equal(field_of(2, "x", "inorder"), 4);
    assert_int_equal(field_of(2, "x", "disorder"), 0);
}

static void publishes_of_the_same_subject_stay_behind_others_do_not(void **state)
{
    (void)state;
    actors_ask(&actors, 2, "x", "sub news.*");
    actors_publish(&actors, "news.a", "!seq 0 1 1");
    actors_publish(&actors, "news.b", "!seq 1 1 0");
    actors_ask(&actors, 1, "k", "pub news.a|!seq 0 2 0");
    actors_ask(&actors, 1, "k", "send b/x|seq 0 3 0"); /* Behind its own publish. */
    assert_int_equal(field_of(2, "x", "inorder"), 1);
    actors_pass(&actors, 1000);
    assert_int_equal(field_of(2, "x", "inorder"), 4);
    assert_int_equal(field_of(2, "x", "disorder"), 0);
}

static void a_timer_is_tried_again_and_may_be_cancelled_meanwhile(void **state)
{
    (void)state;
    actors.module.on_timer = "flaky 100";
    actors_ask(&actors, 1, "k", "timer 1 10;timer 2 10");
    actors_pass(&actors, 10);
    assert_int_equal(actors.module.flaky, 2);
    actors_ask(&actors, 1, "k", "cancel 1");
    assert_int_equal(field_of(1, "k", "code"), 0);
    actors_pass(&actors, 1000);
    actors_pass(&actors, 2000);
    assert_int_equal(actors.module.flaky, 4);
    assert_int_equal(actors_letters(&actors, "a", ""), 1);
    actors_ask(&actors, 1, "k", "cancel 2");
    assert_int_equal(field_of(1, "k", "code"), SW_E_NOT_FOUND);
}

static void a_parked_timer_may_be_delivered_again_beside_the_one_that_was_set_since(void **state)
{
    (void)state;
    actors.module.on_timer = "flaky 3";
    actors_ask(&actors, 1, "k", "timer 1 10");
    actors_pass(&actors, 10);
    actors_pass(&actors, 1000);
    actors_pass(&actors, 2000);
    assert_int_equal(actors_letters(&actors, "a", ""), 1);
    actors_ask(&actors, 1, "k", "timer 1 900000000000");
    assert_int_equal(actors_change_letters(&actors, "a", 0, false), 1);
    assert_int_equal(field_of(1, "k", "timers"), 1);
    reopen(true); /* Replays it as well. */
    assert_int_equal(field_of(1, "k", "timers"), 1);
    actors_ask(&actors, 1, "k", "cancel 1");
    assert_int_equal(field_of(1, "k", "code"), 0);
    assert_int_equal(actors_letters(&actors, "a", ""), 0);
}

static void tries_are_counted_over_restarts_and_snapshots(void **state)
{
    (void)state;
    actors_ask(&actors, 1, "k", "send b/x|seq 0 1 2~send b/x|seq 0 2 0~ask 4 b/y|fail");
    reopen(true);
    assert_int_equal(actors.report.messages, 3);
    assert_int_equal(field_of(2, "x", "inorder"), 0);
    actors_pass(&actors, 1000);
    save_and_reopen();
    assert_int_equal(field_of(1, "k", "replies"), 0);
    actors_pass(&actors, 2000);
    assert_int_equal(field_of(2, "x", "inorder"), 2);
    assert_int_equal(field_of(2, "x", "disorder"), 0);
    assert_int_equal(field_of(1, "k", "replies"), 1);
    assert_int_equal(actors_letters(&actors, "b", ""), 1);
    assert_int_equal(actors.letter.attempts, 3);
}

static void timers_tries_are_counted_over_restarts_and_snapshots(void **state)
{
    (void)state;
    actors.module.on_timer = "flaky 100";
    actors_ask(&actors, 1, "k", "timer 1 10");
    actors_pass(&actors, 10);
    reopen(true);
    actors_pass(&actors, 1000);
    save_and_reopen();
    actors_pass(&actors, 2000);
    assert_int_equal(actors.module.flaky, 3);
    assert_int_equal(actors_letters(&actors, "a", ""), 1);
    reopen(true);
    assert_int_equal(actors_letters(&actors, "a", ""), 1);
    assert_int_equal(actors.letter.attempts, 3);
}

static void letters_survive_restarts_and_snapshots(void **state)
{
    uint64_t number;

    (void)state;
    actors_ask(&actors, 1, "k", "send b/x|trap");
    actors_pass(&actors, 1000);
    actors_pass(&actors, 2000);
    assert_int_equal(actors_letters(&actors, "b", ""), 1);
    number = actors.last_letter;
    reopen(true);
    assert_int_equal(actors_letters(&actors, "b", ""), 1);
    save_and_reopen();
    assert_int_equal(actors_letters(&actors, "b", ""), 1);
    assert_int_equal(actors.last_letter, number);
    assert_string_equal(actors.letter.body, "trap");
    assert_string_equal(actors.letter.words, "it ended badly");
    assert_int_equal(actors_change_letters(&actors, "b", number, true), 1);
    reopen(true);
    assert_int_equal(actors_letters(&actors, "b", ""), 0);
    assert_int_equal(actors_change_letters(&actors, "b", number, true), SW_E_NOT_FOUND);
}

static void what_was_delivered_again_comes_once_over_a_restart(void **state)
{
    (void)state;
    actors_ask(&actors, 2, "x", "sub news");
    actors_publish(&actors, "news", "!flaky 3;add 1");
    for (int i = 0; i < 3; i++)
        actors_pass(&actors, 4000);
    assert_int_equal(actors_letters(&actors, "b", ""), 1);
    /* Recorded, but not handled yet. */
    sw_worker_put(
        actors.workers[0],
        sw_item_letters_change_new(&(struct sw_item_letters_change){
            .request = 4000, .name_space = script_text("default"), .agent = script_text("b")}));
    sw_worker_run(actors.workers[0], 0);
    assert_int_equal(sw_journal_commit(actors.shared.journal, NULL), SW_OK);
    reopen(true);
    assert_int_equal(actors.report.messages, 1);
    assert_int_equal(field_of(2, "x", "counter"), 1);
    reopen(true);
    assert_int_equal(actors.report.messages, 0);
    assert_int_equal(field_of(2, "x", "counter"), 1);
    assert_int_equal(actors_letters(&actors, "b", ""), 0);
}

static void what_a_volatile_instance_sent_is_kept_from_its_first_failure_on(void **state)
{
    (void)state;
    actors_ask(&actors, 3, "k", "send b/x|flaky 2;add 1");
    reopen(true);
    assert_int_equal(actors.report.messages, 1);
    actors_pass(&actors, 1000);
    reopen(true);
    assert_int_equal(actors.report.messages, 1);
    actors_pass(&actors, 2000);
    assert_int_equal(field_of(2, "x", "counter"), 1);
}

static void a_volatile_pod_has_letters_until_the_host_ends(void **state)
{
    (void)state;
    actors_ask(&actors, 1, "k", "send v/x|seq 0 1 3~send v/x|seq 0 2 0");
    actors_pass(&actors, 1000);
    actors_pass(&actors, 2000);
    assert_int_equal(field_of(3, "x", "inorder"), 1);
    assert_int_equal(actors_letters(&actors, "v", ""), 1);
    assert_int_equal(actors_change_letters(&actors, "v", 0, false), 1);
    assert_int_equal(field_of(3, "x", "inorder"), 2);
    reopen(false);
    assert_int_equal(actors_letters(&actors, "v", ""), 0);
}

static void the_oldest_letters_make_room(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        char script[64];

        snprintf(script, sizeof script, "spam %u b/nobody|trap", SW_LETTERS_MAX / 2);
        actors_ask(&actors, 1, "k", script);
        actors_pass(&actors, 1000);
        actors_pass(&actors, 2000);
        for (unsigned tries = 0; tries < 2000; tries++)
            actors_pass(&actors, 4000);
    }
    assert_string_equal(actors.last_event, "DeadLettersDropped");
    assert_int_equal(actors_letters(&actors, "b", ""), SW_LETTERS_MAX);
    reopen(true);
    assert_int_equal(actors_letters(&actors, "b", ""), SW_LETTERS_MAX);
}

static void an_instance_that_cannot_start_keeps_what_was_sent_and_parks_it_in_the_end(void **state)
{
    uint64_t request;

    (void)state;
    actors_ask(&actors, 1, "k", "get");
    actors.module.on_start = "flaky 2";
    actors_ask(&actors, 1, "k", "send b/x|add 1");
    request = actors_send(&actors, 2, "x", "get");
    for (int i = 0; i < 4; i++)
        actors_pass(&actors, SECOND);
    assert_int_equal(actors_reply(&actors, request)->status, SW_E_UNAVAILABLE);
    actors.module.on_start = NULL;
    assert_int_equal(field_of(2, "x", "counter"), 1);

    actors.module.on_start = "trap";
    actors_ask(&actors, 1, "k", "ask 7 b/z|add 1");
    for (int i = 0; i < 4; i++)
        actors_pass(&actors, SECOND);
    actors.module.on_start = NULL;
    assert_int_equal(field_of(1, "k", "status"), SW_E_UNAVAILABLE);
    assert_int_equal(actors_letters(&actors, "b", "z"), 1);
    assert_string_equal(actors.letter.reason, "StartFailed");
    reopen(true);
    assert_int_equal(actors.report.messages, 0);
    assert_int_equal(actors_letters(&actors, "b", "z"), 1);
}

static void what_nobody_can_take_is_parked(void **state)
{
    (void)state;
    actors_open(&actors, &(struct actors_pod){
                             .number = 4, .agent = "c", .is_keyed = true, .instances_max = 1});
    actors_ask(&actors, 1, "k", "send c/one|add 1~send c/two|add 1");
    assert_int_equal(actors_letters(&actors, "c", ""), 1);
    assert_string_equal(actors.letter.key, "two");
    assert_string_equal(actors.letter.reason, "InstancesLimit");
    reopen(true);
    assert_int_equal(actors_letters(&actors, "c", ""), 1);
}

static struct sw_message *message_of(uint64_t retry_ns, const struct sw_message_head *head)
{
    struct sw_message template = {.retry_ns = retry_ns, .head = *head};

    return sw_message_new(&template);
}

/* Of a replica that there is no more once the Agent has fewer. */
static void what_waits_for_a_replica_that_goes_is_parked(void **state)
{
    struct actors_pod pod = {.number = 5, .agent = "r", .replicas = 2, .attempts = 3};
    uint64_t asked;

    (void)state;
    for (int life = 0; life < 2; life++) {
        actors_open(&actors, &pod);
        actors_settle(&actors);
        actors_send(&actors, 1, "k", life == 0 ? "spam 3 r/1|add 1" : "ask 7 r/1|get");
        assert_int_equal(sw_worker_run(actors.workers[1], 1), 1);
        asked = actors_send(&actors, 5, "1", "get");
        pod.replicas = 1;
        actors_open(&actors, &pod);
        actors_settle(&actors);
        assert_string_equal(reply_to(asked), "the instance is gone");
        assert_int_equal(actors_letters(&actors, "r", "1"), 3 + life);
        assert_string_equal(actors.letter.reason, "NoSuchInstance");
        assert_string_equal(actors.letter.from, "a/k");
        assert_int_equal(field_of(1, "k", "replies"), life); /* That nobody will answer. */
        reopen(true);
        actors_settle(&actors);
        assert_int_equal(actors_letters(&actors, "r", "1"), 3 + life);
        pod.replicas = 2;
    }
}

/* It was told to go, and has not come to that. */
static void what_comes_for_a_replica_that_is_to_go_is_parked(void **state)
{
    struct actors_pod pod = {.number = 5, .agent = "r", .replicas = 2, .attempts = 3};
    uint64_t asked;

    (void)state;
    actors_open(&actors, &pod);
    actors_settle(&actors);
    actors_send(&actors, 1, "k", "spam 3 r/1|add 1");
    asked = actors_send(&actors, 1, "k", "ask 7 r/1|get");
    pod.replicas = 1;
    actors_open(&actors, &pod);
    assert_int_equal(sw_worker_run(actors.workers[1], 2), 2);
    assert_false(actors_reply(&actors, asked)->is_there);
    asked = actors_send(&actors, 5, "1", "get");
    actors_settle(&actors);
    assert_int_equal(actors_reply(&actors, asked)->status, SW_E_UNAVAILABLE);
    assert_int_equal(actors_letters(&actors, "r", "1"), 4);
    assert_string_equal(actors.letter.reason, "NoSuchInstance");
    assert_int_equal(field_of(1, "k", "replies"), 1);
    reopen(true);
    actors_settle(&actors);
    assert_int_equal(actors_letters(&actors, "r", "1"), 4);
}

static void clients_and_the_host_wait_behind_nobody(void **state)
{
    struct sw_message_head nobody = {.priority = SWARM_PRIORITY_NORMAL},
                           sender = {.priority = SWARM_PRIORITY_NORMAL, .from = script_text("a/k")},
                           urgent = {.priority = SWARM_PRIORITY_URGENT, .from = script_text("a/k")};
    struct sw_message *first = message_of(5, &nobody), *second = message_of(7, &sender), *other;
    struct sw_held *held = NULL;
    struct sw_item *released;

    (void)state;
    assert_int_equal(sw_held_add(&held, first), SW_OK);
    assert_int_equal(sw_held_add(&held, second), SW_OK);
    other = message_of(0, &nobody);
    assert_false(sw_held_blocks(held, other));
    sw_message_free(other);
    other = message_of(0, &urgent); /* Order holds within a priority. */
    assert_false(sw_held_blocks(held, other));
    sw_message_free(other);
    other = message_of(0, &sender);
    assert_true(sw_held_blocks(held, other));
    assert_int_equal(sw_held_add(&held, other), SW_OK);
    assert_int_equal(sw_held_due(held), 5);
    released = sw_held_release(&held, 5); /* With all that only waits behind. */
    assert_ptr_equal(sw_item_get(&released), first);
    assert_ptr_equal(sw_item_get(&released), other);
    assert_null(released);
    assert_true(sw_held_blocks(held, other));
    assert_int_equal(sw_held_due(held), 7);
    released = sw_held_release(&held, 7);
    assert_ptr_equal(sw_item_get(&released), second);
    assert_null(held);
    sw_message_free(first);
    sw_message_free(second);
    sw_message_free(other);
}

/* Poison in any place, restarts at any moment: nothing is lost, doubled or out of order. */
static void handled_and_parked_are_what_was_sent(void **state)
{
    (void)state;
    srand(7);
    for (unsigned round = 0; round < 20; round++) {
        long long sent = 0, handled = 0, letters;

        memset(actors.module.tries, 0, sizeof actors.module.tries);
        for (long long number = 1; number <= 40; number++) {
            for (unsigned sender = 0; sender < 4; sender++) {
                char key[16], script[128];

                snprintf(key, sizeof key, "s%u-%u", round, sender);
                snprintf(script, sizeof script, "send b/x%u-%u|seq %u %lld %d", round, sender % 2,
                         sender, number, rand() % 10 < 6 ? 0 : rand() % 5);
                actors_send(&actors, 1, key, script);
                sent++;
            }
            if (rand() % 2 == 0)
                actors_settle(&actors);
            actors.disk.now_ns += (unsigned)rand() % 1500;
            if (rand() % 16 == 0) {
                actors_settle(&actors); /* What clients sent is not lost with the process. */
                reopen(rand() % 2 == 0);
            }
        }
        for (unsigned i = 0; i < 400; i++)
            actors_pass(&actors, 4000);
        for (unsigned i = 0; i < 2; i++) {
            char key[16];

            snprintf(key, sizeof key, "x%u-%u", round, i);
            handled += field_of(2, key, "inorder");
            assert_int_equal(field_of(2, key, "disorder"), 0);
        }
        letters = (long long)actors_letters(&actors, "b", "");
        assert_int_equal(handled + letters, sent);
        assert_true(letters > 0);
        assert_int_equal(actors_change_letters(&actors, "b", 0, true), letters);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_an_instance_sent_is_tried_again_until_it_succeeds),
        TEST(after_the_last_try_it_is_a_dead_letter_and_the_instance_goes_on),
        TEST(a_client_decides_for_itself),
        TEST(who_asked_hears_after_the_last_try),
        TEST(the_same_sender_s_messages_stay_behind_others_do_not),
        TEST(publishes_of_the_same_subject_stay_behind_others_do_not),
        TEST(a_timer_is_tried_again_and_may_be_cancelled_meanwhile),
        TEST(a_parked_timer_may_be_delivered_again_beside_the_one_that_was_set_since),
        TEST(tries_are_counted_over_restarts_and_snapshots),
        TEST(timers_tries_are_counted_over_restarts_and_snapshots),
        TEST(letters_survive_restarts_and_snapshots),
        TEST(what_was_delivered_again_comes_once_over_a_restart),
        TEST(what_a_volatile_instance_sent_is_kept_from_its_first_failure_on),
        TEST(a_volatile_pod_has_letters_until_the_host_ends),
        TEST(the_oldest_letters_make_room),
        TEST(an_instance_that_cannot_start_keeps_what_was_sent_and_parks_it_in_the_end),
        TEST(what_nobody_can_take_is_parked),
        TEST(what_waits_for_a_replica_that_goes_is_parked),
        TEST(what_comes_for_a_replica_that_is_to_go_is_parked),
        TEST(clients_and_the_host_wait_behind_nobody),
        TEST(handled_and_parked_are_what_was_sent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
