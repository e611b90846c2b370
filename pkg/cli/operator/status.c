#include "pkg/cli/operator/operator.h"

#include <inttypes.h>

/* A table of all objects of a kind, or a line that there are none. */
static enum sw_rc print_kind(struct sw_cli *cli, const char *name, struct sw_err *err)
{
    SW_CLEANUP(sw_buffer_done) struct sw_buffer text = {0};
    struct sw_object_key key = {.kind = sw_kind_find(name), .namespace = "", .name = ""};
    struct sw_output output = {.format = SW_OUTPUT_WIDE, .now_ns = sw_cli_utc_ns(cli)};
    struct sw_output_list list = {.kind = key.kind};
    struct sw_objects objects;
    enum sw_rc rc = sw_client_list(cli->client, &key, "", cli->arena, &objects, err);

    sw_buffer_init(&text, SW_CLI_OUTPUT_BYTES_MAX);
    if (rc != SW_OK)
        return rc;
    list.items = objects.items;
    list.count = objects.count;
    sw_buffer_print(&text, "\n%s\n", name);
    rc = sw_output_objects(&output, &list, &text, err);
    sw_cli_put(cli, &text);
    return rc;
}

static enum sw_rc print_daemon(struct sw_cli *cli, struct sw_err *err)
{
    const struct sw_request request = {.method = "GET", .path = "/readyz", .accept = "*/*"};
    SW_CLEANUP(sw_answer_done) struct sw_answer answer = {0};
    uint64_t begin_ms = sw_client_now_ms(cli->client);
    enum sw_rc rc;

    sw_answer_init(&answer);
    rc = sw_client_call(cli->client, &request, &answer, err);
    if (rc == SW_OK)
        sw_cli_print(cli, "daemon   ready at %s (%" PRIu64 " ms)\n", sw_client_server(cli->client),
                     sw_client_now_ms(cli->client) - begin_ms);
    return rc;
}

/* The store's file can only be looked at on its own machine. */
static void print_store(struct sw_cli *cli)
{
    const char *path = sw_operator_store_path(cli);
    struct sw_file_view view = {0};
    struct sw_err ignored = {0};

    if (cli->system->path_view(cli->system->ctx, path, &view, &ignored) == SW_OK)
        sw_cli_print(cli, "store    %s, %.1f MiB\n", path, (double)view.size_bytes / 1048576.0);
}

enum sw_rc sw_operator_status(struct sw_cli *cli, struct sw_err *err)
{
    static const char *const kinds[] = {"Cluster", "Node"};
    enum sw_rc rc = sw_cli_connect(cli, err);

    if (rc == SW_OK)
        rc = print_daemon(cli, err);
    if (rc == SW_OK)
        print_store(cli);
    for (size_t i = 0; i < 2 && rc == SW_OK; i++)
        rc = print_kind(cli, kinds[i], err);
    return rc;
}
