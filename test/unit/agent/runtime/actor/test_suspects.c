/* uses: pkg/agent/link */
#include "pkg/agent/runtime/actor/state.h"
#include "test/support/letters.h"
#include "test/unit/agent/runtime/actor/asking.h"

static struct sw_notes notes, seen; /* seen: as they were while a guest ran last, */
static int sees;                    /* for this entry; -1: for any. */
#define SEES_STATE 1000             /* While it hands over its state, */
#define SEES_CREATE 1001            /* or is made. */

static void enter(void *ctx, struct sw_guest *guest, const struct sw_guest_input *input,
                  struct sw_guest_outcome *ret_outcome)
{
    if (sees < 0 || (int)input->entry == sees)
        seen = notes;
    script_enter(ctx, guest, input, ret_outcome);
}

static void state_of(void *ctx, struct sw_guest *guest, uint32_t deadline_ms, struct sw_buffer *out,
                     uint32_t *ret_version, struct sw_guest_outcome *ret_outcome)
{
    if (sees == SEES_STATE)
        seen = notes;
    script_handover(ctx, guest, deadline_ms, out, ret_version, ret_outcome);
}

static enum sw_rc create(void *ctx, struct sw_guest_module *module, uint64_t memory_bytes,
                         struct sw_turn *turn, struct sw_guest **ret_guest, struct sw_err *err)
{
    if (sees == SEES_CREATE)
        seen = notes;
    return script_create(ctx, module, memory_bytes, turn, ret_guest, err);
}

static void open_pods(void)
{
    for (uint32_t i = 0; i < actors.count; i++) {
        actors.workers[i]->engine.enter = enter;
        actors.workers[i]->engine.state = state_of;
        actors.workers[i]->engine.create = create;
    }
    actors_open(&actors,
                &(struct actors_pod){.number = 1, .agent = "a", .is_keyed = true, .attempts = 3});
    actors_open(&actors,
                &(struct actors_pod){.number = 2, .agent = "b", .is_keyed = true, .attempts = 3});
}

static int set_up(void **state)
{
    (void)state;
    memset(&notes, 0, sizeof notes);
    sees = -1;
    actors_init(&actors, 2, 1);
    sw_notes_settle(&notes, false);
    sw_suspects_begin(&actors.shared.suspects, &notes);
    actors.notes = &notes;
    open_pods();
    return 0;
}

/* The process dies while worker 0 runs what it ran last. */
static void crash(bool by_itself)
{
    notes = seen;
    sw_notes_settle(&notes, by_itself);
    restart(true);
    open_pods();
}

/* Have a/k record a turn, which sends to b or starts a timer, and nothing follow from it yet. */
static void begin(const char *script)
{
    actors_ask(&actors, 1, "k", "get");
    actors_ask(&actors, 2, "x", "get");
    actors_send(&actors, 1, "k", script);
    sw_worker_run(actors.workers[1], 4);
    assert_int_equal(sw_journal_commit(actors.shared.journal, NULL), SW_OK);
    (void)actors_carry(&actors, 1);
}

/* What "b/x" handles next ends the host three times. */
static void crash_at_x_three_times(void)
{
    for (int i = 0; i < 3; i++) {
        sw_worker_run(actors.workers[0], 4);
        assert_int_equal(actors.shared.suspects.count, i == 0 ? 0 : 1);
        crash(true);
    }
    actors_settle(&actors);
    assert_int_equal(field_of(2, "x", "counter"), 0);
}

static void what_ran_in_three_crashes_is_parked(void **state)
{
    (void)state;
    begin("ask 5 b/x|add 1");
    crash_at_x_three_times();
    assert_int_equal(field_of(1, "k", "replies"), 1);
    assert_int_equal(field_of(1, "k", "status"), SW_E_INTERNAL);
    assert_int_equal(actors_letters(&actors, "b", ""), 1);
    assert_string_equal(actors.letter.reason, "HostCrashed");
    assert_string_equal(actors.letter.words,
                        "the agent host crashed 3 times while this was handled");
    assert_int_equal(actors.letter.attempts, 1); /* It is not tried again. */
    /* Delivered again it has another name, and so another three lives. */
    assert_int_equal(actors_change_letters(&actors, "b", 0, false), 1);
    assert_int_equal(field_of(2, "x", "counter"), 1);
}

