/* swarm.delay: answers with the body that it was called with, after so many milliseconds as that
 * says. What tests and benchmarks call, and what shows how a service is made.
 *
 * Threads: the loop's.  I/O: a timer on the loop.  Limits: SW_DELAY_MAX_MS of a call. */
#pragma once
#include "pkg/broker/service/service.h"
#include "pkg/utils/loop/loop.h"
#include "pkg/utils/system/system.h"

#define SW_DELAY_NAME "swarm.delay"
#define SW_DELAY_MAX_MS 3600000u

struct sw_delay; /* Opaque. */

/* loop and system are borrowed.  SW_E_EXHAUSTED: no memory. */
SW_MUST_CHECK enum sw_rc sw_delay_new(struct sw_loop *loop, const struct sw_system *system,
                                      struct sw_delay **ret_delay, struct sw_err *err);
/* Calls that are under way are never answered. */
void sw_delay_free(struct sw_delay *delay);
SW_DEFINE_CLEANUP(struct sw_delay, sw_delay_free)
/* What to add to a registry. It answers SW_E_INVALID to a body that is no number up to the limit,
 * SW_E_EXHAUSTED without memory. */
struct sw_service sw_delay_service(struct sw_delay *delay);
