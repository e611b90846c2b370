/* Judges a run by what its clients saw: the answers that they got, and what each instance told of
 * its own life at the end.
 *
 * Threads: one.  I/O: none. */
#pragma once
#include "test/sim/work.h"

struct sim_life {              /* What an instance tells of itself. */
    struct sim_entry *entries; /* Owned. */
    uint64_t *hashes;          /* Owned: of the first 0, 1 ... entries; made by the checker. */
    uint32_t *versions;        /* Owned, made by the checker: that it had after so many entries. */
    uint64_t position, hash;
    int64_t balance;
};

#define SIM_LETTERS_MAX 4000u

struct sim_letter { /* A message that could not be handled in all of its tries. */
    uint64_t number;
    uint32_t from, to;
    struct sim_note note;
};

struct sim_lives {
    struct sim_life of[SIM_MIRROR_FIRST]; /* Mirrors keep nothing. */
    struct sim_letter *letters;           /* Owned. */
    uint32_t letters_count;
};

struct sim_verdict {
    char words[400];                                         /* What is wrong first; "": nothing. */
    uint64_t entries, acknowledged, unknown, refused, lives; /* lives: that ended by idling. */
};

void sim_lives_done(struct sim_lives *lives);
/* Whether the same instances tell the same after a restart. */
void sim_check_same(const struct sim_lives *before, const struct sim_lives *after, const char *when,
                    struct sim_verdict *verdict);
/* Everything else. quiet_ns: for so long before its last operation, whose id is 0, nothing may have
 * come to an instance. */
void sim_check(const struct sim_work *work, struct sim_lives *lives, uint64_t quiet_ns,
               struct sim_verdict *verdict);
