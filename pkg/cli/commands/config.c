#include "pkg/cli/commands/commands.h"

#include <string.h>

static enum sw_rc load(struct sw_cli *cli, const char **ret_folder,
                       struct sw_contexts **ret_contexts, struct sw_err *err)
{
    const struct sw_terminal *terminal = cli->terminal;
    enum sw_rc rc =
        sw_contexts_folder(terminal->variable, terminal->ctx, cli->arena, ret_folder, err);

    return rc == SW_OK ? sw_contexts_load(cli->system, *ret_folder, cli->arena, ret_contexts, err)
                       : rc;
}

enum sw_rc sw_command_config_contexts(struct sw_cli *cli, struct sw_err *err)
{
    SW_CLEANUP(sw_table_freep) struct sw_table *table = sw_table_new(3);
    SW_CLEANUP(sw_buffer_done) struct sw_buffer text = {0};
    struct sw_contexts *contexts;
    const char *folder;
    enum sw_rc rc = load(cli, &folder, &contexts, err);

    sw_buffer_init(&text, SW_CLI_OUTPUT_BYTES_MAX);
    if (rc != SW_OK || table == NULL)
        return rc == SW_OK ? sw_cli_no_memory(err) : rc;
    if (sw_contexts_count(contexts) == 0) {
        sw_cli_say(cli, "no contexts in %s; start a daemon that makes one: swarmd --dev\n", folder);
        return SW_OK;
    }
    sw_table_add(table, "CURRENT");
    sw_table_add(table, "NAME");
    sw_table_add(table, "SERVER");
    for (size_t i = 0; i < sw_contexts_count(contexts); i++) {
        const char *name = sw_contexts_name_at(contexts, i);

        sw_table_add(table, strcmp(name, sw_contexts_current(contexts)) == 0 ? "*" : "");
        sw_table_add(table, name);
        sw_table_add(table, sw_contexts_server_at(contexts, i));
    }
    if (sw_table_put(table, &text) != SW_OK)
        return sw_cli_no_memory(err);
    sw_cli_put(cli, &text);
    return SW_OK;
}

enum sw_rc sw_command_config_use(struct sw_cli *cli, struct sw_err *err)
{
    struct sw_contexts *contexts;
    const char *folder, *name = sw_arguments_at(cli->arguments, 0);
    enum sw_rc rc = load(cli, &folder, &contexts, err);

    if (rc == SW_OK)
        rc = sw_contexts_use(cli->system, folder, name, err);
    if (rc == SW_OK)
        sw_cli_say(cli, "now using context \"%s\"\n", name);
    return rc;
}
