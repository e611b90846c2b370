#include "pkg/agent/runtime/actor/trial.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* Who came while memory is short, and is to go first. */

static void a_trial_is_over_behind_so_many_newer_ones(void **state)
{
    struct sw_trials trials = {0};
    uint64_t id = 0;

    (void)state;
    for (uint64_t i = 1; i <= SW_TRIALS_LEAST; i++)
        sw_trials_add(&trials, i);
    assert_false(sw_trials_take(&trials, &id));
    sw_trials_add(&trials, 100);
    sw_trials_add(&trials, 101);
    assert_true(sw_trials_take(&trials, &id));
    assert_int_equal(id, 1);
    assert_true(sw_trials_take(&trials, &id));
    assert_int_equal(id, 2);
    assert_false(sw_trials_take(&trials, &id));
    sw_trials_done(&trials);
}

static void of_too_many_the_first_ones_stay(void **state)
{
    struct sw_trials trials = {0};
    uint64_t id = 0;

    (void)state;
    for (uint64_t i = 1; i <= SW_TRIALS_MAX + 5; i++)
        sw_trials_add(&trials, i);
    for (uint64_t i = 6; i <= SW_TRIALS_MAX + 5 - SW_TRIALS_LEAST; i++) {
        assert_true(sw_trials_take(&trials, &id));
        assert_int_equal(id, i);
    }
    assert_false(sw_trials_take(&trials, &id));
    sw_trials_done(&trials);
}

static void who_went_like_that_is_not_tried_again_at_once(void **state)
{
    struct sw_trials trials = {0};
    uint64_t id = 0;

    (void)state;
    sw_trials_note_gone(&trials, 7);
    sw_trials_add(&trials, 7); /* It stays, */
    sw_trials_add(&trials, 7); /* and the next time it is tried again. */
    for (uint64_t i = 100; i < 100 + SW_TRIALS_LEAST; i++)
        sw_trials_add(&trials, i);
    assert_true(sw_trials_take(&trials, &id));
    assert_int_equal(id, 7);
    assert_false(sw_trials_take(&trials, &id));
    sw_trials_done(&trials);
}

/* Those who went long ago are forgotten: as many are known as there is room for. */
static void many_are_gone_in_little_room(void **state)
{
    struct sw_trials trials = {0};
    uint32_t known = 0;

    (void)state;
    for (uint64_t i = 1; i <= 1000000; i++)
        sw_trials_note_gone(&trials, i << 8);
    for (uint64_t i = 1; i <= 1000000; i++) {
        sw_trials_add(&trials, i << 8);
        known += trials.count == 0;
        trials.count = 0;
    }
    assert_in_range(known, 1u << (SW_TRIAL_GONE_BITS - 1), 1u << SW_TRIAL_GONE_BITS);
    sw_trials_done(&trials);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_trial_is_over_behind_so_many_newer_ones),
        cmocka_unit_test(of_too_many_the_first_ones_stay),
        cmocka_unit_test(who_went_like_that_is_not_tried_again_at_once),
        cmocka_unit_test(many_are_gone_in_little_room),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
