/* labels: threaded */
/* uses: pkg/controller/agent pkg/controller/pod pkg/store/sqlite pkg/utils/system */
/* The controllers of Agents, Pods and this Node together, over a runner in memory. */
#include "pkg/controller/agent/controller.h"
#include "pkg/controller/node/controller.h"
#include "pkg/controller/pod/controller.h"
#include "test/unit/controller/node/runner.h"

#define AGENT                                                                                      \
    "{\"metadata\":{\"name\":\"worker\"},\"spec\":{\"module\":\"" FIXTURE_DIGEST                   \
    "\",\"replicas\":%u,\"pods\":2,\"restart\":{\"initialBackoff\":\"1ms\",\"maxBackoff\":"        \
    "\"20ms\"}}}"

struct world {
    struct fake_runner fake;
    struct sw_agent_controller *agents;
    struct sw_pod_controller *pods;
    struct sw_events *events;
    struct sw_node_controller *node;
    const char *second_host; /* Its phase; NULL: there is one host only. */
};

static void each_host(void *ctx, sw_node_host_visit *visit, void *visit_ctx)
{
    const struct world *world = ctx;
    struct sw_node_host host = {.name = "shared", .phase = "Up", .message = "", .pods = 3};

    visit(visit_ctx, &host);
    host = (struct sw_node_host){.name = "agent/default/lone",
                                 .phase = world->second_host,
                                 .message = "ended by signal 9",
                                 .starts = 2};
    if (world->second_host != NULL)
        visit(visit_ctx, &host);
}

/* The machine's clock, and so much later. */
static struct sw_system later;
static uint64_t later_ns;

static uint64_t monotonic_later(void *ctx)
{
    return sw_system_real()->monotonic_ns(ctx) + later_ns;
}

static void node_start(struct fixture *fixture, const char *address)
{
    struct world *world = fixture->ctx;
    struct sw_node_controller_options options = {.loop = fixture->loop,
                                                 .system = &later,
                                                 .logger = &fixture->logger,
                                                 .objects = fixture->objects,
                                                 .events = world->events,
                                                 .runner = &world->fake.runner,
                                                 .name = "here",
                                                 .address = address,
                                                 .cpus = 2,
                                                 .memory_bytes = 1 << 30,
                                                 .each_host = each_host,
                                                 .hosts_ctx = world};

    later = *sw_system_real();
    later.monotonic_ns = monotonic_later;
    later_ns = 0;
    assert_int_equal(sw_node_controller_new(&options, &world->node, NULL), SW_OK);
    sw_node_controller_set_ready(world->node, true, "");
}

static int setup(void **state)
{
    int rc = fixture_setup(state);
    struct fixture *fixture = *state;
    struct world *world = calloc(1, sizeof(*world));

    fixture->ctx = world;
    fake_init(&world->fake, fixture->loop);
    struct sw_agent_controller_options agents = {.loop = fixture->loop,
                                                 .system = sw_system_real(),
                                                 .logger = &fixture->logger,
                                                 .objects = fixture->objects};
    struct sw_pod_controller_options pods = {.loop = fixture->loop,
                                             .system = sw_system_real(),
                                             .logger = &fixture->logger,
                                             .objects = fixture->objects};
    struct sw_events_options events = {.loop = fixture->loop,
                                       .system = sw_system_real(),
                                       .logger = &fixture->logger,
                                       .objects = fixture->objects,
                                       .node_name = "here"};
    assert_int_equal(sw_agent_controller_new(&agents, &world->agents, NULL), SW_OK);
    assert_int_equal(sw_pod_controller_new(&pods, &world->pods, NULL), SW_OK);
    assert_int_equal(sw_events_new(&events, &world->events, NULL), SW_OK);
    node_start(fixture, "127.0.0.1:7422");
    return rc;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    struct world *world = fixture->ctx;

    sw_node_controller_free(world->node);
    sw_events_free(world->events);
    sw_agent_controller_free(world->agents);
    sw_pod_controller_free(world->pods);
    sw_timer_free(world->fake.timer);
    free(world);
    return fixture_teardown(state);
}

static struct world *world_of(void **state)
{
    return ((struct fixture *)*state)->ctx;
}

