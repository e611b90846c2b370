/* uses: pkg/agent/link */
#include "pkg/agent/runtime/actor/rerun.h"
#include "test/support/actors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct actors actors;
static struct sw_guest_module second; /* A later program. */
static struct sw_rerun_report report;
static struct sw_guest_module *first_is; /* What the replay takes for the first program. */
static bool packs_otherwise;             /* It packs images another way than the host did. */
static char told[512];

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
    actors.module.has_on_stop = true;
    second = (struct sw_guest_module){
        .refs = 1, .has_on_timer = true, .on_upgrade = "", .version = 8, .factor = 10};
    first_is = &actors.module;
    packs_otherwise = false;
    told[0] = 0;
    open_with(&actors.module, "sha256:1");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    disk_done(&actors.disk);
    assert_int_equal(actors.module.refs, 1);
    assert_int_equal(second.refs, 1);
    return 0;
}

static enum sw_rc get_program(void *ctx, struct sw_worker *worker, struct sw_bytes pod,
                              struct sw_bytes digest, struct sw_err *err)
{
    bool is_first = sw_bytes_is_equal(digest, script_text("sha256:1"));
    struct sw_guest_module *module = is_first ? first_is : &second;

    (void)ctx;
    assert_int_equal(pod.size, 36);
    if (module == NULL)
        return sw_err_set(err, SW_E_NOT_FOUND, "it is not to be had");
    module->refs++;
    sw_worker_put(worker, sw_item_program_new(digest, module));
    return SW_OK;
}

static void tell(void *ctx, const struct sw_rerun_trouble *trouble)
{
    (void)ctx;
    snprintf(told, sizeof told, "%.*s/%.*s: %s", (int)trouble->agent.size,
             (const char *)trouble->agent.data, (int)trouble->key.size,
             (const char *)trouble->key.data, trouble->words);
}

/* The host is gone; one of that engine comes in its place to replay or pack, and goes. */
static enum sw_rc work(const char *engine, bool is_pack)
{
    struct sw_journal_options journal = {.system = &actors.disk.system,
                                         .folder = "host",
                                         .segment_bytes = 1u << 16,
                                         .is_read_only = !is_pack};
    struct sw_shared shared;
    struct script_engine guests;
    struct sw_worker_options options = {
        .shared = &shared, .engine = script_guest_engine(&guests), .count = 1};
    struct sw_worker *worker;
    struct sw_rerun_options all = {.journal = &journal,
                                   .shared = &shared,
                                   .workers = &worker,
                                   .count = 1,
                                   .program = get_program,
                                   .tell = tell};
    uint64_t writes = actors.disk.writes, syncs = actors.disk.syncs;
    struct sw_err err = {0};
    enum sw_rc rc;

    guests.packs_otherwise = packs_otherwise;
    actors_kill(&actors);
    assert_int_equal(sw_shared_init(&shared, &actors.disk.system, engine), SW_OK);
    assert_int_equal(sw_worker_new(&options, &worker, &err), SW_OK);
    rc = is_pack ? sw_repack(&all, &report, &err) : sw_rerun(&all, &report, &err);
    if (rc != SW_OK)
        snprintf(told, sizeof told, "%s", err.message);
    sw_worker_free(worker);
    sw_journal_close(shared.journal);
    sw_shared_done(&shared);
    assert_true(is_pack || (actors.disk.writes == writes && actors.disk.syncs == syncs));
    return rc;
}

static enum sw_rc rerun(const char *engine)
{
    return work(engine, false);
}

/* A host of another engine, and its only chance to see that what it goes on with is complete. */
static void go_on_with(const char *engine)
{
    assert_int_equal(actors_start(&actors, 2), SW_OK);
    snprintf(actors.shared.fingerprints[SW_ABI_COMPACT],
             sizeof actors.shared.fingerprints[SW_ABI_COMPACT], "%s", engine);
    open_with(&actors.module, "sha256:1");
}

