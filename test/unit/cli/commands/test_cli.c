/* What a person is told about her command line, and the exit status of each code. */
/* uses: pkg/utils/system */
#include "test/unit/cli/commands/fixture.h"

static void each_code_has_its_exit_status(void **state)
{
    static const struct {
        enum sw_rc rc;
        enum sw_exit status;
    } cases[] = {{SW_OK, SW_EXIT_OK},
                 {SW_E_INVALID, SW_EXIT_ERROR},
                 {SW_E_NOT_FOUND, SW_EXIT_NOT_FOUND},
                 {SW_E_CONFLICT, SW_EXIT_CONFLICT},
                 {SW_E_EXISTS, SW_EXIT_CONFLICT},
                 {SW_E_DENIED, SW_EXIT_DENIED},
                 {SW_E_UNAUTHENTICATED, SW_EXIT_DENIED},
                 {SW_E_UNAVAILABLE, SW_EXIT_UNREACHABLE},
                 {SW_E_TIMEOUT, SW_EXIT_TIMEOUT},
                 {SW_E_INTERNAL, SW_EXIT_ERROR}};
    struct sw_cli cli = {0};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(sw_cli_exit(&cli, cases[i].rc), cases[i].status);
    cli.is_usage_error = true;
    assert_int_equal(sw_cli_exit(&cli, SW_E_INVALID), SW_EXIT_USAGE);
    assert_int_equal(sw_cli_exit(&cli, SW_OK), SW_EXIT_OK);
}

static void without_a_command_the_help_is_printed(void **state)
{
    struct person *p = *state;

    assert_int_equal(person_types(p, (const char *const[]){NULL}), SW_EXIT_OK);
    assert_non_null(strstr(seen(p), "Usage: swarm COMMAND"));
    assert_string_equal(told(p), "");
}

static void a_group_alone_is_usage_and_shows_its_commands(void **state)
{
    struct person *p = *state;

    assert_int_equal(TYPE(p, "agent"), SW_EXIT_USAGE);
    assert_non_null(strstr(seen(p), "agent build"));
    assert_null(strstr(seen(p), "publish"));
    assert_int_equal(TYPE(p, "agent", "--help"), SW_EXIT_OK);
}

static void every_command_has_help_with_an_example(void **state)
{
    struct person *p = *state;

    for (size_t i = 0; i < sw_swarm_program.commands_count; i++) {
        const struct sw_command *command = &sw_swarm_program.commands[i];
        char first[64], *space;

        (void)snprintf(first, sizeof first, "%s", command->name);
        space = strchr(first, ' ');
        if (space != NULL)
            *space = '\0';
        if (command->is_hidden)
            continue;
        assert_int_equal(space == NULL ? TYPE(p, first, "--help")
                                       : TYPE(p, first, space + 1, "--help"),
                         SW_EXIT_OK);
        assert_non_null(strstr(seen(p), "\nExamples:\n  "));
        assert_int_equal(space == NULL ? TYPE(p, "help", first) : TYPE(p, "help", first, space + 1),
                         SW_EXIT_OK);
        assert_non_null(strstr(seen(p), "Examples:"));
    }
}

static void a_mistyped_command_or_flag_is_usage_with_the_nearest(void **state)
{
    struct person *p = *state;

    assert_int_equal(TYPE(p, "aply"), SW_EXIT_USAGE);
    assert_string_equal(told(p), "error: unknown command \"aply\"\n"
                                 "  hint: did you mean \"swarm apply\"?\n");
    assert_int_equal(TYPE(p, "get", "agents", "--selectr=a"), SW_EXIT_USAGE);
    assert_non_null(strstr(told(p), "did you mean --selector?"));
    assert_int_equal(TYPE(p, "help", "gte"), SW_EXIT_USAGE);
    assert_int_equal(TYPE(p, "get", "agents", "--timeout=soon"), SW_EXIT_USAGE);
    assert_non_null(strstr(told(p), "500ms"));
    assert_int_equal(TYPE(p, "completion", "csh"), SW_EXIT_USAGE);
}

static void without_a_context_the_person_is_told_what_to_do(void **state)
{
    struct person *p = *state;

    assert_int_equal(TYPE(p, "get", "agents"), SW_EXIT_ERROR);
    assert_string_equal(told(p), "error: no context is chosen\n"
                                 "  hint: start a daemon that makes one: swarmd --dev\n");
    assert_string_equal(seen(p), "");
}

