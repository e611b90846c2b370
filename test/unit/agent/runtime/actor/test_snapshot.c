/* uses: pkg/agent/link */
/* timeout: 300 */
#include "pkg/agent/runtime/actor/snapshot.h"

#include "pkg/agent/runtime/actor/capture.h"
#include "test/support/letters.h"
#include "test/unit/agent/runtime/actor/asking.h"

static const char *config; /* Of the Pods. */

static void open_pod(uint64_t number)
{
    actors_open(&actors, &(struct actors_pod){.number = number,
                                              .agent = number == 1 ? "a" : "b",
                                              .config = config,
                                              .is_keyed = true,
                                              .attempts = 3});
}

static void open_pods(void)
{
    open_pod(1);
    open_pod(2);
    actors_settle(&actors);
}

static int set_up(void **state)
{
    (void)state;
    config = NULL;
    actors_init(&actors, 2, 1);
    open_pods();
    return 0;
}

/* Begin one that goes on in the smallest steps. */
static void begin(void)
{
    sw_snapshot_limit(&actors.shared,
                      &(struct sw_snapshot_limits){.bytes_min = actors.shared.snapshots->bytes_min,
                                                   .sweep_bytes = 1});
    actors_rest(&actors);
    if (sw_snapshot_begin(&actors.shared, actors.workers, actors.count, &actors.failure) != SW_OK)
        fail_msg("begin: %s", actors.failure.message);
}

static void grow_by(uint64_t bytes)
{
    sw_snapshot_limit(&actors.shared, &(struct sw_snapshot_limits){.bytes_min = bytes});
}

static unsigned files_of(const char *kind)
{
    unsigned count = 0;

    for (size_t i = 0; i < DISK_FILES_MAX; i++)
        count += actors.disk.files[i].is_there && strstr(actors.disk.files[i].path, kind) != NULL;
    return count;
}

/* Everything that must outlive a restart of an instance, in words. */
static void describe(uint64_t pod, const char *key, char words[160])
{
    char got[512];

    snprintf(got, sizeof got, "%s", actors_ask(&actors, pod, key, "get"));
    snprintf(words, 160, "counter=%lld replies=%lld published=%lld timers=%lld starts=%lld",
             field(got, "counter"), field(got, "replies"), field(got, "published"),
             field(got, "timers"), field(got, "starts"));
}

/* --- What a snapshot holds ------------------------------------------------------------------- */

static void what_changes_while_it_is_taken_is_saved_as_it_was(void **state)
{
    uint64_t entered;

    (void)state;
    actors_ask(&actors, 1, "k", "add 5;random;sub news");
    actors_ask(&actors, 1, "l", "add 7");
    begin();
    actors_send(&actors, 1, "k", "add 100;random"); /* Saved before this. */
    actors_run(&actors);
    assert_int_equal(sw_snapshot_phase(&actors.shared), SW_SNAPSHOT_TAKING);
    assert_int_equal(actors_snapshot(&actors), SW_OK);
    assert_int_equal(sw_snapshot_phase(&actors.shared), SW_SNAPSHOT_NONE);
    actors_ask(&actors, 1, "k", "add 1000");
    assert_int_equal(files_of("snapshot-"), 1);
    restart(true);
    open_pods();
    entered = actors.engines[1].entered;
    assert_int_equal(field_of(1, "k", "counter"), 1105);
    assert_int_equal(actors.engines[1].entered - entered, 3); /* Two replayed on top of it. */
    assert_int_equal(field_of(1, "l", "counter"), 7);
}

