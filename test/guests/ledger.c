/* Counts how often it was told of each number below NUMBERS: a host that loses or repeats a message
 * is found out. Commands: "put N", "relay KEY N" (tells ledger/KEY to put N), "dump" (answers with
 * one byte per number), "sum" (answers with the count of all), "trap". */
#include <swarm/agent.h>

#define NUMBERS 16384u

static uint64_t heap[4096 / 8];
static uint8_t counts[NUMBERS];
static uint32_t total;

void *SWARM_EXPORT(swarm_alloc)(uint32_t size)
{
    return size <= sizeof heap ? heap : 0;
}

static uint32_t number_at(const struct swarm_message *m, uint32_t at)
{
    uint32_t value = 0;

    for (; at < m->body_size && m->body[at] >= '0' && m->body[at] <= '9'; at++)
        value = value * 10 + (uint32_t)(m->body[at] - '0');
    return value;
}

static int32_t put(uint32_t number)
{
    if (number >= NUMBERS)
        return SWARM_E_INVALID;
    counts[number]++;
    total++;
    return SWARM_DONE;
}

/* "relay KEY N": the rest behind KEY is sent on as "put N". */
static int32_t relay(const struct swarm_message *m)
{
    char to[64] = "ledger/", body[32] = "put ";
    uint32_t to_size = 7, body_size = 4, at = 6;

    while (at < m->body_size && m->body[at] != ' ' && to_size < sizeof to)
        to[to_size++] = (char)m->body[at++];
    for (at++; at < m->body_size && body_size < sizeof body; at++)
        body[body_size++] = (char)m->body[at];
    return swarm_send(to, to_size, "", 0, body, body_size, SWARM_PRIORITY_NORMAL, 0);
}

static int32_t sum(const struct swarm_message *m)
{
    char text[12];
    uint32_t at = sizeof text, value = total;

    do {
        text[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    return swarm_reply(m->reply_handle, 0, "", 0, text + at, (uint32_t)sizeof text - at);
}

int32_t SWARM_EXPORT(on_message)(const struct swarm_message *m)
{
    if (m->body_size == 0)
        return SWARM_E_INVALID;
    switch (m->body[0]) {
    case 'p':
        return put(number_at(m, 4));
    case 'r':
        return relay(m);
    case 'd':
        return swarm_reply(m->reply_handle, 0, "", 0, counts, sizeof counts);
    case 's':
        return sum(m);
    case 't':
        total = 0;
        __builtin_trap();
    default:
        return SWARM_E_INVALID;
    }
}
