/* Sleeps as a C program does. */
#define _DEFAULT_SOURCE /* usleep */
#include <swarm/wait.h>

#include <stdio.h>
#include <time.h>
#include <unistd.h>

SWARM_AGENT;

int32_t SWARM_EXPORT(on_message)(const struct swarm_message *message)
{
    struct timespec before, after, nap = {.tv_nsec = 100000000};
    char text[64], mark[16];
    int size;

    snprintf(mark, sizeof mark, "%.*s", (int)message->body_size, (const char *)message->body);
    clock_gettime(CLOCK_REALTIME, &before);
    if (usleep(150000) != 0 || nanosleep(&nap, NULL) != 0)
        return SWARM_E_UNAVAILABLE;
    clock_gettime(CLOCK_REALTIME, &after);
    size = snprintf(text, sizeof text, "%s %lld", mark,
                    (after.tv_sec - before.tv_sec) * 1000LL +
                        (after.tv_nsec - before.tv_nsec) / 1000000);
    return swarm_reply(message->reply_handle, 0, "", 0, text, (uint32_t)size);
}
