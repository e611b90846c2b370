#include "pkg/agent/modules/bundle.h"

#include "pkg/agent/abi/abi.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define RUNTIME "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"

static struct sw_buffer bytes;
static struct sw_err err;

static int set_up(void **state)
{
    (void)state;
    sw_buffer_init(&bytes, SW_BUNDLE_HEAD_BYTES + SW_ABI_PAYLOAD_BYTES_MAX + 1);
    assert_int_equal(sw_bundle_put(RUNTIME, (struct sw_bytes){"hello", 5}, &bytes, &err), SW_OK);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    sw_buffer_done(&bytes);
    return 0;
}

static enum sw_rc read_first(size_t size, struct sw_bundle_view *ret_view)
{
    return sw_bundle_read((struct sw_bytes){bytes.data, size}, ret_view, &err);
}

/* Byte by byte, since others write bundles, too. */
static void a_bundle_is_laid_out_as_it_is_said(void **state)
{
    static const uint8_t head[] = {0, 's', 'w', 'b', 1, 0, 0, 0, 0x9f, 0x86};
    static const uint8_t end[] = {0x0a, 0x08, 5, 0, 0, 0, 'h', 'e', 'l', 'l', 'o'};

    (void)state;
    assert_int_equal(bytes.size, SW_BUNDLE_HEAD_BYTES + 5);
    assert_memory_equal(bytes.data, head, sizeof head);
    assert_memory_equal(bytes.data + bytes.size - sizeof end, end, sizeof end);
}

static void what_was_put_is_read(void **state)
{
    struct sw_bundle_view view;
    char runtime[SW_DIGEST_TEXT_SIZE];

    (void)state;
    assert_int_equal(read_first(bytes.size, &view), SW_OK);
    assert_string_equal(view.runtime, RUNTIME);
    assert_int_equal(view.payload.size, 5);
    assert_memory_equal(view.payload.data, "hello", 5);
    assert_true(sw_bundle_runtime((struct sw_bytes){bytes.data, SW_BUNDLE_HEAD_BYTES}, runtime));
    assert_string_equal(runtime, RUNTIME);
}

static void a_part_of_one_and_more_than_one_are_refused(void **state)
{
    struct sw_bundle_view view;
    char runtime[SW_DIGEST_TEXT_SIZE];

    (void)state;
    sw_buffer_put_u8(&bytes, 0);
    for (size_t size = 0; size <= bytes.size; size++) {
        enum sw_rc wanted = size == bytes.size - 1 ? SW_OK : SW_E_INVALID;

        assert_int_equal(read_first(size, &view), wanted);
        assert_int_equal(sw_bundle_runtime((struct sw_bytes){bytes.data, size}, runtime),
                         size >= SW_BUNDLE_HEAD_BYTES);
    }
    assert_non_null(strstr(err.message, "something follows its payload"));
}

static void another_version_is_told_from_damage(void **state)
{
    struct sw_bundle_view view;
    char runtime[SW_DIGEST_TEXT_SIZE];

    (void)state;
    bytes.data[4] = 2;
    assert_int_equal(read_first(bytes.size, &view), SW_E_UNSUPPORTED);
    assert_non_null(strstr(err.message, "version 2"));
    assert_false(sw_bundle_runtime((struct sw_bytes){bytes.data, bytes.size}, runtime));
}

static void the_largest_payload_is_read_and_a_larger_one_is_not(void **state)
{
    struct sw_bytes payload = {calloc(1, SW_ABI_PAYLOAD_BYTES_MAX + 1), SW_ABI_PAYLOAD_BYTES_MAX};
    struct sw_bundle_view view;

    (void)state;
    sw_buffer_reset(&bytes);
    assert_int_equal(sw_bundle_put(RUNTIME, payload, &bytes, &err), SW_OK);
    assert_int_equal(read_first(bytes.size, &view), SW_OK);
    assert_int_equal(view.payload.size, SW_ABI_PAYLOAD_BYTES_MAX);
    bytes.data[SW_BUNDLE_HEAD_BYTES - 4] = 1; /* One more. */
    sw_buffer_put_u8(&bytes, 0);
    assert_int_equal(read_first(bytes.size, &view), SW_E_EXHAUSTED);
    payload.size++;
    sw_buffer_reset(&bytes);
    assert_int_equal(sw_bundle_put(RUNTIME, payload, &bytes, &err), SW_E_EXHAUSTED);
    assert_int_equal(bytes.size, 0);
    free((void *)(uintptr_t)payload.data);
}

static void what_is_no_digest_runs_nothing(void **state)
{
    (void)state;
    sw_buffer_reset(&bytes);
    assert_int_equal(sw_bundle_put("sha256:0", (struct sw_bytes){"x", 1}, &bytes, &err),
                     SW_E_INVALID);
    assert_int_equal(bytes.size, 0);
}

static void too_little_room_is_told(void **state)
{
    struct sw_buffer small;

    (void)state;
    sw_buffer_init(&small, SW_BUNDLE_HEAD_BYTES);
    assert_int_equal(sw_bundle_put(RUNTIME, (struct sw_bytes){"x", 1}, &small, &err),
                     SW_E_EXHAUSTED);
    sw_buffer_done(&small);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_bundle_is_laid_out_as_it_is_said),
        TEST(what_was_put_is_read),
        TEST(a_part_of_one_and_more_than_one_are_refused),
        TEST(another_version_is_told_from_damage),
        TEST(the_largest_payload_is_read_and_a_larger_one_is_not),
        TEST(what_is_no_digest_runs_nothing),
        TEST(too_little_room_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
