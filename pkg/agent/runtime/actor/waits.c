#include "pkg/agent/runtime/actor/waits.h"

#include <stdlib.h>

enum sw_rc sw_waits_init(struct sw_waits *waits, uint64_t seed)
{
    pthread_mutex_init(&waits->mutex, NULL);
    waits->by_key = sw_idmap_new(seed, 0);
    waits->by_instance = sw_idmap_new(seed, 0);
    return waits->by_key == NULL || waits->by_instance == NULL ? SW_E_EXHAUSTED : SW_OK;
}

void sw_waits_done(struct sw_waits *waits)
{
    size_t cursor = 0;
    void *ask;

    while (waits->by_key != NULL && sw_idmap_next(waits->by_key, &cursor, NULL, &ask))
        free(ask);
    sw_idmap_free(waits->by_key);
    sw_idmap_free(waits->by_instance);
    pthread_mutex_destroy(&waits->mutex);
}

static void forget(struct sw_waits *waits, struct sw_ask *ask)
{
    (void)sw_idmap_remove(waits->by_key, ask->from);
    (void)sw_idmap_remove(waits->by_instance, ask->instance);
    free(ask);
}

/* Where the way from ask->to leads. */
static enum sw_rc walk(const struct sw_waits *waits, const struct sw_ask *ask,
                       struct sw_ask *ret_last)
{
    uint64_t at = ask->to;

    if (at == ask->from) {
        *ret_last = *ask;
        return SW_E_CONFLICT;
    }
    for (uint32_t i = 0; i < SW_WAITS_WALK_MAX; i++) {
        const struct sw_ask *next = sw_idmap_find(waits->by_key, at);

        if (next == NULL || next->is_answered)
            return SW_OK;
        at = next->to;
        if (at == ask->from) {
            *ret_last = *next;
            return SW_E_CONFLICT;
        }
    }
    return SW_E_EXHAUSTED;
}

static enum sw_rc add(struct sw_waits *waits, const struct sw_ask *ask)
{
    struct sw_ask *copy = sw_idmap_find(waits->by_key, ask->from);

    if (copy != NULL)
        forget(waits, copy);
    copy = malloc(sizeof *copy);
    if (copy == NULL)
        return SW_E_EXHAUSTED;
    *copy = *ask;
    if (sw_idmap_put(waits->by_key, copy->from, copy, NULL) == SW_OK &&
        sw_idmap_put(waits->by_instance, copy->instance, copy, NULL) == SW_OK)
        return SW_OK;
    forget(waits, copy);
    return SW_E_EXHAUSTED;
}

enum sw_rc sw_waits_add(struct sw_waits *waits, const struct sw_ask *ask, struct sw_ask *ret_last)
{
    enum sw_rc rc;

    pthread_mutex_lock(&waits->mutex);
    rc = walk(waits, ask, ret_last);
    if (rc == SW_OK)
        rc = add(waits, ask);
    pthread_mutex_unlock(&waits->mutex);
    return rc;
}

enum sw_rc sw_waits_restore(struct sw_waits *waits, const struct sw_ask *ask)
{
    enum sw_rc rc;

    pthread_mutex_lock(&waits->mutex);
    rc = add(waits, ask);
    pthread_mutex_unlock(&waits->mutex);
    return rc;
}

void sw_waits_set_above(struct sw_waits *waits, const struct sw_ask *ask)
{
    struct sw_ask *kept;

    pthread_mutex_lock(&waits->mutex);
    kept = sw_idmap_find(waits->by_instance, ask->instance);
    if (kept != NULL && kept->number == ask->number) {
        kept->above_instance = ask->above_instance;
        kept->above_number = ask->above_number;
    }
    pthread_mutex_unlock(&waits->mutex);
}

uint32_t sw_waits_depth(struct sw_waits *waits, uint64_t instance, uint64_t number)
{
    const struct sw_ask *ask;
    uint32_t depth = 0;

    pthread_mutex_lock(&waits->mutex);
    while (instance != 0 && depth < SW_WAITS_WALK_MAX &&
           (ask = sw_idmap_find(waits->by_instance, instance)) != NULL && ask->number == number) {
        depth++;
        instance = ask->above_instance;
        number = ask->above_number;
    }
    pthread_mutex_unlock(&waits->mutex);
    return depth;
}

void sw_waits_set_answered(struct sw_waits *waits, uint64_t instance, uint64_t number,
                           bool is_answered)
{
    struct sw_ask *ask;

    pthread_mutex_lock(&waits->mutex);
    ask = sw_idmap_find(waits->by_instance, instance);
    if (ask != NULL && ask->number == number)
        ask->is_answered = is_answered;
    pthread_mutex_unlock(&waits->mutex);
}

void sw_waits_remove(struct sw_waits *waits, uint64_t instance, uint64_t number)
{
    struct sw_ask *ask;

    pthread_mutex_lock(&waits->mutex);
    ask = sw_idmap_find(waits->by_instance, instance);
    if (ask != NULL && ask->number == number)
        forget(waits, ask);
    pthread_mutex_unlock(&waits->mutex);
}
