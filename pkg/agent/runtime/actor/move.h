/* What moves from one Pod object to another, each with its worker; seen by this room's files only.
 *
 * Threads, I/O, Limits: as slots.h. */
#pragma once
#include "pkg/agent/runtime/actor/slots.h"
#include "pkg/agent/runtime/actor/state.h"

struct sw_move { /* The workers may be the same. */
    struct sw_worker *from_worker, *to_worker;
    struct sw_pod *from, *to;
    uint8_t slots[SW_SLOTS / 8];
};

/* Instances, those that sleep, letters and limbo of the slots are the other's; who has the slots is
 * as it was. A failure is that of a worker. */
void sw_move_apply(const struct sw_move *move);
