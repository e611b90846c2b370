/* labels: threaded */
/* uses: pkg/store/sqlite pkg/utils/system */
#include "pkg/controller/cluster/controller.h"
#include "test/unit/controller/fixture.h"

static struct sw_cluster_controller *start(struct fixture *fixture)
{
    struct sw_cluster_controller *controller = NULL;
    struct sw_cluster_controller_options options = {.loop = fixture->loop,
                                                    .system = sw_system_real(),
                                                    .logger = &fixture->logger,
                                                    .objects = fixture->objects};

    assert_int_equal(sw_cluster_controller_new(&options, &controller, NULL), SW_OK);
    return controller;
}

static int setup(void **state)
{
    int rc = fixture_setup(state);
    struct fixture *fixture = *state;

    sw_informer_free(fixture->watchers[0]);
    fixture_watch(fixture, 0, "Cluster");
    fixture->ctx = start(fixture);
    return rc;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;

    sw_cluster_controller_free(fixture->ctx);
    return fixture_teardown(state);
}

static void node_join(struct fixture *fixture, const char *name, uint64_t heartbeat_ns)
{
    char json[128];

    snprintf(json, sizeof(json), "{\"metadata\":{\"name\":\"%s\"}}", name);
    must(fixture, sw_objects_create, make(fixture, "Node", json));
    struct sw_api_node *node = read_object(fixture, "Node", name);
    node->status.phase = SW_API_NODE_PHASE_READY;
    node->status.heartbeat_time = heartbeat_ns;
    must(fixture, sw_objects_update_status, node);
}

static void pod_make(struct fixture *fixture, const char *name, const char *node)
{
    char json[768];

    snprintf(json, sizeof(json),
             "{\"metadata\":{\"name\":\"%s\"},\"spec\":{\"agentName\":\"a\",\"agentUid\":"
             "\"01932c07-8ba2-7c1e-9a2b-0123456789ab\",\"slots\":[{\"first\":0,\"count\":256}],"
             "\"nodeName\":\"%s\",\"agentGeneration\":\"1\",\"agent\":{\"module\":\"%s\"}}}",
             name, node, FIXTURE_DIGEST);
    must(fixture, sw_objects_create, make(fixture, "Pod", json));
    static const enum sw_api_pod_phase path[] = {SW_API_POD_PHASE_BOUND, SW_API_POD_PHASE_STARTING,
                                                 SW_API_POD_PHASE_READY};
    for (size_t i = 0; i < 3; i++) {
        struct sw_api_pod *pod = read_object(fixture, "Pod", name);
        pod->status.phase = path[i];
        pod->status.instances = pod->status.ready_instances = 7;
        must(fixture, sw_objects_update_status, pod);
    }
}

static bool sums_are_right(struct fixture *fixture)
{
    const struct sw_api_cluster *cluster = read_object(fixture, "Cluster", "default");
    const struct sw_api_cluster_status *status = &cluster->status;

    return status->nodes == 2 && status->ready_nodes == 2 && status->pods == 2 &&
           status->ready_pods == 2 && status->instances == 14 && status->version[0] != '\0';
}

static void ignore_result(void *ctx, const struct sw_object_result *result)
{
    (void)ctx;
    (void)result;
}

static bool lost_is_not_ready(struct fixture *fixture)
{
    const struct sw_api_node *node = read_object(fixture, "Node", "lost");
    const struct sw_api_pod *pod = read_object(fixture, "Pod", "on-lost");

    return node->status.phase == SW_API_NODE_PHASE_NOT_READY && pod != NULL &&
           pod->status.phase == SW_API_POD_PHASE_FAILED;
}

static void the_status_sums_up_what_there_is(void **state)
{
    uint64_t now_ns = sw_objects_utc_ns(((struct fixture *)*state)->objects);

    node_join(*state, "one", now_ns);
    node_join(*state, "two", now_ns);
    pod_make(*state, "a", "one");
    pod_make(*state, "b", "two");
    until(*state, sums_are_right);
}

static bool one_pod_is_left(struct fixture *fixture)
{
    const struct sw_api_cluster *cluster = read_object(fixture, "Cluster", "default");
    const struct sw_api_cluster_status *status = &cluster->status;

    return status->nodes == 1 && status->ready_nodes == 1 && status->pods == 1 &&
           status->ready_pods == 1 && status->instances == 7;
}

