/* The version that programs print. */
#include "pkg/utils/version/version.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

static void version_is_three_numbers(void **state)
{
    unsigned major, minor, patch;

    (void)state;
    assert_int_equal(sscanf(sw_version(), "%u.%u.%u", &major, &minor, &patch), 3);
}

static void commit_is_never_empty(void **state)
{
    (void)state;
    assert_true(strlen(sw_version_commit()) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(version_is_three_numbers),
        cmocka_unit_test(commit_is_never_empty),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
