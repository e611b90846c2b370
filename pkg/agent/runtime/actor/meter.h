/* What instances, Agents and namespaces used: exactly, and across restarts.
 *
 *     segment --> its record --> instance --> meter of its Pod --> account of its Agent -->
 * namespace segment of a volatile one ------------> meter --> USAGE record --> account ...
 *
 * What stands in accounts follows from records alone: of durable instances from those of their
 * segments, of volatile ones from USAGE records, which their worker makes once a second while there
 * is anything to say, and at a clean stop. Meters are settled then, and when a snapshot begins; so
 * accounts are never ahead of the journal.
 *
 * The time of the processor is that for which the ready queues charge Agents (ready.h). A record
 * takes what its Agent was charged and no record has said yet: what comes behind a segment's
 * record, such as the delivery of its messages, is said by the next one of its Agent.
 *
 * Threads: meters one at a time; accounts any, under the lock "accounts" of docs/LOCKS.md.
 * I/O: the journal's appends.  Limits: SW_METER_SPACES_MAX namespaces have an account. */
#pragma once
#include "pkg/agent/link/usage.h"
#include "pkg/agent/runtime/actor/quota.h"
#include "pkg/agent/runtime/actor/throttle.h"
#include "pkg/agent/store/record.h"
#include "pkg/utils/base/list.h"
#include "pkg/utils/base/map.h"

#include <pthread.h>

#define SW_METER_NS 1000000000u /* Between two settlings, while there is anything to say. */
#define SW_METER_SPACES_MAX 65536u

struct sw_worker;
struct sw_instance;
struct sw_pod;
struct sw_snapshots;
struct sw_slept;

struct sw_meter { /* Of a Pod: what no account says yet. Differences may be below 0: they wrap. */
    struct sw_usage used;
    uint64_t pages;                       /* Of memory, by records: more than the account has. */
    uint64_t since_ms;                    /* As struct sw_account has it. */
    uint64_t volatile_pages, volatile_ms; /* All of it; since when that is not in `used`. */
    uint64_t told_pages;                  /* Of these the account has so many. */
    struct sw_list due;                   /* In worker->metered. */
    bool is_due;
};

struct sw_quota_word { /* What was told last of what a namespace has. */
    uint64_t number;   /* Of the quota, as swarmd counts; 0: there is none. */
    bool is_beyond;    /* It had more than that allows. */
};

struct sw_account { /* Of an Agent, or of a namespace, which is the parent of its Agents. */
    struct sw_account *parent;  /* NULL: it is a namespace, or there are too many of them. */
    struct sw_usage used;       /* By records, */
    struct sw_usage unrecorded; /* and what is to be in the next USAGE record. */
    /* Of durable instances: of each page the millisecond from which on it is in no sum yet, all
     * added up. Up to now that is pages * now - since_ms. */
    uint64_t pages, since_ms;
    uint64_t volatile_pages;
    /* Bytes of records since the point of the snapshot that counts; and so many of them before the
     * point of the one that is being taken (storage.h). */
    _Atomic uint64_t record_bytes;
    uint64_t point_bytes;
    _Atomic uint64_t history_bytes;  /* Of an Agent: that its history may take (storage.h), */
    _Atomic uint64_t reserved_bytes; /* and the memory that its instances may come to. */
    struct sw_quota quota;           /* Of a namespace; */
    struct sw_quota_word word;       /* the same; */
    struct sw_quota_turn turn;       /* of an Agent, in its namespace's. */
    struct sw_throttle throttle;     /* Of an Agent. */
    uint32_t pods;                   /* Of an Agent, in this host. */
    uint64_t told_ns;                /* When it was told last: who tells more says a later time. */
    bool is_due;
    struct sw_bytes name_space, agent, agent_uid; /* In bytes. */
    char bytes[];
};

struct sw_accounts {
    pthread_mutex_t mutex;    /* Guards all below. */
    struct sw_map *agents;    /* Owned struct sw_account, by namespace and uid of the Agent; */
    struct sw_map *spaces;    /* and by namespace. */
    struct sw_list throttled; /* Accounts with something to tell (throttle.h). */
    bool is_told;             /* What was recovered. */
    /* Namespaces in which messages or room on the disk are bounded: usually none, then looking
     * costs one load. */
    _Atomic uint32_t rated;
};

/* Instances of the Agent may come to so much memory more; less: it wraps. */
static inline void sw_account_reserve(struct sw_account *account, uint64_t memory_bytes)
{
    atomic_fetch_add_explicit(&account->reserved_bytes, memory_bytes, memory_order_relaxed);
}

