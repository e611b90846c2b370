/* Backups, as the gateway wants them of pkg/backup; cmd/ wires the two.
 *
 * Threads: the loop's.  I/O: none here.  Limits: those of who makes them. */
#pragma once
#include "pkg/utils/base/buffer.h"

struct sw_gateway_backup_begun { /* Borrowed for the call of done. */
    void *handle;
    uint64_t size_bytes; /* Of the whole archive. */
};

/* What the gateway wants of pkg/backup. No done comes inside the call that asks for it. */
struct sw_gateway_backup {
    void *ctx;
    /* Begin a backup for a client; done comes once the point is behind, unless an error is
     * returned. SW_E_EXHAUSTED: one is being made already. */
    enum sw_rc (*begin)(void *ctx, const char *caller,
                        void (*done)(void *done_ctx, enum sw_rc rc,
                                     const struct sw_gateway_backup_begun *begun,
                                     const struct sw_err *err),
                        void *done_ctx, struct sw_err *err);
    /* The next bytes of the archive, borrowed for the call of done. */
    void (*next)(void *ctx, void *handle,
                 void (*done)(void *done_ctx, enum sw_rc rc, struct sw_bytes bytes, bool is_last),
                 void *done_ctx);
    /* No more is wanted; not while next is under way. */
    void (*end)(void *ctx, void *handle);
};
