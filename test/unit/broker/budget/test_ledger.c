#include "pkg/broker/budget/ledger.h"
#include "test/support/ledger.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#define CENT LEDGER_CENT
#define HOUR_NS (3600 * LEDGER_S_NS)

struct call {
    struct sw_ledger_request request;
    struct sw_reservation *reservation;
    unsigned ready; /* How often it was called. */
    enum sw_rc rc;
    char key[16];
};

static struct disk disk;
static struct sw_loop loop;
static struct sw_ledger *ledger;
static struct sw_err err;
static struct sw_ledger_refusal refusal;
static struct sw_ledger_options options;

static void reopen(void)
{
    assert_int_equal(ledger_open(&disk, &loop, options, &ledger, &err), SW_OK);
}

static int setup(void **state)
{
    (void)state;
    memset(&err, 0, sizeof err);
    options = (struct sw_ledger_options){.compact_bytes = 256u << 10}; /* Quick to be copied. */
    disk_init(&disk, 7);
    ledger_set_boot(&disk, "boot-1");
    reopen();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    sw_ledger_free(ledger);
    ledger = NULL;
    disk_done(&disk);
    return 0;
}

static struct sw_budget_rule no_rule(void)
{
    return (struct sw_budget_rule){
        .own = sw_budget_no_limits, .instance = sw_budget_no_limits, .turn = sw_budget_no_limits};
}

static void set_cents(const char *name_space, const char *agent, uint64_t cents)
{
    struct sw_budget_rule rule = no_rule();

    rule.own.most.money_nano = cents * CENT;
    assert_int_equal(sw_ledger_set(ledger, name_space, agent, &rule, &err), SW_OK);
}

static void on_ready(void *ctx, enum sw_rc rc)
{
    struct call *call = ctx;

    call->ready++;
    call->rc = rc;
}

static struct call make_call(unsigned number, uint64_t cents)
{
    struct call call = {.request = {.who = {.name_space = "default", .agent = "refunds"},
                                    .worst = {.of = {cents * CENT, 100, 1, LEDGER_S_NS}},
                                    .ready = on_ready}};

    snprintf(call.key, sizeof call.key, "key-%u", number);
    return call;
}

static enum sw_rc ask(struct call *call, struct sw_ledger_grant *ret_grant)
{
    enum sw_rc rc;

    call->request.key = (struct sw_bytes){call->key, strlen(call->key)};
    call->request.ctx = call;
    rc = sw_ledger_reserve(ledger, &call->request, ret_grant, &refusal, &err);
    if (rc == SW_OK)
        call->reservation = ret_grant->reservation;
    return rc;
}

static enum sw_rc reserve(struct call *call)
{
    struct sw_ledger_grant grant;

    return ask(call, &grant);
}

static void reserve_ready(struct call *call)
{
    assert_int_equal(reserve(call), SW_OK);
    assert_int_equal(call->ready, 0);
    ledger_settle_down(&loop);
    assert_int_equal(call->ready, 1);
    assert_int_equal(call->rc, SW_OK);
}

static void settle_cents(struct call *call, uint64_t cents)
{
    const struct sw_budget_amount actual = {.of = {cents * CENT, 10, 1, LEDGER_S_NS / 2}};

    assert_int_equal(sw_ledger_settle(ledger, call->reservation, &actual, &err), SW_OK);
}

static struct sw_budget_view view_of(const char *name_space, const char *agent)
{
    struct sw_budget_view view;

    assert_true(sw_ledger_find(ledger, name_space, agent, &view));
    return view;
}

static void expect_cents(uint64_t spent, uint64_t reserved)
{
    struct sw_budget_view view = view_of("default", "refunds");

    assert_int_equal(view.spent.money_nano, spent * CENT);
    assert_int_equal(view.reserved.money_nano, reserved * CENT);
}

/* --- Reserving and settling --------------------------------------------------------------------
 */

static void a_call_is_reserved_and_settled_in_its_whole_path(void **state)
{
    struct call call = make_call(1, 5);
    struct sw_budget_view view;

    (void)state;
    reserve_ready(&call);
    expect_cents(0, 5);
    settle_cents(&call, 3);
    expect_cents(3, 0);
    view = view_of(NULL, NULL);
    assert_int_equal(view.spent.money_nano, 3 * CENT);
    assert_int_equal(view.spent.tokens, 10);
    assert_int_equal(view.spent.calls, 1);
    assert_int_equal(view.spent.wall_ns, LEDGER_S_NS / 2);
    assert_int_equal(view_of("default", NULL).spent.money_nano, 3 * CENT);
    assert_false(sw_ledger_find(ledger, "default", "other", &view));
    assert_false(sw_ledger_find(ledger, "lab", NULL, &view));
}

