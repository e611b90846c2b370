/* uses: pkg/agent/link */
#include "test/unit/agent/runtime/actor/looking.h"

static void turns_are_listed_with_what_began_them(void **state)
{
    struct sw_past_turn turn;

    (void)state;
    actors_ask(&actors, 1, "k", "add 5;get");
    actors_ask(&actors, 1, "other", "add 9");
    actors_ask(&actors, 1, "other", "send a/k|add 2");
    actors_ask(&actors, 1, "k", "trap");
    look("k");
    assert_int_equal(view.first, 1);
    assert_int_equal(view.last, 4);
    assert_int_equal(view.replayable, 1);
    assert_false(view.is_over);
    assert_int_equal(turn_of(1).segment.entry, SW_ENTRY_START);
    turn = turn_of(2);
    assert_true(sw_bytes_is_equal(turn.segment.body, script_text("add 5;get")));
    assert_true(sw_bytes_is_equal(turn.module, script_text("sha256:1")));
    turn = turn_of(3); /* Its body stands in the record of who sent it. */
    assert_true(turn.is_body_kept);
    assert_true(sw_bytes_is_equal(turn.segment.body, script_text("add 2")));
    assert_true(sw_bytes_is_equal(turn.segment.head.from, script_text("a/other")));
    assert_int_equal(turn_of(4).segment.outcome, SW_OUTCOME_TRAPPED);
    assert_int_equal(sw_past_turn(past, 5, &turn, &err), SW_E_RANGE);
}

static void it_is_as_it_was_after_each_turn(void **state)
{
    (void)state;
    actors_ask(&actors, 1, "k", "add 5;get");
    actors_ask(&actors, 1, "k", "add 2;get");
    actors_ask(&actors, 1, "k", "trap");
    actors_ask(&actors, 1, "k", "add 4;get");
    look("k");
    assert_string_equal(answer_after(1), "0");
    assert_string_equal(answer_after(2), "5");
    assert_string_equal(answer_after(4), "7"); /* What trapped has changed nothing. */
    assert_string_equal(answer_after(2), "5"); /* Backwards, too. */
}

static void it_can_be_had_from_the_snapshot_on(void **state)
{
    (void)state;
    actors_ask(&actors, 1, "k", "add 5;get");
    take_snapshot();
    actors_ask(&actors, 1, "k", "add 2;get");
    actors_ask(&actors, 1, "k", "add 1;get");
    look("k");
    assert_int_equal(view.last, 4);
    assert_string_equal(answer_after(2), "5");
    assert_string_equal(answer_after(3), "7");
}

static void without_its_birth_it_begins_with_the_snapshot(void **state)
{
    (void)state;
    actors_ask(&actors, 1, "k", "add 5;get");
    cut_the_journal(1);
    look("k");
    assert_int_equal(view.last, 2);
    assert_int_equal(view.first, 3);
    assert_int_equal(view.replayable, 2);
    actors_ask(&actors, 1, "k", "add 2;get");
    actors_ask(&actors, 1, "k", "add 1;get");
    look("k");
    assert_int_equal(view.first, 3);
    assert_int_equal(view.last, 4);
    assert_string_equal(answer_after(2), "5");
    assert_string_equal(answer_after(3), "7");
    assert_int_equal(sw_past_go(past, 1, &err), SW_E_RANGE);
    assert_non_null(strstr(err.message, "from @2 to @4"));
}

/* Nothing needs the records of what failed last before the snapshot; numbers go on behind them. */
static void what_failed_before_the_snapshot_is_counted(void **state)
{
    (void)state;
    actors_ask(&actors, 1, "k", "add 5;get");
    actors_ask(&actors, 1, "k", "trap");
    actors_ask(&actors, 1, "k", "trap");
    cut_the_journal(1);
    look("k");
    assert_int_equal(view.last, 4);
    assert_int_equal(view.first, 5);
    for (int i = 0; i < 3; i++) /* Some are kept that nothing needs, and nothing is after. */
        actors_ask(&actors, 1, "k", "trap");
    take_snapshot();
    look("k");
    assert_int_equal(view.first, 5);
    assert_int_equal(view.last, 7);
    actors_ask(&actors, 1, "k", "add 2;get");
    actors_ask(&actors, 1, "k", "add 1;get");
    look("k");
    assert_int_equal(view.last, 9);
    assert_string_equal(answer_after(7), "5");
    assert_string_equal(answer_after(8), "7");
    assert_int_equal(sw_past_go(past, 9, &err), SW_OK);
}

