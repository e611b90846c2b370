/* Settings from their four sources, and every mistake told in one go. */
#include "pkg/config/loader/loader.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ARENA_MAX (4u << 20)

static char folder[] = "/tmp/swarm-config-XXXXXX";
static char path[64];

static int group_begin(void **state)
{
    (void)state;
    if (mkdtemp(folder) == NULL)
        return 1;
    (void)snprintf(path, sizeof path, "%s/swarmd.yaml", folder);
    return 0;
}

static int group_end(void **state)
{
    (void)state;
    (void)remove(path);
    return remove(folder);
}

static int test_begin(void **state)
{
    *state = sw_arena_new(ARENA_MAX);
    return *state == NULL;
}

static int test_end(void **state)
{
    sw_arena_free(*state);
    return 0;
}

static void write_bytes(const void *bytes, size_t size)
{
    struct sw_err err = {0};

    assert_int_equal(sw_file_save(sw_system_real(), path, bytes, size, &err), SW_OK);
}

/* Load a file of this text alone. */
static const struct sw_config *load_text(struct sw_arena *arena, const char *text, enum sw_rc rc)
{
    struct sw_config_sources sources = {.system = sw_system_real(), .file = path};
    const struct sw_config *config = NULL;
    struct sw_err err = {0};

    write_bytes(text, strlen(text));
    assert_int_equal(sw_config_load(&sources, arena, &config, &err), rc);
    return config;
}

static void assert_problem(const struct sw_config *config, size_t at, const char *place,
                           const char *name)
{
    char expected[128];

    assert_true(at < config->problems_count);
    (void)snprintf(expected, sizeof expected, "%s%s", path, place);
    assert_string_equal(config->problems[at].place, expected);
    assert_string_equal(config->problems[at].name, name);
}

static void test_defaults_alone(void **state)
{
    const struct sw_config *config = load_text(*state, "", SW_OK);

    assert_string_equal(config->settings.api.listen, "127.0.0.1:7420");
    assert_string_equal(config->settings.data_folder, "/var/lib/swarm");
    assert_true(config->settings.api.body_bytes_max == 8u << 20);
    assert_false(config->settings.is_dev);
    assert_string_equal(config->origins[0], "default");
}

static void test_later_sources_win(void **state)
{
    static const char *const environment[] = {"SWARM_CLUSTER=from-env", "SWARM_NODE=from-env",
                                              "SWARM_UNKNOWN=x", "HOME=/home/u", NULL};
    static const struct sw_config_flag flags[] = {{"node", "from-flag"},
                                                  {"api-listen", "127.0.0.1:1"}};
    struct sw_config_sources sources = {.system = sw_system_real(),
                                        .file = path,
                                        .environment = environment,
                                        .flags = flags,
                                        .flags_count = 2};
    static const char text[] = "cluster: from-file\nnode: from-file\nlog: {level: debug}\n";
    const struct sw_config *config = NULL;
    struct sw_err err = {0};

    write_bytes(text, sizeof text - 1);
    assert_int_equal(sw_config_load(&sources, *state, &config, &err), SW_OK);
    assert_string_equal(config->settings.log_level, "debug");
    assert_string_equal(config->settings.cluster, "from-env");
    assert_string_equal(config->settings.node, "from-flag");
    assert_string_equal(config->settings.api.listen, "127.0.0.1:1");
    assert_string_equal(config->origins[1], "SWARM_CLUSTER");
    assert_string_equal(config->origins[2], "--node");
}

static const struct sw_config *load_dev(struct sw_arena *arena, const char *const *environment)
{
    static const struct sw_config_flag flags[] = {{"dev", "true"}};
    struct sw_config_sources sources = {
        .system = sw_system_real(), .environment = environment, .flags = flags, .flags_count = 1};
    const struct sw_config *config = NULL;
    struct sw_err err = {0};

    assert_int_equal(sw_config_load(&sources, arena, &config, &err), SW_OK);
    return config;
}

static void test_dev_keeps_all_under_the_user(void **state)
{
    static const char *const plain[] = {"HOME=/home/u", NULL};
    static const char *const moved[] = {"HOME=/home/u", "XDG_DATA_HOME=/data",
                                        "XDG_CONFIG_HOME=relative", NULL};
    const struct sw_config *config = load_dev(*state, plain);

    assert_true(config->settings.is_dev);
    assert_string_equal(config->settings.data_folder, "/home/u/.local/share/swarm");
    assert_string_equal(config->settings.admin_folder, "/home/u/.config/swarm");
    config = load_dev(*state, moved); /* A relative XDG folder is to be ignored. */
    assert_string_equal(config->settings.data_folder, "/data/swarm");
    assert_string_equal(config->settings.admin_folder, "/home/u/.config/swarm");
    config = load_dev(*state, NULL);
    assert_string_equal(config->settings.admin_folder, "/root/.config/swarm");
}

