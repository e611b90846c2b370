#include "pkg/agent/store/journal.h"

#include "pkg/agent/store/segment.h"
#include "test/support/disk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#define FOLDER "journal"

struct seen { /* What a scan told of. */
    uint64_t count, last_number, last_lsn;
    bool is_in_order;
};

/* Records of these tests: a number, then filling that follows from it. */
static size_t make_record(uint64_t number, size_t size, uint8_t *bytes)
{
    memcpy(bytes, &number, sizeof number);
    for (size_t i = sizeof number; i < size; i++)
        bytes[i] = (uint8_t)(number * 31 + i);
    return size;
}

static enum sw_rc see(void *ctx, const struct sw_journal_entry *entry, struct sw_err *err)
{
    struct seen *seen = ctx;
    uint64_t number;

    (void)err;
    memcpy(&number, entry->record.data, sizeof number);
    if (seen->count > 0 && (number != seen->last_number + 1 || entry->place.lsn <= seen->last_lsn))
        seen->is_in_order = false;
    for (size_t i = sizeof number; i < entry->record.size; i++)
        if (((const uint8_t *)entry->record.data)[i] != (uint8_t)(number * 31 + i))
            seen->is_in_order = false;
    seen->last_number = number;
    seen->last_lsn = entry->place.lsn;
    seen->count++;
    return SW_OK;
}

static struct sw_journal *open_journal(struct disk *disk, struct seen *seen)
{
    struct sw_journal_options options = {
        .system = &disk->system, .folder = FOLDER, .segment_bytes = 4096, .epoch_bytes = 2048};
    struct sw_journal *journal = NULL;
    struct sw_err err = {0};

    *seen = (struct seen){.is_in_order = true};
    if (sw_journal_open(&options, see, seen, &journal, &err) != SW_OK)
        print_message("open: %s\n", err.message);
    return journal;
}

static struct sw_journal_place put(struct sw_journal *journal, uint64_t number, size_t size)
{
    uint8_t bytes[4096];
    struct sw_journal_place place;

    make_record(number, size, bytes);
    assert_int_equal(sw_journal_append(journal, (struct sw_bytes){bytes, size}, &place, NULL),
                     SW_OK);
    return place;
}

static void what_was_committed_is_there_after_a_crash(void **state)
{
    struct disk disk;
    struct seen seen;
    struct sw_journal *journal;

    (void)state;
    disk_init(&disk, 1);
    journal = open_journal(&disk, &seen);
    assert_int_equal(seen.count, 0);
    put(journal, 1, 100);
    put(journal, 2, 8);
    assert_int_equal(sw_journal_durable(journal), 0);
    assert_true(sw_journal_is_dirty(journal));
    assert_int_equal(sw_journal_commit(journal, NULL), SW_OK);
    assert_int_equal(sw_journal_durable(journal), 1);
    assert_false(sw_journal_is_dirty(journal));
    put(journal, 3, 50); /* Never committed. */
    sw_journal_close(journal);
    disk_crash(&disk);
    journal = open_journal(&disk, &seen);
    assert_int_equal(seen.count, 2);
    assert_true(seen.is_in_order);
    sw_journal_close(journal);
    disk_done(&disk);
}

/* Pages that a failed sync was to write are clean for the kernel: an epoch that a restarted process
 * still reads may never reach the disk, unless it is written again. */
static void an_epoch_that_is_read_after_a_failed_sync_stays(void **state)
{
    struct disk disk;
    struct seen seen;
    struct sw_journal *journal;

    (void)state;
    disk_init(&disk, 1);
    journal = open_journal(&disk, &seen);
    put(journal, 1, 100);
    assert_int_equal(sw_journal_commit(journal, NULL), SW_OK);
    put(journal, 2, 100);
    disk.fail_syncs_after = 1;
    assert_int_not_equal(sw_journal_commit(journal, NULL), SW_OK);
    disk.fail_syncs_after = -1;
    sw_journal_close(journal);
    journal = open_journal(&disk, &seen);
    assert_int_equal(seen.count, 2); /* From now on others hear of it. */
    put(journal, 3, 100);
    assert_int_equal(sw_journal_commit(journal, NULL), SW_OK);
    sw_journal_close(journal);
    disk_crash(&disk);
    journal = open_journal(&disk, &seen);
    assert_non_null(journal);
    assert_int_equal(seen.count, 3);
    sw_journal_close(journal);
    disk_done(&disk);
}

