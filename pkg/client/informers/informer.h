/* A kind's objects as the store has them now, kept by watching, and word of every change.
 *
 * Level-driven: what counts is what the cache shows; a change may be told late or several at once,
 * and after a watch that fell behind, everything is told again. Items are shared with the store,
 * not copied. Threads: the loop's; the handler may read the cache and write to the store.  I/O: the
 * store's. Limits: the objects of the kind. */
#pragma once
#include "pkg/store/objects/query.h"

struct sw_informer; /* Opaque. */

struct sw_informer_change { /* Borrowed for the call. One of the two is NULL at birth and end. */
    const struct sw_store_item *before, *now;
};

struct sw_informer_handler {
    void *ctx;
    void (*on_change)(void *ctx, const struct sw_informer_change *change);
    /* All that was there at the start has been told. Once. May be NULL. */
    void (*on_synced)(void *ctx);
    /* The store closes, or no watch is to be had: nothing more will be told. May be NULL. */
    void (*on_end)(void *ctx, const struct sw_err *err);
};

/* Begin to watch. objects is borrowed and outlives the informer.
 * SW_E_EXHAUSTED: no memory or no watch left. */
SW_MUST_CHECK enum sw_rc sw_informer_new(struct sw_objects *objects, const struct sw_kind *kind,
                                         const struct sw_informer_handler *handler,
                                         struct sw_informer **ret_informer, struct sw_err *err);
void sw_informer_free(struct sw_informer *informer);
SW_DEFINE_CLEANUP(struct sw_informer, sw_informer_free)
bool sw_informer_is_synced(const struct sw_informer *informer);
const struct sw_kind *sw_informer_kind(const struct sw_informer *informer);

/* One object of the cache by its store key, or NULL; borrowed until the handler's next change. */
const struct sw_store_item *sw_informer_find(const struct sw_informer *informer, const char *key);
/* Visit all, in no order. Start with *cursor 0. */
bool sw_informer_next(const struct sw_informer *informer, size_t *cursor,
                      const struct sw_store_item **ret_item);
size_t sw_informer_count(const struct sw_informer *informer);
