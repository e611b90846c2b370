/* Calls on a ledger of support/ledger.h, for tests: each test has one, with its disk. */
#pragma once
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

static inline void reopen(void)
{
    assert_int_equal(ledger_open(&disk, &loop, options, &ledger, &err), SW_OK);
}

static inline int setup(void **state)
{
    (void)state;
    memset(&err, 0, sizeof err);
    options = (struct sw_ledger_options){.compact_bytes = 256u << 10}; /* Quick to be copied. */
    disk_init(&disk, 7);
    ledger_set_boot(&disk, "boot-1");
    reopen();
    return 0;
}

static inline int teardown(void **state)
{
    (void)state;
    sw_ledger_free(ledger);
    ledger = NULL;
    disk_done(&disk);
    return 0;
}

static inline struct sw_budget_rule no_rule(void)
{
    return (struct sw_budget_rule){
        .own = sw_budget_no_limits, .instance = sw_budget_no_limits, .turn = sw_budget_no_limits};
}

static inline void set_cents(const char *name_space, const char *agent, uint64_t cents)
{
    struct sw_budget_rule rule = no_rule();

    rule.own.most.money_nano = cents * CENT;
    assert_int_equal(sw_ledger_set(ledger, name_space, agent, "own", &rule, &err), SW_OK);
}

static inline void on_ready(void *ctx, enum sw_rc rc)
{
    struct call *call = ctx;

    call->ready++;
    call->rc = rc;
}

static inline struct call make_call(unsigned number, uint64_t cents)
{
    struct call call = {.request = {.who = {.name_space = "default", .agent = "refunds"},
                                    .worst = {.of = {cents * CENT, 100, 1, LEDGER_S_NS}},
                                    .ready = on_ready}};

    snprintf(call.key, sizeof call.key, "key-%u", number);
    return call;
}

static inline enum sw_rc ask(struct call *call, struct sw_ledger_grant *ret_grant)
{
    enum sw_rc rc;

    call->request.key = (struct sw_bytes){call->key, strlen(call->key)};
    call->request.ctx = call;
    rc = sw_ledger_reserve(ledger, &call->request, ret_grant, &refusal, &err);
    if (rc == SW_OK)
        call->reservation = ret_grant->reservation;
    return rc;
}

static inline enum sw_rc reserve(struct call *call)
{
    struct sw_ledger_grant grant;

    return ask(call, &grant);
}

static inline void reserve_ready(struct call *call)
{
    assert_int_equal(reserve(call), SW_OK);
    assert_int_equal(call->ready, 0);
    ledger_settle_down(&loop);
    assert_int_equal(call->ready, 1);
    assert_int_equal(call->rc, SW_OK);
}

static inline void settle_cents(struct call *call, uint64_t cents)
{
    const struct sw_budget_amount actual = {.of = {cents * CENT, 10, 1, LEDGER_S_NS / 2}};

    assert_int_equal(sw_ledger_settle(ledger, call->reservation, &actual, &err), SW_OK);
}

static inline struct sw_budget_view view_of(const char *name_space, const char *agent)
{
    struct sw_budget_view view;

    if (!sw_ledger_find(ledger, name_space, agent, "own", &view))
        assert_true(sw_ledger_find(ledger, name_space, agent, NULL, &view));
    return view;
}

static inline void expect_cents(uint64_t spent, uint64_t reserved)
{
    struct sw_budget_view view = view_of("default", "refunds");

    assert_int_equal(view.spent.money_nano, spent * CENT);
    assert_int_equal(view.reserved.money_nano, reserved * CENT);
}

static inline struct call call_of(unsigned number, const char *instance, uint64_t turn)
{
    struct call call = make_call(number, 10);

    call.request.who.instance = (struct sw_bytes){instance, strlen(instance)};
    call.request.who.turn = turn;
    return call;
}

static inline uint32_t nodes(void)
{
    struct sw_ledger_figures figures;

    sw_ledger_figures(ledger, &figures);
    return figures.nodes;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
