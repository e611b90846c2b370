/* The Agent of `make bench BENCH=fan`: whoever asks "sum" has it tell the senders, "a" and so on,
 * to begin. They send what spec.config says, MODE MESSAGES KEYS SENDERS, to "0" to KEYS - 1: round
 * about, or at random. Each of those counts, and tells "sum" how many it got once all senders have
 * told it that there are no more; "sum" answers when it has heard of all. Then all of it can begin
 * again. */
#include <swarm/agent.h>

#include <stdbool.h>

#define BATCH 128u
#define BODY 128u

SWARM_AGENT;

static uint64_t state, handle, total;
static uint32_t random_mode, messages, keys, senders;
static uint32_t sent, ended, count, told, ends, reports, agent_size;
static char to[96];
static uint8_t asked;

static uint32_t number_at(const char *text, uint32_t size, uint32_t *at)
{
    uint32_t value = 0;

    while (*at < size && (text[*at] < '0' || text[*at] > '9'))
        ++*at;
    for (; *at < size && text[*at] >= '0' && text[*at] <= '9'; ++*at)
        value = value * 10 + (uint32_t)(text[*at] - '0');
    return value;
}

static uint32_t next_random(void)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(state >> 33);
}

int32_t SWARM_EXPORT(on_start)(void)
{
    char config[40], key;
    uint32_t size = (uint32_t)swarm_self(SWARM_SELF_CONFIG, config, sizeof config), at = 0;

    random_mode = number_at(config, size, &at);
    messages = number_at(config, size, &at);
    keys = number_at(config, size, &at);
    senders = number_at(config, size, &at);
    agent_size = (uint32_t)swarm_self(SWARM_SELF_AGENT, to, sizeof to / 2);
    to[agent_size++] = '/';
    (void)swarm_self(SWARM_SELF_KEY, &key, 1);
    state = (uint8_t)key;
    return SWARM_DONE;
}

static int32_t send_to(uint32_t key, const void *body, uint32_t size)
{
    char digits[10];
    uint32_t at = sizeof digits, end = agent_size;

    do {
        digits[--at] = (char)('0' + key % 10);
        key /= 10;
    } while (key > 0);
    while (at < sizeof digits)
        to[end++] = digits[at++];
    return swarm_send(to, end, "", 0, body, size, SWARM_PRIORITY_NORMAL, 0);
}

static int32_t tell_sum(void)
{
    uint32_t part = count - told;

    told = count;
    to[agent_size] = 's', to[agent_size + 1] = 'u', to[agent_size + 2] = 'm';
    return swarm_send(to, agent_size + 3, "", 0, &part, sizeof part, SWARM_PRIORITY_NORMAL, 0);
}

/* One batch; what does not fit goes out after the timer, which lets the receivers work. */
int32_t SWARM_EXPORT(on_timer)(uint64_t id)
{
    static char body[BODY];

    for (uint32_t i = 0; i < BATCH && sent < messages; i++, sent++)
        if (send_to(random_mode ? next_random() % keys : sent % keys, body, BODY) != SWARM_OK)
            return swarm_timer_start(id, 1000000);
    for (uint32_t i = 0; i < BATCH && sent == messages && ended < keys; i++, ended++)
        if (send_to(ended, body, 1) != SWARM_OK)
            return swarm_timer_start(id, 1000000);
    return ended < keys ? swarm_timer_start(id, 0) : SWARM_DONE;
}

/* "sum" is asked, with one byte, which it answers when all is over. */
static int32_t begin(const struct swarm_message *m)
{
    int32_t code = SWARM_OK;

    handle = m->reply_handle;
    asked = m->body[0];
    for (uint32_t i = 0; i < senders && code == SWARM_OK; i++) {
        to[agent_size] = (char)('a' + i);
        code = swarm_send(to, agent_size + 1, "", 0, "g", 1, SWARM_PRIORITY_NORMAL, 0);
    }
    return code == SWARM_OK ? SWARM_DONE : code;
}

static int32_t sum(const struct swarm_message *m)
{
    bool is_right;
    uint32_t part;

    __builtin_memcpy(&part, m->body, sizeof part);
    total += part;
    reports++;
    if (reports < keys)
        return SWARM_DONE;
    is_right = total == (uint64_t)messages * senders;
    reports = 0, total = 0;
    return swarm_reply(handle, is_right ? 0 : SWARM_E_INVALID, "", 0, &asked, sizeof asked);
}

int32_t SWARM_EXPORT(on_message)(const struct swarm_message *m)
{
    if ((m->flags & SWARM_MESSAGE_WANTS_REPLY) != 0 && m->body[0] == '?') /* Of `recover`. */
        return swarm_reply(m->reply_handle, 0, "", 0, &count, sizeof count);
    if ((m->flags & SWARM_MESSAGE_WANTS_REPLY) != 0)
        return begin(m);
    if (m->body_size == 1 && m->body[0] == 'g') { /* A sender. */
        sent = ended = 0;
        return swarm_timer_start(1, 0);
    }
    if (m->body_size == sizeof count)
        return sum(m);
    if (m->body_size == BODY) {
        count++;
        return SWARM_DONE;
    }
    ends = (ends + 1) % senders;
    return ends == 0 ? tell_sum() : SWARM_DONE;
}
