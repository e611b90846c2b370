/* labels: threaded */
/* uses: pkg/client/informers pkg/store/sqlite pkg/utils/system pkg/agent/modules
 * pkg/security/crypto */
#include "pkg/controller/modules/controller.h"

#include "pkg/agent/modules/bundle.h"
#include "test/unit/agent/modules/build.h"
#include "test/unit/controller/fixture.h"

#define GRACE_MS 160

struct world {
    struct sw_modules *modules;
    struct sw_module_controller *controller;
    struct sw_module_name name;   /* Of the module that the tests are about. */
    uint64_t begun_ms;            /* Before the controller was there. */
    int drops, lasts, asks;       /* Seen. */
    int vain_asks;                /* While nobody could be asked. */
    int wanted;                   /* Of `until`. */
    int needs;                    /* So many questions about it are answered with yes. */
    bool is_silent;               /* No question is answered. */
    bool has, is_down;            /* A Pod has it; nobody can be asked. */
    struct sw_system system;      /* The real one, but for its clock, which is ahead by */
    uint64_t ahead_ms;            /* so much, */
    uint64_t stop_ms;             /* and so much more whenever Pods are looked at. */
    void (*meanwhile)(void *ctx); /* While it is asked for. */
    struct {
        void (*done)(void *ctx, enum sw_rc rc);
        void *ctx;
        enum sw_rc rc;
    } question;
};

static struct world *world_of(void *fixture)
{
    return ((struct fixture *)fixture)->ctx;
}

/* --- The Pods and the host ------------------------------------------------------------------- */

/* The machine may stop in the middle of a pass. */
static bool has(void *ctx, const struct sw_module_name *name)
{
    struct world *world = world_of(ctx);

    world->ahead_ms += world->stop_ms;
    return world->has && strcmp(name->digest, world->name.digest) == 0;
}

static void answer(void *ctx)
{
    struct world *world = world_of(ctx);

    world->question.done(world->question.ctx, world->question.rc);
    fixture_look(ctx);
}

static void look(void *ctx)
{
    fixture_look(ctx);
}

static enum sw_rc ask(void *ctx, const char *digest, void (*done)(void *done_ctx, enum sw_rc rc),
                      void *done_ctx, struct sw_err *err)
{
    struct world *world = world_of(ctx);
    bool is_it = strcmp(digest, world->name.digest) == 0;

    if (world->is_down && is_it) {
        world->vain_asks++;
        assert_int_equal(sw_loop_post(((struct fixture *)ctx)->loop, look, ctx), SW_OK);
        return sw_err_set(err, SW_E_UNAVAILABLE, "the host is not up");
    }
    world->question.done = done;
    world->question.ctx = done_ctx;
    world->question.rc = is_it && world->needs > 0 ? SW_E_PRECONDITION : SW_OK;
    if (!is_it)
        return sw_loop_post(((struct fixture *)ctx)->loop, answer, ctx);
    world->asks++;
    world->needs -= world->needs > 0;
    if (world->meanwhile != NULL)
        world->meanwhile(ctx);
    world->meanwhile = NULL;
    if (world->is_silent) {
        sw_loop_stop(((struct fixture *)ctx)->loop);
        return SW_OK;
    }
    return sw_loop_post(((struct fixture *)ctx)->loop, answer, ctx);
}

static void drop(void *ctx, const char *digest, bool is_last)
{
    struct world *world = world_of(ctx);

    (void)digest;
    world->drops++;
    world->lasts += is_last;
    assert_int_equal(sw_loop_post(((struct fixture *)ctx)->loop, look, ctx), SW_OK); /* Removed. */
}

/* --- Modules --------------------------------------------------------------------------------- */

static uint64_t monotonic_ns(void *world)
{
    return sw_system_real()->monotonic_ns(NULL) + ((struct world *)world)->ahead_ms * 1000000;
}

static uint64_t now_ms(struct world *world)
{
    return monotonic_ns(world) / 1000000;
}

/* Push the module of that letter to a namespace. */
static struct sw_module_name push(struct fixture *fixture, const char *namespace, char letter)
{
    char custom[] = {0, 2, 1, letter};
    struct parts parts = valid_parts();
    struct sw_module_name name;
    struct sw_buffer bytes;

