/* The SPIFFE names that are ours, and those that are not. */
#include "pkg/security/certs/identity.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void test_three_forms_are_read_and_printed(void **state)
{
    static const struct {
        const char *text, *cluster, *namespace_, *name;
        enum sw_spiffe_kind kind;
    } rows[] = {
        {"spiffe://hive/user/admin", "hive", "", "admin", SW_SPIFFE_USER},
        {"spiffe://hive/node/node-1", "hive", "", "node-1", SW_SPIFFE_NODE},
        {"spiffe://h/ns/default/agent/reader", "h", "default", "reader", SW_SPIFFE_AGENT},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct sw_spiffe spiffe;
        char text[SW_SPIFFE_MAX];

        assert_int_equal(sw_spiffe_parse(rows[i].text, &spiffe), SW_OK);
        assert_int_equal(spiffe.kind, rows[i].kind);
        assert_string_equal(spiffe.cluster, rows[i].cluster);
        assert_string_equal(spiffe.namespace_, rows[i].namespace_);
        assert_string_equal(spiffe.name, rows[i].name);
        sw_spiffe_print(&spiffe, text);
        assert_string_equal(text, rows[i].text);
    }
}

static void test_other_names_are_refused(void **state)
{
    static const char *const rows[] = {
        "",
        "spiffe://",
        "spiffe://hive",
        "spiffe://hive/",
        "spiffe://hive/user",
        "spiffe://hive/user/",
        "spiffe://hive/user/admin/",
        "spiffe://hive/user/Admin",
        "spiffe://hive/user/a%2fb",
        "spiffe://hive//admin",
        "spiffe:///user/admin",
        "spiffe://hive/service/x",
        "spiffe://hive/ns/default/agent",
        "spiffe://hive/ns/default/pod/reader",
        "spiffe://hive/ns/default/agent/reader/1",
        "SPIFFE://hive/user/admin",
        "https://hive/user/admin",
        "spiffe://hive/user/a234567890123456789012345678901234567890123456789012345678901234",
    };
    struct sw_spiffe spiffe;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_int_equal(sw_spiffe_parse(rows[i], &spiffe), SW_E_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_three_forms_are_read_and_printed),
        cmocka_unit_test(test_other_names_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
