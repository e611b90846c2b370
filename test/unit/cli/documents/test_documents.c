/* Files as messages: gzip, texts, parts and keys. */
#include "pkg/cli/documents/documents.h"

#include "pkg/utils/base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <zlib.h>

struct fixture {
    struct sw_buffer out, packed;
};

static int setup(void **state)
{
    static struct fixture fixture;

    sw_buffer_init(&fixture.out, 2 * SW_DOCUMENT_BYTES_MAX);
    sw_buffer_init(&fixture.packed, 2 * SW_DOCUMENT_BYTES_MAX);
    *state = &fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    sw_buffer_done(&f->out);
    sw_buffer_done(&f->packed);
    return 0;
}

static void pack(struct fixture *f, const void *bytes, size_t size)
{
    z_stream stream = {0};
    size_t bound;

    assert_int_equal(deflateInit2(&stream, 9, Z_DEFLATED, 31, 9, Z_DEFAULT_STRATEGY), Z_OK);
    bound = deflateBound(&stream, size) + 64;
    stream.next_in = (Bytef *)(uintptr_t)bytes;
    stream.avail_in = (uInt)size;
    stream.next_out = sw_buffer_reserve(&f->packed, bound);
    stream.avail_out = (uInt)bound;
    assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
    f->packed.size += stream.total_out;
    (void)deflateEnd(&stream);
}

static enum sw_rc open_packed(struct fixture *f)
{
    sw_buffer_reset(&f->out);
    return sw_document_open((struct sw_bytes){f->packed.data, f->packed.size}, &f->out);
}

static void assert_out(const struct fixture *f, const char *text)
{
    assert_int_equal(f->out.size, strlen(text));
    assert_memory_equal(f->out.data, text, strlen(text));
}

static void a_plain_file_is_taken_as_it_is(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(sw_document_open((struct sw_bytes){"plain", 5}, &f->out), SW_OK);
    assert_out(f, "plain");
}

static void gzip_is_opened_also_in_several_members_and_with_padding(void **state)
{
    struct fixture *f = *state;

    pack(f, "one ", 4);
    pack(f, "two", 3);
    sw_buffer_put(&f->packed, "\0\0\0\0", 4);
    assert_int_equal(open_packed(f), SW_OK);
    assert_out(f, "one two");
}

static void damaged_gzip_is_refused(void **state)
{
    struct fixture *f = *state;

    pack(f, "some text that is long enough to be packed", 42);
    f->packed.size -= 9;
    assert_int_equal(open_packed(f), SW_E_CORRUPT);
    f->packed.size += 9;
    f->packed.data[f->packed.size - 6] ^= 1; /* The checksum. */
    assert_int_equal(open_packed(f), SW_E_CORRUPT);
}

static void a_bomb_is_refused_at_the_limit(void **state)
{
    struct fixture *f = *state;
    size_t size = SW_DOCUMENT_BYTES_MAX + 1024;
    char *zeros = calloc(1, size);

    assert_non_null(zeros);
    pack(f, zeros, size);
    free(zeros);
    assert_true(f->packed.size < (1 << 20));
    assert_int_equal(open_packed(f), SW_E_RANGE);
}

static enum sw_rc read_text(struct fixture *f, const char *bytes, size_t size)
{
    sw_buffer_reset(&f->out);
    return sw_document_read_text((struct sw_bytes){bytes, size}, &f->out);
}

static void utf8_stays_and_latin1_becomes_utf8(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(read_text(f, "gr\xc3\xbc\xc3\x9f\t\f\n", 9), SW_OK);
    assert_out(f, "gr\xc3\xbc\xc3\x9f\t\f\n");
    assert_int_equal(read_text(f, "gr\xfc\xdf", 4), SW_OK);
    assert_out(f, "gr\xc3\xbc\xc3\x9f");
}

static void what_has_control_characters_is_no_text(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(read_text(f, "a\0b", 3), SW_E_INVALID);
    assert_int_equal(read_text(f, "\x01", 1), SW_E_INVALID);
    assert_int_equal(read_text(f, "\x7f", 1), SW_E_INVALID);
    assert_int_equal(f->out.size, 0);
    assert_int_equal(read_text(f, "", 0), SW_OK);
}

static void parts_end_at_lines_else_at_characters(void **state)
{
    (void)state;
    assert_int_equal(sw_document_part_size("short", 5, 8), 5);
    assert_int_equal(sw_document_part_size("aaa\nbbbbbbbb", 12, 8), 8);
    assert_int_equal(sw_document_part_size("aaaaa\nbbbbbb", 12, 8), 6);
    assert_int_equal(sw_document_part_size("aaaaaaa\nbbbb", 12, 8), 8);
    /* A character of two bytes over the edge goes to the next part. */
    assert_int_equal(sw_document_part_size("aaaaaaa\xc3\xbc"
                                           "bb",
                                           11, 8),
                     7);
}

static const char *key_of(struct fixture *f, const char *path, unsigned number)
{
    sw_buffer_reset(&f->out);
    sw_document_key("reader", path, number, &f->out);
    sw_buffer_put_u8(&f->out, 0);
    assert_true(strlen("reader/") + f->out.size - 1 <= SW_DOCUMENT_NAME_MAX);
    return (const char *)f->out.data;
}

static void keys_are_paths_and_numbers(void **state)
{
    struct fixture *f = *state;

    assert_string_equal(key_of(f, "bash/README", 0), "bash/README");
    assert_string_equal(key_of(f, "bash/changelog.gz", 3), "bash/changelog.gz#3");
}

static void long_keys_are_shortened_and_stay_different(void **state)
{
    struct fixture *f = *state;
    char path[600], first[300];

    memset(path, 'a', sizeof path);
    path[sizeof path - 1] = '\0';
    (void)strcpy(first, key_of(f, path, 0));
    assert_int_equal(strlen(first), SW_DOCUMENT_NAME_MAX - strlen("reader/"));
    path[300] = 'b';
    assert_string_not_equal(key_of(f, path, 0), first);
    assert_string_equal(key_of(f, path, 12) + f->out.size - 4, "#12");
}

static void shortened_keys_are_still_utf8(void **state)
{
    struct fixture *f = *state;
    char path[601] = "";

    for (size_t i = 0; i < 200; i++)
        (void)strcat(path, "\xe2\x82\xac");
    for (size_t cut = 0; cut < 3; cut++) {
        const char *key = key_of(f, path + cut * 3, 0);

        assert_true(sw_text_is_utf8(key, strlen(key)));
        path[cut] = 'x';
        path[cut + 1] = 'y';
        path[cut + 2] = 'z';
    }
}

static void a_name_that_is_no_utf8_becomes_a_hash(void **state)
{
    struct fixture *f = *state;
    char first[64];

    (void)strcpy(first, key_of(f, "caf\xe9", 0));
    assert_true(sw_text_is_utf8(first, strlen(first)));
    assert_int_equal(strlen(first), 18);
    assert_string_not_equal(key_of(f, "caf\xe8", 0), first);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_plain_file_is_taken_as_it_is),
        TEST(gzip_is_opened_also_in_several_members_and_with_padding),
        TEST(damaged_gzip_is_refused),
        TEST(a_bomb_is_refused_at_the_limit),
        TEST(utf8_stays_and_latin1_becomes_utf8),
        TEST(what_has_control_characters_is_no_text),
        TEST(parts_end_at_lines_else_at_characters),
        TEST(keys_are_paths_and_numbers),
        TEST(long_keys_are_shortened_and_stay_different),
        TEST(shortened_keys_are_still_utf8),
        TEST(a_name_that_is_no_utf8_becomes_a_hash),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
