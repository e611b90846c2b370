/* The part of Wasmtime's C API that this room uses, version 50.0.1, declared in our own words.
 *
 * The library comes without headers, so its published interface is repeated here; `make check-abi`
 * compares every function, layout and constant with the official ones. Pointers are borrowed by the
 * callee unless a line says "owned". A wrong-store handle or an impossible configuration aborts the
 * process. Threads: engines, modules, linkers and pre-instances may be shared; the rest belongs to
 * one thread at a time. */
#pragma once
#include "pkg/agent/runtime/wasm/wasmtime_types.h"

/* --- Configuration and engine. The engine takes over the config. ----------------------------- */
struct wasm_config_t *wasm_config_new(void);
void wasm_config_delete(struct wasm_config_t *config);
struct wasm_engine_t *wasm_engine_new_with_config(struct wasm_config_t *config);
void wasm_engine_delete(struct wasm_engine_t *engine);
void wasmtime_engine_increment_epoch(const struct wasm_engine_t *engine); /* Any thread. */

void wasmtime_config_strategy_set(struct wasm_config_t *config, uint8_t strategy);
void wasmtime_config_cranelift_opt_level_set(struct wasm_config_t *config, uint8_t level);
void wasmtime_config_cranelift_nan_canonicalization_set(struct wasm_config_t *config, bool on);
void wasmtime_config_cranelift_flag_enable(struct wasm_config_t *config, const char *flag);
struct wasmtime_error *wasmtime_config_target_set(struct wasm_config_t *config, const char *triple);
void wasmtime_config_parallel_compilation_set(struct wasm_config_t *config, bool on);
void wasmtime_config_native_unwind_info_set(struct wasm_config_t *config, bool on);
void wasmtime_config_epoch_interruption_set(struct wasm_config_t *config, bool on);
void wasmtime_config_consume_fuel_set(struct wasm_config_t *config, bool on);
void wasmtime_config_max_wasm_stack_set(struct wasm_config_t *config, size_t bytes);
void wasmtime_config_memory_init_cow_set(struct wasm_config_t *config, bool on);
void wasmtime_config_memory_may_move_set(struct wasm_config_t *config, bool on);
void wasmtime_config_memory_reservation_set(struct wasm_config_t *config, uint64_t bytes);
void wasmtime_config_memory_guard_size_set(struct wasm_config_t *config, uint64_t bytes);
void wasmtime_config_memory_reservation_for_growth_set(struct wasm_config_t *config,
                                                       uint64_t bytes);
void wasmtime_config_host_memory_creator_set(struct wasm_config_t *config,
                                             struct wasmtime_memory_creator *creator);
void wasmtime_config_gc_support_set(struct wasm_config_t *config, bool on);
void wasmtime_config_concurrency_support_set(struct wasm_config_t *config, bool on);
void wasmtime_config_shared_memory_set(struct wasm_config_t *config, bool on);
void wasmtime_config_wasm_gc_set(struct wasm_config_t *config, bool on);
void wasmtime_config_wasm_function_references_set(struct wasm_config_t *config, bool on);
void wasmtime_config_wasm_reference_types_set(struct wasm_config_t *config, bool on);
void wasmtime_config_wasm_threads_set(struct wasm_config_t *config, bool on);
void wasmtime_config_wasm_tail_call_set(struct wasm_config_t *config, bool on);
void wasmtime_config_wasm_relaxed_simd_set(struct wasm_config_t *config, bool on);
void wasmtime_config_wasm_multi_memory_set(struct wasm_config_t *config, bool on);
void wasmtime_config_wasm_memory64_set(struct wasm_config_t *config, bool on);
void wasmtime_config_wasm_exceptions_set(struct wasm_config_t *config, bool on);
void wasmtime_config_wasm_component_model_set(struct wasm_config_t *config, bool on);
void wasmtime_config_wasm_component_model_async_set(struct wasm_config_t *config, bool on);

