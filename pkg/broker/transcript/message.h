/* One message of a conversation, whatever protocol it is in: its canonical bytes, and how it is
 * told.
 *
 * Private to this room.  Threads: one at a time.  I/O: none.
 * Limits: SW_TRANSCRIPT_CALLS_MAX tools that a message calls are told. */
#pragma once
#include "pkg/broker/model/wire/doc.h"

#define SW_TRANSCRIPT_CALLS_MAX 128u

struct sw_transcript_place { /* Where a message stands in a document. */
    uint32_t node;
    const char *role; /* The node is but its content, and this its role. NULL: it is all of it. */
};

/* Append the canonical bytes. */
void sw_transcript_canonical(const struct sw_wire_doc *doc, struct sw_transcript_place place,
                             struct sw_buffer *out);

struct sw_transcript_text { /* For what is told; buffers keep their memory. */
    struct sw_buffer text;  /* In UTF-8. */
    struct sw_buffer calls; /* JSON: the tools that it calls, with commas between. */
    struct sw_buffer scratch;
    uint32_t text_bytes; /* Of each text so many are told. */
    uint32_t calls_count;
};
/* Append `"role":...,"text":...` and so on to an object that was begun. */
void sw_transcript_put_message(const struct sw_wire_doc *doc, struct sw_transcript_place place,
                               struct sw_transcript_text *text, struct sw_buffer *out);
/* Append `,"NAME":"..."`, with as much of a text as is told; is_cut (may be NULL) says whether that
 * is not all of it. */
void sw_transcript_put_text(struct sw_buffer *out, const char *name, struct sw_bytes text,
                            size_t bytes_max, bool *ret_is_cut);
