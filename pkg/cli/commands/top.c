#include "pkg/cli/commands/commands.h"
#include "pkg/cli/commands/members.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define INTERVAL_MS 2000
#define PATH_BYTES_MAX 4096
#define TOLD_MS                                                                                    \
    2000u /* Hosts tell what changed each second: who is silent for so long did nothing. */
#define NS_PER_S 1e9

/* What an Agent used, as it was told: its rates are those between the last two times. */
struct sample {
    char *agent;
    uint64_t instances, memory_bytes, messages, cpu_ns;
    uint64_t time_ns;  /* Up to when that is; 0: nothing was told. */
    uint64_t heard_ms; /* When another time was told last. */
    double messages_per_s, cpu;
    bool is_there;
};

struct top {
    struct sample *samples; /* Ascending by name. */
    size_t count, room;
};

/* The one of that Agent, made if it is not there; NULL: no memory. */
static struct sample *sample_of(struct top *top, const char *agent)
{
    size_t low = 0, high = top->count;
    struct sample *grown;
    char *name;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(top->samples[middle].agent, agent);

        if (order == 0)
            return &top->samples[middle];
        low = order < 0 ? middle + 1 : low;
        high = order < 0 ? high : middle;
    }
    if (top->count == top->room) {
        size_t room = top->room == 0 ? 16 : top->room * 2;

        grown = realloc(top->samples, room * sizeof *grown);
        if (grown == NULL)
            return NULL;
        top->samples = grown;
        top->room = room;
    }
    name = strdup(agent);
    if (name == NULL)
        return NULL;
    memmove(top->samples + low + 1, top->samples + low, (top->count - low) * sizeof *top->samples);
    top->samples[low] = (struct sample){.agent = name};
    top->count++;
    return &top->samples[low];
}

static void top_done(struct top *top)
{
    for (size_t i = 0; i < top->count; i++)
        free(top->samples[i].agent);
    free(top->samples);
}

/* Which Agents there are, and how many instances of each. */
static enum sw_rc look_at_agents(struct sw_cli *cli, struct top *top, struct sw_err *err)
{
    SW_CLEANUP(sw_arena_freep) struct sw_arena *arena = sw_arena_new(SW_CLI_ARENA_BYTES_MAX);
    struct sw_object_key key = {
        .kind = sw_kind_find("Agent"), .namespace = cli->namespace, .name = ""};
    struct sw_objects agents;
    enum sw_rc rc;

    if (arena == NULL)
        return sw_cli_no_memory(err);
    rc = sw_client_list(cli->client, &key, "", arena, &agents, err);
    for (size_t i = 0; i < top->count; i++)
        top->samples[i].is_there = false;
    for (size_t i = 0; rc == SW_OK && i < agents.count; i++) {
        const struct sw_api_agent *agent = agents.items[i];
        struct sample *sample = sample_of(top, agent->metadata.name);

        if (sample == NULL)
            return sw_cli_no_memory(err);
        sample->is_there = true;
        sample->instances = agent->status.instances;
    }
    return rc;
}

static void take_usage(struct sample *sample, const struct sw_tree *usage, uint64_t now_ms)
{
    uint64_t time_ns = 0, messages = sw_member_number(usage, "messages");
    uint64_t cpu_ns = sw_member_number(usage, "cpuNanoseconds");
    double passed;

    if (sw_time_parse(sw_member_text(usage, "time"), &time_ns) != SW_OK || time_ns == 0)
        return;
    sample->memory_bytes = sw_member_number(usage, "memoryBytes");
    if (time_ns == sample->time_ns) {
        if (now_ms - sample->heard_ms > TOLD_MS)
            sample->messages_per_s = sample->cpu = 0;
        return;
    }
    /* Less than before: the Agent is another one of that name. */
    if (sample->time_ns != 0 && time_ns > sample->time_ns && messages >= sample->messages &&
        cpu_ns >= sample->cpu_ns) {
        passed = (double)(time_ns - sample->time_ns);
        sample->messages_per_s = (double)(messages - sample->messages) / passed * NS_PER_S;
        sample->cpu = (double)(cpu_ns - sample->cpu_ns) / passed;
    }
    sample->messages = messages;
    sample->cpu_ns = cpu_ns;
    sample->time_ns = time_ns;
    sample->heard_ms = now_ms;
}

static enum sw_rc ask_usage(struct sw_cli *cli, struct sw_answer *answer, struct sw_err *err)
{
    SW_CLEANUP(sw_buffer_done) struct sw_buffer path = {0};
    struct sw_request request = {.method = "GET"};

