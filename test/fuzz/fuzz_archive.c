/* The file of a backup, and its manifest. */
/* uses: pkg/backup/archive */
/* covers: pkg/backup/archive/reader.c pkg/backup/archive/manifest.c pkg/backup/archive/names.c */
#include "pkg/backup/archive/names.h"
#include "pkg/backup/archive/reader.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct heard {
    uint64_t left; /* Of the present file. */
    bool is_open;
};

static enum sw_rc on_begin(void *ctx, const char *name, uint64_t size_bytes, struct sw_err *err)
{
    struct heard *heard = ctx;

    (void)err;
    if (heard->is_open || !sw_archive_name_is_valid(name) || name[0] == '/' ||
        strstr(name, "..") != NULL)
        abort();
    heard->is_open = true;
    heard->left = size_bytes;
    return SW_OK;
}

static enum sw_rc on_bytes(void *ctx, struct sw_bytes bytes, struct sw_err *err)
{
    struct heard *heard = ctx;

    (void)err;
    if (!heard->is_open || bytes.size > heard->left)
        abort();
    heard->left -= bytes.size;
    return SW_OK;
}

static enum sw_rc on_end(void *ctx, struct sw_err *err)
{
    struct heard *heard = ctx;

    (void)err;
    if (!heard->is_open || heard->left != 0)
        abort();
    heard->is_open = false;
    return SW_OK;
}

/* What is taken is written as it was. */
static void try_manifest(struct sw_bytes text)
{
    struct sw_arena *arena = sw_arena_new(1u << 20);
    struct sw_manifest manifest;
    struct sw_buffer again;
    struct sw_err err = {0};

    sw_buffer_init(&again, text.size + 1);
    if (sw_manifest_take(text, arena, &manifest, &err) == SW_OK) {
        sw_manifest_put(&manifest, &again);
        if (again.failed || again.size != sw_manifest_bytes(&manifest) || again.size != text.size ||
            memcmp(again.data, text.data, text.size) != 0)
            abort();
    } else if (err.message[0] == '\0') {
        abort();
    }
    sw_buffer_done(&again);
    sw_arena_free(arena);
}

static void try_archive(struct sw_bytes bytes, size_t piece)
{
    struct heard heard = {.left = 0};
    const struct sw_archive_sink sink = {&heard, on_begin, on_bytes, on_end};
    const struct sw_manifest *manifest = NULL;
    struct sw_archive_reader *reader = NULL;
    struct sw_err err = {0};
    enum sw_rc rc = sw_archive_reader_new(&sink, &reader, &err);

    for (size_t at = 0; rc == SW_OK && at < bytes.size; at += piece) {
        size_t size = bytes.size - at < piece ? bytes.size - at : piece;

        rc = sw_archive_reader_feed(
            reader, (struct sw_bytes){(const uint8_t *)bytes.data + at, size}, &err);
    }
    if (rc == SW_OK)
        rc = sw_archive_reader_finish(reader, &manifest, &err);
    if (rc == SW_OK ? heard.is_open || manifest->files_count == SIZE_MAX : err.message[0] == '\0')
        abort();
    sw_archive_reader_free(reader);
}

/* 'M': a manifest. Otherwise the first byte is the size of the pieces that an archive comes in. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    if (data[0] == 'M')
        try_manifest((struct sw_bytes){data + 1, size - 1});
    else
        try_archive((struct sw_bytes){data + 1, size - 1}, 1 + (size_t)data[0] * 13);
    return 0;
}
