/* Reads the whole log of every durable instance, by asking for it.
 *
 * Threads: one.  I/O: none. */
#pragma once
#include "test/sim/check.h"

struct sim_reader {
    struct sim_front *front;
    struct sim_lives *lives; /* Filled; borrowed. */
    struct sim_request request;
    struct sim_event late, again;
    uint32_t tries;
    uint64_t number; /* Of the request under way. */
    uint32_t peer;   /* Whom it reads. */
    uint64_t after;  /* Letters of higher numbers are next. */
    uint32_t agent;  /* Whose dead letters it reads, when all are read. */
    bool is_marking, is_done;
    char breach[200]; /* "": none. */
};

/* Have every instance do one last operation, of id 0. */
void sim_reader_mark(struct sim_reader *reader, struct sim_front *front);
void sim_reader_begin(struct sim_reader *reader, struct sim_front *front, struct sim_lives *lives);
