#include "pkg/communication/protocol/client_state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WRITE_BYTES_MAX 4194304u
#define FLUSH_HIGH_BYTES 262144u
#define STREAM_WINDOW_BYTES 1048576
#define LINK_WINDOW_BYTES 16777216

struct client_link {
    struct sw_http_client *client; /* NULL once the client has let go. */
    struct sw_http_client *owner;  /* The same, to the end: TLS needs what it has until then. */
    struct sw_loop *loop;
    struct sw_stream *stream;
    struct link tls;
    nghttp2_session *h2;
    size_t holds; /* Of its memory: the attempt to connect or the stream, and calls in progress. */
    bool is_open, is_closing;
    uint8_t clear[LINK_RECORD_BYTES], batch[LINK_RECORD_BYTES];
};

static void link_release(struct client_link *link)
{
    link->holds--;
    if (link->holds > 0)
        return;
    nghttp2_session_del(link->h2);
    sw_link_done(&link->tls);
    sw_http_client_unref(link->owner);
    free(link);
}

/* The client is told once; afterwards the link only waits for its stream's end. */
static void link_lose(struct client_link *link, enum sw_rc rc)
{
    struct sw_http_client *client = link->client;

    if (link->is_closing)
        return;
    link->is_closing = true;
    link->client = NULL;
    if (link->stream != NULL)
        sw_stream_close(link->stream);
    if (client != NULL)
        sw_http_client_lost(client, rc, link->is_open);
}

void sw_client_link_close(struct client_link *link)
{
    link->client = NULL;
    link->is_closing = true;
    if (link->stream != NULL) {
        sw_link_shut(&link->tls);
        sw_stream_finish(link->stream);
    }
}

bool sw_client_link_is_open(const struct client_link *link)
{
    return link->is_open && !link->is_closing;
}

/* ---- What nghttp2 tells us ---- */

static struct sw_http_call *call_at(nghttp2_session *session, int32_t stream_id)
{
    return nghttp2_session_get_stream_user_data(session, stream_id);
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_size, const uint8_t *value, size_t value_size, uint8_t flags,
                     void *ctx)
{
    struct client_link *link = ctx;
    struct sw_http_call *call = link->is_closing ? NULL : call_at(session, frame->hd.stream_id);
    struct sw_http_header *header;

    (void)flags;
    if (call == NULL)
        return 0;
    if (name_size == 7 && memcmp(name, ":status", 7) == 0) {
        call->status = atoi((const char *)value); /* nghttp2 has checked that it is three digits. */
        return 0;
    }
    call->header_bytes += name_size + value_size + 32;
    if (call->headers_count == CALL_HEADERS_MAX || call->header_bytes > CALL_HEADER_BYTES_MAX)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    header = &call->headers[call->headers_count];
    header->name = (struct sw_bytes){sw_arena_copy(call->arena, name, name_size), name_size};
    header->value = (struct sw_bytes){sw_arena_copy(call->arena, value, value_size), value_size};
    if (header->name.data == NULL || header->value.data == NULL)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    call->headers_count++;
    return 0;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *ctx)
{
    struct client_link *link = ctx;
    struct sw_http_call *call;
    const struct sw_http_call_handler *handler;

    if (link->is_closing || (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA))
        return 0;
    call = call_at(session, frame->hd.stream_id);
    if (call == NULL)
        return 0;
    handler = &call->options.handler;
    if ((frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0)
        call->is_whole = true;
    if (frame->hd.type == NGHTTP2_HEADERS && !call->has_headers && call->status >= 200) {
        size_t count = call->headers_count;

        call->has_headers = true;
        call->headers_count = 0; /* What comes now are trailers. */
        if (handler->on_headers != NULL)
            handler->on_headers(handler->ctx, call, call->status, call->headers, count);
    } else if (frame->hd.type == NGHTTP2_HEADERS && !call->has_headers) {
        call->headers_count = 0; /* 100 Continue and its like. */
    }
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t stream_id, const uint8_t *bytes,
                   size_t size, void *ctx)
{
    struct client_link *link = ctx;
    struct sw_http_call *call = link->is_closing ? NULL : call_at(session, stream_id);
    const struct sw_http_call_handler *handler;

    (void)flags;
    if (call == NULL)
        return 0;
    handler = &call->options.handler;
    if (handler->on_data != NULL) {
        handler->on_data(handler->ctx, call, (struct sw_bytes){.data = bytes, .size = size});
        return 0;
    }
    sw_buffer_put(&call->reply, bytes, size);
    if (call->reply.failed && call->rc == SW_OK) {
        call->rc = SW_E_EXHAUSTED;
        return nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, stream_id, NGHTTP2_CANCEL);
    }
    return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t stream_id, uint32_t code, void *ctx)
{
    struct client_link *link = ctx;
    struct sw_http_call *call = link->is_closing ? NULL : call_at(session, stream_id);
    enum sw_rc rc;

    if (call == NULL)
        return 0;
    (void)nghttp2_session_set_stream_user_data(session, stream_id, NULL);
    rc = call->rc;
    if (rc == SW_OK && !(call->is_whole && code == NGHTTP2_NO_ERROR))
        rc = code == NGHTTP2_CANCEL ? SW_E_CANCELLED : SW_E_UNAVAILABLE;
    sw_http_call_done(call, rc);
    return 0;
}

