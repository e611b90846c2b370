#include "pkg/communication/protocol/connection.h"

#include "pkg/communication/protocol/h1_head.h"

#include <stdio.h>
#include <string.h>

#define HELD_BYTES_MAX 131072u /* Pipelined bytes that wait for an answer, */
#define HELD_BYTES_HIGH 65536u /* above which reading stops. */
#define HEAD_SLACK_BYTES 4096u /* A request line beside the headers. */

/* A head is gathered and checked whole (h1_head.h); then the parser names its parts. Bodies go
 * through the parser as they come. One request at a time: what follows waits in `held`. */

static struct connection *connection_of(http_parser *parser)
{
    return parser->data;
}

/* ---- What the parser tells us; its callbacks return 0 to go on ---- */

static int on_url(http_parser *parser, const char *bytes, size_t size)
{
    struct exchange *exchange = connection_of(parser)->h1.exchange;
    struct sw_bytes target = {.data = bytes, .size = size};
    struct http_parser_url url;

    if (size > 0 && bytes[0] != '/') { /* "https://host/path", as to a proxy (RFC 9112, 3.2.2). */
        http_parser_url_init(&url);
        if (http_parser_parse_url(bytes, size, 0, &url) != 0 ||
            (url.field_set & (1u << UF_PATH)) == 0) {
            exchange->refuse_status = 400;
            return 0;
        }
        target.data = bytes + url.field_data[UF_PATH].off;
        target.size = size - url.field_data[UF_PATH].off;
    }
    if (!sw_exchange_set_target(exchange, target))
        exchange->refuse_status = 400;
    return 0;
}

static int on_field(http_parser *parser, const char *bytes, size_t size)
{
    struct h1 *h1 = &connection_of(parser)->h1;
    struct exchange *exchange = h1->exchange;
    char name[128];

    h1->has_value = false;
    if (exchange->phase != EXCHANGE_HEAD) /* Trailers, which nothing here wants. */
        return 0;
    if (size > sizeof name) {
        exchange->refuse_status = 431;
        return 0;
    }
    for (size_t i = 0; i < size; i++)
        name[i] = (char)(bytes[i] >= 'A' && bytes[i] <= 'Z' ? bytes[i] - 'A' + 'a' : bytes[i]);
    sw_exchange_add_header(exchange, (struct sw_bytes){.data = name, .size = size},
                           (struct sw_bytes){.data = "", .size = 0});
    return 0;
}

/* The whole head is one piece, so each header has exactly one value. */
static int on_value(http_parser *parser, const char *bytes, size_t size)
{
    struct h1 *h1 = &connection_of(parser)->h1;
    struct exchange *exchange = h1->exchange;
    struct sw_http_request *request = &exchange->request;
    struct sw_http_header *header;
    const char *value;

    if (exchange->phase != EXCHANGE_HEAD || exchange->refuse_status != 0 || h1->has_value)
        return 0;
    h1->has_value = true;
    while (size > 0 && (bytes[size - 1] == ' ' || bytes[size - 1] == '\t'))
        size--;
    header = &request->headers[request->headers_count - 1];
    value = sw_arena_copy(request->arena, bytes, size);
    exchange->header_bytes += size;
    if (value == NULL)
        exchange->refuse_status = 431;
    else
        header->value = (struct sw_bytes){.data = value, .size = size};
    return 0;
}

static void send_continue(struct connection *connection)
{
    static const char text[] = "HTTP/1.1 100 Continue\r\n\r\n";

    sw_connection_send(connection, text, sizeof text - 1);
}

