#include "pkg/communication/protocol/connection.h"

#include <stdlib.h>
#include <string.h>

static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/* ---- Life ---- */

void sw_connection_release(struct connection *connection)
{
    struct sw_http_server *server = connection->server;

    connection->holds--;
    if (connection->holds > 0)
        return;
    nghttp2_session_del(connection->h2);
    sw_h1_done(connection);
    free(connection);
    sw_http_server_unref(server);
}

/* Let all its exchanges go: nothing more can be sent. */
static void drop_exchanges(struct connection *connection)
{
    connection->is_closing = true;
    connection->h1.exchange = NULL;
    while (!sw_list_is_empty(&connection->exchanges))
        sw_exchange_leave_wire(SW_LIST_ITEM(connection->exchanges.next, struct exchange, node));
}

void sw_connection_close(struct connection *connection)
{
    if (connection->is_closing)
        return;
    connection->holds++;
    drop_exchanges(connection);
    if (connection->stream != NULL)
        sw_stream_close(connection->stream);
    sw_connection_release(connection);
}

void sw_connection_finish(struct connection *connection)
{
    if (connection->is_closing || connection->is_finishing)
        return;
    connection->is_finishing = true;
    connection->holds++;
    if (connection->protocol == PROTOCOL_H2)
        sw_h2_flush(connection);
    if (!connection->is_closing) {
        drop_exchanges(connection);
        connection->progress_ms = sw_loop_now_ms(connection->server->loop);
        sw_link_shut(&connection->link);
        if (connection->stream != NULL)
            sw_stream_finish(connection->stream);
    }
    sw_connection_release(connection);
}

/* ---- Bytes out ---- */

void sw_connection_send(struct connection *connection, const void *bytes, size_t size)
{
    connection->server->view.bytes_out += size;
    if (sw_link_write(&connection->link, bytes, size) != SW_OK)
        sw_connection_close(connection);
}

static void call_writables(struct connection *connection)
{
    while (!connection->is_closing && !sw_list_is_empty(&connection->writable)) {
        struct exchange *exchange =
            SW_LIST_ITEM(connection->writable.next, struct exchange, writable);

        sw_list_remove(&exchange->writable);
        if (exchange->on_writable != NULL)
            exchange->on_writable(exchange->on_writable_ctx, &exchange->request);
    }
}

static void flush(void *ctx)
{
    struct connection *connection = ctx;

    connection->is_flush_due = false;
    if (!connection->is_closing && connection->protocol == PROTOCOL_H2)
        sw_h2_flush(connection);
    else if (!connection->is_closing && connection->protocol == PROTOCOL_H1)
        sw_h1_flush(connection);
    call_writables(connection);
    sw_connection_release(connection);
}

void sw_connection_wake(struct connection *connection)
{
    if (connection->is_flush_due || connection->is_closing)
        return;
    if (sw_loop_defer(connection->server->loop, flush, connection) != SW_OK) {
        sw_connection_close(connection);
        return;
    }
    connection->is_flush_due = true;
    connection->holds++;
}

/* ---- Bytes in ---- */

/* The protocol is known: by ALPN, or in clear text by the first bytes. */
static void choose(struct connection *connection, bool is_h2)
{
    if (!is_h2)
        sw_h1_open(connection);
    else if (sw_h2_open(connection) != SW_OK)
        sw_connection_close(connection);
}

static void input(struct connection *connection, const uint8_t *bytes, size_t size)
{
    if (connection->protocol == PROTOCOL_H2)
        sw_h2_input(connection, bytes, size);
    else
        sw_h1_input(connection, bytes, size);
}

/* Compare the first bytes with HTTP/2's preface; as long as they agree, more are needed. */
static void sniff(struct connection *connection, const uint8_t *bytes, size_t size)
{
    size_t known = connection->preface_size;
    bool is_h2;

    while (size > 0 && known < sizeof preface - 1 && *bytes == (uint8_t)preface[known]) {
        connection->preface[known++] = (char)*bytes++;
        size--;
    }
    connection->preface_size = known;
    if (size == 0 && known < sizeof preface - 1)
        return;
    is_h2 = known == sizeof preface - 1;
    choose(connection, is_h2);
    if (!connection->is_closing)
        input(connection, (const uint8_t *)connection->preface, known);
    if (!connection->is_closing && size > 0)
        input(connection, bytes, size);
}

