/* Programs in sandboxes: the rooms of the process runtime, wired together.
 *
 * Threads: the loop's.  I/O: that of the rooms. */
#pragma once
#include "cmd/swarmd/broker.h"
#include "pkg/agent/modules/modules.h"
#include "pkg/broker/process/process.h"

struct process { /* In the order in which they are made; the first ones are set before. */
    struct sw_loop *loop;
    const struct sw_system *system;
    const struct sw_logger *logger;
    struct sw_modules *modules; /* Where images are pushed to. */
    struct sw_cgroups *cgroups;
    struct broker *broker;
    struct sw_processes *processes;
    struct sw_images *images;
    struct sw_process_service *service;
};

/* Have the service of processes among the broker's.  Errors as those of the rooms. */
SW_MUST_CHECK enum sw_rc process_start(struct process *process, const char *data_folder,
                                       unsigned processes_max, struct sw_err *err);
/* Calls have ended, and the broker is still there. */
void process_free(struct process *process);
