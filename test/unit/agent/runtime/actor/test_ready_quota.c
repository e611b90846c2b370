/* uses: pkg/agent/link */
#include "pkg/agent/runtime/actor/move.h"
#include "pkg/agent/runtime/actor/state.h"
#include "test/unit/agent/runtime/actor/asking.h"

#include <string.h>

/* Quotas of processor time: a namespace that has used its part rests, others do not, and nobody
 * looks at it meanwhile. */

#define SECOND_NS 1000000000u
#define MS_NS 1000000u
#define SPACES 4
#define LINKS 6
#define NORMAL 1u

struct space {
    struct sw_quota quota;
    struct sw_share *shares[2];
    struct sw_ready_link links[2][LINKS];
    uint64_t cpu_ns;    /* 0: it has no quota. */
    int64_t credit_ns;  /* What it may run before it rests, as the definition has it, */
    uint64_t credit_at; /* up to then. */
    uint64_t used_ns;
};

static struct sw_ready ready;
static struct space spaces[SPACES];
static uint64_t random_state, held;

static uint64_t any(uint64_t below)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (random_state >> 33) % below;
}

static void count_held(void *ctx, enum sw_ready_kind kind, struct sw_ready_link *link)
{
    (void)ctx;
    assert_true(kind < SW_READY_KINDS);
    assert_non_null(link);
    held++;
}

static int64_t ahead_of(const struct space *space)
{
    return (int64_t)(space->cpu_ns / (SECOND_NS / SW_QUOTA_CPU_AHEAD_NS));
}

static void space_begin(size_t i, uint64_t cpu_ns)
{
    const struct sw_quota_limits limits = {SW_QUOTA_NONE, SW_QUOTA_NONE, 0, cpu_ns, 0, 0, 0};
    char name[8], agent[8];

    memset(&spaces[i], 0, sizeof spaces[i]);
    sw_quota_init(&spaces[i].quota);
    sw_quota_set(&spaces[i].quota, &limits, ready.now_ns);
    spaces[i].cpu_ns = cpu_ns;
    spaces[i].credit_at = ready.now_ns;
    spaces[i].credit_ns = ahead_of(&spaces[i]);
    snprintf(name, sizeof name, "s%zu", i);
    for (size_t a = 0; a < 2; a++) {
        snprintf(agent, sizeof agent, "a%zu", a);
        spaces[i].shares[a] = sw_ready_share_get(&ready, script_text(name), script_text(agent));
        assert_non_null(spaces[i].shares[a]);
        sw_share_set_quota(spaces[i].shares[a], &spaces[i].quota);
    }
}

static void begin(void)
{
    assert_int_equal(sw_ready_init(&ready, 1), SW_OK);
    ready.on_held = count_held;
    ready.now_ns = 7 * (uint64_t)SECOND_NS;
    held = 0;
}

/* Where a link stands: its namespace and Agent. */
static struct space *space_of(const struct sw_ready_link *link, size_t *ret_agent)
{
    for (size_t i = 0; i < SPACES; i++)
        for (size_t a = 0; a < 2; a++)
            if (link >= spaces[i].links[a] && link < spaces[i].links[a] + LINKS) {
                *ret_agent = a;
                return &spaces[i];
            }
    fail();
    return NULL;
}

static void credit(struct space *space)
{
    uint64_t passed_ns = ready.now_ns - space->credit_at;

    space->credit_at = ready.now_ns;
    space->credit_ns += (int64_t)(passed_ns * (space->cpu_ns / 1000) / (SECOND_NS / 1000));
    if (space->credit_ns > ahead_of(space))
        space->credit_ns = ahead_of(space);
}

static void add(struct space *space, size_t agent, struct sw_ready_link *link)
{
    assert_int_equal(sw_ready_add(&ready, space->shares[agent], link, NORMAL), SW_OK);
}

