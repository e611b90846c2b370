/* Defaults, rules, what may change, and state machines. */
#include "test/unit/apis/swarm/v1/fixture.h"

static struct sw_api_agent *good_agent(struct fixture *f)
{
    struct sw_manifest *m =
        manifests_of(f, "kind: Agent\nmetadata: {name: reader}\nspec:\n  module: " DIGEST "\n", 1);
    return m[0].object;
}

static const struct sw_kind *agents(void)
{
    return sw_kind_find("Agent");
}

/* The problems of a manifest that can be read but is not valid. */
static const char *invalid(struct fixture *f, const char *yaml)
{
    struct sw_manifest *m = manifests_of(f, yaml, 1);
    f->problems.count = 0;
    f->check.tree = m[0].tree;
    sw_object_apply_defaults(m[0].kind, m[0].object);
    assert_int_equal(sw_object_validate(m[0].kind, m[0].object, &f->check), SW_E_INVALID);
    return problems_of(f);
}

static void test_defaults(void **state)
{
    struct fixture *f = *state;
    struct sw_api_agent *agent = good_agent(f);

    sw_object_apply_defaults(agents(), agent);
    assert_int_equal(agent->spec.runtime, SW_API_RUNTIME_WASM);
    assert_int_equal(agent->spec.replicas, 1);
    assert_int_equal(agent->spec.pods, 4);
    assert_int_equal(agent->spec.slots, 256);
    assert_int_equal(agent->spec.durability, SW_API_DURABILITY_LOCAL);
    assert_int_equal(agent->spec.priority, SW_API_PRIORITY_NORMAL);
    assert_string_equal(agent->spec.limits.memory, "1MiB");
    assert_string_equal(agent->spec.limits.deadline, "1s");
    assert_int_equal(agent->spec.limits.mailbox, 1024);
    assert_string_equal(agent->spec.restart.max_backoff, "1m");
    assert_int_equal(sw_object_validate(agents(), agent, &f->check), SW_OK);
}

static void test_zero_is_not_missing(void **state)
{
    struct fixture *f = *state;
    struct sw_api_agent *agent = good_agent(f);

    agent->spec.has_replicas = true;
    agent->spec.has_pods = true;
    sw_object_apply_defaults(agents(), agent);
    assert_int_equal(agent->spec.replicas, 0);
    assert_int_equal(agent->spec.pods, 0);
}

static void test_keyed_agents_have_no_replicas(void **state)
{
    struct fixture *f = *state;
    struct sw_api_agent *agent = good_agent(f);

    agent->spec.keyed = true;
    sw_object_apply_defaults(agents(), agent);
    assert_false(agent->spec.has_replicas);
    assert_int_equal(sw_object_validate(agents(), agent, &f->check), SW_OK);
    assert_contains(invalid(f, "kind: Agent\nmetadata: {name: a}\nspec:\n  keyed: true\n"
                               "  replicas: 3\n  module: " DIGEST "\n"),
                    "m.yaml:5:13: spec.replicas: a keyed Agent has one instance for each key, not "
                    "a number of them; leave replicas or keyed out\n");
}

static void test_replicas_of_the_engine_compute_fit_a_host(void **state)
{
    struct fixture *f = *state;
    struct sw_api_agent *agent = good_agent(f);

    agent->spec.engine = SW_API_ENGINE_COMPUTE;
    agent->spec.has_replicas = true;
    agent->spec.replicas = 16384;
    sw_object_apply_defaults(agents(), agent);
    assert_int_equal(sw_object_validate(agents(), agent, &f->check), SW_OK);
    assert_contains(invalid(f, "kind: Agent\nmetadata: {name: a}\nspec:\n  engine: compute\n"
                               "  replicas: 16385\n  module: " DIGEST "\n"),
                    "m.yaml:5:13: spec.replicas: a node has at most 16384 instances of the engine "
                    "compute; choose another engine, or fewer replicas\n");
}