static void what_does_not_fit_is_refused_in_words(void **state)
{
    struct call one = make_call(1, 98), two = make_call(2, 1), three = make_call(3, 5);
    struct sw_ledger_figures figures;

    (void)state;
    set_cents("default", "refunds", 100);
    reserve_ready(&one);
    settle_cents(&one, 98);
    reserve_ready(&two);
    assert_int_equal(reserve(&three), SW_E_EXHAUSTED);
    assert_string_equal(err.message,
                        "the budget of agent default/refunds: $0.98 of $1.00 are spent, $0.01 "
                        "reserved, this call may cost $0.05");
    assert_non_null(strstr(err.hint, "swarm budget set"));
    assert_int_equal(refusal.level, SW_BUDGET_AGENT);
    assert_int_equal(refusal.dimension, SW_BUDGET_MONEY);
    assert_int_equal(refusal.wanted, 5 * CENT);
    assert_true(refusal.until_ns == UINT64_MAX && !refusal.may_fit_later && !refusal.is_depth);
    assert_int_equal(view_of("default", "refunds").refused, 1);
    sw_ledger_figures(ledger, &figures);
    assert_int_equal(figures.refused, 1);
    assert_int_equal(figures.reserved, 2);
    expect_cents(98, 1);
    /* What is released is there again. */
    assert_int_equal(sw_ledger_release(ledger, two.reservation, &err), SW_OK);
    three.request.worst.money_nano = 2 * CENT;
    assert_int_equal(reserve(&three), SW_OK);
    ledger_settle_down(&loop);
    assert_int_equal(three.ready, 1);
}

static void who_only_waits_for_reserved_money_is_told(void **state)
{
    struct call one = make_call(1, 60), two = make_call(2, 60);

    (void)state;
    set_cents(NULL, NULL, 100);
    reserve_ready(&one);
    assert_int_equal(reserve(&two), SW_E_EXHAUSTED);
    assert_int_equal(refusal.level, SW_BUDGET_CLUSTER);
    assert_true(refusal.may_fit_later);
    assert_non_null(strstr(err.message, "the budget of the cluster:"));
    settle_cents(&one, 10);
    reserve_ready(&two);
}

static void a_child_never_passes_its_parents(void **state)
{
    struct call one = make_call(1, 40), two = make_call(2, 40);

    (void)state;
    set_cents("default", NULL, 50);
    set_cents("default", "refunds", 1000);
    reserve_ready(&one);
    assert_int_equal(reserve(&two), SW_E_EXHAUSTED);
    assert_int_equal(refusal.level, SW_BUDGET_NAMESPACE);
    assert_non_null(strstr(err.message, "the budget of namespace default:"));
    two.request.who.name_space = "lab";
    reserve_ready(&two);
}

static void each_dimension_is_bounded(void **state)
{
    static const char *const words[] = {"$1.00", "250 tokens", "2 calls", "2.5 s"};
    static const uint64_t most[] = {100 * CENT, 250, 2, 2500000000};

    (void)state;
    for (unsigned i = 0; i < SW_BUDGET_DIMENSIONS; i++) {
        struct sw_budget_rule rule = no_rule();
        struct call calls[3] = {make_call(10 * i, 40), make_call(10 * i + 1, 40),
                                make_call(10 * i + 2, 40)};

        rule.own.most.of[i] = most[i];
        calls[0].request.who.agent = calls[1].request.who.agent = calls[2].request.who.agent =
            sw_budget_dimension_names[i];
        assert_int_equal(
            sw_ledger_set(ledger, "default", sw_budget_dimension_names[i], &rule, &err), SW_OK);
        reserve_ready(&calls[0]);
        reserve_ready(&calls[1]);
        assert_int_equal(reserve(&calls[2]), SW_E_EXHAUSTED);
        assert_int_equal(refusal.dimension, i);
        assert_non_null(strstr(err.message, words[i]));
        /* Who asks for none of it is not in its way. */
        calls[2].request.worst.of[i] = 0;
        reserve_ready(&calls[2]);
    }
}

