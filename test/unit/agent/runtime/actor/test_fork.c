/* uses: pkg/agent/link */
/* Forks: what they let out waits for their release, and then each goes once, whatever happens to
 * the host meanwhile. Agents a (pod 1), b (2) and the volatile v (3); a/k is forked. */
#include "pkg/agent/runtime/actor/past.h"
#include "test/unit/agent/runtime/actor/asking.h"

#define RECORD_BYTES_MAX (1u << 20)

static uint64_t calls;
static struct sw_guest_module second; /* A later program. */
static struct sw_err err;

static void see(const struct sw_frame *frame)
{
    calls += frame->kind == SW_FRAME_CALL;
}

static int set_up(void **state)
{
    (void)state;
    actors_init(&actors, 2, 1);
    actors.see = see;
    actors.module.version = 7;
    calls = 0;
    second = (struct sw_guest_module){.refs = 1, .on_upgrade = "", .version = 8, .factor = 10};
    memset(&err, 0, sizeof err);
    open_three(0);
    return 0;
}

static void reopen(bool power_fails)
{
    restart(power_fails);
    open_three(0);
}

static void take_snapshot(void)
{
    actors_rest(&actors);
    assert_int_equal(sw_snapshot_begin(&actors.shared, actors.workers, actors.count, NULL), SW_OK);
    assert_int_equal(actors_snapshot(&actors), SW_OK);
}

/* --- A look at the past, beside the host ------------------------------------------------------ */

static enum sw_rc get_program(void *ctx, struct sw_worker *worker, struct sw_bytes pod,
                              struct sw_bytes digest, struct sw_err *ret_err)
{
    struct sw_guest_module *module =
        sw_bytes_is_equal(digest, script_text("sha256:1")) ? &actors.module : &second;

    (void)ctx;
    (void)pod;
    (void)ret_err;
    module->refs++;
    sw_worker_put(worker, sw_item_program_new(digest, module));
    return SW_OK;
}

struct fork { /* What is to be made of a/k. */
    uint64_t turn;
    const char *key, *input; /* input NULL: the message of the turn. */
    const char *digest;      /* NULL: the module that it had. */
};

static enum sw_rc make_record(struct sw_past *past, const struct fork *fork, struct sw_buffer *out)
{
    const struct sw_past_input input = {.has_body = fork->input != NULL,
                                        .body =
                                            script_text(fork->input == NULL ? "" : fork->input)};
    enum sw_rc rc = sw_past_go(past, fork->turn - 1, &err);

    if (rc == SW_OK && fork->digest != NULL)
        rc = sw_past_switch(past, script_text(fork->digest), 1000, &err);
    return rc == SW_OK ? sw_past_fork(past, fork->turn, &input, script_text(fork->key), out, &err)
                       : rc;
}

/* The FORK record, as an agent host beside this one makes it. */
static enum sw_rc look(const struct fork *fork, struct sw_buffer *out)
{
    struct sw_shared shared;
    struct script_engine guests = {.fail_create_after = -1};
    struct sw_worker *worker;
    struct sw_past *past = NULL;
    struct sw_journal_options journal = {.system = &actors.disk.system,
                                         .folder = "host",
                                         .segment_bytes = 1u << 16,
                                         .is_read_only = true};
    struct sw_worker_options options = {
        .shared = &shared, .engine = script_guest_engine(&guests), .count = 1};
    struct sw_past_options all = {.journal = &journal,
                                  .shared = &shared,
                                  .name_space = script_text("default"),
                                  .agent = script_text("a"),
                                  .agent_uid = script_text("01932c07-8ba2-7c1e-9a2b-012345678961"),
                                  .key = script_text("k"),
                                  .bytes_max = RECORD_BYTES_MAX,
                                  .program = get_program};
    enum sw_rc rc;

