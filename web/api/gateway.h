/* The gateway: the handlers of the API port. REST, events, gRPC and the plain pages meet the store,
 * the agents and the modules here.
 *
 * It authenticates (the peer's certificate), authorises, decodes, validates and admits, then calls
 * the typed store or one of the vtables below, which cmd/ wires. Health is the one thing that is
 * open to clients without an identity.
 * Threads: the loop's.  I/O: none of its own.  Limits: struct sw_http_limits, and those below. */
#pragma once
#include "pkg/auth/authorizer/authorizer.h"
#include "pkg/communication/protocol/server.h"
#include "pkg/metrics/collector/collector.h"
#include "pkg/store/objects/objects.h"
#include "web/api/backup.h"
#include "web/api/history.h"
#include "web/api/keys.h"
#include "web/api/models.h"
#include "web/api/usage.h"

#define SW_GATEWAY_MODULE_BYTES_MAX ((size_t)32 * 1024 * 1024)
#define SW_GATEWAY_MESSAGE_BYTES_MAX ((size_t)256 * 1024)
#define SW_GATEWAY_INSTANCES_MAX 1000u /* In one answer. */
#define SW_GATEWAY_LETTERS_MAX 1000u   /* The same. */

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

enum sw_gateway_state {
    SW_GATEWAY_IDLE,
    SW_GATEWAY_RUNNING, /* It handles a message, or is about to. */
    SW_GATEWAY_WAITING, /* Its handler waits for something. */
    SW_GATEWAY_ASLEEP,
    SW_GATEWAY_PARKED,
    SW_GATEWAY_FAILING,
    SW_GATEWAY_HELD /* A fork that is not released. */
};
#define SW_GATEWAY_STATES 7u
#define SW_GATEWAY_STATES_ALL ((1u << SW_GATEWAY_STATES) - 1)

struct sw_gateway_instance { /* Borrowed for the call of done. */
    const char *name;        /* "agent/key" */
    const char *pod;         /* Name of its Pod. */
    const char *node;
    const char *module; /* Digest of the one that it runs; "": it has none yet. */
    enum sw_gateway_state state;
    uint64_t turns;   /* Handled so far. */
    uint64_t mailbox; /* Messages that wait. */
    uint64_t memory_bytes;
    uint64_t disk_bytes; /* While it sleeps. */
    const char *message; /* Why it failed, or "". */
    struct sw_gateway_usage usage;
};

struct sw_gateway_instances { /* Which instances; borrowed for the call. */
    const char *namespace_;
    const char *agent;
    uint64_t from;      /* 0, or `next` of the page before. */
    const char *prefix; /* Of keys; "": any. */
    uint32_t states;    /* Bits by enum sw_gateway_state. */
    uint32_t limit;
    bool is_count; /* How many in each state, instead of them. */
};
struct sw_gateway_instances_page { /* Borrowed for the call of done. */
    const struct sw_gateway_instance *items;
    size_t count;
    uint64_t next; /* There are more from here on; 0: there are not. */
    bool is_count;
    uint64_t counts[SW_GATEWAY_STATES];
};
typedef void sw_gateway_instances_done(void *done_ctx, enum sw_rc rc,
                                       const struct sw_gateway_instances_page *page,
                                       const struct sw_err *err);

struct sw_gateway_letter { /* A dead letter; borrowed for the call of done. */
    uint64_t number, utc_ns;
    const char *instance; /* "agent/key" */
    const char *pod, *node;
    const char *from, *subject, *content_type, *reason, *message; /* "" where there is none. */
    uint32_t attempts;
    bool is_timer, is_reply;
    uint64_t timer; /* Its id. */
    uint64_t size_bytes;
    struct sw_bytes body; /* If it was asked for. */
};

struct sw_gateway_letters { /* Which dead letters; borrowed for the call. */
    const char *namespace_;
    const char *agent;
    const char *key; /* Of this instance; NULL: of all. */
    uint64_t after;  /* Only numbers after this one. */
    uint32_t limit;
    bool with_body;
};
typedef void sw_gateway_letters_done(void *done_ctx, enum sw_rc rc,
                                     const struct sw_gateway_letter *items, size_t count, bool more,
                                     const struct sw_err *err);

