/* labels: threaded */
/* uses: pkg/store/sqlite pkg/utils/system pkg/utils/loop pkg/utils/logger */
#include "pkg/client/listers/lister.h"
#include "test/unit/controller/fixture.h"

static int setup(void **state)
{
    int rc = fixture_setup(state);
    struct fixture *fixture = *state;

    sw_informer_free(fixture->watchers[0]);
    fixture_watch(fixture, 0, "AgentTemplate");
    return rc;
}

static void template_make(struct fixture *fixture, const char *space, const char *name)
{
    char json[160];

    snprintf(json, sizeof(json),
             "{\"metadata\":{\"name\":\"%s\",\"namespace\":\"%s\"},\"spec\":{\"agent\":"
             "{\"replicas\":2}}}",
             name, space);
    must(fixture, sw_objects_create, make(fixture, "AgentTemplate", json));
}

static bool all_are_seen(struct fixture *fixture)
{
    return sw_informer_count(fixture->watchers[0]) == 3;
}

static void templates_make(struct fixture *fixture)
{
    must(fixture, sw_objects_create,
         make(fixture, "Namespace", "{\"metadata\":{\"name\":\"default-2\"}}"));
    template_make(fixture, "default", "b");
    template_make(fixture, "default-2", "c");
    template_make(fixture, "default", "a");
    until(fixture, all_are_seen);
}

static void a_list_is_of_one_namespace_and_in_order(void **state)
{
    struct fixture *fixture = *state;
    struct sw_lister_objects found;

    templates_make(fixture);
    assert_int_equal(sw_lister_list(fixture->watchers[0], "default", fixture->arena, &found, NULL),
                     SW_OK);
    assert_int_equal(found.count, 2);
    assert_string_equal(sw_object_meta(found.items[0])->name, "a");
    assert_string_equal(sw_object_meta(found.items[1])->name, "b");
    assert_int_equal(sw_lister_list(fixture->watchers[0], NULL, fixture->arena, &found, NULL),
                     SW_OK);
    assert_int_equal(found.count, 3);
}

static void one_object_is_read_or_said_not_to_be(void **state)
{
    struct fixture *fixture = *state;
    struct sw_err err = {0};
    void *object = NULL;

    templates_make(fixture);
    assert_int_equal(
        sw_lister_get(fixture->watchers[0], "default", "a", fixture->arena, &object, &err), SW_OK);
    assert_string_equal(sw_object_meta(object)->name, "a");
    assert_true(sw_object_meta(object)->resource_version > 0);
    assert_int_equal(
        sw_lister_get(fixture->watchers[0], "default", "c", fixture->arena, &object, &err),
        SW_E_NOT_FOUND);
    assert_non_null(strstr(err.message, "AgentTemplate default/c"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_list_is_of_one_namespace_and_in_order),
        TEST(one_object_is_read_or_said_not_to_be),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
