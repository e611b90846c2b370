/* Reading a command line by its table: what is accepted, and what each mistake is told. */
#include "pkg/cli/arguments/arguments.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

static const char *const formats[] = {"json", "yaml", NULL};
static const struct sw_flag global_flags[] = {
    {.name = "namespace", .letter = 'n', .value = "NAME", .help = "Namespace"},
    {.name = "quiet", .letter = 'q', .help = "Say less"},
    {.name = "verbose", .letter = 'v', .help = "Say more"},
};
static const struct sw_flag get_flags[] = {
    {.name = "output", .letter = 'o', .value = "FORMAT", .help = "Format", .choices = formats},
    {.name = "filename", .letter = 'f', .value = "FILE", .help = "File", .repeats = true},
    {.name = "wait", .help = "Wait"},
};
static const struct sw_command commands[] = {
    {.name = "get",
     .arguments = "KIND [NAME]",
     .summary = "Show",
     .examples = "swarm get agents",
     .flags = get_flags,
     .flags_count = 3,
     .arguments_min = 1,
     .arguments_max = 2},
    {.name = "agent init",
     .arguments = "FOLDER",
     .summary = "Begin",
     .examples = "swarm agent init x",
     .arguments_min = 1,
     .arguments_max = 1},
    {.name = "agent build",
     .arguments = "[FOLDER]",
     .summary = "Build",
     .examples = "swarm agent build",
     .arguments_max = 1},
};
static const struct sw_program program = {.name = "swarm",
                                          .summary = "A swarm",
                                          .commands = commands,
                                          .commands_count = 3,
                                          .flags = global_flags,
                                          .flags_count = 3};

struct fixture {
    struct sw_arena *arena;
    struct sw_arguments *arguments;
    struct sw_err err;
};

static enum sw_rc parse(struct fixture *fixture, const char *const *words)
{
    size_t count = 0;

    while (words[count] != NULL)
        count++;
    return sw_arguments_parse(&program, words, count, fixture->arena, &fixture->arguments,
                              &fixture->err);
}
#define PARSE(fixture, ...) parse(fixture, (const char *const[]){__VA_ARGS__, NULL})

static int setup(void **state)
{
    static struct fixture fixture;

    memset(&fixture, 0, sizeof fixture);
    fixture.arena = sw_arena_new(1 << 20);
    *state = &fixture;
    return fixture.arena == NULL;
}

static int teardown(void **state)
{
    sw_arena_free(((struct fixture *)*state)->arena);
    return 0;
}

static void given_flags_anywhere_then_all_are_read(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(PARSE(f, "-n", "lab", "get", "agents", "-o", "json", "--wait", "x"), SW_OK);
    assert_string_equal(sw_arguments_command(f->arguments)->name, "get");
    assert_string_equal(sw_arguments_text(f->arguments, "namespace"), "lab");
    assert_string_equal(sw_arguments_text(f->arguments, "output"), "json");
    assert_true(sw_arguments_is(f->arguments, "wait", false));
    assert_int_equal(sw_arguments_count(f->arguments), 2);
    assert_string_equal(sw_arguments_at(f->arguments, 1), "x");
    assert_null(sw_arguments_at(f->arguments, 2));
}

static void given_every_spelling_of_a_value_then_it_is_the_same(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(PARSE(f, "get", "a", "-ojson"), SW_OK);
    assert_string_equal(sw_arguments_text(f->arguments, "output"), "json");
    assert_int_equal(PARSE(f, "get", "a", "-o=json"), SW_OK);
    assert_string_equal(sw_arguments_text(f->arguments, "output"), "json");
    assert_int_equal(PARSE(f, "get", "a", "--output=json"), SW_OK);
    assert_string_equal(sw_arguments_text(f->arguments, "output"), "json");
    assert_int_equal(PARSE(f, "get", "a", "--output", "json"), SW_OK);
    assert_string_equal(sw_arguments_text(f->arguments, "output"), "json");
}

static void given_letters_together_then_each_counts(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(PARSE(f, "get", "a", "-qvo", "yaml"), SW_OK);
    assert_true(sw_arguments_is(f->arguments, "quiet", false));
    assert_true(sw_arguments_is(f->arguments, "verbose", false));
    assert_string_equal(sw_arguments_text(f->arguments, "output"), "yaml");
}

static void given_a_switch_set_to_false_then_it_is_off(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(PARSE(f, "get", "a", "--wait=false"), SW_OK);
    assert_false(sw_arguments_is(f->arguments, "wait", true));
    assert_int_equal(PARSE(f, "get", "a"), SW_OK);
    assert_true(sw_arguments_is(f->arguments, "wait", true));
    assert_int_equal(PARSE(f, "get", "a", "--wait=maybe"), SW_E_INVALID);
    assert_string_equal(f->err.message, "--wait is true or false, not \"maybe\"");
}

static void given_a_repeated_flag_then_each_value_is_kept_in_order(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(PARSE(f, "get", "a", "-f", "one", "--filename=two"), SW_OK);
    assert_string_equal(sw_arguments_text_at(f->arguments, "filename", 0), "one");
    assert_string_equal(sw_arguments_text_at(f->arguments, "filename", 1), "two");
    assert_null(sw_arguments_text_at(f->arguments, "filename", 2));
}