    memset(&err, 0, sizeof err);
    assert_int_equal(sw_shared_init(&shared, &actors.disk.system, "engine 1"), SW_OK);
    assert_int_equal(sw_worker_new(&options, &worker, &err), SW_OK);
    all.worker = worker;
    rc = sw_past_open(&all, &past, &err);
    if (rc == SW_OK)
        rc = make_record(past, fork, out);
    if (past != NULL)
        sw_past_close(past);
    sw_worker_free(worker);
    if (shared.journal != NULL)
        sw_journal_close(shared.journal);
    sw_shared_done(&shared);
    return rc;
}

/* --- What is asked of the host ---------------------------------------------------------------- */

static uint64_t put_act(enum sw_message_act act, const char *key, const char *digest,
                        struct sw_bytes body)
{
    uint64_t request = actors.next_request++;
    const struct sw_message template = {
        .pod = 1,
        .key = script_text(key),
        .act = (uint8_t)act,
        .head = {.priority = SWARM_PRIORITY_NORMAL,
                 .subject = script_text(digest),
                 .origin = {.kind = SW_ORIGIN_CLIENT,
                            .incarnation = actors.shared.incarnation,
                            .number = request}},
        .body = body};

    sw_worker_put(actors.workers[1 % actors.count], &sw_message_new(&template)->item);
    return request;
}

static int32_t status_of(uint64_t request)
{
    const struct actors_reply *reply = actors_reply(&actors, request);

    assert_true(reply->is_there);
    return reply->status;
}

static int32_t ask_act(enum sw_message_act act, const char *key)
{
    uint64_t request = put_act(act, key, "", script_text(""));

    actors_settle(&actors);
    return status_of(request);
}

static int32_t release(const char *key)
{
    return ask_act(SW_MESSAGE_RELEASE, key);
}

static int32_t make(const struct fork *fork)
{
    struct sw_buffer record;
    uint64_t request;

    sw_buffer_init(&record, SW_JOURNAL_RECORD_MAX);
    if (look(fork, &record) != SW_OK)
        fail_msg("no fork: %s", err.message);
    request = put_act(SW_MESSAGE_FORK, fork->key, fork->digest == NULL ? "sha256:1" : fork->digest,
                      (struct sw_bytes){record.data, record.size});
    actors_settle(&actors);
    sw_buffer_done(&record);
    return status_of(request);
}

static void fork_as(const char *key, const char *input)
{
    assert_int_equal(make(&(struct fork){.turn = 3, .key = key, .input = input}), SW_OK);
}

/* a/k: born, then 5 is added, then 2. */
static void prepare(void)
{
    actors_ask(&actors, 1, "k", "add 5");
    actors_ask(&actors, 1, "k", "add 2");
}

static const char *refused_look(uint64_t turn)
{
    struct sw_buffer record;

    sw_buffer_init(&record, SW_JOURNAL_RECORD_MAX);
    assert_int_equal(look(&(struct fork){.turn = turn, .key = "f"}, &record), SW_E_PRECONDITION);
    sw_buffer_done(&record);
    return err.message;
}

/* --- Units ------------------------------------------------------------------------------------ */

static void it_goes_on_from_what_its_origin_was(void **state)
{
    (void)state;
    prepare();
    assert_int_equal(make(&(struct fork){.turn = 3, .key = "f"}), SW_OK);
    assert_int_equal(field_of(1, "f", "counter"), 7); /* The message of the turn, once more. */
    actors_ask(&actors, 1, "f", "add 100");
    reopen(true);
    assert_int_equal(field_of(1, "f", "counter"), 107);
    assert_int_equal(field_of(1, "k", "counter"), 7);
    assert_int_equal(make(&(struct fork){.turn = 5, .key = "now"}), SW_OK);
    assert_int_equal(field_of(1, "now", "counter"), 7); /* Behind the last turn. */
}

