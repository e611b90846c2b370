/* The state of a recovery; seen by recovery.c, recovery_effects.c and rerun.c only.
 *
 * Threads, I/O, Limits: as recovery.h. */
#pragma once
#include "pkg/agent/runtime/actor/capture.h"
#include "pkg/agent/runtime/actor/recovery.h"

#include <inttypes.h>

/* What was sent and whose handling has not been met yet waits under the name of its sending. One
 * without a receiver that keeps anything, or whose receiver is gone, is_lost: a question then fails
 * unless it was answered. */
struct pending_key {
    uint64_t lsn, index, instance; /* instance: the subscriber of a publish; otherwise 0. */
};

/* Somebody who looks on while a journal is read, and for whom nothing is changed: no file, and at
 * the end nothing is queued. It is read from its birth, if that is there. */
struct sw_recovery_watch {
    void *ctx;
    /* With this record the instance will end, or go on with the memory that the record holds. */
    enum sw_rc (*leave)(void *ctx, struct sw_worker *worker, struct sw_instance *instance,
                        const struct sw_record_segment *segment, struct sw_err *err);
    /* The journal was read up to the point of the snapshot that counts, which is open. `visit` is
     * called for each of its blocks before. */
    enum sw_rc (*visit)(void *ctx, const struct sw_snapshot_block *block, struct sw_err *err);
    enum sw_rc (*point)(void *ctx, struct sw_err *err);
};

struct recovery {
    const struct sw_recovery_watch *watch; /* NULL: nobody. */
    bool is_point_passed;
    uint64_t recorded;     /* Segments that a replay runs, so many were read. */
    uint64_t record_bytes; /* Of the record that is taken in, in the journal. */
    struct sw_shared *shared;
    struct sw_worker **workers;
    uint32_t count;
    /* What waits, struct sw_message: by lsn + index, which no two share, since an effect has its
     * bytes in the record at lsn; and what follows from a record without being one of its effects,
     * or has several receivers, by struct pending_key. */
    struct sw_idmap *pending;
    struct sw_map *others;
    struct sw_recovery_report *report;
    struct sw_err *err;
    struct sw_journal_place place; /* Of the record being taken in. */
    uint32_t effects_at;           /* Within it. */
    uint64_t latest_ns;            /* Of all records. */
    const struct sw_journal_options *options;
    uint64_t begin;    /* Records before are in the snapshot. */
    bool has_snapshot; /* The journal names one; the last one named is this. */
    struct sw_record_snapshot snapshot;
    char snapshot_name[SW_SNAPSHOT_NAME_MAX];
    uint64_t snapshot_end;            /* Behind its record. */
    struct sw_record_snapshot before; /* The one that was named before; lsn 0: none was. */
};

static inline struct sw_worker *worker_of(const struct recovery *recovery, uint64_t pod)
{
    return recovery->workers[pod % recovery->count];
}

static inline struct sw_pod *find_pod(const struct recovery *recovery, uint64_t number)
{
    return sw_map_find(worker_of(recovery, number)->pods, &number, sizeof number);
}

static inline enum sw_rc no_memory(struct recovery *recovery)
{
    return sw_err_set(recovery->err, SW_E_EXHAUSTED, "no memory to recover the journal");
}

static inline enum sw_rc contradiction(struct recovery *recovery, const char *what)
{
    return sw_err_set(recovery->err, SW_E_CORRUPT, "journal: %s, at lsn %" PRIu64, what,
                      recovery->place.lsn);
}

/* All of it: recovery->{shared, workers, count, options, report, err} and watch are set. */
SW_MUST_CHECK enum sw_rc sw_recovery_run(struct recovery *recovery);

/* --- recovery.c ------------------------------------------------------------------------------- */

/* Numbers are never given twice. */
void sw_recovery_raise(_Atomic uint64_t *next, uint64_t number);
/* Somebody has it, or had it after the point of the snapshot with which recovery began. NULL: there
 * is none of that number. */
const struct sw_spec *sw_recovery_use_spec(struct recovery *recovery, uint32_t number);
SW_MUST_CHECK enum sw_rc sw_recovery_spec(struct recovery *recovery,
                                          const struct sw_record_spec *record);
SW_MUST_CHECK enum sw_rc sw_recovery_pod(struct recovery *recovery,
                                         const struct sw_record_pod *record);
/* An instance is born, or was before the point. */
SW_MUST_CHECK enum sw_rc sw_recovery_start(struct recovery *recovery,
                                           const struct sw_record_segment *segment,
                                           struct sw_instance **ret_instance);
/* A dead letter of the snapshot. */
SW_MUST_CHECK enum sw_rc sw_recovery_letter(struct recovery *recovery,
                                            const struct sw_record_letter *record);

/* --- recovery_snapshot.c ---------------------------------------------------------------------- */

/* Take in a block of the snapshot; ctx is the recovery. */
SW_MUST_CHECK enum sw_rc sw_recovery_block(void *ctx, const struct sw_snapshot_block *block,
                                           struct sw_err *err);

/* What was used by a record, or a block of a snapshot (is_whole). */
SW_MUST_CHECK enum sw_rc sw_recovery_usage(struct recovery *recovery,
                                           const struct sw_record_usage *record, bool is_whole);

/* --- recovery_effects.c ----------------------------------------------------------------------- */

/* Have a message wait until a record says that it was handled. */
SW_MUST_CHECK enum sw_rc sw_recovery_add(struct recovery *recovery, const struct pending_key *key,
                                         const struct sw_message *template);
/* What waits under that name; NULL: nothing. */
struct sw_message *sw_recovery_find(const struct recovery *recovery, const struct pending_key *key);
/* Take all out, in the order of sending; owned, *ret_list too.  SW_E_EXHAUSTED: no memory. */
SW_MUST_CHECK enum sw_rc sw_recovery_take_all(struct recovery *recovery,
                                              struct sw_message ***ret_list, size_t *ret_count);
/* It was handled, if it is there. */
void sw_recovery_remove(struct recovery *recovery, const struct pending_key *key);
/* An answer that follows from the record being taken in without being an effect of it. */
SW_MUST_CHECK enum sw_rc sw_recovery_fail(struct recovery *recovery, const struct sw_origin *origin,
                                          uint32_t index, int32_t status);
/* Have a publish wait for each of its subscribers. message->head.request_id: what its client named
 * it. */
SW_MUST_CHECK enum sw_rc sw_recovery_publish(struct recovery *recovery, struct sw_bytes space,
                                             const struct sw_message *message, uint64_t time_ns);
/* The question that a held instance waits with, and where it would go by now: its pod, key and
 * origin, borrowed from the instance. False: it holds none, or that leads nowhere. */
bool sw_recovery_held_ask(struct recovery *recovery, struct sw_instance *instance,
                          struct sw_message *ret_question);
/* Do again what the record's effects did to others. */
SW_MUST_CHECK enum sw_rc sw_recovery_effects(struct recovery *recovery,
                                             struct sw_instance *instance,
                                             const struct sw_record_segment *segment);
