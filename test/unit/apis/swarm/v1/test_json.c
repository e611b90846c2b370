/* JSON bodies: what is read, what is refused, how values look. */
#include "test/unit/apis/swarm/v1/fixture.h"

static struct sw_api_agent *agent_of(struct fixture *f, const char *json)
{
    void *object = NULL;
    if (sw_object_decode_json(sw_kind_find("Agent"), bytes_of(json), &f->bind, &object) != SW_OK)
        fail_msg("%s", problems_of(f));
    return object;
}

static const char *refused(struct fixture *f, const char *json)
{
    void *object = NULL;
    f->problems.count = 0;
    assert_int_equal(
        sw_object_decode_json(sw_kind_find("Agent"), bytes_of(json), &f->bind, &object),
        SW_E_INVALID);
    return problems_of(f);
}

static void test_head_is_set(void **state)
{
    struct sw_api_agent *agent = agent_of(*state, "{}");
    assert_string_equal(agent->api_version, "swarm/v1");
    assert_string_equal(agent->kind, "Agent");
}

static void test_numbers_both_ways(void **state)
{
    struct sw_api_agent *agent =
        agent_of(*state, "{\"metadata\":{\"resourceVersion\":\"18446744073709551615\","
                         "\"generation\":7},\"spec\":{\"replicas\":3.0,\"slots\":1e2}}");
    assert_true(agent->metadata.resource_version == UINT64_MAX);
    assert_int_equal(agent->metadata.generation, 7);
    assert_int_equal(agent->spec.replicas, 3);
    assert_int_equal(agent->spec.slots, 100);
}

static void test_free_form_numbers_may_be_of_any_size(void **state)
{
    struct sw_api_agent *agent =
        agent_of(*state, "{\"spec\":{\"replicas\":3,\"config\":{\"n\":[43710713590620010577920,-1],"
                         "\"\\\\12345678901234567890\":\"12345678901234567890\"}}}");
    assert_int_equal(agent->spec.replicas, 3);
    assert_non_null(strstr(agent->spec.config, "4.37107135906200"));
    assert_non_null(strstr(agent->spec.config, ",-1]"));
    assert_non_null(strstr(agent->spec.config, "\"12345678901234567890\""));
}

static void test_signed_numbers(void **state)
{
    struct fixture *f = *state;
    struct sw_api_send_response response;
    const struct sw_api_message *message = &sw_api_send_response_message;

    assert_int_equal(
        sw_json_decode(message, bytes_of("{\"status\":-8,\"body\":\"aGk=\"}"), &f->bind, &response),
        SW_OK);
    assert_int_equal(response.status, -8);
    assert_memory_equal(response.body.data, "hi", 2);
    sw_json_encode(message, &response, SW_JSON_COMPACT, &f->out);
    assert_string_equal(taken(f), "{\"status\":-8,\"body\":\"aGk=\"}");
    assert_int_equal(
        sw_json_decode(message, bytes_of("{\"status\":2147483648}"), &f->bind, &response),
        SW_E_INVALID);
    assert_int_equal(sw_json_decode(message, bytes_of("{\"body\":\"a\"}"), &f->bind, &response),
                     SW_E_INVALID);
    assert_int_equal(sw_json_decode(message, bytes_of("{\"body\":1}"), &f->bind, &response),
                     SW_E_INVALID);
    assert_int_equal(sw_json_decode(message, bytes_of("[]"), &f->bind, &response), SW_E_INVALID);
    assert_int_equal(sw_json_decode(message, bytes_of("{"), &f->bind, &response), SW_E_INVALID);
}

