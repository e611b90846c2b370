/* swarmctl backup: fetches the archive that the daemon streams, and checks it while it comes. */
#include "pkg/backup/archive/reader.h"
#include "pkg/cli/operator/operator.h"
#include "pkg/utils/base/text.h"

#include <inttypes.h>
#include <string.h>

#define PROGRESS_MS 200
#define MIB 1048576.0

struct saving {
    struct sw_cli *cli;
    struct sw_archive_reader *reader;
    int file;            /* -1: standard output. */
    uint64_t size_bytes; /* As the server says; 0: it did not. */
    uint64_t shown_ms;
};

void sw_operator_print_manifest(struct sw_cli *cli, const char *word, const char *path,
                                const struct sw_manifest *manifest)
{
    uint64_t bytes = 0;
    char time[SW_TIME_TEXT_SIZE];
    const char *line;

    for (size_t i = 0; i < manifest->files_count; i++)
        bytes += manifest->files[i].size_bytes;
    sw_time_print(manifest->utc_ns, time);
    line = sw_cli_format(cli,
                         "%s %s: backup %s of %s, Node %s, timeline %" PRIu64 ", revision %" PRIu64
                         ", %zu journals, %zu files, %.1f MiB",
                         word, path, manifest->id, time, manifest->node, manifest->timeline,
                         manifest->revision, manifest->journals_count, manifest->files_count,
                         (double)bytes / MIB);
    if (strcmp(path, "-") == 0)
        sw_cli_say(cli, "%s\n", line);
    else
        sw_cli_print(cli, "%s\n", line);
}

static void show(struct saving *saving)
{
    uint64_t now_ms = sw_client_now_ms(saving->cli->client);
    uint64_t bytes = sw_archive_reader_bytes(saving->reader);

    if (now_ms - saving->shown_ms < PROGRESS_MS)
        return;
    saving->shown_ms = now_ms;
    if (saving->size_bytes > 0)
        sw_cli_progress(saving->cli, "%.1f of %.1f MiB", (double)bytes / MIB,
                        (double)saving->size_bytes / MIB);
    else
        sw_cli_progress(saving->cli, "%.1f MiB", (double)bytes / MIB);
}

static enum sw_rc take(void *ctx, struct sw_bytes bytes, uint64_t size_bytes, struct sw_err *err)
{
    struct saving *saving = ctx;
    const struct sw_system *system = saving->cli->system;
    const struct sw_terminal *terminal = saving->cli->terminal;
    uint64_t at = sw_archive_reader_bytes(saving->reader);
    enum sw_rc rc = sw_archive_reader_feed(saving->reader, bytes, err);

    saving->size_bytes = size_bytes;
    if (rc == SW_OK && saving->file < 0)
        terminal->write(terminal->ctx, SW_TERMINAL_OUT, bytes.data, bytes.size);
    else if (rc == SW_OK)
        rc = system->file_write(system->ctx, saving->file, at, bytes.data, bytes.size, err);
    if (rc == SW_E_EXHAUSTED)
        sw_err_hint(err,
                    "the backup needs %" PRIu64 " bytes (%.1f MiB), and %" PRIu64
                    " found room; choose another place",
                    size_bytes, (double)size_bytes / MIB, at);
    show(saving);
    return rc;
}

/* Fetch all of it; *ret_manifest lives as long as the reader. */
static enum sw_rc fetch(struct saving *saving, const struct sw_manifest **ret_manifest,
                        struct sw_err *err)
{
    struct sw_cli *cli = saving->cli;
    const struct sw_request request = {.method = "GET",
                                       .path = "/backup",
                                       .accept = "application/x-tar",
                                       .timeout_ms =
                                           cli->timeout_ms == 0 ? UINT64_MAX : cli->timeout_ms};
    enum sw_rc rc;

    sw_cli_progress(cli, "%s", "the daemon reads its journals");
    rc = sw_client_download(cli->client, &request, take, saving, err);
    sw_cli_progress(cli, "%s", "");
    return rc == SW_OK ? sw_archive_reader_finish(saving->reader, ret_manifest, err) : rc;
}

