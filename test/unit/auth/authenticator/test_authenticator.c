/* Who a certificate makes somebody. */
#include "pkg/auth/authenticator/authenticator.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define NOW_NS 1000

static enum sw_rc authenticate(const char *spiffe, uint64_t expires_ns,
                               struct sw_principal *ret_principal, struct sw_err *err)
{
    struct sw_identity identity = {.expires_ns = expires_ns};

    (void)snprintf(identity.spiffe, sizeof identity.spiffe, "%s", spiffe);
    return sw_authenticate("hive", &identity, NOW_NS, ret_principal, err);
}

static void test_no_certificate_is_anybody(void **state)
{
    struct sw_principal principal;

    (void)state;
    assert_int_equal(sw_authenticate("hive", NULL, NOW_NS, &principal, NULL), SW_OK);
    assert_int_equal(principal.kind, SW_PRINCIPAL_ANYBODY);
    assert_string_equal(principal.name, "");
    assert_string_equal(sw_principal_kind_name(principal.kind), "anybody");
}

static void test_each_kind_of_identity(void **state)
{
    static const struct {
        const char *spiffe, *namespace_, *name, *kind_name;
        enum sw_principal_kind kind;
    } rows[] = {
        {"spiffe://hive/user/admin", "", "admin", "user", SW_PRINCIPAL_USER},
        {"spiffe://hive/node/n1", "", "n1", "node", SW_PRINCIPAL_NODE},
        {"spiffe://hive/ns/default/agent/a", "default", "a", "agent", SW_PRINCIPAL_AGENT},
    };
    struct sw_principal principal;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(authenticate(rows[i].spiffe, NOW_NS + 1, &principal, NULL), SW_OK);
        assert_int_equal(principal.kind, rows[i].kind);
        assert_string_equal(principal.namespace_, rows[i].namespace_);
        assert_string_equal(principal.name, rows[i].name);
        assert_string_equal(principal.spiffe, rows[i].spiffe);
        assert_string_equal(sw_principal_kind_name(principal.kind), rows[i].kind_name);
    }
}

static void test_expired_certificate_is_nobody(void **state)
{
    struct sw_principal principal;
    struct sw_err err = {0};

    (void)state;
    assert_int_equal(authenticate("spiffe://hive/user/admin", NOW_NS, &principal, &err),
                     SW_E_UNAUTHENTICATED);
    assert_non_null(strstr(err.message, "expired"));
}

static void test_other_clusters_and_names_are_nobody(void **state)
{
    struct sw_principal principal;
    struct sw_err err = {0};

    (void)state;
    assert_int_equal(authenticate("spiffe://other/user/admin", NOW_NS + 1, &principal, &err),
                     SW_E_UNAUTHENTICATED);
    assert_non_null(strstr(err.message, "another cluster"));
    assert_int_equal(authenticate("https://hive/user/admin", NOW_NS + 1, &principal, &err),
                     SW_E_UNAUTHENTICATED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_certificate_is_anybody),
        cmocka_unit_test(test_each_kind_of_identity),
        cmocka_unit_test(test_expired_certificate_is_nobody),
        cmocka_unit_test(test_other_clusters_and_names_are_nobody),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
