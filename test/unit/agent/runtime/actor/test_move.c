/* uses: pkg/agent/link */
#include "pkg/agent/runtime/actor/capture.h"
#include "pkg/agent/runtime/actor/hibernate.h"
#include "pkg/agent/runtime/actor/pod.h"
#include "pkg/agent/runtime/actor/slots.h"
#include "test/unit/agent/runtime/actor/asking.h"

/* Pods that go to another worker: all that they hold goes with them, and is where it was after a
 * restart. Pods 1 and 3 begin on worker 1, Pod 2 on worker 0. */

static int set_up(void **state)
{
    (void)state;
    actors_init(&actors, 2, 1);
    open_three(3);
    actors_open(&actors, &(struct actors_pod){
                             .number = 4, .agent = "s", .is_keyed = true, .rests_at_once = true});
    actors_settle(&actors);
    return 0;
}

static enum sw_rc move(uint64_t pod, uint32_t to)
{
    struct sw_pod_move wanted = {
        .workers = actors.workers, .count = actors.count, .pod = pod, .to = to};
    enum sw_rc rc;

    actors_rest(&actors);
    rc = sw_pod_move(&wanted);
    assert_no_worker_failed();
    return rc;
}

static void assert_is_at(uint64_t pod, uint32_t worker)
{
    for (uint32_t i = 0; i < 2; i++)
        assert_int_equal(sw_map_find(actors.workers[i]->pods, &pod, sizeof pod) != NULL,
                         i == worker);
    assert_int_equal(sw_worker_of_pod(actors.workers, 2, pod), worker);
}

static void the_worker_changes_and_nothing_else(void **state)
{
    long long counter;

    (void)state;
    (void)actors_ask(&actors, 1, "k", "add 3;random;mix");
    counter = field_of(1, "k", "counter");
    (void)actors_ask(&actors, 1, "other", "add 4");
    assert_is_at(1, 1);
    assert_int_equal(move(1, 0), SW_OK);
    assert_is_at(1, 0);
    assert_int_equal(field_of(1, "k", "counter"), counter);
    assert_int_equal(field_of(1, "other", "counter"), 4);
    (void)actors_ask(&actors, 1, "k", "random;mix;add 5");
    counter = field_of(1, "k", "counter");
    assert_int_equal(move(1, 1), SW_OK);
    assert_is_at(1, 1);
    assert_int_equal(field_of(1, "k", "counter"), counter);
    assert_int_equal(move(1, 1), SW_E_NOT_FOUND);
    assert_int_equal(move(77, 1), SW_E_NOT_FOUND);
    restart(true);
    open_three(3);
    assert_int_equal(field_of(1, "k", "counter"), counter);
    assert_int_equal(field_of(1, "other", "counter"), 4);
}

/* The other worker has the same module in another class of engine, and is not to run that. Which
 * one it ran is seen by what it adds. */
static void it_is_run_in_its_own_class_there_too(void **state)
{
    static struct sw_guest_module replayed; /* Whose references last as long as its worker. */

    (void)state;
    replayed = (struct sw_guest_module){.refs = 1, .factor = 10};
    actors_ask(&actors, 2, "k", "add 1"); /* Of worker 0, which has the module as compact. */
    actors.next_module = &replayed;
    actors_open(&actors, &(struct actors_pod){
                             .number = 5, .agent = "c", .is_keyed = true, .class = SW_ABI_REPLAY});
    actors.next_module = NULL;
    actors_settle(&actors);
    (void)actors_ask(&actors, 5, "k", "add 1");
    assert_int_equal(move(5, 0), SW_OK);
    (void)actors_ask(&actors, 5, "k", "add 1");
    (void)actors_ask(&actors, 5, "new", "add 1");
    assert_int_equal(field_of(5, "k", "counter"), 20);
    assert_int_equal(field_of(5, "new", "counter"), 10);
    assert_int_equal(field_of(2, "k", "counter"), 1);
    actors_close(&actors, 5, true);
    actors_settle(&actors);
}

/* Whoever knows where it was, or answers it, finds it; and it finds others. */
static void questions_go_on_over_a_move(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 4; i++) {
        (void)actors_send(&actors, 1, "k", "ask 3 b/h|hold");
        actors_settle(&actors);
        assert_int_equal(move(i % 2 == 0 ? 1 : 2, i == 1 || i == 2), SW_OK);
        (void)actors_ask(&actors, 2, "h", "release");
        assert_int_equal(field_of(1, "k", "replies"), i + 1);
    }
}