static void delegation_has_a_depth(void **state)
{
    struct sw_budget_rule rule = no_rule();
    struct call call = make_call(1, 1);

    (void)state;
    rule.turn.depth = 2;
    assert_int_equal(sw_ledger_set(ledger, "default", NULL, &rule, &err), SW_OK);
    call.request.who.depth = 3;
    assert_int_equal(reserve(&call), SW_E_EXHAUSTED);
    assert_true(refusal.is_depth && refusal.limit == 2 && refusal.wanted == 3);
    assert_non_null(strstr(err.message, "may be delegated 2 times, this one is at 3"));
    call.request.who.depth = 2;
    reserve_ready(&call);
}

static void more_than_the_worst_case_is_counted(void **state)
{
    struct call one = make_call(1, 5), two = make_call(2, 5);

    (void)state;
    set_cents("default", "refunds", 100);
    reserve_ready(&one);
    settle_cents(&one, 120);
    ledger_settle_down(&loop);
    expect_cents(120, 0);
    assert_int_equal(reserve(&two), SW_E_EXHAUSTED);
    assert_false(refusal.may_fit_later);
}

static void wrong_requests_are_refused(void **state)
{
    static char long_name[SW_BUDGET_INSTANCE_MAX + 2];
    struct call call = make_call(1, 5);
    struct sw_budget_rule rule = no_rule();

    (void)state;
    memset(long_name, 'a', sizeof long_name - 1);
    call.request.who.name_space = "";
    assert_int_equal(reserve(&call), SW_E_INVALID);
    call = make_call(1, 5);
    call.request.who.agent = long_name;
    assert_int_equal(reserve(&call), SW_E_INVALID);
    assert_int_equal(sw_ledger_set(ledger, long_name, NULL, &rule, &err), SW_E_INVALID);
    call = make_call(1, 5);
    call.request.who.instance = (struct sw_bytes){long_name, sizeof long_name - 1};
    assert_int_equal(reserve(&call), SW_E_INVALID);
    call = make_call(1, 5);
    call.key[0] = '\0';
    assert_int_equal(reserve(&call), SW_E_INVALID);
    assert_int_equal(refusal.wanted, 0);
}

/* --- Instances and turns -----------------------------------------------------------------------
 */

static struct call call_of(unsigned number, const char *instance, uint64_t turn)
{
    struct call call = make_call(number, 10);

    call.request.who.instance = (struct sw_bytes){instance, strlen(instance)};
    call.request.who.turn = turn;
    return call;
}

static uint32_t nodes(void)
{
    struct sw_ledger_figures figures;

    sw_ledger_figures(ledger, &figures);
    return figures.nodes;
}

static void turns_and_instances_have_limits_of_their_own(void **state)
{
    struct sw_budget_rule rule = no_rule();
    struct call ann = call_of(1, "ann", 1), again = call_of(2, "ann", 1);
    struct call next = call_of(3, "ann", 2), last = call_of(4, "ann", 3);
    struct call bob = call_of(5, "bob\n", 1);

    (void)state;
    rule.instance.most.money_nano = 25 * CENT;
    rule.turn.most.money_nano = 15 * CENT;
    assert_int_equal(sw_ledger_set(ledger, NULL, NULL, &rule, &err), SW_OK);
    reserve_ready(&ann);
    assert_int_equal(reserve(&again), SW_E_EXHAUSTED);
    assert_int_equal(refusal.level, SW_BUDGET_TURN);
    assert_non_null(strstr(err.message, "the budget of a turn, of default/refunds/ann:"));
    assert_non_null(strstr(err.hint, "the cluster"));
    reserve_ready(&next);
    assert_int_equal(nodes(), 3 + 1 + 2);
    assert_int_equal(reserve(&last), SW_E_EXHAUSTED);
    assert_int_equal(refusal.level, SW_BUDGET_INSTANCE);
    assert_int_equal(nodes(), 3 + 1 + 2); /* What was only asked for is not kept. */
    reserve_ready(&bob);
    bob.key[0] = 'K';
    assert_int_equal(reserve(&bob), SW_E_EXHAUSTED);
    assert_non_null(strstr(err.message, "refunds/bob?:"));
}

