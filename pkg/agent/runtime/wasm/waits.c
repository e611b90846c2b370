/* Waiting in the middle of a handler. When the guest takes a wait, its entry ends, and later it is
 * entered again with what ended the wait:
 *
 *   UNWIND  asyncify has each function save its locals in the wait area and return. Later the same
 *           export is called with the same arguments; each function takes its locals from there and
 *           goes on to its call, down to the import, which then returns.
 *   RETURN  the handler returns SWARM_WAITING by itself, and on_resume is called later.
 *   RELIVE  the entry is stopped, and its turn is lived through again later (relive.c).
 *
 * In between an instance is memory and globals and struct sw_wasm_suspended, and nothing else. */
#include "pkg/agent/runtime/wasm/waits.h"

#include "include/swarm/agent.h"

#include <stdio.h>
#include <string.h>

/* What asyncify and the SDK's header export. */
enum { MOVE_AREA, MOVE_START_UNWIND, MOVE_STOP_UNWIND, MOVE_START_REWIND, MOVE_STOP_REWIND };

#define AREA_HEAD_BYTES 8u /* u32 where the stack's copy ends, u32 where the area does. */

/* --- The stack pointer ------------------------------------------------------------------------ */

/* Exports are looked for once: a look takes longer than a wait. */
static bool find_stack_pointer(struct sw_wasm_instance *instance,
                               struct wasmtime_global *ret_global)
{
    const char *name = instance->module->stack_pointer;
    struct wasmtime_extern item;

    if (name != NULL && instance->stack.store_id == 0 &&
        wasmtime_instance_export_get(instance->context, &instance->instance, name, strlen(name),
                                     &item))
        instance->stack = item.of.global;
    *ret_global = instance->stack;
    return instance->stack.store_id != 0;
}

static uint32_t stack_pointer(struct sw_wasm_instance *instance)
{
    struct wasmtime_global global;
    struct wasmtime_val value;

    if (!find_stack_pointer(instance, &global))
        return 0;
    wasmtime_global_get(instance->context, &global, &value);
    return (uint32_t)value.of.i32;
}

static void set_stack_pointer(struct sw_wasm_instance *instance, uint32_t pointer)
{
    struct wasmtime_global global;
    struct wasmtime_val value = {.kind = WASMTIME_I32, .of.i32 = (int32_t)pointer};
    struct wasmtime_error *error;

    if (!find_stack_pointer(instance, &global))
        return;
    error = wasmtime_global_set(instance->context, &global, &value);
    if (error != NULL) /* It is a mutable i32: module.c has looked. */
        wasmtime_error_delete(error);
}

static const struct wasmtime_func *move(struct sw_wasm_instance *instance, unsigned which)
{
    static const char *const names[SW_WASM_MOVES] = {[MOVE_AREA] = "swarm_wait_area",
                                                     [MOVE_START_UNWIND] = "asyncify_start_unwind",
                                                     [MOVE_STOP_UNWIND] = "asyncify_stop_unwind",
                                                     [MOVE_START_REWIND] = "asyncify_start_rewind",
                                                     [MOVE_STOP_REWIND] = "asyncify_stop_rewind"};
    struct wasmtime_func *function = &instance->moves[which];

    if (function->store_id == 0)
        *function = sw_wasm_function(instance, names[which]);
    return function;
}

/* --- Entries ---------------------------------------------------------------------------------- */

bool sw_wasm_begin_waiting_turn(struct sw_wasm_instance *instance,
                                const struct sw_guest_input *input,
                                struct sw_guest_outcome *outcome)
{
    if (instance->suspended.wait != 0)
        set_stack_pointer(instance, instance->suspended.stack_pointer);
    memset(&instance->suspended, 0, sizeof instance->suspended);
    instance->turn.stack_pointer = stack_pointer(instance);
    return instance->relive == NULL || sw_wasm_relive_begin(instance, input, outcome);
}

static uint32_t load(const struct sw_wasm_instance *instance, uint32_t pointer)
{
    uint32_t value;

    memcpy(&value, instance->slot.base + pointer, sizeof value);
    return value;
}

/* Whether all of the area is inside the memory. It is the guest's, so it is looked at each time. */
static bool is_area(const struct sw_wasm_instance *instance, uint32_t area)
{
    uint64_t size = instance->slot.size_bytes;
    uint32_t end;

    if (area == 0 || area % 4 != 0 || (uint64_t)area + AREA_HEAD_BYTES > size)
        return false;
    end = load(instance, area + 4);
    return end >= area + AREA_HEAD_BYTES && end <= size;
}

