#include "pkg/backup/backup.h"

#include "pkg/agent/hosts/hosts.h"
#include "pkg/backup/state.h"
#include "pkg/utils/base/text.h"
#include "pkg/utils/version/version.h"

#include <stdio.h>
#include <stdlib.h>

#define MOVES_MAX 8
#define MOVED_BYTES_SMALL ((uint64_t)256 << 10) /* Then the cut is soon made. */
#define SMALL_FILE_BYTES_MAX 512u
#define ID_BYTES 16u

static enum sw_rc no_memory(struct sw_err *err)
{
    return sw_err_set(err, SW_E_EXHAUSTED, "no memory for a backup");
}

enum sw_rc sw_backup_new(const struct sw_backup_options *options, struct sw_backup **ret_backup,
                         struct sw_err *err)
{
    SW_CLEANUP(sw_backup_freep) struct sw_backup *backup = calloc(1, sizeof *backup);
    struct sw_lineage lineage;
    enum sw_rc rc;

    if (backup == NULL)
        return no_memory(err);
    backup->store_file = backup->file = -1;
    backup->system = options->system;
    sw_buffer_init(&backup->head, SW_MANIFEST_BYTES_MAX + SW_ARCHIVE_END_BYTES);
    backup->arena = sw_arena_new(SW_MANIFEST_ARENA_MAX);
    backup->digest = sw_sha256_new();
    if (backup->arena == NULL || backup->digest == NULL)
        return no_memory(err);
    if (strlen(options->data_folder) >= SW_PATH_MAX - SW_ARCHIVE_NAME_MAX)
        return sw_err_set(err, SW_E_INVALID, "the data folder has too long a path");
    memcpy(backup->data_folder, options->data_folder, strlen(options->data_folder) + 1);
    backup->has_engines = options->engine_key != NULL;
    if (backup->has_engines)
        memcpy(backup->engine_key, options->engine_key, sizeof backup->engine_key);
    (void)snprintf(backup->manifest.cluster, sizeof backup->manifest.cluster, "%s",
                   options->cluster);
    (void)snprintf(backup->manifest.node, sizeof backup->manifest.node, "%s", options->node);
    (void)snprintf(backup->manifest.version, sizeof backup->manifest.version, "%s", sw_version());
    rc = sw_lineage_load(options->system, options->data_folder, &lineage, err);
    if (rc != SW_OK && rc != SW_E_NOT_FOUND)
        return rc;
    backup->manifest.timeline = lineage.timeline;
    *ret_backup = SW_TAKE(backup);
    return SW_OK;
}

void sw_backup_free(struct sw_backup *backup)
{
    if (backup == NULL)
        return;
    sw_backup_read_done(backup);
    for (size_t i = 0; i < backup->journals_count; i++)
        sw_cut_free(backup->journals[i].cut);
    sw_sqlite_view_close(backup->store);
    if (backup->store_file >= 0)
        backup->system->file_close(backup->system->ctx, backup->store_file);
    sw_bytes_wipe(backup->engine_key, sizeof backup->engine_key);
    free(backup->items);
    free(backup->manifest.files);
    sw_arena_free(backup->arena);
    free(backup);
}

/* --- Journals -------------------------------------------------------------------------------- */

struct folders { /* Of the journals that there are now. */
    struct sw_backup *backup;
    enum sw_cut_kind kind; /* Of those that are visited. */
    bool is_cut;           /* They are to be at the point. */
    enum sw_rc rc;
    struct sw_err *err;
};

static struct sw_journal_held *find(struct sw_backup *backup, const char *folder)
{
    for (size_t i = 0; i < backup->journals_count; i++)
        if (strcmp(sw_cut_folder(backup->journals[i].cut), folder) == 0)
            return &backup->journals[i];
    return NULL;
}

static void drop(struct sw_backup *backup, struct sw_journal_held *held)
{
    sw_cut_free(held->cut);
    *held = backup->journals[--backup->journals_count];
}

/* Whether FOLDER-journal says that one has been there. */
static bool has_identity(const struct sw_backup *backup, const char *folder)
{
    char path[SW_PATH_MAX];
    struct sw_file_view view;

    return snprintf(path, sizeof path, "%s-journal", folder) < (int)sizeof path &&
           backup->system->path_view(backup->system->ctx, path, &view, NULL) == SW_OK;
}

