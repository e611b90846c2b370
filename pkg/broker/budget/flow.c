#include "pkg/broker/budget/state.h"

#include <assert.h>

/* --- Who waits ------------------------------------------------------------------------------- */

static struct sw_reservation *first_of(const struct sw_list *list)
{
    struct sw_list *node = sw_list_first(list);

    return node == NULL ? NULL : SW_LIST_ITEM(node, struct sw_reservation, node);
}

/* Whoever is told may reserve, settle and release meanwhile: each time the first one is taken. */
static void let_out(struct sw_list *list, uint64_t epoch)
{
    struct sw_reservation *reservation;

    while ((reservation = first_of(list)) != NULL && reservation->epoch <= epoch) {
        sw_list_remove(&reservation->node);
        reservation->state = SW_RESERVATION_OPEN;
        reservation->ready(reservation->ctx, SW_OK);
    }
}

/* Those who wait are told that they may not, and what they reserved is free again. */
static void turn_away(struct sw_ledger *ledger, struct sw_list *list, enum sw_rc rc)
{
    struct sw_list away;

    sw_list_init(&away); /* Who comes meanwhile is not among them. */
    sw_list_join(&away, list);
    for (struct sw_reservation *one; (one = first_of(&away)) != NULL;) {
        void (*ready)(void *ctx, enum sw_rc rc) = one->ready;
        void *ctx = one->ctx;

        (void)sw_ledger_release(ledger, one, NULL);
        ready(ctx, rc);
    }
}

static void turn_all_away(struct sw_ledger *ledger, enum sw_rc rc)
{
    turn_away(ledger, &ledger->waits_write, rc);
    turn_away(ledger, &ledger->waits_sync, rc);
}

static void fail(struct sw_ledger *ledger, enum sw_rc rc)
{
    if (ledger->failure != SW_OK)
        return;
    ledger->failure = rc;
    turn_all_away(ledger, rc);
}

static void tell_stopped(struct sw_ledger *ledger, enum sw_rc rc)
{
    void (*stopped)(void *ctx, enum sw_rc rc) = ledger->stopped;

    ledger->stopped = NULL;
    stopped(ledger->stopped_ctx, rc);
}

/* --- Work on the pool ------------------------------------------------------------------------ */

static void work(void *ctx)
{
    struct sw_ledger *ledger = ctx;
    bool commits = ledger->work == SW_LEDGER_COMMITS;

    ledger->work_rc = commits ? sw_journal_commit(ledger->journal, &ledger->work_err)
                              : sw_journal_sync(ledger->journal, &ledger->work_err);
    if (ledger->work_rc != SW_OK || ledger->removed_lsn == ledger->begin_lsn ||
        sw_journal_durable(ledger->journal) < ledger->begin_epoch)
        return;
    /* What cannot be removed now is removed after the next BEGIN. */
    if (sw_journal_remove_before(ledger->journal, ledger->begin_lsn, NULL) == SW_OK)
        ledger->removed_lsn = ledger->begin_lsn;
}

static void work_done(void *ctx);
static void flush(struct sw_ledger *ledger);

/* Without memory for it the next flush tries again. */
static enum sw_rc start(struct sw_ledger *ledger, enum sw_ledger_work what)
{
    enum sw_rc rc;

    assert(ledger->work == SW_LEDGER_IDLE);
    ledger->work = what;
    ledger->figures.syncs++;
    sw_err_clear(&ledger->work_err);
    rc = ledger->options.work(ledger->options.loop, work, work_done, ledger);
    if (rc != SW_OK)
        ledger->work = SW_LEDGER_IDLE;
    return rc;
}

static void work_done(void *ctx)
{
    struct sw_ledger *ledger = ctx;

    ledger->work = SW_LEDGER_IDLE;
    if (ledger->work_rc == SW_E_EXHAUSTED) { /* The disk is full: a tick tries again. */
        turn_all_away(ledger, SW_E_EXHAUSTED);
        if (ledger->stopped != NULL)
            tell_stopped(ledger, SW_E_EXHAUSTED);
        return;
    }
    if (ledger->work_rc != SW_OK)
        fail(ledger, ledger->work_rc);
    flush(ledger);
}

