/* Values sealed and opened: at their place, with their key, unchanged, and not otherwise. */
#include "pkg/security/secrets/secrets.h"
#include "pkg/utils/base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct fixture {
    struct sw_keyring *ring;
    struct sw_buffer sealed, value;
    struct sw_err err;
};

static const struct sw_secret_place place = {"default", "openai", "api-key"};

static int set_up(void **state)
{
    static struct fixture f;
    const struct sw_keyring_options options = {.system = sw_system_real()};

    f = (struct fixture){0};
    sw_buffer_init(&f.sealed, SW_SECRETS_SEALED_MAX + 1);
    sw_buffer_init(&f.value, SW_SECRETS_VALUE_MAX);
    *state = &f;
    return sw_keyring_open(&options, &f.ring, NULL, &f.err);
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    sw_keyring_free(f->ring);
    sw_buffer_done(&f->sealed);
    sw_secrets_buffer_done(&f->value);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

/* The sealed text of some bytes at the place; valid until the next one. */
static const char *seal(struct fixture *f, const void *bytes, size_t size)
{
    sw_buffer_reset(&f->sealed);
    assert_int_equal(
        sw_secrets_seal(f->ring, &place, (struct sw_bytes){bytes, size}, &f->sealed, &f->err),
        SW_OK);
    sw_buffer_put_u8(&f->sealed, 0);
    return (const char *)f->sealed.data;
}

static enum sw_rc open_at(struct fixture *f, const struct sw_secret_place *where, const char *text)
{
    sw_buffer_reset(&f->value);
    f->err = (struct sw_err){0};
    return sw_secrets_open(f->ring, where, text, &f->value, &f->err);
}

static void test_what_was_sealed_opens(void **state)
{
    struct fixture *f = *state;
    const char *text = seal(f, "sk-1234", 7);

    assert_true(sw_secrets_is_sealed(text));
    assert_memory_equal(text, "sealed:1:", 9);
    assert_memory_equal(text + 9, sw_keyring_id(f->ring, 0), SW_RING_ID_SIZE - 1);
    assert_null(strstr(text, "sk-1234"));
    assert_int_equal(open_at(f, &place, text), SW_OK);
    assert_int_equal(f->value.size, 7);
    assert_memory_equal(f->value.data, "sk-1234", 7);
    assert_true(sw_secrets_holds(f->ring, &place, text, (struct sw_bytes){"sk-1234", 7}));
    assert_false(sw_secrets_holds(f->ring, &place, text, (struct sw_bytes){"sk-1235", 7}));
    assert_false(sw_secrets_holds(f->ring, &place, text, (struct sw_bytes){"sk-1234", 6}));
    assert_false(sw_secrets_holds(f->ring, &place, "sk-1234", (struct sw_bytes){"sk-1234", 7}));
    assert_false(sw_secrets_is_sealed("sk-1234"));
    assert_false(sw_secrets_is_sealed(""));
}

static void test_each_size_comes_back(void **state)
{
    struct fixture *f = *state;
    uint8_t *bytes = malloc(SW_SECRETS_VALUE_MAX + 1);
    static const size_t sizes[] = {0, 1, 15, 16, 17, 4096, SW_SECRETS_VALUE_MAX};

    assert_non_null(bytes);
    for (size_t i = 0; i <= SW_SECRETS_VALUE_MAX; i++)
        bytes[i] = (uint8_t)(i * 7);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        const char *text = seal(f, bytes, sizes[i]);
        assert_true(strlen(text) <= SW_SECRETS_SEALED_MAX);
        assert_int_equal(open_at(f, &place, text), SW_OK);
        assert_int_equal(f->value.size, sizes[i]);
        assert_memory_equal(f->value.data, bytes, sizes[i]);
    }
    sw_buffer_reset(&f->sealed);
    assert_int_equal(sw_secrets_seal(f->ring, &place,
                                     (struct sw_bytes){bytes, SW_SECRETS_VALUE_MAX + 1}, &f->sealed,
                                     &f->err),
                     SW_E_RANGE);
    free(bytes);
}

static void test_the_same_value_is_sealed_otherwise_each_time(void **state)
{
    struct fixture *f = *state;
    char *first = strdup(seal(f, "x", 1));

    assert_non_null(first);
    assert_string_not_equal(first, seal(f, "x", 1));
    free(first);
}

