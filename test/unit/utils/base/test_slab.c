/* Slabs: objects side by side, zeroed, apart from each other; chunks come and go. */
#include "pkg/utils/base/slab.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define OBJECTS 12000u /* Of 448 bytes: in three chunks. */
#define OBJECT_BYTES 400u

static struct sw_slabs slabs;
static uint8_t *objects[OBJECTS];

static int setup(void **state)
{
    (void)state;
    sw_slabs_init(&slabs);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    sw_slabs_done(&slabs);
    return 0;
}

static void take(uint32_t i)
{
    objects[i] = sw_slabs_take(&slabs, OBJECT_BYTES);
    assert_non_null(objects[i]);
    assert_int_equal((uintptr_t)objects[i] % SW_SLAB_ALIGN, 0);
    for (size_t at = 0; at < OBJECT_BYTES; at++)
        assert_int_equal(objects[i][at], 0);
    memset(objects[i], (int)(i % 255 + 1), OBJECT_BYTES);
}

static void put(uint32_t i)
{
    for (size_t at = 0; at < OBJECT_BYTES; at++)
        assert_int_equal(objects[i][at], i % 255 + 1);
    sw_slabs_put(&slabs, objects[i], OBJECT_BYTES);
    objects[i] = NULL;
}

static void objects_are_zeroed_and_apart(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < OBJECTS; i++)
        take(i);
    for (uint32_t i = 0; i < OBJECTS; i += 2)
        put(i);
    for (uint32_t i = 0; i < OBJECTS; i += 2)
        take(i);
    for (uint32_t i = 0; i < OBJECTS; i++)
        put(i);
}

static void sizes_do_not_meet(void **state)
{
    uint8_t *small = sw_slabs_take(&slabs, 1), *large = sw_slabs_take(&slabs, SW_SLAB_BYTES_MAX);

    (void)state;
    memset(small, 1, SW_SLAB_ALIGN);
    memset(large, 2, SW_SLAB_BYTES_MAX);
    assert_int_equal(small[SW_SLAB_ALIGN - 1], 1);
    assert_int_equal(large[0], 2);
    sw_slabs_put(&slabs, small, 1);
    sw_slabs_put(&slabs, large, SW_SLAB_BYTES_MAX);
}

/* In a build without AddressSanitizer, which has no chunks. */
static void empty_chunks_go_but_one(void **state)
{
    size_t index = (OBJECT_BYTES - 1) / SW_SLAB_ALIGN;
    uint32_t most;

    (void)state;
    for (uint32_t i = 0; i < OBJECTS; i++)
        take(i);
    most = slabs.counts[index];
    for (uint32_t i = 0; i < OBJECTS; i++)
        put(i);
    assert_true(most == 0 || most == 3);
    assert_int_equal(slabs.counts[index], most == 0 ? 0 : 1);
    take(0);
    put(0);
    assert_int_equal(slabs.counts[index], most == 0 ? 0 : 1);
}

static void one_at_the_edge_of_a_chunk_keeps_it(void **state)
{
    size_t index = (OBJECT_BYTES - 1) / SW_SLAB_ALIGN;
    uint32_t count = 0, most;

    (void)state;
    do
        take(count++);
    while (slabs.counts[index] == 1 && count < OBJECTS); /* The last one began a second chunk. */
    most = slabs.counts[index];
    for (int i = 0; i < 100; i++) { /* The first has no room: the second must stay. */
        put(count - 1);
        assert_int_equal(slabs.counts[index], most);
        take(count - 1);
    }
    while (count > 0)
        put(--count);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(objects_are_zeroed_and_apart, setup, teardown),
        cmocka_unit_test_setup_teardown(sizes_do_not_meet, setup, teardown),
        cmocka_unit_test_setup_teardown(empty_chunks_go_but_one, setup, teardown),
        cmocka_unit_test_setup_teardown(one_at_the_edge_of_a_chunk_keeps_it, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
