/* A server and its clients on one loop: what the tests of this room share. */
#pragma once
#include "pkg/communication/protocol/client.h"
#include "pkg/communication/protocol/server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define FIXTURE_TIMEOUT_MS 5000u

struct fixture {
    struct sw_loop *loop;
    struct sw_http_server *server;
    struct sw_http_client *client;
    struct sw_timer *guard, *later;
    char address[64];
    /* What the handler has seen, and what it shall do. */
    int begun, handled, cancelled, writable;
    struct sw_http_request *kept; /* The last request, for tests that answer later. */
    void (*answer)(struct fixture *f, struct sw_http_request *request);
    void (*begin)(struct fixture *f, struct sw_http_request *request);
    char seen[4096];
    bool is_timed_out;
    bool (*is_done)(struct fixture *f);
    /* Replies to calls of the client. */
    int replies;
    enum sw_rc rc;
    int status;
    char body[65536];
    size_t body_size;
    char trailers[512], headers[1024];
    /* A client that speaks bytes. */
    struct sw_stream *raw;
    char text[262144];
    size_t text_size;
    bool raw_ended, raw_closed;
    const char *refused; /* What was sent that should be refused, for messages. */
};

static inline void on_guard(void *ctx)
{
    struct fixture *f = ctx;

    f->is_timed_out = true;
    sw_loop_stop(f->loop);
}

/* Called after everything that a test could wait for. */
static inline void check(struct fixture *f)
{
    if (f->is_done != NULL && f->is_done(f))
        sw_loop_stop(f->loop);
}

static inline void run_until(struct fixture *f, bool (*is_done)(struct fixture *f))
{
    f->is_done = is_done;
    if (!is_done(f)) {
        sw_timer_start(f->guard, FIXTURE_TIMEOUT_MS);
        sw_loop_run(f->loop);
        sw_timer_stop(f->guard);
    }
    f->is_done = NULL;
    if (f->is_timed_out)
        fail_msg("timed out (%s); the raw client read: %.400s",
                 f->refused == NULL ? "" : f->refused, f->text);
}

static inline void on_later(void *ctx)
{
    struct fixture *f = ctx;

    sw_loop_stop(f->loop);
}

/* Let the loop go on for a while. */
static inline void run_for(struct fixture *f, uint64_t ms)
{
    sw_timer_start(f->later, ms);
    sw_loop_run(f->loop);
}

/* ---- The server's side ---- */

static inline void fixture_begin(void *ctx, struct sw_http_request *request)
{
    struct fixture *f = ctx;

    f->begun++;
    if (f->begin != NULL)
        f->begin(f, request);
}

static inline void fixture_handle(void *ctx, struct sw_http_request *request)
{
    struct fixture *f = ctx;
    size_t used = strlen(f->seen);

    f->handled++;
    (void)snprintf(f->seen + used, sizeof f->seen - used, "%s %.*s?%.*s[%zu];",
                   sw_http_method_name(request->method), (int)request->path.size,
                   (const char *)request->path.data, (int)request->query.size,
                   request->query.size > 0 ? (const char *)request->query.data : "",
                   request->body.size);
    f->kept = request;
    if (f->answer != NULL)
        f->answer(f, request);
    else
        sw_http_respond_text(request, 200, "text/plain",
                             request->body.size > 0 ? request->body : sw_bytes_of_text("hello"));
    check(f);
}

static inline void keep(struct fixture *f, struct sw_http_request *request)
{
    f->kept = request;
}

static inline void fixture_start(struct fixture *f, const struct sw_http_limits *limits,
                                 const struct sw_tls_context *tls)
{
    struct sw_http_server_options options = {
        .loop = f->loop,
        .system = sw_system_real(),
        .address = "127.0.0.1:0",
        .tls = tls,
        .handler = {.ctx = f, .begin = fixture_begin, .handle = fixture_handle}};

    if (limits != NULL)
        options.limits = *limits;
    assert_int_equal(sw_http_server_new(&options, &f->server, NULL), SW_OK);
    (void)snprintf(f->address, sizeof f->address, "127.0.0.1:%u", sw_http_server_port(f->server));
}

static inline int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    assert_int_equal(sw_loop_new(&f->loop, NULL), SW_OK);
    f->guard = sw_timer_new(f->loop, on_guard, f);
    f->later = sw_timer_new(f->loop, on_later, f);
    f->rc = 1;
    *state = f;
    return 0;
}

static inline int tear_down(void **state)
{
    struct fixture *f = *state;

    sw_http_client_free(f->client);
    sw_http_server_free(f->server);
    sw_loop_free(f->loop);
    free(f);
    return 0;
}

/* ---- A client of HTTP/2 ---- */

static inline void fixture_client(struct fixture *f, const struct sw_tls_context *tls)
{
    struct sw_http_client_options options = {
        .loop = f->loop, .system = sw_system_real(), .address = f->address, .tls = tls};

    assert_int_equal(sw_http_client_new(&options, &f->client, NULL), SW_OK);
}

