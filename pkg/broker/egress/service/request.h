/* What an agent asks `swarm.http` for, and what it is answered. For the files of this room, and its
 * fuzz target.
 *
 * Threads: pure functions.  I/O: none.
 * Limits: SW_EGRESS_DOCUMENT_MAX of a request, SW_EGRESS_HEADERS_MAX headers, 16 KiB of each. */
#pragma once
#include "pkg/broker/egress/rules.h"
#include "pkg/broker/outbound/url.h"
#include "pkg/utils/base/arena.h"

#define SW_EGRESS_DOCUMENT_MAX ((size_t)4 << 20)
#define SW_EGRESS_HEADERS_MAX 32u
#define SW_EGRESS_HEADER_BYTES_MAX 8192u
#define SW_EGRESS_ANSWER_MAX ((size_t)4 << 20) /* Of what a service may answer with. */

struct sw_egress_request { /* All in the arena that it was read with. */
    const char *method;    /* "GET" */
    struct sw_outbound_url url;
    struct sw_egress_header headers[SW_EGRESS_HEADERS_MAX]; /* Placeholders as they came. */
    size_t headers_count;
    struct sw_bytes body;
    uint64_t timeout_ms; /* 0: as the rule says. */
};

/* Read {"method", "url", "headers", "body" or "bodyBase64", "timeoutMs"}.
 * SW_E_INVALID: a field is missing, unknown or of another type, a header is the broker's own, the
 * URL is none.  SW_E_EXHAUSTED: no memory. */
SW_MUST_CHECK enum sw_rc sw_egress_request_read(struct sw_bytes document, struct sw_arena *arena,
                                                struct sw_egress_request *ret_request,
                                                struct sw_err *err);

/* A value of a Secret, "NAME/KEY".  Appended to out; errors are the caller's. */
typedef enum sw_rc sw_egress_secret(void *ctx, struct sw_bytes name, struct sw_buffer *out,
                                    struct sw_err *err);

struct sw_egress_secrets { /* Where placeholders get their values. */
    void *ctx;
    sw_egress_secret *get;
    const struct sw_egress_rule *rule; /* NULL: any may be named. */
};

/* Append a header's value with its placeholders, `{{secret:NAME/KEY}}`, filled in.
 * SW_E_DENIED: one that the rule does not let the agent use.  SW_E_INVALID: one without an end.
 * Others: those of get. */
SW_MUST_CHECK enum sw_rc sw_egress_fill(const char *value, const struct sw_egress_secrets *secrets,
                                        struct sw_buffer *out, struct sw_err *err);

struct sw_egress_answer {
    int status;
    const struct sw_egress_header *headers; /* In lower case. */
    size_t headers_count;
    struct sw_bytes body;
};

/* Append {"status", "headers", "body" or "bodyBase64"}: a body that is UTF-8, and not too long as
 * such, stays a text.  SW_E_EXHAUSTED: no memory. */
SW_MUST_CHECK enum sw_rc sw_egress_answer_print(const struct sw_egress_answer *answer,
                                                struct sw_buffer *out, struct sw_err *err);
/* Put as many '*' as it has bytes in place of each occurrence. */
void sw_egress_hide(char *bytes, size_t size, struct sw_bytes secret);
