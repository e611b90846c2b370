/* The store: every API object of a Hive as key and bytes, with one revision per transaction.
 *
 * This is the interface; a backend (pkg/store/sqlite) makes a struct sw_store. A key is
 * "kinds/namespace/name" ("agents/default/reader", "nodes//one"); a value is opaque. What all
 * backends promise, and test/unit/store/conformance.h checks:
 *  - A transaction writes all of its operations or none, under one new 64-bit revision that is
 *    larger than every earlier one. Transactions take effect in the order of sw_store_commit.
 *  - `done` runs after the data is durable. Reads, lists and watches never show anything that is
 * not.
 *  - Conditions see transactions that are queued before, durable or not, so order is kept.
 *  - A watch yields every change after its revision, once, in order, or ends with SW_E_RANGE.
 *  - A paged list shows one revision however much is written between its pages, or SW_E_RANGE.
 *  - When durability is in doubt (a failed write or sync) on_fatal runs, no waiting `done` reports
 *    success, and nothing is accepted any more: the daemon must stop rather than lie.
 *
 * Threads: the loop's thread makes every call and gets every callback; callbacks never run inside
 * the call that asked for them, except those of sw_store_free.
 * I/O: in the backend.  Limits: the constants below and struct sw_store_limits. */
#pragma once
#include "pkg/utils/base/buffer.h"

#define SW_STORE_KEY_MAX 512               /* Bytes of a key, printable ASCII without space. */
#define SW_STORE_VALUE_MAX (1024u * 1024u) /* Bytes of a value. */
#define SW_STORE_OPS_MAX 1024              /* Operations of one transaction. */
#define SW_STORE_TOKEN_MAX 768             /* Size of a continue token with its NUL. */

struct sw_store;       /* A backend's object, seen through its calls; see backend.h. */
struct sw_store_watch; /* Opaque; owned by the store, ends with sw_store_watch_stop. */

/* How callbacks reach the loop's thread: `post` runs call(argument) there soon, in the order
 * posted, and may be called from any thread. It may fail only for lack of memory. */
struct sw_store_post {
    void *ctx;
    enum sw_rc (*post)(void *ctx, void (*call)(void *argument), void *argument);
};

struct sw_store_limits {
    size_t history_events_max; /* Changes that watches and paged lists can still be served from. */
    size_t history_bytes_max;  /* Bytes of keys and values in those. */
    size_t queue_txns_max;     /* Transactions waiting for the disk. */
    size_t queue_bytes_max;    /* Their bytes. */
    size_t watches_max;
};
/* 65,536 events of 32 MiB, 16,384 transactions of 64 MiB, 4,096 watches. */
extern const struct sw_store_limits SW_STORE_LIMITS_DEFAULT;

/* One version of one key. Immutable and shared: ref what you keep. Loop's thread only. */
struct sw_store_item {
    uint64_t revision;         /* Of the transaction that wrote this version. */
    uint64_t created_revision; /* Of the transaction since which the key exists. */
    bool is_deleted;           /* A tombstone, which has no value; only watches show it. */
    const char *key;           /* NUL-terminated. */
    struct sw_bytes value;
    uint32_t refs; /* Private. */
};
struct sw_store_item *sw_store_item_ref(const struct sw_store_item *item);
void sw_store_item_unref(struct sw_store_item *item); /* NULL is allowed. */
SW_DEFINE_CLEANUP(struct sw_store_item, sw_store_item_unref)

/* --- Transactions ---------------------------------------------------------------------------- */

enum sw_store_action { SW_STORE_PUT, SW_STORE_DELETE, SW_STORE_CHECK /* Only the condition. */ };
enum sw_store_condition {
    SW_STORE_ANY,        /* No condition; deleting what is absent does nothing. */
    SW_STORE_ABSENT,     /* Fails with SW_E_EXISTS. */
    SW_STORE_PRESENT,    /* Fails with SW_E_NOT_FOUND. */
    SW_STORE_AT_REVISION /* Fails with SW_E_CONFLICT, or SW_E_NOT_FOUND when the key is gone. */
};

struct sw_store_op {
    enum sw_store_action action;
    enum sw_store_condition condition;
    uint64_t revision; /* For AT_REVISION. */
    const char *key;
    struct sw_bytes value; /* For PUT. */
};

struct sw_store_txn { /* Borrowed for the call; each key at most once. No operations: a barrier. */
    const struct sw_store_op *ops;
    size_t count;
};

struct sw_store_result {
    enum sw_rc rc;            /* SW_OK, or why nothing was written. */
    uint64_t revision;        /* Of the transaction; without writes, the newest before it. */
    size_t failed_op;         /* Index of the operation whose condition failed. */
    uint64_t actual_revision; /* What that key was at; 0 when absent. */
};
typedef void sw_store_done(void *ctx, const struct sw_store_result *result);

/* Queue a transaction; done runs exactly once if this returns SW_OK, in the order of the calls,
 * after the transaction (and, for a failed condition, what it was compared with) is durable.
 * The result's rc is SW_OK, a condition's code, or SW_E_UNAVAILABLE when the store failed or closed
 * with the outcome unknown.
 * SW_E_INVALID      a bad or repeated key, or more operations or bytes than the limits
 * SW_E_EXHAUSTED    the queue is full; retry after some done has run
 * SW_E_UNAVAILABLE  the store has failed */
