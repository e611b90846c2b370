/* The past of an instance, as an agent host tells it that was started for that (--past): what the
 * frames PAST, PAST_TURN, PAST_STATE and PAST_END hold (fork.h has PAST_FORK).
 *
 *     PAST ─► MODULE_WANTED, MODULE or MODULE_DROP ... PAST_TURN ... PAST_STATE, PAST_FORK ...
 *          ─► PAST_END
 *
 * A reader treats the rows as hostile, like frames: texts are bounded and UTF-8.
 * Threads: pure functions.  I/O: none.  Limits: each field's is in frame.c, that of rows in past.c.
 */
#pragma once
#include "pkg/utils/base/buffer.h"

#define SW_PAST_BODY_MAX (512u << 10)  /* Of a body as it is told; what follows is cut. */
#define SW_PAST_EFFECTS_MAX (2u << 20) /* Bytes of rows in a PAST_TURN, */
#define SW_PAST_ITEMS_MAX (1u << 20)   /* and in a PAST_STATE. */
#define SW_PAST_TURNS_MAX 1000u

enum sw_past_act {
    SW_PAST_LIST,    /* Turns, as they are recorded. */
    SW_PAST_INSPECT, /* The state after one of them. */
    SW_PAST_REPLAY,  /* Turns, run again and compared. */
    SW_PAST_TRY,     /* One of them with another input or module. */
    SW_PAST_FORK,    /* The same, as the beginning of another instance. */
    /* What its turns said to models (pkg/broker/transcript), who are run again for that: in each
     * PAST_TURN one object of JSON as its body, of the turn `number`. One without a body: turns up
     * to `number` were looked at. */
    SW_PAST_TRANSCRIPT
};

struct sw_frame_past { /* What is wanted. */
    uint64_t request;
    uint32_t act; /* enum sw_past_act. */
    struct sw_bytes name_space, agent, agent_uid, key;
    uint64_t from, to;      /* Numbers of turns; to 0: the last one. INSPECT, TRY, FORK: to. */
    uint32_t limit;         /* LIST, REPLAY, TRANSCRIPT: of turns, 1 to SW_PAST_TURNS_MAX. */
    uint32_t is_newest;     /* LIST, TRANSCRIPT: the last ones of them; otherwise the first ones. */
    uint32_t body_bytes;    /* Of each body, so many are told; at most SW_PAST_BODY_MAX. */
    struct sw_bytes module; /* Its digest, to be run instead; empty: as recorded. Not for the first
                               two acts. */
    uint32_t has_input;     /* TRY, FORK: 0 or 1. */
    struct sw_bytes input, type; /* The body instead of the recorded one; empty type: as that. */
    uint32_t deadline_ms;        /* TRY, FORK: of the segment. */
    struct sw_bytes as;          /* FORK: the key of what begins with it. */
};

enum sw_past_verdict {
    SW_PAST_RECORDED, /* Not run. */
    SW_PAST_SAME,     /* It came to what is recorded. */
    SW_PAST_DIFFERS,  /* It did not: words say where. */
    SW_PAST_SKIPPED,  /* It had changed nothing, and was not run: it failed then. */
    SW_PAST_TRIED     /* outcome and effects are those of the trial. */
};

struct sw_frame_past_turn {
    uint64_t request, number, lsn, time_ns;
    uint32_t entry, outcome; /* enum sw_entry, enum sw_outcome of pkg/agent/store. */
    uint32_t code;           /* Of a failure, without its sign. */
    uint32_t fate, attempt;  /* Of a failed one: enum sw_fate; which try it was. */
    uint64_t retry_ns;       /* When it came again. */
    uint64_t timer, wait;    /* TIMER, RESUME: numbers. */
    uint64_t tag;
    uint64_t source_lsn;  /* Of the record that sent it; 0: none. */
    uint32_t has_message; /* 0 or 1: what follows is of a message. */
    uint32_t is_reply;    /* 0 or 1: an answer, with this status without its sign. */
    uint32_t status;
    struct sw_bytes from, subject, type, request_id;
    struct sw_bytes body;  /* Its beginning. */
    uint64_t body_bytes;   /* All of it. */
    uint32_t is_body_kept; /* 0: it is known no more. */
    uint32_t cpu_us;
    uint64_t fuel;           /* 0: its engine counts none. */
    struct sw_bytes module;  /* Digest. */
    uint64_t digest;         /* Of the effects. */
    uint32_t effects_count;  /* Of all; rows may be fewer. */
    struct sw_bytes effects; /* Rows of struct sw_past_effect. */
    uint32_t verdict;        /* enum sw_past_verdict. */
    struct sw_bytes words;   /* Why it failed, or what differs. */
};

struct sw_past_effect { /* A row. */
    uint32_t kind;      /* enum sw_effect_kind of pkg/agent/store. */
    uint32_t status;    /* Of a reply, without its sign. */
    uint64_t number, due_ns;
    struct sw_bytes to, type, body; /* The body's beginning. */
    uint64_t body_bytes;
};

enum sw_past_item_kind { SW_PAST_HANDLE, SW_PAST_TIMER, SW_PAST_PATTERN };

struct sw_past_item {     /* A row of a state. */
    uint32_t kind;        /* enum sw_past_item_kind. */
    uint64_t number;      /* Of a handle or timer. */
    uint64_t due_ns;      /* Of a timer. */
    struct sw_bytes text; /* Of a subscription; of a handle, who waits for it. */
};

struct sw_frame_past_state {
    uint64_t request, number, time_ns;
    uint64_t failures, memory_bytes, random_next;
    uint64_t digest; /* Of its memory and globals, as of effects. */
    struct sw_bytes module, engine;
    uint32_t wait; /* enum sw_wait_kind of the actor room: what its turn waits for; 0: nothing. */
    uint64_t wait_number, wait_due_ns;
    uint32_t handles, timers, patterns; /* How many there are; rows may be fewer. */
    uint32_t is_held, held;             /* 0 or 1: what it lets out waits; of so many effects, */
    uint64_t held_bytes;                /* in so many bytes. */
    struct sw_bytes items;              /* Rows of struct sw_past_item. */
};

struct sw_frame_past_end {
    uint64_t request;
    uint32_t code; /* 0, or an enum sw_rc without its sign. */
    struct sw_bytes words;
    uint64_t first, last, replayable; /* As struct sw_past_view has them. */
    uint32_t is_over;
};

/* Append. */
void sw_past_effect_put(const struct sw_past_effect *effect, struct sw_buffer *out);
/* False: the end, or a malformed one, with reader->failed set. */
SW_MUST_CHECK bool sw_past_effect_take(struct sw_reader *reader, struct sw_past_effect *ret_effect);
void sw_past_item_put(const struct sw_past_item *item, struct sw_buffer *out);
SW_MUST_CHECK bool sw_past_item_take(struct sw_reader *reader, struct sw_past_item *ret_item);
