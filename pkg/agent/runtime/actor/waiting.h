/* Instances whose turn waits: what ends that, and what the turn handles meanwhile; seen by this
 * room's files only.
 *
 * Threads, I/O: as worker.h.  Limits: SW_WAITERS_AWAKE of a worker keep their guest. */
#pragma once

#define SW_WAITERS_AWAKE 64u
#define SW_WAITERS_RING 512u /* A power of two. */

struct sw_instance; /* state.h */
struct sw_message;
struct sw_worker;

/* Take in an answer that ends a wait, if the instance waits for it still; owned. */
void sw_instance_answer(struct sw_worker *worker, struct sw_instance *instance,
                        struct sw_message *message);
/* Take it out; NULL: there is none. */
struct sw_message *sw_instance_take_answer(struct sw_worker *worker, struct sw_instance *instance);
/* It begins to wait. Of those that do, the last SW_WAITERS_AWAKE keep their guest: the others are
 * packed and have no memory of their own. */
void sw_instance_begin_wait(struct sw_worker *worker, struct sw_instance *instance);
/* It has its guest again, and goes on. */
void sw_instance_wake(struct sw_worker *worker, struct sw_instance *instance);
/* From here on its turn handles that, with nobody who would hear of its end; owned. NULL: it is
 * over. */
void sw_instance_set_handled(struct sw_worker *worker, struct sw_instance *instance,
                             struct sw_message *message);
/* It waits no more, and its turn is given up: forget its ask, the answer and what it handles. */
void sw_instance_end_wait(struct sw_worker *worker, struct sw_instance *instance);
