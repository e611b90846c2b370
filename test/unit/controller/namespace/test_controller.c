/* labels: threaded */
/* uses: pkg/store/sqlite pkg/utils/system */
#include "pkg/controller/namespace/controller.h"
#include "test/unit/controller/fixture.h"

static int setup(void **state)
{
    int rc = fixture_setup(state);
    struct fixture *fixture = *state;
    struct sw_namespace_controller *controller = NULL;
    struct sw_namespace_controller_options options = {.loop = fixture->loop,
                                                      .system = sw_system_real(),
                                                      .logger = &fixture->logger,
                                                      .objects = fixture->objects};

    sw_informer_free(fixture->watchers[2]);
    fixture_watch(fixture, 2, "Namespace");
    assert_int_equal(sw_namespace_controller_new(&options, &controller, NULL), SW_OK);
    fixture->ctx = controller;
    return rc;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;

    sw_namespace_controller_free(fixture->ctx);
    return fixture_teardown(state);
}

static void lab_make(struct fixture *fixture)
{
    must(fixture, sw_objects_create,
         make(fixture, "Namespace", "{\"metadata\":{\"name\":\"lab\"}}"));
}

static void template_make(struct fixture *fixture, const char *space, int number)
{
    char json[256];

    snprintf(json, sizeof(json),
             "{\"metadata\":{\"name\":\"t-%d\",\"namespace\":\"%s\"},\"spec\":{\"agent\":"
             "{\"replicas\":2}}}",
             number, space);
    must(fixture, sw_objects_create, make(fixture, "AgentTemplate", json));
}

static bool lab_is_gone(struct fixture *fixture)
{
    return read_object(fixture, "Namespace", "lab") == NULL;
}

static bool agent_is_marked(struct fixture *fixture)
{
    void *object = NULL;

    if (sw_objects_get(fixture->objects,
                       &(const struct sw_object_ref){sw_kind_find("Agent"), "lab", "reader"},
                       fixture->arena, &object, NULL) != SW_OK)
        return false;
    return sw_object_meta(object)->deletion_timestamp != 0;
}

static void an_empty_namespace_goes_at_once(void **state)
{
    lab_make(*state);
    must(*state, sw_objects_delete, read_object(*state, "Namespace", "lab"));
    until(*state, lab_is_gone);
}

static void what_is_in_it_goes_first_and_nothing_else(void **state)
{
    lab_make(*state);
    for (int i = 0; i < SW_NAMESPACE_BATCH_MAX + 20; i++)
        template_make(*state, "lab", i);
    template_make(*state, "default", 1);
    must(*state, sw_objects_delete, read_object(*state, "Namespace", "lab"));
    until(*state, lab_is_gone);
    assert_non_null(read_object(*state, "AgentTemplate", "t-1"));
}

static void it_waits_for_what_has_finalizers(void **state)
{
    struct fixture *fixture = *state;
    void *object = NULL;

    lab_make(fixture);
    must(fixture, sw_objects_create,
         make(fixture, "Agent",
              "{\"metadata\":{\"name\":\"reader\",\"namespace\":\"lab\"},\"spec\":{"
              "\"module\":\"" FIXTURE_DIGEST "\"}}"));
    must(fixture, sw_objects_delete, read_object(fixture, "Namespace", "lab"));
    until(fixture, agent_is_marked);
    assert_false(lab_is_gone(fixture));
    assert_int_equal(
        sw_objects_get(fixture->objects,
                       &(const struct sw_object_ref){sw_kind_find("Agent"), "lab", "reader"},
                       fixture->arena, &object, NULL),
        SW_OK);
    sw_object_remove_finalizer(object, SW_OBJECT_FINALIZER_AGENT);
    must(fixture, sw_objects_update, object);
    until(fixture, lab_is_gone);
}

static void a_namespace_that_is_not_deleted_is_left_alone(void **state)
{
    lab_make(*state);
    template_make(*state, "lab", 1);
    must(*state, sw_objects_create,
         make(*state, "Namespace", "{\"metadata\":{\"name\":\"other\"}}"));
    must(*state, sw_objects_delete, read_object(*state, "Namespace", "other"));
    assert_false(lab_is_gone(*state));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_empty_namespace_goes_at_once),
        TEST(what_is_in_it_goes_first_and_nothing_else),
        TEST(it_waits_for_what_has_finalizers),
        TEST(a_namespace_that_is_not_deleted_is_left_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
