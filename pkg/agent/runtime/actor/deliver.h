/* What comes in to a worker; seen by this room's files only.
 *
 * Threads, I/O, Limits: as worker.h. */
#pragma once
#include "pkg/agent/runtime/actor/worker.h"

struct sw_instance; /* state.h */

#define SW_EXPECTED 8u
/* Where the receivers of the last messages that are to come are remembered. Each place comes into
 * the processor's caches first, and who stands there when SW_EXPECTED more were noted. */
struct sw_expected {
    struct sw_instance **places[SW_EXPECTED]; /* NULL: nothing is to be done. */
    uint32_t at;                              /* Of those that were ever noted. */
};

/* --- deliver.c -------------------------------------------------------------------------------- */

/* All that stands in worker->inbox. */
void sw_deliver_inbox(struct sw_worker *worker);
void sw_deliver_message(struct sw_worker *worker, struct sw_message *message);
/* Whom a message is for, if that is remembered; and deliver it to whom that was, if it still is. */
struct sw_instance *sw_deliver_remembered(struct sw_worker *worker,
                                          const struct sw_message *message);
void sw_deliver_to(struct sw_worker *worker, struct sw_instance *instance,
                   struct sw_message *message);
/* A message for one of this worker's is to be delivered soon; NULL: no more is. */
void sw_deliver_expect(struct sw_worker *worker, const struct sw_message *message);
/* It goes away: nobody may remember it. */
void sw_deliver_forget(struct sw_worker *worker, const struct sw_instance *instance);

/* --- deliver_letters.c; the items are owned --------------------------------------------------- */

void sw_deliver_letters(struct sw_worker *worker, struct sw_item_letters *letters);
void sw_deliver_letters_change(struct sw_worker *worker, struct sw_item_letters_change *change);
