#include "pkg/cli/commands/commands.h"
#include "pkg/cli/commands/members.h"
#include "pkg/apis/swarm/v1/json.h"
#include "pkg/utils/base/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define PATH_BYTES_MAX 4096
#define PAGE_ITEMS 1000
#define WORDS_SHOWN 60

struct query { /* What is asked of the server. */
    const char *method;
    const char *agent, *key; /* key NULL: of all instances. */
    const char *id;          /* Of a change. */
    char after[32];
    unsigned limit;
    bool with_body;
};

static enum sw_rc ask(struct sw_cli *cli, const struct query *query, struct sw_answer *answer,
                      struct sw_err *err)
{
    SW_CLEANUP(sw_buffer_done) struct sw_buffer path = {0};
    struct sw_request request = {.method = query->method};

    sw_buffer_init(&path, PATH_BYTES_MAX);
    sw_buffer_put_text(&path, "/apis/swarm/v1/namespaces/");
    sw_client_escape(cli->namespace, &path);
    sw_buffer_put_text(&path, "/agents/");
    sw_client_escape(query->agent, &path);
    sw_buffer_put_text(&path, "/deadletters?");
    if (query->id != NULL) {
        sw_buffer_put_text(&path, "id=");
        sw_client_escape(query->id, &path);
    } else {
        sw_buffer_print(&path, "limit=%u&continue=%s&body=%d", query->limit, query->after,
                        query->with_body);
    }
    if (query->key != NULL) {
        sw_buffer_put_text(&path, "&key=");
        sw_client_escape(query->key, &path);
    }
    sw_buffer_put_u8(&path, 0);
    if (sw_buffer_check(&path) != SW_OK)
        return sw_err_set(err, SW_E_INVALID, "the name is too long");
    request.path = (const char *)path.data;
    return sw_client_call(cli->client, &request, answer, err);
}

/* --- Lists ----------------------------------------------------------------------------------- */

struct listing {
    struct sw_table *table;
    struct sw_buffer *out;
    enum sw_output_format format;
};

static void list_row(struct sw_table *table, const struct sw_tree *item)
{
    const char *from = sw_member_text(item, "from"), *subject = sw_member_text(item, "subject");

    sw_table_add(table, sw_member_text(item, "id"));
    sw_table_add(table, sw_member_text(item, "time"));
    sw_table_add(table, sw_member_text(item, "instance"));
    sw_table_add(table, subject[0] != '\0' ? subject : from[0] != '\0' ? from : "-");
    sw_table_add(table, sw_member_text(item, "kind"));
    sw_table_add(table, sw_member_text(item, "reason"));
    sw_table_add(table, sw_member_text(item, "attempts"));
    sw_table_add(table, sw_member_text(item, "sizeBytes"));
    sw_table_add_cut(table, sw_member_text(item, "message"), WORDS_SHOWN);
}

/* As the API has it, with all pages in one list. */
static void list_json(struct sw_buffer *out, const struct sw_tree *item)
{
    static const char *const texts[] = {"id",          "time",   "kind",    "instance",
                                        "pod",         "node",   "from",    "subject",
                                        "contentType", "reason", "message", "sizeBytes"};

    sw_buffer_put_text(out, out->data[out->size - 1] == '[' ? "\n  {" : ",\n  {");
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        sw_buffer_print(out, "\"%s\": ", texts[i]);
        sw_json_put_text(out, sw_member_text(item, texts[i]));
        sw_buffer_put_text(out, ", ");
    }
    if (sw_member_text(item, "timer")[0] != '\0') {
        sw_buffer_put_text(out, "\"timer\": ");
        sw_json_put_text(out, sw_member_text(item, "timer"));
        sw_buffer_put_text(out, ", ");
    }
    sw_buffer_print(out, "\"attempts\": %" PRIu64 "}", sw_member_number(item, "attempts"));
}

static void list_item(struct listing *listing, const struct sw_tree *item)
{
    const char *id = sw_member_text(item, "id");

    if (listing->format == SW_OUTPUT_JSON) {
        list_json(listing->out, item);
    } else if (listing->format == SW_OUTPUT_NAME) {
        sw_output_put_safe(listing->out, id, strlen(id), false);
        sw_buffer_put_text(listing->out, "\n");
    } else {
        list_row(listing->table, item);
    }
}

static enum sw_rc list_all(struct sw_cli *cli, struct query *query, struct listing *listing,
                           struct sw_err *err)
{
    SW_CLEANUP(sw_answer_done) struct sw_answer answer = {0};
    SW_CLEANUP(sw_arena_freep) struct sw_arena *arena = sw_arena_new(SW_CLI_ARENA_BYTES_MAX);
    enum sw_rc rc;

