/* Talks to instances of other Agents, and keeps count of what it hears.
 *   "go COUNT TO"   send 1, 2, ... COUNT to TO, as fast as it is taken; the reply comes at once
 *   "stop"          no more; the reply is the last one
 *   "ask TO BODY"   ask TO, and reply with what it answers, or with "failed CODE"
 *   "cry BODY"      publish it under news.x
 *   "hold"          keep the reply handle; "let" answers all that are held
 *   "eat MIB"       have so much more memory, and use it
 *   "told"          "NUMBERS DISORDERS CRIES LAST-CRIER": heard so far; of numbers, the last one
 *   from an instance: a number to count, "who": the reply is the sender's name, else an echo */
#include <swarm/agent.h>

SWARM_AGENT;

#define HELD_MAX 64u

static uint32_t count, sent, numbers, disorders, cries, held_count;
static uint64_t asker, held[HELD_MAX];
static char to[128], crier[128];
static uint32_t to_size, crier_size;

static int is(const struct swarm_message *m, const char *word, uint32_t size)
{
    for (uint32_t i = 0; i < size; i++)
        if (i >= m->body_size || m->body[i] != (uint8_t)word[i])
            return 0;
    return 1;
}

static uint32_t put_number(char *text, uint32_t number)
{
    char digits[10];
    uint32_t first = sizeof digits, size;

    do {
        digits[--first] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    size = sizeof digits - first;
    for (uint32_t i = 0; i < size; i++)
        text[i] = digits[first + i];
    return size;
}

static uint32_t take_number(const uint8_t *text, uint32_t size, uint32_t *at)
{
    uint32_t number = 0;

    for (; *at < size && text[*at] >= '0' && text[*at] <= '9'; ++*at)
        number = number * 10 + (uint32_t)(text[*at] - '0');
    return number;
}

static uint32_t keep(char *name, const void *text, uint32_t size)
{
    size = size > 127 ? 127 : size;
    for (uint32_t i = 0; i < size; i++)
        name[i] = ((const char *)text)[i];
    return size;
}

static int32_t answer(uint64_t handle, const void *body, uint32_t size)
{
    return handle == 0 ? SWARM_DONE : swarm_reply(handle, 0, "text/plain", 10, body, size);
}

int32_t SWARM_EXPORT(on_start)(void)
{
    return swarm_subscribe("news.*", 6);
}

/* What is not taken now is tried again a moment later. */
int32_t SWARM_EXPORT(on_timer)(uint64_t id)
{
    char text[16];

    for (uint32_t batch = 0; sent < count && batch < 32; batch++) {
        uint32_t size = put_number(text, sent + 1);

        if (swarm_send(to, to_size, "", 0, text, size, SWARM_PRIORITY_NORMAL, 0) != SWARM_OK)
            break;
        sent++;
    }
    return sent < count ? swarm_timer_start(id, 1000000) : SWARM_DONE;
}

static int32_t go(const struct swarm_message *m)
{
    uint32_t at = 3;

    count = take_number(m->body, m->body_size, &at);
    sent = 0;
    to_size = keep(to, m->body + at + 1, m->body_size - at - 1);
    if (swarm_timer_start(1, 0) != SWARM_OK)
        return SWARM_E_INTERNAL;
    return answer(m->reply_handle, "", 0);
}

static int32_t ask(const struct swarm_message *m)
{
    uint32_t end = 4;
    int32_t code;

    while (end < m->body_size && m->body[end] != ' ')
        end++;
    asker = m->reply_handle;
    code = swarm_send((const char *)m->body + 4, end - 4, "", 0, m->body + end + 1,
                      m->body_size - end - 1, SWARM_PRIORITY_NORMAL, 7);
    return code == SWARM_OK ? SWARM_DONE : answer(asker, "refused", 7);
}

static int32_t answered(const struct swarm_message *m)
{
    char text[32] = "failed ";

    if (m->status == 0)
        return answer(asker, m->body, m->body_size);
    return answer(asker, text, 7 + put_number(text + 7, (uint32_t)-m->status));
}

static int32_t tell(const struct swarm_message *m)
{
    char text[256];
    uint32_t size = put_number(text, numbers);

    text[size++] = ' ';
    size += put_number(text + size, disorders);
    text[size++] = ' ';
    size += put_number(text + size, cries);
    text[size++] = ' ';
    size += keep(text + size, crier, crier_size);
    return answer(m->reply_handle, text, size);
}

static int32_t eat(const struct swarm_message *m)
{
    uint32_t at = 4, pages = take_number(m->body, m->body_size, &at) * 16;
    __SIZE_TYPE__ begin = __builtin_wasm_memory_grow(0, pages);

    if (begin == (__SIZE_TYPE__)-1)
        return SWARM_E_EXHAUSTED;
    for (__SIZE_TYPE__ byte = 0; byte < (__SIZE_TYPE__)pages << 16; byte += 4096)
        *(volatile uint8_t *)((begin << 16) + byte) = 1;
    return answer(m->reply_handle, "", 0);
}

static int32_t let(const struct swarm_message *m)
{
    while (held_count > 0)
        if (answer(held[--held_count], "late", 4) != SWARM_DONE)
            return SWARM_E_INTERNAL;
    return answer(m->reply_handle, "", 0);
}

static int32_t hear(const struct swarm_message *m)
{
    uint32_t at = 0, number = take_number(m->body, m->body_size, &at);

    if (is(m, "hold", 4) && held_count < HELD_MAX)
        return held[held_count++] = m->reply_handle, SWARM_DONE;
    if (is(m, "who", 3))
        return answer(m->reply_handle, m->from, m->from_size);
    if (at == 0 || at != m->body_size)
        return answer(m->reply_handle, m->body, m->body_size);
    disorders += number != numbers + 1;
    numbers = number;
    return SWARM_DONE;
}

int32_t SWARM_EXPORT(on_message)(const struct swarm_message *m)
{
    if (m->flags & SWARM_MESSAGE_PUBLISHED) {
        cries++;
        crier_size = keep(crier, m->from, m->from_size);
        return SWARM_DONE;
    }
    if (m->flags & SWARM_MESSAGE_IS_REPLY)
        return answered(m);
    if (m->from_size > 0)
        return hear(m);
    if (is(m, "go ", 3))
        return go(m);
    if (is(m, "stop", 4)) {
        char text[16];

        count = sent;
        return answer(m->reply_handle, text, put_number(text, sent));
    }
    if (is(m, "ask ", 4))
        return ask(m);
    if (is(m, "let", 3))
        return let(m);
    if (is(m, "eat ", 4))
        return eat(m);
    if (is(m, "cry ", 4) && swarm_publish("news.x", 6, "", 0, m->body + 4, m->body_size - 4,
                                          SWARM_PRIORITY_NORMAL) != 0)
        return SWARM_E_INTERNAL;
    return tell(m);
}
