#include "web/api/state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ANSWER_BYTES_MAX ((size_t)64 * 1024 * 1024)
#define NS_PER_US 1000u

void sw_gateway_count(struct gateway_call *call, int status)
{
    struct sw_gateway *gateway = call->gateway;
    const struct sw_system *system = gateway->options.system;
    size_t at = status >= 100 && status < 600 ? (size_t)status : 500;
    char text[16];
    const char *values[] = {text, NULL};

    if (gateway->by_status[at] == NULL) {
        (void)snprintf(text, sizeof text, "%zu", at);
        gateway->by_status[at] = sw_metric_series(gateway->requests, values);
    }
    sw_series_add(gateway->by_status[at], 1);
    sw_series_observe(gateway->seconds, system->monotonic_ns(system->ctx) - call->begun_ns);
}

static void count_grpc(struct gateway_call *call, enum sw_rc rc)
{
    struct sw_gateway *gateway = call->gateway;
    size_t at = (size_t)-(int)rc < 17 ? (size_t)-(int)rc : 2;
    const char *values[] = {sw_rc_name((enum sw_rc)(-(int)at)), NULL};
    const struct sw_system *system = gateway->options.system;

    if (gateway->by_code[at] == NULL)
        gateway->by_code[at] = sw_metric_series(gateway->requests_grpc, values);
    sw_series_add(gateway->by_code[at], 1);
    sw_series_observe(gateway->seconds, system->monotonic_ns(system->ctx) - call->begun_ns);
}

const char *sw_gateway_header_safe(struct sw_arena *arena, const char *text, const char *otherwise)
{
    size_t size = strlen(text);
    char *copy = sw_arena_copy(arena, text, size);

    if (copy == NULL || size == 0)
        return otherwise;
    for (size_t i = 0; i < size; i++)
        if ((unsigned char)copy[i] < ' ' || (unsigned char)copy[i] > '~')
            copy[i] = '?';
    return copy;
}

/* ---- Errors ---- */

static void put_member(struct sw_buffer *out, const char *name, const char *text)
{
    if (text[0] == '\0')
        return;
    sw_buffer_print(out, ",\"%s\":", name);
    sw_json_put_text(out, text);
}

void sw_gateway_put_problem(struct gateway_call *call, int status, enum sw_rc rc,
                            const struct sw_err *err, struct sw_buffer *out)
{
    const struct sw_problems *problems = &call->problems;

    sw_buffer_print(out, "{\"type\":\"urn:swarm:error:%s\",\"title\":", sw_rc_name(rc));
    sw_json_put_text(out, sw_rc_describe(rc));
    sw_buffer_print(out, ",\"status\":%d,\"code\":\"%s\"", status, sw_rc_name(rc));
    put_member(out, "detail", err->message);
    put_member(out, "field", err->field);
    put_member(out, "hint", err->hint);
    if (problems->count > 0 && rc == SW_E_INVALID) {
        sw_buffer_put_text(out, ",\"problems\":[");
        for (size_t i = 0; i < problems->count; i++) {
            sw_buffer_put_text(out, i == 0 ? "{\"message\":" : ",{\"message\":");
            sw_json_put_text(out, problems->items[i].message);
            put_member(out, "field", problems->items[i].field);
            put_member(out, "hint", problems->items[i].hint);
            sw_buffer_put_u8(out, '}');
        }
        sw_buffer_put_u8(out, ']');
    }
    sw_buffer_put_u8(out, '}');
}

void sw_gateway_fail_as(struct gateway_call *call, int status, enum sw_rc rc,
                        const struct sw_err *err, const char *allow)
{
    struct sw_http_header headers[2] = {SW_HTTP_HEADER("content-type", "application/problem+json")};
    size_t count = 1;
    struct sw_buffer body;

    sw_buffer_init(&body, ANSWER_BYTES_MAX);
    if (call->wants_protobuf) {
        headers[0] =
            (struct sw_http_header)SW_HTTP_HEADER("content-type", "application/x-protobuf");
        sw_grpc_put_status(&body, rc, err);
    } else {
        sw_gateway_put_problem(call, status, rc, err, &body);
    }
    if (allow != NULL)
        headers[count++] = (struct sw_http_header)SW_HTTP_HEADER("allow", allow);
    else if (status == 503 || status == 429)
        headers[count++] = (struct sw_http_header)SW_HTTP_HEADER("retry-after", "1");
    sw_gateway_count(call, status);
    sw_http_respond(call->request, status, headers, count,
                    (struct sw_bytes){.data = body.data, .size = body.failed ? 0 : body.size});
    sw_buffer_done(&body);
}

void sw_gateway_fail(struct gateway_call *call, enum sw_rc rc, const struct sw_err *err)
{
    struct sw_err none = {0};

    if (err == NULL) {
        (void)sw_err_set(&none, rc, "%s", sw_rc_describe(rc));
        err = &none;
    }
    if (call->grpc == NULL) {
        sw_gateway_fail_as(call, sw_rc_http_status(rc), rc, err, NULL);
        return;
    }
    count_grpc(call, rc);
    sw_grpc_finish(call->grpc, rc, err);
}

/* ---- Values ---- */

void sw_gateway_answer_bytes(struct gateway_call *call, int status, const char *content_type,
                             struct sw_bytes body)
{
    sw_gateway_count(call, status);
    sw_http_respond_text(call->request, status, content_type, body);
}

void sw_gateway_answer_protobuf(struct gateway_call *call, int status, struct sw_bytes body)
{
    if (call->grpc != NULL) {
        count_grpc(call, SW_OK);
        sw_grpc_reply(call->grpc, body);
    } else {
        sw_gateway_answer_bytes(call, status, "application/x-protobuf", body);
    }
}

void sw_gateway_answer(struct gateway_call *call, int status, const struct sw_api_message *message,
                       const void *value)
{
    bool is_protobuf = call->grpc != NULL || call->wants_protobuf;
    struct sw_err err = {0};
    struct sw_buffer body;

    sw_buffer_init(&body, ANSWER_BYTES_MAX);
    if (is_protobuf)
        sw_protobuf_encode(message, value, &body);
    else
        sw_json_encode(message, value, SW_JSON_COMPACT, &body);
    if (body.failed) {
        (void)sw_err_set(&err, SW_E_EXHAUSTED, "no memory for the answer");
        sw_gateway_fail(call, SW_E_EXHAUSTED, &err);
    } else if (is_protobuf) {
        sw_gateway_answer_protobuf(call, status, (struct sw_bytes){body.data, body.size});
    } else {
        sw_gateway_answer_bytes(call, status, "application/json",
                                (struct sw_bytes){.data = body.data, .size = body.size});
    }
    sw_buffer_done(&body);
}
