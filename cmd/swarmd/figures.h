/* The figures of this node's agents and of the modules, as /metrics shows them.
 *
 * Threads: the loop's.  I/O: none. */
#pragma once
#include "pkg/agent/hosts/hosts.h"
#include "pkg/broker/process/process.h"
#include "pkg/controller/modules/controller.h"
#include "pkg/metrics/collector/collector.h"

#define FIGURES_MAX 33
#define FIGURES_OF_HOST_MAX 8
#define FIGURES_OF_SPACE_MAX 12

struct figures {                  /* Outlives the collector. */
    const struct sw_hosts *hosts; /* These are set before the first call, and borrowed. */
    const struct sw_module_controller *modules;
    const struct sw_process_service *processes;
    struct sw_series *series[FIGURES_MAX];
    struct sw_metric *of_hosts[FIGURES_OF_HOST_MAX];   /* With a series for each host; */
    struct sw_metric *of_spaces[FIGURES_OF_SPACE_MAX]; /* and for each of some namespaces, */
    struct sw_metric *throttled;                       /* and limit. */
};

/* Register them; each is read from a view whenever the collector is read.
 * SW_E_EXHAUSTED: no memory. */
SW_MUST_CHECK enum sw_rc figures_add(struct figures *figures, struct sw_collector *collector,
                                     struct sw_err *err);
