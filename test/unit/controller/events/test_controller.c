/* labels: threaded */
/* uses: pkg/store/sqlite pkg/utils/system */
#include "pkg/controller/events/controller.h"
#include "test/unit/controller/fixture.h"

struct seen { /* Events found by looking through the store. */
    struct fixture *fixture;
    struct sw_api_event *last, *ready; /* ready: whose reason is PodReady. */
    size_t count;
};

struct world {
    struct sw_events *events;
    size_t wanted;       /* Events. */
    uint32_t wanted_sum; /* Of their counts. */
    size_t added, most;  /* Events that came since the start; the most there were at a time. */
};

static struct sw_events *start(struct fixture *fixture)
{
    struct sw_events_options options = {.loop = fixture->loop,
                                        .system = sw_system_real(),
                                        .logger = &fixture->logger,
                                        .objects = fixture->objects,
                                        .node_name = "here"};
    struct sw_events *events = NULL;

    assert_int_equal(sw_events_new(&options, &events, NULL), SW_OK);
    return events;
}

static int setup(void **state)
{
    int rc = fixture_setup(state);
    struct fixture *fixture = *state;
    struct world *world = calloc(1, sizeof(*world));

    sw_informer_free(fixture->watchers[2]);
    fixture_watch(fixture, 2, "Event");
    fixture->ctx = world;
    world->events = start(fixture);
    return rc;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    struct world *world = fixture->ctx;

    sw_events_free(world->events);
    free(world);
    return fixture_teardown(state);
}

static bool note(void *ctx, const struct sw_store_item *item)
{
    struct seen *seen = ctx;
    void *object = NULL;

    assert_int_equal(
        sw_object_of_item(sw_kind_find("Event"), item, seen->fixture->arena, &object, NULL), SW_OK);
    seen->last = object;
    if (strcmp(seen->last->reason, "PodReady") == 0)
        seen->ready = object;
    seen->count++;
    return true;
}

static struct seen look(struct fixture *fixture)
{
    const struct sw_store_list_request request = {.prefix = "events/"};
    struct seen seen = {.fixture = fixture};
    struct sw_store_list_end end;

    assert_int_equal(sw_store_list(fixture->store, &request, note, &seen, &end, NULL), SW_OK);
    return seen;
}

static bool has_wanted(struct fixture *fixture)
{
    const struct world *world = fixture->ctx;
    struct seen seen = look(fixture);

    return seen.count == world->wanted &&
           (world->wanted_sum == 0 || seen.last->count == world->wanted_sum);
}

static void want(struct fixture *fixture, size_t events, uint32_t sum)
{
    struct world *world = fixture->ctx;

    world->wanted = events;
    world->wanted_sum = sum;
    until(fixture, has_wanted);
}

static void happen(void **state, const char *name, const char *reason, const char *message)
{
    struct fixture *fixture = *state;
    struct world *world = fixture->ctx;

    sw_events_record(world->events, &(struct sw_occurrence){.kind = sw_kind_find("Agent"),
                                                            .namespace_name = "default",
                                                            .name = name,
                                                            .reason = reason,
                                                            .component = "test",
                                                            .message = message});
}

static void what_happens_again_is_counted_in_one_event(void **state)
{
    for (int i = 0; i < 50; i++)
        happen(state, "reader", "Trapped", i == 49 ? "the last words" : "words");
    want(*state, 1, 50);
    const struct sw_api_event *event = look(*state).last;

    assert_string_equal(event->message, "the last words");
    assert_string_equal(event->involved_object.name, "reader");
    assert_string_equal(event->source.node, "here");
    assert_true(event->last_time >= event->first_time && event->first_time > 0);
    happen(state, "reader", "Trapped", "later");
    want(*state, 1, 51);
}

static bool is_all_written(struct fixture *fixture)
{
    const struct world *world = fixture->ctx;

    return sw_events_flush(world->events) == 0;
}

static void what_waits_is_written_when_the_end_comes(void **state)
{
    struct fixture *fixture = *state;
    const struct sw_system *system = sw_system_real();
    uint64_t begin_ns;

    happen(state, "reader", "Trapped", "words");
    want(fixture, 1, 1);
    begin_ns = system->monotonic_ns(system->ctx);
    happen(state, "reader", "Trapped", "the last words"); /* To be written in a second. */
    until(fixture, is_all_written);
    assert_true(system->monotonic_ns(system->ctx) - begin_ns < 900000000u);
    assert_string_equal(look(fixture).last->message, "the last words");
    assert_int_equal(look(fixture).last->count, 2);
}

static void reasons_and_objects_are_told_apart(void **state)
{
    happen(state, "reader", "Trapped", "");
    happen(state, "reader", "Parked", "");
    happen(state, "writer", "Trapped", "");
    want(*state, 3, 0);
}

static void long_names_and_words_are_cut(void **state)
{
    char name[64], words[2 * SW_EVENTS_MESSAGE_MAX];

    memset(name, 'n', 63);
    name[63] = '\0';
    memset(words, 'w', sizeof(words) - 1);
    words[sizeof(words) - 1] = '\0';
    memcpy(words + SW_EVENTS_MESSAGE_MAX - 2, "\xe2\x82\xac", 3); /* Across the cut. */
    happen(state, name, "Trapped", words);
    want(*state, 1, 1);
    assert_int_equal(strlen(look(*state).last->message), SW_EVENTS_MESSAGE_MAX - 2);
}

static void what_cannot_be_written_is_dropped(void **state)
{
    struct fixture *fixture = *state;
    struct world *world = fixture->ctx;

    sw_events_record(world->events, &(struct sw_occurrence){.kind = sw_kind_find("Agent"),
                                                            .namespace_name = "none",
                                                            .name = "reader",
                                                            .reason = "Trapped"});
    happen(state, "reader", "bad reason", "");
    happen(state, "reader", "Good", "");
    want(fixture, 1, 1);
}

