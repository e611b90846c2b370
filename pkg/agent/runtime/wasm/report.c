#include "pkg/agent/runtime/wasm/waits.h"

#include <stdio.h>
#include <string.h>

static const char *trap_words(uint8_t code)
{
    switch (code) {
    case WASMTIME_TRAP_CODE_STACK_OVERFLOW:
        return "the call stack is exhausted";
    case WASMTIME_TRAP_CODE_MEMORY_OUT_OF_BOUNDS:
        return "memory access out of bounds";
    case WASMTIME_TRAP_CODE_TABLE_OUT_OF_BOUNDS:
        return "call through a function pointer that is out of bounds";
    case WASMTIME_TRAP_CODE_INDIRECT_CALL_TO_NULL:
        return "call through a null function pointer";
    case WASMTIME_TRAP_CODE_BAD_SIGNATURE:
        return "call through a function pointer of another type";
    case WASMTIME_TRAP_CODE_INTEGER_OVERFLOW:
        return "integer overflow";
    case WASMTIME_TRAP_CODE_INTEGER_DIVISION_BY_ZERO:
        return "integer division by zero";
    case WASMTIME_TRAP_CODE_BAD_CONVERSION_TO_INTEGER:
        return "conversion of a number that no integer can hold";
    case WASMTIME_TRAP_CODE_UNREACHABLE_CODE_REACHED:
        return "unreachable code was reached (abort, panic or a failed assertion)";
    case WASMTIME_TRAP_CODE_OUT_OF_FUEL:
        return "out of fuel";
    default:
        return "trap";
    }
}

/* Append to a report, cut at its end. */
static void add(struct sw_guest_outcome *outcome, size_t *used, const char *format, ...)
    SW_PRINTF(3, 4);
static void add(struct sw_guest_outcome *outcome, size_t *used, const char *format, ...)
{
    va_list arguments;
    int size;

    va_start(arguments, format);
    size = vsnprintf(outcome->report + *used, sizeof outcome->report - *used, format, arguments);
    va_end(arguments);
    if (size > 0)
        *used += (size_t)size;
    if (*used >= sizeof outcome->report)
        *used = sizeof outcome->report - 1;
}

/* Names come from the module and are shown to people: whatever is not plain text is masked. */
static void add_name(struct sw_guest_outcome *outcome, size_t *used,
                     const struct wasm_byte_vec_t *name)
{
    char text[128];
    size_t size = name->size < sizeof text - 1 ? name->size : sizeof text - 1;

    for (size_t i = 0; i < size; i++)
        text[i] = name->data[i] >= 0x20 && name->data[i] < 0x7f ? name->data[i] : '?';
    text[size] = '\0';
    add(outcome, used, "%s", text);
}

static void add_frames(struct sw_guest_outcome *outcome, size_t *used,
                       struct wasm_frame_vec_t *frames)
{
    for (size_t i = 0; i < frames->size; i++) {
        const struct wasm_byte_vec_t *name = wasmtime_frame_func_name(frames->data[i]);
        add(outcome, used, "\n  %zu: ", i);
        if (name != NULL && name->size > 0)
            add_name(outcome, used, name);
        else
            add(outcome, used, "function %u", wasm_frame_func_index(frames->data[i]));
        add(outcome, used, " at 0x%zx", wasm_frame_module_offset(frames->data[i]));
    }
    wasm_frame_vec_delete(frames);
}

void sw_wasm_fail_fuel(const struct sw_wasm_instance *instance, struct sw_guest_outcome *outcome)
{
    outcome->end = SW_GUEST_OUT_OF_FUEL;
    outcome->code = SW_E_EXHAUSTED;
    (void)snprintf(outcome->report, sizeof outcome->report,
                   "out of fuel: stopped after %llu units, which is limits.fuel",
                   (unsigned long long)instance->fuel_max);
}

static void report_trap(const struct sw_wasm_instance *instance, struct wasm_trap_t *trap,
                        struct sw_guest_outcome *outcome)
{
    struct wasm_frame_vec_t frames;
    uint8_t code = UINT8_MAX;
    size_t used = 0;

