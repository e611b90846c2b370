/* The table of settings and the values that its rows take. */
#include "pkg/config/validator/settings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct sw_arena *arena;

static int begin(void **state)
{
    (void)state;
    arena = sw_arena_new(1 << 20);
    return arena == NULL;
}

static int end(void **state)
{
    (void)state;
    sw_arena_free(arena);
    return 0;
}

static enum sw_rc put(struct sw_settings *settings, const char *name, const char *text,
                      struct sw_err *err)
{
    const struct sw_setting *row = sw_setting_find(name);

    assert_non_null(row);
    return sw_setting_put(settings, row, text, arena, err);
}

static void test_every_default_is_a_value_of_its_row(void **state)
{
    struct sw_settings settings = {0};
    struct sw_err err = {0};
    size_t count;
    const struct sw_setting *rows = sw_settings_rows(&count);

    (void)state;
    for (size_t i = 0; i < count; i++) {
        struct sw_buffer text;

        assert_int_equal(sw_setting_put(&settings, &rows[i], rows[i].default_text, arena, &err),
                         SW_OK);
        assert_true(strlen(rows[i].words) > 10);
        assert_int_equal(rows[i].words[strlen(rows[i].words) - 1], '.');
        /* What is printed is the default again: the table shows canonical values. */
        sw_buffer_init(&text, SW_SETTING_VALUE_MAX);
        sw_setting_print(&settings, &rows[i], &text);
        sw_buffer_put_u8(&text, '\0');
        assert_string_equal((const char *)text.data, rows[i].default_text);
        sw_buffer_done(&text);
    }
}

static void test_names_lead_to_variables_and_flags(void **state)
{
    char name[SW_SETTING_NAME_MAX];

    (void)state;
    sw_setting_environment(sw_setting_find("api.body-size"), name);
    assert_string_equal(name, "SWARM_API_BODY_SIZE");
    sw_setting_flag(sw_setting_find("api.body-size"), name);
    assert_string_equal(name, "api-body-size");
    assert_null(sw_setting_find("api"));
    assert_string_equal(sw_setting_nearest("api.listn"), "api.listen");
    assert_null(sw_setting_nearest("zzzzzzzzzzzzzzzz"));
}

static void test_names_are_unique_in_each_form(void **state)
{
    char one[SW_SETTING_NAME_MAX], other[SW_SETTING_NAME_MAX];
    size_t count;
    const struct sw_setting *rows = sw_settings_rows(&count);

    (void)state;
    for (size_t i = 0; i < count; i++)
        for (size_t j = i + 1; j < count; j++) {
            sw_setting_flag(&rows[i], one);
            sw_setting_flag(&rows[j], other);
            assert_string_not_equal(one, other);
            sw_setting_environment(&rows[i], one);
            sw_setting_environment(&rows[j], other);
            assert_string_not_equal(one, other);
        }
}

static void test_values_that_are_taken(void **state)
{
    static const char *const rows[][2] = {
        {"dev", "true"},
        {"cluster", "my-hive"},
        {"data", "/srv/swarm"},
        {"agents.host-program", ""},
        {"api.listen", "0.0.0.0:0"},
        {"api.listen", "[::1]:65535"},
        {"api.listen", "localhost:7420"},
        {"api.hosts", "hive.example.org,10.0.0.1,fe80::1"},
        {"api.body-size", "64KiB"},
        {"api.body-size", "1GiB"},
        {"api.idle-timeout", "1d"},
        {"log.level", "warn"},
    };
    struct sw_settings settings = {0};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct sw_buffer text;

        assert_int_equal(put(&settings, rows[i][0], rows[i][1], NULL), SW_OK);
        sw_buffer_init(&text, SW_SETTING_VALUE_MAX);
        sw_setting_print(&settings, sw_setting_find(rows[i][0]), &text);
        sw_buffer_put_u8(&text, '\0');
        assert_string_equal((const char *)text.data, rows[i][1]);
        sw_buffer_done(&text);
    }
    assert_true(settings.is_dev);
    assert_true(settings.api.idle_timeout_ns == UINT64_C(86400000000000));
}

