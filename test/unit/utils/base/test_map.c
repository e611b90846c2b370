/* The hash map: compared with a plain array over many random operations. */
#include "pkg/utils/base/map.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static char values[2]; /* Two distinct addresses. */

static void absent_key_is_null(void **state)
{
    SW_CLEANUP(sw_map_freep) struct sw_map *map = sw_map_new(1);

    (void)state;
    assert_null(sw_map_find(map, "a", 1));
    assert_null(sw_map_remove(map, "a", 1));
    assert_int_equal(sw_map_count(map), 0);
}

static void put_returns_what_it_replaced(void **state)
{
    SW_CLEANUP(sw_map_freep) struct sw_map *map = sw_map_new(1);
    void *old = &values;

    (void)state;
    assert_int_equal(sw_map_put(map, "a", 1, &values[0], &old), SW_OK);
    assert_null(old);
    assert_int_equal(sw_map_put(map, "a", 1, &values[1], &old), SW_OK);
    assert_ptr_equal(old, &values[0]);
    assert_int_equal(sw_map_count(map), 1);
    assert_ptr_equal(sw_map_remove(map, "a", 1), &values[1]);
    assert_int_equal(sw_map_count(map), 0);
}

static void keys_are_bytes_and_copied(void **state)
{
    SW_CLEANUP(sw_map_freep) struct sw_map *map = sw_map_new(1);
    char key[3] = {'a', '\0', 'b'};

    (void)state;
    assert_int_equal(sw_map_put(map, key, 3, &values[0], NULL), SW_OK);
    assert_int_equal(sw_map_put(map, "", 0, &values[1], NULL), SW_OK);
    key[0] = 'x';
    assert_ptr_equal(sw_map_find(map, "a\0b", 3), &values[0]);
    assert_ptr_equal(sw_map_find(map, NULL, 0), &values[1]);
    assert_null(sw_map_find(map, "a\0", 2));
}

#define KEYS 500

struct cell { /* A value of the model; where maps copy keys, what counts of it is its address. */
    size_t size;
    char key[64];
};

/* Keys of many lengths, so that some stand in their slot and others behind it. */
static void cells_init(struct cell cells[KEYS])
{
    for (uint16_t number = 0; number < KEYS; number++) {
        cells[number].size = sizeof number + number % 40;
        (void)memset(cells[number].key, 'k', sizeof cells[number].key);
        (void)memcpy(cells[number].key, &number, sizeof number);
    }
}

static struct sw_bytes key_of_cell(const void *value)
{
    const struct cell *cell = value;

    return (struct sw_bytes){cell->key, cell->size};
}

static void compare_with_an_array(struct sw_map *map)
{
    static struct cell cells[KEYS];
    bool is_there[KEYS] = {false};
    size_t count = 0;

    cells_init(cells);
    srand(3);
    for (int step = 0; step < 50000; step++) {
        int key = rand() % KEYS;
        const struct cell asked = cells[key]; /* Other bytes of the same words. */

        if (rand() % 2 == 0) {
            assert_int_equal(sw_map_put(map, asked.key, asked.size, &cells[key], NULL), SW_OK);
            count += !is_there[key];
            is_there[key] = true;
        } else {
            void *removed = sw_map_remove(map, asked.key, asked.size);

            assert_ptr_equal(removed, is_there[key] ? &cells[key] : NULL);
            count -= is_there[key];
            is_there[key] = false;
        }
        assert_int_equal(sw_map_count(map), count);
    }
    for (int key = 0; key < KEYS; key++) {
        const struct cell asked = cells[key];

        assert_ptr_equal(sw_map_find(map, asked.key, asked.size),
                         is_there[key] ? &cells[key] : NULL);
    }
}

static void agrees_with_an_array_over_random_operations(void **state)
{
    SW_CLEANUP(sw_map_freep) struct sw_map *map = sw_map_new(7);

    (void)state;
    compare_with_an_array(map);
}

static void values_that_hold_their_keys_are_found_by_them(void **state)
{
    SW_CLEANUP(sw_map_freep) struct sw_map *map = sw_map_new_of(7, key_of_cell);

    (void)state;
    compare_with_an_array(map);
}

static void iteration_yields_the_keys_that_values_hold(void **state)
{
    SW_CLEANUP(sw_map_freep) struct sw_map *map = sw_map_new_of(9, key_of_cell);
    static struct cell cells[KEYS];
    struct sw_map_entry entry;
    size_t cursor = 0, visits = 0;

    (void)state;
    cells_init(cells);
    for (int key = 0; key < KEYS; key++)
        assert_int_equal(sw_map_put(map, cells[key].key, cells[key].size, &cells[key], NULL),
                         SW_OK);
    for (; sw_map_next(map, &cursor, &entry); visits++) {
        const struct cell *cell = entry.value;

        assert_ptr_equal(entry.key.data, cell->key);
        assert_int_equal(entry.key.size, cell->size);
    }
    assert_int_equal(visits, KEYS);
}

static void iteration_visits_each_entry_once(void **state)
{
    SW_CLEANUP(sw_map_freep) struct sw_map *map = sw_map_new(9);
    int visits[KEYS] = {0};
    struct sw_map_entry entry;
    size_t cursor = 0;

    (void)state;
    for (uint16_t key = 0; key < KEYS; key++)
        assert_int_equal(sw_map_put(map, &key, sizeof key, &visits[key], NULL), SW_OK);
    while (sw_map_next(map, &cursor, &entry)) {
        uint16_t key;

        assert_int_equal(entry.key.size, sizeof key);
        (void)memcpy(&key, entry.key.data, sizeof key);
        assert_ptr_equal(entry.value, &visits[key]);
        visits[key]++;
    }
    for (int key = 0; key < KEYS; key++)
        assert_int_equal(visits[key], 1);
}

static void iteration_of_an_empty_map_ends_at_once(void **state)
{
    SW_CLEANUP(sw_map_freep) struct sw_map *map = sw_map_new(9);
    struct sw_map_entry entry;
    size_t cursor = 0;

    (void)state;
    assert_false(sw_map_next(map, &cursor, &entry));
    sw_map_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(absent_key_is_null),
        cmocka_unit_test(put_returns_what_it_replaced),
        cmocka_unit_test(keys_are_bytes_and_copied),
        cmocka_unit_test(agrees_with_an_array_over_random_operations),
        cmocka_unit_test(values_that_hold_their_keys_are_found_by_them),
        cmocka_unit_test(iteration_visits_each_entry_once),
        cmocka_unit_test(iteration_yields_the_keys_that_values_hold),
        cmocka_unit_test(iteration_of_an_empty_map_ends_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
