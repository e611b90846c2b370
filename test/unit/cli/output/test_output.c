/* Objects in every format, tables that line up, and nothing that steers a terminal. */
#include "pkg/cli/output/output.h"
#include "pkg/apis/swarm/v1/json.h"
#include "pkg/apis/swarm/v1/yaml.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#define SECOND_NS 1000000000u

struct fixture {
    struct sw_arena *arena;
    struct sw_buffer out;
    struct sw_output output;
    struct sw_err err;
    void *items[2];
    struct sw_output_list list;
};

static void *agent_new(struct fixture *f, const char *name)
{
    struct sw_api_agent *agent = sw_object_new(sw_kind_find("Agent"), f->arena);

    agent->metadata.name = name;
    agent->metadata.namespace = "lab";
    agent->metadata.creation_timestamp = 1000 * (uint64_t)SECOND_NS;
    agent->spec.module = "sha256:x";
    agent->status.phase = SW_API_AGENT_PHASE_READY;
    agent->status.pods = 4;
    agent->status.ready_pods = 3;
    return agent;
}

static int setup(void **state)
{
    static struct fixture fixture;

    memset(&fixture, 0, sizeof fixture);
    fixture.arena = sw_arena_new(1 << 20);
    sw_buffer_init(&fixture.out, 1 << 20);
    fixture.items[0] = agent_new(&fixture, "reader");
    fixture.items[1] = agent_new(&fixture, "w");
    fixture.output.now_ns = 1300 * (uint64_t)SECOND_NS;
    fixture.list = (struct sw_output_list){
        .kind = sw_kind_find("Agent"), .items = fixture.items, .count = 2, .resource_version = 42};
    *state = &fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    sw_arena_free(f->arena);
    sw_buffer_done(&f->out);
    return 0;
}

static const char *print(struct fixture *f, const char *format)
{
    uint64_t now_ns = f->output.now_ns;

    sw_buffer_reset(&f->out);
    assert_int_equal(sw_output_parse(format, &f->output, &f->err), SW_OK);
    f->output.now_ns = now_ns;
    assert_int_equal(sw_output_objects(&f->output, &f->list, &f->out, &f->err), SW_OK);
    sw_buffer_put_u8(&f->out, 0);
    return (const char *)f->out.data;
}

static void a_table_has_a_header_and_columns_that_line_up(void **state)
{
    struct fixture *f = *state;

    assert_string_equal(print(f, NULL), "NAME     PHASE   PODS   INSTANCES   AGE\n"
                                        "reader   Ready   3/4    0           5m0s\n"
                                        "w        Ready   3/4    0           5m0s\n");
}

static void the_flags_of_a_table_are_heeded(void **state)
{
    struct fixture *f = *state;

    f->output.with_namespace = true;
    assert_non_null(strstr(print(f, "table"), "NAMESPACE   NAME "));
    f->output.with_namespace = false;
    f->output.without_header = true;
    assert_null(strstr(print(f, "table"), "NAME"));
    f->output.without_header = false;
    assert_non_null(strstr(print(f, "wide"), "DURABILITY"));
}

static void json_is_one_object_or_a_list(void **state)
{
    struct fixture *f = *state;
    struct sw_problems problems = sw_problems_of(f->arena);
    struct sw_bind_options options = {.arena = f->arena, .problems = &problems, .file = ""};
    const struct sw_tree *tree = NULL;
    const char *text = print(f, "json");

    assert_int_equal(sw_json_parse((struct sw_bytes){text, strlen(text)}, &options, &tree), SW_OK);
    assert_string_equal(sw_tree_find(tree, "kind")->text, "AgentList");
    assert_string_equal(sw_tree_at(tree, "metadata.resourceVersion")->text, "42");
    assert_string_equal(sw_tree_at(tree, "items[1].metadata.name")->text, "w");
    f->list.count = 0;
    assert_non_null(strstr(print(f, "json"), "\"items\": []"));
    f->list.count = 1;
    f->list.is_single = true;
    text = print(f, "json");
    assert_int_equal(sw_json_parse((struct sw_bytes){text, strlen(text)}, &options, &tree), SW_OK);
    assert_string_equal(sw_tree_find(tree, "kind")->text, "Agent");
}

static void yaml_can_be_applied_again(void **state)
{
    struct fixture *f = *state;
    struct sw_problems problems = sw_problems_of(f->arena);
    struct sw_bind_options options = {.arena = f->arena, .problems = &problems, .file = ""};
    struct sw_manifest *manifests = NULL;
    size_t count = 0;
    const char *text = print(f, "yaml");

    assert_int_equal(
        sw_yaml_read_manifests((struct sw_bytes){text, strlen(text)}, &options, &manifests, &count),
        SW_OK);
    assert_int_equal(count, 2);
    assert_string_equal(sw_object_meta_of(manifests[1].object)->name, "w");
}

static void names_and_paths_are_for_scripts(void **state)
{
    struct fixture *f = *state;

    assert_string_equal(print(f, "name"), "agents/reader\nagents/w\n");
    assert_string_equal(print(f, "jsonpath={.metadata.name}={.status.phase}"),
                        "reader=Ready\nw=Ready\n");
    assert_string_equal(print(f, "jsonpath={.items[*].metadata.name}"), "reader w\n");
    assert_string_equal(print(f, "jsonpath={.items[1].metadata.name}"), "w\n");
    assert_string_equal(print(f, "jsonpath={.items[2].metadata.name}"), "");
}

