/* The blocks of a tar archive: POSIX ustar, with the owner, group and times of nobody.
 *
 *     head | bytes, zeros up to a block | head | ... | manifest | two blocks of zeros
 *
 * Threads: pure functions.  I/O: none.  Limits: names as names.h. */
#pragma once
#include "pkg/utils/base/buffer.h"

#define SW_ARCHIVE_BLOCK_BYTES 512u
#define SW_ARCHIVE_END_BYTES ((size_t)2 * SW_ARCHIVE_BLOCK_BYTES)

struct sw_archive_entry {
    const char *name;
    uint64_t size_bytes;
    uint64_t utc_s; /* When it was written, for whoever lists the archive. */
};

/* The head of an entry. Its name is valid, or that of the manifest (assert). */
void sw_archive_head_put(const struct sw_archive_entry *entry,
                         uint8_t ret_block[SW_ARCHIVE_BLOCK_BYTES]);
/* How many zeros follow so many bytes. */
size_t sw_archive_padding(uint64_t size_bytes);
/* The size of an entry with its head and padding. */
uint64_t sw_archive_entry_bytes(uint64_t size_bytes);
