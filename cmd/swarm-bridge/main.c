/* The agent that carries messages between the agent hosts of one machine. In each host that has
 * agents of a namespace, each Agent of the namespace that runs in another host has a bridge, an
 * Agent of the same name:
 *
 *     host of A                                      swarmd             host of R
 *     A/a --send--> R/k (bridge) --send--> _out --call--> service --> A/a (bridge) --send--> R/k
 *     A/a <-reply-- R/k (bridge) <---- service <--call-- _out <-send-- A/a (bridge) <-reply-- R/k
 *
 * To both the other side looks as if it were here. Bridges never wait, so that they always take
 * what comes; who waits for swarmd is an instance of _out, of which each bridge has one for
 * messages and one for answers, so that answers go past messages that are held up. What they have
 * of a message is their state, journalled like any other: the call goes out when its cause is
 * durable, and ends when the bridge on the other side has taken the message for good. Streams and
 * marks make that once, however often either host or swarmd ends meanwhile, and in order. */
#include "pkg/agent/hosts/envelope.h"
#include "pkg/communication/streams/streams.c"

#include <swarm/wait.h>

#define HANDLES_MAX 1024u /* Questions of agents here that wait for answers from there. */
#define ASKS_MAX 1024u    /* Questions from there, put to agents here. */
#define MARKS_MAX 4096u
#define MARKS_STILL_NS (60ull * 1000 * 1000 * 1000)
#define PAGE_BYTES 65536u
#define LAYOUT 1u
#define ENDS (1ull << 63) /* Of tags: what _out says of a message with this number. */

struct handle {
    uint64_t number, handle; /* handle 0: free. */
};

struct ask {
    uint64_t asked; /* 0: free. */
    uint32_t size;
    char name[SW_ENVELOPE_NAME_MAX + 1];
};

static struct {
    struct sw_stream sends, replies; /* Of what leaves: each has its way, and so its order. */
    struct sw_mark marks[MARKS_MAX];
    struct handle handles[HANDLES_MAX];
    struct ask asks[ASKS_MAX];
    uint64_t handle;              /* _out: of who wants to hear how it ended; 0: nobody. */
    uint32_t handles_at, asks_at; /* Where to look for a free one first. */
} state;
SWARM_STATE(state, LAYOUT);

/* --- Memory ---------------------------------------------------------------------------------- */

struct room {
    uint8_t *at;
    uint32_t size;
};

static struct room inbound, outbound; /* Messages; envelopes. */

/* Pages are never given back, so each room at least doubles. */
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
    room->at = (uint8_t *)end;
    room->size = pages * PAGE_BYTES;
    return room->at;
}

void *SWARM_EXPORT(swarm_alloc)(uint32_t size)
{
    static uint64_t small[256];

    return size <= sizeof small ? (void *)small : room_of(&inbound, size);
}

static void copy(void *to, const void *from, uint32_t size)
{
    __builtin_memcpy(to, from, size);
}

/* --- Out ------------------------------------------------------------------------------------- */

struct letter { /* An envelope, in parts. */
    struct sw_envelope head;
    const void *name, *to, *subject, *type, *body;
};

static const void *put(uint8_t **at, const void *from, uint32_t size)
{
    copy(*at, from, size);
    *at += size;
    return *at;
}

/* The letter as one piece, in the outbound room; NULL: there is no memory, or it is too large. */
static const uint8_t *seal(const struct letter *letter, uint32_t *ret_size)
{
    const struct sw_envelope *head = &letter->head;
    uint32_t size = (uint32_t)sizeof *head + head->name_size + head->to_size + head->subject_size +
                    head->type_size + head->body_size;
    uint8_t *begin = size > SW_ENVELOPE_BYTES_MAX ? 0 : room_of(&outbound, size), *at = begin;

    if (begin == 0)
        return 0;
    put(&at, head, sizeof *head);
    put(&at, letter->name, head->name_size);
    put(&at, letter->to, head->to_size);
    put(&at, letter->subject, head->subject_size);
    put(&at, letter->type, head->type_size);
    put(&at, letter->body, head->body_size);
    *ret_size = size;
    return begin;
}

/* Have swarmd take it; the handler waits until it was taken there. */
static int32_t call(const void *envelope, uint32_t size)
{
    int32_t code = swarm_wait_call(SW_BRIDGE_SERVICE, sizeof SW_BRIDGE_SERVICE - 1, "", 0, envelope,
                                   size, SWARM_FOREVER);

    return code > 0 ? SWARM_WAITING : code;
}

