/* What the agent hosts want of the store, and the Node of them.
 *
 * Threads: the loop's.  I/O: reads the store. */
#pragma once
#include "pkg/agent/hosts/hosts.h"
#include "pkg/controller/node/controller.h"

/* Whether an Agent or a Pod needs the data of such a host; ctx is the struct sw_objects. What
 * cannot be read needs it. */
bool hosts_is_needed(void *ctx, const struct sw_host_about *about);
/* Visit them for the Node's status; ctx is the struct sw_hosts. */
void hosts_each(void *ctx, sw_node_host_visit *visit, void *visit_ctx);
