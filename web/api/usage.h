/* What Agents and instances used, as the gateway tells it.
 *
 * Threads: the loop's.  I/O, Limits: none. */
#pragma once
#include "pkg/utils/base/buffer.h"

struct sw_gateway_usage { /* As message Usage of the API. */
    uint64_t utc_ns;      /* Up to when; 0: nothing is known. */
    uint64_t cpu_ns, messages, message_bytes, sent, sent_bytes, wakeups;
    uint64_t memory_byte_s, memory_bytes, fuel;
};

typedef void sw_gateway_usage_visit(void *ctx, const char *agent,
                                    const struct sw_gateway_usage *usage);

/* Append it as JSON. */
void sw_gateway_put_usage(const struct sw_gateway_usage *usage, struct sw_buffer *out);
