#include "pkg/cli/commands/commands.h"
#include "pkg/cli/commands/manifests.h"
#include "pkg/cli/commands/resources.h"

#include <string.h>

#define CHECK_BYTES_MAX ((size_t)64 * 1024 * 1024)

/* Equal but for what every write changes: history and status. */
static bool is_unchanged(const struct sw_kind *kind, void *before, void *after)
{
    const struct sw_api_object_meta *old = sw_object_meta(before), *new = sw_object_meta(after);
    const struct sw_api_message *message = NULL;
    const void *old_spec = sw_object_part(kind, before, "spec", &message);
    const void *new_spec = sw_object_part(kind, after, "spec", &message);

    if (strcmp(old->uid, new->uid) != 0 || old->labels_count != new->labels_count ||
        old->annotations_count != new->annotations_count)
        return false;
    for (size_t i = 0; i < new->labels_count; i++) {
        const char *value = sw_api_pair_find(old->labels, old->labels_count, new->labels[i].key);

        if (value == NULL || strcmp(value, new->labels[i].value) != 0)
            return false;
    }
    for (size_t i = 0; i < new->annotations_count; i++) {
        const char *value =
            sw_api_pair_find(old->annotations, old->annotations_count, new->annotations[i].key);

        if (value == NULL || strcmp(value, new->annotations[i].value) != 0)
            return false;
    }
    return old_spec == NULL || sw_api_is_equal(message, old_spec, new_spec);
}

static enum sw_rc apply_one(struct sw_cli *cli, const struct sw_manifest *manifest, bool dry_run,
                            void **ret_object, const char **ret_word, struct sw_err *err)
{
    const struct sw_object_wish wish = {
        .key = sw_manifest_key(manifest), .object = manifest->object, .dry_run = dry_run};
    void *before = NULL;
    enum sw_rc rc = sw_client_get(cli->client, &wish.key, cli->arena, &before, err);

    if (rc != SW_OK && rc != SW_E_NOT_FOUND)
        return rc;
    if (rc == SW_E_NOT_FOUND)
        before = NULL;
    rc = sw_client_apply(cli->client, &wish, cli->arena, ret_object, err);
    if (rc != SW_OK)
        return rc;
    *ret_word = before == NULL                                      ? "created"
                : is_unchanged(manifest->kind, before, *ret_object) ? "unchanged"
                                                                    : "configured";
    return SW_OK;
}

/* Where in the manifest the field stands that the server refused. */
static void add_place(const struct sw_manifest *manifest, struct sw_err *err)
{
    const struct sw_tree *node = sw_tree_at(manifest->tree, err->field);

    if (err->field[0] == '\0' || node == NULL)
        (void)sw_err_context(err, "%s", manifest->file);
    else
        (void)sw_err_context(err, "%s:%u:%u: %s", manifest->file, node->line, node->column,
                             err->field);
}

static bool has_manifest(const struct sw_manifests *manifests, const char *kind,
                         const char *name_space, const char *name)
{
    for (size_t i = 0; i < manifests->count; i++) {
        struct sw_object_key key = sw_manifest_key(&manifests->items[i]);

        if (strcmp(key.kind->name, kind) == 0 && strcmp(key.name, name) == 0 &&
            (!key.kind->is_namespaced || strcmp(key.namespace, name_space) == 0))
            return true;
    }
    return false;
}

/* What the server misses is among the manifests, and will be there in time. */
static bool is_on_its_way(const struct sw_manifests *manifests, const struct sw_manifest *manifest,
                          const struct sw_err *err)
{
    struct sw_object_key key = sw_manifest_key(manifest);

    if (err->rc == SW_E_NOT_FOUND && key.kind->is_namespaced)
        return has_manifest(manifests, "Namespace", "", key.namespace);
    if (strcmp(key.kind->name, "Agent") != 0 || strcmp(err->field, "spec.template") != 0)
        return false;
    return has_manifest(manifests, "AgentTemplate", key.namespace,
                        ((const struct sw_api_agent *)manifest->object)->spec.template);
}

