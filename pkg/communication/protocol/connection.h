/* How the server's parts meet. For the files of this room only.
 *
 *   server.c      accepts, keeps time, holds spare exchanges
 *   connection.c  one client: wire bytes in, flushes out, closing
 *   h2.c, h1.c    the two protocols between a connection and its exchanges
 *   request.c     the handler's side of an exchange (http.h)
 *
 * An exchange is one request and its response. Two sides hold it, and the last to let go frees it:
 * the wire (until all was sent, or the client has gone) and the handler (from begin or handle until
 * it ends the response). */
#pragma once
#include "pkg/communication/protocol/h1_head.h"
#include "pkg/communication/protocol/link.h"
#include "pkg/communication/protocol/server.h"
#include "pkg/utils/base/list.h"

#include <nghttp2/nghttp2.h>

#define EXCHANGE_KEPT_BYTES 16384u /* Buffers of spare exchanges keep no more. */
#define EXCHANGES_SPARE_MAX 256u   /* Kept by a server for reuse. */
#define EXCHANGE_ARENA_BYTES_MAX 67108864u
#define EXCHANGE_DROPPED_BYTES_MAX 67108864u
#define RESPONSE_HEADERS_MAX 24u
#define FLUSH_HIGH_BYTES 262144u /* No more is encrypted while so much waits for the kernel. */

enum exchange_phase {
    EXCHANGE_HEAD, /* Headers are coming. */
    EXCHANGE_BODY, /* The body is coming. */
    EXCHANGE_WHOLE /* All of the request is there. */
};

struct exchange {
    struct sw_http_request request; /* First: a request is cast to its exchange. */
    struct sw_list node;            /* In its connection, or among the server's spares. */
    struct sw_list writable;        /* In connection->writable when on_writable is due. */
    struct sw_http_server *server;
    struct connection *connection; /* NULL once the wire has let go. */
    struct connection *owner;      /* Where it was begun; kept, for the peer's sake. */
    struct sw_buffer body, out;    /* out: what the wire has not yet taken begins at out_at. */
    size_t out_at, body_max, header_bytes, held_bytes;
    uint64_t dropped_bytes;  /* Of a body that came after the answer. */
    uint64_t content_length; /* UINT64_MAX: not told. */
    uint64_t progress_ms;    /* When the wire last took or brought bytes. */
    int32_t stream_id;
    enum exchange_phase phase;
    int refuse_status;                /* Found while reading headers; 0: none. */
    bool is_with_handler, is_on_wire; /* Who holds it, */
    unsigned holds;                   /* and calls that still look at it. */
    bool is_started, is_ended;        /* The response. */
    bool is_deferred;                 /* HTTP/2: no data at the moment. */
    bool is_headless;                 /* HEAD: the body is not sent. */
    bool is_chunked, is_body_streamed, wants_continue;
    bool is_secret;                        /* What came is overwritten at the end. */
    const struct sw_http_header *trailers; /* In the arena. */
    size_t trailers_count;
    void (*on_body)(void *ctx, struct sw_http_request *request, struct sw_bytes bytes,
                    bool is_last);
    void *on_body_ctx;
    void (*on_cancel)(void *ctx, struct sw_http_request *request);
    void *on_cancel_ctx;
    void (*on_writable)(void *ctx, struct sw_http_request *request);
    void *on_writable_ctx;
};

struct bucket { /* Events of a peer that are allowed per second, with a burst of ten seconds. */
    uint64_t tokens_milli, filled_ms;
};

enum h1_state {
    H1_HEAD, /* Between requests, or in the headers of one. */
    H1_BODY,
    H1_ANSWER, /* The request is whole; what comes meanwhile is held back. */
    H1_CLOSING /* The last response is being sent; what comes is dropped. */
};

struct h1 {
    enum h1_state state;
    struct h1_chunks chunks;
    uint64_t left;         /* Of a body with a length. */
    struct sw_buffer head; /* Of the request line and headers so far. */
    struct sw_buffer held; /* Pipelined bytes. */
    struct exchange *exchange;
    uint64_t head_ms; /* When the head began to come. */
    bool is_10, is_keep_alive, is_chunked, expects_body;
};

enum connection_protocol { PROTOCOL_UNKNOWN, PROTOCOL_H1, PROTOCOL_H2 };

struct connection {
    struct sw_list node; /* In server->connections. */
    struct sw_http_server *server;
    struct sw_stream *stream; /* NULL when fuzzed, or gone. */
    struct link link;
    struct sw_http_peer peer;
    enum connection_protocol protocol;
    char preface[24]; /* Clear text only: the first bytes decide the protocol. */
    size_t preface_size;
    nghttp2_session *h2;
    struct h1 h1;
    struct sw_list exchanges, writable;
    size_t exchanges_count; /* On the wire. */
    size_t owned_count;     /* Begun on it and not yet freed. */
    size_t holds;           /* Its memory stays: the stream's, owned exchanges', flushes due. */
    uint64_t opened_ms, idle_ms, progress_ms, head_ms;
    size_t pending_seen; /* At the last tick. */
    struct bucket resets, controls;
    bool is_flush_due, is_paused, is_draining, is_flooded;
    bool is_open;      /* The handshake is done and the protocol known. */
    bool is_finishing; /* Inside of sw_connection_finish. */
    bool is_closing;   /* Nothing more is read or sent; the stream's end follows. */
    bool has_ended;    /* The client sends no more. */
};

