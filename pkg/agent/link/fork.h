/* Forks of instances: what the frames FORK, FORK_CHANGE and PAST_FORK hold. An agent host that
 * looks at a past makes what a fork begins with (PAST_FORK), and the one that has the Agent takes
 * it (FORK); both in pieces, in their order, each of SW_FRAME_CHUNK_MAX bytes but for the last.
 *
 * Threads, I/O, Limits: none; each field's limit is in frame.c. */
#pragma once
#include "pkg/utils/base/buffer.h"

#define SW_FRAME_FORK_BYTES_MAX (16u << 20) /* All of it: a record of a journal. */

struct sw_frame_fork {
    uint64_t request;
    struct sw_bytes name_space, agent, key; /* Of what is to be there. */
    struct sw_bytes digest;                 /* Of its module. */
    uint64_t offset, total;                 /* Of the piece; of all of it. */
    struct sw_bytes bytes;
};

enum sw_frame_fork_act { SW_FRAME_FORK_RELEASE, SW_FRAME_FORK_DROP };

struct sw_frame_fork_change {
    uint64_t request;
    struct sw_bytes name_space, agent, key;
    uint32_t act; /* enum sw_frame_fork_act. */
};

struct sw_frame_past_fork {
    uint64_t request;
    struct sw_bytes digest;
    uint64_t offset, total;
    struct sw_bytes bytes;
};
