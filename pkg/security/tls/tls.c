#include "pkg/security/tls/tls.h"

#include "pkg/security/certs/certs.h"

#include <assert.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

#define NS_PER_S UINT64_C(1000000000)

struct sw_tls_context {
    SSL_CTX *ssl;
    bool is_server;
};

/* RFC 7301: each name with its size before it, in our order of preference. */
static const unsigned char protocols[] = "\x02h2\x08http/1.1";
#define PROTOCOLS_SIZE (sizeof protocols - 1)

static enum sw_rc openssl_error(struct sw_err *err, enum sw_rc rc, const char *doing)
{
    unsigned long number = ERR_peek_last_error();
    const char *reason = number == 0 ? NULL : ERR_reason_error_string(number);

    ERR_clear_error();
    return sw_err_set(err, rc, "%s: %s", doing, reason != NULL ? reason : "unknown cause");
}

static int refuse_password(char *buffer, int size, int is_writing, void *ctx)
{
    (void)buffer;
    (void)size;
    (void)is_writing;
    (void)ctx;
    return -1;
}

static int choose_protocol(SSL *session, const unsigned char **ret_name, unsigned char *ret_size,
                           const unsigned char *offered, unsigned offered_size, void *ctx)
{
    unsigned char *name;

    (void)session;
    (void)ctx;
    if (SSL_select_next_proto(&name, ret_size, protocols, PROTOCOLS_SIZE, offered, offered_size) !=
        OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *ret_name = name;
    return SSL_TLSEXT_ERR_OK;
}

static BIO *bio_of(struct sw_bytes pem)
{
    if (pem.size == 0 || pem.size > SW_PEM_MAX)
        return NULL;
    return BIO_new_mem_buf(pem.data, (int)pem.size);
}

/* Trust every certificate of the text; there must be one at least. */
static enum sw_rc add_roots(SSL_CTX *ssl, struct sw_bytes pem, struct sw_err *err)
{
    X509_STORE *store = SSL_CTX_get_cert_store(ssl);
    BIO *bio = bio_of(pem);
    bool is_added = true;
    size_t count = 0;

    while (bio != NULL && is_added) {
        X509 *root = PEM_read_bio_X509(bio, NULL, refuse_password, NULL);

        if (root == NULL)
            break;
        /* Names of trusted authorities go to clients, so that they can choose a certificate. */
        is_added = X509_STORE_add_cert(store, root) == 1 && SSL_CTX_add_client_CA(ssl, root) == 1;
        X509_free(root);
        count++;
    }
    BIO_free(bio);
    if (count == 0 || !is_added)
        return openssl_error(err, SW_E_CORRUPT, "read the trusted authorities");
    ERR_clear_error(); /* The end of the text is an error to OpenSSL. */
    return SW_OK;
}

struct parsed { /* A certificate, what follows it, and its key; all owned. */
    X509 *leaf;
    STACK_OF(X509) * chain;
    EVP_PKEY *key;
};

static void parsed_done(struct parsed *parsed)
{
    X509_free(parsed->leaf);
    sk_X509_pop_free(parsed->chain, X509_free);
    EVP_PKEY_free(parsed->key);
}

static bool parse(struct sw_bytes certificate_pem, struct sw_bytes key_pem, struct parsed *parsed)
{
    BIO *certificates = bio_of(certificate_pem), *key = bio_of(key_pem);
    bool is_whole;

    if (certificates != NULL)
        parsed->leaf = PEM_read_bio_X509(certificates, NULL, refuse_password, NULL);
    if (key != NULL)
        parsed->key = PEM_read_bio_PrivateKey(key, NULL, refuse_password, NULL);
    parsed->chain = sk_X509_new_null();
    is_whole = parsed->leaf != NULL && parsed->key != NULL && parsed->chain != NULL;
    while (is_whole) {
        X509 *next = PEM_read_bio_X509(certificates, NULL, refuse_password, NULL);

        if (next == NULL)
            break;
        if (sk_X509_push(parsed->chain, next) <= 0) {
            X509_free(next);
            is_whole = false;
        }
    }
    BIO_free(certificates);
    BIO_free(key);
    return is_whole;
}

enum sw_rc sw_tls_context_renew(struct sw_tls_context *context, struct sw_bytes certificate_pem,
                                struct sw_bytes key_pem, struct sw_err *err)
{
    struct parsed parsed = {0};
    bool is_usable = parse(certificate_pem, key_pem, &parsed) &&
                     X509_check_private_key(parsed.leaf, parsed.key) == 1;

    ERR_clear_error();
    if (is_usable) /* One call: all three are replaced, or none. */
        is_usable =
            SSL_CTX_use_cert_and_key(context->ssl, parsed.leaf, parsed.key, parsed.chain, 1) == 1;
    parsed_done(&parsed);
    if (!is_usable)
        return openssl_error(err, SW_E_CORRUPT, "use a certificate and its key for TLS");
    return SW_OK;
}

static bool set_rules(SSL_CTX *ssl, bool is_server)
{
    SSL_CTX_set_options(ssl, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION);
    (void)SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_verify(ssl, SSL_VERIFY_PEER, NULL);
    /* A connection that waits for nothing keeps no buffers; writes may be taken up by parts. */
    (void)SSL_CTX_set_mode(ssl, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                    SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    if (SSL_CTX_set_min_proto_version(ssl, TLS1_3_VERSION) != 1 ||
        SSL_CTX_set_num_tickets(ssl, 0) != 1)
        return false;
    if (!is_server) /* Zero is success for this one call. */
        return SSL_CTX_set_alpn_protos(ssl, protocols, PROTOCOLS_SIZE) == 0;
    SSL_CTX_set_alpn_select_cb(ssl, choose_protocol, NULL);
    return true;
}

enum sw_rc sw_tls_context_new(const struct sw_tls_options *options,
                              struct sw_tls_context **ret_context, struct sw_err *err)
{
    SW_CLEANUP(sw_tls_context_freep) struct sw_tls_context *context = calloc(1, sizeof *context);
    enum sw_rc rc;

    if (context == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for TLS");
    context->is_server = options->is_server;
    context->ssl = SSL_CTX_new(options->is_server ? TLS_server_method() : TLS_client_method());
    if (context->ssl == NULL || !set_rules(context->ssl, options->is_server))
        return openssl_error(err, SW_E_EXHAUSTED, "prepare TLS");
    rc = add_roots(context->ssl, options->roots_pem, err);
    if (rc == SW_OK && (options->is_server || options->certificate_pem.size > 0))
        rc = sw_tls_context_renew(context, options->certificate_pem, options->key_pem, err);
    if (rc == SW_OK)
        *ret_context = SW_TAKE(context);
    return rc;
}

void sw_tls_context_free(struct sw_tls_context *context)
{
    if (context == NULL)
        return;
    SSL_CTX_free(context->ssl);
    free(context);
}

struct ssl_ctx_st *sw_tls_context_ssl(const struct sw_tls_context *context)
{
    return context->ssl;
}

/* Ask for this server: an address must be among the certificate's addresses, a name among its
 * names. */
static bool set_server_name(SSL *session, const char *name)
{
    X509_VERIFY_PARAM *rules = SSL_get0_param(session);
    char copy[TLSEXT_MAXLEN_host_name + 1]; /* The call that wants it does not promise const. */

    if (X509_VERIFY_PARAM_set1_ip_asc(rules, name) == 1)
        return true; /* An address is not sent as a server name (RFC 6066). */
    ERR_clear_error();
    X509_VERIFY_PARAM_set_hostflags(rules, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    if (strnlen(name, sizeof copy) == sizeof copy)
        return false;
    (void)strcpy(copy, name);
    return SSL_set1_host(session, name) == 1 && SSL_set_tlsext_host_name(session, copy) == 1;
}

enum sw_rc sw_tls_session_new(const struct sw_tls_context *context, const char *server_name,
                              uint64_t now_ns, struct ssl_st **ret_session, struct sw_err *err)
{
    SSL *session = SSL_new(context->ssl);

    assert(context->is_server == (server_name == NULL));
    if (session == NULL)
        return openssl_error(err, SW_E_EXHAUSTED, "begin a TLS session");
    X509_VERIFY_PARAM_set_time(SSL_get0_param(session), (time_t)(now_ns / NS_PER_S));
    if (context->is_server) {
        SSL_set_accept_state(session);
    } else {
        SSL_set_connect_state(session);
        if (!set_server_name(session, server_name)) {
            SSL_free(session);
            ERR_clear_error();
            return sw_err_set(err, SW_E_INVALID, "\"%.64s\" cannot be a server's name",
                              server_name);
        }
    }
    *ret_session = session;
    return SW_OK;
}

enum sw_rc sw_tls_peer(const struct ssl_st *session, struct sw_identity *ret_identity,
                       struct sw_err *err)
{
    X509 *certificate = SSL_get0_peer_certificate(session);

    if (certificate == NULL)
        return sw_err_set(err, SW_E_UNAUTHENTICATED, "no client certificate was shown");
    if (SSL_get_verify_result(session) != X509_V_OK)
        return sw_err_set(err, SW_E_UNAUTHENTICATED, "the certificate did not verify: %s",
                          X509_verify_cert_error_string(SSL_get_verify_result(session)));
    if (sw_identity_of(certificate, ret_identity, err) != SW_OK) {
        if (err != NULL)
            err->rc = SW_E_UNAUTHENTICATED;
        return SW_E_UNAUTHENTICATED;
    }
    return SW_OK;
}

bool sw_tls_is_h2(const struct ssl_st *session)
{
    const unsigned char *name;
    unsigned size;

    SSL_get0_alpn_selected(session, &name, &size);
    return size == 2 && memcmp(name, "h2", 2) == 0;
}

enum sw_rc sw_tls_error(const struct ssl_st *session, const char *doing, struct sw_err *err)
{
    long verdict = SSL_get_verify_result(session);

    if (verdict == X509_V_OK)
        return openssl_error(err, SW_E_UNAVAILABLE, doing);
    ERR_clear_error();
    (void)sw_err_set(err, SW_E_DENIED, "%s: the peer's certificate is not accepted: %s", doing,
                     X509_verify_cert_error_string(verdict));
    sw_err_hint(err, "check that both sides trust the same authority and their clocks agree");
    return SW_E_DENIED;
}
