/* The C compiler and linker for WebAssembly, and the pass that lets handlers wait, found and run as
 * cmake/guests.cmake does.
 *
 * Threads: one.  I/O: child programs through the terminal; a folder for the SDK header in the
 * user's cache. */
#pragma once
#include "pkg/cli/commands/cli.h"

#define SW_TOOLCHAIN_SOURCES_MAX 256

struct sw_toolchain {
    const char *compiler, *linker; /* Names found in PATH. */
    const char *optimiser;         /* The same; NULL: there is none. */
    const char *version;           /* First line that the compiler says of itself. */
};

/* Find clang, wasm-ld and wasm-opt: SWARM_GUEST_CC, SWARM_GUEST_LD and SWARM_WASM_OPT, else the
 * newest of 19 to 14, and wasm-opt. SW_E_PRECONDITION: one of the first two is missing; the hint is
 * the command that installs it. */
SW_MUST_CHECK enum sw_rc sw_toolchain_find(struct sw_cli *cli, struct sw_toolchain *ret_toolchain,
                                           struct sw_err *err);
/* Compile and link the sources into one module at output; objects go to a folder .swarm beside it.
 * The compiler's words go to the terminal. A module that waits within its handlers goes through
 * wasm-opt, which makes that possible.
 * SW_E_INVALID       the sources do not compile
 * SW_E_PRECONDITION  it waits, and there is no wasm-opt */
SW_MUST_CHECK enum sw_rc sw_toolchain_build(struct sw_cli *cli,
                                            const struct sw_toolchain *toolchain,
                                            const char *const *sources, size_t count,
                                            const char *output, struct sw_err *err);
/* Have a file with this content, written only if it is another one or none.  Errors: of files. */
SW_MUST_CHECK enum sw_rc sw_toolchain_place(struct sw_cli *cli, const char *path,
                                            struct sw_bytes content, struct sw_err *err);
