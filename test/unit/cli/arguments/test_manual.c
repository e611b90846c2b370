/* Help, pages and completion come from the table alone. */
#include "pkg/cli/arguments/manual.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

static const char *const formats[] = {"json", "yaml", NULL};
static const struct sw_flag global_flags[] = {
    {.name = "namespace",
     .letter = 'n',
     .value = "NAME",
     .help = "Namespace of the objects",
     .completes = SW_COMPLETE_NAMESPACE},
};
static const struct sw_flag get_flags[] = {
    {.name = "output", .letter = 'o', .value = "FORMAT", .help = "Format", .choices = formats},
    {.name = "watch", .letter = 'w', .help = "Go on"},
};
static const struct sw_command commands[] = {
    {.name = "get",
     .arguments = "KIND",
     .summary = "Show objects",
     .examples = "swarm get agents",
     .details = "It shows.",
     .flags = get_flags,
     .flags_count = 2,
     .arguments_min = 1,
     .arguments_max = 1,
     .completes = SW_COMPLETE_KIND},
    {.name = "agent init",
     .arguments = "FOLDER",
     .summary = "Begin an agent",
     .examples = "swarm agent init x",
     .arguments_max = 1,
     .completes = SW_COMPLETE_FOLDER},
    {.name = "agent build",
     .arguments = "",
     .summary = "Build an agent",
     .examples = "swarm agent build"},
    {.name = "__secret", .arguments = "", .summary = "None", .examples = "", .is_hidden = true},
};
static const struct sw_program program = {.name = "swarm",
                                          .summary = "A swarm of agents",
                                          .commands = commands,
                                          .commands_count = 4,
                                          .flags = global_flags,
                                          .flags_count = 1,
                                          .footer = "The last words."};

struct fixture {
    struct sw_buffer out;
    struct sw_err err;
    const char *prefix;
};

static int setup(void **state)
{
    static struct fixture fixture;

    memset(&fixture, 0, sizeof fixture);
    sw_buffer_init(&fixture.out, 1 << 20);
    *state = &fixture;
    return 0;
}

static int teardown(void **state)
{
    sw_buffer_done(&((struct fixture *)*state)->out);
    return 0;
}

static const char *text(struct fixture *f)
{
    sw_buffer_put_u8(&f->out, 0);
    assert_false(f->out.failed);
    return (const char *)f->out.data;
}

static enum sw_complete complete(struct fixture *f, const char *const *words)
{
    size_t count = 0;

    while (words[count] != NULL)
        count++;
    sw_buffer_reset(&f->out);
    return sw_manual_candidates(&program, words, count, &f->out, &f->prefix);
}
#define COMPLETE(f, ...) complete(f, (const char *const[]){__VA_ARGS__, NULL})

static void the_program_help_lists_commands_and_flags(void **state)
{
    struct fixture *f = *state;
    const char *help;

    sw_manual_program(&program, NULL, &f->out);
    help = text(f);
    assert_non_null(strstr(help, "  get              Show objects\n"));
    assert_non_null(strstr(help, "  agent build      Build an agent\n"));
    assert_non_null(strstr(help, "  -n, --namespace=NAME      Namespace of the objects\n"));
    assert_non_null(strstr(help, "The last words."));
    assert_null(strstr(help, "__secret"));
}

static void the_help_of_a_group_lists_its_commands_only(void **state)
{
    struct fixture *f = *state;
    const char *help;

    sw_manual_program(&program, "agent", &f->out);
    help = text(f);
    assert_non_null(strstr(help, "agent init"));
    assert_null(strstr(help, "Show objects"));
}

static void the_command_help_has_usage_details_flags_and_example(void **state)
{
    struct fixture *f = *state;
    const char *help;

    sw_manual_command(&program, &commands[0], &f->out);
    help = text(f);
    assert_non_null(strstr(help, "Usage: swarm get KIND [FLAG...]\n"));
    assert_non_null(strstr(help, "It shows."));
    assert_non_null(strstr(help, "  -o, --output=FORMAT       Format: json, yaml\n"));
    assert_non_null(strstr(help, "Examples:\n  swarm get agents\n"));
}