/* A new segment file that a crash left empty does not hide damage in the one before it. */
static void damage_before_a_stray_segment_is_told(void **state)
{
    struct disk disk;
    struct seen seen;
    struct sw_journal *journal;
    struct disk_file *file;
    int number;

    (void)state;
    disk_init(&disk, 1);
    journal = open_journal(&disk, &seen);
    for (uint64_t i = 1; i <= 3; i++) {
        put(journal, i, 100);
        assert_int_equal(sw_journal_commit(journal, NULL), SW_OK);
    }
    sw_journal_close(journal);
    file = disk_find(&disk, FOLDER "/journal-0000000000000040.seg");
    assert_non_null(file);
    file->seen[SW_SEGMENT_HEAD_BYTES + SW_EPOCH_HEAD_BYTES + 108 + SW_EPOCH_HEAD_BYTES + 20] ^= 1;
    assert_int_equal(
        disk_open(&disk, FOLDER "/journal-0000000000002000.seg", SW_FILE_CREATE, &number, NULL),
        SW_OK);
    assert_null(open_journal(&disk, &seen));
    disk_done(&disk);
}

static void a_commit_without_appends_writes_nothing(void **state)
{
    struct disk disk;
    struct seen seen;
    struct sw_journal *journal;
    uint64_t writes;

    (void)state;
    disk_init(&disk, 1);
    journal = open_journal(&disk, &seen);
    writes = disk.writes;
    assert_int_equal(sw_journal_commit(journal, NULL), SW_OK);
    assert_int_equal(disk.writes, writes);
    sw_journal_close(journal);
    disk_done(&disk);
}

static void an_epoch_is_one_write_and_one_sync(void **state)
{
    struct disk disk;
    struct seen seen;
    struct sw_journal *journal;
    uint64_t writes, syncs;

    (void)state;
    disk_init(&disk, 1);
    journal = open_journal(&disk, &seen);
    put(journal, 0, 30);
    assert_int_equal(sw_journal_commit(journal, NULL), SW_OK); /* With zeros for the next ones. */
    writes = disk.writes;
    syncs = disk.syncs;
    for (uint64_t i = 1; i <= 20; i++)
        put(journal, i, 30);
    assert_int_equal(sw_journal_commit(journal, NULL), SW_OK);
    assert_int_equal(disk.writes, writes + 1);
    assert_int_equal(disk.syncs, syncs + 1);
    sw_journal_close(journal);
    disk_done(&disk);
}

/* How many writes a commit of so many records takes. Their numbers go on from *number. */
static uint64_t writes_of(struct disk *disk, struct sw_journal *journal, uint64_t *number,
                          unsigned count, size_t size)
{
    uint64_t writes = disk->writes, syncs = disk->syncs;

    for (unsigned i = 0; i < count; i++)
        put(journal, ++*number, size);
    assert_int_equal(sw_journal_commit(journal, NULL), SW_OK);
    assert_int_equal(disk->syncs, syncs + 1);
    return disk->writes - writes;
}

/* Zeros are part of the file before small epochs come to stand there, once for many of them. Large
 * ones have none written, and nothing is ever written behind the end of a segment. */
static void small_epochs_find_zeros_laid_ahead(void **state)
{
    enum { SEGMENT_BYTES = 600 << 10 };
    struct disk disk;
    struct seen seen = {.is_in_order = true};
    struct sw_journal_options options = {
        .system = &disk.system, .folder = FOLDER, .segment_bytes = SEGMENT_BYTES};
    struct sw_journal_report report;
    struct sw_journal *journal = NULL;
    struct disk_file *file;
    uint64_t number = 0;

    (void)state;
    disk_init(&disk, 1);
    assert_int_equal(sw_journal_open(&options, see, &seen, &journal, NULL), SW_OK);
    assert_int_equal(writes_of(&disk, journal, &number, 1, 100), 2);
    for (unsigned i = 0; i < 100; i++)
        assert_int_equal(writes_of(&disk, journal, &number, 1, 100), 1);
    for (unsigned i = 0; i < 10; i++) /* Beyond the zeros. */
        assert_int_equal(writes_of(&disk, journal, &number, 10, 4000), 1);
    assert_int_equal(writes_of(&disk, journal, &number, 1, 100), 2);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(writes_of(&disk, journal, &number, 10, 4000), 1);
    for (unsigned i = 0; i < 20; i++) /* Into the last piece, which is shorter, and to its end. */
        (void)writes_of(&disk, journal, &number, 1, 1000);
    file = disk_find(&disk, FOLDER "/journal-0000000000000040.seg");
    assert_non_null(file);
    assert_int_equal(file->seen_size, SEGMENT_BYTES);
    sw_journal_close(journal);
    disk_crash(&disk);
    assert_int_equal(sw_journal_scan(&disk.system, FOLDER, see, &seen, &report, NULL), SW_OK);
    assert_int_equal(report.records, number);
    assert_int_equal(report.torn_bytes, 0);
    assert_true(seen.is_in_order);
    disk_done(&disk);
}

