#include "pkg/utils/loop/loop.h"

#include "pkg/utils/loop/state.h"

#include <stdlib.h>
#include <string.h>

/* One attempt: look the name up if there is one, connect, call done once. libuv calls back for
 * every request it took, cancelled or not, and only then is the attempt freed. */
struct connect {
    uv_connect_t request;
    uv_getaddrinfo_t lookup;
    struct sw_loop *loop;
    struct sw_stream *stream;
    struct sw_timer *timer;
    void (*done)(void *ctx, enum sw_rc rc, struct sw_stream *stream);
    void *ctx;
    bool is_done;
};

static void connect_done(struct connect *connect, enum sw_rc rc)
{
    struct sw_stream *stream = connect->stream;

    if (connect->is_done)
        return;
    connect->is_done = true;
    connect->stream = NULL;
    sw_timer_free(connect->timer);
    connect->timer = NULL;
    if (rc != SW_OK && stream != NULL) {
        sw_stream_close(stream);
        stream = NULL;
    }
    connect->done(connect->ctx, rc, stream);
}

static void on_timeout(void *ctx)
{
    connect_done(ctx, SW_E_TIMEOUT);
}

static void on_connected(uv_connect_t *request, int status)
{
    struct connect *connect = request->data;

    connect_done(connect, sw_loop_rc(status));
    free(connect);
}

/* The stream is made only now: until then nobody else could close it under us. */
static int connect_begin(struct connect *connect, const struct sockaddr *address)
{
    uv_tcp_t *tcp;
    int rc;

    connect->stream = sw_stream_make(connect->loop, false);
    if (connect->stream == NULL)
        return UV_ENOMEM;
    tcp = (uv_tcp_t *)sw_stream_uv(connect->stream);
    rc = uv_tcp_connect(&connect->request, tcp, address, on_connected);
    if (rc == 0)
        (void)uv_tcp_nodelay(tcp, 1); /* The socket exists only now. */
    return rc;
}

static void on_lookup(uv_getaddrinfo_t *request, int status, struct addrinfo *list)
{
    struct connect *connect = request->data;

    if (status == 0 && connect->loop->is_freed)
        status = UV_ECANCELED;
    if (status == 0 && !connect->is_done)
        status = connect_begin(connect, list->ai_addr);
    if (status != 0 || connect->is_done) {
        connect_done(connect, sw_loop_rc(status));
        free(connect);
    }
    uv_freeaddrinfo(list);
}

static int connect_start(struct connect *connect, const struct loop_address *address)
{
    static const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_family = AF_UNSPEC};

    connect->request.data = connect;
    connect->lookup.data = connect;
    if (address->is_name)
        return uv_getaddrinfo(&connect->loop->uv, &connect->lookup, on_lookup, address->host,
                              address->port, &hints);
    if (!address->is_unix)
        return connect_begin(connect, (const struct sockaddr *)&address->socket);
    connect->stream = sw_stream_make(connect->loop, true);
    if (connect->stream == NULL)
        return UV_ENOMEM;
    uv_pipe_connect(&connect->request, (uv_pipe_t *)sw_stream_uv(connect->stream), address->host,
                    on_connected);
    return 0;
}

enum sw_rc sw_stream_connect(struct sw_loop *loop, const char *address, uint64_t timeout_ms,
                             void (*done)(void *ctx, enum sw_rc rc, struct sw_stream *stream),
                             void *ctx, struct sw_err *err)
{
    struct loop_address parsed;
    struct connect *connect;
    enum sw_rc rc = sw_loop_address_parse(address, &parsed, err);
    int number;

    if (rc != SW_OK)
        return rc;
    if (loop->is_freed)
        return sw_err_set(err, SW_E_CANCELLED, "%s: the loop ends", address);
    connect = calloc(1, sizeof *connect);
    if (connect == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory to connect to %s", address);
    connect->loop = loop;
    connect->done = done;
    connect->ctx = ctx;
    connect->timer = sw_timer_new(loop, on_timeout, connect);
    number = connect->timer == NULL ? UV_ENOMEM : connect_start(connect, &parsed);
    if (number != 0) {
        if (connect->stream != NULL)
            sw_stream_close(connect->stream);
        sw_timer_free(connect->timer);
        free(connect);
        return sw_loop_error(err, number, address);
    }
    sw_timer_start(connect->timer, timeout_ms);
    return SW_OK;
}
