/* The port behind TLS: identities, ALPN, and peers that are not what they should be. */
#include "pkg/security/certs/certs.h"
#include "test/unit/communication/protocol/raw.h"

struct keys {
    struct sw_authority *authority;
    struct sw_tls_context *server, *client, *stranger;
};

static struct sw_tls_context *tls_of(const struct sw_authority *authority,
                                     const struct sw_authority *trusted,
                                     const struct sw_certificate_request *request)
{
    struct sw_tls_options options = {.is_server = request != NULL && request->is_server,
                                     .roots_pem = sw_authority_pem(trusted)};
    struct sw_credentials *credentials = NULL;
    struct sw_tls_context *tls = NULL;
    struct sw_err err = {0};

    if (request != NULL) {
        if (sw_authority_issue(authority, request, sw_system_real()->utc_ns(NULL), &credentials,
                               &err) != SW_OK)
            fail_msg("%s", err.message);
        options.certificate_pem = sw_credentials_certificate_pem(credentials);
        options.key_pem = sw_credentials_key_pem(credentials);
    }
    if (sw_tls_context_new(&options, &tls, &err) != SW_OK)
        fail_msg("%s", err.message);
    sw_credentials_free(credentials);
    return tls;
}

static const char *const hosts[] = {"127.0.0.1"};
static const struct sw_certificate_request server_request = {
    .identity = {.kind = SW_SPIFFE_NODE, .cluster = "test", .name = "one"},
    .is_server = true,
    .hosts = hosts,
    .hosts_count = 1,
    .lifetime_ns = 3600000000000u};
static const struct sw_certificate_request client_request = {
    .identity = {.kind = SW_SPIFFE_USER, .cluster = "test", .name = "ada"},
    .lifetime_ns = 3600000000000u};

static struct keys keys;

static int keys_make(void **state)
{
    assert_int_equal(
        sw_authority_new("test", sw_system_real()->utc_ns(NULL), &keys.authority, NULL), SW_OK);
    keys.server = tls_of(keys.authority, keys.authority, &server_request);
    keys.client = tls_of(keys.authority, keys.authority, &client_request);
    keys.stranger = tls_of(keys.authority, keys.authority, NULL);
    return set_up(state);
}

static int keys_free(void **state)
{
    int rc = tear_down(state);

    sw_tls_context_free(keys.server);
    sw_tls_context_free(keys.client);
    sw_tls_context_free(keys.stranger);
    sw_authority_free(keys.authority);
    return rc;
}

static void tell_peer(struct fixture *f, struct sw_http_request *request)
{
    (void)f;
    sw_http_respond_text(
        request, 200, "text/plain",
        sw_bytes_of_text(request->peer->is_known ? request->peer->identity.spiffe : "stranger"));
}

static void the_identity_of_a_client_is_known(void **state)
{
    struct fixture *f = *state;

    fixture_start(f, NULL, keys.server);
    fixture_client(f, keys.client);
    f->answer = tell_peer;
    (void)call(f, SW_HTTP_GET, "/", (struct sw_bytes){0});
    run_until(f, has_reply);
    assert_int_equal(f->rc, SW_OK);
    assert_string_equal(f->body, "spiffe://test/user/ada");
}

static void a_client_without_certificate_is_a_stranger(void **state)
{
    struct fixture *f = *state;

    fixture_start(f, NULL, keys.server);
    fixture_client(f, keys.stranger);
    f->answer = tell_peer;
    (void)call(f, SW_HTTP_GET, "/", (struct sw_bytes){0});
    run_until(f, has_reply);
    assert_string_equal(f->body, "stranger");
}

static void a_client_of_another_authority_is_refused(void **state)
{
    struct fixture *f = *state;
    struct sw_authority *other;
    struct sw_tls_context *tls;

    assert_int_equal(sw_authority_new("test", sw_system_real()->utc_ns(NULL), &other, NULL), SW_OK);
    tls = tls_of(other, keys.authority, &client_request);
    fixture_start(f, NULL, keys.server);
    fixture_client(f, tls);
    (void)call(f, SW_HTTP_GET, "/", (struct sw_bytes){0});
    run_until(f, has_reply);
    assert_int_not_equal(f->rc, SW_OK);
    assert_int_equal(f->handled, 0);
    assert_int_equal(server_view(f).handshakes_failed, 1);
    sw_http_client_free(f->client);
    f->client = NULL;
    sw_tls_context_free(tls);
    sw_authority_free(other);
}

