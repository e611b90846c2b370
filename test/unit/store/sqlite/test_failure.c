/* labels: threaded */
/* A disk that fails stops the store instead of letting it lie. The disk is a layer over SQLite's
 * own file layer whose writes and syncs fail from a chosen one on. */
#include <sqlite3.h>

#include "test/unit/store/sqlite/fixture.h"

struct faulty_file {
    sqlite3_file base;
    sqlite3_file *real; /* Behind this struct, in the same block. */
};

static struct {
    sqlite3_vfs vfs;
    sqlite3_vfs *real;
    int syncs_left, writes_left; /* Until all fail; negative: never. */
    int code;
} disk;

static sqlite3_file *real_of(sqlite3_file *file)
{
    return ((struct faulty_file *)file)->real;
}

static int on_close(sqlite3_file *file)
{
    return real_of(file)->pMethods->xClose(real_of(file));
}
static int on_read(sqlite3_file *file, void *bytes, int size, sqlite3_int64 at)
{
    return real_of(file)->pMethods->xRead(real_of(file), bytes, size, at);
}
static int on_write(sqlite3_file *file, const void *bytes, int size, sqlite3_int64 at)
{
    if (disk.writes_left == 0)
        return disk.code;
    disk.writes_left -= disk.writes_left > 0;
    return real_of(file)->pMethods->xWrite(real_of(file), bytes, size, at);
}
static int on_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    return real_of(file)->pMethods->xTruncate(real_of(file), size);
}
static int on_sync(sqlite3_file *file, int flags)
{
    if (disk.syncs_left == 0)
        return SQLITE_IOERR_FSYNC;
    disk.syncs_left -= disk.syncs_left > 0;
    return real_of(file)->pMethods->xSync(real_of(file), flags);
}
static int on_size(sqlite3_file *file, sqlite3_int64 *ret_size)
{
    return real_of(file)->pMethods->xFileSize(real_of(file), ret_size);
}
static int on_lock(sqlite3_file *file, int level)
{
    return real_of(file)->pMethods->xLock(real_of(file), level);
}
static int on_unlock(sqlite3_file *file, int level)
{
    return real_of(file)->pMethods->xUnlock(real_of(file), level);
}
static int on_check_lock(sqlite3_file *file, int *ret_is_reserved)
{
    return real_of(file)->pMethods->xCheckReservedLock(real_of(file), ret_is_reserved);
}
static int on_control(sqlite3_file *file, int number, void *argument)
{
    return real_of(file)->pMethods->xFileControl(real_of(file), number, argument);
}
static int on_sector(sqlite3_file *file)
{
    return real_of(file)->pMethods->xSectorSize(real_of(file));
}
static int on_device(sqlite3_file *file)
{
    return real_of(file)->pMethods->xDeviceCharacteristics(real_of(file));
}
static int on_map(sqlite3_file *file, int page, int size, int extend, void volatile **ret_map)
{
    return real_of(file)->pMethods->xShmMap(real_of(file), page, size, extend, ret_map);
}
static int on_shm_lock(sqlite3_file *file, int offset, int count, int flags)
{
    return real_of(file)->pMethods->xShmLock(real_of(file), offset, count, flags);
}
static void on_barrier(sqlite3_file *file)
{
    real_of(file)->pMethods->xShmBarrier(real_of(file));
}
static int on_unmap(sqlite3_file *file, int is_delete)
{
    return real_of(file)->pMethods->xShmUnmap(real_of(file), is_delete);
}

static const sqlite3_io_methods METHODS = {
    .iVersion = 2,
    .xClose = on_close,
    .xRead = on_read,
    .xWrite = on_write,
    .xTruncate = on_truncate,
    .xSync = on_sync,
    .xFileSize = on_size,
    .xLock = on_lock,
    .xUnlock = on_unlock,
    .xCheckReservedLock = on_check_lock,
    .xFileControl = on_control,
    .xSectorSize = on_sector,
    .xDeviceCharacteristics = on_device,
    .xShmMap = on_map,
    .xShmLock = on_shm_lock,
    .xShmBarrier = on_barrier,
    .xShmUnmap = on_unmap,
};

