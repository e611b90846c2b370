/* waits */
/* Asks a model in the middle of its handler. A message is the name of a service, a line's end, and
 * a request for it; the answer is what the service said, a stream whole. "3 SERVICE" asks three
 * times in that turn, "> AGENT/KEY" has that agent do what the rest says. An instance counts what
 * it asked for: "count" answers with that, in a byte. */
#include <swarm/wait.h>

#define ROOM_BYTES 65536u
#define NEXT "swarm.model.next"
#define LAST_TYPE_SIZE 23u /* Of "text/event-stream; last". */

SWARM_AGENT;

static uint8_t room[ROOM_BYTES], all[ROOM_BYTES * 4];
static uint8_t asked;

static uint32_t put_number(uint8_t *text, uint32_t at, uint32_t number)
{
    uint8_t digits[10];
    uint32_t first = sizeof digits;

    do {
        digits[--first] = (uint8_t)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    while (first < sizeof digits)
        text[at++] = digits[first++];
    return at;
}

static void copy(uint8_t *to, const uint8_t *from, uint32_t size)
{
    for (uint32_t i = 0; i < size; i++)
        to[i] = from[i];
}

/* All of a stream, piece by piece, in `all`. */
static int32_t read_stream(const uint8_t *name, uint32_t name_size, uint32_t *ret_size)
{
    struct swarm_reading piece = {.room = room, .room_size = sizeof room};
    uint8_t question[128];
    uint32_t size = 0;

    if (name_size > 100)
        return SWARM_E_INVALID;
    copy(question, name, name_size);
    question[name_size] = ' ';
    do {
        uint32_t end = put_number(question, name_size + 1, size);
        int32_t code = swarm_call(
            &(struct swarm_question){
                .to = NEXT, .to_size = sizeof NEXT - 1, .body = question, .body_size = end},
            &piece);

        if (code != SWARM_OK)
            return code;
        if (piece.message.body_size > sizeof all - size)
            return SWARM_E_EXHAUSTED;
        copy(all + size, piece.message.body, piece.message.body_size);
        size += piece.message.body_size;
    } while (piece.message.type_size != LAST_TYPE_SIZE);
    *ret_size = size;
    return SWARM_OK;
}

/* What the line says, with the rest: a service so many times, or somebody else. */
static int32_t do_as(const uint8_t *line, uint32_t size, const struct swarm_question *rest,
                     struct swarm_reading *answer)
{
    struct swarm_question question = *rest;
    uint8_t times = size > 2 && line[1] == ' ' ? line[0] - '0' : 1, is_ask = line[0] == '>';
    uint32_t begin = size > 2 && line[1] == ' ' ? 2 : 0;
    int32_t code = SWARM_OK;

    question.to = line + begin;
    question.to_size = size - begin;
    if (is_ask)
        return swarm_ask(&question, answer);
    for (; times > 0 && code == SWARM_OK; times--) {
        asked++;
        code = swarm_call(&question, answer);
    }
    return code;
}

static int32_t think(const struct swarm_message *m)
{
    struct swarm_reading answer = {.room = room, .room_size = sizeof room};
    uint32_t at = 0, size;
    int32_t code;

    while (at < m->body_size && m->body[at] != '\n')
        at++;
    if (at == m->body_size)
        return swarm_reply(m->reply_handle, SWARM_E_INVALID, "text/plain", 10, "what?", 5);
    code = do_as(
        m->body, at,
        &(struct swarm_question){.body = m->body + at + 1, .body_size = m->body_size - at - 1},
        &answer);
    size = answer.message.body_size;
    copy(all, answer.message.body, size);
    if (code == SWARM_OK && answer.message.type_size == 28) { /* application/vnd.swarm.stream */
        uint8_t name[100];
        uint32_t name_size = size > sizeof name ? 0 : size;

        copy(name, all, name_size);
        code = read_stream(name, name_size, &size);
    }
    return swarm_reply(m->reply_handle, code, "application/json", 16, all, size);
}

int32_t SWARM_EXPORT(on_message)(const struct swarm_message *message)
{
    if (message->reply_handle == 0)
        return SWARM_DONE;
    if (message->body_size == 5 && message->body[0] == 'c')
        return swarm_reply(message->reply_handle, SWARM_OK, "text/plain", 10, &asked, 1);
    return think(message);
}
