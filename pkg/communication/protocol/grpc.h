/* gRPC over HTTP/2: framing, deadlines, status with details, health and reflection.
 *
 * Follows github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md. Unary and server-streaming
 * methods are ours; reflection is the one bidirectional stream. Compression is not offered: a
 * compressed message gets UNIMPLEMENTED. A failed call carries its google.rpc.Status (with
 * BadRequest for a field path and Help for a hint) in grpc-status-details-bin. Threads: the loop's.
 * I/O: none.  Limits: a message is at most the request body's maximum. */
#pragma once
#include "pkg/communication/protocol/http.h"
#include "pkg/utils/loop/loop.h"

struct sw_grpc;      /* Opaque; the methods of a server. */
struct sw_grpc_call; /* Opaque; one call, alive until sw_grpc_finish or sw_grpc_reply. */

struct sw_grpc_method {
    const char *path; /* "/swarm.v1.Agents/Get"; borrowed. */
    void *ctx;
    /* A call with its one message, which lives as long as the call. */
    void (*call)(void *ctx, struct sw_grpc_call *call, struct sw_bytes message);
};

struct sw_grpc_reflection { /* What reflection tells; all borrowed. */
    const char *const *services;
    size_t services_count;
    /* The encoded FileDescriptorProto of a file by its name, or of the file that defines a symbol;
     * {NULL, 0} when there is none. */
    struct sw_bytes (*file)(void *ctx, const char *name);
    struct sw_bytes (*symbol)(void *ctx, const char *symbol);
    void *ctx;
};

enum sw_grpc_health { SW_GRPC_UNKNOWN = 0, SW_GRPC_SERVING = 1, SW_GRPC_NOT_SERVING = 2 };

/* grpc.health.v1 is always served, also to clients without an identity. reflection may be NULL. */
SW_MUST_CHECK enum sw_rc sw_grpc_new(struct sw_loop *loop,
                                     const struct sw_grpc_reflection *reflection,
                                     struct sw_grpc **ret_grpc, struct sw_err *err);
/* All calls must have ended (free the HTTP server first). */
void sw_grpc_free(struct sw_grpc *grpc);
SW_DEFINE_CLEANUP(struct sw_grpc, sw_grpc_free)
/* SW_E_EXISTS: the path is taken.  SW_E_EXHAUSTED: no memory. */
SW_MUST_CHECK enum sw_rc sw_grpc_add(struct sw_grpc *grpc, const struct sw_grpc_method *method);
/* Set the health of the server as a whole; watchers are told. */
void sw_grpc_set_health(struct sw_grpc *grpc, enum sw_grpc_health health);
/* True for a request whose content-type is gRPC's. */
bool sw_grpc_is_call(const struct sw_http_request *request);
/* True when the method is open to clients without an identity. */
bool sw_grpc_is_open(const struct sw_http_request *request);
/* To be called from a handler's begin and handle for each such request. */
void sw_grpc_begin(struct sw_grpc *grpc, struct sw_http_request *request);
void sw_grpc_handle(struct sw_grpc *grpc, struct sw_http_request *request);
/* Refuse a request in begin or handle. */
void sw_grpc_refuse(struct sw_http_request *request, enum sw_rc rc, const struct sw_err *err);

/* The request beneath, for its peer, headers and arena. */
struct sw_http_request *sw_grpc_request(struct sw_grpc_call *call);
/* Milliseconds left of the caller's deadline; UINT64_MAX when it set none. */
uint64_t sw_grpc_remaining_ms(const struct sw_grpc_call *call);
/* The handler's own pointer. */
void sw_grpc_set_user(struct sw_grpc_call *call, void *user);
void *sw_grpc_user(const struct sw_grpc_call *call);
/* Call on_cancel once if the caller goes away or its deadline passes; finish the call then. */
void sw_grpc_on_cancel(struct sw_grpc_call *call,
                       void (*on_cancel)(void *ctx, struct sw_grpc_call *call), void *ctx);
/* Answer with one message and OK: ends the call. */
void sw_grpc_reply(struct sw_grpc_call *call, struct sw_bytes message);
/* Send one message of several.  SW_E_EXHAUSTED: the queue is full, nothing was queued, wait for
 * on_writable.  SW_E_CANCELLED: finish the call. */
SW_MUST_CHECK enum sw_rc sw_grpc_send(struct sw_grpc_call *call, struct sw_bytes message);
void sw_grpc_on_writable(struct sw_grpc_call *call,
                         void (*on_writable)(void *ctx, struct sw_grpc_call *call), void *ctx);
/* End the call with a status; err may be NULL. */
void sw_grpc_finish(struct sw_grpc_call *call, enum sw_rc rc, const struct sw_err *err);

/* Append a google.rpc.Status for the error; for REST bodies and for the trailer. */
void sw_grpc_put_status(struct sw_buffer *out, enum sw_rc rc, const struct sw_err *err);
/* What begins the frame of a message of this size: a zero byte, and the size, big-endian. */
#define SW_GRPC_HEAD_BYTES 5
void sw_grpc_frame_head(size_t size, uint8_t ret_head[SW_GRPC_HEAD_BYTES]);
/* Frame a message: that head and the bytes. */
void sw_grpc_put_frame(struct sw_buffer *out, struct sw_bytes message);
/* Take the next whole frame off `bytes`.
 * SW_E_UNAVAILABLE  it is not all there yet
 * SW_E_RANGE        larger than size_max
 * SW_E_UNSUPPORTED  compressed
 * SW_E_CORRUPT      an unknown flag */
SW_MUST_CHECK enum sw_rc sw_grpc_take_frame(struct sw_bytes *bytes, size_t size_max,
                                            struct sw_bytes *ret_message);
/* The text of a grpc-timeout header in milliseconds, rounded up.  SW_E_INVALID: not one. */
SW_MUST_CHECK enum sw_rc sw_grpc_parse_timeout(struct sw_bytes text, uint64_t *ret_ms);
