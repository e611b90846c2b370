/* The protocol of turns: what a process that stays and swarmd say to each other, on its descriptor
 * SW_TURN_FILE, a Unix stream socket.
 *
 *     swarmd --- HELLO, once: whose process it is --------------> process
 *            --- BEGIN: a message, state, attempt --------------->
 *            <-- LOG ... ---------------------------------------
 *            <-- ASK, CALL, SEND ... : request 1 ----------------
 *            --- RESULT of request 1 ---------------------------->
 *            <-- request 2 ... -----------------------------------
 *            <-- END: the reply, or a refusal --------------------
 *            --- BEGIN of the next turn, or its end of the socket
 *
 * One turn at a time, and of a turn one request at a time. Requests count from 1 in each turn. The
 * same message may begin again, with a higher attempt, in another process: its requests have to be
 * the same ones then, and those that had results already have the same results at once.
 *
 * A frame is a struct sw_turn_frame, little-endian, then name, subject, type, state and body.
 * Threads: pure data.  I/O: none. */
#pragma once
#include <stdint.h>

#define SW_TURN_FILE 3
#define SW_TURN_FRAME_MAX ((4u << 20) - (96u << 10)) /* All of it. */
#define SW_TURN_NAME_MAX 1024u
#define SW_TURN_TYPE_MAX 255u
#define SW_TURN_STATE_MAX (1u << 20)
#define SW_TURN_FOREVER UINT64_MAX
#define SW_TURN_REQUESTS_MAX 100000u /* Of a turn. */

enum sw_turn_kind {
    /* From the process. What is not named is 0 or empty. */
    SW_TURN_ASK = 1,         /* name: agent; type, body; value: ns to wait; flags: priority. */
    SW_TURN_CALL = 2,        /* name: service; type, body; value. */
    SW_TURN_RECEIVE = 3,     /* value. */
    SW_TURN_SLEEP = 4,       /* value. */
    SW_TURN_SEND = 5,        /* name, type, body; flags: priority. */
    SW_TURN_PUBLISH = 6,     /* subject, type, body; flags: priority. */
    SW_TURN_SUBSCRIBE = 7,   /* subject */
    SW_TURN_UNSUBSCRIBE = 8, /* subject */
    SW_TURN_ANSWER = 9,      /* value: handle of a message; status, type, body. */
    SW_TURN_LOG = 10,        /* status: enum swarm_log_level; body. No request: number 0. */
    SW_TURN_END = 11,        /* status, type, body; state, if flags are SW_TURN_HAS_STATE. */
    SW_TURN_FROM_PROCESS = SW_TURN_END,
    /* To the process. */
    SW_TURN_HELLO = 64,  /* name: namespace; subject: agent; type, body: key, config. */
    SW_TURN_BEGIN = 65,  /* As a message; number: results that there are; value2: attempt; state. */
    SW_TURN_RESULT = 66, /* number; status; as a message, or words. */
};

#define SW_TURN_HAS_STATE 1u
/* Of a CALL that swarmd makes for a process which asked over HTTP: these have numbers of their own,
 * and, since they may be asked at once, any order when they are asked again. Their RESULT has it as
 * value2. */
#define SW_TURN_UNORDERED 0x8000u

struct sw_turn_frame {
    uint32_t size; /* Of all that follows this field. */
    uint16_t kind, flags;
    uint32_t number;
    int32_t status;
    uint64_t value;   /* Of a message: its reply handle, 0: nobody waits. */
    uint64_t value2;  /* BEGIN: attempt, from 1. */
    uint64_t time_ns; /* Of a message. */
    uint32_t priority;
    uint32_t name_size, subject_size, type_size, state_size, body_size;
};
_Static_assert(sizeof(struct sw_turn_frame) == 64, "the same on all sides");
