/* The module of bridges between agent hosts, which is a part of this program.
 *
 * Threads: the loop's.  I/O: the folder of modules. */
#pragma once
#include "pkg/agent/modules/modules.h"

#define BRIDGE_NAMESPACE "swarm-bridge" /* That it is kept under, beside those of users. */

/* Have it among the modules, so that journals can be replayed with it.  Errors: as sw_modules_put.
 */
SW_MUST_CHECK enum sw_rc bridge_keep(struct sw_modules *modules, struct sw_err *err);
const char *bridge_digest(void); /* Once it is kept. */
