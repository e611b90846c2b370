#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "pkg/store/sqlite/state.h"
#include "pkg/utils/base/hash.h"

static const char SCHEMA[] =
    "BEGIN IMMEDIATE;"
    "CREATE TABLE meta(id INTEGER PRIMARY KEY CHECK(id = 1), revision INTEGER NOT NULL);"
    "INSERT INTO meta VALUES(1, 0);"
    "CREATE TABLE objects(key TEXT PRIMARY KEY, revision INTEGER NOT NULL,"
    " created INTEGER NOT NULL, checksum INTEGER NOT NULL, value BLOB NOT NULL);"
    "PRAGMA application_id = 1398230355;" /* APPLICATION_ID */
    "PRAGMA user_version = 1;"            /* SW_SQLITE_FORMAT */
    "COMMIT;";

static enum sw_rc code_rc(int code)
{
    switch (code & 0xff) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return SW_E_CORRUPT;
    case SQLITE_FULL:
    case SQLITE_NOMEM:
        return SW_E_EXHAUSTED;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return SW_E_UNAVAILABLE;
    case SQLITE_PERM:
    case SQLITE_READONLY:
    case SQLITE_AUTH:
        return SW_E_DENIED;
    case SQLITE_CANTOPEN:
        return SW_E_NOT_FOUND;
    default:
        return SW_E_INTERNAL;
    }
}

enum sw_rc sw_sqlite_file_error(sqlite3 *db, int code, struct sw_err *err, const char *what)
{
    enum sw_rc rc = code_rc(code);

    sw_err_set(err, rc, "%s: %s (SQLite %d)", what,
               db != NULL ? sqlite3_errmsg(db) : sqlite3_errstr(code),
               db != NULL ? sqlite3_extended_errcode(db) : code);
    if (rc == SW_E_CORRUPT)
        sw_err_hint(err, "swarmctl store verify tells what is damaged, swarmctl store restore puts "
                         "a backup in its place");
    return rc;
}

void sw_sqlite_file_close(sqlite3 *db)
{
    if (db == NULL)
        return;
    int code = sqlite3_close_v2(db);
    assert(code == SQLITE_OK);
}

enum sw_rc sw_sqlite_file_run(sqlite3 *db, const char *sql, struct sw_err *err)
{
    int code = sqlite3_exec(db, sql, NULL, NULL, NULL);

    return code == SQLITE_OK ? SW_OK : sw_sqlite_file_error(db, code, err, "store file");
}

enum sw_rc sw_sqlite_file_number(sqlite3 *db, const char *sql, int64_t *ret_value,
                                 struct sw_err *err)
{
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(db, sql, -1, &statement, NULL);

    if (code == SQLITE_OK)
        code = sqlite3_step(statement);
    if (code == SQLITE_ROW)
        *ret_value = sqlite3_column_int64(statement, 0);
    enum sw_rc rc = code == SQLITE_ROW    ? SW_OK
                    : code == SQLITE_DONE ? sw_err_set(err, SW_E_CORRUPT, "store file: no row")
                                          : sw_sqlite_file_error(db, code, err, "store file");
    sqlite3_finalize(statement);
    return rc;
}

static enum sw_rc open_file(const char *path, const char *vfs, int flags, sqlite3 **ret_db,
                            struct sw_err *err)
{
    sqlite3 *db = NULL;
    int code = sqlite3_open_v2(path, &db, flags | SQLITE_OPEN_NOMUTEX, vfs);

    if (code != SQLITE_OK) {
        enum sw_rc rc = sw_sqlite_file_error(db, code, err, path);
        sw_sqlite_file_close(db);
        return rc;
    }
    (void)sqlite3_busy_timeout(db, 5000); /* Another process may be taking a backup. */
    *ret_db = db;
    return SW_OK;
}

/* An empty file, which SQLite takes for an empty database, is new rather than foreign. */
static enum sw_rc check_format(sqlite3 *db, bool *ret_is_empty, struct sw_err *err)
{
    int64_t application = 0, format = 0, tables = 0;

    enum sw_rc rc = sw_sqlite_file_number(db, "PRAGMA application_id", &application, err);
    if (rc == SW_OK)
        rc = sw_sqlite_file_number(db, "PRAGMA user_version", &format, err);
    if (rc == SW_OK)
        rc = sw_sqlite_file_number(db, "SELECT count(*) FROM sqlite_schema", &tables, err);
    if (rc != SW_OK)
        return rc;
    *ret_is_empty = application == 0 && format == 0 && tables == 0;
    if (*ret_is_empty)
        return SW_OK;
    if (application != APPLICATION_ID)
        return sw_err_set(err, SW_E_UNSUPPORTED,
                          "this is a SQLite file, but not a store of Swarm (application id %" PRId64
                          ")",
                          application);
    if (format != SW_SQLITE_FORMAT) {
        sw_err_set(err, SW_E_UNSUPPORTED,
                   "the store has format %" PRId64 ", this build knows format %d", format,
                   SW_SQLITE_FORMAT);
        sw_err_hint(err, "run the Swarm that wrote it or a newer one, or restore a backup");
        return SW_E_UNSUPPORTED;
    }
    return SW_OK;
}

