#include "pkg/communication/protocol/grpc.h"

#include "pkg/communication/protocol/grpc_state.h"
#include "pkg/utils/base/text.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DETAILS_BYTES_MAX 8192u
#define MESSAGE_BYTES_MAX 2048u

struct sw_grpc_call { /* In its request's arena. */
    struct sw_http_request *request;
    struct sw_grpc *grpc;
    struct sw_timer *timer; /* The deadline, once the call outlives its first round. */
    uint64_t deadline_ms;   /* Of the loop's clock; UINT64_MAX: none. */
    bool *is_over;          /* Set when the call ends inside of its method. */
    bool is_started, is_late;
    void *user;
    void (*on_cancel)(void *ctx, struct sw_grpc_call *call);
    void *on_cancel_ctx;
    void (*on_writable)(void *ctx, struct sw_grpc_call *call);
    void *on_writable_ctx;
};

/* ---- The table of methods ---- */

enum sw_rc sw_grpc_new(struct sw_loop *loop, const struct sw_grpc_reflection *reflection,
                       struct sw_grpc **ret_grpc, struct sw_err *err)
{
    SW_CLEANUP(sw_grpc_freep) struct sw_grpc *grpc = calloc(1, sizeof *grpc);

    if (grpc == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for gRPC");
    sw_list_init(&grpc->watchers);
    grpc->loop = loop;
    grpc->health = SW_GRPC_NOT_SERVING;
    grpc->has_reflection = reflection != NULL;
    if (reflection != NULL)
        grpc->reflection = *reflection;
    grpc->methods = sw_map_new(0); /* Its keys are ours, not a peer's. */
    if (grpc->methods == NULL || sw_grpc_add_health(grpc) != SW_OK)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for gRPC");
    *ret_grpc = SW_TAKE(grpc);
    return SW_OK;
}

void sw_grpc_free(struct sw_grpc *grpc)
{
    struct sw_map_entry entry;
    size_t cursor = 0;

    if (grpc == NULL)
        return;
    while (grpc->methods != NULL && sw_map_next(grpc->methods, &cursor, &entry))
        free(entry.value);
    sw_map_free(grpc->methods);
    free(grpc);
}

enum sw_rc sw_grpc_add(struct sw_grpc *grpc, const struct sw_grpc_method *method)
{
    struct sw_grpc_method *copy;

    if (sw_map_find(grpc->methods, method->path, strlen(method->path)) != NULL)
        return SW_E_EXISTS;
    copy = malloc(sizeof *copy);
    if (copy == NULL)
        return SW_E_EXHAUSTED;
    *copy = *method;
    if (sw_map_put(grpc->methods, method->path, strlen(method->path), copy, NULL) != SW_OK) {
        free(copy);
        return SW_E_EXHAUSTED;
    }
    return SW_OK;
}

bool sw_grpc_is_call(const struct sw_http_request *request)
{
    struct sw_bytes type = sw_http_header_find(request, "content-type");

    if (type.size < 16 || memcmp(type.data, "application/grpc", 16) != 0)
        return false;
    return type.size == 16 || ((const char *)type.data)[16] == '+' ||
           ((const char *)type.data)[16] == ';';
}

bool sw_grpc_is_open(const struct sw_http_request *request)
{
    static const char prefix[] = "/grpc.health.v1.Health/";

    return request->path.size > sizeof prefix - 1 &&
           memcmp(request->path.data, prefix, sizeof prefix - 1) == 0;
}

/* ---- Ends of calls ---- */

/* The three headers that say how a call ended; texts live in the arena. */
static size_t status_headers(struct sw_arena *arena, enum sw_rc rc, const struct sw_err *err,
                             struct sw_http_header ret_headers[3])
{
    struct sw_buffer details, text;
    const char *number = rc == SW_OK ? "0" : sw_arena_print(arena, "%d", -(int)rc);
    const char *message, *encoded;

