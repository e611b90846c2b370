/* The Agent of `make bench BENCH=replay`: whoever is asked plays a ball of 16 bytes with a partner,
 * "q" and its own key, as often as spec.config says. Each of the two mixes what the ball carries
 * into its state and sends on what that came to, so that no later effect is the same if one turn
 * was another. In the end the asked one looks whether it has what all that comes to, and answers
 * with the request's body. */
#include "players.h"

#include <stdbool.h>

#define FACTOR 0x5851f42d4c957f2du /* Test and bench look for it in the module, and change it. */
#define BODY_MAX 1024u

SWARM_AGENT;

struct ball {
    uint64_t value, left;
};

static uint8_t body[BODY_MAX];
static uint32_t body_size;
static uint64_t handle, own, at_first;

static uint64_t mixed(uint64_t state, uint64_t value)
{
    return state * FACTOR + value;
}

int32_t SWARM_EXPORT(on_start)(void)
{
    players_read();
    return SWARM_DONE;
}

/* What the own state is after so many rounds, the partner beginning with none. */
static uint64_t expected(void)
{
    uint64_t mine = mixed(at_first, 1), theirs = 0;

    for (uint32_t i = 0; i < rounds; i++) {
        theirs = mixed(theirs, mine);
        mine = mixed(mine, theirs);
    }
    return mine;
}

static int32_t begin(const struct swarm_message *m)
{
    struct ball ball;

    if (handle != 0 || rounds == 0 || m->body_size > BODY_MAX || m->body_size == 0)
        return SWARM_E_INVALID;
    __builtin_memcpy(body, m->body, m->body_size);
    body_size = m->body_size;
    handle = m->reply_handle;
    at_first = body[0];
    own = mixed(at_first, 1);
    ball = (struct ball){own, rounds};
    return play(partner, partner_size, &ball, sizeof ball);
}

int32_t SWARM_EXPORT(on_message)(const struct swarm_message *m)
{
    struct ball ball;

    if ((m->flags & SWARM_MESSAGE_WANTS_REPLY) != 0)
        return begin(m);
    if (m->body_size != sizeof ball)
        return SWARM_E_INVALID;
    __builtin_memcpy(&ball, m->body, sizeof ball);
    own = mixed(own, ball.value);
    ball.value = own;
    if (handle == 0) /* The partner: back it goes. */
        return play(m->from, m->from_size, &ball, sizeof ball);
    if (--ball.left > 0)
        return play(partner, partner_size, &ball, sizeof ball);
    return swarm_reply(handle, own == expected() ? 0 : SWARM_E_INVALID, "", 0, body, body_size);
}