static int on_head(http_parser *parser)
{
    struct connection *connection = connection_of(parser);
    struct exchange *exchange = connection->h1.exchange;
    struct sw_bytes expect = sw_http_header_find(&exchange->request, "expect");

    parser->upgrade = 0; /* Nothing else is spoken here: the request stays an HTTP/1.1 one. */
    exchange->request.method =
        sw_http_method_of(sw_bytes_of_text(http_method_str((enum http_method)parser->method)));
    if ((parser->flags & F_CONTENTLENGTH) != 0)
        exchange->content_length = parser->content_length;
    connection->h1.expects_body =
        (parser->flags & F_CHUNKED) != 0 ||
        (exchange->content_length != UINT64_MAX && exchange->content_length > 0);
    connection->h1.is_keep_alive = http_should_keep_alive(parser) != 0 && parser->http_minor == 1;
    sw_exchange_begin(exchange);
    if (connection->is_closing)
        return -1;
    if (!exchange->is_ended && expect.size == 12 && parser->http_minor == 1 &&
        connection->h1.expects_body)
        send_continue(connection);
    return connection->is_closing ? -1 : 0;
}

static int on_body(http_parser *parser, const char *bytes, size_t size)
{
    struct connection *connection = connection_of(parser);

    sw_exchange_take_body(connection->h1.exchange, (struct sw_bytes){.data = bytes, .size = size});
    return connection->is_closing ? -1 : 0;
}

static int on_message(http_parser *parser)
{
    http_parser_pause(parser, 1); /* The rest belongs to the next request. */
    return 0;
}

static const http_parser_settings callbacks = {.on_url = on_url,
                                               .on_header_field = on_field,
                                               .on_header_value = on_value,
                                               .on_headers_complete = on_head,
                                               .on_body = on_body,
                                               .on_message_complete = on_message};

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

    connection->server->view.protocol_errors++;
    h1->is_keep_alive = false;
    if (h1->exchange == NULL)
        h1->exchange = sw_exchange_new(connection);
    if (h1->exchange == NULL) {
        sw_connection_close(connection);
        return;
    }
    h1->state = H1_CLOSING;
    sw_exchange_refuse(h1->exchange, status, words);
}

/* Let the parser have bytes; *ret_taken is less than size when the request ended in them. */
static void parse(struct connection *connection, const uint8_t *bytes, size_t size,
                  size_t *ret_taken)
{
    struct h1 *h1 = &connection->h1;

    *ret_taken = http_parser_execute(&h1->parser, &callbacks, (const char *)bytes, size);
    if (connection->is_closing)
        return;
    if (HTTP_PARSER_ERRNO(&h1->parser) == HPE_PAUSED) {
        http_parser_pause(&h1->parser, 0);
        if (h1->state == H1_CLOSING)
            return;
        h1->state = h1->exchange->is_ended && !h1->is_keep_alive ? H1_CLOSING : H1_ANSWER;
        sw_exchange_complete(h1->exchange);
    } else if (HTTP_PARSER_ERRNO(&h1->parser) != HPE_OK) {
        refuse(connection, 400, "the request is malformed");
    } else if (h1->exchange->is_ended && h1->state != H1_ANSWER) {
        h1->state = H1_CLOSING; /* Answered before its body came: the connection ends with it. */
    }
}

static void begin_request(struct connection *connection)
{
    struct h1 *h1 = &connection->h1;
    struct sw_bytes head = {.data = h1->head.data, .size = h1->head.size};
    const char *fault = sw_h1_head_check(head);
    size_t taken;

    if (fault != NULL) {
        refuse(connection, 400, fault);
        return;
    }
    h1->exchange = sw_exchange_new(connection);
    if (h1->exchange == NULL) {
        sw_connection_close(connection);
        return;
    }
    http_parser_init(&h1->parser, HTTP_REQUEST);
    h1->parser.data = connection;
    h1->state = H1_BODY;
    h1->head_ms = 0;
    connection->head_ms = 0;
    parse(connection, head.data, head.size, &taken);
    sw_buffer_reset(&h1->head);
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
            parse(connection, bytes, size, &taken);
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
    exchange->is_chunked = !exchange->is_ended && h1->parser.http_minor == 1;
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
