/* Texts that only the platform may read: sealed one by one, with keys that are kept in a ring.
 *
 *     value ── AES-256-GCM, a key of its own, bound to namespace, name and field ──┐
 *     that key ── AES-256 key wrap (RFC 3394), the ring's newest key ──────────────┴─► sealed text
 *
 * A sealed text is "sealed:1:ID:BASE64": ID is that of the ring's key, BASE64 (RFC 4648, canonical)
 * stands for 40 bytes of the wrapped key, 12 of the nonce, 16 of the tag (NIST SP 800-38D), and the
 * value. To rotate means a new key in the ring and the wraps made anew; values stay as they are.
 * Who has a sealed text but no ring knows the length of the value, and nothing else.
 * Threads: a ring belongs to one thread at a time.  I/O: only what takes a system.
 * Limits: SW_SECRETS_VALUE_MAX, SW_RING_KEYS_MAX. */
#pragma once
#include "pkg/utils/base/buffer.h"
#include "pkg/utils/system/system.h"

#define SW_SECRETS_SEALED "sealed:"      /* So sealed texts begin, of any version. */
#define SW_SECRETS_VALUE_MAX 65536u      /* Bytes of a value. */
#define SW_SECRETS_SEALED_MAX 90112u     /* Bytes of a sealed text, at most. */
#define SW_RING_FILE "secrets.key"       /* In its folder, mode 0600. */
#define SW_RING_KEYS_MAX 16u             /* The newest one, and those that are not gone yet. */
#define SW_RING_ID_SIZE 17               /* 16 hexadecimal digits and the NUL. */
#define SW_RING_BYTES_MAX ((size_t)8192) /* Of the file. */

/* --- The ring -----------------------------------------------------------------------------------
 */

struct sw_keyring; /* Opaque. */

struct sw_keyring_options {         /* Borrowed; outlives the ring. */
    const struct sw_system *system; /* Randomness, time and files. */
    const char *folder;             /* For the file; NULL: the ring is in memory only. */
};

/* The ring that is kept in folder/secrets.key; one with a new key is made, saved and durable if
 * there is no such file. *ret_is_new (may be NULL) says which.
 * SW_E_CORRUPT: the file is no ring, or damaged; it is left alone. Others as file_open. */
SW_MUST_CHECK enum sw_rc sw_keyring_open(const struct sw_keyring_options *options,
                                         struct sw_keyring **ret_ring, bool *ret_is_new,
                                         struct sw_err *err);
/* A ring from what sw_keyring_print wrote, in memory only.  SW_E_CORRUPT: it did not. */
SW_MUST_CHECK enum sw_rc sw_keyring_parse(const struct sw_keyring_options *options,
                                          struct sw_bytes text, struct sw_keyring **ret_ring,
                                          struct sw_err *err);
/* Append all of it, keys too: for a file of mode 0600. The buffer should be wiped
 * (sw_secrets_buffer_done). */
void sw_keyring_print(const struct sw_keyring *ring, struct sw_buffer *out);
/* Its keys are overwritten. */
void sw_keyring_free(struct sw_keyring *ring);
SW_DEFINE_CLEANUP(struct sw_keyring, sw_keyring_free)

/* How many keys, and of each, the newest first: its id, and when it was made. */
size_t sw_keyring_count(const struct sw_keyring *ring);
const char *sw_keyring_id(const struct sw_keyring *ring, size_t at);
uint64_t sw_keyring_made_ns(const struct sw_keyring *ring, size_t at); /* UTC. */
bool sw_keyring_has(const struct sw_keyring *ring, const char *id);

/* Add a new key, with which is sealed from now on; durable when it returns. On an error the ring is
 * as it was.  SW_E_EXHAUSTED: it has SW_RING_KEYS_MAX already. Others as sw_file_save. */
SW_MUST_CHECK enum sw_rc sw_keyring_rotate(struct sw_keyring *ring, struct sw_err *err);
/* Forget a key that nothing is sealed with any more; durable when it returns.
 * SW_E_NOT_FOUND: no such key.  SW_E_PRECONDITION: it is the newest. */
SW_MUST_CHECK enum sw_rc sw_keyring_drop(struct sw_keyring *ring, const char *id,
                                         struct sw_err *err);
