/* labels: threaded */
#include "pkg/agent/runtime/actor/quota.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <pthread.h>
#include <string.h>

/* Messages of a namespace at its quota: never more than it may, never less than it could, and each
 * Agent its part, whoever asks more often. */

#define SECOND_NS 1000000000u
#define MS_NS 1000000u
#define AGENTS_MAX 8
#define THREADS 4

static struct sw_quota quota;

struct agent {
    struct sw_quota_turn turn;
    uint64_t every_ns, next_ns; /* When it asks; */
    uint32_t burst;             /* so often at once. */
    uint64_t asked, taken;
};

static uint64_t random_state;

static uint64_t any(uint64_t below)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (random_state >> 33) % below;
}

static void begin(uint32_t per_s)
{
    const struct sw_quota_limits limits = {SW_QUOTA_NONE, SW_QUOTA_NONE, per_s, 0, 0, 0, 0};

    memset(&quota, 0, sizeof quota);
    sw_quota_init(&quota);
    sw_quota_set(&quota, &limits, 0);
}

static void end(struct agent *agents, size_t count)
{
    for (size_t i = 0; i < count; i++)
        sw_quota_leave(&quota, &agents[i].turn);
    assert_true(sw_list_is_empty(&quota.turns));
    assert_int_equal(atomic_load(&quota.turns_count), 0);
    sw_quota_done(&quota);
}

/* One after the other, whoever is due: until a time. Returns how many were taken. */
static uint64_t run(struct agent *agents, size_t count, uint64_t until_ns)
{
    uint64_t taken = 0;

    for (;;) {
        struct agent *next = &agents[0];
        uint64_t room_ns = 0;

        for (size_t i = 1; i < count; i++)
            if (agents[i].next_ns < next->next_ns)
                next = &agents[i];
        if (next->next_ns >= until_ns)
            return taken;
        for (uint32_t i = 0; i < next->burst; i++) {
            next->asked++;
            if (sw_quota_take_message(&quota, &next->turn, next->next_ns, &room_ns)) {
                next->taken++;
                taken++;
            } else {
                assert_in_range(room_ns, next->next_ns + 1, UINT64_MAX);
            }
        }
        next->next_ns += 1 + next->every_ns / 2 + any(next->every_ns);
    }
}

/* Random Agents that all want more than there is: in any second they get what may be had and no
 * more, and over some time each what its weight says. */
static void each_gets_its_part_whoever_asks_more_often(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        struct agent agents[AGENTS_MAX] = {0};
        size_t count;
        uint32_t per_s, weights = 0;
        uint64_t taken, now_ns = 5 * (uint64_t)SECOND_NS;

        random_state = seed;
        count = 2 + any(AGENTS_MAX - 1);
        per_s = (uint32_t)(20 + any(400));
        begin(per_s);
        for (size_t i = 0; i < count; i++) {
            uint32_t weight = (uint32_t)(any(2) == 0 ? 100 : 50 + any(350));

            atomic_store(&agents[i].turn.weight, weight);
            weights += weight;
            agents[i].burst = (uint32_t)(1 + any(4));
            /* One asks a little more than all may have, another one fifty times as often. */
            agents[i].every_ns = agents[i].burst * (uint64_t)SECOND_NS / per_s / (2 + any(50));
            agents[i].next_ns = now_ns + any(MS_NS);
        }
        (void)run(agents, count, now_ns + 2 * (uint64_t)SECOND_NS); /* The burst is over. */
        now_ns += 2 * (uint64_t)SECOND_NS;
        for (size_t i = 0; i < count; i++)
            agents[i].taken = 0;
        taken = run(agents, count, now_ns + 10 * (uint64_t)SECOND_NS);
        assert_in_range(taken, per_s * 10u - per_s / 10 - 2 * count, per_s * 11u + 1);
        for (size_t i = 0; i < count; i++) {
            uint64_t part = taken * atomic_load(&agents[i].turn.weight) / weights;

            if (agents[i].taken + part / 20 + 4 < part || agents[i].taken > part + part / 20 + 4)
                fail_msg("seed %llu: Agent %zu of %zu had %llu of %llu, its part is %llu",
                         (unsigned long long)seed, i, count, (unsigned long long)agents[i].taken,
                         (unsigned long long)taken, (unsigned long long)part);
        }
        end(agents, count);
    }
}

