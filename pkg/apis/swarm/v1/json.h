/* JSON of any value (protobuf.dev/programming-guides/json): camelCase names, enums by name, 64-bit
 * numbers as text (both ways are read), bytes as base64, times as RFC 3339.
 *
 * Reading refuses unknown fields, duplicate keys, NUL bytes and bad UTF-8, and reports all mistakes
 * with their field paths.
 * Threads: pure functions.  I/O: none.  Limits: those of tree.h and of the arena. */
#pragma once
#include "pkg/apis/swarm/v1/tree.h"

enum sw_json_style { SW_JSON_COMPACT, SW_JSON_PRETTY /* Two spaces, a newline at the end. */ };

/* Append a value as JSON; a failure shows in sw_buffer_check. */
void sw_json_encode(const struct sw_api_message *message, const void *value,
                    enum sw_json_style style, struct sw_buffer *out);
/* Append the value of one field. */
void sw_json_encode_field(const struct sw_api_field *field, const void *value,
                          enum sw_json_style style, struct sw_buffer *out);
/* Append a text as a JSON string with its quotes. */
void sw_json_put_text(struct sw_buffer *out, const char *text);

/* Parse JSON into a tree in the arena; the only problem of a syntax error is its place.
 * SW_E_INVALID    added to problems
 * SW_E_EXHAUSTED  the arena is full */
SW_MUST_CHECK enum sw_rc sw_json_parse(struct sw_bytes json, const struct sw_bind_options *options,
                                       const struct sw_tree **ret_tree);
/* Parse and bind: *ret_value is a struct of the message's size. Errors as sw_tree_bind. */
SW_MUST_CHECK enum sw_rc sw_json_decode(const struct sw_api_message *message, struct sw_bytes json,
                                        const struct sw_bind_options *options, void *ret_value);
/* As sw_json_decode for a whole object of this kind, whose apiVersion and kind must fit (they may
 * be missing, and are then set). */
SW_MUST_CHECK enum sw_rc sw_object_decode_json(const struct sw_kind *kind, struct sw_bytes json,
                                               const struct sw_bind_options *options,
                                               void **ret_object);
