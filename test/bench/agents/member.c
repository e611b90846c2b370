/* One of the many of `make bench BENCH=spawn`, `wake`, `recover` and `start`: an instance with 128
 * bytes of state. Whoever pings it, a client or a `pinger`, gets the sum of that state, which says
 * how many pings there were. A client that only asks "?" gets the same, and changes nothing. */
#include "crowd.h"

#include <swarm/agent.h>

SWARM_AGENT;

static uint64_t state[CROWD_WORDS];
static uint32_t own_key, pings;

int32_t SWARM_EXPORT(on_start)(void)
{
    char text[12];
    int32_t size = swarm_self(SWARM_SELF_KEY, text, sizeof text);

    for (int32_t i = 0; i < size && i < (int32_t)sizeof text; i++)
        own_key = own_key * 10 + (uint32_t)(text[i] - '0');
    for (uint32_t i = 0; i < CROWD_WORDS - 1; i++)
        state[i] = (uint64_t)own_key * CROWD_FACTOR + i;
    return SWARM_DONE;
}

int32_t SWARM_EXPORT(on_message)(const struct swarm_message *m)
{
    struct crowd_answer answer = {.key = own_key};
    struct crowd_ping ping = {0};
    uint32_t is_ping = m->body_size == sizeof ping;

    if (is_ping == 0 && (m->body_size != 1 || (m->flags & SWARM_MESSAGE_WANTS_REPLY) == 0))
        return SWARM_E_INVALID;
    if (is_ping != 0)
        __builtin_memcpy(&ping, m->body, sizeof ping);
    pings += is_ping;
    state[CROWD_WORDS - 1] = crowd_word(own_key, pings);
    for (uint32_t i = 0; i < CROWD_WORDS; i++)
        answer.sum += state[i];
    answer.pings = pings;
    answer.time_ns = ping.time_ns;
    answer.number = ping.number;
    if ((m->flags & SWARM_MESSAGE_WANTS_REPLY) != 0)
        return swarm_reply(m->reply_handle, 0, "", 0, &answer, sizeof answer);
    return swarm_send(m->from, m->from_size, "", 0, &answer, sizeof answer, SWARM_PRIORITY_NORMAL,
                      0);
}
