/* labels: threaded */
/* uses: pkg/agent/modules pkg/utils/system */
/* Handlers that wait: between two entries they are data, and go on with their locals intact. */
#include "include/swarm/agent.h"
#include "test/unit/agent/runtime/wasm/fixture.h"

#define TURNS_OF_A_LOOP 6

static uint8_t reply_bytes[256];
static size_t reply_size;
static int32_t reply_status;
static uint32_t asked; /* Bytes of the question, mixed. */

static uint32_t mix(const uint8_t *bytes, size_t size)
{
    uint32_t hash = 2166136261u;

    for (size_t i = 0; i < size; i++)
        hash = (hash ^ bytes[i]) * 16777619u;
    return hash;
}

static int32_t take_reply(void *ctx, const struct sw_wasm_reply *reply)
{
    (void)ctx;
    reply_size = reply->body.size < sizeof reply_bytes ? reply->body.size : sizeof reply_bytes;
    if (reply_size > 0)
        memcpy(reply_bytes, reply->body.data, reply_size);
    reply_status = reply->status;
    return 0;
}

static int32_t take_ask(void *ctx, const struct sw_guest_send *ask, uint64_t timeout_ns)
{
    struct fixture *f = ctx;

    (void)timeout_ns;
    asked = mix(ask->body.data, ask->body.size);
    sw_buffer_print(&f->calls, "ask %.*s %zu\n", (int)ask->to.size, (const char *)ask->to.data,
                    ask->body.size);
    return f->answer;
}

static int32_t take_receive(void *ctx, uint64_t timeout_ns)
{
    struct fixture *f = ctx;

    sw_buffer_print(&f->calls, "receive %llu\n", (unsigned long long)timeout_ns);
    return f->answer;
}

static int32_t take_sleep(void *ctx, uint64_t duration_ns)
{
    struct fixture *f = ctx;

    sw_buffer_print(&f->calls, "sleep %llu\n", (unsigned long long)duration_ns);
    return f->answer;
}

static int32_t take_call(void *ctx, const struct sw_guest_send *call, uint64_t timeout_ns)
{
    struct fixture *f = ctx;

    sw_buffer_print(&f->calls, "call %.*s %.*s %.*s %llu\n", (int)call->to.size,
                    (const char *)call->to.data, (int)call->type.size,
                    (const char *)call->type.data, (int)call->body.size,
                    (const char *)call->body.data, (unsigned long long)timeout_ns);
    return f->answer;
}

static int open_waiter(void **state, const char *guest)
{
    static struct sw_wasm_calls calls;
    struct sw_wasm_engine_options options = {.calls = &calls, .address_bytes = (uint64_t)64 << 30};
    struct fixture *f = calloc(1, sizeof *f);

    calls = noted_calls;
    calls.reply = take_reply;
    calls.ask = take_ask;
    calls.receive = take_receive;
    calls.sleep = take_sleep;
    calls.call = take_call;
    sw_buffer_init(&f->calls, 1u << 20);
    if (sw_wasm_engine_new(&options, &f->engine, &f->err) != SW_OK ||
        sw_wasm_worker_new(f->engine, &f->worker, &f->err) != SW_OK)
        fail_msg("%s", f->err.message);
    traps_keep();
    f->module = open_guest(f, guest);
    f->instance = new_instance(f);
    reply_size = SIZE_MAX;
    *state = f;
    return 0;
}

static int unwinding(void **state)
{
    return open_waiter(state, "test_waiter_unwind");
}

static int reliving(void **state)
{
    return open_waiter(state, "test_waiter");
}

static int returning(void **state)
{
    return open_waiter(state, "test_waiter_return");
}

static enum sw_guest_end tell_waiter(struct fixture *f, const char *command)
{
    struct sw_guest_message message = {.body = text(command), .reply_handle = 1};
    struct sw_guest_input input = {
        .entry = SW_GUEST_MESSAGE, .message = &message, .deadline_ms = SHORT_MS};

