#include <stdio.h>
#include <stdlib.h>

#include "pkg/store/sqlite/state.h"

#define CHUNK_BYTES ((size_t)1 << 20)
#define SIDE_PATH_MAX (SW_PATH_MAX + 16)

/* By reading and writing: a copy that shares blocks would have what the disk has. */
static enum sw_rc copy(const struct sw_system *system, int from, int to, struct sw_err *err)
{
    uint8_t *chunk = malloc(CHUNK_BYTES);
    size_t got = CHUNK_BYTES;
    enum sw_rc rc = SW_OK;

    if (chunk == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory to copy the store's log");
    for (uint64_t at = 0; rc == SW_OK && got == CHUNK_BYTES; at += got) {
        rc = system->file_read(system->ctx, from, at, chunk, CHUNK_BYTES, &got, err);
        if (rc == SW_OK && got > 0)
            rc = system->file_write(system->ctx, to, at, chunk, got, err);
    }
    free(chunk);
    return rc;
}

static enum sw_rc copy_path(const struct sw_system *system, const char *from, const char *to,
                            struct sw_err *err)
{
    int in, out;
    enum sw_rc rc = system->file_open(system->ctx, from, SW_FILE_READ, &in, err);

    if (rc != SW_OK)
        return rc;
    rc = system->file_open(system->ctx, to, SW_FILE_WRITE | SW_FILE_CREATE | SW_FILE_TRUNCATE, &out,
                           err);
    if (rc == SW_OK) {
        rc = copy(system, in, out, err);
        if (rc == SW_OK)
            rc = system->file_sync(system->ctx, out, err);
        system->file_close(system->ctx, out);
    }
    system->file_close(system->ctx, in);
    return rc;
}

static void side_path(char ret_path[SIDE_PATH_MAX], const char *path, const char *suffix)
{
    (void)snprintf(ret_path, SIDE_PATH_MAX, "%s%s", path, suffix);
}

void sw_sqlite_mark_suspect(const struct sw_system *system, const char *path)
{
    char mark[SIDE_PATH_MAX];
    int file;

    side_path(mark, path, "-suspect");
    if (system->file_open(system->ctx, mark, SW_FILE_WRITE | SW_FILE_CREATE, &file, NULL) == SW_OK)
        system->file_close(system->ctx, file);
}

enum sw_rc sw_sqlite_renew_suspect(const struct sw_system *system, const char *path,
                                   struct sw_err *err)
{
    char log[SIDE_PATH_MAX], fresh[SIDE_PATH_MAX], mark[SIDE_PATH_MAX];
    struct sw_file_view view;
    struct sw_err absent = {0};
    enum sw_rc rc = SW_OK;

    side_path(log, path, "-wal");
    side_path(fresh, path, "-wal.new");
    side_path(mark, path, "-suspect");
    if (system->path_view(system->ctx, mark, &view, &absent) != SW_OK)
        return SW_OK;
    if (system->path_view(system->ctx, log, &view, &absent) == SW_OK) {
        rc = copy_path(system, log, fresh, err);
        if (rc == SW_OK)
            rc = system->path_rename(system->ctx, fresh, log, err);
        if (rc == SW_OK)
            rc = sw_sqlite_sync_parent(system, path, err);
    }
    return rc == SW_OK ? system->path_remove(system->ctx, mark, err)
                       : sw_err_context(err, "%s", log);
}
