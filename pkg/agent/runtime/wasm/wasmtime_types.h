/* Types and constants of Wasmtime's C API, version 50.0.1: see wasmtime_abi.h. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct wasm_config_t;
struct wasm_engine_t;
struct wasm_trap_t;
struct wasm_frame_t;
struct wasm_valtype_t;
struct wasm_functype_t;
struct wasm_globaltype_t;
struct wasm_memorytype_t;
struct wasm_externtype_t;
struct wasm_exporttype_t;
struct wasm_importtype_t;
struct wasmtime_error;
struct wasmtime_module;
struct wasmtime_linker;
struct wasmtime_instance_pre;
struct wasmtime_store;
struct wasmtime_context;
struct wasmtime_caller;

#ifndef SW_ABI_OFFICIAL /* check-abi has these from the official headers. */

struct wasm_byte_vec_t {
    size_t size;
    char *data;
};
struct wasm_frame_vec_t {
    size_t size;
    struct wasm_frame_t **data;
};
struct wasm_valtype_vec_t {
    size_t size;
    struct wasm_valtype_t **data;
};
struct wasm_importtype_vec_t {
    size_t size;
    struct wasm_importtype_t **data;
};
struct wasm_exporttype_vec_t {
    size_t size;
    struct wasm_exporttype_t **data;
};

enum { WASM_CONST, WASM_VAR }; /* Mutability of a global. */
enum { WASM_I32, WASM_I64 };   /* Kinds of a wasm_valtype_t; f32, f64 and v128 follow. */
enum { WASM_EXTERN_FUNC, WASM_EXTERN_GLOBAL, WASM_EXTERN_TABLE, WASM_EXTERN_MEMORY };

/* Handles into a store; good for that store only. */
struct wasmtime_func {
    uint64_t store_id;
    void *hidden;
};
struct wasmtime_memory {
    uint64_t store_id;
    uint64_t hidden[2];
};
struct wasmtime_global {
    uint64_t store_id;
    uint32_t hidden[3];
};
struct wasmtime_instance {
    uint64_t store_id;
    size_t hidden;
};

enum {
    WASMTIME_EXTERN_FUNC,
    WASMTIME_EXTERN_GLOBAL,
    WASMTIME_EXTERN_TABLE,
    WASMTIME_EXTERN_MEMORY
};
struct wasmtime_extern {
    uint8_t kind;
    union wasmtime_extern_union {
        struct wasmtime_func func;
        struct wasmtime_memory memory;
        struct wasmtime_global global;
    } of;
};

enum { WASMTIME_I32, WASMTIME_I64, WASMTIME_F32, WASMTIME_F64, WASMTIME_V128 };
struct wasmtime_val { /* A value with its kind. */
    uint8_t kind;
    union wasmtime_valunion {
        int32_t i32;
        int64_t i64;
        float f32;
        double f64;
        uint8_t v128[16];
        uint64_t hidden[3]; /* Room of the widest reference. */
    } of;
};
union wasmtime_val_raw { /* A value whose kind both sides know. */
    int32_t i32;
    int64_t i64;
    uint8_t v128[16];
    uint64_t hidden[2];
};

/* One linear memory of the host's making, and the maker. */
struct wasmtime_linear_memory {
    void *env;
    uint8_t *(*get_memory)(void *env, size_t *byte_size, size_t *byte_capacity);
    struct wasmtime_error *(*grow_memory)(void *env, size_t new_size);
    void (*finalizer)(void *env);
};
struct wasmtime_memory_creator {
    void *env;
    struct wasmtime_error *(*new_memory)(void *env, const struct wasm_memorytype_t *type,
                                         size_t minimum, size_t maximum, size_t reserved_bytes,
                                         size_t guard_bytes,
                                         struct wasmtime_linear_memory *ret_memory);
    void (*finalizer)(void *env);
};

enum { /* Trap codes that core modules without garbage collection can raise. */
       WASMTIME_TRAP_CODE_STACK_OVERFLOW = 0,
       WASMTIME_TRAP_CODE_MEMORY_OUT_OF_BOUNDS = 1,
       WASMTIME_TRAP_CODE_TABLE_OUT_OF_BOUNDS = 3,
       WASMTIME_TRAP_CODE_INDIRECT_CALL_TO_NULL = 4,
       WASMTIME_TRAP_CODE_BAD_SIGNATURE = 5,
       WASMTIME_TRAP_CODE_INTEGER_OVERFLOW = 6,
       WASMTIME_TRAP_CODE_INTEGER_DIVISION_BY_ZERO = 7,
       WASMTIME_TRAP_CODE_BAD_CONVERSION_TO_INTEGER = 8,
       WASMTIME_TRAP_CODE_UNREACHABLE_CODE_REACHED = 9,
       WASMTIME_TRAP_CODE_OUT_OF_FUEL = 11
};

enum { WASMTIME_STRATEGY_AUTO, WASMTIME_STRATEGY_CRANELIFT };
enum { WASMTIME_OPT_LEVEL_NONE, WASMTIME_OPT_LEVEL_SPEED };
enum { WASMTIME_UPDATE_DEADLINE_CONTINUE = 0 };
#endif
