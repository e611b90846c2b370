/* What the files of pkg/security/secrets share. Threads, I/O, limits: secrets.h. */
#pragma once
#include "pkg/security/secrets/secrets.h"

#define KEY_SIZE 32 /* AES-256. */

struct ring_key {
    uint8_t bytes[KEY_SIZE];
    uint64_t made_ns;
    char id[SW_RING_ID_SIZE];
};

struct sw_ring {
    struct sw_ring_options options;
    size_t count;
    struct ring_key keys[SW_RING_KEYS_MAX]; /* The newest first. */
};

/* The key of this id, or NULL. */
const struct ring_key *sw_ring_find(const struct sw_ring *ring, const char *id);

/* --- ring_text.c --- */

/* Give a key the id that follows from it. */
void sw_ring_name_key(struct ring_key *key);
/* Read all keys of a ring's text into a ring that has none.  SW_E_CORRUPT: it is none. */
SW_MUST_CHECK enum sw_rc sw_ring_parse_keys(struct sw_ring *ring, struct sw_bytes text,
                                            struct sw_err *err);
/* SW_E_CORRUPT, with words. */
enum sw_rc sw_ring_damaged(struct sw_err *err);
