/* Files as messages: opened, told apart from what is no text, cut into parts, and named.
 *
 * Gzip is opened whatever the file is called. A text has no NUL and no control characters but the
 * usual ones; if it is not UTF-8 it is taken for ISO 8859-1 and converted, so that whoever gets it
 * reads UTF-8.
 * Threads: pure functions.  I/O: none.  Limits: SW_DOCUMENT_BYTES_MAX after opening. */
#pragma once
#include "pkg/utils/base/buffer.h"

#define SW_DOCUMENT_BYTES_MAX ((size_t)64 * 1024 * 1024)
#define SW_DOCUMENT_PART_BYTES ((size_t)128 * 1024)
#define SW_DOCUMENT_NAME_MAX 255 /* Of an instance: "agent/key". */

/* Append the content of a file: unpacked if it is gzip (several members too), otherwise as it is.
 * SW_E_CORRUPT  damaged gzip
 * SW_E_RANGE    more than SW_DOCUMENT_BYTES_MAX
 * SW_E_EXHAUSTED no memory */
SW_MUST_CHECK enum sw_rc sw_document_open(struct sw_bytes file, struct sw_buffer *out);
/* Append the bytes as UTF-8.  SW_E_INVALID: they are no text; nothing was appended. */
SW_MUST_CHECK enum sw_rc sw_document_read_text(struct sw_bytes bytes, struct sw_buffer *out);

/* How many bytes the part at the beginning of text has: all if they are at most size_max, else up
 * to and with the last newline in the second half of size_max, else up to the last whole character.
 */
size_t sw_document_part_size(const char *text, size_t size_bytes, size_t size_max);

/* Append the key of part `number` of the file at `path` (relative, with '/'): the path, and "#2"
 * and so on when it has several parts. When "agent/key" would be longer than SW_DOCUMENT_NAME_MAX
 * or the path is no UTF-8, the middle of the path is replaced by a hash of all of it. number is 0
 * when the file has one part, otherwise it counts from 1. */
void sw_document_key(const char *agent, const char *path, unsigned number, struct sw_buffer *out);
