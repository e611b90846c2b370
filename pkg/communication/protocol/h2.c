#include "pkg/communication/protocol/connection.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STREAM_WINDOW_BYTES 262144
#define CONNECTION_WINDOW_BYTES 4194304
#define HEADER_FLOOD_FACTOR 8u /* Headers so many times over the limit end the connection. */

static struct exchange *exchange_at(nghttp2_session *session, int32_t stream_id)
{
    return nghttp2_session_get_stream_user_data(session, stream_id);
}

/* ---- What nghttp2 tells us ----
 * Once a connection is closing its exchanges are gone, and every callback ends the session. */

/* Every frame that costs us work and the peer nothing is counted. */
static int on_begin_frame(nghttp2_session *session, const nghttp2_frame_hd *head, void *ctx)
{
    struct connection *connection = ctx;
    const struct sw_http_limits *limits = &connection->server->limits;
    uint64_t now_ms = sw_loop_now_ms(connection->server->loop);
    bool is_allowed = true;

    (void)session;
    if (connection->is_closing)
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    if (head->type == NGHTTP2_RST_STREAM)
        is_allowed = sw_bucket_take(&connection->resets, now_ms, limits->resets_per_s);
    else if (head->type == NGHTTP2_DATA)
        is_allowed = head->length > 0 || (head->flags & NGHTTP2_FLAG_END_STREAM) != 0 ||
                     sw_bucket_take(&connection->controls, now_ms, limits->control_frames_per_s);
    else if (head->type != NGHTTP2_HEADERS && head->type != NGHTTP2_WINDOW_UPDATE)
        is_allowed = sw_bucket_take(&connection->controls, now_ms, limits->control_frames_per_s);
    if (is_allowed)
        return 0;
    connection->is_flooded = true;
    return NGHTTP2_ERR_CALLBACK_FAILURE;
}

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *ctx)
{
    struct connection *connection = ctx;
    struct exchange *exchange = NULL;

    if (connection->is_closing)
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    if (frame->headers.cat != NGHTTP2_HCAT_REQUEST)
        return 0;
    /* Cancelled requests that handlers still hold count too, or resets would make them pile up. */
    if (connection->owned_count < 2 * connection->server->limits.streams_max)
        exchange = sw_exchange_new(connection);
    if (exchange == NULL)
        return nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, frame->hd.stream_id,
                                         NGHTTP2_REFUSED_STREAM);
    exchange->stream_id = frame->hd.stream_id;
    connection->head_ms = sw_loop_now_ms(connection->server->loop);
    return nghttp2_session_set_stream_user_data(session, frame->hd.stream_id, exchange);
}

static const struct {
    const char *name;
    enum sw_http_method method;
} methods[] = {{"GET", SW_HTTP_GET},        {"HEAD", SW_HTTP_HEAD},   {"POST", SW_HTTP_POST},
               {"PUT", SW_HTTP_PUT},        {"PATCH", SW_HTTP_PATCH}, {"DELETE", SW_HTTP_DELETE},
               {"OPTIONS", SW_HTTP_OPTIONS}};

enum sw_http_method sw_http_method_of(struct sw_bytes word)
{
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++)
        if (sw_bytes_is_text(word, methods[i].name))
            return methods[i].method;
    return SW_HTTP_OTHER;
}

/* nghttp2 has checked that pseudo headers come first, once, and are well-formed. */
static void take_pseudo_header(struct exchange *exchange, struct sw_bytes name,
                               struct sw_bytes value)
{
    if (sw_bytes_is_text(name, ":method")) {
        exchange->request.method = sw_http_method_of(value);
    } else if (sw_bytes_is_text(name, ":path")) {
        if (!sw_exchange_set_target(exchange, value))
            exchange->refuse_status = 400;
    } else if (sw_bytes_is_text(name, ":authority")) {
        sw_exchange_add_header(exchange, sw_bytes_of_text("host"), value);
    }
}

