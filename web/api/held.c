#include "web/api/state.h"

#include <string.h>

/* Forks that are held: made, which history.c does, released, or dropped. */

#define KEY_MAX 253u
#define ANSWER_BYTES_MAX 1024u

static void on_done(void *ctx, enum sw_rc rc, const struct sw_err *err)
{
    struct gateway_call *call = ctx;
    struct sw_buffer body;
    const char *name;

    if (rc != SW_OK) {
        sw_gateway_fail(call, rc, err);
        return;
    }
    name = sw_arena_print(call->request->arena, "%s/%s", call->route.name,
                          sw_gateway_query_text(call, "key"));
    sw_buffer_init(&body, ANSWER_BYTES_MAX);
    sw_buffer_put_text(&body, "{\"instance\":");
    sw_json_put_text(&body, name == NULL ? "" : name);
    sw_buffer_put_u8(&body, '}');
    sw_gateway_answer_bytes(call, 200, "application/json", (struct sw_bytes){body.data, body.size});
    sw_buffer_done(&body);
}

void sw_gateway_serve_held(struct gateway_call *call)
{
    struct sw_gateway_agents *agents = &call->gateway->options.agents;
    const struct sw_gateway_held held = {.namespace_ = call->route.namespace_,
                                         .agent = call->route.name,
                                         .key = sw_gateway_query_text(call, "key"),
                                         .is_drop = call->verb == SW_VERB_DELETE};
    struct sw_err err = {0};
    enum sw_rc rc = SW_OK;

    if (call->request->method == SW_HTTP_POST) {
        sw_gateway_serve_history(call);
        return;
    }
    if (held.key == NULL || held.key[0] == '\0' || strlen(held.key) > KEY_MAX) {
        rc = sw_err_set(&err, SW_E_INVALID, "expected the key of an instance, 1 to %u bytes",
                        KEY_MAX);
        sw_err_field(&err, "key");
    }
    if (rc == SW_OK && agents->held == NULL)
        rc = sw_err_set(&err, SW_E_UNSUPPORTED, "this daemon runs no agents");
    if (rc == SW_OK)
        rc = sw_gateway_check_agent(call, &err);
    if (rc == SW_OK)
        rc = agents->held(agents->ctx, &held, on_done, call, &err);
    if (rc != SW_OK)
        sw_gateway_fail(call, rc, &err);
}
