#include "pkg/utils/loop/loop.h"

#include "pkg/utils/loop/state.h"

#include <arpa/inet.h>
#include <assert.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#define OUT_KEPT_BYTES 32768u /* A drained stream keeps no more than this. */
#define OUT_EARLY_BYTES                                                                            \
    8192u /* With so much to send a stream does not wait for the round's end.                      \
           */

/* Bytes to send wait in `out`; when the kernel does not take all at once, the rest moves whole to
 * `sending`, which libuv writes in the background, and `out` collects what comes meanwhile.
 *
 *   open --finish--> finishing (flush, shutdown, wait for the peer's end) --> closing --> freed
 *     `---------------------------- close, error ------------------------------^ */
struct sw_stream {
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } uv;
    uv_write_t write;
    uv_shutdown_t shutdown;
    struct sw_loop *loop;
    struct sw_list node;  /* In loop->streams. */
    struct sw_list dirty; /* In loop->dirty when it has something to send. */
    struct sw_stream_handler handler;
    struct sw_buffer out, sending;
    struct sw_timer *timer; /* Bounds a finish. */
    enum sw_rc close_rc;
    bool is_unix, is_reading, is_sending, is_finishing, is_shut, is_closing;
    bool is_stuck;  /* The kernel took less than all in this round. */
    bool has_ended; /* The peer sent its end. */
};

static void stream_read(struct sw_stream *stream);

struct sw_stream *sw_stream_make(struct sw_loop *loop, bool is_unix)
{
    struct sw_stream *stream = calloc(1, sizeof *stream);

    if (stream == NULL)
        return NULL;
    stream->loop = loop;
    stream->is_unix = is_unix;
    if (is_unix)
        (void)uv_pipe_init(&loop->uv, &stream->uv.pipe, 0); /* Neither opens a socket yet. */
    else
        (void)uv_tcp_init(&loop->uv, &stream->uv.tcp);
    stream->uv.handle.data = stream;
    sw_list_add(&loop->streams, &stream->node);
    sw_list_init(&stream->dirty);
    sw_buffer_init(&stream->out, 0);
    sw_buffer_init(&stream->sending, 0);
    return stream;
}

uv_stream_t *sw_stream_uv(struct sw_stream *stream)
{
    return &stream->uv.stream;
}

static void on_closed(uv_handle_t *handle)
{
    struct sw_stream *stream = handle->data;

    if (stream->handler.on_close != NULL)
        stream->handler.on_close(stream->handler.ctx, stream, stream->close_rc);
    sw_buffer_done(&stream->out);
    sw_buffer_done(&stream->sending);
    free(stream);
}

void sw_stream_fail(struct sw_stream *stream, enum sw_rc rc)
{
    if (stream->is_closing)
        return;
    stream->is_closing = true;
    stream->close_rc = rc;
    sw_timer_free(stream->timer);
    stream->timer = NULL;
    sw_list_remove(&stream->dirty);
    sw_list_remove(&stream->node);
    uv_close(&stream->uv.handle, on_closed);
}

void sw_stream_close(struct sw_stream *stream)
{
    sw_stream_fail(stream, SW_OK);
}

void sw_loop_close_streams(struct sw_loop *loop)
{
    SW_LIST_EACH(&loop->streams, node)
    sw_stream_fail(SW_LIST_ITEM(node, struct sw_stream, node), SW_E_CANCELLED);
}

static void on_shut(uv_shutdown_t *request, int status)
{
    struct sw_stream *stream = request->data;

    if (status != 0 || stream->has_ended)
        sw_stream_fail(stream, SW_OK);
}

/* All is with the kernel: tell the user, or go on with finishing. */
static void stream_drained(struct sw_stream *stream)
{
    if (stream->out.capacity > OUT_KEPT_BYTES)
        sw_buffer_done(&stream->out);
    if (stream->is_finishing && !stream->is_shut) {
        stream->is_shut = true;
        stream->shutdown.data = stream;
        if (uv_shutdown(&stream->shutdown, &stream->uv.stream, on_shut) != 0)
            sw_stream_fail(stream, SW_OK);
        return;
    }
    if (!stream->is_finishing && stream->handler.on_drain != NULL)
        stream->handler.on_drain(stream->handler.ctx, stream);
}

static void stream_flush(struct sw_stream *stream);

