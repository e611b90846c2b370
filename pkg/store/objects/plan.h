/* A transaction over API objects, built step by step and committed once.
 *
 * Each step applies the rules of metadata (objects.h) and adds an operation whose condition is the
 * revision that was read, so a stale plan fails with SW_E_CONFLICT instead of overwriting. Steps
 * change the object that they are given (uid, generation, times); after a commit that succeeded its
 * resource_version is that of the write.
 *
 * Threads: the loop's.  I/O: none here.  Limits: SW_STORE_OPS_MAX steps; one step for each object.
 */
#pragma once
#include "pkg/apis/swarm/v1/problem.h"
#include "pkg/apis/swarm/v1/tree.h"
#include "pkg/store/objects/objects.h"

struct sw_plan; /* Opaque; lives in its arena. */

struct sw_plan_options {
    struct sw_arena *arena;       /* Holds the plan and the encoded objects; outlives it. */
    struct sw_problems *problems; /* All mistakes of validation; NULL: only the first, in err. */
    const struct sw_tree *tree;   /* Places of problems; may be NULL. */
    const char *file;             /* For problems; NULL: none. */
    const char *actor;            /* Who it is for, for Events; NULL: the platform itself. */
};

/* An empty plan; NULL when the arena is full. */
struct sw_plan *sw_plan_new(struct sw_objects *objects, const struct sw_plan_options *options);

/* Admit and add a new object: template, defaults, validation, uid, generation 1, first phase.
 * SW_E_INVALID       mistakes in it (err has the first)
 * SW_E_NOT_FOUND     its namespace does not exist
 * SW_E_PRECONDITION  its namespace is being deleted
 * SW_E_EXHAUSTED     arena or plan full; also as the next three
 * That the name is taken shows at the commit, as SW_E_EXISTS. */
SW_MUST_CHECK enum sw_rc sw_plan_create(struct sw_plan *plan, const struct sw_kind *kind,
                                        void *object, struct sw_err *err);
/* Replace metadata and spec. resource_version 0 means the newest that is there. What is unchanged
 * is not written. Removing the last finalizer of an object that is being deleted deletes it.
 * SW_E_NOT_FOUND     it does not exist
 * SW_E_CONFLICT      resource_version or uid is not what is there
 * SW_E_PRECONDITION  a finalizer was added to an object that is being deleted */
SW_MUST_CHECK enum sw_rc sw_plan_update(struct sw_plan *plan, const struct sw_kind *kind,
                                        void *object, struct sw_err *err);
/* Replace the status, and nothing else.  SW_E_UNSUPPORTED: the kind has none.
 * SW_E_PRECONDITION: a move that its state machine does not have. Otherwise as update. */
SW_MUST_CHECK enum sw_rc sw_plan_update_status(struct sw_plan *plan, const struct sw_kind *kind,
                                               void *object, struct sw_err *err);
/* Create, or replace the spec: labels and annotations are added to those that are there, and
 * finalizers and owners stay unless given. Errors as the two above. */
SW_MUST_CHECK enum sw_rc sw_plan_apply(struct sw_plan *plan, const struct sw_kind *kind,
                                       void *object, struct sw_err *err);
/* Delete, or, while it has finalizers, set its deletionTimestamp. *object's uid and
 * resource_version, when set, must be what is there; the object becomes what was or will be stored.
 * SW_E_PRECONDITION: the default namespace stays. */
SW_MUST_CHECK enum sw_rc sw_plan_delete(struct sw_plan *plan, const struct sw_kind *kind,
                                        void *object, struct sw_err *err);
/* Only go through if this object is still as it was read. */
SW_MUST_CHECK enum sw_rc sw_plan_check(struct sw_plan *plan, const struct sw_kind *kind,
                                       const void *object, struct sw_err *err);

/* Nothing would be written. */
bool sw_plan_is_empty(const struct sw_plan *plan);
/* Count of objects that would be written or deleted. */
size_t sw_plan_writes(const struct sw_plan *plan);

/* Commit once. done gets rc and, unless SW_OK, words; plan, arena and objects must live until then.
 * is_dry_run: check the conditions, write nothing. Errors as sw_store_commit. */
typedef void sw_plan_done(void *ctx, enum sw_rc rc, const struct sw_err *err);
SW_MUST_CHECK enum sw_rc sw_plan_commit(struct sw_plan *plan, bool is_dry_run, sw_plan_done *done,
                                        void *ctx, struct sw_err *err);
