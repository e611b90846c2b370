#include "test/sim/trace.h"

#include "test/sim/protocol.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void sim_trace_bytes(struct sim_trace *trace, const void *bytes, size_t size)
{
    const uint8_t *at = bytes;
    uint64_t word;

    for (; size >= sizeof word; size -= sizeof word, at += sizeof word) {
        memcpy(&word, at, sizeof word);
        trace->digest = sim_mix(trace->digest, word);
    }
    for (; size > 0; size--)
        trace->digest = sim_mix(trace->digest, *at++);
}

void sim_trace(struct sim_trace *trace, const char *format, ...)
{
    char line[512];
    va_list arguments;
    int size;

    va_start(arguments, format);
    size = vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    if (size >= (int)sizeof line)
        size = sizeof line - 1;
    trace->lines++;
    trace->digest = sim_mix(trace->digest, *trace->now_ns);
    sim_trace_bytes(trace, line, (size_t)size);
    if (trace->prints)
        printf("%4" PRIu64 ".%09" PRIu64 " %s\n", *trace->now_ns / 1000000000u,
               *trace->now_ns % 1000000000u, line);
}