struct wasmtime_func sw_wasm_begin_resume(struct sw_wasm_instance *instance,
                                          union wasmtime_val_raw *ret_value,
                                          struct sw_guest_outcome *outcome)
{
    const struct sw_wasm_suspended *suspended = &instance->suspended;
    struct wasmtime_func none = {0};

    if (suspended->wait == 0) {
        sw_wasm_fail(outcome, SW_E_PRECONDITION, "no handler of this instance waits");
        return none;
    }
    instance->turn = *suspended;
    if (instance->module->suspend == SW_WASM_SUSPEND_RETURN) {
        ret_value->i32 = instance->resumed->status;
        memset(&instance->suspended, 0, sizeof instance->suspended);
        return sw_wasm_function(instance, "on_resume");
    }
    if (!is_area(instance, suspended->area)) {
        sw_wasm_fail(outcome, SW_E_INVALID, "the wait area is gone");
        return none;
    }
    ret_value->i32 = (int32_t)suspended->area;
    if (!sw_wasm_call_function(instance, move(instance, MOVE_START_REWIND), ret_value, outcome))
        return none;
    instance->mode = SW_WASM_REWINDING;
    ret_value->i64 = (int64_t)suspended->argument;
    return sw_wasm_entry_function(instance, suspended->entry);
}

/* All functions have returned: whether their locals found room in the area. */
static bool end_unwinding(struct sw_wasm_instance *instance, struct sw_guest_outcome *outcome)
{
    uint32_t area = instance->turn.area, end = load(instance, area + 4);
    union wasmtime_val_raw value = {.i64 = 0};

    instance->mode = SW_WASM_NORMAL;
    if (load(instance, area) <= end)
        return sw_wasm_call_function(instance, move(instance, MOVE_STOP_UNWIND), &value, outcome);
    outcome->end = SW_GUEST_NO_MEMORY;
    outcome->code = SW_E_EXHAUSTED;
    (void)snprintf(
        outcome->report, sizeof outcome->report,
        "the locals of the handler that waits need %u bytes, its wait area has %u: build "
        "it with a larger SWARM_WAIT_BYTES",
        (unsigned)(load(instance, area) - area), (unsigned)(end - area));
    return false;
}

bool sw_wasm_look_for_wait(struct sw_wasm_instance *instance, int32_t result,
                           struct sw_guest_outcome *outcome)
{
    if (instance->mode == SW_WASM_REWINDING) {
        sw_wasm_fail(outcome, SW_E_PRECONDITION,
                     "the handler did not come back to where it waited");
        return true;
    }
    if (instance->relive != NULL && !sw_wasm_relive_is_over(instance)) {
        sw_wasm_fail(outcome, SW_E_PRECONDITION,
                     "the handler did not come back to where it waited");
        return true;
    }
    if (instance->taken == 0 ||
        (instance->mode == SW_WASM_NORMAL && result != SWARM_WAITING)) { /* RETURN, or a mistake. */
        if (instance->suspended.wait != 0)
            memset(&instance->suspended, 0, sizeof instance->suspended);
        return false;
    }
    if (instance->mode == SW_WASM_UNWINDING && !end_unwinding(instance, outcome))
        return true;
    instance->turn.wait = instance->taken;
    instance->suspended = instance->turn;
    outcome->end = SW_GUEST_WAITING;
    return true;
}

/* --- Imports ---------------------------------------------------------------------------------- */

static struct wasm_trap_t *violate(struct sw_wasm_instance *instance, const char *words)
{
    instance->violation = words;
    return wasmtime_trap_new("wait", 4);
}

struct wasm_trap_t *sw_wasm_check_mode(struct sw_wasm_instance *instance, bool is_wait)
{
    if (instance->mode == SW_WASM_NORMAL || (instance->mode == SW_WASM_REWINDING && is_wait))
        return NULL;
    return violate(instance, instance->mode == SW_WASM_UNWINDING
                                 ? "the handler went on while it was to wait: a function between "
                                   "the entry and the wait is not built for waiting"
                                 : "the handler called something on the way back to its wait");
}

/* Call a function of the guest within an import; NULL, or how it ended. */
static struct wasm_trap_t *call_back(struct sw_wasm_instance *instance,
                                     struct wasmtime_caller *caller, unsigned which,
                                     union wasmtime_val_raw *value)
{
    struct wasm_trap_t *trap = NULL;
    struct wasmtime_error *error = wasmtime_func_call_unchecked(
        wasmtime_caller_context(caller), move(instance, which), value, 1, &trap);