static void a_message_is_in_it_or_in_the_journal_but_not_in_both(void **state)
{
    (void)state;
    actors_send(&actors, 1, "k", "send b/x|add 1");
    sw_worker_run(actors.workers[1], 4);
    begin(); /* It waits in b/x. */
    actors_send(&actors, 1, "k", "send b/x|add 10");
    sw_worker_run(actors.workers[1], 4);
    actors_carry(&actors, 1);
    sw_worker_run(actors.workers[0], 0);
    while (sw_snapshot_phase(&actors.shared) == SW_SNAPSHOT_TAKING) {
        (void)sw_capture_sweep(actors.workers[0], 1u << 20);
        (void)sw_capture_sweep(actors.workers[1], 1u << 20);
        assert_int_equal(sw_snapshot_advance(&actors.shared, &actors.failure), SW_OK);
    }
    assert_int_equal(sw_journal_commit(actors.shared.journal, NULL), SW_OK);
    restart(true);
    assert_int_equal(actors.report.messages, 2);
    open_pods();
    actors_settle(&actors);
    assert_int_equal(field_of(2, "x", "counter"), 11);
    restart(true);
    open_pods();
    assert_int_equal(field_of(2, "x", "counter"), 11);
}

static void a_body_before_the_point_is_put_into_the_record(void **state)
{
    char body[300];

    (void)state;
    actors_ask(&actors, 2, "x", "add 1");
    memset(body, ' ', sizeof body);
    memcpy(body, "send b/x|add 2", 14);
    body[sizeof body - 1] = 0;
    actors_send(&actors, 1, "k", body);
    sw_worker_run(actors.workers[1], 4);
    begin();
    assert_int_equal(actors_snapshot(&actors), SW_OK); /* It handles the message after the point. */
    for (int i = 0; i < 400; i++)                      /* The segment with the body is removed. */
        actors_ask(&actors, 1, "k", "add 1;random;random;random;random;random;random;random");
    begin();
    assert_int_equal(actors_snapshot(&actors), SW_OK);
    assert_true(sw_journal_begin(actors.shared.journal) > SW_JOURNAL_BIRTH_LSN);
    restart(true);
    open_pods();
    assert_int_equal(field_of(2, "x", "counter"), 3);
}

/* Whether or not it is woken in the middle of it. */
static void many_records_of_one_that_sleeps_are_saved_in_steps(void **state)
{
    char before[160], after[160];

    (void)state;
    for (int is_touched = 0; is_touched < 2; is_touched++) {
        for (int i = 0; i < 300; i++)
            actors_ask(&actors, 1, "k", "add 1;random");
        restart(true);
        open_pods();
        begin();
        for (int i = 0; i < 4; i++)
            (void)sw_worker_run(actors.workers[1], 1);
        assert_non_null(actors.workers[1]->sleeper);
        if (is_touched == 1)
            actors_ask(&actors, 1, "k", "add 1000");
        assert_int_equal(actors.workers[1]->sleeper == NULL, is_touched);
        assert_int_equal(actors_snapshot(&actors), SW_OK);
        assert_null(actors.workers[1]->sleeper);
        restart(true);
        open_pods();
        assert_int_equal(field_of(1, "k", "counter"), 300 * (is_touched + 1) + 1000 * is_touched);
        describe(1, "k", before);
        restart(true);
        open_pods();
        describe(1, "k", after);
        assert_string_equal(before, after);
    }
    assert_int_equal(actors.events, 0);
}

static void one_that_sleeps_is_saved_with_its_records(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++)
        actors_ask(&actors, 1, "k", "add 1;random;mix");
    actors_ask(&actors, 2, "x", "send a/k|add 20");
    actors_ask(&actors, 1, "k", "trap"); /* Its guest is gone. */
    begin();
    assert_int_equal(actors_snapshot(&actors), SW_OK);
    for (int round = 0; round < 3; round++) {
        char before[160], after[160];

        restart(true); /* All of them sleep now, with their Pods closed. */
        begin();
        assert_int_equal(actors_snapshot(&actors), SW_OK);
        restart(true);
        open_pods();
        describe(1, "k", before);
        actors_ask(&actors, 1, "k", "add 1000;random");
        restart(true);
        begin();
        assert_int_equal(actors_snapshot(&actors), SW_OK);
        restart(true);
        open_pods();
        actors_ask(&actors, 1, "k", "add -1000");
        describe(1, "k", after);
        if (round == 0) /* random changes the counter no more than mix says. */
            assert_string_equal(before, after);
    }
}

