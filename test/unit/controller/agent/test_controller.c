/* labels: threaded */
/* uses: pkg/controller/pod pkg/store/sqlite pkg/utils/system */
/* The controllers of Agents and of Pods together, with a Node that the test plays. */
#include "pkg/controller/agent/controller.h"
#include "pkg/controller/pod/controller.h"
#include "test/unit/controller/fixture.h"

#define AGENT                                                                                      \
    "{\"apiVersion\":\"swarm/v1\",\"kind\":\"Agent\",\"metadata\":{\"name\":\"worker\","           \
    "\"namespace\":\"default\"},\"spec\":{\"module\":\"" FIXTURE_DIGEST "\",\"replicas\":%u}}"
#define STEPS_MAX 64
#define LARGE_PODS 64

struct world { /* One Node that starts what is bound to it, and what was seen on the way. */
    struct fixture *fixture;
    struct sw_agent_controller *agents;
    struct sw_pod_controller *pods;
    bool is_playing; /* The Node does its part. */
    bool is_failing; /* It says that Pods fail. */
    char steps[STEPS_MAX][48];
    size_t steps_count;
    uint32_t replicas; /* Of the large Agent. */
    struct sw_arena *scratch;
};

static void step_note(struct world *world, const char *words)
{
    for (size_t i = 0; i < world->steps_count; i++)
        if (strcmp(world->steps[i], words) == 0)
            return;
    if (world->steps_count < STEPS_MAX)
        (void)snprintf(world->steps[world->steps_count++], sizeof world->steps[0], "%s", words);
}

static void ignore(void *ctx, const struct sw_object_result *result)
{
    (void)ctx;
    (void)result;
}

/* What the Node saw may be old by now: then the next change tells it again. */
static void assert_written(enum sw_rc rc)
{
    assert_true(rc == SW_OK || rc == SW_E_CONFLICT || rc == SW_E_PRECONDITION);
}

static void write_status(struct world *world, struct sw_api_pod *pod, enum sw_api_pod_phase phase)
{
    struct sw_object_write write = {.kind = sw_kind_find("Pod"), .object = pod};

    pod->status.phase = phase;
    pod->status.instances = pod->status.ready_instances = 1;
    pod->status.observed_agent_generation = pod->spec.agent_generation;
    pod->status.observed_generation = pod->metadata.generation;
    assert_written(sw_objects_update_status(world->fixture->objects, &write, ignore, NULL, NULL));
}

static void pod_let_go(struct world *world, struct sw_api_pod *pod)
{
    struct sw_object_write write = {.kind = sw_kind_find("Pod"), .object = pod};

    sw_object_remove_finalizer(pod, SW_OBJECT_FINALIZER_POD);
    assert_written(sw_objects_update(world->fixture->objects, &write, ignore, NULL, NULL));
}

/* What the Node does about a Pod that it sees. */
static void play(struct world *world, struct sw_api_pod *pod)
{
    enum sw_api_pod_phase end =
        world->is_failing ? SW_API_POD_PHASE_FAILED : SW_API_POD_PHASE_READY;

    if (pod->spec.node_name[0] == '\0')
        return;
    if (pod->metadata.deletion_timestamp != 0)
        pod_let_go(world, pod);
    else if (pod->status.phase == SW_API_POD_PHASE_BOUND)
        write_status(world, pod, SW_API_POD_PHASE_STARTING);
    else if (pod->status.phase == SW_API_POD_PHASE_STARTING ||
             pod->status.observed_agent_generation != pod->spec.agent_generation)
        write_status(world, pod, end);
}

static void note_pod(struct world *world, const struct sw_api_pod *pod)
{
    step_note(world, "pod created");
    if (pod->spec.node_name[0] != '\0')
        step_note(world, "pod bound");
    if (pod->status.phase == SW_API_POD_PHASE_STARTING)
        step_note(world, "instances initialised");
    if (pod->status.phase == SW_API_POD_PHASE_READY)
        step_note(world, "status registered");
}

