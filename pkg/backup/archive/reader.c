#include "pkg/backup/archive/reader.h"

#include "pkg/backup/archive/blocks.h"
#include "pkg/backup/archive/names.h"
#include "pkg/backup/archive/writer.h"
#include "pkg/security/crypto/digest.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum state {
    HEAD,    /* `block` fills with the head of an entry, or with zeros. */
    BYTES,   /* `left` bytes of an entry come, */
    PADDING, /* then so many zeros. */
    FINISHED /* The two zero blocks came: nothing may follow. */
};

struct sw_archive_reader {
    struct sw_archive_sink sink;
    struct sw_arena *arena;
    struct sw_sha256 *digest; /* Of the present file. */
    struct sw_manifest_file *files;
    size_t files_count, files_room;
    struct sw_buffer text; /* Of the manifest. */
    struct sw_manifest manifest;
    enum state state;
    bool is_manifest, has_manifest;
    unsigned zero_blocks;
    size_t filled; /* Of block. */
    uint64_t left, fed;
    enum sw_rc failure;
    uint8_t block[SW_ARCHIVE_BLOCK_BYTES];
};

enum sw_rc sw_archive_reader_new(const struct sw_archive_sink *sink,
                                 struct sw_archive_reader **ret_reader, struct sw_err *err)
{
    SW_CLEANUP(sw_archive_reader_freep)
    struct sw_archive_reader *reader = calloc(1, sizeof *reader);