static void test_all_mistakes_at_once(void **state)
{
    static const char text[] = "cluster: Not A Label\n"
                               "api:\n"
                               "  listn: 127.0.0.1:1\n"
                               "  connections: 0\n"
                               "log:\n"
                               "  level: wran\n";
    const struct sw_config *config = load_text(*state, text, SW_E_INVALID);
    struct sw_buffer lines;

    assert_int_equal(config->problems_count, 4);
    assert_problem(config, 0, ":1:10", "cluster");
    assert_problem(config, 1, ":3:10", "api.listn");
    assert_string_equal(config->problems[1].hint, "did you mean api.listen?");
    assert_problem(config, 2, ":4:16", "api.connections");
    assert_problem(config, 3, ":6:10", "log.level");
    assert_string_equal(config->problems[3].hint, "did you mean warn?");
    sw_buffer_init(&lines, 8192);
    sw_config_print_problems(config, &lines);
    sw_buffer_put_u8(&lines, '\0');
    assert_non_null(strstr((const char *)lines.data,
                           ":3:10: api.listn: there is no such setting; did you mean api.listen?"));
    sw_buffer_done(&lines);
}

static void test_mistakes_of_all_sources(void **state)
{
    static const char *const environment[] = {"SWARM_API_STREAMS=none", NULL};
    static const struct sw_config_flag flags[] = {{"log-format", "xml"}, {"nod", "x"}};
    struct sw_config_sources sources = {.system = sw_system_real(),
                                        .file = path,
                                        .environment = environment,
                                        .flags = flags,
                                        .flags_count = 2};
    const struct sw_config *config = NULL;
    struct sw_err err = {0};

    write_bytes("dev: maybe\n", 11);
    assert_int_equal(sw_config_load(&sources, *state, &config, &err), SW_E_INVALID);
    assert_int_equal(config->problems_count, 4);
    assert_problem(config, 0, ":1:6", "dev");
    assert_string_equal(config->problems[1].place, "SWARM_API_STREAMS");
    assert_string_equal(config->problems[2].place, "--log-format");
    assert_string_equal(config->problems[3].place, "--nod");
    assert_string_equal(config->problems[3].hint, "did you mean node?");
    assert_non_null(strstr(err.message, ":1:6: dev: expected true or false"));
}

static void test_shapes_that_are_refused(void **state)
{
    static const struct {
        const char *text, *place, *words;
    } rows[] = {
        {"cluster: a\ncluster: b\n", ":2:1", "is set twice"},
        {"log: {level: info}\nlog: {format: json}\n", ":2:1", "is set twice"},
        {"api: {listen: 'h:1', listen: 'h:2'}\n", ":1:22", "is set twice"},
        {"api:\n  hosts:\n    - one\n", ":3:5", "lists are not used here"},
        {"api:\n  listen: {host: a}\n", ":2:11", "settings are at most two levels deep"},
        {"- cluster\n", ":1:1", "lists are not used here"},
        {"just words\n", ":1:1", "expected a mapping of settings"},
        {"cluster: a\n---\nnode: b\n", ":2:1", "there must be one document only"},
        {"cluster: &x a\nnode: b\n", ":1:10", "anchors and tags are not used here"},
        {"cluster: !t a\n", ":1:10", "anchors and tags are not used here"},
        {"cluster: *x\n", ":1:10", "aliases are not used here"},
        {"cluster: \"a\\0b\"\n", ":1:10", "holds a NUL byte"},
        {"api: [\n", ":1:6", NULL},
        {"cluster: \"a\n", ":2:1", NULL},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct sw_config *config = load_text(*state, rows[i].text, SW_E_INVALID);
        char expected[128];

        (void)snprintf(expected, sizeof expected, "%s%s", path, rows[i].place);
        assert_string_equal(config->problems[0].place, expected);
        if (rows[i].words != NULL)
            assert_string_equal(config->problems[0].words, rows[i].words);
        sw_arena_reset(*state);
    }
}

static void test_what_follows_a_refused_shape_is_still_read(void **state)
{
    const struct sw_config *config =
        load_text(*state, "api:\n  listen: {a: {b: [c]}}\n  streams: none\nlog: [x]\nnode: UP\n",
                  SW_E_INVALID);

    assert_int_equal(config->problems_count, 4);
    assert_problem(config, 1, ":3:12", "api.streams");
    assert_problem(config, 3, ":5:7", "node");
}

