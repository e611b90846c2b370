/* Waiting in the middle of a handler, for the files of this room: what entries and imports need of
 * waits.c. */
#pragma once
#include "pkg/agent/runtime/wasm/state.h"

/* Whether an import may be called now: NULL, or a trap. */
struct wasm_trap_t *sw_wasm_check_mode(struct sw_wasm_instance *instance, bool is_wait);
/* An entry begins that is not RESUME: give up what waits, and remember the stack pointer. */
void sw_wasm_begin_turn(struct sw_wasm_instance *instance);
/* The function to go on with and its argument; store_id 0: nothing waits, or it cannot go on, and
 * *outcome says why. */
struct wasmtime_func sw_wasm_begin_resume(struct sw_wasm_instance *instance,
                                          union wasmtime_val_raw *ret_value,
                                          struct sw_wasm_outcome *outcome);
/* The entry has returned. True: it waits, or failed to, and *outcome says so. */
bool sw_wasm_has_suspended(struct sw_wasm_instance *instance, int32_t result,
                           struct sw_wasm_outcome *outcome);
/* For an import that waits. Whether it may at all: 0, or a code. Take the wait, if code, which is
 * what the host says to it, is 0; otherwise the code is the result. Come back to it: its status is
 * the result. Both return what the import returns. */
int32_t sw_wasm_may_wait(const struct sw_wasm_instance *instance);
struct wasm_trap_t *sw_wasm_take(struct sw_wasm_instance *instance, enum sw_wasm_wait wait,
                                 int32_t code, struct wasmtime_caller *caller,
                                 union wasmtime_val_raw *result);
struct wasm_trap_t *sw_wasm_arrive(struct sw_wasm_instance *instance, enum sw_wasm_wait wait,
                                   struct wasmtime_caller *caller, union wasmtime_val_raw *result);
/* The imports ask, receive, sleep, result. */
sw_wasm_import sw_wasm_call_ask, sw_wasm_call_receive, sw_wasm_call_sleep, sw_wasm_call_result;
