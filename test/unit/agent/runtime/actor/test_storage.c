/* labels: threaded */
/* uses: pkg/agent/link */
#include "pkg/agent/runtime/actor/capture.h"
#include "pkg/agent/runtime/actor/storage.h"
#include "test/unit/agent/runtime/actor/asking.h"
#include "test/unit/agent/runtime/actor/room.h"

#include <pthread.h>

/* What a namespace takes on the disk: never more than its quota, and counted right. */

#define PAGE ((uint64_t)SW_USAGE_PAGE_BYTES)
#define REST_NS (2 * (uint64_t)SW_STORAGE_REST_NS)
#define FILL_BYTES 20000u
#define THREADS 4
#define ROUNDS 20000

static uint64_t pushed;

static void see(const struct sw_frame *frame)
{
    if (frame->kind == SW_FRAME_THROTTLED && frame->throttled.limit == SW_FRAME_LIMIT_QUOTA_STORAGE)
        pushed += frame->throttled.count;
}

static int set_up(void **state)
{
    (void)state;
    pushed = 0;
    actors_init(&actors, 2, 1);
    actors.see = see;
    open_three(0);
    return 0;
}

/* The records of the journal from the ground's point on. */
static enum sw_rc add_record(void *ctx, const struct sw_journal_entry *entry, struct sw_err *err)
{
    uint64_t *sum = ctx;
    uint64_t instance, pod;

    (void)err;
    if (entry->place.lsn >= atomic_load(&actors.shared.snapshots->ground_lsn) &&
        sw_record_peek(entry->record, &instance, &pod))
        *sum += entry->record.size + SW_JOURNAL_RECORD_HEAD_BYTES;
    return SW_OK;
}

static uint64_t memory_of(const struct sw_pod *pod)
{
    struct sw_map_entry each;
    uint64_t sum = 0;
    size_t at = 0;

    if (!pod->config.is_durable)
        return 0;
    while (sw_map_next(pod->instances, &at, &each))
        sum += ((const struct sw_instance *)each.value)->pages * PAGE;
    for (uint32_t i = 0; pod->asleep != NULL && i < SW_SLOTS; i++)
        if (pod->asleep[i] != NULL)
            sum += pod->asleep[i]->slept.pages * PAGE;
    return sum;
}

/* The same as used, counted once more: what is on the disk, and what is in memory. */
static uint64_t counted(void)
{
    struct sw_journal_report report;
    uint64_t sum = 0;

    assert_int_equal(
        sw_journal_scan(&actors.disk.system, "host", add_record, &sum, &report, &actors.failure),
        SW_OK);
    for (uint32_t i = 0; i < actors.count; i++) {
        struct sw_map_entry entry;
        size_t cursor = 0;

        while (sw_map_next(actors.workers[i]->pods, &cursor, &entry))
            sum += memory_of(entry.value);
    }
    return sum;
}

static int32_t told(uint64_t pod, const char *key, const char *body)
{
    uint64_t request = send(pod, key, body);

    assert_true(actors_reply(&actors, request)->is_there);
    return actors_reply(&actors, request)->status;
}

static const char *filling(void)
{
    static char body[FILL_BYTES + 1];

    memset(body, 'x', FILL_BYTES);
    return body;
}

static void pass(uint64_t ns)
{
    actors.disk.now_ns += ns;
    actors_settle(&actors);
}

static void take_snapshot(void)
{
    actors_settle(&actors);
    actors_rest(&actors);
    assert_int_equal(
        sw_snapshot_begin(&actors.shared, actors.workers, actors.count, &actors.failure), SW_OK);
    assert_int_equal(actors_snapshot(&actors), SW_OK);
}

/* --- What is counted ------------------------------------------------------------------------- */

static void records_and_memory_are_counted(void **state)
{
    uint64_t before;

    (void)state;
    assert_int_equal(used(), 0);
    assert_int_equal(told(1, "k", "add 1"), 0);
    assert_in_range(used(), PAGE, 2 * PAGE);
    assert_int_equal(used(), counted());
    assert_int_equal(told(1, "k", "grow 200000"), 0);
    assert_in_range(used(), 4 * PAGE, 5 * PAGE);
    assert_int_equal(used(), counted());
    before = used();
    assert_int_equal(told(3, "k", filling()), 0); /* It keeps nothing. */
    assert_int_equal(used(), before);
    assert_int_equal(told(2, "k", "send a/k|add 1~trap"), SW_E_INTERNAL);
    assert_int_equal(used(), counted());
}

