/* Files on which instances sleep. */
#include "pkg/agent/store/shelf.h"
#include "test/support/disk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FOLDER "d"
#define FILE_BYTES 8192u
#define EXTENT_BYTES 1024u

static const uint8_t uuid[16] = {7};
static struct disk disk;
static struct sw_shelf *shelf;
static struct sw_buffer bytes, out;

static struct sw_shelf *make(uint64_t waiting_max)
{
    struct sw_shelf_options options = {.system = &disk.system,
                                       .folder = FOLDER,
                                       .uuid = uuid,
                                       .file_bytes = FILE_BYTES,
                                       .extent_bytes = EXTENT_BYTES,
                                       .waiting_max = waiting_max};
    struct sw_shelf *made = NULL;

    assert_int_equal(sw_shelf_new(&options, &made, NULL), SW_OK);
    return made;
}

static int set_up(void **state)
{
    (void)state;
    disk_init(&disk, 1);
    sw_buffer_init(&bytes, 1u << 20);
    sw_buffer_init(&out, 1u << 20);
    assert_int_equal(disk.system.folder_make(disk.system.ctx, FOLDER, NULL), SW_OK);
    shelf = make(0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    sw_shelf_free(shelf);
    sw_buffer_done(&bytes);
    sw_buffer_done(&out);
    disk_done(&disk);
    return 0;
}

/* Put an instance of that id, with so many bytes of guest. */
static enum sw_rc try_put(uint64_t id, size_t size, uint64_t *ret_place)
{
    static uint8_t guest[65536];
    struct sw_snapshot_block block = {.kind = SW_SNAPSHOT_INSTANCE,
                                      .instance = {.pod = 1,
                                                   .id = id,
                                                   .key = {"k", 1},
                                                   .seed = {uuid, sizeof uuid},
                                                   .guest = {guest, size}}};

    for (size_t i = 0; i < size; i++)
        guest[i] = (uint8_t)(id * 31 + i * 7 + i / 256);
    sw_buffer_reset(&bytes);
    sw_snapshot_block_put(&block, &bytes);
    return sw_shelf_put(shelf, (struct sw_bytes){bytes.data, bytes.size}, ret_place);
}

static uint64_t put(uint64_t id, size_t size)
{
    uint64_t place = 0;

    assert_int_equal(try_put(id, size, &place), SW_OK);
    assert_int_not_equal(place, 0);
    assert_int_equal(place >> SW_SHELF_PLACE_BITS, 0);
    return place;
}

static void assert_there(uint64_t place, uint64_t id, size_t size)
{
    struct sw_snapshot_instance saved;
    struct sw_err err = {0};

    if (sw_shelf_read(shelf, place, false, &out, &saved, &err) != SW_OK)
        fail_msg("%s", err.message);
    assert_int_equal(saved.id, id);
    assert_int_equal(saved.guest.size, size);
    for (size_t i = 0; i < size; i++)
        assert_int_equal(((const uint8_t *)saved.guest.data)[i],
                         (uint8_t)(id * 31 + i * 7 + i / 256));
}

static enum sw_rc read_one(uint64_t place, bool is_now)
{
    struct sw_snapshot_instance saved;

    return sw_shelf_read(shelf, place, is_now, &out, &saved, NULL);
}

static unsigned count_files(void)
{
    unsigned count = 0;

    for (size_t i = 0; i < DISK_FILES_MAX; i++)
        count += disk.files[i].is_there && strstr(disk.files[i].path, "/shelf-") != NULL;
    return count;
}

static void what_is_put_can_be_read_before_and_after_it_is_written(void **state)
{
    uint64_t places[200];

    (void)state;
    for (uint64_t i = 0; i < 200; i++)
        places[i] = put(i + 1, (size_t)(i * 37 % 3000));
    for (uint64_t i = 0; i < 200; i++)
        assert_there(places[i], i + 1, (size_t)(i * 37 % 3000));
    assert_true(sw_shelf_has_work(shelf));
    assert_int_equal(sw_shelf_write(shelf, NULL), SW_OK);
    assert_int_equal(sw_shelf_waiting(shelf), 0);
    for (uint64_t i = 0; i < 200; i++)
        assert_there(places[i], i + 1, (size_t)(i * 37 % 3000));
    assert_true(count_files() > 10);
    places[0] = put(1000, 10); /* After what was written. */
    assert_there(places[0], 1000, 10);
}

static void one_larger_than_a_file_has_its_own(void **state)
{
    uint64_t before, place, after;

    (void)state;
    before = put(1, 10);
    place = put(2, 4 * FILE_BYTES);
    after = put(3, 10);
    assert_int_equal(sw_shelf_write(shelf, NULL), SW_OK);
    assert_there(before, 1, 10);
    assert_there(place, 2, 4 * FILE_BYTES);
    assert_there(after, 3, 10);
}

/* As a snapshot would: what it names is there after a loss of power. */
static void what_was_synced_is_there_after_the_power_failed(void **state)
{
    struct sw_shelf_file files[8];
    uint32_t cursor = 0, count = 0;
    uint64_t places[40], later;

    (void)state;
    for (uint64_t i = 0; i < 40; i++)
        places[i] = put(i + 1, 500);
    assert_int_equal(sw_shelf_sync(shelf, NULL), SW_OK);
    while (sw_shelf_next(shelf, &cursor, &files[count]))
        assert_true(++count < 8);
    assert_true(count > 1);
    later = put(100, 500);
    assert_int_equal(sw_shelf_write(shelf, NULL), SW_OK);
    sw_shelf_free(shelf);
    disk_crash(&disk);
    shelf = make(0);
    for (uint32_t i = 0; i < count; i++)
        assert_int_equal(sw_shelf_add(shelf, &files[i], NULL), SW_OK);
    for (uint64_t i = 0; i < 40; i++) {
        assert_true(sw_shelf_keep(shelf, places[i]));
        assert_there(places[i], i + 1, 500);
    }
    assert_false(sw_shelf_keep(shelf, later)); /* Behind what is meant. */
    assert_int_equal(sw_shelf_clean(shelf, true, NULL), SW_OK);
    assert_int_equal(count_files(), count);
    assert_there(put(200, 5), 200, 5); /* In a file of its own. */
}

static void a_file_goes_when_nobody_needs_it(void **state)
{
    uint64_t places[100], kept;
    unsigned before;

    (void)state;
    for (uint64_t i = 0; i < 100; i++)
        places[i] = put(i + 1, 500);
    kept = places[50];
    sw_shelf_begin(shelf); /* A snapshot names them. */
    assert_int_equal(sw_shelf_sync(shelf, NULL), SW_OK);
    assert_int_equal(sw_shelf_clean(shelf, false, NULL), SW_OK);
    before = count_files();
    for (uint64_t i = 0; i < 100; i++)
        if (i != 50)
            sw_shelf_drop(shelf, places[i]);
    assert_int_equal(sw_shelf_write(shelf, NULL), SW_OK);
    assert_int_equal(count_files(), before);
    sw_shelf_begin(shelf); /* The next one does not; but it does not count yet. */
    assert_int_equal(sw_shelf_sync(shelf, NULL), SW_OK);
    assert_int_equal(count_files(), before);
    assert_there(places[3], 4, 500);
    assert_int_equal(sw_shelf_clean(shelf, false, NULL), SW_OK);
    assert_int_equal(count_files(), 1); /* Of the one that is kept. */
    assert_there(kept, 51, 500);
}

/* What no snapshot ever named goes as soon as nobody needs it. */
static void a_file_of_those_that_keep_nothing_needs_no_snapshot(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 1000; i++) {
        sw_shelf_drop(shelf, put(i + 1, 500));
        if (sw_shelf_has_work(shelf))
            assert_int_equal(sw_shelf_write(shelf, NULL), SW_OK);
        assert_true(count_files() <= 2);
    }
}