static void what_waits_in_mailboxes_is_handled(void **state)
{
    (void)state;
    (void)actors_ask(&actors, 1, "k", "add 1");
    for (int i = 0; i < 50; i++) /* Handed in, and not handled. */
        (void)actors_send(&actors, 1, "k", "add 1");
    assert_int_equal(move(1, 0), SW_OK);
    for (int i = 0; i < 50; i++)
        (void)actors_send(&actors, 1, "k", "add 1"); /* To where it was: it goes on from there. */
    actors_settle(&actors);
    assert_int_equal(field_of(1, "k", "counter"), 101);
}

static void timers_and_subscriptions_go_along(void **state)
{
    (void)state;
    (void)actors_ask(&actors, 1, "t", "timer 1 1000000;sub news");
    assert_int_equal(move(1, 0), SW_OK);
    actors_publish(&actors, "news", "one");
    actors_settle(&actors);
    assert_int_equal(field_of(1, "t", "published"), 1);
    actors.disk.now_ns += 2000000;
    actors_settle(&actors);
    assert_int_equal(field_of(1, "t", "timers"), 1);
}

static void who_sleeps_goes_along(void **state)
{
    struct sw_worker_view view;
    char key[16];

    (void)state;
    for (uint32_t i = 0; i < 30; i++) {
        snprintf(key, sizeof key, "k%" PRIu32, i);
        (void)actors_ask(&actors, 4, key, "add 7");
    }
    sw_worker_view(actors.workers[0], &view);
    assert_int_equal(view.asleep, 30);
    assert_int_equal(move(4, 1), SW_OK);
    sw_worker_view(actors.workers[0], &view);
    assert_int_equal(view.asleep, 0);
    sw_worker_view(actors.workers[1], &view);
    assert_int_equal(view.asleep, 30);
    for (uint32_t i = 0; i < 30; i++) {
        snprintf(key, sizeof key, "k%" PRIu32, i);
        assert_int_equal(field_of(4, key, "counter"), 7);
    }
}

/* What waits for a block is put to the worker that has the Pod by then. */
static void what_waits_for_the_disk_goes_along(void **state)
{
    struct sw_item_read *read;
    uint64_t request;

    (void)state;
    (void)actors_ask(&actors, 4, "k", "add 7");
    assert_int_equal(sw_shelf_sync(actors.shared.shelf, NULL), SW_OK);
    actors.disk.is_cold = true;
    request = 0;
    for (int i = 0; i < 4; i++)
        request = actors_send(&actors, 4, "k", i < 3 ? "add 1" : "get");
    (void)sw_worker_run(actors.workers[0], 1);
    read = sw_worker_read(actors.workers[0]);
    if (read != NULL) {
        struct sw_pod_move wanted = {.workers = actors.workers, .count = 2, .pod = 4, .to = 1};

        assert_int_equal(sw_pod_move(&wanted), SW_OK);
        sw_item_read_run(&actors.shared, read);
        sw_worker_put(actors.workers[0], &read->item);
    }
    actors_settle(&actors);
    assert_non_null(read);
    assert_int_equal(field(reply_to(request), "counter"), 10);
}

/* While a segment is on its way the others of its Pod wait, until it goes, or stays after all. */
static void who_is_held_begins_nothing(void **state)
{
    for (int stays = 0; stays <= 1; stays++) {
        const uint64_t number = 1;
        uint32_t at = sw_worker_of_pod(actors.workers, 2, number);
        struct sw_pod_move wanted = {
            .workers = actors.workers, .count = 2, .pod = number, .to = 1 - at, .holds = true};
        struct sw_pod *pod = sw_map_find(actors.workers[at]->pods, &number, sizeof number);
        uint64_t held, other;

        (void)state;
        (void)actors_ask(&actors, number, "k", "add 1;timer 1 1000000");
        actors_rest(&actors);
        pod->passed = 1;
        assert_int_equal(sw_pod_move(&wanted), SW_E_UNAVAILABLE);
        held = actors_send(&actors, number, "k", "get");
        other = actors_send(&actors, 3, "v", "get");
        actors.disk.now_ns += 2000000;
        actors_settle(&actors);
        assert_false(actors_reply(&actors, held)->is_there);
        assert_true(actors_reply(&actors, other)->is_there);
        actors_rest(&actors);
        assert_int_equal(sw_pod_move(&wanted), SW_E_UNAVAILABLE);
        pod->passed = 0;
        if (stays)
            sw_pod_stay(&wanted);
        else
            assert_int_equal(sw_pod_move(&wanted), SW_OK);
        actors_settle(&actors);
        assert_is_at(number, stays ? at : 1 - at);
        assert_int_equal(field(reply_to(held), "counter"), 1 + stays);
        assert_int_equal(field_of(number, "k", "timers"), 1 + stays);
    }
}

