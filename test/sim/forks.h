/* Forks: in some seeds branch/0 is forked while all else goes on and goes wrong, as branch/1 ...
 * Each tells a hub of each of its operations, with a number that its own memory counts. What tells
 * nobody until it is released, tells all of it once after that, and changes nothing of its origin,
 * is a fork as it should be.
 *
 * Threads: one.  I/O: the simulated disk, read as an agent host beside the one that runs reads it.
 */
#pragma once
#include "test/sim/check.h"

enum sim_branch_state {
    SIM_BRANCH_NONE,     /* It was never asked for; */
    SIM_BRANCH_ASKED,    /* it was, and may be there; */
    SIM_BRANCH_HELD,     /* it is there; */
    SIM_BRANCH_RELEASED, /* its release was asked for; */
    SIM_BRANCH_DROPPED   /* its end was. */
};

struct sim_branch {
    enum sim_branch_state state;
    bool is_sure;          /* What was asked for last is so. */
    uint64_t told;         /* The highest number that it answered. */
    uint32_t acked, tries; /* Operations; of what becomes of it. */
};

struct sim_forks {
    struct sim_front *front;
    struct sim_random random;
    struct sim_event act; /* To do something, or to give up waiting. */
    struct sim_branch of[SIM_BRANCHES];
    uint32_t at;      /* Whom what is under way is about. */
    uint32_t asked;   /* Operations so far. */
    uint64_t request; /* Under way; 0: none. */
    bool is_ending, is_quiet;
    uint32_t made, released; /* For the trace. */
    char breach[200];        /* What must never be seen; "": nothing was. */
};

/* Whether that seed has them. */
static inline bool sim_forks_are_in(uint64_t seed)
{
    return seed % 3 == 2;
}
void sim_forks_init(struct sim_forks *forks, struct sim_front *front, uint64_t seed);
/* Begin: the branches' Pod is open. */
void sim_forks_begin(struct sim_forks *forks);
/* Nothing goes wrong any more: come to know what is so, then is_quiet. */
void sim_forks_end(struct sim_forks *forks);
/* What the hubs heard at the end is what they should have. NULL: it is; otherwise words. */
const char *sim_forks_check(struct sim_forks *forks, const struct sim_lives *lives);
