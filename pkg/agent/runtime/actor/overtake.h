/* How long segments let others pass: whoever is quick waits for no end of somebody else's.
 *
 *     a segment runs on the strand that runs the worker's loop (pkg/utils/strands)
 *        '- at a tick, after a quantum, its Agent is slow: the segment is set aside with its stack,
 *           another strand goes on with the loop, and the segment stands in the ready queues like
 *           any other that is to run (ready.h)
 *              '- picked again: its strand goes on until the next tick, or to its end
 *
 * So long segments share the time in slices, by priority, namespace and Agent; and all that is a
 * worker's is still touched by one thing at a time, and nothing of it is locked. Until a segment
 * that was passed has ended nothing touches its instance but its mailbox and the marks of its
 * timers. A snapshot takes the instance from its records, as it does one that sleeps, and what the
 * segment handles with it. A Pod closes when its own such segments have ended: at once if it is
 * discarded, after SW_PASS_GRACE_NS otherwise; so do slots move. A segment that ends for that is
 * undone: its input is as if it had not begun, and is handled when the Pod or the slot is open
 * again. (One of a volatile instance, which cannot be as it was, has failed.)
 *
 * Threads: the worker's.  I/O: none.
 * Limits: SW_PASS_MAX of a worker, SW_GOING_SPACE_MAX of a namespace (ready.h); one more ends as if
 * its deadline had come. */
#pragma once
#include "pkg/agent/runtime/actor/message.h"
#include "pkg/agent/runtime/actor/suspects.h"
#include "pkg/agent/runtime/actor/turn.h"

#define SW_PASS_MAX 320u
/* With so many, of Agents that are known as slow only those of namespaces begin that have fewer
 * than SW_GOING_SPACE_MIN; with so many, no others are set aside either. */
#define SW_PASS_SLOW_MAX 192u
#define SW_PASS_SHARED_MAX 256u
#define SW_PASS_QUANTUM_NS 1000000u
#define SW_PASS_REST 4u /* Where others want the processor they get so many times a slice, */
#define SW_PASS_REST_NS_MAX 20000000u          /* up to this. */
#define SW_PASS_GRACE_NS 30000000000u          /* For a segment that is in somebody's way. */
#define SW_TARGETS_BYTES_MAX ((size_t)1 << 30) /* Of the publishes of a segment. */

struct sw_worker;
struct sw_instance;
struct sw_pod;
struct sw_ready_link;
struct sw_passed; /* Opaque: a segment that was set aside and has not ended. */

enum sw_pass_kind {
    SW_PASS_SEGMENT,
    SW_PASS_UPGRADE, /* Ends early only if its Pod is discarded: it is not tried again by itself. */
    SW_PASS_REPLAY   /* Of a memory: ends early between two of its segments. */
};

struct sw_passing {         /* Of a worker. */
    bool is_passable;       /* What runs may be set aside, */
    enum sw_pass_kind kind; /* and is this. */
    uint64_t asides;        /* So often another strand began the loop. */
    uint32_t count;         /* Segments that were and have not ended. */
    uint64_t rest_ns;       /* Until then none goes on, by the monotonic clock; 0: they may. */
    struct sw_item *items;  /* That would change Pods of such segments: taken in afterwards. */
    struct sw_passed *all, *spares;
    uint32_t spares_count;
};

void sw_passing_done(struct sw_passing *passing);

/* What was set aside and is entered no more has ended (segment.h: sw_overtake_end). */
void sw_overtake_end_passed(struct sw_worker *worker, struct sw_instance *instance);
/* A segment of a slow Agent ended without being set aside. */
void sw_overtake_note_quick(struct sw_worker *worker, const struct sw_instance *instance);
/* Memories are not rebuilt any further. */
void sw_overtake_give_up_replays(struct sw_worker *worker);
/* Whether what runs of it is to end now. */
bool sw_overtake_is_hurried(const struct sw_instance *instance);
/* Whether it is to be handled again when it ends for that. */
bool sw_overtake_is_for_later(const struct sw_instance *instance);
/* The running guest was looked at: it has used so much processor time (struct sw_turn_watch).
 * Others may have run when this returns; the segment goes on as if nothing had been, unless it is
 * to end now: then why. */
const char *sw_overtake_tick(void *ctx, uint64_t used_ns);
/* Have one go on that was picked; returns at its next tick, or when it has ended. */
void sw_overtake_go_on(struct sw_worker *worker, struct sw_ready_link *link);
/* If passing.rest_ns is not 0: have those rest that are to, or go on, by the worker's clock. */
void sw_overtake_settle(struct sw_worker *worker);
/* The worker's loop is another strand's by now: whoever runs it is to return. */
bool sw_overtake_is_replaced(const struct sw_worker *worker);
/* Keep an item for later that would change the Pod of a segment that was passed. True: it was kept.
 */
bool sw_overtake_keeps(struct sw_worker *worker, struct sw_item *item);
/* The slots that passed segments of a Pod are in, as bits, which cannot be moved before they have
 * ended; from here on they are in the way, and their instances begin nothing else. */
void sw_overtake_want_slots(struct sw_worker *worker, const struct sw_pod *pod,
                            const uint8_t *wanted, uint8_t *ret_busy);
/* Whose it is that waits to go on. */
struct sw_instance *sw_overtake_instance(struct sw_ready_link *link);
/* What the segment of an instance handles that was passed; NULL: nothing that came as a message. */
const struct sw_message *sw_overtake_message(const struct sw_worker *worker,
                                             const struct sw_instance *instance);
