/* What each entry does before and after it; for the files of this room only.
 *
 * Threads, I/O, Limits: as wasm.h. */
#pragma once
#include "pkg/agent/runtime/wasm/state.h"

/* --- engine.c -------------------------------------------------------------------------------- */

void sw_wasm_wake_ticker(struct sw_wasm_engine *engine); /* If it is parked. */

/* Note that a guest runs on this worker, or no longer. */
static inline void sw_wasm_run_begin(struct sw_wasm_worker *worker)
{
    atomic_store_explicit(&worker->seat->is_running, true, memory_order_relaxed);
    if (atomic_load_explicit(&worker->engine->is_parked, memory_order_relaxed))
        sw_wasm_wake_ticker(worker->engine);
}
static inline void sw_wasm_run_end(struct sw_wasm_worker *worker)
{
    atomic_store_explicit(&worker->seat->is_running, false, memory_order_relaxed);
}

#define SW_WASM_FUEL_FOREVER ((uint64_t)1 << 62) /* Where Wasmtime's own code runs. */

/* Where it is counted. */
void sw_wasm_set_fuel(struct wasmtime_context *context, uint64_t fuel);

/* Wasmtime's own code, which runs next, is not interrupted. */
static inline void sw_wasm_set_no_deadline(const struct sw_wasm_class *class,
                                           struct wasmtime_context *context)
{
    wasmtime_context_set_epoch_deadline(context, SW_WASM_TICKS_FOREVER);
    if (class->is_counting)
        sw_wasm_set_fuel(context, SW_WASM_FUEL_FOREVER);
}

/* --- instance.c ------------------------------------------------------------------------------ */

void sw_wasm_count_fuel(struct sw_wasm_instance *instance); /* Where it is counted. */

/* What fuel the instance has used its entry has used, and its worker. */
static inline void sw_wasm_look_at_fuel(struct sw_wasm_instance *instance)
{
    if (instance->module->class->is_counting)
        sw_wasm_count_fuel(instance);
}
