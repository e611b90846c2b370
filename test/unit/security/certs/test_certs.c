/* Authorities and credentials: what is issued, kept, refused and renewed. */
#include "pkg/security/certs/certs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#define HOUR_NS (UINT64_C(3600) * 1000000000)
#define DAY_NS (24 * HOUR_NS)
#define NOW_NS (UINT64_C(1780000000) * 1000000000)

static struct sw_system wall; /* The real files under a clock that tests set. */
static uint64_t now_ns = NOW_NS;
static char folder[] = "/tmp/swarm-certs-XXXXXX";

static uint64_t test_now(void *ctx)
{
    (void)ctx;
    return now_ns;
}

static int group_begin(void **state)
{
    (void)state;
    wall = *sw_system_real();
    wall.utc_ns = test_now;
    return mkdtemp(folder) == NULL;
}

static int group_end(void **state)
{
    char command[64];

    (void)state;
    (void)snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command);
}

static struct sw_certificate_request request_for(const char *name)
{
    struct sw_certificate_request request = {.lifetime_ns = DAY_NS};

    (void)snprintf(request.identity.cluster, SW_IDENTITY_NAME_MAX, "hive");
    (void)snprintf(request.identity.name, SW_IDENTITY_NAME_MAX, "%s", name);
    return request;
}

static struct sw_authority *new_authority(const char *cluster)
{
    struct sw_authority *authority = NULL;
    struct sw_err err = {0};

    assert_int_equal(sw_authority_new(cluster, NOW_NS, &authority, &err), SW_OK);
    return authority;
}

static void test_credentials_name_whom_they_were_issued_to(void **state)
{
    SW_CLEANUP(sw_authority_freep) struct sw_authority *authority = new_authority("hive");
    SW_CLEANUP(sw_credentials_freep) struct sw_credentials *credentials = NULL;
    struct sw_certificate_request request = request_for("admin");
    struct sw_err err = {0};

    (void)state;
    assert_int_equal(sw_authority_issue(authority, &request, NOW_NS, &credentials, &err), SW_OK);
    assert_string_equal(sw_credentials_identity(credentials)->spiffe, "spiffe://hive/user/admin");
    assert_string_equal(sw_credentials_identity(credentials)->subject, "admin");
    assert_true(sw_credentials_identity(credentials)->expires_ns == NOW_NS + DAY_NS);
    assert_non_null(strstr((const char *)sw_credentials_certificate_pem(credentials).data,
                           "BEGIN CERTIFICATE"));
    assert_non_null(
        strstr((const char *)sw_credentials_key_pem(credentials).data, "BEGIN PRIVATE KEY"));
}

static void test_requests_that_are_refused(void **state)
{
    SW_CLEANUP(sw_authority_freep) struct sw_authority *authority = new_authority("hive");
    struct sw_certificate_request right = request_for("admin"), wrong;
    const char *const hosts[SW_CERT_HOSTS_MAX + 1] = {"not a host"};
    struct sw_credentials *credentials = NULL;
    struct sw_err err = {0};

    (void)state;
    wrong = right;
    (void)snprintf(wrong.identity.cluster, sizeof wrong.identity.cluster, "other");
    assert_int_equal(sw_authority_issue(authority, &wrong, NOW_NS, &credentials, &err),
                     SW_E_INVALID);
    wrong = right;
    (void)snprintf(wrong.identity.name, sizeof wrong.identity.name, "a/../b");
    assert_int_equal(sw_authority_issue(authority, &wrong, NOW_NS, &credentials, &err),
                     SW_E_INVALID);
    wrong = right;
    wrong.lifetime_ns = 0;
    assert_int_equal(sw_authority_issue(authority, &wrong, NOW_NS, &credentials, &err),
                     SW_E_INVALID);
    wrong = right;
    wrong.hosts = hosts;
    wrong.hosts_count = 1;
    assert_int_equal(sw_authority_issue(authority, &wrong, NOW_NS, &credentials, &err),
                     SW_E_INVALID);
    wrong.hosts_count = SW_CERT_HOSTS_MAX + 1;
    assert_int_equal(sw_authority_issue(authority, &wrong, NOW_NS, &credentials, &err),
                     SW_E_INVALID);
    assert_null(credentials);
}

