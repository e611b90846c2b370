/* uses: pkg/agent/link */
#include "pkg/agent/link/entries.h"
#include "pkg/agent/runtime/actor/capture.h"
#include "pkg/agent/runtime/actor/hibernate.h"
#include "pkg/agent/runtime/actor/slots.h"
#include "test/unit/agent/runtime/actor/asking.h"

/* Instances that sleep: they are what they were when they come back, after whatever happened. */

#define KEYS 40u

static void open_pods(void)
{
    static const char *const agents[] = {"a", "b", "v"};

    for (uint32_t i = 0; i < 3; i++)
        actors_open(&actors, &(struct actors_pod){.number = i + 1,
                                                  .agent = agents[i],
                                                  .is_keyed = true,
                                                  .is_volatile = i == 2,
                                                  .rests_at_once = i != 1});
    actors_settle(&actors);
}

static void begin(bool power_fails)
{
    restart(power_fails);
    open_pods();
}

static int set_up(void **state)
{
    (void)state;
    actors_init(&actors, 2, 1);
    actors.shelf_bytes = 16384;
    begin(false);
    return 0;
}

static struct sw_worker_view total(void)
{
    struct sw_worker_view sum = {0};

    for (uint32_t i = 0; i < actors.count; i++) {
        struct sw_worker_view view;

        sw_worker_view(actors.workers[i], &view);
        sum.instances += view.instances;
        sum.asleep += view.asleep;
        sum.hibernated += view.hibernated;
        sum.woken += view.woken;
        sum.moved += view.moved;
        sum.replayed += view.replayed;
    }
    return sum;
}

static uint64_t asleep(void)
{
    return total().asleep;
}

static const char *key_of(uint32_t number)
{
    static char key[16];

    snprintf(key, sizeof key, "k%" PRIu32, number);
    return key;
}

static void add_to_all(uint64_t pod, const char *body)
{
    for (uint32_t i = 0; i < KEYS; i++)
        (void)actors_ask(&actors, pod, key_of(i), body);
}

static void assert_all(uint64_t pod, long long counter)
{
    for (uint32_t i = 0; i < KEYS; i++)
        assert_int_equal(field_of(pod, key_of(i), "counter"), counter);
}

static void take_snapshot(void)
{
    actors_rest(&actors);
    assert_int_equal(sw_snapshot_begin(&actors.shared, actors.workers, actors.count, NULL), SW_OK);
    assert_int_equal(actors_snapshot(&actors), SW_OK);
}

/* So long that a worker looks at all of its instances. */
static void pass_time(void)
{
    for (int i = 0; i < 200; i++) {
        actors.disk.now_ns += 20000000;
        actors_settle(&actors);
    }
}

static void who_does_nothing_sleeps_and_comes_back(void **state)
{
    (void)state;
    add_to_all(1, "add 3");
    assert_int_equal(asleep(), KEYS);
    assert_int_equal(total().instances, KEYS);
    add_to_all(1, "random;mix;add 4");
    assert_int_equal(total().woken, KEYS);
    assert_int_equal(asleep(), KEYS);
    add_to_all(3, "add 5");
    assert_all(3, 5);
    assert_int_equal(asleep(), 2 * KEYS);
    assert_int_equal(total().replayed, 0);
}

/* What one that keeps nothing has seen, it would forget: it sleeps when that is durable. */
static void what_is_not_durable_keeps_awake_who_saw_it(void **state)
{
    (void)state;
    (void)actors_send(&actors, 1, "k", "add 1;send v/k|add 1~log seen");
    actors_run(&actors); /* Without a commit. */
    assert_int_equal(asleep(), 1);
    assert_int_equal(total().instances, 2);
    actors_settle(&actors);
    pass_time();
    assert_int_equal(asleep(), 2);
    assert_int_equal(field_of(3, "k", "counter"), 1);
}

