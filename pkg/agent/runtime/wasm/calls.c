#include "pkg/agent/runtime/wasm/waits.h"

#include "pkg/agent/abi/abi.h"
#include "pkg/agent/runtime/wasm/running.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct sw_wasm_instance *sw_wasm_instance_of(struct wasmtime_caller *caller)
{
    return wasmtime_context_get_data(wasmtime_caller_context(caller));
}

uint8_t *sw_wasm_borrow(const struct sw_wasm_instance *instance, uint32_t pointer, uint64_t size)
{
    return pointer + size > instance->slot.size_bytes ? NULL : instance->slot.base + pointer;
}

/* The bytes that a guest's (pointer, size) name; false when they are not all in its memory. */
static bool borrow(const struct sw_wasm_instance *instance, const union wasmtime_val_raw *values,
                   struct sw_bytes *ret_bytes)
{
    uint32_t size = (uint32_t)values[1].i32;
    const uint8_t *bytes = sw_wasm_borrow(instance, (uint32_t)values[0].i32, size);

    if (bytes == NULL)
        return false;
    *ret_bytes = (struct sw_bytes){bytes, size};
    return true;
}

static struct wasm_trap_t *call_send(void *env, struct wasmtime_caller *caller,
                                     union wasmtime_val_raw *values, size_t count)
{
    struct sw_wasm_instance *instance = sw_wasm_instance_of(caller);
    struct sw_guest_send send = {.priority = values[6].i32, .tag = (uint64_t)values[7].i64};

    (void)env;
    (void)count;
    values[0].i32 = borrow(instance, &values[0], &send.to) &&
                            borrow(instance, &values[2], &send.type) &&
                            borrow(instance, &values[4], &send.body)
                        ? instance->calls->send(instance->calls_ctx, &send)
                        : SW_E_INVALID;
    return NULL;
}

static struct wasm_trap_t *call_reply(void *env, struct wasmtime_caller *caller,
                                      union wasmtime_val_raw *values, size_t count)
{
    struct sw_wasm_instance *instance = sw_wasm_instance_of(caller);
    struct sw_wasm_reply reply = {.handle = (uint64_t)values[0].i64, .status = values[1].i32};

    (void)env;
    (void)count;
    values[0].i32 =
        borrow(instance, &values[2], &reply.type) && borrow(instance, &values[4], &reply.body)
            ? instance->calls->reply(instance->calls_ctx, &reply)
            : SW_E_INVALID;
    return NULL;
}

static struct wasm_trap_t *call_publish(void *env, struct wasmtime_caller *caller,
                                        union wasmtime_val_raw *values, size_t count)
{
    struct sw_wasm_instance *instance = sw_wasm_instance_of(caller);
    struct sw_wasm_publish publish = {.priority = values[6].i32};

    (void)env;
    (void)count;
    values[0].i32 = borrow(instance, &values[0], &publish.subject) &&
                            borrow(instance, &values[2], &publish.type) &&
                            borrow(instance, &values[4], &publish.body)
                        ? instance->calls->publish(instance->calls_ctx, &publish)
                        : SW_E_INVALID;
    return NULL;
}

static struct wasm_trap_t *call_subscribe(void *env, struct wasmtime_caller *caller,
                                          union wasmtime_val_raw *values, size_t count)
{
    struct sw_wasm_instance *instance = sw_wasm_instance_of(caller);
    struct sw_bytes subject;

    (void)env;
    (void)count;
    values[0].i32 = borrow(instance, &values[0], &subject)
                        ? instance->calls->subscribe(instance->calls_ctx, subject)
                        : SW_E_INVALID;
    return NULL;
}

static struct wasm_trap_t *call_unsubscribe(void *env, struct wasmtime_caller *caller,
                                            union wasmtime_val_raw *values, size_t count)
{
    struct sw_wasm_instance *instance = sw_wasm_instance_of(caller);
    struct sw_bytes subject;

    (void)env;
    (void)count;
    values[0].i32 = borrow(instance, &values[0], &subject)
                        ? instance->calls->unsubscribe(instance->calls_ctx, subject)
                        : SW_E_INVALID;
    return NULL;
}

static struct wasm_trap_t *call_timer_start(void *env, struct wasmtime_caller *caller,
                                            union wasmtime_val_raw *values, size_t count)
{
    struct sw_wasm_instance *instance = sw_wasm_instance_of(caller);

