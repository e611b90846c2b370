/* From a verified certificate to a principal: who is asking.
 *
 * Threads: pure functions.  I/O: none. */
#pragma once
#include "pkg/security/certs/identity.h"

enum sw_principal_kind {
    SW_PRINCIPAL_ANYBODY, /* No identity was shown. */
    SW_PRINCIPAL_USER,
    SW_PRINCIPAL_NODE,
    SW_PRINCIPAL_AGENT
};
#define SW_PRINCIPAL_KINDS_COUNT 4

struct sw_principal {
    enum sw_principal_kind kind;
    char namespace_[SW_IDENTITY_NAME_MAX]; /* An Agent's; otherwise "". */
    char name[SW_IDENTITY_NAME_MAX];       /* "" for ANYBODY. */
    char spiffe[SW_SPIFFE_MAX];            /* For records; "" for ANYBODY. */
};

/* identity comes from the peer's verified certificate, NULL if it showed none: that is ANYBODY, and
 * no error. cluster is our own name; now_ns is UTC and is compared at each request, because a
 * connection may outlive its certificate.
 * SW_E_UNAUTHENTICATED: the identity is another cluster's, has expired, or is not one of Swarm's.
 */
SW_MUST_CHECK enum sw_rc sw_authenticate(const char *cluster, const struct sw_identity *identity,
                                         uint64_t now_ns, struct sw_principal *ret_principal,
                                         struct sw_err *err);
/* "anybody", "user", "node", "agent". */
const char *sw_principal_kind_name(enum sw_principal_kind kind);