static void test_templates_are_partial(void **state)
{
    struct fixture *f = *state;
    struct sw_manifest *m = manifests_of(
        f, "kind: AgentTemplate\nmetadata: {name: t}\nspec:\n  agent: {limits: {memory: 4MiB}}\n",
        1);
    struct sw_api_agent_template *template = m[0].object;
    struct sw_api_agent *agent = good_agent(f);

    sw_object_apply_defaults(m[0].kind, template);
    assert_string_equal(template->spec.agent.limits.deadline, "");
    assert_int_equal(sw_object_validate(m[0].kind, template, &f->check), SW_OK);

    agent->spec.template = "t";
    sw_api_fill_missing(&sw_api_agent_spec_message, &agent->spec, &template->spec.agent);
    sw_object_apply_defaults(agents(), agent);
    assert_string_equal(agent->spec.limits.memory, "4MiB");
    assert_string_equal(agent->spec.limits.deadline, "1s");
    assert_contains(invalid(f, "kind: AgentTemplate\nmetadata: {name: t}\nspec:\n  agent:\n"
                               "    limits: {memory: 1KiB}\n"),
                    "spec.agent.limits.memory: expected 65536 to 4294967296 bytes, found 1KiB");
}

static void test_module_or_template(void **state)
{
    struct fixture *f = *state;
    struct sw_manifest *m =
        manifests_of(f, "kind: Agent\nmetadata: {name: a, namespace: n}\nspec: {template: t}\n", 1);

    assert_int_equal(sw_object_validate(m[0].kind, m[0].object, &f->check), SW_OK);
    f->check.flags = SW_VALIDATE_COMPLETE;
    assert_int_equal(sw_object_validate(m[0].kind, m[0].object, &f->check), SW_E_INVALID);
    assert_contains(problems_of(f), "spec.module: missing, and template does not give it");
    f->check.flags = 0;
    assert_contains(invalid(f, "kind: Agent\nmetadata: {name: a}\nspec: {keyed: true}\n"),
                    "m.yaml:3:7: spec.module: missing, and so is template");
}

static void test_all_rules_at_once_with_places(void **state)
{
    const char *told = invalid(*state, "kind: Agent\n"
                                       "metadata:\n"
                                       "  name: Reader!\n"
                                       "  labels: {app: 'a b', '-x': y}\n"
                                       "  annotations: {a: b}\n"
                                       "  finalizers: [ok, a/b/c]\n"
                                       "  ownerReferences:\n"
                                       "  - kind: Agent\n"
                                       "    name: x\n"
                                       "spec:\n"
                                       "  module: ./reader.wasm\n"
                                       "  replicas: 2000000\n"
                                       "  pods: 300\n"
                                       "  limits: {deadline: 2h, memory: 4TiB}\n"
                                       "  restart: {initialBackoff: 5m}\n"
                                       "  retry: {attempts: 5000, maxBackoff: 1ms}\n"
                                       "  idle: {after: 1h}\n"
                                       "  weight: 2000\n");
    assert_contains(told, "m.yaml:3:9: metadata.name: expected 1 to 63 lowercase letters");
    assert_contains(told, "m.yaml:4:17: metadata.labels['app']: expected at most 63 letters");
    assert_contains(told, "metadata.labels['-x']: key: expected a name such as");
    assert_contains(told, "m.yaml:6:20: metadata.finalizers[1]: expected a name such as");
    assert_contains(told, "m.yaml:8:5: metadata.ownerReferences[0].uid: missing\n");
    assert_contains(told, "m.yaml:11:11: spec.module: expected \"sha256:\" and 64");
    assert_contains(told, "m.yaml:12:13: spec.replicas: expected 0 to 1000000, found 2000000\n");
    assert_contains(told, "m.yaml:13:9: spec.pods: expected 0 to 256, found 300\n");
    assert_contains(told, "m.yaml:14:22: spec.limits.deadline: expected 1000000 to 3600000000000 "
                          "ns, found 2h\n");
    assert_contains(told, "m.yaml:14:34: spec.limits.memory: expected 65536 to");
    assert_contains(told, "m.yaml:15:12: spec.restart.maxBackoff: shorter than initialBackoff");
    assert_contains(told, "m.yaml:16:21: spec.retry.attempts: expected 1 to 1000, found 5000");
    assert_contains(told, "spec.idle: the instances of a replicated Agent are always there");
    assert_contains(told, "m.yaml:18:11: spec.weight: expected 1 to 1000, found 2000");
    assert_contains(told, "spec.retry.maxBackoff: shorter than initialBackoff, which is 100ms");
}