/* What it lacks in memory is only what nobody has: an answer comes by its id. */
static void an_answer_finds_who_sleeps_by_its_id(void **state)
{
    (void)state;
    (void)actors_ask(&actors, 2, "h", "add 1");
    for (int i = 0; i < 3; i++) {
        (void)actors_send(&actors, 2, "s", "send a/k|ask 3 b/h|hold");
        actors_settle(&actors);
        assert_int_equal(asleep(), 1);
        (void)actors_ask(&actors, 2, "h", "release");
        assert_int_equal(field_of(1, "k", "replies"), i + 1);
    }
}

static void who_waits_for_something_stays(void **state)
{
    (void)state;
    (void)actors_ask(&actors, 1, "timer", "timer 1 1000000");
    (void)actors_ask(&actors, 1, "topic", "sub news");
    (void)actors_send(&actors, 1, "held", "hold");
    actors_settle(&actors);
    assert_int_equal(asleep(), 0);
    actors_publish(&actors, "news", "one");
    actors.disk.now_ns += 2000000;
    actors_settle(&actors);
    assert_int_equal(field_of(1, "timer", "timers"), 1);
    assert_int_equal(asleep(), 1);
    assert_int_equal(field_of(1, "topic", "published"), 1);
}

static void it_sleeps_through_restarts(void **state)
{
    long long before;

    (void)state;
    add_to_all(1, "add 3");
    before = field(actors_ask(&actors, 1, "k7", "random;mix;get"), "counter");
    for (int life = 0; life < 4; life++) {
        if (life != 0)
            take_snapshot();
        begin(life % 2 == 0);
        assert_int_equal(actors.report.instances, KEYS);
        if (life > 1) /* Nothing happened since the snapshot: nobody is an object. */
            assert_int_equal(asleep(), KEYS);
        pass_time(); /* Else they are rebuilt to sleep as images. */
        assert_int_equal(asleep(), KEYS);
        assert_int_equal(field_of(1, "k7", "counter"), before);
        assert_int_equal(field_of(1, "k8", "counter"), 3);
    }
    (void)actors_ask(&actors, 1, "k7", "random;mix");
    begin(true);
    assert_int_not_equal(field_of(1, "k7", "counter"), before);
}

/* Records since the snapshot are replayed on what lay on the shelf at its point. */
static void what_happened_after_the_snapshot_is_there(void **state)
{
    (void)state;
    add_to_all(1, "add 1");
    take_snapshot();
    for (uint32_t i = 0; i < KEYS; i += 2)
        (void)actors_ask(&actors, 1, key_of(i), "add 10");
    for (uint32_t i = 0; i < KEYS; i += 4)
        (void)actors_ask(&actors, 1, key_of(i), "add 100");
    begin(true);
    for (uint32_t i = 0; i < KEYS; i++)
        assert_int_equal(field_of(1, key_of(i), "counter"),
                         1 + (i % 2 == 0 ? 10 : 0) + (i % 4 == 0 ? 100 : 0));
}

/* Its memory is made anew of the shelf and the records since, at another time as well. */
static void a_trap_leaves_it_as_it_was(void **state)
{
    (void)state;
    (void)actors_ask(&actors, 1, "k", "add 1");
    for (int i = 0; i < 3; i++) {
        (void)actors_ask(&actors, 1, "k", "timer 1 1000000000"); /* It stays awake. */
        (void)actors_ask(&actors, 1, "k", "add 1");
        (void)actors_ask(&actors, 1, "k", "trap");
        assert_int_equal(field_of(1, "k", "counter"), 2 + 2 * i);
        if (i == 1)
            take_snapshot();
        (void)actors_ask(&actors, 1, "k", "trap");
        (void)actors_ask(&actors, 1, "k", "cancel 1;add 1");
        assert_int_equal(field_of(1, "k", "counter"), 3 + 2 * i);
        assert_int_equal(asleep(), 1);
    }
    begin(true);
    assert_int_equal(field_of(1, "k", "counter"), 7);
}

