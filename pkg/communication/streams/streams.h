/* Streams of numbered messages, and marks of what was taken of each.
 *
 *     sender    name, number ----- message n of the stream, until it is acknowledged ---> receiver
 *                  ^                                                                 mark < n: take
 *                  +--------------------------- acknowledged, once that is durable -- it, mark = n
 *                                                                                   mark >= n: it
 *                                                                                   was a repeat
 * The sender has one message to a receiver under way at a time, so that what comes later has a
 * higher number; numbers in between went to other receivers. Both structs are part of what their
 * owner keeps: after a crash both sides are as they were at some moment, and what was under way
 * then is sent again under the same number.
 *
 * Threads: one at a time.  I/O: none, no library either.  Limits: the room for marks. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct sw_stream {
    uint64_t name;   /* Random, of the beginning of this state; not 0. */
    uint64_t number; /* Of the last message. */
};

/* The number of the next message, from 1 on. */
uint64_t sw_stream_next(struct sw_stream *stream);

#define SW_MARKS_WAYS 16u /* Places that a stream's mark may be in. */

struct sw_mark {
    uint64_t stream; /* 0: free. */
    uint64_t number;
    uint64_t time_ns; /* Of the last message that was taken. */
};

struct sw_marks {
    struct sw_mark *places; /* All 0 at first; owned by the caller. */
    uint32_t room;          /* A power of two, at least SW_MARKS_WAYS. */
    uint64_t still_ns;      /* A mark that was not moved for so long may give way. */
};

enum sw_verdict {
    SW_VERDICT_TAKE,   /* It is new; *ret_at is where its mark goes. */
    SW_VERDICT_REPEAT, /* It was taken before: acknowledge it again. */
    SW_VERDICT_FULL    /* There is no room for another stream now: have it sent again. */
};

/* What to do about a message; changes nothing. O(SW_MARKS_WAYS). */
enum sw_verdict sw_marks_judge(const struct sw_marks *marks, const struct sw_stream *message,
                               uint64_t now_ns, uint32_t *ret_at);
/* It was taken, and is so together with what it did. */
void sw_marks_put(struct sw_marks *marks, const struct sw_stream *message, uint64_t now_ns,
                  uint32_t at);
