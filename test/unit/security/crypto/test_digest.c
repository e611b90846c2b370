/* Digests against published vectors, and the handling of secrets. */
#include "pkg/security/crypto/digest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define ABC "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define EMPTY "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

static void test_published_digests(void **state)
{
    char text[SW_DIGEST_TEXT_SIZE];

    (void)state;
    sw_digest_text_of("abc", 3, text);
    assert_string_equal(text, ABC);
    sw_digest_text_of("", 0, text);
    assert_string_equal(text, EMPTY);
}

static void test_parts_give_the_digest_of_the_whole(void **state)
{
    SW_CLEANUP(sw_sha256_freep) struct sw_sha256 *digest = sw_sha256_new();
    uint8_t bytes[SW_SHA256_SIZE];
    char text[SW_DIGEST_TEXT_SIZE];

    (void)state;
    assert_non_null(digest);
    for (int i = 0; i < 2; i++) { /* The second round shows that a finished digest is as new. */
        sw_sha256_add(digest, "a", 1);
        sw_sha256_add(digest, "", 0);
        sw_sha256_add(digest, "bc", 2);
        sw_sha256_finish(digest, bytes);
        sw_digest_text(bytes, text);
        assert_string_equal(text, ABC);
    }
}

static void test_text_form_is_read_back(void **state)
{
    uint8_t bytes[SW_SHA256_SIZE], expected[SW_SHA256_SIZE];

    (void)state;
    sw_sha256_of("abc", 3, expected);
    assert_int_equal(sw_digest_parse(ABC, bytes), SW_OK);
    assert_memory_equal(bytes, expected, sizeof bytes);
}

static void test_other_texts_are_refused(void **state)
{
    static const char *const wrong[] = {
        "",
        "sha256:",
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        "sha512:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        "sha256:BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD",
        "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015a",
        "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad0",
        "sha256:ga7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    };
    uint8_t bytes[SW_SHA256_SIZE];

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_int_equal(sw_digest_parse(wrong[i], bytes), SW_E_INVALID);
}

static void test_hmac_of_rfc_4231(void **state)
{
    static const uint8_t expected[] = {0x5b, 0xdc, 0xc1, 0x46, 0xbf, 0x60, 0x75, 0x4e,
                                       0x6a, 0x04, 0x24, 0x26, 0x08, 0x95, 0x75, 0xc7};
    uint8_t mac[SW_SHA256_SIZE];

    (void)state;
    sw_hmac_sha256((struct sw_bytes){"Jefe", 4},
                   (struct sw_bytes){"what do ya want for nothing?", 28}, mac);
    assert_memory_equal(mac, expected, sizeof expected);
    sw_hmac_sha256((struct sw_bytes){0}, (struct sw_bytes){0}, mac); /* Empty is allowed. */
    assert_int_equal(mac[0], 0xb6);
}

static void test_secrets_are_compared_and_wiped(void **state)
{
    char one[] = "secret", other[] = "secreT";

    (void)state;
    assert_true(sw_bytes_are_equal_secret(one, "secret", 6));
    assert_false(sw_bytes_are_equal_secret(one, other, 6));
    assert_true(sw_bytes_are_equal_secret(one, other, 0));
    sw_bytes_wipe(one, sizeof one);
    for (size_t i = 0; i < sizeof one; i++)
        assert_int_equal(one[i], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_published_digests),
        cmocka_unit_test(test_parts_give_the_digest_of_the_whole),
        cmocka_unit_test(test_text_form_is_read_back),
        cmocka_unit_test(test_other_texts_are_refused),
        cmocka_unit_test(test_hmac_of_rfc_4231),
        cmocka_unit_test(test_secrets_are_compared_and_wiped),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
