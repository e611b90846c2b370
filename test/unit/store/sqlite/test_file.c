/* labels: threaded */
/* The file: format, ownership, damage, backup, verify, restore. */
#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include "test/unit/store/sqlite/fixture.h"

static void run_sql(struct harness *harness, const char *sql)
{
    char path[128];
    sqlite3 *db = NULL;

    sqlite_path(harness, "store.db", path);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static void expect_open(struct harness *harness, enum sw_rc expected, const char *words)
{
    struct sw_err err = {0};

    assert_int_equal(harness->open(harness, &err), expected);
    assert_int_equal(err.rc, expected);
    if (strstr(err.message, words) == NULL)
        fail_msg("\"%s\" is not in \"%s\"", words, err.message);
}

static void a_held_store_is_not_opened(void **state)
{
    struct harness *harness = *state;
    struct sw_sqlite_hold *hold = NULL;
    struct sw_err err = {0};
    char path[128];

    sqlite_path(harness, "store.db", path);
    assert_int_equal(sw_sqlite_hold_get(sw_system_real(), path, &hold, &err), SW_E_PRECONDITION);
    assert_non_null(strstr(err.message, "in use"));
    harness_close(harness);
    assert_int_equal(sw_sqlite_hold_get(sw_system_real(), path, &hold, &err), SW_OK);
    expect_open(harness, SW_E_PRECONDITION, "in use");
    sw_sqlite_hold_put(hold);
    harness_open(harness);
    /* The file itself need not be there. */
    sqlite_path(harness, "none.db", path);
    assert_int_equal(sw_sqlite_hold_get(sw_system_real(), path, &hold, &err), SW_OK);
    sw_sqlite_hold_put(hold);
    assert_int_not_equal(access(path, F_OK), 0);
}

static void a_store_is_opened_once_at_a_time(void **state)
{
    struct harness *harness = *state;
    struct sw_store *first = harness->store;

    harness->store = NULL;
    expect_open(harness, SW_E_PRECONDITION, "in use");
    harness->store = first;
    harness_close(harness);
    harness_open(harness);
}

static void files_are_private(void **state)
{
    const char *names[] = {"store.db", "store.db-wal", "store.db.lock"};
    char path[128];
    struct stat info;

    harness_put(*state, "agents/a/x", "1");
    for (size_t i = 0; i < 3; i++) {
        sqlite_path(*state, names[i], path);
        assert_int_equal(stat(path, &info), 0);
        assert_int_equal(info.st_mode & 0777, 0600);
    }
}

static off_t log_size(struct harness *harness)
{
    char path[128];
    struct stat info;

    sqlite_path(harness, "store.db-wal", path);
    assert_int_equal(stat(path, &info), 0);
    return info.st_size;
}

static void the_log_grows_ahead_of_its_commits_and_keeps_them(void **state)
{
    struct harness *harness = *state;
    unsigned growths = 0;
    off_t size = 0;

    for (int i = 0; i < 300; i++) {
        harness_put(harness, "agents/a/x", "1");
        if (i >= 100 && log_size(harness) != size)
            growths++;
        size = log_size(harness);
    }
    /* Zeros in advance, a megabyte at a time, instead of each commit's own pages. */
    assert_in_range(growths, 1, 5);
    harness_close(harness);
    harness_open(harness);
    assert_non_null(sw_store_find(harness->store, "agents/a/x"));
}

static void a_newer_format_is_refused_with_a_hint(void **state)
{
    struct harness *harness = *state;

    harness_close(harness);
    run_sql(harness, "PRAGMA user_version = 2");
    expect_open(harness, SW_E_UNSUPPORTED, "format 2");
}

static void a_foreign_file_is_refused(void **state)
{
    struct harness *harness = *state;

    harness_close(harness);
    run_sql(harness, "PRAGMA application_id = 7");
    expect_open(harness, SW_E_UNSUPPORTED, "not a store of Swarm");
}

static void a_file_that_is_no_database_is_refused(void **state)
{
    struct harness *harness = *state;
    char path[128];

    harness_close(harness);
    sqlite_path(harness, "store.db", path);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    for (int i = 0; i < 2000; i++)
        fputs("not a database ", file);
    fclose(file);
    expect_open(harness, SW_E_CORRUPT, "not a database");
}

static void an_altered_value_is_found_at_open(void **state)
{
    struct harness *harness = *state;

    harness_put(harness, "agents/a/x", "1");
    harness_close(harness);
    run_sql(harness, "UPDATE objects SET value = 'x'");
    expect_open(harness, SW_E_CORRUPT, "agents/a/x: its checksum");
}

static void note_backup(void *ctx, const struct sw_err *err)
{
    struct sw_err *got = ctx;

    *got = *err;
    got->field[0] = 'd'; /* Done, whatever came of it. */
}

static struct sw_err backup(struct harness *harness, const char *target)
{
    struct sw_err got = {0}, err = {0};

    assert_int_equal(sw_store_backup(harness->store, target, note_backup, &got, &err), SW_OK);
    while (got.field[0] == '\0')
        assert_true(harness_step(harness, true));
    return got;
}

static void a_backup_beside_writes_is_restored_with_higher_revisions(void **state)
{
    struct harness *harness = *state;
    struct sw_sqlite_report report;
    struct sw_err err = {0};
    char target[128], path[128];

    sqlite_path(harness, "backup.db", target);
    sqlite_path(harness, "store.db", path);
    uint64_t revision = harness_put(harness, "agents/a/x", "1");
    struct sw_err got = backup(harness, target);
    assert_int_equal(got.rc, SW_OK);
    harness_put(harness, "agents/a/x", "2");

    assert_int_equal(sw_sqlite_verify(target, &report, &err), SW_OK);
    assert_int_equal(report.revision, revision);
    assert_int_equal(report.items, 1);
    assert_int_equal(sw_sqlite_restore(sw_system_real(), target, path, &report, &err),
                     SW_E_PRECONDITION);
    harness_close(harness);
    assert_int_equal(sw_sqlite_restore(sw_system_real(), target, path, &report, &err), SW_OK);
    harness_open(harness);
    assert_string_equal(harness_get(harness, "agents/a/x"), "1");
    assert_int_equal(sw_store_revision(harness->store), revision + SW_SQLITE_RESTORE_GAP);
    harness_put(harness, "agents/a/x", "3");
}

static void a_backup_never_overwrites(void **state)
{
    struct harness *harness = *state;
    char target[128];

    harness_put(harness, "agents/a/x", "1");
    sqlite_path(harness, "backup.db", target);
    assert_int_equal(backup(harness, target).rc, SW_OK);
    assert_int_equal(backup(harness, target).rc, SW_E_EXISTS);
}

static void another_process_can_back_up_and_verify_an_open_store(void **state)
{
    struct harness *harness = *state;
    struct sw_sqlite_report report;
    struct sw_err err = {0};
    char target[128], path[128];

    sqlite_path(harness, "backup.db", target);
    sqlite_path(harness, "store.db", path);
    harness_put(harness, "agents/a/x", "1");
    assert_int_equal(sw_sqlite_verify(path, &report, &err), SW_OK);
    assert_int_equal(report.items, 1);
    assert_int_equal(sw_sqlite_backup(sw_system_real(), path, target, &report, &err), SW_OK);
    assert_int_equal(report.items, 1);
    harness_put(harness, "agents/a/x", "2");
}

static void closing_waits_for_a_backup(void **state)
{
    struct harness *harness = *state;
    struct sw_err got = {0}, err = {0};
    char target[128];

    harness_put(harness, "agents/a/x", "1");
    sqlite_path(harness, "backup.db", target);
    assert_int_equal(sw_store_backup(harness->store, target, note_backup, &got, &err), SW_OK);
    assert_int_equal(sw_store_backup(harness->store, target, note_backup, &got, &err),
                     SW_E_EXHAUSTED);
    harness_close(harness);
    assert_int_equal(got.field[0], 'd');
    assert_int_equal(got.rc, SW_OK);
}

static void a_damaged_backup_is_not_restored(void **state)
{
    struct harness *harness = *state;
    struct sw_sqlite_report report;
    struct sw_err err = {0};
    char target[128], path[128];
    sqlite3 *db = NULL;

    sqlite_path(harness, "backup.db", target);
    sqlite_path(harness, "store.db", path);
    harness_put(harness, "agents/a/x", "1");
    assert_int_equal(backup(harness, target).rc, SW_OK);
    harness_close(harness);
    assert_int_equal(sqlite3_open(target, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "UPDATE objects SET revision = 9", NULL, NULL, NULL), 0);
    sqlite3_close(db);
    assert_int_equal(sw_sqlite_verify(target, &report, &err), SW_E_CORRUPT);
    assert_int_equal(sw_sqlite_restore(sw_system_real(), target, path, &report, &err),
                     SW_E_CORRUPT);
    assert_int_equal(sw_sqlite_verify("/nonexistent/backup.db", &report, &err), SW_E_NOT_FOUND);
    harness_open(harness);
    assert_string_equal(harness_get(harness, "agents/a/x"), "1");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, sqlite_setup, sqlite_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_held_store_is_not_opened),
        TEST(a_store_is_opened_once_at_a_time),
        TEST(files_are_private),
        TEST(the_log_grows_ahead_of_its_commits_and_keeps_them),
        TEST(a_newer_format_is_refused_with_a_hint),
        TEST(a_foreign_file_is_refused),
        TEST(a_file_that_is_no_database_is_refused),
        TEST(an_altered_value_is_found_at_open),
        TEST(a_backup_beside_writes_is_restored_with_higher_revisions),
        TEST(a_backup_never_overwrites),
        TEST(another_process_can_back_up_and_verify_an_open_store),
        TEST(closing_waits_for_a_backup),
        TEST(a_damaged_backup_is_not_restored),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
