/* Which keys seal Secrets, and a new one: for who operates the system. */
#include "web/api/keys.h"

#include "web/api/state.h"

static void on_rotated(void *ctx, enum sw_rc rc, struct sw_bytes json, const struct sw_err *err)
{
    struct gateway_call *call = ctx;

    if (rc != SW_OK)
        sw_gateway_fail(call, rc, err);
    else
        sw_gateway_answer_bytes(call, 200, "application/json", json);
}

static enum sw_rc rotate(struct gateway_call *call, const struct sw_gateway_keys *keys,
                         struct sw_err *err)
{
    struct sw_gateway_rotation rotation = {.actor = call->principal.spiffe};
    enum sw_rc rc = sw_gateway_query_bool(call, "resume", &rotation.is_resumed, err);

    if (rc == SW_OK)
        rc = sw_gateway_query_bool(call, "keepUnused", &rotation.keeps_unused, err);
    if (rc == SW_OK && call->request->body.size > 0)
        rc = sw_err_set(err, SW_E_INVALID, "this takes no body");
    return rc == SW_OK ? keys->rotate(keys->ctx, &rotation, on_rotated, call, err) : rc;
}

static enum sw_rc list(struct gateway_call *call, const struct sw_gateway_keys *keys,
                       struct sw_err *err)
{
    struct sw_buffer json;
    enum sw_rc rc;

    sw_buffer_init(&json, SW_GATEWAY_KEYS_BYTES_MAX);
    rc = keys->list(keys->ctx, &json, err);
    if (rc == SW_OK && json.failed)
        rc = sw_err_set(err, SW_E_EXHAUSTED, "no memory for the list");
    if (rc == SW_OK)
        sw_gateway_answer_bytes(call, 200, "application/json",
                                (struct sw_bytes){json.data, json.size});
    sw_buffer_done(&json);
    return rc;
}

void sw_gateway_serve_keys(struct gateway_call *call)
{
    const struct sw_gateway_keys *keys = &call->gateway->options.keys;
    struct sw_err err = {0};
    enum sw_rc rc;

    if (keys->list == NULL || keys->rotate == NULL)
        rc = sw_err_set(&err, SW_E_UNSUPPORTED, "this daemon keeps no keys");
    else
        rc = call->request->method == SW_HTTP_GET ? list(call, keys, &err)
                                                  : rotate(call, keys, &err);
    if (rc != SW_OK)
        sw_gateway_fail(call, rc, &err);
}
