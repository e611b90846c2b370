#include "pkg/cli/commands/cli.h"
#include "pkg/cli/arguments/manual.h"
#include "pkg/utils/base/text.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_BYTES_MAX 8192
#define HELP_BYTES_MAX ((size_t)1024 * 1024)
#define DEFAULT_NAMESPACE "default"

enum sw_exit sw_cli_exit(const struct sw_cli *cli, enum sw_rc rc)
{
    if (cli->is_usage_error && rc != SW_OK)
        return SW_EXIT_USAGE;
    switch (rc) {
    case SW_OK:
        return SW_EXIT_OK;
    case SW_E_NOT_FOUND:
        return SW_EXIT_NOT_FOUND;
    case SW_E_CONFLICT:
    case SW_E_EXISTS:
        return SW_EXIT_CONFLICT;
    case SW_E_DENIED:
    case SW_E_UNAUTHENTICATED:
        return SW_EXIT_DENIED;
    case SW_E_UNAVAILABLE:
        return SW_EXIT_UNREACHABLE;
    case SW_E_TIMEOUT:
        return SW_EXIT_TIMEOUT;
    case SW_E_CANCELLED:
    case SW_E_UNKNOWN:
    case SW_E_INVALID:
    case SW_E_EXHAUSTED:
    case SW_E_PRECONDITION:
    case SW_E_RANGE:
    case SW_E_UNSUPPORTED:
    case SW_E_INTERNAL:
    case SW_E_CORRUPT:
    default:
        return SW_EXIT_ERROR;
    }
}

enum sw_rc sw_cli_usage(struct sw_cli *cli, struct sw_err *err, const char *format, ...)
{
    const struct sw_command *command = sw_arguments_command(cli->arguments);
    va_list arguments;

    cli->is_usage_error = true;
    va_start(arguments, format);
    (void)sw_err_vset(err, SW_E_INVALID, format, arguments);
    va_end(arguments);
    if (command != NULL)
        sw_err_hint(err, "usage: %s %s %s (more: %s help %s)", cli->program->name, command->name,
                    command->arguments, cli->program->name, command->name);
    return SW_E_INVALID;
}

enum sw_rc sw_cli_no_memory(struct sw_err *err)
{
    return sw_err_set(err, SW_E_EXHAUSTED, "there is no memory left");
}

void sw_cli_put(struct sw_cli *cli, const struct sw_buffer *text)
{
    if (text->size > 0)
        cli->terminal->write(cli->terminal->ctx, SW_TERMINAL_OUT, text->data, text->size);
}

/* One formatted line to a stream, with control characters of others replaced. */
static void put_line(struct sw_cli *cli, enum sw_terminal_stream stream, const char *before,
                     const char *line)
{
    SW_CLEANUP(sw_buffer_done) struct sw_buffer text = {0};

    sw_buffer_init(&text, LINE_BYTES_MAX * 4);
    sw_buffer_put_text(&text, before);
    sw_output_put_safe(&text, line, strlen(line), true);
    if (!text.failed && text.size > 0)
        cli->terminal->write(cli->terminal->ctx, stream, text.data, text.size);
}

#define FORMAT_LINE(line, format)                                                                  \
    do {                                                                                           \
        va_list arguments_;                                                                        \
        va_start(arguments_, format);                                                              \
        (void)vsnprintf(line, sizeof line, format, arguments_);                                    \
        va_end(arguments_);                                                                        \
    } while (0)

void sw_cli_print(struct sw_cli *cli, const char *format, ...)
{
    char line[LINE_BYTES_MAX];

    FORMAT_LINE(line, format);
    put_line(cli, SW_TERMINAL_OUT, "", line);
}

void sw_cli_say(struct sw_cli *cli, const char *format, ...)
{
    char line[LINE_BYTES_MAX];

    if (cli->is_quiet)
        return;
    FORMAT_LINE(line, format);
    put_line(cli, SW_TERMINAL_ERROR, "", line);
}

void sw_cli_warn(struct sw_cli *cli, const char *format, ...)
{
    char line[LINE_BYTES_MAX];

    FORMAT_LINE(line, format);
    put_line(cli, SW_TERMINAL_ERROR,
             cli->uses_color ? "\033[33mwarning:\033[0m " : "warning: ", line);
}

