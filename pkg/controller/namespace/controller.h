/* Namespaces that are being deleted: all that is in them is deleted, and when nothing is left they
 * go. Nothing new can be made in them meanwhile (pkg/store/objects sees to that).
 * Threads: the loop's.  I/O: the store's.  Limits: SW_NAMESPACE_BATCH_MAX deletions a commit. */
#pragma once
#include "pkg/store/objects/objects.h"
#include "pkg/utils/logger/logger.h"
#include "pkg/utils/loop/loop.h"

#define SW_NAMESPACE_BATCH_MAX 200

struct sw_namespace_controller; /* Opaque. */

struct sw_namespace_controller_options { /* All borrowed. */
    struct sw_loop *loop;
    const struct sw_system *system;
    const struct sw_logger *logger;
    struct sw_objects *objects;
};

/* Begin to reconcile.  SW_E_EXHAUSTED: no memory or no watch left. */
SW_MUST_CHECK enum sw_rc
sw_namespace_controller_new(const struct sw_namespace_controller_options *options,
                            struct sw_namespace_controller **ret_controller, struct sw_err *err);
void sw_namespace_controller_free(struct sw_namespace_controller *controller);
SW_DEFINE_CLEANUP(struct sw_namespace_controller, sw_namespace_controller_free)
