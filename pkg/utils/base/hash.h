/* Checksums and keyed hashes that file formats and slots depend on; their values never change.
 *
 * Threads: pure functions.  I/O: none. */
#pragma once
#include <stddef.h>
#include <stdint.h>

/* SipHash-2-4 (Aumasson and Bernstein 2012) under a 128-bit key. */
uint64_t sw_siphash(const uint8_t key[16], const void *bytes, size_t size_bytes);
/* CRC-32C (Castagnoli, RFC 3720), continuing from `crc` (0 to begin). */
uint32_t sw_crc32c(uint32_t crc, const void *bytes, size_t size_bytes);
