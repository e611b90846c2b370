#include "pkg/cli/commands/help.h"
#include "pkg/cli/arguments/manual.h"
#include "pkg/cli/commands/commands.h"
#include "pkg/cli/commands/resources.h"
#include "pkg/utils/version/version.h"

#include <string.h>

#define HELP_BYTES_MAX ((size_t)1024 * 1024)

struct folder { /* Where pages go. */
    struct sw_cli *cli;
    const char *path;
};

static enum sw_rc write_page(void *ctx, const char *name, struct sw_bytes page, struct sw_err *err)
{
    const struct folder *folder = ctx;
    const char *path = sw_cli_format(folder->cli, "%s/%s", folder->path, name);

    return sw_file_save(folder->cli->system, path, page.data, page.size, err);
}

/* "help", "help get", "help agent build", "help agent". */
static enum sw_rc print_command(struct sw_cli *cli, struct sw_buffer *text, struct sw_err *err)
{
    const char *first = sw_arguments_at(cli->arguments, 0);
    const char *second = sw_arguments_at(cli->arguments, 1);
    const char *words[] = {first, second == NULL ? "--help" : second, "--help"};
    struct sw_arguments *arguments = NULL;
    enum sw_rc rc;

    if (first == NULL) {
        sw_manual_program(cli->program, NULL, text);
        return SW_OK;
    }
    rc = sw_arguments_parse(cli->program, words, 3, cli->arena, &arguments, err);
    if (rc != SW_OK) {
        cli->is_usage_error = true;
        return rc;
    }
    if (sw_arguments_command(arguments) != NULL)
        sw_manual_command(cli->program, sw_arguments_command(arguments), text);
    else
        sw_manual_program(cli->program, sw_arguments_group(arguments), text);
    return SW_OK;
}

enum sw_rc sw_command_help(struct sw_cli *cli, struct sw_err *err)
{
    SW_CLEANUP(sw_buffer_done) struct sw_buffer text = {0};
    struct folder folder = {cli, sw_arguments_text(cli->arguments, "markdown")};
    enum sw_rc rc;

    if (folder.path != NULL)
        return sw_manual_pages(cli->program, write_page, &folder, err);
    sw_buffer_init(&text, HELP_BYTES_MAX);
    rc = print_command(cli, &text, err);
    sw_cli_put(cli, &text);
    return rc;
}

enum sw_rc sw_command_completion(struct sw_cli *cli, struct sw_err *err)
{
    SW_CLEANUP(sw_buffer_done) struct sw_buffer text = {0};
    enum sw_rc rc;

    sw_buffer_init(&text, HELP_BYTES_MAX);
    rc = sw_manual_completion(cli->program, sw_arguments_at(cli->arguments, 0), &text, err);
    cli->is_usage_error = rc != SW_OK;
    sw_cli_put(cli, &text);
    return rc;
}

static bool starts_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

static void offer_kinds(const char *prefix, struct sw_buffer *out)
{
    for (unsigned i = 0; i < sw_kind_count; i++) {
        if (starts_with(sw_kinds[i].plural, prefix))
            sw_buffer_print(out, "%s\n", sw_kinds[i].plural);
    }
}

static void offer_contexts(struct sw_cli *cli, const char *prefix, struct sw_buffer *out)
{
    const struct sw_terminal *terminal = cli->terminal;
    struct sw_contexts *contexts = NULL;
    struct sw_err ignored = {0};
    const char *folder;

    if (sw_contexts_folder(terminal->variable, terminal->ctx, cli->arena, &folder, &ignored) !=
            SW_OK ||
        sw_contexts_load(cli->system, folder, cli->arena, &contexts, &ignored) != SW_OK)
        return;
    for (size_t i = 0; i < sw_contexts_count(contexts); i++) {
        if (starts_with(sw_contexts_name_at(contexts, i), prefix))
            sw_buffer_print(out, "%s\n", sw_contexts_name_at(contexts, i));
    }
}

/* Names that only the server knows. A server that does not answer at once offers none: a person
 * waits at her prompt. */