void sw_cli_progress(struct sw_cli *cli, const char *format, ...)
{
    char line[LINE_BYTES_MAX];

    if (cli->is_quiet || !cli->terminal->error_is_terminal)
        return;
    FORMAT_LINE(line, format);
    put_line(cli, SW_TERMINAL_ERROR, "\r\033[K", line);
}

void sw_cli_print_error(struct sw_cli *cli, const struct sw_err *err)
{
    char line[SW_ERR_MESSAGE_MAX + SW_ERR_FIELD_MAX + SW_ERR_HINT_MAX + 128];

    (void)snprintf(
        line, sizeof line, "%s%s%s%s%s%s\n", err->message,
        err->field[0] == '\0' || strstr(err->message, err->field) != NULL ? "" : "\n  field: ",
        strstr(err->message, err->field) != NULL ? "" : err->field,
        err->hint[0] == '\0' ? "" : "\n  hint: ", err->hint,
        cli->is_verbose ? sw_cli_format(cli, "\n  code: %s", sw_rc_name(err->rc)) : "");
    put_line(cli, SW_TERMINAL_ERROR, cli->uses_color ? "\033[31merror:\033[0m " : "error: ", line);
}

const char *sw_cli_format(struct sw_cli *cli, const char *format, ...)
{
    char text[LINE_BYTES_MAX];
    const char *copy;

    FORMAT_LINE(text, format);
    copy = sw_arena_copy(cli->arena, text, strlen(text));
    return copy == NULL ? "" : copy;
}

uint64_t sw_cli_utc_ns(const struct sw_cli *cli)
{
    return cli->system->utc_ns(cli->system->ctx);
}

enum sw_rc sw_cli_duration(struct sw_cli *cli, const char *flag, uint64_t fallback_ms,
                           uint64_t *ret_ms, struct sw_err *err)
{
    const char *text = sw_arguments_text(cli->arguments, flag);
    uint64_t ns = 0;

    *ret_ms = fallback_ms;
    if (text == NULL)
        return SW_OK;
    if (sw_text_to_duration_ns(text, &ns) != SW_OK || ns < 1000000) {
        (void)sw_cli_usage(cli, err, "--%s cannot be \"%s\"", flag, text);
        sw_err_hint(err, "write a duration such as 500ms, 30s or 5m");
        return SW_E_INVALID;
    }
    *ret_ms = ns / 1000000;
    return SW_OK;
}

/* --server without a context is for servers that need no identity of ours, or that of the current
 * context when there is one. */
static enum sw_rc resolve_context(struct sw_cli *cli, struct sw_err *err)
{
    const struct sw_terminal *terminal = cli->terminal;
    const char *server = sw_arguments_text(cli->arguments, "server");
    const char *name = sw_arguments_text(cli->arguments, "context");
    struct sw_contexts *contexts;
    const char *folder;
    enum sw_rc rc;

    if (name == NULL)
        name = terminal->variable(terminal->ctx, "SWARM_CONTEXT");
    if (name != NULL && name[0] == '\0')
        name = NULL;
    rc = sw_contexts_folder(terminal->variable, terminal->ctx, cli->arena, &folder, err);
    if (rc == SW_OK)
        rc = sw_contexts_load(cli->system, folder, cli->arena, &contexts, err);
    if (rc == SW_OK)
        rc = sw_contexts_resolve(contexts, cli->system, name, cli->arena, &cli->context, err);
    if (rc == SW_E_PRECONDITION && server != NULL) {
        cli->context = (struct sw_context){.name = "",
                                           .namespace = DEFAULT_NAMESPACE,
                                           .authority_pem = "",
                                           .certificate_pem = "",
                                           .key_pem = ""};
        rc = SW_OK;
    }
    if (rc == SW_OK && server != NULL)
        cli->context.server = server;
    return rc;
}

enum sw_rc sw_cli_choose_context(struct sw_cli *cli, struct sw_err *err)
{
    const char *name = sw_arguments_text(cli->arguments, "namespace");
    enum sw_rc rc = SW_OK;

