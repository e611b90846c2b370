/* A data folder as it was at one call, read later, while everything in it goes on. */
/* labels: threaded */
/* uses: pkg/backup/archive pkg/agent/store pkg/store pkg/store/sqlite pkg/utils/system
 * pkg/agent/engines */
#include "pkg/backup/backup.h"

#include "pkg/agent/engines/engines.h"
#include "pkg/agent/store/journal.h"
#include "pkg/backup/unpack.h"
#include "pkg/store/sqlite/sqlite.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#define HOST "data/hosts/agent-0a-1"
#define HEX64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define MODULE "data/modules/default/" HEX64 ".wasm"
#define SHARED 0
#define LONE 1

struct world {
    char folder[64];
    struct sw_store *store;
    struct sw_journal *journals[2];
    struct sw_backup *backup;
    uint8_t engine_key[SW_ENGINE_KEY_SIZE];
    bool has_engines;
};

static const char *const folders[] = {"data/agents", HOST "/agents"};

static const struct sw_system *system_of(void)
{
    return sw_system_real();
}

static void save_text(const char *path, const char *text)
{
    struct sw_err err = {0};

    if (sw_file_save(system_of(), path, text, strlen(text), &err) != SW_OK)
        fail_msg("%s", err.message);
}

/* Nothing is committed by a loop here: whoever posts is served at once. */
static enum sw_rc post(void *ctx, void (*call)(void *argument), void *argument)
{
    (void)ctx;
    call(argument);
    return SW_OK;
}

static void on_fatal(void *ctx, const struct sw_err *err)
{
    (void)ctx;
    fail_msg("%s", err->message);
}

static void open_journal(struct world *world, int which)
{
    const struct sw_journal_options options = {
        .system = system_of(), .folder = folders[which], .segment_bytes = 65536};
    struct sw_err err = {0};

    if (sw_journal_open(&options, NULL, NULL, &world->journals[which], &err) != SW_OK)
        fail_msg("%s", err.message);
}

static int setup(void **state)
{
    const struct sw_sqlite_options options = {.system = system_of(),
                                              .path = "data/store.db",
                                              .post = {.post = post},
                                              .on_fatal = on_fatal};
    struct world *world = calloc(1, sizeof *world);
    struct sw_err err = {0};

    assert_non_null(world);
    (void)snprintf(world->folder, sizeof world->folder, "/tmp/swarm-backup-XXXXXX");
    assert_non_null(mkdtemp(world->folder));
    assert_int_equal(chdir(world->folder), 0);
    assert_int_equal(system_of()->folder_make(NULL, "data/modules/default", NULL), SW_OK);
    if (sw_sqlite_open(&options, &world->store, &err) != SW_OK)
        fail_msg("%s", err.message);
    open_journal(world, SHARED);
    open_journal(world, LONE);
    save_text(HOST "/host", "agent/default/lone\n");
    save_text("data/agents-journal", "000102030405060708090a0b0c0d0e0f");
    save_text(MODULE, "a module");
    *state = world;
    return 0;
}

static int teardown(void **state)
{
    struct world *world = *state;

    sw_backup_free(world->backup);
    sw_journal_close(world->journals[SHARED]);
    sw_journal_close(world->journals[LONE]);
    sw_store_free(world->store);
    assert_int_equal(chdir("/"), 0);
    assert_int_equal(sw_unpack_remove(system_of(), world->folder, NULL), SW_OK);
    free(world);
    return 0;
}

static void happen(struct world *world, int which)
{
    static const uint8_t record[100];
    struct sw_journal_place place;

    assert_int_equal(sw_journal_append(world->journals[which],
                                       (struct sw_bytes){record, sizeof record}, &place, NULL),
                     SW_OK);
    assert_int_equal(sw_journal_commit(world->journals[which], NULL), SW_OK);
}

static enum sw_rc try_begin(struct world *world, struct sw_err *err)
{
    struct sw_backup_options options = {.system = system_of(),
                                        .data_folder = "data",
                                        .cluster = "swarm",
                                        .node = "node-1",
                                        .engine_key =
                                            world->has_engines ? world->engine_key : NULL};
    enum sw_rc rc;

    sw_backup_free(world->backup);
    world->backup = NULL;
    rc = sw_backup_new(&options, &world->backup, err);
    return rc == SW_OK ? sw_backup_prepare(world->backup, err) : rc;
}

