/* Manifests: what is read, and what each mistake is told as. */
#include "test/unit/apis/swarm/v1/fixture.h"

#include "pkg/apis/swarm/v1/yaml_parse.h"

static void test_several_documents(void **state)
{
    struct sw_manifest *m = manifests_of(*state,
                                         "---\n# nothing here\n---\n"
                                         "apiVersion: swarm/v1\nkind: Namespace\n"
                                         "metadata:\n  name: work\n  labels: {team: blue}\n"
                                         "---\nkind: Agent\nmetadata: {name: a}\n"
                                         "spec:\n  keyed: true\n  replicas: 0\n...\n",
                                         2);
    struct sw_api_namespace *namespace = m[0].object;
    struct sw_api_agent *agent = m[1].object;

    assert_string_equal(m[0].kind->name, "Namespace");
    assert_string_equal(namespace->metadata.name, "work");
    assert_string_equal(namespace->metadata.labels[0].value, "blue");
    assert_string_equal(agent->api_version, "swarm/v1");
    assert_true(agent->spec.keyed && agent->spec.has_replicas);
    assert_string_equal(agent->spec.module, "");
}

static void test_all_mistakes_at_once(void **state)
{
    const char *told = mistakes_of(*state, "apiVersion: swarm/v2\n"
                                           "kind: Agent\n"
                                           "metadata:\n"
                                           "  nmae: reader\n"
                                           "spec:\n"
                                           "  replicas: many\n"
                                           "  durability: locl\n"
                                           "  limits: 5\n"
                                           "  keyed: \"yes\"\n"
                                           "  template: 7\n"
                                           "---\n"
                                           "kind: Agnet\n"
                                           "---\n"
                                           "kind: Pod\n"
                                           "spec: {slots: 4}\n");
    assert_contains(told, "m.yaml:1:13: apiVersion: expected swarm/v1, found \"swarm/v2\"\n");
    assert_contains(
        told,
        "m.yaml:4:3: metadata.nmae: ObjectMeta has no field of this name; did you mean name?\n");
    assert_contains(told, "m.yaml:6:13: spec.replicas: expected a whole number from 0 to "
                          "4294967295, found \"many\"\n");
    assert_contains(told, "m.yaml:7:15: spec.durability: expected one of none, local, found "
                          "\"locl\"; did you mean local?\n");
    assert_contains(told, "m.yaml:8:11: spec.limits: expected a mapping, found 5\n");
    assert_contains(told, "m.yaml:9:10: spec.keyed: expected true or false, found \"yes\"\n");
    assert_contains(told,
                    "m.yaml:10:13: spec.template: expected text, found 7; put it in quotes\n");
    assert_contains(told, "m.yaml:12:7: kind: expected one of Agent, ");
    assert_contains(told, "found \"Agnet\"; did you mean Agent?\n");
    assert_contains(told, "m.yaml:15:15: spec.slots: expected a list, found 4\n");
}

static void test_good_documents_come_beside_bad_ones(void **state)
{
    struct fixture *f = *state;
    struct sw_manifest *m = NULL;
    size_t count = 0;

    assert_int_equal(
        sw_yaml_read_manifests(bytes_of("kind: Node\n---\nkind: Noed\n"), &f->bind, &m, &count),
        SW_E_INVALID);
    assert_int_equal(count, 1);
}

static void test_kind_is_asked_for(void **state)
{
    struct fixture *f = *state;

    assert_contains(mistakes_of(f, "metadata: {name: a}\n"), "m.yaml:1:1: kind: missing; one of ");
    assert_contains(mistakes_of(f, "- a\n"), "expected an object with apiVersion");
    assert_contains(mistakes_of(f, "kind: agents\n"), "did you mean Agent?");
    assert_contains(mistakes_of(f, "kind: [Agent]\n"), "kind: missing");
    assert_contains(mistakes_of(f, "kind: Agent\napiVersion: 1\n"),
                    "apiVersion: expected text, found 1");
}

