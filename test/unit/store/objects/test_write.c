/* labels: threaded */
/* uses: pkg/store/sqlite pkg/apis/swarm/v1 */
#include "test/unit/store/objects/fixture.h"

#define READER "{\"metadata\":{\"name\":\"reader\"},\"spec\":{" FIXTURE_MODULE "}}"

static void creating_gives_identity_defaults_and_the_first_phase(void **state)
{
    const struct sw_api_agent *agent = create(*state, "Agent", READER);

    assert_string_equal(agent->api_version, "swarm/v1");
    assert_string_equal(agent->metadata.namespace, "default");
    assert_int_equal(strlen(agent->metadata.uid), 36);
    assert_int_equal(agent->metadata.uid[14], '7');
    assert_int_equal(agent->metadata.generation, 1);
    assert_true(agent->metadata.creation_timestamp > 0);
    assert_true(agent->metadata.resource_version > 0);
    assert_int_equal(agent->spec.slots, 256);
    assert_int_equal(agent->status.phase, SW_API_AGENT_PHASE_PENDING);
    assert_true(sw_object_has_finalizer(agent, SW_OBJECT_FINALIZER_AGENT));
    const struct sw_api_agent *stored = read_object(*state, "Agent", "default", "reader");
    assert_true(sw_api_is_equal(&sw_api_agent_message, agent, stored));
}

static void a_name_that_is_taken_is_refused(void **state)
{
    create(*state, "Agent", READER);
    struct written again = run(*state, sw_objects_create, make(*state, "Agent", READER));

    assert_int_equal(again.rc, SW_E_EXISTS);
    assert_non_null(strstr(again.err.message, "agents/default/reader exists already"));
}

static void mistakes_are_all_told_and_nothing_is_written(void **state)
{
    struct fixture *fixture = *state;
    void *object = make(fixture, "Agent",
                        "{\"metadata\":{\"name\":\"Bad Name\"},\"spec\":{\"replicas\":9999999}}");
    struct sw_problems problems = sw_problems_of(fixture->arena);
    const struct sw_object_write write = {
        .kind = sw_kind_find("Agent"), .object = object, .problems = &problems};
    struct written written = {.arena = fixture->arena};

    uint64_t before = sw_store_revision(fixture->harness->store);
    assert_int_equal(
        sw_objects_create(fixture->objects, &write, note_written, &written, &written.err),
        SW_E_INVALID);
    assert_true(problems.count >= 3); /* Name, module, replicas. */
    assert_int_equal(written.count, 0);
    assert_int_equal(sw_store_revision(fixture->harness->store), before);
}

static void a_dry_run_checks_and_writes_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct written written = {.arena = fixture->arena};
    const struct sw_object_write write = {.kind = sw_kind_find("Agent"),
                                          .object = make(fixture, "Agent", READER),
                                          .is_dry_run = true};

    uint64_t before = sw_store_revision(fixture->harness->store);
    assert_int_equal(
        sw_objects_create(fixture->objects, &write, note_written, &written, &written.err), SW_OK);
    harness_wait(fixture->harness, &written.count, 1);
    assert_int_equal(written.rc, SW_OK);
    assert_non_null(written.object);
    assert_int_equal(sw_store_revision(fixture->harness->store), before);
    assert_null(read_object(fixture, "Agent", "default", "reader"));
}

static void a_namespace_must_exist(void **state)
{
    struct written written =
        run(*state, sw_objects_create,
            make(*state, "Agent",
                 "{\"metadata\":{\"name\":\"a\",\"namespace\":\"none\"},\"spec\":{" FIXTURE_MODULE
                 "}}"));

    assert_int_equal(written.rc, SW_E_NOT_FOUND);
    assert_non_null(strstr(written.err.message, "\"none\""));
}

static void nothing_is_made_in_a_namespace_that_is_being_deleted(void **state)
{
    void *space = create(*state, "Namespace", "{\"metadata\":{\"name\":\"lab\"}}");
    const struct sw_api_namespace *marked = must(*state, sw_objects_delete, space);

    assert_true(marked->metadata.deletion_timestamp > 0);
    assert_int_equal(marked->status.phase, SW_API_NAMESPACE_PHASE_TERMINATING);
    struct written written =
        run(*state, sw_objects_create,
            make(*state, "Agent",
                 "{\"metadata\":{\"name\":\"a\",\"namespace\":\"lab\"},\"spec\":{" FIXTURE_MODULE
                 "}}"));
    assert_int_equal(written.rc, SW_E_PRECONDITION);
}

