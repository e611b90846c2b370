#include "pkg/agent/engines/engines.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FINGERPRINT "engine 1, for tests"

static const uint8_t key[SW_ENGINE_KEY_SIZE] = "nobody else knows this";
static char root[64], folder[128], name[SW_ENGINE_NAME_SIZE];
static struct sw_engines_place place;
static struct sw_engine_files files;
static struct sw_engine engine;

static void write_file(const char *path, const char *words)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_true(fputs(words, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static int set_up(void **state)
{
    (void)state;
    snprintf(root, sizeof root, "/tmp/sw-engines-XXXXXX");
    if (mkdtemp(root) == NULL)
        return -1;
    snprintf(folder, sizeof folder, "%s/engines", root);
    snprintf(files.host, sizeof files.host, "%s/host", root);
    snprintf(files.compiler, sizeof files.compiler, "%s/compiler", root);
    snprintf(files.library, sizeof files.library, "%s/library", root);
    write_file(files.host, "a host");
    write_file(files.compiler, "a compiler");
    write_file(files.library, "a library");
    (void)chmod(files.host, 0755);
    place = (struct sw_engines_place){sw_system_real(), folder, key};
    sw_engine_name(FINGERPRINT, name);
    return 0;
}

static int tear_down(void **state)
{
    char command[160];

    (void)state;
    snprintf(command, sizeof command, "rm -rf %s", root);
    return system(command);
}

static void keep(void)
{
    struct sw_err err = {0};

    if (sw_engine_keep(&place, FINGERPRINT, &files, &err) != SW_OK)
        fail_msg("%s", err.message);
}

static enum sw_rc open_kept(void)
{
    struct sw_err err = {0};

    return sw_engine_open(&place, name, &engine, &err);
}

static bool count_one(void *ctx, const char *found)
{
    assert_string_equal(found, name);
    ++*(int *)ctx;
    return true;
}

static int count(void)
{
    int found = 0;

    assert_int_equal(sw_engines_list(&place, count_one, &found, NULL), SW_OK);
    return found;
}

static void what_was_kept_can_be_run(void **state)
{
    struct stat status;

    (void)state;
    assert_int_equal(count(), 0);
    keep();
    assert_int_equal(open_kept(), SW_OK);
    assert_string_equal(engine.fingerprint, FINGERPRINT);
    assert_int_equal(stat(engine.files.host, &status), 0);
    assert_true((status.st_mode & S_IXUSR) != 0);
    assert_non_null(strstr(engine.files.library, "/libwasmtime.so"));
    assert_int_equal(count(), 1);
}

/* The installed files go, as in an update: what is kept stays. */
static void it_outlives_the_files_that_it_came_from(void **state)
{
    (void)state;
    keep();
    assert_int_equal(unlink(files.host), 0);
    write_file(files.host, "another host");
    assert_int_equal(open_kept(), SW_OK);
}

/* Or are written over where they are, as cp does it. */
static void it_outlives_a_change_in_place(void **state)
{
    (void)state;
    keep();
    write_file(files.host, "c host");
    write_file(files.library, "b library");
    assert_int_equal(open_kept(), SW_OK);
}

static void another_build_of_it_takes_its_place(void **state)
{
    (void)state;
    keep();
    assert_int_equal(unlink(files.host), 0);
    write_file(files.host, "b host");
    keep();
    assert_int_equal(open_kept(), SW_OK);
    assert_int_equal(count(), 1);
    keep(); /* The same once more changes nothing. */
    assert_int_equal(open_kept(), SW_OK);
}

static void changed_files_are_refused(void **state)
{
    const char *const parts[] = {engine.files.host, engine.files.compiler, engine.files.library};

    (void)state;
    keep();
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(open_kept(), SW_OK);
        assert_int_equal(unlink(parts[i]), 0);
        write_file(parts[i], "evil");
        assert_int_equal(open_kept(), SW_E_CORRUPT);
        keep(); /* By its size at the latest it is seen that it is not the same any more. */
    }
}

static void another_key_opens_nothing(void **state)
{
    static const uint8_t other[SW_ENGINE_KEY_SIZE] = "an attacker's";

    (void)state;
    keep();
    place.key = other;
    assert_int_equal(open_kept(), SW_E_CORRUPT);
}

static void a_manifest_says_for_which_engine_it_is(void **state)
{
    char to[SW_ENGINE_NAME_SIZE], from_path[512], to_path[512];

    (void)state;
    keep();
    sw_engine_name("engine 2", to);
    snprintf(from_path, sizeof from_path, "%s/%s", folder, name);
    snprintf(to_path, sizeof to_path, "%s/%s", folder, to);
    assert_int_equal(rename(from_path, to_path), 0);
    assert_int_equal(sw_engine_open(&place, to, &engine, NULL), SW_E_CORRUPT);
}

static void one_that_is_not_whole_is_not_there(void **state)
{
    (void)state;
    assert_int_equal(unlink(files.library), 0);
    assert_int_not_equal(sw_engine_keep(&place, FINGERPRINT, &files, NULL), SW_OK);
    assert_int_equal(open_kept(), SW_E_NOT_FOUND);
    sw_engine_remove(&place, name);
    assert_int_equal(count(), 0);
}

static void what_is_removed_is_gone(void **state)
{
    (void)state;
    keep();
    sw_engine_remove(&place, name);
    assert_int_equal(count(), 0);
    assert_int_equal(open_kept(), SW_E_NOT_FOUND);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_was_kept_can_be_run),
        TEST(it_outlives_the_files_that_it_came_from),
        TEST(it_outlives_a_change_in_place),
        TEST(another_build_of_it_takes_its_place),
        TEST(changed_files_are_refused),
        TEST(another_key_opens_nothing),
        TEST(a_manifest_says_for_which_engine_it_is),
        TEST(one_that_is_not_whole_is_not_there),
        TEST(what_is_removed_is_gone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
