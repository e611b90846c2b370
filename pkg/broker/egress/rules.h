/* Where an agent may go: rules of an Agent's spec against one request. Pure. What no rule allows is
 * denied.
 *
 * Threads, I/O: none.  Limits: those of the spec. */
#pragma once
#include "pkg/utils/base/buffer.h"

#define SW_EGRESS_HOST_MAX 253u

struct sw_egress_target {             /* Of a request; made of a URL by the one who will send it. */
    const char *scheme, *host, *path; /* Host in lower case, without brackets; path with its '/'. */
    uint16_t port;
};

struct sw_egress_names { /* A list of texts. */
    const char *const *items;
    size_t count;
};

struct sw_egress_header {     /* That is added to each request. */
    const char *name, *value; /* The value may have placeholders. */
};

struct sw_egress_rule {
    /* "api.example.com", "*.example.com" (what is below, not itself), each perhaps with ":8443";
     * otherwise the port is that of the scheme. Numbers of an address as they are. */
    struct sw_egress_names hosts;
    struct sw_egress_names methods; /* None: GET and HEAD. */
    struct sw_egress_names paths; /* "/v1/orders", or all below with a '*' at the end; none: any. */
    struct sw_egress_names secrets; /* "SECRET/KEY" whose placeholders may be in headers. */
    const struct sw_egress_header *headers;
    size_t headers_count;
    uint64_t request_bytes_max, answer_bytes_max;
    bool allows_plain;   /* Also http. */
    bool allows_private; /* Also addresses that are not of the internet. */
};

struct sw_egress_ask {
    const char *method;
    struct sw_egress_target target;
    uint64_t body_bytes;
};

/* The first rule that allows it.
 * SW_E_DENIED: none does; err says what is the matter with the one that comes nearest.
 * SW_E_EXHAUSTED: one would, but for the size of its body */
SW_MUST_CHECK enum sw_rc sw_egress_check(const struct sw_egress_rule *rules, size_t count,
                                         const struct sw_egress_ask *ask,
                                         const struct sw_egress_rule **ret_rule,
                                         struct sw_err *err);
/* Whether that secret may be asked for under the rule. */
bool sw_egress_may_use(const struct sw_egress_rule *rule, struct sw_bytes secret);