/* --- Errors and traps; both are owned by whoever gets them. ---------------------------------- */
struct wasmtime_error *wasmtime_error_new(const char *message);
void wasmtime_error_delete(struct wasmtime_error *error);
void wasmtime_error_message(const struct wasmtime_error *error,
                            struct wasm_byte_vec_t *ret_message); /* Owned. */
void wasmtime_error_wasm_trace(const struct wasmtime_error *error,
                               struct wasm_frame_vec_t *ret_frames); /* Owned. */
struct wasm_trap_t *wasmtime_trap_new(const char *message, size_t size);
void wasm_trap_delete(struct wasm_trap_t *trap);
bool wasmtime_trap_code(const struct wasm_trap_t *trap, uint8_t *ret_code);
void wasm_trap_message(const struct wasm_trap_t *trap,
                       struct wasm_byte_vec_t *ret_message); /* Owned. */
void wasm_trap_trace(const struct wasm_trap_t *trap,
                     struct wasm_frame_vec_t *ret_frames); /* Owned. */
uint32_t wasm_frame_func_index(const struct wasm_frame_t *frame);
size_t wasm_frame_module_offset(const struct wasm_frame_t *frame);
const struct wasm_byte_vec_t *wasmtime_frame_func_name(const struct wasm_frame_t *frame);
void wasm_frame_vec_delete(struct wasm_frame_vec_t *frames);
void wasm_byte_vec_delete(struct wasm_byte_vec_t *bytes);

/* --- Types ----------------------------------------------------------------------------------- */
struct wasm_valtype_t *wasm_valtype_new(uint8_t kind);
void wasm_valtype_vec_new(struct wasm_valtype_vec_t *ret_vec, size_t count,
                          struct wasm_valtype_t *const types[]); /* Takes the types over. */
struct wasm_functype_t *wasm_functype_new(struct wasm_valtype_vec_t *parameters,
                                          struct wasm_valtype_vec_t *results); /* Takes both. */
void wasm_functype_delete(struct wasm_functype_t *type);
uint8_t wasm_externtype_kind(const struct wasm_externtype_t *type);
const struct wasm_globaltype_t *
wasm_externtype_as_globaltype_const(const struct wasm_externtype_t *type);
const struct wasm_memorytype_t *
wasm_externtype_as_memorytype_const(const struct wasm_externtype_t *type);
const struct wasm_valtype_t *wasm_globaltype_content(const struct wasm_globaltype_t *type);
uint8_t wasm_valtype_kind(const struct wasm_valtype_t *type);
uint8_t wasm_globaltype_mutability(const struct wasm_globaltype_t *type);
uint64_t wasmtime_memorytype_minimum(const struct wasm_memorytype_t *type); /* 64 KiB pages. */
bool wasmtime_memorytype_maximum(const struct wasm_memorytype_t *type, uint64_t *ret_pages);
const struct wasm_byte_vec_t *wasm_exporttype_name(const struct wasm_exporttype_t *type);
const struct wasm_externtype_t *wasm_exporttype_type(const struct wasm_exporttype_t *type);
void wasm_exporttype_vec_delete(struct wasm_exporttype_vec_t *types);

/* --- Modules --------------------------------------------------------------------------------- */
struct wasmtime_error *wasmtime_module_new(struct wasm_engine_t *engine, const uint8_t *wasm,
                                           size_t size, struct wasmtime_module **ret_module);
struct wasmtime_error *wasmtime_module_serialize(const struct wasmtime_module *module,
                                                 struct wasm_byte_vec_t *ret_bytes); /* Owned. */
struct wasmtime_error *wasmtime_module_deserialize(struct wasm_engine_t *engine,
                                                   const uint8_t *bytes, size_t size,
                                                   struct wasmtime_module **ret_module);