static void test_authority_needs_a_label(void **state)
{
    struct sw_authority *authority = NULL;
    struct sw_err err = {0};

    (void)state;
    assert_int_equal(sw_authority_new("Not a label", NOW_NS, &authority, &err), SW_E_INVALID);
    assert_int_equal(sw_authority_new("", NOW_NS, &authority, &err), SW_E_INVALID);
    assert_null(authority);
}

static void test_renewal_begins_at_two_thirds(void **state)
{
    SW_CLEANUP(sw_authority_freep) struct sw_authority *authority = new_authority("hive");
    SW_CLEANUP(sw_credentials_freep) struct sw_credentials *credentials = NULL;
    struct sw_certificate_request request = request_for("admin");
    struct sw_err err = {0};

    (void)state;
    assert_int_equal(sw_authority_issue(authority, &request, NOW_NS, &credentials, &err), SW_OK);
    assert_false(sw_credentials_need_renewal(credentials, NOW_NS));
    assert_false(sw_credentials_need_renewal(credentials, NOW_NS + 15 * HOUR_NS));
    assert_true(sw_credentials_need_renewal(credentials, NOW_NS + 16 * HOUR_NS));
    assert_true(sw_credentials_need_renewal(credentials, NOW_NS - HOUR_NS));
    assert_true(sw_credentials_renew_at_ns(credentials) < NOW_NS + 16 * HOUR_NS);
}

static void test_leaf_does_not_outlive_its_authority(void **state)
{
    SW_CLEANUP(sw_authority_freep) struct sw_authority *authority = new_authority("hive");
    SW_CLEANUP(sw_credentials_freep) struct sw_credentials *credentials = NULL;
    struct sw_certificate_request request = request_for("admin");
    struct sw_err err = {0};

    (void)state;
    request.lifetime_ns = 3650 * DAY_NS;
    assert_int_equal(
        sw_authority_issue(authority, &request, NOW_NS + 100 * DAY_NS, &credentials, &err), SW_OK);
    assert_true(sw_credentials_identity(credentials)->expires_ns == NOW_NS + 3650 * DAY_NS);
}

static void test_key_of_another_certificate_is_refused(void **state)
{
    SW_CLEANUP(sw_authority_freep) struct sw_authority *authority = new_authority("hive");
    SW_CLEANUP(sw_credentials_freep) struct sw_credentials *one = NULL;
    SW_CLEANUP(sw_credentials_freep) struct sw_credentials *other = NULL;
    struct sw_certificate_request request = request_for("admin");
    struct sw_credentials *mixed = NULL;
    struct sw_err err = {0};

    (void)state;
    assert_int_equal(sw_authority_issue(authority, &request, NOW_NS, &one, &err), SW_OK);
    assert_int_equal(sw_authority_issue(authority, &request, NOW_NS, &other, &err), SW_OK);
    assert_int_equal(sw_credentials_parse(sw_credentials_certificate_pem(one),
                                          sw_credentials_key_pem(other), &mixed, &err),
                     SW_E_CORRUPT);
    assert_int_equal(sw_credentials_parse((struct sw_bytes){"junk", 4},
                                          sw_credentials_key_pem(other), &mixed, &err),
                     SW_E_CORRUPT);
    assert_int_equal(sw_credentials_parse(sw_credentials_certificate_pem(one), (struct sw_bytes){0},
                                          &mixed, &err),
                     SW_E_CORRUPT);
    assert_null(mixed);
}

static void test_authority_is_no_credential(void **state)
{
    SW_CLEANUP(sw_authority_freep) struct sw_authority *authority = new_authority("hive");
    SW_CLEANUP(sw_credentials_freep) struct sw_credentials *one = NULL;
    struct sw_certificate_request request = request_for("admin");
    struct sw_credentials *mixed = NULL;
    struct sw_err err = {0};

    (void)state;
    assert_int_equal(sw_authority_issue(authority, &request, NOW_NS, &one, &err), SW_OK);
    assert_int_equal(sw_credentials_parse(sw_authority_pem(authority), sw_credentials_key_pem(one),
                                          &mixed, &err),
                     SW_E_CORRUPT);
}

