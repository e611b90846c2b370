#include "pkg/controller/broker/state.h"

#include "pkg/broker/catalog/catalog.h"
#include "pkg/utils/base/text.h"

#include <string.h>

#define CLUSTER_RULE "cluster" /* Name of the rule that is no Budget. */

/* --- From the objects to the ledger ---------------------------------------------------------- */

static enum sw_budget_period period_of(enum sw_api_budget_period period)
{
    switch (period) {
    case SW_API_BUDGET_PERIOD_HOUR:
        return SW_BUDGET_HOUR;
    case SW_API_BUDGET_PERIOD_DAY:
        return SW_BUDGET_DAY;
    case SW_API_BUDGET_PERIOD_MONTH:
        return SW_BUDGET_MONTH;
    case SW_API_BUDGET_PERIOD_NONE:
    case SW_API_BUDGET_PERIOD_UNSPECIFIED:
    default:
        return SW_BUDGET_FOREVER;
    }
}

static void take_limits(const struct sw_catalog_limits *limits, struct sw_budget_limits *ret)
{
    *ret = (struct sw_budget_limits){.most = {{{.money_nano = limits->money,
                                                .tokens = limits->tokens,
                                                .calls = limits->calls,
                                                .wall_ns = limits->wall_ns}}},
                                     .depth = limits->depth > UINT32_MAX ? UINT32_MAX
                                                                         : (uint32_t)limits->depth};
}

static struct sw_budget_rule rule_of(const struct sw_catalog_budget *budget)
{
    struct sw_budget_rule rule = {.period = period_of(budget->period)};

    take_limits(&budget->own, &rule.own);
    take_limits(&budget->instance, &rule.instance);
    take_limits(&budget->turn, &rule.turn);
    return rule;
}

static void tell(struct sw_broker_controller *controller, const char *name,
                 const struct sw_err *err)
{
    sw_log(controller->options.logger, SW_LOG_ERROR, "broker", "the budget %s cannot be kept: %s",
           name, err->message);
}

static const char *agent_of(const struct sw_api_budget *budget)
{
    return budget->spec.agent[0] == '\0' ? NULL : budget->spec.agent;
}

static struct sw_api_budget *read_item(const struct sw_store_item *item, struct sw_arena *arena)
{
    void *object = NULL;

    if (item == NULL ||
        sw_object_of_item(sw_kind_find("Budget"), item, arena, &object, NULL) != SW_OK)
        return NULL;
    return object;
}

void sw_broker_budget_bring(struct sw_broker_controller *controller,
                            const struct sw_informer_change *change)
{
    SW_CLEANUP(sw_arena_freep) struct sw_arena *arena = sw_arena_new(2 * SW_OBJECT_ARENA_MAX);
    struct sw_ledger *ledger = controller->options.ledger;
    struct sw_budget_rule rule = {0};
    struct sw_catalog_budget read;
    struct sw_err err = {0};

    if (arena == NULL) {
        (void)sw_err_set(&err, SW_E_EXHAUSTED, "no memory");
        tell(controller, change->now != NULL ? change->now->key : change->before->key, &err);
        return;
    }
    const struct sw_api_budget *before = read_item(change->before, arena);
    const struct sw_api_budget *now = read_item(change->now, arena);
    if (before != NULL && (now == NULL || strcmp(before->spec.agent, now->spec.agent) != 0) &&
        sw_ledger_set(ledger, before->metadata.namespace, agent_of(before), before->metadata.name,
                      NULL, &err) != SW_OK)
        tell(controller, before->metadata.name, &err);
    if (now != NULL && sw_catalog_read_budget(now, &read, &err) == SW_OK)
        rule = rule_of(&read); /* What cannot be read allows nothing. */
    if (now != NULL && sw_ledger_set(ledger, now->metadata.namespace, agent_of(now),
                                     now->metadata.name, &rule, &err) != SW_OK)
        tell(controller, now->metadata.name, &err);
    sw_models_poke(controller->options.models);
}