/* Run one. False: nobody may run now. */
static bool run_one(uint64_t ns, bool is_to_come_back)
{
    uint32_t priority;
    size_t agent = 0;
    struct sw_ready_link *link = sw_ready_next(&ready, &priority);
    struct space *space;

    if (link == NULL)
        return false;
    space = space_of(link, &agent);
    credit(space);
    if (space->cpu_ns != 0) /* It owes nothing, but what rounding is. */
        assert_in_range(space->credit_ns + 10 * MS_NS, 10 * MS_NS - 1000, UINT64_MAX / 2);
    ready.now_ns += ns;
    credit(space);
    space->credit_ns -= (int64_t)ns;
    space->used_ns += ns;
    sw_share_use_cpu(ready.picked, ns, ready.now_ns);
    sw_ready_charge(&ready, ns);
    if (is_to_come_back)
        add(space, agent, link);
    return true;
}

static void agent_end(struct space *space, size_t agent)
{
    for (size_t l = 0; l < LINKS; l++)
        if (space->links[agent][l].queued != 0)
            sw_ready_remove(&ready, space->shares[agent], &space->links[agent][l]);
    sw_ready_share_put(&ready, space->shares[agent]);
}

static void end(void)
{
    for (size_t i = 0; i < 2 * SPACES; i++)
        agent_end(&spaces[i / 2], i % 2);
    assert_true(sw_ready_is_empty(&ready));
    assert_int_equal(sw_ready_rest_ns(&ready), UINT64_MAX);
    for (size_t p = 0; p < SW_PRIORITIES; p++)
        for (size_t k = 0; k < SW_READY_KINDS; k++)
            assert_int_equal(ready.orders[k].queued[p], 0);
    assert_int_equal(ready.slow_count, 0);
    sw_ready_done(&ready);
    for (size_t i = 0; i < SPACES; i++)
        sw_quota_done(&spaces[i].quota);
}

/* One that has all the work there can be gets what it may and no more, and the other one the rest;
 * alone it gets the same, and is looked at once for each time that it rests. */
static void a_namespace_gets_what_it_may_and_others_the_rest(void **state)
{
    uint64_t end_ns, rests = 0;

    (void)state;
    begin();
    space_begin(0, 100 * MS_NS);
    for (size_t i = 1; i < SPACES; i++)
        space_begin(i, 0);
    for (size_t l = 0; l < LINKS; l++)
        add(&spaces[0], l % 2, &spaces[0].links[l % 2][l]);
    add(&spaces[1], 0, &spaces[1].links[0][0]);
    end_ns = ready.now_ns + 10 * (uint64_t)SECOND_NS;
    while (ready.now_ns < end_ns)
        assert_true(run_one(300000, true)); /* There is always somebody. */
    assert_in_range(spaces[0].used_ns, 990 * (uint64_t)MS_NS, 1011 * (uint64_t)MS_NS);
    assert_in_range(spaces[1].used_ns, 8980 * (uint64_t)MS_NS, 9010 * (uint64_t)MS_NS);
    assert_in_range(held, 100, UINT64_MAX);
    sw_ready_remove(&ready, spaces[1].shares[0], &spaces[1].links[0][0]);
    spaces[0].used_ns = 0;
    end_ns = ready.now_ns + 10 * (uint64_t)SECOND_NS;
    while (ready.now_ns < end_ns) {
        if (run_one(300000, true))
            continue;
        rests++;
        assert_true(sw_ready_is_empty(&ready)); /* Nothing spins meanwhile. */
        assert_in_range(sw_ready_rest_ns(&ready), ready.now_ns + 1, ready.now_ns + SECOND_NS);
        ready.now_ns = sw_ready_rest_ns(&ready);
    }
    assert_in_range(spaces[0].used_ns, 990 * (uint64_t)MS_NS, 1011 * (uint64_t)MS_NS);
    assert_in_range(rests, 3000, 3400); /* Once for each segment. */
    end();
}

/* Something happens to some Agent. */
static void change_any(void)
{
    struct space *space = &spaces[any(SPACES)];
    size_t agent = any(2);
    struct sw_ready_link *link = &space->links[agent][any(LINKS)];

    if (any(3) == 0 && link->queued == 0)
        add(space, agent, link);
    else if (any(40) == 0 && link->queued != 0)
        sw_ready_remove(&ready, space->shares[agent], link);
    if (any(50) == 0)
        assert_int_equal(sw_share_set_slow(&ready, space->shares[agent]), SW_OK);
    if (any(2) == 0)
        assert_int_equal(sw_share_note_quick(&ready, space->shares[agent]), SW_OK);
    if (any(3) == 0)
        ready.now_ns += any(3 * MS_NS);
}