static void messages_wait_for_the_disk_in_their_order(void **state)
{
    uint64_t asked[5];

    (void)state;
    add_to_all(1, "add 1");
    assert_int_equal(sw_shelf_sync(actors.shared.shelf, NULL), SW_OK);
    actors.disk.is_cold = true;
    for (int round = 0; round < 20; round++) {
        for (int i = 0; i < 5; i++)
            asked[i] = actors_send(&actors, 1, "k1", "add 1;get");
        actors_settle(&actors);
        for (int i = 0; i < 5; i++)
            assert_int_equal(field(reply_to(asked[i]), "counter"), 2 + round * 5 + i);
        assert_int_equal(sw_shelf_sync(actors.shared.shelf, NULL), SW_OK);
    }
    assert_all(2, 0);
    add_to_all(3, "add 2");
    assert_int_equal(sw_shelf_sync(actors.shared.shelf, NULL), SW_OK);
    assert_all(3, 2);
}

/* What waits for the disk when the power fails was not handled, and when a snapshot is taken it is
 * in that. */
static void what_waits_for_the_disk_is_not_lost(void **state)
{
    (void)state;
    add_to_all(1, "add 1");
    assert_int_equal(sw_shelf_sync(actors.shared.shelf, NULL), SW_OK);
    actors.disk.is_cold = true;
    for (uint32_t i = 0; i < KEYS; i++) {
        char body[32];

        snprintf(body, sizeof body, "send a/k%" PRIu32 "|add 5", i);
        (void)actors_send(&actors, 2, "s", body);
    }
    for (int i = 0; i < 4; i++) { /* They are sent, and their receivers' blocks are not read yet. */
        sw_worker_run(actors.workers[0], 100);
        sw_worker_run(actors.workers[1], 100);
        for (uint32_t from = 0; from < 2; from++) {
            struct sw_item *item;

            while ((item = sw_worker_sent(actors.workers[from], 1 - from)) != NULL)
                sw_worker_put(actors.workers[1 - from], item);
        }
    }
    assert_int_equal(sw_journal_commit(actors.shared.journal, NULL), SW_OK);
    assert_int_equal(sw_snapshot_begin(&actors.shared, actors.workers, actors.count, NULL), SW_OK);
    while (sw_snapshot_phase(&actors.shared) != SW_SNAPSHOT_NONE) {
        (void)sw_capture_sweep(actors.workers[0], 1u << 20);
        (void)sw_capture_sweep(actors.workers[1], 1u << 20);
        assert_int_equal(sw_snapshot_advance(&actors.shared, NULL), SW_OK);
        assert_int_equal(sw_journal_commit(actors.shared.journal, NULL), SW_OK);
    }
    begin(true);
    actors.disk.is_cold = false;
    actors_settle(&actors);
    assert_all(1, 6);
}

static void a_pod_that_closes_keeps_who_sleeps(void **state)
{
    uint64_t asked;

    (void)state;
    add_to_all(1, "add 1");
    add_to_all(3, "add 1");
    actors_close(&actors, 1, false);
    actors_close(&actors, 3, false);
    actors_settle(&actors);
    asked = actors_send(&actors, 1, "k3", "add 1;get");
    actors_settle(&actors);
    assert_waits(asked);
    open_pods();
    assert_int_equal(field(reply_to(asked), "counter"), 2);
    assert_int_equal(field_of(1, "k4", "counter"), 1);
    assert_int_equal(field_of(3, "k4", "counter"), 0); /* That kept nothing. */
}

static void the_end_of_a_pod_wakes_those_with_last_words(void **state)
{
    static struct sw_guest_module next = {.refs = 1, .has_on_start = true, .has_on_stop = true};

    (void)state;
    actors.disk.is_cold = true;
    actors.next_module = &next;
    actors_open(&actors, &(struct actors_pod){.number = 9,
                                              .agent = "s",
                                              .digest = "sha256:9",
                                              .is_keyed = true,
                                              .rests_at_once = true});
    actors.next_module = NULL;
    add_to_all(9, "add 1");
    assert_int_equal(sw_shelf_sync(actors.shared.shelf, NULL), SW_OK);
    actors_close(&actors, 9, true);
    actors_settle(&actors);
    assert_int_equal(actors.closed, 1);
    assert_int_equal(asleep(), 0);
    assert_int_equal(total().woken, KEYS);
    begin(true);
    assert_int_equal(actors.report.instances, 0);
}

