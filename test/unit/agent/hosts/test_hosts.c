/* The life of agent hosts, what goes between them, and their parts of a quota. */
#include "test/unit/agent/hosts/world.h"

static void test_each_class_has_its_host(void **state)
{
    struct world *world = world_of_three();
    char name[SW_HOST_NAME_SIZE], path[128];
    struct sw_agents_view sum;

    (void)state;
    assert_string_equal(names_of(world).text,
                        "shared=Up 1; namespace/shop=Up 1; agent/shop/cart=Up 1; ");
    (void)snprintf(path, sizeof path, "%s/hosts/agent-" CART "/agents", world->folder);
    sw_hosts_name_of(sw_system_real(), path, name);
    assert_string_equal(name, "agent/shop/cart");
    (void)snprintf(path, sizeof path, "%s/agents", world->folder);
    sw_hosts_name_of(sw_system_real(), path, name);
    assert_string_equal(name, "shared");
    sw_hosts_view(world->hosts, &sum);
    assert_int_equal(sum.pods, 3);
    world_free(world);
}

static void test_a_host_that_dies_takes_no_other_along(void **state)
{
    struct world *world = world_of_three();

    (void)state;
    assert_int_equal(say(world, "cart/k", "die", NULL), SW_OK);
    until(world, has_reply);
    assert_int_equal(world->rc, SW_E_UNAVAILABLE);
    assert_string_equal(world->downs, "agent/shop/cart ");
    world->replies = 0;
    assert_int_equal(say(world, "some/k", "hello", NULL), SW_OK);
    until(world, has_reply);
    assert_int_equal(world->rc, SW_OK);
    assert_int_equal(say(world, "nobody/k", "hello", NULL), SW_E_NOT_FOUND);
    world_free(world);
}

static void test_a_publication_asks_all_hosts_of_the_namespace_or_none(void **state)
{
    struct world *world = world_of_three();
    struct sw_agent_publish publish = {.name_space = "shop", .subject = {"a", 1}};

    (void)state;
    publish.timeout_ms = 20; /* Played hosts do not answer: the sum is that of failures. */
    assert_int_equal(sw_hosts_publish(world->hosts, &publish, on_done, world, NULL), SW_OK);
    until(world, has_reply);
    assert_int_equal(world->rc, SW_E_TIMEOUT);
    assert_int_equal(world->replies, 1);
    world_free(world);
}

static void test_a_module_is_needed_if_one_host_needs_it_or_cannot_say(void **state)
{
    struct world *world = world_of_three();

    (void)state;
    assert_int_equal(sw_hosts_ask_module(world->hosts, OLDER, on_done, world, NULL), SW_OK);
    until(world, has_reply);
    assert_int_equal(world->rc, SW_OK);
    world->replies = 0;
    assert_int_equal(sw_hosts_ask_module(world->hosts, DIGEST, on_done, world, NULL), SW_OK);
    until(world, has_reply);
    assert_int_equal(world->rc, SW_E_PRECONDITION);
    assert_true(sw_hosts_has_module(world->hosts, "shop", DIGEST));
    sw_hosts_free(world->hosts);

    world->is_needed = true; /* Folders wait for their Pods. */
    hosts_start(world);
    assert_int_not_equal(sw_hosts_ask_module(world->hosts, OLDER, on_done, world, NULL), SW_OK);
    world_free(world);
}

static void test_a_host_goes_with_its_last_pod(void **state)
{
    struct world *world = world_of_three();

    (void)state;
    assert_true(is_folder(world, "hosts/agent-" CART "/host"));
    close_pod(world, CART);
    until(world, is_cart_gone);
    assert_string_equal(names_of(world).text, "shared=Up 1; namespace/shop=Up 1; ");
    assert_string_equal(world->downs, ""); /* It was told to. */
    assert_true(is_folder(world, "hosts/namespace-shop/host"));
    world_free(world);
}

static bool is_ending(const struct world *world)
{
    return strstr(names_of(world).text, "agent/shop/cart=Stopping") != NULL;
}

static bool runs_again(const struct world *world)
{
    return world->runs >= 4;
}

static void test_a_pod_that_comes_while_its_host_ends_gets_the_next_one(void **state)
{
    struct world *world = world_of_three();
    char path[128];

    (void)state;
    (void)snprintf(path, sizeof path, "%s/hosts/agent-" CART "/agents.gate", world->folder);
    (void)close(open(path, O_CREAT | O_WRONLY, 0600));
    close_pod(world, CART);
    until(world, is_ending);
    assert_int_equal(open_pod(world, CART, SW_POD_ISOLATION_AGENT, "cart", NULL), SW_OK);
    assert_int_equal(unlink(path), 0);
    until(world, runs_again);
    assert_true(is_folder(world, "hosts/agent-" CART));
    world_free(world);
}

