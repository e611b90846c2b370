/* The frame of every controller: names come from informers into a queue; one pass per name reads,
 * plans, commits once; failures come back later and later.
 *
 * A pass must be level-driven: it trusts no event to have arrived and plans from what it reads. Its
 * plan names the revisions that were read, so a stale one fails with SW_E_CONFLICT and is made
 * anew. Threads: the loop's.  I/O: the store's.  Limits: SW_RECONCILER_PASSES_MAX commits under
 * way. */
#pragma once
#include "internal/queue/queue.h"
#include "pkg/controller/event/recorder.h"
#include "pkg/store/objects/plan.h"

#define SW_RECONCILER_PASSES_MAX 64

struct sw_reconciler; /* Opaque. */

struct sw_pass {      /* One run over one name; everything lives in the arena. */
    const char *name; /* As it was added to the queue. */
    struct sw_objects *objects;
    struct sw_arena *arena;
    struct sw_plan *plan;    /* Empty; committed after the pass unless it stays so. */
    uint64_t utc_ns;         /* Now. */
    uint64_t again_after_ns; /* Set it to be called again even if nothing changes; 0: not. */
    struct sw_occurrence_list *occurrences; /* Private; see sw_pass_record. */
};

/* SW_OK commits pass->plan. Any error drops it, is logged, and brings the name back later. */
typedef enum sw_rc sw_reconcile(void *ctx, struct sw_pass *pass, struct sw_err *err);

struct sw_reconciler_options {
    const char *component; /* "agent-controller"; static. */
    struct sw_objects *objects;
    const struct sw_system *system;
    const struct sw_logger *logger; /* May be NULL. */
    struct sw_recorder *recorder;   /* May be NULL: events are dropped. */
    struct sw_alarm alarm;          /* Calls sw_reconciler_run. */
    sw_reconcile *reconcile;
    void *ctx;
};

struct sw_reconciler *sw_reconciler_new(const struct sw_reconciler_options *options);
void sw_reconciler_free(
    struct sw_reconciler *reconciler); /* After the store's callbacks are over. */
/* Have a pass over this name soon, or in delay_ns. */
void sw_reconciler_add(struct sw_reconciler *reconciler, const char *name);
void sw_reconciler_add_after(struct sw_reconciler *reconciler, const char *name, uint64_t delay_ns);
/* Do the passes that are due; called by the alarm. */
void sw_reconciler_run(struct sw_reconciler *reconciler);
/* Names that wait or are in work: 0 means that everything is as it should be, or waits for time. */
size_t sw_reconciler_count(const struct sw_reconciler *reconciler);

/* Record an Event about object once the pass's plan is durable; texts are copied. */
void sw_pass_record(struct sw_pass *pass, const struct sw_kind *kind, const void *object,
                    const struct sw_occurrence *occurrence);
