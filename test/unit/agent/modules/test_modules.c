#include "pkg/agent/modules/bundle.h"
#include "pkg/agent/modules/modules.h"
#include "pkg/security/crypto/digest.h"
#include "test/unit/agent/modules/build.h"

#include <unistd.h>

struct fixture {
    struct sw_modules *modules;
    char folder[64];
    struct sw_buffer module;
    char digest[SW_DIGEST_TEXT_SIZE];
    struct sw_err err;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct parts parts = valid_parts();
    char path[128];

    (void)snprintf(f->folder, sizeof f->folder, "/tmp/swarm-modules-XXXXXX");
    if (mkdtemp(f->folder) == NULL)
        return -1;
    (void)snprintf(path, sizeof path, "%s/modules", f->folder);
    if (sw_modules_open(sw_system_real(), path, &f->modules, &f->err) != SW_OK)
        return -1;
    sw_buffer_init(&f->module, 1024);
    build(&parts, &f->module);
    sw_digest_text_of(f->module.data, f->module.size, f->digest);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    char command[128];

    sw_modules_close(f->modules);
    sw_buffer_done(&f->module);
    (void)snprintf(command, sizeof command, "rm -rf %s", f->folder);
    int rc = system(command);
    free(f);
    return rc;
}

static struct sw_bytes bytes_of(const struct fixture *f)
{
    return (struct sw_bytes){f->module.data, f->module.size};
}

static void path_in(const struct fixture *f, const char *namespace, char path[SW_PATH_MAX])
{
    (void)snprintf(path, SW_PATH_MAX, "%s/modules/%s/%s.wasm", f->folder, namespace, f->digest + 7);
}

static void what_was_pushed_is_there_again(void **state)
{
    struct fixture *f = *state;
    struct sw_buffer out;

    sw_buffer_init(&out, 4096);
    assert_false(sw_modules_has(f->modules, "default", f->digest));
    assert_int_equal(sw_modules_put(f->modules, "default", f->digest, bytes_of(f), &f->err), SW_OK);
    assert_true(sw_modules_has(f->modules, "default", f->digest));
    assert_int_equal(sw_modules_put(f->modules, "default", f->digest, bytes_of(f), &f->err), SW_OK);
    assert_int_equal(sw_modules_get(f->modules, "default", f->digest, &out, &f->err), SW_OK);
    assert_int_equal(out.size, f->module.size);
    assert_memory_equal(out.data, f->module.data, out.size);
    sw_buffer_done(&out);
}

static void a_module_may_come_in_pieces(void **state)
{
    struct fixture *f = *state;
    struct sw_module_push *push = NULL;
    struct sw_module_view view;

    assert_int_equal(sw_module_push_new(f->modules, "default", f->digest, &push, &f->err), SW_OK);
    for (size_t i = 0; i < f->module.size; i++)
        assert_int_equal(
            sw_module_push_add(push, (struct sw_bytes){f->module.data + i, 1}, &f->err), SW_OK);
    assert_false(sw_modules_has(f->modules, "default", f->digest));
    assert_int_equal(sw_module_push_finish(push, &view, &f->err), SW_OK);
    assert_int_equal(view.functions_count, 2);
    assert_true(sw_modules_has(f->modules, "default", f->digest));
    sw_module_push_free(push);
}

static void namespaces_do_not_see_each_other(void **state)
{
    struct fixture *f = *state;
    struct sw_buffer out;

    sw_buffer_init(&out, 4096);
    assert_int_equal(sw_modules_put(f->modules, "one", f->digest, bytes_of(f), &f->err), SW_OK);
    assert_false(sw_modules_has(f->modules, "other", f->digest));
    assert_int_equal(sw_modules_get(f->modules, "other", f->digest, &out, &f->err), SW_E_NOT_FOUND);
    assert_non_null(strstr(f->err.message, "never pushed to namespace other"));
}

static void names_that_could_leave_the_folder_are_refused(void **state)
{
    static const char *const namespaces[] = {"..", "a/b", "", "A", "-", "a."};
    static const char *const digests[] = {"", "sha256:", "sha256:../../x", "md5:00"};
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof namespaces / sizeof namespaces[0]; i++) {
        assert_int_equal(sw_modules_put(f->modules, namespaces[i], f->digest, bytes_of(f), &f->err),
                         SW_E_INVALID);
        assert_false(sw_modules_has(f->modules, namespaces[i], f->digest));
    }
    for (size_t i = 0; i < sizeof digests / sizeof digests[0]; i++)
        assert_int_equal(sw_modules_put(f->modules, "default", digests[i], bytes_of(f), &f->err),
                         SW_E_INVALID);
}

