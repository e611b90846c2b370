/* Random trees, rules, times, calls, retries, kills and losses of power, beside a plain list of
 * all calls: never is a limit passed, never is less counted than was let out, and after a kill it
 * is exactly what was. */
#include "pkg/broker/budget/ledger.h"
#include "test/support/ledger.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#define CALLS_MAX 600
#define SPACES 2
#define AGENTS 2
#define INSTANCES 2
#define CALLS_OF_TURN 3
#define SEEDS_DEFAULT 600u
#define OWNERS (1 + SPACES + SPACES * AGENTS) /* The cluster, spaces, agents. */
#define RULES (2 * OWNERS)
#define STEPS 120

enum call_state { FREE, WAITS, OUT, SETTLED, GONE };

struct world;
struct call {
    struct world *world;
    enum call_state state;
    bool is_lost;    /* The process that made it is no more: nobody has its reservation. */
    bool is_written; /* Of SETTLED and GONE: that was written. */
    unsigned space, agent, instance, turn;
    uint64_t utc_ns;
    char key[16];
    struct sw_budget_amount worst, actual;
    struct sw_reservation *reservation;
};

struct world {
    struct disk disk;
    struct sw_loop loop;
    struct sw_ledger *ledger;
    uint64_t seed;
    unsigned boot;
    struct sw_budget_rule rules[RULES];
    bool has_rule[RULES];
    unsigned turns[SPACES][AGENTS][INSTANCES]; /* That each is in: none comes again. */
    struct call calls[CALLS_MAX];
    unsigned calls_count;
    uint64_t let_out, refused, lost, unknown; /* That the seeds came to something. */
};

static const char *const spaces[SPACES] = {"shop", "lab"};
static const char *const agents[AGENTS] = {"refunds", "risk"};
static const char *const instances[INSTANCES] = {"", "ann"};

static uint64_t below(struct world *world, uint64_t bound)
{
    return disk_random(&world->disk) % bound;
}

static void set_limits(struct world *world, struct sw_budget_limits *limits, uint64_t cents)
{
    *limits = sw_budget_no_limits;
    if (below(world, 2) == 0)
        limits->most.money_nano = (1 + below(world, cents)) * LEDGER_CENT;
    if (below(world, 4) == 0)
        limits->most.calls = 1 + below(world, cents);
    if (below(world, 4) == 0)
        limits->most.tokens = (1 + below(world, cents)) * 100;
}

static void make_rules(struct world *world)
{
    for (unsigned i = 0; i < RULES; i++) {
        struct sw_budget_rule *rule = &world->rules[i];
        uint64_t cents = i < 2 ? 400 : i < 2 * (1 + SPACES) ? 250 : 150;

        world->has_rule[i] = below(world, 2) > 0;
        rule->period = (enum sw_budget_period)below(world, 4);
        set_limits(world, &rule->own, cents);
        set_limits(world, &rule->instance, cents / 2);
        set_limits(world, &rule->turn, cents / 4);
    }
}

static const char *name_of(unsigned rule)
{
    return rule % 2 == 0 ? "one" : "two";
}

static const char *space_of(unsigned rule)
{
    unsigned owner = rule / 2;

    if (owner == 0)
        return NULL;
    return owner < 1 + SPACES ? spaces[owner - 1] : spaces[(owner - 1 - SPACES) / AGENTS];
}

static const char *agent_of(unsigned rule)
{
    return rule / 2 < 1 + SPACES ? NULL : agents[(rule / 2 - 1 - SPACES) % AGENTS];
}

static void open_ledger(struct world *world)
{
    const struct sw_ledger_options options = {.compact_bytes = 6000, .keep_max = CALLS_MAX};
    struct sw_err err = {0};
    char boot[16];

    snprintf(boot, sizeof boot, "boot-%u\n", world->boot);
    ledger_set_boot(&world->disk, boot);
    if (ledger_open(&world->disk, &world->loop, options, &world->ledger, &err) != SW_OK)
        fail_msg("seed %lu: %s", (unsigned long)world->seed, err.message);
    for (unsigned i = 0; i < RULES; i++)
        if (world->has_rule[i])
            assert_int_equal(sw_ledger_set(world->ledger, space_of(i), agent_of(i), name_of(i),
                                           &world->rules[i], NULL),
                             SW_OK);
}

