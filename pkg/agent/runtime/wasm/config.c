#include "pkg/agent/runtime/wasm/state.h"

/* Of a guest's calls, on the stack of the thread that runs it, which has to be larger. Interpreters
 * call themselves for each level of what they interpret, with a kilobyte or more each. */
#define WASM_STACK_BYTES_MAX (512u << 10)

/* What differs from class to class; one line for each, with fuel or without. */
struct settings {
    bool is_guarded;     /* Bounds of memories are held by pages that nobody may touch. */
    bool canonical_nans; /* A NaN that is computed is the same one on every processor. */
};

static const struct settings settings_of[SW_ABI_COMPACT_FUEL] = {
    [SW_ABI_COMPACT] = {.is_guarded = false, .canonical_nans = false},
    [SW_ABI_COMPUTE] = {.is_guarded = true, .canonical_nans = false},
    [SW_ABI_REPLAY] = {.is_guarded = false, .canonical_nans = true},
};

/* Proposals that are off: what they would add cannot be snapshotted, is not deterministic, or is
 * not needed by any toolchain that we support. */
static void refuse_proposals(struct wasm_config_t *config)
{
    wasmtime_config_gc_support_set(config, false);
    wasmtime_config_wasm_gc_set(config, false);
    wasmtime_config_wasm_function_references_set(config, false);
    wasmtime_config_wasm_reference_types_set(config, true);
    wasmtime_config_wasm_exceptions_set(config, false);
    wasmtime_config_wasm_tail_call_set(config, false);
    wasmtime_config_wasm_threads_set(config, false);
    wasmtime_config_shared_memory_set(config, false);
    wasmtime_config_wasm_relaxed_simd_set(config, false);
    wasmtime_config_wasm_multi_memory_set(config, false);
    wasmtime_config_wasm_memory64_set(config, false);
    wasmtime_config_wasm_component_model_set(config, false);
    wasmtime_config_wasm_component_model_async_set(config, false);
    wasmtime_config_concurrency_support_set(config, false);
}

/* The processor is a baseline, never this machine's own: code compiled here runs on every node. */
static struct wasmtime_error *pin_processor(struct wasm_config_t *config)
{
#if defined(__x86_64__)
    static const char *const v2[] = {"has_sse3",  "has_ssse3",  "has_sse41",
                                     "has_sse42", "has_popcnt", "has_cmpxchg16b"};
    struct wasmtime_error *error = wasmtime_config_target_set(config, "x86_64-unknown-linux-gnu");
    for (size_t i = 0; error == NULL && i < sizeof v2 / sizeof v2[0]; i++)
        wasmtime_config_cranelift_flag_enable(config, v2[i]);
    return error;
#else
    return wasmtime_config_target_set(config, "aarch64-unknown-linux-gnu");
#endif
}

/* Memories never move, and their first content is copied. Without guards every access is compared
 * with the current size: a reservation would let code compare with that instead, which in our arena
 * is writable. With them, what lies behind the current size faults, and code compares nothing but
 * offsets that reach beyond the guard. */
static void lay_out_memories(struct wasm_config_t *config, bool is_guarded)
{
    wasmtime_config_memory_init_cow_set(config, false);
    wasmtime_config_memory_may_move_set(config, false);
    wasmtime_config_memory_reservation_set(config, is_guarded ? SW_WASM_MEMORY_BYTES_MAX : 0);
    wasmtime_config_memory_guard_size_set(config, is_guarded ? SW_WASM_GUARD_BYTES : 0);
    wasmtime_config_memory_reservation_for_growth_set(config, 0);
    sw_wasm_memory_configure(config, is_guarded);
}

struct wasm_config_t *sw_wasm_config(enum sw_abi_class class, bool counts_fuel, struct sw_err *err)
{
    const struct settings *settings = &settings_of[sw_abi_class_with_fuel(class, false)];
    struct wasm_config_t *config = wasm_config_new();
    struct wasmtime_error *error;

    if (config == NULL) {
        (void)sw_err_set(err, SW_E_EXHAUSTED, "no memory for the engine's configuration");
        return NULL;
    }
    wasmtime_config_strategy_set(config, WASMTIME_STRATEGY_CRANELIFT);
    wasmtime_config_cranelift_opt_level_set(config, WASMTIME_OPT_LEVEL_SPEED);
    wasmtime_config_cranelift_nan_canonicalization_set(config, settings->canonical_nans);
    wasmtime_config_parallel_compilation_set(config, false); /* The compiler may make no thread. */
    wasmtime_config_native_unwind_info_set(config, false);   /* Backtraces do not need it. */
    wasmtime_config_epoch_interruption_set(config, true);
    wasmtime_config_consume_fuel_set(config, counts_fuel || sw_abi_class_counts_fuel(class));
    wasmtime_config_max_wasm_stack_set(config, WASM_STACK_BYTES_MAX);
    lay_out_memories(config, settings->is_guarded);
    refuse_proposals(config);
    error = pin_processor(config);
    if (error == NULL)
        return config;
    (void)sw_wasm_err(err, SW_E_UNSUPPORTED, error, "this build of Wasmtime has no code generator");
    wasm_config_delete(config);
    return NULL;
}
