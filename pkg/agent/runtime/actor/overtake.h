/* How long segments let others pass: whoever is quick waits for no end of somebody else's.
 *
 *     a segment of an Agent that is not known as slow runs on the worker's thread
 *        '- after a quantum its Agent is slow; at each tick from then on the segment is set aside,
 *           others run on top of its stack, for so long at most, and it is taken up again
 *     a segment of a slow Agent is lent: another thread, of less priority, runs its guest
 *        '- the worker goes on with others; it answers what only it can say, and when the guest
 *           has ended it takes the segment up again and commits it like any other
 *
 * So all that is a worker's is still touched by its own thread alone, one thing at a time, and
 * nothing of it is locked. What is lent is the guest's memory, the segment's turn, and what the
 * turn reads of the actor. Until a segment that was passed has ended nothing touches its instance
 * but its mailbox and the marks of its timers, its Pod is neither opened anew nor closed, and
 * nobody stands still.
 *
 * While a segment is being passed nothing else of slow Agents begins: known culprits of a worker
 * run one after the other, at the priority of its helper, so that a host full of them leaves the
 * machine to others. What is not known yet is passed in turn, up to SW_PASS_DEPTH_MAX on a stack.
 *
 * Threads: the worker's, but for what is said above.  I/O: none but what struct sw_passing_host
 * does.  Limits: SW_PASS_DEPTH_MAX. */
#pragma once
#include "pkg/agent/runtime/actor/message.h"
#include "pkg/agent/runtime/actor/turn.h"

#define SW_PASS_DEPTH_MAX 8u
#define SW_PASS_QUANTUM_NS 1000000u
#define SW_PASS_SHARE 4u         /* Others have so many times what the segment had since, */
#define SW_PASS_NS_MAX 20000000u /* up to this. */
#define SW_TARGETS_BYTES_MAX ((size_t)1 << 30) /* Of the publishes of a segment. */

struct sw_worker;
struct sw_instance;
struct sw_guest_input;

struct sw_passing {        /* Of a worker. */
    uint32_t depth;        /* Segments that are set aside now. */
    uint32_t passed;       /* Segments that were passed and have not ended. */
    bool is_passable;      /* The segment that runs may be. */
    struct sw_item *items; /* That change Pods and routes: taken in afterwards. */
    struct sw_passed {     /* For those that run while others are aside. */
        struct sw_turn turn;
        struct sw_buffer targets;
    } spares[SW_PASS_DEPTH_MAX];
};

void sw_passing_init(struct sw_passing *passing);
void sw_passing_done(struct sw_passing *passing);

/* The segment that is entered from here on may be passed. What it returns goes to sw_overtake_end
 * when the segment's guest has come back. */
bool sw_overtake_begin(struct sw_worker *worker);
void sw_overtake_end(struct sw_worker *worker, struct sw_instance *instance, bool was_passable);
/* Enter the guest of the segment, here or by lending it; worker->outcome then says how it ended. */
void sw_overtake_enter(struct sw_worker *worker, struct sw_instance *instance,
                       const struct sw_guest_input *input);
/* Whether that would lend it. */
bool sw_overtake_lends(const struct sw_worker *worker);
/* Have slow Agents held or not, as is right now; and whether that would set some free. */
void sw_overtake_settle(struct sw_worker *worker);
bool sw_overtake_may_settle(const struct sw_worker *worker);
/* The running guest was looked at: it has used so much processor time (struct sw_turn_host). Others
 * may have run when this returns; the segment goes on as if nothing had been. */
void sw_overtake_tick(void *ctx, uint64_t used_ns);
/* Keep an item for later that would change the Pod of a segment that is passed, or take away where
 * it sent. True: it was kept. */
bool sw_overtake_keeps(struct sw_worker *worker, struct sw_item *item);

/* --- worker.c --------------------------------------------------------------------------------- */

void sw_worker_look_at_clock(struct sw_worker *worker);
/* Look at it, and charge what ran since the last look to whose it was. */
void sw_worker_charge(struct sw_worker *worker);