static void on_change(struct fixture *fixture, const struct sw_informer_change *change)
{
    struct world *world = fixture->ctx;
    const struct sw_store_item *item = change->now;
    void *object;

    if (item == NULL)
        return;
    sw_arena_reset(world->scratch);
    if (strncmp(item->key, "agents/", 7) == 0) {
        assert_int_equal(
            sw_object_of_item(sw_kind_find("Agent"), item, world->scratch, &object, NULL), SW_OK);
        step_note(world, ((struct sw_api_agent *)object)->status.phase == SW_API_AGENT_PHASE_READY
                             ? "deployment complete"
                             : "deploy requested");
    }
    if (strncmp(item->key, "pods/", 5) == 0) {
        assert_int_equal(
            sw_object_of_item(sw_kind_find("Pod"), item, world->scratch, &object, NULL), SW_OK);
        note_pod(world, object);
        if (world->is_playing)
            play(world, object);
    }
}

static int world_setup(void **state)
{
    struct world *world = calloc(1, sizeof *world);
    struct fixture *fixture;
    int rc = fixture_setup(state);

    fixture = *state;
    world->fixture = fixture;
    world->scratch = sw_arena_new((size_t)16 << 20);
    world->is_playing = true;
    fixture->ctx = world;
    fixture->on_change = on_change;
    struct sw_agent_controller_options agents = {.loop = fixture->loop,
                                                 .system = sw_system_real(),
                                                 .logger = &fixture->logger,
                                                 .objects = fixture->objects};
    struct sw_pod_controller_options pods = {.loop = fixture->loop,
                                             .system = sw_system_real(),
                                             .logger = &fixture->logger,
                                             .objects = fixture->objects};
    assert_int_equal(sw_agent_controller_new(&agents, &world->agents, NULL), SW_OK);
    assert_int_equal(sw_pod_controller_new(&pods, &world->pods, NULL), SW_OK);
    return rc;
}

static int world_teardown(void **state)
{
    struct fixture *fixture = *state;
    struct world *world = fixture->ctx;

    sw_agent_controller_free(world->agents);
    sw_pod_controller_free(world->pods);
    sw_arena_free(world->scratch);
    free(world);
    return fixture_teardown(state);
}

static void node_join(struct fixture *fixture)
{
    struct sw_api_node *node =
        make(fixture, "Node",
             "{\"apiVersion\":\"swarm/v1\",\"kind\":\"Node\",\"metadata\":{\"name\":\"node-1\"}}");

    must(fixture, sw_objects_create, node);
    node = read_object(fixture, "Node", "node-1");
    node->status.phase = SW_API_NODE_PHASE_READY;
    node->status.capacity.cpus = 2;
    must(fixture, sw_objects_update_status, node);
}

static void agent_apply(struct fixture *fixture, unsigned replicas)
{
    char json[512];

    (void)snprintf(json, sizeof json, AGENT, replicas);
    must(fixture, sw_objects_apply, make(fixture, "Agent", json));
}

static bool agent_is_ready(struct fixture *fixture)
{
    const struct sw_api_agent *agent = read_object(fixture, "Agent", "worker");

    return agent != NULL && agent->status.phase == SW_API_AGENT_PHASE_READY &&
           agent->status.observed_generation == agent->metadata.generation;
}

static bool agent_is_gone(struct fixture *fixture)
{
    return read_object(fixture, "Agent", "worker") == NULL;
}

static bool agent_is_degraded(struct fixture *fixture)
{
    const struct sw_api_agent *agent = read_object(fixture, "Agent", "worker");

    return agent != NULL && agent->status.phase == SW_API_AGENT_PHASE_DEGRADED;
}

static bool pod_says_unschedulable(struct fixture *fixture)
{
    const struct sw_api_pod *pod = read_object(fixture, "Pod", "worker-0");
    const struct sw_api_condition *scheduled =
        pod == NULL
            ? NULL
            : sw_condition_find(pod->status.conditions, pod->status.conditions_count, "Scheduled");

    return scheduled != NULL && scheduled->status == SW_API_CONDITION_STATUS_FALSE &&
           strcmp(scheduled->message, "no node has joined") == 0;
}

static size_t pods_count(struct fixture *fixture)
{
    return sw_informer_count(fixture->watchers[1]);
}

