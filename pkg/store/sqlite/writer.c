#include <assert.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <string.h>

#include "pkg/store/sqlite/state.h"

/* Pages of the write-ahead log after which it is copied into the file: 16 MiB. */
#define CHECKPOINT_PAGES 4096
/* The log's file grows by so much at once, when fewer pages are left, but not for a few writes. */
#define ROOM_BYTES (1 << 20)
#define ROOM_PAGES_LEFT 64
#define ROOM_PAGES_FIRST 64
#define WAL_HEAD_BYTES 32 /* www.sqlite.org/fileformat2.html#walformat */
#define WAL_PAGE_BYTES (24 + 4096)

void sw_sqlite_txns_init(struct txn_list *list)
{
    list->first = NULL;
    list->end = &list->first;
}

void sw_sqlite_txns_add(struct txn_list *list, struct txn *txn)
{
    txn->next = NULL;
    *list->end = txn;
    list->end = &txn->next;
}

void sw_sqlite_txns_move(struct txn_list *list, struct txn_list *from)
{
    if (from->first == NULL)
        return;
    *list->end = from->first;
    list->end = from->end;
    sw_sqlite_txns_init(from);
}

/* Run a statement that yields no rows and make it ready for the next time. */
static int step(sqlite3_stmt *statement)
{
    int code = sqlite3_step(statement);
    int reset = sqlite3_reset(statement);

    return code == SQLITE_DONE ? reset : code;
}

static int write_item(struct writer *writer, const struct sw_store_item *item)
{
    sqlite3_stmt *statement = item->is_deleted ? writer->delete : writer->put;

    sqlite3_bind_text(statement, 1, item->key, -1, SQLITE_STATIC);
    if (!item->is_deleted) {
        sqlite3_bind_int64(statement, 2, (int64_t)item->revision);
        sqlite3_bind_int64(statement, 3, (int64_t)item->created_revision);
        sqlite3_bind_int64(statement, 4, sw_sqlite_file_checksum(item));
        sqlite3_bind_blob(statement, 5, item->value.data, (int)item->value.size, SQLITE_STATIC);
    }
    return step(statement);
}

/* The newest revision is that of the newest item, unless the group deletes: then it is noted. */
static int write_items(struct writer *writer, const struct txn_list *group)
{
    int code = step(writer->begin);
    uint64_t deleted_at = 0;

    for (struct txn *txn = group->first; txn != NULL; txn = txn->next)
        for (size_t i = 0; i < txn->count && code == SQLITE_OK; i++) {
            code = write_item(writer, txn->items[i]);
            if (txn->items[i]->is_deleted)
                deleted_at = txn->result.revision;
        }
    if (code == SQLITE_OK && deleted_at > 0) {
        sqlite3_bind_int64(writer->mark, 1, (int64_t)deleted_at);
        code = step(writer->mark);
    }
    return code == SQLITE_OK ? step(writer->commit) : code;
}

static bool is_rolled_back(sqlite3 *db)
{
    return sqlite3_get_autocommit(db) != 0 ||
           sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL) == SQLITE_OK;
}

/* Nothing of the group is on the disk, which was full; nor may anything be written later that was
 * queued when the group still counted. */
static void refuse_group(struct sqlite_store *store, const struct txn_list *group)
{
    for (struct txn *txn = group->first; txn != NULL; txn = txn->next) {
        txn->is_refused = true;
        if (txn->era > store->refused_era)
            store->refused_era = txn->era;
    }
}

/* Put zeros behind the log's end, so that commits write inside of the file: a sync that has to make
 * a new size durable as well costs the disk twice. SQLite takes what follows the last whole commit
 * for nothing. It is no more than haste: if it fails, the commit itself will tell. */
static void make_room(struct writer *writer)
{
    static const char zeros[65536];
    sqlite3_file *log = NULL;
    sqlite3_int64 size = 0, end;

    if (writer->wal_pages < ROOM_PAGES_FIRST ||
        writer->wal_pages + ROOM_PAGES_LEFT < writer->room_pages)
        return;
    writer->room_pages = INT_MAX;
    if (sqlite3_file_control(writer->db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log) != SQLITE_OK ||
        log == NULL || log->pMethods == NULL || log->pMethods->xFileSize(log, &size) != SQLITE_OK)
        return;
    for (end = size + ROOM_BYTES; size < end; size += (sqlite3_int64)sizeof zeros)
        if (log->pMethods->xWrite(log, zeros, sizeof zeros, size) != SQLITE_OK)
            return;
    writer->room_pages = (int)((size - WAL_HEAD_BYTES) / WAL_PAGE_BYTES);
}

/* Make a group durable; true also for one that writes nothing. */
static enum sw_rc write_group(struct sqlite_store *store, const struct txn_list *group,
                              uint64_t *ret_written, struct sw_err *err)
{
    uint64_t written = 0;

    for (struct txn *txn = group->first; txn != NULL; txn = txn->next)
        written += txn->count > 0;
    *ret_written = written;
    if (written == 0)
        return SW_OK;
    if (written == 1) /* For a large group twice the bytes weigh more than the size. */
        make_room(&store->writer);
    int code = write_items(&store->writer, group);
    if (code == SQLITE_OK)
        return SW_OK;
    if ((code & 0xff) == SQLITE_FULL && is_rolled_back(store->writer.db)) {
        *ret_written = 0;
        refuse_group(store, group);
        return SW_OK;
    }
    return sw_sqlite_file_error(store->writer.db, code, err, "the store could not be written");
}

