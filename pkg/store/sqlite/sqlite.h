/* The embedded store: one SQLite file, one writer thread, everything else from memory.
 *
 * At open the file is checked and read into memory (pkg/store/memory), which serves reads, lists
 * and watches. A commit is checked against memory and the queue on the loop's thread, written by
 * the writer thread together with everything else that queued while the last group was synced (WAL,
 * synchronous=FULL), and shown and acknowledged when it is durable.
 * The file carries an application id and a format version; a newer one is refused. Beside it stand
 * SQLite's own -wal and -shm files and PATH.lock, held while a store is open; after a failed sync
 * also PATH-suspect, until the next open.
 * Threads: as pkg/store; one private writer thread.  I/O: files, by SQLite.  Limits: pkg/store's.
 */
#pragma once
#include "pkg/store/store.h"
#include "pkg/utils/system/system.h"

#define SW_SQLITE_FORMAT 1 /* PRAGMA user_version. */

struct sw_sqlite_options {
    const struct sw_system *system;
    const char *path;                     /* The file; made if absent. */
    struct sw_store_post post;            /* To the thread that opens and uses the store. */
    const struct sw_store_limits *limits; /* NULL: SW_STORE_LIMITS_DEFAULT. Copied. */
    const char *vfs; /* SQLite's file layer, NULL for its default; for tests. */
    /* Durability is in doubt: log and stop. Runs once, before the waiting done callbacks fail. */
    void (*on_fatal)(void *ctx, const struct sw_err *err);
    void *ctx;
};

/* Open or make the store file, read it whole, start the writer.
 * SW_E_PRECONDITION  another process has it open
 * SW_E_UNSUPPORTED   its format is newer, or it is another program's file
 * SW_E_CORRUPT       damaged; the hint names verify and restore */
SW_MUST_CHECK enum sw_rc sw_sqlite_open(const struct sw_sqlite_options *options,
                                        struct sw_store **ret_store, struct sw_err *err);

/* Keep everybody from opening a store file, which need not be there, for work on what stands beside
 * it.  SW_E_PRECONDITION: another process has it open. */
struct sw_sqlite_hold; /* Opaque. */
SW_MUST_CHECK enum sw_rc sw_sqlite_hold_get(const struct sw_system *system, const char *path,
                                            struct sw_sqlite_hold **ret_hold, struct sw_err *err);
void sw_sqlite_hold_put(struct sw_sqlite_hold *hold);
SW_DEFINE_CLEANUP(struct sw_sqlite_hold, sw_sqlite_hold_put)

struct sw_sqlite_report {
    uint64_t revision, items, bytes; /* Newest revision, keys, bytes of keys and values. */
    uint32_t format;
};

/* Check a store or backup file from end to end: structure, format, each item's checksum. May run
 * while a store has it open.
 * SW_E_NOT_FOUND, SW_E_UNSUPPORTED, SW_E_CORRUPT: with what and where. */
SW_MUST_CHECK enum sw_rc sw_sqlite_verify(const char *path, struct sw_sqlite_report *ret_report,
                                          struct sw_err *err);

/* Copy a store file, open elsewhere or not, to a new file as of one revision, verify and sync it.
 * SW_E_EXISTS: the target is there. */
SW_MUST_CHECK enum sw_rc sw_sqlite_backup(const struct sw_system *system, const char *path,
                                          const char *target, struct sw_sqlite_report *ret_report,
                                          struct sw_err *err);

/* A store file as it is at one moment, for copying it later: its view is a read transaction, beside
 * which the store goes on, but for copying its log into the file.
 *
 *     sw_sqlite_view_open --- sw_sqlite_view_fix: here --- sw_sqlite_view_copy --- close
 *
 * Threads: one at a time. */
struct sw_sqlite_view; /* Opaque. */
/* Errors as sw_sqlite_verify. */
SW_MUST_CHECK enum sw_rc sw_sqlite_view_open(const char *path, struct sw_sqlite_view **ret_view,
                                             struct sw_err *err);
/* What is durable now is what is copied; takes some microseconds. */
SW_MUST_CHECK enum sw_rc sw_sqlite_view_fix(struct sw_sqlite_view *view, struct sw_err *err);
/* As sw_sqlite_backup. */
SW_MUST_CHECK enum sw_rc sw_sqlite_view_copy(struct sw_sqlite_view *view,
                                             const struct sw_system *system, const char *target,
                                             struct sw_sqlite_report *ret_report,
                                             struct sw_err *err);
void sw_sqlite_view_close(struct sw_sqlite_view *view);
SW_DEFINE_CLEANUP(struct sw_sqlite_view, sw_sqlite_view_close)

/* Put a verified backup in the place of the store file, whole or not at all. Revisions go on
 * SW_SQLITE_RESTORE_GAP above the backup's, so that no client takes old and new ones for the same.
 * SW_E_PRECONDITION: the store is open somewhere. */
#define SW_SQLITE_RESTORE_GAP 1000000000u
SW_MUST_CHECK enum sw_rc sw_sqlite_restore(const struct sw_system *system, const char *backup,
                                           const char *path, struct sw_sqlite_report *ret_report,
                                           struct sw_err *err);