static void test_heads_and_namespaces(void **state)
{
    struct fixture *f = *state;
    struct sw_api_agent *agent = good_agent(f);

    agent->kind = "Pod";
    agent->api_version = "swarm/v9";
    f->check.flags = SW_VALIDATE_COMPLETE;
    assert_int_equal(sw_object_validate(agents(), agent, &f->check), SW_E_INVALID);
    const char *told = problems_of(f);
    assert_contains(told, "kind: expected Agent, found \"Pod\"");
    assert_contains(told, "apiVersion: expected swarm/v1");
    assert_contains(told, "metadata.namespace: missing");
    f->check.flags = 0;
    assert_contains(invalid(f, "kind: Node\nmetadata: {name: a, namespace: b}\n"),
                    "m.yaml:2:32: metadata.namespace: Node lives outside of namespaces; leave it");
    assert_contains(invalid(f, "kind: Cluster\nmetadata: {name: mine}\n"),
                    "there is one Cluster, named \"default\"");
    assert_contains(invalid(f, "kind: Node\n"), "metadata.name: missing");
    /* What is written down, but empty, is not said to be missing: what it must hold is. */
    assert_contains(invalid(f, "kind: Agent\nmetadata: {name: a}\nspec: {}\n"),
                    "spec.module: missing, and so is template");
}

static void test_pods(void **state)
{
    struct fixture *f = *state;
    const char *told =
        invalid(f, "kind: Pod\nmetadata: {name: p}\nspec:\n  agentName: a\n"
                   "  agentUid: 01932c07-8ba2-7c1e-9a2b-0123456789ab\n  agentGeneration: 1\n"
                   "  slots: [{first: 0, count: 64}, {first: 60, count: 8}, {first: 250, count: 64}"
                   ", {first: 5000}]\n"
                   "  agent: {module: " DIGEST "}\nstatus: {conditions: [{type: ready}]}\n");
    assert_contains(told, "spec.slots[1]: begins before the end of the range before");
    assert_contains(told, "spec.slots[2]: ends behind the Agent's 256 slots");
    assert_contains(told, "spec.slots[3].first: expected 0 to 255, found 5000");
    assert_contains(told, "spec.slots[3].count: missing");
    assert_contains(told, "status.conditions[0].type: expected one word in CamelCase");
    assert_contains(told, "status.conditions[0].status: missing");
    assert_contains(invalid(f, "kind: Pod\nmetadata: {name: p}\nspec: {nodeName: n}\n"),
                    "spec.agentName: missing");
}

static void test_lengths_and_counts(void **state)
{
    struct fixture *f = *state;
    struct sw_api_agent *agent = good_agent(f);
    char *config = sw_arena_get(f->arena, 65538);
    const char *finalizers[17];

    memset(config, 'x', 65537);
    agent->spec.config = config;
    for (int i = 0; i < 17; i++)
        finalizers[i] = "a";
    agent->metadata.finalizers = finalizers;
    agent->metadata.finalizers_count = 17;
    agent->spec.priority = (enum sw_api_priority)9;
    assert_int_equal(sw_object_validate(agents(), agent, &f->check), SW_E_INVALID);
    const char *told = problems_of(f);
    assert_contains(told, "spec.config: at most 65536 bytes, found 65537");
    assert_contains(told, "metadata.finalizers: at most 16 items, found 17");
    assert_contains(told, "spec.priority: 9 is no number of Priority");
}