static void what_it_sends_waits_for_its_release(void **state)
{
    (void)state;
    prepare();
    fork_as("f", "send b/x|add 1~send b/x|add 10");
    actors_ask(&actors, 1, "f", "send b/x|add 100");
    for (int i = 0; i < 3; i++) {
        assert_int_equal(field_of(2, "y", "counter"), 0);
        assert_int_equal(actors.report.messages, 0);
        reopen(i != 1);
    }
    assert_int_equal(release("f"), SW_OK);
    assert_int_equal(field_of(2, "x", "counter"), 111);
    assert_int_equal(field_of(2, "x", "messages"), 5); /* With two of ours. */
    assert_int_equal(release("f"), SW_E_PRECONDITION);
    reopen(true);
    assert_int_equal(field_of(2, "x", "counter"), 111);
    actors_ask(&actors, 1, "f", "send b/x|add 1000");
    assert_int_equal(field_of(2, "x", "counter"), 1111);
}

/* The release is a record: it is there or not, and so are all that it lets go. */
static void a_crash_beside_the_release_lets_all_go_or_none(void **state)
{
    (void)state;
    prepare();
    fork_as("f", "send b/x|add 1~send b/x|add 10");
    (void)put_act(SW_MESSAGE_RELEASE, "f", "", script_text(""));
    (void)actors_run(&actors); /* b/x has them, and nothing is durable. */
    reopen(true);
    assert_int_equal(field_of(2, "x", "messages"), 1);
    assert_int_equal(release("f"), SW_OK);
    assert_int_equal(field_of(2, "x", "counter"), 11);
    reopen(true);
    assert_int_equal(field_of(2, "x", "counter"), 11);
    fork_as("g", "send b/x|add 100");
    (void)put_act(SW_MESSAGE_RELEASE, "g", "", script_text(""));
    (void)sw_worker_run(actors.workers[1], 16); /* The record only. */
    assert_int_equal(sw_journal_commit(actors.shared.journal, NULL), SW_OK);
    reopen(true);
    actors_settle(&actors);
    assert_int_equal(field_of(2, "x", "counter"), 111);
    assert_int_equal(release("g"), SW_E_PRECONDITION);
}

static void what_is_held_is_in_snapshots(void **state)
{
    (void)state;
    prepare();
    fork_as("f", "sub news;send b/x|add 1");
    take_snapshot();
    actors_ask(&actors, 1, "f", "send b/x|add 10");
    reopen(true);
    actors_ask(&actors, 1, "f", "send b/x|add 100");
    take_snapshot();
    reopen(true);
    assert_int_equal(field_of(2, "x", "messages"), 1);
    actors_publish(&actors, "news", "!add 7");
    actors_settle(&actors);
    assert_int_equal(release("f"), SW_OK);
    take_snapshot();
    reopen(true);
    assert_int_equal(field_of(2, "x", "counter"), 111);
    actors_publish(&actors, "news", "!add 7");
    actors_settle(&actors);
    assert_int_equal(field_of(1, "f", "counter"), 12);
}

/* Its message waits for it in the record, until it was handled. */
static void its_message_is_not_lost(void **state)
{
    struct sw_buffer record;

    (void)state;
    prepare();
    sw_buffer_init(&record, SW_JOURNAL_RECORD_MAX);
    assert_int_equal(look(&(struct fork){.turn = 3, .key = "f", .input = "add 30"}, &record),
                     SW_OK);
    (void)put_act(SW_MESSAGE_FORK, "f", "sha256:1", (struct sw_bytes){record.data, record.size});
    (void)sw_worker_run(actors.workers[1], 0); /* It is there, and has run nothing. */
    assert_int_equal(sw_journal_commit(actors.shared.journal, NULL), SW_OK);
    restart(true);
    assert_int_equal(actors.report.messages, 1);
    save_all(); /* As a snapshot has it, too. */
    restart(true);
    assert_int_equal(actors.report.messages, 1);
    open_three(0);
    assert_int_equal(field_of(1, "f", "counter"), 35);
    reopen(true);
    assert_int_equal(field_of(1, "f", "counter"), 35);
    sw_buffer_done(&record);
}

