/* What modules, machine code and agent hosts agree on: the functions of the guest ABI swarm/1 and
 * of WASI preview 1, the pinned engine, and the limits of a module.
 *
 * The validator, the compiler and the runtime read the same tables, so that what is accepted at
 * push is what links later. include/swarm/agent.h is the same ABI as a guest sees it. Threads:
 * constants.  I/O: none. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SW_ABI_MODULE "swarm_1" /* Where guests import from. */
#define SW_ABI_WASI_MODULE "wasi_snapshot_preview1"

/* Names of exports that the rewriter gives (pkg/agent/modules/rewrite.h); no guest may. */
#define SW_ABI_RESERVED "swarm."
#define SW_ABI_GLOBAL_PREFIX SW_ABI_RESERVED "global." /* And the index of a mutable global. */
#define SW_ABI_START SW_ABI_RESERVED "start"           /* What was the start function. */

/* All that decides what machine code does, besides the module itself: Wasmtime's version, the
 * settings in pkg/agent/runtime/wasm/config.c, the processor baseline, the rule of the rewriter,
 * this table. Whoever changes one of them changes this text: it is part of the key of compiled code
 * and of every snapshot. */
#if defined(__x86_64__)
#define SW_ABI_PROCESSOR "x86-64-v2"
#elif defined(__aarch64__)
#define SW_ABI_PROCESSOR "armv8"
#else
#error "Swarm runs agents on x86-64 and 64-bit ARM"
#endif
#define SW_ABI_FINGERPRINT                                                                         \
    "wasmtime 50.0.1, settings 4 (388271a1), " SW_ABI_PROCESSOR ", rewriter 1, image 3, swarm_1"

#define SW_ABI_MODULE_BYTES_MAX (32u << 20)
#define SW_ABI_PAYLOAD_BYTES_MAX (16u << 20) /* Of a bundle: pkg/agent/modules/bundle.h. */
#define SW_ABI_TABLE_ELEMENTS_MAX 65536u
#define SW_ABI_GLOBALS_MAX 256u  /* Mutable ones: they are part of every snapshot. */
#define SW_ABI_PAGE_BYTES 65536u /* Of WebAssembly. */
#define SW_ABI_PAGES_MAX 65536u  /* 4 GiB, all that a 32-bit guest can address. */

struct sw_abi_function {
    const char *name;
    const char *parameters; /* One letter each: 'i' i32, 'l' i64. */
    const char *result;     /* "i", "l" or "". */
    bool is_required;       /* Of exports: a module without it is refused. */
};

/* What a guest may import from SW_ABI_MODULE, in the order of agent.h. */
const struct sw_abi_function *sw_abi_imports(size_t *ret_count);
/* What it may import from SW_ABI_WASI_MODULE: all of preview 1, by name. */
const struct sw_abi_function *sw_abi_wasi(size_t *ret_count);
/* What a host calls. */
const struct sw_abi_function *sw_abi_exports(size_t *ret_count);
/* The row of that name, or NULL. */
const struct sw_abi_function *sw_abi_find(const struct sw_abi_function *table, size_t count,
                                          const void *name, size_t name_size);
