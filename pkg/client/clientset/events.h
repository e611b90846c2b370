/* Server-sent events (WHATWG HTML, "Server-sent events"), read piece by piece.
 *
 * Threads: one at a time.  I/O: none.  Limits: SW_EVENT_BYTES_MAX for one event. */
#pragma once
#include "pkg/utils/base/buffer.h"

#define SW_EVENT_BYTES_MAX ((size_t)16 * 1024 * 1024)
#define SW_EVENT_NAME_MAX 64

struct sw_event_stream {
    struct sw_buffer line, data; /* Owned. */
    char name[SW_EVENT_NAME_MAX];
    char id[SW_EVENT_NAME_MAX]; /* The last one seen; it holds for later events too. */
    bool has_data;
    bool after_cr; /* The last byte was a CR, so that an LF now ends no further line. */
    /* Called for each event; the texts are NUL-terminated. false: read no more. */
    bool (*on_event)(void *ctx, const char *name, const char *id, struct sw_bytes data);
    void *ctx;
};

void sw_event_stream_init(struct sw_event_stream *stream);
void sw_event_stream_done(struct sw_event_stream *stream);
/* Take in the next bytes.
 * SW_E_CANCELLED  on_event returned false
 * SW_E_EXHAUSTED  an event is larger than the limit */
SW_MUST_CHECK enum sw_rc sw_event_stream_feed(struct sw_event_stream *stream, const void *bytes,
                                              size_t size_bytes);
