/* SHA-256 (FIPS 180-4), for ids of messages alone: who tells a transcript is an agent host, and
 * that is not to have all of OpenSSL in its memory for this. Nothing secret is hashed here.
 *
 * Private to this room.  Threads: one at a time.  I/O: none.  Limits: none. */
#pragma once
#include "pkg/utils/base/buffer.h"

struct sw_transcript_digest {
    uint32_t state[8];
    uint64_t size; /* Bytes so far. */
    uint8_t block[64];
};
void sw_transcript_digest_begin(struct sw_transcript_digest *digest);
void sw_transcript_digest_add(struct sw_transcript_digest *digest, struct sw_bytes bytes);
void sw_transcript_digest_end(struct sw_transcript_digest *digest, uint8_t ret_digest[32]);
