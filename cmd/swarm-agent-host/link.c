#include "cmd/swarm-agent-host/driver.h"

#include "pkg/agent/store/shelf.h"

#include "pkg/utils/base/text.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define STILL_FIRST_NS 1000000u /* For how long workers are waited for, doubled each time. */
#define STILL_TRIES_MAX 6u
#define STILL_AGAIN_MS 5
#define READ_BYTES (256u << 10)
#define STATS_NS 1000000000u
#define NS_PER_MS 1000000u
#define OUT_BUSY_BYTES (8u << 20) /* With so much unsent, outputs stay in their lanes. */

/* --- Out ------------------------------------------------------------------------------------- */

void link_emit(void *ctx, const struct sw_frame *frame)
{
    struct driver *driver = ctx;
    bool has_failed;

    pthread_mutex_lock(&driver->out_mutex);
    sw_frame_put(frame, &driver->out);
    has_failed = driver->out.failed;
    pthread_mutex_unlock(&driver->out_mutex);
    if (has_failed)
        driver_die(SW_HOST_EXIT_RESOURCES, "swarmd takes nothing from its link");
}

/* Write what the socket takes; out_mutex is held.  False: the link ended. */
static bool write_some(struct driver *driver)
{
    while (driver->out_sent < driver->out.size) {
        ssize_t sent = send(driver->link, driver->out.data + driver->out_sent,
                            driver->out.size - driver->out_sent, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0 && driver->out_sent > driver->out.size / 2) {
            sw_buffer_consume(&driver->out, driver->out_sent);
            driver->out_sent = 0;
        }
        if (sent < 0)
            return errno == EAGAIN;
        driver->out_sent += (size_t)sent;
    }
    sw_buffer_reset(&driver->out);
    driver->out_sent = 0;
    return true;
}

/* Take over what may leave by now; out_mutex is held. */
static void collect(struct driver *driver)
{
    uint64_t durable = sw_journal_durable(driver->shared.journal);

    for (uint32_t i = 0; i < driver->lanes_count; i++) {
        struct sw_output *output;

        if (driver->out.size - driver->out_sent > OUT_BUSY_BYTES)
            return;
        output = lane_outputs(&driver->lanes[i], durable);
        while (output != NULL) {
            struct sw_output *next = output->next;

            sw_buffer_put(&driver->out, output->bytes, output->size);
            free(output);
            output = next;
        }
    }
    if (driver->out.failed)
        driver_die(SW_HOST_EXIT_RESOURCES, "no memory for what swarmd is to hear");
}

/* Collect and write; *ret_left: the socket did not take all.  False: the link ended. */
static bool send_some(struct driver *driver, bool *ret_left)
{
    bool is_good;

    pthread_mutex_lock(&driver->out_mutex);
    collect(driver);
    is_good = write_some(driver);
    *ret_left = driver->out.size > 0;
    pthread_mutex_unlock(&driver->out_mutex);
    return is_good;
}

void link_note(struct driver *driver)
{
    if (!atomic_exchange(&driver->has_news, true))
        link_wake(driver);
}

void link_push(struct driver *driver)
{
    bool was_quiet = !atomic_exchange(&driver->has_news, true);
    bool is_good = false, has_left = false;

    if (pthread_mutex_trylock(&driver->out_mutex) == 0) {
        collect(driver);
        is_good = write_some(driver);
        has_left = driver->out.size > 0;
        pthread_mutex_unlock(&driver->out_mutex);
    }
    /* It waits for room in the socket, sees the link's end, tells STATS, and collects what came
     * after the other sender that was met here. */
    if (!is_good || has_left || was_quiet)
        link_wake(driver);
}

void link_flush(struct driver *driver)
{
    struct pollfd poll_file = {.fd = driver->link, .events = POLLOUT};
    bool has_left;

    do {
        if (!send_some(driver, &has_left))
            return;
    } while (has_left && (poll(&poll_file, 1, -1) > 0 || errno == EINTR));
}