/* --- What is counted ---------------------------------------------------------------------------
 */

static bool is_on_path(const struct call *call, const struct sw_budget_view *view)
{
    const char *instance = instances[call->instance];

    return (view->level < SW_BUDGET_NAMESPACE ||
            strcmp(view->name_space, spaces[call->space]) == 0) &&
           (view->level < SW_BUDGET_AGENT || strcmp(view->agent, agents[call->agent]) == 0) &&
           (view->level < SW_BUDGET_INSTANCE ||
            sw_bytes_is_equal(view->instance, (struct sw_bytes){instance, strlen(instance)})) &&
           (view->level < SW_BUDGET_TURN || view->turn == call->turn) &&
           sw_budget_period_index(view->period, call->utc_ns) ==
               sw_budget_period_index(view->period, view->begin_ns);
}

struct check {
    struct world *world;
    bool is_exact; /* Else more may be counted. */
    unsigned views;
};

static void fail_at(const struct world *world, const struct sw_budget_view *view, unsigned i,
                    const char *what)
{
    fail_msg("seed %lu: level %d (rule %d) %s/%s turn %lu, dimension %u: %s; limit %lu, spent "
             "%lu, reserved %lu",
             (unsigned long)world->seed, (int)view->level, (int)view->rule_level, view->name_space,
             view->agent, (unsigned long)view->turn, i, what,
             (unsigned long)view->limits.most.of[i], (unsigned long)view->spent.of[i],
             (unsigned long)view->reserved.of[i]);
}

/* What was let out in a node's period, and what of that is reserved. */
static void sum_up(const struct world *world, const struct sw_budget_view *view,
                   struct sw_budget_amount *ret_out, struct sw_budget_amount *ret_all)
{
    memset(ret_out, 0, sizeof *ret_out);
    memset(ret_all, 0, sizeof *ret_all);
    for (unsigned i = 0; i < world->calls_count; i++) {
        const struct call *call = &world->calls[i];

        if (call->state == FREE || call->state == GONE || !is_on_path(call, view))
            continue;
        sw_budget_add(ret_all, call->state == SETTLED ? &call->actual : &call->worst);
        if (call->state != WAITS)
            sw_budget_add(ret_out, call->state == SETTLED ? &call->actual : &call->worst);
    }
}

static void check_view(void *ctx, const struct sw_budget_view *view)
{
    struct check *check = ctx;
    struct sw_budget_amount out, all;

    check->views++;
    sum_up(check->world, view, &out, &all);
    for (unsigned i = 0; i < SW_BUDGET_DIMENSIONS; i++) {
        uint64_t counted = sw_budget_plus(view->spent.of[i], view->reserved.of[i]);
        bool is_bounded = view->limits.most.of[i] != SW_BUDGET_UNLIMITED;

        if (is_bounded && counted > view->limits.most.of[i])
            fail_at(check->world, view, i, "above its limit");
        if (is_bounded && counted < out.of[i])
            fail_at(check->world, view, i, "less than was let out");
        if (check->is_exact && counted != all.of[i])
            fail_at(check->world, view, i, "not what it was");
    }
}

struct wanted { /* A node that has to be there. */
    struct sw_budget_view view;
    bool is_there;
};

static void look_for(void *ctx, const struct sw_budget_view *view)
{
    struct wanted *wanted = ctx;
    const struct sw_budget_view *other = &wanted->view;

    if (view->level == other->level && view->rule_level == other->rule_level &&
        strcmp(view->rule, other->rule) == 0 && strcmp(view->name_space, other->name_space) == 0 &&
        strcmp(view->agent, other->agent) == 0 &&
        sw_bytes_is_equal(view->instance, other->instance) && view->turn == other->turn)
        wanted->is_there = true;
}

