/* Who is pushed back, and by which limit: counted where it happens, told to swarmd once a second.
 *
 * Threads: any; the list is under the lock "accounts" of docs/LOCKS.md.  I/O: none.
 * Limits: one entry for each Agent. */
#pragma once
#include "pkg/agent/link/usage.h"
#include "pkg/utils/base/list.h"

#include <stdatomic.h>
#include <stdbool.h>

struct sw_worker;
struct sw_pod;
struct sw_accounts;
struct sw_account;

struct sw_throttle {                          /* Of an Agent. */
    _Atomic uint64_t counts[SW_FRAME_LIMITS]; /* That swarmd has not heard of yet. */
    _Atomic bool is_listed;
    struct sw_list node; /* In accounts->throttled. */
};

/* The Agent of a Pod was pushed back; swarmd hears of it within a second. The Pod is the
 * worker's. */
void sw_throttle_note(struct sw_worker *worker, struct sw_pod *pod, enum sw_frame_limit limit);
/* Tell all that was noted, with the lock. */
void sw_throttle_tell(struct sw_worker *worker, struct sw_accounts *accounts);
/* The account ends, with the lock: what it has noted is told before. */
void sw_throttle_end(struct sw_worker *worker, struct sw_account *account);