    ret_headers[0] = (struct sw_http_header)SW_HTTP_HEADER("grpc-status", number ? number : "13");
    if (rc == SW_OK || err == NULL)
        return 1;
    sw_buffer_init(&details, DETAILS_BYTES_MAX);
    sw_buffer_init(&text, 2 * DETAILS_BYTES_MAX);
    sw_grpc_put_message(&text, err->message);
    message = sw_arena_copy(arena, text.data, text.size);
    sw_buffer_reset(&text);
    sw_grpc_put_status(&details, rc, err);
    sw_base64_encode(details.data, details.size, &text);
    while (text.size > 0 && text.data[text.size - 1] == '=') /* gRPC sends no padding. */
        text.size--;
    encoded = sw_arena_copy(arena, text.data, text.size);
    sw_buffer_done(&details);
    sw_buffer_done(&text);
    if (message == NULL || encoded == NULL)
        return 1;
    ret_headers[1] = (struct sw_http_header)SW_HTTP_HEADER("grpc-message", message);
    ret_headers[2] = (struct sw_http_header)SW_HTTP_HEADER("grpc-status-details-bin", encoded);
    return 3;
}

void sw_grpc_refuse(struct sw_http_request *request, enum sw_rc rc, const struct sw_err *err)
{
    struct sw_http_header headers[4] = {SW_HTTP_HEADER("content-type", "application/grpc")};
    size_t count = 1 + status_headers(request->arena, rc, err, headers + 1);

    sw_http_respond(request, 200, headers, count, (struct sw_bytes){0});
}

static void refuse_words(struct sw_http_request *request, enum sw_rc rc, const char *words)
{
    struct sw_err err = {0};

    (void)sw_err_set(&err, rc, "%s", words);
    sw_grpc_refuse(request, rc, &err);
}

static void call_start(struct sw_grpc_call *call)
{
    static const struct sw_http_header header = {
        .name = {"content-type", sizeof "content-type" - 1},
        .value = {"application/grpc", sizeof "application/grpc" - 1}};

    if (call->is_started)
        return;
    call->is_started = true;
    sw_http_start(call->request, 200, &header, 1);
}

/* What every end has in common; the request is still there. */
static void call_over(struct sw_grpc_call *call)
{
    sw_timer_free(call->timer);
    call->timer = NULL;
    if (call->is_over != NULL)
        *call->is_over = true;
}

void sw_grpc_finish(struct sw_grpc_call *call, enum sw_rc rc, const struct sw_err *err)
{
    struct sw_http_header headers[3];
    struct sw_http_request *request = call->request;

    call_over(call);
    if (call->is_late) /* The deadline decides, whatever the method says now. */
        rc = SW_E_TIMEOUT;
    if (!call->is_started && rc != SW_OK) {
        sw_grpc_refuse(request, rc, err);
        return;
    }
    call_start(call);
    sw_http_end(request, headers, status_headers(request->arena, rc, err, headers));
}

void sw_grpc_reply(struct sw_grpc_call *call, struct sw_bytes message)
{
    struct sw_err err = {0};
    enum sw_rc rc = call->is_late ? SW_E_TIMEOUT : sw_grpc_send(call, message);

    if (rc == SW_E_EXHAUSTED)
        (void)sw_err_set(&err, rc, "the answer is too large");
    sw_grpc_finish(call, rc == SW_E_CANCELLED ? SW_OK : rc, rc == SW_OK ? NULL : &err);
}

enum sw_rc sw_grpc_send(struct sw_grpc_call *call, struct sw_bytes message)
{
    uint8_t head[SW_GRPC_HEAD_BYTES];
    const struct sw_bytes pieces[] = {{head, sizeof head}, message};

