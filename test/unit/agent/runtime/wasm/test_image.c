/* labels: threaded */
/* uses: pkg/agent/modules pkg/utils/system */
#include "test/unit/agent/runtime/wasm/fixture.h"

static struct sw_buffer save(struct fixture *f)
{
    struct sw_buffer image;

    sw_buffer_init(&image, 8u << 20);
    if (sw_wasm_image_save(f->instance, &image, &f->err) != SW_OK)
        fail_msg("%s", f->err.message);
    return image;
}

static enum sw_rc load(struct fixture *f, const struct sw_buffer *image)
{
    sw_wasm_instance_free(f->instance);
    f->instance = new_instance(f);
    return sw_wasm_image_load(f->instance, (struct sw_bytes){image->data, image->size}, &f->err);
}

static void a_loaded_instance_goes_on_where_it_was(void **state)
{
    struct fixture *f = *state;
    struct sw_buffer image;

    assert_int_equal(enter(f, SW_GUEST_START), SW_GUEST_DONE);
    assert_int_equal(tell(f, "count"), SW_GUEST_DONE);
    image = save(f);
    assert_true(image.size < 400);
    assert_int_equal(tell(f, "count"), SW_GUEST_DONE);
    assert_int_equal(load(f, &image), SW_OK);
    assert_int_equal(tell(f, "count"), SW_GUEST_DONE);
    assert_string_equal(calls_of(f), "timer_start id=102 delay=0\n");
    sw_buffer_done(&image);
}

static void grown_memory_comes_back_byte_by_byte(void **state)
{
    struct fixture *f = *state;
    struct sw_buffer image, again;

    assert_int_equal(tell(f, "grow"), SW_GUEST_DONE);
    assert_int_equal(tell(f, "leave traces"), SW_GUEST_DONE);
    image = save(f);
    assert_int_equal(load(f, &image), SW_OK);
    assert_int_equal(sw_wasm_instance_memory(f->instance), 3 * SW_WASM_PAGE_BYTES);
    again = save(f);
    assert_int_equal(again.size, image.size);
    assert_memory_equal(again.data, image.data, image.size);
    sw_buffer_done(&again);
    sw_buffer_done(&image);
}

static void a_new_instance_has_an_image_without_pages(void **state)
{
    struct fixture *f = *state;
    struct sw_buffer image = save(f);

    assert_true(image.size < 100);
    assert_int_equal(load(f, &image), SW_OK);
    sw_buffer_done(&image);
}

/* The stack pointer moved in the middle of nothing: it is a global, and part of the image. */
static void globals_are_part_of_the_image(void **state)
{
    struct fixture *f = *state;
    struct sw_wasm_module_view view;
    struct sw_buffer image;

    sw_wasm_module_view(f->module, &view);
    assert_int_equal(view.globals_count, 1);
    assert_int_equal(tell(f, "trap"), SW_GUEST_TRAPPED);
    image = save(f);
    assert_int_equal(load(f, &image), SW_OK);
    sw_buffer_done(&image);
}

static void an_image_larger_than_its_room_is_told(void **state)
{
    struct fixture *f = *state;
    struct sw_buffer image;

    for (size_t room = 0; room < 1200; room += 7) {
        sw_buffer_init(&image, room);
        assert_int_equal(tell(f, "leave traces"), SW_GUEST_DONE);
        enum sw_rc rc = sw_wasm_image_save(f->instance, &image, &f->err);
        assert_true(rc == SW_OK || rc == SW_E_EXHAUSTED);
        sw_buffer_done(&image);
    }
}

static void an_image_beyond_the_limit_is_refused(void **state)
{
    struct fixture *f = *state;
    struct sw_buffer image;

    assert_int_equal(tell(f, "grow"), SW_GUEST_DONE);
    image = save(f);
    sw_wasm_instance_free(f->instance);
    assert_int_equal(
        sw_wasm_instance_new(f->worker, f->module, SW_WASM_PAGE_BYTES, f, &f->instance, &f->err),
        SW_OK);
    assert_int_equal(
        sw_wasm_image_load(f->instance, (struct sw_bytes){image.data, image.size}, &f->err),
        SW_E_EXHAUSTED);
    sw_buffer_done(&image);
}

static void every_cut_is_corrupt(void **state)
{
    struct fixture *f = *state;
    struct sw_buffer image;

    assert_int_equal(tell(f, "count"), SW_GUEST_DONE);
    image = save(f);
    for (size_t size = image.size; size-- > 0;) {
        struct sw_buffer cut = image;
        cut.size = size;
        assert_int_equal(load(f, &cut), SW_E_CORRUPT);
    }
    sw_buffer_put_u8(&image, 0);
    assert_int_equal(load(f, &image), SW_E_CORRUPT);
    sw_buffer_done(&image);
}

/* Flipped bits may give other contents (the journal's checksums are for that), never a crash. */
static void every_flipped_byte_is_survived(void **state)
{
    struct fixture *f = *state;
    struct sw_buffer image;

    assert_int_equal(tell(f, "count"), SW_GUEST_DONE);
    image = save(f);
    for (size_t i = 0; i < image.size; i++) {
        image.data[i] ^= 0xff;
        enum sw_rc rc = load(f, &image);
        assert_true(rc == SW_OK || rc == SW_E_CORRUPT || rc == SW_E_EXHAUSTED);
        image.data[i] ^= 0xff;
    }
    sw_buffer_done(&image);
}

static void an_image_with_other_globals_is_refused(void **state)
{
    enum { GLOBALS_AT = 16, KIND_AT = 24 };
    struct fixture *f = *state;
    struct sw_buffer image = save(f);

    image.data[KIND_AT] ^= 1; /* An i64 where the module has an i32. */
    assert_int_equal(load(f, &image), SW_E_CORRUPT);
    assert_non_null(strstr(f->err.message, "another module"));
    image.data[KIND_AT] ^= 1;
    image.data[GLOBALS_AT]++;
    assert_int_equal(load(f, &image), SW_E_CORRUPT);
    sw_buffer_done(&image);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_loaded_instance_goes_on_where_it_was),
        TEST(grown_memory_comes_back_byte_by_byte),
        TEST(a_new_instance_has_an_image_without_pages),
        TEST(globals_are_part_of_the_image),
        TEST(an_image_larger_than_its_room_is_told),
        TEST(an_image_beyond_the_limit_is_refused),
        TEST(every_cut_is_corrupt),
        TEST(every_flipped_byte_is_survived),
        TEST(an_image_with_other_globals_is_refused),
    };

    return run_in_every_class(tests, sizeof tests / sizeof tests[0]);
}