static void take_snapshot(void)
{
    actors_rest(&actors);
    assert_int_equal(sw_snapshot_begin(&actors.shared, actors.workers, actors.count, NULL), SW_OK);
    assert_int_equal(actors_snapshot(&actors), SW_OK);
}

/* Each life that the journal knows: one that goes on, one that waits, one that ended. */
static void live_a_little(void)
{
    actors_ask(&actors, 1, "k", "sub news.*;timer 1 1000;add 5;random;get");
    actors_ask(&actors, 1, "k", "send a/m|add 2;pub news.x|hello;get");
    actors_ask(&actors, 1, "w", "await 0 a/h|hold~add 3");
    actors_ask(&actors, 1, "f", "add 1;trap");
    actors.disk.now_ns += 5000;
    actors_settle(&actors);
}

static void all_segments_of_all_lives_run_again(void **state)
{
    (void)state;
    live_a_little();
    open_with(&second, "sha256:2"); /* Those who do not wait are handed over. */
    actors_ask(&actors, 1, "k", "add 1;get");
    actors_ask(&actors, 1, "m", "get");
    assert_int_equal(rerun("engine 1"), SW_OK);
    assert_string_equal(told, "");
    assert_int_equal(report.begin, SW_JOURNAL_BIRTH_LSN);
    assert_int_equal(report.others, 0);
    assert_true(report.segments >= 12);
    assert_int_equal(report.segments, report.recorded);
    assert_true(report.instances >= 7); /* k and m twice. */
}

static void those_who_ended_run_again_up_to_their_end(void **state)
{
    (void)state;
    live_a_little();
    actors_close(&actors, 1, true);
    actors_settle(&actors);
    assert_int_equal(rerun("engine 1"), SW_OK);
    assert_string_equal(told, "");
    assert_int_equal(report.segments, report.recorded);
    assert_true(report.instances >= 4);
}

static void what_a_snapshot_holds_is_compared(void **state)
{
    (void)state;
    live_a_little();
    take_snapshot();
    actors_ask(&actors, 1, "k", "add 7;get");
    assert_int_equal(rerun("engine 1"), SW_OK);
    assert_string_equal(told, "");
    assert_int_equal(report.begin, SW_JOURNAL_BIRTH_LSN);
    assert_true(report.compared >= 4);
    assert_int_equal(report.segments, report.recorded);
}

/* In a host that has an instance whole in the journal after each second record. */
/* The snapshot has what the call was made with, and the journal has it not. */
static void a_large_call_in_a_snapshot_is_the_same(void **state)
{
    (void)state;
    actors_send(&actors, 1, "k", "add 1;call 0 s|*5000~add 10");
    actors_settle(&actors);
    take_snapshot();
    assert_int_equal(rerun("engine 1"), SW_OK);
    assert_string_equal(told, "");
    assert_int_equal(report.troubles, 0);
    assert_int_equal(report.compared, 1);
    assert_int_equal(report.segments, report.recorded);
}

static void begin_with_images(void)
{
    assert_int_equal(actors_start(&actors, 2), SW_OK);
    actors.shared.image_tail = 2;
    open_with(&actors.module, "sha256:1");
}

static void images_of_the_journal_are_compared(void **state)
{
    (void)state;
    actors_kill(&actors);
    begin_with_images();
    live_a_little();
    actors_send_named(&actors, "once", 1, "r", "hold");
    actors_settle(&actors);
    actors_send_named(&actors, "once", 1, "r", "hold");
    actors_ask(&actors, 1, "r", "add 1");
    take_snapshot();
    live_a_little();
    open_with(&second, "sha256:2");
    live_a_little();
    assert_int_equal(rerun("engine 1"), SW_OK);
    assert_string_equal(told, "");
    assert_int_equal(report.segments, report.recorded);
    assert_true(report.images >= 8);
    assert_true(report.compared >= 4);
}

