/* The agent in front of a process: each message becomes a call of swarm.process, and what that
 * answers the reply. Its program's payload is the manifest of the process.
 *
 * A process of the protocol of turns asks for things in the middle. They are done here, as any
 * agent does them, and what came of each is kept until the turn ends: a process that has to begin
 * again is answered from that.
 *
 *     on_message -> calls BEGIN -> answer: END   -> replies
 *                     ^              |    request -> does it, keeps the result -> calls RESULT
 *                     '--- LOST -----'                  '--- waits, if it has to
 */
#include "pkg/agent/runtime/process/call.h"

#include <swarm/bundle.h>
#include <swarm/wait.h>

#include <stdbool.h>

#define PAGE_BYTES 65536u
#define LAYOUT 0x4a530001u /* That of JavaScript, JSON: either takes over what the other had. */

struct room {
    uint8_t *at;
    uint32_t size;
};

struct result { /* Of a request that was done. */
    uint8_t digest[SW_PROCESS_DIGEST_SIZE];
    uint64_t attempt; /* That was told of it last. */
    uint32_t number, is_unordered;
    uint32_t size;
    uint8_t call[]; /* The body of the call that tells of it. */
};

static uint64_t handle; /* Of who asked what is under way; 0: nobody. */
static uint8_t life[SW_PROCESS_LIFE_SIZE];
/* Messages; the call that begins the turn; answers of calls; results of the turn; state. */
static struct room inbound, beginning, heard, kept, state;
static struct room last, next; /* What stood behind the head of the last large request. */
static uint32_t last_size;
static uint32_t begin_size, kept_size, kept_count, ordered_count, state_size;
static uint64_t attempt;           /* Of this turn. */
static struct sw_turn_frame asked; /* The request that is performed. */
static bool is_performing;         /* What is waited for is a request, and not swarm.process. */
static uint8_t digest[SW_PROCESS_DIGEST_SIZE]; /* Of the request that is performed. */

/* --- Memory ---------------------------------------------------------------------------------- */

/* Pages are never given back, so each room at least doubles. What was in it is copied. */
static uint8_t *room_of(struct room *room, uint32_t size)
{
    uint32_t pages, end;

    if (size <= room->size)
        return room->at;
    if (size < 2 * room->size)
        size = 2 * room->size;
    pages = (size + PAGE_BYTES - 1) / PAGE_BYTES;
    end = (uint32_t)__builtin_wasm_memory_size(0) * PAGE_BYTES;
    if (__builtin_wasm_memory_grow(0, pages) == (__SIZE_TYPE__)-1)
        return 0;
    if (room->size > 0)
        __builtin_memcpy((void *)end, room->at, room->size);
    room->at = (uint8_t *)end;
    room->size = pages * PAGE_BYTES;
    return room->at;
}

void *SWARM_EXPORT(swarm_alloc)(uint32_t size)
{
    static uint64_t small[256];

    return size <= sizeof small ? (void *)small : room_of(&inbound, size);
}

static uint8_t *put(uint8_t *at, const void *from, uint32_t size)
{
    if (size > 0)
        __builtin_memcpy(at, from, size);
    return at + size;
}

/* --- The end of a turn ----------------------------------------------------------------------- */

static void forget(void)
{
    kept_size = kept_count = ordered_count = 0;
    attempt = 0;
    handle = 0;
}

/* Whoever asks hears something, also if what the program says is no answer. */
static void answer(uint64_t to, int32_t status, const void *type, uint32_t type_size,
                   const void *body, uint32_t size)
{
    static const char words[] = "the program's answer is none: its type or words are not UTF-8";

    if (swarm_reply(to, status, type, type_size, body, size) < 0)
        (void)swarm_reply(to, SWARM_E_INVALID, "text/plain", 10, words, sizeof words - 1);
}

/* Nobody may have asked: then the log is told what went wrong. */
static int32_t refuse(int32_t status, const void *words, uint32_t size)
{
    uint64_t to = handle;

    forget();
    if (to == 0)
        swarm_log(SWARM_LOG_ERROR, words, size);
    else
        answer(to, status, "text/plain", 10, words, size);
    return SWARM_DONE;
}

#define REFUSE(status, words) refuse(status, words, sizeof(words) - 1)