/* What was kept for more to be put into one file is not taken for that of another. */
static void a_file_that_went_leaves_nothing_to_the_next_one(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 40; i++) {
        uint64_t place = put(i + 1, 100);

        assert_int_equal(sw_shelf_write(shelf, NULL), SW_OK);
        sw_shelf_drop(shelf, place);
        sw_shelf_begin(shelf); /* The file is ended. */
        assert_int_equal(sw_shelf_clean(shelf, false, NULL), SW_OK);
        place = put(1000 + i, 100);
        assert_int_equal(sw_shelf_write(shelf, NULL), SW_OK);
        assert_there(place, 1000 + i, 100);
        sw_shelf_drop(shelf, place);
    }
}

static uint64_t live_of(uint32_t number)
{
    struct sw_shelf_file file;
    uint32_t cursor = number - 1;

    assert_true(sw_shelf_next(shelf, &cursor, &file));
    assert_int_equal(file.number, number);
    return file.live;
}

static void the_emptiest_files_are_to_be_moved_from(void **state)
{
    uint32_t numbers[SW_SHELF_SPARSE_MAX], count;
    uint64_t places[300];

    (void)state;
    for (uint64_t i = 0; i < 300; i++)
        places[i] = put(i + 1, 500);
    assert_int_equal(sw_shelf_sparse(shelf, numbers), 0);
    for (uint64_t i = 0; i < 300; i++)
        if (i % 4 != 0 && i < 270)
            sw_shelf_drop(shelf, places[i]);
    for (uint64_t i = 60; i < 70; i++)
        if (i % 4 == 0 && i != 64)
            sw_shelf_drop(shelf, places[i]);
    count = sw_shelf_sparse(shelf, numbers);
    assert_int_equal(count, SW_SHELF_SPARSE_MAX);
    for (uint32_t i = 0; i < count; i++) {
        assert_true(numbers[i] < sw_shelf_number_of(places[271]));
        assert_true(i == 0 || live_of(numbers[i - 1]) <= live_of(numbers[i]));
    }
    assert_true(live_of(numbers[0]) < live_of(numbers[count - 1]));
}

