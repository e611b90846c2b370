/* The ledger on a loop and a disk of the machine: syncs run on the pool beside writes. */
/* labels: threaded */
/* uses: pkg/utils/loop pkg/utils/system */
#include "pkg/broker/budget/ledger.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#define CALLS 20000u
#define AT_ONCE 64u

struct run {
    struct sw_loop *loop;
    struct sw_ledger *ledger;
    unsigned begun, settled;
    enum sw_rc stopped;
};

struct call {
    struct run *run;
    struct sw_reservation *reservation;
};

static void begin(struct run *run);

static void on_stopped(void *ctx, enum sw_rc rc)
{
    struct run *run = ctx;

    run->stopped = rc;
    sw_loop_stop(run->loop);
}

static void on_ready(void *ctx, enum sw_rc rc)
{
    struct call *call = ctx;
    struct run *run = call->run;
    const struct sw_budget_amount actual = {.of = {1, 2, 1, 3}};

    assert_int_equal(rc, SW_OK);
    assert_int_equal(sw_ledger_settle(run->ledger, call->reservation, &actual, NULL), SW_OK);
    free(call);
    run->settled++;
    if (run->begun < CALLS)
        begin(run);
    else if (run->settled == CALLS)
        sw_ledger_stop(run->ledger, on_stopped, run);
}

static void begin(struct run *run)
{
    struct call *call = malloc(sizeof *call);
    char key[24], agent[8];
    struct sw_ledger_request request = {.worst = {.of = {2, 4, 1, 5}}, .ready = on_ready};
    struct sw_ledger_grant grant;

    assert_non_null(call);
    call->run = run;
    snprintf(key, sizeof key, "call-%u", run->begun);
    snprintf(agent, sizeof agent, "a%u", run->begun % 4);
    run->begun++;
    request.who = (struct sw_budget_who){.name_space = "default", .agent = agent};
    request.key = (struct sw_bytes){key, strlen(key)};
    request.ctx = call;
    assert_int_equal(sw_ledger_reserve(run->ledger, &request, &grant, NULL, NULL), SW_OK);
    call->reservation = grant.reservation;
}

static void remove_folder(const char *folder)
{
    char command[128];

    snprintf(command, sizeof command, "rm -r '%s'", folder);
    assert_int_equal(system(command), 0);
}

static void open_run(struct run *run, const char *folder)
{
    const struct sw_ledger_options options = {.system = sw_system_real(),
                                              .loop = run->loop,
                                              .folder = folder,
                                              .compact_bytes = 256u << 10};
    struct sw_budget_rule rule = {
        .own = sw_budget_no_limits, .instance = sw_budget_no_limits, .turn = sw_budget_no_limits};
    struct sw_err err = {0};

    if (sw_ledger_new(&options, &run->ledger, &err) != SW_OK)
        fail_msg("%s", err.message);
    rule.own.most.money_nano = 2 * CALLS;
    assert_int_equal(sw_ledger_set(run->ledger, NULL, NULL, "all", &rule, NULL), SW_OK);
    rule.own.most.money_nano = CALLS;
    assert_int_equal(sw_ledger_set(run->ledger, "default", "a1", "own", &rule, NULL), SW_OK);
}

static void syncs_run_beside_writes(void **state)
{
    char folder[] = "/tmp/sw-ledger-XXXXXX";
    struct run run = {.stopped = SW_E_UNKNOWN};
    struct sw_ledger_figures figures;
    struct sw_budget_view view;
    struct sw_err err = {0};

    (void)state;
    assert_non_null(mkdtemp(folder));
    assert_int_equal(sw_loop_new(&run.loop, &err), SW_OK);
    open_run(&run, folder);
    for (unsigned i = 0; i < AT_ONCE; i++)
        begin(&run);
    sw_loop_run(run.loop);
    assert_int_equal(run.stopped, SW_OK);
    sw_ledger_figures(run.ledger, &figures);
    assert_true(figures.settled == CALLS && figures.open == 0 && figures.syncs > 0);
    assert_true(figures.compactions > 0);
    sw_ledger_free(run.ledger);
    open_run(&run, folder);
    assert_true(sw_ledger_find(run.ledger, NULL, NULL, NULL, &view));
    assert_int_equal(view.spent.money_nano, CALLS);
    assert_int_equal(view.spent.tokens, 2 * CALLS);
    sw_ledger_free(run.ledger);
    sw_loop_free(run.loop);
    remove_folder(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(syncs_run_beside_writes)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
