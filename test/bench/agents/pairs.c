/* The Agent of `make bench BENCH=pairs` and `durable`: whoever is asked plays a ball of the
 * request's body with a partner, "q" and its own key, as often as spec.config says, and answers
 * with the body in the end. */
#include "players.h"

#define BODY_MAX 1024u

SWARM_AGENT;

static uint8_t body[BODY_MAX];
static uint32_t body_size, left;
static uint64_t handle;

int32_t SWARM_EXPORT(on_start)(void)
{
    players_read();
    return SWARM_DONE;
}

int32_t SWARM_EXPORT(on_message)(const struct swarm_message *m)
{
    if ((m->flags & SWARM_MESSAGE_WANTS_REPLY) != 0) {
        if (left != 0 || rounds == 0 || m->body_size > BODY_MAX)
            return SWARM_E_INVALID;
        __builtin_memcpy(body, m->body, m->body_size);
        body_size = m->body_size;
        handle = m->reply_handle;
        left = rounds;
        return play(partner, partner_size, body, body_size);
    }
    if (handle == 0) /* The partner: back it goes. */
        return play(m->from, m->from_size, m->body, m->body_size);
    if (left == 0 || m->body_size != body_size)
        return SWARM_E_INVALID;
    left--;
    if (left > 0)
        return play(partner, partner_size, m->body, m->body_size);
    return swarm_reply(handle, 0, "", 0, m->body, m->body_size);
}
