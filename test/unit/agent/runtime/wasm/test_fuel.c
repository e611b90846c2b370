/* uses: pkg/agent/modules pkg/utils/system */
#include "pkg/agent/runtime/wasm/wasm.h"
#include "pkg/utils/system/system.h"
#include "test/unit/agent/runtime/wasm/fixture.h"

/* An engine that counts fuel: no thread, no clock, the same end on every machine. */
static void open_fuel(struct fixture *f)
{
    struct sw_wasm_engine_options options = {
        .calls = &noted_calls, .address_bytes = (uint64_t)1 << 30, .fuel_per_ms = 100000};

    assert_int_equal(sw_wasm_engine_new(&options, &f->engine, &f->err), SW_OK);
    assert_int_equal(sw_wasm_worker_new(f->engine, &f->worker, &f->err), SW_OK);
    sw_buffer_init(&f->calls, 1u << 20);
    traps_keep();
}

static void close_fuel(struct fixture *f)
{
    if (f->instance != NULL)
        sw_wasm_instance_free(f->instance);
    sw_wasm_module_unref(f->module);
    sw_wasm_worker_free(f->worker);
    sw_wasm_engine_free(f->engine);
    sw_buffer_done(&f->calls);
}

static enum sw_rc open_module(struct fixture *f,
                              enum sw_rc (*compile)(struct sw_bytes, enum sw_abi_class,
                                                    struct sw_buffer *, struct sw_err *))
{
    struct sw_buffer wasm, code;
    enum sw_rc rc;

    sw_buffer_init(&wasm, 1u << 20);
    sw_buffer_init(&code, 16u << 20);
    assert_int_equal(sw_file_load(sw_system_real(), SW_TEST_BUILD "/guests/test_conformance.wasm",
                                  1u << 20, &wasm, &f->err),
                     SW_OK);
    assert_int_equal(compile((struct sw_bytes){wasm.data, wasm.size}, class, &code, &f->err),
                     SW_OK);
    rc = sw_wasm_module_open(f->engine, class, (struct sw_bytes){code.data, code.size}, &f->module,
                             &f->err);
    sw_buffer_done(&wasm);
    sw_buffer_done(&code);
    return rc;
}

static void an_endless_loop_ends_when_its_fuel_is_used(void **state)
{
    struct sw_guest_message message = {.body = text("spin")}, other = {.body = text("ask host")};
    struct sw_guest_input spin = {.entry = SW_GUEST_MESSAGE, .message = &message, .deadline_ms = 5};
    struct sw_guest_input ask = {.entry = SW_GUEST_MESSAGE, .message = &other, .deadline_ms = 5};
    struct fixture f = {0};

    (void)state;
    open_fuel(&f);
    assert_int_equal(open_module(&f, sw_wasm_compile_fuel), SW_OK);
    f.instance = new_instance(&f);
    traps_use();
    for (int i = 0; i < 3; i++) {
        sw_wasm_enter(f.instance, &spin, &f.outcome);
        assert_int_equal(f.outcome.end, SW_GUEST_DEADLINE);
        assert_int_equal(f.outcome.code, SW_E_TIMEOUT);
        assert_non_null(strstr(f.outcome.report, "stopped after the fuel of 5 ms"));
        sw_wasm_enter(f.instance, &ask, &f.outcome);
        assert_int_equal(f.outcome.end, SW_GUEST_DONE);
    }
    close_fuel(&f);
}

static uint64_t ticks_ns[8]; /* What each tick was told. */

static void note_tick(struct fixture *f, uint64_t used_ns)
{
    ticks_ns[(f->ticks - 1) % 8] = used_ns;
}

/* A guest that calls nothing sees none; whoever calls sees one after each millisecond's fuel, at
 * the same places each time. */
static void ticks_come_with_the_fuel(void **state)
{
    struct sw_guest_message silent = {.body = text("spin")},
                            calls = {.body = text("spin and call")};
    struct sw_guest_input spin = {.entry = SW_GUEST_MESSAGE, .message = &silent, .deadline_ms = 5};
    struct sw_wasm_worker_view view;
    struct fixture f = {.on_tick = note_tick};
    uint64_t first_ns[8];

    (void)state;
    open_fuel(&f);
    assert_int_equal(open_module(&f, sw_wasm_compile_fuel), SW_OK);
    f.instance = new_instance(&f);
    traps_use();
    sw_wasm_enter(f.instance, &spin, &f.outcome);
    assert_int_equal(f.ticks, 0);
    sw_wasm_worker_view(f.worker, &view);
    assert_int_equal(view.fuel, 500000);
    spin.message = &calls;
    for (int i = 0; i < 2; i++) {
        f.ticks = 0;
        sw_wasm_enter(f.instance, &spin, &f.outcome);
        assert_int_equal(f.outcome.end, SW_GUEST_DEADLINE);
        assert_int_equal(f.ticks, 5);
        assert_int_equal(ticks_ns[0], 0);
        for (int k = 1; k < 5; k++)
            assert_in_range(ticks_ns[k] - ticks_ns[k - 1], 1000000, 1001000);
        if (i > 0)
            assert_memory_equal(first_ns, ticks_ns, sizeof ticks_ns);
        memcpy(first_ns, ticks_ns, sizeof ticks_ns);
    }
    sw_wasm_worker_view(f.worker, &view);
    assert_int_equal(view.fuel, 1500000);
    close_fuel(&f);
}

