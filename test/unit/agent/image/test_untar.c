/* Archives made here, header by header, as good and bad ones come. */
#include "pkg/agent/image/untar.h"
#include "pkg/agent/image/tar.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct fixture {
    struct sw_untar untar;
    struct sw_untar_options options;
    struct sw_buffer archive, told; /* What was told, in words. */
    struct sw_err err;
    enum sw_rc refuses; /* What the callback for entries returns. */
};

static enum sw_rc on_entry(void *ctx, const struct sw_untar_entry *entry, struct sw_err *err)
{
    struct fixture *f = ctx;

    sw_buffer_print(&f->told, "%s%s%s %llu\n", entry->path, entry->is_folder ? "/" : "",
                    entry->is_program ? "*" : "", (unsigned long long)entry->size_bytes);
    return f->refuses == SW_OK ? SW_OK : sw_err_set(err, f->refuses, "no");
}

static enum sw_rc on_data(void *ctx, struct sw_bytes bytes, struct sw_err *err)
{
    struct fixture *f = ctx;

    (void)err;
    sw_buffer_put(&f->told, bytes.data, bytes.size);
    return SW_OK;
}

static enum sw_rc on_end(void *ctx, struct sw_err *err)
{
    struct fixture *f = ctx;

    (void)err;
    sw_buffer_put_text(&f->told, ".\n");
    return SW_OK;
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    f->options = (struct sw_untar_options){.bytes_max = 10000,
                                           .files_max = 5,
                                           .ctx = f,
                                           .entry = on_entry,
                                           .data = on_data,
                                           .end = on_end};
    sw_buffer_init(&f->archive, 1 << 20);
    sw_buffer_init(&f->told, 1 << 20);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    sw_buffer_done(&f->archive);
    sw_buffer_done(&f->told);
    free(f);
    return 0;
}

/* A header with a right sum, and the bytes, padded. mode is octal text; prefix may be "". */
static void put(struct fixture *f, const char *prefix, const char *name, char kind,
                const char *mode, const char *bytes)
{
    char block[SW_UNTAR_BLOCK] = {0};
    unsigned sum = 0;

    memcpy(block, name, strlen(name));
    memcpy(block + 100, mode, strlen(mode));
    (void)snprintf(block + 124, 12, "%011o", (unsigned)strlen(bytes) & 0xffffff);
    memset(block + 148, ' ', 8);
    block[156] = kind;
    memcpy(block + 257,
           "ustar\0"
           "00",
           8);
    memcpy(block + 345, prefix, strlen(prefix));
    for (size_t i = 0; i < sizeof block; i++)
        sum += (unsigned char)block[i];
    (void)snprintf(block + 148, 8, "%06o", sum & 0x3ffff);
    sw_buffer_put(&f->archive, block, sizeof block);
    sw_buffer_put(&f->archive, bytes, strlen(bytes));
    while (f->archive.size % SW_UNTAR_BLOCK != 0)
        sw_buffer_put_u8(&f->archive, 0);
}

static void put_end(struct fixture *f)
{
    for (unsigned i = 0; i < 2 * SW_UNTAR_BLOCK; i++)
        sw_buffer_put_u8(&f->archive, 0);
}

static enum sw_rc read_in(struct fixture *f, size_t piece)
{
    enum sw_rc rc = SW_OK;

    sw_untar_init(&f->untar, &f->options);
    sw_buffer_reset(&f->told);
    for (size_t at = 0; rc == SW_OK && at < f->archive.size; at += piece) {
        size_t left = f->archive.size - at;

        rc = sw_untar_add(&f->untar,
                          (struct sw_bytes){f->archive.data + at, left < piece ? left : piece},
                          &f->err);
    }
    if (rc == SW_OK)
        rc = sw_untar_finish(&f->untar, &f->err);
    sw_buffer_put_u8(&f->told, 0);
    return rc;
}

static void files_and_folders_are_told_however_they_come(void **state)
{
    static const size_t pieces[] = {1, 7, 512, 700, 100000};
    struct fixture *f = *state;

    put(f, "", "./", '5', "0000755", "");
    put(f, "", "./app/", '5', "0000755", "");
    put(f, "", "app/main.py", '0', "0000644", "print(1)");
    put(f, "long/prefix", "run", '\0', "0000755", "#!");
    put(f, "", "empty", '0', "644", "");
    put_end(f);
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
        assert_int_equal(read_in(f, pieces[i]), SW_OK);
        assert_string_equal((char *)f->told.data, "app/* 0\napp/main.py 8\nprint(1).\n"
                                                  "long/prefix/run* 2\n#!.\nempty 0\n.\n");
    }
}

