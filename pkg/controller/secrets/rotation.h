/* A new key for the ring of Secrets, as one piece of work.
 *
 *     new key, durable ─► Event ─► each Secret written again, sealed with it ─► keys that nothing
 *     is sealed with go, each durable ─► Event
 *
 * Values stay as they are: only the key that wraps each one's own is another. What is written
 * meanwhile is sealed with the newest key by itself (pkg/store/objects). A process that ends in the
 * middle, at any moment, leaves a ring that opens all that there is; a rotation that is resumed
 * makes no new key and does the rest.
 * Threads: the loop's.  I/O: the store's, and the ring's file.
 * Limits: SW_ROTATION_NAMES_BYTES_MAX of names of Secrets, SW_ROTATION_WRITES_MAX writes at once.
 */
#pragma once
#include "pkg/security/secrets/secrets.h"
#include "pkg/store/objects/objects.h"

#define SW_ROTATION_NAMES_BYTES_MAX ((size_t)64 << 20)
#define SW_ROTATION_WRITES_MAX 64u /* The store syncs them in groups. */
#define SW_ROTATION_MADE                                                                           \
    "SecretsKeyMade" /* Reasons of the Events, which are about the Cluster.                        \
                      */
#define SW_ROTATION_DONE "SecretsResealed"

struct sw_rotation; /* Opaque. */

struct sw_rotation_key {
    char id[SW_RING_ID_SIZE];
    uint64_t made_ns; /* UTC. */
    uint64_t values;  /* That are sealed with it now. */
};

struct sw_rotation_keys { /* Of a ring, the newest first, and what is sealed with them. */
    uint64_t secrets,
        lost; /* Objects; values whose key is not in the ring: nobody can open them. */
    size_t count;
    struct sw_rotation_key keys[SW_RING_KEYS_MAX];
};
/* Look at all Secrets of a store.  SW_E_EXHAUSTED: no memory.  SW_E_CORRUPT: one cannot be read. */
SW_MUST_CHECK enum sw_rc sw_rotation_look(const struct sw_objects *objects,
                                          const struct sw_keyring *ring,
                                          struct sw_rotation_keys *ret_keys, struct sw_err *err);
/* Append them as JSON: {"keys":[{"id","made","values"}],"secrets","lost"}. */
void sw_rotation_print_keys(const struct sw_rotation_keys *keys, struct sw_buffer *out);

struct sw_rotation_report {
    uint64_t resealed; /* Secrets that were written again. */
    size_t dropped_count;
    char dropped[SW_RING_KEYS_MAX][SW_RING_ID_SIZE]; /* Keys. */
    struct sw_rotation_keys now;
};
/* Append it as JSON: those of now, and {"resealed","dropped":[...]}. */
void sw_rotation_print_report(const struct sw_rotation_report *report, struct sw_buffer *out);

/* report is borrowed for the call, and NULL unless rc is SW_OK. */
typedef void sw_rotation_done(void *ctx, enum sw_rc rc, const struct sw_rotation_report *report,
                              const struct sw_err *err);

struct sw_rotation_options {    /* Borrowed, but for actor, which is copied. */
    struct sw_objects *objects; /* Whose ring this is, too. */
    struct sw_keyring *ring;
    const char *actor; /* Who asked for it, for the Events. */
    bool is_resumed;   /* No new key: only what is left to do. */
    bool keeps_unused; /* Older keys stay, whatever is sealed with them. */
};

/* Begin. done comes once, never inside this call, and the rotation is gone then; after an error
 * here it does not, and the ring may have its new key all the same. Only one at a time for a ring.
 * SW_E_EXHAUSTED  the ring is full, or no memory      others  of sw_keyring_rotate */
SW_MUST_CHECK enum sw_rc sw_rotation_start(const struct sw_rotation_options *options,
                                           sw_rotation_done *done, void *ctx,
                                           struct sw_rotation **ret_rotation, struct sw_err *err);
/* Nobody waits for it any more: done is not called, and no further step is begun. The ring and the
 * objects stay until the store has been freed. NULL is allowed. */
void sw_rotation_stop(struct sw_rotation *rotation);
