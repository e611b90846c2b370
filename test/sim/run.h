/* One run: from a seed to a verdict.
 *
 * Threads: one.  I/O: standard output when it traces. */
#pragma once
#include "pkg/utils/base/buffer.h"

struct sw_wasm_engine;

struct sim_run_options {
    struct sw_wasm_engine *wasm;  /* That counts fuel; borrowed. */
    const struct sw_bytes *codes; /* Of the guest, by program; borrowed. */
    uint64_t seed;
    uint32_t minutes; /* Virtual ones, of clients at work. */
    bool prints;      /* The trace, to standard output. */
    bool by_clients;  /* It is not replayed at its end. */
    const char *keep; /* A folder that gets the disk as it was at the end; NULL: none. */
};

struct sim_run_result {
    uint64_t seed, digest;
    uint64_t virtual_ns, steps, lives, segments, asides, replayed, commits;
    uint64_t woken, moved; /* Instances that slept came back, or went to another shelf. */
    uint64_t pods_moved;   /* To another worker. */
    uint64_t rerun;
    uint64_t kept; /* Turns of histories that ran again. */ /* Segments that were run again at the
                                                               end, and came to the same. */
    uint64_t operations, acknowledged, unknown, entries;
    uint32_t kills, powers, stops, disk_ends;
    char words[700]; /* What is wrong; "": nothing. */
};

void sim_run(const struct sim_run_options *options, struct sim_run_result *ret_result);