SW_MUST_CHECK enum sw_rc sw_store_commit(struct sw_store *store, const struct sw_store_txn *txn,
                                         sw_store_done *done, void *ctx, struct sw_err *err);

/* Fill err with the words for a result that is not SW_OK: key, wanted and actual revision. txn is
 * what was committed. Returns result->rc. */
enum sw_rc sw_store_result_explain(const struct sw_store_result *result,
                                   const struct sw_store_txn *txn, struct sw_err *err);

/* --- Reads ----------------------------------------------------------------------------------- */

/* The newest durable revision; 0 for a store that was never written. */
uint64_t sw_store_revision(const struct sw_store *store);

/* The newest version of a key, borrowed until the loop's next round (ref it to keep it), or NULL.
 */
const struct sw_store_item *sw_store_find(const struct sw_store *store, const char *key);

struct sw_store_list_request {
    const char *prefix; /* "" for all keys. */
    const char *token;  /* Where the last page ended (continue), or NULL for the first page. */
    uint64_t revision;  /* Without a token: the revision to show, 0 for the newest. */
    size_t items_max;   /* 0: no limit. */
};
struct sw_store_list_end {
    uint64_t revision;              /* What was shown; watch from here to follow on. */
    char token[SW_STORE_TOKEN_MAX]; /* For the next page; "" after the last one. */
};
/* Sees one item, borrowed for the call; false ends the page after this item. */
typedef bool sw_store_visit(void *ctx, const struct sw_store_item *item);

/* Visit the items under a prefix in the order of their keys (bytes compared). The visitor may
 * read single keys (sw_store_find) and call nothing else of the store.
 * SW_E_RANGE    the revision is compacted or in the future: list again from the start
 * SW_E_INVALID  the token is not one of this prefix */
SW_MUST_CHECK enum sw_rc sw_store_list(const struct sw_store *store,
                                       const struct sw_store_list_request *request,
                                       sw_store_visit *visit, void *ctx,
                                       struct sw_store_list_end *ret_end, struct sw_err *err);

/* --- Watches --------------------------------------------------------------------------------- */

struct sw_store_event {               /* Borrowed for the callback; ref the items to keep them. */
    const struct sw_store_item *item; /* The new version; a tombstone for a deletion. */
    const struct sw_store_item *previous; /* What it replaced, or NULL for a new key. */
};

/* Callbacks of a watch; each may start and stop watches (its own too), commit and read. */
struct sw_store_watcher {
    void *ctx;
    void (*on_event)(void *ctx, const struct sw_store_event *event);
    /* Every change up to revision has been shown: a place to resume from. The first call after each
     * start and resume, before any event; then whenever revision moved on. May be NULL. */
    void (*on_progress)(void *ctx, uint64_t revision);
    /* The watch is over and gone, not by sw_store_watch_stop: SW_E_RANGE when it fell behind the
     * kept history (list again), SW_E_UNAVAILABLE when the store closes. */
    void (*on_end)(void *ctx, const struct sw_err *err);
};

/* Show every change of keys under prefix after `revision` (exclusive).
 * SW_E_RANGE      changes after it are no longer kept, or it lies in the future: list again
 * SW_E_EXHAUSTED  too many watches */
SW_MUST_CHECK enum sw_rc sw_store_watch_start(struct sw_store *store, const char *prefix,
                                              uint64_t revision,
                                              const struct sw_store_watcher *watcher,
                                              struct sw_store_watch **ret_watch,
                                              struct sw_err *err);
/* No callback follows. */
void sw_store_watch_stop(struct sw_store *store, struct sw_store_watch *watch);
/* Show nothing until resumed: for readers slower than the writers. Nothing is buffered for a paused
 * watch; if history passes it by it ends with SW_E_RANGE. */
void sw_store_watch_pause(struct sw_store *store, struct sw_store_watch *watch);
void sw_store_watch_resume(struct sw_store *store, struct sw_store_watch *watch);

/* --- Life ------------------------------------------------------------------------------------ */

struct sw_store_view {                     /* Figures for status pages and metrics. */
    uint64_t revision, compacted_revision; /* Revisions before compacted_revision are gone. */
    size_t items, history_events, history_bytes, watches, queued_txns;
    uint64_t commits, syncs; /* Since open: transactions written, and groups they were synced in. */
};
void sw_store_view(const struct sw_store *store, struct sw_store_view *ret_view);

/* Forget history up to and including `revision` (at most the newest); watches behind it end. */
void sw_store_compact(struct sw_store *store, uint64_t revision);

/* Write a consistent copy of the durable state to a new file, beside all other work.
 * SW_E_EXISTS: the file is there.  SW_E_UNSUPPORTED: the backend has a tool of its own. */
typedef void sw_store_backup_done(void *ctx,
                                  const struct sw_err *err); /* err->rc SW_OK: written. */
SW_MUST_CHECK enum sw_rc sw_store_backup(struct sw_store *store, const char *path,
                                         sw_store_backup_done *done, void *ctx, struct sw_err *err);

/* Finish what is queued, run the waiting done callbacks, end all watches, free all. */
void sw_store_free(struct sw_store *store);
SW_DEFINE_CLEANUP(struct sw_store, sw_store_free)
