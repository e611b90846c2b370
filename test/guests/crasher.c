/* Has another instance handle something that never ends, as far as the host's life goes.
 * "relay KEY": sends "spin" to crasher/KEY. "spin": until its deadline. All else is answered. */
#include <swarm/agent.h>

SWARM_AGENT;

static int32_t relay(const struct swarm_message *m)
{
    char to[64] = "crasher/";
    uint32_t size = 8;

    for (uint32_t i = 6; i < m->body_size && size < sizeof to; i++)
        to[size++] = (char)m->body[i];
    return swarm_send(to, size, "", 0, "spin", 4, 0, SWARM_PRIORITY_NORMAL);
}

static void spin(void)
{
    for (volatile uint32_t i = 1; i != 0;)
        i = i == UINT32_MAX ? 1 : i + 1;
}

int32_t SWARM_EXPORT(on_message)(const struct swarm_message *m)
{
    if (m->body_size > 6 && m->body[0] == 'r')
        return relay(m);
    if (m->body_size == 4 && m->body[0] == 's')
        spin();
    if ((m->flags & SWARM_MESSAGE_WANTS_REPLY) == 0)
        return SWARM_DONE;
    return swarm_reply(m->reply_handle, 0, "", 0, m->body, m->body_size);
}
