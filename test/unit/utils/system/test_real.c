#include "pkg/utils/system/system.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

struct fixture {
    const struct sw_system *system;
    char folder[64];
    struct sw_err err;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    f->system = sw_system_real();
    (void)snprintf(f->folder, sizeof f->folder, "/tmp/swarm-system-XXXXXX");
    if (mkdtemp(f->folder) == NULL)
        return -1;
    *state = f;
    return 0;
}

struct removal {
    struct fixture *f;
    const char *folder;
};

static bool remove_entry(void *ctx, const char *name)
{
    struct removal *removal = ctx;
    char path[SW_PATH_MAX];

    (void)snprintf(path, sizeof path, "%s/%s", removal->folder, name);
    if (removal->f->system->path_remove(NULL, path, NULL) == SW_OK)
        return true;
    struct removal inner = {removal->f, path};
    (void)removal->f->system->folder_list(NULL, path, remove_entry, &inner, NULL);
    (void)rmdir(path);
    return true;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    struct removal removal = {f, f->folder};

    (void)f->system->folder_list(NULL, f->folder, remove_entry, &removal, NULL);
    (void)rmdir(f->folder);
    free(f);
    return 0;
}

static const char *path_of(struct fixture *f, const char *name)
{
    static char path[SW_PATH_MAX];

    (void)snprintf(path, sizeof path, "%s/%s", f->folder, name);
    return path;
}

static int create(struct fixture *f, const char *name)
{
    int file = -1;

    assert_int_equal(f->system->file_open(NULL, path_of(f, name),
                                          SW_FILE_READ | SW_FILE_WRITE | SW_FILE_CREATE, &file,
                                          &f->err),
                     SW_OK);
    return file;
}

static void clocks_run_forward(void **state)
{
    struct fixture *f = *state;
    uint64_t first = f->system->monotonic_ns(NULL);
    uint64_t second = f->system->monotonic_ns(NULL);

    assert_true(second >= first);
    assert_true(f->system->utc_ns(NULL) > 1600000000ull * 1000000000ull);
}

static void random_fills_every_size(void **state)
{
    struct fixture *f = *state;
    static const uint8_t zeros[1024];
    static uint8_t one[1024], other[1024];

    f->system->random(NULL, one, sizeof one);
    f->system->random(NULL, other, sizeof other);
    assert_memory_not_equal(one, other, sizeof one);
    assert_memory_not_equal(one + 512, zeros, 512);
    f->system->random(NULL, one, 0);
}

static void writes_are_read_back_at_their_offset(void **state)
{
    struct fixture *f = *state;
    int file = create(f, "a");
    char bytes[16] = {0};
    size_t got = 0;

    assert_int_equal(f->system->file_write(NULL, file, 3, "abc", 3, &f->err), SW_OK);
    assert_int_equal(f->system->file_read(NULL, file, 0, bytes, sizeof bytes, &got, &f->err),
                     SW_OK);
    assert_int_equal(got, 6);
    assert_memory_equal(bytes, "\0\0\0abc", 6);
    assert_int_equal(f->system->file_sync(NULL, file, &f->err), SW_OK);
    f->system->file_close(NULL, file);
}

static void a_read_past_the_end_yields_nothing(void **state)
{
    struct fixture *f = *state;
    int file = create(f, "a");
    char byte = 'x';
    size_t got = 9;

    assert_int_equal(f->system->file_read(NULL, file, 100, &byte, 1, &got, &f->err), SW_OK);
    assert_int_equal(got, 0);
    f->system->file_close(NULL, file);
}

static void offsets_out_of_range_are_refused(void **state)
{
    struct fixture *f = *state;
    int file = create(f, "a");
    char byte = 'x';
    size_t got = 0;

    assert_int_equal(f->system->file_read(NULL, file, UINT64_MAX, &byte, 1, &got, &f->err),
                     SW_E_INVALID);
    assert_int_equal(f->system->file_write(NULL, file, UINT64_MAX, &byte, 1, &f->err),
                     SW_E_INVALID);
    assert_int_equal(f->system->file_truncate(NULL, file, UINT64_MAX, &f->err), SW_E_INVALID);
    assert_int_equal(f->system->file_allocate(NULL, file, UINT64_MAX, &f->err), SW_E_INVALID);
    assert_int_equal(f->system->file_allocate(NULL, file, 0, &f->err), SW_E_INVALID);
    f->system->file_close(NULL, file);
}

