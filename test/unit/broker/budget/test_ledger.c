#include "pkg/broker/budget/ledger.h"

#include "test/support/ledger_calls.h"

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
    assert_false(sw_ledger_find(ledger, "default", "other", NULL, &view));
    assert_false(sw_ledger_find(ledger, "lab", NULL, "own", &view));
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
            sw_ledger_set(ledger, "default", sw_budget_dimension_names[i], "own", &rule, &err),
            SW_OK);
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
    assert_int_equal(sw_ledger_set(ledger, "default", NULL, "own", &rule, &err), SW_OK);
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
    assert_int_equal(sw_ledger_set(ledger, long_name, NULL, "own", &rule, &err), SW_E_INVALID);
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

static void turns_and_instances_have_limits_of_their_own(void **state)
{
    struct sw_budget_rule rule = no_rule();
    struct call ann = call_of(1, "ann", 1), again = call_of(2, "ann", 1);
    struct call next = call_of(3, "ann", 2), last = call_of(4, "ann", 3);
    struct call bob = call_of(5, "bob\n", 1);

    (void)state;
    rule.instance.most.money_nano = 25 * CENT;
    rule.turn.most.money_nano = 15 * CENT;
    assert_int_equal(sw_ledger_set(ledger, NULL, NULL, "own", &rule, &err), SW_OK);
    reserve_ready(&ann);
    assert_int_equal(reserve(&again), SW_E_EXHAUSTED);
    assert_int_equal(refusal.level, SW_BUDGET_TURN);
    assert_non_null(strstr(err.message, "the budget of a turn, of default/refunds/ann:"));
    assert_non_null(strstr(err.hint, "the budget of the Cluster"));
    reserve_ready(&next);
    assert_int_equal(nodes(), 4 + 1 + 2);
    assert_int_equal(reserve(&last), SW_E_EXHAUSTED);
    assert_int_equal(refusal.level, SW_BUDGET_INSTANCE);
    assert_int_equal(nodes(), 4 + 1 + 2); /* What was only asked for is not kept. */
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
    assert_int_equal(sw_ledger_set(ledger, "default", "refunds", "own", &rule, &err), SW_OK);
    reserve_ready(&one);
    reserve_ready(&two);
    assert_int_equal(nodes(), 4 + 1 + 2);
    settle_cents(&one, 1);
    sw_ledger_turn_over(ledger, &one.request.who);
    assert_int_equal(nodes(), 4 + 1 + 1);
    sw_ledger_turn_over(ledger, &two.request.who);
    sw_ledger_instance_over(ledger, &two.request.who);
    assert_int_equal(nodes(), 4 + 1 + 1);
    settle_cents(&two, 1);
    assert_int_equal(nodes(), 4);
    ledger_settle_down(&loop);
    sw_ledger_free(ledger);
    reopen();
    assert_int_equal(nodes(), 4);
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
    assert_int_equal(sw_ledger_set(ledger, NULL, NULL, "own", &rule, &err), SW_OK);
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
    assert_int_equal(sw_ledger_set(ledger, "default", "refunds", "own", &rule, &err), SW_OK);
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
    assert_int_equal(sw_ledger_set(ledger, "default", "refunds", "own", &rule, &err), SW_OK);
    reserve_ready(&one);
    settle_cents(&one, 80);
    rule.period = SW_BUDGET_MONTH;
    assert_int_equal(sw_ledger_set(ledger, "default", "refunds", "own", &rule, &err), SW_OK);
    disk.now_ns += HOUR_NS;
    assert_int_equal(reserve(&two), SW_E_EXHAUSTED);
    expect_cents(80, 0);
    assert_int_equal(sw_ledger_set(ledger, "default", "refunds", "own", NULL, &err), SW_OK);
    reserve_ready(&two);
}

/* --- Several rules -----------------------------------------------------------------------------
 */

static void each_of_several_rules_holds(void **state)
{
    struct sw_budget_rule hourly = no_rule(), forever = no_rule();
    struct call calls[4] = {make_call(1, 40), make_call(2, 40), make_call(3, 40), make_call(4, 40)};
    struct sw_budget_view view;

    (void)state;
    hourly.own.most.money_nano = 50 * CENT;
    hourly.period = SW_BUDGET_HOUR;
    forever.own.most.money_nano = 100 * CENT;
    assert_int_equal(sw_ledger_set(ledger, "default", NULL, "hourly", &hourly, &err), SW_OK);
    assert_int_equal(sw_ledger_set(ledger, "default", NULL, "forever", &forever, &err), SW_OK);
    reserve_ready(&calls[0]);
    assert_int_equal(reserve(&calls[1]), SW_E_EXHAUSTED);
    assert_string_equal(refusal.rule, "hourly");
    assert_int_equal(refusal.rule_level, SW_BUDGET_NAMESPACE);
    assert_non_null(strstr(err.hint, "Budget hourly"));
    disk.now_ns += HOUR_NS;
    reserve_ready(&calls[2]);
    disk.now_ns += HOUR_NS;
    assert_int_equal(reserve(&calls[3]), SW_E_EXHAUSTED);
    assert_string_equal(refusal.rule, "forever");
    assert_true(sw_ledger_find(ledger, "default", NULL, "forever", &view));
    assert_int_equal(view.reserved.money_nano, 80 * CENT);
    assert_true(sw_ledger_find(ledger, "default", NULL, "hourly", &view));
    assert_int_equal(view.reserved.money_nano, 0);
    assert_string_equal(view.rule, "hourly");
}

