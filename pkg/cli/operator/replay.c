/* swarmctl journal replay: wires what machine code comes from to an agent host that replays. */
#include "pkg/agent/abi/class.h"
#include "pkg/agent/compiler/compiler.h"
#include "pkg/agent/controller/replayer.h"
#include "pkg/agent/modules/modules.h"
#include "pkg/agent/programs/programs.h"
#include "pkg/agent/store/journal.h"
#include "pkg/cli/operator/operator.h"

#include <inttypes.h>
#include <string.h>

struct replay {
    struct sw_cli *cli;
    struct sw_loop *loop;
    struct sw_modules *modules; /* NULL: none were ever pushed. */
    struct sw_compiler *compiler;
    char host[SW_PATH_MAX];
    const char *journal; /* That is being replayed. */
    uint64_t troubles;
};

/* --- Machine code ---------------------------------------------------------------------------- */

static enum sw_rc code_get(void *ctx, const char *name_space, const char *program,
                           sw_program_done *done, void *done_ctx, struct sw_err *err)
{
    const struct replay *replay = ctx;
    const struct sw_programs programs = {replay->modules, replay->compiler};

    (void)name_space;
    if (replay->modules == NULL)
        return sw_err_set(err, SW_E_NOT_FOUND, "the data folder holds no modules");
    return sw_program_get(&programs, NULL, program, done, done_ctx, err);
}

/* Without the key that sealed the cache, all is compiled anew, under one that nobody keeps. */
static void key_load(struct replay *replay, const char *data, uint8_t key[SW_COMPILER_KEY_SIZE])
{
    const struct sw_system *system = replay->cli->system;
    const char *path = sw_cli_format(replay->cli, "%s/compiler.key", data);
    struct sw_err ignored = {0};
    struct sw_buffer bytes;

    sw_buffer_init(&bytes, SW_COMPILER_KEY_SIZE);
    if (sw_file_load(system, path, SW_COMPILER_KEY_SIZE, &bytes, &ignored) == SW_OK &&
        bytes.size == SW_COMPILER_KEY_SIZE)
        memcpy(key, bytes.data, SW_COMPILER_KEY_SIZE);
    else
        system->random(system->ctx, key, SW_COMPILER_KEY_SIZE);
    sw_buffer_done(&bytes);
}

static enum sw_rc modules_open(struct replay *replay, const char *data, struct sw_err *err)
{
    const struct sw_system *system = replay->cli->system;
    const char *folder = sw_cli_format(replay->cli, "%s/modules", data);
    struct sw_file_view view = {0};
    struct sw_err ignored = {0};

    if (system->path_view(system->ctx, folder, &view, &ignored) != SW_OK || !view.is_folder)
        return SW_OK;
    return sw_modules_open(system, folder, &replay->modules, err);
}

static enum sw_rc open_all(struct replay *replay, const char *data, struct sw_err *err)
{
    char program[SW_PATH_MAX];
    struct sw_compiler_options compiler = {.system = replay->cli->system,
                                           .program = program,
                                           .folder =
                                               sw_cli_format(replay->cli, "%s/compiled", data),
                                           .is_read_only = true};
    enum sw_rc rc = sw_loop_new(&replay->loop, err);

    compiler.loop = replay->loop;
    key_load(replay, data, compiler.key);
    if (rc == SW_OK)
        rc = modules_open(replay, data, err);
    if (rc == SW_OK)
        rc = sw_system_program("swarm-agent-host", replay->host, err);
    if (rc == SW_OK)
        rc = sw_system_program("swarm-compiler", program, err);
    return rc == SW_OK ? sw_compiler_new(&compiler, &replay->compiler, err) : rc;
}

static void close_all(struct replay *replay)
{
    sw_compiler_free(replay->compiler);
    if (replay->modules != NULL)
        sw_modules_close(replay->modules);
    sw_loop_free(replay->loop);
}

/* --- Replaying ------------------------------------------------------------------------------- */

/* Words may quote what a guest said. */
static void on_trouble(void *ctx, const char *words)
{
    struct replay *replay = ctx;
    struct sw_buffer line;

    replay->troubles++;
    sw_buffer_init(&line, SW_CLI_OUTPUT_BYTES_MAX);
    sw_buffer_put_text(&line, "differs ");
    sw_output_put_safe(&line, words, strlen(words), false);
    sw_buffer_put_text(&line, "\n");
    sw_cli_put(replay->cli, &line);
    sw_buffer_done(&line);
}

static void print_report(struct replay *replay, const struct sw_frame_replayed *report)
{
    struct sw_cli *cli = replay->cli;

    sw_cli_print(cli, "replayed %s: %" PRIu64 " segments of %" PRIu64 " instances, since ",
                 sw_operator_journal_title(cli, replay->journal), report->segments,
                 report->instances);
    if (report->begin == SW_JOURNAL_BIRTH_LSN)
        sw_cli_print(cli, "the journal's beginning");
    else
        sw_cli_print(cli, "the snapshot at %" PRIu64, report->begin);
    if (report->compared > 0)
        sw_cli_print(cli, "; %" PRIu64 " are in the snapshot as they were", report->compared);
    if (report->others > 0)
        sw_cli_print(
            cli,
            "; %" PRIu64
            " ran on another engine, or a module that is not kept any more, and were left out",
            report->others);
    sw_cli_print(cli, "\n");
}

static enum sw_rc replay_one(struct replay *replay, const char *folder, struct sw_err *err)
{
    struct sw_replay_options options = {.loop = replay->loop,
                                        .host_path = replay->host,
                                        .folder = folder,
                                        .machine_code = {.ctx = replay, .get = code_get},
                                        .ctx = replay,
                                        .on_trouble = on_trouble};
    struct sw_frame_replayed report;
    enum sw_rc rc;

    replay->journal = folder;
    rc = sw_replay_run(&options, &report, err);
    if (rc == SW_OK)
        print_report(replay, &report);
    return rc;
}

enum sw_rc sw_operator_replay(struct sw_cli *cli, const char *data, struct sw_err *err)
{
    struct sw_operator_journals journals;
    struct replay replay = {.cli = cli};
    enum sw_rc rc = sw_operator_find_journals(cli, data, &journals, err);

    if (rc != SW_OK)
        return rc;
    rc = open_all(&replay, data, err);
    for (size_t i = 0; i < journals.count && rc == SW_OK; i++)
        rc = replay_one(&replay, journals.folders[i], err);
    if (rc == SW_OK && replay.troubles > 0) {
        rc = sw_err_set(err, SW_E_CORRUPT,
                        "%" PRIu64 " times the replay came to something else than is recorded",
                        replay.troubles);
        sw_err_hint(err, "if Swarm or a module's file was changed by hand, put it back; otherwise "
                         "keep a copy of the data folder and report this");
    }
    close_all(&replay);
    return rc;
}

enum sw_rc sw_operator_journal_replay(struct sw_cli *cli, struct sw_err *err)
{
    return sw_operator_replay(cli, sw_operator_data_folder(cli), err);
}
