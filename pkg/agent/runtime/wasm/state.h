/* The structs behind wasm.h, for the files of this room only. */
#pragma once
#include "pkg/agent/abi/abi.h"
#include "pkg/agent/runtime/wasm/memory.h"
#include "pkg/agent/runtime/wasm/spare.h"
#include "pkg/agent/runtime/wasm/wasm.h"
#include "pkg/agent/runtime/wasm/wasmtime_abi.h"

#include <semaphore.h>
#include <pthread.h>
#include <stdatomic.h>

#define SW_WASM_WORKERS_MAX 256
#define SW_WASM_IMAGE_PAGE_BYTES 4096u
#define SW_WASM_IMAGE_CHUNK_PAGES 64u
#define SW_WASM_LINE_BYTES_MAX                                                                     \
    (16u << 10) /* Longer lines of standard output are cut into such.                              \
                 */
#define SW_WASM_TICKS_FOREVER ((uint64_t)1 << 40) /* Deadline where Wasmtime's own code runs. */
#define SW_WASM_CHUNK_BYTES (SW_WASM_IMAGE_PAGE_BYTES * SW_WASM_IMAGE_CHUNK_PAGES)

/* --- engine.c -------------------------------------------------------------------------------- */

/* A worker's place in its engine; the ticker looks at it, so it outlives the worker. */
struct sw_wasm_seat {
    _Alignas(64) atomic_bool is_taken;
    atomic_bool is_running; /* Inside a guest. */
};

struct sw_wasm_class { /* Wasmtime's engine with the settings of a class, and the imports on it. */
    struct wasm_engine_t *engine;
    struct wasmtime_linker *linker;
    bool is_counting; /* Its code counts fuel: the class says so, or all of the engine does. */
    bool is_fueled;   /* The class says so: entries are bounded by fuel. */
};

struct sw_wasm_engine {
    struct sw_wasm_class classes[SW_ABI_CLASSES];
    const struct sw_wasm_calls *calls;
    struct sw_wasm_arena arena;
    struct sw_wasm_guarded guarded;
    uint32_t guarded_max; /* As in the options. */
    uint32_t hot_slots_max;
    uint64_t fuel_per_ms; /* 0: deadlines are processor time, and the ticker runs. */
    pthread_t ticker;
    bool is_ticking;
    atomic_bool is_stopping;
    atomic_bool is_parked; /* The ticker sleeps until somebody enters a guest. */
    sem_t wake;
    struct sw_wasm_seat seats[SW_WASM_WORKERS_MAX];
};

/* A line of standard output or error that has no end yet. Every line ends with its entry, so the
 * entry that runs on a worker now is the only one that needs them. */
struct sw_wasm_line {
    uint32_t size;
    uint8_t bytes[SW_WASM_LINE_BYTES_MAX];
};

struct sw_wasm_worker {
    struct sw_wasm_engine *engine;
    struct sw_wasm_seat *seat;
    struct sw_wasm_slots slots[SW_WASM_SIZES_COUNT];
    uint64_t instances, hot_slots, fuel, tick_fuel; /* Fuel that guests used; when a tick comes. */
    _Atomic uint64_t memory_bytes;
    uint8_t *scratch; /* Two chunks for images; made when first needed. */
    struct sw_wasm_spare spares[SW_WASM_SPARES_MAX]; /* The newest last. */
    uint32_t spares_count;
    struct sw_wasm_saved saved;   /* Of the image that was made last. */
    struct sw_wasm_line lines[2]; /* Of the entry that runs. */
};

/* A tick for the guests of all classes. Any thread. */
void sw_wasm_advance(struct sw_wasm_engine *engine);

/* Settings that compiler and host share; part of SW_ABI_FINGERPRINT. counts_fuel: whatever the
 * class says. */
struct wasm_config_t *sw_wasm_config(enum sw_abi_class class, bool counts_fuel, struct sw_err *err);

/* --- calls.c, wasi.c -------------------------------------------------------------------------- */

/* An import. Arguments and the result share one array: the result goes where the first argument
 * was. */
typedef struct wasm_trap_t *sw_wasm_import(void *env, struct wasmtime_caller *caller,
                                           union wasmtime_val_raw *values, size_t count);

