/* What every store keeps of its history, and how much. See conformance.h. */
#pragma once
#include "test/unit/store/conformance_watch.h"

static void a_paused_watch_that_history_passes_ends(void **state)
{
    struct harness *harness = *state;
    struct watching watching = {.harness = harness, .pause_after = 1};

    harness_close(harness);
    harness->limits.history_events_max = 4;
    harness_open(harness);
    start_watch(&watching, "", 0);
    for (int i = 0; i < 10; i++)
        harness_put(harness, "agents/a/x", "1");
    settle(harness);
    settle(harness);
    assert_int_equal(watching.events, 1);
    assert_int_equal(watching.ends, 1);
    assert_int_equal(watching.end.rc, SW_E_RANGE);
    assert_non_null(strstr(watching.end.hint, "list again"));
    harness_close(*state); /* Ends the watches while the watchers are there. */
}

static void history_is_bounded_in_count_and_bytes(void **state)
{
    struct harness *harness = *state;
    struct sw_store_view view;

    harness_close(harness);
    harness->limits.history_events_max = 16;
    harness->limits.history_bytes_max = 1000;
    harness_open(harness);
    for (int i = 0; i < 40; i++)
        harness_put(harness, "agents/a/x", "a value");
    sw_store_view(harness->store, &view);
    assert_true(view.history_events <= 16 && view.history_events > 1);
    assert_true(view.history_bytes <= 1000);
    assert_int_equal(view.compacted_revision, view.revision - view.history_events);
    assert_int_equal(view.items, 1);
}

static void too_many_watches_are_refused(void **state)
{
    struct harness *harness = *state;
    struct watching watching[3] = {
        {.harness = harness}, {.harness = harness}, {.harness = harness}};

    harness_close(harness);
    harness->limits.watches_max = 2;
    harness_open(harness);
    start_watch(&watching[0], "", 0);
    start_watch(&watching[1], "", 0);
    assert_int_equal(try_watch(&watching[2], "", 0), SW_E_EXHAUSTED);
    sw_store_watch_stop(harness->store, watching[0].watch);
    start_watch(&watching[2], "", 0);
    harness_close(harness);
    assert_int_equal(watching[1].ends, 1);
    assert_int_equal(watching[1].end.rc, SW_E_UNAVAILABLE);
    assert_int_equal(watching[0].ends, 0);
    harness_close(*state); /* Ends the watches while the watchers are there. */
}

#define CONFORMANCE_HISTORY(test)                                                                  \
    test(a_paused_watch_that_history_passes_ends), test(history_is_bounded_in_count_and_bytes),    \
        test(too_many_watches_are_refused)
