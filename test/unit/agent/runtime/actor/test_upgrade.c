/* uses: pkg/agent/link */
#include "pkg/agent/runtime/actor/snapshot.h"
#include "pkg/agent/runtime/actor/state.h"
#include "test/support/actors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct actors actors;
static struct sw_guest_module second, third; /* Later programs. */
static struct sw_guest_module moved;         /* The first one, in another class of engine. */

static void open_with(struct sw_guest_module *module, const char *digest)
{
    actors.next_module = module;
    actors_open(
        &actors,
        &(struct actors_pod){
            .number = 1, .agent = "a", .is_keyed = true, .digest = digest, .is_volatile = false});
    actors_settle(&actors);
}

static int set_up(void **state)
{
    (void)state;
    actors_init(&actors, 2, 1);
    actors.module.version = 7;
    second = (struct sw_guest_module){
        .refs = 1, .has_on_timer = true, .on_upgrade = "", .version = 8, .factor = 10};
    third = (struct sw_guest_module){
        .refs = 1, .has_on_timer = true, .on_upgrade = "", .version = 9, .factor = 100};
    moved = (struct sw_guest_module){.refs = 1, .has_on_timer = true, .version = 7};
    open_with(&actors.module, "sha256:1");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    assert_int_equal(actors.early, 0);
    actors_done(&actors);
    assert_int_equal(actors.module.refs, 1);
    assert_int_equal(second.refs, 1);
    assert_int_equal(third.refs, 1);
    assert_int_equal(moved.refs, 1);
    return 0;
}

static void restart(bool power_fails)
{
    actors.next_module = NULL;
    if (actors_restart(&actors, power_fails) != SW_OK)
        fail_msg("restart: %s", actors.failure.message);
}

static long long field_of(const char *key, const char *name)
{
    const char *at = strstr(actors_ask(&actors, 1, key, "get"), name);

    assert_non_null(at);
    return strtoll(at + strlen(name) + 1, NULL, 10);
}

/* What it runs under; it is in memory. */
static const struct sw_spec *spec_of(uint64_t pod, const char *key)
{
    const struct sw_instance *instance = NULL;

    for (uint32_t i = 0; i < actors.count && instance == NULL; i++) {
        const struct sw_pod *its = sw_map_find(actors.workers[i]->pods, &pod, sizeof pod);

        instance = its == NULL ? NULL : sw_map_find(its->instances, key, strlen(key));
    }
    assert_non_null(instance);
    return instance->spec;
}

/* It goes on in the program that began it, and only then is that one's place taken, also if nobody
 * sends anything more. */
static void a_turn_that_waits_is_not_cut_by_an_upgrade(void **state)
{
    uint64_t waits;

    (void)state;
    waits = actors_send(&actors, 1, "k", "add 5;sleep 1000000000;add 1;get");
    actors_settle(&actors);
    open_with(&second, "sha256:2");
    assert_false(actors_reply(&actors, waits)->is_there);
    actors.disk.now_ns += 2000000000u;
    actors_settle(&actors);
    assert_non_null(strstr(actors_reply(&actors, waits)->body, "counter=6 "));
    assert_null(strstr(actors_reply(&actors, waits)->body, "starts=1007"));
    assert_true(sw_bytes_is_equal(spec_of(1, "k")->digest, script_text("sha256:2")));
    assert_int_equal(field_of("k", "counter"), 6);
    assert_int_equal(field_of("k", "starts"), 1007);
    assert_int_equal(actors.events, 0);
}

static void the_state_is_handed_over_and_the_rest_stays(void **state)
{
    uint64_t held;

    (void)state;
    actors_ask(&actors, 1, "k", "add 5;timer 1 1000;sub news.*");
    held = actors_send(&actors, 1, "k", "hold");
    actors_settle(&actors);
    open_with(&second, "sha256:2");
    assert_int_equal(field_of("k", "counter"), 5);
    assert_int_equal(field_of("k", "starts"), 1007);
    assert_false(actors_reply(&actors, held)->is_there);
    actors_publish(&actors, "news.today", "here");
    actors.disk.now_ns += 2000;
    actors_settle(&actors);
    assert_int_equal(field_of("k", "timers"), 1);
    assert_int_equal(field_of("k", "published"), 1);
    actors_ask(&actors, 1, "k", "add 1");
    assert_int_equal(field_of("k", "counter"), 15);
}

