#include "pkg/agent/compiler/seal.h"

#include "pkg/agent/abi/abi.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const uint8_t key[SW_COMPILER_KEY_SIZE] = "a key that nobody else has......";
static const struct sw_seal seal = {key, SW_ABI_FINGERPRINT};
static const uint8_t digest[SW_SHA256_SIZE] = "the digest of a module..........";

static struct sw_buffer sealed(void)
{
    struct sw_buffer entry;

    sw_buffer_init(&entry, 4096);
    sw_seal_put(&seal, digest, (struct sw_bytes){"machine code", 12}, &entry);
    assert_false(entry.failed);
    return entry;
}

static void what_was_sealed_opens(void **state)
{
    struct sw_buffer entry = sealed();
    struct sw_bytes code = {0};

    (void)state;
    assert_int_equal(sw_seal_get(&seal, digest, (struct sw_bytes){entry.data, entry.size}, &code),
                     SW_OK);
    assert_int_equal(code.size, 12);
    assert_memory_equal(code.data, "machine code", 12);
    sw_buffer_done(&entry);
}

static void an_entry_may_follow_other_bytes(void **state)
{
    struct sw_buffer entry;
    struct sw_bytes code = {0};

    (void)state;
    sw_buffer_init(&entry, 4096);
    sw_buffer_put_text(&entry, "before");
    sw_seal_put(&seal, digest, (struct sw_bytes){NULL, 0}, &entry);
    assert_int_equal(
        sw_seal_get(&seal, digest, (struct sw_bytes){entry.data + 6, entry.size - 6}, &code),
        SW_OK);
    assert_int_equal(code.size, 0);
    sw_buffer_done(&entry);
}

static void every_flipped_bit_is_found(void **state)
{
    struct sw_buffer entry = sealed();
    struct sw_bytes code = {0};

    (void)state;
    for (size_t bit = 0; bit < entry.size * 8; bit++) {
        entry.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_equal(
            sw_seal_get(&seal, digest, (struct sw_bytes){entry.data, entry.size}, &code),
            SW_E_CORRUPT);
        entry.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    sw_buffer_done(&entry);
}

static void every_cut_is_found(void **state)
{
    struct sw_buffer entry = sealed();
    struct sw_bytes code = {0};

    (void)state;
    for (size_t size = 0; size < entry.size; size++)
        assert_int_equal(sw_seal_get(&seal, digest, (struct sw_bytes){entry.data, size}, &code),
                         SW_E_CORRUPT);
    sw_buffer_done(&entry);
}

static void another_key_or_module_is_refused(void **state)
{
    struct sw_buffer entry = sealed();
    struct sw_bytes code = {0}, bytes = {entry.data, entry.size};
    uint8_t other[32] = {1};

    (void)state;
    assert_int_equal(
        sw_seal_get(&(struct sw_seal){other, SW_ABI_FINGERPRINT}, digest, bytes, &code),
        SW_E_CORRUPT);
    assert_int_equal(sw_seal_get(&seal, other, bytes, &code), SW_E_CORRUPT);
    sw_buffer_done(&entry);
}

/* Sealed with the right key, but not by this build: as after an upgrade of the engine. */
static void another_fingerprint_is_refused(void **state)
{
    struct sw_buffer entry = sealed();
    struct sw_bytes code = {0};

    (void)state;
    entry.size -= SW_SHA256_SIZE;
    entry.data[12] ^= 1;
    uint8_t mac[SW_SHA256_SIZE];
    sw_hmac_sha256((struct sw_bytes){key, sizeof key}, (struct sw_bytes){entry.data, entry.size},
                   mac);
    sw_buffer_put(&entry, mac, sizeof mac);
    assert_int_equal(sw_seal_get(&seal, digest, (struct sw_bytes){entry.data, entry.size}, &code),
                     SW_E_CORRUPT);
    sw_buffer_done(&entry);
}

static void names_stand_for_module_and_fingerprint(void **state)
{
    char one[SW_DIGEST_TEXT_SIZE], other[SW_DIGEST_TEXT_SIZE];
    uint8_t changed[SW_SHA256_SIZE];

    (void)state;
    sw_seal_name(&seal, digest, one);
    assert_int_equal(strlen(one), 64);
    memcpy(changed, digest, sizeof changed);
    changed[0] ^= 1;
    sw_seal_name(&seal, changed, other);
    assert_string_not_equal(one, other);
    sw_seal_name(&(struct sw_seal){key, "an older engine"}, digest, other);
    assert_string_not_equal(one, other);
}

static void a_full_buffer_says_so(void **state)
{
    struct sw_buffer entry;

    (void)state;
    sw_buffer_init(&entry, 100);
    sw_seal_put(&seal, digest, (struct sw_bytes){"machine code", 12}, &entry);
    assert_true(entry.failed);
    sw_buffer_done(&entry);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_sealed_opens),
        cmocka_unit_test(an_entry_may_follow_other_bytes),
        cmocka_unit_test(every_flipped_bit_is_found),
        cmocka_unit_test(every_cut_is_found),
        cmocka_unit_test(another_key_or_module_is_refused),
        cmocka_unit_test(another_fingerprint_is_refused),
        cmocka_unit_test(names_stand_for_module_and_fingerprint),
        cmocka_unit_test(a_full_buffer_says_so),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