    (void)env;
    (void)count;
    values[0].i32 = instance->calls->timer_start(instance->calls_ctx, (uint64_t)values[0].i64,
                                                 (uint64_t)values[1].i64);
    return NULL;
}

static struct wasm_trap_t *call_timer_cancel(void *env, struct wasmtime_caller *caller,
                                             union wasmtime_val_raw *values, size_t count)
{
    struct sw_wasm_instance *instance = sw_wasm_instance_of(caller);

    (void)env;
    (void)count;
    values[0].i32 = instance->calls->timer_cancel(instance->calls_ctx, (uint64_t)values[0].i64);
    return NULL;
}

static struct wasm_trap_t *call_log(void *env, struct wasmtime_caller *caller,
                                    union wasmtime_val_raw *values, size_t count)
{
    struct sw_wasm_instance *instance = sw_wasm_instance_of(caller);
    struct sw_bytes text;

    (void)env;
    (void)count;
    values[0].i32 = borrow(instance, &values[1], &text)
                        ? instance->calls->log(instance->calls_ctx, values[0].i32, text)
                        : SW_E_INVALID;
    return NULL;
}

static struct wasm_trap_t *call_now(void *env, struct wasmtime_caller *caller,
                                    union wasmtime_val_raw *values, size_t count)
{
    struct sw_wasm_instance *instance = sw_wasm_instance_of(caller);

    (void)env;
    (void)count;
    values[0].i64 = (int64_t)instance->calls->now(instance->calls_ctx);
    return NULL;
}

/* Writable bytes of the guest; the slot is ours, so the constness of a borrow is only a habit. */
static uint8_t *writable(const struct sw_wasm_instance *instance, uint32_t pointer)
{
    return instance->slot.base + pointer;
}

static struct wasm_trap_t *call_random(void *env, struct wasmtime_caller *caller,
                                       union wasmtime_val_raw *values, size_t count)
{
    struct sw_wasm_instance *instance = sw_wasm_instance_of(caller);
    uint32_t pointer = (uint32_t)values[0].i32;
    struct sw_bytes room;

    (void)env;
    (void)count;
    values[0].i32 = borrow(instance, &values[0], &room)
                        ? instance->calls->random(instance->calls_ctx, writable(instance, pointer),
                                                  (uint32_t)room.size)
                        : SW_E_INVALID;
    return NULL;
}

static struct wasm_trap_t *call_self(void *env, struct wasmtime_caller *caller,
                                     union wasmtime_val_raw *values, size_t count)
{
    struct sw_wasm_instance *instance = sw_wasm_instance_of(caller);
    uint32_t pointer = (uint32_t)values[1].i32;
    struct sw_bytes room;

    (void)env;
    (void)count;
    values[0].i32 = borrow(instance, &values[1], &room)
                        ? instance->calls->self(instance->calls_ctx, values[0].i32,
                                                writable(instance, pointer), (uint32_t)room.size)
                        : SW_E_INVALID;
    return NULL;
}

/* A constant of the program: a replay, and a handler that is lived through again, read the same. */
static struct wasm_trap_t *call_bundle(void *env, struct wasmtime_caller *caller,
                                       union wasmtime_val_raw *values, size_t count)
{
    const struct sw_wasm_instance *instance = sw_wasm_instance_of(caller);
    const struct sw_bytes *payload = &instance->module->payload;
    uint32_t offset = (uint32_t)values[0].i32, pointer = (uint32_t)values[1].i32;
    struct sw_bytes room;
    size_t size;

    (void)env;
    (void)count;
    if (!borrow(instance, &values[1], &room)) {
        values[0].i32 = SW_E_INVALID;
        return NULL;
    }
    size = offset < payload->size ? payload->size - offset : 0;
    if (size > room.size)
        size = room.size;
    if (size > 0)
        memcpy(writable(instance, pointer), (const uint8_t *)payload->data + offset, size);
    values[0].i32 = (int32_t)payload->size;
    return NULL;
}

/* In the order of sw_abi_imports. */
static const struct {
    const char *name;
    sw_wasm_import *call;
} callbacks[] = {
    {"send", call_send},
    {"reply", call_reply},
    {"publish", call_publish},
    {"subscribe", call_subscribe},
    {"unsubscribe", call_unsubscribe},
    {"timer_start", call_timer_start},
    {"timer_cancel", call_timer_cancel},
    {"log", call_log},
    {"now", call_now},
    {"random", call_random},
    {"self", call_self},
    {"ask", sw_wasm_call_ask},
    {"receive", sw_wasm_call_receive},
    {"sleep", sw_wasm_call_sleep},
    {"result", sw_wasm_call_result},
    {"call", sw_wasm_call_outside},
    {"bundle", call_bundle},
};

