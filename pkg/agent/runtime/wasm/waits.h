/* How handlers of modules wait; for the files of this room only. waits.c says how it is done. */
#pragma once
#include "pkg/agent/runtime/wasm/state.h"

/* --- waits.c ---------------------------------------------------------------------------------- */

/* Whether an import may be called now: NULL, or a trap. */
struct wasm_trap_t *sw_wasm_check_mode(struct sw_wasm_instance *instance, bool is_wait);
/* An entry begins that is not RESUME: give up what waits, and remember how the instance is now.
 * False: it cannot be, and *outcome says why. */
bool sw_wasm_begin_waiting_turn(struct sw_wasm_instance *instance,
                                const struct sw_guest_input *input,
                                struct sw_guest_outcome *outcome);
static inline bool sw_wasm_begin_turn(struct sw_wasm_instance *instance,
                                      const struct sw_guest_input *input,
                                      struct sw_guest_outcome *outcome)
{
    return instance->module->suspend == SW_WASM_SUSPEND_NONE ||
           sw_wasm_begin_waiting_turn(instance, input, outcome);
}
/* The entry that took a wait was stopped: it waits now. */
void sw_wasm_has_left(struct sw_wasm_instance *instance, struct sw_guest_outcome *outcome);
/* The function to go on with and its argument; store_id 0: nothing waits, or it cannot go on, and
 * *outcome says why. */
struct wasmtime_func sw_wasm_begin_resume(struct sw_wasm_instance *instance,
                                          union wasmtime_val_raw *ret_value,
                                          struct sw_guest_outcome *outcome);
/* The entry has returned. True: it waits, or failed to, and *outcome says so. */
bool sw_wasm_look_for_wait(struct sw_wasm_instance *instance, int32_t result,
                           struct sw_guest_outcome *outcome);
static inline bool sw_wasm_has_suspended(struct sw_wasm_instance *instance, int32_t result,
                                         struct sw_guest_outcome *outcome)
{
    return instance->module->suspend != SW_WASM_SUSPEND_NONE &&
           sw_wasm_look_for_wait(instance, result, outcome);
}
/* For an import that waits. Whether it may at all: 0, or a code. Take the wait, if code, which is
 * what the host says to it, is 0; otherwise the code is the result. Come back to it: its status is
 * the result. Both return what the import returns. */
int32_t sw_wasm_may_wait(struct sw_wasm_instance *instance);
struct wasm_trap_t *sw_wasm_take(struct sw_wasm_instance *instance, enum sw_wasm_wait wait,
                                 int32_t code, struct wasmtime_caller *caller,
                                 union wasmtime_val_raw *result);
struct wasm_trap_t *sw_wasm_arrive(struct sw_wasm_instance *instance, enum sw_wasm_wait wait,
                                   struct wasmtime_caller *caller, union wasmtime_val_raw *result);
/* The imports ask, receive, sleep, result, call. */
sw_wasm_import sw_wasm_call_ask, sw_wasm_call_receive, sw_wasm_call_sleep, sw_wasm_call_result,
    sw_wasm_call_outside;

/* --- relive.c --------------------------------------------------------------------------------- */

#define SW_WASM_RELIVES_MAX 1000u /* Waits of one turn: what they take grows with their square. */

extern const struct sw_wasm_calls sw_wasm_relive_calls; /* With the instance as their ctx. */

/* Have an instance of such a module keep what it needs.  False: no memory. */
SW_MUST_CHECK bool sw_wasm_relive_new(struct sw_wasm_instance *instance);
void sw_wasm_relive_free(struct sw_wasm_relive *relive);
/* A turn begins.  False: there is no memory to keep the instance as it is, and *outcome says so. */
bool sw_wasm_relive_begin(struct sw_wasm_instance *instance, const struct sw_guest_input *input,
                          struct sw_guest_outcome *outcome);
/* Make the instance anew as it was then; *ret_input, with *ret_message, is what to enter it with.
 * False: *outcome says why not. */
bool sw_wasm_relive_resume(struct sw_wasm_instance *instance, struct sw_guest_input *ret_input,
                           struct sw_guest_message *ret_message, struct sw_guest_outcome *outcome);
/* Whether all that was before was lived through again. */
bool sw_wasm_relive_is_over(const struct sw_wasm_instance *instance);
/* What it keeps, as part of an image.  False: damaged, or no memory. */
void sw_wasm_relive_save(const struct sw_wasm_relive *relive, struct sw_buffer *out);
bool sw_wasm_relive_load(struct sw_wasm_relive *relive, struct sw_reader *reader);

/* --- instance.c ------------------------------------------------------------------------------- */

/* Make store and memory anew, as of a module's new instance.  Errors as sw_wasm_instance_new. */
SW_MUST_CHECK enum sw_rc sw_wasm_instance_renew(struct sw_wasm_instance *instance,
                                                struct sw_err *err);