static void what_is_over_goes_with_its_last_call(void **state)
{
    struct sw_budget_rule rule = no_rule();
    struct call one = call_of(1, "ann", 1), two = call_of(2, "ann", 2);

    (void)state;
    rule.instance.most.calls = rule.turn.most.calls = 5;
    assert_int_equal(sw_ledger_set(ledger, "default", "refunds", &rule, &err), SW_OK);
    reserve_ready(&one);
    reserve_ready(&two);
    assert_int_equal(nodes(), 3 + 1 + 2);
    settle_cents(&one, 1);
    sw_ledger_turn_over(ledger, &one.request.who);
    assert_int_equal(nodes(), 3 + 1 + 1);
    sw_ledger_turn_over(ledger, &two.request.who);
    sw_ledger_instance_over(ledger, &two.request.who);
    assert_int_equal(nodes(), 3 + 1 + 1);
    settle_cents(&two, 1);
    assert_int_equal(nodes(), 3);
    ledger_settle_down(&loop);
    sw_ledger_free(ledger);
    reopen();
    assert_int_equal(nodes(), 3);
    expect_cents(2, 0);
}

static void nodes_are_bounded_in_all_and_below_one_agent(void **state)
{
    struct sw_budget_rule rule = no_rule();
    struct call calls[10];
    struct call other = call_of(11, "ann", 1);

    (void)state;
    sw_ledger_free(ledger);
    options.nodes_max = 36;
    reopen();
    rule.turn.most.calls = 5;
    assert_int_equal(sw_ledger_set(ledger, NULL, NULL, &rule, &err), SW_OK);
    for (unsigned i = 0; i < 10; i++) {
        calls[i] = call_of(i, "ann", i);
        if (i < 9)
            reserve_ready(&calls[i]);
    }
    assert_int_equal(reserve(&calls[9]), SW_E_UNAVAILABLE);
    assert_int_equal(err.rc, SW_E_UNAVAILABLE);
    assert_non_null(strstr(err.message, "of one agent: 9"));
    other.request.who.agent = "other";
    reserve_ready(&other);
    for (unsigned i = 0; i < 9; i++)
        settle_cents(&calls[i], 1);
}

/* --- Periods -----------------------------------------------------------------------------------
 */

static void spending_begins_anew_with_a_period(void **state)
{
    struct sw_budget_rule rule = no_rule();
    struct call one = make_call(1, 80), two = make_call(2, 80), three = make_call(3, 80);
    struct sw_budget_view view;

    (void)state;
    rule.own.most.money_nano = 100 * CENT;
    rule.period = SW_BUDGET_DAY;
    disk.now_ns = 1764720000ull * LEDGER_S_NS + 23 * HOUR_NS; /* 2025-12-03. */
    assert_int_equal(sw_ledger_set(ledger, "default", "refunds", &rule, &err), SW_OK);
    reserve_ready(&one);
    assert_int_equal(reserve(&two), SW_E_EXHAUSTED);
    assert_non_null(strstr(err.message, "it begins anew at 2025-12-04T00:00:00Z"));
    assert_int_equal(refusal.until_ns, 1764720000ull * LEDGER_S_NS + 24 * HOUR_NS);
    disk.now_ns += HOUR_NS;
    view = view_of("default", "refunds");
    assert_true(sw_budget_is_zero(&view.spent) && sw_budget_is_zero(&view.reserved));
    assert_int_equal(view.begin_ns, disk.now_ns);
    reserve_ready(&two);
    /* What was reserved yesterday is settled in yesterday. */
    settle_cents(&one, 70);
    expect_cents(0, 80);
    settle_cents(&two, 30);
    expect_cents(30, 0);
    /* A clock that is set back gives nothing back. */
    disk.utc_behind_ns = 48 * HOUR_NS;
    assert_int_equal(reserve(&three), SW_E_EXHAUSTED);
}

static void another_period_keeps_what_was_spent(void **state)
{
    struct sw_budget_rule rule = no_rule();
    struct call one = make_call(1, 80);
    struct call two = make_call(2, 80);

    (void)state;
    rule.own.most.money_nano = 100 * CENT;
    rule.period = SW_BUDGET_HOUR;
    assert_int_equal(sw_ledger_set(ledger, "default", "refunds", &rule, &err), SW_OK);
    reserve_ready(&one);
    settle_cents(&one, 80);
    rule.period = SW_BUDGET_MONTH;
    assert_int_equal(sw_ledger_set(ledger, "default", "refunds", &rule, &err), SW_OK);
    disk.now_ns += HOUR_NS;
    assert_int_equal(reserve(&two), SW_E_EXHAUSTED);
    expect_cents(80, 0);
    assert_int_equal(sw_ledger_set(ledger, "default", "refunds", NULL, &err), SW_OK);
    reserve_ready(&two);
}

