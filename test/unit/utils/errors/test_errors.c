/* Result codes and their words: what callers and clients can rely on. */
#include "pkg/utils/errors/errors.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static void set_fills_all_and_returns_the_code(void **state)
{
    struct sw_err err = {.field = "old", .hint = "old"};

    (void)state;
    assert_int_equal(sw_err_set(&err, SW_E_CONFLICT, "version %d", 7), SW_E_CONFLICT);
    assert_int_equal(err.rc, SW_E_CONFLICT);
    assert_string_equal(err.message, "version 7");
    assert_string_equal(err.field, "");
    assert_string_equal(err.hint, "");
}

static void null_error_is_allowed_everywhere(void **state)
{
    (void)state;
    assert_int_equal(sw_err_set(NULL, SW_E_DENIED, "x"), SW_E_DENIED);
    assert_int_equal(sw_err_errno(NULL, ENOENT, "x"), SW_E_NOT_FOUND);
    assert_int_equal(sw_err_context(NULL, "x"), SW_E_UNKNOWN);
    sw_err_field(NULL, "x");
    sw_err_hint(NULL, "x");
}

static void context_goes_before_and_keeps_the_rest(void **state)
{
    struct sw_err err = {0};

    (void)state;
    (void)sw_err_set(&err, SW_E_INVALID, "not a number");
    sw_err_field(&err, "spec.%s", "replicas");
    sw_err_hint(&err, "write %d", 3);
    assert_int_equal(sw_err_context(&err, "agent %s", "a"), SW_E_INVALID);
    assert_string_equal(err.message, "agent a: not a number");
    assert_string_equal(err.field, "spec.replicas");
    assert_string_equal(err.hint, "write 3");
}

static void long_words_are_cut_and_end(void **state)
{
    char word[2 * SW_ERR_MESSAGE_MAX];
    struct sw_err err = {0};

    (void)state;
    (void)memset(word, 'x', sizeof word - 1);
    word[sizeof word - 1] = '\0';
    (void)sw_err_set(&err, SW_E_INVALID, "%s", word);
    assert_int_equal(strlen(err.message), SW_ERR_MESSAGE_MAX - 1);
    (void)sw_err_context(&err, "%s", word);
    assert_int_equal(strlen(err.message), SW_ERR_MESSAGE_MAX - 1);
    (void)sw_err_errno(&err, ENOENT, "%s", word);
    assert_int_equal(strlen(err.message), SW_ERR_MESSAGE_MAX - 1);
    sw_err_field(&err, "%s", word);
    assert_int_equal(strlen(err.field), SW_ERR_FIELD_MAX - 1);
    sw_err_hint(&err, "%s", word);
    assert_int_equal(strlen(err.hint), SW_ERR_HINT_MAX - 1);
}

static void words_are_cut_between_characters(void **state)
{
    char words[SW_ERR_MESSAGE_MAX + 8];
    struct sw_err err;

    (void)state;
    for (size_t lead = 0; lead < 3; lead++) {
        memset(words, 'a', sizeof words);
        for (size_t at = lead; at + 3 < sizeof words; at += 3)
            memcpy(words + at, "\xe2\x82\xac", 3);
        words[sizeof words - 1] = '\0';
        sw_err_set(&err, SW_E_INVALID, "%s", words);
        assert_int_equal((strlen(err.message) - lead) % 3, 0);
        sw_err_hint(&err, "%s", words);
        assert_int_equal((strlen(err.hint) - lead) % 3, 0);
        sw_err_field(&err, "%s", words);
        assert_int_equal((strlen(err.field) - lead) % 3, 0);
        (void)sw_err_context(&err, "abc");
        assert_int_equal((strlen(err.message) - 5 - lead) % 3, 0);
    }
}

static void errno_becomes_code_and_words(void **state)
{
    static const struct {
        int number;
        enum sw_rc rc;
    } cases[] = {
        {ENOENT, SW_E_NOT_FOUND},       {EEXIST, SW_E_EXISTS},     {EACCES, SW_E_DENIED},
        {EPERM, SW_E_DENIED},           {EROFS, SW_E_DENIED},      {ENOSPC, SW_E_EXHAUSTED},
        {EDQUOT, SW_E_EXHAUSTED},       {ENOMEM, SW_E_EXHAUSTED},  {EMFILE, SW_E_EXHAUSTED},
        {ENFILE, SW_E_EXHAUSTED},       {ETIMEDOUT, SW_E_TIMEOUT}, {ECONNREFUSED, SW_E_UNAVAILABLE},
        {ECONNRESET, SW_E_UNAVAILABLE}, {EPIPE, SW_E_UNAVAILABLE}, {EAGAIN, SW_E_UNAVAILABLE},
        {EINVAL, SW_E_INVALID},         {ENOTDIR, SW_E_INVALID},   {EISDIR, SW_E_INVALID},
        {ENAMETOOLONG, SW_E_INVALID},   {EIO, SW_E_INTERNAL},
    };
    struct sw_err err;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(sw_err_errno(&err, cases[i].number, "open %s", "f"), cases[i].rc);
    (void)sw_err_errno(&err, ENOENT, "open %s", "f");
    assert_string_equal(err.message, "open f: No such file or directory");
}

