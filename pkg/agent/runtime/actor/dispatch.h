/* What leaves a segment: messages to instances, answers, and frames for swarmd; seen by this room's
 * files only.
 *
 * Threads, I/O, Limits: as worker.h. */
#pragma once
#include "pkg/agent/runtime/actor/turn.h"
#include "pkg/agent/runtime/actor/worker.h"

struct sw_instance; /* state.h */

/* --- dispatch.c ------------------------------------------------------------------------------- */

/* Decide about a send or publish of the running segment (struct sw_turn_host). */
int32_t sw_dispatch_admit(void *ctx, const struct sw_effect *effect,
                          struct sw_turn_route *ret_route);
int32_t sw_dispatch_take(void *ctx, const struct sw_guest_send *send,
                         struct sw_turn_route *ret_route);
/* Where an effect that was withheld goes now, without another look at who pushes back. False: a
 * publish that reaches too many, or somebody overfull. */
SW_MUST_CHECK bool sw_dispatch_route(struct sw_worker *worker, const struct sw_effect *effect,
                                     struct sw_turn_route *ret_route);
/* If the instance asks another one, have it known whom its turn answers: a call further down says
 * how deep it is. */
void sw_dispatch_note_above(struct sw_worker *worker, const struct sw_instance *instance);
/* Carry out sends, replies and publishes of the segment that `turn` holds; is_held: replies only.
 * targets: what the publishes found. place.lsn 0: nothing was recorded. */
void sw_dispatch_effects(struct sw_worker *worker, struct sw_instance *instance,
                         const struct sw_message *message, struct sw_journal_place place,
                         uint32_t effects_at, bool is_held);
struct sw_answer { /* To whoever asked. Texts are borrowed. */
    const struct sw_origin *origin;
    int32_t status;
    uint32_t priority;
    struct sw_bytes from_key; /* For clients. */
    struct sw_bytes from;     /* "agent/key", for instances. */
    struct sw_bytes type, body;
    struct sw_effect_name source;
    uint64_t epoch, body_lsn;
    uint32_t body_at;
};
void sw_dispatch_answer(struct sw_worker *worker, const struct sw_answer *answer);
/* Answer a message that will not be handled. */
void sw_dispatch_refuse(struct sw_worker *worker, const struct sw_message *message, int32_t status,
                        const char *words);
/* Hand a message to the worker of its Pod; owned. */
void sw_dispatch_message(struct sw_worker *worker, struct sw_message *message);
/* Deliver a publish to subscribers collected in worker->targets under `effect`. */
void sw_dispatch_publish(struct sw_worker *worker, struct sw_message *message, uint32_t effect);
/* Collect the subscribers of a subject in worker->targets. The bus is locked. */
void sw_dispatch_match(struct sw_worker *worker, struct sw_bytes space, struct sw_bytes subject,
                       uint32_t effect);

/* --- output.c: frames ------------------------------------------------------------------------- */

struct sw_frame;
/* What must be durable before anything is told about the instances as they are now. */
uint64_t sw_output_epoch_now(const struct sw_worker *worker);
void sw_output_frame(struct sw_worker *worker, const struct sw_frame *frame, uint64_t epoch);
void sw_output_event(struct sw_worker *worker, const struct sw_instance *instance,
                     const char *reason, const char *words, uint64_t epoch);
void sw_output_logs(struct sw_worker *worker, const struct sw_instance *instance, uint64_t epoch);
/* The Pod's counts or phase changed. */
void sw_output_status(struct sw_worker *worker, struct sw_pod *pod);
/* Tell of Pods whose time has come. */
void sw_output_statuses(struct sw_worker *worker);
void sw_output_reply(struct sw_worker *worker, uint64_t request, int32_t status,
                     const struct sw_answer *answer);
