/* WebAssembly instances: machine code in, isolated actors out, entered one message at a time.
 *
 *   engine (per process)  settings of each class, address space for guest memories, the epoch
 * ticker worker (per thread)   recycled memory slots; owns the instances made on it instance (per
 * agent)  a store of its own, one linear memory, globals module (shared)       machine code,
 * resolved imports, the image of a new memory
 *
 * Nothing here decides what a send or a timer means: imports of the module "swarm_1" (see
 * include/swarm/agent.h) and of WASI preview 1 are checked against the guest's memory and handed to
 * struct sw_wasm_calls.
 * Threads: engine and modules are shared; a worker and its instances are used by one thread at a
 * time, and an entry ends on the thread on which it began.
 * I/O: none (memory mappings, one thread, the thread's processor clock: see README.md).
 * Limits: memory_max_bytes of each instance; the address space of the engine, guarded_max. */
#pragma once
#include "pkg/agent/abi/class.h"
#include "pkg/agent/abi/entry.h"

#define SW_WASM_PAGE_BYTES 65536u
#define SW_WASM_MEMORY_BYTES_MAX ((uint64_t)1 << 32) /* What a 32-bit guest can address. */
#define SW_WASM_GUARDED_MAX 16384u                   /* Instances of SW_ABI_COMPUTE. */

struct sw_wasm_engine;   /* Opaque. */
struct sw_wasm_worker;   /* Opaque. */
struct sw_wasm_module;   /* Opaque, counted. */
struct sw_wasm_instance; /* Opaque. */

/* --- What guests call ------------------------------------------------------------------------ */

/* Bytes are borrowed from guest memory, whole and in bounds; texts are not checked for UTF-8, and
 * numbers are as the guest gave them. */
struct sw_wasm_reply {
    uint64_t handle;
    int32_t status;
    struct sw_bytes type, body;
};

struct sw_wasm_publish {
    struct sw_bytes subject, type, body;
    int32_t priority;
};

/* The host's side of the imports; ctx is the one given to sw_wasm_instance_new. All run on the
 * instance's thread, inside sw_wasm_enter, and must not enter or free any instance of this worker.
 * Each returns what the guest gets: 0 or a negative enum sw_rc (self: a size). A pointer or size
 * out of the guest's bounds never arrives here: the guest gets SW_E_INVALID. The last four begin a
 * wait: after 0 the entry ends as SW_GUEST_WAITING, or fails. */
struct sw_wasm_calls {
    int32_t (*send)(void *ctx, const struct sw_guest_send *send);
    int32_t (*reply)(void *ctx, const struct sw_wasm_reply *reply);
    int32_t (*publish)(void *ctx, const struct sw_wasm_publish *publish);
    int32_t (*subscribe)(void *ctx, struct sw_bytes subject);
    int32_t (*unsubscribe)(void *ctx, struct sw_bytes subject);
    int32_t (*timer_start)(void *ctx, uint64_t id, uint64_t delay_ns);
    int32_t (*timer_cancel)(void *ctx, uint64_t id);
    int32_t (*log)(void *ctx, int32_t level, struct sw_bytes text);
    uint64_t (*now)(void *ctx);
    int32_t (*random)(void *ctx, void *ret_bytes, uint32_t size);
    int32_t (*self)(void *ctx, int32_t what, void *ret_text, uint32_t size);
    int32_t (*ask)(void *ctx, const struct sw_guest_send *ask, uint64_t timeout_ns); /* No tag. */
    int32_t (*receive)(void *ctx, uint64_t timeout_ns);
    int32_t (*sleep)(void *ctx, uint64_t duration_ns);
    /* `to` is a service; no priority, no tag. */
    int32_t (*call)(void *ctx, const struct sw_guest_send *call, uint64_t timeout_ns);
    /* No import: the guest was interrupted and has used so much processor time since it was first.
     * Other instances of its worker may be made, entered and freed before this returns, also by
     * another thread; what time they take is not the guest's. It returns NULL, or why the guest is
     * to end now. May be NULL. */
    const char *(*tick)(void *ctx, uint64_t used_ns);
};

/* --- Engine and workers ---------------------------------------------------------------------- */