static void a_parked_instance_does_not_prevent_one(void **state)
{
    (void)state;
    actors_ask(&actors, 1, "k", "drift");
    actors_ask(&actors, 1, "other", "add 3");
    restart(true);
    actors.engines[1].drift = 100;
    open_pods();
    actors_ask(&actors, 1, "k", "add 1");
    assert_string_equal(actors.last_event, "ReplayMismatch");
    begin();
    assert_int_equal(actors_snapshot(&actors), SW_OK);
    assert_int_equal(sw_snapshot_phase(&actors.shared), SW_SNAPSHOT_NONE);
    restart(true);
    open_pods();
    assert_int_equal(field_of(1, "other", "counter"), 3);
    actors.engines[1].drift = 0; /* What it diverged from is there: it runs on. */
    assert_int_equal(actors.report.instances, 2);
    actors_ask(&actors, 1, "k", "add 1");
    assert_int_equal(field_of(1, "k", "counter"), 1);
}

static void a_closed_pod_keeps_what_waits_for_it(void **state)
{
    (void)state;
    actors_ask(&actors, 2, "x", "add 1");
    actors_close(&actors, 2, false);
    actors_settle(&actors);
    actors_ask(&actors, 1, "k", "send b/x|add 5~send b/new|add 7");
    begin();
    open_pod(2);
    assert_int_equal(actors_snapshot(&actors), SW_OK); /* Opened before it was saved. */
    restart(true);
    open_pods();
    actors_settle(&actors);
    assert_int_equal(field_of(2, "x", "counter"), 6);
    assert_int_equal(field_of(2, "new", "counter"), 7);
}

/* All that is kept is checked, and what follows the snapshot is taken in. */
static void a_recovery_tells_what_it_read(void **state)
{
    struct sw_snapshot_view view;

    (void)state;
    actors_ask(&actors, 1, "k", "add 1");
    restart(true);
    assert_int_equal(actors.report.snapshot_bytes, 0);
    assert_true(actors.report.journal_bytes > 0);
    assert_int_equal(actors.report.tail_bytes, actors.report.journal_bytes);
    open_pods();
    begin();
    assert_int_equal(actors_snapshot(&actors), SW_OK);
    sw_snapshot_view(&actors.shared, &view);
    restart(true);
    assert_true(view.bytes > 0);
    assert_int_equal(actors.report.snapshot_bytes, view.bytes);
    assert_true(actors.report.tail_bytes > 0);
    assert_true(actors.report.tail_bytes < actors.report.journal_bytes);
}

/* Save what is left and have it count, while nobody runs. */
static void sweep_to_the_end(void)
{
    while (sw_snapshot_phase(&actors.shared) == SW_SNAPSHOT_TAKING) {
        for (uint32_t i = 0; i < actors.count; i++)
            (void)sw_capture_sweep(actors.workers[i], 1u << 20);
        assert_int_equal(sw_snapshot_advance(&actors.shared, &actors.failure), SW_OK);
    }
    assert_int_equal(sw_journal_commit(actors.shared.journal, NULL), SW_OK);
    while (sw_snapshot_has_work(&actors.shared))
        assert_int_equal(sw_snapshot_advance(&actors.shared, &actors.failure), SW_OK);
}

static void messages_for_those_who_are_not_made_yet_are_in_it_once(void **state)
{
    (void)state;
    actors_close(&actors, 2, false);
    actors_settle(&actors);
    actors_ask(&actors, 1, "k", "send b/new|add 7");
    begin();
    sweep_to_the_end();
    restart(true);
    assert_int_equal(actors.report.messages, 1);
    begin();
    open_pod(2);
    sw_worker_run(actors.workers[0], 0); /* It is made, and does not run yet. */
    sweep_to_the_end();
    restart(true);
    assert_int_equal(actors.report.messages, 1);
    open_pods();
    actors_settle(&actors);
    assert_int_equal(field_of(2, "new", "counter"), 7);
}

