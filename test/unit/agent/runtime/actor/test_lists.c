/* uses: pkg/agent/link */
#include "pkg/agent/link/entries.h"
#include "pkg/agent/runtime/actor/capture.h"
#include "pkg/agent/runtime/actor/hibernate.h"
#include "pkg/agent/runtime/actor/lists.h"
#include "test/unit/agent/runtime/actor/asking.h"

/* Lists of instances: everybody who is there all the time is told of once, whoever sleeps, wakes or
 * comes meanwhile, and no worker waits for the disk. Agent "a" has two Pods, one on each worker. */

#define KEYS 240u
#define SEEN_MAX 8192u

static struct {
    char keys[SEEN_MAX][24];
    uint32_t states[SEEN_MAX];
    uint64_t disk_bytes, pages;
    size_t count, rows; /* Of all pages; of the last one. */
    uint64_t next, counts[SW_FRAME_STATES];
    bool is_told;
} seen;

static void see(const struct sw_frame *frame)
{
    struct sw_reader reader, counts;
    struct sw_frame_instance row;

    if (frame->kind != SW_FRAME_INSTANCES)
        return;
    assert_int_equal(frame->instances.code, 0);
    seen.is_told = true;
    seen.next = frame->instances.next;
    seen.rows = frame->instances.count;
    reader = sw_reader_of(frame->instances.entries.data, frame->instances.entries.size);
    while (sw_frame_instance_take(&reader, &row)) {
        assert_true(seen.count < SEEN_MAX);
        seen.states[seen.count] = row.state;
        seen.disk_bytes += row.disk_bytes;
        seen.pages += row.pages;
        snprintf(seen.keys[seen.count++], sizeof seen.keys[0], "%.*s", (int)row.key.size,
                 (const char *)row.key.data);
    }
    assert_false(reader.failed);
    counts = sw_reader_of(frame->instances.counts.data, frame->instances.counts.size);
    for (uint32_t i = 0; i < SW_FRAME_STATES && frame->instances.counts.size > 0; i++)
        seen.counts[i] += sw_reader_u64(&counts);
}

static void half(uint8_t slots[SW_SLOTS / 8], bool is_second)
{
    memset(slots, is_second ? 0xf0 : 0x0f, SW_SLOTS / 8);
}

static int set_up(void **state)
{
    uint8_t slots[SW_SLOTS / 8];

    (void)state;
    memset(&seen, 0, sizeof seen);
    actors_init(&actors, 2, 1);
    actors.see = see;
    actors.shelf_bytes = 131072;
    restart(false);
    for (uint32_t i = 0; i < 2; i++) {
        half(slots, i == 1);
        actors_open(&actors, &(struct actors_pod){.number = i + 1,
                                                  .agent = "a",
                                                  .is_keyed = true,
                                                  .slots = slots,
                                                  .rests_at_once = true});
    }
    actors_open(&actors, &(struct actors_pod){.number = 3, .agent = "b", .is_keyed = true});
    actors_settle(&actors);
    return 0;
}

/* The Pod of "a" that has a key. */
static uint64_t pod_of(const char *key)
{
    static const char uid[] = "01932c07-8ba2-7c1e-9a2b-012345678961";
    uint8_t hash_key[16], slots[SW_SLOTS / 8];

    sw_slot_key(script_text(uid), hash_key);
    half(slots, true);
    return sw_slots_have(slots, sw_slot_of(hash_key, script_text(key))) ? 2 : 1;
}

static void tell(const char *key, const char *body)
{
    (void)actors_ask(&actors, pod_of(key), key, body);
}

static const char *key_of(uint32_t number)
{
    static char key[24];

    snprintf(key, sizeof key, "%s%" PRIu32, number % 3 == 0 ? "{town} " : "k", number);
    return key;
}

/* Every fourth has a timer, and stays awake. */
static void make_all(void)
{
    for (uint32_t i = 0; i < KEYS; i++)
        tell(key_of(i), i % 4 == 0 ? "timer 1 1000000000000" : "add 1");
}

static struct sw_item_list all(void)
{
    return (struct sw_item_list){.request = 7,
                                 .name_space = script_text("default"),
                                 .agent = script_text("a"),
                                 .states = SW_FRAME_STATES_ALL,
                                 .limit = SW_FRAME_PAGE_MAX};
}

static void ask(struct sw_item_list *list)
{
    seen.is_told = false;
    sw_worker_put(actors.workers[0], sw_item_list_new(list));
    actors_settle(&actors);
    assert_true(seen.is_told);
    assert_true(seen.next == 0 || seen.next > list->from);
    list->from = seen.next;
}

/* All pages; how many they were. */
static unsigned walk(struct sw_item_list list, void (*between)(unsigned page))
{
    unsigned pages = 0;

    memset(&seen, 0, sizeof seen);
    do {
        ask(&list);
        assert_true(seen.rows <= list.limit);
        if (between != NULL)
            between(pages);
        pages++;
        assert_true(pages < 10000);
    } while (seen.next != 0);
    return pages;
}