struct sw_wasm_engine_options {
    const struct sw_wasm_calls *calls; /* Borrowed; outlives the engine. */
    uint64_t address_bytes; /* For all guest memories; 0: 4 TiB. Less where not to be had. */
    /* Instances of SW_ABI_COMPUTE, each of which takes 4 GiB of address space and two mappings; 0:
     * SW_WASM_GUARDED_MAX. Fewer where not to be had. */
    uint32_t guarded_max;
    uint32_t hot_slots_max; /* Cleared in place and kept per worker; 0: 1,024. */
    /* 0: a deadline is processor time. Otherwise it is so much fuel, about one unit an instruction,
     * for each of its milliseconds: the same on every machine, at up to 75 % more time. A tick
     * comes after each millisecond's fuel, when the guest next calls something. Modules are then of
     * sw_wasm_compile_fuel. No thread is started. */
    uint64_t fuel_per_ms;
};

/* Make the process ready to run guests. Install handlers for SIGSEGV, SIGILL, SIGFPE and SIGBUS, if
 * any, before this: the engine chains to them.
 * SW_E_EXHAUSTED    no address space or no thread
 * SW_E_UNSUPPORTED  the loaded Wasmtime lacks what this needs */
SW_MUST_CHECK enum sw_rc sw_wasm_engine_new(const struct sw_wasm_engine_options *options,
                                            struct sw_wasm_engine **ret_engine, struct sw_err *err);
/* All workers and modules are gone before this. */
void sw_wasm_engine_free(struct sw_wasm_engine *engine);
SW_DEFINE_CLEANUP(struct sw_wasm_engine, sw_wasm_engine_free)

struct sw_wasm_module;

/* One per thread that runs guests; made anywhere, used on one thread.  SW_E_EXHAUSTED: no memory.
 */
SW_MUST_CHECK enum sw_rc sw_wasm_worker_new(struct sw_wasm_engine *engine,
                                            struct sw_wasm_worker **ret_worker, struct sw_err *err);
/* Its instances are freed before this. The address space of its slots stays with the engine, so
 * workers are made once per thread, not once per task. */
void sw_wasm_worker_free(struct sw_wasm_worker *worker);
SW_DEFINE_CLEANUP(struct sw_wasm_worker, sw_wasm_worker_free)

/* Nobody needs a guest of that module soon, or of any: those that are kept go, and what they hold
 * of it. */
void sw_wasm_worker_forget(struct sw_wasm_worker *worker, const struct sw_wasm_module *module);

struct sw_wasm_worker_view { /* For metrics. */
    uint64_t instances;      /* Alive. */
    uint64_t memory_bytes;   /* Sum of their linear memories, as the guests see them. */
    uint64_t hot_slots;      /* Cleared and waiting for the next instance. */
    uint64_t fuel;           /* That its guests used; 0: it is not counted. */
};
void sw_wasm_worker_view(const struct sw_wasm_worker *worker, struct sw_wasm_worker_view *ret_view);
/* Where view.memory_bytes stands, for as long as the worker lives. */
const _Atomic uint64_t *sw_wasm_worker_memory(const struct sw_wasm_worker *worker);

/* --- Modules --------------------------------------------------------------------------------- */

struct sw_wasm_module_view {
    bool has_on_start; /* Or another function that the first entry calls: see SW_GUEST_START. */
    bool has_on_timer, has_on_stop, has_on_upgrade, has_state;
    uint64_t memory_bytes;     /* Of a new instance. */
    uint64_t memory_max_bytes; /* What the module declares; 4 GiB if it declares nothing. */
    uint32_t globals_count;    /* Mutable ones, part of an instance's image. */
};

/* Load machine code made by sw_wasm_compile, of a rewritten module, with the same fingerprint and
 * for that class. The code is TRUSTED: it runs as part of this process, so its seal has been
 * verified before. bytes is copied. One thread at a time; the first one of SW_ABI_COMPUTE reserves
 * address space for the instances of all of them.
 * SW_E_UNSUPPORTED  of another version, with other settings, for another processor; or of compute
 *                   as another class, or the other way
 * SW_E_INVALID      lacks an export or imports what there is not
 * SW_E_EXHAUSTED    no memory, or no address space for guarded instances */
SW_MUST_CHECK enum sw_rc sw_wasm_module_open(struct sw_wasm_engine *engine, enum sw_abi_class class,
                                             struct sw_bytes bytes,
                                             struct sw_wasm_module **ret_module,
                                             struct sw_err *err);
/* The program that runs the code of `runtime` with this payload, which is copied: what instances of
 * it get from swarm_bundle. Code, imports and the image of a new memory are shared, and kept until
 * the last of both is gone. A bundle of a bundle is one of the same code.
 * SW_E_EXHAUSTED: no memory, or a payload above SW_ABI_PAYLOAD_BYTES_MAX. */
SW_MUST_CHECK enum sw_rc sw_wasm_module_bundle(struct sw_wasm_module *runtime,
                                               struct sw_bytes payload,
                                               struct sw_wasm_module **ret_module,
                                               struct sw_err *err);
