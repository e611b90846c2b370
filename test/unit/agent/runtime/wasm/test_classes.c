/* labels: threaded */
/* uses: pkg/agent/modules pkg/utils/system */
/* What is the same in all classes of engine, and what is not. */
#include "pkg/agent/runtime/wasm/state.h"
#include "test/unit/agent/runtime/wasm/fixture.h"

#define OFFSETS 10
#define KINDS 4 /* Of an access: load or store one byte or eight. */

/* As test/guests/edges.c has them. */
static const uint64_t offsets[OFFSETS] = {0,        1,        65535,      33554423,   33554424,
                                          33554431, 33554432, 2147483647, 4294967288, 4294967295};

/* --- Bounds ---------------------------------------------------------------------------------- */

static int setup_edges(void **state)
{
    int rc = setup(state);
    struct fixture *f = *state;

    sw_wasm_instance_free(f->instance);
    sw_wasm_module_unref(f->module);
    f->module = open_guest(f, "test_edges");
    f->instance = NULL;
    return rc;
}

/* Whether it went through. A trap leaves the instance good for the next access. */
static bool touches(struct fixture *f, struct sw_wasm_instance *instance, unsigned row,
                    uint32_t address)
{
    uint8_t body[5] = {(uint8_t)row};
    struct sw_guest_message message = {.body = {body, sizeof body}};
    struct sw_guest_input input = {
        .entry = SW_GUEST_MESSAGE, .message = &message, .deadline_ms = SHORT_MS};

    memcpy(body + 1, &address, sizeof address);
    traps_use();
    sw_wasm_enter(instance, &input, &f->outcome);
    if (f->outcome.end == SW_GUEST_DONE)
        return true;
    assert_int_equal(f->outcome.end, SW_GUEST_TRAPPED);
    assert_non_null(strstr(f->outcome.report, "out of bounds"));
    return false;
}

/* Every kind of access with every offset, where the sum is around the end of the memory, around
 * the end of all that is reserved behind it, and at the ends of what an address can be. */
static void expect_bounds(struct fixture *f, struct sw_wasm_instance *instance)
{
    uint64_t size = instance->slot.size_bytes;
    const uint64_t marks[] = {size, size + 65536, SW_WASM_MEMORY_BYTES_MAX,
                              SW_WASM_MEMORY_BYTES_MAX + SW_WASM_GUARD_BYTES,
                              2 * SW_WASM_MEMORY_BYTES_MAX};

    for (unsigned row = 0; row < OFFSETS * KINDS; row++) {
        uint64_t offset = offsets[row / KINDS], width = row % 2 == 0 ? 1 : 8;

        for (size_t i = 0; i < 17 * sizeof marks / sizeof marks[0]; i++) {
            uint64_t at = marks[i / 17] + i % 17 - 9;

            if (at < offset || at - offset > UINT32_MAX)
                continue;
            if (touches(f, instance, row, (uint32_t)(at - offset)) != (at + width <= size))
                fail_msg("%s: row %u, offset %llu, byte %llu of %llu", sw_abi_class_name(class),
                         row, (unsigned long long)offset, (unsigned long long)at,
                         (unsigned long long)size);
        }
        assert_false(touches(f, instance, row, UINT32_MAX));
    }
}

static void all_of_the_memory_and_nothing_else_is_touched(void **state)
{
    static const uint64_t limits[] = {(uint64_t)256 << 10, (uint64_t)1 << 20, (uint64_t)64 << 20};
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        struct sw_wasm_instance *one = NULL, *other = NULL;

        assert_int_equal(sw_wasm_instance_new(f->worker, f->module, limits[i], f, &one, &f->err),
                         SW_OK);
        assert_int_equal(sw_wasm_instance_new(f->worker, f->module, limits[i], f, &other, &f->err),
                         SW_OK);
        expect_bounds(f, one);
        expect_bounds(f, other);
        sw_wasm_instance_free(one);
        assert_int_equal(
            sw_wasm_instance_new(f->worker, f->module, limits[i] / 2, f, &one, &f->err), SW_OK);
        expect_bounds(f, one);
        sw_wasm_instance_free(one);
        sw_wasm_instance_free(other);
    }
}

static void bounds_move_as_memory_grows(void **state)
{
    struct fixture *f = *state;
    struct sw_wasm_instance *one = NULL;
    const uint8_t *base;

    assert_int_equal(
        sw_wasm_instance_new(f->worker, f->module, (uint64_t)1 << 20, f, &one, &f->err), SW_OK);
    for (int i = 0; i < 4; i++) {
        struct wasmtime_extern item;
        uint64_t before;

        expect_bounds(f, one);
        assert_true(wasmtime_instance_export_get(one->context, &one->instance, "memory",
                                                 strlen("memory"), &item));
        assert_null(wasmtime_memory_grow(one->context, &item.of.memory, 1, &before));
    }
    expect_bounds(f, one);
    base = one->slot.base;
    sw_wasm_instance_free(one);
    /* What it had open is closed for the next one of its slot. */
    assert_int_equal(
        sw_wasm_instance_new(f->worker, f->module, (uint64_t)1 << 20, f, &one, &f->err), SW_OK);
    assert_ptr_equal(one->slot.base, base);
    expect_bounds(f, one);
    sw_wasm_instance_free(one);
}

