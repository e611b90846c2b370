/* The figures of this node's agents and of the modules, as /metrics shows them.
 *
 * Threads: the loop's.  I/O: none. */
#pragma once
#include "pkg/agent/controller/controller.h"
#include "pkg/controller/modules/controller.h"
#include "pkg/metrics/collector/collector.h"

#define FIGURES_MAX 24

struct figures {                    /* Outlives the collector. */
    const struct sw_agents *agents; /* Both set before the first call, and borrowed. */
    const struct sw_module_controller *modules;
    struct sw_series *series[FIGURES_MAX];
};

/* Register them; each is read from a view whenever the collector is read.
 * SW_E_EXHAUSTED: no memory. */
SW_MUST_CHECK enum sw_rc figures_add(struct figures *figures, struct sw_collector *collector,
                                     struct sw_err *err);
