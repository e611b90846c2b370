#include "pkg/agent/runtime/wasm/memory.h"
#include "pkg/agent/runtime/wasm/state.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define SLOT_BYTES_MIN SW_WASM_PAGE_BYTES
#define SPAN_BYTES_MIN ((uint64_t)16 << 20)
#define ARENA_BYTES_MIN ((uint64_t)1 << 30)
/* Clearing in place beats the kernel up to about here; beyond, its page tables are cheaper. */
#define HOT_BYTES_MAX ((uint64_t)256 << 10)
#define KERNEL_PAGE_BYTES 4096u

/* Wasmtime asks for a memory in the middle of an instantiation and hands us nothing of the
 * caller's; this is how the caller's slot gets there. */
static _Thread_local struct sw_wasm_slot *next_slot;

void sw_wasm_slot_next(struct sw_wasm_slot *slot)
{
    next_slot = slot;
}

enum sw_rc sw_wasm_arena_open(struct sw_wasm_arena *arena, uint64_t size_bytes, struct sw_err *err)
{
    for (; size_bytes >= ARENA_BYTES_MIN; size_bytes /= 2) {
        void *base = mmap(NULL, size_bytes, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (base == MAP_FAILED)
            continue;
        /* Huge pages would give each tiny instance 2 MiB; core dumps would be endless. Advice only:
         * a kernel without either works as well. */
        (void)madvise(base, size_bytes, MADV_NOHUGEPAGE);
        (void)madvise(base, size_bytes, MADV_DONTDUMP);
        arena->base = base;
        arena->size_bytes = size_bytes;
        atomic_init(&arena->used_bytes, 0);
        return SW_OK;
    }
    (void)sw_err_set(err, SW_E_EXHAUSTED, "no address space for the memories of agents");
    sw_err_hint(err, "the kernel setting vm.overcommit_memory=2 or a limit on virtual memory "
                     "(ulimit -v) forbids a large mapping");
    return SW_E_EXHAUSTED;
}

void sw_wasm_arena_close(struct sw_wasm_arena *arena)
{
    if (arena->base != NULL)
        (void)munmap(arena->base, arena->size_bytes);
    arena->base = NULL;
}

static uint64_t bytes_of_size(unsigned size)
{
    return (uint64_t)SLOT_BYTES_MIN << (2 * size);
}

static unsigned size_of_limit(uint64_t limit_bytes)
{
    unsigned size = 0;

    while (size < SW_WASM_SIZES_COUNT - 1 && bytes_of_size(size) < limit_bytes)
        size++;
    return size;
}

/* Both stacks can hold every slot that was ever taken, so that giving one back cannot fail. */
static bool slots_make_room(struct sw_wasm_slots *slots)
{
    size_t capacity = slots->capacity == 0 ? 64 : slots->capacity * 2;
    uint8_t **cold, **hot;

    if (slots->slots_count < slots->capacity)
        return true;
    cold = realloc(slots->cold, capacity * sizeof *cold);
    if (cold == NULL)
        return false;
    slots->cold = cold;
    hot = realloc(slots->hot, capacity * sizeof *hot);
    if (hot == NULL)
        return false;
    slots->hot = hot;
    slots->capacity = capacity;
    return true;
}

static bool slots_take_span(struct sw_wasm_arena *arena, struct sw_wasm_slots *slots,
                            uint64_t slot_bytes)
{
    uint64_t span = slot_bytes < SPAN_BYTES_MIN ? SPAN_BYTES_MIN : slot_bytes;
    uint64_t used = atomic_load(&arena->used_bytes);

    do {
        if (span > arena->size_bytes - used)
            return false;
    } while (!atomic_compare_exchange_weak(&arena->used_bytes, &used, used + span));
    slots->span = arena->base + used;
    slots->span_bytes = span;
    return true;
}

static uint8_t *slot_take(struct sw_wasm_worker *worker, unsigned size)
{
    struct sw_wasm_slots *slots = &worker->slots[size];
    uint64_t slot_bytes = bytes_of_size(size);
    uint8_t *base;

    if (slots->hot_count > 0) {
        worker->hot_slots--;
        return slots->hot[--slots->hot_count];
    }
    if (slots->cold_count > 0)
        return slots->cold[--slots->cold_count];
    if (!slots_make_room(slots))
        return NULL;
    if (slots->span_bytes < slot_bytes &&
        !slots_take_span(&worker->engine->arena, slots, slot_bytes))
        return NULL;
    base = slots->span;
    slots->span += slot_bytes;
    slots->span_bytes -= slot_bytes;
    slots->slots_count++;
    return base;
}

/* Only pages that hold something are written: an untouched page stays the kernel's zero page. */
static void clear_in_place(uint8_t *base, uint64_t size_bytes)
{
    static const uint8_t zeros[KERNEL_PAGE_BYTES];

    for (uint64_t at = 0; at < size_bytes; at += KERNEL_PAGE_BYTES)
        if (memcmp(base + at, zeros, KERNEL_PAGE_BYTES) != 0)
            memset(base + at, 0, KERNEL_PAGE_BYTES);
}

/* Whatever is on either stack reads as zero: the next tenant sees nothing of this one. A guest
 * cannot write beyond size_bytes, and its memory never shrinks, so clearing that much is enough. */
static void slot_give_back(struct sw_wasm_slot *slot)
{
    struct sw_wasm_worker *worker = slot->worker;
    struct sw_wasm_slots *slots = &worker->slots[slot->number];

    if (slot->size_bytes <= HOT_BYTES_MAX && worker->hot_slots < worker->engine->hot_slots_max) {
        clear_in_place(slot->base, slot->size_bytes);
        slots->hot[slots->hot_count++] = slot->base;
        worker->hot_slots++;
        return;
    }
    if (slot->size_bytes > 0 && madvise(slot->base, slot->size_bytes, MADV_DONTNEED) != 0)
        memset(slot->base, 0, slot->size_bytes);
    slots->cold[slots->cold_count++] = slot->base;
}

/* Unless it is guarded, the capacity told to Wasmtime is more than there is, on purpose: it refuses
 * growth beyond the capacity by itself, and we want to see each refusal. It uses the number for
 * nothing else then, since neither copy-on-write images nor guard pages are on. */
static uint8_t *memory_get(void *env, size_t *byte_size, size_t *byte_capacity)
{
    const struct sw_wasm_slot *slot = env;

    *byte_size = slot->size_bytes;
    *byte_capacity = SW_WASM_MEMORY_BYTES_MAX;
    return slot->base;
}

void sw_wasm_count_memory(struct sw_wasm_worker *worker, uint64_t bytes)
{
    atomic_fetch_add_explicit(&worker->memory_bytes, bytes, memory_order_relaxed);
}

static struct wasmtime_error *memory_grow(void *env, size_t new_size)
{
    struct sw_wasm_slot *slot = env;

