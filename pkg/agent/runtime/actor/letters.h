/* The dead letters of one Pod: messages and timers that no handler came to the end with, or that
 * nobody could take, parked with their reason until somebody delivers them again or drops them.
 *
 * They follow from records, like all state: a failed segment's, or a LETTER record. What is beyond
 * the limits drops the oldest, which follows from the same records.
 * Threads: one at a time.  I/O: none.
 * Limits: SW_LETTERS_MAX letters, SW_LETTERS_BYTES_MAX bytes, of which the newest is always kept.
 */
#pragma once
#include "pkg/agent/runtime/actor/message.h"

#define SW_LETTERS_MAX 1000u
#define SW_LETTERS_BYTES_MAX (1u << 20)

struct sw_letter {
    uint64_t number;            /* Its name within the Agent: the lsn of the record that parked it,
                                   or one more (sw_retry_turn_letter). Letters of volatile Pods
                                   are counted. */
    struct sw_message *message; /* Owned. Its key is the instance's; nobody waits for its answer. */
    uint64_t time_ns;
    uint32_t attempts;
    struct sw_bytes reason, words; /* In this allocation. */
};

struct sw_letters {           /* Zeroed: none. */
    struct sw_letter **items; /* Owned, ascending by number. */
    size_t count, capacity;
    uint64_t bytes;
    uint64_t dropped; /* Oldest that made room, since the host's start. */
};

void sw_letters_done(struct sw_letters *letters);
/* Park a copy of a message to the instance `key`, as the newest; what asks for an answer is taken
 * off. template: all the rest of the letter, borrowed.  SW_E_EXHAUSTED: no memory. */
SW_MUST_CHECK enum sw_rc sw_letters_add(struct sw_letters *letters,
                                        const struct sw_letter *template, struct sw_bytes key,
                                        const struct sw_message *message);
/* Put a letter of another Pod in its place; owned.  SW_E_EXHAUSTED: no memory; it stays the
 * caller's. */
SW_MUST_CHECK enum sw_rc sw_letters_put(struct sw_letters *letters, struct sw_letter *letter);
/* Take it out; now the caller's. NULL: none of that number. */
struct sw_letter *sw_letters_take(struct sw_letters *letters, uint64_t number);
void sw_letter_free(struct sw_letter *letter);
SW_DEFINE_CLEANUP(struct sw_letter, sw_letter_free)
