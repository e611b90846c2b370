/* Burns what it is told to: "N" is so many rounds of a loop, "N,M" so many, a pause, and the rest.
 * The reply is how many rounds it has gone in all its life. */
#include <swarm/wait.h>

SWARM_AGENT;

static volatile uint32_t rounds;

static void burn(uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        rounds = rounds + 1;
}

static uint32_t take_number(const struct swarm_message *m, uint32_t *at)
{
    uint32_t value = 0;

    for (; *at < m->body_size && m->body[*at] >= '0' && m->body[*at] <= '9'; ++*at)
        value = value * 10 + (uint32_t)(m->body[*at] - '0');
    return value;
}

int32_t SWARM_EXPORT(on_message)(const struct swarm_message *m)
{
    char text[12];
    uint32_t begin = sizeof text, at = 0, value, rest;

    burn(take_number(m, &at));
    if (at < m->body_size && m->body[at] == ',') {
        at++;
        rest = take_number(m, &at);
        if (swarm_sleep(1000000) < 0)
            return SWARM_E_INTERNAL;
        burn(rest);
    }
    value = rounds;
    do {
        text[--begin] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    if ((m->flags & SWARM_MESSAGE_WANTS_REPLY) == 0)
        return SWARM_DONE;
    return swarm_reply(m->reply_handle, 0, "text/plain", 10, text + begin,
                       (uint32_t)sizeof text - begin);
}
