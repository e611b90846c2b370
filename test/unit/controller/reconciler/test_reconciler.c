/* labels: threaded */
/* uses: pkg/client/informers pkg/store/sqlite pkg/utils/system */
#include "pkg/controller/reconciler/reconciler.h"
#include "test/unit/controller/fixture.h"

#define KEY "templates"
#define BACKOFF_MS 20
#define PASSES_NOTED 4

struct world {
    struct sw_reconciler *reconciler;
    const char *name;    /* Of the AgentTemplate that each pass wants to make. */
    const char *space;   /* And of its namespace. */
    int passes, commits; /* Seen. */
    int wanted_passes;   /* Of `until`. */
    uint64_t again_ms;   /* What each pass asks for. */
    bool is_stale;       /* The first pass plans from a version that is no longer there. */
    uint64_t clock_ns;   /* What the reconciler takes for the time; 0: it is the real one. */
    uint64_t passed_ns[PASSES_NOTED]; /* By that clock. */
    struct sw_timer *tick;
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

    /* By a clock of ours, each pass begins as a millisecond does, and ends as it does. */
    if (world->clock_ns != 0 && world->passes < PASSES_NOTED)
        world->passed_ns[world->passes] = world->clock_ns;
    if (world->clock_ns != 0)
        world->clock_ns += 900000;
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

static struct world *clock_world; /* The system is shared by all that run, its clock is ours. */

static uint64_t clock_ns(void *ctx)
{
    const struct sw_system *real = sw_system_real();

    return clock_world->clock_ns == 0 ? real->monotonic_ns(ctx) : clock_world->clock_ns;
}

static int setup(void **state)
{
    static struct sw_system system;
    static const struct sw_queue_options queue = {.backoff_ms = BACKOFF_MS};
    int rc = fixture_setup(state);
    struct fixture *fixture = *state;
    struct world *world = calloc(1, sizeof(*world));
    const struct sw_reconciler_options options = {.name = "test",
                                                  .loop = fixture->loop,
                                                  .system = &system,
                                                  .logger = &fixture->logger,
                                                  .objects = fixture->objects,
                                                  .queue = &queue,
                                                  .ctx = fixture,
                                                  .reconcile = reconcile,
                                                  .committed = committed};

    system = *sw_system_real();
    system.monotonic_ns = clock_ns;
    clock_world = world;
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
    sw_timer_free(world->tick);
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

static void tick(void *ctx)
{
    struct world *world = ctx;

    world->clock_ns = world->clock_ns / 1000000 * 1000000 + 1000000;
    sw_timer_start(world->tick, 1);
}

static void a_back_off_that_begins_within_a_millisecond_is_no_shorter(void **state)
{
    struct world *world = world_of(state);

    world->name = "one";
    world->space = "nowhere";
    world->clock_ns = 1000000;
    world->tick = sw_timer_new(((struct fixture *)*state)->loop, tick, world);
    assert_non_null(world->tick);
    sw_timer_start(world->tick, 1);
    (void)passes_take_ms(state, PASSES_NOTED);
    for (uint64_t i = 0; i + 1 < PASSES_NOTED; i++)
        assert_true(world->passed_ns[i + 1] - world->passed_ns[i] >=
                    900000 + (uint64_t)(BACKOFF_MS << i) * 1000000);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_name_that_is_taken_is_tried_again_with_back_off),
        TEST(a_namespace_that_is_missing_is_tried_again_with_back_off),
        TEST(what_was_read_and_is_gone_is_read_again),
        TEST(a_pass_that_asks_for_it_comes_again),
        TEST(a_back_off_that_begins_within_a_millisecond_is_no_shorter),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