    if (error == NULL)
        return trap;
    wasmtime_error_delete(error); /* The deadline: it is told by instance->is_late. */
    return wasmtime_trap_new("late", 4);
}

void sw_wasm_has_left(struct sw_wasm_instance *instance, struct sw_guest_outcome *outcome)
{
    instance->turn.wait = instance->taken;
    instance->suspended = instance->turn;
    outcome->end = SW_GUEST_WAITING;
    outcome->code = SW_OK;
    outcome->report[0] = '\0';
}

/* The wait is taken: what the import returns has to make the guest end this entry. */
static struct wasm_trap_t *suspend(struct sw_wasm_instance *instance, enum sw_wasm_wait wait,
                                   struct wasmtime_caller *caller, union wasmtime_val_raw *result)
{
    union wasmtime_val_raw value = {.i64 = 0};
    struct wasm_trap_t *trap;
    uint32_t area;

    instance->taken = wait;
    instance->resumed = NULL;
    if (instance->module->suspend == SW_WASM_SUSPEND_RETURN) {
        result->i32 = SWARM_WAITING;
        return NULL;
    }
    if (instance->module->suspend == SW_WASM_SUSPEND_RELIVE) {
        instance->mode = SW_WASM_LEAVING;
        return wasmtime_trap_new("wait", 4);
    }
    trap = call_back(instance, caller, MOVE_AREA, &value);
    if (trap != NULL)
        return trap;
    area = (uint32_t)value.i32;
    if (!is_area(instance, area))
        return violate(instance, "swarm_wait_area returned no area inside the memory");
    value.i32 = (int32_t)(area + AREA_HEAD_BYTES);
    memcpy(instance->slot.base + area, &value.i32, 4);
    value.i32 = (int32_t)area;
    trap = call_back(instance, caller, MOVE_START_UNWIND, &value);
    if (trap != NULL)
        return trap;
    instance->turn.area = area;
    instance->mode = SW_WASM_UNWINDING;
    result->i32 = 0; /* Nobody looks at it. */
    return NULL;
}

/* Back at the import that took the wait. */
struct wasm_trap_t *sw_wasm_arrive(struct sw_wasm_instance *instance, enum sw_wasm_wait wait,
                                   struct wasmtime_caller *caller, union wasmtime_val_raw *result)
{
    union wasmtime_val_raw value = {.i64 = 0};
    struct wasm_trap_t *trap;

    if (instance->suspended.wait != wait)
        return violate(instance, "the handler came back to another wait than it had taken");
    trap = call_back(instance, caller, MOVE_STOP_REWIND, &value);
    if (trap != NULL)
        return trap;
    instance->mode = SW_WASM_NORMAL;
    memset(&instance->suspended, 0, sizeof instance->suspended);
    result->i32 = instance->resumed->status;
    return NULL;
}

static bool borrow(const struct sw_wasm_instance *instance, const union wasmtime_val_raw *values,
                   struct sw_bytes *ret_bytes)
{
    uint32_t size = (uint32_t)values[1].i32;

    ret_bytes->data = sw_wasm_borrow(instance, (uint32_t)values[0].i32, size);
    ret_bytes->size = size;
    return ret_bytes->data != NULL;
}

static bool borrow_content(const struct sw_wasm_instance *instance,
                           const union wasmtime_val_raw *values, struct sw_guest_send *send)
{
    return borrow(instance, &values[0], &send->to) && borrow(instance, &values[2], &send->type) &&
           borrow(instance, &values[4], &send->body);
}

/* End an import that asked for a wait: code is what the host says to that. */
struct wasm_trap_t *sw_wasm_take(struct sw_wasm_instance *instance, enum sw_wasm_wait wait,
                                 int32_t code, struct wasmtime_caller *caller,
                                 union wasmtime_val_raw *result)
{
    if (code == 0)
        return suspend(instance, wait, caller, result);
    /* RELIVE: it was taken and has ended before. */
    result->i32 = code > 0 ? instance->resumed->status : code;
    return NULL;
}

/* Whether the guest may take a wait: 0, or what the import returns. */
int32_t sw_wasm_may_wait(struct sw_wasm_instance *instance)
{
    /* What is written and not yet a line of the log comes before the wait, now and when it is lived
     * through again. */
    if (instance->relive != NULL)
        sw_wasm_wasi_flush(instance);
    return instance->taken == 0 ? 0 : SW_E_PRECONDITION;
}

