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

static void read_usage(const struct sw_tree *usage, struct sw_instance_view *view)
{
    view->is_metered = usage != NULL;
    view->time = "";
    if (usage == NULL)
        return;
    view->time = text_of(usage, "time");
    view->cpu_ns = number_of(usage, "cpuNanoseconds");
    view->messages = number_of(usage, "messages");
    view->message_bytes = number_of(usage, "messageBytes");
    view->sent = number_of(usage, "sent");
    view->sent_bytes = number_of(usage, "sentBytes");
    view->wakeups = number_of(usage, "wakeups");
    view->memory_byte_s = number_of(usage, "memoryByteSeconds");
    view->has_bytes = number_of(usage, "memoryBytes");
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
            struct sw_instance_view view = {.name = text_of(item, "name"),
                                            .pod = text_of(item, "pod"),
                                            .node = text_of(item, "node"),
                                            .state = text_of(item, "state"),
                                            .module = text_of(item, "module"),
                                            .message = text_of(item, "message"),
                                            .turns = number_of(item, "turns"),
                                            .mailbox = number_of(item, "mailbox"),
                                            .memory_bytes = number_of(item, "memoryBytes")};

            read_usage(sw_tree_find(item, "usage"), &view);
            goes_on = visit(ctx, &view);
        }
        (void)snprintf(next, sizeof next, "%s", text_of(tree, "continue"));
        sw_arena_reset(arena);
    } while (goes_on && next[0] != '\0');
    return SW_OK;
}

struct listing {
    struct sw_table *table;
    bool names_only, is_wide;
    struct sw_buffer *out;
};

/* Of one that keeps nothing there is no such thing: its Agent has all. */
static void add_usage(struct sw_table *table, const struct sw_instance_view *view)
{
    const uint64_t counts[] = {view->messages, view->message_bytes, view->sent, view->sent_bytes,
                               view->wakeups};

    if (!view->is_metered) {
        for (size_t i = 0; i < COUNT(counts) + 2; i++)
            sw_table_add(table, "-");
        return;
    }
    sw_table_print(table, "%.3f s", (double)view->cpu_ns / 1e9);
    for (size_t i = 0; i < COUNT(counts); i++)
        sw_table_print(table, "%" PRIu64, counts[i]);
    sw_table_print(table, "%.1f MiB*s", (double)view->memory_byte_s / 1048576.0);
}

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
    if (listing->is_wide)
        add_usage(listing->table, view);
    sw_table_add(listing->table, view->message);
    return true;
}

static void put_usage(const struct sw_instance_view *view, struct sw_buffer *out)
{
    const struct {
        const char *name;
        uint64_t value;
    } fields[] = {{"cpuNanoseconds", view->cpu_ns},
                  {"messages", view->messages},
                  {"messageBytes", view->message_bytes},
                  {"sent", view->sent},
                  {"sentBytes", view->sent_bytes},
                  {"wakeups", view->wakeups},
                  {"memoryByteSeconds", view->memory_byte_s},
                  {"memoryBytes", view->has_bytes}};

    sw_buffer_put_text(out, ", \"usage\": {");
    for (size_t i = 0; i < COUNT(fields); i++)
        sw_buffer_print(out, "\"%s\": \"%" PRIu64 "\", ", fields[i].name, fields[i].value);
    sw_buffer_put_text(out, "\"time\": ");
    sw_json_put_text(out, view->time);
    sw_buffer_put_u8(out, '}');
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
                    "\", \"memoryBytes\": \"%" PRIu64 "\"",
                    view->turns, view->mailbox, view->memory_bytes);
    if (view->is_metered)
        put_usage(view, out);
    sw_buffer_put_u8(out, '}');
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
    static const char *const wide[] = {"NAME", "STATE",  "TURNS",   "WAITING",  "MEMORY",
                                       "POD",  "MODULE", "CPU",     "MESSAGES", "BYTES",
                                       "SENT", "BYTES",  "WAKEUPS", "MEMORY",   "MESSAGE"};
    const char *format = sw_arguments_text(cli->arguments, "output");
    bool is_wide = format != NULL && strcmp(format, "wide") == 0;
    const char *const *heads = is_wide ? wide : header;
    size_t columns = is_wide ? COUNT(wide) : COUNT(header);
    SW_CLEANUP(sw_table_freep) struct sw_table *table = sw_table_new(columns);
    SW_CLEANUP(sw_buffer_done) struct sw_buffer text = {0};
    struct listing listing = {.table = table, .is_wide = is_wide, .out = &text};
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
    for (size_t i = 0; i < columns && has_header; i++)
        sw_table_add(table, heads[i]);
    rc = sw_instances_each(cli, agent, list_instance, &listing, err);
    if (rc == SW_OK && sw_table_sort(table, has_header ? 1 : 0) != SW_OK)
        return sw_cli_no_memory(err);
    if (rc == SW_OK && !listing.names_only && sw_table_put(table, &text) != SW_OK)
        return sw_cli_no_memory(err);
    sw_cli_put(cli, &text);
    return rc;
}
