/* What a refusal says reaches the caller; what is no refusal of ours is told by its status. */
#include "pkg/client/clientset/problem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

static enum sw_rc take(int status, const char *body, struct sw_err *err)
{
    memset(err, 0, sizeof *err);
    return sw_problem_read(status, (struct sw_bytes){body, strlen(body)}, err);
}

static void code_detail_field_and_hint_are_taken_over(void **state)
{
    struct sw_err err;

    (void)state;
    assert_int_equal(
        take(409,
             "{\"title\":\"t\",\"status\":409,\"code\":\"ABORTED\",\"detail\":\"it has "
             "7, you sent 5\",\"field\":\"metadata.resourceVersion\",\"hint\":\"read "
             "again\"}",
             &err),
        SW_E_CONFLICT);
    assert_int_equal(err.rc, SW_E_CONFLICT);
    assert_string_equal(err.message, "it has 7, you sent 5");
    assert_string_equal(err.field, "metadata.resourceVersion");
    assert_string_equal(err.hint, "read again");
}

static void the_code_wins_over_the_status(void **state)
{
    struct sw_err err;

    (void)state;
    assert_int_equal(take(409, "{\"code\":\"ALREADY_EXISTS\",\"detail\":\"d\"}", &err),
                     SW_E_EXISTS);
    assert_int_equal(take(500, "{\"code\":\"DATA_LOSS\",\"detail\":\"d\"}", &err), SW_E_CORRUPT);
    assert_int_equal(take(404, "{\"code\":\"NEWER_THAN_US\"}", &err), SW_E_NOT_FOUND);
}

static void without_detail_the_title_or_the_code_speaks(void **state)
{
    struct sw_err err;

    (void)state;
    assert_int_equal(take(403, "{\"title\":\"no entry\"}", &err), SW_E_DENIED);
    assert_string_equal(err.message, "no entry");
    assert_int_equal(take(403, "{}", &err), SW_E_DENIED);
    assert_string_equal(err.message, sw_rc_describe(SW_E_DENIED));
}

static void what_is_no_problem_document_is_told_by_its_status(void **state)
{
    static const struct {
        int status;
        enum sw_rc rc;
    } cases[] = {{400, SW_E_INVALID},      {401, SW_E_UNAUTHENTICATED}, {403, SW_E_DENIED},
                 {404, SW_E_NOT_FOUND},    {409, SW_E_CONFLICT},        {410, SW_E_RANGE},
                 {412, SW_E_PRECONDITION}, {429, SW_E_EXHAUSTED},       {499, SW_E_CANCELLED},
                 {501, SW_E_UNSUPPORTED},  {502, SW_E_UNAVAILABLE},     {503, SW_E_UNAVAILABLE},
                 {504, SW_E_TIMEOUT},      {418, SW_E_UNKNOWN}};
    struct sw_err err;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(take(cases[i].status, "<html>", &err), cases[i].rc);
        assert_non_null(strstr(err.message, "HTTP status"));
    }
    assert_int_equal(take(404, "", &err), SW_E_NOT_FOUND);
    assert_int_equal(take(404, "[1]", &err), SW_E_NOT_FOUND);
    assert_int_equal(take(404, "{\"code\":1,\"code\":2}", &err), SW_E_NOT_FOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(code_detail_field_and_hint_are_taken_over),
        cmocka_unit_test(the_code_wins_over_the_status),
        cmocka_unit_test(without_detail_the_title_or_the_code_speaks),
        cmocka_unit_test(what_is_no_problem_document_is_told_by_its_status),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
