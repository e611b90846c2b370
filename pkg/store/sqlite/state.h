/* What the files of pkg/store/sqlite share.
 *
 *   loop's thread                                  writer thread
 *   commit: check, stage -- queue (mutex) ------>  write_group: BEGIN ... COMMIT (sync)
 *   on_wake: apply, done, watches <-- finished --  post
 *
 * Threads: stated at each member.  I/O, limits: sqlite.h. */
#pragma once
#include <pthread.h>
#include <sqlite3.h>

#include "pkg/store/backend.h"
#include "pkg/store/memory/memory.h"
#include "pkg/store/sqlite/sqlite.h"
#include "pkg/utils/base/map.h"

#define APPLICATION_ID 0x53574d53 /* "SWMS"; PRAGMA application_id. */

struct txn { /* One accepted sw_store_commit. Belongs to one thread at a time, with its list. */
    struct txn *next;
    sw_store_done *done;
    void *ctx;
    struct sw_store_result result;
    uint64_t era;    /* Of the store when it was queued. */
    bool is_refused; /* The disk was full: nothing of it was written. */
    size_t bytes, count;
    struct sw_store_item *items[]; /* What it writes, one reference each, counted by the loop. */
};

struct txn_list {
    struct txn *first, **end; /* end points to the last next, or to first. */
};

struct writer { /* The connection and its statements; the writer thread's after the start. */
    sqlite3 *db;
    sqlite3_stmt *begin, *commit, *put, *delete, *mark;
    int wal_pages;  /* In the write-ahead log after the last commit. */
    int room_pages; /* For which that file has bytes already. */
};

struct wake {                   /* The argument of a post; outlives the store when the post does. */
    struct sqlite_store *store; /* NULL once it is closed. */
    struct wake *next;          /* Then: the next one like it. */
};

struct backup { /* A copy being made by a thread of its own. */
    struct sqlite_store *store;
    pthread_t thread;
    sw_store_backup_done *done;
    void *ctx;
    struct sw_err err;
    char target[SW_PATH_MAX];
};

struct sqlite_store {
    struct sw_store base;
    const struct sw_system *system; /* Const after open, as the next five. */
    char path[SW_PATH_MAX];
    struct sw_store_post post;
    struct sw_store_limits limits;
    void (*on_fatal)(void *ctx, const struct sw_err *err);
    void *ctx;
    sqlite3 *lock_db;
    pthread_t thread;

    struct sw_memory *memory; /* From here to the mutex: the loop's thread. */
    struct sw_map *staged;    /* Key -> newest queued item, until it is durable. */
    struct wake *wake;
    uint64_t next_revision;
    uint64_t era; /* Begins anew when the disk was full: what was staged before is void. */
    size_t queued_txns, queued_bytes;
    bool has_failed, is_completing, is_closing;
    struct backup *backup;

    pthread_mutex_t mutex; /* Guards the rest. */
    pthread_cond_t work;   /* queue or is_stopping changed. */
    struct txn_list queue, finished;
    struct sw_err failure; /* rc SW_OK until a group could not be made durable. */
    bool is_posted, is_stopping, is_backup_finished;
    uint64_t commits, syncs;

    struct writer writer; /* The writer thread's, as the next. */
    uint64_t refused_era; /* Transactions up to this one rest on some that were not written. */
};

void sw_sqlite_txns_init(struct txn_list *list);
void sw_sqlite_txns_add(struct txn_list *list, struct txn *txn);
/* Move all of `from` to the end of `list`. */
void sw_sqlite_txns_move(struct txn_list *list, struct txn_list *from);

/* --- file.c: connections and the format --- */

/* Words for the present error of db (NULL: for `code`), as SW_E_CORRUPT, EXHAUSTED, DENIED ... */
enum sw_rc sw_sqlite_file_error(sqlite3 *db, int code, struct sw_err *err, const char *what);
/* Open an existing file, read-only or not, and check whose it is.
 * SW_E_NOT_FOUND, SW_E_UNSUPPORTED, SW_E_CORRUPT. */
