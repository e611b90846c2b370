#include "pkg/communication/protocol/connection.h"

#include "pkg/communication/protocol/h1_head.h"

#include <stdio.h>
#include <string.h>

#define HELD_BYTES_MAX 131072u /* Pipelined bytes that wait for an answer, */
#define HELD_BYTES_HIGH 65536u /* above which reading stops. */
#define HEADER_NAME_MAX 128u
#define HEAD_SLACK_BYTES 4096u /* A request line beside the headers. */

/* A head is gathered and read whole (h1_head.h); the body goes on as it comes. One request at a
 * time: what follows waits in `held`. */

/* ---- Bytes in ---- */

void sw_h1_open(struct connection *connection)
{
    struct h1 *h1 = &connection->h1;
    const struct sw_http_limits *limits = &connection->server->limits;

    connection->protocol = PROTOCOL_H1;
    sw_buffer_init(&h1->head, limits->header_bytes_max + HEAD_SLACK_BYTES);
    sw_buffer_init(&h1->held, HELD_BYTES_MAX);
}

void sw_h1_done(struct connection *connection)
{
    sw_buffer_done(&connection->h1.head);
    sw_buffer_done(&connection->h1.held);
}

/* Answer what is not a request and close. */
static void refuse(struct connection *connection, int status, const char *words)
{
    struct h1 *h1 = &connection->h1;

    if (status != 408)
        connection->server->view.protocol_errors++;
    h1->is_keep_alive = false;
    connection->head_ms = 0;
    if (h1->exchange == NULL)
        h1->exchange = sw_exchange_new(connection);
    if (h1->exchange == NULL) {
        sw_connection_close(connection);
        return;
    }
    h1->state = H1_CLOSING;
    sw_exchange_refuse(h1->exchange, status, words);
}

void sw_h1_time_out(struct connection *connection)
{
    refuse(connection, 408, "the headers took too long");
}

static void on_header(void *ctx, struct sw_bytes name, struct sw_bytes value)
{
    struct exchange *exchange = ctx;
    const char *data = name.data;
    char lower[HEADER_NAME_MAX];

    if (name.size > sizeof lower) {
        exchange->refuse_status = 431;
        return;
    }
    for (size_t i = 0; i < name.size; i++)
        lower[i] = (char)(data[i] >= 'A' && data[i] <= 'Z' ? data[i] - 'A' + 'a' : data[i]);
    sw_exchange_add_header(exchange, (struct sw_bytes){.data = lower, .size = name.size}, value);
}

/* The request has ended: the next one waits until this one is answered. */
static void complete(struct connection *connection)
{
    struct h1 *h1 = &connection->h1;

    h1->state = h1->exchange->is_ended && !h1->is_keep_alive ? H1_CLOSING : H1_ANSWER;
    sw_exchange_complete(h1->exchange);
}

static void begin_body(struct connection *connection, bool expects_continue)
{
    static const char text[] = "HTTP/1.1 100 Continue\r\n\r\n";
    struct h1 *h1 = &connection->h1;
    struct exchange *exchange = h1->exchange;

    h1->state = H1_BODY;
    sw_exchange_begin(exchange);
    if (connection->is_closing)
        return;
    if (!h1->expects_body)
        complete(connection);
    else if (exchange->is_ended)
        h1->state = H1_CLOSING; /* Answered before its body came: the connection ends with it. */
    else if (expects_continue)
        sw_connection_send(connection, text, sizeof text - 1);
}

static void begin_request(struct connection *connection)
{
    struct h1 *h1 = &connection->h1;
    struct sw_bytes bytes = {.data = h1->head.data, .size = h1->head.size};
    struct h1_head head;
    const char *fault;

    h1->head_ms = 0;
    connection->head_ms = 0;
    h1->exchange = sw_exchange_new(connection);
    if (h1->exchange == NULL) {
        sw_connection_close(connection);
        return;
    }
    fault = sw_h1_head_parse(bytes, on_header, h1->exchange, &head);
    if (fault == NULL && !sw_exchange_set_target(h1->exchange, head.target))
        fault = "the target is not a path";
    if (fault != NULL) {
        refuse(connection, 400, fault);
    } else {
        h1->exchange->request.method = sw_http_method_of(head.method);
        if (head.has_length)
            h1->exchange->content_length = head.length;
        h1->is_10 = head.is_10;
        h1->is_keep_alive = head.is_keep_alive && h1->exchange->refuse_status == 0;
        h1->is_chunked = head.is_chunked;
        h1->chunks = (struct h1_chunks){0};
        h1->left = head.length;
        h1->expects_body = head.is_chunked || head.length > 0;
        begin_body(connection, head.expects_continue);
    }
    sw_buffer_reset(&h1->head);
}

