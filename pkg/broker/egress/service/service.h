/* The service "swarm.http": what agents ask others for over HTTP, as far as spec.egress of their
 * Agent lets them.
 *
 *     request ─► rules of the Agent ─► Secrets put in ─► room in the budgets ─► sent ─► answer
 *                                                  └ may it be made once only: an Effect is durable
 *                                                    before it is sent, and again when it ended
 *
 * What may be made once only (POST and PATCH, unless the rule says that the other side keeps to an
 * Idempotency-Key) is made once: a call that is asked for again, after a crash, gets the answer
 * that is kept, and where nobody knows whether it was made people are asked by an Approval. What
 * was begun is brought to its end also if its agent goes meanwhile. Secrets are known to this room
 * only: what an answer quotes of them is hidden.
 *
 * Threads: the loop's.  I/O: sockets through pkg/broker/outbound; the store's.
 * Limits: SW_HTTP_CALLS_MAX at once; those of the rules; SW_HTTP_KEPT_BYTES of an answer are kept.
 */
#pragma once
#include "pkg/broker/approval/approval.h"
#include "pkg/broker/budget/ledger.h"
#include "pkg/broker/outbound/outbound.h"
#include "pkg/broker/service/service.h"
#include "pkg/security/secrets/secrets.h"
#include "pkg/store/objects/objects.h"

#define SW_HTTP_SERVICE "swarm.http"
#define SW_HTTP_CALLS_MAX 65536u
#define SW_HTTP_KEPT_BYTES 200000u

struct sw_http_calls; /* Opaque. */

struct sw_http_calls_options { /* All borrowed; they outlive it. */
    struct sw_loop *loop;
    const struct sw_system *system;
    struct sw_objects *objects;
    struct sw_ledger *ledger;
    struct sw_approvals *approvals;
    struct sw_outbound *outbound; /* Goes anywhere: for rules that allow it. */
    struct sw_outbound *public;   /* Goes to the internet only. */
};

/* SW_E_EXHAUSTED: no memory. */
SW_MUST_CHECK enum sw_rc sw_http_calls_new(const struct sw_http_calls_options *options,
                                           struct sw_http_calls **ret_calls, struct sw_err *err);
/* Nobody is called any more. Before all that the options name is freed. */
void sw_http_calls_free(struct sw_http_calls *calls);
SW_DEFINE_CLEANUP(struct sw_http_calls, sw_http_calls_free)
/* The service, which borrows the calls. Bodies are those of request.h. */
struct sw_service sw_http_calls_service(struct sw_http_calls *calls);

struct sw_http_figures {
    uint64_t made, denied, failed, unknown; /* Since this process began. */
    uint32_t open;                          /* Now. */
};
void sw_http_calls_figures(const struct sw_http_calls *calls, struct sw_http_figures *ret_figures);