static void who_is_too_many_to_go_is_not_held(void **state)
{
    const uint64_t number = 1;
    struct sw_pod_move wanted = {
        .workers = actors.workers, .count = 2, .pod = number, .to = 0, .holds = true};
    struct sw_pod *pod = sw_map_find(actors.workers[1]->pods, &number, sizeof number);

    (void)state;
    for (uint32_t i = 0; i <= SW_POD_MOVE_MAX; i++) {
        char key[16];

        snprintf(key, sizeof key, "k%" PRIu32, i);
        (void)actors_send(&actors, number, key, "add 1");
        if (i % 64 == 0)
            actors_settle(&actors);
    }
    actors_settle(&actors);
    pod->passed = 1;
    assert_int_equal(sw_pod_move(&wanted), SW_E_RANGE);
    pod->passed = 0;
    assert_false(pod->is_held);
    (void)actors_ask(&actors, number, "k1", "add 1");
    assert_int_equal(field_of(number, "k1", "counter"), 2);
}

static void volatile_instances_go_along(void **state)
{
    (void)state;
    (void)actors_ask(&actors, 3, "v", "add 2;timer 1 1000000");
    assert_int_equal(move(3, 0), SW_OK);
    assert_int_equal(field_of(3, "v", "counter"), 2);
    actors.disk.now_ns += 2000000;
    actors_settle(&actors);
    assert_int_equal(field_of(3, "v", "timers"), 1);
}

/* A snapshot that was begun has all as it was at its point, whoever has the Pod by its end. */
static void a_snapshot_is_not_disturbed(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++) {
        char key[16];

        snprintf(key, sizeof key, "k%d", i);
        (void)actors_ask(&actors, 1, key, "add 1");
        (void)actors_ask(&actors, 4, key, "add 2");
    }
    actors_rest(&actors);
    assert_int_equal(sw_snapshot_begin(&actors.shared, actors.workers, 2, NULL), SW_OK);
    assert_int_equal(sw_pod_move(&(struct sw_pod_move){actors.workers, 2, 1, 0, false}), SW_OK);
    assert_int_equal(sw_pod_move(&(struct sw_pod_move){actors.workers, 2, 4, 1, false}), SW_OK);
    (void)actors_ask(&actors, 1, "k3", "add 10");
    assert_int_equal(actors_snapshot(&actors), SW_OK);
    (void)actors_ask(&actors, 4, "k4", "add 20");
    restart(true);
    open_three(3);
    actors_open(&actors, &(struct actors_pod){.number = 4, .agent = "s", .is_keyed = true});
    actors_settle(&actors);
    for (int i = 0; i < 20; i++) {
        char key[16];

        snprintf(key, sizeof key, "k%d", i);
        assert_int_equal(field_of(1, key, "counter"), i == 3 ? 11 : 1);
        assert_int_equal(field_of(4, key, "counter"), i == 4 ? 22 : 2);
    }
}

static void a_pod_that_is_closed_stays(void **state)
{
    (void)state;
    actors_close(&actors, 1, false);
    actors_settle(&actors);
    assert_int_equal(move(1, 0), SW_E_NOT_FOUND);
    assert_is_at(1, 1);
}

/* What went over is what it was to the one who counts. */
static void sums_are_as_before(void **state)
{
    struct sw_worker_view before[2], after[2];

    (void)state;
    for (int i = 0; i < 10; i++) {
        char key[16];

        snprintf(key, sizeof key, "k%d", i);
        (void)actors_ask(&actors, 1, key, "add 1");
    }
    for (uint32_t i = 0; i < 2; i++)
        sw_worker_view(actors.workers[i], &before[i]);
    assert_int_equal(move(1, 0), SW_OK);
    for (uint32_t i = 0; i < 2; i++)
        sw_worker_view(actors.workers[i], &after[i]);
    assert_int_equal(after[0].pods, before[0].pods + 1);
    assert_int_equal(after[1].pods, before[1].pods - 1);
    assert_int_equal(after[0].instances, before[0].instances + 10);
    assert_int_equal(after[1].instances, before[1].instances - 10);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down_unbroken)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_worker_changes_and_nothing_else),
        TEST(it_is_run_in_its_own_class_there_too),
        TEST(questions_go_on_over_a_move),
        TEST(what_waits_in_mailboxes_is_handled),
        TEST(timers_and_subscriptions_go_along),
        TEST(who_sleeps_goes_along),
        TEST(what_waits_for_the_disk_goes_along),
        TEST(volatile_instances_go_along),
        TEST(who_is_too_many_to_go_is_not_held),
        TEST(who_is_held_begins_nothing),
        TEST(a_snapshot_is_not_disturbed),
        TEST(a_pod_that_is_closed_stays),
        TEST(sums_are_as_before),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
