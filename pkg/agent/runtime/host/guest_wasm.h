/* Guests of the actors on Wasmtime: fits pkg/agent/runtime/wasm to struct sw_guest_engine.
 *
 * Threads: as both rooms say: one engine per process, one worker's part per thread.  I/O: none. */
#pragma once
#include "pkg/agent/abi/class.h"
#include "pkg/agent/runtime/actor/guest.h"

struct sw_wasm_engine;
struct sw_wasm_worker;

/* The engine of the process; free with sw_wasm_engine_free. fuel_per_ms: see struct
 * sw_wasm_engine_options; 0 outside of simulations. Errors as sw_wasm_engine_new. */
SW_MUST_CHECK enum sw_rc
sw_guest_wasm_engine(uint64_t fuel_per_ms, struct sw_wasm_engine **ret_engine, struct sw_err *err);
/* The guests of one worker. */
struct sw_guest_engine sw_guest_wasm_worker(struct sw_wasm_worker *worker);
/* A module from machine code, with one reference. Errors as sw_wasm_module_open. */
SW_MUST_CHECK enum sw_rc sw_guest_wasm_open(void *ctx, enum sw_abi_class class,
                                            struct sw_bytes code,
                                            struct sw_guest_module **ret_module,
                                            struct sw_err *err);
/* A bundle of it; ctx is not looked at. Errors as sw_wasm_module_bundle. */
SW_MUST_CHECK enum sw_rc sw_guest_wasm_bundle(void *ctx, struct sw_guest_module *runtime,
                                              struct sw_bytes payload,
                                              struct sw_guest_module **ret_module,
                                              struct sw_err *err);
