/* What the agent in front of a process (cmd/swarm-process-agent) and swarmd say to each other: the
 * body of a call of SW_PROCESS_SERVICE, and of its answer. Little-endian, and laid out as here on
 * both sides.
 *
 *     struct sw_process_call | manifest | frame (turn.h), a BEGIN or a RESULT
 *     struct sw_process_answer | log | frame, what the process asks for, or END
 *     struct sw_process_answer | log | head of it | struct sw_process_change | what is new in it
 *
 * A message is a call with BEGIN. For a program of the protocol of stdio the answer is END. One of
 * turns may ask for something: its agent does it, keeps the result, and calls with that, and so on
 * until END. If the process is no more then, or not where it was, the answer is LOST, and the agent
 * calls with BEGIN again; all that is asked for again is answered from what it kept.
 *
 * A request is told of by what changed, if the BEGIN of its turn says that this is understood: a
 * conversation is sent whole with each request, and what calls bring stays in the journal. It is
 * compared with the last request since BEGIN that had SW_PROCESS_LAST_MIN to SW_PROCESS_LAST_MAX
 * bytes behind its head, which both sides keep.
 *
 * Threads: pure data.  I/O: none. */
#pragma once
#include "pkg/agent/runtime/process/turn.h"

#define SW_PROCESS_SERVICE "swarm.process"
#define SW_PROCESS_MANIFEST_MAX 16384u
#define SW_PROCESS_LIFE_SIZE 16u
#define SW_PROCESS_DIGEST_SIZE 32u
#define SW_PROCESS_LAST_MIN 1024u
#define SW_PROCESS_LAST_MAX (256u << 10)
#define SW_PROCESS_TAKES_CHANGES 0x4000u /* A flag of BEGIN. */

struct sw_process_call {
    uint32_t manifest_size; /* 0 with RESULT. */
    uint32_t frame_size;
    uint8_t life[SW_PROCESS_LIFE_SIZE]; /* Of the instance: no other that had its name has it. */
};

enum sw_process_answer_kind { SW_PROCESS_ANSWERS, SW_PROCESS_LOST, SW_PROCESS_CHANGES };

struct sw_process_change { /* Behind the head: so many bytes of before, what is new, and so many. */
    uint32_t begin_size, end_size;
};
static inline int sw_process_is_last(uint64_t size)
{
    return size >= SW_PROCESS_LAST_MIN && size <= SW_PROCESS_LAST_MAX;
}

struct sw_process_answer {
    uint32_t kind;     /* LOST: there is no frame. */
    uint32_t log_size; /* Lines; "<3>" to "<7>" before one is its level, as sd-daemon(3) has it. */
    uint32_t frame_size;
    uint32_t ran_ms;                        /* Since the call. */
    uint8_t digest[SW_PROCESS_DIGEST_SIZE]; /* Of a request: all of it. */
};
_Static_assert(sizeof(struct sw_process_call) == 24, "the same on both sides");
_Static_assert(sizeof(struct sw_process_answer) == 48, "the same on both sides");
