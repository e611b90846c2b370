/* What the durable instances of a namespace take on the disk of this host, which is never more than
 * its quota: reserved before it is written.
 *
 *     segment has run ─► reserve what its record and what its memory has grown by come to at most
 *       │ there is no room                         │
 *       ▼                                          ▼
 *     it is as if it had not begun, and its      record appended: what it came to is used,
 *     namespace rests until it is tried again    and the rest is given back
 *
 * Counted are the bytes of records from the point of the snapshot that counts on, and the memory
 * that instances have, awake or asleep, in pages of 64 KiB: what a snapshot, or the shelf, may hold
 * of them. So a snapshot never takes more than was reserved before it, and gives back what the
 * records before its point took; one is asked for when somebody had no room and it would give back
 * enough. The files of an Agent's history (keeper.h) count with what they may take in all, its
 * maxBytes, from the snapshot on that is the first to keep some.
 *
 * Not counted are what waits in mailboxes or as dead letters, what Pods and Agents take themselves,
 * and what is on its way to be removed.
 *
 * Threads: each worker its own Pods; accounts under the lock "accounts" of docs/LOCKS.md.
 * I/O: none.  Limits: as the quota says. */
#pragma once
#include "pkg/agent/runtime/actor/segment.h"

#define SW_STORAGE_RECORD_BYTES 1024u /* Of a record, besides what it carries. */
/* That is to be free for who asks before it is known: what is under way finds room then. */
#define SW_STORAGE_ROOM_BYTES 4096u
#define SW_STORAGE_REST_NS 100000000u

/* Have room for so much of the Pod's namespace, until sw_storage_give_back. False: there is none;
 * its namespace rests for a moment. */
SW_MUST_CHECK bool sw_storage_reserve(struct sw_worker *worker, struct sw_pod *pod, uint64_t bytes);
/* The same for what a segment that has run comes to. */
SW_MUST_CHECK bool sw_storage_reserve_segment(struct sw_worker *worker,
                                              const struct segment *segment);
/* A durable instance has a record of so many bytes more, and its memory became another one: out of
 * what is reserved, as far as that goes. */
void sw_storage_use(struct sw_worker *worker, struct sw_pod *pod, uint64_t record_bytes,
                    uint64_t old_pages, uint64_t pages);
/* What was reserved and not used. */
void sw_storage_give_back(struct sw_worker *worker);
/* Memory of durable instances that were recovered, or went without a record: there is no asking. */
void sw_storage_add_pages(struct sw_pod *pod, uint64_t pages);
void sw_storage_remove_pages(struct sw_pod *pod, uint64_t pages);

/* The history of an Agent may take so many bytes from here on, instead of what it might before; the
 * next snapshot has that. False: there is no room, it is as it was. */
bool sw_storage_keep_history(struct sw_account *account, uint64_t bytes);
/* The same, none, for all whose uid is not kept. */
void sw_storage_forget_histories(struct sw_accounts *accounts,
                                 bool (*is_kept)(const void *ctx, struct sw_bytes agent_uid),
                                 const void *ctx);

/* Whether there is room for so much at this moment; if not, that is told. A look, nothing is
 * reserved. */
bool sw_storage_has_room(struct sw_worker *worker, struct sw_pod *pod, uint64_t bytes);
/* The same for the segment that runs, which is to carry so much more. */
bool sw_storage_may_carry(struct sw_worker *worker, uint64_t bytes);

/* A snapshot is taken of this moment, at which all workers are at rest; it counts now. */
void sw_storage_point(struct sw_accounts *accounts);
void sw_storage_reclaim(struct sw_accounts *accounts);