/* Copy the log into the file once it is long, after the group it belongs to was acknowledged. A
 * reader (a backup) may hold part of it back, or the disk be full: that is tried again with the
 * next group. */
static enum sw_rc checkpoint(struct writer *writer, struct sw_err *err)
{
    if (writer->wal_pages < CHECKPOINT_PAGES)
        return SW_OK;
    int code = sqlite3_wal_checkpoint_v2(writer->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    if (code == SQLITE_OK || (code & 0xff) == SQLITE_BUSY || (code & 0xff) == SQLITE_FULL)
        return SW_OK;
    return sw_sqlite_file_error(writer->db, code, err,
                                "the store's log could not be copied into its file");
}

void sw_sqlite_writer_post(struct sqlite_store *store)
{
    pthread_mutex_lock(&store->mutex);
    bool is_needed = !store->is_posted && !store->is_stopping;
    store->is_posted |= is_needed;
    pthread_mutex_unlock(&store->mutex);
    if (!is_needed)
        return;
    /* Only memory can be short, and without the post callers would wait for ever. */
    while (store->post.post(store->post.ctx, sw_sqlite_commit_on_wake, store->wake) != SW_OK)
        sched_yield();
}

/* What is queued, of one era: a refused group stays apart from the first one after it. */
static bool take_group(struct sqlite_store *store, struct txn_list *group)
{
    sw_sqlite_txns_init(group);
    pthread_mutex_lock(&store->mutex);
    while (store->queue.first == NULL && !store->is_stopping)
        pthread_cond_wait(&store->work, &store->mutex);
    while (store->queue.first != NULL &&
           (group->first == NULL || store->queue.first->era == group->first->era)) {
        struct txn *txn = store->queue.first;
        store->queue.first = txn->next;
        if (store->queue.first == NULL)
            sw_sqlite_txns_init(&store->queue);
        sw_sqlite_txns_add(group, txn);
    }
    pthread_mutex_unlock(&store->mutex);
    return group->first != NULL;
}

static void hand_back(struct sqlite_store *store, struct txn_list *group, uint64_t written,
                      const struct sw_err *failure)
{
    pthread_mutex_lock(&store->mutex);
    if (failure->rc != SW_OK)
        store->failure = *failure;
    else if (written > 0) {
        store->commits += written;
        store->syncs++;
    }
    sw_sqlite_txns_move(&store->finished, group);
    pthread_mutex_unlock(&store->mutex);
    sw_sqlite_writer_post(store);
}

/* After a failure nothing more is written: what the disk has is no longer known. */
static void give_up(struct sqlite_store *store)
{
    sw_sqlite_mark_suspect(store->system, store->path);
    sqlite3_db_config(store->writer.db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
}

static void *writer_run(void *argument)
{
    struct sqlite_store *store = argument;
    struct txn_list group;
    struct sw_err failure = {0};
    uint64_t written = 0;

    while (take_group(store, &group)) {
        bool had_failed = failure.rc != SW_OK;
        written = 0;
        if (!had_failed && group.first->era <= store->refused_era)
            refuse_group(store, &group);
        else if (!had_failed)
            (void)write_group(store, &group, &written, &failure);
        if (!had_failed && failure.rc != SW_OK)
            give_up(store);
        hand_back(store, &group, written, &failure);
        if (!had_failed && failure.rc == SW_OK && checkpoint(&store->writer, &failure) != SW_OK) {
            give_up(store);
            hand_back(store, &group, 0, &failure);
        }
    }
    return NULL;
}

static int note_wal_pages(void *argument, sqlite3 *db, const char *name, int pages)
{
    struct writer *writer = argument;

    (void)db;
    (void)name;
    writer->wal_pages = pages;
    return SQLITE_OK;
}

static enum sw_rc prepare(struct writer *writer, struct sw_err *err)
{
    const struct {
        sqlite3_stmt **statement;
        const char *sql;
    } all[] = {
        {&writer->begin, "BEGIN IMMEDIATE"},
        {&writer->commit, "COMMIT"},
        {&writer->put, "INSERT INTO objects(key, revision, created, checksum, value)"
                       " VALUES(?1, ?2, ?3, ?4, ?5) ON CONFLICT(key) DO UPDATE SET"
                       " revision = ?2, created = ?3, checksum = ?4, value = ?5"},
        {&writer->delete, "DELETE FROM objects WHERE key = ?1"},
        {&writer->mark, "UPDATE meta SET revision = ?1"},
    };

    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        int code = sqlite3_prepare_v3(writer->db, all[i].sql, -1, SQLITE_PREPARE_PERSISTENT,
                                      all[i].statement, NULL);
        if (code != SQLITE_OK)
            return sw_sqlite_file_error(writer->db, code, err, "preparing the store");
    }
    sqlite3_wal_hook(writer->db, note_wal_pages, writer);
    return SW_OK;
}

enum sw_rc sw_sqlite_writer_start(struct sqlite_store *store, struct sw_err *err)
{
    sigset_t all, before;

    enum sw_rc rc = prepare(&store->writer, err);
    if (rc != SW_OK)
        return rc;
    /* Signals are the loop's business. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int number = pthread_create(&store->thread, NULL, writer_run, store);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return number == 0 ? SW_OK : sw_err_errno(err, number, "the store's writer thread");
}

void sw_sqlite_writer_stop(struct sqlite_store *store)
{
    pthread_mutex_lock(&store->mutex);
    store->is_stopping = true;
    pthread_cond_signal(&store->work);
    pthread_mutex_unlock(&store->mutex);
    pthread_join(store->thread, NULL);
}
