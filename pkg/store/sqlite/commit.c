#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "pkg/store/sqlite/state.h"

/* --- Staging ---------------------------------------------------------------------------------- */

/* The version that a condition is compared with: the newest queued, else the newest durable. */
static const struct sw_store_item *newest_of(const struct sqlite_store *store, const char *key)
{
    const struct sw_store_item *item = sw_map_find(store->staged, key, strlen(key));

    if (item == NULL)
        item = sw_memory_find(store->memory, key);
    return item == NULL || item->is_deleted ? NULL : item;
}

static enum sw_rc check_condition(const struct sw_store_op *op, const struct sw_store_item *item)
{
    switch (op->condition) {
    case SW_STORE_ANY:
        return SW_OK;
    case SW_STORE_ABSENT:
        return item == NULL ? SW_OK : SW_E_EXISTS;
    case SW_STORE_PRESENT:
        return item != NULL ? SW_OK : SW_E_NOT_FOUND;
    case SW_STORE_AT_REVISION:
        return item == NULL                     ? SW_E_NOT_FOUND
               : item->revision == op->revision ? SW_OK
                                                : SW_E_CONFLICT;
    }
    return SW_E_INTERNAL;
}

/* All conditions before any effect. */
static void check_conditions(const struct sqlite_store *store, const struct sw_store_txn *txn,
                             struct sw_store_result *result)
{
    for (size_t i = 0; i < txn->count && result->rc == SW_OK; i++) {
        const struct sw_store_item *item = newest_of(store, txn->ops[i].key);
        result->rc = check_condition(&txn->ops[i], item);
        result->failed_op = i;
        result->actual_revision = item == NULL ? 0 : item->revision;
    }
    if (result->rc == SW_OK) {
        result->failed_op = 0;
        result->actual_revision = 0;
    }
}

static bool has_effect(const struct sqlite_store *store, const struct sw_store_op *op)
{
    return op->action == SW_STORE_PUT ||
           (op->action == SW_STORE_DELETE && newest_of(store, op->key) != NULL);
}

static void txn_free(struct txn *txn)
{
    for (size_t i = 0; i < txn->count; i++)
        sw_store_item_unref(txn->items[i]);
    free(txn);
}

static struct sw_store_item *make_item(const struct sqlite_store *store,
                                       const struct sw_store_op *op, uint64_t revision)
{
    const struct sw_store_item *before = newest_of(store, op->key);
    bool is_deleted = op->action == SW_STORE_DELETE;

    return sw_store_item_new(&(struct sw_store_item_options){
        .key = op->key,
        .revision = revision,
        .created_revision = before == NULL ? revision : before->created_revision,
        .is_deleted = is_deleted,
        .value = is_deleted ? (struct sw_bytes){0} : op->value,
    });
}

/* The items of a transaction whose conditions hold; NULL when memory is out. */
static struct txn *make_txn(const struct sqlite_store *store, const struct sw_store_txn *wanted,
                            bool is_accepted)
{
    size_t count_max = is_accepted ? wanted->count : 0;
    struct txn *txn = calloc(1, sizeof(*txn) + count_max * sizeof(txn->items[0]));

    if (txn == NULL)
        return NULL;
    for (size_t i = 0; i < count_max; i++) {
        const struct sw_store_op *op = &wanted->ops[i];
        if (!has_effect(store, op))
            continue;
        struct sw_store_item *item = make_item(store, op, store->next_revision);
        if (item == NULL) {
            txn_free(txn);
            return NULL;
        }
        txn->items[txn->count++] = item;
        txn->bytes += sizeof(*item) + strlen(op->key) + item->value.size;
    }
    return txn;
}

static void unstage(struct sqlite_store *store, const struct sw_store_item *item)
{
    size_t size = strlen(item->key);

    if (sw_map_find(store->staged, item->key, size) == item)
        sw_map_remove(store->staged, item->key, size);
}

/* Later conditions see the items. Putting an older entry back needs no memory, so a failure leaves
 * the map as it was. */
static enum sw_rc stage(struct sqlite_store *store, const struct txn *txn)
{
    void *before[SW_STORE_OPS_MAX];
    enum sw_rc rc = SW_OK;
    size_t count = 0;

    for (; count < txn->count && rc == SW_OK; count++) {
        const char *key = txn->items[count]->key;
        before[count] = NULL;
        rc = sw_map_put(store->staged, key, strlen(key), txn->items[count], &before[count]);
    }
    if (rc == SW_OK)
        return SW_OK;
    while (--count > 0) {
        const char *key = txn->items[count - 1]->key;
        if (before[count - 1] == NULL)
            sw_map_remove(store->staged, key, strlen(key));
        else if (sw_map_put(store->staged, key, strlen(key), before[count - 1], NULL) != SW_OK)
            assert(0 && "replacing an entry needs no memory");
    }
    return rc;
}

static void fail(struct sqlite_store *store, const struct sw_err *err)
{
    if (store->has_failed)
        return;
    store->has_failed = true;
    store->on_fatal(store->ctx, err);
}

static enum sw_rc out_of_memory(struct sw_err *err)
{
    return sw_err_set(err, SW_E_EXHAUSTED, "the store has no memory for this transaction");
}

static void enqueue(struct sqlite_store *store, struct txn *txn)
{
    store->queued_txns++;
    store->queued_bytes += txn->bytes;
    pthread_mutex_lock(&store->mutex);
    sw_sqlite_txns_add(&store->queue, txn);
    pthread_cond_signal(&store->work);
    pthread_mutex_unlock(&store->mutex);
}

