#include "test/sim/host.h"

#include "pkg/agent/abi/abi.h"
#include "pkg/agent/runtime/actor/snapshot.h"
#include "pkg/agent/runtime/actor/state.h"
#include "pkg/agent/runtime/host/guest_wasm.h"
#include "pkg/agent/runtime/wasm/wasm.h"
#include "pkg/agent/store/shelf.h"
#include "test/sim/protocol.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FULL_DISK_WAIT_NS (500 * SIM_MS)
#define BUSY_WAIT_NS (10 * SIM_MS)
#define STILL_AGAIN_NS (5 * SIM_MS)
#define FINISH_SLICES_MAX 40u
#define FRAME_MAX ((size_t)SW_FRAME_BYTES_MAX + 64)

/* --- What is under way ----------------------------------------------------------------------- */

/* It arrives after the delay, and not before what was put before it. */
static uint64_t fifo_put(struct sim_fifo *fifo, void *what, size_t size, uint64_t at_ns)
{
    if (fifo->first + fifo->count == fifo->capacity) {
        if (fifo->first > 0)
            memmove(fifo->items, fifo->items + fifo->first, fifo->count * sizeof *fifo->items);
        fifo->first = 0;
        if (fifo->count == fifo->capacity) {
            fifo->capacity = fifo->capacity == 0 ? 16 : fifo->capacity * 2;
            fifo->items = realloc(fifo->items, fifo->capacity * sizeof *fifo->items);
            assert(fifo->items != NULL);
        }
    }
    if (at_ns < fifo->last_ns)
        at_ns = fifo->last_ns;
    fifo->last_ns = at_ns;
    fifo->items[fifo->first + fifo->count++] = (struct sim_passing){what, size, at_ns};
    return at_ns;
}

static const struct sim_passing *fifo_first(const struct sim_fifo *fifo)
{
    return fifo->count == 0 ? NULL : &fifo->items[fifo->first];
}

static struct sim_passing fifo_get(struct sim_fifo *fifo)
{
    fifo->count--;
    return fifo->items[fifo->first++];
}

static void fifo_done(struct sim_fifo *fifo, void (*release)(void *what))
{
    while (fifo->count > 0)
        release(fifo_get(fifo).what);
    free(fifo->items);
    memset(fifo, 0, sizeof *fifo);
}

static uint64_t now_of(const struct sim_host *host)
{
    return host->options.loop->now_ns;
}

static uint64_t fuel_of(const struct sim_host *host)
{
    uint64_t fuel = 0;

    for (uint32_t i = 0; i < host->options.workers && host->lanes[i].wasm != NULL; i++) {
        struct sw_wasm_worker_view view;

        sw_wasm_worker_view(host->lanes[i].wasm, &view);
        fuel += view.fuel;
    }
    return fuel;
}

/* Over, before anything more leaves it. */
static void die(struct sim_host *host, enum sim_end end, const char *words)
{
    if (host->ending != SIM_END_NONE)
        return;
    host->ending = end;
    snprintf(host->words, sizeof host->words, "%s", words);
    sim_event_at(host->options.loop, &host->end, now_of(host));
}

/* What guests computed since the last look took its time. */
static void look_at_clock(void *ctx)
{
    struct sim_host *host = ctx;
    uint64_t fuel = fuel_of(host);
    uint64_t used_ns = (fuel - host->fuel) * (SIM_MS / SIM_FUEL_PER_MS) * host->options.pace;

    sim_loop_spend(host->options.loop, used_ns);
    sim_quota_use(&host->quota, used_ns, now_of(host));
    if (used_ns > 0 && host->stepping != NULL && host->owed)
        die(host, SIM_END_UNREADABLE, "an instance ran while its namespace owed processor time");
    host->fuel = fuel;
}

/* --- The link -------------------------------------------------------------------------------- */

static void put_out(struct sim_host *host, void *bytes, size_t size)
{
    uint64_t at =
        now_of(host) + sim_random_around(&host->random, host->options.link_delay_ns) + SIM_US;

    if (host->options.disk->is_dead) { /* The process was ended, and does nothing any more. */
        free(bytes);
        return;
    }
    at = fifo_put(&host->out, bytes, size, at);
    sim_event_by(host->options.loop, &host->link_out, at);
}

static void emit(void *ctx, const struct sw_frame *frame)
{
    struct sw_buffer bytes;

    sw_buffer_init(&bytes, FRAME_MAX);
    sw_frame_put(frame, &bytes);
    assert(!bytes.failed);
    put_out(ctx, bytes.data, bytes.size);
}

