/* The agent in front of a process: each message becomes a call of swarm.process, and what that
 * answers the reply. Its program's payload is the manifest of the process. */
#include "pkg/agent/runtime/process/call.h"

#include <swarm/bundle.h>
#include <swarm/wait.h>

#define PAGE_BYTES 65536u
#define LAYOUT 1u

static uint64_t handle; /* Of who asked what is under way; 0: nobody. */
SWARM_STATE(handle, LAYOUT);

/* --- Memory ---------------------------------------------------------------------------------- */

struct room {
    uint8_t *at;
    uint32_t size;
};

static struct room inbound, outbound; /* Messages; calls and their answers. */

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

static uint8_t *put(uint8_t *at, const void *from, uint32_t size)
{
    __builtin_memcpy(at, from, size);
    return at + size;
}

/* --- Answers --------------------------------------------------------------------------------- */

/* Nobody may have asked: then the log is told what went wrong. */
static int32_t refuse(int32_t status, const char *words, uint32_t size)
{
    uint64_t asked = handle;

    handle = 0;
    if (asked == 0)
        swarm_log(SWARM_LOG_ERROR, words, size);
    else
        (void)swarm_reply(asked, status, "text/plain", 10, words, size);
    return SWARM_DONE;
}

#define REFUSE(status, words) refuse(status, words, sizeof(words) - 1)

/* What the program wrote to its standard error, a line each. */
static void log_lines(const uint8_t *text, uint32_t size)
{
    for (uint32_t begin = 0, at = 0; at <= size; at++) {
        if (at < size && text[at] != '\n')
            continue;
        if (at > begin)
            swarm_log(SWARM_LOG_INFO, (const char *)text + begin, at - begin);
        begin = at + 1;
    }
}

static int32_t settle(const struct swarm_message *m)
{
    struct sw_process_answer answer;
    const uint8_t *log, *reply;
    uint64_t asked = handle;

    if (m->body_size < sizeof answer)
        return REFUSE(SWARM_E_INTERNAL, "the service of processes gave no answer");
    __builtin_memcpy(&answer, m->body, sizeof answer);
    log = m->body + sizeof answer;
    reply = log + answer.log_size;
    if ((uint64_t)sizeof answer + answer.log_size + answer.reply_size != m->body_size)
        return REFUSE(SWARM_E_INTERNAL, "the service of processes gave no answer");
    log_lines(log, answer.log_size);
    if (answer.status != 0)
        return refuse(answer.status, (const char *)reply, answer.reply_size);
    handle = 0;
    if (asked != 0)
        (void)swarm_reply(asked, 0, m->type, m->type_size, reply, answer.reply_size);
    return SWARM_DONE;
}

/* --- Entries --------------------------------------------------------------------------------- */

int32_t SWARM_EXPORT(on_message)(const struct swarm_message *m)
{
    struct sw_process_call call = {.from_size = m->from_size,
                                   .body_size = m->body_size,
                                   .flags = m->flags,
                                   .time_ns = m->time_ns};
    uint32_t size;
    uint8_t *begin, *at;
    int32_t code;

    handle = m->reply_handle;
    call.manifest_size = (uint32_t)swarm_bundle(0, 0, 0);
    if (call.manifest_size == 0 || call.manifest_size > SW_PROCESS_MANIFEST_MAX)
        return REFUSE(SWARM_E_INVALID, "the payload of this program's bundle is no manifest");
    size = (uint32_t)sizeof call + call.manifest_size + m->from_size + m->body_size;
    begin = room_of(&outbound, size);
    if (begin == 0)
        return REFUSE(SWARM_E_EXHAUSTED, "the message does not fit into limits.memory");
    at = put(begin, &call, sizeof call);
    (void)swarm_bundle(0, at, call.manifest_size);
    at = put(at + call.manifest_size, m->from, m->from_size);
    (void)put(at, m->body, m->body_size);
    code = swarm_wait_call(SW_PROCESS_SERVICE, sizeof SW_PROCESS_SERVICE - 1, m->type, m->type_size,
                           begin, size, SWARM_FOREVER);
    return code < 0 ? REFUSE(code, "the service of processes could not be called") : SWARM_WAITING;
}

int32_t SWARM_EXPORT(on_resume)(int32_t status)
{
    struct swarm_message m;
    int32_t size = swarm_result(&m, 0, 0);
    uint8_t *room = size < 0 ? 0 : room_of(&outbound, size == 0 ? 1 : (uint32_t)size);

    if (room == 0 || swarm_result(&m, room, outbound.size) < 0)
        return REFUSE(SWARM_E_EXHAUSTED, "the reply does not fit into limits.memory");
    if (status < 0)
        return refuse(status, (const char *)m.body, m.body_size);
    return settle(&m);
}

int32_t SWARM_EXPORT(on_upgrade)(const struct swarm_upgrade *upgrade)
{
    (void)upgrade;
    return SWARM_DONE;
}