static uint64_t number_of(struct sw_bytes text)
{
    uint64_t number = 0;

    for (size_t i = 0; i < text.size; i++) /* nghttp2 has checked it. */
        number = number * 10 + (uint64_t)(((const char *)text.data)[i] - '0');
    return number;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_size, const uint8_t *value, size_t value_size, uint8_t flags,
                     void *ctx)
{
    struct connection *connection = ctx;
    struct exchange *exchange;
    struct sw_bytes name_bytes = {.data = name, .size = name_size};
    struct sw_bytes value_bytes = {.data = value, .size = value_size};
    size_t flood_bytes = HEADER_FLOOD_FACTOR * connection->server->limits.header_bytes_max;

    (void)flags;
    if (connection->is_closing)
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    exchange = exchange_at(session, frame->hd.stream_id);
    if (exchange == NULL || exchange->phase != EXCHANGE_HEAD)
        return 0; /* Refused, or trailers, which nothing here wants. */
    if (exchange->header_bytes > flood_bytes) {
        connection->is_flooded = true;
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    }
    if (name_size > 0 && name[0] == ':') {
        take_pseudo_header(exchange, name_bytes, value_bytes);
        return 0;
    }
    if (sw_bytes_is_text(name_bytes, "content-length"))
        exchange->content_length = number_of(value_bytes);
    sw_exchange_add_header(exchange, name_bytes, value_bytes);
    return 0;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *ctx)
{
    struct connection *connection = ctx;
    struct exchange *exchange;

    if (connection->is_closing)
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA)
        return 0;
    if (frame->hd.type == NGHTTP2_HEADERS)
        connection->head_ms = 0;
    exchange = exchange_at(session, frame->hd.stream_id);
    if (exchange == NULL)
        return 0;
    if (frame->hd.type == NGHTTP2_HEADERS && exchange->phase == EXCHANGE_HEAD)
        sw_exchange_begin(exchange);
    /* `begin` may have closed all of it. */
    exchange = connection->is_closing ? NULL : exchange_at(session, frame->hd.stream_id);
    if (exchange != NULL && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0)
        sw_exchange_complete(exchange);
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t stream_id, const uint8_t *bytes,
                   size_t size, void *ctx)
{
    struct connection *connection = ctx;
    struct exchange *exchange;

    (void)flags;
    if (connection->is_closing)
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    exchange = exchange_at(session, stream_id);
    if (exchange != NULL)
        sw_exchange_take_body(exchange, (struct sw_bytes){.data = bytes, .size = size});
    return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t stream_id, uint32_t code, void *ctx)
{
    struct connection *connection = ctx;
    struct exchange *exchange;

    (void)code;
    if (connection->is_closing)
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    exchange = exchange_at(session, stream_id);
    if (exchange != NULL) {
        (void)nghttp2_session_set_stream_user_data(session, stream_id, NULL);
        sw_exchange_leave_wire(exchange);
    }
    return 0;
}

/* Frames that are wrong make nghttp2 reset the stream: a peer can have that done at will, so it
 * counts as if the peer had reset it. */
static int on_invalid_frame(nghttp2_session *session, const nghttp2_frame *frame, int code,
                            void *ctx)
{
    struct connection *connection = ctx;

    (void)session;
    (void)frame;
    (void)code;
    connection->server->view.protocol_errors++;
    if (sw_bucket_take(&connection->resets, sw_loop_now_ms(connection->server->loop),
                       connection->server->limits.resets_per_s))
        return 0;
    connection->is_flooded = true;
    return NGHTTP2_ERR_CALLBACK_FAILURE;
}

enum sw_rc sw_h2_server_setup(struct sw_http_server *server)
{
    nghttp2_session_callbacks *callbacks;

