#include "pkg/agent/runtime/wasm/state.h"

#include "pkg/agent/abi/abi.h"
#include "pkg/agent/runtime/wasm/running.h"

#include <assert.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define ASYNCIFY_EXPORTS 5u

static bool has_name(const struct wasm_exporttype_t *type, const char *name)
{
    const struct wasm_byte_vec_t *text = wasm_exporttype_name(type);

    return text->size == strlen(name) && memcmp(text->data, name, text->size) == 0;
}

static enum sw_rc read_memory(struct sw_wasm_module *module, const struct wasm_externtype_t *type)
{
    const struct wasm_memorytype_t *memory = wasm_externtype_as_memorytype_const(type);
    uint64_t pages_max;

    if (memory == NULL)
        return SW_E_INVALID;
    module->view.memory_bytes = wasmtime_memorytype_minimum(memory) * SW_WASM_PAGE_BYTES;
    module->view.memory_max_bytes = SW_WASM_MEMORY_BYTES_MAX;
    if (wasmtime_memorytype_maximum(memory, &pages_max) &&
        pages_max < SW_WASM_MEMORY_BYTES_MAX / SW_WASM_PAGE_BYTES)
        module->view.memory_max_bytes = pages_max * SW_WASM_PAGE_BYTES;
    return SW_OK;
}

/* Only the rewriter's exports count: each mutable global has exactly one of them. */
static bool is_rewritten_global(const struct wasm_exporttype_t *type)
{
    const struct wasm_byte_vec_t *name = wasm_exporttype_name(type);

    return name->size > strlen(SW_ABI_GLOBAL_PREFIX) &&
           memcmp(name->data, SW_ABI_GLOBAL_PREFIX, strlen(SW_ABI_GLOBAL_PREFIX)) == 0;
}

static enum sw_rc read_global(struct sw_wasm_module *module, const struct wasm_exporttype_t *type)
{
    const struct wasm_globaltype_t *global =
        wasm_externtype_as_globaltype_const(wasm_exporttype_type(type));
    const struct wasm_byte_vec_t *name = wasm_exporttype_name(type);
    struct sw_wasm_global *entry;

    if (!is_rewritten_global(type))
        return SW_OK;
    if (global == NULL || wasm_globaltype_mutability(global) != WASM_VAR)
        return SW_E_INVALID;
    if (module->view.globals_count >= SW_ABI_GLOBALS_MAX)
        return SW_E_INVALID;
    if (module->globals == NULL)
        module->globals = calloc(SW_ABI_GLOBALS_MAX, sizeof *module->globals);
    if (module->globals == NULL)
        return SW_E_EXHAUSTED;
    entry = &module->globals[module->view.globals_count];
    entry->name = malloc(name->size + 1);
    if (entry->name == NULL)
        return SW_E_EXHAUSTED;
    memcpy(entry->name, name->data, name->size);
    entry->name[name->size] = '\0';
    entry->name_size = name->size;
    module->view.globals_count++;
    return SW_OK;
}

/* Whether it is one of those that a module has once asyncify went over it and the SDK's header is
 * in it. */
static bool is_asyncify(const struct wasm_exporttype_t *type)
{
    static const char *const names[ASYNCIFY_EXPORTS] = {
        "asyncify_start_unwind", "asyncify_stop_unwind", "asyncify_start_rewind",
        "asyncify_stop_rewind", "swarm_wait_area"};

    for (size_t i = 0; i < ASYNCIFY_EXPORTS; i++)
        if (has_name(type, names[i]))
            return true;
    return false;
}

