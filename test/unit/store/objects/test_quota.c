/* labels: threaded */
/* uses: pkg/store/sqlite pkg/apis/swarm/v1 */
#include "pkg/store/objects/quota.h"
#include "test/unit/store/objects/fixture.h"

/* Quotas at the admission of Agents. */

#define WRITES 24
#define ROUNDS 60
#define NAMES 12

static struct sw_api_agent *agent_of(struct fixture *fixture, unsigned name, unsigned replicas)
{
    char json[400];

    (void)snprintf(json, sizeof json,
                   "{\"kind\":\"Agent\",\"metadata\":{\"name\":\"a%u\"},\"spec\":{" FIXTURE_MODULE
                   ",\"replicas\":%u}}",
                   name, replicas);
    return make(fixture, "Agent", json);
}

static void make_quota(struct fixture *fixture, const char *name, const char *hard)
{
    char json[200];

    (void)snprintf(json, sizeof json,
                   "{\"kind\":\"ResourceQuota\",\"metadata\":{\"name\":\"%s\"},\"spec\":{\"hard\":"
                   "{%s}}}",
                   name, hard);
    (void)must(fixture, sw_objects_apply, make(fixture, "ResourceQuota", json));
}

static const struct sw_api_resource_quota *quota_of(struct fixture *fixture, const char *name)
{
    return read_object(fixture, "ResourceQuota", "default", name);
}

/* Without the finalizer that a controller would take off. */
static void remove_agent(struct fixture *fixture, unsigned name)
{
    char text[16];
    struct sw_api_agent *agent;

    (void)snprintf(text, sizeof text, "a%u", name);
    agent = read_object(fixture, "Agent", "default", text);
    if (agent == NULL)
        return;
    (void)must(fixture, sw_objects_delete, agent);
    agent = read_object(fixture, "Agent", "default", text);
    agent->metadata.finalizers_count = 0;
    (void)must(fixture, sw_objects_update, agent);
}

static void what_passes_a_quota_is_refused_in_words(void **state)
{
    struct fixture *fixture = *state;
    struct written written;

    make_quota(fixture, "few", "\"agents\":2,\"instances\":5");
    (void)must(fixture, sw_objects_create, agent_of(fixture, 0, 3));
    written = run(fixture, sw_objects_create, agent_of(fixture, 1, 3));
    assert_int_equal(written.rc, SW_E_EXHAUSTED);
    assert_string_equal(written.err.message,
                        "quota \"few\" of namespace \"default\": replicas used: 3, asked for: 3 "
                        "more, allowed: 5");
    assert_non_null(strstr(written.err.hint, "swarm get quota"));
    (void)must(fixture, sw_objects_create, agent_of(fixture, 1, 2));
    written = run(fixture, sw_objects_create, agent_of(fixture, 2, 0));
    assert_int_equal(written.rc, SW_E_EXHAUSTED);
    assert_non_null(strstr(written.err.message, "Agents used: 2, asked for: 1 more, allowed: 2"));
    assert_int_equal(quota_of(fixture, "few")->status.used.agents, 2);
    assert_int_equal(quota_of(fixture, "few")->status.used.replicas, 5);
}

static void what_is_freed_can_be_used_again(void **state)
{
    struct fixture *fixture = *state;

    make_quota(fixture, "one", "\"agents\":1,\"instances\":4");
    for (unsigned i = 0; i < 3; i++) {
        (void)must(fixture, sw_objects_create, agent_of(fixture, i, 4));
        remove_agent(fixture, i);
        assert_int_equal(quota_of(fixture, "one")->status.used.agents, 0);
    }
    (void)must(fixture, sw_objects_create, agent_of(fixture, 7, 4));
    (void)must(fixture, sw_objects_apply, agent_of(fixture, 7, 1));
    assert_int_equal(quota_of(fixture, "one")->status.used.replicas, 1);
}

/* Nothing is taken away, and nothing more is admitted; less is. */
static void a_quota_below_the_use_admits_nothing_more(void **state)
{
    struct fixture *fixture = *state;

    (void)must(fixture, sw_objects_create, agent_of(fixture, 0, 6));
    make_quota(fixture, "late", "\"instances\":3");
    assert_int_equal(quota_of(fixture, "late")->status.used.replicas, 6);
    assert_int_equal(run(fixture, sw_objects_apply, agent_of(fixture, 0, 7)).rc, SW_E_EXHAUSTED);
    (void)must(fixture, sw_objects_apply, agent_of(fixture, 0, 5));
    assert_int_equal(run(fixture, sw_objects_apply, agent_of(fixture, 0, 6)).rc, SW_E_EXHAUSTED);
    (void)must(fixture, sw_objects_apply, agent_of(fixture, 0, 3));
}

static void each_of_several_quotas_holds(void **state)
{
    struct fixture *fixture = *state;

    make_quota(fixture, "wide", "\"instances\":100");
    make_quota(fixture, "narrow", "\"instances\":2");
    assert_int_equal(run(fixture, sw_objects_create, agent_of(fixture, 0, 3)).rc, SW_E_EXHAUSTED);
    (void)must(fixture, sw_objects_create, agent_of(fixture, 0, 2));
    assert_int_equal(quota_of(fixture, "wide")->status.used.replicas, 2);
    assert_int_equal(quota_of(fixture, "narrow")->status.used.replicas, 2);
}

