#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pkg/store/sqlite/state.h"

static enum sw_rc side_path(char ret_path[SW_PATH_MAX], const char *path, const char *suffix,
                            struct sw_err *err)
{
    int size = snprintf(ret_path, SW_PATH_MAX, "%s%s", path, suffix);

    if (size < 0 || size >= SW_PATH_MAX)
        return sw_err_set(err, SW_E_INVALID, "the path %.100s... is too long", path);
    return SW_OK;
}

/* --- Verifying ----------------------------------------------------------------------------------
 */

static enum sw_rc check_whole(sqlite3 *db, struct sw_err *err)
{
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(db, "PRAGMA integrity_check(1)", -1, &statement, NULL);

    if (code == SQLITE_OK)
        code = sqlite3_step(statement);
    enum sw_rc rc =
        code == SQLITE_ROW ? SW_OK : sw_sqlite_file_error(db, code, err, "checking the file");
    if (rc == SW_OK && strcmp((const char *)sqlite3_column_text(statement, 0), "ok") != 0)
        rc = sw_err_set(err, SW_E_CORRUPT, "%s", (const char *)sqlite3_column_text(statement, 0));
    sqlite3_finalize(statement);
    return rc;
}

static enum sw_rc verify_db(sqlite3 *db, struct sw_sqlite_report *ret_report, struct sw_err *err)
{
    enum sw_rc rc = check_whole(db, err);

    return rc != SW_OK ? rc : sw_sqlite_file_read_items(db, NULL, NULL, ret_report, err);
}

enum sw_rc sw_sqlite_verify(const char *path, struct sw_sqlite_report *ret_report,
                            struct sw_err *err)
{
    sqlite3 *db = NULL;

    enum sw_rc rc = sw_sqlite_file_open(path, NULL, false, &db, err);
    if (rc != SW_OK)
        return rc;
    rc = sw_sqlite_file_run(db, "BEGIN", err); /* One revision for all that follows. */
    if (rc == SW_OK)
        rc = verify_db(db, ret_report, err);
    sw_sqlite_file_close(db);
    return rc == SW_OK ? SW_OK : sw_err_context(err, "%s", path);
}

/* --- Copying ------------------------------------------------------------------------------------
 */

/* All pages in one step, which SQLite takes as of one transaction. */
static enum sw_rc copy_pages(sqlite3 *from, sqlite3 *to, struct sw_err *err)
{
    sqlite3_backup *copy = sqlite3_backup_init(to, "main", from, "main");

    if (copy == NULL)
        return sw_sqlite_file_error(to, sqlite3_errcode(to), err, "the copy");
    int step = sqlite3_backup_step(copy, -1);
    int code = sqlite3_backup_finish(copy);
    if (step == SQLITE_DONE && code == SQLITE_OK)
        return SW_OK;
    return sw_sqlite_file_error(NULL, code != SQLITE_OK ? code : step, err, "the copy");
}

/* Make `target` a copy of an open file, in one plain file, its revision raised by `gap`, synced,
 * verified. */
static enum sw_rc copy_file(sqlite3 *from, const char *target, uint64_t gap,
                            struct sw_sqlite_report *ret_report, struct sw_err *err)
{
    sqlite3 *to = NULL;
    char raise[128];

    enum sw_rc rc = SW_OK;
    int code = sqlite3_open_v2(target, &to, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL);
    if (code != SQLITE_OK)
        rc = sw_sqlite_file_error(to, code, err, target);
    if (rc == SW_OK)
        rc = copy_pages(from, to, err);
    if (rc == SW_OK)
        rc = sw_sqlite_file_run(to, "PRAGMA journal_mode = DELETE; PRAGMA synchronous = FULL", err);
    snprintf(raise, sizeof(raise),
             "UPDATE meta SET revision = max(revision, ifnull((SELECT max(revision) FROM objects), "
             "0)) + %" PRIu64,
             gap);
    if (rc == SW_OK)
        rc = sw_sqlite_file_run(to, raise, err);
    if (rc == SW_OK)
        rc = verify_db(to, ret_report, err);
    sw_sqlite_file_close(to);
    return rc == SW_OK ? SW_OK : sw_err_context(err, "%s", target);
}

