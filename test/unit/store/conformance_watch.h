/* What every store promises of watches. See conformance.h. */
#pragma once
#include "test/unit/store/harness.h"

struct watching {
    struct harness *harness;
    struct sw_store_watch *watch;
    char text[4096]; /* "+key=value", "~key=old>new" or "-key=old" of each event. */
    int events, ends, progresses;
    uint64_t revision, progress;
    struct sw_err end;
    int stop_after, pause_after; /* Events; 0: never. */
    struct watching *start_next; /* Started at the first event. */
};

static void note_event(void *ctx, const struct sw_store_event *event);

static void note_progress(void *ctx, uint64_t revision)
{
    struct watching *watching = ctx;

    assert_true(revision >= watching->progress);
    watching->progress = revision;
    watching->progresses++;
}

static void note_end(void *ctx, const struct sw_err *err)
{
    struct watching *watching = ctx;

    watching->ends++;
    watching->end = *err;
    watching->watch = NULL;
}

static enum sw_rc try_watch(struct watching *watching, const char *prefix, uint64_t revision)
{
    struct sw_store_watcher watcher = {
        .ctx = watching, .on_event = note_event, .on_progress = note_progress, .on_end = note_end};
    struct sw_err err = {0};

    return sw_store_watch_start(watching->harness->store, prefix, revision, &watcher,
                                &watching->watch, &err);
}

static void print_event(struct watching *watching, const struct sw_store_event *event)
{
    const struct sw_store_item *item = event->item, *previous = event->previous;
    size_t at = strlen(watching->text);
    char sign = item->is_deleted ? '-' : previous == NULL ? '+' : '~';

    snprintf(watching->text + at, sizeof(watching->text) - at, "%c%s=%.*s%s%.*s ", sign, item->key,
             previous == NULL ? 0 : (int)previous->value.size,
             previous == NULL ? "" : (const char *)previous->value.data, sign == '~' ? ">" : "",
             item->is_deleted ? 0 : (int)item->value.size, (const char *)item->value.data);
}

static void note_event(void *ctx, const struct sw_store_event *event)
{
    struct watching *watching = ctx;

    assert_true(event->item->revision >= watching->revision);
    watching->revision = event->item->revision;
    print_event(watching, event);
    watching->events++;
    if (watching->events == watching->stop_after)
        sw_store_watch_stop(watching->harness->store, watching->watch);
    if (watching->events == watching->pause_after)
        sw_store_watch_pause(watching->harness->store, watching->watch);
    if (watching->start_next != NULL) {
        assert_int_equal(try_watch(watching->start_next, "", 0), SW_OK);
        watching->start_next = NULL;
    }
}

static void start_watch(struct watching *watching, const char *prefix, uint64_t revision)
{
    assert_int_equal(try_watch(watching, prefix, revision), SW_OK);
    assert_int_equal(watching->events, 0);
}

static void settle(struct harness *harness) /* All that was committed has been shown. */
{
    harness_commit(harness, NULL, 0);
    while (harness_step(harness, false))
        ;
}

static void a_watch_shows_each_change_once_in_order(void **state)
{
    struct watching all = {.harness = *state}, agents = {.harness = *state};

    start_watch(&all, "", 0);
    start_watch(&agents, "agents/", 0);
    harness_put(*state, "agents/a/x", "1");
    harness_put(*state, "pods/a/p", "1");
    harness_put(*state, "agents/a/x", "2");
    harness_delete(*state, "agents/a/x");
    harness_put(*state, "agents/a/x", "3");
    settle(*state);
    assert_string_equal(all.text, "+agents/a/x=1 +pods/a/p=1 ~agents/a/x=1>2 -agents/a/x=2 "
                                  "+agents/a/x=3 ");
    assert_string_equal(agents.text, "+agents/a/x=1 ~agents/a/x=1>2 -agents/a/x=2 +agents/a/x=3 ");
    harness_close(*state); /* Ends the watches while the watchers are there. */
}

static void a_watch_from_the_past_shows_what_came_after(void **state)
{
    struct watching watching = {.harness = *state};

    harness_put(*state, "agents/a/x", "1");
    uint64_t revision = harness_put(*state, "agents/a/y", "1");
    harness_put(*state, "agents/a/x", "2");
    start_watch(&watching, "", revision);
    harness_put(*state, "agents/a/y", "2");
    settle(*state);
    assert_string_equal(watching.text, "~agents/a/x=1>2 ~agents/a/y=1>2 ");
    harness_close(*state); /* Ends the watches while the watchers are there. */
}

