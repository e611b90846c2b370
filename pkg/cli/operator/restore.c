/* swarmctl restore and verify: an archive into a new data folder, and all that can be checked
 * there. */
#include "pkg/agent/compiler/compiler.h"
#include "pkg/agent/engines/engines.h"
#include "pkg/backup/archive/names.h"
#include "pkg/backup/lineage.h"
#include "pkg/backup/unpack.h"
#include "pkg/broker/budget/ledger.h"
#include "pkg/cli/operator/operator.h"
#include "pkg/store/sqlite/sqlite.h"
#include "pkg/utils/base/text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_BYTES ((size_t)1 << 20)
#define PROGRESS_BYTES ((uint64_t)32 << 20)
#define MIB 1048576.0
#define MODULES_PREFIX "modules/"
#define DIGEST_DIGITS 64

/* Where the bytes of an archive go: a reader that only checks, or an unpacking. */
struct feed {
    struct sw_cli *cli;
    enum sw_rc (*take)(void *ctx, struct sw_bytes bytes, struct sw_err *err);
    void *ctx;
};

static enum sw_rc take_checked(void *ctx, struct sw_bytes bytes, struct sw_err *err)
{
    return sw_archive_reader_feed(ctx, bytes, err);
}

static enum sw_rc take_unpacked(void *ctx, struct sw_bytes bytes, struct sw_err *err)
{
    return sw_unpack_feed(ctx, bytes, err);
}

static enum sw_rc feed_file(const struct feed *feed, int file, uint64_t size_bytes,
                            struct sw_err *err)
{
    const struct sw_system *system = feed->cli->system;
    uint8_t *chunk = malloc(CHUNK_BYTES);
    size_t got = CHUNK_BYTES;
    enum sw_rc rc = chunk == NULL ? sw_cli_no_memory(err) : SW_OK;

    for (uint64_t at = 0; rc == SW_OK && got == CHUNK_BYTES; at += got) {
        rc = system->file_read(system->ctx, file, at, chunk, CHUNK_BYTES, &got, err);
        if (rc == SW_OK)
            rc = feed->take(feed->ctx, (struct sw_bytes){chunk, got}, err);
        if (at % PROGRESS_BYTES == 0)
            sw_cli_progress(feed->cli, "%.0f of %.0f MiB", (double)at / MIB,
                            (double)size_bytes / MIB);
    }
    sw_cli_progress(feed->cli, "%s", "");
    free(chunk);
    return rc;
}

static enum sw_rc feed_source(const struct feed *feed, const char *source, struct sw_err *err)
{
    const struct sw_system *system = feed->cli->system;
    struct sw_file_view view = {0};
    enum sw_rc rc = system->path_view(system->ctx, source, &view, err);
    int file;

    if (rc == SW_OK && !view.is_regular)
        return sw_err_set(err, SW_E_INVALID, "%s is no file", source);
    if (rc == SW_OK)
        rc = system->file_open(system->ctx, source, SW_FILE_READ, &file, err);
    if (rc != SW_OK)
        return rc;
    rc = feed_file(feed, file, view.size_bytes, err);
    system->file_close(system->ctx, file);
    if (rc == SW_E_EXHAUSTED)
        sw_err_hint(err, "unpacking %s needs about %" PRIu64 " bytes (%.1f MiB)", source,
                    view.size_bytes, (double)view.size_bytes / MIB);
    return rc;
}

/* --- What is in it --------------------------------------------------------------------------- */

static const struct sw_manifest_file *find(const struct sw_manifest *manifest, const char *name)
{
    for (size_t i = 0; i < manifest->files_count; i++)
        if (strcmp(manifest->files[i].name, name) == 0)
            return &manifest->files[i];
    return NULL;
}

