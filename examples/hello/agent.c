/* An agent: it greets whoever writes to it, and counts. After a change of this file:
 *
 *   swarm agent build . && swarm apply -f .
 *
 * Its memory is durable as it is: `count` survives restarts of the machine, and on_upgrade takes it
 * over from the program before. Handlers run one at a time, and what a handler asked for happens
 * only if it returns SWARM_DONE. Beside agent.h there are swarm/wait.h for waits in a handler,
 * think.h and model.h for models, http.h for requests, approve.h for questions to people. */
#include <swarm/agent.h>

SWARM_AGENT;

static uint32_t count;

SWARM_STATE(count, 1);

int32_t SWARM_EXPORT(on_upgrade)(const struct swarm_upgrade *upgrade)
{
    if (upgrade->old_version != 1 || upgrade->state_size != sizeof count)
        return SWARM_E_INVALID; /* The instance stays with its program and its count. */
    count = *(const uint32_t *)(const void *)upgrade->state;
    return SWARM_DONE;
}

static uint32_t put_text(char *out, const char *text)
{
    uint32_t size = 0;

    for (; text[size] != '\0'; size++)
        out[size] = text[size];
    return size;
}

static uint32_t put_number(char *out, uint32_t number)
{
    uint32_t size = number < 10 ? 0 : put_number(out, number / 10);

    out[size] = (char)('0' + number % 10);
    return size + 1;
}

int32_t SWARM_EXPORT(on_message)(const struct swarm_message *message)
{
    char answer[512];
    uint32_t size = put_text(answer, "Hello, ");

    for (uint32_t i = 0; i < message->body_size && i < 256; i++)
        answer[size++] = (char)message->body[i];
    size += put_text(answer + size, "! You are number ");
    size += put_number(answer + size, ++count);
    size += put_text(answer + size, ".\n");
    if ((message->flags & SWARM_MESSAGE_WANTS_REPLY) == 0)
        return SWARM_DONE; /* Nobody waits for an answer. */
    return swarm_reply(message->reply_handle, 0, "text/plain", 10, answer, size);
}
