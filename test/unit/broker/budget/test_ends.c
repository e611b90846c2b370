/* What a ledger finds after an end, and what waits for its disk. */
#include "pkg/broker/budget/ledger.h"

#include "test/support/ledger_calls.h"

/* --- After an end ------------------------------------------------------------------------------
 */

/* Nobody can say what it came to, and nobody has to wait until it is given up. */
static void an_open_call_counts_at_its_worst_after_a_kill(void **state)
{
    struct call call = make_call(1, 5), again = make_call(1, 5);
    struct sw_ledger_grant grant;
    struct sw_ledger_figures figures;

    (void)state;
    reserve_ready(&call);
    for (unsigned i = 0; i < 2; i++) { /* Also when it is killed once more. */
        sw_ledger_free(ledger);
        reopen();
        expect_cents(5, 0);
        sw_ledger_figures(ledger, &figures);
        assert_int_equal(figures.abandoned, i == 0 ? 1 : 0);
        assert_int_equal(figures.open, 0);
        assert_int_equal(ask(&again, &grant), SW_OK);
        assert_int_equal(grant.state, SW_LEDGER_SETTLED);
        assert_null(grant.reservation);
        assert_int_equal(grant.actual.money_nano, 5 * CENT);
    }
    disk.now_ns += HOUR_NS;
    sw_ledger_tick(ledger);
    expect_cents(5, 0);
}

static void a_turn_that_nobody_went_on_with_goes(void **state)
{
    struct sw_budget_rule rule = no_rule();
    struct call call = call_of(1, "ann", 1);

    (void)state;
    rule.turn.most.calls = 5;
    assert_int_equal(sw_ledger_set(ledger, "default", "refunds", "own", &rule, &err), SW_OK);
    reserve_ready(&call);
    sw_ledger_free(ledger);
    options.grace_ns = 60 * LEDGER_S_NS;
    reopen();
    assert_int_equal(sw_ledger_set(ledger, "default", "refunds", "own", &rule, &err), SW_OK);
    assert_int_equal(nodes(), 5);
    disk.now_ns += 59 * LEDGER_S_NS;
    sw_ledger_tick(ledger);
    assert_int_equal(nodes(), 5);
    disk.now_ns += LEDGER_S_NS;
    sw_ledger_tick(ledger);
    expect_cents(10, 0);
    assert_int_equal(nodes(), 4);
}

/* Who calls in another turn is past the one before, whose budget goes when nothing is open in it.
 */
static void a_turn_ends_with_the_next_one(void **state)
{
    struct sw_budget_rule rule = no_rule();
    struct call calls[4] = {call_of(1, "ann", 1), call_of(2, "ann", 1), call_of(3, "ann", 1),
                            call_of(4, "bob", 1)};
    uint32_t before;

    (void)state;
    rule.turn.most.calls = 1;
    assert_int_equal(sw_ledger_set(ledger, "default", "refunds", "own", &rule, &err), SW_OK);
    for (unsigned i = 0; i < 4; i++)
        calls[i].request.who.turn = i < 2 ? 7 : 9;
    reserve_ready(&calls[0]);
    before = nodes() - 1;
    assert_int_equal(reserve(&calls[1]), SW_E_EXHAUSTED);
    assert_int_equal(refusal.level, SW_BUDGET_TURN);
    assert_int_equal(nodes(), before + 1);
    reserve_ready(&calls[2]);
    reserve_ready(&calls[3]); /* Of another instance. */
    assert_int_equal(nodes(), before + 3);
    settle_cents(&calls[0], 1);
    ledger_settle_down(&loop);
    assert_int_equal(nodes(), before + 2);
    settle_cents(&calls[2], 1);
    settle_cents(&calls[3], 1);
    ledger_settle_down(&loop);
    assert_int_equal(nodes(), before + 2); /* Those turns may go on. */
}

/* Instances that call no more leave one node each, and no more than there is room for. */
static void turns_that_nobody_ends_make_room(void **state)
{
    struct sw_budget_rule rule = no_rule();
    char names[40][8];

    (void)state;
    sw_ledger_free(ledger);
    options.nodes_max = 128; /* 16 of them for such turns. */
    reopen();
    rule.turn.most.calls = 1;
    assert_int_equal(sw_ledger_set(ledger, "default", "refunds", "own", &rule, &err), SW_OK);
    for (unsigned i = 0; i < 40; i++) {
        struct call call = make_call(i, 1);

        snprintf(names[i], sizeof names[i], "i%u", i);
        call.request.who.instance = (struct sw_bytes){names[i], strlen(names[i])};
        call.request.who.turn = 1;
        reserve_ready(&call);
        settle_cents(&call, 1);
    }
    ledger_settle_down(&loop);
    assert_true(nodes() <= 16 + 6);
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

/* What was spent after the backup is known to nobody: it is as much as may have been. */
static void on_another_timeline_the_mark_counts(void **state)
{
    struct call call = make_call(1, 1);
    struct sw_budget_view view;
    uint64_t spent;

    (void)state;
    set_cents("default", "refunds", 1000);
    reserve_ready(&call);
    settle_cents(&call, 1);
    ledger_settle_down(&loop);
    sw_ledger_free(ledger);
    options.timeline = 1; /* The first one, told or not. */
    reopen();
    expect_cents(1, 0);
    sw_ledger_free(ledger);
    options.timeline = 2;
    reopen();
    set_cents("default", "refunds", 1000);
    view = view_of("default", "refunds");
    spent = view.spent.money_nano;
    assert_true(spent >= CENT && spent <= CENT + 1000 * CENT / 64 + 4 * CENT);
    assert_int_equal(view.lost.money_nano, spent - CENT);
    sw_ledger_free(ledger);
    reopen();
    view = view_of("default", "refunds");
    assert_int_equal(view.spent.money_nano, spent);
    sw_ledger_free(ledger);
    options.timeline = UINT64_MAX;
    reopen();
    options.timeline = 0;
}

static void it_can_be_checked_while_it_is_written(void **state)
{
    struct call call = make_call(1, 1);
    struct sw_journal_report report;

    (void)state;
    reserve_ready(&call);
    ledger_settle_down(&loop);
    assert_int_equal(sw_ledger_check(&disk.system, LEDGER_FOLDER, &report, &err), SW_OK);
    assert_true(report.records > 2);
    settle_cents(&call, 1);
    ledger_settle_down(&loop);
    assert_int_equal(sw_ledger_check(&disk.system, "nowhere", &report, &err), SW_E_NOT_FOUND);
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

/* Whoever is let out while the ledger stops may settle: the stop is still the last record. */
static void what_is_settled_during_a_stop_is_exact(void **state)
{
    struct call call = make_call(1, 5);
    enum sw_rc stopped = SW_E_UNKNOWN;

    (void)state;
    set_cents("default", "refunds", 1000);
    reserve_ready(&call);
    sw_ledger_stop(ledger, on_stopped, &stopped);
    ledger_round(&loop);
    settle_cents(&call, 4); /* While the pool commits. */
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
    expect_cents(9, 0);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_open_call_counts_at_its_worst_after_a_kill),
        TEST(a_turn_that_nobody_went_on_with_goes),
        TEST(a_turn_ends_with_the_next_one),
        TEST(turns_that_nobody_ends_make_room),
        TEST(after_a_loss_of_power_the_mark_counts),
        TEST(on_another_timeline_the_mark_counts),
        TEST(it_can_be_checked_while_it_is_written),
        TEST(after_a_clean_stop_all_is_exact),
        TEST(what_is_settled_during_a_stop_is_exact),
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
