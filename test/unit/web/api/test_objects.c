/* labels: threaded */
/* uses: pkg/store/sqlite pkg/security/certs */
#include "test/unit/web/api/fixture.h"

static void an_object_is_created_read_listed_and_deleted(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(request(f, SW_HTTP_POST, IN_DEFAULT "/agents", AGENT("reader")), 201);
    assert_true(body_has(f, "\"apiVersion\":\"swarm/v1\""));
    assert_true(body_has(f, "\"namespace\":\"default\""));
    assert_true(body_has(f, "\"generation\":\"1\""));
    assert_int_equal(get(f, IN_DEFAULT "/agents/reader"), 200);
    assert_true(body_has(f, "\"name\":\"reader\""));
    assert_non_null(strstr(f->headers, "content-type: application/json\n"));
    assert_int_equal(get(f, IN_DEFAULT "/agents"), 200);
    assert_true(body_has(f, "\"items\":[{"));
    assert_int_equal(get(f, BASE "/agents"), 200);
    assert_true(body_has(f, "\"name\":\"reader\""));
    assert_int_equal(request(f, SW_HTTP_DELETE, IN_DEFAULT "/agents/reader", NULL), 200);
    assert_true(body_has(f, "\"name\":\"reader\""));
}

static void what_is_not_there_is_404_with_a_problem(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(get(f, IN_DEFAULT "/agents/nothing"), 404);
    assert_non_null(strstr(f->headers, "content-type: application/problem+json\n"));
    assert_true(body_has(f, "\"code\":\"NOT_FOUND\""));
    assert_true(body_has(f, "\"status\":404"));
    assert_int_equal(get(f, BASE "/namespaces/default/agnets"), 404);
    assert_true(body_has(f, "did you mean \\\"agents\\\"?"));
    assert_int_equal(get(f, "/"), 404);
    assert_int_equal(get(f, "/apis/swarm/v2/agents"), 404);
    assert_int_equal(get(f, IN_DEFAULT "/agents/a/b/c"), 404);
    assert_int_equal(get(f, IN_DEFAULT "/pods/a/send"), 404);
    assert_int_equal(get(f, BASE "/agents/reader"), 404);
    assert_int_equal(get(f, IN_DEFAULT "/nodes"), 404);
}

static void creating_twice_is_a_conflict(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(request(f, SW_HTTP_POST, IN_DEFAULT "/agents", AGENT("reader")), 201);
    assert_int_equal(request(f, SW_HTTP_POST, IN_DEFAULT "/agents", AGENT("reader")), 409);
    assert_true(body_has(f, "\"code\":\"ALREADY_EXISTS\""));
}

static void a_stale_update_names_both_versions(void **state)
{
    struct fixture *f = *state;
    char stale[512], words[64];
    uint64_t version;

    assert_int_equal(request(f, SW_HTTP_POST, IN_DEFAULT "/agents", AGENT("reader")), 201);
    version = number_after(f, "\"resourceVersion\":\"");
    assert_int_equal(request(f, SW_HTTP_PUT, IN_DEFAULT "/agents/reader",
                             "{\"spec\":{\"module\":\"" DIGEST "\",\"replicas\":4}}"),
                     200);
    assert_true(body_has(f, "\"generation\":\"2\""));
    (void)snprintf(stale, sizeof stale,
                   "{\"metadata\":{\"resourceVersion\":\"%llu\"},\"spec\":{\"module\":\"" DIGEST
                   "\",\"replicas\":5}}",
                   (unsigned long long)version);
    assert_int_equal(request(f, SW_HTTP_PUT, IN_DEFAULT "/agents/reader", stale), 409);
    assert_true(body_has(f, "\"code\":\"ABORTED\""));
    (void)snprintf(words, sizeof words, "%llu", (unsigned long long)version);
    assert_true(body_has(f, words));
    (void)snprintf(words, sizeof words, "%llu", (unsigned long long)version + 1);
    assert_true(body_has(f, words));
}

