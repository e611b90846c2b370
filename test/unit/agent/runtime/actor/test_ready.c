#include "pkg/agent/runtime/actor/ready.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#define LOW 0u
#define NORMAL 1u
#define URGENT 3u

static struct sw_ready ready;

static int set_up(void **state)
{
    (void)state;
    assert_int_equal(sw_ready_init(&ready, 1), SW_OK);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    sw_ready_done(&ready);
    return 0;
}

static struct sw_share *share(const char *space, const char *agent)
{
    struct sw_share *got = sw_ready_share_get(&ready, (struct sw_bytes){space, strlen(space)},
                                              (struct sw_bytes){agent, strlen(agent)});

    assert_non_null(got);
    return got;
}

static void add(struct sw_share *to, struct sw_ready_link *links, size_t count, uint32_t priority)
{
    for (size_t i = 0; i < count; i++)
        assert_int_equal(sw_ready_add(&ready, to, &links[i], priority), SW_OK);
}

struct crowd { /* Ready instances of an Agent that are ready again whenever they ran. */
    struct sw_share *share;
    struct sw_ready_link links[64];
    size_t count;
    uint64_t cost_ns, ran, time_ns;
};

static void begin(struct crowd *crowd, uint32_t priority)
{
    memset(crowd->links, 0, sizeof crowd->links);
    crowd->ran = crowd->time_ns = 0;
    add(crowd->share, crowd->links, crowd->count, priority);
}

/* Run one of those; returns whose it was. */
static struct crowd *step(struct crowd *crowds, size_t count)
{
    uint32_t priority;
    struct sw_ready_link *link = sw_ready_next(&ready, &priority);

    for (size_t i = 0; link != NULL && i < count; i++) {
        struct crowd *crowd = &crowds[i];

        if (link < crowd->links || link >= crowd->links + crowd->count)
            continue;
        assert_int_equal(sw_ready_add(&ready, crowd->share, link, priority), SW_OK);
        sw_ready_charge(&ready, crowd->cost_ns);
        crowd->ran++;
        crowd->time_ns += crowd->cost_ns + SW_READY_COST_NS;
        return crowd;
    }
    fail();
    return NULL;
}

static void instances_of_an_agent_run_in_order(void **state)
{
    struct sw_share *one = share("default", "a");
    struct sw_ready_link links[3] = {0};
    uint32_t priority;

    (void)state;
    assert_null(sw_ready_next(&ready, &priority));
    add(one, links, 3, NORMAL);
    for (size_t i = 0; i < 3; i++) {
        assert_ptr_equal(sw_ready_next(&ready, &priority), &links[i]);
        assert_int_equal(priority, NORMAL);
        assert_int_equal(links[i].queued, 0);
    }
    assert_true(sw_ready_is_empty(&ready));
    sw_ready_share_put(&ready, one);
}

static void a_crowd_does_not_starve_a_neighbour_with_one(void **state)
{
    struct crowd crowds[2] = {{.share = share("default", "many"), .count = 64, .cost_ns = 5000},
                              {.share = share("default", "one"), .count = 1, .cost_ns = 5000}};

    (void)state;
    begin(&crowds[0], NORMAL);
    for (int i = 0; i < 1000; i++)
        step(crowds, 2);
    begin(&crowds[1], NORMAL); /* It comes late, and saved nothing up. */
    crowds[0].ran = 0;
    for (int i = 0; i < 1000; i++)
        step(crowds, 2);
    assert_in_range(crowds[1].ran, 499, 501);
    assert_in_range(crowds[0].ran, 499, 501);
}

static void time_counts_and_not_turns(void **state)
{
    struct crowd crowds[2] = {{.share = share("default", "slow"), .count = 4, .cost_ns = 1000000},
                              {.share = share("default", "quick"), .count = 4, .cost_ns = 9000}};

    (void)state;
    begin(&crowds[0], NORMAL);
    begin(&crowds[1], NORMAL);
    for (int i = 0; i < 10000; i++)
        step(crowds, 2);
    assert_in_range(crowds[0].time_ns, crowds[1].time_ns * 9 / 10, crowds[1].time_ns * 11 / 10);
}

