/* Providers and budgets read into numbers, and which change of a budget raises it. */
#include "pkg/broker/catalog/catalog.h"
#include "test/unit/apis/swarm/v1/fixture.h"

static const char *const provider_yaml =
    "kind: ModelProvider\nmetadata: {name: p}\nspec:\n  protocol: openai\n"
    "  baseURL: https://api.example.com/v1//\n  apis: [chat, embeddings]\n"
    "  apiKey: {namespace: default, secret: openai, key: api-key}\n"
    "  models:\n"
    "  - {name: small, upstream: gpt-small, capabilities: [chat, tools, jsonSchema],\n"
    "     contextTokens: 128000, maxOutputTokens: 16384,\n"
    "     price: {inputPerMillion: \"0.15\", outputPerMillion: \"0.60\"}}\n"
    "  - {name: other, price: {inputPerMillion: \"1\", cachedInputPerMillion: \"0.5\"}}\n"
    "  limits: {concurrency: 3, requestsPerMinute: 4, tokensPerMinute: \"5\"}\n"
    "  timeout: 1500us\n  retries: {attempts: 0}\n  cache: {enabled: true, size: 1MiB}\n"
    "  priority: 7\n  namespaces: [a, b]\n";

static void *object_of(struct fixture *f, const char *yaml)
{
    struct sw_manifest *m = manifests_of(f, yaml, 1);

    sw_object_apply_defaults(m[0].kind, m[0].object);
    return m[0].object;
}

static void test_provider(void **state)
{
    struct fixture *f = *state;
    struct sw_catalog_provider p = {0};

    assert_int_equal(sw_catalog_read_provider(object_of(f, provider_yaml), f->arena, &p, &f->err),
                     SW_OK);
    assert_string_equal(p.name, "p");
    assert_string_equal(p.base_url, "https://api.example.com/v1");
    assert_int_equal(p.apis, SW_PROVIDER_CHAT | SW_PROVIDER_EMBEDDINGS);
    assert_true(p.has_key);
    assert_string_equal(p.key.namespace_name, "default");
    assert_string_equal(p.key.secret, "openai");
    assert_string_equal(p.key.key, "api-key");
    assert_int_equal(p.concurrency, 3);
    assert_int_equal(p.requests_per_minute, 4);
    assert_int_equal(p.tokens_per_minute, 5);
    assert_int_equal(p.timeout_ms, 2);
    assert_int_equal(p.first_byte_timeout_ms, 60000);
    assert_int_equal(p.retries, 0);
    assert_int_equal(p.backoff_ms, 500);
    assert_int_equal(p.max_backoff_ms, 30000);
    assert_true(p.has_cache);
    assert_int_equal(p.cache_ttl_ms, 3600000);
    assert_int_equal(p.cache_bytes, 1048576);
    assert_int_equal(p.priority, 7);
    assert_int_equal(p.namespaces_count, 2);
    assert_string_equal(p.namespaces[0], "a");
    assert_string_equal(p.namespaces[1], "b");
}

static void test_models(void **state)
{
    struct fixture *f = *state;
    struct sw_catalog_provider p = {0};
    const struct sw_catalog_model *model;

    assert_int_equal(sw_catalog_read_provider(object_of(f, provider_yaml), f->arena, &p, &f->err),
                     SW_OK);
    assert_int_equal(p.models_count, 2);
    model = &p.models[0];
    assert_string_equal(model->name, "small");
    assert_string_equal(model->upstream, "gpt-small");
    assert_int_equal(model->abilities, SW_MODEL_CHAT | SW_MODEL_TOOLS | SW_MODEL_JSON_SCHEMA);
    assert_int_equal(model->context_tokens, 128000);
    assert_int_equal(model->max_output_tokens, 16384);
    assert_int_equal(model->price.input, 150000000);
    assert_int_equal(model->price.output, 600000000);
    assert_int_equal(model->price.cached_input, 150000000);
    model = &p.models[1];
    assert_string_equal(model->name, "other");
    assert_string_equal(model->upstream, "other");
    assert_int_equal(model->abilities, SW_MODEL_CHAT);
    assert_int_equal(model->price.output, 0);
    assert_int_equal(model->price.cached_input, 500000000);
}

