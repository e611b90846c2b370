/* What an actor needs of whatever runs its code: a vtable, implemented over Wasmtime by the agent
 * host and in plain C by tests and the simulator.
 *
 * Threads: a guest belongs to its worker; modules are shared and counted.  I/O: none.
 * Limits: memory_bytes of each guest. */
#pragma once
#include "pkg/agent/abi/entry.h"

struct sw_guest;        /* Opaque: one instance's memory and globals, ready to be entered. */
struct sw_guest_module; /* Opaque: code, counted. */
struct sw_turn;         /* What the host calls of a guest go to (turn.h). */

struct sw_guest_module_view {
    bool has_on_start, has_on_timer, has_on_stop, has_on_upgrade;
};

/* Guests on one worker. */
struct sw_guest_engine {
    void *ctx; /* First argument of every call. */
    /* A guest that was never entered. Its host calls go to `turn`, which is that of its worker.
     * SW_E_EXHAUSTED: over memory_bytes from the start, or no memory. */
    enum sw_rc (*create)(void *ctx, struct sw_guest_module *module, uint64_t memory_bytes,
                         struct sw_turn *turn, struct sw_guest **ret_guest, struct sw_err *err);
    void (*drop)(void *ctx, struct sw_guest *guest);
    /* Run it once. After any end but DONE and WAITING the guest is dropped by the caller. WAITING
     * comes only after the turn took a wait in this entry. */
    void (*enter)(void *ctx, struct sw_guest *guest, const struct sw_guest_input *input,
                  struct sw_guest_outcome *ret_outcome);
    /* What a guest hands to the next version of its program, appended to out: nothing, and version
     * 0, if it has not said. It runs as a segment does, within deadline_ms. */
    void (*state)(void *ctx, struct sw_guest *guest, uint32_t deadline_ms, struct sw_buffer *out,
                  uint32_t *ret_version, struct sw_guest_outcome *ret_outcome);
    /* All that a guest is between two entries, appended to out; and back, into a new guest. */
    enum sw_rc (*save)(void *ctx, const struct sw_guest *guest, struct sw_buffer *out,
                       struct sw_err *err);
    enum sw_rc (*load)(void *ctx, struct sw_guest *guest, struct sw_bytes image,
                       struct sw_err *err);
    /* It will be entered soon: have a part of it come into the processor's caches, those before it
     * a little earlier. NULL: nothing to do. */
    void (*fetch)(void *ctx, const struct sw_guest *guest, enum sw_guest_part part);
    uint64_t (*memory_bytes)(void *ctx, const struct sw_guest *guest);
    uint64_t (*total_bytes)(void *ctx); /* Of all guests of this worker. */
    /* A number that is another one whenever the memory of a guest of this worker has become one of
     * another size. NULL: that is to be looked for. */
    const _Atomic uint64_t *memory;
    struct sw_guest_module *(*module_ref)(void *ctx, struct sw_guest_module *module);
    void (*module_unref)(void *ctx, struct sw_guest_module *module);
    /* Nobody of this worker needs a guest of it soon. NULL: nothing to do. */
    void (*module_forget)(void *ctx, struct sw_guest_module *module);
    void (*module_view)(void *ctx, const struct sw_guest_module *module,
                        struct sw_guest_module_view *ret_view);
};