enum sw_rc link_write(struct driver *driver, struct sw_err *err)
{
    struct pollfd poll_file = {.fd = driver->link, .events = POLLOUT};
    bool is_good = true, has_left = true;

    while (is_good && has_left) {
        pthread_mutex_lock(&driver->out_mutex);
        is_good = write_some(driver);
        has_left = driver->out.size > 0;
        pthread_mutex_unlock(&driver->out_mutex);
        if (is_good && has_left)
            is_good = poll(&poll_file, 1, -1) > 0 || errno == EINTR;
    }
    return is_good ? SW_OK : sw_err_set(err, SW_E_UNAVAILABLE, "swarmd is gone");
}

static void tell_stats(struct driver *driver)
{
    struct sw_frame frame = {.kind = SW_FRAME_STATS};
    struct sw_frame_stats *stats = &frame.stats;

    for (uint32_t i = 0; i < driver->lanes_count; i++) {
        struct lane *lane = &driver->lanes[i];
        struct sw_worker_view view;

        pthread_mutex_lock(&lane->mutex);
        view = lane->view;
        pthread_mutex_unlock(&lane->mutex);
        stats->pods += view.pods;
        stats->instances += view.instances;
        stats->waiting += view.waiting;
        stats->memory_bytes += view.memory_bytes;
        stats->packed_bytes += view.packed_bytes;
        stats->asleep += view.asleep;
        stats->hibernated += view.hibernated;
        stats->woken += view.woken;
        stats->segments += view.segments;
        stats->failures += view.failures;
        stats->sends += view.sends;
        stats->publishes += view.publishes;
        stats->replies += view.replies;
        stats->refused += view.refused;
        stats->replayed += view.replayed;
        stats->retried += view.retried;
        stats->parked += view.parked;
        stats->expired += view.expired;
        stats->calls += view.calls;
    }
    stats->shelf_bytes = sw_shelf_bytes(driver->shared.shelf);
    stats->epochs = sw_journal_durable(driver->shared.journal);
    stats->journal_bytes = sw_journal_end(driver->shared.journal);
    stats->journal_kept_bytes = stats->journal_bytes - sw_journal_begin(driver->shared.journal);
    stats->snapshots = atomic_load(&driver->snapshots);
    stats->snapshots_failed = atomic_load(&driver->snapshots_failed);
    stats->snapshot_bytes = atomic_load(&driver->snapshot_bytes);
    stats->still_ns = atomic_load(&driver->still_ns);
    stats->rebalanced = sw_host_moved(driver->host);
    memory_look(driver);
    stats->outputs_waiting = atomic_load(&driver->outputs_bytes);
    link_emit(driver, &frame);
    atomic_store(&driver->has_news, false);
}

/* --- In -------------------------------------------------------------------------------------- */

void link_put(void *ctx, uint32_t worker, struct sw_item *item)
{
    struct driver *driver = ctx;
    struct lane *lane = &driver->lanes[worker];

    atomic_store(&driver->has_news, true);
    lane->is_wake_due = true;
    if (lane->waiting != NULL || !lane_put(lane, item))
        sw_item_put(&lane->waiting, item);
}

/* Hand over what waited for room, and wake those who got something in this round, all at once at
 * its end. True: nothing waits any more. */
static bool hand_over(struct driver *driver)
{
    bool is_empty = true;

    for (uint32_t i = 0; i < driver->lanes_count; i++) {
        struct lane *lane = &driver->lanes[i];
        struct sw_item *item;

        while ((item = sw_item_get(&lane->waiting)) != NULL) {
            lane->is_wake_due = true;
            if (lane_put(lane, item)) /* From here on it may be gone. */
                continue;
            sw_item_put_back(&lane->waiting, item);
            is_empty = false;
            break;
        }
        if (lane->is_wake_due)
            lane_wake(lane);
        lane->is_wake_due = false;
    }
    return is_empty;
}