/* Begin to make an object, which is under way then. */
static void begin(struct fixture *fixture, const void *object, struct written *written)
{
    const struct sw_object_write write = {.kind = sw_object_kind(object), .object = object};

    written->arena = fixture->arena;
    written->rc = sw_objects_create(fixture->objects, &write, note_written, written, &written->err);
}

/* Whether it was made in the end. */
static bool is_made(struct fixture *fixture, struct written *written)
{
    if (written->rc == SW_OK && written->count == 0)
        harness_wait(fixture->harness, &written->count, 1);
    return written->rc == SW_OK;
}

/* All of them are under way at once. */
static void writes_do_not_pass_it_together(void **state)
{
    struct fixture *fixture = *state;
    struct written written[WRITES] = {0};
    unsigned admitted = 0;

    make_quota(fixture, "tight", "\"agents\":5");
    for (unsigned i = 0; i < WRITES; i++)
        begin(fixture, agent_of(fixture, i, 1), &written[i]);
    for (unsigned i = 0; i < WRITES; i++)
        admitted += is_made(fixture, &written[i]);
    assert_int_equal(admitted, 5);
    assert_int_equal(quota_of(fixture, "tight")->status.used.agents, 5);
}

/* The quota and all Agents are under way at once, none of which has seen the other. How many Agents
 * were made. */
static int make_at_once(struct fixture *fixture, unsigned quota_at)
{
    struct written written[WRITES] = {0};
    int admitted = 0;

    for (unsigned i = 0; i < WRITES; i++)
        begin(fixture,
              i == quota_at ? make(fixture, "ResourceQuota",
                                   "{\"kind\":\"ResourceQuota\",\"metadata\":{\"name\":\"sudden\"},"
                                   "\"spec\":{\"hard\":{\"agents\":5}}}")
                            : (void *)agent_of(fixture, i, 1),
              &written[i]);
    for (unsigned i = 0; i < WRITES; i++)
        admitted += is_made(fixture, &written[i]) && i != quota_at;
    assert_int_equal(written[quota_at].rc, SW_OK);
    return admitted;
}

/* Those before the quota are there, and those behind it came to know it. */
static void a_quota_that_comes_meanwhile_counts_all(void **state)
{
    struct fixture *fixture = *state;
    struct quota_use use;

    assert_int_equal(make_at_once(fixture, 3), 5);
    assert_int_equal(run(fixture, sw_objects_create, agent_of(fixture, WRITES, 1)).rc,
                     SW_E_EXHAUSTED);
    assert_int_equal(sw_quota_count(fixture->objects, "default", &use, NULL), SW_OK);
    assert_int_equal(use.agents, 5);
    (void)must(fixture, sw_objects_apply, agent_of(fixture, 0, 2));
    assert_int_equal(quota_of(fixture, "sudden")->status.used.agents, 5);
    assert_int_equal(quota_of(fixture, "sudden")->status.used.replicas, 6);
}

static void a_quota_behind_all_counts_all(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(make_at_once(fixture, WRITES - 1), WRITES - 1);
    assert_int_equal(run(fixture, sw_objects_create, agent_of(fixture, WRITES, 1)).rc,
                     SW_E_EXHAUSTED);
    (void)must(fixture, sw_objects_apply, agent_of(fixture, 1, 0));
    assert_int_equal(quota_of(fixture, "sudden")->status.used.agents, WRITES - 1);
    assert_int_equal(quota_of(fixture, "sudden")->status.used.replicas, WRITES - 2);
}

/* Random writes, several under way: what is there never passes the quota, and what the quota says
 * is what is there. */
static void no_sequence_passes_it(void **state)
{
    struct fixture *fixture = *state;
    uint64_t random = 1;

    make_quota(fixture, "both", "\"agents\":6,\"instances\":20");
    for (unsigned round = 0; round < ROUNDS; round++) {
        struct written written[4] = {0};
        struct quota_use use;

        for (unsigned i = 0; i < 4; i++) {
            const void *agent;

            random = random * 6364136223846793005u + 1442695040888963407u;
            agent =
                agent_of(fixture, (unsigned)(random >> 33) % NAMES, (unsigned)(random >> 45) % 9);
            const struct sw_object_write write = {.kind = sw_object_kind(agent), .object = agent};

            written[i].arena = fixture->arena;
            written[i].rc = sw_objects_apply(fixture->objects, &write, note_written, &written[i],
                                             &written[i].err);
        }
        for (unsigned i = 0; i < 4; i++)
            if (written[i].rc == SW_OK && written[i].count == 0)
                harness_wait(fixture->harness, &written[i].count, 1);
        if (round % 2 == 1)
            remove_agent(fixture, (unsigned)(random >> 20) % NAMES);
        assert_int_equal(sw_quota_count(fixture->objects, "default", &use, NULL), SW_OK);
        assert_in_range(use.agents, 0, 6);
        assert_in_range(use.replicas, 0, 20);
        assert_int_equal(quota_of(fixture, "both")->status.used.agents, use.agents);
        assert_int_equal(quota_of(fixture, "both")->status.used.replicas, use.replicas);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
        TEST(what_passes_a_quota_is_refused_in_words),
        TEST(what_is_freed_can_be_used_again),
        TEST(a_quota_below_the_use_admits_nothing_more),
        TEST(each_of_several_quotas_holds),
        TEST(writes_do_not_pass_it_together),
        TEST(a_quota_that_comes_meanwhile_counts_all),
        TEST(a_quota_behind_all_counts_all),
        TEST(no_sequence_passes_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
