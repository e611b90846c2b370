/* API objects in the store: what a kind's metadata promises, kept in one place for the gateway and
 * the controllers alike.
 *
 *  - Key "plural/namespace/name"; the value is the protobuf of the whole object without its
 *    resourceVersion, which is the revision of its last write.
 *  - uid (UUIDv7), creationTimestamp and generation are ours; generation rises when the spec
 * changes.
 *  - spec and status are written apart: update keeps the status, update_status all else.
 *  - A stale resourceVersion is SW_E_CONFLICT, with both versions in the words.
 *  - An object with finalizers is only marked by delete, and goes when the last finalizer does.
 *  - The values of a Secret are sealed before they are stored; what is sealed for another object,
 * or another value, is refused. A plain value that is what is kept already changes nothing.
 *  - A write that raises or removes a limit of a Budget, or of the Cluster's, writes an Event too.
 *  - Effects, Approvals and their status are written by the platform alone. A person's answer in
 * the spec of an Approval is checked and becomes a part of its status, with his name.
 *  - Objects live in a namespace that exists and is not being deleted; Agents get what their
 *    AgentTemplate says at each write; defaults and validation come from pkg/apis.
 *
 * Threads: the loop's; done callbacks never run inside the call that asked.  I/O: the store's.
 * Limits: SW_OBJECT_BYTES_MAX per object, the store's queue. */
#pragma once
#include "pkg/apis/swarm/v1/object.h"
#include "pkg/apis/swarm/v1/problem.h"
#include "pkg/apis/swarm/v1/tree.h"
#include "pkg/security/secrets/secrets.h"
#include "pkg/store/store.h"
#include "pkg/utils/system/system.h"

#define SW_OBJECT_BYTES_MAX (512u * 1024u)       /* Of an encoded object. */
#define SW_OBJECT_ARENA_MAX (8u * 1024u * 1024u) /* Memory for one request or object, decoded. */
#define SW_OBJECT_NAME_DEFAULT "default"         /* Of the first namespace and of the Cluster. */
#define SW_OBJECT_FINALIZER_NAMESPACE "swarm/contents" /* Of every Namespace. */
#define SW_OBJECT_FINALIZER_AGENT "swarm/pods"         /* Of every Agent. */
#define SW_OBJECT_FINALIZER_POD "swarm/instances"      /* Of every Pod that an Agent made. */

struct sw_objects; /* Opaque. */

/* store and system are borrowed and outlive it. NULL when memory is out. */
struct sw_objects *sw_objects_new(struct sw_store *store, const struct sw_system *system);
void sw_objects_free(struct sw_objects *objects); /* After the store's callbacks are over. */
SW_DEFINE_CLEANUP(struct sw_objects, sw_objects_free)
/* Seal the values of Secrets with this ring, which is borrowed; without one none is written. */
void sw_objects_set_ring(struct sw_objects *objects, const struct sw_keyring *ring);
/* Append a value of a Secret of the namespace, "NAME/KEY", opened: for what the platform sends in
 * somebody's place, and for nobody's eyes. Uses the arena; out should be wiped
 * (sw_secrets_buffer_done).
 * SW_E_INVALID      not NAME/KEY          SW_E_NOT_FOUND  no such Secret, or no such key in it
 * SW_E_UNSUPPORTED  there is no ring      others          as sw_secrets_open */
SW_MUST_CHECK enum sw_rc sw_objects_open_secret(struct sw_objects *objects, const char *name_space,
                                                const char *reference, struct sw_arena *arena,
                                                struct sw_buffer *out, struct sw_err *err);
struct sw_store *sw_objects_store(const struct sw_objects *objects);
uint64_t sw_objects_utc_ns(const struct sw_objects *objects);

/* --- Writes, for callers with one object at a time ---------------------------------------------
 */

struct sw_object_result { /* Borrowed for the call of done. */
    enum sw_rc rc;
    const struct sw_kind *kind;
    const void *object; /* As it is stored now, resource_version set; NULL unless rc is SW_OK. */
    bool is_created;    /* An apply made it. */
    bool is_gone;       /* A delete or update removed it; object is the last state. */
    const struct sw_err *err; /* NULL when rc is SW_OK. */
};
typedef void sw_object_done(void *ctx, const struct sw_object_result *result);