static void test_syntax_errors(void **state)
{
    static const struct {
        const char *yaml, *told;
    } cases[] = {
        {"kind: Agent\n  bad: [", "m.yaml:2:6: "},
        {"kind: Agent\nkind: Pod\n", "m.yaml:2:1: the key \"kind\" stands here twice"},
        {"kind: Agent\nspec: {config: {a: 1, a: 2}}\n", "the key \"a\" stands here twice"},
        {"kind: !!str Agent\n", "tags are not in use here; leave it out"},
        {"kind: Agent\nspec: !map {}\n", "tags are not in use"},
        {"kind: Agent\nspec: !!seq []\n", "tags are not in use"},
        {"kind: *unknown\n", "m.yaml:1:7: an alias of an anchor that is not there"},
        {"kind: Agent\nname: \xc3\xbc\xff\n", "m.yaml:2:8: invalid leading UTF-8 octet"},
        {"kind: &a [*a]\n", "an alias of an anchor"},
        {"kind: \"a\\0b\"\n", "text with a NUL byte"},
        {"\"a\\0b\": c\n", "text with a NUL byte"},
        {"[a, b]: c\n", "a key that is not plain text"},
        {"? {a: b}\n: c\n", "a key that is not plain text"},
        {"&k key: c\n", "a key that is not plain text"},
        {"kind: \xff\n", "m.yaml:"},
        {"%YAML 9.9\n---\na: b\n", "m.yaml:"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        tear_down(state); /* A fresh one for each; the last is the caller's to end. */
        set_up(state);
        assert_contains(mistakes_of(*state, cases[i].yaml), cases[i].told);
    }
}

static void test_many_keys_are_still_compared(void **state)
{
    struct fixture *f = *state;

    sw_buffer_put_text(&f->out, "kind: Agent\nmetadata:\n  annotations:\n");
    for (int i = 0; i < 40; i++)
        sw_buffer_print(&f->out, "    key-%d: v\n", i);
    sw_buffer_put_text(&f->out, "    key-5: again\n    key-39: again\n");
    const char *told = mistakes_of(f, taken(f));
    assert_contains(told, "m.yaml:44:5: the key \"key-5\" stands here twice\n");
    assert_contains(told, "m.yaml:45:5: the key \"key-39\" stands here twice\n");
}

static void test_anchors_are_followed(void **state)
{
    struct sw_manifest *m = manifests_of(*state,
                                         "kind: Agent\nmetadata: {labels: &l {a: b}, "
                                         "annotations: *l}\nspec: {template: &t x}\n"
                                         "status: {}\n",
                                         1);
    struct sw_api_agent *agent = m[0].object;

    assert_string_equal(agent->metadata.annotations[0].key, "a");
    assert_string_equal(agent->spec.template, "x");
}

static void test_bombs_are_refused(void **state)
{
    struct fixture *f = *state;

    sw_buffer_put_text(&f->out, "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n");
    for (int i = 1; i < 9; i++) {
        sw_buffer_print(&f->out, "a%d: &a%d [", i, i);
        for (int k = 0; k < 10; k++)
            sw_buffer_print(&f->out, "%s*a%d", k > 0 ? "," : "", i - 1);
        sw_buffer_put_text(&f->out, "]\n");
    }
    assert_contains(mistakes_of(f, taken(f)), "too many values");
}

static void test_too_many_anchors(void **state)
{
    struct fixture *f = *state;

    for (int i = 0; i <= SW_YAML_ANCHORS_MAX; i++)
        sw_buffer_print(&f->out, "k%d: &a%d v\n", i, i);
    assert_contains(mistakes_of(f, taken(f)), "m.yaml:101:7: too many anchors");
}

static void test_depth_is_limited(void **state)
{
    struct fixture *f = *state;

    sw_buffer_put_text(&f->out, "spec: ");
    for (int i = 0; i < 40; i++)
        sw_buffer_put_text(&f->out, "[");
    assert_contains(mistakes_of(f, taken(f)), "nested too deeply");
}

static void test_documents_are_limited(void **state)
{
    struct fixture *f = *state;

    for (int i = 0; i <= SW_MANIFEST_DOCUMENTS_MAX; i++)
        sw_buffer_put_text(&f->out, "--- ~\n");
    assert_contains(mistakes_of(f, taken(f)), "more than 10000 documents");
}

static void test_memory_is_limited(void **state)
{
    struct fixture *f = *state;
    struct sw_manifest *m = NULL;
    size_t count;

    sw_buffer_put_text(&f->out, "kind: Agent\nmetadata: &m {labels: {a: b, c: &x d}, "
                                "finalizers: [a, b, c, d, e, f]}\nspec: {config: {a: [1, 2]}}\n"
                                "---\nkind: Node\n");
    const char *yaml = taken(f);
    enum sw_rc rc = SW_E_EXHAUSTED;
    for (size_t size = 16; rc == SW_E_EXHAUSTED; size += 16) {
        struct sw_arena *arena = sw_arena_new(size);
        struct sw_bind_options bind = {.arena = arena, .problems = &f->problems, .file = ""};
        rc = sw_yaml_read_manifests(bytes_of(yaml), &bind, &m, &count);
        sw_arena_free(arena);
        assert_true(size < 1u << 20);
    }
    assert_int_equal(rc, SW_OK);
}

static void test_config_takes_anything(void **state)
{
    struct sw_manifest *m =
        manifests_of(*state,
                     "kind: Agent\nspec:\n  config:\n    a: [1, 0x1F, true, null, ~, \"x\\ty\"]\n"
                     "    b: {c: d}\n"
                     "---\nkind: Agent\nspec: {config: [], limits: {memory: 1048576}}\n"
                     "---\nkind: Agent\nspec: {config: 12}\n"
                     "---\nkind: Agent\nspec:\n  config: |\n    line\n",
                     4);
    assert_string_equal(((struct sw_api_agent *)m[0].object)->spec.config,
                        "{\"a\":[1,0x1F,true,null,null,\"x\\ty\"],\"b\":{\"c\":\"d\"}}");
    assert_string_equal(((struct sw_api_agent *)m[1].object)->spec.config, "[]");
    assert_string_equal(((struct sw_api_agent *)m[1].object)->spec.limits.memory, "1048576");
    assert_string_equal(((struct sw_api_agent *)m[2].object)->spec.config, "12");
    assert_string_equal(((struct sw_api_agent *)m[3].object)->spec.config, "line\n");
}

static void test_plain_scalars(void **state)
{
    (void)state;
    assert_int_equal(sw_yaml_plain_type(""), SW_TREE_NULL);
    assert_int_equal(sw_yaml_plain_type("Null"), SW_TREE_NULL);
    assert_int_equal(sw_yaml_plain_type("TRUE"), SW_TREE_BOOL);
    assert_int_equal(sw_yaml_plain_type("no"), SW_TREE_TEXT);
    static const char *const numbers[] = {"0",    "-1",   "+12", "1.5",  ".5",    "1.",  "1e3",
                                          "1E-3", "0x1f", "0o7", ".inf", "-.INF", ".nan"};
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        assert_int_equal(sw_yaml_plain_type(numbers[i]), SW_TREE_NUMBER);
    static const char *const texts[] = {"-",  ".",     "1e", "1e+", "0x",  "0xg", "0o8",
                                        "1a", "1.2.3", "e3", "+",   "1-2", "1MiB"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        assert_int_equal(sw_yaml_plain_type(texts[i]), SW_TREE_TEXT);
}

static void test_one_document_for_settings(void **state)
{
    struct fixture *f = *state;
    const struct sw_tree *tree = NULL;

    assert_int_equal(sw_yaml_parse(bytes_of(""), &f->bind, &tree), SW_OK);
    assert_null(tree);
    assert_int_equal(sw_yaml_parse(bytes_of("a: {b: [x, y]}\n"), &f->bind, &tree), SW_OK);
    assert_string_equal(sw_tree_at(tree, "a.b[1]")->text, "y");
    assert_int_equal(sw_tree_at(tree, "a.b[1]")->column, 12);
    assert_int_equal(sw_yaml_parse(bytes_of("a\n---\nb\n"), &f->bind, &tree), SW_E_INVALID);
    assert_int_equal(sw_yaml_parse(bytes_of("a: 1\na: 2\n"), &f->bind, &tree), SW_E_INVALID);
    assert_int_equal(sw_yaml_parse(bytes_of("a: [\n"), &f->bind, &tree), SW_E_INVALID);
}

static void test_tree_paths(void **state)
{
    struct fixture *f = *state;
    const struct sw_tree *tree = NULL;

    assert_int_equal(sw_yaml_parse(bytes_of("l: {'a.b': x}\nn: 1\n"), &f->bind, &tree), SW_OK);
    assert_string_equal(sw_tree_at(tree, "l['a.b']")->text, "x");
    assert_ptr_equal(sw_tree_at(tree, "l['zz']"), sw_tree_find(tree, "l"));
    assert_ptr_equal(sw_tree_at(tree, "l['zz"), sw_tree_find(tree, "l"));
    assert_ptr_equal(sw_tree_at(tree, "l[0"), sw_tree_find(tree, "l"));
    assert_ptr_equal(sw_tree_at(tree, "n[0].x"), sw_tree_find(tree, "n"));
    assert_ptr_equal(sw_tree_at(tree, "q.r"), tree);
    assert_null(sw_tree_at(NULL, "a"));
    assert_null(sw_tree_find(sw_tree_find(tree, "n"), "a"));
}

static void test_written_yaml_reads_well(void **state)
{
    struct fixture *f = *state;
    struct sw_manifest *m = manifests_of(
        f,
        "kind: Agent\nmetadata:\n  name: reader\n  labels: {app: \"yes\", n: \"1\"}\n"
        "  finalizers: [a.b/c]\n  creationTimestamp: 2026-01-31T12:00:00Z\n  generation: 3\n"
        "spec:\n  module: " DIGEST "\n  replicas: 0\n  durability: none\n"
        "  config: |\n    one\n    two\nstatus:\n  conditions:\n  - type: Ready\n    status: "
        "\"True\"\n",
        1);
    sw_yaml_encode(m[0].kind->message, m[0].object, &f->out);
    assert_string_equal(taken(f), "apiVersion: swarm/v1\n"
                                  "kind: Agent\n"
                                  "metadata:\n"
                                  "  name: reader\n"
                                  "  generation: \"3\"\n"
                                  "  labels:\n"
                                  "    app: \"yes\"\n"
                                  "    \"n\": \"1\"\n"
                                  "  finalizers:\n"
                                  "  - a.b/c\n"
                                  "  creationTimestamp: \"2026-01-31T12:00:00Z\"\n"
                                  "spec:\n"
                                  "  module: " DIGEST "\n"
                                  "  replicas: 0\n"
                                  "  config: |\n"
                                  "    one\n"
                                  "    two\n"
                                  "  durability: none\n"
                                  "status:\n"
                                  "  conditions:\n"
                                  "  - type: Ready\n"
                                  "    status: \"True\"\n");
    sw_yaml_encode(&sw_api_list_meta_message, &(struct sw_api_list_meta){0}, &f->out);
    assert_string_equal(taken(f), "{}\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_several_documents),
        TEST(test_all_mistakes_at_once),
        TEST(test_good_documents_come_beside_bad_ones),
        TEST(test_kind_is_asked_for),
        TEST(test_syntax_errors),
        TEST(test_many_keys_are_still_compared),
        TEST(test_anchors_are_followed),
        TEST(test_bombs_are_refused),
        TEST(test_too_many_anchors),
        TEST(test_depth_is_limited),
        TEST(test_documents_are_limited),
        TEST(test_memory_is_limited),
        TEST(test_config_takes_anything),
        TEST(test_plain_scalars),
        TEST(test_one_document_for_settings),
        TEST(test_tree_paths),
        TEST(test_written_yaml_reads_well),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