    if (nghttp2_session_callbacks_new(&server->h2_callbacks) != 0 ||
        nghttp2_option_new(&server->h2_option) != 0)
        return SW_E_EXHAUSTED;
    callbacks = server->h2_callbacks;
    nghttp2_session_callbacks_set_on_begin_frame_callback(callbacks, on_begin_frame);
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks, on_invalid_frame);
    nghttp2_option_set_no_closed_streams(server->h2_option, 1);
    nghttp2_option_set_server_fallback_rfc7540_priorities(server->h2_option, 0);
    return SW_OK;
}

/* ---- The session ---- */

enum sw_rc sw_h2_open(struct connection *connection)
{
    const struct sw_http_limits *limits = &connection->server->limits;
    nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, (uint32_t)limits->streams_max},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, STREAM_WINDOW_BYTES},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, (uint32_t)limits->header_bytes_max},
        {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1}};

    connection->protocol = PROTOCOL_H2;
    if (nghttp2_session_server_new2(&connection->h2, connection->server->h2_callbacks, connection,
                                    connection->server->h2_option) != 0)
        return SW_E_EXHAUSTED;
    if (nghttp2_submit_settings(connection->h2, NGHTTP2_FLAG_NONE, settings,
                                sizeof settings / sizeof settings[0]) != 0 ||
        nghttp2_session_set_local_window_size(connection->h2, NGHTTP2_FLAG_NONE, 0,
                                              CONNECTION_WINDOW_BYTES) != 0)
        return SW_E_EXHAUSTED;
    sw_connection_wake(connection);
    return SW_OK;
}

void sw_h2_input(struct connection *connection, const uint8_t *bytes, size_t size)
{
    ssize_t taken = nghttp2_session_mem_recv(connection->h2, bytes, size);

    if (connection->is_closing)
        return;
    sw_connection_wake(connection);
    if (taken >= 0)
        return;
    if (connection->is_flooded) {
        connection->server->view.floods++;
        (void)nghttp2_session_terminate_session(connection->h2, NGHTTP2_ENHANCE_YOUR_CALM);
    } else {
        connection->server->view.protocol_errors++;
    }
    sw_connection_finish(connection);
}

/* Collect frames into records of TLS, as long as the stream has room. */
void sw_h2_flush(struct connection *connection)
{
    struct sw_http_server *server = connection->server;
    size_t filled = 0;

    while (!connection->is_closing && (connection->stream == NULL ||
                                       sw_stream_pending(connection->stream) < FLUSH_HIGH_BYTES)) {
        const uint8_t *bytes;
        ssize_t size = nghttp2_session_mem_send(connection->h2, &bytes);

        if (size < 0)
            sw_connection_close(connection);
        if (size <= 0)
            break;
        while (size > 0) {
            size_t room = sizeof server->batch - filled;
            size_t taken = (size_t)size < room ? (size_t)size : room;

            (void)memcpy(server->batch + filled, bytes, taken);
            filled += taken;
            bytes += taken;
            size -= (ssize_t)taken;
            if (filled == sizeof server->batch) {
                sw_connection_send(connection, server->batch, filled);
                filled = 0;
            }
        }
    }
    if (filled > 0 && !connection->is_closing)
        sw_connection_send(connection, server->batch, filled);
    if (!connection->is_closing && !nghttp2_session_want_read(connection->h2) &&
        !nghttp2_session_want_write(connection->h2))
        sw_connection_finish(connection);
}

void sw_h2_drain(struct connection *connection)
{
    int32_t last = nghttp2_session_get_last_proc_stream_id(connection->h2);

    (void)nghttp2_submit_goaway(connection->h2, NGHTTP2_FLAG_NONE, last, NGHTTP2_NO_ERROR, NULL, 0);
    sw_connection_wake(connection);
}

/* ---- Responses ---- */

static nghttp2_nv pair(struct sw_bytes name, struct sw_bytes value)
{
    union {
        const void *from;
        uint8_t *to;
    } name_cast = {.from = name.data}, value_cast = {.from = value.data};

    return (nghttp2_nv){.name = name_cast.to,
                        .namelen = name.size,
                        .value = value_cast.to,
                        .valuelen = value.size,
                        .flags = NGHTTP2_NV_FLAG_NONE};
}

