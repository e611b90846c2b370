/* Whether a host keeps to quotas, by a count of the simulator's own: nobody runs while the
 * namespace owes processor time, and what quotas say is reserved is what there is, after crashes as
 * well.
 *
 * Threads: one.  I/O: none. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct sw_shared;
struct sw_worker;

struct sim_quota {     /* Zeroed: there is none. */
    uint64_t cpu_ns;   /* In a second; 0: any. */
    int64_t credit_ns; /* What may be run before it rests, */
    uint64_t at_ns;    /* up to then, */
    uint64_t rest;     /* and so many 1e-9 of a nanosecond more. */
    uint32_t looks;
};

/* The host took it in. */
void sim_quota_begin(struct sim_quota *quota, uint64_t cpu_ns, uint64_t now_ns);
/* Guests ran for so long, up to now. */
void sim_quota_use(struct sim_quota *quota, uint64_t used_ns, uint64_t now_ns);
/* Whether the namespace owes more than rounding can be. */
int sim_quota_owes(struct sim_quota *quota, uint64_t now_ns);
/* What the namespace takes of the disk, as its quota counts it. */
uint64_t sim_quota_storage(struct sw_shared *shared);
/* Whether an Agent that has files of history on the disk, for which its quota had room, has none by
 * what was recovered: right after that, and before anything else. */
bool sim_quota_lost_history(const struct sw_shared *shared, const char *folder);
/* Count all instances now and then. Returns what is wrong; NULL: nothing. */
const char *sim_quota_check(struct sim_quota *quota, struct sw_shared *shared,
                            struct sw_worker *const *workers, uint32_t count);
