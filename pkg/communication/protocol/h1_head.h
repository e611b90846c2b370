/* The head of an HTTP/1.1 request, checked byte by byte before any parser sees it.
 *
 * Request smuggling lives on what two parsers read differently. Everything of that kind is refused
 * here: bare CR or LF, folded lines, spaces around names, control bytes, two lengths, a length
 * beside a transfer coding, codings other than "chunked", a missing or second Host (RFC 9112,
 * sections 2.2, 3.2, 5 and 6.3). Threads: pure functions.  I/O: none. */
#pragma once
#include "pkg/utils/base/buffer.h"

/* Where the head ends: its size with the empty line, or 0 when it is not all there. from is how
 * much has been looked at before. *ret_is_bad: there is a line end that is not CRLF. */
size_t sw_h1_head_end(struct sw_bytes bytes, size_t from, bool *ret_is_bad);
/* NULL when a whole head, ending in its empty line, is well-formed; otherwise why it is not. */
const char *sw_h1_head_check(struct sw_bytes head);