static void calls_on_a_wrong_descriptor_fail_with_words(void **state)
{
    struct fixture *f = *state;
    char byte = 'x';
    size_t got = 0;

    assert_int_equal(f->system->file_read(NULL, -1, 0, &byte, 1, &got, &f->err), SW_E_INTERNAL);
    assert_non_null(strstr(f->err.message, "read"));
    assert_int_not_equal(f->system->file_write(NULL, -1, 0, &byte, 1, &f->err), SW_OK);
    assert_int_not_equal(f->system->file_sync(NULL, -1, &f->err), SW_OK);
    assert_int_not_equal(f->system->file_truncate(NULL, -1, 0, &f->err), SW_OK);
    assert_int_not_equal(f->system->file_allocate(NULL, -1, 1, &f->err), SW_OK);
    assert_int_not_equal(f->system->file_written_end(NULL, -1, &(uint64_t){0}, &f->err), SW_OK);
}

static void open_tells_absent_existing_and_pointless(void **state)
{
    struct fixture *f = *state;
    const char *path = path_of(f, "a");
    int file = -7;

    assert_int_equal(f->system->file_open(NULL, path, SW_FILE_READ, &file, &f->err),
                     SW_E_NOT_FOUND);
    assert_int_equal(f->system->file_open(NULL, path, SW_FILE_CREATE, &file, &f->err),
                     SW_E_INVALID);
    assert_int_equal(file, -7);
    f->system->file_close(NULL, create(f, "a"));
    assert_int_equal(f->system->file_open(NULL, path,
                                          SW_FILE_WRITE | SW_FILE_CREATE | SW_FILE_EXCLUSIVE, &file,
                                          &f->err),
                     SW_E_EXISTS);
}

static void truncate_and_allocate_set_the_size(void **state)
{
    struct fixture *f = *state;
    struct sw_file_view view;
    int file = create(f, "a");

    assert_int_equal(f->system->file_allocate(NULL, file, 8192, &f->err), SW_OK);
    assert_int_equal(f->system->path_view(NULL, path_of(f, "a"), &view, &f->err), SW_OK);
    assert_int_equal(view.size_bytes, 8192);
    assert_int_equal(f->system->file_truncate(NULL, file, 10, &f->err), SW_OK);
    assert_int_equal(f->system->path_view(NULL, path_of(f, "a"), &view, &f->err), SW_OK);
    assert_int_equal(view.size_bytes, 10);
    assert_true(view.is_regular);
    assert_false(view.is_folder);
    assert_false(view.is_link);
    assert_true(view.modified_ns > 0);
    f->system->file_close(NULL, file);
}

static void a_file_is_locked_by_one_at_a_time(void **state)
{
    struct fixture *f = *state;
    const struct sw_system *system = f->system;
    char path[SW_PATH_MAX], other[SW_PATH_MAX];
    int file = create(f, "a"), second, third;

    snprintf(path, sizeof path, "%s", path_of(f, "a"));
    snprintf(other, sizeof other, "%s", path_of(f, "b"));
    assert_int_equal(system->file_lock(NULL, file, path, &f->err), SW_OK);
    assert_int_equal(system->file_open(NULL, path, SW_FILE_WRITE, &second, &f->err), SW_OK);
    assert_int_equal(system->file_lock(NULL, second, path, &f->err), SW_E_UNAVAILABLE);
    /* Whose file it was has closed it, but that path leads to it no more. */
    assert_int_equal(system->path_rename(NULL, path, other, &f->err), SW_OK);
    system->file_close(NULL, file);
    assert_int_equal(system->file_lock(NULL, second, path, &f->err), SW_E_UNAVAILABLE);
    system->file_close(NULL, second);
    assert_int_equal(system->file_open(NULL, other, SW_FILE_WRITE, &third, &f->err), SW_OK);
    assert_int_equal(system->file_lock(NULL, third, other, &f->err), SW_OK);
    system->file_close(NULL, third);
    assert_int_not_equal(system->file_lock(NULL, -1, other, &f->err), SW_OK);
}

static void the_end_of_what_was_written_is_told(void **state)
{
    struct fixture *f = *state;
    int file = create(f, "a");
    uint64_t end = 7;

    assert_int_equal(f->system->file_written_end(NULL, file, &end, &f->err), SW_OK);
    assert_int_equal(end, 0);
    assert_int_equal(f->system->file_allocate(NULL, file, 1 << 20, &f->err), SW_OK);
    assert_int_equal(f->system->file_write(NULL, file, 10, "x", 1, &f->err), SW_OK);
    assert_int_equal(f->system->file_write(NULL, file, 500000, "x\0", 2, &f->err), SW_OK);
    assert_int_equal(f->system->file_written_end(NULL, file, &end, &f->err), SW_OK);
    assert_in_range(end, 500002, 1 << 20); /* A zero that was written counts, too. */
    assert_int_equal(f->system->file_truncate(NULL, file, 500000, &f->err), SW_OK);
    assert_int_equal(f->system->file_written_end(NULL, file, &end, &f->err), SW_OK);
    assert_in_range(end, 11, 500000);
    f->system->file_close(NULL, file);
}