static void test_requests(void **state)
{
    struct fixture *f = *state;
    struct sw_api_send_request request = {.namespace = "n", .to = "support/customer:alice"};

    sw_api_apply_defaults(&sw_api_send_request_message, &request);
    assert_string_equal(request.timeout, "30s");
    assert_int_equal(sw_api_validate(&sw_api_send_request_message, &request, &f->check), SW_OK);
    request.to = "/x";
    request.body = (struct sw_bytes){"", 262145};
    assert_int_equal(sw_api_validate(&sw_api_send_request_message, &request, &f->check),
                     SW_E_INVALID);
    const char *told = problems_of(f);
    assert_contains(told, "to: expected \"agent/key\" or \"agent\", found \"/x\"");
    assert_contains(told, "body: at most 262144 bytes");
}

static void test_rules_of_providers(void **state)
{
    struct fixture *f = *state;
    const char *told = invalid(f, "kind: ModelProvider\nmetadata: {name: p}\nspec:\n"
                                  "  protocol: anthropic\n"
                                  "  baseURL: http://127.0.0.1:1/v1\n"
                                  "  apis: [chat]\n"
                                  "  apiKey: {secret: s}\n"
                                  "  models: [{name: a}, {name: b}, {name: a}]\n"
                                  "  retries: {backoff: 2s, maxBackoff: 1s}\n");

    assert_contains(told, "spec.apis: only the protocol openai has them");
    assert_contains(told, "spec.models[2].name: the same as of models[0]");
    assert_contains(told, "spec.retries.maxBackoff: shorter than backoff, which is 2s");
    assert_contains(told, "spec.apiKey.namespace: missing");
    assert_contains(told, "spec.apiKey.key: missing");
    told = invalid(f, "kind: ModelProvider\nmetadata: {name: p}\nspec: {protocol: openai}\n");
    assert_contains(told, "spec.baseURL: missing");
    assert_contains(told, "spec.models: missing");
}

static void test_rules_of_secrets(void **state)
{
    struct fixture *f = *state;
    struct sw_manifest *m = manifests_of(
        f, "kind: Secret\nmetadata: {name: s, namespace: n}\nspec: {data: {a: x, b.c_d-e: \"\"}}\n",
        1);
    struct sw_api_secret *secret = m[0].object;
    size_t size = SW_SECRET_VALUE_MAX + 1;
    char *large = sw_arena_get(f->arena, size + 1);

    assert_int_equal(sw_object_validate(m[0].kind, secret, &f->check), SW_OK);
    memset(large, 'x', size);
    secret->spec.data[0].value = large + 1;
    assert_int_equal(sw_object_validate(m[0].kind, secret, &f->check), SW_OK);
    secret->spec.data[0].value = large;
    assert_int_equal(sw_object_validate(m[0].kind, secret, &f->check), SW_E_INVALID);
    assert_contains(problems_of(f), "spec.data['a']: at most 65536 bytes, found 65537");
    memcpy(large, SW_SECRET_SEALED, strlen(SW_SECRET_SEALED)); /* It holds less than its length. */
    assert_int_equal(sw_object_validate(m[0].kind, secret, &f->check), SW_OK);
}