static void a_full_disk_keeps_what_waits(void **state)
{
    uint64_t place = put(1, 2000), other;

    (void)state;
    disk.full_after = 0;
    assert_int_equal(sw_shelf_write(shelf, NULL), SW_E_EXHAUSTED);
    assert_int_equal(sw_shelf_failure(shelf), SW_OK);
    other = put(2, 100);
    assert_there(place, 1, 2000);
    assert_int_equal(sw_shelf_sync(shelf, NULL), SW_E_EXHAUSTED);
    disk.full_after = -1;
    assert_int_equal(sw_shelf_sync(shelf, NULL), SW_OK);
    assert_there(place, 1, 2000);
    assert_there(other, 2, 100);
}

static void too_much_that_waits_is_refused(void **state)
{
    uint64_t place;

    (void)state;
    sw_shelf_free(shelf);
    shelf = make(4096);
    (void)put(1, 3000);
    assert_int_equal(try_put(2, 3000, &place), SW_E_EXHAUSTED);
    assert_int_equal(sw_shelf_write(shelf, NULL), SW_OK);
    assert_there(put(2, 3000), 2, 3000);
}

/* After a failed write or sync nobody knows what is on the disk. */
static void a_failed_write_or_sync_is_final(void **state)
{
    uint64_t place = put(1, 2000);

    for (unsigned syncs = 0; syncs < 2; syncs++) {
        disk.fail_writes_after = syncs == 0 ? 0 : -1;
        disk.fail_syncs_after = syncs == 1 ? 0 : -1;
        assert_int_not_equal(sw_shelf_sync(shelf, NULL), SW_OK);
        disk.fail_writes_after = disk.fail_syncs_after = -1;
        assert_int_not_equal(sw_shelf_failure(shelf), SW_OK);
        assert_int_not_equal(sw_shelf_sync(shelf, NULL), SW_OK);
        assert_int_not_equal(sw_shelf_write(shelf, NULL), SW_OK);
        assert_int_not_equal(try_put(2, 10, &place), SW_OK);
        assert_int_equal(tear_down(state) + set_up(state), 0);
        place = put(1, 2000);
    }
}

static void what_is_not_in_memory_is_not_waited_for(void **state)
{
    unsigned now = 0, later = 0;
    uint64_t place = put(1, 2000);

    (void)state;
    disk.is_cold = true;
    assert_int_equal(read_one(place, true), SW_OK); /* It is not written yet. */
    assert_int_equal(sw_shelf_write(shelf, NULL), SW_OK);
    for (int i = 0; i < 100; i++) {
        enum sw_rc rc = read_one(place, true);

        now += rc == SW_OK;
        later += rc == SW_E_UNAVAILABLE;
        assert_there(place, 1, 2000);
    }
    assert_int_equal(now + later, 100);
    assert_true(now > 0 && later > 0);
}

static void damage_is_told(void **state)
{
    uint64_t place = put(1, 300), next = put(2, 300);
    struct disk_file *file;

    (void)state;
    assert_int_equal(sw_shelf_sync(shelf, NULL), SW_OK);
    assert_int_equal(read_one(place + 1, false), SW_E_CORRUPT);
    assert_int_equal(read_one(next + 1000, false), SW_E_CORRUPT);
    assert_int_equal(read_one(place + (UINT64_C(1) << SW_SHELF_OFFSET_BITS), false), SW_E_CORRUPT);
    assert_int_equal(read_one(1, false), SW_E_CORRUPT);
    file = disk_find(&disk, FOLDER "/shelf-00000001.shelf");
    file->seen[sw_shelf_offset_of(place) + 60] ^= 1;
    assert_int_equal(read_one(place, false), SW_E_CORRUPT);
    assert_there(next, 2, 300);
}