/* "agent/key" of this instance; its size. */
static uint32_t self(char ret_name[SW_ENVELOPE_NAME_MAX + 1])
{
    uint32_t size = (uint32_t)swarm_self(SWARM_SELF_AGENT, ret_name, 63);

    ret_name[size++] = '/';
    return size + (uint32_t)swarm_self(SWARM_SELF_KEY, ret_name + size, 255);
}

/* "_out/s0123456789abcdef": of this bridge, for messages ('s') or answers ('r'). */
static uint32_t way_out(char kind, char ret_name[32])
{
    static const char begin[] = SW_BRIDGE_OUT "/", digits[] = "0123456789abcdef";
    char name[SW_ENVELOPE_NAME_MAX + 1];
    uint32_t size = self(name), at = sizeof begin - 1;
    uint64_t hash = 14695981039346656037ull;

    for (uint32_t i = 0; i < size; i++)
        hash = (hash ^ (uint8_t)name[i]) * 1099511628211ull;
    copy(ret_name, begin, at);
    ret_name[at++] = kind;
    for (uint32_t i = 0; i < 16; i++)
        ret_name[at++] = digits[hash >> (60 - 4 * i) & 15];
    return at;
}

/* Hand a letter to who waits for swarmd in our place. */
static int32_t post(const struct letter *letter, char kind, uint64_t tag)
{
    char out[32];
    uint32_t out_size = way_out(kind, out), size;
    const uint8_t *envelope = seal(letter, &size);

    if (envelope == 0)
        return SWARM_E_EXHAUSTED;
    return swarm_send(out, out_size, "", 0, envelope, size, letter->head.priority, tag);
}

static struct letter letter_of(const struct swarm_message *m, enum sw_envelope_kind kind,
                               struct sw_stream *stream)
{
    return (struct letter){.head = {.kind = (uint8_t)kind,
                                    .priority = (uint8_t)m->priority,
                                    .name_size = (uint16_t)m->from_size,
                                    .type_size = (uint16_t)m->type_size,
                                    .stream = stream->name,
                                    .number = sw_stream_next(stream),
                                    .body_size = m->body_size},
                           .name = m->from,
                           .type = m->type,
                           .body = m->body};
}

static struct handle *handle_find(uint64_t number)
{
    for (uint32_t i = 0; i < HANDLES_MAX; i++)
        if (state.handles[i].handle != 0 && state.handles[i].number == number)
            return &state.handles[i];
    return 0;
}

static struct handle *handle_free(void)
{
    for (uint32_t i = 0; i < HANDLES_MAX; i++, state.handles_at++)
        if (state.handles[state.handles_at % HANDLES_MAX].handle == 0)
            return &state.handles[state.handles_at % HANDLES_MAX];
    return 0;
}

static int32_t fail(uint64_t handle, int32_t status, const char *words, uint32_t size)
{
    int32_t code =
        handle == 0 ? SWARM_OK : swarm_reply(handle, status, "text/plain", 10, words, size);

    return code == SWARM_E_EXHAUSTED ? code : SWARM_DONE;
}

/* spec.config of a bridge: the largest message that its Agent takes. */
static uint32_t body_max(void)
{
    char text[12];
    int32_t size = swarm_self(SWARM_SELF_CONFIG, text, sizeof text);
    uint32_t number = 0;

    for (int32_t i = 0; i < size && i < (int32_t)sizeof text; i++)
        number = number * 10 + (uint32_t)(text[i] - '0');
    return number;
}

/* A message of an agent here to the one that this is the bridge of. */
static int32_t send_on(const struct swarm_message *m)
{
    static const char full[] = "too many questions wait for another agent host";
    static const char large[] = "the body is larger than the Agent takes";
    struct letter letter = letter_of(m, SW_ENVELOPE_SEND, &state.sends);
    struct handle *handle = m->reply_handle == 0 ? 0 : handle_free();
    char name[SW_ENVELOPE_NAME_MAX + 1];

    if (m->body_size > body_max()) {
        swarm_log(SWARM_LOG_WARN, large, sizeof large - 1);
        return fail(m->reply_handle, SWARM_E_INVALID, large, sizeof large - 1);
    }
    if (m->reply_handle != 0 && handle == 0)
        return fail(m->reply_handle, SWARM_E_EXHAUSTED, full, sizeof full - 1);
    if (handle != 0) {
        *handle = (struct handle){letter.head.number, m->reply_handle};
        letter.head.asked = letter.head.number;
    }
    letter.head.to_size = (uint16_t)self(name);
    letter.to = name;
    return post(&letter, 's', handle == 0 ? 0 : letter.head.number | ENDS);
}