static void the_default_namespace_and_the_cluster_stay(void **state)
{
    void *space = read_object(*state, "Namespace", "", "default");
    void *cluster = read_object(*state, "Cluster", "", "default");

    assert_int_equal(run(*state, sw_objects_delete, space).rc, SW_E_PRECONDITION);
    assert_int_equal(run(*state, sw_objects_delete, cluster).rc, SW_E_PRECONDITION);
}

static void generation_rises_with_the_spec_only(void **state)
{
    struct sw_api_agent *agent = create(*state, "Agent", READER);
    struct sw_api_pair label = {.key = "tier", .value = "one"};
    uint64_t first = agent->metadata.resource_version;

    agent->metadata.labels = &label;
    agent->metadata.labels_count = 1;
    agent = must(*state, sw_objects_update, agent);
    assert_int_equal(agent->metadata.generation, 1);
    assert_true(agent->metadata.resource_version > first);
    agent->spec.replicas = 7;
    agent->spec.has_replicas = true;
    agent = must(*state, sw_objects_update, agent);
    assert_int_equal(agent->metadata.generation, 2);
}

static void an_update_that_changes_nothing_writes_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct sw_api_agent *agent = create(fixture, "Agent", READER);
    uint64_t before = sw_store_revision(fixture->harness->store);
    struct sw_api_agent *again = must(fixture, sw_objects_update, agent);

    assert_int_equal(again->metadata.resource_version, agent->metadata.resource_version);
    assert_int_equal(sw_store_revision(fixture->harness->store), before);
}

static void a_stale_version_conflicts_with_both_in_the_words(void **state)
{
    struct sw_api_agent *old = create(*state, "Agent", READER);
    struct sw_api_agent *fresh = must(*state, sw_objects_update, old);
    char words[96];

    fresh->spec.config = "a=b";
    fresh = must(*state, sw_objects_update, fresh);
    old->spec.config = "a=c";
    struct written written = run(*state, sw_objects_update, old);
    assert_int_equal(written.rc, SW_E_CONFLICT);
    snprintf(words, sizeof(words), "resourceVersion %llu, but the change was made from %llu",
             (unsigned long long)fresh->metadata.resource_version,
             (unsigned long long)old->metadata.resource_version);
    assert_non_null(strstr(written.err.message, words));
}

static void writes_without_a_version_all_succeed(void **state)
{
    struct fixture *fixture = *state;
    struct written written[20] = {0};
    int last = 0;

    create(fixture, "Agent", READER);
    for (uint32_t i = 0; i < 6; i++) { /* All are planned from the same state. */
        struct sw_api_agent *agent = make(fixture, "Agent", READER);
        agent->spec.replicas = 10 + i;
        agent->spec.has_replicas = true;
        written[i].arena = fixture->arena;
        const struct sw_object_write write = {.kind = sw_kind_find("Agent"), .object = agent};
        assert_int_equal(
            sw_objects_update(fixture->objects, &write, note_written, &written[i], &written[i].err),
            SW_OK);
    }
    for (int i = 0; i < 6; i++) {
        harness_wait(fixture->harness, &written[i].count, 1);
        assert_int_equal(written[i].rc, SW_OK);
        last += written[i].count;
    }
    assert_int_equal(last, 6);
    const struct sw_api_agent *agent = read_object(fixture, "Agent", "default", "reader");
    assert_int_equal(agent->metadata.generation, 7);
}

static void immutable_fields_stay(void **state)
{
    struct sw_api_agent *agent = create(*state, "Agent", READER);

    agent->spec.keyed = true;
    struct written written = run(*state, sw_objects_update, agent);
    assert_int_equal(written.rc, SW_E_INVALID);
    assert_string_equal(written.err.field, "spec.keyed");
}

static void status_and_spec_are_written_apart(void **state)
{
    struct sw_api_agent *agent = create(*state, "Agent", READER);

    agent->status.phase = SW_API_AGENT_PHASE_DEPLOYING;
    agent->status.pods = 4;
    agent->spec.config = "ignored";
    struct sw_api_agent *after = must(*state, sw_objects_update_status, agent);
    assert_int_equal(after->status.pods, 4);
    assert_string_equal(after->spec.config, "");
    assert_int_equal(after->metadata.generation, 1);
    after->status.pods = 9;
    after->spec.config = "new";
    after = must(*state, sw_objects_update, after);
    assert_int_equal(after->status.pods, 4);
    assert_string_equal(after->spec.config, "new");
}

