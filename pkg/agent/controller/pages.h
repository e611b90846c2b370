/* Pages of an Agent's instances: what is asked of its host, and what comes of it.
 *
 * Threads, I/O, Limits: none. */
#pragma once
#include "pkg/agent/link/entries.h"
#include "pkg/agent/pod/runner.h"

struct sw_agent_instance { /* Borrowed for the call. */
    struct sw_bytes key;
    const char *pod;        /* Name of its Pod; "" while that is being closed. */
    struct sw_bytes digest; /* Of the module that it runs; empty: it has none yet. */
    enum sw_frame_instance_state state;
    uint32_t waiting; /* Messages in its mailbox. */
    uint64_t segments, failures, last_ns;
    uint64_t memory_bytes, disk_bytes; /* Now; of the second only while it sleeps. */
    struct sw_pod_used used;           /* utc_ns 0: it keeps nothing, and nothing is known. */
};
struct sw_agent_page { /* Borrowed for the call. */
    enum sw_rc rc;
    const struct sw_agent_instance *instances;
    size_t count;
    uint64_t next; /* Ask again from here; 0: that was all. A page may have no rows before that. */
    uint64_t counts[SW_FRAME_STATES]; /* If they were asked for, by enum sw_frame_instance_state. */
};
struct sw_agent_list { /* Borrowed for the call. */
    const char *name_space, *agent;
    uint64_t from;          /* 0, or `next` of the page before. */
    struct sw_bytes prefix; /* Only keys that begin so. */
    uint32_t states;        /* Only those: bits by enum sw_frame_instance_state. */
    uint32_t limit;         /* 1 to SW_FRAME_PAGE_MAX. */
    bool is_count;          /* How many in each state, instead of them. */
};
