/* Objects of any kind: heads, copies, metadata, conditions, and finding things in the tables. */
#include "test/unit/apis/swarm/v1/fixture.h"

static void test_new_objects_have_a_head(void **state)
{
    struct fixture *f = *state;

    for (unsigned i = 0; i < sw_kind_count; i++) {
        void *object = sw_object_new(&sw_kinds[i], f->arena);
        assert_ptr_equal(sw_object_kind(object), &sw_kinds[i]);
        assert_string_equal(sw_object_meta_of(object)->name, "");
        sw_object_meta(object)->name = "x";
        assert_string_equal(sw_object_meta_of(object)->name, "x");
    }
    struct sw_arena *small = sw_arena_new(16);
    assert_null(sw_object_new(&sw_kinds[0], small));
    sw_arena_free(small);
}

static void test_parts(void **state)
{
    struct fixture *f = *state;
    const struct sw_kind *agents = sw_kind_find("Agent");
    struct sw_api_agent *agent = sw_object_new(agents, f->arena);
    const struct sw_api_message *message = NULL;

    assert_ptr_equal(sw_object_part(agents, agent, "status", &message), &agent->status);
    assert_ptr_equal(message, &sw_api_agent_status_message);
    assert_ptr_equal(sw_object_part(agents, agent, "spec", NULL), &agent->spec);
    assert_null(sw_object_part(agents, agent, "kind", NULL));
    assert_null(sw_object_part(sw_kind_find("Namespace"), agent, "spec", NULL));
    assert_true(agents->has_status && agents->is_namespaced);
    assert_false(sw_kind_find("Event")->has_status || sw_kind_find("Node")->is_namespaced);
}

static void test_copies_stand_alone(void **state)
{
    struct fixture *f = *state;
    char name[] = "reader";
    struct sw_api_agent agent = {.metadata.name = name};
    struct sw_api_agent *copy = sw_object_copy(sw_kind_find("Agent"), &agent, f->arena);

    name[0] = 'X';
    assert_string_equal(copy->metadata.name, "reader");
    assert_string_equal(copy->spec.module, "");
    assert_false(sw_api_is_equal(&sw_api_agent_message, &agent, copy));
}

static void test_copies_need_memory(void **state)
{
    struct fixture *f = *state;
    const char *finalizers[] = {"a", "b"};
    struct sw_api_pair labels[] = {{"k", "v"}};
    struct sw_api_agent agent = {.metadata = {.name = "reader",
                                              .labels = labels,
                                              .labels_count = 1,
                                              .finalizers = finalizers,
                                              .finalizers_count = 2}};
    struct sw_api_write_request request = {.object = {"bytes", 5}}, request_copy;
    struct sw_api_agent *copy = NULL;

    for (size_t size = 16; copy == NULL && size < 65536; size += 16) {
        struct sw_arena *arena = sw_arena_new(size);
        copy = sw_object_copy(sw_kind_find("Agent"), &agent, arena);
        if (copy != NULL)
            assert_string_equal(copy->metadata.finalizers[1], "b");
        sw_arena_free(arena);
    }
    assert_non_null(copy);
    assert_int_equal(sw_api_copy(&sw_api_write_request_message, &request, f->arena, &request_copy),
                     SW_OK);
    assert_memory_equal(request_copy.object.data, "bytes", 5);
    assert_true(sw_api_is_equal(&sw_api_write_request_message, &request, &request_copy));
}

static void test_equality(void **state)
{
    struct sw_api_pair one[] = {{"a", "1"}, {"b", "2"}}, other[] = {{"b", "2"}, {"a", "1"}};
    struct sw_api_object_meta a = {.labels = one, .labels_count = 2};
    struct sw_api_object_meta b = {.name = "", .labels = other, .labels_count = 2};
    struct sw_api_agent_spec set = {.has_replicas = true}, unset = {0};

    (void)state;
    assert_true(sw_api_is_equal(&sw_api_object_meta_message, &a, &b));
    other[0].value = "3";
    assert_false(sw_api_is_equal(&sw_api_object_meta_message, &a, &b));
    b.labels_count = 1;
    assert_false(sw_api_is_equal(&sw_api_object_meta_message, &a, &b));
    assert_false(sw_api_is_equal(&sw_api_agent_spec_message, &set, &unset));
    assert_true(sw_api_is_empty(&sw_api_agent_spec_message, &unset));
    assert_false(sw_api_is_empty(&sw_api_agent_spec_message, &set));
}

