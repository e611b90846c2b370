/* Hex and base64: one text for each value, one value for each text. */
#include "pkg/utils/base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static struct sw_buffer out;

static int setup(void **state)
{
    (void)state;
    sw_buffer_init(&out, 4096);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    sw_buffer_done(&out);
    return 0;
}

static void assert_out(const char *text)
{
    assert_int_equal(out.size, strlen(text));
    assert_memory_equal(out.data, text, out.size);
    sw_buffer_reset(&out);
}

static void hex_goes_both_ways(void **state)
{
    (void)state;
    sw_hex_encode("\x00\xab\xff", 3, &out);
    assert_out("00abff");
    assert_int_equal(sw_hex_decode("00abff", 6, &out), SW_OK);
    assert_int_equal(out.size, 3);
    assert_memory_equal(out.data, "\x00\xab\xff", 3);
}

static void hex_that_is_not_canonical_is_refused_whole(void **state)
{
    static const char *const cases[] = {"0", "0g", "AB", "ab ", "abzz"};

    (void)state;
    sw_buffer_put_text(&out, "kept");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(sw_hex_decode(cases[i], strlen(cases[i]), &out), SW_E_INVALID);
    assert_out("kept");
}

/* RFC 4648, section 10. */
static void base64_matches_the_rfc(void **state)
{
    static const char *const cases[][2] = {{"", ""},
                                           {"f", "Zg=="},
                                           {"fo", "Zm8="},
                                           {"foo", "Zm9v"},
                                           {"foob", "Zm9vYg=="},
                                           {"fooba", "Zm9vYmE="},
                                           {"foobar", "Zm9vYmFy"}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        sw_base64_encode(cases[i][0], strlen(cases[i][0]), &out);
        assert_out(cases[i][1]);
        assert_int_equal(sw_base64_decode(cases[i][1], strlen(cases[i][1]), &out), SW_OK);
        assert_out(cases[i][0]);
    }
}

static void base64_of_all_bytes_goes_both_ways(void **state)
{
    uint8_t bytes[256];
    char text[400];

    (void)state;
    for (int i = 0; i < 256; i++)
        bytes[i] = (uint8_t)i;
    sw_base64_encode(bytes, sizeof bytes, &out);
    assert_int_equal(out.size, 344);
    (void)memcpy(text, out.data, 344);
    sw_buffer_reset(&out);
    assert_int_equal(sw_base64_decode(text, 344, &out), SW_OK);
    assert_int_equal(out.size, 256);
    assert_memory_equal(out.data, bytes, 256);
}

static void base64_that_is_not_canonical_is_refused_whole(void **state)
{
    static const char *const cases[] = {"Zg",   "Zg=",  "Zh==",     "Zm9=",     "====", "Z===",
                                        "Zg=a", "Z m9", "Zg==Zg==", "Zm9v\nZ=", "-_-_"};

    (void)state;
    sw_buffer_put_text(&out, "kept");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(sw_base64_decode(cases[i], strlen(cases[i]), &out), SW_E_INVALID);
    assert_out("kept");
}

static void full_buffer_fails_both(void **state)
{
    struct sw_buffer small;

    (void)state;
    sw_buffer_init(&small, 3);
    assert_int_equal(sw_base64_decode("Zm9vYg==", 8, &small), SW_E_EXHAUSTED);
    sw_buffer_reset(&small);
    sw_base64_encode("foo", 3, &small);
    assert_int_equal(sw_buffer_check(&small), SW_E_EXHAUSTED);
    sw_buffer_reset(&small);
    sw_hex_encode("fo", 2, &small);
    assert_int_equal(sw_buffer_check(&small), SW_E_EXHAUSTED);
    sw_buffer_done(&small);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(hex_goes_both_ways, setup, teardown),
        cmocka_unit_test_setup_teardown(hex_that_is_not_canonical_is_refused_whole, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(base64_matches_the_rfc, setup, teardown),
        cmocka_unit_test_setup_teardown(base64_of_all_bytes_goes_both_ways, setup, teardown),
        cmocka_unit_test_setup_teardown(base64_that_is_not_canonical_is_refused_whole, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(full_buffer_fails_both, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
