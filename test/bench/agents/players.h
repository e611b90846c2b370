/* Two who play ball: the one that is asked, and its partner, "q" and its own key. */
#pragma once
#include <swarm/agent.h>

#define NAME_MAX 96u

static char partner[NAME_MAX];
static uint32_t partner_size, rounds; /* As spec.config says. */

static inline void players_read(void)
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
}

static inline int32_t play(const char *to, uint32_t to_size, const void *ball, uint32_t size)
{
    return swarm_send(to, to_size, "", 0, ball, size, SWARM_PRIORITY_NORMAL, 0);
}