static void test_the_workflow_happens_in_its_order(void **state)
{
    static const char *const steps[] = {"deploy requested",  "pod created",
                                        "pod bound",         "instances initialised",
                                        "status registered", "deployment complete"};
    struct fixture *fixture = *state;
    const struct world *world = fixture->ctx;

    node_join(fixture);
    agent_apply(fixture, 1);
    until(fixture, agent_is_ready);

    assert_int_equal(world->steps_count, 6);
    for (size_t i = 0; i < 6; i++)
        assert_string_equal(world->steps[i], steps[i]);
}

static void test_the_slots_are_covered_once(void **state)
{
    struct fixture *fixture = *state;
    unsigned owners[256] = {0};
    size_t cursor = 0;
    const struct sw_store_item *item;

    node_join(fixture);
    agent_apply(fixture, 1);
    until(fixture, agent_is_ready);

    assert_int_equal(pods_count(fixture), SW_AGENT_PODS_DEFAULT);
    while (sw_informer_next(fixture->watchers[1], &cursor, &item)) {
        void *pod;
        const struct sw_api_slot_range *slots;

        assert_int_equal(sw_object_of_item(sw_kind_find("Pod"), item, fixture->arena, &pod, NULL),
                         SW_OK);
        slots = ((struct sw_api_pod *)pod)->spec.slots;
        for (uint32_t i = 0; i < slots->count; i++)
            owners[slots->first + i]++;
    }
    for (size_t i = 0; i < 256; i++)
        assert_int_equal(owners[i], 1);
}

static bool is_split_in_two(struct fixture *fixture)
{
    return agent_is_ready(fixture) && pods_count(fixture) == 2;
}

static bool is_split_in_eight(struct fixture *fixture)
{
    return agent_is_ready(fixture) && pods_count(fixture) == 8;
}

/* Fewer Pods: those beyond give up their slots, and go when the others run with theirs. */
static void test_an_agent_is_split_otherwise(void **state)
{
    static const char change[] =
        "{\"metadata\":{\"name\":\"worker\"},\"spec\":{\"module\":\"%s\",\"pods\":%d}}";
    struct fixture *fixture = *state;
    char json[512];
    const struct sw_api_pod *pod;

    node_join(fixture);
    agent_apply(fixture, 1);
    until(fixture, agent_is_ready);
    (void)snprintf(json, sizeof json, change, FIXTURE_DIGEST, 2);
    must(fixture, sw_objects_apply, make(fixture, "Agent", json));
    until(fixture, is_split_in_two);
    pod = read_object(fixture, "Pod", "worker-1");
    assert_int_equal(pod->spec.slots[0].first, 128);
    assert_int_equal(pod->spec.slots[0].count, 128);
    (void)snprintf(json, sizeof json, change, FIXTURE_DIGEST, 8);
    must(fixture, sw_objects_apply, make(fixture, "Agent", json));
    until(fixture, is_split_in_eight);
    pod = read_object(fixture, "Pod", "worker-7");
    assert_int_equal(pod->spec.slots[0].first, 224);
}

static void test_a_hundred_thousand_replicas_make_no_more_objects(void **state)
{
    struct fixture *fixture = *state;

    node_join(fixture);
    agent_apply(fixture, 100000);
    until(fixture, agent_is_ready);

    assert_int_equal(pods_count(fixture), SW_AGENT_PODS_DEFAULT);
}

static void test_a_changed_spec_reaches_every_pod(void **state)
{
    struct fixture *fixture = *state;
    const struct sw_api_pod *pod;

    node_join(fixture);
    agent_apply(fixture, 1);
    until(fixture, agent_is_ready);
    agent_apply(fixture, 7);
    until(fixture, agent_is_ready);

    pod = read_object(fixture, "Pod", "worker-3");
    assert_int_equal(pod->spec.agent.replicas, 7);
    assert_int_equal(pod->spec.agent_generation, 2);
    assert_string_equal(pod->spec.node_name, "node-1");
}

static void test_a_deleted_agent_goes_after_its_pods(void **state)
{
    struct fixture *fixture = *state;

    node_join(fixture);
    agent_apply(fixture, 1);
    until(fixture, agent_is_ready);
    must(fixture, sw_objects_delete, read_object(fixture, "Agent", "worker"));
    until(fixture, agent_is_gone);

    assert_int_equal(pods_count(fixture), 0);
}