/* Without last words they go with the Pod, in one record. */
static void the_end_of_a_pod_ends_who_sleeps(void **state)
{
    (void)state;
    add_to_all(1, "add 1");
    take_snapshot();
    (void)actors_ask(&actors, 1, "k1", "add 1"); /* It has a record since. */
    actors_close(&actors, 1, true);
    actors_settle(&actors);
    assert_int_equal(actors.closed, 1);
    assert_int_equal(total().woken, 1);
    assert_int_equal(asleep(), 0);
    restart(true);
    assert_int_equal(actors.report.instances, 0);
    open_pods();
    assert_all(1, 0);
}

static void who_sleeps_is_handed_to_another_module(void **state)
{
    static struct sw_guest_module next = {.refs = 1,
                                          .has_on_start = true,
                                          .has_on_timer = true,
                                          .version = 2,
                                          .on_upgrade = "add 100"};

    (void)state;
    actors.disk.is_cold = true;
    add_to_all(1, "add 1");
    assert_int_equal(sw_shelf_sync(actors.shared.shelf, NULL), SW_OK);
    actors.next_module = &next;
    actors_open(&actors, &(struct actors_pod){.number = 1,
                                              .agent = "a",
                                              .digest = "sha256:2",
                                              .is_keyed = true,
                                              .rests_at_once = true});
    actors_settle(&actors);
    actors.next_module = NULL;
    assert_int_equal(total().woken, KEYS); /* By and by, without a message. */
    assert_int_equal(asleep(), KEYS);
    assert_all(1, 100);
}

static void a_reset_ends_who_sleeps(void **state)
{
    (void)state;
    add_to_all(1, "add 1");
    take_snapshot();
    (void)actors_ask(&actors, 1, "k1", "add 1");
    actors.resets = true;
    for (int i = 0; i < 2; i++)
        actors_open(&actors, &(struct actors_pod){.number = 1,
                                                  .agent = "a",
                                                  .digest = i == 0 ? "sha256:2" : "sha256:1",
                                                  .is_keyed = true,
                                                  .rests_at_once = true});
    actors_settle(&actors);
    assert_string_equal(actors.last_event, "StateDiscarded");
    (void)actors_ask(&actors, 1, "k2", "add 7");
    begin(true);
    assert_int_equal(actors.report.instances, 1);
    assert_int_equal(field_of(1, "k1", "counter"), 0);
    assert_int_equal(field_of(1, "k2", "counter"), 7);
    actors.resets = false;
}

static void slots_move_with_who_sleeps_in_them(void **state)
{
    struct actors_pod half = {.number = 5, .agent = "a", .is_keyed = true, .rests_at_once = true};
    struct sw_slots_take take = {.shared = &actors.shared, .workers = actors.workers, .count = 2};
    uint8_t slots[SW_SLOTS / 8] = {0}, moved[SW_SLOTS / 8];
    uint64_t asked[KEYS];

    (void)state;
    add_to_all(1, "add 1");
    take_snapshot();
    assert_int_equal(sw_shelf_sync(actors.shared.shelf, NULL), SW_OK);
    half.slots = slots;
    actors_open(&actors, &half);
    half.number = 6;
    actors_open(&actors, &half);
    actors_settle(&actors);
    actors.disk.is_cold = true;
    for (int round = 0; round < 2; round++) {
        for (uint32_t i = 0; i < KEYS; i++)
            asked[i] = actors_send(&actors, 1, key_of(i), "add 1;get");
        for (uint32_t i = 0; i < 2; i++)
            (void)sw_worker_run(actors.workers[i], 0); /* Some wait for the disk. */
        take.slots = moved;
        take.pod = 6 - (uint64_t)round; /* Of the same worker, and of the other one. */
        memset(moved, round == 0 ? 0x0f : 0xff, sizeof moved);
        sw_slots_take(&take);
        actors_settle(&actors);
        for (uint32_t i = 0; i < KEYS; i++)
            assert_int_equal(field(reply_to(asked[i]), "counter"), 2 + round);
    }
    restart(true);
    actors_open(&actors, &(struct actors_pod){.number = 5, .agent = "a", .is_keyed = true});
    actors_settle(&actors);
    assert_int_equal(actors.report.instances, KEYS);
    assert_all(5, 3);
}