/* Where something was let out below a limit, a node says so. */
static void check_there(const struct world *world, struct sw_budget_view *view)
{
    struct wanted wanted = {.view = *view};
    struct sw_budget_amount out, all;

    if (!sw_budget_is_bounded(&view->limits))
        return;
    sum_up(world, view, &out, &all);
    for (unsigned i = 0; i < SW_BUDGET_DIMENSIONS; i++)
        if (view->limits.most.of[i] == SW_BUDGET_UNLIMITED)
            out.of[i] = 0;
    if (sw_budget_is_zero(&out))
        return;
    sw_ledger_each(world->ledger, look_for, &wanted);
    if (!wanted.is_there)
        fail_at(world, view, 0, "it is not there");
}

/* The nodes that a rule bounds of the path of a call. */
static void check_rule(const struct world *world, unsigned rule, const struct call *call)
{
    const struct sw_budget_rule *own = &world->rules[rule];
    const char *instance = instances[call->instance];
    struct sw_budget_view view = {.rule_level = SW_BUDGET_AGENT,
                                  .rule = name_of(rule),
                                  .name_space = space_of(rule) == NULL ? "" : space_of(rule),
                                  .agent = agent_of(rule) == NULL ? "" : agent_of(rule),
                                  .limits = own->own,
                                  .period = own->period,
                                  .begin_ns = disk_utc((void *)(uintptr_t)&world->disk)};

    if (agent_of(rule) == NULL)
        view.rule_level = space_of(rule) == NULL ? SW_BUDGET_CLUSTER : SW_BUDGET_NAMESPACE;
    view.level = view.rule_level;
    if (!is_on_path(call, &view))
        return;
    check_there(world, &view);
    view.name_space = spaces[call->space];
    view.agent = agents[call->agent];
    view.instance = (struct sw_bytes){instance, strlen(instance)};
    view.level = SW_BUDGET_INSTANCE;
    view.limits = own->instance;
    check_there(world, &view);
    view.level = SW_BUDGET_TURN;
    view.turn = call->turn;
    view.limits = own->turn;
    if (call->turn == world->turns[call->space][call->agent][call->instance])
        check_there(world, &view); /* Those before may be over. */
}

static void check_all(struct world *world, bool is_exact)
{
    struct check check = {.world = world, .is_exact = is_exact};

    sw_ledger_each(world->ledger, check_view, &check);
}

static void check_found(struct world *world, bool is_exact)
{
    check_all(world, is_exact);
    for (unsigned rule = 0; rule < RULES; rule++)
        for (unsigned i = 0; world->has_rule[rule] && i < world->calls_count; i++)
            check_rule(world, rule, &world->calls[i]);
}

/* --- What happens ------------------------------------------------------------------------------
 */

static void on_ready(void *ctx, enum sw_rc rc)
{
    struct call *call = ctx;

    assert_int_equal(rc, SW_OK);
    assert_int_equal(call->state, WAITS);
    call->state = OUT;
    call->world->let_out++;
}

static void settle(struct world *world, struct call *call, bool is_release)
{
    if (is_release) {
        assert_int_equal(sw_ledger_release(world->ledger, call->reservation, NULL), SW_OK);
        call->state = GONE;
        return;
    }
    call->actual = call->worst;
    call->actual.money_nano = below(world, call->worst.money_nano + 1);
    call->actual.tokens = below(world, call->worst.tokens + 1);
    assert_int_equal(sw_ledger_settle(world->ledger, call->reservation, &call->actual, NULL),
                     SW_OK);
    call->state = SETTLED;
}

