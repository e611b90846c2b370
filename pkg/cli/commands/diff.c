#include "pkg/cli/commands/commands.h"
#include "pkg/cli/commands/manifests.h"
#include "pkg/cli/output/difference.h"

#include <string.h>

#define YAML_BYTES_MAX ((size_t)8 * 1024 * 1024)

/* What a person may change: labels, annotations and spec, as YAML; "" for no object. */
static const char *comparable_text(struct sw_cli *cli, const struct sw_kind *kind, void *object)
{
    SW_CLEANUP(sw_buffer_done) struct sw_buffer text = {0};
    const struct sw_api_message *message = NULL;
    struct sw_api_object_meta *meta;
    void *status;

    if (object == NULL)
        return "";
    sw_buffer_init(&text, YAML_BYTES_MAX);
    meta = sw_object_meta(object);
    meta->uid = "";
    meta->resource_version = meta->generation = 0;
    meta->creation_timestamp = meta->deletion_timestamp = 0;
    meta->owner_references_count = meta->finalizers_count = 0;
    status = sw_object_part(kind, object, "status", &message);
    if (status != NULL)
        sw_api_init(message, status);
    sw_yaml_encode(kind->message, object, &text);
    sw_buffer_put_u8(&text, 0);
    if (text.failed)
        return "";
    return sw_arena_copy(cli->arena, text.data, text.size - 1);
}

static enum sw_rc diff_one(struct sw_cli *cli, const struct sw_manifest *manifest,
                           struct sw_buffer *out, bool *ret_differs, struct sw_err *err)
{
    const struct sw_object_key key = sw_manifest_key(manifest);
    const struct sw_object_wish wish = {.key = key, .object = manifest->object, .dry_run = true};
    void *before = NULL, *after = NULL;
    const char *old_text, *new_text;
    size_t header_at = out->size;
    enum sw_rc rc = sw_client_get(cli->client, &key, cli->arena, &before, err);

    if (rc == SW_OK || rc == SW_E_NOT_FOUND)
        rc = sw_client_apply(cli->client, &wish, cli->arena, &after, err);
    if (rc != SW_OK) {
        (void)sw_err_context(err, "%s", manifest->file);
        return rc;
    }
    old_text = comparable_text(cli, key.kind, before);
    new_text = comparable_text(cli, key.kind, after);
    if (old_text == NULL || new_text == NULL)
        return sw_cli_no_memory(err);
    sw_buffer_print(out, "--- %s/%s (now)\n+++ %s/%s (%s)\n", key.kind->plural, key.name,
                    key.kind->plural, key.name, manifest->file);
    rc = sw_difference_put(old_text, new_text, out, ret_differs);
    if (rc == SW_OK && !*ret_differs)
        out->size = header_at;
    return rc == SW_OK ? SW_OK : sw_cli_no_memory(err);
}

/* Lines of a diff in the usual colours, when a person sees them. */
static void print_diff(struct sw_cli *cli, const struct sw_buffer *text)
{
    const char *line = (const char *)text->data;
    size_t left = text->size;

    if (!cli->uses_color || !cli->terminal->out_is_terminal) {
        sw_cli_put(cli, text);
        return;
    }
    while (left > 0) {
        const char *end = memchr(line, '\n', left);
        size_t size = end == NULL ? left : (size_t)(end - line) + 1;
        const char *color = line[0] == '+' ? "\033[32m" : line[0] == '-' ? "\033[31m" : "";

        sw_terminal_print(cli->terminal, SW_TERMINAL_OUT, "%s%.*s%s", color, (int)size, line,
                          color[0] == '\0' ? "" : "\033[0m");
        line += size;
        left -= size;
    }
}

enum sw_rc sw_command_diff(struct sw_cli *cli, struct sw_err *err)
{
    SW_CLEANUP(sw_buffer_done) struct sw_buffer text = {0};
    struct sw_manifests manifests;
    bool any = false;
    enum sw_rc rc = sw_manifests_load(cli, true, &manifests, err);

    sw_buffer_init(&text, SW_CLI_OUTPUT_BYTES_MAX);
    if (rc == SW_OK)
        rc = sw_cli_connect(cli, err);
    for (size_t i = 0; rc == SW_OK && i < manifests.count; i++) {
        bool differs = false;

        rc = diff_one(cli, &manifests.items[i], &text, &differs, err);
        any = any || differs;
    }
    if (rc != SW_OK)
        return rc;
    print_diff(cli, &text);
    if (!any || !sw_arguments_is(cli->arguments, "exit-code", false))
        return SW_OK;
    cli->is_silent_error = true;
    return sw_err_set(err, SW_E_UNKNOWN, "there are differences");
}