/* The answer of an agent here to a question from there. */
static int32_t reply_on(const struct swarm_message *m)
{
    static const char words[] = "the answer is too large to leave its agent host";
    struct ask *ask = m->tag >= 1 && m->tag <= ASKS_MAX ? &state.asks[m->tag - 1] : 0;
    struct letter letter = letter_of(m, SW_ENVELOPE_REPLY, &state.replies);
    char name[SW_ENVELOPE_NAME_MAX + 1];

    if (ask == 0 || ask->asked == 0)
        return SWARM_DONE;
    letter.head.asked = ask->asked;
    letter.head.status = m->status;
    letter.head.name_size = (uint16_t)ask->size;
    letter.name = ask->name;
    letter.head.to_size = (uint16_t)self(name);
    letter.to = name;
    ask->asked = 0; /* Its name stays until the envelope is made. */
    if (m->body_size > SW_ENVELOPE_BYTES_MAX - PAGE_BYTES) {
        letter.head.status = SWARM_E_EXHAUSTED;
        letter.body = words;
        letter.head.body_size = sizeof words - 1;
    }
    return post(&letter, 'r', 0);
}

/* What an agent here published, heard by the bus. What other bridges publish is heard, too; swarmd
 * knows that those in whose name they do are not of here. */
static int32_t publish_on(const struct swarm_message *m)
{
    struct letter letter;
    const uint8_t *envelope;
    uint32_t size;

    if (m->from_size == 0) /* A client's goes to all hosts by itself. */
        return SWARM_DONE;
    letter = letter_of(m, SW_ENVELOPE_PUBLISH, &state.sends);
    letter.head.subject_size = (uint16_t)m->subject_size;
    letter.subject = m->subject;
    envelope = seal(&letter, &size);
    return envelope == 0 ? SWARM_E_EXHAUSTED : call(envelope, size);
}

/* _out: swarmd took a message, or there is nobody any more who could. */
static int32_t told(const struct swarm_message *m)
{
    struct handle *handle = handle_find(m->tag & ~ENDS);
    uint64_t asker = handle == 0 || m->status >= 0 ? 0 : handle->handle;

    if (asker == 0)
        return SWARM_DONE;
    handle->handle = 0;
    return fail(asker, m->status, (const char *)m->body, m->body_size);
}

/* --- In -------------------------------------------------------------------------------------- */

struct parts { /* Of an envelope that came. */
    struct sw_envelope head;
    const char *name, *to, *subject, *type;
    const uint8_t *body;
};

static int open_envelope(const struct swarm_message *m, struct parts *parts)
{
    struct sw_envelope *head = &parts->head;

    if (m->body_size < sizeof *head)
        return 0;
    copy(head, m->body, sizeof *head);
    parts->name = (const char *)m->body + sizeof *head;
    parts->to = parts->name + head->name_size;
    parts->subject = parts->to + head->to_size;
    parts->type = parts->subject + head->subject_size;
    parts->body = (const uint8_t *)parts->type + head->type_size;
    return (uint64_t)sizeof *head + head->name_size + head->to_size + head->subject_size +
               head->type_size + head->body_size ==
           m->body_size;
}

static struct ask *ask_free(void)
{
    for (uint32_t i = 0; i < ASKS_MAX; i++, state.asks_at++)
        if (state.asks[state.asks_at % ASKS_MAX].asked == 0)
            return &state.asks[state.asks_at % ASKS_MAX];
    return 0;
}

static int32_t take_send(const struct parts *parts)
{
    const struct sw_envelope *head = &parts->head;
    struct ask *ask = head->asked == 0 ? 0 : ask_free();
    uint64_t tag = ask == 0 ? 0 : (uint64_t)(ask - state.asks) + 1;
    int32_t code;

    if ((head->asked != 0 && ask == 0) || head->to_size > SW_ENVELOPE_NAME_MAX)
        return SWARM_E_EXHAUSTED;
    code = swarm_send(parts->to, head->to_size, parts->type, head->type_size, parts->body,
                      head->body_size, head->priority, tag);
    if (code != SWARM_OK || ask == 0)
        return code;
    ask->asked = head->asked;
    ask->size = head->to_size;
    copy(ask->name, parts->to, head->to_size);
    return SWARM_OK;
}