static void a_server_of_another_authority_is_refused_by_the_client(void **state)
{
    struct fixture *f = *state;
    struct sw_authority *other;
    struct sw_tls_context *tls;

    assert_int_equal(sw_authority_new("test", sw_system_real()->utc_ns(NULL), &other, NULL), SW_OK);
    tls = tls_of(other, other, &client_request);
    fixture_start(f, NULL, keys.server);
    fixture_client(f, tls);
    (void)call(f, SW_HTTP_GET, "/", (struct sw_bytes){0});
    run_until(f, has_reply);
    assert_int_equal(f->rc, SW_E_DENIED);
    assert_true(sw_http_client_trouble(f->client)[0] != '\0');
    sw_http_client_free(f->client);
    f->client = NULL;
    sw_tls_context_free(tls);
    sw_authority_free(other);
}

static void large_bodies_cross_tls_both_ways(void **state)
{
    struct fixture *f = *state;
    size_t size = 5u << 20;
    char *body = malloc(size);

    for (size_t i = 0; i < size; i++)
        body[i] = (char)(i * 7 + i / 251);
    fixture_start(f, NULL, keys.server);
    fixture_client(f, keys.client);
    (void)call(f, SW_HTTP_POST, "/", (struct sw_bytes){body, size});
    run_until(f, has_reply);
    assert_int_equal(f->rc, SW_OK);
    assert_int_equal(f->body_size, size);
    free(body);
}

static void clear_text_to_the_tls_port_is_closed(void **state)
{
    struct fixture *f = *state;

    fixture_start(f, NULL, keys.server);
    raw_text(f, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    run_until(f, is_raw_over);
    assert_int_equal(f->handled, 0);
    assert_int_equal(server_view(f).handshakes_failed, 1);
}

static void noise_and_cut_handshakes_are_closed(void **state)
{
    static const char hello[] = "\x16\x03\x01\x00\x04\x01\x00\x00\x00";
    struct fixture *f = *state;
    struct sw_http_limits limits = {.handshake_timeout_ms = 100, .tick_ms = 5};

    fixture_start(f, &limits, keys.server);
    raw_send(f, hello, sizeof hello - 1);
    run_until(f, is_raw_gone);
    raw_connect(f);
    raw_send(f, "\x80\x80\x01\x03\x01", 5);
    run_until(f, is_raw_gone);
    raw_connect(f);
    sw_stream_finish(f->raw);
    run_until(f, is_raw_gone);
    assert_int_equal(server_view(f).connections, 0);
    assert_int_equal(f->handled, 0);
}

static void a_handshake_that_never_ends_is_timed_out(void **state)
{
    struct fixture *f = *state;
    struct sw_http_limits limits = {.handshake_timeout_ms = 30, .tick_ms = 5};

    fixture_start(f, &limits, keys.server);
    raw_send(f, "\x16\x03\x01\x02\x00", 5);
    run_until(f, is_raw_over);
    assert_int_equal(server_view(f).timeouts, 1);
}

static void idle_strangers_are_let_go_before_friends(void **state)
{
    struct fixture *f = *state;
    struct sw_http_limits limits = {.header_timeout_ms = 30, .tick_ms = 5};

    fixture_start(f, &limits, keys.server);
    fixture_client(f, keys.stranger);
    (void)call(f, SW_HTTP_GET, "/", (struct sw_bytes){0});
    run_until(f, has_reply);
    for (int i = 0; i < 500 && server_view(f).connections > 0; i++)
        run_for(f, 10);
    assert_int_equal(server_view(f).connections, 0);
    sw_http_client_free(f->client);
    fixture_client(f, keys.client);
    f->replies = 0;
    (void)call(f, SW_HTTP_GET, "/", (struct sw_bytes){0});
    run_until(f, has_reply);
    run_for(f, 100);
    assert_int_equal(server_view(f).connections, 1);
}

#undef TEST
#define TEST(name) cmocka_unit_test_setup_teardown(name, keys_make, keys_free)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_identity_of_a_client_is_known),
        TEST(a_client_without_certificate_is_a_stranger),
        TEST(a_client_of_another_authority_is_refused),
        TEST(a_server_of_another_authority_is_refused_by_the_client),
        TEST(large_bodies_cross_tls_both_ways),
        TEST(clear_text_to_the_tls_port_is_closed),
        TEST(noise_and_cut_handshakes_are_closed),
        TEST(a_handshake_that_never_ends_is_timed_out),
        TEST(idle_strangers_are_let_go_before_friends),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