static void records_are_read_by_lsn_wherever_they_are(void **state)
{
    enum { COUNT = 200 };
    struct sw_journal_place places[COUNT];
    struct disk disk;
    struct seen seen;
    struct sw_journal *journal;
    struct sw_buffer out;

    (void)state;
    disk_init(&disk, 1);
    journal = open_journal(&disk, &seen);
    for (uint64_t i = 0; i < COUNT; i++) { /* Over several segments; the last ones stay open. */
        places[i] = put(journal, i + 1, 8 + (size_t)(i * 7) % 200);
        if (i % 9 == 8)
            assert_int_equal(sw_journal_commit(journal, NULL), SW_OK);
    }
    sw_buffer_init(&out, 1u << 16);
    for (uint64_t i = 0; i < COUNT; i++) {
        uint64_t number;
        sw_buffer_reset(&out);
        assert_int_equal(sw_journal_read(journal, places[i].lsn, &out, NULL), SW_OK);
        assert_int_equal(out.size, 8 + (i * 7) % 200);
        memcpy(&number, out.data, sizeof number);
        assert_int_equal(number, i + 1);
    }
    assert_int_equal(sw_journal_read(journal, places[COUNT - 1].lsn + 500, &out, NULL),
                     SW_E_NOT_FOUND);
    assert_int_equal(sw_journal_read(journal, 1, &out, NULL), SW_E_NOT_FOUND);
    sw_buffer_done(&out);
    sw_journal_close(journal);
    disk_done(&disk);
}

static void a_failed_sync_fails_every_later_commit(void **state)
{
    struct disk disk;
    struct seen seen;
    struct sw_journal *journal;

    (void)state;
    disk_init(&disk, 1);
    journal = open_journal(&disk, &seen);
    put(journal, 1, 10);
    disk.fail_syncs_after = 1;
    assert_int_equal(sw_journal_commit(journal, NULL), SW_E_INTERNAL);
    disk.fail_syncs_after = -1;
    assert_int_equal(sw_journal_commit(journal, NULL), SW_E_INTERNAL);
    assert_int_equal(sw_journal_durable(journal), 0);
    sw_journal_close(journal);
    disk_done(&disk);
}

static void a_full_disk_loses_nothing_and_resumes(void **state)
{
    struct disk disk;
    struct seen seen;
    struct sw_journal *journal;

    (void)state;
    disk_init(&disk, 1);
    journal = open_journal(&disk, &seen);
    put(journal, 1, 10);
    disk.full_after = 1;
    assert_int_equal(sw_journal_commit(journal, NULL), SW_E_EXHAUSTED);
    assert_true(sw_journal_is_full(journal));
    assert_false(sw_journal_has_room(journal));
    put(journal, 2, 10);
    disk.full_after = -1;
    assert_int_equal(sw_journal_commit(journal, NULL), SW_OK);
    assert_int_equal(sw_journal_commit(journal, NULL), SW_OK);
    assert_true(sw_journal_has_room(journal));
    sw_journal_close(journal);
    disk_crash(&disk);
    journal = open_journal(&disk, &seen);
    assert_int_equal(seen.count, 2);
    sw_journal_close(journal);
    disk_done(&disk);
}

/* Until the next commit begins a segment. */
static uint64_t fill_segment(struct sw_journal *journal)
{
    uint64_t number = 0;

    for (size_t used = 0; used < 3400; used += 556) {
        put(journal, ++number, 500);
        assert_int_equal(sw_journal_commit(journal, NULL), SW_OK);
    }
    put(journal, ++number, 1000);
    return number;
}

static void a_disk_that_is_full_when_a_segment_is_due_resumes(void **state)
{
    (void)state;
    for (unsigned variant = 0; variant < 4; variant++) { /* Its room, its head; with a crash. */
        struct disk disk;
        struct seen seen;
        struct sw_journal *journal;
        uint64_t number;

        disk_init(&disk, 1 + variant);
        journal = open_journal(&disk, &seen);
        number = fill_segment(journal);
        for (int i = 0; i < 3; i++) {
            disk.full_after = 1 + variant % 2;
            assert_int_equal(sw_journal_commit(journal, NULL), SW_E_EXHAUSTED);
            assert_true(sw_journal_is_full(journal));
        }
        disk.full_after = -1;
        if (variant >= 2) {
            sw_journal_close(journal);
            disk_crash(&disk);
            journal = open_journal(&disk, &seen);
            assert_int_equal(seen.last_number,
                             number - 1); /* What was not committed is not there. */
            put(journal, number, 1000);
        }
        assert_int_equal(sw_journal_commit(journal, NULL), SW_OK);
        sw_journal_close(journal);
        journal = open_journal(&disk, &seen);
        assert_int_equal(seen.last_number, number);
        assert_true(seen.is_in_order);
        sw_journal_close(journal);
        disk_done(&disk);
    }
}

/* Commit records until there is no room for one, which waits. Returns its number. */
static uint64_t fill_disk(struct sw_journal *journal, uint64_t number)
{
    enum sw_rc rc = sw_journal_commit(journal, NULL);

    for (unsigned i = 0; rc == SW_OK && i < 100; i++) {
        put(journal, ++number, 500);
        rc = sw_journal_commit(journal, NULL);
    }
    assert_int_equal(rc, SW_E_EXHAUSTED);
    return number;
}