static void apply(void **state, unsigned replicas)
{
    char json[512];

    snprintf(json, sizeof(json), AGENT, replicas);
    must(*state, sw_objects_apply, make(*state, "Agent", json));
}

static bool agent_is_ready(struct fixture *fixture)
{
    const struct sw_api_agent *agent = read_object(fixture, "Agent", "worker");

    return agent != NULL && agent->status.phase == SW_API_AGENT_PHASE_READY &&
           agent->status.observed_generation == agent->metadata.generation &&
           agent->status.ready_pods == 2;
}

static bool agent_is_gone(struct fixture *fixture)
{
    return read_object(fixture, "Agent", "worker") == NULL;
}

static bool pods_are_stopping(struct fixture *fixture)
{
    const struct sw_api_pod *one = read_object(fixture, "Pod", "worker-0");
    const struct sw_api_pod *other = read_object(fixture, "Pod", "worker-1");

    return one != NULL && other != NULL && one->status.phase == SW_API_POD_PHASE_STOPPING &&
           other->status.phase == SW_API_POD_PHASE_STOPPING;
}

static bool node_is_ready(struct fixture *fixture)
{
    const struct sw_api_node *node = read_object(fixture, "Node", "here");

    return node != NULL && node->status.phase == SW_API_NODE_PHASE_READY;
}

static bool node_is_not_ready(struct fixture *fixture)
{
    const struct sw_api_node *node = read_object(fixture, "Node", "here");

    return node != NULL && node->status.phase == SW_API_NODE_PHASE_NOT_READY;
}

static void the_node_registers_itself(void **state)
{
    until(*state, node_is_ready);
    const struct sw_api_node *node = read_object(*state, "Node", "here");

    assert_int_equal(node->status.capacity.cpus, 2);
    assert_string_equal(node->status.address, "127.0.0.1:7422");
    assert_true(node->status.heartbeat_time > 0);
    assert_true(node->status.version[0] != '\0');
}

static bool node_has_moved(struct fixture *fixture)
{
    const struct sw_api_node *node = read_object(fixture, "Node", "here");

    return strcmp(node->status.address, "127.0.0.1:7423") == 0;
}

/* As with port 0, which is another one each time: told at once, not with the next heartbeat. */
static void a_node_that_is_back_at_another_address_says_so(void **state)
{
    const struct sw_system *system = sw_system_real();
    uint64_t begin_ns;

    until(*state, node_is_ready);
    sw_node_controller_free(world_of(state)->node);
    begin_ns = system->monotonic_ns(system->ctx);
    node_start(*state, "127.0.0.1:7423");
    until(*state, node_has_moved);
    assert_in_range(system->monotonic_ns(system->ctx) - begin_ns, 0,
                    SW_NODE_HEARTBEAT_MS * 1000000ull / 2);
}

static bool node_tells_of_two(struct fixture *fixture)
{
    const struct sw_api_node *node = read_object(fixture, "Node", "here");

    return node->status.hosts_count == 2;
}

static bool node_tells_of_one(struct fixture *fixture)
{
    const struct sw_api_node *node = read_object(fixture, "Node", "here");

    return node->status.hosts_count == 1;
}

/* At once, and what is gone is not told of any more. */
static void the_node_tells_of_its_hosts(void **state)
{
    struct world *world = world_of(state);

    until(*state, node_is_ready);
    until(*state, node_tells_of_one);
    world->second_host = "Down";
    sw_node_controller_hosts_changed(world->node);
    until(*state, node_tells_of_two);
    const struct sw_api_node *node = read_object(*state, "Node", "here");

    assert_string_equal(node->status.hosts[0].name, "shared");
    assert_int_equal(node->status.hosts[0].pods, 3);
    assert_string_equal(node->status.hosts[1].name, "agent/default/lone");
    assert_string_equal(node->status.hosts[1].phase, "Down");
    assert_string_equal(node->status.hosts[1].message, "ended by signal 9");
    assert_int_equal(node->status.hosts[1].starts, 2);
    world->second_host = NULL;
    sw_node_controller_hosts_changed(world->node);
    until(*state, node_tells_of_one);
}

