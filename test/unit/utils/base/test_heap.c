/* The heap of timers and back-offs: smallest rank first, equal ranks in order, any may leave. */
#include "pkg/utils/base/heap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#define ENTRIES 1000

static struct sw_heap_entry entries[ENTRIES];
static struct sw_heap heap;

static int setup(void **state)
{
    (void)state;
    sw_heap_init(&heap);
    for (size_t i = 0; i < ENTRIES; i++)
        entries[i] = (struct sw_heap_entry){.at = SW_HEAP_ABSENT};
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    sw_heap_done(&heap);
    return 0;
}

static struct sw_heap_entry *take_first(void)
{
    struct sw_heap_entry *first = sw_heap_first(&heap);

    if (first != NULL)
        sw_heap_remove(&heap, first);
    return first;
}

static void empty_heap_has_no_first(void **state)
{
    (void)state;
    assert_null(sw_heap_first(&heap));
    sw_heap_remove(&heap, &entries[0]); /* Absent: nothing happens. */
}

static void entries_leave_by_rank(void **state)
{
    uint64_t last = 0;

    (void)state;
    srand(1);
    for (size_t i = 0; i < ENTRIES; i++)
        assert_int_equal(sw_heap_put(&heap, &entries[i], (uint64_t)(rand() % 100)), SW_OK);
    for (size_t i = 0; i < ENTRIES; i++) {
        struct sw_heap_entry *first = take_first();

        assert_non_null(first);
        assert_true(first->rank >= last);
        assert_true(first->at == SW_HEAP_ABSENT);
        last = first->rank;
    }
    assert_null(take_first());
}

static void equal_ranks_leave_in_order_of_insertion(void **state)
{
    (void)state;
    for (size_t i = 0; i < ENTRIES; i++)
        assert_int_equal(sw_heap_put(&heap, &entries[i], 7), SW_OK);
    for (size_t i = 0; i < ENTRIES; i++)
        assert_ptr_equal(take_first(), &entries[i]);
}

static void equal_ranks_stay_in_order_when_their_numbers_begin_anew(void **state)
{
    (void)state;
    heap.next_order = UINT32_MAX - ENTRIES / 2;
    for (size_t i = 0; i < ENTRIES; i++)
        assert_int_equal(sw_heap_put(&heap, &entries[i], 7), SW_OK);
    for (size_t i = 0; i < ENTRIES; i++)
        assert_ptr_equal(take_first(), &entries[i]);
}

static void put_again_moves_the_entry(void **state)
{
    (void)state;
    for (size_t i = 0; i < 10; i++)
        assert_int_equal(sw_heap_put(&heap, &entries[i], 10 + i), SW_OK);
    assert_int_equal(sw_heap_put(&heap, &entries[9], 1), SW_OK);
    assert_int_equal(sw_heap_put(&heap, &entries[0], 100), SW_OK);
    assert_int_equal(heap.count, 10);
    assert_ptr_equal(take_first(), &entries[9]);
    assert_ptr_equal(take_first(), &entries[1]);
    for (size_t i = 0; i < 7; i++)
        (void)take_first();
    assert_ptr_equal(take_first(), &entries[0]);
}

static void any_entry_can_be_removed(void **state)
{
    uint64_t last = 0;
    size_t left = 0;

    (void)state;
    srand(2);
    for (size_t i = 0; i < ENTRIES; i++)
        assert_int_equal(sw_heap_put(&heap, &entries[i], (uint64_t)(rand() % 1000)), SW_OK);
    for (size_t i = 0; i < ENTRIES; i += 3)
        sw_heap_remove(&heap, &entries[i]);
    for (struct sw_heap_entry *first; (first = take_first()) != NULL; left++) {
        assert_true(first->rank >= last);
        assert_true((first - entries) % 3 != 0);
        last = first->rank;
    }
    assert_int_equal(left, ENTRIES - (ENTRIES + 2) / 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(empty_heap_has_no_first, setup, teardown),
        cmocka_unit_test_setup_teardown(entries_leave_by_rank, setup, teardown),
        cmocka_unit_test_setup_teardown(equal_ranks_leave_in_order_of_insertion, setup, teardown),
        cmocka_unit_test_setup_teardown(equal_ranks_stay_in_order_when_their_numbers_begin_anew,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(put_again_moves_the_entry, setup, teardown),
        cmocka_unit_test_setup_teardown(any_entry_can_be_removed, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
