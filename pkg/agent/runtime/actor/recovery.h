/* Recovery: from the journal back to instances, mailboxes, timers and subscriptions.
 *
 * Opening the journal checks it and finds the snapshot that counts. From that on its records are
 * read once more, in order, without entering a guest: what they say is applied to the actors, and
 * what was sent and not yet handled is queued again. Memories are rebuilt later, one by one, when
 * their instance is first needed.
 *
 * Threads: one, before the workers run.  I/O: through the journal.  Limits: the journal's. */
#pragma once
#include "pkg/agent/runtime/actor/worker.h"

struct sw_recovery_report {
    uint64_t pods, instances, messages; /* Recovered; messages: queued again. */
    uint64_t next_pod;                  /* Number for the next new Pod. */
    uint64_t snapshot_bytes;            /* Of the one that counts; 0: there is none. */
    uint64_t journal_bytes, tail_bytes; /* All that was checked; what was taken in after it. */
};

/* Open the journal of options into shared->journal and fill the workers. Every Pod found is closed
 * until swarmd opens it; the Pod of number n begins with worker n % count, and all know its route.
 * SW_E_CORRUPT: the journal is damaged, or its records contradict each other. */
SW_MUST_CHECK enum sw_rc sw_recover(const struct sw_journal_options *options,
                                    struct sw_shared *shared, struct sw_worker **workers,
                                    uint32_t count, struct sw_recovery_report *ret_report,
                                    struct sw_err *err);

struct sw_recovered_pod { /* Borrowed until the worker changes. */
    uint64_t pod;
    struct sw_bytes uid;
    struct sw_route_change route;
};
/* The Pods of a worker, for whoever assigns frames to them: start with *cursor 0. */
bool sw_recovered_next(const struct sw_worker *worker, size_t *cursor,
                       struct sw_recovered_pod *ret_pod);