    if (!wasmtime_trap_code(trap, &code))
        code = UINT8_MAX;
    if (code == WASMTIME_TRAP_CODE_OUT_OF_FUEL && instance->fuel_max != 0) {
        sw_wasm_fail_fuel(instance, outcome);
        used = strlen(outcome->report);
    } else if (code == WASMTIME_TRAP_CODE_OUT_OF_FUEL) {
        outcome->end = SW_GUEST_DEADLINE;
        outcome->code = SW_E_TIMEOUT;
        add(outcome, &used, "stopped after the fuel of %u ms: ", (unsigned)instance->deadline_ms);
    } else if (instance->slot.is_refused) {
        outcome->end = SW_GUEST_NO_MEMORY;
        outcome->code = SW_E_EXHAUSTED;
        add(outcome, &used,
            "out of memory at %llu KiB: ", (unsigned long long)(instance->slot.limit_bytes / 1024));
    } else {
        outcome->end = SW_GUEST_TRAPPED;
        outcome->code = SW_E_INTERNAL;
    }
    if (outcome->end != SW_GUEST_OUT_OF_FUEL)
        add(outcome, &used, "%s", trap_words(code));
    wasm_trap_trace(trap, &frames);
    add_frames(outcome, &used, &frames);
    wasm_trap_delete(trap);
}

/* Whatever is no trap: the deadline, which our epoch callback reports as an error, or a failure of
 * Wasmtime itself. */
static void report_error(const struct sw_wasm_instance *instance, struct wasmtime_error *error,
                         struct sw_guest_outcome *outcome)
{
    struct wasm_frame_vec_t frames;
    size_t used = 0;

    if (instance->ended != NULL) {
        outcome->end = SW_GUEST_DEADLINE;
        outcome->code = SW_E_UNAVAILABLE;
        add(outcome, &used, "stopped before its deadline: %s", instance->ended);
    } else if (instance->is_late) {
        outcome->end = SW_GUEST_DEADLINE;
        outcome->code = SW_E_TIMEOUT;
        add(outcome, &used, "stopped after %u ms of processor time",
            (unsigned)instance->deadline_ms);
    } else {
        struct wasm_byte_vec_t message;
        outcome->end = SW_GUEST_TRAPPED;
        outcome->code = SW_E_INTERNAL;
        wasmtime_error_message(error, &message);
        add_name(outcome, &used, &message);
        wasm_byte_vec_delete(&message);
    }
    wasmtime_error_wasm_trace(error, &frames);
    add_frames(outcome, &used, &frames);
    wasmtime_error_delete(error);
}

/* Not a way to end a turn well: the frames that exit leaves behind never ran to their end, and the
 * stack pointer stays where it was. */
static void report_exit(const struct sw_wasm_instance *instance, struct sw_guest_outcome *outcome)
{
    outcome->end = SW_GUEST_FAILED;
    outcome->code = SW_E_INTERNAL;
    (void)snprintf(outcome->report, sizeof outcome->report,
                   "the agent called exit(%d): a handler returns instead, and nothing of this turn "
                   "is kept",
                   (int)instance->exit_code);
}

void sw_wasm_report(struct sw_wasm_instance *instance, struct wasmtime_error *error,
                    struct wasm_trap_t *trap, struct sw_guest_outcome *outcome)
{
    bool has_left = instance->mode == SW_WASM_LEAVING;

    if (instance->violation != NULL)
        sw_wasm_fail(outcome, SW_E_PRECONDITION, instance->violation);
    else if (has_left)
        sw_wasm_has_left(instance, outcome);
    else if (instance->has_exited)
        report_exit(instance, outcome);
    if (instance->violation != NULL || instance->has_exited || has_left) {
        if (trap != NULL)
            wasm_trap_delete(trap);
        if (error != NULL)
            wasmtime_error_delete(error);
        return;
    }
    if (trap != NULL)
        report_trap(instance, trap, outcome);
    else if (error != NULL)
        report_error(instance, error, outcome);
}

enum sw_rc sw_wasm_err(struct sw_err *err, enum sw_rc rc, struct wasmtime_error *error,
                       const char *words)
{
    struct wasm_byte_vec_t message;

    wasmtime_error_message(error, &message);
    (void)sw_err_set(err, rc, "%s: %.*s", words, (int)message.size, message.data);
    wasm_byte_vec_delete(&message);
    wasmtime_error_delete(error);
    return rc;
}
