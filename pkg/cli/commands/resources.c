#include "pkg/cli/commands/resources.h"
#include "pkg/utils/base/text.h"

#include <string.h>

enum sw_rc sw_resources_kind(struct sw_cli *cli, const char *word, const struct sw_kind **ret_kind,
                             struct sw_err *err)
{
    const char *nearest;

    *ret_kind = sw_kind_find_loosely(word);
    if (*ret_kind != NULL)
        return SW_OK;
    nearest = sw_kind_nearest(word);
    (void)sw_cli_usage(cli, err, "there is no kind \"%s\"", word);
    if (nearest != NULL)
        sw_err_hint(err, "did you mean \"%s\"?", nearest);
    else
        sw_err_hint(err, "see all kinds with: %s explain", cli->program->name);
    return SW_E_INVALID;
}

const char *sw_resources_name(struct sw_cli *cli, const struct sw_kind *kind, const char *name)
{
    return sw_cli_format(cli, "%s/%s", kind->plural, name);
}

static enum sw_rc add_key(struct sw_cli *cli, struct sw_resources *resources,
                          const struct sw_kind *kind, const char *name, struct sw_err *err)
{
    bool all = sw_arguments_is(cli->arguments, "all-namespaces", false);

    if (name[0] != '\0' && !sw_text_is_label(name, 63)) {
        (void)sw_cli_usage(cli, err, "\"%s\" cannot be the name of an object", name);
        sw_err_hint(err, "names have lowercase letters, digits and '-', at most 63");
        return SW_E_INVALID;
    }
    if (all && name[0] != '\0')
        return sw_cli_usage(cli, err, "a name and --all-namespaces do not go together");
    resources->keys[resources->count++] =
        (struct sw_object_key){.kind = kind, .namespace = all ? "" : cli->namespace, .name = name};
    return SW_OK;
}

/* "kind/name". */
static enum sw_rc add_pair(struct sw_cli *cli, struct sw_resources *resources, const char *word,
                           struct sw_err *err)
{
    const char *slash = strchr(word, '/');
    const char *kind_word = sw_cli_format(cli, "%.*s", (int)(slash - word), word);
    const struct sw_kind *kind;
    enum sw_rc rc = sw_resources_kind(cli, kind_word, &kind, err);

    if (rc == SW_OK && slash[1] == '\0')
        return sw_cli_usage(cli, err, "\"%s\" lacks the name of an object", word);
    return rc == SW_OK ? add_key(cli, resources, kind, slash + 1, err) : rc;
}

enum sw_rc sw_resources_parse(struct sw_cli *cli, size_t first, struct sw_resources *ret_resources,
                              struct sw_err *err)
{
    size_t count = sw_arguments_count(cli->arguments);
    struct sw_resources resources = {0};
    const struct sw_kind *kind = NULL;
    const char *word = sw_arguments_at(cli->arguments, first);
    enum sw_rc rc = SW_OK;

    resources.keys = sw_arena_array(cli->arena, count + 1, sizeof *resources.keys);
    if (resources.keys == NULL)
        return sw_cli_no_memory(err);
    if (word != NULL && strchr(word, '/') == NULL) {
        rc = sw_resources_kind(cli, word, &kind, err);
        first++;
        if (rc == SW_OK && first == count)
            rc = add_key(cli, &resources, kind, "", err);
    }
    for (size_t i = first; i < count && rc == SW_OK; i++) {
        word = sw_arguments_at(cli->arguments, i);
        if (strchr(word, '/') != NULL)
            rc = add_pair(cli, &resources, word, err);
        else if (kind == NULL)
            rc = sw_cli_usage(cli, err, "\"%s\" lacks its kind, as in agents/%s", word, word);
        else
            rc = add_key(cli, &resources, kind, word, err);
    }
    *ret_resources = resources;
    return rc;
}

enum sw_rc sw_resources_load(struct sw_cli *cli, const struct sw_object_key *keys, size_t count,
                             const char *selector, struct sw_objects *ret_objects,
                             struct sw_err *err)
{
    enum sw_rc worst = SW_OK;

    memset(ret_objects, 0, sizeof *ret_objects);
    if (count == 1 && keys[0].name[0] == '\0')
        return sw_client_list(cli->client, &keys[0], selector, cli->arena, ret_objects, err);
    if (selector[0] != '\0')
        return sw_cli_usage(cli, err, "a name and --selector do not go together");
    ret_objects->items = sw_arena_array(cli->arena, count, sizeof *ret_objects->items);
    if (ret_objects->items == NULL)
        return sw_cli_no_memory(err);
    for (size_t i = 0; i < count; i++) {
        void *object = NULL;
        struct sw_err one = {0};
        enum sw_rc rc = sw_client_get(cli->client, &keys[i], cli->arena, &object, &one);

        if (rc == SW_OK) {
            ret_objects->items[ret_objects->count++] = object;
            continue;
        }
        if (worst != SW_OK) /* The earlier one is printed now, the last one at the end. */
            sw_cli_print_error(cli, err);
        worst = rc;
        *err = one;
        if (rc != SW_E_NOT_FOUND)
            break;
    }
    return worst;
}