static void test_filling_keeps_what_is_there(void **state)
{
    const char *mine[] = {"mine"}, *theirs[] = {"theirs"};
    struct sw_api_object_meta into = {.name = "a", .finalizers = mine, .finalizers_count = 1};
    struct sw_api_object_meta from = {
        .name = "b", .namespace = "n", .finalizers = theirs, .finalizers_count = 1};
    struct sw_api_agent_spec spec = {.keyed = true}, template = {.has_pods = true, .slots = 8};

    (void)state;
    sw_api_fill_missing(&sw_api_object_meta_message, &into, &from);
    assert_string_equal(into.name, "a");
    assert_string_equal(into.namespace, "n");
    assert_string_equal(into.finalizers[0], "mine");
    sw_api_fill_missing(&sw_api_agent_spec_message, &spec, &template);
    assert_true(spec.has_pods && spec.pods == 0 && spec.slots == 8);
}

static void test_labels(void **state)
{
    struct fixture *f = *state;
    struct sw_api_object_meta meta = {0};

    for (const char *key = "cabb"; *key != '\0'; key++)
        assert_int_equal(
            sw_api_pair_put(&meta.labels, &meta.labels_count, (char[]){*key, '\0'}, key, f->arena),
            SW_OK);
    assert_int_equal(meta.labels_count, 3);
    assert_string_equal(meta.labels[0].key, "a");
    assert_string_equal(meta.labels[2].key, "c");
    assert_string_equal(sw_api_pair_find(meta.labels, 3, "b"), "b");
    assert_null(sw_api_pair_find(meta.labels, 3, "x"));

    struct sw_arena *full = sw_arena_new(1);
    assert_int_equal(sw_api_pair_put(&meta.labels, &meta.labels_count, "q", "long", full),
                     SW_E_EXHAUSTED);
    sw_arena_free(full);
}

static void test_finalizers(void **state)
{
    struct fixture *f = *state;
    struct sw_api_pod *pod = sw_object_new(sw_kind_find("Pod"), f->arena);

    assert_int_equal(sw_object_add_finalizer(pod, "a/one", f->arena), SW_OK);
    assert_int_equal(sw_object_add_finalizer(pod, "a/two", f->arena), SW_OK);
    assert_int_equal(sw_object_add_finalizer(pod, "a/one", f->arena), SW_OK);
    assert_int_equal(pod->metadata.finalizers_count, 2);
    sw_object_remove_finalizer(pod, "a/one");
    sw_object_remove_finalizer(pod, "a/none");
    assert_int_equal(pod->metadata.finalizers_count, 1);
    assert_true(sw_object_has_finalizer(pod, "a/two"));
    assert_false(sw_object_has_finalizer(pod, "a/one"));
    struct sw_arena *full = sw_arena_new(1);
    assert_int_equal(sw_object_add_finalizer(pod, "a/three", full), SW_E_EXHAUSTED);
    sw_arena_free(full);
}

static void test_controllers(void **state)
{
    struct sw_api_owner_reference owners[] = {{.name = "a"}, {.name = "b", .controller = true}};
    struct sw_api_pod pod = {.metadata = {.owner_references = owners, .owner_references_count = 1}};

    (void)state;
    assert_null(sw_object_controller(&pod));
    pod.metadata.owner_references_count = 2;
    assert_string_equal(sw_object_controller(&pod)->name, "b");
}

static void test_conditions(void **state)
{
    struct fixture *f = *state;
    struct sw_api_agent_status status = {0};
    struct sw_api_condition ready = {.type = "Ready",
                                     .status = SW_API_CONDITION_STATUS_FALSE,
                                     .reason = "Starting",
                                     .last_transition_time = 10};

    assert_int_equal(
        sw_condition_put(&status.conditions, &status.conditions_count, &ready, f->arena), SW_OK);
    ready.reason = "StillStarting";
    ready.last_transition_time = 20;
    assert_int_equal(
        sw_condition_put(&status.conditions, &status.conditions_count, &ready, f->arena), SW_OK);
    assert_int_equal(status.conditions_count, 1);
    assert_string_equal(status.conditions[0].reason, "StillStarting");
    assert_int_equal(status.conditions[0].last_transition_time, 10);
    ready.status = SW_API_CONDITION_STATUS_TRUE;
    assert_int_equal(
        sw_condition_put(&status.conditions, &status.conditions_count, &ready, f->arena), SW_OK);
    assert_int_equal(status.conditions[0].last_transition_time, 20);
    ready.type = "Placed";
    assert_int_equal(
        sw_condition_put(&status.conditions, &status.conditions_count, &ready, f->arena), SW_OK);
    assert_ptr_equal(sw_condition_find(status.conditions, status.conditions_count, "Placed"),
                     &status.conditions[1]);
    assert_null(sw_condition_find(status.conditions, status.conditions_count, "Other"));
    ready.type = "More";
    struct sw_arena *full = sw_arena_new(1);
    assert_int_equal(sw_condition_put(&status.conditions, &status.conditions_count, &ready, full),
                     SW_E_EXHAUSTED);
    sw_arena_free(full);
}

