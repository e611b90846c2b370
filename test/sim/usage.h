/* What swarmd was told that Agents and namespaces used: it is never taken back, whatever happens to
 * the host, and a namespace has used what its Agents have.
 *
 * Threads: one.  I/O: none. */
#pragma once
#include "pkg/agent/link/frame.h"

#define SIM_USAGES_MAX 64

struct sim_usages {
    struct sim_usage {
        char name[64];              /* Of the Agent; "": the namespace. */
        struct sw_frame_used most;  /* Ever told; */
        struct sw_frame_used start; /* when this life of the host began. */
        struct sw_frame_used last;
        uint64_t time_ns, pages; /* Of the last told. */
        bool is_known;           /* In this life. */
    } of[SIM_USAGES_MAX];
    uint32_t count;
};

/* There is another life of the host. */
void sim_usages_begin(struct sim_usages *usages);
/* Take in what was told. Returns what is wrong with it; NULL: nothing. */
const char *sim_usages_take(struct sim_usages *usages, const struct sw_frame_usage *told);
/* Nothing has happened for a while. Returns what is wrong; NULL: nothing. */
const char *sim_usages_check(const struct sim_usages *usages);