/* The asker may be gone, or not wait any more: nobody is told then. */
static int32_t take_reply(const struct parts *parts)
{
    const struct sw_envelope *head = &parts->head;
    struct handle *handle = handle_find(head->asked);
    int32_t code;

    if (handle == 0)
        return SWARM_OK;
    code = swarm_reply(handle->handle, head->status > 0 ? SWARM_E_INTERNAL : head->status,
                       parts->type, head->type_size, parts->body, head->body_size);
    handle->handle = 0;
    return code == SWARM_E_EXHAUSTED ? code : SWARM_OK;
}

static int32_t take(const struct parts *parts)
{
    const struct sw_envelope *head = &parts->head;

    if (head->kind == SW_ENVELOPE_SEND)
        return take_send(parts);
    if (head->kind == SW_ENVELOPE_REPLY)
        return take_reply(parts);
    if (head->kind == SW_ENVELOPE_PUBLISH)
        return swarm_publish(parts->subject, head->subject_size, parts->type, head->type_size,
                             parts->body, head->body_size, head->priority);
    return SWARM_E_INVALID;
}

/* From swarmd, which sends it again until it is answered with anything but a call to do so. */
static int32_t receive(const struct swarm_message *m)
{
    struct sw_marks marks = {state.marks, MARKS_MAX, MARKS_STILL_NS};
    struct sw_stream stream;
    enum sw_verdict verdict;
    struct parts parts;
    uint32_t at;
    int32_t code;

    if (!open_envelope(m, &parts))
        return SWARM_E_INVALID;
    stream = (struct sw_stream){parts.head.stream, parts.head.number};
    verdict = sw_marks_judge(&marks, &stream, m->time_ns, &at);
    if (verdict == SW_VERDICT_FULL)
        return SWARM_E_EXHAUSTED;
    if (verdict == SW_VERDICT_TAKE) {
        code = take(&parts);
        if (code != SWARM_OK)
            return code; /* All of this segment is undone. */
        sw_marks_put(&marks, &stream, m->time_ns, at);
    }
    return m->reply_handle == 0 ? SWARM_DONE : swarm_reply(m->reply_handle, 0, "", 0, "", 0);
}

/* --- Entries --------------------------------------------------------------------------------- */

static enum { BRIDGE, OUT, BUS } what(void)
{
    char agent[8] = "";

    (void)swarm_self(SWARM_SELF_AGENT, agent, sizeof agent);
    return agent[0] != SW_BRIDGE_OUT[0] ? BRIDGE : agent[1] == SW_BRIDGE_OUT[1] ? OUT : BUS;
}

int32_t SWARM_EXPORT(on_start)(void)
{
    while (state.sends.name == 0 || state.replies.name == 0)
        if (swarm_random(&state.sends.name, sizeof state.sends.name) != SWARM_OK ||
            swarm_random(&state.replies.name, sizeof state.replies.name) != SWARM_OK)
            return SWARM_E_INTERNAL;
    return what() == BUS ? swarm_subscribe(">", 1) : SWARM_DONE;
}

int32_t SWARM_EXPORT(on_message)(const struct swarm_message *m)
{
    switch (what()) {
    case BUS:
        return m->flags & SWARM_MESSAGE_PUBLISHED ? publish_on(m) : SWARM_DONE;
    case OUT:
        state.handle = m->reply_handle;
        return call(m->body, m->body_size);
    case BRIDGE:
        break;
    }
    if (m->flags & SWARM_MESSAGE_IS_REPLY)
        return m->tag & ENDS ? told(m) : reply_on(m);
    return m->from_size == 0 ? receive(m) : send_on(m);
}

int32_t SWARM_EXPORT(on_resume)(int32_t status)
{
    static const char words[] = "the receiver is gone";

    if (what() != OUT || state.handle == 0)
        return SWARM_DONE;
    return swarm_reply(state.handle, status < 0 ? SWARM_E_UNAVAILABLE : 0, "text/plain", 10, words,
                       status < 0 ? sizeof words - 1 : 0);
}

int32_t SWARM_EXPORT(on_upgrade)(const struct swarm_upgrade *upgrade)
{
    if (upgrade->old_version != LAYOUT || upgrade->state_size != sizeof state)
        return SWARM_E_INVALID;
    copy(&state, upgrade->state, sizeof state);
    return SWARM_DONE;
}
