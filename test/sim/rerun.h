/* Living through the journal of a run again, at its end: as `swarmctl journal replay` does, in
 * place of a process of its own.
 *
 * Threads: one.  I/O: the simulated disk is read.  Limits: none. */
#pragma once
#include "test/sim/host.h"

struct sim_rerun_result {
    uint64_t segments, compared; /* Run again; instances that are in the snapshot as they were. */
    char words[600];             /* What differs; "": nothing. */
};

/* The host is at rest, or gone. code: of the one program that all Agents run. */
void sim_rerun(const struct sim_host *host, struct sw_bytes code,
               struct sim_rerun_result *ret_result);
