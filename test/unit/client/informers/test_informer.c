/* labels: threaded */
/* uses: pkg/store/sqlite pkg/utils/system pkg/utils/loop pkg/utils/logger */
/* What an informer shows and tells, also after a watch that fell behind. */
#include "pkg/client/informers/informer.h"
#include "test/unit/controller/fixture.h"

#define TOLD_MAX 32

struct world {
    struct sw_informer *informer;
    char told[TOLD_MAX][80]; /* "+key" at birth, "~key" when changed, "-key" at the end. */
    size_t told_count;
    int synced, ended;
    size_t told_wanted;
};

static void note_change(void *ctx, const struct sw_informer_change *change)
{
    struct fixture *fixture = ctx;
    struct world *world = fixture->ctx;
    char sign = change->before == NULL ? '+' : change->now == NULL ? '-' : '~';
    const struct sw_store_item *item = change->now != NULL ? change->now : change->before;

    assert_true(world->told_count < TOLD_MAX);
    snprintf(world->told[world->told_count++], sizeof(world->told[0]), "%c%s", sign, item->key);
    fixture_look(fixture);
}

static void note_synced(void *ctx)
{
    struct fixture *fixture = ctx;

    ((struct world *)fixture->ctx)->synced++;
    fixture_look(fixture);
}

static void note_end(void *ctx, const struct sw_err *err)
{
    struct fixture *fixture = ctx;

    assert_int_equal(err->rc, SW_E_UNAVAILABLE);
    ((struct world *)fixture->ctx)->ended++;
}

static void inform(struct fixture *fixture)
{
    struct world *world = fixture->ctx;
    const struct sw_informer_handler handler = {
        .ctx = fixture, .on_change = note_change, .on_synced = note_synced, .on_end = note_end};

    assert_int_equal(sw_informer_new(fixture->objects, sw_kind_find("AgentTemplate"), &handler,
                                     &world->informer, NULL),
                     SW_OK);
}

static int setup(void **state)
{
    int rc = fixture_setup(state);
    struct fixture *fixture = *state;

    fixture->ctx = calloc(1, sizeof(struct world));
    return rc;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    struct world *world = fixture->ctx;

    sw_informer_free(world->informer);
    free(world);
    return fixture_teardown(state);
}

static struct world *world_of(void **state)
{
    return ((struct fixture *)*state)->ctx;
}

static void *template_of(struct fixture *fixture, const char *name, int replicas)
{
    char json[128];

    snprintf(json, sizeof(json),
             "{\"metadata\":{\"name\":\"%s\"},\"spec\":{\"agent\":{\"replicas\":%d}}}", name,
             replicas);
    return make(fixture, "AgentTemplate", json);
}

static bool is_synced(struct fixture *fixture)
{
    return ((struct world *)fixture->ctx)->synced > 0;
}

static bool is_told(struct fixture *fixture)
{
    const struct world *world = fixture->ctx;

    return world->told_count >= world->told_wanted;
}

static bool was_told(const struct world *world, const char *words)
{
    for (size_t i = 0; i < world->told_count; i++)
        if (strcmp(world->told[i], words) == 0)
            return true;
    return false;
}

static void what_is_there_is_told_once_and_then_every_change(void **state)
{
    struct world *world = world_of(state);

    must(*state, sw_objects_create, template_of(*state, "one", 1));
    must(*state, sw_objects_create, template_of(*state, "two", 1));
    inform(*state);
    assert_false(sw_informer_is_synced(world->informer));
    until(*state, is_synced);
    assert_int_equal(sw_informer_count(world->informer), 2);
    must(*state, sw_objects_apply, template_of(*state, "one", 2));
    must(*state, sw_objects_delete, template_of(*state, "two", 1));
    world->told_wanted = 4;
    until(*state, is_told);
    assert_string_equal(world->told[2], "~agenttemplates/default/one");
    assert_string_equal(world->told[3], "-agenttemplates/default/two");
    assert_int_equal(world->told_count, 4);
    assert_int_equal(world->synced, 1);
    assert_null(sw_informer_find(world->informer, "agenttemplates/default/two"));
    assert_non_null(sw_informer_find(world->informer, "agenttemplates/default/one"));
}

/* A done callback runs before watches are served: what it compacts they never see. */
static void forget_history(void *ctx, const struct sw_object_result *result)
{
    struct fixture *fixture = ctx;

    assert_int_equal(result->rc, SW_OK);
    sw_store_compact(fixture->store, sw_store_revision(fixture->store));
}

static void write_unseen(struct fixture *fixture, fixture_write *call, const void *object)
{
    const struct sw_object_write write = {.kind = sw_object_kind(object), .object = object};

    assert_int_equal(call(fixture->objects, &write, forget_history, fixture, NULL), SW_OK);
}

static void a_watch_that_fell_behind_loses_nothing(void **state)
{
    struct world *world = world_of(state);

    must(*state, sw_objects_create, template_of(*state, "same", 1));
    must(*state, sw_objects_create, template_of(*state, "changed", 1));
    must(*state, sw_objects_create, template_of(*state, "gone", 1));
    inform(*state);
    until(*state, is_synced);
    world->told_count = 0;
    write_unseen(*state, sw_objects_apply, template_of(*state, "changed", 2));
    write_unseen(*state, sw_objects_delete, template_of(*state, "gone", 1));
    write_unseen(*state, sw_objects_create, template_of(*state, "new", 1));
    world->told_wanted = 3;
    until(*state, is_told);
    assert_true(was_told(world, "~agenttemplates/default/changed"));
    assert_true(was_told(world, "-agenttemplates/default/gone"));
    assert_true(was_told(world, "+agenttemplates/default/new"));
    must(*state, sw_objects_create, template_of(*state, "later", 1));
    world->told_wanted = 4;
    until(*state, is_told);
    assert_string_equal(world->told[3], "+agenttemplates/default/later");
    assert_false(was_told(world, "~agenttemplates/default/same"));
    assert_int_equal(sw_informer_count(world->informer), 4);
    assert_int_equal(world->synced, 1);
    assert_int_equal(world->ended, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_there_is_told_once_and_then_every_change),
        TEST(a_watch_that_fell_behind_loses_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