/* A segment is begun with what room there is, and goes on with each little more that there is. */
static void a_disk_with_less_room_than_a_segment_is_used_up(void **state)
{
    struct disk disk;
    struct seen seen;
    struct sw_journal *journal;
    uint64_t number, before;

    (void)state;
    disk_init(&disk, 1);
    journal = open_journal(&disk, &seen);
    number = fill_segment(journal);
    disk.room_bytes = 4096 + 3000;
    before = number;
    number = fill_disk(journal, number);
    assert_true(number >= before + 3);
    for (unsigned i = 0; i < 20; i++) { /* Also past the next ends of segments. */
        disk.room_bytes += 700;
        before = number;
        number = fill_disk(journal, number);
        assert_true(number > before);
    }
    sw_journal_close(journal);
    disk_crash(&disk);
    journal = open_journal(&disk, &seen);
    assert_int_equal(seen.last_number, number - 1);
    assert_true(seen.is_in_order);
    sw_journal_close(journal);
    disk_done(&disk);
}

/* Others want room on that disk too: to try again takes none from them, not for a moment. */
static void a_try_at_a_full_disk_asks_for_no_more_than_it_writes(void **state)
{
    struct disk disk;
    struct seen seen;
    struct sw_journal *journal;
    uint64_t number;

    (void)state;
    disk_init(&disk, 1);
    journal = open_journal(&disk, &seen);
    number = fill_segment(journal);
    disk.room_bytes = 4096;
    assert_int_equal(sw_journal_commit(journal, NULL), SW_E_EXHAUSTED);
    disk.refused_bytes = 0;
    assert_int_equal(sw_journal_commit(journal, NULL), SW_E_EXHAUSTED);
    assert_in_range(disk.refused_bytes, 1000, 1200);
    disk.room_bytes = 0;
    assert_int_equal(sw_journal_commit(journal, NULL), SW_OK);
    put(journal, number + 1, 100);
    assert_int_equal(sw_journal_commit(journal, NULL), SW_OK);
    sw_journal_close(journal);
    disk_done(&disk);
}

/* What is there can be read, and served, before there is room for more. */
static void a_journal_opens_on_a_full_disk(void **state)
{
    (void)state;
    for (unsigned variant = 0; variant < 2; variant++) { /* A torn epoch; a failed sync. */
        struct disk disk;
        struct seen seen;
        struct sw_journal *journal;
        struct sw_journal_place place;

        disk_init(&disk, 1);
        journal = open_journal(&disk, &seen);
        put(journal, 1, 500);
        assert_int_equal(sw_journal_commit(journal, NULL), SW_OK);
        place = put(journal, 2, 500);
        if (variant == 0) {
            assert_int_equal(disk_write(&disk, 0, place.lsn, "torn", 4, NULL), SW_OK);
            disk.room_bytes = 1; /* Others take at once what is given back. */
        } else {
            disk.fail_syncs_after = 1;
            assert_int_equal(sw_journal_commit(journal, NULL), SW_E_INTERNAL);
            disk.fail_syncs_after = -1;
            disk.room_bytes = 4096 + 1300; /* For what counts once more. */
        }
        sw_journal_close(journal);
        journal = open_journal(&disk, &seen);
        assert_non_null(journal);
        assert_int_equal(seen.last_number, 1 + variant);
        put(journal, 2 + variant, 2000);
        disk.room_bytes = 1;
        assert_int_equal(sw_journal_commit(journal, NULL), SW_E_EXHAUSTED);
        disk.room_bytes = 0;
        assert_int_equal(sw_journal_commit(journal, NULL), SW_OK);
        sw_journal_close(journal);
        disk_crash(&disk);
        journal = open_journal(&disk, &seen);
        assert_int_equal(seen.last_number, 2 + variant);
        assert_true(seen.is_in_order);
        sw_journal_close(journal);
        disk_done(&disk);
    }
}

static void a_segment_that_was_begun_in_vain_is_no_damage(void **state)
{
    (void)state;
    for (unsigned seed = 1; seed < 30; seed++) {
        struct disk disk;
        struct seen seen;
        struct sw_journal *journal;
        uint64_t number;

        disk_init(&disk, seed);
        journal = open_journal(&disk, &seen);
        number = fill_segment(journal);
        if (seed % 2 == 0)
            disk.fail_syncs_after = 1; /* Of its head. */
        else
            disk.fail_writes_after = 1;
        assert_int_equal(sw_journal_commit(journal, NULL), SW_E_INTERNAL);
        disk.fail_syncs_after = disk.fail_writes_after = -1;
        sw_journal_close(journal);
        if (seed % 3 != 0)
            disk_crash(&disk);
        journal = open_journal(&disk, &seen);
        assert_non_null(journal);
        assert_int_equal(seen.last_number, number - 1);
        put(journal, number, 1000);
        assert_int_equal(sw_journal_commit(journal, NULL), SW_OK);
        sw_journal_close(journal);
        disk_done(&disk);
    }
}

static unsigned folder_syncs_left; /* Until they fail. */