static void test_an_agent_deleted_before_any_node_joined_goes_too(void **state)
{
    struct fixture *fixture = *state;

    agent_apply(fixture, 1);
    until(fixture, pod_says_unschedulable);
    must(fixture, sw_objects_delete, read_object(fixture, "Agent", "worker"));
    until(fixture, agent_is_gone);

    assert_int_equal(pods_count(fixture), 0);
}

static void test_pods_wait_for_a_node_and_say_so(void **state)
{
    struct fixture *fixture = *state;

    agent_apply(fixture, 1);
    until(fixture, pod_says_unschedulable);
    node_join(fixture);

    until(fixture, agent_is_ready);
}

static void test_a_pod_deleted_by_hand_comes_back_with_its_slots(void **state)
{
    struct fixture *fixture = *state;
    const struct sw_api_pod *before, *after;

    node_join(fixture);
    agent_apply(fixture, 1);
    until(fixture, agent_is_ready);
    before = read_object(fixture, "Pod", "worker-2");
    must(fixture, sw_objects_delete, before);
    do {
        until(fixture, agent_is_ready);
        after = read_object(fixture, "Pod", "worker-2");
        if (after == NULL || strcmp(after->metadata.uid, before->metadata.uid) == 0)
            must(fixture, sw_objects_apply,
                 make(fixture, "Namespace",
                      "{\"apiVersion\":\"swarm/v1\",\"kind\":"
                      "\"Namespace\",\"metadata\":{\"name\":\"tick\"}}"));
    } while (after == NULL || strcmp(after->metadata.uid, before->metadata.uid) == 0);

    assert_int_equal(after->spec.slots[0].first, before->spec.slots[0].first);
    assert_int_equal(after->spec.slots[0].count, before->spec.slots[0].count);
    assert_int_equal(pods_count(fixture), SW_AGENT_PODS_DEFAULT);
}

static void test_a_failing_pod_degrades_the_agent_until_it_recovers(void **state)
{
    struct fixture *fixture = *state;
    struct world *world = fixture->ctx;

    node_join(fixture);
    world->is_failing = true;
    agent_apply(fixture, 1);
    until(fixture, agent_is_degraded);
    world->is_failing = false;
    for (int i = 0; i < SW_AGENT_PODS_DEFAULT; i++) {
        char name[16];
        struct sw_api_pod *pod;

        (void)snprintf(name, sizeof name, "worker-%d", i);
        pod = read_object(fixture, "Pod", name);
        if (pod->status.phase != SW_API_POD_PHASE_FAILED)
            continue;
        pod->status.phase = SW_API_POD_PHASE_STARTING;
        must(fixture, sw_objects_update_status, pod);
    }

    until(fixture, agent_is_ready);
}

static bool agent_has_both(struct fixture *fixture)
{
    const struct sw_api_agent *agent = read_object(fixture, "Agent", "worker");

    return agent->status.usage.messages == 107 && agent->status.usage.memory_bytes == 7;
}

static void pod_tell(struct fixture *fixture, const char *name, uint64_t time, uint64_t messages)
{
    struct sw_api_pod *pod = read_object(fixture, "Pod", name);

    pod->status.usage.time = time;
    pod->status.usage.messages = messages;
    pod->status.usage.memory_bytes = messages % 100;
    must(fixture, sw_objects_update_status, pod);
}

/* Of the Pods of a Node the one that speaks last knows all, and no sum becomes less. */
static void test_usage_is_what_its_nodes_tell(void **state)
{
    struct fixture *fixture = *state;

    node_join(fixture);
    agent_apply(fixture, 1);
    until(fixture, agent_is_ready);
    pod_tell(fixture, "worker-0", 10, 100);
    pod_tell(fixture, "worker-1", 11, 107);
    until(fixture, agent_has_both);
    pod_tell(fixture, "worker-2", 12, 7);
    until(fixture, agent_has_both);
}

static bool template_is_gone(struct fixture *fixture)
{
    return read_object(fixture, "AgentTemplate", "small") == NULL;
}

