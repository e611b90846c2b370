/* Saving instances for a snapshot while they run; seen by this room's files only.
 *
 * Copy before change: at the point every instance, and every Pod with messages in limbo or dead
 * letters, becomes uncaptured. Whoever is about to change one, to take a message or letter out, or
 * to move or remove it, captures it first (sw_capture_instance_first, sw_capture_pod_first); the
 * worker captures the rest in small slices. What was posted after the point is marked so and is
 * left out.
 *
 * Threads: each worker its own instances; the rest as snapshot.h says; the lock is "snapshots" of
 * docs/LOCKS.md.  I/O: journal and snapshot are read for instances that sleep. */
#pragma once
#include "pkg/agent/runtime/actor/asleep.h"
#include "pkg/agent/runtime/actor/keeper.h"
#include "pkg/agent/runtime/actor/replay.h"
#include "pkg/agent/runtime/actor/snapshot.h"
#include "pkg/agent/store/snapshot.h"

#define SW_STORED_ON_SHELF UINT32_MAX /* No generation: stored_at is a place of the shelf. */
#define SW_SNAPSHOT_RECOVERED 1u      /* The generation of the one that recovery began with. */

/* What rebuilding begins with: the snapshot that counts, or the journal's birth. */
struct sw_ground {
    _Atomic uint32_t refs;
    uint32_t generation;      /* 0: there is no snapshot. */
    uint64_t lsn, bytes;      /* Its point and size. Records before are not to be read. */
    struct sw_snapshot *file; /* NULL: none. */
};

struct sw_capture_block { /* On its way to the file. */
    struct sw_capture_block *next;
    size_t size;
    uint8_t bytes[];
};

struct sw_snapshots {
    const struct sw_system *system; /* With the folder, set by recovery. */
    char folder[SW_PATH_MAX - SW_SNAPSHOT_NAME_MAX - 1];
    uint64_t bytes_min, waiting_max, sweep_bytes, history_bytes;
    _Atomic int phase;
    _Atomic uint64_t waiting_bytes; /* Captured, and not written yet. */
    _Atomic uint32_t workers_left;  /* So many have uncaptured instances. */
    _Atomic bool is_wanted;         /* A namespace needs the room that one would give back, */
    _Atomic uint64_t wanted_ns;     /* for which none is taken before that time. */
    /* Changed only while all workers are at rest. */
    uint32_t generation; /* Of the newest snapshot that was begun. */
    uint64_t point;      /* And its lsn: messages name no body before it. */
    bool rebuilds;       /* There is time to rebuild instances that sleep. */

    pthread_mutex_t mutex; /* Guards what follows. */
    struct sw_ground *ground;
    struct sw_capture_block *first, *last;
    uint64_t end; /* Of the file, with all blocks that wait. */
    uint64_t instances;
    struct sw_err failure; /* Why a worker gave up. */

    /* Of the thread that advances. */
    struct sw_keeper *keeper;
    struct sw_ground *old; /* In phase COUNTS: in whose place the ground came. */
    bool is_kept;          /* What the old one stands for is kept, or is to be by nobody. */
    bool is_stopping;      /* That is for the next start. */
    bool cleans_all;       /* Recovery has not removed what is needless. */
    int file;              /* -1: not open. */
    uint64_t written, began_ns;
    uint32_t check;
    struct sw_buffer out;
    _Atomic uint64_t named_epoch; /* Of the SNAPSHOT record. */
    _Atomic uint64_t idle_lsn;    /* Where the journal ended after that record. */
    _Atomic uint64_t retry_ns;    /* Not before, by the monotonic clock. */
    _Atomic uint64_t ground_lsn, ground_bytes;
    _Atomic uint32_t ground_generation;
    struct sw_snapshot_view view;
    uint32_t failures; /* In a row. */
};

/* --- snapshot.c ------------------------------------------------------------------------------- */

struct sw_snapshots *sw_snapshots_new(void); /* NULL: no memory. */
void sw_snapshots_free(struct sw_snapshots *snapshots);
/* Recovery: where snapshots are kept; and the one that it began with, owned from here on. */
void sw_snapshots_set_folder(struct sw_shared *shared, const char *folder);
SW_MUST_CHECK enum sw_rc sw_snapshots_set_ground(struct sw_shared *shared,
                                                 const struct sw_record_snapshot *record,
                                                 struct sw_snapshot *file);