static void test_problems_of_secrets_quote_nothing(void **state)
{
    struct fixture *f = *state;
    const struct sw_kind *kind = sw_kind_find("Secret");
    static const char *const bodies[] = {
        "{\"spec\":{\"data\":{\"a\":4711}}}",
        "{\"spec\":{\"data\":\"4711\"}}",
        "{\"spec\":\"4711\"}",
        "{\"spec\":{\"data\":{\"a\":\"4711\" \"4711\"}}}",
        "{\"spec\":{\"data\":{\"a\":4711",
        "{\"spec\":{\"data\":{\"a\":'4711'}}}",
        "{\"kind\":\"Secret\",\"metadata\":{\"generation\":\"x4711\"}}",
    };
    struct sw_manifest *m = NULL;
    size_t count = 0;
    void *object;

    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        f->problems.count = 0;
        assert_int_equal(sw_object_decode_json(kind, bytes_of(bodies[i]), &f->bind, &object),
                         SW_E_INVALID);
        const char *told = problems_of(f);
        assert_true(told[0] != '\0');
        if (strstr(told, "4711") != NULL)
            fail_msg("%s: %s", bodies[i], told);
    }
    f->problems.count = 0;
    assert_int_equal(sw_yaml_read_manifests(
                         bytes_of("kind: Secret\nmetadata: {name: s}\nspec: {data: {a: 4711}}\n"),
                         &f->bind, &m, &count),
                     SW_E_INVALID);
    assert_contains(problems_of(f), "expected text, found a number");
}

static void test_lists_of_enums(void **state)
{
    struct fixture *f = *state;
    struct sw_manifest *m =
        manifests_of(f,
                     "kind: ModelProvider\nmetadata: {name: p}\nspec:\n  protocol: openai\n"
                     "  baseURL: http://127.0.0.1:1/v1\n  apis: [chat, embeddings]\n"
                     "  models: [{name: a, capabilities: [chat, jsonSchema]}]\n",
                     1);
    struct sw_api_model_provider *provider = m[0].object, *copy;
    void *decoded = NULL;

    assert_int_equal(sw_object_validate(m[0].kind, provider, &f->check), SW_OK);
    sw_protobuf_encode(m[0].kind->message, provider, &f->out);
    assert_int_equal(sw_object_decode(m[0].kind, (struct sw_bytes){f->out.data, f->out.size},
                                      f->arena, &decoded, NULL),
                     SW_OK);
    sw_buffer_reset(&f->out);
    copy = decoded;
    assert_true(sw_api_is_equal(m[0].kind->message, provider, copy));
    sw_json_encode(m[0].kind->message, copy, SW_JSON_COMPACT, &f->out);
    assert_contains(taken(f), "\"capabilities\":[\"chat\",\"jsonSchema\"]");
    copy->spec.apis[1] = SW_API_MODEL_API_UNSPECIFIED;
    copy->spec.models[0].capabilities[1] = (enum sw_api_model_capability)77;
    f->check.tree = NULL;
    assert_int_equal(sw_object_validate(m[0].kind, copy, &f->check), SW_E_INVALID);
    const char *told = problems_of(f);
    assert_contains(told, "spec.apis[1]: 0 is no number of ModelApi");
    assert_contains(told, "spec.models[0].capabilities[1]: 77 is no number of ModelCapability");
}

struct format_case {
    enum sw_api_format format;
    bool is_good;
    const char *text;
};

static void check_formats(const struct format_case *cases, size_t count)
{
    struct sw_err err = {0};

    for (size_t i = 0; i < count; i++) {
        enum sw_rc rc = sw_format_check(cases[i].format, cases[i].text, &err);
        if (rc != (cases[i].is_good ? SW_OK : SW_E_INVALID))
            fail_msg("format %d, \"%s\"", (int)cases[i].format, cases[i].text);
        if (rc != SW_OK)
            assert_contains(err.message, sw_format_describe(cases[i].format));
    }
}

