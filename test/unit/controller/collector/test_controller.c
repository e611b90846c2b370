/* labels: threaded */
/* uses: pkg/store/sqlite pkg/utils/system */
#include "pkg/controller/collector/controller.h"
#include "test/unit/controller/fixture.h"

static struct sw_garbage_collector *start(struct fixture *fixture)
{
    struct sw_garbage_collector *collector = NULL;
    struct sw_garbage_collector_options options = {.loop = fixture->loop,
                                                   .system = sw_system_real(),
                                                   .logger = &fixture->logger,
                                                   .objects = fixture->objects};

    assert_int_equal(sw_garbage_collector_new(&options, &collector, NULL), SW_OK);
    return collector;
}

static int setup(void **state)
{
    int rc = fixture_setup(state);
    struct fixture *fixture = *state;

    sw_informer_free(fixture->watchers[2]);
    fixture_watch(fixture, 2, "AgentTemplate");
    fixture->ctx = start(fixture);
    return rc;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;

    sw_garbage_collector_free(fixture->ctx);
    return fixture_teardown(state);
}

/* A template, owned by those of the given names and uids. */
static void *owned(struct fixture *fixture, const char *name, const char *owner,
                   const char *owner_uid)
{
    char json[768];

    snprintf(json, sizeof(json),
             "{\"metadata\":{\"name\":\"%s\",\"ownerReferences\":[{\"kind\":\"AgentTemplate\","
             "\"name\":\"%s\",\"uid\":\"%s\"}]},\"spec\":{\"agent\":{\"replicas\":2}}}",
             name, owner, owner_uid);
    return make(fixture, "AgentTemplate", json);
}

static struct sw_api_agent_template *owner_make(struct fixture *fixture, const char *name)
{
    char json[256];

    snprintf(json, sizeof(json),
             "{\"metadata\":{\"name\":\"%s\"},\"spec\":{\"agent\":{\"replicas\":2}}}", name);
    must(fixture, sw_objects_create, make(fixture, "AgentTemplate", json));
    return read_object(fixture, "AgentTemplate", name);
}

static bool child_is_gone(struct fixture *fixture)
{
    return read_object(fixture, "AgentTemplate", "child") == NULL;
}

static bool grandchild_is_gone(struct fixture *fixture)
{
    return read_object(fixture, "AgentTemplate", "grandchild") == NULL;
}

static void dependents_go_with_their_owner_and_theirs_too(void **state)
{
    struct sw_api_agent_template *owner = owner_make(*state, "owner");

    must(*state, sw_objects_create, owned(*state, "child", "owner", owner->metadata.uid));
    const struct sw_api_agent_template *child = read_object(*state, "AgentTemplate", "child");
    must(*state, sw_objects_create, owned(*state, "grandchild", "child", child->metadata.uid));
    must(*state, sw_objects_delete, owner);
    until(*state, child_is_gone);
    until(*state, grandchild_is_gone);
}

static void an_owner_made_anew_keeps_nothing_alive(void **state)
{
    struct sw_api_agent_template *owner = owner_make(*state, "owner");
    const char *old_uid = owner->metadata.uid;

    must(*state, sw_objects_delete, owner);
    owner_make(*state, "owner");
    must(*state, sw_objects_create, owned(*state, "child", "owner", old_uid));
    until(*state, child_is_gone);
    assert_non_null(read_object(*state, "AgentTemplate", "owner"));
}

static void one_living_owner_is_enough(void **state)
{
    struct sw_api_agent_template *first = owner_make(*state, "first");
    struct sw_api_agent_template *second = owner_make(*state, "second");
    struct sw_api_agent_template *child = owned(*state, "kept", "first", first->metadata.uid);
    struct sw_api_owner_reference both[2] = {
        child->metadata.owner_references[0],
        {.kind = "AgentTemplate", .name = "second", .uid = second->metadata.uid}};

    child->metadata.owner_references = both;
    child->metadata.owner_references_count = 2;
    must(*state, sw_objects_create, child);
    must(*state, sw_objects_create, owned(*state, "child", "first", first->metadata.uid));
    must(*state, sw_objects_delete, first);
    until(*state, child_is_gone); /* By then the other was looked at as well. */
    assert_non_null(read_object(*state, "AgentTemplate", "kept"));
    assert_non_null(read_object(*state, "AgentTemplate", "second"));
}

static void orphans_that_were_there_before_are_found(void **state)
{
    struct fixture *fixture = *state;

    sw_garbage_collector_free(fixture->ctx);
    fixture->ctx = NULL;
    struct sw_api_agent_template *owner = owner_make(fixture, "owner");
    must(fixture, sw_objects_create, owned(fixture, "child", "owner", owner->metadata.uid));
    must(fixture, sw_objects_delete, owner);
    fixture->ctx = start(fixture);
    until(fixture, child_is_gone);
}

