#include "pkg/utils/system/system.h"

#include <stdio.h>
#include <string.h>

#define LOAD_PART_BYTES ((size_t)64 * 1024)

/* How much to read next: what the caller allows and the buffer has room for, a part at a time. */
static size_t next_part(const struct sw_buffer *out, size_t room)
{
    size_t free_bytes = out->size_max > out->size ? out->size_max - out->size : 0;
    size_t part = room < LOAD_PART_BYTES ? room : LOAD_PART_BYTES;

    return part < free_bytes ? part : free_bytes;
}

/* Read to the end in parts. The size that stat tells is not trusted: the file may grow meanwhile,
 * and files under /proc claim 0. */
static enum sw_rc load_open(const struct sw_system *system, int file, size_t size_max,
                            struct sw_buffer *out, struct sw_err *err)
{
    size_t done = 0;
    uint8_t beyond; /* At a limit one byte more is asked for, which must not be there. */

    for (;;) {
        size_t part = next_part(out, size_max - done);
        uint8_t *bytes = part == 0 ? &beyond : sw_buffer_reserve(out, part);
        size_t got = 0;
        if (bytes == NULL)
            return sw_err_set(err, SW_E_EXHAUSTED, "no memory for the file");
        enum sw_rc rc =
            system->file_read(system->ctx, file, done, bytes, part == 0 ? 1 : part, &got, err);
        if (rc != SW_OK)
            return rc;
        if (got > part && done == size_max)
            return sw_err_set(err, SW_E_RANGE, "larger than %zu bytes", size_max);
        if (got > part)
            return sw_err_set(err, SW_E_EXHAUSTED, "no room for the file");
        out->size += got;
        done += got;
        if (got < part || part == 0)
            return SW_OK;
    }
}

enum sw_rc sw_file_load(const struct sw_system *system, const char *path, size_t size_max,
                        struct sw_buffer *out, struct sw_err *err)
{
    size_t before = out->size;
    int file = -1;
    enum sw_rc rc = system->file_open(system->ctx, path, SW_FILE_READ, &file, err);

    if (rc != SW_OK)
        return rc;
    rc = load_open(system, file, size_max, out, err);
    system->file_close(system->ctx, file);
    if (rc == SW_OK)
        return SW_OK;
    out->size = before;
    (void)sw_err_context(err, "%s", path);
    return rc;
}

/* The folder that holds path: "." for a bare name, "/" at the root. */
static void folder_of(const char *path, char ret_folder[SW_PATH_MAX])
{
    const char *slash = strrchr(path, '/');
    size_t size = slash == NULL ? 0 : (size_t)(slash - path);

    if (slash == NULL)
        memcpy(ret_folder, ".", 2);
    else if (size == 0)
        memcpy(ret_folder, "/", 2);
    else
        (void)snprintf(ret_folder, SW_PATH_MAX, "%.*s", (int)size, path);
}

static enum sw_rc write_new(const struct sw_system *system, const char *path, struct sw_bytes bytes,
                            struct sw_err *err)
{
    int file = -1;
    enum sw_rc rc = system->file_open(
        system->ctx, path, SW_FILE_WRITE | SW_FILE_CREATE | SW_FILE_EXCLUSIVE, &file, err);

    if (rc != SW_OK)
        return rc;
    rc = system->file_write(system->ctx, file, 0, bytes.data, bytes.size, err);
    if (rc == SW_OK)
        rc = system->file_sync(system->ctx, file, err);
    system->file_close(system->ctx, file);
    if (rc != SW_OK)
        (void)system->path_remove(system->ctx, path, NULL);
    return rc;
}

enum sw_rc sw_file_save(const struct sw_system *system, const char *path, const void *bytes,
                        size_t size_bytes, struct sw_err *err)
{
    char folder[SW_PATH_MAX];
    char neighbour[SW_PATH_MAX];
    uint8_t salt[6];
    enum sw_rc rc;

    /* A random name: two writers of one path do not meet, and a left-over of a crash is no
     * obstacle. */
    system->random(system->ctx, salt, sizeof salt);
    int size = snprintf(neighbour, sizeof neighbour, "%s.%02x%02x%02x%02x%02x%02x.new", path,
                        salt[0], salt[1], salt[2], salt[3], salt[4], salt[5]);
    if (size < 0 || (size_t)size >= sizeof neighbour)
        return sw_err_set(err, SW_E_INVALID, "save: the path is too long");
    folder_of(path, folder);

    rc = write_new(system, neighbour, (struct sw_bytes){bytes, size_bytes}, err);
    if (rc == SW_OK) {
        rc = system->path_rename(system->ctx, neighbour, path, err);
        if (rc != SW_OK)
            (void)system->path_remove(system->ctx, neighbour, NULL);
    }
    if (rc == SW_OK)
        rc = system->folder_sync(system->ctx, folder, err);
    if (rc != SW_OK)
        (void)sw_err_context(err, "save %s", path);
    return rc;
}
