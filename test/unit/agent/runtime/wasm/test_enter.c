/* labels: threaded */
/* uses: pkg/agent/modules pkg/utils/system */
#include "test/unit/agent/runtime/wasm/fixture.h"

#include <pthread.h>

static void results_are_judged(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(tell(f, "fail"), SW_GUEST_FAILED);
    assert_int_equal(f->outcome.code, SW_E_UNAVAILABLE);
    assert_string_equal(f->outcome.report, "the handler returned -14 (UNAVAILABLE)");
    assert_int_equal(tell(f, "wait"), SW_GUEST_FAILED);
    assert_int_equal(f->outcome.code, SW_E_INVALID);
    assert_non_null(strstr(f->outcome.report, "SWARM_WAITING"));
    assert_int_equal(tell(f, "nonsense"), SW_GUEST_FAILED);
    assert_string_equal(f->outcome.report, "the handler returned 77, which is no result");
    assert_int_equal(tell(f, "count"), SW_GUEST_DONE);
    assert_string_equal(f->outcome.report, "");
}

static void a_trap_tells_what_and_where(void **state)
{
    static const struct {
        const char *command, *words;
    } traps[] = {
        {"trap", "unreachable code was reached"},
        {"out of bounds", "memory access out of bounds"},
        {"divide", "integer division by zero"},
        {"null function", "null function pointer"},
        {"recurse", "out of bounds\n  0: recurse at 0x"}, /* The stack of C, first in memory. */
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof traps / sizeof traps[0]; i++) {
        struct sw_wasm_instance *instance = new_instance(f);

        assert_int_equal(tell_one(f, instance, traps[i].command), SW_GUEST_TRAPPED);
        assert_int_equal(f->outcome.code, SW_E_INTERNAL);
        assert_non_null(strstr(f->outcome.report, traps[i].words));
        assert_non_null(strstr(f->outcome.report, " at 0x"));
        sw_wasm_instance_free(instance);
    }
    assert_int_equal(tell(f, "trap"), SW_GUEST_TRAPPED);
    assert_non_null(strstr(f->outcome.report, "\n  0: on_message at 0x"));
}

static void a_trapped_instance_can_be_entered_again(void **state)
{
    struct fixture *f = *state;

    for (int i = 0; i < 3; i++) {
        assert_int_equal(tell(f, "trap"), SW_GUEST_TRAPPED);
        assert_int_equal(tell(f, "count"), SW_GUEST_DONE);
    }
    assert_string_equal(calls_of(f), "timer_start id=3 delay=0\n");
}

/* Bounds are exact: in our arena the byte behind a memory is writable and may be a neighbour's. */
static void the_first_byte_beyond_the_memory_traps(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(tell(f, "just beyond"), SW_GUEST_TRAPPED);
    assert_non_null(strstr(f->outcome.report, "out of bounds"));
    assert_int_equal(tell(f, "grow"), SW_GUEST_DONE);
    assert_int_equal(tell(f, "just beyond"), SW_GUEST_TRAPPED);
}

static void an_endless_loop_ends_at_its_deadline(void **state)
{
    struct fixture *f = *state;
    struct sw_guest_message message = {.body = text("spin")};
    struct sw_guest_input input = {
        .entry = SW_GUEST_MESSAGE, .message = &message, .deadline_ms = 20};
    const struct sw_system *system = sw_system_real();
    uint64_t before = system->monotonic_ns(NULL);

    sw_wasm_enter(f->instance, &input, &f->outcome);
    assert_int_equal(f->outcome.end, SW_GUEST_DEADLINE);
    assert_int_equal(f->outcome.code, SW_E_TIMEOUT);
    assert_non_null(strstr(f->outcome.report, "stopped after 20 ms"));
    assert_non_null(strstr(f->outcome.report, "on_message at 0x"));
    assert_true(system->monotonic_ns(NULL) - before >= 20000000);
    assert_int_equal(tell(f, "ask host"), SW_GUEST_DONE);
}

/* The ticker parks itself when nobody runs; an entry after that is stopped like any other. */
static void a_deadline_works_after_a_long_rest(void **state)
{
    struct fixture *f = *state;
    const struct sw_system *system = sw_system_real();
    uint64_t rested = system->monotonic_ns(NULL) + 300000000;

    while (system->monotonic_ns(NULL) < rested)
        ;
    an_endless_loop_ends_at_its_deadline(state);
    assert_int_equal(tell(f, "spin"), SW_GUEST_DEADLINE);
}