static bool grandchild_is_marked(struct fixture *fixture)
{
    const struct sw_api_agent_template *found = read_object(fixture, "AgentTemplate", "grandchild");

    return found->metadata.deletion_timestamp != 0;
}

static void an_owner_that_was_named_later_counts_too(void **state)
{
    struct sw_api_agent_template *owner = owner_make(*state, "owner");
    struct sw_api_agent_template *child = owner_make(*state, "child");
    struct sw_api_agent_template *wanted = owned(*state, "child", "owner", owner->metadata.uid);

    struct sw_api_agent_template *sign = owned(*state, "grandchild", "owner", owner->metadata.uid);
    const char *finalizers[] = {"test/stay"}; /* Its going would be a reason to look again. */
    sign->metadata.finalizers = finalizers;
    sign->metadata.finalizers_count = 1;
    must(*state, sw_objects_create, sign);
    must(*state, sw_objects_delete, owner);
    until(*state, grandchild_is_marked); /* What follows from the deletion is over. */
    child->metadata.owner_references = wanted->metadata.owner_references;
    child->metadata.owner_references_count = 1;
    must(*state, sw_objects_update, child);
    until(*state, child_is_gone);
}

static void those_that_own_each_other_go_together(void **state)
{
    struct sw_api_agent_template *grandchild = owner_make(*state, "grandchild");
    struct sw_api_agent_template *child =
        owned(*state, "child", "grandchild", grandchild->metadata.uid);

    must(*state, sw_objects_create, child);
    child = read_object(*state, "AgentTemplate", "child");
    const struct sw_api_agent_template *wanted =
        owned(*state, "grandchild", "child", child->metadata.uid);
    grandchild->metadata.owner_references = wanted->metadata.owner_references;
    grandchild->metadata.owner_references_count = 1;
    must(*state, sw_objects_update, grandchild);
    assert_false(child_is_gone(*state) || grandchild_is_gone(*state));
    must(*state, sw_objects_delete, child);
    until(*state, child_is_gone);
    until(*state, grandchild_is_gone);
}

/* Namespaces differ: of which one the owner would be, nobody can tell. */
static void an_owner_in_some_namespace_of_what_has_none_is_taken_to_live(void **state)
{
    struct sw_api_agent_template *owner = owner_make(*state, "owner");
    char json[512];

    snprintf(json, sizeof(json),
             "{\"metadata\":{\"name\":\"lab\",\"ownerReferences\":[{\"kind\":\"AgentTemplate\","
             "\"name\":\"owner\",\"uid\":\"%s\"}]}}",
             owner->metadata.uid);
    must(*state, sw_objects_create, make(*state, "Namespace", json));
    must(*state, sw_objects_create, make(*state, "Namespace", "{\"metadata\":{\"name\":\"x\"}}"));
    struct sw_api_namespace *other = read_object(*state, "Namespace", "x");
    sw_object_remove_finalizer(other, SW_OBJECT_FINALIZER_NAMESPACE);
    must(*state, sw_objects_update, other);
    must(*state, sw_objects_delete, read_object(*state, "Namespace", "x"));
    must(*state, sw_objects_create, owned(*state, "child", "none", owner->metadata.uid));
    until(*state, child_is_gone); /* By then what has no namespace was looked at as well. */
    const struct sw_api_namespace *lab = read_object(*state, "Namespace", "lab");
    assert_int_equal(lab->metadata.deletion_timestamp, 0);
}

/* A look through the namespace would come upon the one that cannot be read. */
static void who_depends_on_it_is_known_without_a_look_at_all(void **state)
{
    struct sw_api_agent_template *owner = owner_make(*state, "owner");

    put_unreadable(*state, "agenttemplates/default/a-unreadable");
    must(*state, sw_objects_create, owned(*state, "child", "owner", owner->metadata.uid));
    must(*state, sw_objects_delete, owner);
    until(*state, child_is_gone);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(dependents_go_with_their_owner_and_theirs_too),
        TEST(an_owner_made_anew_keeps_nothing_alive),
        TEST(one_living_owner_is_enough),
        TEST(orphans_that_were_there_before_are_found),
        TEST(an_owner_that_was_named_later_counts_too),
        TEST(those_that_own_each_other_go_together),
        TEST(an_owner_in_some_namespace_of_what_has_none_is_taken_to_live),
        TEST(who_depends_on_it_is_known_without_a_look_at_all),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