/* After the crash its name is that of another message. */
static void what_was_never_durable_is_not_suspected(void **state)
{
    (void)state;
    begin("add 1");
    for (int i = 0; i < 4; i++) {
        actors_send(&actors, 1, "k", "send b/x|add 1");
        sw_worker_run(actors.workers[1], 4);
        (void)actors_carry(&actors, 1);
        sw_worker_run(actors.workers[0], 4);
        assert_true(seen.running[0].lsn > 0);
        crash(true);
        assert_int_equal(actors.shared.suspects.count, 0);
    }
    begin("send b/x|add 1");
    for (int i = 0; i < 2; i++) {
        sw_worker_run(actors.workers[0], 4);
        crash(true);
        assert_int_equal(actors.shared.suspects.count, 1);
    }
    actors_settle(&actors);
    assert_int_equal(field_of(2, "x", "counter"), 1);
}

static void a_host_that_was_killed_accuses_nobody(void **state)
{
    (void)state;
    begin("send b/x|add 1");
    for (int i = 0; i < 6; i++) {
        sw_worker_run(actors.workers[0], 4);
        crash(i % 3 == 0);
    }
    actors_settle(&actors);
    assert_int_equal(field_of(2, "x", "counter"), 1);
    assert_int_equal(actors.shared.suspects.count, 1);
    sw_suspects_end(&actors.shared.suspects);
    assert_int_equal(notes.suspects[0].crashes, 0);
}

static void a_timer_that_crashes_the_host_is_parked(void **state)
{
    (void)state;
    actors_ask(&actors, 2, "x", "timer 3 1000");
    actors.disk.now_ns += 1000;
    for (int i = 0; i < 3; i++) {
        sw_worker_run(actors.workers[0], 4);
        crash(true);
    }
    actors_settle(&actors);
    assert_int_equal(field_of(2, "x", "timers"), 0);
    assert_int_equal(actors_letters(&actors, "b", ""), 1);
    assert_string_equal(actors.letter.reason, "HostCrashed");
}

static void a_turn_that_crashes_the_host_after_its_wait_is_parked(void **state)
{
    (void)state;
    begin("send b/x|sleep 1000;add 1");
    sw_worker_run(actors.workers[0], 4);
    actors_settle(&actors);
    actors.disk.now_ns += 5000;
    crash_at_x_three_times();
    assert_int_equal(actors_letters(&actors, "b", ""), 1);
    assert_string_equal(actors.letter.reason, "HostCrashed");
    /* Delivered again it waits once more, and that has another name. */
    assert_int_equal(actors_change_letters(&actors, "b", 0, false), 1);
    actors_pass(&actors, 5000);
    assert_int_equal(field_of(2, "x", "counter"), 1);
}

static void what_a_turn_receives_accuses_its_sender_and_not_the_turn(void **state)
{
    (void)state;
    begin("send b/x|recv 900000000000;add 1");
    sw_worker_run(actors.workers[0], 4);
    actors_settle(&actors);
    for (int i = 0; i < 4; i++) { /* A client's does not come again. */
        actors_send(&actors, 2, "x", "poison");
        sw_worker_run(actors.workers[0], 4);
        assert_int_equal(actors.shared.suspects.count, 0);
        crash(true);
    }
    actors_ask(&actors, 1, "k", "send b/x|last");
    assert_int_equal(field_of(2, "x", "counter"), 1);
    assert_int_equal(actors_letters(&actors, "b", ""), 0);
}

