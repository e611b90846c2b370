#include "pkg/backup/unpack.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ENGINES_PREFIX "engines/"

struct sw_unpack {
    const struct sw_system *system;
    struct sw_archive_reader *reader;
    int file; /* That is being written; -1: none. */
    uint64_t offset;
    char folder[SW_PATH_MAX];
    char made[SW_PATH_MAX]; /* The folder that was made last. */
};

/* "FOLDER/NAME", and where its own folder ends in it. */
static enum sw_rc path_of(const struct sw_unpack *unpack, const char *name,
                          char ret_path[SW_PATH_MAX], struct sw_err *err)
{
    return snprintf(ret_path, SW_PATH_MAX, "%s/%s", unpack->folder, name) < SW_PATH_MAX
               ? SW_OK
               : sw_err_set(err, SW_E_INVALID, "the folder has too long a path");
}

static enum sw_rc begin(void *ctx, const char *name, uint64_t size_bytes, struct sw_err *err)
{
    struct sw_unpack *unpack = ctx;
    const struct sw_system *system = unpack->system;
    bool is_program = strncmp(name, ENGINES_PREFIX, strlen(ENGINES_PREFIX)) == 0;
    unsigned mode = SW_FILE_WRITE | SW_FILE_CREATE | SW_FILE_EXCLUSIVE;
    char path[SW_PATH_MAX], *slash;
    enum sw_rc rc = path_of(unpack, name, path, err);

    (void)size_bytes;
    if (rc != SW_OK)
        return rc;
    slash = strrchr(path, '/');
    *slash = '\0';
    if (strcmp(path, unpack->made) != 0)
        rc = system->folder_make(system->ctx, path, err);
    if (rc == SW_OK)
        memcpy(unpack->made, path, strlen(path) + 1);
    *slash = '/';
    if (rc == SW_OK)
        rc = system->file_open(system->ctx, path, is_program ? mode | SW_FILE_PROGRAM : mode,
                               &unpack->file, err);
    if (rc == SW_E_EXISTS)
        return sw_err_set(err, SW_E_CORRUPT, "the backup has two files %s", name);
    unpack->offset = 0;
    return rc;
}

static enum sw_rc take_bytes(void *ctx, struct sw_bytes bytes, struct sw_err *err)
{
    struct sw_unpack *unpack = ctx;
    enum sw_rc rc = unpack->system->file_write(unpack->system->ctx, unpack->file, unpack->offset,
                                               bytes.data, bytes.size, err);

    unpack->offset += bytes.size;
    return rc;
}

static enum sw_rc end(void *ctx, struct sw_err *err)
{
    struct sw_unpack *unpack = ctx;
    enum sw_rc rc = unpack->system->file_sync(unpack->system->ctx, unpack->file, err);

    unpack->system->file_close(unpack->system->ctx, unpack->file);
    unpack->file = -1;
    return rc;
}

enum sw_rc sw_unpack_new(const struct sw_system *system, const char *folder,
                         struct sw_unpack **ret_unpack, struct sw_err *err)
{
    SW_CLEANUP(sw_unpack_freep) struct sw_unpack *unpack = calloc(1, sizeof *unpack);
    struct sw_file_view view;
    enum sw_rc rc;

    if (unpack == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory to unpack a backup");
    unpack->system = system;
    unpack->file = -1;
    if (snprintf(unpack->folder, sizeof unpack->folder, "%s", folder) >= (int)sizeof unpack->folder)
        return sw_err_set(err, SW_E_INVALID, "the folder has too long a path");
    if (system->path_view(system->ctx, folder, &view, NULL) == SW_OK)
        return sw_err_set(err, SW_E_EXISTS, "%.300s is there already", folder);
    rc = system->folder_make(system->ctx, folder, err);
    if (rc == SW_OK)
        rc = sw_archive_reader_new(
            &(struct sw_archive_sink){
                .ctx = unpack, .begin = begin, .bytes = take_bytes, .end = end},
            &unpack->reader, err);
    if (rc == SW_OK)
        *ret_unpack = SW_TAKE(unpack);
    return rc;
}

void sw_unpack_free(struct sw_unpack *unpack)
{
    if (unpack == NULL)
        return;
    if (unpack->file >= 0)
        unpack->system->file_close(unpack->system->ctx, unpack->file);
    sw_archive_reader_free(unpack->reader);
    free(unpack);
}

enum sw_rc sw_unpack_feed(struct sw_unpack *unpack, struct sw_bytes bytes, struct sw_err *err)
{
    return sw_archive_reader_feed(unpack->reader, bytes, err);
}

/* Have the names of a file's folder, and those of the folders above it, be durable. */
static enum sw_rc sync_folders(struct sw_unpack *unpack, const char *name, struct sw_err *err)
{
    char path[SW_PATH_MAX];
    enum sw_rc rc = path_of(unpack, name, path, err);