/* Ask the server about all of them before it changes the first one. */
static enum sw_rc check_all(struct sw_cli *cli, const struct sw_manifests *manifests,
                            struct sw_err *err)
{
    SW_CLEANUP(sw_arena_freep) struct sw_arena *arena = sw_arena_new(CHECK_BYTES_MAX);
    enum sw_rc rc, first = SW_OK;
    size_t mistakes = 0;

    if (arena == NULL)
        return sw_cli_no_memory(err);
    for (size_t i = 0; i < manifests->count; i++) {
        const struct sw_manifest *manifest = &manifests->items[i];
        const struct sw_object_wish wish = {
            .key = sw_manifest_key(manifest), .object = manifest->object, .dry_run = true};
        struct sw_err one = {0};
        void *object = NULL;

        rc = sw_client_apply(cli->client, &wish, arena, &object, &one);
        sw_arena_reset(arena);
        if (rc == SW_OK || is_on_its_way(manifests, manifest, &one))
            continue;
        if (sw_client_is_unreachable(cli->client)) {
            *err = one;
            return rc;
        }
        add_place(manifest, &one);
        sw_cli_print_error(cli, &one);
        first = mistakes++ == 0 ? rc : first;
    }
    if (mistakes == 0)
        return SW_OK;
    return sw_err_set(err, first, "%zu mistake%s found; nothing was changed", mistakes,
                      mistakes == 1 ? "" : "s");
}

static enum sw_rc print_result(struct sw_cli *cli, const struct sw_output *output,
                               const struct sw_manifest *manifest, void *object, const char *word,
                               struct sw_err *err)
{
    SW_CLEANUP(sw_buffer_done) struct sw_buffer text = {0};
    struct sw_output_list list = {
        .kind = manifest->kind, .items = &object, .count = 1, .is_single = true};
    bool dry_run = sw_arguments_is(cli->arguments, "dry-run", false);
    enum sw_rc rc;

    if (output->format <= SW_OUTPUT_WIDE) {
        if (!cli->is_quiet)
            sw_cli_print(cli, "%s/%s %s%s\n", manifest->kind->plural,
                         sw_object_meta_of(object)->name, word, dry_run ? " (dry run)" : "");
        return SW_OK;
    }
    sw_buffer_init(&text, SW_CLI_OUTPUT_BYTES_MAX);
    if (output->format == SW_OUTPUT_YAML)
        sw_buffer_put_text(&text, "---\n");
    rc = sw_output_objects(output, &list, &text, err);
    sw_cli_put(cli, &text);
    return rc;
}

enum sw_rc sw_command_apply(struct sw_cli *cli, struct sw_err *err)
{
    struct sw_manifests manifests;
    struct sw_output output = {0};
    bool dry_run = sw_arguments_is(cli->arguments, "dry-run", false);
    enum sw_rc rc = sw_output_parse(sw_arguments_text(cli->arguments, "output"), &output, err);

    if (rc != SW_OK) {
        cli->is_usage_error = true;
        return rc;
    }
    rc = sw_manifests_load(cli, true, &manifests, err);
    if (rc == SW_OK)
        rc = sw_cli_connect(cli, err);
    if (rc == SW_OK && !dry_run && manifests.count > 1)
        rc = check_all(cli, &manifests, err);
    if (rc == SW_OK && !dry_run)
        rc = sw_manifests_push(cli, &manifests, err);
    for (size_t i = 0; rc == SW_OK && i < manifests.count; i++) {
        const char *word = "";
        void *object = NULL;

        rc = apply_one(cli, &manifests.items[i], dry_run, &object, &word, err);
        if (rc == SW_OK)
            rc = print_result(cli, &output, &manifests.items[i], object, word, err);
        else if (!sw_client_is_unreachable(cli->client))
            add_place(&manifests.items[i], err);
    }
    return rc;
}
