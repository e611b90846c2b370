/* The files of a journal as a crash at one moment would leave them, while it is written on. */
#include "pkg/agent/store/cut.h"

#include "pkg/agent/store/history.h"
#include "pkg/agent/store/recast.h"
#include "pkg/agent/store/record.h"
#include "pkg/agent/store/segment.h"
#include "pkg/agent/store/snapshot.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#define FOLDER "journal"
#define COPY "copy"

struct place { /* A folder of its own, on a real disk: files that are removed stay open. */
    char folder[64];
    struct sw_journal *journal;
    struct sw_cut *cut;
    _Atomic bool is_cancelled;
};

static const struct sw_system *system_of(void)
{
    return sw_system_real();
}

static void open_journal(struct place *place)
{
    const struct sw_journal_options options = {
        .system = system_of(), .folder = FOLDER, .segment_bytes = 4096};
    struct sw_err err = {0};

    if (sw_journal_open(&options, NULL, NULL, &place->journal, &err) != SW_OK)
        fail_msg("%s", err.message);
}

static int setup(void **state)
{
    struct place *place = calloc(1, sizeof *place);

    assert_non_null(place);
    (void)snprintf(place->folder, sizeof place->folder, "/tmp/swarm-cut-XXXXXX");
    assert_non_null(mkdtemp(place->folder));
    assert_int_equal(chdir(place->folder), 0);
    open_journal(place);
    *state = place;
    return 0;
}

static bool remove_name(void *ctx, const char *name)
{
    char path[512];

    (void)snprintf(path, sizeof path, "%s/%s", (const char *)ctx, name);
    return unlink(path) == 0;
}

static void remove_folder(const char *folder)
{
    (void)!system_of()->folder_list(NULL, folder, remove_name, (void *)(uintptr_t)folder, NULL);
    (void)rmdir(folder);
}

static int teardown(void **state)
{
    struct place *place = *state;

    sw_cut_free(place->cut);
    sw_journal_close(place->journal);
    remove_folder(FOLDER);
    remove_folder(COPY);
    assert_int_equal(chdir("/"), 0);
    assert_int_equal(rmdir(place->folder), 0);
    free(place);
    return 0;
}

static void put(struct place *place, size_t size)
{
    uint8_t bytes[2048] = {SW_RECORD_PUBLISH}; /* Nothing here looks further. */
    struct sw_journal_place at;

    assert_int_equal(sw_journal_append(place->journal, (struct sw_bytes){bytes, size}, &at, NULL),
                     SW_OK);
}

static void commit(struct place *place)
{
    assert_int_equal(sw_journal_commit(place->journal, NULL), SW_OK);
}

static void put_many(struct place *place, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        put(place, 1000);
        commit(place);
    }
}

static void cut(struct place *place)
{
    struct sw_err err = {0};

    if (sw_cut_new(system_of(), FOLDER, SW_CUT_OF_AGENTS, &place->is_cancelled, &place->cut,
                   &err) != SW_OK)
        fail_msg("%s", err.message);
}

static void move(struct place *place)
{
    struct sw_err err = {0};

    if (sw_cut_move(place->cut, 0, &err) != SW_OK)
        fail_msg("%s", err.message);
}

/* A file of history, whatever it holds. */
static void put_history(uint64_t to, bool is_draft)
{
    const struct sw_history_name which = {.agent = 7, .from = 64, .to = to};
    char name[SW_HISTORY_NAME_MAX], path[128];

    sw_history_name_put(&which, is_draft, name);
    (void)snprintf(path, sizeof path, FOLDER "/%s", name);
    assert_int_equal(sw_file_save(system_of(), path, "history", 7, NULL), SW_OK);
}

static void save(const struct sw_cut_file *file)
{
    uint8_t *bytes = malloc(file->size_bytes);
    char path[128];
    size_t got = 0;

    assert_non_null(bytes);
    assert_int_equal(
        system_of()->file_read(NULL, file->file, 0, bytes, file->size_bytes, &got, NULL), SW_OK);
    assert_int_equal(got, file->size_bytes);
    (void)snprintf(path, sizeof path, COPY "/%s", file->name);
    assert_int_equal(sw_file_save(system_of(), path, bytes, got, NULL), SW_OK);
    free(bytes);
}

/* What recovery would find in a copy of what is held. */
static struct sw_journal_report recover(const struct place *place)
{
    struct sw_journal_report report = {.epochs = 0};
    struct sw_cut_view view;
    struct sw_err err = {0};