/* Let out what is durable. */
static void release(struct sim_host *host, struct sim_lane *lane)
{
    uint64_t durable = sw_journal_durable(host->shared.journal);

    for (struct sw_output *output; (output = lane->outputs) != NULL && output->epoch <= durable;) {
        void *bytes = malloc(output->size);

        assert(bytes != NULL);
        memcpy(bytes, output->bytes, output->size);
        put_out(host, bytes, output->size);
        lane->outputs = output->next;
        free(output);
    }
}

static void run_link_out(void *ctx)
{
    struct sim_host *host = ctx;
    const struct sim_passing *first;

    while ((first = fifo_first(&host->out)) != NULL && first->at_ns <= now_of(host)) {
        struct sim_passing passing = fifo_get(&host->out);
        struct sw_frame frame;
        struct sw_err err = {0};
        size_t size = 0;

        if (sw_frame_take((struct sw_bytes){passing.what, passing.size}, SW_FRAME_FROM_HOST, &frame,
                          &size, &err) != SW_OK ||
            size != passing.size) {
            die(host, SIM_END_UNREADABLE, "it wrote a frame that is none");
        } else {
            sim_trace_bytes(host->options.trace, passing.what, passing.size);
            host->options.frame(host->options.ctx, &frame);
        }
        free(passing.what);
    }
    if (first != NULL)
        sim_event_by(host->options.loop, &host->link_out, first->at_ns);
}

void sim_host_send(struct sim_host *host, const struct sw_frame *frame)
{
    struct sw_buffer bytes;
    uint64_t at =
        now_of(host) + sim_random_around(&host->random, host->options.link_delay_ns) + SIM_US;

    if (host->state != SIM_HOST_RUNNING)
        return;
    sw_buffer_init(&bytes, FRAME_MAX);
    sw_frame_put(frame, &bytes);
    assert(!bytes.failed);
    at = fifo_put(&host->in, bytes.data, bytes.size, at);
    sim_event_by(host->options.loop, &host->link_in, at);
}

static void wake(struct sim_task *task)
{
    if (task->is_sleeping)
        sim_event_by(task->host->options.loop, &task->resume, now_of(task->host) + SIM_US);
}

static void take_frame(struct sim_host *host, const struct sim_passing *passing)
{
    struct sw_frame frame;
    struct sw_err err = {0};
    size_t size;
    enum sw_rc rc = sw_frame_take((struct sw_bytes){passing->what, passing->size}, SW_FRAME_TO_HOST,
                                  &frame, &size, &err);

    if (rc == SW_OK && frame.kind == SW_FRAME_STOP) {
        host->state = SIM_HOST_STOPPING;
        wake(&host->journal);
        wake(&host->snapshots);
        return;
    }
    if (rc == SW_OK && frame.kind == SW_FRAME_QUOTA)
        sim_quota_begin(&host->quota, frame.quota.cpu_ns, now_of(host));
    if (rc == SW_OK)
        rc = sw_host_receive(host->core, &frame, &err);
    if (rc != SW_OK)
        die(host, SIM_END_UNREADABLE, err.message);
}

static void run_link_in(void *ctx)
{
    struct sim_host *host = ctx;
    const struct sim_passing *first;
    struct sw_err err = {0};

    while (host->state == SIM_HOST_RUNNING && host->ending == SIM_END_NONE &&
           (first = fifo_first(&host->in)) != NULL && first->at_ns <= now_of(host)) {
        struct sim_passing passing = fifo_get(&host->in);

        take_frame(host, &passing);
        free(passing.what);
    }
    if (host->state != SIM_HOST_RUNNING || host->ending != SIM_END_NONE)
        return;
    if (sw_host_is_waiting(host->core) && sw_host_go_on(host->core, &err) != SW_OK)
        die(host, SIM_END_UNREADABLE, err.message);
    if (sw_host_is_waiting(host->core))
        sim_event_by(host->options.loop, &host->link_in, now_of(host) + STILL_AGAIN_NS);
    first = fifo_first(&host->in);
    if (first != NULL)
        sim_event_by(host->options.loop, &host->link_in, first->at_ns);
}

/* --- Workers --------------------------------------------------------------------------------- */

static void pass(struct sim_host *host, uint32_t from, uint32_t to, struct sw_item *item)
{
    uint64_t delay_ns =
        from == SIM_INBOX_DISK ? host->options.read_delay_ns : host->options.item_delay_ns;
    uint64_t at = now_of(host) + sim_random_around(&host->random, delay_ns) + SIM_US;

    at = fifo_put(&host->lanes[to].inbox[from], item, 0, at);
    sim_event_by(host->options.loop, &host->lanes[to].step, at);
}

static void put_item(void *ctx, uint32_t worker, struct sw_item *item)
{
    pass(ctx, SIM_INBOX_LINK, worker, item);
}