static void test_formats(void **state)
{
    static const struct format_case cases[] = {
        {SW_API_FORMAT_NONE, true, "any thing"},
        {SW_API_FORMAT_LABEL, true, "a-1"},
        {SW_API_FORMAT_LABEL, false, ""},
        {SW_API_FORMAT_LABEL, false, "a."},
        {SW_API_FORMAT_DNS_NAME, true, "a.b-c.d"},
        {SW_API_FORMAT_DNS_NAME, false, ""},
        {SW_API_FORMAT_DNS_NAME, false, "a..b"},
        {SW_API_FORMAT_DNS_NAME, false, "a."},
        {SW_API_FORMAT_DNS_NAME, false, "A.b"},
        {SW_API_FORMAT_QUALIFIED_NAME, true, "App_1.x"},
        {SW_API_FORMAT_QUALIFIED_NAME, true, "example.com/app"},
        {SW_API_FORMAT_QUALIFIED_NAME, false, "/app"},
        {SW_API_FORMAT_QUALIFIED_NAME, false, "example.com/"},
        {SW_API_FORMAT_QUALIFIED_NAME, false, "a b"},
        {SW_API_FORMAT_DURATION, true, "1500ms"},
        {SW_API_FORMAT_DURATION, false, "1 s"},
        {SW_API_FORMAT_SIZE, true, "64KiB"},
        {SW_API_FORMAT_SIZE, false, "64kb"},
        {SW_API_FORMAT_DIGEST, true, DIGEST},
        {SW_API_FORMAT_DIGEST, false, "sha256:0"},
        {SW_API_FORMAT_DIGEST, false,
         "sha256:0123456789ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef"},
        {SW_API_FORMAT_SUBJECT, true, "orders.new"},
        {SW_API_FORMAT_SUBJECT, false, ""},
        {SW_API_FORMAT_SUBJECT, false, ".a"},
        {SW_API_FORMAT_SUBJECT, false, "a."},
        {SW_API_FORMAT_SUBJECT, false, "a..b"},
        {SW_API_FORMAT_SUBJECT, false, "a.*"},
        {SW_API_FORMAT_SUBJECT, false, "a.>"},
        {SW_API_FORMAT_SUBJECT, false, "a b"},
        {SW_API_FORMAT_UUID, true, "01932c07-8ba2-7c1e-9a2b-0123456789ab"},
        {SW_API_FORMAT_UUID, false, "01932c07-8ba2-7c1e-9a2b-0123456789aB"},
        {SW_API_FORMAT_UUID, false, "01932c07x8ba2-7c1e-9a2b-0123456789ab"},
        {SW_API_FORMAT_UUID, false, "01932c07"},
        {SW_API_FORMAT_TIMESTAMP, true, "checked when it is read"},
        {SW_API_FORMAT_REASON, true, "PodReady"},
        {SW_API_FORMAT_REASON, false, "podReady"},
        {SW_API_FORMAT_REASON, false, "Pod ready"},
        {SW_API_FORMAT_REASON, false, ""},
        {SW_API_FORMAT_INSTANCE, true, "agent"},
        {SW_API_FORMAT_INSTANCE, true, "agent/a/b c"},
        {SW_API_FORMAT_INSTANCE, false, "agent/"},
        {SW_API_FORMAT_INSTANCE, false, "/key"},
        {SW_API_FORMAT_INSTANCE, false, "Agent/key"},
        {SW_API_FORMAT_LABEL_VALUE, true, ""},
        {SW_API_FORMAT_LABEL_VALUE, true, "a_B.c-d"},
        {SW_API_FORMAT_LABEL_VALUE, false, "-a"},
        {SW_API_FORMAT_LABEL_VALUE, false, "a-"},
    };

    (void)state;
    check_formats(cases, sizeof(cases) / sizeof(cases[0]));
}

