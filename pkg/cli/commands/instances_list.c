#include "pkg/cli/commands/commands.h"
#include "pkg/cli/commands/instances.h"
#include "pkg/apis/swarm/v1/json.h"
#include "pkg/utils/base/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MODULE_SHOWN 19    /* "sha256:" and 12 digits. */
#define SORTED_MAX 100000u /* Instances that are held to be sorted. */
#define COUNT(array) (sizeof(array) / sizeof(array)[0])

struct listing {
    struct sw_cli *cli;
    enum sw_output_format format;
    bool has_header, has_printed;
    bool is_sorted; /* By what, once all are there. */
    int (*compare)(const void *one, const void *other);
    struct sw_output_widths widths;
    struct sw_arena *arena; /* Of the rows that are held. */
    struct sw_instance_view *rows;
    size_t count, room, printed;
    struct sw_buffer out;
};

/* --- Order ----------------------------------------------------------------------------------- */

/* Numbers in names as such. */
static int by_name(const void *one, const void *other)
{
    const struct sw_instance_view *a = one, *b = other;

    return strverscmp(a->name, b->name);
}

static int by_state(const void *one, const void *other)
{
    const struct sw_instance_view *a = one, *b = other;
    int order = strcmp(a->state, b->state);

    return order != 0 ? order : by_name(one, other);
}

static uint64_t memory_of(const struct sw_instance_view *view)
{
    return view->memory_bytes != 0 ? view->memory_bytes : view->has_bytes;
}

/* The most first. */
#define COMPARE_BY(name, value)                                                                    \
    static int by_##name(const void *one, const void *other)                                       \
    {                                                                                              \
        const struct sw_instance_view *a = one, *b = other;                                        \
        uint64_t first = value(a), second = value(b);                                              \
                                                                                                   \
        return first != second ? (first < second ? 1 : -1) : by_name(one, other);                  \
    }
#define MEMBER_turns(view) (view)->turns
#define MEMBER_mailbox(view) (view)->mailbox
#define MEMBER_disk(view) (view)->disk_bytes
#define MEMBER_cpu(view) (view)->cpu_ns
#define MEMBER_messages(view) (view)->messages
COMPARE_BY(turns, MEMBER_turns)
COMPARE_BY(mailbox, MEMBER_mailbox)
COMPARE_BY(disk, MEMBER_disk)
COMPARE_BY(cpu, MEMBER_cpu)
COMPARE_BY(messages, MEMBER_messages)
COMPARE_BY(memory, memory_of)

static const struct {
    const char *name;
    int (*compare)(const void *one, const void *other);
} orders[] = {{"name", by_name},       {"state", by_state},      {"turns", by_turns},
              {"waiting", by_mailbox}, {"memory", by_memory},    {"disk", by_disk},
              {"cpu", by_cpu},         {"messages", by_messages}};

static enum sw_rc read_order(struct sw_cli *cli, struct listing *listing, struct sw_err *err)
{
    const char *name = sw_arguments_text(cli->arguments, "sort-by");

    listing->is_sorted = name != NULL;
    listing->compare = by_name;
    for (size_t i = 0; name != NULL && i < COUNT(orders); i++)
        if (strcmp(name, orders[i].name) == 0) {
            listing->compare = orders[i].compare;
            return SW_OK;
        }
    return name == NULL ? SW_OK
                        : sw_cli_usage(cli, err,
                                       "--sort-by is name, state, turns, waiting, memory, disk, "
                                       "cpu or messages");
}

/* --- Rows ------------------------------------------------------------------------------------ */

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

static void add_row(const struct listing *listing, struct sw_table *table,
                    const struct sw_instance_view *view)
{
    bool is_wide = listing->format == SW_OUTPUT_WIDE;

    sw_table_add(table, view->name);
    sw_table_add(table, view->state);
    sw_table_print(table, "%" PRIu64, view->turns);
    sw_table_print(table, "%" PRIu64, view->mailbox);
    if (memory_of(view) == 0 && view->disk_bytes > 0)
        sw_table_add(table, "-"); /* It sleeps, and keeps nothing that tells. */
    else
        sw_table_print(table, "%" PRIu64 " KiB", (memory_of(view) + 1023) / 1024);
    if (is_wide && view->disk_bytes == 0)
        sw_table_add(table, "-");
    else if (is_wide)
        sw_table_print(table, "%.1f KiB", (double)view->disk_bytes / 1024.0);
    sw_table_add(table, view->pod);
    sw_table_print(table, "%.*s", MODULE_SHOWN, view->module);
    if (is_wide)
        add_usage(table, view);
    sw_table_add(table, view->message);
}