/* Hand over what has arrived in the first inboxes, in the order of arrival. Returns how many. */
static uint32_t take_items(struct sim_lane *lane, uint32_t inboxes, uint64_t until_ns)
{
    uint32_t count = 0;

    for (;;) {
        struct sim_fifo *next = NULL;

        for (uint32_t i = 0; i < inboxes; i++) {
            const struct sim_passing *first = fifo_first(&lane->inbox[i]);

            if (first != NULL && first->at_ns <= until_ns &&
                (next == NULL || first->at_ns < fifo_first(next)->at_ns))
                next = &lane->inbox[i];
        }
        if (next == NULL)
            return count;
        sw_worker_put(lane->worker, fifo_get(next).what);
        count++;
    }
}

/* Move what a worker put out to where it waits for its epoch. */
static void publish(struct sim_lane *lane)
{
    struct sw_output *output;

    while ((output = sw_worker_output(lane->worker)) != NULL) {
        output->next = NULL;
        if (lane->outputs == NULL)
            lane->outputs = output;
        else
            lane->outputs_last->next = output;
        lane->outputs_last = output;
    }
    release(lane->host, lane);
}

static void sleep_lane(struct sim_lane *lane)
{
    struct sim_host *host = lane->host;
    struct sim_loop *loop = host->options.loop;
    uint64_t wait_ns = sw_worker_wait_ns(lane->worker);

    for (uint32_t i = 0; i < SIM_INBOXES; i++)
        if (fifo_first(&lane->inbox[i]) != NULL)
            sim_event_by(loop, &lane->step, fifo_first(&lane->inbox[i])->at_ns);
    if (sw_worker_has_work(lane->worker) && sw_journal_has_room(host->shared.journal))
        sim_event_by(loop, &lane->step, loop->now_ns + SIM_US);
    if (wait_ns != UINT64_MAX)
        sim_event_by(loop, &lane->step, loop->now_ns + wait_ns + SIM_US);
}

/* Blocks that have to be waited for are there a while later. */
static void read_for(struct sim_host *host, struct sim_lane *lane)
{
    struct sw_item_read *read;

    while ((read = sw_worker_read(lane->worker)) != NULL) {
        sw_item_read_run(&host->shared, read);
        pass(host, SIM_INBOX_DISK, lane->index, &read->item);
    }
}

/* What a worker made goes on its way, and others get the processor. */
static void end_step(struct sim_lane *lane, uint32_t ran)
{
    struct sim_host *host = lane->host;
    bool has_news = lane->has_taken || ran > 0;
    const char *wrong;
    struct sw_err err = {0};

    look_at_clock(host);
    host->stepping = NULL;
    wrong = sim_quota_check(&host->quota, &host->shared, host->workers, host->options.workers);
    if (wrong != NULL) {
        die(host, SIM_END_UNREADABLE, wrong);
        return;
    }
    if (sw_worker_failure(lane->worker, &err) != SW_OK) {
        die(host, SIM_END_UNREADABLE, err.message);
        return;
    }
    for (uint32_t i = 0; i < host->options.workers; i++)
        for (struct sw_item *item; (item = sw_worker_sent(lane->worker, i)) != NULL;)
            pass(host, lane->index, i, item);
    read_for(host, lane);
    publish(lane);
    if (sw_journal_is_dirty(host->shared.journal) && !host->is_disk_full)
        wake(&host->journal);
    if (sw_snapshot_has_work(&host->shared) || sw_snapshot_is_asked_for(&host->shared) ||
        (sw_shelf_has_work(host->shared.shelf) && !host->is_shelf_full))
        wake(&host->snapshots);
    if (has_news)
        sim_event_by(host->options.loop, &lane->step,
                     now_of(host) + SIM_US +
                         ran * sim_random_around(&host->random, host->options.segment_ns));
    else
        sleep_lane(lane);
}

static void run_lane(void *ctx)
{
    struct sim_lane *lane = ctx;
    struct sim_host *host = lane->host;
    uint32_t ran;

    if (host->state != SIM_HOST_RUNNING || host->ending != SIM_END_NONE)
        return;
    host->stepping = lane;
    host->owed = sim_quota_owes(&host->quota, now_of(host));
    lane->has_taken = take_items(lane, SIM_INBOXES, now_of(host)) > 0;
    ran = sw_worker_run(lane->worker, (uint32_t)sim_random_between(
                                          &host->random, 1, host->options.segments_per_step));
    if (!sw_strands_is_replaced(host->options.loop->strands)) /* What was set aside has ended. */
        end_step(lane, ran);
}

/* Another strand has the loop from here on: it ends the step in which one was set aside. */
static void step_aside(void *ctx)
{
    struct sim_host *host = ctx;

    host->asides++;
    end_step(host->stepping, 1);
}

