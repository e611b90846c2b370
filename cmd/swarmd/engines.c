#include "cmd/swarmd/engines.h"

#include "pkg/agent/abi/class.h"
#include "pkg/agent/controller/replayer.h"
#include "pkg/agent/hosts/hosts.h"
#include "pkg/agent/programs/programs.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define PACK_MS_MAX 600000u
#define OLDER_MAX 16
#define LIBRARY "lib/swarm/libwasmtime.so" /* Beside libexec, as it is built and installed. */

static struct sw_engines_place place_of(const struct engines *engines)
{
    return (struct sw_engines_place){engines->system, engines->folder, engines->key};
}

/* --- Packing --------------------------------------------------------------------------------- */

struct older { /* Names of engines that are not ours. */
    char own[SW_ENGINE_NAME_SIZE];
    char names[OLDER_MAX][SW_ENGINE_NAME_SIZE];
    size_t count;
};

static bool note_older(void *ctx, const char *name)
{
    struct older *older = ctx;

    if (strlen(name) == SW_ENGINE_NAME_SIZE - 1 && strcmp(name, older->own) != 0 &&
        older->count < OLDER_MAX)
        memcpy(older->names[older->count++], name, SW_ENGINE_NAME_SIZE);
    return true;
}

static enum sw_rc code_get(void *ctx, const char *name_space, const char *program,
                           sw_program_done *done, void *done_ctx, struct sw_err *err)
{
    const struct engines *engines = ctx;
    const struct sw_programs programs = {engines->modules, engines->compiler};

    (void)name_space;
    return sw_program_get(&programs, NULL, program, done, done_ctx, err);
}

static void on_trouble(void *ctx, const char *words)
{
    const struct engines *engines = ctx;

    sw_log(engines->logger, SW_LOG_WARN, "engines", "an older engine says: %s", words);
}

/* Its own compiler, for what is not in the cache, under the same key. */
static enum sw_rc run(struct engines *engines, const struct sw_engine *engine, const char *journal,
                      struct sw_frame_replayed *ret_report, struct sw_err *err)
{
    struct sw_compiler_options compiler = {.loop = engines->loop,
                                           .system = engines->system,
                                           .program = engine->files.compiler,
                                           .folder = engines->cache,
                                           .fingerprint = engine->fingerprint};
    struct sw_replay_options options = {.loop = engines->loop,
                                        .host_path = engine->files.host,
                                        .folder = journal,
                                        .is_pack = true,
                                        .library_folder = engine->folder,
                                        .timeout_ms = PACK_MS_MAX,
                                        .machine_code = {.ctx = engines, .get = code_get},
                                        .ctx = engines,
                                        .on_trouble = on_trouble};
    enum sw_rc rc;

    memcpy(compiler.key, engines->key, sizeof compiler.key);
    rc = sw_compiler_new(&compiler, &engines->compiler, err);
    if (rc != SW_OK)
        return rc;
    rc = sw_replay_run(&options, ret_report, err);
    sw_compiler_free(engines->compiler);
    engines->compiler = NULL;
    return rc;
}

struct packing { /* What an older engine does about all journals. */
    struct engines *engines;
    const struct sw_engine *engine;
    const char *name;
    bool is_through; /* It packed all that it was wanted for. */
};

static bool is_journal(void *ctx, const char *name)
{
    bool *ret_is_there = ctx;

    *ret_is_there = strncmp(name, "journal-", 8) == 0;
    return !*ret_is_there;
}

/* One host's journal. Each is tried, whatever became of the others. */
static bool pack_journal(void *ctx, const char *folder)
{
    struct packing *packing = ctx;
    struct engines *engines = packing->engines;
    const struct sw_system *system = engines->system;
    char host[SW_HOST_NAME_SIZE];
    struct sw_frame_replayed report;
    bool is_there = false;
    struct sw_err err = {0};
    enum sw_rc rc = system->folder_list(system->ctx, folder, is_journal, &is_there, &err);

    if (rc == SW_E_NOT_FOUND || (rc == SW_OK && !is_there))
        return true;
    sw_hosts_name_of(system, folder, host);
    if (rc == SW_OK)
        rc = run(engines, packing->engine, folder, &report, &err);
    if (rc != SW_OK) {
        packing->is_through = false;
        sw_log(engines->logger, SW_LOG_WARN, "engines",
               "an older engine that is kept in %.200s/%.16s... cannot be used for the agent host "
               "%s: %.300s; instances whose last messages it handled are parked, and it is tried "
               "again at the next start",
               engines->folder, packing->name, host, err.message);
        return true;
    }
    sw_log(engines->logger, SW_LOG_INFO, "engines",
           "the engine \"%.200s\" packed %" PRIu64 " instances of the agent host %s and replayed "
           "%" PRIu64 " segments for this one to go on with",
           packing->engine->fingerprint, report.instances, host, report.segments);
    packing->is_through = packing->is_through && report.troubles == 0;
    return true;
}