static int32_t level_of(char digit)
{
    return digit <= '3'   ? SWARM_LOG_ERROR
           : digit == '4' ? SWARM_LOG_WARN
           : digit == '7' ? SWARM_LOG_DEBUG
                          : SWARM_LOG_INFO;
}

/* What the program wrote to its standard error, and logged: a line each. */
static void log_lines(const char *text, uint32_t size)
{
    for (uint32_t begin = 0, at = 0; at <= size; at++) {
        int32_t level = SWARM_LOG_INFO;

        if (at < size && text[at] != '\n')
            continue;
        if (at - begin > 3 && text[begin] == '<' && text[begin + 1] >= '0' &&
            text[begin + 1] <= '7' && text[begin + 2] == '>') {
            level = level_of(text[begin + 1]);
            begin += 3;
        }
        if (at > begin)
            swarm_log(level, text + begin, at - begin);
        begin = at + 1;
    }
}

struct parts { /* Of a frame, behind its head. */
    const uint8_t *name, *subject, *type, *state, *body;
};

static struct parts parts_of(const struct sw_turn_frame *frame, const uint8_t *at)
{
    struct parts parts = {.name = at};

    parts.subject = parts.name + frame->name_size;
    parts.type = parts.subject + frame->subject_size;
    parts.state = parts.type + frame->type_size;
    parts.body = parts.state + frame->state_size;
    return parts;
}

static int32_t end_turn(const struct sw_turn_frame *frame, const struct parts *parts)
{
    uint64_t to = handle;

    if (frame->status != 0)
        return refuse(frame->status, parts->body, frame->body_size);
    if ((frame->flags & SW_TURN_HAS_STATE) != 0) {
        if (room_of(&state, frame->state_size) == 0 && frame->state_size > 0)
            return REFUSE(SWARM_E_EXHAUSTED, "the state does not fit into limits.memory");
        (void)put(state.at, parts->state, frame->state_size);
        state_size = frame->state_size;
    }
    forget();
    /* It may have answered before. */
    if (to != 0)
        answer(to, 0, parts->type, frame->type_size, parts->body, frame->body_size);
    return SWARM_DONE;
}

/* --- Calls of swarm.process ------------------------------------------------------------------ */

static int32_t call_process(const uint8_t *body, uint32_t size)
{
    int32_t code = swarm_wait_call(SW_PROCESS_SERVICE, sizeof SW_PROCESS_SERVICE - 1, "", 0, body,
                                   size, SWARM_FOREVER);

    is_performing = false;
    return code < 0 ? REFUSE(code, "the service of processes could not be called") : SWARM_WAITING;
}

/* With what is kept by now. The attempt is one more than that of before. */
static int32_t call_begin(void)
{
    struct sw_process_call call;
    struct sw_turn_frame frame;
    uint8_t *at;

    __builtin_memcpy(&call, beginning.at, sizeof call);
    at = beginning.at + sizeof call + call.manifest_size;
    __builtin_memcpy(&frame, at, sizeof frame);
    frame.number = kept_count;
    frame.value2 = ++attempt;
    last_size = 0;
    (void)put(at, &frame, sizeof frame);
    return call_process(beginning.at, begin_size);
}

static uint32_t room_for(uint32_t size)
{
    return (uint32_t)(sizeof(struct result) + size + 7) & ~7u;
}

static bool is_same(const uint8_t *one, const uint8_t *other)
{
    uint32_t i = 0;

    while (i < SW_PROCESS_DIGEST_SIZE && one[i] == other[i])
        i++;
    return i == SW_PROCESS_DIGEST_SIZE;
}

/* What came of a request that was made before; 0: it was not. Of those without an order the next
 * one that this attempt was not told of. */
static struct result *find(const struct sw_turn_frame *frame, const uint8_t *its_digest)
{
    bool is_unordered = (frame->flags & SW_TURN_UNORDERED) != 0;

    for (uint32_t at = 0; at < kept_size;) {
        struct result *result = (struct result *)(kept.at + at);

        if (result->is_unordered == is_unordered &&
            (is_unordered ? result->attempt != attempt && is_same(result->digest, its_digest)
                          : result->number == frame->number))
            return result;
        at += room_for(result->size);
    }
    return 0;
}