static void a_snapshot_gives_back_what_records_took(void **state)
{
    uint64_t before;

    (void)state;
    for (int i = 0; i < 5; i++)
        assert_int_equal(told(1, "k", filling()), 0);
    before = used();
    assert_int_equal(before, counted());
    take_snapshot();
    assert_in_range(used(), PAGE, PAGE + 1000);
    assert_int_equal(used(), counted());
    assert_int_equal(told(1, "k", filling()), 0);
    assert_int_equal(used(), counted());
    restart(true);
    assert_int_equal(used(), counted());
    assert_in_range(used(), PAGE + FILL_BYTES, before - 1);
}

/* What comes after the point stays counted, and an abandoned one gives nothing back. */
static void only_records_before_the_point_are_given_back(void **state)
{
    uint64_t before;

    (void)state;
    assert_int_equal(told(1, "k", filling()), 0);
    actors_rest(&actors);
    assert_int_equal(
        sw_snapshot_begin(&actors.shared, actors.workers, actors.count, &actors.failure), SW_OK);
    assert_int_equal(told(1, "k", filling()), 0);
    before = used();
    sw_snapshot_abandon(&actors.shared);
    assert_int_equal(used(), before);
    actors.disk.now_ns += 100 * (uint64_t)1000000000;
    actors_rest(&actors);
    assert_int_equal(
        sw_snapshot_begin(&actors.shared, actors.workers, actors.count, &actors.failure), SW_OK);
    assert_int_equal(told(1, "k", filling()), 0);
    assert_int_equal(actors_snapshot(&actors), SW_OK);
    assert_in_range(used(), PAGE + FILL_BYTES, PAGE + 2 * FILL_BYTES);
    assert_int_equal(used(), counted());
}

static void who_ends_or_sleeps_is_counted_right(void **state)
{
    (void)state;
    assert_int_equal(told(1, "k1", "grow 100000"), 0);
    assert_int_equal(told(1, "k2", "add 1"), 0);
    assert_int_equal(told(2, "x", "add 1"), 0);
    save_all(); /* They sleep, some of them. */
    assert_int_equal(used(), counted());
    restart(false);
    assert_int_equal(used(), counted());
    open_three(0);
    actors_close(&actors, 1, true);
    actors_settle(&actors);
    assert_int_equal(used(), counted());
    assert_in_range(used(), PAGE, 2 * PAGE);
    take_snapshot();
    assert_int_equal(used(), counted());
}

/* --- What is beyond it ------------------------------------------------------------------------ */

static void clients_are_refused_when_it_is_used_up(void **state)
{
    uint64_t bound = 4 * PAGE;
    int taken = 0;

    (void)state;
    set_storage(bound);
    for (int i = 0; i < 30; i++) {
        taken += told(1, "k", filling()) == 0;
        assert_in_range(used(), 1, bound);
    }
    assert_in_range(taken, 5, 12);
    assert_int_equal(told(1, "k", filling()), SW_E_EXHAUSTED);
    assert_int_equal(used(), counted());
    pass(2 * (uint64_t)1000000000);
    assert_true(pushed > 0);
    take_snapshot();
    assert_int_equal(told(1, "k", filling()), 0);
    set_storage(0);
    for (int i = 0; i < 30; i++)
        assert_int_equal(told(1, "k", filling()), 0);
}

static void no_instance_is_made_for_which_there_is_no_room(void **state)
{
    char key[8];
    int made = 0;

    (void)state;
    set_storage(10 * PAGE);
    for (int i = 0; i < 20; i++) {
        snprintf(key, sizeof key, "k%d", i);
        made += told(1, key, "add 1") == 0;
        assert_in_range(used(), 1, 10 * PAGE);
    }
    assert_in_range(made, 7, 9);
    assert_int_equal(atomic_load(&space()->quota.instances), made);
    assert_int_equal(told(1, "k0", "add 1"), 0); /* For those that are there, there is. */
    assert_int_equal(told(3, "v", "add 1"), 0);  /* Who keeps nothing needs none. */
}