static enum sw_rc hold(struct folders *folders, const char *folder)
{
    struct sw_backup *backup = folders->backup;
    struct sw_journal_held *held = &backup->journals[backup->journals_count];
    enum sw_rc rc;

    if (backup->journals_count == SW_MANIFEST_JOURNALS_MAX)
        return sw_err_set(folders->err, SW_E_EXHAUSTED, "there are more than %u agent hosts",
                          SW_MANIFEST_JOURNALS_MAX);
    rc = sw_cut_new(backup->system, folder, folders->kind, &backup->is_cancelled, &held->cut,
                    folders->err);
    if (rc == SW_E_NOT_FOUND && has_identity(backup, folder))
        return sw_err_set(folders->err, SW_E_CORRUPT, "the journal in %.300s is gone", folder);
    if (rc == SW_E_NOT_FOUND)
        return SW_OK; /* Its host was never up. */
    if (rc != SW_OK)
        return rc;
    held->folder = sw_arena_copy(backup->arena, folder + strlen(backup->data_folder) + 1,
                                 strlen(folder) - strlen(backup->data_folder) - 1);
    held->is_there = true;
    backup->journals_count++;
    return held->folder == NULL ? no_memory(folders->err) : SW_OK;
}

static bool visit_folder(void *ctx, const char *folder)
{
    struct folders *folders = ctx;
    struct sw_backup *backup = folders->backup;
    struct sw_journal_held *held = find(backup, folder);

    folders->rc = SW_OK;
    if (held == NULL) {
        folders->rc = hold(folders, folder);
        return folders->rc == SW_OK;
    }
    held->is_there = true;
    folders->rc =
        sw_cut_move(held->cut, folders->is_cut ? SW_BACKUP_CUT_BYTES_MAX : 0, folders->err);
    if (folders->rc == SW_E_NOT_FOUND) { /* Its folder went with its host, or another one came. */
        drop(backup, held);
        folders->rc = hold(folders, folder);
    }
    return folders->rc == SW_OK;
}

/* Move all cuts to the present, those of hosts and that of the ledger, and forget hosts that have
 * gone. */
static enum sw_rc move_all(struct sw_backup *backup, bool is_cut, struct sw_err *err)
{
    struct folders folders = {
        .backup = backup, .kind = SW_CUT_OF_AGENTS, .is_cut = is_cut, .err = err};
    char ledger[SW_PATH_MAX];
    enum sw_rc rc;

    for (size_t i = 0; i < backup->journals_count; i++)
        backup->journals[i].is_there = false;
    rc = sw_hosts_folders(backup->system, backup->data_folder, visit_folder, &folders, err);
    if (rc == SW_OK)
        rc = folders.rc;
    if (rc == SW_OK)
        rc = sw_backup_path(backup, SW_ARCHIVE_LEDGER, ledger, err);
    folders.kind = SW_CUT_OF_OTHERS;
    if (rc == SW_OK && !visit_folder(&folders, ledger))
        rc = folders.rc;
    for (size_t i = backup->journals_count; rc == SW_OK && i > 0; i--)
        if (!backup->journals[i - 1].is_there)
            drop(backup, &backup->journals[i - 1]);
    return rc;
}

static uint64_t moved_bytes(const struct sw_backup *backup)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < backup->journals_count; i++) {
        struct sw_cut_view view;

        sw_cut_view(backup->journals[i].cut, &view);
        sum += view.moved_bytes;
    }
    return sum;
}

/* --- The point ------------------------------------------------------------------------------- */

enum sw_rc sw_backup_sweep(const struct sw_system *system, const char *data_folder,
                           struct sw_err *err)
{
    static const char *const names[] = {SW_BACKUP_STORE_COPY, SW_BACKUP_STORE_COPY ".partial",
                                        SW_BACKUP_STORE_COPY ".partial-journal"};
    char path[SW_PATH_MAX + sizeof SW_BACKUP_STORE_COPY ".partial-journal"];
    enum sw_rc rc = SW_OK;