static void a_link_is_told_from_what_it_leads_to(void **state)
{
    struct fixture *f = *state;
    struct sw_file_view view;

    f->system->file_close(NULL, create(f, "a"));
    assert_int_equal(symlink("a", path_of(f, "b")), 0);
    assert_int_equal(f->system->path_view(NULL, path_of(f, "b"), &view, &f->err), SW_OK);
    assert_true(view.is_link);
    assert_true(view.is_regular);
    assert_int_equal(f->system->path_remove(NULL, path_of(f, "b"), &f->err), SW_OK);
}

static void opening_with_truncate_empties_the_file(void **state)
{
    struct fixture *f = *state;
    struct sw_file_view view;
    int file = create(f, "a");

    assert_int_equal(f->system->file_write(NULL, file, 0, "abc", 3, &f->err), SW_OK);
    f->system->file_close(NULL, file);
    assert_int_equal(f->system->file_open(NULL, path_of(f, "a"), SW_FILE_WRITE | SW_FILE_TRUNCATE,
                                          &file, &f->err),
                     SW_OK);
    assert_int_equal(f->system->path_view(NULL, path_of(f, "a"), &view, &f->err), SW_OK);
    assert_int_equal(view.size_bytes, 0);
    f->system->file_close(NULL, file);
}

static void folders_are_made_with_their_parents(void **state)
{
    struct fixture *f = *state;
    struct sw_file_view view;

    assert_int_equal(f->system->folder_make(NULL, path_of(f, "x/y//z"), &f->err), SW_OK);
    assert_int_equal(f->system->folder_make(NULL, path_of(f, "x/y/z/"), &f->err), SW_OK);
    assert_int_equal(f->system->path_view(NULL, path_of(f, "x/y/z"), &view, &f->err), SW_OK);
    assert_true(view.is_folder);
    assert_int_equal(f->system->folder_sync(NULL, path_of(f, "x"), &f->err), SW_OK);
}

static void folders_that_cannot_be_made_are_refused(void **state)
{
    struct fixture *f = *state;
    static char path[SW_PATH_MAX + 10];

    f->system->file_close(NULL, create(f, "a"));
    assert_int_equal(f->system->folder_make(NULL, path_of(f, "a"), &f->err), SW_E_EXISTS);
    assert_int_not_equal(f->system->folder_make(NULL, path_of(f, "a/b/c"), &f->err), SW_OK);
    assert_int_equal(f->system->folder_make(NULL, "", &f->err), SW_E_INVALID);
    memset(path, 'a', sizeof path - 1);
    assert_int_equal(f->system->folder_make(NULL, path, &f->err), SW_E_INVALID);
    assert_int_equal(f->system->folder_sync(NULL, path_of(f, "none"), &f->err), SW_E_NOT_FOUND);
}

static bool count_entry(void *ctx, const char *name)
{
    unsigned *count = ctx;

    assert_string_not_equal(name, ".");
    assert_string_not_equal(name, "..");
    *count += 1;
    return *count < 2;
}

static void a_listing_stops_when_told(void **state)
{
    struct fixture *f = *state;
    unsigned count = 0;

    f->system->file_close(NULL, create(f, "a"));
    assert_int_equal(f->system->folder_list(NULL, f->folder, count_entry, &count, &f->err), SW_OK);
    assert_int_equal(count, 1);
    f->system->file_close(NULL, create(f, "b"));
    f->system->file_close(NULL, create(f, "c"));
    count = 0;
    assert_int_equal(f->system->folder_list(NULL, f->folder, count_entry, &count, &f->err), SW_OK);
    assert_int_equal(count, 2);
    assert_int_equal(f->system->folder_list(NULL, path_of(f, "none"), count_entry, &count, &f->err),
                     SW_E_NOT_FOUND);
}

static void rename_and_remove_move_names(void **state)
{
    struct fixture *f = *state;
    char to[SW_PATH_MAX];
    struct sw_file_view view;

    f->system->file_close(NULL, create(f, "a"));
    (void)snprintf(to, sizeof to, "%s/b", f->folder);
    assert_int_equal(f->system->path_rename(NULL, path_of(f, "a"), to, &f->err), SW_OK);
    assert_int_equal(f->system->path_view(NULL, path_of(f, "a"), &view, &f->err), SW_E_NOT_FOUND);
    assert_int_equal(f->system->path_rename(NULL, path_of(f, "a"), to, &f->err), SW_E_NOT_FOUND);
    assert_int_equal(f->system->path_remove(NULL, to, &f->err), SW_OK);
    assert_int_equal(f->system->path_remove(NULL, to, &f->err), SW_E_NOT_FOUND);
}

