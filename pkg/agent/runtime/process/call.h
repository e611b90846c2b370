/* What the agent in front of a process (cmd/swarm-process-agent) and swarmd say to each other: the
 * body of a call of SW_PROCESS_SERVICE, whose type is that of the message, and of its answer, whose
 * type is that of the reply. Little-endian, and laid out as here on both sides.
 *
 *     struct sw_process_call | manifest | sender | body
 *     struct sw_process_answer | log | reply, or words
 *
 * Threads: pure data.  I/O: none. */
#pragma once
#include <stdint.h>

#define SW_PROCESS_SERVICE "swarm.process"
#define SW_PROCESS_MANIFEST_MAX 16384u

struct sw_process_call {
    uint32_t manifest_size, from_size, body_size;
    uint32_t flags;   /* Of the message: enum swarm_message_flag. */
    uint64_t time_ns; /* Of the turn. */
};

struct sw_process_answer {
    int32_t status;                /* 0, or a negative code and words. */
    uint32_t log_size, reply_size; /* Lines that it wrote to standard error; its reply. */
    uint32_t ran_ms;               /* From the start to the end of the program. */
};
_Static_assert(sizeof(struct sw_process_call) == 24, "the same on both sides");
_Static_assert(sizeof(struct sw_process_answer) == 16, "the same on both sides");
