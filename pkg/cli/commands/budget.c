#include "pkg/cli/commands/commands.h"

#include "pkg/cli/output/output.h"
#include "pkg/client/clientset/objects.h"
#include "pkg/utils/base/text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define TABLE_BYTES_MAX ((size_t)4 << 20)
#define NONE "none"
#define NAMESPACE_BUDGET "namespace" /* Name of the Budget that is made for a whole namespace. */

static enum sw_rc list(struct sw_cli *cli, struct sw_objects *ret_budgets, struct sw_err *err)
{
    struct sw_object_key key = {.kind = sw_kind_find("Budget"), .name = ""};
    enum sw_rc rc = sw_cli_connect(cli, err);

    key.namespace = cli->namespace; /* Known since it is connected. */
    return rc == SW_OK ? sw_client_list(cli->client, &key, "", cli->arena, ret_budgets, err) : rc;
}

/* --- What there is --------------------------------------------------------------------------- */

static double share_of(uint64_t used, uint64_t limit)
{
    if (limit == 0)
        return 1;
    return (double)used / (double)limit;
}

/* How much is used of what is shortest, from 0 to 1 and perhaps more. */
static double used_share(const struct sw_api_budget *budget)
{
    const struct sw_api_budget_limits *limits = &budget->spec.limits;
    const struct sw_api_budget_use *spent = &budget->status.spent;
    uint64_t limit, used;
    double most = 0, share;

    if (sw_text_to_money(limits->money, &limit) == SW_OK) {
        if (sw_text_to_money(spent->money, &used) != SW_OK)
            used = 0;
        most = share_of(used, limit);
    }
    if (limits->has_tokens && (share = share_of(spent->tokens, limits->tokens)) > most)
        most = share;
    if (limits->has_calls && (share = share_of(spent->calls, limits->calls)) > most)
        most = share;
    if (sw_text_to_duration_ns(limits->wall_time, &limit) == SW_OK) {
        if (sw_text_to_duration_ns(spent->wall_time, &used) != SW_OK)
            used = 0;
        if ((share = share_of(used, limit)) > most)
            most = share;
    }
    return most;
}

static const char *or_dash(const char *text)
{
    return text[0] == '\0' ? "-" : text;
}

static void add_count(struct sw_table *table, uint64_t used, bool has_limit, uint64_t limit)
{
    if (has_limit)
        sw_table_print(table, "%" PRIu64 "/%" PRIu64, used, limit);
    else
        sw_table_print(table, "%" PRIu64 "/-", used);
}

static void add_row(struct sw_table *table, const struct sw_api_budget *budget)
{
    const struct sw_api_budget_limits *limits = &budget->spec.limits;
    const struct sw_api_budget_status *status = &budget->status;
    const char *period = sw_api_enum_text(&sw_api_budget_period_enum, (int)budget->spec.period);

    sw_table_add(table, budget->metadata.name);
    sw_table_add(table, budget->spec.agent[0] == '\0' ? "(all)" : budget->spec.agent);
    sw_table_print(table, "%.0f%%", used_share(budget) * 100);
    sw_table_print(table, "$%s/%s%s", status->spent.money[0] == '\0' ? "0" : status->spent.money,
                   limits->money[0] == '\0' ? "" : "$", or_dash(limits->money));
    add_count(table, status->spent.tokens, limits->has_tokens, limits->tokens);
    add_count(table, status->spent.calls, limits->has_calls, limits->calls);
    sw_table_print(table, "%s/%s", or_dash(status->spent.wall_time), or_dash(limits->wall_time));
    sw_table_print(table, "%" PRIu64, status->refused);
    sw_table_add(table, period == NULL || strcmp(period, NONE) == 0 ? "-" : period);
}