static void a_rule_that_is_removed_takes_its_nodes_along(void **state)
{
    struct sw_budget_rule rule = no_rule();
    struct call one = call_of(1, "ann", 1), two = call_of(2, "bob", 2);
    struct sw_budget_view view;

    (void)state;
    rule.instance.most.calls = rule.turn.most.calls = 5;
    assert_int_equal(sw_ledger_set(ledger, "default", "refunds", "own", &rule, &err), SW_OK);
    reserve_ready(&one);
    settle_cents(&one, 1);
    reserve_ready(&two);
    assert_int_equal(nodes(), 4 + 2 + 2);
    assert_int_equal(sw_ledger_set(ledger, "default", "refunds", "own", NULL, &err), SW_OK);
    assert_int_equal(nodes(), 4 + 1 + 1); /* Of the call that is open. */
    settle_cents(&two, 1);
    assert_int_equal(nodes(), 3);
    assert_false(sw_ledger_find(ledger, "default", "refunds", "own", &view));
    expect_cents(2, 0); /* All that was ever spent there is still known. */
    assert_int_equal(sw_ledger_set(ledger, "default", "refunds", "own", NULL, &err), SW_OK);
    ledger_settle_down(&loop);
    sw_ledger_free(ledger);
    reopen();
    assert_int_equal(nodes(), 3);
}

static void a_rule_that_nobody_sets_after_a_start_goes(void **state)
{
    struct call call = make_call(1, 5);
    struct sw_budget_view view;

    (void)state;
    set_cents("default", "refunds", 100);
    set_cents("default", NULL, 100);
    reserve_ready(&call);
    settle_cents(&call, 5);
    ledger_settle_down(&loop);
    sw_ledger_free(ledger);
    reopen();
    set_cents("default", NULL, 100);
    disk.now_ns += HOUR_NS;
    sw_ledger_tick(ledger);
    assert_false(sw_ledger_find(ledger, "default", "refunds", "own", &view));
    assert_true(sw_ledger_find(ledger, "default", NULL, "own", &view));
    assert_int_equal(view.spent.money_nano, 5 * CENT);
}

static void rules_of_one_owner_are_bounded(void **state)
{
    struct sw_budget_rule rule = no_rule();
    char name[8];

    (void)state;
    for (unsigned i = 0; i <= SW_BUDGET_RULES_MAX; i++) {
        snprintf(name, sizeof name, "r%u", i);
        assert_int_equal(sw_ledger_set(ledger, NULL, NULL, name, &rule, &err),
                         i < SW_BUDGET_RULES_MAX ? SW_OK : SW_E_EXHAUSTED);
    }
    assert_int_equal(sw_ledger_set(ledger, NULL, NULL, "r0", NULL, &err), SW_OK);
    assert_int_equal(sw_ledger_set(ledger, NULL, NULL, name, &rule, &err), SW_OK);
}

/* The longest path there is: each of eight rules of three owners bounds instances and turns. */
static void all_rules_that_there_may_be_hold_together(void **state)
{
    struct sw_budget_rule rule = no_rule();
    struct call call = call_of(1, "ann", 1);
    char name[8];

    (void)state;
    rule.own.most.calls = rule.instance.most.calls = rule.turn.most.calls = 5;
    for (unsigned i = 0; i < 3 * SW_BUDGET_RULES_MAX; i++) {
        snprintf(name, sizeof name, "r%u", i);
        assert_int_equal(sw_ledger_set(ledger, i % 3 == 0 ? NULL : "default",
                                       i % 3 == 2 ? "refunds" : NULL, name, &rule, &err),
                         SW_OK);
    }
    reserve_ready(&call);
    assert_int_equal(nodes(), SW_BUDGET_PATH_MAX);
    sw_ledger_free(ledger);
    reopen();
    assert_int_equal(nodes(), SW_BUDGET_PATH_MAX);
    expect_cents(10, 0);
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
        TEST(each_of_several_rules_holds),
        TEST(a_rule_that_is_removed_takes_its_nodes_along),
        TEST(a_rule_that_nobody_sets_after_a_start_goes),
        TEST(rules_of_one_owner_are_bounded),
        TEST(all_rules_that_there_may_be_hold_together),
        TEST(a_key_is_reserved_once),
        TEST(known_keys_are_kept_for_a_time_and_so_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