static enum sw_rc put_table(struct listing *listing, struct sw_err *err)
{
    static const char *const header[] = {"NAME",   "STATE", "TURNS",  "WAITING",
                                         "MEMORY", "POD",   "MODULE", "MESSAGE"};
    static const char *const wide[] = {"NAME",  "STATE",   "TURNS",  "WAITING",  "MEMORY", "DISK",
                                       "POD",   "MODULE",  "CPU",    "MESSAGES", "BYTES",  "SENT",
                                       "BYTES", "WAKEUPS", "MEMORY", "MESSAGE"};
    bool is_wide = listing->format == SW_OUTPUT_WIDE;
    size_t columns = is_wide ? COUNT(wide) : COUNT(header);
    SW_CLEANUP(sw_table_freep) struct sw_table *table = sw_table_new(columns);

    if (table == NULL)
        return sw_cli_no_memory(err);
    for (size_t i = 0; i < columns && listing->has_header; i++)
        sw_table_add(table, is_wide ? wide[i] : header[i]);
    listing->has_header = false;
    for (size_t i = 0; i < listing->count; i++)
        add_row(listing, table, &listing->rows[i]);
    sw_table_share_widths(table, &listing->widths);
    return sw_table_put(table, &listing->out) == SW_OK ? SW_OK : sw_cli_no_memory(err);
}

struct member {              /* Of an instance, as the API has it. */
    const char *name, *text; /* NULL: its number. */
    uint64_t number;
};

static void put_members(struct sw_buffer *out, const struct member *members, size_t count,
                        const char *between)
{
    for (size_t i = 0; i < count; i++) {
        bool is_json = between[0] == ',';

        sw_buffer_print(out, is_json ? "%s\"%s\": " : "%s%s: ", i == 0 ? "" : between,
                        members[i].name);
        if (members[i].text != NULL)
            sw_json_put_text(out, members[i].text); /* Which YAML reads the same way. */
        else
            sw_buffer_print(out, "\"%" PRIu64 "\"", members[i].number);
    }
}

static void put_document(struct listing *listing, const struct sw_instance_view *view)
{
    const struct member members[] = {{"name", view->name, 0},
                                     {"pod", view->pod, 0},
                                     {"node", view->node, 0},
                                     {"state", view->state, 0},
                                     {"module", view->module, 0},
                                     {"message", view->message, 0},
                                     {"turns", NULL, view->turns},
                                     {"mailbox", NULL, view->mailbox},
                                     {"memoryBytes", NULL, view->memory_bytes},
                                     {"diskBytes", NULL, view->disk_bytes}};
    const struct member usage[] = {{"cpuNanoseconds", NULL, view->cpu_ns},
                                   {"messages", NULL, view->messages},
                                   {"messageBytes", NULL, view->message_bytes},
                                   {"sent", NULL, view->sent},
                                   {"sentBytes", NULL, view->sent_bytes},
                                   {"wakeups", NULL, view->wakeups},
                                   {"memoryByteSeconds", NULL, view->memory_byte_s},
                                   {"memoryBytes", NULL, view->has_bytes},
                                   {"fuel", NULL, view->fuel},
                                   {"time", view->time, 0}};
    bool is_json = listing->format == SW_OUTPUT_JSON;
    struct sw_buffer *out = &listing->out;

    sw_buffer_put_text(out, !is_json ? "\n- " : listing->printed == 0 ? "\n  {" : ",\n  {");
    put_members(out, members, COUNT(members), is_json ? ", " : "\n  ");
    if (view->is_metered) {
        sw_buffer_put_text(out, is_json ? ", \"usage\": {" : "\n  usage:\n    ");
        put_members(out, usage, COUNT(usage), is_json ? ", " : "\n    ");
        sw_buffer_put_text(out, is_json ? "}" : "");
    }
    sw_buffer_put_text(out, is_json ? "}" : "");
}

/* --- Pages ----------------------------------------------------------------------------------- */

/* Print what is held. */
static enum sw_rc flush(struct listing *listing, struct sw_err *err)
{
    enum sw_rc rc = SW_OK;

    if (listing->format <= SW_OUTPUT_WIDE)
        rc = put_table(listing, err);
    for (size_t i = 0; i < listing->count && listing->format > SW_OUTPUT_WIDE; i++) {
        const struct sw_instance_view *view = &listing->rows[i];

        if (listing->format != SW_OUTPUT_NAME) {
            put_document(listing, view);
        } else {
            sw_output_put_safe(&listing->out, view->name, strlen(view->name), false);
            sw_buffer_put_text(&listing->out, "\n");
        }
        listing->printed++;
    }
    listing->count = 0;
    listing->has_printed = true;
    if (rc == SW_OK && sw_buffer_check(&listing->out) != SW_OK)
        return sw_cli_no_memory(err);
    if (rc == SW_OK)
        sw_cli_put(listing->cli, &listing->out);
    sw_buffer_reset(&listing->out);
    sw_arena_reset(listing->arena);
    return rc;
}