static void test_mistakes(void **state)
{
    struct fixture *f = *state;

    assert_contains(refused(f, ""), "not JSON: ");
    assert_contains(refused(f, "{\"kind\":\"Agent\",\"kind\":\"Agent\"}"), "duplicate");
    assert_contains(refused(f, "{\"kind\":\"\xff\"}"), "not JSON: ");
    assert_contains(refused(f, "{\"kind\":\"a\\u0000b\"}"), "not JSON: ");
    assert_contains(refused(f, "[1]"), "expected a mapping, found a list");
    assert_contains(refused(f, "{\"kind\":\"Pod\"}"), "kind: expected Agent, found \"Pod\"");
    assert_contains(refused(f, "{\"spec\":null}"),
                    "spec: expected a value, found null; leave the field out");
    assert_contains(refused(f, "{\"spec\":{\"config\":null}}"), "spec.config: expected a value");
    assert_contains(refused(f, "{\"spec\":{\"observed_generation\":1}}"),
                    "spec.observed_generation: AgentSpec has no field of this name");
    assert_contains(refused(f, "{\"status\":{\"observed_generation\":1}}"),
                    "did you mean observedGeneration?");
    assert_contains(refused(f, "{\"metadata\":{\"labels\":{\"a\":1}}}"),
                    "metadata.labels['a']: expected text, found 1; put it in quotes");
    assert_contains(refused(f, "{\"metadata\":{\"labels\":[]}}"), "expected a mapping");
    assert_contains(refused(f, "{\"metadata\":{\"labels\":{\"a\":{}}}}"),
                    "expected text, found a mapping\n");
    assert_contains(refused(f, "{\"metadata\":{\"finalizers\":[\"a\",{}]}}"),
                    "metadata.finalizers[1]: expected text, found a mapping");
    assert_contains(refused(f, "{\"metadata\":{\"creationTimestamp\":\"today\"}}"),
                    "metadata.creationTimestamp: expected a time such as");
    assert_contains(refused(f, "{\"metadata\":{\"generation\":-1}}"), "a whole number");
    assert_contains(refused(f, "{\"metadata\":{\"generation\":1.5}}"), "found 1.5");
    assert_contains(refused(f, "{\"spec\":{\"replicas\":4294967296}}"), "spec.replicas: expected");
    assert_contains(refused(f, "{\"spec\":{\"replicas\":\"3\"}}"), "found \"3\"");
    assert_contains(refused(f, "{\"spec\":{\"priority\":2}}"), "expected one of low, normal");
    assert_contains(refused(f, "{\"spec\":{\"template\":\"0123456789012345678901234567890123456789x"
                               "\",\"module\":[]}}"),
                    "spec.module: expected text, found a list");
    assert_contains(refused(f, "{\"spec\":{\"priority\":"
                               "\"01234567890123456789012345678901234567890\"}}"),
                    "found text of 41 bytes");
}

static void test_empty_values_are_not_taken_for_missing_ones(void **state)
{
    struct fixture *f = *state;

    assert_contains(refused(f, "{\"spec\":{\"slots\":0}}"),
                    "spec.slots: expected 256 to 256, found 0");
    assert_contains(refused(f, "{\"spec\":{\"template\":\"\"}}"),
                    "found \"\"; or leave the field out");
    assert_int_equal(agent_of(f, "{\"spec\":{\"replicas\":0,\"config\":\"\"}}")->spec.has_replicas,
                     true);
}

static void test_depth_and_count_are_limited(void **state)
{
    struct fixture *f = *state;

    sw_buffer_put_text(&f->out, "{\"spec\":{\"config\":");
    for (int i = 0; i < 40; i++)
        sw_buffer_put_text(&f->out, "[");
    for (int i = 0; i < 40; i++)
        sw_buffer_put_text(&f->out, "]");
    sw_buffer_put_text(&f->out, "}}");
    assert_contains(refused(f, taken(f)), "nested too deeply");
    sw_buffer_put_text(&f->out, "[1");
    for (int i = 0; i < SW_TREE_NODES_MAX; i++)
        sw_buffer_put_text(&f->out, ",1");
    sw_buffer_put_text(&f->out, "]");
    assert_contains(refused(f, taken(f)), "too many values");
}

static void test_problems_are_bounded(void **state)
{
    struct fixture *f = *state;
    struct sw_err err = {0};

    sw_buffer_put_text(&f->out, "{\"spec\":{\"a\":1");
    for (int i = 0; i < 150; i++)
        sw_buffer_print(&f->out, ",\"a%d\":1", i);
    sw_buffer_put_text(&f->out, "}}");
    refused(f, taken(f));
    assert_int_equal(f->problems.count, SW_PROBLEMS_MAX);
    assert_int_equal(f->problems.dropped, 51);
    assert_int_equal(sw_problems_check(&f->problems, &err), SW_E_INVALID);
    assert_contains(err.message, "(and 150 more)");
    assert_string_equal(err.field, "spec.a");
}