static void what_failed_is_in_it_with_its_tries(void **state)
{
    (void)state;
    actors_ask(&actors, 1, "k", "send b/x|trap~send b/y|trap");
    actors_pass(&actors, 1000); /* The second of three tries. */
    begin();
    sweep_to_the_end();
    restart(true);
    open_pods();
    actors_pass(&actors, 5000);
    assert_int_equal(actors_letters(&actors, "b", ""), 2);
    begin();
    actors_ask(&actors, 1, "k", "send b/z|trap"); /* It makes a third letter after the point. */
    actors_pass(&actors, 1000);
    actors_pass(&actors, 5000);
    sweep_to_the_end();
    restart(true);
    open_pods();
    assert_int_equal(actors_letters(&actors, "b", ""), 3);
    begin();
    assert_int_equal(actors_change_letters(&actors, "b", 0, true), 3);
    sweep_to_the_end();
    restart(true);
    open_pods();
    assert_int_equal(actors_letters(&actors, "b", ""), 0);
}

static void a_config_that_changes_while_it_is_taken_is_seen_from_then_on(void **state)
{
    (void)state;
    config = "one";
    open_pods();
    actors_ask(&actors, 1, "k", "config");
    begin();
    config = "two";
    open_pod(1);
    actors_send(&actors, 1, "k", "add 1");
    sw_worker_run(actors.workers[1], 1); /* Before anybody else is saved. */
    actors_ask(&actors, 1, "l", "config");
    assert_int_equal(actors_snapshot(&actors), SW_OK);
    restart(true);
    open_pods();
    assert_non_null(strstr(actors_ask(&actors, 1, "k", "get"), "last=one"));
    assert_non_null(strstr(actors_ask(&actors, 1, "k", "config;get"), "last=two"));
    assert_non_null(strstr(actors_ask(&actors, 1, "l", "get"), "last=two"));
}

static void one_that_goes_while_it_is_taken_is_gone(void **state)
{
    (void)state;
    actors_ask(&actors, 2, "x", "add 1;sub news");
    actors_ask(&actors, 1, "k", "ask 6 b/x|hold");
    begin();
    actors_close(&actors, 2, true);
    assert_int_equal(actors_snapshot(&actors), SW_OK);
    restart(true);
    assert_int_equal(actors.report.pods, 1);
    assert_int_equal(actors.report.instances, 1);
    open_pod(1);
    actors_settle(&actors);
    assert_int_equal(field_of(1, "k", "status"), SW_E_UNAVAILABLE);
    assert_int_equal(field_of(1, "k", "replies"), 1);
}

static void a_question_to_a_volatile_instance_fails_once(void **state)
{
    struct actors_pod pod = {.number = 3, .agent = "v", .is_keyed = true, .is_volatile = true};

    (void)state;
    actors_open(&actors, &pod);
    actors_ask(&actors, 1, "k", "ask 6 v/x|hold");
    begin();
    assert_int_equal(actors_snapshot(&actors), SW_OK);
    restart(true);
    assert_int_equal(actors.report.messages, 1);
    open_pods();
    actors_settle(&actors);
    assert_int_equal(field_of(1, "k", "replies"), 1);
    assert_int_equal(field_of(1, "k", "status"), SW_E_UNAVAILABLE);
    actors_open(&actors, &pod);
    actors_ask(&actors, 1, "k", "ask 7 v/x|get");
    begin();
    assert_int_equal(actors_snapshot(&actors), SW_OK);
    restart(true);
    open_pods();
    assert_int_equal(field_of(1, "k", "replies"), 2);
}

/* --- When it counts -------------------------------------------------------------------------- */

static void it_is_due_when_the_journal_has_grown(void **state)
{
    (void)state;
    grow_by(20000);
    assert_false(sw_snapshot_is_due(&actors.shared));
    for (int i = 0; !sw_snapshot_is_due(&actors.shared); i++) {
        assert_true(i < 1000);
        actors_ask(&actors, 1, "k", "add 1");
    }
    begin();
    assert_false(sw_snapshot_is_due(&actors.shared));
    assert_int_equal(actors_snapshot(&actors), SW_OK);
    assert_false(sw_snapshot_is_due(&actors.shared));
    for (int i = 0; !sw_snapshot_is_due(&actors.shared); i++) {
        assert_true(i < 1000);
        actors_ask(&actors, 1, "k", "add 1");
    }
}

