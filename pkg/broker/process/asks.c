#include "pkg/broker/process/asks.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* As pkg/broker/model/service has them. */
#define STREAM_TYPE "application/vnd.swarm.stream"
#define LAST_TYPE "text/event-stream; last"
#define NEXT_SERVICE "swarm.model.next"
#define STREAM_NAME_MAX 128u

struct sw_ask {
    struct sw_asks *asks;
    struct sw_list node;
    struct sw_http_request *request;
    const char *path, *service;       /* In the request's arena; for good. */
    char stream[STREAM_NAME_MAX + 1]; /* "": it has none yet. */
    uint64_t stream_bytes;            /* That came by it. */
    bool is_gone;                     /* Nobody waits for it any more. */
};

static void ask_free(struct sw_ask *ask)
{
    sw_list_remove(&ask->node);
    if (ask->asks->current == ask)
        ask->asks->current = NULL;
    free(ask);
}

static void break_off(struct sw_ask *ask)
{
    if (ask->stream[0] != '\0')
        sw_http_abort(ask->request);
    else
        sw_http_respond_text(ask->request, 409, "text/plain",
                             sw_bytes_of_text("models can be asked within a turn only\n"));
    ask_free(ask);
}

static void on_cancel(void *ctx, struct sw_http_request *request)
{
    struct sw_ask *ask = ctx;

    (void)request;
    if (ask->asks->current == ask)
        ask->is_gone = true;
    else
        break_off(ask);
}

void sw_asks_init(struct sw_asks *asks, const struct sw_process_service_options *options)
{
    *asks = (struct sw_asks){.options = options};
    sw_list_init(&asks->waiting);
}

void sw_asks_done(struct sw_asks *asks)
{
    if (asks->current != NULL)
        break_off(asks->current);
    while (!sw_list_is_empty(&asks->waiting))
        break_off(SW_LIST_ITEM(sw_list_first(&asks->waiting), struct sw_ask, node));
}

void sw_asks_add(struct sw_asks *asks, struct sw_http_request *request, const char *path,
                 const char *service)
{
    struct sw_ask *ask = calloc(1, sizeof *ask);

    if (ask == NULL) {
        sw_http_respond_text(request, 503, "text/plain", sw_bytes_of_text("no memory\n"));
        return;
    }
    ask->asks = asks;
    ask->request = request;
    ask->path = path;
    ask->service = service;
    sw_list_add(&asks->waiting, &ask->node);
    sw_http_on_cancel(request, on_cancel, ask);
}

bool sw_asks_has_next(const struct sw_asks *asks)
{
    return asks->current == NULL && !sw_list_is_empty(&asks->waiting);
}

void sw_asks_next(struct sw_asks *asks, struct sw_buffer *out, uint8_t ret_digest[SW_SHA256_SIZE])
{
    struct sw_ask *ask = SW_LIST_ITEM(sw_list_first(&asks->waiting), struct sw_ask, node);
    char more[STREAM_NAME_MAX + 24];
    struct sw_turn_view view = {
        .head = {.kind = SW_TURN_CALL, .flags = SW_TURN_UNORDERED, .value = SW_TURN_FOREVER},
        .name = sw_bytes_of_text(ask->service),
        .type = sw_bytes_of_text("application/json"),
        .body = ask->request->body};
    size_t begin = out->size;

    if (ask->stream[0] != '\0') {
        (void)snprintf(more, sizeof more, "%s %llu", ask->stream,
                       (unsigned long long)ask->stream_bytes);
        view.name = sw_bytes_of_text(NEXT_SERVICE);
        view.type = sw_bytes_of_text("text/plain");
        view.body = sw_bytes_of_text(more);
    }
    sw_turn_put(out, &view);
    if (!out->failed) {
        struct sw_turn_frame *head = (struct sw_turn_frame *)(void *)(out->data + begin);

        sw_sha256_of(head, out->size - begin, ret_digest);
        head->number = ++asks->number;
    }
    sw_list_remove(&ask->node);
    asks->current = ask;
}

static void again(struct sw_ask *ask)
{
    ask->asks->current = NULL;
    sw_list_add(&ask->asks->waiting, &ask->node);
}

static void begin_stream(struct sw_ask *ask, struct sw_bytes name)
{
    const struct sw_http_header headers[] = {SW_HTTP_HEADER("content-type", "text/event-stream")};

    if (name.size == 0 || name.size > STREAM_NAME_MAX) {
        break_off(ask);
        return;
    }
    memcpy(ask->stream, name.data, name.size);
    sw_http_start(ask->request, 200, headers, 1);
    again(ask);
}

static void go_on_stream(struct sw_ask *ask, const struct sw_turn_view *result)
{
    bool is_last = sw_bytes_is_text(result->type, LAST_TYPE);

    ask->stream_bytes += result->body.size;
    if (ask->is_gone || result->head.status != 0 ||
        (result->body.size > 0 &&
         sw_http_write(ask->request, result->body.data, result->body.size) != SW_OK)) {
        break_off(ask);
    } else if (is_last) {
        sw_http_end(ask->request, NULL, 0);
        ask_free(ask);
    } else {
        again(ask);
    }
}

void sw_asks_tell(struct sw_asks *asks, const struct sw_turn_view *result)
{
    struct sw_ask *ask = asks->current;
    const struct sw_process_service_options *options = asks->options;

    if (ask == NULL) /* The process that asked has ended. */
        return;
    if (ask->stream[0] != '\0') {
        go_on_stream(ask, result);
    } else if (ask->is_gone) {
        break_off(ask);
    } else if (result->head.status != 0) {
        options->refuse(options->ctx, ask->request, ask->path, (enum sw_rc)result->head.status,
                        result->body);
        ask_free(ask);
    } else if (sw_bytes_is_text(result->type, STREAM_TYPE)) {
        begin_stream(ask, result->body);
    } else {
        sw_http_respond_text(ask->request, 200, "application/json", result->body);
        ask_free(ask);
    }
}
