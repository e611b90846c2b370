/* labels: threaded */
/* uses: pkg/store/sqlite pkg/security/certs */
/* Who may do what, and the plain pages. */
#include "test/unit/web/api/fixture.h"

static int get_as(struct fixture *f, enum who who, const char *path)
{
    struct ask ask = {.who = who, .path = path};

    return finish(f, &ask);
}

static int post_as(struct fixture *f, enum who who, const char *path, const char *json)
{
    struct ask ask = {.who = who,
                      .method = SW_HTTP_POST,
                      .path = path,
                      .content_type = "application/json",
                      .body = sw_bytes_of_text(json)};

    return finish(f, &ask);
}

static void health_is_open_to_all(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(get_as(f, NOBODY, "/healthz"), 200);
    assert_string_equal(f->body, "ok\n");
    assert_int_equal(get_as(f, NOBODY, "/readyz"), 200);
    f->is_ready = false;
    assert_int_equal(get_as(f, NOBODY, "/readyz"), 503);
    assert_true(body_has(f, "the node is starting"));
    assert_int_equal(get_as(f, NOBODY, "/healthz"), 200);
}

static void strangers_get_nothing_else_and_learn_nothing(void **state)
{
    static const char *const paths[] = {"/metrics",
                                        "/openapi",
                                        BASE "/agents",
                                        BASE "/namespaces/default",
                                        IN_DEFAULT "/agents/reader",
                                        IN_DEFAULT "/agents/reader/logs",
                                        "/nothing",
                                        "/",
                                        BASE "/namespaces/default/agnets",
                                        "//",
                                        "/%zz",
                                        IN_DEFAULT "/agents?limit=x",
                                        IN_DEFAULT "/modules/" DIGEST};
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        int status = get_as(f, NOBODY, paths[i]);

        if (status != 401)
            fail_msg("%d for %s", status, paths[i]);
        assert_true(body_has(f, "\"code\":\"UNAUTHENTICATED\""));
    }
    assert_int_equal(post_as(f, NOBODY, IN_DEFAULT "/agents", AGENT("a")), 401);
    assert_int_equal(post_as(f, NOBODY, IN_DEFAULT "/agents/a/send", "x"), 401);
    assert_int_equal(post_as(f, NOBODY, "/metrics", "x"), 401);
    assert_string_equal(f->told, "");
}

static void a_node_may_read_but_not_create_agents(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(get_as(f, NODE, IN_DEFAULT "/agents"), 200);
    assert_int_equal(post_as(f, NODE, IN_DEFAULT "/agents", AGENT("a")), 403);
    assert_true(body_has(f, "\"code\":\"PERMISSION_DENIED\""));
    assert_int_equal(post_as(f, NODE, IN_DEFAULT "/agents/a/send", "x"), 403);
    struct ask apply = {.who = NODE,
                        .method = SW_HTTP_PATCH,
                        .path = IN_DEFAULT "/agents/a",
                        .body = sw_bytes_of_text(AGENT("a"))};
    assert_int_equal(finish(f, &apply), 403);
}

static void an_agent_may_message_its_own_namespace_only(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(post_as(f, AGENT_ONE, IN_DEFAULT "/agents/reader/send", "x"), 200);
    assert_non_null(strstr(f->told, "spiffe://test/ns/default/agent/reader"));
    assert_int_equal(post_as(f, AGENT_ONE, BASE "/namespaces/other/agents/reader/send", "x"), 403);
    assert_int_equal(get_as(f, AGENT_ONE, IN_DEFAULT "/agents"), 403);
}

static void the_figures_are_in_prometheus_format(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(get(f, IN_DEFAULT "/agents/none"), 404);
    assert_int_equal(get(f, "/metrics"), 200);
    assert_true(body_has(f, "swarm_api_requests_total{code=\"404\"} 1\n"));
    assert_true(body_has(f, "swarm_api_port_connections 1\n"));
    assert_true(body_has(f, "swarm_api_request_seconds_count 1\n"));
    assert_non_null(strstr(f->headers, "content-type: text/plain; version=0.0.4"));
}

static void the_api_describes_itself(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(get(f, "/openapi"), 200);
    assert_true(body_has(f, "openapi: \"3.1.0\""));
    assert_non_null(strstr(f->headers, "content-type: application/yaml\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(health_is_open_to_all),
        TEST(strangers_get_nothing_else_and_learn_nothing),
        TEST(a_node_may_read_but_not_create_agents),
        TEST(an_agent_may_message_its_own_namespace_only),
        TEST(the_figures_are_in_prometheus_format),
        TEST(the_api_describes_itself),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
