/* labels: threaded */
/* uses: pkg/agent/modules pkg/utils/system */
#include "pkg/agent/runtime/wasm/state.h"
#include "test/unit/agent/runtime/wasm/fixture.h"

static struct sw_wasm_instance *instance_of_limit(struct fixture *f, uint64_t limit)
{
    struct sw_wasm_instance *instance = NULL;

    if (sw_wasm_instance_new(f->worker, f->module, limit, f, &instance, &f->err) != SW_OK)
        fail_msg("%s", f->err.message);
    return instance;
}

/* Small memories are cleared in place, large ones given back: both must read as new. */
static void the_next_tenant_finds_nothing(void **state)
{
    static const uint64_t limits[] = {(uint64_t)64 << 10, (uint64_t)256 << 10, (uint64_t)1 << 20,
                                      (uint64_t)4 << 20, (uint64_t)16 << 20};
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        for (int round = 0; round < 3; round++) {
            struct sw_wasm_instance *one = instance_of_limit(f, limits[i]);
            enum sw_guest_end end = tell_one(f, one, "exhaust");

            assert_int_equal(end, SW_GUEST_NO_MEMORY);
            assert_int_equal(sw_wasm_instance_memory(one), limits[i]);
            assert_int_equal(tell_one(f, one, "look for leaks"), SW_GUEST_DONE);
            assert_int_equal(tell_one(f, one, "leave traces"), SW_GUEST_DONE);
            assert_int_equal(tell_one(f, one, "look for leaks"), SW_GUEST_FAILED);
            sw_wasm_instance_free(one);
        }
    }
}

static void a_new_instance_has_its_data_again(void **state)
{
    struct fixture *f = *state;
    struct sw_wasm_instance *one = new_instance(f);

    assert_int_equal(tell_one(f, one, "count"), SW_GUEST_DONE);
    assert_string_equal(calls_of(f), "timer_start id=1 delay=0\n");
    sw_wasm_instance_free(one);
    one = new_instance(f);
    assert_int_equal(tell_one(f, one, "count"), SW_GUEST_DONE);
    assert_string_equal(calls_of(f), "timer_start id=1 delay=0\n");
    sw_wasm_instance_free(one);
}

static void neighbours_share_nothing(void **state)
{
    enum { COUNT = 100 };
    struct fixture *f = *state;
    struct sw_wasm_instance *all[COUNT];

    for (size_t i = 0; i < COUNT; i++)
        all[i] = instance_of_limit(f, SW_WASM_PAGE_BYTES);
    for (size_t i = 0; i < COUNT; i += 2)
        assert_int_equal(tell_one(f, all[i], "leave traces"), SW_GUEST_DONE);
    for (size_t i = 1; i < COUNT; i += 2)
        assert_int_equal(tell_one(f, all[i], "look for leaks"), SW_GUEST_DONE);
    for (size_t i = 0; i < COUNT; i++)
        sw_wasm_instance_free(all[i]);
}

static void a_limit_below_the_first_memory_is_refused(void **state)
{
    struct fixture *f = *state;
    struct sw_wasm_instance *instance = NULL;

    assert_int_equal(
        sw_wasm_instance_new(f->worker, f->module, SW_WASM_PAGE_BYTES - 1, f, &instance, &f->err),
        SW_E_EXHAUSTED);
    assert_null(instance);
    assert_non_null(strstr(f->err.message, "the limit is 63 KiB"));
}

static void the_worker_counts_what_is_alive(void **state)
{
    struct fixture *f = *state;
    struct sw_wasm_worker_view view, before;
    struct sw_wasm_instance *one;

    sw_wasm_worker_view(f->worker, &before);
    one = new_instance(f);
    assert_int_equal(tell_one(f, one, "grow"), SW_GUEST_DONE);
    sw_wasm_worker_view(f->worker, &view);
    assert_int_equal(view.instances, before.instances + 1);
    assert_int_equal(view.memory_bytes, before.memory_bytes + sw_wasm_instance_memory(one));
    sw_wasm_instance_free(one);
    sw_wasm_worker_view(f->worker, &view);
    assert_int_equal(view.instances, before.instances);
    assert_int_equal(view.memory_bytes, before.memory_bytes);
    assert_int_equal(view.hot_slots, before.hot_slots + !is_guarded());
}

/* An engine with room for 64 slots of 16 MiB, or so many guarded ones, no hot ones. */
static void address_space_is_bounded_and_reused(void **state)
{
    struct sw_wasm_engine_options options = {.calls = &noted_calls,
                                             .address_bytes = (uint64_t)1 << 30,
                                             .hot_slots_max = 1,
                                             .guarded_max = 64};
    struct fixture *f = *state;
    struct fixture small = {0};
    struct sw_wasm_instance *all[100];
    size_t count = 0;

    (void)f;
    sw_buffer_init(&small.calls, 1u << 16);
    assert_int_equal(sw_wasm_engine_new(&options, &small.engine, &small.err), SW_OK);
    assert_int_equal(sw_wasm_worker_new(small.engine, &small.worker, &small.err), SW_OK);
    small.module = open_guest(&small, "test_conformance");
    while (count < 100 && sw_wasm_instance_new(small.worker, small.module, (uint64_t)16 << 20,
                                               &small, &all[count], &small.err) == SW_OK)
        count++;
    assert_int_equal(count, 64);
    assert_non_null(strstr(small.err.message, is_guarded()
                                                  ? "as many instances of the engine class compute"
                                                  : "no address space is left"));
    sw_wasm_instance_free(all[10]);
    assert_int_equal(sw_wasm_instance_new(small.worker, small.module, (uint64_t)16 << 20, &small,
                                          &all[10], &small.err),
                     SW_OK);
    for (size_t i = 0; i < count; i++)
        sw_wasm_instance_free(all[i]);
    sw_wasm_module_unref(small.module);
    sw_wasm_worker_free(small.worker);
    sw_wasm_engine_free(small.engine);
    sw_buffer_done(&small.calls);
}

