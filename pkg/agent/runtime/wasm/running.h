/* What each entry does before and after it; for the files of this room only.
 *
 * Threads, I/O, Limits: as wasm.h. */
#pragma once
#include "pkg/agent/runtime/wasm/state.h"

/* --- engine.c -------------------------------------------------------------------------------- */

void sw_wasm_wake_ticker(struct sw_wasm_engine *engine); /* If it is parked. */
void sw_wasm_set_fuel(const struct sw_wasm_engine *engine, struct wasmtime_context *context,
                      uint64_t fuel_ms); /* Where it is counted. */

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

/* What runs next is interrupted after so many ticks, and stops, if fuel counts, after so much. */
static inline void sw_wasm_set_deadline(const struct sw_wasm_engine *engine,
                                        struct wasmtime_context *context, uint64_t ticks,
                                        uint64_t fuel_ms)
{
    wasmtime_context_set_epoch_deadline(context, ticks);
    if (engine->fuel_per_ms != 0)
        sw_wasm_set_fuel(engine, context, fuel_ms);
}

/* --- instance.c ------------------------------------------------------------------------------ */

void sw_wasm_count_fuel(struct sw_wasm_instance *instance); /* Where it is counted. */

/* What fuel the instance has used its worker has used, too. */
static inline void sw_wasm_look_at_fuel(struct sw_wasm_instance *instance)
{
    if (instance->worker->engine->fuel_per_ms != 0)
        sw_wasm_count_fuel(instance);
}