enum sw_rc sw_sqlite_file_open(const char *path, const char *vfs, bool is_writable,
                               sqlite3 **ret_db, struct sw_err *err);
/* Run statements that yield nothing of interest. */
enum sw_rc sw_sqlite_file_run(sqlite3 *db, const char *sql, struct sw_err *err);
/* The integer that a statement yields first. */
enum sw_rc sw_sqlite_file_number(sqlite3 *db, const char *sql, int64_t *ret_value,
                                 struct sw_err *err);
/* Hold PATH.lock until it is closed.  SW_E_PRECONDITION: somebody else does. */
enum sw_rc sw_sqlite_file_lock(const struct sw_system *system, const char *path, sqlite3 **ret_lock,
                               struct sw_err *err);
/* Open for writing with settings for durable commits; make tables in an empty file. */
enum sw_rc sw_sqlite_file_open_writer(const struct sw_system *system, const char *path,
                                      const char *vfs, sqlite3 **ret_db, struct sw_err *err);
typedef enum sw_rc file_visit(void *ctx, struct sw_store_item *item, struct sw_err *err);
/* Visit every item, its checksum verified; *ret_report gets the totals. */
enum sw_rc sw_sqlite_file_read_items(sqlite3 *db, file_visit *visit, void *ctx,
                                     struct sw_sqlite_report *ret_report, struct sw_err *err);
/* What is kept with an item to know that it is whole. */
uint32_t sw_sqlite_file_checksum(const struct sw_store_item *item);
void sw_sqlite_file_close(sqlite3 *db); /* NULL is allowed. */

/* --- writer.c: the writer thread --- */

enum sw_rc sw_sqlite_writer_start(struct sqlite_store *store, struct sw_err *err);
/* Finish the queue and end the thread. */
void sw_sqlite_writer_stop(struct sqlite_store *store);
/* Ask for sw_sqlite_commit_on_wake on the loop's thread, unless that is under way or the store is
 * closing. Any thread. */
void sw_sqlite_writer_post(struct sqlite_store *store);

/* --- commit.c --- */

enum sw_rc sw_sqlite_commit_queue(struct sqlite_store *store, const struct sw_store_txn *txn,
                                  sw_store_done *done, void *ctx, struct sw_err *err);
/* Take in what the writer finished: apply, acknowledge, serve watches. */
void sw_sqlite_commit_complete(struct sqlite_store *store);
void sw_sqlite_commit_on_wake(void *argument); /* Of type struct wake. */
/* The store closes while a post with this wake is under way. */
void sw_sqlite_wake_retire(struct wake *wake);

/* --- renew.c: the log after a failed write or sync --- */

/* Note that the log is suspect: its pages may look clean and not be on the disk. Best effort, since
 * the disk is failing; the note lies in the page cache at least as long as what it warns of. */
void sw_sqlite_mark_suspect(const struct sw_system *system, const char *path);
/* Before the store is opened for writing: put a log that is suspect into a new file, synced, with
 * what can be read of it. What is appended to the old one would lie behind a hole, and a failure of
 * power take it away although it was acknowledged. The file itself needs no such thing: the log has
 * all that was to be copied into it, and is copied again.  SW_E_EXHAUSTED: no room for that. */
enum sw_rc sw_sqlite_renew_suspect(const struct sw_system *system, const char *path,
                                   struct sw_err *err);

/* --- backup.c --- */

/* Have the names in a path's folder be durable. */
enum sw_rc sw_sqlite_sync_parent(const struct sw_system *system, const char *path,
                                 struct sw_err *err);
enum sw_rc sw_sqlite_backup_start(struct sqlite_store *store, const char *target,
                                  sw_store_backup_done *done, void *ctx, struct sw_err *err);
/* Run its done if it is finished, or, if is_closing, once it is. */
void sw_sqlite_backup_complete(struct sqlite_store *store, bool is_closing);