/* Modules are named by their digest. */
static enum sw_rc check_modules(const struct sw_manifest *manifest, struct sw_err *err)
{
    for (size_t i = 0; i < manifest->files_count; i++) {
        const struct sw_manifest_file *file = &manifest->files[i];
        char text[SW_DIGEST_TEXT_SIZE];

        if (strncmp(file->name, MODULES_PREFIX, strlen(MODULES_PREFIX)) != 0)
            continue;
        sw_digest_text(file->digest, text);
        if (strncmp(strrchr(file->name, '/') + 1, text + strlen("sha256:"), DIGEST_DIGITS) != 0)
            return sw_err_set(err, SW_E_CORRUPT, "%s is not the module that its name says",
                              file->name);
    }
    return SW_OK;
}

/* The other ones are of agent hosts. */
static bool is_ledger(const struct sw_manifest_journal *journal)
{
    return strcmp(journal->folder, SW_ARCHIVE_LEDGER) == 0;
}

static bool has_agents(const struct sw_manifest *manifest)
{
    for (size_t i = 0; i < manifest->journals_count; i++)
        if (!is_ledger(&manifest->journals[i]))
            return true;
    return false;
}

static enum sw_rc check_journal(struct sw_cli *cli, const char *folder,
                                const struct sw_manifest_journal *journal, struct sw_err *err)
{
    struct sw_journal_report report = {0};
    const char *path = sw_cli_format(cli, "%s/%s", folder, journal->folder);
    enum sw_rc rc;

    sw_cli_progress(cli, "checking %s", path);
    rc = is_ledger(journal) ? sw_ledger_check(cli->system, path, &report, err)
                            : sw_operator_check_journal(cli, path, &report, err);
    sw_cli_progress(cli, "%s", "");
    if (rc == SW_OK && (memcmp(report.uuid, journal->uuid, sizeof report.uuid) != 0 ||
                        report.end_lsn != journal->lsn || report.last_epoch != journal->epoch))
        rc = sw_err_set(err, SW_E_CORRUPT, "%s ends at %" PRIu64 ", where the backup says %" PRIu64,
                        path, report.end_lsn, journal->lsn);
    return rc;
}

/* All that is there is what it is to be: nothing in it was run. */
static enum sw_rc check_all(struct sw_cli *cli, const char *folder,
                            const struct sw_manifest *manifest, struct sw_err *err)
{
    const char *store = sw_cli_format(cli, "%s/" SW_OPERATOR_STORE_FILE, folder);
    struct sw_sqlite_report report = {0};
    enum sw_rc rc = SW_OK;

    if (find(manifest, SW_OPERATOR_STORE_FILE) == NULL)
        return sw_err_set(err, SW_E_CORRUPT, "the backup has no store");
    rc = sw_sqlite_verify(store, &report, err);
    if (rc == SW_OK && report.revision != manifest->revision)
        rc = sw_err_set(err, SW_E_CORRUPT,
                        "the store is of revision %" PRIu64 ", where the backup says %" PRIu64,
                        report.revision, manifest->revision);
    if (rc == SW_OK)
        rc = check_modules(manifest, err);
    for (size_t i = 0; rc == SW_OK && i < manifest->journals_count; i++)
        rc = check_journal(cli, folder, &manifest->journals[i], err);
    return rc;
}

/* Unpack it into a folder of its own and check all; the folder is removed if that fails. */
static enum sw_rc unpack(struct sw_cli *cli, const char *source, const char *folder,
                         struct sw_unpack **ret_unpack, const struct sw_manifest **ret_manifest,
                         struct sw_err *err)
{
    struct feed feed = {.cli = cli, .take = take_unpacked};
    enum sw_rc rc = sw_unpack_new(cli->system, folder, ret_unpack, err);

