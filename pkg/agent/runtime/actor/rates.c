#include "pkg/agent/runtime/actor/rates.h"

#include "pkg/utils/base/hash.h"

#include <stdlib.h>
#include <string.h>

#define SECOND_NS 1000000000u

static uint64_t cost_ns(uint32_t per_s)
{
    return per_s == 0 ? 0 : SECOND_NS / per_s;
}

uint64_t sw_rate_room_ns(const struct sw_rate *rate, uint32_t per_s)
{
    uint64_t end_ns = rate->paid_ns + cost_ns(per_s);

    return per_s == 0 || end_ns < SECOND_NS ? 0 : end_ns - SECOND_NS;
}

bool sw_rate_has_room(const struct sw_rate *rate, uint32_t per_s, uint64_t now_ns)
{
    return sw_rate_room_ns(rate, per_s) <= now_ns;
}

void sw_rate_take(struct sw_rate *rate, uint32_t per_s, uint64_t now_ns)
{
    rate->paid_ns = (rate->paid_ns > now_ns ? rate->paid_ns : now_ns) + cost_ns(per_s);
}

enum sw_rc sw_births_init(struct sw_births *births, uint64_t seed)
{
    pthread_mutex_init(&births->mutex, NULL);
    births->rates = sw_map_new(seed);
    return births->rates == NULL ? SW_E_EXHAUSTED : SW_OK;
}

void sw_births_done(struct sw_births *births)
{
    struct sw_map_entry entry;
    size_t cursor = 0;

    while (births->rates != NULL && sw_map_next(births->rates, &cursor, &entry))
        free(entry.value);
    sw_map_free(births->rates);
    pthread_mutex_destroy(&births->mutex);
}

/* Forget those that owe nothing: for them it is as if they had never asked. Of the others nobody
 * can have more than a second's worth of debt, so there is room again soon. */
static void sweep(struct sw_births *births, uint64_t now_ns)
{
    struct sw_map_entry entry;
    uint64_t keys[256];
    size_t count, cursor;

    do {
        count = cursor = 0;
        while (count < sizeof keys / sizeof *keys && sw_map_next(births->rates, &cursor, &entry)) {
            const struct sw_rate *rate = entry.value;

            if (rate->paid_ns <= now_ns)
                memcpy(&keys[count++], entry.key.data, sizeof keys[0]);
        }
        for (size_t i = 0; i < count; i++)
            free(sw_map_remove(births->rates, &keys[i], sizeof keys[i]));
    } while (count == sizeof keys / sizeof *keys);
}

/* The rate of a sender, made if there is none. NULL: no memory, or too many senders. */
static struct sw_rate *rate_of(struct sw_births *births, uint64_t sender, uint64_t now_ns)
{
    struct sw_rate *rate = sw_map_find(births->rates, &sender, sizeof sender);

    if (rate != NULL)
        return rate;
    if (sw_map_count(births->rates) >= SW_BIRTHS_MAX)
        sweep(births, now_ns);
    if (sw_map_count(births->rates) >= SW_BIRTHS_MAX)
        return NULL;
    rate = calloc(1, sizeof *rate);
    if (rate == NULL || sw_map_put(births->rates, &sender, sizeof sender, rate, NULL) != SW_OK) {
        free(rate);
        return NULL;
    }
    return rate;
}

enum sw_rc sw_births_add(struct sw_births *births, struct sw_bytes name_space, struct sw_bytes from,
                         uint32_t per_s, uint64_t now_ns)
{
    uint8_t key[16] = "births";
    uint64_t sender, space = sw_siphash(key, name_space.data, name_space.size);
    struct sw_rate *rate;
    enum sw_rc rc = SW_OK;

    memcpy(key + 8, &space, sizeof space);
    sender = sw_siphash(key, from.data, from.size);
    pthread_mutex_lock(&births->mutex);
    rate = rate_of(births, sender, now_ns);
    if (rate == NULL || !sw_rate_has_room(rate, per_s, now_ns))
        rc = SW_E_EXHAUSTED;
    else
        sw_rate_take(rate, per_s, now_ns);
    pthread_mutex_unlock(&births->mutex);
    return rc;
}
