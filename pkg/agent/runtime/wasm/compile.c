#include "pkg/agent/runtime/wasm/state.h"

static enum sw_rc compile_with(struct wasm_engine_t *engine, struct sw_bytes bytes,
                               struct sw_buffer *out, struct sw_err *err)
{
    struct wasmtime_module *module = NULL;
    struct wasm_byte_vec_t code;
    struct wasmtime_error *error = wasmtime_module_new(engine, bytes.data, bytes.size, &module);

    if (error != NULL)
        return sw_wasm_err(err, SW_E_INVALID, error, "compile");
    error = wasmtime_module_serialize(module, &code);
    wasmtime_module_delete(module);
    if (error != NULL)
        return sw_wasm_err(err, SW_E_INTERNAL, error, "compile");
    sw_buffer_put(out, code.data, code.size);
    wasm_byte_vec_delete(&code);
    if (out->failed)
        return sw_err_set(err, SW_E_EXHAUSTED, "compile: the machine code is too large");
    return SW_OK;
}

static enum sw_rc compile(struct sw_bytes module, enum sw_abi_class class, bool counts_fuel,
                          struct sw_buffer *out, struct sw_err *err)
{
    struct wasm_config_t *config = sw_wasm_config(class, counts_fuel, err);
    struct wasm_engine_t *engine;
    enum sw_rc rc;

    if (config == NULL)
        return SW_E_UNSUPPORTED;
    engine = wasm_engine_new_with_config(config);
    if (engine == NULL)
        return sw_err_set(err, SW_E_UNSUPPORTED, "Wasmtime refuses the engine's settings");
    rc = compile_with(engine, module, out, err);
    wasm_engine_delete(engine);
    return rc;
}

enum sw_rc sw_wasm_compile(struct sw_bytes module, enum sw_abi_class class, struct sw_buffer *out,
                           struct sw_err *err)
{
    return compile(module, class, false, out, err);
}

enum sw_rc sw_wasm_compile_fuel(struct sw_bytes module, enum sw_abi_class class,
                                struct sw_buffer *out, struct sw_err *err)
{
    return compile(module, class, true, out, err);
}