    parts.before = (struct sw_bytes){custom, sizeof custom};
    sw_buffer_init(&bytes, 1024);
    build(&parts, &bytes);
    (void)snprintf(name.namespace, sizeof name.namespace, "%s", namespace);
    sw_digest_text_of(bytes.data, bytes.size, name.digest);
    assert_int_equal(sw_modules_put(world_of(fixture)->modules, namespace, name.digest,
                                    (struct sw_bytes){bytes.data, bytes.size}, NULL),
                     SW_OK);
    sw_buffer_done(&bytes);
    return name;
}

static bool is_there(struct fixture *fixture)
{
    const struct sw_module_name *name = &world_of(fixture)->name;

    return sw_modules_has(world_of(fixture)->modules, name->namespace, name->digest);
}

static bool has_dropped(struct fixture *fixture)
{
    return world_of(fixture)->drops >= world_of(fixture)->wanted;
}

/* Whatever may go has gone when one goes that comes now. */
static void until_collected(struct fixture *fixture)
{
    struct world *world = world_of(fixture);

    (void)push(fixture, "elsewhere", 'z');
    world->wanted = world->drops + 1;
    until(fixture, has_dropped);
    world->drops--;
    world->lasts--;
}

/* It names the module, and goes at once when it is deleted. */
static void *template_of(struct fixture *fixture)
{
    char json[512];

    (void)snprintf(json, sizeof json,
                   "{\"metadata\":{\"name\":\"a\",\"namespace\":\"default\"},\"spec\":{"
                   "\"agent\":{\"module\":\"%s\",\"replicas\":1}}}",
                   world_of(fixture)->name.digest);
    return make(fixture, "AgentTemplate", json);
}

static int setup(void **state)
{
    int rc = fixture_setup(state);
    struct fixture *fixture = *state;
    struct world *world = calloc(1, sizeof *world);
    struct sw_module_controller_options options = {.loop = fixture->loop,
                                                   .system = &world->system,
                                                   .logger = &fixture->logger,
                                                   .store = fixture->store,
                                                   .grace_ms = GRACE_MS,
                                                   .ctx = fixture,
                                                   .has = has,
                                                   .ask = ask,
                                                   .drop = drop};
    char folder[128];

    fixture->ctx = world;
    world->system = *sw_system_real();
    world->system.monotonic_ns = monotonic_ns;
    world->system.ctx = world;
    (void)snprintf(folder, sizeof folder, "%s/modules", fixture->folder);
    assert_int_equal(sw_modules_open(sw_system_real(), folder, &world->modules, NULL), SW_OK);
    world->name = push(fixture, "default", 'a');
    options.modules = world->modules;
    world->begun_ms = now_ms(world);
    assert_int_equal(sw_module_controller_new(&options, &world->controller, NULL), SW_OK);
    return rc;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    struct world *world = fixture->ctx;

    sw_module_controller_free(world->controller);
    sw_modules_close(world->modules);
    free(world);
    fixture->ctx = NULL;
    return fixture_teardown(state);
}

/* --- Tests ----------------------------------------------------------------------------------- */

static void what_nothing_names_goes_after_the_grace(void **state)
{
    struct world *world = world_of(*state);
    struct sw_module_controller_view view;

    world->wanted = 1;
    until(*state, has_dropped);
    assert_true(now_ms(world) - world->begun_ms >= GRACE_MS);
    assert_false(is_there(*state));
    assert_int_equal(world->lasts, 1);
    assert_int_equal(world->asks, 1);
    until_collected(*state);
    sw_module_controller_view(world->controller, &view);
    assert_int_equal(view.removed, 2);
}

static void what_an_object_names_stays_until_that_has_gone(void **state)
{
    struct world *world = world_of(*state);

    world->wanted = 1;
    until(*state, has_dropped);
    world->drops = world->asks = world->lasts = 0;
    must(*state, sw_objects_create, template_of(*state));
    (void)push(*state, "default", 'a'); /* Named before it is there: no grace to be late for. */
    until_collected(*state);
    until_collected(*state);
    assert_true(is_there(*state));
    assert_int_equal(world->asks, 0);
    must(*state, sw_objects_delete, read_object(*state, "AgentTemplate", "a"));
    world->wanted = 1;
    until(*state, has_dropped);
    assert_false(is_there(*state));
}

