/* An agent that keeps room for messages, and tells how often it was asked for it. */
#include <swarm/agent.h>

static uint64_t room[64];
static uint8_t asked = '0';

void *SWARM_EXPORT(swarm_alloc)(uint32_t size)
{
    asked++;
    return size <= sizeof room ? room : 0;
}

void SWARM_EXPORT(swarm_alloc_keeps)(void)
{
    __builtin_trap(); /* Nobody calls it. */
}

int32_t SWARM_EXPORT(on_message)(const struct swarm_message *m)
{
    if ((const void *)m != room)
        return SWARM_E_INVALID;
    return swarm_send("a/b", 3, m->type, m->type_size, &asked, 1, SWARM_PRIORITY_NORMAL, 0);
}
