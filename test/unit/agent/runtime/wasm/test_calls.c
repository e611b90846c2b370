/* labels: threaded */
/* uses: pkg/agent/modules pkg/utils/system */
#include "test/unit/agent/runtime/wasm/fixture.h"

static void every_field_of_a_message_arrives(void **state)
{
    struct fixture *f = *state;
    struct sw_guest_message message = {.flags = 5,
                                       .priority = 3,
                                       .time_ns = 1111111111111111111u,
                                       .reply_handle = 0xfedcba9876543210u,
                                       .tag = 0x123456789abcdef0u,
                                       .status = -5,
                                       .from = text("librarian/7"),
                                       .subject = text("books.new"),
                                       .type = text("text/plain"),
                                       .body = text("hello")};
    struct sw_guest_input input = {
        .entry = SW_GUEST_MESSAGE, .message = &message, .deadline_ms = SHORT_MS};

    sw_wasm_enter(f->instance, &input, &f->outcome);
    sw_buffer_put_u8(&f->calls, 0);
    assert_string_equal(f->outcome.report, "");
    assert_int_equal(f->outcome.end, SW_GUEST_DONE);
    assert_string_equal(
        calls_of(f),
        "send to=librarian/7 type=text/plain body=hello priority=3 tag=1311768467463790320\n"
        "publish subject=books.new type=text/plain body=hello priority=5\n"
        "reply handle=18364758544493064720 status=-5 type=text/plain body=hello\n"
        "timer_start id=1111111111111111111 delay=72\n");
}

static void an_empty_message_arrives(void **state)
{
    struct fixture *f = *state;
    struct sw_guest_message message = {0};
    struct sw_guest_input input = {
        .entry = SW_GUEST_MESSAGE, .message = &message, .deadline_ms = SHORT_MS};

    sw_wasm_enter(f->instance, &input, &f->outcome);
    sw_buffer_put_u8(&f->calls, 0);
    assert_int_equal(f->outcome.end, SW_GUEST_DONE);
    assert_string_equal(calls_of(f), "send to= type= body= priority=0 tag=0\n"
                                     "publish subject= type= body= priority=0\n"
                                     "reply handle=0 status=0 type= body=\n"
                                     "timer_start id=0 delay=72\n");
}

static void the_host_answers_what_the_guest_asks(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(tell(f, "ask host"), SW_GUEST_DONE);
    assert_string_equal(calls_of(f), "subscribe subject=reader\n"
                                     "unsubscribe subject=rrrrrrrrrrrrrrrr\n"
                                     "timer_start id=7 delay=1234567890123456789\n");
}

static void the_answer_of_a_call_reaches_the_guest(void **state)
{
    struct fixture *f = *state;

    f->answer = SW_E_DENIED;
    assert_int_equal(tell(f, "anything"), SW_GUEST_FAILED);
    assert_int_equal(f->outcome.code, SW_E_DENIED);
}

static void pointers_beyond_the_memory_never_reach_the_host(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(tell(f, "wrong pointers"), SW_GUEST_DONE);
    assert_string_equal(calls_of(f), "subscribe subject=\n");
}

static void the_other_entries_are_called(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(enter(f, SW_GUEST_START), SW_GUEST_DONE);
    assert_string_equal(calls_of(f), "log level=1 text=born\n");
    assert_int_equal(enter(f, SW_GUEST_TIMER), SW_GUEST_DONE);
    assert_string_equal(calls_of(f), "timer_cancel id=42\n");
    assert_int_equal(enter(f, SW_GUEST_STOP), SW_GUEST_DONE);
    assert_string_equal(calls_of(f), "log level=2 text=gone\n");
}

static void entries_that_a_module_lacks_are_done_at_once(void **state)
{
    struct fixture *f = *state;

    sw_wasm_instance_free(f->instance);
    sw_wasm_module_unref(f->module);
    f->module = open_guest(f, "test_small");
    f->instance = new_instance(f);
    assert_int_equal(enter(f, SW_GUEST_START), SW_GUEST_DONE);
    assert_int_equal(enter(f, SW_GUEST_TIMER), SW_GUEST_DONE);
    assert_int_equal(enter(f, SW_GUEST_STOP), SW_GUEST_DONE);
    assert_string_equal(calls_of(f), "");
}

