/* labels: threaded */
/* uses: pkg/agent/modules pkg/utils/system */
/* timeout: 300 */
/* No byte of a former tenant of a slot is ever readable: not by code, and not in any byte of the
 * slot, used or not. Each test leaves secrets in slots of every size, in one way of leaving, and
 * looks at whoever comes next. */
#include "pkg/agent/runtime/wasm/state.h"
#include "test/unit/agent/runtime/wasm/fixture.h"

#include <sys/mman.h>

#define PAGE SW_WASM_IMAGE_PAGE_BYTES
#define FILLED_MAX ((uint64_t)16 << 20) /* Larger memories get a secret in each MiB. */
#define IMAGE_MAX ((uint64_t)4 << 20)
#define DEADLINE_MS 20000

static unsigned char *resident; /* One byte for each page of the largest slot. */

static int setup_tenants(void **state)
{
    int rc = setup(state);
    struct fixture *f = *state;

    sw_wasm_instance_free(f->instance);
    sw_wasm_module_unref(f->module);
    f->instance = NULL;
    f->module = open_guest(f, "test_tenant");
    resident = malloc(SW_WASM_MEMORY_BYTES_MAX / PAGE);
    return resident == NULL ? -1 : rc;
}

static int teardown_tenants(void **state)
{
    free(resident);
    return teardown(state);
}

static uint64_t limit_of(unsigned size)
{
    return (uint64_t)SW_WASM_PAGE_BYTES << (2 * size);
}

/* Of all that the instance alone can ever have of its slot. */
static uint64_t size_of(const struct sw_wasm_instance *instance)
{
    return instance->slot.is_guarded ? SW_WASM_MEMORY_BYTES_MAX : limit_of(instance->slot.number);
}

static struct sw_wasm_instance *move_in(struct fixture *f, uint64_t limit)
{
    struct sw_wasm_instance *instance = NULL;

    if (sw_wasm_instance_new(f->worker, f->module, limit, f, &instance, &f->err) != SW_OK)
        fail_msg("%s", f->err.message);
    return instance;
}

static enum sw_guest_end do_it(struct fixture *f, struct sw_wasm_instance *instance, char what)
{
    uint32_t step = instance->slot.limit_bytes <= FILLED_MAX ? 1 : 1u << 20;
    char body[5] = {what};
    struct sw_guest_message message = {.body = {body, sizeof body}};
    struct sw_guest_input input = {
        .entry = SW_GUEST_MESSAGE, .message = &message, .deadline_ms = DEADLINE_MS};

    memcpy(body + 1, &step, sizeof step);
    traps_use();
    sw_wasm_enter(instance, &input, &f->outcome);
    return f->outcome.end;
}

static bool is_zero_page(const uint8_t *page)
{
    static const uint8_t zeros[PAGE];

    return memcmp(page, zeros, PAGE) == 0;
}

/* The page as the module declares it. */
static const uint8_t *declared(const struct sw_wasm_module *module, uint64_t number)
{
    for (size_t i = 0; i < module->base_count; i++)
        if (module->base_pages[i] == number)
            return module->base_bytes + i * PAGE;
    return NULL;
}

/* Every byte of a new instance's slot, also beyond its memory, is the module's own or zero. A page
 * that the kernel has not given yet is zero. */
static void expect_fresh(const struct sw_wasm_instance *instance)
{
    uint64_t pages = size_of(instance) / PAGE;

    assert_int_equal(mincore(instance->slot.base, pages * PAGE, resident), 0);
    for (uint64_t i = 0; i < pages; i++) {
        const uint8_t *page = instance->slot.base + i * PAGE;
        const uint8_t *own = declared(instance->module, i);
        if ((resident[i] & 1) == 0)
            continue;
        if (own == NULL ? !is_zero_page(page) : memcmp(page, own, PAGE) != 0)
            fail_msg("page %llu of a slot of %llu KiB", (unsigned long long)i,
                     (unsigned long long)(size_of(instance) / 1024));
    }
}

/* The next tenant of the slot where `before` stood: fresh as a whole, and to its own eyes, when it
 * is new and when it has grown to its limit. */
static void expect_clean(struct fixture *f, uint64_t limit, const uint8_t *before)
{
    struct sw_wasm_instance *next = move_in(f, limit);

    assert_ptr_equal(next->slot.base, before);
    expect_fresh(next);
    assert_int_equal(do_it(f, next, 's'), SW_GUEST_DONE);
    assert_int_equal(do_it(f, next, 'g'), SW_GUEST_DONE);
    assert_int_equal(next->slot.size_bytes, limit);
    assert_int_equal(do_it(f, next, 's'), SW_GUEST_DONE);
    sw_wasm_instance_free(next);
}

/* The test would see a secret that is there. */
static void a_secret_is_found(void **state)
{
    struct fixture *f = *state;
    struct sw_wasm_instance *one = move_in(f, limit_of(1));

    assert_int_equal(do_it(f, one, 'f'), SW_GUEST_DONE);
    assert_int_equal(do_it(f, one, 's'), SW_GUEST_FAILED);
    sw_wasm_instance_free(one);
}

