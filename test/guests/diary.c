/* Keeps what each of its senders told it, and in which order: a host that loses, repeats or swaps
 * messages is found out. A sender S (below SENDERS) tells rising numbers N (below NUMBERS).
 *   "put S N"        note it; the reply is how many were noted so far, this one included
 *   "relay KEY S N"  tell diary/KEY to put it
 *   "dump"           the reply is struct pages: the order's breaches, then one byte per number */
#include <swarm/agent.h>

#define SENDERS 12u
#define NUMBERS 16384u
#ifndef STEP /* Another constant makes another module. */
#define STEP 1u
#endif

static struct pages {
    uint32_t noted, disorders; /* Of all senders. */
    uint8_t counts[SENDERS][NUMBERS];
} pages;
static uint32_t next_of[SENDERS]; /* A sender's lowest number that keeps its order. */
static uint64_t heap[1024 / 8];

void *SWARM_EXPORT(swarm_alloc)(uint32_t size)
{
    return size <= sizeof heap ? heap : 0;
}

static uint32_t take_number(const struct swarm_message *m, uint32_t *at)
{
    uint32_t value = 0;

    while (*at < m->body_size && m->body[*at] == ' ')
        ++*at;
    for (; *at < m->body_size && m->body[*at] >= '0' && m->body[*at] <= '9'; ++*at)
        value = value * 10 + (uint32_t)(m->body[*at] - '0');
    return value;
}

static int32_t put(const struct swarm_message *m)
{
    uint32_t at = 4, sender = take_number(m, &at), number = take_number(m, &at);
    char text[12];
    uint32_t begin = sizeof text, value;

    if (sender >= SENDERS || number >= NUMBERS)
        return SWARM_E_INVALID;
    pages.counts[sender][number]++;
    pages.disorders += number < next_of[sender];
    next_of[sender] = number + 1;
    value = pages.noted += STEP;
    do {
        text[--begin] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    if ((m->flags & SWARM_MESSAGE_WANTS_REPLY) == 0)
        return SWARM_DONE;
    return swarm_reply(m->reply_handle, 0, "text/plain", 10, text + begin,
                       (uint32_t)sizeof text - begin);
}

static int32_t relay(const struct swarm_message *m)
{
    char to[64] = "diary/", body[32] = "put ";
    uint32_t to_size = 6, body_size = 4, at = 6;

    while (at < m->body_size && m->body[at] != ' ' && to_size < sizeof to)
        to[to_size++] = (char)m->body[at++];
    for (at++; at < m->body_size && body_size < sizeof body; at++)
        body[body_size++] = (char)m->body[at];
    return swarm_send(to, to_size, "", 0, body, body_size, SWARM_PRIORITY_NORMAL, 0);
}

int32_t SWARM_EXPORT(on_message)(const struct swarm_message *m)
{
    if (m->body_size == 0)
        return SWARM_E_INVALID;
    switch (m->body[0]) {
    case 'p':
        return put(m);
    case 'r':
        return relay(m);
    case 'd':
        return swarm_reply(m->reply_handle, 0, "", 0, &pages, sizeof pages);
    default:
        return SWARM_E_INVALID;
    }
}
