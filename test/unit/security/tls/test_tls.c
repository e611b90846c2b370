/* Handshakes in memory: who gets through, and as whom. */
#include "pkg/security/tls/tls.h"

#include "pkg/security/certs/certs.h"

#include <openssl/ssl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define HOUR_NS (UINT64_C(3600) * 1000000000)
#define NOW_NS (UINT64_C(1780000000) * 1000000000)

static struct sw_authority *authority, *stranger;

static struct sw_credentials *issue(struct sw_authority *by, enum sw_spiffe_kind kind,
                                    const char *name)
{
    static const char *const hosts[] = {"localhost", "127.0.0.1", "::1"};
    struct sw_certificate_request request = {.identity = {.kind = kind, .cluster = "hive"},
                                             .is_server = kind == SW_SPIFFE_NODE,
                                             .hosts = hosts,
                                             .hosts_count = 3,
                                             .lifetime_ns = HOUR_NS};
    struct sw_credentials *credentials = NULL;
    struct sw_err err = {0};

    (void)snprintf(request.identity.name, sizeof request.identity.name, "%s", name);
    assert_int_equal(sw_authority_issue(by, &request, NOW_NS, &credentials, &err), SW_OK);
    return credentials;
}

/* Credentials NULL: none are shown. */
static struct sw_tls_context *context_of(bool is_server, const struct sw_credentials *credentials)
{
    struct sw_tls_options options = {.is_server = is_server,
                                     .roots_pem = sw_authority_pem(authority)};
    struct sw_tls_context *context = NULL;
    struct sw_err err = {0};

    if (credentials != NULL) {
        options.certificate_pem = sw_credentials_certificate_pem(credentials);
        options.key_pem = sw_credentials_key_pem(credentials);
    }
    assert_int_equal(sw_tls_context_new(&options, &context, &err), SW_OK);
    return context;
}

struct pair { /* Two sessions joined by a pair of memory BIOs. */
    SSL *server, *client;
    bool is_connected;
};

static void pair_done(struct pair *pair)
{
    SSL_free(pair->server);
    SSL_free(pair->client);
}

static struct pair shake_hands(const struct sw_tls_context *server,
                               const struct sw_tls_context *client, const char *name,
                               uint64_t now_ns)
{
    struct pair pair = {0};
    struct sw_err err = {0};
    BIO *one, *other;
    int server_rc = 0, client_rc = 0;

    assert_int_equal(sw_tls_session_new(server, NULL, now_ns, &pair.server, &err), SW_OK);
    assert_int_equal(sw_tls_session_new(client, name, now_ns, &pair.client, &err), SW_OK);
    assert_int_equal(BIO_new_bio_pair(&one, 0, &other, 0), 1);
    SSL_set_bio(pair.server, one, one);
    SSL_set_bio(pair.client, other, other);
    for (int i = 0; i < 8; i++) {
        client_rc = SSL_do_handshake(pair.client);
        if (client_rc <= 0 && SSL_get_error(pair.client, client_rc) != SSL_ERROR_WANT_READ)
            break;
        server_rc = SSL_do_handshake(pair.server);
        if (server_rc <= 0 && SSL_get_error(pair.server, server_rc) != SSL_ERROR_WANT_READ)
            break;
    }
    pair.is_connected = client_rc == 1 && server_rc == 1;
    return pair;
}

static int group_begin(void **state)
{
    struct sw_err err = {0};

    (void)state;
    return sw_authority_new("hive", NOW_NS, &authority, &err) != SW_OK ||
           sw_authority_new("hive", NOW_NS, &stranger, &err) != SW_OK;
}

static int group_end(void **state)
{
    (void)state;
    sw_authority_free(authority);
    sw_authority_free(stranger);
    return 0;
}

struct case_ { /* One handshake; NULL credentials are not shown. */
    struct sw_credentials *server, *client;
    const char *name;
    uint64_t now_ns;
    bool is_connected;
    const char *peer; /* What the server learns, or NULL. */
};

static void check_case(const struct case_ *row)
{
    SW_CLEANUP(sw_tls_context_freep) struct sw_tls_context *server = context_of(true, row->server);
    SW_CLEANUP(sw_tls_context_freep) struct sw_tls_context *client = context_of(false, row->client);
    struct pair pair = shake_hands(server, client, row->name, row->now_ns);
    struct sw_identity identity;
    struct sw_err err = {0};

    assert_int_equal(pair.is_connected, row->is_connected);
    if (row->is_connected && row->peer != NULL) {
        assert_int_equal(sw_tls_peer(pair.server, &identity, &err), SW_OK);
        assert_string_equal(identity.spiffe, row->peer);
    } else {
        assert_int_equal(sw_tls_peer(pair.server, &identity, &err), SW_E_UNAUTHENTICATED);
    }
    pair_done(&pair);
}