static void a_server_that_is_not_there_is_unreachable(void **state)
{
    struct person *p = *state;

    /* Port 1 of this machine: nobody listens there, and nobody but root could. */
    assert_int_equal(TYPE(p, "get", "agents", "--server=https://127.0.0.1:1"), SW_EXIT_UNREACHABLE);
    assert_non_null(strstr(told(p), "cannot reach https://127.0.0.1:1"));
    assert_non_null(strstr(told(p), "is swarmd running? start it with: swarmd --dev"));
    assert_int_equal(TYPE(p, "get", "agents", "--server=somewhere"), SW_EXIT_ERROR);
    assert_non_null(strstr(told(p), "https://127.0.0.1:7420"));
}

static void kinds_and_names_are_checked_before_anything_is_asked(void **state)
{
    struct person *p = *state;
    const char *server = "--server=https://127.0.0.1:1";

    assert_int_equal(TYPE(p, "get", "agnets", server), SW_EXIT_USAGE);
    assert_string_equal(told(p), "error: there is no kind \"agnets\"\n"
                                 "  hint: did you mean \"agents\"?\n");
    assert_int_equal(TYPE(p, "get", "agents", "Reader!", server), SW_EXIT_USAGE);
    assert_int_equal(TYPE(p, "get", "agents/", server), SW_EXIT_USAGE);
    assert_int_equal(TYPE(p, "get", "agents", "x", "-A", server), SW_EXIT_USAGE);
    assert_int_equal(TYPE(p, "get", "agents/x", "y", server), SW_EXIT_USAGE);
    assert_int_equal(TYPE(p, "get", "instances", server), SW_EXIT_USAGE);
    assert_int_equal(TYPE(p, "get", "agents", "-o", "jso", server), SW_EXIT_USAGE);
    assert_int_equal(TYPE(p, "delete", "agents", server), SW_EXIT_USAGE);
    assert_int_equal(TYPE(p, "delete", server), SW_EXIT_USAGE);
    assert_int_equal(TYPE(p, "send", "/key", "x", server), SW_EXIT_USAGE);
    assert_int_equal(TYPE(p, "send", "a/k", server), SW_EXIT_USAGE);
    assert_int_equal(TYPE(p, "send", "a/k", "text", "-f", "file", server), SW_EXIT_USAGE);
    assert_int_equal(TYPE(p, "send", "a/k", "--each", ".", server), SW_EXIT_USAGE);
    assert_int_equal(TYPE(p, "send", "a", "--each", ".", "--parallel=0", server), SW_EXIT_USAGE);
    assert_int_equal(TYPE(p, "get", "agents", "-n", "No!", server), SW_EXIT_USAGE);
    assert_int_equal(TYPE(p, "logs", "a", "--tail=x", server), SW_EXIT_USAGE);
}

static void what_to_wait_for_is_checked(void **state)
{
    static const char *const wrong[] = {"Ready", "condition=", "jsonpath={.a}", "jsonpath==x", ""};
    struct person *p = *state;

    assert_int_equal(TYPE(p, "wait", "agent/a"), SW_EXIT_USAGE);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_int_equal(TYPE(p, "wait", "agent/a", "--for", wrong[i]), SW_EXIT_USAGE);
        assert_non_null(strstr(told(p), "condition=Ready"));
    }
    assert_int_equal(
        TYPE(p, "wait", "--for=server", "--server=https://127.0.0.1:1", "--timeout=50ms"),
        SW_EXIT_TIMEOUT);
}

static void colours_are_for_terminals_that_want_them(void **state)
{
    struct person *p = *state;

    p->terminal.error_is_terminal = true;
    assert_int_equal(TYPE(p, "get", "agents"), SW_EXIT_ERROR);
    assert_non_null(strstr(told(p), "\033[31merror:"));
    assert_int_equal(TYPE(p, "get", "agents", "--no-color"), SW_EXIT_ERROR);
    assert_null(strstr(told(p), "\033"));
    person_set(p, "NO_COLOR", "1");
    assert_int_equal(TYPE(p, "get", "agents"), SW_EXIT_ERROR);
    assert_null(strstr(told(p), "\033"));
}

static void verbose_errors_name_their_code(void **state)
{
    struct person *p = *state;

    assert_int_equal(TYPE(p, "-v", "get", "agents"), SW_EXIT_ERROR);
    assert_non_null(strstr(told(p), "  code: FAILED_PRECONDITION\n"));
}

static void kinds_and_fields_are_explained(void **state)
{
    struct person *p = *state;

    assert_int_equal(TYPE(p, "explain"), SW_EXIT_OK);
    assert_non_null(strstr(seen(p), "agenttemplates"));
    assert_int_equal(TYPE(p, "explain", "agent.spec.limits"), SW_EXIT_OK);
    assert_non_null(strstr(seen(p), "mailbox"));
    assert_int_equal(TYPE(p, "explain", "agent.spec.limts"), SW_EXIT_NOT_FOUND);
    assert_non_null(strstr(told(p), "limits"));
}