static void given_two_dashes_then_the_rest_are_arguments(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(PARSE(f, "get", "--", "-o", "--wait"), SW_OK);
    assert_string_equal(sw_arguments_at(f->arguments, 0), "-o");
    assert_string_equal(sw_arguments_at(f->arguments, 1), "--wait");
}

static void given_one_dash_then_it_is_an_argument(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(PARSE(f, "get", "-", "-f", "-"), SW_OK);
    assert_string_equal(sw_arguments_at(f->arguments, 0), "-");
    assert_string_equal(sw_arguments_text(f->arguments, "filename"), "-");
}

static void given_a_command_of_two_words_then_it_is_found(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(PARSE(f, "agent", "init", "x"), SW_OK);
    assert_string_equal(sw_arguments_command(f->arguments)->name, "agent init");
    assert_null(sw_arguments_group(f->arguments));
}

static void given_only_a_group_then_it_is_named(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(PARSE(f, "agent"), SW_OK);
    assert_null(sw_arguments_command(f->arguments));
    assert_string_equal(sw_arguments_group(f->arguments), "agent");
    assert_int_equal(parse(f, (const char *const[]){NULL}), SW_OK);
    assert_null(sw_arguments_group(f->arguments));
}

static void given_an_unknown_command_then_the_nearest_is_offered(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(PARSE(f, "gte", "agents"), SW_E_INVALID);
    assert_string_equal(f->err.message, "unknown command \"gte\"");
    assert_string_equal(f->err.hint, "did you mean \"swarm get\"?");
    assert_int_equal(PARSE(f, "agent", "biuld"), SW_E_INVALID);
    assert_string_equal(f->err.hint, "did you mean \"swarm agent build\"?");
    assert_int_equal(PARSE(f, "zzzzzzzz"), SW_E_INVALID);
    assert_string_equal(f->err.hint, "see all commands with: swarm help");
}

static void given_an_unknown_flag_then_the_nearest_is_offered(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(PARSE(f, "-n", "lab", "get", "a", "--ouput=json"), SW_E_INVALID);
    assert_string_equal(f->err.hint, "did you mean --output?");
    assert_string_equal(sw_arguments_text(f->arguments, "namespace"), "lab");
    assert_int_equal(PARSE(f, "get", "a", "-x"), SW_E_INVALID);
    assert_string_equal(f->err.message, "unknown flag -x of get");
    assert_int_equal(PARSE(f, "--output", "json", "get"), SW_E_INVALID);
}

static void given_a_flag_without_its_value_then_it_is_refused(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(PARSE(f, "get", "a", "--output"), SW_E_INVALID);
    assert_string_equal(f->err.message, "--output needs a value");
    assert_int_equal(PARSE(f, "get", "a", "-o"), SW_E_INVALID);
    assert_int_equal(PARSE(f, "get", "a", "-o", "jsn"), SW_E_INVALID);
    assert_string_equal(f->err.hint, "did you mean json?");
    assert_int_equal(PARSE(f, "get", "a", "-o", "bogus-format"), SW_E_INVALID);
    assert_string_equal(f->err.hint, "it is one of json, yaml");
}

static void given_too_few_or_many_arguments_then_the_usage_is_told(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(PARSE(f, "get"), SW_E_INVALID);
    assert_string_equal(f->err.message, "get: an argument is missing");
    assert_string_equal(f->err.hint, "usage: swarm get KIND [NAME]");
    assert_int_equal(PARSE(f, "get", "a", "b", "c"), SW_E_INVALID);
    assert_string_equal(f->err.message, "get: \"c\" is one argument too many");
}

static void given_help_then_missing_arguments_do_not_matter(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(PARSE(f, "get", "--help"), SW_OK);
    assert_true(sw_arguments_wants_help(f->arguments));
    assert_int_equal(PARSE(f, "-h"), SW_OK);
    assert_true(sw_arguments_wants_help(f->arguments));
}

static void given_too_many_words_then_nothing_is_read(void **state)
{
    static const char *words[SW_ARGUMENTS_MAX + 1];
    struct fixture *f = *state;

    for (size_t i = 0; i <= SW_ARGUMENTS_MAX; i++)
        words[i] = "get";
    assert_int_equal(
        sw_arguments_parse(&program, words, SW_ARGUMENTS_MAX + 1, f->arena, &f->arguments, &f->err),
        SW_E_EXHAUSTED);
    assert_null(f->arguments);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(given_flags_anywhere_then_all_are_read),
        TEST(given_every_spelling_of_a_value_then_it_is_the_same),
        TEST(given_letters_together_then_each_counts),
        TEST(given_a_switch_set_to_false_then_it_is_off),
        TEST(given_a_repeated_flag_then_each_value_is_kept_in_order),
        TEST(given_two_dashes_then_the_rest_are_arguments),
        TEST(given_one_dash_then_it_is_an_argument),
        TEST(given_a_command_of_two_words_then_it_is_found),
        TEST(given_only_a_group_then_it_is_named),
        TEST(given_an_unknown_command_then_the_nearest_is_offered),
        TEST(given_an_unknown_flag_then_the_nearest_is_offered),
        TEST(given_a_flag_without_its_value_then_it_is_refused),
        TEST(given_too_few_or_many_arguments_then_the_usage_is_told),
        TEST(given_help_then_missing_arguments_do_not_matter),
        TEST(given_too_many_words_then_nothing_is_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