    sw_buffer_reset(&f->calls);
    traps_use();
    sw_wasm_enter(f->instance, &input, &f->outcome);
    sw_buffer_put_u8(&f->calls, 0);
    return f->outcome.end;
}

static enum sw_guest_end resume(struct fixture *f, int32_t status, const char *body)
{
    struct sw_guest_message message = {.body = text(body == NULL ? "" : body),
                                       .from = text("oracle/one"),
                                       .type = text("text/plain"),
                                       .status = status};
    struct sw_guest_input input = {.entry = SW_GUEST_RESUME,
                                   .message = body == NULL ? NULL : &message,
                                   .status = status,
                                   .deadline_ms = SHORT_MS};

    sw_buffer_reset(&f->calls);
    traps_use();
    sw_wasm_enter(f->instance, &input, &f->outcome);
    sw_buffer_put_u8(&f->calls, 0);
    return f->outcome.end;
}

/* Save the instance, drop it, and make another one of that. */
static void hibernate(struct fixture *f)
{
    struct sw_buffer image;

    sw_buffer_init(&image, 4u << 20);
    assert_int_equal(sw_wasm_image_save(f->instance, &image, &f->err), SW_OK);
    sw_wasm_instance_free(f->instance);
    f->instance = new_instance(f);
    assert_int_equal(
        sw_wasm_image_load(f->instance, (struct sw_bytes){image.data, image.size}, &f->err), SW_OK);
    sw_buffer_done(&image);
}

static uint32_t replied_number(void)
{
    uint32_t number;

    assert_int_equal(reply_size, sizeof number);
    memcpy(&number, reply_bytes, sizeof number);
    return number;
}

static void assert_counts(struct fixture *f, uint32_t turns, uint32_t kept)
{
    uint32_t counts[2];

    assert_int_equal(tell_waiter(f, "count"), SW_GUEST_DONE);
    assert_int_equal(reply_size, sizeof counts);
    memcpy(counts, reply_bytes, sizeof counts);
    assert_int_equal(counts[0], turns);
    assert_int_equal(counts[1], kept);
}

/* What the guest computes, computed here. */
static uint32_t expect_once(uint32_t seed, double weight, const char *answer)
{
    uint8_t question[64];

    for (uint32_t i = 0; i < sizeof question; i++)
        question[i] = (uint8_t)(seed * 7 + i);
    return mix((const uint8_t *)answer, strlen(answer)) ^ mix(question, 64) ^ mix(question, 64) ^
           (uint32_t)(weight * 1000.0);
}

static uint32_t expect_deep(uint32_t depth, uint32_t seed, const char *answer)
{
    uint32_t deeper = depth == 0 ? expect_once(seed, 1.5, answer)
                                 : expect_deep(depth - 1, seed * 31 + depth, answer) * 3;

    return deeper ^ depth ^ seed ^ (depth ^ seed) ^ 77;
}

static uint32_t expect_loop(uint32_t rounds, const char *answer)
{
    uint64_t sum = 0x123456789abcdefu;

    for (uint32_t i = 0; i < rounds; i++) {
        uint32_t seed = i + (uint32_t)sum;
        sum = sum * 31 + (i % 2 == 0 ? seed + 1 : expect_once(seed, 0.25, answer));
    }
    return (uint32_t)(sum ^ sum >> 32);
}

static void locals_are_there_after_a_wait(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(tell_waiter(f, "once"), SW_GUEST_WAITING);
    assert_string_equal(f->outcome.report, "");
    assert_string_equal(calls_of(f), "ask oracle/one 64\n");
    assert_int_equal(resume(f, 0, "yes"), SW_GUEST_DONE);
    assert_int_equal(replied_number(), expect_once(9, 2.5, "yes"));
    assert_counts(f, 2, expect_once(9, 2.5, "yes"));
}

