/* The ring under a passphrase: it comes back, and nothing else does. */
#include "pkg/security/secrets/secrets.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct sw_bytes passphrase = {"correct horse battery", 21};
static const struct sw_bytes other = {"correct horse batterx", 21};
static struct sw_keyring_options options;
static struct sw_keyring *ring;
static struct sw_buffer text;
static struct sw_err err;

static int set_up(void **state)
{
    (void)state;
    options = (struct sw_keyring_options){.system = sw_system_real()};
    sw_buffer_init(&text, SW_RING_EXPORT_BYTES_MAX);
    assert_int_equal(sw_keyring_open(&options, &ring, NULL, NULL), SW_OK);
    assert_int_equal(sw_keyring_rotate(ring, NULL), SW_OK);
    assert_int_equal(sw_keyring_export(ring, passphrase, &text, &err), SW_OK);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    sw_buffer_done(&text);
    sw_keyring_free(ring);
    return 0;
}

static enum sw_rc import(struct sw_bytes bytes, struct sw_bytes with)
{
    SW_CLEANUP(sw_keyring_freep) struct sw_keyring *found = NULL;
    enum sw_rc rc = sw_keyring_import(&options, bytes, with, &found, &err);

    assert_int_equal(found != NULL, rc == SW_OK);
    return rc;
}

static struct sw_bytes all(void)
{
    return (struct sw_bytes){text.data, text.size};
}

static void what_was_exported_comes_back(void **state)
{
    SW_CLEANUP(sw_keyring_freep) struct sw_keyring *found = NULL;
    static const struct sw_secret_place place = {"default", "a", "key"};
    struct sw_buffer sealed;

    (void)state;
    sw_buffer_init(&sealed, SW_SECRETS_SEALED_MAX + 1);
    assert_true(sw_keyring_is_export(all()));
    assert_int_equal(sw_keyring_import(&options, all(), passphrase, &found, &err), SW_OK);
    assert_int_equal(sw_keyring_count(found), 2);
    for (size_t i = 0; i < 2; i++) {
        assert_string_equal(sw_keyring_id(found, i), sw_keyring_id(ring, i));
        assert_int_equal(sw_keyring_made_ns(found, i), sw_keyring_made_ns(ring, i));
    }
    assert_int_equal(sw_secrets_seal(ring, &place, (struct sw_bytes){"value", 5}, &sealed, &err),
                     SW_OK);
    sw_buffer_put_u8(&sealed, 0);
    assert_true(
        sw_secrets_holds(found, &place, (const char *)sealed.data, (struct sw_bytes){"value", 5}));
    sw_buffer_done(&sealed);
}

static void no_key_stands_in_it(void **state)
{
    struct sw_buffer plain;

    (void)state;
    sw_buffer_init(&plain, SW_RING_BYTES_MAX);
    sw_keyring_print(ring, &plain);
    assert_false(sw_keyring_is_export((struct sw_bytes){plain.data, plain.size}));
    for (size_t at = 13; at + 64 < plain.size; at++)
        assert_null(memmem(text.data, text.size, plain.data + at, 16));
    sw_secrets_buffer_done(&plain);
}

static void another_passphrase_opens_nothing(void **state)
{
    (void)state;
    assert_int_equal(import(all(), other), SW_E_DENIED);
    assert_non_null(strstr(err.message, "the passphrase is not the one of this file"));
    assert_int_equal(import(all(), (struct sw_bytes){"", 0}), SW_E_DENIED);
}

static void a_passphrase_has_some_length(void **state)
{
    static const char words[SW_RING_PASSPHRASE_MAX + 1];
    struct sw_buffer out;

    (void)state;
    sw_buffer_init(&out, SW_RING_EXPORT_BYTES_MAX);
    assert_int_equal(
        sw_keyring_export(ring, (struct sw_bytes){words, SW_RING_PASSPHRASE_MIN - 1}, &out, &err),
        SW_E_INVALID);
    assert_int_equal(
        sw_keyring_export(ring, (struct sw_bytes){words, SW_RING_PASSPHRASE_MAX + 1}, &out, &err),
        SW_E_INVALID);
    assert_int_equal(out.size, 0);
    sw_buffer_done(&out);
}

/* A byte here and there: in the head, in what is under the passphrase, at the end. */
static void what_was_changed_is_refused(void **state)
{
    static const size_t from_end[] = {1, 6, 40, 100, 200};
    static const size_t from_begin[] = {0, 19, 27, 28, 30, 40, 65, 70};

    (void)state;
    for (size_t i = 0; i < sizeof from_begin / sizeof from_begin[0]; i++) {
        enum sw_rc rc;

        text.data[from_begin[i]] ^= 1;
        rc = import(all(), passphrase);
        assert_true(rc == SW_E_CORRUPT || rc == SW_E_DENIED);
        text.data[from_begin[i]] ^= 1;
    }
    for (size_t i = 0; i < sizeof from_end / sizeof from_end[0]; i++) {
        enum sw_rc rc;

        text.data[text.size - from_end[i]] ^= 1;
        rc = import(all(), passphrase);
        assert_true(rc == SW_E_CORRUPT || rc == SW_E_DENIED);
        text.data[text.size - from_end[i]] ^= 1;
    }
    assert_int_equal(import(all(), passphrase), SW_OK);
}

static void what_was_cut_is_refused(void **state)
{
    (void)state;
    for (size_t size = 0; size < text.size; size++)
        assert_int_equal(import((struct sw_bytes){text.data, size}, passphrase), SW_E_CORRUPT);
}

/* It would have the reader work for hours. */
static void a_cost_beyond_the_limits_is_refused(void **state)
{
    static const char *const costs[] = {"09", "18", "20", "1 ", "31"};

    (void)state;
    for (size_t i = 0; i < sizeof costs / sizeof costs[0]; i++) {
        memcpy(text.data + 27, costs[i], 2);
        assert_int_equal(import(all(), passphrase), SW_E_CORRUPT);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(what_was_exported_comes_back),        TEST(no_key_stands_in_it),
        TEST(another_passphrase_opens_nothing),    TEST(a_passphrase_has_some_length),
        TEST(what_was_changed_is_refused),         TEST(what_was_cut_is_refused),
        TEST(a_cost_beyond_the_limits_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
