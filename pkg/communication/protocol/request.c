#include "pkg/communication/protocol/http.h"

#include "pkg/communication/protocol/connection.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RESPONSE_BYTES_MAX 268435456u /* One whole response; far above any page of a list. */

static struct exchange *exchange_of(struct sw_http_request *request)
{
    return (struct exchange *)(void *)request;
}

/* ---- Life ---- */

static void account(struct exchange *exchange)
{
    size_t held = exchange->body.capacity + exchange->out.capacity;

    exchange->server->view.held_bytes += held;
    exchange->server->view.held_bytes -= exchange->held_bytes;
    exchange->held_bytes = held;
}

static struct exchange *exchange_make(struct sw_http_server *server)
{
    struct exchange *exchange = calloc(1, sizeof *exchange);

    if (exchange == NULL)
        return NULL;
    exchange->request.arena = sw_arena_new(EXCHANGE_ARENA_BYTES_MAX);
    exchange->request.headers = calloc(server->limits.headers_max, sizeof(struct sw_http_header));
    if (exchange->request.arena == NULL || exchange->request.headers == NULL) {
        sw_arena_free(exchange->request.arena);
        free(exchange->request.headers);
        free(exchange);
        return NULL;
    }
    return exchange;
}

struct exchange *sw_exchange_new(struct connection *connection)
{
    struct sw_http_server *server = connection->server;
    struct sw_list *spare = sw_list_first(&server->spares);
    struct exchange *exchange;

    if (spare != NULL) {
        sw_list_remove(spare);
        server->spares_count--;
        exchange = SW_LIST_ITEM(spare, struct exchange, node);
    } else {
        exchange = exchange_make(server);
        if (exchange == NULL)
            return NULL;
    }
    exchange->server = server;
    exchange->connection = connection;
    exchange->owner = connection;
    exchange->is_on_wire = true;
    exchange->body_max = server->limits.body_bytes_max;
    exchange->content_length = UINT64_MAX;
    exchange->progress_ms = sw_loop_now_ms(server->loop);
    exchange->request.begun_ms = exchange->progress_ms;
    exchange->request.peer = &connection->peer;
    exchange->request.is_http2 = connection->protocol == PROTOCOL_H2;
    exchange->body.size_max = SIZE_MAX;
    exchange->out.size_max = RESPONSE_BYTES_MAX;
    sw_list_add(&connection->exchanges, &exchange->node);
    sw_list_init(&exchange->writable);
    connection->exchanges_count++;
    connection->owned_count++;
    connection->holds++;
    server->references++;
    server->view.requests++;
    server->view.requests_total++;
    account(exchange);
    return exchange;
}

void sw_exchange_free(struct exchange *exchange)
{
    sw_buffer_done(&exchange->body);
    sw_buffer_done(&exchange->out);
    sw_arena_free(exchange->request.arena);
    free(exchange->request.headers);
    free(exchange);
}

/* Make it as new but keep its memory. */
static void exchange_clear(struct exchange *exchange)
{
    struct sw_buffer body = exchange->body, out = exchange->out;
    struct sw_arena *arena = exchange->request.arena;
    struct sw_http_header *headers = exchange->request.headers;

    if (body.capacity > EXCHANGE_KEPT_BYTES)
        sw_buffer_done(&body);
    if (out.capacity > EXCHANGE_KEPT_BYTES)
        sw_buffer_done(&out);
    sw_buffer_reset(&body);
    sw_buffer_reset(&out);
    sw_arena_reset(arena);
    (void)memset(exchange, 0, sizeof *exchange);
    exchange->body = body;
    exchange->out = out;
    exchange->request.arena = arena;
    exchange->request.headers = headers;
}

