/* Manifests: all mistakes at once with their places, modules by their paths, nothing sent before.
 */
/* uses: pkg/utils/system */
#include "test/unit/cli/commands/fixture.h"

#include "pkg/cli/commands/manifests.h"

#define AGENT(name, rest)                                                                          \
    "apiVersion: swarm/v1\nkind: Agent\nmetadata:\n  name: " name "\nspec:\n" rest
#define DIGEST "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
#define SERVER "--server=https://127.0.0.1:1"

static void every_mistake_is_told_with_file_line_and_column(void **state)
{
    struct person *p = *state;

    person_file("a.yaml", AGENT("reader", "  modle: ./x.wasm\n  replicas: many\n"));
    person_file("b.yaml", AGENT("ok", "  module: " DIGEST "\n") "---\n" AGENT(
                              "Bad", "  module: " DIGEST "\n  limits: {memory: lots}\n"));
    assert_int_equal(TYPE(p, "apply", "-f", "a.yaml", "-f", "b.yaml", SERVER), SW_EXIT_ERROR);
    assert_non_null(strstr(told(p), "a.yaml:6:3: spec.modle: "));
    assert_non_null(strstr(told(p), "did you mean module?"));
    assert_non_null(strstr(told(p), "a.yaml:7:13: spec.replicas: "));
    assert_non_null(strstr(told(p), "b.yaml:11:9: metadata.name: "));
    assert_non_null(strstr(told(p), "b.yaml:14:20: spec.limits.memory: "));
    assert_non_null(strstr(told(p), "error: 4 mistakes found; nothing was changed\n"));
}

static void mistakes_of_reading_and_of_rules_are_told_together(void **state)
{
    struct person *p = *state;

    person_file("a.yaml", "apiVersion: swarm/v1\nkind: Agent\nmetadata: {name: Bad}\nspec:\n"
                          "  modle: ./x.wasm\n  replicas: many\n  limits: {memory: lots}\n");
    assert_int_equal(TYPE(p, "apply", "-f", "a.yaml", SERVER), SW_EXIT_ERROR);
    assert_non_null(strstr(told(p), "a.yaml:5:3: spec.modle: "));
    assert_non_null(strstr(told(p), "a.yaml:6:13: spec.replicas: "));
    assert_non_null(strstr(told(p), "a.yaml:3:18: metadata.name: "));
    assert_non_null(strstr(told(p), "a.yaml:7:20: spec.limits.memory: "));
    /* That the module is missing follows from the first. */
    assert_null(strstr(told(p), "spec.module: "));
    assert_non_null(strstr(told(p), "error: 4 mistakes found"));
}

static void a_folder_is_read_in_order_and_other_files_are_left_alone(void **state)
{
    struct person *p = *state;

    assert_int_equal(system("mkdir -p d/deeper"), 0);
    person_file("d/b.yaml", AGENT("b", "  x: 1\n"));
    person_file("d/a.yml", AGENT("a", "  x: 1\n"));
    person_file("d/c.json", "{\"apiVersion\": \"swarm/v1\", \"kind\": \"Agent\", \"x\": 1}");
    person_file("d/.hidden.yaml", "x: [");
    person_file("d/notes.txt", "x: [");
    person_file("d/deeper/e.yaml", "x: [");
    assert_int_equal(TYPE(p, "apply", "-f", "d/", SERVER), SW_EXIT_ERROR);
    assert_memory_equal(told(p), "d/a.yml:6:3", 11);
    assert_non_null(strstr(told(p), "\nd/b.yaml:6:3"));
    assert_non_null(strstr(told(p), "\nd/c.json:1:"));
    assert_null(strstr(told(p), "hidden"));
    assert_null(strstr(told(p), "deeper"));
}

static void standard_input_is_a_manifest_too(void **state)
{
    struct person *p = *state;

    p->input = AGENT("reader", "  x: 1\n");
    assert_int_equal(TYPE(p, "apply", "-f", "-", SERVER), SW_EXIT_ERROR);
    assert_memory_equal(told(p), "stdin:6:3: spec.x", 17);
}

static void what_cannot_be_read_is_told(void **state)
{
    struct person *p = *state;

    assert_int_equal(TYPE(p, "apply", "-f", "none.yaml", SERVER), SW_EXIT_NOT_FOUND);
    assert_int_equal(system("mkdir empty"), 0);
    assert_int_equal(TYPE(p, "apply", "-f", "empty", SERVER), SW_EXIT_NOT_FOUND);
    assert_non_null(strstr(told(p), "manifests end in .yaml"));
    assert_int_equal(TYPE(p, "apply", SERVER), SW_EXIT_USAGE);
    person_file("nothing.yaml", "# only words\n");
    assert_int_equal(TYPE(p, "apply", "-f", "nothing.yaml", SERVER), SW_EXIT_ERROR);
    assert_non_null(strstr(told(p), "there are no objects in nothing.yaml"));
}

static void a_module_that_was_not_built_is_a_mistake_with_its_place(void **state)
{
    struct person *p = *state;

    assert_int_equal(system("mkdir d"), 0);
    person_file("d/a.yaml", AGENT("reader", "  module: ./reader.wasm\n"));
    assert_int_equal(TYPE(p, "apply", "-f", "d", SERVER), SW_EXIT_ERROR);
    assert_non_null(strstr(told(p), "d/a.yaml:6:11: spec.module: there is no file d/reader.wasm; "
                                    "build it with: swarm agent build"));
}