/* Whoever slept when the snapshot was taken lies on the shelf. */
static void it_is_found_on_the_shelf(void **state)
{
    (void)state;
    actors_open(&actors, &(struct actors_pod){
                             .number = 1, .agent = "a", .is_keyed = true, .rests_at_once = true});
    actors_settle(&actors);
    actors_ask(&actors, 1, "k", "add 5;get");
    actors_settle(&actors);
    take_snapshot();
    actors_ask(&actors, 1, "k", "add 2;get");
    look("k");
    assert_int_equal(view.last, 3);
    assert_int_equal(sw_past_go(past, 3, &err), SW_OK);
    assert_string_equal(answer_after(2), "5");
}

static void a_record_that_holds_all_is_where_it_begins(void **state)
{
    (void)state;
    actors_kill(&actors);
    assert_int_equal(actors_start(&actors, 2), SW_OK);
    actors.shared.image_tail = 2;
    open_with(&actors.module, "sha256:1");
    for (int i = 0; i < 9; i++)
        actors_ask(&actors, 1, "k", "add 1;get");
    look("k");
    assert_int_equal(view.first, 1);
    assert_int_equal(view.last, 10);
    for (uint64_t number = 1; number < 10; number++) {
        char words[16];

        snprintf(words, sizeof words, "%d", (int)number - 1);
        assert_string_equal(answer_after(number), words);
        assert_int_equal(sw_past_go(past, 10, &err), SW_OK);
    }
}

static void an_upgrade_is_a_turn_like_others(void **state)
{
    struct sw_past_turn turn;

    (void)state;
    actors_ask(&actors, 1, "k", "add 5;get");
    open_with(&second, "sha256:2");
    actors_ask(&actors, 1, "k", "add 2;get"); /* The second one multiplies by ten. */
    actors_ask(&actors, 1, "k", "add 1;get");
    look("k");
    turn = turn_of(3);
    assert_int_equal(turn.segment.entry, SW_ENTRY_UPGRADE);
    assert_true(sw_bytes_is_equal(turn_of(2).module, script_text("sha256:1")));
    assert_true(sw_bytes_is_equal(turn_of(4).module, script_text("sha256:2")));
    assert_string_equal(answer_after(1), "0");
    assert_string_equal(answer_after(4), "25");
}

static void another_module_is_told_by_what_it_does(void **state)
{
    (void)state;
    actors_ask(&actors, 1, "k", "add 5;get");
    actors_ask(&actors, 1, "k", "add 2;get");
    look("k");
    sw_past_set_module(past, script_text("sha256:2"));
    assert_int_equal(sw_past_go(past, 1, &err), SW_OK);
    assert_int_equal(sw_past_go(past, 2, &err), SW_E_PRECONDITION);
    assert_non_null(strstr(err.message, "its segment 2, a message at lsn "));
    sw_past_set_module(past, script_text(""));
    assert_int_equal(sw_past_go(past, 3, &err), SW_OK);
    sw_past_set_module(past, script_text("sha256:none"));
    assert_int_equal(sw_past_go(past, 3, &err), SW_E_NOT_FOUND);
}

/* What another module makes of the memory is seen though a record on the way holds all of it. */
static void another_module_is_not_hidden_by_an_image(void **state)
{
    (void)state;
    actors_kill(&actors);
    assert_int_equal(actors_start(&actors, 2), SW_OK);
    actors.shared.image_tail = 2;
    open_with(&actors.module, "sha256:1");
    for (int i = 0; i < 6; i++)
        actors_ask(&actors, 1, "k", "add 1"); /* Nothing of it is to be seen but in the memory. */
    actors_ask(&actors, 1, "k", "get");
    actors_ask(&actors, 1, "k", "get");
    look("k");
    assert_int_equal(view.last, 9);
    sw_past_set_module(past, script_text("sha256:2"));
    for (uint64_t number = 1; number < 8; number++)
        assert_int_equal(sw_past_go(past, number, &err), SW_OK);
    assert_int_equal(sw_past_go(past, 8, &err), SW_E_PRECONDITION);
    assert_int_equal(sw_past_go(past, 7, &err), SW_OK);
    assert_int_equal(sw_past_go(past, 9, &err), SW_E_PRECONDITION);
    sw_past_set_module(past, script_text("sha256:1"));
    for (uint64_t number = 1; number <= 9; number++)
        assert_int_equal(sw_past_go(past, number, &err), SW_OK);
    sw_past_set_module(past, script_text(""));
    assert_string_equal(answer_after(8), "6");
}

