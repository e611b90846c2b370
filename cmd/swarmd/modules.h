/* Modules and their machine code, as the gateway and the supervisor want them.
 *
 * Threads: the loop's.  I/O: through pkg/agent/modules and pkg/agent/compiler. */
#pragma once
#include "pkg/agent/compiler/compiler.h"
#include "pkg/agent/hosts/hosts.h"
#include "pkg/agent/modules/modules.h"
#include "pkg/controller/modules/controller.h"
#include "web/api/gateway.h"

struct modules_adapter { /* Borrowed; set before the first call. */
    struct sw_modules *modules;
    struct sw_compiler *compiler;
    struct sw_hosts *hosts;                 /* Set before the controller is made. */
    struct sw_module_controller *collector; /* NULL before it is. */
};

/* Both take the adapter as their ctx; it outlives them. */
struct sw_gateway_modules modules_adapter_gateway(struct modules_adapter *adapter);
struct sw_machine_code modules_adapter_code(struct modules_adapter *adapter);
/* Fit the supervisor and the compiler to the controller of modules. */
void modules_adapter_collect(struct modules_adapter *adapter,
                             struct sw_module_controller_options *options);