static void test_values_that_are_refused(void **state)
{
    static const struct {
        const char *name, *text;
        enum sw_rc rc;
    } rows[] = {
        {"dev", "yes", SW_E_INVALID},
        {"dev", "", SW_E_INVALID},
        {"cluster", "My Hive", SW_E_INVALID},
        {"cluster", "", SW_E_INVALID},
        {"data", "relative/path", SW_E_INVALID},
        {"data", "", SW_E_INVALID},
        {"api.listen", "7420", SW_E_INVALID},
        {"api.listen", "localhost:", SW_E_INVALID},
        {"api.listen", ":7420", SW_E_INVALID},
        {"api.listen", "localhost:65536", SW_E_INVALID},
        {"api.listen", "::1:7420", SW_E_INVALID},
        {"api.listen", "[]:7420", SW_E_INVALID},
        {"api.listen", "bad host:7420", SW_E_INVALID},
        {"api.hosts", "one,,two", SW_E_INVALID},
        {"api.hosts", "one,", SW_E_INVALID},
        {"api.connections", "many", SW_E_INVALID},
        {"api.connections", "-1", SW_E_INVALID},
        {"api.connections", "0", SW_E_RANGE},
        {"api.connections", "65537", SW_E_RANGE},
        {"api.connections", "99999999999999999999999", SW_E_RANGE},
        {"api.body-size", "8MB", SW_E_INVALID},
        {"api.body-size", "1KiB", SW_E_RANGE},
        {"api.idle-timeout", "5", SW_E_INVALID},
        {"api.idle-timeout", "1ms", SW_E_RANGE},
        {"log.level", "loud", SW_E_INVALID},
        {"log.level", "\xff", SW_E_INVALID},
    };
    struct sw_settings settings = {0};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct sw_err err = {0};

        assert_int_equal(put(&settings, rows[i].name, rows[i].text, &err), rows[i].rc);
        assert_string_equal(err.field, rows[i].name);
        assert_non_null(strstr(err.message, "expected"));
    }
}

static void test_refusals_tell_what_was_expected(void **state)
{
    struct sw_settings settings = {0};
    struct sw_err err = {0};

    (void)state;
    assert_int_equal(put(&settings, "log.level", "wran", &err), SW_E_INVALID);
    assert_string_equal(err.message, "expected one of debug, info, warn, error, not \"wran\"");
    assert_string_equal(err.hint, "did you mean warn?");
    assert_int_equal(put(&settings, "api.body-size", "2GiB", &err), SW_E_RANGE);
    assert_string_equal(err.message, "expected a size from 64KiB to 1GiB, not \"2GiB\"");
}

static void test_too_long_a_value_is_refused(void **state)
{
    static char text[SW_SETTING_VALUE_MAX + 2];
    struct sw_settings settings = {0};

    (void)state;
    (void)memset(text, '/', sizeof text - 1);
    assert_int_equal(put(&settings, "data", text, NULL), SW_E_INVALID);
    text[3001] = '\0'; /* Within the limit of values, beyond that of the row. */
    assert_int_equal(put(&settings, "data", text, NULL), SW_E_INVALID);
    text[3000] = '\0';
    assert_int_equal(put(&settings, "data", text, NULL), SW_OK);
}

static void test_full_arena_is_told(void **state)
{
    SW_CLEANUP(sw_arena_freep) struct sw_arena *small = sw_arena_new(1);
    struct sw_settings settings = {0};

    (void)state;
    assert_non_null(small);
    assert_int_equal(sw_setting_put(&settings, sw_setting_find("cluster"), "hive", small, NULL),
                     SW_E_EXHAUSTED);
}

static void count_complaint(void *ctx, const struct sw_setting *row, const char *words)
{
    assert_non_null(row);
    assert_true(words[0] != '\0');
    ++*(int *)ctx;
}

static void test_rules_between_settings(void **state)
{
    struct sw_settings settings = {0};
    int count = 0;

    (void)state;
    sw_settings_check(&settings, count_complaint, &count);
    assert_int_equal(count, 0);
    settings.api.body_bytes_max = 2;
    settings.api.bodies_bytes_max = 1;
    settings.agents.log_agent_bytes_max = 2;
    settings.agents.log_bytes_max = 1;
    sw_settings_check(&settings, count_complaint, &count);
    assert_int_equal(count, 2);
}

static void test_document_has_every_row(void **state)
{
    struct sw_buffer text;
    size_t count, lines = 0;

    (void)state;
    (void)sw_settings_rows(&count);
    sw_buffer_init(&text, 1 << 20);
    sw_settings_document(&text);
    assert_int_equal(sw_buffer_check(&text), SW_OK);
    for (size_t i = 0; i < text.size; i++)
        lines += text.data[i] == '\n';
    assert_int_equal(lines, count + 2);
    sw_buffer_done(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_default_is_a_value_of_its_row),
        cmocka_unit_test(test_names_lead_to_variables_and_flags),
        cmocka_unit_test(test_names_are_unique_in_each_form),
        cmocka_unit_test(test_values_that_are_taken),
        cmocka_unit_test(test_values_that_are_refused),
        cmocka_unit_test(test_refusals_tell_what_was_expected),
        cmocka_unit_test(test_too_long_a_value_is_refused),
        cmocka_unit_test(test_full_arena_is_told),
        cmocka_unit_test(test_rules_between_settings),
        cmocka_unit_test(test_document_has_every_row),
    };

    return cmocka_run_group_tests(tests, begin, end);
}
