/* ModelProviders, Secrets, Budgets and the Cluster's budget, as the broker of this node has them;
 * and back: how providers do and what was spent, in their status.
 *
 * Providers are there once all budgets are, so that no call is made that none was looked at for.
 * Threads: the loop's.  I/O: the store's.  Limits: none of its own.
 * Cost of a pass: O(providers) or O(1); one for each object every SW_BROKER_STATUS_MS, which writes
 * only what has changed. */
#pragma once
#include "pkg/broker/budget/ledger.h"
#include "pkg/broker/model/model.h"
#include "pkg/controller/events/controller.h"
#include "pkg/security/secrets/secrets.h"

#define SW_BROKER_PASS_MS 1000
#define SW_BROKER_STATUS_MS 5000

struct sw_broker_controller; /* Opaque. */

struct sw_broker_controller_options { /* All borrowed. */
    struct sw_loop *loop;
    const struct sw_system *system;
    const struct sw_logger *logger;
    struct sw_objects *objects;
    struct sw_events *events;
    struct sw_models *models;
    struct sw_ledger *ledger;
    const struct sw_keyring *ring; /* That Secrets are opened with. */
};

/* Begin to reconcile.  SW_E_EXHAUSTED: no memory or no watch left. */
SW_MUST_CHECK enum sw_rc
sw_broker_controller_new(const struct sw_broker_controller_options *options,
                         struct sw_broker_controller **ret_controller, struct sw_err *err);
void sw_broker_controller_free(struct sw_broker_controller *controller);
SW_DEFINE_CLEANUP(struct sw_broker_controller, sw_broker_controller_free)
/* For struct sw_models_options: what happens to a provider becomes an Event of it. ctx is the
 * controller's address, which may be NULL still. */
void sw_broker_controller_on_event(struct sw_broker_controller *controller, const char *provider,
                                   bool is_warning, const char *reason, const char *words);
