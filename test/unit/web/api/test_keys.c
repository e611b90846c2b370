/* labels: threaded */
/* uses: pkg/store/sqlite pkg/security/certs */
/* Keys of Secrets: who may see their names and have new ones made, and how that is asked for. */
#include "test/unit/web/api/fixture.h"

static int rotate(struct fixture *f, const char *path)
{
    struct ask ask = {.method = SW_HTTP_POST, .path = path};

    return finish(f, &ask);
}

static void an_admin_sees_and_rotates(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(get(f, "/keys"), 200);
    assert_true(body_has(f, "{\"keys\":[]}"));
    assert_int_equal(rotate(f, "/keys"), 200);
    assert_true(body_has(f, "{\"resealed\":\"3\"}"));
    assert_non_null(strstr(f->headers, "content-type: application/json\n"));
    assert_string_equal(f->told, "rotate for spiffe://test/user/admin");
    assert_int_equal(rotate(f, "/keys?resume=true"), 200);
    assert_string_equal(f->told, "rotate for spiffe://test/user/admin, the rest");
    assert_int_equal(rotate(f, "/keys?keepUnused=1&resume=0"), 200);
    assert_string_equal(f->told, "rotate for spiffe://test/user/admin, and keep");
}

static void nobody_else_does(void **state)
{
    static const struct {
        enum who who;
        int status;
    } others[] = {{NOBODY, 401}, {NODE, 403}, {AGENT_ONE, 403}};
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        struct ask look = {.who = others[i].who, .path = "/keys"};
        struct ask change = {.who = others[i].who, .method = SW_HTTP_POST, .path = "/keys"};

        assert_int_equal(finish(f, &look), others[i].status);
        assert_int_equal(finish(f, &change), others[i].status);
    }
    assert_string_equal(f->told, "");
}

static void what_is_not_understood_rotates_nothing(void **state)
{
    struct fixture *f = *state;
    struct ask remove = {.method = SW_HTTP_DELETE, .path = "/keys"};
    struct ask body = {.method = SW_HTTP_POST, .path = "/keys", .body = {"{}", 2}};

    assert_int_equal(rotate(f, "/keys?resume=maybe"), 400);
    assert_int_equal(rotate(f, "/keys?all=1"), 400);
    assert_int_equal(get(f, "/keys?resume=1"), 400);
    assert_int_equal(finish(f, &remove), 405);
    assert_int_equal(finish(f, &body), 400);
    assert_string_equal(f->told, "");
}

static void what_stands_against_it_is_told(void **state)
{
    struct fixture *f = *state;

    f->agents_rc = SW_E_PRECONDITION;
    assert_int_equal(rotate(f, "/keys"), 412);
    assert_true(body_has(f, "they are being rotated already"));
    assert_int_equal(get(f, "/keys"), 412);
    f->agents_rc = SW_OK;
    f->read_rc = SW_E_UNAVAILABLE;
    assert_int_equal(rotate(f, "/keys"), 503);
    assert_true(body_has(f, "the disk is full"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_admin_sees_and_rotates),
        TEST(nobody_else_does),
        TEST(what_is_not_understood_rotates_nothing),
        TEST(what_stands_against_it_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
