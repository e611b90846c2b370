/* Living through the journal of a run again, at its end: as `swarmctl journal replay` does, in
 * place of a process of its own.
 *
 * Threads: one.  I/O: the simulated disk is read.  Limits: none. */
#pragma once
#include "test/sim/front.h"

struct sim_rerun_result {
    uint64_t segments, compared; /* Run again; instances that are in the snapshot as they were. */
    char words[600];             /* What differs; "": nothing. */
};

/* The host is at rest, or gone. */
void sim_rerun(const struct sim_front *front, struct sim_rerun_result *ret_result);
