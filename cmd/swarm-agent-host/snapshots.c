#include "cmd/swarm-agent-host/driver.h"

#include "pkg/agent/runtime/actor/snapshot.h"
#include "pkg/agent/store/shelf.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define STILL_WAIT_NS 2000000u        /* For segments that run, at the first try; */
#define STILL_WAIT_MAX_NS 1000000000u /* each further one waits twice as long, up to this. */
#define STILL_PAUSE 4u                /* Between two tries, so many times their wait. */
#define FULL_DISK_WAIT_NS 500000000u
#define TRIM_NS 60000000000u   /* Between two looks at what is too old to be kept. */
#define BUSY_WAIT_NS 10000000u /* While somebody rebuilds from what is to be removed. */

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

static void tell(struct driver *driver, const struct sw_err *err)
{
    struct sw_frame event = {.kind = SW_FRAME_EVENT};
    char words[sizeof err->message + 64];
    int size = snprintf(words, sizeof words, "no snapshot this time, the journal goes on: %s",
                        err->message);

    event.event.is_warning = 1;
    event.event.reason = (struct sw_bytes){"SnapshotFailed", 14};
    event.event.words = (struct sw_bytes){words, (size_t)size};
    link_emit(driver, &event);
    link_wake(driver);
}

void driver_tell_history(struct driver *driver)
{
    struct sw_frame event = {.kind = SW_FRAME_EVENT};
    char words[SW_SNAPSHOT_WORDS_MAX];

    if (!sw_snapshot_trouble(&driver->shared, words))
        return;
    event.event.is_warning = 1;
    event.event.reason = (struct sw_bytes){"HistoryGap", 10};
    event.event.words = (struct sw_bytes){words, strlen(words)};
    link_emit(driver, &event);
    link_wake(driver);
}

/* Asked by what writes histories, which may take long: who sleeps goes on meanwhile. */
static bool goes_on(void *ctx)
{
    struct driver *driver = ctx;

    if (sw_shelf_has_work(driver->shared.shelf))
        (void)shelf_write(driver);
    return !atomic_load(&driver->is_snapshot_ended);
}

struct tries {              /* To have all workers stand still. */
    uint64_t wait_ns;       /* So long at the next one, */
    uint64_t not_before_ns; /* which is not made before this time. */
    uint64_t trim_ns;       /* When histories are looked at next; UINT64_MAX: there are none. */
};

/* Begin one if it is time. A segment that runs for long is not waited for, since everybody else
 * would wait with it: the tries wait longer each time, but so do the pauses between them.
 * Returns how long until the next try. */
static uint64_t try_begin(struct driver *driver, struct tries *tries)
{
    uint64_t now_ns = driver->system->monotonic_ns(driver->system->ctx), pause_ns;
    struct point point = {.rc = SW_OK};
    enum sw_rc rc;

    if (!sw_snapshot_is_due(&driver->shared))
        return UINT64_MAX;
    if (now_ns < tries->not_before_ns) /* It was woken for something else. */
        return tries->not_before_ns - now_ns;
    rc = driver_stand_still(driver, tries->wait_ns, begin, &point);
    if (rc == SW_OK && point.rc == SW_OK) {
        tries->wait_ns = STILL_WAIT_NS;
        return UINT64_MAX;
    }
    if (rc == SW_OK)
        tell(driver, &point.err);
    pause_ns = rc == SW_OK ? STILL_WAIT_MAX_NS : tries->wait_ns * STILL_PAUSE;
    tries->wait_ns =
        tries->wait_ns * 2 > STILL_WAIT_MAX_NS ? STILL_WAIT_MAX_NS : tries->wait_ns * 2;
    tries->not_before_ns = driver->system->monotonic_ns(driver->system->ctx) + pause_ns;
    return pause_ns;
}

/* Do what can be done. Returns how long until there may be something again without a wake-up. */
static uint64_t step(struct driver *driver, struct tries *tries)
{
    struct sw_shared *shared = &driver->shared;
    bool is_busy = sw_snapshot_phase(shared) == SW_SNAPSHOT_COUNTS;
    struct sw_snapshot_view view;
    struct sw_err err = {0};

    if (!shelf_write(driver))
        return FULL_DISK_WAIT_NS;
    if (sw_snapshot_phase(shared) == SW_SNAPSHOT_NONE)
        return try_begin(driver, tries);
    while ((sw_snapshot_has_work(shared) || is_busy) && !atomic_load(&driver->is_snapshot_ended)) {
        enum sw_rc rc = sw_snapshot_advance(shared, &err);

        is_busy = false;
        if (rc != SW_OK && rc != SW_E_CANCELLED)
            tell(driver, &err);
        driver_tell_history(driver);
        (void)shelf_write(driver);
        for (uint32_t i = 0; i < driver->lanes_count; i++) /* There is room for more. */
            lane_wake(&driver->lanes[i]);
        if (sw_snapshot_phase(shared) == SW_SNAPSHOT_NAMED)
            journal_wake(driver);
    }
    tries->trim_ns = 0;
    sw_snapshot_view(shared, &view);
    atomic_store(&driver->snapshots, view.taken);
    atomic_store(&driver->snapshots_failed, view.failed);
    atomic_store(&driver->snapshot_bytes, view.bytes);
    return sw_snapshot_phase(shared) == SW_SNAPSHOT_COUNTS ? BUSY_WAIT_NS : UINT64_MAX;
}

/* Returns how long until the next time. */
static uint64_t trim(struct driver *driver, struct tries *tries)
{
    uint64_t now_ns = driver->system->monotonic_ns(driver->system->ctx);

    if (tries->trim_ns == UINT64_MAX)
        return UINT64_MAX;
    if (now_ns < tries->trim_ns)
        return tries->trim_ns - now_ns;
    tries->trim_ns = sw_snapshot_trim(&driver->shared) ? now_ns + TRIM_NS : UINT64_MAX;
    driver_tell_history(driver);
    return TRIM_NS;
}

bool driver_wants_snapshot(const struct driver *driver)
{
    return sw_snapshot_has_work(&driver->shared) || sw_snapshot_is_due(&driver->shared) ||
           sw_shelf_has_work(driver->shared.shelf);
}

void *snapshot_main(void *ctx)
{
    struct driver *driver = ctx;
    struct tries tries = {.wait_ns = STILL_WAIT_NS};

    sw_snapshot_ask(&driver->shared, goes_on, driver);
    while (!atomic_load(&driver->is_snapshot_ended)) {
        uint64_t ns = step(driver, &tries), trim_ns = trim(driver, &tries);

        pthread_mutex_lock(&driver->snapshot_mutex);
        atomic_store(&driver->is_snapshot_sleeping, true);
        atomic_thread_fence(memory_order_seq_cst);
        if (!atomic_load(&driver->is_snapshot_ended) && !sw_snapshot_has_work(&driver->shared) &&
            (ns == FULL_DISK_WAIT_NS || !sw_shelf_has_work(driver->shared.shelf)) &&
            (ns != UINT64_MAX || !sw_snapshot_is_due(&driver->shared)))
            cond_wait_ns(&driver->snapshot_due, &driver->snapshot_mutex,
                         ns < trim_ns ? ns : trim_ns);
        atomic_store(&driver->is_snapshot_sleeping, false);
        pthread_mutex_unlock(&driver->snapshot_mutex);
    }
    sw_snapshot_ask(&driver->shared, NULL, NULL);
    return NULL;
}
