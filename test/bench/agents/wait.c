/* The Agent of `make bench BENCH=wait`: "a" sets the instances "0" to KEYS - 1 to work. Each waits
 * twice for a millisecond and then for a call, in the middle of its handler, looks whether its
 * locals are what they were, and tells "sum", which answers when it has heard of all, and whenever
 * it is asked once more ("c") how many were told. spec.config says KEYS LEAST MOST: a call lasts
 * LEAST to MOST s, or KEYS 0 0: it asks a model, and then perhaps an Agent whose instances do all
 * that instead. */
#include <stdbool.h>
#include <swarm/wait.h>

#define BATCH 512u
#define LOCALS 8u
#define NS_PER_MS 1000000u

SWARM_AGENT;

static uint64_t handle;
static uint32_t keys, seconds_least, seconds_most, own_key, started, reports, wrong, agent_size;
static uint32_t workers_size;
static char to[96], workers[96];

int32_t SWARM_EXPORT(on_start)(void)
{
    char text[64];
    int32_t size = swarm_self(SWARM_SELF_CONFIG, text, sizeof text);

    for (int32_t i = 0; i < size && i < (int32_t)sizeof text; i++) {
        if (text[i] >= 'a' && text[i] <= 'z')
            workers[workers_size++] = text[i];
        else if (text[i] == ' ' && i + 1 < size && (text[i + 1] < 'a' || text[i + 1] > 'z'))
            keys = seconds_least, seconds_least = seconds_most, seconds_most = 0;
        else if (text[i] >= '0' && text[i] <= '9')
            seconds_most = seconds_most * 10 + (uint32_t)(text[i] - '0');
    }
    agent_size = (uint32_t)swarm_self(SWARM_SELF_AGENT, to, sizeof to / 2);
    if (workers_size == 0)
        for (; workers_size < agent_size; workers_size++)
            workers[workers_size] = to[workers_size];
    to[agent_size++] = workers[workers_size++] = '/';
    size = swarm_self(SWARM_SELF_KEY, text, sizeof text);
    for (int32_t i = 0; i < size && i < (int32_t)sizeof text; i++)
        own_key = own_key * 10 + (uint32_t)(text[i] - '0');
    return SWARM_DONE;
}

int32_t SWARM_EXPORT(on_timer)(uint64_t id)
{
    for (uint32_t i = 0; i < BATCH && started < keys; i++, started++) {
        char digits[10];
        uint32_t at = sizeof digits, end = workers_size, key = started;

        do {
            digits[--at] = (char)('0' + key % 10);
            key /= 10;
        } while (key > 0);
        while (at < sizeof digits)
            workers[end++] = digits[at++];
        if (swarm_send(workers, end, "", 0, "go", 2, SWARM_PRIORITY_NORMAL, 0) != SWARM_OK)
            return swarm_timer_start(id, NS_PER_MS);
    }
    return started < keys ? swarm_timer_start(id, 0) : SWARM_DONE;
}

/* Call the service that answers after so long. */
static int32_t call_for(uint32_t seconds)
{
    char body[5] = "00000", room[96];
    struct swarm_reading result = {.room = room, .room_size = sizeof room};
    uint32_t rest = seconds * 1000;
    int32_t code;

    for (uint32_t i = sizeof body; i > 0; i--, rest /= 10)
        body[i - 1] = (char)('0' + rest % 10);
    code = swarm_call(
        &(struct swarm_question){
            .to = "swarm.delay", .to_size = 11, .body = body, .body_size = sizeof body},
        &result);
    for (uint32_t i = 0; i < sizeof body && code == SWARM_OK; i++)
        if (result.message.body_size != sizeof body || (char)result.message.body[i] != body[i])
            code = SWARM_E_INVALID;
    return code;
}

/* Append a text, and a number where it has a '#'. */
static uint32_t put(char *into, uint32_t at, const char *text, uint32_t number)
{
    char digits[10];
    uint32_t first = sizeof digits;

    do {
        digits[--first] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    for (; *text != '\0'; text++) {
        if (*text != '#') {
            into[at++] = *text;
            continue;
        }
        for (uint32_t i = first; i < sizeof digits; i++)
            into[at++] = digits[i];
    }
    return at;
}

static bool has(const struct swarm_message *m, const char *text, uint32_t size)
{
    for (uint32_t i = 0; i + size <= m->body_size; i++) {
        uint32_t at = 0;

        while (at < size && m->body[i + at] == (uint8_t)text[at])
            at++;
        if (at == size)
            return true;
    }
    return false;
}

/* Ask the model something that no other instance asks: it says the same. */
static int32_t call_model(void)
{
    char body[160], said[48], room[1024];
    struct swarm_reading result = {.room = room, .room_size = sizeof room};
    uint32_t size = put(body, 0,
                        "{\"model\":\"bench\",\"max_tokens\":64,\"messages\":[{\"role\":\"user\","
                        "\"content\":\"# waits\"}]}",
                        own_key);
    int32_t code = swarm_call(
        &(struct swarm_question){
            .to = "swarm.model.chat", .to_size = 16, .body = body, .body_size = size},
        &result);

    size = put(said, 0, "\"content\":\"# waits\"", own_key);
    return code != SWARM_OK || has(&result.message, said, size) ? code : SWARM_E_INVALID;
}

static int32_t work(void)
{
    volatile uint32_t locals[LOCALS];
    uint32_t bad = 0;
    int32_t code = SWARM_OK;

    for (uint32_t i = 0; i < LOCALS; i++)
        locals[i] = own_key * 2654435761u + i;
    for (uint32_t i = 0; i < 2 && code == SWARM_OK; i++) {
        code = swarm_sleep(NS_PER_MS);
        locals[i]++;
    }
    if (code == SWARM_OK && seconds_most == 0)
        code = call_model();
    else if (code == SWARM_OK)
        code = call_for(seconds_least + own_key % (seconds_most - seconds_least + 1));
    for (uint32_t i = 0; i < LOCALS; i++)
        bad += locals[i] != own_key * 2654435761u + i + (i < 2);
    bad += code != SWARM_OK;
    to[agent_size] = 's', to[agent_size + 1] = 'u', to[agent_size + 2] = 'm';
    return swarm_send(to, agent_size + 3, "", 0, &bad, sizeof bad, SWARM_PRIORITY_NORMAL, 0);
}

int32_t SWARM_EXPORT(on_message)(const struct swarm_message *m)
{
    if ((m->flags & SWARM_MESSAGE_WANTS_REPLY) != 0 && m->body[0] == 's') {
        handle = m->reply_handle;
        return SWARM_DONE;
    }
    if ((m->flags & SWARM_MESSAGE_WANTS_REPLY) != 0 && m->body[0] == 'c')
        return swarm_reply(m->reply_handle, wrong == 0 && reports == keys ? 0 : SWARM_E_INVALID, "",
                           0, "", 0);
    if ((m->flags & SWARM_MESSAGE_WANTS_REPLY) != 0) {
        int32_t code = swarm_timer_start(1, 0);

        return code == SWARM_OK ? swarm_reply(m->reply_handle, 0, "", 0, "", 0) : code;
    }
    if (m->body_size == 2)
        return work();
    wrong += m->body[0] != 0;
    reports++;
    return reports < keys ? SWARM_DONE
                          : swarm_reply(handle, wrong == 0 ? 0 : SWARM_E_INVALID, "", 0, "", 0);
}
