/* A town in which everybody trades, gossips and votes: the rules, without who runs them.
 *
 * There are `people`, numbered from 0, and `rounds`. In each round everybody talks to one other,
 * and everybody is talked to once: the n-th to the (n + shift)-th, by a shift that the seed gives.
 * Who talks hands over a part of what he has more of, coins or grain, and says whom he wants for
 * mayor, and how much. After the last round he votes.
 *
 * What somebody is after a round follows from what he was before and the one talk that he heard, so
 * the end is the same in whatever order messages come: seed, people and rounds decide it.
 * test/e2e/society.py has the same rules once more. */
#pragma once
#include <stdint.h>

#define SOCIETY_CANDIDATES 8u
#define SOCIETY_ROUNDS_MAX 16u
#define SOCIETY_DISTRICT 1000u /* People whose votes are counted together, at most. */
#define SOCIETY_ESTEEM_MAX 1000000u

struct society { /* As spec.config says it: "SEED PEOPLE ROUNDS". */
    uint32_t seed, people, rounds;
};

struct society_person {
    uint32_t coins, grain;
    uint32_t favourite, esteem; /* Of a candidate. */
};

struct society_talk { /* What one hears; 20 bytes. */
    uint32_t round, coins, grain;
    uint32_t favourite, esteem;
};

struct society_count { /* Votes, and what those who voted have. */
    uint32_t people;
    uint32_t votes[SOCIETY_CANDIDATES];
    uint32_t richest; /* Coins. */
    uint64_t coins, grain;
    uint64_t check; /* Of who has what: the sum of a number for each. */
};

/* Vigna's SplitMix64. */
static inline uint64_t society_mix(uint64_t x)
{
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

/* How far away the one is to whom everybody talks in that round: 1 to people - 1, or 0 alone. */
static inline uint32_t society_shift(const struct society *society, uint32_t round)
{
    uint64_t x = society_mix((uint64_t)society->seed << 32 | round);

    return society->people < 2 ? 0 : 1 + (uint32_t)(x % (society->people - 1));
}

static inline struct society_person society_person(const struct society *society, uint32_t number)
{
    uint64_t x = society_mix(society_mix(society->seed) + number);

    return (struct society_person){.coins = 50 + (uint32_t)(x % 101),
                                   .grain = 50 + (uint32_t)(x >> 8) % 101,
                                   .favourite = (uint32_t)(x >> 16) % SOCIETY_CANDIDATES,
                                   .esteem = 1 + (uint32_t)(x >> 24) % 10};
}

/* What he says in this round, and gives. */
static inline struct society_talk society_say(struct society_person *person, uint32_t round)
{
    struct society_talk talk = {
        .round = round, .favourite = person->favourite, .esteem = person->esteem};

    if (person->coins > person->grain)
        talk.coins = person->coins / 8;
    else
        talk.grain = person->grain / 8;
    person->coins -= talk.coins;
    person->grain -= talk.grain;
    return talk;
}

static inline void society_hear(struct society_person *person, const struct society_talk *talk)
{
    person->coins += talk->coins;
    person->grain += talk->grain;
    if (talk->favourite == person->favourite) {
        person->esteem += talk->esteem / 2 + 1;
        if (person->esteem > SOCIETY_ESTEEM_MAX)
            person->esteem = SOCIETY_ESTEEM_MAX;
    } else if (talk->esteem > person->esteem) {
        person->favourite = talk->favourite;
        person->esteem = talk->esteem - person->esteem;
    } else {
        person->esteem -= talk->esteem;
    }
}

static inline void society_vote(struct society_count *count, uint32_t number,
                                const struct society_person *person)
{
    uint64_t has = (uint64_t)person->coins << 32 | person->grain;
    uint64_t wants = (uint64_t)person->favourite << 32 | person->esteem;

    count->people++;
    count->votes[person->favourite]++;
    count->coins += person->coins;
    count->grain += person->grain;
    if (person->coins > count->richest)
        count->richest = person->coins;
    count->check += society_mix(society_mix(society_mix(number) ^ has) ^ wants);
}

static inline void society_add(struct society_count *count, const struct society_count *other)
{
    count->people += other->people;
    for (uint32_t i = 0; i < SOCIETY_CANDIDATES; i++)
        count->votes[i] += other->votes[i];
    count->coins += other->coins;
    count->grain += other->grain;
    if (other->richest > count->richest)
        count->richest = other->richest;
    count->check += other->check;
}

static inline uint32_t society_districts(const struct society *society)
{
    return (society->people + SOCIETY_DISTRICT - 1) / SOCIETY_DISTRICT;
}
