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
    uint64_t fuel;              /* Where engines count it. */
};

struct sw_frame_quota { /* As struct sw_quota_limits has it. */
    uint64_t number;    /* The answer has it, too. */
    struct sw_bytes name_space;
    uint64_t instances, memory_bytes;
    uint32_t messages_per_s, messages_s, messages_phase;
    uint64_t cpu_ns, storage_bytes;
};

/* Counted after the QUOTA of that number was in force; told again when something that was beyond it
 * has become less. */
struct sw_frame_quota_held {
    uint64_t number;
    struct sw_bytes name_space;
    uint64_t instances, memory_bytes, storage_bytes; /* Reserved. */
};

enum sw_frame_limit {                                 /* What an Agent is pushed back by. */
                      SW_FRAME_LIMIT_MESSAGES,        /* Its own limits.messagesPerSecond, */
                      SW_FRAME_LIMIT_QUOTA_MESSAGES,  /* and the quota of its namespace: of messages
                                                         in a second, */
                      SW_FRAME_LIMIT_QUOTA_INSTANCES, /* of instances, */
                      SW_FRAME_LIMIT_QUOTA_MEMORY,    /* of their memory, */
                      SW_FRAME_LIMIT_QUOTA_CPU,       /* of the processor, */
                      SW_FRAME_LIMIT_QUOTA_STORAGE,   /* and of the disk. */
                      SW_FRAME_LIMITS
};

struct sw_frame_throttled {
    struct sw_bytes name_space, agent, agent_uid;
    uint32_t limit; /* enum sw_frame_limit. */
    uint64_t count; /* So often since it was told last; not 0. */
};

struct sw_frame_usage {
    struct sw_bytes name_space, agent, agent_uid; /* agent, agent_uid empty: of the namespace. */
    uint64_t time_ns;                             /* Up to when. */
    uint64_t pages;                               /* Of memory that its instances have then, */
    uint64_t open_page_ms;                        /* and what of that is not in used.page_ms yet. */
    uint64_t storage_bytes;                       /* On the disk, as its quota counts it; */
    uint64_t reserved_bytes;                      /* and the memory that instances may come to. */
    struct sw_frame_used used;
};
