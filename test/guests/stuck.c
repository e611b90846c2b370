/* Has a function that never ends, which test/e2e/hostile.py makes the start function of the module.
 */
#include <swarm/agent.h>

SWARM_AGENT;

void SWARM_EXPORT(for_ever)(void)
{
    static volatile uint32_t count;

    for (;;)
        count++;
}

int32_t SWARM_EXPORT(on_message)(const struct swarm_message *m)
{
    return swarm_reply(m->reply_handle, 0, "", 0, m->body, m->body_size);
}
