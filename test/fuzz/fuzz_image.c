/* uses: pkg/agent/image */
/* covers: pkg/agent/image/untar.c pkg/agent/image/manifest.c */
#include "pkg/agent/image/manifest.h"
#include "pkg/agent/image/untar.h"

#include <stdlib.h>
#include <string.h>

#define BYTES_MAX 100000u
#define FILES_MAX 100u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct told {
    uint64_t bytes, wanted, files;
    bool is_open;
};

static enum sw_rc on_entry(void *ctx, const struct sw_untar_entry *entry, struct sw_err *err)
{
    struct told *told = ctx;

    (void)err;
    told->wanted += entry->size_bytes;
    if (told->is_open || ++told->files > FILES_MAX || told->wanted > BYTES_MAX ||
        entry->path[0] == '/' || entry->path[0] == '\0' || strstr(entry->path, "..") == entry->path)
        abort();
    told->is_open = !entry->is_folder;
    return SW_OK;
}

static enum sw_rc on_data(void *ctx, struct sw_bytes bytes, struct sw_err *err)
{
    struct told *told = ctx;

    (void)err;
    told->bytes += bytes.size;
    if (!told->is_open || told->bytes > told->wanted)
        abort();
    return SW_OK;
}

static enum sw_rc on_end(void *ctx, struct sw_err *err)
{
    struct told *told = ctx;

    (void)err;
    if (!told->is_open || told->bytes != told->wanted)
        abort();
    told->is_open = false;
    return SW_OK;
}

/* An archive comes in pieces, and means the same in one. */
static uint64_t unpack(const uint8_t *data, size_t size, size_t piece, enum sw_rc *ret_rc)
{
    struct told told = {0};
    const struct sw_untar_options options = {.bytes_max = BYTES_MAX,
                                             .files_max = FILES_MAX,
                                             .ctx = &told,
                                             .entry = on_entry,
                                             .data = on_data,
                                             .end = on_end};
    static struct sw_untar untar;
    struct sw_err err = {0};

    sw_untar_init(&untar, &options);
    *ret_rc = SW_OK;
    for (size_t at = 0; *ret_rc == SW_OK && at < size; at += piece) {
        size_t left = size - at < piece ? size - at : piece;

        *ret_rc = sw_untar_add(&untar, (struct sw_bytes){data + at, left}, &err);
    }
    if (*ret_rc == SW_OK)
        *ret_rc = sw_untar_finish(&untar, &err);
    return told.bytes;
}

static void read_manifest(struct sw_bytes text)
{
    SW_CLEANUP(sw_arena_freep) struct sw_arena *arena = sw_arena_new((size_t)1 << 20);
    struct sw_manifest manifest;
    struct sw_err err = {0};

    if (arena != NULL && sw_manifest_read(text, arena, &manifest, &err) == SW_OK &&
        (manifest.image == NULL || manifest.command[0] == NULL || manifest.deadline_ms == 0 ||
         manifest.memory_bytes > SW_MANIFEST_MEMORY_MAX))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum sw_rc whole, pieces;

    if (unpack(data, size, size + 1, &whole) != unpack(data, size, 61, &pieces) || whole != pieces)
        abort();
    read_manifest((struct sw_bytes){data, size});
    return 0;
}