static void after_a_life_in_a_slot_of_any_size(void **state)
{
    struct fixture *f = *state;

    for (unsigned size = 0; size < SW_WASM_SIZES_COUNT; size++) {
        for (int has_grown = 0; has_grown < 2; has_grown++) {
            struct sw_wasm_instance *one = move_in(f, limit_of(size));
            const uint8_t *base = one->slot.base;
            if (has_grown)
                assert_int_equal(do_it(f, one, 'g'), SW_GUEST_DONE);
            assert_int_equal(do_it(f, one, 'r'), SW_GUEST_DONE);
            assert_int_equal(do_it(f, one, 'f'), SW_GUEST_DONE);
            sw_wasm_instance_free(one);
            expect_clean(f, limit_of(size), base);
        }
    }
}

static void after_a_trap(void **state)
{
    struct fixture *f = *state;

    for (unsigned size = 0; size < SW_WASM_SIZES_COUNT; size++) {
        struct sw_wasm_instance *one = move_in(f, limit_of(size));
        const uint8_t *base = one->slot.base;
        assert_int_equal(do_it(f, one, 'g'), SW_GUEST_DONE);
        assert_int_equal(do_it(f, one, 't'), SW_GUEST_TRAPPED);
        sw_wasm_instance_free(one);
        expect_clean(f, limit_of(size), base);
    }
}

/* One byte in a page is enough. */
static void after_a_single_byte_at_the_end_of_each_page(void **state)
{
    struct fixture *f = *state;

    for (unsigned size = 0; limit_of(size) <= FILLED_MAX; size++) {
        struct sw_wasm_instance *one = move_in(f, limit_of(size));
        const uint8_t *base = one->slot.base;
        assert_int_equal(do_it(f, one, 'g'), SW_GUEST_DONE);
        assert_int_equal(do_it(f, one, 'l'), SW_GUEST_DONE);
        sw_wasm_instance_free(one);
        expect_clean(f, limit_of(size), base);
    }
}

/* Two tenants of one slot's size whose limits differ. */
static void after_a_tenant_with_a_larger_limit(void **state)
{
    struct fixture *f = *state;

    for (unsigned size = 1; size < SW_WASM_SIZES_COUNT; size++) {
        struct sw_wasm_instance *one = move_in(f, limit_of(size));
        const uint8_t *base = one->slot.base;
        assert_int_equal(do_it(f, one, 'g'), SW_GUEST_DONE);
        assert_int_equal(do_it(f, one, 'f'), SW_GUEST_DONE);
        sw_wasm_instance_free(one);
        expect_clean(f, limit_of(size) / 2, base);
        expect_clean(f, limit_of(size), base);
    }
}

/* An image that loads, and one that breaks in the middle of its pages, leave as much as a life. */
static void after_an_image(void **state)
{
    struct fixture *f = *state;
    struct sw_buffer image;

    for (unsigned size = 0; limit_of(size) <= IMAGE_MAX; size++) {
        struct sw_wasm_instance *one = move_in(f, limit_of(size));
        const uint8_t *base = one->slot.base;
        sw_buffer_init(&image, 16u << 20);
        assert_int_equal(do_it(f, one, 'g'), SW_GUEST_DONE);
        assert_int_equal(do_it(f, one, 'f'), SW_GUEST_DONE);
        assert_int_equal(sw_wasm_image_save(one, &image, &f->err), SW_OK);
        sw_wasm_instance_free(one);
        for (size_t cut = 0; cut < 2; cut++) {
            one = move_in(f, limit_of(size));
            assert_ptr_equal(one->slot.base, base);
            assert_int_equal(
                sw_wasm_image_load(one, (struct sw_bytes){image.data, image.size - cut}, &f->err),
                cut == 0 ? SW_OK : SW_E_CORRUPT);
            if (cut == 0)
                assert_int_equal(do_it(f, one, 's'), SW_GUEST_FAILED);
            sw_wasm_instance_free(one);
            expect_clean(f, limit_of(size), base);
        }
        sw_buffer_done(&image);
    }
}

/* Many at once, more than slots are kept hot, that leave in another order than they came. */
static void after_a_crowd(void **state)
{
    enum { COUNT = 1500 };
    struct fixture *f = *state;
    struct sw_wasm_instance **all = calloc(COUNT, sizeof(struct sw_wasm_instance *));
    /* Guarded ones are as many as there is address space for; ThreadSanitizer leaves little. */
    const size_t count = is_guarded() && f->engine->guarded.count < COUNT ? 101 : COUNT;

    assert_non_null(all);
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < count; i++) {
            all[i] = move_in(f, limit_of(i % 3 == 0));
            expect_fresh(all[i]);
        }
        for (size_t i = 0; i < count; i++) {
            if (i % 5 == 0)
                assert_int_equal(do_it(f, all[i], 'g'), SW_GUEST_DONE);
            assert_int_equal(do_it(f, all[i], i % 7 == 0 ? 'r' : 'f'), SW_GUEST_DONE);
        }
        for (size_t i = 0; i < count; i++)
            sw_wasm_instance_free(all[i * 7 % count]);
    }
    free(all);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup_tenants, teardown_tenants)
    const struct CMUnitTest tests[] = {
        TEST(a_secret_is_found),
        TEST(after_a_life_in_a_slot_of_any_size),
        TEST(after_a_trap),
        TEST(after_a_single_byte_at_the_end_of_each_page),
        TEST(after_a_tenant_with_a_larger_limit),
        TEST(after_an_image),
        TEST(after_a_crowd),
    };

    return run_in_every_class(tests, sizeof tests / sizeof tests[0]);
}