static enum sw_rc ask(struct world *world, struct call *call, struct sw_ledger_grant *ret_grant)
{
    const char *instance = instances[call->instance];
    const struct sw_ledger_request request = {.who = {.name_space = spaces[call->space],
                                                      .agent = agents[call->agent],
                                                      .instance = {instance, strlen(instance)},
                                                      .turn = call->turn},
                                              .key = {call->key, strlen(call->key)},
                                              .worst = call->worst,
                                              .ready = on_ready,
                                              .ctx = call};
    struct sw_err err = {0};
    struct sw_ledger_refusal refusal;
    enum sw_rc rc = sw_ledger_reserve(world->ledger, &request, ret_grant, &refusal, &err);

    if (rc == SW_OK)
        return rc;
    assert_int_equal(rc, SW_E_EXHAUSTED);
    assert_int_equal(err.rc, rc);
    assert_non_null(strstr(err.message, "the budget of "));
    assert_true(refusal.wanted > 0);
    assert_true(refusal.spent + refusal.reserved + refusal.wanted > refusal.limit);
    return rc;
}

static void begin_call(struct world *world)
{
    struct call *call = &world->calls[world->calls_count];
    struct sw_ledger_grant grant;
    unsigned *turn;

    if (world->calls_count == CALLS_MAX)
        return;
    *call = (struct call){.world = world,
                          .space = (unsigned)below(world, SPACES),
                          .agent = (unsigned)below(world, AGENTS),
                          .instance = (unsigned)below(world, INSTANCES),
                          .utc_ns = disk_utc(&world->disk),
                          .worst = {.of = {below(world, 8) * LEDGER_CENT, below(world, 300), 1,
                                           below(world, 5) * LEDGER_S_NS}}};
    turn = &world->turns[call->space][call->agent][call->instance];
    *turn += below(world, CALLS_OF_TURN) == 0;
    call->turn = *turn;
    snprintf(call->key, sizeof call->key, "call-%u", world->calls_count);
    if (ask(world, call, &grant) != SW_OK) {
        world->refused++;
        return;
    }
    assert_int_equal(grant.state, SW_LEDGER_NEW);
    call->reservation = grant.reservation;
    call->state = WAITS;
    world->calls_count++;
}

/* The same key again: the same reservation, or what it did cost; nothing is counted twice. */
static void ask_again(struct world *world, struct call *call)
{
    struct sw_ledger_grant grant;
    enum call_state before = call->state;

    if (call->is_lost || before == GONE || before == FREE)
        return;
    if (before == SETTLED) /* It may be forgotten, being old. */
        return;
    assert_int_equal(ask(world, call, &grant), SW_OK);
    assert_int_equal(grant.state, SW_LEDGER_OPEN);
    assert_ptr_equal(grant.reservation, call->reservation);
}

static void step(struct world *world)
{
    struct call *call =
        world->calls_count == 0 ? NULL : &world->calls[below(world, world->calls_count)];

    switch (below(world, 12)) {
    case 0:
    case 1:
    case 2:
    case 3:
        begin_call(world);
        break;
    case 4:
    case 5:
        if (call != NULL && !call->is_lost && call->state == OUT)
            settle(world, call, below(world, 4) == 0);
        else if (call != NULL && !call->is_lost && call->state == WAITS && below(world, 4) == 0)
            settle(world, call, true);
        break;
    case 6:
        if (call != NULL)
            ask_again(world, call);
        break;
    case 7:
        ledger_pool(&world->loop);
        break;
    case 8:
        world->disk.now_ns +=
            below(world, 8) == 0 ? below(world, 20) * 3600 * LEDGER_S_NS : LEDGER_S_NS;
        break;
    default:
        ledger_round(&world->loop);
    }
}

/* Those who were open belong to nobody now; who waited may be there or not. */
static void lose_hold(struct world *world)
{
    for (unsigned i = 0; i < world->calls_count; i++) {
        world->calls[i].is_lost = true;
        world->calls[i].reservation = NULL;
    }
}

/* What is asked for by the same key after a crash counts at its worst, or it was never let out;
 * after a loss of power also what was let out may be unknown by its key, and is counted by a mark.
 */
