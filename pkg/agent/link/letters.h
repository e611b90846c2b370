/* Requests about dead letters: what the frames LETTERS and LETTERS_CHANGE hold.
 *
 * Threads, I/O, Limits: none; each field's limit is in frame.c. */
#pragma once
#include "pkg/utils/base/buffer.h"

struct sw_frame_letters { /* Dead letters of an Agent, in the order of their numbers. */
    uint64_t request;
    struct sw_bytes name_space, agent, key; /* key: of this instance only; empty: of all. */
    uint64_t after;                         /* Numbers greater than that. */
    uint32_t limit;                         /* 1 to 1,000. */
    uint32_t with_body;                     /* 0 or 1. */
};

enum sw_frame_letters_act { SW_FRAME_LETTERS_REDELIVER, SW_FRAME_LETTERS_DROP };

struct sw_frame_letters_change {
    uint64_t request;
    struct sw_bytes name_space, agent, key;
    uint64_t number; /* Of one letter; 0: all of them. */
    uint32_t act;    /* enum sw_frame_letters_act. */
};
