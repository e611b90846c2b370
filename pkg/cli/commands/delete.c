#include "pkg/cli/commands/commands.h"
#include "pkg/cli/commands/manifests.h"
#include "pkg/cli/commands/resources.h"
#include "pkg/cli/commands/wait.h"

#include <string.h>

#define DELETE_TIMEOUT_MS 60000

static enum sw_rc delete_one(struct sw_cli *cli, const struct sw_object_key *key,
                             struct sw_err *err)
{
    bool dry_run = sw_arguments_is(cli->arguments, "dry-run", false);
    enum sw_rc rc = sw_client_delete(cli->client, key, dry_run, err);

    if (rc == SW_E_NOT_FOUND && sw_arguments_is(cli->arguments, "ignore-not-found", false))
        return SW_OK;
    if (rc == SW_OK && !cli->is_quiet)
        sw_cli_print(cli, "%s/%s deleted%s\n", key->kind->plural, key->name,
                     dry_run ? " (dry run)" : "");
    return rc;
}

/* Ask for all deletions first, then wait for them together. */
static enum sw_rc delete_all(struct sw_cli *cli, const struct sw_object_key *keys, size_t count,
                             struct sw_err *err)
{
    const struct sw_wait wait = {.type = SW_WAIT_DELETE};
    uint64_t timeout_ms = cli->timeout_ms == 0 ? DELETE_TIMEOUT_MS : cli->timeout_ms;
    bool waits = sw_arguments_is(cli->arguments, "wait", true) &&
                 !sw_arguments_is(cli->arguments, "dry-run", false);
    enum sw_rc rc = SW_OK;

    for (size_t i = 0; i < count && rc == SW_OK; i++)
        rc = delete_one(cli, &keys[i], err);
    for (size_t i = 0; i < count && rc == SW_OK && waits; i++) {
        uint64_t begin_ms = sw_client_now_ms(cli->client), passed_ms;

        rc = sw_wait_for(cli, &keys[i], &wait, timeout_ms, err);
        passed_ms = sw_client_now_ms(cli->client) - begin_ms;
        timeout_ms = passed_ms < timeout_ms ? timeout_ms - passed_ms : 1;
    }
    return rc;
}

static enum sw_rc delete_manifests(struct sw_cli *cli, struct sw_err *err)
{
    struct sw_manifests manifests;
    struct sw_object_key *keys;
    enum sw_rc rc = sw_manifests_load(cli, false, &manifests, err);

    if (rc == SW_OK)
        rc = sw_cli_connect(cli, err);
    if (rc != SW_OK)
        return rc;
    keys = sw_arena_array(cli->arena, manifests.count, sizeof *keys);
    if (keys == NULL)
        return sw_cli_no_memory(err);
    for (size_t i = 0; i < manifests.count; i++) /* What others need goes last. */
        keys[i] = sw_manifest_key(&manifests.items[manifests.count - 1 - i]);
    return delete_all(cli, keys, manifests.count, err);
}

static enum sw_rc delete_listed(struct sw_cli *cli, const struct sw_object_key *key,
                                struct sw_err *err)
{
    const char *selector = sw_arguments_text(cli->arguments, "selector");
    struct sw_object_key *keys;
    struct sw_objects objects;
    enum sw_rc rc;

    if (selector == NULL && !sw_arguments_is(cli->arguments, "all", false))
        return sw_cli_usage(cli, err, "name an object, or say --all or --selector");
    rc = sw_client_list(cli->client, key, selector == NULL ? "" : selector, cli->arena, &objects,
                        err);
    if (rc != SW_OK)
        return rc;
    keys = sw_arena_array(cli->arena, objects.count, sizeof *keys);
    if (keys == NULL)
        return sw_cli_no_memory(err);
    for (size_t i = 0; i < objects.count; i++)
        keys[i] =
            (struct sw_object_key){.kind = key->kind,
                                   .namespace = sw_object_meta_of(objects.items[i])->namespace,
                                   .name = sw_object_meta_of(objects.items[i])->name};
    if (objects.count == 0)
        sw_cli_say(cli, "no %s found\n", key->kind->plural);
    return delete_all(cli, keys, objects.count, err);
}

enum sw_rc sw_command_delete(struct sw_cli *cli, struct sw_err *err)
{
    struct sw_resources resources;
    bool has_files = sw_arguments_text(cli->arguments, "filename") != NULL;
    enum sw_rc rc = sw_cli_choose_context(cli, err);

    if (rc != SW_OK)
        return rc;
    if (has_files && sw_arguments_count(cli->arguments) > 0)
        return sw_cli_usage(cli, err, "-f and names do not go together");
    if (has_files)
        return delete_manifests(cli, err);
    if (sw_arguments_count(cli->arguments) == 0)
        return sw_cli_usage(cli, err, "name what to delete");
    rc = sw_resources_parse(cli, 0, &resources, err);
    if (rc == SW_OK)
        rc = sw_cli_connect(cli, err);
    if (rc != SW_OK)
        return rc;
    if (resources.count == 1 && resources.keys[0].name[0] == '\0')
        return delete_listed(cli, &resources.keys[0], err);
    return delete_all(cli, resources.keys, resources.count, err);
}
