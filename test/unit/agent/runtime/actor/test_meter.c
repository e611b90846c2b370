/* uses: pkg/agent/link */
#include "pkg/agent/runtime/actor/state.h"
#include "test/unit/agent/runtime/actor/asking.h"

/* What instances, Agents and namespaces used. */

#define SECOND_NS 1000000000u

static struct sw_frame_usage
    told[128]; /* By the first byte of the Agent's name; 0: the namespace. */
static char texts[128][3][64];

static void see(const struct sw_frame *frame)
{
    const struct sw_frame_usage *usage = &frame->usage;
    size_t at;

    if (frame->kind != SW_FRAME_USAGE)
        return;
    at = usage->agent.size == 0 ? 0 : *(const uint8_t *)usage->agent.data % 128;
    told[at] = *usage;
    actors_copy(texts[at][0], sizeof texts[at][0], usage->name_space);
    actors_copy(texts[at][1], sizeof texts[at][1], usage->agent);
    actors_copy(texts[at][2], sizeof texts[at][2], usage->agent_uid);
}

static int set_up(void **state)
{
    (void)state;
    memset(told, 0, sizeof told);
    actors_init(&actors, 2, 1);
    actors.see = see;
    open_three(0);
    return 0;
}

/* So much time goes by, in which all is said that is to be said. */
static void pass(uint64_t ns)
{
    actors.disk.now_ns += ns;
    actors_settle(&actors);
}

static struct sw_frame_usage used_by(char agent)
{
    pass(2 * (uint64_t)SECOND_NS);
    return told[(size_t)agent];
}

/* Of memory, that which is there included. */
static uint64_t page_ms_of(char agent)
{
    const struct sw_frame_usage usage = used_by(agent);

    return usage.used.page_ms + usage.open_page_ms;
}

static void assert_same(const struct sw_frame_usage *one, const struct sw_frame_usage *other)
{
    assert_int_equal(one->used.cpu_ns, other->used.cpu_ns);
    assert_int_equal(one->used.handled, other->used.handled);
    assert_int_equal(one->used.bytes_in, other->used.bytes_in);
    assert_int_equal(one->used.sent, other->used.sent);
    assert_int_equal(one->used.bytes_out, other->used.bytes_out);
}

static struct sw_instance *instance_of(uint64_t pod, const char *key)
{
    struct sw_worker *worker = actors.workers[pod % actors.count];
    struct sw_pod *found = sw_map_find(worker->pods, &pod, sizeof pod);

    return sw_map_find(found->instances, key, strlen(key));
}

static void a_message_is_counted_where_it_comes_and_goes(void **state)
{
    struct sw_frame_usage used;

    (void)state;
    actors_ask(&actors, 1, "k", "send b/x|add 12~get");
    used = used_by('a');
    assert_string_equal(texts['a'][0], "default");
    assert_string_equal(texts['a'][1], "a");
    assert_int_equal(used.used.handled, 1);
    assert_int_equal(used.used.bytes_in, strlen("send b/x|add 12~get"));
    assert_int_equal(used.used.sent, 2); /* And the answer. */
    used = used_by('b');
    assert_int_equal(used.used.handled, 1);
    assert_int_equal(used.used.bytes_in, strlen("add 12"));
    assert_int_equal(used.used.sent, 0);
    assert_int_equal(used.used.bytes_out, 0);
    assert_int_equal(told[0].used.handled, 2); /* The namespace has both. */
    assert_int_equal(told[0].used.bytes_in, told['a'].used.bytes_in + told['b'].used.bytes_in);
    assert_int_equal(told[0].used.sent, 2);
}

static void a_failed_try_counts_and_sends_nothing(void **state)
{
    (void)state;
    actors_ask(&actors, 1, "k", "send b/x|add 1~trap");
    assert_int_equal(used_by('a').used.handled, 1);
    assert_int_equal(used_by('a').used.sent, 0);
    actors_ask(&actors, 1, "k", "get"); /* Its memory was made again. */
    assert_int_equal(used_by('a').used.wakeups, 1);
}

