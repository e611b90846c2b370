#include "pkg/agent/runtime/actor/ways.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define MANY (16 * SW_WAYS_MAX)

static const struct sw_space zoo = {{"zoo", 3}, 17}, sea = {{"sea", 3}, 18};
static struct sw_routes *routes;
static struct sw_ways *ways;

/* A Pod of an Agent, on the worker of its number, with all slots or those of the upper half. */
static void open_pod(const struct sw_space *space, const char *agent, uint64_t number, bool is_half)
{
    struct sw_route_change change = {.name_space = space->name,
                                     .agent = {agent, strlen(agent)},
                                     .pod = {.pod = number, .worker = (uint32_t)number},
                                     .replicas = 3,
                                     .is_keyed = true};
    size_t from = is_half ? sizeof change.pod.slots / 2 : 0;

    if (strcmp(agent, "replicas") == 0)
        change.is_keyed = false;
    memset(change.pod.slots + from, 0xff, sizeof change.pod.slots - from);
    assert_int_equal(sw_routes_change(routes, &change), SW_OK);
}

static void close_pod(const struct sw_space *space, const char *agent, uint64_t number)
{
    struct sw_route_change change = {.name_space = space->name,
                                     .agent = {agent, strlen(agent)},
                                     .pod = {.pod = number},
                                     .is_gone = true};

    assert_int_equal(sw_routes_change(routes, &change), SW_OK);
}

static int set_up(void **state)
{
    (void)state;
    routes = sw_routes_new(1);
    ways = sw_ways_new();
    assert_non_null(routes);
    assert_non_null(ways);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    sw_ways_free(ways);
    sw_routes_free(routes);
    return 0;
}

static struct sw_way *find(const struct sw_space *space, const char *to)
{
    return sw_ways_find(ways, routes, space, (struct sw_bytes){to, strlen(to)}, 0);
}

/* The Pod that the routes know for a name, without what is remembered. */
static uint64_t pod_of(const struct sw_space *space, const char *to)
{
    struct sw_bytes agent, key;
    const struct sw_route *route;

    assert_true(sw_name_split((struct sw_bytes){to, strlen(to)}, &agent, &key));
    route = sw_routes_agent(routes, space->name, agent);
    return route == NULL ? 0 : route->pods[sw_slot_of(route->hash_key, key)];
}

static void a_name_is_remembered_with_what_was_noted_of_it(void **state)
{
    struct sw_way *way;

    (void)state;
    open_pod(&zoo, "a", 1, false);
    way = find(&zoo, "a/one");
    assert_true(way->is_new);
    assert_int_equal(way->pod, 1);
    assert_int_equal(way->worker, 1);
    assert_int_equal(way->removals, 0);
    assert_null(way->instance);
    way->removals = 5;
    way->instance = (struct sw_instance *)(void *)ways;
    assert_true(find(&zoo, "a/two")->is_new);
    way = find(&zoo, "a/one");
    assert_false(way->is_new);
    assert_int_equal(way->removals, 5);
    assert_ptr_equal(way->instance, ways);
}

/* Far more names than places, round about: each is found right, and not all drive each other out.
 */
static void more_names_than_places_leave_some_that_are_known(void **state)
{
    uint32_t known = 0;
    char to[32];

    (void)state;
    open_pod(&zoo, "a", 1, false);
    open_pod(&zoo, "a", 2, true);
    for (uint32_t round = 0; round < 2; round++) {
        for (uint32_t i = 0; i < MANY; i++) {
            const struct sw_way *way;

            (void)snprintf(to, sizeof to, "a/%u", i);
            way = find(&zoo, to);
            assert_int_equal(way->pod, pod_of(&zoo, to));
            assert_int_equal(way->worker, way->pod);
            assert_int_equal(way->agent_size, 1);
            known += !way->is_new;
        }
    }
    assert_true(known > SW_WAYS_MAX / 2);
    assert_true(known <= SW_WAYS_MAX);
}

