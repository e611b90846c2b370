/* The gateway: the handlers of the API port. REST, events, gRPC and the plain pages meet the store,
 * the agents and the modules here.
 *
 * It authenticates (the peer's certificate), authorises, decodes, validates and admits, then calls
 * the typed store or one of the vtables below, which cmd/ wires. Health is the one thing that is
 * open to clients without an identity.
 * Threads: the loop's.  I/O: none of its own.  Limits: struct sw_http_limits, and the constants
 * below. */
#pragma once
#include "pkg/communication/protocol/http.h"

#define SW_GATEWAY_MODULE_BYTES_MAX ((size_t)32 * 1024 * 1024)
#define SW_GATEWAY_MESSAGE_BYTES_MAX ((size_t)256 * 1024)
#define SW_GATEWAY_INSTANCES_MAX 1000u /* In one answer. */

/* A message to an instance; all is borrowed for the call. */
struct sw_gateway_message {
    const char *namespace_;
    const char *to;           /* "agent/key", or "agent" for any instance of a replicated Agent. */
    const char *content_type; /* Never NULL. */
    struct sw_bytes body;
    uint8_t priority;       /* 0 (lowest) to 3; SW_GATEWAY_PRIORITY_NONE: the Agent's own. */
    uint64_t timeout_ms;    /* For the reply, or for its being taken. */
    const char *request_id; /* "" or a name under which a repeat gets the first result. */
    const char *caller;     /* SPIFFE identity of the client. */
    bool want_reply;
};
#define SW_GATEWAY_PRIORITY_NONE 255u

struct sw_gateway_reply { /* Borrowed for the call of done. */
    int32_t status;       /* 0, or the negative code that the instance replied with. */
    const char *content_type;
    struct sw_bytes body; /* Words when status is negative. */
    const char *from;     /* The instance that took the message. */
};

/* A message to whoever subscribed to a subject; all is borrowed for the call. */
struct sw_gateway_publication {
    const char *namespace_;
    const char *subject;
    const char *content_type;
    struct sw_bytes body;
    uint8_t priority;
    const char *request_id;
    const char *caller;
};

struct sw_gateway_log_line { /* Borrowed for the call. */
    uint64_t utc_ns;
    const char *instance; /* "agent/key" */
    const char *level;    /* "debug", "info", "warn", "error" */
    struct sw_bytes text;
    uint64_t dropped; /* Lines lost just before this one, because somebody was too slow. */
};

struct sw_gateway_logs { /* Which log lines; borrowed for the call. */
    const char *namespace_;
    const char *agent;
    const char *key;  /* Only of this instance; NULL: of all. */
    uint32_t tail;    /* At most this many of the lines that are kept come first. */
    bool is_followed; /* Go on with new lines until closed; otherwise on_end after the kept ones. */
    void *ctx;        /* First argument of: */
    void (*on_line)(void *ctx, const struct sw_gateway_log_line *line);
    void (*on_end)(void *ctx, enum sw_rc rc); /* The last call; not after logs_close. */
};

struct sw_gateway_instance { /* Borrowed for the call of done. */
    const char *name;        /* "agent/key" */
    const char *pod;         /* Name of its Pod. */
    const char *node;
    const char *state; /* "Running", "Waiting", "Failed" ... */
    uint64_t turns;    /* Handled so far. */
    uint64_t mailbox;  /* Messages that wait. */
    uint64_t memory_bytes;
    const char *message; /* Why it failed, or "". */
};

/* What the gateway wants of pkg/agent/controller. Every call returns SW_OK and then calls done (or
 * on_end) exactly once on the loop's thread, perhaps before it returns; or it returns an error,
 * fills err, and calls nothing. Whoever implements it bounds the time by timeout_ms. */
struct sw_gateway_agents {
    void *ctx;
    enum sw_rc (*send)(void *ctx, const struct sw_gateway_message *message,
                       void (*done)(void *done_ctx, enum sw_rc rc,
                                    const struct sw_gateway_reply *reply, const struct sw_err *err),
                       void *done_ctx, struct sw_err *err);
    enum sw_rc (*publish)(void *ctx, const struct sw_gateway_publication *publication,
                          void (*done)(void *done_ctx, enum sw_rc rc, uint64_t subscribers,
                                       const struct sw_err *err),
                          void *done_ctx, struct sw_err *err);
    /* Follow log lines. *ret_stream names the subscription for logs_close. */
    enum sw_rc (*logs)(void *ctx, const struct sw_gateway_logs *logs, void **ret_stream,
                       struct sw_err *err);
    void (*logs_close)(void *ctx, void *stream);
    /* Instances of an Agent in order of their names, those after `after` ("": from the first), at
     * most limit; more is true when there are further ones. */
    enum sw_rc (*instances)(void *ctx, const char *namespace_, const char *agent, const char *after,
                            uint32_t limit,
                            void (*done)(void *done_ctx, enum sw_rc rc,
                                         const struct sw_gateway_instance *items, size_t count,
                                         bool more, const struct sw_err *err),
                            void *done_ctx, struct sw_err *err);
};

struct sw_gateway_module { /* What is known of a stored module; borrowed for the call of done. */
    const char *digest;    /* "sha256:..." */
    uint64_t size_bytes;
    bool is_new; /* It was not stored before. */
};

/* What the gateway wants of pkg/agent/modules. */
struct sw_gateway_modules {
    void *ctx;
    /* Check (is it wasm, are imports and exports known, does it compile) and store a module of at
     * most SW_GATEWAY_MODULE_BYTES_MAX. digest is what the client claims. done comes once, as
     * above. SW_E_INVALID: not an agent module, or the digest does not fit; err says why. */
    enum sw_rc (*put)(void *ctx, const char *namespace_, const char *digest, struct sw_bytes wasm,
                      void (*done)(void *done_ctx, enum sw_rc rc,
                                   const struct sw_gateway_module *module,
                                   const struct sw_err *err),
                      void *done_ctx, struct sw_err *err);
    /* True when the module is stored in this namespace. */
    bool (*has)(void *ctx, const char *namespace_, const char *digest,
                struct sw_gateway_module *ret_module);
};