enum sw_rc sw_sqlite_file_open(const char *path, const char *vfs, bool is_writable,
                               sqlite3 **ret_db, struct sw_err *err)
{
    sqlite3 *db = NULL;
    bool is_empty = false;

    enum sw_rc rc =
        open_file(path, vfs, is_writable ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY, &db, err);
    if (rc != SW_OK)
        return rc;
    rc = check_format(db, &is_empty, err);
    if (rc == SW_OK && is_empty)
        rc = sw_err_set(err, SW_E_CORRUPT, "the file is empty");
    if (rc != SW_OK) {
        sw_sqlite_file_close(db);
        return sw_err_context(err, "%s", path);
    }
    *ret_db = db;
    return SW_OK;
}

/* SQLite would make files that others can read. */
static enum sw_rc make_private(const struct sw_system *system, const char *path, struct sw_err *err)
{
    int file = -1;
    enum sw_rc rc =
        system->file_open(system->ctx, path, SW_FILE_WRITE | SW_FILE_CREATE, &file, err);

    if (rc == SW_OK)
        system->file_close(system->ctx, file);
    return rc;
}

enum sw_rc sw_sqlite_file_lock(const struct sw_system *system, const char *path, sqlite3 **ret_lock,
                               struct sw_err *err)
{
    char lock_path[SW_PATH_MAX];
    sqlite3 *db = NULL;

    int size = snprintf(lock_path, sizeof(lock_path), "%s.lock", path);
    if (size < 0 || (size_t)size >= sizeof(lock_path))
        return sw_err_set(err, SW_E_INVALID, "the store's path is too long");
    enum sw_rc rc = make_private(system, lock_path, err);
    if (rc == SW_OK)
        rc = open_file(lock_path, NULL, SQLITE_OPEN_READWRITE, &db, err);
    if (rc != SW_OK)
        return rc;
    (void)sqlite3_busy_timeout(db, 0);
    int code = sqlite3_exec(db, "BEGIN EXCLUSIVE", NULL, NULL, NULL);
    if (code == SQLITE_OK) {
        *ret_lock = db;
        return SW_OK;
    }
    if (code == SQLITE_BUSY) {
        rc = sw_err_set(err, SW_E_PRECONDITION, "%s is in use by another process", path);
        sw_err_hint(err, "stop the swarmd that has it open, or choose another data folder");
    } else {
        rc = sw_sqlite_file_error(db, code, err, lock_path);
    }
    sw_sqlite_file_close(db);
    return rc;
}

/* A hold is the connection that has the lock, under another name. */
enum sw_rc sw_sqlite_hold_get(const struct sw_system *system, const char *path,
                              struct sw_sqlite_hold **ret_hold, struct sw_err *err)
{
    sqlite3 *lock = NULL;
    enum sw_rc rc = sw_sqlite_file_lock(system, path, &lock, err);

    if (rc == SW_OK)
        *ret_hold = (struct sw_sqlite_hold *)(void *)lock;
    return rc;
}

void sw_sqlite_hold_put(struct sw_sqlite_hold *hold)
{
    sw_sqlite_file_close((sqlite3 *)(void *)hold);
}

static enum sw_rc check_structure(sqlite3 *db, struct sw_err *err)
{
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(db, "PRAGMA quick_check(1)", -1, &statement, NULL);

    if (code == SQLITE_OK)
        code = sqlite3_step(statement);
    enum sw_rc rc =
        code == SQLITE_ROW ? SW_OK : sw_sqlite_file_error(db, code, err, "checking the file");
    if (rc == SW_OK && strcmp((const char *)sqlite3_column_text(statement, 0), "ok") != 0) {
        rc = sw_err_set(err, SW_E_CORRUPT, "the store file is damaged: %s",
                        (const char *)sqlite3_column_text(statement, 0));
        sw_err_hint(err, "swarmctl store restore puts a backup in its place");
    }
    sqlite3_finalize(statement);
    return rc;
}

static enum sw_rc prepare_writer(sqlite3 *db, struct sw_err *err)
{
    bool is_empty = false;

    enum sw_rc rc = check_format(db, &is_empty, err);
    if (rc == SW_OK)
        rc = sw_sqlite_file_run(db,
                                "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
                                "PRAGMA wal_autocheckpoint = 0; PRAGMA temp_store = MEMORY;",
                                err);
    if (rc == SW_OK && is_empty)
        rc = sw_sqlite_file_run(db, SCHEMA, err);
    if (rc == SW_OK)
        rc = check_structure(db, err);
    return rc;
}

