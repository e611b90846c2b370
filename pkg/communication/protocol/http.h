/* Requests and responses, the same for HTTP/2 and HTTP/1.1, and for gRPC, REST and events on top.
 *
 *        begin            handle           respond
 *   headers --> [body ...] --> [handler ...] --> sent or cancelled --> freed
 *
 * A request belongs to its handler from `begin` or `handle` on and lives until the handler ends it:
 * with sw_http_respond, or with sw_http_start and later sw_http_end. Exactly one of the two, also
 * when the client has gone: then nothing is sent, but the request is let go. Nothing else frees a
 * request, so a handler that answers later needs no lock and no lookup. What `begin` neither
 * answers nor streams is not the handler's yet: it may end without a call of `handle`, so `begin`
 * keeps what it needs in the arena. Threads: the loop's.  I/O: none.  Limits: struct
 * sw_http_limits. */
#pragma once
#include "pkg/security/certs/identity.h"
#include "pkg/utils/base/arena.h"
#include "pkg/utils/base/buffer.h"

enum sw_http_method {
    SW_HTTP_GET,
    SW_HTTP_HEAD,
    SW_HTTP_POST,
    SW_HTTP_PUT,
    SW_HTTP_PATCH,
    SW_HTTP_DELETE,
    SW_HTTP_OPTIONS,
    SW_HTTP_OTHER /* Any other word. */
};

struct sw_http_header {
    struct sw_bytes name; /* In lower case. */
    struct sw_bytes value;
    bool is_unique; /* Of an answer: no other has this value, so no side remembers it. */
};

#define SW_HTTP_HEADER(name_literal, value_text)                                                   \
    {.name = {name_literal, sizeof(name_literal) - 1}, .value = sw_bytes_of_text(value_text)}
struct sw_bytes sw_bytes_of_text(const char *text);

struct sw_http_peer { /* The same object for all requests of a connection. */
    char address[64]; /* "127.0.0.1:52114" */
    bool is_known;    /* It has shown a certificate of our authority: */
    struct sw_identity identity;
};

struct sw_http_request { /* Read-only for handlers. The bytes live as long as the request. */
    enum sw_http_method method;
    struct sw_bytes path;  /* As sent, still percent-encoded, begins with '/'. */
    struct sw_bytes query; /* What follows the '?', or empty. */
    struct sw_bytes body;  /* Whole in `handle`; empty in `begin`. */
    struct sw_http_header *headers;
    size_t headers_count;
    const struct sw_http_peer *peer;
    struct sw_arena *arena; /* For the handler; freed with the request. */
    uint64_t begun_ms;      /* sw_loop_now_ms when its headers were complete. */
    bool is_http2;
    bool is_cancelled; /* The client has gone, or the server stops. */
    void *user;        /* The handler's own. */
};

struct sw_http_handler {
    void *ctx;
    /* The headers are there, the body is not. May refuse at once by responding, may call
     * sw_http_set_body_max or sw_http_stream_body. May be NULL. */
    void (*begin)(void *ctx, struct sw_http_request *request);
    /* All is there; not called for a request that `begin` answered or that streams its body. */
    void (*handle)(void *ctx, struct sw_http_request *request);
};

/* Every size, count and time that a peer could drive; 0 in a field means its default. */
struct sw_http_limits {
    size_t connections_max;        /* 4,096 */
    size_t streams_max;            /* Requests at once on an HTTP/2 connection: 256. */
    size_t header_bytes_max;       /* Of all headers of a request: 32 KiB. */
    size_t headers_max;            /* Count of headers: 100. */
    size_t body_bytes_max;         /* 8 MiB */
    size_t bodies_bytes_max;       /* Of all bodies and responses held at once: 512 MiB. */
    size_t write_bytes_max;        /* Waiting to be sent on a connection: 1 MiB. */
    size_t respond_bytes_max;      /* Queued in a streaming response: 4 MiB. */
    uint64_t handshake_timeout_ms; /* 10 s */
    uint64_t header_timeout_ms;    /* From the first byte of a request to its last header: 10 s. */
    uint64_t body_timeout_ms;      /* From the last header to the whole body: 60 s. */
    uint64_t idle_timeout_ms;      /* A connection with no request: 5 min. */
    uint64_t stall_timeout_ms;     /* Bytes wait and the peer takes none: 30 s. */
    uint32_t resets_per_s;         /* Streams that a peer may open and cancel: 50, burst x10. */
    uint32_t control_frames_per_s; /* PING, SETTINGS, PRIORITY, empty frames: 200, burst x10. */
    uint64_t tick_ms;              /* How often times are checked: 500 ms. */
};