enum sw_rc sw_sqlite_commit_queue(struct sqlite_store *store, const struct sw_store_txn *wanted,
                                  sw_store_done *done, void *ctx, struct sw_err *err)
{
    struct sw_store_result result = {0};

    if (store->has_failed)
        return sw_err_set(err, SW_E_UNAVAILABLE, "the store has stopped after a failed write");
    if (store->is_closing)
        return sw_err_set(err, SW_E_UNAVAILABLE, "the store is closing");
    if (store->queued_txns >= store->limits.queue_txns_max ||
        store->queued_bytes >= store->limits.queue_bytes_max) {
        sw_err_set(err, SW_E_EXHAUSTED, "the store has %zu transactions waiting for the disk",
                   store->queued_txns);
        sw_err_hint(err, "try again in a moment");
        return SW_E_EXHAUSTED;
    }
    check_conditions(store, wanted, &result);
    struct txn *txn = make_txn(store, wanted, result.rc == SW_OK);
    if (txn == NULL)
        return out_of_memory(err);
    if (stage(store, txn) != SW_OK) {
        txn_free(txn);
        return out_of_memory(err);
    }
    if (txn->count > 0)
        store->next_revision++;
    result.revision = store->next_revision - 1;
    txn->result = result;
    txn->era = store->era;
    txn->done = done;
    txn->ctx = ctx;
    enqueue(store, txn);
    return SW_OK;
}

/* --- Completion --------------------------------------------------------------------------------
 */

static void take_finished(struct sqlite_store *store, struct txn_list *finished,
                          struct sw_err *ret_failure)
{
    sw_sqlite_txns_init(finished);
    pthread_mutex_lock(&store->mutex);
    store->is_posted = false;
    sw_sqlite_txns_move(finished, &store->finished);
    *ret_failure = store->failure;
    pthread_mutex_unlock(&store->mutex);
}

static enum sw_rc apply(struct sqlite_store *store, const struct txn *txn)
{
    for (size_t i = 0; i < txn->count; i++) {
        enum sw_rc rc = sw_memory_apply(store->memory, txn->items[i]);
        unstage(store, txn->items[i]);
        if (rc != SW_OK)
            return rc;
    }
    return SW_OK;
}

/* Conditions were checked against what was staged, and that is void from the first refused
 * transaction on: the writer refuses whatever else was queued in this era. */
static void begin_era(struct sqlite_store *store)
{
    struct sw_map_entry found;
    size_t cursor = 0;

    while (cursor = 0, sw_map_next(store->staged, &cursor, &found))
        (void)sw_map_remove(store->staged, found.key.data, found.key.size);
    store->next_revision = sw_memory_revision(store->memory) + 1;
    store->era++;
}

static void apply_all(struct sqlite_store *store, const struct txn_list *finished)
{
    bool is_refused = false;

    uint64_t revision = sw_memory_revision(store->memory);
    struct sw_err err = {0};

    for (struct txn *txn = finished->first; txn != NULL; txn = txn->next) {
        if (txn->is_refused) {
            is_refused = is_refused || txn->era == store->era;
            continue;
        }
        if (apply(store, txn) != SW_OK) {
            sw_err_set(&err, SW_E_EXHAUSTED, "no memory to show what the store wrote");
            fail(store, &err);
            return;
        }
        if (txn->count > 0)
            revision = txn->result.revision;
    }
    sw_memory_publish(store->memory, revision);
    if (is_refused)
        begin_era(store);
}

static void acknowledge(struct sqlite_store *store, struct txn_list *finished)
{
    while (finished->first != NULL) {
        struct txn *txn = finished->first;
        finished->first = txn->next;
        store->queued_txns--;
        store->queued_bytes -= txn->bytes;
        if (store->has_failed)
            txn->result = (struct sw_store_result){.rc = SW_E_UNAVAILABLE};
        else if (txn->is_refused)
            txn->result = (struct sw_store_result){.rc = SW_E_EXHAUSTED};
        txn->done(txn->ctx, &txn->result);
        txn_free(txn);
    }
}

void sw_sqlite_commit_complete(struct sqlite_store *store)
{
    struct txn_list finished;
    struct sw_err failure;

    assert(!store->is_completing);
    store->is_completing = true;
    take_finished(store, &finished, &failure);
    if (failure.rc != SW_OK)
        fail(store, &failure);
    if (!store->has_failed)
        apply_all(store, &finished);
    acknowledge(store, &finished);
    sw_memory_dispatch(store->memory);
    store->is_completing = false;
}

/* Wakes whose store was closed while their post was under way. A loop that ends drops its posts, so
 * some stay here, a few bytes each, for as long as the loop's thread lives. */
static _Thread_local struct wake *retired;

void sw_sqlite_wake_retire(struct wake *wake)
{
    wake->store = NULL;
    wake->next = retired;
    retired = wake;
}

static void forget_wake(struct wake *wake)
{
    struct wake **place = &retired;

    while (*place != NULL && *place != wake)
        place = &(*place)->next;
    if (*place == wake)
        *place = wake->next;
    free(wake);
}

void sw_sqlite_commit_on_wake(void *argument)
{
    struct wake *wake = argument;

    if (wake->store == NULL) {
        forget_wake(wake);
        return;
    }
    sw_sqlite_commit_complete(wake->store);
    sw_sqlite_backup_complete(wake->store, false);
}
