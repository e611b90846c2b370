/* The server of one TLS port: HTTP/2 (nghttp2) and HTTP/1.1 on the event loop.
 *
 * It accepts, limits and times connections, and gives each request to one handler (http.h).
 * Without a TLS context it speaks clear text (HTTP/2 with prior knowledge, and HTTP/1.1): for tests
 * and Unix sockets only.
 * Threads: the loop's.  I/O: through pkg/utils/loop.  Limits: struct sw_http_limits. */
#pragma once
#include "pkg/communication/protocol/http.h"
#include "pkg/security/tls/tls.h"
#include "pkg/utils/loop/loop.h"
#include "pkg/utils/system/system.h"

struct sw_http_server; /* Opaque. */

struct sw_http_server_options {
    struct sw_loop *loop;
    const struct sw_system *system;   /* For the clock: certificates and the Date header. */
    const char *address;              /* As sw_listener_new; NULL: only sw_http_server_serve. */
    const struct sw_tls_context *tls; /* Borrowed; NULL: clear text. */
    struct sw_http_handler handler;
    struct sw_http_limits limits;
};

struct sw_http_server_view { /* Figures for /metrics. */
    uint64_t connections, connections_total, connections_refused;
    uint64_t requests, requests_total; /* Under way, and all. */
    uint64_t handshakes_failed, protocol_errors, timeouts, floods;
    uint64_t bytes_in, bytes_out; /* Of bodies and framing, before encryption. */
    uint64_t held_bytes;          /* Bodies and responses in memory. */
};

/* Errors as sw_listener_new, or SW_E_EXHAUSTED. */
SW_MUST_CHECK enum sw_rc sw_http_server_new(const struct sw_http_server_options *options,
                                            struct sw_http_server **ret_server, struct sw_err *err);
/* Cancel all requests, close all connections and the listener. Requests that handlers still own
 * stay valid until they end them, on the same loop. */
void sw_http_server_free(struct sw_http_server *server);
SW_DEFINE_CLEANUP(struct sw_http_server, sw_http_server_free)
/* Take no new connections, tell clients to go (GOAWAY, Connection: close), and let what is under
 * way finish. is_drained becomes true when no connection is left but those on which everything was
 * sent SW_HTTP_DRAIN_MS ago, and only the client's end is missing. */
#define SW_HTTP_DRAIN_MS 250u
void sw_http_server_drain(struct sw_http_server *server);
bool sw_http_server_is_drained(const struct sw_http_server *server);
/* Serve a connected stream as if it had been accepted. */
void sw_http_server_serve(struct sw_http_server *server, struct sw_stream *stream);
/* The TCP port that is listened on. */
uint16_t sw_http_server_port(const struct sw_http_server *server);
void sw_http_server_view(const struct sw_http_server *server, struct sw_http_server_view *ret_view);