    while (rc == SW_OK && strlen(path) > strlen(unpack->folder)) {
        *strrchr(path, '/') = '\0';
        rc = unpack->system->folder_sync(unpack->system->ctx, path, err);
    }
    return rc;
}

/* Whether two names are of the same folder. */
static bool is_beside(const char *one, const char *other)
{
    const char *slash = strrchr(one, '/');
    size_t size = slash == NULL ? 0 : (size_t)(slash - one) + 1;

    return strncmp(one, other, size) == 0 && strchr(other + size, '/') == NULL;
}

enum sw_rc sw_unpack_finish(struct sw_unpack *unpack, const struct sw_manifest **ret_manifest,
                            struct sw_err *err)
{
    const struct sw_manifest *manifest = NULL;
    enum sw_rc rc = sw_archive_reader_finish(unpack->reader, &manifest, err);

    for (size_t i = 0; rc == SW_OK && i < manifest->files_count; i++) {
        const char *name = manifest->files[i].name;

        if (i + 1 == manifest->files_count || !is_beside(name, manifest->files[i + 1].name))
            rc = sync_folders(unpack, name, err);
    }
    if (rc == SW_OK)
        *ret_manifest = manifest;
    return rc;
}

/* --- Removing -------------------------------------------------------------------------------- */

struct emptying {
    const struct sw_system *system;
    const char *folder;
    unsigned depth;
    enum sw_rc rc;
    struct sw_err *err;
};

static enum sw_rc remove_tree(const struct emptying *outer);

static bool remove_entry(void *ctx, const char *name)
{
    struct emptying *emptying = ctx;
    const struct sw_system *system = emptying->system;
    struct sw_file_view view = {0};
    char *path;

    if (asprintf(&path, "%s/%s", emptying->folder, name) < 0) {
        emptying->rc = sw_err_set(emptying->err, SW_E_EXHAUSTED, "no memory for a path");
        return false;
    }
    emptying->rc = SW_OK;
    if (system->path_view(system->ctx, path, &view, NULL) == SW_OK && view.is_folder &&
        !view.is_link) {
        struct emptying inner = {
            .system = system, .folder = path, .depth = emptying->depth + 1, .err = emptying->err};

        emptying->rc = remove_tree(&inner);
    } else {
        emptying->rc = system->path_remove(system->ctx, path, emptying->err);
    }
    free(path);
    return emptying->rc == SW_OK;
}

static enum sw_rc remove_tree(const struct emptying *outer)
{
    struct emptying emptying = *outer;
    const struct sw_system *system = emptying.system;
    enum sw_rc rc;

    if (emptying.depth > SW_UNPACK_DEPTH_MAX)
        return sw_err_set(emptying.err, SW_E_RANGE, "%.300s is deeper than a data folder",
                          emptying.folder);
    rc = system->folder_list(system->ctx, emptying.folder, remove_entry, &emptying, emptying.err);
    if (rc == SW_OK)
        rc = emptying.rc;
    return rc == SW_OK ? system->path_remove(system->ctx, emptying.folder, emptying.err) : rc;
}

enum sw_rc sw_unpack_remove(const struct sw_system *system, const char *folder, struct sw_err *err)
{
    struct emptying emptying = {.system = system, .folder = folder, .err = err};

    return remove_tree(&emptying);
}
