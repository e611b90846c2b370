/* Limits by time: so many a second, in bursts of at most what one second allows.
 *
 * Threads: a sw_rate belongs to one; sw_births is for any, under the lock "births" of
 * docs/LOCKS.md.  I/O: none.  Limits: SW_BIRTHS_MAX senders are remembered. */
#pragma once
#include "pkg/utils/base/buffer.h"
#include "pkg/utils/base/map.h"

#include <pthread.h>

#define SW_BIRTHS_MAX 65536u

struct sw_rate {      /* Zeroed: nothing was taken yet. */
    uint64_t paid_ns; /* When all that was taken is paid for. */
};

/* Whether one more may be taken now. per_s 0: always. */
bool sw_rate_has_room(const struct sw_rate *rate, uint32_t per_s, uint64_t now_ns);
/* Take one, whether there is room or not. */
void sw_rate_take(struct sw_rate *rate, uint32_t per_s, uint64_t now_ns);
/* When there is room for one again; now_ns or earlier: there is. */
uint64_t sw_rate_room_ns(const struct sw_rate *rate, uint32_t per_s);

struct sw_births {         /* How many new instances each instance brings to life. */
    pthread_mutex_t mutex; /* Guards all below. */
    struct sw_map *rates;  /* Owned struct sw_rate by sender. */
};

/* After a failure sw_births_done is still to be called. */
SW_MUST_CHECK enum sw_rc sw_births_init(struct sw_births *births, uint64_t seed);
void sw_births_done(struct sw_births *births);
/* Count a birth that `from` ("agent/key") of a namespace asked for.  SW_E_EXHAUSTED: it has asked
 * for too many, or there is no memory to count them. */
SW_MUST_CHECK enum sw_rc sw_births_add(struct sw_births *births, struct sw_bytes name_space,
                                       struct sw_bytes from, uint32_t per_s, uint64_t now_ns);