static void test_it_opens_nowhere_else(void **state)
{
    struct fixture *f = *state;
    static const struct sw_secret_place others[] = {
        {"other", "openai", "api-key"},   {"default", "other", "api-key"},
        {"default", "openai", "other"},   {"default", "openaiapi-key", ""},
        {"", "defaultopenai", "api-key"}, {"defaulto", "penai", "api-key"},
    };
    char *text = strdup(seal(f, "sk-1234", 7));

    assert_non_null(text);
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        assert_int_equal(open_at(f, &others[i], text), SW_E_CORRUPT);
        assert_int_equal(f->value.size, 0);
        assert_non_null(strstr(f->err.message, "another value or object"));
        assert_true(f->err.hint[0] != '\0');
    }
    assert_null(memmem(f->value.data, f->value.capacity, "sk-1234", 7));
    free(text);
}

static void test_each_changed_byte_is_found(void **state)
{
    struct fixture *f = *state;
    char *text = strdup(seal(f, "sk-1234", 7));
    size_t size;

    assert_non_null(text);
    size = strlen(text);
    for (size_t i = 0; i < size; i++) {
        char was = text[i];
        text[i] = was == 'A' ? 'B' : 'A';
        enum sw_rc rc = open_at(f, &place, text);
        assert_true(rc == SW_E_CORRUPT || rc == SW_E_NOT_FOUND);
        assert_int_equal(f->value.size, 0);
        text[i] = was;
    }
    for (size_t i = 0; i < size; i++) {
        char *cut = strndup(text, i);
        assert_non_null(cut);
        assert_int_equal(open_at(f, &place, cut), SW_E_CORRUPT);
        free(cut);
    }
    assert_int_equal(open_at(f, &place, text), SW_OK);
    free(text);
}

static void test_texts_that_are_not_sealed(void **state)
{
    struct fixture *f = *state;
    static const char *const texts[] = {
        "",
        "sealed:",
        "sealed:1:",
        "sealed:2:0123456789abcdef:AAAA",
        "sealed:1:0123456789ABCDEF:AAAA",
        "sealed:1:0123456789abcde:AAAAA",
        "sealed:1:0123456789abcdef:",
        "sealed:1:0123456789abcdef:AAAA",
        "sealed:1:0123456789abcdef:A",
        "sealed:1:0123456789abcdef:!!!!",
    };
    char id[SW_RING_ID_SIZE];
    char *large = calloc(1, SW_SECRETS_SEALED_MAX + 2);

    assert_non_null(large);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        assert_int_equal(open_at(f, &place, texts[i]), SW_E_CORRUPT);
    memset(large, 'A', SW_SECRETS_SEALED_MAX + 1);
    memcpy(large, "sealed:1:0123456789abcdef:", 26);
    assert_int_equal(sw_secrets_id(large, id, &f->err), SW_E_CORRUPT);
    large[SW_SECRETS_SEALED_MAX] = '\0'; /* Short enough, but of more than a value can have. */
    assert_int_equal(sw_secrets_id(large, id, &f->err), SW_OK);
    assert_string_equal(id, "0123456789abcdef");
    assert_int_equal(open_at(f, &place, large), SW_E_CORRUPT);
    free(large);
}

static void test_a_key_that_is_not_there(void **state)
{
    struct fixture *f = *state;
    const struct sw_keyring_options options = {.system = sw_system_real()};
    SW_CLEANUP(sw_keyring_freep) struct sw_keyring *other = NULL;
    const char *text = seal(f, "x", 1);

    assert_int_equal(sw_keyring_open(&options, &other, NULL, NULL), SW_OK);
    assert_int_equal(sw_secrets_open(other, &place, text, &f->value, &f->err), SW_E_NOT_FOUND);
    assert_non_null(strstr(f->err.message, sw_keyring_id(f->ring, 0)));
    assert_non_null(strstr(f->err.hint, "import-key"));
}

