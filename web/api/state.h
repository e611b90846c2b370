/* What the files of the gateway share. Threads, I/O, limits: gateway.h. */
#pragma once
#include "pkg/apis/swarm/v1/json.h"
#include "pkg/apis/swarm/v1/protobuf.h"
#include "pkg/apis/swarm/v1/validate.h"
#include "pkg/communication/protocol/grpc.h"
#include "pkg/communication/protocol/url.h"
#include "pkg/store/objects/query.h"
#include "pkg/utils/base/list.h"
#include "web/api/gateway.h"

#define GATEWAY_LIST_LIMIT 500u      /* Objects in a page when the client names no number, */
#define GATEWAY_LIST_LIMIT_MAX 5000u /* and at most. */
#define GATEWAY_LIST_BYTES_MAX ((size_t)32 * 1024 * 1024) /* A page ends early at this size. */
#define GATEWAY_TICK_MS 1000u
#define GATEWAY_QUIET_MS 15000u /* A silent event stream gets a comment after this time. */
#define GATEWAY_BOOKMARK_MS 5000u
#define GATEWAY_METHODS_MAX 256u

enum gateway_target { /* What a path names. */
                      TARGET_COLLECTION,
                      TARGET_OBJECT,
                      TARGET_STATUS,
                      TARGET_SEND,
                      TARGET_PUBLISH,
                      TARGET_USAGE,
                      TARGET_LOGS,
                      TARGET_INSTANCES,
                      TARGET_LETTERS,
                      TARGET_HISTORY,
                      TARGET_HELD,
                      TARGET_MODULE,
                      TARGET_MODELS,
                      TARGET_HEALTH,
                      TARGET_READY,
                      TARGET_METRICS,
                      TARGET_BACKUP,
                      TARGET_KEYS,
                      TARGET_OPENAPI
};

struct gateway_route {
    enum gateway_target target;
    const struct sw_kind *kind; /* Of the first three. */
    const char *namespace_;     /* "" where there is none. */
    const char *name;           /* Of the object, Agent or module; "" for collections. */
    char path[64];              /* Of TARGET_MODELS: what follows "openai" or "anthropic". */
};

struct gateway_call;

/* A stream of events to one client: a watch, over REST or gRPC, or log lines. */
struct gateway_stream {
    struct sw_list node; /* In gateway->streams. */
    struct gateway_call *call;
    struct sw_object_watch *watch; /* Of a watch; NULL when it is over. */
    void *logs;                    /* Of log lines. */
    uint64_t sent_ms;              /* When the client last heard something. */
    uint64_t bookmark;             /* A revision that may be told; 0: none. */
    uint64_t bookmark_ms;          /* When one was last told; 0: never. */
    uint64_t dropped;              /* Log lines that the client was too slow for. */
    bool is_of_logs;
    bool is_paused;
    bool is_started;
};

/* A message that nobody could take yet. */
struct gateway_held {
    struct sw_list node; /* In gateway->held. */
    struct sw_gateway_message message;
    uint64_t until_ms;
    bool was_held;
};

/* One request or gRPC call; lives in the request's arena. */
struct gateway_call {
    struct sw_gateway *gateway;
    struct sw_http_request *request;
    struct sw_grpc_call *grpc; /* NULL: REST. */
    struct sw_principal principal;
    struct gateway_route route;
    enum sw_verb verb;
    struct sw_url_query query;
    struct sw_problems problems; /* Of the body. */
    struct gateway_stream stream;
    struct gateway_held held;
    uint64_t begun_ns;
    bool wants_protobuf; /* The answer; REST only. */
};