static void test_kinds(void **state)
{
    (void)state;
    assert_string_equal(sw_kind_find_loosely("agents")->name, "Agent");
    assert_string_equal(sw_kind_find_loosely("AG")->name, "Agent");
    assert_string_equal(sw_kind_find_loosely("agenttemplate")->name, "AgentTemplate");
    assert_null(sw_kind_find_loosely("x"));
    assert_null(sw_kind_find("agent"));
    assert_string_equal(sw_kind_nearest("agnets"), "agents");
    assert_null(sw_kind_nearest("zzzzzzzz"));
    for (unsigned i = 1; i < sw_kind_count; i++)
        assert_true(strcmp(sw_kinds[i - 1].name, sw_kinds[i].name) < 0);
}

static void test_fields_and_values(void **state)
{
    const struct sw_api_enum *phases = &sw_api_agent_phase_enum;

    (void)state;
    assert_int_equal(sw_api_field_find(&sw_api_agent_spec_message, "messageSize") == NULL, true);
    assert_int_equal(sw_api_field_find(&sw_api_agent_limits_message, "messageSize")->number, 4);
    assert_int_equal(sw_api_field_find(&sw_api_agent_limits_message, "message_size")->number, 4);
    assert_int_equal(sw_api_enum_find(phases, "Ready")->number, SW_API_AGENT_PHASE_READY);
    assert_null(sw_api_enum_find(phases, "ready"));
    assert_string_equal(sw_api_enum_text(phases, SW_API_AGENT_PHASE_READY), "Ready");
    assert_string_equal(sw_api_enum_text(phases, 0), "");
    assert_null(sw_api_enum_at(phases, 99));
}

static void test_methods_and_files(void **state)
{
    const struct sw_api_method *watch = sw_api_method_find("/swarm.v1.Agents/Watch");

    (void)state;
    assert_true(watch->is_server_streaming);
    assert_int_equal(watch->verb, SW_API_VERB_WATCH);
    assert_string_equal(watch->kind->name, "Agent");
    assert_ptr_equal(watch->answer, &sw_api_watch_event_message);
    assert_ptr_equal(sw_api_method_find("/swarm.v1.Pods/Create")->request,
                     &sw_api_write_request_message);
    assert_ptr_equal(sw_api_method_find("/swarm.v1.Pods/Create")->answer, &sw_api_pod_message);
    assert_null(sw_api_method_find("/swarm.v1.Messages/Send")->kind);
    assert_null(sw_api_method_find("/x/y"));
    assert_int_equal(sw_api_service_count, sw_kind_count + 1);
    assert_string_equal(sw_api_file_of_symbol("swarm.v1.AgentSpec")->name, "api/v1/agent.proto");
    assert_string_equal(sw_api_file_of_symbol("swarm.v1.Agents.Watch")->name, "api/v1/agent.proto");
    assert_string_equal(sw_api_file_of_symbol("google.protobuf.FieldOptions")->name,
                        "google/protobuf/descriptor.proto");
    assert_null(sw_api_file_of_symbol("swarm.v1.None"));
    assert_non_null(sw_api_file_find("api/v1/options.proto"));
    assert_null(sw_api_file_find("none.proto"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_new_objects_have_a_head),
        TEST(test_parts),
        TEST(test_copies_stand_alone),
        TEST(test_copies_need_memory),
        TEST(test_equality),
        TEST(test_filling_keeps_what_is_there),
        TEST(test_labels),
        TEST(test_finalizers),
        TEST(test_controllers),
        TEST(test_conditions),
        TEST(test_kinds),
        TEST(test_fields_and_values),
        TEST(test_methods_and_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
