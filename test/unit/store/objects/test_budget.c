/* labels: threaded */
/* uses: pkg/store/sqlite pkg/apis/swarm/v1 */
#include "pkg/store/objects/query.h"
#include "test/unit/store/objects/fixture.h"

/* Who raises a budget is written down with the write. */

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
#define ADMIN "spiffe://hive/user/admin"

static struct written write_as(struct fixture *fixture, write_call *call, const void *object,
                               const char *actor)
{
    struct written written = {.arena = fixture->arena};
    const struct sw_object_write write = {
        .kind = sw_object_kind(object), .object = object, .actor = actor};
    enum sw_rc rc = call(fixture->objects, &write, note_written, &written, &written.err);

    if (rc != SW_OK)
        fail_msg("%s", written.err.message);
    harness_wait(fixture->harness, &written.count, 1);
    if (written.rc != SW_OK)
        fail_msg("%s", written.err.message);
    return written;
}

static void *budget_of(struct fixture *fixture, const char *spec)
{
    char json[400];

    (void)snprintf(json, sizeof json,
                   "{\"kind\":\"Budget\",\"metadata\":{\"name\":\"team\"},\"spec\":%s}", spec);
    return make(fixture, "Budget", json);
}

struct told {
    struct fixture *fixture;
    size_t count;
    const struct sw_api_event *last;
};

static bool visit(void *ctx, const struct sw_store_item *item)
{
    struct told *told = ctx;
    void *object = NULL;

    assert_int_equal(
        sw_object_of_item(sw_kind_find("Event"), item, told->fixture->arena, &object, NULL), SW_OK);
    const struct sw_api_event *event = object;
    if (strcmp(event->reason, "BudgetRaised") == 0) {
        told->count++;
        told->last = event;
    }
    return true;
}

/* How many Events tell of a raise, and the words of the only one. */
static size_t told(struct fixture *fixture, const char **ret_words)
{
    struct told told = {.fixture = fixture};
    struct sw_store_list_request request = {.prefix = "events/"};
    struct sw_store_list_end end;

    assert_int_equal(
        sw_store_list(sw_objects_store(fixture->objects), &request, visit, &told, &end, NULL),
        SW_OK);
    if (ret_words != NULL)
        *ret_words = told.last == NULL ? "" : told.last->message;
    return told.count;
}

static void a_raise_is_told(void **state)
{
    struct fixture *fixture = *state;
    const char *words;

    struct written made = write_as(fixture, sw_objects_apply,
                                   budget_of(fixture, "{\"limits\":{\"money\":\"1.00\"}}"), ADMIN);
    assert_true(made.is_created);
    assert_int_equal(told(fixture, NULL), 0);
    struct written raised = write_as(
        fixture, sw_objects_apply, budget_of(fixture, "{\"limits\":{\"money\":\"2.00\"}}"), ADMIN);
    assert_false(raised.is_created);
    assert_int_equal(told(fixture, &words), 1);
    assert_string_equal(words, ADMIN " raised it: limits.money from 1.00 to 2.00");
}

static void what_raises_nothing_is_not_told(void **state)
{
    struct fixture *fixture = *state;

    (void)write_as(fixture, sw_objects_apply,
                   budget_of(fixture, "{\"limits\":{\"money\":\"1.00\"}}"), ADMIN);
    (void)write_as(fixture, sw_objects_apply,
                   budget_of(fixture, "{\"limits\":{\"money\":\"0.50\",\"calls\":\"3\"}}"), ADMIN);
    struct sw_api_budget *budget = read_object(fixture, "Budget", "default", "team");
    budget->status.spent.money = "0.25";
    (void)must(fixture, sw_objects_update_status, budget);
    assert_int_equal(told(fixture, NULL), 0);
}

static void a_limit_that_goes_is_told(void **state)
{
    struct fixture *fixture = *state;
    const char *words;

    (void)write_as(fixture, sw_objects_apply, budget_of(fixture, "{\"turn\":{\"calls\":\"5\"}}"),
                   ADMIN);
    struct written gone = write_as(fixture, sw_objects_delete, budget_of(fixture, "{}"), NULL);
    assert_true(gone.is_gone);
    assert_int_equal(told(fixture, &words), 1);
    assert_string_equal(words, "the platform deleted it: turn.calls from 5 to any number");
}

static void in_a_namespace_that_goes_nothing_is_told(void **state)
{
    struct fixture *fixture = *state;

    (void)create(fixture, "Namespace", "{\"kind\":\"Namespace\",\"metadata\":{\"name\":\"shop\"}}");
    struct sw_api_budget *budget = budget_of(fixture, "{\"limits\":{\"calls\":\"1\"}}");
    budget->metadata.namespace = "shop";
    (void)must(fixture, sw_objects_create, budget);
    (void)must(fixture, sw_objects_delete, read_object(fixture, "Namespace", "", "shop"));
    budget->metadata.uid = "";
    budget->metadata.resource_version = 0;
    (void)must(fixture, sw_objects_delete, budget);
    assert_null(read_object(fixture, "Budget", "shop", "team"));
    assert_int_equal(told(fixture, NULL), 0);
}

static void the_cluster_has_one_too(void **state)
{
    struct fixture *fixture = *state;
    const char *words;

    (void)write_as(fixture, sw_objects_apply,
                   make(fixture, "Cluster",
                        "{\"kind\":\"Cluster\",\"metadata\":{\"name\":\"default\"},\"spec\":{"
                        "\"budget\":{\"limits\":{\"tokens\":\"7\"}}}}"),
                   ADMIN);
    assert_int_equal(told(fixture, NULL), 0);
    (void)write_as(
        fixture, sw_objects_apply,
        make(fixture, "Cluster", "{\"kind\":\"Cluster\",\"metadata\":{\"name\":\"default\"}}"),
        ADMIN);
    assert_int_equal(told(fixture, &words), 1);
    assert_string_equal(words, ADMIN " raised it: limits.tokens from 7 to any number");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_raise_is_told),           TEST(what_raises_nothing_is_not_told),
        TEST(a_limit_that_goes_is_told), TEST(in_a_namespace_that_goes_nothing_is_told),
        TEST(the_cluster_has_one_too),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