static void settle(struct sim_host *host);

/* --- Recovery, the journal's thread, the clean stop ------------------------------------------- */

/* Suspend the task that runs until that time, or until the host is over. */
static void wait_until(struct sim_host *host, uint64_t at_ns)
{
    struct sim_task *task = host->inside;

    if (host->options.disk->is_dead)
        return;
    if (at_ns != SIM_NEVER)
        sim_event_at(host->options.loop, &task->resume, at_ns);
    host->inside = NULL;
    sim_coroutine_suspend(task->coroutine);
    host->inside = task;
}

/* The same, and whoever wakes it ends it sooner. */
static void sleep_until(struct sim_host *host, uint64_t at_ns)
{
    struct sim_task *task = host->inside;

    task->is_sleeping = true;
    wait_until(host, at_ns);
    task->is_sleeping = false;
}

static void disk_wait(void *ctx, uint64_t ns)
{
    struct sim_host *host = ctx;

    if (host->inside != NULL)
        wait_until(host, now_of(host) + ns);
}

static void disk_crash(void *ctx)
{
    struct sim_host *host = ctx;

    die(host, host->disk_ends, "in the middle of a call of the disk");
    wait_until(host, SIM_NEVER);
}

static enum sw_rc open_module(void *ctx, enum sw_abi_class class, struct sw_bytes code,
                              struct sw_guest_module **ret_module, struct sw_err *err)
{
    return sw_guest_wasm_open(((struct sim_host *)ctx)->options.wasm, class, code, ret_module, err);
}

/* Workers are between two segments whenever something else runs here; that one of them is not is
 * played now and then. */
static enum sw_rc stand_still(void *ctx, void (*work)(void *work_ctx), void *work_ctx)
{
    struct sim_host *host = ctx;

    if (sim_random_permille(&host->random, 200))
        return SW_E_TIMEOUT;
    settle(host);
    work(work_ctx);
    for (uint32_t i = 0; i < host->options.workers; i++) {
        publish(&host->lanes[i]);
        sim_event_by(host->options.loop, &host->lanes[i].step, now_of(host) + SIM_US);
    }
    return SW_OK;
}

/* What one lane put out leaves before what the other one will put out. */
static void follow(void *ctx, uint32_t first, uint32_t then)
{
    struct sim_host *host = ctx;
    struct sim_lane *from = &host->lanes[first], *to = &host->lanes[then];
    struct sw_output **at;

    publish(from);
    publish(to);
    at = &to->outputs;
    while (from->outputs != NULL) { /* Both are in the order of their epochs. */
        struct sw_output *output = from->outputs;

        while (*at != NULL && (*at)->epoch <= output->epoch)
            at = &(*at)->next;
        from->outputs = output->next;
        output->next = *at;
        *at = output;
        if (output->next == NULL)
            to->outputs_last = output;
        at = &output->next;
    }
}

static bool recover(struct sim_host *host)
{
    struct sw_journal_options journal = {.system = &host->options.disk->system,
                                         .folder = SIM_HOST_FOLDER,
                                         .segment_bytes = host->options.segment_bytes,
                                         .epoch_bytes = host->options.epoch_bytes};
    struct sw_host_options options = {.system = &host->options.disk->system,
                                      .shared = &host->shared,
                                      .workers = host->workers,
                                      .workers_count = host->options.workers,
                                      .engine = &host->engine,
                                      .ctx = host,
                                      .open_module = open_module,
                                      .put = put_item,
                                      .emit = emit,
                                      .stand_still = stand_still,
                                      .follow = follow};
    struct sw_frame ready = {.kind = SW_FRAME_READY};
    struct sw_recovery_report report;
    struct sw_err err = {0};
    enum sw_rc rc =
        sw_recover(&journal, &host->shared, host->workers, host->options.workers, &report, &err);

    if (rc == SW_OK)
        rc = sw_host_new(&options, &host->core, &err);
    if (rc != SW_OK) {
        bool is_disk = err.rc == SW_E_INTERNAL || err.rc == SW_E_EXHAUSTED;

        die(host, is_disk ? SIM_END_JOURNAL : SIM_END_UNREADABLE, err.message);
        return false;
    }
    sim_trace(host->options.trace,
              "host: recovered %" PRIu64 " Pods, %" PRIu64 " instances, %" PRIu64 " messages",
              report.pods, report.instances, report.messages);
    if (sim_quota_lost_history(&host->shared, SIM_HOST_FOLDER))
        die(host, SIM_END_UNREADABLE, "an Agent that had room for its history has none after this");
    (void)sw_snapshot_trim(&host->shared);
    host->state = SIM_HOST_RUNNING;
    sim_heat_begin(&host->heat);
    host->quota = (struct sim_quota){0};
    ready.ready = (struct sw_frame_ready){.version = SW_LINK_VERSION,
                                          .workers = host->options.workers,
                                          .pods = report.pods,
                                          .instances = report.instances,
                                          .messages = report.messages};
    emit(host, &ready);
    for (uint32_t i = 0; i < host->options.workers; i++)
        sim_event_by(host->options.loop, &host->lanes[i].step, now_of(host) + SIM_US);
    return true;
}

