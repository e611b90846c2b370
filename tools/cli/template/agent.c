/* An agent: it greets whoever writes to it and counts its messages.
 *
 * Its memory is durable as it is: `count` survives restarts of the machine. Handlers run one at a
 * time, and what a handler asked for happens only if it returns SWARM_DONE. */
#include <swarm/agent.h>

SWARM_AGENT;

static uint32_t count;

static uint32_t put_text(char *out, const char *text)
{
    uint32_t size = 0;

    for (; text[size] != '\0'; size++)
        out[size] = text[size];
    return size;
}

static uint32_t put_number(char *out, uint32_t number)
{
    char digits[10];
    uint32_t size = 0, used = 0;

    do
        digits[used++] = (char)('0' + number % 10);
    while ((number /= 10) > 0);
    while (used > 0)
        out[size++] = digits[--used];
    return size;
}

int32_t SWARM_EXPORT(on_message)(const struct swarm_message *message)
{
    char answer[512];
    uint32_t size;

    count++;
    size = put_text(answer, "Hello from ");
    size += (uint32_t)swarm_self(SWARM_SELF_AGENT, answer + size, 64);
    size += put_text(answer + size, "! You are message ");
    size += put_number(answer + size, count);
    size += put_text(answer + size, ": ");
    for (uint32_t i = 0; i < message->body_size && size < sizeof answer; i++)
        answer[size++] = (char)message->body[i];
    if ((message->flags & SWARM_MESSAGE_WANTS_REPLY) == 0)
        return SWARM_DONE;
    return swarm_reply(message->reply_handle, 0, "text/plain", 10, answer, size);
}