/* --- How many -------------------------------------------------------------------------------- */

/* All of compute that a host can have, with what Linux allows a process; then one goes, and its
 * place is good again. */
static void a_host_has_as_many_of_compute_as_it_says(void **state)
{
    const struct sw_wasm_guarded *guarded;
    struct fixture *f = *state;
    struct sw_wasm_instance **all;
    struct sw_wasm_instance *other = NULL;
    size_t count = 0;

    if (!is_guarded())
        return;
    guarded = &f->engine->guarded;
    all = calloc(SW_WASM_GUARDED_MAX, sizeof(struct sw_wasm_instance *));
    assert_non_null(all);
    while (count < SW_WASM_GUARDED_MAX &&
           sw_wasm_instance_new(f->worker, f->module, MEMORY_MAX, f, &all[count], &f->err) == SW_OK)
        count++;
    assert_int_equal(count, guarded->count - 1); /* One is the fixture's. */
#ifndef SW_SANITIZED
    assert_int_equal(guarded->count, SW_WASM_GUARDED_MAX);
#endif
    assert_int_equal(f->err.rc, SW_E_EXHAUSTED);
    assert_non_null(strstr(f->err.message, "as many instances of the engine class compute"));
    for (size_t i = 0; i < count; i += 997) {
        assert_int_equal(tell_one(f, all[i], "grow"), SW_GUEST_DONE);
        assert_int_equal(tell_one(f, all[i], "just beyond"), SW_GUEST_TRAPPED);
    }
    sw_wasm_instance_free(all[count / 2]);
    assert_int_equal(
        sw_wasm_instance_new(f->worker, f->module, MEMORY_MAX, f, &all[count / 2], &f->err), SW_OK);
    assert_int_equal(tell_one(f, all[count / 2], "look for leaks"), SW_GUEST_DONE);
    assert_int_not_equal(sw_wasm_instance_new(f->worker, f->module, MEMORY_MAX, f, &other, &f->err),
                         SW_OK);
    for (size_t i = 0; i < count; i++)
        sw_wasm_instance_free(all[i]);
    free(all);
}

/* --- Images ---------------------------------------------------------------------------------- */

/* A module of another class than the one that the tests run in, and back. */
static void an_image_is_read_by_every_class(void **state)
{
    struct fixture *f = *state;
    enum sw_abi_class own = class;

    assert_int_equal(tell(f, "grow"), SW_GUEST_DONE);
    for (unsigned i = 0; i < 2 * SW_ABI_CLASSES; i++) {
        struct sw_wasm_module *module;
        struct sw_wasm_instance *next = NULL;
        struct sw_buffer image;

        assert_int_equal(tell(f, "count"), SW_GUEST_DONE);
        sw_buffer_init(&image, 1u << 20);
        assert_int_equal(sw_wasm_image_save(f->instance, &image, &f->err), SW_OK);
        class = (enum sw_abi_class)(i % SW_ABI_CLASSES);
        module = open_guest(f, "test_conformance");
        assert_int_equal(sw_wasm_instance_new(f->worker, module, MEMORY_MAX, f, &next, &f->err),
                         SW_OK);
        assert_int_equal(
            sw_wasm_image_load(next, (struct sw_bytes){image.data, image.size}, &f->err), SW_OK);
        assert_int_equal(sw_wasm_instance_memory(next), sw_wasm_instance_memory(f->instance));
        assert_memory_equal(next->slot.base, f->instance->slot.base, next->slot.size_bytes);
        sw_wasm_instance_free(f->instance);
        sw_wasm_module_unref(f->module);
        f->instance = next;
        f->module = module;
        sw_buffer_done(&image);
    }
    assert_int_equal(tell(f, "count"), SW_GUEST_DONE);
    assert_string_equal(calls_of(f), "timer_start id=13 delay=0\n");
    class = own;
}

/* --- Numbers --------------------------------------------------------------------------------- */

/* 0 / 0 and others, each the one NaN of the class replay, or whatever the processor makes. */
static void a_result_that_is_no_number_is_the_same_everywhere_in_replay(void **state)
{
    static const char replayed[] = "timer_start id=2143289344 delay=9221120237041090560\n";
    struct fixture *f = *state;
    static const char *const ways[] = {"divide zeros", "root of minus one", "pass on a payload"};

    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        assert_int_equal(tell(f, ways[i]), SW_GUEST_DONE);
        if (sw_abi_class_with_fuel(class, false) == SW_ABI_REPLAY)
            assert_string_equal(calls_of(f), replayed);
#if defined(__x86_64__)
        else
            assert_string_not_equal(calls_of(f), replayed);
#endif
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
#define EDGE(name) cmocka_unit_test_setup_teardown(name, setup_edges, teardown)
    const struct CMUnitTest tests[] = {
        EDGE(all_of_the_memory_and_nothing_else_is_touched),
        EDGE(bounds_move_as_memory_grows),
        TEST(a_host_has_as_many_of_compute_as_it_says),
        TEST(an_image_is_read_by_every_class),
        TEST(a_result_that_is_no_number_is_the_same_everywhere_in_replay),
    };

    return run_in_every_class(tests, sizeof tests / sizeof tests[0]);
}
