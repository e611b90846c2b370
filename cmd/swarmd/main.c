/* swarmd: reads its command line and settings, then runs the daemon or prints what was asked. */
#include "cmd/swarmd/daemon.h"
#include "pkg/cli/arguments/arguments.h"
#include "pkg/cli/arguments/manual.h"
#include "pkg/utils/version/version.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ARENA_MAX ((size_t)16 << 20)
#define TEXT_MAX ((size_t)4 << 20)
#define EXIT_USAGE 2

enum action { ACTION_RUN, ACTION_CHECK, ACTION_PRINT, ACTION_PAGES, ACTION_HELP, ACTION_VERSION };

static const struct sw_command commands[] = {
    {.name = "run",
     .arguments = "",
     .summary = "Run the daemon until it is stopped (the default)",
     .examples = "swarmd run --dev\nswarmd run --config /etc/swarm/swarmd.yaml",
     .action = ACTION_RUN},
    {.name = "check-config",
     .arguments = "",
     .summary = "Check the settings from all sources and say every mistake",
     .examples = "swarmd check-config --config ./swarmd.yaml",
     .action = ACTION_CHECK},
    {.name = "print-config",
     .arguments = "",
     .summary = "Print the settings in force, each with where it came from",
     .examples = "swarmd print-config --dev",
     .action = ACTION_PRINT},
    {.name = "__pages",
     .arguments = "FOLDER",
     .summary = "Write what docs says of swarmd, cli/swarmd*.md and configuration/settings.md",
     .examples = "swarmd __pages docs",
     .arguments_min = 1,
     .arguments_max = 1,
     .completes = SW_COMPLETE_FOLDER,
     .action = ACTION_PAGES,
     .is_hidden = true},
    {.name = "help",
     .arguments = "[COMMAND]",
     .summary = "Explain a command",
     .examples = "swarmd help run",
     .arguments_max = 1,
     .action = ACTION_HELP},
    {.name = "version",
     .arguments = "",
     .summary = "Print the version",
     .examples = "swarmd version",
     .action = ACTION_VERSION},
};

struct command_line {
    struct sw_arena *arena;
    struct sw_flag *flags;
    size_t flags_count;
    struct sw_program program;
    struct sw_arguments *arguments;
};

/* "api.listen" as a flag is "api-listen". */
static char *flag_name(struct sw_arena *arena, const char *setting)
{
    char *name = sw_arena_copy(arena, setting, strlen(setting));

    for (char *at = name; at != NULL && *at != '\0'; at++)
        if (*at == '.')
            *at = '-';
    return name;
}

/* The flags are the table of settings, and --config. */
static bool flags_make(struct command_line *line)
{
    size_t rows_count;
    const struct sw_setting *rows = sw_settings_rows(&rows_count);

    line->flags = sw_arena_array(line->arena, rows_count + 1, sizeof *line->flags);
    if (line->flags == NULL)
        return false;
    line->flags[line->flags_count++] =
        (struct sw_flag){.name = "config",
                         .letter = 'c',
                         .value = "FILE",
                         .help = "Read settings from FILE (default " SW_CONFIG_FILE_DEFAULT ")",
                         .completes = SW_COMPLETE_FILE};
    for (size_t i = 0; i < rows_count; i++) {
        struct sw_flag *flag = &line->flags[line->flags_count++];

        flag->name = flag_name(line->arena, rows[i].name);
        flag->value = rows[i].type == SW_SETTING_SWITCH ? NULL : "VALUE";
        flag->help = rows[i].words;
        if (flag->name == NULL)
            return false;
    }
    line->program = (struct sw_program){
        .name = "swarmd",
        .summary = "The daemon of Swarm: Hive and Node in one process",
        .commands = commands,
        .commands_count = sizeof commands / sizeof commands[0],
        .flags = line->flags,
        .flags_count = line->flags_count,
        .footer = "Settings come from defaults < file < environment (SWARM_*) < flags.",
    };
    return true;
}