/* A host that begins while all others end would be stopped by nobody. */
static void test_no_host_begins_while_all_end(void **state)
{
    struct world *world = world_of_three();
    char path[128];

    (void)state;
    (void)snprintf(path, sizeof path, "%s/hosts/agent-" CART "/agents.gate", world->folder);
    (void)close(open(path, O_CREAT | O_WRONLY, 0600));
    sw_hosts_stop(world->hosts, on_stopped, world);
    assert_int_equal(open_pod(world, LATE, SW_POD_ISOLATION_AGENT, "late", NULL), SW_OK);
    close_pod(world, LATE); /* It is not open, and said to be closed. */
    let_pass(world, 100);   /* All but one have ended. */
    assert_int_equal(world->closes, 1);
    assert_int_equal(unlink(path), 0);
    until(world, is_stopped);
    assert_false(is_folder(world, "hosts/agent-" LATE));
    world_free(world);
}

static void
test_data_that_is_needed_stays_and_what_nobody_needs_goes_at_the_next_start(void **state)
{
    struct world *world = world_of_three();

    (void)state;
    sw_hosts_stop(world->hosts, on_stopped, world);
    until(world, is_stopped);
    sw_hosts_free(world->hosts);
    world->is_needed = true;
    hosts_start(world);
    assert_int_equal(open_pod(world, SHOP, SW_POD_ISOLATION_NAMESPACE, "some", NULL), SW_OK);
    until(world, runs_again);
    assert_false(is_cart_gone(world));
    world->is_needed = false;
    until(world, is_cart_gone);
    assert_true(is_folder(world, "hosts/namespace-shop")); /* It has a Pod. */
    world_free(world);
}

#define LONGEST                                                                                    \
    ".namespace-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-12345678"

static bool are_leftovers_gone(const struct world *world)
{
    return !is_folder(world, "hosts/.agent-x-1") && !is_folder(world, "hosts/" LONGEST);
}

static void test_what_is_half_removed_goes_and_what_nobody_can_name_stays(void **state)
{
    struct world *world = world_new();
    char command[512];

    (void)state;
    (void)snprintf(command, sizeof command,
                   "cd %s && mkdir -p hosts/.agent-x-1/agents hosts/agent-y other hosts/" LONGEST
                   " && touch hosts/.agent-x-1/agents/journal-1.seg hosts/.agent-x-1/host other/f"
                   " && ln -s ../../other hosts/.agent-x-1/a && ln -s nowhere hosts/.agent-x-1/b",
                   world->folder);
    assert_int_equal(system(command), 0);
    hosts_start(world);
    until(world, are_leftovers_gone);
    assert_true(is_folder(world, "hosts/agent-y"));
    assert_true(is_folder(world, "other/f"));
    world_free(world);
}

/* --- Bridges --------------------------------------------------------------------------------- */

static bool has_line(const struct world *world)
{
    return strstr(world->lines, world->awaited) != NULL;
}

static void until_line(struct world *world, const char *line)
{
    world->awaited = line;
    until(world, has_line);
}

static bool are_bridged(const struct world *world)
{
    struct sw_agents_view view;

    sw_hosts_view(world->hosts, &view);
    return view.host_starts == 3 && sw_hosts_are_bridged(world->hosts);
}

static struct world *world_of_patience(bool is_patient)
{
    struct world *world = world_new();

    world->has_bridges = true;
    world->is_patient = is_patient;
    hosts_start(world);
    assert_int_equal(open_pod(world, SHARED, SW_POD_ISOLATION_SHARED, "all", NULL), SW_OK);
    assert_int_equal(open_pod(world, SHOP, SW_POD_ISOLATION_NAMESPACE, "some", NULL), SW_OK);
    assert_int_equal(open_pod(world, CART, SW_POD_ISOLATION_AGENT, "cart", NULL), SW_OK);
    until(world, all_run);
    until(world, are_bridged);
    return world;
}

static struct world *world_with_bridges(void)
{
    return world_of_patience(false);
}

static void test_bridges_are_nobodys_pods(void **state)
{
    struct world *world = world_with_bridges();

    (void)state;
    assert_string_equal(names_of(world).text,
                        "shared=Up 1; namespace/shop=Up 1; agent/shop/cart=Up 1; ");
    assert_int_equal(world->runs, 3);
    world_free(world);
}

static void test_an_envelope_goes_to_the_bridge_of_its_sender(void **state)
{
    struct world *world = world_with_bridges();

    (void)state;
    assert_int_equal(say(world, "cart/k", "carry 1 o cart/a some/b", NULL), SW_OK);
    until_line(world, "cart: result 0 of 1\n");
    assert_non_null(strstr(world->lines, "some: took cart/a\n"));
    world_free(world);
}

