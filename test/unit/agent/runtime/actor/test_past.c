/* uses: pkg/agent/link */
#include "pkg/agent/runtime/actor/past.h"
#include "test/support/actors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

/* One host lives; another process looks at what it has on the disk meanwhile, or afterwards. */
static struct actors actors;
static struct sw_guest_module second; /* A later program. */
static struct sw_shared shared;       /* Of who looks. */
static struct script_engine guests;
static struct sw_worker *worker;
static struct sw_past *past;
static struct sw_past_view view;
static struct sw_err err;
static uint64_t bytes_max;

static void open_with(struct sw_guest_module *module, const char *digest)
{
    actors.next_module = module;
    actors_open(&actors, &(struct actors_pod){
                             .number = 1, .agent = "a", .is_keyed = true, .digest = digest});
    actors_settle(&actors);
}

static int set_up(void **state)
{
    (void)state;
    actors_init(&actors, 2, 1);
    actors.module.version = 7;
    second = (struct sw_guest_module){
        .refs = 1, .has_on_timer = true, .on_upgrade = "", .version = 8, .factor = 10};
    bytes_max = 1u << 20;
    past = NULL;
    worker = NULL;
    open_with(&actors.module, "sha256:1");
    return 0;
}

static void stop_looking(void)
{
    if (past != NULL)
        sw_past_close(past);
    if (worker != NULL) {
        sw_worker_free(worker);
        if (shared.journal != NULL)
            sw_journal_close(shared.journal);
        sw_shared_done(&shared);
    }
    past = NULL;
    worker = NULL;
}

static int tear_down(void **state)
{
    (void)state;
    stop_looking();
    actors_kill(&actors);
    disk_done(&actors.disk);
    assert_int_equal(actors.module.refs, 1);
    assert_int_equal(second.refs, 1);
    return 0;
}

static enum sw_rc get_program(void *ctx, struct sw_worker *whose, struct sw_bytes pod,
                              struct sw_bytes digest, struct sw_err *ret_err)
{
    struct sw_guest_module *module =
        sw_bytes_is_equal(digest, script_text("sha256:1")) ? &actors.module : &second;

    (void)ctx;
    assert_int_equal(pod.size, 36);
    if (sw_bytes_is_equal(digest, script_text("sha256:none")))
        return sw_err_set(ret_err, SW_E_NOT_FOUND, "it is not to be had");
    module->refs++;
    sw_worker_put(whose, sw_item_program_new(digest, module));
    return SW_OK;
}

static enum sw_rc look_as(const char *engine, const char *agent, const char *key)
{
    static const char uid[] = "01932c07-8ba2-7c1e-9a2b-012345678961"; /* Of "a". */
    struct sw_journal_options journal = {.system = &actors.disk.system,
                                         .folder = "host",
                                         .segment_bytes = 1u << 16,
                                         .is_read_only = true};
    struct sw_worker_options options = {
        .shared = &shared, .engine = script_guest_engine(&guests), .count = 1};
    struct sw_past_options all = {.journal = &journal,
                                  .shared = &shared,
                                  .name_space = script_text("default"),
                                  .agent = script_text(agent),
                                  .agent_uid = {uid, 36},
                                  .key = script_text(key),
                                  .bytes_max = bytes_max,
                                  .program = get_program};
    uint64_t writes = actors.disk.writes, syncs = actors.disk.syncs;
    enum sw_rc rc;

    stop_looking();
    memset(&err, 0, sizeof err);
    assert_int_equal(sw_shared_init(&shared, &actors.disk.system, engine), SW_OK);
    assert_int_equal(sw_worker_new(&options, &worker, &err), SW_OK);
    all.worker = worker;
    rc = sw_past_open(&all, &past, &err);
    assert_true(actors.disk.writes == writes && actors.disk.syncs == syncs);
    if (rc == SW_OK)
        sw_past_view(past, &view);
    return rc;
}

static void look(const char *key)
{
    assert_int_equal(look_as("engine 1", "a", key), SW_OK);
}

static void take_snapshot(void)
{
    actors_rest(&actors);
    assert_int_equal(sw_snapshot_begin(&actors.shared, actors.workers, actors.count, NULL), SW_OK);
    assert_int_equal(actors_snapshot(&actors), SW_OK);
}

static struct sw_past_turn turn_of(uint64_t number)
{
    struct sw_past_turn turn;

    assert_int_equal(sw_past_turn(past, number, &turn, &err), SW_OK);
    assert_int_equal(turn.number, number);
    return turn;
}

/* The counter that the instance would answer with to "get" after that turn. */
static const char *answer_after(uint64_t number)
{
    static char words[64];
    const char *counter;
    struct sw_past_input input = {
        .has_body = true, .body = script_text("get"), .deadline_ms = 1000};
    struct sw_past_trial trial;
    struct sw_reader reader;
    struct sw_effect effect;

    assert_int_equal(sw_past_go(past, number, &err), SW_OK);
    assert_int_equal(sw_past_try(past, number + 1, &input, &trial, &err), SW_OK);
    assert_int_equal(trial.outcome, SW_OUTCOME_DONE);
    reader = sw_reader_of(trial.effects.data, trial.effects.size);
    assert_true(sw_effect_take(&reader, &effect));
    assert_int_equal(effect.kind, SW_EFFECT_REPLY);
    snprintf(words, sizeof words, "%.*s", (int)effect.body.size, (const char *)effect.body.data);
    counter = strchr(words, '=') + 1;
    words[strcspn(words, " ")] = 0;
    return counter;
}

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

/* The journal's beginning goes, with the records that were before the snapshot. */
static void cut_the_journal(void)
{
    char body[300];

    memset(body, 'x', sizeof body);
    body[sizeof body - 1] = 0;
    memcpy(body, "add 1 ", 6);
    for (int i = 0; i < 600; i++)
        actors_ask(&actors, 1, "filler", body);
    take_snapshot();
}

static void without_its_birth_it_begins_with_the_snapshot(void **state)
{
    (void)state;
    actors_ask(&actors, 1, "k", "add 5;get");
    cut_the_journal();
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
    cut_the_journal();
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
        TEST(what_is_tried_changes_nothing),
        TEST(another_engine_can_be_listed_and_not_run),
        TEST(who_is_not_there_is_not_found),
        TEST(the_last_of_several_lives_is_meant),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
