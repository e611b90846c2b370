/* Buffers and readers: little-endian words, hard limits, and failures that stick. */
#include "pkg/utils/base/buffer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static void words_are_little_endian(void **state)
{
    static const uint8_t expected[] = {1, 3, 2, 7, 6, 5, 4, 15, 14, 13, 12, 11, 10, 9, 8};
    struct sw_buffer buffer;

    (void)state;
    sw_buffer_init(&buffer, 100);
    sw_buffer_put_u8(&buffer, 1);
    sw_buffer_put_u16(&buffer, 0x0203);
    sw_buffer_put_u32(&buffer, 0x04050607);
    sw_buffer_put_u64(&buffer, 0x08090a0b0c0d0e0full);
    assert_int_equal(buffer.size, sizeof expected);
    assert_memory_equal(buffer.data, expected, sizeof expected);
    sw_buffer_done(&buffer);
}

static void what_was_put_is_read_back(void **state)
{
    struct sw_buffer buffer;
    struct sw_reader reader;
    struct sw_bytes bytes;

    (void)state;
    sw_buffer_init(&buffer, 1000);
    sw_buffer_put_u8(&buffer, UINT8_MAX);
    sw_buffer_put_u16(&buffer, UINT16_MAX);
    sw_buffer_put_u32(&buffer, UINT32_MAX);
    sw_buffer_put_u64(&buffer, UINT64_MAX);
    sw_buffer_put_bytes(&buffer, (struct sw_bytes){"abc", 3});
    sw_buffer_put_bytes(&buffer, (struct sw_bytes){NULL, 0});
    reader = sw_reader_of(buffer.data, buffer.size);
    assert_int_equal(sw_reader_u8(&reader), UINT8_MAX);
    assert_int_equal(sw_reader_u16(&reader), UINT16_MAX);
    assert_int_equal(sw_reader_u32(&reader), UINT32_MAX);
    assert_true(sw_reader_u64(&reader) == UINT64_MAX);
    bytes = sw_reader_bytes(&reader, 3);
    assert_int_equal(bytes.size, 3);
    assert_memory_equal(bytes.data, "abc", 3);
    assert_int_equal(sw_reader_bytes(&reader, 0).size, 0);
    assert_true(sw_reader_is_finished(&reader));
    sw_buffer_done(&buffer);
}

static void append_beyond_the_limit_fails_and_sticks(void **state)
{
    struct sw_buffer buffer;

    (void)state;
    sw_buffer_init(&buffer, 4);
    sw_buffer_put_u32(&buffer, 1);
    assert_int_equal(sw_buffer_check(&buffer), SW_OK);
    sw_buffer_put_u8(&buffer, 1);
    assert_int_equal(sw_buffer_check(&buffer), SW_E_EXHAUSTED);
    sw_buffer_consume(&buffer, 4);
    sw_buffer_put_u8(&buffer, 1);
    assert_int_equal(buffer.size, 0);
    assert_int_equal(sw_buffer_check(&buffer), SW_E_EXHAUSTED);
    sw_buffer_reset(&buffer);
    sw_buffer_put_u8(&buffer, 1);
    assert_int_equal(sw_buffer_check(&buffer), SW_OK);
    sw_buffer_done(&buffer);
}

static void growth_keeps_the_content(void **state)
{
    struct sw_buffer buffer;

    (void)state;
    sw_buffer_init(&buffer, 100000);
    for (unsigned i = 0; i < 20000; i++)
        sw_buffer_put_u32(&buffer, i);
    assert_int_equal(buffer.size, 80000);
    for (unsigned i = 0; i < 20000; i++)
        assert_int_equal(buffer.data[4 * i] | buffer.data[4 * i + 1] << 8, i & 0xffff);
    sw_buffer_done(&buffer);
}

static void print_appends_text(void **state)
{
    struct sw_buffer buffer;

    (void)state;
    sw_buffer_init(&buffer, 64);
    sw_buffer_put_text(&buffer, "a");
    sw_buffer_print(&buffer, "%d:%s", 12, "x");
    assert_int_equal(buffer.size, 5);
    assert_memory_equal(buffer.data, "a12:x", 5);
    sw_buffer_done(&buffer);
}

