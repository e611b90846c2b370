/* Who waits for whose answer: asks that are under way in this host, so that one which would close a
 * circle fails at once and not never.
 *
 * An instance waits for one answer at most, so from each there leads one way at most. An ask is
 * there from the moment that the guest makes it until its answer is on the way, or its wait ended
 * otherwise. Recovery makes them again from the questions that are still open.
 * Threads: any; the lock is "waits" of docs/LOCKS.md.  I/O: none.
 * Limits: SW_WAITS_WALK_MAX asks in a row. */
#pragma once
#include "pkg/utils/base/idmap.h"

#include <pthread.h>

#define SW_WAITS_WALK_MAX 4096u

struct sw_waits {
    pthread_mutex_t mutex;        /* Guards all below. */
    struct sw_idmap *by_key;      /* struct sw_ask, owned, by `from`: a hash. */
    struct sw_idmap *by_instance; /* The same by the id of the instance. */
};

struct sw_ask {
    uint64_t from, to;         /* Instances, as sw_board_key names them. */
    uint64_t instance, number; /* Of `from`: its id, and its wait. */
    bool is_answered;          /* The segment that runs now has answered it: no way leads on. */
    uint64_t above_instance, above_number; /* The ask that its turn answers; 0: none. */
};

SW_MUST_CHECK enum sw_rc sw_waits_init(struct sw_waits *waits, uint64_t seed);
void sw_waits_done(struct sw_waits *waits);
/* Add an ask, in place of another one of the same instance.
 * SW_E_CONFLICT   it would close a circle; *ret_last is the ask in it that leads back to `from`
 * SW_E_EXHAUSTED  more than SW_WAITS_WALK_MAX asks in a row, or no memory */
SW_MUST_CHECK enum sw_rc sw_waits_add(struct sw_waits *waits, const struct sw_ask *ask,
                                      struct sw_ask *ret_last);
/* Add an ask that was there before a restart.  SW_E_EXHAUSTED: no memory. */
SW_MUST_CHECK enum sw_rc sw_waits_restore(struct sw_waits *waits, const struct sw_ask *ask);
/* Its turn answers that ask, which is known once the segment that made it stands. */
void sw_waits_set_above(struct sw_waits *waits, const struct sw_ask *ask);
/* How many asks lead to wait `number` of an instance, that one among them; 0: it is no ask. */
uint32_t sw_waits_depth(struct sw_waits *waits, uint64_t instance, uint64_t number);
/* Wait `number` of an instance is not to be counted, or again. */
void sw_waits_set_answered(struct sw_waits *waits, uint64_t instance, uint64_t number,
                           bool is_answered);
/* Its wait `number` is over; nothing happens if it has no such ask. */
void sw_waits_remove(struct sw_waits *waits, uint64_t instance, uint64_t number);
