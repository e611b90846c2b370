#include "web/api/state.h"

#include "pkg/utils/base/text.h"
#include "web/api/hold.h"

#include <string.h>

#define NS_PER_MS 1000000u
#define TIMEOUT_STANDARD_MS 30000u
#define TIMEOUT_MAX_NS UINT64_C(3600000000000)
#define REQUEST_ID_MAX 128u
#define INSTANCE_NAME_MAX 255u

/* ---- Answers ---- */

static void answer_send_rest(struct gateway_call *call, const struct sw_gateway_reply *reply)
{
    struct sw_arena *arena = call->request->arena;
    const char *type =
        sw_gateway_header_safe(arena, reply->content_type, "application/octet-stream");
    const char *from = sw_gateway_header_safe(arena, reply->from, "");
    struct sw_http_header headers[] = {SW_HTTP_HEADER("content-type", type),
                                       SW_HTTP_HEADER("swarm-from", from)};

    sw_gateway_count(call, 200);
    sw_http_respond(call->request, 200, headers, 2, reply->body);
}

/* An instance that answers with a negative status refuses: over REST that is a problem. */
static void answer_refusal(struct gateway_call *call, const struct sw_gateway_reply *reply)
{
    enum sw_rc rc =
        reply->status >= (int32_t)SW_E_UNAUTHENTICATED ? (enum sw_rc)reply->status : SW_E_UNKNOWN;
    struct sw_err err = {0};
    size_t size = reply->body.size < 400 ? reply->body.size : 400;

    if (!sw_text_is_utf8(reply->body.data, size))
        size = 0;
    (void)sw_err_set(&err, rc, "%.*s", (int)size, size == 0 ? "" : (const char *)reply->body.data);
    sw_gateway_fail(call, rc, &err);
}

static void on_sent(void *ctx, enum sw_rc rc, const struct sw_gateway_reply *reply,
                    const struct sw_err *err)
{
    struct gateway_call *call = ctx;
    struct sw_api_send_response response;
    struct sw_err why = {0};

    if (rc != SW_OK) {
        why = *err;
        /* The body of a gRPC message is gone by now, unless it was held before. */
        if ((call->grpc != NULL && !call->held.was_held) || !sw_gateway_hold(call, rc, &why))
            sw_gateway_fail(call, why.rc, &why);
    } else if (call->grpc != NULL) {
        sw_api_init(&sw_api_send_response_message, &response);
        response.status = reply->status;
        response.content_type = reply->content_type;
        response.body = reply->body;
        response.from = reply->from;
        sw_gateway_answer(call, 200, &sw_api_send_response_message, &response);
    } else if (reply->status < 0) {
        answer_refusal(call, reply);
    } else {
        answer_send_rest(call, reply);
    }
}

static void on_published(void *ctx, enum sw_rc rc, uint64_t subscribers, const struct sw_err *err)
{
    struct gateway_call *call = ctx;
    struct sw_api_publish_response response = {.subscribers = subscribers};

    if (rc != SW_OK)
        sw_gateway_fail(call, rc, err);
    else
        sw_gateway_answer(call, 200, &sw_api_publish_response_message, &response);
}

/* ---- What REST and gRPC share ---- */

static enum sw_rc not_offered(struct sw_err *err)
{
    return sw_err_set(err, SW_E_UNSUPPORTED, "this daemon runs no agents");
}

void sw_gateway_send_now(struct gateway_call *call)
{
    const struct sw_gateway_agents *agents = &call->gateway->options.agents;
    struct sw_err err = {0};
    enum sw_rc rc = agents->send(agents->ctx, &call->held.message, on_sent, call, &err);

    if (rc != SW_OK && !sw_gateway_hold(call, rc, &err))
        sw_gateway_fail(call, err.rc, &err);
}

void sw_gateway_send(struct gateway_call *call, const struct sw_gateway_message *message)
{
    const struct sw_gateway_agents *agents = &call->gateway->options.agents;
    struct sw_err err = {0};
    enum sw_rc rc = agents->send == NULL ? not_offered(&err) : SW_OK;

    if (rc == SW_OK && message->body.size > SW_GATEWAY_MESSAGE_BYTES_MAX) {
        rc = sw_err_set(&err, SW_E_EXHAUSTED, "a message has at most %zu bytes",
                        SW_GATEWAY_MESSAGE_BYTES_MAX);
        sw_err_field(&err, "body");
    }
    if (rc != SW_OK) {
        sw_gateway_fail(call, rc, &err);
        return;
    }
    sw_gateway_hold_begin(call, message);
    sw_gateway_send_now(call);
}

void sw_gateway_publish(struct gateway_call *call, const struct sw_gateway_publication *publication)
{
    const struct sw_gateway_agents *agents = &call->gateway->options.agents;
    struct sw_err err = {0};
    enum sw_rc rc = agents->publish == NULL ? not_offered(&err) : SW_OK;

    if (rc == SW_OK && publication->body.size > SW_GATEWAY_MESSAGE_BYTES_MAX) {
        rc = sw_err_set(&err, SW_E_EXHAUSTED, "a message has at most %zu bytes",
                        SW_GATEWAY_MESSAGE_BYTES_MAX);
        sw_err_field(&err, "body");
    }
    if (rc == SW_OK)
        rc = agents->publish(agents->ctx, publication, on_published, call, &err);
    if (rc != SW_OK)
        sw_gateway_fail(call, rc, &err);
}

