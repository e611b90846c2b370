/* Snapshots of a host that runs: taken beside its work, so that its journal need not grow for ever.
 *
 *     all stand still: the point, an lsn ─► each instance is saved as it was at the point, before
 * it next runs or when its worker comes to it ─► a file ─► synced ─► a SNAPSHOT record ─► durable:
 *     it counts, and what is older than the point is removed
 *
 * Only the first step stops the workers, for what is small: specs, Pods, numbers. A snapshot that
 * cannot be written is abandoned: the journal is whole, and a later one is as good.
 *
 * Threads: as each says.  I/O: through struct sw_system.
 * Limits: waiting_max, and one instance with its mailbox above that, of bytes that wait for the
 * disk: with more to save the snapshot is abandoned. */
#pragma once
#include "pkg/agent/runtime/actor/worker.h"

#define SW_SNAPSHOT_BYTES_MIN ((uint64_t)64 << 20)
#define SW_SNAPSHOT_WAITING_MAX ((uint64_t)64 << 20)
#define SW_SNAPSHOT_SWEEP_BYTES ((uint64_t)1 << 20)

struct sw_snapshots; /* Opaque: in struct sw_shared, from sw_shared_init to sw_shared_done. */

enum sw_snapshot_phase {
    SW_SNAPSHOT_NONE,      /* Nothing is going on. */
    SW_SNAPSHOT_TAKING,    /* Workers save instances, and what they save is written. */
    SW_SNAPSHOT_ABANDONED, /* A worker gave up; the next sw_snapshot_advance cleans up. */
    SW_SNAPSHOT_NAMED,     /* The file is synced and its record appended. */
    SW_SNAPSHOT_COUNTS /* The record is durable; what is needless is not removed yet, and not kept
                          as history (keeper.h) by those who keep one. */
};

/* Whether it is time: the journal has grown since the last point by more than that snapshot's size
 * and by bytes_min, and the last failure, if any, is long enough ago. A recovery that finds one due
 * has it wait for two seconds, unless the journal has grown by four times that. Any thread. */
bool sw_snapshot_is_due(const struct sw_shared *shared);
/* Whether a namespace has no room on the disk, and one that gives it room is due. Any thread. */
bool sw_snapshot_is_asked_for(const struct sw_shared *shared);
struct sw_snapshot_limits { /* 0: as the defaults. */
    uint64_t bytes_min;     /* That the journal grows between two; SW_SNAPSHOT_BYTES_MIN. */
    uint64_t waiting_max;   /* Bytes that wait for the disk; SW_SNAPSHOT_WAITING_MAX. */
    uint64_t history_bytes; /* The journal is kept whole until it is longer; none. */
    uint64_t sweep_bytes;   /* A worker looks through after each run; SW_SNAPSHOT_SWEEP_BYTES. */
};
/* Before the workers run; before recovery, which removes what is needless. */
void sw_snapshot_limit(struct sw_shared *shared, const struct sw_snapshot_limits *limits);

/* Begin one, at a moment at which all workers are at rest (worker.h). It takes as long as there are
 * Pods, not instances. From here on sw_worker_run saves instances besides running them.
 * SW_E_PRECONDITION  another one is not through
 * SW_E_EXHAUSTED     no memory: nothing has begun */
SW_MUST_CHECK enum sw_rc sw_snapshot_begin(struct sw_shared *shared, struct sw_worker **workers,
                                           uint32_t count, struct sw_err *err);
/* Do what can be done now: write what was saved; when all is, sync the file and append its record;
 * when that is durable, remove what is needless. One thread at a time; it blocks for the disk. An
 * error means that the snapshot is abandoned (or, in phase COUNTS, that files are left over, which
 * the next one removes); the host goes on. */
SW_MUST_CHECK enum sw_rc sw_snapshot_advance(struct sw_shared *shared, struct sw_err *err);
/* Whether sw_snapshot_advance would find something to do, but for what is left in phase COUNTS
 * while somebody rebuilds from what is to be removed: that is tried again after a while. Any
 * thread. */
bool sw_snapshot_has_work(const struct sw_shared *shared);
enum sw_snapshot_phase sw_snapshot_phase(const struct sw_shared *shared);
/* Remove what is older than Agents keep of their history, and what they do not keep any more: at a
 * start, after a snapshot, and each minute. False: there is nothing left of that kind. The thread
 * that advances it. */
bool sw_snapshot_trim(struct sw_shared *shared);
/* Have advance ask every now and then, while it writes histories, whether to go on; false: it ends
 * with SW_E_CANCELLED. NULL: nobody is asked. */
void sw_snapshot_ask(struct sw_shared *shared, bool (*goes_on)(void *ctx), void *ctx);
#define SW_SNAPSHOT_WORDS_MAX 400u
/* What went wrong with histories since the last call. False: nothing. The thread that advances. */
bool sw_snapshot_trouble(struct sw_shared *shared, char ret_words[SW_SNAPSHOT_WORDS_MAX]);
/* Give up the one that is being taken. The thread that advances it. */
void sw_snapshot_abandon(struct sw_shared *shared);

struct sw_snapshot_view { /* Of the last one that counts, and of failures. */
    uint64_t lsn, bytes, instances, took_ns;
    uint64_t taken, failed;
};
/* The thread that advances. */
void sw_snapshot_view(const struct sw_shared *shared, struct sw_snapshot_view *ret_view);

struct sw_snapshot_options {
    struct sw_shared *shared;
    struct sw_worker **workers;
    uint32_t count;
    /* True: less than so much of the time is left, in percent; NULL: there always is enough. */
    bool (*is_late)(void *ctx, unsigned percent);
    void *ctx;
    bool is_forced; /* Also without a record since the last one, which may hold records itself. */
};

/* All of it at once, at a clean stop: the workers are at rest for good and the journal is
 * committed. Without a record since the last one there is nothing to do. For half of the time,
 * instances that sleep are rebuilt if they can be, so that another engine may go on with them.
 * SW_E_TIMEOUT, SW_E_CANCELLED  is_late
 * Others        as sw_snapshot_begin and sw_snapshot_advance: the journal serves as well */
SW_MUST_CHECK enum sw_rc sw_snapshot_take(const struct sw_snapshot_options *options,
                                          struct sw_err *err);
