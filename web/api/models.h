/* Models, as the gateway wants them of pkg/broker/model; cmd/ wires the two.
 *
 * Threads: the loop's.  I/O: none here.  Limits: those of who answers. */
#pragma once
#include "pkg/communication/protocol/http.h"

struct sw_gateway_model_client { /* Who asks a model; borrowed for the call. */
    const char *namespace_;
    const char *agent; /* NULL: a person, who spends what the namespace has. */
};

/* What the gateway wants of pkg/broker/model. */
struct sw_gateway_models {
    void *ctx;
    /* Whether something is asked for by what follows /openai/ or /anthropic/. */
    bool (*has_path)(void *ctx, const char *path);
    /* Answer a request whose body is there, and end it. */
    void (*serve)(void *ctx, struct sw_http_request *request,
                  const struct sw_gateway_model_client *client, const char *path);
};