static void code_without_fuel_is_refused(void **state)
{
    struct fixture f = {0};

    (void)state;
    open_fuel(&f);
    assert_int_equal(open_module(&f, sw_wasm_compile),
                     sw_abi_class_counts_fuel(class) ? SW_OK : SW_E_UNSUPPORTED);
    close_fuel(&f);
}

/* --- Limits of entries ----------------------------------------------------------------------- */

static void open_limited(struct fixture *f)
{
    struct sw_wasm_engine_options options = {.calls = &noted_calls,
                                             .address_bytes = (uint64_t)64 << 30};

    assert_int_equal(sw_wasm_engine_new(&options, &f->engine, &f->err), SW_OK);
    assert_int_equal(sw_wasm_worker_new(f->engine, &f->worker, &f->err), SW_OK);
    sw_buffer_init(&f->calls, 1u << 20);
    traps_keep();
    f->module = open_guest(f, "test_conformance");
    f->instance = new_instance(f);
}

static enum sw_guest_end tell_with(struct fixture *f, const char *command, uint64_t fuel_max)
{
    struct sw_guest_message message = {.body = text(command), .type = text("text/plain")};
    struct sw_guest_input input = {
        .entry = SW_GUEST_MESSAGE, .message = &message, .deadline_ms = 60000, .fuel_max = fuel_max};

    traps_use();
    sw_wasm_enter(f->instance, &input, &f->outcome);
    return f->outcome.end;
}

/* Of what an entry needs not a unit may be missing, wherever it ends: in a loop, at its end. */
static void an_entry_has_so_much_and_not_a_unit_more(void **state)
{
    static const char *const commands[] = {"ask host", "count", "divide zeros", "leave traces"};
    struct fixture f = {0};

    (void)state;
    open_limited(&f);
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        uint64_t fuel;

        assert_int_equal(tell_with(&f, commands[i], 0), SW_GUEST_DONE);
        fuel = f.outcome.fuel;
        assert_int_equal(fuel != 0, sw_abi_class_counts_fuel(class));
        if (fuel == 0)
            continue;
        for (int k = 0; k < 2; k++) {
            assert_int_equal(tell_with(&f, commands[i], fuel), SW_GUEST_DONE);
            assert_int_equal(f.outcome.fuel, fuel);
            assert_int_equal(tell_with(&f, commands[i], fuel - 1), SW_GUEST_OUT_OF_FUEL);
            assert_int_equal(f.outcome.code, SW_E_EXHAUSTED);
            assert_int_equal(f.outcome.fuel, fuel - 1);
            assert_non_null(strstr(f.outcome.report, "out of fuel: stopped after "));
        }
    }
    close_fuel(&f);
}

/* A loop without end ends by its fuel; where none is counted a limit of it is none. */
static void a_limit_holds_in_classes_that_count(void **state)
{
    struct fixture f = {0};

    (void)state;
    open_limited(&f);
    if (sw_abi_class_counts_fuel(class)) {
        assert_int_equal(tell_with(&f, "spin", 1000000), SW_GUEST_OUT_OF_FUEL);
        assert_int_equal(f.outcome.fuel, 1000000);
        assert_non_null(strstr(f.outcome.report, "out of fuel: stopped after 1000000 units"));
        assert_int_equal(tell_with(&f, "ask host", 1), SW_GUEST_OUT_OF_FUEL);
    } else {
        assert_int_equal(tell_with(&f, "ask host", 1), SW_GUEST_DONE);
        assert_int_equal(f.outcome.fuel, 0);
    }
    close_fuel(&f);
}

/* The deadline of an engine that counts fuel, and the limit of the entry: the one that comes first.
 */
static void a_limit_and_a_deadline_in_fuel_hold_both(void **state)
{
    struct sw_guest_message message = {.body = text("spin")};
    struct sw_guest_input spin = {
        .entry = SW_GUEST_MESSAGE, .message = &message, .deadline_ms = 5, .fuel_max = 400000};
    struct fixture f = {0};
    bool counts = sw_abi_class_counts_fuel(class);

    (void)state;
    open_fuel(&f);
    assert_int_equal(open_module(&f, sw_wasm_compile_fuel), SW_OK);
    f.instance = new_instance(&f);
    traps_use();
    sw_wasm_enter(f.instance, &spin, &f.outcome);
    assert_int_equal(f.outcome.end, SW_GUEST_OUT_OF_FUEL);
    assert_int_equal(f.outcome.fuel, counts ? 400000 : 0);
    spin.fuel_max = 600000;
    sw_wasm_enter(f.instance, &spin, &f.outcome);
    assert_int_equal(f.outcome.end, SW_GUEST_DEADLINE);
    close_fuel(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_endless_loop_ends_when_its_fuel_is_used),
        cmocka_unit_test(ticks_come_with_the_fuel),
        cmocka_unit_test(code_without_fuel_is_refused),
        cmocka_unit_test(an_entry_has_so_much_and_not_a_unit_more),
        cmocka_unit_test(a_limit_holds_in_classes_that_count),
        cmocka_unit_test(a_limit_and_a_deadline_in_fuel_hold_both),
    };
    return run_in_every_class(tests, sizeof tests / sizeof tests[0]);
}