/* Take bytes of a body; returns how many. */
static size_t take_body(struct connection *connection, const uint8_t *bytes, size_t size)
{
    struct h1 *h1 = &connection->h1;
    struct h1_piece piece = {.bytes = {.data = bytes, .size = size}};
    size_t taken;

    if (h1->is_chunked) {
        taken = sw_h1_chunks_take(&h1->chunks, piece.bytes, &piece);
    } else {
        taken = size < h1->left ? size : (size_t)h1->left;
        piece.bytes.size = taken;
        h1->left -= taken;
        piece.is_last = h1->left == 0;
    }
    if (piece.is_bad) {
        refuse(connection, 400, "the body is not made of chunks");
        return taken;
    }
    if (piece.bytes.size > 0)
        sw_exchange_take_body(h1->exchange, piece.bytes);
    if (connection->is_closing)
        return taken;
    if (piece.is_last)
        complete(connection);
    else if (h1->exchange->is_ended)
        h1->state = H1_CLOSING;
    return taken;
}

/* Gather a head; returns how much of the bytes belongs to it. */
static size_t take_head(struct connection *connection, const uint8_t *bytes, size_t size)
{
    struct h1 *h1 = &connection->h1;
    size_t before = h1->head.size, room = h1->head.size_max - before, end;
    size_t taken = size < room ? size : room;
    bool is_bad;

    if (before == 0 && (bytes[0] == '\r' || bytes[0] == '\n'))
        return 1; /* An empty line before a request (RFC 9112, 2.2). */
    if (before == 0)
        connection->head_ms = sw_loop_now_ms(connection->server->loop);
    sw_buffer_put(&h1->head, bytes, taken);
    if (h1->head.failed) {
        sw_connection_close(connection);
        return size;
    }
    end = sw_h1_head_end((struct sw_bytes){.data = h1->head.data, .size = h1->head.size}, before,
                         &is_bad);
    if (is_bad) {
        refuse(connection, 400, "a line does not end in CR and LF");
    } else if (end > 0) {
        h1->head.size = end;
        begin_request(connection);
        return end - before;
    } else if (h1->head.size == h1->head.size_max) {
        refuse(connection, 431, "the headers are too large");
    }
    return taken;
}

static void hold_back(struct connection *connection, const uint8_t *bytes, size_t size)
{
    struct h1 *h1 = &connection->h1;

    sw_buffer_put(&h1->held, bytes, size);
    if (h1->held.failed) {
        sw_connection_close(connection);
        return;
    }
    if (h1->held.size >= HELD_BYTES_HIGH && connection->stream != NULL) {
        connection->is_paused = true;
        sw_stream_pause(connection->stream);
    }
}

void sw_h1_input(struct connection *connection, const uint8_t *bytes, size_t size)
{
    struct h1 *h1 = &connection->h1;

    while (size > 0 && !connection->is_closing) {
        size_t taken = size;

        if (h1->state == H1_CLOSING)
            return;
        if (h1->state == H1_ANSWER) {
            hold_back(connection, bytes, size);
            return;
        }
        if (h1->state == H1_HEAD)
            taken = take_head(connection, bytes, size);
        else
            taken = take_body(connection, bytes, size);
        bytes += taken;
        size -= taken;
    }
}

/* ---- Bytes out ---- */