static void recursion_and_callbacks_are_there_after_hibernation(void **state)
{
    struct fixture *f = *state;
    char command[64] = "deep";

    memset(command + 4, '.', 20);
    assert_int_equal(tell_waiter(f, command), SW_GUEST_WAITING);
    hibernate(f);
    assert_int_equal(resume(f, 0, "forty-two"), SW_GUEST_DONE);
    assert_int_equal(replied_number(), expect_deep(20, 5, "forty-two"));
    memset(command, 0, sizeof command);
    strcpy(command, "loop");
    memset(command + 4, '.', TURNS_OF_A_LOOP);
    assert_int_equal(tell_waiter(f, command), SW_GUEST_WAITING);
    for (int i = 0; i < TURNS_OF_A_LOOP / 2 - 1; i++) {
        hibernate(f);
        assert_int_equal(resume(f, 0, "again"), SW_GUEST_WAITING);
    }
    hibernate(f);
    assert_int_equal(resume(f, 0, "again"), SW_GUEST_DONE);
    assert_int_equal(replied_number(), expect_loop(TURNS_OF_A_LOOP, "again"));
    assert_counts(f, 3, replied_number());
}

static void the_end_of_a_wait_has_a_code(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(tell_waiter(f, "once"), SW_GUEST_WAITING);
    assert_int_equal(resume(f, SW_E_TIMEOUT, NULL), SW_GUEST_DONE);
    assert_int_equal((int32_t)replied_number(), SW_E_TIMEOUT);
    f->answer = SW_E_CONFLICT; /* The host refuses: there is no wait at all. */
    assert_int_equal(tell_waiter(f, "once"), SW_GUEST_DONE);
    assert_int_equal((int32_t)replied_number(), SW_E_CONFLICT);
}

static void a_result_is_read_into_a_room_that_fits(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(tell_waiter(f, "small"), SW_GUEST_WAITING);
    assert_int_equal(resume(f, 0, "more than eight bytes"), SW_GUEST_DONE);
    assert_int_equal(reply_status, 0);
    assert_int_equal(reply_size, 21);
    assert_memory_equal(reply_bytes, "more than eight bytes", 21);
}

static void messages_are_received_within_a_handler(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(tell_waiter(f, "receive"), SW_GUEST_WAITING);
    assert_string_equal(calls_of(f), "receive 1000000000\n");
    assert_int_equal(resume(f, 0, "a"), SW_GUEST_WAITING);
    hibernate(f);
    assert_int_equal(resume(f, 0, "b"), SW_GUEST_WAITING);
    assert_int_equal(resume(f, 0, "stop"), SW_GUEST_DONE);
    assert_int_equal(reply_size, 2);
    assert_memory_equal(reply_bytes, "ab", 2);
}

static void a_timer_may_wait_too(void **state)
{
    struct fixture *f = *state;
    struct sw_guest_input input = {.entry = SW_GUEST_TIMER, .timer = 7, .deadline_ms = SHORT_MS};

    sw_wasm_enter(f->instance, &input, &f->outcome);
    assert_int_equal(f->outcome.end, SW_GUEST_WAITING);
    hibernate(f);
    assert_int_equal(resume(f, 0, NULL), SW_GUEST_DONE);
    assert_counts(f, 1, 7 + 1007);
}

/* Whatever a turn that was given up had on its stack must not eat the stack of the next ones. */
static void a_turn_that_is_given_up_leaves_a_whole_stack(void **state)
{
    struct fixture *f = *state;
    char command[64] = "deep";

    memset(command + 4, '.', 30);
    for (int i = 0; i < 50; i++) {
        assert_int_equal(tell_waiter(f, command), SW_GUEST_WAITING);
        if (i % 2 == 0)
            hibernate(f);
        assert_counts(f, (uint32_t)(i + 1) * 2, 0); /* An entry that is no RESUME. */
    }
    assert_int_equal(tell_waiter(f, "once"), SW_GUEST_WAITING);
    assert_int_equal(resume(f, 0, "yes"), SW_GUEST_DONE);
    assert_int_equal(replied_number(), expect_once(9, 2.5, "yes"));
}

