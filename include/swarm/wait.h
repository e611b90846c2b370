/* Waiting in the middle of a handler: for an answer, a message, a time, or something outside.
 *
 * A wait ends a segment of the handler's turn: its effects happen, and the instance becomes data
 * until the wait is over, be it after a restart. Then the call returns, locals and all. Other
 * messages and timers wait meanwhile; a later trap undoes nothing that was before the wait.
 *
 * `swarm agent build` makes a module that leaves its stack and comes back to it. One that was built
 * otherwise lives through its turn again after each wait, without its effects. Each of its turns
 * begins with a look at all of its memory, what waits take grows with their square, and a turn that
 * has had 1,000 of them, or 8 MiB from the host, gets SWARM_E_EXHAUSTED from the next. */
#pragma once
#include <swarm/agent.h>

#define SWARM_FOREVER UINT64_MAX

/* Send, and wait for the answer: its status is the result, and it, or the words of a failure, the
 * swarm_result.
 * SWARM_E_INVALID       as of swarm_send
 * SWARM_E_EXHAUSTED     as of swarm_send
 * SWARM_E_PRECONDITION  not within on_start, on_upgrade and on_stop
 * SWARM_E_DEADLOCK      it would wait, itself or by others that it asked, for us
 * SWARM_E_UNAVAILABLE   the receiver cannot be reached now, or its instance ended
 * SWARM_E_TIMEOUT       no answer came in time; a later one is dropped */
SWARM_IMPORT(ask)
int32_t swarm_wait_ask(const char *to, uint32_t to_size, const char *type, uint32_t type_size,
                       const void *body, uint32_t body_size, int32_t priority, uint64_t timeout_ns);

/* Wait for the next message, of the highest priority first; on_message does not get it. With
 * timeout_ns 0 it takes one that is there.
 * SWARM_E_PRECONDITION  not within on_start, on_upgrade and on_stop
 * SWARM_E_EXHAUSTED     this turn has no room for another effect
 * SWARM_E_TIMEOUT       none came in time */
SWARM_IMPORT(receive)
int32_t swarm_wait_receive(uint64_t timeout_ns);

/* Wait so long.
 * SWARM_E_PRECONDITION  not within on_start, on_upgrade and on_stop
 * SWARM_E_EXHAUSTED     this turn has no room for another effect */
SWARM_IMPORT(sleep)
int32_t swarm_sleep(uint64_t duration_ns);

/* Call a service outside of the agents, by its name, and wait for its result: its status is the
 * result, and it, or the words of a failure, the swarm_result, with the service as `from`. However
 * often this machine or its parts end meanwhile, the handler gets one result. The service may see
 * the call more than once then, each time with the same key. `swarm.delay` is always there: its
 * body is a number of milliseconds up to 3600000, and its result that body, after that time.
 * SWARM_E_INVALID       a service has 1 to 63 bytes of UTF-8, a type up to 255 of it, a body up to
 *                       4 MiB; or a body that the service does not understand
 * SWARM_E_EXHAUSTED     the turn, or the node, has too much under way
 * SWARM_E_PRECONDITION  not within on_start, on_upgrade and on_stop
 * SWARM_E_NOT_FOUND     this node has no such service
 * SWARM_E_TIMEOUT       no result came in time; a later one is dropped */
SWARM_IMPORT(call)
int32_t swarm_wait_call(const char *service, uint32_t service_size, const char *type,
                        uint32_t type_size, const void *body, uint32_t body_size,
                        uint64_t timeout_ns);

/* What ended the last wait, until the next one: the struct, and in `room` what it refers to.
 * Returns the bytes of that; if they are more than size, nothing is written.
 * SWARM_E_NOT_FOUND  no wait was taken */
SWARM_IMPORT(result)
int32_t swarm_result(struct swarm_message *ret_message, void *room, uint32_t size);

struct swarm_reading { /* Where a wait puts what ended it. */
    struct swarm_message message;
    void *room; /* For from, subject, type and body. */
    uint32_t room_size;
};

/* A wait has returned `code`: read its result. EXHAUSTED: the room is too small. */
static inline int32_t swarm_read(int32_t code, struct swarm_reading *reading)
{
    int32_t size = swarm_result(&reading->message, reading->room, reading->room_size);

    return size > 0 && (uint32_t)size > reading->room_size ? SWARM_E_EXHAUSTED : code;
}

struct swarm_question {
    const void *to, *type, *body;
    uint32_t to_size, type_size, body_size;
    uint64_t timeout_ns; /* 0: as long as it takes. */
};

static inline int32_t swarm_ask(const struct swarm_question *ask, struct swarm_reading *reading)
{
    return swarm_read(swarm_wait_ask(ask->to, ask->to_size, ask->type, ask->type_size, ask->body,
                                     ask->body_size, SWARM_PRIORITY_NORMAL,
                                     ask->timeout_ns == 0 ? SWARM_FOREVER : ask->timeout_ns),
                      reading);
}

/* The same with `to` as the service. */
static inline int32_t swarm_call(const struct swarm_question *call, struct swarm_reading *reading)
{
    return swarm_read(swarm_wait_call(call->to, call->to_size, call->type, call->type_size,
                                      call->body, call->body_size,
                                      call->timeout_ns == 0 ? SWARM_FOREVER : call->timeout_ns),
                      reading);
}

static inline int32_t swarm_receive(uint64_t timeout_ns, struct swarm_reading *reading)
{
    return swarm_read(swarm_wait_receive(timeout_ns), reading);
}

/* For the locals of a handler that waits; a turn that needs more fails and says so. */
#ifndef SWARM_WAIT_BYTES
#define SWARM_WAIT_BYTES 4096
#endif
/* Where they go: two pointers, to the end of what is used and of all, and then the bytes. */
#ifdef __wasm__
__attribute__((weak, used, export_name("swarm_wait_area"))) void *swarm_wait_area(void)
{
    static struct {
        uint8_t *at, *end, bytes[SWARM_WAIT_BYTES];
    } area;

    area.end = area.bytes + sizeof area.bytes;
    return &area;
}
#endif
