#include "cmd/swarm-agent-host/driver.h"

#include "pkg/agent/store/shelf.h"

#include "pkg/agent/runtime/actor/snapshot.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define SEGMENTS_PER_ROUND 16u /* Then others get what is for them; with more they wait for it. */
#define ITEMS_PER_ROUND 4096u
#define ROUNDS_PER_VIEW 64u   /* While more comes its figures are told so often. */
#define ITEM_FETCH_BYTES 512u /* Of what another processor has in its caches, all at once. */
#define NS_PER_S 1000000000u
#define FULL_DISK_WAIT_NS 500000000u
#define STUCK_WAIT_NS 1000000u
/* How long a worker with nothing to do looks for more before it sleeps, while another one runs that
 * may send it some; and how often it does not when it looked in vain. A sleep and the way out of it
 * take longer, on both sides. Where another worker woke it so soon that it might as well have gone
 * on looking it looks for longer, until that is in vain, too. */
#define LINGER_NS 20000u
#define LINGER_MORE_NS 100000u
#define LINGER_SKIPS 15u

void driver_die(enum sw_host_exit code, const char *words)
{
    fprintf(stderr, "swarm-agent-host: %s\n", words);
    _exit((int)code);
}

_Noreturn void driver_die_of(enum sw_host_exit code, const struct sw_err *err)
{
    fprintf(stderr, "swarm-agent-host: %s%s%s\n", err->message, err->hint[0] == 0 ? "" : "; ",
            err->hint);
    _exit((int)code);
}

/* --- Waking ---------------------------------------------------------------------------------- */

/* A sleeper sets its flag, looks once more, and waits; whoever gives it something to do does so
 * first and looks at the flag afterwards. One of the two sees the other. Of those who see the flag,
 * the one that takes it down wakes the sleeper: the others' work is found along with its. */
static bool is_to_wake(_Atomic bool *is_sleeping)
{
    atomic_thread_fence(memory_order_seq_cst);
    return atomic_load(is_sleeping) && atomic_exchange(is_sleeping, false);
}

void link_wake(struct driver *driver)
{
    uint64_t one = 1;

    if (is_to_wake(&driver->is_link_sleeping) &&
        write(driver->wake, &one, sizeof one) != (ssize_t)sizeof one && errno != EAGAIN)
        driver_die(SW_HOST_EXIT_RESOURCES, "the eventfd of the link failed");
}

/* The sleeper holds the mutex from its last look to its wait, so after this it waits or looks
 * again. It is signalled outside of the mutex, which it needs first of all. */
static void sleeper_wake(pthread_cond_t *cond, pthread_mutex_t *mutex)
{
    pthread_mutex_lock(mutex);
    pthread_mutex_unlock(mutex);
    pthread_cond_signal(cond);
}

void lane_wake(struct lane *lane)
{
    if (is_to_wake(&lane->is_sleeping))
        sleeper_wake(&lane->wake, &lane->mutex);
}

void journal_wake(struct driver *driver)
{
    if (is_to_wake(&driver->is_journal_sleeping))
        sleeper_wake(&driver->journal_due, &driver->journal_mutex);
}

void snapshot_wake(struct driver *driver)
{
    if (is_to_wake(&driver->is_snapshot_sleeping))
        sleeper_wake(&driver->snapshot_due, &driver->snapshot_mutex);
}

bool lane_put(struct lane *lane, struct sw_item *item)
{
    return sw_ring_put(lane->inbox, item);
}

void cond_wait_ns(pthread_cond_t *cond, pthread_mutex_t *mutex, uint64_t ns)
{
    struct timespec until;

    if (ns == UINT64_MAX) {
        pthread_cond_wait(cond, mutex);
        return;
    }
    clock_gettime(CLOCK_MONOTONIC, &until);
    ns += (uint64_t)until.tv_nsec;
    until.tv_sec += (time_t)(ns / NS_PER_S);
    until.tv_nsec = (long)(ns % NS_PER_S);
    (void)pthread_cond_timedwait(cond, mutex, &until);
}

/* --- Workers --------------------------------------------------------------------------------- */

