/* Log lines: their form, what is left out, and that nothing from outside can break a line. */
#include "pkg/utils/logger/logger.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

static uint64_t fixed_utc_ns(void *ctx)
{
    return *(const uint64_t *)ctx;
}

struct fixture {
    int ends[2];
    uint64_t now;
    struct sw_logger logger;
    char line[2 * SW_LOG_LINE_MAX];
};

static void fixture_init(struct fixture *f, enum sw_log_level level, bool is_json)
{
    assert_int_equal(pipe2(f->ends, O_NONBLOCK | O_CLOEXEC), 0);
    f->now = 1700000000ull * 1000000000ull;
    f->logger = (struct sw_logger){.file = f->ends[1],
                                   .level = level,
                                   .is_json = is_json,
                                   .utc_ns = fixed_utc_ns,
                                   .ctx = &f->now};
}

/* What was written since the last call, "" when nothing was. */
static const char *written(struct fixture *f)
{
    ssize_t size = read(f->ends[0], f->line, sizeof f->line - 1);

    f->line[size > 0 ? size : 0] = '\0';
    return f->line;
}

static void fixture_done(struct fixture *f)
{
    (void)close(f->ends[0]);
    (void)close(f->ends[1]);
}

static void text_line_has_time_level_room_and_words(void **state)
{
    struct fixture f;

    (void)state;
    fixture_init(&f, SW_LOG_INFO, false);
    sw_log(&f.logger, SW_LOG_WARN, "gateway", "slow client id=%d", 7);
    assert_string_equal(written(&f), "2023-11-14T22:13:20Z warn  gateway: slow client id=7\n");
    fixture_done(&f);
}

static void json_line_is_one_object(void **state)
{
    struct fixture f;

    (void)state;
    fixture_init(&f, SW_LOG_INFO, true);
    sw_log(&f.logger, SW_LOG_ERROR, "store", "say \"%s\" \\ x", "no");
    assert_string_equal(written(&f), "{\"time\":\"2023-11-14T22:13:20Z\",\"level\":\"error\","
                                     "\"room\":\"store\",\"words\":\"say \\\"no\\\" \\\\ x\"}\n");
    fixture_done(&f);
}

static void lower_levels_and_no_file_are_silent(void **state)
{
    struct fixture f;

    (void)state;
    fixture_init(&f, SW_LOG_WARN, false);
    sw_log(&f.logger, SW_LOG_INFO, "x", "quiet");
    assert_string_equal(written(&f), "");
    f.logger.file = -1;
    sw_log(&f.logger, SW_LOG_ERROR, "x", "nowhere");
    assert_string_equal(written(&f), "");
    fixture_done(&f);
}

static void control_characters_cannot_forge_a_line(void **state)
{
    struct fixture f;

    (void)state;
    fixture_init(&f, SW_LOG_INFO, false);
    sw_log(&f.logger, SW_LOG_INFO, "x", "a\nb\x1b[2Jc\x7f");
    assert_non_null(strstr(written(&f), "x: a\\x0ab\\x1b[2Jc\\x7f\n"));
    f.logger.is_json = true;
    sw_log(&f.logger, SW_LOG_INFO, "x", "a\nb");
    assert_non_null(strstr(written(&f), "\"words\":\"a\\u000ab\"}\n"));
    fixture_done(&f);
}

static void long_words_are_cut_and_the_line_still_ends(void **state)
{
    char words[3 * SW_LOG_LINE_MAX];
    struct fixture f;
    const char *line;

    (void)state;
    (void)memset(words, '"', sizeof words - 1);
    words[sizeof words - 1] = '\0';
    fixture_init(&f, SW_LOG_INFO, true);
    sw_log(&f.logger, SW_LOG_INFO, "x", "%s", words);
    line = written(&f);
    assert_in_range(strlen(line), SW_LOG_LINE_MAX - 64, SW_LOG_LINE_MAX);
    assert_string_equal(line + strlen(line) - 5, "\\\"\"}\n");
    fixture_done(&f);
}

static void a_closed_file_is_survived(void **state)
{
    uint64_t now = 0;
    struct sw_logger logger = {.file = 1 << 20, .utc_ns = fixed_utc_ns, .ctx = &now};

    (void)state;
    sw_log(&logger, SW_LOG_ERROR, "x", "lost");
}

static void level_names_go_both_ways(void **state)
{
    enum sw_log_level level = SW_LOG_ERROR;

    (void)state;
    for (int i = SW_LOG_DEBUG; i <= SW_LOG_ERROR; i++) {
        const char *name = sw_log_level_name((enum sw_log_level)i);

        assert_int_equal(sw_log_level_parse(name, &level), SW_OK);
        assert_int_equal(level, i);
    }
    assert_int_equal(sw_log_level_parse("loud", &level), SW_E_INVALID);
    assert_string_equal(sw_log_level_name((enum sw_log_level)9), "error");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_line_has_time_level_room_and_words),
        cmocka_unit_test(json_line_is_one_object),
        cmocka_unit_test(lower_levels_and_no_file_are_silent),
        cmocka_unit_test(control_characters_cannot_forge_a_line),
        cmocka_unit_test(long_words_are_cut_and_the_line_still_ends),
        cmocka_unit_test(a_closed_file_is_survived),
        cmocka_unit_test(level_names_go_both_ways),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
