/* Where the linear memories of guests lie: in one mapping without guards, or, of SW_ABI_COMPUTE,
 * each in 4 GiB of its own. For the files of this room only.
 *
 * Threads: a slot is its worker's; the arena and guarded slots are shared by all.  I/O: mappings.
 * Limits: the arena's size; SW_WASM_GUARDED_MAX. */
#pragma once
#include "pkg/agent/runtime/wasm/wasm.h"

#include <stdatomic.h>

#define SW_WASM_SIZES_COUNT 9 /* Slots of 64 KiB, 256 KiB ... 4 GiB, each four times the last. */

struct wasm_config_t;

/* --- memory.c: one mapping for all linear memories but those of SW_ABI_COMPUTE ---------------- */

/* The address space of the engine. Spans are handed out from its start and never come back:
 * a worker keeps what it took, and reuses it slot by slot. */
struct sw_wasm_arena {
    uint8_t *base;
    uint64_t size_bytes;
    _Atomic uint64_t used_bytes;
};

/* Where one linear memory lives. */
struct sw_wasm_slot {
    uint8_t *base;
    uint64_t size_bytes;           /* As the guest sees it; multiple of SW_WASM_PAGE_BYTES. */
    uint64_t limit_bytes;          /* It never grows beyond. */
    struct sw_wasm_worker *worker; /* NULL: a mapping of its own, for a module's first image. */
    uint32_t number;               /* Of its size, or of a guarded slot. */
    bool is_guarded;
    bool is_refused; /* memory.grow met the limit since this was last cleared. */
    bool is_lost;    /* The kernel had no memory for it when it grew: the entry fails. */
};

struct sw_wasm_slots { /* The free slots of one size, as stacks with room for every slot taken. */
    uint8_t **cold;    /* Given back to the kernel: they read as zero. */
    uint8_t **hot;     /* Cleared in place. */
    size_t cold_count, hot_count, capacity;
    size_t slots_count; /* Ever taken from the arena. */
    uint8_t *span;      /* Rest of the span taken last. */
    uint64_t span_bytes;
};

SW_MUST_CHECK enum sw_rc sw_wasm_arena_open(struct sw_wasm_arena *arena, uint64_t size_bytes,
                                            struct sw_err *err);
void sw_wasm_arena_close(struct sw_wasm_arena *arena);
/* The memory creator of the engine's configuration; it serves sw_wasm_slot_next. */
void sw_wasm_memory_configure(struct wasm_config_t *config, bool is_guarded);
/* The slot that the instantiation which follows on this thread fills; NULL: none follows. */
void sw_wasm_slot_next(struct sw_wasm_slot *slot);
/* So many bytes more of linear memories are in use; any thread may look at their sum. */
void sw_wasm_count_memory(struct sw_wasm_worker *worker, uint64_t bytes);
void sw_wasm_slots_done(struct sw_wasm_worker *worker);

/* --- guarded.c: memories of SW_ABI_COMPUTE ---------------------------------------------------- */

#define SW_WASM_GUARD_BYTES ((uint64_t)32 << 20) /* Behind all that a 32-bit guest can address. */

/* Slots of 4 GiB and a guard, of which only what the guest sees may be touched:
 *
 *   | memory, read and write | nothing, up to 4 GiB | guard, nothing | the next slot ...
 *
 * Shared by all workers, since there are few of them. */
struct sw_wasm_guarded {
    uint8_t *base;                                     /* NULL: nobody needed any yet. */
    uint32_t count;                                    /* Slots. */
    _Atomic uint64_t taken[SW_WASM_GUARDED_MAX / 64u]; /* A bit each. */
};

/* So many slots, or as many as there is address space for; once, and before anybody takes one.
 * SW_E_EXHAUSTED: there is none for a single slot */
SW_MUST_CHECK enum sw_rc sw_wasm_guarded_open(struct sw_wasm_guarded *guarded, uint32_t count,
                                              struct sw_err *err);
void sw_wasm_guarded_close(struct sw_wasm_guarded *guarded);
/* A slot whose first size_bytes read as zero; fills base and number. Any thread, as the others.
 * NULL, or why there is none. */
const char *sw_wasm_guarded_take(struct sw_wasm_guarded *guarded, struct sw_wasm_slot *slot,
                                 uint64_t size_bytes);
/* Have more of it be there.  False: the kernel has no memory for that; nothing has changed. */
bool sw_wasm_guarded_grow(const struct sw_wasm_slot *slot, uint64_t size_bytes);
void sw_wasm_guarded_give_back(struct sw_wasm_guarded *guarded, const struct sw_wasm_slot *slot);