static void news_reach_it_and_leave_it_from_the_release_on(void **state)
{
    (void)state;
    actors_ask(&actors, 1, "k", "sub news.*");
    actors_ask(&actors, 2, "x", "sub news.*");
    actors_ask(&actors, 1, "k", "add 2");
    fork_as("f", "pub news.a|!add 1");
    assert_int_equal(actors_reply(&actors, actors_publish(&actors, "news.b", "!add 10"))->is_there,
                     false);
    actors_settle(&actors);
    assert_int_equal(field_of(1, "f", "counter"), 0); /* After the turn of the subscription. */
    assert_int_equal(field_of(1, "k", "counter"), 12);
    assert_int_equal(field_of(2, "x", "counter"), 10);
    reopen(true);
    assert_int_equal(release("f"), SW_OK);
    assert_int_equal(field_of(2, "x", "counter"), 11);
    assert_int_equal(field_of(1, "f", "counter"), 1);
    reopen(true);
    actors_publish(&actors, "news.c", "!add 100");
    actors_settle(&actors);
    assert_int_equal(field_of(1, "f", "counter"), 101);
    actors_ask(&actors, 1, "f", "unsub news.*");
    actors_publish(&actors, "news.c", "!add 100");
    actors_settle(&actors);
    assert_int_equal(field_of(1, "f", "counter"), 101);
}

static void a_question_waits_and_so_does_its_turn(void **state)
{
    uint64_t asked;

    (void)state;
    prepare();
    actors_ask(&actors, 2, "x", "add 9");
    fork_as("f", "add 0");
    asked = send(1, "f", "await 0 b/x|get~get");
    assert_waits(asked);
    reopen(true); /* The client is gone with its host; the turn waits on. */
    actors_ask(&actors, 1, "f", "add 1");
    /* A circle is one also while the question is held. */
    assert_int_equal(field(actors_ask(&actors, 2, "x", "await 0 a/f|get~get"), "code"),
                     SW_E_CONFLICT);
    assert_int_equal(release("f"), SW_OK);
    assert_int_equal(field_of(1, "f", "counter"), 6);
    assert_int_equal(field_of(1, "f", "messages"), 6);
}

static void who_asks_it_is_answered(void **state)
{
    (void)state;
    prepare();
    fork_as("f", "add 1");
    assert_int_equal(field_of(1, "f", "counter"), 6);
    actors_ask(&actors, 2, "x", "ask 7 a/f|get");
    assert_int_equal(field_of(2, "x", "replies"), 1);
}

static void an_outside_call_is_made_when_it_is_released(void **state)
{
    (void)state;
    prepare();
    fork_as("f", "call 0 weather|Oslo~add 1");
    reopen(true);
    assert_int_equal(calls, 0);
    assert_int_equal(release("f"), SW_OK);
    assert_int_equal(calls, 1);
    reopen(true);
    assert_int_equal(calls, 2); /* Under the same name, as of any instance. */
}

/* What others asked its origin is not its own to answer. */
static void questions_of_its_origin_stay_there(void **state)
{
    uint64_t held = actors_send_named(&actors, "once", 1, "k", "hold");

    (void)state;
    actors_settle(&actors);
    actors_ask(&actors, 1, "k", "add 2");
    fork_as("f", "release;get");
    assert_waits(held);
    assert_int_equal(release("f"), SW_OK);
    assert_waits(held);
    held = actors_send_named(&actors, "once", 1, "f", "hold");
    actors_settle(&actors);
    assert_int_equal(status_of(held), SW_E_UNAVAILABLE);
    assert_non_null(strstr(reply_to(held), "this is a fork"));
}

static void so_much_is_held_and_no_more(void **state)
{
    (void)state;
    prepare();
    fork_as("f", "spam 1000 b/x|add 1");
    actors_ask(&actors, 1, "f", "spam 100 b/x|add 1");
    assert_int_equal(field_of(1, "f", "code"), SW_E_EXHAUSTED);
    reopen(true); /* What was pushed back is recorded. */
    assert_int_equal(field_of(1, "f", "code"), 0);
    assert_int_equal(release("f"), SW_OK);
    assert_int_equal(field_of(2, "x", "counter"), SW_WITHHELD_MAX);
}