/* Toolchains that export the stack pointer call it so; with the others it is the first global. */
static void note_stack_pointer(struct sw_wasm_module *module, const struct wasm_exporttype_t *type)
{
    const struct wasm_globaltype_t *global =
        wasm_externtype_as_globaltype_const(wasm_exporttype_type(type));

    if (global == NULL || wasm_globaltype_mutability(global) != WASM_VAR ||
        wasm_valtype_kind(wasm_globaltype_content(global)) != WASM_I32)
        return;
    if (has_name(type, "__stack_pointer"))
        module->stack_pointer = "__stack_pointer";
    else if (has_name(type, SW_ABI_GLOBAL_PREFIX "0") && module->stack_pointer == NULL)
        module->stack_pointer = SW_ABI_GLOBAL_PREFIX "0";
}

static bool is_name(const struct wasm_byte_vec_t *name, const char *text)
{
    return name->size == strlen(text) && memcmp(name->data, text, name->size) == 0;
}

/* Whether it calls anything that waits. */
static bool imports_waits(const struct sw_wasm_module *module)
{
    static const char *const names[] = {"ask", "receive", "sleep", "call"};
    struct wasm_importtype_vec_t types;
    bool waits = false;

    wasmtime_module_imports(module->module, &types);
    for (size_t i = 0; i < types.size; i++)
        for (size_t k = 0; k < sizeof names / sizeof names[0]; k++)
            waits |= is_name(wasm_importtype_module(types.data[i]), SW_ABI_MODULE) &&
                     is_name(wasm_importtype_name(types.data[i]), names[k]);
    wasm_importtype_vec_delete(&types);
    return waits;
}

static enum sw_rc read_exports(struct sw_wasm_module *module, struct sw_err *err)
{
    struct wasm_exporttype_vec_t types;
    enum sw_rc rc = SW_OK;
    bool has_memory = false, has_alloc = false, has_on_message = false, has_on_resume = false;
    unsigned asyncify = 0;

    wasmtime_module_exports(module->module, &types);
    for (size_t i = 0; rc == SW_OK && i < types.size; i++) {
        const struct wasm_externtype_t *type = wasm_exporttype_type(types.data[i]);
        uint8_t kind = wasm_externtype_kind(type);
        if (kind == WASM_EXTERN_GLOBAL) {
            rc = read_global(module, types.data[i]);
            note_stack_pointer(module, types.data[i]);
        }
        if (kind == WASM_EXTERN_MEMORY && has_name(types.data[i], "memory")) {
            rc = read_memory(module, type);
            has_memory = true;
        }
        if (kind != WASM_EXTERN_FUNC)
            continue;
        has_alloc |= has_name(types.data[i], "swarm_alloc");
        has_on_message |= has_name(types.data[i], "on_message");
        module->has_start |= has_name(types.data[i], SW_ABI_START);
        module->has_initialize |= has_name(types.data[i], "_initialize");
        module->keeps_room |= has_name(types.data[i], "swarm_alloc_keeps");
        module->view.has_on_start |= has_name(types.data[i], "on_start");
        module->view.has_on_timer |= has_name(types.data[i], "on_timer");
        module->view.has_on_stop |= has_name(types.data[i], "on_stop");
        module->view.has_on_upgrade |= has_name(types.data[i], "on_upgrade");
        module->view.has_state |= has_name(types.data[i], "swarm_state");
        has_on_resume |= has_name(types.data[i], "on_resume");
        asyncify += is_asyncify(types.data[i]);
    }
    if (has_on_resume)
        module->suspend = SW_WASM_SUSPEND_RETURN;
    else if (asyncify == ASYNCIFY_EXPORTS)
        module->suspend = SW_WASM_SUSPEND_UNWIND;
    else if (imports_waits(module))
        module->suspend = SW_WASM_SUSPEND_RELIVE;
    module->view.has_on_start |= module->has_start || module->has_initialize;
    wasm_exporttype_vec_delete(&types);
    if (rc != SW_OK)
        return sw_err_set(err, rc, "open module: exports that cannot be used");
    if (!has_memory || !has_alloc || !has_on_message)
        return sw_err_set(err, SW_E_INVALID,
                          "open module: memory, swarm_alloc or on_message is not exported");
    return SW_OK;
}

