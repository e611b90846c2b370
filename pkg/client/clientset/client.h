/* A connection to one server: requests over HTTP/2 with mutual TLS, many at once if wanted.
 *
 * All requests of a client share its connections. sw_client_call makes one and waits for it;
 * sw_client_start begins one, and sw_client_run lets the begun ones go on. An answer with an error
 * status becomes a struct sw_err: its code, field and hint come from the server's problem+json.
 * When no server answers, the error says what was tried and how to start one.
 * Threads: one at a time; the first client must be made before other threads use libcurl.
 * I/O: its own sockets, through libcurl (part of the seam, like pkg/utils/loop).
 * Limits: SW_CLIENT_IN_FLIGHT_MAX requests begun, answers of at most SW_CLIENT_ANSWER_BYTES_MAX. */
#pragma once
#include "pkg/client/contexts/contexts.h"
#include "pkg/utils/base/buffer.h"

#define SW_CLIENT_IN_FLIGHT_MAX 1024
#define SW_CLIENT_ANSWER_BYTES_MAX ((size_t)64 * 1024 * 1024)
#define SW_CLIENT_TIMEOUT_MS 30000

struct sw_client; /* Opaque. */

struct sw_client_options {
    const struct sw_context *context; /* Borrowed for the call only. */
    const struct sw_system *system;   /* For its clock. */
    uint64_t connect_timeout_ms;      /* 0: 5 seconds. */
    uint64_t timeout_ms;              /* Of requests that have none; 0: SW_CLIENT_TIMEOUT_MS. */
    const char *user_agent;           /* NULL: "swarm/VERSION". */
    uint64_t silence_ms;              /* How long a stream may be silent; 0: 90 seconds. */
    /* Asked about once a second while a stream is followed: does anybody still want it? NULL: yes.
     */
    bool (*is_wanted)(void *ctx);
    void *is_wanted_ctx;
    /* Told one line per request and answer, for -v; may be NULL. */
    void (*trace)(void *ctx, const char *line);
    void *trace_ctx;
};

struct sw_request {
    const char *method;       /* "GET", "POST" ... */
    const char *path;         /* "/apis/..." with its query, already escaped. */
    const char *content_type; /* Of the body; NULL: application/json. */
    const char *accept;       /* NULL: application/json. */
    struct sw_bytes body;     /* Borrowed until the request is done. */
    uint64_t timeout_ms;      /* For all of it; 0: the client's; UINT64_MAX: none. */
};

struct sw_answer {
    int status;            /* HTTP status, 200 to 299 when rc is SW_OK. */
    char content_type[64]; /* Without parameters. */
    char from[256];        /* The instance that replied, or "". */
    struct sw_buffer body;
};

/* No connection is made yet.
 * SW_E_INVALID: the server's address or a PEM text cannot be used. */
SW_MUST_CHECK enum sw_rc sw_client_new(const struct sw_client_options *options,
                                       struct sw_client **ret_client, struct sw_err *err);
/* Requests that are under way end without a call of done. */
void sw_client_free(struct sw_client *client);
SW_DEFINE_CLEANUP(struct sw_client, sw_client_free)
/* The server's address, for messages. */
const char *sw_client_server(const struct sw_client *client);
/* Monotonic time. */
uint64_t sw_client_now_ms(const struct sw_client *client);

/* Make one request and wait. *ret_answer must be initialised with sw_answer_init; it holds the body
 * in any case, so that a caller may look into the details of an error.
 * SW_E_UNAVAILABLE  nobody answers, or the server is too busy (err->hint says what to do)
 * SW_E_TIMEOUT      no answer within timeout_ms
 * others            as the server says */
SW_MUST_CHECK enum sw_rc sw_client_call(struct sw_client *client, const struct sw_request *request,
                                        struct sw_answer *ret_answer, struct sw_err *err);
/* Did the last error of this client come from not reaching the server at all? */
bool sw_client_is_unreachable(const struct sw_client *client);

void sw_answer_init(struct sw_answer *answer);
void sw_answer_done(struct sw_answer *answer);

/* What became of a request that was begun: rc and err as sw_client_call. The answer is borrowed for
 * the call. New requests may be started in it. */
typedef void sw_client_done(void *ctx, enum sw_rc rc, const struct sw_answer *answer,
                            const struct sw_err *err);
/* Begin a request.  SW_E_EXHAUSTED: SW_CLIENT_IN_FLIGHT_MAX are under way; done is not called. */
SW_MUST_CHECK enum sw_rc sw_client_start(struct sw_client *client, const struct sw_request *request,
                                         sw_client_done *done, void *ctx, struct sw_err *err);
/* Requests under way. */
size_t sw_client_in_flight(const struct sw_client *client);
/* Let requests go on for at most wait_ms, returning earlier when something was done. With nothing
 * under way it just waits. */
SW_MUST_CHECK enum sw_rc sw_client_run(struct sw_client *client, uint64_t wait_ms,
                                       struct sw_err *err);

/* One server-sent event: its name ("message" if it has none) and its data, both borrowed and
 * NUL-terminated. false ends the stream. */
typedef bool sw_client_event(void *ctx, const char *name, const char *id, struct sw_bytes data);
/* Follow a stream of server-sent events until on_event returns false or nobody wants it any more
 * (SW_OK), the server ends it (SW_E_UNAVAILABLE: ask again from the last id) or timeout_ms have
 * passed in all (SW_E_TIMEOUT). It also ends with SW_E_UNAVAILABLE when nothing, not even a
 * comment, came for silence_ms. */
SW_MUST_CHECK enum sw_rc sw_client_follow(struct sw_client *client,
                                          const struct sw_request *request,
                                          sw_client_event *on_event, void *ctx, struct sw_err *err);

/* A piece of an answer's body, in order; size_bytes is what the server says that all of it will be,
 * 0 if it says nothing. An error ends the request. */
typedef enum sw_rc sw_client_bytes(void *ctx, struct sw_bytes bytes, uint64_t size_bytes,
                                   struct sw_err *err);
/* Make one request and take its answer piece by piece, however large it is. Until the first piece
 * it may take any time; then it may be silent for silence_ms.
 * SW_E_UNAVAILABLE  the server broke it off.  Others: of on_bytes, and as sw_client_call */
SW_MUST_CHECK enum sw_rc sw_client_download(struct sw_client *client,
                                            const struct sw_request *request,
                                            sw_client_bytes *on_bytes, void *ctx,
                                            struct sw_err *err);

/* Append text to a path or query with everything but unreserved characters escaped. */
void sw_client_escape(const char *text, struct sw_buffer *out);
