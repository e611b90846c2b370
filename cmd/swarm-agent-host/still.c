#include "cmd/swarm-agent-host/driver.h"

#include <sched.h>
#include <stdint.h>

/* Whoever waits for the workers is to look at them. */
static void still_look(struct driver *driver)
{
    pthread_mutex_lock(&driver->still_mutex);
    pthread_cond_signal(&driver->still_come);
    pthread_mutex_unlock(&driver->still_mutex);
}

/* A worker comes by between two rounds, with all that it had for others in rings or in `stuck`. */
void lane_pass(struct lane *lane)
{
    struct driver *driver = lane->driver;

    if (atomic_load_explicit(&driver->shared.wants_calm, memory_order_relaxed) > 0 &&
        atomic_load(&driver->shared.passing) == 0)
        still_look(driver);
    if (!atomic_load_explicit(&driver->shared.wants_still, memory_order_relaxed))
        return;
    pthread_mutex_lock(&driver->still_mutex);
    driver->standing++;
    if (driver->standing == driver->lanes_count)
        pthread_cond_signal(&driver->still_come);
    while (driver->is_still)
        pthread_cond_wait(&driver->still_over, &driver->still_mutex);
    driver->standing--;
    pthread_mutex_unlock(&driver->still_mutex);
}

/* Carry what a worker has for others, past the rings. True: there was something. */
static bool carry(struct driver *driver, struct lane *lane)
{
    struct sw_item *item;
    bool has_carried = false;

    for (uint32_t target = 0; target < driver->lanes_count; target++)
        while ((item = lane->stuck[target]) != NULL ||
               (item = sw_worker_sent(lane->worker, target)) != NULL) {
            lane->stuck[target] = NULL;
            sw_worker_put(driver->lanes[target].worker, item);
            has_carried = true;
        }
    return has_carried;
}

/* All that stands in the ring now. The link's thread may be in the middle of a put, behind which
 * whole ones of workers stand: those must not be missed. */
void lane_empty(struct lane *lane)
{
    for (size_t left = sw_ring_count(lane->inbox); left > 0;) {
        struct sw_item *item = sw_ring_get(lane->inbox);

        if (item == NULL) {
            sched_yield();
            continue;
        }
        sw_worker_put(lane->worker, item);
        left--;
    }
}

void driver_settle(struct driver *driver)
{
    struct sw_err err = {0};
    bool goes_on = true;

    for (uint32_t i = 0; i < driver->lanes_count; i++)
        lane_empty(&driver->lanes[i]);
    while (goes_on) {
        goes_on = false;
        for (uint32_t i = 0; i < driver->lanes_count; i++) {
            struct lane *lane = &driver->lanes[i];

            (void)sw_worker_run(lane->worker, 0);
            if (sw_worker_failure(lane->worker, &err) != SW_OK)
                driver_die(SW_HOST_EXIT_RESOURCES, err.message);
            goes_on = carry(driver, lane) || goes_on;
        }
    }
    for (uint32_t i = 0; i < driver->lanes_count; i++)
        lane_publish(&driver->lanes[i]);
}

static void let_go(struct driver *driver)
{
    pthread_mutex_lock(&driver->still_mutex);
    driver->is_still = false;
    atomic_store(&driver->shared.wants_still, false);
    atomic_fetch_sub(&driver->shared.wants_calm, 1);
    pthread_cond_broadcast(&driver->still_over);
    pthread_mutex_unlock(&driver->still_mutex);
}

void still_give_up(struct driver *driver)
{
    still_look(driver);
}

static void wake_all(struct driver *driver)
{
    for (uint32_t i = 0; i < driver->lanes_count; i++)
        lane_wake(&driver->lanes[i]);
}

static bool all_calm(const struct driver *driver)
{
    return atomic_load(&driver->shared.passing) == 0;
}

static bool all_stand(const struct driver *driver)
{
    return driver->standing == driver->lanes_count;
}

/* Wait, with the mutex, until it is so (true), the time is over, or the workers end. */
static bool wait_until(struct driver *driver, bool (*is_so)(const struct driver *driver),
                       uint64_t until_ns)
{
    const struct sw_system *system = driver->system;
    uint64_t now_ns = system->monotonic_ns(system->ctx);
    bool is_it;

    while (!(is_it = is_so(driver)) && now_ns < until_ns && !atomic_load(&driver->is_stopping)) {
        cond_wait_ns(&driver->still_come, &driver->still_mutex,
                     until_ns == UINT64_MAX ? UINT64_MAX : until_ns - now_ns);
        now_ns = system->monotonic_ns(system->ctx);
    }
    return is_it;
}

/* First of all the segments that are passed come to their end, and no more are begun: nobody waits
 * for those but the Agents that have them. False: they did not, so nobody needs to stop. */
static bool calm_down(struct driver *driver, uint64_t wait_ns)
{
    uint64_t now_ns = driver->system->monotonic_ns(driver->system->ctx);
    bool is_calm;

    atomic_fetch_add(&driver->shared.wants_calm, 1);
    pthread_mutex_lock(&driver->still_mutex);
    is_calm = wait_until(driver, all_calm, now_ns + wait_ns);
    pthread_mutex_unlock(&driver->still_mutex);
    return is_calm;
}

bool still_is_calm(struct driver *driver, bool is_wanted)
{
    if (driver->wants_calm != is_wanted) {
        if (is_wanted)
            atomic_fetch_add(&driver->shared.wants_calm, 1);
        else
            atomic_fetch_sub(&driver->shared.wants_calm, 1);
        driver->wants_calm = is_wanted;
        wake_all(driver); /* What was held may run. */
    }
    return all_calm(driver);
}

enum sw_rc driver_stand_still(struct driver *driver, uint64_t calm_ns, uint64_t wait_ns,
                              void (*work)(void *ctx, struct driver *driver), void *ctx)
{
    const struct sw_system *system = driver->system;
    uint64_t start_ns, until_ns, took_ns;
    bool do_stand = false, is_calm;

    pthread_mutex_lock(&driver->still_mutex);
    if (driver->is_still) {
        pthread_mutex_unlock(&driver->still_mutex);
        return SW_E_TIMEOUT;
    }
    driver->is_still = true;
    pthread_mutex_unlock(&driver->still_mutex);
    is_calm = calm_down(driver, calm_ns);
    start_ns = system->monotonic_ns(system->ctx);
    until_ns = wait_ns > UINT64_MAX - start_ns ? UINT64_MAX : start_ns + wait_ns;
    if (is_calm) {
        atomic_store(&driver->shared.wants_still, true);
        wake_all(driver);
        pthread_mutex_lock(&driver->still_mutex);
        do_stand = wait_until(driver, all_stand, until_ns);
        pthread_mutex_unlock(&driver->still_mutex);
    }
    if (do_stand) {
        driver_settle(driver);
        work(ctx, driver);
    }
    let_go(driver);
    wake_all(driver); /* What was held for calm may run. */
    took_ns = system->monotonic_ns(system->ctx) - start_ns;
    if (took_ns > atomic_load(&driver->still_ns))
        atomic_store(&driver->still_ns, took_ns);
    return do_stand ? SW_OK : atomic_load(&driver->is_stopping) ? SW_E_UNAVAILABLE : SW_E_TIMEOUT;
}