/* Counted, from any thread. Instances keep their module alive. */
struct sw_wasm_module *sw_wasm_module_ref(struct sw_wasm_module *module);
void sw_wasm_module_unref(struct sw_wasm_module *module);
SW_DEFINE_CLEANUP(struct sw_wasm_module, sw_wasm_module_unref)
void sw_wasm_module_view(const struct sw_wasm_module *module, struct sw_wasm_module_view *ret_view);

/* Turn a rewritten module (pkg/agent/modules/rewrite.h) into machine code of a class, appended to
 * out. Slow, and the one use of the code generator: only the sandboxed compiler process calls it.
 * SW_E_INVALID: not a valid module. */
SW_MUST_CHECK enum sw_rc sw_wasm_compile(struct sw_bytes module, enum sw_abi_class class,
                                         struct sw_buffer *out, struct sw_err *err);
/* As sw_wasm_compile, for engines with fuel_per_ms: only a simulation wants such code. */
SW_MUST_CHECK enum sw_rc sw_wasm_compile_fuel(struct sw_bytes module, enum sw_abi_class class,
                                              struct sw_buffer *out, struct sw_err *err);

/* --- Instances ------------------------------------------------------------------------------- */

/* A new instance: memory and globals as the module declares them, nothing entered yet (its owner
 * enters SW_GUEST_START once). memory_max_bytes, a multiple of SW_WASM_PAGE_BYTES, bounds its
 * linear memory for life: memory.grow beyond it is refused, and for no other reason. About 5 us.
 * SW_E_EXHAUSTED  the module's first memory is larger than the limit, no address space is left, or
 *                 there are as many instances of SW_ABI_COMPUTE as there can be */
SW_MUST_CHECK enum sw_rc sw_wasm_instance_new(struct sw_wasm_worker *worker,
                                              struct sw_wasm_module *module,
                                              uint64_t memory_max_bytes, void *ctx,
                                              struct sw_wasm_instance **ret_instance,
                                              struct sw_err *err);
/* It is over. Some of each worker are made new and kept, with their module, for the next
 * sw_wasm_instance_new, which takes a third of the time then. */
void sw_wasm_instance_free(struct sw_wasm_instance *instance);
SW_DEFINE_CLEANUP(struct sw_wasm_instance, sw_wasm_instance_free)
/* It will be entered soon: have a part of it come into the processor's caches, after those before
 * that. Changes nothing. */
void sw_wasm_instance_fetch(const struct sw_wasm_instance *instance, enum sw_guest_part part);
/* Its linear memory now, in bytes. */
uint64_t sw_wasm_instance_memory(const struct sw_wasm_instance *instance);

/* Enter the guest once and wait until it returns. A host entry costs some 20 ns, a message its copy
 * besides. An entry other than RESUME gives up one that waits: the memory stays as it is, the stack
 * pointer goes back to where that entry began. After any end but DONE and WAITING the memory is as
 * the guest left it, possibly in the middle of a change: load an image or free the instance; a
 * trapped one may be entered again all the same. */
void sw_wasm_enter(struct sw_wasm_instance *instance, const struct sw_guest_input *input,
                   struct sw_guest_outcome *ret_outcome);
/* Call swarm_state, if the module exports it, and append what it points to to out. *ret_version is
 * the version that it names; without one it is 0 and nothing is appended. Outcomes as of an entry,
 * FAILED too when what it points to is not inside the memory or does not fit out. */
void sw_wasm_state(struct sw_wasm_instance *instance, uint32_t deadline_ms, struct sw_buffer *out,
                   uint32_t *ret_version, struct sw_guest_outcome *ret_outcome);

/* --- Images ---------------------------------------------------------------------------------- */

/* Append all that an instance is between two entries: memory size, pages that differ from a new
 * instance's (LZ4), mutable globals, and the entry that waits, if one does. It fits only instances
 * of the very same module, of whichever class. SW_E_EXHAUSTED  out is full */
SW_MUST_CHECK enum sw_rc sw_wasm_image_save(const struct sw_wasm_instance *instance,
                                            struct sw_buffer *out, struct sw_err *err);
/* Turn an instance that was never entered into the one that was saved. After an error only
 * sw_wasm_instance_free may follow.
 * SW_E_CORRUPT    not an image, damaged, or of another module
 * SW_E_EXHAUSTED  its memory is larger than the instance's limit */
SW_MUST_CHECK enum sw_rc sw_wasm_image_load(struct sw_wasm_instance *instance,
                                            struct sw_bytes image, struct sw_err *err);
