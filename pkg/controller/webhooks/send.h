/* One message to a webhook. Private to this room.  Threads: the loop's.  I/O: sockets. */
#pragma once
#include "pkg/broker/outbound/outbound.h"
#include "pkg/utils/system/system.h"

struct webhook_message { /* Borrowed for the call. */
    const char *url;
    struct sw_bytes key; /* As the Secret has it. */
    const char *id;      /* The same each time that the same is told. */
    struct sw_bytes body;
};

struct webhook_send; /* Opaque. */

struct webhook_listener {
    void *ctx;
    /* words: what went wrong; NULL: it was taken. The send is gone after it. Never inside of
     * begin. */
    void (*done)(void *ctx, const char *words);
};

/* Errors: as sw_outbound_start; SW_E_INVALID: the key is no base64 though it says so. */
SW_MUST_CHECK enum sw_rc sw_webhook_begin(struct sw_outbound *outbound,
                                          const struct sw_system *system,
                                          const struct webhook_message *message,
                                          const struct webhook_listener *listener,
                                          struct webhook_send **ret_send, struct sw_err *err);
/* Break it off; done is not called. */
void sw_webhook_cancel(struct webhook_send *send);
