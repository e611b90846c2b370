/* Intrusive lists. */
#include "pkg/utils/base/list.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

struct item {
    int number;
    struct sw_list node;
};

static struct sw_list head;
static struct item items[5];

static int setup(void **state)
{
    (void)state;
    sw_list_init(&head);
    for (int i = 0; i < 5; i++) {
        items[i].number = i;
        sw_list_add(&head, &items[i].node);
    }
    return 0;
}

static int sum(void)
{
    int total = 0;

    SW_LIST_EACH(&head, node)
    total = total * 10 + SW_LIST_ITEM(node, struct item, node)->number;
    return total;
}

static void items_are_visited_in_order(void **state)
{
    (void)state;
    assert_int_equal(sum(), 1234);
    assert_ptr_equal(sw_list_first(&head), &items[0].node);
}

static void removed_node_is_its_own_empty_list(void **state)
{
    (void)state;
    sw_list_remove(&items[2].node);
    assert_int_equal(sum(), 134);
    assert_true(sw_list_is_empty(&items[2].node));
    sw_list_remove(&items[2].node);
    assert_int_equal(sum(), 134);
}

static void node_may_leave_during_its_visit(void **state)
{
    (void)state;
    SW_LIST_EACH(&head, node)
    sw_list_remove(node);
    assert_true(sw_list_is_empty(&head));
    assert_null(sw_list_first(&head));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(items_are_visited_in_order, setup),
        cmocka_unit_test_setup(removed_node_is_its_own_empty_list, setup),
        cmocka_unit_test_setup(node_may_leave_during_its_visit, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
