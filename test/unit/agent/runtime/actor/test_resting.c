/* uses: pkg/agent/link */
#include "pkg/agent/runtime/actor/resting.h"
#include "pkg/agent/runtime/actor/hibernate.h"
#include "test/unit/agent/runtime/actor/asking.h"

/* Who sleeps when, and before whom: by how long each has done nothing. */

#define MS UINT64_C(1000000)
#define S (1000 * MS)
#define QUICK 10u /* Pods, of one worker. */
#define SLOW 12u
#define NEVER 14u
#define AFTER (10 * S) /* Of the quick. */

static void open_pod(uint64_t number, uint64_t rest_ns)
{
    const char *agent = number == QUICK ? "q" : number == SLOW ? "s" : "n";

    actors_open(&actors,
                &(struct actors_pod){
                    .number = number, .agent = agent, .is_keyed = true, .rest_ns = rest_ns});
    actors_settle(&actors);
}

static int set_up(void **state)
{
    (void)state;
    actors_init(&actors, 2, 1);
    restart(false);
    open_pod(QUICK, AFTER);
    open_pod(SLOW, 3600 * S);
    open_pod(NEVER, 0);
    return 0;
}

static struct sw_worker *worker_of(uint64_t pod)
{
    return actors.workers[pod % actors.count];
}

static bool is_awake(uint64_t number, const char *key)
{
    const struct sw_pod *pod = sw_map_find(worker_of(number)->pods, &number, sizeof number);

    return sw_map_find(pod->instances, key, strlen(key)) != NULL;
}

static uint64_t asleep(void)
{
    return worker_of(QUICK)->rest.count;
}

static void pass(uint64_t ns)
{
    actors.disk.now_ns += ns;
    actors_settle(&actors);
}

/* Until the worker would look for itself. */
static void pass_wait(void)
{
    uint64_t ns = sw_worker_wait_ns(worker_of(QUICK));

    assert_int_not_equal(ns, UINT64_MAX);
    pass(ns);
}

static void add(uint64_t pod, const char *key)
{
    (void)actors_ask(&actors, pod, key, "add 1");
}

static uint64_t much_bytes;
static uint64_t much(void *ctx)
{
    (void)ctx;
    return much_bytes;
}

/* As long as fewer than so many sleep. */
static void be_short_until(uint64_t count)
{
    actors.shared.used_bytes = much;
    atomic_store(&actors.shared.awake_bytes, 1000);
    for (int i = 0; i < 8; i++) {
        much_bytes = asleep() < count ? 1001 : 999;
        pass(20 * MS);
    }
    assert_int_equal(asleep(), count);
}

static void each_sleeps_when_its_time_has_come(void **state)
{
    (void)state;
    add(QUICK, "a");
    add(QUICK, "b");
    add(QUICK, "c");
    pass(4 * S);
    add(QUICK, "b");
    pass(3 * S);
    add(QUICK, "a");
    pass(3 * S - MS);
    assert_int_equal(asleep(), 0);
    pass(2 * MS);
    assert_false(is_awake(QUICK, "c"));
    assert_int_equal(asleep(), 1);
    assert_in_range(sw_worker_wait_ns(worker_of(QUICK)), 4 * S - 5 * MS, 4 * S);
    pass_wait(); /* It looks once, and that is when it should. */
    assert_false(is_awake(QUICK, "b"));
    assert_int_equal(asleep(), 2);
    assert_in_range(sw_worker_wait_ns(worker_of(QUICK)), 3 * S - 5 * MS, 3 * S);
    pass_wait();
    assert_int_equal(asleep(), 3);
    assert_int_equal(sw_worker_wait_ns(worker_of(QUICK)), UINT64_MAX);
}

/* Whoever always has something to do is no reason to look at anybody often. */
static void who_is_busy_costs_few_looks(void **state)
{
    uint64_t looks = 0, due_ns, ends_ns = actors.disk.now_ns + 100 * S;

    (void)state;
    add(QUICK, "busy");
    due_ns = worker_of(QUICK)->rest.due.entries[0]->rank;
    while (actors.disk.now_ns < ends_ns) {
        pass(50 * MS);
        add(QUICK, "busy");
        looks += worker_of(QUICK)->rest.due.entries[0]->rank != due_ns;
        due_ns = worker_of(QUICK)->rest.due.entries[0]->rank;
    }
    assert_in_range(looks, 5, 25);
    assert_int_equal(asleep(), 0);
}

/* The longest at rest goes first, whatever its Agent says, and whoever came before it. */
static void short_memory_takes_who_has_rested_longest(void **state)
{
    static const struct {
        uint64_t pod;
        const char *key;
    } order[] = {{SLOW, "c"}, {QUICK, "b"}, {QUICK, "c"}, {SLOW, "a"}, {QUICK, "a"}, {SLOW, "b"}};

    (void)state;
    for (size_t i = 0; i < 7; i++) { /* The last one was there first, and comes again. */
        add(order[(i + 5) % 6].pod, order[(i + 5) % 6].key);
        pass(5 * MS);
    }
    add(NEVER, "n");
    for (size_t i = 0; i < 6; i++) {
        assert_true(is_awake(order[i].pod, order[i].key));
        be_short_until(i + 1);
        assert_false(is_awake(order[i].pod, order[i].key));
    }
    much_bytes = 1001;
    pass(S);
    assert_true(is_awake(NEVER, "n"));
}

