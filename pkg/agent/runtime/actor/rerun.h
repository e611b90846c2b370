/* Living through a journal again: every segment that it holds is run once more by the guest that it
 * was of, and must come to the effects that are recorded.
 *
 *     the journal's birth ─► segments ─► the snapshot that counts ─► segments ─► the cut
 *                                        compared with what the segments before came to
 *
 * The journal is read as recovery reads it; whoever ends or is handed to another module is run
 * before that, all others at the end. Where the birth is gone it begins with the snapshot. Nothing
 * is written, and nothing leaves.
 *
 * Threads: one.  I/O: the journal and the snapshot are read.  Limits: the journal's. */
#pragma once
#include "pkg/agent/runtime/actor/worker.h"

struct sw_rerun_trouble { /* Borrowed. */
    struct sw_bytes pod;  /* Uid. */
    struct sw_bytes name_space, agent, key;
    const char *words; /* What differs. */
};

struct sw_rerun_options {
    /* is_read_only is set. The workers are new; one is enough. */
    const struct sw_journal_options *journal;
    struct sw_shared *shared;
    struct sw_worker **workers;
    uint32_t count;
    void *ctx; /* First argument of what follows. */
    /* Have the worker get the program of that name (sw_item_program_new), for a Pod. Errors end it
     * all, but for two that are a trouble of the instance which runs it: SW_E_NOT_FOUND (no trouble
     * where the snapshot stands for it), and SW_E_PRECONDITION, it is there and cannot be run. */
    enum sw_rc (*program)(void *ctx, struct sw_worker *worker, struct sw_bytes pod,
                          struct sw_bytes name, struct sw_err *err);
    void (*tell)(void *ctx, const struct sw_rerun_trouble *trouble);
};

struct sw_rerun_report {
    uint64_t begin; /* The lsn of the first record; SW_JOURNAL_BIRTH_LSN: with all there was. */
    uint64_t
        instances;     /* Lives of instances: one that was handed to another module counts twice. */
    uint64_t segments; /* Run again. */
    uint64_t recorded; /* That were to be run again. */
    uint64_t compared; /* Instances of the snapshot whose memory is the same. */
    uint64_t images;   /* Of the journal that are what the records before came to. */
    uint64_t others;   /* Lives that were not run: another engine's segments are part of them, or
                          they ended before the snapshot and their module is not kept. */
    uint64_t troubles; /* Told. */
};

/* Differences are no error but told and counted.
 * SW_E_INTERNAL  without a difference, segments of the journal were left out: a mistake of ours
 * others         as sw_recover, and of options->program */
SW_MUST_CHECK enum sw_rc sw_rerun(const struct sw_rerun_options *options,
                                  struct sw_rerun_report *ret_report, struct sw_err *err);

/* Recover, have all that this engine can replay become images in a new snapshot, and leave the rest
 * as it is: what goes on with another engine. options->journal may be written; nothing is told but
 * instances whose program cannot be had. Of the report `instances` counts those of this engine,
 * `segments` those that ran again, `others` those that are left.
 * Errors: as sw_recover and sw_snapshot_take. */
SW_MUST_CHECK enum sw_rc sw_repack(const struct sw_rerun_options *options,
                                   struct sw_rerun_report *ret_report, struct sw_err *err);
