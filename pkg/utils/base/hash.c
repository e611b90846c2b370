#include "pkg/utils/base/hash.h"

#include <endian.h>
#include <string.h>

static uint64_t load_u64(const uint8_t *bytes)
{
    uint64_t value;

    (void)memcpy(&value, bytes, sizeof value);
    return le64toh(value);
}

static inline uint64_t rotate(uint64_t value, int bits)
{
    return value << bits | value >> (64 - bits);
}

static inline void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[1] = rotate(v[1], 13) ^ v[0];
    v[0] = rotate(v[0], 32);
    v[2] += v[3];
    v[3] = rotate(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = rotate(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = rotate(v[1], 17) ^ v[2];
    v[2] = rotate(v[2], 32);
}

static void sip_word(uint64_t v[4], uint64_t word)
{
    v[3] ^= word;
    sip_round(v);
    sip_round(v);
    v[0] ^= word;
}

uint64_t sw_siphash(const uint8_t key[16], const void *bytes, size_t size_bytes)
{
    const uint8_t *data = bytes;
    uint64_t k0 = load_u64(key), k1 = load_u64(key + 8);
    uint64_t v[4] = {k0 ^ 0x736f6d6570736575, k1 ^ 0x646f72616e646f6d, k0 ^ 0x6c7967656e657261,
                     k1 ^ 0x7465646279746573};
    uint64_t last = (uint64_t)size_bytes << 56;
    size_t whole = size_bytes - size_bytes % 8;

    for (size_t at = 0; at < whole; at += 8)
        sip_word(v, load_u64(data + at));
    for (size_t at = whole; at < size_bytes; at++)
        last |= (uint64_t)data[at] << (8 * (at % 8));
    sip_word(v, last);
    v[2] ^= 0xff;
    for (int i = 0; i < 4; i++)
        sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* Reflected polynomial of CRC-32C. */
#define CRC32C_POLYNOMIAL 0x82f63b78u

static uint32_t crc_table[8][256];

__attribute__((constructor)) static void crc_table_fill(void)
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t crc = i;

        for (int bit = 0; bit < 8; bit++)
            crc = (crc >> 1) ^ (CRC32C_POLYNOMIAL & (0u - (crc & 1)));
        crc_table[0][i] = crc;
    }
    for (uint32_t i = 0; i < 256; i++)
        for (int slice = 1; slice < 8; slice++)
            crc_table[slice][i] =
                (crc_table[slice - 1][i] >> 8) ^ crc_table[0][crc_table[slice - 1][i] & 0xff];
}

/* Slicing by eight (Kounavis and Berry 2005) where the processor has no instruction for it. */
static uint32_t crc_portable(uint32_t crc, const uint8_t *data, size_t size_bytes)
{
    while (size_bytes >= 8) {
        uint64_t word = load_u64(data) ^ crc;

        crc = 0;
        for (int i = 0; i < 8; i++)
            crc ^= crc_table[7 - i][(word >> (8 * i)) & 0xff];
        data += 8;
        size_bytes -= 8;
    }
    while (size_bytes-- > 0)
        crc = (crc >> 8) ^ crc_table[0][(crc ^ *data++) & 0xff];
    return crc;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) static uint32_t crc_hardware(uint32_t crc, const uint8_t *data,
                                                               size_t size_bytes)
{
    uint64_t wide = crc;

    while (size_bytes >= 8) {
        uint64_t word;

        (void)memcpy(&word, data, 8);
        wide = __builtin_ia32_crc32di(wide, word);
        data += 8;
        size_bytes -= 8;
    }
    crc = (uint32_t)wide;
    while (size_bytes-- > 0)
        crc = __builtin_ia32_crc32qi(crc, *data++);
    return crc;
}
#endif

uint32_t sw_crc32c(uint32_t crc, const void *bytes, size_t size_bytes)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("sse4.2"))
        return ~crc_hardware(~crc, bytes, size_bytes);
#endif
    return ~crc_portable(~crc, bytes, size_bytes);
}