static void test_an_agent_goes_though_its_template_went_before(void **state)
{
    struct fixture *fixture = *state;

    node_join(fixture);
    must(fixture, sw_objects_create,
         make(fixture, "AgentTemplate",
              "{\"metadata\":{\"name\":\"small\"},\"spec\":{\"agent\":{\"module\":\"" FIXTURE_DIGEST
              "\"}}}"));
    must(fixture, sw_objects_create,
         make(fixture, "Agent",
              "{\"metadata\":{\"name\":\"worker\"},\"spec\":{\"template\":\"small\"}}"));
    until(fixture, agent_is_ready);
    must(fixture, sw_objects_delete, read_object(fixture, "AgentTemplate", "small"));
    until(fixture, template_is_gone);
    must(fixture, sw_objects_delete, read_object(fixture, "Agent", "worker"));

    until(fixture, agent_is_gone);
}

static void test_a_pod_of_somebody_else_in_the_way_is_told_and_waited_for(void **state)
{
    struct fixture *fixture = *state;
    const struct sw_api_condition *ready;
    const struct sw_api_agent *agent;

    node_join(fixture);
    must(fixture, sw_objects_create,
         make(fixture, "Pod",
              "{\"metadata\":{\"name\":\"worker-1\"},\"spec\":{\"agentName\":\"a\",\"agentUid\":"
              "\"01932c07-8ba2-7c1e-9a2b-0123456789ab\",\"slots\":[{\"first\":0,\"count\":256}],"
              "\"agentGeneration\":\"1\",\"agent\":{\"module\":\"" FIXTURE_DIGEST "\"}}}"));
    agent_apply(fixture, 1);
    until(fixture, agent_is_degraded);

    agent = read_object(fixture, "Agent", "worker");
    ready = sw_condition_find(agent->status.conditions, agent->status.conditions_count, "Ready");
    assert_string_equal(ready->reason, "PodNameTaken");
    assert_non_null(strstr(ready->message, "worker-1"));
    struct sw_api_pod *other = read_object(fixture, "Pod", "worker-1");
    other->metadata.resource_version = 0; /* Whatever the scheduler wrote of it meanwhile. */
    must(fixture, sw_objects_delete, other);
    until(fixture, agent_is_ready);
    assert_int_equal(pods_count(fixture), SW_AGENT_PODS_DEFAULT);
}

static void pod_make(struct fixture *fixture, int number)
{
    char json[512];

    (void)snprintf(
        json, sizeof json,
        "{\"metadata\":{\"name\":\"lone-%d\",\"finalizers\":[\"swarm/instances\"]},\"spec\":{"
        "\"agentName\":\"a\",\"agentUid\":\"01932c07-8ba2-7c1e-9a2b-0123456789ab\",\"slots\":[{"
        "\"first\":0,\"count\":256}],\"agentGeneration\":\"1\",\"agent\":{\"module\":\"%s\"}}}",
        number, FIXTURE_DIGEST);
    must(fixture, sw_objects_create, make(fixture, "Pod", json));
}

static bool pods_are_gone(struct fixture *fixture)
{
    return pods_count(fixture) == 0;
}

static bool pods_all_say_unschedulable(struct fixture *fixture)
{
    const struct sw_store_item *item;
    size_t cursor = 0;

    while (sw_informer_next(fixture->watchers[1], &cursor, &item)) {
        void *pod;

        sw_arena_reset(((struct world *)fixture->ctx)->scratch);
        assert_int_equal(sw_object_of_item(sw_kind_find("Pod"), item,
                                           ((struct world *)fixture->ctx)->scratch, &pod, NULL),
                         SW_OK);
        const struct sw_api_pod_status *status = &((struct sw_api_pod *)pod)->status;
        if (sw_condition_find(status->conditions, status->conditions_count, "Scheduled") == NULL)
            return false;
    }
    return true;
}

static void test_pods_that_cannot_be_placed_are_in_nobodys_way(void **state)
{
    struct fixture *fixture = *state;
    char name[16];

    for (int i = 0; i < SW_POD_BATCH_MAX + 30; i++)
        pod_make(fixture, i);
    until(fixture, pods_all_say_unschedulable);
    for (int i = 0; i < SW_POD_BATCH_MAX + 30; i++) {
        (void)snprintf(name, sizeof name, "lone-%d", i);
        struct sw_api_pod *pod = read_object(fixture, "Pod", name);
        must(fixture, sw_objects_delete, pod);
    }
    until(fixture, pods_are_gone);
}