static void a_file_that_is_not_the_one_meant_is_refused(void **state)
{
    struct sw_shelf_file file, wrong;
    struct disk_file *on_disk;
    uint32_t cursor = 0;
    struct sw_err err = {0};

    (void)state;
    (void)put(1, 300);
    assert_int_equal(sw_shelf_sync(shelf, NULL), SW_OK);
    assert_true(sw_shelf_next(shelf, &cursor, &file));
    on_disk = disk_find(&disk, FOLDER "/shelf-00000001.shelf");
    for (unsigned i = 0; i < 6; i++) {
        enum sw_rc expected = i == 5 ? SW_E_UNSUPPORTED : SW_E_CORRUPT;

        sw_shelf_free(shelf);
        shelf = make(0);
        wrong = file;
        wrong.number += i == 0;
        wrong.bytes += i == 1;
        wrong.bytes = i == 2 ? 10 : wrong.bytes;
        on_disk->seen[8] ^= i == 3;
        on_disk->seen[39] ^= i == 4;
        on_disk->seen[4] ^= i == 5;
        assert_int_equal(sw_shelf_add(shelf, &wrong, &err), expected);
        on_disk->seen[8] ^= i == 3;
        on_disk->seen[39] ^= i == 4;
        on_disk->seen[4] ^= i == 5;
    }
    assert_non_null(strstr(err.hint, "another release"));
    sw_shelf_free(shelf);
    shelf = make(0);
    assert_int_equal(sw_shelf_add(shelf, &file, NULL), SW_OK);
    assert_int_equal(sw_shelf_add(shelf, &file, NULL), SW_E_CORRUPT); /* Twice. */
}

#define CROWD 1000u

static void *put_a_crowd(void *ctx)
{
    atomic_bool *is_over = ctx;
    uint64_t place;

    for (uint64_t i = 1; i <= CROWD; i++)
        while (try_put(i, FILE_BYTES / 2, &place) != SW_OK) /* Two are too much for a file. */
            sched_yield();
    atomic_store(is_over, true);
    return NULL;
}

static bool count_one(void *ctx, const char *name)
{
    *(unsigned *)ctx += strncmp(name, "shelf-", 6) == 0;
    return true;
}

/* What a snapshot removes is looked for while workers go on putting: under TSan. */
static void no_file_goes_that_somebody_began_meanwhile(void **state)
{
    const struct sw_system *real = sw_system_real();
    char folder[] = "/tmp/sw-shelf-XXXXXX", path[64];
    struct sw_shelf_options options = {.system = real,
                                       .folder = folder,
                                       .uuid = uuid,
                                       .file_bytes = FILE_BYTES,
                                       .extent_bytes = EXTENT_BYTES,
                                       .waiting_max = 4 * FILE_BYTES};
    atomic_bool is_over = false;
    pthread_t thread;
    unsigned count = 0;

    (void)state;
    assert_non_null(mkdtemp(folder));
    sw_shelf_free(shelf);
    assert_int_equal(sw_shelf_new(&options, &shelf, NULL), SW_OK);
    assert_int_equal(pthread_create(&thread, NULL, put_a_crowd, &is_over), 0);
    while (!atomic_load(&is_over)) {
        assert_int_equal(sw_shelf_write(shelf, NULL), SW_OK);
        assert_int_equal(sw_shelf_clean(shelf, true, NULL), SW_OK);
    }
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(sw_shelf_write(shelf, NULL), SW_OK);
    assert_int_equal(real->folder_list(real->ctx, folder, count_one, &count, NULL), SW_OK);
    for (uint32_t i = 1; i <= CROWD; i++) {
        (void)snprintf(path, sizeof path, "%s/shelf-%08x.shelf", folder, i);
        (void)unlink(path);
    }
    assert_int_equal(rmdir(folder), 0);
    assert_int_equal(count, CROWD);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_put_can_be_read_before_and_after_it_is_written),
        TEST(one_larger_than_a_file_has_its_own),
        TEST(what_was_synced_is_there_after_the_power_failed),
        TEST(a_file_goes_when_nobody_needs_it),
        TEST(a_file_of_those_that_keep_nothing_needs_no_snapshot),
        TEST(a_file_that_went_leaves_nothing_to_the_next_one),
        TEST(the_emptiest_files_are_to_be_moved_from),
        TEST(a_full_disk_keeps_what_waits),
        TEST(too_much_that_waits_is_refused),
        TEST(a_failed_write_or_sync_is_final),
        TEST(what_is_not_in_memory_is_not_waited_for),
        TEST(damage_is_told),
        TEST(a_file_that_is_not_the_one_meant_is_refused),
        TEST(no_file_goes_that_somebody_began_meanwhile),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
