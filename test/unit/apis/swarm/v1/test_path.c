/* Paths, templates, columns and explanations. */
#include "test/unit/apis/swarm/v1/fixture.h"

#include "pkg/apis/swarm/v1/path.h"

#define SECOND_NS 1000000000ull

static struct sw_api_agent *agent_of(struct fixture *f)
{
    return manifests_of(f,
                        "kind: Agent\nmetadata:\n  name: reader\n  labels: {app: a, a.b/c: d}\n"
                        "  finalizers: [x, y]\n  creationTimestamp: 2026-01-31T12:00:00Z\n"
                        "spec: {keyed: true, limits: {mailbox: 7}}\n"
                        "status:\n  phase: Ready\n  pods: 4\n  readyPods: 3\n  conditions:\n"
                        "  - {type: Ready, status: \"True\"}\n  - {type: Placed}\n",
                        1)[0]
        .object;
}

static const char *at(struct fixture *f, const char *path)
{
    if (sw_path_print(&sw_api_agent_message, agent_of(f), path, &f->out, &f->err) != SW_OK)
        fail_msg("%s: %s", path, f->err.message);
    return taken(f);
}

static const char *wrong(struct fixture *f, const char *path)
{
    assert_int_equal(sw_path_print(&sw_api_agent_message, agent_of(f), path, &f->out, &f->err),
                     SW_E_INVALID);
    sw_buffer_reset(&f->out);
    return f->err.message;
}

static void test_paths(void **state)
{
    struct fixture *f = *state;

    assert_string_equal(at(f, "metadata.name"), "reader");
    assert_string_equal(at(f, ".metadata.name"), "reader");
    assert_string_equal(at(f, "$.metadata.name"), "reader");
    assert_string_equal(at(f, "spec.keyed"), "true");
    assert_string_equal(at(f, "spec.replicas"), ""); /* It is not there. */
    assert_string_equal(at(f, "spec.limits.mailbox"), "7");
    assert_string_equal(at(f, "spec.limits"), "{\"mailbox\":7}");
    assert_string_equal(at(f, "status.phase"), "Ready");
    assert_string_equal(at(f, "metadata.creationTimestamp"), "2026-01-31T12:00:00Z");
    assert_string_equal(at(f, "metadata.deletionTimestamp"), "");
    assert_string_equal(at(f, "metadata.labels.app"), "a");
    assert_string_equal(at(f, "metadata.labels['a.b/c']"), "d");
    assert_string_equal(at(f, "metadata.labels[\"app\"]"), "a");
    assert_string_equal(at(f, "metadata.labels[*]"), "d a");
    assert_string_equal(at(f, "metadata.labels.none"), "");
    assert_string_equal(at(f, "metadata.finalizers"), "[\"x\",\"y\"]");
    assert_string_equal(at(f, "metadata.finalizers[1]"), "y");
    assert_string_equal(at(f, "metadata.finalizers[9]"), "");
    assert_string_equal(at(f, "status.conditions[*].type"), "Ready Placed");
    assert_string_equal(at(f, "status.conditions[1].type"), "Placed");
    assert_string_equal(at(f, "status.conditions[1].status"), "");
    assert_contains(at(f, "."), "{\"apiVersion\":\"swarm/v1\"");
}

static void test_templates(void **state)
{
    struct fixture *f = *state;

    assert_string_equal(at(f, "{status.readyPods}/{status.pods}"), "3/4");
    assert_string_equal(at(f, "{.metadata.name}{\"\\n\"}"), "reader\n");
    assert_string_equal(at(f, "a {\"{\\\"}\\t\\\\\"} b"), "a {\"}\t\\ b");
    assert_string_equal(at(f, "{metadata.labels['a.b/c']}"), "d");
}

static void test_signed_and_raw_values(void **state)
{
    struct fixture *f = *state;
    struct sw_api_send_response response = {.status = -8, .body = {"hi", 2}};

    assert_int_equal(sw_path_print(&sw_api_send_response_message, &response, "{status} {body}",
                                   &f->out, &f->err),
                     SW_OK);
    assert_string_equal(taken(f), "-8 aGk=");
}