static void senders_are_pushed_back_and_that_is_recorded(void **state)
{
    char body[2040];

    (void)state;
    assert_int_equal(told(1, "k", "add 1"), 0);
    assert_int_equal(told(2, "x", "add 1"), 0);
    snprintf(body, sizeof body, "spam 60 b/x|add %0*d~get", 1900, 1);
    set_storage(used() + 40000);
    assert_int_equal(field(reply_to(send(1, "k", body)), "code"), SW_E_EXHAUSTED);
    assert_in_range(used(), 1, atomic_load(&space()->quota.storage_bytes_max));
    set_storage(0);
    pass(REST_NS);
    assert_in_range(field_of(2, "x", "counter"), 10, 30);
    restart(true);
    open_three(0);
    assert_int_equal(field_of(1, "k", "messages"), 3); /* By a replay, which must agree. */
}

/* What fits when it comes and not when it is done is as if it had not begun, and waits. */
static void what_turns_out_too_large_waits_until_there_is_room(void **state)
{
    uint64_t request, bound;

    (void)state;
    assert_int_equal(told(1, "k", "add 1"), 0);
    bound = used() + 3 * PAGE;
    set_storage(bound);
    request = send(1, "k", "add 5;grow 300000");
    for (int i = 0; i < 10; i++) {
        pass(REST_NS);
        assert_waits(request);
        assert_in_range(used(), 1, bound);
        assert_int_equal(used(), counted());
    }
    assert_true(pushed > 0);
    set_storage(bound + 3 * PAGE);
    pass(REST_NS);
    assert_int_equal(actors_reply(&actors, request)->status, 0);
    assert_true(actors_reply(&actors, request)->is_there);
    assert_int_equal(field_of(1, "k", "counter"), 6); /* Once. */
    assert_int_equal(used(), counted());
}

/* The same of a turn that waits: the answer is kept, and given to it once. */
static void a_turn_that_waits_goes_on_when_there_is_room(void **state)
{
    uint64_t request;

    (void)state;
    assert_int_equal(told(1, "k", "add 1"), 0);
    request = send(1, "k", "sleep 1000;grow 300000;add 7");
    assert_waits(request);
    set_storage(used() + 3 * PAGE);
    for (int i = 0; i < 5; i++) {
        pass(REST_NS);
        assert_waits(request);
    }
    set_storage(used() + 9 * PAGE);
    pass(REST_NS);
    assert_true(actors_reply(&actors, request)->is_there);
    assert_int_equal(actors_reply(&actors, request)->status, 0);
    assert_int_equal(field_of(1, "k", "counter"), 8);
}

/* How many of a Pod's instances run another program than it does. */
static unsigned count_old(uint64_t number)
{
    unsigned count = 0;

    for (uint32_t i = 0; i < actors.count; i++) {
        size_t cursor = 0;
        void *value;

        while (sw_idmap_next(actors.workers[i]->instances, &cursor, NULL, &value)) {
            const struct sw_instance *instance = value;

            count += instance->pod->config.pod == number && instance->spec != instance->pod->spec;
        }
    }
    return count;
}

/* Until then it goes on with its old program; and no message has to come for that. */
static void an_upgrade_comes_when_there_is_room(void **state)
{
    static struct sw_guest_module second;

    (void)state;
    second = (struct sw_guest_module){
        .refs = 1, .has_on_timer = true, .on_upgrade = "", .version = 8, .factor = 10};
    assert_int_equal(told(1, "k", "add 1"), 0);
    set_storage(used() + 1);
    actors.next_module = &second;
    actors_open(&actors, &(struct actors_pod){
                             .number = 1, .agent = "a", .is_keyed = true, .digest = "sha256:2"});
    for (int i = 0; i < 5; i++) {
        pass(REST_NS);
        assert_int_equal(count_old(1), 1);
    }
    assert_true(pushed > 0);
    set_storage(used() + 9 * PAGE);
    pass(REST_NS);
    assert_int_equal(count_old(1), 0);
    assert_int_equal(used(), counted());
}

static void instances_may_end_where_it_is_used_up(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++)
        assert_int_equal(told(1, "k", filling()), 0);
    assert_int_equal(told(2, "x", "add 1"), 0);
    set_storage(1);
    assert_int_equal(told(2, "x", "add 1"), SW_E_EXHAUSTED);
    actors_close(&actors, 1, true);
    pass(REST_NS);
    assert_int_equal(atomic_load(&space()->quota.instances), 1);
    assert_int_equal(used(), counted());
}