static enum sw_rc folder_sync(void *ctx, const char *path, struct sw_err *err)
{
    if (folder_syncs_left == 0)
        return sw_err_set(err, SW_E_INTERNAL, "sync: input/output error");
    folder_syncs_left--;
    return disk_folder_sync(ctx, path, err);
}

/* One after the other: nothing more is removed before the last removal is durable. */
static void a_removal_that_fails_is_taken_up_again(void **state)
{
    struct disk disk;
    struct seen seen;
    struct sw_journal *journal;
    struct sw_journal_place place = {0, 0};

    (void)state;
    disk_init(&disk, 1);
    disk.system.folder_sync = folder_sync;
    folder_syncs_left = UINT32_MAX;
    journal = open_journal(&disk, &seen);
    for (uint64_t i = 1; i <= 50; i++) {
        place = put(journal, i, 500);
        assert_int_equal(sw_journal_commit(journal, NULL), SW_OK);
    }
    for (unsigned i = 0; i < 3; i++) {
        uint64_t begin = sw_journal_begin(journal);

        folder_syncs_left = i == 0 ? 0 : 1;
        assert_int_equal(sw_journal_remove_before(journal, place.lsn, NULL), SW_E_INTERNAL);
        assert_true(sw_journal_begin(journal) > begin);
        sw_journal_close(journal);
        folder_syncs_left = UINT32_MAX;
        journal = open_journal(&disk, &seen);
        assert_non_null(journal);
        assert_true(seen.is_in_order && seen.last_number == 50);
    }
    folder_syncs_left = 0;
    assert_int_equal(sw_journal_remove_before(journal, place.lsn, NULL), SW_E_INTERNAL);
    folder_syncs_left = UINT32_MAX;
    assert_int_equal(sw_journal_remove_before(journal, place.lsn, NULL), SW_OK);
    assert_int_equal(sw_journal_remove_before(journal, place.lsn, NULL), SW_OK);
    sw_journal_close(journal);
    disk_done(&disk);
}

static void a_large_open_epoch_has_no_room(void **state)
{
    struct disk disk;
    struct seen seen;
    struct sw_journal *journal;

    (void)state;
    disk_init(&disk, 1);
    journal = open_journal(&disk, &seen);
    put(journal, 1, 1000);
    assert_true(sw_journal_has_room(journal));
    put(journal, 2, 2000);
    assert_false(sw_journal_has_room(journal));
    assert_int_equal(sw_journal_commit(journal, NULL), SW_OK);
    assert_true(sw_journal_has_room(journal));
    sw_journal_close(journal);
    disk_done(&disk);
}

static void old_segments_can_be_removed(void **state)
{
    struct disk disk;
    struct seen seen;
    struct sw_journal *journal;
    struct sw_journal_place place;
    uint64_t begin;

    (void)state;
    disk_init(&disk, 1);
    journal = open_journal(&disk, &seen);
    for (uint64_t i = 1; i <= 50; i++) {
        put(journal, i, 500);
        assert_int_equal(sw_journal_commit(journal, NULL), SW_OK);
    }
    place = put(journal, 51, 10);
    assert_int_equal(sw_journal_commit(journal, NULL), SW_OK);
    assert_int_equal(sw_journal_begin(journal), SW_JOURNAL_BIRTH_LSN);
    assert_int_equal(sw_journal_remove_before(journal, place.lsn, NULL), SW_OK);
    begin = sw_journal_begin(journal);
    assert_true(begin > SW_JOURNAL_BIRTH_LSN && begin <= place.lsn);
    sw_journal_close(journal);
    journal = open_journal(&disk, &seen);
    assert_int_equal(sw_journal_begin(journal), begin);
    assert_true(seen.count < 51);
    assert_int_equal(seen.last_number, 51);
    put(journal, 52, 10);
    assert_int_equal(sw_journal_commit(journal, NULL), SW_OK);
    sw_journal_close(journal);
    disk_done(&disk);
}

static void a_newer_format_is_refused_with_a_hint(void **state)
{
    struct disk disk;
    struct seen seen;
    struct sw_journal_options options = {.system = &disk.system, .folder = FOLDER};
    struct sw_journal *journal;
    struct sw_err err = {0};

    (void)state;
    disk_init(&disk, 1);
    journal = open_journal(&disk, &seen);
    sw_journal_close(journal);
    disk.files[0].seen[4]++;
    assert_int_equal(sw_journal_open(&options, NULL, NULL, &journal, &err), SW_E_UNSUPPORTED);
    assert_true(err.hint[0] != 0);
    disk_done(&disk);
}

struct model { /* What was appended, and how much of it is promised to survive. */
    uint64_t committed, appended;
};