void sw_connection_input(struct connection *connection, const uint8_t *bytes, size_t size)
{
    connection->server->view.bytes_in += size;
    if (connection->protocol == PROTOCOL_UNKNOWN)
        sniff(connection, bytes, size);
    else
        input(connection, bytes, size);
}

/* The handshake has just been done. */
static void opened(struct connection *connection)
{
    struct sw_http_peer *peer = &connection->peer;

    connection->is_open = true;
    connection->idle_ms = sw_loop_now_ms(connection->server->loop);
    if (connection->link.ssl == NULL)
        return;
    peer->is_known = sw_tls_peer(connection->link.ssl, &peer->identity, NULL) == SW_OK;
    choose(connection, sw_tls_is_h2(connection->link.ssl));
}

static void on_end(void *ctx, struct sw_stream *stream)
{
    struct connection *connection = ctx;

    (void)stream;
    connection->has_ended = true;
    /* HTTP/1.1 allows a client to close its side once it has asked; with HTTP/2 nothing could go
     * on, for it could no longer open its windows. */
    if (connection->protocol == PROTOCOL_H1 && connection->h1.state == H1_ANSWER)
        return;
    if (connection->protocol == PROTOCOL_H1 && connection->h1.state == H1_CLOSING)
        return;
    sw_connection_finish(connection);
}

static void on_data(void *ctx, struct sw_stream *stream, struct sw_bytes bytes)
{
    struct connection *connection = ctx;
    struct sw_http_server *server = connection->server;
    size_t size = 1;

    if (connection->is_closing)
        return;
    sw_link_feed(&connection->link, bytes);
    while (size > 0 && !connection->is_closing) {
        if (sw_link_read(&connection->link, server->clear, sizeof server->clear, &size, NULL) !=
            SW_OK) {
            server->view.handshakes_failed += connection->is_open ? 0 : 1;
            /* What OpenSSL has written, an alert, still goes out. */
            sw_connection_finish(connection);
            return;
        }
        if (connection->link.is_open && !connection->is_open)
            opened(connection);
        if (size > 0 && !connection->is_closing)
            sw_connection_input(connection, server->clear, size);
    }
    if (connection->is_closing)
        return;
    if (connection->link.has_ended)
        on_end(connection, stream);
    else if (!connection->is_paused && sw_stream_pending(stream) >= FLUSH_HIGH_BYTES) {
        connection->is_paused = true; /* It asks faster than it reads: back-pressure. */
        sw_stream_pause(stream);
    }
}

static void on_drain(void *ctx, struct sw_stream *stream)
{
    struct connection *connection = ctx;

    connection->progress_ms = sw_loop_now_ms(connection->server->loop);
    if (connection->is_closing)
        return;
    if (connection->is_paused &&
        (connection->protocol != PROTOCOL_H1 || connection->h1.held.size == 0)) {
        connection->is_paused = false;
        sw_stream_resume(stream);
    }
    if (!sw_list_is_empty(&connection->exchanges) || connection->protocol == PROTOCOL_H2)
        sw_connection_wake(connection);
}

static void on_close(void *ctx, struct sw_stream *stream, enum sw_rc rc)
{
    struct connection *connection = ctx;
    struct sw_http_server *server = connection->server;

    (void)stream;
    (void)rc;
    connection->stream = NULL;
    connection->link.stream = NULL;
    if (!connection->is_closing)
        drop_exchanges(connection);
    sw_link_done(&connection->link);
    sw_list_remove(&connection->node);
    server->view.connections--;
    sw_connection_release(connection);
}

static struct connection *connection_make(struct sw_http_server *server)
{
    struct connection *connection = calloc(1, sizeof *connection);

    if (connection == NULL)
        return NULL;
    connection->server = server;
    connection->opened_ms = sw_loop_now_ms(server->loop);
    connection->progress_ms = connection->opened_ms;
    connection->idle_ms = connection->opened_ms;
    connection->holds = 1; /* The stream's. */
    sw_list_init(&connection->exchanges);
    sw_list_init(&connection->writable);
    server->references++;
    return connection;
}

