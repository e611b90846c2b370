/* uses: pkg/agent/link */
#include "pkg/agent/runtime/actor/state.h"
#include "test/unit/agent/runtime/actor/asking.h"

/* Records of the journal that hold an instance whole: only what came after one is replayed. */

static uint32_t image_tail; /* Of each host that is started. */

/* There is another host. */
static void begin(bool power_fails)
{
    restart(power_fails);
    actors.shared.image_tail = image_tail;
    open_three(0);
}

static void start(uint32_t tail)
{
    image_tail = tail;
    begin(false);
}

static int set_up(void **state)
{
    (void)state;
    actors_init(&actors, 2, 1);
    open_three(0);
    return 0;
}

static uint64_t replayed(void)
{
    uint64_t count = 0;

    for (uint32_t i = 0; i < actors.count; i++)
        count += actors.workers[i]->counts.replayed;
    return count;
}

/* The power fails; then there is another host. Returns what the instance says to `body`. */
static const char *ask_after_restart(const char *key, const char *body)
{
    begin(true);
    return actors_ask(&actors, 1, key, body);
}

static void a_long_tail_is_not_replayed(void **state)
{
    long long before;

    (void)state;
    start(8);
    for (int i = 0; i < 100; i++)
        actors_ask(&actors, 1, "k", "add 1");
    before = field(actors_ask(&actors, 1, "k", "random;mix;get"), "counter");
    assert_int_equal(field(ask_after_restart("k", "get"), "counter"), before);
    assert_in_range(replayed(), 1, 8);
}

/* What was replayed counts: else each life would add up to a whole tail. */
static void a_tail_goes_on_after_a_restart(void **state)
{
    (void)state;
    start(8);
    for (int life = 0; life < 10; life++) {
        for (int i = 0; i < 3; i++)
            actors_ask(&actors, 1, "k", "add 1");
        (void)ask_after_restart("k", "add 1");
        assert_in_range(replayed(), 0, 7);
    }
    assert_int_equal(field_of(1, "k", "counter"), 40);
}

static void all_that_it_is_comes_back(void **state)
{
    long long before, next[2];

    (void)state;
    start(1);
    actors_ask(&actors, 1, "k", "sub news;timer 1 1000;random;mix;add 5;hold");
    actors_ask(&actors, 1, "k", "ask 3 b/x|add 4;get");
    actors_ask(&actors, 1, "k", "trap");
    before = field_of(1, "k", "counter");
    begin(true);
    actors_publish(&actors, "news", "one");
    actors.disk.now_ns += 5000;
    actors_settle(&actors);
    assert_int_equal(field_of(1, "k", "published"), 1);
    assert_int_equal(field_of(1, "k", "timers"), 1);
    assert_int_equal(field_of(1, "k", "held"), 1);
    assert_int_equal(field_of(1, "k", "replies"), 1);
    assert_int_equal(field_of(1, "k", "counter"), before);
    for (int i = 0; i < 2; i++) { /* Its random numbers are the next, not those of before. */
        (void)ask_after_restart("k", "random;mix");
        next[i] = field_of(1, "k", "counter");
    }
    assert_int_not_equal(next[0] - before, next[1] - next[0]);
}

static void a_turn_that_waits_goes_on_from_one(void **state)
{
    uint64_t asked;

    (void)state;
    start(1);
    asked = send(1, "w", "await 0 b/h|hold~add 3;get");
    assert_waits(asked);
    begin(true);
    actors_settle(&actors);
    actors_ask(&actors, 2, "h", "release");
    actors_settle(&actors);
    assert_int_equal(field_of(1, "w", "counter"), 3);
}

static void open_large(void)
{
    actors_open(&actors, &(struct actors_pod){
                             .number = 4, .agent = "m", .is_keyed = true, .memory_bytes = 8 << 20});
    actors_settle(&actors);
}

static void what_costs_more_than_its_records_is_not_made(void **state)
{
    (void)state;
    start(1);
    open_large();
    actors_ask(&actors, 4, "k", "grow 4000000");
    for (int i = 0; i < 40; i++)
        actors_ask(&actors, 4, "k", "add 1");
    begin(true);
    open_large();
    assert_int_equal(field_of(4, "k", "counter"), 40);
    assert_int_equal(replayed(), 42); /* With its on_start. */
}

/* Where an epoch is full nothing more may be put down until it is written. */
static void a_full_epoch_puts_it_off(void **state)
{
    static char body[200001];
    const struct sw_instance *instance;
    const struct sw_pod *pod;
    uint64_t number = 1;

    (void)state;
    start(1);
    actors_ask(&actors, 1, "k", "add 1");
    memset(body, 'x', sizeof body - 1);
    for (int i = 0; i < 6; i++)
        actors_send(&actors, 1, "k", body);
    while (sw_worker_run(actors.workers[1], 1) > 0)
        continue;
    assert_false(sw_journal_has_room(actors.shared.journal));
    pod = sw_map_find(actors.workers[1]->pods, &number, sizeof number);
    instance = sw_map_find(pod->instances, "k", 1);
    assert_int_equal(instance->tail, 1);
    assert_true(instance->wants_image);
    assert_int_equal(sw_journal_commit(actors.shared.journal, NULL), SW_OK);
    actors_ask(&actors, 1, "k", "add 0");
    assert_int_equal(instance->tail, 0);
    assert_int_equal(field(ask_after_restart("k", "get"), "messages"), 9);
    assert_int_equal(replayed(), 0);
}

static void volatile_ones_leave_none(void **state)
{
    uint64_t writes;

    (void)state;
    start(1);
    actors_ask(&actors, 3, "k", "add 1");
    writes = actors.disk.writes;
    actors_ask(&actors, 3, "k", "add 1");
    assert_int_equal(actors.disk.writes, writes);
}

static void a_snapshot_goes_on_from_one(void **state)
{
    (void)state;
    start(4);
    for (int i = 0; i < 9; i++)
        actors_ask(&actors, 1, "k", "add 1");
    (void)ask_after_restart("other", "get"); /* It sleeps: the snapshot takes its records. */
    save_all();
    for (int i = 0; i < 2; i++)
        assert_int_equal(field(ask_after_restart("k", "get"), "counter"), 9);
    assert_in_range(replayed(), 1, 6);
}

/* Only the engine that ran a record replays it; an image any one reads. */
static void another_engine_goes_on_from_one(void **state)
{
    (void)state;
    start(2);
    actors_ask(&actors, 1, "k", "add 1"); /* After on_start the second record. */
    restart(true);
    snprintf(actors.shared.fingerprints[SW_ABI_COMPACT],
             sizeof actors.shared.fingerprints[SW_ABI_COMPACT], "engine 2");
    open_three(0);
    assert_int_equal(field_of(1, "k", "counter"), 1);
    assert_int_equal(replayed(), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down_unbroken)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_long_tail_is_not_replayed),
        TEST(a_tail_goes_on_after_a_restart),
        TEST(all_that_it_is_comes_back),
        TEST(a_turn_that_waits_goes_on_from_one),
        TEST(what_costs_more_than_its_records_is_not_made),
        TEST(a_full_epoch_puts_it_off),
        TEST(volatile_ones_leave_none),
        TEST(a_snapshot_goes_on_from_one),
        TEST(another_engine_goes_on_from_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