static void test_a_host_speaks_for_its_own_agents_only(void **state)
{
    struct world *world = world_with_bridges();

    (void)state;
    assert_int_equal(say(world, "cart/k", "carry 1 o some/a all/b", NULL), SW_OK);
    until_line(world, "cart: result 7 of 1\n"); /* DENIED */
    assert_int_equal(say(world, "cart/k", "carry 2 - cart/a all/b", NULL), SW_OK);
    until_line(world, "cart: result 5 of 2\n"); /* To all but bridges there is no such service. */
    assert_int_equal(say(world, "cart/k", "carry 3 o cart/a nobody/b", NULL), SW_OK);
    until_line(world, "cart: result 5 of 3\n");
    assert_int_equal(say(world, "cart/k", "carry 4 o cart/a cart/b", NULL), SW_OK);
    until_line(world, "cart: result 5 of 4\n"); /* It runs where it is. */
    assert_int_equal(say(world, "cart/k", "carry 5 o cart/a", NULL), SW_OK);
    until_line(world, "cart: result 3 of 5\n"); /* INVALID */
    assert_null(strstr(world->lines, "took"));
    world_free(world);
}

static bool is_some_up(const struct world *world)
{
    return strstr(names_of(world).text, "namespace/shop=Up") != NULL;
}

static void test_what_a_host_cannot_take_now_is_sent_again(void **state)
{
    struct world *world = world_with_bridges();

    (void)state;
    assert_int_equal(say(world, "some/k", "die", NULL), SW_OK);
    until(world, has_reply);
    assert_int_equal(say(world, "cart/k", "carry 1 o cart/a some/b", NULL), SW_OK);
    until_line(world, "cart: result 0 of 1\n");
    until(world, is_some_up);
    world_free(world);
}

static void test_nothing_is_sent_to_an_agent_that_went(void **state)
{
    struct world *world = world_with_bridges();

    (void)state;
    assert_int_equal(say(world, "some/k", "die", NULL), SW_OK);
    until(world, has_reply);
    close_pod(world, SHOP);
    assert_int_equal(say(world, "cart/k", "carry 1 o cart/a some/b", NULL), SW_OK);
    until_line(world, "cart: result ");
    world_free(world);
}

static bool is_shop_gone(const struct world *world)
{
    return !is_folder(world, "hosts/namespace-shop");
}

/* What a host did not take before it went is not for the next one that has its place. */
static void test_what_is_on_its_way_to_a_host_ends_with_it(void **state)
{
    struct world *world = world_of_patience(true);
    const struct sw_pod_runner *runner = sw_hosts_runner(world->hosts);

    (void)state;
    assert_int_equal(say(world, "some/k", "die", NULL), SW_OK);
    until(world, has_reply);
    assert_int_equal(say(world, "cart/k", "carry_to_all 1 o cart/a", NULL), SW_OK);
    until_line(world, "all: took cart/a\n");
    let_pass(world, 1200); /* Tries are half a second apart by then. */
    runner->close(runner->ctx, SHOP, false);
    until(world, is_shop_gone);
    assert_int_equal(open_pod_in(world, "other", LATE, SW_POD_ISOLATION_AGENT, "late", NULL),
                     SW_OK);
    until_line(world, "cart: result 0 of 1\n");
    world_free(world);
}

/* However often a host says that its bridge has failed, that is opened again in time. */
static void test_a_bridge_that_fails_is_opened_again(void **state)
{
    struct world *world = world_with_bridges();

    (void)state;
    assert_int_equal(say(world, "cart/k", "fail", NULL), SW_OK);
    until_line(world, "cart: out again\n");
    until(world, are_bridged);
    world_free(world);
}

static void test_there_are_no_more_hosts_than_allowed(void **state)
{
    struct world *world = world_new();
    struct sw_err err = {0};

    (void)state;
    world->hosts_max = 2;
    hosts_start(world);
    assert_int_equal(open_pod(world, SHOP, SW_POD_ISOLATION_NAMESPACE, "some", NULL), SW_OK);
    assert_int_equal(open_pod(world, CART, SW_POD_ISOLATION_AGENT, "cart", &err), SW_E_EXHAUSTED);
    assert_non_null(strstr(err.message, "runs 2 agent hosts"));
    assert_int_equal(open_pod(world, SHARED, SW_POD_ISOLATION_SHARED, "all", NULL), SW_OK);
    world_free(world);
}

/* --- Quotas ---------------------------------------------------------------------------------- */

