/* Typed reads from an informer's cache: one object, or all of a namespace, decoded into an arena.
 *
 * Threads: the loop's.  I/O: none.  Limits: the arena's. */
#pragma once
#include "pkg/client/informers/informer.h"

/* Decode one object. namespace_name "" for kinds outside of namespaces.
 * SW_E_NOT_FOUND: the cache does not have it.  SW_E_CORRUPT, SW_E_EXHAUSTED: as sw_object_of_item.
 */
SW_MUST_CHECK enum sw_rc sw_lister_get(const struct sw_informer *informer,
                                       const char *namespace_name, const char *name,
                                       struct sw_arena *arena, void **ret_object,
                                       struct sw_err *err);

struct sw_lister_objects {
    void **items; /* In the arena, ordered by namespace and name. */
    size_t count;
};
/* Decode all objects of a namespace (NULL: of all). Errors as sw_lister_get but NOT_FOUND. */
SW_MUST_CHECK enum sw_rc sw_lister_list(const struct sw_informer *informer,
                                        const char *namespace_name, struct sw_arena *arena,
                                        struct sw_lister_objects *ret_objects, struct sw_err *err);
