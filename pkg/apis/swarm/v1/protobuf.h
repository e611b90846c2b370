/* Protocol Buffers encoding of any value (protobuf.dev/programming-guides/encoding).
 *
 * The store keeps objects in this form, and gRPC carries them. Encoding is canonical: fields in
 * order of their numbers, nothing that is not set, map entries sorted by key; equal values give
 * equal bytes.
 * Threads: pure functions.  I/O: none.  Limits: nesting SW_PROTOBUF_DEPTH_MAX; the arena's size. */
#pragma once
#include "pkg/apis/swarm/v1/object.h"

#define SW_PROTOBUF_DEPTH_MAX 16

/* Append the encoding of a value; a failure shows in sw_buffer_check. */
void sw_protobuf_encode(const struct sw_api_message *message, const void *value,
                        struct sw_buffer *out);
/* How many bytes sw_protobuf_encode appends. */
size_t sw_protobuf_size(const struct sw_api_message *message, const void *value);

/* Append what begins a field of bytes or of a message, whose size_bytes bytes the caller appends:
 * for messages put together from parts that are encoded already. */
void sw_protobuf_encode_head(uint32_t field_number, size_t size_bytes, struct sw_buffer *out);

/* Decode into *ret_value, a struct of the message's size. The bytes are untrusted; texts are copied
 * to the arena, `bytes` fields borrow from the input. Unknown fields are skipped; numbers that
 * enums do not know are kept. SW_E_INVALID    not an encoding of this message: cut, too deep, a
 * wrong wire type, bad UTF-8 SW_E_EXHAUSTED  the arena is full */
SW_MUST_CHECK enum sw_rc sw_protobuf_decode(const struct sw_api_message *message,
                                            struct sw_bytes bytes, struct sw_arena *arena,
                                            void *ret_value, struct sw_err *err);
/* As sw_protobuf_decode for a whole object in the arena. */
SW_MUST_CHECK enum sw_rc sw_object_decode(const struct sw_kind *kind, struct sw_bytes bytes,
                                          struct sw_arena *arena, void **ret_object,
                                          struct sw_err *err);
