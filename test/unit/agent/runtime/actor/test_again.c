/* uses: pkg/agent/link */
/* Whoever has more to do runs again without being queued, for as long as nobody is to run before it
 * and nothing is to be done in between. */
#include "pkg/agent/runtime/actor/state.h"
#include "test/unit/agent/runtime/actor/asking.h"

#define MANY 40
#define IN_A_ROW_MAX 16u

static char order[256]; /* The first letters of what was logged. */

static struct sw_worker *worker(void)
{
    return actors.workers[1];
}

static int set_up(void **state)
{
    (void)state;
    actors_init(&actors, 2, 1);
    actors_open(&actors, &(struct actors_pod){.number = 1, .agent = "a", .is_keyed = true});
    actors_open(&actors, &(struct actors_pod){.number = 3, .agent = "c", .is_keyed = true});
    actors_ask(&actors, 1, "x", "add 1");
    actors_ask(&actors, 1, "y", "add 1");
    actors_ask(&actors, 3, "z", "add 1");
    return 0;
}

static void log_often(void)
{
    for (int i = 0; i < MANY; i++)
        actors_send(&actors, 1, "x", "log x");
}

/* Run once, and note who logged. Returns how many segments ran. */
static uint32_t run(uint32_t segments_max)
{
    uint32_t count = sw_worker_run(worker(), segments_max);
    struct sw_output *output;
    size_t at = 0;

    while ((output = sw_worker_output(worker())) != NULL) {
        struct sw_frame frame;
        size_t size = 0;

        assert_int_equal(sw_frame_take((struct sw_bytes){output->bytes, output->size},
                                       SW_FRAME_FROM_HOST, &frame, &size, NULL),
                         SW_OK);
        if (frame.kind == SW_FRAME_LOG)
            order[at++] = *(const char *)frame.log.text.data;
        free(output);
    }
    order[at] = 0;
    return count;
}

static uint32_t place_of(char letter)
{
    const char *at = strchr(order, letter);

    assert_non_null(at);
    return (uint32_t)(at - order);
}

static void others_of_its_agent_wait_for_a_few(void **state)
{
    (void)state;
    log_often();
    actors_send(&actors, 1, "y", "log y");
    assert_int_equal(run(1000), MANY + 1);
    assert_in_range(place_of('y'), 2, IN_A_ROW_MAX);
}

static void another_agent_does_not_wait(void **state)
{
    (void)state;
    log_often();
    actors_send(&actors, 3, "z", "log z");
    assert_int_equal(run(1000), MANY + 1);
    assert_in_range(place_of('z'), 0, 1);
}

static void another_priority_has_its_part(void **state)
{
    (void)state;
    log_often();
    actors_send_at(&actors, 1, "y", "log y", SWARM_PRIORITY_LOW);
    assert_int_equal(run(1000), MANY + 1);
    assert_in_range(place_of('y'), 0, 2);
}

static void whom_it_handed_on_to_is_next(void **state)
{
    (void)state;
    actors_send(&actors, 1, "x", "send a/y|log y");
    log_often();
    assert_int_equal(run(1000), MANY + 2);
    assert_int_equal(place_of('y'), 0);
}

static void it_runs_no_more_often_than_it_is_to(void **state)
{
    (void)state;
    log_often();
    assert_int_equal(run(3), 3);
    assert_string_equal(order, "xxx");
    assert_int_equal(run(1000), MANY - 3);
}

static void enter_and_want_still(void *ctx, struct sw_guest *guest,
                                 const struct sw_guest_input *input,
                                 struct sw_guest_outcome *ret_outcome)
{
    atomic_store(&actors.shared.wants_still, true);
    script_enter(ctx, guest, input, ret_outcome);
}

static void it_stands_still_with_the_others(void **state)
{
    (void)state;
    log_often();
    worker()->engine.enter = enter_and_want_still;
    assert_int_equal(run(1000), 1);
    worker()->engine.enter = script_enter;
    atomic_store(&actors.shared.wants_still, false);
    assert_int_equal(run(1000), MANY - 1);
}

/* Of large messages six fill an epoch, and more of them might not fit what may be open. */
static void it_waits_for_a_full_epoch(void **state)
{
    static char body[200001];

    (void)state;
    memset(body, 'b', sizeof body - 1);
    for (int i = 0; i < MANY; i++)
        actors_send(&actors, 1, "x", body);
    assert_int_equal(run(1000), 6);
    actors_settle(&actors);
    assert_int_equal(field_of(1, "x", "messages"), MANY + 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down_unbroken)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(others_of_its_agent_wait_for_a_few),  TEST(another_agent_does_not_wait),
        TEST(another_priority_has_its_part),       TEST(whom_it_handed_on_to_is_next),
        TEST(it_runs_no_more_often_than_it_is_to), TEST(it_stands_still_with_the_others),
        TEST(it_waits_for_a_full_epoch),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