static void pack_one(struct engines *engines, const char *name)
{
    struct sw_engines_place place = place_of(engines);
    static struct sw_engine engine; /* Large, and one at a time. */
    struct packing packing = {engines, &engine, name, true};
    struct sw_err err = {0};
    enum sw_rc rc = sw_engine_open(&place, name, &engine, &err);

    if (rc == SW_E_NOT_FOUND) { /* It was never whole. */
        sw_engine_remove(&place, name);
        return;
    }
    if (rc == SW_OK)
        rc = sw_hosts_folders(engines->system, engines->data_folder, pack_journal, &packing, &err);
    if (rc != SW_OK)
        sw_log(engines->logger, SW_LOG_WARN, "engines",
               "an older engine that is kept in %.200s/%.16s... cannot be used: %.300s; instances "
               "whose last messages it handled are parked, and it is tried again at the next start",
               engines->folder, name, err.message);
    else if (packing.is_through)
        sw_engine_remove(&place, name);
}

void engines_pack(struct engines *engines)
{
    struct sw_engines_place place = place_of(engines);
    struct older older = {.count = 0};
    struct sw_err err = {0};

    sw_engine_name(SW_ABI_FINGERPRINT, older.own);
    if (sw_engines_list(&place, note_older, &older, &err) != SW_OK)
        sw_log(engines->logger, SW_LOG_WARN, "engines", "%s", err.message);
    for (size_t i = 0; i < older.count; i++)
        pack_one(engines, older.names[i]);
}

/* --- Keeping --------------------------------------------------------------------------------- */

/* LIBEXEC/swarm-agent-host has its library in LIBEXEC/../lib/swarm. */
static enum sw_rc files_find(const struct engines *engines, struct sw_engine_files *ret_files,
                             struct sw_err *err)
{
    const char *slash = strrchr(engines->host_path, '/');
    int size = slash == NULL ? 0 : (int)(slash - engines->host_path);

    (void)snprintf(ret_files->host, SW_PATH_MAX, "%s", engines->host_path);
    (void)snprintf(ret_files->compiler, SW_PATH_MAX, "%s", engines->compiler_path);
    return snprintf(ret_files->library, SW_PATH_MAX, "%.*s/../" LIBRARY, size, engines->host_path) <
                   SW_PATH_MAX
               ? SW_OK
               : sw_err_set(err, SW_E_INVALID, "the path of the agent host is too long");
}

static void keep(void *ctx)
{
    struct engines *engines = ctx;
    struct sw_engines_place place = place_of(engines);
    static struct sw_engine_files files; /* Large, and this runs once. */
    enum sw_rc rc = files_find(engines, &files, &engines->failure);

    if (rc == SW_OK)
        rc = sw_engine_keep(&place, SW_ABI_FINGERPRINT, &files, &engines->failure);
    if (rc == SW_OK)
        engines->failure.rc = SW_OK;
}

static void on_kept(void *ctx)
{
    const struct engines *engines = ctx;

    if (engines->failure.rc != SW_OK)
        sw_log(engines->logger, SW_LOG_WARN, "engines",
               "this engine cannot be kept beside the data: %s; should Swarm be updated after a "
               "crash, instances may have to wait for it",
               engines->failure.message);
}

void engines_keep(struct engines *engines)
{
    engines->failure = (struct sw_err){0};
    if (sw_loop_work(engines->loop, keep, on_kept, engines) != SW_OK)
        sw_log(engines->logger, SW_LOG_WARN, "engines", "no memory to keep this engine");
}
