#include "cmd/swarm-agent-host/driver.h"

#include "pkg/agent/runtime/actor/snapshot.h"

#include <inttypes.h>
#include <stdio.h>

#define STILL_WAIT_NS 2000000u        /* For segments that run, at the first try; */
#define STILL_WAIT_MAX_NS 1000000000u /* each further one waits twice as long, up to this. */
#define STILL_PAUSE 4u                /* Between two tries, so many times their wait. */
#define BUSY_WAIT_NS 10000000u        /* While somebody rebuilds from what is to be removed. */

struct point { /* Of one try to begin a snapshot. */
    enum sw_rc rc;
    struct sw_err err;
};

static void begin(void *ctx, struct driver *driver)
{
    static struct sw_worker *workers[SW_WORKERS_MAX];
    struct point *point = ctx;

    for (uint32_t i = 0; i < driver->lanes_count; i++)
        workers[i] = driver->lanes[i].worker;
    point->rc = sw_snapshot_begin(&driver->shared, workers, driver->lanes_count, &point->err);
}

static void tell(const struct sw_err *err)
{
    fprintf(stderr, "swarm-agent-host: no snapshot this time, the journal goes on: %s\n",
            err->message);
}

/* Begin one if it is time. A segment that runs for long is not waited for, since everybody else
 * would wait with it: the tries wait longer each time, but so do the pauses between them.
 * Returns how long until the next try. */
static uint64_t try_begin(struct driver *driver, uint64_t *wait_ns)
{
    struct point point = {.rc = SW_OK};
    enum sw_rc rc;

    if (!sw_snapshot_is_due(&driver->shared))
        return UINT64_MAX;
    rc = driver_stand_still(driver, *wait_ns, begin, &point);
    if (rc == SW_E_TIMEOUT) {
        uint64_t pause_ns = *wait_ns * STILL_PAUSE;

        *wait_ns = *wait_ns * 2 > STILL_WAIT_MAX_NS ? STILL_WAIT_MAX_NS : *wait_ns * 2;
        return pause_ns;
    }
    *wait_ns = STILL_WAIT_NS;
    if (rc == SW_OK && point.rc != SW_OK) {
        tell(&point.err);
        return STILL_WAIT_MAX_NS;
    }
    return UINT64_MAX;
}

/* Do what can be done. Returns how long until there may be something again without a wake-up. */
static uint64_t step(struct driver *driver, uint64_t *wait_ns)
{
    struct sw_shared *shared = &driver->shared;
    bool is_busy = sw_snapshot_phase(shared) == SW_SNAPSHOT_COUNTS;
    struct sw_snapshot_view view;
    struct sw_err err = {0};

    if (sw_snapshot_phase(shared) == SW_SNAPSHOT_NONE)
        return try_begin(driver, wait_ns);
    while (sw_snapshot_has_work(shared) || is_busy) {
        is_busy = false;
        if (sw_snapshot_advance(shared, &err) != SW_OK)
            tell(&err);
        for (uint32_t i = 0; i < driver->lanes_count; i++) /* There is room for more. */
            lane_wake(&driver->lanes[i]);
        if (sw_snapshot_phase(shared) == SW_SNAPSHOT_NAMED)
            journal_wake(driver);
    }
    sw_snapshot_view(shared, &view);
    atomic_store(&driver->snapshots, view.taken);
    atomic_store(&driver->snapshots_failed, view.failed);
    atomic_store(&driver->snapshot_bytes, view.bytes);
    return sw_snapshot_phase(shared) == SW_SNAPSHOT_COUNTS ? BUSY_WAIT_NS : UINT64_MAX;
}

bool driver_wants_snapshot(const struct driver *driver)
{
    return sw_snapshot_has_work(&driver->shared) || sw_snapshot_is_due(&driver->shared);
}

void *snapshot_main(void *ctx)
{
    struct driver *driver = ctx;
    uint64_t still_wait_ns = STILL_WAIT_NS;

    while (!atomic_load(&driver->is_snapshot_ended)) {
        uint64_t ns = step(driver, &still_wait_ns);

        pthread_mutex_lock(&driver->snapshot_mutex);
        atomic_store(&driver->is_snapshot_sleeping, true);
        atomic_thread_fence(memory_order_seq_cst);
        if (!atomic_load(&driver->is_snapshot_ended) && !sw_snapshot_has_work(&driver->shared) &&
            (ns != UINT64_MAX || !sw_snapshot_is_due(&driver->shared)))
            cond_wait_ns(&driver->snapshot_due, &driver->snapshot_mutex, ns);
        atomic_store(&driver->is_snapshot_sleeping, false);
        pthread_mutex_unlock(&driver->snapshot_mutex);
    }
    return NULL;
}
