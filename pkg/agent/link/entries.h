/* The rows of the pages that a host answers lists with: instances, dead letters.
 *
 * A reader treats them as hostile, like frames: texts are bounded and UTF-8.
 * Threads: pure functions.  I/O: none.  Limits: each field's is in entries.c. */
#pragma once
#include "pkg/agent/link/frame.h"

struct sw_frame_instance { /* One of the entries. */
    struct sw_bytes key;
    struct sw_bytes pod;    /* Uid of its Pod. */
    struct sw_bytes digest; /* Of the module that it runs; empty: it has none yet. */
    uint32_t state;         /* enum sw_frame_instance_state. */
    uint32_t waiting;       /* Messages in its mailbox. */
    uint64_t segments;      /* Handled since its birth. */
    uint64_t failures;      /* Of those, ended by a trap, a deadline or an error. */
    uint64_t memory_bytes;  /* Linear memory; 0 while it has none. */
    uint64_t disk_bytes;    /* Of what lies on the shelf while it sleeps. */
    uint64_t last_ns;       /* Time of its last segment. */
    uint64_t used_ns;       /* Up to when it used what follows; 0: it keeps nothing of that. */
    struct sw_frame_used used;
    uint64_t pages, open_page_ms; /* As struct sw_frame_usage has them. */
};
enum sw_frame_instance_state {
    SW_FRAME_INSTANCE_IDLE,
    SW_FRAME_INSTANCE_BUSY,
    SW_FRAME_INSTANCE_PARKED,
    SW_FRAME_INSTANCE_FAILING,  /* It cannot be started, or not be made, and is tried again. */
    SW_FRAME_INSTANCE_ASKS,     /* Its handler waits for an answer, */
    SW_FRAME_INSTANCE_RECEIVES, /* for a message, */
    SW_FRAME_INSTANCE_SLEEPS,   /* until a time, */
    SW_FRAME_INSTANCE_CALLS,    /* or for the result of a service. */
    SW_FRAME_INSTANCE_ASLEEP,   /* It does nothing, and is on the disk. */
    SW_FRAME_INSTANCE_HELD      /* A fork that is not released, whatever it does. */
};
_Static_assert(SW_FRAME_INSTANCE_HELD + 1 == SW_FRAME_STATES, "each has its bit");

struct sw_frame_letter { /* One of the entries of a LETTERS_PAGE. */
    uint64_t number, time_ns;
    struct sw_bytes key, pod; /* Of the instance; uid of its Pod. */
    struct sw_bytes from, subject, type;
    struct sw_bytes reason, words;
    uint32_t attempts;
    uint32_t is_timer, is_reply; /* 0 or 1. */
    uint64_t timer;              /* Its id. */
    uint64_t size_bytes;         /* Of the body. */
    struct sw_bytes body;        /* If it was asked for. */
};

/* The entries of INSTANCES. take: false at the end, or on a malformed one, with reader->failed set.
 */
void sw_frame_instance_put(const struct sw_frame_instance *instance, struct sw_buffer *out);
SW_MUST_CHECK bool sw_frame_instance_take(struct sw_reader *reader,
                                          struct sw_frame_instance *ret_instance);
/* The same for those of LETTERS_PAGE. */
void sw_frame_letter_put(const struct sw_frame_letter *letter, struct sw_buffer *out);
SW_MUST_CHECK bool sw_frame_letter_take(struct sw_reader *reader,
                                        struct sw_frame_letter *ret_letter);
