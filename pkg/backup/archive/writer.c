#include "pkg/backup/archive/writer.h"

#include "pkg/backup/archive/blocks.h"
#include "pkg/backup/archive/names.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

/* size - 1 digits and a NUL. */
static void put_octal(uint8_t *at, size_t size, uint64_t value)
{
    char text[32];

    (void)snprintf(text, sizeof text, "%0*" PRIo64, (int)size - 1, value);
    memcpy(at, text, size);
}

static void put_size(uint8_t *at, uint64_t value)
{
    if (value <= OCTAL_SIZE_MAX) {
        put_octal(at, HEAD_SIZE_SIZE, value);
        return;
    }
    memset(at, 0, HEAD_SIZE_SIZE);
    at[0] = 0x80;
    for (size_t i = 0; i < sizeof value; i++)
        at[HEAD_SIZE_SIZE - 1 - i] = (uint8_t)(value >> 8 * i);
}

/* A name that is too long for its field is cut at a slash: what is before it is the prefix. */
static void put_name(uint8_t *block, const char *name)
{
    size_t size = strlen(name), cut = 0;

    if (size > HEAD_NAME_SIZE)
        for (size_t i = size - HEAD_NAME_SIZE - 1; cut == 0; i++)
            cut = name[i] == '/' ? i : 0;
    if (cut > 0) {
        assert(cut <= HEAD_PREFIX_SIZE);
        memcpy(block + HEAD_PREFIX, name, cut);
        cut++;
    }
    memcpy(block + HEAD_NAME, name + cut, size - cut);
}

void sw_archive_head_put(const struct sw_archive_entry *entry,
                         uint8_t ret_block[SW_ARCHIVE_BLOCK_BYTES])
{
    uint32_t sum = 0;

    assert(sw_archive_name_is_valid(entry->name) || strcmp(entry->name, SW_ARCHIVE_MANIFEST) == 0);
    memset(ret_block, 0, SW_ARCHIVE_BLOCK_BYTES);
    put_name(ret_block, entry->name);
    put_octal(ret_block + HEAD_MODE, HEAD_ID_SIZE, 0600);
    put_octal(ret_block + HEAD_UID, HEAD_ID_SIZE, 0);
    put_octal(ret_block + HEAD_GID, HEAD_ID_SIZE, 0);
    put_size(ret_block + HEAD_SIZE, entry->size_bytes);
    put_octal(ret_block + HEAD_TIME, HEAD_SIZE_SIZE, entry->utc_s & OCTAL_SIZE_MAX);
    ret_block[HEAD_TYPE] = '0';
    memcpy(ret_block + HEAD_MAGIC, "ustar\00000", HEAD_MAGIC_SIZE);
    memset(ret_block + HEAD_CHECK, ' ', HEAD_CHECK_SIZE);
    for (size_t i = 0; i < SW_ARCHIVE_BLOCK_BYTES; i++)
        sum += ret_block[i];
    put_octal(ret_block + HEAD_CHECK, HEAD_CHECK_SIZE - 1, sum);
}

size_t sw_archive_padding(uint64_t size_bytes)
{
    return (size_t)(-size_bytes % SW_ARCHIVE_BLOCK_BYTES);
}

uint64_t sw_archive_entry_bytes(uint64_t size_bytes)
{
    return SW_ARCHIVE_BLOCK_BYTES + size_bytes + sw_archive_padding(size_bytes);
}