/* One commit, and what follows from it. False: the host is over. */
static bool commit(struct sim_host *host)
{
    struct sw_err err = {0};
    uint64_t before = sw_journal_durable(host->shared.journal);
    enum sw_rc rc;

    if (host->ending == SIM_END_ABORTED)
        return false;
    rc = sw_journal_commit(host->shared.journal, &err);
    if (host->options.disk->is_dead)
        return false;
    host->is_disk_full = rc == SW_E_EXHAUSTED;
    if (rc != SW_OK && !host->is_disk_full) {
        die(host, SIM_END_JOURNAL, err.message);
        return false;
    }
    if (sw_journal_durable(host->shared.journal) != before)
        host->commits++;
    if (sw_snapshot_has_work(&host->shared) || sw_snapshot_is_due(&host->shared))
        wake(&host->snapshots);
    for (uint32_t i = 0; i < host->options.workers; i++) {
        release(host, &host->lanes[i]);
        if (host->state == SIM_HOST_RUNNING)
            sim_event_by(host->options.loop, &host->lanes[i].step, now_of(host) + SIM_US);
    }
    return true;
}

/* False: the host is over. */
static bool serve(struct sim_host *host)
{
    while (host->state == SIM_HOST_RUNNING) {
        if (!commit(host))
            return false;
        if (host->state != SIM_HOST_RUNNING ||
            (!host->is_disk_full && sw_journal_is_dirty(host->shared.journal)))
            continue;
        sleep_until(host, host->is_disk_full ? now_of(host) + FULL_DISK_WAIT_NS : SIM_NEVER);
        if (host->options.disk->is_dead)
            return false;
    }
    return true;
}

/* Carry what a worker has for others. True: there was something. */
static bool carry(struct sim_host *host, struct sim_lane *lane)
{
    struct sw_item *item;
    bool has_carried = false;

    for (uint32_t to = 0; to < host->options.workers; to++)
        while ((item = sw_worker_sent(lane->worker, to)) != NULL) {
            sw_worker_put(host->workers[to], item);
            has_carried = true;
        }
    return has_carried;
}

/* Nothing is under way between workers any more, and all that they put out waits for its epoch.
 * What the disk is asked for may come when it will. */
static void settle(struct sim_host *host)
{
    bool goes_on = true;

    for (uint32_t i = 0; i < host->options.workers; i++)
        (void)take_items(&host->lanes[i], SIM_INBOX_LINK + 1, SIM_NEVER);
    while (goes_on) {
        goes_on = false;
        for (uint32_t i = 0; i < host->options.workers; i++) {
            (void)sw_worker_run(host->workers[i], 0);
            goes_on = carry(host, &host->lanes[i]) || goes_on;
        }
    }
    for (uint32_t i = 0; i < host->options.workers; i++)
        publish(&host->lanes[i]);
}

/* Long segments have some time to end; what has not ended then is handled again. */
static void finish(struct sim_host *host)
{
    uint64_t left = sim_random_below(&host->random, FINISH_SLICES_MAX);
    struct sim_task *inside = host->inside;

    host->inside = NULL; /* They have stacks of their own. */
    for (uint32_t i = 0; i < host->options.workers; i++)
        while (left > 0 && sw_worker_finish(host->workers[i]))
            left--;
    host->inside = inside;
}

static void stop(struct sim_host *host)
{
    struct sw_snapshot_options options = {
        .shared = &host->shared, .workers = host->workers, .count = host->options.workers};
    struct sw_frame stopped = {.kind = SW_FRAME_STOPPED};
    struct sw_err err = {0};
    enum sw_rc rc;

    while (!host->snapshots.is_over && !host->options.disk->is_dead)
        sleep_until(host, now_of(host) + SIM_MS); /* Its thread is joined. */
    finish(host);
    settle(host);
    while (sw_journal_is_dirty(host->shared.journal) && !host->is_disk_full)
        if (!commit(host))
            return;
    sw_host_close_volatile(host->core);
    settle(host);
    for (uint32_t i = 0; i < host->options.workers; i++)
        sw_worker_settle(host->workers[i]);
    do { /* When the disk has room again, what had waited for it goes first. */
        if (!commit(host))
            return;
    } while (!host->is_disk_full && sw_journal_is_dirty(host->shared.journal));
    rc = host->is_disk_full ? SW_E_EXHAUSTED : sw_snapshot_take(&options, &err);
    if (host->options.disk->is_dead)
        return;
    sw_suspects_end(&host->shared.suspects);
    sim_trace(host->options.trace, "host: stops, %s",
              rc == SW_OK ? "with a snapshot" : err.message);
    stopped.result.code = (uint32_t)-rc;
    emit(host, &stopped);
    die(host, SIM_END_STOPPED, err.message);
}

