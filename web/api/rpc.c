#include "web/api/state.h"

#include "pkg/utils/base/text.h"

#include <string.h>

#define NS_PER_MS 1000000u

/* ---- Objects ---- */

static void rpc_get(struct gateway_call *call, const struct sw_api_get_request *request)
{
    struct sw_err err = {0};
    enum sw_rc rc = sw_gateway_authorize(call, SW_VERB_GET, call->route.kind->name,
                                         request->namespace, request->name, &err);

    if (rc == SW_OK)
        sw_gateway_get(call, request->namespace, request->name);
    else
        sw_gateway_fail(call, rc, &err);
}

static void rpc_list(struct gateway_call *call, const struct sw_api_list_request *request)
{
    struct sw_selector selector = {0};
    struct gateway_list list = {
        .query = {.kind = call->route.kind,
                  .namespace_name = request->namespace,
                  .name = "",
                  .selector = &selector},
        .page = {.limit = request->limit == 0 ? GATEWAY_LIST_LIMIT : request->limit,
                 .token = request->continue_,
                 .revision = request->resource_version}};
    struct sw_err err = {0};
    enum sw_rc rc = sw_gateway_authorize(call, SW_VERB_LIST, call->route.kind->name,
                                         request->namespace, "", &err);

    if (rc == SW_OK)
        rc = sw_selector_parse(request->label_selector, call->request->arena, &selector, &err);
    if (rc == SW_OK)
        sw_gateway_list(call, &list);
    else
        sw_gateway_fail(call, rc, &err);
}

static void rpc_watch(struct gateway_call *call, const struct sw_api_watch_request *request)
{
    struct sw_selector selector = {0};
    const struct sw_object_query query = {.kind = call->route.kind,
                                          .namespace_name = request->namespace,
                                          .name = request->name,
                                          .selector = &selector};
    struct sw_err err = {0};
    enum sw_rc rc = sw_gateway_authorize(call, SW_VERB_WATCH, call->route.kind->name,
                                         request->namespace, request->name, &err);

    if (rc == SW_OK)
        rc = sw_selector_parse(request->label_selector, call->request->arena, &selector, &err);
    if (rc == SW_OK)
        sw_gateway_watch(call, &query, request->resource_version);
    else
        sw_gateway_fail(call, rc, &err);
}

static void rpc_write(struct gateway_call *call, const struct sw_api_write_request *request,
                      enum sw_api_verb verb)
{
    enum sw_verb asked = verb == SW_API_VERB_CREATE          ? SW_VERB_CREATE
                         : verb == SW_API_VERB_UPDATE_STATUS ? SW_VERB_UPDATE_STATUS
                                                             : SW_VERB_UPDATE;
    struct sw_err err = {0};
    void *object = NULL;
    enum sw_rc rc;

    if (call->route.kind->message == &sw_api_secret_message)
        sw_http_set_secret(call->request);
    rc = sw_object_decode(call->route.kind, request->object, call->request->arena, &object, &err);

    if (rc == SW_OK)
        sw_gateway_write(call, asked, verb == SW_API_VERB_APPLY, object, request->dry_run);
    else
        sw_gateway_fail(call, rc, &err);
}

static void rpc_delete(struct gateway_call *call, const struct sw_api_delete_request *request)
{
    void *object = sw_object_new(call->route.kind, call->request->arena);
    struct sw_api_object_meta *meta;

    if (object == NULL) {
        sw_gateway_fail(call, SW_E_EXHAUSTED, NULL);
        return;
    }
    meta = sw_object_meta(object);
    meta->name = request->name;
    meta->namespace = request->namespace;
    meta->uid = request->uid;
    meta->resource_version = request->resource_version;
    sw_gateway_write(call, SW_VERB_DELETE, false, object, request->dry_run);
}

/* ---- Messages ---- */

static uint8_t priority_of(enum sw_api_priority priority)
{
    return priority == SW_API_PRIORITY_UNSPECIFIED ? SW_GATEWAY_PRIORITY_NONE
                                                   : (uint8_t)(priority - SW_API_PRIORITY_LOW);
}

static const char *type_or_bytes(const char *content_type)
{
    return content_type[0] == '\0' ? "application/octet-stream" : content_type;
}

static void rpc_send(struct gateway_call *call, const struct sw_api_send_request *request)
{
    struct sw_gateway_message message = {.namespace_ = request->namespace,
                                         .to = request->to,
                                         .content_type = type_or_bytes(request->content_type),
                                         .body = request->body,
                                         .priority = priority_of(request->priority),
                                         .request_id = request->request_id,
                                         .caller = call->principal.spiffe,
                                         .want_reply = request->want_reply};
    const char *slash = strchr(request->to, '/');
    size_t size = slash == NULL ? strlen(request->to) : (size_t)(slash - request->to);
    const char *agent = sw_arena_copy(call->request->arena, request->to, size);
    uint64_t remaining_ms = sw_grpc_remaining_ms(call->grpc);
    uint64_t timeout_ns = 0;
    struct sw_err err = {0};
    enum sw_rc rc = agent == NULL ? sw_err_set(&err, SW_E_EXHAUSTED, "no memory for this call")
                                  : sw_gateway_authorize(call, SW_VERB_SEND, "Agent",
                                                         request->namespace, agent, &err);

    if (rc == SW_OK)
        rc = sw_text_to_duration_ns(request->timeout, &timeout_ns);
    message.timeout_ms = timeout_ns / NS_PER_MS;
    if (remaining_ms < message.timeout_ms)
        message.timeout_ms = remaining_ms;
    if (rc == SW_OK)
        sw_gateway_send(call, &message);
    else
        sw_gateway_fail(call, rc, &err);
}