/* ---- REST ---- */

static enum sw_rc read_priority(const struct gateway_call *call, uint8_t *ret_priority,
                                struct sw_err *err)
{
    const char *text = sw_gateway_query_text(call, "priority");
    const struct sw_api_enum_value *value;

    *ret_priority = SW_GATEWAY_PRIORITY_NONE;
    if (text == NULL)
        return SW_OK;
    value = sw_api_enum_find(&sw_api_priority_enum, text);
    if (value == NULL || value->number < SW_API_PRIORITY_LOW) {
        (void)sw_err_set(err, SW_E_INVALID, "expected low, normal, high or urgent");
        sw_err_field(err, "priority");
        return SW_E_INVALID;
    }
    *ret_priority = (uint8_t)(value->number - SW_API_PRIORITY_LOW);
    return SW_OK;
}

static enum sw_rc read_timeout(const struct gateway_call *call, uint64_t *ret_ms,
                               struct sw_err *err)
{
    const char *text = sw_gateway_query_text(call, "timeout");
    uint64_t ns = 0;

    *ret_ms = TIMEOUT_STANDARD_MS;
    if (text == NULL)
        return SW_OK;
    if (sw_text_to_duration_ns(text, &ns) != SW_OK || ns < NS_PER_MS || ns > TIMEOUT_MAX_NS) {
        (void)sw_err_set(err, SW_E_INVALID, "expected a duration from 1ms to 1h, such as 30s");
        sw_err_field(err, "timeout");
        return SW_E_INVALID;
    }
    *ret_ms = ns / NS_PER_MS;
    return SW_OK;
}

static enum sw_rc read_request_id(const struct gateway_call *call, const char **ret_id,
                                  struct sw_err *err)
{
    const char *text = sw_gateway_query_text(call, "requestId");

    *ret_id = text == NULL ? "" : text;
    if (text == NULL || (text[0] != '\0' && strlen(text) <= REQUEST_ID_MAX))
        return SW_OK;
    (void)sw_err_set(err, SW_E_INVALID, "expected 1 to %u bytes", REQUEST_ID_MAX);
    sw_err_field(err, "requestId");
    return SW_E_INVALID;
}

/* The media type of the body as text. */
static const char *content_type(const struct gateway_call *call)
{
    struct sw_bytes type = sw_http_header_find(call->request, "content-type");
    const char *text = "application/octet-stream";

    /* Headers are NUL-terminated copies in the arena. */
    if (type.size > 0 && type.size <= INSTANCE_NAME_MAX && sw_text_is_utf8(type.data, type.size))
        text = type.data;
    return text;
}

/* "agent/key", or "agent" when no key is given. */
static enum sw_rc read_instance(const struct gateway_call *call, const char **ret_to,
                                struct sw_err *err)
{
    const char *key = sw_gateway_query_text(call, "key");

    *ret_to = call->route.name;
    if (key == NULL)
        return SW_OK;
    *ret_to = sw_arena_print(call->request->arena, "%s/%s", call->route.name, key);
    if (*ret_to == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for this request");
    if (key[0] != '\0' && strlen(*ret_to) <= INSTANCE_NAME_MAX)
        return SW_OK;
    (void)sw_err_set(err, SW_E_INVALID, "expected a key such that agent/key has at most %u bytes",
                     INSTANCE_NAME_MAX);
    sw_err_field(err, "key");
    return SW_E_INVALID;
}

void sw_gateway_serve_send(struct gateway_call *call)
{
    struct sw_gateway_message message = {.namespace_ = call->route.namespace_,
                                         .content_type = content_type(call),
                                         .body = call->request->body,
                                         .caller = call->principal.spiffe};
    struct sw_err err = {0};
    enum sw_rc rc = read_instance(call, &message.to, &err);

    if (rc == SW_OK)
        rc = read_priority(call, &message.priority, &err);
    if (rc == SW_OK)
        rc = read_timeout(call, &message.timeout_ms, &err);
    if (rc == SW_OK)
        rc = read_request_id(call, &message.request_id, &err);
    if (rc == SW_OK)
        rc = sw_gateway_query_bool(call, "reply", &message.want_reply, &err);
    if (rc == SW_OK)
        sw_gateway_send(call, &message);
    else
        sw_gateway_fail(call, rc, &err);
}

void sw_gateway_serve_publish(struct gateway_call *call)
{
    struct sw_gateway_publication publication = {.namespace_ = call->route.namespace_,
                                                 .content_type = content_type(call),
                                                 .body = call->request->body,
                                                 .caller = call->principal.spiffe};
    struct sw_err err = {0};
    enum sw_rc rc = SW_OK;

    publication.subject = sw_gateway_query_text(call, "subject");
    if (publication.subject == NULL)
        rc = sw_err_set(&err, SW_E_INVALID, "a subject is needed");
    else
        rc = sw_format_check(SW_API_FORMAT_SUBJECT, publication.subject, &err);
    if (rc != SW_OK)
        sw_err_field(&err, "subject");
    if (rc == SW_OK)
        rc = read_priority(call, &publication.priority, &err);
    if (rc == SW_OK)
        rc = read_request_id(call, &publication.request_id, &err);
    if (rc == SW_OK)
        sw_gateway_publish(call, &publication);
    else
        sw_gateway_fail(call, rc, &err);
}