static enum sw_rc hold(void *ctx, const struct sw_instance_view *view, struct sw_err *err)
{
    struct listing *listing = ctx;
    const char **texts[7];
    struct sw_instance_view *row, *grown;

    if (listing->is_sorted && listing->count == SORTED_MAX)
        return sw_err_set(err, SW_E_EXHAUSTED,
                          "more than %u instances are not sorted; choose some with --key-prefix, "
                          "--state or --limit",
                          SORTED_MAX);
    if (listing->count == listing->room) {
        grown = realloc(listing->rows, (listing->room * 2 + 1024) * sizeof *grown);
        if (grown == NULL)
            return sw_cli_no_memory(err);
        listing->rows = grown;
        listing->room = listing->room * 2 + 1024;
    }
    row = &listing->rows[listing->count++];
    *row = *view;
    texts[0] = &row->name, texts[1] = &row->pod, texts[2] = &row->node, texts[3] = &row->state;
    texts[4] = &row->module, texts[5] = &row->message, texts[6] = &row->time;
    for (size_t i = 0; i < COUNT(texts); i++) {
        *texts[i] = sw_arena_print(listing->arena, "%s", *texts[i]);
        if (*texts[i] == NULL)
            return sw_cli_no_memory(err);
    }
    return SW_OK;
}

/* What is asked for in an order is held until all of it is there, and so is what is one page. */
static enum sw_rc end_page(void *ctx, bool has_more, struct sw_err *err)
{
    struct listing *listing = ctx;

    if (listing->is_sorted && has_more)
        return SW_OK;
    if (listing->count > 0 && (listing->is_sorted || (!has_more && !listing->has_printed)))
        qsort(listing->rows, listing->count, sizeof *listing->rows, listing->compare);
    return flush(listing, err);
}

static void put_end(struct listing *listing, const char *next)
{
    if (listing->format == SW_OUTPUT_JSON || listing->format == SW_OUTPUT_YAML) {
        bool is_json = listing->format == SW_OUTPUT_JSON;

        sw_buffer_put_text(&listing->out, is_json                ? "\n], \"continue\": "
                                          : listing->printed > 0 ? "\ncontinue: "
                                                                 : " []\ncontinue: ");
        sw_json_put_text(&listing->out, next);
        sw_buffer_put_text(&listing->out, is_json ? "}\n" : "\n");
        sw_cli_put(listing->cli, &listing->out);
        sw_buffer_reset(&listing->out);
    } else if (next[0] != '\0') {
        sw_cli_say(listing->cli, "there are more: --continue %s\n", next);
    }
}

static enum sw_rc list(struct sw_cli *cli, const struct sw_instance_query *query,
                       enum sw_output_format format, struct sw_err *err)
{
    SW_CLEANUP(sw_arena_freep) struct sw_arena *arena = sw_arena_new(SW_CLI_ARENA_BYTES_MAX);
    struct listing listing = {.cli = cli,
                              .format = format,
                              .arena = arena,
                              .has_header = !sw_arguments_is(cli->arguments, "no-headers", false)};
    struct sw_instance_visitor visitor = {.visit = hold, .end_page = end_page, .ctx = &listing};
    char next[SW_INSTANCE_CONTINUE_SIZE] = "";
    enum sw_rc rc = read_order(cli, &listing, err);

    if (rc != SW_OK || arena == NULL)
        return rc == SW_OK ? sw_cli_no_memory(err) : rc;
    sw_buffer_init(&listing.out, SW_CLI_OUTPUT_BYTES_MAX);
    if (format == SW_OUTPUT_JSON || format == SW_OUTPUT_YAML)
        sw_buffer_put_text(&listing.out, format == SW_OUTPUT_JSON ? "{\"items\": [" : "items:");
    rc = sw_instances_visit(cli, query, &visitor, next, err);
    if (rc == SW_OK)
        put_end(&listing, next);
    free(listing.rows);
    sw_buffer_done(&listing.out);
    return rc;
}

/* --- Counts ---------------------------------------------------------------------------------- */

static enum sw_rc count(struct sw_cli *cli, const struct sw_instance_query *query,
                        enum sw_output_format format, struct sw_err *err)
{
    SW_CLEANUP(sw_buffer_done) struct sw_buffer out = {0};
    SW_CLEANUP(sw_table_freep) struct sw_table *table = sw_table_new(2);
    struct member members[SW_INSTANCE_STATES_MAX];
    struct sw_instance_counts counts = {0};
    struct sw_instance_visitor visitor = {.counts = &counts};
    char next[SW_INSTANCE_CONTINUE_SIZE] = "";
    uint64_t total = 0;
    enum sw_rc rc = sw_instances_visit(cli, query, &visitor, next, err);

