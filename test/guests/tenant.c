/* Leaves secrets in its memory, and looks for those of others. The first byte of a message says
 * what to do, four more a distance: g grow as far as it goes, f fill, t fill and trap, r fill the
 * stack, s search. */
#include <swarm/agent.h>

#define SECRET 0xa5

extern uint8_t __heap_base;
static uint64_t room[32];
static volatile uint8_t kept[512];

void *SWARM_EXPORT(swarm_alloc)(uint32_t size)
{
    return size <= sizeof room ? room : 0;
}

static uint32_t end(void)
{
    return (uint32_t)(((uint64_t)__builtin_wasm_memory_size(0) << 16) - 1); /* Of 4 GiB, too. */
}

static int32_t grow(void)
{
    for (uint32_t pages = 32768; pages > 0; pages /= 2)
        while (__builtin_wasm_memory_grow(0, pages) != (__SIZE_TYPE__)-1)
            continue;
    return SWARM_DONE;
}

static int32_t fill(uint32_t step)
{
    volatile uint8_t *at = &__heap_base;
    uint32_t left = end() - (uint32_t)(__UINTPTR_TYPE__)at;

    for (; left >= step; left -= step, at += step)
        *at = SECRET;
    *(volatile uint8_t *)(__UINTPTR_TYPE__)end() = SECRET;
    for (uint32_t i = 0; i < sizeof kept; i++)
        kept[i] = SECRET;
    return SWARM_DONE;
}

static int32_t fill_ends(void)
{
    uint32_t left = end() - (uint32_t)(__UINTPTR_TYPE__)&__heap_base;
    volatile uint8_t *at = &__heap_base;

    for (; left > 0; left--, at++)
        if (((uint32_t)(__UINTPTR_TYPE__)at & 4095) == 4095)
            *at = SECRET;
    return SWARM_DONE;
}

static int32_t search(uint32_t step)
{
    const volatile uint8_t *at = &__heap_base;
    uint32_t left = end() - (uint32_t)(__UINTPTR_TYPE__)at;

    for (; left >= step; left -= step, at += step)
        if (*at != 0)
            return SWARM_E_DENIED;
    return *(volatile uint8_t *)(__UINTPTR_TYPE__)end() == 0 ? SWARM_DONE : SWARM_E_DENIED;
}

static int32_t recurse(uint32_t depth)
{
    volatile uint8_t frame[256];

    for (uint32_t i = 0; i < sizeof frame; i++)
        frame[i] = SECRET;
    return depth == 0 ? frame[7] - SECRET : recurse(depth - 1) + frame[9] - SECRET;
}

int32_t SWARM_EXPORT(on_message)(const struct swarm_message *m)
{
    uint32_t step = 1;

    if (m->body_size == 5)
        __builtin_memcpy(&step, m->body + 1, sizeof step);
    switch (m->body_size == 0 ? 0 : m->body[0]) {
    case 'g':
        return grow();
    case 'f':
        return fill(step);
    case 't':
        fill(step);
        __builtin_trap();
    case 'r':
        return recurse(40);
    case 'l':
        return fill_ends();
    case 's':
        return search(step);
    default:
        return SWARM_E_INVALID;
    }
}