static int on_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags,
                   int *ret_flags)
{
    struct faulty_file *faulty = (struct faulty_file *)file;

    (void)vfs;
    faulty->base.pMethods = NULL;
    faulty->real = (sqlite3_file *)(faulty + 1);
    int code = disk.real->xOpen(disk.real, name, faulty->real, flags, ret_flags);
    if (code == SQLITE_OK)
        faulty->base.pMethods = &METHODS;
    return code;
}

static enum sw_rc open_on_faulty_disk(struct harness *harness, struct sw_err *err)
{
    return sqlite_open_vfs(harness, "faulty", err);
}

static int setup(void **state)
{
    disk.real = sqlite3_vfs_find(NULL);
    disk.vfs = *disk.real;
    disk.vfs.zName = "faulty";
    disk.vfs.szOsFile = (int)sizeof(struct faulty_file) + disk.real->szOsFile;
    disk.vfs.xOpen = on_open;
    disk.vfs.pNext = NULL;
    disk.syncs_left = -1;
    disk.writes_left = -1;
    disk.code = SQLITE_IOERR_WRITE;
    if (sqlite3_vfs_register(&disk.vfs, 0) != SQLITE_OK || sqlite_setup_closed(state) != 0)
        return -1;
    ((struct harness *)*state)->open = open_on_faulty_disk;
    harness_open(*state);
    return 0;
}

static int teardown(void **state)
{
    sqlite_teardown(state);
    return sqlite3_vfs_unregister(&disk.vfs);
}

/* The next commit fails; then everything is refused, and after a restart the earlier write is
 * there. */
static void expect_stop(struct harness *harness)
{
    struct sw_store_op op = harness_put_op("agents/a/y", "2");
    struct harness_result got = {0};
    struct sw_err err = {0};

    struct sw_store_result result = harness_commit(harness, &op, 1);
    assert_int_equal(result.rc, SW_E_UNAVAILABLE);
    assert_int_equal(harness->fatals, 1);
    assert_true(harness->fatal.rc != SW_OK && harness->fatal.message[0] != '\0');
    assert_null(sw_store_find(harness->store, "agents/a/y"));
    assert_string_equal(harness_get(harness, "agents/a/x"), "1");
    assert_int_equal(
        sw_store_commit(harness->store, &(struct sw_store_txn){&op, 1}, harness_done, &got, &err),
        SW_E_UNAVAILABLE);
    harness_close(harness);
    assert_int_equal(got.count, 0);
    disk.syncs_left = -1;
    disk.writes_left = -1;
    harness_open(harness);
    assert_string_equal(harness_get(harness, "agents/a/x"), "1");
}

static void a_failed_sync_stops_the_store(void **state)
{
    harness_put(*state, "agents/a/x", "1");
    disk.syncs_left = 0;
    expect_stop(*state);
}

static void a_failed_write_stops_the_store(void **state)
{
    harness_put(*state, "agents/a/x", "1");
    disk.writes_left = 0;
    expect_stop(*state);
}

static void a_full_disk_refuses_and_keeps_what_is_there(void **state)
{
    struct harness *harness = *state;
    struct sw_store_op op = harness_put_op("agents/a/y", "2");

    harness_put(harness, "agents/a/x", "1");
    uint64_t revision = sw_store_revision(harness->store);
    disk.code = SQLITE_FULL;
    disk.writes_left = 0;
    for (int i = 0; i < 3; i++)
        assert_int_equal(harness_commit(harness, &op, 1).rc, SW_E_EXHAUSTED);
    assert_int_equal(harness->fatals, 0);
    assert_null(sw_store_find(harness->store, "agents/a/y"));
    assert_int_equal(sw_store_revision(harness->store), revision);
    disk.writes_left = -1;
    assert_int_equal(harness_commit(harness, &op, 1).rc, SW_OK);
    assert_int_equal(sw_store_revision(harness->store), revision + 1);
    harness_close(harness);
    harness_open(harness);
    assert_string_equal(harness_get(harness, "agents/a/x"), "1");
    assert_string_equal(harness_get(harness, "agents/a/y"), "2");
}

/* What was queued while a refused write still counted rests on it, and is refused with it, even if
 * there is room again when its turn comes. */
