/* Server-sent events (WHATWG HTML, 9.2), cut anywhere: bytes in, events out.
 *
 * Lines end in LF, CR or both; a mark at the beginning, comments, `id` and `retry` are passed over.
 * Private to this room.  Threads: one at a time.  I/O: none.  Limits: SW_WIRE_EVENT_BYTES_MAX. */
#pragma once
#include "pkg/broker/model/wire/doc.h"

#define SW_WIRE_EVENT_NAME_SIZE 64u

struct sw_wire_sse {
    struct sw_buffer line; /* The beginning of a line that is not there yet. */
    struct sw_buffer data; /* Of the event: its data lines, a LF between. */
    char name[SW_WIRE_EVENT_NAME_SIZE];
    bool has_data, is_after_cr, is_begun;
};
/* name "" if the event has none. Both live until it returns. */
typedef enum sw_rc sw_wire_on_sse(void *ctx, const char *name, struct sw_bytes data,
                                  struct sw_err *err);

void sw_wire_sse_init(struct sw_wire_sse *sse);
void sw_wire_sse_done(struct sw_wire_sse *sse);
/* SW_E_EXHAUSTED: an event beyond the limit, no memory; others as on_event, which ends the call. */
SW_MUST_CHECK enum sw_rc sw_wire_sse_feed(struct sw_wire_sse *sse, struct sw_bytes bytes,
                                          sw_wire_on_sse *on_event, void *ctx, struct sw_err *err);
