/* Work with values of any kind or message through their descriptors.
 *
 * An object is a `struct sw_api_<kind>`; all kinds begin with api_version, kind and metadata. A
 * value and everything that it points to live in one arena. A value may also be built by hand from
 * {0}: NULL texts count as "". Threads: pure functions.  I/O: none. */
#pragma once
#include "pkg/apis/swarm/v1/descriptor.h"
#include "pkg/apis/swarm/v1/types.h" /* Generated. */
#include "pkg/utils/base/arena.h"

/* A new object with apiVersion and kind set and everything else empty; NULL when arena is full. */
void *sw_object_new(const struct sw_kind *kind, struct sw_arena *arena);
/* Make *value empty: zeros and "" texts, also inside of nested messages. */
void sw_api_init(const struct sw_api_message *message, void *value);

/* The metadata of an object of any kind. */
struct sw_api_object_meta *sw_object_meta(void *object);
const struct sw_api_object_meta *sw_object_meta_of(const void *object);
/* The kind that the object says it is, or NULL. */
const struct sw_kind *sw_object_kind(const void *object);
/* The part `spec` or `status` of an object and its message; NULL when the kind has none. */
void *sw_object_part(const struct sw_kind *kind, void *object, const char *part,
                     const struct sw_api_message **ret_message);

/* A deep copy into the arena.  SW_E_EXHAUSTED: the arena is full; *ret_copy is then unusable. */
SW_MUST_CHECK enum sw_rc sw_api_copy(const struct sw_api_message *message, const void *value,
                                     struct sw_arena *arena, void *ret_copy);
/* A deep copy of an object; NULL when the arena is full. */
void *sw_object_copy(const struct sw_kind *kind, const void *object, struct sw_arena *arena);
/* Same content; the order of repeated fields counts, that of maps does not. */
bool sw_api_is_equal(const struct sw_api_message *message, const void *one, const void *other);
/* Nothing in it is set. */
bool sw_api_is_empty(const struct sw_api_message *message, const void *value);
/* Fill what is not set in `into` from `from`, also inside of nested messages; repeated fields and
 * maps only when they are empty. What is pointed to is shared, not copied. */
void sw_api_fill_missing(const struct sw_api_message *message, void *into, const void *from);

/* The value under a key, or NULL. */
const char *sw_api_pair_find(const struct sw_api_pair *pairs, size_t count, const char *key);
/* Put a key (copied) into a map of the object, replacing its value.  SW_E_EXHAUSTED: arena full. */
SW_MUST_CHECK enum sw_rc sw_api_pair_put(struct sw_api_pair **pairs, size_t *count, const char *key,
                                         const char *value, struct sw_arena *arena);
bool sw_object_has_finalizer(const void *object, const char *name);
/* Add or remove a finalizer; adding one that is there, or removing one that is not, does nothing.
 */
SW_MUST_CHECK enum sw_rc sw_object_add_finalizer(void *object, const char *name,
                                                 struct sw_arena *arena);
void sw_object_remove_finalizer(void *object, const char *name);
/* The owner that controls the object, or NULL. */
const struct sw_api_owner_reference *sw_object_controller(const void *object);

/* The condition of this type, or NULL. */
const struct sw_api_condition *sw_condition_find(const struct sw_api_condition *conditions,
                                                 size_t count, const char *type);
/* Set the condition of this type in the list, adding it when it is missing. The transition time of
 * `condition` (when the change happened) is taken over only if the status changes. Texts are
 * borrowed from `condition`.  SW_E_EXHAUSTED: arena full. */
SW_MUST_CHECK enum sw_rc sw_condition_put(struct sw_api_condition **conditions, size_t *count,
                                          const struct sw_api_condition *condition,
                                          struct sw_arena *arena);