struct sw_http_server {
    struct sw_loop *loop;
    const struct sw_system *system;
    const struct sw_tls_context *tls;
    struct sw_http_handler handler;
    struct sw_http_limits limits;
    struct sw_listener *listener;
    struct sw_timer *timer;
    struct link_method *link_method;
    nghttp2_session_callbacks *h2_callbacks;
    nghttp2_option *h2_option;
    struct sw_list connections, spares;
    size_t spares_count;
    size_t references; /* The owner's, and one per connection and exchange. */
    struct sw_http_server_view view;
    bool is_draining, is_freed;
    uint64_t date_s;
    char date[32];
    uint8_t clear[LINK_RECORD_BYTES]; /* What was just decrypted. */
    uint8_t batch[LINK_RECORD_BYTES]; /* What is about to be encrypted. */
};

/* server.c */
void sw_http_server_unref(struct sw_http_server *server);
/* The value of a Date header. */
const char *sw_http_server_date(struct sw_http_server *server);
/* True when the event is within the rate. */
bool sw_bucket_take(struct bucket *bucket, uint64_t now_ms, uint32_t per_s);
/* Fill what is 0 with its default. */
void sw_http_limits_fill(struct sw_http_limits *limits);

/* connection.c */
void sw_connection_new(struct sw_http_server *server, struct sw_stream *stream);
/* Clear bytes from the client, already decrypted. */
void sw_connection_input(struct connection *connection, const uint8_t *bytes, size_t size);
/* Send at the end of the round. */
void sw_connection_wake(struct connection *connection);
/* Send what is queued, then close. */
void sw_connection_finish(struct connection *connection);
/* Close at once, cancelling what is under way. */
void sw_connection_close(struct connection *connection);
/* Its memory is needed no longer by one who held it. */
void sw_connection_release(struct connection *connection);
/* Check all times; called every tick. */
void sw_connection_tick(struct connection *connection, uint64_t now_ms);
/* Encrypt and queue bytes; closes on failure. */
void sw_connection_send(struct connection *connection, const void *bytes, size_t size);

/* request.c */
/* A fresh exchange on the wire, or NULL. */
struct exchange *sw_exchange_new(struct connection *connection);
/* Free a spare one. */
void sw_exchange_free(struct exchange *exchange);
/* The wire lets go: everything was sent, or the client has gone (then the handler is told). */
void sw_exchange_leave_wire(struct exchange *exchange);
/* SW_OK, or the status to refuse with is set in the exchange. Bytes are copied. */
void sw_exchange_add_header(struct exchange *exchange, struct sw_bytes name, struct sw_bytes value);
/* Split a target "/path?query", copied. False: no such target. */
bool sw_exchange_set_target(struct exchange *exchange, struct sw_bytes target);
/* The headers are complete: check limits, call begin. */
void sw_exchange_begin(struct exchange *exchange);
/* A piece of the body. */
void sw_exchange_take_body(struct exchange *exchange, struct sw_bytes bytes);
/* The request is whole: call the handler. */
void sw_exchange_complete(struct exchange *exchange);
/* Answer with an error of the protocol itself, in the form that the client expects. */
void sw_exchange_refuse(struct exchange *exchange, int status, const char *words);
/* Bytes that the wire may take now. */
static inline struct sw_bytes sw_exchange_out(const struct exchange *exchange)
{
    if (exchange->out.size == 0) /* There may be no memory to point into. */
        return (struct sw_bytes){0};
    return (struct sw_bytes){.data = exchange->out.data + exchange->out_at,
                             .size = exchange->out.size - exchange->out_at};
}
/* The wire took them. */
void sw_exchange_taken(struct exchange *exchange, size_t size);

/* h2.c */
SW_MUST_CHECK enum sw_rc sw_h2_server_setup(struct sw_http_server *server);
SW_MUST_CHECK enum sw_rc sw_h2_open(struct connection *connection);
void sw_h2_input(struct connection *connection, const uint8_t *bytes, size_t size);
void sw_h2_flush(struct connection *connection);
/* The response's headers are known; the body is in exchange->out, now or later. */
void sw_h2_start(struct exchange *exchange, int status, const struct sw_http_header *headers,
                 size_t headers_count);
void sw_h2_wake(struct exchange *exchange);
void sw_h2_abort(struct exchange *exchange, uint32_t code);
/* Tell the client to open no more streams. */
void sw_h2_drain(struct connection *connection);

enum sw_http_method sw_http_method_of(struct sw_bytes word);

/* h1.c */
void sw_h1_open(struct connection *connection);
void sw_h1_done(struct connection *connection);
void sw_h1_input(struct connection *connection, const uint8_t *bytes, size_t size);
void sw_h1_flush(struct connection *connection);
/* The headers of a request have taken too long: say so, then close. */
void sw_h1_time_out(struct connection *connection);
void sw_h1_start(struct exchange *exchange, int status, const struct sw_http_header *headers,
                 size_t headers_count);
/* Frame a piece of a streamed body into exchange->out. */
void sw_h1_put(struct exchange *exchange, const void *bytes, size_t size);
void sw_h1_put_end(struct exchange *exchange);
