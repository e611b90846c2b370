/* What every controller does alike: take a name, read, plan, commit once, come back if need be.
 *
 *   change --> sw_reconciler_add --> queue --> reconcile(pass) --> commit its plan --> done
 *                                      ^                                |
 *                                      +-- conflict: at once -----------+
 *                                      +-- error: with back-off --------+
 *                                      +-- pass->again_ms --------------+
 *
 * reconcile only reads and adds steps to the plan; the commit carries the revisions that were read,
 * so a stale plan fails whole and is made anew from what is there then. A name that is taken is an
 * error, and so is what reconcile itself returns, except SW_E_CONFLICT. An empty plan writes
 * nothing.
 *
 * Threads: the loop's.  I/O: the store's.  Limits: one pass for each name at a time, and
 * SW_RECONCILER_PASSES_MAX at once; an arena of at most SW_RECONCILER_ARENA_MAX for each. */
#pragma once
#include "internal/queue/queue.h"
#include "pkg/store/objects/plan.h"
#include "pkg/utils/logger/logger.h"
#include "pkg/utils/loop/loop.h"

#define SW_RECONCILER_PASSES_MAX 64
/* For all that one pass reads and writes: the largest Agent has 256 Pods with a config of 64 KiB
 * each, which are read, compared with what is there, and encoded. */
#define SW_RECONCILER_ARENA_MAX (64u * 1024u * 1024u)

struct sw_reconciler; /* Opaque. */

struct sw_pass {            /* One attempt; lives until its commit is over. */
    const char *key;        /* As it was added. */
    struct sw_arena *arena; /* For everything that the plan points to. */
    struct sw_plan *plan;
    uint64_t again_ms; /* reconcile may set it: look again after so long, all being well; 0: not. */
    void *note;        /* For reconcile to leave something (in the arena) for committed. */
};

struct sw_reconciler_options {
    const char *name; /* For logs: "agent". Static. */
    struct sw_loop *loop;
    const struct sw_system *system;
    const struct sw_logger *logger;
    struct sw_objects *objects;
    const struct sw_queue_options *queue; /* NULL: its defaults. */
    void *ctx;                            /* First argument of: */
    /* Read what pass->key is about and add to pass->plan what brings it nearer to its spec.
     * An error is logged and tried again with back-off; nothing is committed then. */
    enum sw_rc (*reconcile)(void *ctx, struct sw_pass *pass, struct sw_err *err);
    /* The plan was committed, or was empty. May be NULL. */
    void (*committed)(void *ctx, struct sw_pass *pass);
};

/* Options are copied, what they point to is borrowed. SW_E_EXHAUSTED: no memory. */
SW_MUST_CHECK enum sw_rc sw_reconciler_new(const struct sw_reconciler_options *options,
                                           struct sw_reconciler **ret_reconciler,
                                           struct sw_err *err);
/* Passes under way end without effect on the reconciler's user: committed is not called any more.
 */
void sw_reconciler_free(struct sw_reconciler *reconciler);
SW_DEFINE_CLEANUP(struct sw_reconciler, sw_reconciler_free)
/* Have a name looked at after delay_ms. A full queue is logged; the next change adds the name
 * again. */
void sw_reconciler_add(struct sw_reconciler *reconciler, const char *key, uint64_t delay_ms);
/* Nothing waits and no pass is under way. */
bool sw_reconciler_is_idle(const struct sw_reconciler *reconciler);
