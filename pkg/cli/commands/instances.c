#include "pkg/cli/commands/instances.h"
#include "pkg/cli/commands/members.h"
#include "pkg/apis/swarm/v1/json.h"
#include "pkg/utils/base/text.h"

#include <stdio.h>
#include <string.h>

#define PATH_BYTES_MAX 4096
#define PAGE_ITEMS 1000

/* "&name=value", if there is one. */
static void put_parameter(struct sw_buffer *path, const char *name, const char *value)
{
    if (value == NULL || value[0] == '\0')
        return;
    sw_buffer_print(path, "&%s=", name);
    sw_client_escape(value, path);
}

static enum sw_rc ask_page(struct sw_cli *cli, const struct sw_instance_query *query,
                           const char *from, uint64_t limit, struct sw_answer *answer,
                           struct sw_err *err)
{
    SW_CLEANUP(sw_buffer_done) struct sw_buffer path = {0};
    struct sw_request request = {.method = "GET"};

    sw_buffer_init(&path, PATH_BYTES_MAX);
    sw_buffer_put_text(&path, "/apis/swarm/v1/namespaces/");
    sw_client_escape(cli->namespace, &path);
    sw_buffer_put_text(&path, "/agents/");
    sw_client_escape(query->agent, &path);
    sw_buffer_print(&path, "/instances?limit=%u",
                    (unsigned)(limit == 0 || limit > PAGE_ITEMS ? PAGE_ITEMS : limit));
    put_parameter(&path, "continue", from);
    put_parameter(&path, "prefix", query->prefix);
    put_parameter(&path, "state", query->states);
    if (query->is_count)
        put_parameter(&path, "count", "true");
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
    view->time = sw_member_text(usage, "time");
    view->cpu_ns = sw_member_number(usage, "cpuNanoseconds");
    view->messages = sw_member_number(usage, "messages");
    view->message_bytes = sw_member_number(usage, "messageBytes");
    view->sent = sw_member_number(usage, "sent");
    view->sent_bytes = sw_member_number(usage, "sentBytes");
    view->wakeups = sw_member_number(usage, "wakeups");
    view->memory_byte_s = sw_member_number(usage, "memoryByteSeconds");
    view->has_bytes = sw_member_number(usage, "memoryBytes");
    view->fuel = sw_member_number(usage, "fuel");
}

static struct sw_instance_view view_of(const struct sw_tree *item)
{
    struct sw_instance_view view = {.name = sw_member_text(item, "name"),
                                    .pod = sw_member_text(item, "pod"),
                                    .node = sw_member_text(item, "node"),
                                    .state = sw_member_text(item, "state"),
                                    .module = sw_member_text(item, "module"),
                                    .message = sw_member_text(item, "message"),
                                    .turns = sw_member_number(item, "turns"),
                                    .mailbox = sw_member_number(item, "mailbox"),
                                    .memory_bytes = sw_member_number(item, "memoryBytes"),
                                    .disk_bytes = sw_member_number(item, "diskBytes")};

    read_usage(sw_tree_find(item, "usage"), &view);
    return view;
}

static void add_counts(const struct sw_tree *counts, struct sw_instance_counts *sums)
{
    for (const struct sw_tree *state = counts->first; state != NULL; state = state->next) {
        size_t at = 0;

        while (at < sums->count && strcmp(sums->states[at].name, state->key) != 0)
            at++;
        if (at == SW_INSTANCE_STATES_MAX)
            continue;
        if (at == sums->count)
            (void)snprintf(sums->states[sums->count++].name, sizeof sums->states[0].name, "%s",
                           state->key);
        sums->states[at].instances += sw_member_number(counts, state->key);
    }
}

/* One page. *left: of the limit; UINT64_MAX: there is none. */
static enum sw_rc visit_page(struct sw_cli *cli, const struct sw_instance_query *query,
                             const struct sw_instance_visitor *visitor, uint64_t *left,
                             char next[SW_INSTANCE_CONTINUE_SIZE], struct sw_err *err)
{
    SW_CLEANUP(sw_answer_done) struct sw_answer answer = {0};
    SW_CLEANUP(sw_arena_freep) struct sw_arena *arena = sw_arena_new(SW_CLI_ARENA_BYTES_MAX);
    const struct sw_tree *tree = NULL, *items, *counts;
    enum sw_rc rc;

    if (arena == NULL)
        return sw_cli_no_memory(err);
    sw_answer_init(&answer);
    rc = ask_page(cli, query, next, *left, &answer, err);
    if (rc != SW_OK)
        return rc;
    rc = sw_members_take(&answer, arena, &tree, err);
    if (rc != SW_OK)
        return rc;
    (void)snprintf(next, SW_INSTANCE_CONTINUE_SIZE, "%s", sw_member_text(tree, "continue"));
    counts = sw_tree_find(tree, "counts");
    if (query->is_count && counts != NULL)
        add_counts(counts, visitor->counts);
    items = sw_tree_find(tree, "items");
    for (const struct sw_tree *item = items == NULL ? NULL : items->first;
         rc == SW_OK && item != NULL; item = item->next) {
        struct sw_instance_view view = view_of(item);

        rc = visitor->visit(visitor->ctx, &view, err);
        *left -= *left != UINT64_MAX && *left > 0;
    }
    return rc == SW_OK && visitor->end_page != NULL
               ? visitor->end_page(visitor->ctx, next[0] != '\0' && *left > 0, err)
               : rc;
}

enum sw_rc sw_instances_visit(struct sw_cli *cli, const struct sw_instance_query *query,
                              const struct sw_instance_visitor *visitor,
                              char ret_next[SW_INSTANCE_CONTINUE_SIZE], struct sw_err *err)
{
    uint64_t left = query->limit == 0 ? UINT64_MAX : query->limit;
    enum sw_rc rc;

    (void)snprintf(ret_next, SW_INSTANCE_CONTINUE_SIZE, "%s",
                   query->from == NULL ? "" : query->from);
    do
        rc = visit_page(cli, query, visitor, &left, ret_next, err);
    while (rc == SW_OK && left > 0 && ret_next[0] != '\0');
    return rc;
}