    sw_answer_init(&answer);
    if (arena == NULL)
        return sw_cli_no_memory(err);
    do {
        const struct sw_tree *tree = NULL, *items;

        sw_buffer_reset(&answer.body);
        rc = ask(cli, query, &answer, err);
        if (rc == SW_OK)
            rc = sw_members_take(&answer, arena, &tree, err);
        if (rc != SW_OK)
            return rc;
        items = sw_tree_find(tree, "items");
        for (const struct sw_tree *item = items == NULL ? NULL : items->first; item != NULL;
             item = item->next)
            list_item(listing, item);
        (void)snprintf(query->after, sizeof query->after, "%.20s",
                       sw_member_text(tree, "continue"));
        sw_arena_reset(arena);
    } while (query->after[0] != '\0');
    return SW_OK;
}

static enum sw_rc list(struct sw_cli *cli, struct query *query, struct sw_err *err)
{
    static const char *const header[] = {"ID",     "TIME",  "INSTANCE", "FROM",   "KIND",
                                         "REASON", "TRIES", "BYTES",    "MESSAGE"};
    SW_CLEANUP(sw_table_freep) struct sw_table *table = sw_table_new(9);
    SW_CLEANUP(sw_buffer_done) struct sw_buffer text = {0};
    struct listing listing = {.table = table, .out = &text};
    struct sw_output output;
    enum sw_rc rc = sw_output_parse(sw_arguments_text(cli->arguments, "output"), &output, err);

    sw_buffer_init(&text, SW_CLI_OUTPUT_BYTES_MAX);
    if (rc != SW_OK || table == NULL)
        return rc == SW_OK ? sw_cli_no_memory(err) : rc;
    if (output.format == SW_OUTPUT_YAML || output.format == SW_OUTPUT_JSONPATH)
        return sw_cli_usage(cli, err, "dead letters are shown as table, name or json");
    listing.format = output.format;
    for (size_t i = 0; i < sizeof header / sizeof header[0]; i++)
        sw_table_add(table, header[i]);
    if (output.format == SW_OUTPUT_JSON)
        sw_buffer_put_text(&text, "{\"items\": [");
    if (sw_buffer_check(&text) != SW_OK)
        return sw_cli_no_memory(err);
    rc = list_all(cli, query, &listing, err);
    if (output.format == SW_OUTPUT_JSON)
        sw_buffer_put_text(&text, "\n]}\n");
    else if (rc == SW_OK && output.format != SW_OUTPUT_NAME && sw_table_put(table, &text) != SW_OK)
        return sw_cli_no_memory(err);
    if (rc == SW_OK && sw_buffer_check(&text) != SW_OK)
        return sw_cli_no_memory(err);
    if (rc == SW_OK)
        sw_cli_put(cli, &text);
    return rc;
}

/* --- One of them ----------------------------------------------------------------------------- */

static enum sw_rc check_id(struct sw_cli *cli, const char *id, bool may_be_all, uint64_t *ret_id,
                           struct sw_err *err)
{
    *ret_id = 0;
    if (may_be_all && strcmp(id, "all") == 0)
        return SW_OK;
    if (sw_text_to_u64(id, ret_id) == SW_OK && *ret_id != 0)
        return SW_OK;
    return sw_cli_usage(cli, err, "\"%s\" is not the ID of a dead letter", id);
}

static void put_fields(const struct sw_tree *item, struct sw_buffer *out)
{
    static const struct {
        const char *label, *name;
    } fields[] = {{"ID", "id"},
                  {"Time", "time"},
                  {"Kind", "kind"},
                  {"Instance", "instance"},
                  {"Pod", "pod"},
                  {"From", "from"},
                  {"Subject", "subject"},
                  {"Timer", "timer"},
                  {"Type", "contentType"},
                  {"Reason", "reason"},
                  {"Message", "message"},
                  {"Tries", "attempts"},
                  {"Bytes", "sizeBytes"}};

    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        const char *text = sw_member_text(item, fields[i].name);

        if (text[0] == '\0')
            continue;
        sw_buffer_print(out, "%-10s", fields[i].label);
        sw_output_put_safe(out, text, strlen(text), false);
        sw_buffer_put_text(out, "\n");
    }
}

