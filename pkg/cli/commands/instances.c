#include "pkg/cli/commands/instances.h"
#include "pkg/cli/commands/commands.h"
#include "pkg/apis/swarm/v1/json.h"
#include "pkg/utils/base/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define PATH_BYTES_MAX 4096
#define PAGE_ITEMS 1000
#define MODULE_SHOWN 19 /* "sha256:" and 12 digits. */
#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* The text of a member, "" when it is missing. */
static const char *text_of(const struct sw_tree *map, const char *name)
{
    const struct sw_tree *node = sw_tree_find(map, name);

    return node == NULL ? "" : node->text;
}

static uint64_t number_of(const struct sw_tree *map, const char *name)
{
    uint64_t value = 0;

    return sw_text_to_u64(text_of(map, name), &value) == SW_OK ? value : 0;
}

static enum sw_rc ask_page(struct sw_cli *cli, const char *agent, const char *after,
                           struct sw_answer *answer, struct sw_err *err)
{
    SW_CLEANUP(sw_buffer_done) struct sw_buffer path = {0};
    struct sw_request request = {.method = "GET"};

    sw_buffer_init(&path, PATH_BYTES_MAX);
    sw_buffer_put_text(&path, "/apis/swarm/v1/namespaces/");
    sw_client_escape(cli->namespace, &path);
    sw_buffer_put_text(&path, "/agents/");
    sw_client_escape(agent, &path);
    sw_buffer_print(&path, "/instances?limit=%d", PAGE_ITEMS);
    if (after[0] != '\0') {
        sw_buffer_put_text(&path, "&continue=");
        sw_client_escape(after, &path);
    }
    sw_buffer_put_u8(&path, 0);
    if (sw_buffer_check(&path) != SW_OK)
        return sw_err_set(err, SW_E_INVALID, "the name is too long");
    request.path = (const char *)path.data;
    return sw_client_call(cli->client, &request, answer, err);
}

enum sw_rc sw_instances_each(struct sw_cli *cli, const char *agent, sw_instance_visit *visit,
                             void *ctx, struct sw_err *err)
{
    SW_CLEANUP(sw_answer_done) struct sw_answer answer = {0};
    SW_CLEANUP(sw_arena_freep) struct sw_arena *arena = sw_arena_new(SW_CLI_ARENA_BYTES_MAX);
    char next[512] = "";
    bool goes_on = true;
    enum sw_rc rc;

    sw_answer_init(&answer);
    if (arena == NULL)
        return sw_cli_no_memory(err);
    do {
        struct sw_problems problems = sw_problems_of(arena);
        struct sw_bind_options options = {.arena = arena, .problems = &problems, .file = ""};
        const struct sw_tree *tree = NULL, *items;

        sw_buffer_reset(&answer.body);
        rc = ask_page(cli, agent, next, &answer, err);
        if (rc != SW_OK)
            return rc;
        rc = sw_json_parse((struct sw_bytes){answer.body.data, answer.body.size}, &options, &tree);
        if (rc != SW_OK)
            return sw_err_set(err, SW_E_UNSUPPORTED, "the server's answer is not understood");
        items = sw_tree_find(tree, "items");
        for (const struct sw_tree *item = items == NULL ? NULL : items->first;
             item != NULL && goes_on; item = item->next) {
            const struct sw_instance_view view = {.name = text_of(item, "name"),
                                                  .pod = text_of(item, "pod"),
                                                  .node = text_of(item, "node"),
                                                  .state = text_of(item, "state"),
                                                  .module = text_of(item, "module"),
                                                  .message = text_of(item, "message"),
                                                  .turns = number_of(item, "turns"),
                                                  .mailbox = number_of(item, "mailbox"),
                                                  .memory_bytes = number_of(item, "memoryBytes")};

            goes_on = visit(ctx, &view);
        }
        (void)snprintf(next, sizeof next, "%s", text_of(tree, "continue"));
        sw_arena_reset(arena);
    } while (goes_on && next[0] != '\0');
    return SW_OK;
}

struct listing {
    struct sw_table *table;
    bool names_only;
    struct sw_buffer *out;
};