static void replay_begins_at_the_upgrade_and_needs_the_new_program_only(void **state)
{
    (void)state;
    actors_ask(&actors, 1, "k", "add 5");
    open_with(&second, "sha256:2");
    actors_ask(&actors, 1, "k", "add 1");
    for (int i = 0; i < 2; i++) {
        restart(i == 1);
        open_with(&second, "sha256:2");
        assert_int_equal(field_of("k", "counter"), 15);
        assert_int_equal(actors.wanted, 0);
    }
    open_with(&third, "sha256:3");
    actors_ask(&actors, 1, "k", "add 1");
    restart(true);
    open_with(&third, "sha256:3");
    assert_int_equal(field_of("k", "counter"), 115);
}

static void a_sleeping_instance_is_upgraded_too(void **state)
{
    (void)state;
    actors_ask(&actors, 1, "k", "add 5");
    restart(false);
    open_with(&actors.module, "sha256:1");
    open_with(&second, "sha256:2");
    assert_int_equal(field_of("k", "counter"), 5);
    assert_int_equal(field_of("k", "starts"), 1007);
}

static void one_that_fails_stays_what_it_is(void **state)
{
    (void)state;
    actors_ask(&actors, 1, "k", "add 5");
    second.on_upgrade = "send b/x|add 1~trap";
    open_with(&second, "sha256:2");
    assert_string_equal(actors.last_event, "UpgradeFailed");
    assert_non_null(strstr(actors.last_words, "; the instance goes on with its old program\n"));
    actors.events = 0;
    actors_ask(&actors, 1, "k", "add 1");
    assert_int_equal(field_of("k", "counter"), 6);
    assert_int_equal(actors.events, 0); /* It is not tried for every message. */
    actors_ask(&actors, 1, "new", "add 1");
    assert_int_equal(field_of("new", "counter"), 10);
    open_with(&third, "sha256:3");
    assert_int_equal(field_of("k", "counter"), 6);
    actors_ask(&actors, 1, "k", "add 1");
    assert_int_equal(field_of("k", "counter"), 106);
}

/* A program that cannot take over from the first one may well do so from the third. */
static void one_that_failed_is_tried_again_from_another_program(void **state)
{
    (void)state;
    actors_ask(&actors, 1, "k", "add 5");
    second.on_upgrade = "fail";
    open_with(&second, "sha256:2");
    open_with(&third, "sha256:3");
    second.on_upgrade = "";
    open_with(&second, "sha256:2");
    actors_ask(&actors, 1, "k", "add 1");
    assert_int_equal(field_of("k", "counter"), 15);
}

static void one_that_failed_waits_for_its_old_program_after_a_restart(void **state)
{
    uint64_t request;

    (void)state;
    actors_ask(&actors, 1, "k", "add 5");
    second.on_upgrade = "fail";
    open_with(&second, "sha256:2");
    restart(true);
    open_with(&second, "sha256:2");
    request = actors_send(&actors, 1, "k", "get");
    actors_settle(&actors);
    assert_int_equal(actors.wanted, 1);
    assert_int_equal(actors_reply(&actors, request)->status, SW_E_UNAVAILABLE);
    actors.module.refs++;
    sw_worker_put(actors.workers[1], sw_item_program_new(script_text("sha256:1"), &actors.module));
    actors.disk.now_ns += 40000000000u;
    actors_settle(&actors);
    assert_int_equal(field_of("k", "counter"), 5);
    actors_ask(&actors, 1, "k", "add 1");
    assert_int_equal(field_of("k", "counter"), 6);
}

/* What it says goodbye with is in its old program, which is asked for. */
static void one_that_idles_waits_for_its_old_program_to_say_goodbye(void **state)
{
    struct actors_pod idle = {
        .number = 1, .agent = "a", .is_keyed = true, .digest = "sha256:2", .idle_ns = 1000000000u};

    (void)state;
    actors.module.has_on_stop = second.has_on_stop = true;
    actors_open(&actors, &(struct actors_pod){.number = 2, .agent = "watcher", .is_keyed = true});
    open_with(&actors.module, "sha256:1");
    actors_ask(&actors, 1, "k", "add 5");
    second.on_upgrade = "fail";
    open_with(&second, "sha256:2");
    restart(true);
    actors.next_module = &second;
    actors_open(&actors, &idle);
    actors.disk.now_ns += 2000000000u;
    actors_settle(&actors);
    assert_true(actors.wanted > 0);
    actors.module.refs++;
    sw_worker_put(actors.workers[1], sw_item_program_new(script_text("sha256:1"), &actors.module));
    actors.disk.now_ns += 120000000000u;
    actors_settle(&actors);
    actors.next_module = NULL;
    actors_open(&actors, &(struct actors_pod){.number = 2, .agent = "watcher", .is_keyed = true});
    actors_settle(&actors);
    assert_non_null(strstr(actors_ask(&actors, 2, "1", "get"), "counter=1 "));
}

