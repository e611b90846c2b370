#include "pkg/agent/runtime/host/balance.h"

#include "pkg/utils/base/idmap.h"

#include <assert.h>
#include <stdlib.h>

#define WORKERS_MAX 1024u

/* --- The choice ------------------------------------------------------------------------------ */

/* By how much the hotter of two workers gets cooler when so much goes over; 0: it does not. */
static uint64_t gain_of(uint64_t hot, uint64_t cool, uint64_t load)
{
    uint64_t after = hot - load > cool + load ? hot - load : cool + load;

    return after < hot ? hot - after : 0;
}

static void find_ends(const uint64_t *sums, uint32_t workers, uint32_t *ret_hot, uint32_t *ret_cool)
{
    *ret_hot = *ret_cool = 0;
    for (uint32_t i = 1; i < workers; i++) {
        if (sums[i] > sums[*ret_hot])
            *ret_hot = i;
        if (sums[i] < sums[*ret_cool])
            *ret_cool = i;
    }
}

static uint32_t ppm_of(uint64_t load)
{
    return load > UINT32_MAX ? UINT32_MAX : (uint32_t)load;
}

bool sw_balance_choose(const struct sw_balance_load *loads, size_t count, uint32_t workers,
                       struct sw_balance_plan *ret_plan)
{
    uint64_t sums[WORKERS_MAX] = {0}, best = 0;
    const struct sw_balance_load *found = NULL;
    uint32_t hot, cool;

    assert(workers > 0 && workers <= WORKERS_MAX);
    for (size_t i = 0; i < count; i++)
        sums[loads[i].worker] += loads[i].ppm;
    find_ends(sums, workers, &hot, &cool);
    if (sums[hot] < SW_BALANCE_BUSY)
        return false;
    for (size_t i = 0; i < count; i++) {
        uint64_t gain = loads[i].stays || loads[i].worker != hot
                            ? 0
                            : gain_of(sums[hot], sums[cool], loads[i].ppm);

        if (gain > best || (gain == best && found != NULL && gain > 0 && loads[i].pod < found->pod))
            best = gain, found = &loads[i];
    }
    if (best < SW_BALANCE_GAIN)
        return false;
    *ret_plan = (struct sw_balance_plan){.pod = found->pod,
                                         .from = hot,
                                         .to = cool,
                                         .hot_ppm = ppm_of(sums[hot]),
                                         .cool_ppm = ppm_of(sums[cool]),
                                         .load_ppm = found->ppm,
                                         .gain_ppm = ppm_of(best)};
    return true;
}

/* --- Loads ----------------------------------------------------------------------------------- */

struct seen { /* A Pod. */
    uint64_t pod, busy_ns, first_ns, last_ns;
    uint64_t until_ns; /* It stays until then. */
    uint32_t worker, ppm;
};

struct sw_balance {
    struct sw_idmap *pods; /* struct seen by number. */
    uint32_t workers;
    uint64_t moved_ns; /* The last move; 0: none. */
};

struct sw_balance *sw_balance_new(uint32_t workers)
{
    struct sw_balance *balance = calloc(1, sizeof *balance);

    if (balance == NULL)
        return NULL;
    balance->workers = workers;
    balance->pods = sw_idmap_new(0, 0);
    if (balance->pods == NULL) {
        free(balance);
        return NULL;
    }
    return balance;
}

void sw_balance_free(struct sw_balance *balance)
{
    size_t cursor = 0;
    void *value;

    if (balance == NULL)
        return;
    while (sw_idmap_next(balance->pods, &cursor, NULL, &value))
        free(value);
    sw_idmap_free(balance->pods);
    free(balance);
}

/* What is said of a time before it was known, or of more than one processor, is another time's. */
static uint32_t rate_of(uint64_t busy_ns, uint64_t took_ns)
{
    return busy_ns >= took_ns ? SW_BALANCE_PPM : (uint32_t)(busy_ns * SW_BALANCE_PPM / took_ns);
}

static void take_sample(struct seen *seen, uint64_t busy_ns, uint64_t now_ns)
{
    uint64_t took_ns = now_ns - seen->last_ns;
    uint32_t rate = rate_of(busy_ns - seen->busy_ns, took_ns);
    int64_t more = ((int64_t)rate - seen->ppm) * (int64_t)(took_ns / 1000) /
                   (int64_t)((took_ns + SW_BALANCE_TIME_NS) / 1000);

    seen->ppm = (uint32_t)(seen->ppm + more);
    seen->busy_ns = busy_ns;
    seen->last_ns = now_ns;
}

enum sw_rc sw_balance_see(struct sw_balance *balance, uint64_t pod, uint32_t worker,
                          uint64_t busy_ns, uint64_t now_ns)
{
    struct seen *seen = sw_idmap_find(balance->pods, pod);

    assert(worker < balance->workers);
    if (seen != NULL && now_ns > seen->last_ns && busy_ns >= seen->busy_ns) {
        take_sample(seen, busy_ns, now_ns);
    } else if (seen == NULL) {
        if (sw_idmap_count(balance->pods) >= SW_BALANCE_PODS_MAX)
            return SW_E_EXHAUSTED;
        seen = calloc(1, sizeof *seen);
        if (seen == NULL || sw_idmap_put(balance->pods, pod, seen, NULL) != SW_OK) {
            free(seen);
            return SW_E_EXHAUSTED;
        }
        *seen = (struct seen){.pod = pod, .busy_ns = busy_ns, .first_ns = now_ns};
        seen->until_ns = now_ns + SW_BALANCE_TIME_NS;
    }
    seen->worker = worker;
    seen->last_ns = now_ns;
    return SW_OK;
}

static void forget_gone(struct sw_balance *balance, uint64_t now_ns)
{
    size_t cursor = 0;
    void *value;

    while (sw_idmap_next(balance->pods, &cursor, NULL, &value)) {
        struct seen *seen = value;

        if (seen->last_ns == now_ns)
            continue;
        (void)sw_idmap_remove(balance->pods, seen->pod);
        free(seen);
        cursor = 0; /* The map has changed. */
    }
}

bool sw_balance_next(struct sw_balance *balance, uint64_t now_ns, struct sw_balance_plan *ret_plan)
{
    struct sw_balance_load *loads;
    size_t cursor = 0, count = 0;
    bool is_found;
    void *value;

    forget_gone(balance, now_ns);
    if (balance->workers < 2 ||
        (balance->moved_ns != 0 && now_ns < balance->moved_ns + SW_BALANCE_REST_NS))
        return false;
    loads = malloc((sw_idmap_count(balance->pods) + 1) * sizeof *loads);
    if (loads == NULL)
        return false;
    while (sw_idmap_next(balance->pods, &cursor, NULL, &value)) {
        const struct seen *seen = value;

        loads[count++] = (struct sw_balance_load){.pod = seen->pod,
                                                  .worker = seen->worker,
                                                  .ppm = seen->ppm,
                                                  .stays = now_ns < seen->until_ns};
    }
    is_found = sw_balance_choose(loads, count, balance->workers, ret_plan);
    free(loads);
    return is_found;
}

void sw_balance_done(struct sw_balance *balance, const struct sw_balance_plan *plan,
                     bool is_refused, uint64_t now_ns)
{
    struct seen *seen = sw_idmap_find(balance->pods, plan->pod);

    if (seen == NULL)
        return;
    seen->until_ns = now_ns + SW_BALANCE_POD_REST_NS;
    if (is_refused)
        return;
    seen->worker = plan->to;
    balance->moved_ns = now_ns;
}
