/* Agents' webhooks are told of their Approvals.
 *
 *     Approval: Pending          ─► POST approval.requested ─► 2xx ─► status.told: Pending
 *               over, if told of ─► POST approval.decided   ─► 2xx ─► status.told: its phase
 *                                     └ anything else: an Event of the Agent, and again later
 *
 * As Standard Webhooks 1.0 (standardwebhooks.com) have it: the headers webhook-id,
 * webhook-timestamp and webhook-signature "v1,BASE64" with HMAC-SHA-256 over "ID.TIMESTAMP.BODY";
 * the body is {"type", "timestamp", "data": the Approval}.
 * Threads: the loop's.  I/O: the store's; sockets through pkg/broker/outbound.
 * Limits: SW_WEBHOOKS_MAX under way; the others wait for their turn. */
#pragma once
#include "pkg/broker/outbound/outbound.h"
#include "pkg/controller/events/controller.h"
#include "pkg/security/secrets/secrets.h"
#include "pkg/store/objects/objects.h"
#include "pkg/utils/logger/logger.h"
#include "pkg/utils/loop/loop.h"

#define SW_WEBHOOKS_MAX 256u

struct sw_webhooks_controller; /* Opaque. */

struct sw_webhooks_controller_options { /* All borrowed. */
    struct sw_loop *loop;
    const struct sw_system *system;
    const struct sw_logger *logger;
    struct sw_objects *objects;
    struct sw_events *events;
    struct sw_outbound *outbound; /* Goes anywhere: for webhooks that are `private`. */
    struct sw_outbound *public;   /* Goes to the internet only. */
};

/* SW_E_EXHAUSTED: no memory, or no watch left. */
SW_MUST_CHECK enum sw_rc
sw_webhooks_controller_new(const struct sw_webhooks_controller_options *options,
                           struct sw_webhooks_controller **ret_controller, struct sw_err *err);
/* Before the outbounds are freed. What is under way is broken off. */
void sw_webhooks_controller_free(struct sw_webhooks_controller *controller);
SW_DEFINE_CLEANUP(struct sw_webhooks_controller, sw_webhooks_controller_free)