enum sw_rc sw_sqlite_sync_parent(const struct sw_system *system, const char *path,
                                 struct sw_err *err)
{
    char folder[SW_PATH_MAX];
    const char *slash = strrchr(path, '/');
    size_t size = slash == NULL ? 0 : (size_t)(slash - path);

    if (slash == NULL)
        return system->folder_sync(system->ctx, ".", err);
    memcpy(folder, path, size);
    folder[size] = '\0';
    return system->folder_sync(system->ctx, size == 0 ? "/" : folder, err);
}

static void remove_quietly(const struct sw_system *system, const char *path, const char *suffix)
{
    char side[SW_PATH_MAX];
    struct sw_err ignored = {0};

    if (side_path(side, path, suffix, &ignored) == SW_OK)
        (void)system->path_remove(system->ctx, side, &ignored);
}

/* A private, empty neighbour of the target, from which it is made by renaming. */
static enum sw_rc make_partial(const struct sw_system *system, const char *target,
                               char ret_partial[SW_PATH_MAX], struct sw_err *err)
{
    int file = -1;

    enum sw_rc rc = side_path(ret_partial, target, ".partial", err);
    if (rc == SW_OK)
        rc = system->file_open(system->ctx, ret_partial,
                               SW_FILE_WRITE | SW_FILE_CREATE | SW_FILE_TRUNCATE, &file, err);
    if (rc == SW_OK)
        system->file_close(system->ctx, file);
    return rc;
}

static enum sw_rc copy_into_place(const struct sw_system *system, sqlite3 *from, const char *target,
                                  uint64_t gap, struct sw_sqlite_report *ret_report,
                                  struct sw_err *err)
{
    char partial[SW_PATH_MAX];

    enum sw_rc rc = make_partial(system, target, partial, err);
    if (rc != SW_OK)
        return rc;
    rc = copy_file(from, partial, gap, ret_report, err);
    if (rc == SW_OK && gap > 0) { /* What is replaced must not leave a log behind. */
        remove_quietly(system, target, "-wal");
        remove_quietly(system, target, "-shm");
    }
    if (rc == SW_OK)
        rc = system->path_rename(system->ctx, partial, target, err);
    if (rc != SW_OK) {
        remove_quietly(system, partial, "");
        return rc;
    }
    return sw_sqlite_sync_parent(system, target, err);
}

static enum sw_rc check_absent(const struct sw_system *system, const char *target,
                               struct sw_err *err)
{
    struct sw_file_view view;
    struct sw_err absent = {0};

    if (system->path_view(system->ctx, target, &view, &absent) == SW_OK)
        return sw_err_set(err, SW_E_EXISTS, "%s is there already", target);
    return SW_OK;
}

enum sw_rc sw_sqlite_backup(const struct sw_system *system, const char *path, const char *target,
                            struct sw_sqlite_report *ret_report, struct sw_err *err)
{
    sqlite3 *from = NULL;

    enum sw_rc rc = check_absent(system, target, err);
    if (rc == SW_OK)
        rc = sw_sqlite_file_open(path, NULL, false, &from, err);
    if (rc == SW_OK)
        rc = copy_into_place(system, from, target, 0, ret_report, err);
    sw_sqlite_file_close(from);
    return rc;
}

/* --- A moment that is copied later --------------------------------------------------------------
 */

struct sw_sqlite_view {
    sqlite3 *db;
};

enum sw_rc sw_sqlite_view_open(const char *path, struct sw_sqlite_view **ret_view,
                               struct sw_err *err)
{
    struct sw_sqlite_view *view = calloc(1, sizeof *view);

    if (view == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for a view of the store");
    enum sw_rc rc = sw_sqlite_file_open(path, NULL, false, &view->db, err);
    if (rc == SW_OK)
        *ret_view = view;
    else
        free(view);
    return rc;
}

enum sw_rc sw_sqlite_view_fix(struct sw_sqlite_view *view, struct sw_err *err)
{
    int64_t revision = 0;