static void without_on_upgrade_instances_stay_and_an_event_says_so(void **state)
{
    (void)state;
    actors_ask(&actors, 1, "k", "add 5");
    second.on_upgrade = NULL;
    open_with(&second, "sha256:2");
    assert_string_equal(actors.last_event, "UpgradeUnsupported");
    actors_ask(&actors, 1, "k", "add 1");
    assert_int_equal(field_of("k", "counter"), 6);
    actors.resets = true;
    open_with(&third, "sha256:3");
    assert_string_equal(actors.last_event, "StateDiscarded");
    assert_int_equal(field_of("k", "counter"), 0);
    actors.resets = false;
}

static void what_is_not_durable_is_handed_over_in_memory(void **state)
{
    struct actors_pod pod = {
        .number = 2, .agent = "b", .is_keyed = true, .is_volatile = true, .digest = "sha256:1"};

    (void)state;
    actors_open(&actors, &pod);
    actors_settle(&actors);
    actors_ask(&actors, 2, "v", "add 5");
    pod.digest = "sha256:2";
    actors.next_module = &second;
    actors_open(&actors, &pod);
    actors_settle(&actors);
    actors_ask(&actors, 2, "v", "add 1");
    assert_non_null(strstr(actors_ask(&actors, 2, "v", "get"), "counter=15 "));
}

static void state_crosses_engines_by_image_and_never_by_replay(void **state)
{
    (void)state;
    actors_ask(&actors, 1, "k", "add 5");
    restart(false);
    snprintf(actors.shared.fingerprints[SW_ABI_COMPACT],
             sizeof actors.shared.fingerprints[SW_ABI_COMPACT], "engine 2");
    open_with(&actors.module, "sha256:1");
    actors_ask(&actors, 1, "k", "get");
    assert_string_equal(actors.last_event, "EngineChanged");
    restart(false); /* The engine that recorded it can still go on. */
    open_with(&actors.module, "sha256:1");
    assert_int_equal(field_of("k", "counter"), 5);
}

/* --- From one class of engine to another ------------------------------------------------------ */

static void open_in(struct sw_guest_module *module, enum sw_abi_class class)
{
    actors.next_module = module;
    actors_open(
        &actors,
        &(struct actors_pod){
            .number = 1, .agent = "a", .is_keyed = true, .digest = "sha256:1", .class = class});
    actors_settle(&actors);
}

static void another_class_takes_all_over_without_an_upgrade(void **state)
{
    uint64_t held;

    (void)state;
    actors_ask(&actors, 1, "k", "add 5;timer 1 1000;sub news.*");
    held = actors_send(&actors, 1, "k", "hold");
    actors_settle(&actors);
    open_in(&moved, SW_ABI_REPLAY);
    assert_int_equal(field_of("k", "counter"), 5);
    assert_int_equal(field_of("k", "starts"), 1);
    assert_false(actors_reply(&actors, held)->is_there);
    actors_publish(&actors, "news.today", "here");
    actors.disk.now_ns += 2000;
    actors_settle(&actors);
    assert_int_equal(field_of("k", "timers"), 1);
    assert_int_equal(field_of("k", "published"), 1);
    assert_int_equal(actors.events, 0);
}

/* What ran in a class is replayed in it: the record of the change is where the other one begins. */
static void replay_begins_at_the_change_of_class(void **state)
{
    (void)state;
    actors_ask(&actors, 1, "k", "add 5");
    open_in(&moved, SW_ABI_COMPUTE);
    actors_ask(&actors, 1, "k", "add 1");
    for (int i = 0; i < 2; i++) {
        restart(i == 1);
        open_in(&moved, SW_ABI_COMPUTE);
        assert_int_equal(field_of("k", "counter"), 6);
        assert_int_equal(actors.wanted, 0);
    }
}

/* The program of the class before, which an instance has asked for. */
static void bring_first(void)
{
    (void)actors_send(&actors, 1, "k", "get");
    actors_settle(&actors);
    assert_true(actors.wanted > 0);
    actors.module.refs++;
    sw_worker_put(actors.workers[1], sw_item_program_new(script_text("sha256:1"), &actors.module));
    actors.disk.now_ns += 40000000000u;
    actors_settle(&actors);
}