/* --- Writing --------------------------------------------------------------------------------- */

static bool is_begin_due(const struct sw_ledger *ledger)
{
    uint64_t grown = sw_journal_end(ledger->journal) - ledger->begin_lsn;

    return ledger->work == SW_LEDGER_IDLE && ledger->failure == SW_OK && !ledger->is_stopping &&
           !sw_journal_is_full(ledger->journal) && grown >= ledger->options.compact_bytes &&
           grown / 4 >= ledger->begin_bytes;
}

/* Write what there is. False: there is nothing more to be done now. */
static bool write_out(struct sw_ledger *ledger)
{
    struct sw_err err = {0};
    enum sw_rc rc;

    if (!sw_journal_is_dirty(ledger->journal))
        return true;
    ledger->figures.writes++;
    rc = sw_journal_write(ledger->journal, &err);
    if (rc == SW_OK)
        return true;
    if (rc == SW_E_UNAVAILABLE && ledger->work == SW_LEDGER_IDLE)
        (void)start(ledger, SW_LEDGER_COMMITS);
    else if (rc == SW_E_UNAVAILABLE)
        return false; /* A sync is under way: after it. */
    else if (rc == SW_E_EXHAUSTED)
        turn_all_away(ledger, rc);
    else
        fail(ledger, rc);
    return false;
}

/* The last record, and everything durable, then it is told. */
static void stop(struct sw_ledger *ledger)
{
    const struct sw_ledger_record record = {.kind = SW_LEDGER_STOP};
    enum sw_rc rc = ledger->failure;

    /* It is the last one, though somebody was let out, or settled, since. */
    if (rc == SW_OK && ledger->stop_end != sw_journal_end(ledger->journal))
        rc = sw_ledger_append(ledger, &record, NULL, NULL);
    if (rc == SW_OK)
        ledger->stop_end = sw_journal_end(ledger->journal);
    if (rc == SW_OK && (sw_journal_is_dirty(ledger->journal) ||
                        sw_journal_durable(ledger->journal) < sw_journal_written(ledger->journal)))
        rc = start(ledger, SW_LEDGER_COMMITS);
    if (ledger->work == SW_LEDGER_IDLE)
        tell_stopped(ledger, rc);
}

static void flush(struct sw_ledger *ledger)
{
    if (ledger->work == SW_LEDGER_COMMITS) /* It is called again when that is done. */
        return;
    if (ledger->failure == SW_OK && is_begin_due(ledger)) {
        enum sw_rc rc = sw_ledger_begin_anew(ledger, NULL);

        ledger->figures.compactions++;
        if (rc != SW_OK) /* A part of it must not be written. */
            fail(ledger, rc);
    }
    if (ledger->failure == SW_OK && write_out(ledger)) {
        let_out(&ledger->waits_write, sw_journal_written(ledger->journal));
        let_out(&ledger->waits_sync, sw_journal_durable(ledger->journal));
        if (ledger->work == SW_LEDGER_IDLE &&
            sw_journal_durable(ledger->journal) < ledger->sync_epoch)
            (void)start(ledger, SW_LEDGER_SYNCS);
    }
    if (ledger->stopped != NULL && ledger->work == SW_LEDGER_IDLE)
        stop(ledger);
}

static void on_round_end(void *ctx)
{
    struct sw_ledger *ledger = ctx;

    ledger->is_scheduled = false;
    flush(ledger);
}

void sw_ledger_schedule(struct sw_ledger *ledger)
{
    if (ledger->is_scheduled)
        return;
    /* Without memory for it the next tick does it. */
    ledger->is_scheduled =
        ledger->options.defer(ledger->options.loop, on_round_end, ledger) == SW_OK;
}

void sw_ledger_stop(struct sw_ledger *ledger, void (*done)(void *ctx, enum sw_rc rc), void *ctx)
{
    assert(!ledger->is_stopping);
    ledger->is_stopping = true;
    ledger->stopped = done;
    ledger->stopped_ctx = ctx;
    sw_ledger_schedule(ledger);
}