    if (rc != SW_OK || table == NULL)
        return rc == SW_OK ? sw_cli_no_memory(err) : rc;
    sw_buffer_init(&out, SW_CLI_OUTPUT_BYTES_MAX);
    if (!sw_arguments_is(cli->arguments, "no-headers", false)) {
        sw_table_add(table, "STATE");
        sw_table_add(table, "INSTANCES");
    }
    for (size_t i = 0; i < counts.count; i++) {
        members[i] = (struct member){counts.states[i].name, NULL, counts.states[i].instances};
        total += counts.states[i].instances;
        if (counts.states[i].instances == 0)
            continue;
        sw_table_add(table, counts.states[i].name);
        sw_table_print(table, "%" PRIu64, counts.states[i].instances);
    }
    sw_table_add(table, "Total");
    sw_table_print(table, "%" PRIu64, total);
    if (format == SW_OUTPUT_TABLE) {
        rc = sw_table_put(table, &out);
    } else {
        bool is_json = format == SW_OUTPUT_JSON;

        sw_buffer_put_text(&out, is_json ? "{\"counts\": {" : "counts:\n  ");
        put_members(&out, members, counts.count, is_json ? ", " : "\n  ");
        sw_buffer_print(&out,
                        is_json ? "}, \"total\": \"%" PRIu64 "\"}\n" : "\ntotal: \"%" PRIu64 "\"\n",
                        total);
    }
    if (rc == SW_OK)
        sw_cli_put(cli, &out);
    return rc == SW_OK ? rc : sw_cli_no_memory(err);
}

/* --- The command ----------------------------------------------------------------------------- */

/* AGENT, agents/AGENT, AGENT/PREFIX, and flags. */
static enum sw_rc read_query(struct sw_cli *cli, struct sw_instance_query *ret_query,
                             struct sw_err *err)
{
    const struct sw_arguments *arguments = cli->arguments;
    const char *agent = sw_arguments_at(arguments, 1);
    const char *limit = sw_arguments_text(arguments, "limit"), *slash;

    *ret_query = (struct sw_instance_query){.prefix = sw_arguments_text(arguments, "key-prefix"),
                                            .states = sw_arguments_text(arguments, "state"),
                                            .from = sw_arguments_text(arguments, "continue"),
                                            .is_count = sw_arguments_is(arguments, "count", false)};
    if (agent == NULL || sw_arguments_count(arguments) > 2)
        return sw_cli_usage(cli, err, "instances are those of one Agent: get instances AGENT");
    if (strncmp(agent, "agents/", 7) == 0)
        agent += 7;
    slash = strchr(agent, '/');
    if (slash != NULL && ret_query->prefix != NULL)
        return sw_cli_usage(cli, err, "a prefix stands behind AGENT/ or in --key-prefix");
    ret_query->agent = sw_cli_format(
        cli, "%.*s", (int)(slash == NULL ? strlen(agent) : (size_t)(slash - agent)), agent);
    if (slash != NULL)
        ret_query->prefix = slash + 1;
    if (limit != NULL && (sw_text_to_u64(limit, &ret_query->limit) != SW_OK || //
                          ret_query->limit == 0))
        return sw_cli_usage(cli, err, "--limit is a number of instances");
    if (ret_query->is_count && (limit != NULL || sw_arguments_text(arguments, "sort-by") != NULL))
        return sw_cli_usage(cli, err, "--count counts all: without --limit and --sort-by");
    return SW_OK;
}

/* Flags of objects: whoever gives one would take all instances for those that were meant. */
static enum sw_rc refuse_flags_of_objects(struct sw_cli *cli, struct sw_err *err)
{
    const struct sw_arguments *arguments = cli->arguments;

    if (sw_arguments_text(arguments, "selector") != NULL)
        return sw_cli_usage(cli, err, "instances have no labels: --key-prefix or --state choose");
    if (sw_arguments_is(arguments, "watch", false))
        return sw_cli_usage(cli, err, "instances cannot be watched: see swarm top");
    if (sw_arguments_is(arguments, "all-namespaces", false))
        return sw_cli_usage(cli, err, "instances are those of one Agent: choose by --namespace");
    return SW_OK;
}

enum sw_rc sw_command_instances(struct sw_cli *cli, enum sw_output_format format,
                                struct sw_err *err)
{
    struct sw_instance_query query;
    enum sw_rc rc = refuse_flags_of_objects(cli, err);

    if (rc == SW_OK)
        rc = read_query(cli, &query, err);
    if (rc != SW_OK)
        return rc;
    if (format == SW_OUTPUT_JSONPATH)
        return sw_cli_usage(cli, err, "instances are shown as table, wide, name, json or yaml");
    if (query.is_count && (format == SW_OUTPUT_WIDE || format == SW_OUTPUT_NAME))
        return sw_cli_usage(cli, err, "counts are shown as table, json or yaml");
    return query.is_count ? count(cli, &query, format, err) : list(cli, &query, format, err);
}
