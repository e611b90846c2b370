/* Epochs that are written without a sync: what a killed process leaves behind is all of them, and
 * what a loss of power leaves is a beginning, with all that was ever synced. */
#include "pkg/agent/store/journal.h"

#include "pkg/agent/store/segment.h"
#include "test/support/disk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#define FOLDER "journal"

struct seen { /* Records are numbers, from 1 on. */
    uint64_t count;
    bool is_in_order;
};

static enum sw_rc see(void *ctx, const struct sw_journal_entry *entry, struct sw_err *err)
{
    struct seen *seen = ctx;
    uint64_t number;

    (void)err;
    memcpy(&number, entry->record.data, sizeof number);
    if (number != ++seen->count)
        seen->is_in_order = false;
    return SW_OK;
}

static struct sw_journal *open_journal(struct disk *disk, struct seen *seen)
{
    struct sw_journal_options options = {
        .system = &disk->system, .folder = FOLDER, .segment_bytes = 4096};
    struct sw_journal *journal = NULL;
    struct sw_err err = {0};

    *seen = (struct seen){.is_in_order = true};
    if (sw_journal_open(&options, see, seen, &journal, &err) != SW_OK)
        print_message("open: %s\n", err.message);
    return journal;
}

static void put(struct sw_journal *journal, uint64_t number)
{
    uint8_t bytes[100] = {0};
    struct sw_journal_place place;

    memcpy(bytes, &number, sizeof number);
    assert_int_equal(sw_journal_append(journal, (struct sw_bytes){bytes, 100}, &place, NULL),
                     SW_OK);
}

static void put_written(struct sw_journal *journal, uint64_t number)
{
    put(journal, number);
    assert_int_equal(sw_journal_write(journal, NULL), SW_OK);
}

static void what_was_written_is_there_when_the_process_is_killed(void **state)
{
    struct disk disk;
    struct seen seen;
    struct sw_journal *journal;
    uint64_t syncs;

    (void)state;
    disk_init(&disk, 1);
    journal = open_journal(&disk, &seen);
    syncs = disk.syncs;
    assert_int_equal(sw_journal_write(journal, NULL), SW_OK); /* There is nothing. */
    assert_int_equal(sw_journal_written(journal), 0);
    for (uint64_t i = 1; i <= 5; i++)
        put_written(journal, i);
    assert_int_equal(disk.syncs, syncs);
    assert_int_equal(sw_journal_written(journal), 5);
    assert_int_equal(sw_journal_durable(journal), 0);
    assert_false(sw_journal_is_dirty(journal));
    sw_journal_close(journal);
    journal = open_journal(&disk, &seen);
    assert_int_equal(seen.count, 5);
    sw_journal_close(journal);
    disk_crash(&disk); /* What was read again is on the disk. */
    journal = open_journal(&disk, &seen);
    assert_int_equal(seen.count, 5);
    sw_journal_close(journal);
    disk_done(&disk);
}

static void a_sync_makes_durable_what_was_written_and_no_more(void **state)
{
    struct disk disk;
    struct seen seen;
    struct sw_journal *journal;

    (void)state;
    disk_init(&disk, 1);
    journal = open_journal(&disk, &seen);
    put_written(journal, 1);
    put_written(journal, 2);
    put(journal, 3);
    assert_int_equal(sw_journal_sync(journal, NULL), SW_OK);
    assert_int_equal(sw_journal_durable(journal), 2);
    assert_true(sw_journal_is_dirty(journal));
    assert_int_equal(sw_journal_write(journal, NULL), SW_OK);
    assert_int_equal(sw_journal_durable(journal), 2);
    /* A commit of nothing new makes durable what was only written. */
    assert_int_equal(sw_journal_commit(journal, NULL), SW_OK);
    assert_int_equal(sw_journal_durable(journal), 3);
    sw_journal_close(journal);
    disk_crash(&disk);
    journal = open_journal(&disk, &seen);
    assert_int_equal(seen.count, 3);
    sw_journal_close(journal);
    disk_done(&disk);
}

