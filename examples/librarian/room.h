/* The memory after an agent's own variables: grown in pages, handed out from the bottom.
 *
 * A native test says where it is by defining room_base and room_reach itself. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __wasm__
extern uint8_t __heap_base; /* Made by the linker. */

static inline uint8_t *room_base(void)
{
    return &__heap_base;
}

/* Make memory reach up to `end`; false when the Agent's limit does not allow it. */
static inline bool room_reach(const uint8_t *end)
{
    size_t pages = ((size_t)end + 65535) >> 16;
    size_t present = __builtin_wasm_memory_size(0);

    return pages <= present || __builtin_wasm_memory_grow(0, pages - present) != (size_t)-1;
}
#else
uint8_t *room_base(void);
bool room_reach(const uint8_t *end);
#endif

static inline uint8_t *room_align(uint8_t *at)
{
    return at + (-(uintptr_t)at & 7);
}
