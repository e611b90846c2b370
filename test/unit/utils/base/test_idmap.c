/* The map from numbers: compared with a plain array over many random operations, whatever part of
 * the numbers counts as their order. */
#include "pkg/utils/base/idmap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define IDS 700

static char values[IDS]; /* The address of a cell is the value under its number. */

static void absent_id_is_null(void **state)
{
    SW_CLEANUP(sw_idmap_freep) struct sw_idmap *map = sw_idmap_new(1, 0);
    size_t cursor = 0;
    void *value;

    (void)state;
    assert_null(sw_idmap_find(map, 0));
    assert_null(sw_idmap_remove(map, 0));
    assert_int_equal(sw_idmap_count(map), 0);
    assert_false(sw_idmap_next(map, &cursor, NULL, &value));
    sw_idmap_free(NULL);
}

static void put_returns_what_it_replaced(void **state)
{
    SW_CLEANUP(sw_idmap_freep) struct sw_idmap *map = sw_idmap_new(1, 8);
    void *old = &values;

    (void)state;
    assert_int_equal(sw_idmap_put(map, 0, &values[0], &old), SW_OK);
    assert_null(old);
    assert_int_equal(sw_idmap_put(map, 0, &values[1], &old), SW_OK);
    assert_ptr_equal(old, &values[0]);
    assert_ptr_equal(sw_idmap_remove(map, 0), &values[1]);
    assert_int_equal(sw_idmap_count(map), 0);
}

/* Numbers that follow one another, that agree in what counts, and that are far apart. */
static uint64_t id_of(size_t number)
{
    return number % 3 == 0 ? number : number % 3 == 1 ? number << 8 : (uint64_t)number << 40;
}

static void random_operations(uint64_t seed, unsigned skip_bits)
{
    SW_CLEANUP(sw_idmap_freep) struct sw_idmap *map = sw_idmap_new(seed, skip_bits);
    bool is_there[IDS] = {false};
    size_t count = 0;

    for (int step = 0; step < 30000; step++) {
        size_t number = (size_t)rand() % IDS;

        if (rand() % 2 == 0) {
            assert_int_equal(sw_idmap_put(map, id_of(number), &values[number], NULL), SW_OK);
            count += !is_there[number];
            is_there[number] = true;
        } else {
            assert_ptr_equal(sw_idmap_remove(map, id_of(number)),
                             is_there[number] ? &values[number] : NULL);
            count -= is_there[number];
            is_there[number] = false;
        }
        assert_int_equal(sw_idmap_count(map), count);
    }
    for (size_t number = 0; number < IDS; number++)
        assert_ptr_equal(sw_idmap_find(map, id_of(number)),
                         is_there[number] ? &values[number] : NULL);
}

static void agrees_with_an_array_over_random_operations(void **state)
{
    (void)state;
    srand(3);
    random_operations(7, 0);
    random_operations(8, 8);
    random_operations(9, 63);
}

static void iteration_visits_each_entry_once(void **state)
{
    SW_CLEANUP(sw_idmap_freep) struct sw_idmap *map = sw_idmap_new(9, 8);
    int visits[IDS] = {0};
    size_t cursor = 0;
    uint64_t id;
    void *value;

    (void)state;
    for (size_t number = 0; number < IDS; number++)
        assert_int_equal(sw_idmap_put(map, id_of(number), &values[number], NULL), SW_OK);
    while (sw_idmap_next(map, &cursor, &id, &value)) {
        size_t number = (size_t)((char *)value - values);

        assert_int_equal(id, id_of(number));
        visits[number]++;
    }
    for (size_t number = 0; number < IDS; number++)
        assert_int_equal(visits[number], 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(absent_id_is_null),
        cmocka_unit_test(put_returns_what_it_replaced),
        cmocka_unit_test(agrees_with_an_array_over_random_operations),
        cmocka_unit_test(iteration_visits_each_entry_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