/* Free it, or keep it as a spare, once neither side holds it. */
static void exchange_settle(struct exchange *exchange)
{
    struct sw_http_server *server = exchange->server;
    struct connection *owner = exchange->owner;
    bool is_large = sw_arena_used(exchange->request.arena) > 4 * EXCHANGE_KEPT_BYTES;

    if (exchange->is_on_wire || exchange->is_with_handler || exchange->holds > 0)
        return;
    server->view.held_bytes -= exchange->held_bytes;
    server->view.requests--;
    if (exchange->is_secret && exchange->body.data != NULL)
        explicit_bzero(exchange->body.data, exchange->body.capacity);
    if (server->is_freed || is_large || server->spares_count >= EXCHANGES_SPARE_MAX) {
        sw_exchange_free(exchange);
    } else {
        exchange_clear(exchange);
        sw_list_add(&server->spares, &exchange->node);
        server->spares_count++;
    }
    owner->owned_count--;
    sw_connection_release(owner);
    sw_http_server_unref(server);
}

/* Keep it while a function still looks at it, whatever the calls inside do. */
static void hold(struct exchange *exchange)
{
    exchange->holds++;
}

static void release(struct exchange *exchange)
{
    exchange->holds--;
    exchange_settle(exchange);
}

/* The handler lets go of it. */
static void leave_handler(struct exchange *exchange)
{
    exchange->is_with_handler = false;
    exchange->on_cancel = NULL;
    exchange->on_writable = NULL;
    exchange->on_body = NULL;
    exchange_settle(exchange);
}

void sw_exchange_leave_wire(struct exchange *exchange)
{
    struct connection *connection = exchange->connection;
    void (*on_cancel)(void *ctx, struct sw_http_request *request) = exchange->on_cancel;

    if (!exchange->is_on_wire)
        return;
    /* It stays "on the wire" during the callback, so that ending it there does not free it yet. */
    if (exchange->is_with_handler && !exchange->is_ended) {
        exchange->request.is_cancelled = true;
        exchange->on_cancel = NULL;
        if (on_cancel != NULL)
            on_cancel(exchange->on_cancel_ctx, &exchange->request);
    }
    sw_list_remove(&exchange->node);
    sw_list_remove(&exchange->writable);
    connection->exchanges_count--;
    if (connection->exchanges_count == 0)
        connection->idle_ms = sw_loop_now_ms(connection->server->loop);
    exchange->connection = NULL;
    exchange->is_on_wire = false;
    exchange_settle(exchange);
}

/* ---- The request coming in ---- */

static char *copy(struct exchange *exchange, struct sw_bytes bytes)
{
    return sw_arena_copy(exchange->request.arena, bytes.data, bytes.size);
}

void sw_exchange_add_header(struct exchange *exchange, struct sw_bytes name, struct sw_bytes value)
{
    const struct sw_http_limits *limits = &exchange->server->limits;
    struct sw_http_request *request = &exchange->request;
    struct sw_http_header *header = &request->headers[request->headers_count];

    exchange->header_bytes += name.size + value.size + 32; /* As HPACK counts them. */
    if (exchange->header_bytes > limits->header_bytes_max ||
        request->headers_count >= limits->headers_max) {
        exchange->refuse_status = 431;
        return;
    }
    header->name = (struct sw_bytes){.data = copy(exchange, name), .size = name.size};
    header->value = (struct sw_bytes){.data = copy(exchange, value), .size = value.size};
    if (header->name.data == NULL || header->value.data == NULL)
        exchange->refuse_status = 431;
    else
        request->headers_count++;
}

bool sw_exchange_set_target(struct exchange *exchange, struct sw_bytes target)
{
    const char *text = copy(exchange, target);
    const char *question;

    exchange->header_bytes += target.size + 32;
    if (text == NULL || target.size == 0 || text[0] != '/')
        return false;
    question = memchr(text, '?', target.size);
    exchange->request.path = (struct sw_bytes){.data = text, .size = target.size};
    exchange->request.query = (struct sw_bytes){.data = text + target.size, .size = 0};
    if (question != NULL) {
        exchange->request.path.size = (size_t)(question - text);
        exchange->request.query = (struct sw_bytes){
            .data = question + 1, .size = target.size - (size_t)(question - text) - 1};
    }
    return true;
}

static void refuse_large(struct exchange *exchange)
{
    char words[80];

    (void)snprintf(words, sizeof words, "the body is larger than %zu bytes, the most allowed here",
                   exchange->body_max);
    sw_exchange_refuse(exchange, 413, words);
}