static void another_digest_is_refused(void **state)
{
    struct fixture *f = *state;

    f->module.data[f->module.size - 1] ^= 1;
    assert_int_equal(sw_modules_put(f->modules, "default", f->digest, bytes_of(f), &f->err),
                     SW_E_INVALID);
    assert_non_null(strstr(f->err.message, "has the digest sha256:"));
    assert_false(sw_modules_has(f->modules, "default", f->digest));
}

static void what_is_not_valid_is_not_stored(void **state)
{
    struct fixture *f = *state;

    sw_digest_text_of("no module", 9, f->digest);
    assert_int_equal(sw_modules_put(f->modules, "default", f->digest, BYTES("no module"), &f->err),
                     SW_E_INVALID);
    assert_string_equal(f->err.message, "this is not a WebAssembly module");
    assert_false(sw_modules_has(f->modules, "default", f->digest));
}

static void a_damaged_file_is_never_handed_out(void **state)
{
    struct fixture *f = *state;
    struct sw_buffer out;
    char path[SW_PATH_MAX];

    sw_buffer_init(&out, 4096);
    sw_buffer_put_text(&out, "before");
    assert_int_equal(sw_modules_put(f->modules, "default", f->digest, bytes_of(f), &f->err), SW_OK);
    path_in(f, "default", path);
    assert_int_equal(sw_file_save(sw_system_real(), path, "damage", 6, &f->err), SW_OK);
    assert_int_equal(sw_modules_get(f->modules, "default", f->digest, &out, &f->err), SW_E_CORRUPT);
    assert_non_null(strstr(f->err.hint, "push the module again"));
    assert_int_equal(out.size, 6);
    sw_buffer_done(&out);
}

static void pushes_are_bounded_in_size(void **state)
{
    struct fixture *f = *state;
    struct sw_module_push *push = NULL;
    static const char part[1 << 20];
    enum sw_rc rc = SW_OK;

    assert_int_equal(sw_module_push_new(f->modules, "default", f->digest, &push, &f->err), SW_OK);
    for (int i = 0; i < 32; i++)
        assert_int_equal(sw_module_push_add(push, (struct sw_bytes){part, sizeof part}, &f->err),
                         SW_OK);
    rc = sw_module_push_add(push, (struct sw_bytes){part, 1}, &f->err);
    assert_int_equal(rc, SW_E_EXHAUSTED);
    assert_int_equal(sw_module_push_finish(push, NULL, &f->err), SW_E_EXHAUSTED);
    sw_module_push_free(push);
}

static void pushes_are_bounded_in_number(void **state)
{
    struct fixture *f = *state;
    struct sw_module_push *all[SW_MODULE_PUSHES_MAX + 1];

    for (size_t i = 0; i < SW_MODULE_PUSHES_MAX; i++)
        assert_int_equal(sw_module_push_new(f->modules, "default", f->digest, &all[i], &f->err),
                         SW_OK);
    assert_int_equal(
        sw_module_push_new(f->modules, "default", f->digest, &all[SW_MODULE_PUSHES_MAX], &f->err),
        SW_E_EXHAUSTED);
    sw_module_push_free(all[0]);
    assert_int_equal(sw_module_push_new(f->modules, "default", f->digest, &all[0], &f->err), SW_OK);
    for (size_t i = 0; i < SW_MODULE_PUSHES_MAX; i++)
        sw_module_push_free(all[i]);
}

static void a_folder_that_cannot_be_made_is_told(void **state)
{
    static char path[SW_PATH_MAX + 1];
    struct fixture *f = *state;
    struct sw_modules *modules = NULL;

    memset(path, 'x', sizeof path - 1);
    assert_int_equal(sw_modules_open(sw_system_real(), path, &modules, &f->err), SW_E_INVALID);
    assert_int_not_equal(sw_modules_open(sw_system_real(), "/proc/none", &modules, &f->err), SW_OK);
    assert_null(modules);
}

static bool note_one(void *ctx, const struct sw_module_name *name)
{
    char(*seen)[2 * sizeof *name] = ctx;
    size_t size = strlen(*seen);

    (void)snprintf(*seen + size, sizeof *seen - size, "%s ", name->namespace);
    return strlen(name->digest) == SW_DIGEST_TEXT_SIZE - 1;
}