static void types_of(const char *letters, struct wasm_valtype_vec_t *ret_types)
{
    struct wasm_valtype_t *types[16];
    size_t count = strlen(letters);

    assert(count <= sizeof types / sizeof types[0]);
    for (size_t i = 0; i < count; i++)
        types[i] = wasm_valtype_new(letters[i] == 'l' ? WASM_I64 : WASM_I32);
    wasm_valtype_vec_new(ret_types, count, types);
}

struct binding { /* Of an import in the linker, which frees it. */
    sw_wasm_import *call;
    void *env;
    bool is_wait;
};

/* While the stack of a guest is moved it can call nothing. */
static struct wasm_trap_t *on_import(void *env, struct wasmtime_caller *caller,
                                     union wasmtime_val_raw *values, size_t count)
{
    const struct binding *binding = env;
    struct sw_wasm_instance *instance = sw_wasm_instance_of(caller);

    struct wasm_trap_t *trap = NULL;

    if (instance->mode != SW_WASM_NORMAL)
        trap = sw_wasm_check_mode(instance, binding->is_wait);
    if (trap == NULL)
        trap = binding->call(binding->env, caller, values, count);
    return trap == NULL && instance->violation != NULL ? wasmtime_trap_new("violation", 9) : trap;
}

/* Where fuel is counted no thread makes ticks: what the guest has used is looked at when it calls,
 * and the tick comes where it next begins a function or a round of a loop. */
static struct wasm_trap_t *on_import_with_fuel(void *env, struct wasmtime_caller *caller,
                                               union wasmtime_val_raw *values, size_t count)
{
    struct sw_wasm_instance *instance = sw_wasm_instance_of(caller);
    struct sw_wasm_worker *worker = instance->worker;

    sw_wasm_look_at_fuel(instance);
    if (worker->fuel >= worker->tick_fuel) {
        worker->tick_fuel = worker->fuel + worker->engine->fuel_per_ms;
        sw_wasm_advance(worker->engine);
    }
    return on_import(env, caller, values, count);
}

enum sw_rc sw_wasm_define(struct sw_wasm_engine *engine, struct wasmtime_linker *linker,
                          const struct sw_wasm_definition *definition, struct sw_err *err)
{
    const struct sw_abi_function *function = definition->function;
    struct wasm_valtype_vec_t parameters, results;
    struct wasm_functype_t *type;
    struct wasmtime_error *error;
    struct binding *binding = malloc(sizeof *binding);

    if (binding == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for an import");
    *binding = (struct binding){definition->call, definition->env, definition->is_wait};
    types_of(function->parameters, &parameters);
    types_of(function->result, &results);
    type = wasm_functype_new(&parameters, &results);
    error = wasmtime_linker_define_func_unchecked(
        linker, definition->module, strlen(definition->module), function->name,
        strlen(function->name), type, engine->fuel_per_ms == 0 ? on_import : on_import_with_fuel,
        binding, free);
    wasm_functype_delete(type);
    return error == NULL ? SW_OK : sw_wasm_err(err, SW_E_INTERNAL, error, function->name);
}

static bool is_wait(sw_wasm_import *call)
{
    return call == sw_wasm_call_ask || call == sw_wasm_call_receive || call == sw_wasm_call_sleep ||
           call == sw_wasm_call_outside;
}

enum sw_rc sw_wasm_calls_define(struct sw_wasm_engine *engine, struct wasmtime_linker *linker,
                                struct sw_err *err)
{
    size_t count;
    const struct sw_abi_function *imports = sw_abi_imports(&count);

    assert(count == sizeof callbacks / sizeof callbacks[0]);
    for (size_t i = 0; i < count; i++) {
        assert(strcmp(imports[i].name, callbacks[i].name) == 0);
        enum sw_rc rc = sw_wasm_define(
            engine, linker,
            &(struct sw_wasm_definition){.module = SW_ABI_MODULE,
                                         .function = &imports[i],
                                         .call = callbacks[i].call,
                                         .is_wait = is_wait(callbacks[i].call),
                                         .env = (void *)(uintptr_t)engine->calls}, /* Only read. */
            err);
        if (rc != SW_OK)
            return rc;
    }
    return SW_OK;
}