static void moves_of_an_agent_become_events(void **state)
{
    must(*state, sw_objects_create,
         make(*state, "Agent",
              "{\"metadata\":{\"name\":\"reader\"},\"spec\":{\"module\":\"" FIXTURE_DIGEST "\"}}"));
    want(*state, 1, 1);
    assert_string_equal(look(*state).last->reason, "Accepted");
    struct sw_api_agent *agent = read_object(*state, "Agent", "reader");
    agent->status.phase = SW_API_AGENT_PHASE_DEPLOYING;
    must(*state, sw_objects_update_status, agent);
    agent = read_object(*state, "Agent", "reader");
    agent->status.phase = SW_API_AGENT_PHASE_READY;
    must(*state, sw_objects_update_status, agent);
    want(*state, 3, 0);
}

/* Its instances come with their messages, so that it has none says nothing against it. */
static void a_keyed_pod_that_is_ready_is_not_told_by_counts_of_ready_instances(void **state)
{
    must(
        *state, sw_objects_create,
        make(
            *state, "Pod",
            "{\"metadata\":{\"name\":\"reader-0\"},\"spec\":{\"agentName\":\"reader\",\"agentUid\":"
            "\"01932c07-8ba2-7c1e-9a2b-0123456789ab\",\"nodeName\":\"here\","
            "\"agentGeneration\":1,\"agent\":{\"module\":\"" FIXTURE_DIGEST
            "\",\"keyed\":true}}}"));
    want(*state, 1, 1);
    const enum sw_api_pod_phase phases[] = {SW_API_POD_PHASE_BOUND, SW_API_POD_PHASE_STARTING,
                                            SW_API_POD_PHASE_READY};

    for (size_t i = 0; i < 3; i++) {
        struct sw_api_pod *pod = read_object(*state, "Pod", "reader-0");

        pod->status.phase = phases[i];
        must(*state, sw_objects_update_status, pod);
    }
    want(*state, 4, 0);
    assert_string_equal(look(*state).ready->message,
                        "on here: ready for messages; a key's first one begins its instance, 0 so "
                        "far");
}

static void what_was_there_at_the_start_is_no_news(void **state)
{
    struct fixture *fixture = *state;
    struct world *world = fixture->ctx;

    must(*state, sw_objects_create,
         make(*state, "Agent",
              "{\"metadata\":{\"name\":\"reader\"},\"spec\":{\"module\":\"" FIXTURE_DIGEST "\"}}"));
    want(*state, 1, 1);
    sw_events_free(world->events);
    world->events = start(fixture);
    happen(state, "other", "Marker", "");
    want(*state, 2, 0);
}

static void old_events_are_deleted(void **state)
{
    struct fixture *fixture = *state;
    struct world *world = fixture->ctx;
    struct sw_api_cluster *cluster = read_object(fixture, "Cluster", "default");

    happen(state, "reader", "Trapped", "");
    want(fixture, 1, 1);
    struct sw_api_event *event = look(fixture).last;
    event->last_time -= UINT64_C(10000000000);
    must(fixture, sw_objects_update, event);
    cluster->spec.event_retention = "5s";
    must(fixture, sw_objects_update, cluster);
    sw_events_free(world->events);
    world->events = start(fixture);
    want(fixture, 0, 0);
}

static void count_event(struct fixture *fixture, const struct sw_informer_change *change)
{
    struct world *world = fixture->ctx;
    size_t count = sw_informer_count(fixture->watchers[2]);

    world->added += change->before == NULL;
    world->most = count > world->most ? count : world->most;
}

static bool all_were_added(struct fixture *fixture)
{
    const struct world *world = fixture->ctx;

    return world->added >= world->wanted;
}

static bool few_are_kept(struct fixture *fixture)
{
    return sw_informer_count(fixture->watchers[2]) <= SW_EVENTS_MAX + SW_EVENTS_SLACK;
}

/* Each instance that traps is an Event of its own, and instances are named by whoever sends
 * messages to them. */
static void a_flood_of_different_events_is_bounded(void **state)
{
    enum { WAVE = SW_EVENTS_PENDING_MAX, WAVES = 4 };
    struct fixture *fixture = *state;
    struct world *world = fixture->ctx;
    char name[16];

    fixture->on_change = count_event;
    for (int wave = 1; wave <= WAVES; wave++) {
        for (int i = 0; i < WAVE; i++) {
            snprintf(name, sizeof(name), "a-%d-%d", wave, i);
            happen(state, name, "Trapped", "");
        }
        world->wanted = (size_t)wave * WAVE;
        until(fixture, all_were_added);
    }
    until(fixture, few_are_kept);
    assert_true(world->most > SW_EVENTS_MAX);
    /* What was pending when they became too many comes before the deletions. */
    assert_true(world->most <= SW_EVENTS_MAX + SW_EVENTS_SLACK + SW_EVENTS_PENDING_MAX);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_happens_again_is_counted_in_one_event),
        TEST(what_waits_is_written_when_the_end_comes),
        TEST(reasons_and_objects_are_told_apart),
        TEST(long_names_and_words_are_cut),
        TEST(what_cannot_be_written_is_dropped),
        TEST(moves_of_an_agent_become_events),
        TEST(a_keyed_pod_that_is_ready_is_not_told_by_counts_of_ready_instances),
        TEST(what_was_there_at_the_start_is_no_news),
        TEST(old_events_are_deleted),
        TEST(a_flood_of_different_events_is_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