    if (!cli->has_context)
        rc = resolve_context(cli, err);
    if (rc != SW_OK)
        return rc;
    cli->has_context = true;
    if (name == NULL)
        name = cli->terminal->variable(cli->terminal->ctx, "SWARM_NAMESPACE");
    cli->namespace = name == NULL || name[0] == '\0' ? cli->context.namespace : name;
    if (!sw_text_is_label(cli->namespace, 63)) {
        (void)sw_cli_usage(cli, err, "\"%s\" cannot be the name of a namespace", cli->namespace);
        return SW_E_INVALID;
    }
    return SW_OK;
}

static void trace(void *ctx, const char *line)
{
    sw_cli_say(ctx, "%s\n", line);
}

enum sw_rc sw_cli_connect(struct sw_cli *cli, struct sw_err *err)
{
    struct sw_client_options options = {.context = &cli->context,
                                        .system = cli->system,
                                        .timeout_ms = cli->timeout_ms,
                                        .is_wanted = cli->terminal->is_read,
                                        .is_wanted_ctx = cli->terminal->ctx};
    enum sw_rc rc = sw_cli_choose_context(cli, err);

    if (rc != SW_OK || cli->client != NULL)
        return rc;
    if (cli->is_verbose) {
        options.trace = trace;
        options.trace_ctx = cli;
    }
    return sw_client_new(&options, &cli->client, err);
}

/* Colours only where a person sees them and nobody said no (no-color.org). */
static bool wants_color(const struct sw_cli *cli)
{
    const char *no_color = cli->terminal->variable(cli->terminal->ctx, "NO_COLOR");
    const char *kind = cli->terminal->variable(cli->terminal->ctx, "TERM");

    return cli->terminal->error_is_terminal && (no_color == NULL || no_color[0] == '\0') &&
           (kind == NULL || strcmp(kind, "dumb") != 0) &&
           !sw_arguments_is(cli->arguments, "no-color", false);
}

static void print_help(struct sw_cli *cli)
{
    SW_CLEANUP(sw_buffer_done) struct sw_buffer text = {0};
    const struct sw_command *command = sw_arguments_command(cli->arguments);

    sw_buffer_init(&text, HELP_BYTES_MAX);
    if (command != NULL)
        sw_manual_command(cli->program, command, &text);
    else
        sw_manual_program(cli->program, sw_arguments_group(cli->arguments), &text);
    sw_cli_put(cli, &text);
}

static enum sw_rc run_words(struct sw_cli *cli, const char *const *words, size_t count,
                            enum sw_rc (*run)(struct sw_cli *cli, int action, struct sw_err *err),
                            struct sw_err *err)
{
    struct sw_arguments *arguments = NULL;
    const struct sw_command *command;
    enum sw_rc rc = sw_arguments_parse(cli->program, words, count, cli->arena, &arguments, err);

    cli->arguments = arguments;
    if (arguments == NULL)
        return rc;
    cli->is_quiet = sw_arguments_is(arguments, "quiet", false);
    cli->is_verbose = sw_arguments_is(arguments, "verbose", false);
    cli->uses_color = wants_color(cli);
    cli->is_usage_error = rc != SW_OK;
    command = sw_arguments_command(arguments);
    if (rc != SW_OK)
        return rc;
    if (command == NULL || sw_arguments_wants_help(arguments)) {
        print_help(cli);
        cli->is_usage_error = cli->is_silent_error =
            !sw_arguments_wants_help(arguments) && sw_arguments_group(arguments) != NULL;
        return cli->is_usage_error ? SW_E_INVALID : SW_OK;
    }
    rc = sw_cli_duration(cli, "timeout", 0, &cli->timeout_ms, err);
    return rc == SW_OK ? run(cli, command->action, err) : rc;
}

int sw_cli_run(struct sw_cli *cli, const char *const *words, size_t count,
               enum sw_rc (*run)(struct sw_cli *cli, int action, struct sw_err *err))
{
    struct sw_err err = {0};
    enum sw_rc rc;

    assert(cli->terminal != NULL);
    assert(cli->system != NULL);
    cli->arena = sw_arena_new(SW_CLI_ARENA_BYTES_MAX);
    rc = cli->arena == NULL ? sw_cli_no_memory(&err) : run_words(cli, words, count, run, &err);
    if (rc != SW_OK && !cli->is_silent_error)
        sw_cli_print_error(cli, &err);
    sw_client_free(cli->client);
    sw_arena_free(cli->arena);
    cli->client = NULL;
    cli->arena = NULL;
    return (int)sw_cli_exit(cli, rc);
}
