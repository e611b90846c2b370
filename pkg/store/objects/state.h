/* What the files of pkg/store/objects share. Threads, I/O, limits: objects.h. */
#pragma once
#include "pkg/store/objects/objects.h"
#include "pkg/store/objects/plan.h"

struct sw_objects {
    struct sw_store *store;
    const struct sw_system *system;
    const struct sw_keyring *ring; /* NULL: no Secret is written. */
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

/* --- secret.c --- */

/* Seal the values of a Secret that was found valid; old is what is replaced, or NULL. SW_E_INVALID:
 * mistakes were added to the problems. */
enum sw_rc sw_admit_secret(const struct admission *admission, const struct sw_api_secret *old,
                           struct sw_api_secret *secret, struct sw_problems *problems,
                           struct sw_err *err);
/* Have its status say how its values are sealed.  SW_E_EXHAUSTED: arena full. */
enum sw_rc sw_secret_fill_status(struct sw_api_secret *secret, struct sw_arena *arena,
                                 struct sw_err *err);

/* --- approval.c --- */

/* What only the platform writes is written by nobody else.  SW_E_DENIED: with words. */
enum sw_rc sw_admit_ours(const struct admission *admission, struct sw_err *err);
/* Take the decision in the spec of an Approval, if there is one, into its status; old is what is
 * replaced, or NULL.  SW_E_INVALID, SW_E_DENIED, SW_E_PRECONDITION: it does not count, with words.
 */
enum sw_rc sw_admit_approval(const struct admission *admission, const struct sw_api_approval *old,
                             struct sw_api_approval *approval, struct sw_err *err);

/* --- budget.c --- */

/* Add the Event that a write of the object raises or removes what was bounded, if it does: old
 * becomes next, or is gone (NULL). */
enum sw_rc sw_plan_note_raise(struct sw_plan *plan, const struct sw_kind *kind, const void *old,
                              const void *next, struct sw_err *err);

/* --- plan.c --- */

/* What the plan was begun with. */
const struct sw_plan_options *sw_plan_options_of(const struct sw_plan *plan);
struct sw_objects *sw_plan_objects(const struct sw_plan *plan);

/* The plan makes, or takes away, this object, which a step was given. */
bool sw_plan_creates(const struct sw_plan *plan, const void *object);
bool sw_plan_removes(const struct sw_plan *plan, const void *object);
