#include "pkg/client/informers/informer.h"

#include "pkg/utils/base/map.h"

#include <stdlib.h>
#include <string.h>

/* Generations tell what a new list no longer has: each entry carries the one it was last told in.
 */
struct entry {
    struct sw_store_item *item; /* One reference. */
    uint64_t generation;
};

struct sw_informer {
    struct sw_objects *objects;
    const struct sw_kind *kind;
    struct sw_informer_handler handler;
    struct sw_object_watch *watch; /* NULL when it ended for good. */
    struct sw_map *entries;        /* Store key to struct entry. */
    uint64_t generation;           /* Of the present list. */
    bool is_listing;               /* Until the first bookmark after a (re)start. */
    bool is_synced;
};

static void tell(struct sw_informer *informer, const struct sw_store_item *before,
                 const struct sw_store_item *now)
{
    struct sw_informer_change change = {.before = before, .now = now};

    informer->handler.on_change(informer->handler.ctx, &change);
}

static void entry_free(struct entry *entry)
{
    sw_store_item_unref(entry->item);
    free(entry);
}

static void forget(struct sw_informer *informer, const char *key)
{
    struct entry *entry = sw_map_remove(informer->entries, key, strlen(key));

    if (entry == NULL)
        return;
    tell(informer, entry->item, NULL);
    entry_free(entry);
}

static struct entry *entry_get(struct sw_informer *informer, const char *key)
{
    struct entry *entry = sw_map_find(informer->entries, key, strlen(key));

    if (entry != NULL)
        return entry;
    entry = calloc(1, sizeof *entry);
    if (entry == NULL || sw_map_put(informer->entries, key, strlen(key), entry, NULL) != SW_OK) {
        free(entry);
        return NULL;
    }
    return entry;
}

static void remember(struct sw_informer *informer, const struct sw_store_item *item)
{
    struct entry *entry = entry_get(informer, item->key);
    struct sw_store_item *before;

    /* Without memory for one more name the daemon cannot go on; the store will say so next. */
    if (entry == NULL)
        return;
    before = entry->item;
    entry->generation = informer->generation;
    if (before != NULL && before->revision == item->revision)
        return; /* Told again by a new list, and unchanged. */
    entry->item = sw_store_item_ref(item);
    tell(informer, before, item);
    sw_store_item_unref(before);
}

/* After a new list: what it did not mention is gone. */
static void sweep(struct sw_informer *informer)
{
    struct sw_map_entry found;
    size_t cursor = 0;

    while (sw_map_next(informer->entries, &cursor, &found)) {
        struct entry *entry = found.value;

        if (entry->generation == informer->generation)
            continue;
        forget(informer, entry->item->key);
        cursor = 0; /* Removal moves entries; a sweep is rare. */
    }
}

static void on_event(void *ctx, const struct sw_object_event *event)
{
    struct sw_informer *informer = ctx;

    switch (event->type) {
    case SW_API_WATCH_EVENT_TYPE_ADDED:
    case SW_API_WATCH_EVENT_TYPE_MODIFIED:
        remember(informer, event->item);
        return;
    case SW_API_WATCH_EVENT_TYPE_DELETED:
        forget(informer, event->item->key);
        return;
    case SW_API_WATCH_EVENT_TYPE_BOOKMARK:
        break;
    case SW_API_WATCH_EVENT_TYPE_UNSPECIFIED:
    default:
        return;
    }
    if (!informer->is_listing)
        return;
    informer->is_listing = false;
    sweep(informer);
    if (informer->is_synced)
        return;
    informer->is_synced = true;
    if (informer->handler.on_synced != NULL)
        informer->handler.on_synced(informer->handler.ctx);
}

static enum sw_rc watch_begin(struct sw_informer *informer, struct sw_err *err);

static void on_end(void *ctx, const struct sw_err *err)
{
    struct sw_informer *informer = ctx;
    struct sw_err why = *err;

    informer->watch = NULL;
    if (err->rc == SW_E_RANGE && watch_begin(informer, &why) == SW_OK)
        return;
    if (informer->handler.on_end != NULL)
        informer->handler.on_end(informer->handler.ctx, &why);
}

static enum sw_rc watch_begin(struct sw_informer *informer, struct sw_err *err)
{
    struct sw_object_query query = {.kind = informer->kind, .namespace_name = "", .name = ""};
    struct sw_object_watcher watcher = {.ctx = informer, .on_event = on_event, .on_end = on_end};

    informer->generation++;
    informer->is_listing = true;
    return sw_objects_watch_start(informer->objects, &query, 0, &watcher, &informer->watch, err);
}

enum sw_rc sw_informer_new(struct sw_objects *objects, const struct sw_kind *kind,
                           const struct sw_informer_handler *handler,
                           struct sw_informer **ret_informer, struct sw_err *err)
{
    SW_CLEANUP(sw_informer_freep) struct sw_informer *informer = calloc(1, sizeof *informer);
    enum sw_rc rc;

    if (informer == NULL || (informer->entries = sw_map_new(0)) == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory to watch %s", kind->plural);
    informer->objects = objects;
    informer->kind = kind;
    informer->handler = *handler;
    rc = watch_begin(informer, err);
    if (rc == SW_OK)
        *ret_informer = SW_TAKE(informer);
    return rc;
}

void sw_informer_free(struct sw_informer *informer)
{
    struct sw_map_entry found;
    size_t cursor = 0;

    if (informer == NULL)
        return;
    if (informer->watch != NULL)
        sw_objects_watch_stop(informer->watch);
    while (informer->entries != NULL && sw_map_next(informer->entries, &cursor, &found))
        entry_free(found.value);
    sw_map_free(informer->entries);
    free(informer);
}

bool sw_informer_is_synced(const struct sw_informer *informer)
{
    return informer->is_synced;
}

const struct sw_kind *sw_informer_kind(const struct sw_informer *informer)
{
    return informer->kind;
}

const struct sw_store_item *sw_informer_find(const struct sw_informer *informer, const char *key)
{
    const struct entry *entry = sw_map_find(informer->entries, key, strlen(key));

    return entry == NULL ? NULL : entry->item;
}

bool sw_informer_next(const struct sw_informer *informer, size_t *cursor,
                      const struct sw_store_item **ret_item)
{
    struct sw_map_entry found;

    if (!sw_map_next(informer->entries, cursor, &found))
        return false;
    *ret_item = ((struct entry *)found.value)->item;
    return true;
}

size_t sw_informer_count(const struct sw_informer *informer)
{
    return sw_map_count(informer->entries);
}