static void set_quota(struct world *world, uint64_t instances)
{
    const struct sw_pod_runner *runner = sw_hosts_runner(world->hosts);
    const struct sw_pod_quota quota = {.instances = instances, .memory_bytes = SW_POD_QUOTA_NONE};

    runner->set_quota(runner->ctx, "shop", &quota);
}

static void test_a_host_that_comes_has_what_others_let_go(void **state)
{
    struct world *world = world_new();

    (void)state;
    hosts_start(world);
    set_quota(world, 12);
    assert_int_equal(open_pod(world, SHARED, SW_POD_ISOLATION_SHARED, "all", NULL), SW_OK);
    world->runs = 2;
    until(world, all_run);
    assert_int_equal(say(world, "all", "has 10", NULL), SW_OK);
    until(world, has_reply);
    assert_int_equal(open_pod(world, CART, SW_POD_ISOLATION_AGENT, "cart", NULL), SW_OK);
    until_line(world, "all: may 6\n");
    until_line(world, "cart: may 2\n"); /* Nothing before that. */
    assert_null(strstr(world->lines, "cart: may 6"));
    assert_int_equal(say(world, "cart", "has 18446744073709551615", NULL), SW_OK);
    assert_int_equal(say(world, "all", "has 3", NULL), SW_OK);
    until_line(world, "cart: may 6\n");
    world->lines[0] = '\0';
    close_pod(world, CART);
    until_line(world, "all: may 12\n"); /* Once it is gone, since it says that it has so much. */
    world->lines[0] = '\0';
    set_quota(world, SW_POD_QUOTA_NONE);
    until_line(world, "all: may 18446744073709551615\n");
    world_free(world);
}

/* What lies in a folder that waits for its Pods is not known, and given to nobody. */
static void test_what_a_host_had_before_a_start_is_not_given_away(void **state)
{
    struct world *world = world_of_three();

    (void)state;
    sw_hosts_free(world->hosts);
    world->is_needed = true;
    world->lines[0] = '\0';
    world->runs = 2;
    hosts_start(world);
    set_quota(world, 12);
    assert_int_equal(open_pod(world, SHARED, SW_POD_ISOLATION_SHARED, "all", NULL), SW_OK);
    until(world, all_run);
    assert_int_equal(open_pod(world, CART, SW_POD_ISOLATION_AGENT, "cart", NULL), SW_OK);
    world->runs = 2;
    until(world, all_run);
    until_line(world, "cart: may 0\n"); /* They wait for the host of the namespace. */
    assert_non_null(strstr(world->lines, "all: may 0\n"));
    assert_null(strstr(world->lines, "may 4"));
    assert_int_equal(open_pod(world, SHOP, SW_POD_ISOLATION_NAMESPACE, "some", NULL), SW_OK);
    until_line(world, "all: may 4\n");
    until_line(world, "cart: may 4\n");
    until_line(world, "some: may 4\n");
    world_free(world);
}

int main(int count, char **words)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_class_has_its_host),
        cmocka_unit_test(test_a_host_that_dies_takes_no_other_along),
        cmocka_unit_test(test_a_publication_asks_all_hosts_of_the_namespace_or_none),
        cmocka_unit_test(test_a_module_is_needed_if_one_host_needs_it_or_cannot_say),
        cmocka_unit_test(test_a_host_goes_with_its_last_pod),
        cmocka_unit_test(test_a_pod_that_comes_while_its_host_ends_gets_the_next_one),
        cmocka_unit_test(test_no_host_begins_while_all_end),
        cmocka_unit_test(
            test_data_that_is_needed_stays_and_what_nobody_needs_goes_at_the_next_start),
        cmocka_unit_test(test_what_is_half_removed_goes_and_what_nobody_can_name_stays),
        cmocka_unit_test(test_bridges_are_nobodys_pods),
        cmocka_unit_test(test_an_envelope_goes_to_the_bridge_of_its_sender),
        cmocka_unit_test(test_a_host_speaks_for_its_own_agents_only),
        cmocka_unit_test(test_what_a_host_cannot_take_now_is_sent_again),
        cmocka_unit_test(test_nothing_is_sent_to_an_agent_that_went),
        cmocka_unit_test(test_what_is_on_its_way_to_a_host_ends_with_it),
        cmocka_unit_test(test_a_bridge_that_fails_is_opened_again),
        cmocka_unit_test(test_there_are_no_more_hosts_than_allowed),
        cmocka_unit_test(test_a_host_that_comes_has_what_others_let_go),
        cmocka_unit_test(test_what_a_host_had_before_a_start_is_not_given_away),
    };

    return is_host(count, words) ? host_main("/mortal") : cmocka_run_group_tests(tests, NULL, NULL);
}
