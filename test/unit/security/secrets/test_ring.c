/* The ring of keys: made once, kept, rotated, dropped, merged; damage is found. */
#include "pkg/security/secrets/secrets.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[64];
static struct sw_keyring_options options;

static int set_up(void **state)
{
    (void)state;
    (void)snprintf(folder, sizeof folder, "/tmp/swarm-ring-XXXXXX");
    options = (struct sw_keyring_options){sw_system_real(), folder};
    return mkdtemp(folder) == NULL;
}

static int tear_down(void **state)
{
    char path[SW_PATH_MAX];

    (void)state;
    (void)snprintf(path, sizeof path, "%s/%s", folder, SW_RING_FILE);
    (void)unlink(path);
    return rmdir(folder) != 0 && access(folder, F_OK) == 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

static struct sw_keyring *open_ring(bool is_new)
{
    struct sw_keyring *ring = NULL;
    struct sw_err err = {0};
    bool was_new = !is_new;

    if (sw_keyring_open(&options, &ring, &was_new, &err) != SW_OK)
        fail_msg("%s", err.message);
    assert_int_equal(was_new, is_new);
    return ring;
}

static void test_it_is_made_once_and_kept(void **state)
{
    struct sw_keyring *ring = open_ring(true);
    char id[SW_RING_ID_SIZE], path[SW_PATH_MAX];
    struct stat view;

    (void)state;
    assert_int_equal(sw_keyring_count(ring), 1);
    (void)snprintf(id, sizeof id, "%s", sw_keyring_id(ring, 0));
    assert_int_equal(strlen(id), 16);
    assert_true(sw_keyring_made_ns(ring, 0) > 0);
    sw_keyring_free(ring);
    (void)snprintf(path, sizeof path, "%s/%s", folder, SW_RING_FILE);
    assert_int_equal(stat(path, &view), 0);
    assert_int_equal(view.st_mode & 0777, 0600);
    ring = open_ring(false);
    assert_string_equal(sw_keyring_id(ring, 0), id);
    assert_true(sw_keyring_has(ring, id));
    assert_false(sw_keyring_has(ring, "0123456789abcdef"));
    sw_keyring_free(ring);
}

static void test_rotation_is_kept_and_older_keys_can_be_dropped(void **state)
{
    struct sw_keyring *ring = open_ring(true);
    char first[SW_RING_ID_SIZE], second[SW_RING_ID_SIZE];
    struct sw_err err = {0};

    (void)state;
    (void)snprintf(first, sizeof first, "%s", sw_keyring_id(ring, 0));
    assert_int_equal(sw_keyring_rotate(ring, &err), SW_OK);
    (void)snprintf(second, sizeof second, "%s", sw_keyring_id(ring, 0));
    assert_string_not_equal(first, second);
    assert_string_equal(sw_keyring_id(ring, 1), first);
    sw_keyring_free(ring);
    ring = open_ring(false);
    assert_int_equal(sw_keyring_count(ring), 2);
    assert_string_equal(sw_keyring_id(ring, 0), second);
    assert_int_equal(sw_keyring_drop(ring, second, &err), SW_E_PRECONDITION);
    assert_int_equal(sw_keyring_drop(ring, "none", &err), SW_E_NOT_FOUND);
    assert_int_equal(sw_keyring_rotate(ring, &err), SW_OK);
    assert_int_equal(sw_keyring_drop(ring, second, &err), SW_OK); /* From the middle. */
    sw_keyring_free(ring);
    ring = open_ring(false);
    assert_int_equal(sw_keyring_count(ring), 2);
    assert_string_equal(sw_keyring_id(ring, 1), first);
    sw_keyring_free(ring);
}

static void test_keys_are_bounded(void **state)
{
    struct sw_keyring *ring = open_ring(true);
    struct sw_err err = {0};

    (void)state;
    for (size_t i = 1; i < SW_RING_KEYS_MAX; i++)
        assert_int_equal(sw_keyring_rotate(ring, &err), SW_OK);
    assert_int_equal(sw_keyring_rotate(ring, &err), SW_E_EXHAUSTED);
    assert_int_equal(sw_keyring_count(ring), SW_RING_KEYS_MAX);
    sw_keyring_free(ring);
    ring = open_ring(false); /* The file holds so many. */
    assert_int_equal(sw_keyring_count(ring), SW_RING_KEYS_MAX);
    sw_keyring_free(ring);
}

static void test_what_cannot_be_saved_is_not_so(void **state)
{
    struct sw_keyring *ring = open_ring(true);
    char id[SW_RING_ID_SIZE];
    struct sw_err err = {0};

    assert_int_equal(sw_keyring_rotate(ring, &err), SW_OK);
    (void)snprintf(id, sizeof id, "%s", sw_keyring_id(ring, 0));
    (void)tear_down(state); /* The folder is gone. */
    assert_int_not_equal(sw_keyring_rotate(ring, &err), SW_OK);
    assert_int_not_equal(sw_keyring_drop(ring, sw_keyring_id(ring, 1), &err), SW_OK);
    assert_int_equal(sw_keyring_count(ring), 2);
    assert_string_equal(sw_keyring_id(ring, 0), id);
    sw_keyring_free(ring);
    ring = NULL;
    assert_int_not_equal(sw_keyring_open(&options, &ring, NULL, &err), SW_OK);
    assert_null(ring);
}

static void test_damage_is_found(void **state)
{
    struct sw_keyring *ring = open_ring(true), *other = NULL;
    struct sw_err err = {0};
    struct sw_buffer text;

    (void)state;
    assert_int_equal(sw_keyring_rotate(ring, &err), SW_OK);
    sw_buffer_init(&text, SW_RING_BYTES_MAX);
    sw_keyring_print(ring, &text);
    for (size_t i = 0; i < text.size; i++) {
        uint8_t was = text.data[i];
        bool is_time = false;
        text.data[i] = was == '1' ? '2' : '1';
        enum sw_rc rc =
            sw_keyring_parse(&options, (struct sw_bytes){text.data, text.size}, &other, &err);
        if (rc == SW_OK) { /* Only the times are not bound to anything. */
            is_time = sw_keyring_made_ns(other, 0) != sw_keyring_made_ns(ring, 0) ||
                      sw_keyring_made_ns(other, 1) != sw_keyring_made_ns(ring, 1);
            assert_true(is_time);
            sw_keyring_free(other);
            other = NULL;
        } else {
            assert_int_equal(rc, SW_E_CORRUPT);
        }
        text.data[i] = was;
    }
    for (size_t i = 0; i < text.size; i++) {
        assert_int_equal(sw_keyring_parse(&options, (struct sw_bytes){text.data, i}, &other, &err),
                         SW_E_CORRUPT);
    }
    sw_secrets_buffer_done(&text);
    assert_int_equal(text.size, 0);
    sw_keyring_free(ring);
}

static void test_a_damaged_file_is_left_alone(void **state)
{
    struct sw_keyring *ring = NULL;
    char path[SW_PATH_MAX], large[SW_RING_BYTES_MAX + 10];
    struct sw_err err = {0};
    struct sw_file_view view;

    (void)state;
    (void)snprintf(path, sizeof path, "%s/%s", folder, SW_RING_FILE);
    assert_int_equal(sw_file_save(options.system, path, "swarm-ring 1\nend\n", 17, &err), SW_OK);
    assert_int_equal(sw_keyring_open(&options, &ring, NULL, &err), SW_E_CORRUPT);
    assert_non_null(strstr(err.message, path));
    memset(large, 'x', sizeof large);
    assert_int_equal(sw_file_save(options.system, path, large, sizeof large, &err), SW_OK);
    assert_int_equal(sw_keyring_open(&options, &ring, NULL, &err), SW_E_CORRUPT);
    assert_int_equal(options.system->path_view(options.system->ctx, path, &view, &err), SW_OK);
    assert_int_equal(view.size_bytes, sizeof large);
}

static void test_rings_are_merged(void **state)
{
    const struct sw_keyring_options in_memory = {.system = sw_system_real()};
    struct sw_keyring *ring = open_ring(true), *other = NULL, *copy = NULL;
    char id[SW_RING_ID_SIZE];
    struct sw_buffer text;
    struct sw_err err = {0};
    size_t count = 77;

    (void)state;
    (void)snprintf(id, sizeof id, "%s", sw_keyring_id(ring, 0));
    assert_int_equal(sw_keyring_open(&in_memory, &other, NULL, &err), SW_OK);
    assert_int_equal(sw_keyring_rotate(other, &err), SW_OK);
    sw_buffer_init(&text, SW_RING_BYTES_MAX);
    sw_keyring_print(other, &text);
    assert_int_equal(
        sw_keyring_parse(&options, (struct sw_bytes){text.data, text.size}, &copy, &err), SW_OK);
    assert_string_equal(sw_keyring_id(copy, 1), sw_keyring_id(other, 1));
    assert_true(sw_keyring_made_ns(copy, 1) == sw_keyring_made_ns(other, 1));
    assert_int_equal(sw_keyring_merge(ring, copy, &count, &err), SW_OK);
    assert_int_equal(count, 2);
    assert_string_equal(sw_keyring_id(ring, 0), id);
    assert_int_equal(sw_keyring_merge(ring, copy, &count, &err), SW_OK);
    assert_int_equal(count, 0);
    sw_keyring_free(ring);
    ring = open_ring(false);
    assert_int_equal(sw_keyring_count(ring), 3);
    assert_true(sw_keyring_has(ring, sw_keyring_id(other, 0)) &&
                sw_keyring_has(ring, sw_keyring_id(other, 1)));
    while (sw_keyring_count(other) < SW_RING_KEYS_MAX)
        assert_int_equal(sw_keyring_rotate(other, &err), SW_OK);
    assert_int_equal(sw_keyring_merge(ring, other, &count, &err), SW_E_EXHAUSTED);
    assert_int_equal(sw_keyring_count(ring), 3);
    sw_secrets_buffer_done(&text);
    sw_keyring_free(ring);
    sw_keyring_free(other);
    sw_keyring_free(copy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_it_is_made_once_and_kept),
        TEST(test_rotation_is_kept_and_older_keys_can_be_dropped),
        TEST(test_keys_are_bounded),
        TEST(test_what_cannot_be_saved_is_not_so),
        TEST(test_damage_is_found),
        TEST(test_a_damaged_file_is_left_alone),
        TEST(test_rings_are_merged),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