/* What is remembered of it is not read after it went: the sanitizer looks on. */
static void a_pod_that_comes_back_is_looked_for_again(void **state)
{
    struct sw_route_change change = {.name_space = zoo.name,
                                     .agent = {"a", 1},
                                     .pod = {.pod = 2, .worker = 7},
                                     .is_keyed = true};
    char to[32];
    uint32_t i = 0;

    (void)state;
    open_pod(&zoo, "a", 1, false);
    open_pod(&zoo, "a", 2, true);
    do
        (void)snprintf(to, sizeof to, "a/%u", i++);
    while (pod_of(&zoo, to) != 2);
    assert_int_equal(find(&zoo, to)->worker, 2);
    close_pod(&zoo, "a", 2);
    memset(change.pod.slots, 0xff, sizeof change.pod.slots);
    assert_int_equal(sw_routes_change(routes, &change), SW_OK);
    assert_int_equal(find(&zoo, to)->worker, 7);
}

/* Names that end alike stand in one place. */
static void a_stranger_is_remembered_when_it_comes_twice_in_a_row(void **state)
{
    (void)state;
    open_pod(&zoo, "a", 1, false);
    open_pod(&zoo, "b", 2, false);
    open_pod(&zoo, "c", 3, false);
    assert_true(find(&zoo, "a/the same end")->is_new);
    assert_true(find(&zoo, "b/the same end")->is_new);
    assert_int_equal(find(&zoo, "b/the same end")->pod, 2);
    assert_false(find(&zoo, "b/the same end")->is_new);
    assert_int_equal(find(&zoo, "b/the same end")->pod, 2);
    assert_true(find(&zoo, "a/the same end")->is_new);
    assert_int_equal(find(&zoo, "a/the same end")->pod, 1);
    assert_int_equal(find(&zoo, "c/the same end")->pod, 3);
    assert_int_equal(find(&zoo, "a/the same end")->pod, 1);
}

/* One name in a place, others of it between: it stays. */
static void one_that_comes_once_drives_nobody_out(void **state)
{
    char to[32];

    (void)state;
    open_pod(&zoo, "a", 1, false);
    for (uint32_t i = 0; i < MANY; i++) {
        (void)snprintf(to, sizeof to, "a/%u", i);
        (void)find(&zoo, to);
    }
    (void)find(&zoo, "a/who stays");
    (void)find(&zoo, "a/who stays");
    for (uint32_t i = 0; i < MANY; i++) {
        (void)snprintf(to, sizeof to, "a/again %u", i);
        (void)find(&zoo, to);
    }
    assert_false(find(&zoo, "a/who stays")->is_new);
}

static void a_change_of_routes_forgets(void **state)
{
    static char lengthy[160];

    (void)state;
    memset(lengthy, 'k', sizeof lengthy - 1);
    memcpy(lengthy, "a/", 2); /* Too long to be remembered, but its Agent is. */
    assert_null(find(&zoo, "a/one")->route);
    open_pod(&zoo, "a", 1, false);
    assert_int_equal(find(&zoo, "a/one")->pod, 1);
    assert_int_equal(find(&zoo, lengthy)->pod, 1);
    find(&zoo, "a/one")->removals = 5;
    open_pod(&zoo, "b", 7, false); /* Of whomever. */
    assert_true(find(&zoo, "a/one")->is_new);
    assert_int_equal(find(&zoo, "a/one")->removals, 0);
    open_pod(&zoo, "a", 2, false);
    assert_int_equal(find(&zoo, "a/one")->pod, 2);
    assert_int_equal(find(&zoo, lengthy)->pod, 2);
    close_pod(&zoo, "a", 1);
    close_pod(&zoo, "a", 2); /* Its route is freed. */
    assert_null(find(&zoo, "a/one")->route);
    assert_null(find(&zoo, lengthy)->route);
    assert_int_equal(find(&zoo, lengthy)->status, SW_E_UNAVAILABLE);
    open_pod(&zoo, "a", 3, false);
    assert_int_equal(find(&zoo, "a/one")->pod, 3);
    assert_int_equal(find(&zoo, lengthy)->pod, 3);
}