    remove_folder(COPY);
    assert_int_equal(system_of()->folder_make(NULL, COPY, NULL), SW_OK);
    for (size_t i = 0; i < sw_cut_count(place->cut); i++) {
        struct sw_cut_file file;

        sw_cut_file(place->cut, i, &file);
        save(&file);
    }
    if (sw_journal_scan(system_of(), COPY, NULL, NULL, &report, &err) != SW_OK)
        fail_msg("%s", err.message);
    sw_cut_view(place->cut, &view);
    assert_int_equal(report.end_lsn, view.lsn);
    assert_int_equal(report.last_epoch, view.epoch);
    assert_memory_equal(report.uuid, view.uuid, 16);
    assert_int_equal(report.torn_bytes, 0);
    return report;
}

static void the_cut_is_the_end_of_what_is_durable(void **state)
{
    struct place *place = *state;
    struct sw_cut_view view;

    cut(place); /* There is nothing in it yet. */
    assert_int_equal(recover(place).last_epoch, 0);
    put(place, 100);
    put(place, 200);
    commit(place);
    put(place, 300); /* Not committed. */
    move(place);
    assert_int_equal(recover(place).records, 2);
    commit(place);
    assert_int_equal(recover(place).records, 2); /* Until it is moved. */
    move(place);
    sw_cut_view(place->cut, &view);
    assert_int_equal(view.lsn, sw_journal_end(place->journal));
    assert_int_equal(view.moved_bytes, 48 + 8 + 300);
    assert_int_equal(recover(place).records, 3);
}

static void an_epoch_that_is_being_written_is_left_alone(void **state)
{
    struct place *place = *state;
    char path[SW_PATH_MAX];
    struct sw_cut_view view;

    put(place, 500);
    commit(place);
    cut(place);
    sw_cut_view(place->cut, &view);
    put(place, 500);
    commit(place);
    sw_segment_path(FOLDER, SW_JOURNAL_BIRTH_LSN, path);
    assert_int_equal(truncate(path, (off_t)(view.lsn + 300)), 0);
    move(place);
    assert_int_equal(recover(place).last_epoch, 1);
}

static void segments_come_and_those_that_go_stay_held(void **state)
{
    struct place *place = *state;
    struct sw_cut_file first;

    put_many(place, 2);
    cut(place);
    put_many(place, 20);
    move(place);
    assert_int_equal(recover(place).last_epoch, 22);
    assert_true(sw_cut_count(place->cut) > 5);
    /* The host has a snapshot of all of it, and keeps no history. */
    assert_int_equal(sw_journal_remove_before(place->journal, sw_journal_end(place->journal), NULL),
                     SW_OK);
    assert_int_equal(recover(place).last_epoch, 22);
    sw_cut_file(place->cut, 0, &first);
    assert_string_equal(first.name, "journal-0000000000000040.seg");
}

/* Write a snapshot's file, whatever is in it, and name it in the journal. */
static uint64_t take_snapshot(struct place *place, size_t size)
{
    uint64_t lsn = sw_journal_end(place->journal);
    char name[SW_SNAPSHOT_NAME_MAX], path[128];
    struct sw_record record = {.kind = SW_RECORD_SNAPSHOT};
    struct sw_journal_place at;
    struct sw_buffer bytes;
    uint8_t content[256] = {0};

    sw_snapshot_name(lsn, name);
    (void)snprintf(path, sizeof path, FOLDER "/%s", name);
    assert_int_equal(sw_file_save(system_of(), path, content, size, NULL), SW_OK);
    record.snapshot.lsn = lsn;
    record.snapshot.file = (struct sw_bytes){name, strlen(name)};
    record.snapshot.bytes = size;
    sw_buffer_init(&bytes, 4096);
    sw_record_put(&record, &bytes, NULL);
    assert_int_equal(
        sw_journal_append(place->journal, (struct sw_bytes){bytes.data, bytes.size}, &at, NULL),
        SW_OK);
    commit(place);
    sw_buffer_done(&bytes);
    return lsn;
}

static void the_snapshot_that_the_cut_names_is_held(void **state)
{
    struct place *place = *state;
    char name[SW_SNAPSHOT_NAME_MAX], path[128];
    struct sw_cut_file file;
    uint64_t first, second;

    put_many(place, 6);
    first = take_snapshot(place, 100);
    cut(place);
    sw_cut_file(place->cut, sw_cut_count(place->cut) - 1, &file);
    sw_snapshot_name(first, name);
    assert_string_equal(file.name, name);
    assert_int_equal(file.size_bytes, 100);
    put_many(place, 6);
    second = take_snapshot(place, 200);
    (void)snprintf(path, sizeof path, FOLDER "/%s", name);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(sw_journal_remove_before(place->journal, second, NULL), SW_OK);
    (void)recover(place); /* Both are of the first cut still. */
    move(place);
    sw_cut_file(place->cut, sw_cut_count(place->cut) - 1, &file);
    sw_snapshot_name(second, name);
    assert_string_equal(file.name, name);
    assert_int_equal(file.size_bytes, 200);
    assert_true(recover(place).first_lsn > SW_JOURNAL_BIRTH_LSN);
}