/* --- Keys --------------------------------------------------------------------------------------
 */

static void a_key_is_reserved_once(void **state)
{
    struct call call = make_call(1, 5), again = make_call(1, 5);
    struct sw_ledger_grant grant;

    (void)state;
    reserve_ready(&call);
    again.request.who.agent = "other"; /* Whatever is asked with it. */
    assert_int_equal(ask(&again, &grant), SW_OK);
    assert_int_equal(grant.state, SW_LEDGER_OPEN);
    assert_false(grant.is_unknown);
    assert_ptr_equal(grant.reservation, call.reservation);
    settle_cents(&call, 3);
    assert_int_equal(ask(&again, &grant), SW_OK);
    assert_int_equal(grant.state, SW_LEDGER_SETTLED);
    assert_null(grant.reservation);
    assert_int_equal(grant.actual.money_nano, 3 * CENT);
    assert_int_equal(grant.worst.money_nano, 5 * CENT);
    ledger_settle_down(&loop);
    assert_int_equal(again.ready, 0);
    expect_cents(3, 0);
}

static void known_keys_are_kept_for_a_time_and_so_many(void **state)
{
    struct call calls[4];
    struct sw_ledger_grant grant;
    struct sw_ledger_figures figures;

    (void)state;
    sw_ledger_free(ledger);
    options.keep_max = 2;
    options.keep_ns = 10 * LEDGER_S_NS;
    reopen();
    for (unsigned i = 0; i < 3; i++) {
        calls[i] = make_call(i, 1);
        reserve_ready(&calls[i]);
        settle_cents(&calls[i], 1);
    }
    calls[3] = make_call(2, 1);
    assert_int_equal(ask(&calls[3], &grant), SW_OK);
    assert_int_equal(grant.state, SW_LEDGER_SETTLED);
    calls[3] = make_call(0, 1); /* The oldest is forgotten. */
    assert_int_equal(ask(&calls[3], &grant), SW_OK);
    assert_int_equal(grant.state, SW_LEDGER_NEW);
    disk.now_ns += 10 * LEDGER_S_NS;
    sw_ledger_tick(ledger);
    sw_ledger_figures(ledger, &figures);
    assert_int_equal(figures.known, 0);
}

/* --- After an end ------------------------------------------------------------------------------
 */

static void an_open_call_is_unknown_after_a_kill(void **state)
{
    struct call call = make_call(1, 5), again = make_call(1, 5);
    struct sw_ledger_grant grant;

    (void)state;
    reserve_ready(&call);
    sw_ledger_free(ledger);
    reopen();
    expect_cents(0, 5);
    assert_int_equal(ask(&again, &grant), SW_OK);
    assert_int_equal(grant.state, SW_LEDGER_OPEN);
    assert_true(grant.is_unknown);
    assert_int_equal(grant.worst.money_nano, 5 * CENT);
    disk.now_ns += HOUR_NS; /* It is somebody's now. */
    sw_ledger_tick(ledger);
    expect_cents(0, 5);
    settle_cents(&again, 5);
    expect_cents(5, 0);
}

static void nobody_asks_for_it_it_is_settled_at_its_worst(void **state)
{
    struct sw_budget_rule rule = no_rule();
    struct call call = call_of(1, "ann", 1), again = call_of(1, "ann", 1);
    struct sw_ledger_grant grant;
    struct sw_ledger_figures figures;

    (void)state;
    rule.turn.most.calls = 5;
    assert_int_equal(sw_ledger_set(ledger, "default", "refunds", &rule, &err), SW_OK);
    reserve_ready(&call);
    sw_ledger_free(ledger);
    options.grace_ns = 60 * LEDGER_S_NS;
    reopen();
    assert_int_equal(sw_ledger_set(ledger, "default", "refunds", &rule, &err), SW_OK);
    assert_int_equal(nodes(), 4);
    disk.now_ns += 59 * LEDGER_S_NS;
    sw_ledger_tick(ledger);
    expect_cents(0, 10);
    disk.now_ns += LEDGER_S_NS;
    sw_ledger_tick(ledger);
    expect_cents(10, 0);
    assert_int_equal(nodes(), 3); /* The turn is over as well. */
    sw_ledger_figures(ledger, &figures);
    assert_int_equal(figures.expired, 1);
    assert_int_equal(ask(&again, &grant), SW_OK);
    assert_int_equal(grant.state, SW_LEDGER_SETTLED);
}

