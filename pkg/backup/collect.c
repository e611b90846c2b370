/* The files of the data folder that do not change: modules and engines. */
#include "pkg/backup/state.h"

#include "pkg/agent/engines/engines.h"

#include <stdio.h>
#include <stdlib.h>

enum sw_rc sw_backup_path(const struct sw_backup *backup, const char *name,
                          char ret_path[SW_PATH_MAX], struct sw_err *err)
{
    return snprintf(ret_path, SW_PATH_MAX, "%s/%s", backup->data_folder, name) < SW_PATH_MAX
               ? SW_OK
               : sw_err_set(err, SW_E_INVALID, "the data folder has too long a path");
}

enum sw_rc sw_backup_add(struct sw_backup *backup, const char *name, const struct sw_item *item,
                         uint64_t size_bytes, struct sw_err *err)
{
    struct sw_manifest *manifest = &backup->manifest;
    size_t room = backup->items_room == 0 ? 64 : 2 * backup->items_room;

    if (!sw_archive_name_is_valid(name))
        return sw_err_set(err, SW_E_INTERNAL, "a backup cannot have a file %.200s", name);
    if (manifest->files_count == SW_MANIFEST_FILES_MAX)
        return sw_err_set(err, SW_E_EXHAUSTED, "there are more than %u files",
                          SW_MANIFEST_FILES_MAX);
    if (manifest->files_count == backup->items_room) {
        struct sw_item *items = realloc(backup->items, room * sizeof *items);
        struct sw_manifest_file *files = NULL;

        if (items != NULL) {
            backup->items = items;
            files = realloc(manifest->files, room * sizeof *files);
        }
        if (files == NULL)
            return sw_err_set(err, SW_E_EXHAUSTED, "no memory for the files of a backup");
        manifest->files = files;
        backup->items_room = room;
    }
    backup->items[manifest->files_count] = *item;
    manifest->files[manifest->files_count] = (struct sw_manifest_file){
        .name = sw_arena_copy(backup->arena, name, strlen(name)), .size_bytes = size_bytes};
    if (manifest->files[manifest->files_count].name == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for the files of a backup");
    manifest->files_count++;
    return SW_OK;
}

/* --- Modules --------------------------------------------------------------------------------- */

struct walk { /* Through a folder, whose name in the archive this is. */
    struct sw_backup *backup;
    const char *folder;
    enum sw_rc rc;
    struct sw_err *err;
};

static enum sw_rc list(struct walk *walk, sw_folder_visit *visit)
{
    const struct sw_system *system = walk->backup->system;
    char path[SW_PATH_MAX];
    enum sw_rc rc = sw_backup_path(walk->backup, walk->folder, path, walk->err);

    if (rc == SW_OK)
        rc = system->folder_list(system->ctx, path, visit, walk, walk->err);
    if (rc == SW_E_NOT_FOUND)
        return SW_OK;
    return rc == SW_OK ? walk->rc : rc;
}

static bool add_module(void *ctx, const char *name)
{
    struct walk *walk = ctx;
    const struct sw_system *system = walk->backup->system;
    char in_archive[SW_ARCHIVE_NAME_MAX + 1], path[SW_PATH_MAX];
    struct sw_file_view view = {0};

    if (snprintf(in_archive, sizeof in_archive, "%s/%s", walk->folder, name) >=
            (int)sizeof in_archive ||
        !sw_archive_name_is_valid(in_archive))
        return true; /* One that is arriving, or what people left there. */
    walk->rc = sw_backup_path(walk->backup, in_archive, path, walk->err);
    if (walk->rc == SW_OK)
        walk->rc = system->path_view(system->ctx, path, &view, walk->err);
    if (walk->rc == SW_OK && view.is_regular)
        walk->rc = sw_backup_add(walk->backup, in_archive, &(struct sw_item){.kind = SW_ITEM_PATH},
                                 view.size_bytes, walk->err);
    return walk->rc == SW_OK;
}

static bool add_namespace(void *ctx, const char *name)
{
    struct walk *walk = ctx;
    char folder[SW_ARCHIVE_NAME_MAX + 1], path[SW_PATH_MAX];
    struct walk inner = {.backup = walk->backup, .folder = folder, .err = walk->err};
    struct sw_file_view view = {0};

    if (snprintf(folder, sizeof folder, "%s/%s", walk->folder, name) >= (int)sizeof folder)
        return true;
    walk->rc = sw_backup_path(walk->backup, folder, path, walk->err);
    if (walk->rc == SW_OK &&
        walk->backup->system->path_view(walk->backup->system->ctx, path, &view, NULL) == SW_OK &&
        view.is_folder)
        walk->rc = list(&inner, add_module);
    return walk->rc == SW_OK;
}

enum sw_rc sw_backup_add_modules(struct sw_backup *backup, struct sw_err *err)
{
    struct walk walk = {.backup = backup, .folder = "modules", .err = err};

    return list(&walk, add_namespace);
}

/* --- Engines --------------------------------------------------------------------------------- */

struct engines {
    struct sw_backup *backup;
    struct sw_engines_place place;
    struct sw_manifest_engine *rows;
    enum sw_rc rc;
    struct sw_err *err;
};

static enum sw_rc add_part(const struct engines *engines, const char *path)
{
    struct sw_backup *backup = engines->backup;
    const char *name = path + strlen(backup->data_folder) + 1;
    struct sw_file_view view = {0};
    enum sw_rc rc = backup->system->path_view(backup->system->ctx, path, &view, engines->err);

    return rc == SW_OK ? sw_backup_add(backup, name, &(struct sw_item){.kind = SW_ITEM_PATH},
                                       view.size_bytes, engines->err)
                       : rc;
}

/* One that is not whole, or not as it was sealed, is of no use to anybody. */
static bool add_engine(void *ctx, const char *name)
{
    struct engines *engines = ctx;
    struct sw_manifest *manifest = &engines->backup->manifest;
    struct sw_manifest_engine *row = &engines->rows[manifest->engines_count];
    struct sw_engine engine;

    if (manifest->engines_count == SW_MANIFEST_ENGINES_MAX ||
        sw_engine_open(&engines->place, name, &engine, NULL) != SW_OK)
        return true;
    row->name = sw_arena_copy(engines->backup->arena, name, strlen(name));
    row->fingerprint =
        sw_arena_copy(engines->backup->arena, engine.fingerprint, strlen(engine.fingerprint));
    if (row->name == NULL || row->fingerprint == NULL) {
        engines->rc = sw_err_set(engines->err, SW_E_EXHAUSTED, "no memory for an engine");
        return false;
    }
    manifest->engines_count++;
    engines->rc = add_part(engines, engine.files.host);
    if (engines->rc == SW_OK)
        engines->rc = add_part(engines, engine.files.compiler);
    if (engines->rc == SW_OK)
        engines->rc = add_part(engines, engine.files.library);
    return engines->rc == SW_OK;
}

enum sw_rc sw_backup_add_engines(struct sw_backup *backup, struct sw_err *err)
{
    char folder[SW_PATH_MAX];
    struct engines engines = {
        .backup = backup, .place = {backup->system, folder, backup->engine_key}, .err = err};
    enum sw_rc rc = sw_backup_path(backup, "engines", folder, err);

    if (rc != SW_OK || !backup->has_engines)
        return rc;
    engines.rows = sw_arena_array(backup->arena, SW_MANIFEST_ENGINES_MAX, sizeof *engines.rows);
    if (engines.rows == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for the engines of a backup");
    backup->manifest.engines = engines.rows;
    rc = sw_engines_list(&engines.place, add_engine, &engines, err);
    return rc == SW_OK ? engines.rc : rc;
}
