/* What a namespace may have in this host, reserved before it is used: instances, the memory that
 * they may come to, and messages in a second.
 *
 * A reservation counts itself in first and looks at the bound afterwards: of workers that reserve
 * at once none passes it, and once a bound was lowered nobody passes that either. What was there
 * before stays. Threads: any.  I/O: none.  Limits: as swarmd says; without a word of it there are
 * none. */
#pragma once
#include "pkg/utils/errors/errors.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define SW_QUOTA_NONE UINT64_MAX

struct sw_quota_limits {
    uint64_t instances, memory_bytes; /* SW_QUOTA_NONE: any number. */
    uint32_t messages_per_s;          /* 0: any number. */
};

struct sw_quota {                                     /* Of a namespace. */
    _Atomic uint64_t instances, memory_bytes;         /* Reserved. */
    _Atomic uint64_t instances_max, memory_bytes_max; /* And the most of it. */
    _Atomic uint32_t messages_per_s;
    _Atomic uint64_t paid_ns; /* When all messages that were taken are paid for, as in rates.h. */
};

void sw_quota_init(struct sw_quota *quota);
void sw_quota_set(struct sw_quota *quota, const struct sw_quota_limits *limits);
/* One instance more that may have so much memory. False: it is not to be. */
bool sw_quota_reserve(struct sw_quota *quota, uint64_t memory_bytes);
/* So much memory more for an instance that is there. */
bool sw_quota_reserve_memory(struct sw_quota *quota, uint64_t memory_bytes);
/* The same of what the journal has: it is there, whatever the quota says. */
void sw_quota_add(struct sw_quota *quota, uint64_t instances, uint64_t memory_bytes);
void sw_quota_release(struct sw_quota *quota, uint64_t instances, uint64_t memory_bytes);
void sw_quota_release_memory(struct sw_quota *quota, uint64_t memory_bytes);
/* Take one message of what may be taken in a second, in bursts of at most that. False: there is no
 * room before *ret_room_ns. */
bool sw_quota_take_message(struct sw_quota *quota, uint64_t now_ns, uint64_t *ret_room_ns);
