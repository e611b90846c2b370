/* Rebuilding the memory of an instance that sleeps; seen by this room's files only.
 *
 *     image in memory ──┐
 *     stored in the     ├─► base ─► records of the snapshot's tail ─► records of the journal ─►
 * guest snapshot ─────────┘
 *
 * Threads: each worker its own instances.  I/O: the journal, the snapshot.  Limits: none. */
#pragma once
#include "pkg/agent/runtime/actor/image.h"

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
    bool is_whole; /* They begin with one that holds all: no image is needed. */
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

/* An instance on its way through its records: what it has come to. */
struct sw_replay {
    struct sw_worker *worker;
    struct sw_instance *instance; /* Its guest is there. */
    struct sw_actor actor;        /* Zeroed before the first step; sw_actor_done is the caller's. */
    struct sw_turn_random random; /* Its seed is set. */
    bool is_of_other;             /* Another module is run than was: its fuel is another one. */
    struct sw_err *err;
};
/* Begin where base says; with lsn 0 it says nothing, and a guest that was never entered is it.
 * Errors: of sw_actor_load, and the engine's. */
SW_MUST_CHECK enum sw_rc sw_replay_load(struct sw_replay *replay, const struct sw_base *base);
/* Go through the next record: what it counts for is run again, and compared with it.
 * SW_E_PRECONDITION: it came to other effects. Others: as the journal's, where the body of its
 * message stands there, and the engine's. The guest is then not to be used. */
SW_MUST_CHECK enum sw_rc sw_replay_take(struct sw_replay *replay,
                                        const struct sw_record_segment *segment, uint64_t lsn);
/* Have worker->turn take the guest's calls as in that segment, under the spec that it had, until
 * sw_turn_end.  SW_E_CORRUPT: its spec is not here.  SW_E_UNSUPPORTED: of another engine. */
SW_MUST_CHECK enum sw_rc sw_replay_begin(struct sw_replay *replay,
                                         const struct sw_record_segment *segment, uint64_t lsn);
/* Enter the guest as for that record, and compare nothing: worker->outcome and worker->turn say
 * what came of it.  Errors: as sw_replay_take. */
SW_MUST_CHECK enum sw_rc sw_replay_enter(struct sw_replay *replay,
                                         const struct sw_record_segment *segment, uint64_t lsn,
                                         uint32_t deadline_ms);
