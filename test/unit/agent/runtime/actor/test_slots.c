/* uses: pkg/agent/link */
/* timeout: 300 */
#include "pkg/agent/runtime/actor/slots.h"
#include "pkg/agent/runtime/actor/snapshot.h"
#include "pkg/utils/base/hash.h"
#include "test/unit/agent/runtime/actor/asking.h"

#define KEYS 40

/* Pod 1 has all slots of Agent "a" at first, Pod 2 has none: they are on different workers. Pod 3
 * is of Agent "b". */
/* The slots of a Pod: those that recovery found, or at first all for Pod 1 and none for Pod 2. */
static const uint8_t *slots_of(uint64_t number)
{
    static uint8_t slots[SW_SLOTS / 8];
    struct sw_recovered_pod pod;
    size_t cursor = 0;

    memset(slots, number == 1 ? 0xff : 0, sizeof slots);
    while (sw_recovered_next(actors.workers[number % 2], &cursor, &pod))
        if (pod.pod == number)
            memcpy(slots, pod.route.pod.slots, sizeof slots);
    return slots;
}

static void open_pods(bool is_volatile)
{
    for (uint64_t i = 1; i <= 2; i++)
        actors_open(&actors, &(struct actors_pod){.number = i,
                                                  .agent = "a",
                                                  .is_keyed = true,
                                                  .is_volatile = is_volatile,
                                                  .slots = slots_of(i)});
    actors_open(&actors, &(struct actors_pod){.number = 3, .agent = "b", .is_keyed = true});
    actors_settle(&actors);
}

static int set_up(void **state)
{
    (void)state;
    actors_init(&actors, 2, 1);
    open_pods(false);
    return 0;
}

static void take(uint64_t pod, uint32_t first, uint32_t count)
{
    uint8_t slots[SW_SLOTS / 8] = {0};
    struct sw_slots_take job = {.shared = &actors.shared,
                                .workers = actors.workers,
                                .count = actors.count,
                                .pod = pod,
                                .slots = slots};

    for (uint32_t slot = first; slot < first + count; slot++)
        slots[slot / 8] |= (uint8_t)(1u << slot % 8);
    sw_workers_settle(actors.workers, actors.count);
    sw_slots_take(&job);
}

static const char *key_of(int i)
{
    static char key[16];

    snprintf(key, sizeof key, "k%d", i);
    return key;
}

static void fill(void)
{
    char body[32];

    for (int i = 0; i < KEYS; i++) {
        snprintf(body, sizeof body, "add %d", i);
        actors_ask(&actors, 1, key_of(i), body);
    }
}

static void check(long long more)
{
    for (int i = 0; i < KEYS; i++)
        assert_int_equal(field_of(1, key_of(i), "counter"), i + more);
}

static void instances_move_with_their_slots_and_back(void **state)
{
    struct sw_worker_view first, second;

    (void)state;
    fill();
    take(2, 0, 128);
    check(0);
    sw_worker_view(actors.workers[1], &first);
    sw_worker_view(actors.workers[0], &second);
    assert_true(first.instances > 0 && second.instances > 0);
    assert_int_equal(first.instances + second.instances, KEYS);
    take(1, 0, 256);
    check(0);
    sw_worker_view(actors.workers[1], &first);
    assert_int_equal(first.instances, KEYS);
}

static uint8_t hash_key[16]; /* Of Agent "a". */

static uint32_t slot_of(const char *key)
{
    sw_slot_key((struct sw_bytes){"01932c07-8ba2-7c1e-9a2b-012345678961", 36}, hash_key);
    return sw_slot_of(hash_key, (struct sw_bytes){key, strlen(key)});
}

static void what_stands_in_braces_decides_the_slot(void **state)
{
    static const char *const whole[] = {"", "{", "}", "{}", "}{", "{ada", "ada}", "{}{ada}"};
    bool differs = false;

    (void)state;
    for (int i = 0; i < 100; i++) {
        char alone[32], braced[32], longer[64];

        snprintf(alone, sizeof alone, "%d", i);
        snprintf(braced, sizeof braced, "{%d}", i);
        snprintf(longer, sizeof longer, "a}trip-{%d}-{%d}}", i, i + 1);
        assert_int_equal(slot_of(alone), slot_of(braced));
        assert_int_equal(slot_of(alone), slot_of(longer));
        differs |= slot_of(alone) != slot_of("0");
    }
    assert_true(differs);
    for (size_t i = 0; i < sizeof whole / sizeof whole[0]; i++) {
        uint32_t slot = slot_of(whole[i]);

        assert_int_equal(slot, sw_siphash(hash_key, whole[i], strlen(whole[i])) % SW_SLOTS);
    }
}

