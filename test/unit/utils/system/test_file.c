#include "pkg/utils/system/system.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* A system that is the real one until its countdown ends, when one call fails as a full disk does.
 */
struct faulty {
    struct sw_system system;
    unsigned calls_left; /* 0: never fails. */
    bool has_failed;
    char folder[64];
};

static bool fails_now(struct faulty *faulty)
{
    if (faulty->calls_left == 0 || --faulty->calls_left > 0)
        return false;
    faulty->has_failed = true;
    return true;
}

static enum sw_rc full(struct sw_err *err)
{
    return sw_err_set(err, SW_E_EXHAUSTED, "disk full");
}

static enum sw_rc faulty_open(void *ctx, const char *path, unsigned mode, int *ret_file,
                              struct sw_err *err)
{
    return fails_now(ctx) ? full(err)
                          : sw_system_real()->file_open(NULL, path, mode, ret_file, err);
}

static enum sw_rc faulty_read(void *ctx, int file, uint64_t offset, void *ret_bytes, size_t size,
                              size_t *ret_size, struct sw_err *err)
{
    return fails_now(ctx)
               ? full(err)
               : sw_system_real()->file_read(NULL, file, offset, ret_bytes, size, ret_size, err);
}

static enum sw_rc faulty_write(void *ctx, int file, uint64_t offset, const void *bytes, size_t size,
                               struct sw_err *err)
{
    return fails_now(ctx) ? full(err)
                          : sw_system_real()->file_write(NULL, file, offset, bytes, size, err);
}

static enum sw_rc faulty_sync(void *ctx, int file, struct sw_err *err)
{
    return fails_now(ctx) ? full(err) : sw_system_real()->file_sync(NULL, file, err);
}

static enum sw_rc faulty_rename(void *ctx, const char *from, const char *to, struct sw_err *err)
{
    return fails_now(ctx) ? full(err) : sw_system_real()->path_rename(NULL, from, to, err);
}

static enum sw_rc faulty_folder_sync(void *ctx, const char *path, struct sw_err *err)
{
    return fails_now(ctx) ? full(err) : sw_system_real()->folder_sync(NULL, path, err);
}

static int setup(void **state)
{
    struct faulty *faulty = calloc(1, sizeof *faulty);

    faulty->system = *sw_system_real();
    faulty->system.ctx = faulty;
    faulty->system.file_open = faulty_open;
    faulty->system.file_read = faulty_read;
    faulty->system.file_write = faulty_write;
    faulty->system.file_sync = faulty_sync;
    faulty->system.path_rename = faulty_rename;
    faulty->system.folder_sync = faulty_folder_sync;
    (void)snprintf(faulty->folder, sizeof faulty->folder, "/tmp/swarm-file-XXXXXX");
    if (mkdtemp(faulty->folder) == NULL)
        return -1;
    *state = faulty;
    return 0;
}

static bool remove_entry(void *ctx, const char *name)
{
    const struct faulty *faulty = ctx;
    char path[SW_PATH_MAX];

    (void)snprintf(path, sizeof path, "%s/%s", faulty->folder, name);
    (void)unlink(path);
    return true;
}

static int teardown(void **state)
{
    struct faulty *faulty = *state;

    (void)sw_system_real()->folder_list(NULL, faulty->folder, remove_entry, faulty, NULL);
    (void)rmdir(faulty->folder);
    free(faulty);
    return 0;
}

static const char *path_of(const struct faulty *faulty, const char *name)
{
    static char path[SW_PATH_MAX];

    (void)snprintf(path, sizeof path, "%s/%s", faulty->folder, name);
    return path;
}

static bool count_entry(void *ctx, const char *name)
{
    (void)name;
    *(unsigned *)ctx += 1;
    return true;
}

static unsigned entries(const struct faulty *faulty)
{
    unsigned count = 0;

    assert_int_equal(sw_system_real()->folder_list(NULL, faulty->folder, count_entry, &count, NULL),
                     SW_OK);
    return count;
}

static void what_was_saved_is_loaded(void **state)
{
    struct faulty *f = *state;
    struct sw_err err = {0};
    struct sw_buffer out;
    static uint8_t bytes[200000];

    sw_buffer_init(&out, 1u << 20);
    f->system.random(NULL, bytes, sizeof bytes);
    sw_buffer_put_text(&out, "before");
    assert_int_equal(sw_file_save(&f->system, path_of(f, "a"), bytes, sizeof bytes, &err), SW_OK);
    assert_int_equal(sw_file_load(&f->system, path_of(f, "a"), sizeof bytes, &out, &err), SW_OK);
    assert_int_equal(out.size, 6 + sizeof bytes);
    assert_memory_equal(out.data, "before", 6);
    assert_memory_equal(out.data + 6, bytes, sizeof bytes);
    assert_int_equal(entries(f), 1);
    sw_buffer_done(&out);
}

static void an_empty_file_is_saved_and_loaded(void **state)
{
    struct faulty *f = *state;
    struct sw_err err = {0};
    struct sw_buffer out;

    sw_buffer_init(&out, 1024);
    assert_int_equal(sw_file_save(&f->system, path_of(f, "a"), NULL, 0, &err), SW_OK);
    assert_int_equal(sw_file_load(&f->system, path_of(f, "a"), 0, &out, &err), SW_OK);
    assert_int_equal(out.size, 0);
    sw_buffer_done(&out);
}