struct sw_object_write { /* All borrowed for the call only. */
    const struct sw_kind *kind;
    const void *object;
    bool is_dry_run;   /* Everything but the write. */
    const char *actor; /* Who does it, for Events, or NULL: the platform itself. */
    struct sw_problems
        *problems; /* Mistakes, all of them, if the call returns SW_E_INVALID; or NULL. */
    const struct sw_tree *tree; /* Where fields stand in what the client wrote, or NULL. */
    const char *file;           /* For problems, or NULL. */
};

/* Begin a write. Mistakes that show without waiting are returned at once and done does not run;
 * otherwise done runs exactly once. An object without resourceVersion is written over whatever is
 * there, repeating by itself when somebody else is quicker. The errors are those of plan.h, and
 *   SW_E_EXISTS (create), SW_E_CONFLICT, SW_E_UNAVAILABLE (the store stopped)  through done;
 *   SW_E_EXHAUSTED (queue or memory)                                          at once. */
SW_MUST_CHECK enum sw_rc sw_objects_create(struct sw_objects *objects,
                                           const struct sw_object_write *write,
                                           sw_object_done *done, void *ctx, struct sw_err *err);
SW_MUST_CHECK enum sw_rc sw_objects_update(struct sw_objects *objects,
                                           const struct sw_object_write *write,
                                           sw_object_done *done, void *ctx, struct sw_err *err);
SW_MUST_CHECK enum sw_rc sw_objects_update_status(struct sw_objects *objects,
                                                  const struct sw_object_write *write,
                                                  sw_object_done *done, void *ctx,
                                                  struct sw_err *err);
SW_MUST_CHECK enum sw_rc sw_objects_apply(struct sw_objects *objects,
                                          const struct sw_object_write *write, sw_object_done *done,
                                          void *ctx, struct sw_err *err);
/* Of write->object only the metadata's name, namespace, uid and resource_version are read. */
SW_MUST_CHECK enum sw_rc sw_objects_delete(struct sw_objects *objects,
                                           const struct sw_object_write *write,
                                           sw_object_done *done, void *ctx, struct sw_err *err);

/* --- Reads -------------------------------------------------------------------------------------
 */

#define SW_OBJECT_KEY_MAX 256
/* "agents/default/reader"; namespace "" for kinds outside of namespaces. A name NULL makes the
 * prefix of a namespace, and a namespace NULL too that of the kind. */
void sw_object_key(const struct sw_kind *kind, const char *namespace_name, const char *name,
                   char ret_key[SW_OBJECT_KEY_MAX]);

/* Decode one version of an object into the arena, resource_version set.
 * SW_E_CORRUPT: not the bytes of this kind.  SW_E_EXHAUSTED: arena full. */
SW_MUST_CHECK enum sw_rc sw_object_of_item(const struct sw_kind *kind,
                                           const struct sw_store_item *item, struct sw_arena *arena,
                                           void **ret_object, struct sw_err *err);
/* Whether two versions are of one object and have the same generation, and so the same spec. The
 * arena is reset. False as well if one cannot be read. */
bool sw_object_keeps_spec(const struct sw_kind *kind, const struct sw_store_item *before,
                          const struct sw_store_item *now, struct sw_arena *arena);
/* Append the protobuf of one version of an object, resource_version set, without decoding it. */
void sw_object_bytes_of_item(const struct sw_store_item *item, struct sw_buffer *out);
/* How many bytes that appends. */
size_t sw_object_size_of_item(const struct sw_store_item *item);

struct sw_object_ref { /* Which object; borrowed. */
    const struct sw_kind *kind;
    const char *namespace_name; /* "" for kinds outside of namespaces. */
    const char *name;
};

/* The newest durable state of an object, decoded into the arena.  SW_E_NOT_FOUND: with words. */
SW_MUST_CHECK enum sw_rc sw_objects_get(const struct sw_objects *objects,
                                        const struct sw_object_ref *ref, struct sw_arena *arena,
                                        void **ret_object, struct sw_err *err);

/* --- Life --------------------------------------------------------------------------------------
 */

/* Make what every Hive has, as far as it is missing: the namespace "default" and the Cluster. done
 * gets SW_OK when they are there; its result's object is NULL. Errors as sw_objects_create. */
SW_MUST_CHECK enum sw_rc sw_objects_bootstrap(struct sw_objects *objects, sw_object_done *done,
                                              void *ctx, struct sw_err *err);
