#include "pkg/store/store.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "pkg/store/backend.h"

const struct sw_store_limits SW_STORE_LIMITS_DEFAULT = {
    .history_events_max = 65536,
    .history_bytes_max = 32u * 1024 * 1024,
    .queue_txns_max = 16384,
    .queue_bytes_max = 64u * 1024 * 1024,
    .watches_max = 4096,
};

bool sw_store_key_is_valid(const char *key)
{
    size_t size = 0;

    for (; key[size] != '\0'; size++)
        if (size == SW_STORE_KEY_MAX || key[size] <= ' ' || key[size] > '~')
            return false;
    return size > 0;
}

static enum sw_rc check_op(const struct sw_store_op *op, struct sw_err *err)
{
    assert(op->key != NULL);
    if (!sw_store_key_is_valid(op->key))
        return sw_err_set(err, SW_E_INVALID,
                          "a key is 1 to %d bytes of printable ASCII without space: \"%.100s\"",
                          SW_STORE_KEY_MAX, op->key);
    if (op->action == SW_STORE_PUT && op->value.size > SW_STORE_VALUE_MAX)
        return sw_err_set(err, SW_E_INVALID, "%s: a value of %zu bytes is over the limit of %u",
                          op->key, op->value.size, SW_STORE_VALUE_MAX);
    return SW_OK;
}

static int compare_keys(const void *one, const void *other)
{
    return strcmp(*(const char *const *)one, *(const char *const *)other);
}

static enum sw_rc check_repeats(const struct sw_store_txn *txn, struct sw_err *err)
{
    const char *keys[SW_STORE_OPS_MAX];

    if (txn->count < 2)
        return SW_OK;
    for (size_t i = 0; i < txn->count; i++)
        keys[i] = txn->ops[i].key;
    qsort(keys, txn->count, sizeof(keys[0]), compare_keys);
    for (size_t i = 1; i < txn->count; i++)
        if (strcmp(keys[i - 1], keys[i]) == 0)
            return sw_err_set(err, SW_E_INVALID, "%s: named twice in one transaction", keys[i]);
    return SW_OK;
}

enum sw_rc sw_store_commit(struct sw_store *store, const struct sw_store_txn *txn,
                           sw_store_done *done, void *ctx, struct sw_err *err)
{
    assert(store != NULL && txn != NULL && done != NULL);
    assert(txn->count == 0 || txn->ops != NULL);
    if (txn->count > SW_STORE_OPS_MAX)
        return sw_err_set(err, SW_E_INVALID, "a transaction of %zu operations is over the limit %d",
                          txn->count, SW_STORE_OPS_MAX);
    for (size_t i = 0; i < txn->count; i++) {
        enum sw_rc rc = check_op(&txn->ops[i], err);
        if (rc != SW_OK)
            return rc;
    }
    enum sw_rc rc = check_repeats(txn, err);
    if (rc != SW_OK)
        return rc;
    return store->calls->commit(store, txn, done, ctx, err);
}

enum sw_rc sw_store_result_explain(const struct sw_store_result *result,
                                   const struct sw_store_txn *txn, struct sw_err *err)
{
    const struct sw_store_op *op =
        result->failed_op < txn->count ? &txn->ops[result->failed_op] : NULL;

    if (result->rc == SW_OK)
        return SW_OK;
    if (result->rc == SW_E_EXHAUSTED) {
        sw_err_set(err, result->rc, "the disk of the store is full; nothing was written");
        sw_err_hint(err, "make room on the disk of the data folder, and try again");
        return result->rc;
    }
    if (result->rc == SW_E_UNAVAILABLE || op == NULL) {
        sw_err_set(err, result->rc, "the store stopped; whether this was written is unknown");
        sw_err_hint(err, "read again once the daemon is back");
        return result->rc;
    }
    if (result->rc == SW_E_EXISTS)
        return sw_err_set(err, result->rc, "%s exists already, at resourceVersion %" PRIu64,
                          op->key, result->actual_revision);
    if (result->rc == SW_E_NOT_FOUND)
        return sw_err_set(err, result->rc, "%s does not exist", op->key);
    sw_err_set(err, result->rc,
               "%s is at resourceVersion %" PRIu64 ", but the change was made from %" PRIu64,
               op->key, result->actual_revision, op->revision);
    sw_err_hint(err, "read it again and repeat the change");
    return result->rc;
}

uint64_t sw_store_revision(const struct sw_store *store)
{
    return store->calls->revision(store);
}

const struct sw_store_item *sw_store_find(const struct sw_store *store, const char *key)
{
    assert(key != NULL);
    return store->calls->find(store, key);
}

enum sw_rc sw_store_list(const struct sw_store *store, const struct sw_store_list_request *request,
                         sw_store_visit *visit, void *ctx, struct sw_store_list_end *ret_end,
                         struct sw_err *err)
{
    assert(request != NULL && request->prefix != NULL && visit != NULL && ret_end != NULL);
    return store->calls->list(store, request, visit, ctx, ret_end, err);
}

enum sw_rc sw_store_watch_start(struct sw_store *store, const char *prefix, uint64_t revision,
                                const struct sw_store_watcher *watcher,
                                struct sw_store_watch **ret_watch, struct sw_err *err)
{
    assert(prefix != NULL && watcher != NULL && ret_watch != NULL);
    assert(watcher->on_event != NULL && watcher->on_end != NULL);
    if (strlen(prefix) > SW_STORE_KEY_MAX)
        return sw_err_set(err, SW_E_INVALID, "a prefix is at most %d bytes", SW_STORE_KEY_MAX);
    return store->calls->watch_start(store, prefix, revision, watcher, ret_watch, err);
}

void sw_store_watch_stop(struct sw_store *store, struct sw_store_watch *watch)
{
    assert(watch != NULL);
    store->calls->watch_stop(store, watch);
}

void sw_store_watch_pause(struct sw_store *store, struct sw_store_watch *watch)
{
    assert(watch != NULL);
    store->calls->watch_pause(store, watch);
}

void sw_store_watch_resume(struct sw_store *store, struct sw_store_watch *watch)
{
    assert(watch != NULL);
    store->calls->watch_resume(store, watch);
}

void sw_store_view(const struct sw_store *store, struct sw_store_view *ret_view)
{
    *ret_view = (struct sw_store_view){0};
    store->calls->view(store, ret_view);
}

void sw_store_compact(struct sw_store *store, uint64_t revision)
{
    store->calls->compact(store, revision);
}

enum sw_rc sw_store_backup(struct sw_store *store, const char *path, sw_store_backup_done *done,
                           void *ctx, struct sw_err *err)
{
    assert(path != NULL && done != NULL);
    return store->calls->backup(store, path, done, ctx, err);
}

void sw_store_free(struct sw_store *store)
{
    if (store != NULL)
        store->calls->free(store);
}
