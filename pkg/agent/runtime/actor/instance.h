/* Life and mailboxes of instances; seen by this room's files only.
 *
 * Threads, I/O, Limits: as worker.h. */
#pragma once
#include "pkg/agent/runtime/actor/message.h"

struct sw_worker;
struct sw_pod;
struct sw_instance;

/* A new instance in all tables; id 0: a new one.  NULL: no memory, or its key or id is there. */
struct sw_instance *sw_instance_add(struct sw_worker *worker, struct sw_pod *pod,
                                    struct sw_bytes key, uint64_t id);
/* Keep room for one in the quota of its namespace, which the next new instance takes. False: there
 * is none. */
bool sw_instance_reserve(struct sw_worker *worker, struct sw_pod *pod);
/* It may have so much memory from here on, if the quota has room for that; otherwise as before. */
void sw_instance_set_memory(struct sw_worker *worker, struct sw_instance *instance,
                            uint64_t memory_bytes);
/* Its memory only. */
void sw_instance_free(struct sw_worker *worker, struct sw_instance *instance);
/* Take it out of all tables and free it; its messages are refused with `status`. */
void sw_instance_remove(struct sw_worker *worker, struct sw_instance *instance, int32_t status);
/* Drop the guest: the next segment rebuilds it. */
void sw_instance_sleep(struct sw_worker *worker, struct sw_instance *instance);
/* Put a message into the mailbox; owned. */
void sw_instance_post(struct sw_worker *worker, struct sw_instance *instance,
                      struct sw_message *message);
/* Whether it has been idle for as long as its Agent allows. */
bool sw_instance_is_expired(const struct sw_worker *worker, const struct sw_instance *instance);
/* Take a message out of what it may get in a second; at the limit instances are pushed back. */
void sw_instance_take_rate(struct sw_worker *worker, struct sw_instance *instance);
/* Count a message as one of its own, which it is until it is taken. */
void sw_instance_count_in(struct sw_worker *worker, struct sw_instance *instance,
                          const struct sw_message *message);
/* Have it run soon at this priority. */
void sw_instance_wake_up(struct sw_worker *worker, struct sw_instance *instance, uint32_t priority);
/* Set its heap entry by its earliest timer or retry. */
void sw_instance_set_timer(struct sw_worker *worker, struct sw_instance *instance);
/* Fire what is due. */
void sw_worker_fire(struct sw_worker *worker);
/* Put a message back that was just taken: it is the next one again. */
void sw_instance_put_back(struct sw_worker *worker, struct sw_instance *instance,
                          struct sw_message *message, uint32_t priority);
/* Not to be run before a while, which doubles each time until it was run. */
void sw_instance_back_off(struct sw_worker *worker, struct sw_instance *instance);
/* Take the next message out; NULL: none. */
struct sw_message *sw_instance_take(struct sw_worker *worker, struct sw_instance *instance,
                                    uint32_t priority);
/* All subscriptions of an instance off the bus (locks it). */
void sw_instance_unsubscribe(struct sw_worker *worker, struct sw_instance *instance);
/* Count it as failing or not in its Pod's status. */
void sw_instance_set_failing(struct sw_worker *worker, struct sw_instance *instance, bool failing);