static void last_words_that_crash_the_host_are_not_said(void **state)
{
    (void)state;
    sees = SW_GUEST_STOP;
    actors.module.has_on_stop = true;
    actors_ask(&actors, 2, "x", "add 1");
    for (int i = 0; i < 3; i++) {
        assert_int_equal(actors.shared.suspects.count, i == 0 ? 0 : 1);
        actors_close(&actors, 2, true);
        sw_worker_run(actors.workers[0], 4);
        crash(true);
        actors_settle(&actors);
        assert_int_equal(field_of(2, "x", "counter"), 1);
    }
    actors_close(&actors, 2, true);
    actors_settle(&actors);
    assert_string_equal(actors.last_event, "HostCrashed");
    open_pods();
    assert_int_equal(field_of(2, "x", "counter"), 0);
}

static void upgrade_until_it_fails(int crashes_in)
{
    struct actors_pod next = {.number = 2, .agent = "b", .is_keyed = true, .digest = "sha256:2"};

    sees = crashes_in;
    actors.module.on_upgrade = "add 100";
    actors_ask(&actors, 2, "x", "add 1");
    for (int i = 0; i < 3; i++) {
        assert_int_equal(actors.shared.suspects.count, i == 0 ? 0 : 1);
        actors_open(&actors, &next);
        actors_send(&actors, 2, "x", "add 10");
        sw_worker_run(actors.workers[0], 4);
        crash(true);
    }
    actors_open(&actors, &next);
    assert_int_equal(field_of(2, "x", "counter"), 1);
    assert_string_equal(actors.last_event, "UpgradeFailed");
    assert_string_equal(actors.last_words, "the agent host crashed 3 times while this was handled; "
                                           "the instance goes on with its old program");
    assert_int_equal(field_of(2, "y", "counter"), 0); /* One that begins is of the new module. */
}

static void an_upgrade_that_crashes_the_host_fails(void **state)
{
    (void)state;
    upgrade_until_it_fails(SW_GUEST_UPGRADE);
}

static void a_state_whose_handover_crashes_the_host_is_not_handed_over(void **state)
{
    (void)state;
    upgrade_until_it_fails(SEES_STATE);
}

static void a_memory_whose_rebuilding_crashes_the_host_is_left_alone(void **state)
{
    uint64_t request;

    (void)state;
    actors_ask(&actors, 2, "x", "add 1");
    memset(&seen, 0, sizeof seen);
    sees = SEES_CREATE;
    for (int i = 0; i < 4; i++) {
        assert_int_equal(actors.shared.suspects.count, i < 2 ? 0 : 1);
        crash(true);
        request = actors_send(&actors, 2, "x", "add 1");
        sw_worker_run(actors.workers[0], 4);
    }
    actors_settle(&actors);
    assert_int_equal(actors_reply(&actors, request)->status, SW_E_UNAVAILABLE);
    assert_string_equal(actors.last_event, "StateUnreadable");
    assert_int_equal(actors.engines[0].entered, 0);
    assert_int_equal(field_of(2, "y", "counter"), 0);
    sw_suspects_end(&actors.shared.suspects); /* A clean stop: it is tried again. */
    restart(true);
    open_pods();
    assert_int_equal(field_of(2, "x", "counter"), 1);
}

static void what_is_published_accuses_one_subscriber(void **state)
{
    (void)state;
    actors_ask(&actors, 2, "x", "sub news");
    actors_ask(&actors, 2, "y", "sub news");
    begin("pub news|x");
    for (int i = 0; i < 3; i++) {
        sw_worker_run(actors.workers[0], 1);
        crash(true);
    }
    actors_settle(&actors);
    assert_int_equal(actors_letters(&actors, "b", ""), 1);
    assert_int_equal(field_of(2, "x", "published") + field_of(2, "y", "published"), 1);
}

static void clients_messages_are_not_noted(void **state)
{
    static const struct sw_note none;

    (void)state;
    actors_ask(&actors, 2, "x", "add 1");
    assert_memory_equal(&seen.running[0], &none, sizeof none);
}

static void open_replica(const char *digest)
{
    actors_open(&actors,
                &(struct actors_pod){.number = 4, .agent = "r", .replicas = 1, .digest = digest});
}