static void an_apply_makes_and_then_changes(void **state)
{
    struct fixture *f = *state;
    struct ask ask = {.method = SW_HTTP_PATCH,
                      .path = IN_DEFAULT "/agents/reader",
                      .content_type = "application/apply-patch+json",
                      .body = sw_bytes_of_text(AGENT("reader"))};

    assert_int_equal(finish(f, &ask), 201);
    assert_int_equal(finish(f, &ask), 200);
}

static void a_dry_run_writes_nothing(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(request(f, SW_HTTP_POST, IN_DEFAULT "/agents?dryRun=true", AGENT("reader")),
                     201);
    assert_int_equal(get(f, IN_DEFAULT "/agents/reader"), 404);
    assert_int_equal(request(f, SW_HTTP_POST, IN_DEFAULT "/agents", AGENT("reader")), 201);
    assert_int_equal(request(f, SW_HTTP_DELETE, IN_DEFAULT "/agents/reader?dryRun=true", NULL),
                     200);
    assert_int_equal(get(f, IN_DEFAULT "/agents/reader"), 200);
}

static void all_mistakes_of_a_body_are_told(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(request(f, SW_HTTP_POST, IN_DEFAULT "/agents",
                             "{\"metadata\":{\"name\":\"Not A Label\"},"
                             "\"spec\":{\"module\":\"x\",\"replicas\":-1,\"colour\":1}}"),
                     400);
    assert_true(body_has(f, "\"code\":\"INVALID_ARGUMENT\""));
    assert_true(body_has(f, "\"problems\":["));
    assert_true(body_has(f, "spec.replicas"));
    assert_true(body_has(f, "colour"));
}

static void bodies_that_are_no_objects_are_refused(void **state)
{
    static const char *const bad[] = {"",
                                      "{",
                                      "[]",
                                      "null",
                                      "\"text\"",
                                      "{\"kind\":\"Node\"}",
                                      "{\"apiVersion\":\"v2\"}",
                                      "{\"spec\":null}",
                                      "{\"spec\":{\"replicas\":1,\"replicas\":2}}",
                                      "{\"metadata\":{\"name\":\"\\ud800\"}}",
                                      "{\"metadata\":{\"name\":\"a\\u0000\"}}",
                                      "{\"metadata\":{\"namespace\":\"other\",\"name\":\"a\"}}"};
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        int status = request(f, SW_HTTP_POST, IN_DEFAULT "/agents", bad[i]);

        if (status != 400)
            fail_msg("%d for %s", status, bad[i]);
        assert_true(body_has(f, "\"code\":\"INVALID_ARGUMENT\""));
    }
}

static void name_and_path_must_agree(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(request(f, SW_HTTP_PUT, IN_DEFAULT "/agents/writer", AGENT("reader")), 400);
    assert_true(body_has(f, "\"field\":\"metadata.name\""));
}

static void labels_select_and_pages_continue(void **state)
{
    struct fixture *f = *state;
    char text[512], path[512], token[256];
    const char *at;

    for (int i = 0; i < 5; i++) {
        (void)snprintf(text, sizeof text,
                       "{\"metadata\":{\"name\":\"a%d\",\"labels\":{\"odd\":\"%d\"}},"
                       "\"spec\":{\"module\":\"" DIGEST "\"}}",
                       i, i % 2);
        assert_int_equal(request(f, SW_HTTP_POST, IN_DEFAULT "/agents", text), 201);
    }
    assert_int_equal(get(f, IN_DEFAULT "/agents?labelSelector=odd%3D1"), 200);
    assert_true(body_has(f, "\"name\":\"a1\""));
    assert_true(body_has(f, "\"name\":\"a3\""));
    assert_null(strstr(f->body, "\"name\":\"a2\""));
    assert_int_equal(get(f, IN_DEFAULT "/agents?limit=2"), 200);
    assert_true(body_has(f, "\"name\":\"a1\""));
    assert_null(strstr(f->body, "\"name\":\"a2\""));
    at = strstr(f->body, "\"continue\":\"");
    assert_non_null(at);
    assert_int_equal(sscanf(at + 12, "%250[^\"]", token), 1);
    (void)snprintf(path, sizeof path, IN_DEFAULT "/agents?limit=2&continue=%s", token);
    assert_int_equal(get(f, path), 200);
    assert_true(body_has(f, "\"name\":\"a2\""));
    assert_null(strstr(f->body, "\"name\":\"a1\""));
    assert_int_equal(get(f, IN_DEFAULT "/agents?name=a4"), 200);
    assert_true(body_has(f, "\"name\":\"a4\""));
    assert_null(strstr(f->body, "\"name\":\"a1\""));
}

