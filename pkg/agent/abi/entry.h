/* How a guest is entered, and how that ended: what those who run actors and those who run machine
 * code say to each other about one entry.
 *
 * Threads: values.  I/O: none. */
#pragma once
#include "pkg/utils/base/buffer.h"

#define SW_GUEST_REPORT_MAX 2048

struct sw_guest_message { /* As struct swarm_message of include/swarm/agent.h; borrowed. */
    uint32_t flags, priority;
    uint64_t time_ns, reply_handle, tag;
    int32_t status;
    struct sw_bytes from, subject, type, body;
};

struct sw_guest_send { /* What a guest sends; borrowed from its memory, and as it gave it. */
    struct sw_bytes to, type, body;
    int32_t priority;
    uint64_t tag;
};

struct sw_guest_upgrade { /* As struct swarm_upgrade of include/swarm/agent.h; borrowed. */
    uint32_t old_version;
    struct sw_bytes old_module, state;
};

/* RESUME goes on with the entry that ended as waiting. Any other entry gives that one up: its
 * memory stays as it is, its stack is forgotten. */
enum sw_guest_entry {
    SW_GUEST_START,   /* The module's start function, _initialize and on_start: what there is. */
    SW_GUEST_MESSAGE, /* on_message */
    SW_GUEST_TIMER,   /* on_timer, if there is one. */
    SW_GUEST_STOP,    /* on_stop, if there is one. */
    SW_GUEST_RESUME,  /* Where the entry that ended as SW_GUEST_WAITING waits. */
    SW_GUEST_UPGRADE  /* on_upgrade, which takes the place of on_start in a new instance. */
};

/* Parts of a guest that an entry looks at, for the processor's caches, in the order in which their
 * addresses can be known. */
enum sw_guest_part {
    SW_GUEST_ITSELF,
    SW_GUEST_CODE,         /* What calls of its functions look at. */
    SW_GUEST_MESSAGE_PAGE, /* The first byte of what its messages take, */
    SW_GUEST_MESSAGES      /* and all of that. */
};

struct sw_guest_input {
    enum sw_guest_entry entry;
    const struct sw_guest_message *message; /* MESSAGE. RESUME: what ended the wait; NULL: none. */
    int32_t status;                         /* RESUME: what the wait returns. */
    uint64_t timer;                         /* TIMER. */
    const struct sw_guest_upgrade *upgrade; /* UPGRADE: instead of START, in a new guest. */
    uint32_t deadline_ms; /* Processor time that this entry may use, to within 2 ms; not 0. */
    /* In a class whose code counts fuel: so much of it, exactly; at most 2^61; 0: any amount. */
    uint64_t fuel_max;
};

enum sw_guest_end {
    SW_GUEST_DONE,        /* The entry returned SWARM_DONE, or the module does not export it. */
    SW_GUEST_WAITING,     /* It waits; until RESUME the guest is data like any other. */
    SW_GUEST_FAILED,      /* It returned a negative code, or a number that is no result. */
    SW_GUEST_TRAPPED,     /* Unreachable, out of bounds, division by zero, stack overflow ... */
    SW_GUEST_DEADLINE,    /* Stopped at deadline_ms, or by whoever looks on. */
    SW_GUEST_NO_MEMORY,   /* swarm_alloc gave none, or it trapped after memory.grow was refused. */
    SW_GUEST_OUT_OF_FUEL, /* It used more than fuel_max, and was stopped for that. */
    SW_GUEST_CRASHED      /* Only said by the actors' own room: it was not entered. */
};

struct sw_guest_outcome {
    enum sw_guest_end end;
    int32_t code;  /* FAILED: the negative code. DONE, WAITING: 0. Else a fitting enum sw_rc. */
    uint64_t fuel; /* That it used, in a class whose code counts it: in others 0. */
    /* What happened and the guest's backtrace, innermost first, one frame a line with function name
     * and module offset; "" when the code is 0. */
    char report[SW_GUEST_REPORT_MAX];
};

/* "done", "waiting", "failed", "trapped", "deadline", "no-memory", "out-of-fuel", "crashed". */
const char *sw_guest_end_name(enum sw_guest_end end);
