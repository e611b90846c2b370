/* labels: threaded */
/* uses: pkg/agent/modules pkg/utils/system */
#include "test/unit/agent/runtime/wasm/fixture.h"

static int setup_wasi(void **state)
{
    int rc = setup(state);
    struct fixture *f = *state;

    sw_wasm_instance_free(f->instance);
    sw_wasm_module_unref(f->module);
    f->module = open_guest(f, "test_wasi");
    f->instance = new_instance(f);
    return rc;
}

/* The message is handled to its end, and these are the calls that arrived. */
static void expect_calls(struct fixture *f, const char *command, const char *calls)
{
    if (tell(f, command) != SW_GUEST_DONE)
        fail_msg("%s: %s; calls: %s", command, f->outcome.report, calls_of(f));
    assert_string_equal(calls_of(f), calls);
}

static void arguments_name_the_instance(void **state)
{
    expect_calls(*state, "arguments", "log level=0 text=reader\nlog level=0 text=\n");
}

static void the_environment_says_who_and_where(void **state)
{
    expect_calls(*state, "environment",
                 "log level=0 text=SWARM_NAMESPACE=\nlog level=0 text=SWARM_AGENT=reader\n"
                 "log level=0 text=SWARM_KEY=\nlog level=0 text=SWARM_CONFIG=\n");
}

static void clocks_show_the_time_of_the_turn(void **state)
{
    expect_calls(*state, "clock", "timer_start id=1 delay=1234567890123456789\n");
}

/* Lines end at a newline, at 16 KiB, or with the entry, whatever the writes were. */
static void what_is_printed_becomes_lines_of_the_log(void **state)
{
    struct fixture *f = *state;
    struct sw_buffer wanted;

    sw_buffer_init(&wanted, 1u << 20);
    sw_buffer_print(&wanted, "log level=1 text=one\nlog level=1 text=two and\nlog level=1 text=\n");
    for (size_t left = 40000; left > 0;) {
        size_t part = left < 16384 ? left : 16384;
        sw_buffer_print(&wanted, "log level=1 text=");
        for (size_t i = 0; i < part; i++)
            sw_buffer_put_u8(&wanted, 'x');
        sw_buffer_print(&wanted, "\n");
        left -= part;
    }
    sw_buffer_print(&wanted, "log level=1 text=rest\nlog level=3 text=oh\n");
    sw_buffer_put_u8(&wanted, 0);
    expect_calls(f, "print", (const char *)wanted.data);
    sw_buffer_done(&wanted);
    expect_calls(f, "clock", "timer_start id=1 delay=1234567890123456789\n");
}

static void one_write_takes_a_bounded_part(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(tell(f, "flood"), SW_GUEST_DONE);
    assert_in_range(f->calls.size, 65536, 65536 + 200);
}

/* A log that is full is no error of the program that prints. */
static void a_full_log_does_not_fail_a_write(void **state)
{
    struct fixture *f = *state;

    f->answer = SW_E_EXHAUSTED;
    assert_int_equal(tell(f, "print"), SW_GUEST_DONE);
}

static void pointers_beyond_the_memory_are_faults(void **state)
{
    expect_calls(*state, "faults", "");
}

static void limits_and_files_are_told_by_their_errors(void **state)
{
    expect_calls(*state, "limits", "log level=0 text=rrrrrrrrrrrrrrrr\n");
}

static void everything_else_links_and_is_absent(void **state)
{
    expect_calls(*state, "absent", "");
}

static void exit_fails_the_turn_with_its_code(void **state)
{
    struct fixture *f = *state;
    struct sw_guest_message message = {.flags = 1, .body = text("exit")};
    struct sw_guest_input input = {
        .entry = SW_GUEST_MESSAGE, .message = &message, .deadline_ms = SHORT_MS};

    assert_int_equal(tell(f, "exit"), SW_GUEST_FAILED);
    assert_non_null(strstr(f->outcome.report, "exit(0)"));
    assert_int_equal(f->outcome.code, SW_E_INTERNAL);
    assert_string_equal(calls_of(f), "log level=1 text=bye\n");
    sw_wasm_enter(f->instance, &input, &f->outcome);
    assert_int_equal(f->outcome.end, SW_GUEST_FAILED);
    assert_non_null(strstr(f->outcome.report, "exit(3)"));
    assert_int_equal(tell(f, "absent"), SW_GUEST_DONE); /* It is forgotten with its entry. */
}

static void last_words_are_kept(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(tell(f, "print and trap"), SW_GUEST_TRAPPED);
    assert_string_equal(calls_of(f), "log level=3 text=last words\n");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup_wasi, teardown)
    const struct CMUnitTest tests[] = {
        TEST(arguments_name_the_instance),
        TEST(the_environment_says_who_and_where),
        TEST(clocks_show_the_time_of_the_turn),
        TEST(what_is_printed_becomes_lines_of_the_log),
        TEST(one_write_takes_a_bounded_part),
        TEST(a_full_log_does_not_fail_a_write),
        TEST(pointers_beyond_the_memory_are_faults),
        TEST(limits_and_files_are_told_by_their_errors),
        TEST(everything_else_links_and_is_absent),
        TEST(exit_fails_the_turn_with_its_code),
        TEST(last_words_are_kept),
    };

    return run_in_every_class(tests, sizeof tests / sizeof tests[0]);
}