static uint8_t *memory_of(const struct sw_wasm_instance *instance)
{
    return instance->slot.base;
}

static void save_image(struct fixture *f, const struct sw_wasm_instance *instance)
{
    struct sw_buffer image;

    sw_buffer_init(&image, 1u << 20);
    assert_int_equal(sw_wasm_image_save(instance, &image, &f->err), SW_OK);
    sw_buffer_done(&image);
}

/* What is kept of one that is over is as new, also where only the pages of its last image were
 * written again; and one that was entered since that has others. */
static void one_that_is_kept_is_as_new(void **state)
{
    static const char *const ways[] = {"never saved", "saved", "saved too soon", "loaded again"};
    struct fixture *f = *state;
    struct sw_wasm_instance *one = instance_of_limit(f, MEMORY_MAX);
    size_t bytes = sw_wasm_instance_memory(one);
    uint8_t *fresh = malloc(bytes), *base = memory_of(one);

    memcpy(fresh, base, bytes);
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        if (i == 2)
            save_image(f, one);
        assert_int_equal(tell_one(f, one, "leave traces"), SW_GUEST_DONE);
        assert_memory_not_equal(memory_of(one), fresh, bytes);
        if (i == 1)
            save_image(f, one);
        if (i == 3) { /* Into another one, which is over without being entered. */
            struct sw_wasm_instance *other = instance_of_limit(f, MEMORY_MAX);
            struct sw_buffer image;

            sw_buffer_init(&image, 1u << 20);
            assert_int_equal(sw_wasm_image_save(one, &image, &f->err), SW_OK);
            assert_int_equal(
                sw_wasm_image_load(other, (struct sw_bytes){image.data, image.size}, &f->err),
                SW_OK);
            sw_buffer_done(&image);
            sw_wasm_instance_free(one);
            one = other;
        }
        base = memory_of(one);
        sw_wasm_instance_free(one);
        one = instance_of_limit(f, MEMORY_MAX);
        if (!is_guarded())
            assert_ptr_equal(memory_of(one), base);
        assert_memory_equal(memory_of(one), fresh, bytes);
        assert_int_equal(tell_one(f, one, "look for leaks"), SW_GUEST_DONE);
        sw_wasm_instance_free(one);
        one = instance_of_limit(f, MEMORY_MAX);
    }
    free(fresh);
    sw_wasm_instance_free(one);
}

/* Kept is only what is as it was made: nobody who failed in the middle or has grown; and for the
 * same module and limit only. */
static void not_all_are_kept(void **state)
{
    struct fixture *f = *state;
    struct sw_wasm_instance *one;
    struct sw_wasm_worker_view view;

    if (is_guarded()) /* Guarded ones are made anew. */
        return;
    sw_wasm_worker_forget(f->worker, NULL);
    assert_int_equal(f->worker->spares_count, 0);
    one = instance_of_limit(f, MEMORY_MAX);
    assert_int_equal(tell_one(f, one, "trap"), SW_GUEST_TRAPPED);
    sw_wasm_instance_free(one);
    assert_int_equal(f->worker->spares_count, 0);
    one = instance_of_limit(f, MEMORY_MAX);
    assert_int_equal(tell_one(f, one, "grow"), SW_GUEST_DONE);
    sw_wasm_instance_free(one);
    assert_int_equal(f->worker->spares_count, 0);
    sw_wasm_instance_free(instance_of_limit(f, MEMORY_MAX));
    assert_int_equal(f->worker->spares_count, 1);
    one = instance_of_limit(f, MEMORY_MAX / 2);
    assert_int_equal(f->worker->spares_count, 1);
    sw_wasm_worker_view(f->worker, &view);
    assert_int_equal(view.memory_bytes,
                     sw_wasm_instance_memory(one) + sw_wasm_instance_memory(f->instance));
    sw_wasm_instance_free(one);
    assert_int_equal(f->worker->spares_count, 2);
    sw_wasm_worker_forget(f->worker, f->module);
    assert_int_equal(f->worker->spares_count, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(the_next_tenant_finds_nothing),   TEST(a_new_instance_has_its_data_again),
        TEST(neighbours_share_nothing),        TEST(a_limit_below_the_first_memory_is_refused),
        TEST(the_worker_counts_what_is_alive), TEST(address_space_is_bounded_and_reused),
        TEST(one_that_is_kept_is_as_new),      TEST(not_all_are_kept),
    };

    return run_in_every_class(tests, sizeof tests / sizeof tests[0]);
}
