#include "pkg/broker/model/queue.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct caller {
    struct model_waiter waiter;
    unsigned priority;
    char agent;
    int number;
};

static void enter(struct model_queue *queue, struct caller *caller, unsigned priority, char agent)
{
    static int numbers;

    caller->priority = priority;
    caller->agent = agent;
    caller->number = numbers++;
    assert_int_equal(
        sw_model_queue_add(queue, priority, (struct sw_bytes){&agent, 1}, &caller->waiter), SW_OK);
}

static struct caller *take(struct model_queue *queue)
{
    struct model_waiter *waiter = sw_model_queue_take(queue);

    return waiter == NULL ? NULL : SW_LIST_ITEM(waiter, struct caller, waiter);
}

static void test_agents_take_turns(void **state)
{
    struct model_queue queue;
    struct caller callers[12] = {0};
    char order[13] = "";

    (void)state;
    assert_int_equal(sw_model_queue_init(&queue, 7), SW_OK);
    for (int i = 0; i < 8; i++)
        enter(&queue, &callers[i], 1, 'a');
    enter(&queue, &callers[8], 1, 'b');
    enter(&queue, &callers[9], 1, 'b');
    enter(&queue, &callers[10], 1, 'c');
    for (int i = 0; i < 11; i++)
        order[i] = take(&queue)->agent;
    assert_string_equal(order, "abcabaaaaaa");
    assert_null(take(&queue));
    assert_int_equal(queue.count, 0);
    sw_model_queue_done(&queue);
}

static void test_calls_of_an_agent_keep_their_order(void **state)
{
    struct model_queue queue;
    struct caller callers[5] = {0};
    int last = -1;

    (void)state;
    assert_int_equal(sw_model_queue_init(&queue, 7), SW_OK);
    for (int i = 0; i < 5; i++)
        enter(&queue, &callers[i], 2, 'a');
    sw_model_queue_remove(&queue, &callers[2].waiter);
    sw_model_queue_remove(&queue, &callers[2].waiter); /* Twice does nothing. */
    for (int i = 0; i < 4; i++) {
        struct caller *caller = take(&queue);

        assert_true(caller->number > last);
        assert_ptr_not_equal(caller, &callers[2]);
        last = caller->number;
    }
    assert_null(take(&queue));
    sw_model_queue_done(&queue);
}

/* While all priorities have calls that wait, of 15 they get 8, 4, 2 and 1. */
static void test_priorities_share(void **state)
{
    struct model_queue queue;
    static struct caller callers[4][60];
    unsigned taken[SW_MODEL_PRIORITIES] = {0};

    (void)state;
    memset(callers, 0, sizeof callers);
    assert_int_equal(sw_model_queue_init(&queue, 7), SW_OK);
    for (unsigned i = 0; i < 4; i++)
        for (int j = 0; j < 60; j++)
            enter(&queue, &callers[i][j], i, 'a');
    for (int i = 0; i < 45; i++)
        taken[take(&queue)->priority]++;
    assert_int_equal(taken[0], 24);
    assert_int_equal(taken[1], 12);
    assert_int_equal(taken[2], 6);
    assert_int_equal(taken[3], 3);
    while (take(&queue) != NULL)
        ;
    assert_int_equal(sw_map_count(queue.flows), 0); /* Nothing is kept of who has left. */
    sw_model_queue_done(&queue);
}

static void test_done_with_some_waiting(void **state)
{
    struct model_queue queue;
    struct caller caller = {0};

    (void)state;
    assert_int_equal(sw_model_queue_init(&queue, 7), SW_OK);
    enter(&queue, &caller, 0, 'a');
    sw_model_queue_done(&queue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_agents_take_turns),
        cmocka_unit_test(test_calls_of_an_agent_keep_their_order),
        cmocka_unit_test(test_priorities_share),
        cmocka_unit_test(test_done_with_some_waiting),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