static bool is_zero(const uint8_t *page)
{
    static const uint8_t zeros[SW_WASM_IMAGE_PAGE_BYTES];

    return memcmp(page, zeros, sizeof zeros) == 0;
}

/* Keep the pages of a fresh memory that are not zero, to tell later what an instance changed. */
static enum sw_rc keep_base(struct sw_wasm_module *module, const struct sw_wasm_slot *slot,
                            struct sw_err *err)
{
    uint64_t pages = slot->size_bytes / SW_WASM_IMAGE_PAGE_BYTES;
    size_t count = 0;

    for (uint64_t i = 0; i < pages; i++)
        count += !is_zero(slot->base + i * SW_WASM_IMAGE_PAGE_BYTES);
    module->base_pages = calloc(count + 1, sizeof *module->base_pages);
    module->base_bytes = malloc(count * SW_WASM_IMAGE_PAGE_BYTES + 1);
    if (module->base_pages == NULL || module->base_bytes == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "open module: no memory for its first image");
    for (uint64_t i = 0; i < pages; i++) {
        const uint8_t *page = slot->base + i * SW_WASM_IMAGE_PAGE_BYTES;
        if (is_zero(page))
            continue;
        module->base_pages[module->base_count] = (uint32_t)i;
        memcpy(module->base_bytes + module->base_count * SW_WASM_IMAGE_PAGE_BYTES, page,
               SW_WASM_IMAGE_PAGE_BYTES);
        module->base_count++;
    }
    return SW_OK;
}

static enum sw_rc keep_globals(struct sw_wasm_module *module, struct wasmtime_context *context,
                               const struct wasmtime_instance *instance, struct sw_err *err)
{
    for (uint32_t i = 0; i < module->view.globals_count; i++) {
        struct sw_wasm_global *global = &module->globals[i];
        struct wasmtime_extern item;

        if (!wasmtime_instance_export_get(context, instance, global->name, global->name_size,
                                          &item))
            return sw_err_set(err, SW_E_INTERNAL, "open module: an export is gone");
        wasmtime_global_get(context, &item.of.global, &global->first);
    }
    return SW_OK;
}

/* Instantiate once, in a mapping of its own, and look at the memory and the globals. */
static enum sw_rc read_base(struct sw_wasm_module *module, struct sw_err *err)
{
    struct sw_wasm_slot slot = {.limit_bytes = module->view.memory_bytes};
    struct wasmtime_instance instance;
    struct wasm_trap_t *trap = NULL;
    struct wasmtime_store *store;
    struct wasmtime_error *error;
    enum sw_rc rc;

    if (slot.limit_bytes == 0)
        slot.limit_bytes = SW_WASM_PAGE_BYTES; /* A mapping has at least one page. */
    store = wasmtime_store_new(module->class->engine, NULL, NULL);
    sw_wasm_set_no_deadline(module->class, wasmtime_store_context(store));
    sw_wasm_slot_next(&slot);
    error = wasmtime_instance_pre_instantiate(module->pre, wasmtime_store_context(store), &instance,
                                              &trap);
    sw_wasm_slot_next(NULL);
    if (error != NULL) {
        rc = sw_wasm_err(err, SW_E_EXHAUSTED, error, "open module");
    } else if (trap != NULL) {
        wasm_trap_delete(trap);
        rc = sw_err_set(err, SW_E_INVALID, "open module: a data segment is outside the memory");
    } else {
        rc = keep_base(module, &slot, err);
        if (rc == SW_OK)
            rc = keep_globals(module, wasmtime_store_context(store), &instance, err);
    }
    wasmtime_store_delete(store);
    return rc;
}