void link_give(struct driver *driver)
{
    for (uint32_t i = 0; i < driver->lanes_count; i++) {
        struct lane *lane = &driver->lanes[i];
        struct sw_item *item;

        lane_empty(lane); /* What came first goes first. */
        while ((item = sw_item_get(&lane->waiting)) != NULL)
            sw_worker_put(lane->worker, item);
    }
}

struct still { /* What the link wants done while all workers stand. */
    void (*work)(void *work_ctx);
    void *work_ctx;
};

static void work_still(void *ctx, struct driver *driver)
{
    const struct still *still = ctx;

    link_give(driver);
    still->work(still->work_ctx);
}

/* Frames wait meanwhile, so it is given up soon, and tried again for longer. */
enum sw_rc link_still(void *ctx, void (*work)(void *work_ctx), void *work_ctx)
{
    struct driver *driver = ctx;
    struct still still = {work, work_ctx};
    uint32_t tries = driver->still_tries;
    enum sw_rc rc;

    if (driver->still_tries < STILL_TRIES_MAX)
        driver->still_tries++;
    rc = driver_stand_still(driver, STILL_FIRST_NS << tries, work_still, &still);
    if (rc == SW_OK)
        driver->still_tries = 0;
    return rc;
}

void link_follow(void *ctx, uint32_t first, uint32_t then)
{
    struct driver *driver = ctx;

    lane_publish(&driver->lanes[first], false);
    lane_publish(&driver->lanes[then], false);
    pthread_mutex_lock(&driver->out_mutex); /* Nobody collects half of them. */
    lane_follow(&driver->lanes[first], &driver->lanes[then]);
    pthread_mutex_unlock(&driver->out_mutex);
}

/* Read once.  SW_E_UNAVAILABLE: the link ended. */
static enum sw_rc read_some(struct driver *driver, int flags, struct sw_err *err)
{
    uint8_t *room = sw_buffer_reserve(&driver->in, READ_BYTES);
    ssize_t got;

    if (room == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for a frame");
    do
        got = recv(driver->link, room, READ_BYTES, flags);
    while (got < 0 && errno == EINTR);
    if (got < 0 && (errno == EAGAIN))
        return SW_OK;
    if (got <= 0)
        return sw_err_set(err, SW_E_UNAVAILABLE, "swarmd is gone");
    driver->in.size += (size_t)got;
    return SW_OK;
}

/* Act on the whole frames that have arrived. *ret_stop: STOP was among them. */
static enum sw_rc take_frames(struct driver *driver, bool *ret_stop, struct sw_err *err)
{
    size_t taken = 0, size;
    enum sw_rc rc = SW_OK;

    for (*ret_stop = false; rc == SW_OK && !*ret_stop; taken += size) {
        struct sw_bytes rest = {driver->in.data + taken, driver->in.size - taken};
        struct sw_frame frame;

        rc = sw_frame_take(rest, SW_FRAME_TO_HOST, &frame, &size, err);
        if (rc != SW_OK || size == 0)
            break;
        if (frame.kind == SW_FRAME_STOP) {
            *ret_stop = true;
            driver->stop_ms = frame.stop.deadline_ms;
        } else {
            rc = sw_host_receive(driver->host, &frame, err);
        }
    }
    sw_buffer_consume(&driver->in, taken);
    return rc;
}

enum sw_rc link_receive(struct driver *driver,
                        enum sw_rc (*take)(void *ctx, const struct sw_frame *frame,
                                           struct sw_err *err),
                        void *ctx, struct sw_err *err)
{
    size_t taken = 0, size = 1;
    enum sw_rc rc = read_some(driver, 0, err);

    while (rc == SW_OK && size > 0) {
        struct sw_bytes rest = {driver->in.data + taken, driver->in.size - taken};
        struct sw_frame frame;

        rc = sw_frame_take(rest, SW_FRAME_TO_HOST, &frame, &size, err);
        if (rc == SW_OK && size > 0)
            rc = take(ctx, &frame, err);
        taken += size;
    }
    sw_buffer_consume(&driver->in, taken);
    return rc;
}

enum sw_rc link_hello(struct driver *driver, struct sw_frame_hello *ret_hello, struct sw_err *err)
{
    struct sw_frame frame;
    size_t size = 0;
    enum sw_rc rc = SW_OK;