static void run_life(void *ctx)
{
    struct sim_host *host = ctx;

    host->inside = &host->journal;
    if (recover(host) && serve(host))
        stop(host);
    while (!host->options.disk->is_dead)
        wait_until(host, SIM_NEVER);
    host->inside = NULL;
}

/* --- The thread of snapshots ------------------------------------------------------------------ */

/* Begin one if it is time. Workers are between two segments whenever another one runs here, so what
 * standing still takes is to hand over what is under way. */
static void try_begin(struct sim_host *host)
{
    struct sw_err err = {0};

    if (!sw_snapshot_is_due(&host->shared))
        return;
    settle(host);
    if (sw_snapshot_begin(&host->shared, host->workers, host->options.workers, &err) != SW_OK)
        sim_trace(host->options.trace, "host: no snapshot: %s", err.message);
    for (uint32_t i = 0; i < host->options.workers; i++)
        sim_event_by(host->options.loop, &host->lanes[i].step, now_of(host) + SIM_US);
}

/* In all its lives. */
static void note_gap(struct sim_host *host)
{
    char words[SW_SNAPSHOT_WORDS_MAX];

    if (host->options.disk->is_dead || !sw_snapshot_trouble(&host->shared, words))
        return;
    sim_trace(host->options.trace, "host: %s", words);
    if (strstr(words, "cannot be read") != NULL) /* One that has its name is whole. */
        die(host, SIM_END_UNREADABLE, words);
    host->gaps++;
}

static void advance(struct sim_host *host)
{
    struct sw_err err = {0};

    while (host->state == SIM_HOST_RUNNING && sw_snapshot_has_work(&host->shared)) {
        if (sw_snapshot_advance(&host->shared, &err) != SW_OK)
            sim_trace(host->options.trace, "host: no snapshot: %s", err.message);
        note_gap(host);
        if (host->options.disk->is_dead)
            return;
        if (sw_shelf_failure(host->shared.shelf) != SW_OK) {
            die(host, SIM_END_JOURNAL, err.message);
            return;
        }
        for (uint32_t i = 0; i < host->options.workers; i++)
            sim_event_by(host->options.loop, &host->lanes[i].step, now_of(host) + SIM_US);
        if (sw_snapshot_phase(&host->shared) != SW_SNAPSHOT_NAMED)
            continue;
        wake(&host->journal);
        if (host->cut_when_named == 0)
            continue;
        sim_disk_arm(host->options.disk, SIM_DISK_CRASHES, host->cut_when_named - 1);
        sim_trace(host->options.trace, "fault: cut off behind the name of a snapshot");
        host->cut_when_named = 0;
    }
}

static void write_shelf(struct sim_host *host)
{
    struct sw_err err = {0};
    enum sw_rc rc = SW_OK;

    if (sw_shelf_has_work(host->shared.shelf))
        rc = sw_shelf_write(host->shared.shelf, &err);
    host->is_shelf_full = rc == SW_E_EXHAUSTED;
    if (rc != SW_OK && rc != SW_E_EXHAUSTED && !host->options.disk->is_dead)
        die(host, SIM_END_JOURNAL, err.message);
}

static void run_snapshots(void *ctx)
{
    struct sim_host *host = ctx;

    host->inside = &host->snapshots;
    while (!host->options.disk->is_dead && host->state < SIM_HOST_STOPPING) {
        uint64_t wait_ns = SIM_NEVER;

        if (host->state == SIM_HOST_RUNNING && host->ending == SIM_END_NONE) {
            write_shelf(host);
            note_gap(host);
            if (sw_snapshot_phase(&host->shared) == SW_SNAPSHOT_NONE)
                try_begin(host);
            advance(host);
        }
        if (host->is_shelf_full)
            wait_ns = FULL_DISK_WAIT_NS;
        if (host->state == SIM_HOST_RUNNING &&
            sw_snapshot_phase(&host->shared) == SW_SNAPSHOT_COUNTS)
            wait_ns = BUSY_WAIT_NS;
        if (host->state < SIM_HOST_STOPPING)
            sleep_until(host, wait_ns == SIM_NEVER ? SIM_NEVER : now_of(host) + wait_ns);
    }
    host->snapshots.is_over = true;
    while (!host->options.disk->is_dead)
        wait_until(host, SIM_NEVER);
    host->inside = NULL;
}