struct sw_recovered {
    struct sw_worker **workers;
    uint32_t count;
    const struct sw_record_snapshot *before; /* That counted before; NULL: none did. */
};
/* Recovery: have the next one, if it is due, wait a little, since who asks after a start comes
 * first; remove files of snapshots that do not count, and segments that the one that does makes
 * needless; later, if a host ended before the history that they are was kept. */
SW_MUST_CHECK enum sw_rc sw_snapshots_clean(struct sw_shared *shared,
                                            const struct sw_recovered *recovered,
                                            struct sw_err *err);
/* A reference to the ground as it is now. While it is held, nothing that it needs is removed. */
struct sw_ground *sw_ground_get(struct sw_shared *shared);
void sw_ground_put(struct sw_ground *ground);

/* --- capture.c -------------------------------------------------------------------------------- */

/* Forget whose records are being copied. */
void sw_capture_end_sleeper(struct sw_worker *worker);
/* Everything of this worker becomes uncaptured. At rest. */
void sw_capture_begin(struct sw_worker *worker);
/* Append a block to the file to be. *ret_at (may be NULL): where it will stand. */
SW_MUST_CHECK enum sw_rc sw_capture_put(struct sw_snapshots *snapshots,
                                        const struct sw_snapshot_block *block, uint64_t *ret_at);
void sw_capture_instance(struct sw_worker *worker, struct sw_instance *instance);
void sw_capture_pod(struct sw_worker *worker, struct sw_pod *pod);
/* Capture some more; at least one if there is any. True: there is more, and room for it. */
bool sw_capture_sweep(struct sw_worker *worker, uint64_t bytes);
/* Whether there is something to sweep, and room for it. */
bool sw_capture_is_wanted(const struct sw_worker *worker);

/* A Pod or an instance of this worker has the spec from now on. What has one at the point of a
 * snapshot is looked at then, or when it is captured. */
static inline void sw_capture_use(const struct sw_worker *worker, const struct sw_spec *spec)
{
    sw_spec_use(spec, worker->shared->snapshots->generation);
}

static inline void sw_capture_instance_first(struct sw_worker *worker, struct sw_instance *instance)
{
    if (instance->captured != worker->generation)
        sw_capture_instance(worker, instance);
}

static inline void sw_capture_pod_first(struct sw_worker *worker, struct sw_pod *pod)
{
    if (pod->is_uncaptured)
        sw_capture_pod(worker, pod);
}

/* The same of a slot whose instances sleep. */
void sw_capture_asleep(struct sw_worker *worker, const struct sw_pod *pod,
                       struct sw_asleep *asleep);
static inline void sw_capture_asleep_first(struct sw_worker *worker, const struct sw_pod *pod,
                                           struct sw_asleep *asleep)
{
    if (asleep->captured != worker->generation)
        sw_capture_asleep(worker, pod, asleep);
}
/* What a block of it says: base is for who sleeps, to be ended by the caller; NULL: it is awake,
 * or was never entered.
 * Borrows from worker->image. */
SW_MUST_CHECK enum sw_rc sw_capture_describe(struct sw_worker *worker, struct sw_instance *instance,
                                             struct sw_base *base,
                                             struct sw_snapshot_instance *ret_saved,
                                             struct sw_err *err);
/* Its records are not to be copied any further. */
void sw_capture_leave_sleeper(struct sw_worker *worker, const struct sw_instance *instance);
/* It has no use any more for what it is stored as. */
void sw_capture_unstore(struct sw_worker *worker, struct sw_instance *instance);

/* Where the instance stands in the snapshot of that generation; 0: nowhere. */
static inline uint64_t sw_stored_at(const struct sw_instance *instance, uint32_t generation)
{
    for (unsigned i = 0; i < 2; i++)
        if (instance->stored_at[i] != 0 && instance->stored_generation[i] == generation)
            return instance->stored_at[i];
    return 0;
}
