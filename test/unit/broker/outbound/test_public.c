#include "pkg/broker/outbound/public.h"
#include "pkg/broker/outbound/url.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cmocka.h>

static bool is_public(const char *text)
{
    struct sockaddr_storage any = {.ss_family = AF_INET};
    struct sockaddr_in *four = (struct sockaddr_in *)(void *)&any;
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)(void *)&any;

    if (inet_pton(AF_INET, text, &four->sin_addr) == 1)
        return sw_address_is_public((const struct sockaddr *)&any);
    any.ss_family = AF_INET6;
    assert_int_equal(inet_pton(AF_INET6, text, &six->sin6_addr), 1);
    return sw_address_is_public((const struct sockaddr *)&any);
}

static void test_the_internet(void **state)
{
    static const char *const texts[] = {
        "1.1.1.1",    "8.8.8.8",     "100.63.255.255",  "100.128.0.1",     "172.15.0.1",
        "172.32.0.1", "192.167.1.1", "223.255.255.255", "2606:4700::1111", "2a00:1450::1"};

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (!is_public(texts[i]))
            fail_msg("%s", texts[i]);
}

static void test_what_is_not_on_it(void **state)
{
    static const char *const texts[] = {"0.0.0.0",
                                        "10.1.2.3",
                                        "100.64.0.1",
                                        "127.0.0.1",
                                        "127.255.0.1",
                                        "169.254.169.254",
                                        "172.16.0.1",
                                        "172.31.255.255",
                                        "192.0.0.1",
                                        "192.0.2.1",
                                        "192.168.0.1",
                                        "198.18.0.1",
                                        "198.51.100.1",
                                        "203.0.113.1",
                                        "224.0.0.1",
                                        "255.255.255.255",
                                        "::",
                                        "::1",
                                        "::ffff:8.8.8.8",
                                        "64:ff9b::808:808",
                                        "fc00::1",
                                        "fe80::1",
                                        "ff02::1",
                                        "2001:db8::1",
                                        "2002:7f00:1::",
                                        "2001::1",
                                        "3fff::1",
                                        "100::1"};
    struct sockaddr_un local = {.sun_family = AF_UNIX};

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (is_public(texts[i]))
            fail_msg("%s", texts[i]);
    assert_false(sw_address_is_public((const struct sockaddr *)&local));
}

/* What is checked is what is asked for. */
static void test_urls(void **state)
{
    static const struct {
        const char *text, *host, *path, *whole;
        uint16_t port;
    } cases[] = {
        {"https://API.Example.com", "api.example.com", "/", "https://API.Example.com/", 443},
        {"http://a.b:81/x/../y?q#f", "a.b", "/y", "http://a.b:81/y?q", 81},
        {"http://0x7f.1/", "127.0.0.1", "/", "http://127.0.0.1/", 80},
        {"http://2130706433/", "127.0.0.1", "/", "http://127.0.0.1/", 80},
        {"https://[2001:db8::1]:8443/", "2001:db8::1", "/", "https://[2001:db8::1]:8443/", 8443}};
    struct sw_outbound_url url;
    struct sw_err err = {0};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(sw_outbound_url_read(cases[i].text, &url, &err), SW_OK);
        assert_string_equal(url.host, cases[i].host);
        assert_string_equal(url.path, cases[i].path);
        assert_string_equal(url.text, cases[i].whole);
        assert_int_equal(url.port, cases[i].port);
    }
}

static void test_what_is_no_url(void **state)
{
    static const char *const texts[] = {"",
                                        "x",
                                        "nothing://a/",
                                        "https://me@a/",
                                        "https://a b/",
                                        "https://a\n/",
                                        "https://\xc3\xa4/",
                                        "https://",
                                        "https://a:99999/"};
    char large[4096] = "https://a/";
    struct sw_outbound_url url;

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (sw_outbound_url_read(texts[i], &url, NULL) == SW_OK)
            fail_msg("%s", texts[i]);
    memset(large + strlen(large), 'a', 3000);
    assert_int_equal(sw_outbound_url_read(large, &url, NULL), SW_E_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_internet), cmocka_unit_test(test_what_is_not_on_it),
        cmocka_unit_test(test_urls), cmocka_unit_test(test_what_is_no_url)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