static uint32_t times_seen(const char *key)
{
    uint32_t count = 0;

    for (size_t i = 0; i < seen.count; i++)
        count += strcmp(seen.keys[i], key) == 0;
    return count;
}

static void assert_all_seen_once(void)
{
    for (uint32_t i = 0; i < KEYS; i++)
        assert_int_equal(times_seen(key_of(i)), 1);
}

static void whatever_the_limit_each_is_there_once(void **state)
{
    (void)state;
    make_all();
    for (uint32_t limit = 1; limit <= SW_FRAME_PAGE_MAX; limit = limit * 3 + 1) {
        struct sw_item_list list = all();

        list.limit = limit;
        assert_in_range(walk(list, NULL), KEYS / limit, KEYS / limit + 1);
        assert_int_equal(seen.count, KEYS);
        assert_all_seen_once();
    }
    assert_true(seen.disk_bytes > KEYS / 4 * 3 * 16);
}

/* Some wake, some fall asleep, some are new. */
static void stir(unsigned page)
{
    for (uint32_t i = 0; i < 6; i++) {
        uint32_t number = (page * 6 + i) * 7 % KEYS;
        char key[24];

        tell(key_of(number), i % 3 == 0 ? "timer 2 1000000000000" : "add 1");
        if (i % 3 == 1)
            tell(key_of((number + 4) / 4 * 4 % KEYS), "cancel 1;cancel 2");
        snprintf(key, sizeof key, "new %u %u", page, (unsigned)i);
        tell(key, "add 1");
    }
    if (page % 5 == 4) {
        actors_rest(&actors);
        assert_int_equal(sw_snapshot_begin(&actors.shared, actors.workers, actors.count, NULL),
                         SW_OK);
        assert_int_equal(actors_snapshot(&actors), SW_OK);
    }
}

static void who_is_there_all_the_time_is_told_of_once(void **state)
{
    (void)state;
    make_all();
    for (uint32_t limit = 3; limit < 100; limit += 16) {
        struct sw_item_list list = all();

        list.limit = limit;
        (void)walk(list, stir);
        assert_all_seen_once();
    }
}

static uint64_t counted(void)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < SW_FRAME_STATES; i++)
        sum += seen.counts[i];
    return sum;
}

static void states_are_chosen(void **state)
{
    struct sw_item_list list = all();

    (void)state;
    make_all();
    list.states = 1u << SW_FRAME_INSTANCE_ASLEEP;
    (void)walk(list, NULL);
    assert_int_equal(seen.count, KEYS / 4 * 3);
    for (size_t i = 0; i < seen.count; i++)
        assert_int_equal(seen.states[i], SW_FRAME_INSTANCE_ASLEEP);
    list.states = SW_FRAME_STATES_ALL & ~list.states;
    list.limit = 9;
    (void)walk(list, NULL);
    assert_int_equal(seen.count, KEYS / 4);
    list.states = 1u << SW_FRAME_INSTANCE_PARKED;
    assert_int_equal(walk(list, NULL), 1);
    assert_int_equal(seen.count, 0);
}

static void prefixes_are_chosen(void **state)
{
    struct sw_item_list list = all();
    uint32_t expected = 0;

    (void)state;
    make_all();
    for (uint32_t limit = 1; limit < 200; limit *= 5) {
        list.limit = limit;
        list.prefix = script_text("k1");
        (void)walk(list, NULL);
        expected = 0;
        for (uint32_t i = 0; i < KEYS; i++) {
            bool is_wanted = strncmp(key_of(i), "k1", 2) == 0;

            assert_int_equal(times_seen(key_of(i)), is_wanted);
            expected += is_wanted;
        }
        assert_int_equal(seen.count, expected);
        list.prefix = script_text("{town} 1"); /* They are in one slot, and nobody else is read. */
        (void)walk(list, NULL);
        for (uint32_t i = 0; i < KEYS; i++)
            assert_int_equal(times_seen(key_of(i)), strncmp(key_of(i), "{town} 1", 8) == 0);
    }
    list.prefix = script_text("nobody");
    assert_int_equal(walk(list, NULL), 1);
    assert_int_equal(seen.count, 0);
}

static void counts_are_those_of_lists(void **state)
{
    struct sw_item_list list = all();

    (void)state;
    make_all();
    list.is_count = true;
    assert_int_equal(walk(list, NULL), 1);
    assert_int_equal(seen.count, 0);
    assert_int_equal(counted(), KEYS);
    assert_int_equal(seen.counts[SW_FRAME_INSTANCE_ASLEEP], KEYS / 4 * 3);
    assert_int_equal(seen.counts[SW_FRAME_INSTANCE_IDLE], KEYS / 4);
    list.states = 1u << SW_FRAME_INSTANCE_IDLE;
    (void)walk(list, NULL);
    assert_int_equal(counted(), KEYS / 4);
    list.states = SW_FRAME_STATES_ALL;
    list.prefix = script_text("{town}");
    (void)walk(list, NULL);
    assert_int_equal(counted(), KEYS / 3);
    list.prefix = script_text("k1");
    (void)walk(list, NULL);
    assert_int_equal(counted(), 75); /* k1, k10, k11 ..., but for those of a third of all. */
    list.agent = script_text("nobody");
    assert_int_equal(walk(list, NULL), 1);
    assert_int_equal(counted(), 0);
}

