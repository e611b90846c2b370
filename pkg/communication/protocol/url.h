/* Paths and queries of requests, taken apart strictly.
 *
 * A path is split at '/' before its segments are decoded, so "%2F" never makes a new segment. NUL,
 * broken escapes and anything that is not UTF-8 are refused; "." and ".." are refused, not
 * resolved. Threads: pure functions.  I/O: none.  Limits: SW_URL_SEGMENTS_MAX,
 * SW_URL_PARAMETERS_MAX. */
#pragma once
#include "pkg/utils/base/arena.h"
#include "pkg/utils/base/buffer.h"

#define SW_URL_SEGMENTS_MAX 16
#define SW_URL_PARAMETERS_MAX 32

struct sw_url_path {
    const char *segments[SW_URL_SEGMENTS_MAX]; /* Decoded, NUL-terminated. */
    size_t count;                              /* 0 for "/". */
};
struct sw_url_query {
    struct {
        const char *name, *value; /* Decoded, NUL-terminated; a missing value is "". */
    } parameters[SW_URL_PARAMETERS_MAX];
    size_t count;
};

/* Split and decode into the arena. "/a/b/" has the same segments as "/a/b".
 * SW_E_INVALID    a broken escape, "//", "." or "..", NUL, not UTF-8, too many segments
 * SW_E_EXHAUSTED  the arena is full */
SW_MUST_CHECK enum sw_rc sw_url_split_path(struct sw_bytes path, struct sw_arena *arena,
                                           struct sw_url_path *ret_path, struct sw_err *err);
/* "a=b&c" with '+' for a space; errors as above, and SW_E_INVALID for a name given twice. */
SW_MUST_CHECK enum sw_rc sw_url_split_query(struct sw_bytes query, struct sw_arena *arena,
                                            struct sw_url_query *ret_query, struct sw_err *err);
/* The value of a parameter, or NULL when it is not there. */
const char *sw_url_query_find(const struct sw_url_query *query, const char *name);
/* Append bytes, percent-decoded.  SW_E_INVALID: a broken escape. */
SW_MUST_CHECK enum sw_rc sw_url_decode(struct sw_bytes text, struct sw_buffer *out);