static void an_empty_folder_is_removed_and_a_full_one_stays(void **state)
{
    struct fixture *f = *state;
    char folder[SW_PATH_MAX], file[SW_PATH_MAX];
    int opened;

    (void)snprintf(folder, sizeof folder, "%s/inner", f->folder);
    (void)snprintf(file, sizeof file, "%s/inner/a", f->folder);
    assert_int_equal(f->system->folder_make(NULL, folder, &f->err), SW_OK);
    assert_int_equal(
        f->system->file_open(NULL, file, SW_FILE_WRITE | SW_FILE_CREATE, &opened, &f->err), SW_OK);
    f->system->file_close(NULL, opened);
    assert_int_not_equal(f->system->path_remove(NULL, folder, &f->err), SW_OK);
    assert_int_equal(f->system->path_remove(NULL, file, &f->err), SW_OK);
    assert_int_equal(f->system->path_remove(NULL, folder, &f->err), SW_OK);
}

/* What is copied may be written over in place. */
static void a_copy_stays_when_the_file_changes(void **state)
{
    struct fixture *f = *state;
    char from[SW_PATH_MAX], to[SW_PATH_MAX];
    struct sw_buffer found;
    int file;

    (void)snprintf(from, sizeof from, "%s/from", f->folder);
    (void)snprintf(to, sizeof to, "%s/to", f->folder);
    assert_int_equal(sw_file_save(f->system, from, "before", 6, &f->err), SW_OK);
    assert_int_equal(f->system->path_copy(NULL, from, to, &f->err), SW_OK);
    assert_int_equal(f->system->file_open(NULL, from, SW_FILE_WRITE, &file, &f->err), SW_OK);
    assert_int_equal(f->system->file_write(NULL, file, 0, "behind", 6, &f->err), SW_OK);
    f->system->file_close(NULL, file);
    sw_buffer_init(&found, 16);
    assert_int_equal(sw_file_load(f->system, to, 16, &found, &f->err), SW_OK);
    assert_int_equal(found.size, 6);
    assert_memory_equal(found.data, "before", 6);
    sw_buffer_done(&found);
}

/* Also from file systems that share nothing, one of which says that its files are empty. */
static void a_copy_has_what_the_file_has(void **state)
{
    struct fixture *f = *state;
    const char *const sources[] = {"/proc/self/exe", "/proc/version"};
    struct sw_buffer one, other;
    char to[SW_PATH_MAX];

    (void)snprintf(to, sizeof to, "%s/copy", f->folder);
    for (int i = 0; i < 2; i++) {
        sw_buffer_init(&one, (size_t)1 << 28);
        sw_buffer_init(&other, (size_t)1 << 28);
        assert_int_equal(f->system->path_copy(NULL, sources[i], to, &f->err), SW_OK);
        assert_int_equal(sw_file_load(f->system, sources[i], (size_t)1 << 28, &one, &f->err),
                         SW_OK);
        assert_int_equal(sw_file_load(f->system, to, (size_t)1 << 28, &other, &f->err), SW_OK);
        assert_true(one.size > 0);
        assert_int_equal(one.size, other.size);
        assert_memory_equal(one.data, other.data, one.size);
        assert_int_equal(access(to, X_OK), i == 0 ? 0 : -1);
        assert_int_not_equal(f->system->path_copy(NULL, sources[i], to, &f->err), SW_OK);
        assert_int_equal(f->system->path_remove(NULL, to, &f->err), SW_OK);
        sw_buffer_done(&one);
        sw_buffer_done(&other);
    }
    assert_int_equal(f->system->path_copy(NULL, "/nowhere", to, &f->err), SW_E_NOT_FOUND);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(clocks_run_forward),
        TEST(random_fills_every_size),
        TEST(writes_are_read_back_at_their_offset),
        TEST(a_read_past_the_end_yields_nothing),
        TEST(offsets_out_of_range_are_refused),
        TEST(calls_on_a_wrong_descriptor_fail_with_words),
        TEST(open_tells_absent_existing_and_pointless),
        TEST(truncate_and_allocate_set_the_size),
        TEST(a_file_is_locked_by_one_at_a_time),
        TEST(the_end_of_what_was_written_is_told),
        TEST(a_link_is_told_from_what_it_leads_to),
        TEST(opening_with_truncate_empties_the_file),
        TEST(folders_are_made_with_their_parents),
        TEST(folders_that_cannot_be_made_are_refused),
        TEST(a_listing_stops_when_told),
        TEST(rename_and_remove_move_names),
        TEST(an_empty_folder_is_removed_and_a_full_one_stays),
        TEST(a_copy_stays_when_the_file_changes),
        TEST(a_copy_has_what_the_file_has),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