struct sw_wasm_definition {
    const char *module;
    const struct sw_abi_function *function;
    sw_wasm_import *call;
    void *env;
    bool is_wait;
};

/* Define the imports of swarm_1 on a linker of the engine; those of WASI preview 1. */
SW_MUST_CHECK enum sw_rc sw_wasm_calls_define(struct sw_wasm_engine *engine,
                                              struct wasmtime_linker *linker, struct sw_err *err);
SW_MUST_CHECK enum sw_rc sw_wasm_wasi_define(struct sw_wasm_engine *engine,
                                             struct wasmtime_linker *linker, struct sw_err *err);
SW_MUST_CHECK enum sw_rc sw_wasm_define(struct sw_wasm_engine *engine,
                                        struct wasmtime_linker *linker,
                                        const struct sw_wasm_definition *definition,
                                        struct sw_err *err);
struct sw_wasm_instance *sw_wasm_instance_of(struct wasmtime_caller *caller);
/* The bytes of the guest that (pointer, size) name; NULL when they are not all in its memory. */
uint8_t *sw_wasm_borrow(const struct sw_wasm_instance *instance, uint32_t pointer, uint64_t size);
/* What was written to standard output and error without a newline becomes lines of log now. */
void sw_wasm_wasi_flush(struct sw_wasm_instance *instance);

/* --- module.c -------------------------------------------------------------------------------- */

struct sw_wasm_global {
    char *name; /* Owned. */
    size_t name_size;
    struct wasmtime_val first; /* Of a new instance. */
};

/* How a module waits within a handler. */
enum sw_wasm_suspend {
    SW_WASM_SUSPEND_NONE,   /* It cannot. */
    SW_WASM_SUSPEND_UNWIND, /* Binaryen's asyncify moves its stack into its memory, and back. */
    SW_WASM_SUSPEND_RETURN, /* It returns SWARM_WAITING, and goes on in on_resume. */
    SW_WASM_SUSPEND_RELIVE  /* It knows nothing of it: its turn is lived through again. */
};

struct sw_wasm_module {
    atomic_uint references; /* First: what follows does not change. */
    struct sw_wasm_engine *engine;
    const struct sw_wasm_class *class;
    struct wasmtime_module *module;
    struct wasmtime_instance_pre *pre;
    struct sw_wasm_module_view view;
    bool has_start, has_initialize; /* Called before on_start. */
    bool keeps_room;                /* swarm_alloc_keeps. */
    enum sw_wasm_suspend suspend;
    const char *stack_pointer;      /* Name of that global; NULL: none is known. */
    struct sw_wasm_global *globals; /* view.globals_count mutable ones. */
    /* What a new instance's memory holds: its pages of 4 KiB that are not zero, by number. */
    uint32_t *base_pages;
    uint8_t *base_bytes;
    size_t base_count;
    /* Of a bundle: the module that all of the above is shared with, which is none; NULL: it is its
     * own. */
    struct sw_wasm_module *runtime;
    struct sw_bytes payload; /* Of a bundle; owned. */
};

/* --- waits.c ---------------------------------------------------------------------------------- */

enum sw_wasm_mode {
    SW_WASM_NORMAL,
    SW_WASM_UNWINDING, /* It took a wait; its functions return one after the other. */
    SW_WASM_REWINDING, /* They are called again, down to the wait. */
    SW_WASM_LEAVING    /* It took a wait and is stopped. */
};

enum sw_wasm_wait { SW_WASM_ASK = 1, SW_WASM_RECEIVE, SW_WASM_SLEEP, SW_WASM_CALL };

#define SW_WASM_MOVES 5u /* Functions of a guest that move its stack. */

struct sw_wasm_suspended {  /* An entry that waits; part of the image. */
    enum sw_wasm_wait wait; /* 0: none does. */
    enum sw_guest_entry entry;
    uint64_t argument;      /* Of the entry, as it was called. */
    uint32_t stack_pointer; /* When it began. */
    uint32_t area;          /* Where its stack is kept. */
};

/* --- instance.c ------------------------------------------------------------------------------ */

