/* Whether bytes are a module that Swarm can run, snapshot and replay; decided at push, in words.
 *
 * Looks at structure, names, types and the kinds of instructions. That the code is well-typed is
 * found out by the compiler, in its sandbox; what is refused here would run, but not be durable.
 * Specification: WebAssembly core 2.0, binary format.
 * Threads: pure functions.  I/O: none.  Cost: one pass.  Limits: those of pkg/agent/abi. */
#pragma once
#include "pkg/utils/base/buffer.h"

struct sw_module_view {        /* What was found. */
    uint64_t memory_bytes;     /* Of a new instance. */
    uint64_t memory_max_bytes; /* Declared; 4 GiB if nothing is declared. */
    uint32_t functions_count;  /* Defined, not imported. */
    uint32_t globals_count;    /* Mutable. */
    bool has_on_start;         /* Or _initialize, or a start function. */
    bool has_on_timer, has_on_stop;
};

/* SW_OK and *ret_view, or the first reason against the module, with a hint where there is a remedy.
 * SW_E_INVALID      not a WebAssembly module, damaged, or one of the refusals below
 * SW_E_EXHAUSTED    larger than a limit
 * SW_E_UNSUPPORTED  uses a proposal that is switched off
 *
 * Refused: a missing or ill-typed export of the guest ABI; an import that neither swarm_1 nor WASI
 * preview 1 has, or that is typed otherwise, or is no function; no memory, or several, or a shared
 * or 64-bit one; a mutable global that is a reference; instructions that change a table, or drop a
 * segment at run time; exports whose names begin with SW_ABI_RESERVED. */
SW_MUST_CHECK enum sw_rc sw_module_validate(struct sw_bytes module, struct sw_module_view *ret_view,
                                            struct sw_err *err);