    if (rc == SW_E_EXISTS)
        sw_err_hint(err, "another one may be at work; one that was interrupted left it: remove it");
    if (rc != SW_OK)
        return rc;
    feed.ctx = *ret_unpack;
    rc = sw_lineage_begin(cli->system, folder, err);
    if (rc == SW_OK)
        rc = feed_source(&feed, source, err);
    if (rc == SW_OK)
        rc = sw_unpack_finish(*ret_unpack, ret_manifest, err);
    if (rc == SW_OK)
        rc = check_all(cli, folder, *ret_manifest, err);
    if (rc == SW_OK)
        return SW_OK;
    (void)!sw_unpack_remove(cli->system, folder, NULL);
    return sw_err_context(err, "%s", source);
}

/* --- verify ---------------------------------------------------------------------------------- */

static enum sw_rc verify_quickly(struct sw_cli *cli, const char *source, struct sw_err *err)
{
    SW_CLEANUP(sw_archive_reader_freep) struct sw_archive_reader *reader = NULL;
    struct feed feed = {.cli = cli, .take = take_checked};
    const struct sw_manifest *manifest = NULL;
    enum sw_rc rc = sw_archive_reader_new(NULL, &reader, err);

    feed.ctx = reader;
    if (rc == SW_OK)
        rc = feed_source(&feed, source, err);
    if (rc == SW_OK)
        rc = sw_archive_reader_finish(reader, &manifest, err);
    if (rc != SW_OK)
        return sw_err_context(err, "%s", source);
    sw_operator_print_manifest(cli, "whole", source, manifest);
    return SW_OK;
}

enum sw_rc sw_operator_verify(struct sw_cli *cli, struct sw_err *err)
{
    SW_CLEANUP(sw_unpack_freep) struct sw_unpack *unpacking = NULL;
    const char *source = sw_arguments_at(cli->arguments, 0);
    const char *folder = sw_cli_format(cli, "%s.checking", source);
    bool do_replay = sw_arguments_is(cli->arguments, "replay", false);
    const struct sw_manifest *manifest = NULL;
    enum sw_rc rc;

    if (sw_arguments_is(cli->arguments, "quick", false))
        return do_replay ? sw_cli_usage(cli, err, "a quick check replays nothing")
                         : verify_quickly(cli, source, err);
    rc = unpack(cli, source, folder, &unpacking, &manifest, err);
    if (rc != SW_OK)
        return rc;
    if (do_replay && has_agents(manifest))
        rc = sw_operator_replay(cli, folder, err);
    if (sw_unpack_remove(cli->system, folder, NULL) != SW_OK)
        sw_cli_warn(cli, "%s could not be removed\n", folder);
    if (rc == SW_OK)
        sw_operator_print_manifest(cli, "sound", source, manifest);
    return rc;
}

/* --- restore --------------------------------------------------------------------------------- */

/* The same objects, under revisions that nobody has seen yet. */
static enum sw_rc raise_store(struct sw_cli *cli, const char *folder, struct sw_err *err)
{
    const struct sw_system *system = cli->system;
    const char *store = sw_cli_format(cli, "%s/" SW_OPERATOR_STORE_FILE, folder);
    const char *saved = sw_cli_format(cli, "%s/saved.db", folder);
    struct sw_sqlite_report report;
    enum sw_rc rc = system->path_rename(system->ctx, store, saved, err);

    if (rc == SW_OK)
        rc = sw_sqlite_restore(system, saved, store, &report, err);
    return rc == SW_OK ? system->path_remove(system->ctx, saved, err) : rc;
}

/* Under a key of this folder's own: that of the origin is not in the backup. */
static enum sw_rc seal_engines(struct sw_cli *cli, const char *folder,
                               const struct sw_manifest *manifest, struct sw_err *err)
{
    const struct sw_system *system = cli->system;
    uint8_t key[SW_COMPILER_KEY_SIZE];
    const struct sw_engines_place place = {
        .system = system, .folder = sw_cli_format(cli, "%s/engines", folder), .key = key};
    enum sw_rc rc;

    system->random(system->ctx, key, sizeof key);
    rc = sw_file_save(system, sw_cli_format(cli, "%s/compiler.key", folder), key, sizeof key, err);
    for (size_t i = 0; rc == SW_OK && i < manifest->engines_count; i++)
        rc = sw_engine_seal(&place, manifest->engines[i].name, manifest->engines[i].fingerprint,
                            err);
    sw_bytes_wipe(key, sizeof key);
    return rc;
}