/* One round of the model: some records, some commits, some syncs that fail. */
static void append_at_random(struct disk *disk, struct sw_journal *journal, struct model *model)
{
    for (uint64_t n = disk_random(disk) % 12; n > 0; n--) {
        put(journal, ++model->appended, 8 + disk_random(disk) % 900);
        if (disk_random(disk) % 3 != 0)
            continue;
        disk->fail_syncs_after = disk_random(disk) % 20 == 0 ? 1 : -1;
        if (sw_journal_commit(journal, NULL) == SW_OK)
            model->committed = model->appended;
        if (disk->fail_syncs_after == 0)
            break;
    }
    disk->fail_syncs_after = -1;
}

/* The model: numbers 1, 2, 3 ... are appended and committed at random, the machine crashes at
 * random; afterwards exactly a prefix is there that holds all that was committed. */
static void crashes_leave_a_prefix_with_all_that_was_committed(void **state)
{
    enum { SEEDS = 60, ROUNDS = 30 };

    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct disk disk;
        struct seen seen;
        struct model model = {0, 0};

        disk_init(&disk, seed);
        for (int round = 0; round < ROUNDS; round++) {
            struct sw_journal *journal = open_journal(&disk, &seen);

            assert_non_null(journal);
            if (seen.count < model.committed || seen.count > model.appended || !seen.is_in_order)
                fail_msg("seed %llu, round %d: %llu records of %llu committed, %llu appended",
                         (unsigned long long)seed, round, (unsigned long long)seen.count,
                         (unsigned long long)model.committed, (unsigned long long)model.appended);
            model = (struct model){seen.count, seen.count};
            append_at_random(&disk, journal, &model);
            sw_journal_close(journal);
            if (disk_random(&disk) % 4 != 0)
                disk_crash(&disk);
        }
        disk_done(&disk);
    }
}

/* A flipped bit anywhere before the last epoch is refused; in the last one it costs that epoch. */
static void a_flipped_bit_is_found(void **state)
{
    struct disk disk;
    struct seen seen;
    struct sw_journal *journal;
    uint64_t ends[2];

    (void)state;
    disk_init(&disk, 1);
    journal = open_journal(&disk, &seen);
    for (uint64_t i = 1; i <= 5; i++) {
        ends[0] = put(journal, i, 60).lsn + 68;
        assert_int_equal(sw_journal_commit(journal, NULL), SW_OK);
    }
    ends[1] = put(journal, 6, 60).lsn + 68;
    assert_int_equal(sw_journal_commit(journal, NULL), SW_OK);
    sw_journal_close(journal);
    for (size_t at = 0; at < ends[1]; at++) {
        struct sw_journal_report report;
        enum sw_rc rc;

        disk.files[0].seen[at] ^= 4;
        memset(&seen, 0, sizeof seen);
        rc = sw_journal_scan(&disk.system, FOLDER, see, &seen, &report, NULL);
        disk.files[0].seen[at] ^= 4;
        if (at < ends[0])
            assert_true(rc == SW_E_CORRUPT || rc == SW_E_UNSUPPORTED);
        else
            assert_true(rc == SW_OK && seen.count == 5 && report.torn_bytes > 0);
    }
    disk_done(&disk);
}

/* Over several segments, from before the first record to behind the last. */
static void what_was_opened_is_visited_again_from_any_place(void **state)
{
    uint64_t lsns[40];
    struct disk disk;
    struct seen seen;
    struct sw_journal *journal;

    (void)state;
    disk_init(&disk, 1);
    journal = open_journal(&disk, &seen);
    for (uint64_t i = 0; i < 40; i++) {
        lsns[i] = put(journal, i, 60 + i * 20).lsn;
        if (i % 3 == 2 || i == 39)
            assert_int_equal(sw_journal_commit(journal, NULL), SW_OK);
    }
    sw_journal_close(journal);
    journal = open_journal(&disk, &seen);
    assert_int_equal(seen.count, 40);
    for (uint64_t i = 0; i < 40; i++)
        for (int behind = 0; behind <= 1; behind++) {
            seen = (struct seen){.is_in_order = true};
            assert_int_equal(
                sw_journal_revisit(journal, lsns[i] + (uint64_t)behind, see, &seen, NULL), SW_OK);
            assert_int_equal(seen.count, 40 - i - (uint64_t)behind);
            assert_true(seen.is_in_order);
            assert_true(seen.count == 0 || seen.last_lsn == lsns[39]);
        }
    put(journal, 40, 60); /* As before, from where it was opened to. */
    assert_int_equal(sw_journal_commit(journal, NULL), SW_OK);
    sw_journal_close(journal);
    disk_done(&disk);
}

static enum sw_rc see_ahead(void *ctx, const struct sw_journal_entry *entry, struct sw_err *err)
{
    uint64_t *next = ctx, number;

    (void)err;
    memcpy(&number, entry->record.data, sizeof number);
    assert_int_equal(number, *next);
    for (unsigned i = 0; i < SW_JOURNAL_AHEAD; i++) {
        bool is_there = number % 4 + i + 1 < 4; /* Four records make an epoch. */

        assert_int_equal(entry->ahead[i].size, is_there ? 60 : 0);
        if (is_there)
            memcpy(&number, entry->ahead[i].data, sizeof number);
        assert_int_equal(number, is_there ? *next + i + 1 : *next);
        memcpy(&number, entry->record.data, sizeof number);
    }
    ++*next;
    return SW_OK;
}