static void a_host_that_is_away_makes_the_node_not_ready(void **state)
{
    until(*state, node_is_ready);
    sw_node_controller_set_ready(world_of(state)->node, false, "the host exited");
    until(*state, node_is_not_ready);
    const struct sw_api_node *node = read_object(*state, "Node", "here");

    assert_string_equal(node->status.conditions[0].message, "the host exited");
    sw_node_controller_set_ready(world_of(state)->node, true, "");
    until(*state, node_is_ready);
}

static void bound_pods_are_opened_and_become_ready(void **state)
{
    struct world *world = world_of(state);

    apply(state, 3);
    until(*state, agent_is_ready);
    assert_int_equal(world->fake.count, 2);
    assert_int_equal(world->fake.pods[0].slots + world->fake.pods[1].slots, 256);
    assert_int_equal(world->fake.pods[0].replicas, 3);
    const struct sw_api_pod *pod = read_object(*state, "Pod", "worker-0");
    assert_string_equal(pod->spec.node_name, "here");
    assert_int_equal(pod->status.instances, 3);
    assert_int_equal(pod->status.restarts, 0);
}

static void a_changed_spec_updates_the_open_pods(void **state)
{
    struct world *world = world_of(state);

    apply(state, 3);
    until(*state, agent_is_ready);
    apply(state, 5);
    until(*state, agent_is_ready);
    assert_int_equal(world->fake.pods[0].replicas, 5);
    assert_int_equal(world->fake.pods[0].opens, 1);
}

static void a_failed_pod_is_opened_again_until_it_runs(void **state)
{
    struct world *world = world_of(state);

    world->fake.fail_opens = 5;
    apply(state, 1);
    until(*state, agent_is_ready);
    const struct sw_api_pod *one = read_object(*state, "Pod", "worker-0");
    const struct sw_api_pod *other = read_object(*state, "Pod", "worker-1");
    assert_true(one->status.restarts + other->status.restarts >= 2);
    assert_true(world->fake.pods[0].opens + world->fake.pods[1].opens >= 4);
}

static bool pod_has_failed(struct fixture *fixture)
{
    const struct sw_api_pod *pod = read_object(fixture, "Pod", "worker-0");

    return pod != NULL && pod->status.phase == SW_API_POD_PHASE_FAILED;
}

static void what_the_runner_refuses_is_told(void **state)
{
    struct world *world = world_of(state);

    world->fake.open_rc = SW_E_INVALID;
    apply(state, 1);
    until(*state, pod_has_failed);
    const struct sw_api_pod *pod = read_object(*state, "Pod", "worker-0");
    const struct sw_api_condition *ready =
        sw_condition_find(pod->status.conditions, pod->status.conditions_count, "Ready");
    assert_string_equal(ready->reason, "SpecRefused");
    assert_string_equal(ready->message, "the runner says no");
    world->fake.open_rc = SW_OK;
    until(*state, agent_is_ready);
}

static void a_deleted_agent_goes_once_its_pods_are_closed(void **state)
{
    struct world *world = world_of(state);

    apply(state, 1);
    until(*state, agent_is_ready);
    world->fake.is_holding = true;
    must(*state, sw_objects_delete, read_object(*state, "Agent", "worker"));
    until(*state, pods_are_stopping);
    assert_false(agent_is_gone(*state));
    assert_true(world->fake.pods[0].was_discarded);
    world->fake.is_holding = false;
    fake_wake(&world->fake);
    until(*state, agent_is_gone);
}

static void after_a_restart_bound_pods_are_opened_again(void **state)
{
    struct world *world = world_of(state);

    apply(state, 1);
    until(*state, agent_is_ready);
    sw_node_controller_free(world->node);
    world->fake.count = 0; /* The host lost everything too. */
    memset(world->fake.pods, 0, sizeof(world->fake.pods));
    node_start(*state, "127.0.0.1:7422");
    must(*state, sw_objects_apply, make(*state, "Namespace", "{\"metadata\":{\"name\":\"x\"}}"));
    apply(state, 2);
    until(*state, agent_is_ready);
    assert_int_equal(world->fake.count, 2);
    assert_int_equal(world->fake.pods[0].opens, 1);
}

static bool some_pod_is_discarded(struct fixture *fixture)
{
    const struct world *world = fixture->ctx;

    return agent_is_ready(fixture) &&
           (world->fake.pods[0].was_discarded || world->fake.pods[1].was_discarded);
}

