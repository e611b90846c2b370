#include "pkg/agent/runtime/host/balance.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define PODS 40u
#define S UINT64_C(1000000000)
#define PERCENT 10000u

static uint64_t random_state = 7;

static uint32_t random_below(uint32_t limit)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)((random_state >> 33) % limit);
}

static struct sw_balance_load load(uint64_t pod, uint32_t worker, uint32_t percent)
{
    return (struct sw_balance_load){.pod = pod, .worker = worker, .ppm = percent * PERCENT};
}

static void who_relieves_most_goes_to_the_coolest(void **state)
{
    const struct sw_balance_load loads[] = {load(1, 0, 50), load(2, 0, 30), load(3, 0, 15),
                                            load(4, 1, 20), load(5, 2, 5)};
    struct sw_balance_plan plan;

    (void)state;
    assert_true(sw_balance_choose(loads, 5, 3, &plan));
    assert_int_equal(plan.pod, 1); /* 45 and 55 are left, of 95. */
    assert_int_equal(plan.from, 0);
    assert_int_equal(plan.to, 2);
    assert_int_equal(plan.hot_ppm, 95 * PERCENT);
    assert_int_equal(plan.cool_ppm, 5 * PERCENT);
    assert_int_equal(plan.gain_ppm, 40 * PERCENT);
}

static void what_is_not_worth_while_stays(void **state)
{
    const struct sw_balance_load alone[] = {load(1, 0, 100), load(2, 1, 3)};
    const struct sw_balance_load cool[] = {load(1, 0, 12), load(2, 0, 12)};
    const struct sw_balance_load even[] = {load(1, 0, 40), load(2, 0, 40), load(3, 1, 70)};
    struct sw_balance_load staying[] = {load(1, 0, 45), load(2, 0, 45)};
    struct sw_balance_plan plan;

    (void)state;
    assert_false(sw_balance_choose(alone, 2, 2, &plan)); /* It is the heat, wherever it is. */
    assert_false(sw_balance_choose(cool, 2, 2, &plan));
    assert_false(sw_balance_choose(even, 3, 2, &plan));
    assert_false(sw_balance_choose(staying, 2, 1, &plan));
    assert_false(sw_balance_choose(staying, 0, 4, &plan));
    assert_true(sw_balance_choose(staying, 2, 2, &plan));
    assert_int_equal(plan.pod, 1);
    staying[0].stays = true;
    assert_true(sw_balance_choose(staying, 2, 2, &plan));
    assert_int_equal(plan.pod, 2);
    staying[1].stays = true;
    assert_false(sw_balance_choose(staying, 2, 2, &plan));
}

static uint64_t sum_of(const struct sw_balance_load *loads, size_t count, uint32_t worker)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < count; i++)
        sum += loads[i].worker == worker ? loads[i].ppm : 0;
    return sum;
}

static uint64_t hottest(const struct sw_balance_load *loads, size_t count, uint32_t workers)
{
    uint64_t most = 0;

    for (uint32_t i = 0; i < workers; i++)
        if (sum_of(loads, count, i) > most)
            most = sum_of(loads, count, i);
    return most;
}

/* Whatever the loads: each move is a gain, none undoes another one, and they come to an end. */
static void moves_gain_and_come_to_an_end(void **state)
{
    (void)state;
    for (int round = 0; round < 3000; round++) {
        struct sw_balance_load loads[PODS];
        uint32_t workers = 1 + random_below(8), moves = 0;
        size_t count = random_below(PODS);
        struct sw_balance_plan plan;

        for (size_t i = 0; i < count; i++)
            loads[i] =
                (struct sw_balance_load){.pod = i + 1,
                                         .worker = random_below(workers),
                                         .ppm = random_below(round % 2 == 0 ? 1000000 : 150000),
                                         .stays = random_below(10) == 0};
        while (sw_balance_choose(loads, count, workers, &plan)) {
            struct sw_balance_load *moved = &loads[plan.pod - 1];
            uint64_t before = hottest(loads, count, workers);
            uint64_t from = sum_of(loads, count, plan.from), to = sum_of(loads, count, plan.to);
            uint64_t more =
                to + moved->ppm > from - moved->ppm ? to + moved->ppm : from - moved->ppm;

            assert_int_not_equal(plan.from, plan.to);
            assert_int_equal(moved->worker, plan.from);
            assert_false(moved->stays);
            assert_int_equal(plan.hot_ppm, from);
            assert_int_equal(plan.gain_ppm, from - more);
            assert_true(plan.gain_ppm >= SW_BALANCE_GAIN && from >= SW_BALANCE_BUSY);
            moved->worker = plan.to;
            assert_true(hottest(loads, count, workers) <= before);
            assert_true(++moves <= 4 * PODS);
        }
    }
}

/* --- Over time ------------------------------------------------------------------------------- */

struct world {
    struct sw_balance *balance;
    uint64_t now_ns, busy_ns[PODS], moved_ns[PODS];
    uint32_t worker[PODS], workers, count, moves;
    uint64_t last_ns;
};

/* One look, behind so much time in which Pods took so many percent. */
static void look(struct world *world, const uint32_t *percent)
{
    struct sw_balance_plan plan;

    world->now_ns += SW_BALANCE_SEE_NS;
    for (uint32_t i = 0; i < world->count; i++) {
        world->busy_ns[i] += SW_BALANCE_SEE_NS / 100 * percent[i];
        assert_int_equal(sw_balance_see(world->balance, i + 1, world->worker[i], world->busy_ns[i],
                                        world->now_ns),
                         SW_OK);
    }
    if (!sw_balance_next(world->balance, world->now_ns, &plan))
        return;
    assert_true(world->last_ns == 0 || world->now_ns >= world->last_ns + SW_BALANCE_REST_NS);
    assert_true(world->moved_ns[plan.pod - 1] == 0 ||
                world->now_ns >= world->moved_ns[plan.pod - 1] + SW_BALANCE_POD_REST_NS);
    world->last_ns = world->moved_ns[plan.pod - 1] = world->now_ns;
    world->worker[plan.pod - 1] = plan.to;
    world->moves++;
    sw_balance_done(world->balance, &plan, false, world->now_ns);
}