static void test_problems_as_an_error(void **state)
{
    struct fixture *f = *state;
    struct sw_err err = {0};

    assert_true(sw_problems_is_empty(&f->problems));
    assert_int_equal(sw_problems_check(&f->problems, &err), SW_OK);
    refused(f, "{\"spec\":{\"replica\":1}}");
    assert_int_equal(sw_problems_check(&f->problems, &err), SW_E_INVALID);
    assert_string_equal(err.message, "AgentSpec has no field of this name");
    assert_string_equal(err.hint, "did you mean replicas?");

    struct sw_problems none = {.dropped = 2};
    assert_int_equal(sw_problems_check(&none, &err), SW_E_INVALID);
    assert_contains(err.message, "2 mistakes");
}

static void test_memory_is_limited(void **state)
{
    struct fixture *f = *state;
    const char *json =
        "{\"metadata\":{\"labels\":{\"b\":\"1\",\"a\":\"2\"},\"finalizers\":[\"x\"]},"
        "\"spec\":{\"config\":[1.5,true,{}]}}";
    enum sw_rc rc = SW_E_EXHAUSTED;

    for (size_t size = 16; rc == SW_E_EXHAUSTED; size += 16) {
        struct sw_arena *arena = sw_arena_new(size);
        struct sw_bind_options bind = {.arena = arena, .problems = &f->problems, .file = ""};
        void *object = NULL;
        rc = sw_object_decode_json(sw_kind_find("Agent"), bytes_of(json), &bind, &object);
        sw_arena_free(arena);
        assert_true(size < 1u << 20);
    }
    assert_int_equal(rc, SW_OK);
}

static void test_how_it_looks(void **state)
{
    struct fixture *f = *state;
    struct sw_api_agent *agent = agent_of(
        f, "{\"metadata\":{\"name\":\"a\",\"labels\":{\"z\":\"1\",\"b\":\"\\u001f\\\"\"}},"
           "\"spec\":{\"replicas\":0,\"config\":{\"k\":[1,{}]}},\"status\":{\"phase\":\"Ready\"}}");

    sw_json_encode(&sw_api_agent_message, agent, SW_JSON_COMPACT, &f->out);
    assert_string_equal(
        taken(f), "{\"apiVersion\":\"swarm/v1\",\"kind\":\"Agent\",\"metadata\":{\"name\":\"a\","
                  "\"labels\":{\"b\":\"\\u001f\\\"\",\"z\":\"1\"}},\"spec\":{\"replicas\":0,"
                  "\"config\":\"{\\\"k\\\":[1,{}]}\"},\"status\":{\"phase\":\"Ready\"}}");
    agent->metadata.labels_count = 1;
    agent->status.phase = (enum sw_api_agent_phase)77;
    agent->spec.has_replicas = false;
    agent->spec.config = "";
    sw_json_encode(&sw_api_agent_message, agent, SW_JSON_PRETTY, &f->out);
    assert_string_equal(taken(f), "{\n  \"apiVersion\": \"swarm/v1\",\n  \"kind\": \"Agent\",\n"
                                  "  \"metadata\": {\n    \"name\": \"a\",\n    \"labels\": {\n"
                                  "      \"b\": \"\\u001f\\\"\"\n    }\n  },\n"
                                  "  \"status\": {\n    \"phase\": 77\n  }\n}\n");
}

static void test_values_built_by_hand(void **state)
{
    struct fixture *f = *state;
    struct sw_api_agent agent = {.spec = {.keyed = true}}; /* All texts are NULL. */

    sw_json_encode(&sw_api_agent_message, &agent, SW_JSON_COMPACT, &f->out);
    assert_string_equal(taken(f), "{\"spec\":{\"keyed\":true}}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_head_is_set),
        TEST(test_numbers_both_ways),
        TEST(test_free_form_numbers_may_be_of_any_size),
        TEST(test_signed_numbers),
        TEST(test_mistakes),
        TEST(test_empty_values_are_not_taken_for_missing_ones),
        TEST(test_depth_and_count_are_limited),
        TEST(test_problems_are_bounded),
        TEST(test_problems_as_an_error),
        TEST(test_memory_is_limited),
        TEST(test_how_it_looks),
        TEST(test_values_built_by_hand),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