static void a_visit_tells_what_comes_next(void **state)
{
    struct disk disk;
    struct seen seen;
    struct sw_journal *journal;
    struct sw_journal_report report;
    uint64_t next = 0;

    (void)state;
    disk_init(&disk, 1);
    journal = open_journal(&disk, &seen);
    for (uint64_t i = 0; i < 12; i++) {
        put(journal, i, 60);
        if (i % 4 == 3)
            assert_int_equal(sw_journal_commit(journal, NULL), SW_OK);
    }
    sw_journal_close(journal);
    assert_int_equal(sw_journal_scan(&disk.system, FOLDER, see_ahead, &next, &report, NULL), SW_OK);
    assert_int_equal(next, 12);
    disk_done(&disk);
}

static void a_missing_segment_is_found(void **state)
{
    struct disk disk;
    struct seen seen;
    struct sw_journal *journal;
    struct sw_journal_report report;

    (void)state;
    disk_init(&disk, 1);
    journal = open_journal(&disk, &seen);
    for (uint64_t i = 1; i <= 30; i++) {
        put(journal, i, 800);
        assert_int_equal(sw_journal_commit(journal, NULL), SW_OK);
    }
    sw_journal_close(journal);
    disk_forget(&disk.files[2]);
    assert_int_equal(sw_journal_scan(&disk.system, FOLDER, NULL, NULL, &report, NULL),
                     SW_E_CORRUPT);
    disk_done(&disk);
}

struct beside { /* Sees records while the journal's host writes on. */
    struct seen seen;
    struct sw_journal *host;
    uint64_t next, end; /* Numbers that it still writes, one for each record that is seen. */
};

static enum sw_rc see_beside(void *ctx, const struct sw_journal_entry *entry, struct sw_err *err)
{
    struct beside *beside = ctx;

    for (int i = 0; i < 3 && beside->next < beside->end; i++) { /* Three epochs a record. */
        put(beside->host, beside->next++, 700);
        assert_int_equal(sw_journal_commit(beside->host, NULL), SW_OK);
    }
    return see(&beside->seen, entry, err);
}

static struct sw_journal *open_beside(struct disk *disk, struct beside *beside)
{
    struct sw_journal_options options = {
        .system = &disk->system, .folder = FOLDER, .is_read_only = true, .is_followed = true};
    struct sw_journal *journal = NULL;
    struct sw_err err = {0};

    beside->seen = (struct seen){.is_in_order = true};
    if (sw_journal_open(&options, see_beside, beside, &journal, &err) != SW_OK)
        print_message("open: %s\n", err.message);
    return journal;
}

/* Epochs and segments that come while a journal is read are neither damage nor left out. */
static void a_journal_is_followed_beside_its_host(void **state)
{
    struct disk disk;
    struct beside beside = {.next = 2, .end = 40};
    struct seen again = {.is_in_order = true};
    struct sw_journal *journal;
    uint64_t writes, seen;

    (void)state;
    disk_init(&disk, 1);
    beside.host = open_journal(&disk, &again);
    put(beside.host, 1, 700);
    assert_int_equal(sw_journal_commit(beside.host, NULL), SW_OK);
    journal = open_beside(&disk, &beside);
    assert_non_null(journal);
    assert_true(beside.seen.count < 39);
    do {
        seen = beside.seen.count;
        assert_int_equal(sw_journal_follow(journal, see_beside, &beside, NULL), SW_OK);
    } while (beside.seen.count > seen);
    assert_int_equal(beside.seen.count, 39);
    assert_true(beside.seen.is_in_order);
    assert_int_equal(sw_journal_end(journal), sw_journal_end(beside.host));
    writes = disk.writes;
    assert_int_equal(sw_journal_revisit(journal, 0, see, &again, NULL), SW_OK);
    assert_int_equal(again.count, 39);
    assert_true(again.is_in_order);
    put(beside.host, 40, 700); /* Not committed: it is not there. */
    assert_int_equal(sw_journal_follow(journal, see_beside, &beside, NULL), SW_OK);
    assert_int_equal(beside.seen.count, 39);
    assert_int_equal(disk.writes, writes);
    sw_journal_close(journal);
    sw_journal_close(beside.host);
    disk_done(&disk);
}

