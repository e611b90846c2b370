#include "pkg/communication/protocol/url.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct sw_bytes bytes_of(const char *text)
{
    return (struct sw_bytes){.data = text, .size = strlen(text)};
}

static void paths_are_split_and_decoded(void **state)
{
    struct sw_arena *arena = sw_arena_new(65536);
    struct sw_url_path path;

    (void)state;
    assert_int_equal(sw_url_split_path(bytes_of("/apis/swarm/v1/a%20b/%C3%A4"), arena, &path, NULL),
                     SW_OK);
    assert_int_equal(path.count, 5);
    assert_string_equal(path.segments[0], "apis");
    assert_string_equal(path.segments[3], "a b");
    assert_string_equal(path.segments[4], "\xc3\xa4");
    sw_arena_free(arena);
}

static void an_escaped_slash_stays_inside_of_its_segment(void **state)
{
    struct sw_arena *arena = sw_arena_new(65536);
    struct sw_url_path path;

    (void)state;
    assert_int_equal(sw_url_split_path(bytes_of("/a%2fb/c"), arena, &path, NULL), SW_OK);
    assert_int_equal(path.count, 2);
    assert_string_equal(path.segments[0], "a/b");
    sw_arena_free(arena);
}

static void the_root_and_a_slash_at_the_end(void **state)
{
    struct sw_arena *arena = sw_arena_new(65536);
    struct sw_url_path path;

    (void)state;
    assert_int_equal(sw_url_split_path(bytes_of("/"), arena, &path, NULL), SW_OK);
    assert_int_equal(path.count, 0);
    assert_int_equal(sw_url_split_path(bytes_of("/a/"), arena, &path, NULL), SW_OK);
    assert_int_equal(path.count, 1);
    sw_arena_free(arena);
}

static void bad_paths_are_refused_with_words(void **state)
{
    static const char *const bad[] = {"",         "a",  "//",  "/a//b", "/./a", "/../a", "/%2e%2e",
                                      "/a/%2E/b", "/%", "/%4", "/%zz",  "/%00", "/%ff",  "/%c0%80"};
    struct sw_arena *arena = sw_arena_new(65536);
    struct sw_url_path path;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct sw_err err = {0};

        if (sw_url_split_path(bytes_of(bad[i]), arena, &path, &err) != SW_E_INVALID)
            fail_msg("accepted: %s", bad[i]);
        assert_true(err.message[0] != '\0');
    }
    sw_arena_free(arena);
}

static void too_many_segments_are_refused(void **state)
{
    struct sw_arena *arena = sw_arena_new(65536);
    struct sw_url_path path;
    char text[64] = "";

    (void)state;
    for (int i = 0; i <= SW_URL_SEGMENTS_MAX; i++)
        (void)strcat(text, "/a");
    assert_int_equal(sw_url_split_path(bytes_of(text), arena, &path, NULL), SW_E_INVALID);
    text[2 * SW_URL_SEGMENTS_MAX] = '\0';
    assert_int_equal(sw_url_split_path(bytes_of(text), arena, &path, NULL), SW_OK);
    sw_arena_free(arena);
}

static void queries_are_split_and_decoded(void **state)
{
    struct sw_arena *arena = sw_arena_new(65536);
    struct sw_url_query query;

    (void)state;
    assert_int_equal(sw_url_split_query(bytes_of("a=1&b=x+y%26z&c&&d=e=f"), arena, &query, NULL),
                     SW_OK);
    assert_int_equal(query.count, 4);
    assert_string_equal(sw_url_query_find(&query, "a"), "1");
    assert_string_equal(sw_url_query_find(&query, "b"), "x y&z");
    assert_string_equal(sw_url_query_find(&query, "c"), "");
    assert_string_equal(sw_url_query_find(&query, "d"), "e=f");
    assert_null(sw_url_query_find(&query, "e"));
    sw_arena_free(arena);
}

static void bad_queries_are_refused(void **state)
{
    static const char *const bad[] = {"a=1&a=2", "a=%", "%zz=1", "a=%00", "a=%ff", "a=1&%61=2"};
    struct sw_arena *arena = sw_arena_new(65536);
    struct sw_url_query query;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (sw_url_split_query(bytes_of(bad[i]), arena, &query, NULL) != SW_E_INVALID)
            fail_msg("accepted: %s", bad[i]);
    sw_arena_free(arena);
}

static void too_many_parameters_are_refused(void **state)
{
    struct sw_arena *arena = sw_arena_new(65536);
    struct sw_url_query query;
    char text[512] = "";

    (void)state;
    for (int i = 0; i <= SW_URL_PARAMETERS_MAX; i++)
        (void)snprintf(text + strlen(text), sizeof text - strlen(text), "p%d=&", i);
    assert_int_equal(sw_url_split_query(bytes_of(text), arena, &query, NULL), SW_E_INVALID);
    sw_arena_free(arena);
}

static void a_full_arena_is_told(void **state)
{
    struct sw_arena *arena = sw_arena_new(16);
    struct sw_url_path path;
    struct sw_url_query query;

    (void)state;
    assert_int_equal(sw_url_split_path(bytes_of("/aaaaaaaaaaaaaaaaaaaaaaaa"), arena, &path, NULL),
                     SW_E_EXHAUSTED);
    assert_int_equal(
        sw_url_split_query(bytes_of("aaaaaaaaaaaaaaaaaaaaaaaa=b"), arena, &query, NULL),
        SW_E_EXHAUSTED);
    sw_arena_free(arena);
}

static void decoding_appends_to_a_buffer(void **state)
{
    struct sw_buffer out;

    (void)state;
    sw_buffer_init(&out, 64);
    sw_buffer_put_text(&out, "x");
    assert_int_equal(sw_url_decode(bytes_of("%41+%42"), &out), SW_OK);
    assert_int_equal(out.size, 4);
    assert_memory_equal(out.data, "xA+B", 4);
    assert_int_equal(sw_url_decode(bytes_of("%4"), &out), SW_E_INVALID);
    sw_buffer_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_are_split_and_decoded),
        cmocka_unit_test(an_escaped_slash_stays_inside_of_its_segment),
        cmocka_unit_test(the_root_and_a_slash_at_the_end),
        cmocka_unit_test(bad_paths_are_refused_with_words),
        cmocka_unit_test(too_many_segments_are_refused),
        cmocka_unit_test(queries_are_split_and_decoded),
        cmocka_unit_test(bad_queries_are_refused),
        cmocka_unit_test(too_many_parameters_are_refused),
        cmocka_unit_test(a_full_arena_is_told),
        cmocka_unit_test(decoding_appends_to_a_buffer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
