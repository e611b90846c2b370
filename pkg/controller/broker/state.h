/* What the files of this room share; nobody else includes it. Threads, I/O, limits: controller.h.
 */
#pragma once
#include "pkg/client/informers/informer.h"
#include "pkg/controller/broker/controller.h"
#include "pkg/controller/reconciler/reconciler.h"

struct sw_broker_controller {
    struct sw_broker_controller_options options;
    struct sw_reconciler *providers_work, *budgets_work;
    struct sw_informer *providers, *secrets, *budgets, *clusters;
    struct sw_arena *scratch;
};

/* Whether all is known that a provider's calls depend on. */
bool sw_broker_is_synced(const struct sw_broker_controller *controller);

/* Have the broker know the provider as it is in the store. */
void sw_broker_provider_bring(struct sw_broker_controller *controller,
                              const struct sw_store_item *item);
void sw_broker_provider_take_away(struct sw_broker_controller *controller, const char *key);
/* Whether the provider's key is a value of that Secret, by its store key. */
bool sw_broker_provider_uses(struct sw_broker_controller *controller,
                             const struct sw_store_item *item, const char *secret_key);
enum sw_rc sw_broker_provider_reconcile(void *ctx, struct sw_pass *pass, struct sw_err *err);

/* Have the ledger know a Budget's rule as it is now, or that it is no more. */
void sw_broker_budget_bring(struct sw_broker_controller *controller,
                            const struct sw_informer_change *change);
void sw_broker_cluster_bring(struct sw_broker_controller *controller,
                             const struct sw_store_item *item);
enum sw_rc sw_broker_budget_reconcile(void *ctx, struct sw_pass *pass, struct sw_err *err);
