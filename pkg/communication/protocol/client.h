/* A client connection: many requests at once over one HTTP/2 connection with mutual TLS.
 *
 * It connects when the first request is made and again after it was lost; requests made meanwhile
 * wait. A request that may have reached the server is never sent twice.
 * Threads: the loop's.  I/O: through pkg/utils/loop.  Limits: struct sw_http_client_options. */
#pragma once
#include "pkg/communication/protocol/http.h"
#include "pkg/security/tls/tls.h"
#include "pkg/utils/loop/loop.h"
#include "pkg/utils/system/system.h"

struct sw_http_client; /* Opaque. */
struct sw_http_call;   /* Opaque; alive until its on_done was called. */

struct sw_http_client_options {
    struct sw_loop *loop;
    const struct sw_system *system;   /* For the clock that certificates are checked against. */
    const char *address;              /* "host:port" */
    const char *server_name;          /* That the certificate must carry; NULL: the host. */
    const struct sw_tls_context *tls; /* Borrowed; NULL: clear text. */
    size_t calls_max;                 /* Under way or waiting; 0: 1,024. */
    size_t reply_bytes_max;           /* Of a whole reply; 0: 8 MiB. */
    uint64_t connect_timeout_ms;      /* 0: 5 s. */
};

struct sw_http_call_handler { /* Each may be NULL. Bytes are borrowed for the call. */
    void *ctx;
    void (*on_headers)(void *ctx, struct sw_http_call *call, int status,
                       const struct sw_http_header *headers, size_t headers_count);
    /* A piece of the body; without this callback the body is gathered for on_done. */
    void (*on_data)(void *ctx, struct sw_http_call *call, struct sw_bytes bytes);
    /* The last call, exactly one, never from inside sw_http_client_call.
     * SW_OK: the reply has ended (whatever its status says); trailers are its trailers.
     * SW_E_UNAVAILABLE not sent or the connection broke; SW_E_TIMEOUT; SW_E_CANCELLED;
     * SW_E_DENIED the server's certificate did not verify; SW_E_EXHAUSTED the reply is too large.
     */
    void (*on_done)(void *ctx, struct sw_http_call *call, enum sw_rc rc, int status,
                    struct sw_bytes body, const struct sw_http_header *trailers,
                    size_t trailers_count);
};

struct sw_http_call_options {
    enum sw_http_method method;
    const char *path; /* With its query, escaped. */
    const struct sw_http_header *headers;
    size_t headers_count;
    struct sw_bytes body; /* Copied. */
    uint64_t timeout_ms;  /* Until the reply has ended; 0: none. */
    struct sw_http_call_handler handler;
};

SW_MUST_CHECK enum sw_rc sw_http_client_new(const struct sw_http_client_options *options,
                                            struct sw_http_client **ret_client, struct sw_err *err);
/* Calls under way end with SW_E_CANCELLED before it returns. Not from inside a callback. */
void sw_http_client_free(struct sw_http_client *client);
SW_DEFINE_CLEANUP(struct sw_http_client, sw_http_client_free)
/* SW_E_EXHAUSTED: calls_max, or no memory; nothing was sent. ret_call may be NULL. */
SW_MUST_CHECK enum sw_rc sw_http_client_call(struct sw_http_client *client,
                                             const struct sw_http_call_options *options,
                                             struct sw_http_call **ret_call, struct sw_err *err);
/* Give up on it; on_done follows with SW_E_CANCELLED. */
void sw_http_call_cancel(struct sw_http_call *call);
/* Why the connection was last lost, for messages; "" when it was not. */
const char *sw_http_client_trouble(const struct sw_http_client *client);
