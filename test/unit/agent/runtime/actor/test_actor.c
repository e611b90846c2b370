/* The part of an instance that follows from its records: what comes and goes, and how it is saved.
 */
#include "pkg/agent/runtime/actor/actor.h"

#include "include/swarm/agent.h"
#include "pkg/agent/store/effect.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define HANDLES 40u

static struct sw_actor actor;
static struct sw_buffer effects;

static int set_up(void **state)
{
    (void)state;
    memset(&actor, 0, sizeof actor);
    sw_buffer_init(&effects, 1 << 20);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    sw_actor_done(&actor);
    sw_buffer_done(&effects);
    return 0;
}

/* A turn that handled a message, with the effects that were put. */
static void apply(struct sw_record_segment segment)
{
    segment.entry = SW_ENTRY_MESSAGE;
    segment.has_message = true;
    segment.effects = (struct sw_bytes){effects.data, effects.size};
    assert_int_equal(sw_actor_apply(&actor, &segment, 0, NULL), SW_OK);
    sw_buffer_reset(&effects);
}

static struct sw_message_head head_of_client(uint64_t number, uint32_t flags)
{
    return (struct sw_message_head){
        .flags = flags, .origin = {.kind = SW_ORIGIN_CLIENT, .incarnation = 5, .number = number}};
}

static void save_and_load(void)
{
    struct sw_buffer saved;

    sw_buffer_init(&saved, 1 << 20);
    sw_actor_save(&actor, &saved);
    sw_actor_done(&actor);
    assert_int_equal(sw_actor_load(&actor, (struct sw_bytes){saved.data, saved.size}, NULL), SW_OK);
    sw_buffer_done(&saved);
}

/* Nobody notes for how many handles there is room: the sanitizer looks on. */
static void handles_that_come_and_go_are_all_there(void **state)
{
    uint64_t open[HANDLES];
    uint32_t count = 0;

    (void)state;
    srand(11);
    for (uint64_t turn = 1; turn < 3000; turn++) {
        uint32_t answers = (uint32_t)rand() % 3;

        for (; answers > 0 && count > 0; answers--) {
            uint32_t at = (uint32_t)rand() % count;

            sw_effect_put(&(struct sw_effect){.kind = SW_EFFECT_REPLY, .number = open[at]},
                          &effects);
            open[at] = open[--count];
        }
        if (count < HANDLES)
            open[count++] = sw_actor_next_handle(&actor);
        else
            continue;
        apply((struct sw_record_segment){.outcome = SW_OUTCOME_DONE,
                                         .head = head_of_client(turn, SWARM_MESSAGE_WANTS_REPLY)});
        assert_int_equal(actor.handles_count - actor.handles_dead, count);
        for (uint32_t i = 0; i < count; i++)
            assert_int_equal(sw_actor_handle(&actor, open[i])->number, open[i]);
    }
}

static void timers_and_subscriptions_are_as_many_as_were_made(void **state)
{
    char name[2] = "a";

    (void)state;
    for (uint32_t i = 0; i < 20; i++, name[0]++) {
        sw_effect_put(&(struct sw_effect){.kind = SW_EFFECT_TIMER_START, .number = i, .due_ns = i},
                      &effects);
        sw_effect_put(&(struct sw_effect){.kind = SW_EFFECT_SUBSCRIBE, .to = {name, 1}}, &effects);
        if (i % 3 == 2) {
            sw_effect_put(&(struct sw_effect){.kind = SW_EFFECT_TIMER_CANCEL, .number = i - 1},
                          &effects);
            sw_effect_put(&(struct sw_effect){.kind = SW_EFFECT_UNSUBSCRIBE, .to = {name, 1}},
                          &effects);
        }
        apply((struct sw_record_segment){.outcome = SW_OUTCOME_DONE});
        assert_int_equal(actor.timers_count, i + 1 - (i + 1) / 3);
        assert_int_equal(actor.patterns_count, i + 1 - (i + 1) / 3);
    }
    save_and_load();
    assert_int_equal(actor.timers_count, 14);
    assert_int_equal(sw_actor_timer(&actor, 18)->due_ns, 18);
    assert_true(sw_actor_has_pattern(&actor, (struct sw_bytes){"s", 1}));
}

static void a_client_that_waits_for_the_end_of_a_turn_is_saved_with_it(void **state)
{
    struct sw_origin asker;

    (void)state;
    assert_int_equal(sw_actor_asker(&actor).kind, SW_ORIGIN_NONE);
    sw_effect_put(&(struct sw_effect){.kind = SW_EFFECT_SLEEP, .number = 1, .due_ns = 9}, &effects);
    apply((struct sw_record_segment){.outcome = SW_OUTCOME_WAITING, .head = head_of_client(7, 0)});
    save_and_load();
    asker = sw_actor_asker(&actor);
    assert_int_equal(asker.kind, SW_ORIGIN_CLIENT);
    assert_int_equal(asker.incarnation, 5);
    assert_int_equal(asker.number, 7);
    assert_int_equal(sw_actor_apply(&actor,
                                    &(struct sw_record_segment){.entry = SW_ENTRY_RESUME,
                                                                .outcome = SW_OUTCOME_DONE,
                                                                .wait = 1},
                                    0, NULL),
                     SW_OK);
    apply((struct sw_record_segment){.outcome = SW_OUTCOME_DONE}); /* Of somebody else. */
    assert_int_equal(sw_actor_asker(&actor).kind, SW_ORIGIN_NONE);
}

static void a_call_is_saved_with_texts_of_any_length(void **state)
{
    char service[SW_EFFECT_TEXT_MAX], type[SW_EFFECT_TEXT_MAX], body[70000];
    const struct sw_call *call;

    (void)state;
    memset(service, 's', sizeof service);
    memset(type, 't', sizeof type);
    memset(body, 'b', sizeof body);
    sw_effect_put(&(struct sw_effect){.kind = SW_EFFECT_CALL,
                                      .number = 1,
                                      .to = {service, sizeof service},
                                      .type = {type, sizeof type},
                                      .body = {body, sizeof body},
                                      .due_ns = UINT64_MAX},
                  &effects);
    apply((struct sw_record_segment){.outcome = SW_OUTCOME_WAITING, .head = head_of_client(7, 0)});
    save_and_load();
    call = actor.wait.call;
    assert_true(
        sw_bytes_is_equal(sw_call_service(call), (struct sw_bytes){service, sizeof service}));
    assert_true(sw_bytes_is_equal(sw_call_type(call), (struct sw_bytes){type, sizeof type}));
    assert_true(sw_bytes_is_equal(sw_call_body(call), (struct sw_bytes){body, sizeof body}));
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(handles_that_come_and_go_are_all_there),
        TEST(timers_and_subscriptions_are_as_many_as_were_made),
        TEST(a_client_that_waits_for_the_end_of_a_turn_is_saved_with_it),
        TEST(a_call_is_saved_with_texts_of_any_length),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