/* Records of a class are not replayed in another one: its own is asked for. */
static void who_was_not_there_at_the_change_needs_its_class_once_more(void **state)
{
    (void)state;
    actors_ask(&actors, 1, "k", "add 5");
    restart(true);
    open_in(&moved, SW_ABI_REPLAY);
    bring_first();
    actors_ask(&actors, 1, "k", "add 1");
    assert_int_equal(field_of("k", "counter"), 6);
    restart(true);
    open_in(&moved, SW_ABI_REPLAY);
    actors.wanted = 0;
    assert_int_equal(field_of("k", "counter"), 6);
    assert_int_equal(actors.wanted, 0);
}

static void a_turn_that_waits_ends_in_its_class(void **state)
{
    uint64_t waits;

    (void)state;
    waits = actors_send(&actors, 1, "k", "add 5;sleep 1000000000;add 1;get");
    actors_settle(&actors);
    open_in(&moved, SW_ABI_REPLAY);
    actors.disk.now_ns += 2000000000u;
    actors_settle(&actors);
    assert_non_null(strstr(actors_reply(&actors, waits)->body, "counter=6 "));
    assert_int_equal(spec_of(1, "k")->class, SW_ABI_REPLAY); /* By now. */
    restart(true);
    open_in(&moved, SW_ABI_REPLAY);
    assert_int_equal(field_of("k", "counter"), 6);
    assert_int_equal(actors.wanted, 0); /* The change is the last that it did. */
}

static void what_is_not_durable_changes_its_class_in_memory(void **state)
{
    struct actors_pod pod = {
        .number = 2, .agent = "b", .is_keyed = true, .is_volatile = true, .digest = "sha256:1"};

    (void)state;
    actors_open(&actors, &pod);
    actors_settle(&actors);
    actors_ask(&actors, 2, "v", "add 5");
    pod.class = SW_ABI_COMPUTE;
    actors.next_module = &moved;
    actors_open(&actors, &pod);
    actors_settle(&actors);
    actors_ask(&actors, 2, "v", "add 1");
    assert_non_null(strstr(actors_ask(&actors, 2, "v", "get"), "counter=6 "));
}

/* Another program in another class is an upgrade as any. */
static void a_module_and_its_class_change_at_once(void **state)
{
    (void)state;
    actors_ask(&actors, 1, "k", "add 5");
    actors.next_module = &second;
    actors_open(&actors, &(struct actors_pod){.number = 1,
                                              .agent = "a",
                                              .is_keyed = true,
                                              .digest = "sha256:2",
                                              .class = SW_ABI_REPLAY});
    actors_settle(&actors);
    assert_int_equal(field_of("k", "counter"), 5);
    assert_int_equal(field_of("k", "starts"), 1007);
    actors_ask(&actors, 1, "k", "add 1");
    assert_int_equal(field_of("k", "counter"), 15);
}

/* --- How long a module is needed ------------------------------------------------------------- */

static bool is_needed(const char *digest)
{
    uint64_t request = actors.next_request++;
    const struct actors_reply *reply;

    sw_worker_put(actors.workers[0], sw_item_program_ask_new(request, script_text(digest)));
    actors_settle(&actors);
    reply = actors_reply(&actors, request);
    assert_true(reply->is_there);
    assert_true(reply->status == 0 || reply->status == SW_E_PRECONDITION);
    return reply->status != 0;
}

static void begin_snapshot(void)
{
    actors_rest(&actors);
    assert_int_equal(
        sw_snapshot_begin(&actors.shared, actors.workers, actors.count, &actors.failure), SW_OK);
}

static void take_snapshot(void)
{
    begin_snapshot();
    assert_int_equal(actors_snapshot(&actors), SW_OK);
}

static void a_module_is_needed_until_a_snapshot_stands_for_its_records(void **state)
{
    (void)state;
    actors_ask(&actors, 1, "k", "add 5");
    take_snapshot();
    assert_true(is_needed("sha256:1"));
    assert_false(is_needed("sha256:2"));
    open_with(&second, "sha256:2");
    assert_true(is_needed("sha256:1")); /* The upgrade may not be durable yet. */
    assert_true(is_needed("sha256:2"));
    begin_snapshot();
    assert_true(is_needed("sha256:1"));
    assert_true(actors.module.refs > 1);
    assert_int_equal(actors_snapshot(&actors), SW_OK);
    assert_false(is_needed("sha256:1"));
    assert_true(is_needed("sha256:2"));
    assert_int_equal(actors.module.refs, 1); /* No worker has it any more. */
    assert_int_equal(field_of("k", "counter"), 5);
    restart(true);
    assert_false(is_needed("sha256:1"));
    assert_true(is_needed("sha256:2"));
    open_with(&second, "sha256:2");
    assert_int_equal(field_of("k", "counter"), 5);
    open_with(&actors.module, "sha256:1"); /* Back to it. */
    assert_true(is_needed("sha256:1"));
    take_snapshot();
    assert_true(is_needed("sha256:1"));
}