static void what_rests_on_a_refused_write_is_refused_too(void **state)
{
    struct harness *harness = *state;
    struct harness_result got[40] = {0};
    struct sw_err err = {0};
    size_t written = 0, refused = 0;

    disk.code = SQLITE_FULL;
    disk.writes_left = 0;
    for (int i = 0; i < 40; i++) {
        struct sw_store_op op = harness_put_op("agents/a/x", "v");

        op.condition = i == 0 || i == 20 ? SW_STORE_ABSENT : SW_STORE_PRESENT;
        assert_int_equal(sw_store_commit(harness->store, &(struct sw_store_txn){&op, 1},
                                         harness_done, &got[i], &err),
                         SW_OK);
        if (i == 19) {
            harness_wait(harness, &got[i].count, 1);
            disk.writes_left = -1;
        }
    }
    harness_wait(harness, &got[39].count, 1);
    for (int i = 0; i < 40; i++) {
        assert_int_equal(got[i].count, 1);
        written += got[i].result.rc == SW_OK;
        refused += got[i].result.rc == SW_E_EXHAUSTED;
    }
    assert_int_equal(refused, 20);
    assert_int_equal(written, 20);
    assert_int_equal(harness->fatals, 0);
    harness_close(harness);
    harness_open(harness);
    assert_int_equal(sw_store_revision(harness->store), written);
}

static void what_waits_behind_a_failed_sync_fails_too(void **state)
{
    struct harness *harness = *state;
    struct harness_result got[20] = {0};
    struct sw_err err = {0};

    disk.syncs_left = 3;
    int acked = 0, failed = 0;
    for (int i = 0; i < 20; i++) {
        struct sw_store_op op = harness_put_op("agents/a/x", "1");
        enum sw_rc rc = sw_store_commit(harness->store, &(struct sw_store_txn){&op, 1},
                                        harness_done, &got[i], &err);
        if (rc == SW_OK && i % 3 == 0)
            harness_wait(harness, &got[i].count, 1);
    }
    while (harness_step(harness, false))
        ;
    harness_close(harness);
    for (int i = 0; i < 20; i++) {
        assert_true(got[i].count <= 1);
        acked += got[i].count == 1 && got[i].result.rc == SW_OK;
        failed += got[i].count == 1 && got[i].result.rc == SW_E_UNAVAILABLE;
        assert_false(failed > 0 && got[i].count == 1 && got[i].result.rc == SW_OK);
    }
    assert_int_equal(harness->fatals, 1);
    assert_true(acked > 0 && failed > 0);
    disk.syncs_left = -1;
    harness_open(harness);
    assert_true(sw_store_revision(harness->store) >= (uint64_t)acked);
}

/* 600 values of 32 KiB make the log long enough to be copied into the file, whose sync fails. */
static void a_failed_checkpoint_stops_the_store(void **state)
{
    struct harness *harness = *state;
    char *value = malloc(32769);
    struct sw_err err = {0};

    assert_non_null(value);
    memset(value, 'v', 32768);
    value[32768] = '\0';
    struct sw_store_op op = harness_put_op("agents/a/x", value);
    int puts = 0;
    disk.syncs_left = 100000;
    for (; puts < 450; puts++)
        assert_int_equal(harness_commit(harness, &op, 1).rc, SW_OK);
    disk.syncs_left = 2;
    struct harness_result got = {0};
    while (harness->fatals == 0 && sw_store_commit(harness->store, &(struct sw_store_txn){&op, 1},
                                                   harness_done, &got, &err) == SW_OK)
        assert_true(harness_step(harness, true));
    assert_int_equal(harness->fatals, 1);
    free(value);
    harness_close(harness);
    disk.syncs_left = -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_failed_sync_stops_the_store, setup, teardown),
        cmocka_unit_test_setup_teardown(a_failed_write_stops_the_store, setup, teardown),
        cmocka_unit_test_setup_teardown(a_full_disk_refuses_and_keeps_what_is_there, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_rests_on_a_refused_write_is_refused_too, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_waits_behind_a_failed_sync_fails_too, setup, teardown),
        cmocka_unit_test_setup_teardown(a_failed_checkpoint_stops_the_store, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
