/* Tells a controller which objects of a kind it should look at: every one at the start, then each
 * that changes; after falling behind the kept history, every one again.
 *
 * It says where to look, not what happened: handlers put a name into a work queue and read the
 * state when its turn comes.
 * Threads: the loop's.  I/O: none.  Limits: the store's. */
#pragma once
#include "pkg/store/objects/query.h"
#include "pkg/utils/logger/logger.h"

struct sw_informer; /* Opaque. */

struct sw_informer_change { /* Borrowed for the call. */
    const struct sw_kind *kind;
    const struct sw_store_item *item; /* As it is now, or as it was before it went. */
    bool is_gone;
};

struct sw_informer_handler {
    void *ctx;
    void (*on_change)(void *ctx, const struct sw_informer_change *change);
    /* Everything that there is has been told. Objects that went while the informer was behind are
     * not told of, so look through what you remember. May be NULL. */
    void (*on_sync)(void *ctx);
};

struct sw_informer_options {
    struct sw_objects *objects;
    const struct sw_kind *kind;
    const struct sw_logger *logger; /* May be NULL. */
    struct sw_informer_handler handler;
};

/* SW_E_EXHAUSTED: no memory, or too many watches. */
SW_MUST_CHECK enum sw_rc sw_informer_start(const struct sw_informer_options *options,
                                           struct sw_informer **ret_informer, struct sw_err *err);
void sw_informer_stop(struct sw_informer *informer); /* NULL is allowed. No callback follows. */
/* Split a key of the store, "plural/namespace/name", at its slashes: where namespace and name
 * begin. */
void sw_informer_split(const char *key, const char **ret_namespace, const char **ret_name);