/* Take the keys of another ring that this one does not have, as older ones; durable when it
 * returns. *ret_count: how many.  SW_E_EXHAUSTED: more than SW_RING_KEYS_MAX together. */
SW_MUST_CHECK enum sw_rc sw_keyring_merge(struct sw_keyring *ring, const struct sw_keyring *other,
                                          size_t *ret_count, struct sw_err *err);

/* --- The ring on its way to another machine
 * -------------------------------------------------------
 *
 * "swarm-ring-sealed 1\n", "scrypt LOG2N 8 1 SALT\n" (RFC 7914; SALT: 32 hexadecimal digits),
 * BASE64 and "\nend\n": BASE64 stands for 12 bytes of nonce, 16 of the tag, and what
 * sw_keyring_print writes, under AES-256-GCM with the key that scrypt makes of the passphrase;
 * bound to both lines.
 */

#define SW_RING_EXPORT_BYTES_MAX ((size_t)16384)
#define SW_RING_PASSPHRASE_MIN 12u /* Bytes. */
#define SW_RING_PASSPHRASE_MAX 1024u

/* Append the ring, sealed under a passphrase; takes 32 MiB and some 100 ms.
 * SW_E_INVALID: the passphrase is too short or too long.  SW_E_EXHAUSTED: no memory, or out is
 * full. */
SW_MUST_CHECK enum sw_rc sw_keyring_export(const struct sw_keyring *ring,
                                           struct sw_bytes passphrase, struct sw_buffer *out,
                                           struct sw_err *err);
/* Whether a text says that it was exported under a passphrase. */
bool sw_keyring_is_export(struct sw_bytes text);
/* A ring, in memory only, from what sw_keyring_export wrote; takes at most 128 MiB.
 * SW_E_CORRUPT    it did not, or the text is damaged
 * SW_E_DENIED     it is whole, and not of this passphrase, or it was changed by somebody
 * SW_E_EXHAUSTED  no memory */
SW_MUST_CHECK enum sw_rc sw_keyring_import(const struct sw_keyring_options *options,
                                           struct sw_bytes text, struct sw_bytes passphrase,
                                           struct sw_keyring **ret_ring, struct sw_err *err);

/* --- Values -------------------------------------------------------------------------------------
 */

struct sw_secret_place { /* What a value is bound to; borrowed. */
    const char *namespace_name, *name, *key;
};

/* Whether a text says that it is sealed. */
bool sw_secrets_is_sealed(const char *text);
/* Append the sealed text of a value.  SW_E_RANGE: it is too long.  SW_E_EXHAUSTED: out is full. */
SW_MUST_CHECK enum sw_rc sw_secrets_seal(const struct sw_keyring *ring,
                                         const struct sw_secret_place *place, struct sw_bytes value,
                                         struct sw_buffer *out, struct sw_err *err);
/* Append the value of a sealed text. The words of an error have nothing of it.
 * SW_E_CORRUPT    no sealed text, damaged, or sealed for another place
 * SW_E_NOT_FOUND  the ring does not have its key
 * SW_E_EXHAUSTED  out is full */
SW_MUST_CHECK enum sw_rc sw_secrets_open(const struct sw_keyring *ring,
                                         const struct sw_secret_place *place, const char *sealed,
                                         struct sw_buffer *out, struct sw_err *err);
/* Whether a sealed text opens here to this very value; compared in constant time. */
bool sw_secrets_holds(const struct sw_keyring *ring, const struct sw_secret_place *place,
                      const char *sealed, struct sw_bytes value);
/* Append the sealed text of the same value with the newest key, which is the same text if it had
 * that. It is opened, so errors are those of sw_secrets_open. */
SW_MUST_CHECK enum sw_rc sw_secrets_rewrap(const struct sw_keyring *ring,
                                           const struct sw_secret_place *place, const char *sealed,
                                           struct sw_buffer *out, struct sw_err *err);
/* The id of the key that a text is sealed with.  SW_E_CORRUPT: no sealed text. */
SW_MUST_CHECK enum sw_rc sw_secrets_id(const char *sealed, char ret_id[SW_RING_ID_SIZE],
                                       struct sw_err *err);
/* Overwrite what is in a buffer, and free it. */
void sw_secrets_buffer_done(struct sw_buffer *buffer);
