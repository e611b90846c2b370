/* What namespaces used, whatever becomes of the hosts that it was used in. */
#include "test/unit/agent/hosts/world.h"

/* --- What namespaces used -------------------------------------------------------------------- */

#define ID "00112233445566778899aabbccddeeff"
#define HEAD "swarm-usage 1\n"
#define USED "space shop 1 2 3 4 5 6 7 8\n"

static void put_file(const struct world *world, const char *name, const char *text)
{
    char path[160];
    FILE *file;

    (void)snprintf(path, sizeof path, "%s/%s", world->folder, name);
    file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

/* A folder of the host of an Agent that is no more. */
static struct world *world_of_dead(const char *own, const char *base)
{
    struct world *world = world_new();
    char command[128];

    (void)snprintf(command, sizeof command, "mkdir -p %s/hosts/agent-" CART, world->folder);
    assert_int_equal(system(command), 0);
    put_file(world, "hosts/agent-" CART "/host", "agent/shop/cart\n");
    if (own != NULL)
        put_file(world, "hosts/agent-" CART "/usage", own);
    if (base != NULL)
        put_file(world, "hosts/usage", base);
    return world;
}

static void add_fuel(void *ctx, const struct sw_agent_usage *usage)
{
    if (strcmp(usage->name_space, "shop") == 0)
        *(uint64_t *)ctx += usage->used.fuel;
}

static uint64_t fuel_of_shop(const struct world *world)
{
    uint64_t sum = 0;

    sw_hosts_each_space_usage(world->hosts, NULL, add_fuel, &sum);
    return sum;
}

static void start_again(struct world *world)
{
    sw_hosts_free(world->hosts);
    hosts_start(world);
}

static void test_what_was_used_outlives_its_host(void **state)
{
    struct world *world =
        world_of_dead(HEAD "id " ID "\n" USED, HEAD "space shop 1 1 1 1 1 1 1 2\n");

    (void)state;
    world->is_needed = true;
    hosts_start(world);
    assert_int_equal(fuel_of_shop(world), 10); /* It sleeps, and counts. */
    world->is_needed = false;
    until(world, is_cart_gone);
    assert_int_equal(fuel_of_shop(world), 10);
    start_again(world);
    assert_int_equal(fuel_of_shop(world), 10);
    world_free(world);
}

/* A crash between the two: it was added, and the folder is there yet. */
static void test_what_was_added_is_not_added_again(void **state)
{
    struct world *world = world_of_dead(HEAD "id " ID "\n" USED, HEAD "id " ID "\n" USED);

    (void)state;
    hosts_start(world);
    assert_int_equal(fuel_of_shop(world), 8);
    until(world, is_cart_gone);
    assert_int_equal(fuel_of_shop(world), 8);
    start_again(world);
    assert_int_equal(fuel_of_shop(world), 8);
    world_free(world);
}

static bool runs_too(const struct world *world)
{
    return world->runs >= 1;
}

static void test_what_begins_again_counts_itself(void **state)
{
    struct world *world =
        world_of_dead(HEAD "id " ID "\n" USED, HEAD "id " ID "\nspace shop 9 9 9 9 9 9 9 9\n");

    (void)state;
    world->is_needed = true;
    hosts_start(world);
    assert_int_equal(fuel_of_shop(world), 9);
    assert_int_equal(open_pod(world, CART, SW_POD_ISOLATION_AGENT, "cart", NULL), SW_OK);
    assert_int_equal(fuel_of_shop(world), 9);
    assert_true(is_folder(world, "hosts/agent-" CART "/usage"));
    until(world, runs_too);
    assert_int_equal(fuel_of_shop(world), 9);
    assert_false(is_folder(world, "hosts/agent-" CART "/usage"));
    start_again(world); /* It has told nothing, and did not end in order. */
    assert_int_equal(fuel_of_shop(world), 1);
    world_free(world);
}

/* What it used is known as long as nothing ran in it since, whether it can come up or not. */
static void test_what_cannot_begin_again_is_what_it_was(void **state)
{
    struct world *world =
        world_of_dead(HEAD "id " ID "\n" USED, HEAD "space shop 1 1 1 1 1 1 1 2\n");

    (void)state;
    put_file(world, "hosts/agent-" CART "/agents.damage", "");
    world->is_needed = true;
    hosts_start(world);
    assert_int_equal(open_pod(world, CART, SW_POD_ISOLATION_AGENT, "cart", NULL), SW_OK);
    let_pass(world, 500);
    assert_int_equal(fuel_of_shop(world), 10);
    start_again(world);
    assert_int_equal(fuel_of_shop(world), 10);
    world->is_needed = false;
    until(world, is_cart_gone);
    assert_int_equal(fuel_of_shop(world), 10);
    world_free(world);
}

/* A host that did not end in order, or of which the disk says something else, begins once more. */
static void test_what_is_not_known_is_asked_for(void **state)
{
    const char *const words[] = {NULL,
                                 "",
                                 HEAD,
                                 HEAD "id " ID "\n",
                                 HEAD "id 12\n" USED,
                                 HEAD "id  0112233445566778899aabbccddeeff\n" USED,
                                 HEAD "id " ID "\nspace shop 1 2 3 4 5 6 7 8",
                                 HEAD "id " ID "\nspace other 1 2 3 4 5 6 7 8\n",
                                 HEAD "id " ID "\nspace shop 1 2 3 4 5 6 7\n",
                                 HEAD "id " ID "\nspace shop 1 2 3 4 5 6 7 99999999999999999999\n"};

    (void)state;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        struct world *world = world_of_dead(words[i], NULL);

        hosts_start(world);
        until(world, is_cart_gone);
        assert_int_equal(fuel_of_shop(world), 0);
        assert_true(is_folder(world, "hosts/usage")); /* That it told. */
        world_free(world);
    }
}

