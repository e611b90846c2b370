/* What an instance said to models and what they answered, each message told once.
 *
 *     call ─ read ─► messages ─► ids: a chain ─► those that are known: told before, and left out
 *     answer ──────► the rest of the chain     ─► one more message, which the next call begins with
 *
 * A conversation is a chain. The id of a message is SHA-256 of the id of the message before it (32
 * zero bytes before the first) and of its canonical bytes; a call is named by the id of the last
 * message that it sends. So a call that sends an earlier conversation once more, with something
 * added, shows what was added, and one that begins anew shows so. Canonical bytes are the JSON of
 * the members that models see (README.md), in one form.
 *
 * What it tells are objects of JSON, one after the other, in the order call, messages, answer.
 * Threads: one at a time.  I/O: none.
 * Limits: SW_TRANSCRIPT_MESSAGES_MAX in all, SW_TRANSCRIPT_TOLD_MAX told of one call,
 * SW_TRANSCRIPT_STREAMS_MAX streams at a time; those of pkg/broker/model/wire. */
#pragma once
#include "pkg/utils/base/buffer.h"

#define SW_TRANSCRIPT_MESSAGES_MAX (1u << 20)
#define SW_TRANSCRIPT_TOLD_MAX 2000u
#define SW_TRANSCRIPT_TEXT_MAX 65536u
#define SW_TRANSCRIPT_STREAMS_MAX 16u
#define SW_TRANSCRIPT_ID_SIZE 32u

struct sw_transcript; /* Opaque. */

struct sw_transcript_options {
    uint32_t text_bytes; /* Of each text, so many are told; at most SW_TRANSCRIPT_TEXT_MAX. */
    void *ctx;           /* First argument of what follows. */
    /* One object of JSON, borrowed, of less than 512 KiB; `turn` is the call's. */
    void (*tell)(void *ctx, uint64_t turn, struct sw_bytes json);
};
/* SW_E_EXHAUSTED: no memory. */
SW_MUST_CHECK enum sw_rc sw_transcript_new(const struct sw_transcript_options *options,
                                           struct sw_transcript **ret_transcript,
                                           struct sw_err *err);
void sw_transcript_free(struct sw_transcript *transcript);
SW_DEFINE_CLEANUP(struct sw_transcript, sw_transcript_free)

struct sw_transcript_part { /* A call, or what it came to; borrowed, and of anybody. */
    uint64_t turn, time_ns;
    uint64_t number;         /* Of a call: which one of its instance, as Events of loops name it. */
    struct sw_bytes service; /* Of a call. */
    int32_t code;            /* Of what it came to: 0, or a negative enum sw_rc. */
    struct sw_bytes type, body;
};
/* The instance calls a service. What it called before and has no answer has none.
 * SW_E_EXHAUSTED: no memory, or too many messages. What cannot be read is told as such. */
SW_MUST_CHECK enum sw_rc sw_transcript_call(struct sw_transcript *transcript,
                                            const struct sw_transcript_part *call,
                                            struct sw_err *err);
/* What its last call came to; without one nothing happens.  Errors: as sw_transcript_call. */
SW_MUST_CHECK enum sw_rc sw_transcript_answer(struct sw_transcript *transcript,
                                              const struct sw_transcript_part *answer,
                                              struct sw_err *err);
/* Whether a call waits for its answer, or a stream was not read to its end. */
bool sw_transcript_is_open(const struct sw_transcript *transcript);
/* There is no more: a call that waits, and streams that were not read to their end, are told.
 * Errors: as sw_transcript_call. */
SW_MUST_CHECK enum sw_rc sw_transcript_end(struct sw_transcript *transcript, struct sw_err *err);