static void run_resume(void *ctx)
{
    struct sim_task *task = ctx;

    (void)sim_coroutine_resume(task->coroutine);
}

static void start_task(struct sim_host *host, struct sim_task *task, void (*run)(void *ctx))
{
    *task = (struct sim_task){.host = host, .coroutine = sim_coroutine_new(run, host)};
    sim_event_init(&task->resume, run_resume, task);
    sim_event_at(host->options.loop, &task->resume, now_of(host));
}

/* Let it see that all is over. */
static void end_task(struct sim_host *host, struct sim_task *task)
{
    while (sim_coroutine_resume(task->coroutine))
        continue;
    sim_coroutine_free(task->coroutine);
    task->coroutine = NULL;
    sim_event_stop(host->options.loop, &task->resume);
}

/* --- Guests that take it along ---------------------------------------------------------------- */

static struct sim_host *entering; /* A process has one at a time. */

static bool takes_host_along(const struct sim_host *host, const void *wasm)
{
    static const char words[] = SIM_CRASH_WORDS;

    for (uint32_t i = 0; i < host->options.workers; i++) {
        const struct sw_buffer *logs = &host->workers[i]->turn.logs;

        if (host->lanes[i].wasm == wasm && logs->size >= sizeof words - 1 &&
            memcmp(logs->data + logs->size - (sizeof words - 1), words, sizeof words - 1) == 0)
            return true;
    }
    return false;
}

/* Where the engine would abort, nothing is written any more, and what workers ran is noted. What
 * goes on in this process until the event of its end is seen by nobody. */
static void enter(void *ctx, struct sw_guest *guest, const struct sw_guest_input *input,
                  struct sw_guest_outcome *ret_outcome)
{
    struct sim_host *host = entering;

    host->enter(ctx, guest, input, ret_outcome);
    if (ret_outcome->end != SW_GUEST_TRAPPED || host->ending != SIM_END_NONE ||
        !takes_host_along(host, ctx))
        return;
    host->left = host->notes;
    die(host, SIM_END_ABORTED, "a guest took it along");
}

/* What the last life noted: a machine without power may have lost it. */
static void begin_notes(struct sim_host *host)
{
    if (host->last == SIM_END_POWER)
        memset(&host->notes, 0, sizeof host->notes);
    if (host->last == SIM_END_ABORTED)
        host->notes = host->left;
    sw_notes_settle(&host->notes, host->last == SIM_END_ABORTED);
    sw_suspects_begin(&host->shared.suspects, &host->notes);
}

/* --- Birth and end --------------------------------------------------------------------------- */

static void free_item(void *item)
{
    (void)item;
}

static void make_lane(struct sim_host *host, uint32_t i)
{
    struct sim_lane *lane = &host->lanes[i];
    struct sw_worker_options options = {.shared = &host->shared,
                                        .index = i,
                                        .count = host->options.workers,
                                        .strands = host->options.loop->strands};
    struct sw_err err = {0};

    lane->host = host;
    lane->index = i;
    sim_event_init(&lane->step, run_lane, lane);
    if (sw_wasm_worker_new(host->options.wasm, &lane->wasm, &err) != SW_OK)
        abort();
    options.engine = sw_guest_wasm_worker(lane->wasm);
    entering = host;
    host->enter = options.engine.enter;
    options.engine.enter = enter;
    if (i == 0)
        host->engine = options.engine;
    if (sw_worker_new(&options, &lane->worker, &err) != SW_OK)
        abort();
    host->workers[i] = lane->worker;
}

void sim_host_start(struct sim_host *host)
{
    struct sw_snapshot_limits limits = {.bytes_min = host->options.snapshot_bytes,
                                        .history_bytes = host->options.history_bytes,
                                        .sweep_bytes = host->options.snapshot_bytes / 4};

    assert(host->state == SIM_HOST_DOWN);
    if (sw_shared_init(&host->shared, &host->options.disk->system, SW_ABI_FINGERPRINT) != SW_OK)
        abort();
    host->shared.image_tail = host->options.image_tail;
    host->shared.shelf_bytes = host->options.shelf_bytes;
    atomic_store(&host->shared.awake_bytes, host->options.awake_bytes);
    sw_snapshot_limit(&host->shared, &limits);
    begin_notes(host);
    for (uint32_t i = 0; i < host->options.workers; i++)
        make_lane(host, i);
    host->state = SIM_HOST_BOOTING;
    host->ending = SIM_END_NONE;
    host->lives++;
    start_task(host, &host->journal, run_life);
    start_task(host, &host->snapshots, run_snapshots);
}