enum sw_rc sw_client_link_setup(struct sw_http_client *client)
{
    if (nghttp2_session_callbacks_new(&client->callbacks) != 0)
        return SW_E_EXHAUSTED;
    nghttp2_session_callbacks_set_on_header_callback(client->callbacks, on_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(client->callbacks, on_frame);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(client->callbacks, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(client->callbacks, on_stream_close);
    return SW_OK;
}

/* ---- Requests ---- */

static ssize_t read_body(nghttp2_session *session, int32_t stream_id, uint8_t *ret_bytes,
                         size_t size, uint32_t *ret_flags, nghttp2_data_source *source, void *ctx)
{
    struct sw_http_call *call = source->ptr;
    size_t left, taken;

    (void)ctx;
    if (call_at(session, stream_id) != call) /* It was given up, and is gone; the reset follows. */
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    left = call->options.body.size - call->body_at;
    taken = left < size ? left : size;
    (void)memcpy(ret_bytes, (const uint8_t *)call->options.body.data + call->body_at, taken);
    call->body_at += taken;
    if (taken == left)
        *ret_flags |= NGHTTP2_DATA_FLAG_EOF;
    return (ssize_t)taken;
}

static nghttp2_nv pair(struct sw_bytes name, struct sw_bytes value)
{
    return (nghttp2_nv){.name = (uint8_t *)(uintptr_t)name.data,
                        .namelen = name.size,
                        .value = (uint8_t *)(uintptr_t)value.data,
                        .valuelen = value.size,
                        .flags = NGHTTP2_NV_FLAG_NONE};
}

static nghttp2_nv pair_of_texts(const char *name, const char *value)
{
    return pair(sw_bytes_of_text(name), sw_bytes_of_text(value));
}

void sw_client_link_submit(struct client_link *link, struct sw_http_call *call)
{
    const struct sw_http_call_options *options = &call->options;
    nghttp2_data_provider provider = {.source.ptr = call, .read_callback = read_body};
    nghttp2_nv pairs[CALL_HEADERS_MAX + 5];
    size_t count = 0;
    char length[24];
    int32_t id;

    pairs[count++] = pair_of_texts(":method", sw_http_method_name(options->method));
    pairs[count++] = pair_of_texts(":scheme", link->tls.ssl != NULL ? "https" : "http");
    pairs[count++] = pair_of_texts(":authority", link->client->options.address);
    pairs[count++] = pair_of_texts(":path", options->path);
    for (size_t i = 0; i < options->headers_count; i++)
        pairs[count++] = pair(options->headers[i].name, options->headers[i].value);
    if (options->body.size > 0) {
        (void)snprintf(length, sizeof length, "%zu", options->body.size);
        pairs[count++] = pair_of_texts("content-length", length);
    }
    id = nghttp2_submit_request(link->h2, NULL, pairs, count,
                                options->body.size > 0 ? &provider : NULL, call);
    if (id < 0) /* No memory, or all stream numbers are used up. */
        sw_http_call_done(call, SW_E_UNAVAILABLE);
    else
        call->stream_id = id;
}

void sw_client_link_reset(struct client_link *link, struct sw_http_call *call)
{
    (void)nghttp2_session_set_stream_user_data(link->h2, call->stream_id, NULL);
    (void)nghttp2_submit_rst_stream(link->h2, NGHTTP2_FLAG_NONE, call->stream_id, NGHTTP2_CANCEL);
}

/* ---- Bytes ---- */

void sw_client_link_flush(struct client_link *link)
{
    size_t filled = 0;
    bool is_broken = false;

    while (link->is_open && !link->is_closing && !is_broken &&
           sw_stream_pending(link->stream) < FLUSH_HIGH_BYTES) {
        const uint8_t *bytes;
        ssize_t size = nghttp2_session_mem_send(link->h2, &bytes);

        is_broken = size < 0;
        if (size <= 0)
            break;
        while (size > 0) {
            size_t room = sizeof link->batch - filled;
            size_t taken = (size_t)size < room ? (size_t)size : room;

            (void)memcpy(link->batch + filled, bytes, taken);
            filled += taken;
            bytes += taken;
            size -= (ssize_t)taken;
            if (filled == sizeof link->batch) {
                is_broken |= sw_link_write(&link->tls, link->batch, filled) != SW_OK;
                filled = 0;
            }
        }
    }
    if (filled > 0 && !link->is_closing)
        is_broken |= sw_link_write(&link->tls, link->batch, filled) != SW_OK;
    if (is_broken || (link->is_open && !link->is_closing && !nghttp2_session_want_read(link->h2) &&
                      !nghttp2_session_want_write(link->h2)))
        link_lose(link, SW_E_UNAVAILABLE);
}

/* The handshake is done. */
static enum sw_rc begin_h2(struct client_link *link)
{
    static const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, STREAM_WINDOW_BYTES}};