void sw_connection_new(struct sw_http_server *server, struct sw_stream *stream)
{
    struct sw_stream_handler handler = {
        .on_data = on_data, .on_end = on_end, .on_close = on_close, .on_drain = on_drain};
    struct connection *connection = NULL;

    if (server->view.connections < server->limits.connections_max && !server->is_draining)
        connection = connection_make(server);
    if (connection == NULL) {
        server->view.connections_refused++;
        sw_stream_close(stream);
        return;
    }
    handler.ctx = connection;
    connection->stream = stream;
    connection->link.stream = stream;
    sw_list_add(&server->connections, &connection->node);
    server->view.connections++;
    server->view.connections_total++;
    sw_stream_peer(stream, connection->peer.address, sizeof connection->peer.address);
    sw_stream_start(stream, &handler, server->limits.write_bytes_max);
    if (sw_link_init(&connection->link, server->link_method, server->tls, NULL,
                     server->system->utc_ns(server->system->ctx), NULL) != SW_OK)
        sw_connection_close(connection);
    else if (server->tls == NULL)
        opened(connection);
}

/* ---- Time ---- */

/* One request that takes too long to come, or whose response the client does not take. */
static void tick_exchange(struct exchange *exchange, uint64_t now_ms)
{
    struct connection *connection = exchange->connection;
    struct sw_http_server *server = connection->server;
    const struct sw_http_limits *limits = &server->limits;

    if (exchange->phase == EXCHANGE_BODY && !exchange->is_body_streamed && !exchange->is_ended &&
        now_ms - exchange->request.begun_ms > limits->body_timeout_ms) {
        server->view.timeouts++;
        sw_exchange_refuse(exchange, 408, "the body took too long");
        return;
    }
    if (exchange->phase == EXCHANGE_BODY && exchange->is_ended && exchange->request.is_http2 &&
        now_ms - exchange->request.begun_ms > 2 * limits->body_timeout_ms)
        sw_h2_abort(exchange, NGHTTP2_NO_ERROR); /* Answered, and the body still has no end. */
    if (connection->protocol == PROTOCOL_H2 && sw_http_pending(&exchange->request) > 0 &&
        now_ms - exchange->progress_ms > limits->stall_timeout_ms) {
        server->view.timeouts++;
        exchange->progress_ms = now_ms;
        sw_h2_abort(exchange, NGHTTP2_CANCEL);
    }
}

static bool is_head_overdue(const struct connection *connection, uint64_t now_ms)
{
    return connection->head_ms != 0 &&
           now_ms - connection->head_ms > connection->server->limits.header_timeout_ms;
}

/* The connection as a whole has used up its time, and nothing can be said about it. */
static bool is_overdue(struct connection *connection, uint64_t now_ms)
{
    const struct sw_http_limits *limits = &connection->server->limits;
    size_t pending = connection->stream == NULL ? 0 : sw_stream_pending(connection->stream);

    if (pending == 0 || pending < connection->pending_seen)
        connection->progress_ms = now_ms;
    connection->pending_seen = pending;
    if (!connection->is_open)
        return now_ms - connection->opened_ms > limits->handshake_timeout_ms;
    if (is_head_overdue(connection, now_ms) && connection->protocol != PROTOCOL_H1)
        return true;
    return now_ms - connection->progress_ms > limits->stall_timeout_ms;
}

static bool is_idle(const struct connection *connection, uint64_t now_ms)
{
    const struct sw_http_limits *limits = &connection->server->limits;
    /* Strangers get less patience: they may ask for health, and need no pools of connections. */
    uint64_t timeout_ms = connection->peer.is_known || connection->server->tls == NULL
                              ? limits->idle_timeout_ms
                              : limits->header_timeout_ms;

    return sw_list_is_empty(&connection->exchanges) && now_ms - connection->idle_ms > timeout_ms;
}

void sw_connection_tick(struct connection *connection, uint64_t now_ms)
{
    if (connection->is_closing)
        return;
    if (is_overdue(connection, now_ms)) {
        connection->server->view.timeouts++;
        sw_connection_close(connection);
        return;
    }
    connection->holds++;
    if (connection->is_open && is_head_overdue(connection, now_ms)) {
        connection->server->view.timeouts++;
        sw_h1_time_out(connection);
    }
    SW_LIST_EACH(&connection->exchanges, node)
    {
        tick_exchange(SW_LIST_ITEM(node, struct exchange, node), now_ms);
        if (connection->is_closing)
            break;
    }
    if (!connection->is_closing && is_idle(connection, now_ms)) {
        if (connection->protocol == PROTOCOL_H2)
            sw_h2_drain(connection);
        sw_connection_finish(connection);
    }
    sw_connection_release(connection);
}