static void test_mistakes(void **state)
{
    struct fixture *f = *state;

    assert_contains(wrong(f, "metadata.nmae"), "ObjectMeta has no field \"nmae\"");
    assert_string_equal(f->err.hint, "did you mean name?");
    assert_contains(wrong(f, "metadata[0]"), "ObjectMeta has no field \"[]\"");
    assert_contains(wrong(f, "metadata.name.x"), "name holds no fields");
    assert_contains(wrong(f, "metadata.labels[0]"), "is a map of text");
    assert_contains(wrong(f, "metadata.labels.a.b"), "is a map of text");
    assert_contains(wrong(f, "status.conditions.type"), "is a list: use [0] or [*]");
    assert_contains(wrong(f, "metadata..name"), "expected a name");
    assert_contains(wrong(f, "metadata."), "expected a name");
    assert_contains(wrong(f, "metadata.labels['a"), "expected a quoted key");
    assert_contains(wrong(f, "metadata.labels[x]"), "expected [number]");
    assert_contains(wrong(f, "metadata.labels[1"), "expected [number]");
    assert_contains(wrong(f, "{metadata.name"), "no closing }");
    assert_contains(wrong(f, "{\"\\q\"}"), "an unknown escape");
    assert_contains(wrong(f, "a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a"), "too many steps");
    char *path = sw_arena_get(f->arena, SW_FIELD_PATH_MAX + 2);
    memset(path, 'x', SW_FIELD_PATH_MAX + 1);
    assert_contains(wrong(f, path), "longer than");
    path[300] = '\0';
    assert_contains(wrong(f, path), "expected a name");
}

static const struct sw_api_column *column_of(const struct sw_kind *kind, const char *name)
{
    for (unsigned i = 0; i < kind->column_count; i++)
        if (strcmp(kind->columns[i].name, name) == 0)
            return &kind->columns[i];
    fail_msg("no column %s", name);
    return NULL;
}

static void test_columns(void **state)
{
    struct fixture *f = *state;
    const struct sw_kind *kind = sw_kind_find("Agent");
    struct sw_api_agent *agent = agent_of(f);

    sw_column_print(kind, column_of(kind, "PODS"), agent, 0, &f->out);
    assert_string_equal(taken(f), "3/4");
    sw_column_print(kind, column_of(kind, "MODULE"), agent, 0, &f->out);
    assert_string_equal(taken(f), "-");
    struct sw_api_column bad = {.name = "BAD", .path = "none"};
    sw_column_print(kind, &bad, agent, 0, &f->out);
    assert_string_equal(taken(f), "?");
}

static void test_bounds(void **state)
{
    struct fixture *f = *state;
    const struct sw_kind *kind = sw_kind_find("ResourceQuota");
    struct sw_api_resource_quota quota = {0};
    static const struct {
        bool has_agents;
        uint32_t agents;
        const char *cell;
    } cases[] = {{false, 0, "20/-"}, {true, 0, "20/0"}, {true, 10, "20/10"}};

    sw_api_init(kind->message, &quota);
    quota.status.used.agents = 20;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        quota.spec.hard.has_agents = cases[i].has_agents;
        quota.spec.hard.agents = cases[i].agents;
        sw_column_print(kind, column_of(kind, "AGENTS"), &quota, 0, &f->out);
        assert_string_equal(taken(f), cases[i].cell);
    }
    sw_column_print(kind, column_of(kind, "STORAGE"), &quota, 0, &f->out);
    assert_string_equal(taken(f), "0/-");
}

static void test_a_text_is_shown_as_it_is(void **state)
{
    struct fixture *f = *state;
    const struct sw_kind *kind = sw_kind_find("Event");
    struct sw_api_event event = {0};

    sw_api_init(kind->message, &event);
    event.message = "there is no folder /a/";
    sw_column_print(kind, column_of(kind, "MESSAGE"), &event, 0, &f->out);
    assert_string_equal(taken(f), "there is no folder /a/");
}