static void fill_until(uint64_t end)
{
    while (sw_journal_end(actors.shared.journal) < end)
        actors_ask(&actors, 1, "k", "add 1");
}

/* Hosts that always end sooner than that would leave ever more to the next one. */
static void after_a_start_it_waits_only_while_the_tail_is_not_far_too_long(void **state)
{
    (void)state;
    actors.limits.bytes_min = 20000;
    fill_until(40000);
    restart(true);
    open_pods();
    assert_false(sw_snapshot_is_due(&actors.shared)); /* Those who ask come first. */
    actors.disk.now_ns += 2000000000u;
    assert_true(sw_snapshot_is_due(&actors.shared));
    fill_until(100000);
    restart(true);
    assert_true(sw_snapshot_is_due(&actors.shared));
}

static void the_journal_of_a_host_that_never_stops_stays_bounded(void **state)
{
    uint64_t kept_max = 0, taken;
    struct sw_snapshot_view view;

    (void)state;
    grow_by(1u << 17);
    for (int i = 0; i < 6000; i++) {
        uint64_t kept;

        actors_send(&actors, 1, i % 2 == 0 ? "k" : "l", "add 1;random;send b/x|add 1");
        if (i % 5 == 0)
            actors_settle(&actors);
        if (sw_snapshot_is_due(&actors.shared))
            begin();
        assert_int_equal(sw_snapshot_advance(&actors.shared, &actors.failure), SW_OK);
        kept = sw_journal_end(actors.shared.journal) - sw_journal_begin(actors.shared.journal);
        if (kept > kept_max)
            kept_max = kept;
    }
    actors_settle(&actors);
    sw_snapshot_view(&actors.shared, &view);
    taken = view.taken;
    assert_true(taken >= 10);
    assert_true(kept_max < 400000);
    assert_true(files_of("snapshot-") <= 2);
    restart(true);
    open_pods();
    assert_int_equal(field_of(2, "x", "counter"), 6000);
}

/* History that is wanted is kept whole, until it is longer than it was to be. */
static void history_is_kept_until_it_is_too_long(void **state)
{
    struct sw_snapshot_limits limits = {.bytes_min = 1u << 15, .history_bytes = 1u << 18};
    struct sw_snapshot_view view;
    uint64_t end = 0;

    (void)state;
    sw_snapshot_limit(&actors.shared, &limits);
    for (int i = 0; end < limits.history_bytes + (limits.history_bytes >> 1); i++) {
        assert_true(i < 40000);
        actors_ask(&actors, 1, i % 2 == 0 ? "k" : "l", "add 1;random;send b/x|add 1");
        actors_rest(&actors);
        if (sw_snapshot_is_due(&actors.shared))
            assert_int_equal(sw_snapshot_begin(&actors.shared, actors.workers, actors.count, NULL),
                             SW_OK);
        assert_int_equal(actors_snapshot(&actors), SW_OK);
        end = sw_journal_end(actors.shared.journal);
        sw_snapshot_view(&actors.shared, &view);
        if (end < limits.history_bytes)
            assert_int_equal(sw_journal_begin(actors.shared.journal), SW_JOURNAL_BIRTH_LSN);
    }
    assert_true(view.taken >= 3);
    assert_true(sw_journal_begin(actors.shared.journal) > limits.history_bytes / 2);
}

static void without_its_record_it_does_not_count(void **state)
{
    (void)state;
    actors_ask(&actors, 1, "k", "add 5");
    begin();
    while (sw_snapshot_phase(&actors.shared) == SW_SNAPSHOT_TAKING) {
        for (uint32_t i = 0; i < actors.count; i++)
            (void)sw_capture_sweep(actors.workers[i], 1u << 20);
        assert_int_equal(sw_snapshot_advance(&actors.shared, &actors.failure), SW_OK);
    }
    assert_int_equal(sw_snapshot_phase(&actors.shared), SW_SNAPSHOT_NAMED);
    assert_int_equal(files_of("snapshot-"), 1);
    restart(true); /* Its record was not committed. */
    assert_int_equal(files_of("snapshot-"), 0);
    open_pods();
    assert_int_equal(field_of(1, "k", "counter"), 5);
}

