/* labels: threaded */
/* uses: pkg/agent/modules pkg/utils/system */
#include "test/unit/agent/modules/build.h"
#include "test/unit/agent/runtime/wasm/fixture.h"

#define ALLOC "\x05\x00\x41\x80\x08\x0b"
/* g0 += 1; g1 *= 3; return timer_start(g0, g1) */
#define ON_MESSAGE                                                                                 \
    "\x17\x00\x23\x00\x41\x01\x6a\x24\x00\x23\x01\x42\x03\x7e\x24\x01\x23\x00\xac\x23\x01\x10\x00" \
    "\x0b"
#define START "\x07\x00\x41\xe4\x00\x24\x00\x0b" /* g0 = 100 */
#define START_FOR_EVER "\x07\x00\x03\x40\x0c\x00\x0b\x0b"
#define INITIALIZE                                                                                 \
    "\x0d\x00\x23\x00\x41\x0a\x6a\x24\x00\x42\x07\x24\x01\x0b" /* g0 += 10; g1 = 7                 \
                                                                */
#define INITIALIZE_TRAPS "\x03\x00\x00\x0b"

/* A module whose state is in two globals that it does not export, and that needs a start. */
static struct parts hidden_parts(void)
{
    return (struct parts){
        .types = BYTES("\x03\x60\x01\x7f\x01\x7f\x60\x00\x00\x60\x02\x7e\x7e\x01\x7f"),
        .imports = BYTES("\x01\x07swarm_1\x0btimer_start\x00\x02"),
        .functions = BYTES("\x04\x00\x00\x01\x01"),
        .memories = BYTES("\x01\x00\x01"),
        .globals = BYTES("\x02\x7f\x01\x41\x00\x0b\x7e\x01\x42\x00\x0b"),
        .exports = BYTES("\x04" EXPORT_MEMORY "\x0bswarm_alloc\x00\x01\x0aon_message\x00\x02"
                         "\x0b_initialize\x00\x04"),
        .start = BYTES("\x03"),
        .code = BYTES("\x04" ALLOC ON_MESSAGE START INITIALIZE)};
}

static void use_parts(struct fixture *f, const struct parts *parts)
{
    struct sw_buffer module, rewritten, code;

    sw_wasm_instance_free(f->instance);
    sw_wasm_module_unref(f->module);
    f->instance = NULL;
    f->module = NULL;
    sw_buffer_init(&module, 65536);
    sw_buffer_init(&rewritten, 65536);
    sw_buffer_init(&code, 16u << 20);
    build(parts, &module);
    if (sw_module_rewrite((struct sw_bytes){module.data, module.size}, &rewritten, &f->err) !=
            SW_OK ||
        sw_wasm_compile((struct sw_bytes){rewritten.data, rewritten.size}, class, &code, &f->err) !=
            SW_OK ||
        sw_wasm_module_open(f->engine, class, (struct sw_bytes){code.data, code.size}, &f->module,
                            &f->err) != SW_OK)
        fail_msg("%s", f->err.message);
    f->instance = new_instance(f);
    sw_buffer_done(&module);
    sw_buffer_done(&rewritten);
    sw_buffer_done(&code);
}

static void hidden_globals_are_part_of_an_image(void **state)
{
    struct fixture *f = *state;
    struct parts parts = hidden_parts();
    struct sw_wasm_module_view view;
    struct sw_buffer image;

    use_parts(f, &parts);
    sw_wasm_module_view(f->module, &view);
    assert_int_equal(view.globals_count, 2);
    assert_true(view.has_on_start);
    assert_int_equal(enter(f, SW_GUEST_START), SW_GUEST_DONE);
    assert_string_equal(calls_of(f), "");
    assert_int_equal(tell(f, ""), SW_GUEST_DONE);
    assert_string_equal(calls_of(f), "timer_start id=111 delay=21\n");
    sw_buffer_init(&image, 1u << 20);
    assert_int_equal(sw_wasm_image_save(f->instance, &image, &f->err), SW_OK);
    sw_wasm_instance_free(f->instance);
    f->instance = new_instance(f);
    assert_int_equal(
        sw_wasm_image_load(f->instance, (struct sw_bytes){image.data, image.size}, &f->err), SW_OK);
    assert_int_equal(tell(f, ""), SW_GUEST_DONE);
    assert_string_equal(calls_of(f), "timer_start id=112 delay=63\n");
    sw_buffer_done(&image);
}

/* A new instance runs no code before its first entry. */
static void the_start_runs_within_the_first_entry(void **state)
{
    struct fixture *f = *state;
    struct parts parts = hidden_parts();

    use_parts(f, &parts);
    assert_int_equal(tell(f, ""), SW_GUEST_DONE);
    assert_string_equal(calls_of(f), "timer_start id=1 delay=0\n");
}

static void a_start_that_never_ends_meets_the_deadline(void **state)
{
    struct fixture *f = *state;
    struct parts parts = hidden_parts();

    parts.code = BYTES("\x04" ALLOC ON_MESSAGE START_FOR_EVER INITIALIZE);
    use_parts(f, &parts);
    assert_int_equal(enter(f, SW_GUEST_START), SW_GUEST_DEADLINE);
    assert_non_null(strstr(f->outcome.report, "stopped after 200 ms"));
}

static void an_initialize_that_traps_is_told(void **state)
{
    struct fixture *f = *state;
    struct parts parts = hidden_parts();

    parts.code = BYTES("\x04" ALLOC ON_MESSAGE START INITIALIZE_TRAPS);
    use_parts(f, &parts);
    assert_int_equal(enter(f, SW_GUEST_START), SW_GUEST_TRAPPED);
    assert_non_null(strstr(f->outcome.report, "unreachable"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(hidden_globals_are_part_of_an_image),
        TEST(the_start_runs_within_the_first_entry),
        TEST(a_start_that_never_ends_meets_the_deadline),
        TEST(an_initialize_that_traps_is_told),
    };

    return run_in_every_class(tests, sizeof tests / sizeof tests[0]);
}
