#include "pkg/store/sqlite/sqlite.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pkg/store/sqlite/state.h"

static struct sqlite_store *of(struct sw_store *store)
{
    return (struct sqlite_store *)(void *)store;
}

static const struct sqlite_store *of_const(const struct sw_store *store)
{
    return (const struct sqlite_store *)(const void *)store;
}

static enum sw_rc on_commit(struct sw_store *store, const struct sw_store_txn *txn,
                            sw_store_done *done, void *ctx, struct sw_err *err)
{
    return sw_sqlite_commit_queue(of(store), txn, done, ctx, err);
}

static uint64_t on_revision(const struct sw_store *store)
{
    return sw_memory_revision(of_const(store)->memory);
}

static const struct sw_store_item *on_find(const struct sw_store *store, const char *key)
{
    return sw_memory_find(of_const(store)->memory, key);
}

static enum sw_rc on_list(const struct sw_store *store, const struct sw_store_list_request *request,
                          sw_store_visit *visit, void *ctx, struct sw_store_list_end *ret_end,
                          struct sw_err *err)
{
    return sw_memory_list(of_const(store)->memory, request, visit, ctx, ret_end, err);
}

static enum sw_rc on_watch_start(struct sw_store *store, const char *prefix, uint64_t revision,
                                 const struct sw_store_watcher *watcher,
                                 struct sw_store_watch **ret_watch, struct sw_err *err)
{
    enum sw_rc rc =
        sw_memory_watch_start(of(store)->memory, prefix, revision, watcher, ret_watch, err);

    if (rc == SW_OK)
        sw_sqlite_writer_post(of(store));
    return rc;
}

static void on_watch_stop(struct sw_store *store, struct sw_store_watch *watch)
{
    sw_memory_watch_stop(of(store)->memory, watch);
}

static void on_watch_pause(struct sw_store *store, struct sw_store_watch *watch)
{
    (void)store;
    sw_memory_watch_pause(watch);
}

static void on_watch_resume(struct sw_store *store, struct sw_store_watch *watch)
{
    sw_memory_watch_resume(watch);
    sw_sqlite_writer_post(of(store));
}

static void on_view(const struct sw_store *base, struct sw_store_view *ret_view)
{
    /* The mutex is no part of the state that const speaks of. */
    struct sqlite_store *store = of((struct sw_store *)(uintptr_t)base);

    sw_memory_view(store->memory, ret_view);
    ret_view->queued_txns = store->queued_txns;
    pthread_mutex_lock(&store->mutex);
    ret_view->commits = store->commits;
    ret_view->syncs = store->syncs;
    pthread_mutex_unlock(&store->mutex);
}

static void on_compact(struct sw_store *store, uint64_t revision)
{
    sw_memory_compact(of(store)->memory, revision);
    sw_sqlite_writer_post(of(store)); /* Watches that it passed end. */
}

static enum sw_rc on_backup(struct sw_store *store, const char *path, sw_store_backup_done *done,
                            void *ctx, struct sw_err *err)
{
    return sw_sqlite_backup_start(of(store), path, done, ctx, err);
}

static void close_writer(struct writer *writer)
{
    sqlite3_finalize(writer->begin);
    sqlite3_finalize(writer->commit);
    sqlite3_finalize(writer->put);
    sqlite3_finalize(writer->delete);
    sqlite3_finalize(writer->mark);
    sw_sqlite_file_close(writer->db);
}

/* For half-opened stores too, whose thread does not run. */
static void release(struct sqlite_store *store)
{
    close_writer(&store->writer);
    sw_sqlite_file_close(store->lock_db);
    sw_memory_free(store->memory);
    sw_map_free(store->staged);
    pthread_cond_destroy(&store->work);
    pthread_mutex_destroy(&store->mutex);
    free(store->wake);
    free(store);
}

static void on_free(struct sw_store *base)
{
    struct sqlite_store *store = of(base);

    assert(!store->is_completing);
    store->is_closing = true;
    sw_sqlite_writer_stop(store);
    sw_sqlite_backup_complete(store, true);
    bool is_posted = store->is_posted;
    sw_sqlite_commit_complete(store);
    if (is_posted) /* The post is still to come. */
        sw_sqlite_wake_retire(SW_TAKE(store->wake));
    release(store);
}

static const struct sw_store_calls CALLS = {
    .commit = on_commit,
    .revision = on_revision,
    .find = on_find,
    .list = on_list,
    .watch_start = on_watch_start,
    .watch_stop = on_watch_stop,
    .watch_pause = on_watch_pause,
    .watch_resume = on_watch_resume,
    .view = on_view,
    .compact = on_compact,
    .backup = on_backup,
    .free = on_free,
};

static enum sw_rc load_item(void *ctx, struct sw_store_item *item, struct sw_err *err)
{
    struct sqlite_store *store = ctx;

    if (sw_memory_load(store->memory, item) != SW_OK)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for the store's items");
    return SW_OK;
}

static enum sw_rc load(struct sqlite_store *store, struct sw_err *err)
{
    struct sw_sqlite_report report;

    enum sw_rc rc = sw_sqlite_file_read_items(store->writer.db, load_item, store, &report, err);
    if (rc != SW_OK)
        return sw_err_context(err, "%s", store->path);
    sw_memory_start(store->memory, report.revision);
    store->next_revision = report.revision + 1;
    store->era = 1;
    return SW_OK;
}

static struct sqlite_store *make_store(const struct sw_sqlite_options *options)
{
    struct sqlite_store *store = calloc(1, sizeof(*store));
    uint64_t seeds[2];

    if (store == NULL)
        return NULL;
    options->system->random(options->system->ctx, seeds, sizeof(seeds));
    store->base.calls = &CALLS;
    store->system = options->system;
    store->post = options->post;
    store->limits = options->limits == NULL ? SW_STORE_LIMITS_DEFAULT : *options->limits;
    store->on_fatal = options->on_fatal;
    store->ctx = options->ctx;
    memcpy(store->path, options->path, strlen(options->path) + 1);
    pthread_mutex_init(&store->mutex, NULL);
    pthread_cond_init(&store->work, NULL);
    sw_sqlite_txns_init(&store->queue);
    sw_sqlite_txns_init(&store->finished);
    store->memory = sw_memory_new(&store->limits, seeds[0]);
    store->staged = sw_map_new(seeds[1]);
    store->wake = malloc(sizeof(*store->wake));
    if (store->memory == NULL || store->staged == NULL || store->wake == NULL) {
        release(store);
        return NULL;
    }
    store->wake->store = store;
    return store;
}

enum sw_rc sw_sqlite_open(const struct sw_sqlite_options *options, struct sw_store **ret_store,
                          struct sw_err *err)
{
    assert(options->system != NULL && options->path != NULL && options->post.post != NULL);
    assert(options->on_fatal != NULL);
    if (strlen(options->path) >= SW_PATH_MAX - 16)
        return sw_err_set(err, SW_E_INVALID, "the store's path is too long");
    struct sqlite_store *store = make_store(options);
    if (store == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for the store");

    enum sw_rc rc = sw_sqlite_file_lock(store->system, store->path, &store->lock_db, err);
    if (rc == SW_OK)
        rc = sw_sqlite_file_open_writer(store->system, store->path, options->vfs, &store->writer.db,
                                        err);
    if (rc == SW_OK)
        rc = load(store, err);
    if (rc == SW_OK)
        rc = sw_sqlite_writer_start(store, err);
    if (rc != SW_OK) {
        release(store);
        return rc;
    }
    *ret_store = &store->base;
    return SW_OK;
}
