/* Effects that ended and Approvals that were decided go when they are old: the Cluster's
 * spec.recordRetention.
 *
 * Threads: the loop's.  I/O: the store's.  Limits: SW_RECORDS_PAGE of them are looked at, and
 * deleted, in one pass.  Cost: one look at all of them each SW_RECORDS_EVERY_MS. */
#pragma once
#include "pkg/store/objects/objects.h"
#include "pkg/utils/logger/logger.h"
#include "pkg/utils/loop/loop.h"

#define SW_RECORDS_PAGE 64u
#define SW_RECORDS_EVERY_MS 3600000u
#define SW_RECORDS_GRACE_MS 3600000u

struct sw_records_controller; /* Opaque. */

struct sw_records_controller_options { /* All borrowed. */
    struct sw_loop *loop;
    const struct sw_system *system;
    const struct sw_logger *logger;
    struct sw_objects *objects;
    /* After so long the first look is taken. Less than SW_RECORDS_GRACE_MS only for tests. */
    uint64_t grace_ms;
};

/* SW_E_EXHAUSTED: no memory. */
SW_MUST_CHECK enum sw_rc
sw_records_controller_new(const struct sw_records_controller_options *options,
                          struct sw_records_controller **ret_controller, struct sw_err *err);
void sw_records_controller_free(struct sw_records_controller *controller);
SW_DEFINE_CLEANUP(struct sw_records_controller, sw_records_controller_free)
