/* The Agent of `make bench BENCH=pairs` and `durable`: whoever is asked plays a ball of the
 * request's body with a partner, "q" and its own key, as often as spec.config says, and answers
 * with the body in the end. */
#include <swarm/agent.h>

#define BODY_MAX 1024u
#define NAME_MAX 96u

SWARM_AGENT;

static uint8_t body[BODY_MAX];
static uint32_t body_size, rounds, left, partner_size;
static uint64_t handle;
static char partner[NAME_MAX];

int32_t SWARM_EXPORT(on_start)(void)
{
    char config[12];
    int32_t size = swarm_self(SWARM_SELF_CONFIG, config, sizeof config);
    int32_t agent = swarm_self(SWARM_SELF_AGENT, partner, NAME_MAX / 2), key;

    for (int32_t i = 0; i < size && i < (int32_t)sizeof config; i++)
        if (config[i] >= '0' && config[i] <= '9')
            rounds = rounds * 10 + (uint32_t)(config[i] - '0');
    partner[agent++] = '/';
    partner[agent++] = 'q';
    key = swarm_self(SWARM_SELF_KEY, partner + agent, NAME_MAX / 2 - 2);
    partner_size = (uint32_t)(agent + key);
    return SWARM_DONE;
}

static int32_t play(const char *to, uint32_t to_size, const void *ball, uint32_t size)
{
    return swarm_send(to, to_size, "", 0, ball, size, SWARM_PRIORITY_NORMAL, 0);
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