enum sw_rc sw_sqlite_file_open_writer(const struct sw_system *system, const char *path,
                                      const char *vfs, sqlite3 **ret_db, struct sw_err *err)
{
    sqlite3 *db = NULL;

    enum sw_rc rc = make_private(system, path, err);
    if (rc == SW_OK)
        rc = sw_sqlite_renew_suspect(system, path, err);
    if (rc == SW_OK)
        rc = open_file(path, vfs, SQLITE_OPEN_READWRITE, &db, err);
    if (rc != SW_OK)
        return rc;
    rc = prepare_writer(db, err);
    if (rc != SW_OK) {
        sw_sqlite_file_close(db);
        return sw_err_context(err, "%s", path);
    }
    *ret_db = db;
    return SW_OK;
}

uint32_t sw_sqlite_file_checksum(const struct sw_store_item *item)
{
    uint8_t numbers[16];

    for (unsigned i = 0; i < 8; i++) {
        numbers[i] = (uint8_t)(item->revision >> (8 * i));
        numbers[8 + i] = (uint8_t)(item->created_revision >> (8 * i));
    }
    uint32_t sum = sw_crc32c(0, numbers, sizeof(numbers));
    sum = sw_crc32c(sum, item->key, strlen(item->key) + 1);
    return sw_crc32c(sum, item->value.data, item->value.size);
}

/* The present row as an item; NULL with err filled when it is not what was written. */
static struct sw_store_item *read_row(sqlite3_stmt *row, struct sw_err *err)
{
    const char *key = (const char *)sqlite3_column_text(row, 0);
    struct sw_store_item_options options = {
        .key = key,
        .revision = (uint64_t)sqlite3_column_int64(row, 1),
        .created_revision = (uint64_t)sqlite3_column_int64(row, 2),
        .value = {.data = sqlite3_column_blob(row, 4),
                  .size = (size_t)sqlite3_column_bytes(row, 4)},
    };

    if (key == NULL || !sw_store_key_is_valid(key) || options.value.size > SW_STORE_VALUE_MAX) {
        sw_err_set(err, SW_E_CORRUPT, "an item has a key or value that no store writes");
        return NULL;
    }
    struct sw_store_item *item = sw_store_item_new(&options);
    if (item == NULL) {
        sw_err_set(err, SW_E_EXHAUSTED, "no memory for the store's items");
        return NULL;
    }
    if (sw_sqlite_file_checksum(item) != (uint32_t)sqlite3_column_int64(row, 3)) {
        sw_err_set(err, SW_E_CORRUPT, "%s: its checksum does not match its content", key);
        sw_err_hint(err, "swarmctl store restore puts a backup in the store's place");
        sw_store_item_unref(item);
        return NULL;
    }
    return item;
}

static enum sw_rc visit_row(sqlite3_stmt *row, file_visit *visit, void *ctx,
                            struct sw_sqlite_report *report, struct sw_err *err)
{
    SW_CLEANUP(sw_store_item_unrefp) struct sw_store_item *item = read_row(row, err);

    if (item == NULL)
        return err == NULL ? SW_E_CORRUPT : err->rc;
    report->items++;
    report->bytes += strlen(item->key) + item->value.size;
    if (item->revision > report->revision)
        report->revision = item->revision;
    return visit == NULL ? SW_OK : visit(ctx, item, err);
}

enum sw_rc sw_sqlite_file_read_items(sqlite3 *db, file_visit *visit, void *ctx,
                                     struct sw_sqlite_report *ret_report, struct sw_err *err)
{
    struct sw_sqlite_report report = {.format = SW_SQLITE_FORMAT};
    sqlite3_stmt *rows = NULL;
    struct sw_err own = {0};
    int64_t revision = 0;

    err = err == NULL ? &own : err;
    enum sw_rc rc = sw_sqlite_file_number(db, "SELECT revision FROM meta", &revision, err);
    if (rc != SW_OK)
        return rc;
    report.revision = (uint64_t)revision;
    int code = sqlite3_prepare_v2(db, "SELECT key, revision, created, checksum, value FROM objects",
                                  -1, &rows, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_step(rows);
    while (code == SQLITE_ROW && rc == SW_OK) {
        rc = visit_row(rows, visit, ctx, &report, err);
        code = sqlite3_step(rows);
    }
    if (rc == SW_OK && code != SQLITE_DONE)
        rc = sw_sqlite_file_error(db, code, err, "reading the store");
    sqlite3_finalize(rows);
    if (rc == SW_OK)
        *ret_report = report;
    return rc;
}
