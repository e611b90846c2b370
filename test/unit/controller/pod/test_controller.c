/* labels: threaded */
/* uses: pkg/store/sqlite pkg/utils/system */
#include "pkg/controller/pod/controller.h"
#include "test/unit/controller/fixture.h"

static struct sw_pod_controller *start(struct fixture *fixture)
{
    struct sw_pod_controller *controller = NULL;
    struct sw_pod_controller_options options = {.loop = fixture->loop,
                                                .system = sw_system_real(),
                                                .logger = &fixture->logger,
                                                .objects = fixture->objects};

    assert_int_equal(sw_pod_controller_new(&options, &controller, NULL), SW_OK);
    return controller;
}

static int setup(void **state)
{
    int rc = fixture_setup(state);
    struct fixture *fixture = *state;

    fixture->ctx = start(fixture);
    return rc;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;

    sw_pod_controller_free(fixture->ctx);
    return fixture_teardown(state);
}

static void node_join(struct fixture *fixture, const char *name)
{
    char json[128];

    snprintf(json, sizeof(json), "{\"metadata\":{\"name\":\"%s\"}}", name);
    must(fixture, sw_objects_create, make(fixture, "Node", json));
    struct sw_api_node *node = read_object(fixture, "Node", name);
    node->status.phase = SW_API_NODE_PHASE_READY;
    node->status.capacity.cpus = 1;
    must(fixture, sw_objects_update_status, node);
}

/* A Pod for the controller to bind; with a finalizer, as those of Agents have it. */
static void pod_make(struct fixture *fixture, const char *name)
{
    char json[768];

    snprintf(json, sizeof(json),
             "{\"metadata\":{\"name\":\"%s\",\"finalizers\":[\"" SW_OBJECT_FINALIZER_POD
             "\"]},\"spec\":{\"agentName\":\"a\",\"agentUid\":"
             "\"01932c07-8ba2-7c1e-9a2b-0123456789ab\",\"slots\":[{\"first\":0,\"count\":256}],"
             "\"agentGeneration\":\"1\",\"agent\":{\"module\":\"%s\"}}}",
             name, FIXTURE_DIGEST);
    must(fixture, sw_objects_create, make(fixture, "Pod", json));
}

static bool is_on(struct fixture *fixture, const char *name, const char *node)
{
    const struct sw_api_pod *pod = read_object(fixture, "Pod", name);

    return pod->status.phase == SW_API_POD_PHASE_BOUND && strcmp(pod->spec.node_name, node) == 0;
}

static bool a_waits(struct fixture *fixture)
{
    const struct sw_api_pod *pod = read_object(fixture, "Pod", "a");
    const struct sw_api_condition *scheduled =
        sw_condition_find(pod->status.conditions, pod->status.conditions_count, "Scheduled");

    return scheduled != NULL && scheduled->status == SW_API_CONDITION_STATUS_FALSE;
}

static bool a_is_on_one(struct fixture *fixture)
{
    return is_on(fixture, "a", "one");
}

static bool b_is_on_two(struct fixture *fixture)
{
    return is_on(fixture, "b", "two");
}

static bool c_is_on_one(struct fixture *fixture)
{
    return is_on(fixture, "c", "one");
}

static bool d_is_on_one(struct fixture *fixture)
{
    return is_on(fixture, "d", "one");
}

static bool a_is_gone(struct fixture *fixture)
{
    return read_object(fixture, "Pod", "a") == NULL;
}

static void a_pod_waits_for_a_node_and_is_told_why(void **state)
{
    pod_make(*state, "a");
    until(*state, a_waits);
    node_join(*state, "one");
    until(*state, a_is_on_one);
}

static void pods_that_go_make_room_and_those_that_stay_count(void **state)
{
    node_join(*state, "one");
    pod_make(*state, "a");
    until(*state, a_is_on_one);
    node_join(*state, "two");
    pod_make(*state, "b");
    until(*state, b_is_on_two);
    pod_make(*state, "c");
    until(*state, c_is_on_one);

    struct sw_api_pod *pod = read_object(*state, "Pod", "a"); /* "one" has two of them by now. */
    pod->metadata.finalizers_count = 0;
    must(*state, sw_objects_update, pod);
    must(*state, sw_objects_delete, read_object(*state, "Pod", "a"));
    pod = read_object(*state, "Pod", "c");
    pod->metadata.finalizers_count = 0;
    must(*state, sw_objects_update, pod);
    must(*state, sw_objects_delete, read_object(*state, "Pod", "c"));
    pod_make(*state, "d");
    until(*state, d_is_on_one);
}

static void a_pod_that_goes_waits_for_its_node_until_that_is_removed(void **state)
{
    node_join(*state, "one");
    pod_make(*state, "a");
    until(*state, a_is_on_one);
    must(*state, sw_objects_delete, read_object(*state, "Pod", "a"));
    node_join(*state, "two");
    pod_make(*state, "b");
    until(*state, b_is_on_two); /* A pass that could have let "a" go is over. */
    assert_false(a_is_gone(*state));
    must(*state, sw_objects_delete, read_object(*state, "Node", "one"));
    until(*state, a_is_gone);
}

static void a_pod_that_was_never_bound_goes_at_once(void **state)
{
    pod_make(*state, "a");
    until(*state, a_waits);
    must(*state, sw_objects_delete, read_object(*state, "Pod", "a"));
    until(*state, a_is_gone);
}

static void what_was_there_at_the_start_is_bound(void **state)
{
    struct fixture *fixture = *state;

    sw_pod_controller_free(fixture->ctx);
    fixture->ctx = NULL;
    pod_make(fixture, "a");
    node_join(fixture, "one");
    fixture->ctx = start(fixture);
    until(fixture, a_is_on_one);
}

/* A pass that read all Pods would come upon the one that cannot be read. */
static void a_pass_reads_no_pod_that_it_does_nothing_about(void **state)
{
    put_unreadable(*state, "pods/default/unreadable");
    node_join(*state, "one");
    pod_make(*state, "a");
    until(*state, a_is_on_one);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_pod_waits_for_a_node_and_is_told_why),
        TEST(pods_that_go_make_room_and_those_that_stay_count),
        TEST(a_pod_that_goes_waits_for_its_node_until_that_is_removed),
        TEST(a_pod_that_was_never_bound_goes_at_once),
        TEST(what_was_there_at_the_start_is_bound),
        TEST(a_pass_reads_no_pod_that_it_does_nothing_about),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
