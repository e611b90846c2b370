/* The broker of this node: models, what they may cost, and the services that agents call.
 *
 * Threads: the loop's.  I/O: that of pkg/broker. */
#pragma once
#include "pkg/broker/approval/approval.h"
#include "pkg/broker/egress/service/service.h"
#include "pkg/broker/loops/service/guard.h"
#include "pkg/broker/model/front/front.h"
#include "pkg/broker/model/service/service.h"
#include "pkg/broker/service/delay.h"
#include "pkg/config/validator/settings.h"
#include "pkg/controller/broker/controller.h"
#include "pkg/controller/webhooks/controller.h"
#include "pkg/metrics/collector/collector.h"
#include "web/api/gateway.h"

#define BROKER_OF_PROVIDER_MAX 12
#define BROKER_OF_LEDGER_MAX 8
#define BROKER_OF_LOOPS_MAX 4

struct broker { /* In the order in which they are made. */
    struct sw_loop *loop;
    const struct sw_system *system;
    const struct sw_logger *logger;
    const struct sw_keyring *ring; /* That Secrets are opened with. */
    uint64_t timeline;             /* Of the data folder. */
    struct sw_objects *objects;
    struct sw_services *services;
    struct sw_delay *delay;
    struct sw_outbound *outbound;
    struct sw_outbound *public, *any; /* Of agents: to the internet; where a rule says so. */
    struct sw_ledger *ledger;
    struct sw_models *models;
    struct sw_model_services *model_services;
    struct sw_approvals *approvals;
    struct sw_http_calls *http_calls;
    struct sw_guard *guard;      /* In front of what instances call. */
    struct sw_model_watch watch; /* The guard, for the front. */
    struct sw_model_front front;
    struct sw_events *events; /* As controller. */
    struct sw_timer *tick;
    struct sw_broker_controller *controller; /* NULL: the controllers are not up. */
    struct sw_webhooks_controller *webhooks; /* As controller. */
    struct sw_metric *of_providers[BROKER_OF_PROVIDER_MAX];
    struct sw_series *of_ledger[BROKER_OF_LEDGER_MAX];
    struct sw_series *of_loops[BROKER_OF_LOOPS_MAX + 2];
};

/* Open the ledger below the folder of data and have services for agents. The fields down to objects
 * are set before. Errors as those of the rooms. */
SW_MUST_CHECK enum sw_rc broker_start(struct broker *broker, const struct sw_settings *settings,
                                      struct sw_err *err);
/* Register its figures; they are read from a view whenever the collector is.
 * SW_E_EXHAUSTED: no memory. */
SW_MUST_CHECK enum sw_rc broker_figures_add(struct broker *broker, struct sw_collector *collector,
                                            struct sw_err *err);
/* Have what the store says: providers, Secrets, budgets. */
SW_MUST_CHECK enum sw_rc broker_controller_start(struct broker *broker, struct sw_objects *objects,
                                                 struct sw_events *events, struct sw_err *err);
/* Before those go whom they tell of Events. Again: nothing. */
void broker_controller_free(struct broker *broker);
/* Agents are about to be stopped: what they ask people stays asked. */
void broker_quiesce(struct broker *broker);
/* Spend nothing any more, and have all of the ledger on the disk before done. */
void broker_stop(struct broker *broker, void (*done)(void *ctx), void *ctx);
void broker_free(struct broker *broker);
/* Serve a request for a path of the gateway to models, such as "v1/models", and end it. */
void broker_serve(struct broker *broker, struct sw_http_request *request,
                  const struct sw_model_client *client, const char *path);
/* For the gateway; ctx is the broker. */
struct sw_gateway_models broker_gateway(struct broker *broker);