static void what_is_removed_is_gone_and_its_folder_with_the_last(void **state)
{
    struct fixture *f = *state;
    struct sw_module_name name = {.namespace = "one"};
    char seen[2 * sizeof name] = "", path[SW_PATH_MAX];

    (void)snprintf(name.digest, sizeof name.digest, "%s", f->digest);
    assert_int_equal(sw_modules_each(f->modules, note_one, &seen, &f->err), SW_OK);
    assert_string_equal(seen, "");
    assert_int_equal(sw_modules_put(f->modules, "one", f->digest, bytes_of(f), &f->err), SW_OK);
    assert_int_equal(sw_modules_put(f->modules, "two", f->digest, bytes_of(f), &f->err), SW_OK);
    path_in(f, "two", path);
    (void)memcpy(path + strlen(path) - 4, "half", 4); /* As a crash may leave it. */
    assert_int_equal(sw_file_save(sw_system_real(), path, "", 0, &f->err), SW_OK);
    assert_int_equal(sw_modules_each(f->modules, note_one, &seen, &f->err), SW_OK);
    assert_true(strcmp(seen, "one two ") == 0 || strcmp(seen, "two one ") == 0);
    assert_int_equal(sw_modules_remove(f->modules, &name, &f->err), SW_OK);
    assert_int_equal(sw_modules_remove(f->modules, &name, &f->err), SW_OK);
    assert_false(sw_modules_has(f->modules, "one", f->digest));
    assert_true(sw_modules_has(f->modules, "two", f->digest));
    (void)snprintf(path, sizeof path, "%s/modules/one", f->folder);
    assert_int_equal(access(path, F_OK), -1);
    (void)snprintf(name.namespace, sizeof name.namespace, "..");
    assert_int_equal(sw_modules_remove(f->modules, &name, &f->err), SW_E_INVALID);
    assert_int_equal(sw_modules_put(f->modules, "one", f->digest, bytes_of(f), &f->err), SW_OK);
}

/* --- What is said to be there outlives a loss of power --------------------------------------- */

static struct syncs { /* What a disk that is watched was asked to make durable. */
    char folders[256];
    size_t prefix;
    int fails_at; /* The call of that number fails; 0: none. */
    int folders_count, files_count;
} syncs;

static enum sw_rc watch_folder_sync(void *ctx, const char *path, struct sw_err *err)
{
    size_t used = strlen(syncs.folders);

    syncs.folders_count++;
    (void)snprintf(syncs.folders + used, sizeof syncs.folders - used, "%s ", path + syncs.prefix);
    if (syncs.folders_count == syncs.fails_at)
        return sw_err_set(err, SW_E_INTERNAL, "the disk fails");
    return sw_system_real()->folder_sync(ctx, path, err);
}

static enum sw_rc watch_file_sync(void *ctx, int file, struct sw_err *err)
{
    syncs.files_count++;
    return sw_system_real()->file_sync(ctx, file, err);
}

/* Open the modules again, over a disk that is watched. */
static void open_watched(struct fixture *f, struct sw_system *ret_system)
{
    char path[128];

    *ret_system = *sw_system_real();
    ret_system->folder_sync = watch_folder_sync;
    ret_system->file_sync = watch_file_sync;
    syncs = (struct syncs){.prefix = strlen(f->folder) + 1};
    (void)snprintf(path, sizeof path, "%s/modules", f->folder);
    sw_modules_close(f->modules);
    f->modules = NULL;
    assert_int_equal(sw_modules_open(ret_system, path, &f->modules, &f->err), SW_OK);
}

static void what_is_acknowledged_is_durable(void **state)
{
    struct fixture *f = *state;
    struct sw_system system;

    open_watched(f, &system);
    syncs.folders[0] = '\0';
    assert_int_equal(sw_modules_put(f->modules, "default", f->digest, bytes_of(f), &f->err), SW_OK);
    assert_int_equal(syncs.files_count, 1);
    assert_string_equal(syncs.folders, "modules modules/default ");
}

static void what_could_not_be_made_durable_is_not_there(void **state)
{
    struct fixture *f = *state;
    struct sw_system system;

    for (int fails_at = 1; fails_at <= 2; fails_at++) {
        open_watched(f, &system);
        syncs.fails_at = syncs.folders_count + fails_at;
        assert_int_equal(sw_modules_put(f->modules, "default", f->digest, bytes_of(f), &f->err),
                         SW_E_INTERNAL);
        assert_false(sw_modules_has(f->modules, "default", f->digest));
    }
    assert_int_equal(sw_modules_put(f->modules, "default", f->digest, bytes_of(f), &f->err), SW_OK);
}

