#include "pkg/utils/loop/loop.h"

#include "pkg/utils/loop/state.h"

#include <assert.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define CALLS_MIN 64u
#define FLUSH_PASSES 16 /* Deferred calls may defer again; beyond this the next round goes on. */

enum sw_rc sw_loop_rc(int number)
{
    switch (number) {
    case 0:
        return SW_OK;
    case UV_ETIMEDOUT:
        return SW_E_TIMEOUT;
    case UV_ENOMEM:
    case UV_EMFILE:
    case UV_ENFILE:
    case UV_ENOBUFS:
        return SW_E_EXHAUSTED;
    case UV_ECANCELED:
        return SW_E_CANCELLED;
    case UV_ENOENT:
    case UV_EAI_NONAME:
    case UV_EAI_NODATA:
        return SW_E_NOT_FOUND;
    case UV_EACCES:
    case UV_EPERM:
        return SW_E_DENIED;
    case UV_EADDRINUSE:
        return SW_E_EXISTS;
    case UV_EINVAL:
    case UV_EADDRNOTAVAIL:
    case UV_ENAMETOOLONG:
        return SW_E_INVALID;
    default:
        return SW_E_UNAVAILABLE;
    }
}

enum sw_rc sw_loop_error(struct sw_err *err, int number, const char *words)
{
    return sw_err_set(err, sw_loop_rc(number), "%s: %s", words, uv_strerror(number));
}

bool sw_loop_is_freed(const uv_loop_t *uv)
{
    const struct sw_loop *loop = uv->data;

    return loop->is_freed;
}

static bool calls_add(struct loop_calls *calls, void (*call)(void *ctx), void *ctx)
{
    if (calls->count == calls->capacity) {
        size_t capacity = calls->capacity == 0 ? CALLS_MIN : calls->capacity * 2;
        struct loop_call *items;

        if (calls->count >= SW_LOOP_CALLS_MAX)
            return false;
        items = realloc(calls->items, capacity * sizeof *items);
        if (items == NULL)
            return false;
        calls->items = items;
        calls->capacity = capacity;
    }
    calls->items[calls->count++] = (struct loop_call){.call = call, .ctx = ctx};
    return true;
}

static void calls_swap(struct loop_calls *one, struct loop_calls *other)
{
    struct loop_calls kept = *one;

    *one = *other;
    *other = kept;
}

/* Run all of them. The array is not in use by anyone else while it runs. */
static void calls_run(struct loop_calls *calls)
{
    for (size_t i = 0; i < calls->count; i++)
        calls->items[i].call(calls->items[i].ctx);
    calls->count = 0;
}

static void on_async(uv_async_t *async)
{
    struct sw_loop *loop = async->data;

    uv_mutex_lock(&loop->mutex);
    calls_swap(&loop->posted, &loop->running);
    uv_mutex_unlock(&loop->mutex);
    calls_run(&loop->running);
}

static void on_idle(uv_idle_t *idle)
{
    (void)uv_idle_stop(idle);
}

static void run_deferred(struct sw_loop *loop)
{
    for (int pass = 0; pass < FLUSH_PASSES && loop->deferred.count > 0; pass++) {
        calls_swap(&loop->deferred, &loop->deferring);
        calls_run(&loop->deferring);
    }
}

/* End a round: deferred calls first, because they write, then all streams with something to send.
 */
static void round_end(struct sw_loop *loop)
{
    run_deferred(loop);
    sw_loop_flush(loop);
    if (loop->deferred.count > 0 || !sw_list_is_empty(&loop->dirty))
        (void)uv_idle_start(&loop->idle, on_idle);
}

static void on_prepare(uv_prepare_t *prepare)
{
    round_end(prepare->data);
}

static void on_check(uv_check_t *check)
{
    round_end(check->data);
}

enum sw_rc sw_loop_new(struct sw_loop **ret_loop, struct sw_err *err)
{
    struct sw_loop *loop = calloc(1, sizeof *loop);
    int rc;

