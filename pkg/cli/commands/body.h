/* The body of a message as the command line gives it: a text, a file, or standard input.
 *
 * Threads: one.  I/O: as cli.h. */
#pragma once
#include "pkg/cli/commands/cli.h"

#define SW_BODY_BYTES_MAX ((size_t)4 * 1024 * 1024)

/* Append the body: the positional argument at index, or --filename FILE or -, but not both.
 * *ret_type is its content type: --type, else text/plain for UTF-8, else application/octet-stream.
 * SW_E_INVALID: none or both are given (exit status 2). */
SW_MUST_CHECK enum sw_rc sw_body_load(struct sw_cli *cli, size_t index, struct sw_buffer *out,
                                      const char **ret_type, struct sw_err *err);
/* The same of a file, or of standard input ("-"). */
SW_MUST_CHECK enum sw_rc sw_body_load_file(struct sw_cli *cli, const char *file,
                                           struct sw_buffer *out, const char **ret_type,
                                           struct sw_err *err);
