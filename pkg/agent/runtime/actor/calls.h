/* Outside calls: what instances wait for from swarmd. A call is part of its actor from the segment
 * that made it until the record of what ended it, so whoever recovers it asks again, under the same
 * name; swarmd joins that to what it does already.
 *
 * Threads, I/O: as worker.h.  Limits: calls that are sent count as messages that wait. */
#pragma once
#include "pkg/agent/runtime/actor/worker.h"

struct sw_instance;

/* Send the call that the instance waits for, if it does, it is not held, its Pod is open, and this
 * run of the host has not sent it yet. What its record leaves out is made again before: then it is
 * sent when the instance's turn to run comes. */
void sw_call_send(struct sw_worker *worker, struct sw_instance *instance);
/* Its wait is over: forget that the call was sent. Whether it was: swarmd is then to hear so. */
bool sw_call_forget(struct sw_worker *worker, struct sw_instance *instance);
/* Tell swarmd that call `number` is over; not before `epoch` is durable. */
void sw_call_tell_end(struct sw_worker *worker, const struct sw_instance *instance, uint64_t number,
                      uint64_t epoch);
/* The same for the present one, now. */
void sw_call_end(struct sw_worker *worker, struct sw_instance *instance);