static void test_rules_between_settings_name_their_source(void **state)
{
    const struct sw_config *config =
        load_text(*state, "api:\n  body-size: 1GiB\n  bodies-size: 1MiB\n", SW_E_INVALID);

    assert_int_equal(config->problems_count, 1);
    assert_problem(config, 0, ":2:14", "api.body-size");
}

static void test_hostile_files_are_bounded(void **state)
{
    static char text[SW_CONFIG_FILE_MAX + 1];
    const struct sw_config *config;

    (void)memset(text, '[', sizeof text - 1);
    config = load_text(*state, text, SW_E_INVALID);
    assert_true(config->problems_count <= SW_CONFIG_PROBLEMS_MAX);
    for (size_t i = 0; i + 5 < sizeof text; i += 5) /* Thousands of unknown names. */
        (void)snprintf(text + i, 6, "%04zx\n", i);
    for (size_t i = 4; i < sizeof text; i += 10)
        text[i] = ':';
    config = load_text(*state, text, SW_E_INVALID);
    assert_true(config->problems_count <= SW_CONFIG_PROBLEMS_MAX);
    write_bytes("cluster: \xff\xfe\n", 12);
    config = load_text(*state, "cluster: \xff\n", SW_E_INVALID);
    assert_int_equal(config->problems_count, 1);
}

static void test_larger_files_are_refused(void **state)
{
    static char text[SW_CONFIG_FILE_MAX + 2];
    const struct sw_config *config;

    (void)memset(text, '\n', sizeof text - 1);
    config = load_text(*state, text, SW_E_INVALID);
    assert_int_equal(config->problems_count, 1);
    assert_problem(config, 0, "", "");
}

static void test_a_file_that_was_asked_for_must_be_there(void **state)
{
    struct sw_config_sources sources = {.system = sw_system_real(), .file = "/nowhere/s.yaml"};
    const struct sw_config *config = NULL;
    struct sw_err err = {0};

    assert_int_equal(sw_config_load(&sources, *state, &config, &err), SW_E_NOT_FOUND);
    assert_null(config);
}

static void test_printed_settings_load_again(void **state)
{
    const struct sw_config *config = load_text(
        *state, "data: \"/a\\\"b\\\\c\"\napi: {hosts: 'a,b', idle-timeout: 90s}\n", SW_OK);
    struct sw_buffer one, other;

    sw_buffer_init(&one, 65536);
    sw_buffer_init(&other, 65536);
    sw_config_print(config, &one);
    sw_buffer_put_u8(&one, '\0');
    assert_non_null(strstr((const char *)one.data, "  idle-timeout: \"90s\" # "));
    config = load_text(*state, (const char *)one.data, SW_OK);
    assert_string_equal(config->settings.data_folder, "/a\"b\\c");
    assert_true(config->settings.api.idle_timeout_ns == UINT64_C(90000000000));
    sw_buffer_done(&one);
    sw_buffer_done(&other);
}

static void test_full_arena_is_told(void **state)
{
    struct sw_config_sources sources = {.system = sw_system_real(), .file = path};
    bool has_failed = false, has_passed = false;

    (void)state;
    write_bytes("cluster: a\nnod: b\n", 18);
    for (size_t size = 1; size < 65536; size += 257) {
        SW_CLEANUP(sw_arena_freep) struct sw_arena *arena = sw_arena_new(size);
        const struct sw_config *config = NULL;
        enum sw_rc rc = sw_config_load(&sources, arena, &config, NULL);

        has_failed = has_failed || rc == SW_E_EXHAUSTED;
        has_passed = has_passed || rc == SW_E_INVALID;
        assert_true(rc == SW_E_EXHAUSTED || rc == SW_E_INVALID);
    }
    assert_true(has_failed && has_passed);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, test_begin, test_end)
    const struct CMUnitTest tests[] = {
        TEST(test_defaults_alone),
        TEST(test_later_sources_win),
        TEST(test_dev_keeps_all_under_the_user),
        TEST(test_all_mistakes_at_once),
        TEST(test_mistakes_of_all_sources),
        TEST(test_shapes_that_are_refused),
        TEST(test_what_follows_a_refused_shape_is_still_read),
        TEST(test_rules_between_settings_name_their_source),
        TEST(test_hostile_files_are_bounded),
        TEST(test_larger_files_are_refused),
        TEST(test_a_file_that_was_asked_for_must_be_there),
        TEST(test_printed_settings_load_again),
        TEST(test_full_arena_is_told),
    };

    return cmocka_run_group_tests(tests, group_begin, group_end);
}