/* Who asks for less than its part gets all of it, and the others the rest. */
static void what_one_does_not_ask_for_others_get(void **state)
{
    struct agent agents[3] = {0};
    uint64_t now_ns = 5 * (uint64_t)SECOND_NS, taken;

    (void)state;
    random_state = 7;
    begin(100);
    agents[0] = (struct agent){.burst = 1, .every_ns = 100 * MS_NS, .next_ns = now_ns};
    agents[1] = (struct agent){.burst = 1, .every_ns = MS_NS, .next_ns = now_ns};
    agents[2] = (struct agent){.burst = 30, .every_ns = 300 * MS_NS, .next_ns = now_ns};
    (void)run(agents, 3, now_ns + 2 * (uint64_t)SECOND_NS);
    now_ns += 2 * (uint64_t)SECOND_NS;
    for (size_t i = 0; i < 3; i++)
        agents[i].asked = agents[i].taken = 0;
    taken = run(agents, 3, now_ns + 20 * (uint64_t)SECOND_NS);
    assert_in_range(taken, 1950, 2101);
    assert_in_range(agents[0].taken, agents[0].asked * 9 / 10, agents[0].asked); /* 10 a second. */
    assert_in_range(agents[2].taken, 780, 1000); /* 45 a second, thirty of them at once. */
    assert_in_range(agents[1].taken, 800, 1150);
    end(agents, 3);
}

/* Five hosts share two messages a second: in no second they take more, and each has its own. */
static void hosts_never_have_the_same_message(void **state)
{
    enum { HOSTS = 5, SECONDS = 60, PERIOD = 3 };
    struct sw_quota hosts[HOSTS];
    struct sw_quota_turn turns[HOSTS];
    uint32_t taken[SECONDS] = {0}, of_host[HOSTS] = {0};

    (void)state;
    memset(turns, 0, sizeof turns);
    memset(hosts, 0, sizeof hosts);
    for (uint32_t i = 0; i < HOSTS; i++) {
        const struct sw_quota_limits limits = {SW_QUOTA_NONE, SW_QUOTA_NONE, 1, 0, 0,
                                               PERIOD,        i % PERIOD};

        sw_quota_init(&hosts[i]);
        sw_quota_set(&hosts[i], &limits, 0);
    }
    for (uint64_t now_ns = 0; now_ns < SECONDS * (uint64_t)SECOND_NS; now_ns += 7 * MS_NS)
        for (uint32_t i = 0; i < HOSTS; i++) {
            uint64_t room_ns = 0;

            if (sw_quota_take_message(&hosts[i], &turns[i], now_ns, &room_ns)) {
                taken[now_ns / SECOND_NS]++;
                of_host[i]++;
            } else {
                assert_in_range(room_ns, now_ns + 1, now_ns + PERIOD * (uint64_t)SECOND_NS);
            }
        }
    for (uint32_t i = 0; i < SECONDS; i++)
        assert_in_range(taken[i], 1, 2);
    for (uint32_t i = 0; i < HOSTS; i++) {
        assert_int_equal(of_host[i], SECONDS / PERIOD);
        sw_quota_leave(&hosts[i], &turns[i]);
        sw_quota_done(&hosts[i]);
    }
}

