#include "pkg/broker/egress/rules.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NAMES(...)                                                                                 \
    {(const char *const[]){__VA_ARGS__},                                                           \
     sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *)}

static enum sw_rc ask(const struct sw_egress_rule *rules, size_t count, const char *method,
                      struct sw_egress_target target, struct sw_err *err)
{
    const struct sw_egress_rule *found = NULL;
    struct sw_egress_ask asked = {.method = method, .target = target, .body_bytes = 10};

    return sw_egress_check(rules, count, &asked, &found, err);
}

static struct sw_egress_target to(const char *scheme, const char *host, uint16_t port,
                                  const char *path)
{
    return (struct sw_egress_target){.scheme = scheme, .host = host, .port = port, .path = path};
}

static void test_without_rules_nothing_goes(void **state)
{
    struct sw_err err = {0};

    (void)state;
    assert_int_equal(ask(NULL, 0, "GET", to("https", "example.com", 443, "/"), &err), SW_E_DENIED);
    assert_non_null(strstr(err.message, "example.com:443"));
    assert_non_null(strstr(err.hint, "spec.egress"));
}

static void test_hosts(void **state)
{
    const struct sw_egress_rule rule = {.hosts =
                                            NAMES("api.example.com", "*.shop.example",
                                                  "plain.example:8443", "10.0.0.7", "2001:db8::1"),
                                        .request_bytes_max = 100};
    static const struct {
        const char *host;
        uint16_t port;
        bool is_allowed;
    } cases[] = {{"api.example.com", 443, true},
                 {"api.example.com", 444, false},
                 {"API.Example.com", 443, true},
                 {"xapi.example.com", 443, false},
                 {"api.example.com.evil.net", 443, false},
                 {"example.com", 443, false},
                 {"a.shop.example", 443, true},
                 {"a.b.shop.example", 443, true},
                 {"shop.example", 443, false},
                 {"evilshop.example", 443, false},
                 {".shop.example", 443, false},
                 {"plain.example", 8443, true},
                 {"plain.example", 443, false},
                 {"10.0.0.7", 443, true},
                 {"2001:db8::1", 443, true},
                 {"", 443, false}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(ask(&rule, 1, "GET", to("https", cases[i].host, cases[i].port, "/"), NULL),
                         cases[i].is_allowed ? SW_OK : SW_E_DENIED);
}

static void test_methods_paths_and_schemes(void **state)
{
    const struct sw_egress_rule rules[] = {{.hosts = NAMES("a.example"), .request_bytes_max = 100},
                                           {.hosts = NAMES("a.example"),
                                            .methods = NAMES("POST"),
                                            .paths = NAMES("/v1/*", "/exact"),
                                            .request_bytes_max = 100},
                                           {.hosts = NAMES("old.example", "old.example:81"),
                                            .allows_plain = true,
                                            .request_bytes_max = 100}};
    struct sw_err err = {0};

    (void)state;
    assert_int_equal(ask(rules, 3, "GET", to("https", "a.example", 443, "/any"), NULL), SW_OK);
    assert_int_equal(ask(rules, 3, "HEAD", to("https", "a.example", 443, "/any"), NULL), SW_OK);
    assert_int_equal(ask(rules, 3, "POST", to("https", "a.example", 443, "/v1/x"), NULL), SW_OK);
    assert_int_equal(ask(rules, 3, "POST", to("https", "a.example", 443, "/exact?q=1"), NULL),
                     SW_OK);
    assert_int_equal(ask(rules, 3, "POST", to("https", "a.example", 443, "/exact/x"), &err),
                     SW_E_DENIED);
    assert_non_null(strstr(err.message, "POST of /exact/x"));
    assert_int_equal(ask(rules, 3, "POST", to("https", "a.example", 443, "/v1"), NULL),
                     SW_E_DENIED);
    assert_int_equal(ask(rules, 3, "POST", to("https", "a.example", 443, "/x?/v1/"), NULL),
                     SW_E_DENIED);
    assert_int_equal(ask(rules, 3, "DELETE", to("https", "a.example", 443, "/v1/x"), &err),
                     SW_E_DENIED);
    assert_non_null(strstr(err.message, "DELETE is not allowed"));
    assert_int_equal(ask(rules, 3, "GET", to("http", "a.example", 80, "/any"), &err), SW_E_DENIED);
    assert_non_null(strstr(err.message, "https only"));
    assert_int_equal(ask(rules, 3, "GET", to("http", "old.example", 80, "/"), NULL), SW_OK);
    assert_int_equal(ask(rules, 3, "GET", to("http", "old.example", 81, "/"), NULL), SW_OK);
    assert_int_equal(ask(rules, 3, "GET", to("ftp", "old.example", 81, "/"), NULL), SW_E_DENIED);
}

static void test_disguised_paths(void **state)
{
    static const char *const paths[] = {"/v1/../admin",  "/v1/%2e%2e/admin", "/v1/%2E./admin",
                                        "/v1/..",        "/v1/a/.",          "/v1/..%2fadmin",
                                        "/v1/..\\admin", "/v1//admin",       "/v1/.%2e/admin"};
    const struct sw_egress_rule strict = {
        .hosts = NAMES("a.example"), .paths = NAMES("/v1/*"), .request_bytes_max = 100};
    const struct sw_egress_rule any = {.hosts = NAMES("a.example"), .request_bytes_max = 100};

    (void)state;
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        assert_int_equal(ask(&strict, 1, "GET", to("https", "a.example", 443, paths[i]), NULL),
                         SW_E_DENIED);
        assert_int_equal(ask(&any, 1, "GET", to("https", "a.example", 443, paths[i]), NULL), SW_OK);
    }
    assert_int_equal(
        ask(&strict, 1, "GET", to("https", "a.example", 443, "/v1/a..b?x=/../%2e"), NULL), SW_OK);
}

static void test_sizes_and_secrets(void **state)
{
    const struct sw_egress_rule rule = {
        .hosts = NAMES("a.example"), .secrets = NAMES("stripe/key"), .request_bytes_max = 9};
    struct sw_err err = {0};

    (void)state;
    assert_int_equal(ask(&rule, 1, "GET", to("https", "a.example", 443, "/"), &err),
                     SW_E_EXHAUSTED);
    assert_non_null(strstr(err.message, "at most 9 bytes"));
    assert_true(sw_egress_may_use(&rule, (struct sw_bytes){"stripe/key", 10}));
    assert_false(sw_egress_may_use(&rule, (struct sw_bytes){"stripe/keys", 11}));
    assert_false(sw_egress_may_use(&rule, (struct sw_bytes){"stripe", 6}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_without_rules_nothing_goes), cmocka_unit_test(test_hosts),
        cmocka_unit_test(test_methods_paths_and_schemes),  cmocka_unit_test(test_disguised_paths),
        cmocka_unit_test(test_sizes_and_secrets),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
