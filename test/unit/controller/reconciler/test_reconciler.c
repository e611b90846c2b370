/* labels: threaded */
/* uses: pkg/client/informers pkg/store/sqlite pkg/utils/system */
#include "pkg/controller/reconciler/reconciler.h"
#include "test/unit/controller/fixture.h"

#define KEY "templates"
#define BACKOFF_MS 20

struct world {
    struct sw_reconciler *reconciler;
    const char *name;    /* Of the AgentTemplate that each pass wants to make. */
    const char *space;   /* And of its namespace. */
    int passes, commits; /* Seen. */
    int wanted_passes;   /* Of `until`. */
    uint64_t again_ms;   /* What each pass asks for. */
    bool is_stale;       /* The first pass plans from a version that is no longer there. */
};

static void *template_named(struct fixture *fixture, const char *name, const char *space)
{
    char json[256];

    snprintf(json, sizeof(json),
             "{\"metadata\":{\"name\":\"%s\",\"namespace\":\"%s\"},\"spec\":{\"agent\":"
             "{\"replicas\":2}}}",
             name, space);
    return make(fixture, "AgentTemplate", json);
}

static enum sw_rc reconcile(void *ctx, struct sw_pass *pass, struct sw_err *err)
{
    struct fixture *fixture = ctx;
    struct world *world = fixture->ctx;
    const struct sw_kind *kind = sw_kind_find("AgentTemplate");

    world->passes++;
    fixture_look(fixture);
    pass->again_ms = world->again_ms;
    if (world->name == NULL)
        return SW_OK;
    void *object = template_named(fixture, world->name, world->space);
    if (world->is_stale) { /* As if somebody had deleted what was read. */
        void *gone = template_named(fixture, "gone", world->space);
        world->is_stale = false;
        sw_object_meta(gone)->resource_version = 1;
        enum sw_rc rc = sw_plan_check(pass->plan, kind, gone, err);
        if (rc != SW_OK)
            return rc;
    }
    return sw_plan_create(pass->plan, kind, object, err);
}

static void committed(void *ctx, struct sw_pass *pass)
{
    struct fixture *fixture = ctx;
    struct world *world = fixture->ctx;

    (void)pass;
    world->commits++;
    fixture_look(fixture);
}

static int setup(void **state)
{
    static const struct sw_queue_options queue = {.backoff_ms = BACKOFF_MS};
    int rc = fixture_setup(state);
    struct fixture *fixture = *state;
    struct world *world = calloc(1, sizeof(*world));
    const struct sw_reconciler_options options = {.name = "test",
                                                  .loop = fixture->loop,
                                                  .system = sw_system_real(),
                                                  .logger = &fixture->logger,
                                                  .objects = fixture->objects,
                                                  .queue = &queue,
                                                  .ctx = fixture,
                                                  .reconcile = reconcile,
                                                  .committed = committed};

    fixture->ctx = world;
    world->space = "default";
    assert_int_equal(sw_reconciler_new(&options, &world->reconciler, NULL), SW_OK);
    return rc;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    struct world *world = fixture->ctx;

    sw_reconciler_free(world->reconciler);
    free(world);
    return fixture_teardown(state);
}

static struct world *world_of(void **state)
{
    return ((struct fixture *)*state)->ctx;
}

static bool has_passed(struct fixture *fixture)
{
    const struct world *world = fixture->ctx;

    return world->passes >= world->wanted_passes;
}

static bool has_committed(struct fixture *fixture)
{
    const struct world *world = fixture->ctx;

    return world->commits > 0;
}

/* How long it takes until there were so many passes. */
static uint64_t passes_take_ms(void **state, int passes)
{
    const struct sw_system *system = sw_system_real();
    uint64_t begin_ns = system->monotonic_ns(system->ctx);

    world_of(state)->wanted_passes = passes;
    sw_reconciler_add(world_of(state)->reconciler, KEY, 0);
    until(*state, has_passed);
    return (system->monotonic_ns(system->ctx) - begin_ns) / 1000000;
}

/* Five passes need four waits: 20, 40, 80 and 160 ms. */
#define FIVE_PASSES_MS (15 * BACKOFF_MS)

static void a_name_that_is_taken_is_tried_again_with_back_off(void **state)
{
    must(*state, sw_objects_create, template_named(*state, "taken", "default"));
    world_of(state)->name = "taken";
    assert_true(passes_take_ms(state, 5) >= FIVE_PASSES_MS);
    assert_int_equal(world_of(state)->commits, 0);
}

static void a_namespace_that_is_missing_is_tried_again_with_back_off(void **state)
{
    world_of(state)->name = "one";
    world_of(state)->space = "nowhere";
    assert_true(passes_take_ms(state, 5) >= FIVE_PASSES_MS);
    assert_int_equal(world_of(state)->commits, 0);
}

static void what_was_read_and_is_gone_is_read_again(void **state)
{
    world_of(state)->name = "old";
    world_of(state)->is_stale = true;
    sw_reconciler_add(world_of(state)->reconciler, KEY, 0);
    until(*state, has_committed);
    assert_int_equal(world_of(state)->passes, 2);
    assert_non_null(read_object(*state, "AgentTemplate", "old"));
    assert_true(sw_reconciler_is_idle(world_of(state)->reconciler));
}

static void a_pass_that_asks_for_it_comes_again(void **state)
{
    world_of(state)->again_ms = 7;
    assert_true(passes_take_ms(state, 4) >= 3 * 7);
    assert_false(sw_reconciler_is_idle(world_of(state)->reconciler));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_name_that_is_taken_is_tried_again_with_back_off),
        TEST(a_namespace_that_is_missing_is_tried_again_with_back_off),
        TEST(what_was_read_and_is_gone_is_read_again),
        TEST(a_pass_that_asks_for_it_comes_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