static void the_pages_are_markdown_and_link_to_each_other(void **state)
{
    struct fixture *f = *state;

    sw_manual_page_name(&program, &commands[2], &f->out);
    assert_string_equal(text(f), "swarm-agent-build.md");
    sw_buffer_reset(&f->out);
    sw_manual_page(&program, &commands[0], &f->out);
    assert_non_null(strstr(text(f), "| `-o, --output=FORMAT` | Format: `json`, `yaml` |\n"));
    sw_buffer_reset(&f->out);
    sw_manual_index(&program, &f->out);
    assert_non_null(
        strstr(text(f), "| [swarm agent build](swarm-agent-build.md) | Build an agent |"));
}

static void each_shell_gets_a_script_and_others_are_refused(void **state)
{
    struct fixture *f = *state;
    const char *const shells[] = {"bash", "zsh", "fish"};

    for (size_t i = 0; i < 3; i++) {
        sw_buffer_reset(&f->out);
        assert_int_equal(sw_manual_completion(&program, shells[i], &f->out, &f->err), SW_OK);
        assert_non_null(strstr(text(f), "swarm __complete -- "));
    }
    assert_int_equal(sw_manual_completion(&program, "csh", &f->out, &f->err), SW_E_INVALID);
}

static void an_empty_line_offers_commands_and_each_group_once(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(COMPLETE(f, ""), SW_COMPLETE_NONE);
    assert_string_equal(text(f), "get\nagent\n");
    (void)COMPLETE(f, "agent", "");
    assert_string_equal(text(f), "init\nbuild\n");
    (void)COMPLETE(f, "-n", "lab", "agent", "b");
    assert_string_equal(text(f), "build\n");
}

static void a_dash_offers_the_flags_of_the_command(void **state)
{
    struct fixture *f = *state;

    (void)COMPLETE(f, "get", "--");
    assert_string_equal(text(f), "--namespace=\n--output=\n--watch\n");
    (void)COMPLETE(f, "get", "--w");
    assert_string_equal(text(f), "--watch\n");
}

static void a_flag_offers_its_values_however_the_shell_splits(void **state)
{
    struct fixture *f = *state;

    (void)COMPLETE(f, "get", "-o", "");
    assert_string_equal(text(f), "json\nyaml\n");
    (void)COMPLETE(f, "get", "--output=y");
    assert_string_equal(text(f), "yaml\n");
    (void)COMPLETE(f, "get", "--output", "=");
    assert_string_equal(text(f), "json\nyaml\n");
    (void)COMPLETE(f, "get", "--output", "=", "j");
    assert_string_equal(text(f), "json\n");
}

static void what_only_the_server_knows_is_left_to_the_caller(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(COMPLETE(f, "get", "ag"), SW_COMPLETE_KIND);
    assert_string_equal(f->prefix, "ag");
    assert_int_equal(COMPLETE(f, "get", "-n", "d"), SW_COMPLETE_NAMESPACE);
    assert_string_equal(f->prefix, "d");
    assert_int_equal(COMPLETE(f, "agent", "init", ""), SW_COMPLETE_FOLDER);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_program_help_lists_commands_and_flags),
        TEST(the_help_of_a_group_lists_its_commands_only),
        TEST(the_command_help_has_usage_details_flags_and_example),
        TEST(the_pages_are_markdown_and_link_to_each_other),
        TEST(each_shell_gets_a_script_and_others_are_refused),
        TEST(an_empty_line_offers_commands_and_each_group_once),
        TEST(a_dash_offers_the_flags_of_the_command),
        TEST(a_flag_offers_its_values_however_the_shell_splits),
        TEST(what_only_the_server_knows_is_left_to_the_caller),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