struct sw_gateway_letters_change { /* What to do with which; borrowed for the call. */
    const char *namespace_;
    const char *agent;
    const char *key; /* As above. */
    uint64_t number; /* 0: all. */
    bool is_drop;    /* false: deliver them again. */
};

/* What the gateway wants of pkg/agent/controller. Every call returns SW_OK and then calls done (or
 * on_end) exactly once on the loop's thread, perhaps before it returns; or it returns an error,
 * fills err, and calls nothing. Whoever implements it bounds the time by timeout_ms. */
struct sw_gateway_agents {
    void *ctx;
    /* SW_E_UNAVAILABLE as an error or as done's rc: nobody has taken the message, and it may be
     * sent again; so may one that ended with the error SW_E_NOT_FOUND. */
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
    /* A page of the instances of an Agent, in an order that stays. */
    enum sw_rc (*instances)(void *ctx, const struct sw_gateway_instances *query,
                            sw_gateway_instances_done *done, void *done_ctx, struct sw_err *err);
    /* Visit what each Agent of a namespace that has used anything used, as its host told last. */
    void (*usage)(void *ctx, const char *namespace_, sw_gateway_usage_visit *visit,
                  void *visit_ctx);
    /* Dead letters of an Agent, oldest first. */
    enum sw_rc (*letters)(void *ctx, const struct sw_gateway_letters *query,
                          sw_gateway_letters_done *done, void *done_ctx, struct sw_err *err);
    /* done hears how many it was. SW_E_NOT_FOUND: none of that number. */
    enum sw_rc (*letters_change)(void *ctx, const struct sw_gateway_letters_change *change,
                                 void (*done)(void *done_ctx, enum sw_rc rc, uint64_t count,
                                              const struct sw_err *err),
                                 void *done_ctx, struct sw_err *err);
    /* The past of an instance: turns, a state, and the end, never inside of the call. */
    enum sw_rc (*history)(void *ctx, const struct sw_gateway_history *query,
                          const struct sw_gateway_history_handler *handler, struct sw_err *err);
    /* Nobody waits for what the handler of that ctx is told any more: its end comes sooner. */
    void (*history_stop)(void *ctx, const void *handler_ctx);
    enum sw_rc (*held)(void *ctx, const struct sw_gateway_held *held, sw_gateway_held_done *done,
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

struct sw_gateway; /* Opaque. */

struct sw_gateway_options { /* All that is pointed to is borrowed and outlives the gateway. */
    struct sw_loop *loop;
    const struct sw_system *system;
    struct sw_objects *objects;
    struct sw_collector *collector; /* Gets the gateway's figures; read by /metrics. */
    const char *cluster;            /* Name in the identities. */
    struct sw_policy policy;
    struct sw_gateway_agents agents;   /* Calls that are NULL answer UNIMPLEMENTED. */
    struct sw_gateway_modules modules; /* The same. */
    struct sw_gateway_backup backup;   /* The same. */
    struct sw_gateway_keys keys;       /* The same. */
    struct sw_gateway_models models;   /* The same. */
    /* SW_OK when the daemon can do its work, otherwise why not, for /readyz and gRPC health. NULL:
     * always. Called at each question and once a second. */
    enum sw_rc (*ready)(void *ctx, struct sw_err *err);
    void *ready_ctx;
};

/* SW_E_EXHAUSTED: no memory. Other errors as sw_metric_new. */
SW_MUST_CHECK enum sw_rc sw_gateway_new(const struct sw_gateway_options *options,
                                        struct sw_gateway **ret_gateway, struct sw_err *err);
/* After the HTTP server has been freed and all calls through the vtables are done. */
void sw_gateway_free(struct sw_gateway *gateway);
SW_DEFINE_CLEANUP(struct sw_gateway, sw_gateway_free)
/* The daemon stops: answer /readyz and gRPC health with no, and end all watches and log streams
 * with UNAVAILABLE, so that clients turn elsewhere. Beside sw_http_server_drain. */
void sw_gateway_drain(struct sw_gateway *gateway);
/* For struct sw_http_server_options. */
struct sw_http_handler sw_gateway_handler(struct sw_gateway *gateway);
/* Show this server's figures in /metrics. Call it once, and once more with NULL before the server
 * is freed. */
void sw_gateway_set_server(struct sw_gateway *gateway, const struct sw_http_server *server);