static enum sw_rc print(struct sw_cli *cli, void *const *items, size_t count, struct sw_err *err)
{
    static const char *const header[] = {"NAME",  "AGENT", "USED",    "MONEY", "TOKENS",
                                         "CALLS", "TIME",  "REFUSED", "PERIOD"};
    SW_CLEANUP(sw_table_freep) struct sw_table *table = sw_table_new(9);
    SW_CLEANUP(sw_buffer_done) struct sw_buffer text = {0};

    sw_buffer_init(&text, TABLE_BYTES_MAX);
    if (table == NULL)
        return sw_cli_no_memory(err);
    for (size_t i = 0; i < sizeof header / sizeof header[0]; i++)
        sw_table_add(table, header[i]);
    for (size_t i = 0; i < count; i++)
        add_row(table, items[i]);
    if (sw_table_put(table, &text) != SW_OK)
        return sw_cli_no_memory(err);
    sw_cli_put(cli, &text);
    return SW_OK;
}

static bool is_wanted(const struct sw_cli *cli, const struct sw_api_budget *budget)
{
    size_t count = sw_arguments_count(cli->arguments);

    for (size_t i = 0; i < count; i++) {
        const char *name = sw_arguments_at(cli->arguments, i);

        if (strcmp(name, budget->spec.agent) == 0 || strcmp(name, budget->metadata.name) == 0)
            return true;
    }
    return count == 0;
}

enum sw_rc sw_command_budget_get(struct sw_cli *cli, struct sw_err *err)
{
    struct sw_objects budgets;
    size_t count = 0;
    enum sw_rc rc = list(cli, &budgets, err);

    if (rc != SW_OK)
        return rc;
    for (size_t i = 0; i < budgets.count; i++)
        if (is_wanted(cli, budgets.items[i]))
            budgets.items[count++] = budgets.items[i];
    if (count == 0 && sw_arguments_count(cli->arguments) > 0) {
        const char *name = sw_arguments_at(cli->arguments, 0);

        (void)sw_err_set(err, SW_E_NOT_FOUND, "there is no budget for %.63s in namespace %s", name,
                         cli->namespace);
        sw_err_hint(err, "make one with: swarm budget set %.63s --money=1.00", name);
        return SW_E_NOT_FOUND;
    }
    return print(cli, budgets.items, count, err);
}

static int compare_shares(const void *one, const void *other)
{
    double a = used_share(*(void *const *)one), b = used_share(*(void *const *)other);

    return (a < b) - (a > b);
}

enum sw_rc sw_command_budget_top(struct sw_cli *cli, struct sw_err *err)
{
    struct sw_objects budgets;
    enum sw_rc rc = list(cli, &budgets, err);

    if (rc != SW_OK)
        return rc;
    if (budgets.count > 0)
        qsort(budgets.items, budgets.count, sizeof *budgets.items, compare_shares);
    return print(cli, budgets.items, budgets.count, err);
}

/* --- Setting --------------------------------------------------------------------------------- */

static enum sw_rc take_number(struct sw_cli *cli, const char *flag, bool *has, uint64_t *value,
                              struct sw_err *err)
{
    const char *text = sw_arguments_text(cli->arguments, flag);

    if (text == NULL)
        return SW_OK;
    *has = strcmp(text, NONE) != 0;
    *value = 0;
    if (*has && sw_text_to_u64(text, value) != SW_OK)
        return sw_cli_usage(cli, err, "--%s takes a number, or " NONE, flag);
    return SW_OK;
}

static void take_text(struct sw_cli *cli, const char *flag, const char **value)
{
    const char *text = sw_arguments_text(cli->arguments, flag);

    if (text != NULL)
        *value = strcmp(text, NONE) == 0 ? "" : text;
}

static enum sw_rc take_limits(struct sw_cli *cli, struct sw_api_budget_limits *limits,
                              struct sw_err *err)
{
    enum sw_rc rc = take_number(cli, "tokens", &limits->has_tokens, &limits->tokens, err);
    uint64_t depth = limits->depth;