void sw_broker_cluster_bring(struct sw_broker_controller *controller,
                             const struct sw_store_item *item)
{
    SW_CLEANUP(sw_arena_freep) struct sw_arena *arena = sw_arena_new(SW_OBJECT_ARENA_MAX);
    struct sw_catalog_budget read;
    struct sw_budget_rule rule = {0};
    struct sw_err err = {0};
    void *object = NULL;

    if (arena == NULL ||
        sw_object_of_item(sw_kind_find("Cluster"), item, arena, &object, NULL) != SW_OK)
        return;
    if (sw_catalog_read_root(object, &read, &err) == SW_OK)
        rule = rule_of(&read);
    if (sw_ledger_set(controller->options.ledger, NULL, NULL, CLUSTER_RULE,
                      sw_budget_is_bounded(&rule.own) ? &rule : NULL, &err) != SW_OK)
        tell(controller, CLUSTER_RULE, &err);
    sw_models_poke(controller->options.models);
}

/* --- And back -------------------------------------------------------------------------------- */

static bool say_use(const struct sw_budget_amount *amount, struct sw_api_budget_use *ret_use,
                    struct sw_arena *arena)
{
    char money[SW_MONEY_TEXT_SIZE];

    sw_money_print(amount->money_nano, money);
    ret_use->money = sw_arena_copy(arena, money, strlen(money));
    ret_use->wall_time =
        sw_arena_print(arena, "%llums", (unsigned long long)(amount->wall_ns / 1000000));
    ret_use->tokens = amount->tokens;
    ret_use->calls = amount->calls;
    return ret_use->money != NULL && ret_use->wall_time != NULL;
}

static enum sw_rc say(const struct sw_broker_controller *controller, struct sw_api_budget *budget,
                      struct sw_arena *arena)
{
    const struct sw_system *system = controller->options.system;
    struct sw_api_budget_status *status = &budget->status;
    struct sw_budget_view view = {0};
    bool is_kept = sw_ledger_find(controller->options.ledger, budget->metadata.namespace,
                                  agent_of(budget), budget->metadata.name, &view);
    struct sw_api_condition condition = {
        .type = "Active",
        .status = is_kept ? SW_API_CONDITION_STATUS_TRUE : SW_API_CONDITION_STATUS_FALSE,
        .reason = is_kept ? "Counts" : "TooManyBudgets",
        .message = is_kept ? ""
                           : sw_arena_print(arena, "there are %u Budgets for the same already",
                                            SW_BUDGET_RULES_MAX),
        .last_transition_time = system->utc_ns(system->ctx),
        .observed_generation = budget->metadata.generation};

    if (condition.message == NULL || !say_use(&view.spent, &status->spent, arena) ||
        !say_use(&view.reserved, &status->reserved, arena))
        return SW_E_EXHAUSTED;
    status->period_start = view.begin_ns;
    status->refused = view.refused;
    status->observed_generation = budget->metadata.generation;
    return sw_condition_put(&status->conditions, &status->conditions_count, &condition, arena);
}

enum sw_rc sw_broker_budget_reconcile(void *ctx, struct sw_pass *pass, struct sw_err *err)
{
    struct sw_broker_controller *controller = ctx;
    const struct sw_kind *kind = sw_kind_find("Budget");
    const struct sw_store_item *item =
        sw_store_find(sw_objects_store(controller->options.objects), pass->key);
    void *object = NULL;
    enum sw_rc rc;

    if (item == NULL)
        return SW_OK;
    rc = sw_object_of_item(kind, item, pass->arena, &object, err);
    if (rc != SW_OK)
        return rc;
    if (say(controller, object, pass->arena) != SW_OK)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for the status of a budget");
    pass->again_ms = SW_BROKER_STATUS_MS;
    return sw_plan_update_status(pass->plan, kind, object, err);
}