static void test_what_a_provider_does_not_say(void **state)
{
    struct fixture *f = *state;
    struct sw_catalog_provider p = {0};
    struct sw_api_model_provider *object =
        object_of(f, "kind: ModelProvider\nmetadata: {name: p}\nspec:\n  protocol: anthropic\n"
                     "  baseURL: http://localhost\n  models: [{name: m}]\n");

    assert_int_equal(sw_catalog_read_provider(object, f->arena, &p, &f->err), SW_OK);
    assert_int_equal(p.apis, SW_PROVIDER_MESSAGES);
    assert_false(p.has_key);
    assert_false(p.has_cache);
    assert_int_equal(p.retries, 2);
    assert_int_equal(p.timeout_ms, 600000);
    assert_int_equal(p.namespaces_count, 0);
    object->spec.protocol = SW_API_MODEL_PROTOCOL_OPENAI;
    assert_int_equal(sw_catalog_read_provider(object, f->arena, &p, &f->err), SW_OK);
    assert_int_equal(p.apis, SW_PROVIDER_CHAT);
}

static void test_texts_that_no_admission_lets_through(void **state)
{
    struct fixture *f = *state;
    struct sw_catalog_provider p = {0};
    struct sw_catalog_budget b = {0};
    struct sw_api_model_provider *object = object_of(f, provider_yaml);
    struct sw_api_budget budget = {.metadata = {.name = "b"}};

    object->spec.cache.size = "x";
    assert_int_equal(sw_catalog_read_provider(object, f->arena, &p, &f->err), SW_E_INVALID);
    assert_contains(f->err.message, "ModelProvider \"p\": \"x\" is no size");
    object->spec.timeout = "y";
    assert_int_equal(sw_catalog_read_provider(object, f->arena, &p, &f->err), SW_E_INVALID);
    object->spec.models[0].price.output_per_million = "z";
    assert_int_equal(sw_catalog_read_provider(object, f->arena, &p, &f->err), SW_E_INVALID);
    assert_contains(f->err.message, "\"z\" is no amount of dollars");
    budget.spec.turn.money = "w";
    assert_int_equal(sw_catalog_read_budget(&budget, &b, &f->err), SW_E_INVALID);
    assert_contains(f->err.message, "Budget \"b\"");
    budget.spec.turn.money = "1";
    budget.spec.instance.wall_time = "v";
    assert_int_equal(sw_catalog_read_budget(&budget, &b, &f->err), SW_E_INVALID);
}

static void test_budget(void **state)
{
    struct fixture *f = *state;
    struct sw_catalog_budget b = {0};
    struct sw_api_budget *object = object_of(
        f, "kind: Budget\nmetadata: {name: b, namespace: n}\nspec:\n  agent: writer\n"
           "  limits: {money: \"1.00\", tokens: \"5\", calls: \"0\", wallTime: 1h, depth: 4}\n"
           "  turn: {calls: 3}\n  period: day\n");

    assert_int_equal(sw_catalog_read_budget(object, &b, &f->err), SW_OK);
    assert_string_equal(b.namespace_name, "n");
    assert_string_equal(b.agent, "writer");
    assert_true(b.own.money == 1000000000);
    assert_true(b.own.tokens == 5);
    assert_true(b.own.calls == 0);
    assert_true(b.own.wall_ns == 3600000000000);
    assert_true(b.own.depth == 4);
    assert_true(b.instance.money == SW_CATALOG_UNBOUNDED);
    assert_true(b.instance.depth == SW_CATALOG_UNBOUNDED);
    assert_true(b.turn.calls == 3);
    assert_true(b.turn.tokens == SW_CATALOG_UNBOUNDED);
    assert_int_equal(b.period, SW_API_BUDGET_PERIOD_DAY);
}