    if (reader == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory to read a backup");
    sw_buffer_init(&reader->text, SW_MANIFEST_BYTES_MAX);
    reader->arena = sw_arena_new(SW_MANIFEST_ARENA_MAX);
    reader->digest = sw_sha256_new();
    if (reader->arena == NULL || reader->digest == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory to read a backup");
    if (sink != NULL)
        reader->sink = *sink;
    *ret_reader = SW_TAKE(reader);
    return SW_OK;
}

void sw_archive_reader_free(struct sw_archive_reader *reader)
{
    if (reader == NULL)
        return;
    sw_buffer_done(&reader->text);
    sw_arena_free(reader->arena);
    sw_sha256_free(reader->digest);
    free(reader->files);
    free(reader);
}

static enum sw_rc corrupt(const struct sw_archive_reader *reader, const char *what,
                          struct sw_err *err)
{
    (void)sw_err_set(err, SW_E_CORRUPT, "the backup is damaged at byte %" PRIu64 ": %s",
                     reader->fed, what);
    sw_err_hint(err, "fetch it again, or use another one");
    return SW_E_CORRUPT;
}

/* --- Heads ----------------------------------------------------------------------------------- */

/* Digits up to a NUL or a space; only what the writer writes.  False: another form. */
static bool take_octal(const uint8_t *at, size_t size, uint64_t *ret_value)
{
    uint64_t value = 0;

    for (size_t i = 0; i + 1 < size; i++) {
        if (at[i] < '0' || at[i] > '7')
            return false;
        value = value * 8 + (uint64_t)(at[i] - '0');
    }
    *ret_value = value;
    return at[size - 1] == '\0';
}

static bool take_size(const uint8_t *at, uint64_t *ret_value)
{
    uint64_t value = 0;

    if (at[0] != 0x80)
        return take_octal(at, HEAD_SIZE_SIZE, ret_value);
    for (size_t i = 1; i < HEAD_SIZE_SIZE - sizeof value; i++)
        if (at[i] != 0)
            return false;
    for (size_t i = HEAD_SIZE_SIZE - sizeof value; i < HEAD_SIZE_SIZE; i++)
        value = value << 8 | at[i];
    *ret_value = value;
    return value > OCTAL_SIZE_MAX && value <= INT64_MAX;
}

static bool is_sum_right(const uint8_t *block)
{
    uint64_t sum = 0, said;

    for (size_t i = 0; i < SW_ARCHIVE_BLOCK_BYTES; i++)
        sum += i >= HEAD_CHECK && i < HEAD_CHECK + HEAD_CHECK_SIZE ? ' ' : block[i];
    return take_octal(block + HEAD_CHECK, HEAD_CHECK_SIZE - 1, &said) && said == sum &&
           block[HEAD_CHECK + HEAD_CHECK_SIZE - 1] == ' ';
}

/* PREFIX/NAME.  False: they are longer than a name may be. */
static bool take_name(const uint8_t *block, char ret_name[SW_ARCHIVE_NAME_MAX + 1])
{
    int prefix = (int)strnlen((const char *)block + HEAD_PREFIX, HEAD_PREFIX_SIZE);
    int name = (int)strnlen((const char *)block + HEAD_NAME, HEAD_NAME_SIZE);

    return snprintf(ret_name, SW_ARCHIVE_NAME_MAX + 1, "%.*s%s%.*s", prefix,
                    (const char *)block + HEAD_PREFIX, prefix > 0 ? "/" : "", name,
                    (const char *)block + HEAD_NAME) <= (int)SW_ARCHIVE_NAME_MAX;
}

static enum sw_rc add_file(struct sw_archive_reader *reader, const char *name, uint64_t size_bytes,
                           struct sw_err *err)
{
    struct sw_manifest_file *grown = reader->files;
    size_t room = reader->files_room == 0 ? 64 : 2 * reader->files_room;

    if (reader->files_count == SW_MANIFEST_FILES_MAX)
        return corrupt(reader, "more files than a backup can have", err);
    if (reader->files_count == reader->files_room) {
        grown = realloc(reader->files, room * sizeof *grown);
        if (grown == NULL)
            return sw_err_set(err, SW_E_EXHAUSTED, "no memory to read a backup");
        reader->files = grown;
        reader->files_room = room;
    }
    grown[reader->files_count] = (struct sw_manifest_file){
        .name = sw_arena_copy(reader->arena, name, strlen(name)), .size_bytes = size_bytes};
    if (grown[reader->files_count].name == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory to read a backup");
    reader->files_count++;
    return SW_OK;
}

static bool is_zero(const uint8_t *block)
{
    for (size_t i = 0; i < SW_ARCHIVE_BLOCK_BYTES; i++)
        if (block[i] != 0)
            return false;
    return true;
}

static enum sw_rc end_entry(struct sw_archive_reader *reader, struct sw_err *err);

static enum sw_rc begin_entry(struct sw_archive_reader *reader, struct sw_err *err)
{
    char name[SW_ARCHIVE_NAME_MAX + 1];
    uint64_t size;
    enum sw_rc rc = SW_OK;

    if (memcmp(reader->block + HEAD_MAGIC, "ustar\00000", HEAD_MAGIC_SIZE) != 0 ||
        !is_sum_right(reader->block))
        return corrupt(reader,
                       reader->fed <= SW_ARCHIVE_BLOCK_BYTES ? "this is no backup of Swarm"
                                                             : "no head of a file",
                       err);
    if (reader->has_manifest)
        return corrupt(reader, "a file behind the manifest", err);
    if (reader->block[HEAD_TYPE] != '0' || !take_name(reader->block, name) ||
        !take_size(reader->block + HEAD_SIZE, &size))
        return corrupt(reader, "a file of a kind that no backup has", err);
    reader->is_manifest = strcmp(name, SW_ARCHIVE_MANIFEST) == 0;
    if (!reader->is_manifest && !sw_archive_name_is_valid(name))
        return corrupt(reader, "a file with a name that no backup has", err);
    if (reader->is_manifest && size > SW_MANIFEST_BYTES_MAX)
        return corrupt(reader, "a manifest larger than there can be", err);
    if (!reader->is_manifest)
        rc = add_file(reader, name, size, err);
    if (rc == SW_OK && !reader->is_manifest && reader->sink.begin != NULL)
        rc = reader->sink.begin(reader->sink.ctx, name, size, err);
    reader->left = size;
    reader->state = BYTES;
    return rc == SW_OK && size == 0 ? end_entry(reader, err) : rc;
}

static enum sw_rc take_block(struct sw_archive_reader *reader, struct sw_err *err)
{
    if (!is_zero(reader->block))
        return reader->zero_blocks > 0 ? corrupt(reader, "something behind its end", err)
                                       : begin_entry(reader, err);
    if (!reader->has_manifest)
        return corrupt(reader, "it ends without a manifest", err);
    if (++reader->zero_blocks == SW_ARCHIVE_END_BYTES / SW_ARCHIVE_BLOCK_BYTES)
        reader->state = FINISHED;
    return SW_OK;
}

/* --- Bytes ----------------------------------------------------------------------------------- */

static enum sw_rc end_entry(struct sw_archive_reader *reader, struct sw_err *err)
{
    struct sw_manifest_file *file =
        reader->is_manifest ? NULL : &reader->files[reader->files_count - 1];
    uint64_t size = file == NULL ? reader->text.size : file->size_bytes;

    reader->left = sw_archive_padding(size);
    reader->state = reader->left > 0 ? PADDING : HEAD;
    reader->has_manifest = file == NULL;
    if (file == NULL)
        return SW_OK;
    sw_sha256_finish(reader->digest, file->digest);
    return reader->sink.end == NULL ? SW_OK : reader->sink.end(reader->sink.ctx, err);
}

static enum sw_rc take_bytes(struct sw_archive_reader *reader, struct sw_bytes bytes,
                             struct sw_err *err)
{
    enum sw_rc rc = SW_OK;

    if (reader->is_manifest) {
        sw_buffer_put(&reader->text, bytes.data, bytes.size);
        if (reader->text.failed)
            rc = sw_err_set(err, SW_E_EXHAUSTED, "no memory for the backup's manifest");
    } else {
        sw_sha256_add(reader->digest, bytes.data, bytes.size);
        if (reader->sink.bytes != NULL)
            rc = reader->sink.bytes(reader->sink.ctx, bytes, err);
    }
    reader->left -= bytes.size;
    return rc == SW_OK && reader->left == 0 ? end_entry(reader, err) : rc;
}

static enum sw_rc take_padding(struct sw_archive_reader *reader, struct sw_bytes bytes,
                               struct sw_err *err)
{
    const uint8_t *at = bytes.data;

    for (size_t i = 0; i < bytes.size; i++)
        if (at[i] != 0)
            return corrupt(reader, "bytes between two files", err);
    reader->left -= bytes.size;
    reader->state = reader->left == 0 ? HEAD : PADDING;
    return SW_OK;
}

/* Take what the present state can, and say how much that was. */
static enum sw_rc take_some(struct sw_archive_reader *reader, struct sw_bytes bytes,
                            size_t *ret_size, struct sw_err *err)
{
    size_t wanted = reader->state == HEAD       ? sizeof reader->block - reader->filled
                    : reader->left < bytes.size ? (size_t)reader->left
                                                : bytes.size;

    if (reader->state == FINISHED)
        return corrupt(reader, "something behind its end", err);
    bytes.size = wanted < bytes.size ? wanted : bytes.size;
    *ret_size = bytes.size;
    reader->fed += bytes.size;
    if (reader->state == BYTES)
        return take_bytes(reader, bytes, err);
    if (reader->state == PADDING)
        return take_padding(reader, bytes, err);
    memcpy(reader->block + reader->filled, bytes.data, bytes.size);
    reader->filled += bytes.size;
    if (reader->filled < sizeof reader->block)
        return SW_OK;
    reader->filled = 0;
    return take_block(reader, err);
}

enum sw_rc sw_archive_reader_feed(struct sw_archive_reader *reader, struct sw_bytes bytes,
                                  struct sw_err *err)
{
    size_t size = 0;

    while (reader->failure == SW_OK && bytes.size > 0) {
        reader->failure = take_some(reader, bytes, &size, err);
        bytes.data = (const uint8_t *)bytes.data + size;
        bytes.size -= size;
    }
    return reader->failure;
}

/* --- The end --------------------------------------------------------------------------------- */

static enum sw_rc compare(const struct sw_archive_reader *reader, struct sw_err *err)
{
    const struct sw_manifest *manifest = &reader->manifest;

    for (size_t i = 0; i < manifest->files_count && i < reader->files_count; i++) {
        const struct sw_manifest_file *came = &reader->files[i], *said = &manifest->files[i];

        if (strcmp(came->name, said->name) == 0 && came->size_bytes == said->size_bytes &&
            memcmp(came->digest, said->digest, sizeof came->digest) == 0)
            continue;
        (void)sw_err_set(err, SW_E_CORRUPT,
                         "the backup is damaged: its file %s is not what the "
                         "manifest says",
                         came->name);
        sw_err_hint(err, "fetch it again, or use another one");
        return SW_E_CORRUPT;
    }
    return manifest->files_count == reader->files_count
               ? SW_OK
               : corrupt(reader, "it has not the files that its manifest says", err);
}

enum sw_rc sw_archive_reader_finish(struct sw_archive_reader *reader,
                                    const struct sw_manifest **ret_manifest, struct sw_err *err)
{
    enum sw_rc rc = reader->failure;

    if (rc == SW_OK && reader->state != FINISHED)
        rc = corrupt(reader, "it is cut short", err);
    if (rc == SW_OK)
        rc = sw_manifest_take((struct sw_bytes){reader->text.data, reader->text.size},
                              reader->arena, &reader->manifest, err);
    if (rc == SW_OK)
        rc = compare(reader, err);
    if (rc == SW_OK)
        *ret_manifest = &reader->manifest;
    return rc;
}

uint64_t sw_archive_reader_bytes(const struct sw_archive_reader *reader)
{
    return reader->fed;
}