#define EACH 16384u
#define REGULARS 40
static uint64_t by_count(void *ctx)
{
    (void)ctx;
    return sw_idmap_count(worker_of(QUICK)->instances) * EACH;
}

static void add_numbered(char letter, int number)
{
    char key[16];

    snprintf(key, sizeof key, "%c%d", letter, number);
    add(SLOW, key);
    actors.disk.now_ns += 2 * MS;
}

/* Between two messages of theirs more come than there is memory for: in the order of rest alone
 * all of them would be gone each time. */
static void a_crowd_drives_nobody_out_who_comes_often(void **state)
{
    uint64_t woken = 0;

    (void)state;
    actors.shared.used_bytes = by_count;
    atomic_store(&actors.shared.awake_bytes, UINT64_C(90) * EACH);
    for (int round = 0; round < 10; round++) {
        if (round == 5)
            woken = worker_of(QUICK)->counts.woken;
        for (int i = 0; i < REGULARS; i++)
            add_numbered('r', i);
        for (int i = 0; i < 100; i++)
            add_numbered('n', round * 100 + i);
        assert_in_range(by_count(NULL), 50 * EACH, 100 * EACH);
    }
    assert_in_range(worker_of(QUICK)->counts.woken - woken, 0, REGULARS / 4);
}

/* They stand in another list meanwhile, and are as they were when they were saved. */
static void a_snapshot_leaves_their_order(void **state)
{
    (void)state;
    add(QUICK, "a");
    pass(2 * S);
    add(QUICK, "b");
    pass(2 * S);
    add(QUICK, "a");
    actors_rest(&actors);
    assert_int_equal(sw_snapshot_begin(&actors.shared, actors.workers, actors.count, NULL), SW_OK);
    add(QUICK, "c"); /* While they are to be saved. */
    assert_int_equal(actors_snapshot(&actors), SW_OK);
    be_short_until(1);
    assert_false(is_awake(QUICK, "b"));
    pass(9 * S); /* After the second message for a. */
    assert_int_equal(asleep(), 1);
    pass(S);
    assert_int_equal(asleep(), 3);
}

static void another_time_counts_for_those_who_rest_already(void **state)
{
    (void)state;
    add(SLOW, "a");
    pass(5 * S);
    open_pod(SLOW, AFTER);
    pass(5 * S - 2 * MS);
    assert_int_equal(asleep(), 0);
    pass(3 * MS);
    assert_int_equal(asleep(), 1);
    add(SLOW, "a");
    open_pod(SLOW, 0);
    pass(100 * S);
    assert_true(is_awake(SLOW, "a"));
    assert_int_equal(sw_worker_wait_ns(worker_of(SLOW)), UINT64_MAX);
    open_pod(SLOW, AFTER); /* It rests since its message. */
    pass(MS);
    assert_false(is_awake(SLOW, "a"));
}

static void who_cannot_sleep_holds_up_nobody(void **state)
{
    uint64_t asked = send(QUICK, "asks", "await 0 n/h|hold~add 1;get");

    (void)state;
    add(QUICK, "b");
    pass(AFTER + MS);
    assert_true(is_awake(QUICK, "asks"));
    assert_false(is_awake(QUICK, "b"));
    add(QUICK, "c");
    be_short_until(2);
    assert_true(is_awake(QUICK, "asks"));
    (void)actors_ask(&actors, NEVER, "h", "release");
    pass(AFTER + AFTER / 8);
    assert_false(is_awake(QUICK, "asks"));
    assert_int_equal(field(reply_to(asked), "counter"), 1);
}

/* Who has slept as records since the last start is rebuilt for that, a few at a time. */
static void those_that_were_recovered_sleep_as_images(void **state)
{
    char key[16];

    (void)state;
    for (int i = 0; i < 200; i++) {
        snprintf(key, sizeof key, "k%d", i);
        add(QUICK, key);
    }
    restart(true);
    open_pod(QUICK, AFTER);
    pass(AFTER - S);
    assert_int_equal(asleep(), 0);
    for (int i = 0; i < 20; i++)
        pass(S / 5);
    assert_int_equal(asleep(), 200);
    assert_int_equal(field_of(QUICK, "k7", "counter"), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down_unbroken)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_sleeps_when_its_time_has_come),
        TEST(who_is_busy_costs_few_looks),
        TEST(short_memory_takes_who_has_rested_longest),
        TEST(a_crowd_drives_nobody_out_who_comes_often),
        TEST(a_snapshot_leaves_their_order),
        TEST(another_time_counts_for_those_who_rest_already),
        TEST(who_cannot_sleep_holds_up_nobody),
        TEST(those_that_were_recovered_sleep_as_images),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