void sw_exchange_begin(struct exchange *exchange)
{
    struct sw_http_server *server = exchange->server;
    const struct sw_http_handler *handler = &server->handler;

    exchange->phase = EXCHANGE_BODY;
    exchange->request.begun_ms = sw_loop_now_ms(server->loop);
    if (exchange->refuse_status == 431 ||
        exchange->header_bytes > server->limits.header_bytes_max) {
        sw_exchange_refuse(exchange, 431, "the headers are too large or too many");
        return;
    }
    if (exchange->refuse_status != 0) {
        sw_exchange_refuse(exchange, exchange->refuse_status, "not a request that can be answered");
        return;
    }
    hold(exchange);
    if (handler->begin != NULL) {
        exchange->is_with_handler = true;
        handler->begin(handler->ctx, &exchange->request);
        if (!exchange->is_ended)
            exchange->is_with_handler = exchange->is_started || exchange->is_body_streamed;
    }
    if (exchange->content_length != UINT64_MAX && exchange->content_length > exchange->body_max &&
        !exchange->is_body_streamed)
        refuse_large(exchange);
    release(exchange);
}

static void pass_body(struct exchange *exchange, struct sw_bytes bytes, bool is_last)
{
    if (exchange->on_body != NULL && exchange->is_with_handler)
        exchange->on_body(exchange->on_body_ctx, &exchange->request, bytes, is_last);
}

/* The request was answered early. Many clients look at the answer only once their whole body is
 * sent, and take a reset for a failure; so the rest is read and dropped, up to a limit. */
static void drop_body(struct exchange *exchange, size_t size)
{
    exchange->dropped_bytes += size;
    if (exchange->dropped_bytes > EXCHANGE_DROPPED_BYTES_MAX && exchange->request.is_http2)
        sw_h2_abort(exchange, NGHTTP2_NO_ERROR);
}

void sw_exchange_take_body(struct exchange *exchange, struct sw_bytes bytes)
{
    struct sw_http_server *server = exchange->server;

    exchange->progress_ms = sw_loop_now_ms(server->loop);
    if (exchange->is_body_streamed) {
        pass_body(exchange, bytes, false);
        return;
    }
    if (exchange->is_ended) {
        drop_body(exchange, bytes.size);
        return;
    }
    if (bytes.size > exchange->body_max || exchange->body.size > exchange->body_max - bytes.size) {
        refuse_large(exchange);
        return;
    }
    sw_buffer_put(&exchange->body, bytes.data, bytes.size);
    account(exchange);
    if (exchange->body.failed || server->view.held_bytes > server->limits.bodies_bytes_max)
        sw_exchange_refuse(exchange, 503, "too much is being received at the moment");
}

void sw_exchange_complete(struct exchange *exchange)
{
    const struct sw_http_handler *handler = &exchange->server->handler;

    exchange->phase = EXCHANGE_WHOLE;
    if (exchange->is_body_streamed) {
        pass_body(exchange, (struct sw_bytes){0}, true);
        return;
    }
    if (exchange->is_ended || exchange->is_started)
        return;
    if (exchange->content_length != UINT64_MAX && exchange->content_length != exchange->body.size) {
        sw_exchange_refuse(exchange, 400, "the body is not as long as Content-Length says");
        return;
    }
    exchange->request.body =
        (struct sw_bytes){.data = exchange->body.data, .size = exchange->body.size};
    exchange->is_with_handler = true;
    handler->handle(handler->ctx, &exchange->request);
}

/* ---- The response going out ---- */

static bool is_live(const struct exchange *exchange)
{
    return exchange->connection != NULL && !exchange->request.is_cancelled;
}

static void wire_start(struct exchange *exchange, int status, const struct sw_http_header *headers,
                       size_t headers_count)
{
    assert(headers_count <= RESPONSE_HEADERS_MAX);
    exchange->is_started = true;
    exchange->is_headless = exchange->request.method == SW_HTTP_HEAD;
    exchange->progress_ms = sw_loop_now_ms(exchange->server->loop);
    if (!is_live(exchange))
        return;
    if (exchange->connection->protocol == PROTOCOL_H2)
        sw_h2_start(exchange, status, headers, headers_count);
    else
        sw_h1_start(exchange, status, headers, headers_count);
    if (is_live(exchange))
        sw_connection_wake(exchange->connection);
}

