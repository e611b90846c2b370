/* Slots that move from one Pod of an Agent to another of the same host, with all that they hold:
 * instances with their mailboxes, timers and memories, dead letters, what waits in limbo.
 *
 * It happens while all workers are at rest (worker.h), so no message is on its way between them;
 * one that a client sent to the old Pod, and an answer to an instance that was there, is forwarded
 * by whoever gets it (sw_routes_holder).
 * Threads: one, while all others are at rest.  I/O: the journal's appends.  Limits: none. */
#pragma once
#include "pkg/agent/runtime/actor/worker.h"

struct sw_slots_take {
    struct sw_shared *shared;
    struct sw_worker **workers;
    uint32_t count;
    uint64_t pod;                    /* That takes them; it is open. */
    const uint8_t *slots;            /* SW_SLOTS / 8 bytes. */
    uint8_t ret_taken[SW_SLOTS / 8]; /* Those that another Pod had. */
    bool ret_is_partial; /* In some of the others a segment is on its way: try again soon. */
};

/* Carry what workers have for each other until all are at rest. Nobody else runs them. */
void sw_workers_settle(struct sw_worker **workers, uint32_t count);
/* Give the Pod those of the slots that other Pods of its Agent hold, and tell all workers. A
 * failure is the failure of a worker (sw_worker_failure): the host cannot go on. */
void sw_slots_take(struct sw_slots_take *take);
/* Recovery: what a record of moved slots says.  SW_E_CORRUPT: there are no such Pods. */
SW_MUST_CHECK enum sw_rc sw_slots_recover(struct sw_worker **workers, uint32_t count,
                                          const struct sw_record_slots *record);