static void progress_tells_how_far_a_quiet_watch_is(void **state)
{
    struct watching watching = {.harness = *state};

    start_watch(&watching, "pods/", 0);
    settle(*state);
    assert_int_equal(watching.progresses, 1);
    uint64_t revision = harness_put(*state, "agents/a/x", "1");
    settle(*state);
    assert_int_equal(watching.events, 0);
    assert_int_equal(watching.progress, revision);
    harness_close(*state); /* Ends the watches while the watchers are there. */
}

static void a_watch_before_history_or_after_now_is_out_of_range(void **state)
{
    struct watching watching = {.harness = *state};

    harness_put(*state, "agents/a/x", "1");
    uint64_t revision = harness_put(*state, "agents/a/x", "2");
    assert_int_equal(try_watch(&watching, "", revision + 1), SW_E_RANGE);
    sw_store_compact(watching.harness->store, revision);
    assert_int_equal(try_watch(&watching, "", revision - 1), SW_E_RANGE);
    start_watch(&watching, "", revision);
    harness_close(*state); /* Ends the watches while the watchers are there. */
}

static void a_paused_watch_goes_on_where_it_stopped(void **state)
{
    struct watching watching = {.harness = *state, .pause_after = 1};

    start_watch(&watching, "", 0);
    harness_put(*state, "agents/a/x", "1");
    harness_put(*state, "agents/a/x", "2");
    settle(*state);
    assert_string_equal(watching.text, "+agents/a/x=1 ");
    sw_store_watch_resume(watching.harness->store, watching.watch);
    assert_int_equal(watching.events, 1);
    settle(*state);
    assert_string_equal(watching.text, "+agents/a/x=1 ~agents/a/x=1>2 ");
    harness_close(*state); /* Ends the watches while the watchers are there. */
}

static void a_callback_may_stop_its_own_watch_and_start_another(void **state)
{
    struct watching second = {.harness = *state};
    struct watching first = {.harness = *state, .stop_after = 1, .start_next = &second};

    start_watch(&first, "", 0);
    harness_put(*state, "agents/a/x", "1");
    harness_put(*state, "agents/a/x", "2");
    settle(*state);
    assert_int_equal(first.events, 1);
    assert_int_equal(first.ends, 0);
    assert_string_equal(second.text, "+agents/a/x=1 ~agents/a/x=1>2 ");
    harness_close(*state); /* Ends the watches while the watchers are there. */
}

/* Who lists anew after a watch has ended does so inside of its callback, and must find room. */
static void the_place_of_a_watch_that_is_over_is_free_at_once(void **state)
{
    struct harness *harness = *state;
    struct watching second = {.harness = harness};
    struct watching first = {.harness = harness, .stop_after = 1, .start_next = &second};

    harness_close(harness);
    harness->limits.watches_max = 1;
    harness_open(harness);
    start_watch(&first, "", 0);
    assert_int_equal(try_watch(&second, "", 0), SW_E_EXHAUSTED);
    harness_put(harness, "agents/a/x", "1");
    settle(harness);
    assert_int_equal(first.events, 1);
    assert_string_equal(second.text, "+agents/a/x=1 ");
    struct sw_store_view view;
    sw_store_view(harness->store, &view);
    assert_int_equal(view.watches, 1);
    sw_store_watch_stop(harness->store, second.watch);
    sw_store_view(harness->store, &view);
    assert_int_equal(view.watches, 0);
}

static void a_stopped_watch_is_silent(void **state)
{
    struct watching watching = {.harness = *state};

    start_watch(&watching, "", 0);
    sw_store_watch_stop(watching.harness->store, watching.watch);
    harness_put(*state, "agents/a/x", "1");
    settle(*state);
    assert_int_equal(watching.events + watching.progresses + watching.ends, 0);
    harness_close(*state); /* Ends the watches while the watchers are there. */
}

#define CONFORMANCE_WATCH(test)                                                                    \
    test(a_watch_shows_each_change_once_in_order),                                                 \
        test(a_watch_from_the_past_shows_what_came_after),                                         \
        test(progress_tells_how_far_a_quiet_watch_is),                                             \
        test(a_watch_before_history_or_after_now_is_out_of_range),                                 \
        test(a_paused_watch_goes_on_where_it_stopped),                                             \
        test(a_callback_may_stop_its_own_watch_and_start_another),                                 \
        test(the_place_of_a_watch_that_is_over_is_free_at_once), test(a_stopped_watch_is_silent)