static void a_file_beyond_the_limit_is_refused_whole(void **state)
{
    struct faulty *f = *state;
    struct sw_err err = {0};
    struct sw_buffer out;

    sw_buffer_init(&out, 1u << 20);
    assert_int_equal(sw_file_save(&f->system, path_of(f, "a"), "abcd", 4, &err), SW_OK);
    assert_int_equal(sw_file_load(&f->system, path_of(f, "a"), 3, &out, &err), SW_E_RANGE);
    assert_non_null(strstr(err.message, path_of(f, "a")));
    assert_int_equal(out.size, 0);
    sw_buffer_done(&out);
}

static void a_buffer_too_small_is_told(void **state)
{
    struct faulty *f = *state;
    struct sw_err err = {0};
    struct sw_buffer out;

    sw_buffer_init(&out, 2);
    assert_int_equal(sw_file_save(&f->system, path_of(f, "a"), "abcd", 4, &err), SW_OK);
    assert_int_equal(sw_file_load(&f->system, path_of(f, "a"), 100, &out, &err), SW_E_EXHAUSTED);
    sw_buffer_done(&out);
}

static void loading_what_is_not_there_fails(void **state)
{
    struct faulty *f = *state;
    struct sw_err err = {0};
    struct sw_buffer out;

    sw_buffer_init(&out, 2);
    assert_int_equal(sw_file_load(&f->system, path_of(f, "a"), 1, &out, &err), SW_E_NOT_FOUND);
}

static void a_failed_save_leaves_the_old_content(void **state)
{
    struct faulty *f = *state;
    struct sw_err err = {0};
    unsigned failures = 0;

    assert_int_equal(sw_file_save(&f->system, path_of(f, "a"), "old", 3, &err), SW_OK);
    for (unsigned nth = 1;; nth++) {
        struct sw_buffer out;

        f->calls_left = nth;
        f->has_failed = false;
        enum sw_rc rc = sw_file_save(&f->system, path_of(f, "a"), "new", 3, &err);
        f->calls_left = 0;
        if (!f->has_failed) {
            assert_int_equal(rc, SW_OK);
            break;
        }
        failures++;
        assert_int_equal(rc, SW_E_EXHAUSTED);
        assert_non_null(strstr(err.message, "disk full"));
        sw_buffer_init(&out, 16);
        assert_int_equal(sw_file_load(&f->system, path_of(f, "a"), 16, &out, &err), SW_OK);
        /* Only the sync of the folder comes after the rename. */
        assert_memory_equal(out.data, nth < 5 ? "old" : "new", 3);
        assert_int_equal(entries(f), 1);
        sw_buffer_done(&out);
    }
    assert_int_equal(failures, 5);
}

static void a_failed_read_gives_back_nothing(void **state)
{
    struct faulty *f = *state;
    struct sw_err err = {0};
    struct sw_buffer out;

    sw_buffer_init(&out, 1024);
    assert_int_equal(sw_file_save(&f->system, path_of(f, "a"), "abc", 3, &err), SW_OK);
    f->calls_left = 2;
    assert_int_equal(sw_file_load(&f->system, path_of(f, "a"), 10, &out, &err), SW_E_EXHAUSTED);
    assert_int_equal(out.size, 0);
    sw_buffer_done(&out);
}

static void a_path_too_long_is_refused(void **state)
{
    struct faulty *f = *state;
    static char path[SW_PATH_MAX];
    struct sw_err err = {0};

    memset(path, 'a', sizeof path - 1);
    assert_int_equal(sw_file_save(&f->system, path, "a", 1, &err), SW_E_INVALID);
}

static void a_bare_name_is_saved_in_the_current_folder(void **state)
{
    struct faulty *f = *state;
    struct sw_err err = {0};
    char before[SW_PATH_MAX];

    assert_non_null(getcwd(before, sizeof before));
    assert_int_equal(chdir(f->folder), 0);
    assert_int_equal(sw_file_save(&f->system, "bare", "a", 1, &err), SW_OK);
    assert_int_equal(chdir(before), 0);
    assert_int_equal(entries(f), 1);
}

static void the_root_folder_is_found_for_a_file_in_it(void **state)
{
    struct faulty *f = *state;
    struct sw_err err = {0};

    /* Fails at its first step, after the folder was found; nothing is written to the root. */
    f->calls_left = 1;
    assert_int_equal(sw_file_save(&f->system, "/swarm-test", "a", 1, &err), SW_E_EXHAUSTED);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(what_was_saved_is_loaded),
        TEST(an_empty_file_is_saved_and_loaded),
        TEST(a_file_beyond_the_limit_is_refused_whole),
        TEST(a_buffer_too_small_is_told),
        TEST(loading_what_is_not_there_fails),
        TEST(a_failed_save_leaves_the_old_content),
        TEST(a_failed_read_gives_back_nothing),
        TEST(a_path_too_long_is_refused),
        TEST(a_bare_name_is_saved_in_the_current_folder),
        TEST(the_root_folder_is_found_for_a_file_in_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
