/* Whoever tells a thousand people to begin, and counts their votes. */
#include "words.h"

SWARM_AGENT;

static struct society society;
static struct society_count count;
static uint32_t number;

int32_t SWARM_EXPORT(on_start)(void)
{
    return society_read(&society, &number);
}

static uint32_t first(void)
{
    return number * SOCIETY_DISTRICT;
}

static uint32_t people(void)
{
    uint32_t left = society.people - first();

    return left < SOCIETY_DISTRICT ? left : SOCIETY_DISTRICT;
}

/* The number behind the slash of "citizen/NUMBER". */
static uint32_t sender(const struct swarm_message *message)
{
    uint32_t at = 0;

    return take_number(message->from, message->from_size, &at);
}

int32_t SWARM_EXPORT(on_message)(const struct swarm_message *message)
{
    struct society_person person;
    int32_t result = SWARM_DONE;

    if (message->body_size != sizeof person) { /* Of the hall: begin. */
        for (uint32_t i = 0; i < people() && result == SWARM_DONE; i++)
            result = send_to("citizen", first() + i, "", 0);
        return result;
    }
    __builtin_memcpy(&person, message->body, sizeof person);
    if (person.favourite >= SOCIETY_CANDIDATES)
        return SWARM_E_INVALID;
    society_vote(&count, sender(message), &person);
    return count.people < people()
               ? SWARM_DONE
               : swarm_send("town/hall", 9, "", 0, &count, sizeof count, SWARM_PRIORITY_NORMAL, 0);
}