static void namespaces_come_before_agents(void **state)
{
    struct crowd crowds[4] = {{.share = share("big", "a"), .count = 8, .cost_ns = 9000},
                              {.share = share("big", "b"), .count = 8, .cost_ns = 9000},
                              {.share = share("big", "c"), .count = 8, .cost_ns = 9000},
                              {.share = share("small", "a"), .count = 1, .cost_ns = 9000}};

    (void)state;
    for (size_t i = 0; i < 4; i++)
        begin(&crowds[i], NORMAL);
    for (int i = 0; i < 6000; i++)
        step(crowds, 4);
    assert_in_range(crowds[3].ran, 2990, 3010);
    for (size_t i = 0; i < 3; i++)
        assert_in_range(crowds[i].ran, 990, 1010);
}

static void weights_divide_a_namespace(void **state)
{
    struct crowd crowds[2] = {{.share = share("default", "heavy"), .count = 2, .cost_ns = 9000},
                              {.share = share("default", "light"), .count = 2, .cost_ns = 9000}};

    (void)state;
    sw_share_set_weight(crowds[0].share, 300);
    begin(&crowds[0], NORMAL);
    begin(&crowds[1], NORMAL);
    for (int i = 0; i < 4000; i++)
        step(crowds, 2);
    assert_in_range(crowds[0].ran, 2980, 3020);
}

static void priorities_have_their_shares(void **state)
{
    struct sw_share *one = share("default", "a");
    struct sw_ready_link links[SW_PRIORITIES] = {0};
    unsigned ran[SW_PRIORITIES] = {0};

    (void)state;
    for (uint32_t p = 0; p < SW_PRIORITIES; p++)
        add(one, &links[p], 1, p);
    for (int i = 0; i < 1500; i++) {
        uint32_t priority;
        struct sw_ready_link *link = sw_ready_next(&ready, &priority);

        sw_ready_charge(&ready, 100);
        ran[priority]++;
        add(one, link, 1, priority);
    }
    assert_int_equal(ran[URGENT], 800);
    assert_int_equal(ran[2], 400);
    assert_int_equal(ran[NORMAL], 200);
    assert_int_equal(ran[LOW], 100);
}

static void who_rests_saves_nothing_up(void **state)
{
    struct crowd crowds[2] = {{.share = share("x", "a"), .count = 2, .cost_ns = 9000},
                              {.share = share("y", "b"), .count = 2, .cost_ns = 9000}};
    uint32_t priority;

    (void)state;
    begin(&crowds[1], NORMAL); /* Runs once, and rests. */
    for (int i = 0; i < 2; i++)
        assert_non_null(sw_ready_next(&ready, &priority));
    begin(&crowds[0], NORMAL);
    for (int i = 0; i < 1000; i++)
        step(crowds, 1);
    begin(&crowds[1], NORMAL);
    crowds[0].ran = 0;
    for (int i = 0; i < 100; i++)
        step(crowds, 2);
    assert_in_range(crowds[1].ran, 49, 51);
}

static void what_is_removed_does_not_run_and_shares_go_with_their_last_owner(void **state)
{
    struct sw_share *one = share("default", "a"), *same = share("default", "a");
    struct sw_ready_link links[3] = {0};
    uint32_t priority;

    (void)state;
    assert_ptr_equal(one, same);
    add(one, links, 3, NORMAL);
    add(one, &links[1], 1, URGENT);
    sw_ready_remove(&ready, one, &links[1]);
    assert_ptr_equal(sw_ready_next(&ready, &priority), &links[0]);
    assert_ptr_equal(sw_ready_next(&ready, &priority), &links[2]);
    assert_null(sw_ready_next(&ready, &priority));
    sw_ready_share_put(&ready, same);
    add(one, links, 1, LOW);
    assert_ptr_equal(sw_ready_next(&ready, &priority), &links[0]);
    sw_ready_share_put(&ready, one);
    sw_ready_charge(&ready, 1000); /* To nobody any more. */
    assert_int_equal(sw_map_count(ready.shares), 0);
}

static void set_slow(struct sw_share *which)
{
    assert_int_equal(sw_share_set_slow(&ready, which), SW_OK);
}

static void note_quick(struct sw_share *which)
{
    assert_int_equal(sw_share_note_quick(&ready, which), SW_OK);
}

