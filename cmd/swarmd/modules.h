/* Modules and their machine code, as the gateway and the supervisor want them.
 *
 * Threads: the loop's.  I/O: through pkg/agent/modules and pkg/agent/compiler. */
#pragma once
#include "pkg/agent/compiler/compiler.h"
#include "pkg/agent/controller/controller.h"
#include "pkg/agent/modules/modules.h"
#include "web/api/gateway.h"

struct modules_adapter { /* Borrowed; set before the first call. */
    struct sw_modules *modules;
    struct sw_compiler *compiler;
};

/* Both take the adapter as their ctx; it outlives them. */
struct sw_gateway_modules modules_adapter_gateway(struct modules_adapter *adapter);
struct sw_machine_code modules_adapter_code(struct modules_adapter *adapter);