void lane_publish(struct lane *lane, bool has_news)
{
    struct driver *driver = lane->driver;
    struct sw_output *first = NULL, *last = NULL, *output;
    uint64_t bytes = 0, first_epoch;

    while ((output = sw_worker_output(lane->worker)) != NULL) {
        output->next = NULL;
        if (first == NULL)
            first = output;
        else
            last->next = output;
        last = output;
        bytes += output->size;
    }
    if (first == NULL && has_news && ++lane->unviewed < ROUNDS_PER_VIEW)
        return;
    lane->unviewed = 0;
    first_epoch = first == NULL ? 0 : first->epoch; /* Once handed over it may be gone. */
    pthread_mutex_lock(&lane->mutex);
    sw_worker_view(lane->worker, &lane->view);
    if (first != NULL) {
        if (lane->outputs == NULL)
            lane->outputs = first;
        else
            lane->outputs_last->next = first;
        lane->outputs_last = last;
    }
    pthread_mutex_unlock(&lane->mutex);
    if (first == NULL)
        return;
    atomic_fetch_add(&driver->outputs_bytes, bytes);
    if (first_epoch <= sw_journal_durable(driver->shared.journal))
        link_push(driver);
}

struct sw_output *lane_outputs(struct lane *lane, uint64_t durable)
{
    struct sw_output *first, *last = NULL;
    uint64_t bytes = 0;

    pthread_mutex_lock(&lane->mutex);
    first = lane->outputs;
    for (struct sw_output *output = first; output != NULL && output->epoch <= durable;
         output = output->next) {
        bytes += output->size;
        last = output;
    }
    if (last == NULL) {
        first = NULL;
    } else {
        lane->outputs = last->next;
        last->next = NULL;
    }
    pthread_mutex_unlock(&lane->mutex);
    atomic_fetch_sub(&lane->driver->outputs_bytes, bytes);
    return first;
}

void lane_follow(struct lane *first, struct lane *then)
{
    struct sw_output *outputs, **at;

    pthread_mutex_lock(&first->mutex);
    outputs = first->outputs;
    first->outputs = NULL;
    pthread_mutex_unlock(&first->mutex);
    pthread_mutex_lock(&then->mutex);
    at = &then->outputs;
    while (outputs != NULL) { /* Both are in the order of their epochs. */
        struct sw_output *output = outputs;

        while (*at != NULL && (*at)->epoch <= output->epoch)
            at = &(*at)->next;
        outputs = output->next;
        output->next = *at;
        *at = output;
        if (output->next == NULL)
            then->outputs_last = output;
        at = &output->next;
    }
    pthread_mutex_unlock(&then->mutex);
}

/* Hand over what is for other workers. False: some ring is full, and running more would only add.
 */
static bool lane_flush(struct lane *lane)
{
    struct driver *driver = lane->driver;
    bool is_empty = true;

    for (uint32_t target = 0; target < driver->lanes_count; target++) {
        struct sw_item *item;
        bool has_put = false;

        while (lane->stuck[target] != NULL ||
               (item = sw_worker_sent(lane->worker, target)) != NULL) {
            if (lane->stuck[target] != NULL)
                item = lane->stuck[target];
            lane->stuck[target] = NULL;
            if (!lane_put(&driver->lanes[target], item)) {
                lane->stuck[target] = item;
                is_empty = false;
                break;
            }
            has_put = true;
        }
        if (!has_put)
            continue;
        if (!atomic_load_explicit(&driver->lanes[target].has_peers, memory_order_relaxed))
            atomic_store_explicit(&driver->lanes[target].has_peers, true, memory_order_relaxed);
        lane_wake(&driver->lanes[target]);
    }
    return is_empty;
}

static uint32_t lane_take(struct lane *lane)
{
    struct sw_item *item;
    uint32_t count = 0;

    while (count < ITEMS_PER_ROUND && (item = sw_ring_get(lane->inbox)) != NULL) {
        for (size_t at = 0; at < ITEM_FETCH_BYTES; at += CACHE_LINE_BYTES)
            __builtin_prefetch((const uint8_t *)item + at, 1);
        sw_worker_put(lane->worker, item);
        count++;
    }
    return count + lane_take_loaded(lane);
}

