/* A hash map from numbers to pointers, for ids that the program itself gives: half the memory of a
 * sw_map, and numbers that follow one another stand next to each other (robin-hood probing).
 *
 * Whoever can choose numbers at will could make it slow; those who come from outside belong into a
 * sw_map. Values are borrowed. Threads: one at a time.  I/O: none.
 * Limits: the caller bounds how many entries it adds. */
#pragma once
#include "pkg/utils/errors/errors.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sw_idmap; /* Opaque. */

/* Ids that differ in more than their lowest skip_bits (below 64) count as following one another:
 * id >> skip_bits does. Different ids may agree in the rest. NULL: no memory. */
struct sw_idmap *sw_idmap_new(uint64_t seed, unsigned skip_bits);
void sw_idmap_free(struct sw_idmap *map); /* Values are not touched. */
SW_DEFINE_CLEANUP(struct sw_idmap, sw_idmap_free)
size_t sw_idmap_count(const struct sw_idmap *map);

/* The value under the id, or NULL. */
void *sw_idmap_find(const struct sw_idmap *map, uint64_t id);
/* Have the memory near in which the id would be found. */
void sw_idmap_prefetch(const struct sw_idmap *map, uint64_t id);
/* Put value (not NULL) under the id and return the one it replaces, if any, in *ret_old (may be
 * NULL).  SW_E_EXHAUSTED: no memory, nothing changed. */
SW_MUST_CHECK enum sw_rc sw_idmap_put(struct sw_idmap *map, uint64_t id, void *value,
                                      void **ret_old);
/* Take the entry out and return its value; NULL when there is none. */
void *sw_idmap_remove(struct sw_idmap *map, uint64_t id);
/* Visit all entries in no order: start with *cursor 0; false when done. Do not change the map.
 * ret_id may be NULL. */
bool sw_idmap_next(const struct sw_idmap *map, size_t *cursor, uint64_t *ret_id, void **ret_value);
