/* The modules that swarmd brings along: each is a part of this program, and is kept beside those of
 * users, in SW_MODULES_PLATFORM, for all namespaces. Journals are replayed with them, and bundles
 * run on them.
 *
 *     bridge      stands for Agents of other agent hosts (cmd/swarm-bridge)
 *     javascript  runs bundles of JavaScript (sdk/js)
 *     process     stands in front of a program in a sandbox (cmd/swarm-process-agent)
 *
 * Threads: the loop's.  I/O: the folder of modules. */
#pragma once
#include "pkg/agent/modules/modules.h"

/* Have all of them among the modules.  Errors: as sw_modules_put. */
SW_MUST_CHECK enum sw_rc builtins_keep(struct sw_modules *modules, struct sw_err *err);
/* The digest of the one of that name, once they are kept.  NULL: there is none. */
const char *builtin_digest(const char *name);
/* Whether one of them has that digest. */
bool builtins_have(const char *digest);
