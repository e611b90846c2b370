/* Living through a run again, at its end, in place of a process of its own: through its journal as
 * `swarmctl journal replay` does, and through what Agents keep of it as `swarm agent replay` does.
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
/* What is kept of each instance that files of history name: without a gap from its birth on, if its
 * Agent keeps all and no file could not be written, and each turn of it comes to the same. */
void sim_rerun_kept(const struct sim_front *front, struct sim_rerun_result *ret_result);
