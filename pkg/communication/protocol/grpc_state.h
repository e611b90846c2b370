/* What the files of gRPC share. For the files of this room only. Threads: the loop's.  I/O: none.
 */
#pragma once
#include "pkg/communication/protocol/grpc.h"
#include "pkg/utils/base/list.h"
#include "pkg/utils/base/map.h"

struct sw_grpc {
    struct sw_loop *loop;
    struct sw_map *methods; /* By path: struct grpc_method. */
    struct sw_grpc_reflection reflection;
    bool has_reflection;
    enum sw_grpc_health health;
    struct sw_list watchers; /* Calls of Health/Watch. */
};

/* ---- Protocol Buffers, the few words that health, reflection and status need ---- */
void sw_wire_put_number(struct sw_buffer *out, unsigned field, uint64_t value);
void sw_wire_put_bytes(struct sw_buffer *out, unsigned field, struct sw_bytes bytes);
void sw_wire_put_text(struct sw_buffer *out, unsigned field, const char *text);

struct wire_field {
    unsigned number;
    bool is_number;
    uint64_t value;        /* Of a number. */
    struct sw_bytes bytes; /* Of all others. */
};
/* Take the next field off *rest. False at the end; *ret_is_bad: not an encoding. */
bool sw_wire_next(struct sw_bytes *rest, struct wire_field *ret_field, bool *ret_is_bad);

/* Append text as grpc-message wants it: percent-encoded. */
void sw_grpc_put_message(struct sw_buffer *out, const char *text);

SW_MUST_CHECK enum sw_rc sw_grpc_add_health(struct sw_grpc *grpc);
/* True for the stream of reflection, in either version. */
bool sw_grpc_is_reflection(const struct sw_http_request *request);
/* Begin to answer it. */
void sw_grpc_reflect(struct sw_grpc *grpc, struct sw_http_request *request);
