/* What a store backend implements; only backends and pkg/store include this.
 *
 * A backend's object begins with struct sw_store. pkg/store has checked every argument before a
 * call gets here: keys, sizes, counts, repeated keys, non-NULL callbacks.
 * Threads, I/O, limits: as store.h. */
#pragma once
#include "pkg/store/store.h"

struct sw_store_calls { /* Each as the function of the same name in store.h. */
    enum sw_rc (*commit)(struct sw_store *store, const struct sw_store_txn *txn,
                         sw_store_done *done, void *ctx, struct sw_err *err);
    uint64_t (*revision)(const struct sw_store *store);
    const struct sw_store_item *(*find)(const struct sw_store *store, const char *key);
    enum sw_rc (*list)(const struct sw_store *store, const struct sw_store_list_request *request,
                       sw_store_visit *visit, void *ctx, struct sw_store_list_end *ret_end,
                       struct sw_err *err);
    enum sw_rc (*watch_start)(struct sw_store *store, const char *prefix, uint64_t revision,
                              const struct sw_store_watcher *watcher,
                              struct sw_store_watch **ret_watch, struct sw_err *err);
    void (*watch_stop)(struct sw_store *store, struct sw_store_watch *watch);
    void (*watch_pause)(struct sw_store *store, struct sw_store_watch *watch);
    void (*watch_resume)(struct sw_store *store, struct sw_store_watch *watch);
    void (*view)(const struct sw_store *store, struct sw_store_view *ret_view);
    void (*compact)(struct sw_store *store, uint64_t revision);
    enum sw_rc (*backup)(struct sw_store *store, const char *path, sw_store_backup_done *done,
                         void *ctx, struct sw_err *err);
    void (*free)(struct sw_store *store);
};

struct sw_store {
    const struct sw_store_calls *calls; /* Static. */
};

/* A version with its own copies of key and value, one reference; NULL when memory is out.
 * A NULL value->data with size 0 and is_deleted makes a tombstone. */
struct sw_store_item_options {
    uint64_t revision, created_revision;
    bool is_deleted;
    const char *key;
    struct sw_bytes value;
};
struct sw_store_item *sw_store_item_new(const struct sw_store_item_options *options);

/* True for 1 to SW_STORE_KEY_MAX bytes of printable ASCII without space. */
bool sw_store_key_is_valid(const char *key);

/* The continue token for the key after which a list at `revision` goes on, and back.
 * SW_E_INVALID: not a token that was made here.  SW_E_EXHAUSTED: no memory. */
SW_MUST_CHECK enum sw_rc sw_store_token_print(uint64_t revision, const char *after,
                                              char ret_token[SW_STORE_TOKEN_MAX]);
SW_MUST_CHECK enum sw_rc sw_store_token_parse(const char *token, uint64_t *ret_revision,
                                              char ret_after[SW_STORE_KEY_MAX + 1],
                                              struct sw_err *err);