/* The allocator that include/swarm/agent.h offers keeps its block and enlarges it in place. */
static void the_sdk_allocator_takes_messages_of_every_size(void **state)
{
    struct fixture *f = *state;
    static char body[200000];

    sw_wasm_instance_free(f->instance);
    sw_wasm_module_unref(f->module);
    f->module = open_guest(f, "test_small");
    f->instance = new_instance(f);
    memset(body, 'b', sizeof body);
    for (size_t size = 1; size < sizeof body; size = size * 3 + 1) {
        struct sw_guest_message message = {
            .flags = 1, .reply_handle = 9, .body = {body, size}, .type = text("t")};
        struct sw_guest_input input = {
            .entry = SW_GUEST_MESSAGE, .message = &message, .deadline_ms = SHORT_MS};
        sw_buffer_reset(&f->calls);
        sw_wasm_enter(f->instance, &input, &f->outcome);
        assert_int_equal(f->outcome.end, SW_GUEST_DONE);
        assert_int_equal(f->calls.size, strlen("reply handle=9 status=0 type=t body=\n") + size);
    }
    assert_true(sw_wasm_instance_memory(f->instance) <= 6 * SW_WASM_PAGE_BYTES);
}

/* The answer of test_bundled, whose module f->module was made. */
static const char *answer_of(struct fixture *f, struct sw_wasm_module *program)
{
    struct sw_guest_message message = {.flags = 1, .reply_handle = 9, .body = text("?")};
    struct sw_guest_input input = {
        .entry = SW_GUEST_MESSAGE, .message = &message, .deadline_ms = SHORT_MS};
    struct sw_wasm_instance *instance = NULL;

    assert_int_equal(sw_wasm_instance_new(f->worker, program, MEMORY_MAX, f, &instance, &f->err),
                     SW_OK);
    sw_buffer_reset(&f->calls);
    sw_wasm_enter(instance,
                  &(struct sw_guest_input){.entry = SW_GUEST_START, .deadline_ms = SHORT_MS},
                  &f->outcome);
    assert_int_equal(f->outcome.end, SW_GUEST_DONE);
    sw_wasm_enter(instance, &input, &f->outcome);
    assert_string_equal(f->outcome.report, "");
    assert_int_equal(f->outcome.end, SW_GUEST_DONE);
    sw_wasm_instance_free(instance);
    sw_buffer_put_u8(&f->calls, 0);
    return calls_of(f);
}

static void each_bundle_of_a_module_has_its_own_payload(void **state)
{
    struct fixture *f = *state;
    struct sw_wasm_module *runtime = open_guest(f, "test_bundled"), *bundles[3];
    static const char *const payloads[] = {"first", "", "0123456789abcdef"};
    static const char *const answers[] = {
        "reply handle=9 status=0 type=text/plain body=first 1 5\n",
        "reply handle=9 status=0 type=text/plain body= 1 0\n",
        "reply handle=9 status=0 type=text/plain body=0123456789abcdef 1 16\n"};

    for (int i = 0; i < 3; i++) /* The last one of a bundle. */
        assert_int_equal(sw_wasm_module_bundle(i < 2 ? runtime : bundles[0], text(payloads[i]),
                                               &bundles[i], &f->err),
                         SW_OK);
    assert_string_equal(answer_of(f, runtime), answers[1]);
    sw_wasm_worker_forget(f->worker, runtime);
    sw_wasm_module_unref(runtime); /* Its code stays. */
    for (int turn = 0; turn < 2; turn++)
        for (int i = 0; i < 3; i++)
            assert_string_equal(answer_of(f, bundles[i]), answers[i]);
    sw_wasm_worker_forget(f->worker, NULL);
    for (int i = 0; i < 3; i++)
        sw_wasm_module_unref(bundles[i]);
}

static void a_payload_that_is_too_large_is_refused(void **state)
{
    struct fixture *f = *state;
    struct sw_wasm_module *bundle = NULL;

    assert_int_equal(sw_wasm_module_bundle(f->module,
                                           (struct sw_bytes){"x", SW_ABI_PAYLOAD_BYTES_MAX + 1u},
                                           &bundle, &f->err),
                     SW_E_EXHAUSTED);
    assert_null(bundle);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(every_field_of_a_message_arrives),
        TEST(an_empty_message_arrives),
        TEST(the_host_answers_what_the_guest_asks),
        TEST(the_answer_of_a_call_reaches_the_guest),
        TEST(pointers_beyond_the_memory_never_reach_the_host),
        TEST(the_other_entries_are_called),
        TEST(entries_that_a_module_lacks_are_done_at_once),
        TEST(the_sdk_allocator_takes_messages_of_every_size),
        TEST(each_bundle_of_a_module_has_its_own_payload),
        TEST(a_payload_that_is_too_large_is_refused),
    };

    return run_in_every_class(tests, sizeof tests / sizeof tests[0]);
}