static void bad_parameters_are_refused_with_their_names(void **state)
{
    static const struct {
        const char *path, *field;
    } bad[] = {{"/agents?limit=x", "limit"},
               {"/agents?limit=5001", "limit"},
               {"/agents?limit=-1", "limit"},
               {"/agents?labelSelector=%3D%3D%3D", "labelSelector"},
               {"/agents?resourceVersion=x", "resourceVersion"},
               {"/agents?watch=maybe", "watch"},
               {"/agents?labelselector=a", "labelselector"},
               {"/agents?name=A", "name"},
               {"/agents/UPPER", "name"}};
    struct fixture *f = *state;
    char path[256], field[64];

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        (void)snprintf(path, sizeof path, IN_DEFAULT "%s", bad[i].path);
        assert_int_equal(get(f, path), 400);
        (void)snprintf(field, sizeof field, "\"field\":\"%s\"", bad[i].field);
        assert_true(body_has(f, field));
    }
    assert_int_equal(get(f, IN_DEFAULT "/agents?limit=1&limit=2"), 400);
    assert_int_equal(get(f, IN_DEFAULT "/agents?continue=nonsense"), 400);
    assert_int_equal(get(f, IN_DEFAULT "/agents/%zz"), 400);
    assert_int_equal(get(f, IN_DEFAULT "/agents?resourceVersion=999999"), 410);
    assert_int_equal(request(f, SW_HTTP_DELETE, IN_DEFAULT "/agents/a?uid=x", NULL), 400);
}

static void methods_that_are_not_offered_are_405(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(request(f, SW_HTTP_DELETE, IN_DEFAULT "/agents", NULL), 405);
    assert_non_null(strstr(f->headers, "allow: GET, POST\n"));
    assert_int_equal(request(f, SW_HTTP_POST, IN_DEFAULT "/agents/a", "{}"), 405);
    assert_int_equal(request(f, SW_HTTP_POST, BASE "/agents", "{}"), 405);
    assert_int_equal(request(f, SW_HTTP_OTHER, "/healthz", NULL), 405);
}

static void media_types_that_are_not_offered_are_refused(void **state)
{
    struct fixture *f = *state;
    struct ask post = {.method = SW_HTTP_POST,
                       .path = IN_DEFAULT "/agents",
                       .content_type = "application/yaml",
                       .body = {"a: b", 4}};
    struct ask read = {.path = IN_DEFAULT "/agents", .accept = "text/html"};

    assert_int_equal(finish(f, &post), 415);
    assert_true(body_has(f, "Content-Type"));
    assert_int_equal(finish(f, &read), 406);
    read.accept = "text/html, */*;q=0.1";
    assert_int_equal(finish(f, &read), 200);
}