static void problem_print(const struct sw_err *err)
{
    (void)fprintf(stderr, "swarmd: %s\n", err->message);
    if (err->hint[0] != '\0')
        (void)fprintf(stderr, "hint: %s\n", err->hint);
}

static int text_print(struct sw_buffer *text)
{
    bool is_written = sw_buffer_check(text) == SW_OK &&
                      fwrite(text->size > 0 ? (const char *)text->data : "", 1, text->size,
                             stdout) == text->size &&
                      fflush(stdout) == 0;

    sw_buffer_done(text);
    return is_written ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int help_print(const struct command_line *line, const struct sw_command *command)
{
    struct sw_buffer text;

    sw_buffer_init(&text, TEXT_MAX);
    if (command == NULL)
        sw_manual_program(&line->program, NULL, &text);
    else
        sw_manual_command(&line->program, command, &text);
    return text_print(&text);
}

/* swarmd help [COMMAND] */
static int help_on(const struct command_line *line)
{
    const char *name = sw_arguments_at(line->arguments, 0);
    struct sw_err err = {0};

    for (size_t i = 0; name != NULL && i < line->program.commands_count; i++)
        if (strcmp(commands[i].name, name) == 0)
            return help_print(line, &commands[i]);
    if (name == NULL)
        return help_print(line, NULL);
    (void)sw_err_set(&err, SW_E_INVALID, "unknown command \"%s\"", name);
    sw_err_hint(&err, "see all commands with: swarmd help");
    problem_print(&err);
    return EXIT_USAGE;
}

/* The flags that were given, as the loader takes them. */
static struct sw_config_flag *flags_given(const struct command_line *line, size_t *ret_count)
{
    struct sw_config_flag *given = sw_arena_array(line->arena, line->flags_count, sizeof *given);

    *ret_count = 0;
    for (size_t i = 1; given != NULL && i < line->flags_count; i++) {
        const struct sw_flag *flag = &line->flags[i];
        const char *value = sw_arguments_text(line->arguments, flag->name);

        if (flag->value == NULL) {
            bool is_off_by_default = sw_arguments_is(line->arguments, flag->name, false);

            if (is_off_by_default != sw_arguments_is(line->arguments, flag->name, true))
                continue; /* It was not given. */
            value = is_off_by_default ? "true" : "false";
        }
        if (value != NULL)
            given[(*ret_count)++] = (struct sw_config_flag){.name = flag->name, .value = value};
    }
    return given;
}

static enum sw_rc settings_load(const struct command_line *line,
                                const struct sw_config **ret_config, struct sw_err *err)
{
    struct sw_config_sources sources = {.system = sw_system_real(),
                                        .file = sw_arguments_text(line->arguments, "config"),
                                        .environment = (const char *const *)(void *)environ};

    sources.flags = flags_given(line, &sources.flags_count);
    if (sources.flags == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for the command line");
    return sw_config_load(&sources, line->arena, ret_config, err);
}

static int settings_show(const struct sw_config *config, enum action action)
{
    struct sw_buffer text;

    sw_buffer_init(&text, TEXT_MAX);
    if (action == ACTION_PRINT)
        sw_config_print(config, &text);
    else
        sw_buffer_put_text(&text, "the settings are valid\n");
    return text_print(&text);
}

static int daemon_start(const struct sw_config *config)
{
    const struct sw_system *system = sw_system_real();
    struct sw_logger logger = {.file = STDERR_FILENO,
                               .is_json = strcmp(config->settings.log_format, "json") == 0,
                               .utc_ns = system->utc_ns,
                               .ctx = system->ctx};
    struct sw_err err = {0};

    /* The loader has checked the word against the same names. */
    if (sw_log_level_parse(config->settings.log_level, &logger.level) != SW_OK)
        logger.level = SW_LOG_INFO;
    (void)signal(SIGPIPE, SIG_IGN);
    if (daemon_run(system, &config->settings, &logger, &err) == SW_OK)
        return EXIT_SUCCESS;
    problem_print(&err);
    return EXIT_FAILURE;
}

/* --- Pages of docs --------------------------------------------------------------------------- */

static enum sw_rc page_write(void *ctx, const char *name, struct sw_bytes page, struct sw_err *err)
{
    char path[SW_PATH_MAX];

    (void)snprintf(path, sizeof path, "%s/cli/%s", (const char *)ctx, name);
    return sw_file_save(sw_system_real(), path, page.data, page.size, err);
}

static int pages_write(const struct command_line *line)
{
    SW_CLEANUP(sw_buffer_done) struct sw_buffer text = {0};
    const char *folder = sw_arguments_at(line->arguments, 0);
    char path[SW_PATH_MAX], ctx[SW_PATH_MAX];
    struct sw_err err = {0};
    enum sw_rc rc;

    sw_buffer_init(&text, TEXT_MAX);
    sw_buffer_put_text(
        &text,
        "# Settings of swarmd\n\n"
        "Made from the table of settings by `make openapi`; do not edit. A setting comes from "
        "the last of these that names it: the default, the file "
        "(`" SW_CONFIG_FILE_DEFAULT "`, or `--config FILE`), the environment, the command "
        "line. `swarmd print-config` says which it was; `swarmd check-config` finds every "
        "mistake. In the file a dot is a level: `api.listen` is `listen` below `api`.\n\n");
    sw_settings_document(&text);
    (void)snprintf(path, sizeof path, "%s/configuration/settings.md", folder);
    (void)snprintf(ctx, sizeof ctx, "%s", folder);
    rc = sw_file_save(sw_system_real(), path, text.data, text.size, &err);
    if (rc == SW_OK)
        rc = sw_manual_pages(&line->program, page_write, ctx, &err);
    if (rc == SW_OK)
        return EXIT_SUCCESS;
    problem_print(&err);
    return EXIT_FAILURE;
}

static int act(const struct command_line *line)
{
    const struct sw_command *command = sw_arguments_command(line->arguments);
    enum action action = command == NULL ? ACTION_RUN : (enum action)command->action;
    const struct sw_config *config = NULL;
    struct sw_err err = {0};
    struct sw_buffer problems;

    if (action == ACTION_VERSION) {
        (void)printf("swarmd %s (%s)\n", sw_version(), sw_version_commit());
        return EXIT_SUCCESS;
    }
    if (action == ACTION_HELP)
        return help_on(line);
    if (action == ACTION_PAGES)
        return pages_write(line);
    if (settings_load(line, &config, &err) == SW_OK)
        return action == ACTION_RUN ? daemon_start(config) : settings_show(config, action);
    if (config == NULL) {
        problem_print(&err);
        return EXIT_FAILURE;
    }
    sw_buffer_init(&problems, TEXT_MAX);
    sw_config_print_problems(config, &problems);
    (void)fwrite(problems.size > 0 ? (const char *)problems.data : "", 1, problems.size, stderr);
    sw_buffer_done(&problems);
    return EXIT_FAILURE;
}

int main(int count, char **words)
{
    SW_CLEANUP(sw_arena_freep) struct sw_arena *arena = sw_arena_new(ARENA_MAX);
    struct command_line line = {.arena = arena};
    struct sw_err err = {0};
    enum sw_rc rc;

    if (arena == NULL || !flags_make(&line)) {
        (void)fprintf(stderr, "swarmd: no memory to start\n");
        return EXIT_FAILURE;
    }
    rc = sw_arguments_parse(&line.program, (const char *const *)(void *)(words + 1),
                            (size_t)(count > 0 ? count - 1 : 0), arena, &line.arguments, &err);
    if (rc != SW_OK) {
        problem_print(&err);
        return EXIT_USAGE;
    }
    return sw_arguments_wants_help(line.arguments)
               ? help_print(&line, sw_arguments_command(line.arguments))
               : act(&line);
}
