/* Instances that do nothing go to sleep: they leave memory for the shelf (pkg/agent/store/shelf.h),
 * and the next message brings them back. Seen by this room's files only.
 *
 *     awake ─ idle for long enough, or memory is short ─► block on the shelf, entry in asleep.h
 *       ▲                                                           │ a message
 *       ├── the block is in memory ◄────────────────────────────────┤
 *       └── SW_ITEM_READ ◄── whoever waits for the disk ◄── worker->rest.reads, and messages wait
 * here
 *
 * Who may sleep next stands in resting.h. Who has anything to wait for stays in memory: timers,
 * subscriptions, questions that it has not answered, a wait of its own. Its actor and its guest are
 * all that it is; it is rebuilt from them and its records since, as from a snapshot.
 *
 * Threads: each worker its own; whoever reads for it: sw_item_read_run.  I/O: the shelf.
 * Limits: SW_WALK_MAX are loaded at a time without a message. */
#pragma once
#include "pkg/agent/runtime/actor/asleep.h"
#include "pkg/agent/runtime/actor/state.h"

#define SW_WALK_MAX 64u

/* An instance that is asleep, and what waits for it. */
struct sw_loading {
    struct sw_list node; /* In pod->loadings. */
    struct sw_pod *pod;
    uint64_t place;
    uint32_t slot, hash, count;
    bool is_walk; /* It was begun without a message. */
    struct sw_item *messages;
};

/* Have it sleep, if it can. False: it stays as it is. */
bool sw_hibernate(struct sw_worker *worker, struct sw_instance *instance);
/* Whether nothing but its start is known of it, which entered no guest. */
bool sw_hibernate_is_new(const struct sw_instance *instance);
bool sw_hibernate_waits_for_nothing(const struct sw_instance *instance);

/* --- sweep.c: who is to sleep ------------------------------------------------------------------
 */

/* Have some sleep, for half a millisecond at most: those that have done nothing for as long as
 * their Agent says; and while there is more memory than there should be, those that came in vain
 * (trial.h), and those that have done nothing for longest. */
void sw_hibernate_sweep(struct sw_worker *worker);
/* A guest was made for the instance. */
void sw_hibernate_note_made(struct sw_worker *worker, struct sw_instance *instance);
/* Guests were made since it was called last, and nothing runs now: while memory is short, have
 * about as many sleep. */
void sw_hibernate_make_room(struct sw_worker *worker);
/* At a stop: have so many of the next ones sleep that can, of those that keep anything. */
void sw_hibernate_next(struct sw_worker *worker, size_t count);
/* How long until the first of them may sleep, in ns; UINT64_MAX: nobody may before something has
 * run. */
uint64_t sw_hibernate_wait_ns(const struct sw_worker *worker);

/* --- hibernate.c: waking, looking, and all of a Pod --------------------------------------------
 */

enum sw_found {
    SW_FOUND_NOBODY,
    SW_FOUND_HERE, /* It is awake again, in the tables of instances. */
    SW_FOUND_LATER /* Its block is read: the message waits for that, and is not the caller's. */
};
/* Look for the receiver of a message among those of a Pod that are asleep. */
enum sw_found sw_hibernate_find(struct sw_worker *worker, struct sw_pod *pod,
                                struct sw_message *message);
/* A block was read; the item stays the caller's. */
void sw_hibernate_loaded(struct sw_worker *worker, struct sw_item_read *item);
/* Whether an instance of that key is asleep; it is compared if is_exact, for which the disk may be
 * waited for. */
bool sw_hibernate_has(struct sw_worker *worker, const struct sw_pod *pod, struct sw_bytes key,
                      bool is_exact);
/* Recovery: have the instance of that id awake, waiting for the disk.  NULL, rc SW_OK: it is not
 * there. */
SW_MUST_CHECK enum sw_rc sw_hibernate_recall(struct sw_worker *worker, struct sw_pod *pod,
                                             uint64_t id, struct sw_instance **ret_instance,
                                             struct sw_err *err);

/* The Pod has another spec, or is to end: all that have to do with that are woken, by and by. */
void sw_hibernate_walk(struct sw_worker *worker, struct sw_pod *pod);
/* Go on with it. */
void sw_hibernate_step(struct sw_worker *worker);
/* All of the Pod that sleep are gone, without a word; messages that waited for them to be read are
 * refused, or wait for the Pod to be open. */
void sw_hibernate_drop(struct sw_worker *worker, struct sw_pod *pod, bool keeps_mail);
/* Before the Pod is freed: nothing waits in it any more. */
void sw_hibernate_end(struct sw_worker *worker, struct sw_pod *pod);
/* At rest: a slot moves to another Pod, with those that sleep in it, and what waits for them. */
void sw_hibernate_move(struct sw_worker *from_worker, struct sw_pod *from,
                       struct sw_worker *to_worker, struct sw_pod *to, uint32_t slot);
/* Recovery: take in the slot of a snapshot.
 * SW_E_CORRUPT: its places or specs are none. */
SW_MUST_CHECK enum sw_rc sw_hibernate_load(struct sw_worker *worker, struct sw_pod *pod,
                                           const struct sw_snapshot_places *places);
