/* Paths of objects, and what a client refuses before it asks anybody. */
/* uses: pkg/utils/system */
#include "pkg/client/clientset/objects.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

static void assert_path(const char *kind, const char *namespace, const char *name,
                        const char *expected)
{
    const struct sw_object_key key = {
        .kind = sw_kind_find(kind), .namespace = namespace, .name = name};
    struct sw_buffer path;

    sw_buffer_init(&path, 1024);
    sw_client_path(&key, &path);
    sw_buffer_put_u8(&path, 0);
    assert_string_equal((const char *)path.data, expected);
    sw_buffer_done(&path);
}

static void paths_name_kind_namespace_and_object(void **state)
{
    (void)state;
    assert_path("Agent", "lab", "reader", "/apis/swarm/v1/namespaces/lab/agents/reader");
    assert_path("Agent", "lab", "", "/apis/swarm/v1/namespaces/lab/agents");
    assert_path("Agent", "", "", "/apis/swarm/v1/agents");
    assert_path("Node", "lab", "node-1", "/apis/swarm/v1/nodes/node-1");
}

static void what_is_not_plain_is_escaped(void **state)
{
    struct sw_buffer out;

    (void)state;
    sw_buffer_init(&out, 1024);
    sw_client_escape("aZ09-._~ /?#\xc3\xbc%", &out);
    sw_buffer_put_u8(&out, 0);
    assert_string_equal((const char *)out.data, "aZ09-._~%20%2F%3F%23%C3%BC%25");
    sw_buffer_done(&out);
}

static struct sw_client *client_of(const char *server, enum sw_rc expected)
{
    const struct sw_context context = {.name = "x",
                                       .server = server,
                                       .namespace = "default",
                                       .authority_pem = "",
                                       .certificate_pem = "",
                                       .key_pem = ""};
    const struct sw_client_options options = {.context = &context, .system = sw_system_real()};
    struct sw_client *client = NULL;
    struct sw_err err = {0};

    assert_int_equal(sw_client_new(&options, &client, &err), expected);
    if (expected != SW_OK)
        assert_non_null(strstr(err.hint, "https://127.0.0.1:7420"));
    return client;
}

static void an_address_that_is_none_is_refused(void **state)
{
    (void)state;
    assert_null(client_of("", SW_E_INVALID));
    assert_null(client_of("127.0.0.1:7420", SW_E_INVALID));
    assert_null(client_of("file:///etc/passwd", SW_E_INVALID));
    assert_null(client_of("https://a b", SW_E_INVALID));
}

static void a_server_that_is_not_there_is_unreachable(void **state)
{
    struct sw_client *client = client_of("https://127.0.0.1:1/", SW_OK);
    const struct sw_request request = {.method = "GET", .path = "/readyz"};
    struct sw_answer answer;
    struct sw_err err = {0};

    (void)state;
    sw_answer_init(&answer);
    assert_string_equal(sw_client_server(client), "https://127.0.0.1:1");
    assert_int_equal(sw_client_call(client, &request, &answer, &err), SW_E_UNAVAILABLE);
    assert_true(sw_client_is_unreachable(client));
    assert_int_equal(sw_client_in_flight(client), 0);
    sw_answer_done(&answer);
    sw_client_free(client);
}

static void count_done(void *ctx, enum sw_rc rc, const struct sw_answer *answer,
                       const struct sw_err *err)
{
    (void)answer;
    assert_int_equal(rc, SW_E_UNAVAILABLE);
    assert_int_equal(err->rc, SW_E_UNAVAILABLE);
    ++*(size_t *)ctx;
}

static void requests_beyond_the_limit_are_refused_and_all_others_end(void **state)
{
    struct sw_client *client = client_of("https://127.0.0.1:1", SW_OK);
    const struct sw_request request = {.method = "GET", .path = "/"};
    struct sw_err err = {0};
    size_t done = 0;

    (void)state;
    for (size_t i = 0; i < SW_CLIENT_IN_FLIGHT_MAX; i++)
        assert_int_equal(sw_client_start(client, &request, count_done, &done, &err), SW_OK);
    assert_int_equal(sw_client_start(client, &request, count_done, &done, &err), SW_E_EXHAUSTED);
    while (sw_client_in_flight(client) > 0)
        assert_int_equal(sw_client_run(client, 1000, &err), SW_OK);
    assert_int_equal(done, SW_CLIENT_IN_FLIGHT_MAX);
    sw_client_free(client);
}

static void a_client_may_end_with_requests_under_way(void **state)
{
    struct sw_client *client = client_of("https://127.0.0.1:1", SW_OK);
    const struct sw_request request = {.method = "GET", .path = "/"};
    struct sw_err err = {0};
    size_t done = 0;

    (void)state;
    assert_int_equal(sw_client_start(client, &request, count_done, &done, &err), SW_OK);
    sw_client_free(client);
    assert_int_equal(done, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_name_kind_namespace_and_object),
        cmocka_unit_test(what_is_not_plain_is_escaped),
        cmocka_unit_test(an_address_that_is_none_is_refused),
        cmocka_unit_test(a_server_that_is_not_there_is_unreachable),
        cmocka_unit_test(requests_beyond_the_limit_are_refused_and_all_others_end),
        cmocka_unit_test(a_client_may_end_with_requests_under_way),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
