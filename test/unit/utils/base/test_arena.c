/* Arenas: zeroed, aligned, bounded, and freed whole. */
#include "pkg/utils/base/arena.h"

#include <setjmp.h>
#include <stdalign.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static void memory_is_zeroed_and_aligned(void **state)
{
    SW_CLEANUP(sw_arena_freep) struct sw_arena *arena = sw_arena_new(1 << 20);

    (void)state;
    for (size_t size = 0; size < 300; size++) {
        unsigned char *bytes = sw_arena_get(arena, size);

        assert_non_null(bytes);
        assert_int_equal((uintptr_t)bytes % alignof(max_align_t), 0);
        for (size_t i = 0; i < size; i++)
            assert_int_equal(bytes[i], 0);
        (void)memset(bytes, 0xff, size);
    }
}

static void memory_is_zeroed_again_after_a_reset(void **state)
{
    SW_CLEANUP(sw_arena_freep) struct sw_arena *arena = sw_arena_new(1 << 20);
    unsigned char *bytes = sw_arena_get(arena, 100);

    (void)state;
    (void)memset(bytes, 0xff, 100);
    sw_arena_reset(arena);
    assert_int_equal(sw_arena_used(arena), 0);
    bytes = sw_arena_get(arena, 100);
    for (size_t i = 0; i < 100; i++)
        assert_int_equal(bytes[i], 0);
}

static void pieces_do_not_overlap(void **state)
{
    SW_CLEANUP(sw_arena_freep) struct sw_arena *arena = sw_arena_new(1 << 20);
    unsigned char *pieces[200];

    (void)state;
    for (size_t i = 0; i < 200; i++) {
        pieces[i] = sw_arena_get(arena, i * 7);
        (void)memset(pieces[i], (int)i, i * 7);
    }
    for (size_t i = 0; i < 200; i++)
        for (size_t j = 0; j < i * 7; j++)
            assert_int_equal(pieces[i][j], i);
}

static void size_max_is_never_passed(void **state)
{
    SW_CLEANUP(sw_arena_freep) struct sw_arena *arena = sw_arena_new(1000);

    (void)state;
    assert_null(sw_arena_get(arena, 1001));
    assert_non_null(sw_arena_get(arena, 600));
    assert_null(sw_arena_get(arena, 401));
    assert_non_null(sw_arena_get(arena, 400));
    assert_null(sw_arena_get(arena, 1));
    assert_int_equal(sw_arena_used(arena), 1000);
}

static void one_piece_may_be_larger_than_any_block(void **state)
{
    SW_CLEANUP(sw_arena_freep) struct sw_arena *arena = sw_arena_new(16 << 20);
    unsigned char *bytes = sw_arena_get(arena, 8 << 20);

    (void)state;
    assert_non_null(bytes);
    bytes[(8 << 20) - 1] = 1;
}

static void sizes_that_overflow_are_refused(void **state)
{
    SW_CLEANUP(sw_arena_freep) struct sw_arena *arena = sw_arena_new(SIZE_MAX);

    (void)state;
    assert_null(sw_arena_get(arena, SIZE_MAX));
    assert_null(sw_arena_get(arena, SIZE_MAX - 20));
    assert_null(sw_arena_array(arena, SIZE_MAX / 2, 3));
    assert_null(sw_arena_copy(arena, "", SIZE_MAX));
}

static void copies_end_in_nul(void **state)
{
    SW_CLEANUP(sw_arena_freep) struct sw_arena *arena = sw_arena_new(4096);

    (void)state;
    assert_string_equal(sw_arena_copy(arena, "abcdef", 3), "abc");
    assert_string_equal(sw_arena_copy(arena, NULL, 0), "");
    assert_string_equal(sw_arena_print(arena, "%s-%d", "x", 42), "x-42");
}

static void print_that_does_not_fit_is_null(void **state)
{
    SW_CLEANUP(sw_arena_freep) struct sw_arena *arena = sw_arena_new(8);

    (void)state;
    assert_null(sw_arena_print(arena, "%s", "12345678"));
    assert_string_equal(sw_arena_print(arena, "%s", "1234567"), "1234567");
}

static void free_of_null_does_nothing(void **state)
{
    (void)state;
    sw_arena_free(NULL);
}

static void secrets_are_overwritten(void **state)
{
    SW_CLEANUP(sw_arena_freep) struct sw_arena *arena = sw_arena_new(1 << 20);
    char *text;

    (void)state;
    text = sw_arena_copy(arena, "secret", 6); /* In the first block, which a reset keeps. */
    sw_arena_reset(arena);
    assert_memory_equal(text, "secret", 6);
    text = sw_arena_copy(arena, "secret", 6);
    assert_non_null(sw_arena_get(arena, 100000));
    sw_arena_set_secret(arena);
    sw_arena_reset(arena);
    assert_memory_equal(text, "\0\0\0\0\0\0", 6);
    text = sw_arena_copy(arena, "public", 6); /* What follows is no secret. */
    sw_arena_reset(arena);
    assert_memory_equal(text, "public", 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_is_zeroed_and_aligned),
        cmocka_unit_test(memory_is_zeroed_again_after_a_reset),
        cmocka_unit_test(pieces_do_not_overlap),
        cmocka_unit_test(size_max_is_never_passed),
        cmocka_unit_test(one_piece_may_be_larger_than_any_block),
        cmocka_unit_test(sizes_that_overflow_are_refused),
        cmocka_unit_test(copies_end_in_nul),
        cmocka_unit_test(print_that_does_not_fit_is_null),
        cmocka_unit_test(free_of_null_does_nothing),
        cmocka_unit_test(secrets_are_overwritten),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