static void lose_power(void)
{
    sw_ledger_free(ledger);
    disk_crash(&disk);
    ledger_set_boot(&disk, "boot-2");
    reopen();
}

static void after_a_loss_of_power_the_mark_counts(void **state)
{
    struct call calls[3] = {make_call(1, 1), make_call(2, 1), make_call(3, 1)};
    struct sw_budget_view view;

    (void)state;
    set_cents("default", "refunds", 1000);
    for (unsigned i = 0; i < 3; i++) {
        reserve_ready(&calls[i]);
        settle_cents(&calls[i], 1);
    }
    ledger_settle_down(&loop);
    lose_power();
    set_cents("default", "refunds", 1000);
    view = view_of("default", "refunds");
    assert_true(view.spent.money_nano + view.reserved.money_nano >= 3 * CENT);
    /* A 64th of the limit, and a little: no more is lost of it. */
    assert_true(view.spent.money_nano <= 3 * CENT + 1000 * CENT / 64 + 4 * CENT);
    assert_true(view.lost.money_nano > 0 && view.lost.money_nano <= view.spent.money_nano);
}

static void on_stopped(void *ctx, enum sw_rc rc)
{
    *(enum sw_rc *)ctx = rc;
}

static void after_a_clean_stop_all_is_exact(void **state)
{
    struct call call = make_call(1, 5), late = make_call(2, 5);
    enum sw_rc stopped = SW_E_UNKNOWN;

    (void)state;
    set_cents("default", "refunds", 1000);
    reserve_ready(&call);
    settle_cents(&call, 4);
    sw_ledger_stop(ledger, on_stopped, &stopped);
    assert_int_equal(reserve(&late), SW_E_UNAVAILABLE);
    ledger_settle_down(&loop);
    assert_int_equal(stopped, SW_OK);
    lose_power();
    expect_cents(4, 0);
}

static void a_machine_without_a_boot_id_loses_power_each_time(void **state)
{
    struct call call = make_call(1, 5);

    (void)state;
    assert_int_equal(disk.system.path_remove(&disk, LEDGER_BOOT_FILE, NULL), SW_OK);
    sw_ledger_free(ledger);
    reopen();
    set_cents("default", "refunds", 100);
    reserve_ready(&call);
    settle_cents(&call, 1);
    ledger_settle_down(&loop);
    sw_ledger_free(ledger);
    reopen();
    assert_true(view_of("default", "refunds").spent.money_nano > 1 * CENT);
}

/* --- Writes and syncs --------------------------------------------------------------------------
 */

static void a_mark_is_asked_for_ahead(void **state)
{
    struct sw_ledger_figures before, after;
    struct call call = make_call(0, 1);

    (void)state;
    set_cents("default", "refunds", 6400); /* A block is a dollar. */
    reserve_ready(&call);
    settle_cents(&call, 1);
    ledger_settle_down(&loop);
    sw_ledger_figures(ledger, &before);
    for (unsigned i = 1; i <= 1000; i++) {
        call = make_call(i, 1);
        reserve_ready(&call);
        settle_cents(&call, 1);
        ledger_settle_down(&loop);
    }
    sw_ledger_figures(ledger, &after);
    assert_int_equal(after.waits, before.waits); /* Nobody waited for a sync. */
    assert_in_range(after.syncs - before.syncs, 8, 16);
}

static void a_round_is_one_write(void **state)
{
    struct sw_ledger_figures before, after;
    struct call calls[50];

    (void)state;
    sw_ledger_figures(ledger, &before);
    for (unsigned i = 0; i < 50; i++) {
        calls[i] = make_call(i, 1);
        assert_int_equal(reserve(&calls[i]), SW_OK);
    }
    ledger_round(&loop);
    sw_ledger_figures(ledger, &after);
    assert_int_equal(after.writes, before.writes + 1);
    for (unsigned i = 0; i < 50; i++)
        assert_int_equal(calls[i].ready, 1);
}

static void who_is_above_the_mark_waits_for_a_sync(void **state)
{
    struct call call = make_call(1, 5), released = make_call(2, 5);

    (void)state;
    set_cents("default", "refunds", 100);
    assert_int_equal(reserve(&call), SW_OK);
    assert_int_equal(reserve(&released), SW_OK);
    ledger_round(&loop);
    assert_int_equal(call.ready, 0);
    assert_int_equal(sw_ledger_release(ledger, released.reservation, &err), SW_OK);
    ledger_pool(&loop);
    assert_int_equal(call.ready, 1);
    ledger_settle_down(&loop);
    assert_int_equal(released.ready, 0);
}

