/* Whether who is quick waits for nobody's long segment: in a world in which nothing is wrong any
 * more, quick requests one after the other, alone and then beside long ones of another Agent.
 *
 * Threads: one.  I/O: none. */
#pragma once
#include "test/sim/work.h"

struct sim_prompt {
    struct sim_front *front;
    struct sim_event act;                  /* Ask the next one, or give up waiting. */
    uint64_t request;                      /* Under way; 0: none. */
    uint64_t sent_ns, alone_ns, beside_ns; /* The longest that any took. */
    uint32_t asked;
    uint32_t computing; /* Long ones that are not answered yet. */
    bool is_done;
    char breach[200]; /* What must not be seen; "": nothing was. */
};

/* All instances are awake. is_done is set when it is over. */
void sim_prompt_begin(struct sim_prompt *prompt, struct sim_front *front);