static bool last_pod_has_the_spec(struct fixture *fixture)
{
    const struct world *world = fixture->ctx;
    char name[16];

    sw_arena_reset(fixture->arena);
    (void)snprintf(name, sizeof name, "worker-%d", LARGE_PODS - 1);
    const struct sw_api_pod *pod = read_object(fixture, "Pod", name);
    return pod != NULL && pod->spec.agent.replicas == world->replicas &&
           pods_count(fixture) == LARGE_PODS;
}

/* The largest config, in many Pods: all there is of the Agent is read and written in one pass. No
 * Node has joined, so that nothing but these passes happens. */
static void test_a_large_agent_is_deployed_changed_and_deleted(void **state)
{
    enum { CONFIG_SIZE = 65536, ROOM = 512 };
    struct fixture *fixture = *state;
    struct world *world = fixture->ctx;
    char *json = malloc(CONFIG_SIZE + ROOM), *config = malloc(CONFIG_SIZE + 1);

    memset(config, 'c', CONFIG_SIZE);
    config[CONFIG_SIZE] = '\0';
    for (world->replicas = 1; world->replicas <= 2; world->replicas++) {
        (void)snprintf(
            json, CONFIG_SIZE + ROOM,
            "{\"metadata\":{\"name\":\"worker\"},\"spec\":{\"module\":\"%s\",\"pods\":%d,"
            "\"replicas\":%u,\"config\":\"%s\"}}",
            FIXTURE_DIGEST, LARGE_PODS, world->replicas, config);
        must(fixture, sw_objects_apply, make(fixture, "Agent", json));
        until(fixture, last_pod_has_the_spec);
    }
    must(fixture, sw_objects_delete, make(fixture, "Agent", json));
    until(fixture, agent_is_gone);
    free(config);
    free(json);
}

static bool pods_are_marked(struct fixture *fixture)
{
    const struct sw_api_pod *pod = read_object(fixture, "Pod", "worker-3");

    return pod != NULL && pod->metadata.deletion_timestamp != 0;
}

/* A Node that was removed will not say that it has stopped anything. */
static void test_an_agent_goes_though_its_node_was_removed(void **state)
{
    struct fixture *fixture = *state;
    struct world *world = fixture->ctx;

    node_join(fixture);
    agent_apply(fixture, 1);
    until(fixture, agent_is_ready);
    world->is_playing = false;
    must(fixture, sw_objects_delete,
         make(fixture, "Agent", "{\"metadata\":{\"name\":\"worker\"},\"spec\":{\"replicas\":1}}"));
    until(fixture, pods_are_marked);
    assert_false(agent_is_gone(fixture));
    must(fixture, sw_objects_delete, make(fixture, "Node", "{\"metadata\":{\"name\":\"node-1\"}}"));
    until(fixture, agent_is_gone);
}

int main(void)
{
#define WORLD_TEST(test) cmocka_unit_test_setup_teardown(test, world_setup, world_teardown)
    const struct CMUnitTest tests[] = {
        WORLD_TEST(test_the_workflow_happens_in_its_order),
        WORLD_TEST(test_the_slots_are_covered_once),
        WORLD_TEST(test_a_hundred_thousand_replicas_make_no_more_objects),
        WORLD_TEST(test_an_agent_is_split_otherwise),
        WORLD_TEST(test_a_changed_spec_reaches_every_pod),
        WORLD_TEST(test_a_deleted_agent_goes_after_its_pods),
        WORLD_TEST(test_an_agent_deleted_before_any_node_joined_goes_too),
        WORLD_TEST(test_pods_wait_for_a_node_and_say_so),
        WORLD_TEST(test_a_pod_deleted_by_hand_comes_back_with_its_slots),
        WORLD_TEST(test_a_failing_pod_degrades_the_agent_until_it_recovers),
        WORLD_TEST(test_usage_is_what_its_nodes_tell),
        WORLD_TEST(test_an_agent_goes_though_its_template_went_before),
        WORLD_TEST(test_an_agent_goes_though_its_node_was_removed),
        WORLD_TEST(test_a_large_agent_is_deployed_changed_and_deleted),
        WORLD_TEST(test_pods_that_cannot_be_placed_are_in_nobodys_way),
        WORLD_TEST(test_a_pod_of_somebody_else_in_the_way_is_told_and_waited_for),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