static void the_quick_come_before_the_slow(void **state)
{
    struct crowd crowds[2] = {{.share = share("a", "slow"), .count = 4, .cost_ns = 1000000},
                              {.share = share("b", "quick"), .count = 4, .cost_ns = 9000}};

    (void)state;
    begin(&crowds[0], NORMAL); /* They are queued already when it is seen. */
    set_slow(crowds[0].share);
    begin(&crowds[1], NORMAL);
    for (int i = 0; i < 10000; i++)
        step(crowds, 2);
    assert_in_range(crowds[1].time_ns, crowds[0].time_ns * 38 / 10, crowds[0].time_ns * 42 / 10);
    /* Without quick ones the slow have all of it. */
    for (size_t i = 0; i < crowds[1].count; i++)
        sw_ready_remove(&ready, crowds[1].share, &crowds[1].links[i]);
    crowds[0].ran = 0;
    for (int i = 0; i < 100; i++)
        step(crowds, 2);
    assert_int_equal(crowds[0].ran, 100);
}

static void the_slow_are_fair_among_themselves(void **state)
{
    struct crowd crowds[3] = {{.share = share("a", "one"), .count = 4, .cost_ns = 1000000},
                              {.share = share("a", "two"), .count = 1, .cost_ns = 1000000},
                              {.share = share("b", "one"), .count = 1, .cost_ns = 1000000}};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        set_slow(crowds[i].share);
        begin(&crowds[i], NORMAL);
    }
    for (int i = 0; i < 4000; i++)
        step(crowds, 3);
    assert_in_range(crowds[0].ran, 995, 1005);
    assert_in_range(crowds[1].ran, 995, 1005);
    assert_in_range(crowds[2].ran, 1990, 2010);
}

static void what_goes_and_what_begins_take_turns(void **state)
{
    struct sw_share *slow = share("a", "slow");
    struct sw_ready_link going[2] = {0}, begins[2] = {0};
    uint32_t priority, count[SW_READY_KINDS] = {0};

    (void)state;
    set_slow(slow);
    add(slow, begins, 2, NORMAL);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(sw_ready_add_going(&ready, slow, &going[i], NORMAL), SW_OK);
    for (int i = 0; i < 4; i++) {
        assert_non_null(sw_ready_next(&ready, &priority));
        count[ready.picked_kind]++;
        assert_int_equal(count[SW_READY_GOING] + count[SW_READY_SLOW], i + 1);
        assert_true(count[SW_READY_GOING] - count[SW_READY_SLOW] + 1 <= 2);
        sw_ready_charge(&ready, 1000000);
    }
    assert_null(sw_ready_next(&ready, &priority));
    sw_ready_share_put(&ready, slow);
}

static void what_is_slow_is_held_and_rests(void **state)
{
    struct sw_share *slow = share("a", "slow"), *quick = share("a", "quick");
    struct sw_ready_link begins = {0}, going = {0}, other = {0};
    uint32_t priority;

    (void)state;
    set_slow(slow);
    add(slow, &begins, 1, NORMAL);
    assert_int_equal(sw_ready_set_room(&ready, SW_READY_FULL), SW_OK);
    assert_null(sw_ready_next(&ready, &priority));
    assert_int_equal(sw_ready_add_going(&ready, slow, &going, NORMAL), SW_OK);
    ready.rests = true;
    assert_true(sw_ready_is_empty(&ready));
    assert_null(sw_ready_next(&ready, &priority));
    add(quick, &other, 1, LOW);
    assert_ptr_equal(sw_ready_next(&ready, &priority), &other);
    ready.rests = false;
    assert_ptr_equal(sw_ready_next(&ready, &priority), &going);
    assert_null(sw_ready_next(&ready, &priority));
    assert_int_equal(sw_ready_set_room(&ready, SW_READY_ROOM), SW_OK);
    assert_ptr_equal(sw_ready_next(&ready, &priority), &begins);
    sw_ready_share_put(&ready, slow);
    sw_ready_share_put(&ready, quick);
}

/* Returns how many of the Agent begin, one after the other, without an end. */
static unsigned begin_all(struct sw_share *which, struct sw_ready_link *links, unsigned count)
{
    uint32_t priority;
    unsigned begun = 0;

    add(which, links, count, NORMAL);
    while (sw_ready_next(&ready, &priority) != NULL) {
        sw_share_begin_going(which);
        sw_ready_charge(&ready, 1000000);
        begun++;
    }
    return begun;
}