    sw_buffer_init(&path, PATH_BYTES_MAX);
    sw_buffer_put_text(&path, "/apis/swarm/v1/namespaces/");
    sw_client_escape(cli->namespace, &path);
    sw_buffer_put_text(&path, "/usage");
    sw_buffer_put_u8(&path, 0);
    if (sw_buffer_check(&path) != SW_OK)
        return sw_err_set(err, SW_E_INVALID, "the name is too long");
    request.path = (const char *)path.data;
    return sw_client_call(cli->client, &request, answer, err);
}

/* What they used. */
static enum sw_rc look_at_usage(struct sw_cli *cli, struct top *top, struct sw_err *err)
{
    SW_CLEANUP(sw_answer_done) struct sw_answer answer = {0};
    SW_CLEANUP(sw_arena_freep) struct sw_arena *arena = sw_arena_new(SW_CLI_ARENA_BYTES_MAX);
    const struct sw_tree *tree = NULL, *items;
    enum sw_rc rc;

    if (arena == NULL)
        return sw_cli_no_memory(err);
    sw_answer_init(&answer);
    rc = ask_usage(cli, &answer, err);
    if (rc == SW_OK)
        rc = sw_members_take(&answer, arena, &tree, err);
    if (rc != SW_OK)
        return rc;
    items = sw_tree_find(tree, "items");
    for (const struct sw_tree *item = items == NULL ? NULL : items->first; item != NULL;
         item = item->next) {
        struct sample *sample = sample_of(top, sw_member_text(item, "agent"));

        if (sample == NULL)
            return sw_cli_no_memory(err);
        take_usage(sample, sw_tree_find(item, "usage"), sw_client_now_ms(cli->client));
    }
    return SW_OK;
}

static enum sw_rc look(struct sw_cli *cli, struct top *top, struct sw_err *err)
{
    enum sw_rc rc = look_at_agents(cli, top, err);

    return rc == SW_OK ? look_at_usage(cli, top, err) : rc;
}

static int compare_samples(const void *one, const void *other)
{
    const struct sample *a = *(const struct sample *const *)one;
    const struct sample *b = *(const struct sample *const *)other;

    if (a->cpu != b->cpu)
        return a->cpu < b->cpu ? 1 : -1;
    if (a->messages_per_s != b->messages_per_s)
        return a->messages_per_s < b->messages_per_s ? 1 : -1;
    return strcmp(a->agent, b->agent);
}

static void add_row(struct sw_table *table, const struct sample *sample)
{
    sw_table_add(table, sample->agent);
    sw_table_print(table, "%" PRIu64, sample->instances);
    sw_table_print(table, "%.1f", sample->messages_per_s);
    sw_table_print(table, "%.2f", sample->cpu);
    sw_table_print(table, "%.1f MiB", (double)sample->memory_bytes / 1048576.0);
}

/* The busiest first. */
static enum sw_rc print(struct sw_cli *cli, const struct top *top, struct sw_err *err)
{
    static const char *const header[] = {"AGENT", "INSTANCES", "MESSAGES/S", "CPU", "MEMORY"};
    SW_CLEANUP(sw_table_freep) struct sw_table *table = sw_table_new(5);
    SW_CLEANUP(sw_buffer_done) struct sw_buffer text = {0};
    const struct sample **rows = calloc(top->count + 1, sizeof(struct sample *));
    size_t count = 0;

    sw_buffer_init(&text, SW_CLI_OUTPUT_BYTES_MAX);
    if (table == NULL || rows == NULL) {
        free(rows);
        return sw_cli_no_memory(err);
    }
    for (size_t i = 0; i < 5; i++)
        sw_table_add(table, header[i]);
    for (size_t i = 0; i < top->count; i++)
        if (top->samples[i].is_there)
            rows[count++] = &top->samples[i];
    if (count > 1)
        qsort(rows, count, sizeof *rows, compare_samples);
    for (size_t i = 0; i < count; i++)
        add_row(table, rows[i]);
    free(rows);
    if (sw_table_put(table, &text) != SW_OK)
        return sw_cli_no_memory(err);
    sw_cli_put(cli, &text);
    return SW_OK;
}

enum sw_rc sw_command_top(struct sw_cli *cli, struct sw_err *err)
{
    SW_CLEANUP(top_done) struct top top = {0};
    uint64_t interval_ms = INTERVAL_MS;
    enum sw_rc rc = sw_cli_duration(cli, "interval", INTERVAL_MS, &interval_ms, err);

    if (rc == SW_OK)
        rc = sw_cli_connect(cli, err);
    if (rc == SW_OK)
        rc = look(cli, &top, err);
    do {
        if (rc == SW_OK)
            rc = sw_client_run(cli->client, interval_ms, err);
        if (rc == SW_OK)
            rc = look(cli, &top, err);
        if (rc == SW_OK)
            rc = print(cli, &top, err);
    } while (rc == SW_OK && sw_arguments_is(cli->arguments, "watch", false));
    return rc;
}
