/* Pods that go to other workers of their host, as heat has them do (host/balance.h), but at random:
 * in half of all seeds, again and again while the host runs.
 *
 * Threads: events of the loop.  I/O: none. */
#pragma once
#include "test/sim/loop.h"
#include "test/sim/random.h"

#include <stdbool.h>

struct sim_host;

struct sim_heat {
    struct sim_host *host;
    struct sim_event event;
    struct sim_random random;
    bool is_on;
    uint64_t held;  /* A Pod that begins nothing until it goes; 0: none. */
    uint64_t moved; /* Pods. */
};

void sim_heat_init(struct sim_heat *heat, struct sim_host *host, uint64_t seed);
/* The host runs, until its end. */
void sim_heat_begin(struct sim_heat *heat);
void sim_heat_end(struct sim_heat *heat);
