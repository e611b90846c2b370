/* One of the people: begins when its district says so, hears a talk a round, and votes. What is
 * said to it in later rounds than its own waits in `heard`. */
#include "words.h"

SWARM_AGENT;

static struct society society;
static struct society_person person;
static struct society_talk heard[SOCIETY_ROUNDS_MAX];
static uint32_t number, round, has_heard, has_begun;

int32_t SWARM_EXPORT(on_start)(void)
{
    int32_t result = society_read(&society, &number);

    person = society_person(&society, number);
    return result;
}

static int32_t say(void)
{
    struct society_talk talk = society_say(&person, round);
    uint32_t to = (uint32_t)(((uint64_t)number + society_shift(&society, round)) % society.people);

    return send_to("citizen", to, &talk, sizeof talk);
}

/* Talk on for as long as there is an answer in time; then vote. */
static int32_t go_on(void)
{
    int32_t result = SWARM_DONE;

    while (result == SWARM_DONE && has_begun != 0 && round < society.rounds &&
           (has_heard >> round & 1) != 0) {
        society_hear(&person, &heard[round++]);
        if (round < society.rounds)
            result = say();
        else
            result = send_to("district", number / SOCIETY_DISTRICT, &person, sizeof person);
    }
    return result;
}

int32_t SWARM_EXPORT(on_message)(const struct swarm_message *message)
{
    struct society_talk talk;
    int32_t result = SWARM_DONE;

    if (message->body_size == sizeof talk) {
        __builtin_memcpy(&talk, message->body, sizeof talk);
        if (talk.round >= society.rounds || talk.favourite >= SOCIETY_CANDIDATES ||
            (has_heard >> talk.round & 1) != 0)
            return SWARM_E_INVALID; /* Once a round: two would be a message that came twice. */
        heard[talk.round] = talk;
        has_heard |= 1u << talk.round;
    } else if (has_begun == 0) {
        has_begun = 1;
        result = society.rounds > 0
                     ? say()
                     : send_to("district", number / SOCIETY_DISTRICT, &person, sizeof person);
    }
    return result == SWARM_DONE ? go_on() : result;
}
