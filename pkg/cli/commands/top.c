#include "pkg/cli/commands/commands.h"
#include "pkg/cli/commands/instances.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define INTERVAL_MS 1000

struct sample { /* Sums over the instances of one Agent. */
    const char *agent;
    uint64_t instances, waiting, turns, memory_bytes, time_ms;
    double turns_per_s;
};

static enum sw_rc add_instance(void *ctx, const struct sw_instance_view *view, struct sw_err *err)
{
    struct sample *sample = ctx;

    (void)err;
    sample->instances++;
    sample->waiting += view->mailbox;
    sample->turns += view->turns;
    sample->memory_bytes += view->memory_bytes;
    return SW_OK;
}

static enum sw_rc take_sample(struct sw_cli *cli, struct sample *sample, struct sw_err *err)
{
    const char *agent = sample->agent;
    struct sw_instance_query query = {.agent = agent};
    struct sw_instance_visitor visitor = {.ctx = sample, .visit = add_instance};
    char next[SW_INSTANCE_CONTINUE_SIZE];

    *sample = (struct sample){.agent = agent, .time_ms = sw_client_now_ms(cli->client)};
    return sw_instances_visit(cli, &query, &visitor, next, err);
}

static int compare_samples(const void *one, const void *other)
{
    const struct sample *a = one, *b = other;

    if (a->turns_per_s != b->turns_per_s)
        return a->turns_per_s < b->turns_per_s ? 1 : -1;
    return strcmp(a->agent, b->agent);
}

static enum sw_rc print_samples(struct sw_cli *cli, struct sample *samples, size_t count,
                                struct sw_err *err)
{
    SW_CLEANUP(sw_table_freep) struct sw_table *table = sw_table_new(5);
    SW_CLEANUP(sw_buffer_done) struct sw_buffer text = {0};
    static const char *const header[] = {"AGENT", "INSTANCES", "WAITING", "TURNS/S", "MEMORY"};

    sw_buffer_init(&text, SW_CLI_OUTPUT_BYTES_MAX);
    if (table == NULL)
        return sw_cli_no_memory(err);
    for (size_t i = 0; i < 5; i++)
        sw_table_add(table, header[i]);
    qsort(samples, count, sizeof *samples, compare_samples);
    for (size_t i = 0; i < count; i++) {
        sw_table_add(table, samples[i].agent);
        sw_table_print(table, "%" PRIu64, samples[i].instances);
        sw_table_print(table, "%" PRIu64, samples[i].waiting);
        sw_table_print(table, "%.1f", samples[i].turns_per_s);
        sw_table_print(table, "%.1f MiB", (double)samples[i].memory_bytes / 1048576.0);
    }
    if (sw_table_put(table, &text) != SW_OK)
        return sw_cli_no_memory(err);
    sw_cli_put(cli, &text);
    return SW_OK;
}

/* Two looks, an interval apart; an Agent that went away between them is left as it was. */
static enum sw_rc measure(struct sw_cli *cli, struct sample *samples, size_t count,
                          uint64_t interval_ms, struct sw_err *err)
{
    uint64_t begin_ms = sw_client_now_ms(cli->client), passed_ms;
    enum sw_rc rc = SW_OK;

    for (size_t i = 0; i < count && rc == SW_OK; i++)
        rc = take_sample(cli, &samples[i], err);
    passed_ms = sw_client_now_ms(cli->client) - begin_ms;
    if (rc == SW_OK && passed_ms < interval_ms)
        rc = sw_client_run(cli->client, interval_ms - passed_ms, err);
    for (size_t i = 0; i < count && rc == SW_OK; i++) {
        struct sample later = samples[i];
        uint64_t ms;

        rc = take_sample(cli, &later, err);
        ms = later.time_ms - samples[i].time_ms;
        if (rc == SW_OK && ms > 0 && later.turns >= samples[i].turns)
            later.turns_per_s = (double)(later.turns - samples[i].turns) * 1000.0 / (double)ms;
        if (rc == SW_OK)
            samples[i] = later;
    }
    return rc;
}

enum sw_rc sw_command_top(struct sw_cli *cli, struct sw_err *err)
{
    struct sw_object_key key = {.kind = sw_kind_find("Agent"), .name = ""};
    uint64_t interval_ms = INTERVAL_MS;
    struct sw_objects agents;
    struct sample *samples;
    enum sw_rc rc = sw_cli_duration(cli, "interval", INTERVAL_MS, &interval_ms, err);

    if (rc == SW_OK)
        rc = sw_cli_connect(cli, err);
    if (rc != SW_OK)
        return rc;
    key.namespace = cli->namespace;
    rc = sw_client_list(cli->client, &key, "", cli->arena, &agents, err);
    if (rc != SW_OK)
        return rc;
    samples = sw_arena_array(cli->arena, agents.count, sizeof *samples);
    if (samples == NULL)
        return sw_cli_no_memory(err);
    for (size_t i = 0; i < agents.count; i++)
        samples[i].agent = sw_object_meta_of(agents.items[i])->name;
    do {
        rc = measure(cli, samples, agents.count, interval_ms, err);
        if (rc == SW_OK)
            rc = print_samples(cli, samples, agents.count, err);
    } while (rc == SW_OK && sw_arguments_is(cli->arguments, "watch", false));
    return rc;
}