static void test_rewrapping_keeps_the_value(void **state)
{
    struct fixture *f = *state;
    struct sw_buffer again;
    char *first = strdup(seal(f, "sk-1234", 7));
    char old_id[SW_RING_ID_SIZE], id[SW_RING_ID_SIZE];

    assert_non_null(first);
    sw_buffer_init(&again, SW_SECRETS_SEALED_MAX + 1);
    assert_int_equal(sw_secrets_rewrap(f->ring, &place, first, &again, &f->err), SW_OK);
    assert_int_equal(again.size, strlen(first)); /* It has the newest key. */
    assert_memory_equal(again.data, first, again.size);
    assert_int_equal(sw_secrets_id(first, old_id, NULL), SW_OK);

    assert_int_equal(sw_keyring_rotate(f->ring, &f->err), SW_OK);
    sw_buffer_reset(&again);
    assert_int_equal(sw_secrets_rewrap(f->ring, &place, first, &again, &f->err), SW_OK);
    sw_buffer_put_u8(&again, 0);
    assert_int_equal(sw_secrets_id((const char *)again.data, id, NULL), SW_OK);
    assert_string_equal(id, sw_keyring_id(f->ring, 0));
    assert_string_equal(old_id, sw_keyring_id(f->ring, 1));
    /* Behind the wrap all is as it was: of 40 bytes come 53 digits and a part. */
    assert_string_equal((const char *)again.data + 26 + 56, first + 26 + 56);
    assert_int_equal(open_at(f, &place, first), SW_OK);
    assert_int_equal(sw_keyring_drop(f->ring, old_id, &f->err), SW_OK);
    assert_int_equal(open_at(f, &place, first), SW_E_NOT_FOUND);
    assert_int_equal(open_at(f, &place, (const char *)again.data), SW_OK);
    assert_memory_equal(f->value.data, "sk-1234", 7);
    sw_buffer_done(&again);
    free(first);
}

static void test_what_is_of_another_place_is_not_rewrapped(void **state)
{
    struct fixture *f = *state;
    static const struct sw_secret_place other = {"other", "openai", "api-key"};
    struct sw_buffer again;
    const char *text = seal(f, "x", 1);

    sw_buffer_init(&again, SW_SECRETS_SEALED_MAX);
    assert_int_equal(sw_secrets_rewrap(f->ring, &other, text, &again, &f->err), SW_E_CORRUPT);
    assert_int_equal(again.size, 0);
    assert_int_equal(sw_secrets_rewrap(f->ring, &other, "x", &again, &f->err), SW_E_CORRUPT);
    sw_buffer_done(&again);
}

static void test_no_room(void **state)
{
    struct fixture *f = *state;
    struct sw_buffer small;
    const char *text = seal(f, "sk-1234", 7);

    sw_buffer_init(&small, 6);
    assert_int_equal(sw_secrets_open(f->ring, &place, text, &small, &f->err), SW_E_EXHAUSTED);
    sw_buffer_reset(&small);
    assert_int_equal(sw_secrets_seal(f->ring, &place, (struct sw_bytes){"x", 1}, &small, &f->err),
                     SW_E_EXHAUSTED);
    sw_buffer_reset(&small);
    assert_int_equal(sw_secrets_rewrap(f->ring, &place, text, &small, &f->err), SW_E_EXHAUSTED);
    sw_buffer_done(&small);
}

static void test_names_that_are_too_long(void **state)
{
    struct fixture *f = *state;
    char name[2000];
    const struct sw_secret_place long_place = {"default", name, "key"};

    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    assert_int_equal(
        sw_secrets_seal(f->ring, &long_place, (struct sw_bytes){"x", 1}, &f->sealed, &f->err),
        SW_E_RANGE);
    assert_int_equal(open_at(f, &long_place, seal(f, "x", 1)), SW_E_RANGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_what_was_sealed_opens),
        TEST(test_each_size_comes_back),
        TEST(test_the_same_value_is_sealed_otherwise_each_time),
        TEST(test_it_opens_nowhere_else),
        TEST(test_each_changed_byte_is_found),
        TEST(test_texts_that_are_not_sealed),
        TEST(test_a_key_that_is_not_there),
        TEST(test_rewrapping_keeps_the_value),
        TEST(test_what_is_of_another_place_is_not_rewrapped),
        TEST(test_no_room),
        TEST(test_names_that_are_too_long),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