static void test_authority_is_made_once_and_kept(void **state)
{
    SW_CLEANUP(sw_authority_freep) struct sw_authority *first = NULL;
    SW_CLEANUP(sw_authority_freep) struct sw_authority *second = NULL;
    char path[SW_PATH_MAX];
    struct sw_err err = {0};
    struct stat view;

    (void)state;
    (void)snprintf(path, sizeof path, "%s/kept", folder);
    assert_int_equal(sw_authority_open(&wall, path, "hive", &first, &err), SW_OK);
    assert_int_equal(sw_authority_open(&wall, path, "hive", &second, &err), SW_OK);
    assert_int_equal(sw_authority_pem(first).size, sw_authority_pem(second).size);
    assert_memory_equal(sw_authority_pem(first).data, sw_authority_pem(second).data,
                        sw_authority_pem(first).size);
    assert_string_equal(sw_authority_cluster(second), "hive");
    (void)snprintf(path, sizeof path, "%s/kept/authority.key", folder);
    assert_int_equal(stat(path, &view), 0);
    assert_int_equal(view.st_mode & 0777, 0600);
}

static void test_authority_of_another_cluster_or_time_is_refused(void **state)
{
    struct sw_authority *authority = NULL;
    char path[SW_PATH_MAX];
    struct sw_err err = {0};

    (void)state;
    (void)snprintf(path, sizeof path, "%s/fixed", folder);
    assert_int_equal(sw_authority_open(&wall, path, "hive", &authority, &err), SW_OK);
    sw_authority_free(SW_TAKE(authority));
    assert_int_equal(sw_authority_open(&wall, path, "other", &authority, &err), SW_E_PRECONDITION);
    now_ns = NOW_NS + 3651 * DAY_NS;
    assert_int_equal(sw_authority_open(&wall, path, "hive", &authority, &err), SW_E_PRECONDITION);
    now_ns = NOW_NS;
    assert_null(authority);
}

static void test_half_an_authority(void **state)
{
    struct sw_authority *authority = NULL;
    char path[SW_PATH_MAX], certificate[SW_PATH_MAX + 16], key[SW_PATH_MAX + 16];
    struct sw_err err = {0};

    (void)state;
    (void)snprintf(path, sizeof path, "%s/half", folder);
    (void)snprintf(certificate, sizeof certificate, "%s/authority.crt", path);
    (void)snprintf(key, sizeof key, "%s/authority.key", path);
    assert_int_equal(sw_authority_open(&wall, path, "hive", &authority, &err), SW_OK);
    sw_authority_free(SW_TAKE(authority));
    /* A key alone was never trusted by anybody: a new authority takes its place. */
    assert_int_equal(remove(certificate), 0);
    assert_int_equal(sw_authority_open(&wall, path, "hive", &authority, &err), SW_OK);
    sw_authority_free(SW_TAKE(authority));
    /* A certificate alone may be trusted by many: refuse rather than replace it. */
    assert_int_equal(remove(key), 0);
    assert_int_equal(sw_authority_open(&wall, path, "hive", &authority, &err), SW_E_CORRUPT);
    assert_int_equal(sw_file_save(&wall, key, "junk", 4, &err), SW_OK);
    assert_int_equal(sw_authority_open(&wall, path, "hive", &authority, &err), SW_E_CORRUPT);
    assert_null(authority);
}

static void assert_same(const struct sw_credentials *one, const struct sw_credentials *other,
                        bool is_same)
{
    struct sw_bytes a = sw_credentials_certificate_pem(one);
    struct sw_bytes b = sw_credentials_certificate_pem(other);

    assert_int_equal(a.size == b.size && memcmp(a.data, b.data, a.size) == 0, is_same);
}

static void test_kept_credentials_are_reused_until_renewal(void **state)
{
    SW_CLEANUP(sw_authority_freep) struct sw_authority *authority = new_authority("hive");
    SW_CLEANUP(sw_credentials_freep) struct sw_credentials *first = NULL;
    SW_CLEANUP(sw_credentials_freep) struct sw_credentials *second = NULL;
    SW_CLEANUP(sw_credentials_freep) struct sw_credentials *third = NULL;
    struct sw_certificate_request request = request_for("admin");
    struct sw_credentials_place place = {.folder = folder, .name = "reused"};
    struct sw_err err = {0};

    (void)state;
    assert_int_equal(sw_credentials_open(&wall, authority, &request, &place, &first, &err), SW_OK);
    assert_int_equal(sw_credentials_open(&wall, authority, &request, &place, &second, &err), SW_OK);
    assert_same(first, second, true);
    now_ns = NOW_NS + 20 * HOUR_NS;
    assert_int_equal(sw_credentials_open(&wall, authority, &request, &place, &third, &err), SW_OK);
    assert_same(first, third, false);
    now_ns = NOW_NS;
}

