/* The smallest agent: it answers whoever asks, with what was asked. */
#include <swarm/agent.h>

SWARM_AGENT;

int32_t SWARM_EXPORT(on_message)(const struct swarm_message *m)
{
    if ((m->flags & SWARM_MESSAGE_WANTS_REPLY) == 0)
        return SWARM_DONE;
    return swarm_reply(m->reply_handle, 0, m->type, m->type_size, m->body, m->body_size);
}
