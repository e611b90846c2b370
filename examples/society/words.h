/* Names and numbers as texts, for the three Agents of the town. */
#pragma once
#include "society.h"

#include <swarm/agent.h>

static inline uint32_t put_number(char *out, uint32_t number)
{
    char digits[10];
    uint32_t at = sizeof digits, size;

    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number != 0);
    size = sizeof digits - at;
    for (uint32_t i = 0; i < size; i++)
        out[i] = digits[at + i];
    return size;
}

static inline uint32_t put_text(char *out, const char *text)
{
    uint32_t size = 0;

    for (; text[size] != '\0'; size++)
        out[size] = text[size];
    return size;
}

static inline uint32_t take_number(const char *text, uint32_t size, uint32_t *at)
{
    uint32_t value = 0;

    while (*at < size && (text[*at] < '0' || text[*at] > '9'))
        ++*at;
    for (; *at < size && text[*at] >= '0' && text[*at] <= '9'; ++*at)
        value = value * 10 + (uint32_t)(text[*at] - '0');
    return value;
}

/* The town as spec.config has it, and the number that the key of this instance is. */
static inline int32_t society_read(struct society *ret_society, uint32_t *ret_number)
{
    char text[64];
    uint32_t size = (uint32_t)swarm_self(SWARM_SELF_CONFIG, text, sizeof text), at = 0;

    ret_society->seed = take_number(text, size, &at);
    ret_society->people = take_number(text, size, &at);
    ret_society->rounds = take_number(text, size, &at);
    if (size > sizeof text || ret_society->people == 0 || ret_society->rounds > SOCIETY_ROUNDS_MAX)
        return SWARM_E_INVALID;
    size = (uint32_t)swarm_self(SWARM_SELF_KEY, text, sizeof text);
    at = 0;
    *ret_number = take_number(text, size < sizeof text ? size : sizeof text, &at);
    return SWARM_DONE;
}

/* Send to "AGENT/NUMBER". */
static inline int32_t send_to(const char *agent, uint32_t number, const void *body, uint32_t size)
{
    char to[64];
    uint32_t at = put_text(to, agent);

    to[at++] = '/';
    at += put_number(to + at, number);
    return swarm_send(to, at, "", 0, body, size, SWARM_PRIORITY_NORMAL, 0);
}