static void module_free(struct sw_wasm_module *module)
{
    if (module->runtime != NULL) {
        sw_wasm_module_unref(module->runtime);
        free((void *)(uintptr_t)module->payload.data);
        free(module);
        return;
    }
    for (uint32_t i = 0; i < module->view.globals_count; i++)
        free(module->globals[i].name);
    free(module->globals);
    free(module->base_pages);
    free(module->base_bytes);
    if (module->pre != NULL)
        wasmtime_instance_pre_delete(module->pre);
    if (module->module != NULL)
        wasmtime_module_delete(module->module);
    free(module);
}

enum sw_rc sw_wasm_module_open(struct sw_wasm_engine *engine, enum sw_abi_class class,
                               struct sw_bytes bytes, struct sw_wasm_module **ret_module,
                               struct sw_err *err)
{
    SW_CLEANUP(sw_wasm_module_unrefp) struct sw_wasm_module *module = calloc(1, sizeof *module);
    struct wasmtime_error *error;
    enum sw_rc rc;

    if (module == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for a module");
    atomic_init(&module->references, 1);
    module->engine = engine;
    module->class = &engine->classes[class];
    if (sw_abi_class_with_fuel(class, false) == SW_ABI_COMPUTE && engine->guarded.base == NULL) {
        rc = sw_wasm_guarded_open(&engine->guarded, engine->guarded_max, err);
        if (rc != SW_OK)
            return rc;
    }
    error =
        wasmtime_module_deserialize(module->class->engine, bytes.data, bytes.size, &module->module);
    if (error != NULL) {
        module->module = NULL;
        return sw_wasm_err(err, SW_E_UNSUPPORTED, error, "open module");
    }
    rc = read_exports(module, err);
    if (rc != SW_OK)
        return rc;
    error = wasmtime_linker_instantiate_pre(module->class->linker, module->module, &module->pre);
    if (error != NULL) {
        module->pre = NULL;
        return sw_wasm_err(err, SW_E_INVALID, error, "open module");
    }
    rc = read_base(module, err);
    if (rc != SW_OK)
        return rc;
    *ret_module = SW_TAKE(module);
    return SW_OK;
}

enum sw_rc sw_wasm_module_bundle(struct sw_wasm_module *runtime, struct sw_bytes payload,
                                 struct sw_wasm_module **ret_module, struct sw_err *err)
{
    struct sw_wasm_module *code = runtime->runtime == NULL ? runtime : runtime->runtime;
    struct sw_wasm_module *module;
    void *bytes;

    if (payload.size > SW_ABI_PAYLOAD_BYTES_MAX)
        return sw_err_set(err, SW_E_EXHAUSTED, "open bundle: its payload has more than %u bytes",
                          SW_ABI_PAYLOAD_BYTES_MAX);
    module = calloc(1, sizeof *module);
    bytes = malloc(payload.size + 1);
    if (module == NULL || bytes == NULL) {
        free(module);
        free(bytes);
        return sw_err_set(err, SW_E_EXHAUSTED, "open bundle: no memory for it");
    }
    if (payload.size > 0)
        memcpy(bytes, payload.data, payload.size);
    /* What others may be changing is the number of references, which comes first. */
    memcpy(&module->engine, &code->engine,
           sizeof *module - offsetof(struct sw_wasm_module, engine));
    atomic_init(&module->references, 1);
    module->runtime = sw_wasm_module_ref(code);
    module->payload = (struct sw_bytes){bytes, payload.size};
    *ret_module = module;
    return SW_OK;
}

struct sw_wasm_module *sw_wasm_module_ref(struct sw_wasm_module *module)
{
    (void)atomic_fetch_add_explicit(&module->references, 1, memory_order_relaxed);
    return module;
}

void sw_wasm_module_unref(struct sw_wasm_module *module)
{
    unsigned before;

    if (module == NULL)
        return;
    before = atomic_fetch_sub_explicit(&module->references, 1, memory_order_acq_rel);
    assert(before > 0);
    if (before == 1)
        module_free(module);
}

void sw_wasm_module_view(const struct sw_wasm_module *module, struct sw_wasm_module_view *ret_view)
{
    *ret_view = module->view;
}
