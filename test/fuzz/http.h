/* A server in clear text and one client that sends given bytes in pieces: for the HTTP targets.
 *
 * The first byte of an input chooses what the handler does and how large the pieces are. Whatever
 * is sent, the server must end the connection once the client has ended, and hold nothing more. */
#pragma once
#include "pkg/communication/protocol/grpc.h"
#include "pkg/communication/protocol/server.h"

#include <stdlib.h>
#include <string.h>

#define PIECE_MAX 64u

struct http_harness {
    struct sw_loop *loop;
    struct sw_http_server *server;
    struct sw_stream *client;
    unsigned choice;
    bool is_over;
};

static inline void harness_on_body(void *ctx, struct sw_http_request *request,
                                   struct sw_bytes bytes, bool is_last)
{
    (void)ctx;
    (void)!sw_http_write(request, bytes.data, bytes.size);
    if (is_last)
        sw_http_end(request, NULL, 0);
}

static inline void harness_on_cancel(void *ctx, struct sw_http_request *request)
{
    (void)ctx;
    sw_http_end(request, NULL, 0);
}

static inline void harness_begin(void *ctx, struct sw_http_request *request)
{
    struct http_harness *harness = ctx;

    if ((harness->choice & 3) == 1) {
        sw_http_respond_text(request, 401, "text/plain", (struct sw_bytes){"no", 2});
    } else if ((harness->choice & 3) == 2) {
        sw_http_stream_body(request, harness_on_body, NULL);
        sw_http_on_cancel(request, harness_on_cancel, NULL);
        sw_http_start(request, 200, NULL, 0);
    }
}

static inline void harness_handle(void *ctx, struct sw_http_request *request)
{
    struct sw_http_header trailer = SW_HTTP_HEADER("x-end", "1");
    struct http_harness *harness = ctx;
    static const char large[40000];

    for (size_t i = 0; i < request->headers_count; i++)
        if (request->headers[i].name.data == NULL || request->headers[i].value.data == NULL)
            abort();
    if (request->path.size == 0 || *(const char *)request->path.data != '/')
        abort();
    if ((harness->choice & 64) != 0) {
        sw_http_start(request, 200, NULL, 0);
        (void)!sw_http_write(request, large, sizeof large);
        sw_http_abort(request);
        return;
    }
    if (sw_bytes_is_text(request->path, "/large")) {
        sw_http_respond_text(request, 200, "text/plain", (struct sw_bytes){large, sizeof large});
        return;
    }
    if ((harness->choice & 3) == 3) {
        sw_http_start(request, 200, NULL, 0);
        (void)!sw_http_write(request, request->body.data, request->body.size);
        sw_http_end(request, &trailer, 1);
        return;
    }
    sw_http_respond_text(request, 200, "text/plain", request->body);
}

static inline void harness_on_data(void *ctx, struct sw_stream *stream, struct sw_bytes bytes)
{
    (void)ctx;
    (void)stream;
    (void)bytes;
}

static inline void harness_on_end(void *ctx, struct sw_stream *stream)
{
    (void)ctx;
    sw_stream_finish(stream);
}

static inline void harness_on_close(void *ctx, struct sw_stream *stream, enum sw_rc rc)
{
    struct http_harness *harness = ctx;

    (void)stream;
    (void)rc;
    harness->client = NULL;
    harness->is_over = true;
    sw_loop_stop(harness->loop);
}

static inline void harness_stop(void *ctx)
{
    struct http_harness *harness = ctx;

    sw_loop_stop(harness->loop);
}

/* One round of the loop. */
static inline void harness_round(struct http_harness *harness)
{
    if (sw_loop_post(harness->loop, harness_stop, harness) == SW_OK)
        sw_loop_run(harness->loop);
}

static inline void harness_send(struct http_harness *harness, const uint8_t *bytes, size_t size)
{
    if (harness->client != NULL)
        (void)!sw_stream_write(harness->client, bytes, size);
}

static inline void harness_open(struct http_harness *harness)
{
    static const struct sw_stream_handler handler = {
        .on_data = harness_on_data, .on_end = harness_on_end, .on_close = harness_on_close};
    struct sw_stream_handler mine = handler;
    struct sw_stream *served;
    int files[2];

    if (sw_socket_pair(files, NULL) != SW_OK ||
        sw_stream_adopt(harness->loop, files[0], &served, NULL) != SW_OK ||
        sw_stream_adopt(harness->loop, files[1], &harness->client, NULL) != SW_OK)
        abort();
    mine.ctx = harness;
    sw_stream_start(harness->client, &mine, 1u << 20);
    sw_http_server_serve(harness->server, served);
}

/* Send a prologue and then the input in pieces; end; wait for the server's end. */
static inline void harness_run(const char *prologue, size_t prologue_size, const uint8_t *data,
                               size_t size)
{
    struct http_harness harness = {.choice = size > 0 ? data[0] : 0};
    struct sw_http_server_options options = {
        .system = sw_system_real(),
        .handler = {.ctx = &harness, .begin = harness_begin, .handle = harness_handle},
        .limits = {.header_bytes_max = 1024,
                   .headers_max = 16,
                   .body_bytes_max = 512,
                   .streams_max = 4,
                   .resets_per_s = 2,
                   .control_frames_per_s = 2}};
    struct sw_http_server_view view;
    size_t words = harness.choice >> 2 & 15, piece = words == 0 ? SIZE_MAX : 4 * words;

    if (sw_loop_new(&harness.loop, NULL) != SW_OK)
        abort();
    options.loop = harness.loop;
    if (sw_http_server_new(&options, &harness.server, NULL) != SW_OK)
        abort();
    harness_open(&harness);
    harness_send(&harness, (const uint8_t *)prologue, prologue_size);
    for (size_t at = 1; at < size && harness.client != NULL;) {
        size_t part = piece < size - at ? piece : size - at;

        harness_send(&harness, data + at, part);
        at += part;
        if (at / piece < PIECE_MAX)
            harness_round(&harness);
    }
    if ((harness.choice & 128) != 0) {
        sw_http_server_drain(harness.server);
        harness_round(&harness);
    }
    if (harness.client != NULL)
        sw_stream_finish(harness.client);
    while (!harness.is_over)
        sw_loop_run(harness.loop);
    for (int i = 0; i < 3; i++)
        harness_round(&harness);
    sw_http_server_view(harness.server, &view);
    if (view.requests != 0 || view.held_bytes != 0)
        abort(); /* Something was forgotten. */
    sw_http_server_free(harness.server);
    sw_loop_free(harness.loop);
}