/* All about one letter, then an empty line and its body. */
static enum sw_rc show(struct sw_cli *cli, struct query *query, const char *id, struct sw_err *err)
{
    SW_CLEANUP(sw_answer_done) struct sw_answer answer = {0};
    SW_CLEANUP(sw_arena_freep) struct sw_arena *arena = sw_arena_new(SW_CLI_ARENA_BYTES_MAX);
    SW_CLEANUP(sw_buffer_done) struct sw_buffer text = {0}, body = {0};
    const struct sw_tree *tree = NULL, *items, *item;
    uint64_t number;
    enum sw_rc rc = check_id(cli, id, false, &number, err);

    sw_answer_init(&answer);
    sw_buffer_init(&text, SW_CLI_OUTPUT_BYTES_MAX);
    sw_buffer_init(&body, SW_CLI_OUTPUT_BYTES_MAX);
    if (rc != SW_OK || arena == NULL)
        return rc == SW_OK ? sw_cli_no_memory(err) : rc;
    (void)snprintf(query->after, sizeof query->after, "%" PRIu64, number - 1);
    query->limit = 1;
    query->with_body = true;
    rc = ask(cli, query, &answer, err);
    if (rc == SW_OK)
        rc = sw_members_take(&answer, arena, &tree, err);
    if (rc != SW_OK)
        return rc;
    items = sw_tree_find(tree, "items");
    item = items == NULL ? NULL : items->first;
    if (item == NULL || strcmp(sw_member_text(item, "id"), id) != 0)
        return sw_err_set(err, SW_E_NOT_FOUND, "there is no dead letter %s of Agent %s", id,
                          query->agent);
    put_fields(item, &text);
    if (sw_base64_decode(sw_member_text(item, "body"), strlen(sw_member_text(item, "body")),
                         &body) != SW_OK)
        return sw_err_set(err, SW_E_UNSUPPORTED, "the server's answer is not understood");
    if (body.size > 0) {
        sw_buffer_put_text(&text, "\n");
        sw_output_put_safe(&text, (const char *)body.data, body.size, true);
        sw_buffer_put_text(&text, "\n");
    }
    if (sw_buffer_check(&text) != SW_OK)
        return sw_cli_no_memory(err);
    sw_cli_put(cli, &text);
    return SW_OK;
}

static enum sw_rc change(struct sw_cli *cli, struct query *query, const char *done,
                         struct sw_err *err)
{
    SW_CLEANUP(sw_answer_done) struct sw_answer answer = {0};
    SW_CLEANUP(sw_arena_freep) struct sw_arena *arena = sw_arena_new(SW_CLI_ARENA_BYTES_MAX);
    const struct sw_tree *tree = NULL;
    uint64_t number;
    enum sw_rc rc = check_id(cli, query->id, true, &number, err);

    sw_answer_init(&answer);
    if (rc != SW_OK || arena == NULL)
        return rc == SW_OK ? sw_cli_no_memory(err) : rc;
    rc = ask(cli, query, &answer, err);
    if (rc == SW_OK)
        rc = sw_members_take(&answer, arena, &tree, err);
    if (rc == SW_OK && !cli->is_quiet)
        sw_cli_print(cli, "%s %s dead letter%s\n", done, sw_member_text(tree, "count"),
                     strcmp(sw_member_text(tree, "count"), "1") == 0 ? "" : "s");
    return rc;
}

enum sw_rc sw_command_agent_deadletters(struct sw_cli *cli, struct sw_err *err)
{
    struct query query = {.method = "GET",
                          .agent = sw_arguments_at(cli->arguments, 0),
                          .key = sw_arguments_text(cli->arguments, "key"),
                          .limit = PAGE_ITEMS};
    const char *shown = sw_arguments_text(cli->arguments, "show");
    const char *again = sw_arguments_text(cli->arguments, "redeliver");
    const char *dropped = sw_arguments_text(cli->arguments, "drop");
    enum sw_rc rc;

    if ((shown != NULL) + (again != NULL) + (dropped != NULL) > 1)
        return sw_cli_usage(cli, err, "one of --show, --redeliver and --drop at a time");
    if (strncmp(query.agent, "agents/", 7) == 0)
        query.agent += 7;
    rc = sw_cli_connect(cli, err);
    if (rc != SW_OK)
        return rc;
    if (shown != NULL)
        return show(cli, &query, shown, err);
    if (again == NULL && dropped == NULL)
        return list(cli, &query, err);
    query.method = again != NULL ? "POST" : "DELETE";
    query.id = again != NULL ? again : dropped;
    return change(cli, &query, again != NULL ? "delivered again" : "dropped", err);
}
