/* labels: threaded */
#include "test/unit/store/conformance.h"
#include "test/unit/store/sqlite/fixture.h"

#define TEST(name) cmocka_unit_test_setup_teardown(name, sqlite_setup, sqlite_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {CONFORMANCE_TESTS(TEST)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
