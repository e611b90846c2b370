/* Agents that go in circles, found by what they do: a pure core, steps in, findings out.
 *
 *     step: what an instance saw (state), what came of it (action)
 *       └─► its window of the last SW_LOOPS_WINDOW steps ─► the first of these that holds:
 *             retry storm    the same request fails again and again, faster than a backoff would
 *             repeat         the last n times p steps are n times the same p steps, p <= 8
 *             ping-pong      such a one, and another instance's repeats lie between its own
 *             growth         requests grow and grow, and no action among them is a new one
 *
 * A loop is found when it has gone round `repeats` times, and told again whenever it has gone round
 * twice as often as when it was told last. Anything new ends it.
 * Threads: one at a time.  I/O: none.  Limits: options->instances_max, of whom those go that did
 * nothing for longest; a window grows with what there is, 48 bytes a step. */
#pragma once
#include "pkg/utils/base/buffer.h"

#define SW_LOOPS_WINDOW 64u
#define SW_LOOPS_PERIOD_MAX 8u
#define SW_LOOPS_INSTANCES_MAX 65536u
#define SW_LOOPS_REPEATS_LEAST 3u
#define SW_LOOPS_REPEATS_MOST 8u /* So that eight of eight fit into the window. */
#define SW_LOOPS_REPEATS_STANDARD 5u
#define SW_LOOPS_GROWTH_FACTOR                                                                     \
    3u /* So many times `repeats` calls have to grow without progress.                             \
        */
/* The wait before the second try of a backoff that is no storm; each next one is twice as long. */
#define SW_LOOPS_BACKOFF_MS 250u
#define SW_LOOPS_WHO_MAX 512u
#define SW_LOOPS_CALLS_TOLD 4u

struct sw_loops; /* Opaque. */

enum sw_loop_kind {
    SW_LOOP_NONE,
    SW_LOOP_REPEAT,
    SW_LOOP_PING_PONG,
    SW_LOOP_GROWTH,
    SW_LOOP_RETRY
};
const char *sw_loop_kind_name(enum sw_loop_kind kind); /* "repeat", "ping-pong" ... */

struct sw_loops_step {
    uint64_t state, action; /* Digests. Of a failure, action is that of its code. */
    uint64_t call;          /* Its number in the instance's life, which only rises. */
    uint64_t now_ms;
    uint32_t tokens; /* Of the request of a model; 0: not known, or of something else. */
    bool is_failed;
};

struct sw_loop { /* A finding. */
    enum sw_loop_kind kind;
    uint32_t period;                     /* Steps of one round. */
    uint32_t repeats;                    /* Rounds so far; of growth and storms, steps. */
    uint64_t calls[SW_LOOPS_CALLS_TOLD]; /* Numbers of the last ones, oldest first. */
    uint32_t calls_count;
    char other[SW_LOOPS_WHO_MAX]; /* Ping-pong: the other instance, as `who` of its steps. */
    bool is_told_first;           /* It was not told before, or has come to twice as many. */
};

/* seed: of the table of instances, random.  NULL: no memory. */
struct sw_loops *sw_loops_new(uint64_t seed, uint32_t instances_max);
void sw_loops_free(struct sw_loops *loops);
SW_DEFINE_CLEANUP(struct sw_loops, sw_loops_free)

/* An instance did something. `who` names it, "namespace/agent/key", at most SW_LOOPS_WHO_MAX - 1
 * bytes. repeats is between the LEAST and the MOST. True: it goes in a circle, *ret_loop says
 * which. Without memory for it nothing is noted. */
bool sw_loops_add(struct sw_loops *loops, struct sw_bytes who, const struct sw_loops_step *step,
                  uint32_t repeats, struct sw_loop *ret_loop);
/* Forget what it did: it begins with an empty window. */
void sw_loops_forget(struct sw_loops *loops, struct sw_bytes who);
/* How many instances are known. */
size_t sw_loops_count(const struct sw_loops *loops);
