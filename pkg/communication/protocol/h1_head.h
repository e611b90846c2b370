/* HTTP/1.1 as it arrives: the head of a request, and the chunks of its body (RFC 9112).
 *
 * Request smuggling lives on what two parsers read differently. Everything of that kind is refused
 * here: bare CR or LF, folded lines, spaces around names, control bytes, two lengths, a length
 * beside a transfer coding, codings other than "chunked", a missing or second Host, loose ends of
 * chunks (sections 2.2, 3.2, 5, 6.3 and 7.1). This is why no general parser is used: the one that
 * Debian ships is built to be lenient. Threads: pure functions.  I/O: none.  Limits:
 * H1_CHUNK_LINE_MAX, H1_TRAILERS_MAX bytes. */
#pragma once
#include "pkg/utils/base/buffer.h"

#define H1_CHUNK_LINE_MAX 256u /* A chunk's size and extensions. */
#define H1_TRAILERS_MAX 8192u

struct h1_head { /* Texts are borrowed from the bytes that were parsed. */
    struct sw_bytes method;
    struct sw_bytes target; /* "/path?query", also of a target with scheme and host. */
    bool is_10;
    bool is_chunked;
    bool has_length;
    uint64_t length;
    bool is_keep_alive;
    bool expects_continue;
};

/* Where the head ends: its size with the empty line, or 0 when it is not all there. from is how
 * much has been looked at before. *ret_is_bad: there is a line end that is not CRLF. */
size_t sw_h1_head_end(struct sw_bytes bytes, size_t from, bool *ret_is_bad);
/* Read a whole head, ending in its empty line, calling on_header for each header in order. NULL
 * when it is well-formed; otherwise why it is not (on_header may have been called). */
const char *sw_h1_head_parse(struct sw_bytes head,
                             void (*on_header)(void *ctx, struct sw_bytes name,
                                               struct sw_bytes value),
                             void *ctx, struct h1_head *ret_head);

struct h1_chunks { /* Start with {0}. */
    int state;
    uint64_t left;     /* Of the present chunk. */
    unsigned digits;   /* Of its size. */
    size_t line_bytes; /* Of the present line, or of all trailers. */
    bool is_line_empty;
};

struct h1_piece {          /* What sw_h1_chunks_take found. */
    struct sw_bytes bytes; /* Of the body; may be empty. */
    bool is_last;          /* The body has ended. */
    bool is_bad;           /* Not chunks; nothing more can be read. */
};
/* Take what can be taken off the bytes; returns how many. Call again while some are left and the
 * piece was neither last nor bad. */
size_t sw_h1_chunks_take(struct h1_chunks *chunks, struct sw_bytes bytes,
                         struct h1_piece *ret_piece);
