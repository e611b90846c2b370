/* The seam between a command and the person in front of it: streams, environment, programs to run.
 *
 * Commands get a struct sw_terminal handed in, so that tests give them one of their own.
 * Threads: one.  I/O: the standard streams and child processes (this is part of the seam). */
#pragma once
#include "pkg/utils/base/buffer.h"

enum sw_terminal_stream { SW_TERMINAL_OUT, SW_TERMINAL_ERROR };

struct sw_terminal {
    void *ctx; /* First argument of every call. */

    /* Write all of it. When nobody reads any more, the program ends. */
    void (*write)(void *ctx, enum sw_terminal_stream stream, const void *bytes, size_t size);
    /* Whether somebody still reads standard output: the other end of a pipe is not closed. */
    bool (*is_read)(void *ctx);
    /* Append standard input up to its end.  SW_E_RANGE: it is larger than size_max. */
    enum sw_rc (*read)(void *ctx, size_t size_max, struct sw_buffer *out, struct sw_err *err);
    /* A variable of the environment, or NULL. */
    const char *(*variable)(void *ctx, const char *name);
    /* Run a program, found in PATH, and wait. arguments ends with NULL; [0] is its name. Its
     * standard output is appended to out, or is ours when out is NULL. *ret_status is its exit
     * code, or 128 and the number of the signal that ended it.  SW_E_NOT_FOUND: no such program. */
    enum sw_rc (*run)(void *ctx, const char *const *arguments, struct sw_buffer *out,
                      int *ret_status, struct sw_err *err);
    /* The version of Landlock that the kernel offers; 0: none. */
    int (*landlock_version)(void *ctx);

    bool out_is_terminal, error_is_terminal;
    unsigned columns; /* Width of the terminal; 0: not known. */
};

/* The real one. Static; nothing to free. Only cmd/ calls this. It makes the program deaf to
 * SIGPIPE.
 */
const struct sw_terminal *sw_terminal_real(void);

/* Write a text, or a formatted one of at most 64 KiB. */
void sw_terminal_put(const struct sw_terminal *terminal, enum sw_terminal_stream stream,
                     const char *text);
void sw_terminal_print(const struct sw_terminal *terminal, enum sw_terminal_stream stream,
                       const char *format, ...) SW_PRINTF(3, 4);
