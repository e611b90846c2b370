/* Objects whose owners are all gone are deleted. An owner is the same only with the same uid: an
 * object of that name made anew keeps nothing alive. Owners live in the same namespace, or outside
 * of namespaces. Events have no owners and are not looked at. What names an owner is known by its
 * uid, so a change costs what depends on the object, not what the namespace has. Threads: the
 * loop's.  I/O: the store's.  Limits: the objects that have owners. */
#pragma once
#include "pkg/store/objects/objects.h"
#include "pkg/utils/logger/logger.h"
#include "pkg/utils/loop/loop.h"

struct sw_garbage_collector; /* Opaque. */

struct sw_garbage_collector_options { /* All borrowed. */
    struct sw_loop *loop;
    const struct sw_system *system;
    const struct sw_logger *logger;
    struct sw_objects *objects;
};

/* Begin to collect.  SW_E_EXHAUSTED: no memory or no watch left. */
SW_MUST_CHECK enum sw_rc
sw_garbage_collector_new(const struct sw_garbage_collector_options *options,
                         struct sw_garbage_collector **ret_collector, struct sw_err *err);
void sw_garbage_collector_free(struct sw_garbage_collector *collector);
SW_DEFINE_CLEANUP(struct sw_garbage_collector, sw_garbage_collector_free)