static void a_pod_whose_finalizer_is_torn_off_is_closed_all_the_same(void **state)
{
    struct world *world = world_of(state);

    apply(state, 1);
    until(*state, agent_is_ready);
    struct sw_api_pod *pod = read_object(*state, "Pod", "worker-0");
    world->fake.is_holding = true;
    struct fake_pod *fake = fake_pod_find(&world->fake, pod->metadata.uid);
    sw_object_remove_finalizer(pod, SW_OBJECT_FINALIZER_POD);
    must(*state, sw_objects_update, pod);
    must(*state, sw_objects_delete, read_object(*state, "Pod", "worker-0"));
    world->fake.is_holding = false;
    fake_wake(&world->fake);
    until(*state, some_pod_is_discarded); /* Its successor is another one. */
    assert_true(fake->was_discarded);
    assert_false(fake->is_open);
}

static bool note_trap(void *ctx, const struct sw_store_item *item)
{
    struct fixture *fixture = ctx;
    void *object = NULL;

    assert_int_equal(sw_object_of_item(sw_kind_find("Event"), item, fixture->arena, &object, NULL),
                     SW_OK);
    const struct sw_api_event *event = object;
    if (strcmp(event->reason, "Trapped") != 0)
        return true;
    assert_string_equal(event->involved_object.kind, "Agent");
    assert_string_equal(event->involved_object.instance, "worker/0");
    assert_string_equal(event->message, "unreachable");
    assert_string_equal(event->source.node, "here");
    assert_int_equal(event->type, SW_API_EVENT_TYPE_WARNING);
    fixture->is_done = true;
    return false;
}

static bool trap_is_told(struct fixture *fixture)
{
    const struct sw_store_list_request request = {.prefix = "events/default/worker-"};
    struct sw_store_list_end end;

    fixture->is_done = false;
    if (sw_store_list(fixture->store, &request, note_trap, fixture, &end, NULL) != SW_OK)
        return false;
    return fixture->is_done;
}

static void what_happens_to_an_instance_becomes_an_event_of_its_agent(void **state)
{
    struct world *world = world_of(state);

    apply(state, 1);
    until(*state, agent_is_ready);
    const struct sw_pod_event event = {.uid = world->fake.pods[0].uid,
                                       .is_warning = true,
                                       .reason = "Trapped",
                                       .instance = "0",
                                       .message = "unreachable"};
    world->fake.observer.on_event(world->fake.observer.ctx, &event);
    sw_informer_free(((struct fixture *)*state)->watchers[2]);
    fixture_watch(*state, 2, "Event");
    until(*state, trap_is_told);
}

/* A text of `size` bytes that begins with `lead` bytes of one and goes on in characters of three.
 */
static char *wide_text(size_t lead, size_t size)
{
    char *text = calloc(1, size + 4);

    memset(text, 'a', lead);
    for (size_t at = lead; at < size; at += 3)
        memcpy(text + at, "\xe2\x82\xac", 3);
    return text;
}

static bool pod_says_much(struct fixture *fixture)
{
    const struct sw_api_pod *pod = read_object(fixture, "Pod", "worker-0");
    const struct sw_api_condition *ready =
        pod == NULL
            ? NULL
            : sw_condition_find(pod->status.conditions, pod->status.conditions_count, "Ready");

    return ready != NULL && strlen(ready->message) > 900;
}

static bool note_words(void *ctx, const struct sw_store_item *item)
{
    struct fixture *fixture = ctx;
    void *object = NULL;

    assert_int_equal(sw_object_of_item(sw_kind_find("Event"), item, fixture->arena, &object, NULL),
                     SW_OK);
    const struct sw_api_event *event = object;
    fixture->is_done |= strcmp(event->reason, "Wide") == 0;
    return true;
}

static bool wide_event_is_there(struct fixture *fixture)
{
    const struct sw_store_list_request request = {.prefix = "events/"};
    struct sw_store_list_end end;

    fixture->is_done = false;
    assert_int_equal(sw_store_list(fixture->store, &request, note_words, fixture, &end, NULL),
                     SW_OK);
    return fixture->is_done;
}