/* One that cannot end in order is not started again and again for that. */
static void test_what_cannot_be_told_is_asked_for_now_and_then(void **state)
{
    struct world *world = world_of_dead(NULL, NULL);

    (void)state;
    put_file(world, "hosts/agent-" CART "/agents.fault", "");
    world->recheck_ms = 10 * WAIT_MS;
    hosts_start(world);
    let_pass(world, 500);
    assert_in_range(world->ups, 0, 2); /* It, and the shared one. */
    assert_false(is_cart_gone(world));
    world_free(world);
}

static void add_of_other(void *ctx, const struct sw_agent_usage *usage)
{
    if (strcmp(usage->name_space, "other") == 0)
        *(uint64_t *)ctx += usage->used.fuel + usage->throttled[0];
}

static uint64_t of_other(const struct world *world)
{
    uint64_t sum = 0;

    sw_hosts_each_space_usage(world->hosts, NULL, add_of_other, &sum);
    return sum;
}

/* All namespaces are in the shared host; one of another class has nothing to say of others. */
static void test_a_host_tells_of_its_own_namespace_only(void **state)
{
    struct world *world = world_of_three();

    (void)state;
    assert_int_equal(say(world, "cart/k", "uses 7", NULL), SW_OK);
    until(world, has_reply);
    assert_int_equal(fuel_of_shop(world), 7);
    assert_int_equal(of_other(world), 0);
    world->replies = 0;
    assert_int_equal(say(world, "some/k", "uses 8", NULL), SW_OK);
    until(world, has_reply);
    assert_int_equal(fuel_of_shop(world), 15);
    assert_int_equal(of_other(world), 0);
    world->replies = 0;
    assert_int_equal(say(world, "all/k", "uses 9", NULL), SW_OK);
    until(world, has_reply);
    assert_int_equal(of_other(world), 18);
    world_free(world);
}

int main(int count, char **words)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_was_used_outlives_its_host),
        cmocka_unit_test(test_what_was_added_is_not_added_again),
        cmocka_unit_test(test_what_begins_again_counts_itself),
        cmocka_unit_test(test_what_cannot_begin_again_is_what_it_was),
        cmocka_unit_test(test_what_is_not_known_is_asked_for),
        cmocka_unit_test(test_what_cannot_be_told_is_asked_for_now_and_then),
        cmocka_unit_test(test_a_host_tells_of_its_own_namespace_only),
    };

    return is_host(count, words) ? host_main("/mortal") : cmocka_run_group_tests(tests, NULL, NULL);
}