static ssize_t read_out(nghttp2_session *session, int32_t stream_id, uint8_t *ret_bytes,
                        size_t size, uint32_t *ret_flags, nghttp2_data_source *source, void *ctx)
{
    struct connection *connection = ctx;
    struct exchange *exchange = source->ptr;
    struct sw_bytes out;
    size_t taken;

    if (connection->is_closing)
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    out = sw_exchange_out(exchange);
    taken = out.size < size ? out.size : size;
    exchange->is_deferred = taken == 0 && !exchange->is_ended;
    if (exchange->is_deferred)
        return NGHTTP2_ERR_DEFERRED;
    if (taken > 0)
        (void)memcpy(ret_bytes, out.data, taken);
    if (exchange->is_ended && taken == out.size) {
        *ret_flags |= NGHTTP2_DATA_FLAG_EOF;
        if (exchange->trailers_count > 0) {
            nghttp2_nv trailers[RESPONSE_HEADERS_MAX];

            for (size_t i = 0; i < exchange->trailers_count; i++)
                trailers[i] = pair(exchange->trailers[i].name, exchange->trailers[i].value);
            *ret_flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
            if (nghttp2_submit_trailer(session, stream_id, trailers, exchange->trailers_count) != 0)
                return NGHTTP2_ERR_CALLBACK_FAILURE;
        }
    }
    if (taken > 0)
        sw_exchange_taken(exchange, taken);
    return (ssize_t)taken;
}

void sw_h2_start(struct exchange *exchange, int status, const struct sw_http_header *headers,
                 size_t headers_count)
{
    struct connection *connection = exchange->connection;
    nghttp2_data_provider provider = {.source.ptr = exchange, .read_callback = read_out};
    nghttp2_nv pairs[RESPONSE_HEADERS_MAX + 3];
    const char status_text[3] = {(char)('0' + status / 100), (char)('0' + status / 10 % 10),
                                 (char)('0' + status % 10)};
    char length_text[24];
    size_t count = 0;
    bool has_body;

    assert(status >= 100 && status <= 999);
    pairs[count++] = pair(sw_bytes_of_text(":status"), (struct sw_bytes){status_text, 3});
    for (size_t i = 0; i < headers_count; i++) {
        pairs[count] = pair(headers[i].name, headers[i].value);
        pairs[count++].flags |=
            headers[i].is_unique ? NGHTTP2_NV_FLAG_NO_INDEX : NGHTTP2_NV_FLAG_NONE;
    }
    pairs[count++] =
        pair(sw_bytes_of_text("date"), sw_bytes_of_text(sw_http_server_date(connection->server)));
    if (exchange->is_ended && status != 204 && status != 304) {
        (void)snprintf(length_text, sizeof length_text, "%llu",
                       (unsigned long long)exchange->content_length);
        pairs[count++] = pair(sw_bytes_of_text("content-length"), sw_bytes_of_text(length_text));
    }
    has_body = !exchange->is_headless && (!exchange->is_ended || exchange->out.size > 0);
    if (nghttp2_submit_response(connection->h2, exchange->stream_id, pairs, count,
                                has_body ? &provider : NULL) != 0)
        sw_connection_close(connection);
}

void sw_h2_wake(struct exchange *exchange)
{
    struct connection *connection = exchange->connection;

    if (!exchange->is_deferred)
        return;
    exchange->is_deferred = false;
    if (nghttp2_session_resume_data(connection->h2, exchange->stream_id) != 0)
        sw_connection_close(connection);
}

void sw_h2_abort(struct exchange *exchange, uint32_t code)
{
    struct connection *connection = exchange->connection;

    if (nghttp2_submit_rst_stream(connection->h2, NGHTTP2_FLAG_NONE, exchange->stream_id, code) !=
        0)
        sw_connection_close(connection);
    else
        sw_connection_wake(connection);
}
