/* Slots that move from one Pod of an Agent to another of the same host, with all that they hold:
 * instances with their mailboxes, timers and memories, dead letters, what waits in limbo.
 *
 * It happens while all workers are at rest (worker.h), so no message is on its way between them;
 * one that a client sent to the old Pod, and an answer to an instance that was there, is forwarded
 * by whoever gets it (sw_routes_holder).
 * A whole Pod can also go to another worker of the host. Which worker has it is no durable state,
 * so there is no record of that, and after a restart it is where its number says. Threads: one,
 * while all others are at rest.  I/O: the journal's appends. Limits: SW_POD_MOVE_MAX instances that
 * are awake go to another worker at once. */
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

#define SW_POD_MOVE_MAX 4096u

struct sw_pod_move {
    struct sw_worker **workers;
    uint32_t count;
    uint64_t pod;
    uint32_t to; /* The worker that is to have it. */
    bool holds;  /* Where segments are on their way: no other begins before it moved. */
};

/* The worker that has a Pod; of one that nobody knows, where its number says. */
uint32_t sw_worker_of_pod(struct sw_worker **workers, uint32_t count, uint64_t pod);
/* Have another worker run an open Pod, with all that it holds; all workers know. What the old one
 * has put out for swarmd must leave before what the new one puts out from now on: that is whoever's
 * who carries it. Nothing has changed unless SW_OK. A failure is the failure of a worker.
 * SW_E_NOT_FOUND     it is not open, or there already
 * SW_E_UNAVAILABLE   a segment of it is on its way, or it closes: try again later; with `holds`
 *                    its instances begin nothing until it moves, or sw_pod_stay
 * SW_E_RANGE         more of its instances are awake than SW_POD_MOVE_MAX
 * SW_E_EXHAUSTED     no memory */
SW_MUST_CHECK enum sw_rc sw_pod_move(const struct sw_pod_move *move);
/* Workers are at rest: a Pod that was held goes on where it is. */
void sw_pod_stay(const struct sw_pod_move *move);
/* Carry what workers have for each other until all are at rest. Nobody else runs them. */
void sw_workers_settle(struct sw_worker **workers, uint32_t count);
/* Give the Pod those of the slots that other Pods of its Agent hold, and tell all workers. A
 * failure is the failure of a worker (sw_worker_failure): the host cannot go on. */
void sw_slots_take(struct sw_slots_take *take);
/* Recovery: what a record of moved slots says.  SW_E_CORRUPT: there are no such Pods. */
SW_MUST_CHECK enum sw_rc sw_slots_recover(struct sw_worker **workers, uint32_t count,
                                          const struct sw_record_slots *record);