/* One of a second: A, B and C come in turn. */
static void few_messages_are_had_in_turn(void **state)
{
    struct agent agents[3] = {0};
    uint64_t now_ns = 5 * (uint64_t)SECOND_NS;

    (void)state;
    random_state = 3;
    begin(1);
    for (size_t i = 0; i < 3; i++)
        agents[i] =
            (struct agent){.burst = 1, .every_ns = (10 + 40 * i) * MS_NS, .next_ns = now_ns + i};
    (void)run(agents, 3, now_ns + 31 * (uint64_t)SECOND_NS);
    for (size_t i = 0; i < 3; i++)
        assert_in_range(agents[i].taken, 10, 11);
    end(agents, 3);
}

/* Who was refused and never comes back holds nobody up for long. */
static void who_does_not_come_back_is_forgotten(void **state)
{
    struct agent gone = {0}, stays = {0};
    uint64_t now_ns = 5 * (uint64_t)SECOND_NS, room_ns;

    (void)state;
    begin(10);
    for (int i = 0; i < 10; i++)
        assert_true(sw_quota_take_message(&quota, &stays.turn, now_ns, &room_ns));
    for (int i = 0; i < 100; i++)
        assert_false(sw_quota_take_message(&quota, &gone.turn, now_ns, &room_ns));
    assert_false(sw_quota_take_message(&quota, &stays.turn, now_ns, &room_ns));
    now_ns += 3 * (uint64_t)SECOND_NS;
    for (int i = 0; i < 10; i++)
        assert_true(sw_quota_take_message(&quota, &stays.turn, now_ns, &room_ns));
    assert_int_equal(gone.turn.refused, 0);
    end(&stays, 1);
}

/* More Agents than have turns: none is harmed but that it takes what is left. */
static void turns_are_bounded(void **state)
{
    static struct sw_quota_turn turns[SW_QUOTA_TURNS_MAX + 10];
    uint64_t now_ns = 5 * (uint64_t)SECOND_NS, room_ns, taken = 0;

    (void)state;
    begin(1);
    for (size_t i = 0; i < SW_QUOTA_TURNS_MAX + 10; i++)
        taken += sw_quota_take_message(&quota, &turns[i], now_ns, &room_ns);
    assert_int_equal(taken, 1);
    assert_int_equal(atomic_load(&quota.turns_count), SW_QUOTA_TURNS_MAX);
    for (size_t i = 0; i < SW_QUOTA_TURNS_MAX + 10; i++)
        sw_quota_leave(&quota, &turns[i]);
    assert_int_equal(atomic_load(&quota.turns_count), 0);
    sw_quota_done(&quota);
}

/* --- Many at once ----------------------------------------------------------------------------- */

static _Atomic uint64_t all_taken;

static void *ask(void *ctx)
{
    struct sw_quota_turn *turn = ctx;
    uint64_t room_ns;

    for (uint64_t ms = 0; ms < 2000; ms++)
        for (int i = 0; i < 5; i++)
            if (sw_quota_take_message(&quota, turn, (5000 + ms) * MS_NS, &room_ns))
                atomic_fetch_add(&all_taken, 1);
    return NULL;
}

/* Threads whose clocks differ take no more together than the latest of them could have. */
static void no_interleaving_takes_more(void **state)
{
    struct sw_quota_turn turns[THREADS] = {0};
    pthread_t threads[THREADS];

    (void)state;
    begin(1000);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, ask, &turns[i]), 0);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_in_range(atomic_load(&all_taken), 1000, 3000);
    for (int i = 0; i < THREADS; i++)
        sw_quota_leave(&quota, &turns[i]);
    assert_true(sw_list_is_empty(&quota.turns));
    sw_quota_done(&quota);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_gets_its_part_whoever_asks_more_often),
        cmocka_unit_test(what_one_does_not_ask_for_others_get),
        cmocka_unit_test(hosts_never_have_the_same_message),
        cmocka_unit_test(few_messages_are_had_in_turn),
        cmocka_unit_test(who_does_not_come_back_is_forgotten),
        cmocka_unit_test(turns_are_bounded),
        cmocka_unit_test(no_interleaving_takes_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