static void a_journal_without_its_beginning_and_without_a_snapshot_is_refused(void **state)
{
    struct disk_file *file = NULL;

    (void)state;
    for (int i = 0; i < 1000; i++)
        actors_ask(&actors, 1, "k", "add 1;random;random;random;random;random;random;random");
    actors_settle(&actors);
    for (size_t i = 0; i < DISK_FILES_MAX; i++)
        if (strstr(actors.disk.files[i].path, "journal-0000000000000040.seg") != NULL)
            file = &actors.disk.files[i];
    assert_non_null(file);
    disk_forget(file);
    assert_int_equal(actors_restart(&actors, false), SW_E_CORRUPT);
    actors.disk.now_ns++;
}

static void one_that_cannot_be_written_is_tried_again_later(void **state)
{
    (void)state;
    grow_by(100);
    for (int i = 0; i < 20; i++)
        actors_ask(&actors, 1, "k", "add 1");
    for (int fault = 0; fault < 3; fault++) {
        enum sw_rc rc = SW_OK;

        assert_true(sw_snapshot_is_due(&actors.shared));
        begin();
        actors.disk.full_after = fault == 0 ? 1 : -1;
        actors.disk.fail_writes_after = fault == 1 ? 1 : -1;
        actors.disk.fail_syncs_after = fault == 2 ? 1 : -1;
        while (rc == SW_OK && sw_snapshot_phase(&actors.shared) == SW_SNAPSHOT_TAKING) {
            for (uint32_t i = 0; i < actors.count; i++)
                (void)sw_capture_sweep(actors.workers[i], 1u << 20);
            rc = sw_snapshot_advance(&actors.shared, &actors.failure);
        }
        actors.disk.full_after = actors.disk.fail_writes_after = actors.disk.fail_syncs_after = -1;
        assert_int_not_equal(rc, SW_OK);
        assert_int_equal(files_of("snapshot-"), 0);
        assert_false(sw_snapshot_is_due(&actors.shared)); /* The host goes on meanwhile. */
        actors_ask(&actors, 1, "k", "add 1");
        actors.disk.now_ns += 60000000000u;
    }
    begin();
    assert_int_equal(actors_snapshot(&actors), SW_OK);
    restart(true);
    open_pods();
    assert_int_equal(field_of(1, "k", "counter"), 23);
}

static void a_disk_that_is_too_slow_costs_the_snapshot_and_not_the_host(void **state)
{
    struct sw_snapshot_view view;

    (void)state;
    for (int i = 0; i < 500; i++) {
        char key[16];

        snprintf(key, sizeof key, "k%d", i);
        actors_ask(&actors, 1, key, "add 1");
    }
    begin();
    sw_snapshot_limit(&actors.shared, &(struct sw_snapshot_limits){.waiting_max = 20000});
    for (int i = 0; i < 500; i++) { /* All at once, and nobody writes. */
        char key[16];

        snprintf(key, sizeof key, "k%d", i);
        actors_send(&actors, 1, key, "add 1");
    }
    actors_run(&actors);
    assert_int_equal(sw_snapshot_phase(&actors.shared), SW_SNAPSHOT_ABANDONED);
    assert_true(atomic_load(&actors.shared.snapshots->waiting_bytes) < 22000);
    assert_int_equal(sw_snapshot_advance(&actors.shared, &actors.failure), SW_E_EXHAUSTED);
    sw_snapshot_view(&actors.shared, &view);
    assert_int_equal(view.failed, 1);
    begin(); /* Now somebody does. */
    assert_int_equal(actors_snapshot(&actors), SW_OK);
    restart(true);
    open_pods();
    assert_int_equal(field_of(1, "k0", "counter"), 2);
    assert_int_equal(field_of(1, "k499", "counter"), 2);
}

/* --- The model ------------------------------------------------------------------------------- */

#define MODEL_KEYS 7
#define MODEL_SEEDS 150
#define MODEL_ROUNDS 8
#define MODEL_STEPS 60

