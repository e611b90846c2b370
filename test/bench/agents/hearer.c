/* One of those who hear what is published, of `build/bench/bench-micro publish`: a first message
 * makes it, and from then on it counts. */
#include <swarm/agent.h>

SWARM_AGENT;

static uint32_t heard;

int32_t SWARM_EXPORT(on_start)(void)
{
    return swarm_subscribe("news", 4);
}

int32_t SWARM_EXPORT(on_message)(const struct swarm_message *m)
{
    heard += m->subject_size > 0;
    return SWARM_DONE;
}