/* From here on each entry of a/1 and v/3 takes so long, by the clock of their worker. */
static void entries_take(uint64_t ns)
{
    actors.engines[1].clock_ns = &actors.disk.now_ns;
    actors.engines[1].entry_ns = ns;
}

static void time_is_its_whose_segment_takes_it(void **state)
{
    struct sw_frame_usage used;

    (void)state;
    entries_take(3000000);
    actors_ask(&actors, 1, "k", "add 1");
    actors_ask(&actors, 3, "k", "add 1");
    actors_ask(&actors, 3, "k", "add 1");
    entries_take(0);
    used = used_by('a');
    assert_in_range(used.used.cpu_ns, 6000000, 6100000); /* on_start, too. */
    used = used_by('v');
    assert_in_range(used.used.cpu_ns, 9000000, 9100000);
    assert_int_equal(used_by('b').used.cpu_ns, 0);
    assert_int_equal(told[0].used.cpu_ns, told['a'].used.cpu_ns + told['v'].used.cpu_ns);
    assert_in_range(sw_instance_used(instance_of(1, "k"))->cpu_ns, 6000000, 6100000);
}

/* kill -9: all that was told stays, since the journal says it. */
static void records_say_the_same_after_a_crash(void **state)
{
    struct sw_frame_usage before, space;

    (void)state;
    for (int i = 0; i < 20; i++)
        actors_ask(&actors, 1, "k", i % 3 == 0 ? "send b/x|add 1" : "add 1;get");
    before = used_by('a');
    space = told[0];
    memset(told, 0, sizeof told);
    restart(true);
    open_three(0);
    pass(SECOND_NS);
    assert_same(&before, &told['a']);
    assert_same(&space, &told[0]);
    assert_int_equal(sw_instance_used(instance_of(1, "k"))->handled, 20);
    actors_ask(&actors, 1, "k", "add 1");
    assert_true(page_ms_of('a') >
                before.used.page_ms + before.open_page_ms); /* It had its memory meanwhile. */
}

static void a_snapshot_keeps_what_was_used(void **state)
{
    struct sw_frame_usage before, volatile_before;

    (void)state;
    for (int i = 0; i < 9; i++) {
        actors_ask(&actors, 1, "k", "send b/x|add 1");
        actors_ask(&actors, 3, "k", "add 1");
    }
    before = used_by('a');
    volatile_before = told['v'];
    assert_int_equal(volatile_before.used.handled, 9);
    save_all();
    restart(true);
    open_three(0);
    pass(SECOND_NS);
    assert_same(&before, &told['a']);
    assert_same(&volatile_before, &told['v']);
    assert_int_equal(sw_instance_used(instance_of(1, "k"))->sent, 9);
}

/* Of what keeps nothing a crash loses a second at most; a clean stop loses nothing. */
static void volatile_usage_is_put_down_each_second(void **state)
{
    (void)state;
    actors_ask(&actors, 3, "k", "add 1");
    actors_ask(&actors, 3, "k", "add 1");
    assert_int_equal(used_by('v').used.handled, 2);
    actors_ask(&actors, 3, "k", "add 1"); /* Not said yet. */
    restart(true);
    open_three(0);
    assert_int_equal(used_by('v').used.handled, 2);
    actors_ask(&actors, 3, "k", "add 1");
    for (uint32_t i = 0; i < actors.count; i++)
        sw_worker_settle(actors.workers[i]);
    actors_settle(&actors);
    restart(true);
    open_three(0);
    assert_int_equal(used_by('v').used.handled, 3);
}

/* A worker with nothing else to do is woken for it. */
static void a_worker_waits_no_longer_than_that(void **state)
{
    (void)state;
    actors_ask(&actors, 3, "k", "add 1");
    assert_in_range(sw_worker_wait_ns(actors.workers[1]), 1, SW_METER_NS);
    pass(2 * (uint64_t)SECOND_NS);
    assert_true(sw_worker_wait_ns(actors.workers[1]) == UINT64_MAX);
}

