/* Numbers that follow from a seed (SplitMix64). Threads: one at a time.  I/O: none. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct sim_random {
    uint64_t state;
};

static inline uint64_t sim_random_next(struct sim_random *random)
{
    uint64_t word = random->state += 0x9e3779b97f4a7c15u;

    word = (word ^ word >> 30) * 0xbf58476d1ce4e5b9u;
    word = (word ^ word >> 27) * 0x94d049bb133111ebu;
    return word ^ word >> 31;
}

/* 0 to below - 1; below is not 0. */
static inline uint64_t sim_random_below(struct sim_random *random, uint64_t below)
{
    return sim_random_next(random) % below;
}

/* from to `to`, both included. */
static inline uint64_t sim_random_between(struct sim_random *random, uint64_t from, uint64_t to)
{
    return from + sim_random_below(random, to - from + 1);
}

/* True so many times of a thousand. */
static inline bool sim_random_permille(struct sim_random *random, uint32_t permille)
{
    return sim_random_below(random, 1000) < permille;
}

/* Around mean, often much less and seldom up to eight times as much. */
static inline uint64_t sim_random_around(struct sim_random *random, uint64_t mean)
{
    uint64_t one = sim_random_below(random, 1000), other = sim_random_below(random, 1000);

    return sim_random_permille(random, 30) ? mean * 4 + mean * one / 250
                                           : mean * one / 1000 * other / 250;
}

/* A generator of its own for another purpose. */
static inline struct sim_random sim_random_split(struct sim_random *random)
{
    return (struct sim_random){sim_random_next(random)};
}
