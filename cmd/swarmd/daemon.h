/* The daemon: wires store, controllers, agents and gateway on one loop, runs it, stops it in order.
 *
 * Threads: the loop's, which is the caller's.  I/O: everything, through the rooms it wires. */
#pragma once
#include "pkg/config/loader/loader.h"
#include "pkg/utils/logger/logger.h"

/* Run until SIGINT or SIGTERM, then stop cleanly: no new requests, the agent host's snapshot, the
 * store. A second signal ends at once; nothing that was acknowledged is lost by that.
 * Prints one line on standard output once requests are served.
 * Errors: as whatever could not be started, with words and a hint; SW_E_INTERNAL after the store
 * could not make data durable. */
SW_MUST_CHECK enum sw_rc daemon_run(const struct sw_system *system,
                                    const struct sw_settings *settings,
                                    const struct sw_logger *logger, struct sw_err *err);