/* Each namespace has its own, but machine code is there once. */
static void another_namespace_holds_the_code_only(void **state)
{
    struct world *world = world_of(*state);
    struct sw_module_name other = world->name;

    must(*state, sw_objects_create, template_of(*state));
    (void)push(*state, "default", 'a'); /* It may have been late. */
    (void)push(*state, "zoo", 'a');
    world->drops = world->lasts = 0;
    (void)snprintf(other.namespace, sizeof other.namespace, "zoo");
    world->wanted = 1;
    until(*state, has_dropped);
    assert_int_equal(world->lasts, 0);
    assert_true(is_there(*state));
    assert_false(sw_modules_has(world->modules, other.namespace, other.digest));
}

static void what_the_host_needs_is_asked_for_again(void **state)
{
    struct world *world = world_of(*state);

    world->needs = 3;
    world->wanted = 1;
    until(*state, has_dropped);
    assert_int_equal(world->asks, 4);
}

static bool is_asked_in_vain(struct fixture *fixture)
{
    return world_of(fixture)->vain_asks >= 2;
}

static void what_a_pod_has_or_nobody_can_be_asked_for_stays(void **state)
{
    struct world *world = world_of(*state);

    world->has = true;
    until_collected(*state);
    until_collected(*state);
    assert_int_equal(world->asks, 0);
    world->has = false;
    world->is_down = true;
    until(*state, is_asked_in_vain);
    assert_true(is_there(*state));
}

/* What is seen to be needed is not old because the pass took longer than the grace. */
static bool is_asked_for_again(struct fixture *fixture)
{
    return world_of(fixture)->asks >= 3;
}

static void while_it_is_held_everything_stays(void **state)
{
    struct world *world = world_of(*state);

    sw_module_controller_hold(world->controller);
    sw_module_controller_hold(world->controller);
    sw_module_controller_let_go(world->controller);
    until(*state, is_asked_for_again);
    assert_true(is_there(*state));
    assert_int_equal(world->drops, 0);
    sw_module_controller_let_go(world->controller);
    world->wanted = 1;
    until(*state, has_dropped);
    assert_false(is_there(*state));
}

static void a_pass_may_take_longer_than_the_grace(void **state)
{
    struct world *world = world_of(*state);

    must(*state, sw_objects_create, template_of(*state));
    (void)push(*state, "default", 'a'); /* It may have been late. */
    world->asks = world->drops = world->lasts = 0;
    world->stop_ms = 2 * GRACE_MS;
    for (int i = 0; i < 4; i++) {
        until_collected(*state);
        assert_true(is_there(*state));
    }
    assert_int_equal(world->asks, 0);
}

/* Push a bundle to a namespace that the world's module runs. */
static struct sw_module_name push_bundle(struct fixture *fixture, const char *namespace)
{
    struct sw_module_name name;
    struct sw_buffer bytes;

    sw_buffer_init(&bytes, 1024);
    assert_int_equal(
        sw_bundle_put(world_of(fixture)->name.digest, (struct sw_bytes){"x", 1}, &bytes, NULL),
        SW_OK);
    (void)snprintf(name.namespace, sizeof name.namespace, "%s", namespace);
    sw_digest_text_of(bytes.data, bytes.size, name.digest);
    assert_int_equal(sw_modules_put(world_of(fixture)->modules, namespace, name.digest,
                                    (struct sw_bytes){bytes.data, bytes.size}, NULL),
                     SW_OK);
    sw_buffer_done(&bytes);
    return name;
}

