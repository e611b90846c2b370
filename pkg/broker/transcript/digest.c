#include "pkg/broker/transcript/digest.h"

#include <endian.h>
#include <string.h>

#define ROUNDS 64u
#define BLOCK sizeof(((struct sw_transcript_digest *)0)->block)

static const uint32_t constants[ROUNDS] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

static uint32_t turn(uint32_t word, unsigned bits)
{
    return word >> bits | word << (32 - bits);
}

void sw_transcript_digest_begin(struct sw_transcript_digest *digest)
{
    static const uint32_t first[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                      0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};

    memcpy(digest->state, first, sizeof first);
    digest->size = 0;
}

static void take_block(uint32_t state[8], const uint8_t block[64])
{
    uint32_t words[ROUNDS], s[8];

    for (unsigned i = 0; i < 16; i++) {
        memcpy(&words[i], block + (size_t)4 * i, 4);
        words[i] = be32toh(words[i]);
    }
    for (unsigned i = 16; i < ROUNDS; i++) {
        uint32_t near = words[i - 2], far = words[i - 15];

        words[i] = words[i - 16] + (turn(far, 7) ^ turn(far, 18) ^ far >> 3) + words[i - 7] +
                   (turn(near, 17) ^ turn(near, 19) ^ near >> 10);
    }
    memcpy(s, state, sizeof s);
    for (unsigned i = 0; i < ROUNDS; i++) {
        uint32_t choice = (s[4] & s[5]) ^ (~s[4] & s[6]);
        uint32_t most = (s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]);
        uint32_t one = s[7] + (turn(s[4], 6) ^ turn(s[4], 11) ^ turn(s[4], 25)) + choice +
                       constants[i] + words[i];
        uint32_t other = (turn(s[0], 2) ^ turn(s[0], 13) ^ turn(s[0], 22)) + most;

        memmove(s + 1, s, 7 * sizeof s[0]);
        s[4] += one;
        s[0] = one + other;
    }
    for (unsigned i = 0; i < 8; i++)
        state[i] += s[i];
}

void sw_transcript_digest_add(struct sw_transcript_digest *digest, struct sw_bytes bytes)
{
    const uint8_t *at = bytes.data;
    size_t left = bytes.size, used = digest->size % BLOCK;

    digest->size += bytes.size;
    while (left > 0) {
        size_t size = BLOCK - used < left ? BLOCK - used : left;

        if (size == BLOCK) {
            take_block(digest->state, at);
        } else {
            memcpy(digest->block + used, at, size);
            if (used + size == BLOCK)
                take_block(digest->state, digest->block);
        }
        used = (used + size) % BLOCK;
        at += size;
        left -= size;
    }
}

void sw_transcript_digest_end(struct sw_transcript_digest *digest, uint8_t ret_digest[32])
{
    static const uint8_t padding[72] = {0x80};
    size_t used = digest->size % BLOCK, room = (used < 56 ? 56 : 120) - used;
    uint64_t bits = htobe64(digest->size * 8);

    sw_transcript_digest_add(digest, (struct sw_bytes){padding, room});
    sw_transcript_digest_add(digest, (struct sw_bytes){&bits, sizeof bits});
    for (unsigned i = 0; i < 8; i++) {
        uint32_t word = htobe32(digest->state[i]);

        memcpy(ret_digest + (size_t)4 * i, &word, sizeof word);
    }
}
