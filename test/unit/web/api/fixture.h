/* Requests to a gateway, with what came back. */
#pragma once
#include "test/unit/web/api/setup.h"

static inline void note(char *text, size_t size, const struct sw_http_header *headers, size_t count)
{
    text[0] = '\0';
    for (size_t i = 0; i < count; i++) {
        size_t used = strlen(text);

        (void)snprintf(text + used, size - used, "%.*s: %.*s\n", (int)headers[i].name.size,
                       (const char *)headers[i].name.data, (int)headers[i].value.size,
                       (const char *)headers[i].value.data);
    }
}

static inline void on_headers(void *ctx, struct sw_http_call *call, int status,
                              const struct sw_http_header *headers, size_t count)
{
    struct fixture *f = ctx;

    (void)call;
    f->status = status;
    note(f->headers, sizeof f->headers, headers, count);
    check(f);
}

static inline void on_done(void *ctx, struct sw_http_call *call, enum sw_rc rc, int status,
                           struct sw_bytes body, const struct sw_http_header *trailers,
                           size_t count)
{
    struct fixture *f = ctx;

    (void)call;
    f->replies++;
    f->rc = rc;
    f->status = status;
    free(f->body);
    f->body = calloc(1, body.size + 1);
    if (body.size > 0)
        (void)memcpy(f->body, body.data, body.size);
    f->body_size = body.size;
    note(f->trailers, sizeof f->trailers, trailers, count);
    check(f);
}

static inline void on_stream_data(void *ctx, struct sw_http_call *call, struct sw_bytes bytes)
{
    struct fixture *f = ctx;

    (void)call;
    assert_true(f->events_size + bytes.size < sizeof f->events);
    (void)memcpy(f->events + f->events_size, bytes.data, bytes.size);
    f->events_size += bytes.size;
    f->events[f->events_size] = '\0';
    check(f);
}

static inline bool has_reply(struct fixture *f)
{
    return f->replies > 0;
}

static inline struct sw_http_client *client_of(struct fixture *f, enum who who)
{
    struct sw_http_client_options options = {.loop = f->loop,
                                             .system = sw_system_real(),
                                             .address = f->address,
                                             .tls = f->client_tls[who],
                                             .reply_bytes_max = 64u << 20};

    if (f->clients[who] == NULL)
        assert_int_equal(sw_http_client_new(&options, &f->clients[who], NULL), SW_OK);
    return f->clients[who];
}

struct ask { /* A request with all that can be chosen. */
    enum who who;
    enum sw_http_method method;
    const char *path;
    const char *content_type, *accept, *last_event_id;
    struct sw_bytes body;
    bool is_stream;
};

static inline struct sw_http_call *begin(struct fixture *f, const struct ask *ask)
{
    struct sw_http_header headers[4];
    struct sw_http_call_options options = {
        .method = ask->method,
        .path = ask->path,
        .headers = headers,
        .body = ask->body,
        .handler = {.ctx = f,
                    .on_headers = on_headers,
                    .on_data = ask->is_stream ? on_stream_data : NULL,
                    .on_done = on_done}};
    struct sw_http_call *call = NULL;

    if (ask->content_type != NULL)
        headers[options.headers_count++] =
            (struct sw_http_header)SW_HTTP_HEADER("content-type", ask->content_type);
    if (ask->accept != NULL)
        headers[options.headers_count++] =
            (struct sw_http_header)SW_HTTP_HEADER("accept", ask->accept);
    if (ask->last_event_id != NULL)
        headers[options.headers_count++] =
            (struct sw_http_header)SW_HTTP_HEADER("last-event-id", ask->last_event_id);
    f->replies = 0;
    f->status = 0;
    assert_int_equal(sw_http_client_call(client_of(f, ask->who), &options, &call, NULL), SW_OK);
    return call;
}

static inline int finish(struct fixture *f, const struct ask *ask)
{
    (void)begin(f, ask);
    run_until(f, has_reply);
    if (f->rc != SW_OK)
        fail_msg("%s: %s (%s)", ask->path, sw_rc_name(f->rc),
                 sw_http_client_trouble(client_of(f, ask->who)));
    return f->status;
}

static inline int request(struct fixture *f, enum sw_http_method method, const char *path,
                          const char *json)
{
    struct ask ask = {.method = method, .path = path};

    if (json != NULL) {
        ask.body = sw_bytes_of_text(json);
        ask.content_type = "application/json";
    }
    return finish(f, &ask);
}

static inline int get(struct fixture *f, const char *path)
{
    return request(f, SW_HTTP_GET, path, NULL);
}

static inline bool body_has(struct fixture *f, const char *text)
{
    if (strstr(f->body, text) != NULL)
        return true;
    print_message("not in the body: %s\n%.2000s\n", text, f->body);
    return false;
}

/* A number in the body after a text such as "\"resourceVersion\":\"". */
static inline uint64_t number_after(struct fixture *f, const char *text)
{
    const char *at = strstr(f->body, text);

    assert_non_null(at);
    return strtoull(at + strlen(text), NULL, 10);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