/* The bundle goes first, and what runs it has a grace after that. */
static void what_runs_a_bundle_stays_as_long_as_the_bundle(void **state)
{
    struct world *world = world_of(*state);
    struct sw_module_name runtime = world->name, bundle = push_bundle(*state, "default");

    world->name = bundle;
    must(*state, sw_objects_create, template_of(*state));
    world->drops = world->lasts = 0;
    for (int i = 0; i < 3; i++) {
        until_collected(*state);
        assert_true(sw_modules_has(world->modules, bundle.namespace, bundle.digest));
        assert_true(sw_modules_has(world->modules, runtime.namespace, runtime.digest));
    }
    must(*state, sw_objects_delete, read_object(*state, "AgentTemplate", "a"));
    world->drops = 0;
    world->wanted = 1;
    until(*state, has_dropped);
    assert_false(sw_modules_has(world->modules, bundle.namespace, bundle.digest));
    assert_true(sw_modules_has(world->modules, runtime.namespace, runtime.digest));
    world->wanted = 2;
    until(*state, has_dropped);
    assert_false(sw_modules_has(world->modules, runtime.namespace, runtime.digest));
}

/* It has the module from there, and not its neighbour. */
static void what_swarmd_brought_along_stays_for_bundles_of_others(void **state)
{
    struct world *world = world_of(*state);
    struct sw_module_name platform = push(*state, SW_MODULES_PLATFORM, 'a');
    struct sw_module_name bundle = push_bundle(*state, "zoo");

    world->name = bundle;
    world->needs = 1 << 20;
    world->drops = world->lasts = 0;
    world->wanted = 1;
    until(*state, has_dropped);
    until_collected(*state);
    until_collected(*state);
    assert_false(sw_modules_has(world->modules, "default", platform.digest));
    assert_true(sw_modules_has(world->modules, platform.namespace, platform.digest));
    assert_true(sw_modules_has(world->modules, bundle.namespace, bundle.digest));
}

static void touch(void *ctx)
{
    struct world *world = world_of(ctx);

    sw_module_controller_touch(world->controller, world->name.namespace, world->name.digest);
}

static void who_is_told_that_it_is_there_has_the_grace(void **state)
{
    struct world *world = world_of(*state);
    uint64_t begun_ms;

    world->meanwhile = touch;
    until_collected(*state); /* In the same pass, or after it. */
    assert_true(is_there(*state));
    begun_ms = now_ms(world);
    touch(*state);
    world->wanted = 1;
    until(*state, has_dropped);
    assert_true(now_ms(world) - begun_ms >= GRACE_MS);
    assert_true(world->asks >= 2); /* Also in between, if the machine stopped there. */
}

static void ignore(void *ctx, const struct sw_object_result *result)
{
    (void)ctx;
    assert_int_equal(result->rc, SW_OK);
}

/* It is queued, and nobody can see it yet. */
static void create(void *ctx)
{
    struct fixture *fixture = ctx;
    void *object = template_of(fixture);
    struct sw_object_write write = {.kind = sw_object_kind(object), .object = object};

    assert_int_equal(sw_objects_create(fixture->objects, &write, ignore, NULL, NULL), SW_OK);
}

static void a_write_that_is_under_way_is_waited_for(void **state)
{
    struct world *world = world_of(*state);

    world->meanwhile = create;
    until_collected(*state);
    until_collected(*state);
    assert_true(is_there(*state));
    assert_int_equal(world->asks, 1);
}

static bool is_asked(struct fixture *fixture)
{
    return world_of(fixture)->asks > 0;
}

static void it_may_end_while_it_waits_for_an_answer(void **state)
{
    struct world *world = world_of(*state);

    world->is_silent = true;
    until(*state, is_asked);
    sw_module_controller_free(world->controller);
    world->controller = NULL;
    world->question.done(world->question.ctx, SW_OK);
    assert_true(is_there(*state));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_nothing_names_goes_after_the_grace),
        TEST(what_an_object_names_stays_until_that_has_gone),
        TEST(another_namespace_holds_the_code_only),
        TEST(what_the_host_needs_is_asked_for_again),
        TEST(what_a_pod_has_or_nobody_can_be_asked_for_stays),
        TEST(while_it_is_held_everything_stays),
        TEST(a_pass_may_take_longer_than_the_grace),
        TEST(what_runs_a_bundle_stays_as_long_as_the_bundle),
        TEST(what_swarmd_brought_along_stays_for_bundles_of_others),
        TEST(who_is_told_that_it_is_there_has_the_grace),
        TEST(a_write_that_is_under_way_is_waited_for),
        TEST(it_may_end_while_it_waits_for_an_answer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