static void too_many_locals_fail_the_turn(void **state)
{
    struct fixture *f = *state;
    char command[600] = "deep";

    memset(command + 4, '.', 300);
    assert_int_equal(tell_waiter(f, command), SW_GUEST_NO_MEMORY);
    assert_int_equal(f->outcome.code, SW_E_EXHAUSTED);
    assert_non_null(strstr(f->outcome.report, "SWARM_WAIT_BYTES"));
    assert_non_null(strstr(f->outcome.report, "has 4104"));
}

static void a_trap_after_a_wait_is_reported(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(tell_waiter(f, "trap after"), SW_GUEST_WAITING);
    assert_int_equal(resume(f, 0, "yes"), SW_GUEST_TRAPPED);
    assert_non_null(strstr(f->outcome.report, "on_message"));
}

static void nothing_is_resumed_that_does_not_wait(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(resume(f, 0, "yes"), SW_GUEST_FAILED);
    assert_int_equal(f->outcome.code, SW_E_PRECONDITION);
    assert_int_equal(tell_waiter(f, "once"), SW_GUEST_WAITING);
    assert_int_equal(resume(f, 0, "yes"), SW_GUEST_DONE);
    assert_int_equal(resume(f, 0, "yes"), SW_GUEST_FAILED);
}

static void a_damaged_image_of_a_wait_is_refused(void **state)
{
    struct fixture *f = *state;
    struct sw_buffer image;

    assert_int_equal(tell_waiter(f, "once"), SW_GUEST_WAITING);
    sw_buffer_init(&image, 4u << 20);
    assert_int_equal(sw_wasm_image_save(f->instance, &image, &f->err), SW_OK);
    for (size_t cut = 1; cut < 18; cut++) {
        struct sw_wasm_instance *other = new_instance(f);

        assert_int_equal(
            sw_wasm_image_load(other, (struct sw_bytes){image.data, image.size - cut}, &f->err),
            SW_E_CORRUPT);
        sw_wasm_instance_free(other);
    }
    sw_buffer_done(&image);
}

/* --- Turns that are lived through again ------------------------------------------------------- */

static void nothing_happens_twice(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(tell_waiter(f, "effects"), SW_GUEST_WAITING);
    assert_non_null(strstr(calls_of(f), "timer_start id=1"));
    assert_non_null(strstr(calls_of(f), "log level=1 text=before"));
    hibernate(f);
    assert_int_equal(resume(f, 0, NULL), SW_GUEST_WAITING);
    assert_null(strstr(calls_of(f), "id=1"));
    assert_null(strstr(calls_of(f), "before"));
    assert_non_null(strstr(calls_of(f), "timer_start id=2"));
    assert_int_equal(resume(f, 0, NULL), SW_GUEST_DONE);
    assert_string_equal(calls_of(f), "");
    assert_int_equal(reply_size, 2 * sizeof(uint64_t)); /* What random gave, before and after. */
}

static void a_turn_waits_so_often_only(void **state)
{
    struct fixture *f = *state;
    enum sw_guest_end end = tell_waiter(f, "forever");
    unsigned count = 0;

    for (; end == SW_GUEST_WAITING && count < 2000; count++)
        end = resume(f, 0, NULL);
    assert_int_equal(end, SW_GUEST_FAILED);
    assert_int_equal(f->outcome.code, SW_E_EXHAUSTED);
    assert_int_equal(count, 1000);
}

static void only_a_turn_that_waits_must_fit_the_log(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(tell_waiter(f, "noise"), SW_GUEST_DONE);
    assert_int_equal(reply_size, 5);
    assert_int_equal(tell_waiter(f, "noise, wait"), SW_GUEST_FAILED);
    assert_int_equal(f->outcome.code, SW_E_EXHAUSTED);
    assert_int_equal(tell_waiter(f, "once"), SW_GUEST_WAITING);
    assert_int_equal(resume(f, 0, "yes"), SW_GUEST_DONE);
}

/* --- on_resume -------------------------------------------------------------------------------- */