static void what_is_tried_changes_nothing(void **state)
{
    struct sw_past_input input = {
        .has_body = true, .body = script_text("add 100;get"), .deadline_ms = 1000};
    struct sw_past_trial trial;

    (void)state;
    actors_ask(&actors, 1, "k", "add 5;get");
    look("k");
    assert_int_equal(sw_past_go(past, 1, &err), SW_OK);
    assert_int_equal(sw_past_try(past, 2, &input, &trial, &err), SW_OK);
    assert_int_equal(trial.outcome, SW_OUTCOME_DONE);
    assert_string_equal(answer_after(1), "0");
    assert_int_equal(sw_past_go(past, 0, &err), SW_E_RANGE);
    input.body = script_text("trap");
    assert_int_equal(sw_past_go(past, 1, &err), SW_OK);
    assert_int_equal(sw_past_try(past, 2, &input, &trial, &err), SW_OK);
    assert_int_equal(trial.outcome, SW_OUTCOME_TRAPPED);
    assert_int_equal(sw_past_try(past, 2, &input, &trial, &err), SW_E_PRECONDITION);
    assert_int_equal(sw_past_try(past, 1, &input, &trial, &err), SW_E_PRECONDITION);
    assert_non_null(strstr(actors_ask(&actors, 1, "k", "get"), "counter=5 ")); /* It lives on. */
}

static void another_engine_can_be_listed_and_not_run(void **state)
{
    (void)state;
    actors_ask(&actors, 1, "k", "add 5;get");
    assert_int_equal(look_as("engine 2", "a", "k"), SW_OK);
    assert_int_equal(view.last, 2);
    assert_int_equal(turn_of(2).segment.entry, SW_ENTRY_MESSAGE);
    assert_int_equal(sw_past_go(past, 2, &err), SW_E_UNSUPPORTED);
}

static void who_is_not_there_is_not_found(void **state)
{
    (void)state;
    actors_ask(&actors, 1, "k", "add 5;get");
    assert_int_equal(look_as("engine 1", "a", "l"), SW_E_NOT_FOUND);
    assert_string_equal(err.message, "there is no instance a/l");
    assert_int_equal(look_as("engine 1", "b", "k"), SW_E_NOT_FOUND);
    bytes_max = 64;
    assert_int_equal(look_as("engine 1", "a", "k"), SW_E_EXHAUSTED);
}

/* It is not read again and again, as it is where a host goes on meanwhile. */
static void what_is_damaged_is_told(void **state)
{
    (void)state;
    actors_ask(&actors, 1, "k", "add 5;get");
    take_snapshot();
    for (size_t i = 0; i < DISK_FILES_MAX; i++) {
        struct disk_file *file = &actors.disk.files[i];

        if (file->is_there && strncmp(file->path, "host/snapshot-", 14) == 0)
            file->seen[file->seen_size - 20] ^= 1;
    }
    assert_int_equal(look_as("engine 1", "a", "k"), SW_E_CORRUPT);
    assert_int_equal(err.rc, SW_E_CORRUPT);
    assert_string_not_equal(err.message, "");
}

static void the_last_of_several_lives_is_meant(void **state)
{
    (void)state;
    actors_ask(&actors, 1, "k", "add 5;get");
    actors_close(&actors, 1, true);
    actors_settle(&actors);
    look("k");
    assert_true(view.is_over);
    assert_int_equal(view.last, 2 + 1 * (turn_of(view.last).segment.entry == SW_ENTRY_STOP ||
                                         turn_of(view.last).segment.entry == SW_ENTRY_RESET));
    open_with(&actors.module, "sha256:1");
    actors_ask(&actors, 1, "k", "add 1;get");
    look("k");
    assert_false(view.is_over);
    assert_int_equal(view.last, 2);
    assert_true(sw_bytes_is_equal(turn_of(2).segment.body, script_text("add 1;get")));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(turns_are_listed_with_what_began_them),
        TEST(it_is_as_it_was_after_each_turn),
        TEST(it_can_be_had_from_the_snapshot_on),
        TEST(without_its_birth_it_begins_with_the_snapshot),
        TEST(what_failed_before_the_snapshot_is_counted),
        TEST(it_is_found_on_the_shelf),
        TEST(a_record_that_holds_all_is_where_it_begins),
        TEST(an_upgrade_is_a_turn_like_others),
        TEST(another_module_is_told_by_what_it_does),
        TEST(another_module_is_not_hidden_by_an_image),
        TEST(what_is_tried_changes_nothing),
        TEST(another_engine_can_be_listed_and_not_run),
        TEST(who_is_not_there_is_not_found),
        TEST(what_is_damaged_is_told),
        TEST(the_last_of_several_lives_is_meant),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