/* Have it be a data folder, with its name last. */
static enum sw_rc settle(struct sw_cli *cli, const char *partial, const char *data,
                         const struct sw_manifest *manifest, struct sw_err *err)
{
    const struct sw_system *system = cli->system;
    struct sw_lineage lineage;
    enum sw_rc rc = raise_store(cli, partial, err);

    sw_lineage_of(manifest, sw_cli_utc_ns(cli), &lineage);
    if (rc == SW_OK)
        rc = seal_engines(cli, partial, manifest, err);
    if (rc == SW_OK)
        rc = sw_lineage_save(system, partial, &lineage, err);
    if (rc == SW_OK)
        rc = system->path_rename(system->ctx, partial, data, err);
    if (rc != SW_OK) {
        (void)!sw_unpack_remove(system, partial, NULL);
        return rc;
    }
    return sw_operator_sync_parent(cli, data, err);
}

static bool stop_at_once(void *ctx, const char *name)
{
    (void)name;
    *(bool *)ctx = false;
    return false;
}

/* A folder that is not there, or is empty. */
static enum sw_rc check_target(struct sw_cli *cli, const char *data, struct sw_err *err)
{
    const struct sw_system *system = cli->system;
    struct sw_file_view view;
    bool is_empty = true;

    if (system->path_view(system->ctx, data, &view, NULL) != SW_OK)
        return SW_OK;
    if (view.is_folder &&
        system->folder_list(system->ctx, data, stop_at_once, &is_empty, NULL) == SW_OK && is_empty)
        return SW_OK;
    (void)sw_err_set(err, SW_E_EXISTS, "%s is there already: a restore never touches what is",
                     data);
    sw_err_hint(err, "name another folder with --data, or move this one away");
    return SW_E_EXISTS;
}

static const char *without_slash(struct sw_cli *cli, const char *path)
{
    size_t size = strlen(path);

    while (size > 1 && path[size - 1] == '/')
        size--;
    return sw_cli_format(cli, "%.*s", (int)size, path);
}

enum sw_rc sw_operator_restore(struct sw_cli *cli, struct sw_err *err)
{
    SW_CLEANUP(sw_unpack_freep) struct sw_unpack *unpacking = NULL;
    const char *source = sw_arguments_at(cli->arguments, 0);
    const char *data = sw_arguments_text(cli->arguments, "data");
    const struct sw_manifest *manifest = NULL;
    const char *partial;
    enum sw_rc rc;

    if (data == NULL || data[0] == '\0')
        return sw_cli_usage(cli, err, "say with --data which folder is to be made");
    data = without_slash(cli, data);
    if (!sw_arguments_is(cli->arguments, "take-over", false)) {
        (void)sw_cli_usage(cli, err,
                           "two swarms of one backup do the same things twice, under the same "
                           "names");
        sw_err_hint(err, "if the swarm that was backed up runs no more and never will, say "
                         "--take-over");
        return SW_E_INVALID;
    }
    rc = check_target(cli, data, err);
    partial = sw_cli_format(cli, "%s.partial", data);
    if (rc == SW_OK)
        rc = unpack(cli, source, partial, &unpacking, &manifest, err);
    if (rc == SW_OK)
        rc = settle(cli, partial, data, manifest, err);
    if (rc != SW_OK)
        return rc;
    sw_operator_print_manifest(cli, "restored", data, manifest);
    sw_cli_say(cli,
               "it goes on as timeline %" PRIu64 "; start it with: swarmd --data %s --cluster %s "
               "--node %s\n",
               manifest->timeline + 1, data, manifest->cluster, manifest->node);
    return SW_OK;
}