static void begin(struct world *world)
{
    struct sw_err err = {0};

    if (try_begin(world, &err) != SW_OK)
        fail_msg("%s", err.message);
}

static void cut(struct world *world)
{
    struct sw_err err = {0};

    if (sw_backup_cut(world->backup, &err) != SW_OK)
        fail_msg("%s", err.message);
}

/* Read all of it, in pieces of so many bytes, into a folder. */
static void finish(struct world *world, size_t piece, const char *folder,
                   struct sw_manifest *ret_manifest)
{
    SW_CLEANUP(sw_unpack_freep) struct sw_unpack *unpack = NULL;
    const struct sw_manifest *manifest = NULL;
    struct sw_backup_view view;
    uint8_t *bytes = malloc(piece);
    size_t got = piece;
    uint64_t sum = 0;
    struct sw_err err = {0};
    enum sw_rc rc = sw_backup_gather(world->backup, &err);

    assert_non_null(bytes);
    if (rc == SW_OK)
        rc = sw_unpack_new(system_of(), folder, &unpack, &err);
    for (; rc == SW_OK && got == piece; sum += got) {
        rc = sw_backup_read(world->backup, bytes, piece, &got, &err);
        if (rc == SW_OK)
            rc = sw_unpack_feed(unpack, (struct sw_bytes){bytes, got}, &err);
    }
    if (rc == SW_OK)
        rc = sw_unpack_finish(unpack, &manifest, &err);
    if (rc != SW_OK)
        fail_msg("%s", err.message);
    sw_backup_view(world->backup, &view);
    assert_int_equal(sum, view.bytes);
    *ret_manifest = *manifest;
    ret_manifest->files = NULL; /* They go with the unpacking. */
    ret_manifest->journals = NULL;
    free(bytes);
}

static uint64_t records_in(const char *folder)
{
    struct sw_journal_report report = {.records = 0};
    struct sw_err err = {0};

    if (sw_journal_scan(system_of(), folder, NULL, NULL, &report, &err) != SW_OK)
        fail_msg("%s", err.message);
    return report.records;
}

/* What happened between preparing and the point is in it, of all hosts alike: that is what makes
 * them one point. */
static void all_of_it_is_of_the_call_that_cuts(void **state)
{
    struct world *world = *state;
    struct sw_manifest manifest;

    happen(world, SHARED);
    happen(world, LONE);
    begin(world);
    for (int i = 0; i < 5; i++) {
        happen(world, SHARED);
        happen(world, LONE);
    }
    save_text("data/modules/default/1" HEX64 ".wasm", "no module's name");
    cut(world);
    happen(world, LONE);
    happen(world, SHARED);
    finish(world, 1000, "copy", &manifest);
    assert_int_equal(records_in("copy/agents"), 6);
    assert_int_equal(records_in("copy/hosts/agent-0a-1/agents"), 6);
    assert_int_equal(manifest.journals_count, 2);
    assert_int_equal(manifest.timeline, 1);
    assert_int_equal(manifest.files_count, 6); /* Two segments, two texts, a module, the store. */
    assert_int_equal(access("copy/modules/default/" HEX64 ".wasm", F_OK), 0);
    assert_int_equal(access("copy/hosts/agent-0a-1/host", F_OK), 0);
    assert_int_not_equal(access("data/store.db.copy", F_OK), 0);
}

/* Its records are its own, and it begins where it was begun anew. */
static void the_ledger_is_in_it_as_it_was_at_the_point(void **state)
{
    const struct sw_journal_options options = {
        .system = system_of(), .folder = "data/ledger", .segment_bytes = 65536};
    struct sw_journal *own[2];
    struct world *world = *state;
    struct sw_manifest manifest;

    own[0] = world->journals[SHARED];
    assert_int_equal(sw_journal_open(&options, NULL, NULL, &own[1], NULL), SW_OK);
    begin(world);
    world->journals[SHARED] = own[1];
    for (int i = 0; i < 5; i++)
        happen(world, SHARED);
    cut(world);
    happen(world, SHARED);
    world->journals[SHARED] = own[0];
    finish(world, 1000, "copy", &manifest);
    assert_int_equal(manifest.journals_count, 3);
    assert_int_equal(records_in("copy/ledger"), 5);
    sw_journal_close(own[1]);
}