static bool has_any(const struct space *space)
{
    for (size_t l = 0; l < 2 * LINKS; l++)
        if (space->links[l / LINKS][l % LINKS].queued != 0)
            return true;
    return false;
}

/* Nobody was picked. */
static void assert_all_owe(uint64_t seed)
{
    for (size_t i = 0; i < SPACES; i++) {
        credit(&spaces[i]);
        if (has_any(&spaces[i]) && (spaces[i].cpu_ns == 0 || spaces[i].credit_ns > 1000))
            fail_msg("seed %llu: namespace %zu rests and may run", (unsigned long long)seed, i);
    }
}

/* Whatever comes, however long segments are, fast and slow Agents: nobody runs that owes, and
 * nobody rests that does not. */
static void nobody_runs_that_owes_and_nobody_rests_that_does_not(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 100; seed++) {
        random_state = seed;
        begin();
        for (size_t i = 0; i < SPACES; i++)
            space_begin(i, any(4) == 0 ? 0 : (10 + any(500)) * MS_NS);
        for (int step = 0; step < 3000; step++) {
            change_any();
            if (!run_one(1 + any(any(20) == 0 ? 20 * MS_NS : MS_NS), any(4) != 0))
                assert_all_owe(seed);
        }
        end();
    }
}

/* --- In workers ------------------------------------------------------------------------------- */

static uint64_t pushed;

static void see(const struct sw_frame *frame)
{
    if (frame->kind == SW_FRAME_THROTTLED && frame->throttled.limit == SW_FRAME_LIMIT_QUOTA_CPU)
        pushed += frame->throttled.count;
}

static void set_cpu(uint64_t cpu_ns)
{
    const struct sw_quota_limits limits = {SW_QUOTA_NONE, SW_QUOTA_NONE, 0, cpu_ns, 0, 0, 0};

    assert_int_equal(
        sw_accounts_set_quota(&actors.shared.accounts, script_text("default"), &limits, 0), SW_OK);
}

/* Messages of a namespace that rests wait, and all are handled; its Agents are told of. */
static void messages_wait_and_none_is_lost(void **state)
{
    uint64_t begun_ns, requests[20];

    (void)state;
    pushed = 0;
    actors_init(&actors, 2, 1);
    actors.see = see;
    open_three(0);
    actors_ask(&actors, 1, "k", "add 1");
    set_cpu(10 * MS_NS);
    actors.engines[1].clock_ns = &actors.disk.now_ns;
    actors.engines[1].entry_ns = 2 * MS_NS;
    begun_ns = actors.disk.now_ns;
    for (int i = 0; i < 20; i++)
        requests[i] = send(1, "k", "add 1");
    actors_settle(&actors);
    assert_true(sw_ready_is_empty(&actors.workers[1]->ready));
    for (int i = 0; i < 200 && !actors_reply(&actors, requests[19])->is_there; i++) {
        actors.disk.now_ns += 50 * MS_NS;
        actors_settle(&actors);
    }
    for (int i = 0; i < 20; i++)
        assert_int_equal(actors_reply(&actors, requests[i])->status, 0);
    /* 40 ms of the processor at 10 ms a second, but for what may be had at once. */
    assert_in_range(actors.disk.now_ns - begun_ns, 3500 * (uint64_t)MS_NS, 4500 * (uint64_t)MS_NS);
    assert_in_range(pushed, 3, UINT64_MAX);
    set_cpu(0);
}

/* The worker that a Pod comes to knows the quota as well, though nothing of its namespace was there
 * before. */