static void every_code_has_name_words_and_status(void **state)
{
    (void)state;
    for (int number = 0; number <= 16; number++) {
        enum sw_rc rc = (enum sw_rc) - number;
        size_t size = strlen(sw_rc_describe(rc));

        assert_true(strlen(sw_rc_name(rc)) > 0);
        assert_true(sw_rc_describe(rc)[size - 1] == '.');
        assert_in_range(sw_rc_http_status(rc), 200, 504);
    }
}

static void codes_are_those_of_grpc(void **state)
{
    (void)state;
    assert_string_equal(sw_rc_name(SW_OK), "OK");
    assert_string_equal(sw_rc_name(SW_E_INVALID), "INVALID_ARGUMENT");
    assert_string_equal(sw_rc_name(SW_E_CONFLICT), "ABORTED");
    assert_string_equal(sw_rc_name(SW_E_CORRUPT), "DATA_LOSS");
    assert_string_equal(sw_rc_name(SW_E_UNAUTHENTICATED), "UNAUTHENTICATED");
    assert_int_equal(sw_rc_http_status(SW_OK), 200);
    assert_int_equal(sw_rc_http_status(SW_E_NOT_FOUND), 404);
    assert_int_equal(sw_rc_http_status(SW_E_CONFLICT), 409);
    assert_int_equal(sw_rc_http_status(SW_E_RANGE), 410);
    assert_int_equal(sw_rc_http_status(SW_E_UNAVAILABLE), 503);
}

static void unknown_numbers_are_named_unknown(void **state)
{
    (void)state;
    assert_string_equal(sw_rc_name((enum sw_rc) - 17), "UNKNOWN");
    assert_string_equal(sw_rc_name((enum sw_rc)5), "UNKNOWN");
    assert_int_equal(sw_rc_http_status((enum sw_rc) - 99), 500);
}

static int cleanups;
static void count_free(int *pointer)
{
    cleanups++;
    free(pointer);
}
SW_DEFINE_CLEANUP(int, count_free)

static int *make_and_take(void)
{
    SW_CLEANUP(count_freep) int *owned = malloc(sizeof *owned);

    return SW_TAKE(owned);
}

static void cleanup_frees_what_was_not_taken(void **state)
{
    int *taken;

    (void)state;
    cleanups = 0;
    taken = make_and_take();
    assert_int_equal(cleanups, 0);
    assert_non_null(taken);
    {
        SW_CLEANUP(count_freep) int *owned = taken;
        (void)owned;
    }
    assert_int_equal(cleanups, 1);
}

static void a_cut_through_a_character_leaves_no_half(void **state)
{
    struct sw_err err = {0};

    (void)state;
    assert_int_equal(sw_err_set(&err, SW_E_INVALID, "found \"%.3s\"...", "\xc3\xa9\xc3\xa9"),
                     SW_E_INVALID);
    assert_string_equal(err.message, "found \"\xc3\xa9?\"...");
    sw_err_field(&err, "labels['%.1s']", "\xe2\x82\xac");
    assert_string_equal(err.field, "labels['?']");
    sw_err_hint(&err, "did you mean %.2s?", "a\xf0\x9f\x90\x9d");
    assert_string_equal(err.hint, "did you mean a??");
    (void)sw_err_context(&err, "in %.2s", "\xed\xa0\x80");
    assert_string_equal(err.message, "in ??: found \"\xc3\xa9?\"...");
}

static void sequences_are_told_by_their_bytes(void **state)
{
    static const struct {
        const char *text;
        size_t size;
    } rows[] = {{"a", 1},        {"\xc3\xa9", 2},         {"\xe2\x82\xac", 3},
                {"\xc0\xaf", 0}, {"\xf0\x9f\x90\x9d", 4}, {"\xf4\x90\x80\x80", 0},
                {"\x80", 0},     {"\xe0\x9f\xbf", 0},     {"\xc3", 0},
                {"", 0}};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_int_equal(sw_utf8_sequence(rows[i].text, strlen(rows[i].text)), rows[i].size);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(set_fills_all_and_returns_the_code),
        cmocka_unit_test(null_error_is_allowed_everywhere),
        cmocka_unit_test(context_goes_before_and_keeps_the_rest),
        cmocka_unit_test(long_words_are_cut_and_end),
        cmocka_unit_test(words_are_cut_between_characters),
        cmocka_unit_test(errno_becomes_code_and_words),
        cmocka_unit_test(every_code_has_name_words_and_status),
        cmocka_unit_test(codes_are_those_of_grpc),
        cmocka_unit_test(unknown_numbers_are_named_unknown),
        cmocka_unit_test(a_cut_through_a_character_leaves_no_half),
        cmocka_unit_test(sequences_are_told_by_their_bytes),
        cmocka_unit_test(cleanup_frees_what_was_not_taken),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
