/* Write an image: the archive that untar.h reads, the same bytes for the same files.
 *
 *     put_file, bytes of the file, put_padding, ... put_end
 *
 * Owners, times and all rights but the owner's to run a file are left out.
 * Threads: pure functions.  I/O: none. */
#pragma once
#include "pkg/utils/base/buffer.h"

/* Append the header of a file. What does not fit fails the buffer.
 * SW_E_INVALID  the path is longer than such an archive can have */
SW_MUST_CHECK enum sw_rc sw_tar_put_file(struct sw_buffer *out, const char *path,
                                         uint64_t size_bytes, bool is_program, struct sw_err *err);
/* What follows a file of that size. */
void sw_tar_put_padding(struct sw_buffer *out, uint64_t size_bytes);
void sw_tar_put_end(struct sw_buffer *out);