static inline void on_reply_headers(void *ctx, struct sw_http_call *call, int status,
                                    const struct sw_http_header *headers, size_t count)
{
    struct fixture *f = ctx;

    (void)call;
    f->status = status;
    f->headers[0] = '\0';
    for (size_t i = 0; i < count; i++) {
        size_t used = strlen(f->headers);

        (void)snprintf(f->headers + used, sizeof f->headers - used, "%.*s: %.*s\n",
                       (int)headers[i].name.size, (const char *)headers[i].name.data,
                       (int)headers[i].value.size, (const char *)headers[i].value.data);
    }
}

static inline void on_reply(void *ctx, struct sw_http_call *call, enum sw_rc rc, int status,
                            struct sw_bytes body, const struct sw_http_header *trailers,
                            size_t trailers_count)
{
    struct fixture *f = ctx;

    (void)call;
    f->replies++;
    f->rc = rc;
    f->status = status;
    f->body_size = body.size;
    if (body.size < sizeof f->body) {
        if (body.size > 0)
            (void)memcpy(f->body, body.data, body.size);
        f->body[body.size] = '\0';
    }
    f->trailers[0] = '\0';
    for (size_t i = 0; i < trailers_count; i++) {
        size_t used = strlen(f->trailers);

        (void)snprintf(f->trailers + used, sizeof f->trailers - used, "%.*s: %.*s\n",
                       (int)trailers[i].name.size, (const char *)trailers[i].name.data,
                       (int)trailers[i].value.size, (const char *)trailers[i].value.data);
    }
    check(f);
}

static inline struct sw_http_call *call(struct fixture *f, enum sw_http_method method,
                                        const char *path, struct sw_bytes body)
{
    struct sw_http_call *made = NULL;
    struct sw_http_call_options options = {
        .method = method,
        .path = path,
        .body = body,
        .handler = {.ctx = f, .on_headers = on_reply_headers, .on_done = on_reply}};

    if (f->client == NULL)
        fixture_client(f, NULL);
    assert_int_equal(sw_http_client_call(f->client, &options, &made, NULL), SW_OK);
    return made;
}

static inline bool has_reply(struct fixture *f)
{
    return f->replies > 0;
}

static inline bool has_request(struct fixture *f)
{
    return f->handled > 0;
}

static inline bool is_cancelled(struct fixture *f)
{
    return f->cancelled > 0;
}

/* ---- A client that speaks bytes ---- */

static inline void on_raw_data(void *ctx, struct sw_stream *stream, struct sw_bytes bytes)
{
    struct fixture *f = ctx;

    (void)stream;
    if (f->text_size + bytes.size < sizeof f->text) {
        (void)memcpy(f->text + f->text_size, bytes.data, bytes.size);
        f->text_size += bytes.size;
        f->text[f->text_size] = '\0';
    }
    check(f);
}

static inline void on_raw_end(void *ctx, struct sw_stream *stream)
{
    struct fixture *f = ctx;

    f->raw_ended = true;
    sw_stream_finish(stream);
    check(f);
}

static inline void on_raw_close(void *ctx, struct sw_stream *stream, enum sw_rc rc)
{
    struct fixture *f = ctx;

    (void)stream;
    (void)rc;
    f->raw = NULL;
    f->raw_closed = true;
    check(f);
}

static inline void on_raw_connect(void *ctx, enum sw_rc rc, struct sw_stream *stream)
{
    struct fixture *f = ctx;
    struct sw_stream_handler handler = {
        .ctx = f, .on_data = on_raw_data, .on_end = on_raw_end, .on_close = on_raw_close};

    assert_int_equal(rc, SW_OK);
    f->raw = stream;
    sw_stream_start(stream, &handler, 64u << 20);
    check(f);
}

static inline bool is_raw_connected(struct fixture *f)
{
    return f->raw != NULL;
}

static inline bool is_raw_over(struct fixture *f)
{
    return f->raw_closed || f->raw_ended;
}

static inline bool is_raw_gone(struct fixture *f)
{
    return f->raw_closed;
}

static inline void raw_connect(struct fixture *f)
{
    f->raw_closed = false;
    f->raw_ended = false;
    f->text_size = 0;
    f->text[0] = '\0';
    assert_int_equal(sw_stream_connect(f->loop, f->address, 5000, on_raw_connect, f, NULL), SW_OK);
    run_until(f, is_raw_connected);
}

static inline void raw_send(struct fixture *f, const void *bytes, size_t size)
{
    if (f->raw == NULL)
        raw_connect(f);
    assert_int_equal(sw_stream_write(f->raw, bytes, size), SW_OK);
}

static inline void raw_text(struct fixture *f, const char *text)
{
    raw_send(f, text, strlen(text));
}

static inline struct sw_http_server_view server_view(struct fixture *f)
{
    struct sw_http_server_view view;

    sw_http_server_view(f->server, &view);
    return view;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
