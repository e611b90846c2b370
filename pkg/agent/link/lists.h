/* Lists of instances, and what a host answers them with: pages (entries.h has the rows).
 *
 * Threads, I/O, Limits: none. */
#pragma once
#include "pkg/utils/base/buffer.h"

#define SW_FRAME_PAGE_MAX 1000u /* Rows that a list may ask for, */
#define SW_FRAME_ROWS_MAX 1024u /* and get: those of one place are not parted. */
#define SW_FRAME_PLACES ((uint64_t)1 << 40)
#define SW_FRAME_STATES 10u /* enum sw_frame_instance_state. */
#define SW_FRAME_STATES_ALL ((1u << SW_FRAME_STATES) - 1)

struct sw_frame_list { /* Their order is the host's: places of keys, below SW_FRAME_PLACES. */
    uint64_t request;
    struct sw_bytes name_space, agent;
    uint64_t from;          /* Only places from this one on. */
    struct sw_bytes prefix; /* Only keys that begin so. */
    uint32_t states;        /* Only these: bits by enum sw_frame_instance_state. */
    uint32_t limit;         /* 1 to SW_FRAME_PAGE_MAX. */
    uint32_t is_count;      /* 1: how many in each state, instead of rows. */
};

struct sw_frame_instances { /* INSTANCES, LETTERS_PAGE. */
    uint64_t request;
    uint32_t code, count;
    uint32_t has_more;       /* Of LETTERS_PAGE. */
    uint64_t next;           /* Of INSTANCES: what comes behind this page is from here on; 0: none.
                                A page may have less than the limit, or nothing, all the same. */
    struct sw_bytes counts;  /* Of INSTANCES, if is_count: a u64 for each state. */
    struct sw_bytes entries; /* count times: as entries.h writes them. */
};
