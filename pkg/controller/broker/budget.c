#include "pkg/controller/broker/state.h"

#include "pkg/broker/catalog/catalog.h"
#include "pkg/utils/base/text.h"

#include <stdio.h>
#include <string.h>

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
                                     .depth = UINT32_MAX};
    if (limits->depth <= UINT32_MAX) /* Of an agent's own call it is 1 there, and 0 here. */
        ret->depth = limits->depth == 0 ? 0 : (uint32_t)limits->depth - 1;
}

static struct sw_budget_rule rule_of(const struct sw_catalog_budget *budget)
{
    struct sw_budget_rule rule = {.period = period_of(budget->period)};

    take_limits(&budget->own, &rule.own);
    take_limits(&budget->instance, &rule.instance);
    take_limits(&budget->turn, &rule.turn);
    return rule;
}

static bool is_older(const struct sw_api_budget *one, const struct sw_api_budget *other)
{
    if (one->metadata.creation_timestamp != other->metadata.creation_timestamp)
        return one->metadata.creation_timestamp < other->metadata.creation_timestamp;
    return strcmp(one->metadata.name, other->metadata.name) < 0;
}

/* The one that counts of those for the same: the oldest. */
static struct sw_api_budget *counting(const struct sw_broker_controller *controller,
                                      const char *name_space, const char *agent,
                                      struct sw_arena *arena)
{
    const struct sw_kind *kind = sw_kind_find("Budget");
    char prefix[SW_OBJECT_KEY_MAX];
    struct sw_api_budget *found = NULL;
    const struct sw_store_item *item;
    size_t cursor = 0;

    sw_object_key(kind, name_space, NULL, prefix);
    while (sw_informer_next(controller->budgets, &cursor, &item)) {
        void *object = NULL;

        if (strncmp(item->key, prefix, strlen(prefix)) != 0 ||
            sw_object_of_item(kind, item, arena, &object, NULL) != SW_OK)
            continue;
        struct sw_api_budget *budget = object;
        if (strcmp(budget->spec.agent, agent) == 0 && (found == NULL || is_older(budget, found)))
            found = budget;
    }
    return found;
}

static void tell(struct sw_broker_controller *controller, const char *name_space,
                 const struct sw_err *err)
{
    sw_log(controller->options.logger, SW_LOG_ERROR, "broker", "a budget of %s cannot be kept: %s",
           name_space, err->message);
}

static void set(struct sw_broker_controller *controller, const char *name_space, const char *agent,
                const struct sw_api_budget *budget)
{
    struct sw_catalog_budget read;
    struct sw_budget_rule rule = {0};
    struct sw_err err = {0};

    if (budget != NULL && sw_catalog_read_budget(budget, &read, &err) == SW_OK)
        rule = rule_of(&read); /* What cannot be read allows nothing. */
    if (sw_ledger_set(controller->options.ledger, name_space, agent[0] == '\0' ? NULL : agent,
                      budget == NULL ? NULL : &rule, &err) != SW_OK)
        tell(controller, name_space, &err);
}

/* Visit each Agent for which the ledger has a rule, so that one whose Budget has gone has none. */
struct ruled {
    struct sw_broker_controller *controller;
    const char *name_space;
    struct sw_arena *arena;
    const char *names[256];
    size_t count;
    bool has_own;
};

static void note_ruled(void *ctx, const struct sw_budget_view *view)
{
    struct ruled *ruled = ctx;

    if (!view->has_rule || strcmp(view->name_space, ruled->name_space) != 0)
        return;
    if (view->level == SW_BUDGET_NAMESPACE)
        ruled->has_own = true;
    else if (view->level == SW_BUDGET_AGENT && ruled->count < 256)
        ruled->names[ruled->count++] =
            sw_arena_copy(ruled->arena, view->agent, strlen(view->agent));
}

/* All rules of the namespace: those that there are, and those that there were. */
static void bring(struct sw_broker_controller *controller, const char *name_space,
                  struct sw_arena *arena)
{
    struct ruled ruled = {
        .controller = controller, .name_space = name_space, .arena = arena, .count = 0};
    char prefix[SW_OBJECT_KEY_MAX];
    const struct sw_store_item *item;
    size_t cursor = 0;

    sw_object_key(sw_kind_find("Budget"), name_space, NULL, prefix);
    while (sw_informer_next(controller->budgets, &cursor, &item)) {
        void *object = NULL;

        if (strncmp(item->key, prefix, strlen(prefix)) != 0 ||
            sw_object_of_item(sw_kind_find("Budget"), item, arena, &object, NULL) != SW_OK)
            continue;
        const struct sw_api_budget *budget = object;
        set(controller, name_space, budget->spec.agent,
            counting(controller, name_space, budget->spec.agent, arena));
    }
    sw_ledger_each(controller->options.ledger, note_ruled, &ruled);
    if (ruled.has_own && counting(controller, name_space, "", arena) == NULL)
        set(controller, name_space, "", NULL);
    for (size_t i = 0; i < ruled.count; i++)
        if (ruled.names[i] != NULL &&
            counting(controller, name_space, ruled.names[i], arena) == NULL)
            set(controller, name_space, ruled.names[i], NULL);
    sw_models_poke(controller->options.models);
}

void sw_broker_budgets_bring(struct sw_broker_controller *controller, const char *key)
{
    SW_CLEANUP(sw_arena_freep) struct sw_arena *arena = sw_arena_new(SW_RECONCILER_ARENA_MAX);
    const char *from = strchr(key, '/'), *to = strrchr(key, '/');
    char name_space[SW_BUDGET_NAME_MAX + 1];

    if (arena == NULL || from == NULL || to == from || controller->budgets == NULL)
        return;
    (void)snprintf(name_space, sizeof name_space, "%.*s", (int)(to - from - 1), from + 1);
    bring(controller, name_space, arena);
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
    if (sw_ledger_set(controller->options.ledger, NULL, NULL,
                      sw_budget_is_bounded(&rule.own) ? &rule : NULL, &err) != SW_OK)
        tell(controller, "the Cluster", &err);
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
    const char *agent = budget->spec.agent, *name_space = budget->metadata.namespace;
    const struct sw_api_budget *counts = counting(controller, name_space, agent, arena);
    bool is_active = counts != NULL && strcmp(counts->metadata.name, budget->metadata.name) == 0;
    struct sw_budget_view view = {0};
    struct sw_api_condition condition = {
        .type = "Active",
        .status = is_active ? SW_API_CONDITION_STATUS_TRUE : SW_API_CONDITION_STATUS_FALSE,
        .reason = is_active ? "Counts" : "AnotherBudget",
        .message = is_active || counts == NULL
                       ? ""
                       : sw_arena_print(arena, "Budget %s is for the same, and older",
                                        counts->metadata.name),
        .last_transition_time = system->utc_ns(system->ctx),
        .observed_generation = budget->metadata.generation};

    if (!is_active || !sw_ledger_find(controller->options.ledger, name_space,
                                      agent[0] == '\0' ? NULL : agent, &view))
        memset(&view, 0, sizeof view);
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
