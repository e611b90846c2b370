/* Which Pod of a host is to go to which of its workers, by heat: the processor time that Pods take.
 *
 *     sw_balance_see, of each Pod, every other second ─► its load, of which older times count less
 *     sw_balance_next ─► the hottest worker's Pod that relieves it most on the coolest one, if any
 *
 * A move has to make the hotter of the two workers cooler by SW_BALANCE_GAIN, so it is never worth
 * while to undo it; where a Pod alone is the heat, nothing is. Between two moves are some seconds,
 * in which the loads show what the last one did; a Pod that moved stays for a minute.
 *
 * Threads: one at a time.  I/O: none; time is what the caller says.
 * Limits: SW_BALANCE_PODS_MAX Pods; with more there is nothing to do. */
#pragma once
#include "pkg/utils/errors/errors.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SW_BALANCE_PPM 1000000u /* Loads are in millionths of a processor. */
#define SW_BALANCE_PODS_MAX 4096u
#define SW_BALANCE_BUSY 250000u /* A worker with less is not too hot. */
#define SW_BALANCE_GAIN 100000u
#define SW_BALANCE_TIME_NS 10000000000u /* After so long a load counts by half what was before. */
#define SW_BALANCE_SEE_NS 2000000000u
#define SW_BALANCE_REST_NS 10000000000u     /* Between two moves, */
#define SW_BALANCE_POD_REST_NS 60000000000u /* and between two of one Pod. */

struct sw_balance_load { /* Of a Pod. */
    uint64_t pod;        /* Number; not 0. */
    uint32_t worker, ppm;
    bool stays; /* It moved a moment ago, cannot move, or is not known for long enough. */
};

struct sw_balance_plan {
    uint64_t pod;
    uint32_t from, to;           /* Workers. */
    uint32_t hot_ppm, cool_ppm;  /* Their loads now, */
    uint32_t load_ppm, gain_ppm; /* that of the Pod, and by how much the hotter gets cooler. */
};

/* The move that gains most; of several alike that of the lowest number. False: none is worth it. */
bool sw_balance_choose(const struct sw_balance_load *loads, size_t count, uint32_t workers,
                       struct sw_balance_plan *ret_plan);

struct sw_balance; /* Opaque. */

struct sw_balance *sw_balance_new(uint32_t workers); /* NULL: no memory. */
void sw_balance_free(struct sw_balance *balance);
SW_DEFINE_CLEANUP(struct sw_balance, sw_balance_free)

/* A Pod is run by that worker, and took so much of the processor since some time: a number that
 * only grows. In which of the two SW_E_EXHAUSTED: no memory, or too many Pods. */
SW_MUST_CHECK enum sw_rc sw_balance_see(struct sw_balance *balance, uint64_t pod, uint32_t worker,
                                        uint64_t busy_ns, uint64_t now_ns);
/* All Pods were seen at now_ns: those that were not are forgotten. False: nothing is to move. */
bool sw_balance_next(struct sw_balance *balance, uint64_t now_ns, struct sw_balance_plan *ret_plan);
/* What came of a plan: the Pod is there now, or (is_refused) cannot go for a while. */
void sw_balance_done(struct sw_balance *balance, const struct sw_balance_plan *plan,
                     bool is_refused, uint64_t now_ns);