/* One that records have filled asks for a snapshot, but not for one after the other. */
static void a_snapshot_is_asked_for_where_it_helps(void **state)
{
    (void)state;
    set_storage(4 * PAGE);
    assert_false(sw_snapshot_is_due(&actors.shared));
    while (told(1, "k", filling()) == 0)
        assert_false(sw_snapshot_is_due(&actors.shared));
    assert_true(sw_snapshot_is_due(&actors.shared));
    take_snapshot();
    assert_false(sw_snapshot_is_due(&actors.shared));
    while (told(1, "k", filling()) == 0)
        assert_false(sw_snapshot_is_due(&actors.shared));
    assert_false(sw_snapshot_is_due(&actors.shared)); /* The last one was a moment ago. */
    pass(2 * (uint64_t)1000000000);
    assert_true(sw_snapshot_is_due(&actors.shared));
    set_storage(used() + 100);
    take_snapshot();
    pass(10 * (uint64_t)1000000000);
    set_storage(used() + 10);
    assert_int_equal(told(1, "k", "add 1"), SW_E_EXHAUSTED);
    assert_false(sw_snapshot_is_due(&actors.shared)); /* Memory is what takes it all. */
}

/* --- Any interleaving ------------------------------------------------------------------------- */

static struct sw_quota shared_quota;
static _Atomic uint64_t in_use, most_in_use, granted;

static void *use_it(void *ctx)
{
    uint64_t random = (uint64_t)(uintptr_t)ctx, held[64];
    uint32_t count = 0;

    for (int i = 0; i < ROUNDS; i++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        uint64_t bytes = 1 + (random >> 40) % 700;
        if (random >> 63 == 0 && count < 64 && sw_quota_reserve_storage(&shared_quota, bytes)) {
            uint64_t now = atomic_fetch_add(&in_use, bytes) + bytes;
            uint64_t most = atomic_load(&most_in_use);

            while (now > most && !atomic_compare_exchange_weak(&most_in_use, &most, now))
                continue;
            atomic_fetch_add(&granted, bytes);
            held[count++] = bytes;
        } else if (count > 0) {
            atomic_fetch_sub(&in_use, held[--count]); /* Before it may be another's. */
            sw_quota_release_storage(&shared_quota, held[count]);
        }
    }
    while (count > 0) {
        atomic_fetch_sub(&in_use, held[--count]);
        sw_quota_release_storage(&shared_quota, held[count]);
    }
    return NULL;
}

static void no_interleaving_passes_it(void **state)
{
    const struct sw_quota_limits limits = {SW_QUOTA_NONE, SW_QUOTA_NONE, 0, 0, 1000, 0, 0};
    pthread_t threads[THREADS];

    (void)state;
    sw_quota_init(&shared_quota);
    sw_quota_set(&shared_quota, &limits, 0);
    for (uintptr_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, use_it, (void *)(i + 1)), 0);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_in_range(atomic_load(&most_in_use), 1, 1000);
    assert_in_range(atomic_load(&granted), 1001, UINT64_MAX); /* It was used again. */
    assert_int_equal(atomic_load(&shared_quota.storage_bytes), 0);
    assert_false(sw_quota_has_storage(&shared_quota, 1001));
    assert_true(sw_quota_reserve_storage(&shared_quota, 1000));
    assert_false(sw_quota_reserve_storage(&shared_quota, 1));
    sw_quota_done(&shared_quota);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down_unbroken)
        TEST(records_and_memory_are_counted),
        TEST(a_snapshot_gives_back_what_records_took),
        TEST(only_records_before_the_point_are_given_back),
        TEST(who_ends_or_sleeps_is_counted_right),
        TEST(clients_are_refused_when_it_is_used_up),
        TEST(no_instance_is_made_for_which_there_is_no_room),
        TEST(senders_are_pushed_back_and_that_is_recorded),
        TEST(what_turns_out_too_large_waits_until_there_is_room),
        TEST(a_turn_that_waits_goes_on_when_there_is_room),
        TEST(an_upgrade_comes_when_there_is_room),
        TEST(instances_may_end_where_it_is_used_up),
        TEST(a_snapshot_is_asked_for_where_it_helps),
        cmocka_unit_test(no_interleaving_passes_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