static void relax(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static bool is_other_awake(const struct lane *lane)
{
    const struct driver *driver = lane->driver;

    for (uint32_t i = 0; i < driver->lanes_count; i++)
        if (i != lane->index &&
            !atomic_load_explicit(&driver->lanes[i].is_sleeping, memory_order_relaxed))
            return true;
    return false;
}

/* Workers that write to each other have something for each other every few microseconds. True: it
 * came. Clients' messages come from a thread that wants the processor: nobody waits for those so,
 * unless others run anyway. */
static bool lane_linger(struct lane *lane, uint64_t begun_ns)
{
    struct driver *driver = lane->driver;
    const struct sw_system *system = driver->system;
    uint64_t end_ns = begun_ns + (lane->lingers_more ? LINGER_MORE_NS : LINGER_NS);

    if (lane->linger_skips > 0 || lane->is_stuck) {
        lane->linger_skips -= lane->linger_skips > 0;
        return false;
    }
    while (is_other_awake(lane) && !atomic_load(&driver->is_stopping) &&
           !atomic_load(&driver->shared.wants_still)) {
        if (sw_ring_count(lane->inbox) > 0 || atomic_load(&lane->has_loaded))
            return true;
        if (system->monotonic_ns(system->ctx) >= end_ns)
            break;
        for (int i = 0; i < 8; i++)
            relax();
    }
    lane->linger_skips = LINGER_SKIPS;
    lane->lingers_more = false;
    return false;
}

/* Sleep until there is something to do. */
static void lane_sleep(struct lane *lane)
{
    struct driver *driver = lane->driver;
    uint64_t ns = sw_worker_wait_ns(lane->worker);
    bool is_over, can_run, has_work;

    if (lane->is_stuck && ns > STUCK_WAIT_NS)
        ns = STUCK_WAIT_NS;
    pthread_mutex_lock(&lane->mutex);
    atomic_store(&lane->is_sleeping, true);
    atomic_thread_fence(memory_order_seq_cst);
    has_work = sw_worker_has_work(lane->worker);
    atomic_store(&lane->wants_room, has_work);
    atomic_thread_fence(memory_order_seq_cst);
    is_over = atomic_load(&driver->is_stopping) || atomic_load(&driver->shared.wants_still);
    can_run = !lane->is_stuck && has_work && sw_journal_has_room(driver->shared.journal);
    if (sw_ring_count(lane->inbox) == 0 && !atomic_load(&lane->has_loaded) && !can_run &&
        !is_over && ns > 0)
        cond_wait_ns(&lane->wake, &lane->mutex, ns);
    atomic_store(&lane->is_sleeping, false);
    pthread_mutex_unlock(&lane->mutex);
}

/* Wait for something to do. */
static void lane_wait(struct lane *lane)
{
    const struct sw_system *system = lane->driver->system;
    uint64_t begun_ns = system->monotonic_ns(system->ctx);

    if (lane_linger(lane, begun_ns))
        return;
    atomic_store_explicit(&lane->has_peers, false, memory_order_relaxed);
    lane_sleep(lane);
    if (!atomic_load_explicit(&lane->has_peers, memory_order_relaxed) ||
        system->monotonic_ns(system->ctx) - begun_ns > LINGER_MORE_NS)
        return;
    lane->linger_skips = 0;
    lane->lingers_more = true;
}

/* Whether more may be run now. */
static bool may_run(const struct lane *lane)
{
    return !lane->is_stuck && !atomic_load(&lane->driver->is_stopping);
}

/* What a worker made goes on its way, and whoever has to do with it is woken. */
static void lane_give(struct lane *lane, bool has_news)
{
    struct driver *driver = lane->driver;
    uint64_t hibernated = sw_worker_hibernated(lane->worker);

    lane_read(lane);
    lane->is_stuck = !lane_flush(lane) || atomic_load(&driver->outputs_bytes) > OUT_BYTES_MAX;
    lane_publish(lane, has_news);
    if (hibernated != lane->hibernated) /* That is seen in figures only. */
        link_note(driver);
    lane->hibernated = hibernated;
    /* Instances without durability leave nothing to write, and then that thread sleeps on; so it
     * does on a full disk, until it tries again, or it and the workers that wait for room would
     * wake each other all the time. */
    if (sw_journal_is_dirty(driver->shared.journal) && !atomic_load(&driver->is_disk_full))
        journal_wake(driver);
    if (sw_snapshot_has_work(&driver->shared) || sw_shelf_has_work(driver->shared.shelf) ||
        sw_snapshot_is_asked_for(&driver->shared))
        snapshot_wake(driver);
}

static bool may_finish(const struct driver *driver)
{
    return driver->system->monotonic_ns(driver->system->ctx) < driver->finish_ns;
}

/* Its strands run this one after the other: the one that runs is the worker's thread. */
void lane_run(void *ctx)
{
    struct lane *lane = ctx;
    struct driver *driver = lane->driver;

    for (;;) {
        bool is_stopping = atomic_load(&driver->is_stopping);
        struct sw_err err = {0};
        uint32_t taken, ran;

        lane_pass(lane);
        taken = lane_take(lane);
        ran = sw_worker_run(lane->worker, may_run(lane) && !is_stopping ? SEGMENTS_PER_ROUND : 0);
        if (sw_strands_is_replaced(lane->strands))
            return;
        if (is_stopping && may_finish(driver) && sw_worker_finish(lane->worker))
            ran++;
        if (sw_worker_failure(lane->worker, &err) != SW_OK)
            driver_die(SW_HOST_EXIT_RESOURCES, err.message);
        lane_give(lane, taken > 0 || ran > 0);
        if (taken > 0 || ran > 0)
            continue;
        if (is_stopping)
            return;
        lane_wait(lane);
    }
}

/* --- The journal ----------------------------------------------------------------------------- */

static void tell_disk(struct driver *driver, bool is_full)
{
    if (atomic_exchange(&driver->is_disk_full, is_full) == is_full)
        return;
    fprintf(stderr, "swarm-agent-host: %s\n",
            is_full ? "the disk is full: messages are refused until there is room"
                    : "the disk has room again");
}

static void *journal_main(void *ctx)
{
    struct driver *driver = ctx;
    struct sw_journal *journal = driver->shared.journal;

    for (;;) {
        struct sw_err err = {0};
        enum sw_rc rc = sw_journal_commit(journal, &err);
        bool is_full = rc == SW_E_EXHAUSTED;

        if (rc != SW_OK && !is_full)
            driver_die(SW_HOST_EXIT_JOURNAL, err.message);
        tell_disk(driver, is_full);
        link_push(driver);
        atomic_thread_fence(memory_order_seq_cst); /* As with is_to_wake: after there is room. */
        for (uint32_t i = 0; i < driver->lanes_count; i++)
            if (atomic_load(&driver->lanes[i].wants_room))
                lane_wake(&driver->lanes[i]);
        if (driver_wants_snapshot(driver))
            snapshot_wake(driver);
        pthread_mutex_lock(&driver->journal_mutex);
        atomic_store(&driver->is_journal_sleeping, true);
        atomic_thread_fence(memory_order_seq_cst);
        if (atomic_load(&driver->is_ended) && (is_full || !sw_journal_is_dirty(journal))) {
            pthread_mutex_unlock(&driver->journal_mutex);
            return NULL;
        }
        if (is_full || !sw_journal_is_dirty(journal))
            cond_wait_ns(&driver->journal_due, &driver->journal_mutex,
                         is_full ? FULL_DISK_WAIT_NS : UINT64_MAX);
        atomic_store(&driver->is_journal_sleeping, false);
        pthread_mutex_unlock(&driver->journal_mutex);
    }
}

/* --- All of them ----------------------------------------------------------------------------- */

static void init_cond(pthread_cond_t *cond)
{
    pthread_condattr_t attributes;

    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(cond, &attributes);
    pthread_condattr_destroy(&attributes);
}

enum sw_rc driver_start(struct driver *driver, struct sw_err *err)
{
    pthread_mutex_init(&driver->journal_mutex, NULL);
    pthread_mutex_init(&driver->still_mutex, NULL);
    pthread_mutex_init(&driver->snapshot_mutex, NULL);
    init_cond(&driver->snapshot_due);
    init_cond(&driver->journal_due);
    init_cond(&driver->still_come);
    init_cond(&driver->still_over);
    for (uint32_t i = 0; i < driver->lanes_count; i++) {
        struct lane *lane = &driver->lanes[i];

        pthread_mutex_init(&lane->mutex, NULL);
        init_cond(&lane->wake);
        lane->inbox = sw_ring_new(RING_ITEMS);
        lane->stuck = calloc(driver->lanes_count, sizeof *lane->stuck);
        if (lane->inbox == NULL || lane->stuck == NULL)
            return sw_err_set(err, SW_E_EXHAUSTED, "no memory for the rings");
    }
    if (readers_start(driver, err) != SW_OK)
        return SW_E_EXHAUSTED;
    if (pthread_create(&driver->journal_thread, NULL, journal_main, driver) != 0)
        return sw_err_set(err, SW_E_EXHAUSTED, "no thread for the journal");
    if (pthread_create(&driver->snapshot_thread, NULL, snapshot_main, driver) != 0)
        return sw_err_set(err, SW_E_EXHAUSTED, "no thread for snapshots");
    for (uint32_t i = 0; i < driver->lanes_count; i++)
        if (sw_strands_start(driver->lanes[i].strands, err) != SW_OK)
            return sw_err_context(err, "a worker");
    return SW_OK;
}

void driver_join(struct driver *driver, uint64_t finish_ns)
{
    driver->finish_ns = finish_ns;
    atomic_store(&driver->is_stopping, true);
    still_give_up(driver);
    atomic_store(&driver->is_snapshot_ended, true);
    snapshot_wake(driver);
    pthread_join(driver->snapshot_thread, NULL);
    for (uint32_t i = 0; i < driver->lanes_count; i++)
        lane_wake(&driver->lanes[i]);
    for (uint32_t i = 0; i < driver->lanes_count; i++)
        (void)sw_strands_join(driver->lanes[i].strands);
    readers_join(driver);
    atomic_store(&driver->is_ended, true);
    journal_wake(driver);
    pthread_join(driver->journal_thread, NULL);
}