static bool list_instance(void *ctx, const struct sw_instance_view *view)
{
    struct listing *listing = ctx;

    if (listing->names_only) {
        sw_output_put_safe(listing->out, view->name, strlen(view->name), false);
        sw_buffer_put_text(listing->out, "\n");
        return true;
    }
    sw_table_add(listing->table, view->name);
    sw_table_add(listing->table, view->state);
    sw_table_print(listing->table, "%" PRIu64, view->turns);
    sw_table_print(listing->table, "%" PRIu64, view->mailbox);
    sw_table_print(listing->table, "%" PRIu64 " KiB", (view->memory_bytes + 1023) / 1024);
    sw_table_add(listing->table, view->pod);
    sw_table_print(listing->table, "%.*s", MODULE_SHOWN, view->module);
    sw_table_add(listing->table, view->message);
    return true;
}

/* As the API has it, with all pages in one list. */
static bool put_json(void *ctx, const struct sw_instance_view *view)
{
    struct sw_buffer *out = ctx;
    const struct {
        const char *name, *text;
    } texts[] = {{"name", view->name},   {"pod", view->pod},       {"node", view->node},
                 {"state", view->state}, {"module", view->module}, {"message", view->message}};

    sw_buffer_put_text(out, out->data[out->size - 1] == '[' ? "\n  {" : ",\n  {");
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        sw_buffer_print(out, "%s\"%s\": ", i == 0 ? "" : ", ", texts[i].name);
        sw_json_put_text(out, texts[i].text);
    }
    sw_buffer_print(out,
                    ", \"turns\": \"%" PRIu64 "\", \"mailbox\": \"%" PRIu64
                    "\", \"memoryBytes\": \"%" PRIu64 "\"}",
                    view->turns, view->mailbox, view->memory_bytes);
    return !out->failed;
}

static enum sw_rc print_json(struct sw_cli *cli, const char *agent, struct sw_err *err)
{
    SW_CLEANUP(sw_buffer_done) struct sw_buffer out = {0};
    enum sw_rc rc;

    sw_buffer_init(&out, SW_CLI_OUTPUT_BYTES_MAX);
    sw_buffer_put_text(&out, "{\"items\": [");
    if (sw_buffer_check(&out) != SW_OK)
        return sw_cli_no_memory(err);
    rc = sw_instances_each(cli, agent, put_json, &out, err);
    sw_buffer_put_text(&out, "\n]}\n");
    if (rc == SW_OK && sw_buffer_check(&out) != SW_OK)
        return sw_cli_no_memory(err);
    if (rc == SW_OK)
        sw_cli_put(cli, &out);
    return rc;
}

enum sw_rc sw_command_instances(struct sw_cli *cli, struct sw_err *err)
{
    static const char *const header[] = {"NAME",   "STATE", "TURNS",  "WAITING",
                                         "MEMORY", "POD",   "MODULE", "MESSAGE"};
    SW_CLEANUP(sw_table_freep) struct sw_table *table = sw_table_new(COUNT(header));
    SW_CLEANUP(sw_buffer_done) struct sw_buffer text = {0};
    struct listing listing = {.table = table, .out = &text};
    const char *agent = sw_arguments_at(cli->arguments, 1);
    bool has_header = !sw_arguments_is(cli->arguments, "no-headers", false);
    struct sw_output output;
    enum sw_rc rc = sw_output_parse(sw_arguments_text(cli->arguments, "output"), &output, err);

    sw_buffer_init(&text, SW_CLI_OUTPUT_BYTES_MAX);
    if (agent == NULL || sw_arguments_count(cli->arguments) > 2)
        return sw_cli_usage(cli, err, "instances are those of one Agent: get instances AGENT");
    if (rc != SW_OK || table == NULL)
        return rc == SW_OK ? sw_cli_no_memory(err) : rc;
    if (strncmp(agent, "agents/", 7) == 0)
        agent += 7;
    if (output.format == SW_OUTPUT_JSON)
        return print_json(cli, agent, err);
    if (output.format == SW_OUTPUT_YAML || output.format == SW_OUTPUT_JSONPATH)
        return sw_cli_usage(cli, err, "instances are shown as table, name or json");
    listing.names_only = output.format == SW_OUTPUT_NAME;
    for (size_t i = 0; i < COUNT(header) && has_header; i++)
        sw_table_add(table, header[i]);
    rc = sw_instances_each(cli, agent, list_instance, &listing, err);
    if (rc == SW_OK && sw_table_sort(table, has_header ? 1 : 0) != SW_OK)
        return sw_cli_no_memory(err);
    if (rc == SW_OK && !listing.names_only && sw_table_put(table, &text) != SW_OK)
        return sw_cli_no_memory(err);
    sw_cli_put(cli, &text);
    return rc;
}