static struct sw_wasm_instance *neighbour;
static uint64_t neighbours_ns;

/* Each tick of the one that spins lets its neighbour spin for twice the deadline. */
static void let_neighbour_spin(struct fixture *f, uint64_t used_ns)
{
    struct sw_guest_message message = {.body = text("spin")};
    struct sw_guest_input input = {
        .entry = SW_GUEST_MESSAGE, .message = &message, .deadline_ms = 40};
    const struct sw_system *system = sw_system_real();
    struct sw_guest_outcome outcome;
    uint64_t before = system->monotonic_ns(NULL);

    if (f->ticks > 1)
        return;
    assert_int_equal(used_ns, 0);
    sw_wasm_enter(neighbour, &input, &outcome);
    assert_int_equal(outcome.end, SW_GUEST_DEADLINE);
    neighbours_ns = system->monotonic_ns(NULL) - before;
}

static void others_run_within_a_tick_on_their_own_time(void **state)
{
    struct fixture *f = *state;
    struct sw_wasm_instance *own = f->instance;

    neighbour = new_instance(f);
    neighbours_ns = 0;
    f->on_tick = let_neighbour_spin;
    an_endless_loop_ends_at_its_deadline(state);
    assert_true(neighbours_ns >= 40000000);
    assert_true(f->ticks > 20); /* Of both. The first one went on for its own 20 ms. */
    f->on_tick = NULL;
    assert_ptr_equal(f->instance, own);
    assert_int_equal(tell_one(f, neighbour, "ask host"), SW_GUEST_DONE);
    sw_wasm_instance_free(neighbour);
}

static void *let_it_spin(void *ctx)
{
    let_neighbour_spin(ctx, 0);
    return NULL;
}