/* After a failure sw_accounts_done is still to be called. */
SW_MUST_CHECK enum sw_rc sw_accounts_init(struct sw_accounts *accounts, uint64_t seed);
void sw_accounts_done(struct sw_accounts *accounts);
/* A Pod begins; it has its account from here on.  SW_E_EXHAUSTED: no memory. */
SW_MUST_CHECK enum sw_rc sw_account_join(struct sw_accounts *accounts, struct sw_pod *pod);
/* What a namespace may have from here on, now by the monotonic clock.  SW_E_EXHAUSTED: no memory.
 */
SW_MUST_CHECK enum sw_rc sw_accounts_set_quota(struct sw_accounts *accounts,
                                               struct sw_bytes name_space,
                                               const struct sw_quota_limits *limits,
                                               uint64_t now_ns);
/* Recovery: a record of the journal, or (is_whole) a block of a snapshot, which says all at once.
 * SW_E_EXHAUSTED: no memory. */
SW_MUST_CHECK enum sw_rc sw_accounts_take(struct sw_accounts *accounts,
                                          const struct sw_record_usage *record, bool is_whole);
/* What the account of a record's Agent or namespace says. False: there is none. */
bool sw_accounts_find(struct sw_accounts *accounts, const struct sw_record_usage *record,
                      struct sw_usage *ret_used);
/* All accounts as blocks of a snapshot. */
SW_MUST_CHECK enum sw_rc sw_accounts_put(struct sw_accounts *accounts,
                                         struct sw_snapshots *snapshots);

/* --- What happened ---------------------------------------------------------------------------- */

/* A segment of a durable instance has its record: the one function that makes usage of records, for
 * those who write and those who read them; to be called before the actor takes the record in.
 * record_bytes: that it takes in the journal.  sent: what its effects sent, if that is known;
 * NULL: they are looked at. */
void sw_meter_apply(struct sw_worker *worker, struct sw_instance *instance,
                    const struct sw_record_segment *segment, uint64_t record_bytes,
                    const struct sw_usage *sent);
/* A durable instance was loaded with its memory and all that it used. */
void sw_meter_load(struct sw_worker *worker, struct sw_instance *instance);
/* Have the record say how large the memory of a durable instance has become. */
void sw_meter_record_memory(struct sw_worker *worker, const struct sw_instance *instance,
                            struct sw_record_segment *segment);
/* A volatile instance has so much memory from now on: 0 when it ends or moves to another Pod. */
void sw_meter_set_pages(struct sw_worker *worker, struct sw_instance *instance, uint32_t pages);
/* The same, as its guest has it. */
void sw_meter_look_at_memory(struct sw_worker *worker, struct sw_instance *instance);
/* A durable instance went without a record of that. */
void sw_meter_forget(struct sw_worker *worker, struct sw_instance *instance);
/* An instance goes to sleep, and has come back: it is among those who have something together. */
void sw_meter_sleep(struct sw_slept *slept, const struct sw_instance *instance);
void sw_meter_wake(struct sw_slept *slept, const struct sw_instance *instance);
/* So many of a Pod were recovered, went without a word, or are another Pod's from here on. */
void sw_meter_load_slept(struct sw_worker *worker, struct sw_pod *pod, uint64_t count,
                         const struct sw_slept *slept);
void sw_meter_drop_slept(struct sw_worker *worker, struct sw_pod *pod, uint64_t count,
                         struct sw_slept *slept);
/* One of so many cannot be read and is gone: nobody knows what it had of all. */
void sw_meter_lose_slept(struct sw_pod *pod, uint64_t count, struct sw_slept *slept);
/* Have the Pod's meter settled soon. */
void sw_meter_set_due(struct sw_worker *worker, struct sw_pod *pod);

/* As swarmd is told of it. */
struct sw_frame_used sw_meter_told(const struct sw_usage *used);

/* The same of a durable instance among others, whose row has its pages and its last time. */
struct sw_frame_instance;
void sw_meter_fill_row(uint64_t now_ns, const struct sw_usage *used, struct sw_frame_instance *row);

/* Pass it on; the last worker tells what the namespace has. It is counted while no instance is
 * between two Pods, and what it had before can come back with no crash once that is heard. */
struct sw_item_quota_ask;
void sw_meter_answer_quota(struct sw_worker *worker, struct sw_item_quota_ask *ask);

/* --- Settling --------------------------------------------------------------------------------- */

/* Have the accounts hold all that records of this worker say. */
void sw_meter_settle_records(struct sw_worker *worker);
/* The same, and put down what volatile instances used; tell swarmd of what has changed. */
void sw_meter_settle(struct sw_worker *worker);
/* A Pod is gone for ever: the same of it alone. The account of an Agent without Pods ends. */
void sw_meter_end_pod(struct sw_worker *worker, struct sw_pod *pod, bool is_recovered);