static void consume_drops_the_beginning(void **state)
{
    struct sw_buffer buffer;

    (void)state;
    sw_buffer_init(&buffer, 64);
    sw_buffer_put_text(&buffer, "abcdef");
    sw_buffer_consume(&buffer, 2);
    assert_int_equal(buffer.size, 4);
    assert_memory_equal(buffer.data, "cdef", 4);
    sw_buffer_consume(&buffer, 100);
    assert_int_equal(buffer.size, 0);
    sw_buffer_done(&buffer);
}

static void reserved_room_is_not_counted(void **state)
{
    struct sw_buffer buffer;

    (void)state;
    sw_buffer_init(&buffer, 64);
    assert_non_null(sw_buffer_reserve(&buffer, 64));
    assert_int_equal(buffer.size, 0);
    assert_null(sw_buffer_reserve(&buffer, 65));
    sw_buffer_done(&buffer);
}

static void short_read_fails_and_sticks(void **state)
{
    static const uint8_t bytes[] = {1, 2, 3};
    struct sw_reader reader = sw_reader_of(bytes, sizeof bytes);

    (void)state;
    assert_int_equal(sw_reader_u16(&reader), 0x0201);
    assert_int_equal(sw_reader_u32(&reader), 0);
    assert_true(reader.failed);
    assert_int_equal(sw_reader_u8(&reader), 0);
    assert_null(sw_reader_take(&reader, 0).data);
    assert_false(sw_reader_is_finished(&reader));
}

static void size_that_lies_is_refused(void **state)
{
    static const uint8_t beyond_end[] = {9, 0, 0, 0, 'a'};
    static const uint8_t beyond_limit[] = {2, 0, 0, 0, 'a', 'b'};
    static const uint8_t huge[] = {0xff, 0xff, 0xff, 0xff, 'a'};
    struct sw_reader reader = sw_reader_of(beyond_end, sizeof beyond_end);

    (void)state;
    assert_null(sw_reader_bytes(&reader, 100).data);
    assert_true(reader.failed);
    reader = sw_reader_of(beyond_limit, sizeof beyond_limit);
    assert_null(sw_reader_bytes(&reader, 1).data);
    assert_true(reader.failed);
    reader = sw_reader_of(huge, sizeof huge);
    assert_null(sw_reader_bytes(&reader, SIZE_MAX).data);
    assert_true(reader.failed);
}

static void leftovers_are_not_finished(void **state)
{
    struct sw_reader reader = sw_reader_of("ab", 2);

    (void)state;
    (void)sw_reader_u8(&reader);
    assert_false(sw_reader_is_finished(&reader));
    (void)sw_reader_u8(&reader);
    assert_true(sw_reader_is_finished(&reader));
}

static void bytes_are_equal_by_size_and_content(void **state)
{
    (void)state;
    assert_true(sw_bytes_is_equal((struct sw_bytes){NULL, 0}, (struct sw_bytes){"x", 0}));
    assert_true(sw_bytes_is_equal((struct sw_bytes){"abc", 3}, (struct sw_bytes){"abcd", 3}));
    assert_false(sw_bytes_is_equal((struct sw_bytes){"abc", 3}, (struct sw_bytes){"abcd", 4}));
    assert_false(sw_bytes_is_equal((struct sw_bytes){"abc", 3}, (struct sw_bytes){"abd", 3}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_are_equal_by_size_and_content),
        cmocka_unit_test(words_are_little_endian),
        cmocka_unit_test(what_was_put_is_read_back),
        cmocka_unit_test(append_beyond_the_limit_fails_and_sticks),
        cmocka_unit_test(growth_keeps_the_content),
        cmocka_unit_test(print_appends_text),
        cmocka_unit_test(consume_drops_the_beginning),
        cmocka_unit_test(reserved_room_is_not_counted),
        cmocka_unit_test(short_read_fails_and_sticks),
        cmocka_unit_test(size_that_lies_is_refused),
        cmocka_unit_test(leftovers_are_not_finished),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
