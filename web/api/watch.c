#include "web/api/state.h"

#include <stdio.h>
#include <string.h>

#define EVENT_BYTES_MAX ((size_t)8 * 1024 * 1024)

/* ---- Server-sent events ---- */

void sw_gateway_stream_start(struct gateway_call *call)
{
    static const char type[] = "text/event-stream";
    struct sw_http_header headers[] = {SW_HTTP_HEADER("content-type", type),
                                       SW_HTTP_HEADER("cache-control", "no-store")};
    struct gateway_stream *stream = &call->stream;

    if (stream->is_started)
        return;
    stream->is_started = true;
    sw_gateway_count(call, 200);
    sw_http_start(call->request, 200, headers, 2);
}

/* Data of events is one line: JSON has no raw line ends. */
enum sw_rc sw_gateway_stream_event(struct gateway_stream *stream, const char *name, uint64_t id,
                                   struct sw_bytes data)
{
    struct gateway_call *call = stream->call;
    struct sw_buffer event;
    enum sw_rc rc;

    sw_buffer_init(&event, EVENT_BYTES_MAX + 256);
    if (id != 0)
        sw_buffer_print(&event, "id: %llu\n", (unsigned long long)id);
    if (name != NULL)
        sw_buffer_print(&event, "event: %s\n", name);
    sw_buffer_put_text(&event, "data: ");
    sw_buffer_put(&event, data.data, data.size);
    sw_buffer_put_text(&event, "\n\n");
    rc = sw_buffer_check(&event);
    if (rc == SW_OK)
        rc = sw_http_write(call->request, event.data, event.size);
    if (rc == SW_OK)
        stream->sent_ms = sw_loop_now_ms(call->gateway->options.loop);
    sw_buffer_done(&event);
    return rc;
}

/* ---- Watches ---- */

void sw_gateway_watch_end(struct gateway_stream *stream, enum sw_rc rc, const struct sw_err *err)
{
    struct gateway_call *call = stream->call;
    struct sw_buffer problem;

    sw_list_remove(&stream->node);
    if (stream->watch != NULL)
        sw_objects_watch_stop(stream->watch);
    stream->watch = NULL;
    if (call->grpc != NULL) {
        sw_gateway_fail(call, rc, err);
        return;
    }
    if (err != NULL && !call->request->is_cancelled) {
        sw_buffer_init(&problem, EVENT_BYTES_MAX);
        sw_gateway_put_problem(call, sw_rc_http_status(rc), rc, err, &problem);
        (void)!sw_gateway_stream_event(
            stream, "error", 0, (struct sw_bytes){.data = problem.data, .size = problem.size});
        sw_buffer_done(&problem);
    }
    sw_http_end(call->request, NULL, 0);
}

/* Append one event as JSON. */
static enum sw_rc put_json(struct gateway_call *call, const struct sw_object_event *event,
                           struct sw_buffer *out)
{
    const struct sw_kind *kind = call->route.kind;
    struct sw_arena *arena;
    void *object = NULL;
    enum sw_rc rc = SW_OK;

    sw_buffer_print(out, "{\"type\":\"%s\",\"resourceVersion\":\"%llu\"",
                    sw_api_enum_text(&sw_api_watch_event_type_enum, (int)event->type),
                    (unsigned long long)event->revision);
    if (event->item != NULL) {
        arena = sw_arena_new(SW_OBJECT_ARENA_MAX);
        rc = arena == NULL ? SW_E_EXHAUSTED
                           : sw_object_of_item(kind, event->item, arena, &object, NULL);
        if (rc == SW_OK) {
            sw_buffer_put_text(out, ",\"object\":");
            sw_json_encode(kind->message, object, SW_JSON_COMPACT, out);
        }
        sw_arena_free(arena);
    }
    sw_buffer_put_u8(out, '}');
    return rc == SW_OK ? sw_buffer_check(out) : rc;
}

static enum sw_rc put_protobuf(const struct sw_object_event *event, struct sw_buffer *out)
{
    struct sw_api_watch_event message = {.type = event->type, .resource_version = event->revision};
    struct sw_buffer object;

    sw_buffer_init(&object, EVENT_BYTES_MAX);
    if (event->item != NULL)
        sw_object_bytes_of_item(event->item, &object);
    message.object = (struct sw_bytes){.data = object.data, .size = object.size};
    sw_protobuf_encode(&sw_api_watch_event_message, &message, out);
    if (object.failed)
        out->failed = true;
    sw_buffer_done(&object);
    return sw_buffer_check(out);
}

/* Tell the client of one event. SW_E_EXHAUSTED: its queue is full. */
static enum sw_rc tell(struct gateway_stream *stream, const struct sw_object_event *event)
{
    struct gateway_call *call = stream->call;
    struct sw_buffer data;
    struct sw_bytes bytes;
    enum sw_rc rc;