static void replicas_sleep_and_go_when_they_are_too_many(void **state)
{
    struct actors_pod pod = {.number = 8, .agent = "r", .replicas = KEYS, .rests_at_once = true};

    (void)state;
    actors.disk.is_cold = true;
    actors_open(&actors, &pod);
    actors_settle(&actors);
    assert_int_equal(asleep(), KEYS);
    assert_int_equal(actors.status.ready, KEYS);
    assert_int_equal(actors.status.instances, KEYS);
    take_snapshot();
    for (int life = 0; life < 2; life++) {
        pod.replicas = life == 0 ? KEYS : 10;
        restart(true);
        actors_open(&actors, &pod);
        actors_settle(&actors);
        assert_int_equal(total().instances, pod.replicas);
        actors.disk.now_ns += 1000000000;
        (void)actors_ask(&actors, 8, "9", "add 1");
        actors.disk.now_ns += 1000000000;
        actors_settle(&actors);
        assert_int_equal(actors.status.ready, pod.replicas);
    }
    pod.replicas = 20;
    actors_open(&actors, &pod);
    actors_settle(&actors);
    assert_int_equal(total().instances, 20);
    assert_int_equal(field_of(8, "9", "counter"), 2);
    assert_int_equal(field_of(8, "15", "counter"), 0);
}

/* Two keys whose hashes are the same in what an entry has of them. */
struct hashed {
    uint64_t order;
    uint32_t number;
};

static int compare_hashed(const void *one, const void *other)
{
    const struct hashed *a = one, *b = other;

    return a->order < b->order ? -1 : a->order > b->order;
}

static void find_two(char one[16], char other[16])
{
    const struct sw_pod *pod;
    uint64_t number = 1;
    size_t count = 3u << 20, at = 0;
    struct hashed *list = malloc(count * sizeof *list);

    assert_non_null(list);
    pod = sw_map_find(actors.workers[1]->pods, &number, sizeof number);
    assert_non_null(pod);
    for (uint32_t i = 0; i < count; i++) {
        char key[16];
        struct sw_bytes name = {key, (size_t)snprintf(key, sizeof key, "c%" PRIu32, i)};
        uint64_t hash = sw_board_key(pod->hash_key, name);

        list[i] = (struct hashed){(hash & 0xff) << 32 | sw_asleep_hash(hash), i};
    }
    qsort(list, count, sizeof *list, compare_hashed);
    while (at + 1 < count && list[at].order != list[at + 1].order)
        at++;
    assert_true(at + 1 < count);
    snprintf(one, 16, "c%" PRIu32, list[at].number);
    snprintf(other, 16, "c%" PRIu32, list[at + 1].number);
    free(list);
}

static uint32_t listed_count, listed_pages;
static uint64_t listed_next;

static void see_list(const struct sw_frame *frame)
{
    assert_int_equal(frame->kind, SW_FRAME_INSTANCES);
    listed_count += frame->instances.count;
    listed_next = frame->instances.next;
}

/* They have one place in lists, so a page has both though it is to have one. */
static void assert_two_are_listed_together(void)
{
    struct sw_item_list list = {.request = 7,
                                .name_space = script_text("default"),
                                .agent = script_text("a"),
                                .states = SW_FRAME_STATES_ALL,
                                .limit = 1};

    actors.see = see_list;
    listed_count = listed_pages = 0;
    do {
        sw_worker_put(actors.workers[0], sw_item_list_new(&list));
        actors_settle(&actors);
        list.from = listed_next;
        listed_pages++;
    } while (listed_next != 0);
    actors.see = NULL;
    assert_int_equal(listed_count, 2);
    assert_in_range(listed_pages, 1, 2);
}

static void two_with_the_same_hash_are_told_apart(void **state)
{
    char one[16], other[16];

    (void)state;
    find_two(one, other);
    for (int round = 0; round < 4; round++) {
        (void)actors_ask(&actors, 1, one, "add 1");
        assert_int_equal(sw_shelf_sync(actors.shared.shelf, NULL), SW_OK);
        actors.disk.is_cold = round % 2 == 1;
        (void)actors_ask(&actors, 1, other, "add 100");
        assert_int_equal(field_of(1, one, "counter"), round + 1);
        assert_int_equal(field_of(1, other, "counter"), 100 * (round + 1));
        assert_int_equal(total().instances, 2);
        assert_two_are_listed_together();
        if (round == 2)
            begin(true);
    }
}