/* Lay out in `to` what a wait brought, m, or a status with words. 0: it does not fit. */
static uint8_t *result_put(struct result *to, const struct swarm_message *m, int32_t status)
{
    struct sw_turn_frame frame = {.kind = SW_TURN_RESULT,
                                  .flags = (uint16_t)m->flags,
                                  .number = asked.number,
                                  .status = status,
                                  .value = m->reply_handle,
                                  .value2 = (asked.flags & SW_TURN_UNORDERED) != 0,
                                  .time_ns = m->time_ns == 0 ? swarm_now() : m->time_ns,
                                  .priority = m->priority,
                                  .name_size = m->from_size,
                                  .subject_size = m->subject_size,
                                  .type_size = m->type_size,
                                  .body_size = m->body_size};
    struct sw_process_call call = {.frame_size = (uint32_t)sizeof frame + m->from_size +
                                                 m->subject_size + m->type_size + m->body_size};
    uint8_t *at;

    frame.size = call.frame_size - (uint32_t)sizeof frame.size;
    __builtin_memcpy(call.life, life, sizeof life);
    __builtin_memcpy(to->digest, digest, sizeof digest);
    to->attempt = attempt;
    to->number = asked.number;
    to->is_unordered = (uint32_t)frame.value2;
    to->size = (uint32_t)sizeof call + call.frame_size;
    at = put(put(to->call, &call, sizeof call), &frame, sizeof frame);
    at = put(put(at, m->from, m->from_size), m->subject, m->subject_size);
    return put(put(at, m->type, m->type_size), m->body, m->body_size);
}

/* Keep what came of the request, and have the process know. */
static int32_t go_on(const struct swarm_message *m, int32_t status)
{
    static const char words[] = "what came is larger than a program can be told";
    struct swarm_message none = {.body = (const uint8_t *)words, .body_size = sizeof words - 1};
    uint32_t size = (uint32_t)(sizeof(struct result) + sizeof(struct sw_process_call) +
                               sizeof(struct sw_turn_frame)) +
                    m->from_size + m->subject_size + m->type_size + m->body_size;
    struct result *result;

    if (size > SW_TURN_FRAME_MAX) {
        m = &none;
        status = SWARM_E_EXHAUSTED;
        size = (uint32_t)(sizeof(struct result) + sizeof(struct sw_process_call) +
                          sizeof(struct sw_turn_frame) + sizeof words);
    }
    if (kept_size > UINT32_MAX / 2 || room_of(&kept, kept_size + size + 8) == 0)
        return REFUSE(SWARM_E_EXHAUSTED,
                      "the results of this turn do not fit into limits.memory of the Agent");
    result = (struct result *)(kept.at + kept_size);
    (void)result_put(result, m, status);
    kept_size += room_for(result->size);
    kept_count++;
    ordered_count += result->is_unordered == 0;
    return call_process(result->call, result->size);
}

/* --- What a process asks for ----------------------------------------------------------------- */

/* SWARM_WAITING, or what came of it at once. */
static int32_t perform(const struct sw_turn_frame *f, const struct parts *parts)
{
    const char *name = (const char *)parts->name, *subject = (const char *)parts->subject;
    const char *type = (const char *)parts->type;
    int32_t code;

    switch (f->kind) {
    case SW_TURN_ASK:
        return swarm_wait_ask(name, f->name_size, type, f->type_size, parts->body, f->body_size,
                              f->flags, f->value);
    case SW_TURN_CALL:
        return swarm_wait_call(name, f->name_size, type, f->type_size, parts->body, f->body_size,
                               f->value);
    case SW_TURN_RECEIVE:
        return swarm_wait_receive(f->value);
    case SW_TURN_SLEEP:
        return swarm_sleep(f->value);
    case SW_TURN_SEND:
        return swarm_send(name, f->name_size, type, f->type_size, parts->body, f->body_size,
                          f->flags, 0);
    case SW_TURN_PUBLISH:
        return swarm_publish(subject, f->subject_size, type, f->type_size, parts->body,
                             f->body_size, f->flags);
    case SW_TURN_SUBSCRIBE:
        return swarm_subscribe(subject, f->subject_size);
    case SW_TURN_UNSUBSCRIBE:
        return swarm_unsubscribe(subject, f->subject_size);
    case SW_TURN_ANSWER:
        code = swarm_reply(f->value, f->status, type, f->type_size, parts->body, f->body_size);
        if (code >= 0 && f->value == handle)
            handle = 0;
        return code;
    default:
        return SWARM_E_INVALID;
    }
}