/* No message is there that could be parked: it is not entered, and the host goes on without it. */
static void a_replica_that_crashes_the_host_as_it_starts_is_not_entered(void **state)
{
    (void)state;
    actors_settle(&actors);
    for (int i = 0; i < 3; i++) {
        open_replica("sha256:1");
        sw_worker_run(actors.workers[0], 4);
        crash(true);
    }
    open_replica("sha256:1");
    actors_settle(&actors);
    assert_string_equal(actors.last_event, "HostCrashed");
    assert_int_equal(actors.engines[0].entered, 0);
    assert_int_equal(field_of(2, "x", "counter"), 0);
    open_replica("sha256:2"); /* Mended. */
    actors.disk.now_ns += 60000000000;
    actors_settle(&actors);
    assert_int_equal(field_of(4, "0", "starts"), 1);
}

static void a_key_whose_start_crashes_the_host_is_not_entered_for_clients(void **state)
{
    uint64_t request;

    (void)state;
    sees = SW_GUEST_START;
    actors_settle(&actors);
    for (int i = 0; i < 3; i++) {
        actors_send(&actors, 2, "x", "add 1");
        sw_worker_run(actors.workers[0], 1);
        crash(true);
    }
    request = actors_send(&actors, 2, "x", "add 1");
    actors_settle(&actors);
    assert_int_equal(actors_reply(&actors, request)->status, SW_E_UNAVAILABLE);
    assert_int_equal(actors.engines[0].entered, 0);
    assert_int_equal(field_of(2, "y", "counter"), 0);
}

static void the_least_suspected_makes_room(void **state)
{
    (void)state;
    for (uint64_t i = 1; i <= SW_SUSPECTS_MAX + 1; i++) {
        notes.running[0] = (struct sw_note){.lsn = i};
        notes.running[1] = (struct sw_note){.lsn = 1};
        sw_notes_settle(&notes, true);
        sw_suspects_begin(&actors.shared.suspects, &notes);
    }
    assert_int_equal(actors.shared.suspects.count, SW_SUSPECTS_MAX);
    assert_true(sw_suspects_find(&actors.shared.suspects, &(struct sw_note){.lsn = 1}) >
                SW_SUSPECTS_MAX);
    assert_int_equal(
        sw_suspects_find(&actors.shared.suspects, &(struct sw_note){.lsn = SW_SUSPECTS_MAX + 1}),
        1);
    assert_int_equal(sw_suspects_find(&actors.shared.suspects, &(struct sw_note){0}), 0);
}

static void notes_of_another_version_are_forgotten(void **state)
{
    (void)state;
    notes.suspects[0] = (struct sw_suspect){{.lsn = 7}, 2};
    notes.version++;
    sw_notes_settle(&notes, true);
    sw_suspects_begin(&actors.shared.suspects, &notes);
    assert_int_equal(actors.shared.suspects.count, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_ran_in_three_crashes_is_parked),
        TEST(what_was_never_durable_is_not_suspected),
        TEST(a_host_that_was_killed_accuses_nobody),
        TEST(a_timer_that_crashes_the_host_is_parked),
        TEST(a_turn_that_crashes_the_host_after_its_wait_is_parked),
        TEST(what_a_turn_receives_accuses_its_sender_and_not_the_turn),
        TEST(last_words_that_crash_the_host_are_not_said),
        TEST(an_upgrade_that_crashes_the_host_fails),
        TEST(a_state_whose_handover_crashes_the_host_is_not_handed_over),
        TEST(a_memory_whose_rebuilding_crashes_the_host_is_left_alone),
        TEST(what_is_published_accuses_one_subscriber),
        TEST(clients_messages_are_not_noted),
        TEST(a_replica_that_crashes_the_host_as_it_starts_is_not_entered),
        TEST(a_key_whose_start_crashes_the_host_is_not_entered_for_clients),
        TEST(the_least_suspected_makes_room),
        TEST(notes_of_another_version_are_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