static void the_version_is_told_without_a_server(void **state)
{
    struct person *p = *state;

    assert_int_equal(TYPE(p, "version", "--client"), SW_EXIT_OK);
    assert_memory_equal(seen(p), "swarm ", 6);
    assert_int_equal(TYPE(p, "version"), SW_EXIT_OK);
    assert_non_null(strstr(seen(p), "server: no context is chosen"));
}

static void the_doctor_says_what_is_missing_and_what_to_do(void **state)
{
    struct person *p = *state;

    p->programs = "clang-19 wasm-ld-19 ";
    assert_int_equal(TYPE(p, "doctor"), SW_EXIT_ERROR);
    assert_non_null(strstr(seen(p), "FAIL  no context is chosen\n      start a daemon"));
    assert_non_null(strstr(seen(p), "ok    Landlock version 7\n"));
    assert_non_null(strstr(seen(p), "clang-19 version 19, wasm-ld-19"));
    p->programs = "";
    assert_int_equal(TYPE(p, "doctor"), SW_EXIT_ERROR);
    assert_non_null(strstr(seen(p), "warn  there is no clang"));
    assert_non_null(strstr(seen(p), "apt-get install clang-19 lld-19"));
}

static void contexts_are_listed_and_chosen(void **state)
{
    struct person *p = *state;

    assert_int_equal(TYPE(p, "config", "contexts"), SW_EXIT_OK);
    assert_non_null(strstr(told(p), "no contexts in "));
    assert_int_equal(system("mkdir -p .config/swarm"), 0);
    person_file(".config/swarm/config.yaml",
                "apiVersion: swarm/v1\nkind: Config\ncurrent: a\n"
                "contexts: {a: {cluster: c}, b: {cluster: c, namespace: lab}}\n"
                "clusters: {c: {server: 'https://127.0.0.1:1'}}\n");
    assert_int_equal(TYPE(p, "config", "use", "b"), SW_EXIT_OK);
    assert_int_equal(TYPE(p, "config", "contexts"), SW_EXIT_OK);
    assert_string_equal(seen(p), "CURRENT   NAME   SERVER\n"
                                 "          a      https://127.0.0.1:1\n"
                                 "*         b      https://127.0.0.1:1\n");
    assert_int_equal(TYPE(p, "config", "use", "x"), SW_EXIT_NOT_FOUND);
    person_set(p, "SWARM_CONTEXT", "none");
    assert_int_equal(TYPE(p, "get", "agents"), SW_EXIT_NOT_FOUND);
    assert_int_equal(TYPE(p, "get", "agents", "--context=a"), SW_EXIT_UNREACHABLE);
}

static void completion_offers_what_the_table_knows(void **state)
{
    struct person *p = *state;

    assert_int_equal(TYPE(p, "__complete", "--", "appl"), SW_EXIT_OK);
    assert_string_equal(seen(p), "apply\n");
    assert_int_equal(TYPE(p, "__complete", "--", "get", "agentt"), SW_EXIT_OK);
    assert_string_equal(seen(p), "agenttemplates\n");
    assert_int_equal(TYPE(p, "__complete", "--", "send", "a", "--priority="), SW_EXIT_OK);
    assert_string_equal(seen(p), "low\nnormal\nhigh\nurgent\n");
    /* A server that does not answer offers nothing, and nobody is told. */
    assert_int_equal(TYPE(p, "__complete", "--", "send", "rea"), SW_EXIT_OK);
    assert_string_equal(seen(p), "");
    assert_string_equal(told(p), "");
    assert_int_equal(TYPE(p, "completion", "bash"), SW_EXIT_OK);
    assert_non_null(strstr(seen(p), "complete -o default -F _swarm_complete swarm"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PERSON_TEST(each_code_has_its_exit_status),
        PERSON_TEST(without_a_command_the_help_is_printed),
        PERSON_TEST(a_group_alone_is_usage_and_shows_its_commands),
        PERSON_TEST(every_command_has_help_with_an_example),
        PERSON_TEST(a_mistyped_command_or_flag_is_usage_with_the_nearest),
        PERSON_TEST(without_a_context_the_person_is_told_what_to_do),
        PERSON_TEST(a_server_that_is_not_there_is_unreachable),
        PERSON_TEST(kinds_and_names_are_checked_before_anything_is_asked),
        PERSON_TEST(what_to_wait_for_is_checked),
        PERSON_TEST(colours_are_for_terminals_that_want_them),
        PERSON_TEST(verbose_errors_name_their_code),
        PERSON_TEST(kinds_and_fields_are_explained),
        PERSON_TEST(the_version_is_told_without_a_server),
        PERSON_TEST(the_doctor_says_what_is_missing_and_what_to_do),
        PERSON_TEST(contexts_are_listed_and_chosen),
        PERSON_TEST(completion_offers_what_the_table_knows),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