static void equal_names_of_two_namespaces_are_told_apart(void **state)
{
    static char lengthy[160];

    (void)state;
    memset(lengthy, 'k', sizeof lengthy - 1);
    memcpy(lengthy, "a/", 2);
    open_pod(&zoo, "a", 1, false);
    open_pod(&sea, "a", 2, false);
    open_pod(&sea, "aa", 3, false);
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(find(&zoo, "a/one")->pod, 1);
        assert_int_equal(find(&sea, "a/one")->pod, 2);
        assert_int_equal(find(&zoo, lengthy)->pod, 1);
        assert_int_equal(find(&sea, lengthy)->pod, 2);
        assert_int_equal(find(&sea, "aa/one")->pod, 3);
        assert_null(find(&zoo, "aa/one")->route);
    }
}

static void replicas_are_chosen_anew_each_time(void **state)
{
    struct sw_bytes to = {"replicas", 8};

    (void)state;
    open_pod(&zoo, "replicas", 1, false);
    open_pod(&zoo, "a", 2, false);
    for (uint64_t i = 0; i < 7; i++) {
        const struct sw_way *way = sw_ways_find(ways, routes, &zoo, to, i);
        const char key[] = {(char)('0' + i % 3)};

        assert_true(way->is_replica);
        assert_int_equal(way->pod, 1);
        assert_int_equal(way->removals, 0);
        assert_true(sw_bytes_is_equal(sw_way_key(way, to), (struct sw_bytes){key, 1}));
        sw_ways_find(ways, routes, &zoo, to, i)->removals = 5;
    }
    assert_int_equal(find(&zoo, "a")->status, SW_E_INVALID); /* It is keyed. */
    assert_false(find(&zoo, "replicas/1")->is_replica);
}

static void what_is_no_name_leads_nowhere(void **state)
{
    static char names[][260] = {"", "/", "a/", "/one", "b/one", "\xff/one"};
    char lengthy[256];

    (void)state;
    open_pod(&zoo, "a", 1, false);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        (void)find(&zoo, "a/one"); /* Nothing of it is left. */
        assert_null(find(&zoo, names[i])->route);
        assert_int_equal(find(&zoo, names[i])->pod, 0);
        assert_int_equal(find(&zoo, names[i])->agent_size, i == 4);
    }
    memset(lengthy, 'n', sizeof lengthy);
    memcpy(lengthy, "a/", 2);
    assert_int_equal(sw_ways_find(ways, routes, &zoo, (struct sw_bytes){lengthy, 255}, 0)->pod, 1);
    assert_null(sw_ways_find(ways, routes, &zoo, (struct sw_bytes){lengthy, 256}, 0)->route);
    for (size_t size = 119; size < 123; size++) { /* About the longest that is remembered. */
        (void)sw_ways_find(ways, routes, &zoo, (struct sw_bytes){lengthy, size}, 0);
        assert_int_equal(sw_ways_find(ways, routes, &zoo, (struct sw_bytes){lengthy, size}, 0)->pod,
                         1);
    }
}

/* A name of an Agent that is about as long as is remembered, or longer. */
static void agents_with_long_names_are_found(void **state)
{
    char agent[80], to[100];

    (void)state;
    for (size_t size = 62; size < 67; size++) {
        memset(agent, 'x', size);
        agent[size] = 0;
        open_pod(&zoo, agent, size, false);
    }
    for (uint32_t i = 0; i < 3; i++) {
        for (size_t size = 62; size < 67; size++) {
            memset(agent, 'x', size);
            agent[size] = 0;
            (void)snprintf(to, sizeof to, "%s/%u", agent, i);
            assert_int_equal(find(&zoo, to)->pod, size);
            assert_int_equal(find(&zoo, to)->agent_size, size);
        }
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_name_is_remembered_with_what_was_noted_of_it),
        TEST(more_names_than_places_leave_some_that_are_known),
        TEST(a_pod_that_comes_back_is_looked_for_again),
        TEST(a_stranger_is_remembered_when_it_comes_twice_in_a_row),
        TEST(one_that_comes_once_drives_nobody_out),
        TEST(a_change_of_routes_forgets),
        TEST(equal_names_of_two_namespaces_are_told_apart),
        TEST(replicas_are_chosen_anew_each_time),
        TEST(what_is_no_name_leads_nowhere),
        TEST(agents_with_long_names_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
