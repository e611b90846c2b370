/* The format of a cache entry: machine code that nobody but us can have written.
 *
 *   u32 magic   u32 version   u32 size and the engine fingerprint   32 bytes module digest
 *   u32 size and the code     32 bytes HMAC-SHA-256 of all before, under swarmd's key
 *
 * Little-endian. Threads: pure functions.  I/O: none. */
#pragma once
#include "pkg/agent/compiler/compiler.h"
#include "pkg/security/crypto/digest.h"

#define SW_SEAL_FINGERPRINT_MAX 255
#define SW_SEAL_HEAD_BYTES (12u + SW_SEAL_FINGERPRINT_MAX + SW_SHA256_SIZE) /* At most. */

struct sw_seal {             /* Borrowed. */
    const uint8_t *key;      /* SW_COMPILER_KEY_SIZE bytes. */
    const char *fingerprint; /* Of the engine, and the class, that the code is for. */
};

/* Append an entry. A buffer that is full says so itself. */
void sw_seal_put(const struct sw_seal *seal, const uint8_t digest[SW_SHA256_SIZE],
                 struct sw_bytes code, struct sw_buffer *out);
/* Open an entry; *ret_code borrows from it.  SW_E_CORRUPT: damaged, forged, of another key, module
 * or fingerprint: which of these is not told apart. */
SW_MUST_CHECK enum sw_rc sw_seal_get(const struct sw_seal *seal,
                                     const uint8_t digest[SW_SHA256_SIZE], struct sw_bytes entry,
                                     struct sw_bytes *ret_code);
/* Of which module an entry claims to be, whatever its engine; head has its first bytes. Good for
 * throwing it away, and for nothing else.  False: it is no entry. */
SW_MUST_CHECK bool sw_seal_peek(struct sw_bytes head, uint8_t ret_digest[SW_SHA256_SIZE]);
/* The name of an entry's file: 64 hex digits that stand for the module and the fingerprint. */
void sw_seal_name(const struct sw_seal *seal, const uint8_t digest[SW_SHA256_SIZE],
                  char ret_name[SW_DIGEST_TEXT_SIZE]);