    for (size_t i = 0; rc == SW_OK && i < sizeof names / sizeof names[0]; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", data_folder, names[i]);
        rc = system->path_remove(system->ctx, path, err);
        if (rc == SW_E_NOT_FOUND)
            rc = SW_OK;
    }
    return rc;
}

void sw_backup_cancel(struct sw_backup *backup)
{
    atomic_store(&backup->is_cancelled, true);
}

enum sw_rc sw_backup_prepare(struct sw_backup *backup, struct sw_err *err)
{
    char path[SW_PATH_MAX];
    enum sw_rc rc = sw_backup_sweep(backup->system, backup->data_folder, err);

    if (rc == SW_OK)
        rc = sw_backup_path(backup, SW_ARCHIVE_STORE, path, err);
    if (rc == SW_OK)
        rc = sw_sqlite_view_open(path, &backup->store, err);
    /* Each move takes less time than the one before, so less comes meanwhile. */
    for (int i = 0; rc == SW_OK && i < MOVES_MAX; i++) {
        rc = move_all(backup, false, err);
        if (i > 0 && moved_bytes(backup) <= MOVED_BYTES_SMALL)
            break;
    }
    return rc;
}

/* A file of a host's folder that is small, and may be replaced: its bytes are of the point. */
static enum sw_rc add_small(struct sw_backup *backup, const char *name, size_t size_max,
                            struct sw_err *err)
{
    char path[SW_PATH_MAX];
    struct sw_item item = {.kind = SW_ITEM_BYTES};
    struct sw_buffer bytes;
    enum sw_rc rc = sw_backup_path(backup, name, path, err);

    sw_buffer_init(&bytes, size_max);
    if (rc == SW_OK)
        rc = sw_file_load(backup->system, path, size_max, &bytes, err);
    if (rc == SW_OK) {
        item.bytes = (const uint8_t *)sw_arena_copy(backup->arena, bytes.data, bytes.size);
        rc = item.bytes == NULL ? no_memory(err)
                                : sw_backup_add(backup, name, &item, bytes.size, err);
    }
    sw_buffer_done(&bytes);
    return rc == SW_E_NOT_FOUND ? SW_OK : rc;
}

static enum sw_rc add_journal(struct sw_backup *backup, const struct sw_journal_held *held,
                              struct sw_err *err)
{
    struct sw_manifest_journal *row = &backup->manifest.journals[backup->manifest.journals_count++];
    static const char *const own[] = {"host", SW_HOST_USAGE_FILE};
    const char *slash = strrchr(held->folder, '/');
    int outer = slash == NULL ? 0 : (int)(slash - held->folder) + 1;
    char name[SW_ARCHIVE_NAME_MAX + 1];
    struct sw_cut_view view;
    enum sw_rc rc = SW_OK;

    sw_cut_view(held->cut, &view);
    *row =
        (struct sw_manifest_journal){.folder = held->folder, .lsn = view.lsn, .epoch = view.epoch};
    memcpy(row->uuid, view.uuid, sizeof row->uuid);
    for (size_t i = 0; rc == SW_OK && i < sw_cut_count(held->cut); i++) {
        struct sw_item item = {.kind = SW_ITEM_HELD};
        struct sw_cut_file file;

        sw_cut_file(held->cut, i, &file);
        item.file = file.file;
        (void)snprintf(name, sizeof name, "%s/%s", held->folder, file.name);
        rc = sw_backup_add(backup, name, &item, file.size_bytes, err);
    }
    (void)snprintf(name, sizeof name, "%s-journal", held->folder);
    if (rc == SW_OK)
        rc = add_small(backup, name, SMALL_FILE_BYTES_MAX, err);
    for (size_t i = 0; rc == SW_OK && outer > 0 && i < sizeof own / sizeof *own; i++) {
        (void)snprintf(name, sizeof name, "%.*s%s", outer, held->folder, own[i]);
        rc = add_small(backup, name, SMALL_FILE_BYTES_MAX, err);
    }
    return rc;
}

static enum sw_rc add_journals(struct sw_backup *backup, struct sw_err *err)
{
    struct sw_manifest *manifest = &backup->manifest;
    enum sw_rc rc = SW_OK;