/* Each writes to its neighbour, by name: that is on the same worker, also after half have moved. */
static void what_shares_its_braces_lives_and_moves_together(void **state)
{
    char script[64], key[32];

    (void)state;
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < KEYS; i++) {
            snprintf(script, sizeof script, "send a/trip-{%d}|add %d", i, i);
            snprintf(key, sizeof key, "{%d}", i);
            actors_send(&actors, round == 1 && slot_of(key) < 128 ? 2 : 1, key, script);
        }
        for (uint32_t worker = 0; worker < 2; worker++) {
            sw_worker_run(actors.workers[worker], 4096);
            assert_null(sw_worker_sent(actors.workers[worker], 1 - worker));
        }
        actors_settle(&actors);
        take(2, 0, 128);
    }
    for (int i = 0; i < KEYS; i++) {
        snprintf(key, sizeof key, "trip-{%d}", i);
        assert_int_equal(field_of(1, key, "counter"), 2 * i);
    }
}

static void a_restart_finds_them_where_they_were_moved(void **state)
{
    (void)state;
    fill();
    take(2, 100, 100);
    for (int i = 0; i < KEYS; i++)
        actors_ask(&actors, 1, key_of(i), "add 1");
    for (int power = 0; power < 2; power++) {
        restart(power == 1);
        open_pods(false);
        check(1);
    }
}

static void what_waits_in_mailboxes_and_for_timers_moves_along(void **state)
{
    uint64_t requests[KEYS];

    (void)state;
    fill();
    for (int i = 0; i < KEYS; i++) {
        actors_send(&actors, 1, key_of(i), "timer 1 1000;sub all.*");
        requests[i] = actors_send(&actors, 1, key_of(i), "add 1;get");
    }
    take(2, 0, 256);
    actors_settle(&actors);
    actors.disk.now_ns += 2000;
    actors_publish(&actors, "all.of", "x");
    actors_settle(&actors);
    for (int i = 0; i < KEYS; i++) {
        assert_int_equal(field(actors_reply(&actors, requests[i])->body, "counter"), i + 1);
        assert_int_equal(field_of(1, key_of(i), "timers"), 1);
        assert_int_equal(field_of(1, key_of(i), "published"), 1);
    }
}

static void an_answer_finds_who_asked_after_both_moved_and_the_pod_is_gone(void **state)
{
    (void)state;
    fill();
    for (int i = 0; i < KEYS; i++)
        actors_send(&actors, 1, key_of(i), "ask 7 b/x|hold");
    actors_settle(&actors);
    take(2, 0, 256);
    actors_close(&actors, 1, true);
    actors_settle(&actors);
    assert_int_equal(actors.closed, 1);
    save_all();
    restart(true);
    actors_open(&actors, &(struct actors_pod){.number = 2, .agent = "a", .is_keyed = true});
    actors_open(&actors, &(struct actors_pod){.number = 3, .agent = "b", .is_keyed = true});
    actors_ask(&actors, 3, "x", "release");
    actors_settle(&actors);
    for (int i = 0; i < KEYS; i++)
        assert_int_equal(field(actors_ask(&actors, 2, key_of(i), "get"), "replies"), 1);
    restart(true);
    actors_open(&actors, &(struct actors_pod){.number = 2, .agent = "a", .is_keyed = true});
    actors_open(&actors, &(struct actors_pod){.number = 3, .agent = "b", .is_keyed = true});
    for (int i = 0; i < KEYS; i++)
        assert_int_equal(field(actors_ask(&actors, 2, key_of(i), "get"), "replies"), 1);
}

