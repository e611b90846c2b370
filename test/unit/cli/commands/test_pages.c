/* docs/cli is what the table of commands says today. */
/* uses: pkg/utils/system */
#include "test/unit/cli/commands/fixture.h"

static void the_pages_in_docs_are_not_stale(void **state)
{
    struct person *p = *state;

    assert_int_equal(system("mkdir pages"), 0);
    assert_int_equal(TYPE(p, "help", "--markdown", "pages"), SW_EXIT_OK);
    /* Mend it with tools/cli/docs. Pages of commands that are gone are found as well. */
    assert_int_equal(system("mkdir docs && cp " SW_TEST_SOURCE "/docs/cli/swarm.md " SW_TEST_SOURCE
                            "/docs/cli/swarm-* docs && diff -r pages docs"),
                     0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {PERSON_TEST(the_pages_in_docs_are_not_stale)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