static void on_written(uv_write_t *request, int status)
{
    struct sw_stream *stream = request->data;

    stream->is_sending = false;
    sw_buffer_done(&stream->sending);
    if (stream->is_closing)
        return;
    if (status != 0)
        sw_stream_fail(stream, sw_loop_rc(status));
    else if (stream->out.size > 0)
        stream_flush(stream);
    else
        stream_drained(stream);
}

static void stream_flush(struct sw_stream *stream)
{
    uv_buf_t bytes;
    int taken;

    stream->is_stuck = false;
    if (stream->is_closing || stream->is_sending)
        return;
    if (stream->out.size == 0) {
        stream_drained(stream);
        return;
    }
    bytes = uv_buf_init((char *)stream->out.data, (unsigned)stream->out.size);
    taken = uv_try_write(&stream->uv.stream, &bytes, 1);
    if (taken < 0 && taken != UV_EAGAIN) {
        sw_stream_fail(stream, sw_loop_rc(taken));
        return;
    }
    if (taken >= 0 && (size_t)taken == stream->out.size) {
        sw_buffer_reset(&stream->out);
        stream_drained(stream);
        return;
    }
    if (taken < 0)
        taken = 0;
    stream->sending = stream->out;
    sw_buffer_init(&stream->out, stream->sending.size_max);
    bytes = uv_buf_init((char *)stream->sending.data + taken,
                        (unsigned)(stream->sending.size - (size_t)taken));
    stream->write.data = stream;
    stream->is_sending = true;
    taken = uv_write(&stream->write, &stream->uv.stream, &bytes, 1, on_written);
    if (taken != 0) {
        stream->is_sending = false;
        sw_stream_fail(stream, sw_loop_rc(taken));
    }
}

void sw_loop_flush(struct sw_loop *loop)
{
    struct sw_list now;

    if (sw_list_is_empty(&loop->dirty))
        return;
    /* Those that become dirty meanwhile (on_drain writes) are for the next round. */
    now = loop->dirty;
    now.next->previous = &now;
    now.previous->next = &now;
    sw_list_init(&loop->dirty);
    while (!sw_list_is_empty(&now)) {
        struct sw_stream *stream = SW_LIST_ITEM(now.next, struct sw_stream, dirty);

        sw_list_remove(&stream->dirty);
        stream_flush(stream);
    }
}

size_t sw_stream_pending(const struct sw_stream *stream)
{
    return stream->out.size + stream->sending.size;
}

static void stream_mark(struct sw_stream *stream)
{
    if (sw_list_is_empty(&stream->dirty))
        sw_list_add(&stream->loop->dirty, &stream->dirty);
}

/* Send what has gathered before the round is over, so that the peer works on it meanwhile: whole
 * rounds that take turns would leave all processors but one without work. What the kernel does not
 * take, every failure, and telling on_drain are for the round's end. */
static void stream_push(struct sw_stream *stream)
{
    uv_buf_t bytes = uv_buf_init((char *)stream->out.data, (unsigned)stream->out.size);
    int taken;

    if (stream->is_sending || stream->is_stuck)
        return;
    taken = uv_try_write(&stream->uv.stream, &bytes, 1);
    stream->is_stuck = taken < 0 || (size_t)taken < stream->out.size;
    if (taken > 0)
        sw_buffer_consume(&stream->out, (size_t)taken);
}

enum sw_rc sw_stream_write(struct sw_stream *stream, const void *bytes, size_t size)
{
    if (stream->is_closing || stream->is_finishing)
        return SW_E_UNAVAILABLE;
    if (size > stream->out.size_max - stream->out.size ||
        stream->sending.size > stream->out.size_max - stream->out.size - size)
        return SW_E_EXHAUSTED;
    sw_buffer_put(&stream->out, bytes, size);
    if (stream->out.failed) {
        stream->out.failed = false; /* What was queued before stays good. */
        return SW_E_EXHAUSTED;
    }
    stream_mark(stream);
    if (stream->out.size >= OUT_EARLY_BYTES)
        stream_push(stream);
    return SW_OK;
}

static void on_alloc(uv_handle_t *handle, size_t hint, uv_buf_t *ret_bytes)
{
    const struct sw_stream *stream = handle->data;

    (void)hint;
    *ret_bytes = uv_buf_init(stream->loop->read_bytes, LOOP_READ_BYTES);
}

