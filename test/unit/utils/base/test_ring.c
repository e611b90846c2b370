/* The bounded ring: order, limits, and many threads putting at once. */
/* labels: threaded */
#include "pkg/utils/base/ring.h"

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void items_leave_in_order(void **state)
{
    SW_CLEANUP(sw_ring_freep) struct sw_ring *ring = sw_ring_new(4);
    int items[4];

    (void)state;
    for (int lap = 0; lap < 5; lap++) {
        for (int i = 0; i < 3; i++)
            assert_true(sw_ring_put(ring, &items[i]));
        for (int i = 0; i < 3; i++)
            assert_ptr_equal(sw_ring_get(ring), &items[i]);
        assert_null(sw_ring_get(ring));
    }
}

static void full_ring_refuses_and_recovers(void **state)
{
    SW_CLEANUP(sw_ring_freep) struct sw_ring *ring = sw_ring_new(4);
    int items[5];

    (void)state;
    for (int i = 0; i < 4; i++)
        assert_true(sw_ring_put(ring, &items[i]));
    assert_false(sw_ring_put(ring, &items[4]));
    assert_int_equal(sw_ring_count(ring), 4);
    assert_ptr_equal(sw_ring_get(ring), &items[0]);
    assert_true(sw_ring_put(ring, &items[4]));
    assert_int_equal(sw_ring_count(ring), 4);
}

static void capacity_is_rounded_up_to_a_power_of_two(void **state)
{
    SW_CLEANUP(sw_ring_freep) struct sw_ring *one = sw_ring_new(0);
    SW_CLEANUP(sw_ring_freep) struct sw_ring *five = sw_ring_new(5);
    int item;

    (void)state;
    assert_true(sw_ring_put(one, &item) && sw_ring_put(one, &item));
    assert_false(sw_ring_put(one, &item));
    for (int i = 0; i < 8; i++)
        assert_true(sw_ring_put(five, &item));
    assert_false(sw_ring_put(five, &item));
    sw_ring_free(NULL);
}

#define PRODUCERS 3
#define ITEMS_EACH 20000

struct producer {
    struct sw_ring *ring;
    pthread_t thread;
    int items[ITEMS_EACH];
};

static void *produce(void *ctx)
{
    struct producer *producer = ctx;

    for (int i = 0; i < ITEMS_EACH; i++) {
        producer->items[i] = i;
        while (!sw_ring_put(producer->ring, &producer->items[i]))
            (void)sched_yield();
    }
    return NULL;
}

/* Each producer's items arrive once and in its order, with what was written before the put. */
static void producers_do_not_disturb_each_other(void **state)
{
    SW_CLEANUP(sw_ring_freep) struct sw_ring *ring = sw_ring_new(64);
    static struct producer producers[PRODUCERS];
    int next[PRODUCERS] = {0};

    (void)state;
    for (int i = 0; i < PRODUCERS; i++) {
        producers[i].ring = ring;
        assert_int_equal(pthread_create(&producers[i].thread, NULL, produce, &producers[i]), 0);
    }
    for (int left = PRODUCERS * ITEMS_EACH; left > 0;) {
        int *item = sw_ring_get(ring);

        for (int i = 0; item != NULL && i < PRODUCERS; i++) {
            if (item < producers[i].items || item >= producers[i].items + ITEMS_EACH)
                continue;
            assert_ptr_equal(item, &producers[i].items[next[i]]);
            assert_int_equal(*item, next[i]);
            next[i]++;
            left--;
        }
        if (item == NULL)
            (void)sched_yield();
    }
    for (int i = 0; i < PRODUCERS; i++)
        assert_int_equal(pthread_join(producers[i].thread, NULL), 0);
    assert_null(sw_ring_get(ring));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(items_leave_in_order),
        cmocka_unit_test(full_ring_refuses_and_recovers),
        cmocka_unit_test(capacity_is_rounded_up_to_a_power_of_two),
        cmocka_unit_test(producers_do_not_disturb_each_other),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
