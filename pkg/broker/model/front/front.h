/* The gateway to models over HTTP, as programs ask for it that know OpenAI's or Anthropic's.
 *
 * Whoever has the request knows who sent it; here it becomes a call of pkg/broker/model, and what
 * comes back an answer: whole, a stream of server-sent events that waits for a slow reader, or an
 * error in the client's protocol. A client that goes away ends its call.
 * Threads: the loop's.  I/O: none of its own.  Limits: those of model.h; of a stream
 * SW_MODEL_FRONT_BYTES wait for its reader. */
#pragma once
#include "pkg/broker/model/model.h"
#include "pkg/communication/protocol/http.h"

#define SW_MODEL_FRONT_BYTES 262144u

struct sw_model_client { /* Borrowed for the call. */
    struct sw_budget_who who;
    unsigned priority;
    /* Of a call that is made again after a crash; empty: each is a call of its own. */
    struct sw_bytes key;
};

struct sw_model_watch { /* Sees what is asked and answered, and may refuse it. */
    void *ctx;          /* First argument of both. */
    /* An error is the answer; *ret_retry_ms: when to ask again, 0: not said. Otherwise end follows
     * once with *ret_ticket. */
    enum sw_rc (*begin)(void *ctx, const struct sw_model_client *client,
                        enum sw_wire_protocol protocol, struct sw_bytes body, void **ret_ticket,
                        uint64_t *ret_retry_ms, struct sw_err *err);
    /* What came of it; of a stream without its bytes. */
    void (*end)(void *ctx, void *ticket, enum sw_rc rc, struct sw_bytes body);
};

struct sw_model_front { /* Borrowed by all requests that it serves. */
    struct sw_models *models;
    const struct sw_system *system;
    const struct sw_model_watch *watch; /* NULL: nobody looks. */
};

/* What is asked by the path that follows the base address: "v1/chat/completions", "v1/responses",
 * "v1/embeddings", "v1/messages"; "v1/models" lists.  False: nothing. */
bool sw_model_front_path(const char *path, bool *ret_is_list, enum sw_wire_protocol *ret_protocol);

/* Serve a request whose body is there, from a path of above, and end it. */
void sw_model_front_serve(const struct sw_model_front *front, struct sw_http_request *request,
                          const struct sw_model_client *client, enum sw_wire_protocol protocol);
/* Answer with the names of the models that a namespace may use. */
void sw_model_front_list(const struct sw_model_front *front, struct sw_http_request *request,
                         const char *name_space);
