/* The bytes of the archive, in order: heads, files, the manifest, the end. */
#include "pkg/backup/state.h"

static void close_present(struct sw_backup *backup)
{
    if (backup->file >= 0)
        backup->system->file_close(backup->system->ctx, backup->file);
    backup->file = -1;
}

void sw_backup_read_done(struct sw_backup *backup)
{
    close_present(backup);
    sw_buffer_done(&backup->head);
    sw_sha256_free(backup->digest);
}

static void put_zeros(struct sw_buffer *out, size_t size)
{
    static const uint8_t zeros[SW_ARCHIVE_END_BYTES];

    sw_buffer_put(out, zeros, size);
}

static void put_head(struct sw_backup *backup, const char *name, uint64_t size_bytes)
{
    const struct sw_archive_entry entry = {.name = name,
                                           .size_bytes = size_bytes,
                                           .utc_s = backup->manifest.utc_ns / UINT64_C(1000000000)};
    uint8_t block[SW_ARCHIVE_BLOCK_BYTES];

    sw_archive_head_put(&entry, block);
    sw_buffer_put(&backup->head, block, sizeof block);
}

/* The manifest and the end of the archive, all at once. */
static enum sw_rc begin_manifest(struct sw_backup *backup, struct sw_err *err)
{
    struct sw_buffer text;

    sw_buffer_init(&text, SW_MANIFEST_BYTES_MAX);
    sw_manifest_put(&backup->manifest, &text);
    if (!text.failed) {
        put_head(backup, SW_ARCHIVE_MANIFEST, text.size);
        sw_buffer_put(&backup->head, text.data, text.size);
        put_zeros(&backup->head, sw_archive_padding(text.size));
        put_zeros(&backup->head, SW_ARCHIVE_END_BYTES);
    }
    backup->head.failed |= text.failed;
    sw_buffer_done(&text);
    backup->at++;
    return backup->head.failed
               ? sw_err_set(err, SW_E_EXHAUSTED, "no memory for the manifest of a backup")
               : SW_OK;
}

static enum sw_rc begin_file(struct sw_backup *backup, struct sw_err *err)
{
    const struct sw_manifest_file *file = &backup->manifest.files[backup->at];
    char path[SW_PATH_MAX];
    enum sw_rc rc = SW_OK;

    put_head(backup, file->name, file->size_bytes);
    backup->offset = 0;
    backup->is_begun = true;
    if (backup->items[backup->at].kind != SW_ITEM_PATH)
        return SW_OK;
    rc = sw_backup_path(backup, file->name, path, err);
    return rc == SW_OK ? backup->system->file_open(backup->system->ctx, path, SW_FILE_READ,
                                                   &backup->file, err)
                       : rc;
}

static void end_file(struct sw_backup *backup)
{
    struct sw_manifest_file *file = &backup->manifest.files[backup->at];

    sw_sha256_finish(backup->digest, file->digest);
    put_zeros(&backup->head, sw_archive_padding(file->size_bytes));
    close_present(backup);
    backup->is_begun = false;
    backup->at++;
}

static enum sw_rc read_file(struct sw_backup *backup, uint8_t *bytes, size_t size,
                            struct sw_err *err)
{
    const struct sw_item *item = &backup->items[backup->at];
    size_t got = 0;
    enum sw_rc rc;

    if (item->kind == SW_ITEM_BYTES) {
        memcpy(bytes, item->bytes + backup->offset, size);
        return SW_OK;
    }
    rc = backup->system->file_read(backup->system->ctx,
                                   item->kind == SW_ITEM_HELD ? item->file : backup->file,
                                   backup->offset, bytes, size, &got, err);
    if (rc == SW_OK && got < size)
        rc = sw_err_set(err, SW_E_CORRUPT, "%s became shorter while it was copied",
                        backup->manifest.files[backup->at].name);
    return rc;
}

/* One step: what waits of heads, or bytes of a file. *ret_size 0: nothing is left. */
static enum sw_rc step(struct sw_backup *backup, uint8_t *bytes, size_t size, size_t *ret_size,
                       struct sw_err *err)
{
    const struct sw_manifest *manifest = &backup->manifest;
    size_t waiting = backup->head.size - backup->head_sent;
    uint64_t left;
    enum sw_rc rc;

    *ret_size = 0;
    if (waiting > 0) {
        *ret_size = waiting < size ? waiting : size;
        memcpy(bytes, backup->head.data + backup->head_sent, *ret_size);
        backup->head_sent += *ret_size;
        return SW_OK;
    }
    sw_buffer_reset(&backup->head);
    backup->head_sent = 0;
    left = manifest->files[backup->at].size_bytes - backup->offset;
    *ret_size = left < size ? (size_t)left : size;
    if (*ret_size > 0) {
        rc = read_file(backup, bytes, *ret_size, err);
        if (rc != SW_OK)
            return rc;
        sw_sha256_add(backup->digest, bytes, *ret_size);
        backup->offset += *ret_size;
    }
    if (left == *ret_size)
        end_file(backup);
    return SW_OK;
}

/* Have the next head wait, if the present file is over.  False: so is the archive. */
static enum sw_rc begin_next(struct sw_backup *backup, bool *ret_has_more, struct sw_err *err)
{
    size_t count = backup->manifest.files_count;
    bool is_waiting = backup->head.size > backup->head_sent;
    enum sw_rc rc = SW_OK;

    if (!is_waiting && !backup->is_begun && backup->at <= count) {
        sw_buffer_reset(&backup->head);
        backup->head_sent = 0;
        rc = backup->at == count ? begin_manifest(backup, err) : begin_file(backup, err);
        is_waiting = true;
    }
    *ret_has_more = is_waiting || backup->is_begun;
    return rc;
}

enum sw_rc sw_backup_read(struct sw_backup *backup, uint8_t *ret_bytes, size_t size,
                          size_t *ret_size, struct sw_err *err)
{
    bool has_more = true;
    enum sw_rc rc = SW_OK;

    for (*ret_size = 0; rc == SW_OK && *ret_size < size;) {
        size_t got = 0;

        rc = begin_next(backup, &has_more, err);
        if (rc != SW_OK || !has_more)
            break;
        rc = step(backup, ret_bytes + *ret_size, size - *ret_size, &got, err);
        *ret_size += got;
    }
    return rc;
}
