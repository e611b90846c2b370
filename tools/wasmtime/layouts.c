/* Prints sizes, offsets and constants of Wasmtime's C API as declared by us or, with
 * SW_ABI_OFFICIAL, by the official headers; tools/wasmtime/check_abi compares the two outputs. */
#ifdef SW_ABI_OFFICIAL
#include <wasmtime.h>
#else
#include "pkg/agent/runtime/wasm/wasmtime_abi.h"
#endif
#include <stdio.h>

#define SIZE(type) printf("%s %zu %zu\n", #type, sizeof(type), _Alignof(type))
#define OFFSET(type, member)                                                                       \
    printf("%s.%s %zu %zu\n", #type, #member, offsetof(type, member), sizeof(((type *)0)->member))
#define VALUE(name) printf("%s %d\n", #name, (int)(name))

static void print_sizes(void)
{
    SIZE(struct wasm_byte_vec_t);
    SIZE(struct wasm_frame_vec_t);
    SIZE(struct wasm_valtype_vec_t);
    SIZE(struct wasm_exporttype_vec_t);
    SIZE(struct wasm_importtype_vec_t);
    SIZE(struct wasmtime_func);
    SIZE(struct wasmtime_memory);
    SIZE(struct wasmtime_global);
    SIZE(struct wasmtime_instance);
    SIZE(struct wasmtime_extern);
    SIZE(struct wasmtime_val);
    SIZE(union wasmtime_val_raw);
    SIZE(struct wasmtime_linear_memory);
    SIZE(struct wasmtime_memory_creator);
}

static void print_offsets(void)
{
    OFFSET(struct wasm_byte_vec_t, size);
    OFFSET(struct wasm_byte_vec_t, data);
    OFFSET(struct wasm_frame_vec_t, size);
    OFFSET(struct wasm_frame_vec_t, data);
    OFFSET(struct wasm_valtype_vec_t, size);
    OFFSET(struct wasm_valtype_vec_t, data);
    OFFSET(struct wasm_exporttype_vec_t, size);
    OFFSET(struct wasm_importtype_vec_t, size);
    OFFSET(struct wasm_importtype_vec_t, data);
    OFFSET(struct wasm_exporttype_vec_t, data);
    OFFSET(struct wasmtime_extern, kind);
    OFFSET(struct wasmtime_val, kind);
    OFFSET(struct wasmtime_linear_memory, env);
    OFFSET(struct wasmtime_memory_creator, env);
    OFFSET(struct wasmtime_extern, of.func);
    OFFSET(struct wasmtime_extern, of.memory);
    OFFSET(struct wasmtime_extern, of.global);
    OFFSET(struct wasmtime_val, of.i32);
    OFFSET(struct wasmtime_val, of.i64);
    OFFSET(struct wasmtime_val, of.f32);
    OFFSET(struct wasmtime_val, of.f64);
    OFFSET(struct wasmtime_val, of.v128);
    OFFSET(union wasmtime_val_raw, i32);
    OFFSET(union wasmtime_val_raw, i64);
    OFFSET(struct wasmtime_linear_memory, get_memory);
    OFFSET(struct wasmtime_linear_memory, grow_memory);
    OFFSET(struct wasmtime_linear_memory, finalizer);
    OFFSET(struct wasmtime_memory_creator, new_memory);
    OFFSET(struct wasmtime_memory_creator, finalizer);
}

static void print_values(void)
{
    VALUE(WASM_VAR);
    VALUE(WASM_I32);
    VALUE(WASM_I64);
    VALUE(WASM_EXTERN_FUNC);
    VALUE(WASM_EXTERN_GLOBAL);
    VALUE(WASM_EXTERN_MEMORY);
    VALUE(WASMTIME_EXTERN_FUNC);
    VALUE(WASMTIME_EXTERN_GLOBAL);
    VALUE(WASMTIME_EXTERN_MEMORY);
    VALUE(WASMTIME_I32);
    VALUE(WASMTIME_I64);
    VALUE(WASMTIME_F32);
    VALUE(WASMTIME_F64);
    VALUE(WASMTIME_V128);
    VALUE(WASMTIME_TRAP_CODE_STACK_OVERFLOW);
    VALUE(WASMTIME_TRAP_CODE_MEMORY_OUT_OF_BOUNDS);
    VALUE(WASMTIME_TRAP_CODE_TABLE_OUT_OF_BOUNDS);
    VALUE(WASMTIME_TRAP_CODE_INDIRECT_CALL_TO_NULL);
    VALUE(WASMTIME_TRAP_CODE_BAD_SIGNATURE);
    VALUE(WASMTIME_TRAP_CODE_INTEGER_OVERFLOW);
    VALUE(WASMTIME_TRAP_CODE_INTEGER_DIVISION_BY_ZERO);
    VALUE(WASMTIME_TRAP_CODE_BAD_CONVERSION_TO_INTEGER);
    VALUE(WASMTIME_TRAP_CODE_UNREACHABLE_CODE_REACHED);
    VALUE(WASMTIME_TRAP_CODE_OUT_OF_FUEL);
    VALUE(WASMTIME_STRATEGY_CRANELIFT);
    VALUE(WASMTIME_OPT_LEVEL_SPEED);
    VALUE(WASMTIME_UPDATE_DEADLINE_CONTINUE);
}

int main(void)
{
    print_sizes();
    print_offsets();
    print_values();
    return 0;
}