static void rpc_publish(struct gateway_call *call, const struct sw_api_publish_request *request)
{
    const struct sw_gateway_publication publication = {.namespace_ = request->namespace,
                                                       .subject = request->subject,
                                                       .content_type =
                                                           type_or_bytes(request->content_type),
                                                       .body = request->body,
                                                       .priority = priority_of(request->priority),
                                                       .request_id = request->request_id,
                                                       .caller = call->principal.spiffe};
    struct sw_err err = {0};
    enum sw_rc rc =
        sw_gateway_authorize(call, SW_VERB_PUBLISH, "Agent", request->namespace, "", &err);

    if (rc == SW_OK)
        sw_gateway_publish(call, &publication);
    else
        sw_gateway_fail(call, rc, &err);
}

/* ---- All methods ---- */

/* Decode, fill defaults and check a request; NULL when the call has been ended. */
static void *read_request(struct gateway_call *call, const struct sw_api_message *message,
                          struct sw_bytes bytes)
{
    struct sw_arena *arena = call->request->arena;
    void *value = sw_arena_get(arena, message->size_bytes);
    struct sw_validate_options options = {.problems = &call->problems, .file = ""};
    struct sw_err err = {0};
    enum sw_rc rc = value == NULL ? sw_err_set(&err, SW_E_EXHAUSTED, "no memory for this call")
                                  : sw_protobuf_decode(message, bytes, arena, value, &err);

    if (rc == SW_OK) {
        sw_api_apply_defaults(message, value);
        rc = sw_api_validate(message, value, &options);
        if (rc != SW_OK)
            (void)!sw_problems_check(&call->problems, &err);
    }
    if (rc == SW_OK)
        return value;
    sw_gateway_fail(call, rc, &err);
    return NULL;
}

static void on_call(void *ctx, struct sw_grpc_call *grpc, struct sw_bytes message)
{
    struct grpc_binding *binding = ctx;
    const struct sw_api_method *method = binding->method;
    struct gateway_call *call = sw_grpc_request(grpc)->user;
    void *request;

    call->grpc = grpc;
    call->route.kind = method->kind;
    request = read_request(call, method->request, message);
    if (request == NULL)
        return;
    switch (method->verb) {
    case SW_API_VERB_GET:
        rpc_get(call, request);
        break;
    case SW_API_VERB_LIST:
        rpc_list(call, request);
        break;
    case SW_API_VERB_WATCH:
        rpc_watch(call, request);
        break;
    case SW_API_VERB_CREATE:
    case SW_API_VERB_UPDATE:
    case SW_API_VERB_UPDATE_STATUS:
    case SW_API_VERB_APPLY:
        rpc_write(call, request, method->verb);
        break;
    case SW_API_VERB_DELETE:
        rpc_delete(call, request);
        break;
    case SW_API_VERB_SEND:
        rpc_send(call, request);
        break;
    case SW_API_VERB_PUBLISH:
        rpc_publish(call, request);
        break;
    }
}

enum sw_rc sw_gateway_add_methods(struct sw_gateway *gateway, struct sw_err *err)
{
    enum sw_rc rc = SW_OK;

    for (unsigned i = 0; i < sw_api_method_count && rc == SW_OK; i++) {
        struct sw_grpc_method method = {.path = sw_api_methods[i].path, .call = on_call};

        if (i == GATEWAY_METHODS_MAX)
            return sw_err_set(err, SW_E_INTERNAL, "more than %u methods", GATEWAY_METHODS_MAX);
        gateway->bindings[i].gateway = gateway;
        gateway->bindings[i].method = &sw_api_methods[i];
        method.ctx = &gateway->bindings[i];
        rc = sw_grpc_add(gateway->grpc, &method);
    }
    return rc == SW_OK ? SW_OK : sw_err_set(err, rc, "cannot add the methods of the API");
}

static struct sw_bytes find_file(void *ctx, const char *name)
{
    const struct sw_api_file *file = sw_api_file_find(name);

    (void)ctx;
    return file == NULL ? (struct sw_bytes){0} : file->descriptor;
}

static struct sw_bytes find_symbol(void *ctx, const char *symbol)
{
    const struct sw_api_file *file = sw_api_file_of_symbol(symbol);

    (void)ctx;
    return file == NULL ? (struct sw_bytes){0} : file->descriptor;
}

enum sw_rc sw_gateway_new_grpc(struct sw_gateway *gateway, struct sw_err *err)
{
    const struct sw_grpc_reflection reflection = {.services = sw_api_services,
                                                  .services_count = sw_api_service_count,
                                                  .file = find_file,
                                                  .symbol = find_symbol};
    enum sw_rc rc = sw_grpc_new(gateway->options.loop, &reflection, &gateway->grpc, err);

    return rc == SW_OK ? sw_gateway_add_methods(gateway, err) : rc;
}