static void test_kept_credentials_of_others_are_replaced(void **state)
{
    SW_CLEANUP(sw_authority_freep) struct sw_authority *authority = new_authority("hive");
    SW_CLEANUP(sw_authority_freep) struct sw_authority *newer = new_authority("hive");
    SW_CLEANUP(sw_credentials_freep) struct sw_credentials *first = NULL;
    SW_CLEANUP(sw_credentials_freep) struct sw_credentials *second = NULL;
    SW_CLEANUP(sw_credentials_freep) struct sw_credentials *third = NULL;
    struct sw_certificate_request request = request_for("admin");
    struct sw_credentials_place place = {.folder = folder, .name = "replaced"};
    char path[SW_PATH_MAX];
    struct sw_err err = {0};

    (void)state;
    assert_int_equal(sw_credentials_open(&wall, authority, &request, &place, &first, &err), SW_OK);
    assert_int_equal(sw_credentials_open(&wall, newer, &request, &place, &second, &err), SW_OK);
    assert_same(first, second, false);
    (void)snprintf(path, sizeof path, "%s/replaced.key", folder);
    assert_int_equal(sw_file_save(&wall, path, "junk", 4, &err), SW_OK);
    assert_int_equal(sw_credentials_open(&wall, newer, &request, &place, &third, &err), SW_OK);
    assert_same(second, third, false);
}

/* What the settings say of the certificate is in force after the restart that reads them. */
static void test_kept_credentials_follow_the_request(void **state)
{
    static const char *const few[] = {"localhost", "127.0.0.1", "::1"};
    static const char *const more[] = {"localhost", "127.0.0.1", "::1", "hive.example", "10.0.0.7"};
    SW_CLEANUP(sw_authority_freep) struct sw_authority *authority = new_authority("hive");
    struct sw_credentials *opened[7] = {0};
    struct sw_certificate_request request = request_for("admin");
    struct sw_credentials_place place = {.folder = folder, .name = "followed"};
    struct sw_err err = {0};

    (void)state;
    request.is_server = true;
    for (size_t i = 0; i < 7; i++) {
        bool has_more = i == 2 || i == 3 || i == 6;
        request.hosts = has_more ? more : few;
        request.hosts_count = has_more ? 5 : 3;
        request.lifetime_ns = i == 5 ? HOUR_NS : 24 * HOUR_NS;
        assert_int_equal(sw_credentials_open(&wall, authority, &request, &place, &opened[i], &err),
                         SW_OK);
    }
    assert_same(opened[0], opened[1], true);
    assert_same(opened[1], opened[2], false); /* Two hosts more. */
    assert_same(opened[2], opened[3], true);
    assert_same(opened[3], opened[4], false); /* Two hosts less. */
    assert_same(opened[4], opened[5], false); /* A shorter life. */
    assert_same(opened[5], opened[6], false);
    for (size_t i = 0; i < 7; i++)
        sw_credentials_free(opened[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_credentials_name_whom_they_were_issued_to),
        cmocka_unit_test(test_requests_that_are_refused),
        cmocka_unit_test(test_authority_needs_a_label),
        cmocka_unit_test(test_renewal_begins_at_two_thirds),
        cmocka_unit_test(test_leaf_does_not_outlive_its_authority),
        cmocka_unit_test(test_key_of_another_certificate_is_refused),
        cmocka_unit_test(test_authority_is_no_credential),
        cmocka_unit_test(test_authority_is_made_once_and_kept),
        cmocka_unit_test(test_authority_of_another_cluster_or_time_is_refused),
        cmocka_unit_test(test_half_an_authority),
        cmocka_unit_test(test_kept_credentials_are_reused_until_renewal),
        cmocka_unit_test(test_kept_credentials_of_others_are_replaced),
        cmocka_unit_test(test_kept_credentials_follow_the_request),
    };

    return cmocka_run_group_tests(tests, group_begin, group_end);
}