static void a_full_disk_lets_nothing_out_and_loses_nothing(void **state)
{
    struct call one = make_call(1, 5), two = make_call(2, 5), three = make_call(3, 5);
    struct sw_ledger_figures figures;

    (void)state;
    reserve_ready(&one);
    disk.full_after = 0;
    assert_int_equal(reserve(&two), SW_OK);
    ledger_settle_down(&loop);
    assert_int_equal(two.ready, 1);
    assert_int_equal(two.rc, SW_E_EXHAUSTED);
    assert_int_equal(reserve(&three), SW_E_UNAVAILABLE);
    assert_non_null(strstr(err.message, "the disk is full"));
    assert_true(err.hint[0] != '\0');
    settle_cents(&one, 4);
    sw_ledger_figures(ledger, &figures);
    assert_true(figures.is_full);
    ledger_settle_down(&loop);
    disk.full_after = -1;
    sw_ledger_tick(ledger);
    ledger_settle_down(&loop);
    reserve_ready(&three);
    sw_ledger_free(ledger);
    reopen();
    expect_cents(4, 5);
}

static void a_failed_write_or_sync_ends_all(void **state)
{
    struct call one = make_call(1, 5), two = make_call(2, 5), three = make_call(3, 5);
    const struct sw_budget_amount actual = {.of = {CENT}};
    struct sw_ledger_figures figures;
    enum sw_rc stopped = SW_OK;

    (void)state;
    set_cents("default", "refunds", 1000);
    reserve_ready(&one);
    two.request.worst.money_nano = 500 * CENT;
    assert_int_equal(reserve(&two), SW_OK);
    disk.fail_syncs_after = 1;
    ledger_settle_down(&loop);
    assert_int_equal(two.ready, 1);
    assert_int_equal(two.rc, SW_E_INTERNAL);
    assert_int_equal(reserve(&three), SW_E_UNAVAILABLE);
    assert_non_null(strstr(err.message, "could not be written"));
    assert_int_not_equal(sw_ledger_settle(ledger, one.reservation, &actual, &err), SW_OK);
    expect_cents(1, 0); /* Counted all the same. */
    sw_ledger_tick(ledger);
    sw_ledger_figures(ledger, &figures);
    assert_true(figures.has_failed);
    sw_ledger_stop(ledger, on_stopped, &stopped);
    ledger_settle_down(&loop);
    assert_int_equal(stopped, SW_E_INTERNAL);
}

static void without_memory_for_the_loop_a_tick_goes_on(void **state)
{
    struct call call = make_call(1, 5);

    (void)state;
    set_cents("default", "refunds", 100);
    loop.has_no_memory = true;
    assert_int_equal(reserve(&call), SW_OK);
    loop.has_no_memory = false;
    ledger_settle_down(&loop);
    assert_int_equal(call.ready, 0);
    sw_ledger_tick(ledger);
    loop.has_no_memory = true; /* For the sync. */
    ledger_round(&loop);
    loop.has_no_memory = false;
    assert_int_equal(call.ready, 0);
    sw_ledger_tick(ledger);
    ledger_settle_down(&loop);
    assert_int_equal(call.ready, 1);
}

static void too_many_at_once_are_refused(void **state)
{
    struct call one = make_call(1, 5), two = make_call(2, 5);

    (void)state;
    sw_ledger_free(ledger);
    options.open_max = 1;
    reopen();
    reserve_ready(&one);
    assert_int_equal(reserve(&two), SW_E_UNAVAILABLE);
    assert_non_null(strstr(err.message, "too many calls are under way: 1"));
}

static void the_journal_is_begun_anew(void **state)
{
    struct sw_ledger_figures figures;
    struct call call;
    unsigned files = 0;

    (void)state;
    sw_ledger_free(ledger);
    options.compact_bytes = 65536;
    options.keep_max = 10;
    reopen();
    for (unsigned i = 0; i < 3000; i++) {
        call = make_call(i, 1);
        reserve_ready(&call);
        settle_cents(&call, 1);
    }
    ledger_settle_down(&loop);
    sw_ledger_figures(ledger, &figures);
    assert_in_range(figures.compactions, 5, 12);
    for (unsigned i = 0; i < DISK_FILES_MAX; i++)
        files += disk.files[i].is_there;
    assert_in_range(files, 1, 4); /* The boot is one of them. */
    sw_ledger_free(ledger);
    reopen();
    expect_cents(3000, 0);
}

