#include "pkg/agent/image/manifest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define DIGEST "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
#define BEGIN "{\"image\": \"" DIGEST "\", \"command\": [\"python3\", \"main.py\"]"

static struct sw_err err;

static enum sw_rc read_text(struct sw_arena *arena, const char *text, struct sw_manifest *manifest)
{
    err = (struct sw_err){0};
    return sw_manifest_read((struct sw_bytes){text, strlen(text)}, arena, manifest, &err);
}

static void the_least_has_defaults(void **state)
{
    SW_CLEANUP(sw_arena_freep) struct sw_arena *arena = sw_arena_new(1 << 20);
    struct sw_manifest manifest;

    (void)state;
    assert_int_equal(read_text(arena, BEGIN "}", &manifest), SW_OK);
    assert_string_equal(manifest.image, DIGEST);
    assert_string_equal(manifest.command[1], "main.py");
    assert_null(manifest.command[2]);
    assert_null(manifest.packages[0]);
    assert_null(manifest.environment[0]);
    assert_int_equal(manifest.memory_bytes, 256u << 20);
    assert_int_equal(manifest.tmp_bytes, 64u << 20);
    assert_int_equal(manifest.tasks, 64);
    assert_int_equal(manifest.files, 256);
    assert_int_equal(manifest.deadline_ms, 300000);
    assert_int_equal(manifest.protocol, SW_MANIFEST_STDIO);
    assert_int_equal(manifest.idle_ms, 60000);
    assert_int_equal(manifest.warm, 0);
    assert_string_equal(manifest.type, "text/plain; charset=utf-8");
}

static void all_of_it_is_read(void **state)
{
    SW_CLEANUP(sw_arena_freep) struct sw_arena *arena = sw_arena_new(1 << 20);
    struct sw_manifest manifest;

    (void)state;
    assert_int_equal(
        read_text(
            arena,
            BEGIN
            ", \"packages\": [\"" DIGEST "\"], \"env\": {\"A\": \"1\", \"B\": \"\"}, "
            "\"protocol\": \"turns\", \"idle\": \"0\", \"warm\": 3, \"record\": true, \"type\": "
            "\"application/json\", "
            "\"memory\": \"1GiB\", \"tmp\": \"1MiB\", \"tasks\": 8, \"files\": 32, "
            "\"deadline\": \"90s\"}",
            &manifest),
        SW_OK);
    assert_string_equal(manifest.packages[0], DIGEST);
    assert_string_equal(manifest.environment[0], "A=1");
    assert_string_equal(manifest.environment[1], "B=");
    assert_null(manifest.environment[2]);
    assert_string_equal(manifest.type, "application/json");
    assert_int_equal(manifest.memory_bytes, 1u << 30);
    assert_int_equal(manifest.tmp_bytes, 1u << 20);
    assert_int_equal(manifest.tasks, 8);
    assert_int_equal(manifest.files, 32);
    assert_int_equal(manifest.deadline_ms, 90000);
    assert_int_equal(manifest.protocol, SW_MANIFEST_TURNS);
    assert_int_equal(manifest.idle_ms, 0);
    assert_int_equal(manifest.warm, 3);
    assert_true(manifest.has_record);
}

static void mistakes_are_named(void **state)
{
    static const struct {
        const char *text, *field;
    } cases[] = {
        {"", ""},
        {"[]", ""},
        {"{}", ""},
        {"{\"image\": \"" DIGEST "\"}", ""},
        {BEGIN ", \"colour\": 1}", ""},
        {BEGIN ", \"env\": {}, \"env\": {}}", ""},
        {"{\"image\": 1}", "image"},
        {"{\"image\": \"sha256:1\"}", "image"},
        {"{\"command\": []}", "command"},
        {"{\"command\": \"true\"}", "command"},
        {"{\"command\": [1]}", "command"},
        {"{\"command\": [\"a\\u0000b\"]}", ""},
        {BEGIN ", \"packages\": \"x\"}", "packages"},
        {BEGIN ", \"packages\": [\"x\"]}", "packages"},
        {BEGIN ", \"packages\": [1,2,3,4,5,6,7,8,9]}", "packages"},
        {BEGIN ", \"env\": []}", "env"},
        {BEGIN ", \"env\": {\"A\": 1}}", "env"},
        {BEGIN ", \"env\": {\"\": \"1\"}}", "env"},
        {BEGIN ", \"env\": {\"A=B\": \"1\"}}", "env"},
        {BEGIN ", \"protocol\": \"tcp\"}", "protocol"},
        {BEGIN ", \"type\": 1}", "type"},
        {BEGIN ", \"memory\": \"1TiB\"}", "memory"},
        {BEGIN ", \"memory\": 1}", "memory"},
        {BEGIN ", \"memory\": \"1MiB\"}", "memory"},
        {BEGIN ", \"tmp\": \"much\"}", "tmp"},
        {BEGIN ", \"tasks\": 3}", "tasks"},
        {BEGIN ", \"tasks\": \"8\"}", "tasks"},
        {BEGIN ", \"files\": 1000000}", "files"},
        {BEGIN ", \"deadline\": \"0s\"}", "deadline"},
        {BEGIN ", \"deadline\": \"2h\"}", "deadline"},
        {BEGIN ", \"deadline\": \"soon\"}", "deadline"},
        {BEGIN ", \"idle\": \"25h\"}", "idle"},
        {BEGIN ", \"idle\": 1}", "idle"},
        {BEGIN ", \"warm\": 65}", "warm"},
        {BEGIN ", \"record\": 1}", "record"},
    };
    struct sw_manifest manifest;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        SW_CLEANUP(sw_arena_freep) struct sw_arena *arena = sw_arena_new(1 << 20);

        if (read_text(arena, cases[i].text, &manifest) != SW_E_INVALID ||
            strcmp(err.field, cases[i].field) != 0)
            fail_msg("%s: %s %s", cases[i].text, err.field, err.message);
    }
}

static void little_memory_is_told_as_such(void **state)
{
    SW_CLEANUP(sw_arena_freep) struct sw_arena *arena = sw_arena_new(64);
    struct sw_manifest manifest;

    (void)state;
    assert_int_equal(read_text(arena, BEGIN "}", &manifest), SW_E_EXHAUSTED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_least_has_defaults),
        cmocka_unit_test(all_of_it_is_read),
        cmocka_unit_test(mistakes_are_named),
        cmocka_unit_test(little_memory_is_told_as_such),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
