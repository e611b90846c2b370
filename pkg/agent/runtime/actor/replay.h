/* Rebuilding the memory of an instance that sleeps; seen by this room's files only.
 *
 *     image in memory ──┐
 *     stored in the     ├─► base ─► records of the snapshot's tail ─► records of the journal ─►
 * guest snapshot ─────────┘
 *
 * Threads: each worker its own instances.  I/O: the journal, the snapshot.  Limits: none. */
#pragma once
#include "pkg/agent/runtime/actor/state.h"

struct sw_image { /* An instance at a point between two segments. */
    uint64_t lsn; /* Of its last record. */
    uint64_t random_next;
    uint32_t actor_bytes, guest_bytes;
    uint8_t bytes[]; /* The actor's, then the guest's. */
};

/* Make the guest of an instance that sleeps: from its image and its records.
 * SW_E_PRECONDITION: the replay came to other effects than were recorded; the instance is to be
 * parked.  SW_E_INTERNAL: that took the host down too often (suspects.h); likewise.  Others: as the
 * journal's and the engine's. */
SW_MUST_CHECK enum sw_rc sw_instance_rebuild(struct sw_worker *worker, struct sw_instance *instance,
                                             struct sw_err *err);
struct sw_ground;

struct sw_chain {          /* The journal's records of an instance, as far as it was followed. */
    struct sw_buffer lsns; /* Newest first, as u64. */
    uint64_t next;         /* Where it goes on. */
    bool is_begun, is_over;
    bool is_whole; /* They begin with an upgrade: no image is needed. */
};

/* What rebuilding an instance begins with, from where records are replayed. */
struct sw_base {
    struct sw_ground *ground;     /* A reference. */
    uint64_t lsn, random_next;    /* lsn 0: it begins with its birth. */
    struct sw_bytes actor, guest; /* In block, or in the instance's image. */
    struct sw_buffer block, tail; /* tail: records of the snapshot to be replayed on top. */
    uint64_t chain_lsn;           /* The journal has those after this one. */
    struct sw_chain chain;        /* Of sw_base_extend: those that are not in the tail yet. */
};
void sw_base_init(struct sw_base *base);
void sw_base_done(struct sw_base *base);
SW_MUST_CHECK enum sw_rc sw_base_find(struct sw_worker *worker, const struct sw_instance *instance,
                                      struct sw_base *base, struct sw_err *err);
/* Put the journal's records of the instance into base->tail, which then needs no journal: look at
 * about records_max of them and go on with the next call, until sw_base_is_extended. The instance
 * must stay as it is meanwhile. */
SW_MUST_CHECK enum sw_rc sw_base_extend(struct sw_worker *worker, struct sw_instance *instance,
                                        struct sw_base *base, uint32_t records_max,
                                        struct sw_err *err);
static inline bool sw_base_is_extended(const struct sw_base *base)
{
    return base->chain.is_over && base->chain.lsns.size == 0;
}
/* An image of an instance with a guest, or one that needs none.  NULL: failed; err is set. */
struct sw_image *sw_image_new(struct sw_worker *worker, const struct sw_instance *instance,
                              struct sw_err *err);
/* Its image, if it has one, is of this worker, or is no more. */
void sw_image_count(struct sw_worker *worker, const struct sw_instance *instance, bool is_there);
void sw_instance_set_image(struct sw_worker *worker, struct sw_instance *instance,
                           struct sw_image *image);
