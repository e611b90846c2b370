/* From the name of a program to what an agent host loads: a module's machine code, or the payload
 * of a bundle and the machine code of the module that runs it.
 *
 *     program ─► its file ─┬─ a module ─► compiler ───────────────────────► code
 *                          └─ a bundle ─► its runtime's file ─► compiler ─► code, payload
 *
 * A runtime is compiled, and kept in the compiler's cache, under its own name, so once for all
 * bundles of a class. Threads: the loop's.  I/O: through pkg/agent/modules and pkg/agent/compiler.
 * Limits: theirs. */
#pragma once
#include "pkg/agent/abi/class.h"
#include "pkg/agent/compiler/compiler.h"
#include "pkg/agent/modules/modules.h"

struct sw_programs { /* Borrowed; both outlive each request. */
    const struct sw_modules *modules;
    struct sw_compiler *compiler;
};

/* code is borrowed for the call, and NULL unless rc is SW_OK; otherwise err says why. */
typedef void sw_program_done(void *ctx, enum sw_rc rc, const struct sw_abi_code *code,
                             const struct sw_err *err);

/* Get what a program is to be loaded from. namespace says for whom: what it was not pushed to may
 * only come from SW_MODULES_PLATFORM; NULL: from wherever it is, for whoever keeps the data. done
 * comes once, never from inside this, at the latest when the compiler is freed; after an error here
 * it does not.
 * SW_E_NOT_FOUND  the program, or the runtime of a bundle, is not there
 * others          those of sw_modules_get, sw_bundle_read and sw_compiler_get */
SW_MUST_CHECK enum sw_rc sw_program_get(const struct sw_programs *programs, const char *namespace,
                                        const char *program, sw_program_done *done, void *ctx,
                                        struct sw_err *err);
