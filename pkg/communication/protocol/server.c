#include "pkg/communication/protocol/server.h"

#include "pkg/communication/protocol/connection.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NS_PER_S 1000000000u
#define BURST_S 10u

bool sw_bucket_take(struct bucket *bucket, uint64_t now_ms, uint32_t per_s)
{
    uint64_t full = (uint64_t)per_s * BURST_S * 1000;
    uint64_t passed_ms = now_ms - bucket->filled_ms;

    if (bucket->filled_ms == 0 || passed_ms > BURST_S * 1000) {
        bucket->tokens_milli = full;
    } else {
        bucket->tokens_milli += passed_ms * per_s;
        if (bucket->tokens_milli > full)
            bucket->tokens_milli = full;
    }
    bucket->filled_ms = now_ms == 0 ? 1 : now_ms;
    if (bucket->tokens_milli < 1000)
        return false;
    bucket->tokens_milli -= 1000;
    return true;
}

static void fill_size(size_t *value, size_t standard)
{
    if (*value == 0)
        *value = standard;
}

static void fill_ms(uint64_t *value, uint64_t standard)
{
    if (*value == 0)
        *value = standard;
}

void sw_http_limits_fill(struct sw_http_limits *limits)
{
    fill_size(&limits->connections_max, 4096);
    fill_size(&limits->streams_max, 256);
    fill_size(&limits->header_bytes_max, 32768);
    fill_size(&limits->headers_max, 100);
    fill_size(&limits->body_bytes_max, 8388608);
    fill_size(&limits->bodies_bytes_max, 536870912);
    fill_size(&limits->write_bytes_max, 1048576);
    fill_size(&limits->respond_bytes_max, 4194304);
    fill_ms(&limits->handshake_timeout_ms, 10000);
    fill_ms(&limits->header_timeout_ms, 10000);
    fill_ms(&limits->body_timeout_ms, 60000);
    fill_ms(&limits->idle_timeout_ms, 300000);
    fill_ms(&limits->stall_timeout_ms, 30000);
    fill_ms(&limits->tick_ms, 500);
    if (limits->resets_per_s == 0)
        limits->resets_per_s = 50;
    if (limits->control_frames_per_s == 0)
        limits->control_frames_per_s = 200;
    /* Room for one flush, the bytes of a record over it, and answers of TLS itself. */
    assert(limits->write_bytes_max >= FLUSH_HIGH_BYTES + 4 * LINK_RECORD_BYTES);
}

const char *sw_http_server_date(struct sw_http_server *server)
{
    uint64_t now_s = server->system->utc_ns(server->system->ctx) / NS_PER_S;
    time_t time = (time_t)now_s;
    struct tm parts;

    if (now_s != server->date_s) {
        server->date_s = now_s;
        if (gmtime_r(&time, &parts) == NULL ||
            strftime(server->date, sizeof server->date, "%a, %d %b %Y %H:%M:%S GMT", &parts) == 0)
            server->date[0] = '\0';
    }
    return server->date;
}

static void on_tick(void *ctx)
{
    struct sw_http_server *server = ctx;
    uint64_t now_ms = sw_loop_now_ms(server->loop);

    SW_LIST_EACH(&server->connections, node)
    sw_connection_tick(SW_LIST_ITEM(node, struct connection, node), now_ms);
    sw_timer_start(server->timer, server->limits.tick_ms);
}

static void on_accept(void *ctx, struct sw_stream *stream)
{
    sw_connection_new(ctx, stream);
}

void sw_http_server_unref(struct sw_http_server *server)
{
    server->references--;
    if (server->references > 0)
        return;
    sw_link_method_free(server->link_method);
    nghttp2_session_callbacks_del(server->h2_callbacks);
    nghttp2_option_del(server->h2_option);
    free(server);
}

static void free_spares(struct sw_http_server *server)
{
    while (!sw_list_is_empty(&server->spares)) {
        struct exchange *exchange = SW_LIST_ITEM(server->spares.next, struct exchange, node);

        sw_list_remove(&exchange->node);
        sw_exchange_free(exchange);
    }
}

enum sw_rc sw_http_server_new(const struct sw_http_server_options *options,
                              struct sw_http_server **ret_server, struct sw_err *err)
{
    struct sw_http_server *server = calloc(1, sizeof *server);
    enum sw_rc rc;

    if (server == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for a server");
    server->references = 1;
    server->loop = options->loop;
    server->system = options->system;
    server->tls = options->tls;
    server->handler = options->handler;
    server->limits = options->limits;
    sw_http_limits_fill(&server->limits);
    sw_list_init(&server->connections);
    sw_list_init(&server->spares);
    server->link_method = sw_link_method_new();
    server->timer = sw_timer_new(server->loop, on_tick, server);
    rc = sw_h2_server_setup(server);
    if (server->link_method == NULL || server->timer == NULL || rc != SW_OK)
        rc = sw_err_set(err, SW_E_EXHAUSTED, "no memory for a server");
    else if (options->address != NULL)
        rc = sw_listener_new(server->loop, options->address, on_accept, server, &server->listener,
                             err);
    if (rc != SW_OK) {
        sw_http_server_free(server);
        return rc;
    }
    sw_timer_start(server->timer, server->limits.tick_ms);
    *ret_server = server;
    return SW_OK;
}

void sw_http_server_free(struct sw_http_server *server)
{
    if (server == NULL)
        return;
    server->is_freed = true;
    server->is_draining = true;
    sw_timer_free(server->timer);
    server->timer = NULL;
    sw_listener_free(server->listener);
    server->listener = NULL;
    SW_LIST_EACH(&server->connections, node)
    sw_connection_close(SW_LIST_ITEM(node, struct connection, node));
    free_spares(server);
    sw_http_server_unref(server);
}

void sw_http_server_drain(struct sw_http_server *server)
{
    server->is_draining = true;
    sw_listener_free(server->listener);
    server->listener = NULL;
    SW_LIST_EACH(&server->connections, node)
    {
        struct connection *connection = SW_LIST_ITEM(node, struct connection, node);

        connection->is_draining = true;
        if (connection->protocol == PROTOCOL_H2 && !connection->is_closing)
            sw_h2_drain(connection);
        else if (sw_list_is_empty(&connection->exchanges))
            sw_connection_finish(connection);
    }
}

/* All was sent, our end too, and the client has had time to read it. Its own end may never come:
 * one that is idle need not look at its connection before its next request. */
static bool is_over(const struct connection *connection)
{
    return connection->is_closing &&
           (connection->stream == NULL || sw_stream_pending(connection->stream) == 0) &&
           sw_loop_now_ms(connection->server->loop) - connection->progress_ms >= SW_HTTP_DRAIN_MS;
}

bool sw_http_server_is_drained(const struct sw_http_server *server)
{
    bool is_drained = server->is_draining;

    SW_LIST_EACH(&server->connections, node)
    is_drained = is_drained && is_over(SW_LIST_ITEM(node, struct connection, node));
    return is_drained;
}

void sw_http_server_serve(struct sw_http_server *server, struct sw_stream *stream)
{
    sw_connection_new(server, stream);
}

uint16_t sw_http_server_port(const struct sw_http_server *server)
{
    return server->listener == NULL ? 0 : sw_listener_port(server->listener);
}

void sw_http_server_view(const struct sw_http_server *server, struct sw_http_server_view *ret_view)
{
    *ret_view = server->view;
}