/* What each message looks at comes first. */
struct sw_wasm_instance {
    _Alignas(64) struct sw_wasm_worker *worker;
    struct sw_wasm_module *module;
    struct wasmtime_context *context;
    void *ctx;
    struct sw_wasm_slot slot;          /* To the end of it: what an import looks at, too. */
    const struct sw_wasm_calls *calls; /* Where imports go, */
    void *calls_ctx;                   /* with this. */
    struct wasmtime_func on_message;
    uint32_t last_pointer; /* Where the last message was put in its memory; 0: nowhere. */
    uint32_t room_bytes;   /* So many can be put there again without asking. */
    uint64_t started_ns;   /* Processor time at the first tick of this entry; 0: none came yet. */
    uint64_t fuel_left;    /* When it was looked at last, where it is counted; */
    uint64_t fuel_used;    /* of this entry, then. */
    uint64_t fuel_max;     /* That this entry may use; 0: any, or it is not counted. */
    uint32_t deadline_ms;
    bool is_late;          /* The deadline ended this entry, */
    const char *ended;     /* or whoever runs it, and why; NULL: it did not. */
    bool has_exited;       /* proc_exit did. */
    const char *violation; /* What the guest did while its stack was moved; NULL: nothing. */
    enum sw_wasm_mode mode;
    enum sw_wasm_wait taken;              /* The wait that this entry took; 0: none. */
    struct sw_wasm_relive *relive;        /* RELIVE; otherwise NULL. */
    const struct sw_guest_input *resumed; /* With what its wait ended; NULL: it is past. */
    const struct sw_guest_input *entered; /* With what this entry was made. */
    struct sw_wasm_suspended suspended;   /* What waits, */
    struct sw_wasm_suspended turn;        /* and what would, if the entry that runs now waited. */
    int32_t exit_code;                    /* What proc_exit was given. */
    struct wasmtime_store *store;
    struct wasmtime_instance instance;
    struct wasmtime_func alloc, on_timer;
    struct wasmtime_global stack; /* Its pointer; store_id 0: not looked for yet. */
    struct wasmtime_func moves[SW_WASM_MOVES];
    bool has_failed;               /* An entry ended in the middle, once. */
    struct wasmtime_global global; /* Its first mutable one; store_id 0: not looked for yet. */
};

/* One more instance that is not made new. */
void sw_wasm_instance_delete(struct sw_wasm_instance *instance);
/* The handle of a mutable global of its module. */
struct wasmtime_global sw_wasm_global_of(const struct sw_wasm_instance *instance, uint32_t index);
/* Have the handle of the first one at hand. */
void sw_wasm_find_global(struct sw_wasm_instance *instance);

/* The handle of an export, and of an entry; store_id 0: there is none. */
struct wasmtime_func sw_wasm_function(struct sw_wasm_instance *instance, const char *name);
struct wasmtime_func sw_wasm_entry_function(struct sw_wasm_instance *instance,
                                            enum sw_guest_entry entry);
/* Call one function of the guest; false, and an outcome, when it did not return. */
bool sw_wasm_call_function(struct sw_wasm_instance *instance, const struct wasmtime_func *function,
                           union wasmtime_val_raw *value, struct sw_guest_outcome *outcome);
void sw_wasm_fail(struct sw_guest_outcome *outcome, int32_t code, const char *words);
/* Lay a message out, inside the memory: its struct at `pointer`, the rest from `texts` on. */
void sw_wasm_write_message(const struct sw_wasm_instance *instance,
                           const struct sw_guest_message *message, uint32_t pointer,
                           uint32_t texts);
/* Bytes of what a message refers to. */
uint64_t sw_wasm_message_texts(const struct sw_guest_message *message);
#define SW_WASM_GUEST_MESSAGE_BYTES 72u

/* --- report.c -------------------------------------------------------------------------------- */

/* Describe a trap or an error of wasmtime in outcome, and free both. */
void sw_wasm_report(struct sw_wasm_instance *instance, struct wasmtime_error *error,
                    struct wasm_trap_t *trap, struct sw_guest_outcome *outcome);
/* It has used more fuel than it may. */
void sw_wasm_fail_fuel(const struct sw_wasm_instance *instance, struct sw_guest_outcome *outcome);
/* Take an error of wasmtime over into ours; returns rc. */
enum sw_rc sw_wasm_err(struct sw_err *err, enum sw_rc rc, struct wasmtime_error *error,
                       const char *words);
