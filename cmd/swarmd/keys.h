/* The keys of Secrets, as the gateway wants them.
 *
 * Threads: the loop's.  I/O: through pkg/controller/secrets. */
#pragma once
#include "pkg/controller/secrets/rotation.h"
#include "pkg/utils/logger/logger.h"
#include "web/api/gateway.h"

struct keys_adapter { /* The first three are borrowed, and set before the first call. */
    struct sw_objects *objects;
    struct sw_keyring *ring;
    const struct sw_logger *logger;
    struct sw_rotation *rotation; /* That goes on. */
    void (*done)(void *ctx, enum sw_rc rc, struct sw_bytes json, const struct sw_err *err);
    void *ctx; /* Of done. */
};

/* It takes the adapter as its ctx, which outlives the gateway. */
struct sw_gateway_keys keys_adapter_gateway(struct keys_adapter *adapter);
/* The daemon stops: a rotation ends where it is, and whoever asked for it hears so. */
void keys_adapter_stop(struct keys_adapter *adapter);
