/* What Agents, namespaces and instances used, as a host tells it.
 *
 * Threads, I/O, Limits: none. */
#pragma once
#include "pkg/utils/base/buffer.h"

#define SW_FRAME_PAGE_BYTES 65536u

struct sw_frame_used {          /* Since it began; never less than was told before. */
    uint64_t cpu_ns;            /* Of the processor. */
    uint64_t handled, bytes_in; /* Messages that came to a handler, each try; their bodies. */
    uint64_t sent, bytes_out;   /* Messages and calls that went out; their bodies. */
    uint64_t wakeups;           /* Memories that were made again after a sleep or a failure. */
    uint64_t page_ms;           /* Of memory, in pages of 64 KiB. */
};

struct sw_frame_quota { /* As struct sw_quota_limits has it. */
    struct sw_bytes name_space;
    uint64_t instances, memory_bytes;
    uint32_t messages_per_s;
};

struct sw_frame_usage {
    struct sw_bytes name_space, agent, agent_uid; /* agent, agent_uid empty: of the namespace. */
    uint64_t time_ns;                             /* Up to when. */
    uint64_t pages;                               /* Of memory that its instances have then, */
    uint64_t open_page_ms;                        /* and what of that is not in used.page_ms yet. */
    struct sw_frame_used used;
};