static void a_path_that_is_not_there_is_refused(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(sw_output_parse("jsonpath={.metadata.nam}", &f->output, &f->err), SW_OK);
    assert_int_equal(sw_output_objects(&f->output, &f->list, &f->out, &f->err), SW_E_INVALID);
    assert_non_null(strstr(f->err.hint, "name"));
    /* Also when there is nothing to print. */
    f->list.count = 0;
    assert_int_equal(sw_output_objects(&f->output, &f->list, &f->out, &f->err), SW_E_INVALID);
    assert_int_equal(sw_output_parse("jsonpath={.items[x].a}", &f->output, &f->err), SW_OK);
    assert_int_equal(sw_output_objects(&f->output, &f->list, &f->out, &f->err), SW_E_INVALID);
    assert_non_null(strstr(f->err.message, ".items[0]"));
}

static void an_unknown_format_is_refused_with_the_nearest(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(sw_output_parse("jsn", &f->output, &f->err), SW_E_INVALID);
    assert_string_equal(f->err.hint, "did you mean json?");
    assert_int_equal(sw_output_parse("jsonpath", &f->output, &f->err), SW_E_INVALID);
    assert_non_null(strstr(f->err.hint, "jsonpath={"));
    assert_int_equal(sw_output_parse("zzzzzzz", &f->output, &f->err), SW_E_INVALID);
    assert_non_null(strstr(f->err.hint, "table, wide"));
}

static void put_safe(struct fixture *f, const char *text, bool with_lines)
{
    sw_buffer_reset(&f->out);
    sw_output_put_safe(&f->out, text, strlen(text), with_lines);
    sw_buffer_put_u8(&f->out, 0);
}

static void control_characters_are_replaced(void **state)
{
    struct fixture *f = *state;

    put_safe(f, "a\033[31mb\x07\x7f", false);
    assert_string_equal((const char *)f->out.data, "a?[31mb??");
    put_safe(f, "a\nb\tc", true);
    assert_string_equal((const char *)f->out.data, "a\nb\tc");
    put_safe(f, "a\nb\tc", false);
    assert_string_equal((const char *)f->out.data, "a b c");
    put_safe(f, "\xc3\xbc\xc2\x9b\xff", false); /* u umlaut, a C1 control, no UTF-8. */
    assert_string_equal((const char *)f->out.data, "\xc3\xbc??");
}

static void cells_are_as_wide_as_their_characters(void **state)
{
    struct fixture *f = *state;
    struct sw_table *table = sw_table_new(2);

    sw_table_add(table, "\xc3\xbc\xc3\xbc");
    sw_table_add(table, "x");
    sw_table_add(table, "abc");
    sw_table_print(table, "%d", 7);
    assert_int_equal(sw_table_put(table, &f->out), SW_OK);
    sw_buffer_put_u8(&f->out, 0);
    assert_string_equal((const char *)f->out.data, "\xc3\xbc\xc3\xbc    x\nabc   7\n");
    sw_table_free(table);
}

static void long_cells_are_cut_between_characters(void **state)
{
    static const char *const cells[][2] = {{"12345678", "12345678"},
                                           {"123456789", "12345..."},
                                           {"1234\xc3\xbc 789", "1234..."},
                                           {"123\xc3\xbc 6789", "123\xc3\xbc..."}};
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof cells / sizeof cells[0]; i++) {
        struct sw_table *table = sw_table_new(1);

        sw_table_add_cut(table, cells[i][0], 8);
        sw_buffer_reset(&f->out);
        assert_int_equal(sw_table_put(table, &f->out), SW_OK);
        assert_int_equal(f->out.size, strlen(cells[i][1]) + 1);
        assert_memory_equal(f->out.data, cells[i][1], strlen(cells[i][1]));
        sw_table_free(table);
    }
}

static void rows_of_a_watch_line_up(void **state)
{
    struct sw_output_widths widths = {0};
    struct fixture *f = *state;

    f->list.count = 1;
    (void)print(f, "table");
    f->output.widths = &widths;
    sw_buffer_reset(&f->out);
    assert_int_equal(sw_output_objects(&f->output, &f->list, &f->out, &f->err), SW_OK);
    f->output.without_header = true;
    f->list.items = f->items + 1;
    sw_buffer_reset(&f->out);
    assert_int_equal(sw_output_objects(&f->output, &f->list, &f->out, &f->err), SW_OK);
    sw_buffer_put_u8(&f->out, 0);
    assert_string_equal((const char *)f->out.data, "w        Ready   3/4    0           5m0s\n");
}

static void an_age_is_never_below_zero(void **state)
{
    struct fixture *f = *state;

    sw_output_put_age(&f->out, 0, 5);
    sw_output_put_age(&f->out, 10, 5); /* A clock that went back. */
    sw_output_put_age(&f->out, SECOND_NS, 4 * (uint64_t)SECOND_NS);
    sw_buffer_put_u8(&f->out, 0);
    assert_string_equal((const char *)f->out.data, "-0s3s");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_table_has_a_header_and_columns_that_line_up),
        TEST(the_flags_of_a_table_are_heeded),
        TEST(json_is_one_object_or_a_list),
        TEST(yaml_can_be_applied_again),
        TEST(names_and_paths_are_for_scripts),
        TEST(a_path_that_is_not_there_is_refused),
        TEST(an_unknown_format_is_refused_with_the_nearest),
        TEST(control_characters_are_replaced),
        TEST(cells_are_as_wide_as_their_characters),
        TEST(long_cells_are_cut_between_characters),
        TEST(rows_of_a_watch_line_up),
        TEST(an_age_is_never_below_zero),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
