/* labels: threaded */
/* uses: pkg/store/sqlite pkg/security/certs */
/* A backup as an answer: who may have it, and what becomes of it when somebody goes. */
#include "test/unit/web/api/fixture.h"

#define MIB ((size_t)1 << 20)

static bool is_ended(struct fixture *f)
{
    return f->backups_ended > 0;
}

static bool is_asked(struct fixture *f)
{
    return f->backup_begun != NULL;
}

static bool has_some(struct fixture *f)
{
    return f->events_size > 0;
}

static void an_admin_gets_all_of_it(void **state)
{
    struct fixture *f = *state;

    f->backup_size = 20 * MIB + 17;
    assert_int_equal(get(f, "/backup"), 200);
    assert_int_equal(f->body_size, f->backup_size);
    assert_int_equal(f->body[0], 'b');
    assert_int_equal(f->body[f->body_size - 1], 'b');
    assert_non_null(strstr(f->headers, "content-type: application/x-tar\n"));
    assert_non_null(strstr(f->headers, "swarm-size: 20971537\n"));
    assert_int_equal(f->backups_ended, 1);
    assert_string_equal(f->told, "backup for spiffe://test/user/admin");
}

static void nobody_else_gets_one(void **state)
{
    static const struct {
        enum who who;
        int status;
    } others[] = {{NOBODY, 401}, {NODE, 403}, {AGENT_ONE, 403}};
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        struct ask ask = {.who = others[i].who, .path = "/backup"};

        assert_int_equal(finish(f, &ask), others[i].status);
    }
    struct ask post = {.method = SW_HTTP_POST, .path = "/backup"};
    assert_int_equal(finish(f, &post), 405);
    assert_string_equal(f->told, "");
}

static void what_stands_against_it_is_told(void **state)
{
    struct fixture *f = *state;

    f->agents_rc = SW_E_EXHAUSTED;
    assert_int_equal(get(f, "/backup"), 429);
    assert_true(body_has(f, "a backup is being made already"));
    f->agents_rc = SW_OK;
    f->backup_rc = SW_E_UNAVAILABLE;
    assert_int_equal(get(f, "/backup"), 503);
    assert_true(body_has(f, "the hosts are too busy"));
    assert_int_equal(f->backups_ended, 0); /* It never was one. */
    assert_int_equal(get(f, "/backup?all=1"), 400);
}

static void one_that_cannot_be_read_on_is_broken_off(void **state)
{
    struct fixture *f = *state;
    struct ask ask = {.path = "/backup"};

    f->backup_size = 8 * MIB;
    f->read_rc = SW_E_CORRUPT;
    (void)begin(f, &ask);
    run_until(f, has_reply);
    assert_int_not_equal(f->rc, SW_OK);
    assert_int_equal(f->backups_ended, 1);
}

static void a_client_that_goes_ends_it(void **state)
{
    struct fixture *f = *state;
    struct ask ask = {.path = "/backup", .is_stream = true};
    struct sw_http_call *call;

    f->backup_size = MIB / 2;
    call = begin(f, &ask);
    run_until(f, has_some);
    f->is_backup_slow = true; /* The next piece is being read when it goes. */
    sw_http_call_cancel(call);
    run_for(f, 50);
    if (f->backup_taken != NULL) {
        assert_int_equal(f->backups_ended, 0);
        give_backup(f);
    }
    run_until(f, is_ended);
    assert_int_equal(f->backups_ended, 1);
}

static void one_that_has_not_begun_ends_when_it_does(void **state)
{
    struct fixture *f = *state;
    struct ask ask = {.path = "/backup", .is_stream = true};
    struct sw_http_call *call;

    f->is_backup_slow = true;
    f->backup_size = MIB;
    call = begin(f, &ask);
    run_until(f, is_asked);
    sw_http_call_cancel(call);
    run_for(f, 50);
    assert_int_equal(f->backups_ended, 0);
    give_backup(f);
    run_until(f, is_ended);
}

static void a_daemon_that_stops_breaks_it_off(void **state)
{
    struct fixture *f = *state;
    struct ask ask = {.path = "/backup"};

    f->is_backup_slow = true;
    f->backup_size = MIB;
    (void)begin(f, &ask);
    run_until(f, is_asked);
    sw_gateway_drain(f->gateway);
    give_backup(f);
    run_until(f, has_reply);
    assert_int_not_equal(f->rc, SW_OK);
    assert_int_equal(f->backups_ended, 1);
    assert_int_equal(get(f, "/backup"), 503);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_admin_gets_all_of_it),           TEST(nobody_else_gets_one),
        TEST(what_stands_against_it_is_told),    TEST(one_that_cannot_be_read_on_is_broken_off),
        TEST(a_client_that_goes_ends_it),        TEST(one_that_has_not_begun_ends_when_it_does),
        TEST(a_daemon_that_stops_breaks_it_off),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
