/* The status of ResourceQuotas: what their namespaces use, and whether that is more than allowed.
 *
 * Threads: the loop's.  I/O: the store's.  Limits: none of its own.
 * Cost of a pass: O(Agents of the namespace); one after SW_QUOTA_PASS_MS at the earliest. */
#pragma once
#include "pkg/store/objects/objects.h"
#include "pkg/utils/logger/logger.h"
#include "pkg/utils/loop/loop.h"

#define SW_QUOTA_PASS_MS 1000

struct sw_quota_controller; /* Opaque. */

struct sw_quota_controller_options { /* All borrowed. */
    struct sw_loop *loop;
    const struct sw_system *system;
    const struct sw_logger *logger;
    struct sw_objects *objects;
};

/* Begin to reconcile.  SW_E_EXHAUSTED: no memory or no watch left. */
SW_MUST_CHECK enum sw_rc sw_quota_controller_new(const struct sw_quota_controller_options *options,
                                                 struct sw_quota_controller **ret_controller,
                                                 struct sw_err *err);
void sw_quota_controller_free(struct sw_quota_controller *controller);
SW_DEFINE_CLEANUP(struct sw_quota_controller, sw_quota_controller_free)