static unsigned chance(unsigned below)
{
    return (unsigned)(disk_random(&actors.disk) >> 20) % below;
}

/* One step of something that leaves a trace in some instance. */
static void act(void)
{
    char body[160], key[8], other[8];

    snprintf(key, sizeof key, "k%u", chance(MODEL_KEYS));
    snprintf(other, sizeof other, "k%u", chance(MODEL_KEYS));
    switch (chance(9)) {
    case 0:
        snprintf(body, sizeof body, "add %u;random", chance(9));
        break;
    case 1:
    case 2:
        snprintf(body, sizeof body, "send a/%s|add 1~send b/%s|add 2", other, other);
        break;
    case 3:
        snprintf(body, sizeof body, "ask 3 b/%s|add 1;get", other);
        break;
    case 4:
        snprintf(body, sizeof body, "ask 4 a/%s|hold", other);
        break;
    case 5:
        snprintf(body, sizeof body, "release;timer %u %u", chance(4), chance(3000));
        break;
    case 6:
        snprintf(body, sizeof body, "sub n%u;pub n%u|hello", chance(3), chance(3));
        break;
    case 7:
        snprintf(body, sizeof body, "ask 5 v/%s|hold", other);
        break;
    default:
        snprintf(body, sizeof body, "send a/%s|trap", other);
    }
    actors_send(&actors, 1 + chance(2), key, body);
}

static void open_all(void)
{
    actors_open(&actors, &(struct actors_pod){
                             .number = 3, .agent = "v", .is_keyed = true, .is_volatile = true});
    open_pods();
}

/* A snapshot goes on beside the work, from any moment to any moment. */
static void snapshot_step(void)
{
    if (chance(8) == 0 && sw_snapshot_phase(&actors.shared) == SW_SNAPSHOT_NONE)
        begin();
    if (chance(3) == 0)
        (void)sw_capture_sweep(actors.workers[chance(actors.count)], 1);
    if (chance(2) == 0 && sw_snapshot_advance(&actors.shared, &actors.failure) != SW_OK)
        fail_msg("advance: %s", actors.failure.message);
}

static void work(void)
{
    for (unsigned i = 0; i < MODEL_STEPS; i++) {
        act();
        actors.disk.now_ns += chance(200);
        if (chance(3) == 0) {
            uint32_t from = chance(actors.count);

            sw_worker_run(actors.workers[from], 1 + chance(3));
            if (chance(2) == 0)
                actors_carry(&actors, from);
        }
        if (chance(12) == 0)
            actors_close(&actors, 1 + chance(2), false);
        if (chance(6) == 0)
            open_pod(1);
        if (chance(6) == 0)
            open_pod(2);
        if (chance(5) == 0 && sw_journal_commit(actors.shared.journal, NULL) != SW_OK)
            fail_msg("commit");
        snapshot_step();
    }
}

static void describe_all(char words[2 * MODEL_KEYS][160])
{
    for (unsigned i = 0; i < 2 * MODEL_KEYS; i++) {
        char key[8];

        snprintf(key, sizeof key, "k%u", i / 2);
        describe(1 + i % 2, key, words[i]);
    }
}

/* With everything at rest and durable, a restart changes nothing that can be seen, whatever a
 * snapshot was doing at that moment and however often the host went down before. */
static void play_round(unsigned seed, int round)
{
    static char before[2 * MODEL_KEYS][160], after[2 * MODEL_KEYS][160];
    size_t letters;

    open_all();
    work();
    if (chance(3) == 0) { /* In the middle of everything. */
        restart(chance(2) == 0);
        if (chance(2) == 0) {
            begin();
            snapshot_step();
        }
        open_all();
        work();
    }
    actors_close(&actors, 3, true); /* What it owes is told now and not at the restart. */
    open_pods();
    actors.disk.now_ns += 100000000000u; /* All timers and retries. */
    for (int i = 0; i < 12; i++) {
        actors_settle(&actors);
        actors.disk.now_ns += 100000000000u;
    }
    describe_all(before);
    letters = actors_letters(&actors, "a", "") + actors_letters(&actors, "b", "");
    for (unsigned i = chance(4); i > 0; i--)
        snapshot_step();
    assert_int_equal(sw_journal_commit(actors.shared.journal, NULL), SW_OK);
    restart(chance(2) == 0);
    open_pods();
    actors_settle(&actors);
    describe_all(after);
    if (letters != actors_letters(&actors, "a", "") + actors_letters(&actors, "b", ""))
        fail_msg("seed %u, round %d: other dead letters", seed, round);
    for (unsigned i = 0; i < 2 * MODEL_KEYS; i++)
        if (strcmp(before[i], after[i]) != 0)
            fail_msg("seed %u, round %d, %u: %s\nbecame %s", seed, round, i, before[i], after[i]);
}