/* The first header of this name (lower case), or {NULL, 0}. */
struct sw_bytes sw_http_header_find(const struct sw_http_request *request, const char *name);
bool sw_bytes_is_text(struct sw_bytes bytes, const char *text);
const char *sw_http_method_name(enum sw_http_method method);
/* "Not Found" for 404. */
const char *sw_http_status_text(int status);

/* In `begin`: allow this body's size instead of the limits' own. */
void sw_http_set_body_max(struct sw_http_request *request, size_t body_bytes_max);
/* There is a secret in the request: its body and what was made of it in its arena are overwritten
 * when it has ended. What the connection read them into is not. */
void sw_http_set_secret(struct sw_http_request *request);
/* In `begin`: pass the body on piece by piece instead of gathering it; is_last comes exactly once,
 * perhaps with no bytes, unless the request is cancelled first. The handler may respond meanwhile
 * (both ways at once over HTTP/2); what arrives after its end is dropped. */
void sw_http_stream_body(struct sw_http_request *request,
                         void (*on_body)(void *ctx, struct sw_http_request *request,
                                         struct sw_bytes bytes, bool is_last),
                         void *ctx);
/* Call on_cancel once if the client goes away, or the server stops, before the response is ended.
 * The handler must still end the request, in the callback or later. */
void sw_http_on_cancel(struct sw_http_request *request,
                       void (*on_cancel)(void *ctx, struct sw_http_request *request), void *ctx);

/* Answer whole and end the request: it must not be touched after this. Bytes are copied. The
 * headers Content-Length and Date are added; names must be in lower case. */
void sw_http_respond(struct sw_http_request *request, int status,
                     const struct sw_http_header *headers, size_t headers_count,
                     struct sw_bytes body);
/* sw_http_respond with one header. */
void sw_http_respond_text(struct sw_http_request *request, int status, const char *content_type,
                          struct sw_bytes body);

/* Begin a response whose body comes in pieces: server-sent events, gRPC streams, large lists. */
void sw_http_start(struct sw_http_request *request, int status,
                   const struct sw_http_header *headers, size_t headers_count);
/* Queue a piece (copied).
 * SW_E_EXHAUSTED  respond_bytes_max would be passed; nothing was queued: wait for on_writable (a
 *                 piece that is larger itself never fits)
 * SW_E_CANCELLED  nobody is there to read it */
SW_MUST_CHECK enum sw_rc sw_http_write(struct sw_http_request *request, const void *bytes,
                                       size_t size_bytes);
/* As sw_http_write, for pieces that are queued all or not at all. */
SW_MUST_CHECK enum sw_rc sw_http_write_all(struct sw_http_request *request,
                                           const struct sw_bytes *pieces, size_t count);
/* Bytes queued by sw_http_write and not yet taken by the connection. */
size_t sw_http_pending(const struct sw_http_request *request);
/* Call on_writable whenever all that was queued has been taken. */
void sw_http_on_writable(struct sw_http_request *request,
                         void (*on_writable)(void *ctx, struct sw_http_request *request),
                         void *ctx);
/* End a started response and the request, with trailers (HTTP/2, or chunked HTTP/1.1). */
void sw_http_end(struct sw_http_request *request, const struct sw_http_header *trailers,
                 size_t trailers_count);
/* End a started response as broken off, so that the client can tell: a reset or a closed
 * connection. */
void sw_http_abort(struct sw_http_request *request);