static void an_agent_and_a_namespace_begin_so_many(void **state)
{
    static struct sw_ready_link links[SW_GOING_SPACE_MAX][SW_GOING_AGENT_MAX + 1];
    struct sw_share *agents[SW_GOING_SPACE_MAX / SW_GOING_AGENT_MAX + 1], *other = share("b", "x");
    const unsigned count = SW_GOING_SPACE_MAX / SW_GOING_AGENT_MAX;
    uint32_t priority;

    (void)state;
    memset(links, 0, sizeof links);
    for (unsigned i = 0; i <= count; i++) {
        char name[8] = {'a', (char)('a' + i), 0};

        agents[i] = share("a", name);
        set_slow(agents[i]);
        assert_int_equal(begin_all(agents[i], links[i], SW_GOING_AGENT_MAX + 1),
                         i < count ? SW_GOING_AGENT_MAX : 0);
    }
    set_slow(other);
    assert_int_equal(begin_all(other, links[20], 1), 1);
    /* Each that ends makes room for one: of whoever's turn it is. */
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(sw_share_end_going(&ready, agents[0]), SW_OK);
        assert_non_null(sw_ready_next(&ready, &priority));
        assert_ptr_not_equal(ready.picked, other);
        sw_share_begin_going(ready.picked);
        sw_ready_charge(&ready, 1000000);
        assert_null(sw_ready_next(&ready, &priority));
    }
}

