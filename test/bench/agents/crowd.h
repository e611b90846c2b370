/* What the Agents `member` and `pinger` say to each other, and what the load generator checks of a
 * member's answer: the workloads `spawn`, `wake`, `recover` and `start`.
 *
 * A member has 128 bytes of state, which its key and the number of its pings decide. Its answer has
 * the sum of them, so that whoever asked knows what it must be: another instance's state, or one
 * that was lost in part, is a wrong answer. */
#pragma once
#include <stdint.h>

#define CROWD_WORDS 16u /* Of state. */
#define CROWD_FACTOR 0x9e3779b97f4a7c15u

struct crowd_ping { /* 16 bytes. */
    uint64_t time_ns, number;
};

struct crowd_answer { /* 32 bytes. */
    uint64_t time_ns; /* As the ping said. */
    uint32_t key, pings;
    uint64_t sum;    /* Of the member's state, */
    uint64_t number; /* and what the ping was, which the sum is not made of. */
};

/* The word of a member's state that its pings change. */
static inline uint64_t crowd_word(uint32_t key, uint32_t pings)
{
    return ((uint64_t)key << 32 ^ pings) * CROWD_FACTOR;
}

/* What all words of its state come to. */
static inline uint64_t crowd_sum(uint32_t key, uint32_t pings)
{
    uint64_t words = CROWD_WORDS - 1;

    return words * key * CROWD_FACTOR + words * (words - 1) / 2 + crowd_word(key, pings);
}
