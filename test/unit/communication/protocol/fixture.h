/* Calls of the room's own HTTP/2 client, with what came back. */
#pragma once
#include "test/unit/communication/protocol/base.h"

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

static inline struct sw_http_server_view server_view(struct fixture *f)
{
    struct sw_http_server_view view;

    sw_http_server_view(f->server, &view);
    return view;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