struct wasm_trap_t *sw_wasm_call_ask(void *env, struct wasmtime_caller *caller,
                                     union wasmtime_val_raw *values, size_t count)
{
    struct sw_wasm_instance *instance = sw_wasm_instance_of(caller);
    struct sw_guest_send ask = {.priority = values[6].i32};
    int32_t code = sw_wasm_may_wait(instance);

    (void)env;
    (void)count;
    if (instance->mode == SW_WASM_REWINDING)
        return sw_wasm_arrive(instance, SW_WASM_ASK, caller, values);
    if (code == 0)
        code = borrow_content(instance, values, &ask)
                   ? instance->calls->ask(instance->calls_ctx, &ask, (uint64_t)values[7].i64)
                   : SW_E_INVALID;
    return sw_wasm_take(instance, SW_WASM_ASK, code, caller, values);
}

struct wasm_trap_t *sw_wasm_call_outside(void *env, struct wasmtime_caller *caller,
                                         union wasmtime_val_raw *values, size_t count)
{
    struct sw_wasm_instance *instance = sw_wasm_instance_of(caller);
    struct sw_guest_send call = {.priority = 0};
    int32_t code = sw_wasm_may_wait(instance);

    (void)env;
    (void)count;
    if (instance->mode == SW_WASM_REWINDING)
        return sw_wasm_arrive(instance, SW_WASM_CALL, caller, values);
    if (code == 0)
        code = borrow_content(instance, values, &call)
                   ? instance->calls->call(instance->calls_ctx, &call, (uint64_t)values[6].i64)
                   : SW_E_INVALID;
    return sw_wasm_take(instance, SW_WASM_CALL, code, caller, values);
}

struct wasm_trap_t *sw_wasm_call_receive(void *env, struct wasmtime_caller *caller,
                                         union wasmtime_val_raw *values, size_t count)
{
    struct sw_wasm_instance *instance = sw_wasm_instance_of(caller);
    int32_t code = sw_wasm_may_wait(instance);

    (void)env;
    (void)count;
    if (instance->mode == SW_WASM_REWINDING)
        return sw_wasm_arrive(instance, SW_WASM_RECEIVE, caller, values);
    if (code == 0)
        code = instance->calls->receive(instance->calls_ctx, (uint64_t)values[0].i64);
    return sw_wasm_take(instance, SW_WASM_RECEIVE, code, caller, values);
}

struct wasm_trap_t *sw_wasm_call_sleep(void *env, struct wasmtime_caller *caller,
                                       union wasmtime_val_raw *values, size_t count)
{
    struct sw_wasm_instance *instance = sw_wasm_instance_of(caller);
    int32_t code = sw_wasm_may_wait(instance);

    (void)env;
    (void)count;
    if (instance->mode == SW_WASM_REWINDING)
        return sw_wasm_arrive(instance, SW_WASM_SLEEP, caller, values);
    if (code == 0)
        code = instance->calls->sleep(instance->calls_ctx, (uint64_t)values[0].i64);
    return sw_wasm_take(instance, SW_WASM_SLEEP, code, caller, values);
}

struct wasm_trap_t *sw_wasm_call_result(void *env, struct wasmtime_caller *caller,
                                        union wasmtime_val_raw *values, size_t count)
{
    struct sw_wasm_instance *instance = sw_wasm_instance_of(caller);
    uint32_t message = (uint32_t)values[0].i32, texts = (uint32_t)values[1].i32;
    uint32_t room = (uint32_t)values[2].i32;
    struct sw_guest_message nothing = {0};
    const struct sw_guest_message *result = &nothing;
    uint64_t size;

    (void)env;
    (void)count;
    if (instance->resumed == NULL) {
        values[0].i32 = SW_E_NOT_FOUND;
        return NULL;
    }
    nothing.status = instance->resumed->status;
    if (instance->resumed->message != NULL)
        result = instance->resumed->message;
    size = sw_wasm_message_texts(result);
    if (sw_wasm_borrow(instance, message, SW_WASM_GUEST_MESSAGE_BYTES) == NULL ||
        sw_wasm_borrow(instance, texts, room) == NULL) {
        values[0].i32 = SW_E_INVALID;
        return NULL;
    }
    if (size <= room)
        sw_wasm_write_message(instance, result, message, texts);
    values[0].i32 = (int32_t)size;
    return NULL;
}