/* The process before may have ended just when a file had got its name. */
static void what_is_found_at_the_start_is_made_durable(void **state)
{
    struct fixture *f = *state;
    struct sw_system system;
    struct sw_modules *modules = NULL;
    char path[128];

    assert_int_equal(sw_modules_put(f->modules, "default", f->digest, bytes_of(f), &f->err), SW_OK);
    open_watched(f, &system);
    assert_string_equal(syncs.folders, "modules modules/default ");
    (void)snprintf(path, sizeof path, "%s/modules", f->folder);
    syncs.fails_at = syncs.folders_count + 2;
    assert_int_equal(sw_modules_open(&system, path, &modules, &f->err), SW_E_INTERNAL);
    assert_null(modules);
}

static bool count_one(void *ctx, const struct sw_module_name *name)
{
    (void)name;
    ++*(int *)ctx;
    return true;
}

static void what_is_no_namespace_is_passed_over(void **state)
{
    struct fixture *f = *state;
    int count = 0;
    struct sw_system system;
    char path[128];
    FILE *file;

    (void)snprintf(path, sizeof path, "%s/modules/notes", f->folder);
    file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fclose(file), 0);
    open_watched(f, &system);
    assert_string_equal(syncs.folders, "modules ");
    assert_int_equal(sw_modules_put(f->modules, "default", f->digest, bytes_of(f), &f->err), SW_OK);
    assert_int_equal(sw_modules_each(f->modules, count_one, &count, &f->err), SW_OK);
    assert_int_equal(count, 1);
}

/* --- Bundles --------------------------------------------------------------------------------- */

/* Push a bundle of that runtime, one with its payload's last byte cut off, if is_cut. */
static enum sw_rc put_bundle(struct fixture *f, const char *runtime, const char *payload,
                             bool is_cut, char ret_digest[SW_DIGEST_TEXT_SIZE])
{
    struct sw_buffer bytes;
    enum sw_rc rc;

    sw_buffer_init(&bytes, 1024);
    assert_int_equal(
        sw_bundle_put(runtime, (struct sw_bytes){payload, strlen(payload)}, &bytes, &f->err),
        SW_OK);
    bytes.size -= is_cut;
    sw_digest_text_of(bytes.data, bytes.size, ret_digest);
    rc = sw_modules_put(f->modules, "default", ret_digest,
                        (struct sw_bytes){bytes.data, bytes.size}, &f->err);
    assert_int_equal(sw_modules_has(f->modules, "default", ret_digest), rc == SW_OK);
    sw_buffer_done(&bytes);
    return rc;
}

static void a_bundle_needs_the_module_that_runs_it(void **state)
{
    struct fixture *f = *state;
    char digest[SW_DIGEST_TEXT_SIZE];

    assert_int_equal(sw_modules_put(f->modules, "other", f->digest, bytes_of(f), &f->err), SW_OK);
    assert_int_equal(put_bundle(f, f->digest, "payload", false, digest), SW_E_PRECONDITION);
    assert_non_null(strstr(f->err.message, f->digest));
    assert_non_null(strstr(f->err.hint, "push that module to the namespace first"));
    assert_int_equal(sw_modules_put(f->modules, "default", f->digest, bytes_of(f), &f->err), SW_OK);
    assert_int_equal(put_bundle(f, f->digest, "payload", false, digest), SW_OK);
    assert_int_equal(put_bundle(f, f->digest, "payload", false, digest), SW_OK); /* Again. */
}

static void what_swarmd_brings_along_runs_bundles_of_all(void **state)
{
    struct fixture *f = *state;
    struct sw_module_name name;
    char digest[SW_DIGEST_TEXT_SIZE];

    assert_int_equal(sw_modules_home(f->modules, "default", f->digest, &name), SW_E_NOT_FOUND);
    assert_int_equal(
        sw_modules_put(f->modules, SW_MODULES_PLATFORM, f->digest, bytes_of(f), &f->err), SW_OK);
    assert_int_equal(put_bundle(f, f->digest, "payload", false, digest), SW_OK);
    assert_int_equal(sw_modules_home(f->modules, "default", f->digest, &name), SW_OK);
    assert_string_equal(name.namespace, SW_MODULES_PLATFORM);
    assert_int_equal(sw_modules_put(f->modules, "default", f->digest, bytes_of(f), &f->err), SW_OK);
    assert_int_equal(sw_modules_home(f->modules, "default", f->digest, &name), SW_OK);
    assert_string_equal(name.namespace, "default");
    assert_string_equal(name.digest, f->digest);
}