static void wire_wake(struct exchange *exchange)
{
    if (!is_live(exchange))
        return;
    if (exchange->connection->protocol == PROTOCOL_H2)
        sw_h2_wake(exchange);
    if (is_live(exchange))
        sw_connection_wake(exchange->connection);
}

/* Give a whole response to the wire. */
static void respond(struct exchange *exchange, int status, const struct sw_http_header *headers,
                    size_t headers_count, struct sw_bytes body)
{
    assert(!exchange->is_started);
    exchange->is_ended = true;
    exchange->content_length = body.size; /* Of the response from here on. */
    /* HTTP/2 wants the body in place before the headers; HTTP/1.1 writes its head before it. */
    if (exchange->request.is_http2 && exchange->request.method != SW_HTTP_HEAD)
        sw_buffer_put(&exchange->out, body.data, body.size);
    wire_start(exchange, status, headers, headers_count);
    if (!exchange->request.is_http2 && exchange->request.method != SW_HTTP_HEAD)
        sw_buffer_put(&exchange->out, body.data, body.size);
    account(exchange);
    if (exchange->out.failed && is_live(exchange))
        sw_connection_close(exchange->connection); /* No memory: it cannot be told otherwise. */
}

void sw_http_respond(struct sw_http_request *request, int status,
                     const struct sw_http_header *headers, size_t headers_count,
                     struct sw_bytes body)
{
    struct exchange *exchange = exchange_of(request);

    assert(exchange->is_with_handler);
    if (is_live(exchange))
        respond(exchange, status, headers, headers_count, body);
    exchange->is_ended = true;
    leave_handler(exchange);
}

void sw_http_respond_text(struct sw_http_request *request, int status, const char *content_type,
                          struct sw_bytes body)
{
    struct sw_http_header header = SW_HTTP_HEADER("content-type", content_type);

    sw_http_respond(request, status, &header, 1, body);
}

void sw_http_start(struct sw_http_request *request, int status,
                   const struct sw_http_header *headers, size_t headers_count)
{
    struct exchange *exchange = exchange_of(request);

    assert(exchange->is_with_handler);
    assert(!exchange->is_started);
    wire_start(exchange, status, headers, headers_count);
}

enum sw_rc sw_http_write(struct sw_http_request *request, const void *bytes, size_t size_bytes)
{
    return sw_http_write_all(request, &(struct sw_bytes){.data = bytes, .size = size_bytes}, 1);
}

static void queue(struct exchange *exchange, struct sw_bytes piece)
{
    if (exchange->request.is_http2)
        sw_buffer_put(&exchange->out, piece.data, piece.size);
    else
        sw_h1_put(exchange, piece.data, piece.size);
}

enum sw_rc sw_http_write_all(struct sw_http_request *request, const struct sw_bytes *pieces,
                             size_t count)
{
    struct exchange *exchange = exchange_of(request);
    const struct sw_http_server *server = exchange->server;
    size_t pending = sw_http_pending(request), size_bytes = 0;

    assert(exchange->is_started);
    for (size_t i = 0; i < count; i++)
        size_bytes += pieces[i].size;
    if (!is_live(exchange))
        return SW_E_CANCELLED;
    if (size_bytes > server->limits.respond_bytes_max ||
        pending > server->limits.respond_bytes_max - size_bytes)
        return SW_E_EXHAUSTED;
    if (pending > 0 && server->view.held_bytes > server->limits.bodies_bytes_max)
        return SW_E_EXHAUSTED;
    if (size_bytes == 0 || exchange->is_headless)
        return SW_OK;
    if (exchange->out_at > 0 && exchange->out_at >= exchange->out.size / 2) {
        sw_buffer_consume(&exchange->out, exchange->out_at);
        exchange->out_at = 0;
    }
    if (pending == 0)
        exchange->progress_ms = sw_loop_now_ms(server->loop);
    for (size_t i = 0; i < count; i++)
        if (pieces[i].size > 0)
            queue(exchange, pieces[i]);
    account(exchange);
    if (exchange->out.failed) {
        sw_connection_close(exchange->connection);
        return SW_E_CANCELLED;
    }
    wire_wake(exchange);
    return SW_OK;
}