static void free_lane(struct sim_host *host, struct sim_lane *lane)
{
    struct sw_worker_view view;

    sw_worker_view(lane->worker, &view);
    host->replayed += view.replayed;
    host->segments += view.segments;
    host->woken += view.woken;
    host->moved += view.moved;
    sim_event_stop(host->options.loop, &lane->step);
    for (uint32_t i = 0; i < SIM_INBOXES; i++) {
        while (lane->inbox[i].count > 0)
            sw_item_free(fifo_get(&lane->inbox[i]).what, &host->engine);
        fifo_done(&lane->inbox[i], free_item);
    }
    for (struct sw_output *output; (output = lane->outputs) != NULL;) {
        lane->outputs = output->next;
        free(output);
    }
}

/* Segments that were set aside have stacks, which have to go: they come to their ends, and nothing
 * of that is seen by anybody. */
static void abandon(struct sim_host *host)
{
    for (uint32_t i = 0; i < host->options.workers; i++)
        while (sw_worker_finish(host->workers[i]))
            continue;
}

/* The process is gone: its memory is, what it wrote to the link arrives or not. */
static void end_life(void *ctx)
{
    struct sim_host *host = ctx;
    struct sim_disk *disk = host->options.disk;

    disk->is_dead = true;
    abandon(host);
    end_task(host, &host->journal);
    end_task(host, &host->snapshots);
    sim_event_stop(host->options.loop, &host->link_in);
    sim_heat_end(&host->heat);
    sim_event_stop(host->options.loop, &host->end);
    for (uint32_t i = 0; i < host->options.workers; i++)
        free_lane(host, &host->lanes[i]);
    for (uint32_t i = 0; i < host->options.workers; i++)
        sw_worker_free(host->workers[i]);
    sw_host_free(host->core);
    host->core = NULL;
    for (uint32_t i = 0; i < host->options.workers; i++)
        sw_wasm_worker_free(host->lanes[i].wasm);
    memset(host->lanes, 0, sizeof host->lanes);
    host->fuel = 0;
    sw_journal_close(host->shared.journal);
    sw_shared_done(&host->shared);
    memset(&host->shared, 0, sizeof host->shared);
    fifo_done(&host->in, free);
    host->is_disk_full = host->is_shelf_full = false;
    host->state = SIM_HOST_DOWN;
    sim_disk_kill(disk);
}

static void run_end(void *ctx)
{
    struct sim_host *host = ctx;
    enum sim_end end = host->last = host->ending;
    static const char *const names[] = {"?",       "killed",     "power lost", "stopped",
                                        "journal", "unreadable", "aborted"};

    end_life(host);
    if (end == SIM_END_POWER) {
        static const uint32_t kept[] = {0, 0, 100, 500, 500, 900, 1000};

        fifo_done(&host->out, free);
        sim_event_stop(host->options.loop, &host->link_out);
        sim_disk_lose_power(host->options.disk, kept[sim_random_below(&host->random, 7)]);
    }
    run_link_out(host); /* What it had written to the socket arrives before its end is seen. */
    while (host->out.count > 0) {
        struct sim_passing *first = &host->out.items[host->out.first];

        first->at_ns = 0;
        run_link_out(host);
    }
    host->out.last_ns = 0;
    sim_event_stop(host->options.loop, &host->link_out);
    sim_trace(host->options.trace, "host: ended, %s: %s; so far %" PRIu64 " were set aside",
              names[end], host->words, host->asides);
    host->ending = SIM_END_NONE;
    host->options.ended(host->options.ctx, end, host->words);
}

void sim_host_crash(struct sim_host *host, enum sim_end end, const char *words)
{
    if (host->state != SIM_HOST_DOWN)
        die(host, end, words);
}

void sim_host_init(struct sim_host *host, const struct sim_host_options *options)
{
    memset(host, 0, sizeof *host);
    host->options = *options;
    host->random.state = options->seed;
    sim_event_init(&host->link_in, run_link_in, host);
    sim_heat_init(&host->heat, host, host->options.seed);
    sim_event_init(&host->link_out, run_link_out, host);
    sim_event_init(&host->end, run_end, host);
    options->disk->hooks = (struct sim_disk_hooks){host, disk_wait, disk_crash, look_at_clock};
    options->loop->aside = step_aside;
    options->loop->ctx = host;
}

void sim_host_done(struct sim_host *host)
{
    if (host->state != SIM_HOST_DOWN)
        sim_loop_call(host->options.loop, end_life, host);
    fifo_done(&host->out, free);
}