static void a_bundle_that_is_no_good_is_not_stored(void **state)
{
    struct fixture *f = *state;
    char digest[SW_DIGEST_TEXT_SIZE], nested[SW_DIGEST_TEXT_SIZE];

    assert_int_equal(sw_modules_put(f->modules, "default", f->digest, bytes_of(f), &f->err), SW_OK);
    assert_int_equal(put_bundle(f, f->digest, "payload", true, digest), SW_E_INVALID);
    assert_non_null(strstr(f->err.message, "ends in its payload"));
    assert_int_equal(put_bundle(f, f->digest, "payload", false, digest), SW_OK);
    assert_int_equal(put_bundle(f, digest, "payload", false, nested), SW_E_INVALID);
    assert_non_null(strstr(f->err.message, "is a bundle itself"));
    assert_non_null(strstr(f->err.hint, f->digest));
}

static bool note_name(void *ctx, const struct sw_module_name *name)
{
    unsigned *count = ctx;

    assert_string_equal(name->namespace, "default");
    (*count)++;
    return true;
}

static void what_a_payload_names_and_is_there_is_found(void **state)
{
    struct fixture *f = *state;
    struct sw_module_name name = {.namespace = "default"};
    char other[SW_DIGEST_TEXT_SIZE], text[512];
    unsigned count = 0;

    assert_int_equal(sw_modules_put(f->modules, "default", f->digest, bytes_of(f), &f->err), SW_OK);
    assert_int_equal(put_bundle(f, f->digest, "image", false, other), SW_OK);
    (void)snprintf(text, sizeof text,
                   "{\"image\": \"%s\", \"gone\": \"sha256:%064d\", \"short\": \"sha256:12\"}",
                   other, 0);
    assert_int_equal(put_bundle(f, f->digest, text, false, name.digest), SW_OK);
    assert_int_equal(sw_modules_named(f->modules, &name, note_name, &count, &f->err), SW_OK);
    assert_int_equal(count, 1);
    (void)snprintf(name.digest, sizeof name.digest, "%s", f->digest); /* A module names none. */
    assert_int_equal(sw_modules_named(f->modules, &name, note_name, &count, &f->err), SW_OK);
    assert_int_equal(count, 1);
}

static void what_runs_a_bundle_is_read_from_its_beginning(void **state)
{
    struct fixture *f = *state;
    struct sw_module_name name = {.namespace = "default"};
    char runtime[SW_DIGEST_TEXT_SIZE];

    assert_int_equal(sw_modules_put(f->modules, "default", f->digest, bytes_of(f), &f->err), SW_OK);
    assert_int_equal(put_bundle(f, f->digest, "", false, name.digest), SW_OK);
    assert_int_equal(sw_modules_runtime(f->modules, &name, runtime, &f->err), SW_OK);
    assert_string_equal(runtime, f->digest);
    (void)snprintf(name.digest, sizeof name.digest, "%s", f->digest);
    assert_int_equal(sw_modules_runtime(f->modules, &name, runtime, &f->err), SW_E_NOT_FOUND);
    name.digest[20] ^= 1;
    assert_int_equal(sw_modules_runtime(f->modules, &name, runtime, &f->err), SW_E_NOT_FOUND);
    name.digest[0] = 'S';
    assert_int_equal(sw_modules_runtime(f->modules, &name, runtime, &f->err), SW_E_INVALID);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(what_was_pushed_is_there_again),
        TEST(a_module_may_come_in_pieces),
        TEST(namespaces_do_not_see_each_other),
        TEST(names_that_could_leave_the_folder_are_refused),
        TEST(another_digest_is_refused),
        TEST(what_is_not_valid_is_not_stored),
        TEST(a_damaged_file_is_never_handed_out),
        TEST(pushes_are_bounded_in_size),
        TEST(pushes_are_bounded_in_number),
        TEST(a_folder_that_cannot_be_made_is_told),
        TEST(what_is_removed_is_gone_and_its_folder_with_the_last),
        TEST(what_is_acknowledged_is_durable),
        TEST(what_could_not_be_made_durable_is_not_there),
        TEST(what_is_found_at_the_start_is_made_durable),
        TEST(what_is_no_namespace_is_passed_over),
        TEST(a_bundle_needs_the_module_that_runs_it),
        TEST(what_swarmd_brings_along_runs_bundles_of_all),
        TEST(a_bundle_that_is_no_good_is_not_stored),
        TEST(what_a_payload_names_and_is_there_is_found),
        TEST(what_runs_a_bundle_is_read_from_its_beginning),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
