/* What goes wrong, and when: chosen by the seed, most of it while clients are at work.
 *
 * Threads: one.  I/O: none. */
#pragma once
#include "test/sim/front.h"

#define SIM_FAULTS_PENDING 8u

enum sim_fault_kind {
    SIM_FAULT_KILL,        /* The host's process, at some event. */
    SIM_FAULT_POWER,       /* The machine's, at some event. */
    SIM_FAULT_CUT,         /* Either, in the middle of a call of the disk. */
    SIM_FAULT_WRITE,       /* A write fails in its middle. */
    SIM_FAULT_SYNC,        /* A sync fails. */
    SIM_FAULT_FULL,        /* The disk is full for a while. */
    SIM_FAULT_SLOW,        /* The disk is slow for a while. */
    SIM_FAULT_CLOCK,       /* Somebody sets the clock of the day. */
    SIM_FAULT_POD,         /* A Pod is closed, and opened again later. */
    SIM_FAULT_SPLIT,       /* Slots of the accounts move from one of their Pods to the other. */
    SIM_FAULT_STOP,        /* A clean stop, with a snapshot. */
    SIM_FAULT_BROKEN_STOP, /* A clean stop that is cut off. */
    SIM_FAULT_NAMED,       /* As CUT, just when the next snapshot is named and not durable yet. */
    SIM_FAULT_TOLD,        /* As POWER, just when a mirror has told of somebody's log: whose record
                              of that is not durable, if it left too early. */
    SIM_FAULT_ROLLOUT /* Another version of all Agents, sometimes one that was, or that fails. */
};
#define SIM_FAULT_KINDS (SIM_FAULT_ROLLOUT + 1)

struct sim_faults;

struct sim_fault {
    struct sim_faults *faults;
    struct sim_event event;
    bool is_reopen; /* The second half of SIM_FAULT_POD. */
    uint32_t pod;
};

struct sim_faults {
    struct sim_front *front;
    struct sim_host *host;
    struct sim_disk *disk;
    struct sim_random random;
    struct sim_fault pending[SIM_FAULTS_PENDING];
    uint32_t weights[SIM_FAULT_KINDS], weights_sum;
    uint32_t per_burst;
    uint32_t version;   /* The last new one. */
    uint64_t jumped_ns; /* How far the clock was set forward in all. */
    uint32_t counts[SIM_FAULT_KINDS];
};

void sim_faults_init(struct sim_faults *faults, struct sim_front *front, uint64_t seed);
/* Some faults within the next length_ns. */
void sim_faults_plan(struct sim_faults *faults, uint64_t length_ns);
/* No more faults; the disk is good, all Pods are wanted, and some runs end with a good version. */
void sim_faults_end(struct sim_faults *faults);
