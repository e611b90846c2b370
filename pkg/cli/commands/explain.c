#include "pkg/cli/commands/commands.h"
#include "pkg/apis/swarm/v1/path.h"

#include <stdio.h>
#include <string.h>

/* Without a name: all kinds and their short names. */
static enum sw_rc list_kinds(struct sw_buffer *text, struct sw_err *err)
{
    SW_CLEANUP(sw_table_freep) struct sw_table *table = sw_table_new(5);
    static const char *const header[] = {"KIND", "PLURAL", "SHORT", "NAMESPACED", "WHAT IT IS"};

    if (table == NULL)
        return sw_cli_no_memory(err);
    for (size_t i = 0; i < 5; i++)
        sw_table_add(table, header[i]);
    for (unsigned i = 0; i < sw_kind_count; i++) {
        const struct sw_kind *kind = &sw_kinds[i];
        char names[128] = "";

        for (unsigned n = 0; n < kind->short_name_count; n++) {
            size_t used = strlen(names);

            (void)snprintf(names + used, sizeof names - used, "%s%s", n == 0 ? "" : ",",
                           kind->short_names[n]);
        }
        sw_table_add(table, kind->name);
        sw_table_add(table, kind->plural);
        sw_table_add(table, names);
        sw_table_add(table, kind->is_namespaced ? "yes" : "no");
        sw_table_print(table, "%.*s", (int)strcspn(kind->message->help, "."), kind->message->help);
    }
    return sw_table_put(table, text) == SW_OK ? SW_OK : sw_cli_no_memory(err);
}

enum sw_rc sw_command_explain(struct sw_cli *cli, struct sw_err *err)
{
    SW_CLEANUP(sw_buffer_done) struct sw_buffer text = {0};
    const char *path = sw_arguments_at(cli->arguments, 0);
    enum sw_rc rc;

    sw_buffer_init(&text, SW_CLI_OUTPUT_BYTES_MAX);
    rc = path == NULL ? list_kinds(&text, err) : sw_explain(path, &text, err);
    if (rc == SW_OK && text.size > 0 && text.data[text.size - 1] != '\n')
        sw_buffer_put_text(&text, "\n");
    sw_cli_put(cli, &text);
    return rc;
}