static void stream_ended(struct sw_stream *stream)
{
    stream->has_ended = true;
    stream->is_reading = false;
    (void)uv_read_stop(&stream->uv.stream);
    if (!stream->is_finishing)
        stream->handler.on_end(stream->handler.ctx, stream);
    else if (stream->is_shut)
        sw_stream_fail(stream, SW_OK);
}

static void on_read(uv_stream_t *handle, ssize_t size, const uv_buf_t *bytes)
{
    struct sw_stream *stream = handle->data;

    if (stream->is_closing || size == 0)
        return;
    if (size == UV_EOF)
        stream_ended(stream);
    else if (size < 0)
        sw_stream_fail(stream, stream->is_finishing ? SW_OK : sw_loop_rc((int)size));
    else if (!stream->is_finishing)
        stream->handler.on_data(stream->handler.ctx, stream,
                                (struct sw_bytes){.data = bytes->base, .size = (size_t)size});
}

static void stream_read(struct sw_stream *stream)
{
    int rc;

    if (stream->is_closing || stream->is_reading || stream->has_ended)
        return;
    rc = uv_read_start(&stream->uv.stream, on_alloc, on_read);
    if (rc != 0)
        sw_stream_fail(stream, sw_loop_rc(rc));
    else
        stream->is_reading = true;
}

void sw_stream_start(struct sw_stream *stream, const struct sw_stream_handler *handler,
                     size_t write_max)
{
    assert(handler->on_data != NULL);
    assert(handler->on_end != NULL);
    assert(handler->on_close != NULL);
    assert(write_max <= INT_MAX); /* What one write of the kernel can take. */
    stream->handler = *handler;
    stream->out.size_max = write_max;
    stream->sending.size_max = write_max;
    if (!stream->is_finishing)
        stream_read(stream);
}

void sw_stream_pause(struct sw_stream *stream)
{
    if (!stream->is_reading || stream->is_closing || stream->is_finishing)
        return;
    stream->is_reading = false;
    (void)uv_read_stop(&stream->uv.stream);
}

void sw_stream_resume(struct sw_stream *stream)
{
    stream_read(stream);
}

static void on_finish_timeout(void *ctx)
{
    sw_stream_fail(ctx, SW_OK);
}

void sw_stream_finish(struct sw_stream *stream)
{
    if (stream->is_closing || stream->is_finishing)
        return;
    stream->is_finishing = true;
    stream->timer = sw_timer_new(stream->loop, on_finish_timeout, stream);
    if (stream->timer == NULL || stream->loop->is_freed) {
        sw_stream_fail(stream, SW_OK);
        return;
    }
    sw_timer_start(stream->timer, SW_STREAM_FINISH_MS);
    stream_read(stream); /* To see the peer's end, and to make room for what it still sends. */
    if (!stream->is_closing)
        stream_mark(stream);
}

enum sw_rc sw_stream_adopt(struct sw_loop *loop, int file, struct sw_stream **ret_stream,
                           struct sw_err *err)
{
    struct sw_stream *stream = sw_stream_make(loop, true);
    int rc;

    if (stream == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for a stream");
    rc = uv_pipe_open(&stream->uv.pipe, file);
    if (rc != 0) {
        sw_stream_close(stream);
        return sw_loop_error(err, rc, "socket");
    }
    *ret_stream = stream;
    return SW_OK;
}

void sw_stream_peer(const struct sw_stream *stream, char *ret_text, size_t size)
{
    struct sockaddr_storage address;
    int length = sizeof address;
    char host[INET6_ADDRSTRLEN] = "?";

    if (stream->is_unix) {
        (void)snprintf(ret_text, size, "unix");
        return;
    }
    if (uv_tcp_getpeername(&stream->uv.tcp, (struct sockaddr *)&address, &length) != 0) {
        (void)snprintf(ret_text, size, "gone");
        return;
    }
    if (address.ss_family == AF_INET6) {
        const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)(const void *)&address;

        (void)uv_ip6_name(six, host, sizeof host);
        (void)snprintf(ret_text, size, "[%s]:%u", host, ntohs(six->sin6_port));
    } else {
        const struct sockaddr_in *four = (const struct sockaddr_in *)(const void *)&address;

        (void)uv_ip4_name(four, host, sizeof host);
        (void)snprintf(ret_text, size, "%s:%u", host, ntohs(four->sin_port));
    }
}