void wasmtime_module_delete(struct wasmtime_module *module);
void wasmtime_module_imports(const struct wasmtime_module *module,
                             struct wasm_importtype_vec_t *ret_types); /* Owned. */
const struct wasm_byte_vec_t *wasm_importtype_module(const struct wasm_importtype_t *type);
const struct wasm_byte_vec_t *wasm_importtype_name(const struct wasm_importtype_t *type);
void wasm_importtype_vec_delete(struct wasm_importtype_vec_t *types);
void wasmtime_module_exports(const struct wasmtime_module *module,
                             struct wasm_exporttype_vec_t *ret_types); /* Owned. */

struct wasmtime_linker *wasmtime_linker_new(struct wasm_engine_t *engine);
void wasmtime_linker_delete(struct wasmtime_linker *linker);
struct wasmtime_error *wasmtime_linker_define_func_unchecked(
    struct wasmtime_linker *linker, const char *module, size_t module_size, const char *name,
    size_t name_size, const struct wasm_functype_t *type,
    struct wasm_trap_t *(*call)(void *env, struct wasmtime_caller *caller,
                                union wasmtime_val_raw *arguments_and_results, size_t count),
    void *data, void (*finalizer)(void *data));
struct wasmtime_error *wasmtime_linker_instantiate_pre(const struct wasmtime_linker *linker,
                                                       const struct wasmtime_module *module,
                                                       struct wasmtime_instance_pre **ret_pre);
void wasmtime_instance_pre_delete(struct wasmtime_instance_pre *pre);

/* --- Stores, instances and what they hold ---------------------------------------------------- */
struct wasmtime_store *wasmtime_store_new(struct wasm_engine_t *engine, void *data,
                                          void (*finalizer)(void *data));
void wasmtime_store_delete(struct wasmtime_store *store);
struct wasmtime_context *wasmtime_store_context(struct wasmtime_store *store);
struct wasmtime_context *wasmtime_caller_context(struct wasmtime_caller *caller);
void *wasmtime_context_get_data(const struct wasmtime_context *context);
void wasmtime_context_set_epoch_deadline(struct wasmtime_context *context, uint64_t ticks);
struct wasmtime_error *wasmtime_context_set_fuel(struct wasmtime_context *context, uint64_t fuel);
struct wasmtime_error *wasmtime_context_get_fuel(const struct wasmtime_context *context,
                                                 uint64_t *ret_fuel);
void wasmtime_store_epoch_deadline_callback(
    struct wasmtime_store *store,
    struct wasmtime_error *(*call)(const struct wasmtime_context *context, void *data,
                                   uint64_t *ret_ticks, uint8_t *ret_kind),
    void *data, void (*finalizer)(void *data));
struct wasmtime_error *wasmtime_instance_pre_instantiate(const struct wasmtime_instance_pre *pre,
                                                         struct wasmtime_context *context,
                                                         struct wasmtime_instance *ret_instance,
                                                         struct wasm_trap_t **ret_trap);
bool wasmtime_instance_export_get(struct wasmtime_context *context,
                                  const struct wasmtime_instance *instance, const char *name,
                                  size_t name_size, struct wasmtime_extern *ret_item);
struct wasmtime_error *wasmtime_func_call_unchecked(struct wasmtime_context *context,
                                                    const struct wasmtime_func *func,
                                                    union wasmtime_val_raw *arguments_and_results,
                                                    size_t count, struct wasm_trap_t **ret_trap);
struct wasmtime_error *wasmtime_memory_grow(struct wasmtime_context *context,
                                            const struct wasmtime_memory *memory, uint64_t pages,
                                            uint64_t *ret_pages_before);
void wasmtime_global_get(struct wasmtime_context *context, const struct wasmtime_global *global,
                         struct wasmtime_val *ret_value);
struct wasmtime_error *wasmtime_global_set(struct wasmtime_context *context,
                                           const struct wasmtime_global *global,
                                           const struct wasmtime_val *value);