struct sw_gateway {
    struct sw_gateway_options options;
    struct sw_grpc *grpc;
    struct sw_timer *timer;
    const struct sw_http_server *server;
    struct sw_list streams;
    struct sw_list backups;
    struct sw_list held; /* Calls whose message waits until somebody can take it. */
    unsigned held_count;
    struct sw_timer *held_timer;
    bool is_draining;
    struct grpc_binding {
        struct sw_gateway *gateway;
        const struct sw_api_method *method;
    } bindings[GATEWAY_METHODS_MAX];
    struct sw_metric *requests, *requests_grpc;
    struct sw_series *seconds;
    struct sw_series *by_status[600], *by_code[17];
    struct sw_series *server_series[12];
};

/* --- route.c --- */

/* Read a path. SW_E_NOT_FOUND: with the nearest that there is. */
SW_MUST_CHECK enum sw_rc sw_gateway_route(const struct sw_url_path *path,
                                          struct gateway_route *ret_route, struct sw_err *err);
/* What a method means there. False: it is not offered; *ret_allow is the Allow header. */
bool sw_gateway_route_verb(const struct gateway_route *route, enum sw_http_method method,
                           bool is_watch, enum sw_verb *ret_verb, const char **ret_allow);
/* Refuse parameters that this target does not have.  SW_E_INVALID */
SW_MUST_CHECK enum sw_rc sw_gateway_check_query(const struct gateway_call *call,
                                                struct sw_err *err);
/* Values of parameters; the standard when missing.  SW_E_INVALID: with the parameter as field. */
SW_MUST_CHECK enum sw_rc sw_gateway_query_bool(const struct gateway_call *call, const char *name,
                                               bool *ret_value, struct sw_err *err);
SW_MUST_CHECK enum sw_rc sw_gateway_query_number(const struct gateway_call *call, const char *name,
                                                 uint64_t standard, uint64_t max,
                                                 uint64_t *ret_value, struct sw_err *err);
/* NULL when missing. */
const char *sw_gateway_query_text(const struct gateway_call *call, const char *name);

/* --- content.c --- */

/* What the Accept header allows. SW_E_UNSUPPORTED: neither JSON nor protobuf. */
SW_MUST_CHECK enum sw_rc sw_gateway_read_accept(struct gateway_call *call, struct sw_err *err);
enum gateway_media { MEDIA_JSON, MEDIA_PROTOBUF, MEDIA_APPLY, MEDIA_OTHER };
/* The media type of the body; JSON when none is told. */
enum gateway_media sw_gateway_body_media(const struct sw_http_request *request);
/* Decode the body as an object; mistakes are in call->problems too. SW_E_INVALID */
SW_MUST_CHECK enum sw_rc sw_gateway_read_object(struct gateway_call *call, void **ret_object,
                                                struct sw_err *err);

/* --- answer.c --- */

/* End the call with an error; err has the words. */
void sw_gateway_fail(struct gateway_call *call, enum sw_rc rc, const struct sw_err *err);
/* The same for REST with an HTTP status of its own. allow: an Allow header, or NULL. */
void sw_gateway_fail_as(struct gateway_call *call, int status, enum sw_rc rc,
                        const struct sw_err *err, const char *allow);
/* Append the problem+json document of an error. */
void sw_gateway_put_problem(struct gateway_call *call, int status, enum sw_rc rc,
                            const struct sw_err *err, struct sw_buffer *out);
/* End a gRPC call, or a REST call that wants protobuf, with an encoded message. */
void sw_gateway_answer_protobuf(struct gateway_call *call, int status, struct sw_bytes body);
/* End the call with a value of any message. */
void sw_gateway_answer(struct gateway_call *call, int status, const struct sw_api_message *message,
                       const void *value);
/* End a REST call with bytes. */
void sw_gateway_answer_bytes(struct gateway_call *call, int status, const char *content_type,
                             struct sw_bytes body);
/* Count a call that has ended. */
void sw_gateway_count(struct gateway_call *call, int status);
/* A header's value without the bytes that a header cannot have; in the arena. */
const char *sw_gateway_header_safe(struct sw_arena *arena, const char *text, const char *otherwise);

/* --- objects.c --- */

