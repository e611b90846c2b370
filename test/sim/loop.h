/* Virtual time: what is to happen, in order, and the one coroutine that calls of the disk suspend.
 *
 * Threads: one.  I/O: none. */
#pragma once
#include "pkg/utils/base/heap.h"

#include <stdbool.h>
#include <stdint.h>

#define SIM_US ((uint64_t)1000)
#define SIM_MS ((uint64_t)1000000)
#define SIM_S ((uint64_t)1000000000)
#define SIM_NEVER UINT64_MAX

struct sim_event { /* Embedded in what it is about. Start with sim_event_init. */
    struct sw_heap_entry entry;
    void (*run)(void *ctx);
    void *ctx;
};

struct sim_loop {
    struct sw_heap heap;
    uint64_t now_ns, steps;
};

void sim_loop_init(struct sim_loop *loop);
void sim_loop_done(struct sim_loop *loop);
void sim_event_init(struct sim_event *event, void (*run)(void *ctx), void *ctx);
/* Have it run then, or earlier if it was to run earlier already. */
void sim_event_by(struct sim_loop *loop, struct sim_event *event, uint64_t at_ns);
/* Have it run then and not before. */
void sim_event_at(struct sim_loop *loop, struct sim_event *event, uint64_t at_ns);
void sim_event_stop(struct sim_loop *loop, struct sim_event *event);
/* Run until the clock would pass until_ns, `steps_max` were taken, or nothing is left. False: the
 * steps were not enough. */
bool sim_loop_run(struct sim_loop *loop, uint64_t until_ns, uint64_t steps_max);

/* --- A coroutine: a function with a stack of its own ------------------------------------------ */

struct sim_coroutine; /* Opaque. */

/* It begins with the first sim_coroutine_resume. */
struct sim_coroutine *sim_coroutine_new(void (*run)(void *ctx), void *ctx);
/* It has ended, or never begun. */
void sim_coroutine_free(struct sim_coroutine *coroutine);
/* Run it until it suspends itself. False: it has ended. */
bool sim_coroutine_resume(struct sim_coroutine *coroutine);
/* From within: back to whoever resumed it. */
void sim_coroutine_suspend(struct sim_coroutine *coroutine);