    if (nghttp2_session_client_new(&link->h2, link->client->callbacks, link) != 0 ||
        nghttp2_submit_settings(link->h2, NGHTTP2_FLAG_NONE, settings, 2) != 0 ||
        nghttp2_session_set_local_window_size(link->h2, NGHTTP2_FLAG_NONE, 0, LINK_WINDOW_BYTES) !=
            0)
        return SW_E_EXHAUSTED;
    link->is_open = true;
    sw_http_client_wake(link->client);
    return SW_OK;
}

/* Clear bytes of the server. */
static enum sw_rc take_clear(struct client_link *link, size_t size)
{
    enum sw_rc rc = SW_OK;

    if (link->tls.is_open && !link->is_open) {
        if (link->tls.ssl != NULL && !sw_tls_is_h2(link->tls.ssl))
            return SW_E_UNSUPPORTED;
        rc = begin_h2(link);
    }
    if (rc == SW_OK && size > 0 && nghttp2_session_mem_recv(link->h2, link->clear, size) < 0)
        rc = SW_E_UNAVAILABLE;
    return rc;
}

static void on_stream_data(void *ctx, struct sw_stream *stream, struct sw_bytes bytes)
{
    struct client_link *link = ctx;
    struct sw_err err = {0};
    size_t size = 1;
    enum sw_rc rc = SW_OK;

    (void)stream;
    link->holds++;
    sw_link_feed(&link->tls, bytes);
    while (size > 0 && rc == SW_OK && !link->is_closing) {
        rc = sw_link_read(&link->tls, link->clear, sizeof link->clear, &size, &err);
        if (rc != SW_OK && link->client != NULL)
            (void)snprintf(link->client->trouble, sizeof link->client->trouble, "%s", err.message);
        if (rc == SW_OK && !link->is_closing)
            rc = take_clear(link, size);
    }
    if (rc != SW_OK || link->tls.has_ended)
        link_lose(link, rc);
    else if (link->client != NULL)
        sw_http_client_wake(link->client);
    link_release(link);
}

static void on_stream_end(void *ctx, struct sw_stream *stream)
{
    (void)stream;
    link_lose(ctx, SW_E_UNAVAILABLE);
}

static void on_stream_gone(void *ctx, struct sw_stream *stream, enum sw_rc rc)
{
    struct client_link *link = ctx;

    (void)stream;
    link->stream = NULL;
    link->tls.stream = NULL;
    link_lose(link, rc == SW_E_CANCELLED ? SW_E_CANCELLED : SW_E_UNAVAILABLE);
    link_release(link);
}

static void on_stream_drain(void *ctx, struct sw_stream *stream)
{
    struct client_link *link = ctx;

    (void)stream;
    if (link->client != NULL && link->is_open && nghttp2_session_want_write(link->h2))
        sw_http_client_wake(link->client);
}

/* ---- Connecting ---- */

static void on_connected(void *ctx, enum sw_rc rc, struct sw_stream *stream)
{
    struct client_link *link = ctx;
    const struct sw_stream_handler handler = {.ctx = link,
                                              .on_data = on_stream_data,
                                              .on_end = on_stream_end,
                                              .on_close = on_stream_gone,
                                              .on_drain = on_stream_drain};
    const struct sw_http_client_options *options;
    struct sw_err err = {0};

    if (rc != SW_OK || link->client == NULL) {
        if (stream != NULL)
            sw_stream_close(stream);
        if (link->client != NULL)
            (void)snprintf(link->client->trouble, sizeof link->client->trouble,
                           "cannot connect to %s: %s", link->client->options.address,
                           sw_rc_describe(rc));
        link_lose(link, rc);
        link_release(link);
        return;
    }
    options = &link->client->options;
    link->stream = stream;
    link->tls.stream = stream;
    sw_stream_start(stream, &handler, WRITE_BYTES_MAX);
    rc = sw_link_init(&link->tls, link->client->link_method, options->tls, options->server_name,
                      options->system->utc_ns(options->system->ctx), &err);
    if (rc == SW_OK && options->tls == NULL)
        rc = begin_h2(link);
    if (rc != SW_OK) {
        (void)snprintf(link->client->trouble, sizeof link->client->trouble, "%s", err.message);
        link_lose(link, rc);
    }
}

void sw_client_link_open(struct sw_http_client *client)
{
    struct client_link *link = calloc(1, sizeof *link);
    struct sw_err err = {0};
    enum sw_rc rc = SW_E_EXHAUSTED;

    if (link != NULL) {
        link->client = link->owner = client;
        link->loop = client->options.loop;
        link->holds = 1;
        rc = sw_stream_connect(link->loop, client->options.address,
                               client->options.connect_timeout_ms, on_connected, link, &err);
    }
    if (rc != SW_OK) {
        (void)snprintf(client->trouble, sizeof client->trouble, "%s", err.message);
        free(link);
        sw_http_client_lost(client, rc, false);
        return;
    }
    client->link = link;
    client->references++;
}
