/* Keys of Secrets, as the gateway wants them of pkg/controller/secrets; cmd/ wires the two.
 *
 * Threads: the loop's.  I/O: none here.  Limits: those of who has them. */
#pragma once
#include "pkg/utils/base/buffer.h"

#define SW_GATEWAY_KEYS_BYTES_MAX ((size_t)64 << 10)

struct sw_gateway_rotation { /* Borrowed for the call. */
    const char *actor;       /* Who asks. */
    bool is_resumed;         /* No new key: what an earlier one did not come to. */
    bool keeps_unused;       /* Older keys stay. */
};

/* What the gateway wants of it. */
struct sw_gateway_keys {
    void *ctx;
    /* Append what keys there are, as JSON. */
    enum sw_rc (*list)(void *ctx, struct sw_buffer *out, struct sw_err *err);
    /* Make a new key and have all sealed with it. done comes once, not inside the call, with JSON
     * that is borrowed for its call, unless an error is returned.
     * SW_E_PRECONDITION: that is being done already. */
    enum sw_rc (*rotate)(void *ctx, const struct sw_gateway_rotation *rotation,
                         void (*done)(void *done_ctx, enum sw_rc rc, struct sw_bytes json,
                                      const struct sw_err *err),
                         void *done_ctx, struct sw_err *err);
};