static void refused(struct fixture *f, const char *words)
{
    assert_int_equal(read_in(f, 100), SW_E_INVALID);
    if (strstr(f->err.message, words) == NULL)
        fail_msg("%s", f->err.message);
    sw_buffer_reset(&f->archive);
}

static void paths_that_lead_elsewhere_are_refused(void **state)
{
    static const char *const paths[] = {"../x", "/etc/x", "a/../../x", "a//x", "a/./x",
                                        "a\nb", "..",     "a\x7f",     "\xff"};
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        put(f, "", paths[i], '0', "0000644", "x");
        refused(f, "leads elsewhere");
        assert_string_equal((char *)f->told.data, "");
    }
    put(f, "..", "x", '0', "0000644", "x");
    refused(f, "leads elsewhere");
    put(f, "", "", '0', "0000644", "x");
    refused(f, "no name");
}

static void what_is_no_file_is_refused(void **state)
{
    static const char kinds[] = "123467xgL";
    struct fixture *f = *state;

    for (size_t i = 0; i + 1 < sizeof kinds; i++) {
        put(f, "", "thing", kinds[i], "0000644", "");
        refused(f, kinds[i] == '1' || kinds[i] == '2' ? "a link" : "neither a file nor a folder");
    }
}

static void damage_is_found(void **state)
{
    struct fixture *f = *state;

    put(f, "", "file", '0', "0000644", "text");
    refused(f, "cut"); /* It has no end. */
    put(f, "", "file", '0', "0000644", "text");
    f->archive.size = 514;
    refused(f, "cut");
    put(f, "", "file", '0', "0000644", "text");
    f->archive.data[3]++;
    refused(f, "damaged");
    put(f, "", "file", '0', "mode", "text");
    refused(f, "damaged");
    put(f, "", "file", '0', "0000644", "text");
    memcpy(f->archive.data + 257, "gnu??", 5);
    refused(f, "damaged");
}

static void limits_hold(void **state)
{
    struct fixture *f = *state;
    char text[9001] = "";

    memset(text, 'x', sizeof text - 1);
    for (unsigned i = 0; i < 5; i++)
        put(f, "", "file", '0', "0000644", "");
    put_end(f);
    assert_int_equal(read_in(f, 512), SW_OK);
    f->archive.size -= 2 * SW_UNTAR_BLOCK;
    put(f, "", "file", '0', "0000644", "");
    assert_int_equal(read_in(f, 512), SW_E_EXHAUSTED);
    sw_buffer_reset(&f->archive);
    put(f, "", "file", '0', "0000644", text);
    put(f, "", "file", '0', "0000644", text);
    assert_int_equal(read_in(f, 512), SW_E_EXHAUSTED);
}

static void what_a_callback_says_ends_it(void **state)
{
    struct fixture *f = *state;

    put(f, "", "file", '0', "0000644", "text");
    put_end(f);
    f->refuses = SW_E_DENIED;
    assert_int_equal(read_in(f, 512), SW_E_DENIED);
}

static void what_is_written_is_read(void **state)
{
    struct fixture *f = *state;
    char path[260];

    assert_int_equal(sw_tar_put_file(&f->archive, "main.py", 5, false, &f->err), SW_OK);
    sw_buffer_put_text(&f->archive, "print");
    sw_tar_put_padding(&f->archive, 5);
    memset(path, 'a', sizeof path);
    path[100] = '/';
    path[150] = path[200] = '\0';
    assert_int_equal(sw_tar_put_file(&f->archive, path, 0, true, &f->err), SW_OK);
    sw_tar_put_end(&f->archive);
    assert_int_equal(read_in(f, 512), SW_OK);
    assert_memory_equal(f->told.data, "main.py 5\nprint.\naaa", 20);
    assert_non_null(strstr((char *)f->told.data, "/aaa"));
    assert_non_null(strstr((char *)f->told.data, "a* 0\n.\n"));

    path[100] = 'a'; /* One name that is too long, and a path that is. */
    assert_int_equal(sw_tar_put_file(&f->archive, path, 0, false, &f->err), SW_E_INVALID);
    path[150] = path[200] = 'a';
    path[200] = '/';
    path[259] = '\0';
    assert_int_equal(sw_tar_put_file(&f->archive, path, 0, false, &f->err), SW_E_INVALID);
    assert_int_equal(sw_tar_put_file(&f->archive, "x", UINT64_MAX, false, &f->err), SW_E_INVALID);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(files_and_folders_are_told_however_they_come),
        TEST(paths_that_lead_elsewhere_are_refused),
        TEST(what_is_no_file_is_refused),
        TEST(damage_is_found),
        TEST(limits_hold),
        TEST(what_a_callback_says_ends_it),
        TEST(what_is_written_is_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
