#include "pkg/agent/runtime/wasm/state.h"

#include <sys/mman.h>

#define SLOT_BYTES (SW_WASM_MEMORY_BYTES_MAX + SW_WASM_GUARD_BYTES)
#define BITS 64u

enum sw_rc sw_wasm_guarded_open(struct sw_wasm_guarded *guarded, uint32_t count, struct sw_err *err)
{
    if (count == 0 || count > SW_WASM_GUARDED_MAX)
        count = SW_WASM_GUARDED_MAX;
    for (; count > 0; count /= 2) {
        void *base = mmap(NULL, count * SLOT_BYTES, PROT_NONE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (base == MAP_FAILED)
            continue;
        (void)madvise(base, count * SLOT_BYTES, MADV_DONTDUMP); /* Advice only. */
        guarded->base = base;
        guarded->count = count;
        return SW_OK;
    }
    (void)sw_err_set(err, SW_E_EXHAUSTED,
                     "no address space for instances of the engine class compute");
    sw_err_hint(err, "each takes 4 GiB of it, which a limit on virtual memory (ulimit -v) forbids; "
                     "set engine: compact");
    return SW_E_EXHAUSTED;
}

void sw_wasm_guarded_close(struct sw_wasm_guarded *guarded)
{
    if (guarded->base != NULL)
        (void)munmap(guarded->base, guarded->count * SLOT_BYTES);
    guarded->base = NULL;
}

/* The first free slot; guarded->count: there is none. */
static uint32_t take_number(struct sw_wasm_guarded *guarded)
{
    for (uint32_t i = 0; i * BITS < guarded->count; i++) {
        uint64_t taken = atomic_load_explicit(&guarded->taken[i], memory_order_relaxed);

        while (taken != UINT64_MAX) {
            unsigned bit = (unsigned)__builtin_ctzll(~taken);
            if (i * BITS + bit >= guarded->count)
                break;
            if (atomic_compare_exchange_weak(&guarded->taken[i], &taken, taken | 1ull << bit))
                return i * BITS + bit;
        }
    }
    return guarded->count;
}

static void free_number(struct sw_wasm_guarded *guarded, uint32_t number)
{
    (void)atomic_fetch_and(&guarded->taken[number / BITS], ~(1ull << number % BITS));
}

const char *sw_wasm_guarded_take(struct sw_wasm_guarded *guarded, struct sw_wasm_slot *slot,
                                 uint64_t size_bytes)
{
    uint32_t number = take_number(guarded);
    uint8_t *base;

    if (number == guarded->count)
        return "this host has as many instances of the engine class compute as it can have";
    base = guarded->base + number * SLOT_BYTES;
    if (size_bytes > 0 && mprotect(base, size_bytes, PROT_READ | PROT_WRITE) != 0) {
        if (mprotect(base, size_bytes, PROT_NONE) == 0) /* A part may be open. */
            free_number(guarded, number);
        return "the kernel has no memory or no mapping left for an instance of the engine class "
               "compute; see vm.max_map_count";
    }
    slot->base = base;
    slot->number = number;
    return NULL;
}

bool sw_wasm_guarded_grow(const struct sw_wasm_slot *slot, uint64_t size_bytes)
{
    return mprotect(slot->base + slot->size_bytes, size_bytes - slot->size_bytes,
                    PROT_READ | PROT_WRITE) == 0;
}

/* What cannot be cleared and closed again is nobody's any more. Where it could not grow, a part of
 * what it would have grown by may be open. */
void sw_wasm_guarded_give_back(struct sw_wasm_guarded *guarded, const struct sw_wasm_slot *slot)
{
    uint64_t size_bytes = slot->is_lost ? slot->limit_bytes : slot->size_bytes;

    if (size_bytes > 0 && (madvise(slot->base, size_bytes, MADV_DONTNEED) != 0 ||
                           mprotect(slot->base, size_bytes, PROT_NONE) != 0))
        return;
    free_number(guarded, slot->number);
}
