#include "pkg/controller/broker/controller.h"

#include "pkg/controller/broker/state.h"

#include <stdlib.h>

bool sw_broker_is_synced(const struct sw_broker_controller *controller)
{
    return controller->secrets != NULL && controller->budgets != NULL &&
           controller->clusters != NULL && sw_informer_is_synced(controller->secrets) &&
           sw_informer_is_synced(controller->budgets) &&
           sw_informer_is_synced(controller->clusters);
}

/* All providers anew, or those that use a Secret. */
static void bring_all(struct sw_broker_controller *controller, const char *secret_key)
{
    const struct sw_store_item *item;
    size_t cursor = 0;

    while (controller->providers != NULL && sw_broker_is_synced(controller) &&
           sw_informer_next(controller->providers, &cursor, &item)) {
        if (secret_key != NULL && !sw_broker_provider_uses(controller, item, secret_key))
            continue;
        sw_broker_provider_bring(controller, item);
        sw_reconciler_add(controller->providers_work, item->key, SW_BROKER_PASS_MS);
    }
}

static void on_synced(void *ctx)
{
    bring_all(ctx, NULL);
}

static void on_provider(void *ctx, const struct sw_informer_change *change)
{
    struct sw_broker_controller *controller = ctx;

    if (change->now == NULL) {
        sw_broker_provider_take_away(controller, change->before->key);
        return;
    }
    if (!sw_broker_is_synced(controller) ||
        (change->before != NULL &&
         sw_object_keeps_spec(sw_kind_find("ModelProvider"), change->before, change->now,
                              controller->scratch)))
        return;
    sw_broker_provider_bring(controller, change->now);
    sw_reconciler_add(controller->providers_work, change->now->key, 0);
}

static void on_secret(void *ctx, const struct sw_informer_change *change)
{
    bring_all(ctx, change->now != NULL ? change->now->key : change->before->key);
}

static void on_budget(void *ctx, const struct sw_informer_change *change)
{
    struct sw_broker_controller *controller = ctx;

    if (change->now != NULL && change->before != NULL &&
        sw_object_keeps_spec(sw_kind_find("Budget"), change->before, change->now,
                             controller->scratch))
        return;
    sw_broker_budget_bring(controller, change);
    if (change->now != NULL)
        sw_reconciler_add(controller->budgets_work, change->now->key, 0);
}

static void on_cluster(void *ctx, const struct sw_informer_change *change)
{
    if (change->now != NULL)
        sw_broker_cluster_bring(ctx, change->now);
}

static enum sw_rc watch(struct sw_broker_controller *made, struct sw_err *err)
{
    struct sw_objects *objects = made->options.objects;
    const struct sw_informer_handler clusters = {
        .ctx = made, .on_change = on_cluster, .on_synced = on_synced};
    const struct sw_informer_handler budgets = {
        .ctx = made, .on_change = on_budget, .on_synced = on_synced};
    const struct sw_informer_handler secrets = {
        .ctx = made, .on_change = on_secret, .on_synced = on_synced};
    const struct sw_informer_handler providers = {.ctx = made, .on_change = on_provider};
    enum sw_rc rc =
        sw_informer_new(objects, sw_kind_find("Cluster"), &clusters, &made->clusters, err);

    if (rc == SW_OK)
        rc = sw_informer_new(objects, sw_kind_find("Budget"), &budgets, &made->budgets, err);
    if (rc == SW_OK)
        rc = sw_informer_new(objects, sw_kind_find("Secret"), &secrets, &made->secrets, err);
    if (rc == SW_OK)
        rc = sw_informer_new(objects, sw_kind_find("ModelProvider"), &providers, &made->providers,
                             err);
    return rc;
}

enum sw_rc sw_broker_controller_new(const struct sw_broker_controller_options *options,
                                    struct sw_broker_controller **ret_controller,
                                    struct sw_err *err)
{
    SW_CLEANUP(sw_broker_controller_freep)
    struct sw_broker_controller *made = calloc(1, sizeof *made);
    struct sw_reconciler_options frame = {.name = "provider",
                                          .loop = options->loop,
                                          .system = options->system,
                                          .logger = options->logger,
                                          .objects = options->objects,
                                          .ctx = made,
                                          .reconcile = sw_broker_provider_reconcile};
    enum sw_rc rc;

    if (made == NULL || (made->scratch = sw_arena_new(SW_OBJECT_ARENA_MAX)) == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for the controller of the broker");
    made->options = *options;
    rc = sw_reconciler_new(&frame, &made->providers_work, err);
    frame.name = "budget";
    frame.reconcile = sw_broker_budget_reconcile;
    if (rc == SW_OK)
        rc = sw_reconciler_new(&frame, &made->budgets_work, err);
    if (rc == SW_OK)
        rc = watch(made, err);
    if (rc == SW_OK)
        *ret_controller = SW_TAKE(made);
    return rc;
}

void sw_broker_controller_free(struct sw_broker_controller *controller)
{
    if (controller == NULL)
        return;
    sw_informer_free(controller->providers);
    sw_informer_free(controller->secrets);
    sw_informer_free(controller->budgets);
    sw_informer_free(controller->clusters);
    sw_reconciler_free(controller->providers_work);
    sw_reconciler_free(controller->budgets_work);
    sw_arena_free(controller->scratch);
    free(controller);
}

void sw_broker_controller_on_event(struct sw_broker_controller *controller, const char *provider,
                                   bool is_warning, const char *reason, const char *words)
{
    if (controller == NULL || controller->options.events == NULL)
        return;
    sw_events_record(controller->options.events,
                     &(struct sw_occurrence){.kind = sw_kind_find("ModelProvider"),
                                             .name = provider,
                                             .is_warning = is_warning,
                                             .reason = reason,
                                             .component = "broker",
                                             .message = words});
}