static void a_snapshot_that_was_given_up_frees_nothing(void **state)
{
    (void)state;
    actors_ask(&actors, 1, "k", "add 5");
    take_snapshot();
    open_with(&second, "sha256:2");
    begin_snapshot();
    sw_snapshot_abandon(&actors.shared);
    assert_true(is_needed("sha256:1"));
    begin_snapshot();
    restart(true);
    assert_true(is_needed("sha256:1")); /* Its records are behind the one that counts. */
    open_with(&second, "sha256:2");
    take_snapshot();
    assert_false(is_needed("sha256:1"));
}

static void who_waits_in_a_module_needs_it(void **state)
{
    (void)state;
    actors_send(&actors, 1, "k", "add 5;sleep 1000000000;add 1");
    actors_ask(&actors, 1, "other", "add 2");
    open_with(&second, "sha256:2");
    take_snapshot();
    assert_true(is_needed("sha256:1"));
    restart(true);
    assert_true(is_needed("sha256:1"));
    open_with(&second, "sha256:2");
    actors.module.refs++;
    sw_worker_put(actors.workers[1], sw_item_program_new(script_text("sha256:1"), &actors.module));
    actors.disk.now_ns += 40000000000u;
    actors_settle(&actors);
    assert_int_equal(field_of("k", "counter"), 6);
    assert_true(is_needed("sha256:1"));
    take_snapshot();
    assert_false(is_needed("sha256:1"));
    assert_int_equal(field_of("k", "counter"), 6);
}

static void who_could_not_be_upgraded_needs_its_module(void **state)
{
    (void)state;
    actors_ask(&actors, 1, "k", "add 5");
    second.on_upgrade = "fail";
    open_with(&second, "sha256:2");
    take_snapshot();
    restart(true); /* It sleeps from here on, and its Pod is not open. */
    take_snapshot();
    assert_true(is_needed("sha256:1"));
    actors_close(&actors, 1, true);
    actors_settle(&actors);
    assert_true(is_needed("sha256:1"));
    assert_true(is_needed("sha256:2"));
    take_snapshot();
    assert_false(is_needed("sha256:1"));
    assert_false(is_needed("sha256:2"));
}

static void a_history_that_is_kept_needs_all_that_it_ran(void **state)
{
    struct sw_snapshot_limits limits = {.history_bytes = 1u << 20};

    (void)state;
    sw_snapshot_limit(&actors.shared, &limits);
    actors_ask(&actors, 1, "k", "add 5");
    open_with(&second, "sha256:2");
    take_snapshot();
    assert_true(is_needed("sha256:1"));
    restart(true);
    sw_snapshot_limit(&actors.shared, &limits);
    assert_true(is_needed("sha256:1"));
    sw_snapshot_limit(&actors.shared, &(struct sw_snapshot_limits){.history_bytes = 0});
    assert_false(is_needed("sha256:1"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_turn_that_waits_is_not_cut_by_an_upgrade),
        TEST(the_state_is_handed_over_and_the_rest_stays),
        TEST(replay_begins_at_the_upgrade_and_needs_the_new_program_only),
        TEST(a_sleeping_instance_is_upgraded_too),
        TEST(one_that_fails_stays_what_it_is),
        TEST(one_that_failed_is_tried_again_from_another_program),
        TEST(one_that_failed_waits_for_its_old_program_after_a_restart),
        TEST(one_that_idles_waits_for_its_old_program_to_say_goodbye),
        TEST(without_on_upgrade_instances_stay_and_an_event_says_so),
        TEST(what_is_not_durable_is_handed_over_in_memory),
        TEST(state_crosses_engines_by_image_and_never_by_replay),
        TEST(another_class_takes_all_over_without_an_upgrade),
        TEST(replay_begins_at_the_change_of_class),
        TEST(who_was_not_there_at_the_change_needs_its_class_once_more),
        TEST(a_turn_that_waits_ends_in_its_class),
        TEST(what_is_not_durable_changes_its_class_in_memory),
        TEST(a_module_and_its_class_change_at_once),
        TEST(a_module_is_needed_until_a_snapshot_stands_for_its_records),
        TEST(a_snapshot_that_was_given_up_frees_nothing),
        TEST(who_waits_in_a_module_needs_it),
        TEST(who_could_not_be_upgraded_needs_its_module),
        TEST(a_history_that_is_kept_needs_all_that_it_ran),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