static void damage_is_told(void **state)
{
    struct sw_ledger *other;

    (void)state;
    for (unsigned i = 0; i < DISK_FILES_MAX; i++)
        if (disk.files[i].is_there && strncmp(disk.files[i].path, LEDGER_FOLDER, 6) == 0)
            disk.files[i].seen[4]++; /* The version. */
    assert_int_equal(ledger_open(&disk, &loop, options, &other, &err), SW_E_UNSUPPORTED);
    assert_non_null(strstr(err.message, "the ledger in " LEDGER_FOLDER));
}

/* --- Many on one budget ------------------------------------------------------------------------
 */

static uint64_t let_out_nano; /* By all processes: settled, and the worst of what is open. */

/* A process: a thousand callers on one dollar, until it is killed. */
static void crowd(unsigned life, struct call calls[1000])
{
    for (unsigned i = 0; i < 1000; i++) {
        calls[i] = make_call(life * 1000 + i, 0);
        calls[i].request.worst.money_nano = 1 + disk_random(&disk) % CENT;
        if (reserve(&calls[i]) != SW_OK)
            calls[i].reservation = NULL;
        if (disk_random(&disk) % 50 == 0)
            ledger_settle_down(&loop);
    }
    ledger_round(&loop);
    for (unsigned i = 0; i < 1000; i++) {
        const uint64_t worst = calls[i].request.worst.money_nano;
        struct sw_budget_amount actual = {.of = {worst - disk_random(&disk) % worst}};

        if (calls[i].reservation == NULL || calls[i].ready == 0)
            continue;
        if (disk_random(&disk) % 2 == 0)
            actual.money_nano = worst;
        else
            assert_int_equal(sw_ledger_settle(ledger, calls[i].reservation, &actual, &err), SW_OK);
        let_out_nano += actual.money_nano;
    }
    assert_true(let_out_nano <= 100 * CENT);
}

static void a_thousand_callers_never_pass_one_dollar(void **state)
{
    static struct call calls[1000];

    (void)state;
    for (uint64_t seed = 1; seed <= 100; seed++) {
        char boot[16];

        sw_ledger_free(ledger);
        disk_done(&disk);
        disk_init(&disk, seed);
        let_out_nano = 0;
        for (unsigned life = 0; life < 4; life++) {
            snprintf(boot, sizeof boot, "boot-%u", life / 2);
            ledger_set_boot(&disk, boot);
            reopen();
            set_cents("default", "refunds", 100);
            crowd(life, calls);
            if (life == 3)
                break;
            sw_ledger_free(ledger);
            if (life % 2 == 1)
                disk_crash(&disk);
        }
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_call_is_reserved_and_settled_in_its_whole_path),
        TEST(what_does_not_fit_is_refused_in_words),
        TEST(who_only_waits_for_reserved_money_is_told),
        TEST(a_child_never_passes_its_parents),
        TEST(each_dimension_is_bounded),
        TEST(delegation_has_a_depth),
        TEST(more_than_the_worst_case_is_counted),
        TEST(wrong_requests_are_refused),
        TEST(turns_and_instances_have_limits_of_their_own),
        TEST(what_is_over_goes_with_its_last_call),
        TEST(nodes_are_bounded_in_all_and_below_one_agent),
        TEST(spending_begins_anew_with_a_period),
        TEST(another_period_keeps_what_was_spent),
        TEST(a_key_is_reserved_once),
        TEST(known_keys_are_kept_for_a_time_and_so_many),
        TEST(an_open_call_is_unknown_after_a_kill),
        TEST(nobody_asks_for_it_it_is_settled_at_its_worst),
        TEST(after_a_loss_of_power_the_mark_counts),
        TEST(after_a_clean_stop_all_is_exact),
        TEST(a_machine_without_a_boot_id_loses_power_each_time),
        TEST(a_mark_is_asked_for_ahead),
        TEST(a_round_is_one_write),
        TEST(who_is_above_the_mark_waits_for_a_sync),
        TEST(a_full_disk_lets_nothing_out_and_loses_nothing),
        TEST(a_failed_write_or_sync_ends_all),
        TEST(without_memory_for_the_loop_a_tick_goes_on),
        TEST(too_many_at_once_are_refused),
        TEST(the_journal_is_begun_anew),
        TEST(damage_is_told),
        TEST(a_thousand_callers_never_pass_one_dollar),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
