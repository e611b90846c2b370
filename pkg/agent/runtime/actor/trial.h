/* Who comes while memory is short is on trial: unless he does something again before so many others
 * have come, or has gone like that a short while ago, he is the first to go, and not who has rested
 * for longest. So a crowd of whom each comes once drives nobody out who comes often; and what he is
 * lies in the processor's caches still, where those who have rested for long take twice the time to
 * go. (After S3-FIFO: Yang and others, "FIFO queues are all you need for cache eviction", 2023.)
 *
 * Seen by this room's files only. Threads: as worker.h.  I/O: none.
 * Limits: SW_TRIALS_MAX at a time; the last 2^SW_TRIAL_GONE_BITS who went are known. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#define SW_TRIALS_MAX 64u
#define SW_TRIALS_LEAST 32u /* Behind so many newer ones a trial is over. */
#define SW_TRIAL_GONE_BITS 16

struct sw_trials { /* Zeroed: none. */
    uint64_t ids[SW_TRIALS_MAX];
    uint32_t first, count;
    uint32_t *gone; /* Part of an id, by the rest of it; NULL: none has yet, or there is no memory.
                     */
};

void sw_trials_done(struct sw_trials *trials);
/* The instance of that id has come. Of more than SW_TRIALS_MAX the first one stays for good. */
void sw_trials_add(struct sw_trials *trials, uint64_t id);
/* The next one whose trial is over, which is so no more. False: there is none. */
bool sw_trials_take(struct sw_trials *trials, uint64_t *ret_id);
/* It has gone. */
void sw_trials_note_gone(struct sw_trials *trials, uint64_t id);