static void slow_agents_are_quick_again(void **state)
{
    struct sw_share *slow = share("a", "slow");
    struct sw_ready_link links[2] = {0};
    uint32_t priority;

    (void)state;
    assert_false(sw_share_is_slow(slow));
    set_slow(slow);
    for (uint32_t i = 1; i < SW_SHARE_QUICK_MIN; i++)
        note_quick(slow);
    assert_true(sw_share_is_slow(slow));
    set_slow(slow);
    note_quick(slow);
    assert_true(sw_share_is_slow(slow));
    add(slow, links, 2, NORMAL);
    for (uint32_t i = 1; i < SW_SHARE_QUICK_MIN; i++)
        note_quick(slow);
    assert_false(sw_share_is_slow(slow));
    assert_int_equal(ready.slow_count, 0);
    assert_ptr_equal(sw_ready_next(&ready, &priority), &links[0]);
    assert_int_equal(ready.picked_kind, SW_READY_QUICK);
    sw_ready_remove(&ready, slow, &links[1]);
    assert_true(sw_ready_is_empty(&ready));
    sw_ready_share_put(&ready, slow);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

static void who_is_picked_next_is_known_while_nobody_else_has_anything(void **state)
{
    struct sw_share *one = share("n", "one"), *two = share("n", "two"), *far = share("m", "far");
    struct sw_ready_link links[2] = {0}, second[2] = {0};
    uint32_t priority;

    (void)state;
    assert_false(sw_ready_is_alone(&ready)); /* Nothing was picked. */
    add(one, links, 2, NORMAL);
    assert_ptr_equal(sw_ready_next(&ready, &priority), &links[0]);
    assert_true(sw_ready_is_alone(&ready));
    add(two, second, 1, NORMAL);
    assert_false(sw_ready_is_alone(&ready)); /* Another Agent has something. */
    sw_ready_remove(&ready, two, second);
    sw_ready_charge(&ready, 1000000);
    assert_ptr_equal(sw_ready_next(&ready, &priority), &links[1]); /* Which forgets that one. */
    assert_true(sw_ready_is_alone(&ready));
    add(one, second, 1, URGENT);
    assert_false(sw_ready_is_alone(&ready)); /* Another priority has. */
    sw_ready_remove(&ready, one, second);
    assert_false(sw_ready_is_alone(&ready)); /* That is known with the next pick. */
    add(one, links, 2, NORMAL);
    assert_ptr_equal(sw_ready_next(&ready, &priority), &links[0]);
    assert_true(sw_ready_is_alone(&ready));
    assert_ptr_equal(sw_ready_next(&ready, &priority), &links[1]); /* With none left, too: */
    assert_null(sw_ready_next(&ready, &priority));
    add(one, links, 1, NORMAL); /* whoever comes then is found. */
    assert_ptr_equal(sw_ready_next(&ready, &priority), &links[0]);
    assert_true(sw_ready_is_alone(&ready));
    add(far, second + 1, 1, NORMAL);
    assert_false(sw_ready_is_alone(&ready)); /* Another namespace. */
    sw_ready_remove(&ready, far, second + 1);
    sw_ready_share_put(&ready, far);
    sw_ready_share_put(&ready, two);
    sw_ready_share_put(&ready, one);
}

/* Whoever rests while one alone has anything stands in its heap still, at the time that it had. */
static void rest_beside_one_alone(const char *space)
{
    struct crowd crowds[2] = {{.share = share("default", "busy"), .count = 4, .cost_ns = 5000},
                              {.share = share(space, "rests"), .count = 1, .cost_ns = 500000}};

    begin(&crowds[0], NORMAL);
    begin(&crowds[1], NORMAL);
    for (int i = 0; i < 4; i++)
        step(crowds, 2);
    assert_int_equal(crowds[1].ran, 1);
    sw_ready_remove(&ready, crowds[1].share, crowds[1].links);
    for (int i = 0; i < 10000; i++)
        step(crowds, 2);
    assert_true(sw_ready_is_alone(&ready));
    crowds[1].cost_ns = 5000;
    begin(&crowds[1], NORMAL);
    crowds[0].ran = 0;
    for (int i = 0; i < 1000; i++)
        step(crowds, 2);
    assert_in_range(crowds[1].ran, 499, 501);
    assert_in_range(crowds[0].ran, 499, 501);
    for (int i = 0; i < 4; i++)
        sw_ready_remove(&ready, crowds[0].share, &crowds[0].links[i]);
    sw_ready_remove(&ready, crowds[1].share, crowds[1].links);
    sw_ready_share_put(&ready, crowds[0].share);
    sw_ready_share_put(&ready, crowds[1].share);
}

static void nobody_saves_up_beside_one_alone(void **state)
{
    (void)state;
    rest_beside_one_alone("default");
    rest_beside_one_alone("other");
}

static void one_that_is_handed_on_to_is_next_where_nobody_else_has_anything(void **state)
{
    struct sw_share *one = share("n", "one"), *two = share("n", "two");
    struct sw_ready_link links[3] = {0}, handed = {0}, other = {0};
    uint32_t priority;
    bool is_next;

    (void)state;
    add(one, links, 3, NORMAL);
    assert_int_equal(sw_ready_add_next(&ready, one, &handed, NORMAL, &is_next), SW_OK);
    assert_false(is_next); /* Nothing was picked yet: whether others are there is not known. */
    assert_ptr_equal(sw_ready_next(&ready, &priority), &links[0]);
    assert_int_equal(sw_ready_add_next(&ready, one, &links[0], NORMAL, &is_next), SW_OK);
    assert_true(is_next);
    assert_ptr_equal(sw_ready_next(&ready, &priority), &links[0]);
    assert_int_equal(sw_ready_add_next(&ready, two, &other, NORMAL, &is_next), SW_OK);
    assert_false(is_next); /* Another Agent has its turn by its time. */
    assert_int_equal(sw_ready_add_next(&ready, one, &links[0], NORMAL, &is_next), SW_OK);
    assert_false(is_next); /* Nor is anybody put before others of its Agent then. */
    sw_ready_remove(&ready, two, &other);
    assert_ptr_equal(sw_ready_next(&ready, &priority), &links[1]);
    assert_ptr_equal(sw_ready_next(&ready, &priority), &links[2]);
    assert_ptr_equal(sw_ready_next(&ready, &priority), &handed);
    assert_ptr_equal(sw_ready_next(&ready, &priority), &links[0]);
    assert_int_equal(sw_ready_add_next(&ready, one, &handed, NORMAL, &is_next), SW_OK);
    assert_true(is_next); /* The only one. */
    assert_ptr_equal(sw_ready_next(&ready, &priority), &handed);
    assert_null(sw_ready_next(&ready, &priority));
    sw_ready_share_put(&ready, two);
    sw_ready_share_put(&ready, one);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(instances_of_an_agent_run_in_order),
        TEST(who_is_picked_next_is_known_while_nobody_else_has_anything),
        TEST(one_that_is_handed_on_to_is_next_where_nobody_else_has_anything),
        TEST(a_crowd_does_not_starve_a_neighbour_with_one),
        TEST(time_counts_and_not_turns),
        TEST(namespaces_come_before_agents),
        TEST(weights_divide_a_namespace),
        TEST(priorities_have_their_shares),
        TEST(who_rests_saves_nothing_up),
        TEST(nobody_saves_up_beside_one_alone),
        TEST(the_quick_come_before_the_slow),
        TEST(the_slow_are_fair_among_themselves),
        TEST(what_goes_and_what_begins_take_turns),
        TEST(what_is_slow_is_held_and_rests),
        TEST(an_agent_and_a_namespace_begin_so_many),
        TEST(slow_agents_are_quick_again),
        TEST(what_is_removed_does_not_run_and_shares_go_with_their_last_owner),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
