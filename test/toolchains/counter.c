/* An agent on a C library: stdio, malloc, a constructor, the environment. */
#include <swarm/agent.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

SWARM_AGENT;

static int count, constructed;
static char *last;

__attribute__((constructor)) static void construct(void)
{
    constructed++;
}

int32_t SWARM_EXPORT(on_message)(const struct swarm_message *message)
{
    char text[256];
    int size;

    if (message->body_size == 4 && memcmp(message->body, "exit", 4) == 0)
        exit(7);
    count++;
    printf("%s: message %d at %lld, %.*s\n", getenv("SWARM_AGENT"), count, (long long)time(NULL),
           (int)message->body_size, (const char *)message->body);
    size = snprintf(text, sizeof text, "%d %s %d %s %.1f", count, last == NULL ? "-" : last,
                    constructed, getenv("SWARM_KEY"), count * 1.5);
    free(last);
    last = malloc(message->body_size + 1);
    if (last == NULL)
        return SWARM_E_EXHAUSTED;
    memcpy(last, message->body, message->body_size);
    last[message->body_size] = '\0';
    return swarm_reply(message->reply_handle, 0, "text/plain", 10, text, (uint32_t)size);
}
