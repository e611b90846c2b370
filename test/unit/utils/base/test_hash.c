/* Hashes that file formats and slots depend on: checked against published values. */
#include "pkg/utils/base/hash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

/* Appendix A of the SipHash paper: key 00..0f, input 00..0e. */
static void siphash_matches_the_paper(void **state)
{
    uint8_t key[16], input[15];

    (void)state;
    for (uint8_t i = 0; i < 16; i++)
        key[i] = i;
    for (uint8_t i = 0; i < 15; i++)
        input[i] = i;
    assert_true(sw_siphash(key, input, 15) == 0xa129ca6149be45e5ull);
}

/* The first values of the reference implementation's vectors_sip64. */
static void siphash_matches_the_reference_for_short_inputs(void **state)
{
    static const uint64_t expected[] = {0x726fdb47dd0e0e31ull, 0x74f839c593dc67fdull,
                                        0x0d6c8009d9a94f5aull, 0x85676696d7fb7e2dull};
    uint8_t key[16], input[4] = {0, 1, 2, 3};

    (void)state;
    for (uint8_t i = 0; i < 16; i++)
        key[i] = i;
    for (size_t size = 0; size < 4; size++)
        assert_true(sw_siphash(key, input, size) == expected[size]);
}

/* RFC 3720, B.4. */
static void crc32c_matches_the_rfc(void **state)
{
    uint8_t bytes[32];

    (void)state;
    (void)memset(bytes, 0, sizeof bytes);
    assert_int_equal(sw_crc32c(0, bytes, 32), 0x8a9136aau);
    (void)memset(bytes, 0xff, sizeof bytes);
    assert_int_equal(sw_crc32c(0, bytes, 32), 0x62a8ab43u);
    for (uint8_t i = 0; i < 32; i++)
        bytes[i] = i;
    assert_int_equal(sw_crc32c(0, bytes, 32), 0x46dd794eu);
    assert_int_equal(sw_crc32c(0, "123456789", 9), 0xe3069283u);
}

static void crc32c_continues_at_any_cut(void **state)
{
    uint8_t bytes[100];
    uint32_t whole;

    (void)state;
    for (uint8_t i = 0; i < 100; i++)
        bytes[i] = (uint8_t)(i * 37);
    whole = sw_crc32c(0, bytes, 100);
    for (size_t cut = 0; cut <= 100; cut++)
        assert_int_equal(sw_crc32c(sw_crc32c(0, bytes, cut), bytes + cut, 100 - cut), whole);
}

static void crc32c_of_nothing_changes_nothing(void **state)
{
    (void)state;
    assert_int_equal(sw_crc32c(0, "", 0), 0);
    assert_int_equal(sw_crc32c(0x12345678, "", 0), 0x12345678);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(siphash_matches_the_paper),
        cmocka_unit_test(siphash_matches_the_reference_for_short_inputs),
        cmocka_unit_test(crc32c_matches_the_rfc),
        cmocka_unit_test(crc32c_continues_at_any_cut),
        cmocka_unit_test(crc32c_of_nothing_changes_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