static void test_formats_of_money_and_urls(void **state)
{
    static const struct format_case cases[] = {
        {SW_API_FORMAT_MONEY, true, "0"},
        {SW_API_FORMAT_MONEY, true, "1.00"},
        {SW_API_FORMAT_MONEY, true, "999999999.999999999"},
        {SW_API_FORMAT_MONEY, false, ""},
        {SW_API_FORMAT_MONEY, false, ".5"},
        {SW_API_FORMAT_MONEY, false, "5."},
        {SW_API_FORMAT_MONEY, false, "-1"},
        {SW_API_FORMAT_MONEY, false, "1e3"},
        {SW_API_FORMAT_MONEY, false, "0.0000000001"},
        {SW_API_FORMAT_MONEY, false, "1000000000"},
        {SW_API_FORMAT_MONEY, false, "$1"},
        {SW_API_FORMAT_URL, true, "https://api.example.com"},
        {SW_API_FORMAT_URL, true, "https://api.example.com/v1/x~y"},
        {SW_API_FORMAT_URL, true, "http://127.0.0.1:8080/v1"},
        {SW_API_FORMAT_URL, true, "http://[::1]:8080/v1/"},
        {SW_API_FORMAT_URL, false, ""},
        {SW_API_FORMAT_URL, false, "ftp://example.com"},
        {SW_API_FORMAT_URL, false, "https://"},
        {SW_API_FORMAT_URL, false, "https:///v1"},
        {SW_API_FORMAT_URL, false, "https://user:word@example.com/v1"},
        {SW_API_FORMAT_URL, false, "https://example.com:0/"},
        {SW_API_FORMAT_URL, false, "https://example.com:65536"},
        {SW_API_FORMAT_URL, false, "https://example.com:"},
        {SW_API_FORMAT_URL, false, "https://example.com:8x"},
        {SW_API_FORMAT_URL, false, "https://[::1/v1"},
        {SW_API_FORMAT_URL, false, "https://[]/v1"},
        {SW_API_FORMAT_URL, false, "https://[::1]x/v1"},
        {SW_API_FORMAT_URL, false, "https://example.com/v1?key=x"},
        {SW_API_FORMAT_URL, false, "https://example.com/v 1"},
        {SW_API_FORMAT_URL, false, "https://example.com/#x"},
        {SW_API_FORMAT_URL, false, "https://example.com/\r\nHost: x"},
    };

    (void)state;
    check_formats(cases, sizeof(cases) / sizeof(cases[0]));
}

static void test_immutable_fields(void **state)
{
    struct fixture *f = *state;
    struct sw_api_agent *old_agent = good_agent(f);
    sw_object_apply_defaults(agents(), old_agent);
    struct sw_api_agent *agent = sw_object_copy(agents(), old_agent, f->arena);

    agent->spec.replicas = 5;
    agent->spec.pods = 7; /* Its slots move then. */
    agent->metadata.uid = "output fields are not compared";
    agent->status.phase = SW_API_AGENT_PHASE_READY;
    assert_int_equal(sw_object_check_update(agents(), old_agent, agent, &f->check), SW_OK);
    agent->spec.slots = 128;
    agent->spec.durability = SW_API_DURABILITY_NONE;
    agent->metadata.name = "other";
    assert_int_equal(sw_object_check_update(agents(), old_agent, agent, &f->check), SW_E_INVALID);
    const char *told = problems_of(f);
    assert_contains(told, "metadata.name: it never changes after the first write; delete");
    assert_contains(told, "spec.slots: it never");
    assert_contains(told, "spec.durability: it never");
}

static void test_templates_may_change(void **state)
{
    struct fixture *f = *state;
    struct sw_api_agent_template one = {.spec.agent.slots = 256}, other = {.spec.agent.slots = 128};

    assert_int_equal(sw_object_check_update(sw_kind_find("AgentTemplate"), &one, &other, &f->check),
                     SW_OK);
}

