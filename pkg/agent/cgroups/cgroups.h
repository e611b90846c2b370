/* Control groups, one for each process that we start.
 *
 *     ROOT/memory/OWN/NAME/shared    version 1: the tree of each controller (memory, cpu, pids),
 *     ROOT/cpu/OWN/NAME/shared       from the group that the daemon is in itself (OWN)
 *     ROOT/OWN/NAME/shared           version 2
 *
 * Threads: one at a time.  I/O: files below the root, through the seam.
 * Limits: SW_CGROUP_NAME_MAX of a group's name. */
#pragma once
#include "pkg/utils/system/system.h"

#define SW_CGROUP_NAME_MAX 127u

struct sw_cgroups; /* Opaque: the daemon's. */
struct sw_cgroup;  /* Opaque: of one process. */

struct sw_cgroups_options { /* Borrowed for the call, but for system. */
    const struct sw_system *system;
    const char *root;          /* NULL: /sys/fs/cgroup. */
    const char *self;          /* What names our own groups; NULL: /proc/self/cgroup. */
    const char *name;          /* Of the group that ours are in: no other daemon's. */
    uint64_t memory_bytes_max; /* Of each group; 0: no limit. */
    /* 1 to 10,000; 100 is everybody's. 0: no groups for the processor, since one group beside
     * processes that are in none weighs no more than each of them. */
    unsigned cpu_weight;
    bool has_tasks; /* Tasks of groups are to be bounded (sw_cgroup_set_tasks). */
};

/* Find out what there is, and make the outer group. Never fails but for memory (NULL). */
struct sw_cgroups *sw_cgroups_new(const struct sw_cgroups_options *options);
/* All groups are closed. Removes the outer ones. */
void sw_cgroups_free(struct sw_cgroups *cgroups);
SW_DEFINE_CLEANUP(struct sw_cgroups, sw_cgroups_free)

struct sw_cgroups_view {
    bool has_memory, has_cpu, has_tasks;
    unsigned version; /* Of the memory controller, else of the other; 0: there is none. */
    /* What is missing for limits of all groups, and why, such as "memory: ... is not ours to
     * write"; "": nothing. */
    char missing[512];
};
void sw_cgroups_view(const struct sw_cgroups *cgroups, struct sw_cgroups_view *ret_view);

/* Make a group with the limits, or take one that is there. What cannot be done is left out. NULL:
 * no memory. */
struct sw_cgroup *sw_cgroup_open(struct sw_cgroups *cgroups, const char *name);
/* Have it have another limit of memory than the others; 0: none.  False: there is no control of
 * memory, or the kernel does not take it. */
bool sw_cgroup_set_memory(const struct sw_cgroup *cgroup, uint64_t bytes_max);
/* Have it hold at most so many processes and threads, those of who joins included (pids.max); 0: no
 * limit.  False: tasks are not counted, or the kernel does not take it. */
bool sw_cgroup_set_tasks(const struct sw_cgroup *cgroup, unsigned tasks_max);
/* Remove it, if nothing runs in it; and forget it. */
void sw_cgroup_close(struct sw_cgroup *cgroup);
/* Have a process, with all its threads, be in it.  SW_E_UNAVAILABLE: there are no groups. Others:
 * as the kernel says; it stays where it was. */
SW_MUST_CHECK enum sw_rc sw_cgroup_join(const struct sw_cgroup *cgroup, int pid,
                                        struct sw_err *err);
/* The folder of its memory controller, where its figures and its pressure stand; "": none. */
const char *sw_cgroup_memory_path(const struct sw_cgroup *cgroup);
/* How often the kernel ended a process of it since it needed more memory than it may have. */
uint64_t sw_cgroup_oom_kills(const struct sw_cgroup *cgroup);
