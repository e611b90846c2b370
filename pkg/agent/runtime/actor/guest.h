/* What an actor needs of whatever runs its code: a vtable, implemented over Wasmtime by the agent
 * host and in plain C by tests and the simulator.
 *
 * Threads: a guest belongs to its worker; modules are shared and counted.  I/O: none.
 * Limits: memory_bytes of each guest. */
#pragma once
#include "pkg/utils/base/buffer.h"

#define SW_GUEST_REPORT_MAX 2048

struct sw_guest;        /* Opaque: one instance's memory and globals, ready to be entered. */
struct sw_guest_module; /* Opaque: code, counted. */
struct sw_turn;         /* What the host calls of a guest go to (turn.h). */

struct sw_guest_message { /* As struct swarm_message of include/swarm/agent.h; borrowed. */
    uint32_t flags, priority;
    uint64_t time_ns, reply_handle, tag;
    int32_t status;
    struct sw_bytes from, subject, type, body;
};

struct sw_guest_upgrade { /* As struct swarm_upgrade of include/swarm/agent.h; borrowed. */
    uint32_t old_version;
    struct sw_bytes old_module, state;
};

/* RESUME goes on with the entry that ended as waiting. Any other entry gives that one up: its
 * memory stays as it is, its stack is forgotten. */
enum sw_guest_entry {
    SW_GUEST_START,
    SW_GUEST_MESSAGE,
    SW_GUEST_TIMER,
    SW_GUEST_STOP,
    SW_GUEST_RESUME,
    SW_GUEST_UPGRADE
};

struct sw_guest_input {
    enum sw_guest_entry entry;
    const struct sw_guest_message *message; /* MESSAGE. RESUME: what ended the wait; NULL: none. */
    int32_t status;                         /* RESUME: what the wait returns. */
    uint64_t timer;                         /* TIMER. */
    const struct sw_guest_upgrade *upgrade; /* UPGRADE: instead of START, in a new guest. */
    uint32_t deadline_ms;
};

enum sw_guest_end {
    SW_GUEST_DONE,
    SW_GUEST_FAILED,
    SW_GUEST_TRAPPED,
    SW_GUEST_DEADLINE,
    SW_GUEST_NO_MEMORY,
    SW_GUEST_CRASHED, /* Only said by the actors' own room: it was not entered. */
    SW_GUEST_WAITING
};

struct sw_guest_outcome {
    enum sw_guest_end end;
    int32_t code;                     /* 0 when DONE or WAITING; otherwise a negative code. */
    char report[SW_GUEST_REPORT_MAX]; /* Words and the guest's backtrace; "" when the code is 0. */
};

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
    /* It will be entered soon: have the guest itself (step 0), and a little later what it leads to
     * (step 1), come into the processor's caches. NULL: nothing to do. */
    void (*fetch)(void *ctx, const struct sw_guest *guest, int step);
    uint64_t (*memory_bytes)(void *ctx, const struct sw_guest *guest);
    uint64_t (*total_bytes)(void *ctx); /* Of all guests of this worker. */
    struct sw_guest_module *(*module_ref)(void *ctx, struct sw_guest_module *module);
    void (*module_unref)(void *ctx, struct sw_guest_module *module);
    void (*module_view)(void *ctx, const struct sw_guest_module *module,
                        struct sw_guest_module_view *ret_view);
};
