/* What the files of pkg/store/objects share. Threads, I/O, limits: objects.h. */
#pragma once
#include "pkg/store/objects/objects.h"
#include "pkg/store/objects/plan.h"

struct sw_objects {
    struct sw_store *store;
    const struct sw_system *system;
};

/* --- object.c --- */

/* Of any object; both never NULL. */
const char *sw_object_name(const void *object);
const char *sw_object_namespace(const void *object);
/* The machine that the phase in the status of this kind is, and its place in the object; NULL when
 * the kind has none. */
const struct sw_api_enum *sw_object_phase(const struct sw_kind *kind, void *object,
                                          int **ret_phase);
/* Copy the part (`spec`, `status`) of one object over that of another; what it points to is shared.
 */
void sw_object_take_part(const struct sw_kind *kind, void *object, const void *from,
                         const char *part);
/* True when the specs are equal, or the kind has none. */
bool sw_object_has_same_spec(const struct sw_kind *kind, const void *one, const void *other);

/* --- admit.c --- */

struct admission {
    struct sw_objects *objects;
    const struct sw_plan_options *options;
    const struct sw_kind *kind;
};

/* Give an object its apiVersion, kind and namespace, or refuse what does not fit the kind. */
enum sw_rc sw_admit_names(const struct admission *admission, void *object, struct sw_err *err);
/* Template, defaults, validation; old is what is replaced, or NULL. */
enum sw_rc sw_admit_object(const struct admission *admission, const void *old, void *object,
                           struct sw_err *err);
/* The namespace of a new object exists and stays; *ret_revision is its revision. */
enum sw_rc sw_admit_namespace(const struct admission *admission, const char *name,
                              uint64_t *ret_revision, struct sw_err *err);

/* --- plan.c --- */

/* The plan makes, or takes away, some object. */
bool sw_plan_creates(const struct sw_plan *plan);
bool sw_plan_removes(const struct sw_plan *plan);