static void a_restart_at_any_moment_of_any_snapshot_finds_what_was_there(void **state)
{
    (void)state;
    for (unsigned seed = 1; seed <= MODEL_SEEDS; seed++) {
        actors_done(&actors);
        actors_init(&actors, 1 + seed % 3, seed);
        actors.module.on_timer = "add 1";
        for (int round = 0; round < MODEL_ROUNDS; round++)
            play_round(seed, round);
    }
}

/* Each write and each sync of a snapshot is the last that the machine does, in turn. */
static void power_loss_at_each_write_of_a_snapshot_loses_nothing(void **state)
{
    (void)state;
    for (int64_t at = 1; at < 40; at++) {
        bool is_sync = at % 2 == 0;
        long long counter = at;

        actors_ask(&actors, 1, "k", "add 1;random");
        actors_ask(&actors, 2, "x", "ask 6 a/l|add 1;get");
        begin();
        actors.disk.fail_writes_after = is_sync ? -1 : at / 2 % 8 + 1;
        actors.disk.fail_syncs_after = is_sync ? at / 2 % 8 : -1;
        for (int i = 0; i < 8; i++) {
            for (uint32_t w = 0; w < actors.count; w++)
                (void)sw_capture_sweep(actors.workers[w], 1u << 20);
            (void)!sw_snapshot_advance(&actors.shared, NULL);
            (void)!sw_journal_commit(actors.shared.journal, NULL);
        }
        actors.disk.fail_writes_after = actors.disk.fail_syncs_after = -1;
        restart(true);
        open_pods();
        assert_int_equal(field_of(1, "k", "counter"), counter);
        assert_int_equal(field_of(1, "l", "counter"), counter);
        assert_int_equal(field_of(2, "x", "replies"), counter);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_changes_while_it_is_taken_is_saved_as_it_was),
        TEST(a_message_is_in_it_or_in_the_journal_but_not_in_both),
        TEST(a_body_before_the_point_is_put_into_the_record),
        TEST(one_that_sleeps_is_saved_with_its_records),
        TEST(many_records_of_one_that_sleeps_are_saved_in_steps),
        TEST(a_parked_instance_does_not_prevent_one),
        TEST(a_closed_pod_keeps_what_waits_for_it),
        TEST(a_recovery_tells_what_it_read),
        TEST(messages_for_those_who_are_not_made_yet_are_in_it_once),
        TEST(what_failed_is_in_it_with_its_tries),
        TEST(a_config_that_changes_while_it_is_taken_is_seen_from_then_on),
        TEST(one_that_goes_while_it_is_taken_is_gone),
        TEST(a_question_to_a_volatile_instance_fails_once),
        TEST(it_is_due_when_the_journal_has_grown),
        TEST(after_a_start_it_waits_only_while_the_tail_is_not_far_too_long),
        TEST(the_journal_of_a_host_that_never_stops_stays_bounded),
        TEST(history_is_kept_until_it_is_too_long),
        TEST(without_its_record_it_does_not_count),
        TEST(a_journal_without_its_beginning_and_without_a_snapshot_is_refused),
        TEST(one_that_cannot_be_written_is_tried_again_later),
        TEST(a_disk_that_is_too_slow_costs_the_snapshot_and_not_the_host),
        TEST(a_restart_at_any_moment_of_any_snapshot_finds_what_was_there),
        TEST(power_loss_at_each_write_of_a_snapshot_loses_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