    manifest->journals =
        sw_arena_array(backup->arena, backup->journals_count, sizeof *manifest->journals);
    if (manifest->journals == NULL)
        return no_memory(err);
    for (size_t i = 0; rc == SW_OK && i < backup->journals_count; i++)
        rc = add_journal(backup, &backup->journals[i], err);
    return rc == SW_OK ? add_small(backup, SW_HOSTS_USAGE_FILE, SW_HOSTS_USAGE_BYTES_MAX, err) : rc;
}

static void name_it(struct sw_backup *backup)
{
    const struct sw_system *system = backup->system;
    uint8_t bytes[ID_BYTES];
    struct sw_buffer text;

    system->random(system->ctx, bytes, sizeof bytes);
    sw_buffer_init(&text, SW_MANIFEST_ID_SIZE);
    sw_hex_encode(bytes, sizeof bytes, &text);
    if (!text.failed)
        memcpy(backup->manifest.id, text.data, text.size);
    sw_buffer_done(&text);
    backup->manifest.utc_ns = system->utc_ns(system->ctx);
}

enum sw_rc sw_backup_cut(struct sw_backup *backup, struct sw_err *err)
{
    const struct sw_system *system = backup->system;
    uint64_t begin_ns = system->monotonic_ns(system->ctx);
    enum sw_rc rc = sw_sqlite_view_fix(backup->store, err);

    name_it(backup);
    if (rc == SW_OK)
        rc = move_all(backup, true, err);
    if (rc == SW_OK)
        rc = add_journals(backup, err);
    if (rc == SW_OK)
        rc = sw_backup_add_modules(backup, err);
    backup->cut_ns = system->monotonic_ns(system->ctx) - begin_ns;
    return rc;
}

/* --- All that takes time --------------------------------------------------------------------- */

/* The copy needs no name once it is open. */
static enum sw_rc copy_store(struct sw_backup *backup, struct sw_err *err)
{
    const struct sw_system *system = backup->system;
    struct sw_item item = {.kind = SW_ITEM_HELD};
    struct sw_file_view view = {0};
    struct sw_sqlite_report report = {0};
    char path[SW_PATH_MAX];
    enum sw_rc rc = sw_backup_path(backup, SW_BACKUP_STORE_COPY, path, err);

    if (rc == SW_OK)
        rc = sw_sqlite_view_copy(backup->store, system, path, &report, err);
    if (rc == SW_E_EXHAUSTED)
        (void)sw_err_context(err, "no room for a copy of the store in %.200s", backup->data_folder);
    if (rc != SW_OK)
        return rc;
    rc = system->path_view(system->ctx, path, &view, err);
    if (rc == SW_OK)
        rc = system->file_open(system->ctx, path, SW_FILE_READ, &backup->store_file, err);
    (void)system->path_remove(system->ctx, path, NULL);
    sw_sqlite_view_close(backup->store);
    backup->store = NULL;
    backup->manifest.revision = report.revision;
    item.file = backup->store_file;
    return rc == SW_OK ? sw_backup_add(backup, SW_ARCHIVE_STORE, &item, view.size_bytes, err) : rc;
}

enum sw_rc sw_backup_gather(struct sw_backup *backup, struct sw_err *err)
{
    const struct sw_manifest *manifest = &backup->manifest;
    enum sw_rc rc = copy_store(backup, err);

    if (rc == SW_OK)
        rc = sw_backup_add_engines(backup, err);
    if (rc != SW_OK)
        return rc;
    backup->bytes = sw_archive_entry_bytes(sw_manifest_bytes(manifest)) + SW_ARCHIVE_END_BYTES;
    for (size_t i = 0; i < manifest->files_count; i++)
        backup->bytes += sw_archive_entry_bytes(manifest->files[i].size_bytes);
    return SW_OK;
}

void sw_backup_view(const struct sw_backup *backup, struct sw_backup_view *ret_view)
{
    const struct sw_manifest *manifest = &backup->manifest;

    *ret_view = (struct sw_backup_view){.bytes = backup->bytes,
                                        .files = manifest->files_count,
                                        .journals = manifest->journals_count,
                                        .revision = manifest->revision,
                                        .utc_ns = manifest->utc_ns,
                                        .timeline = manifest->timeline,
                                        .cut_ns = backup->cut_ns};
}