    take_text(cli, "money", &limits->money);
    take_text(cli, "wall-time", &limits->wall_time);
    if (rc == SW_OK)
        rc = take_number(cli, "calls", &limits->has_calls, &limits->calls, err);
    if (rc == SW_OK)
        rc = take_number(cli, "depth", &limits->has_depth, &depth, err);
    if (rc == SW_OK && depth > UINT32_MAX)
        return sw_cli_usage(cli, err, "--depth is too large");
    limits->depth = (uint32_t)depth;
    return rc;
}

static enum sw_rc take_period(struct sw_cli *cli, enum sw_api_budget_period *period,
                              struct sw_err *err)
{
    const char *text = sw_arguments_text(cli->arguments, "period");
    const struct sw_api_enum_value *value;

    if (text == NULL)
        return SW_OK;
    value = sw_api_enum_find(&sw_api_budget_period_enum, text);
    if (value == NULL)
        return sw_cli_usage(cli, err, "--period is hour, day, month or " NONE);
    *period = (enum sw_api_budget_period)value->number;
    return SW_OK;
}

/* The oldest one for the same: others are changed with swarm apply. */
static struct sw_api_budget *find(const struct sw_objects *budgets, const char *agent)
{
    struct sw_api_budget *found = NULL;

    for (size_t i = 0; i < budgets->count; i++) {
        struct sw_api_budget *budget = budgets->items[i];

        if (strcmp(budget->spec.agent, agent) == 0 &&
            (found == NULL ||
             budget->metadata.creation_timestamp < found->metadata.creation_timestamp))
            found = budget;
    }
    return found;
}

static struct sw_api_budget_limits *limits_of(struct sw_cli *cli, struct sw_api_budget *budget)
{
    const char *each = sw_arguments_text(cli->arguments, "each");

    if (each == NULL)
        return &budget->spec.limits;
    if (strcmp(each, "instance") == 0)
        return &budget->spec.instance;
    return strcmp(each, "turn") == 0 ? &budget->spec.turn : NULL;
}

static struct sw_api_budget *make(struct sw_cli *cli, const char *agent)
{
    struct sw_api_budget *budget = sw_object_new(sw_kind_find("Budget"), cli->arena);

    if (budget == NULL)
        return NULL;
    budget->metadata.name = agent[0] == '\0' ? NAMESPACE_BUDGET : agent;
    budget->metadata.namespace = cli->namespace;
    budget->spec.agent = agent;
    return budget;
}

enum sw_rc sw_command_budget_set(struct sw_cli *cli, struct sw_err *err)
{
    const char *agent =
        sw_arguments_count(cli->arguments) > 0 ? sw_arguments_at(cli->arguments, 0) : "";
    struct sw_objects budgets;
    struct sw_api_budget_limits *limits;
    struct sw_object_wish wish;
    void *stored = NULL;
    enum sw_rc rc = list(cli, &budgets, err);

    if (rc != SW_OK)
        return rc;
    struct sw_api_budget *budget = find(&budgets, agent);
    if (budget == NULL)
        budget = make(cli, agent);
    if (budget == NULL)
        return sw_cli_no_memory(err);
    limits = limits_of(cli, budget);
    if (limits == NULL)
        return sw_cli_usage(cli, err, "--each is instance or turn");
    rc = take_limits(cli, limits, err);
    if (rc == SW_OK)
        rc = take_period(cli, &budget->spec.period, err);
    if (rc != SW_OK)
        return rc;
    wish = (struct sw_object_wish){.key = {.kind = sw_kind_find("Budget"),
                                           .namespace = cli->namespace,
                                           .name = budget->metadata.name},
                                   .object = budget,
                                   .dry_run = sw_arguments_is(cli->arguments, "dry-run", false)};
    rc = sw_client_apply(cli->client, &wish, cli->arena, &stored, err);
    if (rc != SW_OK || cli->is_quiet)
        return rc;
    return print(cli, &stored, 1, err);
}
