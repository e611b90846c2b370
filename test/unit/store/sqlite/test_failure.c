/* labels: threaded */
/* A disk that fails stops the store instead of letting it lie. The disk is a layer over SQLite's
 * own file layer whose writes and syncs fail from a chosen one on. */
#include <sqlite3.h>
#include <sys/stat.h>

#include "test/unit/store/sqlite/fixture.h"

#define PAGE_BYTES 4096
#define LOG_PAGES_MAX 256

struct faulty_file {
    sqlite3_file base;
    sqlite3_file *real; /* Behind this struct, in the same block. */
    bool is_log;
};

/* The log as the disk has it. What is written is in the page cache only; a sync takes it to the
 * disk, and one that fails leaves it where it is and counts it as clean, as the kernel does. */
static struct {
    ino_t file;
    char bytes[LOG_PAGES_MAX * PAGE_BYTES];
    bool is_dirty[LOG_PAGES_MAX];
    size_t pages;
} on_disk;

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
static void read_page(sqlite3_file *real, size_t page)
{
    /* What is beyond the end is read as zeros. */
    (void)real->pMethods->xRead(real, on_disk.bytes + page * PAGE_BYTES, PAGE_BYTES,
                                (sqlite3_int64)(page * PAGE_BYTES));
    if (page >= on_disk.pages)
        on_disk.pages = page + 1;
}

static void note_write(const sqlite3_file *file, int size, sqlite3_int64 at)
{
    if (!((const struct faulty_file *)file)->is_log)
        return;
    for (sqlite3_int64 page = at / PAGE_BYTES; page * PAGE_BYTES < at + size; page++)
        on_disk.is_dirty[page % LOG_PAGES_MAX] = true; /* Only short logs are looked at. */
}

static void note_sync(sqlite3_file *file, bool is_fine)
{
    if (!((struct faulty_file *)file)->is_log)
        return;
    for (size_t page = 0; page < LOG_PAGES_MAX; page++) {
        if (on_disk.is_dirty[page] && is_fine)
            read_page(real_of(file), page);
        on_disk.is_dirty[page] = false;
    }
}

/* What was not written here was synced by who made it. */
static void note_open(const char *name, sqlite3_file *real)
{
    struct stat view;

    if (stat(name, &view) != 0 || view.st_ino == on_disk.file)
        return;
    memset(&on_disk, 0, sizeof on_disk);
    on_disk.file = view.st_ino;
    for (size_t page = 0; page < LOG_PAGES_MAX && (off_t)(page * PAGE_BYTES) < view.st_size; page++)
        read_page(real, page);
}

static int on_write(sqlite3_file *file, const void *bytes, int size, sqlite3_int64 at)
{
    if (disk.writes_left == 0)
        return disk.code;
    disk.writes_left -= disk.writes_left > 0;
    note_write(file, size, at);
    return real_of(file)->pMethods->xWrite(real_of(file), bytes, size, at);
}
static int on_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    return real_of(file)->pMethods->xTruncate(real_of(file), size);
}
static int on_sync(sqlite3_file *file, int flags)
{
    note_sync(file, disk.syncs_left != 0);
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
    faulty->is_log = (flags & SQLITE_OPEN_WAL) != 0;
    if (code == SQLITE_OK)
        faulty->base.pMethods = &METHODS;
    if (code == SQLITE_OK && faulty->is_log)
        note_open(name, faulty->real);
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

static void copy_file(const struct harness *from, const struct harness *to, const char *name)
{
    char command[400];

    snprintf(command, sizeof command, "cp %s/%s %s/", from->folder, name, to->folder);
    assert_int_equal(system(command), 0);
}

/* The machine loses its power now: another one, with what the disk has. */
static struct harness *with_what_is_on_disk(const struct harness *harness)
{
    struct harness *other = NULL;
    char path[128];
    FILE *log;

    assert_int_equal(sqlite_setup_closed((void **)&other), 0);
    copy_file(harness, other, "store.db");
    sqlite_path(other, "store.db-wal", path);
    log = fopen(path, "w");
    assert_non_null(log);
    assert_int_equal(fwrite(on_disk.bytes, PAGE_BYTES, on_disk.pages, log), on_disk.pages);
    assert_int_equal(fclose(log), 0);
    harness_open(other);
    return other;
}

/* What the failed sync left in the page cache is no ground to build on. */
static void what_is_written_after_a_failed_sync_and_a_restart_survives_the_power(void **state)
{
    struct harness *harness = *state, *other = NULL;
    char value[2 * PAGE_BYTES + 1] = {0};
    struct sw_store_op op = harness_put_op("agents/a/y", value);

    memset(value, 'y', sizeof value - 1);
    harness_put(harness, "agents/a/x", "1");
    disk.syncs_left = 0;
    assert_int_equal(harness_commit(harness, &op, 1).rc, SW_E_UNAVAILABLE);
    harness_close(harness);
    disk.syncs_left = -1;
    other = with_what_is_on_disk(harness);
    assert_null(sw_store_find(other->store, "agents/a/y"));
    harness_free(other);
    harness_open(harness);
    harness_put(harness, "agents/a/z", "3");
    other = with_what_is_on_disk(harness);
    assert_string_equal(harness_get(other, "agents/a/x"), "1");
    assert_string_equal(harness_get(other, "agents/a/z"), "3");
    harness_free(other);
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
        cmocka_unit_test_setup_teardown(
            what_is_written_after_a_failed_sync_and_a_restart_survives_the_power, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
