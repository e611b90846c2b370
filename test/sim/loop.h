/* Virtual time: what is to happen, in order, and the coroutines that calls of the disk suspend.
 *
 * Events run on strands (pkg/utils/strands), threads of which one runs at a time: an event can be
 * set aside in the middle, with its stack, and those that follow run on another one. Whoever sets
 * the time on waits meanwhile, so nothing runs beside anything else and order is all there is.
 *
 * Threads: that of the owner, and the strands that it waits for.  I/O: none. */
#pragma once
#include "pkg/utils/base/heap.h"
#include "pkg/utils/strands/strands.h"

#include <semaphore.h>
#include <stdbool.h>
#include <stdint.h>

#define SIM_US ((uint64_t)1000)
#define SIM_MS ((uint64_t)1000000)
#define SIM_S ((uint64_t)1000000000)
#define SIM_NEVER UINT64_MAX
#define SIM_STRANDS_MAX 1500u

struct sim_event { /* Embedded in what it is about. Start with sim_event_init. */
    struct sw_heap_entry entry;
    void (*run)(void *ctx);
    void *ctx;
};

struct sim_loop {
    struct sw_heap heap;
    uint64_t now_ns, steps;
    /* An event was set aside: called on the strand that goes on with those that follow. */
    void (*aside)(void *ctx);
    void *ctx;
    struct sw_strands *strands;
    sem_t go, rested;             /* The strands have something to do, and have done it. */
    uint64_t until_ns, steps_max; /* To run events until then, */
    void (*call)(void *ctx);      /* or to call this instead; */
    void *call_ctx;
    bool is_over, is_running; /* or to end. */
};

void sim_loop_init(struct sim_loop *loop);
/* No event is set aside any more. */
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
/* Call this as an event would be, now. */
void sim_loop_call(struct sim_loop *loop, void (*call)(void *ctx), void *ctx);
/* What runs took so long: that is over when it ends. */
void sim_loop_spend(struct sim_loop *loop, uint64_t ns);

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
