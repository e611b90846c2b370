/* An agent whose allocator lies, in a way that depends on the size that it is asked for: the body's
 * size above the struct. */
#include <swarm/agent.h>

static uint64_t heap[64];

void *SWARM_EXPORT(swarm_alloc)(uint32_t size)
{
    uint32_t end = (uint32_t)__builtin_wasm_memory_size(0) << 16;

    switch (size - (uint32_t)sizeof(struct swarm_message) - 10) { /* 10: "text/plain". */
    case 1:
        return (char *)heap + 1;
    case 2:
        return (char *)0xfffffff8u;
    case 3:
        return (char *)end - 8;
    case 4:
        __builtin_trap();
    case 5:
        for (volatile uint32_t i = 0;; i++)
            ;
    default:
        return heap;
    }
}

int32_t SWARM_EXPORT(on_message)(const struct swarm_message *m)
{
    return m->body_size == 6 ? SWARM_DONE : SWARM_E_INVALID;
}