static void memory_counts_while_it_is_there(void **state)
{
    uint64_t before;

    (void)state;
    actors_ask(&actors, 1, "k", "grow 200000");
    assert_int_equal(instance_of(1, "k")->pages, 4);
    assert_int_equal(used_by('a').pages, 4);
    before = page_ms_of('a');
    pass(5 * (uint64_t)SECOND_NS);
    actors_ask(&actors, 1, "k", "add 1");
    assert_int_equal(page_ms_of('a') - before, 4 * 9000);
    actors_ask(&actors, 3, "k", "grow 200000");
    assert_int_equal(used_by('v').pages, 4);
    before = page_ms_of('v');
    pass(5 * (uint64_t)SECOND_NS);
    actors_ask(&actors, 3, "k", "add 1");
    assert_int_equal(page_ms_of('v') - before, 4 * 9000);
}

static void who_went_has_no_memory_and_still_counts(void **state)
{
    (void)state;
    actors_ask(&actors, 1, "k", "grow 200000");
    actors_ask(&actors, 3, "k", "grow 200000");
    assert_int_equal(used_by('a').pages, 4);
    assert_int_equal(told[0].pages, 8);
    actors_close(&actors, 1, true);
    actors_close(&actors, 3, true);
    assert_int_equal(used_by('b').used.handled, 0);
    assert_int_equal(told[0].pages, 0);
    assert_int_equal(told[0].used.handled, 2);
    assert_int_equal(sw_map_count(actors.shared.accounts.agents), 1);
    restart(true);
    memset(told, 0, sizeof told);
    pass(SECOND_NS);
    actors_ask(&actors, 2, "k", "add 1");
    assert_int_equal(sw_map_count(actors.shared.accounts.agents), 1);
    open_three(0);
    assert_int_equal(used_by('a').used.handled, 0); /* Another Agent of that uid. */
    assert_int_equal(told[0].pages, 1);             /* Of b/k. */
    assert_int_equal(told[0].used.handled, 3);
}

static void accounts_are_what_all_instances_used(void **state)
{
    struct sw_usage sum = {0};
    uint64_t pages = 0;

    (void)state;
    for (int i = 0; i < 60; i++) {
        char key[8];

        snprintf(key, sizeof key, "k%d", i % 7);
        actors_ask(&actors, 1, key, i % 5 == 4 ? "trap" : "send b/x|add 1~grow 70000;get");
        pass(1000000);
    }
    (void)used_by('a');
    for (int i = 0; i < 7; i++) {
        char key[8];

        snprintf(key, sizeof key, "k%d", i);
        sw_usage_add(&sum, sw_instance_used(instance_of(1, key)));
        pages += instance_of(1, key)->pages;
    }
    assert_int_equal(sum.handled, told['a'].used.handled);
    assert_int_equal(sum.handled, 60);
    assert_int_equal(sum.bytes_in, told['a'].used.bytes_in);
    assert_int_equal(sum.sent, told['a'].used.sent);
    assert_int_equal(sum.bytes_out, told['a'].used.bytes_out);
    assert_int_equal(sum.wakeups, told['a'].used.wakeups);
    assert_int_equal(sum.cpu_ns, told['a'].used.cpu_ns);
    assert_int_equal(pages, told['a'].pages);
}

/* More than a record can say is said by the next ones. */
static void a_very_long_segment_is_not_cut(void **state)
{
    (void)state;
    entries_take(9 * (uint64_t)SECOND_NS);
    actors_ask(&actors, 1, "k", "add 1");
    entries_take(0);
    for (int i = 0; i < 6; i++)
        actors_ask(&actors, 1, "k", "add 1");
    assert_in_range(used_by('a').used.cpu_ns, 18 * (uint64_t)SECOND_NS,
                    18 * (uint64_t)SECOND_NS + 1000000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down_unbroken)
        TEST(a_message_is_counted_where_it_comes_and_goes),
        TEST(a_failed_try_counts_and_sends_nothing),
        TEST(time_is_its_whose_segment_takes_it),
        TEST(records_say_the_same_after_a_crash),
        TEST(a_snapshot_keeps_what_was_used),
        TEST(volatile_usage_is_put_down_each_second),
        TEST(a_worker_waits_no_longer_than_that),
        TEST(memory_counts_while_it_is_there),
        TEST(who_went_has_no_memory_and_still_counts),
        TEST(accounts_are_what_all_instances_used),
        TEST(a_very_long_segment_is_not_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