static void test_ages(void **state)
{
    struct fixture *f = *state;
    const struct sw_kind *kind = sw_kind_find("Agent");
    const struct sw_api_column *age = column_of(kind, "AGE");
    static const struct {
        uint64_t seconds;
        const char *age;
    } cases[] = {{0, "0s"},      {119, "119s"},        {120, "2m0s"}, {599, "9m59s"},
                 {600, "10m"},   {7199, "119m"},       {7200, "2h"},  {172799, "47h"},
                 {172800, "2d"}, {86400 * 400, "400d"}};
    struct sw_api_agent agent = {.metadata.creation_timestamp = 1000 * SECOND_NS};

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        sw_column_print(kind, age, &agent, (1000 + cases[i].seconds) * SECOND_NS, &f->out);
        assert_string_equal(taken(f), cases[i].age);
    }
    sw_column_print(kind, age, &agent, 1, &f->out); /* Clocks differ. */
    assert_string_equal(taken(f), "0s");
    agent.metadata.creation_timestamp = 0;
    sw_column_print(kind, age, &agent, 1, &f->out);
    assert_string_equal(taken(f), "-");
    static const char *const bad[] = {"none", "metadata.labels.x", "kind", "kind.x"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct sw_api_column column = {.name = "BAD", .path = bad[i], .is_age = true};
        sw_column_print(kind, &column, &agent, 1, &f->out);
        assert_string_equal(taken(f), "-");
    }
}

static void test_all_columns_can_be_read(void **state)
{
    struct fixture *f = *state;

    for (unsigned i = 0; i < sw_kind_count; i++) {
        void *object = sw_object_new(&sw_kinds[i], f->arena);
        sw_object_meta(object)->creation_timestamp = SECOND_NS;
        for (unsigned c = 0; c < sw_kinds[i].column_count; c++) {
            sw_column_print(&sw_kinds[i], &sw_kinds[i].columns[c], object, SECOND_NS, &f->out);
            assert_string_not_equal(taken(f), "?");
        }
    }
}

static const char *explained(struct fixture *f, const char *path)
{
    if (sw_explain(path, &f->out, &f->err) != SW_OK)
        fail_msg("%s", f->err.message);
    return taken(f);
}

static void test_explain(void **state)
{
    struct fixture *f = *state;

    assert_contains(explained(f, "agent"), "KIND   Agent  (swarm/v1)\n  A program and how to run");
    assert_contains(explained(f, "agent"), "  spec  <AgentSpec>  required\n");
    const char *limits = explained(f, "ag.spec.limits");
    assert_contains(limits, "KIND   Agent\nFIELD  limits  <AgentLimits>\n  What one instance");
    assert_contains(limits, "  memory  <size>\n      Memory of one instance. One that is there");
    const char *memory = explained(f, "agent.spec.limits.memory");
    assert_contains(memory, "  default: 1MiB\n  from 65536 to 4294967296 bytes\n");
    assert_contains(explained(f, "agent.spec.limits.deadline"), "ns\n");
    assert_contains(explained(f, "agent.spec.replicas"), "  from 0 to 1000000\n");
    assert_contains(explained(f, "agent.spec.module"), "  required unless template is set\n");
    assert_contains(explained(f, "agent.spec.slots"), "  never changes after the first write\n");
    assert_contains(explained(f, "agent.metadata.uid"), "  written by the platform\n");
    assert_contains(explained(f, "agent.metadata.labels"), "<map of text>");
    assert_contains(explained(f, "agent.status.conditions"), "<list of Condition>");
    assert_contains(explained(f, "agent.metadata.creationTimestamp"), "<time>");
    const char *phase = explained(f, "pod.status.phase");
    assert_contains(phase, "  Pending\n      It has no Node yet.\n      then: Bound, Failed");
    assert_contains(explained(f, "agent.status.phase"), "then: nothing\n");
    assert_contains(explained(f, "agent.spec.durability"), "VALUES\n  none\n");
}

static void test_explain_the_unknown(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(sw_explain("agnets", &f->out, &f->err), SW_E_NOT_FOUND);
    assert_string_equal(f->err.hint, "did you mean agents?");
    assert_int_equal(sw_explain("agent.spec.replica", &f->out, &f->err), SW_E_NOT_FOUND);
    assert_string_equal(f->err.hint, "did you mean replicas?");
    assert_int_equal(sw_explain("agent.kind.x", &f->out, &f->err), SW_E_NOT_FOUND);
    assert_contains(f->err.message, "kind holds no fields");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_paths),
        TEST(test_templates),
        TEST(test_signed_and_raw_values),
        TEST(test_mistakes),
        TEST(test_columns),
        TEST(test_bounds),
        TEST(test_a_text_is_shown_as_it_is),
        TEST(test_ages),
        TEST(test_all_columns_can_be_read),
        TEST(test_explain),
        TEST(test_explain_the_unknown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