static void test_who_gets_through(void **state)
{
    SW_CLEANUP(sw_credentials_freep)
    struct sw_credentials *node = issue(authority, SW_SPIFFE_NODE, "node-1");
    SW_CLEANUP(sw_credentials_freep)
    struct sw_credentials *admin = issue(authority, SW_SPIFFE_USER, "admin");
    SW_CLEANUP(sw_credentials_freep)
    struct sw_credentials *false_node = issue(stranger, SW_SPIFFE_NODE, "node-1");
    SW_CLEANUP(sw_credentials_freep)
    struct sw_credentials *false_admin = issue(stranger, SW_SPIFFE_USER, "admin");
    const struct case_ rows[] = {
        {node, admin, "localhost", NOW_NS, true, "spiffe://hive/user/admin"},
        {node, admin, "127.0.0.1", NOW_NS, true, "spiffe://hive/user/admin"},
        {node, admin, "::1", NOW_NS, true, "spiffe://hive/user/admin"},
        {node, NULL, "localhost", NOW_NS, true, NULL}, /* Health checks show no certificate. */
        {node, admin, "example.org", NOW_NS, false, NULL},
        {node, admin, "127.0.0.2", NOW_NS, false, NULL},
        {node, admin, "localhost", NOW_NS + 2 * HOUR_NS, false, NULL}, /* Both have expired. */
        {node, false_admin, "localhost", NOW_NS, false, NULL},
        {false_node, admin, "localhost", NOW_NS, false, NULL},
        {admin, admin, "localhost", NOW_NS, false, NULL}, /* A user's certificate cannot serve. */
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        check_case(&rows[i]);
}

static void test_refusals_have_words(void **state)
{
    SW_CLEANUP(sw_credentials_freep)
    struct sw_credentials *node = issue(stranger, SW_SPIFFE_NODE, "node-1");
    SW_CLEANUP(sw_tls_context_freep) struct sw_tls_context *server = context_of(true, node);
    SW_CLEANUP(sw_tls_context_freep) struct sw_tls_context *client = context_of(false, NULL);
    struct pair pair = shake_hands(server, client, "localhost", NOW_NS);
    struct sw_err err = {0};

    (void)state;
    assert_false(pair.is_connected);
    assert_int_equal(sw_tls_error(pair.client, "connect", &err), SW_E_DENIED);
    assert_non_null(strstr(err.message, "connect: the peer's certificate is not accepted"));
    assert_true(err.hint[0] != '\0');
    assert_int_equal(sw_tls_error(pair.server, "accept", &err), SW_E_UNAVAILABLE);
    pair_done(&pair);
}

static void test_protocol_is_h2_first(void **state)
{
    SW_CLEANUP(sw_credentials_freep)
    struct sw_credentials *node = issue(authority, SW_SPIFFE_NODE, "node-1");
    SW_CLEANUP(sw_tls_context_freep) struct sw_tls_context *server = context_of(true, node);
    SW_CLEANUP(sw_tls_context_freep) struct sw_tls_context *client = context_of(false, NULL);
    struct pair pair = shake_hands(server, client, "localhost", NOW_NS);

    (void)state;
    assert_true(sw_tls_is_h2(pair.server));
    assert_true(sw_tls_is_h2(pair.client));
    assert_string_equal(SSL_get_version(pair.client), "TLSv1.3");
    pair_done(&pair);
}

/* A handshake with a client that offers these protocols (RFC 7301 form). */
static struct pair shake_hands_offering(const char *offer)
{
    SW_CLEANUP(sw_credentials_freep)
    struct sw_credentials *node = issue(authority, SW_SPIFFE_NODE, "node-1");
    SW_CLEANUP(sw_tls_context_freep) struct sw_tls_context *server = context_of(true, node);
    SW_CLEANUP(sw_tls_context_freep) struct sw_tls_context *client = context_of(false, NULL);

    (void)SSL_CTX_set_alpn_protos(sw_tls_context_ssl(client), (const unsigned char *)offer,
                                  (unsigned)strlen(offer));
    return shake_hands(server, client, "localhost", NOW_NS);
}

static void test_other_protocols(void **state)
{
    struct pair pair = shake_hands_offering("\x08http/1.1");

    (void)state;
    assert_true(pair.is_connected);
    assert_false(sw_tls_is_h2(pair.server));
    pair_done(&pair);
    pair = shake_hands_offering(""); /* curl without ALPN: HTTP/1.1. */
    assert_true(pair.is_connected);
    assert_false(sw_tls_is_h2(pair.server));
    pair_done(&pair);
    pair = shake_hands_offering("\x06gopher");
    assert_false(pair.is_connected);
    pair_done(&pair);
}

static void test_older_tls_is_refused(void **state)
{
    SW_CLEANUP(sw_credentials_freep)
    struct sw_credentials *node = issue(authority, SW_SPIFFE_NODE, "node-1");
    SW_CLEANUP(sw_tls_context_freep) struct sw_tls_context *server = context_of(true, node);
    SW_CLEANUP(sw_tls_context_freep) struct sw_tls_context *client = context_of(false, NULL);
    struct pair pair;

    (void)state;
    (void)SSL_CTX_set_min_proto_version(sw_tls_context_ssl(client), TLS1_2_VERSION);
    (void)SSL_CTX_set_max_proto_version(sw_tls_context_ssl(client), TLS1_2_VERSION);
    pair = shake_hands(server, client, "localhost", NOW_NS);
    assert_false(pair.is_connected);
    pair_done(&pair);
}

static void test_renewed_certificate_is_shown(void **state)
{
    SW_CLEANUP(sw_credentials_freep)
    struct sw_credentials *old = issue(authority, SW_SPIFFE_NODE, "node-1");
    SW_CLEANUP(sw_credentials_freep)
    struct sw_credentials *new_ = issue(authority, SW_SPIFFE_NODE, "node-2");
    SW_CLEANUP(sw_tls_context_freep) struct sw_tls_context *server = context_of(true, old);
    SW_CLEANUP(sw_tls_context_freep) struct sw_tls_context *client = context_of(false, NULL);
    struct sw_identity identity;
    struct sw_err err = {0};
    struct pair pair;

    (void)state;
    assert_int_equal(sw_tls_context_renew(server, sw_credentials_certificate_pem(new_),
                                          sw_credentials_key_pem(new_), &err),
                     SW_OK);
    /* A pair that does not fit changes nothing. */
    assert_int_equal(sw_tls_context_renew(server, sw_credentials_certificate_pem(old),
                                          sw_credentials_key_pem(new_), &err),
                     SW_E_CORRUPT);
    pair = shake_hands(server, client, "localhost", NOW_NS);
    assert_true(pair.is_connected);
    assert_int_equal(sw_tls_peer(pair.client, &identity, &err), SW_OK);
    assert_string_equal(identity.spiffe, "spiffe://hive/node/node-2");
    pair_done(&pair);
}

static void test_contexts_that_cannot_be_made(void **state)
{
    SW_CLEANUP(sw_credentials_freep)
    struct sw_credentials *node = issue(authority, SW_SPIFFE_NODE, "node-1");
    struct sw_tls_options options = {.is_server = true, .roots_pem = sw_authority_pem(authority)};
    struct sw_tls_context *context = NULL;
    struct sw_err err = {0};

    (void)state;
    assert_int_equal(sw_tls_context_new(&options, &context, &err), SW_E_CORRUPT);
    options.certificate_pem = sw_credentials_certificate_pem(node);
    options.key_pem = sw_credentials_key_pem(node);
    options.roots_pem = (struct sw_bytes){"junk", 4};
    assert_int_equal(sw_tls_context_new(&options, &context, &err), SW_E_CORRUPT);
    options.roots_pem = (struct sw_bytes){0};
    assert_int_equal(sw_tls_context_new(&options, &context, &err), SW_E_CORRUPT);
    assert_null(context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_who_gets_through),
        cmocka_unit_test(test_refusals_have_words),
        cmocka_unit_test(test_protocol_is_h2_first),
        cmocka_unit_test(test_other_protocols),
        cmocka_unit_test(test_older_tls_is_refused),
        cmocka_unit_test(test_renewed_certificate_is_shown),
        cmocka_unit_test(test_contexts_that_cannot_be_made),
    };

    return cmocka_run_group_tests(tests, group_begin, group_end);
}
