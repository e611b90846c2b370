/* Who a certificate speaks for: the SPIFFE identities of Swarm.
 *
 *   spiffe://CLUSTER/user/NAME            a person or program at the API
 *   spiffe://CLUSTER/node/NAME            a swarmd, as a server and as a peer
 *   spiffe://CLUSTER/ns/NS/agent/NAME     an Agent; the instance is a field stamped by its node
 *
 * CLUSTER, NAME and NS are labels (RFC 1123). Threads: pure functions.  I/O: none. */
#pragma once
#include "pkg/utils/errors/errors.h"

#include <stdint.h>

#define SW_SPIFFE_MAX 320
#define SW_IDENTITY_NAME_MAX 64

struct x509_st; /* OpenSSL's X509. */

struct sw_identity { /* What a verified certificate says. */
    char spiffe[SW_SPIFFE_MAX];
    char subject[128];   /* The common name, for people; not trusted for anything. */
    uint64_t expires_ns; /* UTC. */
};

enum sw_spiffe_kind { SW_SPIFFE_USER, SW_SPIFFE_NODE, SW_SPIFFE_AGENT };

struct sw_spiffe { /* The parts of an identity; texts are NUL-terminated. */
    enum sw_spiffe_kind kind;
    char cluster[SW_IDENTITY_NAME_MAX];
    char namespace_[SW_IDENTITY_NAME_MAX]; /* "" unless kind is AGENT. */
    char name[SW_IDENTITY_NAME_MAX];
};

/* SW_E_INVALID: not one of the three forms above. */
SW_MUST_CHECK enum sw_rc sw_spiffe_parse(const char *text, struct sw_spiffe *ret_spiffe);
void sw_spiffe_print(const struct sw_spiffe *spiffe, char ret_text[SW_SPIFFE_MAX]);
/* "user", "node" or "agent". */
const char *sw_spiffe_kind_name(enum sw_spiffe_kind kind);

/* Read a certificate whose chain has been verified. SW_E_INVALID: it does not carry exactly one URI
 * name, as an X.509-SVID must, or the name is not one of ours. */
SW_MUST_CHECK enum sw_rc sw_identity_of(const struct x509_st *certificate,
                                        struct sw_identity *ret_identity, struct sw_err *err);
