#include "pkg/resource/scheduler/scheduler.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NODE(node_name, cpus_count, pods_count)                                                    \
    {.name = (node_name),                                                                          \
     .is_ready = true,                                                                             \
     .cpus = (cpus_count),                                                                         \
     .pods = (pods_count),                                                                         \
     .pods_max = 100}

static void test_the_least_loaded_node_gets_the_pod(void **state)
{
    struct sw_schedule_node nodes[] = {NODE("a", 2, 3), NODE("b", 2, 1), NODE("c", 2, 2)};
    struct sw_schedule_pod pod;

    (void)state;
    sw_schedule(nodes, 3, &pod, 1);

    assert_int_equal(pod.ret_node, 1);
    assert_int_equal(nodes[1].pods, 2);
}

static void test_load_is_per_processor(void **state)
{
    struct sw_schedule_node nodes[] = {NODE("small", 2, 1), NODE("large", 16, 4)};
    struct sw_schedule_pod pod;

    (void)state;
    sw_schedule(nodes, 2, &pod, 1);

    assert_string_equal(nodes[pod.ret_node].name, "large");
}

static void test_decisions_of_one_call_count_for_the_next(void **state)
{
    struct sw_schedule_node nodes[] = {NODE("a", 1, 0), NODE("b", 1, 0)};
    struct sw_schedule_pod pods[10];

    (void)state;
    sw_schedule(nodes, 2, pods, 10);

    assert_int_equal(nodes[0].pods, 5);
    assert_int_equal(nodes[1].pods, 5);
}

static void test_equal_loads_are_decided_by_name_not_by_position(void **state)
{
    struct sw_schedule_node nodes[] = {NODE("b", 1, 0), NODE("a", 1, 0)};
    struct sw_schedule_pod pod;

    (void)state;
    sw_schedule(nodes, 2, &pod, 1);

    assert_string_equal(nodes[pod.ret_node].name, "a");
}

static void test_nodes_that_cannot_take_a_pod_get_none(void **state)
{
    struct sw_schedule_node nodes[] = {NODE("down", 8, 0), NODE("closed", 8, 0),
                                       NODE("full", 8, 100), NODE("busy", 1, 99)};
    struct sw_schedule_pod pods[2];

    (void)state;
    nodes[0].is_ready = false;
    nodes[1].is_unschedulable = true;

    sw_schedule(nodes, 4, pods, 2);

    assert_string_equal(nodes[pods[0].ret_node].name, "busy");
    assert_int_equal(pods[1].ret_node, SW_SCHEDULE_NOWHERE);
    assert_string_equal(pods[1].ret_reason, "every ready node has as many Pods as it may");
}

static void test_each_obstacle_has_its_words(void **state)
{
    struct sw_schedule_node node = NODE("a", 1, 0);
    struct sw_schedule_pod pod;

    (void)state;
    sw_schedule(NULL, 0, &pod, 1);
    assert_string_equal(pod.ret_reason, "no node has joined");
    node.is_ready = false;
    sw_schedule(&node, 1, &pod, 1);
    assert_string_equal(pod.ret_reason, "no node is ready");
    node.is_ready = true;
    node.is_unschedulable = true;
    sw_schedule(&node, 1, &pod, 1);
    assert_string_equal(pod.ret_reason, "every ready node is marked unschedulable");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_least_loaded_node_gets_the_pod),
        cmocka_unit_test(test_load_is_per_processor),
        cmocka_unit_test(test_decisions_of_one_call_count_for_the_next),
        cmocka_unit_test(test_equal_loads_are_decided_by_name_not_by_position),
        cmocka_unit_test(test_nodes_that_cannot_take_a_pod_get_none),
        cmocka_unit_test(test_each_obstacle_has_its_words),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
