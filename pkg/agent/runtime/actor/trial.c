#include "pkg/agent/runtime/actor/trial.h"

#include <stdlib.h>

#define GONE_COUNT ((size_t)1 << SW_TRIAL_GONE_BITS)

void sw_trials_done(struct sw_trials *trials)
{
    free(trials->gone);
    trials->gone = NULL;
    trials->count = 0;
}

/* Where it is noted, and as what, which is not 0. */
static uint32_t *place_of(const struct sw_trials *trials, uint64_t id, uint32_t *ret_mark)
{
    uint64_t mixed = id * UINT64_C(0x9e3779b97f4a7c15);

    *ret_mark = (uint32_t)mixed | 1u;
    return &trials->gone[mixed >> (64 - SW_TRIAL_GONE_BITS)];
}

void sw_trials_note_gone(struct sw_trials *trials, uint64_t id)
{
    uint32_t mark, *place;

    if (trials->gone == NULL)
        trials->gone = calloc(GONE_COUNT, sizeof *trials->gone);
    if (trials->gone == NULL)
        return;
    place = place_of(trials, id, &mark);
    *place = mark;
}

/* Whether it had gone, which is forgotten. */
static bool has_gone(struct sw_trials *trials, uint64_t id)
{
    uint32_t mark, *place;

    if (trials->gone == NULL)
        return false;
    place = place_of(trials, id, &mark);
    if (*place != mark)
        return false;
    *place = 0;
    return true;
}

void sw_trials_add(struct sw_trials *trials, uint64_t id)
{
    if (has_gone(trials, id))
        return;
    if (trials->count == SW_TRIALS_MAX) {
        trials->first++;
        trials->count--;
    }
    trials->ids[(trials->first + trials->count++) % SW_TRIALS_MAX] = id;
}

bool sw_trials_take(struct sw_trials *trials, uint64_t *ret_id)
{
    if (trials->count <= SW_TRIALS_LEAST)
        return false;
    *ret_id = trials->ids[trials->first++ % SW_TRIALS_MAX];
    trials->count--;
    return true;
}