    enum sw_rc rc = sw_sqlite_file_run(view->db, "BEGIN", err);
    if (rc == SW_OK) /* The first read is where the transaction begins. */
        rc = sw_sqlite_file_number(view->db, "SELECT revision FROM meta", &revision, err);
    return rc;
}

enum sw_rc sw_sqlite_view_copy(struct sw_sqlite_view *view, const struct sw_system *system,
                               const char *target, struct sw_sqlite_report *ret_report,
                               struct sw_err *err)
{
    enum sw_rc rc = check_absent(system, target, err);

    return rc == SW_OK ? copy_into_place(system, view->db, target, 0, ret_report, err) : rc;
}

void sw_sqlite_view_close(struct sw_sqlite_view *view)
{
    if (view == NULL)
        return;
    sw_sqlite_file_close(view->db);
    free(view);
}

/* --- Restoring ----------------------------------------------------------------------------------
 */

/* Move what the old store's log holds into its file, so that the log can go without loss if the
 * restore stops halfway. An old store that is too damaged for this has nothing to lose. */
static void settle_old(const char *path)
{
    struct sw_err ignored = {0};
    sqlite3 *old = NULL;

    if (sw_sqlite_file_open(path, NULL, true, &old, &ignored) != SW_OK)
        return;
    (void)sqlite3_wal_checkpoint_v2(old, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    sw_sqlite_file_close(old);
}

enum sw_rc sw_sqlite_restore(const struct sw_system *system, const char *backup, const char *path,
                             struct sw_sqlite_report *ret_report, struct sw_err *err)
{
    struct sw_sqlite_report report;
    sqlite3 *lock = NULL, *from = NULL;

    enum sw_rc rc = sw_sqlite_verify(backup, &report, err);
    if (rc != SW_OK)
        return rc;
    rc = sw_sqlite_file_lock(system, path, &lock, err);
    if (rc != SW_OK)
        return rc;
    settle_old(path);
    rc = sw_sqlite_file_open(backup, NULL, false, &from, err);
    if (rc == SW_OK)
        rc = copy_into_place(system, from, path, SW_SQLITE_RESTORE_GAP, ret_report, err);
    sw_sqlite_file_close(from);
    sw_sqlite_file_close(lock);
    return rc;
}

/* --- Beside an open store ------------------------------------------------------------------------
 */

static void *backup_run(void *argument)
{
    struct backup *backup = argument;
    struct sqlite_store *store = backup->store;
    struct sw_sqlite_report report;

    if (sw_sqlite_backup(store->system, store->path, backup->target, &report, &backup->err) ==
        SW_OK)
        backup->err.rc = SW_OK;
    pthread_mutex_lock(&store->mutex);
    store->is_backup_finished = true;
    pthread_mutex_unlock(&store->mutex);
    sw_sqlite_writer_post(store);
    return NULL;
}

enum sw_rc sw_sqlite_backup_start(struct sqlite_store *store, const char *target,
                                  sw_store_backup_done *done, void *ctx, struct sw_err *err)
{
    if (store->backup != NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "a backup is being made already");
    if (strlen(target) >= SW_PATH_MAX)
        return sw_err_set(err, SW_E_INVALID, "the backup's path is too long");
    struct backup *backup = calloc(1, sizeof(*backup));
    if (backup == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for a backup");
    backup->store = store;
    backup->done = done;
    backup->ctx = ctx;
    memcpy(backup->target, target, strlen(target) + 1);
    int number = pthread_create(&backup->thread, NULL, backup_run, backup);
    if (number != 0) {
        free(backup);
        return sw_err_errno(err, number, "a thread for the backup");
    }
    store->backup = backup;
    return SW_OK;
}

void sw_sqlite_backup_complete(struct sqlite_store *store, bool is_closing)
{
    struct backup *backup = store->backup;

    if (backup == NULL)
        return;
    pthread_mutex_lock(&store->mutex);
    bool is_finished = store->is_backup_finished;
    pthread_mutex_unlock(&store->mutex);
    if (!is_finished && !is_closing)
        return;
    pthread_join(backup->thread, NULL);
    store->backup = NULL;
    store->is_backup_finished = false;
    backup->done(backup->ctx, &backup->err);
    free(backup);
}