static struct sw_asleep *table_of(uint64_t number, const char *key, struct sw_asleep_entry *ret)
{
    struct sw_bytes name = script_text(key);
    struct sw_pod *pod = sw_map_find(actors.workers[number % 2]->pods, &number, sizeof number);
    uint64_t hash = sw_board_key(pod->hash_key, name);
    struct sw_asleep *found = pod->asleep[sw_slot_of(pod->hash_key, name)];

    assert_non_null(found);
    assert_true(sw_asleep_find(found, sw_asleep_hash(hash), ret));
    return found;
}

/* Nothing is guessed: its messages are dead letters until the disk is mended. */
static void one_whose_block_is_damaged_stays_where_it_is(void **state)
{
    struct sw_asleep_entry entry;
    struct disk_file *file;
    char path[64];
    uint8_t *byte;

    (void)state;
    add_to_all(1, "add 1");
    take_snapshot();
    (void)table_of(1, "k3", &entry);
    snprintf(path, sizeof path, "host/shelf-%08" PRIx32 ".shelf", sw_shelf_number_of(entry.place));
    file = disk_find(&actors.disk, path);
    assert_non_null(file);
    byte = file->seen + sw_shelf_offset_of(entry.place) + 80;
    *byte ^= 1;
    for (int i = 0; i < 4; i++) {
        uint64_t asked = send(1, "k3", "add 1;get");

        actors.disk.is_cold = i > 1;
        assert_int_equal(actors_reply(&actors, asked)->status, SW_E_INTERNAL);
        assert_non_null(strstr(reply_to(asked), "damaged"));
    }
    (void)actors_ask(&actors, 2, "s", "send a/k3|add 1");
    assert_int_equal(field_of(1, "k4", "counter"), 1);
    *byte ^= 1;
    actors.disk.is_cold = false;
    assert_int_equal(field_of(1, "k3", "counter"), 1);
}

/* What little is left on a shelf goes to another one, and the first is removed. */
static void the_disk_holds_little_more_than_who_sleeps(void **state)
{
    uint64_t bytes;

    (void)state;
    add_to_all(1, "add 1");
    add_to_all(3, "add 1");
    for (int i = 0; i < 3000; i++) {
        (void)actors_ask(&actors, i % 2 == 0 ? 1 : 3,
                         key_of((uint32_t)i % KEYS % 6 == 0 ? 7 : (uint32_t)i % KEYS), "add 1");
        actors.disk.now_ns += 20000000;
        if (i % 100 == 0)
            take_snapshot();
    }
    take_snapshot();
    take_snapshot();
    bytes = sw_shelf_bytes(actors.shared.shelf);
    assert_true(total().moved > 0);
    assert_true(bytes < UINT64_C(2200) * (2 * KEYS) * 2);
    assert_int_equal(field_of(1, "k30", "counter"), 1);
    assert_int_equal(field_of(3, "k30", "counter"), 1);
    begin(true);
    assert_int_equal(field_of(1, "k30", "counter"), 1);
}

/* Who has nothing to look at before an hour has passed looks when somebody comes for whom it is
 * less. */