/* Who is looked at in vain ends a page as well, with nothing in it. */
static void a_page_that_finds_nothing_ends(void **state)
{
    struct sw_item_list list = all();
    unsigned pages;

    (void)state;
    for (uint32_t i = 0; i < 3 * SW_FRAME_PAGE_MAX; i++) {
        char key[24];

        snprintf(key, sizeof key, "c%" PRIu32, i);
        (void)actors_send(&actors, pod_of(key), key, "add 1");
        if (i % 100 == 0)
            actors_settle(&actors);
    }
    actors_settle(&actors);
    list.prefix = script_text("d");
    pages = walk(list, NULL);
    assert_int_equal(seen.count, 0);
    assert_in_range(pages, 2, 5); /* Each worker reads a thousand at most. */
    list.prefix = script_text("c2999");
    (void)walk(list, NULL);
    assert_int_equal(seen.count, 1);
    list.is_count = true;
    list.prefix = script_text("c29");
    (void)walk(list, NULL);
    assert_int_equal(counted(), 111);
}

/* One that answers does so while the disk is waited for. */
static void no_worker_waits_for_the_disk(void **state)
{
    struct sw_item_list list = all();
    struct sw_item_read *read;
    const char *key;
    uint64_t request;

    (void)state;
    make_all();
    sw_worker_put(actors.workers[0], sw_item_list_new(&list));
    (void)sw_worker_run(actors.workers[0], 1);
    read = sw_worker_read(actors.workers[0]);
    assert_non_null(read);
    for (key = "d"; pod_of(key) != 2; key = "e")
        assert_string_not_equal(key, "e");
    request = actors_send(&actors, 2, key, "add 1;get");
    actors_settle(&actors);
    assert_int_equal(field(reply_to(request), "counter"), 1);
    assert_false(seen.is_told);
    sw_item_read_run(&actors.shared, read);
    sw_worker_put(actors.workers[0], &read->item);
    actors_settle(&actors);
    assert_true(seen.is_told);
    assert_int_equal(seen.count, KEYS);
}

/* A Pod that ends, and a host that does, with a list on its way. */
static void a_list_outlives_the_pod_of_its_rows(void **state)
{
    struct sw_item_list list = all();
    struct sw_item_read *read;

    (void)state;
    make_all();
    sw_worker_put(actors.workers[0], sw_item_list_new(&list));
    (void)sw_worker_run(actors.workers[0], 1);
    read = sw_worker_read(actors.workers[0]);
    assert_non_null(read);
    actors_close(&actors, 2, true);
    actors_settle(&actors);
    sw_item_read_run(&actors.shared, read);
    sw_worker_put(actors.workers[0], &read->item);
    actors_settle(&actors);
    assert_true(seen.is_told);
    sw_worker_put(actors.workers[1], sw_item_list_new(&list));
    (void)sw_worker_run(actors.workers[1], 1); /* Freed with the worker that waits for it. */
}

/* Who was woken, and whose file went, while it was to be read is looked for again. */
static void who_is_elsewhere_by_then_is_found_there(void **state)
{
    struct sw_item_list list = all();
    struct sw_item_read *read;

    (void)state;
    make_all();
    sw_worker_put(actors.workers[0], sw_item_list_new(&list));
    (void)sw_worker_run(actors.workers[0], 1);
    read = sw_worker_read(actors.workers[0]);
    assert_non_null(read);
    for (uint32_t i = 0; i < KEYS; i++)
        tell(key_of(i), i % 2 == 0 ? "add 1" : "timer 3 1000000000000");
    for (int i = 0; i < 3; i++) {
        actors_rest(&actors);
        assert_int_equal(sw_snapshot_begin(&actors.shared, actors.workers, actors.count, NULL),
                         SW_OK);
        assert_int_equal(actors_snapshot(&actors), SW_OK);
    }
    memset(&seen, 0, sizeof seen);
    sw_item_read_run(&actors.shared, read);
    sw_worker_put(actors.workers[0], &read->item);
    actors_settle(&actors);
    assert_true(seen.is_told);
    assert_int_equal(seen.count, KEYS);
    assert_all_seen_once();
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down_unbroken)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(whatever_the_limit_each_is_there_once),
        TEST(who_is_there_all_the_time_is_told_of_once),
        TEST(states_are_chosen),
        TEST(prefixes_are_chosen),
        TEST(counts_are_those_of_lists),
        TEST(a_page_that_finds_nothing_ends),
        TEST(no_worker_waits_for_the_disk),
        TEST(a_list_outlives_the_pod_of_its_rows),
        TEST(who_is_elsewhere_by_then_is_found_there),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