static void it_may_be_read_in_pieces_of_any_size(void **state)
{
    static const size_t pieces[] = {1, 511, 513, 65536};
    struct world *world = *state;

    happen(world, SHARED);
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
        struct sw_manifest manifest;
        char folder[32];

        (void)snprintf(folder, sizeof folder, "copy-%zu", i);
        begin(world);
        cut(world);
        finish(world, pieces[i], folder, &manifest);
        assert_int_equal(manifest.files_count, 6);
    }
}

static void hosts_come_and_go_between_preparing_and_the_point(void **state)
{
    struct world *world = *state;
    struct sw_manifest manifest;

    begin(world);
    sw_journal_close(world->journals[LONE]);
    world->journals[LONE] = NULL;
    assert_int_equal(system_of()->path_rename(NULL, HOST, "data/hosts/gone-agent-0a-1-00", NULL),
                     SW_OK);
    cut(world);
    finish(world, 4096, "without", &manifest);
    assert_int_equal(manifest.journals_count, 1);
    begin(world);
    assert_int_equal(system_of()->path_rename(NULL, "data/hosts/gone-agent-0a-1-00", HOST, NULL),
                     SW_OK);
    open_journal(world, LONE);
    happen(world, LONE);
    cut(world);
    finish(world, 4096, "with", &manifest);
    assert_int_equal(manifest.journals_count, 2);
    assert_int_equal(records_in("with/hosts/agent-0a-1/agents"), 1);
}

static void a_host_that_was_never_up_is_none_and_one_that_lost_its_journal_is_told(void **state)
{
    struct world *world = *state;
    struct sw_manifest manifest;
    struct sw_err err = {0};

    assert_int_equal(system_of()->folder_make(NULL, "data/hosts/namespace-new/agents", NULL),
                     SW_OK);
    begin(world);
    cut(world);
    finish(world, 4096, "copy", &manifest);
    assert_int_equal(manifest.journals_count, 2);
    save_text("data/hosts/namespace-new/agents-journal", "000102030405060708090a0b0c0d0e0f");
    assert_int_equal(try_begin(world, &err), SW_E_CORRUPT);
    assert_non_null(strstr(err.message, "namespace-new/agents is gone"));
}

static void an_engine_goes_along_and_is_sealed_anew(void **state)
{
    struct world *world = *state;
    const struct sw_engines_place place = {system_of(), "data/engines", world->engine_key};
    const uint8_t other_key[SW_ENGINE_KEY_SIZE] = {1};
    const struct sw_engines_place restored = {system_of(), "copy/engines", other_key};
    static const struct sw_engine_files files = {"host", "compiler", "library"};
    char name[SW_ENGINE_NAME_SIZE], path[256];
    struct sw_manifest manifest;
    struct sw_engine engine;
    struct sw_err err = {0};

    save_text("host", "a program");
    save_text("compiler", "another one");
    save_text("library", "a library");
    assert_int_equal(sw_engine_keep(&place, "abi 1, wasmtime 2", &files, &err), SW_OK);
    sw_engine_name("abi 1, wasmtime 2", name);
    world->has_engines = true;
    begin(world);
    cut(world);
    finish(world, 4096, "copy", &manifest);
    assert_int_equal(manifest.engines_count, 1);
    assert_int_equal(manifest.files_count, 9);
    (void)snprintf(path, sizeof path, "copy/engines/%s/swarm-agent-host", name);
    assert_int_equal(access(path, X_OK), 0);
    assert_int_equal(sw_engine_open(&restored, name, &engine, &err), SW_E_NOT_FOUND);
    assert_int_equal(sw_engine_seal(&restored, HEX64, "abi 1, wasmtime 2", &err), SW_E_INVALID);
    assert_int_equal(sw_engine_seal(&restored, name, "abi 1, wasmtime 2", &err), SW_OK);
    assert_int_equal(sw_engine_open(&restored, name, &engine, &err), SW_OK);
    assert_string_equal(engine.fingerprint, "abi 1, wasmtime 2");
}