size_t sw_http_pending(const struct sw_http_request *request)
{
    const struct exchange *exchange = (const struct exchange *)(const void *)request;

    return exchange->out.size - exchange->out_at;
}

void sw_http_end(struct sw_http_request *request, const struct sw_http_header *trailers,
                 size_t trailers_count)
{
    struct exchange *exchange = exchange_of(request);
    struct sw_http_header *copies;

    assert(exchange->is_with_handler);
    assert(exchange->is_started);
    exchange->is_ended = true;
    copies = sw_arena_array(request->arena, trailers_count, sizeof *copies);
    for (size_t i = 0; copies != NULL && i < trailers_count; i++) {
        copies[i].name =
            (struct sw_bytes){.data = copy(exchange, trailers[i].name), trailers[i].name.size};
        copies[i].value =
            (struct sw_bytes){.data = copy(exchange, trailers[i].value), trailers[i].value.size};
        if (copies[i].name.data == NULL || copies[i].value.data == NULL)
            copies = NULL;
    }
    exchange->trailers = copies;
    exchange->trailers_count = copies == NULL ? 0 : trailers_count;
    if (is_live(exchange) && !request->is_http2)
        sw_h1_put_end(exchange);
    if (copies == NULL && is_live(exchange))
        sw_connection_close(exchange->connection);
    wire_wake(exchange);
    leave_handler(exchange);
}

void sw_http_abort(struct sw_http_request *request)
{
    struct exchange *exchange = exchange_of(request);

    assert(exchange->is_with_handler);
    exchange->is_ended = true;
    if (is_live(exchange) && request->is_http2)
        sw_h2_abort(exchange, NGHTTP2_INTERNAL_ERROR);
    else if (is_live(exchange))
        sw_connection_close(exchange->connection);
    leave_handler(exchange);
}

void sw_exchange_taken(struct exchange *exchange, size_t size)
{
    exchange->out_at += size;
    exchange->progress_ms = sw_loop_now_ms(exchange->server->loop);
    if (exchange->out_at < exchange->out.size)
        return;
    exchange->out_at = 0;
    sw_buffer_reset(&exchange->out);
    if (exchange->out.capacity > EXCHANGE_KEPT_BYTES)
        sw_buffer_done(&exchange->out);
    account(exchange);
    if (exchange->on_writable != NULL && !exchange->is_ended &&
        sw_list_is_empty(&exchange->writable))
        sw_list_add(&exchange->connection->writable, &exchange->writable);
}

/* ---- Refusals ---- */

/* The gRPC status that stands for an HTTP status (grpc/doc/http-grpc-status-mapping.md). */
static const char *grpc_status_of(int status)
{
    switch (status) {
    case 413:
    case 431:
        return "8";
    case 408:
        return "4";
    case 503:
        return "14";
    case 501:
        return "12";
    default:
        return "13";
    }
}

static const char *code_of(int status)
{
    switch (status) {
    case 413:
    case 431:
        return "RESOURCE_EXHAUSTED";
    case 408:
        return "DEADLINE_EXCEEDED";
    case 501:
        return "UNIMPLEMENTED";
    case 503:
        return "UNAVAILABLE";
    default:
        return "INVALID_ARGUMENT";
    }
}

static void refuse_grpc(struct exchange *exchange, int status, const char *words)
{
    struct sw_http_header headers[] = {SW_HTTP_HEADER("content-type", "application/grpc"),
                                       SW_HTTP_HEADER("grpc-status", grpc_status_of(status)),
                                       SW_HTTP_HEADER("grpc-message", words)};

    respond(exchange, 200, headers, 3, (struct sw_bytes){0});
}

static void refuse_plain(struct exchange *exchange, int status, const char *words)
{
    struct sw_http_header header = SW_HTTP_HEADER("content-type", "application/problem+json");
    const char *body = sw_arena_print(exchange->request.arena,
                                      "{\"type\":\"about:blank\",\"title\":\"%s\",\"status\":%d,"
                                      "\"code\":\"%s\",\"detail\":\"%s\"}",
                                      sw_http_status_text(status), status, code_of(status), words);

    respond(exchange, status, &header, 1, sw_bytes_of_text(body == NULL ? "" : body));
}

