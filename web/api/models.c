#include "web/api/models.h"

#include "web/api/state.h"

void sw_gateway_serve_models(struct gateway_call *call)
{
    const struct sw_gateway_models *models = &call->gateway->options.models;
    struct sw_gateway_model_client client = {.namespace_ = call->route.namespace_};
    struct sw_err err = {0};

    if (models->serve == NULL) {
        (void)sw_err_set(&err, SW_E_UNSUPPORTED, "this daemon has no models");
        sw_gateway_fail(call, SW_E_UNSUPPORTED, &err);
        return;
    }
    if (!models->has_path(models->ctx, call->route.path)) {
        (void)sw_err_set(&err, SW_E_NOT_FOUND, "there is nothing under this path");
        sw_err_hint(&err, "v1/chat/completions, v1/responses, v1/embeddings, v1/messages and "
                          "v1/models are here");
        sw_gateway_fail(call, SW_E_NOT_FOUND, &err);
        return;
    }
    if (call->principal.kind == SW_PRINCIPAL_AGENT)
        client.agent = call->principal.name;
    models->serve(models->ctx, call->request, &client, call->route.path);
}
