#include "pkg/agent/store/recast.h"

#include <stdio.h>
#include <stdlib.h>

#define CHUNK_BYTES ((size_t)1 << 20)

static void path_in(const char *folder, const char *name, char ret_path[SW_PATH_MAX])
{
    (void)snprintf(ret_path, SW_PATH_MAX, "%s/%s", folder, name);
}

void sw_recast_mark(const struct sw_system *system, const char *folder)
{
    char path[SW_PATH_MAX];
    int file;

    path_in(folder, "suspect", path);
    if (system->file_open(system->ctx, path, SW_FILE_WRITE | SW_FILE_CREATE, &file, NULL) == SW_OK)
        system->file_close(system->ctx, file);
}

bool sw_recast_is_marked(const struct sw_system *system, const char *folder)
{
    struct sw_file_view view;
    char path[SW_PATH_MAX];

    path_in(folder, "suspect", path);
    return system->path_view(system->ctx, path, &view, NULL) == SW_OK;
}

static enum sw_rc copy(const struct sw_recast *recast, int from, int to, struct sw_err *err)
{
    const struct sw_system *system = recast->system;
    uint8_t *chunk = malloc(CHUNK_BYTES);
    enum sw_rc rc = SW_OK;

    if (chunk == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory to copy a segment of the journal");
    for (uint64_t at = 0; rc == SW_OK && at < recast->end_bytes;) {
        size_t left =
            recast->end_bytes - at < CHUNK_BYTES ? (size_t)(recast->end_bytes - at) : CHUNK_BYTES;
        size_t got = 0;

        rc = system->file_read(system->ctx, from, at, chunk, left, &got, err);
        if (rc == SW_OK && got < left)
            rc = sw_err_set(err, SW_E_CORRUPT, "journal %s: its last segment shrank",
                            recast->folder);
        if (rc == SW_OK)
            rc = system->file_write(system->ctx, to, at, chunk, left, err);
        at += left;
    }
    free(chunk);
    return rc;
}

enum sw_rc sw_recast_segment(const struct sw_recast *recast, struct sw_segment *segment,
                             struct sw_err *err)
{
    const struct sw_system *system = recast->system;
    char path[SW_PATH_MAX], fresh[SW_PATH_MAX], mark[SW_PATH_MAX];
    enum sw_rc rc;
    int file;

    sw_segment_path(recast->folder, segment->base_lsn, path);
    path_in(recast->folder, "recast", fresh);
    path_in(recast->folder, "suspect", mark);
    rc = system->file_open(system->ctx, fresh,
                           SW_FILE_READ | SW_FILE_WRITE | SW_FILE_CREATE | SW_FILE_TRUNCATE, &file,
                           err);
    if (rc != SW_OK)
        return rc;
    rc = copy(recast, segment->file, file, err);
    if (rc == SW_OK)
        rc = system->file_sync(system->ctx, file, err);
    if (rc == SW_OK)
        rc = system->path_rename(system->ctx, fresh, path, err);
    if (rc == SW_OK)
        rc = system->folder_sync(system->ctx, recast->folder, err);
    if (rc != SW_OK) {
        system->file_close(system->ctx, file);
        return rc;
    }
    system->file_close(system->ctx, segment->file);
    segment->file = file;
    return system->path_remove(system->ctx, mark, err);
}