/* What was between the two may not be kept as history yet, and is then made of the first one. */
static void the_snapshot_before_is_held_while_it_is_there(void **state)
{
    struct place *place = *state;
    char name[SW_SNAPSHOT_NAME_MAX], path[128];
    struct sw_cut_file file;
    size_t count;

    put_many(place, 1);
    (void)take_snapshot(place, 70);
    put_many(place, 1);
    sw_snapshot_name(take_snapshot(place, 100), name);
    put_many(place, 1);
    (void)take_snapshot(place, 200);
    cut(place);
    count = sw_cut_count(place->cut);
    sw_cut_file(place->cut, count - 1, &file);
    assert_string_equal(file.name, name);
    assert_int_equal(file.size_bytes, 100);
    (void)snprintf(path, sizeof path, FOLDER "/%s", name);
    assert_int_equal(unlink(path), 0);
    move(place);
    assert_int_equal(sw_cut_count(place->cut), count - 1);
}

static void a_snapshot_that_is_not_as_it_is_named_is_damage(void **state)
{
    struct place *place = *state;
    char name[SW_SNAPSHOT_NAME_MAX], path[128];
    struct sw_err err = {0};

    sw_snapshot_name(take_snapshot(place, 100), name);
    (void)snprintf(path, sizeof path, FOLDER "/%s", name);
    assert_int_equal(truncate(path, 99), 0);
    assert_int_equal(
        sw_cut_new(system_of(), FOLDER, SW_CUT_OF_AGENTS, &place->is_cancelled, &place->cut, &err),
        SW_E_CORRUPT);
    assert_non_null(strstr(err.message, "shorter"));
    assert_int_equal(unlink(path), 0);
    assert_int_equal(
        sw_cut_new(system_of(), FOLDER, SW_CUT_OF_AGENTS, &place->is_cancelled, &place->cut, &err),
        SW_E_UNAVAILABLE);
    assert_null(place->cut);
}

static void shelves_are_held_and_nothing_else_that_lies_there(void **state)
{
    struct place *place = *state;
    struct sw_err err = {0};
    struct sw_cut_file file;

    put_many(place, 1);
    assert_int_equal(sw_file_save(system_of(), FOLDER "/shelf-00000007.shelf", "block", 5, NULL),
                     SW_OK);
    assert_int_equal(sw_file_save(system_of(), FOLDER "/shelf-7.shelf", "x", 1, NULL), SW_OK);
    assert_int_equal(sw_file_save(system_of(), FOLDER "/running", "x", 1, NULL), SW_OK);
    cut(place);
    assert_int_equal(sw_cut_count(place->cut), 2);
    sw_cut_file(place->cut, 1, &file);
    assert_string_equal(file.name, "shelf-00000007.shelf");
    assert_int_equal(file.size_bytes, 5);
    /* A host that a guest took over leads nobody to other files. */
    assert_int_equal(symlink("/etc/hostname", FOLDER "/shelf-00000008.shelf"), 0);
    assert_int_equal(sw_cut_move(place->cut, 0, &err), SW_E_CORRUPT);
    assert_non_null(strstr(err.message, "is no file"));
}

static void a_segment_that_goes_on_in_another_file_is_followed(void **state)
{
    struct place *place = *state;

    put_many(place, 2);
    cut(place);
    sw_recast_mark(system_of(), FOLDER); /* As after a sync that failed. */
    sw_journal_close(place->journal);
    open_journal(place);
    put(place, 700);
    commit(place);
    move(place);
    assert_int_equal(recover(place).last_epoch, 3);
}

static void more_than_may_be_read_is_told(void **state)
{
    struct place *place = *state;
    struct sw_err err = {0};

    put_many(place, 1);
    cut(place);
    put_many(place, 5);
    assert_int_equal(sw_cut_move(place->cut, 3000, &err), SW_E_RANGE);
    assert_non_null(strstr(err.message, "faster"));
}

static void whoever_wants_it_no_more_is_not_kept_waiting(void **state)
{
    struct place *place = *state;
    struct sw_err err = {0};

    put_many(place, 1);
    cut(place);
    put_many(place, 1);
    place->is_cancelled = true;
    assert_int_equal(sw_cut_move(place->cut, 0, &err), SW_E_CANCELLED);
}