static void test_moves(void **state)
{
    struct fixture *f = *state;
    const struct sw_api_enum *machine = &sw_api_pod_phase_enum;

    assert_int_equal(sw_enum_check_move(machine, 0, SW_API_POD_PHASE_PENDING, &f->err), SW_OK);
    assert_int_equal(
        sw_enum_check_move(machine, SW_API_POD_PHASE_PENDING, SW_API_POD_PHASE_BOUND, &f->err),
        SW_OK);
    assert_int_equal(
        sw_enum_check_move(machine, SW_API_POD_PHASE_READY, SW_API_POD_PHASE_READY, &f->err),
        SW_OK);
    assert_int_equal(sw_enum_check_move(machine, 0, 0, &f->err), SW_OK);
    assert_int_equal(sw_enum_check_move(machine, 0, SW_API_POD_PHASE_READY, &f->err),
                     SW_E_PRECONDITION);
    assert_string_equal(f->err.hint, "what may follow: Pending");
    assert_int_equal(
        sw_enum_check_move(machine, SW_API_POD_PHASE_PENDING, SW_API_POD_PHASE_READY, &f->err),
        SW_E_PRECONDITION);
    assert_string_equal(f->err.message, "PodPhase: no move from Pending to Ready");
    assert_string_equal(f->err.hint, "what may follow: Bound, Failed, Stopping");
    assert_int_equal(sw_enum_check_move(machine, SW_API_POD_PHASE_READY, 0, &f->err),
                     SW_E_PRECONDITION);
    assert_contains(f->err.message, "from Ready to nothing");
    assert_int_equal(sw_enum_check_move(machine, 77, SW_API_POD_PHASE_READY, &f->err),
                     SW_E_PRECONDITION);
    assert_int_equal(sw_enum_check_move(&sw_api_agent_phase_enum, SW_API_AGENT_PHASE_DELETING,
                                        SW_API_AGENT_PHASE_READY, &f->err),
                     SW_E_PRECONDITION);
    assert_string_equal(f->err.hint, "what may follow: nothing");
}

static void test_moves_of_objects(void **state)
{
    struct fixture *f = *state;
    struct sw_api_agent old_agent = {.status.phase = SW_API_AGENT_PHASE_DEPLOYING};
    struct sw_api_agent agent = {.status.phase = SW_API_AGENT_PHASE_READY};

    assert_int_equal(sw_object_check_moves(agents(), &old_agent, &agent, &f->err), SW_OK);
    assert_int_equal(sw_object_check_moves(agents(), NULL, &agent, &f->err), SW_E_PRECONDITION);
    assert_string_equal(f->err.field, "status.phase");
}

/* Every kind's defaults are themselves valid, and so are all examples of the documentation. */
static void check_texts(struct fixture *f, const struct sw_api_message *message)
{
    for (unsigned i = 0; i < message->field_count; i++) {
        const struct sw_api_field *field = &message->fields[i];
        if (field->type == SW_API_TYPE_STRING && field->default_text[0] != '\0')
            assert_int_equal(sw_format_check(field->format, field->default_text, &f->err), SW_OK);
        if (field->type == SW_API_TYPE_STRING && field->example[0] != '\0')
            assert_int_equal(sw_format_check(field->format, field->example, &f->err), SW_OK);
        if (field->message != NULL)
            check_texts(f, field->message);
    }
}

static void test_tables_are_sound(void **state)
{
    for (unsigned i = 0; i < sw_kind_count; i++)
        check_texts(*state, sw_kinds[i].message);
    for (unsigned i = 0; i < sw_api_method_count; i++)
        check_texts(*state, sw_api_methods[i].request);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_defaults),
        TEST(test_zero_is_not_missing),
        TEST(test_keyed_agents_have_no_replicas),
        TEST(test_replicas_of_the_engine_compute_fit_a_host),
        TEST(test_templates_are_partial),
        TEST(test_module_or_template),
        TEST(test_all_rules_at_once_with_places),
        TEST(test_heads_and_namespaces),
        TEST(test_pods),
        TEST(test_lengths_and_counts),
        TEST(test_requests),
        TEST(test_formats),
        TEST(test_formats_of_money_and_urls),
        TEST(test_rules_of_providers),
        TEST(test_rules_of_secrets),
        TEST(test_problems_of_secrets_quote_nothing),
        TEST(test_lists_of_enums),
        TEST(test_immutable_fields),
        TEST(test_templates_may_change),
        TEST(test_moves),
        TEST(test_moves_of_objects),
        TEST(test_tables_are_sound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