    sw_buffer_init(&data, EVENT_BYTES_MAX);
    rc = call->grpc != NULL ? put_protobuf(event, &data) : put_json(call, event, &data);
    bytes = (struct sw_bytes){.data = data.data, .size = data.size};
    if (rc != SW_OK)
        rc = SW_E_CORRUPT;
    else if (call->grpc != NULL)
        rc = sw_grpc_send(call->grpc, bytes);
    else
        rc = sw_gateway_stream_event(stream, NULL, event->revision, bytes);
    sw_buffer_done(&data);
    return rc;
}

static enum sw_rc tell_bookmark(struct gateway_stream *stream)
{
    const struct sw_object_event event = {.type = SW_API_WATCH_EVENT_TYPE_BOOKMARK,
                                          .revision = stream->bookmark};
    enum sw_rc rc = tell(stream, &event);

    if (rc == SW_OK) {
        stream->bookmark = 0;
        stream->bookmark_ms = sw_loop_now_ms(stream->call->gateway->options.loop);
    }
    return rc;
}

static void on_event(void *ctx, const struct sw_object_event *event)
{
    struct gateway_stream *stream = ctx;
    struct sw_err err = {0};
    enum sw_rc rc;

    if (event->type == SW_API_WATCH_EVENT_TYPE_BOOKMARK) {
        stream->bookmark = event->revision;
        if (stream->bookmark_ms == 0) /* The first one says that all is told; others may wait. */
            (void)!tell_bookmark(stream);
        return;
    }
    rc = tell(stream, event);
    if (rc == SW_E_EXHAUSTED) { /* It comes again after the resume. */
        stream->is_paused = true;
        sw_objects_watch_pause(stream->watch);
    } else if (rc == SW_E_CORRUPT) {
        (void)sw_err_set(&err, rc, "an object that was changed cannot be read");
        sw_gateway_watch_end(stream, rc, &err);
    } else if (rc == SW_OK) {
        stream->bookmark = 0;
    }
}

static void on_end(void *ctx, const struct sw_err *err)
{
    struct gateway_stream *stream = ctx;

    stream->watch = NULL;
    sw_gateway_watch_end(stream, err->rc, err);
}

static void resume(struct gateway_stream *stream)
{
    if (!stream->is_paused || stream->watch == NULL)
        return;
    stream->is_paused = false;
    sw_objects_watch_resume(stream->watch);
}

static void on_rest_writable(void *ctx, struct sw_http_request *request)
{
    (void)request;
    resume(ctx);
}

static void on_grpc_writable(void *ctx, struct sw_grpc_call *call)
{
    (void)call;
    resume(ctx);
}

static void on_rest_cancel(void *ctx, struct sw_http_request *request)
{
    (void)request;
    sw_gateway_watch_end(ctx, SW_E_CANCELLED, NULL);
}

static void on_grpc_cancel(void *ctx, struct sw_grpc_call *call)
{
    (void)call;
    sw_gateway_watch_end(ctx, SW_E_CANCELLED, NULL);
}

void sw_gateway_watch(struct gateway_call *call, const struct sw_object_query *query,
                      uint64_t revision)
{
    struct gateway_stream *stream = &call->stream;
    const struct sw_object_watcher watcher = {
        .ctx = stream, .on_event = on_event, .on_end = on_end};
    struct sw_err err = {0};
    enum sw_rc rc;

    stream->call = call;
    stream->sent_ms = sw_loop_now_ms(call->gateway->options.loop);
    rc = sw_objects_watch_start(call->gateway->options.objects, query, revision, &watcher,
                                &stream->watch, &err);
    if (rc != SW_OK) {
        sw_gateway_fail(call, rc, &err);
        return;
    }
    sw_list_add(&call->gateway->streams, &stream->node);
    if (call->grpc != NULL) {
        sw_grpc_on_cancel(call->grpc, on_grpc_cancel, stream);
        sw_grpc_on_writable(call->grpc, on_grpc_writable, stream);
    } else {
        sw_http_on_cancel(call->request, on_rest_cancel, stream);
        sw_http_on_writable(call->request, on_rest_writable, stream);
        sw_gateway_stream_start(call);
    }
}

void sw_gateway_tick_streams(struct sw_gateway *gateway)
{
    uint64_t now_ms = sw_loop_now_ms(gateway->options.loop);

    SW_LIST_EACH(&gateway->streams, node)
    {
        struct gateway_stream *stream = SW_LIST_ITEM(node, struct gateway_stream, node);

        if (stream->is_paused)
            continue;
        if (stream->bookmark != 0 && now_ms - stream->bookmark_ms >= GATEWAY_BOOKMARK_MS)
            (void)!tell_bookmark(stream);
        else if (stream->call->grpc == NULL && now_ms - stream->sent_ms >= GATEWAY_QUIET_MS &&
                 sw_http_write(stream->call->request, ":\n\n", 3) == SW_OK)
            stream->sent_ms = now_ms;
    }
}