static void a_write_that_needs_a_segment_is_left_to_a_commit(void **state)
{
    struct disk disk;
    struct seen seen;
    struct sw_journal *journal;
    uint64_t number = 1, writes;
    struct sw_err err = {0};

    (void)state;
    disk_init(&disk, 1);
    journal = open_journal(&disk, &seen);
    for (put(journal, number); sw_journal_write(journal, &err) == SW_OK; put(journal, ++number))
        assert_true(number < 100);
    assert_int_equal(err.rc, SW_E_UNAVAILABLE);
    writes = disk.writes;
    put(journal, ++number); /* It goes to the next epoch. */
    assert_int_equal(sw_journal_write(journal, &err), SW_E_UNAVAILABLE);
    assert_int_equal(disk.writes, writes);
    assert_int_equal(sw_journal_commit(journal, NULL), SW_OK);
    assert_int_equal(sw_journal_durable(journal), number - 1);
    assert_int_equal(sw_journal_write(journal, NULL), SW_OK);
    sw_journal_close(journal);
    journal = open_journal(&disk, &seen);
    assert_int_equal(seen.count, number);
    assert_true(seen.is_in_order);
    sw_journal_close(journal);
    disk_done(&disk);
}

static void commit_all(struct sw_journal *journal)
{
    while (sw_journal_is_dirty(journal))
        assert_int_equal(sw_journal_commit(journal, NULL), SW_OK);
}

/* Write and sync all; what needs a segment is committed. */
static void sync_all(struct sw_journal *journal)
{
    while (sw_journal_is_dirty(journal))
        if (sw_journal_write(journal, NULL) == SW_E_UNAVAILABLE)
            assert_int_equal(sw_journal_commit(journal, NULL), SW_OK);
    assert_int_equal(sw_journal_sync(journal, NULL), SW_OK);
}

/* A life of a process, from record `number` on; returns how many are durable at its end. */
static uint64_t live(struct disk *disk, struct sw_journal *journal, uint64_t *number)
{
    uint64_t synced = *number;

    for (uint64_t steps = disk_random(disk) % 60; steps > 0; steps--) {
        uint64_t what = disk_random(disk) % 16;

        put(journal, ++*number);
        if (what < 12 && sw_journal_write(journal, NULL) == SW_OK)
            continue;
        if (what > 13)
            continue;
        if (what == 13)
            sync_all(journal);
        else
            commit_all(journal);
        synced = *number;
    }
    return synced;
}

/* Random writes, syncs and commits, then the power fails: never is anything called damage, and
 * never is anything missing that was synced. */
static void lose_power(uint64_t seed)
{
    struct disk disk;
    struct seen seen;
    struct sw_journal *journal;

    disk_init(&disk, seed);
    for (unsigned life = 0; life < 4; life++) {
        uint64_t number, synced;

        journal = open_journal(&disk, &seen);
        assert_non_null(journal);
        number = seen.count;
        synced = live(&disk, journal, &number);
        sw_journal_close(journal);
        if (disk_random(&disk) % 4 > 0)
            disk_crash(&disk);
        journal = open_journal(&disk, &seen);
        assert_non_null(journal);
        if (!seen.is_in_order || seen.count < synced || seen.count > number)
            fail_msg("seed %lu: %lu records of %lu, %lu were synced", (unsigned long)seed,
                     (unsigned long)seen.count, (unsigned long)number, (unsigned long)synced);
        sw_journal_close(journal);
    }
    disk_done(&disk);
}

static void a_loss_of_power_leaves_all_that_was_synced(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 400; seed++)
        lose_power(seed);
}

static struct disk_file *the_segment(struct disk *disk)
{
    char path[SW_PATH_MAX];

    sw_segment_path(FOLDER, SW_JOURNAL_BIRTH_LSN, path);
    return disk_find(disk, path);
}

static void damage_of_what_was_synced_is_told(void **state)
{
    struct disk disk;
    struct seen seen;
    struct sw_journal *journal;
    struct disk_file *file;
    size_t second = SW_SEGMENT_HEAD_BYTES + SW_EPOCH_HEAD_BYTES + 108 + SW_EPOCH_HEAD_BYTES + 20;

    (void)state;
    disk_init(&disk, 1);
    journal = open_journal(&disk, &seen);
    for (uint64_t i = 1; i <= 4; i++)
        put_written(journal, i);
    sw_journal_close(journal);
    file = the_segment(&disk);
    file->seen[second] ^= 1; /* Nothing says that the second was synced: it is the end. */
    journal = open_journal(&disk, &seen);
    assert_int_equal(seen.count, 1);
    for (uint64_t i = 2; i <= 4; i++)
        put_written(journal, i);
    assert_int_equal(sw_journal_sync(journal, NULL), SW_OK);
    put_written(journal, 5); /* It says so of the four before. */
    sw_journal_close(journal);
    file->seen[second] ^= 1;
    assert_null(open_journal(&disk, &seen));
    file->seen[second] ^= 1;
    journal = open_journal(&disk, &seen);
    assert_int_equal(seen.count, 5);
    sw_journal_close(journal);
    disk_done(&disk);
}

