#include "web/api/state.h"

#include "pkg/utils/base/text.h"

#include <string.h>

#define TAIL_STANDARD 100u
#define TAIL_MAX 10000u
#define LINE_BYTES_MAX 262144u
#define KEY_MAX 253u

/* ---- Log lines ---- */

void sw_gateway_logs_end(struct gateway_stream *stream)
{
    struct sw_gateway_agents *agents = &stream->call->gateway->options.agents;

    sw_list_remove(&stream->node);
    if (stream->logs != NULL)
        agents->logs_close(agents->ctx, stream->logs);
    stream->logs = NULL;
    sw_http_end(stream->call->request, NULL, 0);
}

static void put_line(const struct sw_gateway_log_line *line, uint64_t dropped,
                     struct sw_buffer *out)
{
    char time[SW_TIME_TEXT_SIZE];
    struct sw_buffer text;

    sw_buffer_init(&text, LINE_BYTES_MAX);
    if (sw_text_is_utf8(line->text.data, line->text.size))
        sw_buffer_put(&text, line->text.data, line->text.size);
    else
        sw_base64_encode(line->text.data, line->text.size, &text);
    sw_buffer_put_u8(&text, 0);
    sw_time_print(line->utc_ns, time);
    sw_buffer_print(out, "{\"time\":\"%s\",\"instance\":", time);
    sw_json_put_text(out, line->instance);
    sw_buffer_put_text(out, ",\"level\":");
    sw_json_put_text(out, line->level);
    sw_buffer_put_text(out, ",\"text\":");
    sw_json_put_text(out, text.failed ? "" : (const char *)text.data);
    if (dropped > 0)
        sw_buffer_print(out, ",\"dropped\":%llu", (unsigned long long)dropped);
    sw_buffer_put_u8(out, '}');
    sw_buffer_done(&text);
}

/* Whoever reads too slowly loses lines, and is told how many. */
static void on_line(void *ctx, const struct sw_gateway_log_line *line)
{
    struct gateway_stream *stream = ctx;
    uint64_t dropped = stream->dropped + line->dropped;
    struct sw_buffer data;

    sw_buffer_init(&data, 4 * LINE_BYTES_MAX);
    put_line(line, dropped, &data);
    if (data.failed ||
        sw_gateway_stream_event(stream, NULL, 0,
                                (struct sw_bytes){.data = data.data, .size = data.size}) != SW_OK)
        stream->dropped = dropped + 1;
    else
        stream->dropped = 0;
    sw_buffer_done(&data);
}

static void on_logs_end(void *ctx, enum sw_rc rc)
{
    struct gateway_stream *stream = ctx;

    (void)rc;
    stream->logs = NULL;
    if (stream->is_paused) /* Still inside of the call that began it. */
        stream->is_paused = false;
    else
        sw_gateway_logs_end(stream);
}

static void on_logs_cancel(void *ctx, struct sw_http_request *request)
{
    (void)request;
    sw_gateway_logs_end(ctx);
}

static enum sw_rc read_logs(struct gateway_call *call, struct sw_gateway_logs *ret_logs,
                            struct sw_err *err)
{
    uint64_t tail;
    enum sw_rc rc = sw_gateway_query_number(call, "tail", TAIL_STANDARD, TAIL_MAX, &tail, err);

    if (rc != SW_OK)
        return rc;
    *ret_logs = (struct sw_gateway_logs){.namespace_ = call->route.namespace_,
                                         .agent = call->route.name,
                                         .key = sw_gateway_query_text(call, "key"),
                                         .tail = (uint32_t)tail,
                                         .ctx = &call->stream,
                                         .on_line = on_line,
                                         .on_end = on_logs_end};
    if (ret_logs->key != NULL && (ret_logs->key[0] == '\0' || strlen(ret_logs->key) > KEY_MAX)) {
        (void)sw_err_set(err, SW_E_INVALID, "expected 1 to %u bytes", KEY_MAX);
        sw_err_field(err, "key");
        return SW_E_INVALID;
    }
    return sw_gateway_query_bool(call, "follow", &ret_logs->is_followed, err);
}