    if (call->is_late)
        return SW_E_CANCELLED;
    call_start(call);
    sw_grpc_frame_head(message.size, head);
    return sw_http_write_all(call->request, pieces, 2);
}

/* ---- Cancellation ---- */

static void tell_cancelled(struct sw_grpc_call *call)
{
    void (*on_cancel)(void *ctx, struct sw_grpc_call *call) = call->on_cancel;

    call->on_cancel = NULL;
    if (on_cancel != NULL)
        on_cancel(call->on_cancel_ctx, call);
}

static void on_request_cancel(void *ctx, struct sw_http_request *request)
{
    (void)request;
    tell_cancelled(ctx);
}

/* A method that cannot be cancelled ends the call later, and is told nothing: its caller gets
 * DEADLINE_EXCEEDED whatever it answers. */
static void on_deadline(void *ctx)
{
    struct sw_grpc_call *call = ctx;

    call->is_late = true;
    tell_cancelled(call);
}

static void on_request_writable(void *ctx, struct sw_http_request *request)
{
    struct sw_grpc_call *call = ctx;

    (void)request;
    if (call->on_writable != NULL)
        call->on_writable(call->on_writable_ctx, call);
}

void sw_grpc_on_cancel(struct sw_grpc_call *call,
                       void (*on_cancel)(void *ctx, struct sw_grpc_call *call), void *ctx)
{
    call->on_cancel = on_cancel;
    call->on_cancel_ctx = ctx;
}

void sw_grpc_on_writable(struct sw_grpc_call *call,
                         void (*on_writable)(void *ctx, struct sw_grpc_call *call), void *ctx)
{
    call->on_writable = on_writable;
    call->on_writable_ctx = ctx;
    sw_http_on_writable(call->request, on_request_writable, call);
}

struct sw_http_request *sw_grpc_request(struct sw_grpc_call *call)
{
    return call->request;
}

uint64_t sw_grpc_remaining_ms(const struct sw_grpc_call *call)
{
    uint64_t now_ms = sw_loop_now_ms(call->grpc->loop);

    if (call->deadline_ms == UINT64_MAX)
        return UINT64_MAX;
    return call->deadline_ms > now_ms ? call->deadline_ms - now_ms : 0;
}

void sw_grpc_set_user(struct sw_grpc_call *call, void *user)
{
    call->user = user;
}

void *sw_grpc_user(const struct sw_grpc_call *call)
{
    return call->user;
}

/* ---- Beginnings ---- */

void sw_grpc_begin(struct sw_grpc *grpc, struct sw_http_request *request)
{
    struct sw_bytes encoding = sw_http_header_find(request, "grpc-encoding");

    if (!request->is_http2 || request->method != SW_HTTP_POST) {
        sw_http_respond_text(request, 415, "text/plain",
                             sw_bytes_of_text("gRPC needs POST over HTTP/2\n"));
    } else if (grpc->has_reflection && sw_grpc_is_reflection(request)) {
        sw_grpc_reflect(grpc, request);
    } else if (sw_map_find(grpc->methods, request->path.data, request->path.size) == NULL) {
        refuse_words(request, SW_E_UNSUPPORTED, "there is no such method");
    } else if (encoding.size > 0 && !sw_bytes_is_text(encoding, "identity")) {
        refuse_words(request, SW_E_UNSUPPORTED, "compressed messages are not read here");
    }
}

/* SW_OK, or the request has been refused. */
static bool read_deadline(struct sw_grpc_call *call)
{
    struct sw_bytes text = sw_http_header_find(call->request, "grpc-timeout");
    uint64_t timeout_ms;

    call->deadline_ms = UINT64_MAX;
    if (text.size == 0)
        return true;
    if (sw_grpc_parse_timeout(text, &timeout_ms) != SW_OK) {
        refuse_words(call->request, SW_E_INVALID, "grpc-timeout cannot be read");
        return false;
    }
    call->deadline_ms = call->request->begun_ms + timeout_ms;
    return true;
}

static bool read_message(struct sw_http_request *request, struct sw_bytes *ret_message)
{
    struct sw_bytes rest = request->body;
    enum sw_rc rc = sw_grpc_take_frame(&rest, request->body.size, ret_message);

    if (rc == SW_OK && rest.size == 0)
        return true;
    if (rc == SW_OK)
        refuse_words(request, SW_E_UNSUPPORTED, "this method takes one message");
    else if (rc == SW_E_UNSUPPORTED)
        refuse_words(request, rc, "compressed messages are not read here");
    else
        refuse_words(request, SW_E_INVALID, "the body is not one whole message");
    return false;
}

void sw_grpc_handle(struct sw_grpc *grpc, struct sw_http_request *request)
{
    struct sw_grpc_call *call = sw_arena_get(request->arena, sizeof *call);
    const struct sw_grpc_method *method =
        sw_map_find(grpc->methods, request->path.data, request->path.size);
    struct sw_bytes message = {0};
    bool is_over = false;

    if (method == NULL || call == NULL) {
        refuse_words(request, method == NULL ? SW_E_UNSUPPORTED : SW_E_EXHAUSTED,
                     "the call cannot be taken");
        return;
    }
    call->request = request;
    call->grpc = grpc;
    if (!read_deadline(call) || !read_message(request, &message))
        return;
    call->is_over = &is_over;
    sw_http_on_cancel(request, on_request_cancel, call);
    method->call(method->ctx, call, message);
    if (is_over)
        return;
    call->is_over = NULL;
    if (call->deadline_ms != UINT64_MAX) {
        call->timer = sw_timer_new(grpc->loop, on_deadline, call);
        if (call->timer != NULL) /* Without memory the method's own limits still hold. */
            sw_timer_start(call->timer, sw_grpc_remaining_ms(call));
    }
}