    while (rc == SW_OK && size == 0) {
        rc = read_some(driver, 0, err);
        if (rc == SW_OK)
            rc = sw_frame_take((struct sw_bytes){driver->in.data, driver->in.size},
                               SW_FRAME_TO_HOST, &frame, &size, err);
    }
    if (rc != SW_OK)
        return rc;
    if (frame.kind != SW_FRAME_HELLO || frame.hello.version != SW_LINK_VERSION)
        return sw_err_set(err, SW_E_CORRUPT, "swarmd speaks another version of the link");
    if (sw_hex_decode(frame.hello.journal.data, frame.hello.journal.size, &driver->journal) !=
            SW_OK ||
        (driver->journal.size != 0 && driver->journal.size != 16))
        return sw_err_set(err, SW_E_CORRUPT, "swarmd names a journal by what is no name");
    *ret_hello = frame.hello;
    sw_buffer_consume(&driver->in, size);
    return SW_OK;
}

/* Wait for the socket, a wake-up, or the time for STATS. */
static void wait_for(struct driver *driver, bool can_read, short *ret_events)
{
    struct pollfd files[2] = {{.fd = driver->link, .events = can_read ? POLLIN : 0},
                              {.fd = driver->wake, .events = POLLIN}};
    uint64_t now = driver->system->monotonic_ns(driver->system->ctx), count;
    int timeout_ms = -1;

    if (atomic_load(&driver->has_news))
        timeout_ms = driver->stats_ns + STATS_NS <= now
                         ? 0
                         : (int)((driver->stats_ns + STATS_NS - now) / NS_PER_MS) + 1;
    if (!can_read)
        timeout_ms = 1;
    else if (sw_host_is_waiting(driver->host) && (timeout_ms < 0 || timeout_ms > STILL_AGAIN_MS))
        timeout_ms = STILL_AGAIN_MS;
    atomic_store(&driver->is_link_sleeping, true);
    atomic_thread_fence(memory_order_seq_cst);
    pthread_mutex_lock(&driver->out_mutex);
    collect(driver);
    if (driver->out.size > 0)
        files[0].events |= POLLOUT;
    pthread_mutex_unlock(&driver->out_mutex);
    if (poll(files, 2, timeout_ms) < 0)
        files[0].revents = files[1].revents = 0;
    atomic_store(&driver->is_link_sleeping, false);
    if (files[1].revents != 0)
        (void)!read(driver->wake, &count, sizeof count);
    *ret_events = files[0].revents;
}

enum sw_rc link_serve(struct driver *driver, struct sw_err *err)
{
    bool is_stop = false, has_left;
    enum sw_rc rc = take_frames(driver, &is_stop, err); /* What came along with HELLO. */

    while (rc == SW_OK && !is_stop) {
        bool can_read = hand_over(driver);
        short events;
        uint64_t now;

        wait_for(driver, can_read, &events);
        now = driver->system->monotonic_ns(driver->system->ctx);
        if (can_read && (events & (POLLIN | POLLHUP | POLLERR)) != 0) {
            rc = read_some(driver, MSG_DONTWAIT, err);
            if (rc == SW_OK)
                rc = take_frames(driver, &is_stop, err);
        }
        if (rc == SW_OK && sw_host_is_waiting(driver->host))
            rc = sw_host_go_on(driver->host, err);
        if (atomic_load(&driver->has_news) && driver->stats_ns + STATS_NS <= now) {
            driver->stats_ns = now;
            rc = rc == SW_OK ? sw_host_balance(driver->host, err) : rc;
            tell_stats(driver);
        }
        if (!send_some(driver, &has_left))
            return sw_err_set(err, SW_E_UNAVAILABLE, "swarmd is gone");
    }
    return rc;
}