static void a_handler_may_return_and_go_on_in_on_resume(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(tell_waiter(f, "anything"), SW_GUEST_WAITING);
    assert_string_equal(calls_of(f), "ask oracle/one 8\n");
    hibernate(f);
    assert_int_equal(resume(f, 0, "fiver"), SW_GUEST_WAITING);
    assert_string_equal(calls_of(f), "receive 1000000000\n");
    assert_int_equal(resume(f, SW_E_TIMEOUT, NULL), SW_GUEST_DONE);
    assert_int_equal(reply_status, SW_E_TIMEOUT);
    assert_counts(f, 2, 0);
}

static void it_must_say_that_it_waits_and_nothing_else(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(tell_waiter(f, "lie"), SW_GUEST_FAILED);
    assert_int_equal(tell_waiter(f, "twice"), SW_GUEST_WAITING);
    assert_int_equal(resume(f, 0, NULL), SW_GUEST_DONE);
    /* Took a wait and is done: the owner of the turn judges that. */
    assert_int_equal(tell_waiter(f, "forget"), SW_GUEST_DONE);
    assert_int_equal(resume(f, 0, NULL), SW_GUEST_FAILED);
}

/* In all three ways. */
static void a_result_of_a_service_comes_back_to_its_call(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(tell_waiter(f, "outside"), SW_GUEST_WAITING);
    assert_string_equal(calls_of(f), "call swarm.delay t 25 18446744073709551615\n");
    hibernate(f);
    assert_int_equal(resume(f, 0, "25 it was"), SW_GUEST_DONE);
    assert_int_equal(reply_status, 0);
    assert_int_equal(reply_size, 9);
    assert_memory_equal(reply_bytes, "25 it was", 9);
    assert_int_equal(tell_waiter(f, "outside"), SW_GUEST_WAITING);
    assert_int_equal(resume(f, SW_E_TIMEOUT, NULL), SW_GUEST_DONE);
    assert_int_equal(reply_status, SW_E_TIMEOUT);
}

int main(void)
{
#define UNWIND(name) cmocka_unit_test_setup_teardown(name, unwinding, teardown)
#define RELIVE(name) cmocka_unit_test_setup_teardown(name, reliving, teardown)
#define RETURN(name) cmocka_unit_test_setup_teardown(name, returning, teardown)
    const struct CMUnitTest tests[] = {
        UNWIND(locals_are_there_after_a_wait),
        UNWIND(recursion_and_callbacks_are_there_after_hibernation),
        UNWIND(the_end_of_a_wait_has_a_code),
        UNWIND(a_result_is_read_into_a_room_that_fits),
        UNWIND(messages_are_received_within_a_handler),
        UNWIND(a_timer_may_wait_too),
        UNWIND(a_result_of_a_service_comes_back_to_its_call),
        UNWIND(a_turn_that_is_given_up_leaves_a_whole_stack),
        UNWIND(too_many_locals_fail_the_turn),
        UNWIND(a_trap_after_a_wait_is_reported),
        UNWIND(nothing_is_resumed_that_does_not_wait),
        UNWIND(a_damaged_image_of_a_wait_is_refused),
        RELIVE(locals_are_there_after_a_wait),
        RELIVE(recursion_and_callbacks_are_there_after_hibernation),
        RELIVE(the_end_of_a_wait_has_a_code),
        RELIVE(a_result_is_read_into_a_room_that_fits),
        RELIVE(messages_are_received_within_a_handler),
        RELIVE(a_timer_may_wait_too),
        RELIVE(a_result_of_a_service_comes_back_to_its_call),
        RELIVE(a_turn_that_is_given_up_leaves_a_whole_stack),
        RELIVE(a_trap_after_a_wait_is_reported),
        RELIVE(nothing_is_resumed_that_does_not_wait),
        RELIVE(a_damaged_image_of_a_wait_is_refused),
        RELIVE(nothing_happens_twice),
        RELIVE(a_turn_waits_so_often_only),
        RELIVE(only_a_turn_that_waits_must_fit_the_log),
        RETURN(a_result_of_a_service_comes_back_to_its_call),
        RETURN(a_handler_may_return_and_go_on_in_on_resume),
        RETURN(it_must_say_that_it_waits_and_nothing_else),
    };

    return run_in_every_class(tests, sizeof tests / sizeof tests[0]);
}