static void let_it_spin_on_another_thread(struct fixture *f, uint64_t used_ns)
{
    pthread_t thread;

    (void)used_ns;
    if (f->ticks > 1)
        return;
    assert_int_equal(pthread_create(&thread, NULL, let_it_spin, f), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
}

/* An entry keeps its thread, the others of its worker may have another one meanwhile. */
static void others_run_within_a_tick_on_another_thread(void **state)
{
    struct fixture *f = *state;

    neighbour = new_instance(f);
    f->on_tick = let_it_spin_on_another_thread;
    an_endless_loop_ends_at_its_deadline(state);
    assert_true(f->ticks > 20);
    f->on_tick = NULL;
    assert_int_equal(tell_one(f, neighbour, "ask host"), SW_GUEST_DONE);
    sw_wasm_instance_free(neighbour);
}

static void whoever_runs_it_may_end_it(void **state)
{
    struct fixture *f = *state;

    f->end_words = "it is in the way";
    assert_int_equal(tell(f, "spin"), SW_GUEST_DEADLINE);
    assert_int_equal(f->outcome.code, SW_E_UNAVAILABLE);
    assert_non_null(strstr(f->outcome.report, "stopped before its deadline: it is in the way"));
    assert_int_equal(f->ticks, 1);
    f->end_words = NULL;
    assert_int_equal(tell(f, "ask host"), SW_GUEST_DONE);
}

static void the_memory_limit_is_what_memory_grow_meets(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(tell(f, "exhaust"), SW_GUEST_NO_MEMORY);
    assert_int_equal(f->outcome.code, SW_E_EXHAUSTED);
    assert_non_null(strstr(f->outcome.report, "out of memory at 1024 KiB"));
    assert_int_equal(sw_wasm_instance_memory(f->instance), MEMORY_MAX);
}

static void a_message_without_room_fails_the_turn(void **state)
{
    struct fixture *f = *state;
    static char body[2 * MEMORY_MAX];
    struct sw_guest_message message = {.body = {body, 9000}};
    struct sw_guest_input input = {
        .entry = SW_GUEST_MESSAGE, .message = &message, .deadline_ms = SHORT_MS};

    sw_wasm_enter(f->instance, &input, &f->outcome);
    assert_int_equal(f->outcome.end, SW_GUEST_NO_MEMORY);
    assert_non_null(strstr(f->outcome.report, "swarm_alloc"));
    message.body.size = sizeof body;
    sw_wasm_enter(f->instance, &input, &f->outcome);
    assert_int_equal(f->outcome.end, SW_GUEST_NO_MEMORY);
    assert_int_equal(f->outcome.code, SW_E_EXHAUSTED);
}

/* What swarm_alloc returns is a guest's word and nothing more. */
static void a_lying_allocator_fails_the_turn(void **state)
{
    struct fixture *f = *state;

    sw_wasm_instance_free(f->instance);
    sw_wasm_module_unref(f->module);
    f->module = open_guest(f, "test_liar");
    f->instance = new_instance(f);
    assert_int_equal(tell(f, "u"), SW_GUEST_FAILED); /* Not aligned. */
    assert_int_equal(f->outcome.code, SW_E_INVALID);
    assert_int_equal(tell(f, "oo"), SW_GUEST_FAILED); /* Outside. */
    assert_int_equal(f->outcome.code, SW_E_INVALID);
    assert_int_equal(tell(f, "eee"), SW_GUEST_FAILED); /* Begins inside, ends outside. */
    assert_int_equal(f->outcome.code, SW_E_INVALID);
    assert_int_equal(tell(f, "tttt"), SW_GUEST_TRAPPED);
    assert_non_null(strstr(f->outcome.report, "swarm_alloc at 0x"));
    assert_int_equal(tell(f, "sssss"), SW_GUEST_DEADLINE);
    assert_int_equal(tell(f, "......"), SW_GUEST_DONE);
    assert_int_equal(tell(f, "tttt"), SW_GUEST_TRAPPED); /* Who promises nothing is always asked. */
}

/* How often the guest was asked for room, as it tells in its last send. */
static int asked(struct fixture *f, const char *command)
{
    const char *body;

    assert_int_equal(tell(f, command), SW_GUEST_DONE);
    body = strstr(calls_of(f), "body=");
    assert_non_null(body);
    return body[5] - '0';
}

static void room_that_is_kept_is_asked_for_once(void **state)
{
    struct fixture *f = *state;
    struct sw_buffer image;

    sw_wasm_instance_free(f->instance);
    sw_wasm_module_unref(f->module);
    f->module = open_guest(f, "test_keeper");
    f->instance = new_instance(f);
    if (sw_abi_class_counts_fuel(class)) { /* Each time, so that each takes the same fuel. */
        assert_int_equal(asked(f, "four"), 1);
        assert_int_equal(asked(f, "four"), 2);
        assert_int_equal(asked(f, "four"), 3);
        return;
    }
    assert_int_equal(asked(f, "four"), 1);
    assert_int_equal(asked(f, "4444"), 1);
    assert_int_equal(asked(f, "longer"), 2);
    assert_int_equal(asked(f, "four"), 2);
    sw_buffer_init(&image, 8u << 20);
    assert_int_equal(sw_wasm_image_save(f->instance, &image, &f->err), SW_OK);
    assert_int_equal(asked(f, "longer"), 2);
    /* What was promised before is nothing that an image holds. */
    assert_int_equal(
        sw_wasm_image_load(f->instance, (struct sw_bytes){image.data, image.size}, &f->err), SW_OK);
    assert_int_equal(asked(f, "four"), 3);
    assert_int_equal(asked(f, "four"), 3);
    sw_buffer_done(&image);
}

static void ends_have_names(void **state)
{
    (void)state;
    assert_string_equal(sw_guest_end_name(SW_GUEST_DONE), "done");
    assert_string_equal(sw_guest_end_name(SW_GUEST_FAILED), "failed");
    assert_string_equal(sw_guest_end_name(SW_GUEST_TRAPPED), "trapped");
    assert_string_equal(sw_guest_end_name(SW_GUEST_DEADLINE), "deadline");
    assert_string_equal(sw_guest_end_name(SW_GUEST_NO_MEMORY), "no-memory");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(results_are_judged),
        TEST(a_trap_tells_what_and_where),
        TEST(a_trapped_instance_can_be_entered_again),
        TEST(the_first_byte_beyond_the_memory_traps),
        TEST(an_endless_loop_ends_at_its_deadline),
        TEST(a_deadline_works_after_a_long_rest),
        TEST(others_run_within_a_tick_on_their_own_time),
        TEST(others_run_within_a_tick_on_another_thread),
        TEST(whoever_runs_it_may_end_it),
        TEST(the_memory_limit_is_what_memory_grow_meets),
        TEST(a_message_without_room_fails_the_turn),
        TEST(a_lying_allocator_fails_the_turn),
        TEST(room_that_is_kept_is_asked_for_once),
        cmocka_unit_test(ends_have_names),
    };

    return run_in_every_class(tests, sizeof tests / sizeof tests[0]);
}