static void protobuf_is_spoken_both_ways(void **state)
{
    struct fixture *f = *state;
    const struct sw_kind *kind = sw_kind_find("Agent");
    struct sw_arena *arena = sw_arena_new(1u << 20);
    struct sw_api_agent *agent = sw_object_new(kind, arena);
    struct sw_buffer bytes;
    void *read = NULL;
    struct ask ask = {.method = SW_HTTP_POST,
                      .path = IN_DEFAULT "/agents",
                      .content_type = "application/x-protobuf",
                      .accept = "application/x-protobuf"};

    sw_buffer_init(&bytes, 65536);
    agent->metadata.name = "binary";
    agent->spec.module = DIGEST;
    sw_protobuf_encode(kind->message, agent, &bytes);
    ask.body = (struct sw_bytes){bytes.data, bytes.size};
    assert_int_equal(finish(f, &ask), 201);
    assert_int_equal(
        sw_object_decode(kind, (struct sw_bytes){f->body, f->body_size}, arena, &read, NULL),
        SW_OK);
    assert_string_equal(sw_object_meta(read)->name, "binary");
    assert_true(sw_object_meta(read)->resource_version > 0);
    ask = (struct ask){.path = IN_DEFAULT "/agents", .accept = "application/x-protobuf"};
    assert_int_equal(finish(f, &ask), 200);
    struct sw_api_object_list list;
    assert_int_equal(sw_protobuf_decode(&sw_api_object_list_message,
                                        (struct sw_bytes){f->body, f->body_size}, arena, &list,
                                        NULL),
                     SW_OK);
    assert_int_equal(list.items_count, 1);
    assert_true(list.metadata.resource_version > 0);
    ask.path = IN_DEFAULT "/agents/none";
    assert_int_equal(finish(f, &ask), 404);
    assert_non_null(strstr(f->headers, "content-type: application/x-protobuf\n"));
    sw_buffer_done(&bytes);
    sw_arena_free(arena);
}

static void a_status_is_written_apart(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(request(f, SW_HTTP_POST, IN_DEFAULT "/agents", AGENT("reader")), 201);
    assert_int_equal(request(f, SW_HTTP_PUT, IN_DEFAULT "/agents/reader/status",
                             "{\"status\":{\"readyPods\":2,\"phase\":\"Deploying\"}}"),
                     200);
    assert_true(body_has(f, "\"readyPods\":2"));
    assert_int_equal(get(f, IN_DEFAULT "/agents/reader/status"), 200);
    assert_true(body_has(f, "\"readyPods\":2"));
    assert_true(body_has(f, "\"replicas\":3"));
}

static void namespaces_are_objects_and_places(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(
        request(f, SW_HTTP_POST, BASE "/namespaces", "{\"metadata\":{\"name\":\"other\"}}"), 201);
    assert_int_equal(get(f, BASE "/namespaces/other"), 200);
    assert_int_equal(get(f, BASE "/namespaces/other/status"), 200);
    assert_int_equal(request(f, SW_HTTP_POST, BASE "/namespaces/other/agents", AGENT("reader")),
                     201);
    assert_int_equal(request(f, SW_HTTP_POST, BASE "/namespaces/nowhere/agents", AGENT("reader")),
                     404);
}

static void a_body_over_the_limit_is_413(void **state)
{
    struct fixture *f = *state;
    struct ask ask = {
        .method = SW_HTTP_POST, .path = IN_DEFAULT "/agents", .content_type = "application/json"};
    char *body = malloc(9u << 20);

    (void)memset(body, ' ', 9u << 20);
    ask.body = (struct sw_bytes){body, 9u << 20};
    assert_int_equal(finish(f, &ask), 413);
    assert_true(body_has(f, "RESOURCE_EXHAUSTED"));
    free(body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_object_is_created_read_listed_and_deleted),
        TEST(what_is_not_there_is_404_with_a_problem),
        TEST(creating_twice_is_a_conflict),
        TEST(a_stale_update_names_both_versions),
        TEST(an_apply_makes_and_then_changes),
        TEST(a_dry_run_writes_nothing),
        TEST(all_mistakes_of_a_body_are_told),
        TEST(bodies_that_are_no_objects_are_refused),
        TEST(name_and_path_must_agree),
        TEST(labels_select_and_pages_continue),
        TEST(bad_parameters_are_refused_with_their_names),
        TEST(methods_that_are_not_offered_are_405),
        TEST(media_types_that_are_not_offered_are_refused),
        TEST(protobuf_is_spoken_both_ways),
        TEST(a_status_is_written_apart),
        TEST(namespaces_are_objects_and_places),
        TEST(a_body_over_the_limit_is_413),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
