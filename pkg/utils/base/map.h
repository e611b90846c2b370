/* A hash map from bytes to pointers (robin-hood probing, SipHash-2-4 with a per-map key).
 *
 * Keys are copied, or are part of the values; values are borrowed. Threads: one at a time.  I/O:
 * none. Limits: the caller bounds how many entries it adds. */
#pragma once
#include "pkg/utils/base/buffer.h"

struct sw_map; /* Opaque. */

struct sw_map_entry { /* Yielded by iteration; valid until the map changes. */
    struct sw_bytes key;
    void *value;
};

/* seed should come from the system's random source when keys come from outside.  NULL: no memory.
 */
struct sw_map *sw_map_new(uint64_t seed);
/* A map whose values hold their keys: an entry takes less than half of the memory. What key_of says
 * of a value is the key that it was put under, and does not move, for as long as it is in there. */
typedef struct sw_bytes sw_map_key_of(const void *value);
struct sw_map *sw_map_new_of(uint64_t seed, sw_map_key_of *key_of);
void sw_map_free(struct sw_map *map); /* Values are not touched. */
SW_DEFINE_CLEANUP(struct sw_map, sw_map_free)
size_t sw_map_count(const struct sw_map *map);

/* The value under the key, or NULL. */
void *sw_map_find(const struct sw_map *map, const void *key, size_t key_size);
/* Put value (not NULL) under the key and return the one it replaces, if any, in *ret_old (may be
 * NULL).  SW_E_EXHAUSTED: no memory, nothing changed. */
SW_MUST_CHECK enum sw_rc sw_map_put(struct sw_map *map, const void *key, size_t key_size,
                                    void *value, void **ret_old);
/* Take the entry out and return its value; NULL when there is none. */
void *sw_map_remove(struct sw_map *map, const void *key, size_t key_size);
/* Visit all entries in no order: start with *cursor 0; false when done. Do not change the map. */
bool sw_map_next(const struct sw_map *map, size_t *cursor, struct sw_map_entry *ret_entry);