static void one_that_is_cancelled_ends_and_what_it_left_is_swept(void **state)
{
    struct world *world = *state;
    struct sw_err err = {0};

    begin(world);
    happen(world, SHARED);
    sw_backup_cancel(world->backup);
    assert_int_equal(sw_backup_cut(world->backup, &err), SW_E_CANCELLED);
    save_text("data/store.db.copy.partial", "half of it");
    save_text("data/store.db.copy", "all of it");
    assert_int_equal(sw_backup_sweep(system_of(), "data", &err), SW_OK);
    assert_int_not_equal(access("data/store.db.copy.partial", F_OK), 0);
    assert_int_not_equal(access("data/store.db.copy", F_OK), 0);
    assert_int_equal(access("data/store.db", F_OK), 0);
}

static void a_file_that_shrinks_breaks_it_off(void **state)
{
    struct world *world = *state;
    uint8_t bytes[65536];
    struct sw_err err = {0};
    size_t got = 0;

    begin(world);
    cut(world);
    assert_int_equal(sw_backup_gather(world->backup, &err), SW_OK);
    assert_int_equal(truncate(MODULE, 3), 0);
    assert_int_equal(sw_backup_read(world->backup, bytes, sizeof bytes, &got, &err), SW_E_CORRUPT);
    assert_non_null(strstr(err.message, "became shorter"));
}

static void a_restored_folder_says_so_and_its_backups_do(void **state)
{
    struct world *world = *state;
    const struct sw_manifest of = {.id = "000102030405060708090a0b0c0d0e0f",
                                   .cluster = "swarm",
                                   .node = "node-1",
                                   .utc_ns = 1700000000000000000u,
                                   .timeline = 4};
    struct sw_lineage lineage, loaded;
    struct sw_manifest manifest;
    struct sw_err err = {0};

    assert_int_equal(sw_lineage_load(system_of(), "data", &loaded, &err), SW_E_NOT_FOUND);
    assert_int_equal(loaded.timeline, 1);
    sw_lineage_of(&of, 1700000001000000000u, &lineage);
    assert_int_equal(sw_lineage_save(system_of(), "data", &lineage, &err), SW_OK);
    assert_int_equal(sw_lineage_load(system_of(), "data", &loaded, &err), SW_OK);
    assert_int_equal(loaded.timeline, 5);
    assert_int_equal(loaded.point_ns, of.utc_ns);
    assert_int_equal(loaded.restored_ns, 1700000001000000000u);
    assert_string_equal(loaded.node, "node-1");
    begin(world);
    cut(world);
    finish(world, 4096, "copy", &manifest);
    assert_int_equal(manifest.timeline, 5);
    save_text("data/restored", "swarm-restored 1\nbackup nothing\n");
    assert_int_equal(sw_lineage_load(system_of(), "data", &loaded, &err), SW_E_CORRUPT);
}

static void unpacking_makes_a_new_folder_or_nothing(void **state)
{
    SW_CLEANUP(sw_unpack_freep) struct sw_unpack *unpack = NULL;
    struct sw_err err = {0};

    (void)state;
    assert_int_equal(sw_unpack_new(system_of(), "data", &unpack, &err), SW_E_EXISTS);
    assert_int_equal(sw_unpack_new(system_of(), "new/folder", &unpack, &err), SW_OK);
    assert_int_equal(sw_unpack_feed(unpack, (struct sw_bytes){"no backup", 9}, &err), SW_OK);
    assert_int_equal(symlink("/etc", "new/folder/away"), 0);
    assert_int_equal(sw_unpack_remove(system_of(), "new/folder", &err), SW_OK);
    assert_int_equal(access("/etc/passwd", F_OK), 0);
    assert_int_equal(system_of()->folder_make(NULL, "deep/1/2/3/4/5/6/7", NULL), SW_OK);
    assert_int_equal(sw_unpack_remove(system_of(), "deep", &err), SW_E_RANGE);
    assert_int_equal(sw_unpack_remove(system_of(), "deep/1/2", &err), SW_OK);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(all_of_it_is_of_the_call_that_cuts),
        TEST(the_ledger_is_in_it_as_it_was_at_the_point),
        TEST(it_may_be_read_in_pieces_of_any_size),
        TEST(hosts_come_and_go_between_preparing_and_the_point),
        TEST(a_host_that_was_never_up_is_none_and_one_that_lost_its_journal_is_told),
        TEST(an_engine_goes_along_and_is_sealed_anew),
        TEST(one_that_is_cancelled_ends_and_what_it_left_is_swept),
        TEST(a_file_that_shrinks_breaks_it_off),
        TEST(a_restored_folder_says_so_and_its_backups_do),
        TEST(unpacking_makes_a_new_folder_or_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
