/* What a namespace may have in this host, reserved before it is used: instances, the memory that
 * they may come to, room on the disk (storage.h), and messages in a second; and the time of the
 * processor, of which it gets none while it has used more than it may.
 *
 * A reservation counts itself in first and looks at the bound afterwards: of workers that reserve
 * at once none passes it, and once a bound was lowered nobody passes that either. What was there
 * before stays.
 *
 * Messages are shared fairly where there are not enough (start-time fair queueing, of refusals
 * instead of queues): an Agent that was refused has a turn, and room that it is entitled to before
 * another one is kept for it until it comes back, or for SW_QUOTA_PATIENCE_NS after the time that
 * it was told. So whoever asks more often does not get more than others with the same weight, and
 * what nobody else asks for anybody gets.
 *
 * Threads: any; turns are under the lock "quota" of docs/LOCKS.md, taken only while there is not
 * enough.  I/O: none.  Limits: as swarmd says; without a word of it there are none.
 * SW_QUOTA_TURNS_MAX Agents have turns, further ones get what is left. Cost of a message: O(1);
 * O(turns) where there is room for some of those that have one. */
#pragma once
#include "pkg/utils/base/list.h"
#include "pkg/utils/errors/errors.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define SW_QUOTA_NONE UINT64_MAX
#define SW_QUOTA_TURNS_MAX 256u
#define SW_QUOTA_PATIENCE_NS 1000000000u
#define SW_QUOTA_AHEAD_NS 100000000u
#define SW_QUOTA_CPU_AHEAD_NS                                                                      \
    100000000u /* What was not used in so much time can be had at once.                            \
                */
#define SW_QUOTA_WEIGHT_STANDARD 100u

struct sw_quota_limits {
    uint64_t instances, memory_bytes; /* SW_QUOTA_NONE: any number. */
    uint32_t messages_per_s;          /* 0: any number. */
    uint64_t cpu_ns;                  /* Of the processor in a second; 0: any. */
    uint64_t storage_bytes;           /* 0: any number. */
    /* Above 1: messages_per_s is 1, and it is of each so many-th second, of which this host has
     * that which leaves messages_phase. */
    uint32_t messages_s, messages_phase;
};

struct sw_quota {                                     /* Of a namespace. */
    _Atomic uint64_t instances, memory_bytes;         /* Reserved. */
    _Atomic uint64_t instances_max, memory_bytes_max; /* And the most of it. */
    _Atomic uint64_t message_rate; /* messages_per_s, above 32 bits _s, above 48 _phase; 0: any. */
    _Atomic uint64_t paid_ns; /* When all messages that were taken are paid for, as in rates.h. */
    _Atomic uint64_t cpu_ns;
    _Atomic uint64_t cpu_paid_ns; /* By the monotonic clock: when its processor time is paid for. */
    _Atomic uint64_t storage_bytes, storage_bytes_max; /* Reserved; SW_QUOTA_NONE: no bound. */
    _Atomic uint64_t storage_free_ns; /* Somebody found no room: nobody runs before that. */
    _Atomic uint32_t turns_count;
    pthread_mutex_t mutex; /* Guards all below. */
    struct sw_list turns;  /* Of those who were refused, the longest first. */
    uint64_t start_ns;     /* Of who was let in last: those who come back begin there. */
};

struct sw_quota_turn {       /* Of an Agent; zeroed: it has none. */
    _Atomic uint32_t weight; /* 0: SW_QUOTA_WEIGHT_STANDARD. */
    struct sw_list node;     /* In quota->turns; next NULL or itself: not there. */
    uint64_t time_ns;        /* What it had, by its weight, on the quota's scale. */
    uint64_t refused;        /* And not let in since; 0: it was let in lately. */
    uint64_t until_ns;       /* Then it is forgotten. */
};

enum sw_quota_answer { SW_QUOTA_TAKEN, SW_QUOTA_NO_INSTANCE, SW_QUOTA_NO_MEMORY };

void sw_quota_init(struct sw_quota *quota);
void sw_quota_done(struct sw_quota *quota);
/* Another bound from here on. What is reserved stays; what it used of the processor and has not
 * paid for stays owed, at the new pace; now_ns by the monotonic clock. */
void sw_quota_set(struct sw_quota *quota, const struct sw_quota_limits *limits, uint64_t now_ns);
/* One instance more that may have so much memory; or why it is not to be. */
SW_MUST_CHECK enum sw_quota_answer sw_quota_reserve(struct sw_quota *quota, uint64_t memory_bytes);
/* So much memory more for an instance that is there. */
bool sw_quota_reserve_memory(struct sw_quota *quota, uint64_t memory_bytes);
/* The same of what the journal has: it is there, whatever the quota says. */
void sw_quota_add(struct sw_quota *quota, uint64_t instances, uint64_t memory_bytes);
void sw_quota_release(struct sw_quota *quota, uint64_t instances, uint64_t memory_bytes);
void sw_quota_release_memory(struct sw_quota *quota, uint64_t memory_bytes);
/* Take one message of what may be taken in a second, in bursts of at most that, for the Agent that
 * the turn is of. False: there is no room for it before *ret_room_ns, and it has a turn now. */
bool sw_quota_take_message(struct sw_quota *quota, struct sw_quota_turn *turn, uint64_t now_ns,
                           uint64_t *ret_room_ns);
/* It ran for so long, until now: by the monotonic clock, as below. */
void sw_quota_use_cpu(struct sw_quota *quota, uint64_t used_ns, uint64_t now_ns);
/* From when on it may run; now or earlier: it may. */
uint64_t sw_quota_cpu_free_ns(const struct sw_quota *quota);
/* So many bytes on the disk more. False: there is no room. */
bool sw_quota_reserve_storage(struct sw_quota *quota, uint64_t bytes);
/* The same of what is there, whatever the quota says. */
void sw_quota_add_storage(struct sw_quota *quota, uint64_t bytes);
void sw_quota_release_storage(struct sw_quota *quota, uint64_t bytes);
/* Whether there is room for so many at this moment. */
bool sw_quota_has_storage(const struct sw_quota *quota, uint64_t bytes);
/* Somebody found none: nobody is to try before that time, by the monotonic clock. */
void sw_quota_rest_storage(struct sw_quota *quota, uint64_t until_ns);
uint64_t sw_quota_storage_free_ns(const struct sw_quota *quota);
/* The Agent is no more: its turn goes. */
void sw_quota_leave(struct sw_quota *quota, struct sw_quota_turn *turn);