static struct world begin(uint32_t workers, uint32_t count)
{
    struct world world = {
        .balance = sw_balance_new(workers), .workers = workers, .count = count, .now_ns = S};

    assert_non_null(world.balance);
    return world;
}

static void two_hot_ones_part_and_stay_apart(void **state)
{
    struct world world = begin(2, 4);
    const uint32_t percent[] = {50, 2, 50, 2};

    (void)state;
    for (int i = 0; i < 4; i++)
        look(&world, percent);
    assert_int_equal(world.moves, 0); /* Nothing is known for long enough. */
    for (int i = 0; i < 500; i++)
        look(&world, percent);
    assert_int_equal(world.moves, 1);
    assert_int_not_equal(world.worker[0], world.worker[2]);
    sw_balance_free(world.balance);
}

/* Heat that comes and goes is not run after. */
static void a_moment_of_heat_moves_nobody(void **state)
{
    struct world world = begin(2, 2);

    (void)state;
    for (int i = 0; i < 300; i++) {
        const uint32_t percent[] = {i % 12 == 11 ? 40 : 2, i % 12 == 11 ? 40 : 2};

        look(&world, percent);
    }
    assert_int_equal(world.moves, 0);
    sw_balance_free(world.balance);
}

/* Heat that jumps about at random: the rests hold, and it is not one move after the other. */
static void no_heat_has_pods_go_to_and_fro(void **state)
{
    struct world world = begin(4, 12);
    uint32_t percent[12] = {0};

    (void)state;
    for (int i = 0; i < 5000; i++) {
        if (i % 7 == 0)
            for (uint32_t pod = 0; pod < 12; pod++)
                percent[pod] = random_below(60);
        look(&world, percent);
    }
    assert_true(world.moves < 5000 * 2 / 10);
    sw_balance_free(world.balance);
}

static void who_is_gone_is_forgotten_and_who_is_refused_stays(void **state)
{
    struct world world = begin(2, 2);
    const uint32_t percent[] = {50, 50};
    struct sw_balance_plan plan;

    (void)state;
    world.count = 2;
    world.worker[0] = world.worker[1] = 1;
    for (int i = 0; i < 20; i++) {
        world.now_ns += SW_BALANCE_SEE_NS;
        for (uint32_t pod = 0; pod < 2; pod++) {
            world.busy_ns[pod] += SW_BALANCE_SEE_NS / 100 * percent[pod];
            assert_int_equal(
                sw_balance_see(world.balance, pod + 1, 1, world.busy_ns[pod], world.now_ns), SW_OK);
        }
        if (!sw_balance_next(world.balance, world.now_ns, &plan))
            continue;
        assert_true(plan.pod == 1 || plan.pod == 2);
        sw_balance_done(world.balance, &plan, true, world.now_ns);
        world.moves++;
    }
    assert_int_equal(world.moves, 2); /* Each once, within a minute. */
    for (uint64_t pod = 3; pod < 3 + SW_BALANCE_PODS_MAX; pod++) {
        enum sw_rc rc = sw_balance_see(world.balance, pod, 0, 0, world.now_ns);

        assert_int_equal(rc, pod < 1 + SW_BALANCE_PODS_MAX ? SW_OK : SW_E_EXHAUSTED);
    }
    world.now_ns += SW_BALANCE_SEE_NS;
    assert_false(sw_balance_next(world.balance, world.now_ns, &plan)); /* Nobody was seen. */
    assert_int_equal(sw_balance_see(world.balance, 9999, 0, 0, world.now_ns), SW_OK);
    sw_balance_free(world.balance);
}

/* A counter that jumps, as after a recovery, or goes back is not taken for more than a processor.
 */
static void numbers_that_cannot_be_do_no_harm(void **state)
{
    struct sw_balance *balance = sw_balance_new(2);
    struct sw_balance_plan plan;
    uint64_t now_ns = S;

    (void)state;
    assert_non_null(balance);
    for (int i = 0; i < 60; i++) {
        now_ns += i % 3 == 0 ? 0 : SW_BALANCE_SEE_NS;
        for (uint64_t pod = 1; pod < 4; pod++)
            assert_int_equal(
                sw_balance_see(balance, pod, 0, i % 2 == 0 ? UINT64_MAX - pod : pod, now_ns),
                SW_OK);
        if (sw_balance_next(balance, now_ns, &plan)) {
            assert_true(plan.load_ppm <= SW_BALANCE_PPM);
            sw_balance_done(balance, &plan, false, now_ns);
        }
    }
    sw_balance_free(balance);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_relieves_most_goes_to_the_coolest),
        cmocka_unit_test(what_is_not_worth_while_stays),
        cmocka_unit_test(moves_gain_and_come_to_an_end),
        cmocka_unit_test(two_hot_ones_part_and_stay_apart),
        cmocka_unit_test(a_moment_of_heat_moves_nobody),
        cmocka_unit_test(no_heat_has_pods_go_to_and_fro),
        cmocka_unit_test(who_is_gone_is_forgotten_and_who_is_refused_stays),
        cmocka_unit_test(numbers_that_cannot_be_do_no_harm),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
