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

#define FIXTURE_TIMEOUT_MS 20000u

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