/* The Agent that a path names must be there. */
enum sw_rc sw_gateway_check_agent(const struct gateway_call *call, struct sw_err *err)
{
    char key[SW_OBJECT_KEY_MAX];

    sw_object_key(call->route.kind, call->route.namespace_, call->route.name, key);
    if (sw_store_find(sw_objects_store(call->gateway->options.objects), key) != NULL)
        return SW_OK;
    return sw_err_set(err, SW_E_NOT_FOUND, "there is no Agent %s in namespace %s", call->route.name,
                      call->route.namespace_);
}

void sw_gateway_serve_logs(struct gateway_call *call)
{
    struct sw_gateway_agents *agents = &call->gateway->options.agents;
    struct gateway_stream *stream = &call->stream;
    struct sw_gateway_logs logs;
    struct sw_err err = {0};
    enum sw_rc rc = read_logs(call, &logs, &err);
    void *opened = NULL;

    if (rc == SW_OK && agents->logs == NULL)
        rc = sw_err_set(&err, SW_E_UNSUPPORTED, "this daemon runs no agents");
    if (rc == SW_OK)
        rc = sw_gateway_check_agent(call, &err);
    if (rc != SW_OK) {
        sw_gateway_fail(call, rc, &err);
        return;
    }
    stream->call = call;
    stream->is_of_logs = true;
    stream->sent_ms = sw_loop_now_ms(call->gateway->options.loop);
    sw_list_add(&call->gateway->streams, &stream->node);
    sw_gateway_stream_start(call);
    stream->is_paused = true; /* So that an end that comes at once is seen below. */
    rc = agents->logs(agents->ctx, &logs, &opened, &err);
    if (rc != SW_OK || !stream->is_paused) {
        sw_gateway_logs_end(stream);
        return;
    }
    stream->is_paused = false;
    stream->logs = opened;
    sw_http_on_cancel(call->request, on_logs_cancel, stream);
}

/* ---- Modules ---- */

static void answer_module(struct gateway_call *call, int status,
                          const struct sw_gateway_module *module)
{
    const char *body =
        sw_arena_print(call->request->arena, "{\"digest\":\"%s\",\"sizeBytes\":\"%llu\"}",
                       module->digest, (unsigned long long)module->size_bytes);

    sw_gateway_answer_bytes(call, status, "application/json",
                            sw_bytes_of_text(body == NULL ? "{}" : body));
}

static void on_pushed(void *ctx, enum sw_rc rc, const struct sw_gateway_module *module,
                      const struct sw_err *err)
{
    struct gateway_call *call = ctx;

    if (rc != SW_OK)
        sw_gateway_fail(call, rc, err);
    else
        answer_module(call, module->is_new ? 201 : 200, module);
}

void sw_gateway_serve_module(struct gateway_call *call)
{
    struct sw_gateway_modules *modules = &call->gateway->options.modules;
    const struct gateway_route *route = &call->route;
    struct sw_gateway_module module = {0};
    struct sw_err err = {0};
    enum sw_rc rc = SW_OK;

    if (modules->put == NULL || modules->has == NULL)
        rc = sw_err_set(&err, SW_E_UNSUPPORTED, "this daemon keeps no modules");
    else if (call->verb == SW_VERB_PUSH)
        rc = modules->put(modules->ctx, route->namespace_, route->name, call->request->body,
                          on_pushed, call, &err);
    else if (modules->has(modules->ctx, route->namespace_, route->name, &module))
        answer_module(call, 200, &module);
    else
        rc = sw_err_set(&err, SW_E_NOT_FOUND, "there is no such module in namespace %s",
                        route->namespace_);
    if (rc != SW_OK)
        sw_gateway_fail(call, rc, &err);
}