/* By another version of the library that packs: what is in them is the same. */
static void images_that_were_packed_otherwise_are_the_same(void **state)
{
    (void)state;
    actors_kill(&actors);
    begin_with_images();
    live_a_little();
    packs_otherwise = true;
    assert_int_equal(rerun("engine 1"), SW_OK);
    assert_string_equal(told, "");
    assert_int_equal(report.segments, report.recorded);
    assert_true(report.images >= 4);
}

static void an_image_that_came_out_otherwise_is_told(void **state)
{
    (void)state;
    actors_kill(&actors);
    begin_with_images();
    actors_ask(&actors, 1, "k", "add 5");
    first_is = &second;
    assert_int_equal(rerun("engine 1"), SW_OK);
    assert_int_equal(report.troubles, 1);
    assert_int_equal(report.images, 0);
    assert_string_equal(told, "a/k: its memory in an image is not what its records come to");
}

/* Its answer goes to who asked last, and no record says who that is. */
static void a_request_that_was_asked_for_again_is_the_same(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        actors_send_named(&actors, "once", 1, "k", "hold");
        actors_settle(&actors);
    }
    take_snapshot();
    assert_int_equal(rerun("engine 1"), SW_OK);
    assert_string_equal(told, "");
    assert_int_equal(report.compared, 1);
}

static void a_program_with_another_constant_is_told(void **state)
{
    (void)state;
    live_a_little();
    first_is = &second; /* It multiplies what is added. */
    assert_int_equal(rerun("engine 1"), SW_OK);
    assert_true(report.troubles >= 1);
    assert_non_null(strstr(told, "a/k: its segment 2, a message at lsn "));
    assert_non_null(strstr(told, "recorded as reply"));
}

/* What it came to differs, and nothing of that is in the journal: the snapshot shows it. */
static void memory_that_came_out_otherwise_is_told(void **state)
{
    (void)state;
    actors_ask(&actors, 1, "k", "add 5");
    take_snapshot();
    first_is = &second;
    assert_int_equal(rerun("engine 1"), SW_OK);
    assert_int_equal(report.troubles, 1);
    assert_string_equal(told, "a/k: its memory in the snapshot is not what its records come to");
}

static void a_module_that_cannot_be_had_is_told(void **state)
{
    (void)state;
    live_a_little();
    first_is = NULL;
    assert_int_equal(rerun("engine 1"), SW_OK);
    assert_true(report.troubles >= 4);
    assert_int_equal(report.segments, 0);
    assert_non_null(strstr(told, ": it is not to be had"));
}

static void for_whom_the_snapshot_stands_no_module_is_needed(void **state)
{
    (void)state;
    actors_ask(&actors, 1, "k", "add 5");
    open_with(&second, "sha256:2");
    actors_ask(&actors, 1, "k", "add 1");
    take_snapshot();
    actors_ask(&actors, 1, "k", "add 1");
    first_is = NULL;
    assert_int_equal(rerun("engine 1"), SW_OK);
    assert_string_equal(told, "");
    assert_int_equal(report.begin, SW_JOURNAL_BIRTH_LSN);
    assert_int_equal(report.troubles, 0);
    assert_int_equal(report.others, 1);
    assert_int_equal(report.compared, 1);
    assert_true(report.segments >= 2);
}

static void who_was_upgraded_after_it_needs_both(void **state)
{
    (void)state;
    actors_ask(&actors, 1, "k", "add 5");
    take_snapshot();
    open_with(&second, "sha256:2");
    actors_ask(&actors, 1, "k", "add 1");
    first_is = NULL;
    assert_int_equal(rerun("engine 1"), SW_OK);
    assert_true(report.troubles >= 1);
    assert_string_equal(told, "a/k: it is not to be had");
}

static void segments_of_another_engine_are_left_out(void **state)
{
    (void)state;
    live_a_little();
    assert_int_equal(rerun("engine 2"), SW_OK);
    assert_int_equal(report.troubles, 0);
    assert_true(report.others >= 4);
    assert_int_equal(report.segments, 0);
}

