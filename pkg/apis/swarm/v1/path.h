/* Fields by path: columns, `-o jsonpath=`, and the texts of `swarm explain`.
 *
 * A path is names joined by '.', with [n], [*] and ['key'] for lists and maps:
 * "status.conditions[0].reason", "metadata.labels['app']". A template holds paths in braces between
 * plain text, and quoted text in braces: "{.metadata.name}{\"\\n\"}". A text without braces is a
 * path. Threads: pure functions.  I/O: none.  Limits: SW_FIELD_PATH_MAX bytes. */
#pragma once
#include "pkg/apis/swarm/v1/object.h"

#define SW_FIELD_PATH_MAX 1024

/* Append what the path or template yields: texts as they are, messages and lists as JSON, several
 * matches with a space between; what is not set gives its empty value (0, false or "").
 * SW_E_INVALID: the template cannot be read, or there is no such field; err has the nearest name.
 */
SW_MUST_CHECK enum sw_rc sw_path_print(const struct sw_api_message *message, const void *value,
                                       const char *path, struct sw_buffer *out, struct sw_err *err);
/* Append one column of an object; now_ns is UTC, for ages such as "5m". "-" stands for nothing. */
void sw_column_print(const struct sw_kind *kind, const struct sw_api_column *column,
                     const void *object, uint64_t now_ns, struct sw_buffer *out);
/* Append a time span as "90s", "5m0s", "47h": one or two units, the larger first, as long as the
 * smaller one still says something. */
void sw_age_print(uint64_t age_ns, struct sw_buffer *out);
/* Append what is known about a kind or field: "agent", "agent.spec.limits".
 * SW_E_NOT_FOUND: no such kind or field; err has the nearest name as its hint. */
SW_MUST_CHECK enum sw_rc sw_explain(const char *path, struct sw_buffer *out, struct sw_err *err);
