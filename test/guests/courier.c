/* waits */
/* "courier/leader" sends COUNT couriers out ("start COUNT"), each of which makes CALLS calls of
 * swarm.delay in the middle of its handler, of up to four seconds, looks whether its locals are
 * there after each of them, and reports once. "count" answers with how many have reported, how many
 * of them twice, and how many had something wrong. */
#include <swarm/wait.h>

#define COUNT_MAX 16384u
#define CALLS 3u
#define LOCALS 8u
#define BATCH 64u
#define LETTER_BYTES 3000u /* So that the journal grows, and snapshots are taken. */
#define NS_PER_MS 1000000u

SWARM_AGENT;

static uint32_t count, started, reports, doubled, wrong;
static uint8_t reported[COUNT_MAX];

struct report { /* Of a courier, to the leader. */
    uint32_t number, wrong;
};

static uint32_t put_number(char *text, uint32_t at, uint32_t number)
{
    char digits[10];
    uint32_t first = sizeof digits;

    do {
        digits[--first] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    while (first < sizeof digits)
        text[at++] = digits[first++];
    return at;
}

static uint32_t take_number(const uint8_t *text, uint32_t size)
{
    uint32_t number = 0;

    for (uint32_t i = 0; i < size; i++)
        if (text[i] >= '0' && text[i] <= '9')
            number = number * 10 + (uint32_t)(text[i] - '0');
    return number;
}

/* --- A courier ------------------------------------------------------------------------------- */

/* 0: the result was what it is to be. */
static uint32_t call_once(uint32_t delay_ms)
{
    char body[10], room[128];
    struct swarm_reading result = {.room = room, .room_size = sizeof room};
    uint32_t size = put_number(body, 0, delay_ms);
    int32_t code = swarm_call(
        &(struct swarm_question){
            .to = "swarm.delay", .to_size = 11, .body = body, .body_size = size},
        &result);

    if (code != SWARM_OK || result.message.body_size != size)
        return 1;
    return take_number(result.message.body, size) != delay_ms;
}

static int32_t go(uint32_t number)
{
    volatile uint32_t locals[LOCALS];
    struct report report = {.number = number};

    for (uint32_t i = 0; i < LOCALS; i++)
        locals[i] = number * 2654435761u + i;
    for (uint32_t i = 0; i < CALLS; i++) {
        report.wrong += call_once((number * 7919 + i * 1009) % 4000);
        locals[i]++;
    }
    for (uint32_t i = 0; i < LOCALS; i++)
        report.wrong += locals[i] != number * 2654435761u + i + (i < CALLS);
    return swarm_send("courier/leader", 14, "", 0, &report, sizeof report, SWARM_PRIORITY_NORMAL,
                      0);
}

/* --- The leader ------------------------------------------------------------------------------ */

int32_t SWARM_EXPORT(on_timer)(uint64_t id)
{
    for (uint32_t i = 0; i < BATCH && started < count; i++, started++) {
        char to[24] = "courier/", body[LETTER_BYTES] = "go ";
        uint32_t to_size = put_number(to, 8, started);

        (void)put_number(body, 3, started);
        if (swarm_send(to, to_size, "", 0, body, sizeof body, SWARM_PRIORITY_NORMAL, 0) != SWARM_OK)
            return swarm_timer_start(id, NS_PER_MS);
    }
    return started < count ? swarm_timer_start(id, 0) : SWARM_DONE;
}

static int32_t take_report(const struct report *report)
{
    if (report->number >= COUNT_MAX)
        return SWARM_E_INVALID;
    doubled += reported[report->number]++ > 0;
    wrong += report->wrong;
    reports++;
    return SWARM_DONE;
}

static int32_t tell(uint64_t handle)
{
    char text[40];
    uint32_t at = put_number(text, 0, reports);

    text[at++] = ' ';
    at = put_number(text, at, doubled);
    text[at++] = ' ';
    at = put_number(text, at, wrong);
    return swarm_reply(handle, 0, "text/plain", 10, text, at);
}

int32_t SWARM_EXPORT(on_message)(const struct swarm_message *m)
{
    if (m->from_size > 0 && m->body_size == sizeof(struct report))
        return take_report((const void *)m->body);
    if (m->body_size > 0 && m->body[0] == 'g')
        return go(take_number(m->body, m->body_size));
    if (m->body_size > 0 && m->body[0] == 'c')
        return tell(m->reply_handle);
    count = take_number(m->body, m->body_size);
    if (count > COUNT_MAX)
        return SWARM_E_INVALID;
    return swarm_timer_start(1, 0);
}