/* The beginning is gone: what the snapshot holds is where it begins. */
static void without_its_birth_it_begins_with_the_snapshot(void **state)
{
    (void)state;
    live_a_little();
    for (int i = 0; i < 400; i++) {
        char body[300];

        snprintf(body, sizeof body, "add 1;log %0200d", i);
        actors_ask(&actors, 1, "k", body);
    }
    take_snapshot();
    actors_ask(&actors, 1, "k", "add 7;get");
    assert_int_equal(rerun("engine 1"), SW_OK);
    assert_string_equal(told, "");
    assert_true(report.begin > SW_JOURNAL_BIRTH_LSN);
    assert_int_equal(report.compared, 0);
    assert_true(report.recorded >= 1 && report.segments >= report.recorded);
}

static void what_is_packed_goes_on_with_another_engine(void **state)
{
    (void)state;
    live_a_little();
    assert_int_equal(work("engine 1", true), SW_OK);
    assert_string_equal(told, "");
    assert_true(report.instances >= 4 && report.segments >= 8);
    assert_int_equal(report.others, 0);
    go_on_with("engine 2");
    assert_non_null(strstr(actors_ask(&actors, 1, "k", "get"), "counter=5 "));
    assert_non_null(strstr(actors_ask(&actors, 1, "m", "get"), "counter=2 "));
    actors_ask(&actors, 1, "h", "release"); /* Whom the one that waits has asked. */
    assert_non_null(strstr(actors_ask(&actors, 1, "w", "get"), "counter=3 "));
    assert_string_not_equal(actors.last_event, "EngineChanged");
    actors_kill(&actors);
}

/* A snapshot of a host that runs holds records of those who sleep: they are packed as well. */
static void records_in_the_last_snapshot_are_packed_too(void **state)
{
    (void)state;
    actors_ask(&actors, 1, "k", "add 5");
    assert_int_equal(actors_restart(&actors, false), SW_OK);
    take_snapshot();
    assert_int_equal(work("engine 1", true), SW_OK);
    assert_true(report.segments >= 1);
    go_on_with("engine 2");
    assert_non_null(strstr(actors_ask(&actors, 1, "k", "get"), "counter=5 "));
    actors_kill(&actors);
}

static void another_engine_packs_nothing(void **state)
{
    (void)state;
    live_a_little();
    assert_int_equal(work("engine 3", true), SW_OK);
    assert_int_equal(report.segments, 0);
    assert_true(report.others >= 4);
    go_on_with("engine 1"); /* Who ran it still can. */
    assert_non_null(strstr(actors_ask(&actors, 1, "k", "get"), "counter=5 "));
    actors_kill(&actors);
}

static void a_folder_without_a_journal_is_an_error(void **state)
{
    (void)state;
    for (size_t i = 0; i < DISK_FILES_MAX; i++)
        actors.disk.files[i].is_there = false;
    assert_int_equal(rerun("engine 1"), SW_E_NOT_FOUND);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(all_segments_of_all_lives_run_again),
        TEST(those_who_ended_run_again_up_to_their_end),
        TEST(what_a_snapshot_holds_is_compared),
        TEST(a_large_call_in_a_snapshot_is_the_same),
        TEST(images_of_the_journal_are_compared),
        TEST(images_that_were_packed_otherwise_are_the_same),
        TEST(an_image_that_came_out_otherwise_is_told),
        TEST(a_request_that_was_asked_for_again_is_the_same),
        TEST(a_program_with_another_constant_is_told),
        TEST(memory_that_came_out_otherwise_is_told),
        TEST(a_module_that_cannot_be_had_is_told),
        TEST(for_whom_the_snapshot_stands_no_module_is_needed),
        TEST(who_was_upgraded_after_it_needs_both),
        TEST(segments_of_another_engine_are_left_out),
        TEST(without_its_birth_it_begins_with_the_snapshot),
        TEST(what_is_packed_goes_on_with_another_engine),
        TEST(records_in_the_last_snapshot_are_packed_too),
        TEST(another_engine_packs_nothing),
        TEST(a_folder_without_a_journal_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