/* Each length puts another byte of a character at every cut there may be on the way. */
static void long_words_and_keys_are_cut_between_characters(void **state)
{
    struct world *world = world_of(state);

    sw_informer_free(((struct fixture *)*state)->watchers[2]);
    fixture_watch(*state, 2, "Event");
    apply(state, 1);
    until(*state, agent_is_ready);
    for (size_t lead = 0; lead < 3; lead++) {
        char *key = wide_text(lead, 240), *words = wide_text(lead, 3000);
        const struct sw_pod_event event = {.uid = world->fake.pods[0].uid,
                                           .is_warning = true,
                                           .reason = "Wide",
                                           .instance = key,
                                           .message = words};
        const struct sw_api_pod *pod = read_object(*state, "Pod", "worker-0");
        const struct sw_pod_report report = {.uid = pod->metadata.uid,
                                             .observed_generation = pod->metadata.generation,
                                             .phase = SW_POD_FAILED,
                                             .reason = "Wide",
                                             .message = words};
        world->fake.is_silent = true;
        world->fake.observer.on_event(world->fake.observer.ctx, &event);
        world->fake.observer.on_status(world->fake.observer.ctx, &report);
        until(*state, pod_says_much);
        until(*state, wide_event_is_there);
        world->fake.is_silent = false;
        fake_wake(&world->fake);
        until(*state, agent_is_ready);
        free(key);
        free(words);
    }
}

static bool pod_says_masked(struct fixture *fixture)
{
    const struct sw_api_pod *pod = read_object(fixture, "Pod", "worker-0");
    const struct sw_api_condition *ready =
        sw_condition_find(pod->status.conditions, pod->status.conditions_count, "Ready");

    return strcmp(ready->message, "bad ?? bytes") == 0;
}

static void words_that_are_no_text_are_masked(void **state)
{
    struct world *world = world_of(state);

    apply(state, 1);
    until(*state, agent_is_ready);
    const struct sw_api_pod *pod = read_object(*state, "Pod", "worker-0");
    const struct sw_pod_report report = {.uid = pod->metadata.uid,
                                         .observed_generation = pod->metadata.generation,
                                         .phase = SW_POD_FAILED,
                                         .reason = "Broken",
                                         .message = "bad \xff\xfe bytes"};
    world->fake.is_silent = true; /* It does not become Ready, so the words stay. */
    world->fake.observer.on_status(world->fake.observer.ctx, &report);
    until(*state, pod_says_masked);
}

static bool agent_has_used(struct fixture *fixture)
{
    const struct sw_api_agent *agent = read_object(fixture, "Agent", "worker");

    return agent->status.usage.messages == 12 && agent->status.usage.cpu_nanoseconds == 345 &&
           agent->status.usage.memory_bytes == 65536 && agent->status.usage.time == 1000;
}

/* One Pod tells what the whole Agent used on its Node. */
static void what_an_agent_used_comes_into_its_status(void **state)
{
    struct world *world = world_of(state);
    struct sw_pod_usage usage = {
        .used = {.utc_ns = 1000, .cpu_ns = 345, .handled = 12, .memory_bytes = 65536}};

    apply(state, 2);
    until(*state, agent_is_ready);
    usage.uid = "nobody's";
    world->fake.observer.on_usage(world->fake.observer.ctx, &usage);
    usage.uid = world->fake.pods[0].uid;
    world->fake.observer.on_usage(world->fake.observer.ctx, &usage);
    until(*state, agent_has_used);
}

/* --- Throttling ------------------------------------------------------------------------------- */

static const struct sw_api_condition *throttled_of(struct fixture *fixture)
{
    const struct sw_api_agent *agent = read_object(fixture, "Agent", "worker");

    return sw_condition_find(agent->status.conditions, agent->status.conditions_count, "Throttled");
}

static bool is_throttled(struct fixture *fixture)
{
    const struct sw_api_condition *condition = throttled_of(fixture);

    return condition != NULL && condition->status == SW_API_CONDITION_STATUS_TRUE;
}

static bool is_within_limits(struct fixture *fixture)
{
    const struct sw_api_condition *condition = throttled_of(fixture);

    return condition != NULL && condition->status == SW_API_CONDITION_STATUS_FALSE;
}