/* More of them wait than a worker keeps awake: both kinds move, and go on once. */
static void a_handler_in_the_middle_moves_with_its_slot(void **state)
{
    enum { COUNT = 600 };
    char key[16], script[120];

    (void)state;
    for (uint32_t i = 0; i < COUNT; i++) {
        snprintf(key, sizeof key, "w%u", i);
        snprintf(script, sizeof script, "add 1;await 0 b/%u|hold~add 1;sleep 1000000000;add 1", i);
        actors_send(&actors, 1, key, script);
    }
    actors_settle(&actors);
    take(2, 0, 200);
    for (uint32_t i = 0; i < COUNT; i += 2) {
        snprintf(key, sizeof key, "%u", i);
        actors_ask(&actors, 3, key, "release");
    }
    take(1, 100, 156);
    restart(true);
    open_pods(false);
    for (uint32_t i = 1; i < COUNT; i += 2) {
        snprintf(key, sizeof key, "%u", i);
        actors_ask(&actors, 3, key, "release");
    }
    take(2, 0, 256);
    actors.disk.now_ns += 2000000000u;
    actors_settle(&actors);
    for (uint32_t i = 0; i < COUNT; i++) {
        snprintf(key, sizeof key, "w%u", i);
        assert_int_equal(field_of(1, key, "counter"), 3);
        assert_int_equal(field_of(1, key, "code"), 0);
    }
    /* A circle is seen wherever its members are by now. */
    actors_send(&actors, 1, "round", "await 0 b/r|sleep 1000000000;await 0 a/round|get^get~get");
    actors_settle(&actors);
    take(1, 0, 256);
    actors.disk.now_ns += 2000000000u;
    actors_settle(&actors);
    assert_non_null(strstr(actors_ask(&actors, 1, "round", "get"), "code=-10"));
    assert_int_equal(actors.events, 0);
}

static void what_was_sent_before_the_move_and_not_handled_comes_after_a_crash(void **state)
{
    (void)state;
    fill();
    for (int i = 0; i < KEYS; i++) {
        char body[64];
        snprintf(body, sizeof body, "send a/k%d|add 100", i);
        actors_send(&actors, 3, "sender", body);
    }
    sw_worker_run(actors.workers[1], 4096); /* The sender's: what it sends is under way only. */
    take(2, 0, 200);
    assert_int_equal(sw_journal_commit(actors.shared.journal, NULL), SW_OK);
    restart(false);
    open_pods(false);
    check(100);
}

static void what_is_not_durable_crosses_workers_with_its_memory(void **state)
{
    (void)state;
    actors_done(&actors);
    actors_init(&actors, 2, 1);
    open_pods(true);
    fill();
    take(2, 0, 256);
    check(0);
}

/* Moves at random times between random requests, crashes included, against a count per key. */
static void random_moves_lose_and_double_nothing(void **state)
{
    long long wanted[KEYS] = {0};
    uint64_t random = 88172645463325252u, snapshots = 0, begun = 0;
    struct sw_snapshot_limits limits = {.sweep_bytes = 1};

    (void)state;
    sw_snapshot_limit(&actors.shared, &limits);
    for (int round = 0; round < 3000; round++) {
        random ^= random << 13, random ^= random >> 7, random ^= random << 17;
        if (random % 10 < 7) {
            int i = (int)(random >> 8) % KEYS;
            i = i < 0 ? -i : i;
            actors_send(&actors, 1 + (random >> 40) % 2, key_of(i), "add 1");
            wanted[i]++;
            snapshots += sw_snapshot_advance(&actors.shared, NULL) == SW_OK &&
                         sw_snapshot_phase(&actors.shared) == SW_SNAPSHOT_NAMED;
            if (random % 3 == 0)
                sw_worker_run(actors.workers[(random >> 20) % 2], 1);
        } else if (random % 20 == 18) { /* Of the rest, so that moves meet all its phases. */
            sw_workers_settle(actors.workers, actors.count);
            begun += sw_snapshot_begin(&actors.shared, actors.workers, actors.count, NULL) == SW_OK;
        } else if (random % 10 < 9) {
            take(1 + (random >> 30) % 2, (uint32_t)(random >> 10) % 200,
                 (uint32_t)(random >> 18) % 56);
        } else {
            actors_settle(&actors);
            restart(random % 2 == 0);
            open_pods(false);
        }
    }
    actors_settle(&actors);
    assert_true(begun > 3 && snapshots > 3);
    for (int i = 0; i < KEYS; i++)
        assert_int_equal(field_of(1, key_of(i), "counter"), wanted[i]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(instances_move_with_their_slots_and_back),
        TEST(what_stands_in_braces_decides_the_slot),
        TEST(what_shares_its_braces_lives_and_moves_together),
        TEST(a_restart_finds_them_where_they_were_moved),
        TEST(what_waits_in_mailboxes_and_for_timers_moves_along),
        TEST(an_answer_finds_who_asked_after_both_moved_and_the_pod_is_gone),
        TEST(a_handler_in_the_middle_moves_with_its_slot),
        TEST(what_was_sent_before_the_move_and_not_handled_comes_after_a_crash),
        TEST(what_is_not_durable_crosses_workers_with_its_memory),
        TEST(random_moves_lose_and_double_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