/* Sums that were made of all objects in each pass would come upon the one that cannot be read. */
static void a_change_is_summed_without_a_look_at_all_others(void **state)
{
    uint64_t now_ns = sw_objects_utc_ns(((struct fixture *)*state)->objects);

    put_unreadable(*state, "pods/default/unreadable");
    put_unreadable(*state, "agents/default/unreadable");
    node_join(*state, "one", now_ns);
    node_join(*state, "two", now_ns);
    pod_make(*state, "a", "one");
    pod_make(*state, "b", "two");
    until(*state, sums_are_right);
    must(*state, sw_objects_delete, read_object(*state, "Pod", "a"));
    must(*state, sw_objects_delete, read_object(*state, "Node", "two"));
    until(*state, one_pod_is_left);
}

static void timeout_set(struct fixture *fixture, const char *timeout)
{
    struct sw_api_cluster *cluster = read_object(fixture, "Cluster", "default");

    cluster->metadata.resource_version = 0;
    cluster->spec.node_timeout = timeout;
    must(fixture, sw_objects_update, cluster);
}

/* What a Node does every ten seconds, done here with every look. */
static bool lost_is_not_ready_while_here_talks(struct fixture *fixture)
{
    if (lost_is_not_ready(fixture))
        return true;
    struct sw_api_node *node = read_object(fixture, "Node", "here");
    struct sw_object_write write = {.kind = sw_kind_find("Node"), .object = node};
    node->status.heartbeat_time++;
    assert_int_equal(sw_objects_update_status(fixture->objects, &write, ignore_result, NULL, NULL),
                     SW_OK);
    return false;
}

static void a_silent_node_is_not_ready_and_its_pods_failed(void **state)
{
    uint64_t now_ns = sw_objects_utc_ns(((struct fixture *)*state)->objects);

    node_join(*state, "lost", now_ns);
    node_join(*state, "here", now_ns);
    pod_make(*state, "on-lost", "lost");
    pod_make(*state, "on-here", "here");
    timeout_set(*state, "1s");
    until(*state, lost_is_not_ready_while_here_talks);
    const struct sw_api_pod *pod = read_object(*state, "Pod", "on-lost");
    const struct sw_api_condition *ready =
        sw_condition_find(pod->status.conditions, pod->status.conditions_count, "Ready");

    assert_string_equal(ready->reason, "NodeLost");
    assert_string_equal(pod->spec.node_name, "lost");
    pod = read_object(*state, "Pod", "on-here");
    assert_int_equal(pod->status.phase, SW_API_POD_PHASE_READY);
}

/* The Hive was off for an hour, or somebody set the clock: nobody was silent. */
static void the_time_in_a_heartbeat_does_not_matter(void **state)
{
    struct fixture *fixture = *state;
    uint64_t now_ns = sw_objects_utc_ns(fixture->objects);

    node_join(fixture, "one", now_ns - UINT64_C(3600000000000));
    node_join(fixture, "two", now_ns + UINT64_C(3600000000000));
    pod_make(fixture, "a", "one");
    pod_make(fixture, "b", "two");
    sw_cluster_controller_free(fixture->ctx);
    fixture->ctx = start(fixture);
    until(fixture, sums_are_right);
    const struct sw_api_pod *pod = read_object(fixture, "Pod", "a");
    assert_int_equal(pod->status.phase, SW_API_POD_PHASE_READY);
}

static bool quick_is_not_ready(struct fixture *fixture)
{
    const struct sw_api_node *node = read_object(fixture, "Node", "quick");

    return node->status.phase == SW_API_NODE_PHASE_NOT_READY;
}

static void silence_is_noticed_without_any_change(void **state)
{
    timeout_set(*state, "1s");
    node_join(*state, "quick", sw_objects_utc_ns(((struct fixture *)*state)->objects));
    until(*state, quick_is_not_ready);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_status_sums_up_what_there_is),
        TEST(a_change_is_summed_without_a_look_at_all_others),
        TEST(a_silent_node_is_not_ready_and_its_pods_failed),
        TEST(the_time_in_a_heartbeat_does_not_matter),
        TEST(silence_is_noticed_without_any_change),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
