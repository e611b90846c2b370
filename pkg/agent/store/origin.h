/* Effects by name, and who gets the answer to a message: parts of records and snapshots.
 *
 * Threads: pure functions.  I/O: none.  Limits: none. */
#pragma once
#include "pkg/utils/base/buffer.h"

enum sw_origin_kind {
    SW_ORIGIN_NONE,
    SW_ORIGIN_CLIENT,   /* Somebody outside; holds within one incarnation of the host. */
    SW_ORIGIN_INSTANCE, /* An instance of this host; if incarnation is not 0, only within it. */
    SW_ORIGIN_WAIT      /* The same, whose turn waits for the answer. */
};

struct sw_effect_name { /* One effect of one record; lsn 0: none. */
    uint64_t lsn;
    uint32_t index;
};

struct sw_origin { /* Who gets the answer to a message. */
    uint32_t kind; /* enum sw_origin_kind. */
    uint64_t incarnation;
    uint64_t pod, instance; /* INSTANCE, WAIT. */
    uint64_t number; /* CLIENT: its request. INSTANCE: the tag of its send. WAIT: its number. */
    struct sw_effect_name send; /* INSTANCE, WAIT: the send that asked. */
};

/* Whether the answer goes to an instance that the journal knows. */
bool sw_origin_is_durable(const struct sw_origin *origin);
void sw_origin_put(const struct sw_origin *origin, struct sw_buffer *out);
void sw_origin_take(struct sw_reader *reader, struct sw_origin *ret_origin);