void sw_exchange_refuse(struct exchange *exchange, int status, const char *words)
{
    struct sw_bytes type = sw_http_header_find(&exchange->request, "content-type");

    if (exchange->is_ended || exchange->connection == NULL)
        return;
    if (exchange->is_started) { /* Too late for a status: break it off. */
        if (exchange->request.is_http2)
            sw_h2_abort(exchange, NGHTTP2_CANCEL);
        else
            sw_connection_close(exchange->connection);
        return;
    }
    hold(exchange);
    if (type.size >= 16 && memcmp(type.data, "application/grpc", 16) == 0)
        refuse_grpc(exchange, status, words);
    else
        refuse_plain(exchange, status, words);
    release(exchange);
}

/* ---- Small words ---- */

void sw_http_set_body_max(struct sw_http_request *request, size_t body_bytes_max)
{
    exchange_of(request)->body_max = body_bytes_max;
}

void sw_http_set_secret(struct sw_http_request *request)
{
    exchange_of(request)->is_secret = true;
    sw_arena_set_secret(request->arena);
}

void sw_http_stream_body(struct sw_http_request *request,
                         void (*on_body)(void *ctx, struct sw_http_request *request,
                                         struct sw_bytes bytes, bool is_last),
                         void *ctx)
{
    struct exchange *exchange = exchange_of(request);

    assert(exchange->phase == EXCHANGE_BODY);
    exchange->is_body_streamed = true;
    exchange->on_body = on_body;
    exchange->on_body_ctx = ctx;
}

void sw_http_on_cancel(struct sw_http_request *request,
                       void (*on_cancel)(void *ctx, struct sw_http_request *request), void *ctx)
{
    struct exchange *exchange = exchange_of(request);

    exchange->on_cancel = on_cancel;
    exchange->on_cancel_ctx = ctx;
}

void sw_http_on_writable(struct sw_http_request *request,
                         void (*on_writable)(void *ctx, struct sw_http_request *request), void *ctx)
{
    struct exchange *exchange = exchange_of(request);

    exchange->on_writable = on_writable;
    exchange->on_writable_ctx = ctx;
}

struct sw_bytes sw_bytes_of_text(const char *text)
{
    return (struct sw_bytes){.data = text, .size = strlen(text)};
}

bool sw_bytes_is_text(struct sw_bytes bytes, const char *text)
{
    size_t size = strlen(text);

    return bytes.size == size && (size == 0 || memcmp(bytes.data, text, size) == 0);
}

struct sw_bytes sw_http_header_find(const struct sw_http_request *request, const char *name)
{
    for (size_t i = 0; i < request->headers_count; i++)
        if (sw_bytes_is_text(request->headers[i].name, name))
            return request->headers[i].value;
    return (struct sw_bytes){0};
}

const char *sw_http_method_name(enum sw_http_method method)
{
    static const char *const names[] = {"GET",   "HEAD",   "POST",    "PUT",
                                        "PATCH", "DELETE", "OPTIONS", "OTHER"};

    return names[method];
}

const char *sw_http_status_text(int status)
{
    static const struct {
        int status;
        const char *text;
    } texts[] = {{200, "OK"},
                 {201, "Created"},
                 {202, "Accepted"},
                 {204, "No Content"},
                 {304, "Not Modified"},
                 {400, "Bad Request"},
                 {401, "Unauthorized"},
                 {403, "Forbidden"},
                 {404, "Not Found"},
                 {405, "Method Not Allowed"},
                 {406, "Not Acceptable"},
                 {408, "Request Timeout"},
                 {409, "Conflict"},
                 {410, "Gone"},
                 {412, "Precondition Failed"},
                 {413, "Content Too Large"},
                 {415, "Unsupported Media Type"},
                 {422, "Unprocessable Content"},
                 {429, "Too Many Requests"},
                 {431, "Request Header Fields Too Large"},
                 {499, "Client Closed Request"},
                 {500, "Internal Server Error"},
                 {501, "Not Implemented"},
                 {503, "Service Unavailable"},
                 {504, "Gateway Timeout"}};

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (texts[i].status == status)
            return texts[i].text;
    return "Unknown";
}
