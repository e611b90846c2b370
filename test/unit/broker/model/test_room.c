#include "pkg/broker/model/room.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static int set_up(void **state)
{
    struct model_room *room = calloc(1, sizeof *room);

    assert_non_null(room);
    assert_int_equal(sw_model_room_init(room, 1, 10, 1000), SW_OK);
    *state = room;
    return 0;
}

static int tear_down(void **state)
{
    struct model_room *room = *state;

    sw_model_room_done(room);
    free(room);
    return 0;
}

static void test_a_namespace_leaves_calls_to_others(void **state)
{
    struct model_room *room = *state;
    struct model_share *mine[8], *others[2], *none = NULL;
    struct sw_err err = {0};

    for (size_t i = 0; i < 8; i++)
        assert_int_equal(sw_model_room_enter(room, "mine", 1, &mine[i], &err), SW_OK);
    assert_int_equal(sw_model_room_enter(room, "mine", 1, &none, &err), SW_E_EXHAUSTED);
    assert_string_equal(err.message, "8 calls of models are under way in this namespace");
    assert_non_null(strstr(err.hint, "models.requests"));
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(sw_model_room_enter(room, "others", 1, &others[i], &err), SW_OK);
    assert_int_equal(sw_model_room_enter(room, "third", 1, &none, &err), SW_E_EXHAUSTED);
    assert_string_equal(err.message, "10 calls of models are under way on this node");
    sw_model_room_leave(room, mine[0], 1);
    assert_int_equal(sw_model_room_enter(room, "third", 1, &mine[0], &err), SW_OK);
    for (size_t i = 0; i < 8; i++)
        sw_model_room_leave(room, mine[i], 1);
    for (size_t i = 0; i < 2; i++)
        sw_model_room_leave(room, others[i], 1);
    assert_int_equal(room->calls, 0);
    assert_int_equal(room->bytes, 0);
    assert_int_equal(sw_map_count(room->shares), 0);
}

static void test_bytes_are_bounded(void **state)
{
    struct model_room *room = *state; /* Requests have 750 of it, of a namespace 600. */
    struct model_share *mine = NULL, *others = NULL, *none = NULL;
    struct sw_err err = {0};

    assert_int_equal(sw_model_room_enter(room, "mine", 601, &none, &err), SW_E_EXHAUSTED);
    assert_int_equal(sw_model_room_enter(room, "mine", UINT64_MAX, &none, &err), SW_E_EXHAUSTED);
    assert_int_equal(sw_map_count(room->shares), 0); /* A refusal leaves nothing. */
    assert_int_equal(sw_model_room_enter(room, "mine", 500, &mine, &err), SW_OK);
    assert_int_equal(sw_model_room_grow(room, mine, 101, false, &err), SW_E_EXHAUSTED);
    assert_non_null(strstr(err.message, "of this namespace"));
    assert_non_null(strstr(err.hint, "models.requests-size"));
    assert_int_equal(sw_model_room_grow(room, mine, 100, false, &err), SW_OK);
    assert_int_equal(sw_model_room_enter(room, "others", 151, &none, &err), SW_E_EXHAUSTED);
    assert_non_null(strstr(err.message, "of this node"));
    assert_int_equal(sw_model_room_enter(room, "others", 150, &others, &err), SW_OK);
    assert_int_equal(sw_model_room_grow(room, others, 1, false, &err), SW_E_EXHAUSTED);
    sw_model_room_shrink(room, mine, 100);
    assert_int_equal(sw_model_room_grow(room, others, 1, false, &err), SW_OK);
    sw_model_room_leave(room, others, 151);
    sw_model_room_leave(room, mine, 500);
    assert_int_equal(room->bytes, 0);
}

static void test_answers_have_room_that_requests_leave(void **state)
{
    struct model_room *room = *state;
    struct model_share *mine = NULL, *others = NULL, *none = NULL;
    struct sw_err err = {0};

    assert_int_equal(sw_model_room_enter(room, "mine", 590, &mine, &err), SW_OK);
    assert_int_equal(sw_model_room_grow(room, mine, 210, true, &err), SW_OK);
    assert_int_equal(sw_model_room_grow(room, mine, 1, true, &err), SW_E_EXHAUSTED);
    assert_non_null(strstr(err.message, "of this namespace"));
    assert_int_equal(sw_model_room_enter(room, "others", 1, &none, &err), SW_E_EXHAUSTED);
    assert_non_null(strstr(err.message, "of this node"));
    sw_model_room_shrink(room, mine, 210);
    assert_int_equal(sw_model_room_enter(room, "others", 1, &others, &err), SW_OK);
    sw_model_room_leave(room, others, 1);
    sw_model_room_leave(room, mine, 590);
    assert_int_equal(room->bytes, 0);
}

static void test_done_with_some_inside(void **state)
{
    struct model_share *share = NULL;

    assert_int_equal(sw_model_room_enter(*state, "mine", 5, &share, NULL), SW_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_namespace_leaves_calls_to_others, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bytes_are_bounded, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_answers_have_room_that_requests_leave, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_done_with_some_inside, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