    if (loop == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for an event loop");
    rc = uv_loop_init(&loop->uv);
    if (rc != 0) {
        free(loop);
        return sw_loop_error(err, rc, "event loop");
    }
    (void)signal(SIGPIPE, SIG_IGN);
    loop->uv.data = loop;
    sw_list_init(&loop->dirty);
    sw_list_init(&loop->streams);
    sw_list_init(&loop->listeners);
    sw_list_init(&loop->timers);
    sw_list_init(&loop->children);
    sw_list_init(&loop->signals);
    sw_list_init(&loop->polls);
    rc = uv_mutex_init(&loop->mutex);
    if (rc == 0) {
        rc = uv_async_init(&loop->uv, &loop->async, on_async);
        if (rc != 0)
            uv_mutex_destroy(&loop->mutex);
    }
    if (rc != 0) {
        (void)uv_loop_close(&loop->uv);
        free(loop);
        return sw_loop_error(err, rc, "event loop");
    }
    (void)uv_prepare_init(&loop->uv, &loop->prepare); /* These cannot fail. */
    (void)uv_check_init(&loop->uv, &loop->check);
    (void)uv_idle_init(&loop->uv, &loop->idle);
    loop->async.data = loop;
    loop->prepare.data = loop;
    loop->check.data = loop;
    (void)uv_prepare_start(&loop->prepare, on_prepare);
    (void)uv_check_start(&loop->check, on_check);
    *ret_loop = loop;
    return SW_OK;
}

void sw_loop_free(struct sw_loop *loop)
{
    int rc;

    if (loop == NULL)
        return;
    loop->is_freed = true;
    run_deferred(loop); /* They may hold what is closed below. */
    (void)uv_prepare_stop(&loop->prepare);
    (void)uv_check_stop(&loop->check);
    uv_close((uv_handle_t *)&loop->prepare, NULL);
    uv_close((uv_handle_t *)&loop->check, NULL);
    uv_close((uv_handle_t *)&loop->idle, NULL);
    uv_close((uv_handle_t *)&loop->async, NULL);
    sw_loop_close_listeners(loop);
    sw_loop_close_children(loop);
    sw_loop_close_signals(loop);
    sw_loop_close_polls(loop);
    sw_loop_close_streams(loop);
    sw_loop_stop_timers(loop);
    (void)uv_run(&loop->uv, UV_RUN_DEFAULT); /* Closings, exits of children, lookups under way. */
    run_deferred(loop);
    sw_loop_close_timers(loop); /* Last: the closings above may have stopped and freed some. */
    (void)uv_run(&loop->uv, UV_RUN_DEFAULT);
    rc = uv_loop_close(&loop->uv);
    assert(rc == 0);
    (void)rc;
    uv_mutex_destroy(&loop->mutex);
    free(loop->posted.items);
    free(loop->running.items);
    free(loop->deferred.items);
    free(loop->deferring.items);
    free(loop);
}

void sw_loop_run(struct sw_loop *loop)
{
    (void)uv_run(&loop->uv, UV_RUN_DEFAULT);
}

void sw_loop_stop(struct sw_loop *loop)
{
    uv_stop(&loop->uv);
}

uint64_t sw_loop_now_ms(const struct sw_loop *loop)
{
    return uv_now(&loop->uv);
}

enum sw_rc sw_loop_post(struct sw_loop *loop, void (*call)(void *ctx), void *ctx)
{
    bool was_empty, is_added;

    uv_mutex_lock(&loop->mutex);
    was_empty = loop->posted.count == 0;
    is_added = calls_add(&loop->posted, call, ctx);
    uv_mutex_unlock(&loop->mutex);
    if (!is_added)
        return SW_E_EXHAUSTED;
    if (was_empty)
        (void)uv_async_send(&loop->async);
    return SW_OK;
}

enum sw_rc sw_loop_defer(struct sw_loop *loop, void (*call)(void *ctx), void *ctx)
{
    return calls_add(&loop->deferred, call, ctx) ? SW_OK : SW_E_EXHAUSTED;
}

struct loop_work {
    uv_work_t uv;
    void (*work)(void *ctx);
    void (*done)(void *ctx);
    void *ctx;
};

static void on_work(uv_work_t *request)
{
    struct loop_work *work = request->data;

    work->work(work->ctx);
}

static void on_worked(uv_work_t *request, int status)
{
    struct loop_work *work = request->data;

    (void)status; /* Never cancelled. */
    work->done(work->ctx);
    free(work);
}

enum sw_rc sw_loop_work(struct sw_loop *loop, void (*work)(void *ctx), void (*done)(void *ctx),
                        void *ctx)
{
    struct loop_work *item = calloc(1, sizeof *item);

    if (item == NULL)
        return SW_E_EXHAUSTED;
    item->uv.data = item;
    item->work = work;
    item->done = done;
    item->ctx = ctx;
    if (uv_queue_work(&loop->uv, &item->uv, on_work, on_worked) != 0) {
        free(item);
        return SW_E_EXHAUSTED;
    }
    return SW_OK;
}

struct loop_signal {
    uv_signal_t uv;
    struct sw_list node;
    void (*on_signal)(void *ctx, int number);
    void *ctx;
};

static void on_signal_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void on_uv_signal(uv_signal_t *handle, int number)
{
    struct loop_signal *item = handle->data;

    item->on_signal(item->ctx, number);
}

enum sw_rc sw_loop_on_signal(struct sw_loop *loop, int number,
                             void (*on_signal)(void *ctx, int number), void *ctx,
                             struct sw_err *err)
{
    struct loop_signal *item = calloc(1, sizeof *item);
    int rc;

    if (item == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for a signal handler");
    item->on_signal = on_signal;
    item->ctx = ctx;
    rc = uv_signal_init(&loop->uv, &item->uv);
    if (rc != 0) {
        free(item);
        return sw_loop_error(err, rc, "signal handler");
    }
    item->uv.data = item;
    rc = uv_signal_start(&item->uv, on_uv_signal, number);
    if (rc != 0) {
        uv_close((uv_handle_t *)&item->uv, on_signal_closed);
        return sw_loop_error(err, rc, "signal handler");
    }
    uv_unref((uv_handle_t *)&item->uv);
    sw_list_add(&loop->signals, &item->node);
    return SW_OK;
}

void sw_loop_close_signals(struct sw_loop *loop)
{
    SW_LIST_EACH(&loop->signals, node)
    {
        struct loop_signal *item = SW_LIST_ITEM(node, struct loop_signal, node);

        sw_list_remove(node);
        uv_close((uv_handle_t *)&item->uv, on_signal_closed);
    }
}