static void a_move_that_the_state_machine_lacks_is_refused(void **state)
{
    struct sw_api_agent *agent = create(*state, "Agent", READER);

    agent->status.phase = SW_API_AGENT_PHASE_READY; /* Not straight from Pending. */
    struct written written = run(*state, sw_objects_update_status, agent);
    assert_int_equal(written.rc, SW_E_PRECONDITION);
    assert_non_null(strstr(written.err.message, "Pending"));
}

static void deletion_waits_for_finalizers(void **state)
{
    struct sw_api_agent *agent = create(*state, "Agent", READER);
    struct written marked = run(*state, sw_objects_delete, agent);

    assert_int_equal(marked.rc, SW_OK);
    assert_false(marked.is_gone);
    agent = marked.object;
    assert_true(agent->metadata.deletion_timestamp > 0);
    struct sw_arena *arena = ((struct fixture *)*state)->arena;
    assert_int_equal(sw_object_add_finalizer(agent, "swarm/late", arena), SW_OK);
    assert_int_equal(run(*state, sw_objects_update, agent).rc, SW_E_PRECONDITION);
    sw_object_remove_finalizer(agent, "swarm/late");
    sw_object_remove_finalizer(agent, SW_OBJECT_FINALIZER_AGENT);
    struct written gone = run(*state, sw_objects_update, agent);
    assert_int_equal(gone.rc, SW_OK);
    assert_true(gone.is_gone);
    assert_null(read_object(*state, "Agent", "default", "reader"));
}

static void deleting_another_incarnation_conflicts(void **state)
{
    struct sw_api_agent *agent = create(*state, "Agent", READER);

    agent->metadata.uid = "01932c07-8ba2-7c1e-9a2b-0123456789ab";
    agent->metadata.resource_version = 0;
    struct written written = run(*state, sw_objects_delete, agent);
    assert_int_equal(written.rc, SW_E_CONFLICT);
    assert_string_equal(written.err.field, "metadata.uid");
}

static void apply_creates_and_then_replaces_the_spec(void **state)
{
    struct written first = run(*state, sw_objects_apply,
                               make(*state, "Agent",
                                    "{\"metadata\":{\"name\":\"reader\",\"labels\":{\"a\":\"1\"}},"
                                    "\"spec\":{\"replicas\":3," FIXTURE_MODULE "}}"));
    struct written second = run(*state, sw_objects_apply,
                                make(*state, "Agent",
                                     "{\"metadata\":{\"name\":\"reader\",\"labels\":{\"b\":\"2\"}},"
                                     "\"spec\":{" FIXTURE_MODULE "}}"));

    assert_int_equal(first.rc, SW_OK);
    assert_true(first.is_created);
    assert_int_equal(second.rc, SW_OK);
    assert_false(second.is_created);
    const struct sw_api_agent *agent = second.object;
    assert_int_equal(agent->spec.replicas, 1);
    assert_int_equal(agent->metadata.labels_count, 2);
    assert_true(sw_object_has_finalizer(agent, SW_OBJECT_FINALIZER_AGENT));
    struct written third = run(*state, sw_objects_apply,
                               make(*state, "Agent",
                                    "{\"metadata\":{\"name\":\"reader\"},"
                                    "\"spec\":{" FIXTURE_MODULE "}}"));
    const struct sw_api_agent *same = third.object;
    assert_int_equal(same->metadata.resource_version, agent->metadata.resource_version);
}

static void a_template_gives_what_the_agent_does_not_say(void **state)
{
    create(*state, "AgentTemplate",
           "{\"metadata\":{\"name\":\"small\"},\"spec\":{\"agent\":{" FIXTURE_MODULE
           ",\"replicas\":5,\"limits\":{\"memory\":\"2MiB\"}}}}");
    const struct sw_api_agent *agent =
        create(*state, "Agent",
               "{\"metadata\":{\"name\":\"reader\"},\"spec\":{\"template\":\"small\","
               "\"limits\":{\"deadline\":\"2s\"}}}");

    assert_string_equal(agent->spec.module, FIXTURE_DIGEST);
    assert_int_equal(agent->spec.replicas, 5);
    assert_string_equal(agent->spec.limits.memory, "2MiB");
    assert_string_equal(agent->spec.limits.deadline, "2s");
}

static void a_missing_template_is_a_mistake_in_its_field(void **state)
{
    struct written written =
        run(*state, sw_objects_create,
            make(*state, "Agent",
                 "{\"metadata\":{\"name\":\"reader\"},\"spec\":{\"template\":\"none\"}}"));

    assert_int_equal(written.rc, SW_E_INVALID);
    assert_string_equal(written.err.field, "spec.template");
}