/* The response has gone out: close, or go on with what was held back. */
static void end_request(struct connection *connection)
{
    struct h1 *h1 = &connection->h1;
    struct exchange *exchange = h1->exchange;
    struct sw_buffer held = h1->held;
    bool is_last = h1->state != H1_ANSWER || !h1->is_keep_alive || connection->is_draining;

    h1->exchange = NULL;
    sw_exchange_leave_wire(exchange);
    if (is_last) {
        sw_connection_finish(connection);
        return;
    }
    h1->state = H1_HEAD;
    sw_buffer_init(&h1->held, HELD_BYTES_MAX);
    if (held.size > 0)
        sw_h1_input(connection, held.data, held.size);
    sw_buffer_done(&held);
    if (connection->is_paused && !connection->is_closing && h1->held.size < HELD_BYTES_HIGH) {
        connection->is_paused = false;
        sw_stream_resume(connection->stream);
    }
    if (connection->has_ended && h1->exchange == NULL && !connection->is_closing)
        sw_connection_finish(connection);
}

void sw_h1_flush(struct connection *connection)
{
    struct exchange *exchange = connection->h1.exchange;

    while (exchange != NULL && !connection->is_closing) {
        struct sw_bytes out = sw_exchange_out(exchange);
        size_t size = out.size < LINK_RECORD_BYTES ? out.size : LINK_RECORD_BYTES;

        if (out.size == 0)
            break;
        if (connection->stream != NULL && sw_stream_pending(connection->stream) >= FLUSH_HIGH_BYTES)
            return;
        sw_connection_send(connection, out.data, size);
        if (!connection->is_closing)
            sw_exchange_taken(exchange, size);
    }
    if (!connection->is_closing && exchange != NULL && exchange->is_ended) {
        end_request(connection);
        if (!connection->is_closing && connection->h1.exchange != NULL)
            sw_connection_wake(connection); /* A pipelined request may be answered already. */
    }
}

static void put_header(struct sw_buffer *out, struct sw_bytes name, struct sw_bytes value)
{
    sw_buffer_put(out, name.data, name.size);
    sw_buffer_put(out, ": ", 2);
    sw_buffer_put(out, value.data, value.size);
    sw_buffer_put(out, "\r\n", 2);
}

void sw_h1_start(struct exchange *exchange, int status, const struct sw_http_header *headers,
                 size_t headers_count)
{
    struct connection *connection = exchange->connection;
    struct sw_buffer *out = &exchange->out;
    struct h1 *h1 = &connection->h1;

    if (exchange->phase != EXCHANGE_WHOLE && h1->expects_body && !exchange->is_body_streamed)
        h1->is_keep_alive = false; /* The rest of the body will not be read. */
    exchange->is_chunked = !exchange->is_ended && !h1->is_10;
    if (!exchange->is_ended && !exchange->is_chunked)
        h1->is_keep_alive = false; /* HTTP/1.0: the end of the connection ends the body. */
    sw_buffer_print(out, "HTTP/1.1 %d %s\r\ndate: %s\r\n", status, sw_http_status_text(status),
                    sw_http_server_date(connection->server));
    for (size_t i = 0; i < headers_count; i++)
        put_header(out, headers[i].name, headers[i].value);
    if (exchange->is_ended && status != 204 && status != 304)
        sw_buffer_print(out, "content-length: %llu\r\n",
                        (unsigned long long)exchange->content_length);
    if (exchange->is_chunked)
        sw_buffer_put_text(out, "transfer-encoding: chunked\r\n");
    if (!h1->is_keep_alive || connection->is_draining)
        sw_buffer_put_text(out, "connection: close\r\n");
    sw_buffer_put(out, "\r\n", 2);
}

void sw_h1_put(struct exchange *exchange, const void *bytes, size_t size)
{
    struct sw_buffer *out = &exchange->out;

    if (exchange->is_chunked)
        sw_buffer_print(out, "%zx\r\n", size);
    sw_buffer_put(out, bytes, size);
    if (exchange->is_chunked)
        sw_buffer_put(out, "\r\n", 2);
}

void sw_h1_put_end(struct exchange *exchange)
{
    struct sw_buffer *out = &exchange->out;

    if (!exchange->is_chunked || exchange->is_headless)
        return;
    sw_buffer_put_text(out, "0\r\n");
    for (size_t i = 0; i < exchange->trailers_count; i++)
        put_header(out, exchange->trailers[i].name, exchange->trailers[i].value);
    sw_buffer_put(out, "\r\n", 2);
}