static void a_failed_sync_or_write_fails_all_that_follows(void **state)
{
    struct disk disk;
    struct seen seen;
    struct sw_journal *journal;

    (void)state;
    for (unsigned which = 0; which < 2; which++) {
        disk_init(&disk, 1);
        journal = open_journal(&disk, &seen);
        put_written(journal, 1);
        put(journal, 2);
        if (which == 0) {
            disk.fail_syncs_after = 1;
            assert_int_equal(sw_journal_sync(journal, NULL), SW_E_INTERNAL);
        } else {
            disk.fail_writes_after = 1;
            assert_int_equal(sw_journal_write(journal, NULL), SW_E_INTERNAL);
        }
        disk.fail_syncs_after = disk.fail_writes_after = -1;
        assert_int_equal(sw_journal_write(journal, NULL), SW_E_INTERNAL);
        assert_int_equal(sw_journal_sync(journal, NULL), SW_E_INTERNAL);
        assert_int_equal(sw_journal_commit(journal, NULL), SW_E_INTERNAL);
        sw_journal_close(journal);
        journal = open_journal(&disk, &seen);
        assert_int_equal(seen.count, 1);
        sw_journal_close(journal);
        disk_done(&disk);
    }
}

/* Nobody left a mark of a failed sync: what is read of several epochs is written again. */
static void what_a_failed_sync_dropped_is_written_again(void **state)
{
    struct disk disk;
    struct seen seen;
    struct sw_journal *journal;

    (void)state;
    disk_init(&disk, 1);
    journal = open_journal(&disk, &seen);
    for (uint64_t i = 1; i <= 6; i++)
        put_written(journal, i);
    disk.fail_syncs_after = 1;
    disk.full_after = 0;
    assert_int_equal(disk.system.file_sync(&disk, (int)(the_segment(&disk) - disk.files), NULL),
                     SW_E_INTERNAL); /* As if the process had been killed then. */
    disk.fail_syncs_after = disk.full_after = -1;
    sw_journal_close(journal);
    journal = open_journal(&disk, &seen);
    assert_int_equal(seen.count, 6);
    sw_journal_close(journal);
    disk_crash(&disk);
    journal = open_journal(&disk, &seen);
    assert_non_null(journal);
    assert_int_equal(seen.count, 6);
    sw_journal_close(journal);
    disk_done(&disk);
}

static void a_write_to_a_full_disk_loses_nothing(void **state)
{
    struct disk disk;
    struct seen seen;
    struct sw_journal *journal;

    (void)state;
    disk_init(&disk, 1);
    journal = open_journal(&disk, &seen);
    put_written(journal, 1);
    put(journal, 2);
    disk.full_after = 0;
    assert_int_equal(sw_journal_write(journal, NULL), SW_E_EXHAUSTED);
    assert_true(sw_journal_is_full(journal));
    put(journal, 3);
    assert_int_equal(sw_journal_sync(journal, NULL), SW_OK); /* Of the first. */
    assert_int_equal(sw_journal_durable(journal), 1);
    disk.full_after = -1;
    assert_int_equal(sw_journal_write(journal, NULL), SW_OK);
    assert_false(sw_journal_is_full(journal));
    assert_int_equal(sw_journal_write(journal, NULL), SW_OK);
    sw_journal_close(journal);
    journal = open_journal(&disk, &seen);
    assert_int_equal(seen.count, 3);
    sw_journal_close(journal);
    disk_done(&disk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_written_is_there_when_the_process_is_killed),
        cmocka_unit_test(a_sync_makes_durable_what_was_written_and_no_more),
        cmocka_unit_test(a_write_that_needs_a_segment_is_left_to_a_commit),
        cmocka_unit_test(a_loss_of_power_leaves_all_that_was_synced),
        cmocka_unit_test(damage_of_what_was_synced_is_told),
        cmocka_unit_test(a_failed_sync_or_write_fails_all_that_follows),
        cmocka_unit_test(what_a_failed_sync_dropped_is_written_again),
        cmocka_unit_test(a_write_to_a_full_disk_loses_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