static void bytes_of_an_item_carry_its_version(void **state)
{
    struct fixture *fixture = *state;
    const struct sw_api_agent *agent = create(fixture, "Agent", READER);
    struct sw_buffer bytes;
    struct sw_err err = {0};
    void *decoded = NULL;

    sw_buffer_init(&bytes, SW_OBJECT_BYTES_MAX);
    sw_object_bytes_of_item(sw_store_find(fixture->harness->store, "agents/default/reader"),
                            &bytes);
    assert_int_equal(bytes.size, sw_object_size_of_item(sw_store_find(fixture->harness->store,
                                                                      "agents/default/reader")));
    assert_int_equal(sw_object_decode(sw_kind_find("Agent"),
                                      (struct sw_bytes){bytes.data, bytes.size}, fixture->arena,
                                      &decoded, &err),
                     SW_OK);
    assert_true(sw_api_is_equal(&sw_api_agent_message, agent, decoded));
    sw_buffer_done(&bytes);
}

static void a_deletion_is_neither_withdrawn_nor_begun_by_an_update(void **state)
{
    create(*state, "Agent", "{\"metadata\":{\"name\":\"reader\"},\"spec\":{" FIXTURE_MODULE "}}");
    struct sw_api_agent *agent = read_object(*state, "Agent", "default", "reader");
    agent->metadata.deletion_timestamp = 1;
    agent = must(*state, sw_objects_update, agent);
    assert_int_equal(agent->metadata.deletion_timestamp, 0);
    agent = must(*state, sw_objects_delete, agent);
    uint64_t since_ns = agent->metadata.deletion_timestamp;
    assert_true(since_ns > 1);
    agent->metadata.deletion_timestamp = 0;
    agent->spec.replicas = 3;
    agent = must(*state, sw_objects_update, agent);
    assert_int_equal(agent->metadata.deletion_timestamp, since_ns);
    agent = must(*state, sw_objects_apply,
                 make(*state, "Agent",
                      "{\"metadata\":{\"name\":\"reader\"},\"spec\":{" FIXTURE_MODULE "}}"));
    assert_int_equal(agent->metadata.deletion_timestamp, since_ns);
    agent = must(*state, sw_objects_delete, agent); /* Again: it began when it began. */
    assert_int_equal(agent->metadata.deletion_timestamp, since_ns);
}

/* What the decoder refuses must never be stored: nobody could read the object again. */
static void text_that_is_not_utf8_is_refused(void **state)
{
    create(*state, "Agent", "{\"metadata\":{\"name\":\"reader\"},\"spec\":{" FIXTURE_MODULE "}}");
    struct sw_api_agent *agent = read_object(*state, "Agent", "default", "reader");
    struct sw_api_condition condition = {.type = "Ready",
                                         .status = SW_API_CONDITION_STATUS_FALSE,
                                         .reason = "Cut",
                                         .message = "half a character: \xe2\x82"};
    agent->status.conditions = &condition;
    agent->status.conditions_count = 1;
    struct written written = run(*state, sw_objects_update_status, agent);
    assert_int_equal(written.rc, SW_E_INVALID);
    assert_non_null(strstr(written.err.message, "UTF-8"));
    assert_non_null(read_object(*state, "Agent", "default", "reader"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(creating_gives_identity_defaults_and_the_first_phase),
        TEST(a_name_that_is_taken_is_refused),
        TEST(mistakes_are_all_told_and_nothing_is_written),
        TEST(a_dry_run_checks_and_writes_nothing),
        TEST(a_namespace_must_exist),
        TEST(nothing_is_made_in_a_namespace_that_is_being_deleted),
        TEST(the_default_namespace_and_the_cluster_stay),
        TEST(generation_rises_with_the_spec_only),
        TEST(an_update_that_changes_nothing_writes_nothing),
        TEST(a_stale_version_conflicts_with_both_in_the_words),
        TEST(writes_without_a_version_all_succeed),
        TEST(immutable_fields_stay),
        TEST(status_and_spec_are_written_apart),
        TEST(a_move_that_the_state_machine_lacks_is_refused),
        TEST(deletion_waits_for_finalizers),
        TEST(deleting_another_incarnation_conflicts),
        TEST(apply_creates_and_then_replaces_the_spec),
        TEST(a_template_gives_what_the_agent_does_not_say),
        TEST(a_missing_template_is_a_mistake_in_its_field),
        TEST(a_deletion_is_neither_withdrawn_nor_begun_by_an_update),
        TEST(text_that_is_not_utf8_is_refused),
        TEST(bytes_of_an_item_carry_its_version),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