static bool note_throttled(void *ctx, const struct sw_store_item *item)
{
    struct fixture *fixture = ctx;
    void *object = NULL;

    assert_int_equal(sw_object_of_item(sw_kind_find("Event"), item, fixture->arena, &object, NULL),
                     SW_OK);
    const struct sw_api_event *event = object;
    fixture->is_done |= strcmp(event->reason, "Throttled") == 0 && event->count == 2;
    return true;
}

static bool began_twice(struct fixture *fixture)
{
    struct sw_store_list_request request = {.prefix = "events/"};
    struct sw_store_list_end end;

    fixture->is_done = false;
    assert_int_equal(sw_store_list(fixture->store, &request, note_throttled, fixture, &end, NULL),
                     SW_OK);
    return fixture->is_done;
}

static bool agent_has_five(struct fixture *fixture)
{
    return ((const struct sw_api_agent *)read_object(fixture, "Agent", "worker"))
               ->status.instances >= 5;
}

/* It holds from the first push on until there was none for a while, and each time that it begins is
 * told once. */
static void who_is_pushed_back_is_throttled_until_it_is_over(void **state)
{
    struct fixture *fixture = *state;
    struct world *world = world_of(state);
    struct sw_pod_throttle throttle = {.limit = SW_POD_LIMIT_MESSAGES};

    sw_informer_free(fixture->watchers[2]);
    fixture_watch(fixture, 2, "Event");
    must(fixture, sw_objects_apply,
         make(fixture, "Agent",
              "{\"metadata\":{\"name\":\"worker\"},\"spec\":{\"module\":\"" FIXTURE_DIGEST
              "\",\"pods\":2,\"limits\":{\"messagesPerSecond\":17}}}"));
    until(fixture, agent_is_ready);
    assert_null(throttled_of(fixture)); /* It never was. */
    throttle.uid = "nobody's";
    world->fake.observer.on_throttled(world->fake.observer.ctx, &throttle);
    throttle.uid = world->fake.pods[0].uid;
    for (int i = 0; i < 3; i++)
        world->fake.observer.on_throttled(world->fake.observer.ctx, &throttle);
    until(fixture, is_throttled);
    assert_string_equal(throttled_of(fixture)->reason, "MessageLimit");
    assert_non_null(strstr(throttled_of(fixture)->message, "17 messages a second"));
    assert_string_equal(
        ((const struct sw_api_agent *)read_object(fixture, "Agent", "worker"))->status.throttled,
        "MessageLimit");
    later_ns += 14 * UINT64_C(1000000000);
    world->fake.pods[0].replicas = 5; /* Its status is written. */
    fake_wake(&world->fake);
    until(fixture, agent_has_five);
    assert_true(is_throttled(fixture));
    later_ns += 2 * UINT64_C(1000000000);
    fake_wake(&world->fake);
    until(fixture, is_within_limits);
    assert_string_equal(throttled_of(fixture)->message, "");
    /* Of a quota that is not there nothing is said. */
    throttle.limit = SW_POD_LIMIT_QUOTA_MEMORY;
    world->fake.observer.on_throttled(world->fake.observer.ctx, &throttle);
    until(fixture, began_twice);
    assert_false(is_throttled(fixture));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_node_registers_itself),
        TEST(a_node_that_is_back_at_another_address_says_so),
        TEST(the_node_tells_of_its_hosts),
        TEST(a_host_that_is_away_makes_the_node_not_ready),
        TEST(bound_pods_are_opened_and_become_ready),
        TEST(a_changed_spec_updates_the_open_pods),
        TEST(a_failed_pod_is_opened_again_until_it_runs),
        TEST(what_the_runner_refuses_is_told),
        TEST(a_deleted_agent_goes_once_its_pods_are_closed),
        TEST(after_a_restart_bound_pods_are_opened_again),
        TEST(a_pod_whose_finalizer_is_torn_off_is_closed_all_the_same),
        TEST(what_happens_to_an_instance_becomes_an_event_of_its_agent),
        TEST(long_words_and_keys_are_cut_between_characters),
        TEST(words_that_are_no_text_are_masked),
        TEST(what_an_agent_used_comes_into_its_status),
        TEST(who_is_pushed_back_is_throttled_until_it_is_over),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