static uint32_t digits_put(char *at, uint32_t number)
{
    char digits[10];
    uint32_t count = 0, size;

    do {
        digits[count++] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    for (size = 0; size < count; size++)
        at[size] = digits[count - 1 - size];
    return size;
}

static int32_t mismatch(uint32_t number)
{
    static const char begin
        [] = "request ",
   end[] = " of this turn is not what it was when the message was handled before: a program has to "
           "ask for the same when it is run again; nothing was done twice";
    char words[sizeof begin + sizeof end + 10];
    uint32_t size = sizeof begin - 1;

    (void)put((uint8_t *)words, begin, size);
    size += digits_put(words + size, number);
    (void)put((uint8_t *)words + size, end, sizeof end - 1);
    return refuse(SWARM_E_PRECONDITION, words, size + sizeof end - 1);
}

/* It was told of before, perhaps under another number. */
static int32_t tell_again(struct result *result, const struct sw_turn_frame *frame)
{
    struct sw_turn_frame head;
    uint8_t *at = result->call + sizeof(struct sw_process_call);

    __builtin_memcpy(&head, at, sizeof head);
    head.number = result->number = frame->number;
    (void)put(at, &head, sizeof head);
    result->attempt = attempt;
    return call_process(result->call, result->size);
}

static int32_t take_request(const struct sw_turn_frame *frame, const struct parts *parts,
                            const uint8_t *its_digest)
{
    const struct swarm_message none = {0};
    struct result *result = find(frame, its_digest);
    int32_t code;

    if (result != 0 && !is_same(result->digest, its_digest))
        return mismatch(frame->number);
    if (result != 0)
        return tell_again(result, frame);
    if ((frame->flags & SW_TURN_UNORDERED) == 0 && frame->number != ordered_count + 1)
        return REFUSE(SWARM_E_INTERNAL, "the service of processes gave no answer");
    __builtin_memcpy(digest, its_digest, sizeof digest);
    asked = *frame;
    code = perform(frame, parts);
    is_performing = code == SWARM_WAITING;
    return is_performing ? SWARM_WAITING : go_on(&none, code);
}

/* What is behind the head, of which `sent` bytes came, as it is. 0: there is no room, or these are
 * no changes of what was before. */
static const uint8_t *whole(uint32_t kind, const struct sw_turn_frame *frame, const uint8_t *at,
                            uint32_t sent)
{
    uint32_t size = frame->size + (uint32_t)sizeof frame->size - (uint32_t)sizeof *frame;
    struct sw_process_change change = {0};
    struct room swapped = last;
    uint8_t *to;

    if (kind == SW_PROCESS_ANSWERS && !sw_process_is_last(size))
        return at;
    if (kind == SW_PROCESS_CHANGES) {
        if (sent < sizeof change)
            return 0;
        __builtin_memcpy(&change, at, sizeof change);
        at += sizeof change;
        sent -= (uint32_t)sizeof change;
    }
    if (change.begin_size > last_size || change.end_size > last_size || !sw_process_is_last(size) ||
        (uint64_t)change.begin_size + sent + change.end_size != size || room_of(&next, size) == 0)
        return 0;
    to = put(put(next.at, last.at, change.begin_size), at, sent);
    (void)put(to, last.at + last_size - change.end_size, change.end_size);
    last = next;
    next = swapped;
    last_size = size;
    return last.at;
}

static int32_t take_answer(const struct swarm_message *m)
{
    struct sw_process_answer answer;
    struct sw_turn_frame frame;
    struct parts parts;
    const uint8_t *at = m->body + sizeof answer;

    if (m->body_size < sizeof answer)
        return REFUSE(SWARM_E_INTERNAL, "the service of processes gave no answer");
    __builtin_memcpy(&answer, m->body, sizeof answer);
    if ((uint64_t)sizeof answer + answer.log_size + answer.frame_size != m->body_size)
        return REFUSE(SWARM_E_INTERNAL, "the service of processes gave no answer");
    log_lines((const char *)at, answer.log_size);
    if (answer.kind == SW_PROCESS_LOST)
        return call_begin();
    if (answer.frame_size < sizeof frame)
        return REFUSE(SWARM_E_INTERNAL, "the service of processes gave no answer");
    at += answer.log_size;
    __builtin_memcpy(&frame, at, sizeof frame);
    at += sizeof frame;
    if (frame.kind != SW_TURN_END)
        at = whole(answer.kind, &frame, at, answer.frame_size - (uint32_t)sizeof frame);
    if (at == 0)
        return REFUSE(SWARM_E_EXHAUSTED, "a request does not fit into limits.memory of the Agent");
    parts = parts_of(&frame, at);
    if (frame.kind == SW_TURN_END)
        return end_turn(&frame, &parts);
    return take_request(&frame, &parts, answer.digest);
}

/* --- Entries --------------------------------------------------------------------------------- */

int32_t SWARM_EXPORT(on_message)(const struct swarm_message *m)
{
    struct sw_turn_frame frame = {.kind = SW_TURN_BEGIN,
                                  .flags = (uint16_t)(m->flags | SW_PROCESS_TAKES_CHANGES),
                                  .status = m->status,
                                  .value = m->reply_handle,
                                  .time_ns = m->time_ns,
                                  .priority = m->priority,
                                  .name_size = m->from_size,
                                  .subject_size = m->subject_size,
                                  .type_size = m->type_size,
                                  .state_size = state_size,
                                  .body_size = m->body_size};
    struct sw_process_call call = {.manifest_size = (uint32_t)swarm_bundle(0, 0, 0)};
    uint64_t size = (uint64_t)sizeof frame + m->from_size + m->subject_size + m->type_size +
                    state_size + m->body_size;
    uint8_t *at;

    forget();
    handle = m->reply_handle;
    if (call.manifest_size == 0 || call.manifest_size > SW_PROCESS_MANIFEST_MAX)
        return REFUSE(SWARM_E_INVALID, "the payload of this program's bundle is no manifest");
    if (size > SW_TURN_FRAME_MAX)
        return REFUSE(SWARM_E_EXHAUSTED, "the message and the state are larger than a program can "
                                         "be told");
    if (life[0] == 0) {
        (void)swarm_random(life, sizeof life);
        life[0] |= 1;
    }
    __builtin_memcpy(call.life, life, sizeof life);
    call.frame_size = (uint32_t)size;
    frame.size = (uint32_t)(size - sizeof frame.size);
    begin_size = (uint32_t)(sizeof call + call.manifest_size + size);
    if (room_of(&beginning, begin_size) == 0)
        return REFUSE(SWARM_E_EXHAUSTED, "the message does not fit into limits.memory");
    at = put(beginning.at, &call, sizeof call);
    (void)swarm_bundle(0, at, call.manifest_size);
    at = put(put(at + call.manifest_size, &frame, sizeof frame), m->from, m->from_size);
    at = put(put(at, m->subject, m->subject_size), m->type, m->type_size);
    (void)put(put(at, state.at, state_size), m->body, m->body_size);
    return call_begin();
}

int32_t SWARM_EXPORT(on_resume)(int32_t status)
{
    struct swarm_message m = {0};
    int32_t size = swarm_result(&m, 0, 0);
    uint8_t *room;

    if (size < 0) { /* A wait that brings nothing. */
        m = (struct swarm_message){0};
    } else {
        room = room_of(&heard, size == 0 ? 1 : (uint32_t)size);
        if (room == 0 || swarm_result(&m, room, heard.size) < 0)
            return REFUSE(SWARM_E_EXHAUSTED, "the reply does not fit into limits.memory");
    }
    if (is_performing)
        return go_on(&m, status);
    if (status < 0)
        return refuse(status, m.body, m.body_size);
    return take_answer(&m);
}

const struct swarm_state *SWARM_EXPORT(swarm_state)(void)
{
    static struct swarm_state said;

    said = (struct swarm_state){.version = LAYOUT, .data = state.at, .size = state_size};
    return &said;
}

/* Of a program in another language than Python or JavaScript nothing can be taken over. */
int32_t SWARM_EXPORT(on_upgrade)(const struct swarm_upgrade *upgrade)
{
    if (upgrade->old_version != LAYOUT || upgrade->state_size > SW_TURN_STATE_MAX)
        return SWARM_DONE;
    if (upgrade->state_size > 0 && room_of(&state, upgrade->state_size) == 0)
        return SWARM_E_EXHAUSTED;
    (void)put(state.at, upgrade->state, upgrade->state_size);
    state_size = upgrade->state_size;
    return SWARM_DONE;
}
