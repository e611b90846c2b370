/* What the files of pkg/security/secrets share. Threads, I/O, limits: secrets.h. */
#pragma once
#include "pkg/security/secrets/secrets.h"

#define KEY_SIZE 32   /* AES-256. */
#define NONCE_SIZE 12 /* Of GCM, */
#define TAG_SIZE 16   /* and its tag. */

struct ring_key {
    uint8_t bytes[KEY_SIZE];
    uint64_t made_ns;
    char id[SW_RING_ID_SIZE];
};

struct sw_keyring {
    struct sw_keyring_options options;
    size_t count;
    struct ring_key keys[SW_RING_KEYS_MAX]; /* The newest first. */
};

/* The key of this id, or NULL. */
const struct ring_key *sw_keyring_find(const struct sw_keyring *ring, const char *id);

/* --- ring_text.c --- */

/* Give a key the id that follows from it. */
void sw_keyring_name_key(struct ring_key *key);
/* Read all keys of a ring's text into a ring that has none.  SW_E_CORRUPT: it is none. */
SW_MUST_CHECK enum sw_rc sw_keyring_parse_keys(struct sw_keyring *ring, struct sw_bytes text,
                                               struct sw_err *err);
/* SW_E_CORRUPT, with words. */
enum sw_rc sw_keyring_damaged(struct sw_err *err);

/* --- seal.c --- */

struct gcm { /* One run of AES-256-GCM. */
    const uint8_t *key, *nonce;
    struct sw_bytes context, in;
    uint8_t *out; /* As long as in. */
    uint8_t *tag; /* Made, or compared. */
};
/* False: the library failed, or, not is_seal, something is not what was sealed. */
bool sw_secrets_run_gcm(const struct gcm *gcm, bool is_seal);
