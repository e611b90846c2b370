/* Decoded objects of a kind, as the store has them now, for reconcile passes.
 *
 * Reads come from the store's memory, so a lister keeps nothing; what it returns lives in the
 * caller's arena. An object that cannot be decoded fails the whole list: a controller must not act
 * on half a view.
 * Threads: the loop's.  I/O: none.  Limits: the arena's. */
#pragma once
#include "pkg/store/objects/objects.h"

struct sw_lister_query {
    const struct sw_kind *kind;
    const char *namespace_name; /* NULL: all. */
    const char *name_prefix;    /* NULL: all; needs a namespace. */
    const char *owner_uid;      /* NULL: all; otherwise those whose controller has this uid. */
};

struct sw_lister_items {
    void **items; /* Objects, ordered by namespace and name. */
    size_t count;
};

/* SW_E_CORRUPT: an object cannot be decoded.  SW_E_EXHAUSTED: the arena is full. */
SW_MUST_CHECK enum sw_rc sw_lister_list(const struct sw_objects *objects,
                                        const struct sw_lister_query *query, struct sw_arena *arena,
                                        struct sw_lister_items *ret_items, struct sw_err *err);
/* The object, or NULL in *ret_object when there is none (which is not an error). */
SW_MUST_CHECK enum sw_rc sw_lister_find(const struct sw_objects *objects,
                                        const struct sw_kind *kind, const char *namespace_name,
                                        const char *name, struct sw_arena *arena, void **ret_object,
                                        struct sw_err *err);
