/* Programs in JavaScript and TypeScript: one file, and what it imports, becomes a bundle for the
 * runtime that this program was built with.
 *
 * A file of JavaScript that imports from "swarm" alone is taken as it is. TypeScript, and what
 * imports other files or packages, goes through esbuild, which is the user's.
 * Threads: one.  I/O: child programs through the terminal; files. */
#pragma once
#include "pkg/cli/commands/cli.h"

/* Whether a file is of these languages: its name ends in .js, .mjs, .ts or .mts, and is none of
 * declarations (.d.ts). */
bool sw_bundler_takes(const char *path);
/* Make the bundle `output` of the program that begins in `source`.
 * SW_E_INVALID       esbuild refuses it; its words went to the terminal
 * SW_E_PRECONDITION  it needs esbuild, which is not there; the hint says how to install it
 * SW_E_EXHAUSTED     it is larger than a payload may be.  Others as of files. */
SW_MUST_CHECK enum sw_rc sw_bundler_build(struct sw_cli *cli, const char *source,
                                          const char *output, struct sw_err *err);