/* May the caller do this to this object or collection?  Errors as sw_authorize. */
SW_MUST_CHECK enum sw_rc sw_gateway_authorize(struct gateway_call *call, enum sw_verb verb,
                                              const char *kind, const char *namespace_,
                                              const char *name, struct sw_err *err);
/* Serve a REST call to a collection, object or status. */
void sw_gateway_serve_objects(struct gateway_call *call);
/* Steps that gRPC shares; each ends the call, now or later. */
void sw_gateway_get(struct gateway_call *call, const char *namespace_, const char *name);
struct gateway_list {
    struct sw_object_query query;
    struct sw_object_page page;
    const char *only_name; /* Or NULL. */
};
void sw_gateway_list(struct gateway_call *call, const struct gateway_list *list);
void sw_gateway_write(struct gateway_call *call, enum sw_verb verb, bool is_apply, void *object,
                      bool is_dry_run);

/* --- watch.c --- */

void sw_gateway_watch(struct gateway_call *call, const struct sw_object_query *query,
                      uint64_t revision);
/* End a watch, whether its client is still there or not; err may be NULL. */
void sw_gateway_watch_end(struct gateway_stream *stream, enum sw_rc rc, const struct sw_err *err);
/* Comments and bookmarks for streams that are silent; once a second. */
void sw_gateway_tick_streams(struct sw_gateway *gateway);
/* Begin a stream of server-sent events over REST. */
void sw_gateway_stream_start(struct gateway_call *call);
/* Write one event; id 0: none.  Errors as sw_http_write. */
SW_MUST_CHECK enum sw_rc sw_gateway_stream_event(struct gateway_stream *stream, const char *name,
                                                 uint64_t id, struct sw_bytes data);

/* --- messages.c --- */

void sw_gateway_serve_send(struct gateway_call *call);
void sw_gateway_serve_publish(struct gateway_call *call);
void sw_gateway_send(struct gateway_call *call, const struct sw_gateway_message *message);
void sw_gateway_publish(struct gateway_call *call,
                        const struct sw_gateway_publication *publication);
/* Send call->held.message. */
void sw_gateway_send_now(struct gateway_call *call);

/* --- agents.c --- */

void sw_gateway_serve_logs(struct gateway_call *call);
void sw_gateway_logs_end(struct gateway_stream *stream);
void sw_gateway_serve_instances(struct gateway_call *call);
void sw_gateway_serve_usage(struct gateway_call *call);
void sw_gateway_serve_module(struct gateway_call *call);
/* Whether the Agent that a path names is there. */
SW_MUST_CHECK enum sw_rc sw_gateway_check_agent(const struct gateway_call *call,
                                                struct sw_err *err);

/* --- letters.c, history.c, held.c, keys.c, models.c, pages.c --- */

void sw_gateway_serve_letters(struct gateway_call *call);
void sw_gateway_serve_page(struct gateway_call *call);
void sw_gateway_serve_keys(struct gateway_call *call);
void sw_gateway_serve_models(struct gateway_call *call);
void sw_gateway_serve_history(struct gateway_call *call);
void sw_gateway_serve_held(struct gateway_call *call);

/* --- gateway.c --- */

/* SW_OK, or why the daemon cannot do its work. */
SW_MUST_CHECK enum sw_rc sw_gateway_is_ready(struct sw_gateway *gateway, struct sw_err *err);

/* --- rpc.c --- */

/* Add all methods of api/v1 to gateway->grpc. */
SW_MUST_CHECK enum sw_rc sw_gateway_add_methods(struct sw_gateway *gateway, struct sw_err *err);
SW_MUST_CHECK enum sw_rc sw_gateway_new_grpc(struct sw_gateway *gateway, struct sw_err *err);
/* Who calls; errors as sw_authenticate. */
SW_MUST_CHECK enum sw_rc sw_gateway_identify(struct sw_gateway *gateway,
                                             const struct sw_http_request *request,
                                             struct sw_principal *ret_principal,
                                             struct sw_err *err);