static void a_dropped_one_is_gone_with_what_it_held(void **state)
{
    (void)state;
    prepare();
    fork_as("f", "send b/x|add 1");
    assert_int_equal(ask_act(SW_MESSAGE_DROP, "f"), SW_OK);
    assert_int_equal(ask_act(SW_MESSAGE_DROP, "f"), SW_E_NOT_FOUND);
    reopen(true);
    assert_int_equal(release("f"), SW_E_NOT_FOUND);
    assert_int_equal(field_of(2, "x", "messages"), 1);
    assert_int_equal(field_of(1, "f", "counter"), 0); /* Another one of that key. */
    assert_int_equal(ask_act(SW_MESSAGE_DROP, "k"), SW_E_PRECONDITION);
    assert_int_equal(field_of(1, "k", "counter"), 7);
}

static void a_key_that_is_there_is_refused(void **state)
{
    (void)state;
    prepare();
    assert_int_equal(make(&(struct fork){.turn = 3, .key = "k"}), SW_E_EXISTS);
    fork_as("f", "add 1");
    assert_int_equal(make(&(struct fork){.turn = 3, .key = "f"}), SW_E_EXISTS);
    assert_int_equal(field_of(1, "f", "counter"), 6);
    assert_int_equal(field_of(1, "k", "counter"), 7);
}

/* Who sleeps on the disk has its key, too; a held one stays awake for its release. */
static void sleepers_are_there_and_the_held_do_not_sleep(void **state)
{
    const struct actors_pod pod = {
        .number = 1, .agent = "a", .is_keyed = true, .rests_at_once = true};

    (void)state;
    prepare();
    actors_open(&actors, &pod);
    actors_settle(&actors);
    assert_int_equal(make(&(struct fork){.turn = 3, .key = "k"}), SW_E_EXISTS);
    fork_as("f", "send b/x|add 1");
    actors_settle(&actors);
    restart(true);
    actors_open(&actors, &pod);
    open_three(0);
    assert_int_equal(release("f"), SW_OK);
    actors_settle(&actors);
    assert_int_equal(field_of(2, "x", "counter"), 1);
    assert_int_equal(field_of(1, "f", "counter"), 5);
}

static void it_keeps_its_module_until_it_is_released(void **state)
{
    const struct actors_pod pod = {
        .number = 1, .agent = "a", .is_keyed = true, .digest = "sha256:2"};

    (void)state;
    prepare();
    fork_as("f", "add 1");
    actors.next_module = &second;
    actors_open(&actors, &pod);
    actors_settle(&actors);
    actors_ask(&actors, 1, "f", "add 1"); /* The second one multiplies by ten. */
    assert_int_equal(field_of(1, "f", "counter"), 7);
    assert_int_equal(release("f"), SW_OK);
    actors_ask(&actors, 1, "f", "add 1");
    assert_int_equal(field_of(1, "f", "counter"), 17);
    actors.next_module = NULL;
}

static void another_module_is_handed_the_state(void **state)
{
    struct sw_item *item;

    (void)state;
    prepare();
    second.refs++;
    item = sw_item_program_new(script_text("sha256:2"), &second);
    sw_worker_put(actors.workers[1], item);
    assert_int_equal(make(&(struct fork){.turn = 3, .key = "f", .digest = "sha256:2"}), SW_OK);
    assert_int_equal(field_of(1, "f", "counter"), 25);
    assert_true(field_of(1, "f", "starts") > 1000);
}

static void in_the_middle_of_a_turn_it_says_where_that_begins(void **state)
{
    (void)state;
    prepare();
    actors_ask(&actors, 1, "k", "sleep 5;sleep 5;add 1"); /* @4; */
    assert_non_null(strstr(refused_look(5), "begins at @4: fork it there"));
    for (int i = 0; i < 2; i++) { /* @5, @6. */
        actors.disk.now_ns += 10;
        actors_settle(&actors);
    }
    assert_non_null(strstr(refused_look(6), "begins at @4: fork it there"));
    assert_int_equal(make(&(struct fork){.turn = 7, .key = "f"}), SW_OK);
    assert_int_equal(field_of(1, "f", "counter"), 8);
}

