#include "web/api/state.h"

#include "pkg/utils/base/text.h"

#include <string.h>

#define INSTANCES_STANDARD 500u
#define TAIL_STANDARD 100u
#define TAIL_MAX 10000u
#define LINE_BYTES_MAX 262144u
#define KEY_MAX 253u
#define CONTINUE_MAX 255u /* It is the name of an instance. */

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

/* ---- Instances ---- */

void sw_gateway_put_usage(const struct sw_gateway_usage *usage, struct sw_buffer *out)
{
    const struct {
        const char *name;
        uint64_t value;
    } fields[] = {{"cpuNanoseconds", usage->cpu_ns},
                  {"messages", usage->messages},
                  {"messageBytes", usage->message_bytes},
                  {"sent", usage->sent},
                  {"sentBytes", usage->sent_bytes},
                  {"wakeups", usage->wakeups},
                  {"memoryByteSeconds", usage->memory_byte_s},
                  {"memoryBytes", usage->memory_bytes}};
    char time[SW_TIME_TEXT_SIZE];

    sw_buffer_put_u8(out, '{');
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
        sw_buffer_print(out, "\"%s\":\"%llu\",", fields[i].name,
                        (unsigned long long)fields[i].value);
    sw_time_print(usage->utc_ns, time);
    sw_buffer_print(out, "\"time\":\"%s\"}", time);
}

static void put_instance(const struct sw_gateway_instance *item, struct sw_buffer *out)
{
    const struct {
        const char *name, *text;
    } texts[] = {{"name", item->name},   {"pod", item->pod},       {"node", item->node},
                 {"state", item->state}, {"module", item->module}, {"message", item->message}};

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        sw_buffer_print(out, "%c\"%s\":", i == 0 ? '{' : ',', texts[i].name);
        sw_json_put_text(out, texts[i].text == NULL ? "" : texts[i].text);
    }
    sw_buffer_print(out, ",\"turns\":\"%llu\",\"mailbox\":\"%llu\",\"memoryBytes\":\"%llu\"",
                    (unsigned long long)item->turns, (unsigned long long)item->mailbox,
                    (unsigned long long)item->memory_bytes);
    if (item->usage.utc_ns != 0) {
        sw_buffer_put_text(out, ",\"usage\":");
        sw_gateway_put_usage(&item->usage, out);
    }
    sw_buffer_put_u8(out, '}');
}

static void on_instances(void *ctx, enum sw_rc rc, const struct sw_gateway_instance *items,
                         size_t count, bool more, const struct sw_err *err)
{
    struct gateway_call *call = ctx;
    struct sw_buffer body;
    struct sw_err none = {0};

    if (rc != SW_OK) {
        sw_gateway_fail(call, rc, err);
        return;
    }
    sw_buffer_init(&body, GATEWAY_LIST_BYTES_MAX);
    sw_buffer_put_text(&body, "{\"items\":[");
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            sw_buffer_put_u8(&body, ',');
        put_instance(&items[i], &body);
    }
    sw_buffer_put_text(&body, "],\"continue\":");
    sw_json_put_text(&body, more && count > 0 ? items[count - 1].name : "");
    sw_buffer_put_u8(&body, '}');
    if (body.failed) {
        (void)sw_err_set(&none, SW_E_EXHAUSTED, "no memory for the list");
        sw_gateway_fail(call, SW_E_EXHAUSTED, &none);
    } else {
        sw_gateway_answer_bytes(call, 200, "application/json",
                                (struct sw_bytes){.data = body.data, .size = body.size});
    }
    sw_buffer_done(&body);
}

void sw_gateway_serve_instances(struct gateway_call *call)
{
    struct sw_gateway_agents *agents = &call->gateway->options.agents;
    const char *after = sw_gateway_query_text(call, "continue");
    struct sw_gateway_instances query = {.namespace_ = call->route.namespace_,
                                         .agent = call->route.name,
                                         .after = after == NULL ? "" : after};
    struct sw_err err = {0};
    uint64_t limit = 0;
    enum sw_rc rc =
        sw_gateway_query_number(call, "limit", 0, SW_GATEWAY_INSTANCES_MAX, &limit, &err);

    query.limit = limit == 0 ? INSTANCES_STANDARD : (uint32_t)limit;
    if (rc == SW_OK && strlen(query.after) > CONTINUE_MAX) {
        rc = sw_err_set(&err, SW_E_INVALID, "not a text that this server gave out");
        sw_err_field(&err, "continue");
    }
    if (rc == SW_OK && agents->instances == NULL)
        rc = sw_err_set(&err, SW_E_UNSUPPORTED, "this daemon runs no agents");
    if (rc == SW_OK)
        rc = sw_gateway_check_agent(call, &err);
    if (rc == SW_OK)
        rc = agents->instances(agents->ctx, &query, on_instances, call, &err);
    if (rc != SW_OK)
        sw_gateway_fail(call, rc, &err);
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