static void a_pod_that_moves_takes_its_quota_along(void **state)
{
    const struct sw_pod_move move = {.workers = actors.workers, .count = 2, .pod = 1, .to = 0};
    uint64_t requests[5];

    (void)state;
    actors_init(&actors, 2, 1);
    actors_open(&actors, &(struct actors_pod){.number = 1, .agent = "a", .is_keyed = true});
    actors_settle(&actors);
    actors_ask(&actors, 1, "k", "add 1");
    actors_rest(&actors);
    assert_int_equal(sw_pod_move(&move), SW_OK);
    set_cpu(10 * MS_NS);
    actors.engines[0].clock_ns = &actors.disk.now_ns;
    actors.engines[0].entry_ns = 2 * MS_NS;
    for (int i = 0; i < 5; i++)
        requests[i] = send(1, "k", "add 1");
    actors_settle(&actors);
    assert_false(actors_reply(&actors, requests[4])->is_there);
    for (int i = 0; i < 50 && !actors_reply(&actors, requests[4])->is_there; i++) {
        actors.disk.now_ns += 50 * MS_NS;
        actors_settle(&actors);
    }
    assert_int_equal(actors_reply(&actors, requests[4])->status, 0);
    set_cpu(0);
}

static void set_pace(struct sw_quota *quota, uint64_t cpu_ns, uint64_t now_ns)
{
    const struct sw_quota_limits limits = {SW_QUOTA_NONE, SW_QUOTA_NONE, 0, cpu_ns, 0, 0, 0};

    sw_quota_set(quota, &limits, now_ns);
}

/* What is owed stays so much of the processor, however often the pace changes: half the pace takes
 * twice as long, and nothing is ahead of it that was not before. */
static void a_change_of_the_pace_forgives_no_debt(void **state)
{
    uint64_t now_ns = 1000 * (uint64_t)SECOND_NS, free_ns;
    struct sw_quota quota;

    (void)state;
    memset(&quota, 0, sizeof quota);
    sw_quota_init(&quota);
    set_pace(&quota, 100 * MS_NS, now_ns);
    sw_quota_use_cpu(&quota, 210 * MS_NS, now_ns); /* 2.1 s, and a tenth of it was ahead. */
    free_ns = now_ns + 2 * (uint64_t)SECOND_NS;
    assert_int_equal(sw_quota_cpu_free_ns(&quota), free_ns);
    set_pace(&quota, 50 * MS_NS, now_ns);
    assert_int_equal(sw_quota_cpu_free_ns(&quota), now_ns + 4 * (uint64_t)SECOND_NS);
    for (int i = 0; i < 100; i++) {
        set_pace(&quota, 100 * MS_NS, now_ns);
        set_pace(&quota, 50 * MS_NS, now_ns);
    }
    assert_int_equal(sw_quota_cpu_free_ns(&quota), now_ns + 4 * (uint64_t)SECOND_NS);
    now_ns += 2 * (uint64_t)SECOND_NS; /* Half of it is paid. */
    set_pace(&quota, 1000 * MS_NS, now_ns);
    assert_int_equal(sw_quota_cpu_free_ns(&quota), now_ns + 100 * MS_NS);
    now_ns += 1000 * MS_NS;
    set_pace(&quota, 10 * MS_NS, now_ns); /* Nothing is owed: it has no more ahead than always. */
    sw_quota_use_cpu(&quota, 10 * MS_NS, now_ns);
    assert_int_equal(sw_quota_cpu_free_ns(&quota), now_ns + 900 * MS_NS);
    set_pace(&quota, 1, now_ns); /* Far away, and not round the corner of 64 bits. */
    sw_quota_use_cpu(&quota, 1000 * (uint64_t)SECOND_NS, now_ns);
    set_pace(&quota, 2, now_ns);
    assert_in_range(sw_quota_cpu_free_ns(&quota), now_ns + (UINT64_C(1) << 55),
                    UINT64_MAX / 2 + now_ns);
    set_pace(&quota, 0, now_ns); /* Any of it may be used, */
    assert_int_equal(sw_quota_cpu_free_ns(&quota), 0);
    set_pace(&quota, 10 * MS_NS, now_ns); /* and is not held against it. */
    assert_in_range(sw_quota_cpu_free_ns(&quota), 0, now_ns);
    sw_quota_done(&quota);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_namespace_gets_what_it_may_and_others_the_rest),
        cmocka_unit_test(nobody_runs_that_owes_and_nobody_rests_that_does_not),
        cmocka_unit_test(a_change_of_the_pace_forgives_no_debt),
        cmocka_unit_test_teardown(messages_wait_and_none_is_lost, tear_down_unbroken),
        cmocka_unit_test_teardown(a_pod_that_moves_takes_its_quota_along, tear_down_unbroken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