static void offer_names(struct sw_cli *cli, const struct sw_kind *kind, const char *before,
                        const char *prefix, struct sw_buffer *out)
{
    struct sw_object_key key = {.kind = kind, .name = ""};
    struct sw_objects objects = {0};
    struct sw_err ignored = {0};

    if (sw_cli_connect(cli, &ignored) != SW_OK)
        return;
    key.namespace = cli->namespace;
    if (sw_client_list(cli->client, &key, "", cli->arena, &objects, &ignored) != SW_OK)
        return;
    for (size_t i = 0; i < objects.count; i++) {
        const char *name = sw_object_meta_of(objects.items[i])->name;

        if (starts_with(name, prefix))
            sw_buffer_print(out, "%s%s\n", before, name);
    }
}

/* Where kinds may stand, names follow: "get agents re", "get agents/re". */
static void offer_objects(struct sw_cli *cli, const char *prefix, struct sw_buffer *out)
{
    size_t count = sw_arguments_count(cli->arguments);
    const char *slash = strchr(prefix, '/');
    const struct sw_kind *kind = NULL;

    if (slash != NULL)
        kind = sw_kind_find_loosely(sw_cli_format(cli, "%.*s", (int)(slash - prefix), prefix));
    if (kind != NULL) {
        offer_names(cli, kind, sw_cli_format(cli, "%.*s", (int)(slash - prefix) + 1, prefix),
                    slash + 1, out);
        return;
    }
    for (size_t i = 0; i + 1 < count && kind == NULL; i++)
        kind = sw_kind_find_loosely(sw_arguments_at(cli->arguments, i));
    if (kind != NULL)
        offer_names(cli, kind, "", prefix, out);
    else
        offer_kinds(prefix, out);
}

enum sw_rc sw_command_complete(struct sw_cli *cli, struct sw_err *err)
{
    SW_CLEANUP(sw_buffer_done) struct sw_buffer text = {0};
    size_t count = sw_arguments_count(cli->arguments);
    const char **words = sw_arena_array(cli->arena, count, sizeof *words);
    const char *prefix;

    if (words == NULL)
        return sw_cli_no_memory(err);
    for (size_t i = 0; i < count; i++)
        words[i] = sw_arguments_at(cli->arguments, i);
    sw_buffer_init(&text, SW_CLI_OUTPUT_BYTES_MAX);
    switch (sw_manual_candidates(cli->program, words, count, &text, &prefix)) {
    case SW_COMPLETE_KIND:
        offer_objects(cli, prefix, &text);
        break;
    case SW_COMPLETE_AGENT:
        offer_names(cli, sw_kind_find("Agent"), "", prefix, &text);
        break;
    case SW_COMPLETE_NAMESPACE:
        offer_names(cli, sw_kind_find("Namespace"), "", prefix, &text);
        break;
    case SW_COMPLETE_CONTEXT:
        offer_contexts(cli, prefix, &text);
        break;
    case SW_COMPLETE_NONE:
    case SW_COMPLETE_FILE:
    case SW_COMPLETE_FOLDER:
    default:
        break;
    }
    sw_cli_put(cli, &text);
    return SW_OK;
}

const char *sw_server_version(struct sw_cli *cli, struct sw_err *err)
{
    struct sw_object_key key = {
        .kind = sw_kind_find("Cluster"), .namespace = "", .name = "default"};
    void *object = NULL;

    if (sw_cli_connect(cli, err) != SW_OK ||
        sw_client_get(cli->client, &key, cli->arena, &object, err) != SW_OK)
        return NULL;
    return ((const struct sw_api_cluster *)object)->status.version;
}

enum sw_rc sw_command_version(struct sw_cli *cli, struct sw_err *err)
{
    const char *server;

    sw_cli_print(cli, "%s %s (%s)\n", cli->program->name, sw_version(), sw_version_commit());
    if (sw_arguments_is(cli->arguments, "client", false))
        return SW_OK;
    server = sw_server_version(cli, err);
    if (server == NULL) {
        sw_cli_print(cli, "server: %s\n", err->message);
        return SW_OK;
    }
    sw_cli_print(cli, "server %s at %s\n", server[0] == '\0' ? "of unknown version" : server,
                 sw_client_server(cli->client));
    return SW_OK;
}