static void ask_after(struct world *world, bool is_power)
{
    for (unsigned i = 0; i < world->calls_count; i++) {
        struct call *call = &world->calls[i];
        struct sw_ledger_grant grant;

        if (call->state != OUT || below(world, 3) > 0 || is_power)
            continue;
        assert_int_equal(ask(world, call, &grant), SW_OK);
        if (grant.state != SW_LEDGER_SETTLED ||
            memcmp(&grant.actual, &call->worst, sizeof grant.actual) != 0)
            fail_msg("seed %lu: an open call is state %d", (unsigned long)world->seed,
                     (int)grant.state);
        world->unknown++;
    }
}

/* All is written, then the process is killed: it is found as it was. */
static void kill_exactly(struct world *world)
{
    ledger_settle_down(&world->loop);
    sw_ledger_free(world->ledger);
    lose_hold(world);
    open_ledger(world);
    check_found(world, true);
    ask_after(world, false);
}

/* Whatever was not written is lost: of calls that waited, and settled ones, nothing is known. */
static void kill_at_once(struct world *world)
{
    sw_ledger_free(world->ledger);
    lose_hold(world);
    open_ledger(world);
    check_found(world, false);
}

static void lose_power(struct world *world)
{
    sw_ledger_free(world->ledger);
    lose_hold(world);
    disk_crash(&world->disk);
    world->boot++;
    open_ledger(world);
    check_found(world, false);
    ask_after(world, true);
}

static void on_stopped(void *ctx, enum sw_rc rc)
{
    assert_int_equal(rc, SW_OK);
    *(bool *)ctx = true;
}

/* A clean stop, then the power fails: all is exact. */
static void stop_well(struct world *world)
{
    bool is_stopped = false;

    ledger_settle_down(&world->loop);
    sw_ledger_stop(world->ledger, on_stopped, &is_stopped);
    ledger_settle_down(&world->loop);
    assert_true(is_stopped);
    sw_ledger_free(world->ledger);
    lose_hold(world);
    disk_crash(&world->disk);
    world->boot++;
    open_ledger(world);
    check_found(world, true);
}

static void run(struct world *world, uint64_t seed)
{
    bool was_exact = true; /* Nothing was lost that the list has. */

    memset(world, 0, sizeof *world);
    world->seed = seed;
    disk_init(&world->disk, seed);
    world->disk.now_ns += below(world, 1000) * 3600 * LEDGER_S_NS;
    make_rules(world);
    open_ledger(world);
    for (unsigned life = 0; life < 4; life++) {
        unsigned how = (unsigned)below(world, 4);

        for (uint64_t steps = below(world, STEPS); steps > 0; steps--) {
            step(world);
            check_all(world, was_exact);
        }
        if (how == 0 && was_exact)
            kill_exactly(world);
        else if (how == 1 && was_exact)
            stop_well(world);
        else if (how == 2)
            lose_power(world), was_exact = false;
        else
            kill_at_once(world), was_exact = false;
    }
    sw_ledger_free(world->ledger);
    disk_done(&world->disk);
}

static void crashes_lose_nothing_that_was_let_out(void **state)
{
    static struct world world;
    const char *only = getenv("SW_LEDGER_SEED"), *count = getenv("SW_LEDGER_SEEDS");
    uint64_t from = only == NULL ? 1 : strtoull(only, NULL, 10), let_out = 0, refused = 0;
    uint64_t to = only != NULL ? from : count == NULL ? SEEDS_DEFAULT : strtoull(count, NULL, 10);
    uint64_t unknown = 0;

    (void)state;
    for (uint64_t seed = from; seed <= to; seed++) {
        run(&world, seed);
        let_out += world.let_out;
        refused += world.refused;
        unknown += world.unknown;
    }
    print_message("%lu calls were let out, %lu refused, %lu asked for after a kill\n",
                  (unsigned long)let_out, (unsigned long)refused, (unsigned long)unknown);
    if (only == NULL)
        assert_true(let_out > to && refused > to && unknown > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(crashes_lose_nothing_that_was_let_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
