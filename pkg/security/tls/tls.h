/* TLS 1.3 for every link of Swarm: who may speak, proven by certificates of the cluster's
 * authority.
 *
 * A server asks each client for a certificate. One that is given must verify; none is allowed at
 * the handshake, because health checks are open, and yields SW_E_UNAUTHENTICATED from sw_tls_peer.
 * A client verifies the server's certificate and the host name or address that it asked for.
 * Sessions are never resumed, so that an expired certificate cannot live on in a ticket.
 *
 * pkg/communication/protocol drives the SSL object with memory BIOs; everything else stays here.
 * Threads: contexts may be shared for making sessions on one loop.  I/O: none. */
#pragma once
#include "pkg/security/certs/identity.h"
#include "pkg/utils/base/buffer.h"

struct ssl_st;         /* OpenSSL's SSL. */
struct ssl_ctx_st;     /* OpenSSL's SSL_CTX. */
struct sw_tls_context; /* Opaque. */

struct sw_tls_options {
    bool is_server;
    struct sw_bytes roots_pem;       /* The authorities whose certificates are accepted. */
    struct sw_bytes certificate_pem; /* Ours, leaf first; a client may leave it empty. */
    struct sw_bytes key_pem;         /* The leaf's key; empty with an empty certificate. */
};

/* ALPN: a server takes h2 over http/1.1 and refuses a list with neither; a client offers both.
 * SW_E_CORRUPT: a PEM text cannot be read, or the key is not the certificate's. */
SW_MUST_CHECK enum sw_rc sw_tls_context_new(const struct sw_tls_options *options,
                                            struct sw_tls_context **ret_context,
                                            struct sw_err *err);
/* Sessions that were made of it go on. */
void sw_tls_context_free(struct sw_tls_context *context);
SW_DEFINE_CLEANUP(struct sw_tls_context, sw_tls_context_free)
/* Show this certificate in all handshakes from now on. Errors leave the present one. */
SW_MUST_CHECK enum sw_rc sw_tls_context_renew(struct sw_tls_context *context,
                                              struct sw_bytes certificate_pem,
                                              struct sw_bytes key_pem, struct sw_err *err);
/* Borrowed; for tests and counters. Make sessions with sw_tls_session_new. */
struct ssl_ctx_st *sw_tls_context_ssl(const struct sw_tls_context *context);

/* An SSL object in accept or connect state, without BIOs, checking certificates against now_ns
 * (UTC). A client names the server, a DNS name or an IP address, that it means to reach; a server
 * passes NULL. The caller frees it with SSL_free. */
SW_MUST_CHECK enum sw_rc sw_tls_session_new(const struct sw_tls_context *context,
                                            const char *server_name, uint64_t now_ns,
                                            struct ssl_st **ret_session, struct sw_err *err);

/* After the handshake: whom the peer's verified certificate speaks for.
 * SW_E_UNAUTHENTICATED: it showed none, or one that is not one of ours. */
SW_MUST_CHECK enum sw_rc sw_tls_peer(const struct ssl_st *session, struct sw_identity *ret_identity,
                                     struct sw_err *err);
/* True when the handshake chose "h2"; false is HTTP/1.1. */
bool sw_tls_is_h2(const struct ssl_st *session);
/* Put into err why the last call on this session failed and empty OpenSSL's queue; SW_E_DENIED for
 * a certificate that did not verify, otherwise SW_E_UNAVAILABLE. */
enum sw_rc sw_tls_error(const struct ssl_st *session, const char *doing, struct sw_err *err);