/* A timer is part of what it begins with, and is overdue by then. */
static void a_timer_fires_in_the_fork_as_well(void **state)
{
    (void)state;
    actors_ask(&actors, 1, "k", "timer 1 50");
    actors.disk.now_ns += 100;
    actors_settle(&actors); /* @3 */
    assert_int_equal(make(&(struct fork){.turn = 3, .key = "f"}), SW_OK);
    assert_int_equal(field_of(1, "f", "timers"), 1);
    assert_int_equal(make(&(struct fork){.turn = 4, .key = "g"}), SW_OK);
    assert_int_equal(field_of(1, "g", "timers"), 1);
    reopen(true);
    assert_int_equal(field_of(1, "f", "timers"), 1);
}

/* What comes from beside is taken for hostile: nothing of it ends the host. */
static void what_is_no_record_of_a_fork_is_refused(void **state)
{
    struct sw_buffer record;
    uint64_t request = 0, refused = 0;
    uint8_t kept;

    (void)state;
    actors_ask(&actors, 1, "k", "sub news.*");
    actors_ask(&actors, 1, "k", "add 2");
    sw_buffer_init(&record, SW_JOURNAL_RECORD_MAX);
    assert_int_equal(look(&(struct fork){.turn = 3, .key = "f", .input = "add 1"}, &record), SW_OK);
    for (size_t at = 0; at < record.size; at++) {
        char key[32];

        (void)snprintf(key, sizeof key, "f%zu", at);
        kept = record.data[at];
        record.data[at] ^= (uint8_t)(1u << at % 8);
        request =
            put_act(SW_MESSAGE_FORK, key, "sha256:1", (struct sw_bytes){record.data, record.size});
        actors_settle(&actors);
        record.data[at] = kept;
        refused += status_of(request) == SW_E_CORRUPT;
        if (status_of(request) == SW_OK)
            (void)release(key);
    }
    request = put_act(SW_MESSAGE_FORK, "short", "sha256:1",
                      (struct sw_bytes){record.data, record.size - 1});
    actors_settle(&actors);
    assert_int_equal(status_of(request), SW_E_CORRUPT);
    assert_true(refused > 20);
    assert_no_worker_failed();
    reopen(true); /* Nothing that was taken hinders a recovery. */
    assert_no_worker_failed();
    sw_buffer_done(&record);
}

/* A fork of a fork holds nothing of what that one held. */
static void a_fork_of_a_fork_holds_its_own(void **state)
{
    (void)state;
    actors_ask(&actors, 1, "k", "send b/x|add 1");
    actors_ask(&actors, 1, "k", "add 2");
    fork_as("f", "send b/x|add 10");
    assert_int_equal(ask_act(SW_MESSAGE_DROP, "f"), SW_OK);
    fork_as("f", "send b/x|add 100");
    assert_int_equal(release("f"), SW_OK);
    assert_int_equal(field_of(2, "x", "counter"), 101);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down_unbroken)
    const struct CMUnitTest tests[] = {
        TEST(it_goes_on_from_what_its_origin_was),
        TEST(what_it_sends_waits_for_its_release),
        TEST(a_crash_beside_the_release_lets_all_go_or_none),
        TEST(what_is_held_is_in_snapshots),
        TEST(its_message_is_not_lost),
        TEST(news_reach_it_and_leave_it_from_the_release_on),
        TEST(a_question_waits_and_so_does_its_turn),
        TEST(who_asks_it_is_answered),
        TEST(an_outside_call_is_made_when_it_is_released),
        TEST(questions_of_its_origin_stay_there),
        TEST(so_much_is_held_and_no_more),
        TEST(a_dropped_one_is_gone_with_what_it_held),
        TEST(a_key_that_is_there_is_refused),
        TEST(sleepers_are_there_and_the_held_do_not_sleep),
        TEST(it_keeps_its_module_until_it_is_released),
        TEST(another_module_is_handed_the_state),
        TEST(in_the_middle_of_a_turn_it_says_where_that_begins),
        TEST(a_timer_fires_in_the_fork_as_well),
        TEST(what_is_no_record_of_a_fork_is_refused),
        TEST(a_fork_of_a_fork_holds_its_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