static void damage_is_told(void **state)
{
    struct place *place = *state;
    struct sw_err err = {0};
    uint8_t byte = 0xff;
    int file;

    put_many(place, 10);
    assert_int_equal(system_of()->file_open(NULL, FOLDER "/journal-0000000000000040.seg",
                                            SW_FILE_WRITE, &file, NULL),
                     SW_OK);
    assert_int_equal(system_of()->file_write(NULL, file, 200, &byte, 1, NULL), SW_OK);
    system_of()->file_close(NULL, file);
    assert_int_equal(
        sw_cut_new(system_of(), FOLDER, SW_CUT_OF_AGENTS, &place->is_cancelled, &place->cut, &err),
        SW_E_CORRUPT);
    assert_non_null(strstr(err.message, "a damaged epoch after epoch "));
}

static void what_is_not_there_or_has_no_beginning_is_told(void **state)
{
    struct place *place = *state;
    struct sw_err err = {0};

    assert_int_equal(sw_cut_new(system_of(), "nowhere", SW_CUT_OF_AGENTS, &place->is_cancelled,
                                &place->cut, &err),
                     SW_E_NOT_FOUND);
    assert_int_equal(system_of()->folder_make(NULL, COPY, NULL), SW_OK);
    assert_int_equal(
        sw_cut_new(system_of(), COPY, SW_CUT_OF_AGENTS, &place->is_cancelled, &place->cut, &err),
        SW_E_NOT_FOUND);
    put_many(place, 10);
    assert_int_equal(unlink(FOLDER "/journal-0000000000000040.seg"), 0);
    assert_int_equal(
        sw_cut_new(system_of(), FOLDER, SW_CUT_OF_AGENTS, &place->is_cancelled, &place->cut, &err),
        SW_E_CORRUPT);
    assert_non_null(strstr(err.message, "beginning is missing"));
}

/* What is kept of records that the cut has is held; of later ones, or half written, nothing is. */
static void histories_of_the_cut_are_held(void **state)
{
    struct place *place = *state;
    struct sw_cut_view view;
    struct sw_cut_file file;
    struct sw_history_name name;
    unsigned held = 0;
    bool is_draft;

    put_many(place, 3);
    cut(place);
    sw_cut_view(place->cut, &view);
    put_history(view.lsn, false);
    put_history(view.lsn + 1, false);
    put_history(view.lsn - 1, true);
    move(place);
    for (size_t i = 0; i < sw_cut_count(place->cut); i++) {
        sw_cut_file(place->cut, i, &file);
        if (!sw_history_name_take(file.name, &name, &is_draft))
            continue;
        held++;
        assert_true(name.to == view.lsn && !is_draft && file.size_bytes == 7);
    }
    assert_int_equal(held, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

/* Its first byte would be that of a snapshot's record, and its beginning may be gone. */
static void a_journal_of_others_is_its_segments(void **state)
{
    struct place *place = *state;
    struct sw_journal_place at, first = {0};
    struct sw_err err = {0};
    uint8_t bytes[1000] = {SW_RECORD_SNAPSHOT};
    struct sw_cut_file file;

    for (int i = 0; i < 300; i++) {
        assert_int_equal(sw_journal_append(place->journal, (struct sw_bytes){bytes, sizeof bytes},
                                           i == 200 ? &first : &at, NULL),
                         SW_OK);
        commit(place);
    }
    assert_int_equal(sw_journal_remove_before(place->journal, first.lsn, NULL), SW_OK);
    assert_int_equal(
        sw_cut_new(system_of(), FOLDER, SW_CUT_OF_OTHERS, &place->is_cancelled, &place->cut, &err),
        SW_OK);
    assert_true(sw_cut_count(place->cut) > 0);
    sw_cut_file(place->cut, 0, &file);
    assert_int_equal(strncmp(file.name, "journal-", 8), 0);
    assert_string_not_equal(file.name, "journal-0000000000000040.seg");
    put_history(64, false);
    put(place, 1000);
    commit(place);
    move(place);
    for (size_t i = 0; i < sw_cut_count(place->cut); i++) {
        sw_cut_file(place->cut, i, &file);
        assert_int_equal(strncmp(file.name, "journal-", 8), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_journal_of_others_is_its_segments),
        TEST(the_cut_is_the_end_of_what_is_durable),
        TEST(an_epoch_that_is_being_written_is_left_alone),
        TEST(segments_come_and_those_that_go_stay_held),
        TEST(the_snapshot_that_the_cut_names_is_held),
        TEST(the_snapshot_before_is_held_while_it_is_there),
        TEST(a_snapshot_that_is_not_as_it_is_named_is_damage),
        TEST(shelves_are_held_and_nothing_else_that_lies_there),
        TEST(histories_of_the_cut_are_held),
        TEST(a_segment_that_goes_on_in_another_file_is_followed),
        TEST(more_than_may_be_read_is_told),
        TEST(whoever_wants_it_no_more_is_not_kept_waiting),
        TEST(damage_is_told),
        TEST(what_is_not_there_or_has_no_beginning_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
