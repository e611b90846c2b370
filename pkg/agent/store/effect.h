/* What a segment asked for, as its record holds it: a list of effects in the order of the calls.
 *
 * The same bytes come out of a replay of the segment; that is how a replay is checked. So a record
 * need not hold what only a replay has use for: the body of a call of something outside, which
 * is often a conversation that was there before, is left out of it if it is large
 * (sw_effects_pack), and made again by running the segment where it is needed. The record's digest
 * is that of all. Threads: pure functions.  I/O: none.  Limits: SW_EFFECTS_MAX effects,
 * SW_EFFECTS_BYTES_MAX. */
#pragma once
#include "pkg/utils/base/buffer.h"

#define SW_EFFECTS_MAX 65536u
#define SW_EFFECTS_BYTES_MAX (8u << 20)
#define SW_EFFECT_TEXT_MAX 255u
#define SW_EFFECT_BODY_MAX (4u << 20)
#define SW_EFFECT_ABSENT_LEAST 4096u /* Bodies of calls from here on are left out of records. */

enum sw_effect_kind {
    SW_EFFECT_SEND = 1,
    SW_EFFECT_REPLY,
    SW_EFFECT_PUBLISH,
    SW_EFFECT_SUBSCRIBE,
    SW_EFFECT_UNSUBSCRIBE,
    SW_EFFECT_TIMER_START,
    SW_EFFECT_TIMER_CANCEL,
    /* Waits: a segment that ends as waiting has exactly one of these. */
    SW_EFFECT_ASK, /* A send whose answer ends the wait. */
    SW_EFFECT_RECEIVE,
    SW_EFFECT_SLEEP,
    SW_EFFECT_CALL /* Of something outside: its result ends the wait. */
};

struct sw_effect { /* Which fields count depends on the kind; the others are zero. */
    enum sw_effect_kind kind;
    struct sw_bytes to; /* SEND, ASK: the name as the guest gave it. CALL: the service. Else the
                           subject. */
    struct sw_bytes type, body;
    uint32_t body_at; /* Of a taken effect: where its body begins within the list. */
    /* CALL: its body has so many bytes and is left out; 0: it is here. */
    uint32_t absent_bytes;
    uint32_t priority;
    int32_t status;  /* REPLY. */
    uint64_t number; /* SEND: tag. REPLY: handle. TIMER_*: id. Waits: the wait's number. */
    uint64_t due_ns; /* TIMER_START, waits; of a wait, UINT64_MAX: it does not end by itself. */
};

const char *sw_effect_kind_name(enum sw_effect_kind kind); /* "send" */
/* Whether it is a wait. */
bool sw_effect_is_wait(enum sw_effect_kind kind);
/* Append; fails as buffers do. */
void sw_effect_put(const struct sw_effect *effect, struct sw_buffer *out);
/* How large its body is, left out or not. */
static inline size_t sw_effect_body_bytes(const struct sw_effect *effect)
{
    return effect->absent_bytes != 0 ? effect->absent_bytes : effect->body.size;
}
/* Append a list as a record holds it: without the body of a large call, which is its last effect.
 * False: it has none, or is malformed, and nothing was appended. */
bool sw_effects_pack(struct sw_bytes effects, struct sw_buffer *out);
/* A body that may be left out, as records have it: its size, and itself unless it is. */
void sw_effect_put_body(struct sw_bytes body, uint32_t absent_bytes, struct sw_buffer *out);
struct sw_bytes sw_effect_take_body(struct sw_reader *reader, uint32_t *ret_absent_bytes);
/* How many bytes that appends for a SEND whose texts and body have so many. */
static inline size_t sw_effect_send_size(size_t content_bytes)
{
    return 1 + 4 + 1 + 8 + 4 + 4 + content_bytes;
}
/* The next effect of a list; false at its end or, with reader->failed set, on a malformed one. */
SW_MUST_CHECK bool sw_effect_take(struct sw_reader *reader, struct sw_effect *ret_effect);
/* The digest that records carry. */
uint64_t sw_effects_digest(struct sw_bytes effects);