enum sw_rc sw_operator_sync_parent(struct sw_cli *cli, const char *path, struct sw_err *err)
{
    const char *slash = strrchr(path, '/');
    const char *folder = slash == NULL   ? "."
                         : slash == path ? "/"
                                         : sw_cli_format(cli, "%.*s", (int)(slash - path), path);

    return cli->system->folder_sync(cli->system->ctx, folder, err);
}

static enum sw_rc check_absent(struct sw_cli *cli, const char *target, struct sw_err *err)
{
    struct sw_file_view view;

    if (target[0] == '\0')
        return sw_cli_usage(cli, err, "the file's name is empty");
    if (cli->system->path_view(cli->system->ctx, target, &view, NULL) != SW_OK)
        return SW_OK;
    (void)sw_err_set(err, SW_E_EXISTS, "%s is there already", target);
    sw_err_hint(err, "choose another name, or remove it");
    return SW_E_EXISTS;
}

/* What an earlier one left is begun anew; what another one is writing is left to it. */
static enum sw_rc open_partial(struct saving *saving, const char *partial, struct sw_err *err)
{
    const struct sw_system *system = saving->cli->system;
    enum sw_rc rc =
        system->file_open(system->ctx, partial, SW_FILE_WRITE | SW_FILE_CREATE, &saving->file, err);

    if (rc != SW_OK)
        return rc;
    rc = system->file_lock(system->ctx, saving->file, partial, err);
    if (rc == SW_E_UNAVAILABLE)
        sw_err_hint(err, "another backup is being saved under this name: choose another one");
    if (rc == SW_OK)
        rc = system->file_truncate(system->ctx, saving->file, 0, err);
    if (rc != SW_OK)
        system->file_close(system->ctx, saving->file);
    return rc;
}

/* Into TARGET.partial, which gets its name when all of it is there, checked and durable. It is
 * closed last, since it is this one's own only until then. */
static enum sw_rc save(struct saving *saving, const char *target,
                       const struct sw_manifest **ret_manifest, struct sw_err *err)
{
    struct sw_cli *cli = saving->cli;
    const struct sw_system *system = cli->system;
    const char *partial = sw_cli_format(cli, "%s.partial", target);
    enum sw_rc rc = check_absent(cli, target, err);

    if (rc == SW_OK)
        rc = open_partial(saving, partial, err);
    if (rc != SW_OK)
        return rc;
    rc = fetch(saving, ret_manifest, err);
    if (rc == SW_OK)
        rc = system->file_sync(system->ctx, saving->file, err);
    if (rc == SW_OK)
        rc = check_absent(cli, target, err);
    if (rc == SW_OK)
        rc = system->path_rename(system->ctx, partial, target, err);
    if (rc != SW_OK)
        (void)system->path_remove(system->ctx, partial, NULL);
    system->file_close(system->ctx, saving->file);
    return rc == SW_OK ? sw_operator_sync_parent(cli, target, err) : rc;
}

enum sw_rc sw_operator_backup(struct sw_cli *cli, struct sw_err *err)
{
    SW_CLEANUP(sw_archive_reader_freep) struct sw_archive_reader *reader = NULL;
    const char *target = sw_arguments_at(cli->arguments, 0);
    struct saving saving = {.cli = cli, .file = -1};
    const struct sw_manifest *manifest = NULL;
    bool is_stream = strcmp(target, "-") == 0;
    enum sw_rc rc;

    if (is_stream && cli->terminal->out_is_terminal)
        return sw_cli_usage(cli, err, "a backup is no text for a terminal");
    rc = sw_cli_connect(cli, err);
    if (rc == SW_OK)
        rc = sw_archive_reader_new(NULL, &reader, err);
    if (rc != SW_OK)
        return rc;
    saving.reader = reader;
    rc = is_stream ? fetch(&saving, &manifest, err) : save(&saving, target, &manifest, err);
    if (rc == SW_OK)
        sw_operator_print_manifest(cli, "saved", target, manifest);
    return rc;
}