    if (new_size > slot->limit_bytes) {
        slot->is_refused = true;
        return wasmtime_error_new("the instance's memory limit is reached");
    }
    if (slot->is_guarded && !sw_wasm_guarded_grow(slot, new_size)) {
        slot->is_lost = true;
        return wasmtime_error_new("the kernel has no memory for it");
    }
    if (slot->worker != NULL)
        sw_wasm_count_memory(slot->worker, new_size - slot->size_bytes);
    slot->size_bytes = new_size;
    return NULL;
}

static void memory_finalize(void *env)
{
    struct sw_wasm_slot *slot = env;

    if (slot->worker != NULL) {
        sw_wasm_count_memory(slot->worker, 0 - slot->size_bytes);
        if (slot->is_guarded)
            sw_wasm_guarded_give_back(&slot->worker->engine->guarded, slot);
        else
            slot_give_back(slot);
    } else if (slot->base != NULL) {
        (void)munmap(slot->base, slot->limit_bytes);
    }
    slot->base = NULL;
}

/* Find a place for a memory of `minimum` bytes. Returns why there is none; NULL: there is. */
static const char *place(struct sw_wasm_slot *slot, uint64_t minimum)
{
    static const char none[] = "no address space is left for memories";
    void *base;

    if (slot->worker != NULL && slot->is_guarded)
        return sw_wasm_guarded_take(&slot->worker->engine->guarded, slot, minimum);
    if (slot->worker != NULL) {
        slot->number = size_of_limit(slot->limit_bytes);
        slot->base = slot_take(slot->worker, slot->number);
        return slot->base == NULL ? none : NULL;
    }
    /* No code of the guest ever runs in it, so it needs no guard. */
    base = mmap(NULL, slot->limit_bytes, PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (base == MAP_FAILED)
        return none;
    slot->base = base;
    slot->is_guarded = false;
    return NULL;
}

static const bool guarded = true, compared = false; /* Whose addresses say which one it is. */

static struct wasmtime_error *memory_new(void *env, const struct wasm_memorytype_t *type,
                                         size_t minimum, size_t maximum, size_t reserved_bytes,
                                         size_t guard_bytes,
                                         struct wasmtime_linear_memory *ret_memory)
{
    struct sw_wasm_slot *slot = next_slot;
    bool is_guarded = *(const bool *)env;
    const char *reason;

    (void)type;
    (void)maximum;
    if (slot == NULL || reserved_bytes > (is_guarded ? SW_WASM_MEMORY_BYTES_MAX : 0) ||
        guard_bytes > (is_guarded ? SW_WASM_GUARD_BYTES : 0) || minimum > slot->limit_bytes)
        return wasmtime_error_new("the instance's first memory is larger than its limit");
    next_slot = NULL;
    slot->is_guarded = is_guarded;
    reason = place(slot, minimum);
    if (reason != NULL)
        return wasmtime_error_new(reason);
    if (slot->worker != NULL)
        sw_wasm_count_memory(slot->worker, minimum);
    slot->size_bytes = minimum;
    *ret_memory = (struct wasmtime_linear_memory){.env = slot,
                                                  .get_memory = memory_get,
                                                  .grow_memory = memory_grow,
                                                  .finalizer = memory_finalize};
    return NULL;
}

void sw_wasm_memory_configure(struct wasm_config_t *config, bool is_guarded)
{
    struct wasmtime_memory_creator creator = {
        .env = (void *)(uintptr_t)(is_guarded ? &guarded : &compared), /* Only read. */
        .new_memory = memory_new};

    wasmtime_config_host_memory_creator_set(config, &creator);
}

void sw_wasm_slots_done(struct sw_wasm_worker *worker)
{
    for (unsigned size = 0; size < SW_WASM_SIZES_COUNT; size++) {
        struct sw_wasm_slots *slots = &worker->slots[size];
        /* The address space stays with the engine; the memory behind it does not. */
        for (size_t i = 0; i < slots->hot_count; i++)
            (void)madvise(slots->hot[i],
                          HOT_BYTES_MAX < bytes_of_size(size) ? HOT_BYTES_MAX : bytes_of_size(size),
                          MADV_DONTNEED);
        free(slots->cold);
        free(slots->hot);
    }
}