static void a_followed_journal_that_is_cut_beyond_is_opened_again(void **state)
{
    struct disk disk;
    struct beside beside = {.next = 1, .end = 1};
    struct sw_journal *journal;
    struct sw_err err = {0};

    (void)state;
    disk_init(&disk, 1);
    beside.host = open_journal(&disk, &beside.seen);
    put(beside.host, 1, 700);
    assert_int_equal(sw_journal_commit(beside.host, NULL), SW_OK);
    journal = open_beside(&disk, &beside);
    assert_non_null(journal);
    for (uint64_t i = 2; i <= 20; i++) {
        put(beside.host, i, 700);
        assert_int_equal(sw_journal_commit(beside.host, NULL), SW_OK);
    }
    assert_int_equal(sw_journal_remove_before(beside.host, sw_journal_end(beside.host), NULL),
                     SW_OK);
    assert_int_equal(sw_journal_follow(journal, see_beside, &beside, &err), SW_E_UNAVAILABLE);
    sw_journal_close(journal);
    journal = open_beside(&disk, &beside);
    assert_non_null(journal);
    assert_int_equal(beside.seen.last_number, 20);
    sw_journal_close(journal);
    sw_journal_close(beside.host);
    disk_done(&disk);
}

/* An epoch that is not whole is the end, unless later ones stand behind it. */
static void damage_of_a_followed_journal_is_told(void **state)
{
    struct disk disk;
    struct beside beside = {.next = 1, .end = 1};
    struct sw_journal *journal;
    struct disk_file *file;
    struct sw_err err = {0};
    size_t at = SW_SEGMENT_HEAD_BYTES + SW_EPOCH_HEAD_BYTES + 108 + SW_EPOCH_HEAD_BYTES + 20;

    (void)state;
    disk_init(&disk, 1);
    beside.host = open_journal(&disk, &beside.seen);
    for (uint64_t i = 1; i <= 2; i++) {
        put(beside.host, i, 100);
        assert_int_equal(sw_journal_commit(beside.host, NULL), SW_OK);
    }
    file = disk_find(&disk, FOLDER "/journal-0000000000000040.seg");
    assert_non_null(file);
    file->seen[at] ^= 1;
    journal = open_beside(&disk, &beside);
    assert_non_null(journal);
    assert_int_equal(beside.seen.count, 1);
    put(beside.host, 3, 100);
    assert_int_equal(sw_journal_commit(beside.host, NULL), SW_OK);
    assert_int_equal(sw_journal_follow(journal, see_beside, &beside, &err), SW_E_CORRUPT);
    assert_non_null(strstr(err.message, "a damaged epoch"));
    sw_journal_close(journal);
    assert_null(open_beside(&disk, &beside));
    file->seen[at] ^= 1;
    journal = open_beside(&disk, &beside);
    assert_non_null(journal);
    assert_int_equal(beside.seen.count, 3);
    sw_journal_close(journal);
    sw_journal_close(beside.host);
    disk_done(&disk);
}

static void an_empty_folder_has_no_journal(void **state)
{
    struct sw_journal_report report;
    struct disk disk;

    (void)state;
    disk_init(&disk, 1);
    assert_int_equal(sw_journal_scan(&disk.system, FOLDER, NULL, NULL, &report, NULL),
                     SW_E_NOT_FOUND);
    disk_done(&disk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_committed_is_there_after_a_crash),
        cmocka_unit_test(an_epoch_that_is_read_after_a_failed_sync_stays),
        cmocka_unit_test(damage_before_a_stray_segment_is_told),
        cmocka_unit_test(a_commit_without_appends_writes_nothing),
        cmocka_unit_test(an_epoch_is_one_write_and_one_sync),
        cmocka_unit_test(small_epochs_find_zeros_laid_ahead),
        cmocka_unit_test(records_are_read_by_lsn_wherever_they_are),
        cmocka_unit_test(a_failed_sync_fails_every_later_commit),
        cmocka_unit_test(a_full_disk_loses_nothing_and_resumes),
        cmocka_unit_test(a_disk_that_is_full_when_a_segment_is_due_resumes),
        cmocka_unit_test(a_disk_with_less_room_than_a_segment_is_used_up),
        cmocka_unit_test(a_try_at_a_full_disk_asks_for_no_more_than_it_writes),
        cmocka_unit_test(a_journal_opens_on_a_full_disk),
        cmocka_unit_test(a_segment_that_was_begun_in_vain_is_no_damage),
        cmocka_unit_test(a_removal_that_fails_is_taken_up_again),
        cmocka_unit_test(a_large_open_epoch_has_no_room),
        cmocka_unit_test(old_segments_can_be_removed),
        cmocka_unit_test(a_newer_format_is_refused_with_a_hint),
        cmocka_unit_test(crashes_leave_a_prefix_with_all_that_was_committed),
        cmocka_unit_test(a_flipped_bit_is_found),
        cmocka_unit_test(what_was_opened_is_visited_again_from_any_place),
        cmocka_unit_test(a_visit_tells_what_comes_next),
        cmocka_unit_test(a_missing_segment_is_found),
        cmocka_unit_test(a_journal_is_followed_beside_its_host),
        cmocka_unit_test(a_followed_journal_that_is_cut_beyond_is_opened_again),
        cmocka_unit_test(damage_of_a_followed_journal_is_told),
        cmocka_unit_test(an_empty_folder_has_no_journal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
