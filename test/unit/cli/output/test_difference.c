/* A diff shows what changed, a little around it, and nothing when nothing did. */
#include "pkg/cli/output/difference.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

static void assert_diff(const char *old, const char *new, const char *expected, bool differs)
{
    struct sw_buffer out;
    bool any = !differs;

    sw_buffer_init(&out, 1 << 20);
    assert_int_equal(sw_difference_put(old, new, &out, &any), SW_OK);
    sw_buffer_put_u8(&out, 0);
    assert_string_equal((const char *)out.data, expected);
    assert_int_equal(any, differs);
    sw_buffer_done(&out);
}

static void equal_texts_show_nothing(void **state)
{
    (void)state;
    assert_diff("a\nb\n", "a\nb\n", "", false);
    assert_diff("", "", "", false);
}

static void a_changed_line_is_taken_out_and_put_in(void **state)
{
    (void)state;
    assert_diff("a\nb\nc\n", "a\nx\nc\n", " a\n-b\n+x\n c\n", true);
}

static void new_and_gone_texts_are_all_signs(void **state)
{
    (void)state;
    assert_diff("", "a\nb\n", "+a\n+b\n", true);
    assert_diff("a\nb\n", "", "-a\n-b\n", true);
}

static void far_lines_are_left_out(void **state)
{
    (void)state;
    assert_diff("1\n2\n3\n4\n5\n6\n7\n8\n9\n", "1\n2\n3\n4\n5\n6\n7\n8\nx\n",
                "@@\n 6\n 7\n 8\n-9\n+x\n", true);
}

static void a_missing_last_newline_is_no_difference(void **state)
{
    (void)state;
    assert_diff("a\nb", "a\nb\n", "", false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_texts_show_nothing),
        cmocka_unit_test(a_changed_line_is_taken_out_and_put_in),
        cmocka_unit_test(new_and_gone_texts_are_all_signs),
        cmocka_unit_test(far_lines_are_left_out),
        cmocka_unit_test(a_missing_last_newline_is_no_difference),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
