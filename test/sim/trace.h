/* What happened, in words, and a digest of it: two runs of a seed have the same one.
 *
 * Threads: one.  I/O: standard output when it prints. */
#pragma once
#include "pkg/utils/errors/errors.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sim_trace {
    const uint64_t *now_ns; /* The virtual clock. */
    uint64_t digest, lines;
    bool prints;
};

void sim_trace(struct sim_trace *trace, const char *format, ...) SW_PRINTF(2, 3);
/* Bytes that are too many to print. */
void sim_trace_bytes(struct sim_trace *trace, const void *bytes, size_t size);
