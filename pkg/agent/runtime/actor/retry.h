/* What becomes of inputs whose handler did not come to its end; seen by this room's files only.
 *
 *     fails -> held until its time -> mailbox -> done
 *                ^                       '-> fails: held again, or parked after the last try
 *                '-- later messages of the same sender or subject wait behind it
 *
 *     a turn fails when its wait has ended -> waits until its time -> goes on from there -> done
 *                                                ^                        '-> fails: once more, or
 *                                                '------------------------'   it is over
 *
 * A client decides for itself: its message fails at once. All else is tried again with back-off,
 * and then parked as a dead letter of the Pod; only then does an asker hear of it.
 * Threads, I/O, Limits: as worker.h. */
#pragma once
#include "pkg/agent/runtime/actor/message.h"

struct sw_actor;
struct sw_letter;
struct sw_worker;
struct sw_instance;
struct sw_pod;
struct sw_held; /* Opaque; NULL: nothing is held. */

/* --- What is held ----------------------------------------------------------------------------- */

/* Hold a message: until message->retry_ns, or, if that is 0, until all are let go. Owned from here
 * on.  SW_E_EXHAUSTED: no memory; it stays the caller's. */
SW_MUST_CHECK enum sw_rc sw_held_add(struct sw_held **held, struct sw_message *message);
/* Whether a message has to wait behind what is held: equal priority, and the same sender or the
 * same subject. */
bool sw_held_blocks(const struct sw_held *held, const struct sw_message *message);
/* When the first of them is to be tried again; UINT64_MAX: nothing is held. */
uint64_t sw_held_due(const struct sw_held *held);
/* Take out those that are due at now_ns, with all that only wait behind others, in their order: a
 * queue as of message.h. The others stay held. */
struct sw_item *sw_held_release(struct sw_held **held, uint64_t now_ns);
/* All of them are for an instance of that Pod now. */
void sw_held_set_pod(struct sw_held *held, uint64_t pod);
/* All that is held, in order, for looking at: the last of a queue. */
const struct sw_item *sw_held_items(const struct sw_held *held);

/* --- What the worker does with it ------------------------------------------------------------- */

/* Have a message wait in the instance until its time, or behind those that do; owned. */
void sw_retry_hold(struct sw_worker *worker, struct sw_instance *instance,
                   struct sw_message *message);
/* Back into the mailboxes with all that is due at now_ns. */
void sw_retry_release(struct sw_worker *worker, struct sw_instance *instance, uint64_t now_ns);
/* Decide what becomes of the input of a segment that was not done, and put it into its record. A
 * turn that had waited is tried as often as a message: what it had received fails like all messages
 * and the turn waits on for others; with what else its wait ended it is tried again.
 * message may be NULL if a wait ended by itself. */
void sw_retry_decide(struct sw_worker *worker, const struct sw_instance *instance,
                     const struct sw_message *message, struct sw_record_segment *record);
/* Do what was decided and is recorded. True: the message (may be NULL) is kept for the next try,
 * and not the caller's any more. */
bool sw_retry_settle(struct sw_worker *worker, struct sw_instance *instance,
                     struct sw_message *message, const struct sw_record_segment *record,
                     uint64_t lsn);

/* The dead letter that the message is which a turn handled when it failed for the last time, by the
 * record of that. Its texts are borrowed. */
void sw_retry_turn_letter(const struct sw_actor *actor, const struct sw_record_segment *record,
                          uint64_t lsn, struct sw_letter *ret_letter);

struct sw_refusal { /* Why a message cannot be handled, now or ever. */
    int32_t status;
    const char *reason, *words;
};
extern const struct sw_refusal sw_refused_parked; /* Its instance cannot run any more. */
/* A message that no handler of `key` will be entered with. A client is told; what an instance sent
 * is parked, and told to who asked. The message stays the caller's. */
void sw_retry_refuse(struct sw_worker *worker, struct sw_pod *pod, struct sw_bytes key,
                     const struct sw_message *message, const struct sw_refusal *refusal);