static void the_same_object_twice_is_a_mistake(void **state)
{
    struct person *p = *state;

    person_file("a.yaml", AGENT("reader", "  module: " DIGEST
                                          "\n") "---\n" AGENT("reader", "  module: " DIGEST "\n"));
    assert_int_equal(TYPE(p, "apply", "-f", "a.yaml", SERVER), SW_EXIT_ERROR);
    assert_non_null(strstr(told(p), "a.yaml:11:9: metadata.name: Agent \"reader\" stands in "
                                    "a.yaml line 1 already"));
}

static void a_namespace_that_differs_from_the_flag_is_a_mistake(void **state)
{
    struct person *p = *state;

    person_file("a.yaml", "apiVersion: swarm/v1\nkind: Agent\n"
                          "metadata: {name: a, namespace: lab}\nspec: {module: " DIGEST "}\n");
    assert_int_equal(TYPE(p, "apply", "-f", "a.yaml", "-n", "other", SERVER), SW_EXIT_ERROR);
    assert_non_null(strstr(told(p), "metadata.namespace: it is \"lab\", but --namespace says"));
    assert_int_equal(TYPE(p, "apply", "-f", "a.yaml", "-n", "lab", SERVER), SW_EXIT_UNREACHABLE);
}

static void mistakes_are_told_even_without_a_context(void **state)
{
    struct person *p = *state;

    person_file("a.yaml", AGENT("reader", "  x: 1\n"));
    assert_int_equal(TYPE(p, "apply", "-f", "a.yaml"), SW_EXIT_ERROR);
    assert_non_null(strstr(told(p), "a.yaml:6:3"));
    person_file("a.yaml", AGENT("reader", "  module: " DIGEST "\n"));
    assert_int_equal(TYPE(p, "apply", "-f", "a.yaml"), SW_EXIT_ERROR);
    assert_non_null(strstr(told(p), "no context is chosen"));
}

/* Loads with the arguments of "apply -f a.yaml". */
static enum sw_rc load_only(struct sw_cli *cli, int action, struct sw_err *err)
{
    struct sw_manifests manifests;
    enum sw_rc rc = sw_manifests_load(cli, true, &manifests, err);

    (void)action;
    for (size_t i = 0; rc == SW_OK && i < manifests.count; i++)
        sw_cli_print(cli, "%s/%s in %s\n", manifests.items[i].kind->name,
                     sw_object_meta_of(manifests.items[i].object)->name,
                     sw_object_meta_of(manifests.items[i].object)->namespace);
    for (size_t i = 0; rc == SW_OK && i < manifests.modules_count; i++)
        sw_cli_print(cli, "%s %s %zu\n", manifests.modules[i].path, manifests.modules[i].digest,
                     manifests.modules[i].wasm.size);
    return rc;
}

static void what_others_need_comes_first(void **state)
{
    struct person *p = *state;

    p->run = load_only;
    person_file(
        "a.yaml",
        AGENT("z", "  module: " DIGEST "\n") "---\n" AGENT(
            "a",
            "  template: t\n") "---\n{apiVersion: swarm/v1, kind: AgentTemplate, metadata: {name: "
                               "t}, spec: {agent: "
                               "{module: " DIGEST "}}}\n---\n"
                               "{apiVersion: swarm/v1, kind: Namespace, metadata: {name: lab}}\n");
    assert_int_equal(TYPE(p, "apply", "-f", "a.yaml", SERVER), SW_EXIT_OK);
    assert_string_equal(seen(p), "Namespace/lab in \nAgentTemplate/t in default\n"
                                 "Agent/z in default\nAgent/a in default\n");
}

static void a_module_is_pinned_by_its_digest_and_kept_once(void **state)
{
    struct person *p = *state;

    p->run = load_only;
    person_file("x.wasm", "test");
    person_file("a.yaml",
                AGENT("a", "  module: ./x.wasm\n") "---\n" AGENT("b", "  module: x.wasm\n"));
    assert_int_equal(TYPE(p, "apply", "-f", "a.yaml", SERVER), SW_EXIT_OK);
    assert_string_equal(seen(p), "Agent/a in default\nAgent/b in default\n"
                                 "./x.wasm " DIGEST " 4\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PERSON_TEST(every_mistake_is_told_with_file_line_and_column),
        PERSON_TEST(mistakes_of_reading_and_of_rules_are_told_together),
        PERSON_TEST(a_folder_is_read_in_order_and_other_files_are_left_alone),
        PERSON_TEST(standard_input_is_a_manifest_too),
        PERSON_TEST(what_cannot_be_read_is_told),
        PERSON_TEST(a_module_that_was_not_built_is_a_mistake_with_its_place),
        PERSON_TEST(the_same_object_twice_is_a_mistake),
        PERSON_TEST(a_namespace_that_differs_from_the_flag_is_a_mistake),
        PERSON_TEST(mistakes_are_told_even_without_a_context),
        PERSON_TEST(what_others_need_comes_first),
        PERSON_TEST(a_module_is_pinned_by_its_digest_and_kept_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
