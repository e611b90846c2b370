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
        lane_publish(&driver->lanes[i], false);
}

static void let_go(struct driver *driver)
{
    pthread_mutex_lock(&driver->still_mutex);
    driver->is_still = false;
    atomic_store(&driver->shared.wants_still, false);
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

/* Wait, with the mutex, until all stand (true), the time is over, or the workers end. */
static bool all_stand(struct driver *driver, uint64_t until_ns)
{
    const struct sw_system *system = driver->system;
    uint64_t now_ns = system->monotonic_ns(system->ctx);

    while (driver->standing < driver->lanes_count && now_ns < until_ns &&
           !atomic_load(&driver->is_stopping)) {
        cond_wait_ns(&driver->still_come, &driver->still_mutex,
                     until_ns == UINT64_MAX ? UINT64_MAX : until_ns - now_ns);
        now_ns = system->monotonic_ns(system->ctx);
    }
    return driver->standing == driver->lanes_count;
}

enum sw_rc driver_stand_still(struct driver *driver, uint64_t wait_ns,
                              void (*work)(void *ctx, struct driver *driver), void *ctx)
{
    const struct sw_system *system = driver->system;
    uint64_t start_ns, until_ns, took_ns;
    bool do_stand;

    pthread_mutex_lock(&driver->still_mutex);
    if (driver->is_still) {
        pthread_mutex_unlock(&driver->still_mutex);
        return SW_E_TIMEOUT;
    }
    driver->is_still = true;
    atomic_store(&driver->shared.wants_still, true);
    pthread_mutex_unlock(&driver->still_mutex);
    start_ns = system->monotonic_ns(system->ctx);
    until_ns = wait_ns > UINT64_MAX - start_ns ? UINT64_MAX : start_ns + wait_ns;
    wake_all(driver);
    pthread_mutex_lock(&driver->still_mutex);
    do_stand = all_stand(driver, until_ns);
    pthread_mutex_unlock(&driver->still_mutex);
    if (do_stand) {
        driver_settle(driver);
        work(ctx, driver);
    }
    let_go(driver);
    took_ns = system->monotonic_ns(system->ctx) - start_ns;
    if (took_ns > atomic_load(&driver->still_ns))
        atomic_store(&driver->still_ns, took_ns);
    return do_stand ? SW_OK : atomic_load(&driver->is_stopping) ? SW_E_UNAVAILABLE : SW_E_TIMEOUT;
}
