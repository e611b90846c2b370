/* The Agent of `make bench BENCH=request`: it answers with what it was sent. */
#include <swarm/agent.h>

SWARM_AGENT;

int32_t SWARM_EXPORT(on_message)(const struct swarm_message *message)
{
    if ((message->flags & SWARM_MESSAGE_WANTS_REPLY) == 0)
        return SWARM_DONE;
    return swarm_reply(message->reply_handle, 0, message->type, message->type_size, message->body,
                       message->body_size);
}