static void test_root(void **state)
{
    struct fixture *f = *state;
    struct sw_catalog_budget b = {0};
    struct sw_api_cluster cluster = {0};

    assert_int_equal(sw_catalog_read_root(&cluster, &b, &f->err), SW_OK);
    assert_true(b.own.money == SW_CATALOG_UNBOUNDED);
    assert_int_equal(b.period, SW_API_BUDGET_PERIOD_NONE);
    cluster.spec.budget.limits.money = "2";
    cluster.spec.budget.period = SW_API_BUDGET_PERIOD_MONTH;
    assert_int_equal(sw_catalog_read_root(&cluster, &b, &f->err), SW_OK);
    assert_true(b.own.money == 2000000000);
    assert_true(b.turn.money == SW_CATALOG_UNBOUNDED);
    assert_int_equal(b.period, SW_API_BUDGET_PERIOD_MONTH);
    cluster.spec.budget.limits.money = "x";
    assert_int_equal(sw_catalog_read_root(&cluster, &b, &f->err), SW_E_INVALID);
    assert_contains(f->err.message, "the budget of the Cluster");
}

/* What a change of a budget's spec raises, "" for nothing. */
static const char *raised(struct fixture *f, const char *before, const char *after)
{
    struct sw_catalog_budget was = {0}, is = {0};
    const char *head = "kind: Budget\nmetadata: {name: b, namespace: n}\nspec: ";
    bool is_gone = after == NULL, answer;
    const char *words;

    assert_int_equal(
        sw_catalog_read_budget(object_of(f, sw_arena_print(f->arena, "%s%s\n", head, before)), &was,
                               NULL),
        SW_OK);
    if (!is_gone)
        assert_int_equal(
            sw_catalog_read_budget(object_of(f, sw_arena_print(f->arena, "%s%s\n", head, after)),
                                   &is, NULL),
            SW_OK);
    answer = sw_catalog_is_raised(&was, is_gone ? NULL : &is, &f->out);
    words = taken(f);
    assert_int_equal(answer, words[0] != '\0');
    return words;
}

static void test_what_raises(void **state)
{
    struct fixture *f = *state;

    assert_string_equal(raised(f, "{limits: {money: \"1\"}}", "{limits: {money: \"1.00\"}}"), "");
    assert_string_equal(raised(f, "{limits: {money: \"1\"}}", "{limits: {money: \"0.5\"}}"), "");
    assert_string_equal(raised(f, "{limits: {money: \"1\"}}", "{limits: {money: \"2.5\"}}"),
                        "limits.money from 1.00 to 2.50");
    assert_string_equal(raised(f, "{limits: {money: \"1\", calls: 5}}", "{limits: {calls: 6}}"),
                        "limits.money from 1.00 to any number, limits.calls from 5 to 6");
    assert_string_equal(raised(f, "{limits: {calls: 5}}", "{limits: {calls: 5, tokens: 9}}"), "");
    assert_string_equal(raised(f, "{turn: {wallTime: 1s}}", "{turn: {wallTime: 2s}}"),
                        "turn.wallTime from 1000ms to 2000ms");
    assert_string_equal(
        raised(f, "{instance: {depth: 1, tokens: 2}}", NULL),
        "instance.tokens from 2 to any number, instance.depth from 1 to any number");
    assert_string_equal(raised(f, "{}", NULL), "");
}

static void test_shorter_periods_raise(void **state)
{
    struct fixture *f = *state;

    assert_string_equal(raised(f, "{limits: {calls: 1}}", "{limits: {calls: 1}, period: month}"),
                        "period from none to month");
    assert_string_equal(
        raised(f, "{limits: {calls: 1}, period: day}", "{limits: {calls: 2}, period: hour}"),
        "limits.calls from 1 to 2, period from day to hour");
    assert_string_equal(
        raised(f, "{limits: {calls: 1}, period: hour}", "{limits: {calls: 1}, period: day}"), "");
    assert_string_equal(raised(f, "{turn: {calls: 1}}", "{turn: {calls: 1}, period: day}"), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_provider),
        TEST(test_models),
        TEST(test_what_a_provider_does_not_say),
        TEST(test_texts_that_no_admission_lets_through),
        TEST(test_budget),
        TEST(test_root),
        TEST(test_what_raises),
        TEST(test_shorter_periods_raise),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