static void each_sleeps_after_its_own_time(void **state)
{
    struct actors_pod slow = {
        .number = 10, .agent = "p", .is_keyed = true, .rest_ns = UINT64_C(3600) * 1000000000};
    struct actors_pod quick = {
        .number = 12, .agent = "q", .is_keyed = true, .rest_ns = UINT64_C(10) * 1000000000};

    (void)state;
    actors_open(&actors, &slow);
    actors_open(&actors, &quick);
    add_to_all(10, "add 1");
    (void)actors_ask(&actors, 12, "timer", "timer 1 20000000000"); /* Packed, and awake again. */
    pass_time();
    assert_in_range(sw_worker_wait_ns(actors.workers[0]), 1, UINT64_C(20) * 1000000000);
    pass_time();
    (void)actors_ask(&actors, 12, "k", "add 1");
    assert_int_equal(asleep(), 0);
    for (int i = 0; i < 10; i++)
        pass_time(); /* Four seconds each. */
    assert_int_equal(asleep(), 2);
    assert_in_range(sw_worker_wait_ns(actors.workers[0]), UINT64_C(3000) * 1000000000,
                    UINT64_C(3600) * 1000000000);
    actors.disk.now_ns += UINT64_C(3600) * 1000000000;
    pass_time();
    assert_int_equal(asleep(), KEYS + 2);
    assert_int_equal(sw_worker_wait_ns(actors.workers[0]), UINT64_MAX);
}

static uint64_t much(void *ctx)
{
    (void)ctx;
    return 3;
}

/* Those with a time before they sleep, when there is more memory than there should be. */
static void memory_that_is_short_makes_them_sleep_sooner(void **state)
{
    struct actors_pod pod = {.number = 10, .agent = "p", .is_keyed = true, .rest_ns = 1000000000};

    (void)state;
    actors_open(&actors, &pod);
    add_to_all(10, "add 1");
    for (int i = 0; i < 100; i++) {
        actors.disk.now_ns += 5000000;
        actors_settle(&actors);
    }
    assert_int_equal(asleep(), 0);
    actors.shared.used_bytes = much;
    atomic_store(&actors.shared.awake_bytes, 2);
    for (int i = 0; i < 20 && asleep() == 0; i++) {
        actors.disk.now_ns += 20000000;
        actors_settle(&actors);
    }
    (void)actors_ask(&actors, 10, "new", "add 1"); /* At once, when another one wants it. */
    assert_true(asleep() > 0);
    pass_time();
    assert_int_equal(asleep(), KEYS + 1);
    assert_all(10, 1);
    atomic_store(&actors.shared.awake_bytes, 0);
    pass_time();
    assert_int_equal(asleep(), KEYS + 1); /* After their time. */
}

/* A shelf that cannot be written ends the host before anything is lost. */
static void a_shelf_that_cannot_be_written_ends_the_host(void **state)
{
    (void)state;
    add_to_all(1, "add 1");
    actors.disk.fail_writes_after = 0;
    assert_int_not_equal(sw_shelf_sync(actors.shared.shelf, NULL), SW_OK);
    (void)actors_send(&actors, 1, "new", "add 1");
    for (uint32_t i = 0; i < 2; i++)
        (void)sw_worker_run(actors.workers[i], 10);
    assert_int_not_equal(sw_worker_failure(actors.workers[1], NULL), SW_OK);
    actors.disk.fail_writes_after = -1;
    begin(true);
    assert_all(1, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down_unbroken)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(who_does_nothing_sleeps_and_comes_back),
        TEST(what_is_not_durable_keeps_awake_who_saw_it),
        TEST(an_answer_finds_who_sleeps_by_its_id),
        TEST(who_waits_for_something_stays),
        TEST(it_sleeps_through_restarts),
        TEST(what_happened_after_the_snapshot_is_there),
        TEST(a_trap_leaves_it_as_it_was),
        TEST(messages_wait_for_the_disk_in_their_order),
        TEST(what_waits_for_the_disk_is_not_lost),
        TEST(a_pod_that_closes_keeps_who_sleeps),
        TEST(the_end_of_a_pod_wakes_those_with_last_words),
        TEST(the_end_of_a_pod_ends_who_sleeps),
        TEST(who_sleeps_is_handed_to_another_module),
        TEST(a_reset_ends_who_sleeps),
        TEST(slots_move_with_who_sleeps_in_them),
        TEST(replicas_sleep_and_go_when_they_are_too_many),
        TEST(two_with_the_same_hash_are_told_apart),
        TEST(one_whose_block_is_damaged_stays_where_it_is),
        TEST(the_disk_holds_little_more_than_who_sleeps),
        TEST(each_sleeps_after_its_own_time),
        TEST(memory_that_is_short_makes_them_sleep_sooner),
        TEST(a_shelf_that_cannot_be_written_ends_the_host),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
